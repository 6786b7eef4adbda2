//! Workstations: seen, downloaded, revoked, and given up by receipt.

use super::sync::Look;
use super::{Caller, allow, keyset, page};
use crate::Portal;
use crate::failure::Failure;
use crate::store::bells::Due;
use crate::store::workstations::{self, Owned};
use crate::store::{audit, bells, documents, pins, sync};
use leasehold_core::access::PortalAction;
use leasehold_core::grant::{counted_seats, counted_until};
use leasehold_core::ids::{LicenseId, WorkstationId};
use leasehold_core::license::Mode;
use leasehold_core::time::Ms;
use leasehold_db::{DbError, Tx};
use leasehold_trust::activation_file::build_activation_file;
use leasehold_trust::receipt::read_receipt;
use leasehold_trust::{FileKind, FileProblem, PublicKey};
use leasehold_wire::portal::{
    AuditEntry, DocumentState, HeldLine, IssuedDocument, OwnedQuery, Page, PageQuery, Released, Revoked, Workstation,
    WorkstationStatus,
};
use leasehold_wire::time::Time;
use serde_json::json;
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// What a workstation may still be using.
struct Standing {
    seats: u32,
    runs_until: Option<Time>,
    free_at: Option<Time>,
}

fn standing(tx: &mut Tx<'_>, workstation: &Owned, now: Ms) -> Result<Standing, DbError> {
    let row = &workstation.row;
    let (counted, until) = documents::counted_of(tx, row.id, row.acknowledged_rev, now)?;
    let licenses: BTreeSet<LicenseId> =
        counted.iter().flat_map(|document| &document.lines).map(|line| line.license).collect();
    let seats = licenses.iter().map(|license| counted_seats(&counted, row.acknowledged_rev, *license, now));
    let free_at = licenses.iter().filter_map(|license| counted_until(&counted, row.acknowledged_rev, *license, now));
    Ok(Standing {
        seats: seats.fold(0, u32::saturating_add),
        runs_until: until.filter(|until| *until > now).map(Time),
        free_at: free_at.max().map(Time),
    })
}

/// A workstation as both fronts show it.
pub(super) fn view(tx: &mut Tx<'_>, workstation: &Owned, now: Ms) -> Result<Workstation, DbError> {
    let standing = standing(tx, workstation, now)?;
    let row = &workstation.row;
    let synced = sync::get(tx, row.id)?;
    let newest = documents::newest(tx, row.id)?;
    let issued_at = newest.as_ref().map(|document| Time(document.issued_at));
    // A released server destroyed its key: what its documents say is void.
    let lines = newest.filter(|_| row.status != WorkstationStatus::Released).map(|document| document.lines);
    let stated = match &synced {
        Some(_) if row.mode == Mode::Online => Some(sync::stated_by(tx, row.id)?),
        _ => None,
    };
    let mut held = Vec::new();
    for stored in lines.unwrap_or_default() {
        let license = stored.line.license;
        // Of what is kept for use without a portal a server says nothing, and nothing is asked back.
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
            seats: stored.line.seats,
            used: stated.map(|stated| stated.get(&license).map_or(0, |stated| stated.report.used)),
            recalled: recalled.min(stored.line.seats),
            until: Time(stored.line.until),
            free_at: Time(stored.freed_at),
            terms: stored.line.terms,
        });
    }
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
        seats_used: stated.map(|stated| stated.values().map(|stated| stated.report.used).fold(0, u32::saturating_add)),
        draining: row.mode == Mode::Online
            && row.status == WorkstationStatus::Active
            && synced.as_ref().is_some_and(|synced| synced.draining),
        copy_on: synced.as_ref().filter(|synced| synced.forked_at.is_some()).map(|synced| synced.forked_host.clone()),
        copy_at: synced.as_ref().and_then(|synced| synced.forked_at).map(Time),
        lines: held,
    })
}

