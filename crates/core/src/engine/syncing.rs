//! The engine's inputs of online licensing, and the checkouts that wait for the portal. What is known and promised is in
//! [`super::online`].

use super::documents::told;
use super::online::{Online, OnlineRow};
use super::passes::Wish;
use super::waiting::{MayWait, Waiting};
use super::{Act, Audit, Document, Engine, Output, SyncOut, Write};
use crate::clock::BEHIND_TOLERATED_MS;
use crate::codes::{DenialCode, LeaseEnd};
use crate::grant::Line;
use crate::ids::{LeaseId, LicenseId};
use crate::pool::{Ask, Source, Standing};
use crate::sync::{PinState, PoolShare, ServerFacts, SyncAnswer, Verdict};
use crate::time::Ms;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a checkout hears that waits for nothing any more.
const GIVEN_UP: Output = Output::Ended { end: LeaseEnd::LeaseGone, left_ms: 0 };

/// How a server stands with its portal, for pages.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OnlineView {
    /// Syncs that the portal took.
    pub syncs: u64,
    /// When the portal answered last, by the server's time.
    pub answered_at: Option<Ms>,
    /// What it said of the licenses.
    pub pools: Vec<PoolShare>,
    /// Whether it took the last sync.
    pub verdict: Verdict,
    /// Tries that failed since, one after the other.
    pub failures: u32,
    /// Another server has this key: its machine. Hostile text.
    pub forked: Option<String>,
    /// Nothing is given yet, because the server has just started.
    pub starting: bool,
    /// What the next long poll waits beyond.
    pub bell: u64,
    /// Seats that are kept for use without a portal, as it said last.
    pub pins: Vec<PinState>,
    /// How often these had been changed then.
    pub pins_rev: u64,
}

impl Engine {
    pub(super) fn restore_online(&mut self, row: Option<OnlineRow>, peaks: &[(LicenseId, i64, u32)], now: Ms) {
        let Some(document) = self.document.as_ref().filter(|document| document.grant.online) else { return };
        let online = Online::restore(row.unwrap_or_default(), peaks, true, now);
        online.put_promises(document, &mut self.pool);
        online.put_recalls(&mut self.pool);
        self.online = Some(online);
    }

    /// A document was put in force that did not come by sync: from now on the server is online, or is not any more.
    pub(super) fn begin_online(&mut self, now: Ms, writes: &mut Vec<Write>) {
        let online = self.document.as_ref().is_some_and(|document| document.grant.online);
        self.end_online(writes);
        if online {
            let begun = Online::restore(OnlineRow::default(), &[], false, now);
            writes.push(Write::Online(Some(Box::new(begun.row().clone()))));
            self.online = Some(begun);
        }
    }

    /// Before another document is loaded: what was promised was about the one before.
    pub(super) fn forget_promises(&mut self) {
        self.pool.clear_limits();
        self.pool.clear_owed();
    }

    pub(super) fn end_online(&mut self, writes: &mut Vec<Write>) {
        let Some(mut online) = self.online.take() else { return };
        self.resolved.extend(online.take_waiting().into_iter().map(|waiting| (waiting.id, GIVEN_UP)));
        writes.push(Write::Online(None));
    }

    /// How the server stands with its portal; `None` if it is not online.
    pub fn online(&self, now: Ms) -> Option<OnlineView> {
        let online = self.online.as_ref()?;
        let row = online.row();
        Some(OnlineView {
            syncs: row.seq,
            answered_at: row.answered_at,
            pools: online.pools().to_vec(),
            verdict: row.answer.as_ref().map_or(Verdict::Ok, |answer| answer.verdict),
            failures: online.failures(),
            forked: row.forked.clone(),
            starting: online.is_closed(now),
            bell: row.answer.as_ref().map_or(0, |answer| answer.bell),
            pins: row.answer.as_ref().map(|answer| answer.pins.clone()).unwrap_or_default(),
            pins_rev: row.answer.as_ref().map_or(0, |answer| answer.pins_rev),
        })
    }

    /// Another server runs with this one's key.
    pub fn is_forked(&self) -> bool {
        self.online.as_ref().is_some_and(Online::forked)
    }

    /// When the shell should give [`super::Input::Sync`]; `None` if never.
    pub fn sync_due(&self) -> Option<Ms> {
        self.online.as_ref().and_then(Online::due)
    }

    pub(super) fn sync(&mut self, now: Ms, server: &ServerFacts, writes: &mut Vec<Write>) -> Output {
        let how = (self.draining, self.no_new(now).is_some());
        let (Some(online), Some(document)) = (&mut self.online, &self.document) else { return Output::Sync(None) };
        if online.forked() {
            return Output::Sync(None);
        }
        let (out, new): (SyncOut, bool) = online.request(now, document, &mut self.pool, how, (server, &self.times));
        if new {
            writes.push(Write::Online(Some(Box::new(online.row().clone()))));
        }
        Output::Sync(Some(out))
    }

