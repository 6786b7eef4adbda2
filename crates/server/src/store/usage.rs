//! Totals of usage: how far the log is counted, what was out then, and the rows that a step of counting adds. Written by
//! the counting alone (`crate::usage`), and moved here when the server's time is set back.

use super::damaged;
use leasehold_core::engine::EventKind;
use leasehold_core::ids::LeaseId;
use leasehold_core::time::{DAY_MS, HOUR_MS, Ms};
use leasehold_core::usage::{Added, AddedDay, Fact, Gap, Holding, LeaseChange, SPANS, Who, block_of, day_of, hour_of};
use leasehold_db::{DbError, Row, Tx, Value};
use std::collections::HashMap;
use std::sync::LazyLock;

/// A name of a user or a host.
pub(super) const NAME: i64 = 0;
/// A pseudonym, or no name.
pub(super) const PSEUDONYM: i64 = 1;
/// A feature.
pub(super) const FEATURE: i64 = 2;

/// How far everything is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Roll {
    /// The last row of the log that is counted.
    pub(crate) event: i64,
    /// Up to when.
    pub(crate) through: Ms,
    /// Another one since means: what was counted has moved.
    pub(crate) epoch: i64,
    /// The key of pseudonyms.
    pub(crate) secret: Option<String>,
    /// Names of days before are replaced.
    pub(crate) names_day: i64,
    /// Names up to this row of the log are replaced.
    pub(crate) names_event: i64,
    /// Names up to this denial are replaced.
    pub(crate) names_denial: String,
    /// Events before were dropped for want of room.
    pub(crate) dropped: Option<Ms>,
}

/// Reads it.
pub(crate) fn roll(tx: &mut Tx<'_>) -> Result<Roll, DbError> {
    let sql = "SELECT event, through_ms, epoch, secret, names_day, names_event, names_denial, dropped_ms
               FROM usage_roll WHERE id = 1";
    let roll = tx.one(sql, &[], |row| {
        Ok(Roll {
            event: row.int(0)?,
            through: Ms(row.int(1)?),
            epoch: row.int(2)?,
            secret: row.opt_text(3)?,
            names_day: row.int(4)?,
            names_event: row.int(5)?,
            names_denial: row.text(6)?,
            dropped: row.opt_int(7)?.map(Ms),
        })
    })?;
    roll.ok_or(damaged("usage without its row"))
}

/// Keeps the key of pseudonyms, unless there is one.
pub(crate) fn draw_secret(tx: &mut Tx<'_>, secret: &str) -> Result<(), DbError> {
    tx.exec("UPDATE usage_roll SET secret = ?1 WHERE id = 1 AND secret IS NULL", &[secret.into()])?;
    Ok(())
}

/// The server was off.
pub(crate) fn add_gap(tx: &mut Tx<'_>, gap: Gap) -> Result<(), DbError> {
    tx.exec(
        "INSERT INTO usage_gap (from_ms, until_ms) VALUES (?1, ?2)
         ON CONFLICT (from_ms) DO UPDATE SET until_ms = MAX(until_ms, excluded.until_ms)",
        &[gap.from.0.into(), gap.until.0.into()],
    )?;
    Ok(())
}

/// Gaps that ended by then matter to nothing that is still out.
pub(crate) fn forget_gaps(tx: &mut Tx<'_>, before: Ms) -> Result<(), DbError> {
    tx.exec("DELETE FROM usage_gap WHERE until_ms <= ?1", &[before.0.into()])?;
    Ok(())
}

/// What was out as far as the log is counted, and when the server was off.
#[expect(clippy::type_complexity, reason = "what Rollup::new takes")]
pub(crate) fn leases_counted(tx: &mut Tx<'_>) -> Result<(Vec<(LeaseId, Holding)>, Vec<Gap>), DbError> {
    let sql = "SELECT lease, feature, user_name, host, seats, seat, borrowed, charged_ms, until_ms FROM usage_lease ORDER BY lease";
    let leases = tx.all(sql, &[], |row| {
        let who = Who { feature: row.str(1)?.into(), user: row.str(2)?.into(), host: row.str(3)?.into() };
        let holding = Holding {
            who: who.into(),
            seats: u32::try_from(row.int(4)?).unwrap_or(u32::MAX),
            seat: row.opt_str(5)?.map(lease_id).transpose()?,
            borrowed: row.bool(6)?,
            charged: Ms(row.int(7)?),
            until: row.opt_int(8)?.map(Ms),
        };
        Ok((lease_id(row.str(0)?)?, holding))
    })?;
    let gaps = tx.all("SELECT from_ms, until_ms FROM usage_gap ORDER BY from_ms", &[], |row| {
        Ok(Gap { from: Ms(row.int(0)?), until: Ms(row.int(1)?) })
    })?;
    // One after a start that wrote nothing down may reach into the next.
    let mut apart: Vec<Gap> = Vec::new();
    for gap in gaps {
        match apart.last_mut().filter(|last| gap.from <= last.until) {
            Some(last) => last.until = last.until.max(gap.until),
            None => apart.push(gap),
        }
    }
    Ok((leases, apart))
}

