//! Seats for a machine that goes away: which lines they may stand on, and until when.

use super::{Ask, LineState, LineVerdict, Pass, Placement, Pool, Source};
use crate::codes::DenialCode;
use crate::ids::{LicenseId, LineId};
use crate::license::FeatureCode;
use crate::time::{DAY_MS, Ms};
use crate::times::TimeTable;
use std::collections::BTreeMap;

/// Seats that may be borrowed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Borrowable {
    pub(crate) placement: Placement,
    /// Until when: what was wanted, or when the first of the lines ends.
    pub(crate) until: Ms,
    /// The longest term that its lines allow, in days.
    pub(crate) days_max: u32,
    pub(crate) return_at_end: bool,
}

/// Seats of a line that are free and may be lent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Lendable {
    pub(crate) line: LineId,
    pub(crate) feature: FeatureCode,
    pub(crate) seats: u32,
    /// The longest term, in days.
    pub(crate) days_max: u32,
    /// No pass runs past this.
    pub(crate) ends_at: Ms,
}

/// What is borrowed for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Term {
    pub(crate) now: Ms,
    /// How long is wanted, in milliseconds.
    pub(crate) wanted_ms: i64,
}

impl Term {
    fn until(self) -> Ms {
        self.now.plus(self.wanted_ms).floor_to_second()
    }

    fn is_allowed_by(self, state: &LineState) -> bool {
        !self.is_longer_than(state.line.terms.borrow_days_max)
    }

    /// Whether more than `days` are wanted.
    pub(crate) fn is_longer_than(self, days: u32) -> bool {
        self.wanted_ms > i64::from(days) * DAY_MS
    }
}

impl LineState {
    /// Whether the line is counted at least as long as a pass is.
    pub(super) fn outlives(&self, pass: &Pass, times: &TimeTable) -> bool {
        pass.until <= times.pass_end_max(self.line.until, &self.line.terms)
    }
}

impl Pool {
    /// Finds seats to borrow, all or none: of lines that allow so long a term, those that last longest.
    pub(crate) fn find_borrow(
        &self,
        ask: &Ask,
        source: Source,
        term: Term,
        times: &TimeTable,
    ) -> Result<Borrowable, DenialCode> {
        let now = term.now;
        let serving = |state: &&LineState| state.alive(now) && state.serves(ask, source).is_ok();
        let lines: Vec<(LineId, &LineState)> = self.lines_of(&ask.feature).collect();
        let lines: Vec<_> = lines.into_iter().filter(|(_, state)| serving(state)).collect();
        if lines.is_empty() {
            return Err(self.why_not(ask, source, now));
        }
        let end = |state: &LineState| times.pass_end_max(state.line.until, &state.line.terms).min(term.until());
        let allowing: Vec<_> = lines.iter().filter(|(_, state)| term.is_allowed_by(state)).collect();
        if allowing.is_empty() {
            let lendable = lines.iter().any(|(_, state)| state.line.terms.borrow_days_max > 0);
            return Err(if lendable { DenialCode::BorrowTooLong } else { DenialCode::BorrowDenied });
        }
        // The whole term, or what is worth a way; the end of a term is a whole second.
        let lasts = |state: &LineState| {
            let end = end(state);
            end > now && (end == term.until() || end.since(now) >= times.borrow_min_ms)
        };
        let mut lasting: Vec<_> = allowing.into_iter().filter(|(_, state)| lasts(state)).collect();
        if lasting.is_empty() {
            return Err(DenialCode::BorrowDenied);
        }
        // Stable: of lines that last as long, in the order in which they are taken otherwise.
        lasting.sort_by_key(|(_, state)| std::cmp::Reverse(end(state)));
        let mut found =
            Borrowable { placement: [].into(), until: term.until(), days_max: u32::MAX, return_at_end: false };
        let mut placement = Vec::new();
        let mut wanted = ask.seats;
        let mut taken: BTreeMap<LicenseId, u32> = BTreeMap::new();
        for (id, state) in lasting {
            if wanted == 0 {
                break;
            }
            let taken_before = taken.get(&state.line.license).copied().unwrap_or(0);
            if let LineVerdict::Gives(free) = self.weigh(state, ask, source, taken_before, now) {
                let seats = free.min(wanted);
                placement.push((*id, seats));
                wanted -= seats;
                *taken.entry(state.line.license).or_default() += seats;
                found.until = found.until.min(end(state));
                found.days_max = found.days_max.min(state.line.terms.borrow_days_max);
                found.return_at_end |= state.line.terms.return_at_end;
            }
        }
        found.placement = placement.into();
        if wanted == 0 { Ok(found) } else { Err(DenialCode::NoSeats) }
    }

