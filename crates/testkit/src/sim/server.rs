//! The shell around a license server: batches, commits, crashes and starts, over the server's own store.

use super::events::{Event, Letter, What, answered, reply};
use super::machine::Machine;
use super::outcome::{Law, Violation};
use super::pass::PassCall;
use super::plant::Plant;
use super::trace::{told, written};
use super::truth::OnDisk;
use super::world::{World, tell};
use leasehold_core::clock::{EngineClock, StartVerdict};
use leasehold_core::engine::{
    Act, Allowance, Document, Engine, EventKind, GiveBack, Input, Output, SyncOut, Whom, Write,
};
use leasehold_core::ids::{LeaseId, LicenseId, PassId, RequestId, WorkstationId};
use leasehold_core::session::{Request, SessionInput};
use leasehold_core::sync::ServerFacts;
use leasehold_core::time::{MINUTE_MS, Ms, SECOND_MS};
use leasehold_core::times::TimeTable;
use leasehold_db::DbError;
use leasehold_server::testing;
use leasehold_trust::SigningKey;
use std::collections::BTreeMap;

/// After a full disk nothing is stored for this long, as in the server's own thread.
const STALL_MS: i64 = SECOND_MS;

/// A license server with its machine.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) machine: Machine,
    /// Its key file: which of the simulator's keys.
    pub(super) key: Option<usize>,
    pub(super) running: Option<Running>,
    /// What has arrived and waits for the server's thread.
    pub(super) inbox: Vec<Letter>,
    pub(super) commands: Vec<Command>,
    /// When its thread runs next.
    batch_ms: i64,
    /// The try of a sync that waits for its answer.
    pub(super) flight: Option<u64>,
    /// Whose checkouts wait for the portal.
    waiting: BTreeMap<LeaseId, Vec<Letter>>,
    /// Wishes to borrow that wait for the portal.
    borrowing: BTreeMap<LeaseId, Vec<(usize, PassCall)>>,
    /// It is enabled online when it is activated, not by file.
    pub(super) online: bool,
    /// For whom it is enabled.
    pub(super) for_whom: ForWhom,
    /// As which workstation the portal knows it.
    pub(super) workstation: Option<WorkstationId>,
    /// A copy of its data folder that somebody made.
    pub(super) copy: Option<DiskCopy>,
}

/// For whom a server is enabled, and by which account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ForWhom {
    /// For everybody in the organization.
    Organization,
    /// For the owner of the licenses alone.
    Owner,
    /// For somebody to whom seats are assigned.
    Member,
}

/// A copy of a data folder.
#[derive(Clone, Debug)]
pub(super) struct DiskCopy {
    pub(super) database: Vec<u8>,
    pub(super) key: Option<usize>,
    pub(super) on_disk: OnDisk,
}

/// The process.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) engine: Engine,
    pub(super) clock: EngineClock,
    next_tick: Ms,
    stalled_until: Option<Ms>,
}

/// An act of an administrator, waiting for the server's thread.
#[derive(Debug)]
pub(super) enum Command {
    Install(Box<Document>),
    Drain,
    Release(Whom),
    /// So many seats of licenses are kept, the others given back.
    GiveBack(BTreeMap<LicenseId, u32>),
    /// A request or receipt of a machine that borrows.
    Pass {
        borrower: usize,
        call: PassCall,
    },
    Lose {
        pass: PassId,
        write_off: Option<Allowance>,
    },
    /// Of online licensing: an answer, a failure, the bell.
    Sync(Box<Input>),
}

/// What one batch came to, before it is on disk.
#[derive(Default)]
struct Stepped {
    answers: Vec<(Letter, Beat, Output)>,
    passes: Vec<(usize, PassCall, Output)>,
    tick: bool,
    set_time_to: Option<Ms>,
    sync: Option<SyncOut>,
    given_back: Vec<GiveBack>,
}

/// How a commit came out.
enum Commit {
    Stored,
    DiskFull,
    Died,
}

/// What can be done again after memory was rebuilt, because it needs no disk.
type Beat = Option<Input>;

pub(super) fn act() -> Act {
    Act { who: "administrator".into(), address: None }
}

impl World<'_, '_> {
    pub(super) fn add_server(&mut self) {
        let drift_ppm = self.between(-500, 500);
        let online = self.per_mille(self.dice.online);
        let for_whom = match self.below(4) {
            _ if !online => ForWhom::Organization,
            0 => ForWhom::Owner,
            1 => ForWhom::Member,
            _ => ForWhom::Organization,
        };
        self.sim.begin_server(self.servers.len());
        self.servers.push(Server {
            machine: Machine::new(drift_ppm, true),
            key: None,
            running: None,
            inbox: Vec::new(),
            commands: Vec::new(),
            batch_ms: i64::MAX,
            flight: None,
            waiting: BTreeMap::new(),
            borrowing: BTreeMap::new(),
            online,
            for_whom,
            workstation: None,
            copy: None,
        });
        self.truth.servers.push(super::truth::ServerTruth::default());
    }

