//! Tables `organization` and `member`.

use super::{id, text, time};
use leasehold_core::ids::{AccountId, OrganizationId};
use leasehold_core::time::Ms;
use leasehold_db::{DbError, Row, Tx};
use leasehold_wire::portal::{AccountRef, Member, Organization};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT o.id, o.name, o.created_at_ms, a.id, a.name, a.email
             FROM organization o JOIN account a ON a.id = o.owner ",
            $rest
        )
    };
}

fn read(row: &Row<'_>) -> Result<Organization, DbError> {
    Ok(Organization {
        id: id(row, 0)?,
        name: row.text(1)?,
        created_at: time(row, 2)?,
        owner: AccountRef { id: id(row, 3)?, name: row.text(4)?, email: row.text(5)? },
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

/// One organization.
pub fn get(tx: &mut Tx<'_>, organization: OrganizationId) -> Result<Option<Organization>, DbError> {
    tx.one(select!("WHERE o.id = ?1"), &[text(organization)], read)
}

/// The organization that an account owns.
pub fn of_owner(tx: &mut Tx<'_>, owner: AccountId) -> Result<Option<Organization>, DbError> {
    tx.one(select!("WHERE o.owner = ?1"), &[text(owner)], read)
}

/// The organizations of which an account is a member.
pub fn of_member(tx: &mut Tx<'_>, account: AccountId) -> Result<Vec<Organization>, DbError> {
    tx.all(select!("JOIN member m ON m.organization = o.id WHERE m.account = ?1 ORDER BY o.id"), &[text(account)], read)
}

/// Locks an organization until the transaction ends: before any of its licenses.
pub fn lock(tx: &mut Tx<'_>, organization: OrganizationId) -> Result<bool, DbError> {
    Ok(tx.exec("UPDATE organization SET name = name WHERE id = ?1", &[text(organization)])? == 1)
}

/// Adds a member; `false` if it is one.
pub fn add(tx: &mut Tx<'_>, organization: OrganizationId, account: AccountId, now: Ms) -> Result<bool, DbError> {
    let written = tx.exec(
        "INSERT INTO member (organization, account, added_at_ms) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        &[text(organization), text(account), now.0.into()],
    )?;
    Ok(written == 1)
}

/// Removes a member; `false` if it was none.
pub fn remove(tx: &mut Tx<'_>, organization: OrganizationId, account: AccountId) -> Result<bool, DbError> {
    let sql = "DELETE FROM member WHERE organization = ?1 AND account = ?2";
    Ok(tx.exec(sql, &[text(organization), text(account)])? == 1)
}

/// Whether an account is a member.
pub fn is_member(tx: &mut Tx<'_>, organization: OrganizationId, account: AccountId) -> Result<bool, DbError> {
    let sql = "SELECT 1 FROM member WHERE organization = ?1 AND account = ?2";
    Ok(tx.one(sql, &[text(organization), text(account)], |_| Ok(()))?.is_some())
}

/// The members, in the order in which they were added; without what is assigned to them.
pub fn members(tx: &mut Tx<'_>, organization: OrganizationId) -> Result<Vec<Member>, DbError> {
    tx.all(
        "SELECT a.id, a.name, a.email, m.added_at_ms FROM member m JOIN account a ON a.id = m.account
         WHERE m.organization = ?1 ORDER BY m.added_at_ms, a.id",
        &[text(organization)],
        |row| {
            Ok(Member {
                account: AccountRef { id: id(row, 0)?, name: row.text(1)?, email: row.text(2)? },
                added_at: time(row, 3)?,
                assigned: Vec::new(),
            })
        },
    )
}
