//! Table `member`: who is in an organization, beside its owner.

use super::{id, text, time, word};
use leasehold_core::access::{MemberState, OrganizationRole};
use leasehold_core::ids::{AccountId, OrganizationId};
use leasehold_core::time::Ms;
use leasehold_db::{DbError, Row, Tx};
use leasehold_wire::portal::{AccountRef, Member};
use leasehold_wire::time::Time;

/// Adds a member; `false` if it is one.
pub fn add(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    account: AccountId,
    (role, state): (OrganizationRole, MemberState),
    now: Ms,
) -> Result<bool, DbError> {
    let written = tx.exec(
        "INSERT INTO member (organization, account, role, state, added_at_ms) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO NOTHING",
        &[text(organization), text(account), role.word().into(), state.word().into(), now.0.into()],
    )?;
    Ok(written == 1)
}

/// Removes a member; `false` if it was none.
pub fn remove(tx: &mut Tx<'_>, organization: OrganizationId, account: AccountId) -> Result<bool, DbError> {
    let sql = "DELETE FROM member WHERE organization = ?1 AND account = ?2";
    Ok(tx.exec(sql, &[text(organization), text(account)])? == 1)
}

/// Says what a member may do; `false` if the account is none.
pub fn set_role(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    account: AccountId,
    role: OrganizationRole,
) -> Result<bool, DbError> {
    let sql = "UPDATE member SET role = ?3 WHERE organization = ?1 AND account = ?2";
    Ok(tx.exec(sql, &[text(organization), text(account), role.word().into()])? == 1)
}

/// Says how far a member is; `false` if the account is none.
pub fn set_state(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    account: AccountId,
    state: MemberState,
) -> Result<bool, DbError> {
    let sql = "UPDATE member SET state = ?3 WHERE organization = ?1 AND account = ?2";
    Ok(tx.exec(sql, &[text(organization), text(account), state.word().into()])? == 1)
}

/// How far an account is in an organization; `None` if it is no member.
pub fn state_of(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    account: AccountId,
) -> Result<Option<MemberState>, DbError> {
    let sql = "SELECT state FROM member WHERE organization = ?1 AND account = ?2";
    tx.one(sql, &[text(organization), text(account)], |row| word(row, 0, MemberState::from_word))
}

/// Whether somebody with that address (lower case) is a member.
pub fn has_address(tx: &mut Tx<'_>, organization: OrganizationId, email: &str) -> Result<bool, DbError> {
    let sql = "SELECT 1 FROM member m JOIN account a ON a.id = m.account WHERE m.organization = ?1 AND a.email = ?2";
    Ok(tx.one(sql, &[text(organization), email.into()], |_| Ok(()))?.is_some())
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT a.id, CASE WHEN m.state = 'invited' THEN a.email ELSE a.name END, a.email, m.added_at_ms, m.role, m.state,
                    i.expires_at_ms
             FROM member m JOIN account a ON a.id = m.account
                  LEFT JOIN invitation i ON i.organization = m.organization AND i.account = m.account ",
            $rest
        )
    };
}

/// Without what is assigned to them, and without what became of the letter.
fn read(row: &Row<'_>) -> Result<Member, DbError> {
    let state = word(row, 5, MemberState::from_word)?;
    let ends_at = super::opt_ms(row, 6)?.filter(|_| state == MemberState::Invited);
    Ok(Member {
        account: AccountRef { id: id(row, 0)?, name: row.text(1)?, email: row.text(2)? },
        role: word(row, 4, OrganizationRole::from_word)?,
        state,
        added_at: time(row, 3)?,
        invitation_ends_at: ends_at.map(Time),
        undelivered: None,
        assigned: Vec::new(),
    })
}

/// The members, in the order in which they were added; without what is assigned to them.
pub fn all(tx: &mut Tx<'_>, organization: OrganizationId) -> Result<Vec<Member>, DbError> {
    tx.all(select!("WHERE m.organization = ?1 ORDER BY m.added_at_ms, a.id"), &[text(organization)], read)
}

/// One member; without what is assigned to them.
pub fn get(tx: &mut Tx<'_>, organization: OrganizationId, account: AccountId) -> Result<Option<Member>, DbError> {
    tx.one(select!("WHERE m.organization = ?1 AND m.account = ?2"), &[text(organization), text(account)], read)
}
