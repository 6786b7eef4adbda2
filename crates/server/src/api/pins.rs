//! `/v1/pins`: seats kept at this server for use without the portal.

use super::{Asking, Refused};
use crate::server::Server;
use axum::extract::State;
use leasehold_web::extract::ApiJson;
use leasehold_wire::portal::{KeepSeats, SeatsKept};
use leasehold_wire::problem::Problem;
use leasehold_wire::server::OfflineUse;

/// What is kept at this server for use without the portal, and what could be.
///
/// If the portal is not reached: what it said last, and why it is not.
#[utoipa::path(
    get, path = "/v1/pins", tag = "online",
    responses((status = 200, body = OfflineUse), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn pins(State(server): State<Server>, Asking(caller): Asking) -> Result<ApiJson<OfflineUse>, Refused> {
    Ok(ApiJson(server.pins(&caller).await?))
}

/// Keep seats at this server for use without the portal, or release them: in place of what is kept of each named license.
/// With `preview` it only says what would come of it. If the portal is not reached nothing is changed.
#[utoipa::path(
    post, path = "/v1/pins", tag = "online", request_body = KeepSeats,
    responses((status = 200, body = SeatsKept), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn keep(
    State(server): State<Server>,
    Asking(caller): Asking,
    ApiJson(wish): ApiJson<KeepSeats>,
) -> Result<ApiJson<SeatsKept>, Refused> {
    Ok(ApiJson(server.keep_seats(&caller, wish).await?))
}
