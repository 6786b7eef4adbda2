//! `/device`: somebody types the code that a program shows, sees what it wants, and allows or refuses it.

use super::Answer;
use super::fields::{Fields, Mistake};
use super::look::{Head, Viewer};
use super::own_account::may;
use crate::service::devices;
use axum::http::Uri;
use axum::response::IntoResponse;
use leasehold_core::access::TokenScope;
use leasehold_web::components::{
    Button, Field, Tone, button, card, definitions, link_button, page_header, status, when, wrapped,
};
use leasehold_web::maud::{Markup, html};
use leasehold_wire::portal::WaitingDevice;

const HERE: &str = "/account";
const TITLE: &str = "Connect a program";

fn code_page(viewer: &Viewer, fields: &Fields, mistake: &Mistake) -> Markup {
    let content = card(
        "",
        html! {
            (page_header(TITLE, "A license server or another program shows a code, and the address of this page.", html! {}))
            (mistake.panel(&["code"]))
            form #code method="post" action="/device" {
                (Field::new("code", "Code").required().autocomplete("off").value(fields.get("code")).hint("Eight letters, such as BCDF-GHJK.")
                    .error(mistake.at("code", "The code").as_deref()).text())
                div.actions { (button("Go on", Button::Primary)) (link_button("Cancel", HERE, Button::Plain)) }
            }
        },
    );
    viewer.page(Head::narrow(TITLE, HERE), content)
}

fn question_page(viewer: &Viewer, device: &WaitingDevice) -> Markup {
    let content = card(
        "",
        html! {
            (page_header("Let this program act for you?", "", html! {}))
            (definitions(&[
                ("It calls itself", html! { strong { (wrapped(&device.client)) } }),
                ("It asked from", html! { code { (device.address) } }),
                ("When", when(device.asked_at.0, viewer.now())),
                ("Its code", html! { code { (device.code) } }),
            ]))
            p { "It would, for twelve hours:" }
            ul.effects {
                li { "read whatever you may read" }
                @for scope in device.scopes.iter().filter(|scope| **scope != TokenScope::Read) { li { (may(*scope).to_lowercase()) } }
            }
            p { strong { "Only if you have started it yourself just now, and it shows this very code." } " Whoever sends you a code wants to act in your name." }
            form #decide method="post" action="/device/decide" {
                input type="hidden" name="code" value=(device.code);
                div.actions {
                    button.primary type="submit" name="allow" value="yes" { "Allow" }
                    button.danger type="submit" name="allow" value="no" { "Refuse" }
                }
            }
        },
    );
    viewer.page(Head::narrow(TITLE, HERE), content)
}

/// The form. A link may bring the code along: it is shown, and nothing is done with it.
pub(super) async fn form(viewer: Viewer, uri: Uri) -> Markup {
    code_page(&viewer, &Fields::of_address(&uri, &["code"]), &Mistake::none())
}

pub(super) async fn look(viewer: Viewer, fields: Fields) -> Answer {
    let code = fields.trimmed("code");
    match viewer.run(move |portal, caller| devices::look(portal, caller, &code)).await {
        Ok(device) => Ok(question_page(&viewer, &device).into_response()),
        Err(failure) => {
            let mistake = Mistake::from(failure);
            Ok(mistake.answer(code_page(&viewer, &fields, &mistake)))
        }
    }
}

pub(super) async fn decide(viewer: Viewer, fields: Fields) -> Answer {
    let (code, allowed) = (fields.trimmed("code"), fields.get("allow") == "yes");
    match viewer.run(move |portal, caller| devices::decide(portal, caller, &code, allowed)).await {
        Ok(device) => {
            let (title, tone) = if allowed { ("Allowed", Tone::Good) } else { ("Refused", Tone::Neutral) };
            let content = card(
                "",
                html! {
                    (page_header(TITLE, "", html! {}))
                    p #decided { (status(title, tone)) }
                    p {
                        strong { (wrapped(&device.client)) }
                        @if allowed { " goes on by itself within seconds. It stands among your tokens, and can be ended there." }
                        @else { " is told so, and gets nothing." }
                    }
                    div.actions { (link_button("Account", HERE, Button::Primary)) }
                },
            );
            Ok(viewer.page(Head::narrow(TITLE, HERE), content).into_response())
        }
        Err(failure) => {
            let mistake = Mistake::from(failure);
            Ok(mistake.answer(code_page(&viewer, &fields, &mistake)))
        }
    }
}
