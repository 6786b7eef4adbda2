//! An organization passes to another owner: its owner offers it, and whoever is to have it says yes. What is the owner's own
//! person's stays theirs.
//!
//! Locks: the organization, then all its licenses in the order of their ids, then its license servers.

use super::letters::Letter;
use super::licenses::changed;
use super::organizations::reached;
use super::sessions::check_own_password;
use super::{Caller, accounts as addresses, allow};
use crate::Portal;
use crate::failure::{Failure, OrganizationFailure};
use crate::store::bells::{self, Due};
use crate::store::handovers::{self, HandoverRow};
use crate::store::{accounts, audit, licenses, mails, members, organizations};
use leasehold_core::access::{MemberState, OrganizationRole, PortalAction};
use leasehold_core::ids::{AccountId, OrganizationId, WorkstationId};
use leasehold_core::license::Scope;
use leasehold_core::time::DAY_MS;
use leasehold_db::Tx;
use leasehold_wire::portal::{OfferOwnership, Organization, OwnershipOffer, OwnershipOffers};
use leasehold_wire::time::Time;
use serde_json::json;
use std::collections::BTreeSet;

/// Whoever is to have it says yes within so long, in milliseconds.
const OFFER_MS: i64 = 14 * DAY_MS;

/// The organization, if it is the caller's own.
fn owned(
    tx: &mut Tx<'_>,
    caller: &Caller,
    organization: OrganizationId,
    now: leasehold_core::time::Ms,
) -> Result<Organization, Failure> {
    let found = reached(tx, caller, PortalAction::ReadOrganization, organization, now)?;
    if Some(found.owner.id) == caller.actor().account() { Ok(found) } else { Err(Failure::Forbidden) }
}

/// Offers an organization to one of its people, in place of an offer before. Its owner, with their password.
pub fn offer(
    portal: &Portal,
    caller: &Caller,
    organization: OrganizationId,
    wish: &OfferOwnership,
) -> Result<(), Failure> {
    allow(caller, PortalAction::UseOwnAccount, None)?;
    let own = caller.account().cloned().ok_or(Failure::SignIn)?;
    let (asking, now) = (caller.clone(), portal.now());
    portal.db().read(move |tx| owned(tx, &asking, organization, now).map(drop))?;
    check_own_password(portal, caller, &own.email, &wish.password, "password")?;
    let stamp = portal.stamp(caller);
    let letter = Letter::draw(portal, stamp.now);
    let (caller, to) = (caller.clone(), wish.account);
    portal.db().write(move |tx| {
        // Locked first: whoever has just passed it on cannot offer it any more.
        organizations::lock(tx, organization)?;
        let found = owned(tx, &caller, organization, stamp.now)?;
        let member = members::get(tx, organization, to)?.filter(|member| member.state == MemberState::Active);
        let member = member.ok_or_else(|| Failure::invalid("account", "must be one of its people, who has joined"))?;
        handovers::put(tx, &HandoverRow { organization, to, expires_at: stamp.now.plus(OFFER_MS) })?;
        let names = (found.name.as_str(), own.name.as_str());
        mails::insert(tx, &letter.ownership(to, &member.account.email, names))?;
        let detail = json!({ "account": to, "email": member.account.email });
        Ok(audit::insert(tx, &stamp, "organization.offer", &organization.to_string(), &detail)?)
    })
}

/// Takes an offer back: its owner; or says no to it: whoever is to have it.
pub fn end_offer(portal: &Portal, caller: &Caller, organization: OrganizationId) -> Result<(), Failure> {
    allow(caller, PortalAction::UseOwnAccount, None)?;
    let (account, stamp) = (caller.id()?, portal.stamp(caller));
    portal.db().write(move |tx| {
        organizations::lock(tx, organization)?;
        let found = organizations::get(tx, organization, stamp.now)?.ok_or(Failure::NotFound)?;
        let offer = handovers::of(tx, organization, stamp.now)?.ok_or(Failure::NotFound)?;
        if account != found.owner.id && account != offer.to {
            return Err(Failure::NotFound);
        }
        handovers::remove(tx, organization)?;
        let detail = json!({ "account": offer.to });
        Ok(audit::insert(tx, &stamp, "organization.offer_end", &organization.to_string(), &detail)?)
    })
}

/// To whom an organization is offered, if to anybody. Its owner.
pub fn offered(portal: &Portal, caller: &Caller, organization: OrganizationId) -> Result<Option<AccountId>, Failure> {
    caller.id()?;
    let (caller, now) = (caller.clone(), portal.now());
    portal.db().read(move |tx| {
        owned(tx, &caller, organization, now)?;
        Ok(handovers::of(tx, organization, now)?.map(|offer| offer.to))
    })
}

