//! `/v1/usage`: figures of a period, as JSON or as CSV.

use super::{Asking, Refused};
use crate::server::Server;
use crate::service::usage_csv;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use leasehold_web::extract::{ApiJson, ApiQuery};
use leasehold_wire::problem::Problem;
use leasehold_wire::server::{UsageFormat, UsageQuery, UsageResponse};

/// Figures of a period: for the administrator, or without users and hosts for everybody if the administrator opened it.
#[utoipa::path(
    get, path = "/v1/usage", tag = "status", params(UsageQuery),
    responses(
        (status = 200, content((UsageResponse = "application/json"), (String = "text/csv"))),
        (status = "default", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn usage(
    State(server): State<Server>,
    Asking(caller): Asking,
    headers: HeaderMap,
    ApiQuery(query): ApiQuery<UsageQuery>,
) -> Result<Response, Refused> {
    let usage = server.usage(&caller, &query).await?;
    let accepts = || headers.get(header::ACCEPT).is_some_and(|kinds| kinds.as_bytes().starts_with(b"text/csv"));
    let csv = query.format.map_or_else(accepts, |format| format == UsageFormat::Csv);
    let vary = (header::VARY, HeaderValue::from_static("accept"));
    if !csv {
        return Ok(([vary], ApiJson(usage)).into_response());
    }
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    Ok(([kind, vary], usage_csv(&usage, query.part.unwrap_or_default())).into_response())
}
