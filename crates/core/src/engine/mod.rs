//! The license server's engine as a step machine (`PROTOCOL.md` sections 6 to 8).
//!
//! [`Engine::step`] takes the engine's now and one [`Input`], changes memory, appends the rows to write, and returns
//! the [`Output`] to send **after** they are on disk. If the commit fails, the shell drops the engine and restores it
//! from what is on disk. It does no I/O, draws nothing and reads no clock.

mod denials;
mod documents;
mod ended;
mod give_back;
mod io;
mod online;
mod passes;
mod release;
mod syncing;
mod trial;
mod unknown;
mod waiting;
mod wants;
mod writes;

pub use give_back::{GiveBack, GiveBackRefusal};
pub use io::*;
pub use online::OnlineRow;
pub use passes::is_remembered;
pub use syncing::OnlineView;
pub use trial::{Trial, TrialLine, TrialVerdict};
pub use unknown::{NotOut, UnknownPasses};
pub use writes::*;

use crate::clock::StartVerdict;
use crate::codes::{DenialCode, LeaseEnd};
use crate::grant::Line;
use crate::ids::{LeaseId, LicenseId, RequestId};
use crate::pool::{Ask, Lease, Pool, Source};
use crate::site::SiteRules;
use crate::time::Ms;
use crate::times::{LeaseTimes, TimeTable};
use documents::moved_since;
use ended::EndedKeys;
use online::Online;
use passes::PassesOver;
use release::Bars;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use waiting::MayWait;
use wants::Wants;

/// Requests of which the answer proves the time: somebody may download a second one while the first is on its way.
pub const ASKED_MAX: usize = 8;
/// Rows of last-seen written by one tick at most.
const SEEN_PER_TICK_MAX: usize = 5_000;

/// What was on disk when the server started.
#[derive(Debug, Default)]
pub struct Restored {
    /// The document in force.
    pub document: Option<Document>,
    /// Lines of older documents on which leases may still stand.
    pub former_lines: Vec<Line>,
    /// Open leases; their `freed_at` and `times` are set anew.
    pub leases: Vec<Lease>,
    /// Leases that ended after `ended_since`, in order of time: when, which, under which key.
    pub ended: Vec<(Ms, LeaseId, Arc<str>)>,
    /// The memory of keys before the last commit; earlier if an earlier start was still remembering.
    pub ended_since: Ms,
    /// The server was being disabled.
    pub draining: bool,
    /// Fingerprint of this machine; empty if it has none.
    pub machine: Box<str>,
    /// Since when the server has been on another machine than its document was issued to.
    pub moved_since: Option<Ms>,
    /// When a server first started after everything here was restored from a backup, if it was: leases given after that
    /// was made are not among these.
    pub restored_at: Option<Ms>,
    /// Passes may have been lent that nothing here knows of, because of that.
    pub unknown: Option<UnknownPasses>,
    /// The newest activation requests and when they were made, oldest first.
    pub asked: Vec<(RequestId, Ms)>,
    /// What is known at the portal; `None` if the server is not online.
    pub online: Option<OnlineRow>,
    /// Most seats of a license used at once in an hour since 1970.
    pub peaks: Vec<(LicenseId, i64, u32)>,
    /// Who gets no seat for a while.
    pub bars: Vec<Bar>,
    /// Denials that are open.
    pub denials: Vec<DenialRow>,
    /// Passes that are over before their end, and those that were written off within a year.
    pub passes_over: Vec<PassOver>,
    /// No pass is freed before, because a clock looked as if it was wrong.
    pub passes_held_until: Option<Ms>,
    /// The newest promise to keep fewer seats than a document holds.
    pub given_back: Option<GiveBack>,
}

