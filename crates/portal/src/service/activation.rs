//! Activating a license server by its request file, and renewing it with or without a new one.

use super::idempotency::Once;
use super::issue::{Choices, Desk, Occasion, choices, load_facts};
use super::{Caller, IdempotencyKey, allow, allow_at, sync, workstations as views};
use crate::Portal;
use crate::failure::Failure;
use crate::store::licenses::LicenseRow;
use crate::store::workstations::{self, Owned, WorkstationRow};
use crate::store::{accounts, audit, bells, documents, licenses, organizations, state};
use leasehold_core::access::PortalAction;
use leasehold_core::activation::{LicenseFacts, preset};
use leasehold_core::ids::{AccountId, WorkstationId};
use leasehold_core::license::{Kind, Mode, Scope};
use leasehold_core::time::Ms;
use leasehold_core::times::TimeTable;
use leasehold_core::{random, text};
use leasehold_db::Tx;
use leasehold_trust::request::{ActivationRequest, RequestFacts, read_request};
use leasehold_trust::secret::sha256_hex;
use leasehold_trust::{FileKind, FileProblem};
use leasehold_wire::portal::{AccountRef, Activated, ChosenLine, Inspection, Offer, WorkstationStatus};
use leasehold_wire::time::Time;
use serde_json::json;
use std::collections::BTreeSet;

/// Numbers above this that a server says it has are not believed: there must always be a next one.
const REV_MAX: u64 = 1 << 40;

/// What somebody wants who uploads a request file.
#[derive(Clone, Default, Debug)]
pub struct Wish {
    /// Name of the workstation; a renewal without it keeps the name it has, a new one takes the host's.
    pub name: Option<String>,
    /// What it is to hold, whole; the preset without it.
    pub lines: Option<Vec<ChosenLine>>,
    /// For whom, if not for the caller.
    pub account: Option<AccountId>,
    /// The workstation that is meant to be renewed.
    pub workstation: Option<WorkstationId>,
    /// For whom it is to work; as before if it is known, else for the organization if there is one.
    pub scope: Option<Scope>,
}

/// Reads a request file and checks that it is meant for this vendor.
pub(super) fn read(portal: &Portal, file: &[u8]) -> Result<ActivationRequest, Failure> {
    let request = read_request(file, portal.now())?;
    match &request.facts.vendor {
        Some(root) if *root != portal.root().thumbprint() => {
            Err(Failure::OtherVendor { ours: portal.vendor().to_owned() })
        }
        _ => Ok(request),
    }
}

/// Whether the workstation that has the request's key may be renewed by it.
fn check_known(tx: &mut Tx<'_>, known: &Owned, owner: AccountId, facts: &RequestFacts) -> Result<(), Failure> {
    let row = &known.row;
    if row.owner != owner {
        return Err(Failure::KeyElsewhere);
    }
    if row.status != WorkstationStatus::Active {
        return Err(Failure::NotActive { workstation: row.id, name: row.name.clone(), status: row.status });
    }
    if let Some((_, used_at)) = workstations::request_used(tx, facts.request)? {
        return Err(replayed(used_at, row));
    }
    if facts.issued_at < row.requested_at {
        return Err(Failure::RequestOlder { made_at: facts.issued_at, newest_at: row.requested_at });
    }
    Ok(())
}

fn replayed(used_at: Ms, row: &WorkstationRow) -> Failure {
    Failure::File(FileProblem::Replayed { file: FileKind::Request, used_at, workstation: row.name.clone() })
}

/// Whether the file comes from the workstation that was chosen.
fn check_chosen(
    tx: &mut Tx<'_>,
    chosen: Option<WorkstationId>,
    known: Option<&Owned>,
    owner: AccountId,
    facts: &RequestFacts,
) -> Result<(), Failure> {
    let Some(chosen) = chosen else { return Ok(()) };
    let target = workstations::get(tx, chosen)?.filter(|target| target.row.owner == owner).ok_or(Failure::NotFound)?;
    if known.is_some_and(|known| known.row.id == chosen) {
        return Ok(());
    }
    Err(Failure::OtherWorkstation { chosen: target.row.name, file_host: facts.host_name.clone() })
}

