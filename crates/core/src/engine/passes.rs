//! Passes: seats that a machine borrows and uses out of reach, until a fixed instant (`PROTOCOL.md` sections 4 and 11).
//!
//! A pass is a lease with other times: it stands on lines, is counted and moves with them. Nobody can be asked to give it
//! back, so it is freed when its receipt comes, when its end and the allowance of a wrong clock have passed, or when an
//! administrator writes it off.

use super::waiting::MayWait;
use super::{Act, Allowance, Audit, Denial, Engine, EventKind, Output, PassAnswer, PassHolder, PassOver, Write, event};
use crate::clock::{AHEAD_NOTED_MS, StartVerdict};
use crate::codes::DenialCode;
use crate::giving_up::WRITE_OFF_MS;
use crate::ids::{LeaseId, LicenseId, PassId};
use crate::pool::{Ask, Borrowable, Lease, Pass, Source, Standing, Term};
use crate::site::SiteLimit;
use crate::time::{DAY_MS, HOUR_MS, Ms};
use crate::times::TimeTable;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Longer than a request to borrow is good for, in milliseconds, whatever its maker's clock says.
const REQUEST_MEMORY_MS: i64 = 14 * DAY_MS;
/// After a start that found the clock ahead, no pass is freed for this long: until somebody sees it, or the portal says
/// what time it is. In milliseconds.
const HELD_AFTER_AHEAD_MS: i64 = HOUR_MS;
/// The same where it is further ahead than [`LONG_AHEAD_MS`].
const HELD_AFTER_LONG_AHEAD_MS: i64 = 2 * DAY_MS;
/// Longer than a weekend, in milliseconds.
const LONG_AHEAD_MS: i64 = 7 * DAY_MS;

/// Until when no pass is freed, as of a start: what an earlier start said, or what the clock looks like now. Once a clock
/// shows what is stored or later, there is no more doubt left of an earlier start than one that is ahead leaves.
pub(super) fn held_until(verdict: StartVerdict, before: Option<Ms>, now: Ms) -> Option<Ms> {
    let held = match verdict {
        StartVerdict::Ahead { by_ms } if by_ms > LONG_AHEAD_MS => Some(now.plus(HELD_AFTER_LONG_AHEAD_MS)),
        StartVerdict::Ahead { .. } => Some(now.plus(HELD_AFTER_AHEAD_MS)),
        // The engine's time may be so far ahead of the true one.
        StartVerdict::Behind { by_ms } => Some(now.plus(by_ms)),
        _ => None,
    };
    let agrees = !matches!(verdict, StartVerdict::Behind { .. });
    let before = before.map(|until| if agrees { until.min(doubt_ends(now)) } else { until });
    held.max(before).filter(|until| now < *until)
}

/// When a doubt is over, once a clock shows what is stored or later.
pub(super) fn doubt_ends(now: Ms) -> Ms {
    now.plus(HELD_AFTER_LONG_AHEAD_MS)
}

/// When a pass is freed, where none is before an instant.
pub(super) fn freed_at_start(pass: &Pass, held_until: Option<Ms>, times: &TimeTable) -> Ms {
    held_until.map_or(freed_at(pass, times), |held| held.max(freed_at(pass, times)))
}

pub(super) fn freed_at(pass: &Pass, times: &TimeTable) -> Ms {
    // A machine that has returned it does not use it, whatever its clock says.
    match pass.perhaps_until {
        _ if pass.returned_at.is_some() => pass.until,
        Some(later) => times.pass_freed_at(later.max(pass.until)),
        None => times.pass_freed_at(pass.until),
    }
}

/// Passes that are over before their end, by the thumbprint of their key.
#[derive(Debug, Default)]
pub(super) struct PassesOver(HashMap<Box<str>, PassOver>);

impl PassesOver {
    pub(super) fn restore(passes: Vec<PassOver>) -> PassesOver {
        PassesOver(passes.into_iter().map(|pass| (pass.key.clone(), pass)).collect())
    }

