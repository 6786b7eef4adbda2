//! The server's time: the wall clock at the start plus elapsed time, never behind what is on disk (`PROTOCOL.md`
//! section 5). Everything that the server stores or decides uses it.

use leasehold_core::clock::{EngineClock, StartVerdict};
use leasehold_core::time::{Clock, Ms};
use std::sync::Arc;

/// Tells the time. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ServerClock {
    machine: Arc<dyn Clock>,
    engine: EngineClock,
}

impl ServerClock {
    /// Starts from the machine's clocks and the high-water mark on disk.
    pub(crate) fn start(machine: Arc<dyn Clock>, mark: Option<Ms>) -> (ServerClock, StartVerdict) {
        let (engine, verdict) = EngineClock::start(machine.wall(), machine.boottime_ms(), mark);
        (ServerClock { machine, engine }, verdict)
    }

    /// The server's now.
    pub(crate) fn now(&self) -> Ms {
        self.engine.now(self.machine.boottime_ms())
    }

    /// What the machine's wall clock shows, right or wrong.
    pub(crate) fn wall(&self) -> Ms {
        self.machine.wall()
    }
}

impl std::fmt::Debug for ServerClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.engine.fmt(f)
    }
}
