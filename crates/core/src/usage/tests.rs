use super::*;
use crate::engine::EventKind;
use crate::ids::LeaseId;
use crate::random::Seeded;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

const FEATURES: [&str; 2] = ["gui", "render"];
const MINUTE: i64 = 60_000;

#[derive(Clone, Debug)]
struct Told {
    after_min: i64,
    lease: usize,
    what: u8,
}

fn told() -> impl Strategy<Value = Vec<Told>> {
    let one = (0..700_i64, 0..7_usize, 0..12_u8).prop_map(|(after_min, lease, what)| Told { after_min, lease, what });
    prop::collection::vec(one, 1..60)
}

/// Leases 5 and 6 share a seat; the others have one or two of their own. Lease 4 is borrowed, and may be extended.
fn fact(at: Ms, told: &Told) -> Fact {
    let lease = told.lease;
    let shared = lease >= 5;
    let id = |number| LeaseId::draw(Ms(1), &mut Seeded::new(number));
    let who = Who {
        feature: FEATURES[if shared { 0 } else { lease % 2 }].into(),
        user: if shared { "ann" } else { ["ann", "ben"][lease / 2 % 2] }.into(),
        host: if shared { "h1" } else { ["h1", "h2"][lease % 2] }.into(),
    };
    let kind = match told.what {
        0..=4 if lease == 4 => EventKind::Borrow,
        0..=4 => EventKind::Checkout,
        5..=7 => EventKind::Checkin,
        8 => EventKind::Expired,
        9 => EventKind::Denied,
        _ => EventKind::Extend,
    };
    let seats = if shared { 1 } else { 1 + u32::try_from(lease % 2).unwrap() };
    let number = u64::try_from(lease).unwrap();
    let until = (lease == 4).then(|| at.plus(i64::from(told.what) * 150 * MINUTE));
    Fact { at, kind, lease: Some(id(number)), seat: shared.then(|| id(99)), who: who.into(), seats, until }
}

#[derive(Default)]
struct Stored {
    hours: BTreeMap<(Arc<str>, i64), AddedHour>,
    days: BTreeMap<(i64, i64, Arc<Who>), AddedDay>,
    leases: BTreeMap<LeaseId, Holding>,
}

impl Stored {
    fn store(&mut self, added: Added) {
        for (key, add) in added.hours {
            let row = self.hours.entry(key).or_default();
            row.seat_ms += add.seat_ms;
            row.borrowed_ms += add.borrowed_ms;
            row.peak = row.peak.max(add.peak);
            row.owned = row.owned.max(add.owned);
            row.checkouts += add.checkouts;
            row.ends += add.ends;
            row.denials += add.denials;
        }
        for (key, add) in added.days {
            let row = self.days.entry(key).or_default();
            row.seat_ms += add.seat_ms;
            row.peak = row.peak.max(add.peak);
            row.checkouts += add.checkouts;
            row.denials += add.denials;
            row.hours.iter_mut().zip(add.hours).for_each(|(sum, add)| *sum += add);
        }
        for (id, change) in added.leases {
            match change {
                LeaseChange::Out(holding) => drop(self.leases.insert(id, holding)),
                LeaseChange::Over => drop(self.leases.remove(&id)),
            }
        }
    }
}

