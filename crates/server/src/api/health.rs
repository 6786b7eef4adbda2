//! For monitoring and tools: `/healthz`, `/readyz`, `/openapi.json`. No sign-in; tells nothing about users.

use crate::server::Server;
use axum::extract::State;
use axum::http::StatusCode;
use leasehold_web::extract::ApiJson;
use leasehold_web::problem::{ApiProblem, who};
use leasehold_wire::problem::Problem;
use leasehold_wire::server::codes;

/// The process runs.
#[utoipa::path(get, path = "/healthz", tag = "health", security(()), responses((status = 204)))]
pub(super) async fn alive() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// The server can do its work: what it is told gets stored. Whether it is activated is not asked here: an
/// administrator must reach it before.
#[utoipa::path(
    get, path = "/readyz", tag = "health", security(()),
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn ready(State(server): State<Server>) -> Result<StatusCode, ApiProblem> {
    if server.storage().ok {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(ApiProblem::from(
        Problem::new(503, codes::DISK_FULL, "The license server cannot store changes.")
            .next("Free space on its disk; its log and its page say what is wrong.", who::ADMINISTRATOR),
    ))
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "health", security(()), responses((status = 200, body = Object)))]
pub(super) async fn document() -> ApiJson<serde_json::Value> {
    ApiJson(super::openapi())
}