    /// Everything that is free on lines that allow borrowing, whoever may have it, by line and feature.
    pub(crate) fn lendable(&self, times: &TimeTable) -> Vec<Lendable> {
        let mut all = Vec::new();
        for (id, state) in self.lines.iter().filter(|(_, state)| state.granted) {
            let (line, terms) = (&state.line, &state.line.terms);
            for feature in line.features.keys().filter(|_| terms.borrow_days_max > 0) {
                let seats = line.capacity(feature.as_str()).saturating_sub(state.out(feature));
                if seats > 0 {
                    let (feature, ends_at) = (feature.clone(), times.pass_end_max(line.until, terms));
                    all.push(Lendable { line: *id, feature, seats, days_max: terms.borrow_days_max, ends_at });
                }
            }
        }
        all
    }

    /// When the last pass ends that could be lent now; `None` if none may be.
    pub(crate) fn lendable_until(&self, times: &TimeTable) -> Option<Ms> {
        let lines = self.lines.values().filter(|state| state.granted && state.line.terms.borrow_days_max > 0);
        lines.map(|state| times.pass_end_max(state.line.until, &state.line.terms)).max()
    }

    /// When the last seats are free that may have been lent until an instant, by what the lines allow now; `None` if none
    /// may.
    pub(crate) fn lent_until(&self, lent_at: Ms, times: &TimeTable) -> Option<Ms> {
        let lines = self.lines.values().filter(|state| state.granted && state.line.terms.borrow_days_max > 0);
        let ends = lines.map(|state| {
            let terms = &state.line.terms;
            let longest = lent_at.plus(i64::from(terms.borrow_days_max) * DAY_MS);
            longest.min(times.pass_end_max(state.line.until, terms)).floor_to_second()
        });
        ends.max().map(|until| times.pass_freed_at(until))
    }

    /// How far a pass may run on the lines that it stands on; `None` if they do not allow the term, or are over-full.
    pub(crate) fn extend_borrow(
        &self,
        placement: &Placement,
        ask: &Ask,
        source: Source,
        term: Term,
        times: &TimeTable,
    ) -> Option<Ms> {
        if !self.supports(placement, ask, source, term.now) {
            return None;
        }
        let mut until = term.until();
        for (line, _) in placement.iter() {
            let state = self.lines.get(line).filter(|state| term.is_allowed_by(state))?;
            until = until.min(times.pass_end_max(state.line.until, &state.line.terms));
        }
        Some(until)
    }

    /// The longest term for which seats of a feature may be borrowed by an asker, in days; 0 if none may.
    pub(crate) fn borrow_days_max(&self, ask: &Ask, source: Source, now: Ms) -> u32 {
        let lines = self.lines_of(&ask.feature).map(|(_, state)| state);
        let serving = lines.filter(|state| state.alive(now) && state.serves(ask, source).is_ok());
        serving.map(|state| state.line.terms.borrow_days_max).max().unwrap_or(0)
    }

    /// Of the lines of a placement: each license, how many of its product seats stand there, and how many seats of it may
    /// be written off within a year.
    pub(crate) fn product_seats(&self, ask: &Ask, placement: &Placement) -> Vec<(LicenseId, u32, u32)> {
        let mut licenses: BTreeMap<LicenseId, (u32, u32)> = BTreeMap::new();
        for (line, seats) in placement.iter() {
            let Some(state) = self.lines.get(line) else { continue };
            let per_seat = state.line.features.get(ask.feature.as_str()).copied().unwrap_or(1).max(1);
            let entry = licenses.entry(state.line.license).or_default();
            entry.0 = entry.0.saturating_add(seats.div_ceil(per_seat));
            entry.1 = entry.1.max(state.line.terms.write_offs);
        }
        licenses.into_iter().map(|(license, (seats, write_offs))| (license, seats, write_offs)).collect()
    }
}
