//! The time table of `PROTOCOL.md` section 4, as data: how long each right runs, when its lessee stops and when its
//! lessor frees. Law 4 is the difference between the last two.

use crate::grant::{Renew, Terms};
use crate::time::{DAY_MS, MINUTE_MS, Ms};
use serde::{Deserialize, Serialize};

/// How long the right of a lease runs, and when its holder renews. Whole seconds, counted by the lessee from before
/// its last answered request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LeaseTimes {
    /// The first heartbeat after this long, 1 to `ttl_s`.
    pub renew_after_s: u32,
    /// The lease is good for this long; then its grace begins.
    pub ttl_s: u32,
    /// After `ttl_s`, the holder may go on this long while it tries to renew; then the lease is lost.
    pub grace_s: u32,
}

impl LeaseTimes {
    /// 60 / 120 / 300 seconds.
    pub const DEFAULT: LeaseTimes = LeaseTimes { renew_after_s: 60, ttl_s: 120, grace_s: 300 };

    /// How long the holder may believe in the lease without an answer, in milliseconds.
    pub fn lessee_stops_after_ms(self) -> i64 {
        (i64::from(self.ttl_s) + i64::from(self.grace_s)) * 1_000
    }

    /// The same right cut so that it ends no later than `left_ms` from now: no right outlives the right it stands on.
    /// Grace goes last, because saving work is worth more than a longer interval between heartbeats.
    pub fn cut_to(self, left_ms: i64) -> LeaseTimes {
        let total_s = u32::try_from(left_ms.max(0) / 1_000).unwrap_or(u32::MAX);
        let grace_s = self.grace_s.min(total_s);
        let ttl_s = self.ttl_s.min(total_s - grace_s);
        LeaseTimes { renew_after_s: self.renew_after_s.min(ttl_s / 2), ttl_s, grace_s }
    }
}

/// All intervals that make law 4 true. Every process of one vendor uses the same table.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TimeTable {
    /// What a checkout or heartbeat gives.
    pub lease: LeaseTimes,
    /// The server frees a lease this long after the lessee has stopped, in milliseconds.
    pub lease_allowance_ms: i64,
    /// Between two heartbeats once the first is due, in milliseconds, before jitter.
    pub heartbeat_retry_ms: i64,
    /// The portal counts an online line this long past its `until`, in milliseconds.
    pub online_allowance_ms: i64,
    /// The same for lines whose end nobody reports: pinned, by file, dongle; also passes. In milliseconds.
    pub offline_allowance_ms: i64,
    /// Longest term of a line issued by file, in milliseconds.
    pub file_term_max_ms: i64,
    /// Term of a line issued by file where nobody chose one and the license does not end earlier, in milliseconds.
    pub file_term_preset_ms: i64,
    /// Term of an online line where the product says nothing else, in milliseconds.
    pub online_term_preset_ms: i64,
    /// The longest that a product may say, in milliseconds.
    pub online_term_max_ms: i64,
    /// Whoever is told that an administrator takes the seat back stops after this long, if it does not end sooner, in
    /// milliseconds: time to save.
    pub release_notice_ms: i64,
    /// The shortest time for which seats are borrowed, in milliseconds.
    pub borrow_min_ms: i64,
    /// Whoever was denied and asks again within this long wants the same still, in milliseconds: one denial.
    pub want_ms: i64,
    /// Longest time for which seats are borrowed where the product says nothing else, in days.
    pub borrow_days_preset: u32,
    /// The longest that a product may say, in days.
    pub borrow_days_max: u32,
    /// An idempotency key is remembered this long after its lease ended, in milliseconds.
    pub key_memory_ms: i64,
    /// A license server that finds itself on another machine than its document was issued to gives new seats this long,
    /// in milliseconds; then HOST_MISMATCH.
    pub moved_ms: i64,
}

impl TimeTable {
    /// The table as it is printed in `PROTOCOL.md`.
    pub const DEFAULT: TimeTable = TimeTable {
        lease: LeaseTimes::DEFAULT,
        lease_allowance_ms: 5_000,
        heartbeat_retry_ms: 10_000,
        online_allowance_ms: 10 * MINUTE_MS,
        offline_allowance_ms: DAY_MS,
        file_term_max_ms: 365 * DAY_MS,
        file_term_preset_ms: 90 * DAY_MS,
        online_term_preset_ms: 7 * DAY_MS,
        online_term_max_ms: 30 * DAY_MS,
        release_notice_ms: 120_000,
        borrow_min_ms: 60 * MINUTE_MS,
        want_ms: 15 * MINUTE_MS,
        borrow_days_preset: 14,
        borrow_days_max: 365,
        key_memory_ms: 120_000,
        moved_ms: 7 * DAY_MS,
    };

    /// Until when the lessor of a line counts it as out.
    pub fn line_freed_at(&self, until: Ms, terms: &Terms) -> Ms {
        let online = terms.renew == Renew::Sync && !terms.pinned;
        until.plus(if online { self.online_allowance_ms } else { self.offline_allowance_ms })
    }

    /// The latest end of a pass on a line: the line is counted at least as long as the pass is.
    pub fn pass_end_max(&self, until: Ms, terms: &Terms) -> Ms {
        self.line_freed_at(until, terms).plus(-self.offline_allowance_ms).min(until)
    }

    /// When the server frees a pass: its lessee's clock may be so far behind.
    pub fn pass_freed_at(&self, until: Ms) -> Ms {
        until.plus(self.offline_allowance_ms)
    }

    /// When the server frees a lease that it has answered at `answered_at` with `times`.
    pub fn lease_freed_at(&self, answered_at: Ms, times: LeaseTimes) -> Ms {
        answered_at.plus(times.lessee_stops_after_ms() + self.lease_allowance_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_table_is_the_one_in_the_protocol() {
        let table = TimeTable::DEFAULT;
        assert_eq!(table.lease.lessee_stops_after_ms(), 420_000);
        assert_eq!(table.lease_freed_at(Ms(0), table.lease), Ms(425_000));
    }

    proptest! {
        #[test]
        fn a_cut_right_never_outlives_what_is_left(left_ms in -10_000_i64..1_000_000) {
            let cut = LeaseTimes::DEFAULT.cut_to(left_ms);
            prop_assert!(cut.lessee_stops_after_ms() <= left_ms.max(0));
            prop_assert!(cut.renew_after_s <= cut.ttl_s);
            prop_assert!(left_ms < 420_000 || cut == LeaseTimes::DEFAULT);
        }
    }
}
