//! Faults of online licensing with real processes on real data folders: copies, restored servers and portals, a portal
//! that is away, and `kill -9` in the midst of it. Whatever happens, no seat is used twice and none is lost.

use crate::caller::{Caller, Outcome};
use crate::ledger::Ledger;
use crate::online::{Site, Vendor, one_seat};
use crate::service::{Service, leasehold, pause, run, wait_for};
use leasehold_core::random::{Random as _, Seeded};
use leasehold_core::time::{Clock as _, SECOND_MS};
use leasehold_host::SystemClock;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Nobody waits longer for a seat than this, whatever the portal does, in milliseconds.
const PATIENCE_MS: i64 = 5 * SECOND_MS;

fn rounds() -> u64 {
    if std::env::var_os("LEASEHOLD_TEST_LONG").is_some() { 50 } else { 5 }
}

/// An answer that came, and came in time.
fn in_time<T>(what: &str, ask: impl FnOnce() -> T) -> T {
    let clock = SystemClock::new();
    let before_ms = clock.boottime_ms();
    let answer = ask();
    let took_ms = clock.boottime_ms() - before_ms;
    assert!(took_ms < PATIENCE_MS, "{what} took {took_ms} ms");
    answer
}

/// A vendor with one customer who has one license.
struct Sold<'a> {
    vendor: Vendor<'a>,
    license: String,
}

impl<'a> Sold<'a> {
    fn open(folder: &'a Path, seats: u32) -> Sold<'a> {
        let vendor = Vendor::open(folder);
        let (owner, _) = vendor.account("owner");
        let license = vendor.sell(&owner, seats);
        Sold { vendor, license }
    }

    fn enabled(&self, data: &str) -> Site {
        let site = self.vendor.server(data);
        self.vendor.enable(&site, "owner", "organization");
        site
    }

    fn license(&self) -> Value {
        self.vendor.operator.expect(200, "GET", &format!("/api/v1/licenses/{}", self.license), None)
    }

    fn seats_out(&self) -> u64 {
        self.license()["seats_out"].as_u64().unwrap()
    }

    fn workstations(&self) -> Vec<Value> {
        let page = self.vendor.operator.expect(200, "GET", "/api/v1/workstations", None);
        page["items"].as_array().unwrap().clone()
    }

    /// How often the audit log of the portal has an action.
    fn audited(&self, action: &str) -> usize {
        let page = self.vendor.operator.expect(200, "GET", "/api/v1/audit?limit=200", None);
        page["items"].as_array().unwrap().iter().filter(|row| row["action"] == action).count()
    }
}

/// The state of a server with its portal.
fn state(site: &Site) -> Value {
    site.status()["online"]["state"].clone()
}

fn refresh(folder: &Path, site: &Site) {
    // Whether it was taken shows in the status.
    let _ = leasehold(folder, &["server", "refresh", "--data", &site.data]).output().unwrap();
}

/// `server status`, as the administrator sees it.
fn told(folder: &Path, site: &Site) -> Value {
    serde_json::from_str(&run(folder, &["server", "status", "--data", &site.data, "--json"])).unwrap()
}

fn back_up(folder: &Path, kind: &str, data: &str, to: &str) {
    run(folder, &[kind, "backup", "--data", data, "--to", to]);
}

/// A server that is killed and started again on its folder, at the same address.
fn restarted(folder: &Path, site: Site) -> Site {
    let address = site.service.kill();
    Site::start_at(folder, &site.data, &address)
}

fn assert_forked(site: &Site, key: &str) {
    let (status, refused) = site.checkout(key);
    assert_eq!((status, &refused["code"]), (409, &json!("FORKED")), "{refused}");
}

#[test]
fn of_a_server_and_its_copy_the_first_to_sync_goes_on_and_the_other_only_lets_its_applications_work() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let sold = Sold::open(folder, 4);
    let original = sold.enabled("s");
    let lease = original.take("a");
    refresh(folder, &original);
    back_up(folder, "server", "s", "c");
    let copy = Site::start(folder, "c");
    wait_for("the copy's first sync", || (state(&copy) == "ok").then_some(()));
    assert_eq!(copy.checkout("b").0, 201, "it synced first");
    refresh(folder, &original);
    assert_forked(&original, "c");
    assert_eq!(original.beat(&lease, 1).0, 200, "running work goes on");

