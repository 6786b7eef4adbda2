//! License servers that are only keys: they sign syncs, take what is answered and hold to it, and have no process.

use crate::http::{self, Http, read_claims};
use crate::portal::{Customer, Portal};
use anyhow::{Result, ensure};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode};
use leasehold_core::grant::Grant;
use leasehold_core::ids::{LicenseId, RequestId, WorkstationId};
use leasehold_core::sync::{Report, SYNC_VERSION, ServerFacts, SyncAnswer, SyncRequest, Verdict};
use leasehold_core::time::Clock as _;
use leasehold_host::{OsRandom, SystemClock};
use leasehold_trust::activation_file::read_activation_file;
use leasehold_trust::request::{RequestFacts, build_request};
use leasehold_trust::secret::sha256_hex;
use leasehold_trust::sync::{sign_request, verify_answer};
use leasehold_trust::{SigningKey, VendorRoot, verify_grant};
use leasehold_wire::portal::SyncAnswered;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::time::Instant;

/// Servers of one account, which share one license.
const SERVERS_PER_ACCOUNT: usize = 10;
/// Servers of one account for each license, all of which share all licenses.
const SERVERS_PER_LICENSE: usize = 100;
/// Seats of a license for each server that shares it.
const SEATS_PER_SERVER: u32 = 10;
/// Seats of a license that a server uses.
const USED: u32 = 5;
/// Seats that are used at a busy server of the license that most work there with at the time, one after the other; of
/// which somebody waits for the next until that many are there.
const USED_BUSY: u32 = 15;
/// Seats that are used there of every other.
const USED_QUIET: u32 = 2;
/// Syncs until people work with another.
const SHIFT: u64 = 20;
/// Every so many answers the signature itself is verified; of all others the hash is compared, and that of every new
/// document is verified. Verifying each would cost the load more than signing costs the portal.
const VERIFY_EVERY: u64 = 64;

/// What one run measured.
#[derive(Default)]
pub(crate) struct Synced {
    /// How long it ran.
    pub(crate) seconds: f64,
    /// Time of each sync in microseconds.
    pub(crate) sync_us: Vec<u32>,
    /// New documents among the answers.
    pub(crate) documents: u64,
}

/// Many servers, shared out among connections on one thread.
pub(crate) struct Fleet {
    runtime: Runtime,
    /// One part for each connection.
    parts: Vec<Vec<KeyServer>>,
    licenses: usize,
}

impl Fleet {
    /// Enables servers, ten of each account on one license; or all in one account, on one license for each hundred of them.
    pub(crate) fn enable(portal: &Portal, servers: usize, connections: usize, one_account: bool) -> Result<Fleet> {
        let accounts = if one_account { 1 } else { servers.div_ceil(SERVERS_PER_ACCOUNT) };
        let mut fleet = Fleet { runtime: http::runtime()?, parts: Vec::new(), licenses: 0 };
        fleet.parts.resize_with(connections.clamp(1, servers), Vec::new);
        for account in 0..accounts {
            let customer = portal.customer(&format!("customer-{account}"))?;
            let here =
                if one_account { servers } else { SERVERS_PER_ACCOUNT.min(servers - account * SERVERS_PER_ACCOUNT) };
            let licenses = here.div_ceil(if one_account { SERVERS_PER_LICENSE } else { SERVERS_PER_ACCOUNT });
            for _ in 0..licenses {
                portal.sell(&customer, SEATS_PER_SERVER * u32::try_from(here)?)?;
            }
            fleet.licenses += licenses;
            for server in 0..here {
                // Those of one account come over different connections, at the same time.
                let part = (account * SERVERS_PER_ACCOUNT + server) % fleet.parts.len();
                fleet.parts[part].push(KeyServer::enable(&customer, account * SERVERS_PER_ACCOUNT + server)?);
            }
        }
        Ok(fleet)
    }

    pub(crate) fn servers(&self) -> usize {
        self.parts.iter().map(Vec::len).sum()
    }