    fn has_key(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    pub(super) fn has(&self, pass: PassId) -> bool {
        self.0.values().any(|over| over.id == pass)
    }

    /// When a pass was written off, if it was.
    fn written_off_at(&self, pass: PassId) -> Option<Ms> {
        let over = self.0.values().find(|over| over.id == pass)?;
        Some(over.at).filter(|_| !over.written_off.is_empty())
    }

    /// Those that were written off and that may be in use still, after a pass, in order of pass.
    fn in_use_still(&self, after: Option<PassId>, now: Ms, times: &TimeTable) -> Vec<PassOver> {
        let later = self.0.values().filter(|over| over.holder.is_some() && after.is_none_or(|after| after < over.id));
        let mut still: Vec<_> = later.filter(|over| now < times.pass_freed_at(over.until)).cloned().collect();
        still.sort_unstable_by_key(|over| over.id);
        still
    }

    /// The key of one that was written off and may be in use still: what says that it is not must be signed with it.
    fn jwk_of(&self, pass: PassId) -> Option<Box<str>> {
        self.0.values().find(|over| over.id == pass)?.holder.as_ref()?.jwk.clone()
    }

    /// The machine of one that was written off has given it up, signed with its key: it is not in use any more.
    fn returned(&mut self, pass: PassId) -> Option<PassOver> {
        let of =
            |over: &&mut PassOver| over.id == pass && over.holder.as_ref().is_some_and(|holder| holder.jwk.is_some());
        let over = self.0.values_mut().find(of)?;
        over.holder = None;
        Some(over.clone())
    }

    fn add(&mut self, pass: PassOver) {
        self.0.insert(pass.key.clone(), pass);
    }

    /// Seats of a license that were written off within a year.
    fn written_off(&self, license: LicenseId, now: Ms) -> u32 {
        let lately = self.0.values().filter(|over| now.since(over.at) < WRITE_OFF_MS);
        let seats = lately.flat_map(|over| &over.written_off).filter(|(of, _)| *of == license);
        seats.map(|(_, seats)| *seats).fold(0, u32::saturating_add)
    }

    /// Forgets what cannot be shown again and does not count any more.
    pub(super) fn forget(&mut self, now: Ms, times: &TimeTable) {
        self.0.retain(|_, over| is_remembered(over, now, times));
    }
}

/// Whether a pass that is over has to be known still: while somebody may bring its request again, and while it counts as
/// written off.
pub fn is_remembered(over: &PassOver, now: Ms, times: &TimeTable) -> bool {
    let counts = !over.written_off.is_empty() && now.since(over.at) < WRITE_OFF_MS;
    counts || now < times.pass_freed_at(over.until).plus(REQUEST_MEMORY_MS)
}

/// A pass that ended by itself.
pub(super) fn ended_by_itself(pass: &Pass, id: LeaseId, now: Ms) -> PassOver {
    let (id, key) = (PassId::of(id), pass.key.clone());
    PassOver { id, key, until: pass.until, at: now, written_off: Vec::new(), holder: None }
}

fn holder(lease: &Lease, pass: &Pass) -> PassHolder {
    PassHolder {
        feature: lease.ask.feature.clone(),
        seats: lease.ask.seats,
        user: lease.ask.user.clone(),
        host: lease.ask.host.clone(),
        address: lease.source.address,
        started_at: lease.started_at,
        begins_at: pass.begins_at,
        jwk: Some(pass.jwk.as_ref().into()),
    }
}

/// The idempotency key of a pass. With a blank, which no key of a client has.
fn key_of(thumbprint: &str) -> Arc<str> {
    format!("pass {thumbprint}").into()
}

/// What a machine asks for that wants to borrow.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    key: Box<str>,
    jwk: Box<str>,
    machine: Box<str>,
    term_ms: i64,
}

impl Wish {
    pub(super) fn term(&self, now: Ms) -> Term {
        Term { now, wanted_ms: self.term_ms.max(0) }
    }
}

