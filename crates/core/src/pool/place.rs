//! Finding seats: which lines a checkout may stand on, in which order they are taken, and how many seats are free.

use super::lease::{LEASES_PER_SHARED_SEAT_MAX, ShareKey};
use super::{Ask, LineState, Placement, Pool, Source, Standing};
use crate::codes::DenialCode;
use crate::grant::{Grant, Line, Renew};
use crate::ids::{LeaseId, LicenseId, LineId};
use crate::license::{FeatureCode, Share};
use crate::time::{Ms, SECOND_MS};
use crate::times::TimeTable;
use std::collections::BTreeMap;

/// A line with less than this left gives no lease: the holder could do nothing with it.
const USEFUL_MS: i64 = 10 * SECOND_MS;

/// Seats of one feature as an asker may use them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Capacity {
    /// Seats in lines that have not ended.
    pub total: u32,
    /// Of these, seats that are out (more than `total` while a reduced license runs out).
    pub in_use: u32,
    /// Of those in use, seats that machines have borrowed.
    pub borrowed: u32,
    /// Seats that nobody uses and that are kept for somebody else than the asker.
    pub reserved: u32,
    /// What a checkout can still take.
    pub free: u32,
}

/// What a line says to an ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LineVerdict {
    /// It has ended, or is about to.
    Ended,
    /// It serves somebody else: why.
    NotForThis(DenialCode),
    /// All its seats are out.
    Full,
    /// It has seats that nobody uses, and they were promised to the portal or stand for leases that run out on a former
    /// line of the same license.
    Promised,
    /// So many seats may be taken.
    Gives(u32),
}

impl LineState {
    pub(super) fn new(line: Line, granted: bool) -> LineState {
        let one = [(line.line, 1)].into();
        LineState { line, out: BTreeMap::new(), borrowed: BTreeMap::new(), granted, one }
    }

    pub(super) fn out(&self, feature: &FeatureCode) -> u32 {
        self.out.get(feature).copied().unwrap_or(0)
    }

    pub(super) fn alive(&self, now: Ms) -> bool {
        self.granted && self.line.until.since(now) >= USEFUL_MS
    }

    /// Dongle (when there is one), assigned, pinned or by file, online; within one, the longest first.
    fn order(&self) -> (u8, std::cmp::Reverse<Ms>, LineId) {
        let terms = &self.line.terms;
        let class = match () {
            () if terms.assigned => 1,
            () if terms.pinned || terms.renew != Renew::Sync => 2,
            () => 3,
        };
        (class, std::cmp::Reverse(self.line.until), self.line.line)
    }

    pub(super) fn serves(&self, ask: &Ask, source: Source) -> Result<(), DenialCode> {
        if self.line.terms.assigned && !source.loopback {
            return Err(DenialCode::Reserved);
        }
        match (self.line.terms.released_before, ask.released_on) {
            (None, _) => Ok(()),
            (Some(maintained), Some(released)) if released <= maintained => Ok(()),
            // An application that does not say when it was released cannot show that it is covered.
            (Some(_), _) => Err(DenialCode::VersionTooNew),
        }
    }
}

impl Pool {
    /// Replaces the set of lines, keeping what is counted on those that stay. Lines that left the document stay,
    /// giving nothing, until their last lease ends.
    pub(super) fn set_lines(&mut self, grant: Option<&Grant>) {
        for state in self.lines.values_mut() {
            state.granted = false;
        }
        for line in grant.map_or(&[][..], |grant| &grant.lines) {
            let mut state = LineState::new(line.clone(), true);
            if let Some(old) = self.lines.remove(&line.line) {
                (state.out, state.borrowed) = (old.out, old.borrowed);
            }
            self.lines.insert(line.line, state);
        }
        self.lines.retain(|_, state| state.granted || state.out.values().any(|out| *out > 0));
        self.order.clear();
        for (id, state) in self.lines.iter().filter(|(_, state)| state.granted) {
            for feature in state.line.features.keys() {
                self.order.entry(feature.clone()).or_default().push(*id);
            }
        }
        for ids in self.order.values_mut() {
            ids.sort_by_key(|id| self.lines.get(id).map(LineState::order));
        }
    }

