//! The server's end of online licensing against a portal of a few lines.

mod pins;

use super::*;
use crate::sync::{
    FIRST_SYNC_MS, NO_MS, PoolShare, Report, SAID_MS, SYNC_EVERY_MS, ServerFacts, SyncAnswer, SyncRequest, Verdict,
    WAIT_MS,
};
use crate::time::{MINUTE_MS, SECOND_MS};

const UNTIL: Ms = Ms(NOW.0 + 7 * DAY_MS);

fn license() -> LicenseId {
    LicenseId::draw(Ms(1), &mut Seeded::new(1))
}

fn online_document(rev: u64, seats: u32) -> Document {
    let terms = Terms::by_sync(Share::None, None, false);
    let lines = if seats == 0 { Vec::new() } else { vec![Line { terms, ..line(1, seats, UNTIL, Share::None) }] };
    let plain = document(rev, lines);
    Document { grant: Grant { online: true, ..plain.grant }, ..plain }
}

fn share(seats: u32, elsewhere: u32, free: u32) -> PoolShare {
    PoolShare {
        license: license(),
        product: "p".into(),
        product_name: "P".into(),
        kind: Kind::Floating,
        channel: Channel::Commercial,
        features: [(FeatureCode::new("f").unwrap(), 1)].into(),
        seats,
        elsewhere,
        bound: 0,
        free,
        recall: 0,
        exhausted: false,
        assigned: false,
        pending: 0,
        for_people: 0,
    }
}

struct Online {
    server: Server,
    now: Ms,
}

impl Online {
    /// A server that has just been enabled and holds `seats` of `total`.
    fn enabled(seats: u32, total: u32) -> Online {
        let engine = Engine::restore(Restored::default(), StartVerdict::Plausible, NOW, TimeTable::DEFAULT);
        let server = Server { engine, random: Seeded::new(5), writes: Vec::new() };
        let mut online = Online { server, now: NOW };
        let installed = online.server.install(NOW, online_document(1, seats));
        assert_eq!(installed, Output::Installed { withdrawn: 0, set_back_to: None });
        online.sync(share(total, total - seats, 0), None);
        online
    }

    fn request(&mut self) -> SyncRequest {
        let input = Input::Sync { server: ServerFacts::default() };
        match self.server.engine.step(self.now, input, &mut self.server.writes) {
            Output::Sync(Some(out)) => serde_json::from_str(&out.body).unwrap(),
            other => panic!("no request: {other:?}"),
        }
    }

    fn report(&mut self) -> Report {
        self.request().licenses.get(&license()).copied().unwrap_or_default()
    }

    fn answer(&mut self, seq: u64, share: PoolShare, document: Option<Document>) -> Output {
        self.answer_at(self.now, seq, Verdict::Ok, share, document)
    }

    fn answer_at(
        &mut self,
        at: Ms,
        seq: u64,
        verdict: Verdict,
        share: PoolShare,
        document: Option<Document>,
    ) -> Output {
        self.answer_of(at, seq, verdict, vec![share], document)
    }

    fn answer_of(
        &mut self,
        at: Ms,
        seq: u64,
        verdict: Verdict,
        pools: Vec<PoolShare>,
        document: Option<Document>,
    ) -> Output {
        let answer = SyncAnswer {
            workstation: WorkstationId::draw(Ms(1), &mut Seeded::new(1)),
            seq,
            request_sha256: String::new(),
            verdict,
            at,
            grant: None,
            pools,
            pins: Vec::new(),
            pins_rev: 0,
            bell: 0,
            other_host: "twin".into(),
        };
        let sha256 = format!("answer-{seq}").into();
        let input = Input::SyncAnswered { answer: Box::new(answer), sha256, document, jitter: 0 };
        self.server.engine.step(self.now, input, &mut self.server.writes)
    }

    fn sync(&mut self, share: PoolShare, document: Option<Document>) -> SyncRequest {
        let request = self.request();
        self.answer(request.seq, share, document);
        request
    }

    fn checkout(&mut self, key: &str) -> Output {
        self.server.checkout(self.now, key, "ada")
    }

    fn resolve(&mut self) -> Vec<(LeaseId, Output)> {
        self.server.engine.resolve(self.now, &mut self.server.writes)
    }

    fn pass(&mut self, ms: i64) {
        self.now = self.now.plus(ms);
    }
}

fn denied(output: &Output) -> DenialCode {
    match output {
        Output::Denied(denial) => denial.code,
        other => panic!("not denied: {other:?}"),
    }
}

