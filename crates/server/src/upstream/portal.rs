//! Keeps an online server up to date with its portal: a thread that syncs and brings receipts, and one that waits for
//! the portal's bell.
//!
//! Decides nothing: when to sync, what is said and what an answer means is the engine's. Here requests are signed and
//! carried, and answers verified.

use super::due::{Due, Wake};
use super::files;
use super::link::{LinkProblem, LinkSettings, PortalLink};
use crate::clock::ServerClock;
use crate::config::{Config, Settings};
use crate::engine::EngineHandle;
use crate::keys::Keys;
use crate::random::SharedRandom;
use crate::store;
use crate::trust::Trust;
use leasehold_core::engine::{Document, Input, Output, SyncOut};
use leasehold_core::ids::WorkstationId;
use leasehold_core::random;
use leasehold_core::sync::ServerFacts;
use leasehold_core::text::{cleaned, is_invisible_control};
use leasehold_core::time::{MINUTE_MS, Ms, SECOND_MS};
use leasehold_db::WeakDb;
use leasehold_trust::activation_file::with_grant;
use leasehold_trust::secret::sha256_hex;
use leasehold_trust::sync::{sign_request, verify_answer};
use leasehold_trust::{PublicKey, SigningKey, VendorRoot};
use leasehold_wire::portal::{Rung, SyncAnswered, TakeReceipt};
use leasehold_wire::problem::Problem;
use leasehold_wire::server::ConnectionProblem;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Longest time for one sync.
const SYNC_WAIT: Duration = Duration::from_secs(15);
/// Longest time for a long poll: longer than the portal waits.
const POLL_WAIT: Duration = Duration::from_secs(40);
/// Longest sentence of the portal that is kept, in characters.
const WORDS_MAX: usize = 600;
/// A link is prepared anew after this long, in milliseconds: certificate authorities change.
const WAY_MS: i64 = 10 * MINUTE_MS;
/// Pause after a long poll that failed, in milliseconds.
const POLL_PAUSE_MS: u64 = 5_000;
/// Longest time for asking whether the portal is there again.
const READY_WAIT: Duration = Duration::from_secs(10);
/// What the portal, or a proxy before it, answers that will be another answer later: time-out, too early, too many.
const PASSING: [u16; 3] = [408, 425, 429];
/// Between two tries to bring a receipt while the portal is not reached, in milliseconds.
const RECEIPT_PAUSE_MS: i64 = 10 * SECOND_MS;
/// Between two looks whether there is a portal to wait for, in milliseconds.
const IDLE_PAUSE_MS: u64 = 1_000;

/// What the threads work with.
#[derive(Clone)]
pub(crate) struct PortalParts {
    /// Not kept open by threads: a server that has ended has its database closed, and the file alone is whole.
    pub(crate) db: WeakDb,
    pub(crate) engine: EngineHandle,
    pub(crate) keys: Arc<Keys>,
    pub(crate) trust: Trust,
    pub(crate) clock: ServerClock,
    pub(crate) random: SharedRandom,
    /// Fingerprint of this machine.
    pub(crate) machine: Box<str>,
    /// Random, of this process.
    pub(crate) process: Box<str>,
    /// They say how the portal is reached, without its address if people set that on a page.
    pub(crate) settings: Settings,
    pub(crate) due: Due,
    pub(crate) trouble: Trouble,
    pub(crate) way: KnownWay,
}

/// The link that was prepared last: to read the operating system's certificate authorities for each request would take
/// longer than the request. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct KnownWay(Arc<Mutex<Option<Prepared>>>);

#[derive(Debug)]
struct Prepared {
    /// The settings of that time: others are another way.
    config: Arc<Config>,
    portal_url: Option<String>,
    at: Ms,
    link: PortalLink,
}

impl KnownWay {
    fn link(&self, config: &Arc<Config>, settings: &LinkSettings, now: Ms) -> Result<PortalLink, LinkProblem> {
        let mut prepared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let good = |known: &&Prepared| {
            Arc::ptr_eq(&known.config, config)
                && known.portal_url == settings.portal_url
                && (0..WAY_MS).contains(&now.since(known.at))
        };
        if let Some(known) = prepared.as_ref().filter(good) {
            return Ok(known.link.clone());
        }
        let link = PortalLink::new(settings)?;
        let (config, portal_url) = (Arc::clone(config), settings.portal_url.clone());
        *prepared = Some(Prepared { config, portal_url, at: now, link: link.clone() });
        Ok(link)
    }

