//! Passes that a restored server may have lent and does not know: those lent after the backup was made.
//!
//! Nobody can ask the machines that have them, so what may be lent is held as if it was, until the last of them has
//! ended; or until an administrator says how many of the seats no machine has.

use super::{Act, Audit, Engine, Output, Write, passes};
use crate::ids::{LeaseId, PassId};
use crate::license::FeatureCode;
use crate::pool::{Ask, Lendable, Pass, Source, Standing};
use crate::time::{DAY_MS, Ms};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// Which seats of those that are held no machine has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotOut {
    /// Of one pass.
    Of {
        /// Which: held for nobody, or known from the backup.
        pass: PassId,
        /// How many of its seats; all if more. Of a pass that the backup knows, all.
        seats: u32,
    },
    /// Everything that is held for nobody.
    All,
}

/// A restore after which passes may be unknown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnknownPasses {
    /// When the backup was made: what was lent later is not in it.
    pub since: Ms,
    /// When the server first started on it: the server before it lent nothing any more.
    pub until: Ms,
}

impl Engine {
    /// Whether it is time to hold what may have been lent: the next step does it first.
    pub fn unknown_due(&self, now: Ms) -> bool {
        // A copy gives nothing, and what it had is counted by the portal.
        self.unknown.is_some() && self.no_new(now).is_none() && self.document.is_some() && !self.is_forked()
    }

    /// Until when a restored server will hold at most what it may have lent; `None` once it holds it, and if there is
    /// nothing that could be lent.
    pub fn unknown_until(&self, now: Ms) -> Option<Ms> {
        let unknown = self.unknown.filter(|_| self.document.is_some() && !self.is_forked())?;
        self.pool.lent_until(unknown.until, &self.times).filter(|until| now < *until)
    }

    /// Once every lease has ended that a restored server does not know, holds what is free and may be lent.
    pub(super) fn hold_unknown(&mut self, now: Ms, writes: &mut Vec<Write>) {
        let Some(unknown) = self.unknown.filter(|_| self.unknown_due(now)) else { return };
        self.unknown = None;
        writes.push(Write::UnknownHeld);
        self.hold_known(unknown, writes);
        for lendable in self.pool.lendable(&self.times) {
            let until = unknown.until.plus(i64::from(lendable.days_max) * DAY_MS).min(lendable.ends_at);
            let until = until.floor_to_second();
            if now < self.times.pass_freed_at(until) {
                self.hold(now, unknown.since, until, &lendable, writes);
            }
        }
    }

    /// What the backup knows may have been extended since.
    fn hold_known(&mut self, unknown: UnknownPasses, writes: &mut Vec<Write>) {
        let last = self.pool.lendable_until(&self.times).unwrap_or(unknown.until);
        for lease in self.pool.passes_page(None, usize::MAX) {
            let Some(pass) = lease.pass.filter(|pass| pass.unknown_since.is_none() && pass.returned_at.is_none())
            else {
                continue;
            };
            let later = unknown.until.plus(i64::from(pass.days_max) * DAY_MS).min(last).floor_to_second();
            let pass = Arc::new(Pass { perhaps_until: Some(later.max(pass.until)), ..(*pass).clone() });
            let freed_at = passes::freed_at_start(&pass, self.passes_held_until, &self.times);
            self.pool.set_freed_at(lease.id, freed_at);
            if let Some(lease) = self.pool.lease_mut(lease.id) {
                lease.pass = Some(pass.clone());
            }
            writes.push(Write::Pass { id: lease.id, pass });
        }
    }

