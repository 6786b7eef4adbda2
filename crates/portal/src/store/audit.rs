//! Table `audit`: who did what, written in the transaction that did it.

use super::{Keyset, id, json, opt_id, text, time, to_json};
use leasehold_core::ids::{AccountId, AuditId};
use leasehold_core::time::Ms;
use leasehold_db::{DbError, Row, Tx};
use leasehold_wire::portal::{AccountRef, AuditEntry};

/// Who does something, when, from where: drawn before the transaction.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// Id of the audit row.
    pub id: AuditId,
    /// When.
    pub now: Ms,
    /// Who; `None` for the portal itself and its command line.
    pub actor: Option<AccountId>,
    /// From where; empty for the command line.
    pub address: String,
}

impl Stamp {
    /// The same act's `n`th row: a transaction that writes several gives each an id of its own.
    pub fn nth(&self, n: usize) -> Stamp {
        Stamp { id: self.id.following(u32::try_from(n).unwrap_or(u32::MAX)), ..self.clone() }
    }
}

/// Writes what was done. `subject` is an id or empty.
pub fn insert(
    tx: &mut Tx<'_>,
    stamp: &Stamp,
    action: &'static str,
    subject: &str,
    detail: &serde_json::Value,
) -> Result<(), DbError> {
    tx.exec(
        "INSERT INTO audit (id, at_ms, actor, action, subject, detail, address) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        &[
            text(stamp.id),
            stamp.now.0.into(),
            stamp.actor.map(|actor| actor.to_string()).into(),
            action.into(),
            subject.into(),
            to_json(detail)?,
            (&stamp.address).into(),
        ],
    )?;
    Ok(())
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT u.id, u.at_ms, u.actor, a.name, a.email, u.action, u.subject, u.detail, u.address
             FROM audit u LEFT JOIN account a ON a.id = u.actor ",
            $rest
        )
    };
}

fn read(row: &Row<'_>) -> Result<AuditEntry, DbError> {
    let (name, email) = (row.opt_text(3)?.unwrap_or_default(), row.opt_text(4)?.unwrap_or_default());
    Ok(AuditEntry {
        id: id(row, 0)?,
        at: time(row, 1)?,
        actor: opt_id(row, 2)?.map(|id| AccountRef { id, name, email }),
        action: row.text(5)?,
        subject: row.text(6)?,
        detail: json(row, 7)?,
        address: row.text(8)?,
    })
}

/// The log, newest first.
pub fn list(tx: &mut Tx<'_>, keyset: &Keyset) -> Result<Vec<AuditEntry>, DbError> {
    tx.all(select!("WHERE u.id < ?1 ORDER BY u.id DESC LIMIT ?2"), &[keyset.before(), keyset.limit()], read)
}

/// What was done to one thing, newest first.
pub fn list_about(tx: &mut Tx<'_>, subject: &str, keyset: &Keyset) -> Result<Vec<AuditEntry>, DbError> {
    tx.all(
        select!("WHERE u.subject = ?1 AND u.id < ?2 ORDER BY u.id DESC LIMIT ?3"),
        &[subject.into(), keyset.before(), keyset.limit()],
        read,
    )
}
