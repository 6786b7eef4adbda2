//! Tables `grant_document` and `grant_line`: every document that was issued, and its rows as counting needs them.

use super::promises;
use super::workstations::WorkstationRow;
use super::{Keyset, id, json, ms, rev, text, to_json, whole, word};
use leasehold_core::grant::{CountedLine, IssuedDocument, Line, Promise};
use leasehold_core::ids::{AccountId, GrantId, LicenseId, LineId, RequestId, WorkstationId};
use leasehold_core::license::{Mode, Scope};
use leasehold_core::time::Ms;
use leasehold_db::{DbError, Row, Tx};
use leasehold_wire::portal::WorkstationStatus;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A document as it was issued. Also what `grants.log` keeps of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DocumentRow {
    /// Its id.
    pub id: GrantId,
    /// For which workstation.
    pub workstation: WorkstationId,
    /// Its number.
    pub rev: u64,
    /// The signed token.
    pub token: String,
    /// Its rows.
    pub lines: Vec<StoredLine>,
    /// When it was issued.
    pub issued_at: Ms,
    /// The latest end of its rows.
    pub ends_at: Ms,
}

/// A row of a document.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StoredLine {
    /// As it was signed.
    pub line: Line,
    /// When the portal frees it, decided when it was issued.
    pub freed_at: Ms,
}

/// A document that has yet to be appended to `grants.log`, with all that makes it whole without this database.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Unlogged {
    /// Its workstation.
    pub workstation: WorkstationRow,
    /// The document.
    pub document: DocumentRow,
    /// The request file that it answers, if there was one in the same instant.
    pub request: Option<RequestId>,
}

/// What one workstation may be using of one license.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claim {
    /// Which workstation.
    pub workstation: WorkstationId,
    /// Its name.
    pub name: String,
    /// Its status.
    pub status: WorkstationStatus,
    /// Whose it is.
    pub owner: AccountId,
    /// For whom it works.
    pub scope: Scope,
    /// How it gets its documents.
    pub mode: Mode,
    /// Documents before this are void.
    pub acknowledged_rev: u64,
    /// Number of its newest document, which may hold nothing of the license.
    pub newest_rev: u64,
    /// The documents it may obey.
    pub documents: Vec<IssuedDocument>,
}

/// Writes a document and its rows; `false` if the workstation has one with that number, or the id is known.
/// `to_log`: it has to be appended to `grants.log` before anybody sees it.
pub fn insert(tx: &mut Tx<'_>, new: &DocumentRow, to_log: bool) -> Result<bool, DbError> {
    let written = tx.exec(
        "INSERT INTO grant_document (id, workstation, rev, token, lines, issued_at_ms, ends_at_ms, to_log)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
        &[
            text(new.id),
            text(new.workstation),
            rev(new.rev),
            (&new.token).into(),
            to_json(&new.lines)?,
            new.issued_at.0.into(),
            new.ends_at.0.into(),
            to_log.into(),
        ],
    )?;
    if written == 0 {
        return Ok(false);
    }
    for StoredLine { line, freed_at } in &new.lines {
        tx.exec(
            "INSERT INTO grant_line (document, line, license, seats, until_ms, freed_at_ms, workstation, rev, pinned)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            &[
                text(new.id),
                text(line.line),
                text(line.license),
                line.seats.into(),
                line.until.0.into(),
                freed_at.0.into(),
                text(new.workstation),
                rev(new.rev),
                line.terms.pinned.into(),
            ],
        )?;
    }
    Ok(true)
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT d.id, d.workstation, d.rev, d.token, d.lines, d.issued_at_ms, d.ends_at_ms FROM grant_document d ",
            $rest
        )
    };
}

fn read(row: &Row<'_>) -> Result<DocumentRow, DbError> {
    Ok(DocumentRow {
        id: id(row, 0)?,
        workstation: id(row, 1)?,
        rev: whole(row, 2)?,
        token: row.text(3)?,
        lines: json(row, 4)?,
        issued_at: ms(row, 5)?,
        ends_at: ms(row, 6)?,
    })
}

/// Whether a workstation was issued a document of this number.
pub fn exists(tx: &mut Tx<'_>, workstation: WorkstationId, number: u64) -> Result<bool, DbError> {
    let sql = "SELECT 1 FROM grant_document WHERE workstation = ?1 AND rev = ?2";
    Ok(tx.one(sql, &[text(workstation), rev(number)], |_| Ok(()))?.is_some())
}

