//! All seats of one license server in memory: lines, leases, and who stands on what (`PROTOCOL.md` section 6).
//!
//! Owns the counting by which law 1 holds on a server. Nothing here is O(leases) but [`Pool::install`] and restoring:
//! free seats are counters on lines, expiry is a time-ordered index, holders are found by key. Knows no times of
//! leases beyond the instant at which each is freed; what a request means is decided in [`crate::engine`].

mod borrow;
mod install;
mod keep;
mod lease;
mod limit;
mod place;
mod texts;
mod view;

pub(crate) use borrow::{Borrowable, Lendable, Term};
pub use install::Installed;
pub use keep::KeepView;
pub use lease::{
    Ask, AskError, LABELS_MAX, LEASES_PER_SHARED_SEAT_MAX, Lease, Pass, Placement, Release, SEATS_PER_LEASE_MAX,
    Source, Standing,
};
pub use place::{Capacity, LineVerdict};
pub use view::{FeatureView, HeldBy, LineView, PoolView};

use crate::grant::{Grant, Line};
use crate::ids::{LeaseId, LicenseId, LineId};
use crate::license::FeatureCode;
use crate::time::Ms;
use lease::{ShareKey, SharedSeat};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use texts::Texts;

/// A line and what is out on it.
#[derive(Clone, Debug)]
struct LineState {
    line: Line,
    /// Seats of each feature that leases hold on this line.
    out: BTreeMap<FeatureCode, u32>,
    /// Of these, seats that machines have borrowed.
    borrowed: BTreeMap<FeatureCode, u32>,
    /// In the newest document. A line that left it stays only until its last lease ends, and gives nothing.
    granted: bool,
    /// One seat of this line: what nearly every lease stands on, kept once.
    one: Placement,
}

/// The seats of one server.
#[derive(Default, Debug)]
pub struct Pool {
    lines: BTreeMap<LineId, LineState>,
    /// Lines that carry a feature, in the order in which they are taken.
    order: BTreeMap<FeatureCode, Vec<LineId>>,
    /// In boxes: a table of what is as large as a lease has a third of it empty.
    leases: HashMap<LeaseId, Box<Lease>>,
    by_key: HashMap<Arc<str>, LeaseId>,
    by_freed_at: BTreeSet<(Ms, LeaseId)>,
    by_feature: BTreeMap<FeatureCode, BTreeSet<LeaseId>>,
    /// Leases that are passes.
    passes: BTreeSet<LeaseId>,
    /// Of these, what is held since a restore because it may have been lent.
    unknown: BTreeSet<LeaseId>,
    /// Shared seats, by the first lease that sat on them.
    shared: HashMap<LeaseId, SharedSeat>,
    sharable: BTreeMap<ShareKey, Vec<LeaseId>>,
    /// What was promised to the portal about licenses that it may recall.
    promises: BTreeMap<LicenseId, limit::Promise>,
    texts: Texts,
}

impl Pool {
    /// A pool as it stood on disk. `freed_at` of each lease is already the full right from the start of the server.
    /// `former` are lines of older documents, on which leases may still be running out; what the document in force says
    /// of a line comes first. Leases that no longer fit are kept, as withdrawn.
    pub fn restore(grant: Option<&Grant>, former: Vec<Line>, leases: Vec<Lease>, now: Ms) -> Pool {
        let mut pool = Pool::default();
        // The lines before the leases: a lease counts on a line that is there.
        pool.set_lines(grant);
        for line in former {
            pool.lines.entry(line.line).or_insert_with(|| LineState::new(line, false));
        }
        for lease in leases {
            pool.insert(lease);
        }
        pool.lines.retain(|_, state| state.granted || state.out.values().any(|out| *out > 0));
        pool.withdraw_what_does_not_fit(now);
        pool
    }

    /// Drops the document: the server holds nothing any more.
    pub fn clear_lines(&mut self) {
        self.set_lines(None);
    }

    /// The lease of an id.
    pub fn lease(&self, id: LeaseId) -> Option<&Lease> {
        self.leases.get(&id).map(Box::as_ref)
    }

    /// The living lease of an idempotency key.
    pub fn lease_of_key(&self, key: &str) -> Option<&Lease> {
        self.by_key.get(key).and_then(|id| self.lease(*id))
    }

    /// How many leases are out.
    pub fn leases_out(&self) -> usize {
        self.leases.len()
    }

    /// The instant at which the next lease is freed, if nothing renews it.
    pub fn next_freed_at(&self) -> Option<Ms> {
        self.by_freed_at.first().map(|(at, _)| *at)
    }

    /// The instant at which the last lease is freed, if nothing renews any.
    pub fn last_freed_at(&self) -> Option<Ms> {
        self.by_freed_at.last().map(|(at, _)| *at)
    }

    /// The instant at which the first of some holders of a feature is freed if nothing is heard of them. Looks at the
    /// oldest few only: it is a hint for people, and a busy feature has thousands.
    pub fn next_freed_of(&self, feature: &FeatureCode) -> Option<Ms> {
        let holders = self.by_feature.get(feature)?.iter().take(64);
        holders.filter_map(|id| self.leases.get(id)).map(|lease| lease.freed_at).min()
    }

    /// Takes out one lease that is freed at `now` or before. Call until `None`.
    pub fn pop_freed(&mut self, now: Ms) -> Option<Lease> {
        let (at, id) = *self.by_freed_at.first()?;
        if at > now { None } else { self.remove(id) }
    }

