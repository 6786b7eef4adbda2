//! Syncs of online license servers (`PROTOCOL.md` sections 2, 3 and 9): the portal's end.
//!
//! Here the first law holds between portal and servers that come by themselves, as in `issue` for those that are
//! served by file: licenses locked first, then the workstation, bells last.

mod look;
mod plan;

use super::issue::Desk;
use super::{Caller, allow_at};
use crate::Portal;
use crate::failure::Failure;
use crate::store::bells::{self, Due};
use crate::store::documents::{self, DocumentRow, StoredLine};
use crate::store::licenses::{self, LicenseRow};
use crate::store::sync::{self, Stated, SyncRow};
use crate::store::workstations::{self, Owned, WorkstationRow};
use crate::store::{assignments, audit, catalog, organizations, pins, promises, state};
use leasehold_core::access::PortalAction;
use leasehold_core::grant::Promise;
use leasehold_core::ids::{AccountId, LicenseId, WorkstationId};
use leasehold_core::license::{Mode, Scope};
use leasehold_core::sync::{PinState, PoolShare, SYNC_VERSION, SyncAnswer, SyncRequest, Verdict};
use leasehold_core::text;
use leasehold_core::time::{HOUR_MS, MINUTE_MS, Ms, SECOND_MS};
use leasehold_core::times::TimeTable;
use leasehold_db::Tx;
use leasehold_trust::secret::sha256_hex;
use leasehold_trust::sync::{VerifiedRequest, read_request_token};
use leasehold_trust::{PublicKey, verify_grant};
use leasehold_wire::portal::WorkstationStatus;
pub(super) use look::Look;
use plan::{Plan, Said, held, plan};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// A document is renewed when a new one would run longer by this part of its term.
const RENEW_PART: i64 = 28;
/// Of a license of which nothing changed a server is told the same again for this long, in milliseconds, without a look
/// at it: whatever it should hear is noted as due. Longer where many servers share licenses, as every look is at all of
/// them: for each of them [`REPEAT_EACH_MS`], at most [`REPEAT_MAX_MS`].
const REPEAT_MS: i64 = 5 * MINUTE_MS;
const REPEAT_EACH_MS: i64 = 3 * SECOND_MS;
const REPEAT_MAX_MS: i64 = HOUR_MS;
/// An administrator's recall is remembered this long, in milliseconds.
pub const RECALL_MS: i64 = 10 * MINUTE_MS;

/// Who sent a request, if its token was signed by the key of a workstation over exactly this body.
pub fn sender(portal: &Portal, token: &str, body: &[u8]) -> Result<VerifiedRequest, Failure> {
    Ok(identify(portal, token, body)?.0)
}

/// The same with the workstation as it is known now.
fn identify(portal: &Portal, token: &str, body: &[u8]) -> Result<(VerifiedRequest, WorkstationRow), Failure> {
    let unverified = read_request_token(token).map_err(|why| Failure::WorkstationKey(why.to_string()))?;
    let key = unverified.key.to_string();
    let known = portal.db().read(move |tx| Ok::<_, Failure>(workstations::by_key(tx, &key)?))?;
    let known = known.ok_or_else(|| Failure::WorkstationKey("no workstation here has this key".to_owned()))?;
    let key =
        PublicKey::from_jwk(&known.row.public_key).map_err(|why| Failure::Internal(format!("a stored key: {why}")))?;
    let verified = unverified.verify(&key, body, portal.now()).map_err(|why| match why {
        leasehold_trust::DocumentError::ClockWrong { file_at, now } => Failure::SyncClock { server: file_at, now },
        why => Failure::WorkstationKey(why.to_string()),
    })?;
    if verified.workstation != known.row.id {
        return Err(Failure::WorkstationKey("it speaks for another workstation".to_owned()));
    }
    Ok((verified, known.row))
}