    /// The server's now, if it runs.
    pub(super) fn server_now(&self, server: usize) -> Option<Ms> {
        let server = &self.servers[server];
        server.running.as_ref().map(|running| running.clock.now(server.machine.boottime_ms(self.at_ms)))
    }

    pub(super) fn key_of(&self, server: usize) -> Option<SigningKey> {
        self.servers[server].key.map(|key| self.sim.keys[key].clone())
    }

    fn times(&self) -> TimeTable {
        let mut times = TimeTable::DEFAULT;
        if self.plant == Some(Plant::FreeEarly) {
            times.lease_allowance_ms = -20_000;
        }
        if self.plant == Some(Plant::FreePassEarly) {
            times.offline_allowance_ms = -60_000;
        }
        times
    }

    /// Something waits: the thread takes it when the commit before it is done.
    pub(super) fn run_soon(&mut self, server: usize) {
        let at_ms = self.at_ms + self.between(0, 15);
        self.run_at(server, at_ms);
    }

    fn run_at(&mut self, server: usize, at_ms: i64) {
        if at_ms < self.servers[server].batch_ms {
            self.servers[server].batch_ms = at_ms;
            self.queue.push(at_ms, Event::Batch { server });
        }
    }

    /// One batch of the server's thread: step, commit, answer.
    pub(super) fn batch(&mut self, server: usize) -> Result<(), Violation> {
        if self.at_ms < self.servers[server].batch_ms {
            return Ok(());
        }
        self.servers[server].batch_ms = i64::MAX;
        let Some(now) = self.server_now(server) else { return Ok(()) };
        let mut writes = Vec::new();
        let Stepped { answers: stepped, passes, tick, set_time_to, sync, given_back } =
            self.step_all(server, now, &mut writes);
        if self.plant == Some(Plant::AnswerBeforeCommit) {
            self.answer(server, &stepped);
        }
        self.carry_give_backs(server, &given_back, false);
        match self.commit(server, now, writes, tick)? {
            Commit::Stored => {
                self.carry_give_backs(server, &given_back, true);
                if let Some(to) = set_time_to {
                    self.set_clock(server, to)?;
                }
                if let Some(out) = sync {
                    self.send_sync(server, &out);
                }
                self.check_answers(server, &stepped)?;
                if self.plant != Some(Plant::AnswerBeforeCommit) {
                    self.answer(server, &stepped);
                }
                for (borrower, call, output) in &passes {
                    self.pass_answered(server, *borrower, call, output)?;
                }
                let now = self.server_now(server).unwrap_or(now);
                self.retire_if_drained(server, now)?;
            }
            Commit::DiskFull => self.stall(server, now, stepped)?,
            Commit::Died => {}
        }
        self.set_server_timer(server);
        Ok(())
    }

    fn set_server_timer(&mut self, server: usize) {
        let Some(now) = self.server_now(server) else { return };
        let late_ms = self.between(0, SECOND_MS);
        let Some(running) = &self.servers[server].running else { return };
        let engine = &running.engine;
        let sync_due = engine.sync_due().filter(|_| self.servers[server].flight.is_none());
        let due = [engine.pool().next_freed_at(), engine.waits_until(), sync_due].into_iter().flatten().min();
        let due = due.map_or(running.next_tick, |due| due.min(running.next_tick));
        let due = running.stalled_until.unwrap_or(due);
        let waits = !self.servers[server].inbox.is_empty() || !self.servers[server].commands.is_empty();
        let in_ms = if waits { 1 } else { due.since(now).max(0) + late_ms };
        self.run_at(server, self.at_ms + in_ms);
    }

