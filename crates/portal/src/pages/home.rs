//! The start page: an operator's figures; everybody else starts at their licenses.

use super::licenses::raise;
use super::look::{Head, Viewer};
use super::watch::Watcher;
use super::{Answer, go};
use crate::failure::Failure;
use crate::service::{audit, overview};
use axum::response::IntoResponse;
use leasehold_web::components::{Button, ListQuery, Tile, Tone, link_button, page_header, step_panel, tiles};
use leasehold_web::maud::{Markup, html};
use leasehold_web::page::{self, Notice};
use leasehold_web::text::number;
use leasehold_wire::portal::{AuditEntry, Overview, PageQuery};

/// Changes on the start page.
const CHANGES: usize = 10;
/// Deeds among which they are looked for.
const DEEDS: u32 = 100;

fn figures(overview: &Overview) -> Markup {
    let tile = |label, value, detail: String| Tile { label, value: number(value), detail, tone: Tone::Neutral };
    let figures = tiles(&[
        tile("Customers", overview.customers, String::new()),
        tile("Products", overview.products, String::new()),
        tile("Licenses", overview.licenses, super::look::counted(overview.seats, "seat")),
        tile("Workstations", overview.workstations, "active".to_owned()),
    ]);
    html! { div #figures { (figures) } }
}

/// What to do first, as long as nothing can be sold.
fn first_steps(overview: &Overview) -> Markup {
    html! {
        @if overview.products == 0 {
            (step_panel(1, "Make a product", html! {
                p { "A product bundles the features that your application checks out." }
                (link_button("New Product", "/products/new", Button::Primary))
            }))
        }
        @if overview.customers == 0 {
            (step_panel(2, "Make an account for a customer", html! {
                p { "With it the customer signs in here, sees licenses and activates license servers." }
                (link_button("New Account", "/accounts/new", Button::Plain))
            }))
        }
        @if overview.licenses == 0 {
            (step_panel(3, "Sell a license", html! {
                p { "Seats of a product, for a term, to an account." }
                (link_button("Sell License", "/licenses/new", Button::Plain))
            }))
        }
    }
}

/// Everything that the start page shows.
struct Home {
    overview: Overview,
    changes: Vec<AuditEntry>,
}

async fn look(viewer: &Viewer) -> Result<Home, Failure> {
    let facts = viewer.run(|portal, caller| {
        let newest = PageQuery { after: None, limit: Some(DEEDS) };
        Ok((overview::get(portal, caller)?, audit::list(portal, caller, &newest)?.items))
    });
    let (overview, mut changes) = facts.await?;
    // Signing in and out changes nothing; the whole log has it.
    changes.retain(|deed| !deed.action.starts_with("session."));
    changes.truncate(CHANGES);
    Ok(Home { overview, changes })
}

fn notices(overview: &Overview) -> Vec<Notice> {
    let ending = overview.workstations_ending;
    let notice = Notice::new(
        Tone::Warning,
        html! {
            "The activation files of " strong { (super::look::counted(ending, "workstation")) }
            " end within 14 days or have ended. " a href="/workstations?status=ending" { "Show them" }
        },
    );
    let ending = (ending > 0).then_some(notice);
    let given_up = overview.letters_given_up;
    let letters = Notice::new(
        Tone::Warning,
        html! {
            strong { (super::look::counted(given_up, "letter")) } " could not be delivered within a week. "
            a href="/mails?status=failed" { "Show them" }
        },
    );
    let letters = (given_up > 0).then_some(letters);
    let learns = overview.learning_until.map(|until| raise::learns(until.0));
    learns.into_iter().chain(ending).chain(letters).collect()
}

fn last_changes(home: &Home, viewer: &Viewer) -> Markup {
    super::audit::table_of("changes", &home.changes, false, &ListQuery::default(), None, viewer.now())
}

pub(super) async fn show(viewer: Viewer) -> Answer {
    if !viewer.is_operator() {
        return go("/licenses");
    }
    let home = look(&viewer).await?;
    let notices = notices(&home.overview);
    let content = html! {
        (page_header("Home", "", html! {}))
        (figures(&home.overview))
        (first_steps(&home.overview))
        h2 { "Last changes" }
        (last_changes(&home, &viewer))
        p { a href="/audit" { "The whole audit log" } }
    };
    Ok(viewer.page(Head { notices: &notices, live: Some("/live"), ..Head::wide("Home", "/") }, content).into_response())
}

/// The event stream of the start page.
pub(super) async fn live(watcher: Watcher) -> Answer {
    let draw = |viewer: Viewer| async move {
        let home = look(&viewer).await?;
        Ok(vec![
            ("notices", page::notices(&notices(&home.overview))),
            ("figures", figures(&home.overview)),
            ("changes", last_changes(&home, &viewer)),
        ])
    };
    watcher.follow(draw).await
}
