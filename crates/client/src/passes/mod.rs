//! Passes: seats that this machine has borrowed. They are used first and always, without asking a server; they are
//! extended while the server that lent them is in reach, and given back with a receipt.
//!
//! What is decided about clocks is decided in `leasehold_core::pass`; what is on disk is [`folder`]'s.

mod folder;
mod info;
mod returning;
mod seat;
mod trouble;

pub use info::{Lent, PassInfo, Returned, WhichPass};
pub(crate) use returning::{give_back, receipt_file};
pub(crate) use seat::{PassEvent, PassSeat};
pub use trouble::{PassFailure, PassTrouble};

use crate::client::{Checkout, Identity, Parts};
use crate::link::{Borrowed, Link};
use crate::seat::SeatInfo;
use crate::trouble::{ServerTrouble, Trouble, printable};
use folder::{Asked, Entry};
use leasehold_core::clock::Reading;
use leasehold_core::codes::DenialCode;
use leasehold_core::ids::{RequestId, WorkstationId};
use leasehold_core::license::FeatureCode;
use leasehold_core::pass::{Mark, SetBack, wants_extension};
use leasehold_core::time::{Clock, DAY_MS, HOUR_MS, Ms};
use leasehold_host::{FolderLock, LockError, OsRandom};
use leasehold_trust::pass::{PassRequestFacts, VerifiedPass, pass_request_file, read_pass_file, sign_pass_request};
use leasehold_trust::{SigningKey, VendorRoot};
use returning::{give_up, send, settle};
use std::path::PathBuf;
use std::sync::Arc;

/// A running application asks for more time this often while that comes to nothing, in milliseconds.
const EXTEND_AGAIN_MS: i64 = HOUR_MS;

/// Where the passes of this machine lie, and for whom.
pub(crate) struct Passes {
    folder: Option<PathBuf>,
    root: VendorRoot,
    machine: String,
    clock: Arc<dyn Clock>,
}

/// A pass on disk of which everything was verified.
struct Known {
    entry: Entry,
    pass: VerifiedPass,
}

impl Known {
    fn lender(&self) -> WorkstationId {
        self.pass.claims.iss
    }
}

impl Passes {
    pub(crate) fn new(folder: Option<PathBuf>, root: VendorRoot, machine: String, clock: Arc<dyn Clock>) -> Passes {
        Passes { folder, root, machine, clock }
    }

    fn entries(&self) -> Vec<Entry> {
        self.folder.as_deref().map(Entry::all).unwrap_or_default()
    }

    /// Whether this user has any on this machine.
    pub(crate) fn any(&self) -> bool {
        !self.entries().is_empty()
    }

    fn reading(&self) -> Reading {
        Reading { wall: self.clock.wall(), boottime_ms: self.clock.boottime_ms() }
    }

    /// A pass that lies in a folder, if it is one. Its dates are judged by the clock of the moment, which may be wrong:
    /// whether it may be used is [`Passes::usable`]'s question.
    fn known(&self, entry: &Entry) -> Option<Result<Known, PassTrouble>> {
        let file = entry.pass()?;
        let read = match read_pass_file(&file, &self.root, self.clock.wall()) {
            // A clock that is far behind: the certificates are judged by the time that was seen.
            Err(leasehold_trust::FileProblem::ClockWrong { .. }) => {
                let seen = entry.mark().map_or(self.clock.wall(), |mark| mark.at);
                read_pass_file(&file, &self.root, seen)
            }
            read => read,
        };
        let asked = || entry.asked().map(|asked| asked.feature).unwrap_or_default();
        Some(match read {
            Ok(pass) => Ok(Known { entry: entry.clone(), pass }),
            Err(problem) => Err(PassTrouble::Damaged { feature: asked(), why: problem.what() }),
        })
    }

