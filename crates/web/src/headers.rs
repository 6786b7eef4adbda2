//! Security headers of every answer. A handler that sets one of them itself keeps its own value.

use axum::Router;
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use tower::util::MapResponseLayer;

/// What pages may load: our own files only, nothing inline, no frame around them.
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
);

/// What an API answer may load if somebody opens it in a browser: nothing.
const API_POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// One year: the usual promise of HTTPS.
const HSTS_VALUE: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Whether browsers are told to use HTTPS only for this host from now on.
///
/// `On` only with a certificate that browsers trust and where the whole host is the service's: the promise holds for all
/// ports of the host, and with it a browser lets nobody pass a certificate warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hsts {
    /// Send `Strict-Transport-Security`.
    On,
    /// Do not.
    Off,
}

/// Wraps a router of pages.
pub fn for_pages<S: Clone + Send + Sync + 'static>(router: Router<S>, hsts: Hsts) -> Router<S> {
    router.layer(MapResponseLayer::new(move |mut response: Response| {
        of_page(response.headers_mut(), hsts);
        response
    }))
}

/// Adds the headers of a page: for a page that is drawn outside of its router, such as one that shows a problem.
pub fn of_page(headers: &mut HeaderMap, hsts: Hsts) {
    common(headers, PAGE_POLICY, hsts);
    add(headers, header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    add(headers, HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"));
}

/// Wraps an API router.
pub fn for_api<S: Clone + Send + Sync + 'static>(router: Router<S>, hsts: Hsts) -> Router<S> {
    router.layer(MapResponseLayer::new(move |mut response: Response| {
        common(response.headers_mut(), API_POLICY, hsts);
        response
    }))
}

fn common(headers: &mut HeaderMap, policy: HeaderValue, hsts: Hsts) {
    add(headers, header::CONTENT_SECURITY_POLICY, policy);
    add(headers, header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    add(headers, header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if hsts == Hsts::On {
        add(headers, header::STRICT_TRANSPORT_SECURITY, HSTS_VALUE);
    }
}

fn add(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
    headers.entry(name).or_insert(value);
}
