//! How many seats of one pool a server holds after it has synced (`PROTOCOL.md` section 3).
//!
//! A pool is what floats of a license in an organization, or what of it is assigned to one person. Idle seats stay where
//! they are until somebody else asks for one; who asked first is served first, whichever server it is at, but whoever
//! waits at this moment before whoever was denied and has left.

use super::Report;
use crate::ids::WorkstationId;
use crate::time::Ms;

/// Seats that somebody asked for at a server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Want {
    /// How many.
    pub seats: u32,
    /// For how many of these somebody waits at this moment; whoever asked for the others was denied and may come again.
    pub waiting: u32,
    /// Since when: equal instants are served in order of workstation.
    pub since: Ms,
}

impl Want {
    /// What is left of it once so many seats have come: who waits takes them first. Whoever got some queues again, `now`.
    #[must_use]
    pub fn served(self, seats: u32, now: Ms) -> Want {
        let since = if seats > 0 { now } else { self.since };
        Want { seats: self.seats.saturating_sub(seats), waiting: self.waiting.saturating_sub(seats), since }
    }
}

/// A server that may have seats of the pool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Holder {
    /// Which.
    pub workstation: WorkstationId,
    /// Seats that it may be using ([`crate::grant::counted_seats`]); what it keeps, for the one that syncs.
    pub counted: u32,
    /// Seats of these that are kept there for use without a portal: it cannot hand them over for the asking. Its report
    /// counts them as used.
    pub kept: u32,
    /// What it said last. `keep` and `want` are not looked at.
    pub report: Report,
    /// What was asked for there and did not come yet.
    pub want: Option<Want>,
    /// What it was last told to hand over.
    pub told: u32,
    /// It syncs, and is neither being disabled nor silent: it has a claim to idle seats.
    pub takes: bool,
    /// It syncs, and was heard of not long ago: what it is asked for can be counted on.
    pub heard: bool,
    /// It has just synced.
    pub fresh: bool,
    /// An administrator asked seats back from it not long ago: until that is over, whoever shares the pool gets more only
    /// for somebody who asks.
    pub held_back: bool,
}

impl Holder {
    fn used(&self) -> u32 {
        self.report.used.min(self.counted)
    }

    fn idle(&self) -> u32 {
        self.counted - self.used()
    }

    fn wanted(&self) -> u32 {
        self.want.map_or(0, |want| want.seats)
    }

    fn waiting(&self) -> u32 {
        self.want.map_or(0, |want| want.waiting.min(want.seats))
    }

    /// What was asked for there by whoever has left since.
    fn denied(&self) -> u32 {
        self.wanted() - self.waiting()
    }

    /// Where it stands among those that want something.
    fn place(&self) -> Option<(Ms, WorkstationId)> {
        self.want.map(|want| (want.since, self.workstation))
    }

    fn is_older(&self, other: &Holder) -> bool {
        self.place() < other.place()
    }

    /// How much of what is wanted here comes before whoever waits at `other`.
    fn before_waiting_at(&self, other: &Holder) -> u32 {
        if self.is_older(other) { self.waiting() } else { 0 }
    }

    /// How much of what is wanted here comes before whoever was denied at `other`.
    fn before_denied_at(&self, other: &Holder) -> u32 {
        self.waiting().saturating_add(if self.is_older(other) { self.denied() } else { 0 })
    }
}

/// One pool at the moment of judging.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PoolFacts {
    /// Seats that its servers may hold together; 0 if the license does not run.
    pub seats: u32,
    /// Seats of these that are not to be given out or are to come back, because assignments wait for them.
    pub reserved: u32,
    /// Every server that may have some, the one that syncs among them.
    pub holders: Vec<Holder>,
    /// Whether anybody may get more than it has: not while a restored portal learns what is out.
    pub raising: bool,
}

