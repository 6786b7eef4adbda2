//! What a server is to hold, by what it says and what others hold and want; and the document that says so.

use super::{RENEW_PART, REPEAT_EACH_MS, REPEAT_MAX_MS, REPEAT_MS, worth_renewing_ms};
use crate::failure::Failure;
use crate::service::issue::{Desk, WantedLine, lending};
use crate::service::pools::{LicensePools, OnLicense};
use crate::store::bells::{self, Due};
use crate::store::documents::{self, DocumentRow, StoredLine};
use crate::store::licenses::LicenseRow;
use crate::store::pins;
use crate::store::state;
use crate::store::sync::{self, Stated, SyncRow, WantRow};
use crate::store::workstations::{self, Owned, WorkstationRow};
use leasehold_core::grant::{Terms, counted_pinned, counted_seats};
use leasehold_core::ids::{LicenseId, WorkstationId};
use leasehold_core::license::{Kind, Scope};
use leasehold_core::sync::{Part, Pin, PoolShare, Report, SyncRequest, Want, allot};
use leasehold_core::time::{Ms, SECOND_MS};
use leasehold_db::{DbError, Tx};
use std::collections::{BTreeMap, BTreeSet};

/// What a server says, and what it had before.
pub(super) struct Said<'a> {
    pub(super) now: &'a BTreeMap<LicenseId, Report>,
    pub(super) before: BTreeMap<LicenseId, u32>,
    pub(super) draining: bool,
}

impl Said<'_> {
    /// Seats of a license that it gives back with this.
    pub(super) fn given_back(&self, license: LicenseId) -> u32 {
        let kept = self.now.get(&license).map_or(0, |report| report.keep);
        self.before.get(&license).map_or(0, |before| before.saturating_sub(kept))
    }
}

/// Seats of each license that a server had when it made a request, of those that it reports on, where `last` is what it
/// said before.
pub(super) fn held(
    request: &SyncRequest,
    newest: Option<&DocumentRow>,
    last: &BTreeMap<LicenseId, Stated>,
) -> BTreeMap<LicenseId, u32> {
    // What it kept may stand on lines that the newest does not have any more.
    let mut held: BTreeMap<LicenseId, u32> =
        last.iter().map(|(license, stated)| (*license, stated.report.keep)).collect();
    let mut granted: BTreeMap<LicenseId, u32> = BTreeMap::new();
    let newest = newest.filter(|newest| newest.token == request.document);
    let lines = newest.iter().flat_map(|newest| &newest.lines).map(|stored| &stored.line);
    for line in lines.filter(|line| line.terms.recallable) {
        let seats = granted.entry(line.license).or_default();
        *seats = seats.saturating_add(line.seats);
    }
    for (license, seats) in granted {
        let before = held.entry(license).or_default();
        *before = seats.max(*before);
    }
    held
}

/// Seats of a license that a server is to hold.
pub(super) struct Planned {
    license: LicenseRow,
    /// Renewed at each sync.
    seats: u32,
    /// Beside these: how many are kept for use without a portal, until when.
    kept: Option<(u32, Pin)>,
    /// For the workstation's own person.
    assigned: bool,
}

/// What a server is to hold.
pub(super) struct Plan {
    pub(super) lines: Vec<Planned>,
    /// Rows that stay as they are.
    pub(super) unchanged: Vec<StoredLine>,
    pub(super) shares: Vec<PoolShare>,
    /// Licenses that run and of which it may have seats, now or when they come back.
    pub(super) open: usize,
    /// Seats that come for somebody who waits.
    pub(super) taken: BTreeMap<LicenseId, u32>,
    /// Servers that should sync now, to be told of licenses.
    pub(super) rung: Due,
    /// Those that are to be told with their next sync.
    pub(super) noted: Due,
    /// Until when it stays so if nothing happens.
    pub(super) repeat_until: Ms,
}

