//! Accounts that people make themselves, and passwords that they have forgotten. Whether an address has an account is told
//! to whoever reads its mail, and to nobody else: every answer here is the same for known and unknown ones.

use super::Caller;
use super::accounts::{email as normal, end_everything, new_email};
use super::letters::{Letter, RESET_MS, SIGN_UP_MS};
use super::sessions::{self, NewSession};
use crate::Portal;
use crate::failure::{AccountFailure, Failure};
use crate::passwords;
use crate::store::accounts::{self, NewRow};
use crate::store::links::{self, AskRow, LinkKind, LinkRow};
use crate::store::{audit, mails, state};
use leasehold_core::ids::{AccountId, MailId};
use leasehold_core::random;
use leasehold_core::text;
use leasehold_web::session::SessionToken;
use leasehold_wire::portal::{ConfirmSignUp, RequestReset, ResetPassword, Role, SignUp, SignedIn};
use serde_json::json;
use std::net::IpAddr;

/// Refuses more requests for letters from one place, and says whether this address has had enough of them: nobody fills
/// another's mailbox.
pub(super) fn may_write_to(portal: &Portal, address: IpAddr, what: &str, email: &str) -> Result<bool, Failure> {
    // Each for itself: nobody who asks for one keeps the other from its reader.
    let email = &format!("{what} {email}");
    let now_ms = portal.boottime_ms();
    if let Some(wait_s) = portal.letters_asked().wait_of_place_s(address, now_ms) {
        return Err(AccountFailure::TooManyRequests { wait_s }.into());
    }
    let enough = portal.letters_asked().wait_s(email, address, now_ms).is_some();
    portal.letters_asked().failed(email, address, now_ms);
    Ok(!enough)
}

/// Asks for an account: a letter goes to the address, and the account is made when its link is followed. Who has one is
/// reminded of it by a letter.
pub fn request(portal: &Portal, address: IpAddr, wish: &SignUp) -> Result<(), Failure> {
    if !portal.db().read(state::sign_up_open)? {
        return Err(AccountFailure::SignUpClosed.into());
    }
    let email = new_email(&wish.email)?;
    text::name(&wish.name).map_err(|why| Failure::invalid("name", why))?;
    passwords::check_new("password", &wish.password)?;
    passwords::check_not_of("password", &wish.password, &email)?;
    let fine = may_write_to(portal, address, "sign up", &email)?;
    let salt = portal.draw(|random| random::bytes(random));
    // For everybody: an address that is known takes as long.
    let password_hash = portal.passwords().hash(&wish.password, salt)?;
    let (kind, name) = (LinkKind::SignUp, wish.name.clone());
    if fine { keep(portal, address, AskRow { kind, email, name, password_hash, ..nothing(portal) }) } else { Ok(()) }
}

/// An ask without what is asked.
fn nothing(portal: &Portal) -> AskRow {
    let now = portal.now();
    AskRow {
        id: portal.draw(|random| MailId::draw(now, random)),
        kind: LinkKind::Reset,
        email: String::new(),
        name: String::new(),
        password_hash: String::new(),
        address: String::new(),
        asked_at: now,
    }
}

/// Keeps what is asked. Nobody looks yet whether there is such an account: what comes of it takes no time of the answer.
fn keep(portal: &Portal, address: IpAddr, ask: AskRow) -> Result<(), Failure> {
    let ask = AskRow { address: address.to_string(), ..ask };
    portal.db().write(move |tx| Ok(links::ask(tx, &ask)?))
}

/// Looks at the oldest ask and writes the letter; `false` if there is none.
pub fn answer_one(portal: &Portal) -> Result<bool, Failure> {
    let Some(ask) = portal.db().read(links::oldest_ask)? else { return Ok(false) };
    let token = portal.draw(|random| SessionToken::draw(random));
    let nobody = Caller::command_line();
    let stamp = audit::Stamp { address: ask.address.clone(), ..portal.stamp(&nobody) };
    let letter = Letter::draw(portal, stamp.now);
    portal.db().write(move |tx| {
        // Two processes look at the same one.
        if !links::take_ask(tx, ask.id)? {
            return Ok(());
        }
        let known = accounts::by_email(tx, &ask.email)?;
        let link = |account: Option<AccountId>, good_for_ms: i64| LinkRow {
            token_sha256: token.hash(),
            account,
            email: ask.email.clone(),
            name: ask.name.clone(),
            password_hash: ask.password_hash.clone(),
            expires_at: stamp.now.plus(good_for_ms),
        };
        let row = match (ask.kind, known) {
            (LinkKind::SignUp, Some(known)) => letter.has_account(known.id, &ask.email),
            (LinkKind::SignUp, None) => {
                links::insert(tx, LinkKind::SignUp, &link(None, SIGN_UP_MS))?;
                letter.sign_up(&ask.email, &token.text())
            }
            // What strangers type is kept nowhere.
            (LinkKind::Reset, None) => return Ok(()),
            (LinkKind::Reset, Some(known)) => {
                links::insert(tx, LinkKind::Reset, &link(Some(known.id), RESET_MS))?;
                let detail = json!({ "email": ask.email });
                audit::insert(tx, &stamp, "password.forgotten", &known.id.to_string(), &detail)?;
                letter.reset(known.id, &ask.email, &token.text())
            }
        };
        Ok::<_, Failure>(mails::insert(tx, &row)?)
    })?;
    Ok(true)
}