    /// The portal was not reached: somebody may be mending what that link was prepared from.
    fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Why the portal was not reached the last time, if it was not. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trouble(Arc<Mutex<Option<(Ms, ConnectionProblem)>>>);

impl Trouble {
    /// Since when, and why.
    pub(crate) fn get(&self) -> Option<(Ms, ConnectionProblem)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, now: Ms, problem: Option<ConnectionProblem>) {
        let mut trouble = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = trouble.as_ref().map(|(_, old)| &old.code) != problem.as_ref().map(|new| &new.code);
        match &problem {
            Some(problem) if changed => {
                tracing::warn!(code = problem.code, what = problem.what, "the portal was not reached");
            }
            None if changed => tracing::info!("the portal is reached again"),
            _ => {}
        }
        let since = trouble.as_ref().map(|(since, _)| *since);
        *trouble = problem.map(|problem| (since.unwrap_or(now), problem));
    }
}

/// The running threads.
#[derive(Debug)]
pub(crate) struct PortalThreads(Vec<JoinHandle<()>>);

impl PortalThreads {
    /// Waits until they have ended; [`Due::stop`] asks them to.
    pub(crate) fn join(self) {
        for thread in self.0 {
            if thread.join().is_err() {
                tracing::error!("a thread of online licensing panicked");
            }
        }
    }
}

/// Starts the threads. The long poll is not waited for at the end: it may take its time.
pub(crate) fn start(parts: PortalParts) -> std::io::Result<PortalThreads> {
    let polling = parts.clone();
    std::thread::Builder::new().name("portal-bell".to_owned()).spawn(move || listen(&polling))?;
    let syncing = std::thread::Builder::new().name("portal-sync".to_owned()).spawn(move || {
        parts.due.receipt(parts.clock.now());
        loop {
            match parts.due.wait(|| parts.clock.now()) {
                Wake::Stop => return,
                Wake::Sync => {
                    parts.sync();
                    parts.due.synced();
                }
                Wake::Receipts => parts.bring_receipts(),
            }
        }
    })?;
    Ok(PortalThreads(vec![syncing]))
}

/// Waits for the bell, and has the engine sync when it rings, or when a portal that was not reached is there again.
fn listen(parts: &PortalParts) {
    // What was heard counts until a sync has said what it came to: a restored portal counts anew.
    let (mut heard, mut lost) = (None::<(u64, u64)>, None::<u64>);
    while !parts.due.is_stopped() {
        let synced = parts.due.syncs();
        let look = parts.engine.look_blocking(|engine, now| engine.online(now));
        let online = look.ok().flatten().filter(|online| online.forked.is_none() && online.answered_at.is_some());
        let (Some(online), Some((key, workstation))) = (online, parts.identity()) else {
            // The first bell may ring right after the first sync.
            parts.due.pause_until_synced(IDLE_PAUSE_MS, synced);
            continue;
        };
        if let Some(syncs) = lost {
            // Whatever answers to that question: a portal that takes syncs is there.
            lost = lost.filter(|_| online.syncs <= syncs && !parts.portal_is_ready());
            if lost.is_some() {
                parts.due.pause(POLL_PAUSE_MS);
                continue;
            }
            let _ = parts.engine.step_blocking(Input::Refresh);
        }
        let since = heard.filter(|(syncs, _)| *syncs == online.syncs).map_or(online.bell, |(_, bell)| bell);
        let token = sign_request(&key, workstation, 0, b"", parts.clock.wall());
        let polled = parts
            .link()
            .and_then(|link| link.get(&format!("/api/v1/sync/wait?since={since}"), Some(&token), POLL_WAIT));
        match polled.map(|answer| serde_json::from_slice::<Rung>(&answer.body)) {
            Ok(Ok(rung)) if rung.bell != since => {
                heard = Some((online.syncs, rung.bell));
                // Nothing to do if the engine is gone: the process ends.
                let _ = parts.engine.step_blocking(Input::Refresh);
            }
            Ok(Ok(_)) => {}
            Ok(Err(_)) => parts.due.pause(POLL_PAUSE_MS),
            Err(_) => {
                parts.way.forget();
                lost = Some(online.syncs);
                if online.failures == 0 {
                    // A sync says at once whether the portal is gone, and why: not only when the next is due.
                    let _ = parts.engine.step_blocking(Input::Refresh);
                }
                parts.due.pause(POLL_PAUSE_MS);
            }
        }
    }
}

