//! `kill -9` under load, of the license server and of the portal: whatever was acknowledged is there afterwards, nothing
//! is there twice, and never more than there are seats. Each start comes up by itself.

use crate::caller::{Caller, Outcome, one_seat, portal_with_license};
use crate::service::{Service, run};
use leasehold_core::random::Seeded;
use leasehold_core::time::Clock;
use leasehold_host::SystemClock;
use leasehold_trust::Vendor;
use leasehold_trust::request::read_request;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// Threads that put load on a service.
const THREADS: usize = 4;

fn kills() -> usize {
    if std::env::var_os("LEASEHOLD_TEST_LONG").is_some() { 50 } else { 5 }
}

/// Lets load run for a moment, and kills the service in the midst of it.
fn kill_in_the_midst(service: Service, over: &AtomicBool, after_ms: u64) -> String {
    let (_keep, never) = channel::<()>();
    let _ = never.recv_timeout(Duration::from_millis(after_ms));
    let address = service.kill();
    over.store(true, Ordering::SeqCst);
    address
}

/// What one thread knows of the seats it took.
#[derive(Default)]
struct Seats {
    taken: u64,
    /// Key, lease and secret.
    held: Vec<(String, String, String)>,
    /// Keys of seats that were given back.
    given_back: Vec<String>,
    /// A checkout whose outcome is not known.
    doubt: Option<String>,
    /// A seat that was given back, or not.
    leaving: Option<(String, String, String)>,
}

fn ask(key: &str) -> Value {
    json!({ "feature": "studio.gui", "user": key, "host": "farm", "nonce": "n" })
}

impl Seats {
    fn checkout(&mut self, caller: &Caller, key: String) {
        match caller.send("POST", "/v1/leases", Some(&key), Some(&ask(&key))) {
            Outcome::Answered(200 | 201, lease) => {
                let text = |field: &str| lease[field].as_str().unwrap().to_owned();
                self.held.push((key, text("lease"), text("secret")));
            }
            Outcome::Answered(409, denial) => assert_eq!(denial["code"], "NO_SEATS", "{denial}"),
            Outcome::Answered(status, other) => panic!("a checkout was answered {status}: {other}"),
            Outcome::Unknown => self.doubt = Some(key),
        }
    }

    fn checkin(&mut self, address: &str, seat: (String, String, String)) {
        let caller = Caller::new(address, Some(&seat.2));
        match caller.send("DELETE", &format!("/v1/leases/{}", seat.1), None, None) {
            Outcome::Answered(204 | 404, _) => self.given_back.push(seat.0),
            Outcome::Answered(status, other) => panic!("a checkin was answered {status}: {other}"),
            Outcome::Unknown => self.leaving = Some(seat),
        }
    }

    /// Takes and gives back until the service is gone.
    fn load(&mut self, thread: usize, address: &str, over: &AtomicBool) {
        let caller = Caller::new(address, None);
        while !over.load(Ordering::SeqCst) && self.doubt.is_none() && self.leaving.is_none() {
            self.taken += 1;
            self.checkout(&caller, format!("thread-{thread}-{}", self.taken));
            if self.taken.is_multiple_of(3)
                && let Some(seat) = (!self.held.is_empty()).then(|| self.held.remove(0))
            {
                self.checkin(address, seat);
            }
        }
    }

    /// After the restart: asks again, with the same key, for what it does not know.
    fn settle(&mut self, address: &str) {
        if let Some(key) = self.doubt.take() {
            self.checkout(&Caller::new(address, None), key);
        }
        if let Some(seat) = self.leaving.take() {
            self.checkin(address, seat);
        }
        assert!(self.doubt.is_none() && self.leaving.is_none(), "the service does not answer after its restart");
    }

    /// Everything that was acknowledged is still so.
    fn check(&self, address: &str) {
        for (key, lease, secret) in &self.held {
            let answer = Caller::new(address, None).send("POST", "/v1/leases", Some(key), Some(&ask(key)));
            let Outcome::Answered(200, again) = answer else { panic!("{lease} was acknowledged: {answer:?}") };
            assert_eq!((again["lease"].as_str(), again["secret"].as_str()), (Some(&**lease), Some(&**secret)));
            assert_eq!(again["resumed"], true);
        }
        for key in &self.given_back {
            let answer = Caller::new(address, None).send("POST", "/v1/leases", Some(key), Some(&ask(key)));
            assert!(matches!(answer, Outcome::Answered(410, _)), "{key} was given back: {answer:?}");
        }
    }
}

/// The data folder of a license server that was killed and holds `seats` seats of `studio.gui`.
pub(crate) fn activated_server(seats: u32) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let now = SystemClock::new().wall();
    let vendor = Vendor::create("Acme", now).unwrap();
    std::fs::write(folder.path().join("root.pem"), &vendor.root_certificate_pem).unwrap();
    let portal = vendor.signer(now);
    let service = Service::start(folder.path(), "server", "s", "127.0.0.1:0");
    let request = run(folder.path(), &["server", "request", "--data", "s"]);
    let request = read_request(request.as_bytes(), now).unwrap();
    let file = crate::client_site::activation_file(&portal.unwrap(), &request, seats, now);
    std::fs::write(folder.path().join("server.crt"), file).unwrap();
    run(folder.path(), &["server", "import", "server.crt", "--data", "s"]);
    service.kill();
    folder
}

