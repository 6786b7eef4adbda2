//! ONLINE LICENSING, *Disable*: what it would do in numbers, how far it is, and the receipt that gives the seats back.

use super::products::{Product, products};
use super::stream::{Fragments, Live, stream};
use super::visit::{Administrator, Visit};
use super::{Pages, download, file_name, flash, words};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
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
use leasehold_wire::server::{
    ActivationStatus, HeldStatus, OnlineState, OnlineStatus, ReceiptState, ServerState, StatusResponse,
};

/// `GET /disable`
pub(super) async fn question(Administrator(visit): Administrator) -> Result<Response, ApiProblem> {
    let seen = visit.server.status(&visit.caller).await?;
    if seen.state == ServerState::Active && !visit.caller.may_change() {
        return Ok(visit.looks_only());
    }
    let changes = seen.state == ServerState::Draining || receipt_waits(&seen);
    let live = changes.then_some("/disable/live");
    let frame = Frame { width: Width::Narrow, live, ..visit.frame("Disable this server", &[]) };
    Ok(page(&frame, content(&seen)).into_response())
}

/// `POST /disable`
pub(super) async fn disable(Administrator(visit): Administrator) -> Result<Redirect, ApiProblem> {
    let before = visit.server.status(&visit.caller).await?;
    let disabled = visit.server.disable(&visit.caller).await?;
    // A copy's receipt is nothing to see: it never reaches the portal.
    let copy_ended = is_copy(&before) && disabled.receipt_ready;
    Ok(Redirect::to(&if copy_ended { flash::address("/online", flash::COPY_ENDED) } else { "/disable".to_owned() }))
}

fn is_copy(seen: &StatusResponse) -> bool {
    seen.online.as_ref().is_some_and(|online| online.state == OnlineState::Copy)
}

/// Whether the server has yet to bring its receipt to the portal.
fn receipt_waits(seen: &StatusResponse) -> bool {
    seen.receipt.as_ref().is_some_and(|receipt| receipt.state == ReceiptState::Waiting)
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
        if !self.visit.caller.is_signed_in() {
            return None;
        }
        let seen = self.visit.server.status(&self.visit.caller).await.ok()?;
        Some(vec![("disable", content(&seen))])
    }
}

