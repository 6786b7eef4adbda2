//! ONLINE LICENSING, *Overview*: how this server stands with the portal, what it may have there, and the two ways to be
//! activated where it is not. Refreshing and testing answer on the same page.

pub(super) mod connection;
pub(super) mod enable;
pub(super) mod offline;

use super::notices::notices_but_of_the_portal;
use super::portal_line::{asks, chip};
use super::products::{NAME_CHARS_SHOWN, is_kept_up};
use super::stream::{Fragments, Live, stream};
use super::visit::{Administrator, Visit};
use super::{Pages, flash, words};
use crate::service::{Failure, KnownPortal};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use leasehold_core::time::Ms;
use leasehold_core::times::TimeTable;
use leasehold_web::components::{
    Align, Button, Column, ListQuery, Row, Table, Tone, badge, card, channel_badge, definitions, empty_state,
    link_button, page_header, post_button, problem_panel, table, when, wrapped,
};
use leasehold_web::extract::PageForm;
use leasehold_web::listener::Connection;
use leasehold_web::maud::{Markup, html};
use leasehold_web::page::{self, Frame, Notice, page};
use leasehold_web::problem::{ApiProblem, Problem};
use leasehold_web::text::{number, shorten};
use leasehold_wire::server::{
    ActivationStatus, ConnectionTest, OnlineState, OnlineStatus, PoolStatus, ServerState, StatusResponse,
};
use serde::Deserialize;

/// The address.
const PATH: &str = "/online";

const COLUMNS: &[Column] = &[
    Column::new("product", "Product"),
    Column { key: "seats", label: "Seats of the account", align: Align::End, sortable: false },
    Column { key: "here", label: "Here", align: Align::End, sortable: false },
    Column { key: "elsewhere", label: "At other servers", align: Align::End, sortable: false },
    Column { key: "free", label: "Free", align: Align::End, sortable: false },
];

/// What came of what was asked for on this page.
pub(super) enum Outcome<'a> {
    /// Nothing was asked for.
    None,
    /// The portal was not reached, or refused.
    Refused(&'a Problem),
    /// The connection was tried.
    Tested(&'a ConnectionTest),
}

/// `GET /online`
pub(super) async fn overview(Administrator(visit): Administrator) -> Result<Markup, ApiProblem> {
    draw(&visit, &Outcome::None).await
}

/// Where *Refresh* was pressed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Refresh {
    #[serde(default)]
    next: String,
}

/// `POST /online/refresh`
pub(super) async fn refresh(
    Administrator(visit): Administrator,
    PageForm(form): PageForm<Refresh>,
) -> Result<Response, ApiProblem> {
    let next = if form.next == PATH { PATH } else { "/" };
    match visit.server.refresh(&visit.caller).await {
        Ok(()) => Ok(Redirect::to(&flash::address(next, flash::REFRESHED)).into_response()),
        Err(failure @ Failure::Portal(_)) => {
            let problem = failure.problem();
            let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::BAD_GATEWAY);
            Ok((status, draw(&visit, &Outcome::Refused(&problem)).await?).into_response())
        }
        Err(failure) => Err(failure.into()),
    }
}

/// `GET /online/live`: the event stream of the page.
pub(super) async fn live(
    State(pages): State<Pages>,
    Administrator(visit): Administrator,
    connection: Connection,
    headers: HeaderMap,
) -> Response {
    stream(&pages, OnlineStream { visit, connection, headers })
}

struct OnlineStream {
    visit: Visit,
    connection: Connection,
    headers: HeaderMap,
}

impl Live for OnlineStream {
    async fn draw(&mut self) -> Option<Fragments> {
        self.visit.again(&self.connection, &self.headers).await.ok()?;
        if !self.visit.caller.is_signed_in() {
            return None;
        }
        let seen = self.visit.server.status(&self.visit.caller).await.ok()?;
        Some(vec![
            ("notices", page::notices(&all_notices(&self.visit.query, &seen))),
            ("online-state", state(&seen, self.visit.server.portal_url().is_some(), self.visit.caller.may_change())),
        ])
    }
}

fn all_notices(query: &ListQuery, seen: &StatusResponse) -> Vec<Notice> {
    let mut all = notices_but_of_the_portal(seen);
    all.extend(flash::done(query, seen));
    all
}

