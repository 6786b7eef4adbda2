//! Workstations that are declared lost: from when their seats are free by themselves, or at once within the vendor's
//! allowance.

use super::receipts::free_for_others;
use super::sync::{self, Look};
use super::workstations::{standing, view};
use super::{Caller, allow_at};
use crate::Portal;
use crate::failure::Failure;
use crate::store::receipts::{self, WriteOff};
use crate::store::workstations::{self, Owned};
use crate::store::{audit, bells, documents, licenses, pins};
use leasehold_core::access::PortalAction;
use leasehold_core::giving_up::{LossFacts, WRITE_OFF_MS, write_off};
use leasehold_core::grant::{counted_seats, counted_until};
use leasehold_core::ids::WorkstationId;
use leasehold_core::license::Mode;
use leasehold_core::time::Ms;
use leasehold_db::{DbError, Tx};
use leasehold_wire::portal::{
    DeclareLost, DeclaredLost, Loss, LostLicense, PassWrittenOff, WorkstationStatus, WriteOffAllowance, WriteOffPass,
    WrittenOff,
};
use leasehold_wire::time::Time;
use serde_json::json;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Of how many licenses one pass may have seats, at most.
const LICENSES_IN_PASS_MAX: usize = 256;

/// What was written off at a workstation.
pub(super) fn written_off(tx: &mut Tx<'_>, workstation: WorkstationId) -> Result<Vec<WrittenOff>, DbError> {
    let mut all = Vec::new();
    for row in receipts::written_off_at(tx, workstation)? {
        let product_name = licenses::get(tx, row.license)?.map(|license| license.product.name).unwrap_or_default();
        all.push(WrittenOff {
            license: row.license,
            product_name,
            seats: row.seats,
            at: Time(row.at),
            until: Time(row.until),
        });
    }
    Ok(all)
}

/// What a workstation may be using of each license, and what of it could be written off.
fn held(tx: &mut Tx<'_>, workstation: &Owned, now: Ms) -> Result<Vec<LostLicense>, DbError> {
    let row = &workstation.row;
    let (counted, _) = documents::counted_of(tx, row.id, row.acknowledged_rev, now)?;
    let mut all = Vec::new();
    for held in documents::held_from(tx, row.id, row.acknowledged_rev, now)? {
        let license = licenses::get(tx, held.license)?;
        let facts = LossFacts {
            license: held.license,
            counted: counted_seats(&counted, row.acknowledged_rev, held.license, now),
            allowed: license.as_ref().map_or(0, |license| license.product.write_offs),
            used: receipts::written_off_since(tx, held.license, now.plus(-WRITE_OFF_MS))?,
        };
        let free_at = counted_until(&counted, row.acknowledged_rev, held.license, now).unwrap_or(now);
        all.push(LostLicense {
            license: held.license,
            product_name: license.map(|license| license.called()).unwrap_or_default(),
            seats: facts.counted,
            until: Time(held.until),
            free_at: Time(free_at),
            write_offs_allowed: facts.allowed,
            write_offs_used: facts.used,
            may_write_off: facts.may_write_off(),
        });
    }
    Ok(all)
}

fn facts(license: &LostLicense) -> LossFacts {
    LossFacts {
        license: license.license,
        counted: license.seats,
        allowed: license.write_offs_allowed,
        used: license.write_offs_used,
    }
}

fn sum(seats: impl Iterator<Item = u32>) -> u32 {
    seats.fold(0, u32::saturating_add)
}

/// What it would mean to declare a workstation lost. Changes nothing. Its owner, and operators.
pub fn loss(portal: &Portal, caller: &Caller, workstation: WorkstationId) -> Result<Loss, Failure> {
    caller.id()?;
    let (caller, now) = (caller.clone(), portal.now());
    portal.db().read(move |tx| {
        let found = workstations::get(tx, workstation)?.ok_or(Failure::NotFound)?;
        allow_at(&caller, PortalAction::ManageWorkstation, &found.row)?;
        let licenses = held(tx, &found, now)?;
        Ok(Loss {
            workstation: view(tx, &found, now)?,
            seats: sum(licenses.iter().map(|license| license.seats)),
            may_write_off: sum(licenses.iter().map(|license| license.may_write_off)),
            licenses,
        })
    })
}

