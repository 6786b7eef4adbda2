//! What applications believe to hold, all together.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts seats from the answered checkout to the sent checkin, and fails as soon as more are in use than were bought.
pub(crate) struct Ledger {
    bought: usize,
    in_use: AtomicUsize,
}

impl Ledger {
    pub(crate) fn of(bought: usize) -> Ledger {
        Ledger { bought, in_use: AtomicUsize::new(0) }
    }

    /// A checkout was answered with a seat.
    pub(crate) fn took(&self) {
        let in_use = self.in_use.fetch_add(1, Ordering::SeqCst) + 1;
        assert!(in_use <= self.bought, "{in_use} seats of {} are in use", self.bought);
    }

    /// A checkin is about to be sent.
    pub(crate) fn gives_back(&self) {
        self.in_use.fetch_sub(1, Ordering::SeqCst);
    }

    pub(crate) fn in_use(&self) -> usize {
        self.in_use.load(Ordering::SeqCst)
    }
}