/// The engine: seats, keys that are remembered, and the mode of the server.
#[derive(Debug)]
pub struct Engine {
    times: TimeTable,
    pool: Pool,
    document: Option<Document>,
    draining: bool,
    /// Seats given before the start may be unknown here until this instant, and why.
    no_new: Option<(Ms, DenialCode)>,
    machine: Box<str>,
    moved_since: Option<Ms>,
    /// `moved_since` was found at the start and is not on disk yet.
    moved_unwritten: bool,
    /// Oldest first, at most [`ASKED_MAX`].
    asked: VecDeque<(RequestId, Ms)>,
    ended: EndedKeys,
    /// What the start took up into `ended`, from when and until when, and is not on disk yet.
    keys_unwritten: Option<(Ms, Ms)>,
    /// From whom seats were taken back.
    bars: Bars,
    /// What the administrator of this server allows.
    rules: Arc<SiteRules>,
    /// Passes that are over.
    passes_over: PassesOver,
    /// Until when no pass is freed, because a clock looked wrong at a start.
    unknown: Option<UnknownPasses>,
    passes_held_until: Option<Ms>,
    /// It is not on disk yet.
    passes_held_unwritten: bool,
    /// Who was denied and may ask again.
    wants: Wants,
    denied: HashMap<Arc<str>, Ms>,
    denied_order: VecDeque<Arc<str>>,
    /// Leases heard of since their last-seen was written.
    seen: BTreeSet<LeaseId>,
    /// The newest promise to keep fewer seats than a document holds.
    given_back: Option<GiveBack>,
    /// While the document in force is kept up to date by syncs.
    online: Option<Online>,
    /// Answers of checkouts that waited, still to be sent.
    resolved: Vec<(LeaseId, Output)>,
}

impl Engine {
    /// An engine from what is on disk. Every open lease runs a full ttl + grace from `now`, bounded by its lines: its
    /// holder may have been answered just before the stop (rule 5).
    pub fn restore(restored: Restored, verdict: StartVerdict, now: Ms, times: TimeTable) -> Engine {
        let mut leases = restored.leases;
        let held_until = passes::held_until(verdict, restored.passes_held_until, now);
        for lease in &mut leases {
            lease.times = times.lease;
            lease.freed_at = match &lease.pass {
                Some(pass) => passes::freed_at_start(pass, held_until, &times),
                None => times.lease_freed_at(now, times.lease),
            };
            lease.n = 0;
            lease.nonce = "".into();
        }
        let document = restored.document;
        let cut = document.as_ref().map(|document| match &restored.given_back {
            Some(given) => given.cut(document),
            None => document.grant.clone(),
        });
        let pool = Pool::restore(cut.as_ref(), restored.former_lines, leases, now);
        let suspect = matches!(verdict, StartVerdict::Behind { .. }).then_some((now, DenialCode::ClockSuspect));
        let copied = restored.restored_at.map(|at| (at.min(now), DenialCode::Restored));
        let moved_since = moved_since(document.as_ref(), &restored.machine, restored.moved_since, now);
        let mut engine = Engine {
            times,
            pool,
            document,
            draining: restored.draining,
            no_new: suspect.or(copied).map(|(since, code)| (times.lease_freed_at(since, times.lease), code)),
            machine: restored.machine,
            moved_since,
            moved_unwritten: moved_since != restored.moved_since,
            asked: restored.asked.into(),
            ended: EndedKeys::default(),
            keys_unwritten: (!restored.ended.is_empty()).then(|| (restored.ended_since, now.plus(times.key_memory_ms))),
            bars: Bars::restore(restored.bars),
            rules: Arc::default(),
            passes_over: PassesOver::restore(restored.passes_over),
            passes_held_until: held_until,
            unknown: restored.unknown,
            passes_held_unwritten: held_until != restored.passes_held_until,
            wants: Wants::restore(restored.denials),
            denied: HashMap::new(),
            denied_order: VecDeque::new(),
            seen: BTreeSet::new(),
            given_back: restored.given_back,
            online: None,
            resolved: Vec::new(),
        };
        engine.restore_online(restored.online, &restored.peaks, now);
        // Like leases, they run in full from the start: how much time has passed since they ended is not known.
        for (_, lease, key) in restored.ended {
            engine.ended.remember(now, lease, &key);
        }
        engine
    }

    /// The seats, to look at.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// From now on this is what the administrator of the server allows. Nothing that runs ends for it.
    pub fn set_rules(&mut self, rules: Arc<SiteRules>) {
        self.rules = rules;
    }

