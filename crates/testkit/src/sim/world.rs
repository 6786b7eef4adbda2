//! One world: everybody in it, the queue of what is to happen, and the loop.

use super::app::App;
use super::chaos::Dice;
use super::events::{Event, Letter};
use super::machine::Machine;
use super::outcome::{Law, Stamp, Tally, Violation};
use super::pass::{Borrower, PassCall};
use super::plant::Plant;
use super::queue::Queue;
use super::server::{Command, ForWhom, Server};
use super::simulator::{SERVERS_MAX, Simulator};
use super::sync::Parcel;
use super::truth::Truth;
use leasehold_core::engine::Input;
use leasehold_core::ids::WorkstationId;
use leasehold_core::license::FeatureBundle;
use leasehold_core::random::{Random, Seeded};
use leasehold_core::time::{MINUTE_MS, Ms, SECOND_MS};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// When all is healed, this long passes before the last look.
const QUIET_MS: i64 = 20 * MINUTE_MS;

/// More events than this at one instant go in a circle.
const AT_ONCE_MAX: u32 = 10_000;

/// Everybody and everything.
pub(super) struct World<'s, 't> {
    pub(super) sim: &'s mut Simulator,
    /// True time since the beginning.
    pub(super) at_ms: i64,
    pub(super) queue: Queue<Event>,
    pub(super) random: Seeded,
    pub(super) dice: Dice,
    pub(super) plant: Option<Plant>,
    pub(super) truth: Truth,
    pub(super) machines: Vec<Machine>,
    pub(super) apps: Vec<App>,
    pub(super) borrowers: Vec<Borrower>,
    /// Requests and receipts that were brought to servers, for somebody to bring again.
    pub(super) carried: Vec<(usize, PassCall)>,
    pub(super) servers: Vec<Server>,
    /// Links that are down, from an application to a server.
    pub(super) cut: BTreeSet<(usize, usize)>,
    /// The newest checkouts that were sent, and when: a copy of one may come late.
    pub(super) strays: VecDeque<(i64, usize, Letter)>,
    /// What reached a sleeping machine.
    pub(super) waiting: Vec<Event>,
    pub(super) healed: bool,
    pub(super) processes: u64,
    pub(super) acts: u64,
    /// The next unused key of a license server.
    pub(super) next_key: usize,
    /// A copy of the portal's database and what was bought then.
    pub(super) portal_copy: Option<Vec<u8>>,
    pub(super) portal_was_set_back: bool,
    /// Documents of the portal's database that are known, up to this number.
    pub(super) read_to: BTreeMap<WorkstationId, u64>,
    /// The workstation that got the newest document, until somebody looks.
    pub(super) newly_issued: Option<WorkstationId>,
    /// Servers that do not reach the portal.
    pub(super) portal_cut: BTreeSet<usize>,
    /// Requests that somebody may send again.
    pub(super) stolen: Vec<Parcel>,
    /// How often each bell was rung, as far as somebody looked.
    pub(super) bells: BTreeMap<WorkstationId, u64>,
    pub(super) flights: u64,
    /// What was bought: one bundle for each license.
    pub(super) sold: Vec<FeatureBundle>,
    /// Activation files that were carried, for somebody to try again or elsewhere.
    pub(super) files: Vec<(WorkstationId, Arc<str>)>,
    /// Receipts of servers, for somebody to upload again.
    pub(super) receipts: Vec<Arc<str>>,
    pub(super) tally: Tally,
    trace: Option<&'t mut dyn FnMut(&str)>,
}

/// Tells the trace, if somebody listens.
macro_rules! tell {
    ($world:expr, $($text:tt)*) => {
        if $world.is_traced() {
            $world.tell(&format!($($text)*));
        }
    };
}
pub(super) use tell;

