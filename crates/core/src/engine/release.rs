//! Seats that an administrator takes back: who is told, who gets none again for a while.
//!
//! A holder that is told stops soon; one that is not told stops when its right ends. Only then, or when it gives the seat
//! back, is the seat free: law 4 knows no administrator.

use super::{Act, Audit, Bar, Engine, EventKind, Output, Whom, Write, event};
use crate::codes::DenialCode;
use crate::ids::LeaseId;
use crate::license::FeatureCode;
use crate::pool::{Ask, Lease, Release};
use crate::text::counted;
use crate::time::{MINUTE_MS, Ms};
use std::collections::HashMap;
use std::sync::Arc;

/// Most that are remembered at once; beyond it the next ones are told, and may ask again.
const BARS_MAX: usize = 10_000;

/// Who gets no seat of a feature for a while.
#[derive(Debug, Default)]
pub(super) struct Bars(HashMap<(FeatureCode, Arc<str>, Arc<str>), Arc<Release>>);

impl Bars {
    pub(super) fn restore(bars: Vec<Bar>) -> Bars {
        let mut restored = Bars::default();
        for bar in bars {
            restored.add(bar);
        }
        restored
    }

    /// Adds one; `false` if there are too many.
    fn add(&mut self, bar: Bar) -> bool {
        let key = (bar.feature, bar.user, bar.host);
        let room = self.0.len() < BARS_MAX || self.0.contains_key(&key);
        if room {
            self.0.insert(key, bar.release);
        }
        room
    }

    /// Why whoever asks gets none.
    pub(super) fn of(&self, ask: &Ask, now: Ms) -> Option<&Arc<Release>> {
        if self.0.is_empty() {
            return None;
        }
        let release = self.0.get(&(ask.feature.clone(), ask.user.clone(), ask.host.clone()));
        release.filter(|release| now < release.not_again_until)
    }

    /// Everybody who gets none, in order of feature, user and host.
    fn all(&self, now: Ms) -> Vec<Bar> {
        let bars = self.0.iter().filter(|(_, release)| now < release.not_again_until);
        let mut bars: Vec<Bar> = bars
            .map(|((feature, user, host), release)| Bar {
                feature: feature.clone(),
                user: user.clone(),
                host: host.clone(),
                release: release.clone(),
            })
            .collect();
        bars.sort_unstable_by(|a, b| (&a.feature, &a.user, &a.host).cmp(&(&b.feature, &b.user, &b.host)));
        bars
    }

    pub(super) fn forget(&mut self, now: Ms) {
        self.0.retain(|_, release| now < release.not_again_until);
    }
}

impl Bar {
    /// From when its seat is free.
    fn of(lease: &Lease, free_at: Ms, release: &Release) -> Bar {
        let (feature, user, host) = (lease.ask.feature.clone(), lease.ask.user.clone(), lease.ask.host.clone());
        let release = Release { not_again_until: free_at.plus(release.not_again_ms), ..release.clone() };
        Bar { feature, user, host, release: Arc::new(release) }
    }
}

impl Engine {
    /// Why this user at this host gets nothing, whatever is free.
    pub(super) fn barred(&self, ask: &Ask, now: Ms) -> Option<DenialCode> {
        let withdrawn = self.bars.of(ask, now).map(|_| DenialCode::Withdrawn);
        withdrawn.or_else(|| self.rules.refuses(&ask.user, &ask.host).map(|_| DenialCode::NotAllowed))
    }

    pub(super) fn release(
        &mut self,
        now: Ms,
        whom: &Whom,
        reason: Box<str>,
        not_again_ms: i64,
        act: Act,
        writes: &mut Vec<Write>,
    ) -> Output {
        let leases = self.leases_of(whom);
        if leases.is_empty() {
            return Output::Unknown;
        }
        self.bars.forget(now);
        let not_again_ms = not_again_ms.max(0);
        let release = Arc::new(Release { reason, not_again_until: now.plus(not_again_ms), not_again_ms });
        let mut free_by = now;
        for id in &leases {
            let Some(lease) = self.pool.lease_mut(*id) else { continue };
            lease.released = Some(release.clone());
            free_by = free_by.max(lease.freed_at);
            writes.push(Write::LeaseReleased { id: *id, release: release.clone() });
            writes.push(event(now, EventKind::TakenBack, lease));
            // At the latest; less when the seat is given back before.
            let bar = Bar::of(lease, lease.freed_at, &release);
            self.bar(bar, writes);
        }
        let detail = told(whom, leases.len(), &release.reason, not_again_ms, free_by);
        writes.push(Write::Audit(Box::new(Audit { at: now, act, action: "seat_release", detail })));
        Output::Releasing { leases: leases.len(), free_by }
    }

