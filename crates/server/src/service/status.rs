//! What the server tells about itself: totals for everybody, holders for those who may see them. Shows only what is
//! committed.

use super::access::Caller;
use super::failure::Failure;
use crate::engine::Health;
use crate::server::Server;
use crate::store;
use leasehold_core::access::ServerAction;
use leasehold_core::clock::StartVerdict;
use leasehold_core::codes::DenialCode;
use leasehold_core::engine::{Document, Engine};
use leasehold_core::grant::Renew;
use leasehold_core::ids::LeaseId;
use leasehold_core::pool::{FeatureView, Lease, LineView, PoolView, Standing};
use leasehold_core::time::{Ms, SECOND_MS};
use leasehold_wire::server::{
    ActivationStatus, ClockStatus, ClockVerdict, FeatureStatus, GivenBack, HeldStatus, LeaseQuery, LeaseView,
    LineStatus, MovedStatus, OnlineState, Page, PingResponse, ReleasedView, RestoredStatus, ServerState,
    StatusResponse, StorageStatus,
};

/// Leases on a page if nobody says how many.
const PAGE_ITEMS: u32 = 50;
/// Most items on a page.
pub(super) const PAGE_ITEMS_MAX: u32 = 200;

/// A sign of life of the engine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pulse {
    /// Leases that are out.
    pub leases_out: usize,
    /// What it is told gets stored.
    pub storage_ok: bool,
}

/// What the engine tells in one look.
struct Seen {
    now: Ms,
    view: PoolView,
    document: Option<Document>,
    draining: bool,
    no_new: Option<(Ms, DenialCode)>,
    moved_until: Option<Ms>,
    leases_end_at: Option<Ms>,
    passes_out: usize,
    held: Option<HeldStatus>,
    held_until: Option<Ms>,
    given_back: Option<GivenBack>,
    put_back: Option<u64>,
}

fn see(engine: &Engine, now: Ms) -> Seen {
    let held_until = engine.unknown_until(now);
    Seen {
        now,
        view: engine.pool().view(now),
        document: engine.document().cloned(),
        draining: engine.draining(),
        no_new: engine.no_new(now),
        moved_until: engine.moved_until(),
        leases_end_at: engine.pool().last_freed_at().max(held_until),
        passes_out: engine.pool().passes_out(),
        held: held(engine),
        held_until,
        given_back: super::give_back::given_back(engine),
        put_back: engine.is_put_back(),
    }
}

fn held(engine: &Engine) -> Option<HeldStatus> {
    let held = engine.pool().unknown_passes();
    let of = |lease: &Lease| {
        let backup_at = lease.pass.as_ref()?.unknown_since?;
        Some((1, backup_at, lease.freed_at))
    };
    let whole = held.filter_map(of).reduce(|a, b| (a.0 + b.0, a.1.min(b.1), a.2.max(b.2)));
    whole.map(|(passes, backup_at, free_at)| HeldStatus {
        seats: engine.pool().unknown_product_seats().into(),
        passes,
        backup_at: backup_at.into(),
        free_at: free_at.into(),
    })
}

impl Server {
    /// Somebody is there. Asks nobody, so that it answers whatever the engine does.
    pub fn ping(&self) -> PingResponse {
        PingResponse {
            service: "leasehold".to_owned(),
            version: crate::VERSION.to_owned(),
            ready: self.0.keys.identity().is_some() && self.0.engine.health() == Health::Ok,
        }
    }

    /// Whether the engine answers, for whoever starts it again if it does not: `None` if it is gone. Waits for it. A full
    /// disk is no reason to start it again: running seats are kept, and it goes on by itself.
    pub async fn pulse(&self) -> Option<Pulse> {
        let leases_out = self.0.engine.look(|engine: &Engine, _| engine.pool().leases_out()).await.ok()?;
        match self.0.engine.health() {
            Health::Failed(_) => None,
            Health::Ok | Health::Stalled(_) => Some(Pulse { leases_out, storage_ok: self.storage().ok }),
        }
    }

    /// Whether changes can be stored; otherwise what is wrong, as a sentence.
    pub fn storage(&self) -> StorageStatus {
        match self.0.engine.health() {
            Health::Ok => StorageStatus { ok: true, problem: String::new() },
            Health::Stalled(problem) | Health::Failed(problem) => StorageStatus { ok: false, problem },
        }
    }

    /// The same for a caller: where the server keeps its files is for the administrator to read.
    fn storage_as_told_to(&self, caller: &Caller) -> StorageStatus {
        let storage = self.storage();
        if storage.ok || caller.is_signed_in() {
            return storage;
        }
        StorageStatus { problem: "The license server cannot store changes for now.".to_owned(), ..storage }
    }

