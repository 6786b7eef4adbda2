//! The arithmetic of usage: from the events of the log to totals by hour and by day, and from totals to pictures.
//!
//! Owns what a rollup counts ([`Rollup`]), how a period is made of blocks of days ([`blocks`]) and of hours, and the week
//! by hour. Reads no log, keeps nothing and knows no SQL: whoever calls stores what a step adds, in one transaction with
//! how far it has come, so that the same events counted again give the same totals.

mod rollup;
mod summary;

pub use rollup::{ALL, Added, AddedDay, AddedHour, Fact, Gap, Holding, LeaseChange, Rollup, Who};
pub use summary::{FeatureSummary, SUMMARY_FEATURES_MAX, Summary};

use crate::time::{DAY_MS, HOUR_MS, MINUTE_MS, Ms};

/// Totals by day are also kept for blocks of so many days, so that a long period is a few blocks instead of many days.
pub const SPANS: [i64; 3] = [1, 8, 64];

/// The hour since 1970 in which `at` lies.
pub fn hour_of(at: Ms) -> i64 {
    at.0.div_euclid(HOUR_MS)
}

/// The day since 1970 (UTC) in which `at` lies.
pub fn day_of(at: Ms) -> i64 {
    at.0.div_euclid(DAY_MS)
}

/// The first day of the block of `span` days in which `day` lies.
pub fn block_of(day: i64, span: i64) -> i64 {
    day.div_euclid(span) * span
}

/// A run of blocks of the same length that follow each other: every start from the first up to, and without, the last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Run {
    /// Days in each block.
    pub span: i64,
    /// First day of the first block.
    pub from: i64,
    /// First day that is no longer in it.
    pub until: i64,
}

/// The days from `from` up to, and without, `until` as few blocks. No block has days on both sides of `cut`: from there on
/// names are known, and before it they are not.
pub fn blocks(from: i64, until: i64, cut: i64) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut day = from;
    while day < until {
        let whole =
            |span: &&i64| day.rem_euclid(**span) == 0 && day + **span <= until && (cut <= day || day + **span <= cut);
        let span = SPANS.iter().rev().find(whole).copied().unwrap_or(1);
        match runs.last_mut().filter(|run| run.span == span && run.until == day) {
            Some(run) => run.until += span,
            None => runs.push(Run { span, from: day, until: day + span }),
        }
        day += span;
    }
    runs
}

/// The parts of the time from `from` to `until` in units of `unit_ms` (an hour, a day): the unit's number and how long.
pub fn parts(from: Ms, until: Ms, unit_ms: i64) -> Vec<(i64, i64)> {
    let mut parts = Vec::new();
    let mut at = from.0;
    while at < until.0 {
        let unit = at.div_euclid(unit_ms);
        let end = (unit + 1).saturating_mul(unit_ms).min(until.0);
        parts.push((unit, end - at));
        at = end;
    }
    parts
}

/// How long of the time from `from` to `until` lies in none of `gaps`, which are in order and apart, for each unit.
pub fn parts_outside(from: Ms, until: Ms, unit_ms: i64, gaps: &[Gap]) -> Vec<(i64, i64)> {
    let mut all: Vec<(i64, i64)> = Vec::new();
    let mut at = from;
    for gap in gaps.iter().filter(|gap| gap.until > from && gap.from < until) {
        all.extend(parts(at, gap.from.max(at).min(until), unit_ms));
        at = gap.until.max(at);
    }
    all.extend(parts(at, until, unit_ms));
    all
}

/// The hour of the week, 0 for Monday from midnight to one, in which the hour `hour` (since 1970, UTC) begins where clocks
/// are `offset_min` minutes ahead of UTC.
pub fn week_hour(hour: i64, offset_min: i32) -> usize {
    let local = hour * HOUR_MS + i64::from(offset_min) * MINUTE_MS;
    // The first of January 1970 was a Thursday.
    let hours = local.div_euclid(HOUR_MS) + 3 * 24;
    usize::try_from(hours.rem_euclid(168)).unwrap_or(0)
}

/// The day since 1970 on which the hour `hour` (UTC) begins where clocks are `offset_min` minutes ahead of UTC.
pub fn local_day(hour: i64, offset_min: i32) -> i64 {
    (hour * HOUR_MS + i64::from(offset_min) * MINUTE_MS).div_euclid(DAY_MS)
}

#[cfg(test)]
mod tests;
