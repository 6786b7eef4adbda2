//! Workstations: seen, downloaded and revoked.

use super::{Caller, allow_at, keyset, page};
use crate::Portal;
use crate::failure::Failure;
use crate::store::sync::{self, Stated};
use crate::store::workstations::{self, Owned};
use crate::store::{audit, bells, documents, licenses, pins, receipts};
use leasehold_core::access::PortalAction;
use leasehold_core::grant::{self, counted_pinned, counted_seats, counted_until};
use leasehold_core::ids::{LicenseId, WorkstationId};
use leasehold_core::license::Mode;
use leasehold_core::time::Ms;
use leasehold_db::{DbError, Tx};
use leasehold_trust::activation_file::build_activation_file;
use leasehold_wire::portal::{
    AuditEntry, DocumentState, GaveBack, HeldLine, IssuedDocument, OwnedQuery, Page, PageQuery, Revoked, Workstation,
    WorkstationStatus,
};
use leasehold_wire::time::Time;
use serde_json::json;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// What a workstation may still be using.
pub(super) struct Standing {
    pub(super) seats: u32,
    /// Of these, on lines that are kept for use without the portal: they count as used, whoever works.
    pub(super) kept: u32,
    pub(super) runs_until: Option<Time>,
    pub(super) free_at: Option<Time>,
}

/// Seats of a license that count as used beside what a server reports: what its newest document keeps for use without the
/// portal, and what runs out; if it cannot say the latter, all that any document keeps.
pub(super) fn used_beside(
    documents: &[grant::IssuedDocument],
    (acknowledged, newest): (u64, u64),
    (license, stated): (LicenseId, Option<&Stated>),
    now: Ms,
) -> u32 {
    match stated.and_then(|stated| stated.running_out) {
        Some(out) => counted_pinned(documents, newest, license, now).saturating_add(out),
        None => counted_pinned(documents, acknowledged, license, now),
    }
}

/// Of `seats` that are renewed at each sync, those in use: what runs out on others that have left cannot be given anew
/// before.
fn used_of(stated: &Stated, seats: u32) -> u32 {
    let beside = stated.running_out.unwrap_or(0).min(seats.saturating_sub(stated.report.used));
    stated.report.used.saturating_add(beside)
}

pub(super) fn standing(
    tx: &mut Tx<'_>,
    workstation: &Owned,
    stated: Option<&BTreeMap<LicenseId, Stated>>,
    now: Ms,
) -> Result<Standing, DbError> {
    let row = &workstation.row;
    let (counted, until) = documents::counted_of(tx, row.id, row.acknowledged_rev, now)?;
    let licenses: BTreeSet<LicenseId> =
        counted.iter().flat_map(|document| &document.lines).map(|line| line.license).collect();
    let seats = licenses.iter().map(|license| counted_seats(&counted, row.acknowledged_rev, *license, now));
    let revs = (row.acknowledged_rev, row.newest_rev);
    let of = |license: &LicenseId| (*license, stated.and_then(|stated| stated.get(license)));
    let kept = licenses.iter().map(|license| used_beside(&counted, revs, of(license), now));
    let free_at = licenses.iter().filter_map(|license| counted_until(&counted, row.acknowledged_rev, *license, now));
    Ok(Standing {
        seats: seats.fold(0, u32::saturating_add),
        kept: kept.fold(0, u32::saturating_add),
        runs_until: until.filter(|until| *until > now).map(Time),
        free_at: free_at.max().map(Time),
    })
}

