//! Products: what is sold, and what one seat of it holds.

use super::idempotency::Once;
use super::{Caller, IdempotencyKey, allow, keyset, page};
use crate::Portal;
use crate::failure::Failure;
use crate::store::{audit, bells, catalog, workstations};
use leasehold_core::access::PortalAction;
use leasehold_core::ids::ProductId;
use leasehold_core::license::FeatureBundle;
use leasehold_core::text;
use leasehold_core::time::{DAY_MS, SECOND_MS};
use leasehold_core::times::TimeTable;
use leasehold_wire::portal::{ChangeProduct, NewProduct, Page, PageQuery, Product};
use leasehold_wire::time::Time;
use serde_json::json;

/// Most features of one product.
const FEATURES_MAX: usize = 64;
/// Most of one feature in one seat.
const PER_SEAT_MAX: u32 = 10_000;
/// Shortest time for which an online license server goes on without the portal, in seconds.
const ONLINE_TERM_MIN_S: i64 = 3_600;
/// Most seats of a license that may be written off within a year.
const WRITE_OFFS_MAX: u32 = 10_000;
/// Seconds of a day.
const DAY_S: i64 = DAY_MS / SECOND_MS;

fn check_features(features: &FeatureBundle) -> Result<(), Failure> {
    if features.is_empty() || features.len() > FEATURES_MAX {
        return Err(Failure::invalid("features", format!("must name 1 to {FEATURES_MAX} features")));
    }
    if !features.values().all(|count| (1..=PER_SEAT_MAX).contains(count)) {
        return Err(Failure::invalid("features", format!("must hold 1 to {PER_SEAT_MAX} of each feature")));
    }
    Ok(())
}

fn check_online_term(seconds: u32, times: &TimeTable) -> Result<(), Failure> {
    let longest = times.online_term_max_ms / SECOND_MS;
    if (ONLINE_TERM_MIN_S..=longest).contains(&i64::from(seconds)) {
        return Ok(());
    }
    Err(Failure::invalid(
        "online_term_s",
        format!("must be {ONLINE_TERM_MIN_S} to {longest} seconds, which is 1 hour to {} days", longest / DAY_S),
    ))
}

fn check_borrow_days(days: u32, times: &TimeTable) -> Result<(), Failure> {
    if days <= times.borrow_days_max {
        return Ok(());
    }
    Err(Failure::invalid("borrow_days_max", format!("must be 0 to {} days", times.borrow_days_max)))
}

fn check_write_offs(seats: u32) -> Result<(), Failure> {
    if seats <= WRITE_OFFS_MAX {
        return Ok(());
    }
    Err(Failure::invalid("write_offs", format!("must be 0 to {WRITE_OFFS_MAX} seats")))
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
    let preset = u32::try_from(portal.times().online_term_preset_ms / SECOND_MS).unwrap_or(u32::MAX);
    let online_term_s = wish.online_term_s.unwrap_or(preset);
    check_online_term(online_term_s, portal.times())?;
    let borrow_days_max = wish.borrow_days_max.unwrap_or(portal.times().borrow_days_preset);
    check_borrow_days(borrow_days_max, portal.times())?;
    let write_offs = wish.write_offs.unwrap_or(0);
    check_write_offs(write_offs)?;
    let stamp = portal.stamp(caller);
    let once = Once::new(caller, key, "product.create", wish, stamp.now)?;
    let new = Product {
        id: portal.draw(|random| ProductId::draw(stamp.now, random)),
        code: wish.code.clone(),
        name: wish.name.clone(),
        share: wish.share,
        features: wish.features.clone(),
        created_at: Time(stamp.now),
        online_term_s,
        borrow_days_max,
        return_at_end: wish.return_at_end.unwrap_or(false),
        write_offs,
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

/// Changes a product. Online license servers hear of it at once; documents that are already issued keep what they say.
/// Operators.
pub fn change(portal: &Portal, caller: &Caller, product: ProductId, wish: &ChangeProduct) -> Result<Product, Failure> {
    allow(caller, PortalAction::ManageCatalog, None)?;
    if let Some(name) = &wish.name {
        text::name(name).map_err(|why| Failure::invalid("name", why))?;
    }
    if let Some(features) = &wish.features {
        check_features(features)?;
    }
    if let Some(seconds) = wish.online_term_s {
        check_online_term(seconds, portal.times())?;
    }
    if let Some(days) = wish.borrow_days_max {
        check_borrow_days(days, portal.times())?;
    }
    if let Some(seats) = wish.write_offs {
        check_write_offs(seats)?;
    }
    let (stamp, wish) = (portal.stamp(caller), wish.clone());
    let (changed, rung) = portal.db().write(move |tx| {
        catalog::lock(tx, product)?;
        let mut changed = catalog::get(tx, product)?.ok_or(Failure::NotFound)?;
        let before = changed.clone();
        changed.name = wish.name.clone().unwrap_or(changed.name);
        changed.share = wish.share.unwrap_or(changed.share);
        changed.features = wish.features.clone().unwrap_or(changed.features);
        changed.online_term_s = wish.online_term_s.unwrap_or(changed.online_term_s);
        changed.borrow_days_max = wish.borrow_days_max.unwrap_or(changed.borrow_days_max);
        changed.return_at_end = wish.return_at_end.unwrap_or(changed.return_at_end);
        changed.write_offs = wish.write_offs.unwrap_or(changed.write_offs);
        catalog::update(tx, &changed)?;
        let told = |product: &Product| {
            json!({
                "name": product.name, "share": product.share, "features": product.features,
                "online_term_s": product.online_term_s, "borrow_days_max": product.borrow_days_max,
                "return_at_end": product.return_at_end, "write_offs": product.write_offs,
            })
        };
        let detail = json!({ "from": told(&before), "to": told(&changed) });
        audit::insert(tx, &stamp, "product.change", &product.to_string(), &detail)?;
        // License servers are to hold and to show it as it is now.
        let rung = workstations::online_with(tx, product)?;
        for workstation in &rung {
            bells::ring(tx, *workstation, stamp.now)?;
        }
        Ok::<_, Failure>((changed, rung))
    })?;
    portal.bells().ring(&rung.into_iter().collect());
    Ok(changed)
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