    // Everybody is told, the administrators also where the other one runs.
    assert_eq!((state(&original), state(&copy)), (json!("copy"), json!("ok")));
    assert_eq!(original.status()["online"]["copy_on"], Value::Null);
    let host = leasehold_host::host_name();
    assert_eq!(told(folder, &original)["online"]["copy_on"], json!(host));
    let home = original.caller.page("/");
    assert!(home.contains("Another license server runs with this server's key"), "{home}");
    assert_eq!(sold.workstations()[0]["copy_on"], json!(host));
    assert_eq!(sold.audited("workstation.fork"), 1);

    // A restart heals nothing, and disabling it ends its copy of the key only.
    let original = restarted(folder, original);
    assert_forked(&original, "d");
    assert_eq!(original.beat(&lease, 2).0, 200);
    run(folder, &["server", "disable", "--data", "s", "--yes"]);
    original.give_back(&lease);
    wait_for("the end of the key", || (original.status()["state"] == "not_activated").then_some(()));
    let receipt = leasehold(folder, &["server", "receipt", "--data", "s"]).output().unwrap();
    assert!(!receipt.status.success(), "a receipt of it would free the seats of the one that goes on");
    refresh(folder, &copy);
    assert_eq!((state(&copy), copy.held(), sold.seats_out()), (json!("ok"), 4, 4));
    assert_eq!(sold.workstations()[0]["status"], "active");

    // Enabled again, it is a server of its own.
    sold.vendor.enable(&original, "owner", "organization");
    assert_eq!(sold.workstations().len(), 2);
    original.take_soon("e");
    assert_eq!(sold.seats_out(), 4);
}

#[test]
fn a_server_restored_from_an_old_backup_finds_out_before_it_gives_a_seat() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let sold = Sold::open(folder, 3);
    let first = sold.enabled("s");
    let second = sold.enabled("t");
    let known = first.take("known");
    refresh(folder, &first);
    back_up(folder, "server", "s", "b");
    // After the backup two seats move, and a lease is taken that the backup does not know.
    let moved = second.take("m");
    let forgotten = first.take_soon("forgotten");
    first.service.kill();
    run(folder, &["server", "restore", "--from", "b", "--data", "r"]);
    let restored = Site::start(folder, "r");
    // It gives nothing new before the portal has answered, and finds out by that answer.
    assert_eq!(restored.checkout("before").0, 409);
    wait_for("the portal's answer", || (state(&restored) == "copy").then_some(()));
    assert_forked(&restored, "x");
    assert_eq!(restored.beat(&known, 1).0, 200, "what it knows goes on");
    let (status, gone) = restored.resume("forgotten-1", &forgotten, 1);
    assert_eq!((status, &gone["code"]), (410, &json!("LEASE_GONE")), "{gone}");
    assert_eq!(second.beat(&moved, 1).0, 200);
    assert_eq!(state(&restored), "copy");
    assert!(sold.seats_out() <= 3);
    // The way out that the manual names.
    run(folder, &["server", "disable", "--data", "r", "--yes"]);
    restored.give_back(&known);
    wait_for("the end of the key", || (restored.status()["state"] == "not_activated").then_some(()));
    sold.vendor.enable(&restored, "owner", "organization");
    assert_eq!(sold.workstations().len(), 3);
}