/// For whom a workstation of `owner` is to work that is served by file.
fn scope_of(
    tx: &mut Tx<'_>,
    caller: &Caller,
    owner: AccountId,
    known: Option<&Owned>,
    wish: Option<Scope>,
) -> Result<Scope, Failure> {
    let scope = match (wish, known) {
        (Some(wish), _) => wish,
        (None, Some(known)) => known.row.scope,
        (None, None) if organizations::id_of(tx, owner)?.is_some() => Scope::Organization,
        (None, None) => Scope::Person,
    };
    if scope == Scope::Person && caller.sees_shared_only(owner) {
        return Err(Failure::invalid("scope", "must be `organization`: its owner's own license servers are theirs"));
    }
    sync::check_scope(tx, owner, scope)?;
    Ok(scope)
}

/// Says what a request file is and what could be given for it. Changes nothing. Of the wish it looks for whom and what
/// it is.
pub fn inspect(portal: &Portal, caller: &Caller, file: &[u8], wish: &Wish) -> Result<Inspection, Failure> {
    let owner = caller.on_behalf_of(wish.account)?;
    allow(caller, PortalAction::ManageWorkstation, Some(owner))?;
    let request = read(portal, file)?;
    let (now, times) = (portal.now(), *portal.times());
    let (caller, workstation, scope) = (caller.clone(), wish.workstation, wish.scope);
    portal.db().read(move |tx| {
        accounts::get(tx, owner)?.ok_or(Failure::NotFound)?;
        let known = workstations::by_key(tx, request.thumbprint.as_str())?;
        check_chosen(tx, workstation, known.as_ref(), owner, &request.facts)?;
        if let Some(known) = &known {
            check_known(tx, known, owner, &request.facts)?;
        }
        let scope = scope_of(tx, &caller, owner, known.as_ref(), scope)?;
        let mut rows = Vec::new();
        for id in licenses::ids_for(tx, owner, scope)? {
            rows.extend(licenses::get(tx, id)?);
        }
        let facts = load_facts(tx, &rows, known.as_ref().map(|known| known.row.id), now)?;
        let offer = |(row, fact): (&LicenseRow, &LicenseFacts)| offer(row, fact, now, &times);
        let offers: Vec<Offer> = rows.iter().zip(&facts).filter_map(offer).collect();
        let renews = known.as_ref().map(|known| views::view(tx, known, now)).transpose()?;
        let taken = offers.iter().filter(|offer| offer.preset_seats > 0);
        Ok(Inspection {
            request: request.facts.request,
            made_at: Time(request.facts.issued_at),
            host: request.facts.host_name.clone(),
            server_version: request.facts.server_version.clone(),
            key_thumbprint: request.thumbprint.to_string(),
            other_machine: known.as_ref().is_some_and(|known| other_machine(&known.row, &request.facts)),
            suggested_name: renews.as_ref().map_or_else(|| suggested_name(&request.facts), |known| known.name.clone()),
            renews,
            scope,
            preset_seats: offers.iter().fold(0, |sum: u32, offer| sum.saturating_add(offer.preset_seats)),
            preset_free_at: taken.map(|offer| offer.preset_free_at).max(),
            offers,
        })
    })
}

/// Whether a request says that the workstation is on another machine than before, or no longer says on which.
fn other_machine(row: &WorkstationRow, facts: &RequestFacts) -> bool {
    !row.machine.is_empty() && row.machine != facts.fingerprint
}

fn suggested_name(facts: &RequestFacts) -> String {
    match text::name(&facts.host_name) {
        Ok(()) => facts.host_name.clone(),
        Err(_) => "License server".to_owned(),
    }
}

fn offer(row: &LicenseRow, fact: &LicenseFacts, now: Ms, times: &TimeTable) -> Option<Offer> {
    if !fact.running(now) || row.kind != Kind::Floating {
        return None;
    }
    let preset = preset(std::slice::from_ref(fact), now, times).first().copied();
    let until = fact.until_preset(now, times);
    // The terms of a line by file: nobody reports its end, so it is counted for the offline allowance.
    let free_at = until.plus(times.offline_allowance_ms);
    Some(Offer {
        license: row.id,
        label: row.label.clone(),
        product: row.product_ref(),
        channel: row.channel,
        seats: row.seats,
        available: fact.available(),
        held_now: fact.newest_here,
        preset_seats: preset.map_or(0, |preset| preset.seats),
        preset_until: Time(until),
        until_max: Time(fact.until_max(now, times)),
        preset_free_at: Time(free_at),
    })
}

