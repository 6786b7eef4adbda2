use super::*;
use leasehold_core::engine::{Event, EventKind};
use leasehold_core::ids::{LeaseId, LineId};
use leasehold_core::license::FeatureCode;
use leasehold_core::pool::{Ask, Lease, Placement, Source, Standing};
use leasehold_core::random::Seeded;
use leasehold_core::time::{DAY_MS, HOUR_MS};
use leasehold_core::times::{LeaseTimes, TimeTable};
use leasehold_core::usage::{Added, Fact, Rollup, Who, day_of, hour_of};
use leasehold_db::Db;
use leasehold_db::testing::fresh_in_line;
use std::collections::BTreeMap;

const NOW: Ms = Ms(1_795_348_800_000);

fn database() -> Db {
    let db = fresh_in_line();
    db.migrate(MIGRATIONS).unwrap();
    db
}

fn store(db: &Db, now: Ms, writes: Vec<Write>, prune_events_before: Option<Ms>) {
    let batch = Batch { now, writes, names: true, prune_events_before };
    db.write(move |tx| commit(tx, &batch)).unwrap();
}

fn ask() -> Ask {
    Ask {
        feature: FeatureCode::new("studio.gui").unwrap(),
        seats: 2,
        version: "2026.1".into(),
        released_on: "2026-10-01".parse().ok(),
        user: "zoë <b>".into(),
        host: "hall3".into(),
        host_id: "h".into(),
        boot_id: "b".into(),
        pid: 7,
        labels: BTreeMap::from([("project".into(), "x".into())]),
    }
}

fn lease(random: &mut Seeded, standing: Standing) -> Lease {
    let id = LeaseId::draw(NOW, random);
    Lease {
        id,
        key: format!("key-{id}").into(),
        ask: ask(),
        source: Source { address: "2001:db8::1".parse().unwrap(), loopback: true },
        standing,
        started_at: NOW,
        seen_at: NOW,
        freed_at: NOW,
        times: LeaseTimes::DEFAULT,
        n: 3,
        nonce: "n".into(),
        withdrawn: false,
        released: None,
        told_at: None,
        pass: None,
    }
}

fn placement(random: &mut Seeded) -> Placement {
    [(LineId::draw(NOW, random), 1), (LineId::draw(NOW, random), 1)].into()
}

#[test]
fn leases_come_back_as_they_were_and_shared_seats_move_as_one() {
    let (db, mut random) = (database(), Seeded::new(1));
    let (from, to) = (placement(&mut random), placement(&mut random));
    let seat = LeaseId::draw(NOW, &mut random);
    let own = lease(&mut random, Standing::Own(from.clone()));
    let shared = |random: &mut Seeded| lease(random, Standing::Shared { seat, placement: from.clone() });
    let (first, second) = (shared(&mut random), shared(&mut random));
    let writes = [&own, &first, &second].map(|lease| Write::Lease(Box::new(lease.clone())));
    store(&db, NOW, writes.to_vec(), None);
    let read = db.read(leases).unwrap();
    assert_eq!(read.len(), 3);
    let found = read.iter().find(|lease| lease.id == own.id).unwrap();
    assert_eq!((&found.ask, found.source, &found.key), (&own.ask, own.source, &own.key));
    assert_eq!((&found.standing, found.started_at, found.n), (&own.standing, NOW, 0));

    store(&db, NOW, vec![Write::SeatMoved { seat, placement: to.clone() }], None);
    store(&db, NOW, vec![Write::LeaseSeen { id: own.id, at: NOW.plus(5) }], None);
    for lease in db.read(leases).unwrap() {
        let expected = if lease.id == own.id {
            Standing::Own(from.clone())
        } else {
            Standing::Shared { seat, placement: to.clone() }
        };
        assert_eq!(lease.standing, expected);
        assert_eq!(lease.seen_at, if lease.id == own.id { NOW.plus(5) } else { NOW });
    }
    store(&db, NOW, vec![Write::SeatMoved { seat: own.id, placement: to.clone() }], None);
    store(&db, NOW, vec![Write::LeaseEnded { id: first.id }], None);
    let read = db.read(leases).unwrap();
    assert_eq!(read.len(), 2);
    assert_eq!(read.iter().find(|lease| lease.id == own.id).unwrap().standing, Standing::Own(to));
}

fn event(at: Ms, kind: EventKind, random: &mut Seeded) -> Write {
    Write::Event(Box::new(Event {
        at,
        kind,
        seat: None,
        lease: Some(LeaseId::draw(at, random)),
        key: format!("{kind}-{}", at.0).into(),
        feature: FeatureCode::new("studio.gui").unwrap(),
        seats: 1,
        user: "".into(),
        host: "".into(),
        code: None,
        until: None,
    }))
}

#[test]
fn keys_that_ended_lately_are_found_in_order_of_time_however_many_events_there_are() {
    let (db, mut random) = (database(), Seeded::new(1));
    // More than one look's worth, so that going back over several looks is shown.
    let events = 0..25_000_i64;
    let writes = events
        .map(|n| {
            let kind = [EventKind::Checkout, EventKind::Checkin, EventKind::Expired, EventKind::Denied][n as usize % 4];
            event(NOW.plus(n), kind, &mut random)
        })
        .collect();
    store(&db, NOW, writes, None);
    let ended = db.read(|tx| ended_since(tx, NOW.plus(2_000))).unwrap();
    assert_eq!(ended.len(), 11_500);
    assert!(ended.is_sorted_by_key(|(at, ..)| *at) && ended[0].0 >= NOW.plus(2_000));
    assert!(ended.iter().all(|(_, _, key)| key.starts_with("checkin-") || key.starts_with("expired-")));
}

