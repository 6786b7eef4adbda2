//! Seats that an administrator takes back.

use super::*;

const NOT_AGAIN_MS: i64 = 600_000;

impl Server {
    fn release(&mut self, now: Ms, whom: Whom) -> Output {
        let input = Input::Release { whom, reason: "render night".into(), not_again_ms: NOT_AGAIN_MS, act: act() };
        self.engine.step(now, input, &mut self.writes)
    }
}

fn s(seconds: i64) -> Ms {
    NOW.plus(seconds * 1_000)
}

fn left_ms(output: Output) -> i64 {
    match output {
        Output::TakenBack { left_ms, release } => {
            assert_eq!(&*release.reason, "render night");
            left_ms
        }
        other => panic!("expected to be told, got {other:?}"),
    }
}

fn code(output: Output) -> DenialCode {
    match output {
        Output::Denied(denial) => denial.code,
        other => panic!("expected a denial, got {other:?}"),
    }
}

#[test]
fn a_holder_is_told_stops_within_the_notice_and_its_seat_is_free_when_it_gives_it_back() {
    let mut server = Server::new(1);
    let ann = leased(server.checkout(NOW, "a", "ann"));
    assert_eq!(server.release(s(10), Whom::User("ann".into())), Output::Releasing { leases: 1, free_by: s(425) });
    assert_eq!(code(server.checkout(s(11), "b", "bob")), DenialCode::NoSeats, "its holder still believes in the seat");
    assert_eq!(left_ms(server.heartbeat(s(60), ann.lease, 1, "n1")), 120_000);
    assert_eq!(left_ms(server.heartbeat(s(70), ann.lease, 2, "n2")), 110_000, "told again, the time goes on");
    assert_eq!(server.engine.step(s(180), Input::Checkin { lease: ann.lease }, &mut server.writes), Output::Released);
    leased(server.checkout(s(181), "b2", "bob"));
}

#[test]
fn a_holder_that_is_not_heard_of_loses_the_seat_no_later_than_without() {
    let mut server = Server::new(1);
    leased(server.checkout(NOW, "a", "ann"));
    server.release(s(400), Whom::Host("h".into()));
    assert_eq!(code(server.checkout(s(424), "b", "bob")), DenialCode::NoSeats);
    leased(server.checkout(s(425), "b2", "bob"));
}

#[test]
fn whoever_lost_it_gets_none_at_that_host_for_a_while() {
    let mut server = Server::new(9);
    let ann = leased(server.checkout(NOW, "a", "ann"));
    server.release(s(10), Whom::Seat(ann.lease));
    let denied = server.checkout(s(20), "a2", "ann");
    let Output::Denied(denial) = &denied else { panic!("{denied:?}") };
    assert_eq!((denial.code, denial.free_at), (DenialCode::Withdrawn, Some(s(425 + 600))));
    assert_eq!(denial.released.as_ref().map(|release| &*release.reason), Some("render night"));
    leased(server.checkout(s(20), "b", "bob"));
    leased(server.checkout(s(425 + 600), "a3", "ann"));
}

#[test]
fn the_time_set_for_it_begins_when_the_seat_is_free() {
    let mut server = Server::new(9);
    let ann = leased(server.checkout(NOW, "a", "ann"));
    server.release(s(10), Whom::Seat(ann.lease));
    server.engine.step(s(180), Input::Checkin { lease: ann.lease }, &mut server.writes);
    assert_eq!(code(server.checkout(s(779), "a2", "ann")), DenialCode::Withdrawn);
    leased(server.checkout(s(780), "a3", "ann"));
    // Nobody heard of it: free by itself, and from then on.
    let bob = leased(server.checkout(s(800), "b", "bob"));
    server.release(s(800), Whom::Seat(bob.lease));
    assert_eq!(code(server.checkout(s(800 + 425 + 599), "b2", "bob")), DenialCode::Withdrawn);
    leased(server.checkout(s(800 + 425 + 600), "b3", "bob"));
}

#[test]
fn all_that_shares_the_seat_goes_with_it() {
    let mut server = Server::new(1);
    server.install(NOW, document(2, vec![line(1, 1, NOW.plus(90 * DAY_MS), Share::UserHost)]));
    let first = leased(server.checkout(NOW, "a", "ann"));
    leased(server.checkout(NOW, "b", "ann"));
    assert_eq!(server.release(NOW, Whom::Seat(first.lease)), Output::Releasing { leases: 2, free_by: s(425) });
}

#[test]
fn what_nobody_holds_cannot_be_taken_back() {
    let mut server = Server::new(1);
    server.writes.clear();
    assert_eq!(server.release(NOW, Whom::User("nobody".into())), Output::Unknown);
    assert!(server.writes.is_empty(), "{:?}", server.writes);
}

#[test]
fn an_administrator_lets_them_have_a_seat_before_the_time_is_over() {
    let mut server = Server::new(9);
    let ann = leased(server.checkout(NOW, "a", "ann"));
    let lift = |server: &mut Server, now, user: &str| {
        server.engine.step(now, Input::Lift { whom: Whom::User(user.into()), act: act() }, &mut server.writes)
    };
    assert_eq!(lift(&mut server, s(5), "ann"), Output::Unknown, "nothing was taken back");
    server.release(s(10), Whom::Seat(ann.lease));
    assert_eq!(code(server.checkout(s(20), "b", "ann")), DenialCode::Withdrawn);
    assert_eq!(server.engine.bars(s(20), 10).len(), 1);
    assert_eq!(lift(&mut server, s(30), "bob"), Output::Unknown);
    assert_eq!(lift(&mut server, s(30), "ann"), Output::Lifted { bars: 1 });
    leased(server.checkout(s(31), "c", "ann"));
    // The seat that was taken back comes back all the same, and bars nobody then.
    assert_eq!(left_ms(server.heartbeat(s(60), ann.lease, 1, "n1")), 120_000);
    server.engine.step(s(70), Input::Checkin { lease: ann.lease }, &mut server.writes);
    assert!(server.engine.bars(s(70), 10).is_empty());
    leased(server.checkout(s(71), "d", "ann"));
}
