//! ONLINE LICENSING, *Enable*: signs in at the portal once, or shows it a token. What was entered comes back with a
//! refusal, except for secrets: those are passed on to the portal and kept nowhere.

use super::connection;
use crate::pages::flash;
use crate::pages::visit::{Administrator, Changer, Visit};
use crate::service::{Failure, KnownPortal};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use leasehold_core::license::Scope;
use leasehold_web::components::{
    Button, Field, button, button_to, card, link_button, page_header, problem_panel, wrapped,
};
use leasehold_web::extract::PageForm;
use leasehold_web::maud::{Markup, html};
use leasehold_web::page::{Frame, Width, page};
use leasehold_web::problem::{ApiProblem, Problem};
use leasehold_wire::server::{
    ConnectionTest, EnableRequest, OnlineState, ServerState, StatusResponse, TestConnectionRequest,
};
use serde::Deserialize;

const PATH: &str = "/online/enable";

/// What is entered, to enable or to test. Holds secrets: it cannot be printed.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::pages) struct Entered {
    /// `token` for the form with a token.
    with: String,
    /// `overview` from the form on that page.
    page: String,
    portal_url: String,
    account: String,
    password: String,
    scope: String,
    token: String,
    name: String,
}

/// What stands above the form.
pub(super) enum Shown<'a> {
    /// Nothing.
    Nothing,
    /// A field is missing; its sentence is beside it.
    Missing,
    /// It was not done.
    Refused(&'a Problem),
    /// The connection was tried.
    Tested(&'a ConnectionTest),
}

impl Entered {
    /// Whether it came from the form on the overview.
    pub(super) fn is_of_overview(&self) -> bool {
        self.page == "overview"
    }

    fn by_token(&self) -> bool {
        self.with == "token"
    }

    /// What to test: the sign-in only if both account and password are there.
    pub(super) fn as_test(&self, known: &KnownPortal) -> TestConnectionRequest {
        let (account, password) = (filled(&self.account), (!self.password.is_empty()).then(|| self.password.clone()));
        let both = account.is_some() && password.is_some();
        TestConnectionRequest {
            portal_url: self.portal(known),
            account: account.filter(|_| both),
            password: password.filter(|_| both),
        }
    }

    fn as_wish(&self, known: &KnownPortal) -> EnableRequest {
        let place =
            EnableRequest { portal_url: self.portal(known), name: filled(&self.name), ..EnableRequest::default() };
        if self.by_token() {
            return EnableRequest { token: Some(self.token.trim().to_owned()), ..place };
        }
        EnableRequest {
            account: filled(&self.account),
            password: Some(self.password.clone()),
            scope: Some(if self.scope == Scope::Person.word() { Scope::Person } else { Scope::Organization }),
            ..place
        }
    }

    fn portal(&self, known: &KnownPortal) -> Option<String> {
        match known {
            KnownPortal::Fixed(_) => None,
            KnownPortal::Used(_) => filled(&self.portal_url),
        }
    }

    fn is_complete(&self, known: &KnownPortal) -> bool {
        let place = matches!(known, KnownPortal::Fixed(_)) || !self.portal_url.trim().is_empty();
        let who = match self.by_token() {
            true => !self.token.trim().is_empty(),
            false => !self.account.trim().is_empty() && !self.password.is_empty(),
        };
        place && who
    }
}

fn filled(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// `GET /online/enable`
pub(in crate::pages) async fn form(Changer(visit): Changer) -> Result<Markup, ApiProblem> {
    let with = visit.query.get("with").unwrap_or_default().to_owned();
    draw(&visit, &Entered { with, ..Entered::default() }, &Shown::Nothing).await
}

/// `POST /online/enable`
pub(in crate::pages) async fn enable(
    Administrator(visit): Administrator,
    PageForm(entered): PageForm<Entered>,
) -> Result<Response, ApiProblem> {
    let known = visit.server.known_portal(&visit.caller).await?;
    if !entered.is_complete(&known) {
        let page = draw(&visit, &entered, &Shown::Missing).await?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    }
    match visit.server.enable(&visit.caller, entered.as_wish(&known)).await {
        Ok(activated) => {
            let done = if activated.vendor_new { flash::ENABLED_NEW_VENDOR } else { flash::ENABLED };
            Ok(Redirect::to(&flash::address("/", done)).into_response())
        }
        Err(failure) => {
            let by_portal = matches!(failure, Failure::Portal(_));
            let mut problem = ApiProblem::from(failure).problem().clone();
            if by_portal {
                problem.title = "Online licensing was not enabled.".into();
            }
            let problem = &problem;
            let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
            Ok((status, draw(&visit, &entered, &Shown::Refused(problem)).await?).into_response())
        }
    }
}

/// The page.
pub(super) async fn draw(visit: &Visit, entered: &Entered, shown: &Shown<'_>) -> Result<Markup, ApiProblem> {
    let seen = visit.server.status(&visit.caller).await?;
    let known = visit.server.known_portal(&visit.caller).await?;
    let frame = Frame { width: Width::Narrow, current: PATH, ..visit.frame("Enable online licensing", &[]) };
    Ok(page(&frame, content(&seen, &known, entered, shown)))
}

fn content(seen: &StatusResponse, known: &KnownPortal, entered: &Entered, shown: &Shown<'_>) -> Markup {
    html! {
        @match shown {
            Shown::Nothing | Shown::Missing => {}
            Shown::Refused(problem) => {
                div #enable-refused.group {
                    (problem_panel(problem))
                    p { strong { "Nothing was changed." } " Below it can be tried again; " (secret_of(entered)) " has to be entered anew." }
                }
            }
            Shown::Tested(test) => {
                (connection::panel(test))
                @if !entered.password.is_empty() { p { "To enable, enter the password again: it is not kept." } }
            }
        }
        @if let Some(why) = not_now(seen) {
            (card("", html! {
                (page_header("Enable online licensing", "", html! {}))
                p { (why) }
                div.actions { (link_button("Disable", "/disable", Button::Primary)) (link_button("Overview", "/online", Button::Plain)) }
            }))
        } @else {
            (card("", html! {
                (page_header("Enable online licensing", lead(seen), html! {}))
                (the_form(seen, known, entered, matches!(shown, Shown::Missing)))
            }))
        }
    }
}

fn secret_of(entered: &Entered) -> &'static str {
    if entered.by_token() { "the token" } else { "the password" }
}

