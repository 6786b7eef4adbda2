//! What a server makes of the machine it finds itself on: another one than its document was issued to, and one whose
//! clock was wrong.

use crate::support::{Reply, Running, Site};
use leasehold_core::grant::Grant;
use leasehold_core::time::{Clock, DAY_MS, Ms};
use leasehold_server::ServeOptions;

const ELSEWHERE: &str = "fedcba9876543210fedcba9876543210";

fn upload(server: &Running, file: &str) -> Reply {
    server.admin("POST", "/v1/activation", Some(file))
}

fn start_elsewhere(site: &Site) -> Running {
    Running::start(ServeOptions { fingerprint: ELSEWHERE.to_owned(), ..site.options() }).unwrap()
}

#[test]
fn a_server_on_another_machine_gives_seats_for_seven_days_and_a_new_file_mends_it() {
    let site = Site::new();
    let server = site.with_ten_seats();
    assert!(server.get("/v1/status").json["moved"].is_null());
    let lease = server.checkout("before");
    server.stop();

    let server = start_elsewhere(&site);
    let moved_at = site.clock.wall();
    assert_eq!(server.heartbeat(&lease, 1, "n-1").status, 200, "running work goes on");
    assert_eq!(server.checkout("at-first").status, 201);
    let until = server.get("/v1/status").json["moved"]["new_leases_until"].as_str().unwrap().to_owned();
    assert_eq!(until, moved_at.plus(7 * DAY_MS).floor_to_second().rfc3339());
    server.stop();
    // Another start does not put the end off.
    site.clock.advance(6 * DAY_MS);
    let server = start_elsewhere(&site);
    assert_eq!(server.get("/v1/status").json["moved"]["new_leases_until"], until.as_str());
    let running = server.checkout("on-the-sixth-day");
    for _ in 0..=DAY_MS / 400_000 {
        site.clock.advance(400_000);
        assert_eq!(server.heartbeat(&running, 1, "n-1").status, 200, "running work goes on");
    }
    let denied = server.checkout("too-late");
    assert_eq!((denied.status, denied.code()), (409, "HOST_MISMATCH"), "{denied:?}");
    assert!(denied.text.contains("new request file"), "{denied:?}");

    // A document without a request is for the machine that asked last.
    let renewed = Grant { machine: crate::support::MACHINE.to_owned(), ..site.portal.ten_seats(2) };
    let key = leasehold_trust::request::read_request(server.request_file().as_bytes(), site.clock.wall()).unwrap();
    assert_eq!(upload(&server, &site.portal.crt_for(&key.public_key, &renewed)).status, 200);
    assert_eq!(server.checkout("still-too-late").code(), "HOST_MISMATCH");
    let asked = Grant { issued_at: site.clock.wall().floor_to_second(), ..site.portal.ten_seats(3) };
    assert_eq!(upload(&server, &site.portal.crt(&server.request_file(), &asked)).status, 200);
    assert!(server.get("/v1/status").json["moved"].is_null());
    assert_eq!(server.checkout("mended").status, 201);
    server.stop();
    // The copy that stayed behind is the one on another machine now.
    let server = site.start();
    assert!(!server.get("/v1/status").json["moved"].is_null());
}

#[test]
fn a_machine_that_cannot_be_told_apart_is_never_another_one() {
    let site = Site::new();
    site.with_ten_seats().stop();
    let server = Running::start(ServeOptions { fingerprint: String::new(), ..site.options() }).unwrap();
    assert!(server.get("/v1/status").json["moved"].is_null());
    site.clock.advance(30 * DAY_MS);
    assert_eq!(server.checkout("key").status, 201);
}

#[test]
fn hiding_the_machines_id_for_a_while_does_not_begin_the_seven_days_anew() {
    let site = Site::new();
    site.with_ten_seats().stop();
    start_elsewhere(&site).stop();
    site.clock.advance(6 * DAY_MS);
    Running::start(ServeOptions { fingerprint: String::new(), ..site.options() }).unwrap().stop();
    site.clock.advance(2 * DAY_MS);
    assert_eq!(start_elsewhere(&site).checkout("key").code(), "HOST_MISMATCH");
}

