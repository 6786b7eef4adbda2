//! What pages and the API show of a pool: plain copies, bounded in number.

use super::lease::ShareKey;
use super::{Ask, Capacity, Lease, Pool, Source};
use crate::grant::{Line, Renew};
use crate::ids::{LeaseId, LineId};
use crate::license::FeatureCode;
use crate::time::Ms;
use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

/// Holders looked at when some are to be shown: enough for people, and a busy feature has thousands.
const HOLDERS_LOOKED_AT: usize = 256;
/// Machines of one user that are looked at for one of a name.
const SHARERS_LOOKED_AT: usize = 256;

/// A machine with a seat that can be shared.
pub(crate) struct Sharer<'a> {
    pub(crate) host_id: &'a Arc<str>,
    pub(crate) boot_id: &'a Arc<str>,
    pub(crate) source: Source,
}

/// Who has seats of a feature, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeldBy {
    /// Whose. Hostile text.
    pub user: Arc<str>,
    /// Where. Hostile text.
    pub host: Arc<str>,
    /// How many seats they have there, as far as was looked.
    pub seats: u32,
    /// Since when they have the oldest of them.
    pub since: Ms,
}

/// One feature of the server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FeatureView {
    /// The feature.
    pub feature: FeatureCode,
    /// Its seats.
    pub capacity: Capacity,
    /// When the first of its seats end; `None` if nothing is alive.
    pub first_end: Option<Ms>,
    /// When the last of its seats end, or ended.
    pub last_end: Option<Ms>,
    /// Seats held on lines renewed at each sync.
    pub online: u32,
    /// Seats held on lines from a file, pinned lines and dongles.
    pub offline: u32,
}

/// One line and what is out on it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LineView {
    /// The line as granted.
    pub line: Line,
    /// Product seats in use: the greatest over its features of seats out, rounded up to whole product seats.
    pub seats_in_use: u32,
    /// In the newest document; otherwise its last leases are running out.
    pub granted: bool,
}

/// A copy of what stands in the pool.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PoolView {
    /// Features in order of code.
    pub features: Vec<FeatureView>,
    /// Lines in order of product code.
    pub lines: Vec<LineView>,
    /// How many leases are out.
    pub leases_out: usize,
}

impl Pool {
    /// Features and lines with their numbers.
    pub fn view(&self, now: Ms) -> PoolView {
        let features = self.order.keys().map(|feature| self.feature_view(feature, now)).collect();
        let mut lines: Vec<_> = self
            .lines
            .values()
            .map(|state| LineView {
                seats_in_use: state.used_seats(),
                line: state.line.clone(),
                granted: state.granted,
            })
            .collect();
        lines.sort_by(|a, b| (&a.line.product, a.line.line).cmp(&(&b.line.product, b.line.line)));
        PoolView { features, lines, leases_out: self.leases_out() }
    }

    fn feature_view(&self, feature: &FeatureCode, now: Ms) -> FeatureView {
        let lines: Vec<_> =
            self.lines.values().filter(|s| s.granted && s.line.features.contains_key(feature)).collect();
        let alive = || lines.iter().filter(|state| now < state.line.until);
        let seats = |online: bool| {
            let mine = alive().filter(|s| (s.line.terms.renew == Renew::Sync && !s.line.terms.pinned) == online);
            mine.map(|state| state.line.capacity(feature.as_str())).fold(0, u32::saturating_add)
        };
        FeatureView {
            feature: feature.clone(),
            capacity: self.capacity(feature, now),
            first_end: alive().map(|state| state.line.until).min(),
            last_end: lines.iter().map(|state| state.line.until).max(),
            online: seats(true),
            offline: seats(false),
        }
    }

    /// At most `limit` holders of a feature that `who` lets see, with all seats that they have on a machine, the oldest first.
    /// Looks at the oldest few hundred leases only.
    pub fn holders(&self, feature: &FeatureCode, who: impl Fn(&Lease) -> bool, limit: usize) -> Vec<HeldBy> {
        let Some(holders) = self.by_feature.get(feature) else { return Vec::new() };
        let oldest = holders.iter().take(HOLDERS_LOOKED_AT).filter_map(|id| self.lease(*id));
        // Of several who share a seat one is shown.
        let mut seats = HashSet::new();
        // What is held since a restore has nobody.
        let oldest = oldest.filter(|lease| !self.unknown.contains(&lease.id));
        let mut held: Vec<HeldBy> = Vec::new();
        for lease in oldest.filter(|lease| who(lease) && seats.insert(lease.seat())) {
            let ask = &lease.ask;
            match held.iter().position(|held| held.user == ask.user && held.host == ask.host) {
                Some(at) => held[at].seats = held[at].seats.saturating_add(ask.seats),
                None if held.len() < limit => held.push(HeldBy {
                    user: ask.user.clone(),
                    host: ask.host.clone(),
                    seats: ask.seats,
                    since: lease.started_at,
                }),
                None => {}
            }
        }
        held
    }

