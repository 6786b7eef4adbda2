//! Seats of a license that an administrator gives to people, and takes back.

use super::licenses::{changed, view};
use super::{Caller, allow};
use crate::Portal;
use crate::failure::Failure;
use crate::store::{accounts, assignments, audit, bells, licenses, organizations};
use leasehold_core::access::PortalAction;
use leasehold_core::ids::{AccountId, LicenseId};
use leasehold_wire::portal::License;
use serde_json::json;

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
        allow(&caller, PortalAction::ManageOrganization, Some(found.owner.id))?;
        let organization = found.organization.ok_or(Failure::NoOrganization)?;
        organizations::lock(tx, organization)?;
        licenses::lock(tx, license)?;
        let found = licenses::get(tx, license)?.ok_or(Failure::NotFound)?;
        if seats == 0 || seats > found.seats {
            return Err(Failure::invalid("seats", format!("must be 1 to {}, the seats of the license", found.seats)));
        }
        let to = accounts::get(tx, account)?.ok_or_else(|| Failure::invalid("account", "is no account"))?;
        let inside = to.id == found.owner.id || organizations::is_member(tx, organization, account)?;
        if !inside {
            return Err(Failure::NotMember { email: to.email });
        }
        let before = assignments::of_license(tx, license)?;
        let others = before.iter().filter(|row| row.account.id != account).map(|row| u64::from(row.target));
        let assigned: u64 = others.sum();
        if assigned + u64::from(seats) > u64::from(found.seats) {
            return Err(Failure::invalid(
                "seats",
                format!(
                    "must be at most {}: {assigned} of {} are assigned",
                    u64::from(found.seats) - assigned,
                    found.seats
                ),
            ));
        }
        assignments::set(tx, license, account, seats, stamp.now)?;
        let had = before.iter().find(|row| row.account.id == account).map_or(0, |row| row.target);
        let detail = json!({ "account": account, "email": to.email, "from": had, "to": seats });
        audit::insert(tx, &stamp, "license.assign", &license.to_string(), &detail)?;
        let (row, rung) = changed(tx, license, &[account], stamp.now)?;
        bells::ring(tx, &rung, stamp.now)?;
        Ok((view(tx, row, stamp.now)?, rung))
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
        allow(&caller, PortalAction::ManageOrganization, Some(found.owner.id))?;
        let before = assignments::of_license(tx, license)?;
        let had = before.iter().find(|row| row.account.id == account).ok_or(Failure::NotFound)?;
        assignments::remove(tx, license, account)?;
        let detail = json!({ "account": account, "email": had.account.email, "seats": had.target });
        audit::insert(tx, &stamp, "license.revoke", &license.to_string(), &detail)?;
        let (row, rung) = changed(tx, license, &[account], stamp.now)?;
        bells::ring(tx, &rung, stamp.now)?;
        Ok::<_, Failure>((view(tx, row, stamp.now)?, rung))
    })?;
    portal.bells().ring(&rung);
    Ok(license)
}
