//! How long something took, for measurements only: no lease depends on it, so it need not count suspend.

#![expect(clippy::disallowed_types, reason = "measures how long work takes; a suspended machine does none")]

use std::time::Duration;

/// A stopwatch that runs from where it was made.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch {
    start: std::time::Instant,
}

impl Stopwatch {
    /// Starts one.
    #[expect(clippy::disallowed_methods, reason = "measures how long work takes; no lease depends on it")]
    pub fn start() -> Stopwatch {
        Stopwatch { start: std::time::Instant::now() }
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}
