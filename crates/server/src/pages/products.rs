//! The table of products and their features: what there is, what is in use, until when. Pure: from the status to markup.

use super::words;
use crate::service::gives_seats;
use leasehold_core::license::{Channel, Kind, Share};
use leasehold_core::time::{DAY_MS, Ms};
use leasehold_web::components::{Align, Button};
use leasehold_web::components::{
    Column, FilterOption, ListQuery, Row, Sort, Table, Tone, badge, channel_badge, clip, empty_state, filter_group,
    link_button, meter, relative, search_box, status, table, when, wrapped,
};
use leasehold_web::maud::{Markup, html};
use leasehold_web::text::{number, shorten};
use leasehold_wire::server::{FeatureStatus, LineStatus, OnlineState, PoolStatus, ServerState, StatusResponse};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// Seats that end within this time are pointed out, in milliseconds.
pub(super) const ENDS_SOON_MS: i64 = 14 * DAY_MS;

/// Characters of a product's name that are shown; longer ones would push everything else off the screen.
pub(super) const NAME_CHARS_SHOWN: usize = 100;

const COLUMNS: &[Column] = &[
    Column::new("name", "Product and features").sortable(),
    Column::new("state", "Mode"),
    Column::new("use", "In use").sortable(),
    Column { key: "free", label: "Free", align: Align::End, sortable: true },
    Column::new("until", "Expires").sortable(),
];

/// One product: every line of it that the portal granted, those whose last leases are running out, and the licenses of
/// which an online server may have seats.
#[derive(Clone, Debug)]
pub(super) struct Product<'a> {
    /// Its code.
    pub(super) code: &'a str,
    /// Its name. Hostile text.
    pub(super) name: &'a str,
    lines: Vec<&'a LineStatus>,
    pools: Vec<&'a PoolStatus>,
    features: Vec<&'a FeatureStatus>,
    /// The portal renews what is online by itself.
    kept_up: bool,
    /// Seats that nobody uses are given out.
    gives: bool,
    now: Ms,
}

impl Product<'_> {
    fn alive(&self) -> impl Iterator<Item = &LineStatus> {
        self.lines.iter().copied().filter(|line| line.granted && self.now < line.until.0)
    }

    /// Seats that have not ended.
    pub(super) fn seats(&self) -> u64 {
        self.alive().map(|line| u64::from(line.seats)).sum()
    }

    /// Seats in use; more than [`Product::seats`] while a reduced license runs out.
    pub(super) fn in_use(&self) -> u64 {
        self.lines.iter().map(|line| u64::from(line.seats_in_use)).sum()
    }

    /// Seats that nobody uses, and that somebody can get.
    pub(super) fn free(&self) -> u64 {
        if self.gives { self.seats().saturating_sub(self.in_use()) } else { 0 }
    }

    /// When the first of its seats end.
    pub(super) fn first_end(&self) -> Option<Ms> {
        self.alive().map(|line| line.until.0).min()
    }

    /// When the last of its seats end, or ended.
    pub(super) fn last_end(&self) -> Option<Ms> {
        self.lines.iter().filter(|line| line.granted).map(|line| line.until.0).max()
    }

    /// When the first of the seats from a file end, or of those that the portal renews by itself.
    pub(super) fn first_end_of(&self, offline: bool) -> Option<Ms> {
        let is = |line: &&LineStatus| line.seats > 0 && if offline { is_by_file(line) } else { !line.offline };
        self.alive().filter(is).map(|line| line.until.0).min()
    }

    /// Seats that are kept for use without the portal, and when the first of them end.
    fn kept(&self) -> Option<(u64, Ms)> {
        let end = self.alive().filter(|line| line.kept).map(|line| line.until.0).min()?;
        Some((self.alive().filter(|line| line.kept).map(|line| u64::from(line.seats)).sum(), end))
    }

    /// Seats that end first, and when, if that is soon. Those that the portal renews always end within days, and do not.
    pub(super) fn ending_soon(&self) -> Option<(u64, Ms)> {
        self.ending_within(ENDS_SOON_MS)
    }

    /// The same for any time to come, in milliseconds.
    pub(super) fn ending_within(&self, within_ms: i64) -> Option<(u64, Ms)> {
        let end = self.first_end_of(true).filter(|end| end.since(self.now) <= within_ms)?;
        let first = self.alive().filter(|line| is_by_file(line) && line.until.0 == end);
        Some((first.map(|line| u64::from(line.seats)).sum(), end))
    }

    fn free_in_the_account(&self) -> Option<u64> {
        (!self.pools.is_empty()).then(|| self.pools.iter().map(|pool| u64::from(pool.free)).sum())
    }

    /// Seats that are at no server and can come here.
    pub(super) fn can_come(&self) -> u64 {
        self.free_in_the_account().filter(|_| self.kept_up).unwrap_or(0)
    }

    fn is(&self, offline: bool) -> bool {
        self.alive().any(|line| line.offline == offline) || (!offline && !self.pools.is_empty())
    }

    fn matches(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let features = self.features.iter().map(|feature| feature.feature.as_str());
        let elsewhere = self.pools.iter().flat_map(|pool| pool.features.keys()).map(|feature| feature.as_str());
        features.chain(elsewhere).chain([self.code, self.name]).any(|word| word.to_lowercase().contains(&text))
    }
}