/// The signed token of a document.
pub fn token(tx: &mut Tx<'_>, workstation: WorkstationId, number: u64) -> Result<Option<String>, DbError> {
    let sql = "SELECT token FROM grant_document WHERE workstation = ?1 AND rev = ?2";
    tx.one(sql, &[text(workstation), rev(number)], |row| row.text(0))
}

/// A server promised to use no more than `seats` of a license by one of its documents: from now on it counts for no
/// more, but for what is kept for use without a portal. The signed document stays as it is.
pub fn lower(
    tx: &mut Tx<'_>,
    workstation: WorkstationId,
    number: u64,
    license: LicenseId,
    seats: u32,
) -> Result<(), DbError> {
    tx.exec(
        "UPDATE grant_line SET seats = ?4 WHERE workstation = ?1 AND rev = ?2 AND license = ?3 AND seats > ?4
            AND pinned = 0",
        &[text(workstation), rev(number), text(license), seats.into()],
    )?;
    Ok(())
}

/// Seats that the rows of a document count for, by row: fewer than were signed if some were given back.
pub fn counted_rows(tx: &mut Tx<'_>, document: GrantId) -> Result<BTreeMap<LineId, u32>, DbError> {
    let sql = "SELECT line, seats FROM grant_line WHERE document = ?1";
    Ok(tx.all(sql, &[text(document)], |row| Ok((id(row, 0)?, whole(row, 1)?)))?.into_iter().collect())
}

/// The licenses in one document of a workstation.
pub fn licenses_of(tx: &mut Tx<'_>, workstation: WorkstationId, number: u64) -> Result<Vec<LicenseId>, DbError> {
    let sql = "SELECT DISTINCT license FROM grant_line WHERE workstation = ?1 AND rev = ?2 ORDER BY license";
    tx.all(sql, &[text(workstation), rev(number)], |row| id(row, 0))
}

/// One license that a workstation may be using.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Held {
    /// Which.
    pub license: LicenseId,
    /// Until when it may at the latest.
    pub until: Ms,
}

/// The licenses of which a workstation may be using seats at `now`, by documents from number `from` on.
pub fn held_from(tx: &mut Tx<'_>, workstation: WorkstationId, from: u64, now: Ms) -> Result<Vec<Held>, DbError> {
    tx.all(
        "SELECT license, MAX(until_ms) FROM grant_line
         WHERE workstation = ?1 AND rev >= ?2 AND freed_at_ms > ?3 AND seats > 0 GROUP BY license ORDER BY license",
        &[text(workstation), rev(from), now.0.into()],
        |row| Ok(Held { license: id(row, 0)?, until: ms(row, 1)? }),
    )
}

/// From now on no document of a workstation with a number from `from` to `to` counts for more than `left` seats of a license: others
/// may have the rest, although the server may still obey what was signed. What lasts longest counts on.
pub fn count_at_most(
    tx: &mut Tx<'_>,
    workstation: WorkstationId,
    (from, to): (u64, u64),
    license: LicenseId,
    left: u32,
) -> Result<(), DbError> {
    let rows = tx.all(
        "SELECT document, line, seats FROM grant_line
         WHERE workstation = ?1 AND rev >= ?2 AND rev <= ?3 AND license = ?4 AND seats > 0
         ORDER BY document, freed_at_ms DESC, line",
        &[text(workstation), rev(from), rev(to), text(license)],
        |row| Ok((row.text(0)?, row.text(1)?, whole::<u32>(row, 2)?)),
    )?;
    let (mut of, mut room) = (String::new(), left);
    for (document, line, seats) in rows {
        if document != of {
            (of, room) = (document.clone(), left);
        }
        let counts = seats.min(room);
        room -= counts;
        if counts < seats {
            tx.exec(
                "UPDATE grant_line SET seats = ?3 WHERE document = ?1 AND line = ?2",
                &[(&document).into(), (&line).into(), counts.into()],
            )?;
        }
    }
    Ok(())
}

/// The rows of documents with numbers from `from` to below `to` count for nothing from now on: the server said that it
/// obeys none of them. They would not be counted anyway; this is so that counting need not look at them.
pub fn void(tx: &mut Tx<'_>, workstation: WorkstationId, from: u64, to: u64) -> Result<(), DbError> {
    tx.exec(
        "UPDATE grant_line SET freed_at_ms = 0 WHERE workstation = ?1 AND rev >= ?2 AND rev < ?3 AND freed_at_ms > 0",
        &[text(workstation), rev(from), rev(to)],
    )?;
    Ok(())
}

