//! Loading a new document while leases run: who keeps a seat, and who runs out when there are fewer.

use super::{Placement, Pool, Standing};
use crate::grant::Grant;
use crate::ids::LeaseId;
use crate::license::FeatureCode;
use crate::time::Ms;
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
    pub fn install(&mut self, grant: &Grant, now: Ms) -> Installed {
        self.set_lines(Some(grant));
        let mut installed = Installed::default();
        for seat in self.seats_that_do_not_fit(now) {
            let Some(lease) = seat.leases.first().and_then(|id| self.lease(*id)) else { continue };
            match self.find_own(&lease.ask, lease.source, now) {
                Ok(to) => {
                    self.move_to(seat.leases[0], to);
                    self.mark(&seat.leases, false);
                    installed.moved.extend(seat.leases);
                }
                Err(_) => {
                    self.mark(&seat.leases, true);
                    installed.withdrawn.extend(seat.leases);
                }
            }
        }
        installed
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