    pub(super) fn sync_answered(
        &mut self,
        now: Ms,
        answer: SyncAnswer,
        sha256: &str,
        document: Option<Document>,
        jitter: u64,
        writes: &mut Vec<Write>,
    ) -> Output {
        let nothing = Output::Synced { installed: false, set_time_to: None };
        let Some(online) = &mut self.online else { return nothing };
        let off_ms = online.clock_off_ms(answer.at, now, BEHIND_TOLERATED_MS);
        let signed_at = answer.at;
        let taken = answer.verdict == Verdict::Ok;
        if !online.answered(now, answer, sha256, jitter) {
            return nothing;
        }
        let newer = |document: &Document| self.document.as_ref().is_none_or(|old| old.grant.rev < document.grant.rev);
        let document = document.filter(|document| taken && document.grant.online && newer(document));
        let installed = document.is_some();
        // What came free since the request is owed as it was; what comes now was counted out for those who wait.
        let owed = self.pool.owed_of_unused(now);
        // Never to before it was signed: the request may be older than what has set the time since.
        let set_time_to = (off_ms != 0).then(|| now.plus(-off_ms).max(signed_at)).filter(|to| *to != now);
        if let Some(document) = document {
            self.load_synced(now, set_time_to.unwrap_or(now), document, writes);
        }
        self.pool.clear_owed();
        owed.into_iter().for_each(|(license, seats)| self.pool.set_owed(license, seats));
        self.try_waiting(now, writes);
        let Some(online) = &mut self.online else { return nothing };
        online.put_recalls(&mut self.pool);
        if set_time_to.is_some() {
            online.forget_asked_at();
        }
        writes.push(Write::Online(Some(Box::new(online.row().clone()))));
        match set_time_to.filter(|to| *to < now) {
            Some(to) => self.set_back(now, to, self.doubt_left(to, signed_at), writes),
            None => self.end_clock_doubt(now, signed_at, writes),
        }
        Output::Synced { installed, set_time_to }
    }

    /// `lines_at` is what time it is, where `now` is wrong: which lines have ended, and where leases can move.
    fn load_synced(&mut self, now: Ms, lines_at: Ms, document: Document, writes: &mut Vec<Write>) {
        let before = self.document.as_ref().map(held).unwrap_or_default();
        let after = held(&document);
        if let Some(online) = &mut self.online {
            online.loaded(&recallable(&document));
        }
        self.forget_promises();
        self.load(lines_at, &document, writes);
        if before != after {
            let act = Act { who: "portal".into(), address: None };
            let detail = told(&document.grant);
            writes.push(Write::Audit(Box::new(Audit { at: now, act, action: "document_sync", detail })));
        }
        self.put_in_force(now, document, writes);
    }

    pub(super) fn sync_failed(&mut self, now: Ms, jitter: u64) -> Output {
        if let Some(online) = &mut self.online {
            online.failed(now, jitter);
        }
        Output::Done
    }

    pub(super) fn refresh(&mut self, now: Ms) -> Output {
        if let Some(online) = &mut self.online {
            online.hurry(now);
        }
        Output::Done
    }

    /// As [`crate::pool::Pool::find`], but nothing before the first answer since the start.
    pub(super) fn find(&self, id: LeaseId, ask: &Ask, source: Source, now: Ms) -> Result<Standing, DenialCode> {
        self.may_find(now)?;
        self.pool.find(id, ask, source, now)
    }

    /// Nothing is given before the first answer since the start.
    pub(super) fn may_find(&self, now: Ms) -> Result<(), DenialCode> {
        let closed = self.online.as_ref().is_some_and(|online| online.is_closed(now));
        if closed { Err(DenialCode::Pending) } else { Ok(()) }
    }

    pub(super) fn may_wait(&self, now: Ms, ask: &Ask, source: Source, code: DenialCode) -> MayWait {
        self.online.as_ref().map_or(MayWait::No, |online| online.may_wait(now, (ask, source), code, &self.pool))
    }

    pub(super) fn wait(
        &mut self,
        now: Ms,
        named: (LeaseId, Arc<str>),
        asked: (Ask, Source),
        license: Option<LicenseId>,
        borrow: Option<Wish>,
    ) -> Output {
        let (id, key) = named;
        if let Some(online) = &mut self.online {
            let (ask, source) = asked;
            online.wait(Waiting { id, key, ask, source, license, until: Online::until(now), borrow });
        }
        Output::Waits(id)
    }

    /// Somebody is denied at once; says why, if the portal knows more than the lines here.
    pub(super) fn want(&mut self, now: Ms, ask: &Ask, source: Source, code: DenialCode) -> DenialCode {
        let code = self.said_by_portal(ask, source, code);
        if let Some(online) = self.online.as_mut().filter(|_| code == DenialCode::NoSeats) {
            online.want(now, ask, source, &self.pool);
        }
        code
    }

    /// Why an ask finds nothing, where the portal knows more than the lines here.
    pub(super) fn said_by_portal(&self, ask: &Ask, source: Source, code: DenialCode) -> DenialCode {
        let Some(online) = &self.online else { return code };
        if let DenialCode::FeatureUnknown | DenialCode::NotActivated = code
            && let Some(code) = online.knows(&ask.feature, source)
        {
            return code;
        }
        match code {
            DenialCode::NotActivated | DenialCode::FeatureUnknown if online.is_revoked() => DenialCode::Revoked,
            // It is, and the account has no such license.
            DenialCode::NotActivated => DenialCode::FeatureUnknown,
            code => code,
        }
    }

