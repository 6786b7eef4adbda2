//! Fewer seats than the document holds: what is out of each license, what must stay, and lines cut to what is kept.

use super::Pool;
use crate::ids::{LicenseId, LineId};
use crate::time::Ms;
use std::collections::BTreeMap;

/// One license of the document, for whoever gives seats of it back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeepView {
    /// Which.
    pub license: LicenseId,
    /// Code of its product.
    pub product: String,
    /// Name of its product. Hostile text.
    pub product_name: String,
    /// Seats that may be used.
    pub held: u32,
    /// Of these, seats that are out and must be kept.
    pub used: u32,
    /// When the last of those is free at the latest that applications hold; `None` if they hold none.
    pub applications_until: Option<Ms>,
    /// Leases of applications on it.
    pub applications: u32,
    /// Passes on it.
    pub passes: u32,
    /// When the last of those is free at the latest that machines have borrowed; `None` if none have.
    pub passes_until: Option<Ms>,
    /// When all of it is free at the latest.
    pub free_at: Option<Ms>,
    /// When the last of its lines ends.
    pub ends_at: Ms,
}

impl Pool {
    /// The licenses of the document, in order of product. Looks at every lease: for an administrator's question.
    pub(crate) fn keeps(&self, now: Ms) -> Vec<KeepView> {
        let mut views: BTreeMap<LicenseId, KeepView> = BTreeMap::new();
        for state in self.lines.values().filter(|state| state.granted) {
            let line = &state.line;
            let view = views.entry(line.license).or_insert_with(|| KeepView {
                license: line.license,
                product: line.product.clone(),
                product_name: line.product_name.clone(),
                held: 0,
                used: 0,
                applications_until: None,
                applications: 0,
                passes: 0,
                passes_until: None,
                free_at: None,
                ends_at: line.until,
            });
            view.held = view.held.saturating_add(line.seats);
            view.used = view.used.saturating_add(state.used_seats());
            view.ends_at = view.ends_at.max(line.until);
        }
        for lease in self.leases() {
            for (line, _) in self.placement(lease).iter() {
                let Some(view) = self.lines.get(line).and_then(|state| views.get_mut(&state.line.license)) else {
                    continue;
                };
                let (count, until) = match lease.pass {
                    Some(_) => (&mut view.passes, &mut view.passes_until),
                    None => (&mut view.applications, &mut view.applications_until),
                };
                *count = count.saturating_add(1);
                *until = (*until).max(Some(lease.freed_at.max(now)));
                view.free_at = view.applications_until.max(view.passes_until);
            }
        }
        let mut views: Vec<KeepView> = views.into_values().collect();
        views.sort_by(|a, b| (&a.product, a.license).cmp(&(&b.product, b.license)));
        views
    }

    /// Seats of each line of the document, so that each license has what is kept of it: on every line what is out, and the
    /// rest where it lasts longest.
    pub(crate) fn kept_by_line(&self, kept: &BTreeMap<LicenseId, u32>) -> BTreeMap<LineId, u32> {
        let mut lines: BTreeMap<LineId, u32> = BTreeMap::new();
        for (license, seats) in kept {
            let mut of: Vec<_> =
                self.lines.values().filter(|state| state.granted && state.line.license == *license).collect();
            of.sort_by_key(|state| (std::cmp::Reverse(state.line.until), state.line.line));
            let used = of.iter().map(|state| state.used_seats()).fold(0, u32::saturating_add);
            let mut rest = seats.saturating_sub(used);
            for state in of {
                let used = state.used_seats();
                let more = rest.min(state.line.seats.saturating_sub(used));
                rest -= more;
                lines.insert(state.line.line, used.saturating_add(more));
            }
        }
        lines
    }

    /// No more than so many seats on each line of the document from now on.
    pub(crate) fn keep_only(&mut self, lines: &BTreeMap<LineId, u32>) {
        for state in self.lines.values_mut().filter(|state| state.granted) {
            let kept = lines.get(&state.line.line).copied().unwrap_or(0);
            state.line.seats = state.line.seats.min(kept);
        }
    }
}
