//! Accounts that people make themselves, and passwords that they have forgotten. Whether an address has an account is told
//! to whoever reads its mail, and to nobody else: every answer here is the same for known and unknown ones.

use super::Caller;
use super::accounts::email as normal;
use super::letters::Letter;
use super::sessions::{self, NewSession};
use crate::Portal;
use crate::failure::{AccountFailure, Failure};
use crate::passwords;
use crate::store::accounts::{self, NewRow};
use crate::store::links::{self, LinkKind, LinkRow};
use crate::store::{audit, mails, sessions as running, state, tokens};
use leasehold_core::ids::AccountId;
use leasehold_core::random;
use leasehold_core::text;
use leasehold_core::time::{DAY_MS, HOUR_MS};
use leasehold_web::session::SessionToken;
use leasehold_wire::portal::{ConfirmSignUp, RequestReset, ResetPassword, Role, SignUp, SignedIn};
use serde_json::json;
use std::net::IpAddr;

/// The link of a sign-up is good for so long, in milliseconds.
const SIGN_UP_MS: i64 = DAY_MS;
/// The link of a forgotten password, in milliseconds.
const RESET_MS: i64 = HOUR_MS;

/// Refuses more requests for letters from one place, and says whether this address has had enough of them: nobody fills
/// another's mailbox.
fn may_write_to(portal: &Portal, address: IpAddr, email: &str) -> Result<bool, Failure> {
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
    let email = normal(&wish.email)?;
    text::name(&wish.name).map_err(|why| Failure::invalid("name", why))?;
    passwords::check_new("password", &wish.password)?;
    passwords::check_not_of("password", &wish.password, &email)?;
    let fine = may_write_to(portal, address, &email)?;
    let (salt, token) = portal.draw(|random| (random::bytes(random), SessionToken::draw(random)));
    // For everybody: an address that is known takes as long.
    let password_hash = portal.passwords().hash(&wish.password, salt)?;
    let stamp = portal.stamp(&Caller::nobody(address));
    let letter = Letter::draw(portal, stamp.now);
    let link = LinkRow {
        token_sha256: token.hash(),
        account: None,
        email,
        name: wish.name.clone(),
        password_hash,
        expires_at: stamp.now.plus(SIGN_UP_MS),
    };
    portal.db().write(move |tx| {
        if !fine {
            return Ok(state::touch(tx)?);
        }
        let row = match accounts::by_email(tx, &link.email)? {
            Some(known) => letter.has_account(known.id, &link.email),
            None => {
                links::insert(tx, LinkKind::SignUp, &link)?;
                letter.sign_up(&link.email, &token.text())
            }
        };
        mails::insert(tx, &row)?;
        Ok(())
    })
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
    let mut stamp = portal.stamp(&nobody);
    let id = portal.draw(|random| AccountId::draw(stamp.now, random));
    let session = NewSession::draw(portal, address, agent, stamp.now);
    stamp.actor = Some(id);
    let (token, made) = (session.token(), session.clone());
    let account = portal.db().write(move |tx| {
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
        if !accounts::insert(tx, &new)? {
            return Err(Failure::Taken { what: "email address" });
        }
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
    let fine = may_write_to(portal, address, &email)?;
    let token = portal.draw(|random| SessionToken::draw(random));
    let stamp = portal.stamp(&Caller::nobody(address));
    let letter = Letter::draw(portal, stamp.now);
    portal.db().write(move |tx| {
        let Some(account) = accounts::by_email(tx, &email)?.filter(|_| fine) else {
            // Somebody unknown costs a write, too: the answer takes as long. What strangers type is kept nowhere.
            return Ok(state::touch(tx)?);
        };
        let link = LinkRow {
            token_sha256: token.hash(),
            account: Some(account.id),
            email: email.clone(),
            name: String::new(),
            password_hash: String::new(),
            expires_at: stamp.now.plus(RESET_MS),
        };
        links::insert(tx, LinkKind::Reset, &link)?;
        mails::insert(tx, &letter.reset(account.id, &email, &token.text()))?;
        audit::insert(tx, &stamp, "password.forgotten", &account.id.to_string(), &json!({ "email": email }))?;
        Ok(())
    })
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
        let ended = running::end_others(tx, account, "")? + tokens::end_all(tx, account)?;
        let detail = json!({ "sign_ins_ended": ended });
        audit::insert(tx, &stamp, "password.reset", &account.to_string(), &detail)?;
        Ok::<_, Failure>(mails::insert(tx, &letter.password_changed(account, &known.email))?)
    })?;
    portal.throttle().forgive(&email);
    Ok(())
}
