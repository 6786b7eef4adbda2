//! Small wordings that several pages share. Pure functions from figures to text.

use leasehold_core::time::{DAY_MS, HOUR_MS, MINUTE_MS, Ms};
use leasehold_web::components::relative;
pub(super) use leasehold_web::text::counted as count;
use leasehold_web::text::number;

/// `12 seats`.
pub(super) fn seats(n: u64) -> String {
    count(n, "seat", "seats")
}

/// `3 applications`.
pub(super) fn applications(n: u64) -> String {
    count(n, "application", "applications")
}

/// A length of time as its largest unit, such as `3 h`; `ms` may be negative.
pub(super) fn length(ms: i64) -> String {
    let words = relative(Ms(ms.saturating_abs()), Ms(0));
    words.strip_prefix("in ").map_or_else(|| "a few seconds".to_owned(), str::to_owned)
}

/// What is left of a time that runs out, in its two largest units: `2 days 5 h`. Rounded down.
pub(super) fn countdown(ms: i64) -> String {
    let (days, hours, minutes) = (ms / DAY_MS, ms % DAY_MS / HOUR_MS, ms % HOUR_MS / MINUTE_MS);
    let days_word = if days == 1 { "day" } else { "days" };
    match () {
        () if days > 0 && hours > 0 => format!("{days} {days_word} {hours} h"),
        () if days > 0 => format!("{days} {days_word}"),
        () if hours > 0 => format!("{hours} h {minutes} min"),
        () if minutes > 0 => format!("{minutes} min"),
        () => "less than a minute".to_owned(),
    }
}

/// How long ago something was, in whole minutes: on an open page it changes once a minute at most.
pub(super) fn minutes_ago(at: Ms, now: Ms) -> String {
    if now.since(at) < MINUTE_MS { "less than a minute ago".to_owned() } else { relative(at, now) }
}

/// `12.4 GiB`, rounded down so that nothing seems to have more room than it has.
pub(super) fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    // In tenths of the unit.
    let mut tenths = n.saturating_mul(10) / 1024;
    let mut unit = 0;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", number(tenths / 10), tenths % 10, UNITS[unit])
}

/// What the server's own refusals say about times: `2026-11-22 14:03 UTC`.
pub(super) fn minute(at: Ms) -> String {
    at.minute()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_people_say_them() {
        assert_eq!((seats(1).as_str(), seats(12).as_str()), ("1 seat", "12 seats"));
        assert_eq!((length(-3 * HOUR_MS).as_str(), length(9 * DAY_MS).as_str()), ("3 h", "9 days"));
        assert_eq!(length(5), "a few seconds");
        for (ms, text) in [
            (2 * DAY_MS + 5 * HOUR_MS + 59 * MINUTE_MS, "2 days 5 h"),
            (DAY_MS, "1 day"),
            (HOUR_MS + 61_000, "1 h 1 min"),
            (59_000, "less than a minute"),
        ] {
            assert_eq!(countdown(ms), text);
        }
        assert_eq!(
            (bytes(0).as_str(), bytes(1_536).as_str(), bytes(13_421_772_800).as_str()),
            ("0.0 KiB", "1.5 KiB", "12.5 GiB")
        );
        assert_eq!(minute(Ms(1_795_356_180_000)), "2026-11-22 14:03 UTC");
    }
}