    fn step_all(&mut self, server: usize, now: Ms, writes: &mut Vec<Write>) -> Stepped {
        let letters = std::mem::take(&mut self.servers[server].inbox);
        let commands = std::mem::take(&mut self.servers[server].commands);
        let inputs: Vec<(Letter, Input)> =
            letters.into_iter().filter_map(|letter| Some((letter.clone(), self.input(&letter, now)?))).collect();
        let commands: Vec<(Command, Option<Input>)> = commands
            .into_iter()
            .map(|command| match command {
                Command::Pass { borrower, call } => {
                    let input = self.pass_input(borrower, &call, now);
                    (Command::Pass { borrower, call }, Some(input))
                }
                command => (command, None),
            })
            .collect();
        let wall = self.servers[server].machine.wall(self.at_ms);
        let mut all = Stepped::default();
        let Server { running, flight, waiting, borrowing, .. } = &mut self.servers[server];
        let Some(running) = running else { return all };
        let paused = running.stalled_until.is_some_and(|until| now < until);
        let mut refused = Vec::new();
        let mut refused_give_backs = 0_u32;
        for (command, prepared) in commands {
            if let (Command::Pass { borrower, call }, Some(input)) = (&command, &prepared) {
                if !paused {
                    match running.engine.step(now, input.clone(), writes) {
                        Output::Waits(id) => borrowing.entry(id).or_default().push((*borrower, call.clone())),
                        output => all.passes.push((*borrower, call.clone(), output)),
                    }
                }
                continue;
            }
            let input = match command {
                Command::Pass { .. } => continue,
                Command::Lose { pass, write_off } => Input::Lose { pass, write_off, act: act() },
                Command::Install(document) => Input::Install { document: *document, wall, act: act() },
                Command::Drain => Input::Drain { act: act() },
                Command::GiveBack(keep) => Input::GiveBack { keep, act: act() },
                Command::Release(Whom::Seat(lease)) if self.plant == Some(Plant::TakeBackAtOnce) => {
                    Input::Checkin { lease }
                }
                Command::Release(whom) => {
                    Input::Release { whom, reason: "somebody else".into(), not_again_ms: 2 * MINUTE_MS, act: act() }
                }
                Command::Sync(input) => *input,
            };
            if paused {
                continue;
            }
            match running.engine.step(now, input, writes) {
                Output::GaveBack(given) => all.given_back.push(*given),
                Output::NotGivenBack(_) => refused_give_backs += 1,
                Output::Installed { set_back_to, .. } => all.set_time_to = all.set_time_to.or(set_back_to),
                Output::Synced { set_time_to, .. } => all.set_time_to = all.set_time_to.or(set_time_to),
                _ => {}
            }
        }
        for (letter, input) in inputs {
            let known = |lease: &LeaseId| running.engine.pool().lease(*lease).is_some();
            let beat = match &input {
                Input::Heartbeat { .. } => Some(input.clone()),
                Input::Resume { lease, n, nonce, .. } if known(lease) => {
                    Some(Input::Heartbeat { lease: *lease, n: *n, nonce: nonce.clone() })
                }
                _ => None,
            };
            if paused && beat.is_none() {
                refused.push(letter);
                continue;
            }
            match running.engine.step(now, input, writes) {
                Output::Waits(id) => waiting.entry(id).or_default().push(letter),
                output => all.answers.push((letter, beat, output)),
            }
        }
        let due = running.engine.pool().next_freed_at().is_some_and(|due| due <= now);
        all.tick = !paused && (due || now >= running.next_tick || running.stalled_until.is_some());
        if all.tick {
            running.engine.step(now, Input::Tick, writes);
            running.next_tick = now.plus(MINUTE_MS);
        }
        if !paused {
            for (id, output) in running.engine.resolve(now, writes) {
                let wishes = borrowing.remove(&id).unwrap_or_default();
                all.passes.extend(wishes.into_iter().map(|(borrower, call)| (borrower, call, output.clone())));
                let letters = waiting.remove(&id).unwrap_or_default();
                all.answers.extend(letters.into_iter().map(|letter| (letter, None, output.clone())));
            }
            if flight.is_none() && running.engine.sync_due().is_some_and(|due| due <= now) {
                let input = Input::Sync { server: ServerFacts::default() };
                if let Output::Sync(out) = running.engine.step(now, input, writes) {
                    all.sync = out;
                }
            }
        }
        for letter in refused {
            self.fail(server, &letter);
        }
        for _ in 0..refused_give_backs {
            self.tally.count("seats not given back");
        }
        all
    }

    fn input(&mut self, letter: &Letter, now: Ms) -> Option<Input> {
        let What::Client(request) = &letter.what else { return None };
        let app = &self.apps[letter.app];
        Some(match request.clone() {
            Request::Checkout { key, .. } => {
                let (ask, source) = (app.ask.clone(), app.source);
                Input::Checkout { id: LeaseId::draw(now, &mut self.random), key, ask, source }
            }
            Request::Heartbeat { lease, n, nonce } => Input::Heartbeat { lease, n, nonce },
            Request::Resume { lease, key, n, nonce } => {
                Input::Resume { lease, key, ask: app.ask.clone(), source: app.source, n, nonce }
            }
            Request::Checkin { lease } => Input::Checkin { lease },
            Request::CheckinKey { key } => Input::CheckinKey { key },
        })
    }

