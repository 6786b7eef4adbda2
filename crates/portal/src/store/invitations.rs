//! Table `invitation`: the links of letters that ask people into organizations. Secrets are hashes.

use super::{id, ms, text, word};
use leasehold_core::access::OrganizationRole;
use leasehold_core::ids::{AccountId, OrganizationId};
use leasehold_core::time::Ms;
use leasehold_db::{DbError, Row, Tx};
use leasehold_wire::portal::Invitation;
use leasehold_wire::time::Time;

/// Writes an invitation in place of the one before.
pub fn put(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    account: AccountId,
    token_sha256: &str,
    expires_at: Ms,
) -> Result<(), DbError> {
    tx.exec(
        "INSERT INTO invitation (organization, account, token_sha256, expires_at_ms) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (organization, account) DO UPDATE SET token_sha256 = excluded.token_sha256,
             expires_at_ms = excluded.expires_at_ms",
        &[text(organization), text(account), token_sha256.into(), expires_at.0.into()],
    )?;
    Ok(())
}

/// Takes an invitation away; `false` if there is none.
pub fn remove(tx: &mut Tx<'_>, organization: OrganizationId, account: AccountId) -> Result<bool, DbError> {
    let sql = "DELETE FROM invitation WHERE organization = ?1 AND account = ?2";
    Ok(tx.exec(sql, &[text(organization), text(account)])? == 1)
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT i.organization, o.name, m.role, a.email, i.expires_at_ms,
                    CASE WHEN a.password_hash = '' THEN 0 ELSE 1 END, a.id
             FROM invitation i JOIN organization o ON o.id = i.organization JOIN account a ON a.id = i.account
                  JOIN member m ON m.organization = i.organization AND m.account = i.account AND m.state = 'invited' ",
            $rest
        )
    };
}

fn read(row: &Row<'_>) -> Result<(AccountId, Invitation), DbError> {
    let invitation = Invitation {
        organization: id(row, 0)?,
        organization_name: row.text(1)?,
        role: word(row, 2, OrganizationRole::from_word)?,
        email: row.text(3)?,
        ends_at: Time(ms(row, 4)?),
        has_account: row.bool(5)?,
    };
    Ok((id(row, 6)?, invitation))
}

/// The invitation of a link that has not ended, and who is invited.
pub fn find(tx: &mut Tx<'_>, token_sha256: &str, now: Ms) -> Result<Option<(AccountId, Invitation)>, DbError> {
    let sql = select!("WHERE i.token_sha256 = ?1 AND i.expires_at_ms > ?2");
    tx.one(sql, &[token_sha256.into(), now.0.into()], read)
}

/// The invitations of an account that have not ended.
pub fn of_account(tx: &mut Tx<'_>, account: AccountId, now: Ms) -> Result<Vec<Invitation>, DbError> {
    let sql = select!("WHERE i.account = ?1 AND i.expires_at_ms > ?2 ORDER BY i.expires_at_ms, i.organization");
    tx.all(sql, &[text(account), now.0.into()], |row| Ok(read(row)?.1))
}

/// Some people whose invitation has ended and to whom seats are assigned that are to be taken back then.
pub fn overdue(tx: &mut Tx<'_>, now: Ms) -> Result<Vec<(OrganizationId, AccountId)>, DbError> {
    tx.all(
        "SELECT i.organization, i.account FROM invitation i JOIN organization o ON o.id = i.organization
              JOIN member m ON m.organization = i.organization AND m.account = i.account AND m.state = 'invited'
         WHERE i.expires_at_ms <= ?1 AND o.pending_seats = 'free' AND EXISTS (
             SELECT 1 FROM assignment s JOIN license l ON l.id = s.license
             WHERE s.account = i.account AND l.organization = i.organization)
         ORDER BY i.expires_at_ms, i.organization, i.account LIMIT 100",
        &[now.0.into()],
        |row| Ok((id(row, 0)?, id(row, 1)?)),
    )
}