fn lead(seen: &StatusResponse) -> &'static str {
    match (&seen.activation, &seen.online) {
        (_, Some(_)) => {
            "This server is online already. Enabling again changes for whom it works; running applications keep their seats as far as the licenses reach."
        }
        (Some(_), None) => {
            "This server has its seats by file. From then on the portal keeps it up to date; running applications notice nothing."
        }
        (None, _) => "Sign in once; the licenses appear on the home page within seconds.",
    }
}

/// Why it cannot be enabled as it is.
fn not_now(seen: &StatusResponse) -> Option<&'static str> {
    let state = seen.online.as_ref().map(|online| online.state);
    if seen.state == ServerState::Draining {
        return Some(
            "This server is being disabled, and applications still hold seats. When the last of them is back, it can be enabled again.",
        );
    }
    match state? {
        OnlineState::Copy => Some(
            "Another license server runs with this server's key. Disable this one first, which ends its copy of the key only; then enable it here with a key of its own.",
        ),
        OnlineState::Revoked => Some(
            "This server was revoked at the portal, and its key cannot be used again. Disable it first; then enable it here with a new key.",
        ),
        _ => None,
    }
}

fn the_form(seen: &StatusResponse, known: &KnownPortal, entered: &Entered, judged: bool) -> Markup {
    let host = leasehold_host::host_name();
    let name = seen.activation.as_ref().map_or(host.as_str(), |activation| activation.workstation_name.as_str());
    let hint = format!("How the portal lists this server. If empty: {name}.");
    html! {
        form #enable-form method="post" action=(PATH) {
            (portal_field(known, entered, judged))
            @if entered.by_token() {
                input type="hidden" name="with" value="token";
                (Field::new("token", "Token from the portal").required()
                    .error(missing(judged, &entered.token, "Paste the token here."))
                    .hint("Made there under Workstations, Enable without a screen. It works once, for a day, and the portal knows for whom.")
                    .password())
            } @else {
                (account_fields(entered, works_for_one(seen), judged))
            }
            (Field::new("name", "Name of this server at the portal").value(&entered.name).hint(&hint).text())
            div.actions {
                (button("Enable", Button::Primary))
                (button_to("/online/test", "Test connection", Button::Plain))
            }
        }
        p.hint {
            @if entered.by_token() { a href=(PATH) { "Enable with an account instead" } "." }
            @else { "For a machine on which nobody should enter a password: " a href={ (PATH) "?with=token" } { "enable with a token" } "." }
            " Without a way to the portal: " a href="/activate" { "activate offline" } "."
        }
    }
}

fn portal_field(known: &KnownPortal, entered: &Entered, judged: bool) -> Markup {
    match known {
        KnownPortal::Fixed(url) => html! {
            div.field {
                span.field-name { "Portal" }
                code #portal { (wrapped(url)) }
                p.hint { "Set in " a href="/settings/portal" { "Settings, Portal" } "." }
            }
        },
        KnownPortal::Used(used) => {
            let value = match entered.portal_url.as_str() {
                "" => used.as_deref().unwrap_or_default(),
                url => url,
            };
            Field::new("portal_url", "Address of the portal")
                .required()
                .value(value)
                .hint("From your software vendor, such as https://portal.example.com.")
                .error(missing(judged, &entered.portal_url, "Enter the portal's address."))
                .autocomplete("url")
                .text()
        }
    }
}

/// Whether it is enabled for one person already: nobody should change that by not looking.
pub(super) fn works_for_one(seen: &StatusResponse) -> bool {
    seen.online.iter().flat_map(|online| &online.pools).any(|pool| pool.assigned)
}

fn account_fields(entered: &Entered, for_one: bool, judged: bool) -> Markup {
    let person = entered.scope == Scope::Person.word() || entered.scope.is_empty() && for_one;
    let scope = if person { Scope::Person } else { Scope::Organization };
    html! {
        (Field::new("account", "Account at the portal").required().value(&entered.account)
            .hint("Its email address.")
            .error(missing(judged, &entered.account, "Enter the email address of the account."))
            .autocomplete("section-portal username").email())
        (Field::new("password", "Password of the account at the portal").required()
            .hint("Not the password of this server. It is passed on to the portal once and stored nowhere.")
            .error(missing(judged, &entered.password, "Enter the password of the account at the portal."))
            .autocomplete("section-portal current-password").password())
        (Field::new("scope", "For whom").required().value(scope.word()).choice(&[
            (Scope::Organization.word(), "My organization", "Everybody who reaches this server. The account must be the administrator of the organization."),
            (Scope::Person.word(), "Me", "Your own licenses and those that are assigned to you, for applications on this machine only."),
        ]))
    }
}

fn missing<'a>(judged: bool, value: &str, sentence: &'a str) -> Option<&'a str> {
    (judged && value.trim().is_empty()).then_some(sentence)
}
