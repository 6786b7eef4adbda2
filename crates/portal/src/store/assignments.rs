//! Table `assignment`: seats of a license that were given to one account. Written by whoever has the license locked.

use super::{id, ms, text, whole};
use leasehold_core::ids::{AccountId, LicenseId, OrganizationId};
use leasehold_core::time::Ms;
use leasehold_db::{DbError, Row, Tx};
use leasehold_wire::portal::AccountRef;

/// One assignment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AssignmentRow {
    /// Of which license.
    pub license: LicenseId,
    /// To whom.
    pub account: AccountRef,
    /// Seats that were given.
    pub target: u32,
    /// Seats in effect.
    pub active: u32,
    /// When they were given: who was given first comes first.
    pub assigned_at: Ms,
    /// They can be used: the account is neither only invited nor suspended.
    pub usable: bool,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT s.license, a.id, CASE WHEN m.state = 'invited' THEN a.email ELSE a.name END, a.email, s.target, s.active,
                    s.assigned_at_ms, CASE WHEN m.state IS NULL OR m.state = 'active' THEN 1 ELSE 0 END
             FROM assignment s JOIN account a ON a.id = s.account JOIN license l ON l.id = s.license
                  LEFT JOIN member m ON m.organization = l.organization AND m.account = s.account ",
            $rest
        )
    };
}

fn read(row: &Row<'_>) -> Result<AssignmentRow, DbError> {
    Ok(AssignmentRow {
        license: id(row, 0)?,
        account: AccountRef { id: id(row, 1)?, name: row.text(2)?, email: row.text(3)? },
        target: whole(row, 4)?,
        active: whole(row, 5)?,
        assigned_at: ms(row, 6)?,
        usable: row.bool(7)?,
    })
}

/// The assignments of a license, the oldest first.
pub fn of_license(tx: &mut Tx<'_>, license: LicenseId) -> Result<Vec<AssignmentRow>, DbError> {
    tx.all(select!("WHERE s.license = ?1 ORDER BY s.assigned_at_ms, s.account"), &[text(license)], read)
}

/// What is assigned to an account, usable or not, in order of license.
pub fn of_account(tx: &mut Tx<'_>, account: AccountId) -> Result<Vec<AssignmentRow>, DbError> {
    tx.all(select!("WHERE s.account = ?1 ORDER BY s.license"), &[text(account)], read)
}

/// The licenses of an organization of which an account was given seats, in the order in which they are locked.
pub fn licenses_of(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    account: AccountId,
) -> Result<Vec<LicenseId>, DbError> {
    tx.all(
        "SELECT s.license FROM assignment s JOIN license l ON l.id = s.license
         WHERE s.account = ?2 AND l.organization = ?1 ORDER BY s.license",
        &[text(organization), text(account)],
        |row| id(row, 0),
    )
}

/// Gives an account seats of a license, instead of what it was given before. Keeps its place in the order.
pub fn set(tx: &mut Tx<'_>, license: LicenseId, account: AccountId, target: u32, now: Ms) -> Result<(), DbError> {
    tx.exec(
        "INSERT INTO assignment (license, account, target, active, assigned_at_ms) VALUES (?1, ?2, ?3, 0, ?4)
         ON CONFLICT (license, account) DO UPDATE SET target = ?3",
        &[text(license), text(account), target.into(), now.0.into()],
    )?;
    Ok(())
}

/// Notes how many seats of an assignment are in effect.
pub fn set_active(tx: &mut Tx<'_>, license: LicenseId, account: AccountId, active: u32) -> Result<(), DbError> {
    tx.exec(
        "UPDATE assignment SET active = ?3 WHERE license = ?1 AND account = ?2",
        &[text(license), text(account), active.into()],
    )?;
    Ok(())
}

/// Takes an assignment back; `false` if there is none. What its servers still hold counts until they gave it back.
pub fn remove(tx: &mut Tx<'_>, license: LicenseId, account: AccountId) -> Result<bool, DbError> {
    let sql = "DELETE FROM assignment WHERE license = ?1 AND account = ?2";
    Ok(tx.exec(sql, &[text(license), text(account)])? == 1)
}
