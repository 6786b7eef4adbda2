//! The page of one license: its figures, to whom seats are assigned, and where they are.

use super::people::{self, Entered};
use super::raise;
use super::{HERE, address, over, state, term};
use crate::Failure;
use crate::pages::fields::{Fields, Mistake};
use crate::pages::look::{Head, Viewer, done, named, person, seats, two_lines};
use crate::pages::watch::Watcher;
use crate::pages::{Answer, go};
use crate::service::{assignments, licenses, organizations};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use leasehold_core::access::PortalAction;
use leasehold_core::ids::{AccountId, LicenseId};
use leasehold_core::license::{Kind, Mode};
use leasehold_core::time::Ms;
use leasehold_web::components::{
    Button, Column, Field, ListQuery, Row, Table, Tile, Tone, badge, button, card, channel_badge, clip, definitions,
    empty_state, link_button, meter, page_header, table, tiles, tooltip, when, wrapped,
};
use leasehold_web::extract::ApiPath;
use leasehold_web::live::Fragments;
use leasehold_web::maud::{Markup, html};
use leasehold_web::page::{Notice, Width};
use leasehold_web::problem::ApiProblem;
use leasehold_web::text::number;
use leasehold_wire::portal::{AccountRef, Holder, License};

/// A license and the people to whom its seats can be assigned, the administrator first.
struct Sight {
    license: License,
    people: Vec<AccountRef>,
}

async fn look(viewer: &Viewer, license: LicenseId) -> Result<Sight, Failure> {
    let load = move |portal: &_, caller: &_| {
        let license = licenses::get(portal, caller, license)?;
        let people = match license.organization {
            Some(organization) => organizations::people(portal, caller, organization)?,
            None => Vec::new(),
        };
        Ok(Sight { license, people })
    };
    viewer.run(load).await
}

