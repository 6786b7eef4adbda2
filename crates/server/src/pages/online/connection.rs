//! *Test connection*: the way to the portal, step by step, and with an account also whether it may sign in there. The
//! result stands in place, on the page that asked.

use super::enable::{self, Entered};
use super::{Outcome, draw};
use crate::pages::visit::Administrator;
use crate::service::KnownPortal;
use axum::response::{IntoResponse, Response};
use leasehold_web::components::{Button, Field, Tone, button, card, definitions, status, with_names, wrapped};
use leasehold_web::extract::PageForm;
use leasehold_web::maud::{Markup, html};
use leasehold_web::problem::ApiProblem;
use leasehold_wire::server::{ConnectionStep, ConnectionStepName, ConnectionStepState, ConnectionTest};

/// `POST /online/test`
pub(in crate::pages) async fn test(
    Administrator(visit): Administrator,
    PageForm(entered): PageForm<Entered>,
) -> Result<Response, ApiProblem> {
    let known = visit.server.known_portal(&visit.caller).await?;
    let tested = visit.server.test_connection(&visit.caller, entered.as_test(&known)).await?;
    if entered.is_of_overview() {
        return Ok(draw(&visit, &Outcome::Tested(&tested)).await?.into_response());
    }
    Ok(enable::draw(&visit, &entered, &enable::Shown::Tested(&tested)).await?.into_response())
}

/// The form of it for a server that is online already.
pub(super) fn card_for(known: &KnownPortal) -> Markup {
    card(
        "Test the connection",
        html! {
            p { "Tries the way to the portal step by step and says which one fails. Nothing is changed." }
            form #test-form method="post" action="/online/test" {
                input type="hidden" name="page" value="overview";
                @if let KnownPortal::Used(Some(url)) = known { input type="hidden" name="portal_url" value=(url); }
                (Field::new("account", "Account at the portal")
                    .hint("Its email address, to have the sign-in tried as well: in and out again.")
                    .autocomplete("section-portal username").email())
                (Field::new("password", "Password of the account at the portal")
                    .hint("Not the password of this server. Passed on to the portal, stored nowhere.")
                    .autocomplete("section-portal current-password").password())
                div.actions { (button("Test connection", Button::Plain)) }
            }
        },
    )
}

/// What came of it.
pub(in crate::pages) fn panel(test: &ConnectionTest) -> Markup {
    let failed = test.steps.iter().find(|step| step.state == ConnectionStepState::Failed);
    let rows: Vec<(&str, Markup)> = test.steps.iter().map(|step| (name(step.step), told(step))).collect();
    let edge = if failed.is_some() { "problem" } else { "done-edge" };
    html! {
        section #connection-test.card.(edge) role="status" {
            h2 {
                @match failed {
                    Some(step) => { "The connection fails at: " (name(step.step)) }
                    None => "The connection works",
                }
            }
            @if !test.portal_url.is_empty() { p.muted { "Tried: " code { (wrapped(&test.portal_url)) } } }
            (definitions(&rows))
        }
    }
}

fn name(step: ConnectionStepName) -> &'static str {
    match step {
        ConnectionStepName::Name => "Name",
        ConnectionStepName::Connect => "Connect",
        ConnectionStepName::Proxy => "Proxy",
        ConnectionStepName::Tls => "TLS",
        ConnectionStepName::Portal => "Portal",
        ConnectionStepName::SignIn => "Sign-in",
    }
}

fn told(step: &ConnectionStep) -> Markup {
    html! {
        @match step.state {
            ConnectionStepState::Ok => (status("Works", Tone::Good)),
            ConnectionStepState::Failed => (status("Fails", Tone::Bad)),
            ConnectionStepState::Skipped if step.detail.is_empty() => (status("Not reached", Tone::Neutral)),
            ConnectionStepState::Skipped => (status("Not needed", Tone::Neutral)),
        }
        @if !step.detail.is_empty() { " " span.muted { (wrapped(&step.detail)) } }
        @if let Some(problem) = &step.problem {
            div.effect {
                p { (with_names(&problem.what)) }
                p { (with_names(&problem.what_to_do)) }
                p.hint { "Who can: " (wrapped(&problem.who)) " · Code " code { (wrapped(&problem.code)) } }
            }
        }
    }
}
