//! An organization: its owner, its members, what each of them may do, and which seats each was given; and for which one
//! somebody acts.

pub(super) mod member;
pub(super) mod owner;

use super::fields::{Fields, Mistake};
use super::look::{Head, Viewer, done, named, on, stack};
use super::watch::Watcher;
use super::{Answer, go};
use crate::Failure;
use crate::service::{invitations, organizations};
use axum::http::Uri;
use axum::response::IntoResponse;
use leasehold_core::access::{MemberState, OrganizationRole, PendingSeats, PortalAction};
use leasehold_core::ids::{AccountId, OrganizationId};
use leasehold_core::time::Ms;
use leasehold_web::components::{
    Button, Column, Field, ListQuery, Row, Table, Tone, badge, button, card, clip, link_button, page_header, table,
    when,
};
use leasehold_web::extract::ApiPath;
use leasehold_web::maud::{Markup, html};
use leasehold_web::page::{Notice, Width};
use leasehold_web::text::number;
use leasehold_wire::portal::{AccountRef, Assigned, ChangeOrganization, Member, NewMember, Organization};

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

/// That somebody has not come yet, or has nothing for now.
fn state_of(member: &Member, now: Ms) -> Markup {
    match (member.state, member.invitation_ends_at) {
        (MemberState::Active, _) => html! {},
        (MemberState::Suspended, _) => badge("suspended", Tone::Warning),
        (MemberState::Invited, Some(end)) if end.0 > now => html! {
            (badge("invited", Tone::Neutral)) span.muted.small { "until " (on(end.0)) }
        },
        (MemberState::Invited, _) => badge("invitation ended", Tone::Warning),
    }
}

fn row(who: Markup, (assigned, since): (&[Assigned], Ms), action: Markup, now: Ms) -> Row {
    Row::from(vec![who, given(assigned), when(since, now), action])
}

fn named_person(account: &AccountRef, link: Option<&str>, more: Markup) -> Markup {
    // Whoever is invited is known by the address alone.
    let twice = account.name == account.email;
    stack(html! {
        @match link {
            Some(link) => a href=(link) { (clip(&account.name)) },
            None => (clip(&account.name)),
        }
        @if !twice { span.muted.small { (clip(&account.email)) } }
        (more)
    })
}

fn people(sight: &Sight, viewer: &Viewer) -> Markup {
    let (Sight { organization, own, members }, now) = (sight, viewer.now());
    let since = organization.created_at.0;
    let owner = named_person(&organization.owner, None, role_badge(OrganizationRole::Owner));
    let owner = row(owner, (own, since), html! {}, now);
    let members = members.iter().map(|member| {
        let at = format!("{}/members/{}", address(organization.id), member.account.id);
        let more = html! {
            (role_badge(member.role))
            (state_of(member, now))
            @if member.undelivered.is_some() { (badge("letter not delivered", Tone::Bad)) }
        };
        let who = named_person(&member.account, Some(&at), more);
        row(who, (&member.assigned, member.added_at.0), link_button("Open", &at, Button::Plain), now)
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

/// The roles that can be given, for a form.
fn role_options() -> Vec<(&'static str, String, &'static str)> {
    let roles = OrganizationRole::ALL.iter().filter(|role| **role != OrganizationRole::Owner);
    roles.map(|role| (role.word(), capitalized(role_words(*role).0), role_words(*role).1)).collect()
}

fn invite_card(organization: OrganizationId, fields: &Fields, mistake: &Mistake) -> Markup {
    let roles = role_options();
    let options: Vec<_> = roles.iter().rev().map(|(word, name, _)| (*word, name.as_str())).collect();
    card(
        "Invite somebody",
        html! {
            p { "A letter asks them to join. Seats can be assigned to them at once; they use them at license servers of their own as soon as they have joined." }
            form #invite method="post" action={ (address(organization)) "/members" } {
                (Field::new("email", "Email address").required().value(fields.get("email"))
                    .hint("With an account at this portal or without. The link of the letter is good for 14 days.")
                    .error(mistake.at("email", "The email address").as_deref()).email())
                (Field::new("role", "What they may do").value(fields.sent("role").unwrap_or("user"))
                    .error(mistake.at("role", "The role").as_deref()).select(&options))
                div.actions { (button("Invite", Button::Primary)) }
            }
        },
    )
}

/// What becomes of seats of people who do not come.
fn pending_card(organization: &Organization) -> Markup {
    card(
        "Seats of people who have not joined",
        html! {
            form #pending method="post" action={ (address(organization.id)) "/settings" } {
                (Field::new("pending_seats", "When an invitation has ended").required().value(organization.pending_seats.word())
                    .choice(&[
                        ("hold", "Keep them", "They stay assigned until somebody takes them back."),
                        ("free", "Take them back", "After 14 days they float again. The person stays in the list and can be invited anew."),
                    ]))
                div.actions { (button("Save", Button::Plain)) }
            }
        },
    )
}

/// That nobody new can be invited, and why.
fn lapsed() -> Markup {
    html! {
        div #lapsed.notice.warning role="status" {
            (Tone::Warning.icon())
            div {
                strong { "No commercial license of this organization runs. " }
                "Everybody stays, with what they were given; nobody new can be invited until one is renewed or bought. Then it goes on by itself."
            }
        }
    }
}