    pub(crate) fn licenses(&self) -> usize {
        self.licenses
    }

    /// Every server syncs some times, so that the seats are where they belong.
    pub(crate) fn settle(&mut self, portal: SocketAddr, times: usize, busy: bool) -> Result<()> {
        self.drive(portal, (None, times), busy).map(drop)
    }

    /// Syncs for some seconds over all connections: of servers of which nothing changes, or busy ones that pass seats on.
    pub(crate) fn run(&mut self, portal: SocketAddr, seconds: u64, busy: bool) -> Result<Synced> {
        self.drive(portal, (Some(Duration::from_secs(seconds.max(1))), usize::MAX), busy)
    }

    fn drive(&mut self, portal: SocketAddr, (time, laps): (Option<Duration>, usize), busy: bool) -> Result<Synced> {
        let parts = std::mem::take(&mut self.parts);
        let (parts, synced) = self.runtime.block_on(async {
            let start = Instant::now();
            let end = time.map(|time| start + time);
            let tasks: Vec<_> =
                parts.into_iter().map(|part| tokio::spawn(drive(portal, part, (end, laps), busy))).collect();
            let (mut parts, mut synced) = (Vec::new(), Synced::default());
            for task in tasks {
                let (part, mut one) = task.await??;
                parts.push(part);
                synced.sync_us.append(&mut one.sync_us);
                synced.documents += one.documents;
            }
            synced.seconds = start.elapsed().as_secs_f64();
            anyhow::Ok((parts, synced))
        })?;
        self.parts = parts;
        Ok(synced)
    }
}

/// One connection: its servers sync in turn.
async fn drive(
    portal: SocketAddr,
    mut servers: Vec<KeyServer>,
    (end, laps): (Option<Instant>, usize),
    busy: bool,
) -> Result<(Vec<KeyServer>, Synced)> {
    let (mut http, clock) = (Http::open(portal).await?, SystemClock::new());
    let mut synced = Synced::default();
    'laps: for _ in 0..laps {
        // Who is next goes on where the last round stopped.
        for _ in 0..servers.len() {
            if end.is_some_and(|end| Instant::now() >= end) {
                break 'laps;
            }
            let (request, body) = servers[0].request(portal, &clock, busy)?;
            let start = Instant::now();
            let (status, answer) = http.send(request).await?;
            synced.sync_us.push(u32::try_from(start.elapsed().as_micros()).unwrap_or(u32::MAX));
            ensure!(status == StatusCode::OK, "sync answered {status}: {}", String::from_utf8_lossy(&answer));
            synced.documents += u64::from(servers[0].take(&body, &answer, &clock)?);
            servers.rotate_left(1);
        }
    }
    Ok((servers, synced))
}

/// One license at one server.
#[derive(Clone, Copy, Default)]
struct Held {
    /// Seats of the newest document.
    seats: u32,
    /// Seats to be handed over.
    owed: u32,
}

/// A license server that is only a key.
struct KeyServer {
    key: SigningKey,
    root: VendorRoot,
    workstation: WorkstationId,
    host: String,
    machine: String,
    /// When it needs seats of which license, and which answers it verifies: others than its neighbours.
    turn: u64,
    seq: u64,
    prev: String,
    rev: u64,
    /// The newest document.
    document: String,
    held: BTreeMap<LicenseId, Held>,
}

#[derive(Deserialize)]
struct AnswerClaims {
    answer: SyncAnswer,
}

