//! What simulations share because making it is dear: the vendor's keys, the portal with its people and products, and
//! databases to start from. Everything else is made anew from the seed.

use super::machine::BEGIN;
use super::outcome::{Tally, Violation};
use super::plant::Plant;
use super::world::World;
use crate::clock::FakeClock;
use leasehold_core::ids::{AccountId, ProductId};
use leasehold_core::license::{FeatureBundle, FeatureCode, Share};
use leasehold_core::random::{Random, Seeded};
use leasehold_core::time::DAY_MS;
use leasehold_db::{Db, DbError, FaultPoint};
use leasehold_portal::grants_log::GrantsLog;
use leasehold_portal::service::{Caller, accounts, products, sessions};
use leasehold_portal::{Parts, Portal, Site};
use leasehold_trust::{PortalSigner, SigningKey, Vendor};
use leasehold_wire::portal::{NewAccount, NewProduct, Role, SignIn};
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Keys for license servers; a server takes the next one whenever it makes a new key.
const KEYS: usize = 16;
/// License servers in a world, at most.
pub(super) const SERVERS_MAX: usize = 3;
const CUSTOMER: &str = "customer@example.com";
pub(super) const MEMBER: &str = "member@example.com";
/// Seats of a license that may be written off within a year.
pub(super) const WRITE_OFFS: u32 = 1;
const PASSWORD: &str = "correct horse battery";

/// Runs simulations, one seed after the other.
pub struct Simulator {
    pub(super) portal: Portal,
    pub(super) portal_db: FaultyDb,
    pub(super) portal_clock: FakeClock,
    pub(super) operator: Caller,
    /// Who owns the licenses and administers the organization.
    pub(super) customer: AccountId,
    pub(super) customer_caller: Caller,
    /// Somebody to whom seats are assigned.
    pub(super) member: AccountId,
    pub(super) member_caller: Caller,
    pub(super) products: Vec<(ProductId, FeatureBundle)>,
    pub(super) keys: Vec<SigningKey>,
    pub(super) server_dbs: Vec<FaultyDb>,
    portal_random: SharedSeeded,
    portal_template: Vec<u8>,
    server_template: Vec<u8>,
    folder: tempfile::TempDir,
}

impl std::fmt::Debug for Simulator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Simulator").finish_non_exhaustive()
    }
}

impl Default for Simulator {
    fn default() -> Simulator {
        Simulator::new()
    }
}

impl Simulator {
    /// Makes keys and databases.
    ///
    /// # Panics
    /// If the portal cannot be set up: then there is nothing to simulate.
    pub fn new() -> Simulator {
        // Appending to grants.log is flushed each time; a simulated day should not wait for a real disk.
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let folder = folder.expect("a temporary folder");
        let portal_db = FaultyDb::new();
        portal_db.db.migrate(leasehold_portal::store::schema::MIGRATIONS).expect("the portal's tables");
        let portal_clock = FakeClock::new(BEGIN);
        let portal_random = SharedSeeded::default();
        let portal = Portal::new(Parts {
            db: portal_db.db.clone(),
            signer: vendor(),
            grants_log: GrantsLog::open(&folder.path().join("grants.log")).expect("grants.log"),
            clock: Arc::new(portal_clock.clone()),
            random: Box::new(portal_random.clone()),
            site: Site::default(),
        });
        let operator = operator(&portal);
        let (customer, products) = customer_and_products(&portal, &operator);
        let customer_caller = sign_in(&portal, CUSTOMER);
        let member = account(&portal, &operator, MEMBER);
        let member_caller = sign_in(&portal, MEMBER);
        let portal_template = portal_db.db.snapshot().expect("a snapshot");
        let server_dbs: Vec<FaultyDb> = (0..SERVERS_MAX).map(|_| FaultyDb::new()).collect();
        leasehold_server::testing::migrate(&server_dbs[0].db).expect("the server's tables");
        let server_template = server_dbs[0].db.snapshot().expect("a snapshot");
        let keys = (0..KEYS).map(|_| SigningKey::generate()).collect();
        Simulator {
            portal,
            portal_db,
            portal_clock,
            operator,
            customer,
            customer_caller,
            member,
            member_caller,
            products,
            keys,
            server_dbs,
            portal_random,
            portal_template,
            server_template,
            folder,
        }
    }

    /// Runs one seed to its end, or to the first law that does not hold. `trace` hears what happens, line by line.
    ///
    /// # Errors
    /// The law that is broken.
    pub fn run(
        &mut self,
        seed: u64,
        plant: Option<Plant>,
        trace: Option<&mut dyn FnMut(&str)>,
    ) -> Result<Tally, Violation> {
        self.begin(seed);
        World::new(self, seed, plant, trace).run()
    }

    /// What happened before a law was found broken: the last `lines` of the trace, and the law.
    pub fn explain(&mut self, seed: u64, plant: Option<Plant>, lines: usize) -> String {
        let mut told: Vec<String> = Vec::new();
        let outcome = self.run(seed, plant, Some(&mut |line: &str| told.push(line.to_owned())));
        let from = told.len().saturating_sub(lines);
        let verdict = outcome.err().map_or_else(|| "every law held".to_owned(), |violation| violation.to_string());
        format!("seed {seed}\n{}\n{verdict}", told[from..].join("\n"))
    }

    /// Where the portal keeps documents beside its database.
    pub(super) fn grants_log(&self) -> PathBuf {
        self.folder.path().join("grants.log")
    }