/// Activates a workstation from its request file, or renews the one whose key it is.
pub fn activate(
    portal: &Portal,
    caller: &Caller,
    key: Option<&IdempotencyKey>,
    file: &[u8],
    wish: &Wish,
) -> Result<Activated, Failure> {
    let owner = caller.on_behalf_of(wish.account)?;
    allow(caller, PortalAction::ManageWorkstation, Some(owner))?;
    if let Some(name) = &wish.name {
        text::name(name).map_err(|why| Failure::invalid("name", why))?;
    }
    let request = read(portal, file)?;
    let desk = Desk::new(portal, caller)?;
    let what = (sha256_hex(file), &wish.name, &wish.lines, owner, wish.workstation, wish.scope);
    let once = Once::new(caller, key, "workstation.activate", &what, desk.stamp.now)?;
    let new = new_workstation(portal, owner, &request, wish.name.as_deref(), desk.stamp.now);
    let (caller, choices, wish) = (caller.clone(), choices(wish.lines.as_deref()), wish.clone());
    let activated = portal.db().write(move |tx| {
        once.run(tx, |tx| {
            accounts::get(tx, owner)?.ok_or(Failure::NotFound)?;
            let known = workstations::by_key(tx, &new.key_thumbprint)?.filter(|known| known.row.owner == owner);
            let scope = scope_of(tx, &caller, owner, known.as_ref(), wish.scope)?;
            let new = WorkstationRow { scope, ..new.clone() };
            let activated = activate_in(tx, &desk, &new, &request, &choices, &wish)?;
            // It may have been online until now, and says so on its pages when it has heard of it.
            bells::ring(tx, activated.workstation.id, desk.stamp.now)?;
            Ok(activated)
        })
    })?;
    portal.bells().ring(&BTreeSet::from([activated.workstation.id]));
    crate::grants_log::hand_out(portal, activated.workstation.id)?;
    Ok(activated)
}

/// The workstation as it will be if nobody has its key yet.
pub(super) fn new_workstation(
    portal: &Portal,
    owner: AccountId,
    request: &ActivationRequest,
    name: Option<&str>,
    now: Ms,
) -> WorkstationRow {
    let (id, serial) = portal.draw(|random| (WorkstationId::draw(now, random), random::bytes(random)));
    let name = name.map_or_else(|| suggested_name(&request.facts), str::to_owned);
    WorkstationRow {
        id,
        owner,
        key_thumbprint: request.thumbprint.to_string(),
        public_key: request.public_key.to_jwk(),
        certificate: portal.signer().issue_workstation_certificate(id, &name, &request.public_key, now, serial),
        name,
        acknowledged_rev: 0,
        newest_rev: 0,
        rev_floor: 0,
        status: WorkstationStatus::Active,
        host: request.facts.host_name.clone(),
        machine: request.facts.fingerprint.clone(),
        server_version: request.facts.server_version.clone(),
        requested_at: request.facts.issued_at.min(now),
        created_at: now,
        mode: Mode::File,
        scope: Scope::Organization,
    }
}

/// The workstation of a request, known before or made by it, locked.
pub(super) struct Arrival {
    pub(super) workstation: Owned,
    pub(super) is_new: bool,
    /// It is on another machine than before.
    pub(super) moved: bool,
    pub(super) said: Said,
}

/// A portal that was restored from a backup does not know what is in a document that it issued after that, nor what an
/// online server has given back since: others may have those seats. Such a server says it with its next sync.
///
/// # Errors
/// [`Failure::Unlearned`] while it learns, unless the licenses may be given out all the same.
pub(super) fn check_learned(
    tx: &mut Tx<'_>,
    request: &ActivationRequest,
    licenses: &[LicenseRow],
    now: Ms,
) -> Result<(), Failure> {
    let until = state::learning_until(tx)?;
    let Some(rev) = request.facts.rev_in_use.filter(|_| now < until) else { return Ok(()) };
    let known = workstations::by_key(tx, &request.thumbprint.to_string())?;
    let learned = known.is_some_and(|known| rev <= known.row.newest_rev && known.row.mode != Mode::Online);
    let raised = licenses.iter().all(|license| license.raise_while_learning);
    if learned || raised { Ok(()) } else { Err(Failure::Unlearned { rev, until }) }
}