    /// What time it is for a pass, or why it cannot be used.
    fn usable(&self, known: &Known) -> Result<Ms, PassTrouble> {
        let claims = &known.pass.claims;
        let of = || (claims.feature.to_string(), claims.exp);
        if known.entry.receipt().is_some() {
            let (feature, until) = of();
            return Err(PassTrouble::Returning { feature, until });
        }
        if claims.machine != self.machine {
            let (feature, _) = of();
            return Err(PassTrouble::OtherMachine { feature, host: claims.host.clone() });
        }
        let boot_id = leasehold_host::boot_id();
        // A pass without a mark was put here by hand: no time before it was signed is believed.
        let mark = known.entry.mark().unwrap_or(Mark { at: claims.iat, boottime_ms: 0, boot_id: String::new() });
        match mark.now(self.reading(), &boot_id) {
            Err(SetBack { behind_ms }) => {
                let (feature, _) = of();
                Err(PassTrouble::ClockSetBack { feature, behind_ms })
            }
            Ok(now) if now >= claims.exp => {
                let (feature, until) = of();
                Err(PassTrouble::Ended { feature, until })
            }
            Ok(now) => Ok(now),
        }
    }

    fn info(&self, known: &Known) -> PassInfo {
        let claims = &known.pass.claims;
        PassInfo {
            pass: claims.sub,
            feature: claims.feature.clone(),
            seats: claims.seats,
            in_use: known.entry.in_use(claims.sub, claims.seats),
            lender: known.pass.grant.grant.workstation_name.clone(),
            until: claims.exp,
            trouble: self.usable(known).err(),
        }
    }

    /// Every pass of this machine, and what is wrong with files that are none.
    pub(crate) fn all(&self) -> (Vec<PassInfo>, Vec<PassTrouble>) {
        let (mut passes, mut troubles) = (Vec::new(), Vec::new());
        for known in self.entries().iter().filter_map(|entry| self.known(entry)) {
            match known {
                Ok(known) => passes.push(self.info(&known)),
                Err(trouble) => troubles.push(trouble),
            }
        }
        (passes, troubles)
    }

    /// Seats of a pass, if this machine has one of the feature; else why those that it has cannot be used.
    pub(crate) fn take(&self, client: &Arc<Parts>, checkout: &Checkout) -> Result<PassSeat, Vec<PassTrouble>> {
        let mut troubles = Vec::new();
        for known in self.entries().iter().filter_map(|entry| self.known(entry)) {
            let known = match known {
                Ok(known) => known,
                Err(trouble) if trouble.feature() == checkout.feature => {
                    troubles.push(trouble);
                    continue;
                }
                Err(_) => continue,
            };
            let claims = &known.pass.claims;
            if claims.feature.as_str() != checkout.feature {
                continue;
            }
            let now = match self.usable(&known) {
                Ok(now) => now,
                Err(trouble) => {
                    troubles.push(trouble);
                    continue;
                }
            };
            if !covers(&known.pass, checkout) {
                troubles.push(PassTrouble::TooNew { feature: checkout.feature.clone() });
                continue;
            }
            let Some(locks) = known.entry.take(claims.sub, claims.seats, checkout.seats) else {
                let in_use = known.entry.in_use(claims.sub, claims.seats);
                troubles.push(PassTrouble::InUse { feature: checkout.feature.clone(), seats: claims.seats, in_use });
                continue;
            };
            let info = SeatInfo {
                server: None,
                lease: claims.sub.lease(),
                pass: Some(claims.sub),
                feature: claims.feature.clone(),
                seats: checkout.seats,
                ends_at: claims.exp,
            };
            let extend = extender(client.clone(), known.entry.clone());
            return Ok(PassSeat::begin(known.entry, locks, info, now, self.clock.clone(), extend));
        }
        Err(troubles)
    }

