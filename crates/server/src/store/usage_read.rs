//! Reading totals of usage. Each statement costs what the period asked for has in totals, however long the log is.

use super::usage::{FEATURE, NAME, hour_columns, hours_of_day};
use leasehold_core::usage::Run;
use leasehold_db::{DbError, Tx};
use std::sync::LazyLock;

/// An hour of a feature.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct HourRow {
    pub(crate) hour: i64,
    pub(crate) seat_ms: i64,
    pub(crate) borrowed_ms: i64,
    pub(crate) peak: u32,
    pub(crate) owned: u32,
    pub(crate) checkouts: u32,
    pub(crate) denials: u32,
}

/// The hours of a feature from `from` up to, and without, `until`.
pub(crate) fn hours(tx: &mut Tx<'_>, feature: &str, from: i64, until: i64) -> Result<Vec<HourRow>, DbError> {
    tx.all(
        "SELECT hour, seat_ms, borrowed_ms, peak, owned, checkouts, denials FROM usage_hour
         WHERE feature = ?1 AND hour >= ?2 AND hour < ?3 ORDER BY hour",
        &[feature.into(), from.into(), until.into()],
        |row| {
            let number = |column| Ok::<_, DbError>(u32::try_from(row.int(column)?).unwrap_or(u32::MAX));
            Ok(HourRow {
                hour: row.int(0)?,
                seat_ms: row.int(1)?,
                borrowed_ms: row.int(2)?,
                peak: number(3)?,
                owned: number(4)?,
                checkouts: number(5)?,
                denials: number(6)?,
            })
        },
    )
}

/// Numbers of names as they stand in totals; `None` where a name is not in them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct UsageFilter {
    pub(crate) feature: Option<i64>,
    pub(crate) user: Option<i64>,
    pub(crate) host: Option<i64>,
}

/// The numbers of a feature, a user and a host; -1, which no row has, for one that is not in totals.
pub(crate) fn name_ids(
    tx: &mut Tx<'_>,
    feature: Option<&str>,
    user: Option<&str>,
    host: Option<&str>,
) -> Result<UsageFilter, DbError> {
    let mut id = |name: Option<&str>, kinds: [i64; 2]| -> Result<Option<i64>, DbError> {
        let Some(name) = name else { return Ok(None) };
        let sql = "SELECT id FROM usage_name WHERE name = ?1 AND kind IN (?2, ?3) ORDER BY kind LIMIT 1";
        let found = tx.one(sql, &[name.into(), kinds[0].into(), kinds[1].into()], |row| row.int(0))?;
        Ok(Some(found.unwrap_or(-1)))
    };
    Ok(UsageFilter {
        feature: id(feature, [FEATURE; 2])?,
        user: id(user, [NAME, super::usage::PSEUDONYM])?,
        host: id(host, [NAME, super::usage::PSEUDONYM])?,
    })
}

/// Totals of a user on a host in a block of days.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct DayRow {
    pub(crate) day: i64,
    pub(crate) user: i64,
    pub(crate) host: i64,
    pub(crate) seat_ms: i64,
    pub(crate) peak: u32,
    pub(crate) checkouts: u32,
    pub(crate) denials: u32,
}

/// Everything of a feature, or of all, in a run of blocks. Read row by row: to have the database put them together, once for
/// users and once for hosts, takes longer.
pub(crate) fn rows(tx: &mut Tx<'_>, run: Run, feature: Option<i64>) -> Result<Vec<DayRow>, DbError> {
    tx.all(
        "SELECT day, user_id, host_id, seat_ms, peak, checkouts, denials FROM usage_day
         WHERE span = ?1 AND day >= ?2 AND day < ?3 AND (?4 IS NULL OR feature = ?4)",
        &[run.span.into(), run.from.into(), run.until.into(), feature.into()],
        read,
    )
}

/// Seats in use in each hour of a day, times milliseconds.
pub(crate) type DayHours = [i64; 24];

/// The days of one user or host, by their index, with their hours (UTC).
pub(crate) fn rows_of(
    tx: &mut Tx<'_>,
    from: i64,
    until: i64,
    filter: UsageFilter,
) -> Result<Vec<(DayRow, DayHours)>, DbError> {
    static BY_USER: LazyLock<String> = LazyLock::new(|| rows_where("user_id = ?4 AND (?5 IS NULL OR host_id = ?5)"));
    static BY_HOST: LazyLock<String> = LazyLock::new(|| rows_where("host_id = ?5 AND (?4 IS NULL OR user_id = ?4)"));
    let sql = if filter.user.is_some() { &BY_USER } else { &BY_HOST };
    let values = [from.into(), until.into(), filter.feature.into(), filter.user.into(), filter.host.into()];
    tx.all(sql, &values, |row| Ok((read(row)?, hours_of_day(row, 7)?)))
}

fn rows_where(found: &str) -> String {
    format!(
        "SELECT day, user_id, host_id, seat_ms, peak, checkouts, denials, {} FROM usage_day
         WHERE span = 1 AND {found} AND day >= ?1 AND day < ?2 AND (?3 IS NULL OR feature = ?3)",
        hour_columns(str::to_owned)
    )
}

fn read(row: &leasehold_db::Row<'_>) -> Result<DayRow, DbError> {
    let number = |column| Ok::<_, DbError>(u32::try_from(row.int(column)?).unwrap_or(u32::MAX));
    Ok(DayRow {
        day: row.int(0)?,
        user: row.int(1)?,
        host: row.int(2)?,
        seat_ms: row.int(3)?,
        peak: number(4)?,
        checkouts: number(5)?,
        denials: number(6)?,
    })
}

/// The names of some numbers.
pub(crate) fn names(tx: &mut Tx<'_>, ids: &[i64]) -> Result<Vec<String>, DbError> {
    ids.iter()
        .map(|id| {
            let name = tx.one("SELECT name FROM usage_name WHERE id = ?1", &[(*id).into()], |row| row.text(0))?;
            Ok(name.unwrap_or_default())
        })
        .collect()
}

/// Features that have totals, in order.
pub(crate) fn features(tx: &mut Tx<'_>) -> Result<Vec<String>, DbError> {
    // From one to the next: what is between costs nothing.
    let mut found: Vec<String> = Vec::new();
    loop {
        let last = found.last().map_or("", String::as_str);
        let sql = "SELECT feature FROM usage_hour WHERE feature > ?1 ORDER BY feature LIMIT 1";
        match tx.one(sql, &[last.into()], |row| row.text(0))? {
            Some(next) => found.push(next),
            None => return Ok(found),
        }
    }
}