#[test]
fn a_server_restored_from_a_current_backup_goes_on_and_takes_up_leases_that_it_forgot() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let sold = Sold::open(folder, 3);
    let site = sold.enabled("s");
    refresh(folder, &site);
    back_up(folder, "server", "s", "b");
    let forgotten = site.take("f");
    site.service.kill();
    run(folder, &["server", "restore", "--from", "b", "--data", "r"]);
    let restored = Site::start(folder, "r");
    let (status, gone) = restored.beat(&forgotten, 1);
    assert_eq!((status, &gone["code"]), (410, &json!("LEASE_GONE")), "{gone}");
    // Nobody gets the seat of an application that the backup does not know.
    for n in 0..3 {
        let (status, denied) = in_time("a refusal", || restored.checkout(&format!("new-{n}")));
        assert_eq!((status, &denied["code"]), (409, &json!("RESTORED")), "{denied}");
    }
    assert!(restored.status()["restored"]["new_leases_from"].is_string());
    assert!(restored.caller.page("/").contains("Restored from a backup"));
    // Its application shows the signed lease until it is taken up.
    let mut n = 1;
    let resumed = wait_for("the lease to be taken up", || {
        n += 1;
        let (status, lease) = restored.resume("f", &forgotten, n);
        (status == 200).then_some(lease)
    });
    assert_eq!(resumed["lease"], forgotten["lease"]);
    assert_eq!(restored.beat(&forgotten, n + 1).0, 200);
    assert_eq!((state(&restored), restored.status()["leases_out"].clone()), (json!("ok"), json!(1)));
    assert_eq!(sold.audited("workstation.fork"), 0);
}

/// Seats of the license in the tests of lost portals.
const BOUGHT: usize = 6;

/// A portal that was lost and restored from a backup. Since then a seat had moved between two servers, a third one was
/// enabled, and all three gave seats.
struct Lost<'a> {
    sold: Sold<'a>,
    sites: [Site; 3],
    /// Seats in use, and where.
    taken: Vec<(usize, Value)>,
    beats: u64,
    /// What `portal restore` said.
    said: Value,
}

impl<'a> Lost<'a> {
    /// `log`: the lost portal's log of documents survived.
    fn open(folder: &'a Path, log: bool) -> Lost<'a> {
        let mut sold = Sold::open(folder, u32::try_from(BOUGHT).unwrap());
        let sites = [sold.enabled("s"), sold.enabled("t")];
        let mut taken = vec![(0, sites[0].take("a")), (0, sites[0].take("b"))];
        refresh(folder, &sites[0]);
        back_up(folder, "portal", "p", "saved");
        let [first, second] = sites;
        let third = sold.enabled("u");
        taken.push((1, second.take_soon("c")));
        taken.push((1, second.take_soon("d")));
        taken.push((2, third.take_soon("e")));
        wait_for("the last seat to be held somewhere", || (sold.seats_out() == BOUGHT as u64).then_some(()));

        sold.vendor.portal.end();
        let mut restore = vec!["portal", "restore", "--from", "saved", "--data", "q", "--json"];
        if log {
            restore.extend(["--grants-log", "p/grants.log"]);
        }
        let said = serde_json::from_str(&run(folder, &restore)).unwrap();
        sold.vendor.portal = Service::start(folder, "portal", "q", &sold.vendor.portal.address);
        let mut lost = Lost { sold, sites: [first, second, third], taken, beats: 0, said };
        lost.all_work();
        lost
    }

    /// Nobody who works has noticed anything.
    fn all_work(&mut self) {
        self.beats += 1;
        for (at, lease) in &self.taken {
            let (status, told) = self.sites[*at].beat(lease, self.beats);
            assert_eq!(status, 200, "{told}");
        }
    }

    /// Takes whatever a server gives, which is refused within moments in the end.
    fn take_all(&mut self, at: usize, name: &str) {
        for n in 0.. {
            let (status, told) = in_time("a checkout", || self.sites[at].checkout(&format!("{name}-{at}-{n}")));
            if status == 409 {
                assert_eq!(told["code"], "NO_SEATS", "{told}");
                return;
            }
            assert_eq!(status, 201, "{told}");
            self.taken.push((at, told));
            assert!(self.taken.len() <= BOUGHT, "{} seats of {BOUGHT} are in use", self.taken.len());
        }
    }

    fn give_back(&mut self, at: usize) -> usize {
        let (back, kept): (Vec<_>, Vec<_>) = self.taken.drain(..).partition(|(here, _)| *here == at);
        self.taken = kept;
        back.iter().for_each(|(_, lease)| self.sites[at].give_back(lease));
        back.len()
    }

    /// Servers whose documents were taken over, by the alarms in the audit log.
    fn adopted(&self) -> usize {
        let page = self.sold.vendor.operator.expect(200, "GET", "/api/v1/audit?limit=200", None);
        let alarms = page["items"].as_array().unwrap().iter().filter(|row| row["detail"]["alarm"] == "adopted");
        alarms.map(|row| row["subject"].to_string()).collect::<BTreeSet<_>>().len()
    }
}

#[test]
fn a_restored_portal_learns_what_is_out_and_gives_no_seat_twice() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut lost = Lost::open(folder, true);
    let learns_until = lost.said["learning_until"].as_str().unwrap().to_owned();
    assert_eq!(lost.said["log_survived"], true, "{}", lost.said);
    wait_for("all servers to come back", || {
        lost.sites.iter().for_each(|site| refresh(folder, site));
        lost.sites.iter().all(|site| state(site) == "ok").then_some(())
    });
    assert_eq!((lost.adopted(), lost.sold.seats_out()), (3, BOUGHT as u64), "each shows what it obeys");
    assert!(lost.sold.license()["learning_until"].as_str().unwrap() >= &*learns_until);
    (0..3).for_each(|at| lost.take_all(at, "beyond"));
    assert_eq!(lost.taken.len(), BOUGHT, "what is held is given");
    lost.all_work();

