//! Documents of the engine: putting one in force, and giving up all of them.

use super::passes::doubt_ends;
use super::{Act, Audit, Document, Engine, InstallRefusal, Output, Write};
use crate::clock::{BEHIND_TOLERATED_MS, proved_ahead};
use crate::grant::Grant;
use crate::text::counted;
use crate::time::Ms;

impl Engine {
    pub(super) fn install(
        &mut self,
        now: Ms,
        document: Document,
        wall: Ms,
        act: Act,
        writes: &mut Vec<Write>,
    ) -> Output {
        let behind_ms = now.since(wall);
        let suspect = behind_ms > BEHIND_TOLERATED_MS;
        let set_back_to = if suspect { self.set_back_to(&document.grant, wall) } else { None };
        if suspect && set_back_to.is_none() {
            return Output::NotInstalled(InstallRefusal::ClockSuspect { behind_ms });
        }
        if self.draining {
            return Output::NotInstalled(InstallRefusal::Draining);
        }
        let file_rev = document.grant.rev;
        let ours = self.document.as_ref().map(|current| current.grant.workstation);
        if ours.is_some_and(|ours| document.grant.workstation != ours) {
            return Output::NotInstalled(InstallRefusal::OtherWorkstation);
        }
        if let Some(rev) = self.forbidden(&document) {
            return Output::NotInstalled(InstallRefusal::GivenBack { file_rev, rev });
        }
        if self.document.as_ref().is_some_and(|current| document.sha256 == current.sha256) {
            return Output::NotInstalled(InstallRefusal::Twice);
        }
        if let Some(in_use) = self.document.as_ref().map(|current| current.grant.rev).filter(|rev| file_rev <= *rev) {
            return Output::NotInstalled(InstallRefusal::Older { file_rev, in_use });
        }
        self.forget_promises();
        let withdrawn = self.load(set_back_to.unwrap_or(now), &document, writes);
        let (detail, issued_at) = (told(&document.grant), document.grant.issued_at);
        writes.push(Write::Audit(Box::new(Audit { at: now, act, action: "document_install", detail })));
        self.put_in_force(now, document, writes);
        self.begin_online(now, writes);
        match set_back_to {
            Some(to) => {
                // The machine's clock agrees with it, as at a start.
                let held_until = self.doubt_left(to, issued_at).map(|until| until.min(doubt_ends(to)));
                self.set_back(now, to, held_until, writes);
            }
            None => self.end_clock_doubt(now, issued_at, writes),
        }
        Output::Installed { withdrawn, set_back_to }
    }

    /// Makes the lines of a document those of the pool; answers how many leases run out because there are fewer.
    pub(super) fn load(&mut self, now: Ms, document: &Document, writes: &mut Vec<Write>) -> usize {
        let installed = self.pool.install(&document.grant, now, &self.times);
        for id in installed.moved {
            if let Some(lease) = self.pool.lease(id) {
                let placement = self.pool.placement(lease).clone();
                writes.push(Write::SeatMoved { seat: lease.seat(), placement });
            }
        }
        installed.withdrawn.len()
    }

    pub(super) fn put_in_force(&mut self, now: Ms, document: Document, writes: &mut Vec<Write>) {
        writes.push(Write::Document(document.clone()));
        let moved = moved_since(Some(&document), &self.machine, self.moved_since, now);
        self.set_moved(moved, writes);
        self.document = Some(document);
    }

    /// What time a document proves, if it answers one of the newest requests of this server.
    fn set_back_to(&self, grant: &Grant, wall: Ms) -> Option<Ms> {
        let (_, asked_at) = self.asked.iter().find(|(request, _)| grant.request == Some(*request))?;
        proved_ahead(*asked_at, grant.issued_at, wall)
    }

    pub(super) fn set_moved(&mut self, since: Option<Ms>, writes: &mut Vec<Write>) {
        if self.moved_since != since || self.moved_unwritten {
            (self.moved_since, self.moved_unwritten) = (since, false);
            writes.push(Write::Moved { since });
        }
    }

    pub(super) fn drain(&mut self, now: Ms, act: Act, writes: &mut Vec<Write>) -> Output {
        if self.document.is_none() {
            return Output::NotDrained;
        }
        if !self.draining {
            self.draining = true;
            self.refresh(now);
            writes.push(Write::Draining);
            let out = self.pool.leases_out();
            let detail = counted(out as u64, "lease still out", "leases still out");
            writes.push(Write::Audit(Box::new(Audit { at: now, act, action: "server_drain", detail })));
        }
        let unknown_until = self.no_new(now).map(|(until, _)| until).filter(|_| !self.is_forked());
        let done_by = self.pool.last_freed_at().max(unknown_until).max(self.unknown_until(now)).unwrap_or(now);
        Output::Draining { leases_out: self.pool.leases_out(), done_by }
    }

    pub(super) fn retire(&mut self, now: Ms, receipt: Box<str>, act: Act, writes: &mut Vec<Write>) -> Output {
        if !self.drained(now) {
            return Output::NotDrained;
        }
        let void = self.is_forked();
        let to_bring = self.online.is_some() && !void;
        self.draining = false;
        self.document = None;
        self.pool.clear_lines();
        self.forget_promises();
        self.end_online(writes);
        self.set_moved(None, writes);
        if self.unknown.take().is_some() {
            writes.push(Write::UnknownHeld);
        }
        writes.push(Write::Retired { receipt, to_bring, void });
        let detail = "the key was destroyed, and what was granted to it is given up".to_owned();
        writes.push(Write::Audit(Box::new(Audit { at: now, act, action: "server_disable", detail })));
        Output::Done
    }
}

/// Since when the server has been on another machine than `document` was issued to. Where that cannot be told, what was
/// found before stays: hiding the machine's id for a while must not begin the time anew.
pub(super) fn moved_since(document: Option<&Document>, machine: &str, before: Option<Ms>, now: Ms) -> Option<Ms> {
    match document.map_or(Some(true), |document| document.grant.is_for_machine(machine)) {
        Some(true) => None,
        // Never later than now, or a clock that was set ahead once would put the end off.
        Some(false) => Some(before.map_or(now, |since| since.min(now))),
        None => before,
    }
}

/// A document in one line for people.
pub(super) fn told(grant: &Grant) -> String {
    let seats: u64 = grant.lines.iter().map(|line| u64::from(line.seats)).sum();
    format!("rev {}: {} lines, {seats} seats, until {}", grant.rev, grant.lines.len(), grant.ends_at().rfc3339())
}
