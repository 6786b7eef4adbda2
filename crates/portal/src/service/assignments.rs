//! Seats of a license that an administrator gives to people, and takes back.

use super::licenses::{changed_and_seen, seen_by};
use super::pools::LicensePools;
use super::{Caller, allow, allow_of};
use crate::Portal;
use crate::failure::{Failure, OrganizationFailure};
use crate::store::{accounts, assignments, audit, licenses, members, organizations, state};
use leasehold_core::access::PortalAction;
use leasehold_core::ids::{AccountId, LicenseId, OrganizationId};
use leasehold_core::sync::Part;
use leasehold_core::time::Ms;
use leasehold_db::{DbError, Tx};
use leasehold_wire::portal::{Assigned, AssignedSeats, License};
use leasehold_wire::time::Time;
use serde_json::json;
use std::collections::BTreeMap;

/// Gives an account `seats` of a license, instead of what it was given before. What does not fit waits, in order. The
/// organization's administrator, and operators.
pub fn assign(
    portal: &Portal,
    caller: &Caller,
    license: LicenseId,
    account: AccountId,
    seats: u32,
) -> Result<License, Failure> {
    caller.id()?;
    let (caller, stamp) = (caller.clone(), portal.stamp(caller));
    let (license, rung) = portal.db().write(move |tx| {
        let found = licenses::get(tx, license)?.ok_or(Failure::NotFound)?;
        allow_of(&caller, PortalAction::ManageSeats, &found)?;
        let organization = found.organization.ok_or(OrganizationFailure::OwnLicense)?;
        organizations::lock(tx, organization)?;
        licenses::lock(tx, license)?;
        let found = licenses::get(tx, license)?.ok_or(Failure::NotFound)?;
        if seats == 0 || seats > found.seats {
            return Err(Failure::invalid("seats", format!("must be 1 to {}, the seats of the license", found.seats)));
        }
        let to = accounts::get(tx, account)?.ok_or_else(|| Failure::invalid("account", "is no account"))?;
        let inside = to.id == found.owner.id || members::state_of(tx, organization, account)?.is_some();
        if !inside {
            return Err(OrganizationFailure::NotMember { email: to.email }.into());
        }
        let before = assignments::of_license(tx, license)?;
        let others = before.iter().filter(|row| row.account.id != account).map(|row| u64::from(row.target));
        let assigned: u64 = others.sum();
        if assigned + u64::from(seats) > u64::from(found.seats) {
            return Err(Failure::invalid(
                "seats",
                format!(
                    "must be at most {}: {assigned} of {} are assigned",
                    // A license that was reduced may have more assigned than it has.
                    u64::from(found.seats).saturating_sub(assigned),
                    found.seats
                ),
            ));
        }
        assignments::set(tx, license, account, seats, stamp.now)?;
        let had = before.iter().find(|row| row.account.id == account).map_or(0, |row| row.target);
        let detail = json!({ "account": account, "email": to.email, "from": had, "to": seats });
        audit::insert(tx, &stamp, "license.assign", &license.to_string(), &detail)?;
        let (license, rung) = changed_and_seen(tx, license, &[account], stamp.now)?;
        Ok::<_, Failure>((seen_by(&caller, license), rung))
    })?;
    portal.bells().ring(&rung);
    Ok(license)
}

/// Takes an account's seats of a license back. Its servers give them back as soon as they hear of it; applications that
/// use them are told to stop. The organization's administrator, and operators.
pub fn revoke(portal: &Portal, caller: &Caller, license: LicenseId, account: AccountId) -> Result<License, Failure> {
    caller.id()?;
    let (caller, stamp) = (caller.clone(), portal.stamp(caller));
    let (license, rung) = portal.db().write(move |tx| {
        licenses::lock(tx, license)?;
        let found = licenses::get(tx, license)?.ok_or(Failure::NotFound)?;
        allow_of(&caller, PortalAction::ManageSeats, &found)?;
        let before = assignments::of_license(tx, license)?;
        let had = before.iter().find(|row| row.account.id == account).ok_or(Failure::NotFound)?;
        assignments::remove(tx, license, account)?;
        let detail = json!({ "account": account, "email": had.account.email, "seats": had.target });
        audit::insert(tx, &stamp, "license.revoke", &license.to_string(), &detail)?;
        let (license, rung) = changed_and_seen(tx, license, &[account], stamp.now)?;
        Ok::<_, Failure>((seen_by(&caller, license), rung))
    })?;
    portal.bells().ring(&rung);
    Ok(license)
}