    fn lock(&self) -> Result<(PathBuf, FolderLock), PassFailure> {
        let folder = self.folder.clone().ok_or(PassFailure::NoFolder)?;
        std::fs::create_dir_all(&folder)
            .map_err(|error| PassFailure::Disk(leasehold_host::FileError::io("make", &folder, error)))?;
        match FolderLock::acquire(&folder) {
            Ok(lock) => Ok((folder, lock)),
            Err(LockError::Held { .. }) => Err(PassFailure::Busy),
            Err(LockError::File(error)) => Err(PassFailure::Disk(error)),
        }
    }

    /// Keeps a pass that was answered, after everything in it was verified against what was asked.
    fn keep(&self, entry: &Entry, key: &SigningKey, file: &str) -> Result<Known, PassFailure> {
        let pass = read_pass_file(file.as_bytes(), &self.root, self.clock.wall()).map_err(PassFailure::File)?;
        let claims = &pass.claims;
        if claims.jkt != key.thumbprint() {
            return Err(PassFailure::OtherKey);
        }
        if claims.machine != self.machine {
            return Err(PassFailure::Trouble(PassTrouble::OtherMachine {
                feature: claims.feature.to_string(),
                host: claims.host.clone(),
            }));
        }
        let (reading, boot_id) = (self.reading(), leasehold_host::boot_id());
        // Signed just now, so that it is at least as late as that: a clock that was set back before lengthens nothing.
        let seen = entry.mark().map_or(claims.iat, |mark| mark.at.max(claims.iat));
        let mark = Mark { at: reading.wall.max(seen), boottime_ms: reading.boottime_ms, boot_id };
        entry.set_pass(file, claims.seats, &mark).map_err(PassFailure::Disk)?;
        Ok(Known { entry: entry.clone(), pass })
    }
}

/// Whether a line on which the pass may stand serves an application that was released when this one was.
fn covers(pass: &VerifiedPass, checkout: &Checkout) -> bool {
    let claims = &pass.claims;
    pass.grant.grant.lines.iter().any(|line| {
        let stands =
            line.capacity(claims.feature.as_str()) > 0 && line.terms.borrow_days_max > 0 && claims.exp <= line.until;
        let serves = match (line.terms.released_before, checkout.released_on) {
            (None, _) => true,
            (Some(maintained), Some(released)) => released <= maintained,
            (Some(_), None) => false,
        };
        stands && serves
    })
}

fn request(key: &SigningKey, asked: &Asked, machine: &str, feature: FeatureCode, now: Ms) -> String {
    let facts = PassRequestFacts {
        request: RequestId::draw(now, &mut OsRandom),
        issued_at: now.floor_to_second(),
        feature,
        seats: asked.seats,
        days: asked.days,
        version: asked.version.clone(),
        released_on: asked.released_on,
        user: asked.user.clone(),
        host: asked.host.clone(),
        machine: machine.to_owned(),
    };
    sign_pass_request(key, &facts)
}

/// Asks for more time while an application runs: from half of the term, once an hour, whoever lent it being in reach.
fn extender(client: Arc<Parts>, entry: Entry) -> Box<dyn FnMut(Ms) -> Option<Ms> + Send> {
    let mut tried: Option<Ms> = None;
    Box::new(move |now| {
        let known = client.passes.known(&entry)?.ok()?;
        let claims = &known.pass.claims;
        let due = wants_extension(claims.nbf, claims.exp, now)
            && tried.is_none_or(|tried| now.since(tried) >= EXTEND_AGAIN_MS);
        if !due {
            return None;
        }
        tried = Some(now);
        let (_, _lock) = client.passes.lock().ok()?;
        let days = entry.asked()?.days;
        extend(&client, &known, days).ok().map(|lent| lent.pass.until)
    })
}

/// How far this machine's clock is behind the license server's, in milliseconds, if that can be asked; negative if it is
/// ahead.
fn behind_ms(link: &Link, passes: &Passes) -> Option<i64> {
    link.status().ok().map(|status| status.server_time.0.since(passes.clock.wall()))
}

