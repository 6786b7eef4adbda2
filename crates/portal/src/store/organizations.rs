//! Table `organization`, and what accounts are in organizations.

use super::{id, json, text, time, word};
use leasehold_core::access::{OrganizationRole, PendingSeats};
use leasehold_core::ids::{AccountId, OrganizationId};
use leasehold_core::license::Term;
use leasehold_core::time::Ms;
use leasehold_db::{DbError, Row, Tx};
use leasehold_wire::portal::{AccountRef, Organization};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT o.id, o.name, o.created_at_ms, a.id, a.name, a.email, o.confirmed, o.pending_seats
             FROM organization o JOIN account a ON a.id = o.owner ",
            $rest
        )
    };
}

/// Without whether it is active.
fn read(row: &Row<'_>) -> Result<Organization, DbError> {
    Ok(Organization {
        id: id(row, 0)?,
        name: row.text(1)?,
        created_at: time(row, 2)?,
        owner: AccountRef { id: id(row, 3)?, name: row.text(4)?, email: row.text(5)? },
        active: false,
        confirmed: row.bool(6)?,
        pending_seats: word(row, 7, PendingSeats::from_word)?,
    })
}

/// Makes the organization of an account; `false` if it has one.
pub fn insert(tx: &mut Tx<'_>, new: OrganizationId, owner: AccountId, name: &str, now: Ms) -> Result<bool, DbError> {
    let written = tx.exec(
        "INSERT INTO organization (id, owner, name, created_at_ms) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
        &[text(new), text(owner), name.into(), now.0.into()],
    )?;
    Ok(written == 1)
}

/// One organization as of `now`.
pub fn get(tx: &mut Tx<'_>, organization: OrganizationId, now: Ms) -> Result<Option<Organization>, DbError> {
    let found = tx.one(select!("WHERE o.id = ?1"), &[text(organization)], read)?;
    found.map(|found| with_state(tx, found, now)).transpose()
}

/// The organization that an account owns, as of `now`.
pub fn of_owner(tx: &mut Tx<'_>, owner: AccountId, now: Ms) -> Result<Option<Organization>, DbError> {
    let found = tx.one(select!("WHERE o.owner = ?1"), &[text(owner)], read)?;
    found.map(|found| with_state(tx, found, now)).transpose()
}

/// The id of the organization that an account owns.
pub fn id_of(tx: &mut Tx<'_>, owner: AccountId) -> Result<Option<OrganizationId>, DbError> {
    tx.one("SELECT id FROM organization WHERE owner = ?1", &[text(owner)], |row| id(row, 0))
}

/// How it is called; empty if there is none.
pub fn name_of(tx: &mut Tx<'_>, organization: OrganizationId) -> Result<String, DbError> {
    let name = tx.one("SELECT name FROM organization WHERE id = ?1", &[text(organization)], |row| row.text(0))?;
    Ok(name.unwrap_or_default())
}

/// It is one as long as a commercial license of it runs, or because an operator says so.
fn with_state(tx: &mut Tx<'_>, found: Organization, now: Ms) -> Result<Organization, DbError> {
    let terms: Vec<Term> = tx.all(
        "SELECT term FROM license WHERE organization = ?1 AND channel = 'commercial' AND ended_at_ms IS NULL
             AND starts_at_ms <= ?2",
        &[text(found.id), now.0.into()],
        |row| json(row, 0),
    )?;
    let runs = |term: &Term| term.ends_at().is_none_or(|end| end > now);
    Ok(Organization { active: found.confirmed || terms.iter().any(runs), ..found })
}

/// Says what becomes of seats of people who were invited and have not come.
pub fn set_pending_seats(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    pending_seats: PendingSeats,
) -> Result<(), DbError> {
    let sql = "UPDATE organization SET pending_seats = ?2 WHERE id = ?1";
    tx.exec(sql, &[text(organization), pending_seats.word().into()])?;
    Ok(())
}

/// Says whether it is one without a commercial license.
pub fn set_confirmed(tx: &mut Tx<'_>, organization: OrganizationId, confirmed: bool) -> Result<(), DbError> {
    let sql = "UPDATE organization SET confirmed = ?2 WHERE id = ?1";
    tx.exec(sql, &[text(organization), confirmed.into()])?;
    Ok(())
}

/// Locks an organization until the transaction ends: before any of its licenses.
pub fn lock(tx: &mut Tx<'_>, organization: OrganizationId) -> Result<bool, DbError> {
    Ok(tx.exec("UPDATE organization SET name = name WHERE id = ?1", &[text(organization)])? == 1)
}

/// What an account is in an organization.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    /// In which.
    pub organization: OrganizationId,
    /// Its name. Hostile text.
    pub name: String,
    /// Whose licenses it has.
    pub owner: AccountId,
    /// What.
    pub role: OrganizationRole,
}

/// What an account is in organizations, its own first.
pub fn standings(tx: &mut Tx<'_>, account: AccountId) -> Result<Vec<Standing>, DbError> {
    tx.all(
        "SELECT o.id, o.name, o.owner, 'owner', 0 AS place FROM organization o WHERE o.owner = ?1
         UNION ALL SELECT o.id, o.name, o.owner, m.role, 1 AS place
         FROM member m JOIN organization o ON o.id = m.organization WHERE m.account = ?1 AND m.state = 'active'
         ORDER BY place, 1",
        &[text(account)],
        |row| {
            Ok(Standing {
                organization: id(row, 0)?,
                name: row.text(1)?,
                owner: id(row, 2)?,
                role: word(row, 3, OrganizationRole::from_word)?,
            })
        },
    )
}
