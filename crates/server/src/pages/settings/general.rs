//! *Settings: General*: what everybody may see, how usage is kept, one's own password, and this server.

use super::fields::Part;
use super::forms::card_of;
use super::{Shown, frame_of, settings_of};
use crate::pages::sign_in::{NewPassword, Refused, new_password_hint};
use crate::pages::visit::{Administrator, SignedIn, Visit};
use crate::pages::words;
use crate::service::Installation;
use axum::response::{IntoResponse, Redirect, Response};
use leasehold_web::components::{Button, Field, Tone, badge, button, card, clip, definitions, wrapped};
use leasehold_web::extract::PageForm;
use leasehold_web::maud::{Markup, html};
use leasehold_web::problem::ApiProblem;

/// Less than this is pointed out, in bytes.
const FREE_BYTES_LOW: u64 = 1024 * 1024 * 1024;

/// `GET /settings`
pub(in crate::pages) async fn general(Administrator(visit): Administrator) -> Result<Markup, ApiProblem> {
    draw(&visit, &Shown::default(), None).await
}

/// `POST /settings/password`
pub(in crate::pages) async fn change_password(
    SignedIn(visit): SignedIn,
    PageForm(form): PageForm<NewPassword>,
) -> Result<Response, ApiProblem> {
    match form.change(&visit).await? {
        None => Ok(Redirect::to("/settings?saved=password").into_response()),
        Some(refused) => Ok((refused.status(), draw(&visit, &Shown::default(), Some(&refused)).await?).into_response()),
    }
}

pub(super) async fn draw(visit: &Visit, shown: &Shown, refused: Option<&Refused>) -> Result<Markup, ApiProblem> {
    let installation = visit.server.installation(&visit.caller).await?;
    let seen = settings_of(visit).await?;
    let cards = html! {
        div.columns {
            div.group {
                (card_of(visit, "open", &seen, shown))
                (card_of(visit, "usage", &seen, shown))
            }
            div.group {
                (card("Your password", password_form(refused)))
                (card("This server", about(&installation)))
            }
        }
    };
    Ok(frame_of(visit, Part::General, &seen, cards))
}

fn password_form(refused: Option<&Refused>) -> Markup {
    let error = |field: &str| refused.and_then(|refused| refused.at(field));
    let hint = new_password_hint();
    html! {
        form #password-form method="post" action="/settings/password" {
            (Field::new("current", "Current password").required().autocomplete("current-password").error(error("current")).password())
            (Field::new("password", "New password").required().autocomplete("new-password").hint(&hint).error(error("password")).password())
            (Field::new("again", "New password again").required().autocomplete("new-password").error(error("again")).password())
            div.actions { (button("Change the password", Button::Primary)) }
        }
    }
}

fn about(installation: &Installation) -> Markup {
    let free = match installation.free_bytes {
        None => html! { span.muted { "not known" } },
        Some(free) => html! {
            (words::bytes(free)) " free"
            @if free < FREE_BYTES_LOW { " " (badge("little", Tone::Warning)) }
            div.hint { "When the disk is full, running applications keep their seats and new ones are refused." }
        },
    };
    definitions(&[
        ("Machine", clip(&installation.host)),
        ("Version", html! { "Leasehold " (installation.version) }),
        ("Data folder", html! { code { (wrapped(&installation.folder)) } }),
        ("Disk", free),
        ("Usage log", html! { "kept for " (words::count(installation.usage_keep_days, "day", "days")) }),
    ])
}
