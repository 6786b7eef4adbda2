//! Passes: what a machine borrows and uses out of reach.

use super::*;
use crate::ids::PassId;
use crate::time::{HOUR_MS, MINUTE_MS};

pub(super) fn lending(number: u64, seats: u32, until: Ms, days: u32) -> Line {
    let terms = Terms { borrow_days_max: days, write_offs: 2, ..Terms::by_file(Share::None, None) };
    Line { terms, ..line(number, seats, until, Share::None) }
}

pub(super) fn d(days: i64) -> Ms {
    NOW.plus(days * DAY_MS)
}

impl Server {
    pub(super) fn lending(lines: Vec<Line>) -> Server {
        let mut server = Server::new(1);
        server.install(NOW, document(2, lines));
        server
    }

    pub(super) fn borrow_seats(&mut self, now: Ms, key: &str, days: i64, seats: u32) -> Output {
        self.borrow_for(now, key, days * DAY_MS, seats)
    }

    fn borrow_for(&mut self, now: Ms, key: &str, term_ms: i64, seats: u32) -> Output {
        let id = LeaseId::draw(now, &mut self.random);
        let ask = Ask { seats, ..ask("ann") };
        let input = Input::Borrow {
            id,
            key: key.into(),
            jwk: "{}".into(),
            machine: "m1".into(),
            ask,
            source: source(),
            term_ms,
        };
        self.engine.step(now, input, &mut self.writes)
    }

    pub(super) fn borrow(&mut self, now: Ms, key: &str, days: i64) -> Output {
        self.borrow_seats(now, key, days, 1)
    }

    fn give_back(&mut self, now: Ms, pass: PassId) -> Output {
        self.engine.step(now, Input::Return { pass }, &mut self.writes)
    }

    fn lose(&mut self, now: Ms, pass: PassId, write_off: bool) -> Output {
        self.engine.step(
            now,
            Input::Lose { pass, write_off: write_off.then_some(Allowance::Here), act: act() },
            &mut self.writes,
        )
    }

    fn free(&self, now: Ms) -> u32 {
        self.engine.pool.capacity(&FeatureCode::new("f").unwrap(), now).free
    }
}

pub(super) fn pass(output: Output) -> (PassId, Ms) {
    match output {
        Output::Borrowed(answer) => (answer.pass, answer.terms.until),
        other => panic!("expected a pass, got {other:?}"),
    }
}

fn refused(output: Output) -> (DenialCode, Option<u32>) {
    match output {
        Output::Denied(denial) => (denial.code, denial.borrow_days_max),
        other => panic!("expected a denial, got {other:?}"),
    }
}

#[test]
fn borrowed_seats_are_out_until_their_end_and_a_day_more() {
    let mut server = Server::lending(vec![lending(1, 1, d(90), 14)]);
    let (_, until) = pass(server.borrow(NOW, "k", 10));
    assert_eq!(until, d(10));
    let told = server.engine.pool.capacity(&FeatureCode::new("f").unwrap(), NOW);
    assert_eq!((told.total, told.in_use, told.borrowed, told.free), (1, 1, 1, 0));
    assert_eq!(
        refused(server.checkout(d(11).plus(-1), "c", "bob")).0,
        DenialCode::NoSeats,
        "its clock may be a day behind"
    );
    leased(server.checkout(d(11), "c2", "bob"));
}

#[test]
fn the_same_request_again_is_the_same_pass_and_a_longer_one_extends_it() {
    let mut server = Server::lending(vec![lending(1, 1, d(90), 14)]);
    let first = pass(server.borrow(NOW, "k", 10));
    assert_eq!(pass(server.borrow(NOW, "k", 10)), first);
    assert_eq!(pass(server.borrow(d(1), "k", 2)), first, "never shorter than it is");
    assert_eq!(pass(server.borrow(d(6), "k", 14)), (first.0, d(20)));
    assert_eq!(server.free(d(19)), 0);
    assert_eq!(server.borrow_seats(d(6), "k", 14, 2), Output::KeyReused);
    server.restart(d(7), StartVerdict::Plausible);
    assert_eq!(pass(server.borrow(d(7), "k", 13)), (first.0, d(20)), "also after a restart");
}

#[test]
fn a_pass_ends_with_its_line_and_no_later_than_the_portal_counts() {
    let mut server = Server::lending(vec![lending(1, 1, d(5), 14)]);
    assert_eq!(pass(server.borrow(NOW, "k", 10)).1, d(5));
    // The portal frees an online line ten minutes after its end, and a pass may be used a day longer by a wrong clock.
    let online = Line {
        terms: Terms { borrow_days_max: 14, ..Terms::by_sync(Share::None, None, false) },
        ..line(1, 1, d(7), Share::None)
    };
    let mut server = Server::lending(vec![online]);
    assert_eq!(pass(server.borrow(NOW, "k", 10)).1, d(6).plus(600_000));
}