#[test]
fn a_clock_that_was_ahead_is_followed_back_on_the_word_of_the_portal_and_on_no_other() {
    let site = Site::new();
    let server = site.with_ten_seats();
    let lease = server.checkout("key");
    server.stop();
    // The battery of the machine's clock is empty, and somebody starts it on a date far ahead.
    site.clock.step_wall(3_000 * DAY_MS);
    let server = site.start();
    assert_eq!(server.checkout("in-eight-years").code(), "EXPIRED");
    server.stop();
    site.clock.step_wall(-3_000 * DAY_MS);

    let server = site.start();
    assert_eq!(server.get("/v1/status").json["clock"]["at_start"], "behind");
    site.clock.advance(426_000);
    assert_eq!(server.checkout("after-the-wait").code(), "EXPIRED", "its time is still in eight years");
    let issued = |rev| Grant { issued_at: site.clock.wall().floor_to_second(), ..site.portal.ten_seats(rev) };
    let request = server.request_file();
    let asked = leasehold_trust::request::read_request(request.as_bytes(), site.clock.wall())
        .expect("the portal takes it: it is dated by the wall clock");
    // A good file that answers nothing proves nothing: it may be as old as the rights that somebody wants back.
    let unasked = site.portal.crt_for(&asked.public_key, &issued(2));
    assert_eq!(upload(&server, &unasked).code(), "CLOCK_SUSPECT");
    let answer = site.portal.crt(&request, &issued(2));
    let kept_for_later = site.portal.crt(&server.request_file(), &issued(3));
    assert_eq!(upload(&server, &answer).status, 200, "also when another request was downloaded meanwhile");

    let status = server.get("/v1/status");
    assert_eq!(
        (&status.json["clock"]["at_start"], &status.json["clock"]["wall_ahead_s"]),
        (&"plausible".into(), &0.into())
    );
    let now = Ms::parse_rfc3339(status.str("server_time")).unwrap();
    assert!(site.clock.wall().since(now).abs() < 5_000, "{status:?}");
    let taken = server.checkout("at-once");
    assert_eq!(taken.status, 201, "{taken:?}");
    assert_eq!(server.heartbeat(&lease, 2, "n-2").status, 410, "what ended in eight years stays ended");
    site.clock.advance(424_000);
    assert_eq!(server.in_use(), 1);
    site.clock.advance(2_000);
    assert_eq!(server.in_use(), 0, "its leases run by the right time");
    let log = server.admin("GET", "/v1/events", None).json;
    let times = log["items"].as_array().unwrap().iter().map(|event| event["at"].as_str().unwrap());
    assert!(times.into_iter().all(|at| at <= &*site.clock.wall().rfc3339()), "the log tells the right times: {log}");
    server.stop();
    let server = site.start();
    assert_eq!(server.get("/v1/status").json["clock"]["at_start"], "plausible", "the mark went back with it");
    // What answers a request from the time ahead proves nothing any more.
    site.clock.advance(60 * DAY_MS);
    server.stop();
    let server = site.start();
    site.clock.step_wall(-60 * DAY_MS);
    assert_eq!(upload(&server, &kept_for_later).code(), "CLOCK_SUSPECT");
}

#[test]
fn a_first_activation_after_a_start_far_ahead_works() {
    let site = Site::new();
    site.clock.step_wall(400 * DAY_MS);
    site.start().stop();
    site.clock.step_wall(-400 * DAY_MS);
    let server = site.start();
    let grant = Grant { issued_at: site.clock.wall().floor_to_second(), ..site.portal.ten_seats(1) };
    assert_eq!(upload(&server, &site.portal.crt(&server.request_file(), &grant)).status, 200);
    assert_eq!(server.checkout("early").code(), "CLOCK_SUSPECT", "the wait of a clock that was behind goes on");
    site.clock.advance(426_000);
    assert_eq!(server.checkout("key").status, 201);
}
