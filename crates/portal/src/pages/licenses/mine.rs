//! *Assigned to you*: seats that an organization gave to whoever is looking.

use super::{Viewer, table, term};
use crate::pages::look::{seats, stack, two_lines};
use leasehold_core::time::Ms;
use leasehold_web::components::{Column, ListQuery, Row, Table, Tone, badge, channel_badge, clip, status};
use leasehold_web::maud::{Markup, html};
use leasehold_web::text::number;
use leasehold_wire::portal::Assigned;

const COLUMNS: &[Column] = &[
    Column::new("product", "Product"),
    Column::new("organization", "By"),
    Column::new("seats", "Seats").end(),
    Column::new("active", "In effect"),
    Column::new("out", "At your servers").end(),
    Column::new("term", "Runs until"),
];

fn row(given: &Assigned, now: Ms) -> Row {
    Row::from(vec![
        two_lines(clip(&given.product.name), channel_badge(given.channel.word())),
        clip(&given.organization_name),
        html! { strong { (number(given.seats.into())) } },
        stack(in_effect(given)),
        html! { (number(given.seats_out.into())) },
        term(given.term, given.ends_at, now),
    ])
}

/// How many of the given seats can be used, and what the others wait for.
fn in_effect(given: &Assigned) -> Markup {
    let waiting = given.seats.saturating_sub(given.active);
    html! {
        @if !given.running {
            (badge("license does not run", Tone::Neutral))
        } @else if waiting == 0 {
            (status("All", Tone::Good))
        } @else {
            (status(&format!("{} of {}", number(given.active.into()), number(given.seats.into())), Tone::Warning))
            span.muted.small { (seats(waiting)) " more as soon as they are back from others" }
        }
    }
}

/// What was assigned to whoever is looking, if anything: live.
pub(super) fn section(given: &[Assigned], viewer: &Viewer) -> Markup {
    let now = viewer.now();
    html! {
        @if !given.is_empty() {
            section #mine.group aria-labelledby="mine-title" {
                div.section-head { h2 #mine-title { "Assigned to you" } }
                (table(&Table {
                    id: "assigned", caption: "Assigned to you", columns: COLUMNS,
                    rows: given.iter().map(|given| row(given, now)).collect(),
                    query: &ListQuery::default(), next: None, empty: html! {},
                }))
                p.hint {
                    "To use them, enable online licensing for yourself on a license server of yours. They come and go there by themselves."
                }
            }
        }
    }
}
