//! Invitations: somebody is asked into an organization by a letter, and joins by its link or at the portal.
//!
//! Whether an address has an account is told to nobody but its reader: whoever is invited is in the organization at once, by
//! the address alone and without its seats in use, with an account or without (decision 27).

use super::letters::{INVITATION, INVITATION_MS, Letter};
use super::members::{check_role, seen, take_all, told};
use super::organizations::reached;
use super::sessions::NewSession;
use super::{Caller, accounts as addresses, allow};
use crate::Portal;
use crate::failure::{AccountFailure, Failure, OrganizationFailure};
use crate::passwords;
use crate::store::accounts::{self, NewRow};
use crate::store::{audit, invitations, mails, members, organizations};
use leasehold_core::access::{MemberState, OrganizationRole, PortalAction};
use leasehold_core::ids::{AccountId, OrganizationId, WorkstationId};
use leasehold_core::time::Ms;
use leasehold_core::{random, text};
use leasehold_db::{DbError, Tx};
use leasehold_web::session::SessionToken;
use leasehold_wire::portal::{Invitation, Invitations, Join, Member, NewMember, Organization, Role, SignedIn};
use serde_json::json;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// What a letter needs, drawn before the transaction.
#[derive(Clone)]
struct Draft {
    stamp: audit::Stamp,
    account: AccountId,
    token: SessionToken,
    letter: Letter,
    /// Who invites.
    by: String,
}

impl Draft {
    fn draw(portal: &Portal, caller: &Caller) -> Result<Draft, Failure> {
        let stamp = portal.stamp(caller);
        let first = portal.db().read(accounts::first_made)?.unwrap_or(stamp.now);
        let (account, token) = portal.draw(|random| {
            // An id says when it was drawn: one of now would tell that the address had no account before.
            let back_ms = random.below(u64::try_from(stamp.now.since(first)).unwrap_or(0).max(1));
            let drawn_at = stamp.now.plus(-i64::try_from(back_ms).unwrap_or(0));
            (AccountId::draw(drawn_at, random), SessionToken::draw(random))
        });
        let by = caller.account().map(|account| account.name.clone()).unwrap_or_default();
        Ok(Draft { letter: Letter::draw(portal, stamp.now), stamp, account, token, by })
    }

    /// Writes the invitation and its letter.
    fn send(&self, tx: &mut Tx<'_>, to: &Organization, account: AccountId, email: &str) -> Result<(), DbError> {
        let ends_at = self.stamp.now.plus(INVITATION_MS);
        invitations::put(tx, to.id, account, &self.token.hash(), ends_at)?;
        mails::insert(tx, &self.letter.invitation(account, email, (&to.name, &self.by), &self.token.text()))
    }
}

/// Nobody fills another's mailbox.
fn check_letters(portal: &Portal, email: &str) -> Result<(), Failure> {
    match portal.letters_asked().letter_wait_s(&format!("invite {email}"), portal.boottime_ms()) {
        Some(wait_s) => Err(AccountFailure::TooManyRequests { wait_s }.into()),
        None => Ok(()),
    }
}

/// Invites somebody to an organization; again is harmless. Its administrators; operators, for whom whoever has an account is
/// in it at once.
pub fn invite(
    portal: &Portal,
    caller: &Caller,
    organization: OrganizationId,
    wish: &NewMember,
) -> Result<Member, Failure> {
    caller.id()?;
    let email = addresses::new_email(&wish.email)?;
    let (asking, now, wanted) = (caller.clone(), portal.now(), email.clone());
    // Who may not invite is told so before anything is counted, and who is in it already gets no letter.
    let known = portal.db().read(move |tx| {
        reached(tx, &asking, PortalAction::ManagePeople, organization, now)?;
        Ok::<_, Failure>(members::has_address(tx, organization, &wanted)?)
    })?;
    // Whose letters they are answers for them.
    if !known && !caller.is_operator() {
        check_letters(portal, &email)?;
    }
    let (draft, caller, role) = (Draft::draw(portal, caller)?, caller.clone(), wish.role);
    portal.db().write(move |tx| {
        let now = draft.stamp.now;
        let found = reached(tx, &caller, PortalAction::ManagePeople, organization, now)?;
        organizations::lock(tx, organization)?;
        if email == found.owner.email {
            return Err(Failure::invalid("email", "is the owner's own, who is in the organization already"));
        }
        if let Some(role) = role {
            check_role(&caller, found.owner.id, role)?;
        }
        check_active(&caller, &found)?;
        let account = accounts::invited(tx, &email, draft.account, now)?;
        let at_once = caller.is_operator() && accounts::is_made(tx, account)?;
        let state = if at_once { MemberState::Active } else { MemberState::Invited };
        let role = role.unwrap_or(OrganizationRole::User);
        if members::add(tx, organization, account, (role, state), now)? {
            let detail = json!({ "account": account, "email": email, "role": role });
            let action = if at_once { "member.add" } else { "member.invite" };
            audit::insert(tx, &draft.stamp, action, &organization.to_string(), &detail)?;
            if !at_once {
                draft.send(tx, &found, account, &email)?;
            }
        }
        seen(tx, &found, account, now)
    })
}