impl KeyServer {
    fn enable(customer: &Customer, number: usize) -> Result<KeyServer> {
        let (key, now, random) = (SigningKey::generate(), SystemClock::new().wall(), &mut OsRandom);
        let host = format!("node-{number}.bench.example");
        let facts = RequestFacts {
            request: RequestId::draw(now, random),
            issued_at: now.floor_to_second(),
            fingerprint: format!("{number:032x}"),
            server_version: env!("CARGO_PKG_VERSION").to_owned(),
            rev_in_use: None,
            vendor: None,
            host_name: host.clone(),
        };
        let (workstation, file) = customer.enable(&build_request(&key, &facts), &host)?;
        let file = read_activation_file(file.as_bytes(), None, &key.public(), None, SystemClock::new().wall());
        let file = file.map_err(|problem| anyhow::anyhow!("the activation file: {}", problem.what()))?;
        let grant = file.grant;
        let mut server = KeyServer {
            key,
            root: file.root,
            workstation,
            host,
            machine: facts.fingerprint,
            turn: u64::try_from(number)?,
            seq: 0,
            prev: String::new(),
            rev: 0,
            document: String::new(),
            held: BTreeMap::new(),
        };
        server.load(&grant.grant, grant.token);
        Ok(server)
    }

    fn load(&mut self, grant: &Grant, token: String) {
        (self.rev, self.document) = (grant.rev, token);
        for held in self.held.values_mut() {
            held.seats = 0;
        }
        for line in &grant.lines {
            self.held.entry(line.license).or_default().seats = line.seats;
        }
    }

    /// The next request and its body.
    fn request(
        &mut self,
        portal: SocketAddr,
        clock: &SystemClock,
        busy: bool,
    ) -> Result<(Request<Full<Bytes>>, Vec<u8>)> {
        let (now, seq) = (clock.wall(), self.seq + 1);
        // Half of the time nobody at this server needs more than a few.
        let nth = (seq / SHIFT + self.turn) % (2 * self.held.len().max(1) as u64);
        let report = |(at, (license, held)): (u64, (&LicenseId, &Held))| {
            let needed = match busy {
                false => USED,
                true if at == nth => USED_BUSY,
                true => USED_QUIET,
            };
            let used = held.seats.min(needed);
            let want = u32::from(busy && held.seats < needed);
            let keep = held.seats - held.owed.min(held.seats - used);
            (*license, Report { keep, used, idle: keep - used, want, waiting: want, peak: USED })
        };
        let request = SyncRequest {
            v: SYNC_VERSION,
            workstation: self.workstation,
            seq,
            prev: self.prev.clone(),
            rev: self.rev,
            document: self.document.clone(),
            now,
            draining: false,
            server: ServerFacts {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                host: self.host.clone(),
                machine: self.machine.clone(),
                process: self.host.clone(),
            },
            licenses: (0..).zip(&self.held).map(report).collect(),
            running_out: Some(BTreeMap::new()),
        };
        let body = serde_json::to_vec(&request)?;
        let token = sign_request(&self.key, self.workstation, seq, &body, now);
        let sent = Request::builder()
            .method(Method::POST)
            .uri("/api/v1/sync")
            .header("host", portal.to_string())
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {token}"))
            .body(Full::from(body.clone()))?;
        Ok((sent, body))
    }

    /// Takes an answer; whether a new document came with it.
    fn take(&mut self, body: &[u8], answer: &[u8], clock: &SystemClock) -> Result<bool> {
        let answered: SyncAnswered = serde_json::from_slice(answer)?;
        let sha256 = sha256_hex(body);
        let answer = if (self.seq + self.turn).is_multiple_of(VERIFY_EVERY) {
            verify_answer(&answered.answer, &self.root, self.workstation, &sha256)?
        } else {
            read_claims::<AnswerClaims>(&answered.answer)?.answer
        };
        ensure!(answer.verdict == Verdict::Ok && answer.request_sha256 == sha256, "an unexpected answer: {answer:?}");
        self.seq += 1;
        self.prev = sha256_hex(answered.answer.as_bytes());
        let Some(token) = &answer.grant else {
            self.owe(&answer);
            return Ok(false);
        };
        let grant = verify_grant(token, &self.root, clock.wall())?;
        ensure!(grant.is_for(&self.key.public()), "somebody else's document");
        self.load(&grant.grant, grant.token);
        self.owe(&answer);
        Ok(true)
    }

    fn owe(&mut self, answer: &SyncAnswer) {
        for share in &answer.pools {
            self.held.entry(share.license).or_default().owed = share.recall;
        }
    }
}
