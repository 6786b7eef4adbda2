//! One's own account: name, address, sign-ins, and tokens for programs. Only for who signed in themselves.

use super::accounts::new_email;
use super::letters::{CHANGE_MS, Letter};
use super::{Caller, allow, sessions as signing_in, sign_up};
use crate::Portal;
use crate::failure::{AccountFailure, Failure};
use crate::store::links::{self, ChangeRow};
use crate::store::{accounts, audit, mails, sessions, tokens};
use leasehold_core::access::{PortalAction, TokenScope};
use leasehold_core::ids::{SessionId, TokenId};
use leasehold_core::text;
use leasehold_core::time::DAY_MS;
use leasehold_db::DbError;
use leasehold_web::session::SessionToken;
use leasehold_wire::portal::{
    Account, ChangeEmail, ChangeOwnAccount, ConfirmEmail, CreatedToken, EmailChange, EmailConfirmed, NewToken, Role,
    Sessions, SessionsEnded, TokenView, Tokens,
};
use leasehold_wire::time::Time;
use serde_json::json;
use std::net::IpAddr;

/// Tokens last so many days at most.
const TOKEN_DAYS_MAX: u32 = 365;
/// Tokens of an account at most.
pub(super) const TOKENS_MAX: usize = 100;

/// Changes one's own name.
pub fn rename(portal: &Portal, caller: &Caller, wish: &ChangeOwnAccount) -> Result<Account, Failure> {
    allow(caller, PortalAction::UseOwnAccount, None)?;
    let account = caller.id()?;
    text::name(&wish.name).map_err(|why| Failure::invalid("name", why))?;
    let (stamp, name) = (portal.stamp(caller), wish.name.clone());
    portal.db().write(move |tx| {
        let before = accounts::get(tx, account)?.ok_or(Failure::SignIn)?;
        if before.name == name {
            return Ok(before);
        }
        accounts::set_name(tx, account, &name)?;
        let detail = json!({ "from": before.name, "to": name });
        audit::insert(tx, &stamp, "account.rename", &account.to_string(), &detail)?;
        accounts::get(tx, account)?.ok_or(Failure::SignIn)
    })
}

/// Asks for another address: a letter goes to both, and it changes when both have confirmed. Whether somebody else has the
/// new one is told to nobody but its reader.
pub fn request_email(portal: &Portal, caller: &Caller, wish: &ChangeEmail) -> Result<EmailChange, Failure> {
    allow(caller, PortalAction::UseOwnAccount, None)?;
    let account = caller.account().cloned().ok_or(Failure::SignIn)?;
    let email = new_email(&wish.email)?;
    if email == account.email {
        return Err(Failure::invalid("email", "is the one that the account has"));
    }
    signing_in::check_own_password(portal, caller, &account.email, &wish.password, "password")?;
    // Nobody fills another's mailbox by way of an account of their own.
    let fine = match caller.address {
        Some(address) => sign_up::may_write_to(portal, address, "email", &email)?,
        None => true,
    };
    let (old, new) = portal.draw(|random| (SessionToken::draw(random), SessionToken::draw(random)));
    let stamp = portal.stamp(caller);
    let (to_old, to_new) = (Letter::draw(portal, stamp.now), Letter::draw(portal, stamp.now));
    let change = ChangeRow {
        account: account.id,
        email,
        old_sha256: old.hash(),
        new_sha256: new.hash(),
        old_confirmed: false,
        new_confirmed: false,
        expires_at: stamp.now.plus(CHANGE_MS),
    };
    let told = view(&change);
    portal.db().write(move |tx| {
        accounts::lock(tx, account.id)?;
        if accounts::get(tx, account.id)?.is_none_or(|now| now.email != account.email) {
            return Err(Failure::invalid("email", "was changed by somebody else at the same moment"));
        }
        if !fine {
            return Ok(());
        }
        links::set_change(tx, &change)?;
        mails::insert(tx, &to_old.email_old(account.id, &account.email, &change.email, &old.text()))?;
        // Whoever has it already hears that they have an account; the change then never comes about.
        let row = match accounts::by_email(tx, &change.email)? {
            Some(other) => to_new.has_account(other.id, &change.email),
            None => to_new.email_new(account.id, &change.email, &new.text()),
        };
        mails::insert(tx, &row)?;
        let detail = json!({ "from": account.email, "to": change.email });
        Ok::<_, Failure>(audit::insert(tx, &stamp, "account.email_wanted", &account.id.to_string(), &detail)?)
    })?;
    Ok(told)
}

