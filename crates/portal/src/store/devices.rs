//! Table `device`: programs without a browser that wait to be allowed to act for somebody (RFC 8628). Secrets are hashes.

use super::{ms, opt_id, opt_ms, text, tokens, whole};
use leasehold_core::access::TokenScope;
use leasehold_core::ids::AccountId;
use leasehold_core::time::Ms;
use leasehold_db::{DbError, Row, Tx};

/// A program that waits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeviceRow {
    /// SHA-256 of its secret, hex.
    pub device_sha256: String,
    /// What somebody types in a browser, without the hyphen.
    pub user_code: String,
    /// What it calls itself. Hostile text.
    pub client: String,
    /// What it wants to do.
    pub scopes: Vec<TokenScope>,
    /// From where it asked.
    pub address: String,
    /// When it asked.
    pub created_at: Ms,
    /// When it is too late.
    pub expires_at: Ms,
    /// Seconds between two of its questions.
    pub interval_s: u32,
    /// When it asked last whether it may.
    pub polled_at: Option<Ms>,
    /// Who decided.
    pub account: Option<AccountId>,
    /// What; absent until then.
    pub allowed: Option<bool>,
}

fn read(row: &Row<'_>) -> Result<DeviceRow, DbError> {
    Ok(DeviceRow {
        device_sha256: row.text(0)?,
        user_code: row.text(1)?,
        client: row.text(2)?,
        scopes: tokens::scopes(row, 3)?,
        address: row.text(4)?,
        created_at: ms(row, 5)?,
        expires_at: ms(row, 6)?,
        interval_s: whole(row, 7)?,
        polled_at: opt_ms(row, 8)?,
        account: opt_id(row, 9)?,
        allowed: row.opt_int(10)?.map(|allowed| allowed != 0),
    })
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT device_sha256, user_code, client, scopes, address, created_at_ms, expires_at_ms, interval_s,
                    polled_at_ms, account, allowed
             FROM device WHERE ",
            $rest
        )
    };
}

/// Writes one that asks; `false` if its code is another's.
pub fn insert(tx: &mut Tx<'_>, new: &DeviceRow) -> Result<bool, DbError> {
    let written = tx.exec(
        "INSERT INTO device (device_sha256, user_code, client, scopes, address, created_at_ms, expires_at_ms, interval_s)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (user_code) DO NOTHING",
        &[
            (&new.device_sha256).into(),
            (&new.user_code).into(),
            (&new.client).into(),
            tokens::scopes_text(&new.scopes).into(),
            (&new.address).into(),
            new.created_at.0.into(),
            new.expires_at.0.into(),
            new.interval_s.into(),
        ],
    )?;
    Ok(written == 1)
}

/// How many wait that asked from an address, and how many in all.
pub fn waiting(tx: &mut Tx<'_>, address: &str, now: Ms) -> Result<(u64, u64), DbError> {
    let sql = "SELECT COUNT(*), SUM(CASE WHEN address = ?1 THEN 1 ELSE 0 END) FROM device WHERE expires_at_ms > ?2";
    let read = |row: &Row<'_>| Ok((u64::try_from(row.opt_int(1)?.unwrap_or(0)).unwrap_or(0), whole(row, 0)?));
    Ok(tx.one(sql, &[address.into(), now.0.into()], read)?.unwrap_or_default())
}

/// The one with a code, if nobody has decided and it is not too late.
pub fn by_code(tx: &mut Tx<'_>, user_code: &str, now: Ms) -> Result<Option<DeviceRow>, DbError> {
    tx.one(
        select!("user_code = ?1 AND allowed IS NULL AND expires_at_ms > ?2"),
        &[user_code.into(), now.0.into()],
        read,
    )
}

/// The one with a secret, also if it is too late.
pub fn by_secret(tx: &mut Tx<'_>, device_sha256: &str) -> Result<Option<DeviceRow>, DbError> {
    tx.one(select!("device_sha256 = ?1"), &[device_sha256.into()], read)
}

/// Somebody decides; `false` if somebody has, or it is too late.
pub fn decide(
    tx: &mut Tx<'_>,
    user_code: &str,
    (account, allowed): (AccountId, bool),
    now: Ms,
) -> Result<bool, DbError> {
    let decided = tx.exec(
        "UPDATE device SET account = ?2, allowed = ?3 WHERE user_code = ?1 AND allowed IS NULL AND expires_at_ms > ?4",
        &[user_code.into(), text(account), allowed.into(), now.0.into()],
    )?;
    Ok(decided == 1)
}

/// It asked at `now` whether it may, and is to wait so many seconds before it asks again.
pub fn polled(tx: &mut Tx<'_>, device_sha256: &str, interval_s: u32, now: Ms) -> Result<(), DbError> {
    tx.exec(
        "UPDATE device SET polled_at_ms = ?2, interval_s = ?3 WHERE device_sha256 = ?1",
        &[device_sha256.into(), now.0.into(), interval_s.into()],
    )?;
    Ok(())
}

/// It has its answer; `false` if it had it.
pub fn end(tx: &mut Tx<'_>, device_sha256: &str) -> Result<bool, DbError> {
    Ok(tx.exec("DELETE FROM device WHERE device_sha256 = ?1", &[device_sha256.into()])? == 1)
}

/// What an account allowed is void: its password was set anew.
pub fn end_of_account(tx: &mut Tx<'_>, account: AccountId) -> Result<u64, DbError> {
    tx.exec("DELETE FROM device WHERE account = ?1", &[text(account)])
}

/// Removes what ended before `before`: until then the program is told that it is too late.
pub fn sweep(tx: &mut Tx<'_>, before: Ms) -> Result<u64, DbError> {
    tx.exec("DELETE FROM device WHERE expires_at_ms <= ?1", &[before.0.into()])
}