impl<'s, 't> World<'s, 't> {
    pub(super) fn new(
        sim: &'s mut Simulator,
        seed: u64,
        plant: Option<Plant>,
        trace: Option<&'t mut dyn FnMut(&str)>,
    ) -> World<'s, 't> {
        let mut random = Seeded::new(seed);
        let mut dice = Dice::draw(&mut random);
        if plant == Some(Plant::RaiseAfterRestore) {
            dice.restore_the_portal();
        }
        if matches!(plant, Some(Plant::SayTooEarly | Plant::CountUsedOnly)) {
            dice.online = 1_000;
        }
        if matches!(plant, Some(Plant::FreePassEarly | Plant::UseAfterReturn)) {
            dice.borrow();
        }
        if plant == Some(Plant::ForgetUnknown) {
            dice.restore_servers();
        }
        // Also without a plant, now and then: much comes together there that is rare elsewhere.
        if plant == Some(Plant::BelieveOldAnswers) || plant.is_none() && seed % 32 == 31 {
            dice.lend_online();
        }
        if plant == Some(Plant::ForgetKeys) {
            dice.restart_often();
        }
        if matches!(plant, Some(Plant::ReceiptBeforeDisk | Plant::ForgetGivenBack)) {
            dice.give_back();
        }
        World {
            sim,
            at_ms: 0,
            queue: Queue::new(),
            random,
            dice,
            plant,
            truth: Truth::default(),
            machines: Vec::new(),
            apps: Vec::new(),
            borrowers: Vec::new(),
            carried: Vec::new(),
            servers: Vec::new(),
            cut: BTreeSet::new(),
            strays: VecDeque::new(),
            waiting: Vec::new(),
            healed: false,
            processes: 0,
            acts: 0,
            next_key: 0,
            portal_copy: None,
            portal_was_set_back: false,
            read_to: BTreeMap::new(),
            newly_issued: None,
            portal_cut: BTreeSet::new(),
            stolen: Vec::new(),
            bells: BTreeMap::new(),
            flights: 0,
            sold: Vec::new(),
            files: Vec::new(),
            receipts: Vec::new(),
            tally: Tally::default(),
            trace,
        }
    }

    /// Lives through it.
    pub(super) fn run(mut self) -> Result<Tally, Violation> {
        self.people_the_world();
        let mut at_once = 0_u32;
        while let Some((at_ms, event)) = self.queue.pop() {
            at_once = if at_ms > self.at_ms { 0 } else { at_once + 1 };
            if at_once > AT_ONCE_MAX {
                return self.broken(Law::Quiet, format!("time stands still: {event:?}"));
            }
            self.at_ms = self.at_ms.max(at_ms);
            if matches!(event, Event::End) {
                self.check_quiet()?;
                break;
            }
            self.handle(event)?;
            self.check()?;
        }
        Ok(self.tally)
    }

    fn people_the_world(&mut self) {
        self.sell_licenses();
        let mut servers = [1, 1, 2, 2, SERVERS_MAX][self.pick(5)];
        if self.plant == Some(Plant::RaiseAfterRestore) {
            servers = SERVERS_MAX;
        }
        for server in 0..servers {
            self.add_server();
            self.push(0, Event::StartServer { server });
            let soon = self.between(100, 5 * SECOND_MS);
            self.push(soon, Event::MakeRequest { server });
        }
        if self.servers.iter().any(|server| server.for_whom == ForWhom::Member) {
            self.add_member();
        }
        let apps_max = [4, 6, 12][self.pick(3)];
        for _ in 0..self.between(2, apps_max) {
            self.add_app();
        }
        for _ in 0..self.dice.borrowers {
            self.add_borrower();
        }
        let lasts_ms = self.dice.lasts_ms;
        let first = self.between(30 * SECOND_MS, 3 * MINUTE_MS);
        self.push(first, Event::Chaos);
        self.push(lasts_ms, Event::Heal);
    }

