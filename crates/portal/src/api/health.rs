//! For monitoring and tools: `/healthz`, `/readyz`, `/openapi.json`. No sign-in; tells nothing about customers.

use crate::front::Front;
use crate::service::health;
use axum::extract::State;
use axum::http::StatusCode;
use leasehold_web::extract::ApiJson;
use leasehold_web::problem::ApiProblem;
use leasehold_wire::problem::Problem;

/// The process runs.
#[utoipa::path(get, path = "/healthz", operation_id = "alive", tag = "health", security(()), responses((status = 204)))]
pub(super) async fn alive() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// The portal can do its work: its database answers and their clocks agree.
#[utoipa::path(
    get, path = "/readyz", operation_id = "ready", tag = "health", security(()),
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn ready(State(front): State<Front>) -> Result<StatusCode, ApiProblem> {
    front.portal().run(health::ready).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", operation_id = "get_openapi", tag = "health", security(()), responses((status = 200, body = Object)))]
pub(super) async fn document() -> ApiJson<serde_json::Value> {
    ApiJson(super::openapi())
}
