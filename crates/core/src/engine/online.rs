//! The server's end of online licensing (`PROTOCOL.md` sections 2 and 3): what it says to the portal and when, what it
//! promised, who waits for seats from there.
//!
//! Part of the engine, because a promise to use no more than so many seats and the leases on them must be one decision.
//! Knows no sockets: the shell carries bodies and brings answers back.

use super::io::{Document, SyncOut};
use super::waiting::{MayWait, Waiting};
use crate::codes::{AccountSeats, DenialCode};
use crate::ids::{LeaseId, LicenseId};
use crate::license::FeatureCode;
use crate::pool::{Ask, Pool, Source};
use crate::sync::{
    FIRST_SYNC_MS, IDLE_MS, NO_MS, PoolShare, Report, SAID_MS, SYNC_EVERY_MS, SYNC_VERSION, ServerFacts, SyncAnswer,
    SyncRequest, Verdict, WAIT_MS, WAITING_MAX, WANT_MS,
};
use crate::time::{DAY_MS, HOUR_MS, Ms, SECOND_MS};
use crate::times::TimeTable;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Peaks are kept this long, in hours.
const PEAK_HOURS: i64 = 7 * DAY_MS / HOUR_MS;
/// Between two tries while the portal does not answer, at most, in milliseconds.
const RETRY_MAX_MS: i64 = 60 * SECOND_MS;

/// What is on disk of it: one row.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnlineRow {
    /// Number of the last request that was answered; 0 before the first.
    pub seq: u64,
    /// SHA-256 of its answer, in hex; empty before the first.
    pub prev: String,
    /// Body of the newest request. It is sent again as it is until it is answered, and what it promised holds until a
    /// newer document is loaded.
    pub request: Option<Arc<str>>,
    /// When it was made, by the server's time; `None` once that time was found to be wrong.
    pub asked_at: Option<Ms>,
    /// The last answer, without the document.
    pub answer: Option<SyncAnswer>,
    /// When it came, by the server's time.
    pub answered_at: Option<Ms>,
    /// Another server has this key: the machine that it runs on, as the portal heard it. Hostile text.
    pub forked: Option<String>,
}

/// What is known at the portal of one server's licenses, and what passes between them.
#[derive(Debug)]
pub(super) struct Online {
    row: OnlineRow,
    /// The newest request, read.
    request: Option<SyncRequest>,
    /// Until the first request since the start is answered, at most until then, online lines give nothing.
    closed_until: Option<Ms>,
    /// A request that was on its way when the process started. Whoever has a copy of it gets the same answer, so that
    /// this answer does not tell whether there is another server with this key.
    from_before: Option<u64>,
    /// When the next request is due if nothing happens.
    next_at: Ms,
    /// Something happened that the portal should hear at once.
    urgent: bool,
    /// Tries of the outstanding request that failed, one after the other.
    failures: u32,
    /// Seats for which somebody was denied not long ago.
    denied: BTreeMap<LicenseId, Denied>,
    /// The portal had none: denied at once until then.
    none_until: BTreeMap<LicenseId, Ms>,
    waiting: VecDeque<Waiting>,
    usage: BTreeMap<LicenseId, Usage>,
    /// A document has fewer seats than were kept: the portal should hear when nothing older is used any more.
    lowered: bool,
}

#[derive(Clone, Copy, Debug)]
struct Denied {
    seats: u32,
    asked_at: Ms,
}

/// How many seats of a license were used when.
#[derive(Debug, Default)]
struct Usage {
    /// Values that may still be the greatest of the last minute, falling.
    recent: VecDeque<(Ms, u32)>,
    /// The greatest of each hour, by hours since 1970.
    hours: BTreeMap<i64, u32>,
    /// Hours whose value is not on disk yet.
    unwritten: Option<i64>,
}

impl Usage {
    fn note(&mut self, now: Ms, used: u32) {
        while self.recent.back().is_some_and(|(_, earlier)| *earlier <= used) {
            self.recent.pop_back();
        }
        self.recent.push_back((now, used));
        // The first one that is too old still held until the second came.
        while self.recent.get(1).is_some_and(|(at, _)| now.since(*at) >= IDLE_MS) {
            self.recent.pop_front();
        }
        let hour = now.0.div_euclid(HOUR_MS);
        let greatest = self.hours.entry(hour).or_insert(0);
        if used > *greatest {
            *greatest = used;
            self.unwritten = Some(hour);
        }
        self.hours.retain(|at, _| hour - at < PEAK_HOURS);
    }

