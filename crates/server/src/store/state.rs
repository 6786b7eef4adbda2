//! The one row that says in which mode the server is, and the receipts of keys that it gave up.

use leasehold_core::ids::RequestId;
use leasehold_core::time::Ms;
use leasehold_db::{DbError, Tx};

/// The server's mode.
#[derive(Clone, Debug)]
pub(crate) struct State {
    /// The engine's now at the last commit; `None` before the first.
    pub(crate) mark: Option<Ms>,
    /// The server is being disabled.
    pub(crate) draining: bool,
    /// The administrator's choice; `None` leaves it to the configuration.
    pub(crate) usage_open: Option<bool>,
    /// Argon2id, PHC form; `None` until setup.
    pub(crate) password_hash: Option<String>,
    /// The newest activation request, and when it was made.
    pub(crate) asked: Option<(RequestId, Ms)>,
    /// Since when the server has been on another machine than its document was issued to.
    pub(crate) moved_since: Option<Ms>,
    /// The newest start remembers the keys of leases that ended after the first until the second.
    pub(crate) keys_kept: Option<(Ms, Ms)>,
}

/// Reads it.
pub(crate) fn load(tx: &mut Tx<'_>) -> Result<State, DbError> {
    let sql = "SELECT mark_ms, draining, usage_open, password_hash, request, asked_at_ms, moved_since_ms,
                      keys_since_ms, keys_until_ms
               FROM state WHERE id = 1";
    let state = tx.one(sql, &[], |row| {
        let request = row.opt_text(4)?.map(|id| id.parse().map_err(|_| super::damaged("request id"))).transpose()?;
        Ok(State {
            mark: row.opt_int(0)?.map(Ms),
            draining: row.bool(1)?,
            usage_open: row.opt_int(2)?.map(|open| open != 0),
            password_hash: row.opt_text(3)?,
            asked: request.zip(row.opt_int(5)?.map(Ms)),
            moved_since: row.opt_int(6)?.map(Ms),
            keys_kept: row.opt_int(7)?.map(Ms).zip(row.opt_int(8)?.map(Ms)),
        })
    })?;
    state.ok_or(super::damaged("state without its row"))
}

pub(super) fn set_mark(tx: &mut Tx<'_>, now: Ms) -> Result<(), DbError> {
    tx.exec("UPDATE state SET mark_ms = ?1 WHERE id = 1", &[now.0.into()])?;
    Ok(())
}

pub(super) fn set_asked(tx: &mut Tx<'_>, request: RequestId, at: Ms) -> Result<(), DbError> {
    let values = [request.to_string().into(), at.0.into()];
    tx.exec("UPDATE state SET request = ?1, asked_at_ms = ?2 WHERE id = 1", &values)?;
    Ok(())
}

pub(super) fn set_keys_kept(tx: &mut Tx<'_>, since: Ms, until: Ms) -> Result<(), DbError> {
    tx.exec("UPDATE state SET keys_since_ms = ?1, keys_until_ms = ?2 WHERE id = 1", &[since.0.into(), until.0.into()])?;
    Ok(())
}

pub(super) fn set_moved_since(tx: &mut Tx<'_>, since: Option<Ms>) -> Result<(), DbError> {
    tx.exec("UPDATE state SET moved_since_ms = ?1 WHERE id = 1", &[since.map(|since| since.0).into()])?;
    Ok(())
}

pub(super) fn set_draining(tx: &mut Tx<'_>, draining: bool) -> Result<(), DbError> {
    tx.exec("UPDATE state SET draining = ?1 WHERE id = 1", &[draining.into()])?;
    Ok(())
}

/// Everybody may see who uses what, or not.
pub(crate) fn set_usage_open(tx: &mut Tx<'_>, open: bool) -> Result<(), DbError> {
    tx.exec("UPDATE state SET usage_open = ?1 WHERE id = 1", &[open.into()])?;
    Ok(())
}

/// Sets the administrator's password, unless there is one: then nothing changes and the answer is `false`.
pub(crate) fn set_first_password(tx: &mut Tx<'_>, hash: &str) -> Result<bool, DbError> {
    let set = tx.exec("UPDATE state SET password_hash = ?1 WHERE id = 1 AND password_hash IS NULL", &[hash.into()])?;
    Ok(set == 1)
}

/// Replaces the administrator's password.
pub(crate) fn set_password(tx: &mut Tx<'_>, hash: &str) -> Result<(), DbError> {
    tx.exec("UPDATE state SET password_hash = ?1 WHERE id = 1", &[hash.into()])?;
    Ok(())
}

/// Forgets the administrator's password: it is set anew with a setup secret.
pub(crate) fn clear_password(tx: &mut Tx<'_>) -> Result<(), DbError> {
    tx.exec("UPDATE state SET password_hash = NULL WHERE id = 1", &[])?;
    Ok(())
}

pub(super) fn add_receipt(tx: &mut Tx<'_>, file: &str, now: Ms) -> Result<(), DbError> {
    tx.exec("INSERT INTO receipt (made_at_ms, file) VALUES (?1, ?2)", &[now.0.into(), file.into()])?;
    Ok(())
}

/// Every receipt file: who signed one is a key that has ended.
pub(crate) fn receipts(tx: &mut Tx<'_>) -> Result<Vec<String>, DbError> {
    tx.all("SELECT file FROM receipt ORDER BY id", &[], |row| row.text(0))
}

/// The newest receipt file.
pub(crate) fn newest_receipt(tx: &mut Tx<'_>) -> Result<Option<String>, DbError> {
    tx.one("SELECT file FROM receipt ORDER BY id DESC LIMIT 1", &[], |row| row.text(0))
}
