//! Workstations: the license servers of a customer, what each holds, and what can be done with it.

pub(super) mod activate;
mod choice;
pub(super) mod one;
pub(super) mod receipt;
pub(super) mod renew;
pub(super) mod revoke;

use super::Answer;
use super::lists::{self, Shown};
use super::look::{Head, Viewer, stack, two_lines};
use crate::service::{overview, workstations};
use axum::http::Uri;
use axum::response::IntoResponse;
use leasehold_core::ids::WorkstationId;
use leasehold_core::time::Ms;
use leasehold_web::components::{
    Button, Column, FilterOption, ListQuery, Row, Table, Tone, badge, clip, empty_state, filter_group, link_button,
    page_header, search_box, status, table, tooltip, when,
};
use leasehold_web::maud::{Markup, html};
use leasehold_web::text::number;
use leasehold_wire::portal::{Workstation, WorkstationStatus};
use leasehold_wire::time::Time;

const HERE: &str = "/workstations";
const ACTIVATE: &str = "/workstations/activate";
const COLUMNS: &[Column] = &[
    Column::new("name", "Workstation").sortable(),
    Column::new("status", "Status").sortable(),
    Column::new("version", "Server").sortable(),
    Column::new("rev", "Rev").sortable().end(),
    Column::new("seats", "Holds").sortable(),
    Column::new("until", "Runs until").sortable(),
];

fn address(workstation: WorkstationId) -> String {
    format!("{HERE}/{workstation}")
}

/// How a workstation stands, in a word.
pub(super) fn status_of(of: WorkstationStatus) -> Markup {
    match of {
        WorkstationStatus::Active => status("Active", Tone::Good),
        WorkstationStatus::Revoked => status("Revoked", Tone::Bad),
        WorkstationStatus::Released => status("Released", Tone::Neutral),
    }
}

fn mode() -> Markup {
    tooltip("Offline", "Activated by file: a new .crt file is carried to it by hand before the one it has ends")
}

/// When the first of the rows ends that the workstation holds.
fn first_end(workstation: &Workstation) -> Option<Time> {
    workstation.lines.iter().map(|line| line.until).min()
}

fn ends_soon(workstation: &Workstation, now: Ms) -> bool {
    let soon = first_end(workstation).is_some_and(|end| end.0.since(now) < overview::SOON_MS);
    soon && workstation.status == WorkstationStatus::Active
}

fn until(workstation: &Workstation, now: Ms) -> Markup {
    let first = first_end(workstation).filter(|end| end.0 > now).or(workstation.runs_until);
    html! {
        @match (first, workstation.runs_until) {
            (Some(first), last) => {
                (when(first.0, now))
                @if let Some(last) = last.filter(|last| *last > first) {
                    div.muted.small.nowrap { "others until " (last.0.utc_date()) }
                }
            }
            (None, _) => span.muted { "nothing runs" },
        }
        @if ends_soon(workstation, now) { " " (badge("ends soon", Tone::Warning)) }
    }
}

fn holds(workstation: &Workstation) -> Markup {
    const SHOWN: usize = 3;
    html! {
        ul.plain-list {
            @for line in workstation.lines.iter().take(SHOWN) {
                li { (number(line.seats.into())) " × " (clip(&line.product_name)) }
            }
            @if workstation.lines.len() > SHOWN { li.muted { "and " (workstation.lines.len() - SHOWN) " more" } }
        }
        @if workstation.lines.is_empty() { span.muted { "nothing" } }
    }
}

fn row(workstation: &Workstation, owners: bool, now: Ms) -> Row {
    let owner = &workstation.owner;
    let name = stack(html! {
        a href=(address(workstation.id)) { (clip(&workstation.name)) }
        @if owners { a.muted.small href={ "/accounts/" (owner.id) } { (clip(&owner.name)) } }
        span.muted.small { (clip(&workstation.host)) }
    });
    Row::from(vec![
        name,
        two_lines(status_of(workstation.status), mode()),
        html! { span { (clip(&workstation.server_version)) } },
        html! { (workstation.newest_rev) },
        holds(workstation),
        stack(until(workstation, now)),
    ])
}

