//! Leases: checkout, heartbeat, resume, checkin. The engine decides; here requests become its inputs, and its outputs are
//! signed, which is too slow to do in its thread.

use super::failure::Failure;
use crate::keys::{Identity, grant_response};
use crate::random::SharedRandom;
use crate::server::Server;
use crate::store;
use crate::upstream::files;
use leasehold_core::codes::{DenialCode, LeaseEnd, explain_taken_back};
use leasehold_core::engine::{Denial, Engine, Input, LeaseAnswer, Output};
use leasehold_core::ids::LeaseId;
use leasehold_core::pool::{Ask, HeldBy, Lease, Release, Source};
use leasehold_core::random;
use leasehold_core::site::SiteLimit;
use leasehold_core::text::{self, is_or_are};
use leasehold_core::time::Ms;
use leasehold_core::times::TimeTable;
use leasehold_trust::{LEASE_VERSION, LeaseClaims, verify_lease};
use leasehold_web::problem::Problem;
use leasehold_wire::server::{
    CheckoutRequest, DenialResponse, EndedResponse, GrantResponse, HeartbeatRequest, Holder, LeaseResponse,
    ResumeRequest,
};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Holders shown with a denial.
const HOLDERS_SHOWN: usize = 5;

/// Names for signed answers: no two are equal, also across starts.
#[derive(Debug)]
pub(crate) struct Serials {
    start: u64,
    next: AtomicU64,
}

impl Serials {
    pub(crate) fn new(random: &SharedRandom) -> Serials {
        Serials { start: u64::from_le_bytes(random.draw(random::bytes)), next: AtomicU64::new(0) }
    }

    pub(super) fn next(&self) -> String {
        format!("{:016x}-{:x}", self.start, self.next.fetch_add(1, Ordering::Relaxed))
    }
}

/// What became of a request about a lease.
#[derive(Debug)]
pub(crate) enum LeaseOutcome {
    /// A seat is held.
    Leased(Box<LeaseResponse>),
    /// No seat.
    Denied(Box<DenialResponse>),
    /// The lease is over, or is not extended.
    Ended(EndedResponse),
}

/// Who reads a refusal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asker {
    /// From where.
    pub(super) address: IpAddr,
    /// An administrator, who sees every holder.
    pub(super) sees_all: bool,
}

impl Server {
    /// Takes seats. `key` is the idempotency key.
    pub(crate) async fn checkout(
        &self,
        source: Source,
        key: Arc<str>,
        request: CheckoutRequest,
    ) -> Result<LeaseOutcome, Failure> {
        if key.is_empty() || text::token(&key).is_err() {
            return Err(Failure::KeyMissing);
        }
        self.hear(source)?;
        let (ask, nonce) = split(request)?;
        let now = self.now();
        let id = self.0.random.draw(|random| LeaseId::draw(now, random));
        let output = self.0.engine.step(Input::Checkout { id, key, ask, source }).await?;
        self.outcome(output, source.address, nonce).await
    }

    /// Holds on to a lease. `secret` is what the caller showed, if anything.
    pub(crate) async fn heartbeat(
        &self,
        address: IpAddr,
        lease: LeaseId,
        secret: Option<&str>,
        request: HeartbeatRequest,
    ) -> Result<LeaseOutcome, Failure> {
        self.check_secret(address, lease, secret)?;
        check_nonce(&request.nonce)?;
        let input = Input::Heartbeat { lease, n: request.n, nonce: request.nonce.clone() };
        let output = self.0.engine.step(input).await?;
        self.outcome(output, address, request.nonce).await
    }

