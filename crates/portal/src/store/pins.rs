//! Table `pin`: seats that are kept at online servers for use without a portal, and how often each server's were changed.
//! Written by whoever has the license and the workstation locked.

use super::{id, ms, text, whole};
use leasehold_core::ids::{LicenseId, WorkstationId};
use leasehold_core::sync::Pin;
use leasehold_core::time::Ms;
use leasehold_db::{DbError, Row, Tx};
use std::collections::BTreeMap;

fn read(row: &Row<'_>) -> Result<(LicenseId, Pin), DbError> {
    let pin = Pin { seats: whole(row, 1)?, days: whole(row, 2)?, auto_renew: row.bool(3)?, until: ms(row, 4)? };
    Ok((id(row, 0)?, pin))
}

/// What is kept at a server.
pub fn of(tx: &mut Tx<'_>, workstation: WorkstationId) -> Result<BTreeMap<LicenseId, Pin>, DbError> {
    let sql = "SELECT license, seats, days, auto_renew, until_ms FROM pin WHERE workstation = ?1 ORDER BY license";
    Ok(tx.all(sql, &[text(workstation)], read)?.into_iter().collect())
}

/// Keeps seats of a license, in place of what was kept of it.
pub fn put(tx: &mut Tx<'_>, workstation: WorkstationId, license: LicenseId, pin: Pin) -> Result<(), DbError> {
    tx.exec(
        "INSERT INTO pin (workstation, license, seats, days, auto_renew, until_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (workstation, license) DO UPDATE SET seats = ?3, days = ?4, auto_renew = ?5, until_ms = ?6",
        &[
            text(workstation),
            text(license),
            pin.seats.into(),
            pin.days.into(),
            pin.auto_renew.into(),
            pin.until.0.into(),
        ],
    )?;
    Ok(())
}

/// Keeps nothing of a license any more.
pub fn remove(tx: &mut Tx<'_>, workstation: WorkstationId, license: LicenseId) -> Result<(), DbError> {
    tx.exec("DELETE FROM pin WHERE workstation = ?1 AND license = ?2", &[text(workstation), text(license)])?;
    Ok(())
}

/// Keeps nothing at a server any more.
pub fn clear(tx: &mut Tx<'_>, workstation: WorkstationId, now: Ms) -> Result<(), DbError> {
    if tx.exec("DELETE FROM pin WHERE workstation = ?1", &[text(workstation)])? > 0 {
        raise_rev(tx, workstation, now)?;
    }
    Ok(())
}

/// How often what is kept at an online server was changed.
pub fn rev_of(tx: &mut Tx<'_>, workstation: WorkstationId) -> Result<u64, DbError> {
    let sql = "SELECT pins_rev FROM sync WHERE workstation = ?1";
    Ok(tx.one(sql, &[text(workstation)], |row| whole(row, 0))?.unwrap_or(0))
}

/// It was changed once more, at `now`. The number is at least the time: a portal that was restored from a backup does not
/// give one again that it gave before.
pub fn raise_rev(tx: &mut Tx<'_>, workstation: WorkstationId, now: Ms) -> Result<(), DbError> {
    tx.exec(
        "UPDATE sync SET pins_rev = CASE WHEN pins_rev >= ?2 THEN pins_rev + 1 ELSE ?2 END WHERE workstation = ?1",
        &[text(workstation), now.0.into()],
    )?;
    Ok(())
}
