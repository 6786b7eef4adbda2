//! Tables and their controls. Sort order, filters and place are kept in the address, so a list can be bookmarked, sent
//! to a colleague and works without script.

use super::icon;
use crate::text::{number, visible};
use axum::extract::Query;
use axum::http::Uri;
use maud::{Markup, html};
use std::fmt::Write;

/// Longest value kept from an address, in characters; a longer one is left out.
pub const LIST_VALUE_CHARS_MAX: usize = 400;

/// Most parameters kept from an address.
const PARAMETERS_MAX: usize = 16;

/// The parameters of a list's address: `sort` (`name`, or `-name` for descending), `after` (place), `q` (search), and
/// the service's filters. All hostile.
#[derive(Clone, Debug, Default)]
pub struct ListQuery(Vec<(String, String)>);

/// A sort order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    /// The [`Column::key`].
    pub key: &'static str,
    /// From large to small.
    pub descending: bool,
}

impl ListQuery {
    /// Reads the parameters of a request's address. Of equal names the first counts; empty and overlong values are left
    /// out.
    pub fn of(uri: &Uri) -> ListQuery {
        let Ok(Query(given)) = Query::<Vec<(String, String)>>::try_from_uri(uri) else { return ListQuery::default() };
        let mut kept: Vec<(String, String)> = Vec::new();
        for (name, value) in given {
            let fits = !value.is_empty() && value.chars().count() <= LIST_VALUE_CHARS_MAX && name.len() <= 40;
            if fits && kept.len() < PARAMETERS_MAX && kept.iter().all(|(known, _)| *known != name) {
                kept.push((name, value));
            }
        }
        ListQuery(kept)
    }

    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The sort order, if it is one that `columns` offer.
    pub fn sort(&self, columns: &[Column]) -> Option<Sort> {
        let text = self.get("sort")?;
        let (key, descending) = text.strip_prefix('-').map_or((text, false), |key| (key, true));
        let column = columns.iter().find(|column| column.sortable && column.key == key)?;
        Some(Sort { key: column.key, descending })
    }

    /// The address (`?..`, relative to the list) with one parameter changed; `None` removes it. Any change but that of
    /// the place goes back to the first page.
    pub fn with(&self, name: &str, value: Option<&str>) -> String {
        let mut address = String::from("?");
        let kept = self.0.iter().filter(|(known, _)| known != name && known != "after");
        let pairs = kept.map(|(name, value)| (name.as_str(), value.as_str())).chain(value.map(|value| (name, value)));
        for (i, (name, value)) in pairs.enumerate() {
            if i > 0 {
                address.push('&');
            }
            percent_encode(&mut address, name);
            address.push('=');
            percent_encode(&mut address, value);
        }
        address
    }

    /// The query itself (`?..`), to hand on to a page's event stream.
    pub fn as_address(&self) -> String {
        self.with("after", self.get("after"))
    }
}

fn percent_encode(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            // Writing to a `String` cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

/// On which side a column's values stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Start,
    /// Figures and actions.
    End,
}

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name in `sort=`.
    pub key: &'static str,
    /// Its heading; empty for a column of actions.
    pub label: &'static str,
    /// Where its values stand.
    pub align: Align,
    /// Whether the heading is a link that sorts.
    pub sortable: bool,
}

impl Column {
    /// A column of words that does not sort.
    pub const fn new(key: &'static str, label: &'static str) -> Column {
        Column { key, label, align: Align::Start, sortable: false }
    }

    /// The heading sorts.
    pub const fn sortable(mut self) -> Column {
        self.sortable = true;
        self
    }

    /// Values stand at the end.
    pub const fn end(mut self) -> Column {
        self.align = Align::End;
        self
    }
}

/// A row.
#[derive(Clone, Debug)]
pub struct Row {
    /// One per column.
    pub cells: Vec<Markup>,
    /// Belongs to the row above, such as a feature to its product.
    pub sub: bool,
}

impl From<Vec<Markup>> for Row {
    fn from(cells: Vec<Markup>) -> Row {
        Row { cells, sub: false }
    }
}

/// A list.
#[derive(Clone, Debug)]
pub struct Table<'a> {
    /// The element's id, for live updates.
    pub id: &'a str,
    /// What is listed, for screen readers.
    pub caption: &'a str,
    /// The columns.
    pub columns: &'a [Column],
    /// The rows.
    pub rows: Vec<Row>,
    /// The address this list was asked for by.
    pub query: &'a ListQuery,
    /// The place after the last row, if there is more.
    pub next: Option<&'a str>,
    /// Shown instead of the table if there are no rows; see [`super::empty_state`].
    pub empty: Markup,
}

