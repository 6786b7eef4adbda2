//! *Use offline* of an online workstation: seats that are borrowed to it for use without the portal, and recalled.

use super::{HERE, address, is_online};
use crate::Failure;
use crate::pages::fields::Fields;
use crate::pages::look::{Head, Viewer};
use crate::pages::{Answer, go};
use crate::service::{pins as service, workstations};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use leasehold_core::ids::WorkstationId;
use leasehold_web::components::{Button, link_button, page_header, problem_panel, wrapped};
use leasehold_web::extract::ApiPath;
use leasehold_web::maud::{Markup, html};
use leasehold_web::pins;
use leasehold_web::problem::{ApiProblem, Problem};
use leasehold_wire::portal::{KeepSeats, Pins, SeatsKept, Workstation};

fn way(workstation: &Workstation) -> String {
    format!("{}/offline", address(workstation.id))
}

fn overview(
    viewer: &Viewer,
    workstation: &Workstation,
    known: &Pins,
    fields: &Fields,
    refused: Option<&Problem>,
) -> Markup {
    let (here, now) = (way(workstation), viewer.now());
    let lead = "Seats that this license server keeps, also if it cannot reach the portal: nobody asks them back before their end.";
    let content = html! {
        (page_header("Use offline", lead, link_button("Back", &address(workstation.id), Button::Plain)))
        p { "License server " strong { (wrapped(&workstation.name)) } }
        @if let Some(problem) = refused { div #refused.group { (problem_panel(problem)) } }
        h2 { "Kept now" }
        (pins::kept(known, Some(&here), now))
        h2 { "Borrow to it" }
        (pins::form(known, fields.sent_all(), &here))
        p.hint {
            "It is given them with its next sync, within seconds if it is reached. To recall seats before their end, release them above: \
             they count as its own until it has said that nothing stands on them any more."
        }
    };
    viewer.page(Head::wide("Use offline", HERE), content)
}

async fn load(viewer: &Viewer, id: WorkstationId) -> Result<(Workstation, Pins), Failure> {
    let load = move |portal: &_, caller: &_| {
        let workstation = workstations::get(portal, caller, id)?;
        let known = service::list(portal, caller, id)?;
        Ok((workstation, known))
    };
    viewer.run(load).await
}

async fn refused(
    viewer: &Viewer,
    id: WorkstationId,
    fields: &Fields,
    problem: &Problem,
) -> Result<Response, ApiProblem> {
    let (workstation, known) = load(viewer, id).await?;
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
    Ok((status, overview(viewer, &workstation, &known, fields, Some(problem))).into_response())
}

pub(in crate::pages) async fn form(viewer: Viewer, ApiPath(id): ApiPath<WorkstationId>) -> Answer {
    let (workstation, known) = load(&viewer, id).await?;
    if !is_online(&workstation) {
        return Err(Failure::NotOnline { name: workstation.name }.into());
    }
    Ok(overview(&viewer, &workstation, &known, &Fields::default(), None).into_response())
}

fn wish(fields: &Fields, known: &Pins) -> Result<KeepSeats, Failure> {
    let known = (!pins::confirms(fields.sent_all())).then_some(known);
    pins::wish(fields.sent_all(), known).map_err(|why| Failure::invalid("form", why))
}

pub(in crate::pages) async fn submit(viewer: Viewer, ApiPath(id): ApiPath<WorkstationId>, fields: Fields) -> Answer {
    let (workstation, known) = load(&viewer, id).await?;
    let asked = wish(&fields, &known);
    let wish = match asked {
        // Nothing is to be other than it is.
        Ok(wish) if wish.pins.is_empty() => return go(&way(&workstation)),
        Ok(wish) => wish,
        Err(failure) => return refused(&viewer, id, &fields, ApiProblem::from(failure).problem()).await,
    };
    let preview = wish.preview;
    let done: Result<SeatsKept, Failure> =
        viewer.run(move |portal, caller| service::keep(portal, caller, id, &wish)).await;
    match done {
        Ok(told) if preview => {
            let (here, now) = (way(&workstation), viewer.now());
            let content = pins::preview(&told, (&here, &here), Some(&workstation.name), now);
            Ok(viewer.page(Head::narrow("Use offline", HERE), content).into_response())
        }
        Ok(_) => go(&format!("{}?kept=yes", address(workstation.id))),
        Err(failure @ (Failure::PinRefused { .. } | Failure::PinsChanged | Failure::Invalid { .. })) => {
            refused(&viewer, id, &fields, ApiProblem::from(failure).problem()).await
        }
        Err(failure) => Err(failure.into()),
    }
}