#[test]
fn a_request_stays_the_same_until_it_is_answered_also_over_a_restart() {
    let mut online = Online::enabled(2, 2);
    let first = online.request();
    leased(online.checkout("a"));
    online.pass(MINUTE_MS);
    assert_eq!(online.request(), first, "its answer may have been lost on the way");
    online.server.restart(online.now, StartVerdict::Plausible);
    assert_eq!(online.request(), first);
    online.answer(first.seq, share(2, 0, 0), None);
    let second = online.request();
    assert_eq!((second.seq, second.prev), (first.seq + 1, format!("answer-{}", first.seq)));
}

#[test]
fn the_portal_hears_within_seconds_what_is_in_use() {
    let mut online = Online::enabled(2, 2);
    online.sync(share(2, 0, 0), None);
    let synced_at = online.now;
    online.resolve();
    assert!(online.server.engine.sync_due().unwrap() > synced_at.plus(SAID_MS), "nothing is to be said");
    online.pass(SECOND_MS);
    leased(online.checkout("a"));
    online.resolve();
    assert_eq!(online.server.engine.sync_due(), Some(synced_at.plus(SAID_MS)));
    assert_eq!(online.report().used, 1);
    online.sync(share(2, 0, 0), None);
    online.resolve();
    assert!(online.server.engine.sync_due().unwrap() > online.now.plus(SAID_MS), "it was said");
}

#[test]
fn a_checkout_waits_for_a_seat_from_the_portal_and_gets_it() {
    let mut online = Online::enabled(0, 5);
    let Output::Waits(id) = online.checkout("a") else { panic!("it should wait") };
    assert_eq!(online.checkout("a"), Output::Waits(id), "asked again with the same key");
    assert!(online.resolve().is_empty());
    assert_eq!(online.server.engine.sync_due(), Some(Ms(0)), "at once");
    assert_eq!(online.report().want, 1);
    let seq = online.request().seq;
    online.answer(seq, share(5, 4, 0), Some(online_document(2, 1)));
    let resolved = online.resolve();
    assert!(matches!(&resolved[..], [(same, Output::Leased(_))] if *same == id), "{resolved:?}");
    assert_eq!(online.report().want, 0);
}

#[test]
fn nobody_waits_longer_than_two_seconds_and_a_no_is_remembered_for_five() {
    let mut online = Online::enabled(0, 5);
    assert!(matches!(online.checkout("a"), Output::Waits(_)));
    online.pass(WAIT_MS);
    assert_eq!(denied(&online.resolve()[0].1), DenialCode::NoSeats, "and not that the feature is unknown");
    assert_eq!(online.report().want, 1, "the next seat still comes here");

    let seq = online.request().seq;
    online.answer(seq, PoolShare { exhausted: true, ..share(5, 5, 0) }, None);
    assert_eq!(denied(&online.checkout("b")), DenialCode::NoSeats, "at once");
    online.pass(NO_MS);
    assert!(matches!(online.checkout("c"), Output::Waits(_)));
}

#[test]
fn a_seat_that_came_for_somebody_is_used_before_it_is_owed_to_the_next() {
    let mut online = Online::enabled(0, 5);
    assert!(matches!(online.checkout("a"), Output::Waits(_)));
    let seq = online.request().seq;
    online.answer(seq, PoolShare { recall: 1, ..share(5, 4, 0) }, Some(online_document(2, 1)));
    let lease = match &online.resolve()[..] {
        [(_, Output::Leased(lease))] => lease.lease,
        other => panic!("not served: {other:?}"),
    };
    assert_eq!(online.report().keep, 1, "it is in use");
    online.sync(PoolShare { recall: 1, ..share(5, 4, 0) }, None);
    online.server.engine.step(online.now, Input::Checkin { lease }, &mut Vec::new());
    assert!(!matches!(online.checkout("b"), Output::Leased(_)), "whoever waits elsewhere is next");
}

#[test]
fn who_was_denied_and_does_not_come_for_the_seat_wants_it_no_more() {
    let mut online = Online::enabled(0, 5);
    online.checkout("a");
    online.pass(WAIT_MS);
    online.resolve();
    let request = online.request();
    let report = request.licenses[&license()];
    assert_eq!((report.want, report.waiting), (1, 0));
    online.answer(request.seq, share(5, 4, 0), Some(online_document(2, 1)));
    online.sync(PoolShare { recall: 1, ..share(5, 4, 0) }, None);
    let report = online.report();
    assert_eq!((report.keep, report.want), (0, 0), "it would travel to and fro for a minute");
}

