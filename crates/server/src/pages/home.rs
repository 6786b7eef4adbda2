//! The home page: what this server holds and who uses it right now; and the list of all holders.

use super::flash;
use super::holders::holders_table;
use super::notices::{QUIET_MS, notices};
use super::portal_line::portal_line;
use super::products::{self, Product, is_kept_up, products, products_table};
use super::stream::{Fragments, Live, stream};
use super::visit::Visit;
use super::{Pages, release, words};
use crate::service::Failure;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use leasehold_core::license::FeatureCode;
use leasehold_core::time::Ms;
use leasehold_web::components::{
    Button, ListQuery, Tile, Tone, empty_state, link_button, page_header, relative, tiles,
};
use leasehold_web::listener::Connection;
use leasehold_web::maud::{Markup, html};
use leasehold_web::page::{self, Frame, Notice};
use leasehold_web::problem::ApiProblem;
use leasehold_web::text::number;
use leasehold_wire::server::{LeaseQuery, LeaseView, OnlineState, Page, ServerState, StatusResponse};

/// Holders on the home page; all of them are on a page of their own.
const HOLDERS_SHOWN: u32 = 25;

/// Everything that the home page shows.
#[derive(Clone, Debug)]
struct Home {
    seen: StatusResponse,
    /// `None` if whoever asks may not see them.
    leases: Option<Page<LeaseView>>,
    administrator: bool,
    /// An account that may look only. Others may sign in to change something.
    looks_only: bool,
}

impl Home {
    /// What stands above it: what has just been done here, and what is the matter.
    fn notices(&self, query: &ListQuery) -> Vec<Notice> {
        let mut all = notices(&self.seen);
        all.extend(flash::done(query, &self.seen).filter(|_| self.administrator));
        all
    }
}

async fn look(visit: &Visit) -> Result<Home, Failure> {
    let seen = visit.server.status(&visit.caller).await?;
    let leases = match visit.sees_holders() {
        false => None,
        true => {
            let wanted = LeaseQuery { feature: feature(&visit.query), after: None, limit: Some(HOLDERS_SHOWN) };
            Some(visit.server.leases(&visit.caller, wanted).await?)
        }
    };
    let (administrator, signed_in) = (visit.caller.may_change(), visit.caller.is_signed_in());
    Ok(Home { seen, leases, administrator, looks_only: signed_in && !administrator })
}

/// The feature that an address asks for; nonsense asks for none.
fn feature(query: &ListQuery) -> Option<FeatureCode> {
    query.get("feature").and_then(|code| FeatureCode::new(code).ok())
}

/// `GET /`
pub(super) async fn home(visit: Visit) -> Result<Markup, ApiProblem> {
    let home = look(&visit).await?;
    let notices = home.notices(&visit.query);
    let live = format!("/live{}", visit.query.as_address());
    Ok(page::page(&Frame { live: Some(&live), ..visit.frame("Licenses", &notices) }, content(&home, &visit.query)))
}

/// `GET /live`: the event stream of the home page.
pub(super) async fn live(
    State(pages): State<Pages>,
    visit: Visit,
    connection: Connection,
    headers: HeaderMap,
) -> Response {
    stream(&pages, HomeStream { visit, connection, headers, shown_empty: None })
}

struct HomeStream {
    visit: Visit,
    connection: Connection,
    headers: HeaderMap,
    /// Whether there was no product when it was drawn the last time: then the whole place looks different.
    shown_empty: Option<bool>,
}

impl Live for HomeStream {
    async fn draw(&mut self) -> Option<Fragments> {
        self.visit.again(&self.connection, &self.headers).await.ok()?;
        let home = look(&self.visit).await.ok()?;
        let query = &self.visit.query;
        let mut fragments = vec![
            ("notices", page::notices(&home.notices(query))),
            ("portal-state", portal_line(&home.seen, home.administrator)),
        ];
        let empty = products(&home.seen).is_empty();
        if self.shown_empty.replace(empty) != Some(empty) {
            fragments.push(("licenses", licenses(&home, query)));
        } else if !empty {
            fragments.push(("overview", overview(&home, query)));
            fragments.push(("holders", holders_section(&home, query)));
        }
        Some(fragments)
    }
}

fn content(home: &Home, query: &ListQuery) -> Markup {
    let by_file = home.seen.online.is_none();
    let renewable = by_file && home.seen.state == ServerState::Active && !home.seen.lines.is_empty();
    let lead = match &home.seen.activation {
        Some(activation) => {
            format!("{} · {} · {}", activation.workstation_name, activation.account_name, activation.vendor)
        }
        None => "What this server holds, and who uses it right now.".to_owned(),
    };
    html! {
        (page_header("Licenses", &lead, html! {
            @if home.administrator && renewable { (link_button("Renew", "/activate", Button::Plain)) }
        }))
        (portal_line(&home.seen, home.administrator))
        (licenses(home, query))
    }
}

