//! Uploading the receipt of a license server that was disabled, or gave back some seats.

use super::{HERE, address};
use crate::pages::fields::Mistake;
use crate::pages::look::{Head, Viewer};
use crate::pages::{Answer, go};
use crate::service::receipts;
use axum::response::IntoResponse;
use leasehold_web::components::{Button, Field, button, card, link_button, page_header};
use leasehold_web::extract::Upload;
use leasehold_web::maud::{Markup, html};
use leasehold_web::problem::ApiProblem;

const ACTION: &str = "/workstations/receipt";

fn page(viewer: &Viewer, mistake: &Mistake) -> Markup {
    let lead =
        "Of a license server that gave back some seats, or was disabled. What it gave up is back in the pool at once.";
    let content = html! {
        (page_header("Upload Receipt", lead, html! {}))
        (mistake.panel(&[]))
        (card("", html! {
            form #receipt method="post" action=(ACTION) enctype="multipart/form-data" {
                (Field::new("receipt", "Receipt")
                    .hint("The file that the license server's page offers after Disable, or after Give back some seats. It names the workstation itself. At most 256 KiB.")
                    .required().file(""))
                div.actions { (button("Upload", Button::Primary)) (link_button("Cancel", HERE, Button::Plain)) }
            }
        }))
    };
    viewer.page(Head::narrow("Upload Receipt", HERE), content)
}

pub(in crate::pages) async fn form(viewer: Viewer) -> Markup {
    page(&viewer, &Mistake::none())
}

pub(in crate::pages) async fn upload(viewer: Viewer, upload: Result<Upload, ApiProblem>) -> Answer {
    let taken = match upload {
        Ok(upload) => {
            let take = move |portal: &_, caller: &_| receipts::take_receipt(portal, caller, &upload.bytes);
            viewer.run(take).await.map_err(Mistake::from)
        }
        Err(problem) => Err(Mistake::from(problem)),
    };
    match taken {
        Ok(released) if released.goes_on => {
            go(&format!("{}?gave_back={}", address(released.workstation.id), released.seats))
        }
        Ok(released) => go(&address(released.workstation.id)),
        Err(mistake) => Ok(mistake.answer(page(&viewer, &mistake)).into_response()),
    }
}
