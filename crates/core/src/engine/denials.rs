//! Refusals: the numbers that explain them, and that a client that asks again and again is one denial.

use super::{Denial, Engine, Event, EventKind, Output, Write};
use crate::codes::DenialCode;
use crate::ids::LeaseId;
use crate::pool::{Ask, Source};
use crate::time::Ms;
use std::sync::Arc;

/// Denied keys remembered, so that a client that asks again and again is one denial.
const DENIED_KEYS_MAX: usize = 4_096;

impl Engine {
    pub(super) fn deny(
        &mut self,
        now: Ms,
        code: DenialCode,
        (id, key): (LeaseId, Arc<str>),
        ask: &Ask,
        source: Source,
        writes: &mut Vec<Write>,
    ) -> Output {
        let denial = self.denial(now, code, ask, source);
        if self.denied.insert(key.clone(), now).is_none() {
            self.denied_order.push_back(key.clone());
            if self.denied_order.len() > DENIED_KEYS_MAX
                && let Some(oldest) = self.denied_order.pop_front()
            {
                self.denied.remove(&oldest);
            }
            if self.wants.denied(now, id, &denial, ask, source, writes) {
                writes.push(denied_event(now, key, ask, code));
            }
        }
        Output::Denied(Box::new(denial))
    }

    /// A refusal with the numbers that explain it.
    pub(super) fn denial(&self, now: Ms, code: DenialCode, ask: &Ask, source: Source) -> Denial {
        Denial {
            code,
            feature: ask.feature.clone(),
            seats: ask.seats,
            user: ask.user.clone(),
            host: ask.host.clone(),
            capacity: self.pool.capacity_for(ask, source, now),
            free_at: match code {
                DenialCode::NoSeats => self.pool.next_freed_of(&ask.feature),
                DenialCode::Withdrawn => self.bars.of(ask, now).map(|release| release.not_again_until),
                _ => self.no_new(now).filter(|(_, because)| *because == code).map(|(until, _)| until),
            },
            account: self.online.as_ref().map(|online| online.account_seats(&ask.feature)),
            released: self.bars.of(ask, now).filter(|_| code == DenialCode::Withdrawn).cloned(),
            borrow_days_max: None,
            refused_by: self.rules.refuses(&ask.user, &ask.host).filter(|_| code == DenialCode::NotAllowed),
            site_limit: None,
            held: self.pool.unknown_seats(&ask.feature),
        }
    }
}

fn denied_event(at: Ms, key: Arc<str>, ask: &Ask, code: DenialCode) -> Write {
    Write::Event(Box::new(Event {
        at,
        kind: EventKind::Denied,
        seat: None,
        lease: None,
        key,
        feature: ask.feature.clone(),
        seats: ask.seats,
        user: ask.user.clone(),
        host: ask.host.clone(),
        code: Some(code),
        until: None,
    }))
}