    /// The document in force.
    pub fn document(&self) -> Option<&Document> {
        self.document.as_ref()
    }

    /// Whether the server is being disabled.
    pub fn draining(&self) -> bool {
        self.draining
    }

    /// Being disabled, and nothing is out any more: a receipt may be made.
    pub fn drained(&self, now: Ms) -> bool {
        // The receipt of a copy frees nothing, so that nothing need be waited for.
        let all_known = self.no_new(now).is_none() || self.is_forked();
        self.draining && self.pool.leases_out() == 0 && all_known
    }

    /// Until when no new leases are given because some that were given before may be unknown here, and why that is so.
    pub fn no_new(&self, now: Ms) -> Option<(Ms, DenialCode)> {
        self.no_new.filter(|(until, _)| now < *until)
    }

    /// Until when new seats are given although the document was issued to another machine; `None` if it was not, or if
    /// this machine cannot be told apart.
    pub fn moved_until(&self) -> Option<Ms> {
        let elsewhere = self.document.as_ref()?.grant.is_for_machine(&self.machine) == Some(false);
        self.moved_since.filter(|_| elsewhere).map(|since| since.plus(self.times.moved_ms))
    }

    /// Takes over from the engine before it what is on no disk: for a shell that builds memory anew while it runs.
    /// `former_now` is the time of that engine, where it was wrong.
    pub fn take_over(&mut self, now: Ms, former: &mut Engine, former_now: Ms) {
        // Whatever the clock says now: so much of the time is still to pass. Also where it was set by the portal's answer: that
        // may be one that was signed long ago and is given again, after which lines that have ended would seem to run.
        self.no_new = former.no_new(former_now).map(|(until, code)| (now.plus(until.since(former_now)), code));
        self.ended.take_over(now, &former.ended);
        self.rules = former.rules.clone();
        // A doubt that has not ended, also where the time was wrong and is known better now.
        if let Some(until) = former.passes_held_until.filter(|until| now < *until) {
            self.hold_passes(until);
        }
        if let (Some(online), Some(former)) = (&mut self.online, &mut former.online) {
            online.take_over(now, former);
        }
    }

    /// Handles one input at `now`. Leases whose time has come are freed first.
    pub fn step(&mut self, now: Ms, input: Input, writes: &mut Vec<Write>) -> Output {
        self.free_due(now, writes);
        self.hold_unknown(now, writes);
        match input {
            Input::Checkout { id, key, ask, source } => self.checkout(now, id, key, ask, source, writes),
            Input::Heartbeat { lease, n, nonce } => self.heartbeat(now, lease, n, nonce, writes),
            Input::Resume { lease, key, ask, source, n, nonce } => {
                if self.pool.lease(lease).is_some() {
                    return self.heartbeat(now, lease, n, nonce, writes);
                }
                self.adopt(now, (lease, key), (ask, source), (n, nonce), writes)
            }
            Input::Checkin { lease } => self.checkin(now, lease, writes),
            Input::CheckinKey { key } => match self.pool.lease_of_key(&key).map(|lease| lease.id) {
                Some(lease) => self.checkin(now, lease, writes),
                None => {
                    self.give_up_waiting(&key);
                    // Its checkout may still be on the way; when it comes, it must not take a seat for nobody.
                    self.ended.give_up(now, &key);
                    Output::Released
                }
            },
            Input::Borrow { id, key, jwk, machine, ask, source, term_ms } => {
                self.borrow(now, (id, key, jwk, machine), (ask, source), term_ms, writes)
            }
            Input::Return { pass } => self.give_back_pass(now, pass, writes),
            Input::Lose { pass, write_off, act } => self.lose(now, pass, write_off, act, writes),
            Input::NotOut { which, act } => self.not_out(now, which, act, writes),
            Input::Release { whom, reason, not_again_ms, act } => {
                self.release(now, &whom, reason, not_again_ms, act, writes)
            }
            Input::Lift { whom, act } => self.lift(now, &whom, act, writes),
            Input::Ask { request } => {
                self.asked.push_back((request, now));
                if self.asked.len() > ASKED_MAX {
                    self.asked.pop_front();
                }
                writes.push(Write::Asked { request, at: now });
                Output::Done
            }
            Input::Install { document, wall, act } => self.install(now, document, wall, act, writes),
            Input::GiveBack { keep, act } => self.give_back(now, &keep, act, writes),
            Input::Drain { act } => self.drain(now, act, writes),
            Input::Retire { receipt, act } => self.retire(now, receipt, act, writes),
            Input::Sync { server } => self.sync(now, &server, writes),
            Input::SyncAnswered { answer, sha256, document, jitter } => {
                self.sync_answered(now, *answer, &sha256, document, jitter, writes)
            }
            Input::SyncFailed { jitter } => self.sync_failed(now, jitter),
            Input::Refresh => self.refresh(now),
            Input::Rules { rules } => {
                self.set_rules(rules);
                Output::Done
            }
            Input::Tick => self.tick(now, writes),
        }
    }

