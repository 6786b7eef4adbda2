//! Tables `link` and `email_change`: what was sent by mail and waits for somebody to follow it. Secrets are hashes.

use super::{id, ms, opt_id, text, word};
use leasehold_core::ids::{AccountId, MailId};
use leasehold_core::time::Ms;
use leasehold_db::{DbError, Tx};

/// What a link is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinkKind {
    /// Makes an account.
    SignUp,
    /// Sets a password anew.
    Reset,
}

impl LinkKind {
    fn word(self) -> &'static str {
        match self {
            LinkKind::SignUp => "sign_up",
            LinkKind::Reset => "reset",
        }
    }

    fn from_word(word: &str) -> Option<LinkKind> {
        [LinkKind::SignUp, LinkKind::Reset].into_iter().find(|kind| kind.word() == word)
    }
}

/// What somebody asked for who has not signed in.
#[derive(Clone, Debug)]
pub struct AskRow {
    /// Its id.
    pub id: MailId,
    /// What it is for.
    pub kind: LinkKind,
    /// Of which address.
    pub email: String,
    /// The name that was given; empty if none.
    pub name: String,
    /// The password that was chosen, as a PHC string; empty if none.
    pub password_hash: String,
    /// From where.
    pub address: String,
    /// When.
    pub asked_at: Ms,
}

/// A link.
#[derive(Clone, Debug)]
pub struct LinkRow {
    /// SHA-256 of its secret, hex.
    pub token_sha256: String,
    /// Whose account, if there is one.
    pub account: Option<AccountId>,
    /// Of which address.
    pub email: String,
    /// The name that was given with it; empty if none.
    pub name: String,
    /// The password that was chosen, as a PHC string; empty if none.
    pub password_hash: String,
    /// When it ends.
    pub expires_at: Ms,
}

/// Writes a link in place of those of its kind for the same address.
pub fn insert(tx: &mut Tx<'_>, kind: LinkKind, new: &LinkRow) -> Result<(), DbError> {
    tx.exec(
        "INSERT INTO link (token_sha256, kind, account, email, name, password_hash, expires_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (kind, email) DO UPDATE SET token_sha256 = excluded.token_sha256, account = excluded.account,
             name = excluded.name, password_hash = excluded.password_hash, expires_at_ms = excluded.expires_at_ms",
        &[
            (&new.token_sha256).into(),
            kind.word().into(),
            new.account.map(|account| account.to_string()).into(),
            (&new.email).into(),
            (&new.name).into(),
            (&new.password_hash).into(),
            new.expires_at.0.into(),
        ],
    )?;
    Ok(())
}

/// A link that has not ended.
pub fn find(tx: &mut Tx<'_>, kind: LinkKind, token_sha256: &str, now: Ms) -> Result<Option<LinkRow>, DbError> {
    tx.one(
        "SELECT token_sha256, account, email, name, password_hash, expires_at_ms FROM link
         WHERE token_sha256 = ?1 AND kind = ?2 AND expires_at_ms > ?3",
        &[token_sha256.into(), kind.word().into(), now.0.into()],
        |row| {
            Ok(LinkRow {
                token_sha256: row.text(0)?,
                account: opt_id(row, 1)?,
                email: row.text(2)?,
                name: row.text(3)?,
                password_hash: row.text(4)?,
                expires_at: ms(row, 5)?,
            })
        },
    )
}

/// Uses a link up; `false` if somebody else was faster.
pub fn take(tx: &mut Tx<'_>, token_sha256: &str) -> Result<bool, DbError> {
    Ok(tx.exec("DELETE FROM link WHERE token_sha256 = ?1", &[token_sha256.into()])? == 1)
}

/// A change of address that both sides have yet to confirm.
#[derive(Clone, Debug)]
pub struct ChangeRow {
    /// Whose.
    pub account: AccountId,
    /// The new address.
    pub email: String,
    /// SHA-256 of what was sent to the address until now.
    pub old_sha256: String,
    /// SHA-256 of what was sent to the new address.
    pub new_sha256: String,
    /// The address until now has confirmed.
    pub old_confirmed: bool,
    /// The new address has confirmed.
    pub new_confirmed: bool,
    /// Until when both must.
    pub expires_at: Ms,
}

/// Writes a change in place of the one that was asked for before.
pub fn set_change(tx: &mut Tx<'_>, change: &ChangeRow) -> Result<(), DbError> {
    tx.exec(
        "INSERT INTO email_change (account, email, old_sha256, new_sha256, old_confirmed, new_confirmed, expires_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (account) DO UPDATE SET email = excluded.email, old_sha256 = excluded.old_sha256,
             new_sha256 = excluded.new_sha256, old_confirmed = excluded.old_confirmed,
             new_confirmed = excluded.new_confirmed, expires_at_ms = excluded.expires_at_ms",
        &[
            text(change.account),
            (&change.email).into(),
            (&change.old_sha256).into(),
            (&change.new_sha256).into(),
            change.old_confirmed.into(),
            change.new_confirmed.into(),
            change.expires_at.0.into(),
        ],
    )?;
    Ok(())
}

