//! Workstations: the license servers of a customer, what each holds, and what can be done with it.

pub(super) mod activate;
mod choice;
pub(super) mod lost;
pub(super) mod offline;
pub(super) mod one;
pub(super) mod recall;
pub(super) mod receipt;
pub(super) mod renew;
pub(super) mod revoke;
pub(super) mod token;

use super::Answer;
use super::lists::{self, Shown};
use super::look::{Head, Viewer, seats, stack};
use super::watch::Watcher;
use crate::Failure;
use crate::service::{overview, workstations};
use axum::http::Uri;
use axum::response::IntoResponse;
use leasehold_core::access::PortalAction;
use leasehold_core::ids::WorkstationId;
use leasehold_core::license::{Channel, Mode, Scope};
use leasehold_core::sync::SILENT_MS;
use leasehold_core::time::Ms;
use leasehold_web::components::{
    Button, Column, FilterOption, ListQuery, Row, Table, Tone, ago, badge, clip, empty_state, filter_group,
    link_button, page_header, search_box, status, table, tooltip, when,
};
use leasehold_web::maud::{Markup, html};
use leasehold_web::text::number;
use leasehold_wire::portal::{HeldLine, Page, Workstation, WorkstationStatus};
use leasehold_wire::time::Time;

const HERE: &str = "/workstations";
const ACTIVATE: &str = "/workstations/activate";
const TOKEN: &str = "/workstations/token";
const COLUMNS: &[Column] = &[
    Column::new("name", "Workstation").sortable(),
    Column::new("status", "Status").sortable(),
    Column::new("seen", "Last seen").sortable(),
    Column::new("version", "Server").sortable(),
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
        WorkstationStatus::Lost => status("Lost", Tone::Bad),
    }
}

/// Whether it is kept up to date online, and may be.
fn is_online(workstation: &Workstation) -> bool {
    workstation.mode == Mode::Online && workstation.status == WorkstationStatus::Active
}

/// Whether a server that should sync did not for longer than a sync takes, however bad the network.
fn is_silent(workstation: &Workstation, now: Ms) -> bool {
    let silent = workstation.synced_at.is_none_or(|at| now.since(at.0) >= SILENT_MS);
    is_online(workstation) && silent
}

fn mode(of: Mode) -> Markup {
    match of {
        Mode::Online => tooltip("Online", "It syncs with this portal by itself: nothing is carried by hand"),
        Mode::File => {
            tooltip("By file", "Activated by file: a new .crt file is carried to it by hand before the one it has ends")
        }
    }
}

fn being_disabled() -> Markup {
    html! { span title="It gives no new seats; what is in use runs out" { (badge("being disabled", Tone::Warning)) } }
}

/// For whom it works.
fn for_whom(workstation: &Workstation) -> Markup {
    match workstation.scope {
        Scope::Organization => html! { "for the organization" },
        Scope::Person => html! { "for " (clip(&workstation.owner.name)) " only" },
    }
}

/// When it was last heard of.
fn last_seen(workstation: &Workstation, now: Ms) -> Markup {
    html! {
        @match (workstation.mode, workstation.synced_at) {
            (Mode::Online, Some(at)) => (ago(at.0, now)),
            (Mode::Online, None) => span.muted { "never" },
            (Mode::File, _) => span.muted title="A server that is served by file is not heard of" { "–" },
        }
        @if is_silent(workstation, now) { (badge("silent", Tone::Warning)) }
    }
}

/// When the first of the rows ends that the workstation holds.
fn first_end(workstation: &Workstation) -> Option<Time> {
    workstation.lines.iter().map(|line| line.until).min()
}

/// Whether somebody has to carry a new file to it soon. Online nobody has to.
fn ends_soon(workstation: &Workstation, now: Ms) -> bool {
    let soon = first_end(workstation).is_some_and(|end| end.0.since(now) < overview::SOON_MS);
    soon && workstation.status == WorkstationStatus::Active && workstation.mode == Mode::File
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
                @if workstation.draining { div.muted.small.nowrap { "at the latest" } }
                @else if is_online(workstation) { div.muted.small.nowrap { "renewed by itself" } }
            }
            (None, _) => span.muted { "nothing runs" },
        }
        @if ends_soon(workstation, now) { " " (badge("ends soon", Tone::Warning)) }
    }
}

fn held(line: &HeldLine) -> Markup {
    html! {
        li {
            (number(line.seats.into())) " × " (clip(&line.product_name))
            @if line.channel != Channel::Commercial { span.muted { "· " (line.channel.word()) } }
            @if let Some(used) = line.used.filter(|used| *used > 0) { span.muted { "· " (number(used.into())) " in use" } }
            @if line.terms.pinned { span.muted { "· kept offline" } }
        }
    }
}

fn holds(workstation: &Workstation) -> Markup {
    const SHOWN: usize = 3;
    let held_now = workstation.lines.iter().map(|line| line.seats).fold(0, u32::saturating_add);
    // On older documents, until the server has said that it uses them no more.
    let older = workstation.seats_out.saturating_sub(held_now);
    html! {
        ul.plain-list {
            @for line in workstation.lines.iter().take(SHOWN) { (held(line)) }
            @if workstation.lines.len() > SHOWN { li.muted { "and " (workstation.lines.len() - SHOWN) " more" } }
            @if !workstation.lines.is_empty() && older > 0 { li.muted { (seats(older)) " more not back yet" } }
        }
        @if workstation.lines.is_empty() {
            span.muted {
                @if workstation.seats_out == 0 { "nothing" } @else { "nothing new; " (seats(workstation.seats_out)) " not back yet" }
            }
        }
    }
}

