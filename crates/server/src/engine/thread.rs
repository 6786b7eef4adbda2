//! The engine's thread: takes what waits, steps it at one instant, writes it in one commit, answers it.

use super::health::{Health, Reporter};
use super::mailbox::{EngineHandle, Look, Message, Refusal, Reply};
use super::restore::Restorer;
use crate::clock::ServerClock;
use crate::config::Settings;
use crate::keys::Keys;
use crate::meters::{Meters, Tally};
use crate::store::{self, Batch};
use crate::trust::Trust;
use crate::upstream::{Due, files};
use crate::usage::Owned;
use leasehold_core::clock::StartVerdict;
use leasehold_core::engine::{Act, Engine, Input, Output, Write};
use leasehold_core::ids::LeaseId;
use leasehold_core::time::{DAY_MS, HOUR_MS, MINUTE_MS, Ms, SECOND_MS};
use leasehold_core::times::TimeTable;
use leasehold_db::{Db, DbError};
use leasehold_host::Stopwatch;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Most messages in one batch.
const BATCH_MAX: usize = 1_024;
/// Longest sleep, in milliseconds. The wait does not count suspend, and leases must be freed soon after waking up.
const SLEEP_MAX_MS: i64 = SECOND_MS;
/// Between two ticks, in milliseconds.
const TICK_MS: i64 = MINUTE_MS;
/// Nothing is pruned for this long after a start, in milliseconds: what a clock that was set ahead made look old must
/// not be gone before somebody sees it, nor before the keys in it are forgotten.
const PRUNE_AFTER_MS: i64 = HOUR_MS;
/// The same after a start that found the clock further ahead than [`LONG_AHEAD_MS`].
const PRUNE_AFTER_LONG_AHEAD_MS: i64 = 2 * DAY_MS;
/// Longer than a weekend, in milliseconds.
const LONG_AHEAD_MS: i64 = 7 * DAY_MS;
/// After a commit that stored nothing (full disk), nothing is tried for this long, in milliseconds: reading everything back costs time that
/// running leases need.
const STALL_PAUSE_MS: i64 = SECOND_MS;

/// What the thread works with.
#[derive(Debug)]
pub(crate) struct EngineParts {
    /// The server's database.
    pub(crate) db: Db,
    /// The server's time.
    pub(crate) clock: ServerClock,
    /// The engine as it was read from the database.
    pub(crate) engine: Engine,
    /// The vendor's root; pinned with the first document.
    pub(crate) trust: Trust,
    /// The server's keys.
    pub(crate) keys: Arc<Keys>,
    /// Fingerprint of this machine.
    pub(crate) machine: Box<str>,
    /// Told what was stored and how long it took.
    pub(crate) meters: Meters,
    /// Told when the portal should hear something.
    pub(crate) portal: Due,
    /// Told once a minute how many seats are owned, and when a document came in.
    pub(crate) owned: Owned,
    /// Whether users and hosts are named in the usage log, and how long it is kept.
    pub(crate) settings: Settings,
}

/// Nothing that is old goes before this instant: a clock that was set ahead may have made it look so.
pub(crate) fn prune_from(clock: &ServerClock) -> Ms {
    clock.now().plus(match clock.verdict() {
        StartVerdict::Ahead { by_ms } if by_ms > LONG_AHEAD_MS => PRUNE_AFTER_LONG_AHEAD_MS,
        _ => PRUNE_AFTER_MS,
    })
}

/// Starts the thread.
pub(crate) fn start(parts: EngineParts) -> std::io::Result<(EngineHandle, JoinHandle<()>)> {
    let (reporter, health) = Reporter::new();
    let (handle, mailbox) = EngineHandle::new(health, parts.meters.clone());
    let next_tick = parts.clock.now();
    let prune_from = prune_from(&parts.clock);
    let mut thread = Thread {
        parts,
        mailbox,
        reporter: reporter.clone(),
        next_tick,
        prune_from,
        stalled_until: None,
        waiting: HashMap::new(),
    };
    let joined = std::thread::Builder::new().name("engine".to_owned()).spawn(move || {
        // Whatever happens here, the process must learn of it: an engine that is gone answers nobody.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| thread.run())) {
            let said = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref().copied());
            reporter.report(Health::Failed(format!("programming error: {}", said.unwrap_or("no message"))));
        }
    })?;
    Ok((handle, joined))
}

