//! An organization: its owner, its members, what each of them may do, and which seats each was given; and for which one
//! somebody acts.

use super::fields::{Fields, Mistake};
use super::look::{Head, Viewer, done, named, seats, stack};
use super::watch::Watcher;
use super::{Answer, go};
use crate::Failure;
use crate::failure::OrganizationFailure;
use crate::service::organizations;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use leasehold_core::access::{OrganizationRole, PortalAction};
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
use leasehold_wire::portal::{AccountRef, Assigned, ChangeMember, Member, NewMember, Organization};

/// The menu's entry: leads to the organization for which one acts, or one's own.
const HERE: &str = "/organization";
pub(super) const SWITCH: &str = "/organization/switch";

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

/// How pages call a role, and what it means.
fn role_words(role: OrganizationRole) -> (&'static str, &'static str) {
    match role {
        OrganizationRole::Owner => ("owner", "The organization's licenses are theirs."),
        OrganizationRole::Administrator => ("administrator", "People and their roles, seats and license servers."),
        OrganizationRole::LicenseManager => {
            ("license manager", "Gives and takes seats, and looks after the license servers.")
        }
        OrganizationRole::Viewer => ("viewer", "Sees people, licenses and license servers, and changes nothing."),
        OrganizationRole::User => ("user", "Uses the seats that they are given."),
    }
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn role_badge(role: OrganizationRole) -> Markup {
    let tone = match role {
        OrganizationRole::Owner | OrganizationRole::Administrator => Tone::Info,
        OrganizationRole::LicenseManager | OrganizationRole::Viewer => Tone::Neutral,
        OrganizationRole::User => return html! {},
    };
    badge(role_words(role).0, tone)
}

fn row(
    account: &AccountRef,
    role: OrganizationRole,
    (assigned, since): (&[Assigned], Ms),
    action: Markup,
    now: Ms,
) -> Row {
    let who = stack(html! {
        (clip(&account.name))
        span.muted.small { (clip(&account.email)) }
        (role_badge(role))
    });
    Row::from(vec![who, given(assigned), when(since, now), action])
}

fn people(sight: &Sight, viewer: &Viewer) -> Markup {
    let (Sight { organization, own, members }, now) = (sight, viewer.now());
    let may = |action| viewer.may(action, organization.owner.id);
    let since = organization.created_at.0;
    let owner = row(&organization.owner, OrganizationRole::Owner, (own, since), html! {}, now);
    let members = members.iter().map(|member| {
        let at = format!("{}/members/{}", address(organization.id), member.account.id);
        let action = html! {
            div.actions {
                @if may(PortalAction::ManageRoles) { (link_button("Role", &format!("{at}/role"), Button::Plain)) }
                @if may(PortalAction::ManagePeople) { (link_button("Remove", &format!("{at}/remove"), Button::Danger)) }
            }
        };
        row(&member.account, member.role, (&member.assigned, member.added_at.0), action, now)
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
                    .hint("Of somebody who has an account at this portal. Who has none makes one first, or asks the vendor for one.")
                    .error(mistake.at("email", "The email address").as_deref()).email())
                div.actions { (button("Add Member", Button::Primary)) }
            }
        },
    )
}

fn page_of(viewer: &Viewer, sight: &Sight, notices: &[Notice], email: &str, mistake: &Mistake) -> Markup {
    let organization = &sight.organization;
    let lead = format!("Owned by {} · {}", organization.owner.name, organization.owner.email);
    let licenses = match viewer.is_operator() {
        true => format!("/licenses?owner={}", organization.owner.id),
        false => "/licenses".to_owned(),
    };
    let content = html! {
        (page_header(&organization.name, &lead, link_button("Licenses", &licenses, Button::Plain)))
        (mistake.panel(&["email"]))
        h2 { "People" }
        (people(sight, viewer))
        @if viewer.may(PortalAction::ManagePeople, organization.owner.id) { (add_card(organization.id, email, mistake)) }
        p.hint { "Seats are assigned on the page of a license." }
    };
    let live = format!("{}/live", address(organization.id));
    let head = Head { title: &organization.name, current: HERE, width: Width::Wide, notices, live: Some(&live) };
    viewer.page(head, content)
}

/// The event stream of its page.
pub(super) async fn live(watcher: Watcher, ApiPath(organization): ApiPath<OrganizationId>) -> Answer {
    let draw = move |viewer: Viewer| async move {
        let sight = look(&viewer, organization).await?;
        Ok::<_, Failure>(vec![("members", people(&sight, &viewer))])
    };
    watcher.follow(draw).await
}

/// Leads to the organization for which one acts, or one's own.
pub(super) async fn own(viewer: Viewer) -> Answer {
    go(&address(viewer.organization().ok_or(Failure::NotFound)?))
}

