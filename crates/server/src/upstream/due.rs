//! When the portal should hear something: the engine's thread says, the thread that syncs waits.

use leasehold_core::time::{Ms, SECOND_MS};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Longest sleep, in milliseconds: the wait does not count suspend.
const SLEEP_MAX_MS: i64 = SECOND_MS;

/// Shared between the two threads. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Due(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    sync_at: Option<Ms>,
    receipts_at: Option<Ms>,
    syncs: u64,
    stop: bool,
}

/// Why the waiting thread woke up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wake {
    /// A sync is due.
    Sync,
    /// A receipt is to be brought.
    Receipts,
    /// The server stops.
    Stop,
}

impl Due {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next sync is due then; `None` if none is.
    pub(crate) fn tell(&self, sync_at: Option<Ms>) {
        let mut state = self.state();
        let sooner = sync_at.is_some_and(|at| state.sync_at.is_none_or(|before| at < before));
        state.sync_at = sync_at;
        if sooner {
            self.0.changed.notify_all();
        }
    }

    /// A receipt is to be brought at that time, or sooner if another waits already.
    pub(crate) fn receipt(&self, at: Ms) {
        let mut state = self.state();
        state.receipts_at = Some(state.receipts_at.map_or(at, |before| before.min(at)));
        self.0.changed.notify_all();
    }

    /// Ends the waiting for good.
    pub(crate) fn stop(&self) {
        self.state().stop = true;
        self.0.changed.notify_all();
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.state().stop
    }

    /// Waits until something is due by `now`.
    pub(super) fn wait(&self, now: impl Fn() -> Ms) -> Wake {
        let mut state = self.state();
        loop {
            if state.stop {
                return Wake::Stop;
            }
            let at = now();
            if state.receipts_at.is_some_and(|due| due <= at) {
                state.receipts_at = None;
                return Wake::Receipts;
            }
            if state.sync_at.is_some_and(|due| due <= at) {
                // Until the engine says anew.
                state.sync_at = None;
                return Wake::Sync;
            }
            let next = [state.sync_at, state.receipts_at].into_iter().flatten().min();
            let sleep_ms = next.map_or(SLEEP_MAX_MS, |due| due.since(at).clamp(1, SLEEP_MAX_MS));
            let sleep = Duration::from_millis(u64::try_from(sleep_ms).unwrap_or(1));
            state = self.0.changed.wait_timeout(state, sleep).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// A sync was answered, or was not.
    pub(super) fn synced(&self) {
        self.state().syncs += 1;
        self.0.changed.notify_all();
    }

    /// How often that was so.
    pub(super) fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// Waits as long, unless the server stops.
    pub(super) fn pause(&self, ms: u64) {
        self.pause_while(ms, |_| true);
    }

    /// The same, for as long as there was no sync after `syncs` at most.
    pub(super) fn pause_until_synced(&self, ms: u64, syncs: u64) {
        self.pause_while(ms, |state| state.syncs == syncs);
    }

    fn pause_while(&self, ms: u64, goes_on: impl Fn(&State) -> bool) {
        let (state, ms) = (self.state(), Duration::from_millis(ms));
        let ended = self.0.changed.wait_timeout_while(state, ms, |state| !state.stop && goes_on(state));
        drop(ended);
    }
}
