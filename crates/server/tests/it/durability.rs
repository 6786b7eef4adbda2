//! What was answered is on disk, and a full disk stops new seats only.

use crate::support::{Site, eventually};
use leasehold_db::{DbError, FaultPoint};
use leasehold_server::ServeError;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

#[test]
fn a_killed_server_knows_every_lease_again_and_each_runs_its_full_right() {
    let site = Site::new();
    let server = site.with_ten_seats();
    let leases: Vec<_> = (0..5).map(|n| server.checkout(&format!("key-{n}"))).collect();
    let returned = server.checkout("returned");
    server.checkin(&returned);
    drop(server);
    site.clock.advance(30 * 60_000);

    let server = start_again(&site);
    assert_eq!(server.in_use(), 5);
    assert_eq!(server.checkout("key-0").str("lease"), leases[0].str("lease"), "the same seat, not a second one");
    for lease in &leases {
        assert_eq!(server.heartbeat(lease, 7, "after").status, 200);
    }
    // How long the server was down by the clock says nothing: the clock may have been set. So a late copy of an old
    // checkout takes no seat until the memory of keys has run in full from the start.
    assert_eq!(server.checkout("returned").code(), "LEASE_GONE");
    // Nor is it forgotten by another start soon after.
    drop(server);
    let server = start_again(&site);
    assert_eq!(server.checkout("returned").code(), "LEASE_GONE");
    site.clock.advance(121_000);
    assert_eq!(server.checkout("returned").status, 201, "then the key is forgotten");
    drop(server);
    let server = start_again(&site);
    server.checkin(&leases[0]);
    drop(server);
    let server = start_again(&site);
    assert_eq!(server.checkout("key-0").code(), "LEASE_GONE", "a key is remembered over a restart");
    assert_eq!(server.checkin(&leases[0]).status, 204);
    site.clock.advance(424_000);
    assert_eq!(server.in_use(), 5, "a full right from the start of the server");
    site.clock.advance(2_000);
    assert_eq!(server.in_use(), 0);
}

/// The killed one may hold the folder for another moment.
/// A server again, once the one that was killed has let go of the folder.
pub(crate) fn start_again(site: &Site) -> crate::support::Running {
    let started = Mutex::new(None);
    eventually("the folder is free", || {
        let server = crate::support::Running::start(site.options());
        let up = server.is_ok();
        *started.lock().unwrap() = server.ok();
        up
    });
    started.into_inner().unwrap().unwrap()
}

#[test]
fn nobody_is_answered_before_the_flush_and_many_share_one() {
    let site = Site::new();
    let server = site.with_ten_seats();
    let gate = Arc::new((Mutex::new(false), Condvar::new()));
    let (held_back, at_gate) = (Arc::clone(&gate), Arc::new(AtomicUsize::new(0)));
    let arrived = Arc::clone(&at_gate);
    server.ready.server.database().set_fault_hook(move |point| {
        if point == FaultPoint::BeforeCommit {
            arrived.fetch_add(1, Ordering::SeqCst);
            let open = held_back.0.lock().unwrap();
            drop(held_back.1.wait_while(open, |open| !*open).unwrap());
        }
        Ok(())
    });
    let (sent, answered) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let before = std::thread::scope(|scope| {
        for n in 0..8 {
            let (server, sent, answered) = (&server, &sent, &answered);
            scope.spawn(move || {
                sent.fetch_add(1, Ordering::SeqCst);
                assert_eq!(server.checkout(&format!("key-{n}")).status, 201);
                answered.fetch_add(1, Ordering::SeqCst);
            });
        }
        let pings = AtomicUsize::new(0);
        // One that was on its way past the gate when that was put up has ended by then: there is one writer.
        eventually("a commit waits at the gate", || at_gate.load(Ordering::SeqCst) > 0);
        let before = server.ready.server.database().commit_count();
        eventually("a commit waits at the gate, and the others have been sent", || {
            // What asks nobody is answered meanwhile.
            assert_eq!(server.get("/v1/ping").status, 200);
            let waits = at_gate.load(Ordering::SeqCst) > 0 && sent.load(Ordering::SeqCst) == 8;
            waits && pings.fetch_add(1, Ordering::SeqCst) > 20
        });
        assert_eq!(answered.load(Ordering::SeqCst), 0);
        assert_eq!(server.ready.server.database().commit_count(), before);
        *gate.0.lock().unwrap() = true;
        gate.1.notify_all();
        before
    });
    assert_eq!(answered.load(Ordering::SeqCst), 8);
    let commits = server.ready.server.database().commit_count() - before;
    assert!((1..8).contains(&commits), "{commits} flushes for 8 checkouts that waited together");
}

