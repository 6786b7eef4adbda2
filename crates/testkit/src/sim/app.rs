//! Applications: a process with `core`'s session in it, and the shell that carries out what the session says.

use super::events::{Event, Letter, What};
use super::machine::Machine;
use super::plant::Plant;
use super::world::{World, tell};
use leasehold_core::clock::Reading;
use leasehold_core::ids::LeaseId;
use leasehold_core::license::FeatureCode;
use leasehold_core::pool::{Ask, Source};
use leasehold_core::random::Seeded;
use leasehold_core::session::{Action, Reply, Request, SeatState, Session, SessionInput};
use leasehold_core::time::{MINUTE_MS, SECOND_MS};
use leasehold_core::times::TimeTable;
use std::collections::BTreeMap;

/// A client waits this long for an answer to a call, in milliseconds.
const CALL_MS: i64 = 5 * SECOND_MS;

/// An application on a machine. It is started and stopped as people do.
#[derive(Debug)]
pub(super) struct App {
    pub(super) machine: usize,
    pub(super) ask: Ask,
    pub(super) source: Source,
    /// The server list of its machine, primary first.
    pub(super) servers: Vec<usize>,
    pub(super) process: Option<Process>,
    /// A copy that was made by cloning a machine: it is not started again.
    pub(super) clone: bool,
    /// The lid is closed and the machine carried away as soon as the next call has been sent.
    pub(super) leaves: bool,
}

/// A running application.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) id: u64,
    pub(super) session: Session,
    pub(super) random: Seeded,
    /// It gave its seat back, or has stopped looking for one: it does not use it any more.
    pub(super) released: bool,
    /// No server had a seat, and it waits before it looks again.
    pub(super) pausing: bool,
    /// When that was.
    pub(super) refused_ms: i64,
    /// Somebody works with it where there is no network, at least so long.
    pub(super) busy_until_ms: i64,
    /// The timer that counts: those set before it are void.
    timer_ms: i64,
    calls: BTreeMap<u64, usize>,
    /// When the last right was answered and how long it runs, for [`Plant::CountFromAnswer`].
    answered: Option<(Reading, i64)>,
}

impl Process {
    /// The lease that the application uses right now: it holds it, has not given it back, and its own clocks do not
    /// say that it is lost.
    pub(super) fn believes(&self, now: Reading, plant: Option<Plant>) -> Option<(usize, LeaseId)> {
        if self.released {
            return None;
        }
        let held = self.session.holding()?;
        let lost = match self.answered {
            Some((answered, runs_ms)) if plant == Some(Plant::CountFromAnswer) => now.elapsed_ms(answered) >= runs_ms,
            _ => self.session.state(now) == Some(SeatState::Lost),
        };
        (!lost).then_some(held)
    }
}

impl World<'_, '_> {
    pub(super) fn add_app(&mut self) {
        let drift_ppm = self.between(-500, 500);
        let counts_sleep = self.per_mille(700);
        let shares_machine = !self.machines.is_empty() && self.per_mille(300);
        let machine = if shares_machine {
            self.pick(self.machines.len())
        } else {
            self.machines.push(Machine::new(drift_ppm, counts_sleep));
            self.machines.len() - 1
        };
        // Mostly what was bought.
        let all = self.sim.products.iter().flat_map(|(_, bundle)| bundle.keys());
        let sold = self.sold.iter().flat_map(|bundle| bundle.keys());
        let features: Vec<FeatureCode> = all.chain(sold.cycle().take(30)).cloned().collect();
        let feature = features[self.pick(features.len())].clone();
        let seats = if self.per_mille(150) { 2 } else { 1 };
        let ask = Ask {
            feature,
            seats,
            version: "1".into(),
            released_on: None,
            user: format!("user{machine}").into(),
            host: format!("host{machine}").into(),
            host_id: format!("m{machine}").into(),
            boot_id: "b".into(),
            pid: 1,
            labels: BTreeMap::new(),
        };
        let octet = u8::try_from(machine + 1).unwrap_or(u8::MAX);
        // Some work at the server's own machine, where assigned seats are.
        let loopback = self.per_mille(500);
        let source = Source { address: [10, 0, 0, octet].into(), loopback };
        let mut servers: Vec<usize> = (0..self.servers.len()).collect();
        for last in (1..servers.len()).rev() {
            let other = self.pick(last + 1);
            servers.swap(last, other);
        }
        servers.truncate(1 + self.pick(servers.len()));
        let app = self.apps.len();
        self.apps.push(App { machine, ask, source, servers, process: None, clone: false, leaves: false });
        let soon = self.between(5 * SECOND_MS, 90 * SECOND_MS);
        self.push(soon, Event::StartApp { app });
    }

