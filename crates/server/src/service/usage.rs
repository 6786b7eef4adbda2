//! Figures of usage for a period, from totals: what it costs depends on the length of the period and on how many users
//! and hosts there are, never on how much happened.

use super::access::Caller;
use super::failure::Failure;
use crate::server::Server;
use crate::store::{self, DayHours, DayRow, HourRow, Roll};
use crate::usage::Uncharged;
use jiff::civil::Date;
use leasehold_core::access::ServerAction;
use leasehold_core::time::{DAY_MS, HOUR_MS, MINUTE_MS, Ms};
use leasehold_core::usage::{ALL, blocks, local_day, week_hour};
use leasehold_db::{DbError, Tx};
use leasehold_web::text::csv_line;
use leasehold_wire::server::{
    UsageDay, UsageName, UsagePart, UsagePoint, UsageQuery, UsageResponse, UsageStep, UsageTotals, UsageWeekHour,
};
use std::collections::{BTreeMap, HashMap};

/// Longest period, in days.
const PERIOD_DAYS_MAX: i64 = 3_660;
/// Days of a period if nobody says how many.
const PERIOD_DAYS: i64 = 7;
/// Longest period that is shown by the hour if nobody says how, in days.
const HOURS_UP_TO_DAYS: i64 = 8;
/// Longest period that is shown by the hour, in days.
const HOURS_DAYS_MAX: i64 = 100;
/// Users and hosts with most use.
const TOP: usize = 20;
/// Longest name to ask for, in bytes.
const NAME_BYTES_MAX: usize = 1_024;

/// A period, checked.
#[derive(Clone, Copy, Debug)]
struct Period {
    /// First day since 1970 by the clock of whoever asks.
    from: i64,
    /// First day after it.
    until: i64,
    offset_min: i32,
    step: UsageStep,
}

impl Period {
    fn read(query: &UsageQuery, now: Ms) -> Result<Period, Failure> {
        let offset_min = query.tz_offset_min.unwrap_or(0);
        if !(-840..=840).contains(&offset_min) {
            return Err(bad("`tz_offset_min` must be -840 to 840"));
        }
        let today = (now.0 + i64::from(offset_min) * MINUTE_MS).div_euclid(DAY_MS);
        let to = query.to.as_deref().map(|text| day("to", text)).transpose()?.unwrap_or(today);
        let from = query.from.as_deref().map(|text| day("from", text)).transpose()?.unwrap_or(to - PERIOD_DAYS + 1);
        if from > to {
            return Err(bad("`from` must not be after `to`"));
        }
        if to - from >= PERIOD_DAYS_MAX {
            return Err(bad("`from` and `to` must be at most 3660 days apart"));
        }
        let days = to - from + 1;
        let named = query.user.is_some() || query.host.is_some();
        let step = match query.step {
            _ if named => UsageStep::Day,
            Some(UsageStep::Hour) if days > HOURS_DAYS_MAX => {
                return Err(bad("`step` can be hour for at most 100 days"));
            }
            Some(step) => step,
            None if days <= HOURS_UP_TO_DAYS => UsageStep::Hour,
            None => UsageStep::Day,
        };
        for (field, name) in [("user", &query.user), ("host", &query.host)] {
            if name.as_ref().is_some_and(|name| name.len() > NAME_BYTES_MAX) {
                return Err(bad(&format!("`{field}` must be at most {NAME_BYTES_MAX} bytes")));
            }
        }
        Ok(Period { from, until: to + 1, offset_min, step })
    }

    /// The first hour (UTC) that begins on a day of the period, and the first that begins after it.
    fn hours(&self) -> (i64, i64) {
        let begin = |day: i64| {
            let at = day * DAY_MS - i64::from(self.offset_min) * MINUTE_MS;
            // An hour belongs to the day on which it begins.
            (at + HOUR_MS - 1).div_euclid(HOUR_MS)
        };
        (begin(self.from), begin(self.until))
    }
}

fn bad(why: &str) -> Failure {
    Failure::BadField(why.to_owned())
}

fn day(field: &str, text: &str) -> Result<i64, Failure> {
    let date = text.parse::<Date>().ok().filter(|date| (1970..=9_000).contains(&date.year()) && text.len() == 10);
    let date =
        date.ok_or_else(|| bad(&format!("`{field}` must be a day of the years 1970 to 9000, such as 2026-11-01")))?;
    Ok((date - Date::constant(1970, 1, 1)).get_days().into())
}

