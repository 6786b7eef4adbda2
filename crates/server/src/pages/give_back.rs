//! ONLINE LICENSING, *Give back some seats* of a server that has them by file: what may go, what that means in numbers, and
//! the receipt.

use super::products::NAME_CHARS_SHOWN;
use super::visit::{Administrator, Changer, Visit};
use super::{download, file_name, words};
use crate::service::Failure;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use leasehold_core::ids::LicenseId;
use leasehold_core::time::Ms;
use leasehold_web::components::{
    Button, Confirm, Field, Tone, button, confirm_panel, empty_state, link_button, page_header, problem_panel, status,
    step_panel, when, wrapped,
};
use leasehold_web::extract::PageForm;
use leasehold_web::maud::{Markup, html};
use leasehold_web::problem::{ApiProblem, Problem};
use leasehold_web::text::shorten;
use leasehold_wire::server::{GiveBackRequest, GiveBackResponse, GivenBack, KeepStatus};
use std::collections::BTreeMap;

/// Where the page is.
const PATH: &str = "/give-back";
/// Before the license in the name of a field.
const KEEP: &str = "keep-";
/// The field of the second step.
const CONFIRM: &str = "confirm";

/// What was entered, by field.
type Entered = BTreeMap<String, String>;

/// `GET /give-back`
pub(super) async fn form(Changer(visit): Changer) -> Result<Response, ApiProblem> {
    draw(&visit, &Entered::new(), None).await
}

/// `POST /give-back`: shows what it would do; with `confirm` it does it.
pub(super) async fn give_back(
    Administrator(visit): Administrator,
    PageForm(entered): PageForm<Entered>,
) -> Result<Response, ApiProblem> {
    let wish = match read(&entered) {
        Ok(wish) => wish,
        Err(failure) => return draw(&visit, &entered, Some(ApiProblem::from(failure).problem())).await,
    };
    if entered.contains_key(CONFIRM) {
        return match visit.server.give_back(&visit.caller, &wish).await {
            Ok(_) => Ok(Redirect::to(PATH).into_response()),
            Err(failure) => draw(&visit, &entered, Some(ApiProblem::from(failure).problem())).await,
        };
    }
    let may = match visit.server.preview_give_back(&visit.caller, &wish).await {
        Ok(may) => may,
        Err(failure) => return draw(&visit, &entered, Some(ApiProblem::from(failure).problem())).await,
    };
    let less = |license: &&KeepStatus| wish.keep.get(&license.license).is_some_and(|keep| *keep < license.seats);
    let fewer: Vec<&KeepStatus> = may.licenses.iter().filter(less).collect();
    Ok(visit.narrow_page("Give back some seats", confirm(&fewer, &wish, may.rev)).into_response())
}

/// `GET /give-back/receipt`: the receipt file.
pub(super) async fn receipt(Administrator(visit): Administrator) -> Result<Response, ApiProblem> {
    let text = visit.server.give_back_receipt(&visit.caller).await?;
    Ok(download(&file_name("give-back-receipt", &leasehold_host::host_name(), "pem"), text))
}

fn read(entered: &Entered) -> Result<GiveBackRequest, Failure> {
    let mut keep = BTreeMap::new();
    for (name, value) in entered {
        let Some(license) = name.strip_prefix(KEEP) else { continue };
        let license: LicenseId = license.parse().map_err(|_| bad("`keep` must name licenses of this server"))?;
        let seats = value.trim().parse().map_err(|_| bad("How many seats are kept must be a whole number"))?;
        keep.insert(license, seats);
    }
    Ok(GiveBackRequest { keep })
}

fn bad(why: &str) -> Failure {
    Failure::BadField(why.to_owned())
}

async fn draw(visit: &Visit, entered: &Entered, refused: Option<&Problem>) -> Result<Response, ApiProblem> {
    let code = refused.and_then(|problem| StatusCode::from_u16(problem.status).ok()).unwrap_or(StatusCode::OK);
    let content = match visit.server.may_give_back(&visit.caller).await {
        Ok(may) => content(&may, entered, refused, visit.now),
        Err(failure @ Failure::NotGivenBack(..)) => html! {
            (page_header("Give back some seats", "Nothing can be given back now.", html! {}))
            (problem_panel(ApiProblem::from(failure).problem()))
        },
        Err(failure) => return Err(failure.into()),
    };
    Ok((code, visit.narrow_page("Give back some seats", content)).into_response())
}

