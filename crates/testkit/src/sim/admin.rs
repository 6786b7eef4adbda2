//! The administrator at a license server: requests, activation files carried by hand, disabling, copies of the disk.

use super::events::{Event, PortalAct, PortalWhat};
use super::outcome::Violation;
use super::plant::Plant;
use super::server::{Command, DiskCopy, act};
use super::world::{World, tell};
use leasehold_core::engine::{GiveBack, Input, Whom, Write};
use leasehold_core::ids::{ReceiptId, RequestId};
use leasehold_core::time::{MINUTE_MS, Ms, SECOND_MS};
use leasehold_db::DbError;
use leasehold_server::testing;
use leasehold_trust::receipt::{Kept, ReceiptFacts, build_receipt, read_receipt};
use std::collections::BTreeMap;
use std::sync::Arc;

impl World<'_, '_> {
    /// So long somebody carries a file.
    pub(super) fn carrying_ms(&mut self) -> i64 {
        self.between(2 * SECOND_MS, self.dice.carry_ms_max)
    }

    pub(super) fn portal_act(&mut self, in_ms: i64, what: PortalWhat) {
        self.acts += 1;
        let act = PortalAct { key: format!("act-{}", self.acts), what, lines: None };
        self.push(in_ms, Event::AtPortal(act));
    }

    pub(super) fn make_request(&mut self, server: usize) -> Result<(), Violation> {
        let request = RequestId::draw(self.now(), &mut self.random);
        let stored = match self.server_now(server) {
            Some(now) => self.store_asked(server, now, request)?,
            None => false,
        };
        let Some(now) = self.server_now(server).filter(|_| stored) else {
            if !self.healed {
                self.push(MINUTE_MS, Event::MakeRequest { server });
            }
            return Ok(());
        };
        if self.servers[server].key.is_none() && self.next_key < self.sim.keys.len() {
            self.servers[server].key = Some(self.next_key);
            self.next_key += 1;
        }
        let (Some(key), Some(running)) = (self.key_of(server), &self.servers[server].running) else {
            return Ok(());
        };
        let rev = testing::rev_to_report(&running.engine, now);
        let trust = Some(self.sim.portal.root().clone());
        let wall = self.servers[server].machine.wall(self.at_ms);
        let file: Arc<str> = testing::request_file(&key, request, wall, rev, trust).into();
        tell!(self, "server{server} makes a request file that says rev {rev:?}");
        if self.servers[server].online {
            let in_ms = self.between(100, 2 * SECOND_MS);
            self.portal_act(in_ms, PortalWhat::Enable { server, file, rev });
        } else {
            let in_ms = self.carrying_ms();
            self.portal_act(in_ms, PortalWhat::Activate { server, file, rev });
        }
        Ok(())
    }

    /// An activation file is uploaded to a license server.
    pub(super) fn import(&mut self, server: usize, file: &Arc<str>, tries: u32) -> Result<(), Violation> {
        let (Some(now), Some(key)) = (self.server_now(server), self.key_of(server)) else {
            if tries < 5 {
                self.push(MINUTE_MS, Event::Import { server, file: file.clone(), tries: tries + 1 });
            }
            return Ok(());
        };
        let in_use = self.servers[server].running.as_ref().and_then(|running| running.engine.document());
        // Two uploads may be read at the same time: then it is the engine that refuses the older one.
        let in_use = in_use.map(|document| document.grant.rev).filter(|_| self.per_mille(500));
        let trust = self.sim.portal.root().clone();
        let wall = self.servers[server].machine.wall(self.at_ms);
        let read = testing::read_file(file.as_bytes(), Some(&trust), &key.public(), in_use, now.min(wall));
        match read {
            Ok(document) => {
                tell!(self, "rev {} is uploaded to server{server}", document.grant.rev);
                self.tally.count("activation file uploaded");
                self.command(server, Command::Install(Box::new(document)));
            }
            Err(problem) => {
                tell!(self, "server{server} refuses a file: {}", problem.code());
                self.tally.count(problem.code());
                self.load_older(server, file, now);
            }
        }
        Ok(())
    }

