//! What goes wrong, when and how often: drawn anew for each seed, so that some worlds have a bad network, some have bad
//! disks, some have restless people, and some have everything at once.

use super::app::App;
use super::events::{Event, PortalWhat};
use super::outcome::Violation;
use super::server::Command;
use super::world::{World, tell};
use leasehold_core::random::{Random, Seeded};
use leasehold_core::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};
use leasehold_db::FaultPoint;

/// How one world is minded.
#[derive(Clone, Debug)]
pub(super) struct Dice {
    /// Of a thousand messages, lost.
    pub(super) lost: u64,
    /// Sent twice.
    pub(super) doubled: u64,
    /// On their way for long.
    pub(super) slow: u64,
    /// An ordinary message takes this long at most, in milliseconds.
    pub(super) usual_ms: i64,
    /// Carrying a file by hand takes this long at most, in milliseconds.
    pub(super) carry_ms_max: i64,
    /// A server is down this long at most, in milliseconds.
    pub(super) down_ms_max: i64,
    /// Somebody works with an application this long at most, in milliseconds.
    pub(super) works_ms_max: i64,
    /// All is healed after this long, in milliseconds.
    pub(super) lasts_ms: i64,
    /// Between two things that go wrong, at most, in milliseconds.
    every_ms_max: i64,
    /// Of a thousand servers, enabled online.
    pub(super) online: u64,
    /// Machines that borrow.
    pub(super) borrowers: u32,
    /// How likely each of [`CHAOS`] is in this world.
    weights: Vec<u64>,
}

/// One kind of trouble.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Trouble {
    Crash,
    DieAtCommit,
    DiskFull,
    WallStep,
    Stray,
    CutLink,
    CutServer,
    Sleep,
    CarryAway,
    ClientWallStep,
    KillApp,
    CloneApp,
    CopyDisk,
    RestoreDisk,
    Request,
    Renew,
    AnyFile,
    Seats,
    PortalDies,
    CopyPortal,
    RestorePortal,
    Revoke,
    Drain,
    Weekend,
    CutPortal,
    Stolen,
    Recall,
    Keep,
    Assign,
    Switch,
    TakeBack,
    FileAgain,
    Reimage,
    LosePass,
    GiveBack,
    ReceiptAgain,
    Lost,
}

/// Everything that can go wrong, and how usual it is.
const CHAOS: &[(Trouble, u64)] = &[
    (Trouble::Crash, 5),
    (Trouble::DieAtCommit, 6),
    (Trouble::DiskFull, 3),
    (Trouble::WallStep, 3),
    (Trouble::Stray, 10),
    (Trouble::CutLink, 10),
    (Trouble::CutServer, 5),
    (Trouble::Sleep, 6),
    (Trouble::CarryAway, 7),
    (Trouble::ClientWallStep, 4),
    (Trouble::KillApp, 8),
    (Trouble::CloneApp, 2),
    (Trouble::CopyDisk, 3),
    (Trouble::RestoreDisk, 3),
    (Trouble::Request, 4),
    (Trouble::Renew, 5),
    (Trouble::AnyFile, 2),
    (Trouble::Seats, 3),
    (Trouble::PortalDies, 4),
    (Trouble::CopyPortal, 2),
    (Trouble::RestorePortal, 2),
    (Trouble::Revoke, 1),
    (Trouble::Drain, 2),
    (Trouble::Weekend, 1),
    (Trouble::CutPortal, 6),
    (Trouble::Stolen, 3),
    (Trouble::Recall, 2),
    (Trouble::Keep, 8),
    (Trouble::Assign, 3),
    (Trouble::Switch, 1),
    (Trouble::TakeBack, 4),
    (Trouble::FileAgain, 4),
    (Trouble::Reimage, 1),
    (Trouble::LosePass, 2),
    (Trouble::GiveBack, 4),
    (Trouble::ReceiptAgain, 2),
    (Trouble::Lost, 1),
];

