//! From one event of the log to the next: who holds what, and what that adds to the totals.

use super::{SPANS, block_of, day_of, hour_of, parts, parts_outside};
use crate::engine::EventKind;
use crate::ids::LeaseId;
use crate::time::{DAY_MS, HOUR_MS, Ms};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Stands for all features together where the name of one is expected.
pub const ALL: &str = "";

/// A feature, a user and a host. Hostile text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Who {
    /// Of what.
    pub feature: Arc<str>,
    /// Who, as applications say.
    pub user: Arc<str>,
    /// Where, as applications say.
    pub host: Arc<str>,
}

/// A row of the usage log, as far as it counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fact {
    /// When.
    pub at: Ms,
    /// What.
    pub kind: EventKind,
    /// Which lease; `None` for a denial.
    pub lease: Option<LeaseId>,
    /// The seat that it shares with others; `None` if it has seats of its own.
    pub seat: Option<LeaseId>,
    /// Of what, who and where.
    pub who: Arc<Who>,
    /// How many seats.
    pub seats: u32,
    /// When the pass ends that the lease is; `None` if it is none.
    pub until: Option<Ms>,
}

/// A lease that is out, as far as it counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Holding {
    /// Of what, who and where.
    pub who: Arc<Who>,
    /// How many seats.
    pub seats: u32,
    /// The seat that it shares with others.
    pub seat: Option<LeaseId>,
    /// A machine has borrowed it: it counts also while the server is off.
    pub borrowed: bool,
    /// When the pass ends that it is; `None` if it is none. From then on no machine has it, and until it is freed it counts
    /// as what applications hold: while the server runs.
    pub until: Option<Ms>,
    /// Its time up to here is in the totals of its days.
    pub charged: Ms,
}

/// The server was off. Nobody can say what was in use, so only what machines have borrowed is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gap {
    /// The last time that was stored before.
    pub from: Ms,
    /// When it started again.
    pub until: Ms,
}

/// What is added to an hour of a feature.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct AddedHour {
    /// Seats in use, times milliseconds.
    pub seat_ms: i64,
    /// Of these, borrowed ones.
    pub borrowed_ms: i64,
    /// Most seats in use at once; the largest counts.
    pub peak: u32,
    /// Most seats owned; the largest counts.
    pub owned: u32,
    /// Checkouts, borrows included.
    pub checkouts: u32,
    /// Returned or run out.
    pub ends: u32,
    /// Wants that were denied.
    pub denials: u32,
}

/// What is added to a block of days of a feature, user and host.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct AddedDay {
    /// Seats in use, times milliseconds.
    pub seat_ms: i64,
    /// Most seats in use at once; the largest counts.
    pub peak: u32,
    /// Checkouts, borrows included.
    pub checkouts: u32,
    /// Wants that were denied.
    pub denials: u32,
    /// Of `seat_ms`, what is in each hour of the day (UTC). Of a day only: zeros of a longer block.
    pub hours: [i64; 24],
}

impl AddedDay {
    fn use_seats(&mut self, part: &Part, hour: usize) {
        self.seat_ms += part.seat_ms;
        self.peak = self.peak.max(part.peak);
        self.hours[hour] += part.seat_ms;
    }
}

/// What became of a lease since the totals were stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LeaseChange {
    /// It is out, as it stands here.
    Out(Holding),
    /// It is over.
    Over,
}

/// What is to be stored together.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Added {
    /// By feature ([`ALL`] too) and hour since 1970.
    pub hours: BTreeMap<(Arc<str>, i64), AddedHour>,
    /// By length of the block, its first day, and who.
    pub days: BTreeMap<(i64, i64, Arc<Who>), AddedDay>,
    /// By lease.
    pub leases: BTreeMap<LeaseId, LeaseChange>,
}

impl Added {
    fn hour(&mut self, feature: &Arc<str>, hour: i64) -> &mut AddedHour {
        self.hours.entry((Arc::clone(feature), hour)).or_default()
    }