/// Workstations as a table.
pub(super) fn workstation_table(mut items: Vec<Workstation>, shown: &Shown<'_>) -> Markup {
    let Shown { owners, sorts, query, next, now, .. } = *shown;
    let columns = lists::columns(COLUMNS, sorts);
    lists::sort(&mut items, query.sort(&columns), |key, a, b| match key {
        "status" => a.status.word().cmp(b.status.word()),
        "version" => a.server_version.cmp(&b.server_version),
        "rev" => a.newest_rev.cmp(&b.newest_rev),
        "seats" => a.seats_out.cmp(&b.seats_out),
        "until" => first_end(a).cmp(&first_end(b)),
        _ => a.name.to_lowercase().cmp(&b.name.to_lowercase()),
    });
    let rows = items.iter().map(|workstation| row(workstation, owners, now)).collect();
    let empty = shown.empty.clone();
    table(&Table { id: "workstations", caption: "Workstations", columns: &columns, rows, query, next, empty })
}

fn is_in(workstation: &Workstation, filter: Option<&str>, now: Ms) -> bool {
    match filter {
        Some("ending") => ends_soon(workstation, now),
        Some(word) => WorkstationStatus::from_word(word).is_none_or(|wanted| workstation.status == wanted),
        None => true,
    }
}

fn toolbar(items: &[Workstation], query: &ListQuery, now: Ms) -> Markup {
    let option = |value: &'static str, label| {
        let filter = (!value.is_empty()).then_some(value);
        let count = items.iter().filter(|workstation| is_in(workstation, filter, now)).count();
        FilterOption { value, label, count: Some(count as u64) }
    };
    let options = [
        option("", "All"),
        option("active", "Active"),
        option("ending", "Ends soon"),
        option("revoked", "Revoked"),
        option("released", "Released"),
    ];
    html! {
        div.toolbar { (filter_group("Status", "status", &options, query)) (search_box("Search workstations", query)) }
    }
}

fn activate_button() -> Markup {
    link_button("Activate Workstation", ACTIVATE, Button::Primary)
}

/// One's own workstations; for operators everybody's.
pub(super) async fn list(viewer: Viewer, uri: Uri) -> Answer {
    let (query, now) = (ListQuery::of(&uri), viewer.now());
    let wish = lists::owned_query(&query)?;
    let page = viewer.run(move |portal, caller| workstations::list(portal, caller, &wish)).await?;
    let (operator, whole) = (viewer.is_operator(), lists::is_whole(&page, &query));
    let mut items = page.items;
    let any = !items.is_empty();
    let tools = if whole && any {
        toolbar(&items, &query, now)
    } else {
        html! {}
    };
    if whole {
        items.retain(|workstation| {
            is_in(workstation, query.get("status"), now)
                && lists::found(&query, &[&workstation.name, &workstation.host, &workstation.owner.name])
        });
    }
    let empty = if any {
        let show_all = link_button("Show all", HERE, Button::Plain);
        empty_state("None like that", "Choose another filter or search for something else.", show_all)
    } else {
        empty_state(
            "No workstations yet",
            "A workstation is a license server on your network. Download an activation request from its page \
             (ONLINE LICENSING, Activate offline), then activate it here with that file.",
            activate_button(),
        )
    };
    let actions = html! { (link_button("Upload Receipt", "/workstations/receipt", Button::Plain)) (activate_button()) };
    let shown = Shown { owners: operator, sorts: whole, query: &query, next: page.next.as_deref(), now, empty };
    let content = html! {
        (page_header("Workstations", "License servers, and the seats that each of them holds.", actions))
        (tools)
        (workstation_table(items, &shown))
    };
    Ok(viewer.page(Head::wide("Workstations", HERE), content).into_response())
}
