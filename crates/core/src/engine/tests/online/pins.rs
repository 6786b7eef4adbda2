//! Seats kept for use without a portal: lines beside those that are renewed at each sync.

use super::*;
use crate::time::HOUR_MS;

fn d(days: i64) -> Ms {
    NOW.plus(days * DAY_MS)
}

/// Lines 1 and 3 are of one license.
fn keeping(rev: u64, online: u32, kept: u32, kept_until: Ms) -> Document {
    let lending = Terms { borrow_days_max: 14, ..Terms::by_sync(Share::None, None, false) };
    let mut lines = Vec::new();
    if online > 0 {
        lines.push(Line { terms: lending.clone(), ..line(1, online, UNTIL, Share::None) });
    }
    if kept > 0 {
        lines.push(Line { terms: lending.kept(), ..line(3, kept, kept_until, Share::None) });
    }
    let plain = document(rev, lines);
    Document { grant: Grant { online: true, ..plain.grant }, ..plain }
}

impl Online {
    fn free(&self) -> u32 {
        self.server.engine.pool.capacity(&FeatureCode::new("f").unwrap(), self.now).free
    }

    fn borrow(&mut self, key: &str, days: i64) -> Output {
        let input = Input::Borrow {
            id: LeaseId::draw(self.now, &mut self.server.random),
            key: key.into(),
            jwk: "{}".into(),
            machine: "m1".into(),
            ask: ask("ann"),
            source: source(),
            term_ms: days * DAY_MS,
        };
        self.server.engine.step(self.now, input, &mut self.server.writes)
    }

    fn give_back(&mut self, pass: crate::ids::PassId) {
        self.server.engine.step(self.now, Input::Return { pass }, &mut self.server.writes);
    }
}

fn borrowed(output: Output) -> (crate::ids::PassId, Ms) {
    match output {
        Output::Borrowed(answer) => (answer.pass, answer.terms.until),
        other => panic!("expected a pass, got {other:?}"),
    }
}

#[test]
fn leases_go_on_when_seats_are_kept_and_released_and_nothing_is_counted_twice() {
    let mut online = Online::enabled(3, 3);
    let leases: Vec<_> = ["a", "b", "c"].map(|key| leased(online.checkout(key)).lease).into();
    online.sync(share(3, 0, 0), Some(keeping(2, 1, 2, d(14))));
    assert_eq!(online.free(), 0);
    let report = online.report();
    assert_eq!((report.keep, report.used), (1, 1), "of what is kept nothing is reported");
    let request = online.request();
    assert_eq!(request.rev, 2, "all of it fits");
    online.answer(request.seq, share(3, 0, 0), Some(keeping(3, 3, 0, d(14))));
    for lease in leases {
        online.pass(1);
        assert!(matches!(online.server.heartbeat(online.now, lease, 1, "n"), Output::Leased(_)), "it goes on");
    }
    let report = online.report();
    assert_eq!((report.keep, report.used, online.request().rev), (3, 3, 3));
}

#[test]
fn what_is_kept_serves_when_the_portal_is_gone() {
    let mut online = Online::enabled(3, 3);
    online.sync(share(3, 0, 0), Some(keeping(2, 1, 2, d(14))));
    online.request();
    online.server.engine.step(online.now, Input::SyncFailed { jitter: 0 }, &mut online.server.writes);
    online.pass(8 * DAY_MS);
    assert_eq!(online.free(), 2);
    leased(online.checkout("a"));
    online.pass(7 * DAY_MS);
    assert_eq!(denied(&online.checkout("b")), DenialCode::Expired);
}

#[test]
fn a_pass_runs_as_long_as_what_is_kept_and_holds_it_until_it_is_returned() {
    let mut online = Online::enabled(3, 3);
    online.sync(share(3, 0, 0), Some(keeping(2, 2, 1, d(14))));
    let (pass, until) = borrowed(online.borrow("k", 13));
    assert_eq!(until, d(13), "longer than what is renewed at each sync runs");
    // Released at the portal: the pass stays where it is, and the portal does not hear that the older document is void.
    let request = online.request();
    online.answer(request.seq, share(3, 0, 0), Some(keeping(3, 3, 0, d(14))));
    assert_eq!((online.request().rev, online.free()), (2, 2));
    let request = online.request();
    online.answer(request.seq, share(3, 0, 0), None);
    online.give_back(pass);
    assert_eq!((online.request().rev, online.free()), (3, 3));
}

#[test]
fn what_is_kept_for_a_shorter_time_is_counted_until_the_last_pass_on_it_ends() {
    let mut online = Online::enabled(3, 3);
    online.sync(share(3, 0, 0), Some(keeping(2, 2, 1, d(14))));
    let (pass, _) = borrowed(online.borrow("k", 13));
    let request = online.request();
    online.answer(request.seq, share(3, 0, 0), Some(keeping(3, 2, 1, d(2))));
    assert_eq!(online.request().rev, 2, "the pass outlives the new line");
    let request = online.request();
    online.answer(request.seq, share(3, 0, 0), None);
    online.pass(HOUR_MS);
    online.give_back(pass);
    assert_eq!(online.request().rev, 3);
}