/// The whole of the page; live while the server drains or has a receipt to bring.
fn content(seen: &StatusResponse) -> Markup {
    html! {
        div #disable.group {
            @match (&seen.state, &seen.activation) {
                (ServerState::Active, Some(activation)) if is_copy(seen) => (ask_copy(activation, seen)),
                (ServerState::Active, Some(activation)) => (ask(activation, seen)),
                (ServerState::Draining, _) => (draining(seen)),
                (ServerState::Disabled, _) => (disabled(seen)),
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
    let verb = match held {
        0 => "Disable".to_owned(),
        held => format!("Disable and give back {}", words::seats(held)),
    };
    let panel = Confirm {
        question: &question,
        effect: html! {
            ul.effects {
                li { strong { "No new seats from this moment." } " This server holds " (words::seats(held)) "." }
                @if let Some(online) = &seen.online { (free_ones(held.saturating_sub(in_use), online)) }
                li { (in_use_now(in_use, seen, now)) }
                @match &seen.online {
                    Some(online) => (finishes_by_itself(online, now)),
                    None => {
                        li {
                            "When the last of them is back, the server's key is destroyed and you get a " strong { "receipt" }
                            ". With it the portal counts the seats as free at once; without it, they stay out of your pool until a day after they end ("
                            (when(activation.ends_at.0, now)) ")."
                        }
                    }
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

/// Seats of an online server that nobody uses.
fn free_ones(free: u64, online: &OnlineStatus) -> Markup {
    let reached = online.state != OnlineState::Unreachable;
    html! {
        @if free > 0 {
            li {
                strong { (words::count(free, "seat is free", "seats are free")) }
                (if free == 1 { " and goes back " } else { " and go back " })
                (if reached { "at once." } else { "as soon as the portal is reached again." })
            }
        }
    }
}

fn finishes_by_itself(online: &OnlineStatus, now: Ms) -> Markup {
    html! {
        li {
            strong { "It finishes by itself. " }
            "When the last seat is back, the key is destroyed and the server brings its receipt to the portal, where all its seats are free then. "
            "If the portal is out of reach, it finishes all the same and brings the receipt as soon as it reaches it"
            @if let Some(end) = online.ends_at { "; without it the seats are back minutes after they end (" (when(end.0, now)) ")" }
            "."
        }
    }
}

/// The question where another server has the key, too.
fn ask_copy(activation: &ActivationStatus, seen: &StatusResponse) -> Markup {
    let now = seen.server_time.0;
    let in_use: u64 = products(seen).iter().map(Product::in_use).sum();
    let question = format!("End this copy of {}?", activation.workstation_name);
    let panel = Confirm {
        question: &question,
        effect: html! {
            ul.effects {
                li {
                    strong { "It ends this copy's key only, and frees nothing at the portal. " }
                    "The seats belong to the other server with this key"
                    @if let Some(host) = copy_on(seen) { ", on " strong { (wrapped(host)) } }
                    ". If that is gone for good, revoke its workstation at the portal."
                }
                li { (in_use_now(in_use, seen, now)) }
                li { "Afterwards this server can be enabled again: it then gets a key of its own and is a workstation of its own." }
            }
        },
        action: "/disable",
        values: &[],
        verb: "End this copy",
        cancel: "/online",
        kind: Button::Danger,
    };
    confirm_panel(&panel)
}

/// The machine of the other server with this key.
fn copy_on(seen: &StatusResponse) -> Option<&str> {
    seen.online.as_ref()?.copy_on.as_deref().filter(|host| !host.is_empty())
}

fn in_use_now(in_use: u64, seen: &StatusResponse, now: Ms) -> Markup {
    let times = TimeTable::DEFAULT;
    let longest = now.plus(times.lease.lessee_stops_after_ms() + times.lease_allowance_ms);
    let end = seen.leases_end_at.map_or(longest, |end| end.0);
    if let Some((restored, until)) = seen.restored.and_then(|restored| Some((restored, restored.held_until?))) {
        return html! {
            strong { "This server was restored from a backup" }
            ": from " (when(restored.new_leases_from.0, now)) " it holds what laptops may have borrowed after that, until "
            (when(until.0, now)) " at the latest. The key cannot be destroyed before, unless all of it is freed then by an administrator who knows that "
            "no laptop has it: " a href="/passes" { "Borrowed by machines" } "."
            @if seen.passes_borrowed() > 0 {
                " The backup has " (words::count(seen.passes_borrowed(), "pass", "passes")) ", out as well."
            }
        };
    }
    if seen.passes_out > 0 {
        return html! {
            strong {
                @if seen.passes_borrowed() > 0 { (words::count(seen.passes_borrowed(), "pass is borrowed", "passes are borrowed")) }
                @if let Some(held) = seen.held {
                    @if seen.passes_borrowed() > 0 { ", " }
                    (words::count(held.seats, "seat is held since the restore", "seats are held since the restore"))
                }
            }
            ": the key cannot be destroyed before all of it is returned, freed, written off or has ended, " (when(end, now)) " at the latest. "
            a href="/passes" { "Borrowed by machines" }
            @if seen.applications_out() > 0 { ". " (words::applications(seen.applications_out())) " hold seats, and stop within minutes" }
            "."
        };
    }
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
    let will_hold = seen.restored.is_some_and(|restored| restored.held_until.is_some());
    let name = seen.activation.as_ref().map(|activation| activation.workstation_name.as_str());
    html! {
        (page_header("This server is being disabled", "It gives no new seats and renews none. This page follows by itself; without script, reload it.", html! {}))
        (tiles(&[
            Tile {
                label: "Applications left",
                value: number(seen.applications_out()),
                detail: match (seen.passes_borrowed(), seen.held) {
                    (0, None) if will_hold => "and what is held after the restore".to_owned(),
                    (0, None) => "still hold a seat".to_owned(),
                    (0, Some(held)) => format!("and {} since the restore", held_seats(held)),
                    (borrowed, None) => format!("and {}", borrowed_passes(borrowed)),
                    (borrowed, Some(held)) => {
                        format!("and {}, {} since the restore", borrowed_passes(borrowed), held_seats(held))
                    }
                },
                tone: Tone::Warning,
            },
            Tile {
                label: "Done by",
                value: seen.leases_end_at.map_or_else(|| "now".to_owned(), |end| relative(end.0, now)),
                detail: seen.leases_end_at.map(|end| words::minute(end.0)).unwrap_or_default(),
                tone: Tone::Neutral,
            },
        ]))
        div.card {
            p {
                "When the last application has given its seat back or has run out"
                @if seen.passes_borrowed() > 0 { ", and the last pass is back" }
                @if seen.held.is_some() || will_hold { ", and nothing is held any more since the restore" }
                ", the key"
                @if let Some(name) = name { " of " strong { (wrapped(name)) } }
                " is destroyed"
                @match &seen.online {
                    Some(online) if online.state == OnlineState::Copy => " here. Nothing is freed at the portal.",
                    Some(online) if online.state == OnlineState::Unreachable => ", and the server brings the receipt to the portal by itself. The portal is not reached now: its free seats go back when it is.",
                    Some(_) => ", and the server brings the receipt to the portal by itself. Its free seats are on their way back already.",
                    None => " and the receipt can be downloaded here.",
                }
            }
            @if seen.held.is_some() || will_hold {
                p { "What is held since the restore ends by itself, or when an administrator says that no machine has it. " a href="/passes" { "Borrowed by machines" } }
            }
            @if seen.passes_borrowed() > 0 {
                p { "A pass is back when it is returned or written off, or a day after its end. " a href="/passes" { "Borrowed by machines" } }
            }
            p { a href="/holders" { "See who still holds a seat" } }
        }
    }
}

fn borrowed_passes(count: u64) -> String {
    words::count(count, "pass borrowed", "passes borrowed")
}

fn held_seats(held: HeldStatus) -> String {
    words::count(held.seats, "seat held", "seats held")
}

fn disabled(seen: &StatusResponse) -> Markup {
    match seen.receipt.as_ref().map(|receipt| receipt.state) {
        Some(ReceiptState::Brought) => brought(),
        Some(ReceiptState::Waiting) => waiting(seen),
        _ => by_hand(),
    }
}

fn brought() -> Markup {
    html! {
        (page_header("This server is disabled", "Its key is destroyed, and its receipt is at the portal: the seats are back in the pool. Nothing else needs to be done.", html! {}))
        div.card {
            p { "The receipt can be kept for your records." }
            div.actions {
                (link_button("Activate again", "/online", Button::Primary))
                (link_button("Download receipt", "/disable/receipt", Button::Plain))
            }
        }
    }
}

fn waiting(seen: &StatusResponse) -> Markup {
    let trouble = seen.receipt.as_ref().and_then(|receipt| receipt.trouble.as_ref());
    html! {
        (page_header("This server is disabled", "Its key is destroyed. The server brings its receipt to the portal by itself, as soon as it reaches it.", html! {}))
        div.card {
            @if let Some(problem) = trouble {
                p { strong { "Not reached yet: " } (wrapped(&problem.what)) " It is tried again every minute." }
                p { (wrapped(&problem.what_to_do)) }
            }
            p { "Let the server run until it is there. If that takes too long, download the receipt and upload it in the portal: open " strong { "WORKSTATIONS" } " and choose this workstation. Both is harmless." }
            div.actions {
                (link_button("Download receipt", "/disable/receipt", Button::Plain))
                (link_button("Activate again", "/online", Button::Plain))
            }
        }
    }
}

fn by_hand() -> Markup {
    html! {
        (page_header("This server is disabled", "Its key is destroyed. The receipt gives its seats back to your pool.", html! {}))
        (step_panel(1, "Download the receipt", html! {
            p { "It says that this server has given up its seats. There is nothing secret in it, and it can be downloaded again." }
            (link_button("Download receipt", "/disable/receipt", Button::Primary))
        }))
        (step_panel(2, "Upload it in the portal", html! {
            p { "Sign in with your account at the portal, open " strong { "WORKSTATIONS" } ", choose this workstation and upload the receipt. Its seats are free at once." }
        }))
        p { "To use this server again, " a href="/online" { "activate it anew" } "." }
    }
}

fn nothing_to_disable() -> Markup {
    empty_state(
        "There is nothing to disable",
        "This server is not activated and holds no seats.",
        link_button("Activate it", "/online", Button::Primary),
    )
}
