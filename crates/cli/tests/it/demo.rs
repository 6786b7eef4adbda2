//! `leasehold demo`, as a script uses it.

use crate::support::{Machine, Staying, mode};
use rustix::process::Signal;
use serde_json::Value;
use std::net::TcpListener;

fn start(machine: &Machine) -> (Staying, Value) {
    let ports = ["--portal-port", "0", "--server-port", "0"];
    let mut demo = Staying::start(machine.command(&[["demo", "--data", "d", "--json"].as_slice(), &ports].concat()));
    let told: Value = serde_json::from_str(&demo.line()).unwrap();
    assert!(told["error"].is_null(), "{told}");
    (demo, told)
}

fn in_use(machine: &Machine, told: &Value) -> u64 {
    let server = told["server"].as_str().unwrap().strip_prefix("http://").unwrap();
    let trust = told["trust"].as_str().unwrap();
    let status = machine.run(&["status", "--json", "--server", server, "--trust", trust]).ok().json();
    let features = status["servers"][0]["status"]["features"].as_array().unwrap().clone();
    features.iter().map(|feature| feature["in_use"].as_u64().unwrap()).sum()
}

#[test]
fn applications_hold_seats_and_a_second_start_goes_on_from_the_same_folder() {
    let machine = Machine::new();
    let (demo, first) = start(&machine);
    let (_keep, never) = std::sync::mpsc::channel::<()>();
    let seats_are_held = (0..200).any(|_| {
        let _ = never.recv_timeout(std::time::Duration::from_millis(100));
        in_use(&machine, &first) > 0
    });
    assert!(seats_are_held);
    assert_eq!(mode(&machine.path("d/sign-ins.json")), 0o600);
    demo.signal(Signal::INT);
    let finished = demo.finish().ok();
    assert_eq!(finished.out, "", "one line of JSON and nothing else: {finished:?}");

    let (demo, second) = start(&machine);
    assert_eq!(first["sign_ins"], second["sign_ins"]);
    let operator = &second["sign_ins"]["operator"];
    assert!(operator["email"].is_string() && operator["password"].as_str().unwrap().len() >= 20);
    demo.signal(Signal::TERM);
    demo.finish().ok();
}

#[test]
fn nothing_outlives_a_demo_that_was_killed() {
    let machine = Machine::new();
    let (demo, told) = start(&machine);
    let addresses = ["portal", "server"].map(|service| told[service].as_str().unwrap()["http://".len()..].to_owned());
    demo.signal(Signal::KILL);
    demo.finish();
    let (_keep, never) = std::sync::mpsc::channel::<()>();
    let gone = |address: &String| std::net::TcpStream::connect(address).is_err();
    let all_gone = (0..300).any(|_| {
        let _ = never.recv_timeout(std::time::Duration::from_millis(100));
        addresses.iter().all(gone)
    });
    assert!(all_gone, "a service still listens on {addresses:?}");
    // The folder is free again, with everything in it.
    let (demo, again) = start(&machine);
    assert_eq!(again["sign_ins"], told["sign_ins"]);
    demo.signal(Signal::TERM);
    demo.finish().ok();
}

#[test]
fn a_first_start_that_was_interrupted_begins_anew_and_a_foreign_folder_is_left_alone() {
    let machine = Machine::new();
    let demo = ["demo", "--data", "d", "--portal-port", "0", "--server-port", "0", "--json"];
    // In the midst of making the vendor, the portal or the sale.
    for after_ms in [60, 250, 700] {
        let interrupted = Staying::start(machine.command(&demo));
        let (_keep, never) = std::sync::mpsc::channel::<()>();
        let _ = never.recv_timeout(std::time::Duration::from_millis(after_ms));
        interrupted.signal(Signal::KILL);
        interrupted.finish();
    }
    let (running, _) = start(&machine);
    machine.run(&demo).failed(1, &["A demo runs on", "already"]);
    running.signal(Signal::INT);
    running.finish().ok();

    std::fs::remove_file(machine.path("d/sign-ins.json")).unwrap();
    machine.run(&demo).failed(1, &["has lost its sign-ins", "Remove the folder"]);
    assert!(machine.path("d/portal/portal.db").exists(), "nothing was removed");
}

#[test]
fn a_taken_port_is_named_with_the_way_out() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let machine = Machine::new();
    machine
        .run(&["demo", "--data", "d", "--portal-port", &port, "--server-port", "0"])
        .failed(1, &[&port, "--portal-port"]);
    machine
        .run(&["demo", "--data", "d", "--portal-port", "0", "--server-port", &port])
        .failed(1, &[&port, "--server-port"]);
    assert!(!machine.path("d").exists(), "nothing was made");
}
