//! How many seats of one pool a server holds after it has synced (`PROTOCOL.md` section 3).
//!
//! A pool is what floats of a license in an organization, or what of it is assigned to one person. Idle seats stay where
//! they are until somebody else asks for one; who asked first is served first, whichever server it is at, but whoever
//! waits at this moment before whoever was denied and has left.

use super::Report;
use crate::ids::WorkstationId;
use crate::time::Ms;
use std::collections::BTreeMap;

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
    /// What is left of it once so many seats have come: who waits takes them first.
    #[must_use]
    pub fn served(self, seats: u32) -> Want {
        Want { seats: self.seats.saturating_sub(seats), waiting: self.waiting.saturating_sub(seats), ..self }
    }
}

/// A server that may have seats of the pool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Holder {
    /// Which.
    pub workstation: WorkstationId,
    /// Seats that it may be using ([`crate::grant::counted_seats`]); what it keeps, for the one that syncs.
    pub counted: u32,
    /// What it said last. `keep` and `want` are not looked at.
    pub report: Report,
    /// What somebody waits for there.
    pub want: Option<Want>,
    /// It syncs, and is neither being disabled nor silent: it has a claim to idle seats.
    pub takes: bool,
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
}

/// Judges the sync of `asker`, which is one of the holders.
pub fn allot(pool: &PoolFacts, asker: WorkstationId) -> Allotment {
    let Some(me) = pool.holders.iter().find(|holder| holder.workstation == asker) else { return Allotment::default() };
    let others = || pool.holders.iter().filter(|holder| holder.workstation != asker);
    let elsewhere = others().map(|holder| holder.counted).fold(0, u32::saturating_add);
    let kept = shrunk(pool, me, elsewhere);
    let unheld = pool.seats.saturating_sub(elsewhere).saturating_sub(kept);
    let may_get = pool.raising && me.takes;

    let before_me = others().filter(|other| is_before(other, me)).map(Holder::wanted);
    let promised = before_me.fold(pool.reserved, u32::saturating_add);
    let wanted = if may_get { me.wanted().min(unheld.saturating_sub(promised)) } else { 0 };
    let unheld = unheld - wanted;

    let needed = others().map(Holder::wanted).fold(pool.reserved, u32::saturating_add);
    let spare = unheld.saturating_sub(needed);
    // What a share comes to depends on nothing that is decided here.
    let shares = Shares::of(pool);
    let fair = if may_get { shares.of_server(asker).saturating_sub(kept + wanted) } else { 0 };
    let filled = spare.min(fair);
    let (seats, free) = (kept + wanted + filled, unheld - filled);

    let after = after(pool, asker, seats, wanted);
    // Nobody could get what is asked back, and its holder could not get it again.
    let recalls = if pool.raising { recalls(&after, &shares, free) } else { Vec::new() };
    let open = after.holders.iter().find(|holder| holder.workstation == asker).map_or(0, Holder::wanted);
    let idle_elsewhere = others().any(|other| other.idle() > 0 && other.waiting() == 0);
    // Who waits, or has less than its share while seats lie free.
    let spare = free.saturating_sub(needed);
    let served = |holder: &&Holder| {
        let waits = holder.wanted() > 0 && free > pool.reserved;
        let less = holder.takes && shares.of_server(holder.workstation) > holder.counted;
        pool.raising && (waits || (spare > 0 && less))
    };
    let mut ring: Vec<WorkstationId> = others().filter(served).map(|holder| holder.workstation).collect();
    ring.extend(recalls.iter().filter(|(id, seats)| *id != asker && *seats > 0).map(|(id, _)| *id));
    ring.sort_unstable();
    ring.dedup();
    Allotment {
        seats,
        served: wanted,
        taken: wanted.min(me.waiting()),
        recall: recalls.iter().find(|(id, _)| *id == asker).map_or(0, |(_, seats)| *seats),
        exhausted: open > 0 && (!pool.raising || (free == 0 && !idle_elsewhere)),
        free,
        ring,
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

/// Whether what is asked for at `other` is served before what is asked for at `me`: who waits before who has left, then
/// by how long ago it was.
fn is_before(other: &Holder, me: &Holder) -> bool {
    let place = |holder: &Holder| holder.want.map(|want| (holder.waiting() == 0, want.since, holder.workstation));
    match (place(other), place(me)) {
        (Some(theirs), Some(mine)) => theirs < mine,
        (theirs, _) => theirs.is_some(),
    }
}

/// The pool once the asker has `seats`, and `got` of what it wants.
fn after(pool: &PoolFacts, asker: WorkstationId, seats: u32, got: u32) -> PoolFacts {
    let mut after = pool.clone();
    if let Some(me) = after.holders.iter_mut().find(|holder| holder.workstation == asker) {
        me.counted = seats;
        me.report.used = me.report.used.saturating_add(got.min(me.waiting()));
        me.want = me.want.map(|want| want.served(got)).filter(|want| want.seats > 0);
    }
    after
}

/// Seats that each server may have when nobody waits: its peak of the last days and an equal part of the rest, or its
/// part of the pool by peak if there are fewer.
struct Shares(BTreeMap<WorkstationId, u32>);

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
        self.0.get(&workstation).copied().unwrap_or(0)
    }
}

/// From whom seats are asked back, for what cannot be served from what is free: first what has lain idle for long, then
/// any idle seat; if that is not enough, everybody hands over what comes free next, before requests of their own that
/// are younger.
fn recalls(pool: &PoolFacts, shares: &Shares, free: u32) -> Vec<(WorkstationId, u32)> {
    let everything = pool.holders.iter().map(Holder::wanted).fold(pool.reserved, u32::saturating_add);
    if everything == 0 {
        return Vec::new();
    }
    let mut from: Vec<&Holder> = pool.holders.iter().filter(|holder| holder.counted > 0).collect();
    // Who has most beyond its share gives first.
    let beyond = |holder: &Holder| holder.counted.saturating_sub(shares.of_server(holder.workstation));
    from.sort_by_key(|holder| (std::cmp::Reverse(beyond(holder)), holder.workstation));
    let mut asked: Vec<(WorkstationId, u32)> = from.iter().map(|holder| (holder.workstation, 0)).collect();
    let mut missing = everything.saturating_sub(free);
    let long_idle = |holder: &Holder| holder.report.idle.min(holder.idle());
    for idle in [&long_idle as &dyn Fn(&Holder) -> u32, &Holder::idle] {
        for (holder, (_, seats)) in from.iter().zip(&mut asked).filter(|(holder, _)| holder.waiting() == 0) {
            let more = idle(holder).saturating_sub(*seats).min(missing);
            *seats += more;
            missing -= more;
        }
    }
    let found: u32 = asked.iter().map(|(_, seats)| *seats).fold(free, u32::saturating_add);
    let waiting: Vec<&Holder> = pool.holders.iter().filter(|holder| holder.wanted() > 0).collect();
    for (holder, (_, seats)) in from.iter().zip(&mut asked) {
        let before = waiting.iter().filter(|other| is_before(other, holder)).map(|other| other.wanted());
        let owed = before.fold(pool.reserved, u32::saturating_add).saturating_sub(found);
        *seats = seats.saturating_add(owed).min(holder.counted);
    }
    asked
}

#[cfg(test)]
mod tests;
