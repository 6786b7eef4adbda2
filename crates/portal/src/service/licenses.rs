//! Licenses: sold, changed and ended by operators; their owners see where the seats are.

use super::idempotency::Once;
use super::pools::LicensePools;
use super::{Caller, IdempotencyKey, allow, allow_of, keyset, page, workstations};
use crate::Portal;
use crate::failure::Failure;
use crate::store::bells::Due;
use crate::store::licenses::LicenseRow;
use crate::store::{accounts, audit, bells, catalog, licenses, organizations, state, sync};
use leasehold_core::access::PortalAction;
use leasehold_core::grant::{counted_seats, counted_until};
use leasehold_core::ids::{AccountId, LicenseId, OrganizationId, WorkstationId};
use leasehold_core::license::{Channel, Kind, Mode, Scope, Term};
use leasehold_core::sync::Part;
use leasehold_core::text;
use leasehold_core::time::{Ms, date_start};
use leasehold_db::{DbError, Tx};
use leasehold_wire::portal::{AccountRef, Assignment, Holder, License, NewLicense, OwnedQuery, Page};
use leasehold_wire::time::Time;
use serde_json::json;
use std::collections::BTreeSet;

/// Most seats of one license.
pub const SEATS_MAX: u32 = 1_000_000;

fn check_seats(seats: u32) -> Result<(), Failure> {
    if (1..=SEATS_MAX).contains(&seats) {
        return Ok(());
    }
    Err(Failure::invalid("seats", "must be 1 to 1,000,000"))
}

/// A license as both fronts show it.
pub(super) fn view(tx: &mut Tx<'_>, row: LicenseRow, now: Ms) -> Result<License, DbError> {
    let learning_until = state::learning_until(tx)?;
    let pools = LicensePools::load(tx, row, now, learning_until)?;
    let stated = sync::stated_on(tx, pools.license.id)?;
    let mut holders = Vec::new();
    for claim in &pools.claims {
        let free_at = counted_until(&claim.documents, claim.acknowledged_rev, pools.license.id, now);
        let Some(free_at) = free_at else { continue };
        let online = claim.mode == Mode::Online;
        let used = online.then(|| {
            // What is kept for use without a portal counts as used, whoever works.
            let (stated, revs) = (stated.get(&claim.workstation), (claim.acknowledged_rev, claim.newest_rev));
            let beside = workstations::used_beside(&claim.documents, revs, (pools.license.id, stated), now);
            stated.map_or(0, |stated| stated.report.used).saturating_add(beside)
        });
        let person = match claim.scope {
            Scope::Organization => None,
            Scope::Person => accounts::get(tx, claim.owner)?,
        };
        holders.push(Holder {
            workstation: claim.workstation,
            name: claim.name.clone(),
            status: claim.status,
            mode: claim.mode,
            seats: counted_seats(&claim.documents, claim.acknowledged_rev, pools.license.id, now),
            used,
            person: person.map(|account| AccountRef { id: account.id, name: account.name, email: account.email }),
            free_at: Time(free_at),
        });
    }
    let running = pools.running();
    let over_by = pools.counted().saturating_sub(pools.license.seats);
    let assignments: Vec<Assignment> = pools
        .assignments
        .iter()
        .zip(&pools.settled.active)
        .map(|(row, active)| Assignment {
            license: row.license,
            account: row.account.clone(),
            seats: row.target,
            active: if row.usable { *active } else { 0 },
            usable: row.usable,
            assigned_at: Time(row.assigned_at),
            seats_out: pools.counted_in(Part::Of(row.account.id)),
        })
        .collect();
    let facts = pools.facts(None);
    let row = &pools.license;
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
        seats_out: pools.counted(),
        seats_free: if running { facts.available() } else { 0 },
        over_by,
        over_until: holders.iter().map(|holder| holder.free_at).max().filter(|_| over_by > 0),
        organization: row.organization,
        seats_assigned: assignments.iter().map(|assignment| assignment.seats).fold(0, u32::saturating_add),
        seats_floating: if row.kind == Kind::Floating { pools.settled.floating } else { 0 },
        seats_pending: pools.settled.pending,
        learning_until: pools.learning.then_some(Time(learning_until)),
        assignments,
        owner: row.owner.clone(),
        holders,
    })
}