    // What comes free stays where it is: nobody else gets it, and it is not lost to its server either.
    let free = lost.give_back(1);
    lost.take_all(0, "learning");
    refresh(folder, &lost.sites[1]);
    lost.take_all(1, "again");
    assert_eq!(lost.taken.iter().filter(|(at, _)| *at == 1).count(), free);

    // Unless an operator, who knows, lets it be given.
    let free = lost.give_back(1);
    let raised =
        lost.sold.vendor.operator.expect(200, "POST", &format!("/api/v1/licenses/{}/raise", lost.sold.license), None);
    assert_eq!(raised["learning_until"], Value::Null, "{raised}");
    for n in 0..free {
        let lease = lost.sites[0].take_soon(&format!("raised-{n}"));
        lost.taken.push((0, lease));
    }
    (0..3).for_each(|at| lost.take_all(at, "end"));
    assert_eq!(lost.taken.len(), BOUGHT);
    lost.all_work();
    assert_eq!((lost.sold.audited("license.raise"), lost.sold.seats_out()), (1, BOUGHT as u64));
}

#[test]
fn a_portal_restored_without_its_log_gives_nobody_the_seats_of_a_server_that_it_does_not_know() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut lost = Lost::open(folder, false);
    assert!(lost.said["learning_until"].is_string() && lost.said["log_survived"] == false, "{}", lost.said);
    wait_for("the servers that it knows to come back", || {
        lost.sites[..2].iter().for_each(|site| refresh(folder, site));
        lost.sites[..2].iter().all(|site| state(site) == "ok").then_some(())
    });
    assert_eq!((lost.adopted(), lost.sold.workstations().len()), (2, 2));
    refresh(folder, &lost.sites[2]);
    let third = told(folder, &lost.sites[2]);
    assert_eq!(third["online"]["trouble"]["code"], "WRONG_KEY", "{third}");
    (0..3).for_each(|at| lost.take_all(at, "beyond"));
    lost.all_work();

    // Its way back: a key of its own that the portal knows. While it learns, it gives that one nothing.
    run(folder, &["server", "disable", "--data", "u", "--yes"]);
    lost.give_back(2);
    wait_for("the end of the key", || (lost.sites[2].status()["state"] == "disabled").then_some(()));
    lost.sold.vendor.enable(&lost.sites[2], "owner", "organization");
    assert_eq!((lost.sold.workstations().len(), state(&lost.sites[2])), (3, json!("ok")));
    (0..3).for_each(|at| lost.take_all(at, "known"));
    lost.all_work();
}

