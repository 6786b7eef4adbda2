//! Tables `organization` and `member`.

use super::{id, text, time, word};
use leasehold_core::access::OrganizationRole;
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

/// Says what a member is; `false` if the account is none.
pub fn set_role(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    account: AccountId,
    role: OrganizationRole,
) -> Result<bool, DbError> {
    let sql = "UPDATE member SET role = ?3 WHERE organization = ?1 AND account = ?2";
    Ok(tx.exec(sql, &[text(organization), text(account), role.word().into()])? == 1)
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
         FROM member m JOIN organization o ON o.id = m.organization WHERE m.account = ?1
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

/// Whether an account is a member.
pub fn is_member(tx: &mut Tx<'_>, organization: OrganizationId, account: AccountId) -> Result<bool, DbError> {
    let sql = "SELECT 1 FROM member WHERE organization = ?1 AND account = ?2";
    Ok(tx.one(sql, &[text(organization), text(account)], |_| Ok(()))?.is_some())
}

/// The members, in the order in which they were added; without what is assigned to them.
pub fn members(tx: &mut Tx<'_>, organization: OrganizationId) -> Result<Vec<Member>, DbError> {
    tx.all(
        "SELECT a.id, a.name, a.email, m.added_at_ms, m.role FROM member m JOIN account a ON a.id = m.account
         WHERE m.organization = ?1 ORDER BY m.added_at_ms, a.id",
        &[text(organization)],
        |row| {
            Ok(Member {
                account: AccountRef { id: id(row, 0)?, name: row.text(1)?, email: row.text(2)? },
                role: word(row, 4, OrganizationRole::from_word)?,
                added_at: time(row, 3)?,
                assigned: Vec::new(),
            })
        },
    )
}