    fn checkout(
        &mut self,
        now: Ms,
        id: LeaseId,
        key: Arc<str>,
        ask: Ask,
        source: Source,
        writes: &mut Vec<Write>,
    ) -> Output {
        if let Some(lease) = self.pool.lease_of_key(&key) {
            return if lease.ask == ask { self.extend(now, lease.id, false, writes) } else { Output::KeyReused };
        }
        if self.ended.has_key(&key) {
            return Output::Ended { end: LeaseEnd::LeaseGone, left_ms: 0 };
        }
        if let Some(waiting) = self.online.as_ref().and_then(|online| online.waiting_with(&key)) {
            return if waiting.ask == ask { Output::Waits(waiting.id) } else { Output::KeyReused };
        }
        if let Some(code) = self.closed(now).or_else(|| self.barred(&ask, now)) {
            return self.deny(now, code, (id, key), &ask, source, writes);
        }
        let code = match self.find(id, &ask, source, now) {
            Ok(standing) => {
                if let Some(online) = &mut self.online {
                    online.served(&ask);
                }
                return self.lease(now, (id, key), (ask, source), standing, writes);
            }
            Err(code) => code,
        };
        match self.may_wait(now, &ask, source, code) {
            MayWait::For(license) => self.wait(now, (id, key), (ask, source), license, None),
            MayWait::No => {
                let code = self.want(now, &ask, source, code);
                self.deny(now, code, (id, key), &ask, source, writes)
            }
        }
    }

    fn lease(
        &mut self,
        now: Ms,
        named: (LeaseId, Arc<str>),
        asked: (Ask, Source),
        standing: crate::pool::Standing,
        writes: &mut Vec<Write>,
    ) -> Output {
        let id = named.0;
        let lease = self.new_lease(now, named, asked, standing);
        writes.push(Write::Lease(Box::new(lease.clone())));
        writes.push(event(now, EventKind::Checkout, &lease));
        self.denied.remove(&lease.key);
        self.wants.served(now, (&lease.ask, false), lease.source, writes);
        self.pool.insert(lease);
        self.extend(now, id, true, writes)
    }

    /// Why no new leases are given at all, if so.
    fn closed(&self, now: Ms) -> Option<DenialCode> {
        if self.document.is_none() {
            return Some(DenialCode::NotActivated);
        }
        if self.draining {
            return Some(DenialCode::Draining);
        }
        if self.moved_until().is_some_and(|until| until <= now) {
            return Some(DenialCode::HostMismatch);
        }
        if self.is_forked() {
            return Some(DenialCode::Forked);
        }
        self.no_new(now).map(|(_, code)| code)
    }

    fn new_lease(
        &self,
        now: Ms,
        named: (LeaseId, Arc<str>),
        asked: (Ask, Source),
        standing: crate::pool::Standing,
    ) -> Lease {
        Lease {
            id: named.0,
            key: named.1,
            ask: asked.0,
            source: asked.1,
            standing,
            started_at: now,
            seen_at: now,
            freed_at: now,
            times: self.times.lease,
            n: 0,
            nonce: "".into(),
            withdrawn: false,
            released: None,
            told_at: None,
            pass: None,
        }
    }

