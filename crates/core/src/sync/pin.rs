//! Seats that are kept at one server for use without a portal ("use licenses offline"): how many, until when, and when
//! they are renewed. What of them a document gives is the portal's plan; what stands on them, the server's pool.
//!
//! The portal keeps them; both it and the server's administrator change them there. Must not count what others hold.

use crate::ids::LicenseId;
use crate::time::{DAY_MS, HOUR_MS, Ms, rfc3339};
use serde::{Deserialize, Serialize};

/// So long before their end, seats that are not renewed go back to those that are renewed at each sync, if the portal is
/// reached, in milliseconds: whoever works on them goes on.
const HANDOVER_MS: i64 = HOUR_MS;
/// A renewal brings at least this much, in milliseconds, unless it brings all that there is.
const RENEWAL_MS: i64 = DAY_MS;
/// So long before their end people are warned, in milliseconds.
pub const PIN_WARNING_MS: i64 = 3 * DAY_MS;
/// Most licenses of which one server keeps seats.
pub const PINS_MAX: usize = 256;

/// Seats of one license that are kept at one server.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Pin {
    /// How many, at least 1.
    pub seats: u32,
    /// For how long, in days from the start or from the last renewal.
    pub days: u32,
    /// Renewed by itself from half of the term on.
    pub auto_renew: bool,
    /// Until when. Whole seconds.
    #[serde(with = "rfc3339")]
    pub until: Ms,
}

/// The same with the license that it is of, as a server is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PinState {
    /// The license.
    pub license: LicenseId,
    /// What is kept.
    #[serde(flatten)]
    pub pin: Pin,
}

/// What somebody wants to be kept of one license: in place of what is kept of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PinWish {
    /// The license.
    pub license: LicenseId,
    /// How many seats; 0 releases them.
    pub seats: u32,
    /// For how long, in days; not looked at if no seat is wanted.
    pub days: u32,
    /// Renew it by itself.
    pub auto_renew: bool,
}

/// What a wish is judged by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PinFacts {
    /// The license runs, and the server may have seats of it.
    pub running: bool,
    /// When it ends, if it does.
    pub license_end: Option<Ms>,
    /// The longest term that the vendor allows, in days; 0 if none.
    pub days_max: u32,
    /// Seats that the server has or can have at once.
    pub available: u32,
    /// Seats that all servers of the account can have together.
    pub seats: u32,
    /// What is kept already.
    pub kept: Option<Pin>,
    /// The portal was restored and learns what is out: nothing is kept for longer than it was.
    pub learning: bool,
}

/// Why seats cannot be kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PinRefusal {
    /// The license does not run, or the server has no part in it.
    NotRunning,
    /// The vendor does not lend seats of this product.
    NotAllowed,
    /// More days than the vendor allows, or none.
    Days {
        /// The most.
        max: u32,
    },
    /// More seats than the server can have now.
    TooMany {
        /// So many can be kept.
        available: u32,
        /// So many there are in all.
        seats: u32,
    },
    /// The portal learns what is out.
    Learning,
}

impl Pin {
    /// Seats kept from `now` on.
    pub fn new(wish: &PinWish, license_end: Option<Ms>, now: Ms) -> Pin {
        let until = end(now, wish.days, license_end);
        Pin { seats: wish.seats, days: wish.days, auto_renew: wish.auto_renew, until }
    }

    /// As it stands at `now`: renewed if it is time, cut at the license's end.
    #[must_use]
    pub fn kept_up(self, license_end: Option<Ms>, now: Ms) -> Pin {
        let cut = license_end.map_or(self.until, |end| end.floor_to_second().min(self.until));
        let renewed = end(now, self.days, license_end);
        let gained_ms = renewed.since(cut);
        let all = license_end.is_some_and(|end| renewed == end.floor_to_second());
        let worth = gained_ms >= RENEWAL_MS || (all && gained_ms > 0);
        let until = if self.auto_renew && now >= self.half() && worth { renewed } else { cut };
        Pin { until, ..self }
    }

    /// From then on it is renewed.
    fn half(&self) -> Ms {
        self.until.plus(-i64::from(self.days) * DAY_MS / 2)
    }

    /// Whether a document gives it as kept: from shortly before its end on, its seats are renewed at each sync again.
    pub fn stands(&self, now: Ms) -> bool {
        self.until.since(now) > HANDOVER_MS
    }

