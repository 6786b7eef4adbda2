//! `/metrics`: for Prometheus and whatever reads its text. Whoever may see the totals may read it.

use super::{Asking, Refused};
use crate::server::Server;
use crate::service::Format;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use leasehold_wire::problem::Problem;

const OPEN_METRICS: &str = "application/openmetrics-text";

/// Seats by feature and state, counters, durations, days to every expiry. OpenMetrics for whoever accepts it, else
/// Prometheus text 0.0.4.
#[utoipa::path(
    get, path = "/metrics", tag = "health", security(()),
    responses(
        (status = 200, content((String = "application/openmetrics-text"), (String = "text/plain"))),
        (status = "default", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn metrics(
    State(server): State<Server>,
    Asking(caller): Asking,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let format = if accepts_open_metrics(&headers) { Format::OpenMetrics } else { Format::Prometheus };
    let kind = match format {
        Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        Format::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
    };
    let text = server.metrics(&caller, format).await?;
    let kind = HeaderValue::from_static(kind);
    Ok(([(header::CONTENT_TYPE, kind), (header::VARY, HeaderValue::from_static("accept"))], text).into_response())
}

/// Whether the reader names OpenMetrics 1.0.0 and does not refuse it. Readers that know both name it first.
fn accepts_open_metrics(headers: &HeaderMap) -> bool {
    let named = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    named.flat_map(|value| value.split(',')).any(|range| {
        let mut parts = range.split(';').map(|part| part.trim().to_ascii_lowercase());
        let wanted = parts.next().is_some_and(|kind| kind == OPEN_METRICS);
        wanted
            && parts.all(|part| match part.split_once('=') {
                Some(("version", version)) => version.trim_matches('"').starts_with("1."),
                Some(("q", weight)) => weight.parse().is_ok_and(|weight: f32| weight > 0.0),
                _ => true,
            })
    })
}