fn row(workstation: &Workstation, owners: bool, now: Ms) -> Row {
    let owner = &workstation.owner;
    let name = stack(html! {
        a href=(address(workstation.id)) { (clip(&workstation.name)) }
        @if owners { a.muted.small href={ "/accounts/" (owner.id) } { (clip(&owner.name)) } }
        span.muted.small { (clip(&workstation.host)) }
    });
    let standing = stack(html! {
        (status_of(workstation.status))
        span.muted.small { (mode(workstation.mode)) @if workstation.scope == Scope::Person { " · for one person" } }
        @if workstation.draining { (being_disabled()) }
        @if workstation.copy_at.is_some_and(|at| copied_lately(at.0, now)) { (badge("copied", Tone::Bad)) }
    });
    Row::from(vec![
        name,
        standing,
        stack(last_seen(workstation, now)),
        html! { span { (clip(&workstation.server_version)) } },
        holds(workstation),
        stack(until(workstation, now)),
    ])
}

/// Whether another server with the same key came within the last days: longer ago somebody has looked.
fn copied_lately(at: Ms, now: Ms) -> bool {
    now.since(at) < 7 * leasehold_core::time::DAY_MS
}

/// Workstations as a table.
pub(super) fn workstation_table(mut items: Vec<Workstation>, shown: &Shown<'_>) -> Markup {
    let Shown { owners, sorts, query, next, now, .. } = *shown;
    let columns = lists::columns(COLUMNS, sorts);
    lists::sort(&mut items, query.sort(&columns), |key, a, b| match key {
        "status" => a.status.word().cmp(b.status.word()),
        "version" => a.server_version.cmp(&b.server_version),
        "seen" => a.synced_at.cmp(&b.synced_at),
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
        Some("online") => is_online(workstation),
        Some("silent") => is_silent(workstation, now),
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
        option("online", "Online"),
        option("silent", "Silent"),
        option("ending", "Ends soon"),
        option("revoked", "Revoked"),
        option("released", "Released"),
        option("lost", "Lost"),
    ];
    html! {
        div #filters.toolbar { (filter_group("Status", "status", &options, query)) (search_box("Search workstations", query)) }
    }
}

fn activate_button() -> Markup {
    link_button("Activate Workstation", ACTIVATE, Button::Primary)
}

async fn look(viewer: &Viewer, query: &ListQuery) -> Result<Page<Workstation>, Failure> {
    let wish = lists::owned_query(query)?;
    viewer.run(move |portal, caller| workstations::list(portal, caller, &wish)).await
}

/// The table of the list: live.
fn listed(page: &Page<Workstation>, viewer: &Viewer, query: &ListQuery) -> Markup {
    let (now, whole) = (viewer.now(), lists::is_whole(page, query));
    let mut items = page.items.clone();
    if whole {
        items.retain(|workstation| {
            is_in(workstation, query.get("status"), now)
                && lists::found(query, &[&workstation.name, &workstation.host, &workstation.owner.name])
        });
    }
    let empty = if page.items.is_empty() {
        empty_state(
            "No workstations yet",
            "A workstation is a license server on your network. Enable online licensing on its page; or, if it cannot reach \
             this portal, download an activation request there (ONLINE LICENSING, Activate offline) and activate it here with \
             that file.",
            html! { @if viewer.may_here(PortalAction::ManageWorkstation) { (activate_button()) } },
        )
    } else {
        let show_all = link_button("Show all", HERE, Button::Plain);
        empty_state("None like that", "Choose another filter or search for something else.", show_all)
    };
    let next = page.next.as_deref();
    workstation_table(items, &Shown { owners: viewer.is_operator(), sorts: whole, query, next, now, empty })
}

/// One's own workstations; for operators everybody's.
pub(super) async fn list(viewer: Viewer, uri: Uri) -> Answer {
    let query = ListQuery::of(&uri);
    let page = look(&viewer, &query).await?;
    let actions = html! {
        @if viewer.may_here(PortalAction::ManageWorkstation) {
            @if !viewer.is_operator() { (link_button("Enable without a screen", TOKEN, Button::Plain)) }
            (link_button("Upload Receipt", "/workstations/receipt", Button::Plain))
            (activate_button())
        }
    };
    let content = html! {
        (page_header("Workstations", "License servers, and the seats that each of them holds.", actions))
        @if lists::is_whole(&page, &query) && !page.items.is_empty() { (toolbar(&page.items, &query, viewer.now())) }
        (listed(&page, &viewer, &query))
    };
    let live = format!("{HERE}/live{}", query.as_address());
    Ok(viewer.page(Head { live: Some(&live), ..Head::wide("Workstations", HERE) }, content).into_response())
}

/// The event stream of the list.
pub(super) async fn live(watcher: Watcher, uri: Uri) -> Answer {
    let query = ListQuery::of(&uri);
    let draw = move |viewer: Viewer| {
        let query = query.clone();
        async move { Ok(vec![("workstations", listed(&look(&viewer, &query).await?, &viewer, &query))]) }
    };
    watcher.follow(draw).await
}
