//! Licenses: their owners see where the seats are; operators sell, change and end them.

pub(super) mod end;
mod mine;
pub(super) mod one;
mod people;
pub(super) mod raise;
pub(super) mod sell;
pub(super) mod take_back;

use super::Answer;
use super::join;
use super::lists::{self, Shown};
use super::look::{Head, Viewer, counted, done, on, stack, two_lines};
use super::watch::Watcher;
use crate::Failure;
use crate::failure::sentence_time;
use crate::service::{Caller, assignments, invitations, licenses, overview};
use axum::http::Uri;
use axum::response::IntoResponse;
use leasehold_core::access::PortalAction;
use leasehold_core::ids::{AccountId, LicenseId};
use leasehold_core::license::{Kind, Term};
use leasehold_core::time::Ms;
use leasehold_web::components::{
    Button, Column, FilterOption, ListQuery, Row, Table, Tile, Tone, badge, channel_badge, clip, empty_state,
    filter_group, link_button, meter, page_header, relative, search_box, table, tiles,
};
use leasehold_web::maud::{Markup, html};
use leasehold_web::page::{self, Notice};
use leasehold_web::text::number;
use leasehold_wire::portal::{Assigned, Invitation, License, Page};
use leasehold_wire::time::Time;

const HERE: &str = "/licenses";

const COLUMNS: &[Column] = &[
    Column::new("product", "Product").sortable(),
    Column::new("owner", "Owner").sortable(),
    Column::new("term", "Runs until").sortable(),
    Column::new("out", "Out of bought").sortable(),
    Column::new("assigned", "Assigned").sortable().end(),
    Column::new("floating", "Floating").sortable().end(),
    Column::new("free", "Free").sortable().end(),
    Column::new("holders", "Out at"),
];

fn address(license: LicenseId) -> String {
    format!("{HERE}/{license}")
}

/// The state that a license is in, if it is not simply running.
fn state(license: &License, now: Ms) -> Markup {
    let ends_at = license.ends_at.map(|end| end.0);
    match () {
        () if license.ended_at.is_some() => badge("ended by the vendor", Tone::Neutral),
        () if ends_at.is_some_and(|end| end <= now) => badge("run out", Tone::Neutral),
        () if license.starts_at.0 > now => badge("not begun", Tone::Info),
        () if ends_at.is_some_and(|end| end.since(now) < overview::SOON_MS) => badge("ends soon", Tone::Warning),
        () => html! {},
    }
}

fn term(term: Term, ends_at: Option<Time>, now: Ms) -> Markup {
    match (term, ends_at) {
        (Term::Subscription { until }, Some(end)) => two_lines(
            // The day that was agreed; the instant is half a day later, when it has ended everywhere on earth.
            html! { time datetime=(end.0.rfc3339()) title=(sentence_time(end.0)) { (until) } },
            html! { (relative(end.0, now)) },
        ),
        (Term::Subscription { until }, None) => html! { (until) },
        (Term::Perpetual { maintenance_until }, _) => two_lines(
            html! { "Perpetual" },
            html! { "releases to " time.nowrap datetime=(maintenance_until) { (maintenance_until) } },
        ),
    }
}

/// Until when more seats may be in use than were bought; by how many stands at the meter.
fn over(license: &License) -> Markup {
    html! {
        @if let Some(until) = license.over_until.filter(|_| license.over_by > 0) {
            div.over { "until " (on(until.0)) }
        }
    }
}

/// Whether it is an organization's or a person's own.
fn whose(license: &License) -> Markup {
    match license.organization {
        Some(_) => badge("organization", Tone::Info),
        None => badge("personal", Tone::Neutral),
    }
}

/// At how many workstations the seats are.
fn out_at(license: &License) -> Markup {
    html! {
        @if !license.holders.is_empty() {
            span.muted.small.nowrap { "at " (counted(license.holders.len() as u64, "workstation")) }
        }
    }
}

