//! ONLINE LICENSING, *Use licenses offline*: seats that this server keeps also if the portal cannot be reached. Preview in
//! exact numbers and dates, borrow, the list with its ends, release.

use crate::pages::notices::notices;
use crate::pages::visit::{Administrator, Visit};
use crate::service::{Failure, PORTAL_SLOW};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use leasehold_web::components::{Button, Tone, card, link_button, page_header, problem_panel};
use leasehold_web::extract::PageForm;
use leasehold_web::maud::{Markup, html};
use leasehold_web::page::{Notice, page};
use leasehold_web::pins;
use leasehold_web::problem::{ApiProblem, Problem};
use leasehold_wire::server::{OfflineUse, StatusResponse};

pub(in crate::pages) const PATH: &str = "/online/offline";
const TITLE: &str = "Use licenses offline";

/// What was sent by a form.
type Fields = Vec<(String, String)>;

/// `GET /online/offline`
pub(in crate::pages) async fn form(Administrator(visit): Administrator) -> Result<Markup, ApiProblem> {
    draw(&visit, &Fields::new(), None).await
}

/// `POST /online/offline`: a preview, or what was previewed.
pub(in crate::pages) async fn submit(
    Administrator(visit): Administrator,
    PageForm(fields): PageForm<Fields>,
) -> Result<Response, ApiProblem> {
    match keep(&visit, &fields).await {
        Ok(Done::Nothing) => Ok(Redirect::to(PATH).into_response()),
        Ok(Done::Preview(markup)) => Ok(markup.into_response()),
        Ok(Done::Kept(true)) => Ok(Redirect::to(&format!("{PATH}?done=kept")).into_response()),
        Ok(Done::Kept(false)) => Ok(Redirect::to(&format!("{PATH}?done=released")).into_response()),
        Err(failure) => {
            let problem = ApiProblem::from(failure).problem().clone();
            let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::BAD_GATEWAY);
            Ok((status, draw(&visit, &fields, Some(&problem)).await?).into_response())
        }
    }
}

enum Done {
    /// It is as it was wished to be.
    Nothing,
    Preview(Markup),
    /// Whether something is kept by it.
    Kept(bool),
}

async fn keep(visit: &Visit, fields: &Fields) -> Result<Done, Failure> {
    let known = match pins::confirms(fields) {
        true => None,
        false => Some(visit.server.pins(&visit.caller).await?),
    };
    if let Some(problem) = known.as_ref().and_then(|known| known.portal.clone()) {
        return Err(Failure::Portal(Box::new(problem)));
    }
    let wish = pins::wish(fields, known.as_ref().map(|known| &known.pins)).map_err(Failure::BadField)?;
    if wish.pins.is_empty() {
        return Ok(Done::Nothing);
    }
    let preview = wish.preview;
    let told = visit.server.keep_seats(&visit.caller, wish).await?;
    if preview {
        return Ok(Done::Preview(visit.narrow_page(TITLE, pins::preview(&told, (PATH, PATH), None, visit.now))));
    }
    Ok(Done::Kept(told.changes.iter().any(|change| change.seats > 0)))
}

async fn draw(visit: &Visit, entered: &Fields, refused: Option<&Problem>) -> Result<Markup, ApiProblem> {
    let seen = visit.server.status(&visit.caller).await?;
    let known = match visit.server.pins(&visit.caller).await {
        Ok(known) => Some(known),
        Err(Failure::NotOnline) => None,
        Err(failure) => return Err(failure.into()),
    };
    let said = match visit.query.get("done") {
        Some("kept") => Some("Kept. The list says until when."),
        Some("released") => Some("Released. The seats are renewed at each sync again, and can be asked back."),
        _ => None,
    };
    let mut all: Vec<Notice> = said.iter().map(|text| Notice::new(Tone::Good, html! { (text) })).collect();
    all.extend(notices(&seen));
    Ok(page(&visit.frame(TITLE, &all), content(visit, &seen, known.as_ref(), entered, refused)))
}

fn content(
    visit: &Visit,
    seen: &StatusResponse,
    known: Option<&OfflineUse>,
    entered: &Fields,
    refused: Option<&Problem>,
) -> Markup {
    let lead = "Seats that this server keeps for a while, also if it cannot reach the portal: nobody asks them back before their end.";
    html! {
        (page_header(TITLE, lead, html! {}))
        @if let Some(problem) = refused {
            div #not-kept.group { (problem_panel(problem)) @if problem.code != PORTAL_SLOW { p { strong { "Nothing was changed." } } } }
        }
        @match known {
            None => (not_online(seen)),
            Some(OfflineUse { pins, portal: Some(problem) }) => {
                @if refused.is_none() {
                    div #portal-trouble.group {
                        (problem_panel(&Problem::new(502, problem.code.clone(), if problem.refused { "The portal refuses." } else { "The portal is not reached." })
                            .detail(problem.what.clone()).next(problem.what_to_do.clone(), problem.who.clone())))
                        p { "What is kept goes on as the list says. Nothing can be borrowed or released until " @if problem.refused { "that is mended." } @else { "the portal is reached." } }
                    }
                }
                h2 { "Kept now" }
                (pins::kept(pins, None, visit.now))
            }
            Some(OfflineUse { pins, portal: None }) => {
                @let changes = visit.caller.may_change();
                h2 { "Kept now" }
                (pins::kept(pins, changes.then_some(PATH), visit.now))
                @if changes {
                    h2 { "Keep seats" }
                    (pins::form(pins, entered, PATH))
                }
                p.hint { "The other seats here last without the portal as well, until the time that the overview says. Kept seats last as long at least, and until their own date if that is later." }
            }
        }
    }
}

fn not_online(seen: &StatusResponse) -> Markup {
    let text = match seen.activation {
        Some(_) => {
            "This server has its seats by file: they last until the end of that file, with or without the portal."
        }
        None => "This server is not activated. Seats can be kept once it is enabled online.",
    };
    card(
        "Only where the portal renews seats",
        html! {
            p { (text) }
            div.actions { (link_button("Online licensing", "/online", Button::Plain)) }
        },
    )
}