    /// Who gets no seat of which feature for a while, at most `limit`.
    pub fn bars(&self, now: Ms, limit: usize) -> Vec<Bar> {
        let mut bars = self.bars.all(now);
        bars.truncate(limit);
        bars
    }

    /// Lifts what was said when seats were taken back. Seats that are on their way back come back all the same.
    pub(super) fn lift(&mut self, now: Ms, whom: &Whom, act: Act, writes: &mut Vec<Write>) -> Output {
        let is_meant = |bar: &Bar| match whom {
            Whom::Seat(_) => false,
            Whom::Host(host) => bar.host == *host,
            Whom::User(user) => bar.user == *user,
        };
        let bars: Vec<Bar> = self.bars.all(now).into_iter().filter(is_meant).collect();
        if bars.is_empty() {
            return Output::Unknown;
        }
        for bar in &bars {
            let release = Arc::new(Release { not_again_until: now, not_again_ms: 0, ..(*bar.release).clone() });
            let over = Bar { release, ..bar.clone() };
            writes.push(Write::Barred(Box::new(over.clone())));
            self.bars.add(over);
        }
        self.bars.forget(now);
        // Nor again when the seat is free.
        for id in self.leases_of(whom) {
            let Some(lease) = self.pool.lease_mut(id) else { continue };
            let Some(released) = lease.released.clone() else { continue };
            let release = Arc::new(Release { not_again_until: now, not_again_ms: 0, ..(*released).clone() });
            lease.released = Some(release.clone());
            writes.push(Write::LeaseReleased { id, release });
        }
        let of = match whom {
            Whom::Seat(lease) => format!("{lease}"),
            Whom::Host(host) => format!("host \"{host}\""),
            Whom::User(user) => format!("user \"{user}\""),
        };
        let detail = format!("{of} may have seats again");
        writes.push(Write::Audit(Box::new(Audit { at: now, act, action: "seat_lift", detail })));
        Output::Lifted { bars: bars.len() }
    }

    /// A seat that was taken back is free: from now on its holder gets none for as long as was said.
    pub(super) fn bar_again(&mut self, free_at: Ms, lease: &Lease, writes: &mut Vec<Write>) {
        let Some(release) = &lease.released else { return };
        let bar = Bar::of(lease, free_at, release);
        self.bar(bar, writes);
    }

    fn bar(&mut self, bar: Bar, writes: &mut Vec<Write>) {
        if bar.release.not_again_ms > 0 && self.bars.add(bar.clone()) {
            writes.push(Write::Barred(Box::new(bar)));
        }
    }

    /// In order of id, so that the same is written whenever it is done again.
    fn leases_of(&self, whom: &Whom) -> Vec<LeaseId> {
        let seat = match whom {
            Whom::Seat(lease) => self.pool.lease(*lease).map(Lease::seat),
            Whom::Host(_) | Whom::User(_) => None,
        };
        // Of a pass nobody can be told: it is returned, or declared lost.
        let leases = self.pool.leases().filter(|lease| lease.pass.is_none());
        let is_meant = |lease: &Lease| match whom {
            Whom::Seat(_) => Some(lease.seat()) == seat,
            Whom::Host(host) => lease.ask.host == *host,
            Whom::User(user) => lease.ask.user == *user,
        };
        let mut leases: Vec<_> = leases.filter(|lease| is_meant(lease)).map(|lease| lease.id).collect();
        leases.sort_unstable();
        leases
    }

    /// The answer to a holder whose seat was taken back: it stops within the notice, counted from when it was told first.
    pub(super) fn tell_released(&mut self, now: Ms, id: LeaseId, left_ms: i64) -> Output {
        let notice_ms = self.times.release_notice_ms;
        let Some(lease) = self.pool.lease_mut(id) else { return Output::Unknown };
        let Some(release) = lease.released.clone() else { return Output::Unknown };
        lease.seen_at = now;
        let told_at = *lease.told_at.get_or_insert(now);
        let left_ms = left_ms.min(told_at.plus(notice_ms).since(now)).max(0);
        Output::TakenBack { left_ms, release }
    }
}

fn told(whom: &Whom, leases: usize, reason: &str, not_again_ms: i64, free_by: Ms) -> String {
    let what = match whom {
        Whom::Seat(lease) => format!("the seat of {lease}"),
        Whom::Host(host) => format!("all seats at host \"{host}\""),
        Whom::User(user) => format!("all seats of user \"{user}\""),
    };
    let leases = counted(leases as u64, "lease", "leases");
    let why = if reason.is_empty() { String::new() } else { format!(", because: {reason}") };
    let again = not_again_ms / MINUTE_MS;
    format!("{what} ({leases}), free by {} at the latest, not again for {again} min from then{why}", free_by.rfc3339())
}
