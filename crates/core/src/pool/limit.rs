//! What a server promised its portal: to use no more than so many seats of a license, and to hand over seats as they
//! come free. Counted in seats of the product, on lines that may be recalled.

use super::{LineState, Pool};
use crate::ids::LicenseId;
use crate::license::FeatureCode;
use crate::time::Ms;
use crate::times::TimeTable;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Promise {
    /// No more than this until a newer document; `None` for what the lines hold.
    limit: Option<u32>,
    /// Seats that go back before younger requests are served.
    owed: u32,
}

impl LineState {
    /// Seats of the product in use on the line.
    pub(super) fn used_seats(&self) -> u32 {
        let bundle = self.line.features.iter();
        bundle.map(|(feature, per_seat)| self.out(feature).div_ceil((*per_seat).max(1))).max().unwrap_or(0)
    }
}

impl Pool {
    /// No more than `seats` of a license from now on.
    pub(crate) fn set_limit(&mut self, license: LicenseId, seats: u32) {
        self.promises.entry(license).or_default().limit = Some(seats);
    }

    /// A newer document is loaded: what was promised about the one before is over.
    pub(crate) fn clear_limits(&mut self) {
        self.promises.values_mut().for_each(|promise| promise.limit = None);
    }

    /// Seats of a license that are to go back as they come free.
    pub(crate) fn owed(&self, license: LicenseId) -> u32 {
        self.promises.get(&license).map_or(0, |promise| promise.owed)
    }

    pub(crate) fn set_owed(&mut self, license: LicenseId, seats: u32) {
        self.promises.entry(license).or_default().owed = seats;
    }

    pub(crate) fn clear_owed(&mut self) {
        self.promises.values_mut().for_each(|promise| promise.owed = 0);
    }

    /// Of each license, the seats that lie unused and are owed.
    pub(crate) fn owed_of_unused(&self, now: Ms) -> Vec<(LicenseId, u32)> {
        let owed = self.promises.iter().filter(|(_, promise)| promise.owed > 0);
        let of_unused = |(license, promise): (&LicenseId, &Promise)| {
            let unused = self.usable_seats(*license, now).saturating_sub(self.used_seats(*license));
            (*license, promise.owed.min(unused))
        };
        owed.map(of_unused).collect()
    }

    /// Licenses with lines that may be recalled, or that were and on which leases still run.
    pub(crate) fn recallable_licenses(&self) -> BTreeSet<LicenseId> {
        let lines = self.lines.values().filter(|state| state.line.terms.recallable);
        lines.map(|state| state.line.license).collect()
    }

    fn recallable(&self, license: LicenseId) -> impl Iterator<Item = &LineState> {
        self.lines.values().filter(move |state| state.line.license == license && state.line.terms.recallable)
    }

    /// Seats of a license on which leases stand, lines that left the document included.
    pub(crate) fn used_seats(&self, license: LicenseId) -> u32 {
        let mut lines = self.recallable(license).peekable();
        let Some(bundle) = lines.peek().map(|state| state.line.features.clone()) else { return 0 };
        let states: Vec<&LineState> = lines.collect();
        let used = |feature: &FeatureCode, per_seat: u32| {
            let out = states.iter().map(|state| state.out(feature)).fold(0, u32::saturating_add);
            out.div_ceil(per_seat.max(1))
        };
        bundle.iter().map(|(feature, per_seat)| used(feature, *per_seat)).max().unwrap_or(0)
    }

    /// Seats on which leases stand beside those, and beyond what the document holds: what was kept for use without the portal
    /// and was released, and what came by file before. Only those of which there are any.
    pub(crate) fn running_out(&self) -> BTreeMap<LicenseId, u32> {
        let mut seats = BTreeMap::new();
        for state in self.lines.values().filter(|state| !state.line.terms.recallable) {
            let held = if state.granted { state.line.seats } else { 0 };
            let beyond = state.used_seats().saturating_sub(held);
            if beyond > 0 {
                let of: &mut u32 = seats.entry(state.line.license).or_default();
                *of = of.saturating_add(beyond);
            }
        }
        seats
    }

    /// Seats of a license that may be used: what its lines hold, and no more than was promised.
    pub(crate) fn usable_seats(&self, license: LicenseId, now: Ms) -> u32 {
        let alive = self.recallable(license).filter(|state| state.alive(now));
        let held = alive.map(|state| state.line.seats).fold(0, u32::saturating_add);
        self.limit(license).map_or(held, |limit| limit.min(held))
    }

    /// Seats that the document in force holds and that were promised not to be used.
    pub(crate) fn given_back(&self, license: LicenseId) -> u32 {
        let granted = self.recallable(license).filter(|state| state.granted);
        let held = granted.map(|state| state.line.seats).fold(0, u32::saturating_add);
        self.limit(license).map_or(0, |limit| held.saturating_sub(limit))
    }

    fn limit(&self, license: LicenseId) -> Option<u32> {
        self.promises.get(&license).and_then(|promise| promise.limit)
    }

    /// Seats of a license's feature that may be given.
    pub(super) fn license_free(&self, license: LicenseId, feature: &FeatureCode, now: Ms) -> u32 {
        let (held, out) = self.license_seats(license, feature, now);
        let free = held.saturating_sub(out);
        let Some(promise) = self.promises.get(&license).filter(|promise| **promise != Promise::default()) else {
            return free;
        };
        let per_seat = self.recallable(license).filter_map(|state| state.line.features.get(feature)).max();
        let Some(per_seat) = per_seat else { return free };
        let usable = self.usable_seats(license, now);
        // Whatever fits into seats that are in use anyway may be given.
        let may_use = usable.saturating_sub(promise.owed).max(self.used_seats(license)).min(usable);
        let recallable = self.recallable(license);
        let (held_here, out_here) = recallable.fold((0_u32, 0_u32), |(held, out), state| {
            let capacity = if state.alive(now) { state.line.capacity(feature.as_str()) } else { 0 };
            (held.saturating_add(capacity), out.saturating_add(state.out(feature)))
        });
        let elsewhere = held.saturating_sub(held_here).saturating_sub(out.saturating_sub(out_here));
        free.min(elsewhere.saturating_add(may_use.saturating_mul(*per_seat).saturating_sub(out_here)))
    }

    /// Whether nothing stands on more than the document holds, nor for longer: only then is what came before it void.
    pub fn fits(&self, times: &TimeTable) -> bool {
        let held = |line| self.lines.get(line).filter(|state| state.granted);
        let lasts = |id| {
            let pass = self.lease(id).and_then(|lease| Some((self.placement(lease), lease.pass.as_deref()?)));
            pass.is_none_or(|(placement, pass)| {
                placement.iter().all(|(line, _)| held(line).is_some_and(|state| state.outlives(pass, times)))
            })
        };
        self.lines.values().all(|state| state.granted && state.used_seats() <= state.line.seats)
            && self.passes.iter().all(|id| lasts(*id))
    }
}
