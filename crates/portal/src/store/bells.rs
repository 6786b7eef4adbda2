//! Table `bell`: who should sync. A bell is rung in the transaction that gave the reason, after everything else of it and
//! in the order of workstations: the last lock of all.

use super::{id, text, whole};
use leasehold_core::ids::WorkstationId;
use leasehold_core::time::Ms;
use leasehold_db::{DbError, Tx};
use std::collections::BTreeSet;

/// Rings the bells of some workstations.
pub fn ring(tx: &mut Tx<'_>, workstations: &BTreeSet<WorkstationId>, now: Ms) -> Result<(), DbError> {
    ring_and_note(tx, workstations, &BTreeSet::new(), now)
}

/// Rings the bells of some workstations, and notes for others that there is news for them with their next sync.
pub fn ring_and_note(
    tx: &mut Tx<'_>,
    rung: &BTreeSet<WorkstationId>,
    noted: &BTreeSet<WorkstationId>,
    now: Ms,
) -> Result<(), DbError> {
    for workstation in rung.union(noted) {
        let sql = if rung.contains(workstation) {
            "INSERT INTO bell (workstation, rung, news, rung_at_ms) VALUES (?1, 1, 1, ?2)
             ON CONFLICT (workstation) DO UPDATE SET rung = bell.rung + 1, news = bell.news + 1, rung_at_ms = ?2"
        } else {
            "INSERT INTO bell (workstation, rung, news, rung_at_ms) VALUES (?1, 0, 1, ?2)
             ON CONFLICT (workstation) DO UPDATE SET news = bell.news + 1"
        };
        tx.exec(sql, &[text(*workstation), now.0.into()])?;
    }
    Ok(())
}

/// How often there was news for a workstation.
pub fn news(tx: &mut Tx<'_>, workstation: WorkstationId) -> Result<u64, DbError> {
    let sql = "SELECT news FROM bell WHERE workstation = ?1";
    Ok(tx.one(sql, &[text(workstation)], |row| whole(row, 0))?.unwrap_or(0))
}

/// How often the bell of a workstation was rung.
pub fn rung(tx: &mut Tx<'_>, workstation: WorkstationId) -> Result<u64, DbError> {
    let sql = "SELECT rung FROM bell WHERE workstation = ?1";
    Ok(tx.one(sql, &[text(workstation)], |row| whole(row, 0))?.unwrap_or(0))
}

/// The bells that were rung at `since` or later.
pub fn rung_since(tx: &mut Tx<'_>, since: Ms) -> Result<Vec<(WorkstationId, u64)>, DbError> {
    tx.all("SELECT workstation, rung FROM bell WHERE rung_at_ms >= ?1", &[since.0.into()], |row| {
        Ok((id(row, 0)?, whole(row, 1)?))
    })
}