#[test]
fn a_short_term_is_given_whole_and_what_is_left_of_a_line_only_if_it_is_worth_a_way() {
    let mut server = Server::lending(vec![lending(1, 2, d(5), 14)]);
    // Ends are whole seconds, and now is not.
    let now = NOW.plus(1_234);
    assert_eq!(pass(server.borrow_for(now, "k", HOUR_MS / 4, 1)).1, NOW.plus(HOUR_MS / 4 + 1_000));
    assert_eq!(refused(server.borrow_for(now, "l", 200, 1)).0, DenialCode::BorrowDenied, "it would be over");
    let late = d(5).plus(-HOUR_MS);
    assert_eq!(pass(server.borrow_for(late, "l", 2 * HOUR_MS, 1)).1, d(5));
    let mut server = Server::lending(vec![lending(1, 2, d(5), 14)]);
    assert_eq!(refused(server.borrow_for(late.plus(1_000), "k", 2 * HOUR_MS, 1)).0, DenialCode::BorrowDenied);
    assert_eq!(pass(server.borrow_for(late.plus(1_000), "k", HOUR_MS / 4, 1)).1, late.plus(HOUR_MS / 4 + 1_000));
}

#[test]
fn the_line_that_lasts_longest_is_taken_and_a_pass_moves_to_it() {
    let mut server = Server::lending(vec![lending(1, 1, d(5), 14), lending(3, 1, d(60), 14)]);
    let (first, until) = pass(server.borrow(NOW, "k", 10));
    assert_eq!(until, d(10));
    assert_eq!(pass(server.borrow(NOW, "l", 10)).1, d(5), "what is left ends earlier");
    assert!(matches!(server.give_back(NOW, first), Output::Returned { .. }));
    assert_eq!(pass(server.borrow(NOW, "l", 10)).1, d(10), "it moved to the seat that came free");
}

#[test]
fn what_may_not_be_borrowed_is_refused_with_the_limit() {
    let mut server = Server::lending(vec![lending(1, 1, d(90), 14)]);
    assert_eq!(refused(server.borrow(NOW, "k", 15)), (DenialCode::BorrowTooLong, Some(14)));
    assert_eq!(refused(server.borrow_seats(NOW, "k", 3, 2)), (DenialCode::NoSeats, Some(14)));
    let mut server = Server::lending(vec![lending(1, 1, d(90), 0)]);
    assert_eq!(refused(server.borrow(NOW, "k", 1)), (DenialCode::BorrowDenied, Some(0)));
    let mut server = Server::lending(vec![lending(1, 1, NOW.plus(HOUR_MS / 2), 14)]);
    assert_eq!(refused(server.borrow(NOW, "k", 1)).0, DenialCode::BorrowDenied, "it ends within the hour");
}

#[test]
fn a_returned_pass_is_free_at_once_and_its_key_gets_no_other() {
    let mut server = Server::lending(vec![lending(1, 1, d(90), 14)]);
    let (id, _) = pass(server.borrow(NOW, "k", 10));
    assert_eq!(server.give_back(d(1), id), Output::Returned { free_at: None });
    assert_eq!(server.give_back(d(1), id), Output::Returned { free_at: None }, "a receipt that comes twice");
    assert_eq!(refused(server.borrow(d(2), "k", 1)).0, DenialCode::PassOver, "a request that is replayed");
    pass(server.borrow(d(2), "l", 10));
    let unknown = PassId::draw(NOW, &mut Seeded::new(9));
    assert_eq!(server.give_back(d(2), unknown), Output::Unknown);
}

#[test]
fn where_the_vendor_says_so_a_returned_pass_is_free_at_its_end() {
    let kept =
        Line { terms: Terms { return_at_end: true, ..lending(1, 1, d(90), 14).terms }, ..lending(1, 1, d(90), 14) };
    let mut server = Server::lending(vec![kept]);
    let (id, _) = pass(server.borrow(NOW, "k", 10));
    assert_eq!(server.give_back(d(1), id), Output::Returned { free_at: Some(d(10)) });
    assert_eq!(refused(server.borrow(d(2), "k", 14)).0, DenialCode::PassOver);
    server.restart(d(3), StartVerdict::Plausible);
    assert_eq!(refused(server.checkout(d(10).plus(-1), "c", "bob")).0, DenialCode::NoSeats);
    leased(server.checkout(d(10), "c2", "bob"));
}