#[test]
fn a_want_is_forgotten_a_minute_after_it_was_last_asked() {
    let mut online = Online::enabled(0, 5);
    online.checkout("a");
    online.pass(WAIT_MS);
    online.resolve();
    online.pass(MINUTE_MS);
    assert_eq!(online.report().want, 0);
}

#[test]
fn what_is_recalled_goes_back_when_it_is_free_and_is_not_used_again() {
    let mut online = Online::enabled(3, 3);
    let leases: Vec<LeaseId> = ["a", "b"].iter().map(|key| leased(online.checkout(key)).lease).collect();
    online.sync(PoolShare { recall: 2, ..share(3, 0, 0) }, None);
    assert!(matches!(online.checkout("c"), Output::Denied(_) | Output::Waits(_)), "the idle seat is owed");
    online.resolve();
    assert_eq!(online.server.engine.sync_due(), Some(Ms(0)), "it is handed over at once");
    let request = online.request();
    let report = request.licenses[&license()];
    assert_eq!((report.keep, report.used), (2, 2));
    // Promised, answered or not: the seat that comes free meanwhile is owed as well.
    online.server.engine.step(online.now, Input::Checkin { lease: leases[0] }, &mut Vec::new());
    assert!(!matches!(online.checkout("d"), Output::Leased(_)));
    online.server.restart(online.now, StartVerdict::Plausible);
    online.answer(request.seq, PoolShare { recall: 1, ..share(3, 1, 0) }, Some(online_document(2, 2)));
    online.resolve();
    assert_eq!(online.report().keep, 1);
}

#[test]
fn a_restart_does_not_forget_what_was_promised() {
    let mut online = Online::enabled(3, 3);
    online.sync(PoolShare { recall: 2, ..share(3, 0, 0) }, None);
    assert_eq!(online.report().keep, 1);
    online.server.restart(online.now, StartVerdict::Plausible);
    online.pass(FIRST_SYNC_MS);
    leased(online.checkout("a"));
    assert!(!matches!(online.checkout("b"), Output::Leased(_)), "two of three seats were given back");
}

#[test]
fn after_a_start_nothing_is_given_before_the_portal_answers_or_ten_seconds_have_passed() {
    let mut online = Online::enabled(2, 2);
    online.server.restart(online.now, StartVerdict::Plausible);
    assert!(matches!(online.checkout("a"), Output::Waits(_)));
    online.pass(WAIT_MS);
    assert_eq!(denied(&online.resolve()[0].1), DenialCode::Pending);
    assert!(matches!(online.checkout("b"), Output::Waits(_)));
    let seq = online.request().seq;
    online.answer(seq, share(2, 0, 0), None);
    assert!(matches!(online.resolve()[0].1, Output::Leased(_)));

    online.server.restart(online.now, StartVerdict::Plausible);
    online.pass(FIRST_SYNC_MS);
    leased(online.checkout("c"));
}

#[test]
fn a_copy_of_a_request_on_its_way_does_not_open_a_start() {
    let mut online = Online::enabled(2, 2);
    let seq = online.request().seq;
    // Here the folder is copied: the portal gives the copy the answer that the original had.
    online.server.restart(online.now, StartVerdict::Plausible);
    assert!(matches!(online.checkout("a"), Output::Waits(_)));
    online.answer(seq, share(2, 0, 0), None);
    assert!(online.resolve().is_empty(), "it may have been given to another server");
    assert_eq!(online.server.engine.sync_due(), Some(Ms(0)), "at once");
    let seq = online.request().seq;
    online.answer_at(online.now, seq, Verdict::Forked, share(2, 0, 0), None);
    assert_eq!(denied(&online.resolve()[0].1), DenialCode::Forked);
}

#[test]
fn a_copy_gives_nothing_new_and_runs_on() {
    let mut online = Online::enabled(2, 2);
    let lease = leased(online.checkout("a")).lease;
    let seq = online.request().seq;
    online.answer_at(online.now, seq, Verdict::Forked, share(2, 0, 0), None);
    assert_eq!(denied(&online.checkout("b")), DenialCode::Forked);
    online.pass(MINUTE_MS);
    leased(online.server.heartbeat(online.now, lease, 1, "n"));
    assert_eq!(online.server.engine.sync_due(), None);
    online.server.restart(online.now, StartVerdict::Plausible);
    assert_eq!(denied(&online.checkout("c")), DenialCode::Forked, "also after a restart");
}

