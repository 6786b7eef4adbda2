//! `/v1/status` and the list of leases.

use super::{Asking, Refused};
use crate::server::Server;
use axum::extract::State;
use leasehold_web::extract::{ApiJson, ApiQuery};
use leasehold_wire::problem::Problem;
use leasehold_wire::server::{LeaseQuery, LeaseView, Page, StatusResponse};

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
