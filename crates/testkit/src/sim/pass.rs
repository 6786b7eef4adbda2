//! Machines that borrow: they ask, work out of reach, ask for more time, give back, are made anew, are lost; and people who
//! bring an old file a second time.

use super::events::Event;
use super::outcome::{Law, Violation};
use super::plant::Plant;
use super::server::Command;
use super::world::{World, tell};
use leasehold_core::engine::{Allowance, Input, Output};
use leasehold_core::ids::{LeaseId, PassId};
use leasehold_core::pass::Mark;
use leasehold_core::pool::{Ask, Source};
use leasehold_core::time::{HOUR_MS, MINUTE_MS, Ms, SECOND_MS};
use leasehold_portal::service::losses;
use leasehold_trust::sync::sign_request;
use leasehold_wire::portal::WriteOffPass;
use std::net::IpAddr;

/// A machine as far as it borrows.
#[derive(Debug)]
pub(super) struct Borrower {
    machine: usize,
    server: usize,
    ask: Ask,
    source: Source,
    keys: u64,
    /// Asked for under a key, without an answer: asked again with the same.
    asked: Option<(Box<str>, i64)>,
    pass: Option<Held>,
    /// Given up: its receipt is brought until it is taken.
    returning: Option<PassId>,
    /// The timer that counts.
    timer_ms: i64,
}

/// A pass that the machine has.
#[derive(Debug)]
struct Held {
    key: Box<str>,
    id: PassId,
    until: Ms,
    mark: Mark,
}

/// What is brought to a server. Files: they can be brought twice.
#[derive(Clone, Debug)]
pub(super) enum PassCall {
    /// A request.
    Borrow { key: Box<str>, term_ms: i64 },
    /// A receipt.
    Return { pass: PassId },
}

impl World<'_, '_> {
    pub(super) fn add_borrower(&mut self) {
        let app = self.pick(self.apps.len());
        let App { machine, ask, source, servers } = {
            let app = &self.apps[app];
            App { machine: app.machine, ask: app.ask.clone(), source: app.source, servers: app.servers.clone() }
        };
        let server = servers[self.pick(servers.len())];
        let borrower = self.borrowers.len();
        let (keys, asked, pass, returning) = (0, None, None, None);
        self.borrowers.push(Borrower {
            machine,
            server,
            ask,
            source,
            keys,
            asked,
            pass,
            returning,
            timer_ms: i64::MAX,
        });
        self.borrower_soon(borrower);
    }

    fn borrower_soon(&mut self, borrower: usize) {
        let in_ms = self.between(10 * SECOND_MS, 4 * MINUTE_MS);
        let at_ms = self.at_ms + in_ms;
        self.borrowers[borrower].timer_ms = at_ms;
        self.push(in_ms, Event::Borrower { borrower });
    }

    /// The machine does what is next.
    pub(super) fn borrower(&mut self, borrower: usize) {
        if self.at_ms < self.borrowers[borrower].timer_ms {
            return;
        }
        self.borrower_soon(borrower);
        if self.machines[self.borrowers[borrower].machine].asleep() {
            return;
        }
        self.see_time(borrower);
        if let Some(pass) = self.borrowers[borrower].returning {
            return self.bring(borrower, PassCall::Return { pass });
        }
        if let Some((key, term_ms)) = self.borrowers[borrower].asked.clone() {
            return self.bring(borrower, PassCall::Borrow { key, term_ms });
        }
        let term_ms = self.between(MINUTE_MS, 12 * MINUTE_MS);
        let long_ms = self.between(MINUTE_MS, 40 * HOUR_MS);
        let term_ms = if self.per_mille(200) { long_ms } else { term_ms };
        let what = self.below(10);
        let machine = &mut self.borrowers[borrower];
        let call = match &machine.pass {
            None if self.healed => return,
            None => {
                machine.keys += 1;
                let key: Box<str> = format!("pass-key-{borrower}-{}", machine.keys).into();
                machine.asked = Some((key.clone(), term_ms));
                PassCall::Borrow { key, term_ms }
            }
            Some(held) if what < 3 => PassCall::Borrow { key: held.key.clone(), term_ms },
            Some(held) if what < 6 => {
                let pass = held.id;
                machine.returning = Some(pass);
                if self.plant != Some(Plant::UseAfterReturn) {
                    machine.pass = None;
                }
                PassCall::Return { pass }
            }
            Some(_) => return,
        };
        self.bring(borrower, call);
    }

