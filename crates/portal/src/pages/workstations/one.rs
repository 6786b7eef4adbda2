//! The page of one workstation: how it stands, what it holds, what was issued to it and what was done to it.

use super::{HERE, address, mode, status_of, until};
use crate::pages::look::{Head, Viewer, done, named, on, seats};
use crate::pages::{Answer, audit};
use crate::service::workstations;
use axum::http::Uri;
use axum::response::IntoResponse;
use leasehold_core::ids::WorkstationId;
use leasehold_core::time::Ms;
use leasehold_web::components::{
    Button, Column, ListQuery, Row, Table, Tone, badge, card, channel_badge, clip, definitions, empty_state,
    link_button, page_header, table, tooltip, when, wrapped,
};
use leasehold_web::extract::ApiPath;
use leasehold_web::maud::{Markup, html};
use leasehold_web::page::{Notice, Width};
use leasehold_web::text::number;
use leasehold_wire::portal::{AuditEntry, DocumentState, IssuedDocument, PageQuery, Workstation, WorkstationStatus};
use leasehold_wire::time::Time;

/// Documents and deeds on the page.
const RECENT: u32 = 20;

/// The `.crt` file.
pub(in crate::pages) async fn download(viewer: Viewer, ApiPath(workstation): ApiPath<WorkstationId>) -> Answer {
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
        ("Host", wrapped(&workstation.host)),
        ("Server version", wrapped(&workstation.server_version)),
        ("Runs until", until(workstation, now)),
        ("Seats out", html! { (number(workstation.seats_out.into())) (not_confirmed(workstation)) }),
        ("Back at the latest", at_or(workstation.free_at, "all are back", now)),
        ("Newest file", html! { "rev " (workstation.newest_rev) }),
        ("Issued", at_or(workstation.issued_at, "never", now)),
        ("First activated", when(workstation.created_at.0, now)),
        ("Key", html! { code { (wrapped(&workstation.key_thumbprint)) } }),
        ("Id", html! { code { (workstation.id) } }),
    ];
    if operator {
        let owner = &workstation.owner;
        list.insert(
            0,
            (
                "Owner",
                html! {
                    a href={ "/accounts/" (owner.id) } { (wrapped(&owner.name)) } " " span.muted { (wrapped(&owner.email)) }
                },
            ),
        );
    }
    definitions(&list)
}

/// Why more seats are out than the newest file holds.
fn not_confirmed(workstation: &Workstation) -> Markup {
    let held: u32 = workstation.lines.iter().map(|line| line.seats).sum();
    html! {
        @if workstation.seats_out > held {
            " The newest file holds " (seats(held)) "; the rest counts until the server has loaded it and says so in its next request \
             file, or until the older file has ended."
        }
    }
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
                    (not_confirmed(workstation))
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
pub(in crate::pages) async fn show(viewer: Viewer, ApiPath(id): ApiPath<WorkstationId>, uri: Uri) -> Answer {
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
