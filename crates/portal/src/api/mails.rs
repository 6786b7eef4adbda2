//! `/api/v1/mails` and `/api/v1/settings`. Operators.

use crate::front::{Front, SignedIn};
use crate::service::{outbox, settings};
use axum::extract::State;
use leasehold_core::ids::MailId;
use leasehold_web::extract::{ApiJson, ApiPath, ApiQuery};
use leasehold_web::problem::ApiProblem;
use leasehold_wire::portal::{ChangePortalSettings, Mail, MailQuery, Page, PortalSettings};
use leasehold_wire::problem::Problem;

/// Letters that the portal sends. Operators.
#[utoipa::path(
    get, path = "/api/v1/mails", operation_id = "list_mails", tag = "mail", params(MailQuery),
    responses((status = 200, body = Page<Mail>), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn list(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    ApiQuery(query): ApiQuery<MailQuery>,
) -> Result<ApiJson<Page<Mail>>, ApiProblem> {
    Ok(ApiJson(front.portal().run(move |portal| outbox::list(portal, &caller, &query)).await?))
}

/// One letter. Operators.
#[utoipa::path(
    get, path = "/api/v1/mails/{mail}", operation_id = "get_mail", tag = "mail", params(("mail" = String, Path)),
    responses((status = 200, body = Mail), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn get(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    ApiPath(mail): ApiPath<MailId>,
) -> Result<ApiJson<Mail>, ApiProblem> {
    Ok(ApiJson(front.portal().run(move |portal| outbox::get(portal, &caller, mail)).await?))
}

/// Put a letter that was given up into the queue anew. Operators.
#[utoipa::path(
    post, path = "/api/v1/mails/{mail}/again", operation_id = "send_mail_again", tag = "mail", params(("mail" = String, Path)),
    responses((status = 200, body = Mail), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn again(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    ApiPath(mail): ApiPath<MailId>,
) -> Result<ApiJson<Mail>, ApiProblem> {
    Ok(ApiJson(front.portal().run(move |portal| outbox::send_again(portal, &caller, mail)).await?))
}

/// Settings of the portal. Operators.
#[utoipa::path(
    get, path = "/api/v1/settings", operation_id = "get_settings", tag = "settings",
    responses((status = 200, body = PortalSettings), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn settings(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
) -> Result<ApiJson<PortalSettings>, ApiProblem> {
    Ok(ApiJson(front.portal().run(move |portal| settings::get(portal, &caller)).await?))
}

/// Change settings of the portal. Operators.
#[utoipa::path(
    patch, path = "/api/v1/settings", operation_id = "change_settings", tag = "settings", request_body = ChangePortalSettings,
    responses((status = 200, body = PortalSettings), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn change_settings(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    ApiJson(wish): ApiJson<ChangePortalSettings>,
) -> Result<ApiJson<PortalSettings>, ApiProblem> {
    Ok(ApiJson(front.portal().run(move |portal| settings::change(portal, &caller, wish)).await?))
}
