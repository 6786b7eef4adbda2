//! A laptop with the real binary: processes that are killed, and clocks that are wrong (libfaketime moves the wall clock
//! and leaves the one that counts elapsed time alone).

use crate::kill::activated_server;
use crate::service::{Service, leasehold, needed, wait_for};
use serde_json::Value;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

const NO_SEAT: i32 = 120;
const NO_SERVER: i32 = 121;

/// A laptop and the license server of its studio.
struct Laptop {
    folder: TempDir,
    service: Option<Service>,
}

impl Laptop {
    /// Has borrowed seats for three days.
    fn with_pass(seats: u32, at_server: u32) -> Laptop {
        let folder = activated_server(at_server);
        let service = Service::start(folder.path(), "server", "s", "127.0.0.1:0");
        let laptop = Laptop { folder, service: Some(service) };
        let borrowed = laptop.run(None, &["borrow", "studio.gui", "--days", "3", "--seats", &seats.to_string()]);
        assert!(borrowed.status.success(), "{}", said(&borrowed));
        laptop
    }

    /// Where no license server is.
    fn leave(&mut self) {
        self.service = None;
    }

    fn command(&self, clock: Option<&str>, arguments: &[&str]) -> Command {
        let at: &Path = self.folder.path();
        let mut command = leasehold(at, arguments);
        let server = self.service.as_ref().map_or("127.0.0.1:1", |service| &service.address);
        command.env("LEASEHOLD_SERVERS", server).env("LEASEHOLD_TRUST", at.join("root.pem"));
        command.env("LEASEHOLD_PASSES", at.join("passes")).env("LEASEHOLD_CONFIG", at.join("none.toml"));
        if let Some(clock) = clock {
            command.env("LD_PRELOAD", needed("LEASEHOLD_TEST_FAKETIME")).env("FAKETIME", clock);
            command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        }
        command
    }

    fn run(&self, clock: Option<&str>, arguments: &[&str]) -> Output {
        self.command(clock, arguments).output().unwrap()
    }

    /// An application that starts, and ends at once.
    fn work(&self, clock: Option<&str>) -> Output {
        self.run(clock, &["run", "studio.gui", "--", "true"])
    }

