//! Issuing a document: the part that activating and renewing have in common, inside their transaction.
//!
//! Here the first law holds between portal and servers: the licenses are locked first, in one order everywhere, then
//! everything that any workstation may obey is counted, then `core` judges, then the document is written.

use super::pools::LicensePools;
use super::{Caller, workstations};
use crate::Portal;
use crate::failure::Failure;
use crate::store::audit::Stamp;
use crate::store::documents::{self, DocumentRow, StoredLine};
use crate::store::licenses::{self, LicenseRow};
use crate::store::pins;
use crate::store::receipts;
use crate::store::state;
use crate::store::workstations::Owned;
use leasehold_core::activation::{Choice, LicenseFacts, Refusal, admit, preset};
use leasehold_core::grant::{Grant, Line, Terms};
use leasehold_core::ids::{AccountId, GrantId, LicenseId, LineId, RequestId, WorkstationId};
use leasehold_core::license::{Mode, Scope};
use leasehold_core::random::{self, Seeded};
use leasehold_core::time::Ms;
use leasehold_core::times::TimeTable;
use leasehold_db::{DbError, Tx};
use leasehold_trust::PortalSigner;
use leasehold_trust::activation_file::build_activation_file;
use leasehold_wire::portal::Product;
use leasehold_wire::portal::{Activated, ChosenLine};
use leasehold_wire::time::Time;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What issuing needs, drawn before the transaction: the closure may run more than once.
#[derive(Clone)]
pub(super) struct Desk {
    pub(super) signer: Arc<PortalSigner>,
    pub(super) times: TimeTable,
    pub(super) stamp: Stamp,
    document: GrantId,
    /// Names new lines; ids, not secrets.
    line_seed: u64,
}

/// What a workstation is to hold: chosen, or all that nobody else may be using.
pub(super) type Choices = Option<Vec<Choice>>;

/// A row of a document that is to be issued.
pub(super) struct WantedLine<'a> {
    pub(super) license: &'a LicenseRow,
    pub(super) seats: u32,
    pub(super) until: Ms,
    pub(super) terms: Terms,
}

/// Why a document is issued.
#[derive(Clone, Copy)]
pub(super) enum Occasion {
    /// The first one, in answer to a request file.
    New(RequestId),
    /// In answer to a new request file of a workstation that is known.
    Asked(RequestId),
    /// Without a request file.
    Renewed,
}

impl Occasion {
    fn is_renewal(self) -> bool {
        !matches!(self, Occasion::New(_))
    }

    fn request(self) -> Option<RequestId> {
        match self {
            Occasion::New(request) | Occasion::Asked(request) => Some(request),
            Occasion::Renewed => None,
        }
    }
}

/// The choices as `core` takes them.
pub(super) fn choices(lines: Option<&[ChosenLine]>) -> Choices {
    let choice = |line: &ChosenLine| Choice { license: line.license, seats: line.seats, until: line.until.0 };
    lines.map(|lines| lines.iter().map(choice).collect())
}

/// The facts of `licenses` as seen by `workstation`; `None` is a new one.
pub(super) fn load_facts(
    tx: &mut Tx<'_>,
    licenses: &[LicenseRow],
    workstation: Option<WorkstationId>,
    now: Ms,
) -> Result<Vec<LicenseFacts>, DbError> {
    let newest = workstation.map(|workstation| documents::newest(tx, workstation)).transpose()?.flatten();
    let counts = match &newest {
        Some(newest) => documents::counted_rows(tx, newest.id)?,
        None => BTreeMap::new(),
    };
    let held = |license: LicenseId| {
        let lines = newest.iter().flat_map(|document| &document.lines);
        lines.filter(|stored| stored.line.license == license).fold(0, |sum: u32, stored| {
            let line = &stored.line;
            sum.saturating_add(counts.get(&line.line).map_or(line.seats, |counts| line.seats.min(*counts)))
        })
    };
    let gave_back = match workstation {
        Some(workstation) => receipts::newest_kept(tx, workstation)?.is_some(),
        None => false,
    };
    let learning_until = state::learning_until(tx)?;
    let mut all = Vec::new();
    for row in licenses {
        let pools = LicensePools::load(tx, row.clone(), now, learning_until)?;
        all.push(LicenseFacts { newest_here: held(row.id), gave_back, ..pools.facts(workstation) });
    }
    if all.iter().all(|fact| fact.newest_here == 0) {
        // All was given back: it begins anew.
        all.iter_mut().for_each(|fact| fact.gave_back = false);
    }
    Ok(all)
}