/// Removes documents that came by sync, are void since `before`, and were followed by others.
pub fn sweep(tx: &mut Tx<'_>, before: Ms) -> Result<u64, DbError> {
    tx.exec(
        "DELETE FROM grant_line WHERE document IN (
             SELECT d.id FROM grant_document d JOIN workstation w ON w.id = d.workstation
             WHERE w.mode = 'online' AND d.rev < w.acknowledged_rev AND d.issued_at_ms < ?1 AND d.to_log = 0)",
        &[before.0.into()],
    )?;
    tx.exec(
        "DELETE FROM grant_document WHERE issued_at_ms < ?1 AND to_log = 0
           AND NOT EXISTS (SELECT 1 FROM grant_line l WHERE l.document = grant_document.id)
           AND EXISTS (SELECT 1 FROM workstation w WHERE w.id = grant_document.workstation AND w.mode = 'online'
                         AND grant_document.rev < w.acknowledged_rev)",
        &[before.0.into()],
    )
}

/// The document of a workstation with the highest number.
pub fn newest(tx: &mut Tx<'_>, workstation: WorkstationId) -> Result<Option<DocumentRow>, DbError> {
    tx.one(select!("WHERE d.workstation = ?1 ORDER BY d.rev DESC LIMIT 1"), &[text(workstation)], read)
}

/// The documents of a workstation, newest first.
pub fn list_of(tx: &mut Tx<'_>, workstation: WorkstationId, keyset: &Keyset) -> Result<Vec<DocumentRow>, DbError> {
    tx.all(
        select!("WHERE d.workstation = ?1 AND d.id < ?2 ORDER BY d.id DESC LIMIT ?3"),
        &[text(workstation), keyset.before(), keyset.limit()],
        read,
    )
}

/// The documents of a workstation from number `from` on that hold something alive at `now`.
pub fn alive_from(
    tx: &mut Tx<'_>,
    workstation: WorkstationId,
    from: u64,
    now: Ms,
) -> Result<Vec<DocumentRow>, DbError> {
    tx.all(
        select!(
            "WHERE d.workstation = ?1 AND d.rev >= ?2
               AND EXISTS (SELECT 1 FROM grant_line l WHERE l.document = d.id AND l.freed_at_ms > ?3)
             ORDER BY d.rev"
        ),
        &[text(workstation), rev(from), now.0.into()],
        read,
    )
}

/// The licenses of which a workstation holds something alive at `now`, by documents from number `from` on.
pub fn licenses_alive_from(
    tx: &mut Tx<'_>,
    workstation: WorkstationId,
    from: u64,
    now: Ms,
) -> Result<Vec<LicenseId>, DbError> {
    tx.all(
        "SELECT DISTINCT license FROM grant_line WHERE workstation = ?1 AND rev >= ?2 AND freed_at_ms > ?3",
        &[text(workstation), rev(from), now.0.into()],
        |row| id(row, 0),
    )
}

/// The row id under which a workstation has held seats of a license, `pinned` or not, so that a renewed line keeps its
/// name.
pub fn line_id(
    tx: &mut Tx<'_>,
    workstation: WorkstationId,
    license: LicenseId,
    pinned: bool,
) -> Result<Option<LineId>, DbError> {
    tx.one(
        "SELECT line FROM grant_line WHERE workstation = ?1 AND license = ?2 AND pinned = ?3 ORDER BY rev DESC LIMIT 1",
        &[text(workstation), text(license), pinned.into()],
        |row| id(row, 0),
    )
}

