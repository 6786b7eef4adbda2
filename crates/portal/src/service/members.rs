//! People in an organization: what they may do, suspended and reinstated, removed with what was given to them, and leaving.
//!
//! Locks: the organization first, then licenses in the order of their ids, bells last.

use super::assignments::given_by;
use super::licenses::changed;
use super::organizations::reached;
use super::{Caller, allow, invitations};
use crate::Portal;
use crate::failure::Failure;
use crate::store::bells::{self, Due};
use crate::store::{accounts, assignments, audit, invitations as links, licenses, members, organizations};
use leasehold_core::access::{MemberState, OrganizationRole, PortalAction};
use leasehold_core::ids::{AccountId, OrganizationId, WorkstationId};
use leasehold_core::time::Ms;
use leasehold_db::Tx;
use leasehold_wire::portal::{ChangeMember, Member, Organization};
use serde_json::json;
use std::collections::BTreeSet;

/// One member with what was given to them. Whoever has a part in administering the organization, and operators.
pub fn get(
    portal: &Portal,
    caller: &Caller,
    organization: OrganizationId,
    account: AccountId,
) -> Result<Member, Failure> {
    caller.id()?;
    let (caller, now) = (caller.clone(), portal.now());
    portal.db().read(move |tx| {
        let found = reached(tx, &caller, PortalAction::ReadOrganization, organization, now)?;
        seen(tx, &found, account, now)
    })
}

/// One member with what was given to them.
pub(super) fn seen(tx: &mut Tx<'_>, of: &Organization, account: AccountId, now: Ms) -> Result<Member, Failure> {
    let member = members::get(tx, of.id, account)?.ok_or(Failure::NotFound)?;
    let mut given = given_by(tx, of.owner.id, now)?;
    let undelivered = invitations::undelivered(tx, &member)?;
    Ok(Member { assigned: given.remove(&account).unwrap_or_default(), undelivered, ..member })
}

/// Changes what somebody is in an organization. Its administrators, and operators.
pub fn change(
    portal: &Portal,
    caller: &Caller,
    organization: OrganizationId,
    account: AccountId,
    wish: ChangeMember,
) -> Result<Member, Failure> {
    caller.id()?;
    let (caller, stamp) = (caller.clone(), portal.stamp(caller));
    let (member, rung) = portal.db().write(move |tx| {
        let found = reached(tx, &caller, PortalAction::ManagePeople, organization, stamp.now)?;
        organizations::lock(tx, organization)?;
        if account == found.owner.id {
            return Err(Failure::invalid("role", "cannot be changed: the organization is theirs"));
        }
        let before = members::get(tx, organization, account)?.ok_or(Failure::NotFound)?;
        let mut nth = 0;
        if let Some(role) = wish.role.filter(|role| *role != before.role) {
            check_role(&caller, found.owner.id, role)?;
            members::set_role(tx, organization, account, role)?;
            let detail = json!({ "account": account, "email": before.account.email, "from": before.role, "to": role });
            audit::insert(tx, &stamp, "member.role", &organization.to_string(), &detail)?;
            nth += 1;
        }
        let state = match (wish.suspended, before.state) {
            (Some(true), MemberState::Active) => Some((MemberState::Suspended, "member.suspend")),
            (Some(true), MemberState::Invited) => {
                return Err(Failure::invalid(
                    "suspended",
                    "cannot be set before the invitation is accepted: withdraw it",
                ));
            }
            (Some(false), MemberState::Suspended) => Some((MemberState::Active, "member.reinstate")),
            _ => None,
        };
        let mut rung = BTreeSet::new();
        if let Some((state, action)) = state {
            members::set_state(tx, organization, account, state)?;
            let detail = json!({ "account": account, "email": before.account.email });
            audit::insert(tx, &stamp.nth(nth), action, &organization.to_string(), &detail)?;
            rung = told(tx, organization, account, stamp.now)?;
        }
        Ok((seen(tx, &found, account, stamp.now)?, rung))
    })?;
    portal.bells().ring(&rung);
    Ok(member)
}

