//! Activation files that were put in force.

use leasehold_core::engine::Document;
use leasehold_core::grant::Grant;
use leasehold_core::time::{DAY_MS, Ms};
use leasehold_db::{DbError, Row, Tx};

/// Documents of an online server are kept at least until one is loaded that was issued this much later, in milliseconds.
const SUPERSEDED_KEPT_MS: i64 = 30 * DAY_MS;

/// An activation file as it was stored. Nothing in it is believed before it has been verified again.
#[derive(Clone, Debug)]
pub(crate) struct StoredDocument {
    /// The file.
    pub(crate) file: String,
    /// When the portal issued it.
    pub(crate) issued_at: Ms,
}

pub(super) fn put_in_force(tx: &mut Tx<'_>, document: &Document, now: Ms) -> Result<(), DbError> {
    tx.exec("UPDATE document SET in_force = 0 WHERE in_force = 1", &[])?;
    tx.exec(
        "INSERT INTO document (sha256, rev, workstation, issued_at_ms, loaded_at_ms, in_force, file)
         VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6)",
        &[
            (&*document.sha256).into(),
            i64::try_from(document.grant.rev).unwrap_or(i64::MAX).into(),
            document.grant.workstation.to_string().into(),
            document.grant.issued_at.0.into(),
            now.0.into(),
            (&*document.file).into(),
        ],
    )?;
    if document.grant.online { forget_superseded(tx, &document.grant) } else { Ok(()) }
}

/// Documents of an online server come by themselves, several a day. Old ones are removed by the portal's dates, since the
/// server's time may be wrong, and none while a lease stands on a line that has left: only they know that line.
fn forget_superseded(tx: &mut Tx<'_>, grant: &Grant) -> Result<(), DbError> {
    let before = grant.issued_at.plus(-SUPERSEDED_KEPT_MS);
    let values = [grant.workstation.to_string().into(), before.0.into()];
    let old = tx.one(
        "SELECT 1 FROM document WHERE in_force = 0 AND workstation = ?1 AND issued_at_ms < ?2 LIMIT 1",
        &values,
        |_| Ok(()),
    )?;
    if old.is_none() {
        return Ok(());
    }
    let mut stood_on = super::leases::lines(tx)?;
    stood_on.retain(|line| grant.lines.iter().all(|granted| granted.line != *line));
    if stood_on.is_empty() {
        tx.exec("DELETE FROM document WHERE in_force = 0 AND workstation = ?1 AND issued_at_ms < ?2", &values)?;
    }
    Ok(())
}

/// The server is disabled: none is in force.
pub(super) fn forget(tx: &mut Tx<'_>) -> Result<(), DbError> {
    tx.exec("UPDATE document SET in_force = 0 WHERE in_force = 1", &[])?;
    Ok(())
}

/// The one in force.
pub(crate) fn in_force(tx: &mut Tx<'_>) -> Result<Option<StoredDocument>, DbError> {
    tx.one("SELECT file, issued_at_ms FROM document WHERE in_force = 1", &[], read)
}

/// The one that was loaded last, in force or not.
pub(crate) fn newest(tx: &mut Tx<'_>) -> Result<Option<StoredDocument>, DbError> {
    tx.one("SELECT file, issued_at_ms FROM document ORDER BY loaded_at_ms DESC, rev DESC LIMIT 1", &[], read)
}

/// Those that were in force before, the newest first; of one workstation, since its leases can stand on no other's.
pub(crate) fn older(tx: &mut Tx<'_>, workstation: &str) -> Result<Vec<StoredDocument>, DbError> {
    tx.all(
        "SELECT file, issued_at_ms FROM document WHERE workstation = ?1 AND in_force = 0 ORDER BY rev DESC",
        &[workstation.into()],
        read,
    )
}

/// The one with a hash.
pub(crate) fn by_sha256(tx: &mut Tx<'_>, sha256: &str) -> Result<Option<StoredDocument>, DbError> {
    tx.one("SELECT file, issued_at_ms FROM document WHERE sha256 = ?1", &[sha256.into()], read)
}

fn read(row: &Row<'_>) -> Result<StoredDocument, DbError> {
    Ok(StoredDocument { file: row.text(0)?, issued_at: Ms(row.int(1)?) })
}
