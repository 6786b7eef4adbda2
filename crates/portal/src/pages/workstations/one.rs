//! The page of one workstation: how it stands, what it holds, what was issued to it and what was done to it.

use super::{
    HERE, address, being_disabled, copied_lately, for_whom, is_online, is_silent, last_seen, mode, status_of, until,
};
use crate::Failure;
use crate::pages::look::{Head, Viewer, done, named, on, seats};
use crate::pages::watch::Watcher;
use crate::pages::{Answer, audit};
use crate::service::workstations;
use axum::http::Uri;
use axum::response::IntoResponse;
use leasehold_core::access::PortalAction;
use leasehold_core::ids::WorkstationId;
use leasehold_core::license::Mode;
use leasehold_core::time::Ms;
use leasehold_web::components::{
    Button, Column, ListQuery, Row, Table, Tone, badge, card, channel_badge, clip, definitions, empty_state,
    link_button, page_header, table, tooltip, when, wrapped,
};
use leasehold_web::extract::ApiPath;
use leasehold_web::maud::{Markup, html};
use leasehold_web::page::{self, Notice, Width};
use leasehold_web::text::number;
use leasehold_wire::portal::{
    AuditEntry, DocumentState, IssuedDocument, PageQuery, ReportedUsage, Workstation, WorkstationStatus,
};
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
    Column::new("used", "In use").end(),
    Column::new("until", "Runs until"),
    Column::new("free_at", "Back at the latest"),
];

/// What it holds: live.
fn lines(workstation: &Workstation, viewer: &Viewer) -> Markup {
    let now = viewer.now();
    let online = workstation.lines.iter().any(|line| line.used.is_some());
    let columns: Vec<Column> = LINE_COLUMNS.iter().filter(|column| online || column.key != "used").copied().collect();
    let rows = workstation.lines.iter().map(|line| {
        // Seats that were assigned to a person are of somebody else's license.
        let visible = viewer.is_operator() || !line.terms.assigned;
        let mut cells = vec![
            html! {
                @if visible { a href={ "/licenses/" (line.license) } { (clip(&line.product_name)) } }
                @else { (clip(&line.product_name)) }
            },
            channel_badge(line.channel.word()),
            html! {
                // One piece, so that a narrow page does not tear it apart.
                span {
                    strong { (number(line.seats.into())) }
                    @if line.terms.pinned { " " (tooltip("kept offline", "Borrowed to it for use without the portal: not asked back before its end")) }
                    @if line.recalled > 0 { " " (badge(&format!("{} recalled", number(line.recalled.into())), Tone::Info)) }
                }
            },
        ];
        if online {
            cells.push(match line.used {
                Some(used) => html! { (number(used.into())) },
                None => html! { span.muted { "not told" } },
            });
        }
        cells.extend([when(line.until.0, now), when(line.free_at.0, now)]);
        Row::from(cells)
    });
    let empty = match workstation.status {
        WorkstationStatus::Released => {
            empty_state("It holds nothing", "It gave up its key and all its seats.", html! {})
        }
        WorkstationStatus::Active if is_online(workstation) => empty_state(
            "It holds nothing",
            "Seats come to it by themselves when an application asks for some and any are free.",
            html! {},
        ),
        WorkstationStatus::Active => empty_state("It holds nothing", "Renew it to give it seats.", html! {}),
        WorkstationStatus::Revoked => empty_state("It holds nothing new", "It is revoked and gets no seats.", html! {}),
        WorkstationStatus::Lost => empty_state("It holds nothing", "It was declared lost and gets no seats.", html! {}),
    };
    table(&Table {
        id: "lines",
        caption: "What it holds",
        columns: &columns,
        rows: rows.collect(),
        query: &ListQuery::default(),
        next: None,
        empty,
    })
}

const DOCUMENT_COLUMNS: &[Column] = &[
    Column::new("rev", "Number"),
    Column::new("issued", "Issued"),
    Column::new("ends", "Runs until"),
    Column::new("seats", "Seats").end(),
    Column::new("state", "At the server"),
];

