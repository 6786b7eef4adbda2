//! The one row that says in which mode the server is, and the receipts of keys that it gave up.

use leasehold_core::engine::ASKED_MAX;
use leasehold_core::ids::RequestId;
use leasehold_core::time::Ms;
use leasehold_core::times::TimeTable;
use leasehold_db::{DbError, Tx};

/// The server's mode.
#[derive(Clone, Debug)]
pub(crate) struct State {
    /// The engine's now at the last commit; `None` before the first.
    pub(crate) mark: Option<Ms>,
    /// The server is being disabled.
    pub(crate) draining: bool,
    /// Since when the server has been on another machine than its document was issued to.
    pub(crate) moved_since: Option<Ms>,
    /// The newest start remembers the keys of leases that ended after the first until the second.
    pub(crate) keys_kept: Option<(Ms, Ms)>,
    /// When a server first started on this folder after it was made from a backup.
    pub(crate) restored_at: Option<Ms>,
    /// No pass is freed before.
    pub(crate) passes_held_until: Option<Ms>,
    /// It was restored from a backup of then, and does not hold yet what it may have lent since.
    pub(crate) passes_unknown_since: Option<Ms>,
}

/// Reads it.
pub(crate) fn load(tx: &mut Tx<'_>) -> Result<State, DbError> {
    let sql = "SELECT mark_ms, draining, moved_since_ms, keys_since_ms, keys_until_ms, restored_at_ms,
                      passes_held_until_ms, passes_unknown_since_ms
               FROM state WHERE id = 1";
    let state = tx.one(sql, &[], |row| {
        Ok(State {
            mark: row.opt_int(0)?.map(Ms),
            draining: row.bool(1)?,
            moved_since: row.opt_int(2)?.map(Ms),
            keys_kept: row.opt_int(3)?.map(Ms).zip(row.opt_int(4)?.map(Ms)),
            restored_at: row.opt_int(5)?.map(Ms),
            passes_held_until: row.opt_int(6)?.map(Ms),
            passes_unknown_since: row.opt_int(7)?.map(Ms),
        })
    })?;
    state.ok_or(super::damaged("state without its row"))
}

pub(super) fn set_mark(tx: &mut Tx<'_>, now: Ms) -> Result<(), DbError> {
    tx.exec("UPDATE state SET mark_ms = ?1 WHERE id = 1", &[now.0.into()])?;
    Ok(())
}

/// Remembers a request, and forgets all but the newest few.
pub(super) fn add_asked(tx: &mut Tx<'_>, request: RequestId, at: Ms) -> Result<(), DbError> {
    tx.exec("INSERT INTO asked (request, asked_at_ms) VALUES (?1, ?2)", &[request.to_string().into(), at.0.into()])?;
    let kept = i64::try_from(ASKED_MAX).unwrap_or(i64::MAX);
    tx.exec(
        "DELETE FROM asked WHERE request NOT IN
         (SELECT request FROM asked ORDER BY asked_at_ms DESC, request DESC LIMIT ?1)",
        &[kept.into()],
    )?;
    Ok(())
}

/// The newest requests and when they were made, oldest first.
pub(crate) fn asked(tx: &mut Tx<'_>) -> Result<Vec<(RequestId, Ms)>, DbError> {
    tx.all("SELECT request, asked_at_ms FROM asked ORDER BY asked_at_ms, request", &[], |row| {
        Ok((row.str(0)?.parse().map_err(|_| super::damaged("request"))?, Ms(row.int(1)?)))
    })
}

