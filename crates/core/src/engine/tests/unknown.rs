//! What a restored server may have lent after the backup was made.

use super::passes::{d, lending, pass};
use super::*;
use crate::ids::PassId;

impl Server {
    /// Started on a backup that was made at [`NOW`], at `at`.
    fn restored_at(&mut self, at: Ms) -> Ms {
        self.restart_from(at, StartVerdict::Plausible, Some(at));
        at.plus(425_000)
    }

    fn held(&self) -> Vec<(PassId, u32, Ms)> {
        let held = self.engine.pool.unknown_passes();
        held.map(|lease| (PassId::of(lease.id), lease.ask.seats, lease.freed_at)).collect()
    }

    fn not_out(&mut self, now: Ms, pass: PassId, seats: u32) -> Output {
        self.engine.step(now, Input::NotOut { which: NotOut::Of { pass, seats }, act: act() }, &mut self.writes)
    }
}

#[test]
fn what_may_have_been_lent_since_the_backup_is_held_until_it_has_ended() {
    let mut server = Server::lending(vec![lending(1, 3, d(90), 14), line(2, 2, d(90), Share::None)]);
    pass(server.borrow(NOW, "k", 10));
    let later = server.restored_at(d(1));
    assert_eq!(server.held(), [], "nothing is given yet");
    // Whoever asks before is told how long what is not held yet will be.
    let until = server.engine.unknown_until(later);
    // The two that may not be borrowed; of the others one is lent, and two may be.
    leased(server.checkout(later, "a", "ann"));
    leased(server.checkout(later, "b", "bob"));
    assert_eq!(denied(server.checkout(later, "c", "eve")), DenialCode::NoSeats);
    let [(held, 2, freed_at)] = server.held()[..] else { panic!("{:?}", server.held()) };
    assert_eq!(freed_at, d(1 + 14 + 1), "the longest term from the restore on, and a day");
    assert_eq!((until, server.engine.unknown_until(later)), (Some(freed_at), None));
    assert!(server.engine.pool.lease(held.lease()).is_some());
    leased(server.checkout(freed_at, "d", "eve"));
    assert_eq!(server.held(), []);
}

#[test]
fn nothing_is_held_beyond_the_lines_nor_twice() {
    let mut server = Server::lending(vec![lending(1, 3, d(8), 14)]);
    let later = server.restored_at(d(1));
    let done_by = |server: &mut Server| match server.engine.step(d(1), Input::Drain { act: act() }, &mut Vec::new()) {
        Output::Draining { done_by, .. } => done_by,
        other => panic!("{other:?}"),
    };
    assert_eq!(done_by(&mut server), d(9), "who disables it before anything is held is told, too");
    server.engine.draining = false;
    server.engine.step(later, Input::Tick, &mut server.writes);
    let [(_, 3, freed_at)] = server.held()[..] else { panic!("{:?}", server.held()) };
    assert_eq!(freed_at, d(9), "a pass ends with its line, and is freed a day later");
    assert!(server.writes.iter().any(|write| matches!(write, Write::UnknownHeld)));
    server.restart(d(2), StartVerdict::Plausible);
    server.engine.step(d(3), Input::Tick, &mut server.writes);
    assert_eq!(server.held().len(), 1, "as it was");
}

#[test]
fn an_administrator_frees_what_no_machine_has() {
    let mut server = Server::lending(vec![lending(1, 3, d(90), 14)]);
    let later = server.restored_at(d(1));
    server.engine.step(later, Input::Tick, &mut server.writes);
    let (held, ..) = server.held()[0];
    assert_eq!(server.not_out(later, held, 2), Output::NotOut { freed: 2, held: 1 });
    leased(server.checkout(later, "a", "ann"));
    leased(server.checkout(later, "b", "bob"));
    assert_eq!(denied(server.checkout(later, "c", "eve")), DenialCode::NoSeats);
    assert_eq!(server.not_out(later, held, 9), Output::NotOut { freed: 1, held: 0 });
    assert_eq!(server.not_out(later, held, 1), Output::Unknown, "nothing is held any more");
    leased(server.checkout(later, "d", "eve"));
}