    /// State, features and lines, without who uses what.
    ///
    /// # Errors
    /// [`Failure::OutcomeUnknown`] if the engine is gone, or the database's.
    pub async fn status(&self, caller: &Caller) -> Result<StatusResponse, Failure> {
        self.authorize(caller, ServerAction::ReadTotals)?;
        let seen = self.0.engine.look(see).await?;
        let state = self.state(&seen).await?;
        let online = self.online_status(caller).await?;
        let receipt = match state {
            ServerState::Disabled => self.receipt_status(caller).await?,
            _ => None,
        };
        let gives = gives_seats(state, online.as_ref().map(|online| online.state));
        let no_new_because = |code| seen.no_new.filter(|(_, because)| *because == code).map(|(until, _)| until);
        Ok(StatusResponse {
            version: crate::VERSION.to_owned(),
            server_time: seen.now.into(),
            state,
            activation: self.activation(seen.document.as_ref()),
            features: seen.view.features.into_iter().map(|view| feature(view, gives)).collect(),
            lines: seen.view.lines.into_iter().map(line).collect(),
            leases_out: u64::try_from(seen.view.leases_out).unwrap_or(u64::MAX),
            passes_out: u64::try_from(seen.passes_out).unwrap_or(u64::MAX),
            leases_end_at: seen.leases_end_at.map(Into::into),
            online,
            receipt,
            given_back: seen.given_back,
            put_back: seen.put_back,
            moved: seen.moved_until.map(|until| MovedStatus { new_leases_until: until.into() }),
            restored: no_new_because(DenialCode::Restored).map(|until| RestoredStatus {
                new_leases_from: until.into(),
                held_until: seen.held_until.map(Into::into),
            }),
            held: seen.held,
            clock: self.clock(seen.now, no_new_because(DenialCode::ClockSuspect)),
            storage: self.storage_as_told_to(caller),
            backup_problem: self.backup_problem().filter(|_| caller.is_signed_in()),
            browser_certificate_ends_at: self.own_certificate_ends_at().map(Into::into),
            usage_open: self.openness().usage,
            setup_needed: self.0.administrator.setup_needed(),
        })
    }

    /// When the administrator's own certificate ends; the one that is made here lasts.
    fn own_certificate_ends_at(&self) -> Option<Ms> {
        self.0.settings.get().tls.is_some().then(|| self.0.certificates.browsers_end_at()).flatten()
    }

    async fn state(&self, seen: &Seen) -> Result<ServerState, Failure> {
        if seen.draining {
            return Ok(ServerState::Draining);
        }
        if seen.document.is_some() {
            return Ok(ServerState::Active);
        }
        Ok(if self.is_disabled().await? { ServerState::Disabled } else { ServerState::NotActivated })
    }

    /// Whether the key was given up and there is no new one: its receipt stays the news until then.
    pub(super) async fn is_disabled(&self) -> Result<bool, Failure> {
        Ok(self.0.keys.key().is_none() && self.0.db.read_async(store::newest_receipt).await?.is_some())
    }

    fn activation(&self, document: Option<&Document>) -> Option<ActivationStatus> {
        let (document, root) = (document?, self.trust()?);
        Some(ActivationStatus {
            workstation: document.grant.workstation,
            workstation_name: document.grant.workstation_name.clone(),
            account_name: document.grant.account_name.clone(),
            vendor: root.name().to_owned(),
            vendor_fingerprint: root.fingerprint_text(),
            rev: document.grant.rev,
            issued_at: document.grant.issued_at.into(),
            ends_at: document.grant.ends_at().into(),
            grant_sha256: document.sha256.clone(),
        })
    }

    fn clock(&self, now: Ms, no_new_until: Option<Ms>) -> ClockStatus {
        let (at_start, off_by_ms) = match self.0.clock.verdict() {
            StartVerdict::Plausible | StartVerdict::Implausible => (ClockVerdict::Plausible, 0),
            StartVerdict::Behind { by_ms } => (ClockVerdict::Behind, by_ms),
            StartVerdict::Ahead { by_ms } => (ClockVerdict::Ahead, by_ms),
        };
        ClockStatus {
            at_start,
            off_by_s: off_by_ms / SECOND_MS,
            no_new_leases_until: no_new_until.map(Into::into),
            wall_ahead_s: self.0.clock.wall().since(now) / SECOND_MS,
        }
    }

