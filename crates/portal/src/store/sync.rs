//! Tables `sync`, `want` and `recall`: what servers said last, what was answered, who waits for seats, and what an
//! administrator asked back. Written by whoever has the workstation locked; wants and recalls with the license locked.

use super::{id, json, ms, opt_ms, rev, text, to_json, whole, word};
use leasehold_core::ids::{AccountId, LicenseId, WorkstationId};
use leasehold_core::license::Scope;
use leasehold_core::sync::{PoolShare, Report, Want};
use leasehold_core::time::Ms;
use leasehold_db::{DbError, Row, Tx};
use std::collections::BTreeMap;

/// What a workstation said of its licenses.
pub type Reports = BTreeMap<LicenseId, Report>;

/// The newest sync of a workstation.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SyncRow {
    /// Number of the newest request that was taken.
    pub seq: u64,
    /// Hash of its body, in hex.
    pub request_sha256: String,
    /// The signed answer.
    pub answer: String,
    /// Its hash, in hex.
    pub answer_sha256: String,
    /// When it was taken.
    pub seen_at: Ms,
    /// When it was signed, by the server's wall clock.
    pub signed_at: Ms,
    /// What it said.
    pub report: Reports,
    /// Seats that it was told to hand over.
    pub told: BTreeMap<LicenseId, u32>,
    /// It is being disabled.
    pub draining: bool,
    /// The licenses of its newest answer.
    pub pools: Vec<PoolShare>,
    /// Its bell in the newest answer.
    pub bell: u64,
    /// How often there had been news for it then.
    pub news: u64,
    /// Until then the same can be answered to the same, if there was no news and nobody wants seats of its licenses.
    pub repeat_until: Ms,
    /// When another server came with the same key.
    pub forked_at: Option<Ms>,
    /// The machine of that other server; hostile text.
    pub forked_host: String,
}

fn read(row: &Row<'_>) -> Result<SyncRow, DbError> {
    Ok(SyncRow {
        seq: whole(row, 0)?,
        request_sha256: row.text(1)?,
        answer: row.text(2)?,
        answer_sha256: row.text(3)?,
        seen_at: ms(row, 4)?,
        report: json(row, 5)?,
        forked_at: opt_ms(row, 6)?,
        forked_host: row.text(7)?,
        signed_at: ms(row, 8)?,
        told: json(row, 9)?,
        draining: row.bool(10)?,
        pools: json(row, 11)?,
        bell: whole(row, 12)?,
        repeat_until: ms(row, 13)?,
        news: whole(row, 14)?,
    })
}

/// The newest sync of a workstation, if it was ever online.
pub fn get(tx: &mut Tx<'_>, workstation: WorkstationId) -> Result<Option<SyncRow>, DbError> {
    tx.one(
        "SELECT seq, request_sha256, answer, answer_sha256, seen_at_ms, report, forked_at_ms, forked_host, signed_at_ms,
             told, draining, pools, bell, repeat_until_ms, news
         FROM sync WHERE workstation = ?1",
        &[text(workstation)],
        read,
    )
}

/// Writes it.
pub fn put(tx: &mut Tx<'_>, workstation: WorkstationId, new: &SyncRow) -> Result<(), DbError> {
    tx.exec(
        "INSERT INTO sync (workstation, seq, request_sha256, answer, answer_sha256, seen_at_ms, report, forked_at_ms,
                           forked_host, signed_at_ms, told, draining, pools, bell, repeat_until_ms, news)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
         ON CONFLICT (workstation) DO UPDATE SET seq = ?2, request_sha256 = ?3, answer = ?4, answer_sha256 = ?5,
             seen_at_ms = ?6, report = ?7, forked_at_ms = ?8, forked_host = ?9, signed_at_ms = ?10, told = ?11,
             draining = ?12, pools = ?13, bell = ?14, repeat_until_ms = ?15,
             news = ?16",
        &[
            text(workstation),
            rev(new.seq),
            (&new.request_sha256).into(),
            (&new.answer).into(),
            (&new.answer_sha256).into(),
            new.seen_at.0.into(),
            to_json(&new.report)?,
            new.forked_at.map(|at| at.0).into(),
            (&new.forked_host).into(),
            new.signed_at.0.into(),
            to_json(&new.told)?,
            new.draining.into(),
            to_json(&new.pools)?,
            rev(new.bell),
            new.repeat_until.0.into(),
            rev(new.news),
        ],
    )?;
    Ok(())
}

/// One server that may have seats, as it was heard of last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Heard {
    /// Which.
    pub workstation: WorkstationId,
    /// For whom it works.
    pub scope: Scope,
    /// When.
    pub seen_at: Ms,
    /// What it said.
    pub reports: Reports,
    /// Seats that it was told to hand over.
    pub told: BTreeMap<LicenseId, u32>,
    /// It is being disabled.
    pub draining: bool,
}