#[test]
fn all_that_is_held_is_freed_in_one_step_and_told_once() {
    let mut server =
        Server::lending(vec![lending(1, 3, d(90), 14), lending(2, 2, d(90), 7), line(3, 2, d(90), Share::None)]);
    pass(server.borrow(NOW, "k", 10));
    let later = server.restored_at(d(1));
    server.engine.step(later, Input::Tick, &mut server.writes);
    assert_eq!(server.held().iter().map(|held| held.1).sum::<u32>(), 4, "one of five is lent");
    server.writes.clear();
    let all = |server: &mut Server| {
        server.engine.step(later, Input::NotOut { which: NotOut::All, act: act() }, &mut server.writes)
    };
    assert_eq!(all(&mut server), Output::NotOut { freed: 4, held: 0 });
    assert_eq!(server.held(), []);
    let told: Vec<_> = server.writes.iter().filter(|write| matches!(write, Write::Audit(_))).collect();
    assert!(matches!(told[..], [Write::Audit(row)] if row.detail.ends_with("4 of f")), "{told:?}");
    server.writes.clear();
    assert_eq!(all(&mut server), Output::NotOut { freed: 0, held: 0 });
    assert!(server.writes.is_empty(), "nothing was done: nothing is told");
    assert_eq!(server.engine.pool.passes_page(None, 9).len(), 1, "what the backup knows is as it was");
}

#[test]
fn a_pass_of_the_backup_may_have_been_extended_or_returned_since() {
    let mut server = Server::lending(vec![lending(1, 2, d(90), 14)]);
    let (known, until) = pass(server.borrow(NOW, "k", 3));
    assert_eq!(server.not_out(d(1), known, 1), Output::NotHeld { from: None }, "nothing is uncertain here");
    let later = server.restored_at(d(2));
    server.engine.step(later, Input::Tick, &mut server.writes);
    let lease = server.engine.pool.lease(known.lease()).unwrap();
    assert_eq!((lease.pass.as_ref().unwrap().until, lease.freed_at), (until, d(2 + 14 + 1)));
    assert_eq!(server.not_out(d(3), known, 1), Output::NotOut { freed: 1, held: 0 });
    leased(server.checkout(d(3), "a", "ann"));
}

#[test]
fn a_pass_that_its_machine_asked_for_since_the_restore_was_not_returned() {
    // Longer or not: it is there.
    for (days, until) in [(4, d(7)), (1, d(5))] {
        let mut server = Server::lending(vec![lending(1, 1, d(90), 14)]);
        let (known, _) = pass(server.borrow(NOW, "k", 5));
        let later = server.restored_at(d(2));
        server.engine.step(later, Input::Tick, &mut server.writes);
        assert_eq!(pass(server.borrow(d(3), "k", days)), (known, until));
        let freed_at = server.engine.pool.lease(known.lease()).unwrap().freed_at;
        assert_eq!(freed_at, d(17), "what it may have had before stays");
        assert_eq!(server.not_out(d(3), known, 1), Output::NotHeld { from: None });
        assert_eq!(denied(server.checkout(d(3), "a", "ann")), DenialCode::NoSeats);
        server.restart(d(3), StartVerdict::Plausible);
        assert_eq!(server.not_out(d(4), known, 1), Output::NotHeld { from: None }, "it is stored");
    }
}

#[test]
fn nothing_is_said_to_be_freed_before_anything_is_held() {
    let mut server = Server::lending(vec![lending(1, 2, d(90), 14)]);
    let (known, _) = pass(server.borrow(NOW, "k", 5));
    let later = server.restored_at(d(1));
    for which in [NotOut::All, NotOut::Of { pass: known, seats: 1 }] {
        let output = server.engine.step(d(1), Input::NotOut { which, act: act() }, &mut server.writes);
        assert_eq!(output, Output::NotHeld { from: Some(later) });
    }
    assert!(!server.engine.unknown_due(d(1)) && server.engine.unknown_due(later));
    server.engine.step(later, Input::Tick, &mut server.writes);
    assert!(!server.engine.unknown_due(later));
}

#[test]
fn who_gets_none_because_of_it_is_told_who_can_mend_it() {
    let mut server = Server::lending(vec![lending(1, 2, d(90), 14)]);
    let later = server.restored_at(d(1));
    let Output::Denied(denial) = server.checkout(later, "a", "ann") else { panic!("no seat is free") };
    assert_eq!((denial.code, denial.held), (DenialCode::NoSeats, 2));
    assert!(denial.explain().what.contains("restored from a backup"), "{}", denial.explain().what);
    server.engine.step(later, Input::NotOut { which: NotOut::All, act: act() }, &mut server.writes);
    leased(server.checkout(later, "a", "ann"));
    leased(server.checkout(later, "b", "bob"));
    let Output::Denied(denial) = server.checkout(later, "c", "eve") else { panic!("no seat is free") };
    assert!(denial.held == 0 && !denial.explain().what.contains("backup"), "{}", denial.explain().what);
}
