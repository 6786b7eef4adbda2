//! Table `idempotency`: answers to requests that must not be carried out twice.

use super::text;
use leasehold_core::ids::AccountId;
use leasehold_core::time::Ms;
use leasehold_db::{DbError, Tx};

/// A request that was carried out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answered {
    /// What was asked, hashed.
    pub request_sha256: String,
    /// What was answered: JSON.
    pub answer: String,
}

/// Takes a key; `false` if it is taken. A concurrent request with the same key waits here on PostgreSQL until the first
/// has committed, and on SQLite there is one writer, so whoever gets `false` finds the answer.
pub fn take(tx: &mut Tx<'_>, account: AccountId, key: &str, request_sha256: &str, now: Ms) -> Result<bool, DbError> {
    let written = tx.exec(
        "INSERT INTO idempotency (account, key, request_sha256, answer, at_ms) VALUES (?1, ?2, ?3, '', ?4)
         ON CONFLICT DO NOTHING",
        &[text(account), key.into(), request_sha256.into(), now.0.into()],
    )?;
    Ok(written == 1)
}

/// Keeps the answer of a key that was taken in this transaction.
pub fn answer(tx: &mut Tx<'_>, account: AccountId, key: &str, answer: &str) -> Result<(), DbError> {
    tx.exec(
        "UPDATE idempotency SET answer = ?3 WHERE account = ?1 AND key = ?2",
        &[text(account), key.into(), answer.into()],
    )?;
    Ok(())
}

/// What was answered to a key.
pub fn find(tx: &mut Tx<'_>, account: AccountId, key: &str) -> Result<Option<Answered>, DbError> {
    tx.one(
        "SELECT request_sha256, answer FROM idempotency WHERE account = ?1 AND key = ?2",
        &[text(account), key.into()],
        |row| Ok(Answered { request_sha256: row.text(0)?, answer: row.text(1)? }),
    )
}

/// Changes a row that means nothing, to see whether changes are taken.
pub fn touch(tx: &mut Tx<'_>, now: Ms) -> Result<(), DbError> {
    tx.exec(
        "INSERT INTO idempotency (account, key, request_sha256, answer, at_ms) VALUES ('', 'readiness', '', '', ?1)
         ON CONFLICT (account, key) DO UPDATE SET at_ms = ?1",
        &[now.0.into()],
    )?;
    Ok(())
}

/// Forgets keys that were taken before `before`.
pub fn sweep(tx: &mut Tx<'_>, before: Ms) -> Result<u64, DbError> {
    tx.exec("DELETE FROM idempotency WHERE at_ms < ?1", &[before.0.into()])
}
