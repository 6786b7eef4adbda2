//! Sign-ins of administrators. Only hashes of tokens are stored.

use super::administrators::key;
use leasehold_core::access::AdministratorKind;
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
    /// Whose.
    pub(crate) administrator: String,
    /// When it began.
    pub(crate) created_at: Ms,
    /// When it ends.
    pub(crate) expires_at: Ms,
    /// When it was used last, to a minute or so.
    pub(crate) seen_at: Ms,
    /// Where it was made.
    pub(crate) address: String,
}

/// Whose session a token is of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Whose {
    /// The account.
    pub(crate) name: String,
    /// What it may do.
    pub(crate) kind: AdministratorKind,
    /// When it was used last.
    pub(crate) seen_at: Ms,
}

/// Adds one, and removes those that have ended.
pub(crate) fn add(tx: &mut Tx<'_>, session: &Session) -> Result<(), DbError> {
    tx.exec("DELETE FROM session WHERE expires_at_ms <= ?1", &[session.created_at.0.into()])?;
    tx.exec(
        "INSERT INTO session (token_sha256, id, administrator, created_at_ms, expires_at_ms, seen_at_ms, address)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        &[
            (&session.token_sha256).into(),
            session.id.to_string().into(),
            key(&session.administrator).into(),
            session.created_at.0.into(),
            session.expires_at.0.into(),
            session.seen_at.0.into(),
            (&session.address).into(),
        ],
    )?;
    Ok(())
}

/// Whose a token is, if its session has not ended and its account is there. One that begins later than now was begun
/// while the server's time was ahead.
pub(crate) fn whose(tx: &mut Tx<'_>, token_sha256: &str, now: Ms) -> Result<Option<Whose>, DbError> {
    tx.one(
        "SELECT a.name, a.kind, s.seen_at_ms FROM session s JOIN administrator a ON a.key = s.administrator
         WHERE s.token_sha256 = ?1 AND s.expires_at_ms > ?2 AND s.created_at_ms <= ?3",
        &[token_sha256.into(), now.0.into(), now.plus(BEGUN_AHEAD_MAX_MS).0.into()],
        |row| {
            Ok(Whose {
                name: row.text(0)?,
                kind: AdministratorKind::from_word(row.str(1)?).ok_or(super::damaged("kind of administrator"))?,
                seen_at: Ms(row.int(2)?),
            })
        },
    )
}

/// Notes that one is used.
pub(crate) fn seen(tx: &mut Tx<'_>, token_sha256: &str, now: Ms) -> Result<(), DbError> {
    tx.exec("UPDATE session SET seen_at_ms = ?2 WHERE token_sha256 = ?1", &[token_sha256.into(), now.0.into()])?;
    Ok(())
}

/// All that have not ended, the last used first.
pub(crate) fn open(tx: &mut Tx<'_>, now: Ms) -> Result<Vec<Session>, DbError> {
    tx.all(
        "SELECT s.token_sha256, s.id, a.name, s.created_at_ms, s.expires_at_ms, s.seen_at_ms, s.address
         FROM session s JOIN administrator a ON a.key = s.administrator
         WHERE s.expires_at_ms > ?1 ORDER BY s.seen_at_ms DESC, s.id",
        &[now.0.into()],
        |row| {
            Ok(Session {
                token_sha256: row.text(0)?,
                id: row.str(1)?.parse().map_err(|_| super::damaged("session"))?,
                administrator: row.text(2)?,
                created_at: Ms(row.int(3)?),
                expires_at: Ms(row.int(4)?),
                seen_at: Ms(row.int(5)?),
                address: row.text(6)?,
            })
        },
    )
}

/// Ends one by its token.
pub(crate) fn end(tx: &mut Tx<'_>, token_sha256: &str) -> Result<(), DbError> {
    tx.exec("DELETE FROM session WHERE token_sha256 = ?1", &[token_sha256.into()])?;
    Ok(())
}

/// Ends one by its id.
pub(crate) fn end_by_id(tx: &mut Tx<'_>, id: SessionId) -> Result<(), DbError> {
    tx.exec("DELETE FROM session WHERE id = ?1", &[id.to_string().into()])?;
    Ok(())
}

/// Ends all of an account but one, which may be none of them.
pub(crate) fn end_of(tx: &mut Tx<'_>, administrator: &str, kept_sha256: &str) -> Result<u64, DbError> {
    let sql = "DELETE FROM session WHERE administrator = ?1 AND token_sha256 <> ?2";
    tx.exec(sql, &[key(administrator).into(), kept_sha256.into()])
}
