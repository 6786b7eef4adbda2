//! After a restore: documents that were issued after the backup was made still run somewhere, and must count.

use crate::Portal;
use crate::failure::Failure;
use crate::service::Caller;
use crate::store::documents::{self, StoredLine, Unlogged};
use crate::store::{audit, licenses, workstations};
use leasehold_core::time::Ms;
use leasehold_db::Tx;
use leasehold_trust::{PublicKey, verify_grant};
use serde_json::json;

/// What became of a document from `grants.log`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Adoption {
    /// The database had it.
    Known,
    /// The database has it now.
    Adopted,
    /// It is not signed by this vendor for that workstation, or says something else than its signature.
    Refused,
}

/// Whether the document is what the vendor signed; its rows with the times at which they are freed.
fn verified(portal: &Portal, unlogged: &Unlogged) -> Option<Vec<StoredLine>> {
    let (document, workstation) = (&unlogged.document, &unlogged.workstation);
    // As of when it was issued: this machine's clock may not be right yet, and that says nothing of the signature.
    let signed = verify_grant(&document.token, portal.root(), document.issued_at).ok()?;
    let key = PublicKey::from_jwk(&workstation.public_key).ok()?;
    let same = signed.grant.workstation == workstation.id
        && document.workstation == workstation.id
        && signed.grant.rev == document.rev
        && key.thumbprint().as_str() == workstation.key_thumbprint
        && signed.is_for(&key);
    let line = |line: leasehold_core::grant::Line| {
        let freed_at = portal.times().line_freed_at(line.until, &line.terms);
        StoredLine { line, freed_at }
    };
    same.then(|| signed.grant.lines.into_iter().map(line).collect())
}

/// Adopts one document from `grants.log`, if the database does not know it: it counts from now on, numbering goes on above
/// it, and the audit log says so.
pub(crate) fn adopt(portal: &Portal, unlogged: Unlogged) -> Result<Adoption, Failure> {
    let Some(lines) = verified(portal, &unlogged) else { return Ok(Adoption::Refused) };
    let stamp = portal.stamp(&Caller::command_line());
    portal.db().write(move |tx| {
        let Unlogged { workstation, document, request } = &unlogged;
        workstations::insert(tx, workstation)?;
        let Some(mut found) = workstations::lock(tx, workstation.id)? else {
            // Another workstation has this key: not something this portal ever wrote.
            return Ok(Adoption::Refused);
        };
        let mut adopted = document.clone();
        adopted.lines.clone_from(&lines);
        if !documents::insert(tx, &adopted, false)? {
            return Ok(Adoption::Known);
        }
        if let Some(request) = request {
            workstations::use_request(tx, *request, workstation.id, document.issued_at)?;
        }
        if document.rev > found.row.newest_rev {
            // What the workstation was when its newest document was issued, the machine it is bound to before all.
            found.row.newest_rev = document.rev;
            found.row.machine.clone_from(&workstation.machine);
            found.row.host.clone_from(&workstation.host);
            found.row.server_version.clone_from(&workstation.server_version);
            found.row.name.clone_from(&workstation.name);
            (found.row.mode, found.row.scope) = (workstation.mode, workstation.scope);
            let signed: Vec<_> = lines.iter().map(|stored| stored.line.clone()).collect();
            super::pins::learn(tx, workstation.id, &signed, stamp.now)?;
        }
        found.row.requested_at = found.row.requested_at.max(workstation.requested_at);
        workstations::update(tx, &found.row)?;
        note(tx, &stamp, &adopted)?;
        Ok(Adoption::Adopted)
    })
}

fn note(tx: &mut Tx<'_>, stamp: &audit::Stamp, adopted: &documents::DocumentRow) -> Result<(), Failure> {
    let seats: u64 = adopted.lines.iter().map(|stored| u64::from(stored.line.seats)).sum();
    let detail =
        json!({ "alarm": "adopted", "rev": adopted.rev, "seats": seats, "ends_at": adopted.ends_at.rfc3339() });
    Ok(audit::insert(tx, stamp, "grant.adopt", &adopted.workstation.to_string(), &detail)?)
}

/// Documents that one workstation may have been issued after a backup and before its portal was lost.
const LOST_MAX: u64 = 1_000;

/// Notes that this database is a restored one. Numbering goes on far above what is known, so that no number is given
/// twice even where `grants.log` was lost as well. Answers until when nobody gets more than they have.
pub(crate) fn note_restored(
    portal: &Portal,
    adopted: u64,
    unreadable: u64,
    refused: u64,
    log_survived: bool,
) -> Result<Option<Ms>, Failure> {
    let stamp = portal.stamp(&Caller::command_line());
    let times = *portal.times();
    let detail = json!({ "adopted": adopted, "unreadable": unreadable, "refused": refused });
    portal.db().write(move |tx| {
        workstations::skip_numbers(tx, LOST_MAX)?;
        // Documents that came by sync are in no log, but for the first of each server: whoever has one presents it with
        // the next sync.
        let learns = !log_survived || workstations::any_online(tx)?;
        let mut learning_until = None;
        if learns {
            // The backup may hold what was decided after an earlier restore.
            licenses::raise_none_while_learning(tx)?;
            learning_until = Some(super::sync::learn(tx, stamp.now, &times)?);
        }
        let mut detail = detail.clone();
        detail["learning_until"] = json!(learning_until.map(Ms::rfc3339));
        audit::insert(tx, &stamp, "portal.restore", "", &detail)?;
        Ok(learning_until)
    })
}