/// Whether the portal renews the seats of an online server by itself, or would if it were reached.
pub(super) fn is_kept_up(seen: &StatusResponse) -> bool {
    let state = seen.online.as_ref().map(|online| online.state);
    let renews = matches!(state, Some(OnlineState::Ok | OnlineState::Starting | OnlineState::Unreachable));
    renews && seen.state != ServerState::Draining
}

/// The products of a status, in order of code.
pub(super) fn products(seen: &StatusResponse) -> Vec<Product<'_>> {
    let now = seen.server_time.0;
    let kept_up = is_kept_up(seen);
    let gives = gives_seats(seen.state, seen.online.as_ref().map(|online| online.state));
    let new = |code, name| Product {
        code,
        name,
        lines: Vec::new(),
        pools: Vec::new(),
        features: Vec::new(),
        kept_up,
        gives,
        now,
    };
    let mut products: BTreeMap<&str, Product<'_>> = BTreeMap::new();
    for line in &seen.lines {
        let (code, name) = (line.product.as_str(), line.product_name.as_str());
        products.entry(code).or_insert_with(|| new(code, name)).lines.push(line);
    }
    // Licenses of which nothing is here are there all the same: their seats come when somebody asks.
    for pool in seen.online.iter().flat_map(|online| &online.pools) {
        let (code, name) = (pool.product.as_str(), pool.product_name.as_str());
        products.entry(code).or_insert_with(|| new(code, name)).pools.push(pool);
    }
    let mut products: Vec<Product<'_>> = products.into_values().collect();
    for product in &mut products {
        let codes: BTreeSet<_> = product.lines.iter().flat_map(|line| line.features.keys()).collect();
        product.features = seen.features.iter().filter(|feature| codes.contains(&feature.feature)).collect();
    }
    products
}

