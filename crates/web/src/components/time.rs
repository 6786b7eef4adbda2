//! Instants for people. Always UTC and said so, because the reader and the server may sit on different continents.

use leasehold_core::time::{DAY_MS, HOUR_MS, MINUTE_MS, Ms, SECOND_MS};
use maud::{Markup, html};

/// `2026-11-22 14:03 UTC · in 5 days`.
pub fn when(at: Ms, now: Ms) -> Markup {
    html! {
        span.when {
            time datetime=(at.rfc3339()) { (minute(at)) }
            " " span.relative { (relative(at, now)) }
        }
    }
}

/// `5 min ago`, with the full time on hover. For what is recent and changes often.
pub fn ago(at: Ms, now: Ms) -> Markup {
    html! { time.ago datetime=(at.rfc3339()) title=(minute(at)) { (relative(at, now)) } }
}

fn minute(at: Ms) -> String {
    // RFC 3339 in UTC is `2026-11-22T14:03:07Z`; cut before the seconds.
    let text = at.rfc3339();
    match text.split_once('T') {
        Some((date, time)) => format!("{date} {} UTC", time.get(..5).unwrap_or(time)),
        None => text,
    }
}

/// The distance from `now` in one unit: `just now`, `in 5 days`, `3 h ago`. Rounded down, so nothing seems further away
/// than it is; in hours and more a minute is forgiven, so nine days that have just begun are nine days.
pub fn relative(at: Ms, now: Ms) -> String {
    let distance = at.since(now).saturating_abs();
    let forgiven = if at > now && distance >= 2 * HOUR_MS { MINUTE_MS - 1 } else { 0 };
    let distance = distance.saturating_add(forgiven);
    let amount = match distance {
        d if d < 10 * SECOND_MS => return "just now".to_owned(),
        d if d < MINUTE_MS => format!("{} s", d / SECOND_MS),
        d if d < 2 * HOUR_MS => format!("{} min", d / MINUTE_MS),
        d if d < 2 * DAY_MS => format!("{} h", d / HOUR_MS),
        // Three whole months: 90 days would be "2 months".
        d if d < 92 * DAY_MS => format!("{} days", d / DAY_MS),
        d if d < 730 * DAY_MS => format!("{} months", d / (30 * DAY_MS + 10 * HOUR_MS)),
        d => format!("{} years", d / (365 * DAY_MS + 6 * HOUR_MS)),
    };
    if at > now { format!("in {amount}") } else { format!("{amount} ago") }
}