    /// The machine of that name on which the user has a seat which can be shared: what else tells a machine is not in every
    /// question.
    pub(crate) fn sharer(&self, ask: &Ask) -> Option<Sharer<'_>> {
        let of_user = self.sharable.range(ShareKey::first_of(ask)..).take(SHARERS_LOOKED_AT);
        of_user.take_while(|(key, _)| key.feature == ask.feature && key.user == ask.user).find_map(|(key, seats)| {
            let mut shared = seats.iter().filter_map(|seat| self.shared.get(seat));
            let (_, source) = &shared.find(|shared| shared.opened_by.0 == ask.host)?.opened_by;
            Some(Sharer { host_id: &key.host_id, boot_id: &key.boot_id, source: *source })
        })
    }

    /// Passes in order of id, after `after`, at most `limit`.
    pub fn passes_page(&self, after: Option<LeaseId>, limit: usize) -> Vec<Lease> {
        let start = after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        let ids = self.passes.range((start, std::ops::Bound::Unbounded)).take(limit);
        ids.filter_map(|id| self.lease(*id).cloned()).collect()
    }

    /// How many passes are out.
    pub fn passes_out(&self) -> usize {
        self.passes.len()
    }

    /// What is held since a restore because it may have been lent: few, one for each line and feature.
    pub fn unknown_passes(&self) -> impl Iterator<Item = &Lease> {
        self.unknown.iter().filter_map(|id| self.lease(*id))
    }

    /// Seats of a feature that are held since a restore.
    pub fn unknown_seats(&self, feature: &FeatureCode) -> u32 {
        let of = self.unknown_passes().filter(|lease| lease.ask.feature == *feature);
        of.fold(0, |sum, lease| sum.saturating_add(lease.ask.seats))
    }

    /// Product seats that are held since a restore: of each line the greatest over its features, as it is counted.
    pub fn unknown_product_seats(&self) -> u32 {
        let mut lines: BTreeMap<LineId, u32> = BTreeMap::new();
        for lease in self.unknown_passes() {
            for (line, seats) in self.placement(lease).iter() {
                let bundle = self.lines.get(line).and_then(|state| state.line.features.get(lease.ask.feature.as_str()));
                let most = lines.entry(*line).or_default();
                *most = (*most).max(seats.div_ceil(bundle.copied().unwrap_or(1).max(1)));
            }
        }
        lines.values().fold(0, |sum, seats| sum.saturating_add(*seats))
    }

    /// Of these, those on a line.
    pub(crate) fn unknown_on(&self, feature: &FeatureCode, line: LineId) -> u32 {
        let of = self.unknown_passes().filter(|lease| lease.ask.feature == *feature);
        let on = of.flat_map(|lease| self.placement(lease).iter()).filter(|(on, _)| *on == line);
        on.fold(0, |sum, (_, seats)| sum.saturating_add(*seats))
    }

    /// Where seats are held or were asked for from, each address once.
    pub fn addresses(&self) -> HashSet<IpAddr> {
        self.leases().map(|lease| lease.source.address).collect()
    }

    /// How many leases `which` picks. Looks at all of them: for an administrator's question.
    pub fn count_leases(&self, which: impl Fn(&Lease) -> bool) -> u64 {
        u64::try_from(self.leases().filter(|lease| which(lease)).count()).unwrap_or(u64::MAX)
    }

    /// Leases of one feature, or of all, in order of id, after `after`, at most `limit`.
    pub fn leases_page(&self, feature: Option<&FeatureCode>, after: Option<LeaseId>, limit: usize) -> Vec<Lease> {
        let start = after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        let range = (start, std::ops::Bound::Unbounded);
        let sets = self.by_feature.iter().filter(|(code, _)| feature.is_none_or(|wanted| wanted == *code));
        let mut ids: Vec<LeaseId> = sets.flat_map(|(_, set)| set.range(range).take(limit).copied()).collect();
        ids.sort_unstable();
        ids.into_iter().take(limit).filter_map(|id| self.lease(id).cloned()).collect()
    }
}
