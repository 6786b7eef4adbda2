//! *Recall seats* of an online workstation: of which license, and how many.

use super::{HERE, address, is_online, is_silent};
use crate::Failure;
use crate::pages::fields::{Fields, Mistake};
use crate::pages::look::{Head, Viewer, named, on};
use crate::pages::{Answer, go};
use crate::service::{sync, workstations};
use axum::response::{IntoResponse, Response};
use leasehold_core::ids::{LicenseId, WorkstationId};
use leasehold_core::time::MINUTE_MS;
use leasehold_web::components::{Button, Field, button, card, link_button, page_header};
use leasehold_web::extract::ApiPath;
use leasehold_web::maud::{Markup, html};
use leasehold_web::problem::ApiProblem;
use leasehold_wire::portal::{HeldLine, Workstation};

const FIELDS: &[&str] = &["license", "seats"];

/// What the server holds of a license, in words.
fn option(line: &HeldLine) -> String {
    let used = line.used.unwrap_or(0);
    format!("{} · holds {}, {used} in use", line.product_name, line.seats)
}

fn page_of(
    viewer: &Viewer,
    (workstation, lines): (&Workstation, &[HeldLine]),
    fields: &Fields,
    mistake: &Mistake,
) -> Markup {
    let here = address(workstation.id);
    let options: Vec<(String, String)> = lines.iter().map(|line| (line.license.to_string(), option(line))).collect();
    let options: Vec<(&str, &str)> = options.iter().map(|(id, label)| (id.as_str(), label.as_str())).collect();
    let most = lines.iter().map(|line| line.seats).max().unwrap_or(1);
    let minutes = sync::RECALL_MS / MINUTE_MS;
    let content = card(
        "",
        html! {
            (page_header("Recall seats", "", html! {}))
            (mistake.panel(FIELDS))
            p {
                (named("", &workstation.name, " gives back "))
                "idle seats within seconds, and those in use as soon as they are freed. Nobody's work is interrupted, and the seats go to nobody \
                 who does not ask for them meanwhile. What it keeps for use without the portal is not asked back: release that under Use offline. What has not come after " (minutes) " minutes is no longer asked for."
            }
            @if let Some(at) = workstation.synced_at.filter(|_| is_silent(workstation, viewer.now())) {
                p { "It was last heard of on " (on(at.0)) ": it hears of this only if it syncs within " (minutes) " minutes." }
            }
            form #recall method="post" action={ (here) "/recall" } {
                (Field::new("license", "Seats of").required().value(fields.get("license"))
                    .error(mistake.at("license", "The license").as_deref()).select(&options))
                (Field::new("seats", "Seats").required().value(fields.sent("seats").unwrap_or("1"))
                    .error(mistake.at("seats", "The number of seats").as_deref()).number(1, most.into()))
                div.actions { (button("Recall", Button::Primary)) (link_button("Cancel", &here, Button::Plain)) }
            }
        },
    );
    viewer.page(Head::narrow("Recall seats", HERE), content)
}

async fn shown(viewer: &Viewer, id: WorkstationId, fields: &Fields, mistake: &Mistake) -> Result<Response, ApiProblem> {
    let (workstation, lines) = viewer.run(move |portal, caller| workstations::recallable(portal, caller, id)).await?;
    if !is_online(&workstation) {
        return Err(Failure::NotOnline { name: workstation.name }.into());
    }
    // Nothing is left to ask.
    if lines.is_empty() {
        return go(&address(id));
    }
    Ok(mistake.answer(page_of(viewer, (&workstation, &lines), fields, mistake)).into_response())
}

pub(in crate::pages) async fn form(viewer: Viewer, ApiPath(id): ApiPath<WorkstationId>) -> Answer {
    shown(&viewer, id, &Fields::default(), &Mistake::none()).await
}

fn wish(fields: &Fields) -> Result<(LicenseId, u32), Failure> {
    let license = fields.parse("license", "must be chosen")?;
    Ok((license, fields.parse("seats", "must be a whole number, at least 1")?))
}

pub(in crate::pages) async fn confirm(viewer: Viewer, ApiPath(id): ApiPath<WorkstationId>, fields: Fields) -> Answer {
    let recalled = match wish(&fields) {
        Ok((license, seats)) => {
            let recall = move |portal: &_, caller: &_| sync::recall(portal, caller, id, license, seats);
            viewer.run(recall).await
        }
        Err(failure) => Err(failure),
    };
    match recalled {
        Ok(seats) => go(&format!("{}?recalled={seats}", address(id))),
        Err(failure @ Failure::Invalid { .. }) => shown(&viewer, id, &fields, &Mistake::from(failure)).await,
        Err(failure) => Err(failure.into()),
    }
}