/// Why a sync came to nothing.
enum Failed {
    /// The portal was not reached.
    Link(LinkProblem),
    /// It was, and did not take the request, or its answer cannot be believed.
    Told(ConnectionProblem),
}

impl Failed {
    fn told(self) -> ConnectionProblem {
        match self {
            Failed::Link(problem) => problem.told(),
            Failed::Told(problem) => problem,
        }
    }
}

impl From<LinkProblem> for Failed {
    fn from(problem: LinkProblem) -> Failed {
        Failed::Link(problem)
    }
}

/// What the portal refused, as it says it.
pub(crate) fn refused(status: u16, body: &[u8]) -> ConnectionProblem {
    match serde_json::from_slice::<Problem>(body) {
        Ok(problem) => {
            // Whoever answers there: it is shown and logged.
            let said = [problem.title, problem.detail].join(" ");
            ConnectionProblem {
                code: cleaned(&problem.code),
                what: said
                    .split_whitespace()
                    .map(cleaned)
                    .collect::<Vec<_>>()
                    .join(" ")
                    .chars()
                    .take(WORDS_MAX)
                    .collect(),
                what_to_do: problem.what_to_do.chars().filter(|c| !is_invisible_control(*c)).take(WORDS_MAX).collect(),
                who: cleaned(&problem.who),
                refused: true,
            }
        }
        Err(_) => ConnectionProblem {
            code: "PORTAL_REFUSED".to_owned(),
            what: format!("The portal refused the request with status {status}."),
            what_to_do: "Look at the portal's log.".to_owned(),
            who: "the vendor".to_owned(),
            refused: true,
        },
    }
}

fn unbelievable(why: &dyn std::fmt::Display) -> Failed {
    Failed::Told(ConnectionProblem {
        code: "ANSWER_NOT_SIGNED".to_owned(),
        what: format!("What came back was not signed by this server's vendor: {why}."),
        what_to_do: "Check that the portal's address is right, and that nothing in between answers in its place."
            .to_owned(),
        who: "the administrator of the license server".to_owned(),
        refused: false,
    })
}

/// What an answer must fit.
pub(crate) struct Asked<'a> {
    /// The request's body.
    pub(crate) body: &'a [u8],
    /// Who sent it.
    pub(crate) workstation: WorkstationId,
    /// The activation file in force.
    pub(crate) file: &'a str,
    /// The vendor.
    pub(crate) root: &'a VendorRoot,
    /// This server's key.
    pub(crate) key: &'a PublicKey,
}

/// Verifies an answer, and the document in it as if it had been uploaded; `jitter` is random.
pub(crate) fn read_answer(asked: &Asked<'_>, token: &str, jitter: u64) -> Result<Input, String> {
    let answer = verify_answer(token, asked.root, asked.workstation, &sha256_hex(asked.body));
    let answer = answer.map_err(|why| why.to_string())?;
    let document = answer.grant.as_ref().map(|grant| synced_document(asked, grant, answer.at)).transpose()?;
    let sha256 = sha256_hex(token.as_bytes()).into();
    Ok(Input::SyncAnswered { answer: Box::new(answer), sha256, document, jitter })
}

/// As of the portal's time: whether its lines run now is for the engine to say, and this machine's clock may be wrong.
fn synced_document(asked: &Asked<'_>, token: &str, at: Ms) -> Result<Document, String> {
    let file = with_grant(asked.file, token).ok_or("this server's own file is damaged")?;
    let read = files::read(file.as_bytes(), Some(asked.root), asked.key, None, at);
    read.map(|read| read.document).map_err(|problem| problem.what())
}

impl PortalParts {
    fn identity(&self) -> Option<(SigningKey, WorkstationId)> {
        Some((self.keys.key()?, self.keys.identity()?.workstation))
    }

    /// The way to the portal, as it was prepared before if that went well and is not long ago.
    fn link(&self) -> Result<PortalLink, LinkProblem> {
        let config = self.settings.get();
        let mut settings = LinkSettings::of(&config, &self.clock);
        if settings.portal_url.is_none() {
            settings.portal_url = self.db.upgrade().and_then(|db| db.read(store::portal_url).unwrap_or_default());
        }
        self.way.link(&config, &settings, self.clock.now())
    }

