//! Table `promise`: what servers promised of documents older than the one that they presented. Rows are there only while
//! one of those may still be obeyed. Written by whoever has the workstation locked.

use super::{id, rev, text, whole};
use leasehold_core::grant::Promise;
use leasehold_core::ids::{LicenseId, WorkstationId};
use leasehold_db::{DbError, Tx};
use std::collections::BTreeMap;

/// What a server promised of each license.
pub fn of(tx: &mut Tx<'_>, workstation: WorkstationId) -> Result<BTreeMap<LicenseId, Promise>, DbError> {
    let sql = "SELECT license, rev, seats, pinned FROM promise WHERE workstation = ?1";
    let rows = tx.all(sql, &[text(workstation)], |row| {
        Ok((id(row, 0)?, Promise { rev: whole(row, 1)?, seats: whole(row, 2)?, pinned: whole(row, 3)? }))
    })?;
    Ok(rows.into_iter().collect())
}

/// Writes it.
pub fn put(tx: &mut Tx<'_>, workstation: WorkstationId, license: LicenseId, new: Promise) -> Result<(), DbError> {
    tx.exec(
        "INSERT INTO promise (license, workstation, rev, seats, pinned) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (license, workstation) DO UPDATE SET rev = ?3, seats = ?4, pinned = ?5",
        &[text(license), text(workstation), rev(new.rev), new.seats.into(), new.pinned.into()],
    )?;
    Ok(())
}

/// Nothing that a server promised counts any more.
pub fn clear(tx: &mut Tx<'_>, workstation: WorkstationId) -> Result<(), DbError> {
    tx.exec("DELETE FROM promise WHERE workstation = ?1", &[text(workstation)])?;
    Ok(())
}
