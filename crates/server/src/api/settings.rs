//! `/v1/settings`: what they are, changing them, and what is on trial.

use super::{Asking, Refused};
use crate::server::Server;
use axum::extract::State;
use leasehold_web::extract::ApiJson;
use leasehold_wire::problem::Problem;
use leasehold_wire::server::{CertificateRequest, SettingsRequest, SettingsResponse};

/// Every setting, with where it stands: command line, environment, `server.toml`, here, or nowhere.
#[utoipa::path(
    get, path = "/v1/settings", tag = "administrator",
    responses((status = 200, body = SettingsResponse), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn settings(
    State(server): State<Server>,
    Asking(caller): Asking,
) -> Result<ApiJson<SettingsResponse>, Refused> {
    Ok(ApiJson(server.settings(&caller).await?))
}

/// Change settings; what is not given stays, and `null` is the default. Where the server listens, who is heard and which
/// certificate browsers see hold for a minute, and for good once that is confirmed.
#[utoipa::path(
    patch, path = "/v1/settings", tag = "administrator", request_body = SettingsRequest,
    responses((status = 200, body = SettingsResponse), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn change(
    State(server): State<Server>,
    Asking(caller): Asking,
    ApiJson(wish): ApiJson<SettingsRequest>,
) -> Result<ApiJson<SettingsResponse>, Refused> {
    Ok(ApiJson(server.change_settings(&caller, wish).await?))
}

/// Keep what is on trial: asked at the new address, over a connection that has seen the new certificate.
#[utoipa::path(
    post, path = "/v1/settings/confirm", tag = "administrator",
    responses((status = 200, body = SettingsResponse), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn confirm(
    State(server): State<Server>,
    Asking(caller): Asking,
) -> Result<ApiJson<SettingsResponse>, Refused> {
    Ok(ApiJson(server.confirm_settings(&caller).await?))
}

/// Give up what is on trial: the former settings are back at once.
#[utoipa::path(
    post, path = "/v1/settings/take-back", tag = "administrator",
    responses((status = 200, body = SettingsResponse), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn take_back(
    State(server): State<Server>,
    Asking(caller): Asking,
) -> Result<ApiJson<SettingsResponse>, Refused> {
    Ok(ApiJson(server.take_back_settings(&caller).await?))
}

/// Show browsers another certificate, on trial; without one, the self-signed one.
#[utoipa::path(
    put, path = "/v1/settings/certificate", tag = "administrator", request_body = CertificateRequest,
    responses((status = 200, body = SettingsResponse), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn certificate(
    State(server): State<Server>,
    Asking(caller): Asking,
    ApiJson(wish): ApiJson<CertificateRequest>,
) -> Result<ApiJson<SettingsResponse>, Refused> {
    Ok(ApiJson(server.change_certificate(&caller, wish).await?))
}