/// At which workstations the seats are.
fn holders(license: &License) -> Markup {
    const SHOWN: usize = 3;
    html! {
        ul.plain-list {
            @for holder in license.holders.iter().take(SHOWN) {
                li {
                    span.muted { (number(holder.seats.into())) " at" }
                    @match &holder.person {
                        None => a href={ "/workstations/" (holder.workstation) } { (clip(&holder.name)) },
                        // A person's own server is theirs to look at.
                        Some(person) => (clip(&person.name)),
                    }
                }
            }
            @if license.holders.len() > SHOWN {
                li { a href=(address(license.id)) { "and " (license.holders.len() - SHOWN) " more" } }
            }
        }
        @if license.holders.is_empty() { span.muted { "nowhere" } }
    }
}

/// Seats that are assigned to people, and how many of these wait.
fn assigned(license: &License) -> Markup {
    html! {
        @match license.organization {
            None => span.muted title="A person's own license: nothing is assigned" { "–" },
            Some(_) => span { (number(license.seats_assigned.into())) },
        }
        @if license.seats_pending > 0 { (badge(&format!("{} waiting", number(license.seats_pending.into())), Tone::Warning)) }
    }
}

fn row(license: &License, owners: bool, now: Ms) -> Row {
    let name = two_lines(
        html! { a href=(address(license.id)) { (clip(&license.product.name)) } },
        html! {
            (channel_badge(license.channel.word())) " "
            (whose(license)) " "
            @if license.kind == Kind::Named && !license.label.is_empty() { (badge("named", Tone::Info)) " " }
            @if license.label.is_empty() { (license.kind) } @else { (clip(&license.label)) }
        },
    );
    let owner = html! { a href={ "/accounts/" (license.owner.id) } { (clip(&license.owner.name)) } };
    let mut cells = vec![name];
    if owners {
        cells.push(owner);
    }
    cells.extend([
        stack(html! { (term(license.term, license.ends_at, now)) (state(license, now)) }),
        stack(html! {
            (meter(&format!("Seats of {} out", license.product.name), license.seats_out.into(), license.seats.into()))
            (over(license))
            @if owners { (out_at(license)) }
        }),
        stack(assigned(license)),
    ]);
    if !owners {
        cells.push(html! { (number(license.seats_floating.into())) });
    }
    cells.push(html! { strong { (number(license.seats_free.into())) } });
    if !owners {
        cells.push(holders(license));
    }
    Row::from(cells)
}

/// Licenses as a table.
pub(super) fn license_table(mut items: Vec<License>, shown: &Shown<'_>) -> Markup {
    let Shown { owners, sorts, query, next, now, .. } = *shown;
    let mut columns = lists::columns(COLUMNS, sorts);
    // Whoever sees everybody's needs to know whose it is, and looks at one for the rest.
    columns.retain(|column| if owners { !matches!(column.key, "floating" | "holders") } else { column.key != "owner" });
    lists::sort(&mut items, query.sort(&columns), |key, a, b| match key {
        "owner" => a.owner.name.to_lowercase().cmp(&b.owner.name.to_lowercase()),
        // What never ends comes after everything that does.
        "term" => a.ends_at.map_or(i64::MAX, |end| end.0.0).cmp(&b.ends_at.map_or(i64::MAX, |end| end.0.0)),
        "out" => a.seats_out.cmp(&b.seats_out),
        "assigned" => a.seats_assigned.cmp(&b.seats_assigned),
        "floating" => a.seats_floating.cmp(&b.seats_floating),
        "free" => a.seats_free.cmp(&b.seats_free),
        _ => a.product.name.to_lowercase().cmp(&b.product.name.to_lowercase()),
    });
    let rows = items.iter().map(|license| row(license, owners, now)).collect();
    let empty = shown.empty.clone();
    table(&Table { id: "licenses", caption: "Licenses", columns: &columns, rows, query, next, empty })
}

