//! Workstations: the license servers of a customer, what each holds, and what can be done with it.

pub(super) mod activate;
mod choice;
pub(super) mod receipt;
pub(super) mod renew;
pub(super) mod revoke;

use super::lists::{self, Shown};
use super::look::{Head, Viewer, done, named, on, seats, stack, two_lines};
use super::{Answer, audit};
use crate::service::{overview, workstations};
use axum::http::Uri;
use axum::response::IntoResponse;
use leasehold_core::ids::WorkstationId;
use leasehold_core::time::Ms;
use leasehold_web::components::{
    Button, Column, FilterOption, ListQuery, Row, Table, Tone, badge, card, channel_badge, clip, definitions,
    empty_state, filter_group, link_button, page_header, search_box, status, table, tooltip, when,
};
use leasehold_web::extract::ApiPath;
use leasehold_web::maud::{Markup, html};
use leasehold_web::page::{Notice, Width};
use leasehold_web::text::number;
use leasehold_wire::portal::{AuditEntry, DocumentState, IssuedDocument, PageQuery, Workstation, WorkstationStatus};
use leasehold_wire::time::Time;

const HERE: &str = "/workstations";
const ACTIVATE: &str = "/workstations/activate";
/// Documents and deeds on the page of one workstation.
const RECENT: u32 = 20;

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

/// The `.crt` file.
pub(super) async fn download(viewer: Viewer, ApiPath(workstation): ApiPath<WorkstationId>) -> Answer {
    let load = move |portal: &_, caller: &_| workstations::activation_file(portal, caller, workstation);
    Ok(crate::api::download(viewer.run(load).await?))
}

const LINE_COLUMNS: &[Column] = &[
    Column::new("product", "Product"),
    Column::new("channel", "Channel"),
    Column::new("seats", "Seats").end(),
    Column::new("until", "Runs until"),
    Column::new("free_at", "Back in the pool"),
];

fn lines(workstation: &Workstation, now: Ms) -> Markup {
    let rows = workstation.lines.iter().map(|line| {
        Row::from(vec![
            html! { a href={ "/licenses/" (line.license) } { (clip(&line.product_name)) } },
            channel_badge(line.channel.word()),
            html! { (number(line.seats.into())) },
            when(line.until.0, now),
            when(line.free_at.0, now),
        ])
    });
    let empty = match workstation.status {
        WorkstationStatus::Released => {
            empty_state("It holds nothing", "It gave up its key and all its seats.", html! {})
        }
        _ => empty_state("It holds nothing", "Renew it to give it seats.", html! {}),
    };
    table(&Table {
        id: "lines",
        caption: "What it holds",
        columns: LINE_COLUMNS,
        rows: rows.collect(),
        query: &ListQuery::default(),
        next: None,
        empty,
    })
}

const DOCUMENT_COLUMNS: &[Column] = &[
    Column::new("rev", "File"),
    Column::new("issued", "Issued"),
    Column::new("ends", "Runs until"),
    Column::new("seats", "Seats").end(),
    Column::new("state", "At the server"),
];

fn documents(list: &[IssuedDocument], now: Ms) -> Markup {
    let state = |state| match state {
        DocumentState::Issued => tooltip(
            "not confirmed yet",
            "The server says which file it uses in its next request file. Until then the seats of this one count as out",
        ),
        DocumentState::Acknowledged => html! { (badge("in use", Tone::Good)) },
        DocumentState::Void => html! { span.muted { "replaced" } },
    };
    let rows = list.iter().map(|document| {
        Row::from(vec![
            html! { "rev " (document.rev) },
            when(document.issued_at.0, now),
            when(document.ends_at.0, now),
            html! { (number(document.seats.into())) },
            state(document.state),
        ])
    });
    table(&Table {
        id: "documents",
        caption: "Activation files issued",
        columns: DOCUMENT_COLUMNS,
        rows: rows.collect(),
        query: &ListQuery::default(),
        next: None,
        empty: empty_state("No files yet", "Renew the workstation to issue one.", html! {}),
    })
}

fn at_or(at: Option<Time>, otherwise: &str, now: Ms) -> Markup {
    match at {
        Some(at) => when(at.0, now),
        None => html! { span.muted { (otherwise) } },
    }
}

fn facts(workstation: &Workstation, operator: bool, now: Ms) -> Markup {
    let mut list = vec![
        ("Status", html! { (status_of(workstation.status)) " " (mode()) }),
        ("Host", clip(&workstation.host)),
        ("Server version", clip(&workstation.server_version)),
        ("Runs until", until(workstation, now)),
        ("Seats out", html! { (number(workstation.seats_out.into())) }),
        ("Back at the latest", at_or(workstation.free_at, "all are back", now)),
        ("Newest file", html! { "rev " (workstation.newest_rev) }),
        ("Issued", at_or(workstation.issued_at, "never", now)),
        ("First activated", when(workstation.created_at.0, now)),
        ("Key", html! { code { (clip(&workstation.key_thumbprint)) } }),
        ("Id", html! { code { (workstation.id) } }),
    ];
    if operator {
        let owner = &workstation.owner;
        list.insert(
            0,
            (
                "Owner",
                html! {
                    a href={ "/accounts/" (owner.id) } { (clip(&owner.name)) } " " span.muted { (clip(&owner.email)) }
                },
            ),
        );
    }
    definitions(&list)
}

