//! Organizations: an account with a commercial license is one, its owner the administrator; members are given seats.

use super::assignments::given_by;
use super::{Caller, allow};
use crate::Portal;
use crate::failure::Failure;
use crate::store::{accounts, assignments, audit, licenses, organizations};
use leasehold_core::access::PortalAction;
use leasehold_core::ids::{AccountId, OrganizationId};
use leasehold_db::Tx;
use leasehold_wire::portal::{AccountRef, Assigned, Member, Members, NewMember, Organization, Organizations};
use serde_json::json;

/// The organization that the caller owns, if any, and those of which they are a member.
pub fn list(portal: &Portal, caller: &Caller) -> Result<Organizations, Failure> {
    allow(caller, PortalAction::ReadOwnAccount, None)?;
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
    whole(portal, caller, organization).map(|(_, _, members)| members)
}

/// An organization, what is assigned to its administrator, and its members. Its administrator, and operators.
pub fn whole(
    portal: &Portal,
    caller: &Caller,
    organization: OrganizationId,
) -> Result<(Organization, Vec<Assigned>, Members), Failure> {
    caller.id()?;
    let (caller, now) = (caller.clone(), portal.now());
    portal.db().read(move |tx| {
        let found = administered(tx, &caller, organization)?;
        let mut given = given_by(tx, found.owner.id, now)?;
        let own = given.remove(&found.owner.id).unwrap_or_default();
        let mut items = organizations::members(tx, organization)?;
        for member in &mut items {
            member.assigned = given.remove(&member.account.id).unwrap_or_default();
        }
        Ok((found, own, Members { items }))
    })
}

/// To whom an organization can assign seats: its administrator first, then its members. Its administrator, and operators.
pub fn people(portal: &Portal, caller: &Caller, organization: OrganizationId) -> Result<Vec<AccountRef>, Failure> {
    caller.id()?;
    let caller = caller.clone();
    portal.db().read(move |tx| {
        let found = administered(tx, &caller, organization)?;
        let members = organizations::members(tx, organization)?.into_iter().map(|member| member.account);
        Ok(std::iter::once(found.owner).chain(members).collect())
    })
}

/// The organization that an account owns. That account, and operators.
pub fn of_owner(portal: &Portal, caller: &Caller, owner: AccountId) -> Result<Option<Organization>, Failure> {
    caller.id()?;
    allow(caller, PortalAction::ManageOrganization, Some(owner))?;
    portal.db().read(move |tx| Ok(organizations::of_owner(tx, owner)?))
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
        if organizations::add(tx, organization, account.id, stamp.now)? {
            let detail = json!({ "account": account.id, "email": email });
            audit::insert(tx, &stamp, "member.add", &organization.to_string(), &detail)?;
        }
        let members = organizations::members(tx, organization)?;
        let member = members.into_iter().find(|member| member.account.id == account.id);
        let member = member.ok_or_else(|| Failure::Internal("a new member vanished".to_owned()))?;
        let mut given = given_by(tx, found.owner.id, stamp.now)?;
        Ok(Member { assigned: given.remove(&account.id).unwrap_or_default(), ..member })
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
