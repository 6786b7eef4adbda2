//! `/v1/online`: the way to the portal over the network.

use super::{Asking, Refused};
use crate::server::Server;
use axum::extract::State;
use axum::http::StatusCode;
use leasehold_web::extract::ApiJson;
use leasehold_wire::problem::Problem;
use leasehold_wire::server::{ActivationResponse, ConnectionTest, EnableRequest, TestConnectionRequest};

/// Try the way to the portal, step by step, with an account also the sign-in there; takes 25 seconds at most, and changes
/// nothing.
///
/// A connection that does not work is an answer, too: `ok` is false, and the step that failed says why.
#[utoipa::path(
    post, path = "/v1/online/test-connection", tag = "online", request_body = TestConnectionRequest,
    responses((status = 200, body = ConnectionTest), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn test_connection(
    State(server): State<Server>,
    Asking(caller): Asking,
    ApiJson(wish): ApiJson<TestConnectionRequest>,
) -> Result<ApiJson<ConnectionTest>, Refused> {
    Ok(ApiJson(server.test_connection(&caller, wish).await?))
}

/// Enable online licensing, with an account at the portal or a token that was made there. Nothing changes unless all of
/// it works.
#[utoipa::path(
    post, path = "/v1/online/enable", tag = "online", request_body = EnableRequest,
    responses((status = 200, body = ActivationResponse), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn enable(
    State(server): State<Server>,
    Asking(caller): Asking,
    ApiJson(wish): ApiJson<EnableRequest>,
) -> Result<ApiJson<ActivationResponse>, Refused> {
    Ok(ApiJson(server.enable(&caller, wish).await?))
}

/// Sync with the portal now, and wait until that is done.
#[utoipa::path(
    post, path = "/v1/online/refresh", tag = "online",
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn refresh(State(server): State<Server>, Asking(caller): Asking) -> Result<StatusCode, Refused> {
    server.refresh(&caller).await?;
    Ok(StatusCode::NO_CONTENT)
}
