//! Coming into organizations and leaving them: the link of an invitation, and what of it stands on ACCOUNT.

use super::fields::{Fields, Mistake};
use super::look::{self, Head, Viewer, named, on};
use super::{Answer, go};
use crate::Failure;
use crate::front::{self, Asking, Front};
use crate::service::{Caller, assignments, invitations, members, organizations, ownership};
use axum::extract::State;
use axum::http::{HeaderMap, Uri, header};
use axum::response::{AppendHeaders, IntoResponse, Redirect};
use leasehold_core::access::OrganizationRole;
use leasehold_core::ids::OrganizationId;
use leasehold_web::components::{
    Button, Column, Confirm, Field, ListQuery, Row, Table, Tone, button, card, clip, confirm_panel, link_button,
    page_header, post_button, table, wrapped,
};
use leasehold_web::extract::ApiPath;
use leasehold_web::listener::Connection;
use leasehold_web::maud::{Markup, html};
use leasehold_web::page::Notice;
use leasehold_wire::portal::{Assigned, Invitation, Join, Membership, OwnershipOffer};

const TITLE: &str = "Join an organization";

fn account_page(organization: OrganizationId, what: &str) -> String {
    format!("/account/organizations/{organization}/{what}")
}

/// The page that the link of an invitation leads to, for whoever looks.
fn invited_page(
    (front, caller): (&Front, &Caller),
    invitation: &Invitation,
    fields: &Fields,
    mistake: &Mistake,
) -> Markup {
    let signed_in = caller.account().map(|account| account.email.as_str());
    let content = html! {
        (page_header(&format!("Join {}", invitation.organization_name), "You use the seats that are assigned to you there. Nobody there sees what is your own.", html! {}))
        (mistake.panel(&["name", "password"]))
        @match (signed_in, invitation.has_account) {
            (Some(email), _) if email == invitation.email => {
                (post_button(&account_page(invitation.organization, "join"), "Join", Button::Primary, &[]))
            }
            (Some(email), _) => {
                p #other-account { "The invitation is for " strong { (wrapped(&invitation.email)) } ", and you are signed in as " strong { (wrapped(email)) } ". Sign out, then open the link of the letter again." }
            }
            (None, true) => {
                p { "Sign in with " strong { (wrapped(&invitation.email)) } ": the invitation stands on your account's page." }
                div.actions { (link_button("Sign In", "/sign-in?next=/account", Button::Primary)) }
            }
            (None, false) => {
                p { "An account is made for " strong { (wrapped(&invitation.email)) } "." }
                form #join method="post" action="/join" {
                    input type="hidden" name="token" value=(fields.get("token"));
                    (Field::new("name", "Your name").required().autocomplete("name").value(fields.get("name"))
                        .error(mistake.at("name", "The name").as_deref()).text())
                    (Field::new("password", "Password").required().autocomplete("new-password").hint("12 to 256 characters. A few unrelated words are good.")
                        .error(mistake.at("password", "The password").as_deref()).password())
                    div.actions { (button("Make Account and Join", Button::Primary)) }
                }
            }
        }
        p.hint { "The invitation is good until " (on(invitation.ends_at.0)) ". If you do not know who it is from, close this page: nothing happens." }
    };
    look::page(front, caller, Head::narrow(TITLE, "/sign-in"), card("", content))
}

/// The link of an invitation.
pub(super) async fn form(State(front): State<Front>, Asking(caller): Asking, uri: Uri) -> Answer {
    let fields = Fields::of_address(&uri, &["token"]);
    let token = fields.get("token").to_owned();
    let invitation = front.portal().run(move |portal| invitations::look(portal, &token)).await?;
    Ok(invited_page((&front, &caller), &invitation, &fields, &Mistake::none()).into_response())
}

/// Makes the account and joins.
pub(super) async fn join(
    State(front): State<Front>,
    Asking(caller): Asking,
    connection: Connection,
    headers: HeaderMap,
    fields: Fields,
) -> Answer {
    let (address, agent) = (front.address(&connection, &headers), front::agent(&headers));
    let wish = Join {
        token: fields.trimmed("token"),
        name: fields.trimmed("name"),
        password: fields.get("password").to_owned(),
    };
    let token = wish.token.clone();
    match front.portal().run(move |portal| invitations::join(portal, address, &agent, &wish)).await {
        Ok((session, _)) => {
            let cookie = AppendHeaders([(header::SET_COOKIE, front.cookie().set(&session))]);
            Ok((cookie, Redirect::to("/licenses?done=joined")).into_response())
        }
        Err(failure) => {
            // If the link itself is no longer good, that is what is said.
            let invitation = front.portal().run(move |portal| invitations::look(portal, &token)).await?;
            let mistake = Mistake::from(failure);
            Ok(mistake.answer(invited_page((&front, &caller), &invitation, &fields, &mistake)))
        }
    }
}

/// Says yes to an invitation.
pub(super) async fn accept(viewer: Viewer, ApiPath(organization): ApiPath<OrganizationId>) -> Answer {
    viewer.run(move |portal, caller| invitations::accept(portal, caller, organization)).await?;
    go("/licenses?done=joined")
}

