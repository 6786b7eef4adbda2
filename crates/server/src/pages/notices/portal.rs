//! What stands above every page about the portal of an online server. Pure: from the status to sentences. Why the portal
//! is not reached is in the status only if the administrator asks.

use super::words;
use leasehold_core::time::{DAY_MS, Ms};
use leasehold_web::components::{Tone, relative, with_names, wrapped};
use leasehold_web::maud::{Markup, html};
use leasehold_web::page::Notice;
use leasehold_wire::server::{OnlineState, OnlineStatus, ServerState, StatusResponse};

/// Before this much is left an outage of the portal is no more than a line on the home page, in milliseconds.
pub(in crate::pages) const QUIET_MS: i64 = 3 * DAY_MS;

/// The notice, if there is something to do or to know.
pub(super) fn portal(seen: &StatusResponse) -> Option<Notice> {
    // A server that is being disabled waits for nothing from there.
    let online = seen.online.as_ref().filter(|_| seen.state != ServerState::Draining)?;
    let now = seen.server_time.0;
    match online.state {
        OnlineState::Ok => None,
        OnlineState::Starting => Some(starting()),
        OnlineState::Unreachable => unreachable(online, now),
        OnlineState::Copy => Some(copy(online, now)),
        OnlineState::Revoked => Some(revoked(online, now)),
        OnlineState::ByFile => Some(by_file(online, now)),
    }
}

fn starting() -> Notice {
    let text = html! {
        "The server has just started and waits for the portal's first answer, ten seconds at most. "
        "Running applications keep their seats; new ones wait that long."
    };
    Notice::new(Tone::Info, text)
}

fn unreachable(online: &OnlineStatus, now: Ms) -> Option<Notice> {
    let ends_at = online.ends_at?.0;
    let left = ends_at.since(now);
    if left > QUIET_MS {
        return None;
    }
    let since = html! {
        @if let Some(since) = online.trouble_since { " since " (words::minute(since.0)) " (" (words::minutes_ago(since.0, now)) ")" }
    };
    let why = html! {
        @match &online.trouble {
            Some(problem) => { (with_names(&problem.what)) " " a href="/online" { "Test the connection" } "." }
            None => { "The administrator of this server can see why." }
        }
    };
    Some(if left <= 0 {
        let text = html! {
            strong { "The portal has not been reached" (since) ", and seats from it ended at " (words::minute(ends_at)) ". " }
            "They come back with its next answer. " (why)
        };
        Notice::new(Tone::Bad, text)
    } else {
        let text = html! {
            strong { "The portal has not been reached" (since) ". Seats from it last for another " (words::countdown(left)) }
            ", until " (words::minute(ends_at)) "; until then work goes on. " (why)
        };
        Notice::new(Tone::Warning, text)
    })
}

fn copy(online: &OnlineStatus, now: Ms) -> Notice {
    let text = html! {
        strong {
            "Another license server runs with this server's key"
            @if let Some(host) = online.copy_on.as_deref().filter(|host| !host.is_empty()) { ", on " (wrapped(host)) }
            ", so this one gives no new seats. "
        }
        "Running applications go on" (until(online, now)) ". " a href="/online" { "What to do" }
    };
    Notice::new(Tone::Bad, text)
}

fn revoked(online: &OnlineStatus, now: Ms) -> Notice {
    let text = html! {
        strong { "This server was " (if online.lost { "declared lost" } else { "revoked" }) " at the portal, so it gets no more seats from there. " }
        @if online.ends_at.is_some_and(|end| now < end.0) { "What it still holds runs" (until(online, now)) ". " }
        @else { "Applications that held one were told to save and stop. " }
        a href="/online" { "What to do" }
    };
    Notice::new(Tone::Bad, text)
}

fn by_file(online: &OnlineStatus, now: Ms) -> Notice {
    let text = html! {
        strong { "An activation file was made for this server at the portal, " }
        "so the portal does not keep it up to date online any more. Work goes on" (until(online, now)) ". "
        a href="/activate" { "Upload that file" } ", or " a href="/online/enable" { "enable online licensing again" } "."
    };
    Notice::new(Tone::Warning, text)
}

fn until(online: &OnlineStatus, now: Ms) -> Markup {
    html! {
        @if let Some(end) = online.ends_at { " until " (words::minute(end.0)) " (" (relative(end.0, now)) ")" }
    }
}
