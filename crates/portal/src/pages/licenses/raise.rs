//! *Give out now*, while a restored portal learns what is out: asks first, because seats may be out twice.

use super::{HERE, address};
use crate::pages::look::{Head, Viewer, on, seats};
use crate::pages::{Answer, go};
use crate::service::licenses;
use axum::response::IntoResponse;
use leasehold_core::access::PortalAction;
use leasehold_core::ids::LicenseId;
use leasehold_core::time::Ms;
use leasehold_web::components::{Button, Confirm, Tone, confirm_panel};
use leasehold_web::extract::ApiPath;
use leasehold_web::maud::html;
use leasehold_web::page::Notice;
use leasehold_wire::portal::License;

/// What everybody should know of a license of which nobody gets more for some time; `None` for any other.
pub(super) fn notice(license: &License, operator: bool) -> Option<Notice> {
    let until = license.learning_until?.0;
    let text = html! {
        strong { "This portal was restored from a backup" }
        " and does not know of every seat that is out. License servers keep what they have; until " (on(until))
        " none gets more of this license. "
        @if operator { a href={ (address(license.id)) "/raise" } { "Give out now…" } }
    };
    Some(Notice::new(Tone::Warning, text))
}

/// The same of the whole portal.
pub(in crate::pages) fn learns(until: Ms) -> Notice {
    let text = html! {
        strong { "This portal was restored from a backup" }
        " and does not know of every seat that is out. License servers keep what they have; until " (on(until))
        " none gets more. Whoever knows better can have a license given out before, on its page."
    };
    Notice::new(Tone::Warning, text)
}

/// Asks before anything is given out.
pub(in crate::pages) async fn form(viewer: Viewer, ApiPath(id): ApiPath<LicenseId>) -> Answer {
    viewer.check(PortalAction::ManageLicenses)?;
    let license = viewer.run(move |portal, caller| licenses::get(portal, caller, id)).await?;
    let here = address(id);
    let Some(until) = license.learning_until else { return go(&here) };
    let question = format!("Give out {} for {} now?", license.product.name, license.owner.name);
    let panel = Confirm {
        question: &question,
        effect: html! {
            p {
                "The portal knows of " strong { (seats(license.seats_out)) } " of " (seats(license.seats))
                " that are out. License servers that were enabled, or got more, after the backup was made and have not synced since may have others."
            }
            p {
                "Do this only if you know that there are none: seats that somebody has all the same are then out twice until "
                (on(until.0)) " at the latest. It is written into the audit log, and cannot be undone."
            }
        },
        action: &format!("{here}/raise"),
        values: &[],
        verb: "Give Out Now",
        cancel: &here,
        kind: Button::Danger,
    };
    Ok(viewer.page(Head::narrow("Give out now", HERE), confirm_panel(&panel)).into_response())
}

/// Gives out.
pub(in crate::pages) async fn confirm(viewer: Viewer, ApiPath(id): ApiPath<LicenseId>) -> Answer {
    let license = viewer.run(move |portal, caller| licenses::raise(portal, caller, id)).await?;
    go(&format!("{}?done=raised", address(license.id)))
}
