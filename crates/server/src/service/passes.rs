//! Passes: borrowing, extending, returning, and declaring lost. The engine decides; what comes in is verified here, and what
//! goes out is signed here.

use super::access::Caller;
use super::failure::Failure;
use super::leases::{Asker, LeaseOutcome};
use super::status::limit;
use crate::keys::Identity;
use crate::server::Server;
use leasehold_core::access::ServerAction;
use leasehold_core::engine::{Allowance, Document, Engine, Input, NotOut, Output, PassAnswer, PassOver};
use leasehold_core::ids::{LeaseId, PassId};
use leasehold_core::pool::{Ask, Lease, Source};
use leasehold_core::time::DAY_MS;
use leasehold_trust::pass::{
    PASS_VERSION, PassClaims, pass_file, pass_of_receipt, read_pass_receipt_file, read_pass_request,
    read_pass_request_file, verify_pass_receipt,
};
use leasehold_trust::{PublicKey, Thumbprint};
use leasehold_wire::portal::{PassWrittenOff, WriteOffAllowance, WriteOffPass};
use leasehold_wire::server::{LostResponse, NotOutResponse, Page, PassQuery, PassResponse, PassView, ReturnResponse};
use std::collections::BTreeMap;

/// What became of a wish to borrow.
#[derive(Debug)]
pub(crate) enum BorrowOutcome {
    /// Here is the pass.
    Borrowed(Box<PassResponse>),
    /// No pass.
    Refused(LeaseOutcome),
}

/// Where the portal counts what is written off.
const WRITE_OFFS: &str = "/api/v1/sync/write-offs";

impl Server {
    /// Lends seats to a machine, or extends its pass. `request` is the signed request, or the text of a request file.
    pub(crate) async fn borrow(&self, source: Source, request: &str) -> Result<BorrowOutcome, Failure> {
        self.hear(source)?;
        self.borrow_from(source, request).await
    }

    async fn borrow_from(&self, source: Source, request: &str) -> Result<BorrowOutcome, Failure> {
        let token = if request.starts_with("-----") {
            read_pass_request_file(request.as_bytes()).map_err(Failure::File)?
        } else {
            request.to_owned()
        };
        let now = self.now();
        let asked = read_pass_request(&token, now).map_err(Failure::File)?;
        let facts = asked.facts;
        if facts.machine.is_empty() {
            return Err(Failure::BadField("`machine` must not be empty".to_owned()));
        }
        if facts.days == 0 {
            return Err(Failure::BadField("`days` must be 1 or more".to_owned()));
        }
        let ask = Ask {
            feature: facts.feature,
            seats: facts.seats,
            version: facts.version.into(),
            released_on: facts.released_on,
            user: facts.user.into(),
            host: facts.host.into(),
            host_id: facts.machine.as_str().into(),
            boot_id: "".into(),
            pid: 0,
            labels: BTreeMap::new(),
        };
        ask.check().map_err(|error| Failure::BadField(error.to_string()))?;
        let input = Input::Borrow {
            id: self.0.random.draw(|random| LeaseId::draw(now, random)),
            key: asked.public_key.thumbprint().as_str().into(),
            jwk: asked.public_key.to_jwk().into(),
            machine: facts.machine.into(),
            ask,
            source,
            term_ms: i64::from(facts.days) * DAY_MS,
        };
        match self.0.engine.step(input).await? {
            Output::Borrowed(answer) => Ok(BorrowOutcome::Borrowed(Box::new(self.pass(*answer)?))),
            Output::Denied(denial) => {
                let asker = Asker { address: source.address, sees_all: false };
                Ok(BorrowOutcome::Refused(LeaseOutcome::Denied(Box::new(self.denied(*denial, asker).await?))))
            }
            Output::KeyReused => Err(Failure::PassOther),
            other => Err(Failure::Internal(format!("the engine answered {other:?}"))),
        }
    }

