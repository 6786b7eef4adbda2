//! The seats of one license as they stand: what floats, what is assigned to whom, and what servers may be using of each.
//!
//! Loads facts and writes what `core` decided about assignments. Whoever changes anything has the license locked.

use crate::store::assignments::{self, AssignmentRow};
use crate::store::bells::Due;
use crate::store::documents::{self, Claim};
use crate::store::licenses::LicenseRow;
use crate::store::sync::{self, Heard, Stated, WantRow};
use crate::store::workstations::{self, WorkstationRow};
use leasehold_core::activation::LicenseFacts;
use leasehold_core::grant::{counted_pinned, counted_seats};
use leasehold_core::ids::{AccountId, LicenseId, WorkstationId};
use leasehold_core::license::Scope;
use leasehold_core::sync::{
    AssignmentFacts, FRESH_MS, HEARD_MS, Holder, LicenseSeats, Part, PoolFacts, Report, SILENT_MS, Settled, WAIT_MS,
    WANT_MS, Want, settle,
};
use leasehold_core::time::Ms;
use leasehold_db::{DbError, Tx};
use std::collections::{BTreeMap, BTreeSet};

/// The part of a license that a workstation has seats of.
fn part(license: &LicenseRow, assignments: &[AssignmentRow], account: AccountId, scope: Scope) -> Part {
    license.shared().part(account, scope, assignments.iter().any(|row| row.account.id == account))
}

/// One workstation that counts for a license.
#[derive(Clone, Debug)]
pub(super) struct Counted {
    pub(super) workstation: WorkstationId,
    pub(super) part: Part,
    pub(super) seats: u32,
    /// Seats of these that are kept for use without a portal.
    pub(super) kept: u32,
    /// Seats of these that its newest document does not have: it knows that they are to come back.
    taken_back: u32,
}

/// What servers and administrators said of a license.
pub(super) struct OnLicense {
    /// What servers want.
    pub(super) wants: BTreeMap<WorkstationId, WantRow>,
    /// What an administrator asked back, and is still to come.
    pub(super) recalled: BTreeMap<WorkstationId, u32>,
    stated: BTreeMap<WorkstationId, Stated>,
}

impl OnLicense {
    /// Reads it as of `now`.
    pub(super) fn load(tx: &mut Tx<'_>, license: LicenseId, now: Ms) -> Result<OnLicense, DbError> {
        let wants = sync::wants(tx, license, now.plus(-WANT_MS))?;
        Ok(OnLicense {
            wants: wants.into_iter().map(|row| (row.workstation, row)).collect(),
            recalled: sync::recalled(tx, license, now)?,
            stated: sync::stated_on(tx, license)?,
        })
    }
}

/// A license with all that counts for it.
#[derive(Clone, Debug)]
pub(super) struct LicensePools {
    pub(super) license: LicenseRow,
    pub(super) claims: Vec<Claim>,
    pub(super) counted: Vec<Counted>,
    pub(super) assignments: Vec<AssignmentRow>,
    pub(super) settled: Settled,
    /// Nobody gets more than they have.
    pub(super) learning: bool,
    now: Ms,
}

impl LicensePools {
    /// Reads it as of `now`. `learning_until` is the portal's.
    pub(super) fn load(
        tx: &mut Tx<'_>,
        license: LicenseRow,
        now: Ms,
        learning_until: Ms,
    ) -> Result<LicensePools, DbError> {
        let claims = documents::claims(tx, license.id, now)?;
        let assignments = assignments::of_license(tx, license.id)?;
        let mut counted: Vec<Counted> = claims
            .iter()
            .map(|claim| {
                let seats = counted_seats(&claim.documents, claim.acknowledged_rev, license.id, now);
                Counted {
                    workstation: claim.workstation,
                    part: part(&license, &assignments, claim.owner, claim.scope),
                    seats,
                    kept: counted_pinned(&claim.documents, claim.acknowledged_rev, license.id, now).min(seats),
                    taken_back: seats.saturating_sub(counted_seats(
                        &claim.documents,
                        claim.newest_rev,
                        license.id,
                        now,
                    )),
                }
            })
            .collect();
        counted.sort_by_key(|one| one.workstation);
        let learning = now < learning_until && !license.raise_while_learning;
        let mut pools = LicensePools {
            settled: Settled { active: Vec::new(), floating: 0, pending: 0 },
            license,
            claims,
            counted,
            assignments,
            learning,
            now,
        };
        pools.settle();
        Ok(pools)
    }

