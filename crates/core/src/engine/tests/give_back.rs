//! Some seats of a document that came by file are given back: only what is not out, and never used again.

use super::*;

impl Server {
    fn keep(&mut self, now: Ms, seats: u32) -> Output {
        let license = self.engine.document().unwrap().grant.lines[0].license;
        let input = Input::GiveBack { keep: [(license, seats)].into(), act: act() };
        self.engine.step(now, input, &mut self.writes)
    }

    fn total(&self, now: Ms) -> u32 {
        self.engine.pool().capacity(&FeatureCode::new("f").unwrap(), now).total
    }
}

fn gave(output: Output) -> GiveBack {
    match output {
        Output::GaveBack(given) => *given,
        other => panic!("expected a promise, got {other:?}"),
    }
}

fn refused(output: Output) -> GiveBackRefusal {
    match output {
        Output::NotGivenBack(refusal) => refusal,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

fn file(rev: u64, seats: u32) -> Document {
    document(rev, vec![line(1, seats, NOW.plus(90 * DAY_MS), Share::None)])
}

#[test]
fn what_is_out_stays_and_what_is_given_back_is_never_used_again() {
    let mut server = Server::new(5);
    for user in ["ann", "bob"] {
        leased(server.checkout(NOW, user, user));
    }
    let too_few = refused(server.keep(NOW, 1));
    let license = server.engine.document().unwrap().grant.lines[0].license;
    let free_at = NOW.plus(425_000);
    assert_eq!(too_few, GiveBackRefusal::InUse { license, wanted: 1, used: 2, free_at });
    assert_eq!(refused(server.keep(NOW, 6)), GiveBackRefusal::TooMany { license, wanted: 6, held: 5 });
    assert_eq!(refused(server.keep(NOW, 5)), GiveBackRefusal::Nothing);
    assert!(!server.writes.iter().any(|write| matches!(write, Write::GivenBack(_))), "nothing has changed");

    let given = gave(server.keep(NOW, 3));
    assert_eq!((given.number, given.rev, given.kept.values().sum::<u32>()), (1, 1, 3));
    assert!(matches!(&server.writes[..], [.., Write::GivenBack(row), Write::Audit(_)] if **row == given));
    assert_eq!(gave(server.keep(NOW, 3)), given, "asked again, the same promise");
    leased(server.checkout(NOW, "cyd", "cyd"));
    assert_eq!(denied(server.checkout(NOW, "dan", "dan")), DenialCode::NoSeats);

    server.restart(NOW.plus(1_000), StartVerdict::Plausible);
    assert_eq!(denied(server.checkout(NOW.plus(1_000), "dan", "dan")), DenialCode::NoSeats, "also after a restart");
    assert_eq!(server.total(NOW.plus(1_000)), 3);
    let later = NOW.plus(DAY_MS);
    assert_eq!(gave(server.keep(later, 0)).number, 2, "more, when nothing is out");
    assert_eq!(denied(server.checkout(later, "eve", "eve")), DenialCode::NoSeats);
}

#[test]
fn after_a_receipt_no_document_up_to_the_one_it_names_is_loaded_and_a_newer_one_ends_the_promise() {
    let mut server = Server::new(5);
    server.install(NOW, file(3, 5));
    let given = gave(server.keep(NOW, 2));
    for (rev, sha) in [(1, "sha-1"), (2, "sha-2"), (3, "sha-other")] {
        let again = Document { sha256: sha.into(), ..file(rev, 9) };
        let refusal = InstallRefusal::GivenBack { file_rev: rev, rev: 3 };
        assert_eq!(server.install(NOW, again), Output::NotInstalled(refusal), "{rev}");
    }
    let refusal = InstallRefusal::GivenBack { file_rev: 3, rev: 3 };
    assert_eq!(server.install(NOW, file(3, 5)), Output::NotInstalled(refusal), "it counts for less now");
    assert_eq!(server.total(NOW), 2);
    server.install(NOW, file(4, 7));
    assert_eq!(server.total(NOW), 7);
    assert_eq!(gave(server.keep(NOW, 6)).number, given.number + 1, "numbers go on");
}

#[test]
fn data_put_back_to_before_a_receipt_give_no_seats_until_a_newer_document_is_there() {
    let mut server = Server::new(5);
    server.install(NOW, file(3, 5));
    leased(server.checkout(NOW, "ann", "ann"));
    let given = gave(server.keep(NOW, 2));
    server.engine.document = Some(file(2, 5));
    server.engine.given_back = Some(given);
    server.restart(NOW, StartVerdict::Plausible);
    assert_eq!(server.engine.is_put_back(), Some(3));
    assert_eq!(denied(server.checkout(NOW, "bob", "bob")), DenialCode::NoSeats);
    assert_eq!(refused(server.keep(NOW, 1)), GiveBackRefusal::PutBack { rev: 3 });
    server.install(NOW, file(4, 2));
    leased(server.checkout(NOW, "bob", "bob"));
}

#[test]
fn nothing_is_given_back_while_seats_may_be_out_that_are_not_known_or_on_what_came_before() {
    let mut server = Server::new(2);
    let ann = leased(server.checkout(NOW, "ann", "ann"));
    server.install(NOW, document(2, vec![line(3, 2, NOW.plus(90 * DAY_MS), Share::None)]));
    // Moved to the line that there is.
    assert_eq!(server.engine.pool().lease(ann.lease).map(|lease| lease.withdrawn), Some(false));
    leased(server.checkout(NOW, "bob", "bob"));
    server.install(NOW, document(3, vec![line(5, 1, NOW.plus(90 * DAY_MS), Share::None)]));
    assert_eq!(refused(server.keep(NOW, 1)), GiveBackRefusal::RunsOut { until: NOW.plus(425_000) });

    let mut server = Server::new(2);
    server.restart_from(NOW, StartVerdict::Plausible, Some(NOW));
    assert!(matches!(refused(server.keep(NOW, 1)), GiveBackRefusal::Unknown { .. }));
    server.engine.step(NOW.plus(DAY_MS), Input::Drain { act: act() }, &mut server.writes);
    assert_eq!(refused(server.keep(NOW.plus(DAY_MS), 1)), GiveBackRefusal::Draining);
}
