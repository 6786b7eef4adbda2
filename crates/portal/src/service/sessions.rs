//! Signing in and out, and finding out who a token stands for.

use super::{Caller, accounts::email as normal};
use crate::Portal;
use crate::failure::Failure;
use crate::store::{accounts, audit, organizations, sessions, tokens};
use leasehold_core::access::PortalAction;
use leasehold_core::ids::{AccountId, SessionId};
use leasehold_core::text;
use leasehold_core::time::{HOUR_MS, MINUTE_MS, Ms};
use leasehold_db::{DbError, Tx};
use leasehold_web::session::SessionToken;
use leasehold_wire::portal::{Account, SignIn, SignedIn};
use leasehold_wire::time::Time;
use serde_json::json;
use std::net::IpAddr;

/// A sign-in ends after this long, however much it is used.
const RUNS_MS: i64 = 12 * HOUR_MS;
/// How exactly "last used" is kept: not every request is worth a write.
const SEEN_STEP_MS: i64 = MINUTE_MS;

/// Refuses further tries after too many wrong passwords.
pub(super) fn slow_down(portal: &Portal, caller: &Caller, email: &str) -> Result<(), Failure> {
    let Some(address) = caller.address else { return Ok(()) };
    match portal.throttle().wait_s(email, address, portal.boottime_ms()) {
        Some(wait_s) => Err(Failure::TooManyTries { wait_s }),
        None => Ok(()),
    }
}

pub(super) fn count_failure(portal: &Portal, caller: &Caller, email: &str) {
    if let Some(address) = caller.address {
        portal.throttle().failed(email, address, portal.boottime_ms());
    }
}

/// Signs in. Somebody unknown gets the same answer as a wrong password, after the same time. `agent` is the browser's or
/// program's own name for itself.
///
/// A sign-in that is repeated makes another session: the token is not stored, so it cannot be answered twice.
pub fn sign_in(
    portal: &Portal,
    address: IpAddr,
    agent: &str,
    wish: &SignIn,
) -> Result<(SessionToken, SignedIn), Failure> {
    let nobody = Caller::nobody(address);
    // What cannot be an address belongs to nobody; the answer is the same.
    let email = normal(&wish.email).unwrap_or_default();
    slow_down(portal, &nobody, &email)?;
    let wanted = email.clone();
    let known = portal.db().read(move |tx| Ok::<_, Failure>(accounts::credentials(tx, &wanted)?))?;
    let hash = known.as_ref().map(|(_, hash)| hash.as_str());
    let right = portal.passwords().verify(&wish.password, hash)?;
    let Some((mut account, verified)) = known.filter(|_| right) else {
        count_failure(portal, &nobody, &email);
        tracing::warn!(%address, "a sign-in failed");
        return Err(Failure::WrongPassword);
    };
    portal.throttle().succeeded(&email, address);
    let new = NewSession::draw(portal, address, agent, portal.now());
    let caller = Caller::signed_in(account.clone(), new.token.hash(), address);
    let stamp = portal.stamp(&caller);
    account.signed_in_at = Some(Time(new.now));
    let (token, made, id) = (new.token(), new.clone(), account.id);
    portal.db().write(move |tx| {
        // It may have been changed, and every sign-in ended, while it was being verified.
        if !accounts::has_password(tx, id, &verified)? {
            return Err(Failure::WrongPassword);
        }
        Ok::<_, Failure>(made.write(tx, id, &stamp)?)
    })?;
    Ok((token, new.signed_in(account)))
}

/// A sign-in that is drawn before a transaction and written in it.
#[derive(Clone)]
pub(super) struct NewSession {
    id: SessionId,
    token: SessionToken,
    address: String,
    agent: String,
    now: Ms,
}

impl NewSession {
    pub(super) fn draw(portal: &Portal, address: IpAddr, agent: &str, now: Ms) -> NewSession {
        let (id, token) = portal.draw(|random| (SessionId::draw(now, random), SessionToken::draw(random)));
        let agent = agent.chars().filter(|c| !text::is_invisible_control(*c)).take(text::NAME_CHARS_MAX).collect();
        NewSession { id, token, address: address.to_string(), agent, now }
    }

    /// Its token, for the browser.
    pub(super) fn token(&self) -> SessionToken {
        self.token.clone()
    }

