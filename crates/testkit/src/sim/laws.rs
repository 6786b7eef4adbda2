//! The laws, checked against the truth and never against what the code under test counts.

use super::app::App;
use super::events::Letter;
use super::outcome::{Law, Violation};
use super::truth::LeaseTruth;
use super::world::World;
use leasehold_core::engine::{Engine, Output, Restored, Write};
use leasehold_core::ids::{LeaseId, LicenseId};
use leasehold_core::license::FeatureCode;
use leasehold_core::session::SeatState;
use leasehold_core::time::{MINUTE_MS, SECOND_MS};
use leasehold_portal::store::receipts;
use std::collections::{BTreeMap, BTreeSet};

/// A full right and its allowance, with a second for crystals: so long after a restore nobody believes in a lease that
/// was forgotten by it.
const FULL_RIGHT_MS: i64 = 425 * SECOND_MS + 5 * SECOND_MS;

/// Seats of each feature of each license.
type Used<'a> = BTreeMap<(LicenseId, &'a FeatureCode), u32>;

impl World<'_, '_> {
    /// After every event.
    pub(super) fn check(&mut self) -> Result<(), Violation> {
        let mut everywhere: BTreeMap<LicenseId, u32> = BTreeMap::new();
        let believed = self.believed()?;
        for server in 0..self.servers.len() {
            let set_back = self.set_back(server);
            let mine = believed.iter().filter(|(at, _)| *at == server).map(|(_, lease)| *lease);
            for (license, seats) in self.product_seats(server, mine) {
                if set_back {
                    continue;
                }
                let workstation = self.truth.servers[server].on_disk.document.map(|(workstation, _)| workstation);
                let counted = workstation.map_or(0, |id| self.truth.counted(id, license, self.now()));
                let lost = workstation.map_or(0, |id| self.truth.written_off_at(id, license));
                if seats > counted && lost > 0 {
                    // Written off while it runs: counted apart, and never more than was signed.
                    self.tally.count("seat of a lost server in use");
                }
                if seats > counted + lost {
                    let what =
                        format!("{seats} seats of {license} are in use at server{server}, the portal counts {counted}");
                    return self.broken(Law::One, what);
                }
                *everywhere.entry(license).or_default() += seats.min(counted);
            }
        }
        for (license, seats) in everywhere {
            let ceiling = self.truth.ceiling(license, self.now());
            if seats > ceiling {
                return self.broken(Law::One, format!("{seats} seats of {license} are in use, {ceiling} were bought"));
            }
        }
        Ok(())
    }

    /// The server's disk was set back and it may obey what the portal counts as void.
    fn set_back(&mut self, server: usize) -> bool {
        let truth = &mut self.truth.servers[server];
        let obeys = truth.on_disk.document;
        let acknowledged = obeys.and_then(|(id, _)| self.truth.workstations.get(&id)).map_or(0, |w| w.acknowledged_rev);
        let gave_back = obeys.is_some() && obeys == truth.obeys_given_back;
        if truth.unsynced || gave_back || truth.forgot > 0 && obeys.is_some_and(|(_, rev)| rev < acknowledged) {
            truth.set_back_until_ms = self.at_ms + FULL_RIGHT_MS;
        }
        self.at_ms < truth.set_back_until_ms
    }

    /// The leases that somebody uses right now and that their servers have on disk, or hold as unknown: law 2 and law 4.
    fn believed(&self) -> Result<BTreeSet<(usize, LeaseId)>, Violation> {
        let mut believed = BTreeSet::new();
        for (index, app) in self.apps.iter().enumerate() {
            let now = self.machines[app.machine].reading(self.at_ms);
            let Some((nth, lease)) = app.process.as_ref().and_then(|running| running.believes(now, self.plant)) else {
                continue;
            };
            let server = app.servers[nth];
            let truth = &self.truth.servers[server];
            if truth.on_disk.leases.contains_key(&lease) {
                believed.insert((server, lease));
            } else if let Some(orphan) = truth.orphans.get(&lease) {
                if self.at_ms > orphan.forgotten_ms + FULL_RIGHT_MS {
                    let what = format!("app{index} still uses {lease}, which server{server} forgot in a restore");
                    return self.broken(Law::Four, what);
                }
            } else if !self.truth.known.contains(&lease) {
                return self.broken(Law::Two, format!("app{index} uses {lease}, which never reached a disk"));
            } else if !self.truth.copied.contains(&lease) {
                let what = format!("app{index} uses {lease}, whose seat server{server} has freed");
                return self.broken(Law::Four, what);
            }
        }
        for (index, server, lease) in self.passes_believed() {
            let truth = &self.truth.servers[server];
            if truth.on_disk.leases.contains_key(&lease) {
                believed.insert((server, lease));
            } else if self.truth.written_off.contains(&lease) {
                // By the vendor's leave.
            } else if let Some(orphan) = truth.orphans.get(&lease) {
                // Lent after the backup that the server was restored from: if it knows that it was, it holds its seat.
                if orphan.covered {
                    believed.insert((server, lease));
                }
            } else if !self.truth.known.contains(&lease) {
                return self.broken(Law::Two, format!("borrower{index} has {lease}, which never reached a disk"));
            } else {
                let what = format!("borrower{index} may use {lease}, whose seat server{server} has freed");
                return self.broken(Law::Four, what);
            }
        }
        Ok(believed)
    }