fn date(day: i64) -> String {
    Ms(day.saturating_mul(DAY_MS)).utc_date().to_string()
}

/// Whom to tell apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Whose {
    Users,
    Hosts,
}

/// Totals of a user, of a host or of a day.
#[derive(Clone, Copy, Debug, Default)]
struct DayTotal {
    seat_ms: i64,
    peak: u32,
    checkouts: u32,
    denials: u32,
}

impl DayTotal {
    fn add(&mut self, row: &DayRow) {
        self.seat_ms += row.seat_ms;
        self.peak = self.peak.max(row.peak);
        self.checkouts = self.checkouts.saturating_add(row.checkouts);
        self.denials = self.denials.saturating_add(row.denials);
    }
}

/// What is read for an answer.
struct Read {
    roll: Roll,
    features: Vec<String>,
    hours: Vec<HourRow>,
    days: Vec<(i64, DayTotal)>,
    /// Of a user or host: days with their hours (UTC).
    day_hours: BTreeMap<i64, DayHours>,
    users: Vec<(String, DayTotal)>,
    hosts: Vec<(String, DayTotal)>,
}

impl Server {
    /// Figures of a period. Users and hosts are the administrator's to see; the rest follows who may see who uses what.
    ///
    /// # Errors
    /// [`Failure::SignIn`], [`Failure::BadField`], or the database's.
    pub async fn usage(&self, caller: &Caller, query: &UsageQuery) -> Result<UsageResponse, Failure> {
        self.authorize(caller, ServerAction::ReadUsage)?;
        let named = query.user.is_some() || query.host.is_some();
        if named {
            self.authorize(caller, ServerAction::Inspect)?;
        }
        let period = Period::read(query, self.now())?;
        let names = caller.is_signed_in();
        let (counting, db, catch_up) = (self.0.counting.clone(), self.0.db.clone(), !self.counts());
        let feature = query.feature.as_ref().map(|feature| feature.as_str().to_owned());
        let of = feature.clone();
        let from = period.from;
        let live = tokio::task::spawn_blocking(move || {
            // Opened for one command: nobody else counts.
            while catch_up && counting.step(&db, None)? {}
            Ok::<_, DbError>(counting.uncharged(of.as_deref(), from))
        });
        let live = live.await.map_err(|died| Failure::Internal(died.to_string()))??;
        let query = query.clone();
        let uncharged = live.clone();
        let read = self.0.db.read_async(move |tx| read(tx, &query, period, names, &uncharged)).await?;
        Ok(answer(period, named, &live, read))
    }
}

fn read(tx: &mut Tx<'_>, query: &UsageQuery, period: Period, names: bool, live: &Uncharged) -> Result<Read, DbError> {
    let roll = store::usage_roll(tx)?;
    let feature = query.feature.as_ref().map(|feature| feature.as_str());
    let named = query.user.is_some() || query.host.is_some();
    let (first, last) = period.hours();
    let hours = if named { Vec::new() } else { store::usage_hours(tx, feature.unwrap_or(ALL), first, last)? };
    let filter = store::usage_name_ids(tx, feature, query.user.as_deref(), query.host.as_deref())?;
    // A block that begins before the oldest day that is kept is no longer whole.
    let oldest = store::next_named_day(tx, i64::MIN)?.unwrap_or(period.from);
    let from = period.from.max(oldest);
    let matching = |rows: &Uncharged| -> Vec<usize> {
        let fits = |wanted: &Option<String>, name: &str| wanted.as_ref().is_none_or(|wanted| wanted == name);
        let wanted =
            rows.rows.iter().enumerate().filter(|(_, row)| {
                row.day < period.until && fits(&query.user, &row.user) && fits(&query.host, &row.host)
            });
        wanted.map(|(i, _)| i).collect()
    };
    let matching = matching(live);
    let mut day_hours: BTreeMap<i64, DayHours> = BTreeMap::new();
    let mut add_hours = |day: i64, hours: &DayHours| {
        let sums = day_hours.entry(day).or_insert([0; 24]);
        sums.iter_mut().zip(hours).for_each(|(sum, add)| *sum += add);
    };
    let rows = if named {
        let rows = store::usage_rows_of(tx, from, period.until, filter)?;
        rows.iter().for_each(|(row, hours)| add_hours(row.day, hours));
        rows.into_iter().map(|(row, _)| row).collect()
    } else if names {
        let mut rows = Vec::new();
        for run in blocks(from, period.until, roll.names_day) {
            rows.extend(store::usage_rows(tx, run, filter.feature)?);
        }
        rows
    } else {
        Vec::new()
    };
    let mut days: BTreeMap<i64, DayTotal> = BTreeMap::new();
    if named {
        for row in &rows {
            days.entry(row.day).or_default().add(row);
        }
        for i in &matching {
            let row = &live.rows[*i];
            let total = days.entry(row.day).or_default();
            total.seat_ms += row.seat_ms;
            total.peak = total.peak.max(row.peak);
            add_hours(row.day, &row.hours);
        }
    }
    let mut top = |whose: Whose| if names { top(tx, whose, &rows, live, &matching) } else { Ok(Vec::new()) };
    let (users, hosts) = (top(Whose::Users)?, top(Whose::Hosts)?);
    let days = days.into_iter().collect();
    Ok(Read { roll, features: store::usage_features(tx)?, hours, days, day_hours, users, hosts })
}

