//! *Would this work?*: user, host, feature and version in, the verdict and each step that leads to it out. Changes nothing.

use super::visit::Visit;
use super::words;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use leasehold_core::codes::DenialCode;
use leasehold_core::license::FeatureCode;
use leasehold_web::components::{
    Button, Field, ListQuery, Tone, button, page_header, problem_panel, status, with_names, wrapped,
};
use leasehold_web::maud::{Markup, html};
use leasehold_web::problem::ApiProblem;
use leasehold_wire::server::{
    SimulateRequest, SimulateResponse, SimulateStep, SimulateVerdict, StatusResponse, StepState,
};

/// `GET /simulate`: the form, and the answer if something is asked.
pub(super) async fn simulate(visit: Visit) -> Result<Response, ApiProblem> {
    let seen = visit.server.status(&visit.caller).await?;
    let query = &visit.query;
    let Some(feature) = query.get("feature") else {
        return Ok(visit.page(TITLE, content(&seen, query, None, html! {})).into_response());
    };
    let refuse = |field, why: String| {
        let page = visit.page(TITLE, content(&seen, query, Some((field, &why)), html! {}));
        Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
    };
    let feature = match FeatureCode::new(feature.trim()) {
        Ok(feature) => feature,
        Err(error) => return refuse("feature", format!("A feature {error}.")),
    };
    let Ok(seats) = query.get("seats").unwrap_or("1").trim().parse() else {
        return refuse("seats", "A number of seats is a whole number from 1.".to_owned());
    };
    let released_on = match query.get("released_on").map(str::trim).filter(|text| !text.is_empty()) {
        None => None,
        Some(text) => match text.parse() {
            Ok(date) => Some(date),
            Err(_) => return refuse("released_on", "Write the date as 2026-11-30.".to_owned()),
        },
    };
    let text = |name| query.get(name).unwrap_or_default().into();
    let wish = SimulateRequest {
        feature,
        seats,
        user: text("user"),
        host: text("host"),
        version: text("version"),
        released_on,
        address: None,
        on_server: query.get("on_server").is_some(),
    };
    match visit.server.simulate(&visit.caller, wish).await {
        Ok(answer) => Ok(visit.page(TITLE, content(&seen, query, None, verdict(&answer, &visit))).into_response()),
        Err(failure) => {
            let problem = ApiProblem::from(failure).problem().clone();
            let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
            Ok((status, visit.page(TITLE, content(&seen, query, None, problem_panel(&problem)))).into_response())
        }
    }
}

const TITLE: &str = "Would this work?";

fn content(seen: &StatusResponse, query: &ListQuery, wrong: Option<(&str, &str)>, answer: Markup) -> Markup {
    let error = |field: &str| wrong.filter(|(at, _)| *at == field).map(|(_, why)| why);
    let value = |field: &str| query.get(field).unwrap_or_default();
    let seats = query.get("seats").unwrap_or("1");
    html! {
        (page_header(TITLE, "Asks this server as an application would, takes nothing, and shows each step that leads to the answer.", html! {}))
        div.columns {
            form.card #simulate-form method="get" action="/simulate" {
                (Field::new("feature", "Feature").required().hint(&features_hint(seen)).value(value("feature")).error(error("feature")).text())
                (Field::new("user", "User").hint("As the application would name its user.").value(value("user")).text())
                (Field::new("host", "Machine").hint("Its name, as the application would tell it.").value(value("host")).text())
                (Field::new("version", "Version of the application").value(value("version")).text())
                (Field::new("released_on", "Released on").hint("The date that is built into the application; perpetual licenses compare it with the end of their maintenance.").value(value("released_on")).error(error("released_on")).date())
                (Field::new("seats", "Seats").required().value(seats).error(error("seats")).number(1, 10_000))
                (Field::new("on_server", "At this server's own machine").hint("Seats that are assigned to its person are given there only.").checkbox(query.get("on_server").is_some()))
                div.actions { (button("Try", Button::Primary)) }
            }
            div #answer.group aria-live="polite" { (answer) }
        }
    }
}

fn features_hint(seen: &StatusResponse) -> String {
    let codes: Vec<&str> = seen.features.iter().map(|status| status.feature.as_str()).take(6).collect();
    if codes.is_empty() { "Such as studio.gui.".to_owned() } else { format!("Here are: {}.", codes.join(", ")) }
}

fn verdict(answer: &SimulateResponse, visit: &Visit) -> Markup {
    let (title, tone) = match answer.verdict {
        SimulateVerdict::Granted => ("Yes, it would get its seats", Tone::Good),
        SimulateVerdict::AsksPortal => ("Perhaps: the portal would be asked", Tone::Info),
        SimulateVerdict::Denied => ("No, it would be refused", Tone::Bad),
    };
    html! {
        section.card {
            h2 { (status(title, tone)) }
            @if let Some(end) = answer.ends_at { p { "Until " (words::minute(end.0)) " at the latest, while its heartbeats come." } }
            @if let Some(denial) = &answer.denial {
                @let problem = &denial.problem;
                @if answer.verdict == SimulateVerdict::AsksPortal { p.muted { "If none comes from there:" } }
                p { strong { (problem.title) } " " (with_names(&problem.detail)) }
                @if let Some(reason) = denial.reason.as_deref().filter(|reason| !reason.is_empty()) { p { "Reason: " (wrapped(reason)) } }
                p { (problem.what_to_do) @if !problem.who.is_empty() { " Who can: " (problem.who) "." } }
                @if let Some(at) = denial.free_at {
                    p {
                        @match &*problem.code {
                            code if code == DenialCode::NoSeats.word() => { "The next seat is free by " (words::minute(at.0)) " at the latest, if its holder is gone." }
                            code if code == DenialCode::Withdrawn.word() => { "They may have one again from " (words::minute(at.0)) " on." }
                            _ => { "New seats are given from " (words::minute(at.0)) " on." }
                        }
                    }
                }
                @if !denial.holders.is_empty() {
                    p { "Held by:" }
                    ul {
                        @for holder in &denial.holders {
                            li { (wrapped(&holder.user)) " on " (wrapped(&holder.host)) @if holder.seats > 1 { ", " (words::seats(u64::from(holder.seats))) } }
                        }
                    }
                    @if visit.sees_holders() { p { a href={ "/holders" (ListQuery::default().with("feature", Some(denial.feature.as_str()))) } { "All holders of this feature" } } }
                }
            }
        }
        section.card {
            h2 { "Step by step" }
            ol #steps.effects { @for step in &answer.steps { li { (step_line(step)) } } }
        }
    }
}

fn step_line(step: &SimulateStep) -> Markup {
    let (word, tone) = match step.state {
        StepState::Passed => ("passed", Tone::Neutral),
        StepState::Gives => ("gives", Tone::Good),
        StepState::Skipped => ("nothing", Tone::Neutral),
        StepState::Stopped => ("stops", Tone::Bad),
    };
    html! { div.two-lines { (status(word, tone)) div { (wrapped(&step.what)) } } }
}
