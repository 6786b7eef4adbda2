use super::*;
use crate::random::Seeded;
use proptest::prelude::*;

fn workstation(n: u64) -> WorkstationId {
    WorkstationId::draw(Ms(i64::try_from(n).unwrap()), &mut Seeded::new(n))
}

fn holder(n: u64, counted: u32, used: u32) -> Holder {
    let report = Report { used, peak: used, ..Report::default() };
    let workstation = workstation(n);
    Holder {
        workstation,
        counted,
        report,
        want: None,
        told: 0,
        takes: true,
        heard: true,
        fresh: false,
        held_back: false,
        kept: 0,
    }
}

fn waits(holder: Holder, seats: u32, since: i64) -> Holder {
    Holder { want: Some(Want { seats, waiting: seats, since: Ms(since) }), ..holder }
}

/// Somebody asked there and was denied.
fn left_again(holder: Holder, seats: u32, since: i64) -> Holder {
    Holder { want: Some(Want { seats, waiting: 0, since: Ms(since) }), ..holder }
}

fn pool(seats: u32, holders: Vec<Holder>) -> PoolFacts {
    PoolFacts { seats, reserved: 0, holders, raising: true }
}

#[test]
fn a_server_alone_holds_everything() {
    let alone = allot(&pool(100, vec![holder(1, 0, 0)]), workstation(1));
    assert_eq!((alone.seats, alone.free, alone.recall), (100, 0, 0));
}

#[test]
fn idle_seats_stay_where_they_are_until_somebody_waits() {
    let facts = pool(10, vec![holder(1, 10, 3), holder(2, 0, 0)]);
    assert_eq!(allot(&facts, workstation(1)).seats, 10);
    assert_eq!(allot(&facts, workstation(2)), Allotment::default());

    let facts = pool(10, vec![holder(1, 10, 3), waits(holder(2, 0, 0), 2, 5)]);
    let asker = allot(&facts, workstation(2));
    assert_eq!((asker.seats, asker.exhausted, asker.ring), (0, false, vec![workstation(1)]));
    assert_eq!(allot(&facts, workstation(1)).recall, 2);
    // It has handed them over.
    let handed = pool(10, vec![holder(1, 8, 3), waits(holder(2, 0, 0), 2, 5)]);
    let first = allot(&handed, workstation(1));
    assert_eq!((first.seats, first.free, first.ring), (8, 2, vec![workstation(2)]), "not taken back");
    assert_eq!(allot(&handed, workstation(2)).seats, 2);
}

#[test]
fn who_waits_longest_is_served_first_whichever_server_it_is_at() {
    let facts = pool(5, vec![holder(1, 4, 4), waits(holder(2, 0, 0), 1, 9), waits(holder(3, 0, 0), 1, 7)]);
    assert_eq!(allot(&facts, workstation(2)).seats, 0);
    assert_eq!(allot(&facts, workstation(3)).seats, 1);
}

#[test]
fn a_seat_that_came_for_somebody_is_not_asked_back_at_once() {
    let facts = pool(1, vec![waits(holder(1, 0, 0), 1, 1), waits(holder(2, 0, 0), 1, 2)]);
    let got = allot(&facts, workstation(1));
    // The one that waits at the other server is next: it is owed what comes free here.
    assert_eq!((got.seats, got.served, got.taken, got.recall), (1, 1, 1, 1));
    let left = pool(2, vec![left_again(holder(1, 0, 0), 1, 1), waits(holder(2, 1, 1), 1, 2)]);
    assert_eq!(
        (allot(&left, workstation(1)).served, allot(&left, workstation(1)).taken),
        (0, 0),
        "who waits comes first"
    );
}

#[test]
fn where_nothing_is_idle_the_next_seats_that_come_free_are_owed() {
    let facts = pool(4, vec![holder(1, 2, 2), holder(2, 2, 2), waits(holder(3, 0, 0), 1, 1)]);
    assert!(allot(&facts, workstation(3)).exhausted);
    assert_eq!(allot(&facts, workstation(1)).recall, 1);
    assert_eq!(allot(&facts, workstation(2)).recall, 1);
}