#[test]
fn while_the_portal_is_away_what_is_held_is_given_and_afterwards_all_is_well_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut sold = Sold::open(folder, 5);
    let sites = [sold.enabled("s"), sold.enabled("t"), sold.enabled("u")];
    let mut taken = vec![sites[1].take_soon("t")];
    let leaving = sites[2].take_soon("u");
    sites.iter().for_each(|site| refresh(folder, site));
    let held: u64 = sites.iter().map(Site::held).sum();
    assert_eq!(held, 5);

    sold.vendor.portal.end();
    for (at, site) in sites[..2].iter().enumerate() {
        for n in 0.. {
            let (status, told) = in_time("a checkout", || site.checkout(&format!("away-{at}-{n}")));
            if status == 409 {
                assert_eq!(told["code"], "NO_SEATS", "{told}");
                break;
            }
            assert_eq!(status, 201, "{told}");
            taken.push(told);
        }
        wait_for("the status to say it", || (state(site) == "unreachable").then_some(()));
        assert!(site.status()["online"]["trouble_since"].is_string());
    }
    assert_eq!(taken.len() as u64, sites[..2].iter().map(Site::held).sum::<u64>(), "all that is held is given");
    // One is given up meanwhile.
    run(folder, &["server", "disable", "--data", "u", "--yes"]);
    sites[2].give_back(&leaving);
    wait_for("the end of the key", || (sites[2].status()["state"] == "disabled").then_some(()));
    assert_eq!(sites[2].status()["receipt"]["state"], "waiting");

    sold.vendor.portal = Service::start(folder, "portal", "p", &sold.vendor.portal.address);
    for site in &sites[..2] {
        wait_for("the servers to come back", || (state(site) == "ok").then_some(()));
    }
    wait_for("the receipt", || (sites[2].status()["receipt"]["state"] == "brought").then_some(()));
    assert_eq!(sold.workstations().iter().filter(|one| one["status"] == "released").count(), 1);
    for n in taken.len()..5 {
        taken.push(sites[n % 2].take_soon(&format!("freed-{n}")));
    }
    assert_eq!((sites[0].checkout("sixth").0, sites[1].checkout("sixth").0, sold.seats_out()), (409, 409, 5));
}

/// An application that takes seats and gives them back until its server is gone.
#[derive(Default)]
struct Application {
    taken: u64,
    /// A checkout of which nobody knows whether it was done: its key is given up after the restart.
    doubt: Option<String>,
    /// A seat that was given back, or not.
    leaving: Option<Value>,
}

impl Application {
    fn work(&mut self, caller: &Caller, name: &str, ledger: &Ledger, over: &AtomicBool) {
        while !over.load(Ordering::SeqCst) && self.doubt.is_none() && self.leaving.is_none() {
            self.taken += 1;
            let key = format!("{name}-{}", self.taken);
            match caller.send("POST", "/v1/leases", Some(&key), Some(&one_seat(&key))) {
                Outcome::Answered(201, lease) => {
                    ledger.took();
                    pause(self.taken % 40);
                    ledger.gives_back();
                    self.give_back(caller, lease);
                }
                Outcome::Answered(409, denied) => pause(if denied["code"] == "NOT_ACTIVATED" { 20 } else { 2 }),
                Outcome::Unknown => self.doubt = Some(key),
                Outcome::Answered(status, told) => panic!("a checkout was answered {status}: {told}"),
            }
        }
    }

    fn give_back(&mut self, caller: &Caller, lease: Value) {
        let with_secret = caller.with_token(lease["secret"].as_str().unwrap());
        let path = format!("/v1/leases/{}", lease["lease"].as_str().unwrap());
        match with_secret.send("DELETE", &path, None, None) {
            Outcome::Answered(204 | 404, _) => {}
            Outcome::Answered(status, told) => panic!("a checkin was answered {status}: {told}"),
            Outcome::Unknown => self.leaving = Some(lease),
        }
    }

