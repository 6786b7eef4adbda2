//! Instants as integers, and the trait through which a process's clock is handed in.
//!
//! Owns [`Ms`] and the meaning of a calendar date in a license. Reads no clock: `leasehold-host` has the one that does.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// An instant in Unix milliseconds (UTC, no leap seconds). Differences are plain `i64` milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ms(pub i64);

/// One second in milliseconds.
pub const SECOND_MS: i64 = 1_000;
/// One minute in milliseconds.
pub const MINUTE_MS: i64 = 60 * SECOND_MS;
/// One hour in milliseconds.
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
/// One day of 24 hours in milliseconds.
pub const DAY_MS: i64 = 24 * HOUR_MS;

impl Ms {
    /// The instant `ms` milliseconds later (earlier if negative); saturates at the ends of the range.
    pub fn plus(self, ms: i64) -> Ms {
        Ms(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to `self`; negative if `self` is before it.
    pub fn since(self, earlier: Ms) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Whole seconds since the epoch, rounded down: a NumericDate (RFC 7519) that never favors whoever may use a
    /// right until then.
    pub fn seconds_floor(self) -> i64 {
        self.0.div_euclid(SECOND_MS)
    }

    /// The instant of a NumericDate in whole seconds.
    pub fn from_seconds(seconds: i64) -> Ms {
        Ms(seconds.saturating_mul(SECOND_MS))
    }

    /// This instant without its fraction of a second, rounded down.
    pub fn floor_to_second(self) -> Ms {
        Ms::from_seconds(self.seconds_floor())
    }

    /// RFC 3339 in UTC with seconds, such as `2026-11-22T14:03:07Z`. Instants outside years 0 to 9999 are clamped.
    pub fn rfc3339(self) -> String {
        let seconds = self.seconds_floor().clamp(-62_135_596_800, 253_402_207_200);
        jiff::Timestamp::from_second(seconds).map(|t| t.to_string()).unwrap_or_default()
    }

    /// To the minute, as people read it: `2026-11-22 14:03 UTC`. Rounded down.
    pub fn minute(self) -> String {
        let text = self.rfc3339();
        text.get(..16).map_or_else(|| text.clone(), |minute| format!("{} UTC", minute.replace('T', " ")))
    }

    /// Reads RFC 3339 (any offset). `None` if the text is not a timestamp.
    pub fn parse_rfc3339(text: &str) -> Option<Ms> {
        text.parse::<jiff::Timestamp>().ok().map(|t| Ms(t.as_millisecond()))
    }

    /// The calendar date in UTC on which this instant falls.
    pub fn utc_date(self) -> Date {
        let seconds = self.seconds_floor().clamp(-62_135_596_800, 253_402_207_200);
        jiff::Timestamp::from_second(seconds).map(|t| t.to_zoned(jiff::tz::TimeZone::UTC).date()).unwrap_or_default()
    }
}

/// When a right that runs "until date D" ends: the end of D everywhere on earth, which is D+1 12:00 UTC
/// (`PROTOCOL.md` section 1).
pub fn date_end(date: Date) -> Ms {
    let next = date.tomorrow().unwrap_or(Date::MAX);
    let noon = next.at(12, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC);
    noon.map(|z| Ms(z.timestamp().as_millisecond())).unwrap_or(Ms(i64::MAX / 2))
}

/// The last date that has ended everywhere on earth by `end`: what a date field shows of an instant, so that
/// `date_end(last_full_day(end)) <= end`.
pub fn last_full_day(end: Ms) -> Date {
    end.plus(-36 * HOUR_MS).utc_date()
}

/// When a right that starts "on date D" begins: the start of D where it is first D on earth (D-1 10:00 UTC).
pub fn date_start(date: Date) -> Ms {
    let previous = date.yesterday().unwrap_or(Date::MIN);
    let ten = previous.at(10, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC);
    ten.map(|z| Ms(z.timestamp().as_millisecond())).unwrap_or(Ms(0))
}

/// The two clocks of a machine. One implementation reads the operating system; tests and the simulation bring their own.
pub trait Clock: Send + Sync {
    /// Wall clock in Unix milliseconds: what the machine believes; may be wrong and may step.
    fn wall(&self) -> Ms;

    /// Milliseconds since some fixed point, counting time spent suspended (`CLOCK_BOOTTIME` and its like); never steps.
    fn boottime_ms(&self) -> i64;
}

/// Serde form of [`Ms`] in signed documents: NumericDate seconds, rounded down.
pub mod numeric_date {
    use super::Ms;
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes whole seconds, rounded down.
    pub fn serialize<S: Serializer>(at: &Ms, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(at.seconds_floor())
    }

    /// Reads whole seconds.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Ms, D::Error> {
        i64::deserialize(deserializer).map(Ms::from_seconds)
    }
}

/// Serde form of [`Ms`] in API JSON: RFC 3339 UTC.
pub mod rfc3339 {
    use super::Ms;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes RFC 3339 UTC with seconds.
    pub fn serialize<S: Serializer>(at: &Ms, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&at.rfc3339())
    }

    /// Reads RFC 3339 with any offset.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Ms, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ms::parse_rfc3339(&text).ok_or_else(|| D::Error::custom("expected a time such as 2026-11-22T14:03:07Z"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn a_date_ends_when_it_has_ended_everywhere_on_earth() {
        assert_eq!(date_end(date(2026, 12, 31)).rfc3339(), "2027-01-01T12:00:00Z");
        assert_eq!(date_start(date(2027, 1, 1)).rfc3339(), "2026-12-31T10:00:00Z");
    }

    #[test]
    fn a_date_field_never_promises_more_than_the_instant_behind_it() {
        let day = date(2026, 12, 31);
        assert_eq!(last_full_day(date_end(day)), day);
        assert_eq!(last_full_day(date_end(day).plus(-1)), date(2026, 12, 30));
        assert_eq!(last_full_day(date_end(day).plus(DAY_MS - 1)), day);
    }

    #[test]
    fn numeric_dates_round_against_the_lessee() {
        assert_eq!(Ms(1_999).seconds_floor(), 1);
        assert_eq!(Ms(-1).seconds_floor(), -1);
    }

    #[test]
    fn extreme_instants_do_not_panic() {
        for at in [Ms(i64::MIN), Ms(i64::MAX), Ms(0)] {
            let _ = (at.rfc3339(), at.utc_date(), at.plus(i64::MAX), at.since(Ms(i64::MIN)));
        }
        let _ = (date_end(Date::MAX), date_start(Date::MIN));
    }
}