/// What to do with a file that was just issued.
fn next_step(workstation: &Workstation) -> Markup {
    let file = format!("{}/certificate", address(workstation.id));
    card(
        "Now bring the file to the license server",
        html! {
            @if let Some(free_at) = workstation.free_at {
                p {
                    strong { (seats(workstation.seats_out)) } " left the pool for this workstation until "
                    (on(free_at.0)) " at the latest."
                }
            }
            ol.numbered {
                li { "Download the .crt file and carry it to the license server's network." }
                li { "On the license server's page, open ONLINE LICENSING, Activate offline, and upload the file in step 3." }
            }
            div.actions { (link_button("Download .crt File", &file, Button::Primary)) }
        },
    )
}

/// What stands above the page after something was done, or because of how the workstation stands.
fn said(workstation: &Workstation, query: &ListQuery) -> Vec<Notice> {
    let rev = workstation.newest_rev.to_string();
    let mut notices = Vec::new();
    if query.get("issued") == Some(rev.as_str()) && workstation.status == WorkstationStatus::Active {
        notices.push(done(named("The file of ", &workstation.name, " is ready.")));
    }
    match workstation.status {
        WorkstationStatus::Active => {}
        WorkstationStatus::Revoked => notices.push(Notice::new(Tone::Warning, html! {
            (named("", &workstation.name, " is revoked: it gets no new file. "))
            @match (workstation.runs_until, workstation.free_at) {
                (Some(until), Some(free_at)) => {
                    "It can still run until " (on(until.0)) ". What it holds (" (seats(workstation.seats_out))
                    ") is back in the pool on " (on(free_at.0)) " at the latest; a receipt brings it back at once."
                }
                (None, Some(free_at)) => { "Its seats are back in the pool on " (on(free_at.0)) "." }
                _ => "Nothing that it had still runs; all its seats are back in the pool.",
            }
        })),
        WorkstationStatus::Released => notices.push(Notice::new(Tone::Neutral, html! {
            (named("", &workstation.name, " gave up its key: all its seats are back in the pool. To use the server again, activate it anew."))
        })),
    }
    notices
}

fn page_of(
    viewer: &Viewer,
    workstation: &Workstation,
    issued: &[IssuedDocument],
    history: &[AuditEntry],
    query: &ListQuery,
) -> Markup {
    let (now, here) = (viewer.now(), address(workstation.id));
    let active = workstation.status == WorkstationStatus::Active;
    let just_issued = active && query.get("issued") == Some(workstation.newest_rev.to_string().as_str());
    let actions = html! {
        @if active {
            @if !just_issued { (link_button("Download .crt File", &format!("{here}/certificate"), Button::Primary)) }
            (link_button("Renew", &format!("{here}/renew"), Button::Plain))
            (link_button("Revoke", &format!("{here}/revoke"), Button::Danger))
        }
    };
    let receipt = workstation.status != WorkstationStatus::Released;
    let content = html! {
        (page_header(&workstation.name, "", actions))
        @if just_issued { (next_step(workstation)) }
        div.columns {
            (card("Workstation", facts(workstation, viewer.is_operator(), now)))
            @if receipt {
                (card("Server disabled?", html! {
                    p {
                        "When the license server is disabled it destroys its key and writes a receipt. Upload that here, and what it \
                         holds is back in the pool at once."
                    }
                    div.actions { (link_button("Upload Receipt", "/workstations/receipt", Button::Plain)) }
                }))
            }
        }
        h2 { "What it holds" }
        (lines(workstation, now))
        h2 { "Activation files issued" }
        (documents(issued, now))
        h2 { "History" }
        (audit::table_of("history", history, true, &ListQuery::default(), None, now))
    };
    let notices = said(workstation, query);
    let head = Head { title: &workstation.name, current: HERE, width: Width::Wide, notices: &notices };
    viewer.page(head, content)
}

/// One workstation.
pub(super) async fn show(viewer: Viewer, ApiPath(id): ApiPath<WorkstationId>, uri: Uri) -> Answer {
    let facts = viewer.run(move |portal, caller| {
        let recent = PageQuery { after: None, limit: Some(RECENT) };
        Ok((
            workstations::get(portal, caller, id)?,
            workstations::documents(portal, caller, id, &recent)?.items,
            workstations::history(portal, caller, id, &recent)?.items,
        ))
    });
    let (workstation, issued, history) = facts.await?;
    Ok(page_of(&viewer, &workstation, &issued, &history, &ListQuery::of(&uri)).into_response())
}
