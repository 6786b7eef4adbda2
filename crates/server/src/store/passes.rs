//! Passes that are over before their end: their keys get none again, and write-offs count for a year.

use super::damaged;
use leasehold_core::engine::{PassOver, is_remembered};
use leasehold_core::time::{DAY_MS, Ms};
use leasehold_core::times::TimeTable;
use leasehold_db::{DbError, Tx};

/// Longer than anything here is looked at, in milliseconds.
const KEPT_MS: i64 = 400 * DAY_MS;

pub(super) fn add_over(tx: &mut Tx<'_>, over: &PassOver) -> Result<(), DbError> {
    let written_off = serde_json::to_string(&over.written_off).map_err(|_| damaged("write-off"))?;
    let holder = over.holder.as_ref().map(serde_json::to_string).transpose().map_err(|_| damaged("holder"))?;
    tx.exec(
        "INSERT INTO pass_over (key, pass, until_ms, at_ms, written_off, holder) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (key) DO UPDATE SET holder = excluded.holder",
        &[
            (&*over.key).into(),
            over.id.to_string().into(),
            over.until.0.into(),
            over.at.0.into(),
            written_off.into(),
            holder.into(),
        ],
    )?;
    Ok(())
}

/// All that have to be known at `now`, or had to when the server was last sure of its time, in order of key.
pub(crate) fn over(tx: &mut Tx<'_>, now: Ms) -> Result<Vec<PassOver>, DbError> {
    let all =
        tx.all("SELECT key, pass, until_ms, at_ms, written_off, holder FROM pass_over ORDER BY key", &[], |row| {
            Ok(PassOver {
                key: row.str(0)?.into(),
                id: row.str(1)?.parse().map_err(|_| damaged("pass"))?,
                until: Ms(row.int(2)?),
                at: Ms(row.int(3)?),
                written_off: serde_json::from_str(row.str(4)?).map_err(|_| damaged("write-off"))?,
                holder: row.opt_str(5)?.map(serde_json::from_str).transpose().map_err(|_| damaged("holder"))?,
            })
        })?;
    Ok(all.into_iter().filter(|over| is_remembered(over, now, &TimeTable::DEFAULT)).collect())
}

pub(super) fn prune(tx: &mut Tx<'_>, now: Ms) -> Result<(), DbError> {
    tx.exec("DELETE FROM pass_over WHERE at_ms < ?1 AND until_ms < ?1", &[now.plus(-KEPT_MS).0.into()])?;
    Ok(())
}
