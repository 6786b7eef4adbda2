//! Licenses: their owners see where the seats are; operators sell, change and end them.

pub(super) mod sell;

use super::fields::{Fields, Mistake};
use super::lists::{self, Shown};
use super::look::{Head, Viewer, counted, done, on, seats, stack, two_lines};
use super::{Answer, go};
use crate::Failure;
use crate::failure::sentence_time;
use crate::service::{licenses, overview};
use axum::http::Uri;
use axum::response::IntoResponse;
use leasehold_core::access::PortalAction;
use leasehold_core::ids::{AccountId, LicenseId};
use leasehold_core::license::{Kind, Term};
use leasehold_core::time::Ms;
use leasehold_web::components::{
    Button, Column, Confirm, Field, FilterOption, ListQuery, Row, Table, Tile, Tone, badge, button, card,
    channel_badge, clip, confirm_panel, definitions, empty_state, filter_group, link_button, meter, page_header,
    relative, search_box, table, tiles, when, wrapped,
};
use leasehold_web::extract::ApiPath;
use leasehold_web::maud::{Markup, html};
use leasehold_web::page::{Notice, Width};
use leasehold_web::text::number;
use leasehold_wire::portal::License;

const HERE: &str = "/licenses";

const COLUMNS: &[Column] = &[
    Column::new("product", "Product").sortable(),
    Column::new("owner", "Owner").sortable(),
    Column::new("term", "Runs until").sortable(),
    Column::new("out", "Out of bought").sortable(),
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

fn term(license: &License, now: Ms) -> Markup {
    match (license.term, license.ends_at) {
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

/// Where the seats are: by name for their owner; operators, who see many owners, get how many.
fn holders(license: &License, owners: bool) -> Markup {
    const SHOWN: usize = 3;
    if owners && !license.holders.is_empty() {
        return html! { a.nowrap href=(address(license.id)) { (counted(license.holders.len() as u64, "workstation")) } };
    }
    html! {
        ul.plain-list {
            @for holder in license.holders.iter().take(SHOWN) {
                li {
                    span.muted { (number(holder.seats.into())) " at" }
                    a href={ "/workstations/" (holder.workstation) } { (clip(&holder.name)) }
                }
            }
            @if license.holders.len() > SHOWN {
                li { a href=(address(license.id)) { "and " (license.holders.len() - SHOWN) " more" } }
            }
        }
        @if license.holders.is_empty() { span.muted { "nowhere" } }
    }
}

fn row(license: &License, owners: bool, now: Ms) -> Row {
    let name = two_lines(
        html! { a href=(address(license.id)) { (clip(&license.product.name)) } },
        html! {
            (channel_badge(license.channel.word())) " "
            @if license.kind == Kind::Named && !license.label.is_empty() { (badge("named", Tone::Info)) " " }
            @if license.label.is_empty() { (license.kind) } @else { (clip(&license.label)) }
        },
    );
    let owner = html! { a href={ "/accounts/" (license.owner.id) } { (clip(&license.owner.name)) } };
    let mut cells = vec![name, owner];
    if !owners {
        cells.truncate(1);
    }
    cells.extend([
        stack(html! { (term(license, now)) (state(license, now)) }),
        stack(html! {
            (meter(&format!("Seats of {} out", license.product.name), license.seats_out.into(), license.seats.into()))
            (over(license))
        }),
        html! { strong { (number(license.seats_free.into())) } },
        holders(license, owners),
    ]);
    Row::from(cells)
}

/// Licenses as a table.
pub(super) fn license_table(mut items: Vec<License>, shown: &Shown<'_>) -> Markup {
    let Shown { owners, sorts, query, next, now, .. } = *shown;
    let mut columns = lists::columns(COLUMNS, sorts);
    columns.retain(|column| owners || column.key != "owner");
    lists::sort(&mut items, query.sort(&columns), |key, a, b| match key {
        "owner" => a.owner.name.to_lowercase().cmp(&b.owner.name.to_lowercase()),
        // What never ends comes after everything that does.
        "term" => a.ends_at.map_or(i64::MAX, |end| end.0.0).cmp(&b.ends_at.map_or(i64::MAX, |end| end.0.0)),
        "out" => a.seats_out.cmp(&b.seats_out),
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
    let mut list = vec![
        tile("Seats bought", sum(|license| license.seats), "of licenses that run", Tone::Neutral),
        tile("Out at workstations", sum(|license| license.seats_out), "", Tone::Neutral),
        tile("Free", free, "for a workstation", if free > 0 { Tone::Good } else { Tone::Neutral }),
    ];
    if over > 0 {
        list.push(tile("Over", over, "more out than bought", Tone::Bad));
    }
    tiles(&list)
}

/// One's own licenses; for operators everybody's.
pub(super) async fn list(viewer: Viewer, uri: Uri) -> Answer {
    let (query, now) = (ListQuery::of(&uri), viewer.now());
    let wish = lists::owned_query(&query)?;
    let owner = wish.owner;
    let mut page = viewer.run(move |portal, caller| licenses::list(portal, caller, &wish)).await?;
    let (operator, whole) = (viewer.is_operator(), lists::is_whole(&page, &query));
    let some = !page.items.is_empty();
    let figures = if whole && some {
        sums(&page.items)
    } else {
        html! {}
    };
    if whole {
        page.items.retain(|license| is_shown(license, &query, now));
    }
    let sell = html! {
        @if operator { (link_button("Sell License", &sell_address(owner), Button::Primary)) }
        @else { (link_button("Activate Workstation", "/workstations/activate", Button::Primary)) }
    };
    let empty = match (some, operator) {
        (true, _) => empty_state(
            "None like that",
            "Choose another filter or search for something else.",
            html! {
                (link_button("Show all", HERE, Button::Plain))
            },
        ),
        (false, true) => empty_state(
            "No licenses yet",
            "Sell the first one: choose who gets it, which product, and how many seats.",
            html! {
                (link_button("Sell License", &sell_address(owner), Button::Primary))
            },
        ),
        (false, false) => empty_state(
            "No licenses yet",
            "When the vendor has sold you a license, it stands here. Ask the vendor if one is missing.",
            html! {},
        ),
    };
    let (title, lead) = if operator {
        ("Licenses", "What was sold, and where the seats are.")
    } else {
        ("My licenses", "What you bought, and at which workstation the seats are.")
    };
    let content = html! {
        (page_header(title, lead, sell))
        (figures)
        @if whole && some {
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
        (license_table(page.items, &Shown { owners: operator, sorts: whole, query: &query, next: page.next.as_deref(), now, empty }))
    };
    Ok(viewer.page(Head::wide(title, HERE), content).into_response())
}

const HOLDER_COLUMNS: &[Column] = &[
    Column::new("name", "Workstation"),
    Column::new("status", "Status"),
    Column::new("seats", "Seats").end(),
    Column::new("free_at", "Back at the latest"),
];

fn holder_table(license: &License, now: Ms) -> Markup {
    let rows = license.holders.iter().map(|holder| {
        Row::from(vec![
            html! { a href={ "/workstations/" (holder.workstation) } { (clip(&holder.name)) } },
            super::workstations::status_of(holder.status),
            html! { (number(holder.seats.into())) },
            when(holder.free_at.0, now),
        ])
    });
    table(&Table {
        id: "holders",
        caption: "Where the seats are",
        columns: HOLDER_COLUMNS,
        rows: rows.collect(),
        query: &ListQuery::default(),
        next: None,
        empty: nowhere(license, now),
    })
}

/// No seat is out: what that means for this license.
fn nowhere(license: &License, now: Ms) -> Markup {
    let (title, text) = match () {
        () if license.ended_at.is_some() || license.ends_at.is_some_and(|end| end.0 <= now) => {
            ("No seat is out", "The license has ended: nothing of it is given any more.")
        }
        () if license.starts_at.0 > now => {
            ("No seat is out", "The license has not begun; its seats can be used from then on.")
        }
        () if license.kind == Kind::Named => {
            ("No seat is out", "Seats of a named license are for people and are not put on workstations by file.")
        }
        () => ("All seats are free", "Activate a workstation to use them."),
    };
    empty_state(title, text, html! {})
}

fn facts(license: &License, operator: bool, now: Ms) -> Markup {
    let id = license.id.to_string();
    let mut list = vec![
        ("Product", html! { (wrapped(&license.product.name)) " " code { (license.product.code) } }),
        ("State", html! { @if license.running { (badge("running", Tone::Good)) " " } (state(license, now)) }),
        ("Channel", channel_badge(license.channel.word())),
        (
            "Kind",
            html! { @match license.kind {
                Kind::Floating => "Floating: anyone whom the workstation's rules allow",
                Kind::Named => "Named: seats are assigned to people",
            } },
        ),
        ("Begins", when(license.starts_at.0, now)),
        ("Runs until", term(license, now)),
        (
            "Seats out",
            html! {
                (meter("Seats out", license.seats_out.into(), license.seats.into())) (over(license))
            },
        ),
        ("Seats free", html! { (number(license.seats_free.into())) }),
    ];
    if let Some(ended) = license.ended_at {
        list.push(("Ended by the vendor", when(ended.0, now)));
    }
    if operator {
        list.insert(0, ("Owner", html! {
            a href={ "/accounts/" (license.owner.id) } { (wrapped(&license.owner.name)) } " " span.muted { (wrapped(&license.owner.email)) }
        }));
    }
    if !license.label.is_empty() {
        list.push(("The vendor's mark", wrapped(&license.label)));
    }
    list.push(("Id", html! { code { (id) } }));
    definitions(&list)
}

fn license_page(viewer: &Viewer, license: &License, notices: &[Notice], entered: &str, mistake: &Mistake) -> Markup {
    let now = viewer.now();
    let operator = viewer.is_operator();
    let here = address(license.id);
    let out = format!(
        "{} out now. Fewer than that is allowed: nothing new is given, and the license shows by how much it is over until they are back.",
        if license.seats_out == 1 { "1 seat is".to_owned() } else { format!("{} are", seats(license.seats_out)) }
    );
    let actions = html! {
        @if operator && license.ended_at.is_none() { (link_button("End License", &format!("{here}/end"), Button::Danger)) }
    };
    let content = html! {
        (page_header(&license.product.name, &seats(license.seats), actions))
        (mistake.panel(&["seats"]))
        div.columns {
            (card("License", facts(license, operator, now)))
            @if operator && license.ended_at.is_none() {
                (card("Change seats", html! {
                    form #change-seats method="post" action=(here) {
                        (Field::new("seats", "Seats").required().value(entered).hint(&out)
                            .error(mistake.at("seats", "The number of seats").as_deref())
                            .number(1, licenses::SEATS_MAX.into()))
                        div.actions { (button("Change seats", Button::Plain)) }
                    }
                }))
            }
        }
        h2 { "Where the seats are" }
        (holder_table(license, now))
    };
    viewer.page(Head { title: &license.product.name, current: HERE, width: Width::Wide, notices }, content)
}

/// One license.
pub(super) async fn show(viewer: Viewer, ApiPath(license): ApiPath<LicenseId>, uri: Uri) -> Answer {
    let license = viewer.run(move |portal, caller| licenses::get(portal, caller, license)).await?;
    let said = match ListQuery::of(&uri).get("done") {
        Some("sold") => {
            Some(html! { "The license is sold: " (seats(license.seats)) " for " (clip(&license.owner.name)) "." })
        }
        Some("seats") => Some(html! { "The license has " (seats(license.seats)) " now." }),
        Some("ended") => {
            Some(html! { "The license is ended. Nothing new is given of it; what is out runs to its end." })
        }
        _ => None,
    };
    let notices: Vec<Notice> = said.map(done).into_iter().collect();
    let entered = license.seats.to_string();
    Ok(license_page(&viewer, &license, &notices, &entered, &Mistake::none()).into_response())
}

/// Changes how many seats a license has.
pub(super) async fn change_seats(viewer: Viewer, ApiPath(id): ApiPath<LicenseId>, fields: Fields) -> Answer {
    let wanted = fields.parse::<u32>("seats", "must be a whole number from 1 to 1,000,000");
    let changed = match wanted {
        Ok(seats) => viewer.run(move |portal, caller| licenses::change_seats(portal, caller, id, seats)).await,
        Err(failure) => Err(failure),
    };
    match changed {
        Ok(license) => go(&format!("{}?done=seats", address(license.id))),
        Err(failure @ Failure::Invalid { .. }) => {
            let mistake = Mistake::from(failure);
            let license = viewer.run(move |portal, caller| licenses::get(portal, caller, id)).await?;
            Ok(mistake.answer(license_page(&viewer, &license, &[], fields.get("seats"), &mistake)))
        }
        Err(failure) => Err(failure.into()),
    }
}

/// Asks before a license is ended.
pub(super) async fn end_form(viewer: Viewer, ApiPath(id): ApiPath<LicenseId>) -> Answer {
    viewer.check(PortalAction::ManageLicenses)?;
    let license = viewer.run(move |portal, caller| licenses::get(portal, caller, id)).await?;
    let here = address(id);
    let back = license.holders.iter().map(|holder| holder.free_at.0).max();
    let question = format!("End the license of {} for {}?", license.product.name, license.owner.name);
    let panel = Confirm {
        question: &question,
        effect: html! {
            p { "Nothing new is given of its " strong { (seats(license.seats)) } ". This cannot be undone; a new license can be sold." }
            @match back {
                Some(back) => p {
                    strong { (seats(license.seats_out)) } " at " (counted(license.holders.len() as u64, "workstation"))
                    " can still be used; the last of them is back on " (on(back)) "."
                },
                None => p { "No seat is out at a workstation." },
            }
        },
        action: &format!("{here}/end"),
        values: &[],
        verb: "End License",
        cancel: &here,
        kind: Button::Danger,
    };
    Ok(viewer.page(Head::narrow("End license", HERE), confirm_panel(&panel)).into_response())
}

/// Ends a license.
pub(super) async fn end(viewer: Viewer, ApiPath(id): ApiPath<LicenseId>) -> Answer {
    let license = viewer.run(move |portal, caller| licenses::end(portal, caller, id)).await?;
    go(&format!("{}?done=ended", address(license.id)))
}

fn sell_address(owner: Option<AccountId>) -> String {
    match owner {
        Some(owner) => format!("{HERE}/new?owner={owner}"),
        None => format!("{HERE}/new"),
    }
}