    fn lately(&self) -> u32 {
        self.recent.front().map_or(0, |(_, used)| *used)
    }

    fn peak(&self) -> u32 {
        self.hours.values().copied().max().unwrap_or(0)
    }
}

impl Online {
    /// From what is on disk; a server that has just been enabled has nothing. `starting`: the process has started, and
    /// the portal may know better than the disk what this server is.
    pub(super) fn restore(row: OnlineRow, peaks: &[(LicenseId, i64, u32)], starting: bool, now: Ms) -> Online {
        let request: Option<SyncRequest> = row.request.as_ref().and_then(|body| serde_json::from_str(body).ok());
        let outstanding = request.as_ref().map(|request| request.seq).filter(|seq| *seq > row.seq);
        let mut usage: BTreeMap<LicenseId, Usage> = BTreeMap::new();
        for (license, hour, seats) in peaks {
            usage.entry(*license).or_default().hours.insert(*hour, *seats);
        }
        Online {
            row,
            request,
            closed_until: starting.then(|| now.plus(FIRST_SYNC_MS)),
            from_before: outstanding.filter(|_| starting),
            next_at: now,
            urgent: true,
            failures: 0,
            denied: BTreeMap::new(),
            none_until: BTreeMap::new(),
            waiting: VecDeque::new(),
            usage,
            lowered: true,
        }
    }

    pub(super) fn row(&self) -> &OnlineRow {
        &self.row
    }

    pub(super) fn forked(&self) -> bool {
        self.row.forked.is_some()
    }

    /// The pools of the last answer.
    pub(super) fn pools(&self) -> &[PoolShare] {
        self.row.answer.as_ref().map_or(&[], |answer| &answer.pools)
    }

    /// Tries that failed, one after the other.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// The portal gives it nothing any more.
    pub(super) fn is_revoked(&self) -> bool {
        self.row.answer.as_ref().is_some_and(|answer| matches!(answer.verdict, Verdict::Ended | Verdict::Lost))
    }

    /// Whether online lines give nothing yet.
    pub(super) fn is_closed(&self, now: Ms) -> bool {
        self.closed_until.is_some_and(|until| now < until)
    }

    fn outstanding(&self) -> Option<&SyncRequest> {
        self.request.as_ref().filter(|request| request.seq > self.row.seq)
    }

    /// What was promised with the newest request, if the document that it presented is still the one in force.
    pub(super) fn put_promises(&self, document: &Document, pool: &mut Pool) {
        let Some(request) = self.request.as_ref().filter(|request| *request.document == *document.token) else {
            return;
        };
        for (license, report) in &request.licenses {
            pool.set_limit(*license, report.keep);
        }
    }

    /// What the last answer recalled is owed, but for what the request after it gives back already.
    pub(super) fn put_recalls(&self, pool: &mut Pool) {
        pool.clear_owed();
        for share in self.pools() {
            let given = if self.outstanding().is_some() { pool.given_back(share.license) } else { 0 };
            pool.set_owed(share.license, share.recall.saturating_sub(given));
        }
    }

    /// Something happened that the portal should hear at once; a request that failed is tried again at once as well.
    pub(super) fn hurry(&mut self, now: Ms) {
        self.urgent = true;
        self.next_at = self.next_at.min(now);
    }

    /// When the shell should ask for the next request; `None` if never.
    pub(super) fn due(&self) -> Option<Ms> {
        if self.forked() {
            return None;
        }
        let at_once = self.urgent && self.outstanding().is_none();
        Some(if at_once { Ms(0) } else { self.next_at })
    }