/// A row of the log.
#[derive(Clone, Debug)]
pub(crate) struct RollEvent {
    pub(crate) id: i64,
    pub(crate) fact: Fact,
}

/// Rows of the log after `event`, oldest first.
pub(crate) fn events_after(tx: &mut Tx<'_>, event: i64, most: u32) -> Result<Vec<RollEvent>, DbError> {
    tx.all(
        "SELECT id, at_ms, kind, lease, feature, seats, user_name, host, seat, until_ms FROM usage_event
         WHERE id > ?1 ORDER BY id LIMIT ?2",
        &[event.into(), most.into()],
        |row| {
            let kind = EventKind::from_word(row.str(2)?).ok_or(damaged("usage event"))?;
            let who = Who { feature: row.str(4)?.into(), user: row.str(6)?.into(), host: row.str(7)?.into() };
            let fact = Fact {
                at: Ms(row.int(1)?),
                kind,
                lease: row.opt_str(3)?.map(lease_id).transpose()?,
                seat: row.opt_str(8)?.map(lease_id).transpose()?,
                who: who.into(),
                seats: u32::try_from(row.int(5)?).unwrap_or(u32::MAX),
                until: row.opt_int(9)?.map(Ms),
            };
            Ok(RollEvent { id: row.int(0)?, fact })
        },
    )
}

fn lease_id(text: &str) -> Result<LeaseId, DbError> {
    text.parse().map_err(|_| damaged("lease of usage"))
}

/// Stores a step of counting, from what was stored as `from`. Answers `false`, and stores nothing, if that is no longer
/// what is stored.
pub(crate) fn store(tx: &mut Tx<'_>, from: &Roll, (event, through): (i64, Ms), added: &Added) -> Result<bool, DbError> {
    let moved = tx.exec(
        "UPDATE usage_roll SET event = ?3, through_ms = ?4 WHERE id = 1 AND event = ?1 AND epoch = ?2 AND through_ms = ?5",
        &[from.event.into(), from.epoch.into(), event.into(), through.0.into(), from.through.0.into()],
    )?;
    if moved == 0 {
        return Ok(false);
    }
    for ((feature, hour), row) in &added.hours {
        let row = (row.seat_ms, row.borrowed_ms, [row.peak, row.owned, row.checkouts, row.ends, row.denials]);
        add_hour(tx, feature, *hour, row)?;
    }
    let mut ids = Ids::default();
    for ((span, day, who), row) in &added.days {
        // Of a longer block too: the day itself comes with it as a block of one.
        let last_day = *day;
        let key = [
            *span,
            *day,
            ids.of(tx, &who.feature, FEATURE, last_day)?,
            ids.of(tx, &who.user, NAME, last_day)?,
            ids.of(tx, &who.host, NAME, last_day)?,
        ];
        add_day(tx, key, *row)?;
    }
    for (lease, change) in &added.leases {
        match change {
            LeaseChange::Out(holding) => set_lease(tx, *lease, holding)?,
            LeaseChange::Over => {
                tx.exec("DELETE FROM usage_lease WHERE lease = ?1", &[lease.to_string().into()])?;
            }
        }
    }
    Ok(true)
}

fn set_lease(tx: &mut Tx<'_>, lease: LeaseId, holding: &Holding) -> Result<(), DbError> {
    tx.exec(
        "INSERT INTO usage_lease (lease, feature, user_name, host, seats, seat, borrowed, charged_ms, until_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (lease) DO UPDATE SET
             charged_ms = excluded.charged_ms, borrowed = excluded.borrowed, until_ms = excluded.until_ms",
        &[
            lease.to_string().into(),
            (&*holding.who.feature).into(),
            (&*holding.who.user).into(),
            (&*holding.who.host).into(),
            holding.seats.into(),
            holding.seat.map(|seat| seat.to_string()).into(),
            holding.borrowed.into(),
            holding.charged.0.into(),
            holding.until.map(|until| until.0).into(),
        ],
    )?;
    Ok(())
}