    /// One that goes on until it is killed. What it runs ends when nobody is there to write to it.
    fn work_on(&self) -> Child {
        let mut command = self.command(None, &["run", "studio.gui", "--", "cat"]);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    fn in_use(&self) -> u64 {
        let listed = self.run(None, &["passes", "--json"]);
        let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
        listed["passes"][0]["in_use"].as_u64().unwrap_or_else(|| panic!("{listed}"))
    }
}

#[test]
fn on_the_train_doctor_says_what_can_be_used() {
    let mut laptop = Laptop::with_pass(2, 3);
    laptop.leave();
    let told = laptop.run(None, &["doctor"]);
    let text = String::from_utf8_lossy(&told.stdout);
    assert_eq!(told.status.code(), Some(NO_SERVER), "{text}");
    assert!(text.contains("can use what it has borrowed (studio.gui)") && !text.contains("get no seat."), "{text}");
    // Back by five days: the pass cannot be used, and doctor says so.
    assert!(laptop.work(None).status.success());
    let told = laptop.run(Some("-5d"), &["doctor"]);
    let text = String::from_utf8_lossy(&told.stdout);
    assert!(text.contains("get no seat.") && text.contains("clock"), "{text}");
}

#[test]
fn borrowing_again_without_a_number_extends_what_there_is() {
    let laptop = Laptop::with_pass(2, 3);
    let again = laptop.run(None, &["borrow", "studio.gui", "--days", "5", "--json"]);
    assert!(again.status.success(), "{}", said(&again));
    let listed = laptop.run(None, &["passes", "--json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!((listed["passes"].as_array().unwrap().len(), &listed["passes"][0]["seats"]), (1, &Value::from(2)));
    let more = laptop.run(None, &["borrow", "studio.gui", "--days", "5", "--seats", "1"]);
    assert!(more.status.success(), "another number is another pass: {}", said(&more));
    let out = laptop.run(None, &["borrow", "studio.gui", "--days", "6"]);
    assert!(out.status.success(), "both are extended although no seat is free: {}", said(&out));
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_killed_process_frees_its_seat_of_the_pass_and_there_is_never_one_more() {
    let laptop = Laptop::with_pass(2, 2);
    let mut running = [laptop.work_on(), laptop.work_on()];
    wait_for("both at work", || (laptop.in_use() == 2).then_some(()));
    let third = laptop.work(None);
    assert_eq!(third.status.code(), Some(NO_SEAT), "{}", said(&third));
    assert!(said(&third).contains("2 of the 2 seats of the pass"), "{}", said(&third));
    running[0].kill().unwrap();
    for _ in 0..3 {
        let next = laptop.work(None);
        assert_eq!(next.status.code(), Some(NO_SEAT), "its program goes on: {}", said(&next));
    }
    // Nobody writes to its program any more, and it ends.
    running[0].wait().unwrap();
    wait_for("the seat of a killed one", || (laptop.in_use() == 1).then_some(()));
    let next = laptop.work(None);
    assert!(next.status.success(), "{}", said(&next));
    running[1].kill().unwrap();
    running[1].wait().unwrap();
    wait_for("both seats", || (laptop.in_use() == 0).then_some(()));
}

#[test]
fn what_a_program_leaves_behind_keeps_no_seat() {
    let laptop = Laptop::with_pass(1, 1);
    let ran = laptop.command(None, &["run", "studio.gui", "--", "sh", "-c", "sleep 30 >/dev/null 2>&1 & echo $!"]);
    let ran = { ran }.stderr(Stdio::null()).output().unwrap();
    assert!(ran.status.success());
    assert_eq!(laptop.in_use(), 0, "though what it left has the file open");
    let next = laptop.work(None);
    assert!(next.status.success(), "{}", said(&next));
    let left = String::from_utf8_lossy(&ran.stdout).trim().to_owned();
    assert!(Command::new("kill").arg(left).status().unwrap().success(), "it was still there");
}

#[test]
fn on_the_train_other_zones_and_small_steps_of_the_clock_are_nothing() {
    let mut laptop = Laptop::with_pass(1, 1);
    laptop.leave();
    for clock in [None, Some("-2m"), Some("+2m"), Some("-20h"), Some("+20h")] {
        let worked = laptop.work(clock);
        assert!(worked.status.success(), "{clock:?}: {}", said(&worked));
    }
    for zone in ["Pacific/Kiritimati", "Pacific/Pago_Pago"] {
        let worked = laptop.command(None, &["run", "studio.gui", "--", "true"]).env("TZ", zone).output().unwrap();
        assert!(worked.status.success(), "{zone}: {}", said(&worked));
    }
}

#[test]
fn a_clock_set_back_further_than_a_day_is_refused_until_it_is_right_and_lengthens_nothing() {
    let mut laptop = Laptop::with_pass(1, 1);
    laptop.leave();
    let refused = laptop.work(Some("-2d"));
    assert_eq!(refused.status.code(), Some(NO_SERVER), "{}", said(&refused));
    assert!(said(&refused).contains("CLOCK_SUSPECT") && said(&refused).contains("set it right"), "{}", said(&refused));
    assert!(laptop.work(None).status.success(), "right again");
    // Its last day begins; from there, set back again and again.
    assert!(laptop.work(Some("+71h")).status.success());
    assert!(laptop.work(Some("+48h")).status.success(), "within a day");
    let refused = laptop.work(Some("+24h"));
    assert!(said(&refused).contains("CLOCK_SUSPECT"), "{}", said(&refused));
    let ended = laptop.work(Some("+73h"));
    assert!(said(&ended).contains("ended at") && said(&ended).contains("borrow again"), "{}", said(&ended));
    // A clock that was wrong for a moment takes nothing away.
    assert!(laptop.work(Some("+70h")).status.success());
}
