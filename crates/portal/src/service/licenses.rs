//! Licenses: sold, changed and ended by operators; their owners see where the seats are.

use super::idempotency::Once;
use super::{Caller, IdempotencyKey, allow, keyset, page};
use crate::Portal;
use crate::failure::Failure;
use crate::store::documents::{self, Claim};
use crate::store::licenses::LicenseRow;
use crate::store::{accounts, audit, catalog, licenses};
use leasehold_core::access::PortalAction;
use leasehold_core::activation::LicenseFacts;
use leasehold_core::grant::{counted_seats, counted_until};
use leasehold_core::ids::{LicenseId, WorkstationId};
use leasehold_core::license::Term;
use leasehold_core::text;
use leasehold_core::time::{Ms, date_start};
use leasehold_db::{DbError, Tx};
use leasehold_wire::portal::{AccountRef, Holder, License, NewLicense, OwnedQuery, Page};
use leasehold_wire::time::Time;
use serde_json::json;

/// Most seats of one license.
pub const SEATS_MAX: u32 = 1_000_000;

fn check_seats(seats: u32) -> Result<(), Failure> {
    if (1..=SEATS_MAX).contains(&seats) {
        return Ok(());
    }
    Err(Failure::invalid("seats", "must be 1 to 1,000,000"))
}

/// What deciding needs to know of a license, counted as if for `workstation`.
pub(super) fn facts(row: &LicenseRow, claims: &[Claim], workstation: Option<WorkstationId>, now: Ms) -> LicenseFacts {
    let (mut here, mut elsewhere) = (0_u32, 0_u32);
    for claim in claims {
        let seats = counted_seats(&claim.documents, claim.acknowledged_rev, row.id, now);
        let side = if Some(claim.workstation) == workstation { &mut here } else { &mut elsewhere };
        *side = side.saturating_add(seats);
    }
    LicenseFacts {
        license: row.id,
        seats: row.seats,
        kind: row.kind,
        term: row.term,
        starts_at: row.starts_at,
        ended_at: row.ended_at,
        counted_elsewhere: elsewhere,
        counted_here: here,
        newest_here: 0,
    }
}

fn view(tx: &mut Tx<'_>, row: LicenseRow, now: Ms) -> Result<License, DbError> {
    let claims = documents::claims(tx, row.id, now)?;
    let facts = facts(&row, &claims, None, now);
    let holder = |claim: Claim| {
        let seats = counted_seats(&claim.documents, claim.acknowledged_rev, row.id, now);
        let free_at = counted_until(&claim.documents, claim.acknowledged_rev, row.id, now)?;
        let (workstation, name, status) = (claim.workstation, claim.name, claim.status);
        Some(Holder { workstation, name, status, seats, free_at: Time(free_at) })
    };
    let holders: Vec<Holder> = claims.into_iter().filter_map(holder).collect();
    let running = facts.running(now);
    Ok(License {
        id: row.id,
        label: row.label.clone(),
        product: row.product_ref(),
        seats: row.seats,
        kind: row.kind,
        channel: row.channel,
        term: row.term,
        starts_at: Time(row.starts_at),
        ends_at: row.term.ends_at().map(Time),
        ended_at: row.ended_at.map(Time),
        created_at: Time(row.created_at),
        running,
        seats_out: facts.counted_elsewhere,
        seats_free: if running { facts.available() } else { 0 },
        over_by: facts.over_by(),
        over_until: holders.iter().map(|holder| holder.free_at).max().filter(|_| facts.over_by() > 0),
        owner: row.owner,
        holders,
    })
}

