//! What is counted so far, in memory and in the database, and a step further.

use crate::store::{self, Roll};
use leasehold_core::pool::Pool;
use leasehold_core::time::{MINUTE_MS, Ms};
use leasehold_core::usage::{ALL, Added, Rollup};
use leasehold_db::{Db, DbError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Events counted in one transaction: some milliseconds.
const EVENTS_AT_ONCE: u32 = 1_000;
/// Users on hosts whose finished days are counted in one transaction.
const CHARGED_AT_ONCE: usize = 200;
/// Between two looks at how many seats are owned, in milliseconds.
const OWNED_EVERY_MS: i64 = MINUTE_MS;

/// How many seats of each feature are owned, as the engine said last. Clones are the same. Nobody asks the engine for it, so
/// that counting keeps no engine going that its server has let go of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Owned(Arc<Mutex<OwnedSeats>>);

type OwnedSeats = Vec<(Arc<str>, u32)>;

impl Owned {
    /// What is so from now on.
    pub(crate) fn set(&self, pool: &Pool, now: Ms) {
        let features = pool.view(now).features.into_iter().filter(|feature| feature.capacity.total > 0);
        let seats = features.map(|feature| (feature.feature.as_str().into(), feature.capacity.total)).collect();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = seats;
    }

    fn get(&self) -> OwnedSeats {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What is counted so far. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counting(Arc<Mutex<Counted>>);

#[derive(Debug, Default)]
struct Counted {
    /// `None` before it is read, and after something went wrong.
    held: Option<(Roll, Rollup)>,
    owned_at: Option<Ms>,
}

/// What a user has in use on a host on a day, and is not in the totals of days yet.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    pub(crate) user: Arc<str>,
    pub(crate) host: Arc<str>,
    pub(crate) day: i64,
    /// Seats in use, times milliseconds.
    pub(crate) seat_ms: i64,
    /// Most seats at once.
    pub(crate) peak: u32,
    /// Of `seat_ms`, what is in each hour of the day (UTC).
    pub(crate) hours: [i64; 24],
}

/// What is in use and not in the totals of days yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Uncharged {
    pub(crate) rows: Vec<Running>,
    /// Up to when everything is counted.
    pub(crate) through: Ms,
    /// Seats in use then, of the feature or of all.
    pub(crate) in_use: u32,
}

impl Counting {
    fn lock(&self) -> MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One step: some events of the log, or the time up to the last commit. Whether there is more to do at once.
    pub(crate) fn step(&self, db: &Db, owned: Option<&Owned>) -> Result<bool, DbError> {
        let mut counted = self.lock();
        let stepped = counted.step(db, owned);
        if stepped.is_err() {
            // What is in memory may be ahead of the disk.
            counted.held = None;
        }
        stepped
    }

    /// What is in use and not in the totals of days yet, of a feature or of all, from a day on.
    pub(crate) fn uncharged(&self, feature: Option<&str>, from_day: i64) -> Uncharged {
        let counted = self.lock();
        let Some((_, rollup)) = &counted.held else { return Uncharged::default() };
        let all = rollup
            .uncharged()
            .filter(|(who, day, _)| *day >= from_day && feature.is_none_or(|feature| &*who.feature == feature));
        let running = all.map(|(who, day, add)| Running {
            user: Arc::clone(&who.user),
            host: Arc::clone(&who.host),
            day,
            seat_ms: add.seat_ms,
            peak: add.peak,
            hours: add.hours,
        });
        let rows = running.collect();
        let wanted = feature.unwrap_or(ALL);
        let in_use = rollup.in_use().find(|(code, _)| &***code == wanted).map_or(0, |(_, seats)| seats);
        Uncharged { rows, through: rollup.through(), in_use }
    }
}

impl Counted {
    fn step(&mut self, db: &Db, owned: Option<&Owned>) -> Result<bool, DbError> {
        // The mark first: every event before it is in the log by then.
        let after = self.held.as_ref().map(|(roll, _)| roll.event);
        let (roll, mark, events) = db.read(move |tx| {
            let (mark, roll) = (store::state(tx)?.mark, store::usage_roll(tx)?);
            let events = store::events_after(tx, after.unwrap_or(roll.event), EVENTS_AT_ONCE)?;
            Ok::<_, DbError>((roll, mark, events))
        })?;
        let same = |(held, _): &(Roll, Rollup)| {
            (held.event, held.through, held.epoch) == (roll.event, roll.through, roll.epoch)
        };
        let (roll, mut rollup) = match self.held.take().filter(same) {
            Some((_, rollup)) => (roll, rollup),
            None if after.is_some() => return Ok(true),
            None => {
                // From the first event on, if nothing was ever counted.
                let begin = if roll.event == 0 { events.first().map(|event| event.fact.at) } else { None };
                let (leases, gaps) = db.read(store::leases_counted)?;
                let through = begin.or(mark).filter(|_| roll.through == Ms(0)).unwrap_or(roll.through);
                (roll, Rollup::new(through, leases, gaps))
            }
        };
        let mut added = Added::default();
        let before = rollup.through();
        for event in &events {
            rollup.fact(&event.fact, &mut added);
        }
        let more = events.len() >= EVENTS_AT_ONCE as usize;
        if !more && let Some(mark) = mark {
            rollup.advance(mark, &mut added);
            self.owned(owned, before, &rollup, &mut added);
        } else {
            rollup.advance(rollup.through(), &mut added);
        }
        let more = rollup.charge_days(CHARGED_AT_ONCE, &mut added) || more;
        let event = events.last().map_or(roll.event, |event| event.id);
        let through = rollup.through();
        if event == roll.event && through == roll.through && added == Added::default() {
            self.held = Some((roll, rollup));
            return Ok(false);
        }
        let (from, gaps_before) = (roll.clone(), rollup.gaps_needed_from());
        let stored = db.write(move |tx| {
            let stored = store::store_usage(tx, &from, (event, through), &added)?;
            if stored {
                store::forget_gaps(tx, gaps_before)?;
            }
            Ok::<_, DbError>(stored)
        })?;
        // Otherwise the time was set back in between: everything is read again.
        self.held = stored.then_some((Roll { event, through, ..roll }, rollup));
        Ok(more || !stored)
    }

    /// How many seats are owned is not in the log: looked at now and then.
    fn owned(&mut self, owned: Option<&Owned>, before: Ms, rollup: &Rollup, added: &mut Added) {
        let now = rollup.through();
        let lately = self.owned_at.is_some_and(|at| now.since(at) < OWNED_EVERY_MS && at <= now);
        let seats = owned.filter(|_| !lately).map(Owned::get).unwrap_or_default();
        if !seats.is_empty() {
            rollup.owned(before, &seats, added);
            self.owned_at = Some(now);
        }
    }
}