impl Dice {
    pub(super) fn draw(random: &mut Seeded) -> Dice {
        let mut one_of = |values: &[i64]| values[usize::try_from(random.below(values.len() as u64)).unwrap_or(0)];
        let per_mille = |n: i64| u64::try_from(n).unwrap_or(0);
        let lost = per_mille(one_of(&[0, 0, 20, 200]));
        let doubled = per_mille(one_of(&[0, 30, 150]));
        let slow = per_mille(one_of(&[0, 10, 60]));
        let usual_ms = one_of(&[5, 80, 900]);
        let carry_ms_max = one_of(&[5 * SECOND_MS, 40 * SECOND_MS, 6 * MINUTE_MS]);
        let down_ms_max = one_of(&[2 * SECOND_MS, 60 * SECOND_MS, 10 * MINUTE_MS]);
        let works_ms_max = one_of(&[2 * MINUTE_MS, 6 * MINUTE_MS, 30 * MINUTE_MS]);
        let lasts_ms = one_of(&[4, 6, 9, 16]) * MINUTE_MS;
        let every_ms_max = one_of(&[25, 50, 75]) * SECOND_MS;
        // A third of all kinds of trouble is unknown in a world, so that the others are not drowned.
        let online = per_mille(one_of(&[0, 0, 0, 0, 0, 0, 0, 0, 700, 1_000]));
        let borrowers = u32::try_from(one_of(&[0, 1, 3, 4])).unwrap_or(0);
        let weights = CHAOS.iter().map(|(_, weight)| weight * per_mille(one_of(&[0, 1, 3]))).collect();
        Dice {
            lost,
            doubled,
            slow,
            usual_ms,
            carry_ms_max,
            down_ms_max,
            works_ms_max,
            lasts_ms,
            every_ms_max,
            online,
            borrowers,
            weights,
        }
    }

    /// Servers that start again often, while requests that were sent twice are still on their way: where a bug of restarts
    /// can show.
    pub(super) fn restart_often(&mut self) {
        (self.online, self.doubled, self.slow) = (0, 150, 60);
        (self.down_ms_max, self.works_ms_max) = (2 * SECOND_MS, 2 * MINUTE_MS);
        for ((trouble, _), weight) in CHAOS.iter().zip(&mut self.weights) {
            if matches!(trouble, Trouble::Crash | Trouble::Stray) {
                *weight = 60;
            }
        }
    }

    /// Machines that borrow from servers by file: where a bug of passes can show.
    pub(super) fn borrow(&mut self) {
        (self.online, self.borrowers, self.lasts_ms) = (0, 4, 16 * MINUTE_MS);
        for ((trouble, _), weight) in CHAOS.iter().zip(&mut self.weights) {
            if *trouble == Trouble::ClientWallStep {
                *weight = 20;
            }
        }
    }

    /// Online servers that lend, and start with their clocks ahead while requests are on their way: where a bug of what the
    /// portal's answers say of the time can show.
    pub(super) fn lend_online(&mut self) {
        self.borrow();
        (self.online, self.slow, self.lasts_ms) = (1_000, 300, 40 * MINUTE_MS);
        self.down_ms_max = 2 * SECOND_MS;
        for ((trouble, _), weight) in CHAOS.iter().zip(&mut self.weights) {
            if matches!(trouble, Trouble::WallStep | Trouble::Keep) {
                *weight = 40;
            }
        }
    }

    /// Servers by file that give seats back and die often: where a bug of receipts can show.
    pub(super) fn give_back(&mut self) {
        (self.online, self.carry_ms_max, self.lasts_ms) = (0, 5 * SECOND_MS, 16 * MINUTE_MS);
        self.down_ms_max = 2 * SECOND_MS;
        for ((trouble, _), weight) in CHAOS.iter().zip(&mut self.weights) {
            if matches!(trouble, Trouble::GiveBack | Trouble::DieAtCommit | Trouble::DiskFull | Trouble::Crash) {
                *weight = 20;
            }
        }
    }

    /// Servers by file that are restored often, and lend: where a bug of restored servers can show.
    pub(super) fn restore_servers(&mut self) {
        self.borrow();
        (self.online, self.lasts_ms) = (0, 40 * MINUTE_MS);
        for ((trouble, _), weight) in CHAOS.iter().zip(&mut self.weights) {
            if matches!(trouble, Trouble::CopyDisk | Trouble::RestoreDisk) {
                *weight = 20;
            }
        }
    }

    /// Online servers, and a portal that is restored often: where a bug of restored portals can show.
    pub(super) fn restore_the_portal(&mut self) {
        self.online = 1_000;
        self.lasts_ms = 16 * MINUTE_MS;
        for ((trouble, _), weight) in CHAOS.iter().zip(&mut self.weights) {
            if matches!(trouble, Trouble::CopyPortal | Trouble::RestorePortal | Trouble::CutPortal) {
                *weight = 20;
            }
        }
    }
}

impl World<'_, '_> {
    /// Something goes wrong, and after a while the next thing.
    pub(super) fn chaos(&mut self) -> Result<(), Violation> {
        if self.healed {
            return Ok(());
        }
        let in_ms = self.between(SECOND_MS, self.dice.every_ms_max);
        self.push(in_ms, Event::Chaos);
        let total: u64 = self.dice.weights.iter().sum();
        if total == 0 {
            return Ok(());
        }
        let mut at = self.below(total);
        let mut chosen = Trouble::Crash;
        for ((trouble, _), weight) in CHAOS.iter().zip(&self.dice.weights) {
            chosen = *trouble;
            if at < *weight {
                break;
            }
            at -= weight;
        }
        self.make(chosen)
    }

