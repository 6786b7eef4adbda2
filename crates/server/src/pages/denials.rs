//! *Denials*: who was refused a seat, why, and how long they waited. One row for all tries of one want.

use super::visit::{Administrator, Visit};
use super::words;
use crate::service::Failure;
use axum::response::{IntoResponse, Redirect, Response};
use leasehold_core::codes::DenialCode;
use leasehold_core::engine::DenialOutcome;
use leasehold_core::license::FeatureCode;
use leasehold_core::time::{Ms, SECOND_MS};
use leasehold_web::components::{
    Button, Column, FilterOption, ListQuery, Row, Table, Tone, button, clip, empty_state, filter_group, link_button,
    page_header, status, table, when, wrapped,
};
use leasehold_web::extract::PageForm;
use leasehold_web::maud::{Markup, html};
use leasehold_web::page::{Notice, page};
use leasehold_web::problem::ApiProblem;
use leasehold_wire::server::{BarView, DenialQuery, DenialView, LiftRequest, Page, StatusResponse};
use serde::Deserialize;

const COLUMNS: &[Column] = &[
    Column::new("at", "When"),
    Column::new("feature", "Feature"),
    Column::new("user", "Who"),
    Column::new("why", "Why"),
    Column::new("seats", "Seats then"),
    Column::new("outcome", "What became of it"),
];

/// `GET /denials`
pub(super) async fn denials(visit: Visit) -> Result<Response, ApiProblem> {
    if !visit.sees_usage() {
        return Ok(Redirect::to("/sign-in?next=/denials").into_response());
    }
    let query = &visit.query;
    let wanted = DenialQuery {
        // Nonsense in the address asks for everything.
        feature: query.get("feature").and_then(|code| FeatureCode::new(code).ok()),
        outcome: query.get("outcome").and_then(DenialOutcome::from_word),
        after: query.get("after").and_then(|id| id.parse().ok()),
        limit: None,
    };
    let seen = visit.server.status(&visit.caller).await?;
    let rows = visit.server.denials(&visit.caller, &wanted).await?;
    let bars = if visit.caller.may_change() { visit.server.bars(&visit.caller).await?.bars } else { Vec::new() };
    let done = query.get("done") == Some("lifted");
    let lifted = done.then(|| Notice::new(Tone::Good, html! { "Lifted: they may have seats again." }));
    let frame = visit.frame("Denials", lifted.as_slice());
    Ok(page(&frame, content(&rows, &bars, &seen, query, visit.now)).into_response())
}

/// Who may have seats again.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lifted {
    user: String,
}

/// `POST /denials/lift`
pub(super) async fn lift(
    Administrator(visit): Administrator,
    PageForm(form): PageForm<Lifted>,
) -> Result<Response, ApiProblem> {
    let wish = LiftRequest { user: Some(form.user), host: None };
    match visit.server.lift(&visit.caller, wish).await {
        // The time was over before: as good as done.
        Ok(_) | Err(Failure::NobodyBarred) => Ok(Redirect::to("/denials?done=lifted").into_response()),
        Err(failure) => Err(failure.into()),
    }
}

/// Whoever gets none for a while, because their seat was taken back.
fn barred(bars: &[BarView], now: Ms) -> Markup {
    html! {
        section.card #barred {
            h2 { "Not again for a while" }
            p { "Their seats were taken back, and they get no other until the time is over, or until you let them have one: then of every feature, and at every host." }
            ul.plain {
                @for bar in bars {
                    li {
                        strong { (clip(&bar.user)) } " on " (clip(&bar.host)) ", " code { (bar.feature.as_str()) } ", until " (when(bar.until.0, now))
                        @if !bar.reason.is_empty() { div.muted { (wrapped(&bar.reason)) } }
                        form method="post" action="/denials/lift" {
                            input type="hidden" name="user" value=(bar.user);
                            div.actions { (button("Let this user have seats", Button::Plain)) }
                        }
                    }
                }
            }
        }
    }
}