/// An organization without a commercial license invites nobody new.
fn check_active(caller: &Caller, organization: &Organization) -> Result<(), Failure> {
    match organization.active || caller.is_operator() {
        true => Ok(()),
        false => Err(OrganizationFailure::Lapsed.into()),
    }
}

/// Sends the letter of an invitation again, with a new link in place of the one before. Its administrators, and operators.
pub fn resend(
    portal: &Portal,
    caller: &Caller,
    organization: OrganizationId,
    account: AccountId,
) -> Result<Member, Failure> {
    caller.id()?;
    let (known, asking) = (Draft::draw(portal, caller)?, caller.clone());
    let look = move |tx: &mut Tx<'_>, now: Ms| {
        let found = reached(tx, &asking, PortalAction::ManagePeople, organization, now)?;
        let member = members::get(tx, organization, account)?.ok_or(Failure::NotFound)?;
        match member.state {
            MemberState::Invited => check_active(&asking, &found).map(|()| (found, member.account.email)),
            _ => Err(OrganizationFailure::Joined { email: member.account.email }.into()),
        }
    };
    let (first, now) = (look.clone(), known.stamp.now);
    let (_, email) = portal.db().read(move |tx| first(tx, now))?;
    check_letters(portal, &email)?;
    let draft = known;
    portal.db().write(move |tx| {
        let (found, email) = look(tx, draft.stamp.now)?;
        organizations::lock(tx, organization)?;
        draft.send(tx, &found, account, &email)?;
        let detail = json!({ "account": account, "email": email });
        audit::insert(tx, &draft.stamp, "invitation.resend", &organization.to_string(), &detail)?;
        seen(tx, &found, account, draft.stamp.now)
    })
}

/// What a mail server said that does not take the letter of somebody who is invited.
pub(super) fn undelivered(tx: &mut Tx<'_>, member: &Member) -> Result<Option<String>, DbError> {
    match member.state {
        MemberState::Invited => mails::refused(tx, member.account.id, INVITATION),
        MemberState::Active | MemberState::Suspended => Ok(None),
    }
}

/// The invitation of a link. Whoever has the letter.
pub fn look(portal: &Portal, token: &str) -> Result<Invitation, Failure> {
    let (hash, now) = (hash_of(token)?, portal.now());
    let found = portal.db().read(move |tx| Ok::<_, Failure>(invitations::find(tx, &hash, now)?))?;
    Ok(found.ok_or(AccountFailure::LinkEnded)?.1)
}

fn hash_of(token: &str) -> Result<String, Failure> {
    Ok(SessionToken::parse(token).ok_or(AccountFailure::LinkEnded)?.hash())
}