/// Takes a request in: its workstation as it is from now on, locked; not written yet. The licenses are locked before.
pub(super) fn arrive(
    tx: &mut Tx<'_>,
    desk: &Desk,
    new: &WorkstationRow,
    request: &ActivationRequest,
    name: Option<&str>,
) -> Result<Arrival, Failure> {
    let (facts, owner) = (&request.facts, new.owner);
    let is_new = workstations::insert(tx, new)?;
    let known = workstations::by_key(tx, &new.key_thumbprint)?.map(|known| known.row.id);
    let locked = known.map(|id| workstations::lock(tx, id)).transpose()?.flatten();
    let mut workstation = locked.ok_or_else(|| Failure::Internal("a new workstation vanished".to_owned()))?;
    if !is_new {
        check_known(tx, &workstation, owner, facts)?;
    }
    let row = &mut workstation.row;
    if !workstations::use_request(tx, facts.request, row.id, desk.stamp.now)? {
        // Another server used the same number: not ours to explain, but never to be taken twice.
        return Err(replayed(desk.stamp.now, row));
    }
    let moved = other_machine(row, facts);
    let known = match facts.rev_in_use {
        Some(rev) => documents::exists(tx, row.id, rev)?,
        None => false,
    };
    let said = acknowledge(row, facts.rev_in_use, known);
    row.name = name.map_or_else(|| row.name.clone(), str::to_owned);
    row.host.clone_from(&facts.host_name);
    row.server_version.clone_from(&facts.server_version);
    row.machine.clone_from(&facts.fingerprint);
    // Not by a clock that is ahead: the next request, made when it is right, would be older than this one.
    row.requested_at = facts.issued_at.min(desk.stamp.now);
    Ok(Arrival { workstation, is_new, moved, said })
}

fn activate_in(
    tx: &mut Tx<'_>,
    desk: &Desk,
    new: &WorkstationRow,
    request: &ActivationRequest,
    choices: &Choices,
    wish: &Wish,
) -> Result<Activated, Failure> {
    let (facts, owner) = (&request.facts, new.owner);
    let known = workstations::by_key(tx, &new.key_thumbprint)?;
    check_chosen(tx, wish.workstation, known.as_ref(), owner, facts)?;
    // One lock order everywhere: licenses, then the workstation.
    let licenses = desk.lock_licenses(tx, owner, new.scope, choices)?;
    check_learned(tx, request, &licenses, desk.stamp.now)?;
    let Arrival { mut workstation, is_new, moved, said } = arrive(tx, desk, new, request, wish.name.as_deref())?;
    workstation.row.scope = new.scope;
    let occasion = if is_new { Occasion::New(facts.request) } else { Occasion::Asked(facts.request) };
    let activated = desk.issue(tx, &mut workstation, &licenses, choices, occasion)?;
    let action = if is_new { "workstation.activate" } else { "workstation.renew" };
    let detail = json!({
        "name": workstation.row.name, "rev": activated.rev, "seats": activated.seats, "request": facts.request,
        "rev_in_use": facts.rev_in_use, "other_machine": moved.then_some(true),
        "alarm": said.alarm(),
    });
    audit::insert(tx, &desk.stamp, action, &workstation.row.id.to_string(), &detail)?;
    Ok(activated)
}

/// What a server says of the document it obeys, held against what was issued. An operator should look at all but the
/// first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Said {
    /// As expected.
    Fits,
    /// It obeys a document that this portal does not know: it was restored from an older backup, or the server is not who
    /// it was.
    UnknownRev,
    /// It obeys a document that it had said is void: an older copy of its data folder runs.
    WentBack,
}

impl Said {
    pub(super) fn alarm(self) -> Option<&'static str> {
        match self {
            Said::Fits => None,
            Said::UnknownRev => Some("unknown_rev"),
            Said::WentBack => Some("went_back"),
        }
    }
}

/// Takes over what the server says of the document it obeys. What was acknowledged is never taken back, and a number
/// that was never issued acknowledges nothing, but numbering goes on above it, since the server loads nothing lower.
fn acknowledge(row: &mut WorkstationRow, rev_in_use: Option<u64>, known: bool) -> Said {
    let Some(rev) = rev_in_use else { return Said::Fits };
    if !known {
        row.rev_floor = row.rev_floor.max(rev.min(REV_MAX));
        return Said::UnknownRev;
    }
    if rev < row.acknowledged_rev {
        return Said::WentBack;
    }
    row.acknowledged_rev = rev;
    Said::Fits
}