    pub(super) fn write(&self, tx: &mut Tx<'_>, account: AccountId, stamp: &audit::Stamp) -> Result<(), DbError> {
        let new = sessions::NewRow {
            id: self.id,
            token_sha256: self.token.hash(),
            account,
            created_at: self.now,
            expires_at: self.now.plus(RUNS_MS),
            address: self.address.clone(),
            agent: self.agent.clone(),
        };
        sessions::insert(tx, &new)?;
        accounts::signed_in(tx, account, self.now)?;
        audit::insert(tx, stamp, "session.sign_in", &account.to_string(), &json!({ "agent": self.agent }))
    }

    /// What whoever signed in is told.
    pub(super) fn signed_in(&self, account: Account) -> SignedIn {
        SignedIn { token: self.token.text(), expires_at: Time(self.now.plus(RUNS_MS)), account }
    }
}

/// Whether `password` is that of the caller's own account: asked before what a borrowed browser should not do. `field` is
/// what it is called.
pub(super) fn check_own_password(
    portal: &Portal,
    caller: &Caller,
    email: &str,
    password: &str,
    field: &'static str,
) -> Result<String, Failure> {
    slow_down(portal, caller, email)?;
    let wanted = email.to_owned();
    let known = portal.db().read(move |tx| Ok::<_, Failure>(accounts::credentials(tx, &wanted)?))?;
    let (_, hash) = known.ok_or(Failure::SignIn)?;
    if !portal.passwords().verify(password, Some(&hash))? {
        count_failure(portal, caller, email);
        return Err(Failure::invalid(field, "is not the password of this account"));
    }
    Ok(hash)
}

/// Who a token stands for; somebody who is not signed in if it stands for nobody, or no longer.
pub fn caller(portal: &Portal, token: Option<&SessionToken>, address: IpAddr) -> Result<Caller, Failure> {
    let Some(hash) = token.map(SessionToken::hash) else { return Ok(Caller::nobody(address)) };
    let (wanted, now) = (hash.clone(), portal.now());
    let known = portal.db().read(move |tx| {
        let (by, account, acts_for) = match sessions::running(tx, &wanted, now)? {
            Some(session) => (By::Session(session.seen_at), session.account, session.acts_for),
            None => match tokens::find(tx, &wanted, now)? {
                Some(token) => (By::Token(token.clone()), token.account, None),
                None => return Ok(None),
            },
        };
        let Some(account) = accounts::get(tx, account)? else { return Ok(None) };
        let standings = organizations::standings(tx, account.id)?;
        Ok::<_, Failure>(Some((account, (standings, acts_for), by)))
    })?;
    let Some((account, (standings, acts_for), by)) = known else { return Ok(Caller::nobody(address)) };
    let stale = |seen_at: Option<Ms>| seen_at.is_none_or(|seen_at| now.since(seen_at) >= SEEN_STEP_MS);
    let (noted, caller) = match by {
        By::Session(seen_at) => {
            let used = hash.clone();
            let note = || portal.db().write(move |tx| Ok::<_, Failure>(sessions::seen(tx, &used, now)?));
            (if stale(Some(seen_at)) { note() } else { Ok(()) }, Caller::signed_in(account, hash, address))
        }
        By::Token(token) => {
            let note = || portal.db().write(move |tx| Ok::<_, Failure>(tokens::used(tx, token.id, now)?));
            (if stale(token.used_at) { note() } else { Ok(()) }, Caller::by_token(account, token.scopes, address))
        }
    };
    // Nobody is kept from looking because this cannot be noted: on a full disk people want to look before all.
    if let Err(error) = noted {
        tracing::warn!(%error, "the use of a sign-in cannot be noted");
    }
    Ok(caller.in_organizations(standings, acts_for))
}

/// With what somebody came.
enum By {
    /// A sign-in, last seen then.
    Session(Ms),
    Token(tokens::TokenRow),
}

/// Ends the sign-in with which the caller came.
pub fn sign_out(portal: &Portal, caller: &Caller) -> Result<(), Failure> {
    super::allow(caller, PortalAction::UseOwnAccount, None)?;
    let account = caller.id()?;
    let (stamp, token) = (portal.stamp(caller), caller.session().to_owned());
    portal.db().write(move |tx| {
        sessions::end(tx, &token)?;
        Ok(audit::insert(tx, &stamp, "session.sign_out", &account.to_string(), &json!({}))?)
    })
}
