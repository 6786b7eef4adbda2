//! Denials as one row per want, and *Would this work?*.

use super::*;
use crate::engine::{DenialOutcome, DenialRow, TrialVerdict};
use crate::site::{NamePattern, SiteRules};
use crate::time::MINUTE_MS;

impl Server {
    /// Every denial row as it stands on disk.
    fn denials(&self) -> Vec<DenialRow> {
        let mut rows: BTreeMap<_, DenialRow> = BTreeMap::new();
        for write in &self.writes {
            if let Write::Denial(row) = write {
                rows.insert(row.id, (**row).clone());
            }
        }
        rows.into_values().collect()
    }

    fn tick(&mut self, now: Ms) {
        self.engine.step(now, Input::Tick, &mut self.writes);
    }
}

fn min(minutes: i64) -> Ms {
    NOW.plus(minutes * MINUTE_MS)
}

#[test]
fn asking_again_is_the_same_denial_closed_with_its_waiting_time() {
    let mut server = Server::new(1);
    let ann = leased(server.checkout(NOW, "a", "ann"));
    for (minute, key) in [(1, "b1"), (2, "b2"), (2, "b2"), (4, "b3")] {
        server.heartbeat(min(minute), ann.lease, u64::try_from(minute).unwrap(), &format!("n{minute}"));
        server.checkout(min(minute), key, "bob");
    }
    server.engine.step(min(5), Input::Checkin { lease: ann.lease }, &mut server.writes);
    leased(server.checkout(min(6), "b4", "bob"));
    let rows = server.denials();
    let [row] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!((row.tries, row.outcome, row.first_at, row.last_at), (3, DenialOutcome::Served, min(1), min(4)));
    assert_eq!((row.served_at, row.code, row.capacity.in_use), (Some(min(6)), DenialCode::NoSeats, 1));
}

#[test]
fn a_want_that_is_refused_for_another_reason_shows_the_numbers_of_that() {
    let mut server = Server::new(1);
    let nobody = |rules: SiteRules| Input::Rules { rules: Arc::new(rules) };
    let deny_users = vec![NamePattern::parse("bob").unwrap()];
    server.engine.step(NOW, nobody(SiteRules { deny_users, ..SiteRules::default() }), &mut server.writes);
    server.checkout(NOW, "b1", "bob");
    server.engine.step(NOW, nobody(SiteRules::default()), &mut server.writes);
    leased(server.checkout(min(1), "a", "ann"));
    server.checkout(min(2), "b2", "bob");
    let rows = server.denials();
    let [row] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!((row.code, row.tries, row.capacity.in_use), (DenialCode::NoSeats, 2, 1));
}

#[test]
fn holders_are_counted_whole_however_many_seats_they_have() {
    let mut server = Server::new(9);
    for (minute, (key, user)) in (0..).zip([("a", "ann"), ("b", "bob"), ("c", "bob"), ("d", "cid")]) {
        leased(server.checkout_seats(min(minute), key, user, 2));
    }
    let held = server.engine.pool().holders(&ask("ann").feature, |_| true, 2);
    let held: Vec<_> = held.iter().map(|held| (&*held.user, held.seats, held.since)).collect();
    assert_eq!(held, [("ann", 2, min(0)), ("bob", 4, min(1))]);
}

#[test]
fn another_number_of_seats_or_a_way_to_borrow_is_another_want() {
    let mut server = Server::new(2);
    server.checkout_seats(NOW, "many", "ann", 3);
    server.borrow_seats(min(1), "pass", 60, 1);
    leased(server.checkout(min(2), "one", "ann"));
    let rows: Vec<_> = server.denials().iter().map(|row| (row.seats, row.code, row.outcome)).collect();
    let open = DenialOutcome::Open;
    assert_eq!(rows, [(3, DenialCode::NoSeats, open), (1, DenialCode::BorrowDenied, open)]);
    let Output::Denied(denial) = server.checkout_seats(min(3), "two", "ann", 2) else { panic!() };
    assert!(denial.explain().what.contains("Fewer seats"), "{}", denial.explain().what);
}

