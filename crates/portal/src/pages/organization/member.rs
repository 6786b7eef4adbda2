//! One person in an organization, on one page: what it gave to them, given and taken; the role, suspended, invited again,
//! removed.

use super::{HERE, address, role_badge, role_options};
use crate::Failure;
use crate::pages::fields::{Fields, Mistake, choices};
use crate::pages::look::{Head, Viewer, done, named, on, seats, stack, two_lines};
use crate::pages::{Answer, go};
use crate::service::assignments::{self, Giveable};
use crate::service::{invitations, members, organizations, ownership};
use axum::http::Uri;
use axum::response::IntoResponse;
use leasehold_core::access::{MemberState, OrganizationRole, PortalAction};
use leasehold_core::ids::{AccountId, LicenseId, OrganizationId};
use leasehold_core::time::Ms;
use leasehold_web::components::{
    Button, Column, Confirm, Field, ListQuery, Row, Table, Tone, badge, button, card, channel_badge, clip,
    confirm_panel, definitions, empty_state, link_button, page_header, post_button, status, table, when, wrapped,
};
use leasehold_web::extract::ApiPath;
use leasehold_web::maud::{Markup, html};
use leasehold_web::page::{Notice, Width};
use leasehold_web::text::number;
use leasehold_wire::portal::{Assigned, ChangeMember, Member, Organization};

const COLUMNS: &[Column] = &[
    Column::new("product", "License"),
    Column::new("seats", "Seats").end(),
    Column::new("active", "In effect"),
    Column::new("out", "At their servers").end(),
    Column::new("since", "Since"),
    Column::new("action", "").end(),
];

type Which = ApiPath<(OrganizationId, AccountId)>;

fn here(organization: OrganizationId, account: AccountId) -> String {
    format!("{}/members/{account}", address(organization))
}

/// Everything that the page shows.
struct Sight {
    organization: Organization,
    member: Member,
    /// Of which licenses seats can be given; empty for whoever may not.
    offers: Vec<Giveable>,
    /// Whether the organization is offered to them; `None` for whoever is not its owner.
    offered: Option<bool>,
}

async fn look(viewer: &Viewer, organization: OrganizationId, account: AccountId) -> Result<Sight, Failure> {
    let load = move |portal: &_, caller: &crate::Caller| {
        let member = members::get(portal, caller, organization, account)?;
        let organization = organizations::get(portal, caller, organization)?;
        let offers = match caller.may(PortalAction::ManageSeats, organization.owner.id) {
            true => assignments::giveable(portal, caller, organization.id)?,
            false => Vec::new(),
        };
        let offered = match Some(organization.owner.id) == caller.actor().account() {
            true => Some(ownership::offered(portal, caller, organization.id)? == Some(account)),
            false => None,
        };
        Ok(Sight { organization, member, offers, offered })
    };
    viewer.run(load).await
}

fn in_effect(given: &Assigned, member: &Member) -> Markup {
    let waiting = given.seats.saturating_sub(given.active);
    html! {
        @if member.state != MemberState::Active {
            (status("Kept", Tone::Neutral))
        } @else if !given.running {
            (badge("license does not run", Tone::Neutral))
        } @else if waiting == 0 {
            (status("All", Tone::Good))
        } @else {
            (status(&format!("{} of {}", number(given.active.into()), number(given.seats.into())), Tone::Warning))
            span.muted.small { "the rest as soon as it is back from others" }
        }
    }
}

/// What the organization gave to them.
fn seats_of(sight: &Sight, gives: bool, now: Ms) -> Markup {
    let member = &sight.member;
    let rows = member.assigned.iter().map(|given| {
        let take_back = format!("/licenses/{}/take-back/{}", given.license, member.account.id);
        Row::from(vec![
            two_lines(
                html! { a href={ "/licenses/" (given.license) } { (clip(&given.product.name)) } },
                channel_badge(given.channel.word()),
            ),
            html! { strong { (number(given.seats.into())) } },
            stack(in_effect(given, member)),
            html! { (number(given.seats_out.into())) },
            when(given.assigned_at.0, now),
            html! { @if gives { (link_button("Take back", &take_back, Button::Danger)) } },
        ])
    });
    table(&Table {
        id: "given",
        caption: "Seats that the organization gave",
        columns: COLUMNS,
        rows: rows.collect(),
        query: &ListQuery::default(),
        next: None,
        empty: empty_state(
            "No seats yet",
            "The organization has given them none. What is their own is theirs alone to see.",
            html! {},
        ),
    })
}

