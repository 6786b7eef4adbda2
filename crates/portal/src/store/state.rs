//! The one row about the portal itself, and the tokens that enable license servers.

use super::{id, ms, text, word};
use leasehold_core::ids::AccountId;
use leasehold_core::license::Scope;
use leasehold_core::time::Ms;
use leasehold_db::{DbError, Tx};

/// Until when the portal gives nobody more than they have, because it was restored and learns what is out.
pub fn learning_until(tx: &mut Tx<'_>) -> Result<Ms, DbError> {
    let until = tx.one("SELECT learning_until_ms FROM portal_state WHERE id = 1", &[], |row| ms(row, 0))?;
    Ok(until.unwrap_or(Ms(0)))
}

/// Begins or prolongs that time; never shortens it.
pub fn learn_until(tx: &mut Tx<'_>, until: Ms) -> Result<(), DbError> {
    let sql = "UPDATE portal_state SET learning_until_ms = ?1 WHERE id = 1 AND learning_until_ms < ?1";
    tx.exec(sql, &[until.0.into()])?;
    Ok(())
}

/// Ends that time for everything.
pub fn stop_learning(tx: &mut Tx<'_>) -> Result<(), DbError> {
    tx.exec("UPDATE portal_state SET learning_until_ms = 0 WHERE id = 1", &[])?;
    Ok(())
}

/// Ends tokens of an account that have enabled no server yet.
pub fn end_enable_tokens(tx: &mut Tx<'_>, account: AccountId) -> Result<(), DbError> {
    tx.exec("DELETE FROM enable_token WHERE account = ?1 AND workstation IS NULL", &[text(account)])?;
    Ok(())
}

/// Whether anyone may make an account.
pub fn sign_up_open(tx: &mut Tx<'_>) -> Result<bool, DbError> {
    let open = tx.one("SELECT sign_up_open FROM portal_state WHERE id = 1", &[], |row| row.bool(0))?;
    Ok(open.unwrap_or(false))
}

/// Opens or closes that.
pub fn set_sign_up_open(tx: &mut Tx<'_>, open: bool) -> Result<(), DbError> {
    tx.exec("UPDATE portal_state SET sign_up_open = ?1 WHERE id = 1", &[open.into()])?;
    Ok(())
}

/// Keeps a token that enables one server, by its hash.
pub fn add_enable_token(
    tx: &mut Tx<'_>,
    token_sha256: &str,
    account: AccountId,
    scope: Scope,
    now: Ms,
    expires_at: Ms,
) -> Result<(), DbError> {
    tx.exec(
        "INSERT INTO enable_token (token_sha256, account, scope, created_at_ms, expires_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        &[token_sha256.into(), text(account), scope.word().into(), now.0.into(), expires_at.0.into()],
    )?;
    Ok(())
}

/// For whom a token enables a server, if it can still be used.
pub fn enable_token(tx: &mut Tx<'_>, token_sha256: &str, now: Ms) -> Result<Option<(AccountId, Scope)>, DbError> {
    tx.one(
        "SELECT account, scope FROM enable_token WHERE token_sha256 = ?1 AND expires_at_ms > ?2 AND workstation IS NULL",
        &[token_sha256.into(), now.0.into()],
        |row| Ok((id(row, 0)?, word(row, 1, Scope::from_word)?)),
    )
}

/// Uses a token up; `false` if it cannot be used.
pub fn use_enable_token(tx: &mut Tx<'_>, token_sha256: &str, workstation: &str, now: Ms) -> Result<bool, DbError> {
    let used = tx.exec(
        "UPDATE enable_token SET workstation = ?2
         WHERE token_sha256 = ?1 AND workstation IS NULL AND expires_at_ms > ?3",
        &[token_sha256.into(), workstation.into(), now.0.into()],
    )?;
    Ok(used == 1)
}

/// Removes tokens that have ended.
pub fn sweep_enable_tokens(tx: &mut Tx<'_>, now: Ms) -> Result<u64, DbError> {
    tx.exec("DELETE FROM enable_token WHERE expires_at_ms <= ?1", &[now.0.into()])
}