/// Whether the caller may give that role in the organization of `owner`.
pub(super) fn check_role(caller: &Caller, owner: AccountId, role: OrganizationRole) -> Result<(), Failure> {
    allow(caller, PortalAction::ManageRoles, Some(owner))?;
    if role == OrganizationRole::Owner {
        return Err(Failure::invalid("role", "must be `administrator`, `license_manager`, `viewer` or `user`"));
    }
    Ok(())
}

/// What somebody can use of an organization has changed with what they are in it: their license servers are told.
pub(super) fn told(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    account: AccountId,
    now: Ms,
) -> Result<BTreeSet<WorkstationId>, Failure> {
    let mut due = Due::new();
    for license in assignments::licenses_of(tx, organization, account)? {
        licenses::lock(tx, license)?;
        due.extend(changed(tx, license, &[account], now)?.1);
    }
    Ok(bells::ring_of(tx, &due, &Due::new(), now)?)
}

/// Takes all that an organization gave to somebody back. Answers how many seats that were, and which servers are told.
pub(super) fn take_all(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    account: AccountId,
    now: Ms,
) -> Result<(u32, BTreeSet<WorkstationId>), Failure> {
    let (mut due, mut seats) = (Due::new(), 0_u32);
    for license in assignments::licenses_of(tx, organization, account)? {
        licenses::lock(tx, license)?;
        let given = assignments::of_license(tx, license)?.into_iter().filter(|row| row.account.id == account);
        seats = given.map(|row| row.target).fold(seats, u32::saturating_add);
        assignments::remove(tx, license, account)?;
        due.extend(changed(tx, license, &[account], now)?.1);
    }
    Ok((seats, bells::ring_of(tx, &due, &Due::new(), now)?))
}

/// Removes somebody from an organization, with all that it gave to them: their servers give it back. Whoever was invited and
/// has not come is not invited any more. Its administrators, and operators.
pub fn remove(
    portal: &Portal,
    caller: &Caller,
    organization: OrganizationId,
    account: AccountId,
) -> Result<(), Failure> {
    caller.id()?;
    let caller = caller.clone();
    end(portal, &caller.clone(), organization, account, move |tx, now| {
        reached(tx, &caller, PortalAction::ManagePeople, organization, now).map(drop)
    })
}

/// Leaves an organization, or says no to an invitation. What it gave goes back; what is one's own stays.
pub fn leave(portal: &Portal, caller: &Caller, organization: OrganizationId) -> Result<(), Failure> {
    allow(caller, PortalAction::UseOwnAccount, None)?;
    end(portal, caller, organization, caller.id()?, |_, _| Ok(()))
}

fn end(
    portal: &Portal,
    caller: &Caller,
    organization: OrganizationId,
    account: AccountId,
    may: impl Fn(&mut Tx<'_>, Ms) -> Result<(), Failure> + Send + 'static,
) -> Result<(), Failure> {
    let stamp = portal.stamp(caller);
    let rung = portal.db().write(move |tx| {
        may(tx, stamp.now)?;
        organizations::lock(tx, organization)?;
        let state = members::state_of(tx, organization, account)?.ok_or(Failure::NotFound)?;
        let (seats, rung) = take_all(tx, organization, account, stamp.now)?;
        links::remove(tx, organization, account)?;
        members::remove(tx, organization, account)?;
        let own = stamp.actor == Some(account);
        let action = match (state, own) {
            (MemberState::Invited, true) => "invitation.decline",
            (MemberState::Invited, false) => "invitation.withdraw",
            (_, true) => "member.leave",
            (_, false) => "member.remove",
        };
        let email = accounts::get(tx, account)?.map(|account| account.email);
        let detail = json!({ "account": account, "email": email, "seats": seats });
        audit::insert(tx, &stamp, action, &organization.to_string(), &detail)?;
        Ok::<_, Failure>(rung)
    })?;
    portal.bells().ring(&rung);
    Ok(())
}
