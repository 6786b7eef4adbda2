//! What all threads of one database share: counters, the failure that stopped it, test switches.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;

use crate::DbError;

/// A place where a test can make a database fail, wait or crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultPoint {
    /// Every job of the transaction has run; COMMIT was not sent. An error here rolls back: on
    /// SQLite [`DbError::Full`] answers all jobs and goes on, any other error is a failed flush.
    BeforeCommit,
    /// COMMIT succeeded and nobody was answered yet. An error here is a crash: the change is kept,
    /// and whoever waits learns only that the outcome is unknown.
    AfterCommit,
    /// SQLite is about to roll back the savepoint of one failed job among several. An error here
    /// stands for a rollback that failed.
    SavepointRollback,
}

type FaultHook = dyn Fn(FaultPoint) -> Result<(), DbError> + Send + Sync;

pub(crate) struct Shared {
    commits: AtomicU64,
    run_twice: AtomicBool,
    fault_hook: RwLock<Option<Arc<FaultHook>>>,
    failure: watch::Sender<Option<DbError>>,
}

impl Shared {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            commits: AtomicU64::new(0),
            run_twice: AtomicBool::new(false),
            fault_hook: RwLock::new(None),
            failure: watch::Sender::new(None),
        })
    }

    pub(crate) fn count_commit(&self) {
        self.commits.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn commit_count(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    pub(crate) fn set_run_twice(&self, on: bool) {
        self.run_twice.store(on, Ordering::Relaxed);
    }

    pub(crate) fn run_twice(&self) -> bool {
        self.run_twice.load(Ordering::Relaxed)
    }

    pub(crate) fn set_fault_hook(&self, hook: Option<Arc<FaultHook>>) {
        *self.fault_hook.write().unwrap_or_else(PoisonError::into_inner) = hook;
    }

    /// Passes a fault point. The hook runs without the lock, so that it may block or be replaced.
    pub(crate) fn pass(&self, point: FaultPoint) -> Result<(), DbError> {
        let hook = self.fault_hook.read().unwrap_or_else(PoisonError::into_inner).clone();
        hook.map_or(Ok(()), |hook| hook(point))
    }

    /// Records why no more changes are taken. The first reason stays.
    pub(crate) fn fail(&self, error: &DbError) {
        self.failure.send_if_modified(|failure| {
            let first = failure.is_none();
            if first {
                tracing::error!(%error, "the database takes no more changes");
                *failure = Some(error.clone());
            }
            first
        });
    }

    pub(crate) fn forget_failure(&self) {
        self.failure.send_replace(None);
    }

    pub(crate) fn failure(&self) -> Option<DbError> {
        self.failure.borrow().clone()
    }

    pub(crate) fn watch_failure(&self) -> watch::Receiver<Option<DbError>> {
        self.failure.subscribe()
    }

    /// The error for jobs that come after the failure, if there was one.
    pub(crate) fn check_running(&self) -> Result<(), DbError> {
        match &*self.failure.borrow() {
            Some(cause) => Err(DbError::Stopped { cause: cause.to_string() }),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Shared")
            .field("commits", &self.commit_count())
            .field("failure", &self.failure())
            .finish_non_exhaustive()
    }
}
