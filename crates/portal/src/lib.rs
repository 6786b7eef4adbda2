//! The vendor's portal: accounts, products, licenses, workstations, and the documents that let license servers run.
//!
//! A request takes one way: [`api`] or `pages` (parse, who is asking) -> [`service`] (one use case, one transaction) ->
//! `leasehold-core` (decide) -> [`store`] (write). Services are synchronous and block; the two fronts call them through
//! [`Portal::run`]. Time and randomness come in with [`Parts`].

pub mod admin;
pub mod api;
mod bells;
pub mod config;
pub mod failure;
pub mod front;
pub mod grants_log;
mod jobs;
pub mod keys;
pub mod mail;
pub mod pages;
pub mod passwords;
pub mod serve;
pub mod service;
pub mod store;
pub mod throttle;

pub use admin::{
    AdminError, BackupReport, InitReport, RestoreReport, backup, create_operator, init, migrate, pass_organization,
    restore, set_password,
};
pub use api::openapi;
pub use config::Config;
pub use failure::Failure;
pub use serve::{ServeError, serve, serve_on};
pub use service::Caller;

use grants_log::GrantsLog;
use leasehold_core::ids::AuditId;
use leasehold_core::random::Random;
use leasehold_core::time::{Clock, Ms};
use leasehold_core::times::TimeTable;
use leasehold_db::Db;
use leasehold_trust::PortalSigner;
use mail::Mailer;
use passwords::Passwords;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use store::audit::Stamp;
use throttle::Throttle;

/// What a portal is made of.
pub struct Parts {
    /// The database, migrated.
    pub db: Db,
    /// The keys with which it signs.
    pub signer: PortalSigner,
    /// The copy of issued documents that a lost database is restored from.
    pub grants_log: GrantsLog,
    /// The clocks.
    pub clock: Arc<dyn Clock>,
    /// Where secrets and ids come from.
    pub random: Box<dyn Random>,
    /// How people reach it and are written to.
    pub site: Site,
}

/// How people reach the portal and are written to.
#[derive(Debug)]
pub struct Site {
    /// Scheme, host and port, no slash at the end: what links in letters begin with.
    pub base_url: String,
    /// Sends letters; without it operators read them.
    pub mailer: Option<Mailer>,
}

impl Default for Site {
    /// Of a portal that nobody reaches from elsewhere.
    fn default() -> Site {
        Site { base_url: "http://localhost:8080".to_owned(), mailer: None }
    }
}

/// A running portal. Cheap to clone; all clones are the same portal.
#[derive(Clone)]
pub struct Portal(Arc<Inner>);

struct Inner {
    db: Db,
    signer: Arc<PortalSigner>,
    grants_log: GrantsLog,
    clock: Arc<dyn Clock>,
    random: Mutex<Box<dyn Random>>,
    times: TimeTable,
    passwords: Passwords,
    throttle: Throttle,
    letters_asked: Throttle,
    site: Site,
    bells: bells::Bells,
    clock_fits: AtomicBool,
    /// When the database last took a change that was made to see whether it does, on the clock that counts suspend.
    took_changes_at: Mutex<Option<i64>>,
}

impl Portal {
    /// Puts a portal together; nothing runs yet.
    pub fn new(parts: Parts) -> Portal {
        Portal(Arc::new(Inner {
            db: parts.db,
            signer: Arc::new(parts.signer),
            grants_log: parts.grants_log,
            clock: parts.clock,
            random: Mutex::new(parts.random),
            times: TimeTable::DEFAULT,
            passwords: Passwords::default(),
            throttle: Throttle::default(),
            letters_asked: Throttle::of_letters(),
            site: parts.site,
            bells: bells::Bells::default(),
            clock_fits: AtomicBool::new(true),
            took_changes_at: Mutex::new(None),
        }))
    }

    /// Calls a service on a thread that may block.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Portal) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let portal = self.clone();
        tokio::task::spawn_blocking(move || work(&portal))
            .await
            .unwrap_or_else(|died| Err(Failure::Internal(format!("a use case died: {died}"))))
    }

    /// The portal's wall clock.
    pub fn now(&self) -> Ms {
        self.0.clock.wall()
    }

    /// The vendor's name.
    pub fn vendor(&self) -> &str {
        self.0.signer.vendor_name()
    }

    /// The vendor's root certificate: what applications and license servers trust.
    pub fn root(&self) -> &leasehold_trust::VendorRoot {
        self.0.signer.root()
    }

    /// The time table by which documents are issued and counted.
    pub fn times(&self) -> &TimeTable {
        &self.0.times
    }

    pub(crate) fn db(&self) -> &Db {
        &self.0.db
    }

    pub(crate) fn signer(&self) -> &Arc<PortalSigner> {
        &self.0.signer
    }

    pub(crate) fn grants_log(&self) -> &GrantsLog {
        &self.0.grants_log
    }

    pub(crate) fn passwords(&self) -> &Passwords {
        &self.0.passwords
    }

    pub(crate) fn throttle(&self) -> &Throttle {
        &self.0.throttle
    }

    /// Letters that were asked for by whoever has not signed in.
    pub(crate) fn letters_asked(&self) -> &Throttle {
        &self.0.letters_asked
    }

    pub(crate) fn base_url(&self) -> &str {
        &self.0.site.base_url
    }

    pub(crate) fn mailer(&self) -> Option<&Mailer> {
        self.0.site.mailer.as_ref()
    }

    pub(crate) fn bells(&self) -> &bells::Bells {
        &self.0.bells
    }

    pub(crate) fn boottime_ms(&self) -> i64 {
        self.0.clock.boottime_ms()
    }

    pub(crate) fn clock_fits(&self) -> bool {
        self.0.clock_fits.load(Ordering::Relaxed)
    }

    pub(crate) fn set_clock_fits(&self, fits: bool) {
        self.0.clock_fits.store(fits, Ordering::Relaxed);
    }

    pub(crate) fn took_changes_at(&self) -> Option<i64> {
        *self.0.took_changes_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_took_changes_at(&self, boottime_ms: i64) {
        *self.0.took_changes_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(boottime_ms);
    }

    /// Draws ids and secrets, before a transaction and never inside it: its closure may run more than once.
    pub(crate) fn draw<T>(&self, draw: impl FnOnce(&mut dyn Random) -> T) -> T {
        let mut random = self.0.random.lock().unwrap_or_else(PoisonError::into_inner);
        draw(random.as_mut())
    }

    /// Who does something now, for the audit row.
    pub(crate) fn stamp(&self, caller: &Caller) -> Stamp {
        let now = self.now();
        Stamp {
            id: self.draw(|random| AuditId::draw(now, random)),
            now,
            actor: caller.actor().account(),
            address: caller.address_text(),
        }
    }
}

impl std::fmt::Debug for Portal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Portal").field("vendor", &self.vendor()).finish_non_exhaustive()
    }
}