fn content(denials: &Page<DenialView>, bars: &[BarView], seen: &StatusResponse, query: &ListQuery, now: Ms) -> Markup {
    let option = |value, label| FilterOption { value, label, count: None };
    let options =
        [option("", "All"), option("open", "Waiting"), option("served", "Served later"), option("given_up", "Gave up")];
    let filtered = query.get("outcome").is_some() || query.get("feature").is_some();
    let empty = if filtered {
        empty_state(
            "Nothing like that",
            "No such denial is on record.",
            link_button("Show all denials", "/denials", Button::Plain),
        )
    } else {
        empty_state(
            "Nobody was denied",
            "Whoever is refused a seat is listed here, with the reason and how long they waited.",
            html! {},
        )
    };
    let chosen = query.get("feature");
    html! {
        (page_header("Denials", "Who was refused a seat. Asking again within 15 minutes is the same denial.", link_button("Would this work?", "/simulate", Button::Plain)))
        @if !bars.is_empty() { (barred(bars, now)) }
        div.toolbar {
            (filter_group("What became of it", "outcome", &options, query))
            div.filters role="group" aria-label="Feature" {
                a href=(query.with("feature", None)) aria-current=[chosen.is_none().then_some("true")] { "All features" }
                @for status in &seen.features {
                    @let code = status.feature.as_str();
                    a href=(query.with("feature", Some(code))) aria-current=[(chosen == Some(code)).then_some("true")] { (code) }
                }
                // One that no license here carries: it was asked for all the same.
                @if let Some(other) = chosen.filter(|chosen| seen.features.iter().all(|known| known.feature.as_str() != *chosen)) {
                    a href=(query.with("feature", Some(other))) aria-current="true" { (clip(other)) }
                }
            }
        }
        (table(&Table {
            id: "denials",
            caption: "Denials",
            columns: COLUMNS,
            rows: denials.items.iter().map(|denial| row(denial, query, now)).collect(),
            query,
            next: denials.next.as_deref(),
            empty,
        }))
    }
}

fn row(denial: &DenialView, query: &ListQuery, now: Ms) -> Row {
    Row::from(vec![
        when(denial.first_at.0, now),
        html! {
            div.two-lines {
                a href=(query.with("feature", Some(&denial.feature))) title="Only this feature" { code { (denial.feature) } }
                @if denial.seats > 1 { div.muted { (words::seats(u64::from(denial.seats))) } }
            }
        },
        html! {
            div.two-lines {
                @if denial.user.trim().is_empty() { span.muted { "no name given" } } @else { (clip(&denial.user)) }
                div.muted { @if denial.host.trim().is_empty() { code { (clip(&denial.address)) } } @else { (clip(&denial.host)) } }
            }
        },
        why(denial),
        html! {
            div.two-lines {
                (denial.in_use) " of " (denial.total) " in use"
                @if denial.borrowed > 0 { div.muted { (denial.borrowed) " borrowed" } }
                @if denial.reserved > 0 { div.muted { (denial.reserved) " kept for others" } }
            }
        },
        outcome(denial, now),
    ])
}

fn why(denial: &DenialView) -> Markup {
    html! {
        div.two-lines {
            @match DenialCode::from_word(&denial.code) {
                Some(DenialCode::NoSeats) if denial.in_use < denial.total => { (DenialCode::explain_too_few().what) }
                Some(code) => { (code.explain().what) }
                None => { (clip(&denial.code)) }
            }
            div.muted { code { (clip(&denial.code)) } }
        }
    }
}

fn outcome(denial: &DenialView, now: Ms) -> Markup {
    let tries = words::count(u64::from(denial.tries), "try", "tries");
    html! {
        div.two-lines {
            @match denial.outcome {
                DenialOutcome::Open => {
                    (status("Waiting", Tone::Warning))
                    div.muted { (tries) ", the last " (words::minutes_ago(denial.last_at.0, now)) }
                }
                DenialOutcome::Served => {
                    (status(&format!("Served after {}", waited(denial.waited_s.unwrap_or(0))), Tone::Good))
                    div.muted { (tries) }
                }
                DenialOutcome::GivenUp => {
                    (status("Gave up", Tone::Bad))
                    div.muted { (tries) @if denial.tries > 1 { " in " (waited(denial.last_at.0.since(denial.first_at.0) / SECOND_MS)) } }
                }
            }
        }
    }
}

/// `40 s`, `12 min`, `3 h 5 min`.
fn waited(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{} s", seconds.max(0)),
        _ => words::countdown(seconds * SECOND_MS),
    }
}