/// What the server that syncs gets.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Allotment {
    /// Seats that it holds from now on.
    pub seats: u32,
    /// How many of these came for what was asked for there.
    pub served: u32,
    /// How many of those somebody waits for, and uses as soon as they come: they are not idle.
    pub taken: u32,
    /// Seats that it is to hand over as they come free.
    pub recall: u32,
    /// What it still waits for comes only when somebody gives a seat back.
    pub exhausted: bool,
    /// Seats that nobody has now.
    pub free: u32,
    /// Servers that should sync now: there is something for them, or something is wanted of them.
    pub ring: Vec<WorkstationId>,
    /// Servers for which the same is so, and that have just synced: with their next sync they are to be told.
    pub news: Vec<WorkstationId>,
}

/// Judges the sync of `asker`, which is one of the holders.
pub fn allot(pool: &PoolFacts, asker: WorkstationId) -> Allotment {
    let Some(me) = pool.holders.iter().find(|holder| holder.workstation == asker) else { return Allotment::default() };
    let others = || pool.holders.iter().filter(|holder| holder.workstation != asker);
    let elsewhere = others().map(|holder| holder.counted).fold(0, u32::saturating_add);
    let kept = shrunk(pool, me, elsewhere);
    let unheld = pool.seats.saturating_sub(elsewhere).saturating_sub(kept);
    let may_get = pool.raising && me.takes;

    let sum = |part: &dyn Fn(&Holder) -> u32| others().map(part).fold(pool.reserved, u32::saturating_add);
    let get = |seats: u32, promised: u32, unheld: u32| match may_get {
        true => seats.min(unheld.saturating_sub(promised)),
        false => 0,
    };
    let taken = get(me.waiting(), sum(&|other| other.before_waiting_at(me)), unheld);
    let drawn = get(me.denied(), sum(&|other| other.before_denied_at(me)), unheld - taken);
    let wanted = taken + drawn;
    let unheld = unheld - wanted;

    let needed = sum(&Holder::wanted);
    let spare = unheld.saturating_sub(needed);
    // What a share comes to depends on nothing that is decided here.
    let shares = Shares::of(pool);
    // An administrator who asked seats back wants them for somebody: nobody else takes them only because they are there.
    let may_fill = may_get && pool.holders.iter().all(|holder| !holder.held_back);
    let fair = if may_fill { shares.of_server(asker).saturating_sub(kept + wanted) } else { 0 };
    let filled = spare.min(fair);
    let (seats, free) = (kept + wanted + filled, unheld - filled);

    let after = after(pool, asker, seats, wanted);
    // Nobody could get what is asked back, and its holder could not get it again.
    let recalls = if pool.raising { recalls(&after, &shares, free) } else { Vec::new() };
    let open = after.holders.iter().find(|holder| holder.workstation == asker).map_or(0, Holder::wanted);
    let idle_elsewhere = others().any(|other| other.heard && other.idle() > 0 && other.waiting() == 0);
    let (mut ring, mut news) = if pool.raising { takers(pool, asker, &shares, free) } else { Default::default() };
    // Whoever was told already syncs by itself as soon as it has something to hand over.
    let somebody_waits = pool.holders.iter().any(|holder| holder.waiting() > 0);
    for (other, _) in recalls.iter().filter(|(other, seats)| other.workstation != asker && *seats > other.told) {
        if somebody_waits || !other.fresh { &mut ring } else { &mut news }.push(other.workstation);
    }
    for list in [&mut ring, &mut news] {
        list.sort_unstable();
        list.dedup();
    }
    Allotment {
        seats,
        served: wanted,
        taken,
        recall: recalls.iter().find(|(holder, _)| holder.workstation == asker).map_or(0, |(_, seats)| *seats),
        exhausted: open > 0 && (!pool.raising || (free == 0 && !idle_elsewhere)),
        free,
        ring,
        news,
    }
}