/// Sells a license. Operators.
pub fn create(
    portal: &Portal,
    caller: &Caller,
    key: Option<&IdempotencyKey>,
    wish: &NewLicense,
) -> Result<License, Failure> {
    allow(caller, PortalAction::ManageLicenses, None)?;
    check_seats(wish.seats)?;
    text::optional_name(&wish.label).map_err(|why| Failure::invalid("label", why))?;
    let stamp = portal.stamp(caller);
    let now = stamp.now;
    if let Term::Subscription { .. } = wish.term
        && wish.term.ends_at().is_some_and(|end| end <= now)
    {
        return Err(Failure::invalid("term", "must not have ended already"));
    }
    let once = Once::new(caller, key, "license.create", wish, now)?;
    let id = portal.draw(|random| LicenseId::draw(now, random));
    let wish = wish.clone();
    portal.db().write(move |tx| {
        once.run(tx, |tx| {
            let owner = accounts::get(tx, wish.owner)?.ok_or_else(|| Failure::invalid("owner", "is no account"))?;
            let product =
                catalog::get(tx, wish.product)?.ok_or_else(|| Failure::invalid("product", "is no product"))?;
            let row = LicenseRow {
                id,
                label: wish.label.trim().to_owned(),
                owner: AccountRef { id: owner.id, name: owner.name, email: owner.email },
                product,
                seats: wish.seats,
                kind: wish.kind,
                channel: wish.channel,
                term: wish.term,
                starts_at: wish.starts_on.map_or(now, date_start),
                ended_at: None,
                created_at: now,
            };
            licenses::insert(tx, &row)?;
            let detail =
                json!({ "owner": row.owner.id, "product": row.product.code, "seats": row.seats, "term": row.term });
            audit::insert(tx, &stamp, "license.create", &id.to_string(), &detail)?;
            Ok(view(tx, row, now)?)
        })
    })
}

/// One's own licenses; operators see everybody's, or those of the account that is asked for.
pub fn list(portal: &Portal, caller: &Caller, query: &OwnedQuery) -> Result<Page<License>, Failure> {
    let owner = super::owner_filter(caller, query.owner)?;
    let (keys, now) = (keyset(&query.page())?, portal.now());
    portal.db().read(move |tx| {
        let rows = match owner {
            Some(owner) => licenses::list_of(tx, owner, &keys)?,
            None => licenses::list(tx, &keys)?,
        };
        let Page { items, next } = page(rows, &keys, |row| row.id.to_string(), |row| row);
        let items = items.into_iter().map(|row| view(tx, row, now)).collect::<Result<_, _>>()?;
        Ok::<_, Failure>(Page { items, next })
    })
}

/// One license. Its owner, and operators.
pub fn get(portal: &Portal, caller: &Caller, license: LicenseId) -> Result<License, Failure> {
    caller.id()?;
    let (caller, now) = (caller.clone(), portal.now());
    portal.db().read(move |tx| {
        let row = licenses::get(tx, license)?.ok_or(Failure::NotFound)?;
        allow(&caller, PortalAction::ReadOwned, Some(row.owner.id))?;
        Ok(view(tx, row, now)?)
    })
}

/// Changes how many seats a license has. Fewer than are out is allowed: the license then shows `over_by` until they are
/// back, and nothing new is given. Operators.
pub fn change_seats(portal: &Portal, caller: &Caller, license: LicenseId, seats: u32) -> Result<License, Failure> {
    allow(caller, PortalAction::ManageLicenses, None)?;
    check_seats(seats)?;
    let stamp = portal.stamp(caller);
    portal.db().write(move |tx| {
        licenses::lock(tx, license)?;
        let mut row = licenses::get(tx, license)?.ok_or(Failure::NotFound)?;
        licenses::set_seats(tx, license, seats)?;
        let detail = json!({ "from": row.seats, "to": seats });
        audit::insert(tx, &stamp, "license.seats", &license.to_string(), &detail)?;
        row.seats = seats;
        Ok::<_, Failure>(view(tx, row, stamp.now)?)
    })
}

/// Ends a license: nothing new is given of it; what is out runs to its end. Operators.
pub fn end(portal: &Portal, caller: &Caller, license: LicenseId) -> Result<License, Failure> {
    allow(caller, PortalAction::ManageLicenses, None)?;
    let stamp = portal.stamp(caller);
    portal.db().write(move |tx| {
        licenses::lock(tx, license)?;
        let mut row = licenses::get(tx, license)?.ok_or(Failure::NotFound)?;
        if let Some(at) = row.ended_at {
            return Err(Failure::AlreadyEnded { at });
        }
        licenses::end(tx, license, stamp.now)?;
        audit::insert(tx, &stamp, "license.end", &license.to_string(), &json!({ "seats": row.seats }))?;
        row.ended_at = Some(stamp.now);
        Ok(view(tx, row, stamp.now)?)
    })
}