impl Desk {
    pub(super) fn new(portal: &Portal, caller: &Caller) -> Result<Desk, Failure> {
        if !portal.clock_fits() {
            return Err(Failure::ClockOff);
        }
        let stamp = portal.stamp(caller);
        let (document, line_seed) =
            portal.draw(|random| (GrantId::draw(stamp.now, random), u64::from_le_bytes(random::bytes(random))));
        Ok(Desk { signer: Arc::clone(portal.signer()), times: *portal.times(), stamp, document, line_seed })
    }

    /// Locks the licenses of `owner` for a workstation with that scope that are wanted (all without a choice), in the order
    /// of their ids, and reads them.
    pub(super) fn lock_licenses(
        &self,
        tx: &mut Tx<'_>,
        owner: AccountId,
        scope: Scope,
        choices: &Choices,
    ) -> Result<Vec<LicenseRow>, DbError> {
        let wanted =
            |id: &LicenseId| choices.as_ref().is_none_or(|chosen| chosen.iter().any(|choice| choice.license == *id));
        let ids: Vec<LicenseId> = licenses::ids_for(tx, owner, scope)?.into_iter().filter(wanted).collect();
        for id in &ids {
            licenses::lock(tx, *id)?;
        }
        let mut rows = Vec::new();
        for id in ids {
            rows.extend(licenses::get(tx, id)?);
        }
        Ok(rows)
    }

    /// Issues the next document of a locked workstation over locked licenses, and answers what it holds now.
    pub(super) fn issue(
        &self,
        tx: &mut Tx<'_>,
        workstation: &mut Owned,
        licenses: &[LicenseRow],
        choices: &Choices,
        occasion: Occasion,
    ) -> Result<Activated, Failure> {
        let renewed = occasion.is_renewal();
        let now = self.stamp.now;
        let facts = load_facts(tx, licenses, Some(workstation.row.id), now)?;
        let wanted = match choices {
            Some(chosen) => chosen.clone(),
            None => preset(&facts, now, &self.times),
        };
        let admitted = admit(&facts, &wanted, now, &self.times).map_err(|refusal| refused(refusal, licenses))?;
        // Giving everything back is a choice; getting nothing is not what anybody who activates wants.
        if admitted.is_empty() && (!renewed || choices.is_none()) {
            return Err(Failure::NothingToGive);
        }
        workstation.row.mode = Mode::File;
        pins::clear(tx, workstation.row.id, now)?;
        let lines = self.admitted_lines(tx, workstation.row.id, licenses, &admitted)?;
        let document = self.document(workstation, lines, occasion.request())?;
        // No sync will ever report a document that is carried by file, so each is also kept in `grants.log`: nothing else
        // would tell a portal that was restored from backup that it is out.
        if !documents::insert(tx, &document, true)? {
            return Err(Failure::Internal("a document number was given twice".to_owned()));
        }
        crate::store::workstations::update(tx, &workstation.row)?;
        let seats = document.lines.iter().fold(0_u32, |sum, stored| sum.saturating_add(stored.line.seats));
        let free_at = document.lines.iter().map(|stored| Time(stored.freed_at)).max();
        let view = workstations::view(tx, workstation, now)?;
        Ok(Activated { workstation: view, renewed, rev: document.rev, seats, free_at })
    }

