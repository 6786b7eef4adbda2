//! Signing in and out, and finding out who a token stands for.

use super::{Caller, accounts::email as normal};
use crate::Portal;
use crate::failure::Failure;
use crate::store::{accounts, audit, organizations, sessions};
use leasehold_core::text;
use leasehold_core::time::{HOUR_MS, MINUTE_MS};
use leasehold_web::session::SessionToken;
use leasehold_wire::portal::{SignIn, SignedIn};
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
    let token = portal.draw(|random| SessionToken::draw(random));
    let caller = Caller::signed_in(account.clone(), token.hash(), address);
    let stamp = portal.stamp(&caller);
    let new = sessions::NewRow {
        token_sha256: token.hash(),
        account: account.id,
        created_at: stamp.now,
        expires_at: stamp.now.plus(RUNS_MS),
        address: stamp.address.clone(),
        agent: agent.chars().filter(|c| !text::is_invisible_control(*c)).take(text::NAME_CHARS_MAX).collect(),
    };
    account.signed_in_at = Some(Time(stamp.now));
    let signed_in = SignedIn { token: token.text(), expires_at: Time(new.expires_at), account };
    portal.db().write(move |tx| {
        // It may have been changed, and every sign-in ended, while it was being verified.
        if !accounts::has_password(tx, new.account, &verified)? {
            return Err(Failure::WrongPassword);
        }
        sessions::insert(tx, &new)?;
        accounts::signed_in(tx, new.account, stamp.now)?;
        audit::insert(tx, &stamp, "session.sign_in", &new.account.to_string(), &json!({ "agent": new.agent }))?;
        Ok::<_, Failure>(())
    })?;
    Ok((token, signed_in))
}

/// Who a token stands for; somebody who is not signed in if it stands for nobody, or no longer.
pub fn caller(portal: &Portal, token: Option<&SessionToken>, address: IpAddr) -> Result<Caller, Failure> {
    let Some(hash) = token.map(SessionToken::hash) else { return Ok(Caller::nobody(address)) };
    let (wanted, now) = (hash.clone(), portal.now());
    let known = portal.db().read(move |tx| {
        let Some(session) = sessions::running(tx, &wanted, now)? else { return Ok(None) };
        let Some(account) = accounts::get(tx, session.account)? else { return Ok(None) };
        let administers = organizations::of_owner(tx, account.id)?.map(|found| found.id);
        Ok::<_, Failure>(Some((account, administers, session)))
    })?;
    let Some((account, administers, session)) = known else { return Ok(Caller::nobody(address)) };
    if now.since(session.seen_at) >= SEEN_STEP_MS {
        let used = hash.clone();
        // Nobody is kept from looking because this cannot be noted: on a full disk people want to look before all.
        if let Err(error) = portal.db().write(move |tx| Ok::<_, Failure>(sessions::seen(tx, &used, now)?)) {
            tracing::warn!(%error, "the use of a sign-in cannot be noted");
        }
    }
    Ok(Caller::signed_in(account, hash, address).of_organization(administers))
}

/// Ends the sign-in with which the caller came.
pub fn sign_out(portal: &Portal, caller: &Caller) -> Result<(), Failure> {
    let account = caller.id()?;
    let (stamp, token) = (portal.stamp(caller), caller.session().to_owned());
    portal.db().write(move |tx| {
        sessions::end(tx, &token)?;
        Ok(audit::insert(tx, &stamp, "session.sign_out", &account.to_string(), &json!({}))?)
    })
}