fn is_shown(license: &License, query: &ListQuery, now: Ms) -> bool {
    let wanted = match query.get("state") {
        Some("running") => license.running,
        Some("ending") => license.running && license.ends_at.is_some_and(|end| end.0.since(now) < overview::SOON_MS),
        Some("over") => license.over_by > 0,
        Some("ended") => license.ended_at.is_some() || license.ends_at.is_some_and(|end| end.0 <= now),
        Some("not_begun") => license.starts_at.0 > now,
        _ => true,
    };
    wanted && lists::found(query, &[&license.product.name, &license.label, &license.owner.name, &license.owner.email])
}

fn sums(licenses: &[License]) -> Markup {
    let running = || licenses.iter().filter(|license| license.running);
    let sum = |of: fn(&License) -> u32| running().map(|license| u64::from(of(license))).sum::<u64>();
    let over: u64 = licenses.iter().map(|license| u64::from(license.over_by)).sum();
    let tile =
        |label, value: u64, detail: &str, tone| Tile { label, value: number(value), detail: detail.into(), tone };
    // Seats of a named license are not put on workstations.
    let free = sum(|license| if license.kind == Kind::Floating { license.seats_free } else { 0 });
    let mut list = vec![tile("Seats bought", sum(|license| license.seats), "of licenses that run", Tone::Neutral)];
    if licenses.iter().any(|license| license.organization.is_some()) {
        let waiting = match sum(|license| license.seats_pending) {
            0 => "to people".to_owned(),
            waiting => format!("to people, {} waiting", number(waiting)),
        };
        list.push(tile("Assigned", sum(|license| license.seats_assigned), &waiting, Tone::Neutral));
    }
    list.push(tile("Out at workstations", sum(|license| license.seats_out), "", Tone::Neutral));
    let free_tone = if free > 0 { Tone::Good } else { Tone::Neutral };
    list.push(tile("Free", free, "for a workstation", free_tone));
    if over > 0 {
        list.push(tile("Over", over, "more out than bought", Tone::Bad));
    }
    tiles(&list)
}

/// Everything that the list shows.
struct Listing {
    page: Page<License>,
    /// What organizations gave to whoever is looking.
    mine: Vec<Assigned>,
    /// Where they are invited.
    invited: Vec<Invitation>,
}

async fn look(viewer: &Viewer, query: &ListQuery) -> Result<Listing, Failure> {
    let wish = lists::owned_query(query)?;
    let load = move |portal: &_, caller: &Caller| {
        // While they act for an organization they see what is the organization's.
        let (mine, invited) = match caller.acts_for() {
            None => (assignments::mine(portal, caller)?.items, invitations::mine(portal, caller)?.items),
            Some(_) => (Vec::new(), Vec::new()),
        };
        Ok(Listing { page: licenses::list(portal, caller, &wish)?, mine, invited })
    };
    viewer.run(load).await
}

impl Listing {
    fn is_whole(&self, query: &ListQuery) -> bool {
        lists::is_whole(&self.page, query)
    }

    /// Whether there is anything to list, or nothing else that could be shown instead.
    fn has_table(&self) -> bool {
        !self.page.items.is_empty() || self.mine.is_empty()
    }

    /// That nobody gets more for now (operators, who can do something about it), and where one is invited: live.
    fn notices(&self, viewer: &Viewer, query: &ListQuery) -> Vec<Notice> {
        let until = self.page.items.iter().find_map(|license| license.learning_until);
        let learns = until.filter(|_| viewer.is_operator()).map(|until| raise::learns(until.0));
        let joined = query.get("done") == Some("joined");
        let joined =
            joined.then(|| done(html! { "You are in the organization. What is assigned to you stands below." }));
        joined.into_iter().chain(learns).chain(join::invited(&self.invited)).collect()
    }

