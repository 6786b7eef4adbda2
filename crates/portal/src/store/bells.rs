//! Tables `bell` and `due`: who should sync, and what of. A bell is rung in the transaction that gave the reason, after
//! everything else of it and in the order of workstations: the last lock of all. What is due of a license is written and
//! removed by whoever has it locked.

use super::{id, text, whole};
use leasehold_core::ids::{LicenseId, WorkstationId};
use leasehold_core::time::Ms;
use leasehold_db::{DbError, Tx};
use std::collections::BTreeSet;

/// Licenses of which workstations are to be told.
pub type Due = BTreeSet<(WorkstationId, LicenseId)>;

/// The bell of a workstation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Bell {
    /// How often it was rung.
    pub rung: u64,
    /// How often there was news that concerns more than single licenses.
    pub news: u64,
}

/// Rings the bell of a workstation: all of its licenses are to be looked at.
pub fn ring(tx: &mut Tx<'_>, workstation: WorkstationId, now: Ms) -> Result<(), DbError> {
    tx.exec(
        "INSERT INTO bell (workstation, rung, news, rung_at_ms) VALUES (?1, 1, 1, ?2)
         ON CONFLICT (workstation) DO UPDATE SET rung = bell.rung + 1, news = bell.news + 1, rung_at_ms = ?2",
        &[text(workstation), now.0.into()],
    )?;
    Ok(())
}

/// Rings the bells of workstations that are to be told of licenses; answers whose. Those of `noted` are told with their
/// next sync.
pub fn ring_of(tx: &mut Tx<'_>, rung: &Due, noted: &Due, now: Ms) -> Result<BTreeSet<WorkstationId>, DbError> {
    for (workstation, license) in rung.union(noted) {
        tx.exec(
            "INSERT INTO due (workstation, license) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            &[text(*workstation), text(*license)],
        )?;
    }
    let rung: BTreeSet<WorkstationId> = rung.iter().map(|(workstation, _)| *workstation).collect();
    for workstation in &rung {
        tx.exec(
            "INSERT INTO bell (workstation, rung, news, rung_at_ms) VALUES (?1, 1, 0, ?2)
             ON CONFLICT (workstation) DO UPDATE SET rung = bell.rung + 1, rung_at_ms = ?2",
            &[text(*workstation), now.0.into()],
        )?;
    }
    Ok(rung)
}

/// The bell of a workstation.
pub fn get(tx: &mut Tx<'_>, workstation: WorkstationId) -> Result<Bell, DbError> {
    let sql = "SELECT rung, news FROM bell WHERE workstation = ?1";
    let bell = |row: &leasehold_db::Row<'_>| Ok(Bell { rung: whole(row, 0)?, news: whole(row, 1)? });
    Ok(tx.one(sql, &[text(workstation)], bell)?.unwrap_or_default())
}

/// The licenses of which a workstation is to be told.
pub fn due(tx: &mut Tx<'_>, workstation: WorkstationId) -> Result<BTreeSet<LicenseId>, DbError> {
    let sql = "SELECT license FROM due WHERE workstation = ?1";
    Ok(tx.all(sql, &[text(workstation)], |row| id(row, 0))?.into_iter().collect())
}

/// A workstation is told of a license.
pub fn told(tx: &mut Tx<'_>, workstation: WorkstationId, license: LicenseId) -> Result<(), DbError> {
    tx.exec("DELETE FROM due WHERE workstation = ?1 AND license = ?2", &[text(workstation), text(license)])?;
    Ok(())
}

/// Removes what workstations that do not sync any more were to be told.
pub fn sweep(tx: &mut Tx<'_>) -> Result<u64, DbError> {
    tx.exec(
        "DELETE FROM due WHERE NOT EXISTS (
             SELECT 1 FROM workstation w WHERE w.id = due.workstation AND w.mode = 'online' AND w.status = 'active')",
        &[],
    )
}

/// The bells that were rung at `since` or later.
pub fn rung_since(tx: &mut Tx<'_>, since: Ms) -> Result<Vec<(WorkstationId, u64)>, DbError> {
    tx.all("SELECT workstation, rung FROM bell WHERE rung_at_ms >= ?1", &[since.0.into()], |row| {
        Ok((id(row, 0)?, whole(row, 1)?))
    })
}