    fn bring(&mut self, borrower: usize, call: PassCall) {
        let server = self.borrowers[borrower].server;
        let copies = if !self.healed && self.per_mille(self.dice.doubled) { 2 } else { 1 };
        for _ in 0..copies {
            if !self.healed && self.per_mille(self.dice.lost) {
                continue;
            }
            // Sent, or carried by hand.
            let in_ms = if self.per_mille(300) { self.carrying_ms() } else { self.between(5, 900) };
            self.push(in_ms, Event::PassAtServer { server, borrower, call: call.clone() });
        }
        self.carried.push((borrower, call));
    }

    /// Somebody brings a file again that was brought before.
    pub(super) fn bring_again(&mut self) {
        if !self.carried.is_empty() {
            let chosen = self.pick(self.carried.len());
            let (borrower, call) = self.carried[chosen].clone();
            let server = self.borrowers[borrower].server;
            self.push(0, Event::PassAtServer { server, borrower, call });
        }
    }

    pub(super) fn pass_at_server(&mut self, server: usize, borrower: usize, call: PassCall) {
        if self.servers[server].running.is_some() {
            tell!(self, "borrower{borrower} -> server{server}: {call:?}");
            self.command(server, Command::Pass { borrower, call });
        }
    }

    pub(super) fn pass_input(&mut self, borrower: usize, call: &PassCall, now: Ms) -> Input {
        let machine = &self.borrowers[borrower];
        match call {
            PassCall::Borrow { key, term_ms } => Input::Borrow {
                key: key.clone(),
                jwk: "{}".into(),
                machine: format!("m{}", machine.machine).into(),
                ask: machine.ask.clone(),
                source: machine.source,
                term_ms: *term_ms,
                id: LeaseId::draw(now, &mut self.random),
            },
            PassCall::Return { pass } => Input::Return { pass: *pass },
        }
    }

    /// The answer is on disk and on its way.
    pub(super) fn pass_answered(
        &mut self,
        server: usize,
        borrower: usize,
        call: &PassCall,
        output: &Output,
    ) -> Result<(), Violation> {
        tell!(self, "server{server} -> borrower{borrower}: {output:?}");
        if let Output::Borrowed(answer) = output {
            self.tally.count(if answer.new { "pass lent" } else { "pass extended or repeated" });
            let on_disk = &self.truth.servers[server].on_disk;
            let Some(truth) = on_disk.leases.get(&answer.pass.lease()) else {
                // It may have been returned later in the same batch.
                if self.truth.known.contains(&answer.pass.lease()) {
                    return Ok(());
                }
                return self.broken(Law::Two, format!("server{server} answers {}, which is not stored", answer.pass));
            };
            let ends = truth.placement.iter().filter_map(|(line, _)| on_disk.lines.get(line)).map(|line| line.until);
            // One that was given before may stand on a line that a newer document has cut.
            if answer.new && ends.min().is_some_and(|end| answer.terms.until > end) {
                return self.broken(Law::One, format!("server{server}: {} outlives its line", answer.pass));
            }
        }
        if self.healed || !self.per_mille(self.dice.lost) {
            let in_ms = self.between(5, 900);
            self.push(in_ms, Event::PassAnswer { borrower, call: call.clone(), output: Box::new(output.clone()) });
        }
        Ok(())
    }

    pub(super) fn pass_answer(&mut self, borrower: usize, call: &PassCall, output: &Output) {
        let reading = self.machines[self.borrowers[borrower].machine].reading(self.at_ms);
        let boot = self.machines[self.borrowers[borrower].machine].boot();
        if self.machines[self.borrowers[borrower].machine].asleep() {
            return;
        }
        let machine = &mut self.borrowers[borrower];
        match (call, output) {
            (PassCall::Borrow { key, .. }, Output::Borrowed(answer)) => {
                let asked = machine.asked.as_ref().is_some_and(|(asked, _)| asked == key);
                let held = machine.pass.as_mut().filter(|held| held.key == *key);
                match held {
                    Some(held) => held.until = held.until.max(answer.terms.until),
                    None if asked && machine.returning != Some(answer.pass) => {
                        let seen = reading.wall.max(answer.at.floor_to_second());
                        let mark = Mark { at: seen, boottime_ms: reading.boottime_ms, boot_id: boot };
                        machine.pass =
                            Some(Held { key: key.clone(), id: answer.pass, until: answer.terms.until, mark });
                    }
                    // An answer to something that is over: the file of a pass whose key is destroyed.
                    None => {}
                }
                if asked {
                    machine.asked = None;
                }
            }
            (PassCall::Borrow { key, .. }, Output::Denied(denial)) => {
                self.tally.count(denial.code.word());
                let machine = &mut self.borrowers[borrower];
                machine.asked.take_if(|(asked, _)| asked == key);
            }
            (PassCall::Return { pass }, Output::Returned { .. } | Output::Unknown) => {
                machine.returning.take_if(|returning| returning == pass);
                machine.pass.take_if(|held| held.id == *pass);
                self.tally.count("pass returned");
            }
            _ => {}
        }
    }