    /// Until when a document gives its seats, where it would give others until `by_sync`: never for less, or keeping them
    /// would make them end sooner where no portal is reached. What the document in force says (`given`) stays as long as
    /// a new one would bring less than `worth_ms`.
    pub fn lasts_until(&self, by_sync: Ms, given: Option<Ms>, worth_ms: i64) -> Ms {
        let until = self.until.max(by_sync);
        let fresh = |given: &Ms| (self.until..=until).contains(given) && until.since(*given) < worth_ms;
        given.filter(|given| self.until < by_sync && fresh(given)).unwrap_or(until)
    }

    /// The next instant at which the portal has something to decide about it.
    pub fn changes_at(&self, now: Ms) -> Ms {
        let handover = self.until.plus(-HANDOVER_MS);
        // Past half of its term, a renewal that was not worth it yet is tried daily.
        let renewal = if self.half() > now { self.half() } else { now.plus(RENEWAL_MS) };
        if self.auto_renew { renewal.min(handover) } else { handover }
    }

    /// Whether people are to be warned at `now` that it ends.
    pub fn ends_soon(&self, now: Ms) -> bool {
        // What is renewed by itself is late only some time after half of its term: a short one never lasts longer.
        let patience_ms = RENEWAL_MS.min(i64::from(self.days) * DAY_MS / 4);
        let late = !self.auto_renew || now >= self.half().plus(patience_ms);
        late && self.until.since(now) <= PIN_WARNING_MS
    }
}

/// The end of a term that begins now. Whole seconds.
fn end(now: Ms, days: u32, license_end: Option<Ms>) -> Ms {
    let longest = now.plus(i64::from(days) * DAY_MS);
    license_end.map_or(longest, |end| end.min(longest)).floor_to_second()
}