    /// The same for a request file that somebody carried here, by the administrator.
    ///
    /// # Errors
    /// [`Failure::SignIn`], [`Failure::File`], [`Failure::PassStands`], or [`Failure::Denied`] if nothing is lent.
    pub async fn lend(&self, caller: &Caller, request: &str) -> Result<PassResponse, Failure> {
        self.authorize(caller, ServerAction::Administer)?;
        // The machine is elsewhere: where the file comes from says nothing of it.
        let source = Source { address: caller.address(), loopback: false };
        match self.borrow_from(source, request).await? {
            // Its file would say more than the document that goes with it, and the machine would not take it.
            BorrowOutcome::Borrowed(pass) if !self.can_be_carried(&pass).await? => {
                Err(Failure::PassStands { until: pass.until.0 })
            }
            BorrowOutcome::Borrowed(pass) => Ok(*pass),
            BorrowOutcome::Refused(LeaseOutcome::Denied(denial)) => Err(Failure::Denied(denial)),
            BorrowOutcome::Refused(other) => Err(Failure::Internal(format!("a wish to borrow came to {other:?}"))),
        }
    }

    async fn can_be_carried(&self, pass: &PassResponse) -> Result<bool, Failure> {
        let (feature, until) = (pass.feature.clone(), pass.until.0);
        let allows = move |document: &Document| document.grant.allows_pass(&feature, until);
        Ok(self.0.engine.look(move |engine: &Engine, _| engine.document().is_none_or(allows)).await?)
    }

    fn pass(&self, answer: PassAnswer) -> Result<PassResponse, Failure> {
        // It can only have gone while this answer was on its way: nothing is lent without a key.
        let identity = self.0.keys.identity().ok_or(Failure::OutcomeUnknown)?;
        let claims = self.pass_claims(&identity, &answer)?;
        let token = identity.passes.sign(&claims);
        Ok(PassResponse {
            pass: answer.pass,
            feature: answer.feature,
            seats: answer.seats,
            until: answer.terms.until.into(),
            wanted_until: answer.wanted_until.into(),
            cut: answer.terms.until < answer.wanted_until,
            days_max: answer.terms.days_max,
            return_at_end: answer.terms.return_at_end,
            known: !answer.new,
            not_extended: answer.refused.map(|told| format!("{} {}", told.what, told.what_to_do)),
            file: pass_file(&identity.certificates, &token, &identity.grant.grant),
        })
    }

    fn pass_claims(&self, identity: &Identity, answer: &PassAnswer) -> Result<PassClaims, Failure> {
        let jkt = answer.terms.key.parse::<Thumbprint>().map_err(|error| Failure::Internal(error.to_string()))?;
        Ok(PassClaims {
            v: PASS_VERSION,
            iss: identity.workstation,
            sub: answer.pass,
            jti: self.0.serials.next(),
            iat: answer.at.floor_to_second(),
            nbf: answer.terms.begins_at.floor_to_second(),
            exp: answer.terms.until,
            jkt,
            machine: (&*answer.terms.machine).into(),
            feature: answer.feature.clone(),
            seats: answer.seats,
            user: (&*answer.user).into(),
            host: (&*answer.host).into(),
            days_max: answer.terms.days_max,
            return_at_end: answer.terms.return_at_end,
            // The document that goes with it, which is the one in force.
            grant_sha256: identity.grant.sha256.clone(),
        })
    }

    /// Takes a pass back. `receipt` is the signed receipt, or the text of a receipt file; `named` is the pass that the
    /// caller means, where it says so.
    pub(crate) async fn return_pass(&self, named: Option<PassId>, receipt: &str) -> Result<ReturnResponse, Failure> {
        let token = if receipt.starts_with("-----") {
            read_pass_receipt_file(receipt.as_bytes()).map_err(Failure::File)?
        } else {
            receipt.to_owned()
        };
        let pass = pass_of_receipt(&token).map_err(Failure::File)?;
        if named.is_some_and(|named| named != pass) {
            return Err(Failure::PassUnknown);
        }
        // Of one that was returned its key is gone here, too; the engine knows whether it was.
        if let Some(jwk) = self.0.engine.look(move |engine: &Engine, _| engine.key_of_pass(pass)).await? {
            let key = PublicKey::from_jwk(&jwk).map_err(|error| Failure::Internal(error.to_string()))?;
            verify_pass_receipt(&token, &key).map_err(Failure::File)?;
        }
        match self.0.engine.step(Input::Return { pass }).await? {
            Output::Returned { free_at } => Ok(ReturnResponse { free_at: free_at.map(Into::into) }),
            Output::Unknown => Err(Failure::PassUnknown),
            other => Err(Failure::Internal(format!("the engine answered {other:?}"))),
        }
    }