    /// Seats of each feature on which leases stand; leases that share a seat count once.
    fn used(&self, server: usize, leases: impl Iterator<Item = LeaseId>) -> Used<'_> {
        let truth = &self.truth.servers[server];
        let mut seen = BTreeSet::new();
        let mut used = Used::new();
        let of = |lease: LeaseId| {
            let orphan = || truth.orphans.get(&lease).map(|orphan| &orphan.lease);
            truth.on_disk.leases.get(&lease).or_else(orphan)
        };
        for truth in leases.filter_map(of) {
            if seen.insert(truth.seat) {
                for (line, seats) in truth.placement.iter() {
                    let Some(line) = self.truth.lines.get(line) else { continue };
                    *used.entry((line.license, &truth.feature)).or_default() += seats;
                }
            }
        }
        used
    }

    /// The same in whole seats of each license's product.
    fn product_seats(&self, server: usize, leases: impl Iterator<Item = LeaseId>) -> BTreeMap<LicenseId, u32> {
        let mut seats: BTreeMap<LicenseId, u32> = BTreeMap::new();
        for ((license, feature), out) in self.used(server, leases) {
            let line = self.truth.lines.values().find(|line| line.license == license);
            let per_seat = line.and_then(|line| line.features.get(feature)).copied().unwrap_or(1);
            let entry = seats.entry(license).or_default();
            *entry = (*entry).max(out.div_ceil(per_seat.max(1)));
        }
        seats
    }

    /// Leases that were made by a commit: law 1 at their server, counted from the rows on its disk.
    pub(super) fn check_created(&self, server: usize, writes: &[Write]) -> Result<(), Violation> {
        if !writes.iter().any(|write| matches!(write, Write::Lease(_))) {
            return Ok(());
        }
        let Some((engine, now)) = self.engine(server).zip(self.server_now(server)) else { return Ok(()) };
        let on_disk = &self.truth.servers[server].on_disk.leases;
        let used = self.used(server, on_disk.keys().copied());
        for write in writes {
            let Write::Lease(lease) = write else { continue };
            // Given to nobody: held because it may be out, also on a line that ended within the day.
            if lease.pass.as_ref().is_some_and(|pass| pass.unknown_since.is_some()) {
                continue;
            }
            // Given and taken back in one batch: it stands on nothing any more.
            let Some(truth) = on_disk.get(&lease.id) else { continue };
            for (line, _) in truth.placement.iter() {
                let Some(line) = self.truth.lines.get(line) else { continue };
                let granted = engine.document().map_or(&[][..], |document| &document.grant.lines);
                let alive = granted.iter().filter(|other| other.license == line.license && now < other.until);
                let held: u32 = alive.map(|other| other.capacity(truth.feature.as_str())).sum();
                let out = used.get(&(line.license, &truth.feature)).copied().unwrap_or(0);
                if out > held {
                    let (license, feature) = (line.license, &truth.feature);
                    let what =
                        format!("server{server} gave {}: {out} of {feature} out, {held} held of {license}", lease.id);
                    return self.broken(Law::One, what);
                }
            }
        }
        Ok(())
    }

    /// What an online server writes off is counted at the portal before.
    pub(super) fn check_written_off(&self, server: usize, writes: &[Write]) -> Result<(), Violation> {
        for write in writes {
            let Write::PassOver(over) = write else { continue };
            // A portal that was set back may have forgotten it.
            if over.written_off.is_empty() || self.truth.written_off_here.contains(&over.id) || self.portal_was_set_back
            {
                continue;
            }
            let pass = over.id;
            let counted = self.sim.portal_db.db.read(move |tx| receipts::pass_written_off(tx, pass));
            if counted.expect("write-offs").is_empty() {
                let what = format!("server{server} writes off {pass}, which the portal does not count");
                return self.broken(Law::One, what);
            }
        }
        Ok(())
    }

    /// Answers that give a right: none outlives the lines it stands on.
    pub(super) fn check_answers<B>(&self, server: usize, stepped: &[(Letter, B, Output)]) -> Result<(), Violation> {
        for (_, _, output) in stepped {
            let Output::Leased(answer) = output else { continue };
            let on_disk = &self.truth.servers[server].on_disk;
            let Some(truth) = on_disk.leases.get(&answer.lease) else {
                // It may have ended later in the same batch.
                if self.truth.known.contains(&answer.lease) {
                    continue;
                }
                return self.broken(Law::Two, format!("server{server} answers {}, which is not stored", answer.lease));
            };
            let lines = &on_disk.lines;
            let ends = truth.placement.iter().filter_map(|(line, _)| lines.get(line)).map(|line| line.until);
            let stops = answer.at.plus(answer.times.lessee_stops_after_ms());
            if ends.min().is_some_and(|end| stops > end) {
                return self.broken(Law::One, format!("server{server}: {} outlives its line", answer.lease));
            }
        }
        Ok(())
    }

    /// A document is in force at a server: the portal must count all of it.
    pub(super) fn check_document(&mut self, server: usize) -> Result<(), Violation> {
        if self.set_back(server) {
            return Ok(());
        }
        let Some((engine, now)) = self.engine(server).zip(self.server_now(server)) else { return Ok(()) };
        let Some(document) = engine.document() else { return Ok(()) };
        let mut held: BTreeMap<LicenseId, u32> = BTreeMap::new();
        for line in document.grant.lines.iter().filter(|line| now < line.until) {
            *held.entry(line.license).or_default() += line.seats;
        }
        for (license, seats) in held {
            let counted = self.truth.counted(document.grant.workstation, license, self.now());
            if seats > counted + self.truth.written_off_at(document.grant.workstation, license) {
                let rev = document.grant.rev;
                let what =
                    format!("server{server} holds {seats} of {license} by rev {rev}, the portal counts {counted}");
                return self.broken(Law::One, what);
            }
        }
        Ok(())
    }

    /// What a server finds at its start is what was stored.
    pub(super) fn check_restored(&self, server: usize, restored: &Restored) -> Result<(), Violation> {
        let on_disk = &self.truth.servers[server].on_disk;
        let leases: BTreeSet<LeaseId> = restored.leases.iter().map(|lease| lease.id).collect();
        let document = restored.document.as_ref().map(|document| (document.grant.workstation, document.grant.rev));
        let stored: BTreeSet<LeaseId> = on_disk.leases.keys().copied().collect();
        if leases != stored {
            let lost: Vec<_> = stored.symmetric_difference(&leases).collect();
            return self
                .broken(Law::Two, format!("server{server} starts with other leases than were stored: {lost:?}"));
        }
        if document != on_disk.document || restored.draining != on_disk.draining {
            let what = format!("server{server} starts with {document:?}, stored was {:?}", on_disk.document);
            return self.broken(Law::Two, what);
        }
        Ok(())
    }

    fn engine(&self, server: usize) -> Option<&Engine> {
        self.servers[server].running.as_ref().map(|running| &running.engine)
    }

    /// When nothing has gone wrong for twenty minutes.
    pub(super) fn check_quiet(&mut self) -> Result<(), Violation> {
        let believed = self.believed()?;
        for server in 0..self.servers.len() {
            let (Some(engine), Some(now)) = (self.engine(server), self.server_now(server)) else {
                return self.broken(Law::Quiet, format!("server{server} did not come up by itself"));
            };
            let held: BTreeSet<LeaseId> =
                believed.iter().filter(|(at, _)| *at == server).map(|(_, lease)| *lease).collect();
            let on_disk = &self.truth.servers[server].on_disk;
            // A line that ends about now takes its leases with it a few seconds later.
            let ends = |lease: &LeaseTruth| {
                let mut lines = lease.placement.iter().filter_map(|(line, _)| on_disk.lines.get(line));
                lines.any(|line| line.until.since(now) < 10 * SECOND_MS)
            };
            // A pass is counted a day longer than it is used, and for as long if its machine is gone.
            let leases = on_disk.leases.iter().filter(|(_, lease)| !lease.pass);
            let held: BTreeSet<LeaseId> =
                held.into_iter().filter(|id| on_disk.leases.get(id).is_some_and(|lease| !lease.pass)).collect();
            let stays = leases.filter(|(id, lease)| held.contains(id) || !ends(lease));
            let on_disk: BTreeSet<LeaseId> = stays.map(|(id, _)| *id).collect();
            if held != on_disk {
                let stuck: Vec<_> = on_disk.symmetric_difference(&held).collect();
                return self.broken(Law::Quiet, format!("server{server}: leases that nobody holds: {stuck:?}"));
            }
            // The engine's own counters agree with the rows.
            let mut used: BTreeMap<&FeatureCode, u32> = BTreeMap::new();
            for ((_, feature), seats) in self.used(server, on_disk.iter().copied()) {
                *used.entry(feature).or_default() += seats;
            }
            for view in engine.pool().view(now).features {
                let (counted, seats) = (view.capacity.in_use, used.get(&view.feature).copied().unwrap_or(0));
                if counted < seats {
                    let what = format!("server{server} counts {counted} of {} in use, {seats} are", view.feature);
                    return self.broken(Law::Quiet, what);
                }
            }
        }
        self.check_nobody_is_stuck()
    }

    /// The lease that an application holds stands on a line that ends within one full right.
    fn line_ends(&self, app: &App) -> bool {
        let Some((nth, lease)) = app.process.as_ref().and_then(|running| running.session.holding()) else {
            return false;
        };
        let server = app.servers[nth];
        let on_disk = &self.truth.servers[server].on_disk;
        let (Some(truth), Some(now)) = (on_disk.leases.get(&lease), self.server_now(server)) else { return false };
        let mut lines = truth.placement.iter().filter_map(|(line, _)| on_disk.lines.get(line));
        lines.any(|line| line.until.since(now) < FULL_RIGHT_MS)
    }

    fn check_nobody_is_stuck(&mut self) -> Result<(), Violation> {
        for (index, app) in self.apps.iter().enumerate() {
            let Some(running) = &app.process else {
                if app.clone {
                    continue;
                }
                return self.broken(Law::Quiet, format!("app{index} is not running"));
            };
            if running.released {
                return self.broken(Law::Quiet, format!("app{index} is still giving its seat back"));
            }
            let now = self.machines[app.machine].reading(self.at_ms);
            match running.session.state(now) {
                Some(SeatState::Ok | SeatState::Renewing) => {}
                // Its line ends so soon that all that is left is the time to save one's work.
                Some(SeatState::Grace) if self.line_ends(app) => {}
                state => {
                    // Nobody has a seat for it, then.
                    for server in &app.servers {
                        let Some((engine, at)) = self.engine(*server).zip(self.server_now(*server)) else { continue };
                        // Seats have just come, and whoever was refused looks around twice a minute.
                        let truth = &self.truth.servers[*server];
                        let came_ms = truth.loaded_ms.max(truth.returned_ms);
                        if self.at_ms - came_ms < MINUTE_MS {
                            continue;
                        }
                        // Whoever was refused and waits before the next try does not know what came since.
                        if running.pausing && came_ms >= running.refused_ms {
                            continue;
                        }
                        // Whose line has just ended looks around twice a minute.
                        let mut lines = self.truth.servers[*server].on_disk.lines.values();
                        if lines.any(|line| (-MINUTE_MS..SECOND_MS).contains(&line.until.since(at))) {
                            continue;
                        }
                        let starting = engine.online(at).is_some_and(|online| online.starting);
                        let open = engine.no_new(at).is_none() && !engine.draining();
                        let open = open && !engine.is_forked() && !starting;
                        let id = LeaseId::draw(at, &mut leasehold_core::random::Seeded::new(0));
                        if open && engine.pool().find(id, &app.ask, app.source, at).is_ok() {
                            let what = format!("app{index} is {state:?} and server{server} has a seat for it");
                            return self.broken(Law::Quiet, what);
                        }
                    }
                }
            }
        }
        Ok(())
    }
}