/// Users or hosts with most use, with their names.
fn top(
    tx: &mut Tx<'_>,
    whose: Whose,
    rows: &[DayRow],
    live: &Uncharged,
    matching: &[usize],
) -> Result<Vec<(String, DayTotal)>, DbError> {
    let mut totals: HashMap<i64, DayTotal> = HashMap::new();
    for row in rows {
        totals.entry(if whose == Whose::Users { row.user } else { row.host }).or_default().add(row);
    }
    // What is in use now counts up to now. By name, because it may have no number yet.
    let mut now: HashMap<&str, (i64, u32)> = HashMap::new();
    for i in matching {
        let row = &live.rows[*i];
        let sum = now.entry(if whose == Whose::Users { &row.user } else { &row.host }).or_default();
        sum.0 += row.seat_ms;
        sum.1 = sum.1.max(row.peak);
    }
    // Only what could be among the first is looked up: the largest of each kind.
    let mut largest: Vec<(&str, (i64, u32))> = now.iter().map(|(name, sum)| (*name, *sum)).collect();
    largest.sort_unstable_by(|a, b| b.1.0.cmp(&a.1.0).then_with(|| a.0.cmp(b.0)));
    largest.truncate(TOP * 4);
    let mut counted: Vec<(i64, DayTotal)> = totals.iter().map(|(id, total)| (*id, *total)).collect();
    counted.sort_unstable_by_key(|(id, total)| (-total.seat_ms, -i64::from(total.denials), *id));
    counted.truncate(TOP * 4);
    let (ids, counted): (Vec<i64>, Vec<DayTotal>) = counted.into_iter().unzip();
    let names = store::usage_names(tx, &ids)?;
    let mut all: BTreeMap<String, DayTotal> = names.into_iter().zip(counted).collect();
    for (name, _) in &largest {
        if !all.contains_key(*name) {
            let ids = store::usage_name_ids(tx, None, Some(name), None)?;
            let total = ids.user.and_then(|id| totals.get(&id)).copied().unwrap_or_default();
            all.insert((*name).to_owned(), total);
        }
    }
    for (name, total) in &mut all {
        let (seat_ms, peak) = now.get(name.as_str()).copied().unwrap_or_default();
        total.seat_ms += seat_ms;
        total.peak = total.peak.max(peak);
    }
    let mut all: Vec<(String, DayTotal)> = all.into_iter().collect();
    all.sort_by(|a, b| (b.1.seat_ms, b.1.denials).cmp(&(a.1.seat_ms, a.1.denials)).then_with(|| a.0.cmp(&b.0)));
    all.truncate(TOP);
    Ok(all)
}

#[expect(clippy::cast_precision_loss, reason = "seats times milliseconds of ten years are far below 2^53")]
fn times_hours(seat_ms: i64, hours: f64) -> f64 {
    (seat_ms as f64 / HOUR_MS as f64 / hours * 100.0).round() / 100.0
}