/// A workstation as both fronts show it.
pub(super) fn view(tx: &mut Tx<'_>, workstation: &Owned, now: Ms) -> Result<Workstation, DbError> {
    let row = &workstation.row;
    let synced = sync::get(tx, row.id)?;
    let stated = match &synced {
        Some(_) if row.mode == Mode::Online => Some(sync::stated_by(tx, row.id)?),
        _ => None,
    };
    let standing = standing(tx, workstation, stated.as_ref(), now)?;
    let newest = documents::newest(tx, row.id)?;
    let issued_at = newest.as_ref().map(|document| Time(document.issued_at));
    let newest_id = newest.as_ref().map(|document| document.id);
    // A released server destroyed its key: what its documents say is void.
    let lines = newest.filter(|_| row.status != WorkstationStatus::Released).map(|document| document.lines);
    let counts = match (&newest_id, row.mode) {
        // A server that syncs gets a new document as soon as it keeps less.
        (Some(newest), Mode::File) => documents::counted_rows(tx, *newest)?,
        _ => BTreeMap::new(),
    };
    let mut held = Vec::new();
    for stored in lines.unwrap_or_default() {
        let license = stored.line.license;
        // Of what is kept for use without a portal a server says nothing, and nothing is asked back: it counts as used.
        let pinned = stored.line.terms.pinned && stated.is_some();
        let stated = stated.as_ref().filter(|_| stored.line.terms.recallable);
        let recalled = match stated {
            Some(_) => sync::recalled(tx, license, now)?.get(&row.id).copied().unwrap_or(0),
            None => 0,
        };
        held.push(HeldLine {
            line: stored.line.line,
            license,
            product_name: stored.line.product_name,
            channel: stored.line.channel,
            seats: counts.get(&stored.line.line).map_or(stored.line.seats, |counts| stored.line.seats.min(*counts)),
            used: stated
                .map(|stated| stated.get(&license).map_or(0, |stated| used_of(stated, stored.line.seats)))
                .or(pinned.then_some(stored.line.seats)),
            recalled: recalled.min(stored.line.seats),
            until: Time(stored.line.until),
            free_at: Time(stored.freed_at),
            terms: stored.line.terms,
        });
    }
    // One that syncs and was never disabled or lost has given no receipt.
    let plain = row.mode == Mode::Online && row.status == WorkstationStatus::Active;
    let (gave_back, usage) = match plain {
        true => (None, None),
        false => (receipts::newest_kept(tx, row.id)?, receipts::usage(tx, row.id)?),
    };
    let written_off = match row.status {
        WorkstationStatus::Lost | WorkstationStatus::Released => super::losses::written_off(tx, row.id)?,
        WorkstationStatus::Active | WorkstationStatus::Revoked => Vec::new(),
    };
    Ok(Workstation {
        id: row.id,
        name: row.name.clone(),
        owner: workstation.owner.clone(),
        status: row.status,
        host: row.host.clone(),
        server_version: row.server_version.clone(),
        key_thumbprint: row.key_thumbprint.clone(),
        newest_rev: row.newest_rev,
        acknowledged_rev: row.acknowledged_rev.min(row.newest_rev),
        created_at: Time(row.created_at),
        issued_at,
        runs_until: standing.runs_until,
        free_at: standing.free_at,
        seats_out: standing.seats,
        mode: row.mode,
        scope: row.scope,
        synced_at: synced.as_ref().map(|synced| Time(synced.seen_at)),
        seats_used: stated.map(|stated| {
            let used = stated.values().map(|stated| stated.report.used);
            used.chain([standing.kept]).fold(0, u32::saturating_add)
        }),
        draining: row.mode == Mode::Online
            && row.status == WorkstationStatus::Active
            && synced.as_ref().is_some_and(|synced| synced.draining),
        copy_on: synced.as_ref().filter(|synced| synced.forked_at.is_some()).map(|synced| synced.forked_host.clone()),
        copy_at: synced.as_ref().and_then(|synced| synced.forked_at).map(Time),
        lines: held,
        gave_back: gave_back.map(|kept| GaveBack {
            rev: kept.rev,
            number: kept.number,
            seats_kept: kept.seats_kept,
            at: Time(kept.taken_at),
        }),
        written_off,
        usage: usage.map(Into::into),
    })
}