    /// Who holds what, in order of lease.
    ///
    /// # Errors
    /// [`Failure::SignIn`] unless the administrator asks or opened it to everybody.
    pub async fn leases(&self, caller: &Caller, query: LeaseQuery) -> Result<Page<LeaseView>, Failure> {
        self.authorize(caller, ServerAction::ReadHolders)?;
        let limit = limit(query.limit)?;
        let look = move |engine: &Engine, _| {
            // One more than wanted tells whether there is a next page.
            engine.pool().leases_page(query.feature.as_ref(), query.after, limit + 1)
        };
        let mut leases = self.0.engine.look(look).await?;
        let more = leases.len() > limit;
        leases.truncate(limit);
        let next = leases.last().filter(|_| more).map(|lease| lease.id.to_string());
        Ok(Page { items: leases.into_iter().map(lease_view).collect(), next })
    }
}

/// One lease, with how many leases there are at its host and of its user.
#[derive(Clone, Debug)]
pub(crate) struct LeaseAmong {
    /// The lease.
    pub(crate) lease: LeaseView,
    /// Leases at the same host, itself included.
    pub(crate) at_host: u64,
    /// Leases of the same user, itself included.
    pub(crate) of_user: u64,
}

impl Server {
    /// One lease; `None` if it is not out any more.
    ///
    /// # Errors
    /// [`Failure::SignIn`] unless the administrator asks or opened it to everybody.
    pub(crate) async fn lease(&self, caller: &Caller, id: LeaseId) -> Result<Option<LeaseAmong>, Failure> {
        self.authorize(caller, ServerAction::ReadHolders)?;
        let look = move |engine: &Engine, _| {
            let pool = engine.pool();
            pool.lease(id).cloned().map(|lease| {
                let at_host = pool.count_leases(|other| other.ask.host == lease.ask.host);
                let of_user = pool.count_leases(|other| other.ask.user == lease.ask.user);
                (lease, at_host, of_user)
            })
        };
        let found = self.0.engine.look(look).await?;
        Ok(found.map(|(lease, at_host, of_user)| LeaseAmong { lease: lease_view(lease), at_host, of_user }))
    }
}

/// The wanted number of items on a page.
pub(super) fn limit(wanted: Option<u32>) -> Result<usize, Failure> {
    match wanted.unwrap_or(PAGE_ITEMS) {
        limit @ 1..=PAGE_ITEMS_MAX => Ok(limit as usize),
        _ => Err(Failure::BadField(format!("`limit` must be 1 to {PAGE_ITEMS_MAX}"))),
    }
}

/// Whether a server will give seats again that nobody uses.
pub(crate) fn gives_seats(state: ServerState, online: Option<OnlineState>) -> bool {
    state == ServerState::Active && !matches!(online, Some(OnlineState::Copy | OnlineState::Revoked))
}

fn feature(view: FeatureView, gives: bool) -> FeatureStatus {
    FeatureStatus {
        feature: view.feature,
        total: view.capacity.total,
        in_use: view.capacity.in_use,
        borrowed: view.capacity.borrowed,
        free: if gives { view.capacity.free } else { 0 },
        first_end: view.first_end.map(Into::into),
        last_end: view.last_end.map(Into::into),
        online: view.online,
        offline: view.offline,
    }
}

fn line(view: LineView) -> LineStatus {
    let LineView { line, seats_in_use, granted } = view;
    LineStatus {
        line: line.line,
        license: line.license,
        product: line.product,
        product_name: line.product_name,
        kind: line.kind,
        channel: line.channel,
        features: line.features,
        seats: line.seats,
        seats_in_use,
        until: line.until.into(),
        offline: line.terms.pinned || line.terms.renew != Renew::Sync,
        kept: line.terms.pinned,
        assigned: line.terms.assigned,
        share: line.terms.share,
        maintenance_until: line.terms.released_before,
        granted,
        borrow_days_max: line.terms.borrow_days_max,
    }
}

fn lease_view(lease: Lease) -> LeaseView {
    LeaseView {
        lease: lease.id,
        seats: lease.ask.seats,
        address: lease.source.address,
        started_at: lease.started_at.into(),
        seen_at: lease.seen_at.into(),
        freed_at: lease.freed_at.into(),
        shared: matches!(lease.standing, Standing::Shared { .. }),
        withdrawn: lease.withdrawn,
        pass: super::passes::pass_view(&lease, 0, 0),
        released: lease
            .released
            .map(|release| ReleasedView { reason: (*release.reason).to_owned(), told: lease.told_at.is_some() }),
        feature: lease.ask.feature,
        user: (*lease.ask.user).into(),
        host: (*lease.ask.host).into(),
        version: (*lease.ask.version).into(),
        pid: lease.ask.pid,
        labels: lease.ask.labels,
    }
}