#[test]
fn old_events_go_some_at_a_time_and_the_mark_of_time_stays() {
    let (db, mut random) = (database(), Seeded::new(1));
    let writes = (0..5_000).map(|n| event(NOW.plus(n), EventKind::Checkout, &mut random)).collect();
    store(&db, NOW, writes, None);
    let left = |db: &Db| db.read(|tx| tx.one("SELECT COUNT(*) FROM usage_event", &[], |row| row.int(0))).unwrap();
    let keep_from = NOW.plus(4_000);
    let mut counts = Vec::new();
    for _ in 0..4 {
        store(&db, NOW.plus(9_000), Vec::new(), Some(keep_from));
        counts.push(left(&db).unwrap());
    }
    assert_eq!(counts, [3_000, 1_000, 1_000, 1_000]);
    assert_eq!(db.read(state).unwrap().mark, Some(NOW.plus(9_000)));
}

#[test]
fn when_the_time_is_set_back_figures_go_with_it_and_nothing_is_counted_twice() {
    let db = database();
    let who = Who { feature: "gui".into(), user: "ann".into(), host: "h".into() };
    let who = std::sync::Arc::new(who);
    let fact =
        |at, kind, lease| Fact { at, kind, lease: Some(lease), seat: None, who: who.clone(), seats: 2, until: None };
    let lease = |number| LeaseId::draw(Ms(1), &mut Seeded::new(number));
    let begin = Ms(20_000 * DAY_MS);
    let (mut rollup, mut added) = (Rollup::new(begin, Vec::new(), Vec::new()), Added::default());
    // An hour before the clock was wrong by forty days, an hour after.
    rollup.fact(&fact(begin, EventKind::Checkout, lease(1)), &mut added);
    rollup.fact(&fact(begin.plus(HOUR_MS), EventKind::Checkin, lease(1)), &mut added);
    let wrong = begin.plus(40 * DAY_MS);
    rollup.fact(&fact(wrong, EventKind::Checkout, lease(2)), &mut added);
    rollup.fact(&fact(wrong.plus(HOUR_MS), EventKind::Checkin, lease(2)), &mut added);
    let through = rollup.through();
    let from = db.read(usage_roll).unwrap();
    let (of, rows) = (from.clone(), added.clone());
    assert!(db.write(move |tx| store_usage(tx, &of, (7, through), &rows)).unwrap());
    let (of, rows) = (from.clone(), added.clone());
    assert!(!db.write(move |tx| store_usage(tx, &of, (7, through), &rows)).unwrap(), "not twice");

    let to = begin.plus(2 * DAY_MS);
    store(&db, through, vec![Write::SetBack { from: through, to }], None);
    let roll = db.read(usage_roll).unwrap();
    assert!((roll.event, roll.through) == (7, to) && roll.epoch > from.epoch, "{roll:?}");
    let rows = |sql: &'static str| {
        db.read(move |tx| tx.all(sql, &[], |row| Ok((row.int(0)?, row.int(1)?, row.int(2)?)))).unwrap()
    };
    let hours =
        rows("SELECT hour, seat_ms, checkouts FROM usage_hour WHERE feature = 'gui' AND seat_ms > 0 ORDER BY hour");
    assert_eq!(hours.len(), 2, "{hours:?}");
    assert!(hours.iter().all(|(hour, seat_ms, taken)| *hour <= hour_of(to) && (*seat_ms, *taken) == (2 * HOUR_MS, 1)));
    for span in [1, 8, 64] {
        let of: Vec<_> =
            rows("SELECT span, day, seat_ms FROM usage_day").into_iter().filter(|row| row.0 == span).collect();
        assert_eq!(of.iter().map(|row| row.2).sum::<i64>(), 4 * HOUR_MS, "{span}: {of:?}");
        assert!(of.iter().all(|row| row.1 <= day_of(to)), "{of:?}");
    }
    let hours: Vec<String> = (0..24).map(|hour| format!("h{hour}")).collect();
    let by_hour: &'static str =
        format!("SELECT seat_ms, {}, 0 FROM usage_day WHERE span = 1", hours.join(" + ")).leak();
    assert!(rows(by_hour).iter().all(|(all, in_hours, _)| all == in_hours), "hours go with their day");
}

/// Its clock was 22 seconds ahead when the lease ended, then an hour, and is set right.
#[test]
fn a_key_that_ended_just_before_the_time_went_wrong_is_not_forgotten_when_it_is_set_back() {
    let db = database();
    let mut random = Seeded::new(1);
    let old = event(NOW.plus(-HOUR_MS), EventKind::Checkin, &mut random);
    let ended = event(NOW.plus(42_000), EventKind::Checkin, &mut random);
    store(&db, NOW.plus(42_000), vec![old, ended], None);
    let (from, to) = (NOW.plus(HOUR_MS), NOW.plus(20_000));
    store(&db, to, vec![Write::SetBack { from, to }], None);
    let (since, until) = db.read(state).unwrap().keys_kept.unwrap();
    assert_eq!(until, to.plus(TimeTable::DEFAULT.key_memory_ms));
    let kept = db.read(move |tx| ended_since(tx, since)).unwrap();
    assert!(kept.iter().any(|(.., key)| **key == *format!("checkin-{}", NOW.0 + 42_000)), "{kept:?}");
}
