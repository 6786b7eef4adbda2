//! Products: what is sold, and what one seat of it holds.

use super::idempotency::Once;
use super::{Caller, IdempotencyKey, allow, keyset, page};
use crate::Portal;
use crate::failure::Failure;
use crate::store::{audit, catalog};
use leasehold_core::access::PortalAction;
use leasehold_core::ids::ProductId;
use leasehold_core::license::FeatureBundle;
use leasehold_core::text;
use leasehold_wire::portal::{ChangeProduct, NewProduct, Page, PageQuery, Product};
use leasehold_wire::time::Time;
use serde_json::json;

/// Most features of one product.
const FEATURES_MAX: usize = 64;
/// Most of one feature in one seat.
const PER_SEAT_MAX: u32 = 10_000;

fn check_features(features: &FeatureBundle) -> Result<(), Failure> {
    if features.is_empty() || features.len() > FEATURES_MAX {
        return Err(Failure::invalid("features", format!("must name 1 to {FEATURES_MAX} features")));
    }
    if !features.values().all(|count| (1..=PER_SEAT_MAX).contains(count)) {
        return Err(Failure::invalid("features", format!("must hold 1 to {PER_SEAT_MAX} of each feature")));
    }
    Ok(())
}

/// Makes a product. Operators.
pub fn create(
    portal: &Portal,
    caller: &Caller,
    key: Option<&IdempotencyKey>,
    wish: &NewProduct,
) -> Result<Product, Failure> {
    allow(caller, PortalAction::ManageCatalog, None)?;
    text::code(&wish.code).map_err(|why| Failure::invalid("code", why))?;
    text::name(&wish.name).map_err(|why| Failure::invalid("name", why))?;
    check_features(&wish.features)?;
    let stamp = portal.stamp(caller);
    let once = Once::new(caller, key, "product.create", wish, stamp.now)?;
    let new = Product {
        id: portal.draw(|random| ProductId::draw(stamp.now, random)),
        code: wish.code.clone(),
        name: wish.name.clone(),
        share: wish.share,
        features: wish.features.clone(),
        created_at: Time(stamp.now),
    };
    portal.db().write(move |tx| {
        once.run(tx, |tx| {
            if !catalog::insert(tx, &new)? {
                return Err(Failure::Taken { what: "product code" });
            }
            audit::insert(tx, &stamp, "product.create", &new.id.to_string(), &json!({ "code": new.code }))?;
            Ok(new.clone())
        })
    })
}

/// Changes a product; documents that are already issued keep what they say. Operators.
pub fn change(portal: &Portal, caller: &Caller, product: ProductId, wish: &ChangeProduct) -> Result<Product, Failure> {
    allow(caller, PortalAction::ManageCatalog, None)?;
    if let Some(name) = &wish.name {
        text::name(name).map_err(|why| Failure::invalid("name", why))?;
    }
    if let Some(features) = &wish.features {
        check_features(features)?;
    }
    let (stamp, wish) = (portal.stamp(caller), wish.clone());
    portal.db().write(move |tx| {
        catalog::lock(tx, product)?;
        let mut changed = catalog::get(tx, product)?.ok_or(Failure::NotFound)?;
        let before = changed.clone();
        changed.name = wish.name.clone().unwrap_or(changed.name);
        changed.share = wish.share.unwrap_or(changed.share);
        changed.features = wish.features.clone().unwrap_or(changed.features);
        catalog::update(tx, &changed)?;
        let detail = json!({
            "from": { "name": before.name, "share": before.share, "features": before.features },
            "to": { "name": changed.name, "share": changed.share, "features": changed.features },
        });
        audit::insert(tx, &stamp, "product.change", &product.to_string(), &detail)?;
        Ok::<_, Failure>(changed)
    })
}

/// All products. Everybody who is signed in.
pub fn list(portal: &Portal, caller: &Caller, query: &PageQuery) -> Result<Page<Product>, Failure> {
    allow(caller, PortalAction::ReadCatalog, None)?;
    let keys = keyset(query)?;
    portal.db().read(move |tx| {
        let rows = catalog::list(tx, &keys)?;
        Ok(page(rows, &keys, |product| product.id.to_string(), |product| product))
    })
}

/// One product. Everybody who is signed in.
pub fn get(portal: &Portal, caller: &Caller, product: ProductId) -> Result<Product, Failure> {
    allow(caller, PortalAction::ReadCatalog, None)?;
    portal.db().read(move |tx| catalog::get(tx, product)?.ok_or(Failure::NotFound))
}
