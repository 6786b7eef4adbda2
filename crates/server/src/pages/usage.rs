//! *Usage*: seats in use against seats owned, by day, by the hours of the week, who was denied and who used most, as
//! pictures with the same numbers as tables and as files.

mod pictures;

use super::visit::Visit;
use crate::service::usage_csv;
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use leasehold_core::license::FeatureCode;
use leasehold_core::time::{DAY_MS, MINUTE_MS, Ms};
use leasehold_web::components::{
    Button, Field, FilterOption, ListQuery, Tile, Tone, button, clip, empty_state, filter_group, link_button,
    page_header, tiles,
};
use leasehold_web::maud::{Markup, html};
use leasehold_web::problem::ApiProblem;
use leasehold_web::text::number;
use leasehold_wire::server::{UsagePart, UsageQuery, UsageResponse};

/// Hours by which clocks are ahead of UTC, in minutes: what there is on earth.
const OFFSETS_MIN: &[i32] = &[
    -720, -660, -600, -570, -540, -480, -420, -360, -300, -240, -210, -180, -120, -60, 0, 60, 120, 180, 210, 240, 270,
    300, 330, 345, 360, 390, 420, 480, 525, 540, 570, 600, 630, 660, 720, 765, 780, 840,
];

/// `GET /usage`
pub(super) async fn usage(visit: Visit) -> Result<Response, ApiProblem> {
    if !visit.sees_usage() {
        return Ok(Redirect::to("/sign-in?next=/usage").into_response());
    }
    let wanted = wanted(&visit.query, visit.now, visit.caller.is_signed_in());
    let usage = visit.server.usage(&visit.caller, &wanted).await?;
    let content = content(&usage, &wanted, &visit.query, visit.caller.is_signed_in(), visit.now);
    Ok(visit.page("Usage", content).into_response())
}

/// `GET /usage/data`: the figures of the page as a file; `part` names one table, as CSV.
pub(super) async fn data(visit: Visit) -> Result<Response, ApiProblem> {
    if !visit.sees_usage() {
        return Ok(Redirect::to("/sign-in?next=/usage").into_response());
    }
    let usage =
        visit.server.usage(&visit.caller, &wanted(&visit.query, visit.now, visit.caller.is_signed_in())).await?;
    let name = visit.query.get("part").and_then(|name| PARTS.iter().find(|(known, _)| *known == name));
    let (kind, file, text) = match name {
        Some((name, part)) => ("text/csv; charset=utf-8", format!("usage-{name}.csv"), usage_csv(&usage, *part)),
        None => {
            let text = serde_json::to_string_pretty(&usage).unwrap_or_default();
            ("application/json", "usage.json".to_owned(), text)
        }
    };
    let disposition = format!("attachment; filename=\"{file}\"");
    Ok(([(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, disposition)], text).into_response())
}

const PARTS: &[(&str, UsagePart)] = &[
    ("seats", UsagePart::Seats),
    ("days", UsagePart::Days),
    ("week", UsagePart::Week),
    ("users", UsagePart::Users),
    ("hosts", UsagePart::Hosts),
];

/// What the address asks for. Nonsense in it asks for the last seven days.
fn wanted(query: &ListQuery, now: Ms, administrator: bool) -> UsageQuery {
    let offset_min = query.get("tz").and_then(|text| text.parse().ok()).filter(|offset| OFFSETS_MIN.contains(offset));
    let today = (now.0 + i64::from(offset_min.unwrap_or(0)) * MINUTE_MS).div_euclid(DAY_MS);
    let date = |day: i64| Ms(day * DAY_MS).utc_date().to_string();
    let given = |name: &str| {
        let text = query.get(name)?;
        let at = Ms::parse_rfc3339(&format!("{text}T00:00:00Z")).filter(|_| text.len() == 10)?;
        Some(at.0.div_euclid(DAY_MS))
    };
    let days: i64 =
        query.get("days").and_then(|text| text.parse().ok()).filter(|days| (1..=3_660).contains(days)).unwrap_or(7);
    let (from, to) = match (given("from"), given("to")) {
        (None, None) => (today - days + 1, today),
        (from, to) => {
            let to = to.unwrap_or(today);
            let from = from.unwrap_or(to - days + 1).min(to).max(to - 3_659);
            (from, to)
        }
    };
    let name = |name: &str| query.get(name).filter(|_| administrator).map(str::to_owned);
    UsageQuery {
        from: Some(date(from)),
        to: Some(date(to)),
        feature: query.get("feature").and_then(|code| FeatureCode::new(code).ok()),
        user: name("user"),
        host: name("host"),
        tz_offset_min: offset_min,
        ..UsageQuery::default()
    }
}

fn content(usage: &UsageResponse, wanted: &UsageQuery, query: &ListQuery, administrator: bool, now: Ms) -> Markup {
    let log = link_button("Usage log", "/usage/log", Button::Plain);
    html! {
        (page_header("Usage", "Seats in use against seats owned, and who used most.", log))
        (filters(usage, wanted, query, administrator))
        @if usage.features.is_empty() {
            (empty_state(
                "Nothing is counted yet",
                "From the first checkout on, seats in use over time, the most of each day, a week by hour, denials, and who used most are shown here. It may take a minute.",
                html! {},
            ))
        } @else if usage.days.is_empty() && usage.users.is_empty() {
            (empty_state("Nothing in this time", "No seat was owned, used or wanted in what was chosen.", link_button("The last 7 days", "/usage", Button::Plain)))
        } @else {
            (tiles(&figures(usage, wanted)))
            (pictures::all(usage, wanted, query, administrator))
        }
        (about(usage, now))
    }
}