    pub(super) fn day(&mut self, who: &Arc<Who>, day: i64, add: impl Fn(&mut AddedDay)) {
        for span in SPANS {
            let row = self.days.entry((span, block_of(day, span), Arc::clone(who))).or_default();
            add(row);
            if span > 1 {
                row.hours = [0; 24];
            }
        }
    }
}

/// Seats of a feature in use, counted up to an instant.
#[derive(Clone, Copy, Debug)]
struct Live {
    seats: u32,
    borrowed: u32,
    at: Ms,
}

/// Seats of a feature that one user has on one host, with the leases on them; in the totals of days up to an instant.
#[derive(Clone, Debug)]
struct LivePair {
    live: Live,
    leases: BTreeSet<LeaseId>,
}

/// Who holds what at an instant. Takes events in the order of the log.
#[derive(Clone, Debug)]
pub struct Rollup {
    through: Ms,
    all: Arc<str>,
    gaps: Vec<Gap>,
    leases: HashMap<LeaseId, Holding>,
    /// Passes that machines have, by when they end.
    ends: BTreeSet<(Ms, LeaseId)>,
    /// By how far it is in the totals of days.
    charged: BTreeSet<(Ms, Arc<Who>)>,
    /// Leases on each shared seat, and as whose it counts: those who share it may spell their host otherwise.
    shared: HashMap<LeaseId, (u32, Arc<Who>)>,
    features: HashMap<Arc<str>, Live>,
    /// Its keys are what everything else points at: a user on a host is kept once.
    pairs: HashMap<Arc<Who>, LivePair>,
}

impl Rollup {
    /// Goes on from what was stored: the instant up to which it is counted, the leases that were out then, and when the
    /// server was off.
    pub fn new(through: Ms, leases: Vec<(LeaseId, Holding)>, gaps: Vec<Gap>) -> Rollup {
        let mut rollup = Rollup {
            through,
            all: ALL.into(),
            gaps,
            leases: HashMap::new(),
            ends: BTreeSet::new(),
            charged: BTreeSet::new(),
            shared: HashMap::new(),
            features: HashMap::new(),
            pairs: HashMap::new(),
        };
        for (id, holding) in leases {
            rollup.insert(id, holding);
        }
        rollup
    }

    /// Up to when it is counted.
    pub fn through(&self) -> Ms {
        self.through
    }

    /// What is in use and not in the totals of days yet: who, the day, and what is to be added to it.
    pub fn uncharged(&self) -> impl Iterator<Item = (&Arc<Who>, i64, AddedDay)> {
        self.pairs.iter().flat_map(|(who, pair)| {
            let mut days: Vec<(i64, AddedDay)> = Vec::new();
            for (hour, part) in held(&pair.live, self.through, &self.gaps) {
                let (day, hour) = day_and_hour(hour);
                // Borrowed seats come again for the same hours.
                let known = days.iter().rposition(|(known, _)| *known == day);
                let at = known.unwrap_or_else(|| {
                    days.push((day, AddedDay::default()));
                    days.len() - 1
                });
                days[at].1.use_seats(&part, hour);
            }
            days.into_iter().map(move |(day, row)| (who, day, row))
        })
    }

    /// Seats in use of each feature, and of [`ALL`].
    pub fn in_use(&self) -> impl Iterator<Item = (&Arc<str>, u32)> {
        self.features.iter().map(|(feature, live)| (feature, live.seats))
    }

    /// Gaps that ended before this instant matter no more.
    pub fn gaps_needed_from(&self) -> Ms {
        self.charged.first().map_or(self.through, |(charged, _)| self.through.min(*charged))
    }