/// All below the header: live.
fn licenses(home: &Home, query: &ListQuery) -> Markup {
    let all = products(&home.seen);
    html! {
        div #licenses.group {
            @if all.is_empty() {
                (nothing_yet(home))
            } @else {
                (products::toolbar(&all, query))
                (overview(home, query))
                (holders_section(home, query))
            }
        }
    }
}

/// What stands where no product is yet: what to do next.
fn nothing_yet(home: &Home) -> Markup {
    match home.seen.state {
        _ if home.seen.setup_needed => empty_state(
            "Two steps to the first seat",
            "First set the administrator's password of this server, with the setup secret that it printed when it started. Then enable it online with an account at the portal, or activate it with a file from there.",
            link_button("Set the password", "/setup", Button::Primary),
        ),
        ServerState::Disabled => empty_state(
            "This server is disabled",
            "It holds no seats. To use it again, activate it anew; it then gets a new key.",
            ways_in(home),
        ),
        ServerState::Active if home.seen.online.as_ref().is_some_and(|online| online.synced_at.is_none()) => {
            empty_state(
                "No licenses known yet",
                "This server is online, and the portal has not answered yet. Its first answer brings the licenses.",
                link_button("How it stands with the portal", "/online", Button::Plain),
            )
        }
        ServerState::Active if home.seen.online.is_some() => empty_state(
            "No licenses yet",
            "This server is online, and its account has no license for it. One that is bought or assigned at the portal shows here within seconds.",
            html! {},
        ),
        ServerState::Active => empty_state(
            "The activation file holds no seats",
            "This server is activated, but no seats were given to it. In the portal, renew this workstation with seats and upload the new .crt file here.",
            html! { @if !home.looks_only { (link_button("Renew", "/activate", Button::Primary)) } },
        ),
        _ => empty_state(
            "This server is not activated yet",
            "It gives seats as soon as it is: enable it with an account at the portal, or, without a way to the portal, carry two files by hand.",
            ways_in(home),
        ),
    }
}

/// The two ways to be activated.
fn ways_in(home: &Home) -> Markup {
    html! {
        @if !home.looks_only {
            div.actions {
                (link_button("Enable online", "/online/enable", Button::Primary))
                (link_button("Activate offline", "/activate", Button::Plain))
            }
        }
    }
}

/// The figures and the table of products: live.
fn overview(home: &Home, query: &ListQuery) -> Markup {
    let all = products(&home.seen);
    html! {
        div #overview.group {
            (tiles(&figures(&all, &home.seen)))
            (products_table(&all, query, home.leases.is_some()))
        }
    }
}

