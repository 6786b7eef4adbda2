//! `/api/v1/sessions` and `/api/v1/me`.

use crate::front::{self, Front, SignedIn as Caller};
use crate::service::sessions;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use leasehold_web::extract::ApiJson;
use leasehold_web::listener::Connection;
use leasehold_web::problem::ApiProblem;
use leasehold_wire::portal::{Account, SignIn, SignedIn};
use leasehold_wire::problem::Problem;

/// Sign in.
///
/// Repeating it makes another session, so it takes no `Idempotency-Key`.
#[utoipa::path(
    post, path = "/api/v1/sessions", operation_id = "sign_in", tag = "sessions", security(()), request_body = SignIn,
    responses((status = 201, body = SignedIn), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn sign_in(
    State(front): State<Front>,
    connection: Connection,
    headers: HeaderMap,
    ApiJson(wish): ApiJson<SignIn>,
) -> Result<super::Created<SignedIn>, ApiProblem> {
    let (address, agent) = (front.address(&connection, &headers), front::agent(&headers));
    let (_, signed_in) = front.portal().run(move |portal| sessions::sign_in(portal, address, &agent, &wish)).await?;
    Ok(super::Created(signed_in))
}

/// Sign out: ends the session whose token is sent.
#[utoipa::path(
    delete, path = "/api/v1/sessions/current", operation_id = "sign_out", tag = "sessions",
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn sign_out(State(front): State<Front>, Caller(caller): Caller) -> Result<StatusCode, ApiProblem> {
    front.portal().run(move |portal| sessions::sign_out(portal, &caller)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who is signed in.
#[utoipa::path(
    get, path = "/api/v1/me", operation_id = "get_me", tag = "sessions",
    responses((status = 200, body = Account), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn me(Caller(caller): Caller) -> Result<ApiJson<Account>, ApiProblem> {
    caller.account().cloned().map(ApiJson).ok_or_else(|| crate::Failure::SignIn.into())
}