    fn handle(&mut self, event: Event) -> Result<(), Violation> {
        match event {
            Event::AtServer { server, letter } => self.at_server(server, letter),
            Event::AtApp { app, process, input } => self.at_app(app, process, input),
            Event::StartApp { app } => self.start_app(app),
            Event::ReleaseApp { app, process } => self.release_app(app, process),
            Event::Wake { machine } => self.wake(machine),
            Event::LeaveNetwork { machine } => {
                if !self.healed {
                    self.leave_network(machine);
                }
            }
            Event::LinkUp { app, server } => {
                self.cut.remove(&(app, server));
            }
            Event::Batch { server } => return self.batch(server),
            Event::StartServer { server } => return self.start_server(server),
            Event::AtPortal(act) => return self.at_portal(act),
            Event::Import { server, file, tries } => return self.import(server, &file, tries),
            Event::MakeRequest { server } => self.make_request(server)?,
            Event::SyncAtPortal(parcel) => return self.sync_at_portal(&parcel),
            Event::SyncAnswer { server, flight, body, answer } => self.sync_answer(server, flight, &body, &answer),
            Event::SyncTimeout { server, flight } => self.sync_timeout(server, flight),
            Event::Ring { server } => self.command(server, Command::Sync(Box::new(Input::Refresh))),
            Event::DisableCopy { server } => {
                if self.servers[server].running.as_ref().is_some_and(|running| running.engine.is_forked()) {
                    self.command(server, Command::Drain);
                }
            }
            Event::PortalBack { server } => {
                self.portal_cut.remove(&server);
            }
            Event::Borrower { borrower } => self.borrower(borrower),
            Event::PassAtServer { server, borrower, call } => self.pass_at_server(server, borrower, call),
            Event::PassAnswer { borrower, call, output } => self.pass_answer(borrower, &call, &output),
            Event::Chaos => return self.chaos(),
            Event::Heal => return self.heal(),
            Event::End => {}
        }
        Ok(())
    }

    fn heal(&mut self) -> Result<(), Violation> {
        tell!(self, "from now on nothing goes wrong any more");
        self.healed = true;
        self.cut.clear();
        self.portal_cut.clear();
        self.sim.portal_db.disarm();
        for db in &self.sim.server_dbs {
            db.disarm();
        }
        for machine in 0..self.machines.len() {
            self.wake(machine);
        }
        for server in 0..self.servers.len() {
            if self.servers[server].running.is_none() {
                self.push(0, Event::StartServer { server });
            }
        }
        // Administrators are quiet too.
        let of_people = |event: &Event| {
            matches!(
                event,
                Event::AtPortal(_)
                    | Event::Import { .. }
                    | Event::MakeRequest { .. }
                    | Event::DisableCopy { .. }
                    | Event::Chaos
            )
        };
        self.queue.put_off(0, |event| !of_people(event));
        self.push(QUIET_MS, Event::End);
        Ok(())
    }

    /// True time as a right wall clock shows it.
    pub(super) fn now(&self) -> Ms {
        Machine::true_wall(self.at_ms)
    }

    /// Puts an event in, so long from now.
    pub(super) fn push(&mut self, in_ms: i64, event: Event) {
        self.queue.push(self.at_ms + in_ms.max(0), event);
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.random.below(bound)
    }

    /// An index below `len` (at least 1).
    pub(super) fn pick(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap_or(0)
    }

    /// `from` to `to`, both included.
    pub(super) fn between(&mut self, from: i64, to: i64) -> i64 {
        let width = u64::try_from(to - from + 1).unwrap_or(1);
        from + i64::try_from(self.below(width)).unwrap_or(0)
    }

    /// True `n` times of a thousand.
    pub(super) fn per_mille(&mut self, n: u64) -> bool {
        self.below(1_000) < n
    }

    pub(super) fn broken<T>(&self, law: Law, what: String) -> Result<T, Violation> {
        Err(Violation { law, at_ms: self.at_ms, what })
    }

    pub(super) fn is_traced(&self) -> bool {
        self.trace.is_some()
    }

    pub(super) fn tell(&mut self, what: &str) {
        let line = format!("{} {what}", Stamp(self.at_ms));
        if let Some(trace) = &mut self.trace {
            trace(&line);
        }
    }
}