    /// Counts one event.
    pub fn fact(&mut self, fact: &Fact, added: &mut Added) {
        // The time was set back in between: what is counted is counted.
        self.go_to(self.through.max(fact.at), added);
        let now = self.through;
        match fact.kind {
            EventKind::Checkout | EventKind::Borrow | EventKind::Adopted => self.begin(fact, now, added),
            EventKind::Checkin | EventKind::Expired | EventKind::Return | EventKind::WriteOff => {
                self.end(fact, now, added);
            }
            EventKind::Denied => {
                for feature in [Arc::clone(&fact.who.feature), Arc::clone(&self.all)] {
                    added.hour(&feature, hour_of(now)).denials += 1;
                }
                added.day(&fact.who, day_of(now), |day| day.denials += 1);
            }
            EventKind::Extend => self.extend(fact, now, added),
            EventKind::Copied | EventKind::TakenBack => {}
        }
    }

    /// Nothing happened up to `now` but what was told: every feature is counted up to then.
    pub fn advance(&mut self, now: Ms, added: &mut Added) {
        self.go_to(self.through.max(now), added);
        let features: Vec<Arc<str>> = self.features.keys().cloned().collect();
        for feature in features {
            self.accrue(&feature, self.through, added);
        }
        self.features.retain(|_, live| live.seats > 0);
    }

    /// So many seats of each feature are owned now, and in the hours since `since`.
    pub fn owned(&self, since: Ms, owned: &[(Arc<str>, u32)], added: &mut Added) {
        let total = owned.iter().fold(0_u32, |sum, (_, seats)| sum.saturating_add(*seats));
        let last = hour_of(self.through);
        // Longer than that it was off, and what was owned then is not known.
        let first = hour_of(since).clamp(last - 48, last);
        for hour in first..=last {
            for (feature, seats) in owned.iter().chain([&(Arc::clone(&self.all), total)]) {
                let row = added.hour(feature, hour);
                row.owned = row.owned.max(*seats);
            }
        }
    }

    /// Puts the days that are over into the totals of days for what is still in use, `most` users on hosts at a time.
    /// Whether there are more.
    pub fn charge_days(&mut self, most: usize, added: &mut Added) -> bool {
        let midnight = Ms(day_of(self.through) * DAY_MS);
        for _ in 0..most {
            let Some((_, who)) = self.charged.first().filter(|(charged, _)| *charged < midnight).cloned() else {
                return false;
            };
            self.charge(&who, self.through, added);
        }
        self.charged.first().is_some_and(|(charged, _)| *charged < midnight)
    }

    /// Counts a user on a host up to `now`, and writes on one of the leases how far that is.
    fn charge(&mut self, who: &Arc<Who>, now: Ms, added: &mut Added) {
        let Some(pair) = self.pairs.get_mut(who) else { return };
        for (hour, part) in held(&pair.live, now, &self.gaps) {
            let (day, hour) = day_and_hour(hour);
            added.day(who, day, |row| row.use_seats(&part, hour));
        }
        let key = (pair.live.at, Arc::clone(who));
        self.charged.remove(&key);
        pair.live.at = pair.live.at.max(now);
        self.charged.insert((pair.live.at, key.1));
        let first = pair.leases.first().copied();
        if let Some((id, holding)) = first.and_then(|id| Some((id, self.leases.get_mut(&id)?))) {
            holding.charged = pair.live.at;
            added.leases.insert(id, LeaseChange::Out(holding.clone()));
        }
    }

    /// Up to `now`, with the passes that end by then.
    fn go_to(&mut self, now: Ms, added: &mut Added) {
        while let Some((until, id)) = self.ends.first().copied().filter(|(until, _)| *until <= now) {
            self.ends.remove(&(until, id));
            self.set_borrowed(id, false, until, added);
        }
        self.through = now;
    }

    /// A machine has a pass until later.
    fn extend(&mut self, fact: &Fact, now: Ms, added: &mut Added) {
        let Some((id, until)) = fact.lease.zip(fact.until) else { return };
        let Some(holding) = self.leases.get_mut(&id) else { return };
        if let Some(before) = holding.until.replace(until) {
            self.ends.remove(&(before, id));
        }
        self.set_borrowed(id, now < until, now, added);
        if now < until {
            self.ends.insert((until, id));
        }
    }

