//! The usage log and the audit log, newest first.

use super::visit::{Administrator, Visit};
use axum::response::{IntoResponse, Redirect, Response};
use leasehold_core::codes::DenialCode;
use leasehold_core::engine::EventKind;
use leasehold_core::license::FeatureCode;
use leasehold_core::time::Ms;
use leasehold_web::components::{
    Button, Column, FilterOption, ListQuery, Row, Table, Tone, clip, empty_state, filter_group, link_button,
    page_header, status, table, when, wrapped,
};
use leasehold_web::maud::{Markup, html};
use leasehold_web::problem::ApiProblem;
use leasehold_wire::server::{AuditView, EventQuery, EventView, Page, PageQuery};

const EVENT_COLUMNS: &[Column] = &[
    Column::new("at", "When"),
    Column::new("kind", "What"),
    Column::new("feature", "Feature"),
    Column::new("seats", "Seats").end(),
    Column::new("user", "User"),
    Column::new("host", "Machine"),
];
const AUDIT_COLUMNS: &[Column] = &[
    Column::new("at", "When"),
    Column::new("who", "Who"),
    Column::new("address", "From"),
    Column::new("action", "What"),
    Column::new("detail", "Detail"),
];

/// `GET /usage/log`
pub(super) async fn usage(visit: Visit) -> Result<Response, ApiProblem> {
    if !visit.sees_usage() {
        return Ok(Redirect::to("/sign-in?next=/usage/log").into_response());
    }
    let query = &visit.query;
    let wanted = EventQuery {
        // Nonsense in the address asks for everything.
        kind: query.get("kind").and_then(EventKind::from_word),
        feature: query.get("feature").and_then(|code| FeatureCode::new(code).ok()),
        after: place(query),
        limit: None,
    };
    let events = visit.server.usage_log(&visit.caller, &wanted).await?;
    Ok(visit.page("Usage log", usage_content(&events, query, visit.now)).into_response())
}

/// `GET /audit`
pub(super) async fn audit(Administrator(visit): Administrator) -> Result<Markup, ApiProblem> {
    let rows = visit.server.audit_log(&visit.caller, &PageQuery { after: place(&visit.query), limit: None }).await?;
    Ok(visit.page("Audit log", audit_content(&rows, &visit.query, visit.now)))
}

/// The row number after which a page begins; nonsense begins at the newest.
fn place(query: &ListQuery) -> Option<String> {
    query.get("after").filter(|text| text.parse::<i64>().is_ok()).map(str::to_owned)
}

fn usage_content(events: &Page<EventView>, query: &ListQuery, now: Ms) -> Markup {
    let option = |value, label| FilterOption { value, label, count: None };
    let options = [
        option("", "All"),
        option("checkout", "Taken"),
        option("checkin", "Returned"),
        option("denied", "Denied"),
        option("expired", "Ran out"),
        option("copied", "Copied"),
    ];
    let filtered = query.get("kind").is_some() || query.get("feature").is_some();
    let empty = match (filtered, &events.next) {
        (false, _) => empty_state(
            "Nothing happened yet",
            "Every seat that is taken, returned or denied is listed here.",
            html! {},
        ),
        // A search looks at a part of the log at a time.
        (true, Some(_)) => {
            empty_state("Nothing like that among the newest", "The search goes on further back with Next.", html! {})
        }
        (true, None) => empty_state(
            "Nothing like that",
            "The log holds no such event.",
            link_button("Show everything", "/usage/log", Button::Plain),
        ),
    };
    let rows = events.items.iter().map(|event| event_row(event, query, now)).collect();
    html! {
        (page_header("Usage log", "Who took, returned or was denied which seats, newest first.", html! {}))
        div.toolbar {
            (filter_group("What", "kind", &options, query))
            @if let Some(feature) = query.get("feature") {
                div.filters role="group" aria-label="Feature" {
                    a href=(query.with("feature", None)) { "All features" }
                    a href=(query.with("feature", Some(feature))) aria-current="true" { (clip(feature)) }
                }
            }
        }
        (table(&Table { id: "events", caption: "Usage log", columns: EVENT_COLUMNS, rows, query, next: events.next.as_deref(), empty }))
    }
}