#[test]
fn a_server_that_is_disabled_gives_back_what_is_free_and_wants_nothing() {
    let mut online = Online::enabled(3, 5);
    let lease = leased(online.checkout("a")).lease;
    online.server.engine.step(online.now, Input::Drain { act: act() }, &mut Vec::new());
    online.resolve();
    assert_eq!(online.server.engine.sync_due(), Some(Ms(0)));
    let request = online.sync(share(5, 4, 0), Some(online_document(2, 1)));
    assert!(request.draining);
    assert_eq!(request.licenses[&license()].keep, 1);
    online.server.engine.step(online.now, Input::Checkin { lease }, &mut Vec::new());
    assert!(online.server.engine.drained(online.now));
}

#[test]
fn the_portal_says_what_time_it_is() {
    for (off_ms, tolerated) in [(-30 * SECOND_MS, true), (-5 * MINUTE_MS, false), (90 * MINUTE_MS, false)] {
        let mut online = Online::enabled(1, 1);
        let seq = online.request().seq;
        let at = online.now.plus(-off_ms);
        let output = online.answer_at(at, seq, Verdict::Ok, share(1, 0, 0), None);
        let Output::Synced { set_time_to, .. } = output else { panic!("{output:?}") };
        let close = |to: Ms| to.since(at).abs() <= SECOND_MS;
        assert!(
            if tolerated { set_time_to.is_none() } else { set_time_to.is_some_and(close) },
            "{off_ms}: {set_time_to:?}"
        );
    }
}

#[test]
fn a_doubt_of_the_clock_is_over_when_the_portal_says_the_same_time() {
    for off_ms in [0, -5 * MINUTE_MS, 90 * MINUTE_MS] {
        let mut online = Online::enabled(1, 1);
        online.server.restart(online.now, StartVerdict::Behind { by_ms: 100 * DAY_MS });
        assert!(online.server.engine.passes_held_until.is_some());
        let seq = online.request().seq;
        online.answer_at(online.now.plus(-off_ms), seq, Verdict::Ok, share(1, 0, 0), None);
        assert!(online.server.engine.passes_held_until.is_none(), "{off_ms}");
    }
}

#[test]
fn what_is_known_of_the_time_before_a_start_ends_no_doubt_of_that_start() {
    let mut online = Online::enabled(1, 1);
    let right = online.now;
    // The time is five minutes ahead when it asks, and forty days at the start after it.
    online.now = right.plus(5 * MINUTE_MS);
    let seq = online.request().seq;
    online.now = right.plus(40 * DAY_MS);
    online.server.restart(online.now, StartVerdict::Ahead { by_ms: 40 * DAY_MS });
    online.server.engine.step(online.now, Input::Tick, &mut online.server.writes);
    let held = online.server.engine.passes_held_until;
    let output = online.answer_at(right, seq, Verdict::Ok, share(1, 0, 0), None);
    let to = online.now.plus(SECOND_MS - 5 * MINUTE_MS);
    assert_eq!(output, Output::Synced { installed: false, set_time_to: Some(to) });
    let stored = |write: &Write| matches!(write, Write::PassesHeld { until } if *until == held);
    assert!(
        held.is_some() && online.server.writes.iter().rev().take(2).any(stored),
        "{:?}",
        online.server.writes.last()
    );
    let mut former = std::mem::replace(&mut online.server, Online::enabled(1, 1).server).engine;
    online.server.engine.take_over(to, &mut former, online.now);
    assert_eq!(online.server.engine.passes_held_until, held, "memory that is built anew keeps it as well");
}

#[test]
fn the_time_is_never_set_to_before_the_portal_spoke() {
    let mut online = Online::enabled(1, 1);
    let right = online.now;
    // It asks twice before what the first answer proves has set the time.
    online.now = right.plus(40 * DAY_MS);
    let first = online.request().seq;
    online.answer_at(right, first, Verdict::Ok, share(1, 0, 0), None);
    let second = online.request().seq;
    online.now = right.plus(SECOND_MS);
    let output = online.answer_at(right, second, Verdict::Ok, share(1, 0, 0), None);
    assert_eq!(output, Output::Synced { installed: false, set_time_to: Some(right) });
}