    /// From an instant on a machine has a lease, or has it no more. One that shares its seat is no pass.
    fn set_borrowed(&mut self, id: LeaseId, borrowed: bool, at: Ms, added: &mut Added) {
        let Some(who) = self.leases.get(&id).filter(|holding| holding.seat.is_none()).map(|held| Arc::clone(&held.who))
        else {
            return;
        };
        self.charge(&who, at, added);
        for feature in [Arc::clone(&who.feature), Arc::clone(&self.all)] {
            self.accrue(&feature, at, added);
        }
        let Some(holding) = self.leases.get_mut(&id) else { return };
        let pair = self.pairs.get_mut(&who).map(|pair| &mut pair.live);
        let before = holding.clone();
        holding.borrowed = borrowed;
        for feature in [&who.feature, &self.all] {
            if let Some(live) = self.features.get_mut(feature) {
                live.take(&before);
                live.give(holding);
            }
        }
        if let Some(live) = pair {
            live.take(&before);
            live.give(holding);
        }
        added.leases.insert(id, LeaseChange::Out(holding.clone()));
    }

    fn begin(&mut self, fact: &Fact, now: Ms, added: &mut Added) {
        let Some(id) = fact.lease.filter(|id| !self.leases.contains_key(id)) else { return };
        let shared = fact.seat.and_then(|seat| self.shared.get(&seat));
        let who = shared.map_or(&fact.who, |(_, who)| who);
        let who = Arc::clone(self.pairs.get_key_value(who).map_or(who, |(known, _)| known));
        let holding = Holding {
            who: Arc::clone(&who),
            seats: fact.seats,
            seat: fact.seat,
            borrowed: fact.kind == EventKind::Borrow && fact.until.is_none_or(|until| now < until),
            until: fact.until,
            charged: now,
        };
        for feature in [Arc::clone(&who.feature), Arc::clone(&self.all)] {
            self.accrue(&feature, now, added);
        }
        self.charge(&who, now, added);
        self.insert(id, holding.clone());
        // A lease that is taken up again was counted when it was taken.
        let checkouts = u32::from(fact.kind != EventKind::Adopted);
        for feature in [Arc::clone(&who.feature), Arc::clone(&self.all)] {
            let seats = self.features.get(&feature).map_or(0, |live| live.seats);
            let row = added.hour(&feature, hour_of(now));
            row.peak = row.peak.max(seats);
            row.checkouts += checkouts;
        }
        let seats = self.pairs.get(&who).map_or(0, |pair| pair.live.seats);
        added.day(&who, day_of(now), |day| {
            day.peak = day.peak.max(seats);
            day.checkouts += checkouts;
        });
        added.leases.insert(id, LeaseChange::Out(holding));
    }

    fn end(&mut self, fact: &Fact, now: Ms, added: &mut Added) {
        let Some(id) = fact.lease else { return };
        let Some(holding) = self.leases.remove(&id) else { return };
        if let Some(until) = holding.until {
            self.ends.remove(&(until, id));
        }
        if let Some(pair) = self.pairs.get_mut(&holding.who) {
            // Before it is counted: how far that is must stand on a lease that stays.
            pair.leases.remove(&id);
        }
        self.charge(&holding.who, now, added);
        added.leases.insert(id, LeaseChange::Over);
        for feature in [Arc::clone(&holding.who.feature), Arc::clone(&self.all)] {
            self.accrue(&feature, now, added);
            added.hour(&feature, hour_of(now)).ends += 1;
        }
        // Of those that share a seat the last frees it.
        if let Some(seat) = &holding.seat {
            if let Some((leases, _)) = self.shared.get_mut(seat).filter(|(leases, _)| *leases > 1) {
                *leases -= 1;
                return;
            }
            self.shared.remove(seat);
        }
        for feature in [&holding.who.feature, &self.all] {
            if let Some(live) = self.features.get_mut(feature) {
                live.take(&holding);
            }
        }
        if let Some(pair) = self.pairs.get_mut(&holding.who) {
            pair.live.take(&holding);
            if pair.leases.is_empty() {
                self.charged.remove(&(pair.live.at, Arc::clone(&holding.who)));
                self.pairs.remove(&holding.who);
            }
        }
    }

