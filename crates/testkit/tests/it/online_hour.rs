//! An hour of a big site in simulated time: twenty license servers at two portals over one PostgreSQL, with fewer seats than
//! applications. What the servers decide and what the portals store is real; only time is not, and nobody waits for it.
//! Servers that sync in the same instant do so at once, at whichever portal, so that their transactions meet.

use leasehold_core::clock::StartVerdict;
use leasehold_core::engine::{Act, Document, Engine, Input, Output, Restored, SyncOut};
use leasehold_core::ids::{LeaseId, LicenseId, RequestId, WorkstationId};
use leasehold_core::license::{Channel, FeatureCode, Kind, Scope, Share, Term};
use leasehold_core::pool::{Ask, Source};
use leasehold_core::random::{Random, Seeded};
use leasehold_core::sync::ServerFacts;
use leasehold_core::time::{Clock, DAY_MS, HOUR_MS, MINUTE_MS, Ms, SECOND_MS};
use leasehold_core::times::TimeTable;
use leasehold_db::testing::{TestDb, fresh_postgres};
use leasehold_host::SystemClock;
use leasehold_portal::grants_log::GrantsLog;
use leasehold_portal::service::{Caller, accounts, enable, licenses, products, sessions, sync};
use leasehold_portal::store::bells;
use leasehold_portal::store::schema::MIGRATIONS;
use leasehold_portal::{Parts, Portal, Site};
use leasehold_server::testing;
use leasehold_testkit::clock::FakeClock;
use leasehold_trust::sync::sign_request;
use leasehold_trust::{SigningKey, Vendor};
use leasehold_wire::portal::{Enable, NewAccount, NewLicense, NewProduct, Role, SignIn};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::thread;

const SERVERS: u64 = 20;
const APPLICATIONS: u64 = 2 * SERVERS;
/// Of each of two licenses.
const SEATS: u32 = 6;
const BOUGHT: usize = 2 * SEATS as usize;
/// Time passes in such steps.
const STEP_MS: i64 = 500;
const HOME: [u8; 4] = [127, 0, 0, 1];
const PASSWORD: &str = "a good long password";

/// An application: away, asking, or at work.
enum Doing {
    Away(Ms),
    Waits,
    Works { lease: LeaseId, until: Ms, beat_at: Ms, beats: u64 },
}

struct Application {
    doing: Doing,
    asked: u64,
    had: u64,
    /// Since when it has asked in vain.
    wants_since: Option<Ms>,
    longest_wait_ms: i64,
}

struct Server {
    engine: Engine,
    key: SigningKey,
    workstation: WorkstationId,
    /// An answer that is on its way, and when it arrives; nothing if it is lost.
    answer: Option<(Ms, Option<String>, SyncOut)>,
    rung: u64,
    /// Checkouts that wait, and whose they are.
    waiting: HashMap<LeaseId, usize>,
}

/// Two portals over one database, of which either may be another process any time.
struct Portals<'a> {
    database: &'a TestDb,
    vendor: &'a Vendor,
    folder: &'a Path,
    clock: FakeClock,
    both: [Portal; 2],
}