    /// The request to send: the outstanding one as it was, or a new one, which is on disk before it is sent. `true` if it
    /// is new. `holds`: leases may run that are not known here, so that everything counts as used.
    pub(super) fn request(
        &mut self,
        now: Ms,
        document: &Document,
        pool: &mut Pool,
        (draining, holds): (bool, bool),
        (server, times): (&ServerFacts, &TimeTable),
    ) -> (SyncOut, bool) {
        if let (Some(request), Some(body)) = (self.outstanding(), &self.row.request) {
            return (SyncOut { seq: request.seq, body: body.clone() }, false);
        }
        self.urgent = false;
        let before = self.request.as_ref().map_or(0, |request| request.rev);
        let request = SyncRequest {
            v: SYNC_VERSION,
            workstation: document.grant.workstation,
            seq: self.row.seq + 1,
            prev: self.row.prev.clone(),
            // Leases that are not known here may stand on what came before.
            rev: if pool.fits(times) && !holds { document.grant.rev } else { before },
            document: document.token.to_string(),
            now,
            draining,
            server: server.clone(),
            licenses: self.reports(now, pool, draining, holds),
            running_out: (!holds).then(|| pool.running_out()),
        };
        let body: Arc<str> = serde_json::to_string(&request).unwrap_or_default().into();
        let seq = request.seq;
        self.lowered &= request.rev < document.grant.rev;
        self.request = Some(request);
        (self.row.request, self.row.asked_at) = (Some(body.clone()), Some(now));
        (SyncOut { seq, body }, true)
    }

    /// Each license as it is reported; what is given back cannot be used from now on.
    fn reports(&mut self, now: Ms, pool: &mut Pool, draining: bool, holds: bool) -> BTreeMap<LicenseId, Report> {
        self.denied.retain(|_, denied| now.since(denied.asked_at) < WANT_MS);
        let mut licenses = pool.recallable_licenses();
        let promised = self.request.as_ref().filter(|_| holds).map(|request| request.licenses.clone());
        let promised = promised.unwrap_or_default();
        licenses.extend(promised.keys());
        licenses.extend(self.pools().iter().filter(|share| share.may_come()).map(|share| share.license));
        licenses.extend(self.denied.keys());
        let mut reports = BTreeMap::new();
        for license in licenses {
            let known = pool.used_seats(license);
            let usable = pool.usable_seats(license, now);
            let before = promised.get(&license).map_or(0, |report| report.keep);
            let used = if holds { known.max(usable).max(before) } else { known };
            let unused = usable.saturating_sub(used);
            let given = if draining { unused } else { unused.min(pool.owed(license)) };
            let keep = used.max(usable - given);
            pool.set_limit(license, keep);
            pool.set_owed(license, pool.owed(license).saturating_sub(given));
            if given > 0 {
                // Whoever was denied here did not come for what lay here unused.
                self.denied.remove(&license);
            }
            let (unused, waiting) = (keep - used, self.waiting_for(license));
            let denied = self.denied.get(&license).map_or(0, |denied| denied.seats);
            let usage = self.usage.entry(license).or_default();
            usage.note(now, known);
            let lately = if holds { keep } else { usage.lately() };
            reports.insert(
                license,
                Report {
                    keep,
                    used,
                    idle: keep.saturating_sub(lately),
                    want: if draining { 0 } else { waiting.saturating_add(denied).saturating_sub(unused) },
                    waiting: if draining { 0 } else { waiting.saturating_sub(unused) },
                    peak: usage.peak(),
                },
            );
        }
        reports
    }

    /// The outstanding request was answered. `false` if the answer is to another one: then nothing has changed.
    pub(super) fn answered(&mut self, now: Ms, answer: SyncAnswer, sha256: &str, jitter: u64) -> bool {
        if self.outstanding().is_none_or(|request| request.seq != answer.seq) {
            return false;
        }
        self.failures = 0;
        self.next_at = now.plus(every_ms(jitter));
        let repeated = answer.verdict == Verdict::Ok && self.from_before == Some(answer.seq);
        if repeated && self.closed_until.is_some() {
            self.hurry(now);
        } else {
            self.closed_until = None;
        }
        self.row.answered_at = Some(now);
        match answer.verdict {
            // Also of one that was revoked the portal hears what is still in use.
            Verdict::Ok | Verdict::Ended | Verdict::Lost => {
                (self.row.seq, self.row.prev) = (answer.seq, sha256.to_owned());
                for share in &answer.pools {
                    if share.exhausted {
                        self.none_until.insert(share.license, now.plus(NO_MS));
                    } else {
                        self.none_until.remove(&share.license);
                    }
                }
                self.row.answer = Some(SyncAnswer { grant: None, ..answer });
            }
            Verdict::Forked => self.row.forked = Some(answer.other_host),
            // Not taken: it stays outstanding, and is tried again when it is due.
            Verdict::ByFile => self.row.answer = Some(SyncAnswer { grant: None, ..answer }),
        }
        true
    }

