//! What becomes of usage with time. A little in each step, oldest first; what is not done is done later.

use super::UsageParts;
use super::pseudonym::pseudonym;
use crate::store::{self, Roll};
use leasehold_core::random;
use leasehold_core::time::{DAY_MS, HOUR_MS, MINUTE_MS, Ms};
use leasehold_core::usage::{SPANS, block_of, day_of};
use leasehold_db::{Db, DbError};

/// Rows that get other names in one transaction.
const RENAMED_AT_ONCE: u32 = 500;
/// Users whose rows of a block of days get other names in one transaction.
const USERS_AT_ONCE: usize = 200;
/// Between two measurements of how much room usage takes, in milliseconds.
const MEASURED_EVERY_MS: i64 = MINUTE_MS;
/// Events of this time stay whatever room they take: a restart needs the newest, to know keys again.
const EVENTS_KEPT_MS: i64 = HOUR_MS;
/// Totals of users and hosts of so many days stay whatever room they take.
const DAYS_KEPT: i64 = 31;
/// Bytes of a MiB.
const MIB: i64 = 1_024 * 1_024;

/// What has to be remembered from step to step.
#[derive(Debug, Default)]
pub(super) struct Keeper {
    measured_at: Option<Ms>,
    /// Bytes too many, as of the last measurement: of the log, of denials, of totals by day.
    over: [i64; 3],
    /// The day for which everything old has gone.
    forgotten_for: Option<i64>,
}

impl Keeper {
    /// One step. Whether there is more to do at once.
    pub(super) fn step(&mut self, db: &Db, parts: &UsageParts) -> Result<bool, DbError> {
        let now = parts.clock.now();
        if now < parts.keep_from {
            return Ok(false);
        }
        let settings = parts.settings.get();
        let keep = now.plus(-i64::from(settings.usage_keep_days) * DAY_MS);
        if self.forgotten_for != Some(day_of(now)) {
            if db.write(move |tx| store::forget_usage_before(tx, keep))? > 0 {
                return Ok(true);
            }
            self.forgotten_for = Some(day_of(now));
        }
        Ok(replace_names(db, parts, now)? || self.make_room(db, i64::from(settings.usage_detail_mb) * MIB, now)?)
    }

    fn make_room(&mut self, db: &Db, most: i64, now: Ms) -> Result<bool, DbError> {
        if most <= 0 {
            return Ok(false);
        }
        if self.measured_at.is_none_or(|at| now.since(at).abs() >= MEASURED_EVERY_MS) {
            let [events, denials, days] = db.read(store::usage_bytes)?;
            let mut over = (events + denials + days - most).max(0);
            // Detail before totals.
            let mut take = |bytes: i64| {
                let taken = over.min(bytes);
                over -= taken;
                taken
            };
            self.over = [take(events), take(denials), take(days)];
            self.measured_at = Some(now);
        }
        let before = now.plus(-EVENTS_KEPT_MS);
        let days_before = day_of(now) - DAYS_KEPT;
        for part in 0..self.over.len() {
            if self.over[part] <= 0 {
                continue;
            }
            let gone = match part {
                0 => db.write(move |tx| store::drop_usage_events(tx, before))?,
                1 => db.write(store::drop_usage_denials)?,
                _ => db.write(move |tx| store::drop_usage_days(tx, days_before))?,
            };
            // A row has a hundred bytes or more: measured again before too many go.
            self.over[part] -= i64::try_from(gone).unwrap_or(0) * 100;
            if gone > 0 {
                return Ok(true);
            }
            self.over[part] = 0;
        }
        Ok(false)
    }
}

/// Replaces names that are old enough, or all of what is over where none are to be kept.
fn replace_names(db: &Db, parts: &UsageParts, now: Ms) -> Result<bool, DbError> {
    let settings = parts.settings.get();
    let (days, recorded) = (settings.usage_pseudonymize_days, settings.usage_names);
    if days == 0 && recorded {
        return Ok(false);
    }
    let roll = db.read(store::usage_roll)?;
    let Some(secret) = roll.secret.clone() else {
        let drawn: [u8; 32] = parts.random.draw(random::bytes);
        let drawn: String = drawn.iter().map(|byte| format!("{byte:02x}")).collect();
        db.write(move |tx| store::draw_usage_secret(tx, &drawn))?;
        return Ok(true);
    };
    let before = if days == 0 { None } else { Some(now.plus(-i64::from(days) * DAY_MS)) };
    let mut more = false;
    if let Some(before) = before {
        more = rename_events(db, &secret, roll.names_event, before)?;
        more |= rename_days(db, &secret, &roll, day_of(before))?;
    }
    // Whoever is denied is remembered until the denial is over, and no longer.
    let over = if recorded { before } else { Some(now) };
    if let Some(over) = over {
        let of = roll.names_denial;
        let mut rows = db.read(move |tx| store::named_denials(tx, &of, over, RENAMED_AT_ONCE))?;
        for row in &mut rows {
            let of = |user, name: &str| if recorded { pseudonym(&secret, user, name) } else { String::new() };
            (row.user, row.host) = (of(true, &row.user), of(false, &row.host));
        }
        if !rows.is_empty() {
            more = true;
            db.write(move |tx| store::rename_denials(tx, &rows))?;
        }
    }
    Ok(more)
}

fn rename_events(db: &Db, secret: &str, after: i64, before: Ms) -> Result<bool, DbError> {
    let mut rows = db.read(move |tx| store::named_events(tx, after, before, RENAMED_AT_ONCE))?;
    for row in &mut rows {
        (row.user, row.host) = (pseudonym(secret, true, &row.user), pseudonym(secret, false, &row.host));
    }
    let some = !rows.is_empty();
    if some {
        db.write(move |tx| store::rename_events(tx, &rows))?;
    }
    Ok(some)
}

/// Some users of the first day that still has names, and of the blocks that it lies in.
fn rename_days(db: &Db, secret: &str, roll: &Roll, before: i64) -> Result<bool, DbError> {
    let known = roll.names_day;
    let day = db.read(move |tx| store::next_named_day(tx, known))?.filter(|day| *day < before);
    let Some(day) = day else {
        if known < before {
            db.write(move |tx| store::set_names_day(tx, before))?;
        }
        return Ok(db.write(move |tx| store::forget_usage_names(tx, before))? > 0);
    };
    for span in SPANS {
        let block = (span, block_of(day, span));
        let users = db.read(move |tx| store::named_users(tx, block.0, block.1))?;
        let Some(users) = users.get(..users.len().min(USERS_AT_ONCE)).filter(|users| !users.is_empty()) else {
            continue;
        };
        let range = (users[0], users[users.len() - 1]);
        let names = db.read(move |tx| store::users_and_hosts(tx, block, range))?;
        let names: Vec<(bool, i64, String)> =
            names.into_iter().map(|(user, id, name)| (user, id, pseudonym(secret, user, &name))).collect();
        db.write(move |tx| {
            for (user, id, name) in &names {
                store::set_alias(tx, *user, *id, name)?;
            }
            store::pseudonymize_block(tx, block, range)
        })?;
        return Ok(true);
    }
    db.write(move |tx| store::set_names_day(tx, day + 1))?;
    Ok(true)
}