    fn answer(&mut self, server: usize, stepped: &[(Letter, Beat, Output)]) {
        for (letter, _, output) in stepped {
            tell!(self, "server{server} -> app{}: {}", letter.app, told(output));
            if let Some(call) = letter.call {
                let answer = answered(call, reply(output));
                self.back(server, letter.app, letter.process, answer);
            }
        }
    }

    fn fail(&mut self, server: usize, letter: &Letter) {
        if let Some(call) = letter.call {
            self.back(server, letter.app, letter.process, SessionInput::Failed { call });
        }
    }

    fn commit(&mut self, server: usize, now: Ms, writes: Vec<Write>, tick: bool) -> Result<Commit, Violation> {
        if writes.is_empty() && !tick {
            return Ok(Commit::Stored);
        }
        let db = self.sim.server_dbs[server].clone();
        let before = db.commits();
        let outcome = testing::commit(&db.db, now, writes.clone());
        if db.commits() > before {
            self.committed(server, &writes)?;
        }
        match outcome {
            Ok(()) => {
                self.tally.count("commit");
                if let Some(running) = &mut self.servers[server].running {
                    running.stalled_until = None;
                }
                Ok(Commit::Stored)
            }
            Err(DbError::Full { .. }) => {
                self.tally.count("disk full");
                tell!(self, "server{server}: the disk is full");
                Ok(Commit::DiskFull)
            }
            Err(error) => {
                tell!(self, "server{server} dies at a commit, stored: {}: {error}", db.commits() > before);
                self.tally.count("server died at a commit");
                self.crash(server);
                Ok(Commit::Died)
            }
        }
    }

    fn committed(&mut self, server: usize, writes: &[Write]) -> Result<(), Violation> {
        if self.is_traced() {
            for write in writes {
                self.tell(&format!("server{server} stores {}", written(write)));
            }
        }
        let committed = self.truth.committed(server, writes);
        if committed.kinds.contains(&EventKind::Return) {
            self.truth.servers[server].returned_ms = self.at_ms;
        }
        for kind in &committed.kinds {
            self.tally.count(match kind {
                EventKind::Checkout => "event checkout",
                EventKind::Checkin => "event checkin",
                EventKind::Expired => "event expired",
                EventKind::Denied => "event denied",
                EventKind::Copied => "event copied",
                EventKind::Adopted => "event adopted",
                EventKind::TakenBack => "event taken back",
                EventKind::Borrow => "event borrow",
                EventKind::Extend => "event extend",
                EventKind::Return => "event return",
                EventKind::WriteOff => "event write-off",
            });
        }
        if let Some((key, first, second)) = committed.second_lease {
            return self.broken(Law::Three, format!("key {key} has lease {first} and then {second} of server{server}"));
        }
        if committed.document {
            self.tally.count("document loaded");
            self.truth.servers[server].loaded_ms = self.at_ms;
            self.check_document(server)?;
        }
        self.check_written_off(server, writes).and_then(|()| self.check_created(server, writes))
    }

    /// A document or the portal has proved what time it is, and that is stored.
    fn set_clock(&mut self, server: usize, to: Ms) -> Result<(), Violation> {
        let former_now = self.server_now(server).unwrap_or(to);
        let back = to < former_now;
        self.tally.count(if back { "time set back by a document" } else { "time set forward by the portal" });
        let mut engine = self.engine_from_disk(server, StartVerdict::Plausible, to, None)?;
        let boottime_ms = self.servers[server].machine.boottime_ms(self.at_ms);
        if let Some(running) = &mut self.servers[server].running {
            engine.take_over(to, &mut running.engine, former_now);
            running.engine = engine;
            running.clock = EngineClock::start(to, boottime_ms, Some(to)).0;
            running.next_tick = to;
        }
        Ok(())
    }

    /// A request file is about to be made: `false` if that cannot be stored now.
    pub(super) fn store_asked(&mut self, server: usize, now: Ms, request: RequestId) -> Result<bool, Violation> {
        let Some(running) = &mut self.servers[server].running else { return Ok(false) };
        if running.stalled_until.is_some_and(|until| now < until) {
            return Ok(false);
        }
        let mut writes = Vec::new();
        running.engine.step(now, Input::Ask { request }, &mut writes);
        match self.commit(server, now, writes, false)? {
            Commit::Stored => Ok(true),
            Commit::DiskFull => self.stall(server, now, Vec::new()).map(|()| false),
            Commit::Died => Ok(false),
        }
    }