/// One's own workstations; operators see everybody's, or those of the account that is asked for.
pub fn list(portal: &Portal, caller: &Caller, query: &OwnedQuery) -> Result<Page<Workstation>, Failure> {
    let owner = super::owner_filter(caller, query.owner)?;
    let (keys, now) = (keyset(&query.page())?, portal.now());
    let shared = owner.is_some_and(|owner| caller.sees_shared_only(owner));
    portal.db().read(move |tx| {
        let rows = match owner {
            Some(owner) => workstations::list_of(tx, owner, shared, &keys)?,
            None => workstations::list(tx, &keys)?,
        };
        let Page { items, next } = page(rows, &keys, |owned| owned.row.id.to_string(), |owned| owned);
        let items = items.iter().map(|owned| view(tx, owned, now)).collect::<Result<_, _>>()?;
        Ok::<_, Failure>(Page { items, next })
    })
}

/// One workstation. Its owner, and operators.
pub fn get(portal: &Portal, caller: &Caller, workstation: WorkstationId) -> Result<Workstation, Failure> {
    caller.id()?;
    let (caller, now) = (caller.clone(), portal.now());
    portal.db().read(move |tx| {
        let found = workstations::get(tx, workstation)?.ok_or(Failure::NotFound)?;
        allow_at(&caller, PortalAction::ReadOwned, &found.row)?;
        Ok(view(tx, &found, now)?)
    })
}

/// One workstation, and what can be asked back of it, called so that two licenses of one product are told apart: not what
/// it keeps for use without the portal, which is released. Its owner, and operators.
pub fn recallable(
    portal: &Portal,
    caller: &Caller,
    workstation: WorkstationId,
) -> Result<(Workstation, Vec<HeldLine>), Failure> {
    caller.id()?;
    let (caller, now) = (caller.clone(), portal.now());
    portal.db().read(move |tx| {
        let found = workstations::get(tx, workstation)?.ok_or(Failure::NotFound)?;
        allow_at(&caller, PortalAction::ReadOwned, &found.row)?;
        let seen = view(tx, &found, now)?;
        let mut lines: Vec<HeldLine> = seen.lines.iter().filter(|line| !line.terms.pinned).cloned().collect();
        for line in &mut lines {
            if let Some(license) = licenses::get(tx, line.license)? {
                line.product_name = license.called();
            }
        }
        Ok((seen, lines))
    })
}

/// The documents that were issued to a workstation, newest first. Its owner, and operators.
pub fn documents(
    portal: &Portal,
    caller: &Caller,
    workstation: WorkstationId,
    query: &PageQuery,
) -> Result<Page<IssuedDocument>, Failure> {
    caller.id()?;
    let (caller, keys) = (caller.clone(), keyset(query)?);
    portal.db().read(move |tx| {
        let Owned { row, .. } = workstations::get(tx, workstation)?.ok_or(Failure::NotFound)?;
        allow_at(&caller, PortalAction::ReadOwned, &row)?;
        let rows = documents::list_of(tx, workstation, &keys)?;
        Ok(page(
            rows,
            &keys,
            |document| document.id.to_string(),
            |document| IssuedDocument {
                rev: document.rev,
                issued_at: Time(document.issued_at),
                ends_at: Time(document.ends_at),
                seats: document.lines.iter().fold(0, |sum: u32, stored| sum.saturating_add(stored.line.seats)),
                state: match document.rev.cmp(&row.acknowledged_rev) {
                    Ordering::Less => DocumentState::Void,
                    Ordering::Equal => DocumentState::Acknowledged,
                    Ordering::Greater => DocumentState::Issued,
                },
            },
        ))
    })
}

/// What was done to a workstation, newest first. Its owner, and operators; from which address somebody else did it is
/// for operators only.
pub fn history(
    portal: &Portal,
    caller: &Caller,
    workstation: WorkstationId,
    query: &PageQuery,
) -> Result<Page<AuditEntry>, Failure> {
    caller.id()?;
    let (caller, keys) = (caller.clone(), keyset(query)?);
    portal.db().read(move |tx| {
        let found = workstations::get(tx, workstation)?.ok_or(Failure::NotFound)?;
        allow_at(&caller, PortalAction::ReadOwned, &found.row)?;
        let rows = audit::list_about(tx, &workstation.to_string(), &keys)?;
        Ok(page(
            rows,
            &keys,
            |entry| entry.id.to_string(),
            |mut entry| {
                let own = entry.actor.as_ref().map(|actor| actor.id) == caller.actor().account();
                if !own && !caller.is_operator() {
                    entry.address.clear();
                }
                entry
            },
        ))
    })
}