/// Judges a wish; `None` releases what is kept.
///
/// # Errors
/// Why it cannot be. Less than before is never refused.
pub fn judge_pin(wish: &PinWish, facts: &PinFacts, now: Ms) -> Result<Option<Pin>, PinRefusal> {
    if wish.seats == 0 {
        return Ok(None);
    }
    let kept = facts.kept.filter(|kept| kept.until > now);
    // Fewer, or no longer renewed: what it was stays as long as it was.
    if let Some(kept) = kept
        && wish.seats <= kept.seats
        && (wish.days, wish.auto_renew) == (kept.days, false)
    {
        return Ok(Some(Pin { seats: wish.seats, auto_renew: false, ..kept }));
    }
    if !facts.running {
        return Err(PinRefusal::NotRunning);
    }
    if facts.days_max == 0 {
        return Err(PinRefusal::NotAllowed);
    }
    if wish.days == 0 || wish.days > facts.days_max {
        return Err(PinRefusal::Days { max: facts.days_max });
    }
    if facts.learning {
        return Err(PinRefusal::Learning);
    }
    let available = facts.available.max(kept.map_or(0, |kept| kept.seats));
    if wish.seats > available {
        return Err(PinRefusal::TooMany { available, seats: facts.seats });
    }
    Ok(Some(Pin::new(wish, facts.license_end, now)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Seeded;
    use proptest::prelude::*;

    const START: Ms = Ms(1_800_000_000_000);

    fn day(n: i64) -> Ms {
        START.plus(n * DAY_MS)
    }

    fn wish(seats: u32, days: u32, auto_renew: bool) -> PinWish {
        PinWish { license: LicenseId::draw(START, &mut Seeded::new(1)), seats, days, auto_renew }
    }

    fn facts() -> PinFacts {
        PinFacts {
            running: true,
            license_end: None,
            days_max: 14,
            available: 5,
            seats: 10,
            kept: None,
            learning: false,
        }
    }

    #[test]
    fn it_is_cut_at_the_end_of_the_license() {
        let kept = judge_pin(&wish(2, 14, false), &PinFacts { license_end: Some(day(9)), ..facts() }, START);
        assert_eq!(kept.unwrap().unwrap().until, day(9));
    }

    #[test]
    fn what_cannot_be_is_said() {
        let judged = |wish: PinWish, facts: PinFacts| judge_pin(&wish, &facts, START).unwrap_err();
        assert_eq!(judged(wish(6, 3, false), facts()), PinRefusal::TooMany { available: 5, seats: 10 });
        assert_eq!(judged(wish(1, 15, false), facts()), PinRefusal::Days { max: 14 });
        assert_eq!(judged(wish(1, 0, false), facts()), PinRefusal::Days { max: 14 });
        assert_eq!(judged(wish(1, 1, false), PinFacts { days_max: 0, ..facts() }), PinRefusal::NotAllowed);
        assert_eq!(judged(wish(1, 1, false), PinFacts { running: false, ..facts() }), PinRefusal::NotRunning);
        assert_eq!(judged(wish(1, 1, false), PinFacts { learning: true, ..facts() }), PinRefusal::Learning);
    }

    #[test]
    fn less_is_never_refused_and_ends_when_it_did() {
        let kept = Pin { seats: 4, days: 14, auto_renew: true, until: day(14) };
        let nothing =
            PinFacts { running: false, available: 0, days_max: 0, learning: true, kept: Some(kept), ..facts() };
        assert_eq!(judge_pin(&wish(0, 0, false), &nothing, day(5)), Ok(None));
        let less = judge_pin(&wish(2, 14, false), &nothing, day(5)).unwrap().unwrap();
        assert_eq!((less.seats, less.until, less.auto_renew), (2, day(14), false));
    }

    #[test]
    fn it_is_renewed_from_half_of_its_term_on_and_not_for_less_than_a_day() {
        let kept = Pin { seats: 1, days: 14, auto_renew: true, until: day(14) };
        assert_eq!(kept.kept_up(None, day(6)).until, day(14));
        assert_eq!(kept.kept_up(None, day(7)).until, day(21));
        assert_eq!(kept.kept_up(Some(day(16)), day(7)).until, day(16), "cut at the license's end");
        assert_eq!(kept.kept_up(Some(day(14)), day(10)).until, day(14), "there is no more");
        let by_hand = Pin { auto_renew: false, ..kept };
        assert_eq!(by_hand.kept_up(None, day(13)).until, day(14));
        assert_eq!(by_hand.kept_up(Some(day(3)), day(1)).until, day(3), "a license that was shortened cuts it");
    }

    #[test]
    fn kept_seats_never_end_before_they_would_have_without_it() {
        let kept = Pin { seats: 1, days: 4, auto_renew: false, until: day(4) };
        assert_eq!(kept.lasts_until(day(3), None, DAY_MS), day(4));
        assert_eq!(kept.lasts_until(day(7), None, DAY_MS), day(7));
        // No document for every sync.
        assert_eq!(kept.lasts_until(day(7), Some(day(7).plus(-HOUR_MS)), DAY_MS), day(7).plus(-HOUR_MS));
        assert_eq!(kept.lasts_until(day(7), Some(day(5)), DAY_MS), day(7));
        assert_eq!(kept.lasts_until(day(7), Some(day(14)), DAY_MS), day(7), "it was kept for longer before");
        // Kept for longer than that it ends on the day that was said.
        assert_eq!(kept.lasts_until(day(3), Some(day(4).plus(-HOUR_MS)), DAY_MS), day(4));
    }

    #[test]
    fn the_portal_looks_again_when_there_is_something_to_decide() {
        let kept = Pin { seats: 1, days: 14, auto_renew: true, until: day(14) };
        assert_eq!(kept.changes_at(START), day(7));
        assert_eq!(kept.changes_at(day(9)), day(10));
        assert_eq!(Pin { auto_renew: false, ..kept }.changes_at(START), day(14).plus(-HANDOVER_MS));
        assert!(kept.stands(day(13)) && !kept.stands(day(14).plus(-HANDOVER_MS)));
        assert!(!kept.ends_soon(day(10)) && kept.ends_soon(day(11)));
        let short = Pin { days: 2, auto_renew: true, until: day(2), ..kept };
        assert!(!short.ends_soon(day(0)) && !short.ends_soon(day(1)), "it is renewed from the first day on");
        assert!(short.ends_soon(day(2).plus(-DAY_MS / 4)), "and was not");
        assert!(Pin { auto_renew: false, ..short }.ends_soon(day(0)));
    }

    proptest! {
        #[test]
        fn it_never_runs_past_the_license_or_the_term(
            days in 1_u32..60, auto_renew: bool, end_days in 0_i64..80, at in 0_i64..80, until in 0_i64..60,
        ) {
            let pin = Pin { seats: 1, days, auto_renew, until: day(until) };
            let now = day(at);
            let kept = pin.kept_up(Some(day(end_days)), now);
            prop_assert!(kept.until <= day(end_days));
            prop_assert!(kept.until <= pin.until.max(now.plus(i64::from(days) * DAY_MS)));
            prop_assert_eq!(kept.kept_up(Some(day(end_days)), now), kept);
        }
    }
}