    /// The engine's last step before the key is destroyed.
    pub(super) fn store_retirement(&mut self, server: usize, now: Ms, writes: Vec<Write>) -> Result<(), Violation> {
        match self.commit(server, now, writes, false)? {
            Commit::Stored => {
                self.servers[server].key = None;
                self.carry_receipt(server);
                Ok(())
            }
            Commit::DiskFull => self.stall(server, now, Vec::new()),
            Commit::Died => Ok(()),
        }
    }

    /// Nothing was stored: memory is built anew from what was, and heartbeats go on.
    fn stall(&mut self, server: usize, now: Ms, stepped: Vec<(Letter, Beat, Output)>) -> Result<(), Violation> {
        self.rebuild(server, now)?;
        let mut writes = Vec::new();
        let mut again = Vec::new();
        for (letter, beat, _) in stepped {
            let Some(running) = &mut self.servers[server].running else { return Ok(()) };
            running.stalled_until = Some(now.plus(STALL_MS));
            match beat {
                Some(input) if writes.is_empty() => {
                    let output = running.engine.step(now, input.clone(), &mut writes);
                    match writes.is_empty() {
                        true => again.push((letter, Some(input), output)),
                        false => self.fail(server, &letter),
                    }
                }
                _ => self.fail(server, &letter),
            }
        }
        self.answer(server, &again);
        if let Some(running) = &mut self.servers[server].running {
            running.stalled_until = Some(now.plus(STALL_MS));
        }
        if writes.is_empty() { Ok(()) } else { self.rebuild(server, now) }
    }

    fn rebuild(&mut self, server: usize, now: Ms) -> Result<(), Violation> {
        let mut engine = self.engine_from_disk(server, StartVerdict::Plausible, now, None)?;
        if let Some(running) = &mut self.servers[server].running {
            engine.take_over(now, &mut running.engine, now);
            running.engine = engine;
        }
        Ok(())
    }

    /// The process is gone, and with it what it had not stored.
    pub(super) fn crash(&mut self, server: usize) {
        let down = &mut self.servers[server];
        if down.running.take().is_none() {
            return;
        }
        down.inbox.clear();
        down.commands.clear();
        down.waiting.clear();
        down.borrowing.clear();
        down.flight = None;
        down.batch_ms = i64::MAX;
        let in_ms = if self.healed { SECOND_MS } else { self.between(200, self.dice.down_ms_max) };
        tell!(self, "server{server} is down for {in_ms} ms");
        self.push(in_ms, Event::StartServer { server });
    }

    /// A process starts on what is on disk.
    pub(super) fn start_server(&mut self, server: usize) -> Result<(), Violation> {
        if self.servers[server].running.is_some() {
            return Ok(());
        }
        let db = self.sim.server_dbs[server].db.clone();
        db.restart().expect("an in-line database");
        self.finish_retirement(server);
        let mark = testing::mark(&db).expect("the mark");
        let machine = &self.servers[server].machine;
        let (wall, boottime_ms) = (machine.wall(self.at_ms), machine.boottime_ms(self.at_ms));
        let (clock, verdict) = EngineClock::start(wall, boottime_ms, mark);
        let now = clock.now(boottime_ms);
        tell!(self, "server{server} starts: {verdict:?}, its now is {} ms off", now.since(self.now()));
        self.tally.count(match verdict {
            StartVerdict::Behind { .. } => "start with the clock behind",
            StartVerdict::Ahead { .. } => "start with the clock ahead",
            _ => "start",
        });
        let engine = self.engine_from_disk(server, verdict, now, mark)?;
        let running = Running { engine, clock, next_tick: now, stalled_until: None };
        self.servers[server].running = Some(running);
        self.run_soon(server);
        Ok(())
    }

    fn engine_from_disk(
        &mut self,
        server: usize,
        verdict: StartVerdict,
        now: Ms,
        mark: Option<Ms>,
    ) -> Result<Engine, Violation> {
        let trust = self.sim.portal.root().clone();
        let key = self.key_of(server).map(|key| key.public());
        let mut restored = match testing::restored(&self.sim.server_dbs[server].db, now, Some(trust), key) {
            Ok(restored) => restored,
            Err(why) => return self.broken(Law::Two, format!("server{server} cannot start: {why}")),
        };
        self.check_restored(server, &restored)?;
        if let Some(plant) = self.plant {
            plant.forget(&mut restored);
        }
        let from = match (self.plant, mark) {
            (Some(Plant::RestartFromDisk), Some(mark)) => mark,
            _ => now,
        };
        Ok(Engine::restore(restored, verdict, from, self.times()))
    }
}