/// What of organizations stands on ACCOUNT.
#[derive(Default)]
pub(super) struct Organizations {
    offered: Vec<OwnershipOffer>,
    invited: Vec<Invitation>,
    member: Vec<Membership>,
}

impl Organizations {
    pub(super) fn load(portal: &crate::Portal, caller: &Caller) -> Result<Organizations, Failure> {
        let member = organizations::list(portal, caller)?.items;
        let offered = ownership::mine(portal, caller)?.items;
        Ok(Organizations { offered, invited: invitations::mine(portal, caller)?.items, member })
    }

    /// Invitations to be answered, and the organizations in which one is.
    pub(super) fn section(&self) -> Markup {
        let columns =
            &[Column::new("name", "Organization"), Column::new("what", "You"), Column::new("action", "").end()];
        let offered = self.offered.iter().map(|one| {
            let at = |what: &str| format!("/account/offers/{}/{what}", one.organization.id);
            Row::from(vec![
                clip(&one.organization.name),
                html! { "can own it: " (clip(&one.organization.owner.name)) " offers it to you, until " (on(one.ends_at.0)) },
                html! {
                    div.actions {
                        (post_button(&at("accept"), "Accept", Button::Primary, &[]))
                        (post_button(&at("end"), "Decline", Button::Plain, &[]))
                    }
                },
            ])
        });
        let invited = self.invited.iter().map(|one| {
            Row::from(vec![
                clip(&one.organization_name),
                html! { "are invited, until " (on(one.ends_at.0)) },
                html! {
                    div.actions {
                        (post_button(&account_page(one.organization, "join"), "Join", Button::Primary, &[]))
                        (link_button("Decline", &account_page(one.organization, "leave"), Button::Plain))
                    }
                },
            ])
        });
        let member = self.member.iter().map(|one| {
            let owner = one.role == OrganizationRole::Owner;
            let role = match one.role {
                OrganizationRole::Owner => "own it",
                OrganizationRole::User => "are a user",
                OrganizationRole::Administrator => "are an administrator",
                OrganizationRole::LicenseManager => "are a license manager",
                OrganizationRole::Viewer => "are a viewer",
            };
            Row::from(vec![
                clip(&one.organization.name),
                html! { (role) },
                html! { @if !owner { (link_button("Leave", &account_page(one.organization.id, "leave"), Button::Plain)) } },
            ])
        });
        html! {
            @if !(self.offered.is_empty() && self.invited.is_empty() && self.member.is_empty()) {
                h2 { "Organizations" }
                (table(&Table {
                    id: "organizations", caption: "Your organizations", columns, rows: offered.chain(invited).chain(member).collect(),
                    query: &ListQuery::default(), next: None, empty: html! {},
                }))
            }
        }
    }
}

/// That somebody is invited: on the page where they look first.
pub(super) fn invited(open: &[Invitation]) -> Vec<Notice> {
    let notice = |one: &Invitation| {
        let text = html! { (named("You are invited to ", &one.organization_name, ". ")) a href="/account" { "Join or decline" } };
        Notice::new(Tone::Info, text)
    };
    open.iter().map(notice).collect()
}

/// What goes back and what stays one's own.
fn leave_question(organization: OrganizationId, name: &str, given: &[Assigned], invited: bool) -> Markup {
    let question = if invited { format!("Decline the invitation to {name}?") } else { format!("Leave {name}?") };
    confirm_panel(&Confirm {
        question: &question,
        effect: html! {
            @if !given.is_empty() {
                p { "These go back to the organization:" }
                ul { @for one in given { li { strong { (look::seats(one.seats)) } (named(" of ", &one.product.name, "")) } } }
            }
            @else if !invited { p { "It has given you no seats." } }
            p { "Your account stays, with your own licenses and license servers. To come back, you have to be invited." }
        },
        action: &account_page(organization, "leave"),
        values: &[],
        verb: if invited { "Decline" } else { "Leave" },
        cancel: "/account",
        kind: Button::Danger,
    })
}

/// Asks before somebody leaves.
pub(super) async fn leave_form(viewer: Viewer, ApiPath(organization): ApiPath<OrganizationId>) -> Answer {
    let load = move |portal: &_, caller: &_| {
        let known = Organizations::load(portal, caller)?;
        let given = assignments::mine(portal, caller)?.items;
        Ok((known, given.into_iter().filter(|one| one.organization == organization).collect::<Vec<_>>()))
    };
    let (known, given) = viewer.run(load).await?;
    let invited = known.invited.iter().find(|one| one.organization == organization);
    let member =
        known.member.iter().find(|one| one.organization.id == organization && one.role != OrganizationRole::Owner);
    let name = match (invited, member) {
        (Some(invited), _) => &invited.organization_name,
        (None, Some(member)) => &member.organization.name,
        (None, None) => return Err(Failure::NotFound.into()),
    };
    let question = leave_question(organization, name, &given, invited.is_some());
    Ok(viewer.page(Head::narrow("Leave an organization", "/account"), question).into_response())
}

/// Leaves, or says no.
pub(super) async fn leave(viewer: Viewer, ApiPath(organization): ApiPath<OrganizationId>) -> Answer {
    viewer.run(move |portal, caller| members::leave(portal, caller, organization)).await?;
    go("/account?done=left")
}