    /// Holds on to a lease that the server may have forgotten, because it was restored from an older state.
    pub(crate) async fn resume(
        &self,
        source: Source,
        lease: LeaseId,
        secret: Option<&str>,
        request: ResumeRequest,
    ) -> Result<LeaseOutcome, Failure> {
        self.check_secret(source.address, lease, secret)?;
        check_nonce(&request.nonce)?;
        if request.key.is_empty() || text::token(&request.key).is_err() {
            return Err(Failure::KeyMissing);
        }
        let (ask, _) = split(request.checkout)?;
        let Some(identity) = self.0.keys.identity() else {
            return Ok(LeaseOutcome::Ended(ended(LeaseEnd::LeaseGone, 0)));
        };
        let claims = verify_lease(&request.token, &identity.public).map_err(|_| Failure::LeaseDocument)?;
        if claims.iss != identity.workstation || claims.sub != lease || !says(&claims, &ask) {
            return Err(Failure::LeaseDocument);
        }
        if claims.exp <= self.now() {
            // Its holder has stopped, and the seat may be somebody else's by now.
            return Ok(LeaseOutcome::Ended(ended(LeaseEnd::LeaseGone, 0)));
        }
        let input = Input::Resume { lease, key: request.key, ask, source, n: request.n, nonce: request.nonce.clone() };
        let output = self.0.engine.step(input).await?;
        self.outcome(output, source.address, request.nonce).await
    }

    /// Gives a lease back.
    pub(crate) async fn checkin(&self, address: IpAddr, lease: LeaseId, secret: Option<&str>) -> Result<(), Failure> {
        self.check_secret(address, lease, secret)?;
        match self.0.engine.step(Input::Checkin { lease }).await? {
            Output::Released => Ok(()),
            Output::Unknown => Err(Failure::LeaseUnknown),
            other => Err(unexpected(&other)),
        }
    }