/// One's own workstations; operators see everybody's, or those of the account that is asked for.
pub fn list(portal: &Portal, caller: &Caller, query: &OwnedQuery) -> Result<Page<Workstation>, Failure> {
    let owner = super::owner_filter(caller, query.owner)?;
    let (keys, now) = (keyset(&query.page())?, portal.now());
    portal.db().read(move |tx| {
        let rows = match owner {
            Some(owner) => workstations::list_of(tx, owner, &keys)?,
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
        allow(&caller, PortalAction::ReadOwned, Some(found.row.owner))?;
        Ok(view(tx, &found, now)?)
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
        allow(&caller, PortalAction::ReadOwned, Some(row.owner))?;
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
        allow(&caller, PortalAction::ReadOwned, Some(found.row.owner))?;
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
        allow(&asking, PortalAction::ManageWorkstation, Some(found.row.owner))?;
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
        allow(&caller, PortalAction::ManageWorkstation, Some(found.row.owner))?;
        let row = &mut found.row;
        if row.status != WorkstationStatus::Active {
            return Err(Failure::NotActive { workstation: row.id, name: row.name.clone(), status: row.status });
        }
        row.status = WorkstationStatus::Revoked;
        pins::clear(tx, workstation, stamp.now)?;
        workstations::update(tx, row)?;
        let Standing { seats, runs_until, free_at } = standing(tx, &found, stamp.now)?;
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

/// Takes the receipt of a license server that destroyed its key: all its seats are free at once. The server's owner, and
/// operators.
pub fn take_receipt(portal: &Portal, caller: &Caller, file: &[u8]) -> Result<Released, Failure> {
    caller.id()?;
    take_receipt_of(portal, caller, Some(caller), file)
}

/// The same; without `asking` for whoever has the receipt, which the ended key signed.
pub(super) fn take_receipt_of(
    portal: &Portal,
    caller: &Caller,
    asking: Option<&Caller>,
    file: &[u8],
) -> Result<Released, Failure> {
    let receipt = read_receipt(file)?;
    let (asking, stamp) = (asking.cloned(), portal.stamp(caller));
    let (released, rung) = portal.db().write(move |tx| {
        let known = workstations::by_key(tx, receipt.key.as_str())?.ok_or(Failure::UnknownKey)?;
        // Whose it is comes before anything that is read from the file.
        if let Some(caller) = &asking {
            allow(caller, PortalAction::ManageWorkstation, Some(known.row.owner)).map_err(|failure| match failure {
                Failure::NotFound => Failure::UnknownKey,
                other => other,
            })?;
        }
        let key = PublicKey::from_jwk(&known.row.public_key)
            .map_err(|why| Failure::Internal(format!("a stored key: {why}")))?;
        let facts = receipt.verify(&key)?;
        let (mut found, licenses) = super::sync::lock(tx, &known.row, &Look::all(), stamp.now)?;
        if facts.workstation != found.row.id {
            return Err(Failure::File(FileProblem::BadSignature { wanted: FileKind::Receipt }));
        }
        if let Some(used_at) = workstations::receipt_taken(tx, facts.receipt)? {
            let workstation = found.row.name;
            return Err(Failure::File(FileProblem::Replayed { file: FileKind::Receipt, used_at, workstation }));
        }
        if found.row.status == WorkstationStatus::Released {
            return Err(Failure::AlreadyReleased { name: found.row.name });
        }
        workstations::use_receipt(tx, facts.receipt, found.row.id, stamp.now)?;
        let Standing { seats, .. } = standing(tx, &found, stamp.now)?;
        found.row.status = WorkstationStatus::Released;
        pins::clear(tx, found.row.id, stamp.now)?;
        // Above every number that was issued: none of its documents can be obeyed without the key.
        found.row.acknowledged_rev = found.row.newest_rev + 1;
        workstations::update(tx, &found.row)?;
        let detail =
            json!({ "name": found.row.name, "seats": seats, "receipt": facts.receipt, "rev_in_use": facts.rev_in_use });
        audit::insert(tx, &stamp, "workstation.release", &found.row.id.to_string(), &detail)?;
        // Its seats are free for the others.
        let mut due = Due::new();
        for license in licenses {
            due.extend(super::licenses::changed(tx, license.id, &[], stamp.now)?.1);
        }
        let rung = bells::ring_of(tx, &due, &Due::new(), stamp.now)?;
        Ok((Released { workstation: view(tx, &found, stamp.now)?, seats }, rung))
    })?;
    portal.bells().ring(&rung);
    Ok(released)
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