/// Takes a sync; answers the signed answer.
pub fn sync(portal: &Portal, address: IpAddr, token: &str, body: &[u8]) -> Result<String, Failure> {
    let (verified, mut found) = identify(portal, token, body)?;
    let request: SyncRequest =
        serde_json::from_slice(body).map_err(|why| Failure::invalid("body", format!("is no sync request: {why}")))?;
    let fits = request.workstation == verified.workstation && request.seq == verified.seq && request.seq > 0;
    if !fits || request.v != SYNC_VERSION {
        return Err(Failure::invalid("body", "does not fit its signature"));
    }
    let sha256 = verified.body_sha256;
    loop {
        let desk = Desk::new(portal, &Caller::nobody(address))?;
        let (root, sha256, request) = (portal.root().clone(), sha256.clone(), request.clone());
        let (signed_at, row) = (verified.signed_at, found.clone());
        let taken = portal.db().write(move |tx| {
            let look = Look::of(tx, &row, &request, desk.stamp.now)?;
            let (workstation, licenses) = lock(tx, &row, &look, desk.stamp.now)?;
            if !Look::holds(&row, &workstation.row) {
                return Ok(None);
            }
            let mut counter =
                Counter { desk: &desk, root: &root, sha256: &sha256, signed_at, workstation, moved: false };
            counter.sync(tx, &request, &look, licenses).map(Some)
        })?;
        match taken {
            Some(Answered { answer, rung, gives }) => {
                portal.bells().ring(&rung);
                if gives {
                    crate::grants_log::hand_out(portal, found.id)?;
                }
                return Ok(answer);
            }
            None => found = identify(portal, token, body)?.1,
        }
    }
}

/// The licenses of which a workstation may have seats, or has some.
pub(super) fn licenses_of(tx: &mut Tx<'_>, row: &WorkstationRow, now: Ms) -> Result<BTreeSet<LicenseId>, Failure> {
    let mut ids: BTreeSet<LicenseId> = licenses::ids_for(tx, row.owner, row.scope)?.into_iter().collect();
    if row.scope == Scope::Person {
        let given = assignments::of_account(tx, row.owner)?.into_iter().filter(|given| given.usable);
        ids.extend(given.map(|given| given.license));
    }
    // And what it may still be using of others.
    ids.extend(documents::licenses_alive_from(tx, row.id, row.acknowledged_rev, now)?);
    Ok(ids)
}

/// Locks a workstation, as it was `found`, after the licenses that are to be looked at, and reads it again.
pub(super) fn lock(
    tx: &mut Tx<'_>,
    found: &WorkstationRow,
    look: &Look,
    now: Ms,
) -> Result<(Owned, Vec<LicenseRow>), Failure> {
    let rows = lock_licenses(tx, found, look, now)?;
    let locked = workstations::lock(tx, found.id)?.ok_or(Failure::NotFound)?;
    Ok((locked, rows))
}

/// Locks the licenses that are to be looked at for a workstation, in the order of their ids. Answers those that concern it.
pub(super) fn lock_licenses(
    tx: &mut Tx<'_>,
    row: &WorkstationRow,
    look: &Look,
    now: Ms,
) -> Result<Vec<LicenseRow>, Failure> {
    let all = match &look.only {
        Some(only) => only.clone(),
        None => &licenses_of(tx, row, now)? | &look.due,
    };
    for id in &all {
        licenses::lock(tx, *id)?;
    }
    if all.is_empty() {
        return Ok(Vec::new());
    }
    // Read once they are locked: one that was due may have become the workstation's just now.
    let ids = &licenses_of(tx, row, now)? & &all;
    let mut rows = if look.only.is_none() { licenses::all_of(tx, row.owner)? } else { Vec::new() };
    rows.retain(|license| ids.contains(&license.id));
    for id in ids {
        if rows.iter().all(|license| license.id != id) {
            rows.extend(licenses::get(tx, id)?);
        }
    }
    rows.sort_by_key(|license| license.id);
    Ok(rows)
}

