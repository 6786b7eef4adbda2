//! *Renew* without a new request file: another document for the same key, for longer or with other seats.

use super::choice::{self, Choice};
use super::{HERE, address, is_online};
use crate::Failure;
use crate::pages::fields::{FORM_KEY, Fields, Mistake, form_key};
use crate::pages::look::{Head, Viewer};
use crate::pages::{Answer, go};
use crate::service::{IdempotencyKey, activation, workstations};
use axum::response::IntoResponse;
use leasehold_core::ids::WorkstationId;
use leasehold_web::components::{Button, card, link_button, page_header};
use leasehold_web::extract::ApiPath;
use leasehold_web::maud::{Markup, html};
use leasehold_web::text::visible;
use leasehold_wire::portal::{Offer, Workstation};

/// Where a new request file of the workstation is uploaded.
fn with_file(viewer: &Viewer, workstation: &Workstation) -> String {
    let address = format!("{}?workstation={}", super::ACTIVATE, workstation.id);
    if viewer.is_operator() { format!("{address}&account={}", workstation.owner.id) } else { address }
}

/// What a file means for a workstation that is kept up to date online, before anybody carries one to it.
fn switch_page(viewer: &Viewer, workstation: &Workstation) -> Markup {
    let content = html! {
        section.card {
            h1 { (visible(&format!("Switch {} to files?", workstation.name))) }
            div.effect {
                p { "This server is kept up to date online: seats come and go by themselves, and nothing needs to be renewed." }
                p {
                    "With a .crt file that ends. It then holds the seats of the file until the file ends, whether they are used or not; none of \
                     them can be recalled, and a new file has to be carried to it before the old one ends."
                }
                p {
                    "It takes a request file of the server, so that this cannot happen by accident: on its own page, ONLINE LICENSING, \
                     Activate offline, step 1. To come back later, enable online licensing there again."
                }
            }
            div.actions {
                (link_button("Upload its request file", &with_file(viewer, workstation), Button::Plain))
                (link_button("Stay online", &address(workstation.id), Button::Primary))
            }
        }
    };
    viewer.page(Head::narrow("Switch to files", HERE), content)
}

fn page_of(viewer: &Viewer, workstation: &Workstation, choice: &Choice, mistake: &Mistake) -> Markup {
    let (now, here) = (viewer.now(), address(workstation.id));
    let title = format!("Renew {}", workstation.name);
    let with_file = with_file(viewer, workstation);
    let content = html! {
        (page_header(&title, "Issues a new .crt file for the same server. Nothing has happened yet.", html! {
            (link_button("Renew with a new request file", &with_file, Button::Plain))
        }))
        (mistake.panel(&[]))
        form #renew method="post" action={ (here) "/renew" } {
            (form_key(viewer))
            (choice.table(now))
            (card("", html! {
                (choice.sentence(true))
                @if !choice.is_empty() {
                    p.hint {
                        "A new request file from the server also tells which file it uses now, so that seats that it gave up come back sooner."
                    }
                }
                div.actions {
                    @if !choice.is_empty() {
                        // First, so that the Enter key in a field never confirms.
                        button.plain type="submit" name="do" value="review" { "Update Preview" }
                        button.primary type="submit" name="do" value="confirm" { "Renew" }
                    }
                    (link_button("Cancel", &here, Button::Plain))
                }
            }))
        }
    };
    viewer.page(Head::wide(&title, HERE), content)
}

async fn load(viewer: &Viewer, id: WorkstationId) -> Result<(Workstation, Vec<Offer>), Failure> {
    let load = move |portal: &_, caller: &_| {
        Ok((workstations::get(portal, caller, id)?, activation::offers(portal, caller, id)?))
    };
    viewer.run(load).await
}

pub(in crate::pages) async fn form(viewer: Viewer, ApiPath(id): ApiPath<WorkstationId>) -> Answer {
    let (workstation, offers) = load(&viewer, id).await?;
    if is_online(&workstation) {
        return Ok(switch_page(&viewer, &workstation).into_response());
    }
    Ok(page_of(&viewer, &workstation, &Choice::preset(offers), &Mistake::none()).into_response())
}

async fn renew(viewer: &Viewer, fields: &Fields, id: WorkstationId) -> Result<String, Failure> {
    let (lines, key) = (choice::lines(fields)?, IdempotencyKey::new(fields.get(FORM_KEY))?);
    let renew = move |portal: &_, caller: &_| activation::renew(portal, caller, Some(&key), id, Some(&lines));
    let renewed = viewer.run(renew).await?;
    Ok(format!("{}?issued={}", address(id), renewed.rev))
}

pub(in crate::pages) async fn confirm(viewer: Viewer, ApiPath(id): ApiPath<WorkstationId>, fields: Fields) -> Answer {
    let failure = match fields.get("do") {
        "confirm" => match renew(&viewer, &fields, id).await {
            Ok(to) => return go(&to),
            Err(failure) => Some(failure),
        },
        _ => choice::lines(&fields).err(),
    };
    let mistake = failure.map_or_else(Mistake::none, Mistake::from);
    let (workstation, offers) = load(&viewer, id).await?;
    Ok(mistake.answer(page_of(&viewer, &workstation, &Choice::sent(offers, &fields), &mistake)))
}
