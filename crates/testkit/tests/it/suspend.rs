//! Machines that sleep, with the real binary: its processes are stopped for longer than any lease lasts, while time goes on
//! by every clock that counts suspend.

use crate::kill::activated_server;
use crate::service::{Service, leasehold, pause, run, wait_for};
use serde_json::Value;
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A lease lasts 420 s, and 5 s more at the server.
const ASLEEP_MS: u64 = 427_000;
const NO_SEAT: i32 = 120;
const SEAT_LOST: i32 = 124;

/// An application that holds a seat until nobody writes to it any more.
fn work(folder: &Path, service: &Service) -> Child {
    let mut command = command(folder, service, &["run", "studio.gui", "--on-lost", "stop", "--", "cat"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for("the seat", || {
        assert!(child.try_wait().unwrap().is_none(), "it has no seat");
        in_use(folder, service).filter(|seats| *seats == 1)
    });
    child
}

fn command(folder: &Path, service: &Service, arguments: &[&str]) -> Command {
    let mut command = leasehold(folder, arguments);
    command.env("LEASEHOLD_SERVERS", &service.address).env("LEASEHOLD_TRUST", folder.join("root.pem"));
    command.env("LEASEHOLD_PASSES", folder.join("passes")).env("LEASEHOLD_CONFIG", folder.join("none.toml"));
    command
}

/// Whether somebody else gets a seat, for a moment.
fn other_gets_a_seat(folder: &Path, service: &Service) -> bool {
    let tried = command(folder, service, &["run", "studio.gui", "--", "true"]).output().unwrap();
    assert!(matches!(tried.status.code(), Some(0 | NO_SEAT)), "{}", String::from_utf8_lossy(&tried.stderr));
    tried.status.success()
}

fn status(folder: &Path) -> Value {
    serde_json::from_str(&run(folder, &["server", "status", "--data", "s", "--json"])).unwrap()
}

fn in_use(folder: &Path, _: &Service) -> Option<u64> {
    status(folder)["features"][0]["in_use"].as_u64()
}

fn signal(name: &str, pid: u32) {
    assert!(Command::new("kill").args([name, &pid.to_string()]).status().unwrap().success());
}

#[test]
fn a_laptop_that_wakes_has_lost_its_seat_and_a_server_that_wakes_frees_what_is_over_and_raises_no_alarm() {
    let (studio, sleeping) = (activated_server(1), activated_server(1));
    let of_studio = Service::start(studio.path(), "server", "s", "127.0.0.1:0");
    let of_sleeping = Service::start(sleeping.path(), "server", "s", "127.0.0.1:0");
    // A laptop falls asleep with the only seat of a studio, and a server with all who work there, whose machines go off.
    let mut laptop = work(studio.path(), &of_studio);
    let mut left = work(sleeping.path(), &of_sleeping);
    signal("-STOP", laptop.id());
    signal("-STOP", of_sleeping.pid());
    left.kill().unwrap();
    left.wait().unwrap();
    assert!(!other_gets_a_seat(studio.path(), &of_studio), "it is the laptop's");

    pause(ASLEEP_MS);
    signal("-CONT", of_sleeping.pid());
    let begun = status(sleeping.path());
    assert!(begun["clock"]["no_new_leases_until"].is_null(), "a false alarm: {}", begun["clock"]);
    assert!(other_gets_a_seat(sleeping.path(), &of_sleeping), "what ran out while it slept is free at once");

    assert!(other_gets_a_seat(studio.path(), &of_studio), "the laptop's seat came free");
    signal("-CONT", laptop.id());
    let ended = laptop.wait().unwrap();
    let mut said = String::new();
    laptop.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(ended.code(), Some(SEAT_LOST), "{said}");
    of_studio.kill();
    of_sleeping.kill();
}
