//! The portal: its own services over an in-line database, and what people do there.

use super::events::{Event, PortalAct, PortalWhat};
use super::outcome::{Law, Violation};
use super::plant::Plant;
use super::server::ForWhom;
use super::simulator::{MEMBER, WRITE_OFFS};
use super::world::{World, tell};
use leasehold_core::giving_up::WRITE_OFF_MS;
use leasehold_core::grant::{CountedLine, IssuedDocument, counted_seats};
use leasehold_core::ids::{GrantId, LicenseId, WorkstationId};
use leasehold_core::license::{Channel, Kind, Scope, Term};
use leasehold_core::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};
use leasehold_db::DbError;
use leasehold_portal::service::activation::{self, Wish};
use leasehold_portal::service::{
    IdempotencyKey, assignments, enable, invitations, licenses, losses, organizations, pins, receipts, sync,
    workstations as desk,
};
use leasehold_portal::store::workstations::Owned;
use leasehold_portal::store::{
    Keyset, documents, licenses as store_licenses, receipts as store_receipts, state, workstations,
};
use leasehold_portal::{Failure, admin};
use leasehold_trust::receipt::read_receipt;
use leasehold_wire::portal::{
    Activated, ChosenLine, DeclareLost, Enable, KeepLicense, KeepSeats, NewLicense, NewMember, WorkstationStatus,
};
use leasehold_wire::time::Time;
use std::collections::{BTreeMap, BTreeSet};

impl World<'_, '_> {
    pub(super) fn sell_licenses(&mut self) {
        for _ in 0..1 + self.below(3) {
            let chosen = self.pick(self.sim.products.len());
            let (product, features) = self.sim.products[chosen].clone();
            self.sold.push(features);
            let seats = 1 + u32::try_from(self.below(6)).unwrap_or(0);
            let wish = NewLicense {
                owner: self.sim.customer,
                product,
                seats,
                kind: Kind::Floating,
                channel: Channel::Commercial,
                term: Term::Subscription { until: self.now().plus(400 * DAY_MS).utc_date() },
                starts_on: None,
                label: String::new(),
                organization: None,
            };
            let license = licenses::create(&self.sim.portal, &self.sim.operator, None, &wish).expect("a license");
            self.truth.bought.insert(license.id, seats);
        }
    }

    /// Somebody is a member of the organization and has a seat of each license.
    pub(super) fn add_member(&mut self) {
        let (portal, operator) = (&self.sim.portal, &self.sim.operator);
        let own = organizations::of_owner(portal, operator, self.sim.customer).expect("the organization");
        let wish = NewMember { email: MEMBER.to_owned(), role: None };
        invitations::invite(portal, operator, own.expect("an organization").id, &wish).expect("a member");
        for license in self.truth.bought.keys() {
            assignments::assign(portal, operator, *license, self.sim.member, 1).expect("a seat");
        }
    }

    /// What somebody chooses for a workstation: seats of some licenses, until some day; or the preset. Mostly what can
    /// be had.
    fn choose(&mut self, server: Option<usize>) -> Option<Vec<ChosenLine>> {
        if self.per_mille(250) {
            return None;
        }
        let workstation = server.and_then(|server| self.servers[server].workstation);
        let modest = self.per_mille(800);
        let terms_ms = [25 * MINUTE_MS, 70 * MINUTE_MS, 4 * HOUR_MS, DAY_MS, 6 * DAY_MS, 8 * DAY_MS, 60 * DAY_MS];
        let bought: Vec<(LicenseId, u32)> = self.truth.bought.iter().map(|(id, seats)| (*id, *seats)).collect();
        let mut lines = Vec::new();
        for (license, bought) in bought {
            let here = workstation.map_or(0, |workstation| self.truth.counted(workstation, license, self.now()));
            let elsewhere = self.truth.counted_everywhere(license, self.now()) - here;
            let most = if modest { bought.saturating_sub(elsewhere) } else { bought };
            let seats = u32::try_from(self.below(u64::from(most) + 1)).unwrap_or(0);
            let until = Time(self.now().plus(terms_ms[self.pick(terms_ms.len())]));
            if seats > 0 {
                lines.push(ChosenLine { license, seats, until });
            }
        }
        Some(lines)
    }

