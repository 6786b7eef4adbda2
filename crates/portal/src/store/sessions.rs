//! Table `session`: sign-ins, by the hash of their token.

use super::{id, ms, opt_id, text, time};
use leasehold_core::ids::{AccountId, OrganizationId, SessionId};
use leasehold_core::time::Ms;
use leasehold_db::{DbError, Tx};
use leasehold_wire::portal::SessionView;

/// A sign-in to be written.
#[derive(Clone, Debug)]
pub struct NewRow {
    /// Names it to people.
    pub id: SessionId,
    /// SHA-256 of the token, hex.
    pub token_sha256: String,
    /// Whose.
    pub account: AccountId,
    /// When.
    pub created_at: Ms,
    /// When it ends.
    pub expires_at: Ms,
    /// From where.
    pub address: String,
    /// With what program; hostile text.
    pub agent: String,
}

/// A running sign-in.
#[derive(Clone, Copy, Debug)]
pub struct SessionRow {
    /// Whose.
    pub account: AccountId,
    /// When it was last used, to the minute.
    pub seen_at: Ms,
    /// For which organization whoever is signed in acts; their own things if none.
    pub acts_for: Option<OrganizationId>,
}

/// Writes a sign-in.
pub fn insert(tx: &mut Tx<'_>, new: &NewRow) -> Result<(), DbError> {
    tx.exec(
        "INSERT INTO session (token_sha256, account, created_at_ms, seen_at_ms, expires_at_ms, address, agent, id)
         VALUES (?1, ?2, ?3, ?3, ?4, ?5, ?6, ?7)",
        &[
            (&new.token_sha256).into(),
            text(new.account),
            new.created_at.0.into(),
            new.expires_at.0.into(),
            (&new.address).into(),
            (&new.agent).into(),
            text(new.id),
        ],
    )?;
    Ok(())
}

/// The sign-in of a token, if it still runs at `now`.
pub fn running(tx: &mut Tx<'_>, token_sha256: &str, now: Ms) -> Result<Option<SessionRow>, DbError> {
    tx.one(
        "SELECT account, seen_at_ms, acts_for FROM session WHERE token_sha256 = ?1 AND expires_at_ms > ?2",
        &[token_sha256.into(), now.0.into()],
        |row| Ok(SessionRow { account: id(row, 0)?, seen_at: ms(row, 1)?, acts_for: opt_id(row, 2)? }),
    )
}

/// Whoever is signed in acts for an organization from now on; for none, for themselves.
pub fn act_for(tx: &mut Tx<'_>, token_sha256: &str, organization: Option<OrganizationId>) -> Result<(), DbError> {
    let organization = organization.map(|organization| organization.to_string());
    tx.exec("UPDATE session SET acts_for = ?2 WHERE token_sha256 = ?1", &[token_sha256.into(), organization.into()])?;
    Ok(())
}

/// Notes that a sign-in was used.
pub fn seen(tx: &mut Tx<'_>, token_sha256: &str, now: Ms) -> Result<(), DbError> {
    tx.exec("UPDATE session SET seen_at_ms = ?2 WHERE token_sha256 = ?1", &[token_sha256.into(), now.0.into()])?;
    Ok(())
}

/// Ends one sign-in.
pub fn end(tx: &mut Tx<'_>, token_sha256: &str) -> Result<(), DbError> {
    tx.exec("DELETE FROM session WHERE token_sha256 = ?1", &[token_sha256.into()])?;
    Ok(())
}

/// The sign-ins of an account that run, newest first; the one of `current_sha256` is marked.
pub fn of_account(
    tx: &mut Tx<'_>,
    account: AccountId,
    current_sha256: &str,
    now: Ms,
) -> Result<Vec<SessionView>, DbError> {
    tx.all(
        "SELECT id, created_at_ms, seen_at_ms, expires_at_ms, address, agent, token_sha256 FROM session
         WHERE account = ?1 AND expires_at_ms > ?2 ORDER BY created_at_ms DESC, id LIMIT 200",
        &[text(account), now.0.into()],
        |row| {
            Ok(SessionView {
                id: id(row, 0)?,
                created_at: time(row, 1)?,
                seen_at: time(row, 2)?,
                expires_at: time(row, 3)?,
                address: row.text(4)?,
                agent: row.text(5)?,
                current: row.str(6)? == current_sha256,
            })
        },
    )
}

/// Ends one sign-in of an account by its id; `false` if it has none such.
pub fn end_by_id(tx: &mut Tx<'_>, account: AccountId, session: SessionId) -> Result<bool, DbError> {
    let sql = "DELETE FROM session WHERE id = ?1 AND account = ?2";
    Ok(tx.exec(sql, &[text(session), text(account)])? == 1)
}

/// Ends all sign-ins of an account but one.
pub fn end_others(tx: &mut Tx<'_>, account: AccountId, keep_sha256: &str) -> Result<u64, DbError> {
    tx.exec("DELETE FROM session WHERE account = ?1 AND token_sha256 <> ?2", &[text(account), keep_sha256.into()])
}

/// Removes sign-ins that have ended.
pub fn sweep(tx: &mut Tx<'_>, now: Ms) -> Result<u64, DbError> {
    tx.exec("DELETE FROM session WHERE expires_at_ms <= ?1", &[now.0.into()])
}