    fn heartbeat(&mut self, now: Ms, id: LeaseId, n: u64, nonce: Box<str>, writes: &mut Vec<Write>) -> Output {
        // A pass has no heartbeats, and nobody was given its secret.
        let Some(lease) = self.pool.lease_mut(id).filter(|lease| lease.pass.is_none()) else {
            return Output::Ended { end: LeaseEnd::LeaseGone, left_ms: 0 };
        };
        // An equal n with an equal nonce is the same heartbeat again: its answer was lost.
        let copied = n < lease.n || (n == lease.n && nonce != lease.nonce);
        if copied {
            let event = event(now, EventKind::Copied, lease);
            writes.push(event);
            return Output::Ended { end: LeaseEnd::LeaseCopied, left_ms: 0 };
        }
        lease.n = n;
        lease.nonce = nonce;
        self.seen.insert(id);
        self.extend(now, id, false, writes)
    }

    /// Gives the full right anew, if the lines allow it. A repeated request extends as well: its sender counts from
    /// before the repetition.
    fn extend(&mut self, now: Ms, id: LeaseId, new: bool, writes: &mut Vec<Write>) -> Output {
        let Some(lease) = self.pool.lease(id) else { return Output::Unknown };
        let left_ms = lease.freed_at.since(now).saturating_sub(self.times.lease_allowance_ms).max(0);
        if lease.released.is_some() {
            return self.tell_released(now, id, left_ms);
        }
        if self.draining {
            return Output::Ended { end: LeaseEnd::Withdrawn, left_ms };
        }
        let full_ms = self.times.lease.lessee_stops_after_ms();
        let placement = self.pool.placement(lease).clone();
        let supported = !lease.withdrawn || self.pool.supports(&placement, &lease.ask, lease.source, now);
        if !supported || self.pool.ends_at(&placement).since(now) < full_ms {
            self.reseat(now, id, supported, writes);
        }
        let Some(lease) = self.pool.lease(id) else { return Output::Unknown };
        let ends_at = self.pool.ends_at(self.pool.placement(lease));
        if (lease.withdrawn && !supported) || ends_at <= now {
            return Output::Ended { end: LeaseEnd::Withdrawn, left_ms };
        }
        let times = self.times.lease.cut_to(ends_at.since(now));
        let answer = self.answer(now, lease, times, ends_at, new);
        // Never earlier than before: an answer already given may run longer than the lines of a shorter document.
        let freed_at = self.times.lease_freed_at(now, times).max(lease.freed_at);
        self.pool.set_freed_at(id, freed_at);
        if let Some(lease) = self.pool.lease_mut(id) {
            lease.withdrawn = false;
            lease.seen_at = now;
            lease.times = times;
        }
        answer
    }

    /// Moves a lease to lines that run longer, if seats are free there: what ends soon, or was taken away.
    fn reseat(&mut self, now: Ms, id: LeaseId, supported: bool, writes: &mut Vec<Write>) {
        let Some(to) = self.pool.find_other(id, now, &self.times) else { return };
        let Some(lease) = self.pool.lease(id) else { return };
        let from = self.pool.placement(lease);
        if supported && self.pool.ends_at(&to) <= self.pool.ends_at(from) {
            return;
        }
        writes.push(Write::SeatMoved { seat: lease.seat(), placement: to.clone() });
        self.pool.move_to(id, to);
        if let Some(lease) = self.pool.lease_mut(id) {
            lease.withdrawn = false;
        }
    }

    fn answer(&self, now: Ms, lease: &Lease, times: LeaseTimes, ends_at: Ms, new: bool) -> Output {
        let grant_sha256 = self.document.as_ref().map_or_else(|| "".into(), |document| document.sha256.clone());
        Output::Leased(Box::new(LeaseAnswer {
            lease: lease.id,
            new,
            feature: lease.ask.feature.clone(),
            seats: lease.ask.seats,
            user: lease.ask.user.clone(),
            host: lease.ask.host.clone(),
            times,
            at: now,
            grant_sha256,
            ends_at,
        }))
    }

