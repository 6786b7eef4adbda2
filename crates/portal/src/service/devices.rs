//! Programs without a browser that are to act for somebody: they show a code, somebody who is signed in types it in a browser
//! and allows it, and they are given a token (RFC 8628). Must not decide what a token may do: that is the scopes'.

use super::{Caller, allow, sessions};
use crate::Portal;
use crate::failure::{AccountFailure, Failure};
use crate::store::devices::{self, DeviceRow};
use crate::store::{accounts, audit, tokens};
use leasehold_core::access::{PortalAction, TokenScope};
use leasehold_core::ids::TokenId;
use leasehold_core::random::{self, Random};
use leasehold_core::text;
use leasehold_core::time::{HOUR_MS, MINUTE_MS, SECOND_MS};
use leasehold_web::session::SessionToken;
use leasehold_wire::portal::{DeviceCode, DeviceRequest, DeviceToken, Role, WaitingDevice};
use leasehold_wire::time::Time;
use serde_json::json;
use std::net::IpAddr;

/// A code is good for so long.
const CODE_MS: i64 = 10 * MINUTE_MS;
/// So many seconds between two questions of a program, at first.
const INTERVAL_S: u32 = 5;
/// So many more each time that one asks too soon (RFC 8628, 3.5).
const SLOWER_S: u32 = 5;
/// A token that was got this way is good for so long: as long as a sign-in.
const TOKEN_MS: i64 = 12 * HOUR_MS;
/// Programs that wait at once, from one address and in all.
const WAITING_MAX: (u64, u64) = (20, 10_000);
/// Letters of a code: no vowels, so that no words come out, and none that is taken for another (RFC 8628, 6.1).
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const CODE_LETTERS: usize = 8;

/// Why a program is not given its token, in the words of RFC 8628, 3.5, and RFC 6749, 5.2.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NoToken {
    /// Nobody has decided yet.
    Pending,
    /// It asks too often: so many seconds from now on.
    SlowDown(u32),
    /// Somebody refused.
    Denied,
    /// Nobody decided in time.
    Expired,
    /// No program waits with that secret.
    Unknown,
}

/// A code as somebody typed it: letters only, in capitals.
fn letters(typed: &str) -> String {
    typed.chars().filter(char::is_ascii_alphabetic).map(|c| c.to_ascii_uppercase()).collect()
}

/// As it is shown.
fn shown(code: &str) -> String {
    match code.split_at_checked(CODE_LETTERS / 2) {
        Some((first, last)) => format!("{first}-{last}"),
        None => code.to_owned(),
    }
}

fn draw(random: &mut dyn Random) -> String {
    let mut code = String::new();
    while code.len() < CODE_LETTERS {
        // Those above the last multiple of 20 would favor some letters.
        let [byte] = random::bytes::<1>(random);
        if byte < 240 {
            code.push(char::from(LETTERS[usize::from(byte) % LETTERS.len()]));
        }
    }
    code
}

/// A program asks to act for somebody. Whoever may allow it is not known yet.
pub fn request(portal: &Portal, address: IpAddr, wish: &DeviceRequest) -> Result<DeviceCode, Failure> {
    text::name(&wish.client_id).map_err(|why| Failure::invalid("client_id", why))?;
    let mut scopes = Vec::new();
    for word in wish.scope.as_deref().unwrap_or_default().split_ascii_whitespace() {
        scopes
            .push(TokenScope::from_word(word).ok_or_else(|| Failure::invalid("scope", "names one that is not known"))?);
    }
    // Whatever a token may do, it reads.
    scopes.push(TokenScope::Read);
    scopes.sort_unstable();
    scopes.dedup();
    let now = portal.now();
    let (secret, user_code) = portal.draw(|random| (SessionToken::draw(random), draw(random)));
    let row = DeviceRow {
        device_sha256: secret.hash(),
        user_code: user_code.clone(),
        client: wish.client_id.clone(),
        scopes,
        address: address.to_string(),
        created_at: now,
        expires_at: now.plus(CODE_MS),
        interval_s: INTERVAL_S,
        polled_at: None,
        account: None,
        allowed: None,
    };
    portal.db().write(move |tx| {
        let (of_address, of_all) = devices::waiting(tx, &row.address, now)?;
        let full = of_address >= WAITING_MAX.0 || of_all >= WAITING_MAX.1;
        if full {
            return Err(Failure::from(AccountFailure::TooManyPrograms { wait_s: CODE_MS / SECOND_MS }));
        }
        match devices::insert(tx, &row)? {
            true => Ok(()),
            // One of some billions.
            false => Err(Failure::from(AccountFailure::TooManyPrograms { wait_s: 1 })),
        }
    })?;
    let verification_uri = format!("{}/device", portal.base_url());
    Ok(DeviceCode {
        device_code: secret.text(),
        verification_uri_complete: format!("{verification_uri}?code={}", shown(&user_code)),
        user_code: shown(&user_code),
        verification_uri,
        expires_in: CODE_MS / SECOND_MS,
        interval: INTERVAL_S,
    })
}

/// Under what wrong codes of somebody are counted.
fn tries_of(caller: &Caller) -> Result<String, Failure> {
    Ok(format!("device codes of {}", caller.id()?))
}