impl Engine {
    pub(super) fn borrow(
        &mut self,
        now: Ms,
        (id, key, jwk, machine): (LeaseId, Box<str>, Box<str>, Box<str>),
        (ask, source): (Ask, Source),
        term_ms: i64,
        writes: &mut Vec<Write>,
    ) -> Output {
        let lease_key = key_of(&key);
        let wish = Wish { key, jwk, machine, term_ms };
        let (term, key, machine) = (wish.term(now), &wish.key, &wish.machine);
        if let Some(lease) = self.pool.lease_of_key(&lease_key) {
            let same = lease.ask == ask && lease.pass.as_ref().is_some_and(|pass| pass.machine == *machine);
            return if same { self.extend_pass(now, lease.id, term, source, writes) } else { Output::KeyReused };
        }
        if let Some(waiting) = self.online.as_ref().and_then(|online| online.waiting_with(&lease_key)) {
            return if waiting.ask == ask { Output::Waits(waiting.id) } else { Output::KeyReused };
        }
        if self.passes_over.has_key(key) {
            return self.deny_borrow(now, DenialCode::PassOver, (id, lease_key), (&ask, source), writes);
        }
        if let Some(code) = self.closed(now).or_else(|| self.barred(&ask, now)) {
            return self.deny_borrow(now, code, (id, lease_key), (&ask, source), writes);
        }
        match self.find_new_borrow(&ask, source, term) {
            Ok(found) => {
                if let Some(online) = &mut self.online {
                    online.served(&ask);
                }
                self.lend(now, (id, lease_key), &wish, (ask, source), found, writes)
            }
            Err(code) => match self.may_wait(now, &ask, source, code) {
                MayWait::For(license) => self.wait(now, (id, lease_key), (ask, source), license, Some(wish)),
                MayWait::No => self.deny_borrow(now, code, (id, lease_key), (&ask, source), writes),
            },
        }
    }

    pub(super) fn lend(
        &mut self,
        now: Ms,
        named: (LeaseId, Arc<str>),
        wish: &Wish,
        (ask, source): (Ask, Source),
        found: Borrowable,
        writes: &mut Vec<Write>,
    ) -> Output {
        let pass = Arc::new(Pass {
            key: wish.key.clone(),
            jwk: wish.jwk.clone(),
            machine: wish.machine.clone(),
            begins_at: now,
            until: found.until,
            days_max: found.days_max,
            return_at_end: found.return_at_end,
            returned_at: None,
            lost_at: None,
            unknown_since: None,
            perhaps_until: None,
            asked_at: None,
        });
        let mut lease = self.new_lease(now, named, (ask, source), Standing::Own(found.placement));
        lease.freed_at = self.times.pass_freed_at(pass.until);
        lease.pass = Some(pass);
        writes.push(Write::Lease(Box::new(lease.clone())));
        writes.push(event(now, EventKind::Borrow, &lease));
        self.wants.served(now, (&lease.ask, true), source, writes);
        let answer = self.pass_answer(now, &lease, true, now.plus(wish.term_ms));
        self.pool.insert(lease);
        answer
    }

    pub(super) fn find_borrow(&self, ask: &Ask, source: Source, term: Term) -> Result<Borrowable, DenialCode> {
        // As for a checkout: nothing before the first answer since the start.
        self.may_find(term.now)?;
        let mut found = self.pool.find_borrow(ask, source, term, &self.times)?;
        match self.rules.borrow_days_max {
            Some(0) => Err(DenialCode::BorrowDenied),
            Some(days) if term.is_longer_than(days) => Err(DenialCode::BorrowTooLong),
            _ => {
                found.days_max = self.rules.borrow_days(found.days_max);
                Ok(found)
            }
        }
    }

    /// The same for a pass that is not out yet, which counts against what is lent at once.
    pub(super) fn find_new_borrow(&self, ask: &Ask, source: Source, term: Term) -> Result<Borrowable, DenialCode> {
        let found = self.find_borrow(ask, source, term)?;
        let lent = self.pool.capacity_for(ask, source, term.now).borrowed;
        if self.rules.lends(lent, ask.seats) { Ok(found) } else { Err(DenialCode::BorrowLimit) }
    }

    /// How the administrator of this server narrowed what the vendor allows, if that is why.
    fn site_limit(&self, code: DenialCode, vendor_days: u32) -> Option<SiteLimit> {
        match code {
            DenialCode::BorrowLimit => self.rules.borrow_seats_max.map(SiteLimit::BorrowSeats),
            DenialCode::BorrowDenied | DenialCode::BorrowTooLong => {
                self.rules.borrow_days_max.filter(|days| *days < vendor_days).map(SiteLimit::BorrowDays)
            }
            _ => None,
        }
    }

