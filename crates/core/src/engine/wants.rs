//! Who was denied: all tries of one want are one denial, closed with its waiting time when it is served later.
//!
//! Observes only; nothing is decided by it. Tries after the first are written with the next tick, so that somebody who
//! asks every second costs nothing.

use super::{Denial, DenialOutcome, DenialRow, Write};
use crate::ids::{DenialId, LeaseId};
use crate::license::FeatureCode;
use crate::pool::{Ask, Source};
use crate::time::Ms;
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

/// Most that are open at once; beyond it the one that asked longest ago is closed.
const WANTS_MAX: usize = 4_096;

/// Who wants what. Where no names are told, an address stands for them. Another number of seats is another want, and so is
/// what was refused because of how it was to be borrowed.
type Key = (FeatureCode, Arc<str>, Arc<str>, Option<IpAddr>, u32, bool);

#[derive(Debug)]
struct Want {
    row: DenialRow,
    /// Not on disk as it is.
    unwritten: bool,
}

/// Denials that are open.
#[derive(Debug, Default)]
pub(super) struct Wants {
    wants: HashMap<Arc<Key>, Want>,
    by_last: BTreeSet<(Ms, Arc<Key>)>,
}

impl Wants {
    pub(super) fn restore(rows: Vec<DenialRow>) -> Wants {
        let mut wants = Wants::default();
        for row in rows {
            let of = (row.seats, row.code.is_about_borrowing());
            let key = Arc::new(named(&row.feature, (&row.user, &row.host), row.address, of));
            wants.by_last.insert((row.last_at, key.clone()));
            wants.wants.insert(key, Want { row, unwritten: false });
        }
        wants
    }

    /// Somebody was denied; `true` if that is a new denial.
    pub(super) fn denied(
        &mut self,
        now: Ms,
        id: LeaseId,
        denial: &Denial,
        ask: &Ask,
        source: Source,
        writes: &mut Vec<Write>,
    ) -> bool {
        let of = (ask.seats, denial.code.is_about_borrowing());
        let key = Arc::new(named(&ask.feature, (&ask.user, &ask.host), source.address, of));
        if let Some(want) = self.wants.get_mut(&key) {
            self.by_last.remove(&(want.row.last_at, key.clone()));
            self.by_last.insert((now, key));
            let row = &mut want.row;
            (row.last_at, row.tries) = (now, row.tries.saturating_add(1));
            want.unwritten = true;
            if row.code != denial.code {
                // With the numbers that belong to it.
                (row.code, row.capacity, row.version) = (denial.code, denial.capacity, ask.version.clone());
                want.write(writes);
            }
            return false;
        }
        if self.wants.len() >= WANTS_MAX
            && let Some((_, oldest)) = self.by_last.first().cloned()
        {
            self.close(&oldest, DenialOutcome::GivenUp, None, writes);
        }
        let row = DenialRow {
            id: DenialId::of(id),
            feature: ask.feature.clone(),
            seats: ask.seats,
            user: ask.user.clone(),
            host: ask.host.clone(),
            address: source.address,
            version: ask.version.clone(),
            code: denial.code,
            capacity: denial.capacity,
            first_at: now,
            last_at: now,
            tries: 1,
            outcome: DenialOutcome::Open,
            served_at: None,
        };
        let mut want = Want { row, unwritten: true };
        want.write(writes);
        self.by_last.insert((now, key.clone()));
        self.wants.insert(key, want);
        true
    }

    /// Somebody got seats, or borrowed them: what they were denied before is over.
    pub(super) fn served(&mut self, now: Ms, (ask, borrowed): (&Ask, bool), source: Source, writes: &mut Vec<Write>) {
        if self.wants.is_empty() {
            return;
        }
        for about_borrowing in [false, true] {
            if borrowed || !about_borrowing {
                let of = (ask.seats, about_borrowing);
                let key = named(&ask.feature, (&ask.user, &ask.host), source.address, of);
                self.close(&key, DenialOutcome::Served, Some(now), writes);
            }
        }
    }

    /// Closes what nobody asked for again for `want_ms`, and writes what is not on disk.
    pub(super) fn tick(&mut self, now: Ms, want_ms: i64, writes: &mut Vec<Write>) {
        while let Some((_, key)) = self.by_last.first().filter(|(last, _)| now.since(*last) >= want_ms).cloned() {
            self.close(&key, DenialOutcome::GivenUp, None, writes);
        }
        let mut unwritten: Vec<&mut Want> = self.wants.values_mut().filter(|want| want.unwritten).collect();
        unwritten.sort_unstable_by_key(|want| want.row.id);
        unwritten.into_iter().for_each(|want| want.write(writes));
    }

    fn close(&mut self, key: &Key, outcome: DenialOutcome, served_at: Option<Ms>, writes: &mut Vec<Write>) {
        let Some((key, mut want)) = self.wants.remove_entry(key) else { return };
        self.by_last.remove(&(want.row.last_at, key));
        (want.row.outcome, want.row.served_at) = (outcome, served_at);
        want.write(writes);
    }
}

impl Want {
    fn write(&mut self, writes: &mut Vec<Write>) {
        self.unwritten = false;
        writes.push(Write::Denial(Box::new(self.row.clone())));
    }
}

fn named(
    feature: &FeatureCode,
    (user, host): (&Arc<str>, &Arc<str>),
    address: IpAddr,
    (seats, about_borrowing): (u32, bool),
) -> Key {
    let unnamed = user.is_empty() && host.is_empty();
    (feature.clone(), user.clone(), host.clone(), unnamed.then_some(address), seats, about_borrowing)
}
