//! Setup, signing in, logs, backup.

use super::{Asking, Refused};
use crate::server::Server;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use leasehold_web::extract::{ApiJson, ApiQuery};
use leasehold_wire::problem::Problem;
use leasehold_wire::server::{
    AuditView, BackupRequest, BackupResponse, BackupsResponse, EventQuery, EventView, Page, PageQuery, PasswordRequest,
    ResetResponse, SetupRequest, SignInRequest, SignInResponse, SupportQuery,
};

/// Make an account with a setup secret and sign in: the first one, with the secret that the server printed; or, with that
/// of a reset, a new one, or a new password for one that is there.
#[utoipa::path(
    post, path = "/v1/setup", tag = "administrator", security(()), request_body = SetupRequest,
    responses((status = 201, body = SignInResponse), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn set_up(
    State(server): State<Server>,
    Asking(caller): Asking,
    ApiJson(wish): ApiJson<SetupRequest>,
) -> Result<(StatusCode, ApiJson<SignInResponse>), Refused> {
    Ok((
        StatusCode::CREATED,
        ApiJson(server.set_up(&caller, &wish.secret, wish.name.as_deref(), &wish.password).await?),
    ))
}

/// Draw a new setup secret, which is shown this once. Accounts and sign-ins stay.
#[utoipa::path(
    post, path = "/v1/setup/reset", tag = "administrator",
    responses((status = 200, body = ResetResponse), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn reset(
    State(server): State<Server>,
    Asking(caller): Asking,
) -> Result<ApiJson<ResetResponse>, Refused> {
    Ok(ApiJson(ResetResponse { secret: server.reset_administrator(&caller).await? }))
}

/// Sign in as an administrator of this server.
///
/// Repeating it makes another session, so it takes no `Idempotency-Key`.
#[utoipa::path(
    post, path = "/v1/sessions", tag = "administrator", security(()), request_body = SignInRequest,
    responses((status = 201, body = SignInResponse), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn sign_in(
    State(server): State<Server>,
    Asking(caller): Asking,
    ApiJson(wish): ApiJson<SignInRequest>,
) -> Result<(StatusCode, ApiJson<SignInResponse>), Refused> {
    Ok((StatusCode::CREATED, ApiJson(server.sign_in(&caller, wish.name.as_deref(), &wish.password).await?)))
}

/// Sign out: end the session whose token is sent.
#[utoipa::path(
    delete, path = "/v1/sessions", tag = "administrator",
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn sign_out(State(server): State<Server>, Asking(caller): Asking) -> Result<StatusCode, Refused> {
    server.sign_out(&caller).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Change the password of the account that asks; its other sign-ins end.
#[utoipa::path(
    put, path = "/v1/password", tag = "administrator", request_body = PasswordRequest,
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn change_password(
    State(server): State<Server>,
    Asking(caller): Asking,
    ApiJson(wish): ApiJson<PasswordRequest>,
) -> Result<StatusCode, Refused> {
    server.change_password(&caller, &wish.current, &wish.new).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What administrators did, newest first.
#[utoipa::path(
    get, path = "/v1/audit", tag = "administrator", params(PageQuery),
    responses((status = 200, body = Page<AuditView>), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn audit(
    State(server): State<Server>,
    Asking(caller): Asking,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<ApiJson<Page<AuditView>>, Refused> {
    Ok(ApiJson(server.audit_log(&caller, &query).await?))
}

/// Who used what, newest first: for the administrator, or for everybody if the administrator opened it.
#[utoipa::path(
    get, path = "/v1/events", tag = "status", params(EventQuery),
    responses((status = 200, body = Page<EventView>), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn events(
    State(server): State<Server>,
    Asking(caller): Asking,
    ApiQuery(query): ApiQuery<EventQuery>,
) -> Result<ApiJson<Page<EventView>>, Refused> {
    Ok(ApiJson(server.usage_log(&caller, &query).await?))
}

/// Copy the data folder while the server runs: to a new folder, if asked on the server's own machine, or into the folder of
/// the settings.
#[utoipa::path(
    post, path = "/v1/backups", tag = "administrator", request_body = BackupRequest,
    responses((status = 200, body = BackupResponse), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn back_up(
    State(server): State<Server>,
    Asking(caller): Asking,
    ApiJson(wish): ApiJson<BackupRequest>,
) -> Result<ApiJson<BackupResponse>, Refused> {
    Ok(ApiJson(server.back_up_to(&caller, wish.to.map(Into::into)).await?))
}

/// Backups in the folder of the settings, and when the next one is made.
#[utoipa::path(
    get, path = "/v1/backups", tag = "administrator",
    responses((status = 200, body = BackupsResponse), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn backups(
    State(server): State<Server>,
    Asking(caller): Asking,
) -> Result<ApiJson<BackupsResponse>, Refused> {
    Ok(ApiJson(server.backups(&caller).await?))
}

/// What somebody needs who is asked for help, as a tar file of texts: settings, status, the newest lines of the log.
/// Nothing in it gives a right.
#[utoipa::path(
    get, path = "/v1/support-bundle", tag = "administrator", params(SupportQuery),
    responses((status = 200, content_type = "application/x-tar"), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn support_bundle(
    State(server): State<Server>,
    Asking(caller): Asking,
    ApiQuery(query): ApiQuery<SupportQuery>,
) -> Result<Response, Refused> {
    let bundle = server.support_bundle(&caller, query.names).await?;
    Ok(([(header::CONTENT_TYPE, "application/x-tar")], bundle).into_response())
}