    pub(super) fn lines_of<'a>(&'a self, feature: &FeatureCode) -> impl Iterator<Item = (LineId, &'a LineState)> {
        let ids = self.order.get(feature).map_or(&[][..], Vec::as_slice);
        ids.iter().filter_map(|id| self.lines.get(id).map(|state| (*id, state)))
    }

    /// Seats held and out of a license's feature, over all its lines that are alive or have leases.
    pub(super) fn license_seats(&self, license: LicenseId, feature: &FeatureCode, now: Ms) -> (u32, u32) {
        let lines = self.lines.values().filter(|state| state.line.license == license);
        lines.fold((0_u32, 0_u32), |(held, out), state| {
            let capacity = if state.alive(now) { state.line.capacity(feature.as_str()) } else { 0 };
            (held.saturating_add(capacity), out.saturating_add(state.out(feature)))
        })
    }

    /// Finds seats for an ask, all or none, and the reason if there are none. Changes nothing.
    pub fn find(&self, new_id: LeaseId, ask: &Ask, source: Source, now: Ms) -> Result<Standing, DenialCode> {
        if let Some(standing) = self.find_shared(ask, source, now) {
            return Ok(standing);
        }
        let placement = self.find_own(ask, source, now)?;
        let share = ShareKey::sharable(ask) && self.shares(&placement);
        Ok(if share { Standing::Shared { seat: new_id, placement } } else { Standing::Own(placement) })
    }

    fn shares(&self, placement: &Placement) -> bool {
        let mut lines = placement.iter().filter_map(|(line, _)| self.lines.get(line));
        lines.all(|state| state.line.terms.share == Share::UserHost)
    }

    fn find_shared(&self, ask: &Ask, source: Source, now: Ms) -> Option<Standing> {
        if !ShareKey::sharable(ask) {
            return None;
        }
        let seats = self.sharable.get(&ShareKey::of(ask, source))?;
        seats.iter().find_map(|seat| {
            let shared = self.shared.get(seat)?;
            let room = shared.leases < LEASES_PER_SHARED_SEAT_MAX;
            (room && self.supports(&shared.placement, ask, source, now))
                .then(|| Standing::Shared { seat: *seat, placement: shared.placement.clone() })
        })
    }

    /// Whether a placement's lines are alive, not over-full, and may serve the asker: what it takes to create or
    /// extend a lease on it without taking more seats.
    pub(crate) fn supports(&self, placement: &Placement, ask: &Ask, source: Source, now: Ms) -> bool {
        placement.iter().all(|(line, _)| {
            self.lines.get(line).is_some_and(|state| {
                let (held, out) = self.license_seats(state.line.license, &ask.feature, now);
                let full = state.out(&ask.feature) > state.line.capacity(ask.feature.as_str()) || out > held;
                state.alive(now) && !full && state.serves(ask, source).is_ok()
            })
        })
    }

    /// Finds seats of its own for an ask.
    pub(super) fn find_own(&self, ask: &Ask, source: Source, now: Ms) -> Result<Placement, DenialCode> {
        self.find_lasting(ask, source, now, |_| true)
    }

    /// Where the seat of a lease could stand if it left the lines that it stands on: they may be of the same license.
    pub(crate) fn find_other(&mut self, id: LeaseId, now: Ms, times: &TimeTable) -> Option<Placement> {
        let lease = self.leases.get(&id)?;
        let (feature, pass, from) = (lease.ask.feature.clone(), lease.pass.is_some(), self.placement(lease).clone());
        self.add(&feature, &from, false, pass);
        let found = self.find_for(id, now, times, |_| true);
        self.add(&feature, &from, true, pass);
        found
    }

    /// Where a lease that is counted nowhere could stand, of the lines that are `allowed`.
    pub(super) fn find_for(
        &self,
        id: LeaseId,
        now: Ms,
        times: &TimeTable,
        allowed: impl Fn(&LineState) -> bool,
    ) -> Option<Placement> {
        let lease = self.leases.get(&id)?;
        // A pass is out of reach: it runs to its end whatever happens to its line, so it stands on none that ends before.
        let lasts = |state: &LineState| lease.pass.as_ref().is_none_or(|pass| state.outlives(pass, times));
        self.find_lasting(&lease.ask, lease.source, now, |state| allowed(state) && lasts(state)).ok()
    }

    /// The same on lines that `last` long enough.
    fn find_lasting(
        &self,
        ask: &Ask,
        source: Source,
        now: Ms,
        lasts: impl Fn(&LineState) -> bool,
    ) -> Result<Placement, DenialCode> {
        let mut placement = Vec::new();
        let mut wanted = ask.seats;
        let mut taken: BTreeMap<LicenseId, u32> = BTreeMap::new();
        for (id, state) in self.lines_of(&ask.feature).filter(|(_, state)| lasts(state)) {
            if wanted == 0 {
                break;
            }
            let taken_before = taken.get(&state.line.license).copied().unwrap_or(0);
            if let LineVerdict::Gives(free) = self.weigh(state, ask, source, taken_before, now) {
                let seats = free.min(wanted);
                placement.push((id, seats));
                wanted -= seats;
                *taken.entry(state.line.license).or_default() += seats;
            }
        }
        if wanted == 0 { Ok(placement.into()) } else { Err(self.why_not(ask, source, now)) }
    }

    /// What a line says to an ask that takes `taken_before` seats from other lines of its license.
    pub(super) fn weigh(
        &self,
        state: &LineState,
        ask: &Ask,
        source: Source,
        taken_before: u32,
        now: Ms,
    ) -> LineVerdict {
        if !state.alive(now) {
            return LineVerdict::Ended;
        }
        if let Err(code) = state.serves(ask, source) {
            return LineVerdict::NotForThis(code);
        }
        // Counted for the license as a whole as well: leases may still run on a line of the same license that left the
        // document.
        let license_free = self.license_free(state.line.license, &ask.feature, now).saturating_sub(taken_before);
        let on_line = state.line.capacity(ask.feature.as_str()).saturating_sub(state.out(&ask.feature));
        match on_line.min(license_free) {
            0 if on_line == 0 => LineVerdict::Full,
            0 => LineVerdict::Promised,
            free => LineVerdict::Gives(free),
        }
    }

    /// What each line with the feature says to an ask, in the order in which they are tried.
    pub fn weighed(&self, ask: &Ask, source: Source, now: Ms) -> Vec<(&Line, u32, LineVerdict)> {
        let lines = self.lines_of(&ask.feature);
        lines.map(|(_, state)| (&state.line, state.out(&ask.feature), self.weigh(state, ask, source, 0, now))).collect()
    }

    /// The most useful reason why an ask finds no seats.
    pub(super) fn why_not(&self, ask: &Ask, source: Source, now: Ms) -> DenialCode {
        if !self.lines.values().any(|state| state.granted) {
            return DenialCode::NotActivated;
        }
        if self.lines_of(&ask.feature).next().is_none() {
            return DenialCode::FeatureUnknown;
        }
        let alive: Vec<_> = self.lines_of(&ask.feature).filter(|(_, state)| state.alive(now)).collect();
        if alive.is_empty() {
            return DenialCode::Expired;
        }
        let refusals: Vec<_> = alive.iter().map(|(_, state)| state.serves(ask, source)).collect();
        if refusals.iter().any(Result::is_ok) {
            return DenialCode::NoSeats;
        }
        let too_new = refusals.contains(&Err(DenialCode::VersionTooNew));
        if too_new { DenialCode::VersionTooNew } else { DenialCode::Reserved }
    }

    /// The seats of a feature on lines that have not ended, whoever they may serve.
    pub fn capacity(&self, feature: &FeatureCode, now: Ms) -> Capacity {
        self.capacity_where(feature, now, |_| true)
    }

    /// The same as an asker may use them.
    pub fn capacity_for(&self, ask: &Ask, source: Source, now: Ms) -> Capacity {
        // What is too old for the application is kept for nobody.
        let serves = |state: &LineState| matches!(state.serves(ask, source), Ok(()) | Err(DenialCode::VersionTooNew));
        self.capacity_where(&ask.feature, now, serves)
    }

    fn capacity_where(&self, feature: &FeatureCode, now: Ms, serves: impl Fn(&LineState) -> bool) -> Capacity {
        let mut capacity = Capacity::default();
        // Of each license: seats free on lines that serve, on others, and of the license as a whole.
        let mut free: BTreeMap<LicenseId, (u32, u32, u32)> = BTreeMap::new();
        for (_, state) in self.lines_of(feature).filter(|(_, state)| state.alive(now)) {
            capacity.total = capacity.total.saturating_add(state.line.capacity(feature.as_str()));
            let on_line = state.line.capacity(feature.as_str()).saturating_sub(state.out(feature));
            let license_free = self.license_free(state.line.license, feature, now);
            let entry = free.entry(state.line.license).or_insert((0, 0, license_free));
            let sum = if serves(state) { &mut entry.0 } else { &mut entry.1 };
            *sum = sum.saturating_add(on_line);
        }
        for (serving, others, license) in free.into_values() {
            capacity.free = capacity.free.saturating_add(serving.min(license));
            capacity.reserved =
                capacity.reserved.saturating_add(others.min(license.saturating_sub(serving.min(license))));
        }
        for state in self.lines.values() {
            capacity.in_use = capacity.in_use.saturating_add(state.out(feature));
            let borrowed = state.borrowed.get(feature).copied().unwrap_or(0);
            capacity.borrowed = capacity.borrowed.saturating_add(borrowed);
        }
        capacity
    }

    /// The earliest end of a placement's lines: no lease on it outlives that.
    pub fn ends_at(&self, placement: &Placement) -> Ms {
        let ends = placement.iter().map(|(line, _)| self.lines.get(line).map_or(Ms(0), |state| state.line.until));
        ends.min().unwrap_or(Ms(0))
    }

    /// Moves the seat of a lease to other lines. A shared seat moves with all its leases.
    pub(crate) fn move_to(&mut self, id: LeaseId, to: Placement) {
        let Some(lease) = self.leases.get(&id) else { return };
        let (feature, from) = (lease.ask.feature.clone(), self.placement(lease).clone());
        let (standing, pass) = (lease.standing.clone(), lease.pass.is_some());
        self.count(&feature, &to, true, pass);
        self.count(&feature, &from, false, pass);
        match standing {
            Standing::Own(_) => {
                if let Some(lease) = self.leases.get_mut(&id) {
                    lease.standing = Standing::Own(to);
                }
            }
            Standing::Shared { seat, .. } => {
                if let Some(shared) = self.shared.get_mut(&seat) {
                    shared.placement = to;
                }
            }
        }
    }
}