/// Minute by minute, in the plainest way there is. Every event is at the begin of a minute.
fn by_hand(facts: &[Fact], end: Ms, gaps: &[Gap]) -> Stored {
    let mut stored = Stored::default();
    let mut out: BTreeMap<LeaseId, Fact> = BTreeMap::new();
    let mut waiting = facts.iter().peekable();
    let mut at = facts[0].at;
    let look = |stored: &mut Stored, out: &BTreeMap<LeaseId, Fact>, at: Ms, ms: i64, off: bool| {
        let mut seats: BTreeMap<LeaseId, (Fact, u32)> = BTreeMap::new();
        let has = |fact: &Fact| fact.until.is_some_and(|until| at < until);
        for (id, fact) in out {
            if !off || has(fact) {
                seats.insert(fact.seat.unwrap_or(*id), (fact.clone(), fact.seats));
            }
        }
        for feature in FEATURES.into_iter().chain([ALL]) {
            let of = || seats.values().filter(|(fact, _)| feature == ALL || &*fact.who.feature == feature);
            let sum: u32 = of().map(|(_, seats)| seats).sum();
            let borrowed: u32 = of().filter(|(fact, _)| has(fact)).map(|(_, seats)| seats).sum();
            if sum > 0 {
                let row = stored.hours.entry((feature.into(), hour_of(at))).or_default();
                row.seat_ms += i64::from(sum) * ms;
                row.borrowed_ms += i64::from(borrowed) * ms;
                row.peak = row.peak.max(sum);
            }
        }
        let mut pairs: BTreeMap<Arc<Who>, u32> = BTreeMap::new();
        for (fact, seats) in seats.values() {
            *pairs.entry(fact.who.clone()).or_default() += seats;
        }
        for (who, seats) in pairs {
            for span in SPANS {
                let row = stored.days.entry((span, block_of(day_of(at), span), who.clone())).or_default();
                row.seat_ms += i64::from(seats) * ms;
                row.peak = row.peak.max(seats);
                if span == 1 {
                    row.hours[usize::try_from(hour_of(at) % 24).unwrap()] += i64::from(seats) * ms;
                }
            }
        }
    };
    while at < end {
        while let Some(fact) = waiting.next_if(|fact| fact.at == at) {
            let hour = hour_of(at);
            let count = |stored: &mut Stored, add: &dyn Fn(&mut AddedHour)| {
                for feature in [&*fact.who.feature, ALL] {
                    add(stored.hours.entry((feature.into(), hour)).or_default());
                }
            };
            let daily = |stored: &mut Stored, add: &dyn Fn(&mut AddedDay)| {
                for span in SPANS {
                    add(stored.days.entry((span, block_of(day_of(at), span), fact.who.clone())).or_default());
                }
            };
            match fact.kind {
                EventKind::Denied => {
                    count(&mut stored, &|row| row.denials += 1);
                    daily(&mut stored, &|row| row.denials += 1);
                }
                EventKind::Checkout | EventKind::Borrow if !out.contains_key(&fact.lease.unwrap()) => {
                    out.insert(fact.lease.unwrap(), fact.clone());
                    count(&mut stored, &|row| row.checkouts += 1);
                    daily(&mut stored, &|row| row.checkouts += 1);
                    look(&mut stored, &out, at, 0, false);
                }
                EventKind::Checkin | EventKind::Expired if out.remove(&fact.lease.unwrap()).is_some() => {
                    count(&mut stored, &|row| row.ends += 1);
                }
                EventKind::Extend => {
                    if let Some(borrowed) = out.get_mut(&fact.lease.unwrap()) {
                        borrowed.until = fact.until;
                    }
                }
                _ => {}
            }
        }
        let off = gaps.iter().any(|gap| gap.from <= at && at < gap.until);
        look(&mut stored, &out, at, MINUTE, off);
        at = at.plus(MINUTE);
    }
    stored
}