/// One sync in its transaction.
struct Counter<'a> {
    desk: &'a Desk,
    root: &'a leasehold_trust::VendorRoot,
    /// Hash of the request.
    sha256: &'a str,
    /// When it was signed.
    signed_at: Ms,
    workstation: Owned,
    /// It is on another machine than before.
    moved: bool,
}

/// What comes of a sync.
struct Answered {
    /// Signed.
    answer: String,
    rung: BTreeSet<WorkstationId>,
    /// There may be a document in it.
    gives: bool,
}

impl Counter<'_> {
    fn sync(
        &mut self,
        tx: &mut Tx<'_>,
        request: &SyncRequest,
        look: &Look,
        licenses: Vec<LicenseRow>,
    ) -> Result<Answered, Failure> {
        let id = self.workstation.row.id;
        let mut last = sync::get(tx, id)?.unwrap_or_default();
        if self.workstation.row.status == WorkstationStatus::Released {
            return Ok(self.only(request, Verdict::Ended, ""));
        }
        if self.workstation.row.mode != Mode::Online {
            return Ok(self.only(request, Verdict::ByFile, ""));
        }
        if request.seq == last.seq && last.request_sha256 == self.sha256 {
            return Ok(Answered { answer: last.answer, rung: BTreeSet::new(), gives: true });
        }
        let next = request.seq == last.seq + 1 && request.prev == last.answer_sha256;
        // Numbers that this portal never saw: it lost them, not the server.
        let lost = request.seq > last.seq + 1;
        if !next && !lost {
            return self.fork(tx, request, last);
        }
        let stated = sync::stated_by(tx, id)?;
        if look.is_nothing() && next {
            let answer = self.answer(tx, request, Verdict::Ok, None, (look, last.pools.clone()))?;
            let signed = self.take(tx, request, last, answer, (look, &stated, &BTreeMap::new()))?;
            return Ok(Answered { answer: signed, rung: BTreeSet::new(), gives: false });
        }
        let row_before = self.workstation.row.clone();
        let newest = self.hear(tx, request, lost)?;
        let ended = match self.workstation.row.status {
            WorkstationStatus::Revoked => Some(Verdict::Ended),
            WorkstationStatus::Lost => Some(Verdict::Lost),
            WorkstationStatus::Active | WorkstationStatus::Released => None,
        };
        let licenses = if ended.is_some() { Vec::new() } else { licenses };
        let now = self.desk.stamp.now;
        let before = held(request, newest.as_ref(), &stated);
        let said = Said { now: &request.licenses, before, draining: request.draining };
        let mut plan = plan(tx, &self.workstation.row, licenses, &said, now)?;
        if let Some(looked) = &look.only {
            plan.keep_others(looked, newest.as_ref(), &request.licenses, &last);
        }
        let newest = self.document(tx, request, &plan, newest)?;
        if self.workstation.row != row_before {
            workstations::update(tx, &self.workstation.row)?;
        }
        for license in &look.due {
            bells::told(tx, id, *license)?;
        }
        let rung = bells::ring_of(tx, &plan.rung, &plan.noted, now)?;
        let verdict = ended.filter(|_| newest.is_none()).unwrap_or(Verdict::Ok);
        last.repeat_until = plan.repeat_until;
        let answer = self.answer(tx, request, verdict, newest, (look, plan.shares))?;
        let gives = answer.grant.is_some();
        Ok(Answered { answer: self.take(tx, request, last, answer, (look, &stated, &plan.taken))?, rung, gives })
    }

    fn bare(&self, request: &SyncRequest, verdict: Verdict, other_host: &str) -> SyncAnswer {
        SyncAnswer {
            workstation: self.workstation.row.id,
            seq: request.seq,
            request_sha256: self.sha256.to_owned(),
            verdict,
            at: self.desk.stamp.now.floor_to_second(),
            grant: None,
            pools: Vec::new(),
            pins: Vec::new(),
            pins_rev: 0,
            bell: 0,
            other_host: other_host.to_owned(),
        }
    }

    /// An answer that changes nothing.
    fn only(&self, request: &SyncRequest, verdict: Verdict, other_host: &str) -> Answered {
        let answer = self.desk.signer.sign_answer(&self.bare(request, verdict, other_host));
        Answered { answer, rung: BTreeSet::new(), gives: false }
    }

    fn answer(
        &self,
        tx: &mut Tx<'_>,
        request: &SyncRequest,
        verdict: Verdict,
        grant: Option<String>,
        (look, pools): (&Look, Vec<PoolShare>),
    ) -> Result<SyncAnswer, Failure> {
        let id = self.workstation.row.id;
        let pins = pins::of(tx, id)?.into_iter().map(|(license, pin)| PinState { license, pin }).collect();
        let pins_rev = pins::rev_of(tx, id)?;
        Ok(SyncAnswer { grant, pools, pins, pins_rev, bell: look.bell.rung, ..self.bare(request, verdict, "") })
    }

    /// Stores that a sync was taken and what was answered; `last` was the one before, and `stated` what was said with it.
    fn take(
        &self,
        tx: &mut Tx<'_>,
        request: &SyncRequest,
        last: SyncRow,
        answer: SyncAnswer,
        (look, stated, taken): (&Look, &BTreeMap<LicenseId, Stated>, &BTreeMap<LicenseId, u32>),
    ) -> Result<String, Failure> {
        let id = self.workstation.row.id;
        let signed = self.desk.signer.sign_answer(&answer);
        let row = SyncRow {
            seq: request.seq,
            request_sha256: self.sha256.to_owned(),
            answer_sha256: sha256_hex(signed.as_bytes()),
            answer: signed.clone(),
            seen_at: self.desk.stamp.now,
            signed_at: self.signed_at,
            draining: request.draining,
            pools: answer.pools,
            news: look.bell.news,
            ..last
        };
        let mut now = look::stated(request, &row);
        for (license, stated) in &mut now {
            // It says so only with its next sync; until then nobody is to ask it back as idle.
            stated.report.used = stated.report.used.saturating_add(taken.get(license).copied().unwrap_or(0));
        }
        sync::put(tx, id, &row)?;
        sync::put_stated(tx, id, stated, &now)?;
        Ok(signed)
    }

    /// Somebody with this key has synced since: the first goes on, this one does not.
    fn fork(&self, tx: &mut Tx<'_>, request: &SyncRequest, mut last: SyncRow) -> Result<Answered, Failure> {
        let (id, now) = (self.workstation.row.id, self.desk.stamp.now);
        let host = text::cleaned(&request.server.host);
        let told = last.forked_at.is_some_and(|at| now.since(at) < MINUTE_MS) && last.forked_host == host;
        // One that was signed in a second before that of the last that was taken may as well be an old request that
        // somebody sends again.
        if !told && self.signed_at >= last.signed_at {
            let detail = json!({
                "alarm": "forked", "name": self.workstation.row.name, "goes_on": self.workstation.row.host, "stopped": host,
            });
            audit::insert(tx, &self.desk.stamp, "workstation.fork", &id.to_string(), &detail)?;
            (last.forked_at, last.forked_host) = (Some(now), host);
            sync::put(tx, id, &last)?;
        }
        let goes_on = self.workstation.row.host.clone();
        Ok(self.only(request, Verdict::Forked, &goes_on))
    }

    /// Takes over what the server says: the document that it obeys, what it keeps, its machine. Answers the newest
    /// document.
    fn hear(&mut self, tx: &mut Tx<'_>, request: &SyncRequest, lost: bool) -> Result<Option<DocumentRow>, Failure> {
        let id = self.workstation.row.id;
        let mut newest = documents::newest(tx, id)?;
        let presents_newest = !lost && newest.as_ref().is_some_and(|newest| newest.token == request.document);
        let presented = match newest.as_ref().filter(|_| presents_newest) {
            Some(newest) => newest.rev,
            None => {
                let presented = self.present(tx, request, lost)?;
                // What was presented may have been adopted.
                newest = documents::newest(tx, id)?;
                presented
            }
        };
        let row = &mut self.workstation.row;
        let acknowledged_before = row.acknowledged_rev;
        // Also one that this portal lost: what it has of older ones may have been given to others since, and no document
        // that it lost and that the server obeys runs longer than it learns what is out.
        if request.rev > row.acknowledged_rev && request.rev <= presented {
            documents::void(tx, id, row.acknowledged_rev, request.rev)?;
            row.acknowledged_rev = request.rev;
        }
        // More than was signed cannot be kept: of the newest, whose rows are at hand, only what is less is looked at.
        let signed = |license: LicenseId| {
            let lines = newest.iter().flat_map(|newest| &newest.lines).map(|stored| &stored.line);
            lines.filter(|line| line.license == license && line.terms.recallable).map(|line| line.seats).max()
        };
        for (license, report) in &request.licenses {
            if !presents_newest || signed(*license).is_some_and(|seats| report.keep < seats) {
                documents::lower(tx, id, presented, *license, report.keep)?;
            }
        }
        let acknowledged = row.acknowledged_rev;
        self.lower_older(tx, request, acknowledged, presented)?;
        if acknowledged_before < presented {
            self.promised(tx, request, acknowledged, presented)?;
        }
        let row = &mut self.workstation.row;
        row.host = text::cleaned(&request.server.host);
        row.server_version = text::cleaned(&request.server.version);
        let machine = text::cleaned(&request.server.machine);
        self.moved = row.machine != machine;
        row.machine = machine;
        Ok(newest)
    }

    /// While something runs out that stands on documents older than the presented one, these count for no more than the
    /// server keeps: it has not promised less for any of them, and of a license that it does not name it has nothing left.
    fn lower_older(
        &self,
        tx: &mut Tx<'_>,
        request: &SyncRequest,
        acknowledged: u64,
        presented: u64,
    ) -> Result<(), Failure> {
        if acknowledged >= presented {
            return Ok(());
        }
        let id = self.workstation.row.id;
        let documents = documents::alive_from(tx, id, acknowledged, self.desk.stamp.now)?;
        let pinned = |of: &DocumentRow, license: LicenseId| {
            let lines = of.lines.iter().filter(|stored| stored.line.license == license && stored.line.terms.pinned);
            lines.map(|stored| stored.line.seats).fold(0, u32::saturating_add)
        };
        for older in documents.iter().filter(|document| document.rev < presented) {
            let licenses: BTreeSet<LicenseId> = older.lines.iter().map(|stored| stored.line.license).collect();
            for license in licenses {
                let lines = older.lines.iter().filter(|stored| stored.line.license == license);
                // What stands on lines that came by file is not in the report; nor what is kept for use without a portal,
                // which `lower` leaves as it is.
                let mut lines = lines.filter(|stored| !stored.line.terms.pinned);
                if lines.all(|stored| stored.line.terms.recallable) {
                    let kept = request.licenses.get(&license).map_or(0, |report| report.keep);
                    // What stood on lines of the older one may stand on lines by now that were kept since, beside these.
                    let newer = documents.iter().filter(|newer| older.rev < newer.rev && newer.rev <= presented);
                    let most = newer.map(|newer| pinned(newer, license)).max().unwrap_or(0);
                    let since = most.saturating_sub(pinned(older, license));
                    documents::lower(tx, id, older.rev, license, kept.saturating_add(since))?;
                }
            }
        }
        Ok(())
    }

    /// What it promises of documents that are older than the presented one, while it may still obey one of them.
    fn promised(
        &self,
        tx: &mut Tx<'_>,
        request: &SyncRequest,
        acknowledged: u64,
        presented: u64,
    ) -> Result<(), Failure> {
        let (id, now) = (self.workstation.row.id, self.desk.stamp.now);
        if acknowledged >= presented {
            return Ok(promises::clear(tx, id)?);
        }
        // Where it cannot say, what it promised before still holds.
        let Some(running_out) = &request.running_out else { return Ok(()) };
        let (documents, _) = documents::counted_of(tx, id, acknowledged, now)?;
        let older = documents.iter().filter(|document| document.rev < presented).flat_map(|document| &document.lines);
        let licenses: BTreeSet<LicenseId> = older.map(|line| line.license).collect();
        for license in licenses {
            let keep = request.licenses.get(&license).map_or(0, |report| report.keep);
            let out = running_out.get(&license).copied().unwrap_or(0);
            let promise = Promise::made(&documents, (presented, license), (keep, out), now);
            promises::put(tx, id, license, promise)?;
        }
        Ok(())
    }

    /// The number of the presented document, which is not the newest or cannot be trusted to be. One that this portal
    /// does not know is adopted and counts from now on.
    fn present(&mut self, tx: &mut Tx<'_>, request: &SyncRequest, lost: bool) -> Result<u64, Failure> {
        let (id, now) = (self.workstation.row.id, self.desk.stamp.now);
        let damaged = |why: &dyn std::fmt::Display| Failure::invalid("document", format!("cannot be used: {why}"));
        let signed = verify_grant(&request.document, self.root, now).map_err(|why| damaged(&why))?;
        let bound = signed.jkt.to_string() == self.workstation.row.key_thumbprint && signed.grant.workstation == id;
        if !bound {
            return Err(damaged(&"it is another workstation's"));
        }
        let rev = signed.grant.rev;
        let known = documents::token(tx, id, rev)?;
        if known.as_deref() == Some(&*request.document) && !lost {
            return Ok(rev);
        }
        // A portal that lost something keeps what the document that the server obeys says is kept, unless it knows a newer one.
        if rev >= self.workstation.row.newest_rev {
            super::pins::learn(tx, id, &signed.grant.lines, now)?;
        }
        if known.is_none() {
            let line = |line: leasehold_core::grant::Line| {
                let freed_at = self.desk.times.line_freed_at(line.until, &line.terms);
                StoredLine { line, freed_at }
            };
            let document = DocumentRow {
                id: signed.id,
                workstation: id,
                rev,
                token: request.document.clone(),
                issued_at: signed.grant.issued_at,
                ends_at: signed.grant.ends_at(),
                lines: signed.grant.lines.into_iter().map(line).collect(),
            };
            documents::insert(tx, &document, false)?;
        }
        let row = &mut self.workstation.row;
        row.newest_rev = row.newest_rev.max(rev);
        let detail = json!({ "alarm": "adopted", "rev": rev, "seq": request.seq, "name": row.name });
        audit::insert(tx, &self.desk.stamp, "grant.adopt", &id.to_string(), &detail)?;
        learn(tx, now, &self.desk.times)?;
        Ok(rev)
    }

    /// The newest document, if the server does not obey it: a new one if what it holds, or until when, is to change.
    fn document(
        &mut self,
        tx: &mut Tx<'_>,
        request: &SyncRequest,
        plan: &Plan,
        newest: Option<DocumentRow>,
    ) -> Result<Option<String>, Failure> {
        let lines = self.desk.planned_lines(tx, &self.workstation.row, plan, newest.as_ref())?;
        let token = match newest.filter(|newest| self.is_good(newest, &lines, request)) {
            Some(newest) => newest.token,
            None => {
                let document = self.desk.document(&mut self.workstation, lines, None)?;
                // What lasts longer than a portal takes to learn what is out is in `grants.log` before anybody has it.
                let lasts = document.lines.iter().any(|stored| stored.line.terms.pinned);
                if !documents::insert(tx, &document, lasts)? {
                    return Err(Failure::Internal("a document number was given twice".to_owned()));
                }
                document.token
            }
        };
        Ok(Some(token).filter(|token| *token != request.document))
    }

    /// Whether a document says what is to be held, and runs long enough.
    fn is_good(&self, newest: &DocumentRow, lines: &[StoredLine], request: &SyncRequest) -> bool {
        let same = |old: &StoredLine, new: &StoredLine| {
            let (old, new) = (&old.line, &new.line);
            let gained_ms = new.until.since(old.until);
            let term_ms = new.until.since(self.desk.stamp.now);
            let renamed = leasehold_core::grant::Line { until: old.until, ..new.clone() } != *old;
            if old.terms.pinned {
                return !renamed && old.until == new.until;
            }
            let lowered = request.licenses.get(&old.license).is_some_and(|report| report.keep < old.seats);
            !renamed && !lowered && gained_ms >= 0 && gained_ms < worth_renewing_ms(term_ms)
        };
        let fits = newest.lines.len() == lines.len() && newest.lines.iter().zip(lines).all(|(old, new)| same(old, new));
        fits && !self.moved
    }
}