/// A pass that begins more than a day after this machine's clock could not be used: nobody is asked for it. Nor for one
/// that could not be used any more when a clock that is ahead is set right, unless it `is_used` by that clock already.
fn check_clock(link: &Link, passes: &Passes, is_used: bool) -> Result<(), PassFailure> {
    match behind_ms(link, passes) {
        Some(behind_ms) if behind_ms > DAY_MS || (behind_ms < -DAY_MS && !is_used) => {
            Err(PassFailure::Clock { behind_ms })
        }
        Some(_) | None => Ok(()),
    }
}

/// The server that lent a pass, if it can be reached. No other may be asked: it would lend other seats to the same key.
fn lender_of(client: &Parts, lender: WorkstationId) -> Result<Arc<Link>, Vec<ServerTrouble>> {
    let mut troubles = Vec::new();
    for link in &client.links {
        match link.status() {
            Ok(status) if status.activation.as_ref().is_some_and(|own| own.workstation == lender) => {
                return Ok(link.clone());
            }
            Ok(_) => {}
            Err(trouble) => troubles.push(ServerTrouble { server: link.address.clone(), trouble }),
        }
    }
    Err(troubles)
}

fn extend(client: &Arc<Parts>, known: &Known, days: u32) -> Result<Lent, PassFailure> {
    let passes = &client.passes;
    let (Some(key), Some(asked)) = (known.entry.key(), known.entry.asked()) else { return Err(PassFailure::OtherKey) };
    let link = lender_of(client, known.lender()).map_err(|servers| PassFailure::LenderAway {
        lender: known.pass.grant.grant.workstation_name.clone(),
        servers,
    })?;
    check_clock(&link, passes, true)?;
    let asked = Asked { days, server: Some(link.address.to_string()), ..asked };
    let token = request(&key, &asked, &passes.machine, known.pass.claims.feature.clone(), passes.clock.wall());
    match link.borrow(&token) {
        Ok(borrowed) => {
            let claims = &known.pass.claims;
            // What it comes with may not reach as far as the pass does: seats that were kept until then, and are not any
            // more. The pass is good until its end all the same.
            if borrowed.pass == claims.sub && borrowed.until <= claims.exp {
                return Ok(Lent {
                    pass: passes.info(known),
                    extended: false,
                    unchanged: true,
                    why: borrowed.not_extended.as_deref().map(sentence),
                    wanted_until: borrowed.wanted_until,
                    cut: borrowed.cut,
                    days_max: claims.days_max,
                });
            }
            known.entry.set_asked(&asked).map_err(PassFailure::Disk)?;
            lent(passes, &known.entry, &key, &borrowed, borrowed.pass == claims.sub)
        }
        Err(trouble) => Err(refused(&link, trouble)),
    }
}

/// The longest of what a server says that is shown, in characters.
const SENTENCE_CHARS_MAX: usize = 1_000;

/// What a server says, as far as it can be shown.
fn sentence(said: &str) -> String {
    printable(said).chars().take(SENTENCE_CHARS_MAX).collect()
}

/// Whether the license server says that a pass is over.
fn is_over(trouble: &Trouble) -> bool {
    matches!(trouble, Trouble::Denied { code: DenialCode::PassOver, .. })
}

fn refused(link: &Link, trouble: Trouble) -> PassFailure {
    PassFailure::Servers(vec![ServerTrouble { server: link.address.clone(), trouble }])
}

fn lent(
    passes: &Passes,
    entry: &Entry,
    key: &SigningKey,
    borrowed: &Borrowed,
    extended: bool,
) -> Result<Lent, PassFailure> {
    let known = passes.keep(entry, key, &borrowed.file)?;
    Ok(Lent {
        pass: passes.info(&known),
        extended,
        unchanged: false,
        why: None,
        wanted_until: borrowed.wanted_until,
        cut: borrowed.cut,
        days_max: known.pass.claims.days_max,
    })
}