impl Plan {
    /// Adds what was not looked at: what the `newest` document has of it stays, never more than the server keeps, and it
    /// is told of it what it was told with the `last` sync.
    pub(super) fn keep_others(
        &mut self,
        looked: &BTreeSet<LicenseId>,
        newest: Option<&DocumentRow>,
        said: &BTreeMap<LicenseId, Report>,
        last: &SyncRow,
    ) {
        let lines = newest.iter().flat_map(|newest| &newest.lines);
        for stored in lines.filter(|stored| !looked.contains(&stored.line.license)) {
            let mut stored = stored.clone();
            if stored.line.terms.recallable {
                let keep = said.get(&stored.line.license).map_or(0, |report| report.keep);
                stored.line.seats = stored.line.seats.min(keep);
            }
            if stored.line.seats > 0 {
                self.unchanged.push(stored);
            }
        }
        self.shares.extend(last.pools.iter().filter(|share| !looked.contains(&share.license)).cloned());
        self.shares.sort_by_key(|share| share.license);
        self.repeat_until = self.repeat_until.min(last.repeat_until);
    }
}

/// Decides what a locked workstation holds of locked licenses, given what it says.
pub(super) fn plan(
    tx: &mut Tx<'_>,
    workstation: &WorkstationRow,
    licenses: Vec<LicenseRow>,
    said: &Said<'_>,
    now: Ms,
) -> Result<Plan, Failure> {
    let draining = said.draining;
    let learning_until = state::learning_until(tx)?;
    let heard = sync::heard(tx, workstation.owner)?;
    let servers = i64::try_from(heard.len()).unwrap_or(i64::MAX);
    let repeat_ms = servers.saturating_mul(REPEAT_EACH_MS).clamp(REPEAT_MS, REPEAT_MAX_MS);
    let mut plan = Plan {
        lines: Vec::new(),
        unchanged: Vec::new(),
        shares: Vec::new(),
        open: 0,
        taken: BTreeMap::new(),
        rung: Due::new(),
        noted: Due::new(),
        repeat_until: now.plus(repeat_ms),
    };
    let mut kept_there = pins::of(tx, workstation.id)?;
    for license in licenses {
        let is_open = license.shared().open_to(workstation.scope);
        let term_ms = i64::from(license.product.online_term_s) * SECOND_MS;
        let changes = [Some(license.starts_at), license.term.ends_at()].into_iter().flatten().filter(|at| *at > now);
        let renewed_at = now.plus(term_ms / RENEW_PART);
        plan.repeat_until = changes.chain([renewed_at]).fold(plan.repeat_until, Ms::min);
        let mut pools = LicensePools::load(tx, license, now, learning_until)?;
        if !is_open {
            if pools.running() && pools.license.kind == Kind::Named {
                // Whoever asks for it there is told that it is for named people.
                plan.shares.push(share(&pools.license, (0, 0)));
            }
            continue;
        }
        let part = pools.part_of(workstation.owner, workstation.scope);
        let settled = pools.write_settled(tx)?;
        if !settled.is_empty() {
            plan.rung.extend(pools.due(tx, &settled)?);
        }
        let id = pools.license.id;
        plan.open += usize::from(pools.running());
        let report = said.now.get(&id).copied().unwrap_or_default();
        let given_back = said.given_back(id);
        if given_back > 0 && part != Part::Floating {
            // It floats again.
            plan.rung.extend(pools.due(tx, &[])?);
        }
        let on = OnLicense::load(tx, id, now)?;
        let before = on.wants.get(&workstation.id);
        let pin = kept_there.remove(&id).map(|pin| keep_up(tx, workstation.id, &pools, pin, (draining, now)));
        let pin = pin.transpose()?.flatten();
        plan.repeat_until = pin.map_or(plan.repeat_until, |pin| plan.repeat_until.min(pin.changes_at(now)));
        let pinned = pin.filter(|pin| pin.stands(now)).map_or(0, |pin| pin.seats);
        let missing = pinned.saturating_sub(report.keep.saturating_add(pools.kept_at(workstation.id)));
        let want = want_of(report, missing, before, now).filter(|_| !draining);
        let facts = pools.pool(part, workstation, (report, draining), want, &on, &heard);
        let mut allotment = allot(&facts, workstation.id);
        match want.map(|want| want.served(allotment.served, now)).filter(|left| left.seats > 0) {
            Some(want) => sync::want(tx, id, &WantRow { workstation: workstation.id, want, asked_at: now })?,
            None if before.is_some() => sync::want_nothing(tx, id, workstation.id)?,
            None => {}
        }
        if let Some(asked_back) = on.recalled.get(&workstation.id) {
            let left = asked_back.saturating_sub(given_back);
            sync::set_recalled(tx, id, workstation.id, left)?;
            allotment.recall = allotment.recall.max(left).min(allotment.seats);
        }
        let others = || facts.holders.iter().filter(|holder| holder.workstation != workstation.id);
        let bound = others().map(|holder| if holder.heard { holder.kept } else { holder.counted });
        let bound = bound.fold(0, u32::saturating_add);
        let elsewhere = others().map(|holder| holder.counted).fold(0, u32::saturating_add);
        let share = PoolShare {
            // A restored portal that learns what is out gives none of it.
            free: if pools.learning { 0 } else { allotment.free },
            bound,
            recall: allotment.recall,
            exhausted: allotment.exhausted,
            assigned: workstation.scope == Scope::Person,
            pending: pools.pending_of(part),
            for_people: match part {
                Part::Floating if pools.running() => pools.license.seats.saturating_sub(facts.seats),
                _ => 0,
            },
            ..share(&pools.license, (facts.seats, elsewhere))
        };
        plan.taken.insert(id, allotment.taken);
        plan.rung.extend(allotment.ring.into_iter().map(|server| (server, id)));
        plan.noted.extend(allotment.news.into_iter().map(|server| (server, id)));
        if share.seats > 0 || allotment.seats > 0 || share.pending > 0 {
            plan.shares.push(share);
        }
        if allotment.seats > 0 {
            let pinned = pinned.min(allotment.seats);
            // What was kept is not given as other seats to a server that gives everything back: it would give them back at
            // once, and get them again.
            let gone = if draining { pools.kept_at(workstation.id).min(allotment.seats) } else { 0 };
            plan.lines.push(Planned {
                license: pools.license,
                seats: allotment.seats - pinned.max(gone),
                kept: pin.filter(|_| pinned > 0).map(|pin| (pinned, pin)),
                assigned: workstation.scope == Scope::Person,
            });
        }
    }
    // What was kept of a license that is no longer there for it.
    for license in kept_there.into_iter().filter(|(_, pin)| pin.until <= now).map(|(license, _)| license) {
        pins::remove(tx, workstation.id, license)?;
        pins::raise_rev(tx, workstation.id, now)?;
    }
    plan.rung.retain(|(server, _)| *server != workstation.id);
    Ok(plan)
}