    /// Decides anew which assignments are in effect.
    pub(super) fn settle(&mut self) {
        let mut facts: Vec<AssignmentFacts> = self
            .assignments
            .iter()
            .map(|row| AssignmentFacts {
                account: row.account.id,
                target: row.target,
                active: row.active,
                counted: self.counted_in(Part::Of(row.account.id)),
            })
            .collect();
        // Servers of people from whom seats were taken back, and who have yet to give them back.
        let others: BTreeSet<AccountId> = self
            .counted
            .iter()
            .filter_map(|counted| match counted.part {
                Part::Of(account) => Some(account),
                Part::Floating => None,
            })
            .filter(|account| facts.iter().all(|fact| fact.account != *account))
            .collect();
        for account in others {
            let counted = self.counted_in(Part::Of(account));
            facts.push(AssignmentFacts { account, target: 0, active: 0, counted });
        }
        if self.learning {
            // What is in effect stays; nothing more is.
            for fact in &mut facts {
                fact.target = fact.target.min(fact.active);
            }
        }
        let mut settled = settle(&LicenseSeats {
            seats: if self.running() { self.license.seats } else { 0 },
            floating_counted: self.counted_in(Part::Floating),
            assignments: facts,
        });
        settled.active.truncate(self.assignments.len());
        self.settled = settled;
    }

    /// Writes which assignments are in effect; answers the accounts for which that changed.
    pub(super) fn write_settled(&mut self, tx: &mut Tx<'_>) -> Result<Vec<AccountId>, DbError> {
        let mut changed = Vec::new();
        for (row, active) in self.assignments.iter_mut().zip(&self.settled.active) {
            if row.active != *active {
                row.active = *active;
                assignments::set_active(tx, self.license.id, row.account.id, *active)?;
                changed.push(row.account.id);
            }
        }
        Ok(changed)
    }

    /// Whether the license has begun and has not ended.
    pub(super) fn running(&self) -> bool {
        self.facts(None).running(self.now)
    }

    /// The part that a workstation has seats of.
    pub(super) fn part_of(&self, account: AccountId, scope: Scope) -> Part {
        part(&self.license, &self.assignments, account, scope)
    }

    /// Seats that servers may be using of a part.
    pub(super) fn counted_in(&self, part: Part) -> u32 {
        self.counted
            .iter()
            .filter(|counted| counted.part == part)
            .map(|counted| counted.seats)
            .fold(0, u32::saturating_add)
    }

    /// Seats that servers may be using of all parts.
    pub(super) fn counted(&self) -> u32 {
        self.counted.iter().map(|counted| counted.seats).fold(0, u32::saturating_add)
    }

    /// Seats of a part that its servers may have together, and how many of these are kept for assignments.
    pub(super) fn seats_of(&self, part: Part) -> (u32, u32) {
        match part {
            Part::Floating => (self.settled.floating, self.settled.pending.min(self.settled.floating)),
            Part::Of(account) => {
                let mine = self.assignments.iter().zip(&self.settled.active);
                let usable = mine.filter(|(row, _)| row.account.id == account && row.usable);
                let active = usable.map(|(_, active)| *active);
                (active.fold(0, u32::saturating_add), 0)
            }
        }
    }

    /// Seats that are assigned to the account whose part this is, and have yet to be in effect.
    pub(super) fn pending_of(&self, part: Part) -> u32 {
        let mine = |row: &AssignmentRow| self.running() && row.usable && part == Part::Of(row.account.id);
        let rows = self.assignments.iter().zip(&self.settled.active).filter(|(row, _)| mine(row));
        rows.map(|(row, active)| row.target.saturating_sub(*active)).fold(0, u32::saturating_add)
    }

    /// What a workstation counts for: one for each, in their order.
    fn counted_for(&self, workstation: WorkstationId) -> Option<&Counted> {
        let found = self.counted.binary_search_by_key(&workstation, |one| one.workstation);
        found.ok().and_then(|at| self.counted.get(at))
    }

    /// Seats that a workstation may be using on what is kept there for use without a portal.
    pub(super) fn kept_at(&self, workstation: WorkstationId) -> u32 {
        self.counted_for(workstation).map_or(0, |one| one.kept)
    }

    /// What deciding about a file for `workstation` needs to know.
    pub(super) fn facts(&self, workstation: Option<WorkstationId>) -> LicenseFacts {
        let floating = self.counted_in(Part::Floating);
        let mine = self.counted.iter().filter(|one| one.part == Part::Floating && Some(one.workstation) == workstation);
        let here = mine.map(|counted| counted.seats).fold(0, u32::saturating_add);
        let (seats, reserved) = self.seats_of(Part::Floating);
        let free = seats.saturating_sub(reserved);
        LicenseFacts {
            license: self.license.id,
            seats: if self.learning { free.min(floating) } else { free },
            kind: self.license.kind,
            term: self.license.term,
            starts_at: self.license.starts_at,
            ended_at: self.license.ended_at,
            counted_elsewhere: floating - here,
            counted_here: here,
            newest_here: 0,
            gave_back: false,
        }
    }