    /// Counts it in, with nothing added to the totals.
    fn insert(&mut self, id: LeaseId, mut holding: Holding) {
        if let Some((known, _)) = self.pairs.get_key_value(&holding.who) {
            holding.who = Arc::clone(known);
        }
        let first = match &holding.seat {
            Some(seat) => {
                let (leases, _) = self.shared.entry(*seat).or_insert_with(|| (0, Arc::clone(&holding.who)));
                *leases += 1;
                *leases == 1
            }
            None => true,
        };
        let none = Live { seats: 0, borrowed: 0, at: holding.charged };
        let pair = self.pairs.entry(Arc::clone(&holding.who));
        let pair = pair.or_insert_with(|| LivePair { live: none, leases: BTreeSet::new() });
        // Of the leases of one user on one host the one written last says how far they all are counted.
        self.charged.remove(&(pair.live.at, Arc::clone(&holding.who)));
        pair.live.at = pair.live.at.max(holding.charged);
        self.charged.insert((pair.live.at, Arc::clone(&holding.who)));
        pair.leases.insert(id);
        if first {
            pair.live.give(&holding);
            for feature in [&holding.who.feature, &self.all] {
                let none = Live { at: self.through, ..none };
                self.features.entry(Arc::clone(feature)).or_insert(none).give(&holding);
            }
        }
        if let Some(until) = holding.until.filter(|_| holding.borrowed) {
            self.ends.insert((until, id));
        }
        self.leases.insert(id, holding);
    }

    /// Counts a feature up to `now`: all its seats while the server ran, and those borrowed always.
    fn accrue(&mut self, feature: &Arc<str>, now: Ms, added: &mut Added) {
        let Some(live) = self.features.get_mut(feature) else { return };
        for (hour, part) in held(live, now, &self.gaps) {
            let row = added.hour(feature, hour);
            row.seat_ms += part.seat_ms;
            row.borrowed_ms += part.borrowed_ms;
            row.peak = row.peak.max(part.peak);
        }
        live.at = live.at.max(now);
    }
}

impl Live {
    fn give(&mut self, holding: &Holding) {
        self.seats = self.seats.saturating_add(holding.seats);
        self.borrowed = self.borrowed.saturating_add(if holding.borrowed { holding.seats } else { 0 });
    }

    fn take(&mut self, holding: &Holding) {
        self.seats = self.seats.saturating_sub(holding.seats);
        self.borrowed = self.borrowed.saturating_sub(if holding.borrowed { holding.seats } else { 0 });
    }
}

/// Seats that did not change for a while, in one hour of it.
#[derive(Clone, Copy, Debug)]
struct Part {
    seat_ms: i64,
    borrowed_ms: i64,
    peak: u32,
}

/// The day in which an hour lies, and which of its hours that is.
fn day_and_hour(hour: i64) -> (i64, usize) {
    (hour.div_euclid(24), usize::try_from(hour.rem_euclid(24)).unwrap_or(0))
}

/// The hours up to `now`: all seats while the server ran, and those that machines have borrowed always.
fn held(live: &Live, now: Ms, gaps: &[Gap]) -> Vec<(i64, Part)> {
    let mut held = Vec::new();
    if live.seats > live.borrowed {
        for (hour, ms) in parts_outside(live.at, now, HOUR_MS, gaps) {
            let seat_ms = i64::from(live.seats - live.borrowed) * ms;
            held.push((hour, Part { seat_ms, borrowed_ms: 0, peak: live.seats }));
        }
    }
    if live.borrowed > 0 {
        for (hour, ms) in parts(live.at, now, HOUR_MS) {
            let seat_ms = i64::from(live.borrowed) * ms;
            held.push((hour, Part { seat_ms, borrowed_ms: seat_ms, peak: live.borrowed }));
        }
    }
    held
}