    /// The request could not be brought to the portal, or its answer is not one.
    pub(super) fn failed(&mut self, now: Ms, jitter: u64) {
        let backoff_ms = (SECOND_MS << self.failures.min(6)).min(RETRY_MAX_MS);
        self.failures = self.failures.saturating_add(1);
        self.next_at = now.plus(backoff_ms + i64::try_from(jitter % 500).unwrap_or(0));
    }

    /// How far this server's time was ahead of the portal's when it made the request that was answered at `at`
    /// (positive), or is behind it now (negative); 0 if neither is certain.
    pub(super) fn clock_off_ms(&self, at: Ms, now: Ms, tolerated_ms: i64) -> i64 {
        // The portal's time is in whole seconds, rounded down. An answer may be older than this try, never than the request.
        let ahead = self.row.asked_at.map_or(0, |asked_at| asked_at.since(at.plus(SECOND_MS)));
        let behind = at.since(now);
        match () {
            () if ahead > tolerated_ms => ahead,
            () if behind > tolerated_ms => -behind,
            () => 0,
        }
    }

    /// The server's time was wrong when the request was made: it proves nothing about the time any more.
    pub(super) fn forget_asked_at(&mut self) {
        self.row.asked_at = None;
    }

    /// Whether a checkout that finds no seat here may wait for the portal.
    pub(super) fn may_wait(&self, now: Ms, (ask, source): (&Ask, Source), code: DenialCode, pool: &Pool) -> MayWait {
        let room = self.waiting.len() < WAITING_MAX;
        if !room || self.forked() {
            return MayWait::No;
        }
        if self.is_closed(now) {
            return MayWait::For(None);
        }
        let curable = matches!(
            code,
            DenialCode::NoSeats | DenialCode::FeatureUnknown | DenialCode::Expired | DenialCode::NotActivated
        );
        if !curable || self.failures > 0 {
            return MayWait::No;
        }
        match self.license_for(&ask.feature, source, pool, now) {
            Some(license) if self.none_until.get(&license).is_none_or(|until| *until <= now) => {
                MayWait::For(Some(license))
            }
            _ => MayWait::No,
        }
    }

    /// Of which license seats are asked for a feature: one of which seats are free, else that of which most can come from
    /// elsewhere.
    /// Never one that serves the server's own person only for somebody else: the seat would come, and go again unused.
    fn license_for(&self, feature: &FeatureCode, source: Source, pool: &Pool, now: Ms) -> Option<LicenseId> {
        let shares = self.pools().iter().filter(|share| share.features.contains_key(feature.as_str()));
        let shares = shares.filter(|share| !share.assigned || source.loopback);
        let more = shares.filter(|share| share.seats > pool.usable_seats(share.license, now));
        // What is bound elsewhere does not come for the asking.
        let may_move = |share: &PoolShare| share.elsewhere.saturating_sub(share.bound);
        more.max_by_key(|share| (share.free, may_move(share), share.license)).map(|share| share.license)
    }

    /// What becomes of an ask of a feature that no line here carries: seats of it may come, or may come for the server's
    /// own person only; `None` if the portal knows no such license.
    pub(super) fn knows(&self, feature: &FeatureCode, source: Source) -> Option<DenialCode> {
        let may_come = |share: &&PoolShare| share.may_come() && share.features.contains_key(feature.as_str());
        let mut reserved = None;
        for share in self.pools().iter().filter(may_come) {
            if !share.assigned || source.loopback {
                return Some(DenialCode::NoSeats);
            }
            reserved = Some(DenialCode::Reserved);
        }
        reserved
    }

    /// What the portal said of a feature.
    pub(super) fn account_seats(&self, feature: &FeatureCode) -> AccountSeats {
        let sum = |seats: fn(&PoolShare) -> u32| {
            let of =
                |share: &PoolShare| share.features.get(feature).map(|per_seat| seats(share).saturating_mul(*per_seat));
            self.pools().iter().filter_map(of).fold(0, u32::saturating_add)
        };
        AccountSeats {
            seats: sum(|share| share.seats),
            // What a reduced license has too much is nowhere that it could come from.
            elsewhere: sum(|share| share.elsewhere.min(share.seats)),
            bound: sum(|share| share.bound.min(share.seats)),
            pending: sum(|share| share.pending),
            for_people: sum(|share| share.for_people),
            named: self
                .pools()
                .iter()
                .any(|share| share.is_for_others() && share.features.contains_key(feature.as_str())),
            reached: self.failures == 0,
        }
    }