/// The license as somebody sees it: how a person calls their own license server is theirs and the vendor's to know.
pub(super) fn seen_by(caller: &Caller, mut license: License) -> License {
    let own = caller.actor().account();
    for holder in license.holders.iter_mut().filter(|_| !caller.is_operator()) {
        if holder.person.as_ref().is_some_and(|person| Some(person.id) != own) {
            holder.name.clear();
        }
    }
    license
}

/// A license changed: what is assigned is settled anew. Answers the servers that are to be told of it, those of the
/// accounts `also` among them.
pub(super) fn changed(
    tx: &mut Tx<'_>,
    license: LicenseId,
    also: &[AccountId],
    now: Ms,
) -> Result<(LicenseRow, Due), Failure> {
    let row = licenses::get(tx, license)?.ok_or(Failure::NotFound)?;
    let learning_until = state::learning_until(tx)?;
    let mut pools = LicensePools::load(tx, row, now, learning_until)?;
    let mut accounts = pools.write_settled(tx)?;
    accounts.extend(also);
    accounts.extend(pools.assignments.iter().map(|row| row.account.id));
    let due = pools.due(tx, &accounts)?;
    Ok((pools.license, due))
}

/// The same, with the bells rung and the license as it is shown: the end of every deed that answers a license.
pub(super) fn changed_and_seen(
    tx: &mut Tx<'_>,
    license: LicenseId,
    also: &[AccountId],
    now: Ms,
) -> Result<(License, BTreeSet<WorkstationId>), Failure> {
    let (row, due) = changed(tx, license, also, now)?;
    let rung = bells::ring_of(tx, &due, &Due::new(), now)?;
    Ok((view(tx, row, now)?, rung))
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
    let (id, organization) = portal.draw(|random| (LicenseId::draw(now, random), OrganizationId::draw(now, random)));
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
                organization: None,
                // Nobody can have seats of a license that was not there: nothing is to be learned about it.
                raise_while_learning: now < state::learning_until(tx)?,
            };
            let row = LicenseRow { organization: organization_for(tx, &row, wish.organization, organization)?, ..row };
            licenses::insert(tx, &row)?;
            let detail = json!({
                "owner": row.owner.id, "product": row.product.code, "seats": row.seats, "term": row.term,
                "organization": row.organization,
            });
            audit::insert(tx, &stamp, "license.create", &id.to_string(), &detail)?;
            Ok(changed_and_seen(tx, id, &[], now)?.0)
        })
    })
}

/// The organization for which a license is sold, if it is not for its owner's own person: as it is wished, else by what
/// kind it is. `new`: whoever buys for work is an organization by that.
fn organization_for(
    tx: &mut Tx<'_>,
    license: &LicenseRow,
    wish: Option<bool>,
    new: OrganizationId,
) -> Result<Option<OrganizationId>, Failure> {
    let owner = &license.owner;
    let commercial = license.channel == Channel::Commercial;
    if commercial && wish != Some(false) {
        organizations::insert(tx, new, owner.id, &owner.name, license.created_at)?;
    }
    let known = organizations::id_of(tx, owner.id)?;
    match wish.unwrap_or(commercial || license.channel == Channel::Nfr) {
        true if wish.is_some() && known.is_none() => {
            Err(Failure::invalid("organization", format!("cannot be chosen: {} has none", owner.email)))
        }
        true => Ok(known),
        false => Ok(None),
    }
}