/// Makes the account that was asked for, and signs in with it.
pub fn confirm(
    portal: &Portal,
    address: IpAddr,
    agent: &str,
    wish: &ConfirmSignUp,
) -> Result<(SessionToken, SignedIn), Failure> {
    let hash = SessionToken::parse(&wish.token).ok_or(AccountFailure::LinkEnded)?.hash();
    let (wanted, now) = (hash.clone(), portal.now());
    let link = portal.db().read(move |tx| Ok::<_, Failure>(links::find(tx, LinkKind::SignUp, &wanted, now)?))?;
    let link = link.ok_or(AccountFailure::LinkEnded)?;
    let nobody = Caller::nobody(address);
    sessions::slow_down(portal, &nobody, &link.email)?;
    // The link proves the address; only the password proves that whoever follows it is who asked.
    if !portal.passwords().verify(&wish.password, Some(&link.password_hash))? {
        sessions::count_failure(portal, &nobody, &link.email);
        return Err(Failure::WrongPassword);
    }
    let stamp = portal.stamp(&nobody);
    let id = portal.draw(|random| AccountId::draw(stamp.now, random));
    let session = NewSession::draw(portal, address, agent, stamp.now);
    let (token, made) = (session.token(), session.clone());
    let account = portal.db().write(move |tx| {
        if !state::sign_up_open(tx)? {
            return Err(AccountFailure::SignUpClosed.into());
        }
        if !links::take(tx, &hash)? {
            return Err(AccountFailure::LinkEnded.into());
        }
        let new = NewRow {
            id,
            email: link.email.clone(),
            name: link.name.clone(),
            password_hash: link.password_hash.clone(),
            role: Role::Customer,
            number: accounts::next_number(tx)?,
            created_at: stamp.now,
        };
        // Whoever was invited has an id already.
        let id = accounts::make(tx, &new)?.ok_or(Failure::Taken { what: "email address" })?;
        let stamp = audit::Stamp { actor: Some(id), ..stamp.clone() };
        let detail = json!({ "email": new.email, "role": new.role.word(), "signed_up": true });
        audit::insert(tx, &stamp, "account.create", &id.to_string(), &detail)?;
        made.write(tx, id, &stamp.nth(1))?;
        accounts::get(tx, id)?.ok_or(Failure::NotFound)
    })?;
    Ok((token, session.signed_in(account)))
}

/// Asks for a letter with which a forgotten password can be set anew.
pub fn request_reset(portal: &Portal, address: IpAddr, wish: &RequestReset) -> Result<(), Failure> {
    let email = normal(&wish.email)?;
    let fine = may_write_to(portal, address, "reset", &email)?;
    if fine { keep(portal, address, AskRow { email, ..nothing(portal) }) } else { Ok(()) }
}

/// Sets a forgotten password anew; every sign-in and token of the account ends.
pub fn reset(portal: &Portal, address: IpAddr, wish: &ResetPassword) -> Result<(), Failure> {
    passwords::check_new("password", &wish.password)?;
    let hash = SessionToken::parse(&wish.token).ok_or(AccountFailure::LinkEnded)?.hash();
    let (wanted, now) = (hash.clone(), portal.now());
    // Before the password is hashed: whoever has no link costs nothing.
    let link = portal.db().read(move |tx| Ok::<_, Failure>(links::find(tx, LinkKind::Reset, &wanted, now)?))?;
    let link = link.ok_or(AccountFailure::LinkEnded)?;
    passwords::check_not_of("password", &wish.password, &link.email)?;
    let new = portal.passwords().hash(&wish.password, portal.draw(|random| random::bytes(random)))?;
    let mut stamp = portal.stamp(&Caller::nobody(address));
    let letter = Letter::draw(portal, stamp.now);
    let (account, email) = (link.account.ok_or(AccountFailure::LinkEnded)?, link.email.clone());
    stamp.actor = Some(account);
    portal.db().write(move |tx| {
        if !links::take(tx, &hash)? {
            return Err(AccountFailure::LinkEnded.into());
        }
        let known = accounts::get(tx, account)?.ok_or(AccountFailure::LinkEnded)?;
        if known.email != link.email {
            // The address is another since: whoever reads the old one has no part in it.
            return Err(AccountFailure::LinkEnded.into());
        }
        accounts::set_password(tx, account, &new)?;
        let ended = end_everything(tx, account, "")?;
        let detail = json!({ "sign_ins_ended": ended });
        audit::insert(tx, &stamp, "password.reset", &account.to_string(), &detail)?;
        Ok::<_, Failure>(mails::insert(tx, &letter.password_changed(account, &known.email))?)
    })?;
    portal.throttle().forgive(&email);
    Ok(())
}
