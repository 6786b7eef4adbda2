//! The home page: what this server holds and who uses it right now; and the list of all holders.

use super::holders::holders_table;
use super::notices::notices;
use super::products::{self, Product, products, products_table};
use super::stream::{Fragments, Live, stream};
use super::visit::Visit;
use super::{Pages, words};
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
use leasehold_web::page::{self, Frame};
use leasehold_web::problem::ApiProblem;
use leasehold_web::text::number;
use leasehold_wire::server::{LeaseQuery, LeaseView, Page, ServerState, StatusResponse};

/// Holders on the home page; all of them are on a page of their own.
const HOLDERS_SHOWN: u32 = 25;

/// Everything that the home page shows.
#[derive(Clone, Debug)]
struct Home {
    seen: StatusResponse,
    /// `None` if whoever asks may not see them.
    leases: Option<Page<LeaseView>>,
    administrator: bool,
}

async fn look(visit: &Visit) -> Result<Home, Failure> {
    let seen = visit.server.status(&visit.caller).await?;
    let leases = match visit.sees_usage() {
        false => None,
        true => {
            let wanted = LeaseQuery { feature: feature(&visit.query), after: None, limit: Some(HOLDERS_SHOWN) };
            Some(visit.server.leases(&visit.caller, wanted).await?)
        }
    };
    Ok(Home { seen, leases, administrator: visit.caller.is_administrator() })
}

/// The feature that an address asks for; nonsense asks for none.
fn feature(query: &ListQuery) -> Option<FeatureCode> {
    query.get("feature").and_then(|code| FeatureCode::new(code).ok())
}

/// `GET /`
pub(super) async fn home(visit: Visit) -> Result<Markup, ApiProblem> {
    let home = look(&visit).await?;
    let notices = notices(&home.seen);
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
    stream(&pages, HomeStream { visit, connection, headers })
}

struct HomeStream {
    visit: Visit,
    connection: Connection,
    headers: HeaderMap,
}

impl Live for HomeStream {
    async fn draw(&mut self) -> Option<Fragments> {
        self.visit.again(&self.connection, &self.headers).await.ok()?;
        let home = look(&self.visit).await.ok()?;
        Some(vec![
            ("notices", page::notices(&notices(&home.seen))),
            ("overview", overview(&home, &self.visit.query)),
            ("holders", holders_section(&home, &self.visit.query)),
        ])
    }
}

fn content(home: &Home, query: &ListQuery) -> Markup {
    let renewable = home.seen.state == ServerState::Active && !home.seen.lines.is_empty();
    let lead = match &home.seen.activation {
        Some(activation) => {
            format!("{} · {} · {}", activation.workstation_name, activation.account_name, activation.vendor)
        }
        None => "What this server holds, and who uses it right now.".to_owned(),
    };
    let all = products(&home.seen);
    html! {
        (page_header("Licenses", &lead, html! {
            @if home.administrator && renewable { (link_button("Renew", "/activate", Button::Plain)) }
        }))
        @if all.is_empty() {
            (nothing_yet(home))
        } @else {
            (products::toolbar(&all, query))
            (overview(home, query))
            (holders_section(home, query))
        }
    }
}

/// What stands where no product is yet: what to do next.
fn nothing_yet(home: &Home) -> Markup {
    match home.seen.state {
        _ if home.seen.setup_needed => empty_state(
            "Two steps to the first seat",
            "First set the administrator's password of this server, with the setup secret that it printed when it started. Then activate it with a file from the portal.",
            link_button("Set the password", "/setup", Button::Primary),
        ),
        ServerState::Disabled => empty_state(
            "This server is disabled",
            "It holds no seats. To use it again, activate it anew; it then gets a new key.",
            link_button("Activate offline", "/activate", Button::Primary),
        ),
        ServerState::Active => empty_state(
            "The activation file holds no seats",
            "This server is activated, but no seats were given to it. In the portal, renew this workstation with seats and upload the new .crt file here.",
            link_button("Renew", "/activate", Button::Primary),
        ),
        _ => empty_state(
            "This server is not activated yet",
            "It gives seats as soon as it is: download its request file, upload that in the portal, and bring the .crt file back.",
            link_button("Activate offline", "/activate", Button::Primary),
        ),
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
    let free_tone = match (seen.state, free) {
        (ServerState::Active, 0) => Tone::Warning,
        (ServerState::Active, _) => Tone::Good,
        // Free, but given to nobody.
        _ => Tone::Neutral,
    };
    let end: Option<Ms> = all.iter().filter_map(Product::first_end).min();
    [
        Tile {
            label: "Seats in use",
            value: number(in_use),
            detail: format!("of {}", number(total)),
            tone: if in_use > total { Tone::Bad } else { Tone::Neutral },
        },
        Tile { label: "Seats free", value: number(free), detail: String::new(), tone: free_tone },
        Tile {
            label: "Applications",
            value: number(seen.leases_out),
            detail: if seen.leases_out == 1 { "holds a seat" } else { "hold seats" }.to_owned(),
            tone: Tone::Neutral,
        },
        Tile {
            label: "Next expiry",
            value: end.map_or_else(|| "–".to_owned(), |end| relative(end, seen.server_time.0)),
            detail: end.map(|end| end.utc_date().to_string()).unwrap_or_default(),
            tone: if soon || end.is_none() { Tone::Warning } else { Tone::Neutral },
        },
    ]
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
                    (holders_table(leases, home.seen.server_time.0, &ListQuery::default(), None))
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
    if !visit.sees_usage() {
        return Ok(Redirect::to("/sign-in?next=/holders").into_response());
    }
    let chosen = feature(&visit.query);
    let after = visit.query.get("after").and_then(|id| id.parse().ok());
    let wanted = LeaseQuery { feature: chosen.clone(), after, limit: None };
    let seen = visit.server.status(&visit.caller).await?;
    let leases = visit.server.leases(&visit.caller, wanted).await?;
    let lead = format!(
        "{}. Those that have held it longest come first.",
        words::count(seen.leases_out, "application holds a seat", "applications hold a seat")
    );
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
        (holders_table(&leases, visit.now, &visit.query, leases.next.as_deref()))
    };
    Ok(visit.page("Who holds what", content).into_response())
}