fn counted<K: Ord, V: Default + PartialEq>(rows: BTreeMap<K, V>) -> BTreeMap<K, V> {
    rows.into_iter().filter(|(_, row)| *row != V::default()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn rollups_in_any_pieces_are_what_counting_minute_by_minute_gives(
        told in told(),
        pieces in prop::collection::vec(1..9_usize, 60),
        off in prop::option::of((0..3_000_i64, 1..4_000_i64)),
    ) {
        let start = Ms(1_700_000_040_000);
        let mut at = start;
        // Nothing happens while it is off.
        let gaps: Vec<Gap> = off
            .map(|(from, long)| Gap { from: start.plus(from * MINUTE), until: start.plus((from + long) * MINUTE) })
            .into_iter()
            .collect();
        let facts: Vec<Fact> = told
            .iter()
            .map(|told| {
                at = at.plus(told.after_min * MINUTE);
                if let Some(gap) = gaps.iter().find(|gap| gap.from < at && at < gap.until) {
                    at = gap.until;
                }
                fact(at, told)
            })
            .collect();
        let end = at.plus(500 * MINUTE);
        let expected = by_hand(&facts, end, &gaps);

        let mut stored = Stored::default();
        let mut through = start;
        let mut rest = &facts[..];
        for piece in pieces {
            // Each piece goes on from what was stored, as after a restart.
            let leases = stored.leases.clone().into_iter().collect();
            let mut rollup = Rollup::new(through, leases, gaps.clone());
            let mut added = Added::default();
            let (now, later) = rest.split_at(piece.min(rest.len()));
            rest = later;
            for fact in now {
                rollup.fact(fact, &mut added);
            }
            let to = rest.first().map_or(end, |next| rollup.through().plus((next.at.since(rollup.through())) / 2));
            rollup.advance(to, &mut added);
            rollup.charge_days(2, &mut added);
            through = rollup.through();
            stored.store(added);
        }
        let leases = stored.leases.clone().into_iter().collect();
        let rollup = Rollup::new(through, leases, gaps.clone());
        let mut left = Added::default();
        for (who, day, add) in rollup.uncharged() {
            prop_assert_eq!(add.hours.iter().sum::<i64>(), add.seat_ms);
            left.day(who, day, |row| {
                row.seat_ms += add.seat_ms;
                row.peak = row.peak.max(add.peak);
                row.hours.iter_mut().zip(add.hours).for_each(|(sum, add)| *sum += add);
            });
        }
        stored.store(left);
        prop_assert_eq!(counted(stored.hours), counted(expected.hours));
        prop_assert_eq!(counted(stored.days), counted(expected.days));
    }

    #[test]
    fn blocks_have_every_day_once_and_none_has_days_on_both_sides_of_the_cut(
        from in -70..400_i64, days in 0..420_i64, cut in -70..800_i64,
    ) {
        let mut next = from;
        for run in blocks(from, from + days, cut) {
            prop_assert_eq!(run.from, next);
            prop_assert!(run.from < run.until && (run.until - run.from) % run.span == 0);
            let mut block = run.from;
            while block < run.until {
                prop_assert_eq!(block_of(block, run.span), block);
                prop_assert!(cut <= block || block + run.span <= cut);
                block += run.span;
            }
            next = run.until;
        }
        prop_assert_eq!(next, from + days);
    }
}

#[test]
fn a_long_period_is_few_blocks() {
    let count = |from: i64, until: i64| -> i64 {
        blocks(from, until, 0).iter().map(|run| (run.until - run.from) / run.span).sum()
    };
    assert!((0..64).all(|from| count(from, from + 400) <= 35));
    assert!((0..64).all(|from| count(from, from + 30) <= 17));
}

#[test]
fn the_week_begins_on_monday_where_the_clock_says_so() {
    // 1970-01-05 was a Monday.
    assert_eq!(week_hour(4 * 24, 0), 0);
    assert_eq!(week_hour(4 * 24 - 1, 0), 167);
    assert_eq!(week_hour(4 * 24 - 2, 120), 0);
    assert_eq!(week_hour(4 * 24, -60), 167);
    assert_eq!((local_day(23, 60), local_day(23, 0), local_day(0, -1)), (1, 0, -1));
}

#[test]
fn a_lease_that_shares_a_seat_frees_nothing_while_another_sits_on_it() {
    let told = |lease, what| Told { after_min: 0, lease, what };
    let at = Ms(1_700_000_040_000);
    let (mut rollup, mut added) = (Rollup::new(at, Vec::new(), Vec::new()), Added::default());
    rollup.fact(&fact(at, &told(5, 0)), &mut added);
    rollup.fact(&fact(at, &told(6, 0)), &mut added);
    let in_use = |rollup: &Rollup| rollup.in_use().find(|(feature, _)| &***feature == ALL).map(|(_, seats)| seats);
    assert_eq!(in_use(&rollup), Some(1));
    rollup.fact(&fact(at, &told(5, 5)), &mut added);
    assert_eq!(in_use(&rollup), Some(1));
    rollup.fact(&fact(at, &told(6, 5)), &mut added);
    assert_eq!(in_use(&rollup), Some(0));
}