/// The server's time goes back `from` a later one: what was written down from then on happened that much earlier. The
/// requests that were asked have proved what they can.
pub(super) fn set_back(tx: &mut Tx<'_>, from: Ms, to: Ms) -> Result<(), DbError> {
    let values = [from.since(to).into(), to.0.into()];
    for sql in [
        "UPDATE state SET keys_since_ms = keys_since_ms - ?1 WHERE keys_since_ms > ?2",
        // Longer is as good, and they are needed now.
        "UPDATE state SET keys_until_ms = CASE WHEN keys_until_ms - ?1 > ?2 THEN keys_until_ms - ?1 ELSE ?2 + 1 END
         WHERE keys_until_ms > ?2",
    ] {
        tx.exec(sql, &values)?;
    }
    // What ended shortly before the time went wrong may be written down as long ago below, and its key is not forgotten.
    tx.exec(
        "UPDATE state SET keys_since_ms = MIN(COALESCE(keys_since_ms, older.newest), older.newest),
                          keys_until_ms = MAX(COALESCE(keys_until_ms, 0), ?2)
         FROM (SELECT COALESCE(MAX(at_ms), 0) AS newest FROM usage_event WHERE at_ms <= ?1) AS older
         WHERE EXISTS (SELECT 1 FROM usage_event WHERE at_ms > ?1)",
        &[to.0.into(), to.plus(TimeTable::DEFAULT.key_memory_ms).0.into()],
    )?;
    for sql in [
        "UPDATE lease SET started_at_ms = started_at_ms - ?1 WHERE started_at_ms > ?2",
        "UPDATE lease SET seen_at_ms = seen_at_ms - ?1 WHERE seen_at_ms > ?2",
        "UPDATE lease SET not_again_until_ms = not_again_until_ms - ?1 WHERE not_again_until_ms > ?2",
        "UPDATE pass_over SET at_ms = at_ms - ?1 WHERE at_ms > ?2",
        "UPDATE bar SET until_ms = until_ms - ?1 WHERE until_ms > ?2",
        "UPDATE denial SET first_at_ms = first_at_ms - ?1 WHERE first_at_ms > ?2",
        "UPDATE denial SET last_at_ms = last_at_ms - ?1 WHERE last_at_ms > ?2",
        "UPDATE denial SET served_at_ms = served_at_ms - ?1 WHERE served_at_ms > ?2",
        // Not before what is older and needed no change: some of it may have happened before the time went wrong.
        "UPDATE usage_event SET at_ms = CASE WHEN at_ms - ?1 > older.newest THEN at_ms - ?1 ELSE older.newest END
         FROM (SELECT COALESCE(MAX(at_ms), 0) AS newest FROM usage_event WHERE at_ms <= ?2) AS older WHERE at_ms > ?2",
        "UPDATE document SET loaded_at_ms = loaded_at_ms - ?1 WHERE loaded_at_ms > ?2",
        "UPDATE give_back SET at_ms = at_ms - ?1 WHERE at_ms > ?2",
        "UPDATE audit SET at_ms = at_ms - ?1 WHERE at_ms > ?2",
        "UPDATE session SET created_at_ms = created_at_ms - ?1, expires_at_ms = expires_at_ms - ?1
         WHERE created_at_ms > ?2",
        "UPDATE session SET seen_at_ms = seen_at_ms - ?1 WHERE seen_at_ms > ?2",
        "UPDATE administrator SET created_at_ms = created_at_ms - ?1 WHERE created_at_ms > ?2",
        "UPDATE state SET restored_at_ms = restored_at_ms - ?1 WHERE restored_at_ms > ?2",
        "UPDATE state SET passes_unknown_since_ms = passes_unknown_since_ms - ?1 WHERE passes_unknown_since_ms > ?2",
    ] {
        tx.exec(sql, &values)?;
    }
    super::usage::set_back(tx, from, to)?;
    tx.exec("DELETE FROM asked", &[])?;
    Ok(())
}

pub(super) fn set_keys_kept(tx: &mut Tx<'_>, since: Ms, until: Ms) -> Result<(), DbError> {
    tx.exec("UPDATE state SET keys_since_ms = ?1, keys_until_ms = ?2 WHERE id = 1", &[since.0.into(), until.0.into()])?;
    Ok(())
}

pub(super) fn set_passes_held(tx: &mut Tx<'_>, until: Option<Ms>) -> Result<(), DbError> {
    tx.exec("UPDATE state SET passes_held_until_ms = ?1 WHERE id = 1", &[until.map(|until| until.0).into()])?;
    Ok(())
}

pub(super) fn set_moved_since(tx: &mut Tx<'_>, since: Option<Ms>) -> Result<(), DbError> {
    tx.exec("UPDATE state SET moved_since_ms = ?1 WHERE id = 1", &[since.map(|since| since.0).into()])?;
    Ok(())
}

/// Everything was restored from a backup; no server has started on it yet.
pub(crate) fn set_restored(tx: &mut Tx<'_>) -> Result<(), DbError> {
    // What its clock had seen is when it was made. A backup of a restored one may lack more.
    tx.exec(
        "UPDATE state SET restored_at_ms = 0,
                          passes_unknown_since_ms = COALESCE(passes_unknown_since_ms, mark_ms, 0) WHERE id = 1",
        &[],
    )?;
    Ok(())
}

pub(super) fn set_unknown_held(tx: &mut Tx<'_>) -> Result<(), DbError> {
    tx.exec("UPDATE state SET passes_unknown_since_ms = NULL WHERE id = 1", &[])?;
    Ok(())
}

/// A server starts on it: what time is to pass before it gives new leases is counted from its first start.
pub(crate) fn start_after_restore(tx: &mut Tx<'_>, now: Ms) -> Result<(), DbError> {
    tx.exec("UPDATE state SET restored_at_ms = ?1 WHERE restored_at_ms = 0", &[now.0.into()])?;
    Ok(())
}

pub(super) fn set_draining(tx: &mut Tx<'_>, draining: bool) -> Result<(), DbError> {
    tx.exec("UPDATE state SET draining = ?1 WHERE id = 1", &[draining.into()])?;
    Ok(())
}

pub(super) fn add_receipt(tx: &mut Tx<'_>, file: &str, to_bring: bool, void: bool, now: Ms) -> Result<(), DbError> {
    tx.exec(
        "INSERT INTO receipt (made_at_ms, file, to_bring, void) VALUES (?1, ?2, ?3, ?4)",
        &[now.0.into(), file.into(), to_bring.into(), void.into()],
    )?;
    Ok(())
}

/// Every receipt file: who signed one is a key that has ended.
pub(crate) fn receipts(tx: &mut Tx<'_>) -> Result<Vec<String>, DbError> {
    tx.all("SELECT file FROM receipt ORDER BY id", &[], |row| row.text(0))
}

/// The newest receipt file that is meant for the portal.
pub(crate) fn newest_receipt(tx: &mut Tx<'_>) -> Result<Option<String>, DbError> {
    tx.one("SELECT file FROM receipt WHERE void = 0 ORDER BY id DESC LIMIT 1", &[], |row| row.text(0))
}