fn filters(usage: &UsageResponse, wanted: &UsageQuery, query: &ListQuery, administrator: bool) -> Markup {
    let option = |value, label| FilterOption { value, label, count: None };
    let presets = [
        option("1", "Today"),
        option("", "7 days"),
        option("30", "30 days"),
        option("90", "90 days"),
        option("365", "1 year"),
    ];
    let features: Vec<(&str, &str)> = [("", "All features")]
        .into_iter()
        .chain(usage.features.iter().map(|code| (code.as_str(), code.as_str())))
        .collect();
    let chosen = wanted.feature.as_ref().map_or("", |feature| feature.as_str());
    let zones: Vec<(String, String)> = OFFSETS_MIN.iter().map(|min| (min.to_string(), zone(*min))).collect();
    let zones: Vec<(&str, &str)> = zones.iter().map(|(value, words)| (value.as_str(), words.as_str())).collect();
    let offset = usage.tz_offset_min.to_string();
    html! {
        section.card.filter-bar {
            div.toolbar { (filter_group("Period", "days", &presets, &undated(query))) }
            form.filter-form method="get" {
                (Field::new("from", "From").value(&usage.from).date())
                (Field::new("to", "To").value(&usage.to).date())
                (Field::new("feature", "Feature").value(chosen).select(&features))
                @if administrator {
                    (Field::new("user", "User").value(wanted.user.as_deref().unwrap_or("")).text())
                    (Field::new("host", "Host").value(wanted.host.as_deref().unwrap_or("")).text())
                }
                (Field::new("tz", "Clock").value(&offset).select(&zones))
                div.actions {
                    (button("Show", Button::Primary))
                    @if !query.as_address().trim_start_matches('?').is_empty() { (link_button("Clear", "/usage", Button::Plain)) }
                }
            }
        }
    }
}

/// The address without dates: a period in their place. While there are dates no period is the chosen one.
fn undated(query: &ListQuery) -> ListQuery {
    if query.get("from").is_none() && query.get("to").is_none() {
        return query.clone();
    }
    let read = |address: String| {
        format!("/usage{address}").parse().map_or_else(|_| ListQuery::default(), |uri| ListQuery::of(&uri))
    };
    let query = read(query.with("from", None));
    let query = read(query.with("to", None));
    read(query.with("days", Some("dated")))
}

fn zone(min: i32) -> String {
    match min {
        0 => "UTC".to_owned(),
        _ => format!("UTC{}{}:{:02}", if min < 0 { "−" } else { "+" }, min.abs() / 60, min.abs() % 60),
    }
}

fn figures(usage: &UsageResponse, wanted: &UsageQuery) -> Vec<Tile> {
    let named = wanted.user.is_some() || wanted.host.is_some();
    let totals = &usage.totals;
    let of_owned = if totals.owned > 0 { format!("of {} owned", number(totals.owned.into())) } else { String::new() };
    let full = totals.owned > 0 && totals.peak >= totals.owned;
    let mut tiles = vec![Tile {
        label: "Most at once",
        value: number(totals.peak.into()),
        detail: if named { "of one feature on one host".to_owned() } else { of_owned },
        tone: if full { Tone::Warning } else { Tone::Neutral },
    }];
    if !named {
        let at = usage.counted_until.0.minute();
        let at = at.get(11..16).unwrap_or_default();
        tiles.insert(
            0,
            Tile {
                label: "In use now",
                value: number(usage.in_use.into()),
                detail: format!("at {at} UTC"),
                tone: Tone::Neutral,
            },
        );
    }
    let borrowed = if totals.borrowed_hours > 0.0 {
        format!("of these {} borrowed", hours(totals.borrowed_hours))
    } else {
        format!("in {}", super::words::count(totals.checkouts, "checkout", "checkouts"))
    };
    tiles.push(Tile { label: "Seat hours", value: hours(totals.seat_hours), detail: borrowed, tone: Tone::Neutral });
    tiles.push(Tile {
        label: "Denials",
        value: number(totals.denials),
        detail: String::new(),
        tone: if totals.denials > 0 { Tone::Warning } else { Tone::Good },
    });
    tiles
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "hours of use are no negative number")]
fn hours(value: f64) -> String {
    if value >= 100.0 { number(value.round() as u64) } else { format!("{value:.1}") }
}

/// What is kept, and what stands for what.
fn about(usage: &UsageResponse, now: Ms) -> Markup {
    let late = now.since(usage.counted_until.0) > 5 * MINUTE_MS;
    html! {
        div.chart-legend {
            @if late { p { "Counted until " (usage.counted_until.0.minute()) "." } }
            @if let Some(day) = &usage.named_from {
                p { "On days before " (day) " pseudonyms stand for users and hosts." }
            }
            @if let Some(at) = &usage.log_cut_at {
                p { "Room was short: the usage log begins at " (at.0.minute()) ". The figures here are whole." }
            }
        }
    }
}

/// Names a user or host, or says that there is none.
fn named(name: &str) -> Markup {
    html! { @if name.trim().is_empty() { span.muted { "no name given" } } @else { (clip(name)) } }
}