/// The file that a license server is activated with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ActivationFile {
    /// Plain ASCII, such as `render-01-rev3.crt`.
    pub name: String,
    /// PEM.
    pub text: String,
    /// Number of the document in it.
    pub rev: u64,
}

/// The `.crt` file with the newest document of a workstation. Its owner, and operators.
pub fn activation_file(
    portal: &Portal,
    caller: &Caller,
    workstation: WorkstationId,
) -> Result<ActivationFile, Failure> {
    caller.id()?;
    let asking = caller.clone();
    let (row, document) = portal.db().read(move |tx| {
        let found = workstations::get(tx, workstation)?.ok_or(Failure::NotFound)?;
        allow_at(&asking, PortalAction::ManageWorkstation, &found.row)?;
        let document = documents::newest(tx, workstation)?.ok_or(Failure::NotFound)?;
        Ok::<_, Failure>((found.row, document))
    })?;
    if row.status != WorkstationStatus::Active {
        return Err(Failure::NotActive { workstation: row.id, name: row.name, status: row.status });
    }
    crate::grants_log::hand_out(portal, row.id)?;
    let text = build_activation_file(portal.signer(), &row.certificate, &document.token)
        .map_err(|too_many| Failure::TooManyLines(too_many.to_string()))?;
    Ok(ActivationFile { name: format!("{}-rev{}.crt", file_stem(&row.name), document.rev), text, rev: document.rev })
}

/// A name from outside as part of a file name: letters, digits, `-` and `_` only.
fn file_stem(name: &str) -> String {
    let plain = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).take(48);
    let stem = plain.collect::<String>().trim_matches('-').to_owned();
    if stem.is_empty() { "workstation".to_owned() } else { stem }
}

/// Revokes a workstation: it gets no further document. What it has by file runs to its end; online it is withdrawn at the
/// next sync. Its owner, and operators.
pub fn revoke(portal: &Portal, caller: &Caller, workstation: WorkstationId) -> Result<Revoked, Failure> {
    caller.id()?;
    let (caller, stamp) = (caller.clone(), portal.stamp(caller));
    let revoked = portal.db().write(move |tx| {
        let mut found = workstations::lock(tx, workstation)?.ok_or(Failure::NotFound)?;
        allow_at(&caller, PortalAction::ManageWorkstation, &found.row)?;
        let row = &mut found.row;
        if row.status != WorkstationStatus::Active {
            return Err(Failure::NotActive { workstation: row.id, name: row.name.clone(), status: row.status });
        }
        row.status = WorkstationStatus::Revoked;
        pins::clear(tx, workstation, stamp.now)?;
        workstations::update(tx, row)?;
        let Standing { seats, runs_until, free_at, .. } = standing(tx, &found, None, stamp.now)?;
        let detail = json!({ "name": found.row.name, "seats": seats, "runs_until": runs_until });
        audit::insert(tx, &stamp, "workstation.revoke", &workstation.to_string(), &detail)?;
        if found.row.mode == Mode::Online {
            bells::ring(tx, workstation, stamp.now)?;
        }
        Ok(Revoked { workstation: view(tx, &found, stamp.now)?, seats, runs_until, free_at })
    })?;
    portal.bells().ring(&BTreeSet::from([workstation]));
    Ok(revoked)
}

#[cfg(test)]
mod tests {
    use super::file_stem;

    #[test]
    fn a_file_name_is_made_of_plain_characters_only() {
        for (name, stem) in [
            ("Render 01", "Render-01"),
            ("../../etc/passwd", "etc-passwd"),
            ("\"; rm -rf\r\nX: y", "rm--rf--X--y"),
            ("日本", "workstation"),
        ] {
            assert_eq!(file_stem(name), stem);
        }
    }
}
