//! *Take back*: the question before a seat, or all seats of a host or a user, are taken back.

use super::visit::{Administrator, Changer, Visit};
use super::words;
use crate::service::{LeaseAmong, NOT_AGAIN_S};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use leasehold_core::ids::LeaseId;
use leasehold_web::components::{
    Button, Field, Tone, button, empty_state, link_button, page_header, problem_panel, relative, wrapped,
};
use leasehold_web::extract::PageForm;
use leasehold_web::maud::{Markup, html};
use leasehold_web::page::Notice;
use leasehold_web::problem::{ApiProblem, Problem};
use leasehold_wire::server::ReleaseRequest;
use serde::Deserialize;

const PATH: &str = "/holders/release";
/// Where it leads when it is done.
const DONE: &str = "/holders?done=released";
const AGAIN: &[(&str, &str)] = &[
    ("0", "at once"),
    ("600", "after 10 minutes"),
    ("3600", "after an hour"),
    ("28800", "after 8 hours"),
    ("86400", "after a day"),
];

/// What is entered.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Entered {
    lease: String,
    whom: String,
    reason: String,
    again: String,
}

/// `GET /holders/release?lease=ID`
pub(super) async fn question(Changer(visit): Changer) -> Result<Markup, ApiProblem> {
    let lease = visit.query.get("lease").unwrap_or_default().to_owned();
    draw(&visit, &Entered { lease, again: NOT_AGAIN_S.to_string(), ..Entered::default() }, None).await
}

/// `POST /holders/release`
pub(super) async fn release(
    Administrator(visit): Administrator,
    PageForm(entered): PageForm<Entered>,
) -> Result<Response, ApiProblem> {
    let Some(among) = find(&visit, &entered.lease).await? else {
        return Ok((StatusCode::NOT_FOUND, draw(&visit, &entered, None).await?).into_response());
    };
    let wish = ReleaseRequest {
        not_again_s: entered.again.parse().ok(),
        reason: entered.reason.clone(),
        ..ReleaseRequest::default()
    };
    let wish = match entered.whom.as_str() {
        "host" => ReleaseRequest { host: Some(among.lease.host.to_string()), ..wish },
        "user" => ReleaseRequest { user: Some(among.lease.user.to_string()), ..wish },
        _ => ReleaseRequest { lease: Some(among.lease.lease), ..wish },
    };
    match visit.server.release(&visit.caller, wish).await {
        Ok(_) => Ok(Redirect::to(DONE).into_response()),
        Err(failure) => {
            let problem = ApiProblem::from(failure).problem().clone();
            let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
            Ok((status, draw(&visit, &entered, Some(&problem)).await?).into_response())
        }
    }
}

/// What the list says afterwards.
pub(super) fn done() -> Notice {
    Notice::new(
        Tone::Info,
        html! { strong { "On the way back. " } "Whoever is marked Taken back was told, or is at the next heartbeat, and gives the seat back two minutes later." },
    )
}

async fn find(visit: &Visit, lease: &str) -> Result<Option<LeaseAmong>, ApiProblem> {
    let Ok(id) = lease.parse::<LeaseId>() else { return Ok(None) };
    Ok(visit.server.lease(&visit.caller, id).await?)
}

async fn draw(visit: &Visit, entered: &Entered, refused: Option<&Problem>) -> Result<Markup, ApiProblem> {
    let content = match find(visit, &entered.lease).await? {
        Some(among) => form(&among, entered, refused, visit),
        None => empty_state(
            "That seat is free",
            "It was given back, or has run out.",
            link_button("Who holds what", "/holders", Button::Primary),
        ),
    };
    Ok(visit.narrow_page("Take a seat back", content))
}

fn form(among: &LeaseAmong, entered: &Entered, refused: Option<&Problem>, visit: &Visit) -> Markup {
    let lease = &among.lease;
    let user = if lease.user.trim().is_empty() { "somebody" } else { &lease.user };
    let host = if lease.host.trim().is_empty() { "a machine without a name" } else { &lease.host };
    let lead = format!("{user} on {host}");
    let seat = format!("This seat of {}", lease.feature);
    let at_host = format!("Everything at {host}");
    let of_user = format!("Everything of {user}");
    let (many_host, many_user) = (words::applications(among.at_host), words::applications(among.of_user));
    let mut whom = vec![("seat", seat.as_str(), "With every application that shares it.")];
    // A name that nobody told is no name: it would take the seats of everybody who tells none.
    if !lease.host.trim().is_empty() {
        whom.push(("host", &at_host, &many_host));
    }
    if !lease.user.trim().is_empty() {
        whom.push(("user", &of_user, &many_user));
    }
    let chosen = whom.iter().find(|(value, ..)| *value == entered.whom).map_or("seat", |(value, ..)| value);
    html! {
        (page_header("Take a seat back?", &lead, html! {}))
        @if let Some(problem) = refused { (problem_panel(problem)) }
        form.card.danger-edge #release-form method="post" action=(PATH) {
            ul.effects {
                li { "An application that runs hears of it within a minute, tells its user to save, and gives the seat back two minutes later." }
                li {
                    "If its machine is gone, this seat is free " strong { (relative(lease.freed_at.0, visit.now)) }
                    ", as it would be without this: until then nobody knows that it is not used."
                }
            }
            input type="hidden" name="lease" value=(lease.lease);
            (Field::new("whom", "What").value(chosen).choice(&whom))
            (Field::new("reason", "Reason").hint("Shown to whoever loses the seat, and in the audit log.").value(&entered.reason).text())
            (Field::new("again", "May take a seat again").required().hint("So that the application does not take it straight back.").value(&entered.again).select(AGAIN))
            div.actions {
                (button("Take back", Button::Danger))
                (link_button("Cancel", "/holders", Button::Plain))
            }
        }
        @if lease.shared { p.muted { "The seat is shared with other applications of " (wrapped(user)) " on this machine: they lose it, too." } }
    }
}
