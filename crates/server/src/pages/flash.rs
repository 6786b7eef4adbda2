//! What a page says about that which has just been done, by the address that a form leads to. Says only what is still so.

use super::words;
use leasehold_web::components::{ListQuery, Tone, wrapped};
use leasehold_web::maud::html;
use leasehold_web::page::Notice;
use leasehold_wire::server::{OnlineState, ServerState, StatusResponse};

/// The parameter of the address.
const DONE: &str = "done";

/// Online licensing was enabled.
pub(super) const ENABLED: &str = "enabled";
/// The same, and the server trusts a vendor from now on.
pub(super) const ENABLED_NEW_VENDOR: &str = "enabled-new-vendor";
/// The portal was asked at once.
pub(super) const REFRESHED: &str = "refreshed";
/// A copy gave up its copy of the key.
pub(super) const COPY_ENDED: &str = "copy-ended";

/// `path` with what was done.
pub(super) fn address(path: &str, done: &str) -> String {
    format!("{path}?{DONE}={done}")
}

/// What was done, by the address of the page.
pub(super) fn done(query: &ListQuery, seen: &StatusResponse) -> Option<Notice> {
    let done = query.get(DONE)?;
    let online = seen.online.as_ref().filter(|online| online.state == OnlineState::Ok);
    let text = match (done, online, &seen.activation) {
        (ENABLED | ENABLED_NEW_VENDOR, Some(_), Some(activation)) => html! {
            strong { "Online licensing is enabled for " (wrapped(&activation.account_name)) ". " }
            "Licenses that are bought, assigned or changed at the portal show here within seconds. "
            @if done == ENABLED_NEW_VENDOR {
                "This server trusts the vendor " strong { (wrapped(&activation.vendor)) } " from now on, and no other: compare the "
                a href="/online" { "root fingerprint" } " with the one that the vendor publishes."
            }
        },
        (REFRESHED, Some(online), _) => html! {
            "Up to date with the portal"
            @if let Some(at) = online.synced_at { " as of " (words::minute(at.0)) }
            "."
        },
        (COPY_ENDED, _, _) if seen.state != ServerState::Active => html! {
            strong { "This copy's key is destroyed. " }
            "Nothing was freed at the portal: the seats stay the other server's, until that is disabled, or revoked at the portal if it is gone. To use this one, enable it; it gets a key of its own."
        },
        _ => return None,
    };
    Some(Notice::new(Tone::Good, text))
}
