//! `/api/v1/workstations` and `/api/v1/receipts`.

use super::{Created, Key};
use crate::front::{Front, SignedIn};
use crate::service::activation::{self, Wish};
use crate::service::{losses, receipts, workstations};
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use leasehold_core::ids::WorkstationId;
use leasehold_web::extract::{ApiJson, ApiPath, ApiQuery};
use leasehold_web::problem::ApiProblem;
use leasehold_wire::portal::{
    Activate, Activated, AuditEntry, DeclareLost, DeclaredLost, Inspect, Inspection, IssuedDocument, Loss, Offers,
    OwnedQuery, Page, PageQuery, Released, Renew, Revoked, TakeReceipt, Workstation,
};
use leasehold_wire::problem::Problem;

/// One's own workstations; operators see everybody's.
#[utoipa::path(
    get, path = "/api/v1/workstations", operation_id = "list_workstations", tag = "workstations", params(OwnedQuery),
    responses((status = 200, body = Page<Workstation>), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn list(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    ApiQuery(query): ApiQuery<OwnedQuery>,
) -> Result<ApiJson<Page<Workstation>>, ApiProblem> {
    Ok(ApiJson(front.portal().run(move |portal| workstations::list(portal, &caller, &query)).await?))
}

/// Look at a request file: what it is, and what could be given for it. Changes nothing.
#[utoipa::path(
    post, path = "/api/v1/workstations/inspect", operation_id = "inspect_request", tag = "workstations", request_body = Inspect,
    responses((status = 200, body = Inspection), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn inspect(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    ApiJson(wish): ApiJson<Inspect>,
) -> Result<ApiJson<Inspection>, ApiProblem> {
    let Inspect { request, account, workstation, scope } = wish;
    let wish = Wish { account, workstation, scope, ..Wish::default() };
    let look = move |portal: &crate::Portal| activation::inspect(portal, &caller, request.as_bytes(), &wish);
    Ok(ApiJson(front.portal().run(look).await?))
}

/// Activate a workstation from its request file, or renew the one whose key it is.
#[utoipa::path(
    post, path = "/api/v1/workstations", operation_id = "activate_workstation", tag = "workstations", request_body = Activate,
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeat a request with the same key to have it carried out once")),
    responses((status = 201, body = Activated), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn activate(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    Key(key): Key,
    ApiJson(body): ApiJson<Activate>,
) -> Result<Created<Activated>, ApiProblem> {
    let Activate { request, name, lines, account, workstation, scope } = body;
    let wish = Wish { name, lines, account, workstation, scope };
    let activate =
        move |portal: &crate::Portal| activation::activate(portal, &caller, key.as_ref(), request.as_bytes(), &wish);
    Ok(Created(front.portal().run(activate).await?))
}

/// One workstation. Its owner, and operators.
#[utoipa::path(
    get, path = "/api/v1/workstations/{workstation}", operation_id = "get_workstation", tag = "workstations", params(("workstation" = String, Path)),
    responses((status = 200, body = Workstation), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn get(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    ApiPath(workstation): ApiPath<WorkstationId>,
) -> Result<ApiJson<Workstation>, ApiProblem> {
    Ok(ApiJson(front.portal().run(move |portal| workstations::get(portal, &caller, workstation)).await?))
}

/// The documents that were issued to a workstation, newest first.
#[utoipa::path(
    get, path = "/api/v1/workstations/{workstation}/documents", operation_id = "list_documents", tag = "workstations",
    params(("workstation" = String, Path), PageQuery),
    responses((status = 200, body = Page<IssuedDocument>), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn documents(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    ApiPath(workstation): ApiPath<WorkstationId>,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<ApiJson<Page<IssuedDocument>>, ApiProblem> {
    Ok(ApiJson(front.portal().run(move |portal| workstations::documents(portal, &caller, workstation, &query)).await?))
}

/// What was done to a workstation, newest first.
#[utoipa::path(
    get, path = "/api/v1/workstations/{workstation}/history", operation_id = "list_history", tag = "workstations",
    params(("workstation" = String, Path), PageQuery),
    responses((status = 200, body = Page<AuditEntry>), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn history(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    ApiPath(workstation): ApiPath<WorkstationId>,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<ApiJson<Page<AuditEntry>>, ApiProblem> {
    Ok(ApiJson(front.portal().run(move |portal| workstations::history(portal, &caller, workstation, &query)).await?))
}

/// What could be given to a workstation that is renewed without a new request file.
#[utoipa::path(
    get, path = "/api/v1/workstations/{workstation}/offers", operation_id = "list_offers", tag = "workstations", params(("workstation" = String, Path)),
    responses((status = 200, body = Offers), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn offers(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    ApiPath(workstation): ApiPath<WorkstationId>,
) -> Result<ApiJson<Offers>, ApiProblem> {
    let offers = front.portal().run(move |portal| activation::offers(portal, &caller, workstation)).await?;
    Ok(ApiJson(Offers { items: offers }))
}

/// Issue a new document without a new request file.
#[utoipa::path(
    post, path = "/api/v1/workstations/{workstation}/renew", operation_id = "renew_workstation", tag = "workstations", request_body = Renew,
    params(
        ("workstation" = String, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeat a request with the same key to have it carried out once"),
    ),
    responses((status = 201, body = Activated), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn renew(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    Key(key): Key,
    ApiPath(workstation): ApiPath<WorkstationId>,
    ApiJson(wish): ApiJson<Renew>,
) -> Result<Created<Activated>, ApiProblem> {
    let renew = move |portal: &crate::Portal| {
        activation::renew(portal, &caller, key.as_ref(), workstation, wish.lines.as_deref())
    };
    Ok(Created(front.portal().run(renew).await?))
}

/// Revoke a workstation: it gets no further document; the answer says until when it can still run.
#[utoipa::path(
    post, path = "/api/v1/workstations/{workstation}/revoke", operation_id = "revoke_workstation", tag = "workstations", params(("workstation" = String, Path)),
    responses((status = 200, body = Revoked), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn revoke(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    ApiPath(workstation): ApiPath<WorkstationId>,
) -> Result<ApiJson<Revoked>, ApiProblem> {
    Ok(ApiJson(front.portal().run(move |portal| workstations::revoke(portal, &caller, workstation)).await?))
}

/// What it would mean to declare a workstation lost: what it may still be using, from when that is free by itself, and how
/// much of it could be counted as free at once.
#[utoipa::path(
    get, path = "/api/v1/workstations/{workstation}/lost", operation_id = "show_loss", tag = "workstations", params(("workstation" = String, Path)),
    responses((status = 200, body = Loss), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn loss(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    ApiPath(workstation): ApiPath<WorkstationId>,
) -> Result<ApiJson<Loss>, ApiProblem> {
    Ok(ApiJson(front.portal().run(move |portal| losses::loss(portal, &caller, workstation)).await?))
}

/// Declare a workstation lost: it gets nothing any more. With `write_off` its seats count as free at once, as far as the
/// vendor allows within a year; they may be in use until they end.
#[utoipa::path(
    post, path = "/api/v1/workstations/{workstation}/lost", operation_id = "declare_lost", tag = "workstations",
    params(("workstation" = String, Path)), request_body = DeclareLost,
    responses((status = 200, body = DeclaredLost), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn declare_lost(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    ApiPath(workstation): ApiPath<WorkstationId>,
    ApiJson(wish): ApiJson<DeclareLost>,
) -> Result<ApiJson<DeclaredLost>, ApiProblem> {
    let declare = move |portal: &crate::Portal| losses::declare_lost(portal, &caller, workstation, wish);
    Ok(ApiJson(front.portal().run(declare).await?))
}

/// The `.crt` file with the newest document: what a license server is activated with.
#[utoipa::path(
    get, path = "/api/v1/workstations/{workstation}/certificate", operation_id = "get_activation_file", tag = "workstations",
    params(("workstation" = String, Path)),
    responses(
        (status = 200, body = String, content_type = "application/x-pem-file"),
        (status = "default", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn activation_file(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    ApiPath(workstation): ApiPath<WorkstationId>,
) -> Result<Response, ApiProblem> {
    let load = move |portal: &crate::Portal| workstations::activation_file(portal, &caller, workstation);
    Ok(download(front.portal().run(load).await?))
}

/// An activation file as a download.
pub(crate) fn download(file: workstations::ActivationFile) -> Response {
    let disposition = format!("attachment; filename=\"{}\"", file.name);
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/x-pem-file")),
        // The name is made of letters, digits, `-` and `_`.
        (
            header::CONTENT_DISPOSITION,
            HeaderValue::from_str(&disposition).unwrap_or(HeaderValue::from_static("attachment")),
        ),
    ];
    (headers, file.text).into_response()
}

/// Upload the receipt of a license server that was disabled, or gave back some seats: they are free at once.
///
/// A receipt is taken once, so it needs no `Idempotency-Key`.
#[utoipa::path(
    post, path = "/api/v1/receipts", operation_id = "take_receipt", tag = "workstations", request_body = TakeReceipt,
    responses((status = 200, body = Released), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn take_receipt(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    ApiJson(wish): ApiJson<TakeReceipt>,
) -> Result<ApiJson<Released>, ApiProblem> {
    let take = move |portal: &crate::Portal| receipts::take_receipt(portal, &caller, wish.receipt.as_bytes());
    Ok(ApiJson(front.portal().run(take).await?))
}
