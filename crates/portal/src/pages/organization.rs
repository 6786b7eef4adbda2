//! An organization: its administrator, its members, and which seats each of them was given.

use super::fields::{Fields, Mistake};
use super::look::{Head, Viewer, done, named, seats, stack};
use super::watch::Watcher;
use super::{Answer, go};
use crate::Failure;
use crate::service::organizations;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use leasehold_core::ids::{AccountId, OrganizationId};
use leasehold_core::time::Ms;
use leasehold_web::components::{
    Button, Column, Confirm, Field, ListQuery, Row, Table, Tone, badge, button, card, clip, confirm_panel, link_button,
    page_header, table, when,
};
use leasehold_web::extract::ApiPath;
use leasehold_web::maud::{Markup, html};
use leasehold_web::page::{Notice, Width};
use leasehold_web::problem::ApiProblem;
use leasehold_web::text::number;
use leasehold_wire::portal::{AccountRef, Assigned, Member, NewMember, Organization};

/// The menu's entry: leads to the organization that one administers.
const HERE: &str = "/organization";

const COLUMNS: &[Column] = &[
    Column::new("person", "Person"),
    Column::new("assigned", "Assigned seats"),
    Column::new("since", "In the organization since"),
    Column::new("action", "").end(),
];

fn address(organization: OrganizationId) -> String {
    format!("/organizations/{organization}")
}

/// Everything that the page shows.
struct Sight {
    organization: Organization,
    /// What is assigned to the administrator.
    own: Vec<Assigned>,
    members: Vec<Member>,
}

async fn look(viewer: &Viewer, organization: OrganizationId) -> Result<Sight, Failure> {
    let load = move |portal: &_, caller: &_| {
        let (organization, own, members) = organizations::whole(portal, caller, organization)?;
        Ok(Sight { organization, own, members: members.items })
    };
    viewer.run(load).await
}

/// The seats that somebody was given, each with a way to its license.
fn given(assigned: &[Assigned]) -> Markup {
    html! {
        ul.plain-list {
            @for given in assigned {
                @let waiting = given.seats.saturating_sub(given.active);
                li {
                    span.nowrap { (number(given.seats.into())) " ×" }
                    a href={ "/licenses/" (given.license) } { (clip(&given.product.name)) }
                    @if waiting > 0 { (badge(&format!("{} waiting", number(waiting.into())), Tone::Warning)) }
                }
            }
        }
        @if assigned.is_empty() { span.muted { "none" } }
    }
}

fn row(account: &AccountRef, administrator: bool, assigned: &[Assigned], since: Ms, action: Markup, now: Ms) -> Row {
    let who = stack(html! {
        (clip(&account.name))
        span.muted.small { (clip(&account.email)) }
        @if administrator { (badge("administrator", Tone::Info)) }
    });
    Row::from(vec![who, given(assigned), when(since, now), action])
}

fn people(sight: &Sight, now: Ms) -> Markup {
    let Sight { organization, own, members } = sight;
    let owner = row(&organization.owner, true, own, organization.created_at.0, html! {}, now);
    let members = members.iter().map(|member| {
        let remove = format!("{}/members/{}/remove", address(organization.id), member.account.id);
        let action = link_button("Remove", &remove, Button::Danger);
        row(&member.account, false, &member.assigned, member.added_at.0, action, now)
    });
    table(&Table {
        id: "members",
        caption: "People",
        columns: COLUMNS,
        rows: std::iter::once(owner).chain(members).collect(),
        query: &ListQuery::default(),
        next: None,
        empty: html! {},
    })
}

fn add_card(organization: OrganizationId, email: &str, mistake: &Mistake) -> Markup {
    card(
        "Add a member",
        html! {
            p { "A member can be given seats of the organization's licenses, and uses them at license servers of their own." }
            form #add-member method="post" action={ (address(organization)) "/members" } {
                (Field::new("email", "Email address").required().value(email)
                    .hint("Of somebody who has an account at this portal. The vendor makes accounts; ask there if one is missing.")
                    .error(mistake.at("email", "The email address").as_deref()).email())
                div.actions { (button("Add Member", Button::Primary)) }
            }
        },
    )
}

fn page_of(viewer: &Viewer, sight: &Sight, notices: &[Notice], email: &str, mistake: &Mistake) -> Markup {
    let organization = &sight.organization;
    let lead = format!("Administered by {} · {}", organization.owner.name, organization.owner.email);
    let licenses = match viewer.is_operator() {
        true => format!("/licenses?owner={}", organization.owner.id),
        false => "/licenses".to_owned(),
    };
    let content = html! {
        (page_header(&organization.name, &lead, link_button("Licenses", &licenses, Button::Plain)))
        (mistake.panel(&["email"]))
        h2 { "People" }
        (people(sight, viewer.now()))
        (add_card(organization.id, email, mistake))
        p.hint {
            "Seats are assigned on the page of a license. Whoever owns the licenses is the administrator."
        }
    };
    let live = format!("{}/live", address(organization.id));
    let head = Head { title: &organization.name, current: HERE, width: Width::Wide, notices, live: Some(&live) };
    viewer.page(head, content)
}

