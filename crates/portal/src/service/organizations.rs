//! Organizations: an account with a commercial license is one, its owner the administrator; members are given seats.

use super::{Caller, allow};
use crate::Portal;
use crate::failure::Failure;
use crate::store::{accounts, assignments, audit, licenses, organizations};
use leasehold_core::access::PortalAction;
use leasehold_core::ids::{AccountId, OrganizationId};
use leasehold_db::Tx;
use leasehold_wire::portal::{AccountRef, Member, Members, NewMember, Organization, Organizations};
use leasehold_wire::time::Time;
use serde_json::json;

/// The organization that the caller owns, if any, and those of which they are a member.
pub fn list(portal: &Portal, caller: &Caller) -> Result<Organizations, Failure> {
    allow(caller, PortalAction::UseOwnAccount, None)?;
    let account = caller.id()?;
    portal.db().read(move |tx| {
        let mut items: Vec<Organization> = organizations::of_owner(tx, account)?.into_iter().collect();
        items.extend(organizations::of_member(tx, account)?);
        Ok(Organizations { items })
    })
}

/// Reads an organization that the caller may administer; as if it did not exist for everybody else.
pub(super) fn administered(
    tx: &mut Tx<'_>,
    caller: &Caller,
    organization: OrganizationId,
) -> Result<Organization, Failure> {
    let found = organizations::get(tx, organization)?.ok_or(Failure::NotFound)?;
    allow(caller, PortalAction::ManageOrganization, Some(found.owner.id))?;
    Ok(found)
}

/// Its members. Its administrator, and operators.
pub fn members(portal: &Portal, caller: &Caller, organization: OrganizationId) -> Result<Members, Failure> {
    caller.id()?;
    let caller = caller.clone();
    portal.db().read(move |tx| {
        administered(tx, &caller, organization)?;
        Ok(Members { items: organizations::members(tx, organization)? })
    })
}

/// Adds an account to an organization; again is harmless. Its administrator, and operators.
pub fn add_member(
    portal: &Portal,
    caller: &Caller,
    organization: OrganizationId,
    wish: &NewMember,
) -> Result<Member, Failure> {
    caller.id()?;
    let email = super::accounts::email(&wish.email)?;
    let (caller, stamp) = (caller.clone(), portal.stamp(caller));
    portal.db().write(move |tx| {
        let found = administered(tx, &caller, organization)?;
        let (account, _) = accounts::credentials(tx, &email)?
            .ok_or_else(|| Failure::invalid("email", "is not the address of an account here"))?;
        if account.id == found.owner.id {
            return Err(Failure::invalid("email", "is the administrator's own, who is in the organization already"));
        }
        let member = Member {
            account: AccountRef { id: account.id, name: account.name, email: account.email },
            added_at: Time(stamp.now),
        };
        if organizations::add(tx, organization, account.id, stamp.now)? {
            let detail = json!({ "account": account.id, "email": email });
            audit::insert(tx, &stamp, "member.add", &organization.to_string(), &detail)?;
        }
        Ok(member)
    })
}

/// Removes a member who has no seats. Its administrator, and operators.
pub fn remove_member(
    portal: &Portal,
    caller: &Caller,
    organization: OrganizationId,
    account: AccountId,
) -> Result<(), Failure> {
    caller.id()?;
    let (caller, stamp) = (caller.clone(), portal.stamp(caller));
    portal.db().write(move |tx| {
        let found = administered(tx, &caller, organization)?;
        organizations::lock(tx, organization)?;
        if !organizations::is_member(tx, organization, account)? {
            return Err(Failure::NotFound);
        }
        let owned = licenses::ids_of(tx, found.owner.id)?;
        let given = assignments::of_account(tx, account)?.into_iter().filter(|row| owned.contains(&row.license));
        let seats = given.map(|row| row.target).fold(0, u32::saturating_add);
        if seats > 0 {
            let email = accounts::get(tx, account)?.map(|account| account.email).unwrap_or_default();
            return Err(Failure::HasSeats { email, seats });
        }
        organizations::remove(tx, organization, account)?;
        let detail = json!({ "account": account });
        Ok(audit::insert(tx, &stamp, "member.remove", &organization.to_string(), &detail)?)
    })
}