/// Makes the account of whoever was invited and had none, joins, and signs in: the link proves the address.
pub fn join(portal: &Portal, address: IpAddr, agent: &str, wish: &Join) -> Result<(SessionToken, SignedIn), Failure> {
    text::name(&wish.name).map_err(|why| Failure::invalid("name", why))?;
    passwords::check_new("password", &wish.password)?;
    let hash = hash_of(&wish.token)?;
    // Before the password is hashed: whoever has no link costs nothing.
    let invitation = look(portal, &wish.token)?;
    if invitation.has_account {
        return Err(OrganizationFailure::SignInToJoin { email: invitation.email }.into());
    }
    passwords::check_not_of("password", &wish.password, &invitation.email)?;
    let password_hash = portal.passwords().hash(&wish.password, portal.draw(|random| random::bytes(random)))?;
    let stamp = portal.stamp(&Caller::nobody(address));
    let session = NewSession::draw(portal, address, agent, stamp.now);
    let (token, made, name) = (session.token(), session.clone(), wish.name.clone());
    let (account, rung) = portal.db().write(move |tx| {
        let now = stamp.now;
        let (account, invitation) = invitations::find(tx, &hash, now)?.ok_or(AccountFailure::LinkEnded)?;
        organizations::lock(tx, invitation.organization)?;
        let new = NewRow {
            id: account,
            email: invitation.email.clone(),
            name: name.clone(),
            password_hash: password_hash.clone(),
            role: Role::Customer,
            number: accounts::next_number(tx)?,
            created_at: now,
        };
        // Somebody has made it by other means in the meantime: whoever that is signs in.
        accounts::make(tx, &new)?.ok_or(OrganizationFailure::SignInToJoin { email: invitation.email.clone() })?;
        let stamp = audit::Stamp { actor: Some(account), ..stamp.clone() };
        let detail = json!({ "email": new.email, "role": new.role.word(), "invited_by": invitation.organization });
        audit::insert(tx, &stamp, "account.create", &account.to_string(), &detail)?;
        let rung = joined(tx, &stamp.nth(1), invitation.organization, account)?;
        made.write(tx, account, &stamp.nth(2))?;
        Ok::<_, Failure>((accounts::get(tx, account)?.ok_or(Failure::NotFound)?, rung))
    })?;
    portal.bells().ring(&rung);
    Ok((token, session.signed_in(account)))
}

fn joined(
    tx: &mut Tx<'_>,
    stamp: &audit::Stamp,
    organization: OrganizationId,
    account: AccountId,
) -> Result<BTreeSet<WorkstationId>, Failure> {
    members::set_state(tx, organization, account, MemberState::Active)?;
    invitations::remove(tx, organization, account)?;
    audit::insert(tx, stamp, "member.join", &organization.to_string(), &json!({ "account": account }))?;
    told(tx, organization, account, stamp.now)
}

/// The invitations of whoever is signed in.
pub fn mine(portal: &Portal, caller: &Caller) -> Result<Invitations, Failure> {
    allow(caller, PortalAction::ReadOwnAccount, None)?;
    let (account, now) = (caller.id()?, portal.now());
    portal.db().read(move |tx| Ok(Invitations { items: invitations::of_account(tx, account, now)? }))
}

/// Joins an organization to which one is invited. Whatever one owns is no hindrance.
pub fn accept(portal: &Portal, caller: &Caller, organization: OrganizationId) -> Result<(), Failure> {
    allow(caller, PortalAction::UseOwnAccount, None)?;
    let (account, stamp) = (caller.id()?, portal.stamp(caller));
    let rung = portal.db().write(move |tx| {
        organizations::lock(tx, organization)?;
        let open = invitations::of_account(tx, account, stamp.now)?;
        open.iter().find(|one| one.organization == organization).ok_or(Failure::NotFound)?;
        joined(tx, &stamp, organization, account)
    })?;
    portal.bells().ring(&rung);
    Ok(())
}

/// Takes back what was given to people who have not come within the time of their invitation, where the organization says
/// so. Answers for how many people.
pub fn free_overdue(portal: &Portal) -> Result<usize, Failure> {
    let now = portal.now();
    let overdue = portal.db().read(move |tx| Ok::<_, Failure>(invitations::overdue(tx, now)?))?;
    for (organization, account) in &overdue {
        let (organization, account) = (*organization, *account);
        let stamp = portal.stamp(&Caller::command_line());
        let rung = portal.db().write(move |tx| {
            organizations::lock(tx, organization)?;
            // They may have come just now.
            if members::state_of(tx, organization, account)? != Some(MemberState::Invited) {
                return Ok(BTreeSet::new());
            }
            let (seats, rung) = take_all(tx, organization, account, stamp.now)?;
            if seats > 0 {
                let detail = json!({ "account": account, "seats": seats });
                audit::insert(tx, &stamp, "invitation.overdue", &organization.to_string(), &detail)?;
            }
            Ok::<_, Failure>(rung)
        })?;
        portal.bells().ring(&rung);
    }
    Ok(overdue.len())
}