/// A list as a native table; on a narrow screen each row becomes a small card with its headings inside.
pub fn table(table: &Table<'_>) -> Markup {
    let sort = table.query.sort(table.columns);
    html! {
        div #(table.id).table-box {
            @if table.rows.is_empty() {
                (table.empty)
            } @else {
                // The roles say again what the elements are: browsers forget it where the narrow layout changes `display`.
                // Focusable, so that the keyboard can scroll it where it does not fit.
                div.table-scroll tabindex="0" role="region" aria-label=(visible(table.caption)) {
                    table role="table" aria-label=(visible(table.caption)) {
                        thead role="rowgroup" {
                            tr role="row" { @for column in table.columns { (heading(column, sort, table.query)) } }
                        }
                        tbody role="rowgroup" { @for row in &table.rows { (table_row(row, table.columns)) } }
                    }
                }
            }
            @if table.next.is_some() || table.query.get("after").is_some() {
                nav.pages aria-label={ "Pages of " (visible(table.caption)) } {
                    @if table.query.get("after").is_some() { a.button.plain href=(table.query.with("after", None)) { "First page" } }
                    @if let Some(next) = table.next { a.button.plain href=(table.query.with("after", Some(next))) rel="next" { "Next" } }
                }
            }
        }
    }
}

fn table_row(row: &Row, columns: &[Column]) -> Markup {
    html! {
        tr.sub[row.sub] role="row" {
            @for (column, cell) in columns.iter().zip(&row.cells) {
                td.end[column.align == Align::End] role="cell" data-label=(column.label) { (cell) }
            }
        }
    }
}

fn heading(column: &Column, sort: Option<Sort>, query: &ListQuery) -> Markup {
    let sorted = sort.filter(|sort| sort.key == column.key);
    let order = sorted.map(|sort| if sort.descending { "descending" } else { "ascending" });
    html! {
        th.end[column.align == Align::End] role="columnheader" scope="col" aria-sort=[order] {
            @if column.sortable {
                @let upwards = sorted.is_some_and(|sort| !sort.descending);
                @let next = if upwards { format!("-{}", column.key) } else { column.key.to_owned() };
                a.sort href=(query.with("sort", Some(&next))) {
                    (column.label)
                    @match order {
                        Some("ascending") => (icon("m4.5 9.5 3.5-4 3.5 4")),
                        Some(_) => (icon("m4.5 6.5 3.5 4 3.5-4")),
                        None => (icon("m5 6.2 3-3 3 3M5 9.8l3 3 3-3")),
                    }
                }
            } @else if column.label.is_empty() {
                span.unseen { "Actions" }
            } @else {
                (column.label)
            }
        }
    }
}

/// One choice of a filter.
#[derive(Clone, Copy, Debug)]
pub struct FilterOption {
    /// Its value in the address; empty for *all*.
    pub value: &'static str,
    /// Its words.
    pub label: &'static str,
    /// How many there are, if known.
    pub count: Option<u64>,
}

/// A row of buttons of which one is chosen, such as *All · Online · Offline*. `name` is the parameter in the address.
pub fn filter_group(legend: &str, name: &str, options: &[FilterOption], query: &ListQuery) -> Markup {
    let chosen = query.get(name).unwrap_or("");
    html! {
        div.filters role="group" aria-label=(visible(legend)) {
            @for option in options {
                @let value = (!option.value.is_empty()).then_some(option.value);
                a href=(query.with(name, value)) aria-current=[(option.value == chosen).then_some("true")] {
                    (option.label)
                    @if let Some(count) = option.count { span.count { (number(count)) } }
                }
            }
        }
    }
}

/// A search field that keeps the other parameters; it searches by `q`.
pub fn search_box(label: &str, query: &ListQuery) -> Markup {
    html! {
        form.search method="get" role="search" {
            @for (name, value) in &query.0 {
                @if name != "q" && name != "after" { input type="hidden" name=(name) value=(value); }
            }
            (icon("m14 14-3.6-3.6M11.5 7a4.5 4.5 0 1 1-9 0 4.5 4.5 0 0 1 9 0Z"))
            input type="search" name="q" value=(query.get("q").unwrap_or("")) aria-label=(visible(label)) placeholder=(visible(label));
        }
    }
}