/// Issues a new document to a workstation that is served by file, without a new request file.
pub fn renew(
    portal: &Portal,
    caller: &Caller,
    key: Option<&IdempotencyKey>,
    workstation: WorkstationId,
    lines: Option<&[ChosenLine]>,
) -> Result<Activated, Failure> {
    caller.id()?;
    let desk = Desk::new(portal, caller)?;
    let once = Once::new(caller, key, "workstation.renew", &(workstation, lines), desk.stamp.now)?;
    let (caller, choices) = (caller.clone(), choices(lines));
    let activated = portal.db().write(move |tx| {
        let found = workstations::get(tx, workstation)?.ok_or(Failure::NotFound)?;
        allow_at(&caller, PortalAction::ManageWorkstation, &found.row)?;
        once.run(tx, |tx| {
            let licenses = desk.lock_licenses(tx, found.row.owner, found.row.scope, &choices)?;
            let mut workstation = workstations::lock(tx, workstation)?.ok_or(Failure::NotFound)?;
            let row = &workstation.row;
            if row.status != WorkstationStatus::Active {
                return Err(Failure::NotActive { workstation: row.id, name: row.name.clone(), status: row.status });
            }
            // A file would end its syncs, and nobody at the server asked for one.
            if row.mode == Mode::Online {
                return Err(Failure::KeptOnline { name: row.name.clone() });
            }
            let activated = desk.issue(tx, &mut workstation, &licenses, &choices, Occasion::Renewed)?;
            let detail = json!({ "name": workstation.row.name, "rev": activated.rev, "seats": activated.seats });
            audit::insert(tx, &desk.stamp, "workstation.renew", &workstation.row.id.to_string(), &detail)?;
            Ok(activated)
        })
    })?;
    crate::grants_log::hand_out(portal, activated.workstation.id)?;
    Ok(activated)
}

/// What could be given to a workstation that is renewed without a new request file.
pub fn offers(portal: &Portal, caller: &Caller, workstation: WorkstationId) -> Result<Vec<Offer>, Failure> {
    caller.id()?;
    let (caller, now, times) = (caller.clone(), portal.now(), *portal.times());
    portal.db().read(move |tx| {
        let Owned { row, owner: AccountRef { id: owner, .. } } =
            workstations::get(tx, workstation)?.ok_or(Failure::NotFound)?;
        allow_at(&caller, PortalAction::ManageWorkstation, &row)?;
        let mut rows = Vec::new();
        for id in licenses::ids_for(tx, owner, row.scope)? {
            rows.extend(licenses::get(tx, id)?);
        }
        let facts = load_facts(tx, &rows, Some(row.id), now)?;
        Ok(rows.iter().zip(&facts).filter_map(|(row, fact)| offer(row, fact, now, &times)).collect())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use leasehold_core::random::Seeded;
    use leasehold_core::time::Ms;

    fn row(acknowledged_rev: u64, newest_rev: u64) -> WorkstationRow {
        let mut random = Seeded::new(1);
        WorkstationRow {
            id: WorkstationId::draw(Ms(1), &mut random),
            owner: AccountId::draw(Ms(1), &mut random),
            name: String::new(),
            key_thumbprint: String::new(),
            public_key: String::new(),
            certificate: String::new(),
            acknowledged_rev,
            newest_rev,
            rev_floor: 0,
            status: WorkstationStatus::Active,
            host: String::new(),
            machine: String::new(),
            server_version: String::new(),
            requested_at: Ms(0),
            created_at: Ms(0),
            mode: Mode::File,
            scope: Scope::Organization,
        }
    }

    #[test]
    fn what_was_acknowledged_never_goes_back_and_unknown_numbers_acknowledge_nothing() {
        for (acknowledged, said, known, expected) in [
            (0, None, false, (0, 0, Said::Fits)),
            (0, Some(2), true, (2, 0, Said::Fits)),
            (2, Some(2), true, (2, 0, Said::Fits)),
            (2, Some(1), true, (2, 0, Said::WentBack)),
            (0, Some(3), true, (3, 0, Said::Fits)),
            // Lost with a backup that was too old, whatever number came after it.
            (1, Some(2), false, (1, 2, Said::UnknownRev)),
            (1, Some(7), false, (1, 7, Said::UnknownRev)),
            (0, Some(u64::MAX), false, (0, REV_MAX, Said::UnknownRev)),
        ] {
            let mut row = row(acknowledged, 3);
            let verdict = acknowledge(&mut row, said, known);
            assert_eq!((row.acknowledged_rev, row.rev_floor, verdict), expected, "{acknowledged} {said:?}");
        }
    }
}