fn content(may: &GiveBackResponse, entered: &Entered, refused: Option<&Problem>, now: Ms) -> Markup {
    let lead = "This server keeps fewer seats from now on, and the others go back to your pool with a receipt. Running applications notice nothing.";
    html! {
        (page_header("Give back some seats", lead, html! {}))
        @if let Some(problem) = refused {
            div #not-given-back.group { (problem_panel(problem)) p { strong { "Nothing was changed." } } }
        }
        @if let Some(given) = &may.given_back { (given_back(given, now)) }
        @if may.licenses.iter().all(|license| license.seats == 0) {
            (empty_state("There is nothing left to give back", "This server keeps no seats of its document.", html! {}))
        } @else {
            form #give-back-form.card method="post" action=(PATH) {
                h2 { @if may.given_back.is_some() { "Give back more" } @else { "How many seats stay here?" } }
                @for license in may.licenses.iter().filter(|license| license.seats > 0) { (field(license, entered, now)) }
                div.actions {
                    (button("Preview", Button::Primary))
                    (link_button("Cancel", "/online", Button::Plain))
                }
            }
            p.hint {
                "To give back everything, and end this server's key, " a href="/disable" { "disable it" } "."
            }
        }
    }
}

fn field(license: &KeepStatus, entered: &Entered, now: Ms) -> Markup {
    let name = format!("{KEEP}{}", license.license);
    let label = format!("Keep of {}", shorten(&license.product_name, NAME_CHARS_SHOWN));
    let value = entered.get(&name).cloned().unwrap_or_else(|| license.seats.to_string());
    let hint = format!("From {} to {}.", license.in_use, license.seats);
    html! {
        div.keep {
            (Field::new(&name, &label).value(&value).required().hint(&hint).number(license.in_use.into(), license.seats.into()))
            (why(license, now))
        }
    }
}

/// What cannot be given back before when, and why.
fn why(license: &KeepStatus, now: Ms) -> Markup {
    html! {
        ul.effects {
            li {
                (words::seats(license.seats.into())) " here until " (when(license.ends_at.0, now)) ", "
                strong { (license.may_give_back) " can go back now" } "."
            }
            @if let Some(until) = license.applications_until.filter(|_| license.applications > 0) {
                li {
                    (words::applications(license.applications.into())) (if license.applications == 1 { " holds" } else { " hold" })
                    " seats of it. A seat can go back when its application ends, or by " (words::minute(until.0))
                    " if its machine is gone. " a href="/holders" { "Who holds them" }
                }
            }
            @if let Some(until) = license.passes_until.filter(|_| license.passes > 0) {
                li {
                    (words::count(license.passes.into(), "pass is borrowed", "passes are borrowed"))
                    ": those seats stay here until they are returned, or until " (when(until.0, now)) ". "
                    a href="/passes" { "Borrowed by machines" }
                }
            }
        }
    }
}

fn confirm(fewer: &[&KeepStatus], wish: &GiveBackRequest, rev: u64) -> Markup {
    let keep = |license: &KeepStatus| wish.keep.get(&license.license).copied().unwrap_or(license.seats);
    let back: u64 = fewer.iter().map(|license| u64::from(license.seats.saturating_sub(keep(license)))).sum();
    let question = format!("Give back {}?", words::seats(back));
    let verb = format!("Give back {}", words::seats(back));
    let values: Vec<(String, String)> =
        fewer.iter().map(|license| (format!("{KEEP}{}", license.license), keep(license).to_string())).collect();
    let mut values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    values.push((CONFIRM, "yes"));
    confirm_panel(&Confirm {
        question: &question,
        effect: html! {
            ul.effects {
                @for license in fewer {
                    li {
                        strong { (wrapped(&shorten(&license.product_name, NAME_CHARS_SHOWN))) ": "
                        (license.seats) " → " (keep(license)) }
                    }
                }
                li { "From this moment this server gives no more than that, also after a restart. Nobody who holds a seat loses it." }
                li { "You get a " strong { "receipt" } ". The portal counts the seats as free when it has it, not before." }
                li {
                    "Afterwards no activation file with number " (rev) " or lower is taken. For more seats again, renew this workstation at the portal."
                }
            }
        },
        action: PATH,
        values: &values,
        verb: &verb,
        cancel: PATH,
        kind: Button::Danger,
    })
}

fn given_back(given: &GivenBack, now: Ms) -> Markup {
    let back = u64::from(given.seats_signed.saturating_sub(given.seats_kept));
    html! {
        section #given-back.card.done-edge {
            h2 { (status(&format!("{} given back", words::seats(back)), Tone::Good)) }
            p {
                "This server keeps " strong { (words::seats(given.seats_kept.into())) } " of the " (given.seats_signed)
                " in document number " (given.rev) ", since " (when(given.at.0, now)) ". The receipt has number " (given.number) "."
            }
        }
        (step_panel(1, "Download the receipt", html! {
            p { "It says what this server keeps, and how its seats were used, without anybody's name. It can be downloaded again until a newer activation file is loaded." }
            (link_button("Download receipt", "/give-back/receipt", Button::Primary))
        }))
        (step_panel(2, "Upload it in the portal", html! {
            p { "Sign in with your account at the portal, open " strong { "WORKSTATIONS" } ", choose this workstation and upload the receipt. The seats are free at once." }
            p { "Nothing needs to be loaded here. The portal then offers a new .crt file with the lower numbers; load it whenever you renew." }
        }))
    }
}