fn answer(period: Period, named: bool, live: &Uncharged, read: Read) -> UsageResponse {
    let mut totals = UsageTotals::default();
    let (mut seat_ms, mut borrowed_ms) = (0, 0);
    for row in &read.hours {
        seat_ms += row.seat_ms;
        borrowed_ms += row.borrowed_ms;
        totals.peak = totals.peak.max(row.peak);
        totals.owned = totals.owned.max(row.owned);
        totals.checkouts += u64::from(row.checkouts);
        totals.denials += u64::from(row.denials);
    }
    for (_, day) in &read.days {
        seat_ms += day.seat_ms;
        totals.peak = totals.peak.max(day.peak);
        totals.checkouts += u64::from(day.checkouts);
        totals.denials += u64::from(day.denials);
    }
    (totals.seat_hours, totals.borrowed_hours) = (times_hours(seat_ms, 1.0), times_hours(borrowed_ms, 1.0));
    let through = live.through;
    let by_day = if named { of_name(&read.days) } else { by_day(&read.hours, period.offset_min) };
    let seats = match period.step {
        UsageStep::Hour => read.hours.iter().map(|row| point(Ms(row.hour * HOUR_MS), row, HOUR_MS, through)).collect(),
        UsageStep::Day => by_day
            .iter()
            .map(|(day, row)| {
                let offset_ms = if named { 0 } else { i64::from(period.offset_min) * MINUTE_MS };
                point(Ms(day * DAY_MS - offset_ms), row, DAY_MS, through)
            })
            .collect(),
    };
    let day_view = |(day, row): &(i64, HourRow)| UsageDay {
        date: date(*day),
        peak: row.peak,
        owned: row.owned,
        seat_hours: times_hours(row.seat_ms, 1.0),
        checkouts: row.checkouts.into(),
        denials: row.denials.into(),
    };
    let named_from = (read.roll.names_day > 0).then(|| date(read.roll.names_day));
    UsageResponse {
        from: date(period.from),
        to: date(period.until - 1),
        tz_offset_min: period.offset_min,
        step: period.step,
        counted_until: through.into(),
        in_use: live.in_use,
        totals,
        seats,
        days: by_day.iter().map(day_view).collect(),
        week: if named { week(&of_day_hours(&read), period, through) } else { week(&read.hours, period, through) },
        users: read.users.into_iter().map(name_view).collect(),
        hosts: read.hosts.into_iter().map(name_view).collect(),
        features: read.features,
        named_from,
        log_cut_at: read.roll.dropped.map(Into::into),
    }
}

/// What has not passed yet of the hour or the day counts for nothing.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of a day")]
fn point(at: Ms, row: &HourRow, long_ms: i64, through: Ms) -> UsagePoint {
    let hours = through.since(at).clamp(MINUTE_MS, long_ms) as f64 / HOUR_MS as f64;
    UsagePoint {
        at: at.into(),
        average: times_hours(row.seat_ms, hours),
        peak: row.peak,
        owned: row.owned,
        borrowed: times_hours(row.borrowed_ms, hours),
        checkouts: row.checkouts.into(),
        denials: row.denials.into(),
    }
}

fn by_day(hours: &[HourRow], offset_min: i32) -> Vec<(i64, HourRow)> {
    let mut days: BTreeMap<i64, HourRow> = BTreeMap::new();
    for row in hours {
        let day = days.entry(local_day(row.hour, offset_min)).or_default();
        day.seat_ms += row.seat_ms;
        day.borrowed_ms += row.borrowed_ms;
        day.peak = day.peak.max(row.peak);
        day.owned = day.owned.max(row.owned);
        day.checkouts = day.checkouts.saturating_add(row.checkouts);
        day.denials = day.denials.saturating_add(row.denials);
    }
    days.into_iter().collect()
}

fn of_name(days: &[(i64, DayTotal)]) -> Vec<(i64, HourRow)> {
    let row = |day: &DayTotal| HourRow {
        seat_ms: day.seat_ms,
        peak: day.peak,
        checkouts: day.checkouts,
        denials: day.denials,
        ..HourRow::default()
    };
    days.iter().map(|(key, day)| (*key, row(day))).collect()
}

