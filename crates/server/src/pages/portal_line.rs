//! One line about the portal at the top of the home page: that the server is online, and when the portal answered last.
//! Also the quiet form of an outage, while it is far from hurting anybody. Pure.

use super::notices::QUIET_MS;
use super::words;
use leasehold_core::time::Ms;
use leasehold_web::components::{Button, Tone, post_button, relative, status, with_names};
use leasehold_web::maud::{Markup, html};
use leasehold_wire::server::{OnlineState, OnlineStatus, ServerState, StatusResponse};

/// The line: live. Empty for a server that has its seats by file.
pub(super) fn portal_line(seen: &StatusResponse, administrator: bool) -> Markup {
    let online = seen.online.as_ref().filter(|_| seen.state == ServerState::Active);
    html! {
        div #portal-state {
            @if let Some(online) = online {
                div.portal-line {
                    (chip(online.state))
                    span.muted { (said(online, seen.server_time.0)) }
                    @if administrator && asks(online.state) {
                        (post_button("/online/refresh", "Refresh", Button::Plain, &[("next", "/")]))
                    }
                }
            }
        }
    }
}

/// How it stands, in one or two words.
pub(super) fn chip(state: OnlineState) -> Markup {
    match state {
        OnlineState::Ok => status("Online", Tone::Good),
        OnlineState::Starting => status("Starting", Tone::Info),
        OnlineState::Unreachable => status("Portal not reached", Tone::Warning),
        OnlineState::Copy => status("A copy", Tone::Bad),
        OnlineState::Revoked => status("Revoked", Tone::Bad),
        OnlineState::ByFile => status("By file", Tone::Warning),
    }
}

/// Whether asking the portal at once could bring anything.
pub(super) fn asks(state: OnlineState) -> bool {
    matches!(state, OnlineState::Ok | OnlineState::Starting | OnlineState::Unreachable)
}

fn said(online: &OnlineStatus, now: Ms) -> Markup {
    html! {
        @if online.state == OnlineState::Unreachable {
            @if let Some(since) = online.trouble_since { "Since " (words::minute(since.0)) ". " }
            // In the last days a notice says the rest.
            @if is_quiet(online, now) { (quiet(online, now)) }
        } @else if let Some(at) = online.synced_at {
            "The portal answered at " (answered(at.0, now)) "."
        } @else {
            "The portal has not answered yet."
        }
    }
}

/// Whether an outage hurts nobody for days.
fn is_quiet(online: &OnlineStatus, now: Ms) -> bool {
    online.ends_at.is_none_or(|end| end.0.since(now) > QUIET_MS)
}

fn quiet(online: &OnlineStatus, now: Ms) -> Markup {
    html! {
        @if let Some(end) = online.ends_at {
            "Work goes on: the seats last until " (words::minute(end.0)) " (" (relative(end.0, now)) "). "
        }
        @if let Some(problem) = &online.trouble { (with_names(&problem.what)) " " a href="/online" { "More" } }
    }
}

/// The time of day, to the second: unlike an age it changes only when there was an answer, and so does the open page.
fn answered(at: Ms, now: Ms) -> Markup {
    let text = at.rfc3339();
    let today = at.utc_date() == now.utc_date();
    html! {
        time datetime=(text) {
            @match text.get(11..19).filter(|_| today) {
                Some(time) => { (time) " UTC" }
                None => { (words::minute(at)) }
            }
        }
    }
}
