//! What license servers call: `/api/v1/sync`, and enabling them. Syncs are signed by the workstation's key over their
//! body, and answered by a signed document: a proxy in between can read them and not alter them.

use super::{Created, Key};
use crate::Portal;
use crate::bells;
use crate::failure::Failure;
use crate::front::{Front, SignedIn};
use crate::service::{enable, losses, pins, sync};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use leasehold_core::ids::WorkstationId;
use leasehold_web::extract::{ApiJson, ApiPath, ApiQuery};
use leasehold_web::listener::Connection;
use leasehold_web::problem::ApiProblem;
use leasehold_wire::portal::{
    Enable, EnableToken, Enabled, KeepSeats, NewEnableToken, PassWrittenOff, Pins, Recall, Released, Rung, SeatsKept,
    SyncAnswered, TakeReceipt, UseEnableToken, WaitQuery, WriteOffPass,
};
use leasehold_wire::problem::Problem;
use std::time::Duration;

/// A long poll waits this long at most: less than proxies are patient.
const WAIT: Duration = Duration::from_secs(25);

fn bearer(headers: &HeaderMap) -> Result<String, Failure> {
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = authorization
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    token.map(|(_, token)| token.trim().to_owned()).ok_or(Failure::SignIn)
}

/// A license server's state, and what it holds from now on. The token in `Authorization: Bearer` is a `sync+jwt` by the
/// workstation's key over the number and the SHA-256 of the body; the answer is an `answer+jwt` by the vendor.
#[utoipa::path(
    post, path = "/api/v1/sync", operation_id = "sync", tag = "sync",
    request_body(content = Object, description = "A `SyncRequest`; see PROTOCOL.md section 2."),
    responses((status = 200, body = SyncAnswered), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn post(
    State(front): State<Front>,
    connection: Connection,
    headers: HeaderMap,
    body: Bytes,
) -> Result<ApiJson<SyncAnswered>, ApiProblem> {
    let (token, address) = (bearer(&headers)?, front.address(&connection, &headers));
    let answer = front.portal().run(move |portal| sync::sync(portal, address, &token, &body)).await?;
    Ok(ApiJson(SyncAnswered { answer }))
}

/// Waits until there is a reason to sync, up to 25 s. The token is a `sync+jwt` with number 0 over an empty body.
#[utoipa::path(
    get, path = "/api/v1/sync/wait", operation_id = "wait_for_sync", tag = "sync", params(WaitQuery),
    responses((status = 200, body = Rung), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn wait(
    State(front): State<Front>,
    headers: HeaderMap,
    ApiQuery(query): ApiQuery<WaitQuery>,
) -> Result<ApiJson<Rung>, ApiProblem> {
    let token = bearer(&headers)?;
    let sender = front.portal().run(move |portal| sync::sender(portal, &token, b"")).await?;
    let patience = async {
        tokio::select! {
            () = tokio::time::sleep(WAIT) => {}
            () = front.closing() => {}
        }
    };
    let bell = bells::wait(front.portal(), sender.workstation, query.since, patience).await?;
    Ok(ApiJson(Rung { bell }))
}

/// What is kept at the license server that asks for use without a portal, and what could be. The token is a `sync+jwt`
/// with number 0 over an empty body.
#[utoipa::path(
    get, path = "/api/v1/sync/pins", operation_id = "own_pins", tag = "sync",
    responses((status = 200, body = Pins), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn own_pins(State(front): State<Front>, headers: HeaderMap) -> Result<ApiJson<Pins>, ApiProblem> {
    let token = bearer(&headers)?;
    Ok(ApiJson(front.portal().run(move |portal| pins::list_signed(portal, &token)).await?))
}

/// Keep seats at the license server that asks, or release them. The token is a `sync+jwt` with number 0 over the body,
/// which must name `pins_rev`.
#[utoipa::path(
    post, path = "/api/v1/sync/pins", operation_id = "keep_own_seats", tag = "sync", request_body = KeepSeats,
    responses((status = 200, body = SeatsKept), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn keep_own(
    State(front): State<Front>,
    connection: Connection,
    headers: HeaderMap,
    body: Bytes,
) -> Result<ApiJson<SeatsKept>, ApiProblem> {
    let (token, address) = (bearer(&headers)?, front.address(&connection, &headers));
    Ok(ApiJson(front.portal().run(move |portal| pins::keep_signed(portal, address, &token, &body)).await?))
}

/// A machine is lost that had a pass of the license server that asks: count its seats against the vendor's allowance. The
/// token is a `sync+jwt` with number 0 over the body. Of a pass once.
#[utoipa::path(
    post, path = "/api/v1/sync/write-offs", operation_id = "write_off_pass", tag = "sync", request_body = WriteOffPass,
    responses((status = 200, body = PassWrittenOff), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn write_off_pass(
    State(front): State<Front>,
    connection: Connection,
    headers: HeaderMap,
    body: Bytes,
) -> Result<ApiJson<PassWrittenOff>, ApiProblem> {
    let (token, address) = (bearer(&headers)?, front.address(&connection, &headers));
    let write_off = move |portal: &Portal| losses::write_off_pass_signed(portal, address, &token, &body);
    Ok(ApiJson(front.portal().run(write_off).await?))
}

/// What is kept at an online license server for use without a portal, and what could be.
#[utoipa::path(
    get, path = "/api/v1/workstations/{workstation}/pins", operation_id = "list_pins", tag = "workstations",
    params(("workstation" = String, Path)),
    responses((status = 200, body = Pins), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn pins(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    ApiPath(workstation): ApiPath<WorkstationId>,
) -> Result<ApiJson<Pins>, ApiProblem> {
    Ok(ApiJson(front.portal().run(move |portal| pins::list(portal, &caller, workstation)).await?))
}

/// Borrow seats to an online license server for use without a portal, or recall them. It is given them as soon as it
/// syncs.
#[utoipa::path(
    post, path = "/api/v1/workstations/{workstation}/pins", operation_id = "keep_seats", tag = "workstations",
    params(("workstation" = String, Path)), request_body = KeepSeats,
    responses((status = 200, body = SeatsKept), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn keep(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    ApiPath(workstation): ApiPath<WorkstationId>,
    ApiJson(wish): ApiJson<KeepSeats>,
) -> Result<ApiJson<SeatsKept>, ApiProblem> {
    Ok(ApiJson(front.portal().run(move |portal| pins::keep(portal, &caller, workstation, &wish)).await?))
}

/// Take the receipt of a license server that was disabled. It is signed by the key that it ends, so whoever has it may
/// bring it; again is refused and harmless.
#[utoipa::path(
    post, path = "/api/v1/sync/receipts", operation_id = "bring_receipt", tag = "sync", request_body = TakeReceipt,
    responses((status = 200, body = Released), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn receipt(
    State(front): State<Front>,
    connection: Connection,
    headers: HeaderMap,
    ApiJson(wish): ApiJson<TakeReceipt>,
) -> Result<ApiJson<Released>, ApiProblem> {
    let address = front.address(&connection, &headers);
    let take = move |portal: &Portal| enable::take_receipt(portal, address, wish.receipt.as_bytes());
    Ok(ApiJson(front.portal().run(take).await?))
}

/// Enable online licensing on a license server, for one's organization or for oneself.
#[utoipa::path(
    post, path = "/api/v1/workstations/online", operation_id = "enable_workstation", tag = "sync", request_body = Enable,
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeat a request with the same key to have it carried out once")),
    responses((status = 201, body = Enabled), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn enable(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    Key(key): Key,
    ApiJson(wish): ApiJson<Enable>,
) -> Result<Created<Enabled>, ApiProblem> {
    let enable = move |portal: &Portal| enable::enable(portal, &caller, key.as_ref(), &wish);
    Ok(Created(front.portal().run(enable).await?))
}

/// Make a token that enables one license server, for machines without a screen. It is shown once and good for a day.
#[utoipa::path(
    post, path = "/api/v1/workstations/tokens", operation_id = "create_enable_token", tag = "sync", request_body = NewEnableToken,
    responses((status = 201, body = EnableToken), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn new_token(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    ApiJson(wish): ApiJson<NewEnableToken>,
) -> Result<Created<EnableToken>, ApiProblem> {
    Ok(Created(front.portal().run(move |portal| enable::new_token(portal, &caller, wish)).await?))
}

/// Enable online licensing on a license server with a token instead of a sign-in.
#[utoipa::path(
    post, path = "/api/v1/sync/enable", operation_id = "enable_with_token", tag = "sync", request_body = UseEnableToken,
    responses((status = 201, body = Enabled), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn enable_with_token(
    State(front): State<Front>,
    connection: Connection,
    headers: HeaderMap,
    ApiJson(wish): ApiJson<UseEnableToken>,
) -> Result<Created<Enabled>, ApiProblem> {
    let address = front.address(&connection, &headers);
    let enable = move |portal: &Portal| {
        enable::enable_with_token(portal, address, &wish.token, &wish.request, wish.name.as_deref())
    };
    Ok(Created(front.portal().run(enable).await?))
}

/// Ask idle seats back from an online license server; those in use come back as they are freed.
#[utoipa::path(
    post, path = "/api/v1/workstations/{workstation}/recall", operation_id = "recall_seats", tag = "workstations",
    params(("workstation" = String, Path)), request_body = Recall,
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn recall(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    ApiPath(workstation): ApiPath<WorkstationId>,
    ApiJson(wish): ApiJson<Recall>,
) -> Result<StatusCode, ApiProblem> {
    let recall = move |portal: &Portal| sync::recall(portal, &caller, workstation, wish.license, wish.seats);
    front.portal().run(recall).await?;
    Ok(StatusCode::NO_CONTENT)
}