/// The page with what came of a request.
pub(super) async fn draw(visit: &Visit, outcome: &Outcome<'_>) -> Result<Markup, ApiProblem> {
    let seen = visit.server.status(&visit.caller).await?;
    let known = visit.server.known_portal(&visit.caller).await?;
    let notices = all_notices(&visit.query, &seen);
    let live = format!("/online/live{}", visit.query.as_address());
    let frame = Frame { live: Some(&live), current: PATH, ..visit.frame("Online licensing", &notices) };
    Ok(page(&frame, content(&seen, outcome, &known, visit.caller.may_change())))
}

fn content(seen: &StatusResponse, outcome: &Outcome<'_>, known: &KnownPortal, changes: bool) -> Markup {
    let fixed = matches!(known, KnownPortal::Fixed(_));
    html! {
        (page_header("Online licensing", lead(seen), html! {}))
        @match outcome {
            Outcome::None => {}
            Outcome::Refused(problem) => {
                div #not-refreshed.group {
                    (problem_panel(problem))
                    p { strong { "Nothing was changed." } " What this server holds is used on meanwhile." }
                }
            }
            Outcome::Tested(test) => (connection::panel(test)),
        }
        (state(seen, fixed, changes))
        @if changes && seen.online.is_some() { (connection::card_for(known)) }
    }
}

fn lead(seen: &StatusResponse) -> &'static str {
    match (&seen.activation, &seen.online) {
        (_, Some(_)) if seen.state == ServerState::Draining => "Its seats go back to the account's pool at the portal.",
        (_, Some(_)) if !is_kept_up(seen) => {
            "This server was enabled online, and the portal does not keep it up to date now."
        }
        (_, Some(_)) => {
            "This server takes its seats from the account's pool at the portal and keeps itself up to date."
        }
        (Some(_), None) => "This server has its seats by file.",
        (None, None) => "This server is not activated. There are two ways; either can be changed into the other later.",
    }
}

/// How it stands: live. With the ways to change it for whoever may.
fn state(seen: &StatusResponse, fixed: bool, changes: bool) -> Markup {
    html! {
        div #online-state.group {
            @match (&seen.activation, &seen.online) {
                (Some(activation), Some(online)) => (online_server(activation, online, seen, (fixed, changes))),
                (Some(activation), None) => (server_by_file(activation, seen, changes)),
                (None, _) => (two_ways(changes)),
            }
        }
    }
}

fn two_ways(changes: bool) -> Markup {
    html! {
        div.columns {
            (card("Enable online", html! {
                p { "Sign in once with an account at the portal. The licenses appear within seconds, and the server keeps itself up to date: what is bought, assigned or ended there shows here by itself." }
                p.hint { "The server needs a way to the portal by https://, directly or through a proxy. If that way is down for days, work goes on." }
                @if changes { div.actions { (link_button("Enable", "/online/enable", Button::Primary)) } }
            }))
            (card("Activate offline", html! {
                p { "Carry two files by hand: the request file of this server to the portal, and the .crt file back. For a server without internet access." }
                p.hint { "The seats leave the pool for as long as you choose, and nothing changes here until the next file." }
                @if changes { div.actions { (link_button("Activate offline", "/activate", Button::Plain)) } }
            }))
        }
    }
}

fn server_by_file(activation: &ActivationStatus, seen: &StatusResponse, changes: bool) -> Markup {
    let mut facts = about(activation);
    facts.push((
        "Document",
        html! { "Number " (activation.rev) ", issued " (when(activation.issued_at.0, seen.server_time.0)) },
    ));
    facts.push(("Runs until", when(activation.ends_at.0, seen.server_time.0)));
    if let Some(given) = &seen.given_back {
        let back = u64::from(given.seats_signed.saturating_sub(given.seats_kept));
        facts.push((
            "Given back",
            html! { (words::seats(back)) " of " (given.seats_signed) " " a href="/give-back" { "Receipt " (given.number) } },
        ));
    }
    html! {
        @if seen.state == ServerState::Draining { (draining()) }
        div.columns {
            (card("By file", html! {
                (definitions(&facts))
                @if changes {
                    div.actions {
                        (link_button("Renew by file", "/activate", Button::Plain))
                        @if seen.state == ServerState::Active { (link_button("Give back some seats", "/give-back", Button::Plain)) }
                        (link_button("Disable", "/disable", Button::Danger))
                    }
                }
            }))
            @if changes && seen.state == ServerState::Active {
                (card("Enable online", html! {
                    p { "What changes: from then on the server takes its seats from the account's pool, and the portal renews them by itself. What is bought, assigned or ended there shows here within seconds." }
                    p { "What stays: its key, its name, and every running application; none of them notices anything." }
                    div.actions { (link_button("Enable", "/online/enable", Button::Primary)) }
                }))
            }
        }
    }
}

