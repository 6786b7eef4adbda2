//! *Lost?*: what to do with a workstation that is gone, in numbers and dates: from when its seats are free by themselves and
//! why not before, or at once within the vendor's allowance.

use super::{HERE, address};
use crate::Failure;
use crate::pages::fields::{Fields, Mistake};
use crate::pages::look::{Head, Viewer, on, seats};
use crate::pages::{Answer, go};
use crate::service::losses;
use axum::response::IntoResponse;
use leasehold_core::ids::WorkstationId;
use leasehold_core::license::Mode;
use leasehold_core::time::Ms;
use leasehold_web::components::{
    Button, Column, ListQuery, Row, Table, Tone, button, clip, empty_state, link_button, page_header, status, table,
    when,
};
use leasehold_web::extract::ApiPath;
use leasehold_web::maud::{Markup, html};
use leasehold_web::text::number;
use leasehold_wire::portal::{DeclareLost, Loss, LostLicense, WorkstationStatus};

const COLUMNS: &[Column] = &[
    Column::new("product", "Product"),
    Column::new("seats", "Seats out").end(),
    Column::new("until", "Can run until"),
    Column::new("free_at", "Free by itself"),
    Column::new("at_once", "Free at once").end(),
];

fn row(license: &LostLicense, now: Ms) -> Row {
    let left = license.write_offs_allowed.saturating_sub(license.write_offs_used);
    Row::from(vec![
        html! { (clip(&license.product_name)) },
        html! { strong { (number(license.seats.into())) } },
        when(license.until.0, now),
        when(license.free_at.0, now),
        html! {
            div.two-lines {
                (number(license.may_write_off.into()))
                div.muted {
                    @match (license.write_offs_allowed, left) {
                        (0, _) => "not allowed",
                        (allowed, 0) => { "all " (allowed) " of this year used" }
                        (allowed, left) => { (left) " of " (allowed) " a year left" }
                    }
                }
            }
        },
    ])
}

fn page_of(viewer: &Viewer, loss: &Loss, mistake: &Mistake) -> Markup {
    let (now, workstation) = (viewer.now(), &loss.workstation);
    let here = address(workstation.id);
    let title = format!("Is {} lost?", workstation.name);
    let until = loss.licenses.iter().map(|license| license.until.0).max();
    let free_at = loss.licenses.iter().map(|license| license.free_at.0).max();
    let declared = workstation.status == WorkstationStatus::Lost;
    let later = loss.seats.saturating_sub(loss.may_write_off);
    let lead = "For a server whose machine or disk is gone for good. If it still runs, disable it on its own page instead: its receipt frees the seats at once.";
    let content = html! {
        (page_header(&title, lead, html! {}))
        (mistake.panel(&[]))
        (table(&Table {
            id: "loss",
            caption: "What it may still be using",
            columns: COLUMNS,
            rows: loss.licenses.iter().map(|license| row(license, now)).collect(),
            query: &ListQuery::default(),
            next: None,
            empty: empty_state("It holds nothing", "Nothing that it had still runs: no seat is out.", html! {}),
        }))
        section.card.danger-edge {
            h2 { "Declare it lost" }
            ul.effects {
                li { "It gets nothing any more, and its key cannot be used again. If the server turns up, it has to be activated anew. This cannot be undone." }
                @if let (Some(until), Some(free_at)) = (until, free_at) {
                    li {
                        "Its seats are free by themselves on " strong { (on(free_at)) } " at the latest. Not before: what it has is signed until "
                        (on(until)) ", whoever has the machine may use it until then, and its clock may be behind."
                    }
                    @if workstation.mode == Mode::Online {
                        li { "If it reaches this portal again, it is told, and its seats are withdrawn within minutes." }
                    } @else {
                        li { "If the server turns up, disable it on its own page and upload its receipt: the seats are free then." }
                    }
                } @else {
                    li { "No seat is out, so none has to come back." }
                }
            }
            form #declare-lost method="post" action={ (here) "/lost" } {
                div.actions {
                    @if declared { (status("Declared lost", Tone::Bad)) }
                    @else { button.danger type="submit" name="free" value="later" { "Declare lost" } }
                    (link_button("Cancel", &here, Button::Plain))
                }
            }
        }
        @if loss.seats > 0 {
            section.card {
                h2 { "Or have its seats back at once" }
                ul.effects {
                    @if loss.may_write_off > 0 {
                        li {
                            strong { (seats(loss.may_write_off)) } @if loss.may_write_off == 1 { " counts" } @else { " count" } " as free from now on"
                            @if later > 0 { "; the other " (number(later.into())) " when they are free by themselves" }
                            "."
                        }
                        @if let Some(free_at) = free_at {
                            li { "If the server still runs somewhere, these seats may be in use twice until " (on(free_at)) "." }
                        }
                        li { "It counts against what the vendor allows in a year, is noted in the audit log, and cannot be taken back." }
                    } @else {
                        li { "That is not possible now: the table says what the vendor allows. Ask the vendor for a higher allowance, or wait." }
                    }
                    li { "Laptops that online license servers wrote off are counted with it; those of servers by file are counted there." }
                }
                @if loss.may_write_off > 0 {
                    form #write-off method="post" action={ (here) "/lost" } {
                        input type="hidden" name="free" value="now";
                        div.actions { (button(&format!("Declare lost and free {} now", seats(loss.may_write_off)), Button::Danger)) }
                    }
                }
            }
        }
    };
    viewer.page(Head::wide(&title, HERE), content)
}

async fn load(viewer: &Viewer, id: WorkstationId) -> Result<Loss, Failure> {
    viewer.run(move |portal, caller| losses::loss(portal, caller, id)).await
}

pub(in crate::pages) async fn form(viewer: Viewer, ApiPath(id): ApiPath<WorkstationId>) -> Answer {
    let loss = load(&viewer, id).await?;
    // Nothing is left to ask.
    if loss.workstation.status == WorkstationStatus::Released {
        return go(&address(id));
    }
    Ok(page_of(&viewer, &loss, &Mistake::none()).into_response())
}

pub(in crate::pages) async fn confirm(viewer: Viewer, ApiPath(id): ApiPath<WorkstationId>, fields: Fields) -> Answer {
    let wish = DeclareLost { write_off: fields.get("free") == "now" };
    match viewer.run(move |portal, caller| losses::declare_lost(portal, caller, id, wish)).await {
        // Its page says from now on how it stands.
        Ok(_) => go(&address(id)),
        Err(failure) => {
            let mistake = Mistake::from(failure);
            let loss = load(&viewer, id).await?;
            Ok(mistake.answer(page_of(&viewer, &loss, &mistake)).into_response())
        }
    }
}
