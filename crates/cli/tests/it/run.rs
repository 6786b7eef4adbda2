//! `leasehold run`: the seat lasts as long as the command, and scripts can tell what happened.

use crate::support::{FEATURE, Machine, Site, Staying, closed, finish, wait_for_text};
use rustix::process::Signal;
use std::net::TcpListener;

#[test]
fn the_seat_is_held_while_the_command_runs_and_its_exit_code_is_passed_on() {
    let site = Site::with_seats(2);
    let program = env!("CARGO_BIN_EXE_leasehold");
    let script = format!("'{program}' status --json; exit 7");
    let finished = site.run(&["run", FEATURE, "--", "sh", "-c", &script]);
    assert_eq!(finished.code, 7, "{finished:?}");
    assert_eq!(finished.json()["servers"][0]["status"]["features"][0]["in_use"], 1);
    assert_eq!(site.in_use(), 0);
    let killed = site.run(&["run", FEATURE, "--", "sh", "-c", "kill -KILL $$"]);
    assert_eq!(killed.code, 128 + 9, "{killed:?}");
    let fine = site.run(&["run", "--json", FEATURE, "--seats", "2", "--", "true"]).ok();
    assert_eq!(fine.json()["seat"]["seats"], 2);
}

#[test]
fn each_reason_for_no_seat_has_an_exit_code_and_a_sentence_of_its_own() {
    let site = Site::with_seats(1);
    let run = |arguments: &[&str]| site.run(&[&["run"], arguments, &["--", "true"]].concat());
    run(&["no.such"]).failed(120, &["No seat of no.such", "No license on this license server"]);
    run(&[FEATURE, "--seats", "5"]).failed(120, &["5 seats were asked for, and the server has 1"]);
    let down = closed();
    run(&[FEATURE, "--server", &down]).failed(121, &[&down, "connection refused"]);
    let other = Site::with_seats(1);
    let theirs = ["says it belongs to \"Acme\"", "this application trusts \"Acme\"", "counterfeit"];
    run(&[FEATURE, "--server", &other.address]).failed(122, &theirs);
    run(&[FEATURE, "--trust", "nowhere.pem"]).failed(122, &["nowhere.pem", "Correct the path"]);
    run(&[FEATURE, "--server", "27000@license"]).failed(123, &["27000@license", "the port comes after the host"]);
    site.run(&["run", FEATURE, "--", "/no/such/program"]).failed(125, &["/no/such/program", "The seat was given back"]);
    assert_eq!(site.in_use(), 0);
    run(&[FEATURE, "--seats", "0"]).failed(2, &["--seats"]);
    let nothing = Machine::new();
    nothing.run(&["run", FEATURE, "--", "true"]).failed(122, &["LEASEHOLD_TRUST", "--trust FILE", "vendor's portal"]);
    nothing
        .run(&["run", FEATURE, "--trust", site.root().to_str().unwrap(), "--", "true"])
        .failed(123, &["LEASEHOLD_SERVERS"]);
    let json = run(&["--json", "no.such"]).json();
    assert_eq!(
        (&json["error"]["exit"], &json["error"]["detail"]["servers"][0]["code"]),
        (&120.into(), &"FEATURE_UNKNOWN".into())
    );
}

#[test]
fn signals_reach_the_command_and_the_seat_is_given_back() {
    let site = Site::with_seats(1);
    for (which, name, code) in [(Signal::TERM, "TERM", 9), (Signal::INT, "INT", 10)] {
        let script = format!("trap 'echo caught; exit {code}' {name}; echo ready; while :; do sleep 0.05; done");
        let mut running = Staying::start(site.command(&["run", FEATURE, "--", "sh", "-c", &script]));
        assert_eq!(running.line(), "ready");
        assert_eq!(site.in_use(), 1);
        running.signal(which);
        let finished = running.finish();
        assert_eq!((finished.code, finished.out.trim()), (code, "caught"), "{finished:?}");
        assert_eq!(site.in_use(), 0);
    }
}

#[test]
fn a_signal_before_there_is_a_seat_ends_it_at_once() {
    let site = Site::with_seats(1);
    // Takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let child = site.command(&["run", FEATURE, "--server", &address, "--", "true"]).spawn().unwrap();
    let connected = silent.accept().unwrap();
    crate::support::signal(child.id(), Signal::TERM);
    finish(child).failed(128 + 15, &["Interrupted before there was a seat"]);
    drop(connected);
}

#[test]
fn a_lost_seat_is_told_or_stops_the_command() {
    let faketime = std::env::var("LEASEHOLD_TEST_FAKETIME");
    let faketime = faketime.expect("LEASEHOLD_TEST_FAKETIME names libfaketime: run `cargo xtask test`");
    for (on_lost, code) in [("stop", 124), ("warn", 3)] {
        let mut site = Site::with_seats(1);
        let clock = site.machine.write("clock", "+0");
        // Ends by itself once the test has read what it said about the seat.
        let script = "echo ready; while [ ! -e done ]; do sleep 0.05; done; exit 3";
        let mut command = site.command(&["run", "--on-lost", on_lost, FEATURE, "--", "sh", "-c", script]);
        command.env("LD_PRELOAD", &faketime).env("FAKETIME_TIMESTAMP_FILE", &clock).env("FAKETIME_NO_CACHE", "1");
        command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("DONT_FAKE_MONOTONIC", "1");
        let stderr = site.machine.path("stderr");
        command.stderr(std::fs::File::create(&stderr).unwrap());
        let mut running = Staying::start(command);
        assert_eq!(running.line(), "ready");
        site.stop_server();
        // The machine wakes up seven minutes later.
        std::fs::write(&clock, "+450").unwrap();
        if on_lost == "warn" {
            wait_for_text(&stderr, "is lost");
            site.machine.write("done", "");
        }
        let finished = running.finish();
        assert_eq!(finished.code, code, "{finished:?}");
        wait_for_text(&stderr, &format!("The seat of {FEATURE} is lost"));
    }
}