    /// Adds a lease whose placement has been decided, and counts it.
    pub fn insert(&mut self, mut lease: Lease) {
        self.texts.share_all(&mut lease.ask);
        if let Some((feature, _)) = self.order.get_key_value(&lease.ask.feature) {
            lease.ask.feature = feature.clone();
        }
        let (Standing::Own(placement) | Standing::Shared { placement, .. }) = &mut lease.standing;
        if let [(line, 1)] = placement[..]
            && let Some(state) = self.lines.get(&line)
        {
            *placement = state.one.clone();
        }
        match &lease.standing {
            Standing::Own(placement) => self.count(&lease.ask.feature, &placement.clone(), true, lease.pass.is_some()),
            Standing::Shared { seat, placement } => self.join_shared(&lease, *seat, placement),
        }
        self.by_key.insert(lease.key.clone(), lease.id);
        self.by_freed_at.insert((lease.freed_at, lease.id));
        self.by_feature.entry(lease.ask.feature.clone()).or_default().insert(lease.id);
        if lease.pass.is_some() {
            self.passes.insert(lease.id);
        }
        if lease.pass.as_ref().is_some_and(|pass| pass.unknown_since.is_some()) {
            self.unknown.insert(lease.id);
        }
        self.leases.insert(lease.id, Box::new(lease));
    }

    /// Ends a lease and frees its seats, unless others share them.
    pub fn remove(&mut self, id: LeaseId) -> Option<Lease> {
        let lease = *self.leases.remove(&id)?;
        self.by_key.remove(&lease.key);
        self.by_freed_at.remove(&(lease.freed_at, id));
        self.passes.remove(&id);
        self.unknown.remove(&id);
        if let Some(holders) = self.by_feature.get_mut(&lease.ask.feature) {
            holders.remove(&id);
        }
        match &lease.standing {
            Standing::Own(placement) => self.count(&lease.ask.feature, placement, false, lease.pass.is_some()),
            Standing::Shared { seat, .. } => self.leave_shared(&lease, *seat),
        }
        Some(lease)
    }

    /// Moves the instant at which a lease is freed.
    pub fn set_freed_at(&mut self, id: LeaseId, at: Ms) {
        if let Some(lease) = self.leases.get_mut(&id) {
            self.by_freed_at.remove(&(lease.freed_at, id));
            lease.freed_at = at;
            self.by_freed_at.insert((at, id));
        }
    }

    /// The lease, to note what changes no counting (`n`, last seen, withdrawn).
    pub(crate) fn lease_mut(&mut self, id: LeaseId) -> Option<&mut Lease> {
        self.leases.get_mut(&id).map(Box::as_mut)
    }

    /// Every lease, in no order.
    pub(crate) fn leases(&self) -> impl Iterator<Item = &Lease> {
        self.leases.values().map(Box::as_ref)
    }

    /// Where a lease stands now: shared seats move as one, so the seat knows best.
    pub fn placement<'a>(&'a self, lease: &'a Lease) -> &'a Placement {
        match &lease.standing {
            Standing::Own(placement) => placement,
            Standing::Shared { seat, placement } => self.shared.get(seat).map_or(placement, |shared| &shared.placement),
        }
    }

    fn count(&mut self, feature: &FeatureCode, placement: &Placement, out: bool, pass: bool) {
        self.add(feature, placement, out, pass);
        for (line, _) in placement.iter() {
            if self.lines.get(line).is_some_and(|state| !state.granted && state.out.values().all(|out| *out == 0)) {
                self.lines.remove(line);
            }
        }
    }

    /// The counting itself: keeps lines on which nothing stands any more.
    fn add(&mut self, feature: &FeatureCode, placement: &Placement, out: bool, pass: bool) {
        for (line, seats) in placement.iter() {
            let Some(state) = self.lines.get_mut(line) else { continue };
            let counter = state.out.entry(feature.clone()).or_default();
            *counter = if out { counter.saturating_add(*seats) } else { counter.saturating_sub(*seats) };
            if pass {
                let counter = state.borrowed.entry(feature.clone()).or_default();
                *counter = if out { counter.saturating_add(*seats) } else { counter.saturating_sub(*seats) };
            }
        }
    }

    fn join_shared(&mut self, lease: &Lease, seat: LeaseId, placement: &Placement) {
        if let Some(shared) = self.shared.get_mut(&seat) {
            shared.leases += 1;
            return;
        }
        self.count(&lease.ask.feature, placement, true, false);
        let opened_by = (lease.ask.host.clone(), lease.source);
        self.shared.insert(seat, SharedSeat { placement: placement.clone(), leases: 1, opened_by });
        self.sharable.entry(ShareKey::of(&lease.ask, lease.source)).or_default().push(seat);
    }

    fn leave_shared(&mut self, lease: &Lease, seat: LeaseId) {
        let Some(shared) = self.shared.get_mut(&seat) else { return };
        shared.leases -= 1;
        if shared.leases > 0 {
            return;
        }
        let placement = shared.placement.clone();
        self.shared.remove(&seat);
        let key = ShareKey::of(&lease.ask, lease.source);
        if let Some(seats) = self.sharable.get_mut(&key) {
            seats.retain(|other| *other != seat);
            if seats.is_empty() {
                self.sharable.remove(&key);
            }
        }
        self.count(&lease.ask.feature, &placement, false, false);
    }
}

#[cfg(test)]
mod tests;