    /// A running lease that this server does not know: it was restored from an older state.
    fn adopt(
        &mut self,
        now: Ms,
        named: (LeaseId, Arc<str>),
        asked: (Ask, Source),
        beat: (u64, Box<str>),
        writes: &mut Vec<Write>,
    ) -> Output {
        let (id, key) = named;
        let ended = self.ended.has_lease(id) || self.ended.has_key(&key);
        if ended || self.pool.lease_of_key(&key).is_some() {
            return Output::Ended { end: LeaseEnd::LeaseGone, left_ms: 0 };
        }
        if self.document.is_none() || self.draining || self.is_forked() {
            return Output::Ended { end: LeaseEnd::LeaseGone, left_ms: 0 };
        }
        match self.find(id, &asked.0, asked.1, now) {
            Err(code) => self.deny(now, code, (id, key), &asked.0, asked.1, writes),
            Ok(standing) => {
                let mut lease = self.new_lease(now, (id, key), asked, standing);
                (lease.n, lease.nonce) = beat;
                writes.push(Write::Lease(Box::new(lease.clone())));
                writes.push(event(now, EventKind::Adopted, &lease));
                self.pool.insert(lease);
                self.extend(now, id, false, writes)
            }
        }
    }

    fn checkin(&mut self, now: Ms, id: LeaseId, writes: &mut Vec<Write>) -> Output {
        // A pass is returned by its receipt.
        let lease = self.pool.lease(id).filter(|lease| lease.pass.is_none()).map(|lease| lease.id);
        match lease.and_then(|id| self.pool.remove(id)) {
            Some(lease) => {
                self.end(now, EventKind::Checkin, lease, writes);
                Output::Released
            }
            None if self.ended.has_lease(id) => Output::Released,
            None => Output::Unknown,
        }
    }

    fn end(&mut self, now: Ms, kind: EventKind, lease: Lease, writes: &mut Vec<Write>) {
        writes.push(Write::LeaseEnded { id: lease.id });
        writes.push(event(now.min(lease.freed_at), kind, &lease)); // When it ran out, whenever that was seen.
        self.bar_again(now.min(lease.freed_at), &lease, writes);
        self.seen.remove(&lease.id);
        self.ended.remember(now, lease.id, &lease.key);
    }

    fn free_due(&mut self, now: Ms, writes: &mut Vec<Write>) {
        while let Some(lease) = self.pool.pop_freed(now) {
            if let Some(pass) = &lease.pass {
                if pass.unknown_since.is_some() {
                    writes.push(Write::LeaseEnded { id: lease.id });
                    continue;
                }
                self.pass_is_over(passes::ended_by_itself(pass, lease.id, now), writes);
            }
            self.end(now, EventKind::Expired, lease, writes);
        }
        self.ended.forget(now, self.times.key_memory_ms);
    }

    fn tick(&mut self, now: Ms, writes: &mut Vec<Write>) -> Output {
        self.set_moved(self.moved_since, writes);
        if let Some((since, until)) = self.keys_unwritten.take() {
            writes.push(Write::KeysKept { since, until });
        }
        if std::mem::take(&mut self.passes_held_unwritten) && self.passes_held_until.is_some() {
            writes.push(Write::PassesHeld { until: self.passes_held_until });
        }
        self.write_peaks(writes);
        self.bars.forget(now);
        // Not by a clock that is in doubt: whoever asks again would get another.
        if self.passes_held_until.is_none_or(|until| until <= now) {
            self.passes_over.forget(now, &self.times);
        }
        self.wants.tick(now, self.times.want_ms, writes);
        for _ in 0..SEEN_PER_TICK_MAX {
            let Some(id) = self.seen.pop_first() else { break };
            if let Some(lease) = self.pool.lease(id) {
                writes.push(Write::LeaseSeen { id, at: lease.seen_at });
            }
        }
        Output::Done
    }
}

#[cfg(test)]
mod tests;