    fn make(&mut self, trouble: Trouble) -> Result<(), Violation> {
        let server = self.pick(self.servers.len());
        let app = self.pick(self.apps.len());
        tell!(self, "chaos: {trouble:?} (server{server}, app{app})");
        match trouble {
            Trouble::Crash => self.crash_somehow(server),
            Trouble::DieAtCommit => {
                let point = if self.per_mille(500) { FaultPoint::BeforeCommit } else { FaultPoint::AfterCommit };
                self.sim.server_dbs[server].crash_at(point);
            }
            Trouble::DiskFull => {
                let commits = u32::try_from(self.between(1, 2)).unwrap_or(1);
                self.sim.server_dbs[server].fill(commits);
            }
            Trouble::WallStep => self.step_server(server),
            Trouble::Stray => self.stray(),
            Trouble::CutLink => {
                let for_ms = self.cut_ms();
                let nth = self.pick(self.apps[app].servers.len());
                let to = self.apps[app].servers[nth];
                self.cut_link(app, to, for_ms);
            }
            Trouble::CutServer => {
                let for_ms = self.cut_ms();
                for app in 0..self.apps.len() {
                    self.cut_link(app, server, for_ms);
                }
            }
            Trouble::Sleep => {
                let for_ms = self.cut_ms();
                let machine = self.apps[app].machine;
                self.machines[machine].sleep(self.at_ms);
                self.tally.count("machine asleep");
                self.push(for_ms, Event::Wake { machine });
            }
            Trouble::CarryAway => {
                let holds = |app: &App| app.process.as_ref().is_some_and(|process| process.session.holding().is_some());
                let holder = self.apps.iter().skip(app).position(holds).map(|nth| app + nth);
                self.apps[holder.unwrap_or(app)].leaves = true;
            }
            Trouble::ClientWallStep => {
                let machine = self.apps[app].machine;
                // Where elapsed time does not count sleep, the wall clock is all there is, so it has to be right.
                if self.machines[machine].counts_sleep {
                    let by_ms = self.between(-3 * HOUR_MS, 3 * HOUR_MS);
                    self.machines[machine].wall_off_ms = by_ms;
                }
            }
            Trouble::KillApp => self.kill_app(app),
            Trouble::CloneApp => self.clone_app(app),
            Trouble::CopyDisk => self.copy_disk(server),
            Trouble::RestoreDisk => self.restore_disk(server).expect("the copy of a database"),
            Trouble::Request => self.make_request(server)?,
            Trouble::Renew => self.portal_act(0, PortalWhat::Renew { server }),
            Trouble::AnyFile => self.try_any_file(server),
            Trouble::Seats => self.portal_act(0, PortalWhat::Seats),
            Trouble::PortalDies => {
                let point = if self.per_mille(500) { FaultPoint::BeforeCommit } else { FaultPoint::AfterCommit };
                self.sim.portal_db.crash_at(point);
            }
            Trouble::CopyPortal => self.copy_portal(),
            Trouble::RestorePortal => return self.restore_portal(),
            Trouble::Revoke => self.portal_act(0, PortalWhat::Revoke { server }),
            Trouble::Drain => self.command(server, Command::Drain),
            Trouble::Weekend => self.weekend(),
            Trouble::CutPortal => {
                let for_ms = self.cut_ms();
                self.cut_portal(server, for_ms);
            }
            Trouble::Stolen => self.send_stolen(),
            Trouble::FileAgain => self.bring_again(),
            Trouble::Reimage => self.reimage(),
            Trouble::LosePass => self.lose_pass(server),
            Trouble::GiveBack => self.give_back(server),
            Trouble::ReceiptAgain => self.upload_again(),
            Trouble::Lost => {
                let write_off = self.per_mille(600);
                self.portal_act(0, PortalWhat::Lost { server, write_off });
            }
            Trouble::TakeBack => self.take_back(server),
            Trouble::Recall => self.portal_act(0, PortalWhat::Recall { server }),
            Trouble::Keep => {
                let (seats, days) = (u32::try_from(self.below(4)).unwrap_or(0), 1 + self.below(3));
                let (days, auto_renew) = (u32::try_from(days).unwrap_or(1), self.per_mille(300));
                self.portal_act(0, PortalWhat::Keep { server, seats, days, auto_renew });
            }
            Trouble::Assign => {
                let (member, seats) = (self.per_mille(500), u32::try_from(self.below(4)).unwrap_or(0));
                self.portal_act(0, PortalWhat::Assign { member, seats });
            }
            Trouble::Switch => {
                // From files to online or back, with the key that it has.
                self.servers[server].online = !self.servers[server].online;
                self.make_request(server)?;
            }
        }
        Ok(())
    }