    pub(super) fn deny_borrow(
        &mut self,
        now: Ms,
        code: DenialCode,
        named: (LeaseId, Arc<str>),
        (ask, source): (&Ask, Source),
        writes: &mut Vec<Write>,
    ) -> Output {
        let code = self.want(now, ask, source, code);
        match self.deny(now, code, named, ask, source, writes) {
            Output::Denied(denial) => self.of_borrowing(now, *denial, ask, source),
            other => other,
        }
    }

    /// A denial with what is allowed where seats are borrowed.
    fn of_borrowing(&self, now: Ms, mut denial: Denial, ask: &Ask, source: Source) -> Output {
        let days_max = self.pool.borrow_days_max(ask, source, now);
        denial.borrow_days_max = Some(self.rules.borrow_days(days_max));
        denial.site_limit = self.site_limit(denial.code, days_max);
        Output::Denied(Box::new(denial))
    }

    /// A machine that has a pass asks for more time: never less than it has, and never beyond its lines.
    fn extend_pass(&mut self, now: Ms, id: LeaseId, term: Term, source: Source, writes: &mut Vec<Write>) -> Output {
        let Some(lease) = self.pool.lease(id) else { return Output::Unknown };
        let Some(pass) = lease.pass.clone() else { return Output::Unknown };
        let (ask, placement) = (lease.ask.clone(), self.pool.placement(lease).clone());
        // Restored since, it may have been extended to later.
        let ends = pass.perhaps_until.unwrap_or(pass.until).max(pass.until);
        let over = pass.returned_at.is_some() || pass.lost_at.is_some() || ends <= now;
        if over {
            // Nobody is left without a seat by that: its machine borrows another one, and that may be denied.
            return self.of_borrowing(now, self.denial(now, DenialCode::PassOver, &ask, source), &ask, source);
        }
        let wanted_until = now.plus(term.wanted_ms);
        let mut refused = self.closed(now).or_else(|| self.barred(&ask, now));
        let closed = refused.is_some();
        let narrowed = self.rules.borrow_days_max.is_some_and(|days| term.is_longer_than(days));
        let here = if closed || narrowed {
            None
        } else {
            self.pool.extend_borrow(&placement, &ask, source, term, &self.times)
        };
        let mut until = here.unwrap_or(pass.until).max(pass.until);
        // Other lines may run longer, if they have seats.
        if !closed && until < wanted_until.floor_to_second() {
            match self.find_borrow(&ask, source, term) {
                Ok(found) if found.until > until => {
                    until = found.until;
                    writes.push(Write::SeatMoved { seat: id, placement: found.placement.clone() });
                    self.pool.move_to(id, found.placement);
                }
                // Where it stands nothing is lent any more, nor elsewhere.
                Err(code) if here.is_none() => refused = Some(code),
                Ok(_) | Err(_) => {}
            }
        }
        let is_longer = until > pass.until;
        let shown = pass.perhaps_until.is_some() && pass.asked_at.is_none();
        if is_longer || shown {
            let begins_at = if is_longer { now } else { pass.begins_at };
            let asked_at = if shown { Some(now) } else { pass.asked_at };
            let pass = Arc::new(Pass { begins_at, until, asked_at, ..(*pass).clone() });
            // Not before a time that is in doubt is certain.
            let freed_at = freed_at_start(&pass, self.passes_held_until, &self.times);
            self.pool.set_freed_at(id, freed_at);
            if let Some(lease) = self.pool.lease_mut(id) {
                lease.pass = Some(pass.clone());
                lease.seen_at = now;
                if is_longer {
                    writes.push(event(now, EventKind::Extend, lease));
                }
            }
            writes.push(Write::Pass { id, pass });
        }
        match self.pool.lease(id) {
            Some(lease) => match self.pass_answer(now, lease, false, wanted_until) {
                Output::Borrowed(answer) => {
                    let refused = refused.map(|code| match code {
                        DenialCode::FeatureUnknown | DenialCode::NotActivated => DenialCode::explain_taken_off(),
                        code => self.denial(now, code, &ask, source).explain(),
                    });
                    Output::Borrowed(Box::new(PassAnswer { refused, ..*answer }))
                }
                other => other,
            },
            None => Output::Unknown,
        }
    }

