//! *Enable without a screen*: a token for a license server that nobody can click on. Shown once.

use super::{HERE, TOKEN};
use crate::Failure;
use crate::pages::Answer;
use crate::pages::fields::{Fields, Mistake};
use crate::pages::look::{Head, Viewer, on};
use crate::service::enable;
use axum::http::{HeaderMap, Uri};
use axum::response::IntoResponse;
use leasehold_core::license::Scope;
use leasehold_web::components::{Button, Field, button, card, code_block, link_button, page_header, step_panel};
use leasehold_web::listener::Connection;
use leasehold_web::maud::{Markup, html};
use leasehold_web::proxy::requested_host;
use leasehold_wire::portal::{EnableToken, NewEnableToken};

const TITLE: &str = "Enable without a screen";

fn form_page(viewer: &Viewer, fields: &Fields, mistake: &Mistake) -> Markup {
    let for_me = ("person", "Only me");
    let for_all = ("organization", "Everybody in the organization");
    let options = match viewer.organization() {
        Some(_) => vec![for_all, for_me],
        None => vec![for_me],
    };
    let content = card(
        "",
        html! {
            (page_header(TITLE, "For a license server on a machine without a browser, or for many of them by a script.", html! {}))
            (mistake.panel(&["scope"]))
            form #token method="post" action=(TOKEN) {
                (Field::new("scope", "For whom the server is to work").required().value(fields.get("scope"))
                    .error(mistake.at("scope", "For whom").as_deref()).select(&options))
                p.hint {
                    @if viewer.organization().is_some() { "For everybody it gives the organization's floating seats; for you, your own licenses and those that are assigned to you, on its own machine only. " }
                    @else { "It gives your own licenses and those that are assigned to you, on its own machine only. " }
                    "The token enables one license server, once, within a day. It cannot do anything else."
                }
                div.actions { (button("Make Token", Button::Primary)) (link_button("Cancel", HERE, Button::Plain)) }
            }
        },
    );
    viewer.page(Head::narrow(TITLE, HERE), content)
}

/// Where the license server reaches this portal, as it is configured or else as the browser reached it.
fn portal_address(viewer: &Viewer, connection: &Connection, uri: &Uri, headers: &HeaderMap) -> String {
    if let Some(public) = viewer.front().public_url() {
        return public.to_owned();
    }
    let scheme = if connection.tls { "https" } else { "http" };
    // A name that is no plain host name would be a command of somebody else's making.
    let plain = |host: &&str| host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:[]".contains(&b));
    match requested_host(uri, headers).filter(plain) {
        Some(host) => format!("{scheme}://{host}"),
        None => format!("{scheme}://{}", connection.local),
    }
}

fn token_page(viewer: &Viewer, made: &EnableToken, portal: &str) -> Markup {
    let whom = match made.scope {
        Scope::Organization => "everybody in your organization",
        Scope::Person => "you only",
    };
    let command = format!("leasehold server activate --portal {portal}");
    let content = html! {
        (page_header("The token is ready", "It is shown this once. Reloading this page makes another one.", html! {}))
        (step_panel(1, "Give it to the machine", html! {
            p { "On the license server's machine, in a shell. In the environment no other user of the machine can read it." }
            (code_block("token-variable", "Token", &format!("export LEASEHOLD_TOKEN={}", made.token)))
        }))
        (step_panel(2, "Enable the license server", html! {
            p { "In the same shell, as the user who runs the license server. If its data folder is not the usual one, add --data FOLDER." }
            (code_block("token-command", "Command", &command))
        }))
        (card("", html! {
            p {
                "The server then works for " strong { (whom) } " and stands under Workstations. The token works once, until " (on(made.expires_at.0))
                "; after that make a new one."
            }
            div.actions { (link_button("Workstations", HERE, Button::Plain)) }
        }))
    };
    viewer.page(Head::narrow("The token is ready", HERE), content)
}

pub(in crate::pages) async fn form(viewer: Viewer) -> Markup {
    form_page(&viewer, &Fields::default(), &Mistake::none())
}

/// Makes one and shows it. Not on a page of its own: the token is kept nowhere, so it could not be shown there.
pub(in crate::pages) async fn make(
    viewer: Viewer,
    connection: Connection,
    uri: Uri,
    headers: HeaderMap,
    fields: Fields,
) -> Answer {
    let made = match Scope::from_word(fields.get("scope")) {
        Some(scope) => {
            let wish = NewEnableToken { scope };
            viewer.run(move |portal, caller| enable::new_token(portal, caller, wish)).await
        }
        None => Err(Failure::invalid("scope", "must be chosen")),
    };
    match made {
        Ok(made) => {
            let portal = portal_address(&viewer, &connection, &uri, &headers);
            Ok(token_page(&viewer, &made, &portal).into_response())
        }
        Err(failure) => {
            let mistake = Mistake::from(failure);
            Ok(mistake.answer(form_page(&viewer, &fields, &mistake)))
        }
    }
}