fn assign_card(sight: &Sight, fields: &Fields, mistake: &Mistake) -> Markup {
    let options: Vec<(String, String)> = sight
        .offers
        .iter()
        .map(|offer| (offer.license.to_string(), format!("{} · {} not assigned", offer.name, seats(offer.left))))
        .collect();
    card(
        "Give seats",
        html! {
            @if options.is_empty() { p { "No license of the organization runs." } }
            @else {
                form #assign method="post" action={ (here(sight.organization.id, sight.member.account.id)) "/assign" } {
                    (Field::new("license", "Of which license").required().value(fields.get("license"))
                        .error(mistake.at("license", "The license").as_deref()).select(&choices(&options, "Choose a license")))
                    (Field::new("seats", "Seats").required().value(fields.sent("seats").unwrap_or("1"))
                        .hint("In all, instead of what they have of it now. What is out elsewhere is recalled, and the assignment waits for it.")
                        .error(mistake.at("seats", "The number of seats").as_deref()).number(1, 1_000_000))
                    div.actions { (button("Give", Button::Primary)) }
                }
            }
        },
    )
}

fn facts(sight: &Sight, now: Ms) -> Markup {
    let member = &sight.member;
    let mut rows = vec![
        ("Email address", wrapped(&member.account.email)),
        (
            "May",
            match member.role {
                OrganizationRole::User => html! { "use the seats that they are given" },
                role => role_badge(role),
            },
        ),
        (
            if member.state == MemberState::Invited { "Invited" } else { "In the organization" },
            when(member.added_at.0, now),
        ),
    ];
    if let Some(end) = member.invitation_ends_at {
        let ended = end.0 <= now;
        let told = html! { (on(end.0)) @if ended { " " (badge("ended", Tone::Warning)) } };
        rows.push((if ended { "The link ended" } else { "The link is good until" }, told));
    }
    definitions(&rows)
}

/// That they have not come, or have nothing for now, and what that means.
fn standing(member: &Member, now: Ms) -> Markup {
    let (tone, text) = match member.state {
        MemberState::Active => return html! {},
        MemberState::Suspended => (
            Tone::Warning,
            "Suspended: they have nothing of the organization until they are reinstated. What was given to them is kept.",
        ),
        MemberState::Invited if member.invitation_ends_at.is_some_and(|end| end.0 > now) => {
            (Tone::Info, "Invited, and not come yet. What is given to them is kept for when they join.")
        }
        MemberState::Invited => (Tone::Warning, "The invitation has ended. Send it again, or withdraw it."),
    };
    html! {
        div #standing.notice.(tone.class()) role="status" {
            (tone.icon())
            div {
                (text)
                @if let Some(why) = &member.undelivered {
                    " " strong { "The letter could not be delivered" } @if !why.is_empty() { ": the mail server said " q { (wrapped(why)) } } ". "
                    "Correct the address: withdraw the invitation, and invite the right one."
                }
            }
        }
    }
}

fn acts(sight: &Sight) -> Markup {
    let at = here(sight.organization.id, sight.member.account.id);
    let act = |path: &str| format!("{at}/{path}");
    html! {
        (link_button("Role", &act("role"), Button::Plain))
        @match sight.member.state {
            MemberState::Invited => {
                (post_button(&act("invitation"), "Send Again", Button::Plain, &[]))
                (link_button("Withdraw", &act("remove"), Button::Danger))
            }
            MemberState::Active => {
                @match sight.offered {
                    Some(true) => (post_button(&format!("{}/offer/end", address(sight.organization.id)), "Take Offer Back", Button::Plain, &[])),
                    Some(false) => (link_button("Make Owner", &act("owner"), Button::Plain)),
                    None => {}
                }
                (post_button(&act("suspend"), "Suspend", Button::Plain, &[("suspended", "yes")]))
                (link_button("Remove", &act("remove"), Button::Danger))
            }
            MemberState::Suspended => {
                (post_button(&act("suspend"), "Reinstate", Button::Primary, &[("suspended", "no")]))
                (link_button("Remove", &act("remove"), Button::Danger))
            }
        }
    }
}