    fn portal_is_ready(&self) -> bool {
        self.link().is_ok_and(|link| link.is_ready(READY_WAIT))
    }

    fn jitter(&self) -> u64 {
        u64::from_le_bytes(self.random.draw(random::bytes))
    }

    /// One sync: asks the engine for the request, carries it, and gives the engine what came back.
    fn sync(&self) {
        let server = ServerFacts {
            version: crate::VERSION.to_owned(),
            host: leasehold_host::host_name(),
            machine: self.machine.to_string(),
            process: self.process.to_string(),
        };
        let Ok(Output::Sync(Some(out))) = self.engine.step_blocking(Input::Sync { server }) else { return };
        let (root, identity) = (self.trust.root(), self.identity());
        let (Some(root), Some((key, workstation))) = (root, identity) else {
            // Whatever was asked for is asked again: nothing else would bring it on its way.
            let _ = self.engine.step_blocking(Input::SyncFailed { jitter: self.jitter() });
            return;
        };
        let input = match self.ask(&out, &root, &key, workstation) {
            Ok(input) => {
                self.trouble.set(self.clock.now(), None);
                input
            }
            Err(failed) => {
                self.way.forget();
                self.trouble.set(self.clock.now(), Some(failed.told()));
                Input::SyncFailed { jitter: self.jitter() }
            }
        };
        if let Err(error) = self.engine.step_blocking(input) {
            tracing::warn!(%error, "the portal's answer could not be stored");
            // The disk is full, or the process is about to end: the request is asked again.
            let _ = self.engine.step_blocking(Input::SyncFailed { jitter: self.jitter() });
        }
    }

    fn ask(
        &self,
        out: &SyncOut,
        root: &VendorRoot,
        key: &SigningKey,
        workstation: WorkstationId,
    ) -> Result<Input, Failed> {
        let body = out.body.as_bytes();
        let token = sign_request(key, workstation, out.seq, body, self.clock.wall());
        let answer = self.link()?.post_json("/api/v1/sync", Some(&token), body, SYNC_WAIT)?;
        if answer.status != 200 {
            return Err(Failed::Told(refused(answer.status, &answer.body)));
        }
        let answered: SyncAnswered = serde_json::from_slice(&answer.body).map_err(|why| unbelievable(&why))?;
        let look = |engine: &leasehold_core::engine::Engine, _| engine.document().map(|document| document.file.clone());
        let file = self.engine.look_blocking(look).ok().flatten();
        let file = file.ok_or_else(|| unbelievable(&"this server holds no certificate"))?;
        let asked = Asked { body, workstation, file: &file, root, key: &key.public() };
        read_answer(&asked, &answered.answer, self.jitter()).map_err(|why| unbelievable(&why))
    }

    /// Brings the receipts of keys that were given up, until the portal has them.
    fn bring_receipts(&self) {
        let Some(db) = self.db.upgrade() else { return };
        let Ok(receipts) = db.read(store::receipts_to_bring) else { return };
        for (id, file) in receipts {
            let Ok(body) = serde_json::to_vec(&TakeReceipt { receipt: file }) else { continue };
            let brought = self.link().and_then(|link| link.post_json("/api/v1/sync/receipts", None, &body, SYNC_WAIT));
            match brought {
                Ok(answer) if PASSING.contains(&answer.status) => {
                    self.trouble.set(self.clock.now(), Some(refused(answer.status, &answer.body)));
                    self.due.receipt(self.clock.now().plus(RECEIPT_PAUSE_MS));
                    return;
                }
                // Taken, or taken before: whatever else the portal says to a receipt, it will not say another thing later.
                Ok(_) => {
                    if let Err(error) = db.write(move |tx| store::receipt_brought(tx, id)) {
                        tracing::warn!(%error, "it cannot be noted that a receipt is at the portal");
                    }
                }
                Err(problem) => {
                    self.way.forget();
                    self.trouble.set(self.clock.now(), Some(problem.told()));
                    self.due.receipt(self.clock.now().plus(RECEIPT_PAUSE_MS));
                    return;
                }
            }
        }
    }
}

impl std::fmt::Debug for PortalParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PortalParts").finish_non_exhaustive()
    }
}