    fn admitted_lines(
        &self,
        tx: &mut Tx<'_>,
        workstation: WorkstationId,
        licenses: &[LicenseRow],
        admitted: &[Choice],
    ) -> Result<Vec<StoredLine>, Failure> {
        let mut wanted = Vec::new();
        for choice in admitted {
            let license = licenses
                .iter()
                .find(|row| row.id == choice.license)
                .ok_or_else(|| Failure::Internal("a license was admitted that was not offered".to_owned()))?;
            let terms =
                lending(Terms::by_file(license.product.share, license.term.maintenance_until()), &license.product);
            wanted.push(WantedLine { license, seats: choice.seats, until: choice.until, terms });
        }
        let newest = documents::newest(tx, workstation)?;
        self.lines(tx, workstation, wanted, newest.as_ref())
    }

    /// The rows of a document that follows `newest`. A row keeps its name as long as the workstation holds seats of its
    /// license.
    pub(super) fn lines(
        &self,
        tx: &mut Tx<'_>,
        workstation: WorkstationId,
        wanted: Vec<WantedLine<'_>>,
        newest: Option<&DocumentRow>,
    ) -> Result<Vec<StoredLine>, Failure> {
        let mut random = Seeded::new(self.line_seed);
        let named = |license: LicenseId, pinned: bool| {
            let lines = newest.iter().flat_map(|document| &document.lines).map(|stored| &stored.line);
            let mut lines = lines.filter(|line| line.license == license && line.terms.pinned == pinned);
            lines.next().map(|line| line.line)
        };
        let mut lines = Vec::new();
        for WantedLine { license, seats, until, terms } in wanted {
            let new = LineId::draw(self.stamp.now, &mut random);
            let name = match named(license.id, terms.pinned) {
                Some(name) => Some(name),
                None => documents::line_id(tx, workstation, license.id, terms.pinned)?,
            };
            let line = Line {
                line: name.unwrap_or(new),
                license: license.id,
                product: license.product.code.clone(),
                product_name: license.product.name.clone(),
                kind: license.kind,
                channel: license.channel,
                features: license.product.features.clone(),
                seats,
                until,
                terms,
            };
            let freed_at = self.times.line_freed_at(line.until, &line.terms);
            lines.push(StoredLine { line, freed_at });
        }
        Ok(lines)
    }

    /// Signs the next document of a workstation; it is not stored yet.
    pub(super) fn document(
        &self,
        workstation: &mut Owned,
        lines: Vec<StoredLine>,
        request: Option<RequestId>,
    ) -> Result<DocumentRow, Failure> {
        let row = &mut workstation.row;
        row.newest_rev = row.newest_rev.max(row.rev_floor) + 1;
        let grant = Grant {
            workstation: row.id,
            workstation_name: row.name.clone(),
            account_name: workstation.owner.name.clone(),
            rev: row.newest_rev,
            issued_at: self.stamp.now.floor_to_second(),
            request,
            machine: row.machine.clone(),
            online: row.mode == Mode::Online,
            lines: lines.iter().map(|stored| stored.line.clone()).collect(),
        };
        let key = row.key_thumbprint.parse().map_err(|why| Failure::Internal(format!("a stored thumbprint: {why}")))?;
        let token = self.signer.sign_grant(&grant, &key, self.document);
        build_activation_file(&self.signer, &row.certificate, &token)
            .map_err(|too_many| Failure::TooManyLines(too_many.to_string()))?;
        Ok(DocumentRow {
            id: self.document,
            workstation: row.id,
            rev: grant.rev,
            token,
            issued_at: self.stamp.now,
            ends_at: grant.ends_at(),
            lines,
        })
    }
}

fn refused(refusal: Refusal, licenses: &[LicenseRow]) -> Failure {
    let of = match refusal {
        Refusal::UnknownLicense(id) | Refusal::Twice(id) | Refusal::NotRunning(id) | Refusal::Named(id) => id,
        Refusal::TooMany { license, .. } | Refusal::BadEnd { license, .. } => license,
    };
    let row = licenses.iter().find(|row| row.id == of);
    let license = row.map(LicenseRow::called);
    Failure::Refused { refusal, license: license.unwrap_or_default() }
}

/// The terms of a line with what its product says about borrowing.
pub(super) fn lending(terms: Terms, product: &Product) -> Terms {
    Terms {
        borrow_days_max: product.borrow_days_max,
        return_at_end: product.return_at_end,
        write_offs: product.write_offs,
        ..terms
    }
}