impl<'a> Portals<'a> {
    fn open(database: &'a TestDb, vendor: &'a Vendor, folder: &'a Path, clock: &FakeClock, seed: u64) -> Portals<'a> {
        let both = [0, 1].map(|n| portal(database, vendor, &folder.join(format!("grants{n}.log")), clock, seed + n));
        Portals { database, vendor, folder, clock: clock.clone(), both }
    }

    /// One of them dies and another process takes its place.
    fn start_again(&mut self, n: usize, seed: u64) {
        let log = self.folder.join(format!("grants{n}.log"));
        self.both[n] = portal(self.database, self.vendor, &log, &self.clock, seed);
    }
}

fn portal(database: &TestDb, vendor: &Vendor, grants_log: &Path, clock: &FakeClock, seed: u64) -> Portal {
    Portal::new(Parts {
        db: database.open_again(),
        signer: vendor.signer(clock.wall()).unwrap(),
        grants_log: GrantsLog::open(grants_log).unwrap(),
        clock: Arc::new(clock.clone()),
        random: Box::new(Seeded::new(seed)),
        site: Site::default(),
    })
}

fn sign_in(portal: &Portal, email: &str) -> Caller {
    let wish = SignIn { email: email.to_owned(), password: PASSWORD.to_owned() };
    let (token, _) = sessions::sign_in(portal, HOME.into(), "test", &wish).unwrap();
    sessions::caller(portal, Some(&token), HOME.into()).unwrap()
}

/// A customer with two licenses.
fn sell(portal: &Portal, now: Ms) -> (Caller, [LicenseId; 2]) {
    accounts::create_operator(portal, "op@acme.example", "Op", PASSWORD).unwrap();
    let operator = sign_in(portal, "op@acme.example");
    let email = "owner@studio.example".to_owned();
    let wish = NewAccount { email, name: "Owner".into(), password: PASSWORD.into(), role: Role::Customer };
    let owner = accounts::create(portal, &operator, None, &wish).unwrap().id;
    let features = [(FeatureCode::new("gui").unwrap(), 1)].into_iter().collect();
    let (code, name) = ("studio".to_owned(), "Studio".to_owned());
    let product = NewProduct { code, name, share: Share::None, features, ..NewProduct::default() };
    let product = products::create(portal, &operator, None, &product).unwrap().id;
    let wish = NewLicense {
        owner,
        product,
        seats: SEATS,
        kind: Kind::Floating,
        channel: Channel::Commercial,
        term: Term::Subscription { until: now.plus(100 * DAY_MS).utc_date() },
        starts_on: None,
        label: String::new(),
        organization: None,
    };
    let licenses = [(); 2].map(|()| licenses::create(portal, &operator, None, &wish).unwrap().id);
    (sign_in(portal, "owner@studio.example"), licenses)
}

impl Server {
    fn enable(portal: &Portal, owner: &Caller, now: Ms, random: &mut Seeded) -> Server {
        let key = SigningKey::generate();
        let request = testing::request_file(&key, RequestId::draw(now, random), now, None, None);
        let wish = Enable { request, scope: Scope::Organization, name: None };
        let enabled = enable::enable(portal, owner, None, &wish).unwrap();
        let root = Some(portal.root());
        let file = enabled.activation_file.as_bytes();
        let document = testing::read_file(file, root, &key.public(), None, now).unwrap();
        let mut engine = Engine::restore(Restored::default(), StartVerdict::Plausible, now, TimeTable::DEFAULT);
        let act = Act { who: "test".into(), address: None };
        let installed = engine.step(now, Input::Install { document, wall: now, act }, &mut Vec::new());
        assert!(matches!(installed, Output::Installed { .. }), "{installed:?}");
        let workstation = enabled.workstation.id;
        Server { engine, key, workstation, answer: None, rung: 0, waiting: HashMap::new() }
    }

    fn file(&self) -> Arc<str> {
        self.engine.document().map(|document: &Document| document.file.clone()).unwrap()
    }

    /// Carries a request to a portal.
    fn ask(&self, portal: &Portal, out: &SyncOut) -> String {
        let token = sign_request(&self.key, self.workstation, out.seq, out.body.as_bytes(), portal.now());
        sync::sync(portal, HOME.into(), &token, out.body.as_bytes()).unwrap()
    }

    /// Takes an answer in, or that there is none.
    fn hear(&mut self, now: Ms, answer: Option<&str>, out: &SyncOut, root: &leasehold_trust::VendorRoot) {
        let input = match answer {
            None => Input::SyncFailed { jitter: 7 },
            Some(answer) => {
                let (public, file) = (self.key.public(), self.file());
                testing::read_answer(out.body.as_bytes(), answer, (self.workstation, &public), (&file, root), 7)
                    .unwrap()
            }
        };
        self.engine.step(now, input, &mut Vec::new());
    }

    fn used(&self, license: LicenseId, now: Ms) -> u32 {
        let lines = self.engine.pool().view(now).lines;
        let of = lines.iter().filter(|view| view.line.license == license);
        of.map(|view| view.seats_in_use).fold(0, u32::saturating_add)
    }
}

fn ask(n: usize) -> Ask {
    Ask {
        feature: FeatureCode::new("gui").unwrap(),
        seats: 1,
        version: "".into(),
        released_on: None,
        user: format!("user{n}").into(),
        host: "h".into(),
        host_id: "m".into(),
        boot_id: "b".into(),
        pid: 0,
        labels: BTreeMap::new(),
    }
}

struct Hour<'a> {
    now: Ms,
    random: Seeded,
    portals: Portals<'a>,
    servers: Vec<Server>,
    applications: Vec<Application>,
    syncs: u64,
    lost: u64,
}