    /// When its server is there again.
    fn settle(&mut self, caller: &Caller) {
        if let Some(key) = self.doubt.take() {
            caller.expect(204, "DELETE", &format!("/v1/leases?key={key}"), None);
        }
        if let Some(lease) = self.leaving.take() {
            self.give_back(caller, lease);
        }
        assert!(self.leaving.is_none(), "the server does not answer after its restart");
    }
}

/// All seats that the servers give, one after the other, and not one more. They are given back.
fn take_and_give_back_all(sites: &[&Site], round: u64, bought: usize) {
    let taken: Vec<_> = (0..bought)
        .map(|n| {
            let site = sites[n % sites.len()];
            (site, site.take_soon(&format!("round-{round}-{n}")))
        })
        .collect();
    for site in sites {
        assert_eq!(site.checkout(&format!("round-{round}-more")).0, 409, "more seats than were bought");
    }
    taken.iter().for_each(|(site, lease)| site.give_back(lease));
}

#[test]
fn kill_9_in_the_midst_of_syncs_recalls_and_enabling_loses_no_seat_and_doubles_none() {
    const SEATS: usize = 3;
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let seed = u64::try_from(SystemClock::new().wall().0).unwrap();
    println!("seed {seed}");
    let mut random = Seeded::new(seed);
    let mut sold = Sold::open(folder, u32::try_from(SEATS).unwrap());
    let mut first = sold.enabled("s");
    let second = sold.enabled("t");
    let mut third = sold.vendor.server("u");
    let mut applications: Vec<Application> = (0..6).map(|_| Application::default()).collect();
    let ledger = Ledger::of(SEATS);
    for round in 0..rounds() {
        let over = AtomicBool::new(false);
        let (after_ms, whom) = (100 + random.below(900), round % 3);
        let callers = [&first, &second, &third].map(|site| site.caller.at(&site.service.address));
        thread::scope(|scope| {
            for (n, application) in applications.iter_mut().enumerate() {
                let (caller, ledger, over) = (&callers[n % 3], &ledger, &over);
                scope.spawn(move || application.work(caller, &format!("{round}-{n}"), ledger, over));
            }
            // Whether it is enabled in time is not known, nor needed.
            scope.spawn(|| activate(folder, "u").output().unwrap());
            pause(after_ms);
            match whom {
                0 => sold.vendor.portal.end(),
                1 => first.service.end(),
                _ => third.service.end(),
            }
            pause(random.below(500));
            match whom {
                0 => sold.vendor.portal = Service::start(folder, "portal", "p", &sold.vendor.portal.address),
                1 => first = Site::start_at(folder, "s", &first.service.address),
                _ => third = Site::start_at(folder, "u", &third.service.address),
            }
            pause(random.below(300));
            over.store(true, Ordering::SeqCst);
        });
        for (n, application) in applications.iter_mut().enumerate() {
            application.settle(&callers[n % 3]);
        }
        // Enabled by now, or enabled again with the same key.
        if third.status()["state"] != "active" {
            let output = activate(folder, "u").output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        let sites = [&first, &second, &third];
        take_and_give_back_all(&sites, round, SEATS);
        wait_for("portal and servers to agree", || {
            sites.iter().for_each(|site| refresh(folder, site));
            let held: u64 = sites.iter().map(|site| site.held()).sum();
            (held == SEATS as u64 && sold.seats_out() == held).then_some(())
        });
        run(folder, &["server", "disable", "--data", "u", "--yes"]);
        wait_for("the receipt at the portal", || (third.status()["receipt"]["state"] == "brought").then_some(()));
    }
    let active = sold.workstations().iter().filter(|one| one["status"] == "active").count();
    assert_eq!((active, sold.audited("workstation.fork")), (2, 0), "no key is enabled twice, and none is left behind");
    let taken: u64 = applications.iter().map(|application| application.taken).sum();
    assert!(taken > 20, "{taken} checkouts are no load");
}

fn activate(folder: &Path, data: &str) -> Command {
    let account = ["--account", "owner@studio.example", "--for", "organization", "--password-file", "password"];
    leasehold(folder, &[["server", "activate", "--data", data].as_slice(), &account].concat())
}
