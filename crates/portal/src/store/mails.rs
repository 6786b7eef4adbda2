//! Table `mail`: letters to be sent, written in the transaction that did what they tell of.

use super::{Keyset, id, ms, opt_id, opt_ms, text, time, whole, word};
use leasehold_core::ids::{AccountId, MailId};
use leasehold_core::time::Ms;
use leasehold_db::{DbError, Row, Tx};
use leasehold_wire::portal::{AccountRef, Mail, MailStatus};
use leasehold_wire::time::Time;

/// What stands in a body where the link is to be: it is kept apart, and forgotten when it was sent.
///
/// No address and no name from outside can hold it.
pub const LINK: &str = "\u{2}link\u{3}";

/// A letter to be written.
#[derive(Clone, Debug)]
pub struct NewRow {
    /// Its id.
    pub id: MailId,
    /// What it is about.
    pub kind: &'static str,
    /// Whose account, if there is one.
    pub account: Option<AccountId>,
    /// To which address.
    pub to: String,
    /// Its subject.
    pub subject: String,
    /// What stands in it, with [`LINK`] for the link.
    pub body: String,
    /// The link; empty if there is none.
    pub link: String,
    /// When it was written.
    pub created_at: Ms,
    /// Nobody needs it any more from then on: its link has ended.
    pub good_until: Ms,
}

/// A letter to be sent.
#[derive(Clone, Debug)]
pub struct DueRow {
    /// Its id.
    pub id: MailId,
    /// To which address.
    pub to: String,
    /// Its subject.
    pub subject: String,
    /// What stands in it, whole.
    pub body: String,
    /// How often it was tried before.
    pub tries: u32,
    /// When it was written.
    pub created_at: Ms,
}

/// Writes a letter. It is due at once.
pub fn insert(tx: &mut Tx<'_>, new: &NewRow) -> Result<(), DbError> {
    tx.exec(
        "INSERT INTO mail (id, kind, account, recipient, subject, body, link, status, tries, due_at_ms, created_at_ms,
                           good_until_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'queued', 0, ?8, ?8, ?9)",
        &[
            text(new.id),
            new.kind.into(),
            new.account.map(|account| account.to_string()).into(),
            (&new.to).into(),
            (&new.subject).into(),
            (&new.body).into(),
            (&new.link).into(),
            new.created_at.0.into(),
            new.good_until.0.into(),
        ],
    )?;
    Ok(())
}

/// The letter that is due first.
pub fn due(tx: &mut Tx<'_>, now: Ms) -> Result<Option<DueRow>, DbError> {
    tx.one(
        "SELECT id, recipient, subject, body, link, tries, created_at_ms FROM mail
         WHERE status = 'queued' AND due_at_ms <= ?1 ORDER BY due_at_ms, id LIMIT 1",
        &[now.0.into()],
        |row| {
            Ok(DueRow {
                id: id(row, 0)?,
                to: row.text(1)?,
                subject: row.text(2)?,
                body: row.str(3)?.replace(LINK, row.str(4)?),
                tries: whole(row, 5)?,
                created_at: ms(row, 6)?,
            })
        },
    )
}

/// Takes a letter that was tried `tries` times to be sent until `until`; `false` if another process took it. Whoever dies
/// with it in hand leaves it to be sent again.
pub fn claim(tx: &mut Tx<'_>, mail: MailId, tries: u32, until: Ms) -> Result<bool, DbError> {
    let taken = tx.exec(
        "UPDATE mail SET tries = tries + 1, due_at_ms = ?3 WHERE id = ?1 AND tries = ?2 AND status = 'queued'",
        &[text(mail), tries.into(), until.0.into()],
    )?;
    Ok(taken == 1)
}

/// Notes that a letter was sent: its link is forgotten here.
pub fn sent(tx: &mut Tx<'_>, mail: MailId, now: Ms) -> Result<(), DbError> {
    tx.exec(
        "UPDATE mail SET status = 'sent', ended_at_ms = ?2, error = '', link = '' WHERE id = ?1 AND status = 'queued'",
        &[text(mail), now.0.into()],
    )?;
    Ok(())
}

/// Notes why a letter was not sent, and when it is tried again.
pub fn put_off(tx: &mut Tx<'_>, mail: MailId, due_at: Ms, error: &str) -> Result<(), DbError> {
    tx.exec(
        "UPDATE mail SET due_at_ms = ?2, error = ?3 WHERE id = ?1 AND status = 'queued'",
        &[text(mail), due_at.0.into(), error.into()],
    )?;
    Ok(())
}

/// Notes that a letter is given up.
pub fn failed(tx: &mut Tx<'_>, mail: MailId, now: Ms, error: &str) -> Result<(), DbError> {
    tx.exec(
        "UPDATE mail SET status = 'failed', ended_at_ms = ?2, error = ?3 WHERE id = ?1 AND status = 'queued'",
        &[text(mail), now.0.into(), error.into()],
    )?;
    Ok(())
}

/// Puts a letter that was given up into the queue anew; `false` if it is not one, or its link has ended.
pub fn again(tx: &mut Tx<'_>, mail: MailId, now: Ms) -> Result<bool, DbError> {
    let queued = tx.exec(
        "UPDATE mail SET status = 'queued', due_at_ms = ?2, created_at_ms = ?2, tries = 0, ended_at_ms = NULL, error = ''
         WHERE id = ?1 AND status = 'failed' AND good_until_ms > ?2",
        &[text(mail), now.0.into()],
    )?;
    Ok(queued == 1)
}