#[test]
fn a_lost_pass_is_not_extended_and_says_when_it_is_free() {
    let mut server = Server::lending(vec![lending(1, 1, d(90), 14)]);
    let (id, _) = pass(server.borrow(NOW, "k", 10));
    assert_eq!(server.lose(d(1), id, false), Output::Lost { free_at: d(11), written_off: false });
    assert_eq!(refused(server.borrow(d(2), "k", 14)).0, DenialCode::PassOver);
    assert_eq!(server.give_back(d(3), id), Output::Returned { free_at: None }, "it turned up");
}

#[test]
fn write_offs_are_free_at_once_within_the_allowance_of_a_year() {
    let mut server = Server::lending(vec![lending(1, 5, d(3_000), 14)]);
    let passes: Vec<_> = ["k", "l", "m"].iter().map(|key| pass(server.borrow(NOW, key, 10)).0).collect();
    for (lost, free) in passes[..2].iter().zip([3, 4]) {
        assert_eq!(server.lose(d(1), *lost, true), Output::Lost { free_at: d(1), written_off: true });
        assert_eq!(server.free(d(1)), free);
    }
    let third = server.lose(d(1), passes[2], true);
    assert_eq!(third, Output::NotWrittenOff { allowed: 2, used: 2, seats: 1, free_at: d(11) });
    assert_eq!(server.free(d(1)), 4);
    let (late, _) = pass(server.borrow(d(367), "n", 10));
    server.engine.step(d(367), Input::Tick, &mut server.writes);
    assert_eq!(server.lose(d(367), late, true), Output::Lost { free_at: d(367), written_off: true });
}

#[test]
fn a_pass_that_was_written_off_and_is_returned_is_in_use_no_more_and_still_counts_as_written_off() {
    let mut server = Server::lending(vec![lending(1, 5, d(3_000), 14)]);
    let (id, _) = pass(server.borrow(NOW, "k", 10));
    server.lose(d(1), id, true);
    let in_use = |server: &Server| server.engine.written_off_in_use(None, d(2)).len();
    server.restart(d(2), StartVerdict::Plausible);
    assert_eq!((in_use(&server), server.engine.key_of_pass(id).as_deref()), (1, Some("{}")));
    for _ in 0..2 {
        assert_eq!(server.give_back(d(2), id), Output::Returned { free_at: None });
        server.restart(d(2), StartVerdict::Plausible);
        assert_eq!((in_use(&server), server.engine.key_of_pass(id)), (0, None));
    }
    let others: Vec<_> = ["l", "m"].iter().map(|key| pass(server.borrow(d(2), key, 10)).0).collect();
    server.lose(d(2), others[0], true);
    let third = server.lose(d(2), others[1], true);
    assert!(matches!(third, Output::NotWrittenOff { used: 2, .. }), "{third:?}");
}

#[test]
fn a_machine_that_asks_to_extend_what_is_over_is_told_and_nobody_was_denied_a_seat() {
    let mut server = Server::lending(vec![lending(1, 5, d(3_000), 14)]);
    let (id, _) = pass(server.borrow(NOW, "k", 10));
    server.lose(d(1), id, false);
    server.writes.clear();
    assert_eq!(refused(server.borrow(d(1), "k", 12)), (DenialCode::PassOver, Some(14)));
    assert!(server.writes.is_empty(), "{:?}", server.writes);
}

#[test]
fn nobody_can_take_a_pass_by_its_lease() {
    let mut server = Server::lending(vec![lending(1, 1, d(90), 14)]);
    let (id, _) = pass(server.borrow(NOW, "k", 10));
    let gone = Output::Ended { end: LeaseEnd::LeaseGone, left_ms: 0 };
    assert_eq!(server.heartbeat(NOW, id.lease(), 1, "n"), gone);
    let released = server.engine.step(NOW, Input::Checkin { lease: id.lease() }, &mut server.writes);
    assert_eq!((released, server.free(NOW)), (Output::Unknown, 0));
    let whom = Whom::User("ann".into());
    let release = Input::Release { whom, reason: "".into(), not_again_ms: 0, act: act() };
    assert_eq!(server.engine.step(NOW, release, &mut server.writes), Output::Unknown);
}

#[test]
fn a_reduced_document_leaves_passes_and_takes_leases() {
    let mut server = Server::lending(vec![lending(1, 3, d(90), 14)]);
    let first = leased(server.checkout(NOW, "a", "ann"));
    leased(server.checkout(NOW, "b", "bob"));
    let (id, _) = pass(server.borrow(NOW.plus(1), "k", 10));
    assert_eq!(
        server.install(NOW.plus(2), document(3, vec![lending(1, 1, d(90), 14)])),
        Output::Installed { withdrawn: 2, set_back_to: None }
    );
    assert!(matches!(server.heartbeat(NOW.plus(3), first.lease, 1, "n"), Output::Ended { .. }));
    assert_eq!(pass(server.borrow(d(2), "k", 14)), (id, d(16)), "it stands on the one line that is left");
}

