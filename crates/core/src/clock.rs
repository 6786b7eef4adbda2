//! The clock rules of `PROTOCOL.md` section 5: how a server decides what time it is, and how a lessee counts the age
//! of a right. Readings are arguments; nothing here reads a clock.

use crate::time::{DAY_MS, HOUR_MS, MINUTE_MS, Ms};

/// Before this instant no build of this program existed: a wall clock that shows less is wrong.
pub const EARLIEST_PLAUSIBLE: Ms = Ms(1_793_491_200_000); // 2026-11-01T00:00:00Z

/// A wall clock this much behind the high-water mark is an ordinary correction, not a restored machine.
pub const BEHIND_TOLERATED_MS: i64 = MINUTE_MS;

/// A wall clock this much ahead of the mark deserves a word: the machine was off for long, or its clock is wrong.
pub const AHEAD_NOTED_MS: i64 = HOUR_MS;

/// How far a lessee's wall clock may be off from the dates in grants and passes.
pub const DATE_LEEWAY_MS: i64 = DAY_MS;

/// What the wall clock looked like when a server started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StartVerdict {
    /// Plausible.
    Plausible,
    /// Behind the mark by more than [`BEHIND_TOLERATED_MS`]: CLOCK_SUSPECT. `now` goes on from the mark, no new
    /// leases for one ttl + grace, no new rights by file until the clock is mended.
    Behind {
        /// By how many milliseconds.
        by_ms: i64,
    },
    /// Ahead of the mark by more than [`AHEAD_NOTED_MS`]; trusted, and said.
    Ahead {
        /// By how many milliseconds.
        by_ms: i64,
    },
    /// No mark yet and the wall clock shows a time before this program existed: do not start.
    Implausible,
}

/// The engine's time: the wall clock at start plus elapsed time. While it runs it never follows a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EngineClock {
    now_at_start: Ms,
    boottime_at_start_ms: i64,
}

impl EngineClock {
    /// Starts from the wall clock and the high-water mark stored with the last commit, if there was one.
    pub fn start(wall: Ms, boottime_ms: i64, mark: Option<Ms>) -> (EngineClock, StartVerdict) {
        let verdict = match mark {
            None if wall < EARLIEST_PLAUSIBLE => StartVerdict::Implausible,
            None => StartVerdict::Plausible,
            Some(mark) if mark.since(wall) > BEHIND_TOLERATED_MS => StartVerdict::Behind { by_ms: mark.since(wall) },
            Some(mark) if wall.since(mark) > AHEAD_NOTED_MS => StartVerdict::Ahead { by_ms: wall.since(mark) },
            Some(_) => StartVerdict::Plausible,
        };
        // Time never runs backwards across a restart, not even by a tolerated correction.
        let now_at_start = mark.map_or(wall, |mark| mark.max(wall));
        (EngineClock { now_at_start, boottime_at_start_ms: boottime_ms }, verdict)
    }

    /// The engine's now at a reading of the clock that counts suspend.
    pub fn now(&self, boottime_ms: i64) -> Ms {
        self.now_at_start.plus(boottime_ms.saturating_sub(self.boottime_at_start_ms).max(0))
    }
}

/// The time to go back to, if a document proves that a server's time runs ahead: the portal signed `issued_at` in answer
/// to a request that the server made at `asked_at`, so at the request it cannot have been later than `issued_at`. The
/// wall clock has been set right since, as far as can be told: it shows nothing before `issued_at`.
///
/// `None` if nothing is proved, or if the wall clock is wrong as well. Nobody gains by it: a server whose clock is set
/// back before its first start stands at the same time.
pub fn proved_ahead(asked_at: Ms, issued_at: Ms, wall: Ms) -> Option<Ms> {
    let ahead = asked_at.since(issued_at) > BEHIND_TOLERATED_MS;
    let wall_fits = issued_at.since(wall) <= BEHIND_TOLERATED_MS;
    (ahead && wall_fits).then(|| wall.max(issued_at))
}

/// A reading of both clocks, taken by a lessee before it sends a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reading {
    /// Wall clock.
    pub wall: Ms,
    /// Milliseconds on the clock that counts suspend.
    pub boottime_ms: i64,
}

impl Reading {
    /// Milliseconds from `earlier` to `self`, by whichever clock says more: a lessee errs towards stopping first.
    pub fn elapsed_ms(self, earlier: Reading) -> i64 {
        let by_boottime = self.boottime_ms.saturating_sub(earlier.boottime_ms);
        by_boottime.max(self.wall.since(earlier.wall)).max(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALL: Ms = Ms(1_795_000_000_000);

    #[test]
    fn while_running_the_engine_never_follows_a_step() {
        let (clock, verdict) = EngineClock::start(WALL, 5_000, None);
        assert_eq!((clock.now(6_000), verdict), (WALL.plus(1_000), StartVerdict::Plausible));
        assert_eq!(clock.now(4_000), WALL, "and never runs backwards");
    }

    #[test]
    fn a_wall_clock_behind_the_mark_is_suspect_and_now_goes_on_from_the_mark() {
        let mark = WALL.plus(DAY_MS);
        let (clock, verdict) = EngineClock::start(WALL, 0, Some(mark));
        assert_eq!((clock.now(0), verdict), (mark, StartVerdict::Behind { by_ms: DAY_MS }));
        let (clock, verdict) = EngineClock::start(WALL, 0, Some(WALL.plus(500)));
        assert_eq!((clock.now(0), verdict), (WALL.plus(500), StartVerdict::Plausible));
    }

    #[test]
    fn ahead_is_trusted_and_said_and_1970_is_refused() {
        let (clock, verdict) = EngineClock::start(WALL.plus(2 * HOUR_MS), 0, Some(WALL));
        assert_eq!((clock.now(0), verdict), (WALL.plus(2 * HOUR_MS), StartVerdict::Ahead { by_ms: 2 * HOUR_MS }));
        assert_eq!(EngineClock::start(Ms(0), 0, None).1, StartVerdict::Implausible);
        assert_eq!(EARLIEST_PLAUSIBLE.rfc3339(), "2026-11-01T00:00:00Z");
    }

    #[test]
    fn a_signed_answer_proves_that_the_time_of_its_request_was_ahead() {
        let ahead = WALL.plus(3_000 * DAY_MS);
        assert_eq!(proved_ahead(ahead, WALL, WALL.plus(HOUR_MS)), Some(WALL.plus(HOUR_MS)));
        assert_eq!(proved_ahead(ahead, WALL, WALL.plus(-30_000)), Some(WALL), "never before what the portal signed");
        assert_eq!(proved_ahead(ahead, WALL, WALL.plus(-HOUR_MS)), None, "the wall clock is wrong as well");
        assert_eq!(proved_ahead(WALL, WALL.plus(1), WALL.plus(HOUR_MS)), None, "it may have become later since");
    }

    #[test]
    fn a_lessee_counts_by_whichever_clock_says_more() {
        let before = Reading { wall: WALL, boottime_ms: 0 };
        assert_eq!(Reading { wall: WALL, boottime_ms: 9_000 }.elapsed_ms(before), 9_000, "wall set back");
        assert_eq!(
            Reading { wall: WALL.plus(9_000), boottime_ms: 10 }.elapsed_ms(before),
            9_000,
            "suspend not counted"
        );
        assert_eq!(Reading { wall: WALL.plus(-50), boottime_ms: 0 }.elapsed_ms(before), 0);
    }
}
