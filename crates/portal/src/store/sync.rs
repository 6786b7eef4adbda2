//! Tables `sync`, `report`, `want` and `recall`: what servers said last, what was answered, who waits for seats, and what
//! an administrator asked back. Written by whoever has the workstation locked; wants and recalls with the license locked.

use super::{id, json, ms, opt_ms, rev, text, to_json, whole, word};
use leasehold_core::ids::{AccountId, LicenseId, WorkstationId};
use leasehold_core::license::Scope;
use leasehold_core::sync::{PoolShare, Report, Want};
use leasehold_core::time::Ms;
use leasehold_db::{DbError, Row, Tx};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

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
    /// It is being disabled.
    pub draining: bool,
    /// The licenses of its newest answer.
    pub pools: Vec<PoolShare>,
    /// How often there had been news for it then ([`super::bells::Bell`]).
    pub news: u64,
    /// Until then what did not change need not be looked at.
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
        forked_at: opt_ms(row, 5)?,
        forked_host: row.text(6)?,
        signed_at: ms(row, 7)?,
        draining: row.bool(8)?,
        pools: json(row, 9)?,
        repeat_until: ms(row, 10)?,
        news: whole(row, 11)?,
    })
}

/// The newest sync of a workstation, if it was ever online.
pub fn get(tx: &mut Tx<'_>, workstation: WorkstationId) -> Result<Option<SyncRow>, DbError> {
    tx.one(
        "SELECT seq, request_sha256, answer, answer_sha256, seen_at_ms, forked_at_ms, forked_host, signed_at_ms, draining,
             pools, repeat_until_ms, news
         FROM sync WHERE workstation = ?1",
        &[text(workstation)],
        read,
    )
}

/// Writes it.
pub fn put(tx: &mut Tx<'_>, workstation: WorkstationId, new: &SyncRow) -> Result<(), DbError> {
    tx.exec(
        "INSERT INTO sync (workstation, seq, request_sha256, answer, answer_sha256, seen_at_ms, forked_at_ms,
                           forked_host, signed_at_ms, draining, pools, repeat_until_ms, news)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
         ON CONFLICT (workstation) DO UPDATE SET seq = ?2, request_sha256 = ?3, answer = ?4, answer_sha256 = ?5,
             seen_at_ms = ?6, forked_at_ms = ?7, forked_host = ?8, signed_at_ms = ?9, draining = ?10, pools = ?11,
             repeat_until_ms = ?12, news = ?13",
        &[
            text(workstation),
            rev(new.seq),
            (&new.request_sha256).into(),
            (&new.answer).into(),
            (&new.answer_sha256).into(),
            new.seen_at.0.into(),
            new.forked_at.map(|at| at.0).into(),
            (&new.forked_host).into(),
            new.signed_at.0.into(),
            new.draining.into(),
            to_json(&new.pools)?,
            new.repeat_until.0.into(),
            rev(new.news),
        ],
    )?;
    Ok(())
}

/// What a server said of a license, and what it was told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stated {
    /// What it said.
    pub report: Report,
    /// Seats that it was told to hand over.
    pub told: u32,
    /// Seats in use beside that run out: see [`leasehold_core::sync::SyncRequest::running_out`].
    pub running_out: Option<u32>,
}

macro_rules! stated {
    ($key:literal, $rest:literal) => {
        concat!("SELECT ", $key, ", keep, used, idle, want, waiting, peak, told, running_out FROM report WHERE ", $rest)
    };
}

fn stated<K: FromStr<Err: Display>>(row: &Row<'_>) -> Result<(K, Stated), DbError> {
    let report = Report {
        keep: whole(row, 1)?,
        used: whole(row, 2)?,
        idle: whole(row, 3)?,
        want: whole(row, 4)?,
        waiting: whole(row, 5)?,
        peak: whole(row, 6)?,
    };
    let running_out = row.opt_int(8)?.map(|seats| u32::try_from(seats).unwrap_or(u32::MAX));
    Ok((id(row, 0)?, Stated { report, told: whole(row, 7)?, running_out }))
}

/// What a server said last of each license.
pub fn stated_by(tx: &mut Tx<'_>, workstation: WorkstationId) -> Result<BTreeMap<LicenseId, Stated>, DbError> {
    let sql = stated!("license", "workstation = ?1 ORDER BY license");
    Ok(tx.all(sql, &[text(workstation)], stated)?.into_iter().collect())
}

/// What each server said last of a license.
pub fn stated_on(tx: &mut Tx<'_>, license: LicenseId) -> Result<BTreeMap<WorkstationId, Stated>, DbError> {
    let sql = stated!("workstation", "license = ?1 ORDER BY workstation");
    Ok(tx.all(sql, &[text(license)], stated)?.into_iter().collect())
}

/// Writes what a server says now, and is told, where it differs from `before`.
pub fn put_stated(
    tx: &mut Tx<'_>,
    workstation: WorkstationId,
    before: &BTreeMap<LicenseId, Stated>,
    now: &BTreeMap<LicenseId, Stated>,
) -> Result<(), DbError> {
    for license in before.keys().filter(|license| !now.contains_key(license)) {
        let sql = "DELETE FROM report WHERE license = ?1 AND workstation = ?2";
        tx.exec(sql, &[text(*license), text(workstation)])?;
    }
    for (license, stated) in now.iter().filter(|(license, stated)| before.get(license) != Some(stated)) {
        let Stated { report, told, running_out } = stated;
        tx.exec(
            "INSERT INTO report (license, workstation, keep, used, idle, want, waiting, peak, told, running_out)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
             ON CONFLICT (license, workstation) DO UPDATE SET keep = ?3, used = ?4, idle = ?5, want = ?6, waiting = ?7,
                 peak = ?8, told = ?9, running_out = ?10",
            &[
                text(*license),
                text(workstation),
                report.keep.into(),
                report.used.into(),
                report.idle.into(),
                report.want.into(),
                report.waiting.into(),
                report.peak.into(),
                (*told).into(),
                running_out.map(i64::from).into(),
            ],
        )?;
    }
    Ok(())
}

/// One server that may have seats, as it was heard of last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Heard {
    /// Which.
    pub workstation: WorkstationId,
    /// For whom it works.
    pub scope: Scope,
    /// When.
    pub seen_at: Ms,
    /// It is being disabled.
    pub draining: bool,
}

/// When the online servers of an account were heard of, in order of workstation.
pub fn heard(tx: &mut Tx<'_>, owner: AccountId) -> Result<Vec<Heard>, DbError> {
    tx.all(
        "SELECT w.id, s.seen_at_ms, s.draining, w.scope FROM workstation w JOIN sync s ON s.workstation = w.id
         WHERE w.owner = ?1 AND w.mode = 'online' AND w.status = 'active' ORDER BY w.id",
        &[text(owner)],
        |row| {
            let scope = word(row, 3, Scope::from_word)?;
            Ok(Heard { workstation: id(row, 0)?, scope, seen_at: ms(row, 1)?, draining: row.bool(2)? })
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