/// Borrows seats for `days`, or extends the pass that there is of the feature and number of seats.
pub(crate) fn borrow(
    client: &Arc<Parts>,
    identity: &Identity,
    checkout: &Checkout,
    days: u32,
) -> Result<Lent, PassFailure> {
    let feature = check(checkout, days)?;
    let passes = &client.passes;
    let (folder, _lock) = passes.lock()?;
    settle(client);
    let (mut pending, mut over) = (None, Vec::new());
    for entry in passes.entries() {
        match passes.known(&entry) {
            Some(Ok(known)) => {
                let claims = &known.pass.claims;
                let same = claims.feature == feature && claims.seats == checkout.seats;
                let usable = if same { passes.usable(&known).map(drop) } else { continue };
                // Its clock was ahead once: nothing here can prove that it was not set back. The seats are not to be out twice.
                // One that is behind now is set right, and the pass serves again.
                if matches!(usable, Err(PassTrouble::ClockSetBack { .. }))
                    && let Ok(link) = lender_of(client, known.lender())
                    && behind_ms(&link, passes).is_some_and(|behind_ms| behind_ms.abs() <= HOUR_MS)
                {
                    let receipt = give_up(passes, &known)?;
                    send(passes, &link, &known, &receipt)?;
                } else if usable.is_ok() {
                    match extend(client, &known, days) {
                        // Declared lost: another takes its place, if there is one.
                        Err(PassFailure::Servers(servers)) if servers.iter().any(|entry| is_over(&entry.trouble)) => {
                            over.push(known);
                        }
                        extended => return extended,
                    }
                }
            }
            Some(Err(_)) => {}
            // Asked for, and the answer never came: the same key gets the same pass.
            None => {
                let same = |asked: &Asked| asked.feature == checkout.feature && asked.seats == checkout.seats;
                if let Some(asked) = entry.asked().filter(same)
                    && asked.server.is_some()
                {
                    pending = Some((entry, asked));
                }
            }
        }
    }
    let mut troubles = Vec::new();
    let again = pending.as_ref().and_then(|(_, asked)| asked.server.clone());
    let first = client.links.iter().filter(|link| Some(link.address.to_string()) == again);
    let others = client.links.iter().filter(|link| Some(link.address.to_string()) != again);
    for link in first.chain(others) {
        if let Err(trouble) = link.is_up() {
            troubles.push(ServerTrouble { server: link.address.clone(), trouble });
            continue;
        }
        check_clock(link, passes, false)?;
        let asked = asked(checkout, identity, days, Some(link.address.to_string()));
        let known = pending.take_if(|(_, before)| before.server == asked.server);
        let (entry, key) = match known.and_then(|(entry, _)| entry.key().map(|key| (entry, key))) {
            Some((entry, key)) => (entry, key),
            None => Entry::make(&folder, &asked).map_err(PassFailure::Disk)?,
        };
        let token = request(&key, &asked, &passes.machine, feature.clone(), passes.clock.wall());
        match link.borrow(&token) {
            Ok(borrowed) => {
                let lent = lent(passes, &entry, &key, &borrowed, false)?;
                for old in &over {
                    put_back(client, old);
                }
                return Ok(lent);
            }
            // It may have been done: the key is kept, and asked with again.
            Err(trouble) if trouble.is_passing() => return Err(refused(link, trouble)),
            Err(trouble) => {
                entry.remove().map_err(PassFailure::Disk)?;
                troubles.push(ServerTrouble { server: link.address.clone(), trouble });
            }
        }
    }
    Err(match over.iter().max_by_key(|old| old.pass.claims.exp) {
        Some(old) => PassFailure::NoOther {
            feature: old.pass.claims.feature.to_string(),
            until: old.pass.claims.exp,
            servers: troubles,
        },
        None => PassFailure::Servers(troubles),
    })
}

/// Gives back a pass in whose place there is another now: its license server may still count its seats. If it is in use
/// it stays, and is returned by whoever closes the application; if its lender is away, the receipt is brought later.
fn put_back(client: &Parts, old: &Known) {
    let passes = &client.passes;
    if let Ok(receipt) = give_up(passes, old)
        && let Ok(link) = lender_of(client, old.lender())
    {
        // Not taken: it stays given up, and is brought again by the next command.
        let _ = send(passes, &link, old, &receipt);
    }
}