/// What each workstation may be using of a license at `now`: the rows alive in the documents it may obey.
pub fn claims(tx: &mut Tx<'_>, license: LicenseId, now: Ms) -> Result<Vec<Claim>, DbError> {
    let rows = tx.all(
        "SELECT w.id, w.name, w.status, w.acknowledged_rev, l.rev, l.seats, l.freed_at_ms, w.owner, w.scope, w.mode,
             w.newest_rev, l.pinned, p.rev, p.seats, p.pinned
         FROM grant_line l JOIN workstation w ON w.id = l.workstation
             LEFT JOIN promise p ON p.license = l.license AND p.workstation = l.workstation
         WHERE l.license = ?1 AND l.freed_at_ms > ?2 AND l.rev >= w.acknowledged_rev
         ORDER BY l.workstation, l.rev",
        &[text(license), now.0.into()],
        |row| {
            let claim = Claim {
                workstation: id(row, 0)?,
                name: row.text(1)?,
                status: word(row, 2, WorkstationStatus::from_word)?,
                owner: id(row, 7)?,
                scope: word(row, 8, Scope::from_word)?,
                mode: word(row, 9, Mode::from_word)?,
                acknowledged_rev: whole(row, 3)?,
                newest_rev: whole(row, 10)?,
                documents: Vec::new(),
            };
            let line = CountedLine { license, seats: whole(row, 5)?, freed_at: ms(row, 6)?, pinned: row.bool(11)? };
            let promise = match row.opt_int(12)? {
                Some(_) => Some(Promise { rev: whole(row, 12)?, seats: whole(row, 13)?, pinned: whole(row, 14)? }),
                None => None,
            };
            Ok((claim, promise, whole::<u64>(row, 4)?, line))
        },
    )?;
    let mut claims: Vec<(Claim, Option<Promise>)> = Vec::new();
    for (claim, promise, rev, line) in rows {
        if claims.last().is_none_or(|(last, _)| last.workstation != claim.workstation) {
            claims.push((claim, promise));
        }
        if let Some((claim, _)) = claims.last_mut() {
            add(&mut claim.documents, rev, line);
        }
    }
    let bounded = |(mut claim, promise): (Claim, Option<Promise>)| {
        if let Some(promise) = promise {
            promise.bound(&mut claim.documents, license, now);
        }
        claim
    };
    Ok(claims.into_iter().map(bounded).collect())
}

/// Adds a row to documents in order of their numbers.
fn add(documents: &mut Vec<IssuedDocument>, rev: u64, line: CountedLine) {
    match documents.last_mut().filter(|document| document.rev == rev) {
        Some(document) => document.lines.push(line),
        None => documents.push(IssuedDocument { rev, lines: vec![line] }),
    }
}

/// What one workstation may be using of anything at `now`: the rows alive in its documents from number `from` on, as they
/// count, and when the last of them ends.
pub fn counted_of(
    tx: &mut Tx<'_>,
    workstation: WorkstationId,
    from: u64,
    now: Ms,
) -> Result<(Vec<IssuedDocument>, Option<Ms>), DbError> {
    let rows = tx.all(
        "SELECT rev, license, seats, freed_at_ms, until_ms, pinned FROM grant_line
         WHERE workstation = ?1 AND rev >= ?2 AND freed_at_ms > ?3 AND seats > 0 ORDER BY rev, license",
        &[text(workstation), rev(from), now.0.into()],
        |row| {
            let line = CountedLine {
                license: id(row, 1)?,
                seats: whole(row, 2)?,
                freed_at: ms(row, 3)?,
                pinned: row.bool(5)?,
            };
            Ok((whole::<u64>(row, 0)?, line, ms(row, 4)?))
        },
    )?;
    let (mut documents, mut until) = (Vec::new(), None);
    for (rev, line, line_until) in rows {
        add(&mut documents, rev, line);
        until = until.max(Some(line_until));
    }
    for (license, promise) in promises::of(tx, workstation)? {
        promise.bound(&mut documents, license, now);
    }
    Ok((documents, until))
}

/// Documents that have yet to be appended to `grants.log`, oldest first, at most `limit`.
pub fn unlogged(tx: &mut Tx<'_>, limit: u32) -> Result<Vec<Unlogged>, DbError> {
    let documents = tx.all(select!("WHERE d.to_log = 1 ORDER BY d.id LIMIT ?1"), &[limit.into()], read)?;
    documents.into_iter().map(|document| with_request(tx, document)).collect()
}

/// The same for one workstation.
pub fn unlogged_of(tx: &mut Tx<'_>, workstation: WorkstationId) -> Result<Vec<Unlogged>, DbError> {
    let documents =
        tx.all(select!("WHERE d.to_log = 1 AND d.workstation = ?1 ORDER BY d.id"), &[text(workstation)], read)?;
    documents.into_iter().map(|document| with_request(tx, document)).collect()
}

fn with_request(tx: &mut Tx<'_>, document: DocumentRow) -> Result<Unlogged, DbError> {
    let request = tx.one(
        "SELECT id FROM activation_request WHERE workstation = ?1 AND used_at_ms = ?2",
        &[text(document.workstation), document.issued_at.0.into()],
        |row| id(row, 0),
    )?;
    let workstation = super::workstations::get(tx, document.workstation)?
        .ok_or_else(|| DbError::Value("a document has no workstation".to_owned()))?;
    Ok(Unlogged { workstation: workstation.row, document, request })
}

/// Notes that a document is in `grants.log`.
pub fn logged(tx: &mut Tx<'_>, document: GrantId) -> Result<(), DbError> {
    tx.exec("UPDATE grant_document SET to_log = 0 WHERE id = ?1", &[text(document)])?;
    Ok(())
}
