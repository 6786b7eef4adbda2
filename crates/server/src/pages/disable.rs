//! ONLINE LICENSING, *Disable*: what it would do in numbers, how far it is, and the receipt that gives the seats back.

use super::products::{Product, products};
use super::stream::{Fragments, Live, stream};
use super::visit::{Administrator, Visit};
use super::{Pages, download, file_name, words};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{Redirect, Response};
use leasehold_core::time::Ms;
use leasehold_core::times::TimeTable;
use leasehold_web::components::{
    Button, Confirm, Tile, Tone, confirm_panel, empty_state, link_button, page_header, relative, step_panel, tiles,
    when, wrapped,
};
use leasehold_web::listener::Connection;
use leasehold_web::maud::{Markup, html};
use leasehold_web::page::{Frame, Width, page};
use leasehold_web::problem::ApiProblem;
use leasehold_web::text::number;
use leasehold_wire::server::{ActivationStatus, ServerState, StatusResponse};

/// `GET /disable`
pub(super) async fn question(Administrator(visit): Administrator) -> Result<Markup, ApiProblem> {
    let seen = visit.server.status(&visit.caller).await?;
    let live = (seen.state == ServerState::Draining).then_some("/disable/live");
    let frame = Frame { width: Width::Narrow, live, ..visit.frame("Disable this server", &[]) };
    Ok(page(&frame, content(&seen)))
}

/// `POST /disable`
pub(super) async fn disable(Administrator(visit): Administrator) -> Result<Redirect, ApiProblem> {
    visit.server.disable(&visit.caller).await?;
    Ok(Redirect::to("/disable"))
}

/// `GET /disable/receipt`: the newest receipt file.
pub(super) async fn receipt_file(Administrator(visit): Administrator) -> Result<Response, ApiProblem> {
    let text = visit.server.receipt_file(&visit.caller).await?;
    Ok(download(&file_name("receipt", &leasehold_host::host_name(), "pem"), text))
}

/// `GET /disable/live`: the event stream of the page while the server drains.
pub(super) async fn live(
    State(pages): State<Pages>,
    Administrator(visit): Administrator,
    connection: Connection,
    headers: HeaderMap,
) -> Response {
    stream(&pages, DisableStream { visit, connection, headers })
}

struct DisableStream {
    visit: Visit,
    connection: Connection,
    headers: HeaderMap,
}

impl Live for DisableStream {
    async fn draw(&mut self) -> Option<Fragments> {
        self.visit.again(&self.connection, &self.headers).await.ok()?;
        if !self.visit.caller.is_administrator() {
            return None;
        }
        let seen = self.visit.server.status(&self.visit.caller).await.ok()?;
        Some(vec![("disable", content(&seen))])
    }
}

/// The whole of the page; live while the server drains.
fn content(seen: &StatusResponse) -> Markup {
    html! {
        div #disable.group {
            @match (&seen.state, &seen.activation) {
                (ServerState::Active, Some(activation)) => (ask(activation, seen)),
                (ServerState::Draining, _) => (draining(seen)),
                (ServerState::Disabled, _) => (disabled()),
                _ => (nothing_to_disable()),
            }
        }
    }
}

fn ask(activation: &ActivationStatus, seen: &StatusResponse) -> Markup {
    let (all, now) = (products(seen), seen.server_time.0);
    let held: u64 = all.iter().map(Product::seats).sum();
    let in_use: u64 = all.iter().map(Product::in_use).sum();
    let question = format!("Disable {}?", activation.workstation_name);
    let verb = format!("Disable and give back {}", words::seats(held));
    let panel = Confirm {
        question: &question,
        effect: html! {
            ul.effects {
                li { strong { "No new seats from this moment." } " This server holds " (words::seats(held)) "." }
                li { (in_use_now(in_use, seen, now)) }
                li {
                    "When the last of them is back, the server's key is destroyed and you get a " strong { "receipt" }
                    ". With it the portal counts the seats as free at once; without it, they stay out of your pool until a day after they end ("
                    (when(activation.ends_at.0, now)) ")."
                }
                li { "To use this server again, activate it anew: it then has a new key. This step cannot be taken back." }
            }
        },
        action: "/disable",
        values: &[],
        verb: &verb,
        cancel: "/",
        kind: Button::Danger,
    };
    confirm_panel(&panel)
}

fn in_use_now(in_use: u64, seen: &StatusResponse, now: Ms) -> Markup {
    let times = TimeTable::DEFAULT;
    let longest = now.plus(times.lease.lessee_stops_after_ms() + times.lease_allowance_ms);
    let end = seen.leases_end_at.map_or(longest, |end| end.0);
    if seen.leases_out == 0 {
        return html! { strong { "Nobody holds a seat" } " right now, so it takes a moment only." };
    }
    html! {
        strong { (words::applications(seen.leases_out)) " " (if seen.leases_out == 1 { "holds " } else { "hold " }) (words::seats(in_use)) }
        " right now. None of them is renewed: they tell their users to save, and stop by " (when(end, now)) " at the latest."
    }
}

fn draining(seen: &StatusResponse) -> Markup {
    let now = seen.server_time.0;
    let name = seen.activation.as_ref().map(|activation| activation.workstation_name.as_str());
    html! {
        (page_header("This server is being disabled", "It gives no new seats and renews none. This page follows by itself; without script, reload it.", html! {}))
        (tiles(&[
            Tile { label: "Applications left", value: number(seen.leases_out), detail: "still hold a seat".to_owned(), tone: Tone::Warning },
            Tile {
                label: "Done by",
                value: seen.leases_end_at.map_or_else(|| "now".to_owned(), |end| relative(end.0, now)),
                detail: seen.leases_end_at.map(|end| words::minute(end.0)).unwrap_or_default(),
                tone: Tone::Neutral,
            },
        ]))
        div.card {
            p {
                "When the last application has given its seat back or has run out, the key"
                @if let Some(name) = name { " of " strong { (wrapped(name)) } }
                " is destroyed and the receipt can be downloaded here."
            }
            p { a href="/holders" { "See who still holds a seat" } }
        }
    }
}

fn disabled() -> Markup {
    html! {
        (page_header("This server is disabled", "Its key is destroyed. The receipt gives its seats back to your pool.", html! {}))
        (step_panel(1, "Download the receipt", html! {
            p { "It says that this server has given up its seats. There is nothing secret in it, and it can be downloaded again." }
            (link_button("Download receipt", "/disable/receipt", Button::Primary))
        }))
        (step_panel(2, "Upload it in the portal", html! {
            p { "Sign in with your account at the portal, open " strong { "WORKSTATIONS" } ", choose this workstation and upload the receipt. Its seats are free at once." }
        }))
        p { "To use this server again, " a href="/activate" { "activate it anew" } "." }
    }
}

fn nothing_to_disable() -> Markup {
    empty_state(
        "There is nothing to disable",
        "This server is not activated and holds no seats.",
        link_button("Activate offline", "/activate", Button::Primary),
    )
}
