//! `/v1/administrators` and `/v1/sessions`: accounts of this server's administrators and their sign-ins.

use super::{Asking, Refused};
use crate::server::Server;
use axum::extract::State;
use axum::http::StatusCode;
use leasehold_core::ids::SessionId;
use leasehold_web::extract::{ApiJson, ApiPath};
use leasehold_wire::problem::Problem;
use leasehold_wire::server::{
    AddAdministratorRequest, AdministratorsResponse, ChangeAdministratorRequest, EndedSessionsResponse,
    SessionsResponse,
};

/// Every account.
#[utoipa::path(
    get, path = "/v1/administrators", tag = "administrator",
    responses((status = 200, body = AdministratorsResponse), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn list(
    State(server): State<Server>,
    Asking(caller): Asking,
) -> Result<ApiJson<AdministratorsResponse>, Refused> {
    Ok(ApiJson(AdministratorsResponse { items: server.administrators(&caller).await? }))
}

/// Add an account. Names are unique, so it takes no `Idempotency-Key`.
#[utoipa::path(
    post, path = "/v1/administrators", tag = "administrator", request_body = AddAdministratorRequest,
    responses((status = 201), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn add(
    State(server): State<Server>,
    Asking(caller): Asking,
    ApiJson(wish): ApiJson<AddAdministratorRequest>,
) -> Result<StatusCode, Refused> {
    server.add_administrator(&caller, wish).await?;
    Ok(StatusCode::CREATED)
}

/// Change what an account may do, or set its password, which ends its sign-ins.
#[utoipa::path(
    patch, path = "/v1/administrators/{name}", tag = "administrator", request_body = ChangeAdministratorRequest,
    params(("name" = String, Path, description = "The account.")),
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn change(
    State(server): State<Server>,
    Asking(caller): Asking,
    ApiPath(name): ApiPath<String>,
    ApiJson(wish): ApiJson<ChangeAdministratorRequest>,
) -> Result<StatusCode, Refused> {
    server.change_administrator(&caller, &name, wish).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Remove an account with its sign-ins. The last one that may change things stays.
#[utoipa::path(
    delete, path = "/v1/administrators/{name}", tag = "administrator",
    params(("name" = String, Path, description = "The account.")),
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn remove(
    State(server): State<Server>,
    Asking(caller): Asking,
    ApiPath(name): ApiPath<String>,
) -> Result<StatusCode, Refused> {
    server.remove_administrator(&caller, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Every sign-in that has not ended.
#[utoipa::path(
    get, path = "/v1/sessions", tag = "administrator",
    responses((status = 200, body = SessionsResponse), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn sessions(
    State(server): State<Server>,
    Asking(caller): Asking,
) -> Result<ApiJson<SessionsResponse>, Refused> {
    Ok(ApiJson(SessionsResponse { items: server.sessions(&caller).await? }))
}

/// End a sign-in.
#[utoipa::path(
    delete, path = "/v1/sessions/{session}", tag = "administrator",
    params(("session" = String, Path, description = "The sign-in.")),
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn end_session(
    State(server): State<Server>,
    Asking(caller): Asking,
    ApiPath(session): ApiPath<SessionId>,
) -> Result<StatusCode, Refused> {
    server.end_session(&caller, session).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// End all other sign-ins of the account that asks.
#[utoipa::path(
    post, path = "/v1/sessions/end-others", tag = "administrator",
    responses((status = 200, body = EndedSessionsResponse), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn end_others(
    State(server): State<Server>,
    Asking(caller): Asking,
) -> Result<ApiJson<EndedSessionsResponse>, Refused> {
    Ok(ApiJson(EndedSessionsResponse { ended: server.end_other_sessions(&caller).await? }))
}