fn page_of(viewer: &Viewer, sight: &Sight, notices: &[Notice], fields: &Fields, mistake: &Mistake) -> Markup {
    let organization = &sight.organization;
    let lead = format!("Owned by {} · {}", organization.owner.name, organization.owner.email);
    let licenses = match viewer.is_operator() {
        true => format!("/licenses?owner={}", organization.owner.id),
        false => "/licenses".to_owned(),
    };
    let content = html! {
        (page_header(&organization.name, &lead, link_button("Licenses", &licenses, Button::Plain)))
        @if !organization.active { (lapsed()) }
        (mistake.panel(&["email", "role"]))
        h2 { "People" }
        (people(sight, viewer))
        @if viewer.may(PortalAction::ManagePeople, organization.owner.id) {
            div.columns {
                @if organization.active || viewer.is_operator() { (invite_card(organization.id, fields, mistake)) }
                (pending_card(organization))
            }
        }
        p.hint { "Seats are assigned on the page of a person or of a license." }
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

fn said(sight: &Sight, query: &ListQuery) -> Option<Markup> {
    match query.get("done")? {
        "invited" => {
            let account: AccountId = query.get("account")?.parse().ok()?;
            let member = sight.members.iter().find(|member| member.account.id == account)?;
            Some(match member.state {
                MemberState::Invited => {
                    named("A letter is on its way to ", &member.account.email, ". Seats can be assigned at once.")
                }
                MemberState::Active | MemberState::Suspended => {
                    named("", &member.account.name, " is in the organization. Assign them seats.")
                }
            })
        }
        "removed" => Some(
            html! { "The person is removed from the organization, and what it gave to them is taken back. Their account stays." },
        ),
        "offer_ended" => Some(html! { "The offer is taken back." }),
        "yours" => Some(html! { "The organization is yours, with its licenses and license servers." }),
        "settings" => Some(html! { "The setting is saved." }),
        _ => None,
    }
}

/// One organization.
pub(super) async fn show(viewer: Viewer, ApiPath(organization): ApiPath<OrganizationId>, uri: Uri) -> Answer {
    let sight = look(&viewer, organization).await?;
    let notices: Vec<Notice> = said(&sight, &ListQuery::of(&uri)).map(done).into_iter().collect();
    Ok(page_of(&viewer, &sight, &notices, &Fields::default(), &Mistake::none()).into_response())
}

/// Invites somebody.
pub(super) async fn invite(viewer: Viewer, ApiPath(organization): ApiPath<OrganizationId>, fields: Fields) -> Answer {
    let role = match fields.get("role") {
        "" => Ok(None),
        word => OrganizationRole::from_word(word).map(Some).ok_or_else(|| Failure::invalid("role", "must be chosen")),
    };
    let email = fields.trimmed("email");
    let invite = move |portal: &_, caller: &_| {
        // What is not said is what everybody is.
        let role = role?.filter(|role| *role != OrganizationRole::User);
        invitations::invite(portal, caller, organization, &NewMember { email, role })
    };
    match viewer.run(invite).await {
        Ok(member) => go(&format!("{}?done=invited&account={}", address(organization), member.account.id)),
        Err(failure @ (Failure::Invalid { .. } | Failure::Organization(_) | Failure::Account(_))) => {
            let mistake = Mistake::from(failure);
            let sight = look(&viewer, organization).await?;
            Ok(mistake.answer(page_of(&viewer, &sight, &[], &fields, &mistake)))
        }
        Err(failure) => Err(failure.into()),
    }
}

/// Changes how an organization is kept.
pub(super) async fn change(viewer: Viewer, ApiPath(organization): ApiPath<OrganizationId>, fields: Fields) -> Answer {
    let pending_seats = PendingSeats::from_word(fields.get("pending_seats"));
    let pending_seats = pending_seats.ok_or_else(|| Failure::invalid("pending_seats", "must be chosen"))?;
    let wish = ChangeOrganization { pending_seats: Some(pending_seats), ..ChangeOrganization::default() };
    viewer.run(move |portal, caller| organizations::change(portal, caller, organization, wish)).await?;
    go(&format!("{}?done=settings", address(organization)))
}
