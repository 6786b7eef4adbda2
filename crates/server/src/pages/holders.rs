//! The table of who holds what, where, since when. Pure: from leases to markup. Everything in it that a client said is
//! hostile text.

use leasehold_core::time::{DAY_MS, Ms, SECOND_MS};
use leasehold_core::times::TimeTable;
use leasehold_web::components::{
    Column, ListQuery, Row, Table, Tone, ago, badge, clip, empty_state, relative, status, table, when,
};
use leasehold_web::maud::{Markup, html};
use leasehold_wire::server::{LeaseView, Page};

const COLUMNS: &[Column] = &[
    Column::new("user", "User"),
    Column::new("host", "Where"),
    Column::new("feature", "Feature"),
    Column::new("since", "Since"),
    Column::new("seen", "Last heartbeat"),
];
/// For whoever can take seats back.
const ADMINISTRATORS_COLUMNS: &[Column] =
    &[COLUMNS[0], COLUMNS[1], COLUMNS[2], COLUMNS[3], COLUMNS[4], Column::new("release", "").end()];

/// The table. `next` is the place after the last row where it has pages of its own; `releases`: whoever looks at it can
/// take seats back.
pub(super) fn holders_table(
    leases: &Page<LeaseView>,
    now: Ms,
    query: &ListQuery,
    next: Option<&str>,
    releases: bool,
) -> Markup {
    let rows = leases.items.iter().map(|lease| row(lease, now, releases)).collect();
    let columns = if releases { ADMINISTRATORS_COLUMNS } else { COLUMNS };
    let empty = empty_state(
        "Nobody holds a seat",
        "As soon as an application takes a seat, it is listed here with its user and machine.",
        html! {},
    );
    table(&Table { id: "holders-table", caption: "Who holds what", columns, rows, query, next, empty })
}

fn row(lease: &LeaseView, now: Ms, releases: bool) -> Row {
    let mut cells = vec![
        user(lease),
        html! {
            div.two-lines {
                @if is_held(lease) {
                    span.muted { "held since the restore" }
                } @else {
                    (name_or(&lease.host, nobody(lease)))
                    div.muted { code { (lease.address) } }
                }
            }
        },
        html! {
            div.two-lines {
                code { (lease.feature.as_str()) }
                @if !lease.version.is_empty() { div.muted title="Version of the application" { (clip(&lease.version)) } }
                div.badges {
                    @if lease.seats > 1 { (badge(&format!("{} seats", lease.seats), Tone::Neutral)) }
                    @if lease.shared {
                        span title="Shares one seat with other applications of this user on this machine." { (badge("shared", Tone::Neutral)) }
                    }
                }
            }
        },
        when(lease.started_at.0, now),
        heartbeat(lease, now),
    ];
    if releases {
        cells.push(html! {
            @if let Some(pass) = &lease.pass {
                a href={ "/passes/lost?pass=" (pass.pass) } { @if is_held(lease) { "Was it lent?" } @else { "Lost?" } }
            } @else if lease.released.is_none() {
                a href={ "/holders/release?lease=" (lease.lease) } title="Take the seat back" { span.nowrap { "Take back" } }
            }
        });
    }
    Row::from(cells)
}

fn user(lease: &LeaseView) -> Markup {
    let labels: Vec<String> = lease.labels.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let labels = labels.join(", ");
    html! {
        div.two-lines {
            (name_or(&lease.user, nobody(lease)))
            @if !lease.labels.is_empty() { div.muted { (clip(&labels)) } }
        }
    }
}

fn name_or(name: &str, otherwise: &str) -> Markup {
    html! { @if name.trim().is_empty() { span.muted { (otherwise) } } @else { (clip(name)) } }
}

/// How long a holder may be silent before it is worth a look, in milliseconds: then its lease is in grace.
fn quiet_ms() -> i64 {
    i64::from(TimeTable::DEFAULT.lease.ttl_s) * SECOND_MS
}

fn heartbeat(lease: &LeaseView, now: Ms) -> Markup {
    // After a restart the last sign on disk may be old, while the lease runs its full time anew.
    let grace_ms = i64::from(TimeTable::DEFAULT.lease.grace_s) * SECOND_MS + TimeTable::DEFAULT.lease_allowance_ms;
    let late = now.since(lease.seen_at.0) > quiet_ms() && lease.freed_at.0.since(now) <= grace_ms;
    html! {
        div.two-lines {
            @if let Some(pass) = &lease.pass {
                (status(if pass.lost_at.is_some() { "Lost" } else if pass.unknown_since.is_some() { "Held" } else { "Borrowed" }, if pass.lost_at.is_some() { Tone::Bad } else { Tone::Info }))
                div.muted title={ "Until " (super::words::minute(pass.until.0)) } { "ends " (relative(pass.until.0, now)) }
            } @else if let Some(released) = &lease.released {
                (status("Taken back", Tone::Warning))
                div.muted title=(if released.told { "The application was told and is saving." } else { "The application hears of it at its next heartbeat." }) {
                    (if released.told { "told, " } else { "not told yet, " }) "freed " (relative(lease.freed_at.0, now)) " at the latest"
                }
                @if !released.reason.is_empty() { div.muted { (clip(&released.reason)) } }
            } @else if lease.withdrawn {
                (status("Runs out", Tone::Warning))
                div.muted title="The license behind it was reduced or taken away, so it is not renewed." { "freed " (relative(lease.freed_at.0, now)) }
            } @else if late {
                (status("No heartbeat", Tone::Warning))
                div.muted { "last " (ago(lease.seen_at.0, now)) ", freed " (relative(lease.freed_at.0, now)) }
            } @else {
                (status("Running", Tone::Good))
                div.muted { (heard(lease.seen_at.0, now)) }
            }
        }
    }
}

/// The time of day, to the second: unlike an age it changes only when something was heard, and so does the open page.
fn heard(at: Ms, now: Ms) -> Markup {
    let text = at.rfc3339();
    match text.get(11..19).filter(|_| now.since(at) < DAY_MS) {
        Some(time) => html! { time datetime=(text) title=(super::words::minute(at)) { (time) " UTC" } },
        None => ago(at, now),
    }
}

/// Nobody knows whether it was lent: the server was restored.
fn is_held(lease: &LeaseView) -> bool {
    lease.pass.as_ref().is_some_and(|pass| pass.unknown_since.is_some())
}

/// Who it is that gave no name.
fn nobody(lease: &LeaseView) -> &'static str {
    if is_held(lease) { "perhaps a laptop" } else { "no name given" }
}