#[test]
fn a_killed_license_server_keeps_every_acknowledged_lease_and_makes_none_twice() {
    const SEATS: u32 = 25;
    let folder = activated_server(SEATS);
    let mut service = Service::start(folder.path(), "server", "s", "127.0.0.1:0");
    let mut all: Vec<Seats> = (0..THREADS).map(|_| Seats::default()).collect();
    for round in 0..kills() {
        let over = AtomicBool::new(false);
        let address = service.address.clone();
        thread::scope(|scope| {
            for (thread, seats) in all.iter_mut().enumerate() {
                let (address, over) = (&address, &over);
                scope.spawn(move || seats.load(thread, address, over));
            }
            kill_in_the_midst(service, &over, 150 + 60 * (round as u64 % 5));
        });
        service = Service::start(folder.path(), "server", "s", &address);
        all.iter_mut().for_each(|seats| seats.settle(&address));
        all.iter().for_each(|seats| seats.check(&address));
        let held: usize = all.iter().map(|seats| seats.held.len()).sum();
        let status = Caller::new(&address, None).expect(200, "GET", "/v1/status", None);
        assert_eq!(status["features"][0]["in_use"], held, "as many as are held, and none twice: {status}");
        assert!(held <= SEATS as usize, "{held} of {SEATS} seats");
        // Keys of ended leases are remembered for two minutes; what is older is no longer asked for.
        all.iter_mut().for_each(|seats| seats.given_back.clear());
    }
    let (taken, held): (u64, usize) =
        all.iter().fold((0, 0), |sum, seats| (sum.0 + seats.taken, sum.1 + seats.held.len()));
    assert!(taken > 100 && held > 0, "{taken} checkouts and {held} seats are no load");
}

/// What one thread knows of the workstations it activated: each has one seat.
#[derive(Default)]
struct Workstations {
    made: u64,
    /// Key, body and the acknowledged answer.
    granted: Vec<(String, Value, Value)>,
    full: bool,
    doubt: Option<(String, Value)>,
}

impl Workstations {
    fn activate(&mut self, caller: &Caller, key: String, body: Value) {
        match caller.send("POST", "/api/v1/workstations", Some(&key), Some(&body)) {
            Outcome::Answered(201, granted) => self.granted.push((key, body, granted)),
            Outcome::Answered(409, problem) => {
                assert_eq!(problem["code"], "NO_SEATS", "{problem}");
                self.full = true;
            }
            Outcome::Answered(status, other) => panic!("an activation was answered {status}: {other}"),
            Outcome::Unknown => self.doubt = Some((key, body)),
        }
    }

    fn load(&mut self, thread: usize, (address, token, license): (&str, &str, &Value), over: &AtomicBool) {
        let caller = Caller::new(address, Some(token));
        while !over.load(Ordering::SeqCst) && self.doubt.is_none() && !self.full {
            self.made += 1;
            let mut random = Seeded::new(self.made << 8 | thread as u64);
            let body = one_seat(license, format!("host-{thread}-{}", self.made), &mut random);
            self.activate(&caller, format!("thread-{thread}-{}", self.made), body);
        }
    }
}

#[test]
fn a_killed_portal_keeps_every_acknowledged_grant_and_counts_it_once() {
    // More than a run takes, so that there is load to the end.
    const SEATS: u32 = 100_000;
    let folder = tempfile::tempdir().unwrap();
    let (mut service, token, license) = portal_with_license(folder.path(), SEATS);
    let address = service.address.clone();
    let path = format!("/api/v1/licenses/{license}");
    let license = Caller::new(&address, Some(&token)).expect(200, "GET", &path, None);
    let mut all: Vec<Workstations> = (0..THREADS).map(|_| Workstations::default()).collect();
    for round in 0..kills() {
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            for (thread, mine) in all.iter_mut().enumerate() {
                let (what, over) = ((&*address, &*token, &license), &over);
                scope.spawn(move || mine.load(thread, what, over));
            }
            kill_in_the_midst(service, &over, 150 + 60 * (round as u64 % 5));
        });
        service = Service::start(folder.path(), "portal", "p", &address);
        let caller = Caller::new(&address, Some(&token));
        for mine in &mut all {
            if let Some((key, body)) = mine.doubt.take() {
                mine.activate(&caller, key, body);
            }
            assert!(mine.doubt.is_none(), "the portal does not answer after its restart");
        }
        let granted = all.iter().flat_map(|mine| &mine.granted);
        let mut ids = BTreeSet::new();
        for (_, _, granted) in granted.clone() {
            let id = granted["workstation"]["id"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "{id} was given twice");
        }
        // Each of the newest is still what was answered, and the same key finds the same answer.
        for (key, body, answer) in granted.rev().take(20) {
            let path = format!("/api/v1/workstations/{}", answer["workstation"]["id"].as_str().unwrap());
            assert_eq!(caller.expect(200, "GET", &path, None)["newest_rev"], answer["rev"]);
            let again = caller.send("POST", "/api/v1/workstations", Some(key), Some(body));
            assert!(matches!(&again, Outcome::Answered(201, same) if same == answer), "{again:?}");
        }
        let now = caller.expect(200, "GET", &path, None);
        assert_eq!(now["seats_out"], ids.len(), "what is granted is counted, and nothing else");
        assert!(ids.len() <= SEATS as usize);
    }
    let granted: usize = all.iter().map(|mine| mine.granted.len()).sum();
    assert!(granted > 20, "{granted} activations are no load");
}