/// What a server is told of a license of which servers can have so many seats, some of them elsewhere.
fn share(license: &LicenseRow, (seats, elsewhere): (u32, u32)) -> PoolShare {
    PoolShare {
        license: license.id,
        product: license.product.code.clone(),
        product_name: license.product.name.clone(),
        kind: license.kind,
        channel: license.channel,
        features: license.product.features.clone(),
        seats,
        elsewhere,
        bound: 0,
        free: 0,
        recall: 0,
        exhausted: false,
        assigned: false,
        pending: 0,
        for_people: 0,
    }
}

/// What is kept of a license at a server, as it stands now; `None` once that is over.
fn keep_up(
    tx: &mut Tx<'_>,
    workstation: WorkstationId,
    pools: &LicensePools,
    pin: Pin,
    (draining, now): (bool, Ms),
) -> Result<Option<Pin>, DbError> {
    let id = pools.license.id;
    let kept = pin.kept_up(pools.license.term.ends_at(), now);
    if draining || !pools.running() || kept.until <= now {
        pins::remove(tx, workstation, id)?;
        pins::raise_rev(tx, workstation, now)?;
        return Ok(None);
    }
    if kept != pin {
        pins::put(tx, workstation, id, kept)?;
    }
    Ok(Some(kept))
}

/// What a server wants by what it says, and what is `missing` of what is to be kept there; it keeps its place if it
/// wanted something `before`.
fn want_of(said: Report, missing: u32, before: Option<&WantRow>, now: Ms) -> Option<Want> {
    let since = before.map_or(now, |before| before.want.since);
    let (seats, waiting) = (said.want.saturating_add(missing), said.waiting.saturating_add(missing));
    Some(Want { seats, waiting, since }).filter(|want| want.seats > 0)
}