    /// The lid is closed; the machine wakes up where there is no network. What was answered meanwhile waits for it.
    pub(super) fn carry_away(&mut self, app: usize) {
        let machine = self.apps[app].machine;
        let asleep_ms = self.between(20 * SECOND_MS, 3 * MINUTE_MS);
        self.machines[machine].sleep(self.at_ms);
        self.tally.count("machine carried away");
        if let Some(process) = &mut self.apps[app].process {
            process.busy_until_ms = self.at_ms + 15 * MINUTE_MS;
        }
        self.push(asleep_ms, Event::Wake { machine });
        let leaves_ms = self.between(2 * SECOND_MS, 15 * SECOND_MS);
        self.push(leaves_ms, Event::LeaveNetwork { machine });
    }

    /// A machine is out of reach of everything.
    pub(super) fn leave_network(&mut self, machine: usize) {
        let for_ms = self.between(8 * MINUTE_MS, 14 * MINUTE_MS);
        for app in 0..self.apps.len() {
            if self.apps[app].machine == machine {
                for server in 0..self.servers.len() {
                    self.cut_link(app, server, for_ms);
                }
            }
        }
    }

    /// A short trouble or a long one: some are over before anybody notices, some outlast a right.
    fn cut_ms(&mut self) -> i64 {
        match self.below(3) {
            0 => self.between(SECOND_MS, 30 * SECOND_MS),
            1 => self.between(30 * SECOND_MS, 4 * MINUTE_MS),
            _ => self.between(4 * MINUTE_MS, 12 * MINUTE_MS),
        }
    }

    fn cut_link(&mut self, app: usize, server: usize, for_ms: i64) {
        self.cut.insert((app, server));
        self.tally.count("link cut");
        self.push(for_ms, Event::LinkUp { app, server });
    }

    fn crash_somehow(&mut self, server: usize) {
        if self.per_mille(300) {
            let at_ms = self.at_ms;
            self.servers[server].machine.reboot(at_ms);
        }
        self.tally.count("server killed");
        self.crash(server);
    }

    /// The machine of a license server is restarted with its wall clock set wrong, or right again.
    fn step_server(&mut self, server: usize) {
        // An online line is freed ten minutes after its end: a clock that is behind by more, with no portal in reach, is
        // more than that allowance covers.
        let online = self.servers.iter().any(|server| server.online);
        let off_ms = match self.below(6) {
            0 => 0,
            1..=3 if online => self.between(-9 * MINUTE_MS, 9 * MINUTE_MS),
            1 => self.between(-50 * SECOND_MS, 50 * SECOND_MS),
            2 => self.between(-10 * MINUTE_MS, 0),
            3 => self.between(-19 * HOUR_MS, 0),
            4 => self.between(0, 3 * HOUR_MS),
            _ => self.between(0, 40 * DAY_MS),
        };
        let at_ms = self.at_ms;
        self.servers[server].machine.wall_off_ms = off_ms;
        self.servers[server].machine.reboot(at_ms);
        self.crash(server);
    }

    /// Somebody tries a file that happens to lie around: an older one, or another server's.
    fn try_any_file(&mut self, server: usize) {
        if self.files.is_empty() {
            return;
        }
        let chosen = self.pick(self.files.len());
        let (_, file) = self.files[chosen].clone();
        self.push(0, Event::Import { server, file, tries: 0 });
    }

    /// Everybody goes home and everything is switched off for more than a day, longer than the portal's allowance.
    fn weekend(&mut self) {
        tell!(self, "a weekend");
        self.tally.count("weekend");
        for app in 0..self.apps.len() {
            if self.apps[app].process.take().is_some() && !self.apps[app].clone {
                self.push(0, Event::StartApp { app });
            }
        }
        for server in 0..self.servers.len() {
            self.crash(server);
        }
        let away_ms = self.between(25 * HOUR_MS, 60 * HOUR_MS);
        // Connections end; files wait on somebody's desk.
        let on_a_desk = |event: &Event| {
            !matches!(
                event,
                Event::AtServer { .. }
                    | Event::AtApp { .. }
                    | Event::ReleaseApp { .. }
                    | Event::Batch { .. }
                    | Event::SyncAtPortal(_)
                    | Event::SyncAnswer { .. }
                    | Event::SyncTimeout { .. }
                    | Event::Ring { .. }
            )
        };
        self.queue.put_off(away_ms, on_a_desk);
        self.strays.clear();
        self.at_ms += away_ms;
        for server in 0..self.servers.len() {
            let at_ms = self.at_ms;
            self.servers[server].machine.reboot(at_ms);
        }
    }
}
