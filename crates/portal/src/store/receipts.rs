//! Tables `receipt` and `write_off`: seats that came back from servers, by receipt or because the server is lost.

use super::{id, ms, rev, text, to_json, whole};
use leasehold_core::ids::{LicenseId, PassId, ReceiptId, WorkstationId};
use leasehold_core::time::Ms;
use leasehold_core::usage::Summary;
use leasehold_db::{DbError, Row, Tx, Value};

/// A receipt that is taken.
#[derive(Clone, Debug)]
pub struct NewReceipt {
    /// Its id.
    pub receipt: ReceiptId,
    /// From which workstation.
    pub workstation: WorkstationId,
    /// When.
    pub taken_at: Ms,
    /// The document that it names.
    pub rev: u64,
    /// Its number; 0 if nothing was kept.
    pub number: u64,
    /// Seats that are kept, of all licenses together.
    pub seats_kept: u32,
    /// What it says about usage.
    pub usage: Option<Summary>,
}

/// Remembers a receipt; `false` if it was taken before.
pub fn insert(tx: &mut Tx<'_>, new: &NewReceipt) -> Result<bool, DbError> {
    let usage: Value = match &new.usage {
        Some(usage) => to_json(usage)?,
        None => "".into(),
    };
    let written = tx.exec(
        "INSERT INTO receipt (id, workstation, taken_at_ms, rev, number, seats_kept, usage_summary)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
        &[
            text(new.receipt),
            text(new.workstation),
            new.taken_at.0.into(),
            rev(new.rev),
            rev(new.number),
            new.seats_kept.into(),
            usage,
        ],
    )?;
    Ok(written == 1)
}

/// When a receipt was taken.
pub fn taken(tx: &mut Tx<'_>, receipt: ReceiptId) -> Result<Option<Ms>, DbError> {
    tx.one("SELECT taken_at_ms FROM receipt WHERE id = ?1", &[text(receipt)], |row| ms(row, 0))
}

/// A receipt that kept some seats.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kept {
    /// The document that it names.
    pub rev: u64,
    /// Its number.
    pub number: u64,
    /// Seats that are kept of that document.
    pub seats_kept: u32,
    /// When it was taken.
    pub taken_at: Ms,
}

/// The newest receipt of a workstation that kept some seats.
pub fn newest_kept(tx: &mut Tx<'_>, workstation: WorkstationId) -> Result<Option<Kept>, DbError> {
    tx.one(
        "SELECT rev, number, seats_kept, taken_at_ms FROM receipt WHERE workstation = ?1 AND number > 0
         ORDER BY rev DESC, number DESC LIMIT 1",
        &[text(workstation)],
        |row| {
            Ok(Kept { rev: whole(row, 0)?, number: whole(row, 1)?, seats_kept: whole(row, 2)?, taken_at: ms(row, 3)? })
        },
    )
}

/// What the newest receipt of a workstation that tells anything says about usage.
pub fn usage(tx: &mut Tx<'_>, workstation: WorkstationId) -> Result<Option<Summary>, DbError> {
    let sql = "SELECT usage_summary FROM receipt WHERE workstation = ?1 AND usage_summary <> ''
               ORDER BY taken_at_ms DESC, rev DESC, number LIMIT 1";
    tx.one(sql, &[text(workstation)], |row| super::json(row, 0))
}

/// Seats of a server that was lost, counted as free.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WriteOff {
    /// Of which license.
    pub license: LicenseId,
    /// At which workstation.
    pub workstation: WorkstationId,
    /// How many.
    pub seats: u32,
    /// When it was decided.
    pub at: Ms,
    /// Until when they may be in use.
    pub until: Ms,
}

/// Notes a write-off.
pub fn write_off(tx: &mut Tx<'_>, new: &WriteOff) -> Result<(), DbError> {
    tx.exec(
        "INSERT INTO write_off (license, workstation, seats, at_ms, until_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
        &[text(new.license), text(new.workstation), new.seats.into(), new.at.0.into(), new.until.0.into()],
    )?;
    Ok(())
}

fn read(row: &Row<'_>) -> Result<WriteOff, DbError> {
    Ok(WriteOff {
        license: id(row, 0)?,
        workstation: id(row, 1)?,
        seats: whole(row, 2)?,
        at: ms(row, 3)?,
        until: ms(row, 4)?,
    })
}

/// What was written off at a workstation, oldest first.
pub fn written_off_at(tx: &mut Tx<'_>, workstation: WorkstationId) -> Result<Vec<WriteOff>, DbError> {
    tx.all(
        "SELECT license, workstation, seats, at_ms, until_ms FROM write_off WHERE workstation = ?1 ORDER BY at_ms, license",
        &[text(workstation)],
        read,
    )
}

/// Seats of a license that were written off after `since`: on servers, and on machines that had a pass.
pub fn written_off_since(tx: &mut Tx<'_>, license: LicenseId, since: Ms) -> Result<u32, DbError> {
    let rows = tx.all(
        "SELECT seats FROM write_off WHERE license = ?1 AND at_ms > ?2
         UNION ALL SELECT seats FROM pass_write_off WHERE license = ?1 AND at_ms > ?2",
        &[text(license), since.0.into()],
        |row| whole(row, 0),
    )?;
    Ok(rows.into_iter().fold(0, u32::saturating_add))
}

/// Of which workstation a pass was written off, for each license that was counted; empty if it was not.
pub fn pass_written_off(tx: &mut Tx<'_>, pass: PassId) -> Result<Vec<(WorkstationId, LicenseId)>, DbError> {
    tx.all("SELECT workstation, license FROM pass_write_off WHERE pass = ?1 ORDER BY license", &[text(pass)], |row| {
        Ok((id(row, 0)?, id(row, 1)?))
    })
}

/// Notes that seats of a pass are written off.
pub fn write_off_pass(
    tx: &mut Tx<'_>,
    (pass, workstation): (PassId, WorkstationId),
    (license, seats): (LicenseId, u32),
    at: Ms,
) -> Result<(), DbError> {
    tx.exec(
        "INSERT INTO pass_write_off (pass, license, workstation, seats, at_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
        &[text(pass), text(license), text(workstation), seats.into(), at.0.into()],
    )?;
    Ok(())
}
