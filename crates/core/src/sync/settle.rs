//! Seats assigned to people against seats that float: which assignments are in effect, in the order in which they were
//! made (`PROTOCOL.md` section 10).

use crate::ids::AccountId;

/// One assignment at the moment of judging.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AssignmentFacts {
    /// To whom.
    pub account: AccountId,
    /// Seats that the administrator gave; 0 once revoked.
    pub target: u32,
    /// Seats in effect so far.
    pub active: u32,
    /// Seats that the account's own servers may be using.
    pub counted: u32,
}

/// The seats of one license at the moment of judging.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LicenseSeats {
    /// Seats owned; 0 if the license does not run.
    pub seats: u32,
    /// Seats that servers may be using of what is assigned to nobody.
    pub floating_counted: u32,
    /// Assignments, the oldest first.
    pub assignments: Vec<AssignmentFacts>,
}

/// What is in effect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settled {
    /// Seats in effect of each assignment, in the same order.
    pub active: Vec<u32>,
    /// Seats that float: what is assigned to nobody, nor still out with somebody to whom it was assigned.
    pub floating: u32,
    /// Seats that assignments still wait for.
    pub pending: u32,
}

/// Decides which assignments are in effect. What floats at a server is never taken for it: it is recalled, and the
/// assignment waits.
pub fn settle(license: &LicenseSeats) -> Settled {
    let mut left = license.seats;
    let mut active: Vec<u32> = Vec::with_capacity(license.assignments.len());
    for assignment in &license.assignments {
        // Lowered at once: fewer targets, and never more in effect than is owned.
        let kept = assignment.active.min(assignment.target).min(left);
        left -= kept;
        active.push(kept);
    }
    let bound = |active: &[u32]| {
        let held = license.assignments.iter().zip(active).map(|(assignment, active)| assignment.counted.max(*active));
        held.fold(0, u32::saturating_add)
    };
    let mut room = license.seats.saturating_sub(license.floating_counted).saturating_sub(bound(&active));
    for (assignment, active) in license.assignments.iter().zip(&mut active) {
        let held = assignment.counted.max(*active);
        let reached = assignment.target.min(held.saturating_add(room)).min(active.saturating_add(left)).max(*active);
        room -= reached.saturating_sub(held).min(room);
        left -= reached - *active;
        *active = reached;
        if reached < assignment.target {
            // In order: who comes later does not pass.
            break;
        }
    }
    let targets = license.assignments.iter().zip(&active);
    let pending = targets.map(|(assignment, active)| assignment.target - active).fold(0, u32::saturating_add);
    Settled { floating: license.seats.saturating_sub(bound(&active)), active, pending }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Seeded;
    use crate::time::Ms;
    use proptest::prelude::*;

    fn facts(seed: u64, target: u32, active: u32, counted: u32) -> AssignmentFacts {
        AssignmentFacts { account: AccountId::draw(Ms(1), &mut Seeded::new(seed)), target, active, counted }
    }

    fn license(seats: u32, floating_counted: u32, assignments: Vec<AssignmentFacts>) -> LicenseSeats {
        LicenseSeats { seats, floating_counted, assignments }
    }

    #[test]
    fn a_hundred_seats_of_which_ten_are_assigned_leave_ninety_to_float() {
        let ten = (0..10).map(|n| facts(n, 1, 0, 0)).collect();
        let settled = settle(&license(100, 0, ten));
        assert_eq!((settled.active, settled.floating, settled.pending), (vec![1; 10], 90, 0));
    }

    #[test]
    fn what_does_not_fit_waits_in_order() {
        let settled = settle(&license(5, 4, vec![facts(1, 2, 0, 0), facts(2, 1, 0, 0)]));
        assert_eq!((settled.active, settled.floating, settled.pending), (vec![1, 0], 4, 2));
    }

    #[test]
    fn a_revoked_seat_counts_until_its_server_has_given_it_back() {
        let revoked = facts(1, 0, 1, 1);
        let settled = settle(&license(1, 0, vec![revoked, facts(2, 1, 0, 0)]));
        assert_eq!((settled.active, settled.pending), (vec![0, 0], 1));
        let given_back = facts(1, 0, 0, 0);
        let settled = settle(&license(1, 0, vec![given_back, facts(2, 1, 0, 0)]));
        assert_eq!((settled.active, settled.pending), (vec![0, 1], 0));
    }

    #[test]
    fn a_smaller_license_keeps_the_oldest_assignments() {
        let settled = settle(&license(1, 0, vec![facts(1, 1, 1, 1), facts(2, 1, 1, 1)]));
        assert_eq!((settled.active, settled.floating, settled.pending), (vec![1, 0], 0, 1));
    }

    proptest! {
        #[test]
        fn never_more_than_is_owned_and_settling_twice_changes_nothing(
            seats in 0_u32..20, floating in 0_u32..20,
            assignments in prop::collection::vec((0_u32..6, 0_u32..6, 0_u32..6), 0..6),
        ) {
            let assignments: Vec<_> =
                assignments.iter().enumerate().map(|(n, (t, a, c))| facts(n as u64, *t, *a, *c)).collect();
            let before: u32 = assignments.iter().map(|one| one.counted.max(one.active.min(one.target))).sum();
            let mut facts = license(seats, floating, assignments);
            let settled = settle(&facts);
            let in_effect: u32 = settled.active.iter().sum();
            prop_assert!(in_effect <= seats);
            let bound: u32 = facts.assignments.iter().zip(&settled.active).map(|(one, a)| one.counted.max(*a)).sum();
            // Raised only into room: what was over before is not made worse.
            prop_assert!(bound + floating <= seats.max(before + floating));
            prop_assert!(settled.floating <= seats.saturating_sub(bound));
            for (one, active) in facts.assignments.iter_mut().zip(&settled.active) {
                prop_assert!(*active <= one.target);
                one.active = *active;
            }
            prop_assert_eq!(settle(&facts), settled);
        }
    }
}