impl Desk {
    /// The rows that a plan comes to.
    pub(super) fn planned_lines(
        &self,
        tx: &mut Tx<'_>,
        row: &WorkstationRow,
        plan: &Plan,
        newest: Option<&DocumentRow>,
    ) -> Result<Vec<StoredLine>, Failure> {
        let now = self.stamp.now;
        let wanted = plan.lines.iter().flat_map(|Planned { license, seats, kept, assigned }| {
            let longest = now.plus(i64::from(license.product.online_term_s) * SECOND_MS);
            let until = license.term.ends_at().map_or(longest, |end| end.min(longest)).floor_to_second();
            let terms = lending(
                Terms::by_sync(license.product.share, license.term.maintenance_until(), *assigned),
                &license.product,
            );
            let kept = kept.map(|(seats, pin)| {
                let lines = newest.iter().flat_map(|newest| &newest.lines).map(|stored| &stored.line);
                let mut given = lines.filter(|line| line.license == license.id && line.terms.pinned);
                let given = given.find(|line| line.seats == seats).map(|line| line.until);
                let until = pin.lasts_until(until, given, worth_renewing_ms(until.since(now)));
                WantedLine { license, seats, until, terms: terms.clone().kept() }
            });
            let by_sync = (*seats > 0).then_some(WantedLine { license, seats: *seats, until, terms });
            [by_sync, kept].into_iter().flatten()
        });
        let mut lines = self.lines(tx, row.id, wanted.collect(), newest)?;
        lines.extend(plan.unchanged.iter().cloned());
        lines.sort_by_key(|stored| (stored.line.license, stored.line.terms.pinned));
        Ok(lines)
    }

    /// Issues the first online document of a workstation, which is locked with its licenses.
    pub(in crate::service) fn enable(
        &self,
        tx: &mut Tx<'_>,
        workstation: &mut Owned,
        licenses: Vec<LicenseRow>,
        request: leasehold_core::ids::RequestId,
    ) -> Result<(DocumentRow, BTreeSet<WorkstationId>), Failure> {
        let now = self.stamp.now;
        let from = workstation.row.acknowledged_rev;
        // What it holds by its newest document: older ones may count for more, and what they lost may be somebody else's.
        let (mut counted, _) = documents::counted_of(tx, workstation.row.id, from, now)?;
        let newest = counted.iter().map(|document| document.rev).max();
        counted.retain(|document| Some(document.rev) == newest);
        let report = |license: &LicenseRow| {
            let pinned = counted_pinned(&counted, from, license.id, now);
            let keep = counted_seats(&counted, from, license.id, now).saturating_sub(pinned);
            (license.id, Report { keep, used: keep, ..Report::default() })
        };
        let reports: BTreeMap<LicenseId, Report> = licenses.iter().map(report).collect();
        let before = reports.iter().map(|(license, report)| (*license, report.keep)).collect();
        let said = Said { now: &reports, before, draining: false };
        let plan = plan(tx, &workstation.row, licenses, &said, now)?;
        if plan.open == 0 {
            return Err(Failure::NoLicenses(workstation.row.scope));
        }
        let newest = documents::newest(tx, workstation.row.id)?;
        let lines = self.planned_lines(tx, &workstation.row, &plan, newest.as_ref())?;
        let document = self.document(workstation, lines, Some(request))?;
        // Logged, so that a portal that is restored from an older backup knows of the server at all.
        if !documents::insert(tx, &document, true)? {
            return Err(Failure::Internal("a document number was given twice".to_owned()));
        }
        workstations::update(tx, &workstation.row)?;
        let id = workstation.row.id;
        sync::put(tx, id, &SyncRow { seen_at: now, ..SyncRow::default() })?;
        let stated = reports
            .into_iter()
            .map(|(license, report)| (license, Stated { report, told: 0, running_out: None }))
            .collect();
        let before = sync::stated_by(tx, id)?;
        sync::put_stated(tx, id, &before, &stated)?;
        Ok((document, bells::ring_of(tx, &plan.rung, &plan.noted, now)?))
    }
}
