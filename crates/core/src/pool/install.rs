//! Loading a new document while leases run: who keeps a seat, and who runs out when there are fewer.

use super::{LineState, Placement, Pool, Standing};
use crate::grant::Grant;
use crate::ids::{LeaseId, LicenseId};
use crate::license::FeatureCode;
use crate::time::Ms;
use crate::times::TimeTable;
use std::collections::{BTreeSet, HashMap};

/// One seat with all leases on it, oldest first.
struct SeatHeld {
    leases: Vec<LeaseId>,
    feature: FeatureCode,
    placement: Placement,
}

/// What became of running leases under a new document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Installed {
    /// Leases that moved to another line; their rows must be written.
    pub moved: Vec<LeaseId>,
    /// Leases whose right was taken away: they run to their end and are refused renewal while there are too few seats.
    pub withdrawn: Vec<LeaseId>,
}

impl Pool {
    /// Replaces the document. Seats keep their lines, the longest held first; those that no longer fit move to other
    /// lines with free seats, and the rest is marked withdrawn: still counted, never extended while over.
    pub fn install(&mut self, grant: &Grant, now: Ms, times: &TimeTable) -> Installed {
        self.set_lines(Some(grant));
        let mut installed = Installed::default();
        let left_over = self.seats_that_do_not_fit(now);
        let found = self.find_others(&left_over, now, times);
        for (seat, to) in left_over.into_iter().zip(found) {
            let (Some(first), Some(to)) = (seat.leases.first(), to) else {
                self.mark(&seat.leases, true);
                installed.withdrawn.extend(seat.leases);
                continue;
            };
            self.move_to(*first, to);
            self.mark(&seat.leases, false);
            installed.moved.extend(seat.leases);
        }
        installed
    }

    /// Where seats could stand that do not fit where they are, the first of them served first. Changes nothing.
    ///
    /// On other lines of its own license a seat takes nothing from anybody: there the ones that come later make room. Seats
    /// of another license it gets only beside all that are in use of that, also by whoever is to lose them.
    fn find_others(&mut self, seats: &[SeatHeld], now: Ms, times: &TimeTable) -> Vec<Option<Placement>> {
        let all: Vec<(&SeatHeld, bool)> =
            seats.iter().map(|seat| (seat, seat.leases.iter().any(|id| self.passes.contains(id)))).collect();
        for (seat, pass) in &all {
            self.add(&seat.feature, &seat.placement, false, *pass);
        }
        let mut found: Vec<Option<Placement>> = Vec::with_capacity(seats.len());
        for (seat, pass) in &all {
            let license = self.license_of(&seat.placement);
            let own = |state: &LineState| Some(state.line.license) == license;
            let to = seat.leases.first().filter(|_| license.is_some());
            let to = to.and_then(|id| self.find_for(*id, now, times, own));
            if let Some(to) = &to {
                self.add(&seat.feature, to, true, *pass);
            }
            found.push(to);
        }
        for ((seat, pass), _) in all.iter().zip(&found).filter(|(_, to)| to.is_none()) {
            self.add(&seat.feature, &seat.placement, true, *pass);
        }
        for ((seat, pass), to) in all.iter().zip(&mut found).filter(|(_, to)| to.is_none()) {
            self.add(&seat.feature, &seat.placement, false, *pass);
            *to = seat.leases.first().and_then(|id| self.find_for(*id, now, times, |_| true));
            self.add(&seat.feature, to.as_ref().unwrap_or(&seat.placement), true, *pass);
        }
        for ((seat, pass), to) in all.iter().zip(&found) {
            if let Some(to) = to {
                self.add(&seat.feature, to, false, *pass);
                self.add(&seat.feature, &seat.placement, true, *pass);
            }
        }
        found
    }

    /// The license of a placement, if it is of one alone.
    fn license_of(&self, placement: &Placement) -> Option<LicenseId> {
        let mut licenses = placement.iter().map(|(line, _)| self.lines.get(line).map(|state| state.line.license));
        let first = licenses.next().flatten()?;
        licenses.all(|license| license == Some(first)).then_some(first)
    }

    /// Marks what has no room on the lines, without moving anything.
    pub(super) fn withdraw_what_does_not_fit(&mut self, now: Ms) {
        for seat in self.seats_that_do_not_fit(now) {
            self.mark(&seat.leases, true);
        }
    }

    fn mark(&mut self, leases: &[LeaseId], withdrawn: bool) {
        for id in leases {
            if let Some(lease) = self.lease_mut(*id) {
                lease.withdrawn = withdrawn;
            }
        }
    }

    /// Every seat: those that are borrowed first, because nobody can ask them back, then the oldest.
    fn seats_held(&self) -> Vec<SeatHeld> {
        let ordered: BTreeSet<_> =
            self.leases().map(|lease| (lease.pass.is_none(), lease.started_at, lease.id)).collect();
        let mut seats: Vec<SeatHeld> = Vec::with_capacity(ordered.len());
        let mut shared: HashMap<LeaseId, usize> = HashMap::new();
        for (_, _, id) in ordered {
            let Some(lease) = self.lease(id) else { continue };
            if let Standing::Shared { seat, .. } = &lease.standing {
                if let Some(at) = shared.get(seat) {
                    seats[*at].leases.push(id);
                    continue;
                }
                shared.insert(*seat, seats.len());
            }
            let placement = self.placement(lease).clone();
            seats.push(SeatHeld { leases: vec![id], feature: lease.ask.feature.clone(), placement });
        }
        seats
    }

    /// The seats for which the new lines have no room when the oldest are served first.
    fn seats_that_do_not_fit(&self, now: Ms) -> Vec<SeatHeld> {
        let mut room: HashMap<_, u32> = HashMap::new();
        let mut left_over = Vec::new();
        for seat in self.seats_held() {
            let mut free = |line, feature: &FeatureCode| {
                *room.entry((line, feature.clone())).or_insert_with(|| {
                    let state = self.lines.get(&line).filter(|state| state.granted && now < state.line.until);
                    state.map_or(0, |state| state.line.capacity(feature.as_str()))
                })
            };
            if seat.placement.iter().all(|(line, seats)| free(*line, &seat.feature) >= *seats) {
                for (line, seats) in seat.placement.iter() {
                    if let Some(left) = room.get_mut(&(*line, seat.feature.clone())) {
                        *left -= seats;
                    }
                }
            } else {
                left_over.push(seat);
            }
        }
        left_over
    }
}