#[test]
fn a_trial_of_a_user_who_may_share_a_seat_says_so() {
    let mut server = Server::new(1);
    server.install(NOW, document(2, vec![line(1, 1, NOW.plus(90 * DAY_MS), Share::UserHost)]));
    leased(server.checkout(NOW, "a", "ann"));
    let id = LeaseId::draw(NOW, &mut server.random);
    let of = |user| Ask { host_id: "".into(), boot_id: "".into(), ..ask(user) };
    let elsewhere = Source { address: [10, 9, 9, 9].into(), loopback: false };
    let trial = server.engine.trial(NOW, id, &of("ann"), elsewhere);
    assert!(trial.shares && matches!(trial.verdict, TrialVerdict::Granted { .. }), "{:?}", trial.verdict);
    assert!(matches!(server.engine.trial(NOW, id, &of("bob"), elsewhere).verdict, TrialVerdict::Denied(_)));
}

#[test]
fn whoever_does_not_ask_again_has_given_up_and_wants_anew_later() {
    let mut server = Server::new(1);
    let ann = leased(server.checkout_seats(NOW, "a", "ann", 1));
    server.checkout(min(1), "b1", "bob");
    server.checkout(min(2), "c1", "cid");
    for minute in 1..17 {
        server.heartbeat(min(minute), ann.lease, u64::try_from(minute).unwrap(), "n");
    }
    server.tick(min(16));
    let outcomes: Vec<_> = server.denials().iter().map(|row| row.outcome).collect();
    assert_eq!(outcomes, [DenialOutcome::GivenUp, DenialOutcome::Open]);
    server.checkout(min(16), "b2", "bob");
    assert_eq!(server.denials().len(), 3);
}

#[test]
fn tries_are_written_with_the_next_tick_and_not_one_by_one() {
    let mut server = Server::new(1);
    leased(server.checkout(NOW, "a", "ann"));
    server.checkout(NOW, "b0", "bob");
    server.writes.clear();
    for number in 1..100 {
        server.checkout(NOW.plus(number), &format!("b{number}"), "bob");
    }
    assert_eq!(server.denials(), []);
    server.tick(NOW.plus(100));
    assert_eq!(server.denials().iter().map(|row| row.tries).collect::<Vec<_>>(), [100]);
}

#[test]
fn seats_kept_for_the_person_at_the_server_are_told_as_reserved() {
    let mut server = Server::new(1);
    let assigned = Line {
        terms: Terms { assigned: true, ..Terms::by_file(Share::None, None) },
        ..line(3, 2, min(9_000), Share::None)
    };
    server.install(NOW, document(2, vec![line(1, 1, min(9_000), Share::None), assigned]));
    leased(server.checkout(NOW, "a", "ann"));
    let Output::Denied(denial) = server.checkout(NOW, "b", "bob") else { panic!() };
    let told = denial.capacity;
    assert_eq!((told.total, told.in_use, told.reserved, told.free), (3, 1, 2, 0));
}

proptest! {
    /// *Would this work?* is what a checkout at the same instant comes to, and it changes nothing.
    #[test]
    fn a_trial_says_what_a_checkout_comes_to(
        lines in prop::collection::vec((0_u32..4, 0_i64..3, any::<bool>()), 0..4),
        asks in prop::collection::vec((1_u32..4, 0_usize..3, any::<bool>()), 1..12),
    ) {
        let mut server = Server::new(1);
        let lines: Vec<Line> = lines
            .iter()
            .enumerate()
            .map(|(number, (seats, days, assigned))| Line {
                terms: Terms { assigned: *assigned, ..Terms::by_file(Share::UserHost, None) },
                ..line(number as u64 + 10, *seats + 1, NOW.plus(days * DAY_MS), Share::UserHost)
            })
            .collect();
        server.install(NOW, document(2, lines));
        for (number, (seats, user, loopback)) in asks.into_iter().enumerate() {
            let ask = Ask { seats, ..ask(["ann", "bob", "cid"][user]) };
            let source = Source { loopback, ..source() };
            let id = LeaseId::draw(NOW, &mut server.random);
            let trial = server.engine.trial(NOW, id, &ask, source);
            prop_assert_eq!(&trial, &server.engine.trial(NOW, id, &ask, source));
            let key = format!("k{number}").into();
            let output = server.engine.step(NOW, Input::Checkout { id, key, ask, source }, &mut server.writes);
            match (trial.verdict, output) {
                (TrialVerdict::Granted { ends_at, .. }, Output::Leased(answer)) => prop_assert_eq!(ends_at, answer.ends_at),
                (TrialVerdict::Denied(would), Output::Denied(was)) => prop_assert_eq!(would, was),
                (would, was) => prop_assert!(false, "{:?} and {:?}", would, was),
            }
        }
    }
}