/// The program that shows a code. Only for who signed in themselves; wrong codes are counted.
pub fn look(portal: &Portal, caller: &Caller, code: &str) -> Result<WaitingDevice, Failure> {
    allow(caller, PortalAction::UseOwnAccount, None)?;
    let tries = tries_of(caller)?;
    let waits = caller.address.and_then(|address| portal.throttle().wait_s(&tries, address, portal.boottime_ms()));
    if let Some(wait_s) = waits {
        return Err(AccountFailure::TooManyCodes { wait_s }.into());
    }
    let (wanted, now) = (letters(code), portal.now());
    let found = portal.db().read(move |tx| Ok::<_, Failure>(devices::by_code(tx, &wanted, now)?))?;
    let Some(row) = found else {
        sessions::count_failure(portal, caller, &tries);
        return Err(Failure::invalid(
            "code",
            "is not one for which a program waits. Codes end after ten minutes: have the program show a new one",
        ));
    };
    Ok(WaitingDevice {
        code: shown(&row.user_code),
        client: row.client,
        scopes: row.scopes,
        address: row.address,
        asked_at: Time(row.created_at),
        expires_at: Time(row.expires_at),
    })
}

/// Allows a program what it wants, or refuses it. Only for who signed in themselves.
pub fn decide(portal: &Portal, caller: &Caller, code: &str, allowed: bool) -> Result<WaitingDevice, Failure> {
    let device = look(portal, caller, code)?;
    let account = caller.account().ok_or(Failure::SignIn)?;
    if allowed && device.scopes.contains(&TokenScope::Vendor) && account.role != Role::Operator {
        return Err(Failure::Forbidden);
    }
    let (stamp, wanted, by) = (portal.stamp(caller), letters(code), caller.session().to_owned());
    let (id, told) = (account.id, device.clone());
    portal.db().write(move |tx| {
        accounts::lock(tx, id)?;
        // Whoever set the password anew meanwhile has ended this sign-in.
        if crate::store::sessions::running(tx, &by, stamp.now)?.is_none() {
            return Err(Failure::SignIn);
        }
        if !devices::decide(tx, &wanted, (id, allowed), stamp.now)? {
            return Err(Failure::invalid("code", "was answered by somebody else at the same moment, or has ended"));
        }
        let what = if allowed { "device.allow" } else { "device.refuse" };
        let detail = json!({ "client": told.client, "scopes": told.scopes, "from": told.address });
        Ok::<_, Failure>(audit::insert(tx, &stamp, what, &id.to_string(), &detail)?)
    })?;
    Ok(device)
}

/// The program asks whether it may: its token, once.
pub fn token(portal: &Portal, address: IpAddr, device_code: &str) -> Result<Result<DeviceToken, NoToken>, Failure> {
    let Some(hash) = SessionToken::parse(device_code).map(|secret| secret.hash()) else {
        return Ok(Err(NoToken::Unknown));
    };
    let nobody = portal.stamp(&Caller::nobody(address));
    let now = nobody.now;
    let (id, secret) = portal.draw(|random| (TokenId::draw(now, random), SessionToken::draw(random)));
    let given = secret.hash();
    let given_scopes = portal.db().write(move |tx| {
        let Some(device) = devices::by_secret(tx, &hash)? else { return Ok(Err(NoToken::Unknown)) };
        if now >= device.expires_at {
            return Ok(Err(NoToken::Expired));
        }
        let (Some(account), Some(allowed)) = (device.account, device.allowed) else {
            let soon = device.polled_at.is_some_and(|at| now.since(at) < i64::from(device.interval_s) * SECOND_MS);
            let interval_s = if soon { device.interval_s.saturating_add(SLOWER_S) } else { device.interval_s };
            devices::polled(tx, &hash, interval_s, now)?;
            return Ok(Err(if soon { NoToken::SlowDown(interval_s) } else { NoToken::Pending }));
        };
        if !devices::end(tx, &hash)? {
            // It asked twice at the same moment.
            return Ok(Err(NoToken::Unknown));
        }
        if !allowed {
            return Ok(Err(NoToken::Denied));
        }
        accounts::lock(tx, account)?;
        if tokens::of_account(tx, account, now)?.len() >= super::own_account::TOKENS_MAX {
            return Ok(Err(NoToken::Denied));
        }
        let new = tokens::NewRow {
            id,
            token_sha256: given.clone(),
            account,
            name: device.client.clone(),
            scopes: device.scopes.clone(),
            created_at: now,
            expires_at: now.plus(TOKEN_MS),
        };
        tokens::insert(tx, &new)?;
        let stamp = audit::Stamp { actor: Some(account), ..nobody.clone() };
        let detail = json!({ "token": id, "name": new.name, "scopes": new.scopes, "until": Time(new.expires_at), "by_code": true });
        audit::insert(tx, &stamp, "token.create", &account.to_string(), &detail)?;
        Ok::<_, Failure>(Ok(device.scopes))
    })?;
    Ok(given_scopes.map(|scopes| DeviceToken {
        access_token: secret.text(),
        token_type: "Bearer".to_owned(),
        expires_in: TOKEN_MS / SECOND_MS,
        scope: tokens::scopes_text(&scopes),
    }))
}