impl Hour<'_> {
    fn in_s(&mut self, from: u64, to: u64) -> Ms {
        self.now.plus(i64::try_from(from + self.random.below(to - from)).unwrap() * SECOND_MS)
    }

    /// Every application does what it is time for.
    fn applications_act(&mut self) {
        for n in 0..self.applications.len() {
            let at = n % self.servers.len();
            match self.applications[n].doing {
                Doing::Away(until) if until <= self.now => {
                    self.applications[n].asked += 1;
                    let id = LeaseId::draw(self.now, &mut self.random);
                    let key = format!("{n}-{}", self.applications[n].asked).into();
                    let source = Source { address: HOME.into(), loopback: false };
                    let input = Input::Checkout { id, key, ask: ask(n), source };
                    let output = self.servers[at].engine.step(self.now, input, &mut Vec::new());
                    self.applications[n].wants_since.get_or_insert(self.now);
                    self.applications[n].doing = Doing::Waits;
                    match output {
                        Output::Waits(id) => {
                            self.servers[at].waiting.insert(id, n);
                        }
                        output => self.answered(n, &output),
                    }
                }
                Doing::Works { lease, until, .. } if until <= self.now => {
                    self.servers[at].engine.step(self.now, Input::Checkin { lease }, &mut Vec::new());
                    self.applications[n].doing = Doing::Away(self.in_s(0, 40));
                }
                Doing::Works { lease, ref mut beat_at, ref mut beats, .. } if *beat_at <= self.now => {
                    *beat_at = self.now.plus(MINUTE_MS);
                    *beats += 1;
                    let input = Input::Heartbeat { lease, n: *beats, nonce: "n".into() };
                    let output = self.servers[at].engine.step(self.now, input, &mut Vec::new());
                    assert!(matches!(output, Output::Leased(_)), "work was interrupted: {output:?}");
                }
                _ => {}
            }
        }
    }

    fn answered(&mut self, n: usize, output: &Output) {
        let application = &mut self.applications[n];
        match output {
            Output::Leased(answer) => {
                let waited_ms = application.wants_since.take().map_or(0, |since| self.now.since(since));
                application.longest_wait_ms = application.longest_wait_ms.max(waited_ms);
                application.had += 1;
                let (lease, beat_at) = (answer.lease, self.now.plus(MINUTE_MS));
                self.applications[n].doing = Doing::Works { lease, until: self.in_s(5, 180), beat_at, beats: 0 };
            }
            Output::Denied(_) => self.applications[n].doing = Doing::Away(self.in_s(3, 20)),
            other => panic!("a checkout: {other:?}"),
        }
    }

    /// Whatever waits is answered, answers of portals arrive, and whoever has to sync does so, all at once.
    fn servers_sync(&mut self) {
        let root = self.portals.both[0].root().clone();
        let mut due: Vec<(usize, SyncOut, usize)> = Vec::new();
        for at in 0..self.servers.len() {
            let server = &mut self.servers[at];
            if let Some((_, answer, out)) = server.answer.take_if(|(arrives, ..)| *arrives <= self.now) {
                server.hear(self.now, answer.as_deref(), &out, &root);
            }
            for (id, output) in server.engine.resolve(self.now, &mut Vec::new()) {
                let n = self.servers[at].waiting.remove(&id).unwrap();
                self.answered(n, &output);
            }
            let server = &mut self.servers[at];
            if server.answer.is_none() && server.engine.sync_due().is_some_and(|at| at <= self.now) {
                let input = Input::Sync { server: ServerFacts::default() };
                if let Output::Sync(Some(out)) = server.engine.step(self.now, input, &mut Vec::new()) {
                    due.push((at, out, usize::try_from(self.random.below(2)).unwrap()));
                }
            }
        }
        self.syncs += due.len() as u64;
        let (servers, portals) = (&self.servers, &self.portals.both);
        let answers: Vec<String> = thread::scope(|scope| {
            let carry = |(at, out, to): &(usize, SyncOut, usize)| servers[*at].ask(&portals[*to], out);
            let threads: Vec<_> = due.iter().map(|due| scope.spawn(move || carry(due))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        for ((at, out, _), answer) in due.into_iter().zip(answers) {
            // The portal has done it, and died before it could say so.
            let lost = self.random.below(100) == 0;
            self.lost += u64::from(lost);
            self.servers[at].answer = Some((self.now.plus(STEP_MS), Some(answer).filter(|_| !lost), out));
        }
    }

    /// The bells, which each portal looks at twice a second.
    fn bells_ring(&mut self) {
        let since = self.now.plus(-MINUTE_MS);
        let read = self.portals.database.db().read(move |tx| bells::rung_since(tx, since)).unwrap();
        for (workstation, rung) in read {
            let server = self.servers.iter_mut().find(|server| server.workstation == workstation).unwrap();
            if server.rung != rung {
                server.rung = rung;
                server.engine.step(self.now, Input::Refresh, &mut Vec::new());
            }
        }
    }

    fn used(&self, license: LicenseId) -> u32 {
        self.servers.iter().map(|server| server.used(license, self.now)).sum()
    }
}

#[test]
fn an_hour_of_twenty_servers_at_two_portals_oversells_nothing_and_starves_nobody() {
    let database = fresh_postgres();
    database.db().migrate(MIGRATIONS).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let begin = Ms(1_800_000_000_000);
    let clock = FakeClock::new(begin);
    let vendor = Vendor::create("Acme", begin).unwrap();
    let seed = u64::try_from(SystemClock::new().wall().0).unwrap();
    println!("seed {seed}");
    let mut random = Seeded::new(seed);
    let portals = Portals::open(&database, &vendor, folder.path(), &clock, seed);
    let (owner, bought) = sell(&portals.both[0], begin);
    let servers = (0..SERVERS).map(|_| Server::enable(&portals.both[1], &owner, begin, &mut random)).collect();
    let application =
        |_| Application { doing: Doing::Away(begin), asked: 0, had: 0, wants_since: None, longest_wait_ms: 0 };
    let applications = (0..APPLICATIONS).map(application).collect();
    let mut hour = Hour { now: begin, random, portals, servers, applications, syncs: 0, lost: 0 };
    let (mut in_use, mut steps, mut restarts) = (0, 0, 0);
    while hour.now < begin.plus(HOUR_MS) {
        hour.now = hour.now.plus(STEP_MS);
        clock.set(hour.now, hour.now.0);
        hour.servers.iter_mut().for_each(|server| {
            server.engine.step(hour.now, Input::Tick, &mut Vec::new());
        });
        hour.applications_act();
        hour.servers_sync();
        hour.bells_ring();
        for license in bought {
            let used = hour.used(license);
            assert!(used <= SEATS, "{used} seats of {SEATS} are in use after {steps} steps; seed {seed}");
            in_use += u64::from(used);
        }
        steps += 1;
        if steps % 20 == 0 {
            for license in bought {
                let seen = licenses::get(&hour.portals.both[0], &owner, license).unwrap();
                assert!(seen.seats_out <= SEATS, "{} of {SEATS} are counted; seed {seed}", seen.seats_out);
            }
        }
        if hour.random.below(600) == 0 {
            let n = usize::try_from(hour.random.below(2)).unwrap();
            hour.portals.start_again(n, seed + steps);
            restarts += 1;
        }
    }
    let share = in_use * 100 / (steps * BOUGHT as u64);
    let had: Vec<u64> = hour.applications.iter().map(|application| application.had).collect();
    let longest_s = hour.applications.iter().map(|one| one.longest_wait_ms / SECOND_MS).max().unwrap();
    println!(
        "{} syncs, {} answers lost, {restarts} portals started anew; {share} % of all seats in use on average; \
         seats that each application had: {had:?}; longest wait {longest_s} s",
        hour.syncs, hour.lost
    );
    assert!(had.iter().all(|seats| *seats > 0), "somebody starved: {had:?}");
    assert!(share >= 80, "{share} % of the seats were in use while others waited");
    assert!(hour.syncs < 15_000, "{} syncs are a storm", hour.syncs);
}