#[test]
fn an_extension_does_not_end_a_doubt_of_the_clock() {
    let mut server = Server::lending(vec![lending(1, 1, d(900), 14)]);
    let (id, _) = pass(server.borrow(NOW, "k", 10));
    let ahead = d(9);
    server.restart(ahead, StartVerdict::Behind { by_ms: 100 * DAY_MS });
    pass(server.borrow(ahead.plus(HOUR_MS), "k", 14));
    let freed_at = server.engine.pool.lease(id.lease()).unwrap().freed_at;
    assert_eq!(freed_at, ahead.plus(100 * DAY_MS), "as before it");
}

#[test]
fn a_doubt_of_the_clock_is_short_once_the_clock_agrees_and_over_when_the_portal_does() {
    let mut server = Server::lending(vec![lending(1, 1, d(900), 14)]);
    let (id, _) = pass(server.borrow(NOW, "k", 3));
    let freed_at = |server: &Server| server.engine.pool.lease(id.lease()).unwrap().freed_at;
    server.restart(d(1), StartVerdict::Behind { by_ms: 100 * DAY_MS });
    assert_eq!(freed_at(&server), d(101));
    server.restart(d(2), StartVerdict::Behind { by_ms: 10 * DAY_MS });
    assert_eq!(freed_at(&server), d(101), "the clock is behind still");
    // Set right: what is stored is as right as a clock that is ahead.
    server.restart(d(3), StartVerdict::Plausible);
    assert_eq!(freed_at(&server), d(5));
    server.restart(d(4), StartVerdict::Plausible);
    assert_eq!(freed_at(&server), d(5), "no longer with each start");
    server.restart(d(4), StartVerdict::Behind { by_ms: 100 * DAY_MS });
    // Signed too long ago to say what time it is now.
    let signed = |rev, issued_at: Ms| {
        let mut document = document(rev, vec![lending(1, 1, d(900), 14)]);
        document.grant.issued_at = issued_at;
        document
    };
    server.install(d(4), signed(3, d(4).plus(-2 * HOUR_MS)));
    assert_eq!(freed_at(&server), d(104));
    server.writes.clear();
    server.install(d(4), signed(4, d(4).plus(-10 * MINUTE_MS)));
    assert_eq!(freed_at(&server), d(4), "a day after its end, as always");
    let stored = |write: &Write| matches!(write, Write::PassesHeld { until: None });
    assert!(server.writes.iter().any(stored), "and also after the next start");
}

#[test]
fn a_pass_that_is_not_extended_says_why() {
    let why = |output| match output {
        Output::Borrowed(answer) => answer.refused,
        other => panic!("{other:?}"),
    };
    let mut server = Server::lending(vec![lending(1, 1, d(90), 14)]);
    let (id, until) = pass(server.borrow(NOW, "k", 10));
    assert_eq!(why(server.borrow(d(1), "k", 12)), None);
    assert_eq!(why(server.borrow(d(2), "k", 15)), Some(DenialCode::BorrowTooLong.explain()));
    // The seat was for somebody, and is not any more.
    let other = Line { features: [(FeatureCode::new("g").unwrap(), 1)].into(), ..lending(2, 1, d(90), 14) };
    server.install(d(3), document(3, vec![other]));
    let refused = server.borrow(d(3), "k", 14);
    assert!(
        matches!(&refused, Output::Borrowed(answer) if answer.pass == id && answer.terms.until == d(13)),
        "{until:?}"
    );
    assert_eq!(why(refused), Some(DenialCode::explain_taken_off()));
}

#[test]
fn a_pass_that_ran_out_while_the_server_was_off_is_counted_until_then() {
    let mut server = Server::lending(vec![lending(1, 1, d(90), 14)]);
    pass(server.borrow(NOW, "k", 10));
    server.restart(d(60), StartVerdict::Plausible);
    server.writes.clear();
    server.engine.step(d(60), Input::Tick, &mut server.writes);
    let ended = server.writes.iter().filter_map(|write| match write {
        Write::Event(event) => Some((event.kind, event.at)),
        _ => None,
    });
    assert_eq!(ended.collect::<Vec<_>>(), [(EventKind::Expired, d(11))]);
}

#[test]
fn a_clock_that_was_set_ahead_frees_no_pass_before_somebody_sees_it() {
    let mut server = Server::lending(vec![lending(1, 1, d(900), 14)]);
    pass(server.borrow(NOW, "k", 10));
    let ahead = d(300);
    server.restart(ahead, StartVerdict::Ahead { by_ms: 300 * DAY_MS });
    assert_eq!(refused(server.checkout(ahead, "c", "bob")).0, DenialCode::NoSeats);
    leased(server.checkout(ahead.plus(2 * DAY_MS), "c2", "bob"));
}