/// What is offered to whoever is signed in.
pub fn mine(portal: &Portal, caller: &Caller) -> Result<OwnershipOffers, Failure> {
    allow(caller, PortalAction::ReadOwnAccount, None)?;
    let (account, now) = (caller.id()?, portal.now());
    portal.db().read(move |tx| {
        let mut items = Vec::new();
        for offer in handovers::to(tx, account, now)? {
            let Some(found) = organizations::get(tx, offer.organization, now)? else { continue };
            items.push(OwnershipOffer { organization: found, ends_at: Time(offer.expires_at) });
        }
        Ok(OwnershipOffers { items })
    })
}

/// Says yes: the organization is the caller's from now on, and whose it was is an administrator of it.
pub fn accept(portal: &Portal, caller: &Caller, organization: OrganizationId) -> Result<(), Failure> {
    allow(caller, PortalAction::UseOwnAccount, None)?;
    let (account, stamp) = (caller.id()?, portal.stamp(caller));
    let letter = Letter::draw(portal, stamp.now);
    let rung = portal.db().write(move |tx| {
        organizations::lock(tx, organization)?;
        let offer = handovers::of(tx, organization, stamp.now)?.filter(|offer| offer.to == account);
        offer.ok_or(Failure::NotFound)?;
        if members::state_of(tx, organization, account)? != Some(MemberState::Active) {
            return Err(Failure::NotFound);
        }
        pass(tx, organization, account, &letter, &stamp)
    })?;
    portal.bells().ring(&rung);
    Ok(())
}

/// Makes the account of an address the owner of the organization of another, without asking either: for whoever has the data
/// folder in hand, on the command line, where an owner is gone.
pub fn pass_on(portal: &Portal, from: &str, to: &str) -> Result<Organization, Failure> {
    let (from, to) = (addresses::email(from)?, addresses::email(to)?);
    let stamp = portal.stamp(&Caller::command_line());
    let letter = Letter::draw(portal, stamp.now);
    let now = stamp.now;
    let (passed, rung) = portal.db().write(move |tx| {
        let known = |tx: &mut Tx<'_>, email: &str, field: &'static str| {
            let missing = || Failure::invalid(field, "is not the address of an account here");
            accounts::by_email(tx, email)?.ok_or_else(missing)
        };
        let (from, to) = (known(tx, &from, "from")?, known(tx, &to, "to")?);
        let found = organizations::id_of(tx, from.id)?;
        let organization = found.ok_or_else(|| Failure::invalid("from", "owns no organization"))?;
        organizations::lock(tx, organization)?;
        let rung = pass(tx, organization, to.id, &letter, &stamp)?;
        Ok::<_, Failure>((organizations::get(tx, organization, now)?.ok_or(Failure::NotFound)?, rung))
    })?;
    portal.bells().ring(&rung);
    Ok(passed)
}

/// Passes a locked organization.
fn pass(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    to: AccountId,
    letter: &Letter,
    stamp: &audit::Stamp,
) -> Result<BTreeSet<WorkstationId>, Failure> {
    let found = organizations::get(tx, organization, stamp.now)?.ok_or(Failure::NotFound)?;
    let from = found.owner;
    let new = accounts::get(tx, to)?.ok_or(Failure::NotFound)?;
    if organizations::id_of(tx, to)?.is_some() {
        return Err(OrganizationFailure::OwnsOne { email: new.email }.into());
    }
    let all = licenses::ids_for(tx, from.id, Scope::Organization)?;
    for license in &all {
        licenses::lock(tx, *license)?;
    }
    handovers::pass(tx, organization, (from.id, to))?;
    handovers::remove(tx, organization)?;
    members::remove(tx, organization, to)?;
    members::add(tx, organization, from.id, (OrganizationRole::Administrator, MemberState::Active), stamp.now)?;
    let detail = json!({ "from": from.id, "from_email": from.email, "to": to, "to_email": new.email });
    audit::insert(tx, stamp, "organization.pass", &organization.to_string(), &detail)?;
    mails::insert(tx, &letter.passed(from.id, &from.email, (&found.name, &new.name)))?;
    let mut due = Due::new();
    for license in all {
        due.extend(changed(tx, license, &[from.id, to], stamp.now)?.1);
    }
    Ok(bells::ring_of(tx, &due, &Due::new(), stamp.now)?)
}
