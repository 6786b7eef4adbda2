//! Many license servers at two portals over one PostgreSQL, more demand than seats, and a portal that is killed again and
//! again: never more seats in use than were bought, nothing deadlocks, everybody gets some, and in the end all are free.

use crate::caller::{Caller, Outcome, make_operator, make_portal};
use crate::deployment::{add_settings, copy_folder};
use crate::ledger::Ledger;
use crate::online::{Site, Vendor, one_seat};
use crate::service::{Service, leasehold, pause};
use leasehold_core::random::{Random as _, Seeded};
use leasehold_core::time::Clock as _;
use leasehold_db::testing::fresh_postgres;
use leasehold_host::SystemClock;
use serde_json::json;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

const SERVERS: usize = 20;
/// Of each of the two licenses.
const SEATS: u32 = 6;
const BOUGHT: usize = 2 * SEATS as usize;
/// A portal is killed this often, in milliseconds.
const KILL_EVERY_MS: u64 = 4_000;

/// A minute of demand; ten where there is time.
fn demand_ms() -> i64 {
    if std::env::var_os("LEASEHOLD_TEST_LONG").is_some() { 600_000 } else { 60_000 }
}

/// Two portals over one database; their folders are `p` and `q`.
fn two_portals(folder: &Path, database: &str) -> [Service; 2] {
    make_portal(folder);
    add_settings(folder, "p", &format!("database_url = \"{database}\"\n"));
    copy_folder(&folder.join("p"), &folder.join("q"));
    make_operator(folder);
    ["p", "q"].map(|data| Service::start_logged(folder, "portal", data, "127.0.0.1:0"))
}

/// One license server's applications: they take a seat, hold on to it and give it back, again and again. Answers how
/// many seats they had.
fn work(site: &Site, seed: u64, ledger: &Ledger, over: &AtomicBool) -> u64 {
    let mut random = Seeded::new(seed);
    let mut had = 0;
    for n in 0_u64.. {
        if over.load(Ordering::SeqCst) {
            break;
        }
        let key = format!("{seed}-{n}");
        match site.caller.send("POST", "/v1/leases", Some(&key), Some(&one_seat(&key))) {
            Outcome::Answered(200 | 201, lease) => {
                ledger.took();
                had += 1;
                pause(random.below(300));
                if random.below(2) == 0 {
                    assert_eq!(site.beat(&lease, 1).0, 200);
                }
                ledger.gives_back();
                site.give_back(&lease);
            }
            Outcome::Answered(409, denied) => {
                assert_eq!(denied["code"], "NO_SEATS", "{denied}");
                pause(random.below(100));
            }
            other => panic!("a checkout: {other:?}"),
        }
    }
    had
}

/// Looks at the licenses at whichever portal answers.
fn watch(portals: &[Caller; 2], licenses: &[String], over: &AtomicBool) -> u64 {
    let mut looks = 0;
    while !over.load(Ordering::SeqCst) {
        for (portal, license) in portals.iter().zip(licenses) {
            if let Outcome::Answered(200, seen) = portal.send("GET", &format!("/api/v1/licenses/{license}"), None, None)
            {
                assert!(seen["seats_out"].as_u64().unwrap() <= u64::from(SEATS), "{seen}");
                looks += 1;
            }
        }
        pause(50);
    }
    looks
}

#[test]
fn twenty_servers_at_two_portals_share_few_seats_while_a_portal_is_killed_again_and_again() {
    let database = fresh_postgres();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let clock = SystemClock::new();
    let seed = u64::try_from(clock.wall().0).unwrap();
    println!("seed {seed}");
    let [first, mut second] = two_portals(folder, &database.url());
    let mut vendor = Vendor::of(folder, first);
    let (owner, administrator) = vendor.account("owner");
    let licenses = [vendor.sell(&owner, SEATS), vendor.sell(&owner, SEATS)];
    let addresses = [vendor.portal.address.clone(), second.address.clone()];
    let operators = addresses.each_ref().map(|address| vendor.operator.at(address));
    let enabled = |n: usize| {
        let token = json!({ "scope": "organization" });
        let token = administrator.expect(201, "POST", "/api/v1/workstations/tokens", Some(&token));
        let site = vendor.server_of(&format!("s{n}"), &addresses[n % 2]);
        let mut command = leasehold(folder, &["server", "activate", "--data", &site.data]);
        let output = command.env("LEASEHOLD_TOKEN", token["token"].as_str().unwrap()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        site
    };
    let sites: Vec<Site> = thread::scope(|scope| {
        let enabled = &enabled;
        let threads: Vec<_> = (0..SERVERS).map(|n| scope.spawn(move || enabled(n))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });

    let (ledger, over) = (Ledger::of(BOUGHT), AtomicBool::new(false));
    let ends_ms = clock.boottime_ms() + demand_ms();
    let (had, looks) = thread::scope(|scope| {
        let (ledger, over) = (&ledger, &over);
        let work = |(n, site)| scope.spawn(move || work(site, seed + n, ledger, over));
        let workers: Vec<_> = (0..).zip(&sites).map(work).collect();
        let watcher = scope.spawn(|| watch(&operators, &licenses, over));
        let mut random = Seeded::new(seed);
        while clock.boottime_ms() < ends_ms && workers.iter().all(|worker| !worker.is_finished()) {
            pause(KILL_EVERY_MS / 2 + random.below(KILL_EVERY_MS));
            let (portal, data) = if random.below(2) == 0 { (&mut vendor.portal, "p") } else { (&mut second, "q") };
            portal.end();
            pause(random.below(1_000));
            *portal = Service::start_logged(folder, "portal", data, &portal.address);
        }
        over.store(true, Ordering::SeqCst);
        let had: Vec<u64> = workers.into_iter().map(|worker| worker.join().unwrap()).collect();
        (had, watcher.join().unwrap())
    });
    println!("seats that the applications of each server had: {had:?}; {looks} looks at the licenses");
    assert!(had.iter().all(|seats| *seats > 0), "somebody starved: {had:?}");
    assert!(looks > 20, "{looks} looks are none");
    assert_eq!(ledger.in_use(), 0);

    // Nothing is lost: wherever they are, one server gets them all, and not one more.
    for n in 0..BOUGHT {
        sites[0].take_soon(&format!("all-{n}"));
    }
    assert_eq!(sites[1].checkout("one-more").0, 409);
    for data in ["p", "q"] {
        let log = std::fs::read_to_string(folder.join(format!("{data}.log"))).unwrap();
        for bad in ["deadlock", "CONTENDED", "ERROR", "panicked"] {
            assert!(!log.contains(bad), "{bad}: {log}");
        }
    }
}
