//! A clock that stands still until a test moves it. Its wall clock can be stepped apart from the clock that counts
//! elapsed time, as administrators, time services and dead batteries do.

use leasehold_core::time::{Clock, Ms};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Both clocks of a machine, in a test's hands. Clones are the same clock.
#[derive(Clone, Debug)]
pub struct FakeClock(Arc<Hands>);

#[derive(Debug)]
struct Hands {
    wall_ms: AtomicI64,
    boottime_ms: AtomicI64,
}

impl FakeClock {
    /// A machine that was booted a minute ago and shows `wall`.
    pub fn new(wall: Ms) -> FakeClock {
        FakeClock(Arc::new(Hands { wall_ms: AtomicI64::new(wall.0), boottime_ms: AtomicI64::new(60_000) }))
    }

    /// Time passes: both clocks go on by `ms` (not negative).
    pub fn advance(&self, ms: i64) {
        self.step_wall(ms);
        self.0.boottime_ms.fetch_add(ms.max(0), Ordering::SeqCst);
    }

    /// Somebody sets the wall clock `ms` ahead, or back if negative. No time passes.
    pub fn step_wall(&self, ms: i64) {
        self.0.wall_ms.fetch_add(ms, Ordering::SeqCst);
    }

    /// The machine sleeps for `ms`, on an operating system whose elapsed time does not count sleep: only the wall clock
    /// tells. (Where it does count, sleeping is [`advance`](Self::advance).)
    pub fn sleep_uncounted(&self, ms: i64) {
        self.step_wall(ms.max(0));
    }

    /// Puts both clocks on: `wall` as given, elapsed time to `boottime_ms`.
    pub fn set(&self, wall: Ms, boottime_ms: i64) {
        self.0.wall_ms.store(wall.0, Ordering::SeqCst);
        self.0.boottime_ms.store(boottime_ms, Ordering::SeqCst);
    }
}

impl Clock for FakeClock {
    fn wall(&self) -> Ms {
        Ms(self.0.wall_ms.load(Ordering::SeqCst))
    }

    fn boottime_ms(&self) -> i64 {
        self.0.boottime_ms.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wall_clock_can_be_stepped_apart_from_elapsed_time() {
        let clock = FakeClock::new(Ms(1_000_000));
        let other = clock.clone();
        clock.advance(500);
        clock.step_wall(-100_000);
        other.sleep_uncounted(7);
        assert_eq!((clock.wall(), clock.boottime_ms()), (Ms(900_507), 60_500));
    }
}