    /// Somebody was denied at once: the portal hears of it, so that the next seat comes here.
    pub(super) fn want(&mut self, now: Ms, ask: &Ask, source: Source, pool: &Pool) {
        let Some(license) = self.license_for(&ask.feature, source, pool, now) else { return };
        let seats = self.seats_of(ask, license);
        // It may be the one that asked before, so that asking often counts for no more.
        let denied = self.denied.entry(license).or_insert(Denied { seats, asked_at: now });
        *denied = Denied { seats: denied.seats.max(seats), asked_at: now };
    }

    pub(super) fn wait(&mut self, waiting: Waiting) {
        if let Some(license) = waiting.license {
            self.urgent = true;
            // It may be one that was denied before and asks again.
            self.came(license, self.seats_of(&waiting.ask, license));
        }
        self.waiting.push_back(waiting);
    }

    /// Seats of a license that an ask comes to.
    fn seats_of(&self, ask: &Ask, license: LicenseId) -> u32 {
        let share = self.pools().iter().find(|share| share.license == license);
        let per_seat = share.and_then(|share| share.features.get(&ask.feature)).copied().unwrap_or(1);
        ask.seats.div_ceil(per_seat.max(1))
    }

    /// Seats for which checkouts wait.
    fn waiting_for(&self, license: LicenseId) -> u32 {
        let waiting = self.waiting.iter().filter(|waiting| waiting.license == Some(license));
        waiting.map(|waiting| self.seats_of(&waiting.ask, license)).fold(0, u32::saturating_add)
    }

    /// So many seats came, or somebody got them or waits for them: whoever was denied before may be that one.
    fn came(&mut self, license: LicenseId, seats: u32) {
        if let Some(denied) = self.denied.get_mut(&license) {
            denied.seats = denied.seats.saturating_sub(seats);
        }
        self.denied.retain(|_, denied| denied.seats > 0);
    }

    /// Somebody got seats who did not wait.
    pub(super) fn served(&mut self, ask: &Ask) {
        let shares = self.pools().iter().filter(|share| share.features.contains_key(&ask.feature));
        for license in shares.map(|share| share.license).collect::<Vec<_>>() {
            self.came(license, self.seats_of(ask, license));
        }
    }

    /// The waiting checkout with a key.
    pub(super) fn waiting_with(&self, key: &str) -> Option<&Waiting> {
        self.waiting.iter().find(|waiting| *waiting.key == *key)
    }

    pub(super) fn give_up(&mut self, key: &str) -> Option<LeaseId> {
        let at = self.waiting.iter().position(|waiting| *waiting.key == *key)?;
        self.waiting.remove(at).map(|waiting| waiting.id)
    }

    /// Everybody who waits, in order; whoever is to wait longer is put back.
    pub(super) fn take_waiting(&mut self) -> VecDeque<Waiting> {
        std::mem::take(&mut self.waiting)
    }

    pub(super) fn put_back(&mut self, waiting: Waiting) {
        self.waiting.push_back(waiting);
    }

    /// Whether a waiting checkout is to be denied now.
    pub(super) fn is_hopeless(&self, now: Ms, waiting: &Waiting) -> bool {
        let none = waiting.license.and_then(|license| self.none_until.get(&license));
        waiting.until <= now || self.forked() || self.failures > 0 || none.is_some_and(|until| now < *until)
    }

    /// When the next waiting checkout is to be answered.
    pub(super) fn waits_until(&self) -> Option<Ms> {
        self.waiting.iter().map(|waiting| waiting.until).min()
    }

    pub(super) fn until(now: Ms) -> Ms {
        now.plus(WAIT_MS)
    }

