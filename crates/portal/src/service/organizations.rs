//! Organizations: an account with a commercial license is one, and owns it. Who is in one is in `members` and `invitations`.

use super::assignments::given_by;
use super::{Caller, allow};
use crate::Portal;
use crate::failure::Failure;
use crate::store::{audit, members, organizations, sessions};
use leasehold_core::access::PortalAction;
use leasehold_core::ids::{AccountId, OrganizationId};
use leasehold_core::time::Ms;
use leasehold_db::Tx;
use leasehold_wire::portal::{
    AccountRef, Assigned, ChangeOrganization, Members, Membership, Organization, Organizations,
};
use serde_json::json;

/// The organization that the caller owns, if any, and those of which they are a member.
pub fn list(portal: &Portal, caller: &Caller) -> Result<Organizations, Failure> {
    allow(caller, PortalAction::ReadOwnAccount, None)?;
    let (account, now) = (caller.id()?, portal.now());
    portal.db().read(move |tx| {
        let mut items = Vec::new();
        for standing in organizations::standings(tx, account)? {
            let organization = organizations::get(tx, standing.organization, now)?.ok_or(Failure::NotFound)?;
            items.push(Membership { organization, role: standing.role });
        }
        Ok(Organizations { items })
    })
}

/// Reads an organization with which the caller may do `action`; as if it did not exist for whoever sees nothing of it.
pub(super) fn reached(
    tx: &mut Tx<'_>,
    caller: &Caller,
    action: PortalAction,
    organization: OrganizationId,
    now: Ms,
) -> Result<Organization, Failure> {
    let found = organizations::get(tx, organization, now)?.ok_or(Failure::NotFound)?;
    allow(caller, action, Some(found.owner.id))?;
    Ok(found)
}

/// One organization. Whoever has a part in administering it, and operators.
pub fn get(portal: &Portal, caller: &Caller, organization: OrganizationId) -> Result<Organization, Failure> {
    caller.id()?;
    let (caller, now) = (caller.clone(), portal.now());
    portal.db().read(move |tx| reached(tx, &caller, PortalAction::ReadOrganization, organization, now))
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
        let found = reached(tx, &caller, PortalAction::ReadOrganization, organization, now)?;
        let mut given = given_by(tx, found.owner.id, now)?;
        let own = given.remove(&found.owner.id).unwrap_or_default();
        let mut items = members::all(tx, organization)?;
        for member in &mut items {
            member.undelivered = super::invitations::undelivered(tx, member)?;
            member.assigned = given.remove(&member.account.id).unwrap_or_default();
        }
        Ok((found, own, Members { items }))
    })
}

/// To whom an organization can assign seats: its administrator first, then its members. Its administrator, and operators.
pub fn people(portal: &Portal, caller: &Caller, organization: OrganizationId) -> Result<Vec<AccountRef>, Failure> {
    caller.id()?;
    let (caller, now) = (caller.clone(), portal.now());
    portal.db().read(move |tx| {
        let found = reached(tx, &caller, PortalAction::ReadOrganization, organization, now)?;
        let members = members::all(tx, organization)?.into_iter().map(|member| member.account);
        Ok(std::iter::once(found.owner).chain(members).collect())
    })
}

/// The organization that an account owns. That account, and operators.
pub fn of_owner(portal: &Portal, caller: &Caller, owner: AccountId) -> Result<Option<Organization>, Failure> {
    caller.id()?;
    allow(caller, PortalAction::ReadOrganization, Some(owner))?;
    let now = portal.now();
    portal.db().read(move |tx| Ok(organizations::of_owner(tx, owner, now)?))
}

/// Changes how an organization is kept. Its administrators; whether it is one without a commercial license, operators.
pub fn change(
    portal: &Portal,
    caller: &Caller,
    organization: OrganizationId,
    wish: ChangeOrganization,
) -> Result<Organization, Failure> {
    caller.id()?;
    let (caller, stamp) = (caller.clone(), portal.stamp(caller));
    portal.db().write(move |tx| {
        let found = reached(tx, &caller, PortalAction::ManagePeople, organization, stamp.now)?;
        organizations::lock(tx, organization)?;
        let mut detail = serde_json::Map::new();
        if let Some(pending_seats) = wish.pending_seats.filter(|wanted| *wanted != found.pending_seats) {
            organizations::set_pending_seats(tx, organization, pending_seats)?;
            detail.insert("pending_seats".to_owned(), json!(pending_seats));
        }
        if let Some(confirmed) = wish.confirmed {
            allow(&caller, PortalAction::ManageLicenses, None)?;
            if confirmed != found.confirmed {
                organizations::set_confirmed(tx, organization, confirmed)?;
                detail.insert("confirmed".to_owned(), json!(confirmed));
            }
        }
        if !detail.is_empty() {
            audit::insert(tx, &stamp, "organization.change", &organization.to_string(), &detail.into())?;
        }
        organizations::get(tx, organization, stamp.now)?.ok_or(Failure::NotFound)
    })
}