#[test]
fn where_the_time_is_set_back_leases_move_to_lines_that_have_not_ended_by_it() {
    let mut online = Online::enabled(1, 1);
    let lease = leased(online.checkout("a")).lease;
    let right = online.now;
    online.now = right.plus(40 * DAY_MS);
    online.server.restart(online.now, StartVerdict::Ahead { by_ms: 40 * DAY_MS });
    let seq = online.request().seq;
    let other = Line { line: LineId::draw(Ms(9), &mut Seeded::new(9)), ..online_document(2, 1).grant.lines[0].clone() };
    let document = online_document(2, 0);
    let document = Document { grant: Grant { lines: vec![other.clone()], ..document.grant }, ..document };
    online.answer_at(right, seq, Verdict::Ok, share(1, 0, 0), Some(document));
    let pool = online.server.engine.pool();
    let stands_on: Vec<_> = pool.placement(pool.lease(lease).unwrap()).iter().map(|(line, _)| *line).collect();
    assert_eq!(stands_on, [other.line]);
}

#[test]
fn an_answer_from_before_a_start_with_a_clock_ahead_ends_no_doubt() {
    let mut online = Online::enabled(1, 1);
    let (seq, right) = (online.request().seq, online.now);
    // It was on its way when the server stopped; the clock is forty days ahead at the next start.
    online.now = right.plus(40 * DAY_MS);
    online.server.restart(online.now, StartVerdict::Ahead { by_ms: 40 * DAY_MS });
    assert_eq!(online.request().seq, seq, "the same request again");
    online.answer_at(right.plus(SECOND_MS), seq, Verdict::Ok, share(1, 0, 0), None);
    assert!(online.server.engine.passes_held_until.is_some());
}

#[test]
fn while_the_portal_is_out_of_reach_what_is_held_is_given_and_nobody_waits() {
    let mut online = Online::enabled(1, 5);
    online.request();
    online.server.engine.step(online.now, Input::SyncFailed { jitter: 0 }, &mut Vec::new());
    leased(online.checkout("a"));
    assert_eq!(denied(&online.checkout("b")), DenialCode::NoSeats);
    let due = online.server.engine.sync_due().unwrap();
    assert!(due > online.now && due <= online.now.plus(2 * SECOND_MS), "{due:?}");
    for _ in 0..20 {
        online.server.engine.step(online.now, Input::SyncFailed { jitter: 0 }, &mut Vec::new());
    }
    assert!(online.server.engine.sync_due().unwrap() <= online.now.plus(SYNC_EVERY_MS + SECOND_MS));
}

#[test]
fn a_document_with_fewer_seats_than_are_used_is_acknowledged_when_they_have_ended() {
    let mut online = Online::enabled(2, 2);
    let oldest = leased(online.checkout("a")).lease;
    online.pass(1);
    let youngest = leased(online.checkout("b")).lease;
    online.sync(share(1, 0, 0), Some(online_document(2, 1)));
    assert_eq!(online.sync(share(1, 0, 0), None).rev, 1, "two seats are still used");
    online.pass(MINUTE_MS);
    leased(online.server.heartbeat(online.now, oldest, 1, "n"));
    assert!(matches!(
        online.server.heartbeat(online.now, youngest, 1, "n"),
        Output::Ended { end: LeaseEnd::Withdrawn, .. }
    ));
    online.pass(6 * MINUTE_MS + 10 * SECOND_MS);
    leased(online.server.heartbeat(online.now, oldest, 2, "m"));
    online.resolve();
    assert_eq!(online.server.engine.sync_due(), Some(Ms(0)), "the portal waits to hear it");
    assert_eq!(online.request().rev, 2);
}

#[test]
fn a_file_takes_the_server_off_line_and_a_lease_does_not_notice() {
    let mut online = Online::enabled(2, 2);
    let lease = leased(online.checkout("a")).lease;
    let by_file = document(2, vec![line(1, 2, UNTIL, Share::None)]);
    online.server.install(online.now, by_file);
    assert!(online.server.engine.online(online.now).is_none() && online.server.engine.sync_due().is_none());
    leased(online.server.heartbeat(online.now, lease, 1, "n"));
}