fn page_of(viewer: &Viewer, sight: &Sight, notices: &[Notice], fields: &Fields, mistake: &Mistake) -> Markup {
    let (Sight { organization, member, .. }, now) = (sight, viewer.now());
    let may = |action| viewer.may(action, organization.owner.id);
    let gives = may(PortalAction::ManageSeats);
    let lead = format!("In {}", organization.name);
    let actions = html! { @if may(PortalAction::ManagePeople) { (acts(sight)) } };
    let content = html! {
        (page_header(&member.account.name, &lead, actions))
        (standing(member, now))
        @if sight.offered == Some(true) {
            div #offered.notice.info role="status" {
                (Tone::Info.icon())
                div { "The organization is offered to them: it is theirs as soon as they say yes, on their ACCOUNT page." }
            }
        }
        (mistake.panel(&["license", "seats"]))
        h2 { "Seats that the organization gave" }
        (seats_of(sight, gives, now))
        div.columns {
            @if gives { (assign_card(sight, fields, mistake)) }
            (card("Person", facts(sight, now)))
        }
        p { (link_button("All people", &address(organization.id), Button::Plain)) }
    };
    let head = Head { title: &member.account.name, current: HERE, width: Width::Wide, notices, live: None };
    viewer.page(head, content)
}

fn said(sight: &Sight, query: &ListQuery) -> Option<Markup> {
    let name = &sight.member.account.name;
    Some(match query.get("done")? {
        "role" => {
            let role = super::role_words(sight.member.role).0;
            named("", name, &format!(" is {role} now."))
        }
        "sent" => named("A new letter is on its way to ", &sight.member.account.email, "; the link before is void."),
        "suspended" => named("", name, " is suspended."),
        "reinstated" => named("", name, " is reinstated, with all that was given to them."),
        "offered" => named("A letter is on its way to ", name, ", who is asked to say yes."),
        "assigned" => named("The seats are given to ", name, "."),
        _ => return None,
    })
}

/// One person.
pub(in crate::pages) async fn show(viewer: Viewer, ApiPath((organization, account)): Which, uri: Uri) -> Answer {
    let sight = look(&viewer, organization, account).await?;
    let notices: Vec<Notice> = said(&sight, &ListQuery::of(&uri)).map(done).into_iter().collect();
    Ok(page_of(&viewer, &sight, &notices, &Fields::default(), &Mistake::none()).into_response())
}

/// Gives them seats.
pub(in crate::pages) async fn assign(
    viewer: Viewer,
    ApiPath((organization, account)): Which,
    fields: Fields,
) -> Answer {
    let wish = fields.parse::<LicenseId>("license", "must be chosen");
    let wish =
        wish.and_then(|license| Ok((license, fields.parse::<u32>("seats", "must be a whole number, at least 1")?)));
    let assign = move |portal: &_, caller: &_| {
        let (license, seats) = wish?;
        assignments::assign(portal, caller, license, account, seats)
    };
    match viewer.run(assign).await {
        Ok(_) => go(&format!("{}?done=assigned", here(organization, account))),
        Err(failure @ (Failure::Invalid { .. } | Failure::Organization(_))) => {
            let mistake = Mistake::from(failure);
            let sight = look(&viewer, organization, account).await?;
            Ok(mistake.answer(page_of(&viewer, &sight, &[], &fields, &mistake)))
        }
        Err(failure) => Err(failure.into()),
    }
}

/// Sends the letter again.
pub(in crate::pages) async fn resend(viewer: Viewer, ApiPath((organization, account)): Which) -> Answer {
    let resend = move |portal: &_, caller: &_| invitations::resend(portal, caller, organization, account);
    match viewer.run(resend).await {
        Ok(_) => go(&format!("{}?done=sent", here(organization, account))),
        Err(failure @ (Failure::Organization(_) | Failure::Account(_))) => {
            let mistake = Mistake::from(failure);
            let sight = look(&viewer, organization, account).await?;
            Ok(mistake.answer(page_of(&viewer, &sight, &[], &Fields::default(), &mistake)))
        }
        Err(failure) => Err(failure.into()),
    }
}

/// Suspends and reinstates.
pub(in crate::pages) async fn suspend(
    viewer: Viewer,
    ApiPath((organization, account)): Which,
    fields: Fields,
) -> Answer {
    let suspended = fields.get("suspended") == "yes";
    let wish = ChangeMember { suspended: Some(suspended), role: None };
    viewer.run(move |portal, caller| members::change(portal, caller, organization, account, wish)).await?;
    let done = if suspended { "suspended" } else { "reinstated" };
    go(&format!("{}?done={done}", here(organization, account)))
}

