//! The usage log: appended in order of time, pruned by age.

use super::damaged;
use leasehold_core::engine::{Event, EventKind};
use leasehold_core::ids::LeaseId;
use leasehold_core::license::FeatureCode;
use leasehold_core::time::Ms;
use leasehold_db::{DbError, Row, Tx};
use leasehold_wire::server::EventView;
use std::sync::Arc;

/// Rows removed at a time: few enough that nobody waits for it.
const PRUNED_AT_ONCE: i64 = 2_000;
/// Rows that one search for some events looks at: some ten milliseconds.
const SEARCHED_AT_ONCE: i64 = 100_000;
/// Rows looked at in one statement when going back in time.
const LOOKED_AT_ONCE: i64 = 10_000;

/// Without names where the administrator wants none kept: the row is needed all the same, for its key and its time.
pub(super) fn add(tx: &mut Tx<'_>, event: &Event, names: bool) -> Result<(), DbError> {
    let (user, host) = if names { (&*event.user, &*event.host) } else { ("", "") };
    tx.exec(
        "INSERT INTO usage_event (at_ms, kind, lease, key, feature, seats, user_name, host, code, seat, until_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        &[
            event.at.0.into(),
            event.kind.word().into(),
            event.lease.map(|lease| lease.to_string()).into(),
            (&*event.key).into(),
            event.feature.as_str().into(),
            event.seats.into(),
            user.into(),
            host.into(),
            event.code.map(|code| code.word()).into(),
            event.seat.map(|seat| seat.to_string()).into(),
            event.until.map(|until| until.0).into(),
        ],
    )?;
    Ok(())
}

/// Row ids rise with time, so the oldest rows are the lowest ones and no index on time is needed.
pub(super) fn prune(tx: &mut Tx<'_>, before: Ms) -> Result<(), DbError> {
    tx.exec(
        "DELETE FROM usage_event
         WHERE id < (SELECT MIN(id) FROM usage_event) + ?2 AND at_ms < ?1",
        &[before.0.into(), PRUNED_AT_ONCE.into()],
    )?;
    Ok(())
}

/// Leases that ended at `since` or later, in order of time: when, which, under which key. Goes back from the newest row,
/// so it costs what has happened since then and not what the log holds.
pub(crate) fn ended_since(tx: &mut Tx<'_>, since: Ms) -> Result<Vec<(Ms, LeaseId, Arc<str>)>, DbError> {
    let mut ended = Vec::new();
    let mut below = i64::MAX;
    loop {
        let rows = tx.all(
            "SELECT id, at_ms, kind, lease, key FROM usage_event WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
            &[below.into(), LOOKED_AT_ONCE.into()],
            |row| {
                let over = matches!(EventKind::from_word(row.str(2)?), Some(EventKind::Checkin | EventKind::Expired));
                let lease = if over { Some((lease_of(row.opt_str(3)?)?, row.str(4)?.into())) } else { None };
                Ok((row.int(0)?, Ms(row.int(1)?), lease))
            },
        )?;
        let reached = rows.last().is_none_or(|(_, at, _)| *at < since);
        below = rows.last().map_or(below, |(id, ..)| *id);
        let recent = rows.into_iter().take_while(|(_, at, _)| *at >= since);
        ended.extend(recent.filter_map(|(_, at, lease)| lease.map(|(id, key)| (at, id, key))));
        if reached {
            break;
        }
    }
    ended.reverse();
    Ok(ended)
}

fn lease_of(text: Option<&str>) -> Result<LeaseId, DbError> {
    text.and_then(|text| text.parse().ok()).ok_or(damaged("usage event"))
}

/// Which events to read.
#[derive(Clone, Debug)]
pub(crate) struct EventFilter {
    /// Only of this kind.
    pub(crate) kind: Option<EventKind>,
    /// Only of this feature.
    pub(crate) feature: Option<FeatureCode>,
    /// Only rows before this one.
    pub(crate) below: i64,
    /// At most this many.
    pub(crate) limit: u32,
}

/// Events, the newest first, and the row from which to go on if it did not look at all of the log. Each look costs at
/// most [`SEARCHED_AT_ONCE`] rows, however rare what is searched for is.
pub(crate) fn page(tx: &mut Tx<'_>, filter: &EventFilter) -> Result<(Vec<EventView>, Option<i64>), DbError> {
    let ends =
        tx.one("SELECT MIN(id), MAX(id) FROM usage_event", &[], |row| Ok(row.opt_int(0)?.zip(row.opt_int(1)?)))?;
    let Some((oldest, newest)) = ends.flatten() else { return Ok((Vec::new(), None)) };
    let below = filter.below.min(newest.saturating_add(1));
    let searched = if filter.kind.is_some() || filter.feature.is_some() { SEARCHED_AT_ONCE } else { i64::MAX };
    let from = below.saturating_sub(searched).max(oldest);
    let items = tx.all(
        "SELECT id, at_ms, kind, lease, feature, seats, user_name, host, code FROM usage_event
         WHERE id >= ?1 AND id < ?2 AND (?3 IS NULL OR kind = ?3) AND (?4 IS NULL OR feature = ?4)
         ORDER BY id DESC LIMIT ?5",
        &[
            from.into(),
            below.into(),
            filter.kind.map(EventKind::word).into(),
            filter.feature.as_ref().map(FeatureCode::as_str).into(),
            filter.limit.into(),
        ],
        read_event,
    )?;
    let full = items.len() >= filter.limit as usize;
    let last = items.last().and_then(|event| i64::try_from(event.id).ok());
    let next = if full { last } else { Some(from) };
    Ok((items, next.filter(|row| *row > oldest)))
}

fn read_event(row: &Row<'_>) -> Result<EventView, DbError> {
    Ok(EventView {
        id: u64::try_from(row.int(0)?).unwrap_or(0),
        at: Ms(row.int(1)?).into(),
        kind: row.text(2)?,
        lease: row.opt_str(3)?.and_then(|text| text.parse().ok()),
        feature: row.text(4)?,
        seats: u32::try_from(row.int(5)?).unwrap_or(u32::MAX),
        user: row.text(6)?,
        host: row.text(7)?,
        code: row.opt_text(8)?,
    })
}