type HourTotals = (i64, i64, [u32; 5]);

fn add_hour(
    tx: &mut Tx<'_>,
    feature: &str,
    hour: i64,
    (seat_ms, borrowed_ms, counts): HourTotals,
) -> Result<(), DbError> {
    let [peak, owned, checkouts, ends, denials] = counts;
    tx.exec(
        "INSERT INTO usage_hour (feature, hour, seat_ms, borrowed_ms, peak, owned, checkouts, ends, denials)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (feature, hour) DO UPDATE SET
             seat_ms = seat_ms + excluded.seat_ms, borrowed_ms = borrowed_ms + excluded.borrowed_ms,
             peak = MAX(peak, excluded.peak), owned = MAX(owned, excluded.owned),
             checkouts = checkouts + excluded.checkouts, ends = ends + excluded.ends, denials = denials + excluded.denials",
        &[
            feature.into(),
            hour.into(),
            seat_ms.into(),
            borrowed_ms.into(),
            peak.into(),
            owned.into(),
            checkouts.into(),
            ends.into(),
            denials.into(),
        ],
    )?;
    Ok(())
}

/// Span, day, feature, user, host.
fn add_day(tx: &mut Tx<'_>, key: [i64; 5], row: AddedDay) -> Result<(), DbError> {
    static ADD: LazyLock<String> = LazyLock::new(|| {
        let values: Vec<String> = (1..=33).map(|place| format!("?{place}")).collect();
        format!(
            "INSERT INTO usage_day ({DAY_COLUMNS}, {}) VALUES ({}) {}",
            hour_columns(str::to_owned),
            values.join(", "),
            add_to_day()
        )
    });
    let counts: [Value<'_>; 4] = [row.seat_ms.into(), row.peak.into(), row.checkouts.into(), row.denials.into()];
    let values: Vec<Value<'_>> =
        key.into_iter().map(Value::from).chain(counts).chain(row.hours.into_iter().map(Value::from)).collect();
    tx.exec(&ADD, &values)?;
    Ok(())
}

/// Columns of a row of totals by day, without those of its hours.
pub(super) const DAY_COLUMNS: &str = "span, day, feature, user_id, host_id, seat_ms, peak, checkouts, denials";

/// The columns of the hours of a day, each put as `each` says.
pub(super) fn hour_columns(each: impl Fn(&str) -> String) -> String {
    let columns: Vec<String> = (0..24).map(|hour| each(&format!("h{hour}"))).collect();
    columns.join(", ")
}

/// What becomes of a row of totals by day when there is one already.
pub(super) fn add_to_day() -> String {
    format!(
        "ON CONFLICT (span, day, feature, user_id, host_id) DO UPDATE SET
             seat_ms = seat_ms + excluded.seat_ms, peak = MAX(peak, excluded.peak),
             checkouts = checkouts + excluded.checkouts, denials = denials + excluded.denials, {}",
        hour_columns(|hour| format!("{hour} = {hour} + excluded.{hour}"))
    )
}

/// The hours of a day in a row that has them from a column on.
pub(super) fn hours_of_day(row: &Row<'_>, first: usize) -> Result<[i64; 24], DbError> {
    let mut hours = [0; 24];
    for (hour, value) in hours.iter_mut().enumerate() {
        *value = row.int(first + hour)?;
    }
    Ok(hours)
}

/// Numbers of names, looked up once for each transaction.
#[derive(Default)]
pub(super) struct Ids(HashMap<(Box<str>, i64), (i64, i64)>);

impl Ids {
    /// The number of a name that is used on `day`; makes one.
    pub(super) fn of(&mut self, tx: &mut Tx<'_>, name: &str, kind: i64, day: i64) -> Result<i64, DbError> {
        // No name needs no pseudonym.
        let kind = if name.is_empty() { PSEUDONYM } else { kind };
        if let Some((id, _)) = self.0.get(&(name.into(), kind)).filter(|(_, last)| day <= *last) {
            return Ok(*id);
        }
        let sql = "INSERT INTO usage_name (name, kind, last_day) VALUES (?1, ?2, ?3)
                   ON CONFLICT (name, kind) DO UPDATE SET last_day = MAX(last_day, excluded.last_day) RETURNING id";
        let id = tx.one(sql, &[name.into(), kind.into(), day.into()], |row| row.int(0))?;
        let id = id.ok_or(damaged("name of usage"))?;
        self.0.insert((name.into(), kind), (id, day));
        Ok(id)
    }
}

/// The server's time goes back `from` a later one: what was counted since `to` happened that much earlier, to the hour and
/// to the day.
pub(super) fn set_back(tx: &mut Tx<'_>, from: Ms, to: Ms) -> Result<(), DbError> {
    let by_ms = from.since(to);
    let values = [by_ms.into(), to.0.into()];
    for sql in [
        "UPDATE usage_lease SET charged_ms = charged_ms - ?1 WHERE charged_ms > ?2",
        "UPDATE usage_roll SET through_ms = MIN(through_ms, ?2), epoch = epoch + 1 + 0 * ?1",
        "DELETE FROM usage_gap WHERE until_ms > ?2 + 0 * ?1",
    ] {
        tx.exec(sql, &values)?;
    }
    set_back_hours(tx, hour_of(to), (by_ms + HOUR_MS / 2) / HOUR_MS)?;
    set_back_days(tx, day_of(to), (by_ms + DAY_MS / 2) / DAY_MS)
}

fn set_back_hours(tx: &mut Tx<'_>, last: i64, by: i64) -> Result<(), DbError> {
    let rows = tx.all(
        "SELECT feature, hour, seat_ms, borrowed_ms, peak, owned, checkouts, ends, denials FROM usage_hour WHERE hour > ?1",
        &[last.into()],
        |row| {
            let number = |column| Ok::<_, DbError>(u32::try_from(row.int(column)?).unwrap_or(u32::MAX));
            let counts = [number(4)?, number(5)?, number(6)?, number(7)?, number(8)?];
            Ok((row.text(0)?, row.int(1)?, (row.int(2)?, row.int(3)?, counts)))
        },
    )?;
    tx.exec("DELETE FROM usage_hour WHERE hour > ?1", &[last.into()])?;
    for (feature, hour, totals) in rows {
        add_hour(tx, &feature, (hour - by).min(last), totals)?;
    }
    Ok(())
}

fn set_back_days(tx: &mut Tx<'_>, last: i64, by: i64) -> Result<(), DbError> {
    static LATER: LazyLock<String> = LazyLock::new(|| {
        format!("SELECT {DAY_COLUMNS}, {} FROM usage_day WHERE span = 1 AND day > ?1", hour_columns(str::to_owned))
    });
    let rows = tx.all(&LATER, &[last.into()], |row| {
        let number = |column| Ok::<_, DbError>(u32::try_from(row.int(column)?).unwrap_or(u32::MAX));
        let total = AddedDay {
            seat_ms: row.int(5)?,
            peak: number(6)?,
            checkouts: number(7)?,
            denials: number(8)?,
            hours: hours_of_day(row, 9)?,
        };
        Ok(([row.int(1)?, row.int(2)?, row.int(3)?, row.int(4)?], total))
    })?;
    if rows.is_empty() {
        return Ok(());
    }
    tx.exec("DELETE FROM usage_day WHERE span = 1 AND day > ?1", &[last.into()])?;
    for ([day, feature, user, host], total) in rows {
        add_day(tx, [1, (day - by).min(last), feature, user, host], total)?;
    }
    // The longer blocks anew from their days.
    for span in SPANS.into_iter().filter(|span| *span > 1) {
        let first = block_of(last - by, span);
        tx.exec("DELETE FROM usage_day WHERE span = ?1 AND day >= ?2", &[span.into(), first.into()])?;
        tx.exec(
            "INSERT INTO usage_day (span, day, feature, user_id, host_id, seat_ms, peak, checkouts, denials)
             SELECT ?1, day - day % ?1, feature, user_id, host_id, SUM(seat_ms), MAX(peak), SUM(checkouts), SUM(denials)
             FROM usage_day WHERE span = 1 AND day >= ?2 GROUP BY day - day % ?1, feature, user_id, host_id",
            &[span.into(), first.into()],
        )?;
    }
    Ok(())
}
