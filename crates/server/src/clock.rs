//! The server's time: the wall clock at the start plus elapsed time, never behind what is on disk (`PROTOCOL.md`
//! section 5). Everything that the server stores or decides uses it.

use leasehold_core::clock::{EngineClock, StartVerdict};
use leasehold_core::time::{Clock, Ms};
use std::sync::{Arc, PoisonError, RwLock};

/// Tells the time. Clones are cheap and are the same clock.
#[derive(Clone)]
pub(crate) struct ServerClock {
    machine: Arc<dyn Clock>,
    running: Arc<RwLock<(EngineClock, StartVerdict)>>,
}

impl ServerClock {
    /// Starts from the machine's clocks and the high-water mark on disk.
    pub(crate) fn start(machine: Arc<dyn Clock>, mark: Option<Ms>) -> ServerClock {
        let running = EngineClock::start(machine.wall(), machine.boottime_ms(), mark);
        ServerClock { machine, running: Arc::new(RwLock::new(running)) }
    }

    /// The server's now.
    pub(crate) fn now(&self) -> Ms {
        self.running().0.now(self.machine.boottime_ms())
    }

    /// How the machine's clock looked at the start, or when the server's time was set.
    pub(crate) fn verdict(&self) -> StartVerdict {
        self.running().1
    }

    /// Goes on from another time, which the vendor's signature has proved. An earlier one is on disk as the mark.
    pub(crate) fn set(&self, to: Ms) {
        let started = EngineClock::start(to, self.machine.boottime_ms(), Some(to));
        *self.running.write().unwrap_or_else(PoisonError::into_inner) = started;
    }

    fn running(&self) -> (EngineClock, StartVerdict) {
        *self.running.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The machine's clocks, right or wrong.
    pub(crate) fn machine(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.machine)
    }

    /// What the machine's wall clock shows, right or wrong.
    pub(crate) fn wall(&self) -> Ms {
        self.machine.wall()
    }
}

impl std::fmt::Debug for ServerClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.running().fmt(f)
    }
}
