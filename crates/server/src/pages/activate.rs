//! ONLINE LICENSING, *Activate offline*: three steps on one page, for the first activation and for every renewal. What
//! came of an upload is shown in place.

use super::products::products;
use super::visit::{Administrator, Changer, Visit};
use super::{download, file_name, words};
use crate::service::Failure;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use leasehold_core::time::Ms;
use leasehold_web::components::{
    Button, Field, Tone, badge, button, card, clip, code_block, definitions, link_button, meter, page_header,
    problem_panel, step_panel, when, wrapped,
};
use leasehold_web::extract::Upload;
use leasehold_web::maud::{Markup, html};
use leasehold_web::problem::{ApiProblem, Problem};
use leasehold_wire::server::{ActivationResponse, ActivationStatus, OnlineState, ServerState, StatusResponse};

/// What came of an upload.
enum Outcome {
    /// None was made.
    None,
    /// It is in force.
    Loaded(ActivationResponse),
    /// It is not, and nothing was changed.
    Refused(Problem),
}

/// `GET /activate`
pub(super) async fn form(Changer(visit): Changer) -> Result<Markup, ApiProblem> {
    draw(&visit, &Outcome::None).await
}

/// `GET /activate/request`: the request file.
pub(super) async fn request_file(Changer(visit): Changer) -> Result<Response, ApiProblem> {
    let text = visit.server.request_file(&visit.caller).await?;
    Ok(download(&file_name("activation-request", &leasehold_host::host_name(), "pem"), text))
}

/// `POST /activate`: the uploaded `.crt` file.
pub(super) async fn upload(
    Administrator(visit): Administrator,
    upload: Result<Upload, ApiProblem>,
) -> Result<Response, ApiProblem> {
    let outcome = match upload {
        Err(refused) => Outcome::Refused(refused.problem().clone()),
        Ok(upload) => match visit.server.import(&visit.caller, &upload.bytes).await {
            Ok(loaded) => Outcome::Loaded(loaded),
            Err(failure) => Outcome::Refused(logged(failure)),
        },
    };
    let status = match &outcome {
        Outcome::Refused(problem) => StatusCode::from_u16(problem.status).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY),
        Outcome::None | Outcome::Loaded(_) => StatusCode::OK,
    };
    Ok((status, draw(&visit, &outcome).await?).into_response())
}

/// The problem of a failure, logged if nobody at the page can mend it.
fn logged(failure: Failure) -> Problem {
    ApiProblem::from(failure).problem().clone()
}

async fn draw(visit: &Visit, outcome: &Outcome) -> Result<Markup, ApiProblem> {
    let seen = visit.server.status(&visit.caller).await?;
    let host = leasehold_host::host_name();
    Ok(visit.page("Activate offline", content(&seen, outcome, visit.server.portal_url().as_deref(), &host)))
}

fn content(seen: &StatusResponse, outcome: &Outcome, portal: Option<&str>, host: &str) -> Markup {
    let name = seen.activation.as_ref().map(|activation| activation.workstation_name.as_str());
    let lead = if name.is_some() {
        "To renew or change what this server holds, the same three steps. What is in use goes on meanwhile."
    } else {
        "This server needs no internet access for it: two files are carried by hand, which takes a few minutes."
    };
    if let (Outcome::Loaded(loaded), Some(activation)) = (outcome, &seen.activation) {
        return html! {
            (page_header("Activate offline", "The activation file was checked and is in force.", html! {}))
            (loaded_panel(loaded, activation, seen))
        };
    }
    html! {
        (page_header("Activate offline", lead, html! {}))
        @if let Outcome::Refused(problem) = outcome { (refused_panel(problem)) }
        @if let Some(activation) = &seen.activation { (in_use_panel(activation, seen)) }
        @if seen.state == ServerState::Draining { (draining()) }
        @if let Some(online) = &seen.online { (online_now(online.state)) }
        (step_panel(1, "Download the activation request file", step_1(name, host)))
        (step_panel(2, "Upload it in the portal", step_2(name, portal)))
        (step_panel(3, "Upload the .crt file here", step_3()))
    }
}

fn refused_panel(problem: &Problem) -> Markup {
    html! {
        div #upload-refused.group {
            (problem_panel(problem))
            p { strong { "Nothing was changed." } " Below, in step 3, another file can be uploaded." }
        }
    }
}

fn draining() -> Markup {
    html! {
        div.notice.warning role="status" {
            div {
                "This server is being disabled, so it takes no activation file now. When the last application has given its seat back, "
                "come here for a new request file: the server then gets a new key. " a href="/disable" { "See how far it is" }
            }
        }
    }
}

/// What a file means for a server that is online.
fn online_now(state: OnlineState) -> Markup {
    html! {
        div.notice.info role="status" {
            div {
                @if state == OnlineState::ByFile {
                    "A file was made for this server at the portal already: if you have it, only step 3 is left."
                } @else {
                    "This server is online, and the portal renews it by itself: no file is needed for that. With a file it leaves online licensing and "
                    "has the seats of that file until the next one; running applications notice nothing. "
                    a href="/online" { "How it stands with the portal" }
                }
            }
        }
    }
}

