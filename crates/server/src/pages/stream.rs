//! Keeps open pages up to date. A page without script is as good, it only stands still.

use super::Pages;
use axum::response::Response;
pub(super) use leasehold_web::live::{Fragments, Live};

/// The event stream of a page.
pub(super) fn stream(pages: &Pages, page: impl Live) -> Response {
    pages.streams.follow(page)
}
