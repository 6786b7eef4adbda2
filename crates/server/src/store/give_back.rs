//! Promises to keep fewer seats than a document holds, with the receipts that say so.

use super::damaged;
use leasehold_core::engine::GiveBack;
use leasehold_core::ids::{LicenseId, LineId};
use leasehold_core::license::FeatureCode;
use leasehold_core::time::{HOUR_MS, Ms};
use leasehold_core::usage::{FeatureSummary, Summary, hour_of};
use leasehold_db::{DbError, Row, Tx};
use std::collections::BTreeMap;

/// Usage is told for no longer than this, in hours.
const TOLD_HOURS: i64 = 400 * 24;

pub(crate) fn add(tx: &mut Tx<'_>, given: &GiveBack) -> Result<(), DbError> {
    let json = |map: Result<String, serde_json::Error>| map.map_err(|_| damaged("receipt"));
    tx.exec(
        "INSERT INTO give_back (number, workstation, document, rev, kept, lines, at_ms, file)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, NULL)",
        &[
            i64::try_from(given.number).unwrap_or(i64::MAX).into(),
            given.workstation.to_string().into(),
            (&*given.document).into(),
            i64::try_from(given.rev).unwrap_or(i64::MAX).into(),
            json(serde_json::to_string(&given.kept))?.into(),
            json(serde_json::to_string(&given.lines))?.into(),
            given.at.0.into(),
        ],
    )?;
    Ok(())
}

fn read(row: &Row<'_>) -> Result<GiveBack, DbError> {
    let whole = |value: i64| u64::try_from(value).map_err(|_| damaged("receipt"));
    Ok(GiveBack {
        number: whole(row.int(0)?)?,
        workstation: row.str(1)?.parse().map_err(|_| damaged("workstation"))?,
        document: row.str(2)?.into(),
        rev: whole(row.int(3)?)?,
        kept: serde_json::from_str::<BTreeMap<LicenseId, u32>>(row.str(4)?).map_err(|_| damaged("receipt"))?,
        lines: serde_json::from_str::<BTreeMap<LineId, u32>>(row.str(5)?).map_err(|_| damaged("receipt"))?,
        at: Ms(row.int(6)?),
    })
}

/// The newest promise.
pub(crate) fn newest(tx: &mut Tx<'_>) -> Result<Option<GiveBack>, DbError> {
    tx.one(
        "SELECT number, workstation, document, rev, kept, lines, at_ms FROM give_back ORDER BY number DESC LIMIT 1",
        &[],
        read,
    )
}

/// The receipt file of a promise, once it was made.
pub(crate) fn file(tx: &mut Tx<'_>, number: u64) -> Result<Option<String>, DbError> {
    let number = i64::try_from(number).unwrap_or(i64::MAX);
    let file = tx.one("SELECT file FROM give_back WHERE number = ?1", &[number.into()], |row| row.opt_text(0))?;
    Ok(file.flatten())
}

/// Keeps the receipt file of a promise, unless there is one: two that ask at once get the same.
pub(crate) fn set_file(tx: &mut Tx<'_>, number: u64, file: &str) -> Result<(), DbError> {
    let number = i64::try_from(number).unwrap_or(i64::MAX);
    tx.exec("UPDATE give_back SET file = ?2 WHERE number = ?1 AND file IS NULL", &[number.into(), file.into()])?;
    Ok(())
}

/// What a receipt says about usage since the server was activated as this workstation, as far as it is counted; `None` if
/// nothing is known.
pub(crate) fn summary(tx: &mut Tx<'_>, workstation: &str, now: Ms) -> Result<Option<Summary>, DbError> {
    let sql = "SELECT MIN(loaded_at_ms) FROM document WHERE workstation = ?1";
    let Some(loaded_at) = tx.one(sql, &[workstation.into()], |row| row.opt_int(0))?.flatten().map(Ms) else {
        return Ok(None);
    };
    let through = super::usage::roll(tx)?.through;
    let from = hour_of(loaded_at).max(hour_of(now) - TOLD_HOURS);
    let kept_from =
        tx.one("SELECT MIN(hour) FROM usage_hour WHERE hour >= ?1", &[from.into()], |row| row.opt_int(0))?;
    let all = tx.all(
        "SELECT feature, SUM(seat_ms), MAX(peak), SUM(checkouts), SUM(denials) FROM usage_hour
         WHERE hour >= ?1 AND feature <> '' GROUP BY feature ORDER BY SUM(seat_ms) DESC, feature",
        &[from.into()],
        |row| {
            let whole = |column| Ok::<_, DbError>(u64::try_from(row.int(column)?).unwrap_or(0));
            Ok(FeatureSummary {
                feature: FeatureCode::new(row.str(0)?).map_err(|_| damaged("feature"))?,
                seat_s: whole(1)? / 1_000,
                peak: u32::try_from(row.int(2)?).unwrap_or(u32::MAX),
                checkouts: whole(3)?,
                denials: whole(4)?,
            })
        },
    )?;
    // Older hours may have been dropped for want of room.
    let since = kept_from.flatten().map_or(now, |hour| Ms(hour * HOUR_MS));
    let since = since.max(loaded_at).floor_to_second();
    let until = through.min(now).max(since).floor_to_second();
    let summary = Summary { since, until, features: all, left_out: 0 };
    Ok(Some(summary.bounded()))
}