#[test]
fn what_has_lain_idle_for_long_is_asked_back_first() {
    let mut rested = holder(1, 5, 0);
    rested.report.idle = 5;
    let facts = pool(10, vec![rested, holder(2, 5, 0), waits(holder(3, 0, 0), 5, 1)]);
    assert_eq!((allot(&facts, workstation(1)).recall, allot(&facts, workstation(2)).recall), (5, 0));
}

#[test]
fn a_smaller_license_takes_idle_seats_before_used_ones() {
    let facts = pool(5, vec![holder(1, 5, 5), holder(2, 5, 0)]);
    assert_eq!(allot(&facts, workstation(1)).seats, 5, "the idle ones at the other server are enough");
    assert_eq!(allot(&facts, workstation(2)).seats, 0);
    let facts = pool(3, vec![holder(1, 5, 5)]);
    assert_eq!(allot(&facts, workstation(1)).seats, 3);
    assert_eq!(allot(&pool(0, vec![holder(1, 5, 5), holder(2, 5, 0)]), workstation(1)).seats, 0, "it has ended");
}

#[test]
fn what_assignments_wait_for_is_asked_back_and_given_to_nobody() {
    let facts = PoolFacts { reserved: 2, ..pool(10, vec![holder(1, 9, 3), waits(holder(2, 0, 0), 1, 1)]) };
    assert_eq!(allot(&facts, workstation(1)).recall, 2);
    assert_eq!(allot(&facts, workstation(2)).seats, 0);
}

#[test]
fn a_server_that_is_disabled_or_a_restored_portal_raises_nothing() {
    let drained = Holder { takes: false, ..holder(1, 4, 4) };
    assert_eq!(allot(&pool(10, vec![drained]), workstation(1)).seats, 4);
    let facts = PoolFacts { raising: false, ..pool(10, vec![waits(holder(1, 4, 4), 2, 1)]) };
    assert_eq!(allot(&facts, workstation(1)).seats, 4);
}

#[test]
fn a_restored_portal_asks_nothing_back_that_it_could_not_give() {
    let waiting = [waits(holder(1, 2, 2), 1, 1), waits(holder(3, 1, 1), 1, 2)];
    let facts = PoolFacts { raising: false, ..pool(10, vec![waiting[0], holder(2, 5, 0), waiting[1]]) };
    let idle = allot(&facts, workstation(2));
    assert_eq!((idle.seats, idle.recall, idle.ring), (5, 0, vec![]));
    // It is told at once that nothing comes, and the others who wait are not rung in turns.
    let asker = allot(&facts, workstation(1));
    assert_eq!((asker.seats, asker.free, asker.exhausted, asker.ring), (2, 2, true, vec![]));
}

#[test]
fn shares_add_up_to_the_pool() {
    let facts = pool(10, vec![holder(1, 0, 4), holder(2, 0, 0), holder(3, 0, 0)]);
    let shares: Vec<u32> = (1..=3).map(|n| Shares::of(&facts).of_server(workstation(n))).collect();
    assert_eq!(shares, [6, 2, 2]);
    let busy = pool(10, vec![holder(1, 0, 30), holder(2, 0, 10), holder(3, 0, 0)]);
    let shares: Vec<u32> = (1..=3).map(|n| Shares::of(&busy).of_server(workstation(n))).collect();
    assert_eq!(shares, [8, 2, 0]);
}

#[test]
fn whoever_asks_the_same_servers_are_to_give() {
    let holders = vec![holder(1, 1, 0), holder(2, 1, 0), holder(3, 1, 0), waits(holder(4, 0, 0), 1, 1)];
    let peaks = |holder: Holder| Holder { report: Report { peak: 1, ..holder.report }, ..holder };
    let holders: Vec<Holder> = holders.into_iter().map(peaks).collect();
    let recalled = |first: usize| {
        let mut holders = holders.clone();
        holders.swap(0, first);
        allot(&pool(3, holders.clone()), holders[0].workstation).recall
    };
    let recalled: Vec<u32> = (0..3).map(recalled).collect();
    assert_eq!(recalled.iter().sum::<u32>(), 1, "{recalled:?}");
}