fn check(checkout: &Checkout, days: u32) -> Result<FeatureCode, PassFailure> {
    let feature = FeatureCode::new(&checkout.feature)
        .map_err(|error| PassFailure::BadRequest(format!("The feature {error}.")))?;
    if days == 0 || i64::from(days) * DAY_MS > 3_660 * DAY_MS {
        return Err(PassFailure::BadRequest("The number of days must be from 1 to 3660.".to_owned()));
    }
    if checkout.seats == 0 || checkout.seats > 10_000 {
        return Err(PassFailure::BadRequest("The number of seats must be from 1 to 10,000.".to_owned()));
    }
    Ok(feature)
}

fn asked(checkout: &Checkout, identity: &Identity, days: u32, server: Option<String>) -> Asked {
    Asked {
        feature: checkout.feature.clone(),
        seats: checkout.seats,
        days,
        version: checkout.version.clone(),
        released_on: checkout.released_on,
        user: identity.user.clone(),
        host: identity.host.clone(),
        server,
    }
}

/// A request to be carried to the license server as a file; its answer is taken by [`import`].
pub(crate) fn request_file(
    client: &Arc<Parts>,
    identity: &Identity,
    checkout: &Checkout,
    days: u32,
) -> Result<String, PassFailure> {
    let feature = check(checkout, days)?;
    let passes = &client.passes;
    let (folder, _lock) = passes.lock()?;
    settle(client);
    let same = |known: &Known| {
        let claims = &known.pass.claims;
        claims.feature == feature && claims.seats == checkout.seats && passes.usable(known).is_ok()
    };
    let known = passes.entries().iter().filter_map(|entry| passes.known(entry)?.ok()).find(same);
    let (key, asked) = match known.and_then(|known| Some((known.entry.key()?, known.entry.asked()?))) {
        // By the same key: the pass is extended.
        Some((key, asked)) => (key, Asked { days, ..asked }),
        None => {
            let asked = asked(checkout, identity, days, None);
            let (_, key) = Entry::make(&folder, &asked).map_err(PassFailure::Disk)?;
            (key, asked)
        }
    };
    Ok(pass_request_file(&request(&key, &asked, &passes.machine, feature, passes.clock.wall())))
}

/// Takes a pass file that answers a request of this machine.
pub(crate) fn import(client: &Arc<Parts>, file: &str) -> Result<PassInfo, PassFailure> {
    let passes = &client.passes;
    let (_, _lock) = passes.lock()?;
    let pass = read_pass_file(file.as_bytes(), &passes.root, passes.clock.wall()).map_err(PassFailure::File)?;
    let named = |entry: &Entry| entry.path().file_name().is_some_and(|name| name == pass.claims.jkt.as_str());
    let entry = passes.entries().into_iter().find(named);
    let Some(entry) = entry else {
        let claims = &pass.claims;
        if claims.machine != passes.machine {
            let (feature, host) = (claims.feature.to_string(), claims.host.clone());
            return Err(PassFailure::Trouble(PassTrouble::OtherMachine { feature, host }));
        }
        return Err(PassFailure::OtherKey);
    };
    if entry.receipt().is_some() {
        let (feature, until) = (pass.claims.feature.to_string(), pass.claims.exp);
        return Err(PassFailure::Trouble(PassTrouble::Returning { feature, until }));
    }
    let key = entry.key().ok_or(PassFailure::OtherKey)?;
    if let Some(Ok(before)) = passes.known(&entry)
        && before.pass.claims.exp > pass.claims.exp
    {
        // An older answer to the same key: the longer one stays.
        return Ok(passes.info(&before));
    }
    let known = passes.keep(&entry, &key, file)?;
    Ok(passes.info(&known))
}