macro_rules! change {
    ($rest:literal) => {
        concat!(
            "SELECT account, email, old_sha256, new_sha256, old_confirmed, new_confirmed, expires_at_ms FROM email_change ",
            $rest
        )
    };
}

fn read_change(row: &leasehold_db::Row<'_>) -> Result<ChangeRow, DbError> {
    Ok(ChangeRow {
        account: id(row, 0)?,
        email: row.text(1)?,
        old_sha256: row.text(2)?,
        new_sha256: row.text(3)?,
        old_confirmed: row.bool(4)?,
        new_confirmed: row.bool(5)?,
        expires_at: ms(row, 6)?,
    })
}

/// The change that an account waits for.
pub fn change_of(tx: &mut Tx<'_>, account: AccountId, now: Ms) -> Result<Option<ChangeRow>, DbError> {
    tx.one(change!("WHERE account = ?1 AND expires_at_ms > ?2"), &[text(account), now.0.into()], read_change)
}

/// The change of which one of the two secrets is `sha256`.
pub fn change_by(tx: &mut Tx<'_>, sha256: &str, now: Ms) -> Result<Option<ChangeRow>, DbError> {
    tx.one(
        change!("WHERE (old_sha256 = ?1 OR new_sha256 = ?1) AND expires_at_ms > ?2"),
        &[sha256.into(), now.0.into()],
        read_change,
    )
}

/// Notes that one of the two sides has confirmed, whoever else does at the same moment; the change as it is then.
pub fn confirm_change(tx: &mut Tx<'_>, sha256: &str, now: Ms) -> Result<Option<ChangeRow>, DbError> {
    tx.one(
        "UPDATE email_change SET old_confirmed = CASE WHEN old_sha256 = ?1 THEN 1 ELSE old_confirmed END,
             new_confirmed = CASE WHEN new_sha256 = ?1 THEN 1 ELSE new_confirmed END
         WHERE (old_sha256 = ?1 OR new_sha256 = ?1) AND expires_at_ms > ?2
         RETURNING account, email, old_sha256, new_sha256, old_confirmed, new_confirmed, expires_at_ms",
        &[sha256.into(), now.0.into()],
        read_change,
    )
}

/// Forgets links and a change of address of an account.
pub fn end_all(tx: &mut Tx<'_>, account: AccountId) -> Result<(), DbError> {
    tx.exec("DELETE FROM link WHERE account = ?1", &[text(account)])?;
    end_change(tx, account)?;
    Ok(())
}

/// Forgets a change.
pub fn end_change(tx: &mut Tx<'_>, account: AccountId) -> Result<bool, DbError> {
    Ok(tx.exec("DELETE FROM email_change WHERE account = ?1", &[text(account)])? == 1)
}

/// Keeps what somebody asked for who has not signed in, to be looked at by the outbox: the same for known and unknown ones.
pub fn ask(tx: &mut Tx<'_>, new: &AskRow) -> Result<(), DbError> {
    tx.exec(
        "INSERT INTO ask (id, kind, email, name, password_hash, address, asked_at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        &[
            text(new.id),
            new.kind.word().into(),
            (&new.email).into(),
            (&new.name).into(),
            (&new.password_hash).into(),
            (&new.address).into(),
            new.asked_at.0.into(),
        ],
    )?;
    Ok(())
}

/// The oldest of these.
pub fn oldest_ask(tx: &mut Tx<'_>) -> Result<Option<AskRow>, DbError> {
    tx.one(
        "SELECT id, kind, email, name, password_hash, address, asked_at_ms FROM ask ORDER BY id LIMIT 1",
        &[],
        |row| {
            Ok(AskRow {
                id: id(row, 0)?,
                kind: word(row, 1, LinkKind::from_word)?,
                email: row.text(2)?,
                name: row.text(3)?,
                password_hash: row.text(4)?,
                address: row.text(5)?,
                asked_at: ms(row, 6)?,
            })
        },
    )
}

/// Takes it; `false` if another process did.
pub fn take_ask(tx: &mut Tx<'_>, ask: MailId) -> Result<bool, DbError> {
    Ok(tx.exec("DELETE FROM ask WHERE id = ?1", &[text(ask)])? == 1)
}

/// Forgets what has ended.
pub fn sweep(tx: &mut Tx<'_>, now: Ms) -> Result<(), DbError> {
    tx.exec("DELETE FROM link WHERE expires_at_ms <= ?1", &[now.0.into()])?;
    tx.exec("DELETE FROM email_change WHERE expires_at_ms <= ?1", &[now.0.into()])?;
    Ok(())
}