fn view(change: &ChangeRow) -> EmailChange {
    EmailChange {
        email: change.email.clone(),
        confirmed_old: change.old_confirmed,
        confirmed_new: change.new_confirmed,
        expires_at: Time(change.expires_at),
    }
}

/// The change of address that one has asked for.
pub fn email_change(portal: &Portal, caller: &Caller) -> Result<Option<EmailChange>, Failure> {
    allow(caller, PortalAction::UseOwnAccount, None)?;
    let (account, now) = (caller.id()?, portal.now());
    portal.db().read(move |tx| Ok(links::change_of(tx, account, now)?.map(|change| view(&change))))
}

/// Takes that back.
pub fn cancel_email(portal: &Portal, caller: &Caller) -> Result<(), Failure> {
    allow(caller, PortalAction::UseOwnAccount, None)?;
    let (account, stamp) = (caller.id()?, portal.stamp(caller));
    portal.db().write(move |tx| {
        if links::end_change(tx, account)? {
            audit::insert(tx, &stamp, "account.email_not_wanted", &account.to_string(), &json!({}))?;
        }
        Ok(())
    })
}

/// Confirms a change of address from one of the two, with the password of the account: the link proves the address, the
/// password that whoever follows it is who asked. With the second one it is done, and the old address hears of it.
pub fn confirm_email(portal: &Portal, address: IpAddr, wish: &ConfirmEmail) -> Result<EmailConfirmed, Failure> {
    let hash = SessionToken::parse(&wish.token).ok_or(AccountFailure::LinkEnded)?.hash();
    let nobody = Caller::nobody(address);
    let (wanted, now) = (hash.clone(), portal.now());
    let known = portal.db().read(move |tx| {
        let Some(change) = links::change_by(tx, &wanted, now)? else { return Ok(None) };
        Ok::<_, Failure>(accounts::get(tx, change.account)?)
    })?;
    let account = known.ok_or(AccountFailure::LinkEnded)?;
    signing_in::check_own_password(portal, &nobody, &account.email, &wish.password, "password")?;
    let stamp = audit::Stamp { actor: Some(account.id), ..portal.stamp(&nobody) };
    let letter = Letter::draw(portal, stamp.now);
    let confirmed = portal.db().write(move |tx| {
        accounts::lock(tx, account.id)?;
        let change = links::confirm_change(tx, &hash, stamp.now)?.ok_or(AccountFailure::LinkEnded)?;
        let before = accounts::get(tx, change.account)?.ok_or(AccountFailure::LinkEnded)?;
        let (email, subject) = (change.email.clone(), change.account.to_string());
        let detail = json!({ "from": before.email, "to": email });
        if !(change.old_confirmed && change.new_confirmed) {
            audit::insert(tx, &stamp, "account.email_confirmed", &subject, &detail)?;
            return Ok(EmailConfirmed { changed: false, email });
        }
        links::end_change(tx, change.account)?;
        if !accounts::set_email(tx, change.account, &email)? {
            return Err(Failure::Taken { what: "email address" });
        }
        audit::insert(tx, &stamp, "account.email", &subject, &detail)?;
        mails::insert(tx, &letter.email_changed(change.account, &before.email, &email))?;
        Ok(EmailConfirmed { changed: true, email })
    });
    match confirmed {
        // Somebody made an account with it at the same moment.
        Err(Failure::Db(DbError::Conflict { .. })) => Err(Failure::Taken { what: "email address" }),
        confirmed => confirmed,
    }
}

/// One's own sign-ins.
pub fn sessions(portal: &Portal, caller: &Caller) -> Result<Sessions, Failure> {
    allow(caller, PortalAction::UseOwnAccount, None)?;
    let (account, current, now) = (caller.id()?, caller.session().to_owned(), portal.now());
    portal.db().read(move |tx| Ok(Sessions { items: sessions::of_account(tx, account, &current, now)? }))
}

/// Ends one of one's own sign-ins.
pub fn end_session(portal: &Portal, caller: &Caller, session: SessionId) -> Result<(), Failure> {
    allow(caller, PortalAction::UseOwnAccount, None)?;
    let (account, stamp) = (caller.id()?, portal.stamp(caller));
    portal.db().write(move |tx| {
        if !sessions::end_by_id(tx, account, session)? {
            return Err(Failure::NotFound);
        }
        let detail = json!({ "session": session });
        Ok(audit::insert(tx, &stamp, "session.end", &account.to_string(), &detail)?)
    })
}