    /// Somebody does something at the portal. It may die before or after it has stored it.
    pub(super) fn at_portal(&mut self, mut act: PortalAct) -> Result<(), Violation> {
        self.sim.portal_clock.set(self.now(), self.at_ms + MINUTE_MS);
        if act.lines.is_none() {
            let server = match &act.what {
                PortalWhat::Activate { server, .. } | PortalWhat::Renew { server } => Some(*server),
                _ => None,
            };
            act.lines = Some(self.choose(server));
        }
        self.count_newest_only();
        let outcome = self.do_at_portal(&act);
        let died = self.sim.portal_db.db.failed().is_some();
        if died {
            self.sim.portal_db.db.restart().expect("an in-line database");
            self.tally.count("portal died at a commit");
        }
        self.learn_documents();
        self.learn_rung();
        if let PortalWhat::Seats = act.what {
            self.learn_seats();
        }
        let issued = self.newly_issued.take();
        match &outcome {
            Ok(done) => {
                tell!(self, "portal: {:?} {:?} -> {done}", act.what, act.lines);
                self.tally.count(done);
            }
            Err(failure) => {
                tell!(self, "portal: {:?} -> died: {died}, {failure:?}", act.what);
                self.tally.count(if died { "portal outcome unknown" } else { "portal refused" });
            }
        }
        // Stored is what counts, whether or not anybody was told.
        self.learn_acknowledged(&act.what, issued);
        self.learn_given_up(&act.what);
        if died {
            let again_ms = self.between(SECOND_MS, MINUTE_MS);
            self.push(again_ms, Event::AtPortal(act));
        }
        self.check_portal()
    }