    /// Declares a pass lost: it is not extended any more, and its seats are free when it has ended, or at once within the
    /// vendor's allowance. The allowance of a server that is online is kept at the portal, which is asked first.
    ///
    /// # Errors
    /// [`Failure::SignIn`], [`Failure::PassUnknown`], [`Failure::WriteOff`] if the allowance does not reach,
    /// [`Failure::Portal`] if the portal is not reached or refuses: then nothing has changed.
    pub async fn lose_pass(&self, caller: &Caller, pass: PassId, write_off: bool) -> Result<LostResponse, Failure> {
        self.authorize(caller, ServerAction::Administer)?;
        let write_off = if write_off { Some(self.may_write_off(pass).await?) } else { None };
        match self.0.engine.step(Input::Lose { pass, write_off, act: caller.act() }).await? {
            Output::Lost { free_at, written_off } => Ok(LostResponse { free_at: free_at.into(), written_off }),
            Output::NotWrittenOff { allowed, used, seats, free_at } => {
                Err(Failure::WriteOff { allowed, used, seats, free_at })
            }
            Output::Unknown => Err(Failure::PassUnknown),
            other => Err(Failure::Internal(format!("the engine answered {other:?}"))),
        }
    }

    /// Frees seats that a restored server holds because they may have been lent after the backup, or that were returned
    /// after it: an administrator knows that no machine has them. Nothing is held any more of what is asked of in vain by
    /// [`NotOut::All`]: that is no error.
    ///
    /// # Errors
    /// [`Failure::SignIn`], [`Failure::PassUnknown`], [`Failure::NotHeld`] if these are no such seats, fewer than all of a pass, or not
    /// yet held, [`Failure::BadField`].
    pub async fn not_out(&self, caller: &Caller, which: NotOut) -> Result<NotOutResponse, Failure> {
        self.authorize(caller, ServerAction::Administer)?;
        if matches!(which, NotOut::Of { seats: 0, .. }) {
            return Err(Failure::BadField("`seats` must be at least 1".to_owned()));
        }
        match self.0.engine.step(Input::NotOut { which, act: caller.act() }).await? {
            Output::NotOut { freed, held } => Ok(NotOutResponse { freed, held }),
            Output::NotHeld { from } => Err(Failure::NotHeld { from }),
            Output::Unknown => Err(Failure::PassUnknown),
            other => Err(Failure::Internal(format!("the engine answered {other:?}"))),
        }
    }

    /// Has the portal count the seats of a pass as written off, if this server is online.
    async fn may_write_off(&self, pass: PassId) -> Result<Allowance, Failure> {
        let look = move |engine: &Engine, now| {
            let lease = engine.pool().lease(pass.lease()).filter(|lease| lease.pass.is_some())?;
            engine.online(now)?;
            Some((engine.seats_of_pass(lease), lease.freed_at))
        };
        let Some((seats, free_at)) = self.0.engine.look(look).await? else { return Ok(Allowance::Here) };
        let comes_to = seats.values().copied().max().unwrap_or_default();
        let wish = WriteOffPass { pass, seats };
        let body = serde_json::to_vec(&wish).map_err(|error| Failure::Internal(error.to_string()))?;
        let told: PassWrittenOff = self.ask_portal(WRITE_OFFS, self.way_to_portal().await?, body).await?;
        let left = |of: &WriteOffAllowance| i64::from(of.allowed) - i64::from(of.used);
        match told.licenses.iter().min_by_key(|of| left(of)).filter(|_| !told.written_off) {
            Some(of) => Err(Failure::WriteOff { allowed: of.allowed, used: of.used, seats: comes_to, free_at }),
            None => Ok(Allowance::AtPortal),
        }
    }