/// What the online servers of an account said, in order of workstation.
pub fn heard(tx: &mut Tx<'_>, owner: AccountId) -> Result<Vec<Heard>, DbError> {
    tx.all(
        "SELECT w.id, s.seen_at_ms, s.report, s.told, s.draining, w.scope
         FROM workstation w JOIN sync s ON s.workstation = w.id
         WHERE w.owner = ?1 AND w.mode = 'online' AND w.status = 'active' ORDER BY w.id",
        &[text(owner)],
        |row| {
            let scope = word(row, 5, Scope::from_word)?;
            let (reports, told) = (json(row, 2)?, json(row, 3)?);
            Ok(Heard { workstation: id(row, 0)?, scope, seen_at: ms(row, 1)?, reports, told, draining: row.bool(4)? })
        },
    )
}

/// Seats that somebody asked for at a server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WantRow {
    /// At which.
    pub workstation: WorkstationId,
    /// How many, for how many of them somebody waited, and since when.
    pub want: Want,
    /// When the server said so last.
    pub asked_at: Ms,
}

/// What servers said after `after` that they want of a license.
pub fn wants(tx: &mut Tx<'_>, license: LicenseId, after: Ms) -> Result<Vec<WantRow>, DbError> {
    tx.all(
        "SELECT workstation, seats, waiting, since_ms, asked_at_ms FROM want WHERE license = ?1 AND asked_at_ms > ?2",
        &[text(license), after.0.into()],
        |row| {
            let want = Want { seats: whole(row, 1)?, waiting: whole(row, 2)?, since: ms(row, 3)? };
            Ok(WantRow { workstation: id(row, 0)?, want, asked_at: ms(row, 4)? })
        },
    )
}

/// Whether any server said after `after` that it wants seats of a license of an account, or of one of which some are
/// assigned to it.
pub fn anybody_wants(tx: &mut Tx<'_>, account: AccountId, after: Ms) -> Result<bool, DbError> {
    let sql = "SELECT 1 FROM want w JOIN license l ON l.id = w.license
               WHERE w.asked_at_ms > ?2 AND (l.owner = ?1 OR EXISTS (
                   SELECT 1 FROM assignment a WHERE a.license = w.license AND a.account = ?1)) LIMIT 1";
    Ok(tx.one(sql, &[text(account), after.0.into()], |_| Ok(()))?.is_some())
}

/// A server wants that.
pub fn want(tx: &mut Tx<'_>, license: LicenseId, row: &WantRow) -> Result<(), DbError> {
    tx.exec(
        "INSERT INTO want (license, workstation, seats, waiting, since_ms, asked_at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (license, workstation) DO UPDATE SET seats = ?3, waiting = ?4, since_ms = ?5, asked_at_ms = ?6",
        &[
            text(license),
            text(row.workstation),
            row.want.seats.into(),
            row.want.waiting.into(),
            row.want.since.0.into(),
            row.asked_at.0.into(),
        ],
    )?;
    Ok(())
}

/// A server wants nothing.
pub fn want_nothing(tx: &mut Tx<'_>, license: LicenseId, workstation: WorkstationId) -> Result<(), DbError> {
    tx.exec("DELETE FROM want WHERE license = ?1 AND workstation = ?2", &[text(license), text(workstation)])?;
    Ok(())
}

/// From which servers an administrator asked seats of a license back not long ago, and how many are still to come.
pub fn recalled(tx: &mut Tx<'_>, license: LicenseId, now: Ms) -> Result<BTreeMap<WorkstationId, u32>, DbError> {
    let rows = tx.all(
        "SELECT workstation, seats FROM recall WHERE license = ?1 AND until_ms > ?2",
        &[text(license), now.0.into()],
        |row| Ok((id(row, 0)?, whole(row, 1)?)),
    )?;
    Ok(rows.into_iter().collect())
}

/// Notes how many seats are still to come.
pub fn set_recalled(
    tx: &mut Tx<'_>,
    license: LicenseId,
    workstation: WorkstationId,
    seats: u32,
) -> Result<(), DbError> {
    tx.exec(
        "UPDATE recall SET seats = ?3 WHERE license = ?1 AND workstation = ?2",
        &[text(license), text(workstation), seats.into()],
    )?;
    Ok(())
}

/// An administrator asks seats back from a server, until `until`.
pub fn recall(
    tx: &mut Tx<'_>,
    license: LicenseId,
    workstation: WorkstationId,
    seats: u32,
    until: Ms,
) -> Result<(), DbError> {
    tx.exec(
        "INSERT INTO recall (license, workstation, seats, until_ms) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (license, workstation) DO UPDATE SET seats = ?3, until_ms = ?4",
        &[text(license), text(workstation), seats.into(), until.0.into()],
    )?;
    Ok(())
}

/// Removes wants that were not said after `after`, and recalls that are over.
pub fn sweep(tx: &mut Tx<'_>, now: Ms, after: Ms) -> Result<(), DbError> {
    tx.exec("DELETE FROM want WHERE asked_at_ms <= ?1", &[after.0.into()])?;
    tx.exec("DELETE FROM recall WHERE until_ms <= ?1", &[now.0.into()])?;
    Ok(())
}