    fn do_at_portal(&mut self, act: &PortalAct) -> Result<&'static str, Failure> {
        let (portal, operator) = (self.sim.portal.clone(), self.sim.operator.clone());
        let key = IdempotencyKey::new(&act.key)?;
        let lines = act.lines.clone().flatten();
        match &act.what {
            PortalWhat::Activate { server, file, .. } => {
                let account = match self.servers[*server].for_whom {
                    ForWhom::Member => self.sim.member,
                    ForWhom::Organization | ForWhom::Owner => self.sim.customer,
                };
                let wish = Wish { lines, account: Some(account), ..Wish::default() };
                let done = activation::activate(&portal, &operator, Some(&key), file.as_bytes(), &wish)?;
                self.download(*server, &done)?;
                Ok("workstation activated")
            }
            PortalWhat::Enable { server, file, .. } => {
                let (caller, scope) = match self.servers[*server].for_whom {
                    ForWhom::Organization => (&self.sim.customer_caller, Scope::Organization),
                    ForWhom::Owner => (&self.sim.customer_caller, Scope::Person),
                    ForWhom::Member => (&self.sim.member_caller, Scope::Person),
                };
                let wish = Enable { request: file.to_string(), scope, name: None };
                let done = enable::enable(&portal, caller, Some(&key), &wish)?;
                self.servers[*server].workstation = Some(done.workstation.id);
                self.learn_documents();
                self.truth.handed_out(done.workstation.id, done.workstation.newest_rev);
                let file: std::sync::Arc<str> = done.activation_file.into();
                let in_ms = self.between(SECOND_MS, 5 * SECOND_MS);
                if self.healed || self.per_mille(900) {
                    self.push(in_ms, Event::Import { server: *server, file, tries: 0 });
                }
                Ok("server enabled")
            }
            PortalWhat::Assign { member, seats } => {
                let ids: Vec<LicenseId> = self.truth.bought.keys().copied().collect();
                let license = ids[self.pick(ids.len())];
                let to = if *member { self.sim.member } else { self.sim.customer };
                if *seats == 0 {
                    assignments::revoke(&portal, &operator, license, to)?;
                    return Ok("seats taken back");
                }
                assignments::assign(&portal, &operator, license, to, *seats)?;
                Ok("seats assigned")
            }
            PortalWhat::Keep { server, seats, days, auto_renew } => {
                let Some(workstation) = self.servers[*server].workstation else { return Ok("nothing to keep") };
                let ids: Vec<LicenseId> = self.truth.bought.keys().copied().collect();
                let license = ids[self.pick(ids.len())];
                let keep = KeepLicense { license, seats: *seats, days: Some(*days), auto_renew: *auto_renew };
                let wish = KeepSeats { pins_rev: None, preview: false, pins: vec![keep] };
                pins::keep(&portal, &operator, workstation, &wish)?;
                Ok(if *seats > 0 { "seats kept" } else { "kept seats released" })
            }
            PortalWhat::Recall { server } => {
                let Some(workstation) = self.servers[*server].workstation else { return Ok("nothing to recall") };
                let ids: Vec<LicenseId> = self.truth.bought.keys().copied().collect();
                let license = ids[self.pick(ids.len())];
                sync::recall(&portal, &operator, workstation, license, 1)?;
                Ok("seats recalled")
            }
            PortalWhat::Renew { server } => {
                let Some(workstation) = self.servers[*server].workstation else { return Ok("nothing to renew") };
                let done = activation::renew(&portal, &operator, Some(&key), workstation, lines.as_deref())?;
                self.download(*server, &done)?;
                Ok("workstation renewed")
            }
            PortalWhat::Revoke { server } => {
                let Some(workstation) = self.servers[*server].workstation else { return Ok("nothing to revoke") };
                desk::revoke(&portal, &operator, workstation)?;
                Ok("workstation revoked")
            }
            PortalWhat::Receipt { file } => {
                let taken = receipts::take_receipt(&portal, &operator, file.as_bytes())?;
                Ok(if taken.goes_on { "seats given back" } else { "receipt taken" })
            }
            PortalWhat::Lost { server, write_off } => {
                let Some(workstation) = self.servers[*server].workstation else { return Ok("nothing to lose") };
                let wish = DeclareLost { write_off: *write_off };
                let lost = losses::declare_lost(&portal, &operator, workstation, wish)?;
                Ok(if lost.written_off > 0 { "server written off" } else { "server declared lost" })
            }
            PortalWhat::Seats => {
                let ids: Vec<LicenseId> = self.truth.bought.keys().copied().collect();
                let license = ids[self.pick(ids.len())];
                let seats = 1 + u32::try_from(self.below(7)).unwrap_or(0);
                licenses::change_seats(&portal, &operator, license, seats)?;
                Ok("seats changed")
            }
        }
    }

    /// The `.crt` file is downloaded and carried to its server, sometimes twice, sometimes never.
    fn download(&mut self, server: usize, done: &Activated) -> Result<(), Failure> {
        let file = desk::activation_file(&self.sim.portal, &self.sim.operator, done.workstation.id)?;
        self.servers[server].workstation = Some(done.workstation.id);
        self.learn_documents();
        self.truth.handed_out(done.workstation.id, file.rev);
        let file: std::sync::Arc<str> = file.text.into();
        self.files.push((done.workstation.id, file.clone()));
        let times = match self.below(10) {
            0 if !self.healed => 0,
            1 => 2,
            _ => 1,
        };
        for _ in 0..times {
            let in_ms = self.carrying_ms();
            self.push(in_ms, Event::Import { server, file: file.clone(), tries: 0 });
        }
        Ok(())
    }

    /// Reads which documents the portal has stored since somebody looked.
    pub(super) fn learn_documents(&mut self) -> BTreeSet<GrantId> {
        let (now, from) = (self.now(), self.read_to.clone());
        let known = from.clone();
        let read = self.sim.portal_db.db.read(move |tx| {
            let all = Keyset { before: None, limit: 100 };
            let mut found = Vec::new();
            for Owned { row, .. } in workstations::list(tx, &all)? {
                let from = from.get(&row.id).map_or(0, |rev| rev + 1);
                let mut documents = Vec::new();
                if row.newest_rev >= from {
                    documents = documents::alive_from(tx, row.id, from, now)?;
                    // One that holds nothing is none of those.
                    documents.extend(documents::newest(tx, row.id)?);
                }
                found.push((row, documents));
            }
            Ok::<_, DbError>(found)
        });
        let mut stored = BTreeSet::new();
        for (row, documents) in read.expect("documents") {
            self.read_to.insert(row.id, row.newest_rev);
            for document in documents {
                stored.insert(document.id);
                let line = |stored: &documents::StoredLine| CountedLine {
                    license: stored.line.license,
                    seats: stored.line.seats,
                    freed_at: stored.freed_at,
                    pinned: stored.line.terms.pinned,
                };
                let lines = document.lines.iter().map(line).collect();
                let terms = || document.lines.iter().map(|stored| &stored.line.terms);
                let by_sync = terms().all(|terms| terms.recallable || terms.pinned);
                if self.is_traced() && document.rev >= known.get(&row.id).map_or(0, |rev| rev + 1) {
                    let told =
                        |stored: &documents::StoredLine| (stored.line.license, stored.line.seats, stored.line.until);
                    let lines: Vec<_> = document.lines.iter().map(told).collect();
                    self.tell(&format!("the portal has rev {} of {}: {lines:?}", document.rev, row.id));
                }
                if self.truth.issued(row.id, document.id, IssuedDocument { rev: document.rev, lines }, by_sync) {
                    self.newly_issued = Some(row.id);
                }
            }
            if row.status == WorkstationStatus::Released
                && let Some(truth) = self.truth.workstations.get_mut(&row.id)
            {
                truth.acknowledged_rev = u64::MAX;
            }
        }
        stored
    }

    /// Reads how many seats of each license are bought.
    fn learn_seats(&mut self) {
        let all = Keyset { before: None, limit: 100 };
        let read = self.sim.portal_db.db.read(move |tx| leasehold_portal::store::licenses::list(tx, &all));
        for license in read.expect("licenses") {
            self.truth.bought.insert(license.id, license.seats);
        }
    }

    /// A request file that was taken says which document its server obeys.
    fn learn_acknowledged(&mut self, what: &PortalWhat, issued: Option<WorkstationId>) {
        let (
            PortalWhat::Activate { rev: Some(rev), .. } | PortalWhat::Enable { rev: Some(rev), .. },
            Some(workstation),
        ) = (what, issued)
        else {
            return;
        };
        if *rev <= self.truth.newest_rev(workstation)
            && let Some(truth) = self.truth.workstations.get_mut(&workstation)
        {
            truth.acknowledged_rev = truth.acknowledged_rev.max(*rev);
        }
    }

    /// What a receipt or a loss says counts once the portal has stored it.
    fn learn_given_up(&mut self, what: &PortalWhat) {
        match what {
            PortalWhat::Receipt { file } => {
                let read = read_receipt(file.as_bytes()).expect("a receipt");
                let key = self.sim.keys.iter().find(|key| key.thumbprint() == read.key).expect("a known key");
                let facts = read.verify(&key.public()).expect("a good receipt");
                let receipt = facts.receipt;
                let taken = self.sim.portal_db.db.read(move |tx| store_receipts::taken(tx, receipt));
                if let (Some(kept), Some(_)) = (&facts.kept, taken.expect("receipts")) {
                    self.truth.gave_back(facts.workstation, facts.rev_in_use, &kept.seats);
                }
            }
            PortalWhat::Lost { server, .. } => {
                let Some(workstation) = self.servers[*server].workstation else { return };
                let all = self.sim.portal_db.db.read(move |tx| store_receipts::written_off_at(tx, workstation));
                for row in all.expect("write-offs") {
                    self.truth.write_off(workstation, row.license, (row.at, row.seats));
                }
            }
            _ => {}
        }
    }

    /// The portal must count at least what any server may obey, and never issue more than was bought.
    pub(super) fn check_portal(&self) -> Result<(), Violation> {
        let now = self.now();
        let learning_until = self.sim.portal_db.db.read(state::learning_until).expect("the portal's state");
        let learning = now < learning_until;
        for license in self.truth.bought.keys().copied() {
            let claims = self.sim.portal_db.db.read(move |tx| documents::claims(tx, license, now)).expect("claims");
            let mut counted: BTreeMap<WorkstationId, u32> = BTreeMap::new();
            for claim in claims {
                let seats = counted_seats(&claim.documents, claim.acknowledged_rev, license, now);
                counted.insert(claim.workstation, seats);
            }
            for workstation in self.truth.workstations.keys() {
                let obeyable = self.truth.counted(*workstation, license, now);
                let counts = counted.get(workstation).copied().unwrap_or(0);
                // A portal that was set back learns from the servers themselves what they have.
                if counts < obeyable && !learning {
                    let what = format!(
                        "the portal counts {counts} seats of {license} at {workstation}, which may use {obeyable}"
                    );
                    return self.broken(Law::One, what);
                }
            }
            let (all, ceiling) = (self.truth.counted_everywhere(license, now), self.truth.ceiling(license, now));
            let off = move |tx: &mut leasehold_db::Tx<'_>| {
                store_receipts::written_off_since(tx, license, now.plus(-WRITE_OFF_MS))
            };
            let off = self.sim.portal_db.db.read(off).expect("write-offs");
            if off > WRITE_OFFS {
                let what = format!("{off} seats of {license} are written off, {WRITE_OFFS} may be");
                return self.broken(Law::One, what);
            }
            if all > ceiling {
                return self.broken(Law::One, format!("{all} seats of {license} are granted, {ceiling} were bought"));
            }
        }
        Ok(())
    }

    /// [`Plant::CountNewestOnly`]: as if every server had said that it obeys the newest document.
    pub(super) fn count_newest_only(&self) {
        if self.plant != Some(Plant::CountNewestOnly) {
            return;
        }
        let spoiled = self.sim.portal_db.db.write(|tx| {
            for mut owned in workstations::list(tx, &Keyset { before: None, limit: 100 })? {
                owned.row.acknowledged_rev = owned.row.newest_rev;
                workstations::update(tx, &owned.row)?;
            }
            Ok::<_, DbError>(())
        });
        // It may die here as anywhere; then it is spoiled the next time.
        drop(spoiled);
    }

    /// Somebody copies the portal's database.
    pub(super) fn copy_portal(&mut self) {
        self.portal_copy = Some(self.sim.portal_db.db.snapshot().expect("a snapshot"));
    }

    /// Somebody puts the copy back and replays `grants.log`, as `portal restore` does.
    pub(super) fn restore_portal(&mut self) -> Result<(), Violation> {
        let Some(copy) = self.portal_copy.clone() else { return Ok(()) };
        self.sim.portal_clock.set(self.now(), self.at_ms + MINUTE_MS);
        self.sim.portal_db.disarm();
        self.sim.portal_db.db.restore(&copy).expect("the copy");
        let report = admin::replay(&self.sim.portal, &[&self.sim.grants_log()], true).expect("a replayed log");
        if self.plant == Some(Plant::RaiseAfterRestore) {
            let sold: Vec<LicenseId> = self.truth.bought.keys().copied().collect();
            let raise = move |tx: &mut leasehold_db::Tx<'_>| {
                sold.iter().try_for_each(|license| store_licenses::set_raise_while_learning(tx, *license))
            };
            self.sim.portal_db.db.write(raise).expect("the licenses");
        }
        tell!(self, "the portal is set back; {} documents are adopted from grants.log", report.adopted);
        self.tally.count("portal restored");
        self.portal_was_set_back = true;
        self.read_to.clear();
        self.bells.clear();
        let stored = self.learn_documents();
        self.truth.forget_unseen(&stored);
        self.learn_seats();
        self.check_portal()
    }
}