/// The figures: live.
fn figures(license: &License) -> Markup {
    let tile = |label, value: u32, detail: String, tone| Tile { label, value: number(value.into()), detail, tone };
    let used: Vec<u32> = license.holders.iter().filter_map(|holder| holder.used).collect();
    let in_use = match used.is_empty() {
        true => String::new(),
        false => format!("{} in use online", number(used.iter().copied().map(u64::from).sum())),
    };
    let mut list = vec![tile("Owned", license.seats, String::new(), Tone::Neutral)];
    if license.organization.is_some() {
        let people = match license.assignments.len() {
            1 => "to 1 person".to_owned(),
            people => format!("to {people} people"),
        };
        let (floating, waiting_tone) = match license.seats_pending {
            0 => ("shared by the organization's servers".to_owned(), Tone::Neutral),
            pending => (format!("{} of these promised to people", number(pending.into())), Tone::Warning),
        };
        list.push(tile("Assigned", license.seats_assigned, people, Tone::Neutral));
        list.push(match license.kind {
            Kind::Floating => tile("Floating", license.seats_floating, floating, Tone::Neutral),
            Kind::Named => {
                let left = license.seats.saturating_sub(license.seats_assigned);
                tile("Not assigned", left, "the owner's own".to_owned(), Tone::Neutral)
            }
        });
        list.push(tile("Waiting", license.seats_pending, "assigned and not yet back".to_owned(), waiting_tone));
    }
    let out_tone = if license.over_by > 0 { Tone::Bad } else { Tone::Neutral };
    list.push(tile("Out", license.seats_out, in_use, out_tone));
    if license.organization.is_none() {
        list.push(tile("Free", license.seats_free, "for a workstation".to_owned(), Tone::Neutral));
    }
    html! { div #figures { (tiles(&list)) } }
}

const HOLDER_COLUMNS: &[Column] = &[
    Column::new("name", "Workstation"),
    Column::new("whose", "For"),
    Column::new("mode", "Served"),
    Column::new("used", "In use").end(),
    Column::new("seats", "Seats counted").end(),
    Column::new("free_at", "Free at the latest"),
];

/// The workstation, as a link for whoever may look at it.
fn holder_name(holder: &Holder, viewer: &Viewer) -> Markup {
    let own = holder.person.as_ref().is_none_or(|person| Some(person.id) == viewer.account());
    html! {
        @if own || viewer.is_operator() { a href={ "/workstations/" (holder.workstation) } { (clip(&holder.name)) } }
        @else { span.muted { "A server of theirs" } }
    }
}

fn served(mode: Mode) -> Markup {
    match mode {
        Mode::Online => tooltip("Online", "It syncs by itself: seats come and go within seconds while it is reachable"),
        Mode::File => tooltip("By file", "Its seats count until the file ends, or until it confirms a smaller one"),
    }
}

/// Where the seats are: live.
fn holder_table(license: &License, viewer: &Viewer) -> Markup {
    let now = viewer.now();
    let rows = license.holders.iter().map(|holder| {
        Row::from(vec![
            holder_name(holder, viewer),
            match &holder.person {
                None if license.organization.is_some() => html! { span.muted { "The organization" } },
                None => html! { span.muted { "The owner" } },
                Some(account) => person(account),
            },
            two_lines(served(holder.mode), crate::pages::workstations::status_of(holder.status)),
            match holder.used {
                Some(used) => html! { (number(used.into())) },
                None => html! { span.muted title="Only servers that sync tell what is in use" { "–" } },
            },
            html! { strong { (number(holder.seats.into())) } },
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
            ("No seat is out", "Assign seats to people: they use them at license servers of their own, online.")
        }
        () => {
            ("All seats are free", "Enable online licensing on a license server, or activate one by file, to use them.")
        }
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
        ("Runs until", term(license.term, license.ends_at, now)),
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

fn change_seats_card(license: &License, entered: &str, mistake: &Mistake) -> Markup {
    let out = format!(
        "{} out now. Fewer than that is allowed: online servers give back what is idle at once, and applications that use more are told to save; the license shows by how much it is over until all are back.",
        if license.seats_out == 1 { "1 seat is".to_owned() } else { format!("{} are", seats(license.seats_out)) }
    );
    card(
        "Change seats",
        html! {
            form #change-seats method="post" action=(address(license.id)) {
                (Field::new("seats", "Seats").required().value(entered).hint(&out)
                    .error(mistake.at("seats", "The number of seats").as_deref())
                    .number(1, licenses::SEATS_MAX.into()))
                div.actions { (button("Change seats", Button::Plain)) }
            }
        },
    )
}

/// What was entered in one of the forms of the page, and why it was refused.
#[derive(Default)]
struct Refused {
    seats: Option<(String, Mistake)>,
    assignment: Option<(Entered, Mistake)>,
}

fn page_of(viewer: &Viewer, sight: &Sight, notices: &[Notice], refused: &Refused) -> Markup {
    let license = &sight.license;
    let (now, operator, here) = (viewer.now(), viewer.is_operator(), address(license.id));
    let may_change = operator && license.ended_at.is_none();
    let gives = viewer.may(PortalAction::ManageSeats, license.owner.id);
    let actions = html! {
        @if may_change { (link_button("End License", &format!("{here}/end"), Button::Danger)) }
    };
    let unchanged = (license.seats.to_string(), Mistake::none());
    let (entered, mistake) = refused.seats.as_ref().unwrap_or(&unchanged);
    let content = html! {
        (page_header(&license.product.name, "", actions))
        (mistake.panel(&["seats"]))
        @if let Some((_, mistake)) = &refused.assignment { (mistake.panel(&["seats"])) }
        (figures(license))
        @if license.organization.is_some() {
            h2 { "Assigned to" }
            (people::table_of(license, gives, now))
            @if license.running && gives {
                (people::assign_card(license, &sight.people, refused.assignment.as_ref()))
            }
        }
        h2 { "Where the seats are" }
        (holder_table(license, viewer))
        div.columns {
            (card("License", facts(license, operator, now)))
            @if may_change { (change_seats_card(license, entered, mistake)) }
        }
    };
    let live = format!("{here}/live");
    let head = Head { title: &license.product.name, current: HERE, width: Width::Wide, notices, live: Some(&live) };
    viewer.page(head, content)
}

/// What was just done, in a sentence.
fn said(license: &License, query: &ListQuery) -> Option<Markup> {
    let account = || query.get("account").and_then(|id| id.parse::<AccountId>().ok());
    match query.get("done")? {
        "sold" => {
            Some(html! { "The license is sold: " (seats(license.seats)) " for " (clip(&license.owner.name)) "." })
        }
        "seats" => Some(html! { "The license has " (seats(license.seats)) " now." }),
        "ended" => Some(html! {
            "The license is ended. Nothing new is given of it; online servers give back what they have, and what is out by file runs to its end."
        }),
        "raised" => Some(html! { "Seats of the license are given out again, and whoever waits for some is told." }),
        "assigned" => {
            let to = account()?;
            let given = license.assignments.iter().find(|given| given.account.id == to)?;
            let waiting = given.seats.saturating_sub(given.active);
            Some(html! {
                (seats(given.seats)) " assigned to " (named("", &given.account.name, ". "))
                @if waiting > 0 { (seats(waiting)) @if waiting == 1 { " of these waits until it is back from others." } @else { " of these wait until they are back from others." } }
            })
        }
        "taken" => Some(html! {
            "The seats are taken back. What is still out at that person's servers counts until they have confirmed it."
        }),
        _ => None,
    }
}

/// One license.
pub(in crate::pages) async fn show(viewer: Viewer, ApiPath(license): ApiPath<LicenseId>, uri: Uri) -> Answer {
    let sight = look(&viewer, license).await?;
    let said = said(&sight.license, &ListQuery::of(&uri)).map(done);
    let notices: Vec<Notice> = said.into_iter().chain(raise::notice(&sight.license, viewer.is_operator())).collect();
    Ok(page_of(&viewer, &sight, &notices, &Refused::default()).into_response())
}

/// The event stream of its page.
pub(in crate::pages) async fn live(watcher: Watcher, ApiPath(license): ApiPath<LicenseId>) -> Answer {
    let draw = move |viewer: Viewer| async move {
        let seen = viewer.run(move |portal, caller| licenses::get(portal, caller, license)).await?;
        Ok(parts(&viewer, &seen))
    };
    watcher.follow(draw).await
}

fn parts(viewer: &Viewer, license: &License) -> Fragments {
    vec![
        ("figures", figures(license)),
        ("assigned", people::table_of(license, viewer.may(PortalAction::ManageSeats, license.owner.id), viewer.now())),
        ("holders", holder_table(license, viewer)),
    ]
}

async fn refuse(viewer: &Viewer, id: LicenseId, refused: Refused) -> Result<Response, ApiProblem> {
    let sight = look(viewer, id).await?;
    let page = page_of(viewer, &sight, &[], &refused);
    let mistake = refused.seats.map(|(_, mistake)| mistake).or(refused.assignment.map(|(_, mistake)| mistake));
    Ok(mistake.unwrap_or_default().answer(page))
}

/// Changes how many seats a license has.
pub(in crate::pages) async fn change_seats(viewer: Viewer, ApiPath(id): ApiPath<LicenseId>, fields: Fields) -> Answer {
    let wanted = fields.parse::<u32>("seats", "must be a whole number from 1 to 1,000,000");
    let changed = match wanted {
        Ok(seats) => viewer.run(move |portal, caller| licenses::change_seats(portal, caller, id, seats)).await,
        Err(failure) => Err(failure),
    };
    match changed {
        Ok(license) => go(&format!("{}?done=seats", address(license.id))),
        Err(failure @ Failure::Invalid { .. }) => {
            let seats = Some((fields.get("seats").to_owned(), Mistake::from(failure)));
            refuse(&viewer, id, Refused { seats, ..Refused::default() }).await
        }
        Err(failure) => Err(failure.into()),
    }
}

/// Gives somebody seats of a license.
pub(in crate::pages) async fn assign(viewer: Viewer, ApiPath(id): ApiPath<LicenseId>, fields: Fields) -> Answer {
    let assigned = match Entered::read(&fields) {
        Ok((account, seats)) => {
            let assign =
                move |portal: &_, caller: &_| assignments::assign(portal, caller, id, account, seats).map(|_| account);
            viewer.run(assign).await
        }
        Err(failure) => Err(failure),
    };
    match assigned {
        Ok(account) => go(&format!("{}?done=assigned&account={account}", address(id))),
        Err(failure @ (Failure::Invalid { .. } | Failure::Organization(_))) => {
            let assignment = Some((Entered::of(&fields), Mistake::from(failure)));
            refuse(&viewer, id, Refused { assignment, ..Refused::default() }).await
        }
        Err(failure) => Err(failure.into()),
    }
}