#[test]
fn what_a_server_has_that_may_be_gone_is_not_counted_on() {
    let gone = Holder { heard: false, takes: false, ..holder(1, 5, 0) };
    let facts = pool(10, vec![gone, holder(2, 5, 0), waits(holder(3, 0, 0), 2, 1)]);
    assert_eq!(allot(&facts, workstation(2)).recall, 2);
    let facts = pool(5, vec![gone, waits(holder(3, 0, 0), 2, 1)]);
    assert!(allot(&facts, workstation(3)).exhausted, "nobody waits for what may never come");
}

#[test]
fn nobody_is_rung_twice_for_the_same_and_nobody_for_what_others_take_first() {
    let told = Holder { told: 1, ..holder(1, 2, 2) };
    let facts = pool(4, vec![told, holder(2, 2, 2), waits(holder(3, 0, 0), 1, 1)]);
    assert_eq!(allot(&facts, workstation(3)).ring, vec![workstation(2)]);
    let denied = |n: u64, since| left_again(holder(n, 0, 0), 1, since);
    let facts = pool(3, vec![holder(1, 2, 2), denied(2, 1), denied(3, 2), denied(4, 3)]);
    assert_eq!(
        allot(&facts, workstation(3)).ring,
        vec![workstation(1), workstation(2)],
        "one seat is free, for the second"
    );
    assert!(allot(&facts, workstation(4)).ring.iter().all(|rung| *rung != workstation(3)));
}

#[test]
fn who_has_just_synced_is_rung_only_for_somebody_who_waits() {
    let fresh = |holder: Holder| Holder { fresh: true, ..holder };
    let facts = pool(9, vec![holder(1, 1, 1), fresh(holder(2, 0, 0)), fresh(left_again(holder(3, 0, 0), 1, 1))]);
    assert_eq!(allot(&facts, workstation(1)).ring, vec![]);
    let facts = pool(9, vec![holder(1, 1, 1), fresh(waits(holder(2, 0, 0), 1, 1))]);
    assert_eq!(allot(&facts, workstation(1)).ring, vec![workstation(2)]);
    let full = |asks| pool(2, vec![asks, fresh(holder(2, 2, 0))]);
    assert_eq!(allot(&full(left_again(holder(1, 0, 0), 1, 1)), workstation(1)).ring, vec![]);
    assert_eq!(allot(&full(waits(holder(1, 0, 0), 1, 1)), workstation(1)).ring, vec![workstation(2)]);
}

#[test]
fn nobody_is_asked_to_hand_over_what_it_wants_itself() {
    let some = Holder { counted: 1, ..left_again(holder(1, 1, 0), 2, 1) };
    let facts = pool(3, vec![some, holder(2, 2, 2)]);
    assert_eq!(allot(&facts, workstation(1)).recall, 0);
    // What has come for a request that needs more stays while it waits.
    let facts = pool(3, vec![waits(holder(1, 1, 0), 2, 9), holder(2, 2, 2), waits(holder(3, 0, 0), 1, 1)]);
    assert_eq!(allot(&facts, workstation(1)).recall, 0);
}

#[test]
fn who_waits_comes_before_what_was_denied_also_at_a_server_that_waits_itself() {
    let both = Holder { want: Some(Want { seats: 2, waiting: 1, since: Ms(1) }), ..holder(1, 0, 0) };
    let facts = pool(2, vec![both, waits(holder(2, 0, 0), 1, 5)]);
    let got = allot(&facts, workstation(1));
    assert_eq!((got.seats, got.taken), (1, 1));
    assert_eq!(allot(&facts, workstation(2)).seats, 1);
}

