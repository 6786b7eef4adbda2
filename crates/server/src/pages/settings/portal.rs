//! *Settings: Portal*: address and proxy, with *Test connection* over what is saved.

use super::fields::Part;
use super::forms::card_of;
use super::{Shown, frame_of, settings_of};
use crate::pages::online::connection;
use crate::pages::visit::{Administrator, Visit};
use crate::service::KnownPortal;
use leasehold_web::components::{Button, card, post_button, wrapped};
use leasehold_web::maud::{Markup, html};
use leasehold_web::problem::ApiProblem;
use leasehold_wire::server::{ConnectionTest, TestConnectionRequest};

/// `GET /settings/portal`
pub(in crate::pages) async fn portal(Administrator(visit): Administrator) -> Result<Markup, ApiProblem> {
    draw(&visit, &Shown::default(), None).await
}

/// `POST /settings/test`
pub(in crate::pages) async fn test(Administrator(visit): Administrator) -> Result<Markup, ApiProblem> {
    let wish = TestConnectionRequest { portal_url: None, account: None, password: None };
    let tested = visit.server.test_connection(&visit.caller, wish).await?;
    draw(&visit, &Shown::default(), Some(&tested)).await
}

pub(super) async fn draw(visit: &Visit, shown: &Shown, tested: Option<&ConnectionTest>) -> Result<Markup, ApiProblem> {
    let seen = settings_of(visit).await?;
    let known = visit.server.known_portal(&visit.caller).await?;
    let cards = html! {
        @if let Some(test) = tested { (connection::panel(test)) }
        div.columns {
            (card_of(visit, "portal", &seen, shown))
            (card("Test the connection", html! {
                p { "Tries the way to the portal step by step, with the settings as they are saved, and says which step fails. Nothing is changed." }
                @if let KnownPortal::Used(Some(url)) = &known {
                    p.hint { "Without an address here the one is used that was given when online licensing was enabled: " (wrapped(url)) }
                }
                @if visit.caller.may_change() { (post_button("/settings/test", "Test connection", Button::Primary, &[])) }
            }))
        }
    };
    Ok(frame_of(visit, Part::Portal, &seen, cards))
}