    /// What deciding about the sync of `asker` needs to know; `said` is what it says now, `want` what it wants.
    pub(super) fn pool(
        &self,
        part: Part,
        asker: &WorkstationRow,
        (said, draining): (Report, bool),
        want: Option<Want>,
        on: &OnLicense,
        heard: &[Heard],
    ) -> PoolFacts {
        let (seats, reserved) = self.seats_of(part);
        let recalled = &on.recalled;
        let want_of = |workstation: WorkstationId| {
            let row = on.wants.get(&workstation)?;
            // A checkout does not wait for longer, and nobody says that it has gone.
            let waits = self.now.since(row.asked_at) < WAIT_MS;
            Some(Want { waiting: if waits { row.want.waiting } else { 0 }, ..row.want })
        };
        let counted_at = |workstation: WorkstationId| self.counted_for(workstation).map_or(0, |one| one.seats);
        let kept_at = |workstation: WorkstationId| self.kept_at(workstation);
        // What is kept for use without a portal is in no report: it is used, whether or not anybody works on it.
        let with_kept = |report: Report, kept: u32| Report {
            keep: report.keep.saturating_add(kept),
            used: report.used.saturating_add(kept),
            peak: report.peak.saturating_add(kept),
            ..report
        };
        let kept = kept_at(asker.id);
        let said = with_kept(said, kept);
        let mut holders = vec![Holder {
            workstation: asker.id,
            // Never more than it was granted: what it still counts on lines that have ended is nobody's any more.
            counted: said.keep.min(counted_at(asker.id)),
            kept,
            report: said,
            want,
            told: 0,
            takes: !draining,
            heard: true,
            fresh: true,
            held_back: recalled.contains_key(&asker.id),
        }];
        let parts = [Scope::Organization, Scope::Person].map(|scope| (scope, self.part_of(asker.owner, scope)));
        // Who cannot have seats of it has no share of what lies idle.
        let open = self.license.shared();
        let shares = |heard: &&Heard| open.open_to(heard.scope) && parts.contains(&(heard.scope, part));
        for heard in heard.iter().filter(|heard| heard.workstation != asker.id).filter(shares) {
            let stated = on.stated.get(&heard.workstation).copied().unwrap_or_default();
            holders.push(Holder {
                workstation: heard.workstation,
                counted: counted_at(heard.workstation),
                kept: kept_at(heard.workstation),
                report: with_kept(stated.report, kept_at(heard.workstation)),
                want: want_of(heard.workstation),
                told: stated.told.saturating_add(self.counted_for(heard.workstation).map_or(0, |one| one.taken_back)),
                takes: !heard.draining && self.now.since(heard.seen_at) < SILENT_MS,
                heard: self.now.since(heard.seen_at) < HEARD_MS,
                fresh: self.now.since(heard.seen_at) < FRESH_MS,
                held_back: recalled.contains_key(&heard.workstation),
            });
        }
        // Those that do not sync: nothing can be asked of them, and all that they may be using is used.
        let syncing: BTreeSet<WorkstationId> = holders.iter().map(|holder| holder.workstation).collect();
        for counted in self.counted.iter().filter(|counted| counted.part == part) {
            if !syncing.contains(&counted.workstation) {
                let report = Report { used: counted.seats, ..Report::default() };
                let (workstation, kept, counted) = (counted.workstation, counted.kept, counted.seats);
                holders.push(Holder {
                    workstation,
                    counted,
                    kept,
                    report,
                    want: None,
                    told: 0,
                    takes: false,
                    heard: false,
                    fresh: false,
                    held_back: false,
                });
            }
        }
        PoolFacts { seats, reserved, holders, raising: !self.learning }
    }

    /// The online servers whose pool may look different now, and are to be told.
    pub(super) fn due(&self, tx: &mut Tx<'_>, accounts: &[AccountId]) -> Result<Due, DbError> {
        let owner = self.license.owner.id;
        let mut servers = workstations::online_of(tx, owner, Scope::Organization)?;
        servers.extend(workstations::online_of(tx, owner, Scope::Person)?);
        for account in accounts {
            servers.extend(workstations::online_of(tx, *account, Scope::Person)?);
        }
        Ok(servers.into_iter().map(|server| (server, self.license.id)).collect())
    }
}