    fn hold(&mut self, now: Ms, since: Ms, until: Ms, lendable: &Lendable, writes: &mut Vec<Write>) {
        // Drawn from what it is: a step draws nothing at random.
        let first = LeaseId::beside(lendable.line, since);
        let taken = |id: &LeaseId| self.pool.lease(*id).is_some() || self.passes_over.has(PassId::of(*id));
        let Some(id) = (0..u32::MAX).map(|n| first.following(n)).find(|id| !taken(id)) else { return };
        let key: Arc<str> = format!("unknown {id}").into();
        let pass = Pass {
            key: (*key).into(),
            jwk: "".into(),
            machine: "".into(),
            begins_at: since,
            until,
            days_max: lendable.days_max,
            return_at_end: false,
            returned_at: None,
            lost_at: None,
            unknown_since: Some(since),
            perhaps_until: None,
            asked_at: None,
        };
        let ask = Ask {
            feature: lendable.feature.clone(),
            seats: lendable.seats,
            version: "".into(),
            released_on: None,
            user: "".into(),
            host: "".into(),
            host_id: "".into(),
            boot_id: "".into(),
            pid: 0,
            labels: Default::default(),
        };
        let source = Source { address: IpAddr::V4(Ipv4Addr::UNSPECIFIED), loopback: false };
        let standing = Standing::Own([(lendable.line, lendable.seats)].into());
        let mut lease = self.new_lease(now, (id, key), (ask, source), standing);
        lease.freed_at = self.times.pass_freed_at(until);
        lease.pass = Some(Arc::new(pass));
        writes.push(Write::Lease(Box::new(lease.clone())));
        self.pool.insert(lease);
    }

    /// An administrator knows that no machine has these of the seats that are held.
    pub(super) fn not_out(&mut self, now: Ms, which: NotOut, act: Act, writes: &mut Vec<Write>) -> Output {
        if let Some((free_at, _)) = self.no_new(now).filter(|_| self.unknown.is_some()) {
            return Output::NotHeld { from: Some(free_at) };
        }
        let (freed, held, detail) = match which {
            NotOut::All => self.all_not_out(writes),
            NotOut::Of { pass, seats } => match self.some_not_out(now, pass, seats, writes) {
                Some(freed) => freed,
                None if self.pool.lease(pass.lease()).is_some_and(|lease| lease.pass.is_some()) => {
                    return Output::NotHeld { from: None };
                }
                None => return Output::Unknown,
            },
        };
        if freed > 0 {
            writes.push(Write::Audit(Box::new(Audit { at: now, act, action: "pass_not_out", detail })));
        }
        Output::NotOut { freed, held }
    }

    fn all_not_out(&mut self, writes: &mut Vec<Write>) -> (u32, u32, String) {
        let freed = self.pool.unknown_product_seats();
        let mut of: BTreeMap<FeatureCode, u32> = BTreeMap::new();
        let held: Vec<_> = self.pool.unknown_passes().map(|lease| (lease.id, lease.ask.clone())).collect();
        for (id, ask) in held {
            self.pool.remove(id);
            writes.push(Write::LeaseEnded { id });
            let seats = of.entry(ask.feature).or_default();
            *seats = seats.saturating_add(ask.seats);
        }
        let of: Vec<_> = of.iter().map(|(feature, seats)| format!("{seats} of {feature}")).collect();
        (freed, 0, format!("all that was held since the restore: {}", of.join(", ")))
    }

    /// How many are free now, how many are held still, and what was done in words.
    fn some_not_out(
        &mut self,
        now: Ms,
        pass: PassId,
        seats: u32,
        writes: &mut Vec<Write>,
    ) -> Option<(u32, u32, String)> {
        let id = pass.lease();
        let lease = self.pool.lease(id)?;
        let terms = lease.pass.clone()?;
        let (held, feature) = (lease.ask.seats, lease.ask.feature.clone());
        let (user, host) = (lease.ask.user.clone(), lease.ask.host.clone());
        let line = self.pool.placement(lease).first().map(|(line, _)| *line);
        let freed = seats.min(held);
        let detail = match terms.unknown_since.zip(line) {
            Some((since, line)) => {
                self.pool.remove(id);
                writes.push(Write::LeaseEnded { id });
                if held > freed {
                    let (seats, days_max, ends_at) = (held - freed, terms.days_max, terms.until);
                    let rest = Lendable { line, feature: feature.clone(), seats, days_max, ends_at };
                    self.hold(now, since, terms.until, &rest, writes);
                }
                format!("{freed} of {held} of {feature}, held since the restore")
            }
            // One that the backup knows is returned whole.
            // One whose machine has asked for it since was not returned.
            None if terms.perhaps_until.is_some() && terms.asked_at.is_none() && freed == held => {
                self.end_pass(id, passes::ended_by_itself(&terms, id, now), writes);
                format!("{held} of {feature}, lent to \"{user}\" on \"{host}\" before the restore")
            }
            None => return None,
        };
        Some((freed, held - freed, detail))
    }
}