#[test]
fn a_full_disk_stops_new_seats_only_and_is_said() {
    let site = Site::new();
    let server = site.with_ten_seats();
    let lease = server.checkout("before");
    let full = Arc::new(AtomicBool::new(true));
    let still_full = Arc::clone(&full);
    server.ready.server.database().set_fault_hook(move |point| {
        if point == FaultPoint::BeforeCommit && still_full.load(Ordering::SeqCst) {
            return Err(DbError::Full { place: "the disk of the test".to_owned() });
        }
        Ok(())
    });
    for n in 0..3 {
        let refused = server.checkout(&format!("during-{n}"));
        assert_eq!((refused.status, refused.code()), (503, "DISK_FULL"), "{refused:?}");
        assert_eq!(refused.retry_after.as_deref(), Some("1"));
    }
    for n in 1..20 {
        assert_eq!(server.heartbeat(&lease, n, &format!("n-{n}")).status, 200, "running work goes on");
        server.checkout("storm");
    }
    assert_eq!(server.get("/readyz").status, 503);
    let told = |status: crate::support::Reply| status.json["storage"]["problem"].as_str().unwrap().to_owned();
    assert!(told(server.admin("GET", "/v1/status", None)).contains("full"));
    let strangers = told(server.get("/v1/status"));
    assert!(
        strangers.contains("cannot store") && !strangers.contains("server.db"),
        "no path for strangers: {strangers}"
    );
    assert_eq!(server.in_use(), 1, "memory was built anew from what is on disk");

    full.store(false, Ordering::SeqCst);
    site.clock.advance(2_000);
    assert_eq!(server.checkout("after").status, 201);
    assert_eq!(server.get("/readyz").status, 204);
    assert_eq!(server.checkout("during-0").status, 201, "nothing of what was refused was kept");
    assert_eq!(server.in_use(), 3);
}

#[test]
fn a_failed_flush_ends_the_process_and_what_was_stored_is_found_again() {
    for (point, survives) in [(FaultPoint::BeforeCommit, false), (FaultPoint::AfterCommit, true)] {
        let site = Site::new();
        let server = site.with_ten_seats();
        let kept = server.checkout("kept");
        server.ready.server.database().set_fault_hook(move |at| {
            let place = "the disk of the test".to_owned();
            if at == point { Err(DbError::Unknown { place, detail: "input/output error".to_owned() }) } else { Ok(()) }
        });
        let unknown = server.checkout("unknown");
        assert_eq!((unknown.status, unknown.code()), (503, "OUTCOME_UNKNOWN"), "{unknown:?}");
        let ended = server.outcome().unwrap_err();
        assert!(matches!(ended, ServeError::Failed(_)) && ended.exit_code() == 70, "{ended}");
        drop(server);
        let server = start_again(&site);
        assert_eq!(server.in_use(), if survives { 2 } else { 1 });
        assert_eq!(server.checkout("kept").str("lease"), kept.str("lease"));
        let again = server.checkout("unknown");
        assert_eq!(again.status, if survives { 200 } else { 201 }, "one lease, however it came out");
        assert_eq!(server.in_use(), 2);
    }
}