fn figures(all: &[Product<'_>], seen: &StatusResponse) -> [Tile; 4] {
    let total: u64 = all.iter().map(Product::seats).sum();
    let in_use: u64 = all.iter().map(Product::in_use).sum();
    let free: u64 = all.iter().map(Product::free).sum();
    let soon = all.iter().any(|product| product.ending_soon().is_some());
    let can_come: u64 = all.iter().map(Product::can_come).sum();
    let copy = seen.online.as_ref().is_some_and(|online| online.state == OnlineState::Copy);
    let given_from = seen.restored.map(|restored| restored.new_leases_from).or(seen.clock.no_new_leases_until);
    let given_from = given_from.filter(|_| seen.state == ServerState::Active);
    let free_tone = match (seen.state, free) {
        // Free, but given to nobody.
        _ if copy || given_from.is_some() => Tone::Neutral,
        (ServerState::Active, 0) if can_come == 0 => Tone::Warning,
        (ServerState::Active, 0) => Tone::Neutral,
        (ServerState::Active, _) => Tone::Good,
        // Free, but given to nobody.
        _ => Tone::Neutral,
    };
    [
        Tile {
            label: "Seats in use",
            value: number(in_use),
            detail: match total {
                0 if in_use > 0 => "of none any more".to_owned(),
                total => format!("of {}", number(total)),
            },
            tone: if in_use > total { Tone::Bad } else { Tone::Neutral },
        },
        Tile {
            label: "Seats free",
            value: number(free),
            detail: match given_from {
                _ if copy => "given to nobody".to_owned(),
                Some(from) => format!("given {}", relative(from.0, seen.server_time.0)),
                None if can_come > 0 => format!("and {} that can come", number(can_come)),
                None => String::new(),
            },
            tone: free_tone,
        },
        Tile {
            label: "Applications",
            value: number(seen.applications_out()),
            detail: match (seen.applications_out(), seen.passes_borrowed()) {
                (1, 0) => "holds a seat".to_owned(),
                (_, 0) => "hold seats".to_owned(),
                (_, passes) => format!("and {}", words::count(passes, "pass borrowed", "passes borrowed")),
            },
            tone: Tone::Neutral,
        },
        expiry(all, seen, soon),
    ]
}

/// When the first seats end; where the portal renews all of them, how long they last without it.
fn expiry(all: &[Product<'_>], seen: &StatusResponse, soon: bool) -> Tile {
    let first = |offline: Option<bool>| match offline {
        Some(offline) => all.iter().filter_map(|product| product.first_end_of(offline)).min(),
        None => all.iter().filter_map(Product::first_end).min(),
    };
    if let (true, None, Some(end)) = (seen.online.is_some(), first(Some(true)), first(Some(false))) {
        let left = end.since(seen.server_time.0);
        return Tile {
            label: if is_kept_up(seen) { "Without the portal" } else { "Seats last" },
            value: words::length(left),
            detail: format!("until {}", end.utc_date()),
            tone: if left > QUIET_MS || portal_is_reached(seen) { Tone::Neutral } else { Tone::Warning },
        };
    }
    // Of what the portal renews, nothing expires.
    let end: Option<Ms> = if seen.online.is_some() { first(Some(true)) } else { first(None) };
    let nothing = end.is_none() && seen.online.is_none();
    Tile {
        label: "Next expiry",
        value: end.map_or_else(|| "–".to_owned(), |end| relative(end, seen.server_time.0)),
        detail: end.map(|end| end.utc_date().to_string()).unwrap_or_default(),
        tone: if soon || nothing { Tone::Warning } else { Tone::Neutral },
    }
}

fn portal_is_reached(seen: &StatusResponse) -> bool {
    seen.online.as_ref().is_some_and(|online| online.state == OnlineState::Ok)
}

/// Who holds what, or who may see it: live.
fn holders_section(home: &Home, query: &ListQuery) -> Markup {
    let chosen = feature(query);
    let all_of_them = match &chosen {
        Some(feature) => format!("/holders?feature={}", feature.as_str()),
        None => "/holders".to_owned(),
    };
    html! {
        section #holders.group aria-labelledby="holders-title" {
            div.section-head {
                h2 #holders-title {
                    @if let Some(feature) = &chosen { "Who holds " code { (feature.as_str()) } } @else { "Who holds what" }
                }
                @if chosen.is_some() { a href={ (query.with("feature", None)) "#holders" } { "Show all features" } }
            }
            @match &home.leases {
                None => (not_shown()),
                Some(leases) => {
                    (holders_table(leases, home.seen.server_time.0, &ListQuery::default(), None, home.administrator))
                    @if leases.next.is_some() {
                        p.more {
                            span.muted { "The " (leases.items.len()) " that have held a seat longest. " }
                            a #all-holders href=(all_of_them) {
                                @if chosen.is_none() { "Show all " (number(home.seen.leases_out)) } @else { "Show all of this feature" }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn not_shown() -> Markup {
    html! {
        div.card {
            p.muted {
                "Who holds what is shown to the administrator of this server. "
                a href="/sign-in" { "Sign in" } " to see users, machines and times."
            }
        }
    }
}

/// `GET /holders`: all of them, page by page.
pub(super) async fn holders(visit: Visit) -> Result<Response, ApiProblem> {
    use axum::response::{IntoResponse, Redirect};
    if !visit.sees_holders() {
        return Ok(Redirect::to("/sign-in?next=/holders").into_response());
    }
    let chosen = feature(&visit.query);
    let after = visit.query.get("after").and_then(|id| id.parse().ok());
    let wanted = LeaseQuery { feature: chosen.clone(), after, limit: None };
    let seen = visit.server.status(&visit.caller).await?;
    let leases = visit.server.leases(&visit.caller, wanted).await?;
    // The list has both.
    let borrowed = match seen.passes_borrowed() {
        0 => String::new(),
        passes => format!(", and {}", words::count(passes, "pass is borrowed", "passes are borrowed")),
    };
    let lead = format!(
        "{}{borrowed}. Those that have held it longest come first.",
        words::count(seen.applications_out(), "application holds a seat", "applications hold a seat")
    );
    let taken_back = visit.query.get("done") == Some("released");
    let notices = if taken_back { vec![release::done()] } else { Vec::new() };
    let content = html! {
        (page_header("Who holds what", &lead, html! {}))
        div.filters role="group" aria-label="Feature" {
            a href=(visit.query.with("feature", None)) aria-current=[chosen.is_none().then_some("true")] { "All features" }
            @for status in &seen.features {
                @let code = status.feature.as_str();
                a href=(visit.query.with("feature", Some(code))) aria-current=[(chosen.as_ref() == Some(&status.feature)).then_some("true")] {
                    (code) span.count { (number(u64::from(status.in_use))) }
                }
            }
        }
        (holders_table(&leases, visit.now, &visit.query, leases.next.as_deref(), visit.caller.may_change()))
    };
    Ok(page::page(&visit.frame("Who holds what", &notices), content).into_response())
}