    /// A document came by sync that holds `seats` on lines that the portal may ask back.
    pub(super) fn loaded(&mut self, seats: &BTreeMap<LicenseId, u32>) {
        let kept = self.request.iter().flat_map(|request| &request.licenses);
        let kept: Vec<_> = kept.map(|(license, report)| (*license, report.keep)).collect();
        for (license, kept) in kept {
            let held = seats.get(&license).copied().unwrap_or(0);
            // The portal would like to hear what of that is still used, and when none is.
            self.lowered |= held < kept;
            self.urgent |= held < kept;
            let (more, waiting) = (held.saturating_sub(kept), self.waiting_for(license));
            self.came(license, more.saturating_sub(waiting));
            // Whoever they came for has gone: the portal believes that they are used.
            let asked = self.request.as_ref().and_then(|request| request.licenses.get(&license));
            self.urgent |= asked.is_some_and(|asked| more.min(asked.waiting) > waiting);
        }
    }

    /// Takes over from the one before what is on no disk: for a shell that builds memory anew while it runs.
    pub(super) fn take_over(&mut self, now: Ms, former: &mut Online) {
        let soon = |at: Ms, ms: i64| at.min(now.plus(ms));
        self.closed_until = former.closed_until.map(|until| soon(until, FIRST_SYNC_MS));
        self.from_before = former.from_before;
        self.next_at = soon(former.next_at, SYNC_EVERY_MS);
        (self.urgent, self.failures, self.lowered) = (former.urgent, former.failures, former.lowered);
        self.denied = std::mem::take(&mut former.denied);
        self.denied.values_mut().for_each(|denied| denied.asked_at = denied.asked_at.min(now));
        self.none_until = std::mem::take(&mut former.none_until);
        self.none_until.values_mut().for_each(|until| *until = soon(*until, NO_MS));
        self.waiting = std::mem::take(&mut former.waiting);
        self.waiting.iter_mut().for_each(|waiting| waiting.until = soon(waiting.until, WAIT_MS));
        self.usage = std::mem::take(&mut former.usage);
    }

    /// Notes how many seats are used, and hurries if some are owed and unused.
    pub(super) fn observe(
        &mut self,
        now: Ms,
        pool: &Pool,
        rev: u64,
        (draining, holds): (bool, bool),
        times: &TimeTable,
    ) {
        for license in pool.recallable_licenses() {
            let used = pool.used_seats(license);
            self.usage.entry(license).or_default().note(now, used);
            let usable = pool.usable_seats(license, now);
            if usable <= used || holds || !(draining || pool.owed(license) > 0) {
                continue;
            }
            let said = self.request.as_ref().and_then(|request| request.licenses.get(&license));
            if !draining && said.is_some_and(|said| said.keep < usable) {
                // Given by the answer that asks it back: at once, the two would go on like that without end.
                let since = self.row.answered_at.unwrap_or(now);
                self.next_at = self.next_at.min(since.plus(SAID_MS));
            } else {
                self.urgent = true;
            }
        }
        if !holds && self.failures == 0 && self.outstanding().is_none() && self.uses_otherwise(pool) {
            let since = self.row.answered_at.unwrap_or(now);
            self.next_at = self.next_at.min(since.plus(SAID_MS));
        }
        // A document that counts for more than is used: the portal would like to hear that it does not any more.
        let said = self.request.as_ref().map_or(0, |request| request.rev);
        if self.lowered && self.outstanding().is_none() && said < rev && !holds && pool.fits(times) {
            self.urgent = true;
        }
    }

    /// Whether something else is in use than the portal heard.
    fn uses_otherwise(&self, pool: &Pool) -> bool {
        let Some(request) = &self.request else { return false };
        let said = |license: &LicenseId| request.licenses.get(license).map_or(0, |report| report.used);
        let mut licenses = pool.recallable_licenses();
        licenses.extend(request.licenses.keys());
        licenses.iter().any(|license| pool.used_seats(*license) != said(license))
    }

    /// Peaks that are not on disk yet.
    pub(super) fn unwritten_peaks(&mut self) -> Vec<(LicenseId, i64, u32)> {
        let mut peaks = Vec::new();
        for (license, usage) in &mut self.usage {
            if let Some(hour) = usage.unwritten.take() {
                peaks.push((*license, hour, usage.hours.get(&hour).copied().unwrap_or(0)));
            }
        }
        peaks
    }
}

/// A tenth more or less, so that servers do not all come at once.
fn every_ms(jitter: u64) -> i64 {
    let tenth = SYNC_EVERY_MS / 10;
    SYNC_EVERY_MS - tenth + i64::try_from(jitter % 1_000).unwrap_or(0) * 2 * tenth / 1_000
}
