//! Decisions of the portal about workstations that are activated by file: what a workstation may hold, what is
//! preset, and whether a chosen grant fits.
//!
//! Pure: the service loads the facts, these functions judge, the store writes.

use crate::ids::LicenseId;
use crate::license::{Kind, Term};
use crate::time::Ms;
use crate::times::TimeTable;

/// What the portal knows of a license at the moment of judging.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LicenseFacts {
    /// Which license.
    pub license: LicenseId,
    /// Seats bought.
    pub seats: u32,
    /// Floating or named.
    pub kind: Kind,
    /// Until when it runs.
    pub term: Term,
    /// When it begins.
    pub starts_at: Ms,
    /// When the vendor ended it early.
    pub ended_at: Option<Ms>,
    /// Seats counted at **other** workstations ([`crate::grant::counted_seats`] summed over them).
    pub counted_elsewhere: u32,
    /// Seats counted at the workstation in question.
    pub counted_here: u32,
    /// Seats of the newest document of the workstation in question, alive or not; without those that it gave back.
    pub newest_here: u32,
    /// The workstation in question gave seats back: no more is proposed to it than it holds.
    pub gave_back: bool,
}

impl LicenseFacts {
    /// Seats that the workstation in question could hold at most: what no other workstation may be using.
    pub fn available(&self) -> u32 {
        self.seats.saturating_sub(self.counted_elsewhere)
    }

    /// Seats more than bought that may be in use right now; shown as "over by N until T".
    pub fn over_by(&self) -> u32 {
        self.counted_elsewhere.saturating_add(self.counted_here).saturating_sub(self.seats)
    }

    /// Whether the license runs at `now`.
    pub fn running(&self, now: Ms) -> bool {
        self.starts_at <= now && self.ended_at.is_none() && self.term.ends_at().is_none_or(|end| now < end)
    }

    /// The latest instant until which a line carried by file may run if issued at `now`. Whole seconds.
    pub fn until_max(&self, now: Ms, times: &TimeTable) -> Ms {
        let longest = now.plus(times.file_term_max_ms);
        self.term.ends_at().map_or(longest, |end| end.min(longest)).floor_to_second()
    }

    /// Seats that are proposed: all that the workstation in question could hold. One that gave some back goes on from
    /// there.
    pub fn seats_preset(&self) -> u32 {
        if self.gave_back { self.newest_here.min(self.available()) } else { self.available() }
    }

    /// The instant preset on the page: the license's end or 90 days, whichever is first. Whole seconds.
    pub fn until_preset(&self, now: Ms, times: &TimeTable) -> Ms {
        self.until_max(now, times).min(now.plus(times.file_term_preset_ms)).floor_to_second()
    }
}

/// Seats of one license until an instant, chosen by whoever activates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Choice {
    /// Of which license.
    pub license: LicenseId,
    /// How many; 0 leaves the license out.
    pub seats: u32,
    /// Until when.
    pub until: Ms,
}

/// What the page proposes: all floating seats nobody else may be using, of each running license.
/// (Named licenses need an assignment first.)
pub fn preset(facts: &[LicenseFacts], now: Ms, times: &TimeTable) -> Vec<Choice> {
    let holdable =
        facts.iter().filter(|fact| fact.running(now) && fact.kind == Kind::Floating && fact.seats_preset() > 0);
    holdable
        .map(|fact| Choice { license: fact.license, seats: fact.seats_preset(), until: fact.until_preset(now, times) })
        .collect()
}

/// Why a choice is refused. Nothing has changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The license is not one this account may put on a workstation.
    UnknownLicense(LicenseId),
    /// A license stands in the list more than once.
    Twice(LicenseId),
    /// The license has not begun, has run out, or was ended.
    NotRunning(LicenseId),
    /// Seats of a named license go to people, not to a workstation.
    Named(LicenseId),
    /// Fewer seats are free than were asked for.
    TooMany {
        /// Of which license.
        license: LicenseId,
        /// Asked for.
        wanted: u32,
        /// What the workstation could hold at most.
        available: u32,
    },
    /// The end lies in the past, or later than the license or the longest file term allows.
    BadEnd {
        /// Of which license.
        license: LicenseId,
        /// The latest instant that is allowed.
        latest: Ms,
    },
}