/// For which organization to act.
pub(super) async fn switch_form(viewer: Viewer) -> Markup {
    let (here, all) = (viewer.organization(), viewer.organizations());
    let owns = all.iter().any(|one| one.role == OrganizationRole::Owner);
    let ids: Vec<String> = all.iter().map(|one| one.organization.to_string()).collect();
    let organizations = ids.iter().zip(&all);
    let mut options: Vec<_> =
        organizations.map(|(id, one)| (id.as_str(), one.name.as_str(), role_words(one.role).1)).collect();
    if !owns {
        options.push(("me", "Yourself", "Your own licenses and license servers."));
    }
    let now = here.map_or_else(|| "me".to_owned(), |id| id.to_string());
    let content = card(
        "",
        html! {
            (page_header("Switch organization", "Whose licenses, workstations and people you see, and for whom you act.", html! {}))
            form #switch method="post" action=(SWITCH) {
                (Field::new("organization", "Act for").required().value(&now).choice(&options))
                div.actions { (button("Switch", Button::Primary)) (link_button("Cancel", "/", Button::Plain)) }
            }
        },
    );
    viewer.page(Head::narrow("Switch organization", HERE), content)
}

/// Acts for another organization from now on.
pub(super) async fn switch(viewer: Viewer, fields: Fields) -> Answer {
    let wanted = fields.get("organization");
    let organization = match wanted {
        "me" => None,
        id => Some(id.parse().map_err(|_| Failure::NotFound)?),
    };
    viewer.run(move |portal, caller| organizations::act_for(portal, caller, organization)).await?;
    go(if wanted == "me" { "/licenses" } else { HERE })
}

fn role_page(viewer: &Viewer, sight: &Sight, member: &Member, mistake: &Mistake) -> Markup {
    let here = address(sight.organization.id);
    let roles = OrganizationRole::ALL.iter().filter(|role| **role != OrganizationRole::Owner);
    let roles: Vec<_> =
        roles.map(|role| (role.word(), capitalized(role_words(*role).0), role_words(*role).1)).collect();
    let options: Vec<_> = roles.iter().map(|(word, name, means)| (*word, name.as_str(), *means)).collect();
    let content = card(
        "",
        html! {
            (page_header(&format!("Role of {}", member.account.name), &member.account.email, html! {}))
            (mistake.panel(&["role"]))
            form #role method="post" action={ (here) "/members/" (member.account.id) "/role" } {
                (Field::new("role", "What they may do").required().value(member.role.word())
                    .error(mistake.at("role", "The role").as_deref()).choice(&options))
                div.actions { (button("Change Role", Button::Primary)) (link_button("Cancel", &here, Button::Plain)) }
            }
        },
    );
    viewer.page(Head::narrow("Role", HERE), content)
}

async fn member_of(
    viewer: &Viewer,
    organization: OrganizationId,
    account: AccountId,
) -> Result<(Sight, Member), Failure> {
    let sight = look(viewer, organization).await?;
    let member = sight.members.iter().find(|member| member.account.id == account).cloned();
    Ok((sight, member.ok_or(Failure::NotFound)?))
}

/// Asks what somebody may do.
pub(super) async fn role_form(
    viewer: Viewer,
    ApiPath((organization, account)): ApiPath<(OrganizationId, AccountId)>,
) -> Answer {
    let (sight, member) = member_of(&viewer, organization, account).await?;
    if !viewer.may(PortalAction::ManageRoles, sight.organization.owner.id) {
        return Err(Failure::Forbidden.into());
    }
    Ok(role_page(&viewer, &sight, &member, &Mistake::none()).into_response())
}

/// Says what somebody may do.
pub(super) async fn change_role(
    viewer: Viewer,
    ApiPath((organization, account)): ApiPath<(OrganizationId, AccountId)>,
    fields: Fields,
) -> Answer {
    let wish = OrganizationRole::from_word(fields.get("role")).map(|role| ChangeMember { role });
    let wish = wish.ok_or_else(|| Failure::invalid("role", "must be chosen"));
    let change =
        move |portal: &_, caller: &_| organizations::change_member(portal, caller, organization, account, wish?);
    match viewer.run(change).await {
        Ok(_) => go(&format!("{}?done=role&account={account}", address(organization))),
        Err(failure @ Failure::Invalid { .. }) => {
            let mistake = Mistake::from(failure);
            let (sight, member) = member_of(&viewer, organization, account).await?;
            Ok(mistake.answer(role_page(&viewer, &sight, &member, &mistake)))
        }
        Err(failure) => Err(failure.into()),
    }
}

fn said(sight: &Sight, query: &ListQuery) -> Option<Markup> {
    match query.get("done")? {
        "added" => {
            let account: AccountId = query.get("account")?.parse().ok()?;
            let added = sight.members.iter().find(|member| member.account.id == account)?;
            Some(named("", &added.account.name, " is a member. Assign them seats on the page of a license."))
        }
        "role" => {
            let account: AccountId = query.get("account")?.parse().ok()?;
            let changed = sight.members.iter().find(|member| member.account.id == account)?;
            let after = format!(" is {} now.", role_words(changed.role).0);
            Some(named("", &changed.account.name, &after))
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
    let mistake = Mistake::from(Failure::from(OrganizationFailure::HasSeats {
        email: member.account.email.clone(),
        seats: held,
    }));
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
        Err(Failure::Organization(OrganizationFailure::HasSeats { .. })) => {
            remove_page(&viewer, organization, account).await
        }
        Err(failure) => Err(failure.into()),
    }
}