/// The buttons and the search field above the table.
pub(super) fn toolbar(all: &[Product<'_>], query: &ListQuery) -> Markup {
    let counted = |of: &dyn Fn(&Product<'_>) -> bool| Some(all.iter().filter(|product| of(product)).count() as u64);
    html! {
        div #filters.toolbar {
            (filter_group("Mode", "state", &[
                FilterOption { value: "", label: "All", count: Some(all.len() as u64) },
                FilterOption { value: "online", label: "Online", count: counted(&|product| product.is(false)) },
                FilterOption { value: "offline", label: "Offline", count: counted(&|product| product.is(true)) },
            ], query))
            (filter_group("Use", "use", &[
                FilterOption { value: "", label: "All", count: None },
                FilterOption { value: "available", label: "Available", count: counted(&|product| product.free() > 0) },
                FilterOption { value: "in_use", label: "In use", count: counted(&|product| product.in_use() > 0) },
            ], query))
            (search_box("Search products", query))
        }
    }
}

/// Whether a product is among those that the filters of the address ask for.
fn wanted(product: &Product<'_>, query: &ListQuery) -> bool {
    let mode = match query.get("state") {
        Some("online") => product.is(false),
        Some("offline") => product.is(true),
        _ => true,
    };
    let used = match query.get("use") {
        Some("available") => product.free() > 0,
        Some("in_use") => product.in_use() > 0,
        _ => true,
    };
    mode && used && query.get("q").is_none_or(|text| product.matches(text))
}

fn order(a: &Product<'_>, b: &Product<'_>, sort: Sort) -> Ordering {
    // Shares of use are compared as fractions, crosswise.
    let share = |product: &Product<'_>, other: &Product<'_>| u128::from(product.in_use()) * u128::from(other.seats());
    let ordering = match sort.key {
        "use" => share(a, b).cmp(&share(b, a)),
        "free" => a.free().cmp(&b.free()),
        "until" => a.first_end().or(a.last_end()).cmp(&b.first_end().or(b.last_end())),
        _ => a.name.to_lowercase().cmp(&b.name.to_lowercase()),
    };
    if sort.descending { ordering.reverse() } else { ordering }
}

/// The table. `holders_shown` makes each feature lead to those who hold it.
pub(super) fn products_table(all: &[Product<'_>], query: &ListQuery, holders_shown: bool) -> Markup {
    let mut shown: Vec<&Product<'_>> = all.iter().filter(|product| wanted(product, query)).collect();
    if let Some(sort) = query.sort(COLUMNS) {
        shown.sort_by(|a, b| order(a, b, sort));
    }
    let rows = shown.iter().flat_map(|product| rows(product, all, query, holders_shown)).collect();
    let empty = empty_state(
        "Nothing matches",
        "No product of this server matches the filters and the search.",
        link_button("Show all products", "/", Button::Plain),
    );
    table(&Table { id: "products", caption: "Products and features", columns: COLUMNS, rows, query, next: None, empty })
}

fn rows(product: &Product<'_>, all: &[Product<'_>], query: &ListQuery, holders_shown: bool) -> Vec<Row> {
    let mut rows = vec![Row::from(vec![
        name(product),
        mode(product),
        in_use(product),
        html! { (number(product.free())) },
        expiry(product),
    ])];
    rows.extend(product.features.iter().map(|feature| Row {
        cells: vec![
            feature_name(feature, product, all, query, holders_shown),
            html! {},
            meter(feature.feature.as_str(), u64::from(feature.in_use), u64::from(feature.total)),
            html! { (number(u64::from(feature.free))) },
            feature_expiry(feature, product),
        ],
        sub: true,
    }));
    rows
}

fn name(product: &Product<'_>) -> Markup {
    let channels = product.lines.iter().map(|line| line.channel).chain(product.pools.iter().map(|pool| pool.channel));
    let channels: BTreeSet<Channel> = channels.collect();
    let has = |of: &dyn Fn(&LineStatus) -> bool| product.alive().any(of);
    html! {
        div.two-lines {
            div { strong { (wrapped(&shorten(product.name, NAME_CHARS_SHOWN))) } }
            @if let Some(words) = in_the_account(product) { div.muted { (words) } }
            div.badges {
                // What was simply bought needs no word, unless there is also something else.
                @if channels.iter().any(|channel| *channel != Channel::Commercial) {
                    @for channel in channels { (channel_badge(channel.word())) }
                }
                @if has(&|line| line.kind == Kind::Named) { (badge("named", Tone::Neutral)) }
                @if has(&|line| line.assigned) || product.pools.iter().any(|pool| pool.assigned) {
                    span title="For the person at the license server's own machine only." { (badge("this machine only", Tone::Info)) }
                }
                @if has(&|line| line.share == Share::UserHost) {
                    span title="Several applications of one user on one machine use one seat." { (badge("shared per user and machine", Tone::Neutral)) }
                }
                @if product.lines.iter().any(|line| !line.granted && line.seats_in_use > 0) {
                    span title="The newest document of the portal holds fewer seats; the last applications on the others are running out." { (badge("running out", Tone::Warning)) }
                }
            }
        }
    }
}

fn in_use(product: &Product<'_>) -> Markup {
    match product.lines.is_empty() {
        true => html! { span.muted { "none here" } },
        false => meter(product.name, product.in_use(), product.seats()),
    }
}

/// Where the seats are that this server may have and has not.
fn in_the_account(product: &Product<'_>) -> Option<String> {
    let sum = |of: fn(&PoolStatus) -> u32| product.pools.iter().map(|pool| u64::from(of(pool))).sum::<u64>();
    let (seats, here) = (sum(|pool| pool.seats), sum(|pool| pool.here));
    let (elsewhere, free) = (sum(|pool| pool.elsewhere), product.free_in_the_account()?);
    let pending = sum(|pool| pool.pending);
    let bound = sum(|pool| pool.bound);
    if elsewhere + free + pending == 0 {
        return None;
    }
    let places: Vec<String> = [(elsewhere, "at other servers"), (free, "free"), (pending, "assigned and not here yet")]
        .into_iter()
        .filter(|(seats, _)| *seats > 0)
        .map(|(seats, place)| format!("{} {place}", number(seats)))
        .collect();
    let places = places.join(", ");
    Some(match here {
        _ if elsewhere + free == 0 && here > 0 && product.kept_up => {
            format!("{} more assigned and not here yet: they come by themselves", number(pending))
        }
        0 if elsewhere + free == 0 && product.kept_up => format!("0 here, {places}: they come by themselves"),
        0 if product.kept_up && free == 0 && bound >= elsewhere => {
            format!("0 here, {places} that do not give them back by themselves: by file, revoked or not heard of")
        }
        0 if product.kept_up => format!("0 here, {places}: seats come here when somebody asks"),
        0 => format!("0 here, {places}"),
        _ => format!("{} in the account: {places}", number(seats)),
    })
}

fn mode(product: &Product<'_>) -> Markup {
    html! {
        div.two-lines {
            @if product.is(false) {
                span title="Renewed with the portal by itself." { (status("Online", Tone::Good)) }
            }
            @if product.is(true) {
                span title="From an activation file: works without the portal until it expires." { (status("Offline", Tone::Neutral)) }
            }
        }
    }
}

fn expiry(product: &Product<'_>) -> Markup {
    let online = product.first_end_of(false);
    let Some(first) = product.first_end_of(true) else {
        return html! {
            div.two-lines {
                @if let Some(end) = online {
                    (end_of_online(end, product))
                    (kept_until(product))
                } @else if product.first_end().is_some() {
                    // All that is here is kept.
                    (kept_until(product))
                } @else if let Some(ended) = product.last_end() {
                    div { (badge("expired", Tone::Bad)) }
                    (when(ended, product.now))
                } @else {
                    span.muted { "–" }
                }
            }
        };
    };
    let by_file = product.alive().filter(|line| is_by_file(line)).map(|line| line.until.0).max();
    let later = by_file.filter(|last| *last != first);
    let covered = product.alive().filter_map(|line| line.maintenance_until).max();
    html! {
        div.two-lines {
            div { (when(first, product.now)) }
            @if let Some((seats, _)) = product.ending_soon() { div { (badge(&words::count(seats, "seat ends soon", "seats end soon"), Tone::Warning)) } }
            @if let Some(last) = later { div.muted { "the last " (relative(last, product.now)) } }
            @if let Some(end) = online { (end_of_online(end, product)) }
            (kept_until(product))
            @if let Some(date) = covered {
                div.muted title="A perpetual license: releases after this date need a renewal of the maintenance." { "releases to " (date) }
            }
        }
    }
}

/// Seats that the portal renews by itself, unless something is wrong.
fn is_by_file(line: &LineStatus) -> bool {
    line.offline && !line.kept
}

fn kept_until(product: &Product<'_>) -> Markup {
    html! {
        @if let Some((seats, end)) = product.kept() {
            div.muted title="Kept for use without the portal" { (words::count(seats, "seat kept, ends", "seats kept, the first end")) " " (relative(end, product.now)) }
        }
    }
}

fn end_of_online(end: Ms, product: &Product<'_>) -> Markup {
    html! {
        @if product.kept_up {
            div { "Renewed online" }
            div.muted title={ "Until " (words::minute(end)) } {
                "without the portal: " span.nowrap { (words::length(end.since(product.now))) }
            }
        } @else {
            div { (when(end, product.now)) }
            div.muted { "not renewed" }
        }
    }
}

fn feature_name(
    feature: &FeatureStatus,
    product: &Product<'_>,
    all: &[Product<'_>],
    query: &ListQuery,
    holders_shown: bool,
) -> Markup {
    let code = feature.feature.as_str();
    let chosen = query.get("feature") == Some(code);
    let others: Vec<&str> = all
        .iter()
        .filter(|other| {
            other.code != product.code && other.features.iter().any(|theirs| theirs.feature == feature.feature)
        })
        .map(|other| other.name)
        .collect();
    html! {
        div.two-lines {
            @if holders_shown {
                a href={ (query.with("feature", (!chosen).then_some(code))) "#holders" }
                    aria-current=[chosen.then_some("true")] title={ "Who holds " (code) } { code { (code) } }
            } @else {
                code { (code) }
            }
            @if !others.is_empty() { div.muted { "counted together with " (clip(&others.join(", "))) } }
        }
    }
}

/// Only where it says more than the product's row.
fn feature_expiry(feature: &FeatureStatus, product: &Product<'_>) -> Markup {
    match feature.first_end {
        Some(end) if feature.offline > 0 && Some(end.0) != product.first_end() => when(end.0, product.now),
        _ => html! {},
    }
}

#[cfg(test)]
pub(super) mod tests;