    pub(super) fn start_app(&mut self, app: usize) {
        if self.machines[self.apps[app].machine].asleep() {
            self.waiting.push(Event::StartApp { app });
            return;
        }
        if let Some(process) = &mut self.apps[app].process {
            if process.pausing && !process.released {
                process.pausing = false;
                let id = process.id;
                self.at_app(app, id, SessionInput::Start);
            }
            return;
        }
        self.processes += 1;
        let id = self.processes;
        let seed = self.below(u64::MAX);
        self.apps[app].process = Some(Process {
            id,
            session: Session::new(self.apps[app].servers.len(), TimeTable::DEFAULT),
            random: Seeded::new(seed),
            released: false,
            pausing: false,
            refused_ms: 0,
            busy_until_ms: 0,
            timer_ms: i64::MAX,
            calls: BTreeMap::new(),
            answered: None,
        });
        tell!(self, "app{app} starts and asks for {} {}", self.apps[app].ask.seats, self.apps[app].ask.feature);
        self.at_app(app, id, SessionInput::Start);
        let works_ms = self.between(20 * SECOND_MS, self.dice.works_ms_max);
        self.push(works_ms, Event::ReleaseApp { app, process: id });
    }

    /// The person closes the application, or it dies.
    pub(super) fn release_app(&mut self, app: usize, process: u64) {
        if self.healed {
            // Whoever holds a seat then holds it to the end, so that the last look has something to see.
            return;
        }
        if self.machines[self.apps[app].machine].asleep() {
            self.waiting.push(Event::ReleaseApp { app, process });
            return;
        }
        let Some(running) = self.apps[app].process.as_mut().filter(|running| running.id == process) else { return };
        if self.at_ms < running.busy_until_ms {
            let later_ms = running.busy_until_ms - self.at_ms;
            self.push(later_ms, Event::ReleaseApp { app, process });
            return;
        }
        running.released = true;
        tell!(self, "app{app} gives its seat back");
        self.tally.count("seat given back");
        self.at_app(app, process, SessionInput::Release);
    }

    /// The process is gone without a word.
    pub(super) fn kill_app(&mut self, app: usize) {
        if self.apps[app].process.take().is_some() {
            tell!(self, "app{app} is killed");
            self.tally.count("application killed");
            self.start_later(app);
        }
    }

    fn start_later(&mut self, app: usize) {
        if !self.apps[app].clone {
            let later = self.between(SECOND_MS, 3 * MINUTE_MS);
            self.push(later, Event::StartApp { app });
        }
    }

    /// Something reaches a process: the session decides, and its shell does what it says.
    pub(super) fn at_app(&mut self, app: usize, process: u64, input: SessionInput) {
        if self.apps[app].process.as_ref().is_none_or(|running| running.id != process) {
            return;
        }
        let machine = &self.machines[self.apps[app].machine];
        if machine.asleep() {
            self.waiting.push(Event::AtApp { app, process, input });
            return;
        }
        let now = machine.reading(self.at_ms);
        let Some(running) = &mut self.apps[app].process else { return };
        match &input {
            SessionInput::Tick if self.at_ms < running.timer_ms => return,
            SessionInput::Tick => running.timer_ms = i64::MAX,
            // A call that timed out is over. If its answer comes after all, the session must not use it.
            SessionInput::Failed { call } if running.calls.remove(call).is_none() => return,
            SessionInput::Answered { call, reply } => {
                let waited_for = running.calls.remove(call).is_some();
                if let (true, Reply::Leased { times, .. }) = (waited_for, reply) {
                    running.answered = Some((now, times.lessee_stops_after_ms()));
                }
            }
            _ => {}
        }
        let actions = running.session.step(now, input, &mut running.random);
        for action in actions {
            self.act(app, process, action);
        }
        self.set_timer(app);
    }

    fn set_timer(&mut self, app: usize) {
        let now = self.machines[self.apps[app].machine].reading(self.at_ms);
        let Some(running) = &mut self.apps[app].process else { return };
        let due_ms = running.session.due_in_ms(now);
        if due_ms == i64::MAX {
            return;
        }
        // The crystal may run slow: a little later, never a loop of timers that come too early.
        let at_ms = self.at_ms + due_ms + due_ms / 1_000 + 1;
        if at_ms < running.timer_ms {
            running.timer_ms = at_ms;
            let (id, input) = (running.id, SessionInput::Tick);
            self.queue.push(at_ms, Event::AtApp { app, process: id, input });
        }
    }