fn role_page(viewer: &Viewer, sight: &Sight, mistake: &Mistake) -> Markup {
    let member = &sight.member;
    let at = here(sight.organization.id, member.account.id);
    let roles = role_options();
    let options: Vec<_> = roles.iter().map(|(word, name, means)| (*word, name.as_str(), *means)).collect();
    let content = card(
        "",
        html! {
            (page_header(&format!("Role of {}", member.account.name), &member.account.email, html! {}))
            (mistake.panel(&["role"]))
            form #role method="post" action={ (at) "/role" } {
                (Field::new("role", "What they may do").required().value(member.role.word())
                    .error(mistake.at("role", "The role").as_deref()).choice(&options))
                div.actions { (button("Change Role", Button::Primary)) (link_button("Cancel", &at, Button::Plain)) }
            }
        },
    );
    viewer.page(Head::narrow("Role", HERE), content)
}

/// Asks what somebody may do.
pub(in crate::pages) async fn role_form(viewer: Viewer, ApiPath((organization, account)): Which) -> Answer {
    let sight = look(&viewer, organization, account).await?;
    if !viewer.may(PortalAction::ManageRoles, sight.organization.owner.id) {
        return Err(Failure::Forbidden.into());
    }
    Ok(role_page(&viewer, &sight, &Mistake::none()).into_response())
}

/// Says what somebody may do.
pub(in crate::pages) async fn change_role(
    viewer: Viewer,
    ApiPath((organization, account)): Which,
    fields: Fields,
) -> Answer {
    let role = OrganizationRole::from_word(fields.get("role"));
    let wish = role.map(|role| ChangeMember { role: Some(role), suspended: None });
    let wish = wish.ok_or_else(|| Failure::invalid("role", "must be chosen"));
    let change = move |portal: &_, caller: &_| members::change(portal, caller, organization, account, wish?);
    match viewer.run(change).await {
        Ok(_) => go(&format!("{}?done=role", here(organization, account))),
        Err(failure @ Failure::Invalid { .. }) => {
            let mistake = Mistake::from(failure);
            let sight = look(&viewer, organization, account).await?;
            Ok(mistake.answer(role_page(&viewer, &sight, &mistake)))
        }
        Err(failure) => Err(failure.into()),
    }
}

/// What goes back and what stays.
fn remove_question(sight: &Sight) -> Markup {
    let Sight { organization, member, .. } = sight;
    let at = here(organization.id, member.account.id);
    let invited = member.state == MemberState::Invited;
    let question = match invited {
        true => format!("Withdraw the invitation of {}?", member.account.email),
        false => format!("Remove {} from {}?", member.account.name, organization.name),
    };
    let out: u32 = member.assigned.iter().map(|given| given.seats_out).fold(0, u32::saturating_add);
    confirm_panel(&Confirm {
        question: &question,
        effect: html! {
            @if member.assigned.is_empty() { p { "No seat is assigned to them, so none changes its place." } }
            @else {
                p { "These are taken back at once:" }
                ul {
                    @for given in &member.assigned { li { strong { (seats(given.seats)) } (named(" of ", &given.product.name, "")) } }
                }
                @if out > 0 {
                    p { (seats(out)) @if out == 1 { " is" } @else { " are" } " out at their license servers: applications that use them are told to save and stop, and the seats are free when that is confirmed. The page of each license says until when." }
                }
            }
            @if invited { p { "The link of the letter is void. They can be invited again." } }
            @else { p { "Their account stays, with their own licenses, license servers and purchases, and they can be invited again." } }
        },
        action: &format!("{at}/remove"),
        values: &[],
        verb: if invited { "Withdraw Invitation" } else { "Remove Member" },
        cancel: &at,
        kind: Button::Danger,
    })
}

/// Asks before somebody is removed.
pub(in crate::pages) async fn remove_form(viewer: Viewer, ApiPath((organization, account)): Which) -> Answer {
    let sight = look(&viewer, organization, account).await?;
    if !viewer.may(PortalAction::ManagePeople, sight.organization.owner.id) {
        return Err(Failure::Forbidden.into());
    }
    Ok(viewer.page(Head::narrow("Remove member", HERE), remove_question(&sight)).into_response())
}

/// Removes somebody, with what was given to them.
pub(in crate::pages) async fn remove(viewer: Viewer, ApiPath((organization, account)): Which) -> Answer {
    viewer.run(move |portal, caller| members::remove(portal, caller, organization, account)).await?;
    go(&format!("{}?done=removed", address(organization)))
}
