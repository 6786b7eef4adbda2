//! Organizations: an account with a commercial license is one, its owner an administrator; members are given seats, and
//! may be given a part in administering it.

use super::assignments::given_by;
use super::{Caller, allow};
use crate::Portal;
use crate::failure::{Failure, OrganizationFailure};
use crate::store::{accounts, assignments, audit, licenses, organizations, sessions};
use leasehold_core::access::{OrganizationRole, PortalAction};
use leasehold_core::ids::{AccountId, OrganizationId};
use leasehold_core::time::Ms;
use leasehold_db::Tx;
use leasehold_wire::portal::{
    AccountRef, Assigned, ChangeMember, Member, Members, Membership, NewMember, Organization, Organizations,
};
use serde_json::json;

/// The organization that the caller owns, if any, and those of which they are a member.
pub fn list(portal: &Portal, caller: &Caller) -> Result<Organizations, Failure> {
    allow(caller, PortalAction::ReadOwnAccount, None)?;
    let account = caller.id()?;
    portal.db().read(move |tx| {
        let mut items = Vec::new();
        for standing in organizations::standings(tx, account)? {
            let organization = organizations::get(tx, standing.organization)?.ok_or(Failure::NotFound)?;
            items.push(Membership { organization, role: standing.role });
        }
        Ok(Organizations { items })
    })
}

/// Reads an organization with which the caller may do `action`; as if it did not exist for whoever sees nothing of it.
fn reached(
    tx: &mut Tx<'_>,
    caller: &Caller,
    action: PortalAction,
    organization: OrganizationId,
) -> Result<Organization, Failure> {
    let found = organizations::get(tx, organization)?.ok_or(Failure::NotFound)?;
    allow(caller, action, Some(found.owner.id))?;
    Ok(found)
}

/// From now on the one who is signed in sees and does what is an organization's, with `None` their own things again.
/// Whoever has a part in administering it.
pub fn act_for(portal: &Portal, caller: &Caller, organization: Option<OrganizationId>) -> Result<(), Failure> {
    allow(caller, PortalAction::UseOwnAccount, None)?;
    if let Some(organization) = organization {
        caller.organizations().find(|one| one.organization == organization).ok_or(Failure::NotFound)?;
    }
    let own = caller.administers();
    let (token, organization) = (caller.session().to_owned(), organization.filter(|wanted| Some(*wanted) != own));
    portal.db().write(move |tx| Ok(sessions::act_for(tx, &token, organization)?))
}

/// Says what a member may do in an organization. Its administrators, and operators.
pub fn change_member(
    portal: &Portal,
    caller: &Caller,
    organization: OrganizationId,
    account: AccountId,
    wish: ChangeMember,
) -> Result<Member, Failure> {
    caller.id()?;
    let (caller, stamp) = (caller.clone(), portal.stamp(caller));
    portal.db().write(move |tx| {
        let found = reached(tx, &caller, PortalAction::ManageRoles, organization)?;
        organizations::lock(tx, organization)?;
        if account == found.owner.id {
            return Err(Failure::invalid("role", "cannot be changed: the organization is theirs"));
        }
        if wish.role == OrganizationRole::Owner {
            return Err(Failure::invalid("role", "must be `administrator`, `license_manager`, `viewer` or `user`"));
        }
        let before = member(tx, &found, account, stamp.now)?;
        if before.role != wish.role {
            organizations::set_role(tx, organization, account, wish.role)?;
            let detail =
                json!({ "account": account, "email": before.account.email, "from": before.role, "to": wish.role });
            audit::insert(tx, &stamp, "member.role", &organization.to_string(), &detail)?;
        }
        Ok(Member { role: wish.role, ..before })
    })
}

/// One member with what was given to them.
fn member(tx: &mut Tx<'_>, of: &Organization, account: AccountId, now: Ms) -> Result<Member, Failure> {
    let members = organizations::members(tx, of.id)?;
    let member = members.into_iter().find(|member| member.account.id == account).ok_or(Failure::NotFound)?;
    let mut given = given_by(tx, of.owner.id, now)?;
    Ok(Member { assigned: given.remove(&account).unwrap_or_default(), ..member })
}

/// Its members. Whoever has a part in administering it, and operators.
pub fn members(portal: &Portal, caller: &Caller, organization: OrganizationId) -> Result<Members, Failure> {
    whole(portal, caller, organization).map(|(_, _, members)| members)
}

/// An organization, what is assigned to its administrator, and its members. Whoever has a part in administering it, and
/// operators.
pub fn whole(
    portal: &Portal,
    caller: &Caller,
    organization: OrganizationId,
) -> Result<(Organization, Vec<Assigned>, Members), Failure> {
    caller.id()?;
    let (caller, now) = (caller.clone(), portal.now());
    portal.db().read(move |tx| {
        let found = reached(tx, &caller, PortalAction::ReadOrganization, organization)?;
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
        let found = reached(tx, &caller, PortalAction::ReadOrganization, organization)?;
        let members = organizations::members(tx, organization)?.into_iter().map(|member| member.account);
        Ok(std::iter::once(found.owner).chain(members).collect())
    })
}

/// The organization that an account owns. That account, and operators.
pub fn of_owner(portal: &Portal, caller: &Caller, owner: AccountId) -> Result<Option<Organization>, Failure> {
    caller.id()?;
    allow(caller, PortalAction::ReadOrganization, Some(owner))?;
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
        let found = reached(tx, &caller, PortalAction::ManagePeople, organization)?;
        let (account, _) = accounts::credentials(tx, &email)?
            .ok_or_else(|| Failure::invalid("email", "is not the address of an account here"))?;
        if account.id == found.owner.id {
            return Err(Failure::invalid("email", "is the administrator's own, who is in the organization already"));
        }
        if organizations::add(tx, organization, account.id, stamp.now)? {
            let detail = json!({ "account": account.id, "email": email });
            audit::insert(tx, &stamp, "member.add", &organization.to_string(), &detail)?;
        }
        member(tx, &found, account.id, stamp.now)
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
        let found = reached(tx, &caller, PortalAction::ManagePeople, organization)?;
        organizations::lock(tx, organization)?;
        if !organizations::is_member(tx, organization, account)? {
            return Err(Failure::NotFound);
        }
        let owned = licenses::ids_of(tx, found.owner.id)?;
        let given = assignments::of_account(tx, account)?.into_iter().filter(|row| owned.contains(&row.license));
        let seats = given.map(|row| row.target).fold(0, u32::saturating_add);
        if seats > 0 {
            let email = accounts::get(tx, account)?.map(|account| account.email).unwrap_or_default();
            return Err(OrganizationFailure::HasSeats { email, seats }.into());
        }
        organizations::remove(tx, organization, account)?;
        let detail = json!({ "account": account });
        Ok(audit::insert(tx, &stamp, "member.remove", &organization.to_string(), &detail)?)
    })
}
