//! Table `bell`: who should sync. A bell is rung in the transaction that gave the reason, after everything else of it and
//! in the order of workstations: the last lock of all.

use super::{id, text, whole};
use leasehold_core::ids::WorkstationId;
use leasehold_core::time::Ms;
use leasehold_db::{DbError, Tx};
use std::collections::BTreeSet;

/// Rings the bells of some workstations.
pub fn ring(tx: &mut Tx<'_>, workstations: &BTreeSet<WorkstationId>, now: Ms) -> Result<(), DbError> {
    for workstation in workstations {
        tx.exec(
            "INSERT INTO bell (workstation, rung, rung_at_ms) VALUES (?1, 1, ?2)
             ON CONFLICT (workstation) DO UPDATE SET rung = bell.rung + 1, rung_at_ms = ?2",
            &[text(workstation), now.0.into()],
        )?;
    }
    Ok(())
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
