//! *Take back*: asks first, with whose seats these are, what uses them, and when they are free.

use super::{HERE, address};
use crate::pages::look::{Head, Viewer, named, on, seats};
use crate::pages::{Answer, go};
use crate::service::{assignments, licenses};
use axum::response::IntoResponse;
use leasehold_core::ids::{AccountId, LicenseId};
use leasehold_core::license::Mode;
use leasehold_core::time::MINUTE_MS;
use leasehold_web::components::{Button, Confirm, confirm_panel};
use leasehold_web::extract::ApiPath;
use leasehold_web::maud::{Markup, html};
use leasehold_web::text::number;
use leasehold_wire::portal::{Assignment, Holder, License};

/// What happens to seats that are out at the person's servers.
fn at_their_servers(given: &Assignment, theirs: &[&Holder], stop_minutes: i64) -> Markup {
    let used: u32 = theirs.iter().filter_map(|holder| holder.used).fold(0, u32::saturating_add);
    let last = theirs.iter().map(|holder| holder.free_at.0).max();
    let by_file = theirs.iter().any(|holder| holder.mode == Mode::File);
    html! {
        @match last {
            None => p { "None of them is out at a license server: they are free at once." },
            Some(last) => {
                p {
                    strong { (seats(given.seats_out)) } @if given.seats_out == 1 { " is" } @else { " are" }
                    " out at " @if theirs.len() == 1 { "1 license server" } @else { (theirs.len()) " license servers" }
                    @if used > 0 { ", and " strong { (number(used.into())) } @if used == 1 { " is" } @else { " are" } " in use" }
                    ". Applications that use them are told to save and stop, which takes up to " (stop_minutes) " minutes. The seats are free when their servers confirm it."
                }
                p {
                    @if by_file { "What was given by file, and what" } @else { "What" }
                    " is at a server that is offline stays there until " (on(last)) " at the latest."
                }
            }
        }
    }
}

fn question(viewer: &Viewer, license: &License, given: &Assignment) -> Markup {
    let here = address(license.id);
    let theirs = license
        .holders
        .iter()
        .filter(|holder| holder.person.as_ref().is_some_and(|person| person.id == given.account.id));
    let theirs: Vec<&Holder> = theirs.collect();
    let stop_minutes = viewer.front().portal().times().lease.lessee_stops_after_ms() / MINUTE_MS;
    let title = format!("Take {} back from {}?", seats(given.seats), given.account.name);
    let panel = Confirm {
        question: &title,
        effect: html! {
            p {
                (named("", &given.account.name, " ")) "(" (given.account.email) ") no longer has "
                strong { (seats(given.seats)) } (named(" of ", &license.product.name, ". "))
                "Whoever waits for seats gets them next; otherwise they float."
            }
            (at_their_servers(given, &theirs, stop_minutes))
        },
        action: &format!("{here}/take-back/{}", given.account.id),
        values: &[],
        verb: "Take Back",
        cancel: &here,
        kind: Button::Danger,
    };
    viewer.page(Head::narrow("Take seats back", HERE), confirm_panel(&panel))
}

pub(in crate::pages) async fn form(viewer: Viewer, ApiPath((id, account)): ApiPath<(LicenseId, AccountId)>) -> Answer {
    let license = viewer.run(move |portal, caller| licenses::get(portal, caller, id)).await?;
    match license.assignments.iter().find(|given| given.account.id == account) {
        Some(given) => Ok(question(&viewer, &license, given).into_response()),
        // Nothing is left to ask.
        None => go(&address(id)),
    }
}

pub(in crate::pages) async fn confirm(
    viewer: Viewer,
    ApiPath((id, account)): ApiPath<(LicenseId, AccountId)>,
) -> Answer {
    viewer.run(move |portal, caller| assignments::revoke(portal, caller, id, account)).await?;
    go(&format!("{}?done=taken", address(id)))
}