    /// [`Plant::LoadOlder`]: the older file gets in as if it were newer.
    fn load_older(&mut self, server: usize, file: &Arc<str>, now: Ms) {
        let Some(key) = self.key_of(server).filter(|_| self.plant == Some(Plant::LoadOlder)) else { return };
        let trust = self.sim.portal.root().clone();
        let in_use = self.servers[server].running.as_ref().and_then(|running| running.engine.document()).cloned();
        if let (Ok(mut document), Some(in_use)) =
            (testing::read_file(file.as_bytes(), Some(&trust), &key.public(), None, now), in_use)
            && document.grant.rev < in_use.grant.rev
        {
            document.grant.rev = in_use.grant.rev + 1;
            document.sha256 = format!("older-{}", document.sha256).into();
            self.command(server, Command::Install(Box::new(document)));
        }
    }

    /// Somebody's seat is taken back, or all seats at a machine.
    pub(super) fn take_back(&mut self, server: usize) {
        let Some(running) = &self.servers[server].running else { return };
        let leases: Vec<_> = running.engine.pool().leases_page(None, None, 50).into_iter().collect();
        if leases.is_empty() {
            return;
        }
        let lease = &leases[self.pick(leases.len())];
        let whom = if self.per_mille(500) { Whom::Seat(lease.id) } else { Whom::User(lease.ask.user.clone()) };
        self.tally.count("seats taken back");
        self.command(server, Command::Release(whom));
    }

    pub(super) fn command(&mut self, server: usize, command: Command) {
        if self.servers[server].running.is_some() {
            self.servers[server].commands.push(command);
            self.run_soon(server);
        }
    }

    /// The last step of disabling: the receipt is on disk before the key is destroyed.
    pub(super) fn retire_if_drained(&mut self, server: usize, now: Ms) -> Result<(), Violation> {
        let Some(key) = self.key_of(server) else { return Ok(()) };
        let wall = self.servers[server].machine.wall(self.at_ms);
        let Some(running) = self.servers[server].running.as_mut().filter(|running| running.engine.drained(now)) else {
            return Ok(());
        };
        let Some(document) = running.engine.document() else { return Ok(()) };
        let facts = ReceiptFacts {
            receipt: ReceiptId::draw(now, &mut self.random),
            workstation: document.grant.workstation,
            rev_in_use: document.grant.rev,
            given_up_at: wall.floor_to_second(),
            server_version: "simulated".to_owned(),
            kept: None,
            usage: None,
        };
        let receipt: Box<str> = build_receipt(&key, &facts).into();
        let mut writes: Vec<Write> = Vec::new();
        running.engine.step(now, Input::Retire { receipt, act: act() }, &mut writes);
        self.store_retirement(server, now, writes)
    }

    /// The process has started: a receipt that is on disk ends the key that signed it.
    pub(super) fn finish_retirement(&mut self, server: usize) {
        let Some(key) = self.key_of(server) else { return };
        let receipts = testing::receipts(&self.sim.server_dbs[server].db).expect("receipts");
        let ended = receipts.iter().filter_map(|file| read_receipt(file.as_bytes()).ok());
        if ended.into_iter().any(|receipt| receipt.key == key.thumbprint()) {
            self.servers[server].key = None;
            self.carry_receipt(server);
        }
    }

    /// The receipt goes to the portal, and sooner or later the server is activated anew.
    pub(super) fn carry_receipt(&mut self, server: usize) {
        // What a copy signs at its end must never reach the portal: another server has its key and goes on.
        let newest = testing::newest_receipt(&self.sim.server_dbs[server].db).expect("receipts");
        let file: Option<Arc<str>> = newest.map(Into::into);
        tell!(self, "server{server} has given up its key");
        self.tally.count("server disabled");
        if self.healed {
            return;
        }
        // Some are activated in the other way the next time.
        if self.per_mille(300) {
            self.servers[server].online = !self.servers[server].online;
        }
        if let Some(file) = file {
            self.receipts.push(file.clone());
            let in_ms = self.carrying_ms();
            self.portal_act(in_ms, PortalWhat::Receipt { file });
        }
        let again_ms = self.between(MINUTE_MS, 20 * MINUTE_MS);
        self.push(again_ms, Event::MakeRequest { server });
    }

