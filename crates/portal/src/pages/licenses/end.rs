//! *End License*: asks first, with what it does in numbers and dates.

use super::{HERE, address};
use crate::pages::look::{Head, Viewer, counted, on, seats};
use crate::pages::{Answer, go};
use crate::service::licenses;
use axum::response::IntoResponse;
use leasehold_core::access::PortalAction;
use leasehold_core::ids::LicenseId;
use leasehold_web::components::{Button, Confirm, confirm_panel};
use leasehold_web::extract::ApiPath;
use leasehold_web::maud::html;

/// Asks before a license is ended.
pub(in crate::pages) async fn form(viewer: Viewer, ApiPath(id): ApiPath<LicenseId>) -> Answer {
    viewer.check(PortalAction::ManageLicenses)?;
    let license = viewer.run(move |portal, caller| licenses::get(portal, caller, id)).await?;
    let here = address(id);
    let back = license.holders.iter().map(|holder| holder.free_at.0).max();
    let question = format!("End the license of {} for {}?", license.product.name, license.owner.name);
    let panel = Confirm {
        question: &question,
        effect: html! {
            p { "Nothing new is given of its " strong { (seats(license.seats)) } ". This cannot be undone; a new license can be sold." }
            @match back {
                Some(back) => {
                    p {
                        strong { (seats(license.seats_out)) } " are out at " (counted(license.holders.len() as u64, "workstation"))
                        ". Online servers give them back as soon as they hear of it, and applications that use them are told to save and stop."
                    }
                    p {
                        "What was given by file, and what is at a server that cannot be reached, can still be used; the last seat is back on "
                        (on(back)) " at the latest."
                    }
                },
                None => p { "No seat is out at a workstation." },
            }
        },
        action: &format!("{here}/end"),
        values: &[],
        verb: "End License",
        cancel: &here,
        kind: Button::Danger,
    };
    Ok(viewer.page(Head::narrow("End license", HERE), confirm_panel(&panel)).into_response())
}

/// Ends a license.
pub(in crate::pages) async fn confirm(viewer: Viewer, ApiPath(id): ApiPath<LicenseId>) -> Answer {
    let license = viewer.run(move |portal, caller| licenses::end(portal, caller, id)).await?;
    go(&format!("{}?done=ended", address(license.id)))
}
