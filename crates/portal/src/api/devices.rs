//! `/api/v1/device/...`: programs without a browser (RFC 8628). What the RFC defines speaks its words, forms in and OAuth's
//! errors out; what people do speaks those of the rest.

use crate::Failure;
use crate::front::{Front, SignedIn as Caller};
use crate::service::devices::{self, NoToken};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use leasehold_web::extract::{ApiJson, ApiPath, PageForm};
use leasehold_web::listener::Connection;
use leasehold_web::problem::ApiProblem;
use leasehold_wire::portal::{
    DEVICE_GRANT, DecideDevice, DeviceCode, DeviceRequest, DeviceToken, DeviceTokenRequest, OAuthError, WaitingDevice,
};
use leasehold_wire::problem::Problem;

/// An answer with a secret in it, or one that changes with time: nobody keeps it.
fn unkept(answer: impl IntoResponse) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], answer).into_response()
}

fn refused(status: StatusCode, error: &str, description: String) -> Response {
    let body = OAuthError { error: error.to_owned(), error_description: description };
    unkept((status, ApiJson(body)))
}

/// What else goes wrong, in the words of OAuth.
fn failed(failure: Failure) -> Response {
    let of_scope = matches!(failure, Failure::Invalid { field: "scope", .. });
    in_words_of_oauth(&failure.into(), if of_scope { "invalid_scope" } else { "invalid_request" })
}

fn unread(problem: &ApiProblem) -> Response {
    in_words_of_oauth(problem, "invalid_request")
}

fn in_words_of_oauth(problem: &ApiProblem, error: &str) -> Response {
    let problem = problem.problem();
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let description = format!("{} {}", problem.title, problem.detail);
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return refused(status, "temporarily_unavailable", description);
    }
    refused(StatusCode::BAD_REQUEST, error, description)
}

/// A program without a browser asks to act for somebody (RFC 8628).
///
/// It shows `user_code` and `verification_uri`; whoever types the code there decides.
#[utoipa::path(
    post, path = "/api/v1/device/authorize", operation_id = "authorize_device", tag = "accounts", security(()),
    request_body(content = DeviceRequest, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = DeviceCode), (status = "default", body = OAuthError))
)]
pub(super) async fn authorize(
    State(front): State<Front>,
    connection: Connection,
    headers: HeaderMap,
    form: Result<PageForm<DeviceRequest>, ApiProblem>,
) -> Response {
    let PageForm(wish) = match form {
        Ok(form) => form,
        Err(problem) => return unread(&problem),
    };
    let address = front.address(&connection, &headers);
    match front.portal().run(move |portal| devices::request(portal, address, &wish)).await {
        Ok(code) => unkept(ApiJson(code)),
        Err(failure) => failed(failure),
    }
}

/// Such a program asks whether it may, and is given its token, once (RFC 8628).
#[utoipa::path(
    post, path = "/api/v1/device/token", operation_id = "device_token", tag = "accounts", security(()),
    request_body(content = DeviceTokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = DeviceToken), (status = "default", body = OAuthError))
)]
pub(super) async fn token(
    State(front): State<Front>,
    connection: Connection,
    headers: HeaderMap,
    form: Result<PageForm<DeviceTokenRequest>, ApiProblem>,
) -> Response {
    let PageForm(wish) = match form {
        Ok(form) => form,
        Err(problem) => return unread(&problem),
    };
    let bad = |error: &str, description: &str| refused(StatusCode::BAD_REQUEST, error, description.to_owned());
    if wish.grant_type != DEVICE_GRANT {
        return bad("unsupported_grant_type", "`grant_type` must be that of RFC 8628.");
    }
    let address = front.address(&connection, &headers);
    match front.portal().run(move |portal| devices::token(portal, address, &wish.device_code)).await {
        Ok(Ok(token)) => unkept(ApiJson(token)),
        Ok(Err(NoToken::Pending)) => bad("authorization_pending", "Nobody has decided yet. Ask again."),
        Ok(Err(NoToken::SlowDown(interval_s))) => {
            bad("slow_down", &format!("Asked too soon. Ask every {interval_s} seconds from now on."))
        }
        Ok(Err(NoToken::Denied)) => bad("access_denied", "It was refused."),
        Ok(Err(NoToken::Expired)) => bad("expired_token", "Nobody decided in time. Begin anew."),
        Ok(Err(NoToken::Unknown)) => {
            bad("invalid_grant", "No program waits with this secret; it was answered, or is mistyped.")
        }
        Err(failure) => failed(failure),
    }
}

/// The program that shows a code.
#[utoipa::path(
    get, path = "/api/v1/device/codes/{code}", operation_id = "get_device", tag = "accounts", params(("code" = String, Path)),
    responses((status = 200, body = WaitingDevice), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn get(
    State(front): State<Front>,
    Caller(caller): Caller,
    ApiPath(code): ApiPath<String>,
) -> Result<ApiJson<WaitingDevice>, ApiProblem> {
    Ok(ApiJson(front.portal().run(move |portal| devices::look(portal, &caller, &code)).await?))
}

/// Allow that program to act for one's account, or refuse it.
#[utoipa::path(
    post, path = "/api/v1/device/codes/{code}", operation_id = "decide_device", tag = "accounts", params(("code" = String, Path)),
    request_body = DecideDevice,
    responses((status = 200, body = WaitingDevice), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn decide(
    State(front): State<Front>,
    Caller(caller): Caller,
    ApiPath(code): ApiPath<String>,
    ApiJson(wish): ApiJson<DecideDevice>,
) -> Result<ApiJson<WaitingDevice>, ApiProblem> {
    let decide = move |portal: &crate::Portal| devices::decide(portal, &caller, &code, wish.allow);
    Ok(ApiJson(front.portal().run(decide).await?))
}