/// So much more time, in milliseconds, is worth a new document of a term.
fn worth_renewing_ms(term_ms: i64) -> i64 {
    (term_ms / RENEW_PART).max(MINUTE_MS)
}

/// Begins the time in which a portal that lost something learns what is out: every online document that it does not know
/// has ended by the end of it, or was presented.
pub(super) fn learn(tx: &mut Tx<'_>, now: Ms, times: &TimeTable) -> Result<Ms, Failure> {
    let term_ms = (catalog::longest_online_term_s(tx)? * SECOND_MS).max(times.online_term_preset_ms);
    let until = now.plus(term_ms + times.online_allowance_ms);
    if state::learning_until(tx)? <= now {
        // What was decided about an earlier loss says nothing about this one.
        licenses::raise_none_while_learning(tx)?;
    }
    state::learn_until(tx, until)?;
    Ok(until)
}

/// Asks idle seats back from an online workstation, of those that it holds; answers how many. Its owner, and operators.
pub fn recall(
    portal: &Portal,
    caller: &Caller,
    workstation: WorkstationId,
    license: LicenseId,
    seats: u32,
) -> Result<u32, Failure> {
    caller.id()?;
    if seats == 0 {
        return Err(Failure::invalid("seats", "must be at least 1"));
    }
    let (caller, stamp) = (caller.clone(), portal.stamp(caller));
    let (recalled, rung) = portal.db().write(move |tx| {
        licenses::lock(tx, license)?;
        let found = workstations::lock(tx, workstation)?.ok_or(Failure::NotFound)?;
        allow_at(&caller, PortalAction::ManageWorkstation, &found.row)?;
        if found.row.mode != Mode::Online || found.row.status != WorkstationStatus::Active {
            return Err(Failure::NotOnline { name: found.row.name });
        }
        let lines = documents::newest(tx, workstation)?.map(|newest| newest.lines).unwrap_or_default();
        // What it keeps for use without the portal is released, not asked back.
        let of_license = lines.iter().map(|stored| &stored.line);
        let of_license = of_license.filter(|line| line.license == license && !line.terms.pinned);
        let held = of_license.map(|line| line.seats).fold(0, u32::saturating_add);
        if held == 0 {
            return Err(Failure::invalid("license", "must be one of which it holds seats"));
        }
        let seats = seats.min(held);
        sync::recall(tx, license, workstation, seats, stamp.now.plus(RECALL_MS))?;
        let detail = json!({ "name": found.row.name, "license": license, "seats": seats });
        audit::insert(tx, &stamp, "workstation.recall", &workstation.to_string(), &detail)?;
        let rung = bells::ring_of(tx, &Due::from([(workstation, license)]), &Due::new(), stamp.now)?;
        Ok::<_, Failure>((seats, rung))
    })?;
    portal.bells().ring(&rung);
    Ok(recalled)
}

/// Whether an account may enable a server for its organization: it must own one.
pub(super) fn check_scope(tx: &mut Tx<'_>, account: AccountId, scope: Scope) -> Result<(), Failure> {
    if scope == Scope::Organization && organizations::id_of(tx, account)?.is_none() {
        return Err(Failure::NoOrganization);
    }
    Ok(())
}
