//! `checkout`, `checkin`, `status` and `doctor`.

use crate::support::{FEATURE, Machine, Site, Staying, closed, mode};
use rustix::process::Signal;

#[test]
fn a_seat_is_left_out_and_given_back_later() {
    let site = Site::with_seats(3);
    let first = site.run(&["checkout", FEATURE, "--json"]).ok().json();
    let lease = first["seat"]["lease"].as_str().unwrap().to_owned();
    assert!(first["runs_out_in_s"].as_u64().unwrap() > 400);
    let second = site.run(&["checkout", FEATURE]).ok();
    assert!(second.out.contains("runs out in 7 minutes unless `leasehold checkin lease_"), "{second:?}");
    assert_eq!(site.in_use(), 2);
    let kept = site.machine.path("state/leasehold/seats").join(format!("{lease}.json"));
    assert_eq!(mode(&kept), 0o600, "it holds the lease's secret");
    site.run(&["checkin"]).failed(1, &["Several seats are out", &lease, "--all"]);
    site.run(&["checkin", &lease]).ok();
    assert_eq!(site.in_use(), 1);
    site.run(&["checkin", &lease]).failed(1, &[&lease, "nothing was given back"]);
    let all = site.run(&["checkin", "--all", "--json"]).ok().json();
    assert_eq!(all["seats"][0]["outcome"], "given_back");
    assert_eq!(site.in_use(), 0);
    site.run(&["checkin"]).failed(1, &["left no seat out"]);
}

#[test]
fn what_has_run_out_need_not_be_told_from_what_is_out() {
    let site = Site::with_seats(3);
    let out = || site.run(&["checkout", FEATURE, "--json"]).ok().json()["seat"]["lease"].as_str().unwrap().to_owned();
    let (old, real) = (out(), out());
    let kept = site.machine.path("state/leasehold/seats").join(format!("{old}.json"));
    let mut left: serde_json::Value = serde_json::from_slice(&std::fs::read(&kept).unwrap()).unwrap();
    left["left_at"] = "2026-11-01T00:00:00Z".into();
    // Of a server that is gone, as well.
    left["seat"]["server"] = closed().into();
    std::fs::write(&kept, left.to_string()).unwrap();
    let third = out();
    let several = site.run(&["checkin"]).failed(1, &["Several seats are out", &real, &third]);
    assert!(!several.err.contains(&old), "{several:?}");
    site.run(&["checkin", &third]).ok();
    let given = site.run(&["checkin"]).ok().out;
    assert!(given.contains(&format!("{real} of {FEATURE} is free")), "{given}");
    assert!(given.contains(&format!("{old} of {FEATURE} has run out by itself")), "{given}");
    site.run(&["checkin"]).failed(1, &["left no seat out"]);
}

#[test]
fn a_held_seat_is_given_back_at_a_signal() {
    let site = Site::with_seats(1);
    let mut holding = Staying::start(site.command(&["checkout", FEATURE, "--hold"]));
    assert!(holding.line().starts_with(FEATURE));
    assert_eq!(site.in_use(), 1);
    holding.signal(Signal::TERM);
    holding.finish().ok();
    assert_eq!(site.in_use(), 0);
}

#[test]
fn a_seat_that_cannot_be_given_back_now_is_kept_for_later() {
    let mut site = Site::with_seats(1);
    site.run(&["checkout", FEATURE]).ok();
    site.stop_server();
    site.run(&["checkin"]).failed(121, &[&site.address, "cannot be reached"]);
    let kept = std::fs::read_dir(site.machine.path("state/leasehold/seats")).unwrap().count();
    assert_eq!(kept, 1);
}

#[test]
fn status_shows_every_server_with_its_totals() {
    let site = Site::with_seats(4);
    let down = closed();
    let status = site.run(&["status", "--json", "--server", &down, "--server", &site.address]).ok().json();
    assert_eq!((&status["servers"][0]["ok"], &status["servers"][0]["code"]), (&false.into(), &"UNREACHABLE".into()));
    let features = &status["servers"][1]["status"]["features"];
    assert_eq!((&features[0]["feature"], &features[0]["total"]), (&FEATURE.into(), &4.into()));
    let text = site.run(&["status"]).ok().out;
    assert!(text.contains("\"Hall 3\"") && text.contains("studio.gui  4      0       4"), "{text}");
    site.run(&["status", "--server", &down]).failed(121, &[]);
}

#[test]
fn doctor_says_which_source_won_what_each_server_answered_and_what_to_do() {
    let site = Site::with_seats(4);
    let well = site.run(&["doctor", "--json"]).ok().json();
    assert_eq!(well["servers"]["source"], "the environment variable LEASEHOLD_SERVERS");
    assert_eq!(well["trust"]["source"], "the environment variable LEASEHOLD_TRUST");
    assert_eq!((&well["trust"]["vendor"], &well["examinations"][0]["tls"]), (&"Acme".into(), &"ok".into()));
    let text = site.run(&["doctor"]).ok().out;
    assert!(text.contains("0 of 4 in use") && text.contains("can get seats"), "{text}");

    let fresh = Site::not_activated();
    let told = fresh.run(&["doctor"]);
    assert!(
        told.code != 0 && told.out.contains("has not been activated") && told.out.contains("get no seat"),
        "{told:?}"
    );
    let bare = Machine::new().run(&["doctor", "--json"]);
    assert_eq!((bare.code, bare.json()["ok"].as_bool()), (123, Some(false)));
    assert_eq!(bare.json()["what_to_do"].as_array().unwrap().len(), 2, "servers and trust: {bare:?}");
}
