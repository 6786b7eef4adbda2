//! The start page: an operator's figures; everybody else starts at their licenses.

use super::look::{Head, Viewer};
use super::{Answer, go};
use crate::service::{audit, overview};
use axum::response::IntoResponse;
use leasehold_web::components::{Button, ListQuery, Tile, Tone, link_button, page_header, step_panel, tiles};
use leasehold_web::maud::{Markup, html};
use leasehold_web::page::Notice;
use leasehold_web::text::number;
use leasehold_wire::portal::{Overview, PageQuery};

/// Changes on the start page.
const CHANGES: usize = 10;
/// Deeds among which they are looked for.
const DEEDS: u32 = 100;

fn figures(overview: &Overview) -> Markup {
    let tile = |label, value, detail: String| Tile { label, value: number(value), detail, tone: Tone::Neutral };
    tiles(&[
        tile("Customers", overview.customers, String::new()),
        tile("Products", overview.products, String::new()),
        tile("Licenses", overview.licenses, super::look::counted(overview.seats, "seat")),
        tile("Workstations", overview.workstations, "active".to_owned()),
    ])
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

pub(super) async fn show(viewer: Viewer) -> Answer {
    if !viewer.is_operator() {
        return go("/licenses");
    }
    let facts = viewer.run(|portal, caller| {
        let newest = PageQuery { after: None, limit: Some(DEEDS) };
        Ok((overview::get(portal, caller)?, audit::list(portal, caller, &newest)?.items))
    });
    let (overview, mut changes) = facts.await?;
    // Signing in and out changes nothing; the whole log has it.
    changes.retain(|deed| !deed.action.starts_with("session."));
    changes.truncate(CHANGES);
    let ending = overview.workstations_ending;
    let notice = Notice::new(
        Tone::Warning,
        html! {
            "The activation files of " strong { (super::look::counted(ending, "workstation")) }
            " end within 14 days or have ended. " a href="/workstations?status=ending" { "Show them" }
        },
    );
    let notices = if ending > 0 { vec![notice] } else { Vec::new() };
    let content = html! {
        (page_header("Home", "", html! {}))
        (figures(&overview))
        (first_steps(&overview))
        h2 { "Last changes" }
        (super::audit::table_of("changes", &changes, false, &ListQuery::default(), None, viewer.now()))
        p { a href="/audit" { "The whole audit log" } }
    };
    Ok(viewer.page(Head { notices: &notices, ..Head::wide("Home", "/") }, content).into_response())
}