/// The hours in which a user or host had seats. How many at once is known of the day only.
fn of_day_hours(read: &Read) -> Vec<HourRow> {
    let peaks: HashMap<i64, u32> = read.days.iter().map(|(day, total)| (*day, total.peak)).collect();
    let of_day = |(day, hours): (&i64, &DayHours)| {
        let (first, peak) = (day * 24, peaks.get(day).copied().unwrap_or_default());
        let rows = (first..).zip(*hours).filter(|(_, seat_ms)| *seat_ms > 0);
        rows.map(move |(hour, seat_ms)| HourRow { hour, seat_ms, peak, ..HourRow::default() }).collect::<Vec<_>>()
    };
    read.day_hours.iter().flat_map(of_day).collect()
}

/// Each hour of the week on the average of all such hours of the period that have begun, from the first that has a row.
fn week(hours: &[HourRow], period: Period, through: Ms) -> Vec<UsageWeekHour> {
    let mut sums = [(0_i64, 0_u32, 0_i64); 168];
    let (_, last) = period.hours();
    let last = last.min(through.0.div_euclid(HOUR_MS) + 1);
    if let Some(first) = hours.first() {
        for hour in first.hour..last {
            // What has not passed yet counts for nothing, as in the curve.
            sums[week_hour(hour, period.offset_min)].2 += through.since(Ms(hour * HOUR_MS)).clamp(MINUTE_MS, HOUR_MS);
        }
    }
    for row in hours {
        let sum = &mut sums[week_hour(row.hour, period.offset_min)];
        sum.0 += row.seat_ms;
        sum.1 = sum.1.max(row.peak);
    }
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of some years")]
    let entry = |(i, (seat_ms, peak, passed_ms)): (usize, (i64, u32, i64))| UsageWeekHour {
        weekday: u8::try_from(i / 24 + 1).unwrap_or(0),
        hour: u8::try_from(i % 24).unwrap_or(0),
        average: if passed_ms == 0 { 0.0 } else { times_hours(seat_ms, passed_ms as f64 / HOUR_MS as f64) },
        peak,
    };
    sums.into_iter().enumerate().map(entry).collect()
}

fn name_view((name, total): (String, DayTotal)) -> UsageName {
    UsageName {
        name,
        seat_hours: times_hours(total.seat_ms, 1.0),
        peak: total.peak,
        checkouts: total.checkouts.into(),
        denials: total.denials.into(),
    }
}

/// One part as a table.
pub(crate) fn csv(usage: &UsageResponse, part: UsagePart) -> String {
    let mut text = String::new();
    let mut line = |cells: &[String]| {
        let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
        text.push_str(&csv_line(&cells));
    };
    let words = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect::<Vec<String>>();
    match part {
        UsagePart::Seats => {
            line(&words(&["at", "average", "peak", "owned", "borrowed", "checkouts", "denials"]));
            for row in &usage.seats {
                let counts = [row.peak.into(), row.owned.into()].map(|count: u64| count.to_string());
                let [peak, owned] = counts;
                let (average, borrowed) = (row.average.to_string(), row.borrowed.to_string());
                let (checkouts, denials) = (row.checkouts.to_string(), row.denials.to_string());
                line(&[row.at.0.rfc3339(), average, peak, owned, borrowed, checkouts, denials]);
            }
        }
        UsagePart::Days => {
            line(&words(&["date", "peak", "owned", "seat_hours", "checkouts", "denials"]));
            for row in &usage.days {
                line(&[
                    row.date.clone(),
                    row.peak.to_string(),
                    row.owned.to_string(),
                    row.seat_hours.to_string(),
                    row.checkouts.to_string(),
                    row.denials.to_string(),
                ]);
            }
        }
        UsagePart::Week => {
            line(&words(&["weekday", "hour", "average", "peak"]));
            for row in &usage.week {
                line(&[row.weekday.to_string(), row.hour.to_string(), row.average.to_string(), row.peak.to_string()]);
            }
        }
        UsagePart::Users | UsagePart::Hosts => {
            let (what, rows) = if part == UsagePart::Users { ("user", &usage.users) } else { ("host", &usage.hosts) };
            line(&words(&[what, "seat_hours", "peak", "checkouts", "denials"]));
            for row in rows {
                line(&[
                    row.name.clone(),
                    row.seat_hours.to_string(),
                    row.peak.to_string(),
                    row.checkouts.to_string(),
                    row.denials.to_string(),
                ]);
            }
        }
    }
    text
}
