//! The audit log: what administrators did.

use leasehold_core::engine::Audit;
use leasehold_core::time::Ms;
use leasehold_db::{DbError, Tx};
use leasehold_wire::server::AuditView;

/// Adds a row, in the transaction of the deed.
pub(crate) fn add(tx: &mut Tx<'_>, row: &Audit) -> Result<(), DbError> {
    tx.exec(
        "INSERT INTO audit (at_ms, who, address, action, detail) VALUES (?1, ?2, ?3, ?4, ?5)",
        &[
            row.at.0.into(),
            (&*row.act.who).into(),
            row.act.address.map(|address| address.to_string()).unwrap_or_default().into(),
            row.action.into(),
            (&row.detail).into(),
        ],
    )?;
    Ok(())
}

/// Rows before the row `below`, the newest first.
pub(crate) fn page(tx: &mut Tx<'_>, below: i64, limit: u32) -> Result<Vec<AuditView>, DbError> {
    tx.all(
        "SELECT id, at_ms, who, address, action, detail FROM audit WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
        &[below.into(), limit.into()],
        |row| {
            Ok(AuditView {
                id: u64::try_from(row.int(0)?).unwrap_or(0),
                at: Ms(row.int(1)?).into(),
                who: row.text(2)?,
                address: row.text(3)?,
                action: row.text(4)?,
                detail: row.text(5)?,
            })
        },
    )
}