    /// What machines have borrowed, in order of pass; with what was written off, and may be in use still.
    ///
    /// # Errors
    /// [`Failure::SignIn`] unless the administrator asks or opened it to everybody.
    pub async fn passes(&self, caller: &Caller, query: PassQuery) -> Result<Page<PassView>, Failure> {
        self.authorize(caller, ServerAction::ReadHolders)?;
        let limit = limit(query.limit)?;
        let after = query.after.map(PassId::lease);
        let look = move |engine: &Engine, now| {
            let passes = engine.pool().passes_page(after, limit + 1);
            let view = |lease: Lease| {
                let (allowed, used) = engine.write_offs(&lease, now);
                pass_view(&lease, allowed, used)
            };
            let mut all: Vec<_> = passes.into_iter().filter_map(view).collect();
            let written_off = engine.written_off_in_use(after.map(PassId::of), now);
            all.extend(written_off.into_iter().filter_map(written_off_view));
            all.sort_by_key(|pass| pass.pass);
            all
        };
        let mut items = self.0.engine.look(look).await?;
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|pass| pass.pass.to_string());
        Ok(Page { items, next })
    }
}

impl Server {
    /// One pass; `None` if it is over.
    ///
    /// # Errors
    /// [`Failure::SignIn`] unless the administrator asks or opened it to everybody.
    pub(crate) async fn pass_of(&self, caller: &Caller, pass: PassId) -> Result<Option<PassView>, Failure> {
        self.authorize(caller, ServerAction::ReadHolders)?;
        let look = move |engine: &Engine, now| {
            let lease = engine.pool().lease(pass.lease())?;
            let (allowed, used) = engine.write_offs(lease, now);
            pass_view(lease, allowed, used)
        };
        Ok(self.0.engine.look(look).await?)
    }
}

/// A pass as it is shown; `None` for another lease.
pub(super) fn pass_view(lease: &Lease, write_offs_allowed: u32, write_offs_used: u32) -> Option<PassView> {
    let pass = lease.pass.as_ref()?;
    Some(PassView {
        pass: PassId::of(lease.id),
        feature: lease.ask.feature.clone(),
        seats: lease.ask.seats,
        user: (*lease.ask.user).into(),
        host: (*lease.ask.host).into(),
        address: lease.source.address,
        started_at: lease.started_at.into(),
        begins_at: pass.begins_at.into(),
        until: pass.until.into(),
        freed_at: lease.freed_at.into(),
        returned_at: pass.returned_at.map(Into::into),
        lost_at: pass.lost_at.map(Into::into),
        written_off_at: None,
        unknown_since: pass.unknown_since.map(Into::into),
        perhaps_until: pass.perhaps_until.map(Into::into),
        asked_at: pass.asked_at.map(Into::into),
        write_offs_allowed,
        write_offs_used,
    })
}

/// A pass that was written off as it is shown; `None` for one that ended otherwise.
fn written_off_view(over: PassOver) -> Option<PassView> {
    let holder = over.holder?;
    Some(PassView {
        pass: over.id,
        feature: holder.feature,
        seats: holder.seats,
        user: (*holder.user).into(),
        host: (*holder.host).into(),
        address: holder.address,
        started_at: holder.started_at.into(),
        begins_at: holder.begins_at.into(),
        until: over.until.into(),
        freed_at: over.at.into(),
        returned_at: None,
        lost_at: None,
        written_off_at: Some(over.at.into()),
        unknown_since: None,
        perhaps_until: None,
        asked_at: None,
        write_offs_allowed: 0,
        write_offs_used: 0,
    })
}