    /// An administrator gives some seats back, or tries to give back more than is free.
    pub(super) fn give_back(&mut self, server: usize) {
        let Some(now) = self.server_now(server) else { return };
        let Some(running) = &self.servers[server].running else { return };
        let Ok(all) = running.engine.may_give_back(now) else { return };
        let mut keep = BTreeMap::new();
        for view in all.iter().filter(|view| view.held > 0) {
            let least = if self.per_mille(900) { view.used.min(view.held) } else { 0 };
            let seats = least + u32::try_from(self.below(u64::from(view.held - least) + 1)).unwrap_or(0);
            if self.per_mille(600) {
                keep.insert(view.license, seats);
            }
        }
        self.command(server, Command::GiveBack(keep));
    }

    /// Receipts leave the server when their promises are stored, or before with [`Plant::ReceiptBeforeDisk`].
    pub(super) fn carry_give_backs(&mut self, server: usize, given_back: &[GiveBack], stored: bool) {
        if stored != (self.plant == Some(Plant::ReceiptBeforeDisk)) {
            given_back.iter().for_each(|given| self.carry_give_back(server, given));
        }
    }

    /// The receipt of a promise is carried to the portal, sometimes twice, sometimes never.
    fn carry_give_back(&mut self, server: usize, given: &GiveBack) {
        let Some(key) = self.key_of(server) else { return };
        let wall = self.servers[server].machine.wall(self.at_ms);
        let facts = ReceiptFacts {
            receipt: ReceiptId::draw(self.now(), &mut self.random),
            workstation: given.workstation,
            rev_in_use: given.rev,
            given_up_at: wall.floor_to_second(),
            server_version: "simulated".to_owned(),
            kept: Some(Kept { number: given.number, document: given.document.to_string(), seats: given.kept.clone() }),
            usage: None,
        };
        let file: Arc<str> = build_receipt(&key, &facts).into();
        tell!(self, "server{server} gives back by receipt {}: keeps {:?}", given.number, given.kept);
        self.tally.count("receipt of some seats");
        self.receipts.push(file.clone());
        let times = [0, 1, 1, 1, 1, 2][self.pick(6)];
        for _ in 0..times {
            let in_ms = self.carrying_ms();
            self.portal_act(in_ms, PortalWhat::Receipt { file: file.clone() });
        }
    }

    /// Somebody uploads a receipt that lies around.
    pub(super) fn upload_again(&mut self) {
        if self.receipts.is_empty() {
            return;
        }
        let chosen = self.pick(self.receipts.len());
        let file = self.receipts[chosen].clone();
        self.tally.count("old receipt");
        self.portal_act(0, PortalWhat::Receipt { file });
    }

    /// Somebody copies the data folder.
    pub(super) fn copy_disk(&mut self, server: usize) {
        let database = self.sim.server_dbs[server].db.snapshot().expect("a snapshot");
        let on_disk = self.truth.servers[server].on_disk.clone();
        let key = self.servers[server].key;
        tell!(
            self,
            "the disk of server{server} is copied with {} leases, {:?}",
            on_disk.leases.len(),
            on_disk.document
        );
        self.servers[server].copy = Some(DiskCopy { database, key, on_disk });
    }

    /// Somebody puts the copy back.
    pub(super) fn restore_disk(&mut self, server: usize) -> Result<(), DbError> {
        let Some(copy) = self.servers[server].copy.clone() else { return Ok(()) };
        self.crash(server);
        self.sim.server_dbs[server].disarm();
        self.sim.server_dbs[server].db.restore(&copy.database)?;
        self.servers[server].key = copy.key;
        // By `server restore`, or as the snapshot of a virtual machine, which nobody tells it of.
        let told = self.below(2) == 0;
        if told {
            let now = self.servers[server].machine.wall(self.at_ms);
            testing::set_restored(&self.sim.server_dbs[server].db, now)?;
        }
        self.truth.set_back(server, copy.on_disk, self.at_ms, (told, self.servers[server].online));
        tell!(self, "the disk of server{server} is set back to the copy, by command: {told}");
        self.tally.count("server restored");
        Ok(())
    }
}