/// A license of which an organization can give seats.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Giveable {
    /// Which.
    pub license: LicenseId,
    /// How it is called.
    pub name: String,
    /// Seats that are assigned to nobody.
    pub left: u32,
}

/// The licenses of which an organization can give seats now. Whoever may give them, and operators.
pub fn giveable(portal: &Portal, caller: &Caller, organization: OrganizationId) -> Result<Vec<Giveable>, Failure> {
    caller.id()?;
    let (caller, now) = (caller.clone(), portal.now());
    portal.db().read(move |tx| {
        let found = organizations::get(tx, organization, now)?.ok_or(Failure::NotFound)?;
        allow(&caller, PortalAction::ManageSeats, Some(found.owner.id))?;
        let mut all = Vec::new();
        for row in licenses::all_of(tx, found.owner.id)? {
            let ended = row.ended_at.is_some() || row.term.ends_at().is_some_and(|end| end <= now);
            if row.organization != Some(organization) || ended || row.starts_at > now {
                continue;
            }
            let given = assignments::of_license(tx, row.id)?;
            let given = given.iter().map(|row| row.target).fold(0, u32::saturating_add);
            all.push(Giveable { license: row.id, name: row.called(), left: row.seats.saturating_sub(given) });
        }
        Ok(all)
    })
}

/// What organizations gave to the caller.
pub fn mine(portal: &Portal, caller: &Caller) -> Result<AssignedSeats, Failure> {
    allow(caller, PortalAction::ReadOwnAccount, None)?;
    let (account, now) = (caller.id()?, portal.now());
    portal.db().read(move |tx| Ok(AssignedSeats { items: given_to(tx, account, now)? }))
}

/// What was given to an account, by whichever organization.
pub(super) fn given_to(tx: &mut Tx<'_>, account: AccountId, now: Ms) -> Result<Vec<Assigned>, DbError> {
    let mut given = Vec::new();
    for row in assignments::of_account(tx, account)?.into_iter().filter(|row| row.usable) {
        let of_license = given_of(tx, row.license, now)?.into_iter();
        given.extend(of_license.filter(|(to, _)| *to == account).map(|(_, assigned)| assigned));
    }
    Ok(given)
}

/// What the organization of an account gave to whom.
pub(super) fn given_by(
    tx: &mut Tx<'_>,
    owner: AccountId,
    now: Ms,
) -> Result<BTreeMap<AccountId, Vec<Assigned>>, DbError> {
    let mut given: BTreeMap<AccountId, Vec<Assigned>> = BTreeMap::new();
    for license in licenses::ids_of(tx, owner)? {
        for (account, assigned) in given_of(tx, license, now)? {
            given.entry(account).or_default().push(assigned);
        }
    }
    Ok(given)
}

fn given_of(tx: &mut Tx<'_>, license: LicenseId, now: Ms) -> Result<Vec<(AccountId, Assigned)>, DbError> {
    let Some(row) = licenses::get(tx, license)? else { return Ok(Vec::new()) };
    let Some(organization) = row.organization else { return Ok(Vec::new()) };
    let name = organizations::name_of(tx, organization)?;
    let learning_until = state::learning_until(tx)?;
    let pools = LicensePools::load(tx, row, now, learning_until)?;
    let given = pools.assignments.iter().zip(&pools.settled.active).map(|(assignment, active)| {
        let account = assignment.account.id;
        let assigned = Assigned {
            license,
            product: pools.license.product_ref(),
            channel: pools.license.channel,
            organization,
            organization_name: name.clone(),
            running: pools.running(),
            term: pools.license.term,
            ends_at: pools.license.term.ends_at().map(Time),
            seats: assignment.target,
            active: if assignment.usable { *active } else { 0 },
            seats_out: pools.counted_in(Part::Of(account)),
            assigned_at: Time(assignment.assigned_at),
        };
        (account, assigned)
    });
    Ok(given.collect())
}
