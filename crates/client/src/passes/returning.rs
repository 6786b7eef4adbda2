//! Giving passes back: the receipt that destroys a pass's key, and bringing it to the license server that lent it.
//!
//! Nothing is given up before it is known that the way is open, unless a receipt file is wanted.

use super::info::{Returned, WhichPass};
use super::trouble::{PassFailure, PassTrouble};
use super::{Known, Passes, lender_of, refused};
use crate::client::Parts;
use crate::link::{GivenBack, Link};
use leasehold_core::ids::ReceiptId;
use leasehold_core::time::DAY_MS;
use leasehold_host::OsRandom;
use leasehold_trust::pass::{PassReceiptFacts, pass_receipt_file, sign_pass_receipt};
use std::sync::Arc;

/// The receipt of a pass is kept for so long after its end, in milliseconds. Its seats are free then without it; longer
/// than that, because a clock may be wrong for a while.
const RECEIPT_KEPT_MS: i64 = 30 * DAY_MS;

fn find(passes: &Passes, which: &WhichPass) -> Result<Known, PassFailure> {
    let known = passes.entries().into_iter().filter_map(|entry| passes.known(&entry)?.ok());
    let meant = |known: &Known| match which {
        WhichPass::Pass(pass) => known.pass.claims.sub == *pass,
        WhichPass::Feature(feature) => known.pass.claims.feature.as_str() == feature,
        WhichPass::Only => true,
    };
    let mut found: Vec<Known> = known.filter(meant).collect();
    // One that was given up waits for its receipt to be brought; it is meant only if there is no other.
    if found.iter().any(|known| known.entry.receipt().is_none()) {
        found.retain(|known| known.entry.receipt().is_none());
    }
    match found.len() {
        0 => Err(PassFailure::NoPass),
        1 => Ok(found.remove(0)),
        _ => Err(PassFailure::Several(found.iter().map(|known| known.pass.claims.sub).collect())),
    }
}

/// The pass is not used from now on: its receipt is on disk and its key destroyed. The receipt.
pub(super) fn give_up(passes: &Passes, known: &Known) -> Result<String, PassFailure> {
    if let Some(receipt) = known.entry.receipt() {
        return Ok(receipt);
    }
    let claims = &known.pass.claims;
    if claims.machine != passes.machine {
        // On its own machine it may still be used: a copy must not free its seats.
        let (feature, host) = (claims.feature.to_string(), claims.host.clone());
        return Err(PassFailure::Trouble(PassTrouble::OtherMachine { feature, host }));
    }
    let Some(_all) = known.entry.take(claims.sub, claims.seats, claims.seats) else {
        let in_use = known.entry.in_use(claims.sub, claims.seats);
        return Err(PassFailure::InUse { feature: claims.feature.to_string(), in_use });
    };
    let key = known.entry.key().ok_or(PassFailure::OtherKey)?;
    let now = passes.clock.wall();
    let facts = PassReceiptFacts {
        receipt: ReceiptId::draw(now, &mut OsRandom),
        pass: claims.sub,
        returned_at: now.floor_to_second(),
    };
    let receipt = sign_pass_receipt(&key, &facts);
    known.entry.give_up(&receipt).map_err(PassFailure::Disk)?;
    Ok(receipt)
}

/// Gives a pass back to the license server that lent it.
pub(crate) fn give_back(client: &Arc<Parts>, which: &WhichPass) -> Result<Returned, PassFailure> {
    let passes = &client.passes;
    let (_, _lock) = passes.lock()?;
    let known = find(passes, which)?;
    // Before anything is given up: whoever cannot reach the server keeps the pass, or makes a receipt file.
    let link = lender_of(client, known.lender()).map_err(|servers| PassFailure::LenderAway {
        lender: known.pass.grant.grant.workstation_name.clone(),
        servers,
    })?;
    let receipt = give_up(passes, &known)?;
    send(passes, &link, &known, &receipt)
}

pub(super) fn send(passes: &Passes, link: &Link, known: &Known, receipt: &str) -> Result<Returned, PassFailure> {
    let claims = &known.pass.claims;
    match link.return_pass(claims.sub, receipt) {
        Ok(given) => {
            known.entry.remove().map_err(PassFailure::Disk)?;
            let free_at = match given {
                GivenBack::FreeAt(at) => Some(at),
                GivenBack::Free | GivenBack::Unknown => None,
            };
            let unknown = given == GivenBack::Unknown && passes.clock.wall() < claims.exp;
            Ok(Returned { pass: claims.sub, feature: claims.feature.clone(), free_at, unknown })
        }
        // It stays given up, and is brought again: by the next command, or as a file.
        Err(trouble) => Err(refused(link, trouble)),
    }
}

/// The receipt of a pass as a file to carry. The pass is not used from now on.
pub(crate) fn receipt_file(client: &Arc<Parts>, which: &WhichPass) -> Result<String, PassFailure> {
    let passes = &client.passes;
    let (_, _lock) = passes.lock()?;
    let known = find(passes, which)?;
    give_up(passes, &known).map(|receipt| pass_receipt_file(&receipt))
}

/// Brings receipts that never arrived, and gives back what has ended, where the lender is in reach. Best effort: nothing
/// depends on it.
pub(super) fn settle(client: &Arc<Parts>) {
    let passes = &client.passes;
    for entry in passes.entries() {
        let Some(Ok(known)) = passes.known(&entry) else { continue };
        let ended = matches!(passes.usable(&known), Err(PassTrouble::Ended { .. }));
        let receipt = entry.receipt();
        if receipt.is_some() && passes.clock.wall().since(known.pass.claims.exp) > RECEIPT_KEPT_MS {
            let _ = entry.remove();
            continue;
        }
        if receipt.is_none() && !ended {
            continue;
        }
        let Ok(link) = lender_of(client, known.lender()) else { continue };
        let Ok(receipt) = receipt.map_or_else(|| give_up(passes, &known), Ok) else { continue };
        if let Err(failure) = send(passes, &link, &known, &receipt) {
            tracing::debug!(%failure, "a receipt for borrowed seats was not taken");
        }
    }
}
