//! A machine's clocks as the simulation moves them: drift, sleep, steps of the wall clock, reboots.

use leasehold_core::clock::Reading;
use leasehold_core::time::Ms;

/// Wall time at which every simulation begins.
pub(super) const BEGIN: Ms = Ms(1_795_000_000_000);

/// One machine. Readings follow from the simulation's time; nothing ticks.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    /// How far its wall clock is off.
    pub(super) wall_off_ms: i64,
    /// Its crystal runs this much fast (slow if negative), in millionths.
    drift_ppm: i64,
    /// When it was booted.
    booted_ms: i64,
    /// Whether its elapsed time counts sleep, as `CLOCK_BOOTTIME` does.
    pub(super) counts_sleep: bool,
    /// Sleep since boot that was not counted.
    uncounted_ms: i64,
    /// Asleep since; `None` while awake.
    asleep_since_ms: Option<i64>,
}

impl Machine {
    pub(super) fn new(drift_ppm: i64, counts_sleep: bool) -> Machine {
        Machine { wall_off_ms: 0, drift_ppm, booted_ms: -60_000, counts_sleep, uncounted_ms: 0, asleep_since_ms: None }
    }

    /// True time as a wall clock that is right shows it.
    pub(super) fn true_wall(at_ms: i64) -> Ms {
        BEGIN.plus(at_ms)
    }

    pub(super) fn wall(&self, at_ms: i64) -> Ms {
        BEGIN.plus(at_ms + self.wall_off_ms)
    }

    pub(super) fn boottime_ms(&self, at_ms: i64) -> i64 {
        let sleeping = match self.asleep_since_ms {
            Some(since) if !self.counts_sleep => at_ms - since,
            _ => 0,
        };
        let elapsed = at_ms - self.booted_ms - self.uncounted_ms - sleeping;
        elapsed + elapsed * self.drift_ppm / 1_000_000
    }

    pub(super) fn reading(&self, at_ms: i64) -> Reading {
        Reading { wall: self.wall(at_ms), boottime_ms: self.boottime_ms(at_ms) }
    }

    /// Names the time since it was booted.
    pub(super) fn boot(&self) -> String {
        self.booted_ms.to_string()
    }

    pub(super) fn reboot(&mut self, at_ms: i64) {
        (self.booted_ms, self.uncounted_ms) = (at_ms - 1_000, 0);
    }

    pub(super) fn asleep(&self) -> bool {
        self.asleep_since_ms.is_some()
    }

    pub(super) fn sleep(&mut self, at_ms: i64) {
        self.asleep_since_ms.get_or_insert(at_ms);
    }

    pub(super) fn wake(&mut self, at_ms: i64) {
        if let Some(since) = self.asleep_since_ms.take()
            && !self.counts_sleep
        {
            self.uncounted_ms += at_ms - since;
        }
    }
}