/// The event stream of its page.
pub(super) async fn live(watcher: Watcher, ApiPath(organization): ApiPath<OrganizationId>) -> Answer {
    let draw = move |viewer: Viewer| async move {
        let sight = look(&viewer, organization).await?;
        Ok::<_, Failure>(vec![("members", people(&sight, viewer.now()))])
    };
    watcher.follow(draw).await
}

/// Leads to the organization that one administers.
pub(super) async fn own(viewer: Viewer) -> Answer {
    go(&address(viewer.administers().ok_or(Failure::NotFound)?))
}

fn said(sight: &Sight, query: &ListQuery) -> Option<Markup> {
    match query.get("done")? {
        "added" => {
            let account: AccountId = query.get("account")?.parse().ok()?;
            let added = sight.members.iter().find(|member| member.account.id == account)?;
            Some(named("", &added.account.name, " is a member. Assign them seats on the page of a license."))
        }
        "removed" => Some(html! { "The person is removed from the organization. Their account stays." }),
        _ => None,
    }
}

/// One organization.
pub(super) async fn show(viewer: Viewer, ApiPath(organization): ApiPath<OrganizationId>, uri: Uri) -> Answer {
    let sight = look(&viewer, organization).await?;
    let notices: Vec<Notice> = said(&sight, &ListQuery::of(&uri)).map(done).into_iter().collect();
    Ok(page_of(&viewer, &sight, &notices, "", &Mistake::none()).into_response())
}

/// Adds a member.
pub(super) async fn add(viewer: Viewer, ApiPath(organization): ApiPath<OrganizationId>, fields: Fields) -> Answer {
    let wish = NewMember { email: fields.trimmed("email") };
    let add = move |portal: &_, caller: &_| organizations::add_member(portal, caller, organization, &wish);
    match viewer.run(add).await {
        Ok(member) => go(&format!("{}?done=added&account={}", address(organization), member.account.id)),
        Err(failure @ Failure::Invalid { .. }) => {
            let mistake = Mistake::from(failure);
            let sight = look(&viewer, organization).await?;
            Ok(mistake.answer(page_of(&viewer, &sight, &[], fields.get("email"), &mistake)))
        }
        Err(failure) => Err(failure.into()),
    }
}

fn remove_question(sight: &Sight, member: &Member) -> Markup {
    let here = address(sight.organization.id);
    let question = format!("Remove {} from {}?", member.account.name, sight.organization.name);
    confirm_panel(&Confirm {
        question: &question,
        effect: html! {
            p {
                (named("", &member.account.name, " ")) "(" (member.account.email)
                ") can then be given no seats of the organization. No seat is assigned to them, so none changes its place."
            }
            p { "Their account stays, and they can be added again." }
        },
        action: &format!("{here}/members/{}/remove", member.account.id),
        values: &[],
        verb: "Remove Member",
        cancel: &here,
        kind: Button::Danger,
    })
}

/// Why somebody who has seats stays, and where to take them back.
fn has_seats(sight: &Sight, member: &Member, mistake: &Mistake) -> Markup {
    html! {
        (page_header(&format!("{} has seats", member.account.name), "Take these back first; then remove the person.", html! {}))
        (mistake.panel(&[]))
        (card("Take back", html! {
            ul.plain-list {
                @for given in &member.assigned {
                    li {
                        span.nowrap { (seats(given.seats)) " of" }
                        a href={ "/licenses/" (given.license) "/take-back/" (member.account.id) } { (clip(&given.product.name)) }
                    }
                }
            }
            div.actions { (link_button("Back", &address(sight.organization.id), Button::Plain)) }
        }))
    }
}

async fn remove_page(
    viewer: &Viewer,
    organization: OrganizationId,
    account: AccountId,
) -> Result<Response, ApiProblem> {
    let sight = look(viewer, organization).await?;
    let member = sight.members.iter().find(|member| member.account.id == account).ok_or(Failure::NotFound)?;
    let head = Head::narrow("Remove member", HERE);
    let held = member.assigned.iter().map(|given| given.seats).fold(0, u32::saturating_add);
    if held == 0 {
        return Ok(viewer.page(head, remove_question(&sight, member)).into_response());
    }
    let mistake = Mistake::from(Failure::HasSeats { email: member.account.email.clone(), seats: held });
    Ok(mistake.answer(viewer.page(head, has_seats(&sight, member, &mistake))))
}

/// Asks before somebody is removed.
pub(super) async fn remove_form(
    viewer: Viewer,
    ApiPath((organization, account)): ApiPath<(OrganizationId, AccountId)>,
) -> Answer {
    remove_page(&viewer, organization, account).await
}

/// Removes a member.
pub(super) async fn remove(
    viewer: Viewer,
    ApiPath((organization, account)): ApiPath<(OrganizationId, AccountId)>,
) -> Answer {
    let remove = move |portal: &_, caller: &_| organizations::remove_member(portal, caller, organization, account);
    match viewer.run(remove).await {
        Ok(()) => go(&format!("{}?done=removed", address(organization))),
        // They were given seats since the question.
        Err(Failure::HasSeats { .. }) => remove_page(&viewer, organization, account).await,
        Err(failure) => Err(failure.into()),
    }
}