/// Ends all of one's own sign-ins but the one with which this is asked.
pub fn end_other_sessions(portal: &Portal, caller: &Caller) -> Result<SessionsEnded, Failure> {
    allow(caller, PortalAction::UseOwnAccount, None)?;
    let (account, stamp, keep) = (caller.id()?, portal.stamp(caller), caller.session().to_owned());
    portal.db().write(move |tx| {
        let ended = sessions::end_others(tx, account, &keep)?;
        audit::insert(tx, &stamp, "session.end_others", &account.to_string(), &json!({ "sign_ins_ended": ended }))?;
        Ok(SessionsEnded { ended })
    })
}

/// One's own tokens.
pub fn tokens(portal: &Portal, caller: &Caller) -> Result<Tokens, Failure> {
    allow(caller, PortalAction::UseOwnAccount, None)?;
    let (account, now) = (caller.id()?, portal.now());
    portal.db().read(move |tx| Ok(Tokens { items: tokens::of_account(tx, account, now)? }))
}

/// Makes a token with which a program acts for the caller: it reads what they may read, and does what its scopes say. It
/// cannot make tokens, nor change the account.
pub fn new_token(portal: &Portal, caller: &Caller, wish: &NewToken) -> Result<CreatedToken, Failure> {
    allow(caller, PortalAction::UseOwnAccount, None)?;
    let account = caller.account().ok_or(Failure::SignIn)?;
    text::name(&wish.name).map_err(|why| Failure::invalid("name", why))?;
    if !(1..=TOKEN_DAYS_MAX).contains(&wish.days) {
        return Err(Failure::invalid("days", format!("must be 1 to {TOKEN_DAYS_MAX}")));
    }
    if wish.scopes.is_empty() {
        return Err(Failure::invalid("scopes", "must name one at least"));
    }
    if wish.scopes.contains(&TokenScope::Vendor) && account.role != Role::Operator {
        return Err(Failure::invalid("scopes", "must not hold `vendor`: this account is not an operator's"));
    }
    let mut scopes = wish.scopes.clone();
    scopes.sort_unstable();
    scopes.dedup();
    let stamp = portal.stamp(caller);
    let (id, secret) = portal.draw(|random| (TokenId::draw(stamp.now, random), SessionToken::draw(random)));
    let new = tokens::NewRow {
        id,
        token_sha256: secret.hash(),
        account: account.id,
        name: wish.name.clone(),
        scopes,
        created_at: stamp.now,
        expires_at: stamp.now.plus(i64::from(wish.days) * DAY_MS),
    };
    let (by, now) = (caller.session().to_owned(), stamp.now);
    let token = portal.db().write(move |tx| {
        // Whoever set the password anew meanwhile has ended this sign-in, and all tokens with it.
        accounts::lock(tx, new.account)?;
        if sessions::running(tx, &by, now)?.is_none() {
            return Err(Failure::SignIn);
        }
        if tokens::of_account(tx, new.account, stamp.now)?.len() >= TOKENS_MAX {
            return Err(Failure::invalid("name", format!("would be of more than {TOKENS_MAX} tokens: end some first")));
        }
        tokens::insert(tx, &new)?;
        let detail = json!({ "token": id, "name": new.name, "scopes": new.scopes, "until": Time(new.expires_at) });
        audit::insert(tx, &stamp, "token.create", &new.account.to_string(), &detail)?;
        Ok(TokenView {
            id,
            name: new.name.clone(),
            scopes: new.scopes.clone(),
            created_at: Time(new.created_at),
            expires_at: Time(new.expires_at),
            used_at: None,
        })
    })?;
    Ok(CreatedToken { secret: secret.text(), token })
}

/// Ends one of one's own tokens.
pub fn end_token(portal: &Portal, caller: &Caller, token: TokenId) -> Result<(), Failure> {
    allow(caller, PortalAction::UseOwnAccount, None)?;
    let (account, stamp) = (caller.id()?, portal.stamp(caller));
    portal.db().write(move |tx| {
        if !tokens::end(tx, account, token)? {
            return Err(Failure::NotFound);
        }
        Ok(audit::insert(tx, &stamp, "token.end", &account.to_string(), &json!({ "token": token }))?)
    })
}