/// What is left of `me.counted` if more is out than there is: idle seats first, wherever they are.
fn shrunk(pool: &PoolFacts, me: &Holder, elsewhere: u32) -> u32 {
    if pool.seats == 0 {
        return 0;
    }
    if !pool.raising {
        // Some of it may be counted twice until everybody has said what they obey.
        return me.counted;
    }
    let over = elsewhere.saturating_add(me.counted).saturating_sub(pool.seats);
    let idle = pool.holders.iter().map(Holder::idle).fold(0, u32::saturating_add);
    let used_cut = over.saturating_sub(idle).min(me.used());
    me.counted - over.min(me.idle()) - used_cut
}

/// The other servers for which some of the `free` seats lie ready: those that want some, in the order in which they are
/// served, and what is left for those that have less than their share. First those that should sync now, then those that
/// have just synced.
fn takers(
    pool: &PoolFacts,
    asker: WorkstationId,
    shares: &Shares,
    free: u32,
) -> (Vec<WorkstationId>, Vec<WorkstationId>) {
    let mut left = free.saturating_sub(pool.reserved);
    let mut wanting: Vec<&Holder> = pool.holders.iter().filter(|holder| holder.workstation != asker).collect();
    wanting.sort_by_key(|holder| (holder.waiting() == 0, holder.want.map(|want| want.since), holder.workstation));
    let (mut now, mut later) = (Vec::new(), Vec::new());
    for holder in wanting.iter().filter(|holder| holder.wanted() > 0) {
        if left > 0 {
            if holder.waiting() > 0 || !holder.fresh { &mut now } else { &mut later }.push(holder.workstation);
        }
        left = left.saturating_sub(holder.wanted());
    }
    let held_back = pool.holders.iter().any(|holder| holder.held_back);
    for holder in wanting.iter().filter(|holder| holder.takes && !held_back) {
        let less = shares.of_server(holder.workstation).saturating_sub(holder.counted.saturating_add(holder.wanted()));
        if left > 0 && less > 0 {
            if holder.fresh { &mut later } else { &mut now }.push(holder.workstation);
        }
        left = left.saturating_sub(less);
    }
    (now, later)
}

/// The pool once the asker has `seats`, and `got` of what it wants.
fn after(pool: &PoolFacts, asker: WorkstationId, seats: u32, got: u32) -> PoolFacts {
    let mut after = pool.clone();
    if let Some(me) = after.holders.iter_mut().find(|holder| holder.workstation == asker) {
        me.counted = seats;
        me.report.used = me.report.used.saturating_add(got.min(me.waiting()));
        me.want = me.want.map(|want| want.served(got, Ms(i64::MAX))).filter(|want| want.seats > 0);
    }
    after
}

/// Seats that each server may have when nobody waits: its peak of the last days and an equal part of the rest, or its
/// part of the pool by peak if there are fewer.
///
/// In order of workstation.
struct Shares(Vec<(WorkstationId, u32)>);

impl Shares {
    fn of(pool: &PoolFacts) -> Shares {
        // In one order, whoever asks: otherwise each would hear that the others are to give.
        let mut takers: Vec<&Holder> = pool.holders.iter().filter(|holder| holder.takes).collect();
        takers.sort_unstable_by_key(|holder| holder.workstation);
        let takers = || takers.iter().copied();
        let seats = u64::from(pool.seats.saturating_sub(pool.reserved));
        let count = takers().count() as u64;
        let peaks: u64 = takers().map(|holder| u64::from(holder.report.peak)).sum();
        let part = |holder: &Holder| {
            let peak = u64::from(holder.report.peak);
            if peaks <= seats { peak + (seats - peaks) / count } else { seats * peak / peaks }
        };
        let given: u64 = takers().map(part).sum();
        // What rounding left goes to the first of them.
        let rest = seats.saturating_sub(given);
        let share = |(nth, holder): (u64, &Holder)| part(holder) + u64::from(nth < rest);
        let shares = (0..).zip(takers()).map(|taker| (taker.1.workstation, share(taker)));
        Shares(shares.map(|(id, share)| (id, u32::try_from(share).unwrap_or(u32::MAX))).collect())
    }

