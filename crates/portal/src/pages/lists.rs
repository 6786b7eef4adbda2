//! Lists that are small enough to be sorted and filtered as a whole, and go on page by page, newest first, if not.

use super::fields::optional;
use crate::Failure;
use leasehold_core::ids::AccountId;
use leasehold_core::time::Ms;
use leasehold_web::components::{Column, ListQuery, Sort};
use leasehold_web::maud::Markup;
use leasehold_wire::portal::{AccountQuery, OwnedQuery, Page, PageQuery};
use std::cmp::Ordering;

/// Most rows on one page: as many as a service gives.
const ROWS_MAX: u32 = 200;

/// Which page is asked for.
pub(super) fn page_query(query: &ListQuery) -> PageQuery {
    PageQuery { after: query.get("after").map(str::to_owned), limit: Some(ROWS_MAX) }
}

/// The first page: what a form offers to choose from.
pub(super) fn first_page() -> PageQuery {
    PageQuery { after: None, limit: Some(ROWS_MAX) }
}

/// The same of accounts.
pub(super) fn first_accounts() -> AccountQuery {
    AccountQuery { limit: Some(ROWS_MAX), ..AccountQuery::default() }
}

/// Whose things are asked for, and which page of them.
pub(super) fn owned_query(query: &ListQuery) -> Result<OwnedQuery, Failure> {
    let owner: Option<AccountId> = optional(query.get("owner"))?;
    Ok(OwnedQuery { owner, after: query.get("after").map(str::to_owned), limit: Some(ROWS_MAX) })
}

/// One account's things.
pub(super) fn all_of(owner: AccountId) -> OwnedQuery {
    OwnedQuery { owner: Some(owner), after: None, limit: Some(ROWS_MAX) }
}

/// How a table of licenses or workstations is shown.
pub(super) struct Shown<'a> {
    /// With whose they are.
    pub(super) owners: bool,
    /// With headings that sort.
    pub(super) sorts: bool,
    /// The address it was asked for by.
    pub(super) query: &'a ListQuery,
    /// The place after the last row, if there is more.
    pub(super) next: Option<&'a str>,
    /// The time.
    pub(super) now: Ms,
    /// Instead of the table if there are no rows.
    pub(super) empty: Markup,
}

/// Whether a page is all there is. Sorting or filtering a part would show a wrong order.
pub(super) fn is_whole<T>(page: &Page<T>, query: &ListQuery) -> bool {
    page.next.is_none() && query.get("after").is_none()
}

/// The columns as they can be offered.
pub(super) fn columns(columns: &[Column], sorts: bool) -> Vec<Column> {
    columns.iter().map(|column| Column { sortable: column.sortable && sorts, ..*column }).collect()
}

/// Puts rows in the order that the address asks for; equal ones stay as they came.
pub(super) fn sort<T>(items: &mut [T], sort: Option<Sort>, compare: impl Fn(&str, &T, &T) -> Ordering) {
    let Some(Sort { key, descending }) = sort else { return };
    items.sort_by(|a, b| {
        let order = compare(key, a, b);
        if descending { order.reverse() } else { order }
    });
}

/// Whether one of `texts` contains what is searched for, whatever the case.
pub(super) fn found(query: &ListQuery, texts: &[&str]) -> bool {
    let Some(wanted) = query.get("q").map(|wanted| wanted.trim().to_lowercase()) else { return true };
    texts.iter().any(|text| text.to_lowercase().contains(&wanted))
}