    pub(super) fn give_up_waiting(&mut self, key: &str) {
        let given_up = self.online.as_mut().and_then(|online| online.give_up(key));
        self.resolved.extend(given_up.map(|id| (id, GIVEN_UP)));
    }

    /// When [`Engine::resolve`] has an answer at the latest; `None` while nobody waits.
    pub fn waits_until(&self) -> Option<Ms> {
        self.online.as_ref().and_then(Online::waits_until)
    }

    /// The answers of waiting checkouts that can be given now, to be called after the steps of a batch and before its
    /// commit.
    pub fn resolve(&mut self, now: Ms, writes: &mut Vec<Write>) -> Vec<(LeaseId, Output)> {
        self.try_waiting(now, writes);
        let holds = self.no_new(now).is_some();
        if let Some(online) = &mut self.online {
            online.observe(
                now,
                &self.pool,
                self.document.as_ref().map_or(0, |document| document.grant.rev),
                (self.draining, holds),
                &self.times,
            );
        }
        std::mem::take(&mut self.resolved)
    }

    fn try_waiting(&mut self, now: Ms, writes: &mut Vec<Write>) {
        let waiting = self.online.as_mut().map(Online::take_waiting).unwrap_or_default();
        for waiting in waiting {
            let id = waiting.id;
            if let Some(output) = self.try_again(now, waiting, writes) {
                self.resolved.push((id, output));
            }
        }
    }

    fn try_again(&mut self, now: Ms, waiting: Waiting, writes: &mut Vec<Write>) -> Option<Output> {
        let Waiting { id, key, ask, source, license, until, borrow } = waiting;
        if let Some(code) = self.closed(now).or_else(|| self.barred(&ask, now)) {
            return Some(self.deny(now, code, (id, key), &ask, source, writes));
        }
        let code = match &borrow {
            Some(wish) => match self.find_new_borrow(&ask, source, wish.term(now)) {
                Ok(found) => return Some(self.lend(now, (id, key), wish, (ask, source), found, writes)),
                Err(code) => code,
            },
            None => match self.find(id, &ask, source, now) {
                Ok(standing) => return Some(self.lease(now, (id, key), (ask, source), standing, writes)),
                Err(code) => code,
            },
        };
        // The first answer has come: now it is known which license to ask for.
        let license = match (license, code) {
            (None, DenialCode::Pending) => None,
            (None, code) => match self.may_wait(now, &ask, source, code) {
                MayWait::For(Some(license)) => Some(license),
                _ => return Some(self.deny_wanted(now, code, (id, key), (&ask, source), borrow.is_some(), writes)),
            },
            (license, _) => license,
        };
        let asked_now = license.is_some() && waiting.license.is_none();
        let waiting = Waiting { id, key, ask, source, license, until, borrow };
        let Some(online) = &mut self.online else { return None };
        if online.is_hopeless(now, &waiting) {
            let borrows = waiting.borrow.is_some();
            return Some(self.deny_wanted(now, code, (id, waiting.key), (&waiting.ask, source), borrows, writes));
        }
        if asked_now {
            online.wait(waiting);
        } else {
            online.put_back(waiting);
        }
        None
    }

    fn deny_wanted(
        &mut self,
        now: Ms,
        code: DenialCode,
        named: (LeaseId, Arc<str>),
        (ask, source): (&Ask, Source),
        borrows: bool,
        writes: &mut Vec<Write>,
    ) -> Output {
        if borrows {
            return self.deny_borrow(now, code, named, (ask, source), writes);
        }
        let code = self.want(now, ask, source, code);
        self.deny(now, code, named, ask, source, writes)
    }

    pub(super) fn write_peaks(&mut self, writes: &mut Vec<Write>) {
        let peaks = self.online.as_mut().map(Online::unwritten_peaks).unwrap_or_default();
        writes.extend(peaks.into_iter().map(|(license, hour, seats)| Write::Peak { license, hour, seats }));
    }
}

/// Seats of each license in a document, and until when those are kept that last without a portal.
fn held(document: &Document) -> BTreeMap<(LicenseId, Option<Ms>), u32> {
    sum(document, |line| (line.license, Some(line.until).filter(|_| line.terms.pinned)))
}

/// Seats of each license in a document that the portal may ask back.
fn recallable(document: &Document) -> BTreeMap<LicenseId, u32> {
    let mut seats = sum(document, |line| (line.license, line.terms.recallable));
    seats.retain(|(_, recallable), _| *recallable);
    seats.into_iter().map(|((license, _), seats)| (license, seats)).collect()
}

fn sum<K: Ord>(document: &Document, key: impl Fn(&Line) -> K) -> BTreeMap<K, u32> {
    let mut seats: BTreeMap<K, u32> = BTreeMap::new();
    for line in &document.grant.lines {
        let sum = seats.entry(key(line)).or_default();
        *sum = sum.saturating_add(line.seats);
    }
    seats
}
