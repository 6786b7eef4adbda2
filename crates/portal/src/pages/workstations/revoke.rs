//! *Revoke*: asks first, with what it does in numbers and dates.

use super::{HERE, address};
use crate::pages::look::{Head, Viewer, on, seats};
use crate::pages::{Answer, go};
use crate::service::workstations;
use axum::response::IntoResponse;
use leasehold_core::ids::WorkstationId;
use leasehold_core::license::Mode;
use leasehold_web::components::{Button, Confirm, confirm_panel};
use leasehold_web::extract::ApiPath;
use leasehold_web::maud::html;
use leasehold_wire::portal::WorkstationStatus;

pub(in crate::pages) async fn form(viewer: Viewer, ApiPath(id): ApiPath<WorkstationId>) -> Answer {
    let workstation = viewer.run(move |portal, caller| workstations::get(portal, caller, id)).await?;
    let here = address(id);
    // Nothing is left to ask.
    if workstation.status != WorkstationStatus::Active {
        return go(&here);
    }
    let online = workstation.mode == Mode::Online;
    let question = format!("Revoke workstation {}?", workstation.name);
    let panel = Confirm {
        question: &question,
        effect: html! {
            p {
                @if online { "It gets no seats any more" } @else { "It gets no new file" }
                ", and its key cannot be used again. This cannot be undone."
            }
            @match (workstation.runs_until, workstation.free_at) {
                (Some(until), Some(free_at)) if online => {
                    p {
                        "It holds " strong { (seats(workstation.seats_out)) } ". They are withdrawn at its next sync, within seconds if it reaches \
                         this portal; applications that use them are told to save and stop."
                    }
                    p {
                        "If it cannot be reached, it can run until " (on(until.0)) ", and the seats are back in the pool on " (on(free_at.0))
                        " at the latest."
                    }
                }
                (Some(until), Some(free_at)) => {
                    p { "It holds signed files for " strong { (seats(workstation.seats_out)) } " and can still run until " (on(until.0)) "." }
                    p { "The seats are back in the pool on " (on(free_at.0)) " at the latest." }
                    p.hint {
                        "To have them back at once, disable the server on its own page (ONLINE LICENSING, Disable) and upload the receipt here instead."
                    }
                }
                (_, Some(free_at)) => p { "Nothing that it holds still runs. It (" (seats(workstation.seats_out)) ") is back in the pool on " (on(free_at.0)) "." },
                _ => p { "It holds nothing that still runs; no seat changes its place." },
            }
        },
        action: &format!("{here}/revoke"),
        values: &[],
        verb: "Revoke Workstation",
        cancel: &here,
        kind: Button::Danger,
    };
    Ok(viewer.page(Head::narrow("Revoke workstation", HERE), confirm_panel(&panel)).into_response())
}

pub(in crate::pages) async fn confirm(viewer: Viewer, ApiPath(id): ApiPath<WorkstationId>) -> Answer {
    viewer.run(move |portal, caller| workstations::revoke(portal, caller, id)).await?;
    // Its page says from now on until when it can still run.
    go(&address(id))
}