#[test]
fn from_whom_an_administrator_took_seats_gets_none_by_itself() {
    let held_back = |n| Holder { held_back: true, ..holder(n, 2, 0) };
    let facts = pool(10, vec![held_back(1), held_back(2)]);
    let seen = allot(&facts, workstation(1));
    assert_eq!((seen.seats, seen.free, seen.ring), (2, 6, vec![]));
    // Nor does another one that happens to be there.
    let facts = pool(10, vec![held_back(1), holder(2, 0, 0)]);
    assert_eq!((allot(&facts, workstation(2)).seats, allot(&facts, workstation(1)).ring), (0, vec![]));
    let facts = pool(10, vec![held_back(1), waits(holder(2, 0, 0), 3, 1)]);
    assert_eq!(allot(&facts, workstation(2)).seats, 3, "but for somebody who asks");
}

/// A site of servers that sync in turn, each doing what it is told.
#[derive(Clone, Debug)]
struct Site {
    pool: PoolFacts,
    recalled: Vec<u32>,
}

impl Site {
    fn new(seats: u32, servers: usize) -> Site {
        let holders = (1..=servers).map(|n| holder(n as u64, 0, 0)).collect();
        Site { pool: pool(seats, holders), recalled: vec![0; servers] }
    }

    fn sync(&mut self, at: usize) {
        let holder = &mut self.pool.holders[at];
        let handed = self.recalled[at].min(holder.counted - holder.report.used);
        holder.counted -= handed;
        self.recalled[at] -= handed;
        // What is idle and owed to nobody serves who waits here.
        let here = holder.counted - holder.report.used;
        Site::serve(holder, here);
        let got = allot(&self.pool, self.pool.holders[at].workstation);
        let holder = &mut self.pool.holders[at];
        let more = got.seats.saturating_sub(holder.counted);
        holder.counted = got.seats;
        self.recalled[at] = got.recall;
        Site::serve(holder, more);
    }

    /// Who waits uses what came at once.
    fn serve(holder: &mut Holder, seats: u32) {
        if let Some(want) = holder.want {
            let used = seats.min(want.seats);
            holder.report.used += used;
            holder.want = Some(want.served(used, want.since)).filter(|want| want.seats > 0);
        }
    }
}

proptest! {
    #[test]
    fn nothing_is_oversold_and_nobody_starves(
        seats in 1_u32..12, servers in 1_usize..5,
        acts in prop::collection::vec((0_usize..5, 0_u32..4), 0..60),
    ) {
        let mut site = Site::new(seats, servers);
        for (tick, (act, n)) in acts.iter().enumerate() {
            let at = *act % servers;
            let holder = &mut site.pool.holders[at];
            match n {
                0 => holder.report.used = holder.report.used.saturating_sub(1),
                1 if holder.report.used < holder.counted - site.recalled[at].min(holder.counted) => holder.report.used += 1,
                2 if holder.want.is_none() && holder.report.used == holder.counted => {
                    holder.want = Some(Want { seats: 1, waiting: u32::from(tick % 3 > 0), since: Ms(i64::try_from(tick).unwrap()) });
                }
                _ => {}
            }
            site.sync(at);
            let out: u32 = site.pool.holders.iter().map(|holder| holder.counted).sum();
            prop_assert!(out <= seats, "{out} of {seats}: {site:?}");
            prop_assert!(site.pool.holders.iter().all(|holder| holder.report.used <= holder.counted));
        }
        // From now on only syncs: whoever waits is served as far as seats are unused anywhere.
        for _ in 0..6 {
            (0..servers).for_each(|at| site.sync(at));
        }
        let used: u32 = site.pool.holders.iter().map(|holder| holder.report.used).sum();
        let waiting: u32 = site.pool.holders.iter().map(Holder::waiting).sum();
        prop_assert!(waiting == 0 || used == seats, "{waiting} wait, {used} of {seats} are used: {site:?}");
    }
}
