//! Receipts of license servers: everything is given up with the key, or some seats of the document in force.

use super::sync::Look;
use super::workstations::{standing, view};
use super::{Caller, allow_at};
use crate::Portal;
use crate::failure::Failure;
use crate::store::bells::{self, Due};
use crate::store::licenses::LicenseRow;
use crate::store::receipts::{self, NewReceipt};
use crate::store::workstations::{self, Owned};
use crate::store::{audit, documents, pins};
use leasehold_core::access::PortalAction;
use leasehold_core::giving_up::{self, ReceiptRefusal, may_take};
use leasehold_core::ids::{LicenseId, WorkstationId};
use leasehold_core::time::Ms;
use leasehold_db::Tx;
use leasehold_trust::receipt::{Kept, ReceiptFacts, read_receipt};
use leasehold_trust::secret::sha256_hex;
use leasehold_trust::{FileKind, FileProblem, PublicKey};
use leasehold_wire::portal::{Released, WorkstationStatus};
use serde_json::json;
use std::collections::BTreeSet;

/// Takes the receipt of a license server that gave up its key, or some seats: they are free at once. The server's owner,
/// and operators.
pub fn take_receipt(portal: &Portal, caller: &Caller, file: &[u8]) -> Result<Released, Failure> {
    caller.id()?;
    take_receipt_of(portal, caller, Some(caller), file)
}

/// The same; without `asking` for whoever has the receipt, which the server's key signed.
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
            allow_at(caller, PortalAction::ManageWorkstation, &known.row).map_err(|failure| match failure {
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
        if let Some(used_at) = receipts::taken(tx, facts.receipt)? {
            let workstation = found.row.name;
            return Err(Failure::File(FileProblem::Replayed { file: FileKind::Receipt, used_at, workstation }));
        }
        if found.row.status == WorkstationStatus::Released {
            return Err(Failure::AlreadyReleased { name: found.row.name });
        }
        let before = standing(tx, &found, None, stamp.now)?.seats;
        let newer_rev = match &facts.kept {
            Some(kept) => keep_some(tx, &mut found, &facts, kept, stamp.now)?,
            None => {
                found.row.status = WorkstationStatus::Released;
                pins::clear(tx, found.row.id, stamp.now)?;
                // Above every number that was issued: none of its documents can be obeyed without the key.
                found.row.acknowledged_rev = found.row.newest_rev + 1;
                None
            }
        };
        workstations::update(tx, &found.row)?;
        let kept = facts.kept.as_ref();
        receipts::insert(
            tx,
            &NewReceipt {
                receipt: facts.receipt,
                workstation: found.row.id,
                taken_at: stamp.now,
                rev: facts.rev_in_use,
                number: kept.map_or(0, |kept| kept.number),
                seats_kept: kept.map_or(0, |kept| kept.seats.values().copied().fold(0, u32::saturating_add)),
                usage: facts.usage.clone(),
            },
        )?;
        let after = standing(tx, &found, None, stamp.now)?.seats;
        let seats = before.saturating_sub(after);
        let mut detail =
            json!({ "name": found.row.name, "seats": seats, "receipt": facts.receipt, "rev_in_use": facts.rev_in_use });
        let action = match kept {
            Some(kept) => {
                detail["number"] = json!(kept.number);
                detail["kept"] = json!(kept.seats);
                "workstation.give_back"
            }
            None => "workstation.release",
        };
        audit::insert(tx, &stamp, action, &found.row.id.to_string(), &detail)?;
        let rung = free_for_others(tx, &licenses, stamp.now)?;
        let workstation = view(tx, &found, stamp.now)?;
        Ok((Released { workstation, seats, goes_on: kept.is_some(), newer_rev }, rung))
    })?;
    portal.bells().ring(&rung);
    Ok(released)
}

/// The server keeps some seats of a document: from now on that one counts for no more, and none before it for anything.
/// Answers the number of a newer document that counts on in full.
fn keep_some(
    tx: &mut Tx<'_>,
    found: &mut Owned,
    facts: &ReceiptFacts,
    kept: &Kept,
    now: Ms,
) -> Result<Option<u64>, Failure> {
    let row = &mut found.row;
    if row.status == WorkstationStatus::Lost {
        return Err(Failure::ReceiptOfLost { name: row.name.clone() });
    }
    let rev = facts.rev_in_use;
    let issued = documents::token(tx, row.id, rev)?;
    let newest = receipts::newest_kept(tx, row.id)?;
    may_take(&giving_up::ReceiptFacts {
        rev,
        number: kept.number,
        issued: issued.is_some_and(|token| sha256_hex(token.as_bytes()) == kept.document),
        acknowledged_rev: row.acknowledged_rev,
        newest: newest.map(|newest| (newest.rev, newest.number)),
    })
    .map_err(|refusal| match refusal {
        ReceiptRefusal::UnknownDocument => Failure::ReceiptUnknownDocument { name: row.name.clone(), rev },
        ReceiptRefusal::Older => Failure::ReceiptOlder { name: row.name.clone(), number: kept.number, rev },
    })?;
    documents::void(tx, row.id, row.acknowledged_rev, rev)?;
    row.acknowledged_rev = rev;
    // Of a license that the receipt does not name nothing is kept.
    let held: BTreeSet<LicenseId> = documents::licenses_of(tx, row.id, rev)?.into_iter().collect();
    for license in held {
        let seats = kept.seats.get(&license).copied().unwrap_or(0);
        documents::count_at_most(tx, row.id, (rev, rev), license, seats)?;
    }
    let newer = documents::alive_from(tx, row.id, rev + 1, now)?;
    Ok(newer.last().map(|document| document.rev))
}

/// Seats came back: decides anew who has some, and rings whoever may have more.
pub(super) fn free_for_others(
    tx: &mut Tx<'_>,
    licenses: &[LicenseRow],
    now: Ms,
) -> Result<BTreeSet<WorkstationId>, Failure> {
    let mut due = Due::new();
    for license in licenses {
        due.extend(super::licenses::changed(tx, license.id, &[], now)?.1);
    }
    Ok(bells::ring_of(tx, &due, &Due::new(), now)?)
}
