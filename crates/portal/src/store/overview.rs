//! Counts over several tables.

use super::whole;
use leasehold_core::time::Ms;
use leasehold_db::{DbError, Tx};
use leasehold_wire::portal::{Overview, Role, WorkstationStatus};

/// How much there is of everything; `soon` is the instant before which a document ends soon, `lately` the one since which
/// letters are told of.
pub fn count(tx: &mut Tx<'_>, soon: Ms, lately: Ms) -> Result<Overview, DbError> {
    let one = |tx: &mut Tx<'_>, sql, params: &[leasehold_db::Value<'_>]| {
        Ok(tx.one(sql, params, |row| whole::<u64>(row, 0))?.unwrap_or(0))
    };
    let active = WorkstationStatus::Active.word();
    Ok(Overview {
        customers: one(tx, "SELECT COUNT(*) FROM account WHERE role = ?1", &[Role::Customer.word().into()])?,
        products: one(tx, "SELECT COUNT(*) FROM product", &[])?,
        licenses: one(tx, "SELECT COUNT(*) FROM license WHERE ended_at_ms IS NULL", &[])?,
        seats: one(tx, "SELECT CAST(COALESCE(SUM(seats), 0) AS BIGINT) FROM license WHERE ended_at_ms IS NULL", &[])?,
        workstations: one(tx, "SELECT COUNT(*) FROM workstation WHERE status = ?1", &[active.into()])?,
        workstations_ending: one(
            tx,
            "SELECT COUNT(*) FROM workstation w JOIN grant_document d ON d.workstation = w.id AND d.rev = w.newest_rev
             WHERE w.status = ?1 AND w.mode = 'file'
               AND EXISTS (SELECT 1 FROM grant_line l WHERE l.document = d.id AND l.until_ms < ?2)",
            &[active.into(), soon.0.into()],
        )?,
        letters_given_up: super::mails::failed_since(tx, lately)?,
        learning_until: None,
    })
}

/// Differs from an earlier one if somebody did something or a server synced in between.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Pulse {
    newest_deed: Option<String>,
    syncs: u64,
}

/// How it stands now; cheap, however much there is to show.
pub fn pulse(tx: &mut Tx<'_>) -> Result<Pulse, DbError> {
    let newest_deed = tx.one("SELECT MAX(id) FROM audit", &[], |row| row.opt_text(0))?.flatten();
    let syncs = tx.one("SELECT CAST(COALESCE(SUM(seq), 0) AS BIGINT) FROM sync", &[], |row| whole(row, 0))?;
    Ok(Pulse { newest_deed, syncs: syncs.unwrap_or(0) })
}
