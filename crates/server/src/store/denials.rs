//! Denials, one row for all tries of one want; and who gets no seat for a while.

use super::damaged;
use leasehold_core::codes::DenialCode;
use leasehold_core::engine::{Bar, DenialOutcome, DenialRow};
use leasehold_core::ids::DenialId;
use leasehold_core::license::FeatureCode;
use leasehold_core::pool::{Capacity, Release};
use leasehold_core::time::Ms;
use leasehold_db::{DbError, Row, Tx};
use std::sync::Arc;

/// Rows removed at a time: few enough that nobody waits for it.
const PRUNED_AT_ONCE: i64 = 2_000;

/// A whole row, and which.
macro_rules! select {
    ($which:literal) => {
        concat!(
            "SELECT id, feature, seats, user_name, host, address, version, code, total, in_use, borrowed, reserved, free,
                    first_at_ms, last_at_ms, tries, outcome, served_at_ms
             FROM denial ",
            $which
        )
    };
}

/// Writes a row, new or as it is now.
pub(super) fn set(tx: &mut Tx<'_>, row: &DenialRow) -> Result<(), DbError> {
    tx.exec(
        "INSERT INTO denial (id, feature, seats, user_name, host, address, version, code, total, in_use, borrowed, reserved,
                             free, first_at_ms, last_at_ms, tries, outcome, served_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)
         ON CONFLICT (id) DO UPDATE SET version = excluded.version, code = excluded.code, total = excluded.total,
                                        in_use = excluded.in_use, borrowed = excluded.borrowed,
                                        reserved = excluded.reserved, free = excluded.free,
                                        last_at_ms = excluded.last_at_ms, tries = excluded.tries,
                                        outcome = excluded.outcome, served_at_ms = excluded.served_at_ms",
        &[
            row.id.to_string().into(),
            row.feature.as_str().into(),
            row.seats.into(),
            (&*row.user).into(),
            (&*row.host).into(),
            row.address.to_string().into(),
            (&*row.version).into(),
            row.code.word().into(),
            row.capacity.total.into(),
            row.capacity.in_use.into(),
            row.capacity.borrowed.into(),
            row.capacity.reserved.into(),
            row.capacity.free.into(),
            row.first_at.0.into(),
            row.last_at.0.into(),
            row.tries.into(),
            row.outcome.word().into(),
            row.served_at.map(|at| at.0).into(),
        ],
    )?;
    Ok(())
}

/// Those that are open, in order of their last try.
pub(crate) fn open(tx: &mut Tx<'_>) -> Result<Vec<DenialRow>, DbError> {
    tx.all(select!("WHERE outcome = 'open' ORDER BY last_at_ms, id"), &[], read)
}

/// Which denials to read.
#[derive(Clone, Debug)]
pub(crate) struct DenialFilter {
    /// Only of this feature.
    pub(crate) feature: Option<FeatureCode>,
    /// Only with this outcome.
    pub(crate) outcome: Option<DenialOutcome>,
    /// Only rows before this one.
    pub(crate) below: Option<DenialId>,
    /// At most this many.
    pub(crate) limit: u32,
}

/// Denials, the newest first.
pub(crate) fn page(tx: &mut Tx<'_>, filter: &DenialFilter) -> Result<Vec<DenialRow>, DbError> {
    let sql = match (&filter.feature, filter.outcome) {
        // Few of many: found by its index.
        (_, Some(DenialOutcome::Open)) => {
            select!(
                "WHERE outcome = 'open' AND outcome = ?3 AND id < ?1 AND (?2 IS NULL OR feature = ?2)
                 ORDER BY id DESC LIMIT ?4"
            )
        }
        (Some(_), _) => {
            select!("WHERE feature = ?2 AND id < ?1 AND (?3 IS NULL OR outcome = ?3) ORDER BY id DESC LIMIT ?4")
        }
        (None, _) => {
            select!("WHERE id < ?1 AND ?2 IS NULL AND (?3 IS NULL OR outcome = ?3) ORDER BY id DESC LIMIT ?4")
        }
    };
    let values = [
        // After every id.
        filter.below.map_or_else(|| "~".to_owned(), |id| id.to_string()).into(),
        filter.feature.as_ref().map(FeatureCode::as_str).into(),
        filter.outcome.map(DenialOutcome::word).into(),
        filter.limit.into(),
    ];
    tx.all(sql, &values, read)
}

/// The oldest rows are the lowest ones.
pub(super) fn prune(tx: &mut Tx<'_>, before: Ms) -> Result<(), DbError> {
    tx.exec(
        "DELETE FROM denial WHERE id IN (SELECT id FROM denial ORDER BY id LIMIT ?2) AND last_at_ms < ?1
                              AND outcome <> 'open'",
        &[before.0.into(), PRUNED_AT_ONCE.into()],
    )?;
    Ok(())
}

fn read(row: &Row<'_>) -> Result<DenialRow, DbError> {
    let number = |column| Ok::<_, DbError>(u32::try_from(row.int(column)?).unwrap_or(u32::MAX));
    let parsed = (
        row.str(0)?.parse().ok(),
        FeatureCode::new(row.str(1)?).ok(),
        row.str(5)?.parse().ok(),
        DenialCode::from_word(row.str(7)?),
        DenialOutcome::from_word(row.str(16)?),
    );
    let (Some(id), Some(feature), Some(address), Some(code), Some(outcome)) = parsed else {
        return Err(damaged("denial"));
    };
    Ok(DenialRow {
        id,
        feature,
        seats: number(2)?,
        user: row.str(3)?.into(),
        host: row.str(4)?.into(),
        address,
        version: row.str(6)?.into(),
        code,
        capacity: Capacity {
            total: number(8)?,
            in_use: number(9)?,
            borrowed: number(10)?,
            reserved: number(11)?,
            free: number(12)?,
        },
        first_at: Ms(row.int(13)?),
        last_at: Ms(row.int(14)?),
        tries: number(15)?,
        outcome,
        served_at: row.opt_int(17)?.map(Ms),
    })
}

/// Somebody gets no seat of a feature for a while.
pub(super) fn add_bar(tx: &mut Tx<'_>, bar: &Bar) -> Result<(), DbError> {
    tx.exec(
        "INSERT INTO bar (feature, user_name, host, reason, until_ms) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (feature, user_name, host) DO UPDATE SET reason = excluded.reason, until_ms = excluded.until_ms",
        &[
            bar.feature.as_str().into(),
            (&*bar.user).into(),
            (&*bar.host).into(),
            (&*bar.release.reason).into(),
            bar.release.not_again_until.0.into(),
        ],
    )?;
    Ok(())
}

/// Everybody who gets none at `now`.
pub(crate) fn bars(tx: &mut Tx<'_>, now: Ms) -> Result<Vec<Bar>, DbError> {
    let sql = "SELECT feature, user_name, host, reason, until_ms FROM bar WHERE until_ms > ?1
               ORDER BY feature, user_name, host";
    tx.all(sql, &[now.0.into()], |row| {
        Ok(Bar {
            feature: FeatureCode::new(row.str(0)?).map_err(|_| damaged("bar"))?,
            user: row.str(1)?.into(),
            host: row.str(2)?.into(),
            release: Arc::new(Release {
                reason: row.str(3)?.into(),
                not_again_until: Ms(row.int(4)?),
                not_again_ms: 0,
            }),
        })
    })
}

pub(super) fn prune_bars(tx: &mut Tx<'_>, now: Ms) -> Result<(), DbError> {
    tx.exec("DELETE FROM bar WHERE until_ms <= ?1", &[now.0.into()])?;
    Ok(())
}