fn draining() -> Markup {
    let text = html! {
        strong { "This server is being disabled. " } a href="/disable" { "See how far it is" }
    };
    html! { div.notice.warning { (Tone::Warning.icon()) div { (text) } } }
}

fn about(activation: &ActivationStatus) -> Vec<(&'static str, Markup)> {
    vec![
        (
            "Workstation",
            html! { strong { (wrapped(&activation.workstation_name)) } div.hint { code { (activation.workstation) } } },
        ),
        ("Works for", wrapped(&activation.account_name)),
        (
            "Vendor",
            html! { (wrapped(&activation.vendor)) div.hint { "Root fingerprint (SHA-256) " code.fingerprint { (activation.vendor_fingerprint) } } },
        ),
    ]
}

fn online_server(
    activation: &ActivationStatus,
    online: &OnlineStatus,
    seen: &StatusResponse,
    (fixed, changes): (bool, bool),
) -> Markup {
    let now = seen.server_time.0;
    let mut facts = vec![("State", chip(online.state))];
    facts.push(("Portal", portal(online, fixed)));
    facts.push(("Last answer", last_answer(online, now)));
    let last = if is_kept_up(seen) { "Without the portal" } else { "Seats last" };
    facts.push((last, without(online, now)));
    facts.extend(about(activation));
    if enable::works_for_one(seen) {
        facts.push(("Serves", html! { "applications on this machine only" }));
    }
    html! {
        @if seen.state == ServerState::Draining { (draining()) }
        @match online.state {
            OnlineState::Copy => (copy(online)),
            OnlineState::Revoked => (revoked(online.lost)),
            OnlineState::ByFile => (by_file()),
            OnlineState::Unreachable => (unreachable(online)),
            OnlineState::Ok | OnlineState::Starting => {}
        }
        (card("", html! {
            (definitions(&facts))
            @if changes {
                div.actions {
                    @if asks(online.state) { (post_button("/online/refresh", "Refresh now", Button::Primary, &[("next", PATH)])) }
                    (link_button("Disable", "/disable", Button::Danger))
                }
            }
        }))
        @if is_kept_up(seen) || !online.pools.is_empty() {
            section.group aria-labelledby="pools-title" {
                div.section-head { h2 #pools-title { "Licenses of the account" } }
                (pools(online))
            }
        }
    }
}

fn portal(online: &OnlineStatus, fixed: bool) -> Markup {
    html! {
        code { (wrapped(&online.portal_url)) }
        @if fixed { div.hint { "Set in " a href="/settings/portal" { "Settings, Portal" } "." } }
    }
}

fn last_answer(online: &OnlineStatus, now: Ms) -> Markup {
    html! {
        @match online.synced_at {
            Some(at) => {
                span.when { time datetime=(at.0.rfc3339()) { (words::minute(at.0)) } " " span.relative { (words::minutes_ago(at.0, now)) } }
            }
            None => { span.muted { "None yet" } }
        }
    }
}

fn without(online: &OnlineStatus, now: Ms) -> Markup {
    html! {
        @match online.ends_at {
            Some(end) if now < end.0 => { "Until " (when(end.0, now)) }
            Some(end) => { (badge("ended", Tone::Bad)) " " (when(end.0, now)) }
            None => { span.muted { "It holds no seats now" } }
        }
    }
}

/// What is wrong and what to do, as [`problem_panel`] says it.
fn trouble(id: &str, title: Markup, body: Markup) -> Markup {
    html! {
        section #(id).card.problem {
            div.problem-title { (Tone::Bad.icon()) h2 { (title) } }
            (body)
        }
    }
}