/// Declares a workstation lost: it gets nothing any more, and its key cannot be used again. With `write_off` its seats
/// count as free at once as far as the vendor's allowance reaches; the others when what was signed has ended. Again says
/// how it stands, and writes off what could not be before. Its owner, and operators.
pub fn declare_lost(
    portal: &Portal,
    caller: &Caller,
    workstation: WorkstationId,
    wish: DeclareLost,
) -> Result<DeclaredLost, Failure> {
    caller.id()?;
    let (caller, stamp) = (caller.clone(), portal.stamp(caller));
    let (lost, rung) = portal.db().write(move |tx| {
        let known = workstations::get(tx, workstation)?.ok_or(Failure::NotFound)?;
        allow_at(&caller, PortalAction::ManageWorkstation, &known.row)?;
        let (mut found, licenses) = sync::lock(tx, &known.row, &Look::all(), stamp.now)?;
        let before = found.row.status;
        if before == WorkstationStatus::Released {
            return Err(Failure::AlreadyReleased { name: found.row.name });
        }
        let held = held(tx, &found, stamp.now)?;
        let losses: Vec<LossFacts> = held.iter().map(facts).collect();
        let off = if wish.write_off { write_off(&losses) } else { Vec::new() };
        if wish.write_off && off.is_empty() && !held.is_empty() {
            return Err(Failure::NotWrittenOff {
                name: found.row.name,
                allowed: sum(held.iter().map(|license| license.write_offs_allowed)),
                used: sum(held.iter().map(|license| license.write_offs_used)),
                free_at: held.iter().map(|license| license.free_at.0).max().unwrap_or(stamp.now),
            });
        }
        for (license, seats) in &off {
            let Some(of) = held.iter().find(|held| held.license == *license) else { continue };
            let left = of.seats.saturating_sub(*seats);
            let row = &found.row;
            documents::count_at_most(tx, row.id, (row.acknowledged_rev, u64::MAX), *license, left)?;
            let (license, until) = (*license, of.free_at.0);
            receipts::write_off(tx, &WriteOff { license, workstation: row.id, seats: *seats, at: stamp.now, until })?;
        }
        found.row.status = WorkstationStatus::Lost;
        pins::clear(tx, workstation, stamp.now)?;
        workstations::update(tx, &found.row)?;
        let standing = standing(tx, &found, None, stamp.now)?;
        if before != WorkstationStatus::Lost || !off.is_empty() {
            let written_off: BTreeMap<String, u32> =
                off.iter().map(|(license, seats)| (license.to_string(), *seats)).collect();
            let detail = json!({
                "name": found.row.name, "seats": standing.seats, "free_at": standing.free_at,
                "written_off": if off.is_empty() { None } else { Some(written_off) },
                "may_be_used_until": held.iter().map(|license| license.free_at).max().filter(|_| !off.is_empty()),
            });
            audit::insert(tx, &stamp, "workstation.lost", &workstation.to_string(), &detail)?;
        }
        let mut rung = free_for_others(tx, &licenses, stamp.now)?;
        if found.row.mode == Mode::Online {
            bells::ring(tx, workstation, stamp.now)?;
            rung.insert(workstation);
        }
        let lost = DeclaredLost {
            workstation: view(tx, &found, stamp.now)?,
            written_off: sum(off.iter().map(|(_, seats)| *seats)),
            seats: standing.seats,
            free_at: standing.free_at,
        };
        Ok((lost, rung))
    })?;
    portal.bells().ring(&rung);
    Ok(lost)
}

/// Counts the seats of a pass, whose machine is lost, against the vendor's allowance, with everything else that is written off
/// of the license. Its license server asks, which signed `token` with its key over `body`; it frees them when this says
/// that they are written off. Of a pass once: asked again it says the same.
pub fn write_off_pass_signed(
    portal: &Portal,
    address: IpAddr,
    token: &str,
    body: &[u8],
) -> Result<PassWrittenOff, Failure> {
    let sender = sync::sender(portal, token, body)?;
    let WriteOffPass { pass, seats } =
        serde_json::from_slice(body).map_err(|why| Failure::invalid("body", format!("is not understood: {why}")))?;
    if seats.is_empty() || seats.len() > LICENSES_IN_PASS_MAX || seats.values().any(|seats| *seats == 0) {
        let wanted = format!("must name 1 to {LICENSES_IN_PASS_MAX} licenses, with a seat or more each");
        return Err(Failure::invalid("seats", wanted));
    }
    let stamp = portal.stamp(&Caller::nobody(address));
    portal.db().write(move |tx| {
        for license in seats.keys() {
            licenses::lock(tx, *license)?;
        }
        let found = workstations::lock(tx, sender.workstation)?.ok_or(Failure::NotFound)?;
        let row = &found.row;
        if row.mode != Mode::Online || row.status != WorkstationStatus::Active {
            return Err(Failure::NotOnline { name: row.name.clone() });
        }
        let held = documents::held_from(tx, row.id, 0, stamp.now)?;
        let before = receipts::pass_written_off(tx, pass)?;
        if before.iter().any(|(at, _)| *at != row.id) {
            return Err(Failure::NotFound);
        }
        let mut all = Vec::new();
        for license in seats.keys() {
            // Of a license that it has no seats of nobody hears that it exists.
            let theirs = held.iter().any(|held| held.license == *license) || before.contains(&(row.id, *license));
            let known = licenses::get(tx, *license)?.filter(|_| theirs).ok_or(Failure::NotFound)?;
            let used = receipts::written_off_since(tx, *license, stamp.now.plus(-WRITE_OFF_MS))?;
            all.push(WriteOffAllowance { license: *license, allowed: known.product.write_offs, used });
        }
        if !before.is_empty() {
            return Ok(PassWrittenOff { written_off: true, licenses: all });
        }
        let wanted = |of: &WriteOffAllowance| seats.get(&of.license).copied().unwrap_or_default();
        let written_off = all.iter().all(|of| of.used.saturating_add(wanted(of)) <= of.allowed);
        if written_off {
            for of in &mut all {
                let seats = wanted(of);
                receipts::write_off_pass(tx, (pass, row.id), (of.license, seats), stamp.now)?;
                of.used = of.used.saturating_add(seats);
            }
            let detail = json!({ "name": row.name, "pass": pass, "seats": seats });
            audit::insert(tx, &stamp, "workstation.pass_write_off", &row.id.to_string(), &detail)?;
        }
        Ok(PassWrittenOff { written_off, licenses: all })
    })
}