#[test]
fn the_time_is_mended_once_for_a_request_that_is_never_taken() {
    let mut online = Online::enabled(1, 1);
    let seq = online.request().seq;
    let right = online.now.plus(-9 * MINUTE_MS);
    let ended = online.answer_at(right, seq, Verdict::ByFile, share(1, 0, 0), None);
    let Output::Synced { set_time_to: Some(to), .. } = ended else { panic!("{ended:?}") };
    // As the shell does it: memory anew, at the right time.
    online.now = to;
    online.server.restart(to, StartVerdict::Plausible);
    online.pass(MINUTE_MS);
    assert_eq!(online.request().seq, seq, "the same request again");
    let again = online.answer_at(right.plus(MINUTE_MS), seq, Verdict::ByFile, share(1, 0, 0), None);
    assert_eq!(again, Output::Synced { installed: false, set_time_to: None });
}

#[test]
fn who_gets_no_seat_is_told_where_the_seats_are() {
    let what = |online: &mut Online, key: &str| match online.checkout(key) {
        Output::Denied(denial) => (denial.code, denial.explain().what),
        other => panic!("not denied: {other:?}"),
    };
    let mut online = Online::enabled(0, 5);
    online.sync(PoolShare { exhausted: true, ..share(5, 5, 0) }, None);
    let (code, text) = what(&mut online, "b");
    assert!(code == DenialCode::NoSeats && text.contains("at other license servers"), "{text}");

    // By file, or at a server that was revoked.
    let mut by_file = Online::enabled(0, 5);
    by_file.sync(PoolShare { bound: 5, exhausted: true, ..share(5, 5, 0) }, None);
    let (code, text) = what(&mut by_file, "a");
    assert!(code == DenialCode::NoSeats && text.contains("do not give them back by themselves"), "{text}");

    // Assigned, and not in effect.
    online.sync(PoolShare { pending: 2, ..share(0, 0, 0) }, None);
    let (code, text) = what(&mut online, "c");
    assert!(code == DenialCode::NoSeats && text.contains("assigned to you are not here yet"), "{text}");

    // Some of it is.
    let mut some = Online::enabled(1, 1);
    some.sync(PoolShare { pending: 2, exhausted: true, ..share(1, 0, 0) }, None);
    assert!(matches!(some.checkout("a"), Output::Leased(_)));
    let (code, text) = what(&mut some, "b");
    assert!(code == DenialCode::NoSeats && text.contains("More are assigned to you"), "{text}");

    // For named people, at a server that works for everybody.
    let mut named = Online::enabled(0, 0);
    named.sync(PoolShare { kind: Kind::Named, ..share(0, 0, 0) }, None);
    let (code, text) = what(&mut named, "a");
    assert!(code == DenialCode::FeatureUnknown && text.contains("for named people"), "{text}");
    assert!(named.request().licenses.is_empty(), "nothing is said of what cannot come");

    // All that the portal said is old.
    online.sync(share(5, 5, 0), None);
    online.server.engine.step(online.now, Input::SyncFailed { jitter: 0 }, &mut online.server.writes);
    let (code, text) = what(&mut online, "d");
    assert!(code == DenialCode::NoSeats && text.contains("the portal, which has more, is not reached"), "{text}");
    online.sync(share(0, 0, 0), None);
    assert_eq!(what(&mut online, "e").0, DenialCode::FeatureUnknown);
    let seq = online.request().seq;
    online.answer_at(online.now, seq, Verdict::Ended, share(0, 0, 0), None);
    assert_eq!(what(&mut online, "f").0, DenialCode::Revoked);
    assert_eq!(online.request().seq, seq + 1, "the portal goes on hearing what is in use");
}

#[test]
fn seats_of_the_servers_own_person_are_not_fetched_for_somebody_else() {
    let mut online = Online::enabled(0, 5);
    online.sync(PoolShare { assigned: true, ..share(5, 0, 5) }, None);
    let Output::Denied(denial) = online.checkout("a") else { panic!("nothing is waited for") };
    assert_eq!(denial.code, DenialCode::Reserved);
    assert_eq!(online.report().want, 0);
}

#[test]
fn seats_are_asked_of_the_license_that_can_spare_some_and_not_of_one_that_is_bound_elsewhere() {
    let mut online = Online::enabled(0, 5);
    let other = LicenseId::draw(Ms(9), &mut Seeded::new(9));
    let by_file = PoolShare { license: other, bound: 10, ..share(10, 10, 0) };
    let seq = online.request().seq;
    online.answer_of(online.now, seq, Verdict::Ok, vec![share(5, 5, 0), by_file], None);
    online.checkout("a");
    let request = online.request();
    let wanted = |license| request.licenses.get(&license).map_or(0, |report: &Report| report.want);
    assert_eq!((wanted(license()), wanted(other)), (1, 0));
}
