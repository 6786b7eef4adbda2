//! What is known at the portal: one row, and the peaks that are reported there.

use leasehold_core::engine::OnlineRow;
use leasehold_core::ids::LicenseId;
use leasehold_core::time::{DAY_MS, HOUR_MS, Ms};
use leasehold_db::{DbError, Tx};

/// Peaks are kept this long, in hours.
const PEAKS_KEPT_HOURS: i64 = 8 * DAY_MS / HOUR_MS;

pub(super) fn set(tx: &mut Tx<'_>, row: Option<&OnlineRow>) -> Result<(), DbError> {
    let text = row.map(serde_json::to_string).transpose().map_err(|_| super::damaged("online row"))?;
    tx.exec("UPDATE state SET online = ?1 WHERE id = 1", &[text.into()])?;
    Ok(())
}

/// The row, if the server is online.
pub(crate) fn load(tx: &mut Tx<'_>) -> Result<Option<OnlineRow>, DbError> {
    let text = tx.one("SELECT online FROM state WHERE id = 1", &[], |row| row.opt_text(0))?.flatten();
    text.map(|text| serde_json::from_str(&text)).transpose().map_err(|_| super::damaged("online row"))
}

pub(super) fn set_peak(tx: &mut Tx<'_>, license: LicenseId, hour: i64, seats: u32) -> Result<(), DbError> {
    tx.exec(
        "INSERT INTO peak (license, hour, seats) VALUES (?1, ?2, ?3)
         ON CONFLICT (license, hour) DO UPDATE SET seats = ?3",
        &[license.to_string().into(), hour.into(), seats.into()],
    )?;
    tx.exec("DELETE FROM peak WHERE hour < ?1", &[(hour - PEAKS_KEPT_HOURS).into()])?;
    Ok(())
}

/// Most seats of each license used at once in each of the last hours.
pub(crate) fn peaks(tx: &mut Tx<'_>, now: Ms) -> Result<Vec<(LicenseId, i64, u32)>, DbError> {
    let oldest = now.0.div_euclid(HOUR_MS) - PEAKS_KEPT_HOURS;
    tx.all("SELECT license, hour, seats FROM peak WHERE hour >= ?1", &[oldest.into()], |row| {
        let license = row.str(0)?.parse().map_err(|_| super::damaged("peak"))?;
        Ok((license, row.int(1)?, u32::try_from(row.int(2)?).unwrap_or(u32::MAX)))
    })
}

/// The portal's address that was given on the page or the command line.
pub(crate) fn portal_url(tx: &mut Tx<'_>) -> Result<Option<String>, DbError> {
    Ok(tx.one("SELECT portal_url FROM state WHERE id = 1", &[], |row| row.opt_text(0))?.flatten())
}

/// Keeps the portal's address.
pub(crate) fn set_portal_url(tx: &mut Tx<'_>, url: &str) -> Result<(), DbError> {
    tx.exec("UPDATE state SET portal_url = ?1 WHERE id = 1", &[url.into()])?;
    Ok(())
}

/// Receipts that the server brings to the portal by itself, oldest first: number and file.
pub(crate) fn receipts_to_bring(tx: &mut Tx<'_>) -> Result<Vec<(i64, String)>, DbError> {
    tx.all("SELECT id, file FROM receipt WHERE to_bring = 1 ORDER BY id", &[], |row| Ok((row.int(0)?, row.text(1)?)))
}

/// Whether people carry the newest receipt (0), or the server brings it to the portal (1), or has brought it (2).
pub(crate) fn newest_receipt_way(tx: &mut Tx<'_>) -> Result<Option<i64>, DbError> {
    tx.one("SELECT to_bring FROM receipt WHERE void = 0 ORDER BY id DESC LIMIT 1", &[], |row| row.int(0))
}

/// A receipt is at the portal.
pub(crate) fn receipt_brought(tx: &mut Tx<'_>, id: i64) -> Result<(), DbError> {
    tx.exec("UPDATE receipt SET to_bring = 2 WHERE id = ?1", &[id.into()])?;
    Ok(())
}