fn documents(list: &[IssuedDocument], mode: Mode, now: Ms) -> Markup {
    let (caption, unconfirmed) = match mode {
        Mode::Online => (
            "Documents issued",
            "The server says which document it uses when it syncs. Until then the seats of this one count as out",
        ),
        Mode::File => (
            "Activation files issued",
            "The server says which file it uses in its next request file. Until then the seats of this one count as out",
        ),
    };
    let state = |state| match state {
        DocumentState::Issued => tooltip("not confirmed yet", unconfirmed),
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
        caption,
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
    let online = workstation.mode == Mode::Online;
    let mut list = vec![
        (
            "Status",
            html! {
                (status_of(workstation.status)) " " (mode(workstation.mode))
                @if workstation.draining { " " (being_disabled()) }
            },
        ),
        ("Works", for_whom(workstation)),
        ("Host", wrapped(&workstation.host)),
        ("Server version", wrapped(&workstation.server_version)),
        ("Runs until", until(workstation, now)),
        ("Seats out", html! { (number(workstation.seats_out.into())) (not_confirmed(workstation)) }),
        ("Back at the latest", at_or(workstation.free_at, "all are back", now)),
        (if online { "Newest document" } else { "Newest file" }, html! { "rev " (workstation.newest_rev) }),
        ("Issued", at_or(workstation.issued_at, "never", now)),
        ("First activated", when(workstation.created_at.0, now)),
        ("Key", html! { code { (wrapped(&workstation.key_thumbprint)) } }),
        ("Id", html! { code { (workstation.id) } }),
    ];
    if online {
        list.insert(2, ("Last seen", last_seen(workstation, now)));
        let used = workstation.seats_used.unwrap_or(0);
        list.insert(3, ("Seats in use", html! { (number(used.into())) span.muted { " when it was last seen" } }));
    }
    if let Some(gave) = &workstation.gave_back {
        list.push((
            "Gave back",
            html! { "keeps " (seats(gave.seats_kept)) " of rev " (gave.rev) ", receipt " (gave.number) ", " (when(gave.at.0, now)) },
        ));
    }
    for off in &workstation.written_off {
        list.push((
            "Written off",
            html! {
                (seats(off.seats)) " of " (clip(&off.product_name)) ", " (when(off.at.0, now))
                @if off.until.0 > now { span.muted { "; may be in use until " (on(off.until.0)) } }
            },
        ));
    }
    if let (Some(host), Some(at)) = (&workstation.copy_on, workstation.copy_at) {
        list.push(("A copy came", html! { "from " (wrapped(host)) ", " (when(at.0, now)) }));
    }
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
            @if workstation.mode == Mode::Online {
                " The newest document holds " (seats(held)) "; the rest counts until the server confirms it with its next sync, or until the \
                 older document has ended."
            } @else {
                " The newest file holds " (seats(held)) "; the rest counts until the server has loaded it and says so in its next request \
                 file, or until the older file has ended."
            }
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

/// That somebody else came with the same key: what it means, and what to do.
fn copied(workstation: &Workstation, now: Ms) -> Option<Notice> {
    let (host, at) = (workstation.copy_on.as_ref()?, workstation.copy_at?);
    let free_at = workstation.free_at;
    let current = copied_lately(at.0, now) && workstation.status != WorkstationStatus::Released;
    current.then(|| Notice::new(Tone::Bad, html! {
        "Another server came with this key, " (named("on ", host, "")) ", at " (on(at.0))
        ". It was told to stop and gives no seats; the seats here are those of the server that syncs with this key. If somebody copied or restored \
         the data folder, stop that copy, or disable it and enable it anew, which makes a key of its own. If the restored one is to take the place of \
         a server that is gone, do that, and revoke this workstation"
        @if let Some(free_at) = free_at { ": what it held is free on " (on(free_at.0)) " at the latest" }
        ". If nobody of you did either, the key was stolen: revoke this workstation, then disable its server and enable it anew."
    }))
}

/// That it was not heard of for long, and what that means.
fn silent(workstation: &Workstation, now: Ms) -> Option<Notice> {
    is_silent(workstation, now).then(|| Notice::new(Tone::Warning, html! {
        (named("", &workstation.name, " has not been heard of "))
        @match workstation.synced_at { Some(at) => { "since " (on(at.0)) ". " }, None => "yet. " }
        @if let (Some(until), Some(free_at)) = (workstation.runs_until, workstation.free_at) {
            "It goes on without this portal until " (on(until.0)) "; if it stays away, its seats are free on " (on(free_at.0)) ". "
        }
        "See whether its machine runs and reaches this portal."
    }))
}

/// How a revoked workstation stands.
fn revoked(workstation: &Workstation) -> Notice {
    let online = workstation.mode == Mode::Online;
    Notice::new(
        Tone::Warning,
        html! {
            (named("", &workstation.name, if online { " is revoked: it gets no seats. " } else { " is revoked: it gets no new file. " }))
            @match (workstation.runs_until, workstation.free_at) {
                (Some(until), Some(free_at)) => {
                    @if online {
                        "What it holds (" (seats(workstation.seats_out)) ") is withdrawn at its next sync, within seconds if it reaches this \
                         portal. Otherwise it can run until " (on(until.0)) ", and the seats are back in the pool on " (on(free_at.0))
                        " at the latest."
                    } @else {
                        "It can still run until " (on(until.0)) ". What it holds (" (seats(workstation.seats_out))
                        ") is back in the pool on " (on(free_at.0)) " at the latest; a receipt brings it back at once."
                    }
                }
                (None, Some(free_at)) => { "Its seats are back in the pool on " (on(free_at.0)) "." }
                _ => "Nothing that it had still runs; all its seats are back in the pool.",
            }
        },
    )
}

/// How a workstation stands that was declared lost.
fn lost(workstation: &Workstation, now: Ms) -> Notice {
    let off: u32 = workstation.written_off.iter().map(|row| row.seats).fold(0, u32::saturating_add);
    let until = workstation.written_off.iter().map(|row| row.until.0).max();
    Notice::new(
        Tone::Bad,
        html! {
            (named("", &workstation.name, " was declared lost: it gets nothing any more, and its key cannot be used again. "))
            @if let Some(free_at) = workstation.free_at {
                (seats(workstation.seats_out)) " of it count as out until " (on(free_at.0)) ": what it has is signed until then. "
            } @else if off == 0 {
                "Nothing that it had still runs; all its seats are back in the pool. "
            }
            @if let Some(until) = until {
                (seats(off)) @if off == 1 { " was" } @else { " were" } " written off and count as free"
                @if until > now { ", but may still be in use until " (on(until)) }
                ". "
            }
            @if workstation.free_at.is_some() { a href={ (address(workstation.id)) "/lost" } { "See what can be freed at once" } }
        },
    )
}

/// What stands above the page after something was done, or because of how the workstation stands: live.
fn said(workstation: &Workstation, query: &ListQuery, now: Ms) -> Vec<Notice> {
    let rev = workstation.newest_rev.to_string();
    let mut notices = Vec::new();
    if query.get("issued") == Some(rev.as_str()) && workstation.status == WorkstationStatus::Active {
        notices.push(done(named("The file of ", &workstation.name, " is ready.")));
    }
    let recalled = query.get("recalled").and_then(|seats| seats.parse::<u32>().ok());
    if let Some(count) = recalled.filter(|_| is_online(workstation)) {
        notices.push(done(html! {
            (seats(count)) " asked back. Idle ones come within seconds, those in use when they are freed."
        }));
    }
    if query.get("kept").is_some() && is_online(workstation) {
        notices.push(done(html! {
            (named("", &workstation.name, " hears of it with its next sync, ")) "within seconds if it is reached."
        }));
    }
    let given = query.get("gave_back").and_then(|seats| seats.parse::<u32>().ok());
    if let (Some(count), Some(gave)) = (given, &workstation.gave_back) {
        notices.push(done(html! {
            "Receipt " (gave.number) " was taken: " (seats(count)) " back in the pool. The server keeps " (seats(gave.seats_kept)) ". "
            "It needs no new file for that; when you like, "
            a href={ (address(workstation.id)) "/renew" } { "issue one with the lower numbers" } "."
            @if workstation.newest_rev > gave.rev {
                " Its newer file, rev " (workstation.newest_rev) ", counts as well until the server has loaded another, or it has ended."
            }
        }));
    }
    notices.extend(copied(workstation, now));
    notices.extend(silent(workstation, now));
    match workstation.status {
        WorkstationStatus::Active => {}
        WorkstationStatus::Revoked => notices.push(revoked(workstation)),
        WorkstationStatus::Lost => notices.push(lost(workstation, now)),
        WorkstationStatus::Released => notices.push(Notice::new(Tone::Neutral, html! {
            (named("", &workstation.name, " gave up its key: all its seats are back in the pool. To use the server again, activate it anew."))
        })),
    }
    notices
}

/// What the page shows beside the workstation itself.
struct Past {
    issued: Vec<IssuedDocument>,
    history: Vec<AuditEntry>,
}

fn actions(workstation: &Workstation, just_issued: bool) -> Markup {
    let here = address(workstation.id);
    let active = workstation.status == WorkstationStatus::Active;
    html! {
        @if is_online(workstation) {
            // No .crt file here: one that is carried to the server by accident would end its syncs.
            @if !workstation.lines.is_empty() { (link_button("Recall seats", &format!("{here}/recall"), Button::Plain)) }
            (link_button("Use offline", &format!("{here}/offline"), Button::Plain))
            (link_button("Switch to files", &format!("{here}/renew"), Button::Plain))
        } @else if active {
            @if !just_issued { (link_button("Download .crt File", &format!("{here}/certificate"), Button::Primary)) }
            (link_button("Renew", &format!("{here}/renew"), Button::Plain))
        }
        @if matches!(workstation.status, WorkstationStatus::Active | WorkstationStatus::Revoked) {
            (link_button("Lost?", &format!("{here}/lost"), Button::Plain))
        }
        @if active { (link_button("Revoke", &format!("{here}/revoke"), Button::Danger)) }
    }
}

/// How it gives up, for whom that is still to come.
fn how_to_disable(workstation: &Workstation) -> Markup {
    let text = match workstation.mode {
        Mode::Online => {
            "Disable the license server on its own page when it is no longer needed: it destroys its key, tells this portal, and \
             what it holds is back in the pool at once. If it could not reach this portal then, upload its receipt here."
        }
        Mode::File => {
            "When the license server gives back some seats, or is disabled and destroys its key, it writes a receipt. Upload that \
             here, and what it gave up is back in the pool at once."
        }
    };
    let (title, text) = match (workstation.status, workstation.mode) {
        (WorkstationStatus::Lost, _) => (
            "Found again?",
            "Disable the license server on its own page, and upload its receipt here: what it still holds is back in the pool at once. \
             To use it again, activate it anew.",
        ),
        (_, Mode::File) => ("Seats to give back?", text),
        (_, Mode::Online) => ("Server disabled?", text),
    };
    let upload = link_button("Upload Receipt", "/workstations/receipt", Button::Plain);
    html! {
        @if workstation.status != WorkstationStatus::Released {
            (card(title, html! { p { (text) } div.actions { (upload) } }))
        }
    }
}

const USAGE_COLUMNS: &[Column] = &[
    Column::new("feature", "Feature"),
    Column::new("hours", "Seat hours").end(),
    Column::new("peak", "Most at once").end(),
    Column::new("checkouts", "Checkouts").end(),
    Column::new("denials", "Denials").end(),
];

/// What the server's newest receipt says about usage.
fn reported(usage: &ReportedUsage, now: Ms) -> Markup {
    let rows = usage.features.iter().map(|feature| {
        Row::from(vec![
            html! { code { (feature.feature) } },
            html! { (number(feature.seat_s / 3_600)) "." (feature.seat_s % 3_600 / 360) },
            html! { (number(feature.peak.into())) },
            html! { (number(feature.checkouts)) },
            html! { (number(feature.denials)) },
        ])
    });
    html! {
        p.hint {
            "By its newest receipt, from " (when(usage.since.0, now)) " to " (when(usage.until.0, now)) ", by the server's own clock."
            @if usage.left_out > 0 { " " (number(usage.left_out.into())) " features with less use are left out." }
        }
        (table(&Table {
            id: "usage",
            caption: "Usage",
            columns: USAGE_COLUMNS,
            rows: rows.collect(),
            query: &ListQuery::default(),
            next: None,
            empty: empty_state("Nothing was used", "No application took a seat in this time.", html! {}),
        }))
    }
}

/// Its facts: live.
fn standing(workstation: &Workstation, viewer: &Viewer) -> Markup {
    html! { div #standing { (card("Workstation", facts(workstation, viewer.is_operator(), viewer.now()))) } }
}

fn page_of(viewer: &Viewer, workstation: &Workstation, past: &Past, query: &ListQuery) -> Markup {
    let now = viewer.now();
    let active = workstation.status == WorkstationStatus::Active;
    let issued_now = query.get("issued") == Some(workstation.newest_rev.to_string().as_str());
    let just_issued = active && issued_now && !is_online(workstation);
    let issued_title = if is_online(workstation) { "Documents issued" } else { "Activation files issued" };
    let manages = viewer.may(PortalAction::ManageWorkstation, workstation.owner.id);
    let content = html! {
        (page_header(&workstation.name, "", html! { @if manages { (actions(workstation, just_issued)) } }))
        @if just_issued { (next_step(workstation)) }
        h2 { "What it holds" }
        (lines(workstation, viewer))
        div.columns { (standing(workstation, viewer)) @if manages { (how_to_disable(workstation)) } }
        @if let Some(usage) = &workstation.usage { h2 { "Usage" } (reported(usage, now)) }
        h2 { (issued_title) }
        (documents(&past.issued, workstation.mode, now))
        h2 { "History" }
        (audit::table_of("history", &past.history, true, &ListQuery::default(), None, now))
    };
    let notices = said(workstation, query, now);
    let live = format!("{}/live{}", address(workstation.id), query.as_address());
    let head =
        Head { title: &workstation.name, current: HERE, width: Width::Wide, notices: &notices, live: Some(&live) };
    viewer.page(head, content)
}

/// One workstation.
pub(in crate::pages) async fn show(viewer: Viewer, ApiPath(id): ApiPath<WorkstationId>, uri: Uri) -> Answer {
    let facts = viewer.run(move |portal, caller| {
        let recent = PageQuery { after: None, limit: Some(RECENT) };
        let workstation = workstations::get(portal, caller, id)?;
        let issued = workstations::documents(portal, caller, id, &recent)?.items;
        let history = workstations::history(portal, caller, id, &recent)?.items;
        Ok((workstation, Past { issued, history }))
    });
    let (workstation, past) = facts.await?;
    Ok(page_of(&viewer, &workstation, &past, &ListQuery::of(&uri)).into_response())
}

/// The event stream of its page.
pub(in crate::pages) async fn live(watcher: Watcher, ApiPath(id): ApiPath<WorkstationId>, uri: Uri) -> Answer {
    let query = ListQuery::of(&uri);
    let draw = move |viewer: Viewer| {
        let query = query.clone();
        async move {
            let workstation = viewer.run(move |portal, caller| workstations::get(portal, caller, id)).await?;
            Ok::<_, Failure>(vec![
                ("notices", page::notices(&said(&workstation, &query, viewer.now()))),
                ("lines", lines(&workstation, &viewer)),
                ("standing", standing(&workstation, &viewer)),
            ])
        }
    };
    watcher.follow(draw).await
}