fn step_1(name: Option<&str>, host: &str) -> Markup {
    html! {
        p {
            @match name {
                Some(name) => { "It names the key of " (wrapped(name)) ", so the portal knows which workstation is renewed." }
                None => { "It names this server (" (wrapped(host)) ") and its key. There is nothing secret in it." }
            }
        }
        (link_button("Download request file", "/activate/request", Button::Primary))
    }
}

fn step_2(name: Option<&str>, portal: Option<&str>) -> Markup {
    html! {
        p { "On a computer with internet access, sign in with your " strong { "account at the portal" } ", not with the password of this server." }
        @if let Some(portal) = portal {
            (code_block("portal-address", "Address of the portal", portal))
            p { a href=(portal) rel="noreferrer" target="_blank" { "Open the portal in a new tab" } ", if this computer can reach it." }
        } @else {
            p.hint {
                "Your software vendor knows the portal's address. Set it in " a href="/settings/portal" { "Settings, Portal" }
                " to have it shown here."
            }
        }
        ol.numbered {
            li { "Open " strong { "WORKSTATIONS" } " and press " strong { "Activate Workstation" } "." }
            li { "Upload the request file from step 1." }
            @if let Some(name) = name {
                li { "The portal shows that it is a renewal of " strong { (wrapped(name)) } ". Check the seats and the date, then confirm." }
            } @else {
                li { "Give this server a name. Check the seats and the date until which they leave your pool, then confirm." }
            }
            li { "Press " strong { "Download .crt File" } " beside the workstation's name and bring the file here." }
        }
    }
}

fn step_3() -> Markup {
    html! {
        form #upload-form method="post" action="/activate" enctype="multipart/form-data" {
            (Field::new("file", "Activation file (.crt)").hint("From the portal, at most 256 KiB. It is checked as a whole before anything is changed.").required().file(".crt,.pem"))
            div.actions { (button("UPLOAD", Button::Primary)) }
        }
    }
}

fn in_use_panel(activation: &ActivationStatus, seen: &StatusResponse) -> Markup {
    let mut list = about(activation, seen.server_time.0);
    list.push(("Seats", seats(seen)));
    html! { div #in-use { (card("In use now", definitions(&list))) } }
}

fn loaded_panel(loaded: &ActivationResponse, activation: &ActivationStatus, seen: &StatusResponse) -> Markup {
    let mut list = about(activation, seen.server_time.0);
    list.push(("Seats", seats(seen)));
    html! {
        section #loaded.card.done-edge role="status" {
            div.section-head {
                h2 { "Activated: " (wrapped(&loaded.workstation_name)) }
                (badge(&words::seats(loaded.seats), Tone::Good))
            }
            @if loaded.vendor_new {
                p {
                    "This server trusts the vendor " strong { (wrapped(&loaded.vendor)) } " from now on, and no other. "
                    "Compare the root fingerprint below with the one that the vendor publishes."
                }
            }
            @if loaded.withdrawn > 0 {
                p {
                    strong { (words::count(loaded.withdrawn, "lease is not renewed any more", "leases are not renewed any more")) }
                    ", because the file holds fewer seats than are in use: the youngest are not renewed and have some minutes to save. What is borrowed runs to its end."
                }
            }
            (definitions(&list))
            div.actions {
                (link_button("See the licenses", "/", Button::Primary))
                (link_button("Upload another file", "/activate", Button::Plain))
            }
        }
    }
}

fn about(activation: &ActivationStatus, now: Ms) -> Vec<(&'static str, Markup)> {
    vec![
        (
            "Workstation",
            html! { strong { (wrapped(&activation.workstation_name)) } div.hint { code { (activation.workstation) } } },
        ),
        ("Account", wrapped(&activation.account_name)),
        (
            "Vendor",
            html! { (wrapped(&activation.vendor)) div.hint { "Root fingerprint (SHA-256) " code.fingerprint { (activation.vendor_fingerprint) } } },
        ),
        ("Document", html! { "Number " (activation.rev) ", issued " (when(activation.issued_at.0, now)) }),
        ("Runs until", when(activation.ends_at.0, now)),
    ]
}

fn seats(seen: &StatusResponse) -> Markup {
    let all = products(seen);
    html! {
        @if all.is_empty() { "None" }
        ul.plain-list.seat-list {
            @for product in &all {
                li {
                    span.list-name { (clip(product.name)) }
                    (meter(product.name, product.in_use(), product.seats()))
                    @if let Some(end) = product.first_end() { (when(end, seen.server_time.0)) }
                    @else if product.last_end().is_some() { (badge("expired", Tone::Bad)) }
                }
            }
        }
    }
}