    /// Gives back whatever was or will be taken under a key.
    pub(crate) async fn checkin_key(&self, key: Arc<str>) -> Result<(), Failure> {
        if key.is_empty() || text::token(&key).is_err() {
            return Err(Failure::BadField("`key` must be 1 to 128 visible ASCII characters".to_owned()));
        }
        match self.0.engine.step(Input::CheckinKey { key }).await? {
            Output::Released => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// The grant document with a hash: the one in force, or one before it.
    pub(crate) async fn grant(&self, sha256: &str) -> Result<Arc<GrantResponse>, Failure> {
        let Some(identity) = self.0.keys.identity() else { return Err(Failure::GrantUnknown) };
        if identity.grant.sha256 == sha256 {
            return Ok(Arc::clone(&identity.grant));
        }
        let wanted = sha256.to_owned();
        let stored = self.0.db.read_async(move |tx| store::document_by_sha256(tx, &wanted)).await?;
        let stored = stored.ok_or(Failure::GrantUnknown)?;
        // Of a key that was given up since, it is of no use to anybody.
        let reread = files::reread(&stored, Some(&identity.root), &identity.public);
        reread.map(|reread| Arc::new(grant_response(&reread.activation))).map_err(|_| Failure::GrantUnknown)
    }

    fn check_secret(&self, address: IpAddr, lease: LeaseId, secret: Option<&str>) -> Result<(), Failure> {
        match secret {
            Some(secret) if self.0.keys.lease_secrets().verify_lease_secret(lease, secret) => Ok(()),
            _ => {
                self.0.administrator.wrong_lease_secret(address, self.now())?;
                Err(Failure::WrongSecret)
            }
        }
    }

    async fn outcome(&self, output: Output, asker: IpAddr, nonce: Box<str>) -> Result<LeaseOutcome, Failure> {
        match output {
            Output::Leased(answer) => self.signed(*answer, nonce).map(|signed| LeaseOutcome::Leased(Box::new(signed))),
            Output::Denied(denial) => Ok(LeaseOutcome::Denied(Box::new(
                self.denied(*denial, Asker { address: asker, sees_all: false }).await?,
            ))),
            Output::Ended { end, left_ms } => Ok(LeaseOutcome::Ended(ended(end, left_ms))),
            Output::TakenBack { left_ms, release } => {
                Ok(LeaseOutcome::Ended(taken_back(&release, left_ms, self.now())))
            }
            Output::KeyReused => Err(Failure::KeyReused),
            other => Err(unexpected(&other)),
        }
    }

    fn signed(&self, answer: LeaseAnswer, nonce: Box<str>) -> Result<LeaseResponse, Failure> {
        // It can only have gone while this answer was on its way: nothing is leased without a key.
        let identity = self.0.keys.identity().ok_or(Failure::OutcomeUnknown)?;
        let secret = self.0.keys.lease_secrets().lease_secret(answer.lease);
        let token = identity.signer.sign(&self.claims(&identity, &answer, nonce));
        Ok(LeaseResponse {
            lease: answer.lease,
            secret,
            feature: answer.feature,
            seats: answer.seats,
            ttl_s: answer.times.ttl_s,
            renew_after_s: answer.times.renew_after_s,
            grace_s: answer.times.grace_s,
            server_time: answer.at.into(),
            ends_at: answer.ends_at.into(),
            resumed: !answer.new,
            token,
            grant_sha256: answer.grant_sha256,
        })
    }

    fn claims(&self, identity: &Identity, answer: &LeaseAnswer, nonce: Box<str>) -> LeaseClaims {
        LeaseClaims {
            v: LEASE_VERSION,
            iss: identity.workstation,
            sub: answer.lease,
            jti: self.0.serials.next(),
            iat: answer.at,
            exp: TimeTable::DEFAULT.lease_freed_at(answer.at, answer.times),
            nonce: nonce.into(),
            feature: answer.feature.clone(),
            seats: answer.seats,
            user: (&*answer.user).into(),
            host: (&*answer.host).into(),
            ttl_s: answer.times.ttl_s,
            renew_after_s: answer.times.renew_after_s,
            grace_s: answer.times.grace_s,
            grant_sha256: (&*answer.grant_sha256).into(),
        }
    }

    /// With the holders whom the asker may see: those at the same address, and the others if that was opened.
    pub(super) async fn denied(&self, denial: Denial, asker: Asker) -> Result<DenialResponse, Failure> {
        let (open, feature) = (asker.sees_all || self.openness().holders, denial.feature.clone());
        let holders = if denial.code == DenialCode::NoSeats {
            let look = move |engine: &Engine, _| {
                let may_see = |lease: &Lease| open || lease.source.address == asker.address;
                engine.pool().holders(&feature, may_see, HOLDERS_SHOWN)
            };
            self.0.engine.look(look).await?.into_iter().map(holder).collect()
        } else {
            Vec::new()
        };
        Ok(denial_response(denial, holders, self.now()))
    }
}

fn holder(held: HeldBy) -> Holder {
    Holder { seats: held.seats, started_at: held.since.into(), user: (*held.user).into(), host: (*held.host).into() }
}

fn denial_response(denial: Denial, holders: Vec<Holder>, now: Ms) -> DenialResponse {
    let text = denial.explain();
    let (capacity, account) = (denial.capacity, denial.account);
    // Rounded up: asking a moment too early would be in vain.
    let free_in_s = denial.free_at.map(|at| (at.since(now).max(0) + 999) / 1_000);
    let detail = match (denial.code, free_in_s) {
        (DenialCode::NoSeats, _) => {
            let mut numbers = format!(
                "`{}`: {} asked for, {} of {} in use, {} free.",
                denial.feature, denial.seats, capacity.in_use, capacity.total, capacity.free
            );
            if capacity.borrowed > 0 {
                numbers.push_str(&format!(
                    " {} of those in use {} borrowed.",
                    capacity.borrowed,
                    is_or_are(capacity.borrowed.into())
                ));
            }
            if denial.held > 0 {
                numbers.push_str(&format!(
                    " {} of them {} held since the license server was restored from a backup.",
                    denial.held,
                    is_or_are(denial.held.into())
                ));
            }
            if capacity.reserved > 0 {
                numbers.push_str(&format!(
                    " {} {} kept for others.",
                    capacity.reserved,
                    is_or_are(capacity.reserved.into())
                ));
            }
            if let Some(account) = account {
                let more =
                    format!(" The account has {}, {} at other license servers.", account.seats, account.elsewhere);
                numbers.push_str(&more);
                if account.for_people > 0 {
                    numbers.push_str(&format!(
                        " {} more {} assigned to people.",
                        account.for_people,
                        is_or_are(account.for_people.into())
                    ));
                }
            }
            numbers
        }
        (DenialCode::Restored | DenialCode::ClockSuspect, Some(in_s)) => {
            format!("`{}` was asked for. New seats are given in {in_s} s.", denial.feature)
        }
        (DenialCode::Withdrawn, Some(in_s)) => {
            let why = denial.released.as_ref().map(|release| &*release.reason).filter(|reason| !reason.is_empty());
            let why = why
                .map(|reason| format!(" The reason given: {}.", reason.trim_end_matches(['.', ' '])))
                .unwrap_or_default();
            format!("`{}` was asked for; again in {in_s} s.{why}", denial.feature)
        }
        (DenialCode::NotAllowed, _) => denial.refused_by.map_or_else(
            || format!("`{}` was asked for.", denial.feature),
            |list| list.sentence(&denial.user, &denial.host),
        ),
        (DenialCode::BorrowLimit, _) => {
            let max = match denial.site_limit {
                Some(SiteLimit::BorrowSeats(max)) => max,
                _ => 0,
            };
            format!(
                "`{}`: {} asked for, {} of at most {max} are borrowed. `borrow_seats_max` of this license server says so.",
                denial.feature, denial.seats, capacity.borrowed
            )
        }
        (DenialCode::BorrowTooLong, _) => {
            let days = denial.borrow_days_max.unwrap_or(0);
            format!("`{}` can be borrowed for {days} days at most.", denial.feature)
        }
        _ => format!("`{}` was asked for.", denial.feature),
    };
    DenialResponse {
        problem: Problem::new(409, denial.code.word(), text.what).detail(detail).next(text.what_to_do, text.who),
        feature: denial.feature,
        seats: denial.seats,
        total: capacity.total,
        in_use: capacity.in_use,
        borrowed: capacity.borrowed,
        reserved: capacity.reserved,
        held: denial.held,
        free: capacity.free,
        account_total: account.map(|account| account.seats),
        account_elsewhere: account.map(|account| account.elsewhere),
        account_pending: account.map(|account| account.pending),
        account_for_people: account.map(|account| account.for_people),
        free_at: denial.free_at.map(Into::into),
        free_in_s,
        borrow_days_max: denial.borrow_days_max,
        reason: denial.released.map(|release| (*release.reason).to_owned()),
        holders,
    }
}

fn ended(end: LeaseEnd, left_ms: i64) -> EndedResponse {
    let status = if end == LeaseEnd::LeaseGone { 410 } else { 409 };
    let text = end.explain();
    EndedResponse {
        problem: Problem::new(status, end.word(), text.what).next(text.what_to_do, text.who),
        left_s: left_ms.max(0) / 1_000,
        not_again_s: None,
        reason: None,
    }
}

fn taken_back(release: &Release, left_ms: i64, now: Ms) -> EndedResponse {
    let text = explain_taken_back();
    let problem = Problem::new(409, LeaseEnd::Withdrawn.word(), text.what).next(text.what_to_do, text.who);
    let reason = release.reason.trim();
    let not_again_ms = match release.not_again_ms {
        0 => release.not_again_until.since(now),
        after_it_is_free_ms => left_ms.max(0) + after_it_is_free_ms,
    };
    EndedResponse {
        problem: if reason.is_empty() { problem } else { problem.detail(reason.to_owned()) },
        left_s: left_ms.max(0) / 1_000,
        not_again_s: Some(not_again_ms.max(0) / 1_000),
        reason: Some(reason.to_owned()).filter(|reason| !reason.is_empty()),
    }
}

/// The part of a checkout that makes it the same checkout, and its nonce. Every bound is checked here.
fn split(request: CheckoutRequest) -> Result<(Ask, Box<str>), Failure> {
    check_nonce(&request.nonce)?;
    let ask = Ask {
        feature: request.feature,
        seats: request.seats,
        version: request.version.into(),
        released_on: request.released_on,
        user: request.user.into(),
        host: request.host.into(),
        host_id: request.host_id.into(),
        boot_id: request.boot_id.into(),
        pid: request.pid,
        labels: request.labels,
    };
    ask.check().map_err(|error| Failure::BadField(error.to_string()))?;
    Ok((ask, request.nonce))
}

fn check_nonce(nonce: &str) -> Result<(), Failure> {
    if !nonce.is_empty() && text::token(nonce).is_ok() {
        return Ok(());
    }
    Err(Failure::BadField("`nonce` must be 1 to 128 visible ASCII characters".to_owned()))
}

/// Whether a lease document is about what is asked now.
fn says(claims: &LeaseClaims, ask: &Ask) -> bool {
    claims.feature == ask.feature && claims.seats == ask.seats && claims.user == *ask.user && claims.host == *ask.host
}

fn unexpected(output: &Output) -> Failure {
    Failure::Internal(format!("the engine answered {output:?}"))
}