    fn act(&mut self, app: usize, process: u64, action: Action) {
        match action {
            Action::Probe { servers } => {
                for server in servers {
                    self.send(app, server, Letter { app, process, call: None, what: What::Probe });
                }
            }
            Action::Call { call, server, request } => {
                tell!(self, "app{app} -> server{}: {request:?}", self.apps[app].servers[server]);
                if let Some(running) = &mut self.apps[app].process {
                    running.calls.insert(call, server);
                }
                self.count_call(&request);
                self.send(app, server, Letter { app, process, call: Some(call), what: What::Client(request) });
                self.push(CALL_MS, Event::AtApp { app, process, input: SessionInput::Failed { call } });
                if std::mem::take(&mut self.apps[app].leaves) {
                    self.carry_away(app);
                }
            }
            Action::Forget { server, request } => {
                tell!(self, "app{app} -> server{}, best effort: {request:?}", self.apps[app].servers[server]);
                self.send(app, server, Letter { app, process, call: None, what: What::Client(request) });
            }
            Action::Seated { server, lease } => {
                tell!(self, "app{app} has a seat: {lease} of server{}", self.apps[app].servers[server]);
                self.tally.count("seat taken");
            }
            Action::NoSeat { tried } => {
                tell!(self, "app{app} gets no seat: {tried:?}");
                self.tally.count("no seat");
                if let Some(running) = self.apps[app].process.as_mut().filter(|r| r.session.holding().is_none()) {
                    running.pausing = true;
                    running.refused_ms = self.at_ms;
                    let soonest = if self.healed { 4 * MINUTE_MS } else { 20 * SECOND_MS };
                    let later = self.between(soonest, 5 * MINUTE_MS);
                    self.push(later, Event::StartApp { app });
                }
            }
            Action::Ended => {
                self.apps[app].process = None;
                self.start_later(app);
            }
        }
    }

    fn count_call(&mut self, request: &Request) {
        self.tally.count(match request {
            Request::Checkout { .. } => "checkout sent",
            Request::Heartbeat { .. } => "heartbeat sent",
            Request::Resume { .. } => "resume sent",
            Request::Checkin { .. } | Request::CheckinKey { .. } => "checkin sent",
        });
    }

    /// A sleeping machine wakes: what waited for it comes at once, in any order.
    pub(super) fn wake(&mut self, machine: usize) {
        if !self.machines[machine].asleep() {
            return;
        }
        tell!(self, "machine{machine} wakes up");
        self.machines[machine].wake(self.at_ms);
        let waiting = std::mem::take(&mut self.waiting);
        let on_it = |app: &usize, apps: &[App]| apps[*app].machine == machine;
        let (mut mine, others): (Vec<Event>, Vec<Event>) = waiting.into_iter().partition(|event| match event {
            Event::AtApp { app, .. } | Event::StartApp { app } | Event::ReleaseApp { app, .. } => {
                on_it(app, &self.apps)
            }
            _ => false,
        });
        self.waiting = others;
        while !mine.is_empty() {
            let event = mine.swap_remove(self.pick(mine.len()));
            self.push(0, event);
        }
        for app in 0..self.apps.len() {
            if self.apps[app].machine == machine
                && let Some(running) = &mut self.apps[app].process
            {
                running.timer_ms = i64::MAX;
                self.set_timer(app);
            }
        }
    }

    /// A machine is cloned while an application on it holds a seat: two processes have one lease and its secret.
    pub(super) fn clone_app(&mut self, app: usize) {
        let now = self.machines[self.apps[app].machine].reading(self.at_ms);
        let original = &self.apps[app];
        let Some(running) = &original.process else { return };
        let Some((_, lease)) = running.believes(now, self.plant) else { return };
        if self.machines[original.machine].asleep() || self.apps.len() > 20 {
            return;
        }
        self.processes += 1;
        let copy = Process {
            id: self.processes,
            session: running.session.clone(),
            // The operating system of the copy does not give the same numbers.
            random: Seeded::new(self.processes),
            released: false,
            pausing: running.pausing,
            refused_ms: running.refused_ms,
            busy_until_ms: 0,
            timer_ms: i64::MAX,
            // Its connections are gone.
            calls: running.calls.clone(),
            answered: running.answered,
        };
        let asking = copy.session.asking().cloned();
        let calls: Vec<u64> = copy.calls.keys().copied().collect();
        let id = copy.id;
        let machine = self.machines[original.machine].clone();
        let (ask, source, servers) = (original.ask.clone(), original.source, original.servers.clone());
        self.machines.push(machine);
        let (machine, new) = (self.machines.len() - 1, self.apps.len());
        self.apps.push(App { machine, ask, source, servers, process: Some(copy), clone: true, leaves: false });
        self.truth.copied.insert(lease);
        // Both go on asking under one key, and find one seat.
        if let Some(key) = asking {
            self.truth.copy_key(key);
        }
        self.tally.count("client machine cloned");
        tell!(self, "app{app} is cloned as app{new} with {lease}");
        for call in calls {
            self.push(CALL_MS, Event::AtApp { app: new, process: id, input: SessionInput::Failed { call } });
        }
        self.set_timer(new);
        let works_ms = self.between(20 * SECOND_MS, self.dice.works_ms_max);
        self.push(works_ms, Event::ReleaseApp { app: new, process: id });
    }
}
