//! How far a pass can be relied on, on the machine that holds it (`PROTOCOL.md` sections 4 and 5): pure decisions about
//! readings of clocks.
//!
//! A machine out of reach has nobody to ask what time it is. It keeps a mark of the latest time that it has seen, so that a
//! clock that is set back lengthens nothing: a little is made up for, more is refused.

use crate::clock::Reading;
use crate::session::SeatState;
use crate::time::{DAY_MS, MINUTE_MS, Ms};
use serde::{Deserialize, Serialize};

/// A clock may be so far behind the latest time that was seen, in milliseconds: so long the lender waits after the end of
/// a pass.
pub const PASS_BEHIND_MAX_MS: i64 = DAY_MS;
/// The last minutes of a pass are grace: save your work. In milliseconds.
pub const PASS_GRACE_MS: i64 = 5 * MINUTE_MS;

/// The latest time that a machine has seen.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Mark {
    /// The time.
    pub at: Ms,
    /// The clock that counts suspend, at that moment.
    pub boottime_ms: i64,
    /// In which boot of the machine.
    pub boot_id: String,
}

/// The machine's clock was set back by more than is made up for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SetBack {
    /// By how many milliseconds it is behind what was seen.
    pub behind_ms: i64,
}

impl Mark {
    /// What time it is at least: by the clock, and by what was seen before.
    ///
    /// # Errors
    /// [`SetBack`] if the clock is behind that by more than [`PASS_BEHIND_MAX_MS`].
    pub fn now(&self, reading: Reading, boot_id: &str) -> Result<Ms, SetBack> {
        let since_ms = if self.boot_id == boot_id { (reading.boottime_ms - self.boottime_ms).max(0) } else { 0 };
        let least = self.at.plus(since_ms);
        let behind_ms = least.since(reading.wall);
        if behind_ms > PASS_BEHIND_MAX_MS { Err(SetBack { behind_ms }) } else { Ok(reading.wall.max(least)) }
    }

    /// The mark after this moment; never earlier than it was.
    #[must_use]
    pub fn moved(&self, now: Ms, reading: Reading, boot_id: &str) -> Mark {
        Mark { at: now.max(self.at), boottime_ms: reading.boottime_ms, boot_id: boot_id.to_owned() }
    }
}

/// A pass in use by a process: counted from when it began, by whichever clock says more.
#[derive(Clone, Copy, Debug)]
pub struct PassHeld {
    began: Reading,
    began_at: Ms,
    until: Ms,
}

impl PassHeld {
    /// In use from a moment at which it was `began_at`.
    pub fn new(began: Reading, began_at: Ms, until: Ms) -> PassHeld {
        PassHeld { began, began_at, until }
    }

    /// What time it is.
    pub fn now(&self, reading: Reading) -> Ms {
        self.began_at.plus(reading.elapsed_ms(self.began))
    }

    /// Milliseconds until it ends; 0 if it has.
    pub fn left_ms(&self, reading: Reading) -> i64 {
        self.until.since(self.now(reading)).max(0)
    }

    /// How far it can be relied on.
    pub fn state(&self, reading: Reading) -> SeatState {
        match self.left_ms(reading) {
            0 => SeatState::Lost,
            ..=PASS_GRACE_MS => SeatState::Grace,
            _ => SeatState::Ok,
        }
    }

    /// It was extended.
    pub fn extend(&mut self, until: Ms) {
        self.until = self.until.max(until);
    }
}

/// Whether the machine that has a pass should ask for more time: from half of its term, while it has not ended.
pub fn wants_extension(begins_at: Ms, until: Ms, now: Ms) -> bool {
    now < until && now.since(begins_at) * 2 >= until.since(begins_at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const AT: Ms = Ms(1_795_000_000_000);

    fn mark() -> Mark {
        Mark { at: AT, boottime_ms: 1_000, boot_id: "a".into() }
    }

    fn reading(wall: Ms, boottime_ms: i64) -> Reading {
        Reading { wall, boottime_ms }
    }

    #[test]
    fn a_clock_set_back_lengthens_nothing() {
        let later = reading(AT.plus(-MINUTE_MS), 601_000);
        assert_eq!(mark().now(later, "a"), Ok(AT.plus(600_000)), "what has passed since counts");
        assert_eq!(mark().now(reading(AT.plus(-DAY_MS), 0), "b"), Ok(AT), "a day is made up for");
        let behind_ms = DAY_MS + 1;
        assert_eq!(mark().now(reading(AT.plus(-behind_ms), 0), "b"), Err(SetBack { behind_ms }));
        assert_eq!(mark().now(reading(AT.plus(DAY_MS), 0), "b"), Ok(AT.plus(DAY_MS)));
    }

    #[test]
    fn a_pass_in_use_ends_with_five_minutes_of_grace_also_over_a_sleep() {
        let held = PassHeld::new(reading(AT, 0), AT, AT.plus(10 * MINUTE_MS));
        let after = |minutes: i64| held.state(reading(AT.plus(minutes * MINUTE_MS), 0));
        assert_eq!(
            [after(0), after(4), after(5), after(9), after(10)].map(SeatState::word),
            ["ok", "ok", "grace", "grace", "lost"]
        );
        assert_eq!(held.state(reading(AT, 10 * MINUTE_MS)), SeatState::Lost, "the clock was set back meanwhile");
    }

    #[test]
    fn more_time_is_asked_for_from_half_of_the_term() {
        let (begins, until) = (AT, AT.plus(10 * DAY_MS));
        assert!(!wants_extension(begins, until, AT.plus(5 * DAY_MS - 1)));
        assert!(wants_extension(begins, until, AT.plus(5 * DAY_MS)));
        assert!(!wants_extension(begins, until, until), "it is over");
    }

    proptest! {
        /// However often a clock is set, wrong by a day at most: a pass never runs longer by the true time than the day
        /// after its end that its lender waits, and what was seen is never forgotten.
        #[test]
        fn steps_of_the_clock_do_not_add_up(steps in prop::collection::vec((0_i64..3 * DAY_MS, -DAY_MS..DAY_MS), 1..40)) {
            let mut mark = mark();
            let (mut truth, mut boot) = (AT, 0);
            for (passes_ms, off_ms) in steps {
                truth = truth.plus(passes_ms);
                boot += 1;
                let reading = reading(truth.plus(off_ms), 0);
                if let Ok(now) = mark.now(reading, &boot.to_string()) {
                    prop_assert!(truth.since(now) <= DAY_MS);
                    prop_assert!(now >= mark.at, "time never goes back");
                    mark = mark.moved(now, reading, &boot.to_string());
                }
            }
        }
    }
}
