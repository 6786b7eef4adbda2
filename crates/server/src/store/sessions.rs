//! Sign-ins of the administrator. Only hashes of tokens are stored.

use leasehold_core::ids::SessionId;
use leasehold_core::time::{MINUTE_MS, Ms};
use leasehold_db::{DbError, Tx};

/// Between drawing a session's times and looking at it from another thread.
const BEGUN_AHEAD_MAX_MS: i64 = MINUTE_MS;

/// A sign-in.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// SHA-256 of its token, in hex.
    pub(crate) token_sha256: String,
    /// Names it.
    pub(crate) id: SessionId,
    /// When it began.
    pub(crate) created_at: Ms,
    /// When it ends.
    pub(crate) expires_at: Ms,
    /// Where it was made.
    pub(crate) address: String,
}

/// Adds one, and removes those that have ended.
pub(crate) fn add(tx: &mut Tx<'_>, session: &Session) -> Result<(), DbError> {
    tx.exec("DELETE FROM session WHERE expires_at_ms <= ?1", &[session.created_at.0.into()])?;
    tx.exec(
        "INSERT INTO session (token_sha256, id, created_at_ms, expires_at_ms, address) VALUES (?1, ?2, ?3, ?4, ?5)",
        &[
            (&session.token_sha256).into(),
            session.id.to_string().into(),
            session.created_at.0.into(),
            session.expires_at.0.into(),
            (&session.address).into(),
        ],
    )?;
    Ok(())
}

/// Whether there is one with a token that has not ended. One that begins later than now was begun while the server's
/// time was ahead.
pub(crate) fn is_open(tx: &mut Tx<'_>, token_sha256: &str, now: Ms) -> Result<bool, DbError> {
    let found = tx.one(
        "SELECT 1 FROM session WHERE token_sha256 = ?1 AND expires_at_ms > ?2 AND created_at_ms <= ?3",
        &[token_sha256.into(), now.0.into(), now.plus(BEGUN_AHEAD_MAX_MS).0.into()],
        |_| Ok(()),
    )?;
    Ok(found.is_some())
}

/// Ends one.
pub(crate) fn end(tx: &mut Tx<'_>, token_sha256: &str) -> Result<(), DbError> {
    tx.exec("DELETE FROM session WHERE token_sha256 = ?1", &[token_sha256.into()])?;
    Ok(())
}

/// Ends all.
pub(crate) fn end_all(tx: &mut Tx<'_>) -> Result<(), DbError> {
    tx.exec("DELETE FROM session", &[])?;
    Ok(())
}

/// Ends all but one.
pub(crate) fn end_others(tx: &mut Tx<'_>, kept_sha256: &str) -> Result<(), DbError> {
    tx.exec("DELETE FROM session WHERE token_sha256 <> ?1", &[kept_sha256.into()])?;
    Ok(())
}