fn unreachable(online: &OnlineStatus) -> Markup {
    let Some(problem) = &online.trouble else { return html! {} };
    let problem = Problem::new(502, problem.code.clone(), "The portal is not reached.")
        .detail(problem.what.clone())
        .next(problem.what_to_do.clone(), problem.who.clone());
    html! { div #portal-trouble { (problem_panel(&problem)) } }
}

fn copy(online: &OnlineStatus) -> Markup {
    let other = online.copy_on.as_deref().filter(|host| !host.is_empty());
    let minutes = (TimeTable::DEFAULT.lease.lessee_stops_after_ms() + TimeTable::DEFAULT.lease_allowance_ms) / 60_000;
    let body = html! {
        p {
            "Two license servers cannot share one key, so only the other one gets seats from the portal. This one was copied, or was restored from a backup while the other went on. "
            "Running applications here go on meanwhile; new seats are not given."
        }
        ol.numbered {
            li { "Stop the copy that should not run. If that is this one, switch it off; nothing else is needed." }
            li {
                "If this one should work, beside the other or in its place: " a href="/disable" { "Disable" } " it. That ends this copy of the key only; applications here stop within " (minutes) " minutes."
            }
            li { "Then " a href="/online/enable" { "Enable" } " it again: it gets a key of its own and is a workstation of its own at the portal." }
            li {
                "If the other one "
                @if let Some(host) = other { "on " strong { (wrapped(host)) } " " }
                "should not run, disable it on its own page: that gives its seats back. If it is gone for good, as after a restore on the same machine, revoke its workstation at the portal, which says there from when on its seats are free."
            }
        }
    };
    let title = html! {
        "Another license server runs with this server's key"
        @if let Some(host) = other { ": " (wrapped(&shorten(host, NAME_CHARS_SHOWN))) }
    };
    trouble("copy", title, body)
}

fn revoked(lost: bool) -> Markup {
    let body = html! {
        p {
            @if lost { "Somebody who manages the account declared it lost there, as if its machine were gone for good; others may have its seats. " }
            @else { "Somebody who manages the account revoked it there. " }
            "It gets no more seats; applications that lose theirs are told to save and stop."
        }
        ol.numbered {
            li { "If that was meant: " a href="/disable" { "Disable" } " this server, or switch it off. Nothing else is needed." }
            li { "If it should work again: " a href="/disable" { "Disable" } " it, then " a href="/online/enable" { "Enable" } " it again. It gets a new key and is a new workstation at the portal." }
        }
    };
    let how = if lost { "declared lost" } else { "revoked" };
    trouble("revoked", html! { "This server was " (how) " at the portal" }, body)
}

fn by_file() -> Markup {
    let body = html! {
        p { "From then on the portal expects this server to have its seats by that file, and does not keep it up to date. Until the file is here, what it holds is used on." }
        ol.numbered {
            li { a href="/activate" { "Upload that file" } ": the one made last, beside this workstation's name at the portal." }
            li { "Or, if nobody meant to make it, " a href="/online/enable" { "enable online licensing again" } ": the file is then void." }
        }
    };
    trouble("by-file", html! { "An activation file was made for this server at the portal" }, body)
}

fn pools(online: &OnlineStatus) -> Markup {
    let rows = online.pools.iter().map(pool).collect();
    let empty = match online.synced_at {
        None => {
            empty_state("Not known yet", "The portal says which licenses there are with its first answer.", html! {})
        }
        Some(_) => empty_state(
            "No licenses yet",
            "The account has no license for this server. One that is bought or assigned at the portal shows here within seconds.",
            html! {},
        ),
    };
    let query = ListQuery::default();
    let pools = Table {
        id: "pools",
        caption: "Licenses of the account",
        columns: COLUMNS,
        rows,
        query: &query,
        next: None,
        empty,
    };
    table(&pools)
}

fn pool(pool: &PoolStatus) -> Row {
    Row::from(vec![
        html! {
            div.two-lines {
                div { (wrapped(&shorten(&pool.product_name, NAME_CHARS_SHOWN))) }
                @if pool.pending > 0 { div.muted { (number(pool.pending.into())) " more assigned and not here yet: mostly, others still use them" } }
                div.badges {
                    @if pool.channel != leasehold_core::license::Channel::Commercial { (channel_badge(pool.channel.word())) }
                    @if pool.assigned { span title="For the person at the license server's own machine only." { (badge("this machine only", Tone::Info)) } }
                }
            }
        },
        html! { (number(pool.seats.into())) },
        html! { (number(pool.here.into())) },
        html! { (number(pool.elsewhere.into())) },
        html! { (number(pool.free.into())) },
    ])
}