/// Whether there is anything to give up.
pub fn late(tx: &mut Tx<'_>, before: Ms, now: Ms) -> Result<bool, DbError> {
    let sql = "SELECT 1 FROM mail WHERE status = 'queued' AND (created_at_ms <= ?1 OR good_until_ms <= ?2) LIMIT 1";
    Ok(tx.one(sql, &[before.0.into(), now.0.into()], |_| Ok(()))?.is_some())
}

/// Gives up what was written before `before` and nobody took, and what nobody needs any more.
pub fn give_up(tx: &mut Tx<'_>, before: Ms, now: Ms) -> Result<u64, DbError> {
    tx.exec(
        "UPDATE mail SET status = 'failed', ended_at_ms = ?2,
                error = CASE WHEN error <> '' THEN error WHEN good_until_ms <= ?2 THEN 'its link ended before it was sent'
                             ELSE 'no mail server took it for 48 hours' END
         WHERE status = 'queued' AND (created_at_ms <= ?1 OR good_until_ms <= ?2)",
        &[before.0.into(), now.0.into()],
    )
}

/// Forgets letters that ended before `before`, and links that have ended at `now`.
pub fn sweep(tx: &mut Tx<'_>, before: Ms, now: Ms) -> Result<u64, DbError> {
    tx.exec("UPDATE mail SET link = '' WHERE link <> '' AND good_until_ms <= ?1", &[now.0.into()])?;
    tx.exec("DELETE FROM mail WHERE ended_at_ms <= ?1", &[before.0.into()])
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT m.id, m.kind, m.account, a.name, a.email, m.recipient, m.subject, m.body, m.link, m.status, m.tries,
                    m.created_at_ms, m.due_at_ms, m.ended_at_ms, m.error
             FROM mail m LEFT JOIN account a ON a.id = m.account ",
            $rest
        )
    };
}

/// A letter as operators see it; `with_links` with what only its reader should see.
fn read(row: &Row<'_>, with_links: bool) -> Result<Mail, DbError> {
    let status = word(row, 9, MailStatus::from_word)?;
    let queued = status == MailStatus::Queued;
    let (name, email) = (row.opt_text(3)?.unwrap_or_default(), row.opt_text(4)?.unwrap_or_default());
    let link = if with_links && queued { row.str(8)? } else { "(the link is shown to the reader only)" };
    Ok(Mail {
        id: id(row, 0)?,
        kind: row.text(1)?,
        account: opt_id(row, 2)?.map(|id| AccountRef { id, name, email }),
        to: row.text(5)?,
        subject: row.text(6)?,
        body: row.str(7)?.replace(LINK, link),
        status,
        tries: whole(row, 10)?,
        created_at: time(row, 11)?,
        due_at: opt_ms(row, 12)?.filter(|_| queued).map(Time),
        ended_at: opt_ms(row, 13)?.map(Time),
        error: row.text(14)?,
    })
}

/// Letters, newest first; of one status, or all.
pub fn list(
    tx: &mut Tx<'_>,
    status: Option<MailStatus>,
    keyset: &Keyset,
    with_links: bool,
) -> Result<Vec<Mail>, DbError> {
    match status {
        Some(status) => tx.all(
            select!("WHERE m.status = ?1 AND m.id < ?2 ORDER BY m.id DESC LIMIT ?3"),
            &[status.word().into(), keyset.before(), keyset.limit()],
            |row| read(row, with_links),
        ),
        None => {
            tx.all(select!("WHERE m.id < ?1 ORDER BY m.id DESC LIMIT ?2"), &[keyset.before(), keyset.limit()], |row| {
                read(row, with_links)
            })
        }
    }
}

/// One letter.
pub fn get(tx: &mut Tx<'_>, mail: MailId, with_links: bool) -> Result<Option<Mail>, DbError> {
    tx.one(select!("WHERE m.id = ?1"), &[text(mail)], |row| read(row, with_links))
}

/// What the mail server said of the newest letter to an account that was given up since `since`, unless one was sent after.
pub fn undelivered(tx: &mut Tx<'_>, account: AccountId, since: Ms) -> Result<Option<String>, DbError> {
    let newest = tx.one(
        "SELECT m.status, m.error FROM mail m JOIN account a ON a.id = m.account AND a.email = m.recipient
         WHERE m.account = ?1 AND m.ended_at_ms > ?2 ORDER BY m.ended_at_ms DESC, m.id DESC LIMIT 1",
        &[text(account), since.0.into()],
        |row| Ok((word(row, 0, MailStatus::from_word)?, row.text(1)?)),
    )?;
    Ok(newest.filter(|(status, _)| *status == MailStatus::Failed).map(|(_, error)| error))
}

/// What the mail server said of the newest letter of a kind to an account, if it has not taken it.
pub fn refused(tx: &mut Tx<'_>, account: AccountId, kind: &str) -> Result<Option<String>, DbError> {
    let newest = tx.one(
        "SELECT status, error FROM mail WHERE account = ?1 AND kind = ?2 ORDER BY id DESC LIMIT 1",
        &[text(account), kind.into()],
        |row| Ok((word(row, 0, MailStatus::from_word)?, row.text(1)?)),
    )?;
    Ok(newest.filter(|(status, error)| *status != MailStatus::Sent && !error.is_empty()).map(|(_, error)| error))
}

/// How many letters were given up since `since`.
pub fn failed_since(tx: &mut Tx<'_>, since: Ms) -> Result<u64, DbError> {
    let sql = "SELECT COUNT(*) FROM mail WHERE status = 'failed' AND ended_at_ms > ?1";
    Ok(tx.one(sql, &[since.0.into()], |row| whole(row, 0))?.unwrap_or(0))
}