    /// The figures: live.
    fn figures(&self, query: &ListQuery) -> Markup {
        html! { @if self.is_whole(query) && !self.page.items.is_empty() { div #figures { (sums(&self.page.items)) } } }
    }

    /// The table: live.
    fn table(&self, viewer: &Viewer, query: &ListQuery) -> Markup {
        let (now, whole) = (viewer.now(), self.is_whole(query));
        let mut items = self.page.items.clone();
        if whole {
            items.retain(|license| is_shown(license, query, now));
        }
        let empty = nothing(viewer, query, !self.page.items.is_empty());
        let next = self.page.next.as_deref();
        license_table(items, &Shown { owners: viewer.is_operator(), sorts: whole, query, next, now, empty })
    }
}

/// What stands where no license is.
fn nothing(viewer: &Viewer, query: &ListQuery, filtered: bool) -> Markup {
    match (filtered, viewer.is_operator()) {
        (true, _) => empty_state(
            "None like that",
            "Choose another filter or search for something else.",
            link_button("Show all", HERE, Button::Plain),
        ),
        (false, true) => empty_state(
            "No licenses yet",
            "Sell the first one: choose who gets it, which product, and how many seats.",
            link_button("Sell License", &sell_address(query.get("owner")), Button::Primary),
        ),
        (false, false) => empty_state(
            "No licenses yet",
            "When the vendor has sold you a license, or an organization has assigned seats to you, it stands here.",
            html! {},
        ),
    }
}

/// One's own licenses; for operators everybody's.
pub(super) async fn list(viewer: Viewer, uri: Uri) -> Answer {
    let query = ListQuery::of(&uri);
    let listing = look(&viewer, &query).await?;
    let operator = viewer.is_operator();
    let actions = html! {
        @if operator { (link_button("Sell License", &sell_address(query.get("owner")), Button::Primary)) }
        @else if viewer.may_here(PortalAction::ManageWorkstation) {
            (link_button("Activate Workstation", "/workstations/activate", Button::Primary))
        }
    };
    let (title, lead) = match (operator, viewer.acts_for_others()) {
        (true, _) => ("Licenses", "What was sold, and where the seats are."),
        (false, true) => ("Licenses", "What the organization has, and at which workstation the seats are."),
        (false, false) => ("My licenses", "What is yours to use, and at which workstation the seats are."),
    };
    let content = html! {
        (page_header(title, lead, actions))
        (listing.figures(&query))
        @if listing.is_whole(&query) && !listing.page.items.is_empty() {
            div.toolbar {
                (filter_group("State", "state", &[
                    FilterOption { value: "", label: "All", count: None },
                    FilterOption { value: "running", label: "Running", count: None },
                    FilterOption { value: "ending", label: "Ends soon", count: None },
                    FilterOption { value: "over", label: "Over-allocated", count: None },
                    FilterOption { value: "not_begun", label: "Not begun", count: None },
                    FilterOption { value: "ended", label: "Ended", count: None },
                ], &query))
                (search_box("Search licenses", &query))
            }
        }
        @if listing.has_table() { (listing.table(&viewer, &query)) }
        (mine::section(&listing.mine, &viewer))
    };
    let live = format!("{HERE}/live{}", query.as_address());
    let notices = listing.notices(&viewer, &query);
    let head = Head { notices: &notices, live: Some(&live), ..Head::wide(title, HERE) };
    Ok(viewer.page(head, content).into_response())
}

/// The event stream of the list.
pub(super) async fn live(watcher: Watcher, uri: Uri) -> Answer {
    let query = ListQuery::of(&uri);
    let draw = move |viewer: Viewer| {
        let query = query.clone();
        async move {
            let listing = look(&viewer, &query).await?;
            Ok(vec![
                ("notices", page::notices(&listing.notices(&viewer, &query))),
                ("figures", listing.figures(&query)),
                ("licenses", listing.table(&viewer, &query)),
                ("mine", mine::section(&listing.mine, &viewer)),
            ])
        }
    };
    watcher.follow(draw).await
}

fn sell_address(owner: Option<&str>) -> String {
    match owner.and_then(|owner| owner.parse::<AccountId>().ok()) {
        Some(owner) => format!("{HERE}/new?owner={owner}"),
        None => format!("{HERE}/new"),
    }
}
