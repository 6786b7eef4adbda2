//! The answer to a server of which nothing has changed (decision 0016). Must not give a seat: it looks at no license.

use super::bare;
use crate::Portal;
use crate::failure::Failure;
use crate::service::issue::Desk;
use crate::store::sync::{self, SyncRow};
use crate::store::workstations::{self, WorkstationRow};
use crate::store::{bells, documents};
use leasehold_core::license::Mode;
use leasehold_core::sync::{SyncAnswer, SyncRequest, WANT_MS};
use leasehold_core::text;
use leasehold_core::time::Ms;
use leasehold_db::Tx;
use leasehold_trust::secret::sha256_hex;
use leasehold_trust::sync::VerifiedRequest;
use leasehold_wire::portal::WorkstationStatus;

/// The answer to a server of which nothing has changed since the last, and for which nothing has.
pub(super) fn repeat(
    portal: &Portal,
    desk: &Desk,
    found: &WorkstationRow,
    request: &SyncRequest,
    verified: &VerifiedRequest,
) -> Result<Option<String>, Failure> {
    let now = desk.stamp.now;
    let (row, asked) = (found.clone(), request.clone());
    // Looked at before anything is written, so that a sync that needs more is not written twice.
    if portal.db().read(move |tx| repeatable(tx, &row, &asked, now))?.is_none() {
        return Ok(None);
    }
    let (id, asked, signer) = (found.id, request.clone(), desk.signer.clone());
    let (sha256, signed_at) = (verified.body_sha256.clone(), verified.signed_at);
    portal.db().write(move |tx| {
        let locked = workstations::lock(tx, id)?.ok_or(Failure::NotFound)?;
        let Some(mut last) = repeatable(tx, &locked.row, &asked, now)? else { return Ok(None) };
        let answer = SyncAnswer { pools: last.pools.clone(), bell: last.bell, ..bare(id, &asked, &sha256, now) };
        let signed = signer.sign_answer(&answer);
        (last.seq, last.seen_at, last.signed_at) = (asked.seq, now, signed_at);
        last.request_sha256.clone_from(&sha256);
        last.answer_sha256 = sha256_hex(signed.as_bytes());
        last.answer.clone_from(&signed);
        sync::put(tx, id, &last)?;
        Ok::<_, Failure>(Some(signed))
    })
}

/// The last sync of a server, if it says the same again and nothing happened that it should hear.
fn repeatable(
    tx: &mut Tx<'_>,
    row: &WorkstationRow,
    request: &SyncRequest,
    now: Ms,
) -> Result<Option<SyncRow>, Failure> {
    // What costs least first: a busy site never comes further than to who wants something.
    let online = row.mode == Mode::Online && row.status == WorkstationStatus::Active;
    let newest = request.rev == row.acknowledged_rev && request.rev == row.newest_rev;
    let same_server = text::cleaned(&request.server.host) == row.host
        && text::cleaned(&request.server.version) == row.server_version
        && text::cleaned(&request.server.machine) == row.machine;
    let wants_nothing = !request.draining && request.licenses.values().all(|report| report.want == 0);
    if !(online && newest && same_server && wants_nothing) || sync::anybody_wants(tx, row.owner, now.plus(-WANT_MS))? {
        return Ok(None);
    }
    let Some(last) = sync::get(tx, row.id)? else { return Ok(None) };
    let next = request.seq == last.seq + 1 && request.prev == last.answer_sha256 && now < last.repeat_until;
    // Who owes something is to be told how that stands.
    let same = request.licenses == last.report && !last.draining && last.told.values().all(|seats| *seats == 0);
    if !(next && same) || bells::news(tx, row.id)? != last.news {
        return Ok(None);
    }
    let presented = documents::token(tx, row.id, request.rev)?;
    Ok(Some(last).filter(|_| presented.as_deref() == Some(&*request.document)))
}
