//! `/v1/status` and the list of leases.

use super::{Asking, Refused};
use crate::server::Server;
use axum::extract::State;
use leasehold_web::extract::{ApiJson, ApiQuery};
use leasehold_wire::problem::Problem;
use leasehold_wire::server::{
    BarsResponse, DenialQuery, DenialView, LeaseQuery, LeaseView, LiftRequest, LiftResponse, Page, ReleaseRequest,
    ReleaseResponse, SimulateRequest, SimulateResponse, StatusResponse,
};

/// State, features and lines with their totals; not who uses what.
#[utoipa::path(
    get, path = "/v1/status", tag = "status", security(()),
    responses((status = 200, body = StatusResponse), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn status(
    State(server): State<Server>,
    Asking(caller): Asking,
) -> Result<ApiJson<StatusResponse>, Refused> {
    Ok(ApiJson(server.status(&caller).await?))
}

/// Who holds what: for the administrator, or for everybody if the administrator opened it.
#[utoipa::path(
    get, path = "/v1/leases", tag = "status", params(LeaseQuery),
    responses((status = 200, body = Page<LeaseView>), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn leases(
    State(server): State<Server>,
    Asking(caller): Asking,
    ApiQuery(query): ApiQuery<LeaseQuery>,
) -> Result<ApiJson<Page<LeaseView>>, Refused> {
    Ok(ApiJson(server.leases(&caller, query).await?))
}

/// Who was denied, newest first, all tries of one want as one: for the administrator, or for everybody if the
/// administrator opened it.
#[utoipa::path(
    get, path = "/v1/denials", tag = "status", params(DenialQuery),
    responses((status = 200, body = Page<DenialView>), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn denials(
    State(server): State<Server>,
    Asking(caller): Asking,
    ApiQuery(query): ApiQuery<DenialQuery>,
) -> Result<ApiJson<Page<DenialView>>, Refused> {
    Ok(ApiJson(server.denials(&caller, &query).await?))
}

/// Would this checkout work? The verdict and each step that leads to it; nothing is changed.
#[utoipa::path(
    post, path = "/v1/simulate", tag = "status", security(()), request_body = SimulateRequest,
    responses((status = 200, body = SimulateResponse), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn simulate(
    State(server): State<Server>,
    Asking(caller): Asking,
    ApiJson(wish): ApiJson<SimulateRequest>,
) -> Result<ApiJson<SimulateResponse>, Refused> {
    Ok(ApiJson(server.simulate(&caller, wish).await?))
}

/// Take seats back from their holders: one seat, all of a host, or all of a user. Again is harmless.
#[utoipa::path(
    post, path = "/v1/releases", tag = "administrator", request_body = ReleaseRequest,
    responses((status = 200, body = ReleaseResponse), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn release(
    State(server): State<Server>,
    Asking(caller): Asking,
    ApiJson(wish): ApiJson<ReleaseRequest>,
) -> Result<ApiJson<ReleaseResponse>, Refused> {
    Ok(ApiJson(server.release(&caller, wish).await?))
}

/// Who gets no seat for a while because theirs was taken back: for the administrator, or for everybody who may see holders.
#[utoipa::path(
    get, path = "/v1/bars", tag = "administrator",
    responses((status = 200, body = BarsResponse), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn bars(
    State(server): State<Server>,
    Asking(caller): Asking,
) -> Result<ApiJson<BarsResponse>, Refused> {
    Ok(ApiJson(server.bars(&caller).await?))
}

/// Let a user, or whoever is at a host, have seats again before the time is over.
#[utoipa::path(
    post, path = "/v1/bars/lift", tag = "administrator", request_body = LiftRequest,
    responses((status = 200, body = LiftResponse), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn lift(
    State(server): State<Server>,
    Asking(caller): Asking,
    ApiJson(wish): ApiJson<LiftRequest>,
) -> Result<ApiJson<LiftResponse>, Refused> {
    Ok(ApiJson(server.lift(&caller, wish).await?))
}