/// One's own licenses; operators see everybody's, or those of the account that is asked for.
pub fn list(portal: &Portal, caller: &Caller, query: &OwnedQuery) -> Result<Page<License>, Failure> {
    let owner = super::owner_filter(caller, query.owner)?;
    let (keys, now) = (keyset(&query.page())?, portal.now());
    let shared = owner.is_some_and(|owner| caller.sees_shared_only(owner));
    let caller = caller.clone();
    portal.db().read(move |tx| {
        let rows = match owner {
            Some(owner) => licenses::list_of(tx, owner, shared, &keys)?,
            None => licenses::list(tx, &keys)?,
        };
        let Page { items, next } = page(rows, &keys, |row| row.id.to_string(), |row| row);
        let items = items.into_iter().map(|row| Ok(seen_by(&caller, view(tx, row, now)?)));
        Ok::<_, Failure>(Page { items: items.collect::<Result<_, DbError>>()?, next })
    })
}

/// One license. Its owner, and operators.
pub fn get(portal: &Portal, caller: &Caller, license: LicenseId) -> Result<License, Failure> {
    caller.id()?;
    let (caller, now) = (caller.clone(), portal.now());
    portal.db().read(move |tx| {
        let row = licenses::get(tx, license)?.ok_or(Failure::NotFound)?;
        allow_of(&caller, PortalAction::ReadOwned, &row)?;
        Ok(seen_by(&caller, view(tx, row, now)?))
    })
}

/// Changes how many seats a license has. Fewer than are out is allowed: the license then shows `over_by` until they are
/// back, and nothing new is given. Operators.
pub fn change_seats(portal: &Portal, caller: &Caller, license: LicenseId, seats: u32) -> Result<License, Failure> {
    allow(caller, PortalAction::ManageLicenses, None)?;
    check_seats(seats)?;
    let stamp = portal.stamp(caller);
    let (license, rung) = portal.db().write(move |tx| {
        licenses::lock(tx, license)?;
        let row = licenses::get(tx, license)?.ok_or(Failure::NotFound)?;
        licenses::set_seats(tx, license, seats)?;
        let detail = json!({ "from": row.seats, "to": seats });
        audit::insert(tx, &stamp, "license.seats", &license.to_string(), &detail)?;
        changed_and_seen(tx, license, &[], stamp.now)
    })?;
    portal.bells().ring(&rung);
    Ok(license)
}

/// Lets a license be given out although the portal was restored and does not know yet what is out: whoever decides it
/// knows that nobody else has its seats. Until that time is over; does nothing if it is. Operators.
pub fn raise(portal: &Portal, caller: &Caller, license: LicenseId) -> Result<License, Failure> {
    allow(caller, PortalAction::ManageLicenses, None)?;
    let stamp = portal.stamp(caller);
    let (license, rung) = portal.db().write(move |tx| {
        licenses::lock(tx, license)?;
        let row = licenses::get(tx, license)?.ok_or(Failure::NotFound)?;
        let learning_until = state::learning_until(tx)?;
        if stamp.now >= learning_until || row.raise_while_learning {
            return Ok((view(tx, row, stamp.now)?, BTreeSet::new()));
        }
        licenses::set_raise_while_learning(tx, license)?;
        let detail = json!({ "seats": row.seats, "instead_of": learning_until.rfc3339() });
        audit::insert(tx, &stamp, "license.raise", &license.to_string(), &detail)?;
        changed_and_seen(tx, license, &[], stamp.now)
    })?;
    portal.bells().ring(&rung);
    Ok(license)
}

/// Ends a license: nothing new is given of it; what is out by file runs to its end, what is out online is withdrawn.
/// Operators.
pub fn end(portal: &Portal, caller: &Caller, license: LicenseId) -> Result<License, Failure> {
    allow(caller, PortalAction::ManageLicenses, None)?;
    let stamp = portal.stamp(caller);
    let (license, rung) = portal.db().write(move |tx| {
        licenses::lock(tx, license)?;
        let row = licenses::get(tx, license)?.ok_or(Failure::NotFound)?;
        if let Some(at) = row.ended_at {
            return Err(Failure::AlreadyEnded { at });
        }
        licenses::end(tx, license, stamp.now)?;
        audit::insert(tx, &stamp, "license.end", &license.to_string(), &json!({ "seats": row.seats }))?;
        changed_and_seen(tx, license, &[], stamp.now)
    })?;
    portal.bells().ring(&rung);
    Ok(license)
}
