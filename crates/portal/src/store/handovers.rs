//! Table `handover`: organizations that their owner wants to pass to somebody, who has yet to say yes; and passing one.

use super::{id, ms, text};
use leasehold_core::ids::{AccountId, OrganizationId};
use leasehold_core::time::Ms;
use leasehold_db::{DbError, Tx};

/// An organization that is to pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HandoverRow {
    /// Which.
    pub organization: OrganizationId,
    /// To whom.
    pub to: AccountId,
    /// Until when they can say yes.
    pub expires_at: Ms,
}

/// Offers an organization to somebody, in place of whoever it was offered to before.
pub fn put(tx: &mut Tx<'_>, row: &HandoverRow) -> Result<(), DbError> {
    tx.exec(
        "INSERT INTO handover (organization, account, expires_at_ms) VALUES (?1, ?2, ?3)
         ON CONFLICT (organization) DO UPDATE SET account = excluded.account, expires_at_ms = excluded.expires_at_ms",
        &[text(row.organization), text(row.to), row.expires_at.0.into()],
    )?;
    Ok(())
}

/// Takes an offer back; `false` if there is none.
pub fn remove(tx: &mut Tx<'_>, organization: OrganizationId) -> Result<bool, DbError> {
    Ok(tx.exec("DELETE FROM handover WHERE organization = ?1", &[text(organization)])? == 1)
}

/// The offer of an organization that has not ended.
pub fn of(tx: &mut Tx<'_>, organization: OrganizationId, now: Ms) -> Result<Option<HandoverRow>, DbError> {
    tx.one(
        "SELECT account, expires_at_ms FROM handover WHERE organization = ?1 AND expires_at_ms > ?2",
        &[text(organization), now.0.into()],
        |row| Ok(HandoverRow { organization, to: id(row, 0)?, expires_at: ms(row, 1)? }),
    )
}

/// What is offered to an account.
pub fn to(tx: &mut Tx<'_>, account: AccountId, now: Ms) -> Result<Vec<HandoverRow>, DbError> {
    tx.all(
        "SELECT organization, expires_at_ms FROM handover WHERE account = ?1 AND expires_at_ms > ?2 ORDER BY organization",
        &[text(account), now.0.into()],
        |row| Ok(HandoverRow { organization: id(row, 0)?, to: account, expires_at: ms(row, 1)? }),
    )
}

/// Makes somebody the owner of an organization, its licenses and its license servers. The organization and all its licenses
/// are locked.
pub fn pass(tx: &mut Tx<'_>, organization: OrganizationId, (from, to): (AccountId, AccountId)) -> Result<(), DbError> {
    let ids = [text(organization), text(to)];
    tx.exec("UPDATE license SET owner = ?2 WHERE organization = ?1", &ids)?;
    tx.exec("UPDATE organization SET owner = ?2 WHERE id = ?1", &ids)?;
    let people = [text(from), text(to)];
    tx.exec(
        "UPDATE workstation SET owner = ?2, version = version + 1 WHERE owner = ?1 AND scope = 'organization'",
        &people,
    )?;
    tx.exec("DELETE FROM enable_token WHERE account = ?1 AND scope = 'organization'", &people[..1])?;
    Ok(())
}