struct Thread {
    parts: EngineParts,
    mailbox: Receiver<Message>,
    reporter: Reporter,
    next_tick: Ms,
    /// Nothing is pruned before.
    prune_from: Ms,
    /// A commit stored nothing; the next one is tried at this instant.
    stalled_until: Option<Ms>,
    /// Whose checkouts wait for the portal.
    waiting: HashMap<LeaseId, Vec<Reply>>,
}

/// The thread must end: what is on disk is not known.
struct Ended;

/// Lease, number and nonce of what may be done again after a rebuild, because it changes memory only.
type Beat = Option<(LeaseId, u64, Box<str>)>;
type Stepped = (Reply, Beat, Output);

impl Thread {
    fn run(&mut self) {
        loop {
            let (messages, stop) = match self.take() {
                Ok(taken) => taken,
                Err(Ended) => return,
            };
            if self.batch(messages, stop).is_err() || stop {
                return;
            }
        }
    }

    /// Waits for messages, and takes all that wait.
    fn take(&self) -> Result<(Vec<Message>, bool), Ended> {
        let mut messages = Vec::new();
        let mut stop = false;
        match self.mailbox.recv_timeout(self.sleep()) {
            Ok(Message::Stop) => stop = true,
            Ok(first) => messages.push(first),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(Ended),
        }
        while !stop && messages.len() < BATCH_MAX {
            match self.mailbox.try_recv() {
                Ok(Message::Stop) => stop = true,
                Ok(next) => messages.push(next),
                Err(_) => break,
            }
        }
        Ok((messages, stop))
    }