fn event_row(event: &EventView, query: &ListQuery, now: Ms) -> Row {
    Row::from(vec![
        when(event.at.0, now),
        what(event),
        html! { a href=(query.with("feature", Some(&event.feature))) title="Only this feature" { code { (event.feature) } } },
        html! { (event.seats) },
        clip(&event.user),
        clip(&event.host),
    ])
}

fn what(event: &EventView) -> Markup {
    let (word, tone) = match EventKind::from_word(&event.kind) {
        Some(EventKind::Checkout) => ("Taken", Tone::Good),
        Some(EventKind::Checkin) => ("Returned", Tone::Neutral),
        Some(EventKind::Expired) => ("Ran out", Tone::Warning),
        Some(EventKind::Denied) => ("Denied", Tone::Bad),
        Some(EventKind::Copied) => ("Copied", Tone::Bad),
        Some(EventKind::Adopted) => ("Taken up again", Tone::Info),
        Some(EventKind::Borrow) => ("Borrowed", Tone::Info),
        Some(EventKind::Extend) => ("Pass extended", Tone::Info),
        Some(EventKind::Return) => ("Pass returned", Tone::Neutral),
        Some(EventKind::WriteOff) => ("Written off", Tone::Bad),
        Some(EventKind::TakenBack) => ("Taken back", Tone::Warning),
        None => (event.kind.as_str(), Tone::Neutral),
    };
    html! {
        div.two-lines {
            (status(word, tone))
            @if let Some(code) = &event.code {
                @if let Some(known) = DenialCode::from_word(code) { div.muted { (known.explain().what) } }
                div.muted { code { (clip(code)) } }
            }
        }
    }
}

fn audit_content(rows: &Page<AuditView>, query: &ListQuery, now: Ms) -> Markup {
    let cells = |row: &AuditView| {
        Row::from(vec![
            when(row.at.0, now),
            clip(&row.who),
            html! { @if row.address.is_empty() { span.muted { "–" } } @else { code { (clip(&row.address)) } } },
            html! { (deed(&row.action)) },
            html! { @if !row.detail.is_empty() { span.detail { (wrapped(&row.detail)) } } },
        ])
    };
    let empty = empty_state(
        "Nothing was done yet",
        "Everything that an administrator does to this server is listed here.",
        html! {},
    );
    html! {
        (page_header("Audit log", "What administrators did to this server, newest first.", html! {}))
        (table(&Table {
            id: "audit",
            caption: "Audit log",
            columns: AUDIT_COLUMNS,
            rows: rows.items.iter().map(cells).collect(),
            query,
            next: rows.next.as_deref(),
            empty,
        }))
    }
}

/// An action in words; one that this build does not know, as it is.
fn deed(action: &str) -> Markup {
    let words = match action {
        "administrator_setup" => "First password set",
        "administrator_reset" => "Password forgotten, new setup secret",
        "administrator_sign_in" => "Signed in",
        "administrator_password" => "Password changed",
        "administrator_add" => "Administrator added",
        "administrator_change" => "Administrator changed",
        "administrator_remove" => "Administrator removed",
        "session_end" => "Sign-in ended",
        "settings_change" => "Settings changed",
        "settings_trial" => "Settings on trial",
        "settings_back" => "Settings went back",
        "support_bundle" => "Support bundle taken",
        "document_install" => "Activation file loaded",
        "document_sync" => "Document from the portal",
        "seats_kept" => "Seats kept offline",
        "seats_give_back" => "Seats given back",
        "seat_release" => "Seats taken back",
        "seat_lift" => "Seats allowed again",
        "pass_not_out" => "Held seats freed",
        "pass_lost" => "Pass declared lost",
        "pass_write_off" => "Lost seats counted as free",
        "server_drain" => "Disabling begun",
        "server_disable" => "Disabled",
        "server_backup" => "Backup made",
        other => return clip(other),
    };
    html! { span title=(action) { (words) } }
}
