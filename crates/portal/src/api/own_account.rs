//! `/api/v1/sign-ups`, `/api/v1/password-resets`, and what people do about their own account below `/api/v1/me`.

use super::Created;
use crate::front::{self, Front, SignedIn as Caller};
use crate::service::{own_account, sign_up};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use leasehold_core::ids::{SessionId, TokenId};
use leasehold_web::extract::{ApiJson, ApiPath};
use leasehold_web::listener::Connection;
use leasehold_web::problem::ApiProblem;
use leasehold_wire::portal::{
    Account, ChangeEmail, ChangeOwnAccount, ConfirmEmail, ConfirmSignUp, CreatedToken, EmailChange, EmailConfirmed,
    NewToken, RequestReset, ResetPassword, Sessions, SessionsEnded, SignUp, SignedIn, Tokens,
};
use leasehold_wire::problem::Problem;

/// Ask for an account.
///
/// A letter goes to the address; the answer is the same whether or not the address has an account.
#[utoipa::path(
    post, path = "/api/v1/sign-ups", operation_id = "sign_up", tag = "accounts", security(()), request_body = SignUp,
    responses((status = 202), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn sign_up(
    State(front): State<Front>,
    connection: Connection,
    headers: HeaderMap,
    ApiJson(wish): ApiJson<SignUp>,
) -> Result<StatusCode, ApiProblem> {
    let address = front.address(&connection, &headers);
    front.portal().run(move |portal| sign_up::request(portal, address, &wish)).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Make the account that was asked for, and sign in with it.
#[utoipa::path(
    post, path = "/api/v1/sign-ups/confirm", operation_id = "confirm_sign_up", tag = "accounts", security(()), request_body = ConfirmSignUp,
    responses((status = 201, body = SignedIn), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn confirm_sign_up(
    State(front): State<Front>,
    connection: Connection,
    headers: HeaderMap,
    ApiJson(wish): ApiJson<ConfirmSignUp>,
) -> Result<Created<SignedIn>, ApiProblem> {
    let (address, agent) = (front.address(&connection, &headers), front::agent(&headers));
    let (_, signed_in) = front.portal().run(move |portal| sign_up::confirm(portal, address, &agent, &wish)).await?;
    Ok(Created(signed_in))
}

/// Ask for a letter with which a forgotten password can be set anew.
///
/// The answer is the same whether or not the address has an account.
#[utoipa::path(
    post, path = "/api/v1/password-resets", operation_id = "request_password_reset", tag = "accounts", security(()), request_body = RequestReset,
    responses((status = 202), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn request_reset(
    State(front): State<Front>,
    connection: Connection,
    headers: HeaderMap,
    ApiJson(wish): ApiJson<RequestReset>,
) -> Result<StatusCode, ApiProblem> {
    let address = front.address(&connection, &headers);
    front.portal().run(move |portal| sign_up::request_reset(portal, address, &wish)).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Set a forgotten password anew. Every sign-in and token of the account ends.
#[utoipa::path(
    post, path = "/api/v1/password-resets/confirm", operation_id = "reset_password", tag = "accounts", security(()), request_body = ResetPassword,
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn reset(
    State(front): State<Front>,
    connection: Connection,
    headers: HeaderMap,
    ApiJson(wish): ApiJson<ResetPassword>,
) -> Result<StatusCode, ApiProblem> {
    let address = front.address(&connection, &headers);
    front.portal().run(move |portal| sign_up::reset(portal, address, &wish)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Confirm a change of address, from the address until now or from the new one.
#[utoipa::path(
    post, path = "/api/v1/email-changes/confirm", operation_id = "confirm_email", tag = "accounts", security(()), request_body = ConfirmEmail,
    responses((status = 200, body = EmailConfirmed), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn confirm_email(
    State(front): State<Front>,
    connection: Connection,
    headers: HeaderMap,
    ApiJson(wish): ApiJson<ConfirmEmail>,
) -> Result<ApiJson<EmailConfirmed>, ApiProblem> {
    let address = front.address(&connection, &headers);
    let confirm = move |portal: &_| own_account::confirm_email(portal, address, &wish);
    Ok(ApiJson(front.portal().run(confirm).await?))
}

/// Change one's own name.
#[utoipa::path(
    patch, path = "/api/v1/me", operation_id = "change_me", tag = "accounts", request_body = ChangeOwnAccount,
    responses((status = 200, body = Account), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn rename(
    State(front): State<Front>,
    Caller(caller): Caller,
    ApiJson(wish): ApiJson<ChangeOwnAccount>,
) -> Result<ApiJson<Account>, ApiProblem> {
    Ok(ApiJson(front.portal().run(move |portal| own_account::rename(portal, &caller, &wish)).await?))
}

/// Ask for another address. It changes when both addresses have confirmed.
#[utoipa::path(
    put, path = "/api/v1/me/email", operation_id = "change_email", tag = "accounts", request_body = ChangeEmail,
    responses((status = 202, body = EmailChange), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn change_email(
    State(front): State<Front>,
    Caller(caller): Caller,
    ApiJson(wish): ApiJson<ChangeEmail>,
) -> Result<(StatusCode, ApiJson<EmailChange>), ApiProblem> {
    let asked = front.portal().run(move |portal| own_account::request_email(portal, &caller, &wish)).await?;
    Ok((StatusCode::ACCEPTED, ApiJson(asked)))
}

/// Take a change of address back that is not confirmed yet.
#[utoipa::path(
    delete, path = "/api/v1/me/email", operation_id = "cancel_email_change", tag = "accounts",
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn cancel_email(State(front): State<Front>, Caller(caller): Caller) -> Result<StatusCode, ApiProblem> {
    front.portal().run(move |portal| own_account::cancel_email(portal, &caller)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// One's own sign-ins.
#[utoipa::path(
    get, path = "/api/v1/me/sessions", operation_id = "list_my_sessions", tag = "sessions",
    responses((status = 200, body = Sessions), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn sessions(
    State(front): State<Front>,
    Caller(caller): Caller,
) -> Result<ApiJson<Sessions>, ApiProblem> {
    Ok(ApiJson(front.portal().run(move |portal| own_account::sessions(portal, &caller)).await?))
}

/// End all of one's own sign-ins but this one.
#[utoipa::path(
    delete, path = "/api/v1/me/sessions", operation_id = "end_my_other_sessions", tag = "sessions",
    responses((status = 200, body = SessionsEnded), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn end_sessions(
    State(front): State<Front>,
    Caller(caller): Caller,
) -> Result<ApiJson<SessionsEnded>, ApiProblem> {
    Ok(ApiJson(front.portal().run(move |portal| own_account::end_other_sessions(portal, &caller)).await?))
}

/// End one of one's own sign-ins.
#[utoipa::path(
    delete, path = "/api/v1/me/sessions/{session}", operation_id = "end_my_session", tag = "sessions", params(("session" = String, Path)),
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn end_session(
    State(front): State<Front>,
    Caller(caller): Caller,
    ApiPath(session): ApiPath<SessionId>,
) -> Result<StatusCode, ApiProblem> {
    front.portal().run(move |portal| own_account::end_session(portal, &caller, session)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// One's own tokens.
#[utoipa::path(
    get, path = "/api/v1/me/tokens", operation_id = "list_my_tokens", tag = "accounts",
    responses((status = 200, body = Tokens), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn tokens(State(front): State<Front>, Caller(caller): Caller) -> Result<ApiJson<Tokens>, ApiProblem> {
    Ok(ApiJson(front.portal().run(move |portal| own_account::tokens(portal, &caller)).await?))
}

/// Make a token with which a program acts for one's account.
///
/// Repeating it makes another one, so it takes no `Idempotency-Key`: the secret is not kept and cannot be answered twice.
#[utoipa::path(
    post, path = "/api/v1/me/tokens", operation_id = "create_my_token", tag = "accounts", request_body = NewToken,
    responses((status = 201, body = CreatedToken), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn new_token(
    State(front): State<Front>,
    Caller(caller): Caller,
    ApiJson(wish): ApiJson<NewToken>,
) -> Result<Created<CreatedToken>, ApiProblem> {
    Ok(Created(front.portal().run(move |portal| own_account::new_token(portal, &caller, &wish)).await?))
}

/// End one of one's own tokens.
#[utoipa::path(
    delete, path = "/api/v1/me/tokens/{token}", operation_id = "end_my_token", tag = "accounts", params(("token" = String, Path)),
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn end_token(
    State(front): State<Front>,
    Caller(caller): Caller,
    ApiPath(token): ApiPath<TokenId>,
) -> Result<StatusCode, ApiProblem> {
    front.portal().run(move |portal| own_account::end_token(portal, &caller, token)).await?;
    Ok(StatusCode::NO_CONTENT)
}
