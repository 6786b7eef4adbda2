//! `/api/v1/overview`.

use crate::front::{Front, SignedIn};
use crate::service::overview;
use axum::extract::State;
use leasehold_web::extract::ApiJson;
use leasehold_web::problem::ApiProblem;
use leasehold_wire::portal::Overview;
use leasehold_wire::problem::Problem;

/// How much there is of everything. Operators.
#[utoipa::path(
    get, path = "/api/v1/overview", operation_id = "get_overview", tag = "overview",
    responses((status = 200, body = Overview), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn get(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
) -> Result<ApiJson<Overview>, ApiProblem> {
    Ok(ApiJson(front.portal().run(move |portal| overview::get(portal, &caller)).await?))
}