    fn pass_answer(&self, now: Ms, lease: &Lease, new: bool, wanted_until: Ms) -> Output {
        let Some(pass) = lease.pass.clone() else { return Output::Unknown };
        Output::Borrowed(Box::new(PassAnswer {
            pass: PassId::of(lease.id),
            new,
            feature: lease.ask.feature.clone(),
            seats: lease.ask.seats,
            user: lease.ask.user.clone(),
            host: lease.ask.host.clone(),
            terms: pass,
            wanted_until: wanted_until.floor_to_second(),
            refused: None,
            at: now,
            grant_sha256: self.document.as_ref().map_or_else(|| "".into(), |document| document.sha256.clone()),
        }))
    }

    pub(super) fn give_back_pass(&mut self, now: Ms, pass: PassId, writes: &mut Vec<Write>) -> Output {
        let id = pass.lease();
        let Some((terms, lease)) = self.pool.lease(id).and_then(|lease| Some((lease.pass.clone()?, lease))) else {
            // Returned before, or written off: as good as done.
            if let Some(over) = self.passes_over.returned(pass) {
                writes.push(Write::PassOver(Box::new(over)));
            }
            return if self.passes_over.has(pass) { Output::Returned { free_at: None } } else { Output::Unknown };
        };
        if terms.returned_at.is_some() {
            return Output::Returned { free_at: Some(terms.until) };
        }
        writes.push(event(now, EventKind::Return, lease));
        if terms.return_at_end && now < terms.until {
            let terms = Arc::new(Pass { returned_at: Some(now), ..(*terms).clone() });
            let free_at = terms.until;
            self.pool.set_freed_at(id, free_at);
            if let Some(lease) = self.pool.lease_mut(id) {
                lease.pass = Some(terms.clone());
            }
            writes.push(Write::Pass { id, pass: terms });
            return Output::Returned { free_at: Some(free_at) };
        }
        self.end_pass(id, ended_by_itself(&terms, id, now), writes);
        Output::Returned { free_at: None }
    }

    pub(super) fn end_pass(&mut self, id: LeaseId, over: PassOver, writes: &mut Vec<Write>) {
        self.pool.remove(id);
        writes.push(Write::LeaseEnded { id });
        self.pass_is_over(over, writes);
    }

    /// Passes that were written off and may be in use still, after a pass, in order of pass.
    pub fn written_off_in_use(&self, after: Option<PassId>, now: Ms) -> Vec<PassOver> {
        self.passes_over.in_use_still(after, now, &self.times)
    }

    /// The public key, as a JWK, of a pass that a machine has or may have: its receipt is verified with it. `None` where none
    /// is known, or none is needed.
    pub fn key_of_pass(&self, pass: PassId) -> Option<Box<str>> {
        let lent = self.pool.lease(pass.lease()).and_then(|lease| lease.pass.as_ref());
        match lent {
            Some(terms) => {
                Some(terms).filter(|terms| terms.unknown_since.is_none()).map(|terms| terms.jwk.as_ref().into())
            }
            None => self.passes_over.jwk_of(pass),
        }
    }

    /// The portal signed something at `signed_at`, so it is no earlier now. If the engine's time is not far beyond, it is not
    /// ahead, and no pass is held for a doubt of it. An answer may be older than the last start: then it says nothing.
    pub(super) fn end_clock_doubt(&mut self, now: Ms, signed_at: Ms, writes: &mut Vec<Write>) {
        if now.since(signed_at) > AHEAD_NOTED_MS || self.passes_held_until.take().is_none() {
            return;
        }
        self.passes_held_unwritten = false;
        writes.push(Write::PassesHeld { until: None });
        for lease in self.pool.passes_page(None, usize::MAX) {
            if let Some(pass) = &lease.pass {
                self.pool.set_freed_at(lease.id, freed_at(pass, &self.times));
            }
        }
    }

    /// Until when passes are held for a doubt of the clock, once the time is `to` because of what was signed at `signed_at`.
    /// How far the time was ahead is known as of the request only: it may have been made before the start that is in doubt.
    pub(super) fn doubt_left(&self, to: Ms, signed_at: Ms) -> Option<Ms> {
        self.passes_held_until.filter(|_| to.since(signed_at) > AHEAD_NOTED_MS)
    }