    fn of_server(&self, workstation: WorkstationId) -> u32 {
        let found = self.0.binary_search_by_key(&workstation, |(id, _)| *id);
        found.ok().and_then(|at| self.0.get(at)).map_or(0, |(_, seats)| *seats)
    }
}

/// From whom seats are asked back, for what cannot be served from what is free: first what has lain idle for long, then
/// any idle seat; if that is not enough, everybody hands over what comes free next, before requests of their own that
/// come later. Nobody is asked for what is wanted there, and what a server has that may be gone is asked for and not
/// counted on.
fn recalls<'a>(pool: &'a PoolFacts, shares: &Shares, free: u32) -> Vec<(&'a Holder, u32)> {
    let everything = pool.holders.iter().map(Holder::wanted).fold(pool.reserved, u32::saturating_add);
    if everything == 0 {
        return Vec::new();
    }
    let mut from: Vec<&Holder> = pool.holders.iter().filter(|holder| holder.counted > 0).collect();
    // Who has most beyond its share gives first.
    let beyond = |holder: &Holder| holder.counted.saturating_sub(shares.of_server(holder.workstation));
    from.sort_by_cached_key(|holder| (std::cmp::Reverse(beyond(holder)), holder.workstation));
    let mut asked: Vec<(&Holder, u32)> = from.into_iter().map(|holder| (holder, 0)).collect();
    let mut found = free;
    let long_idle = |holder: &Holder| holder.report.idle.min(holder.idle());
    for idle in [&long_idle as &dyn Fn(&Holder) -> u32, &Holder::idle] {
        for (holder, seats) in asked.iter_mut().filter(|(holder, _)| holder.waiting() == 0) {
            let missing = (everything - holder.wanted()).saturating_sub(found);
            let more = idle(holder).saturating_sub(*seats).min(missing);
            *seats += more;
            found += if holder.heard { more } else { 0 };
        }
    }
    let queue = Queue::of(pool);
    for (holder, seats) in &mut asked {
        let before = queue.before_next_at(holder).saturating_add(pool.reserved);
        // What lies idle where somebody waits is not enough for one of these yet.
        let most = if holder.waiting() > 0 { holder.used() } else { holder.counted };
        *seats = seats.saturating_add(before.saturating_sub(found)).min(most.saturating_sub(holder.kept));
    }
    asked
}

/// Everybody who wants something, in order of age.
struct Queue<'a> {
    /// Each with what all that are older wait for, and were denied.
    wanting: Vec<(&'a Holder, u32, u32)>,
    waiting: u32,
    denied: u32,
}

impl<'a> Queue<'a> {
    fn of(pool: &'a PoolFacts) -> Queue<'a> {
        let mut wanting: Vec<&Holder> = pool.holders.iter().filter(|holder| holder.wanted() > 0).collect();
        wanting.sort_unstable_by_key(|holder| holder.place());
        let mut queue = Queue { wanting: Vec::with_capacity(wanting.len()), waiting: 0, denied: 0 };
        for holder in wanting {
            queue.wanting.push((holder, queue.waiting, queue.denied));
            queue.waiting = queue.waiting.saturating_add(holder.waiting());
            queue.denied = queue.denied.saturating_add(holder.denied());
        }
        queue
    }

    /// How much of what is wanted elsewhere comes before a request that `holder` could serve next.
    fn before_next_at(&self, holder: &Holder) -> u32 {
        let here = self.wanting.binary_search_by_key(&holder.place(), |(other, ..)| other.place());
        let here = here.ok().and_then(|at| self.wanting.get(at));
        match here {
            Some((_, waiting, _)) if holder.waiting() > 0 => *waiting,
            Some((_, _, denied)) => self.waiting.saturating_add(*denied),
            None => self.waiting.saturating_add(self.denied),
        }
    }
}

#[cfg(test)]
mod tests;