/// Judges the lines that a workstation is to hold by file. Accepts each choice with seats, in order.
pub fn admit(facts: &[LicenseFacts], choices: &[Choice], now: Ms, times: &TimeTable) -> Result<Vec<Choice>, Refusal> {
    let mut admitted: Vec<Choice> = Vec::new();
    for choice in choices.iter().filter(|choice| choice.seats > 0) {
        let license = choice.license;
        let fact = facts.iter().find(|fact| fact.license == license).ok_or(Refusal::UnknownLicense(license))?;
        if admitted.iter().any(|earlier| earlier.license == license) {
            return Err(Refusal::Twice(license));
        }
        if !fact.running(now) {
            return Err(Refusal::NotRunning(license));
        }
        if fact.kind == Kind::Named {
            return Err(Refusal::Named(license));
        }
        if choice.seats > fact.available() {
            return Err(Refusal::TooMany { license, wanted: choice.seats, available: fact.available() });
        }
        let latest = fact.until_max(now, times);
        let until = choice.until.floor_to_second();
        if until <= now || until > latest {
            return Err(Refusal::BadEnd { license, latest });
        }
        admitted.push(Choice { until, ..*choice });
    }
    Ok(admitted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Seeded;
    use crate::time::DAY_MS;
    use jiff::civil::date;

    const NOW: Ms = Ms(1_795_000_000_000);

    fn facts(seats: u32, elsewhere: u32) -> LicenseFacts {
        LicenseFacts {
            license: LicenseId::draw(NOW, &mut Seeded::new(3)),
            seats,
            kind: Kind::Floating,
            term: Term::Perpetual { maintenance_until: date(2027, 1, 1) },
            starts_at: Ms(0),
            ended_at: None,
            counted_elsewhere: elsewhere,
            counted_here: 0,
            newest_here: 0,
            gave_back: false,
        }
    }

    fn admit_one(fact: &LicenseFacts, seats: u32, until: Ms) -> Result<Vec<Choice>, Refusal> {
        let choice = Choice { license: fact.license, seats, until };
        admit(std::slice::from_ref(fact), &[choice], NOW, &TimeTable::DEFAULT)
    }

    #[test]
    fn the_preset_is_every_seat_nobody_else_may_be_using_for_90_days() {
        let fact = facts(10, 3);
        let choices = preset(std::slice::from_ref(&fact), NOW, &TimeTable::DEFAULT);
        assert_eq!((choices[0].seats, choices[0].until), (7, NOW.plus(90 * DAY_MS)));
        assert!(preset(&[facts(3, 3)], NOW, &TimeTable::DEFAULT).is_empty());
        let gave_back = LicenseFacts { gave_back: true, newest_here: 4, ..fact.clone() };
        assert_eq!(preset(&[gave_back], NOW, &TimeTable::DEFAULT)[0].seats, 4, "it goes on from what it kept");
        assert!(preset(&[LicenseFacts { kind: Kind::Named, ..fact }], NOW, &TimeTable::DEFAULT).is_empty());
    }

    #[test]
    fn a_grant_never_promises_more_than_what_is_left() {
        let fact = facts(10, 3);
        assert!(admit_one(&fact, 7, NOW.plus(DAY_MS)).is_ok());
        let refused = Refusal::TooMany { license: fact.license, wanted: 8, available: 7 };
        assert_eq!(admit_one(&fact, 8, NOW.plus(DAY_MS)), Err(refused));
    }

    #[test]
    fn no_line_outlives_its_license_or_365_days() {
        let mut fact = facts(10, 0);
        let latest = NOW.plus(365 * DAY_MS);
        assert_eq!(admit_one(&fact, 1, latest.plus(1_000)), Err(Refusal::BadEnd { license: fact.license, latest }));
        fact.term = Term::Subscription { until: NOW.plus(10 * DAY_MS).utc_date() };
        let end = fact.term.ends_at().unwrap();
        assert!(admit_one(&fact, 1, end).is_ok());
        assert!(admit_one(&fact, 1, end.plus(1_000)).is_err());
        assert!(admit_one(&fact, 1, NOW).is_err(), "an end in the past");
        fact.ended_at = Some(NOW);
        assert_eq!(admit_one(&fact, 1, end), Err(Refusal::NotRunning(fact.license)));
    }

    #[test]
    fn a_license_stands_in_a_grant_once() {
        let fact = facts(10, 0);
        let choice = Choice { license: fact.license, seats: 1, until: NOW.plus(DAY_MS) };
        let twice = admit(std::slice::from_ref(&fact), &[choice, choice], NOW, &TimeTable::DEFAULT);
        assert_eq!(twice, Err(Refusal::Twice(fact.license)));
    }
}