    /// It is proved that the time is ahead: it goes back. The engine is built anew from what is written, and takes over
    /// `held_until`.
    pub(super) fn set_back(&mut self, now: Ms, to: Ms, held_until: Option<Ms>, writes: &mut Vec<Write>) {
        self.passes_held_until = held_until;
        self.passes_held_unwritten = false;
        writes.push(Write::PassesHeld { until: held_until });
        writes.push(Write::SetBack { from: now, to });
    }

    /// Frees no pass before `until`.
    pub(super) fn hold_passes(&mut self, until: Ms) {
        self.passes_held_unwritten |= self.passes_held_until != Some(until);
        self.passes_held_until = Some(until);
        for lease in self.pool.passes_page(None, usize::MAX) {
            if lease.freed_at < until {
                self.pool.set_freed_at(lease.id, until);
            }
        }
    }

    pub(super) fn pass_is_over(&mut self, over: PassOver, writes: &mut Vec<Write>) {
        writes.push(Write::PassOver(Box::new(over.clone())));
        self.passes_over.add(over);
    }

    /// Of the licenses that a pass stands on: how many seats may be written off within a year, and how many were. Of
    /// several, those of the one with least left.
    pub fn write_offs(&self, lease: &Lease, now: Ms) -> (u32, u32) {
        let of = self.pool.product_seats(&lease.ask, self.pool.placement(lease));
        let of = of.into_iter().map(|(license, _, allowed)| (allowed, self.passes_over.written_off(license, now)));
        of.min_by_key(|(allowed, used)| i64::from(*allowed) - i64::from(*used)).unwrap_or_default()
    }

    /// Seats of each license that a pass stands on: what writing it off comes to.
    pub fn seats_of_pass(&self, lease: &Lease) -> BTreeMap<LicenseId, u32> {
        let of = self.pool.product_seats(&lease.ask, self.pool.placement(lease));
        of.into_iter().map(|(license, seats, _)| (license, seats)).collect()
    }

    pub(super) fn lose(
        &mut self,
        now: Ms,
        pass: PassId,
        write_off: Option<Allowance>,
        act: Act,
        writes: &mut Vec<Write>,
    ) -> Output {
        // Counted as free before: it is, whatever is asked now.
        if let Some(at) = self.passes_over.written_off_at(pass) {
            return Output::Lost { free_at: at, written_off: true };
        }
        let id = pass.lease();
        let Some((terms, lease)) = self.pool.lease(id).and_then(|lease| Some((lease.pass.clone()?, lease))) else {
            return Output::Unknown;
        };
        let free_at = lease.freed_at;
        let of = format!(
            "{pass} of \"{}\" on \"{}\", {} of {}",
            lease.ask.user, lease.ask.host, lease.ask.seats, lease.ask.feature
        );
        let Some(allowance) = write_off else {
            if terms.lost_at.is_none() {
                let terms = Arc::new(Pass { lost_at: Some(now), ..(*terms).clone() });
                if let Some(lease) = self.pool.lease_mut(id) {
                    lease.pass = Some(terms.clone());
                }
                writes.push(Write::Pass { id, pass: terms });
                let detail = format!("{of}; its seats are free from {}", free_at.rfc3339());
                writes.push(Write::Audit(Box::new(Audit { at: now, act, action: "pass_lost", detail })));
            }
            return Output::Lost { free_at, written_off: false };
        };
        let of_licenses = self.pool.product_seats(&lease.ask, self.pool.placement(lease));
        for (license, seats, allowed) in &of_licenses {
            let used = self.passes_over.written_off(*license, now);
            if allowance == Allowance::Here && used.saturating_add(*seats) > *allowed {
                return Output::NotWrittenOff { allowed: *allowed, used, seats: *seats, free_at };
            }
        }
        writes.push(event(now, EventKind::WriteOff, lease));
        let until = terms.until.rfc3339();
        let detail = format!("{of}; counted as free at once, may still be in use until {until}");
        writes.push(Write::Audit(Box::new(Audit { at: now, act, action: "pass_write_off", detail })));
        let written_off = of_licenses.into_iter().map(|(license, seats, _)| (license, seats)).collect();
        let holder = Some(Box::new(holder(lease, &terms)));
        self.end_pass(id, PassOver { written_off, holder, ..ended_by_itself(&terms, id, now) }, writes);
        Output::Lost { free_at: now, written_off: true }
    }
}