    /// The machine looks at its clocks, as it does while it works.
    fn see_time(&mut self, borrower: usize) {
        let machine = &mut self.borrowers[borrower];
        let (reading, boot) =
            (self.machines[machine.machine].reading(self.at_ms), self.machines[machine.machine].boot());
        if let Some(held) = &mut machine.pass
            && let Ok(now) = held.mark.now(reading, &boot)
        {
            held.mark = held.mark.moved(now, reading, &boot);
            if now >= held.until {
                machine.pass = None;
            }
        }
    }

    /// Passes that their machines could use right now.
    pub(super) fn passes_believed(&self) -> Vec<(usize, usize, LeaseId)> {
        let mut believed = Vec::new();
        for (index, borrower) in self.borrowers.iter().enumerate() {
            let machine = &self.machines[borrower.machine];
            let Some(held) = &borrower.pass else { continue };
            let now = held.mark.now(machine.reading(self.at_ms), &machine.boot());
            if now.is_ok_and(|now| now < held.until) {
                believed.push((index, borrower.server, held.id.lease()));
            }
        }
        believed
    }

    /// The machine's disk is made anew, and what it had borrowed is gone with it.
    pub(super) fn reimage(&mut self) {
        if self.borrowers.is_empty() {
            return;
        }
        let borrower = self.pick(self.borrowers.len());
        let machine = &mut self.borrowers[borrower];
        (machine.asked, machine.pass, machine.returning) = (None, None, None);
    }

    /// An administrator declares a pass lost, now and then one that its machine goes on using.
    pub(super) fn lose_pass(&mut self, server: usize) {
        let Some(running) = &self.servers[server].running else { return };
        let passes = running.engine.pool().passes_page(None, 20);
        if passes.is_empty() {
            return;
        }
        let pass = PassId::of(passes[self.pick(passes.len())].id);
        let mut write_off = None;
        if self.per_mille(500) {
            write_off = self.may_write_off(server, pass);
            if write_off.is_none() {
                self.tally.count("write-off refused by the portal");
                return;
            }
        }
        self.tally.count("pass declared lost");
        self.command(server, Command::Lose { pass, write_off });
    }

    /// Who says that a pass may be written off: an online server asks the portal, which may die at it, and whose answer may
    /// be lost.
    fn may_write_off(&mut self, server: usize, pass: PassId) -> Option<Allowance> {
        let (key, now) = (self.key_of(server)?, self.server_now(server)?);
        let engine = &self.servers[server].running.as_ref()?.engine;
        if engine.online(now).is_none() {
            self.truth.written_off_here.insert(pass);
            return Some(Allowance::Here);
        }
        if self.plant == Some(Plant::WriteOffUnasked) {
            return Some(Allowance::AtPortal);
        }
        let (lease, document) = (engine.pool().lease(pass.lease())?, engine.document()?);
        let wish = WriteOffPass { pass, seats: engine.seats_of_pass(lease) };
        let body = serde_json::to_vec(&wish).expect("a wish");
        let wall = self.servers[server].machine.wall(self.at_ms);
        let token = sign_request(&key, document.grant.workstation, 0, &body, wall);
        if self.portal_cut.contains(&server) {
            return None;
        }
        self.sim.portal_clock.set(self.now(), self.at_ms + MINUTE_MS);
        let answer = losses::write_off_pass_signed(&self.sim.portal, IpAddr::from([10, 0, 0, 9]), &token, &body);
        if self.sim.portal_db.db.failed().is_some() {
            self.sim.portal_db.db.restart().expect("an in-line database");
            self.tally.count("portal died at a commit");
        }
        tell!(self, "portal: server{server} asks to write off {pass} -> {answer:?}");
        let lost = !self.healed && self.per_mille(self.dice.lost);
        answer.is_ok_and(|told| told.written_off && !lost).then_some(Allowance::AtPortal)
    }
}

/// What is taken over from an application.
struct App {
    machine: usize,
    ask: Ask,
    source: Source,
    servers: Vec<usize>,
}