    fn sleep(&self) -> Duration {
        let now = self.parts.clock.now();
        let engine = &self.parts.engine;
        let due = [engine.pool().next_freed_at(), engine.waits_until()].into_iter().flatten().min();
        let due = due.map_or(self.next_tick, |due| due.min(self.next_tick));
        let wait_ms = due.since(now).clamp(0, SLEEP_MAX_MS);
        // While nothing can be stored, nothing comes due: it is tried again after the pause.
        let wait_ms = self.stalled_until.map_or(wait_ms, |until| until.since(now).clamp(0, SLEEP_MAX_MS));
        Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0))
    }

    /// One batch: step, commit, answer.
    fn batch(&mut self, messages: Vec<Message>, stop: bool) -> Result<(), Ended> {
        let now = self.parts.clock.now();
        let paused = match self.stalled_until {
            None => false,
            Some(until) => now < until || !self.stores_again(now)?,
        };
        let mut writes = Vec::new();
        let mut stepped = Vec::with_capacity(messages.len());
        let mut looks: Vec<Look> = Vec::new();
        for message in messages {
            match message {
                Message::Step { input, reply } => {
                    let beat = self.beat(&input);
                    let needs_disk = !matches!(input, Input::Rules { .. });
                    if paused && beat.is_none() && needs_disk {
                        reply.send(Err(Refusal::Stalled));
                        continue;
                    }
                    match self.parts.engine.step(now, input, &mut writes) {
                        Output::Waits(id) => self.waiting.entry(id).or_default().push(reply),
                        output => stepped.push((reply, beat, output)),
                    }
                }
                Message::Look(look) => looks.push(look),
                Message::Stop => {}
            }
        }
        let tick = !paused && (stop || now >= self.next_tick || self.is_due(now));
        if tick {
            self.parts.engine.step(now, Input::Tick, &mut writes);
            self.next_tick = now.plus(TICK_MS);
        }
        if !paused {
            for (id, output) in self.parts.engine.resolve(now, &mut writes) {
                let replies = self.waiting.remove(&id).unwrap_or_default();
                stepped.extend(replies.into_iter().map(|reply| (reply, None, output.clone())));
            }
        }
        match self.commit(now, writes, tick) {
            Ok(()) => {
                self.follow_time(now, &stepped)?;
                self.put_in_force(&stepped)?;
                if tick || stepped.iter().any(|(.., output)| loaded(output)) {
                    self.parts.owned.set(self.parts.engine.pool(), now);
                }
                answer(stepped);
            }
            Err(error) if nothing_stored(&error) => self.stall(now, &error, stepped)?,
            Err(error) => return self.fail(&error, stepped),
        }
        let now = self.parts.clock.now();
        self.parts.portal.tell(self.parts.engine.sync_due());
        looks.into_iter().for_each(|look| look(&self.parts.engine, now));
        if paused { Ok(()) } else { self.retire_if_drained(now) }
    }

    /// Heartbeats, and resumes of leases that are known, need no disk and are done again after a rebuild.
    fn beat(&self, input: &Input) -> Beat {
        let known = |lease: &LeaseId| self.parts.engine.pool().lease(*lease).is_some();
        match input {
            Input::Heartbeat { lease, n, nonce } => Some((*lease, *n, nonce.clone())),
            Input::Resume { lease, n, nonce, .. } if known(lease) => Some((*lease, *n, nonce.clone())),
            _ => None,
        }
    }

    fn is_due(&self, now: Ms) -> bool {
        let engine = &self.parts.engine;
        engine.pool().next_freed_at().is_some_and(|due| due <= now) || engine.unknown_due(now)
    }

    /// A tick is always stored, so that the high-water mark of time stays fresh on an idle server.
    fn commit(&mut self, now: Ms, writes: Vec<Write>, tick: bool) -> Result<(), DbError> {
        if writes.is_empty() && !tick {
            return Ok(());
        }
        let settings = self.parts.settings.get();
        let keep_ms = i64::from(settings.usage_keep_days) * DAY_MS;
        let prunes = tick && now >= self.prune_from;
        let tally = Tally::of(&writes);
        let names = settings.usage_names;
        let batch = Batch { now, writes, names, prune_events_before: prunes.then(|| now.plus(-keep_ms)) };
        let took = Stopwatch::start();
        self.parts.db.write(move |tx| store::commit(tx, &batch))?;
        self.parts.meters.committed(tally, took.elapsed());
        self.stalled_until = None;
        self.reporter.report(Health::Ok);
        Ok(())
    }

    /// A document or the portal has proved what time it is, and that is on disk: goes on from there.
    fn follow_time(&mut self, now: Ms, stepped: &[Stepped]) -> Result<(), Ended> {
        let proved = stepped.iter().rev().find_map(|(.., output)| match output {
            Output::Installed { set_back_to, .. } => *set_back_to,
            Output::Synced { set_time_to, .. } => *set_time_to,
            _ => None,
        });
        let Some(to) = proved else { return Ok(()) };
        tracing::warn!(from = %now.rfc3339(), to = %to.rfc3339(), "the vendor's signature proves that this server's time was wrong: it is set");
        self.parts.clock.set(to);
        (self.next_tick, self.prune_from) = (to, to.plus(PRUNE_AFTER_MS));
        self.restore(to, now)
    }

    /// A new document is on disk: leases are signed by it from now on. Here and not by whoever uploaded it, who may be gone.
    fn put_in_force(&self, stepped: &[Stepped]) -> Result<(), Ended> {
        let installed = stepped.iter().any(|(.., output)| loaded(output));
        let (Some(key), Some(document)) = (self.parts.keys.key(), self.parts.engine.document()) else { return Ok(()) };
        if !installed {
            return Ok(());
        }
        let root = self.parts.trust.root();
        let read = files::read(document.file.as_bytes(), root.as_ref(), &key.public(), None, document.grant.issued_at);
        match read {
            Ok(reread) => {
                self.parts.keys.activate(&key, &reread.activation);
                self.parts.trust.pin(reread.activation.root);
                Ok(())
            }
            Err(problem) => {
                self.reporter.report(Health::Failed(problem.what()));
                Err(Ended)
            }
        }
    }

    /// Tries whether changes can be stored again, with a commit that leaves nothing in memory to be undone.
    fn stores_again(&mut self, now: Ms) -> Result<bool, Ended> {
        match self.commit(now, Vec::new(), true) {
            Ok(()) => Ok(true),
            Err(error) if nothing_stored(&error) => {
                self.stalled_until = Some(now.plus(STALL_PAUSE_MS));
                Ok(false)
            }
            Err(error) => self.fail(&error, Vec::new()).map(|()| false),
        }
    }

    /// Nothing of the batch was stored, so memory is built anew from what was. Heartbeats go on: they need no disk.
    fn stall(&mut self, now: Ms, error: &DbError, stepped: Vec<Stepped>) -> Result<(), Ended> {
        self.stalled_until = Some(now.plus(STALL_PAUSE_MS));
        self.reporter.report(Health::Stalled(error.to_string()));
        self.rebuild(now)?;
        let mut writes = Vec::new();
        for (reply, beat, _) in stepped {
            match beat {
                Some((lease, n, nonce)) if writes.is_empty() => {
                    let input = Input::Heartbeat { lease, n, nonce };
                    let output = self.parts.engine.step(now, input, &mut writes);
                    reply.send(if writes.is_empty() { Ok(output) } else { Err(Refusal::Stalled) });
                }
                _ => reply.send(Err(Refusal::Stalled)),
            }
        }
        // A heartbeat that had something to store: it is in memory now and must not stay there.
        if writes.is_empty() { Ok(()) } else { self.rebuild(now) }
    }

    fn rebuild(&mut self, now: Ms) -> Result<(), Ended> {
        self.restore(now, now)
    }

    /// Memory anew from what is on disk; it was `former_now` by the memory that there is.
    fn restore(&mut self, now: Ms, former_now: Ms) -> Result<(), Ended> {
        let restorer = Restorer {
            db: self.parts.db.clone(),
            trust: self.parts.trust.root(),
            key: self.parts.keys.key().map(|key| key.public()),
            machine: self.parts.machine.clone(),
        };
        match restorer.read(now) {
            Ok((restored, _)) => {
                let mut engine = Engine::restore(restored, StartVerdict::Plausible, now, TimeTable::DEFAULT);
                engine.take_over(now, &mut self.parts.engine, former_now);
                self.parts.engine = engine;
                Ok(())
            }
            Err(error) => {
                self.reporter.report(Health::Failed(error.to_string()));
                Err(Ended)
            }
        }
    }

    fn fail(&mut self, error: &DbError, stepped: Vec<Stepped>) -> Result<(), Ended> {
        // Reported first: whoever reads the answers may look at the health next.
        self.reporter.report(Health::Failed(error.to_string()));
        for (reply, ..) in stepped {
            reply.send(Err(Refusal::OutcomeUnknown));
        }
        Err(Ended)
    }

    /// The last step of disabling: the receipt is on disk before the key is destroyed.
    fn retire_if_drained(&mut self, now: Ms) -> Result<(), Ended> {
        if !self.parts.engine.drained(now) {
            return Ok(());
        }
        let Some(document) = self.parts.engine.document() else { return Ok(()) };
        let workstation = document.grant.workstation.to_string();
        // What cannot be read is not worth keeping seats for.
        let usage = self.parts.db.read(move |tx| store::usage_summary(tx, &workstation, now));
        let usage = usage.inspect_err(|error| tracing::warn!(%error, "the receipt tells no usage")).ok().flatten();
        let Some(receipt) = self.parts.keys.receipt(document, usage, self.parts.clock.wall()) else {
            return Ok(());
        };
        let act = Act { who: "license server".into(), address: None };
        let mut writes = Vec::new();
        self.parts.engine.step(now, Input::Retire { receipt, act }, &mut writes);
        match self.commit(now, writes, false) {
            Ok(()) => {
                self.parts.keys.destroy();
                self.parts.portal.receipt(now);
                Ok(())
            }
            Err(error) if nothing_stored(&error) => self.stall(now, &error, Vec::new()),
            Err(error) => self.fail(&error, Vec::new()),
        }
    }
}

/// Whether a commit failed in a way that leaves the file as it was and may pass.
fn nothing_stored(error: &DbError) -> bool {
    matches!(error, DbError::Full { .. } | DbError::Locked { .. })
}

/// A new document is in force.
fn loaded(output: &Output) -> bool {
    matches!(output, Output::Installed { .. } | Output::Synced { installed: true, .. })
}

fn answer(stepped: Vec<Stepped>) {
    for (reply, _, output) in stepped {
        reply.send(Ok(output));
    }
}