    fn begin(&self, seed: u64) {
        self.portal_clock.set(BEGIN, 60_000);
        self.portal_random.reseed(seed);
        let log = OpenOptions::new().write(true).truncate(true).open(self.grants_log());
        log.expect("an empty grants.log");
        self.portal_db.begin(&self.portal_template);
    }

    /// The disk of a new license server.
    pub(super) fn begin_server(&self, server: usize) {
        self.server_dbs[server].begin(&self.server_template);
    }
}

fn vendor() -> PortalSigner {
    let made = BEGIN.plus(-DAY_MS);
    let vendor = Vendor::create("Simulated Vendor", made).expect("a vendor");
    vendor.signer(made).expect("keys that belong together")
}

fn operator(portal: &Portal) -> Caller {
    accounts::create_operator(portal, "operator@example.com", "Operator", PASSWORD).expect("an operator");
    sign_in(portal, "operator@example.com")
}

fn sign_in(portal: &Portal, email: &str) -> Caller {
    let address = [127, 0, 0, 1].into();
    let wish = SignIn { email: email.to_owned(), password: PASSWORD.to_owned() };
    let (token, _) = sessions::sign_in(portal, address, "simulation", &wish).expect("a sign-in");
    sessions::caller(portal, Some(&token), address).expect("somebody who is signed in")
}

fn account(portal: &Portal, operator: &Caller, email: &str) -> AccountId {
    let wish = NewAccount {
        email: email.to_owned(),
        name: "Customer".to_owned(),
        password: PASSWORD.to_owned(),
        role: Role::Customer,
    };
    accounts::create(portal, operator, None, &wish).expect("an account").id
}

fn customer_and_products(portal: &Portal, operator: &Caller) -> (AccountId, Vec<(ProductId, FeatureBundle)>) {
    let customer = account(portal, operator, CUSTOMER);
    let bundle = |features: &[(&str, u32)]| -> FeatureBundle {
        features.iter().map(|(code, n)| (FeatureCode::new(code).expect("a code"), *n)).collect()
    };
    // Two products hold the same feature, so that a checkout may stand on lines of two licenses.
    let products = [
        ("studio", Share::None, bundle(&[("gui", 1), ("render", 2)])),
        ("render-node", Share::None, bundle(&[("render", 1)])),
        ("review", Share::UserHost, bundle(&[("review", 1)])),
    ];
    let products = products.map(|(code, share, features)| {
        let (code, name) = (code.to_owned(), code.to_owned());
        let wish = NewProduct {
            code,
            name,
            share,
            features: features.clone(),
            online_term_s: Some(3_600),
            write_offs: Some(WRITE_OFFS),
            ..NewProduct::default()
        };
        (products::create(portal, operator, None, &wish).expect("a product").id, features)
    });
    (customer, products.into())
}

/// A source of randomness that can be set to a seed from outside.
#[derive(Clone, Debug)]
struct SharedSeeded(Arc<Mutex<Seeded>>);

impl Default for SharedSeeded {
    fn default() -> SharedSeeded {
        SharedSeeded(Arc::new(Mutex::new(Seeded::new(0))))
    }
}

impl SharedSeeded {
    fn reseed(&self, seed: u64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Seeded::new(seed ^ 0x706f_7274_616c);
    }
}

impl Random for SharedSeeded {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill(bytes);
    }
}

/// A database in memory with a switch that makes its next commits fail.
#[derive(Clone, Debug)]
pub(super) struct FaultyDb {
    pub(super) db: Db,
    switch: Arc<Switch>,
}

#[derive(Debug, Default)]
struct Switch {
    /// 0: none; 1: die before the next commit; 2: die after it.
    crash: AtomicU32,
    full: AtomicU32,
    committed: AtomicU64,
}

impl FaultyDb {
    fn new() -> FaultyDb {
        let db = Db::in_line_memory().expect("a database in memory");
        let switch = Arc::new(Switch::default());
        let hook = Arc::clone(&switch);
        db.set_fault_hook(move |point| hook.pass(point));
        FaultyDb { db, switch }
    }

    fn begin(&self, template: &[u8]) {
        self.disarm();
        self.db.restore(template).expect("the database to start from");
    }

    pub(super) fn disarm(&self) {
        self.switch.crash.store(0, Ordering::Relaxed);
        self.switch.full.store(0, Ordering::Relaxed);
    }

    pub(super) fn crash_at(&self, point: FaultPoint) {
        self.switch.crash.store(if point == FaultPoint::BeforeCommit { 1 } else { 2 }, Ordering::Relaxed);
    }

    pub(super) fn fill(&self, commits: u32) {
        self.switch.full.store(commits, Ordering::Relaxed);
    }

    /// Commits so far, those after which the process died included.
    pub(super) fn commits(&self) -> u64 {
        self.switch.committed.load(Ordering::Relaxed)
    }
}

impl Switch {
    fn pass(&self, point: FaultPoint) -> Result<(), DbError> {
        match point {
            FaultPoint::BeforeCommit => {
                if self.crash.compare_exchange(1, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                    return Err(DbError::Misuse("simulated crash before the commit".to_owned()));
                }
                let full = self.full.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
                match full {
                    Ok(_) => Err(DbError::Full { place: "the simulated disk".to_owned() }),
                    Err(_) => Ok(()),
                }
            }
            FaultPoint::AfterCommit => {
                self.committed.fetch_add(1, Ordering::Relaxed);
                match self.crash.compare_exchange(2, 0, Ordering::Relaxed, Ordering::Relaxed) {
                    Ok(_) => Err(DbError::Misuse("simulated crash after the commit".to_owned())),
                    Err(_) => Ok(()),
                }
            }
            FaultPoint::SavepointRollback => Ok(()),
        }
    }
}
