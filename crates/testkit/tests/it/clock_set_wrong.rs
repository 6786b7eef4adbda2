//! The real binary on a machine whose wall clock is wrong (libfaketime; it moves the wall clock and leaves the clock
//! that counts elapsed time alone, as a wrong date does).

use crate::kill::activated_server;
use crate::service::{Service, leasehold, needed, run};
use leasehold_core::time::{Clock, DAY_MS};
use leasehold_host::SystemClock;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

/// The binary, believing that it is `offset` from now, or at a date.
fn at(folder: &Path, when: &str, arguments: &[&str]) -> Command {
    let mut command = leasehold(folder, arguments);
    command.env("LD_PRELOAD", needed("LEASEHOLD_TEST_FAKETIME")).env("FAKETIME", when);
    // Elapsed time is the kernel's own.
    command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    command
}

fn start_at(folder: &Path, when: &str) -> Service {
    let file = folder.join("s.address");
    let _ = std::fs::remove_file(&file);
    let arguments =
        ["server", "serve", "--data", "s", "--listen", "127.0.0.1:0", "--address-file", file.to_str().unwrap()];
    let mut command = at(folder, when, &arguments);
    Service::ready(command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()), &file)
}

fn post(address: &str, path: &str, header: (&str, &str), body: &Value) -> (u16, Value) {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let request = agent.post(format!("http://{address}{path}")).header(header.0, header.1);
    let mut answer = request.header("content-type", "application/json").send(body.to_string()).unwrap();
    let text = answer.body_mut().read_to_string().unwrap();
    (answer.status().as_u16(), serde_json::from_str(&text).unwrap())
}

fn ask(user: &str) -> Value {
    json!({ "feature": "studio.gui", "user": user, "host": "h", "nonce": "n" })
}

#[test]
fn a_clock_set_back_a_day_stops_new_leases_and_not_running_work_and_is_said() {
    let folder = activated_server(5);
    let service = Service::start(folder.path(), "server", "s", "127.0.0.1:0");
    let (status, lease) = post(&service.address, "/v1/leases", ("idempotency-key", "k1"), &ask("ann"));
    assert_eq!(status, 201, "{lease}");
    service.kill();

    let service = start_at(folder.path(), "-1d");
    let (status, denied) = post(&service.address, "/v1/leases", ("idempotency-key", "k2"), &ask("bob"));
    assert_eq!((status, denied["code"].as_str()), (409, Some("CLOCK_SUSPECT")), "{denied}");
    let beat = json!({ "n": 1, "nonce": "m" });
    let path = format!("/v1/leases/{}/heartbeat", lease["lease"].as_str().unwrap());
    let bearer = format!("Bearer {}", lease["secret"].as_str().unwrap());
    let (status, kept) = post(&service.address, &path, ("authorization", &bearer), &beat);
    assert_eq!((status, &kept["lease"]), (200, &lease["lease"]), "{kept}");
    // Its time goes on from what it has seen, and does not follow the clock.
    let server_time: String = kept["server_time"].as_str().unwrap().into();
    let told = leasehold_core::time::Ms::parse_rfc3339(&server_time).unwrap();
    assert!(SystemClock::new().wall().since(told) < DAY_MS / 2, "{server_time}");
    let status: Value =
        serde_json::from_str(&run(folder.path(), &["server", "status", "--data", "s", "--json"])).unwrap();
    assert_eq!(status["clock"]["at_start"], "behind", "{status}");
    service.kill();

    // A machine that is right again serves again.
    let service = Service::start(folder.path(), "server", "s", "127.0.0.1:0");
    let (status, taken) = post(&service.address, "/v1/leases", ("idempotency-key", "k3"), &ask("cid"));
    assert_eq!(status, 201, "{taken}");
}

/// Two minutes of skew, a clock that was a day behind until it was set right, and whatever zone the machine is in.
#[test]
fn no_false_alarm() {
    let folder = activated_server(5);
    let free_of_alarm = |service: Service, key: &str| {
        let (status, lease) = post(&service.address, "/v1/leases", ("idempotency-key", key), &ask(key));
        assert_eq!(status, 201, "{lease}");
        let told = run(folder.path(), &["server", "status", "--data", "s", "--json"]);
        let told: Value = serde_json::from_str(&told).unwrap();
        assert!(told["clock"]["no_new_leases_until"].is_null(), "{told}");
        service.kill();
    };
    free_of_alarm(Service::start(folder.path(), "server", "s", "127.0.0.1:0"), "k1");
    free_of_alarm(start_at(folder.path(), "+2m"), "k2");
    for (zone, key) in [("Pacific/Kiritimati", "k3"), ("Pacific/Pago_Pago", "k4")] {
        let file = folder.path().join("s.address");
        let _ = std::fs::remove_file(&file);
        let arguments =
            ["server", "serve", "--data", "s", "--listen", "127.0.0.1:0", "--address-file", file.to_str().unwrap()];
        let mut command = at(folder.path(), "+2m", &arguments);
        command.env("TZ", zone).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        free_of_alarm(Service::ready(&mut command, &file), key);
    }
    free_of_alarm(start_at(folder.path(), "+1d"), "k5");
}

#[test]
fn a_first_start_in_1970_is_refused_with_its_cause() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["server", "serve", "--data", "s", "--listen", "127.0.0.1:0"];
    let refused = at(folder.path(), "@1970-01-02 00:00:00", &arguments).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("clock shows 1970-01-0") && said.contains("Set the clock right"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}
