//! `/v1/passes`: seats that machines borrow.

use super::leases::source;
use super::{Asking, Refused};
use crate::server::Server;
use crate::service::{BorrowOutcome, LeaseOutcome};
use axum::extract::{FromRequest, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use leasehold_core::engine::NotOut;
use leasehold_core::ids::PassId;
use leasehold_web::extract::{ApiJson, ApiPath, ApiQuery};
use leasehold_web::problem::respond;
use leasehold_wire::problem::Problem;
use leasehold_wire::server::{
    BorrowRequest, DenialResponse, LostRequest, LostResponse, NotOutRequest, NotOutResponse, Page, PassQuery,
    PassResponse, PassView, ReturnRequest, ReturnResponse,
};

/// Borrow seats for a machine that goes away, or extend its pass.
///
/// The request is signed with a key that the machine makes for the pass. A key has one pass, so that sending the request
/// again is harmless.
#[utoipa::path(
    post, path = "/v1/passes", tag = "passes", security(()), request_body = BorrowRequest,
    responses(
        (status = 201, description = "Seats are borrowed.", body = PassResponse),
        (status = 200, description = "They were borrowed with this key already; perhaps for longer now.", body = PassResponse),
        (status = 409, description = "No pass.", body = DenialResponse, content_type = "application/problem+json"),
        (status = "default", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn borrow(State(server): State<Server>, request: Request) -> Result<Response, Refused> {
    let source = source(&server, &request)?;
    let ApiJson(wish) = ApiJson::<BorrowRequest>::from_request(request, &()).await?;
    Ok(match server.borrow(source, wish.request.trim()).await? {
        BorrowOutcome::Borrowed(pass) if pass.known => ApiJson(*pass).into_response(),
        BorrowOutcome::Borrowed(pass) => (StatusCode::CREATED, ApiJson(*pass)).into_response(),
        BorrowOutcome::Refused(LeaseOutcome::Denied(denial)) => respond(denial.problem.status, &*denial),
        BorrowOutcome::Refused(_) => respond(500, &leasehold_web::problem::internal()),
    })
}

/// Give a pass back: with a receipt that is signed with its key, which the machine has destroyed. Again is harmless.
#[utoipa::path(
    post, path = "/v1/passes/{pass}/return", tag = "passes", security(()), request_body = ReturnRequest,
    params(("pass" = String, Path, description = "The pass.")),
    responses((status = 200, body = ReturnResponse), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn give_back(
    State(server): State<Server>,
    ApiPath(pass): ApiPath<PassId>,
    ApiJson(wish): ApiJson<ReturnRequest>,
) -> Result<ApiJson<ReturnResponse>, Refused> {
    Ok(ApiJson(server.return_pass(Some(pass), wish.receipt.trim()).await?))
}

/// Answer the request file of a machine that cannot reach this server: its administrator brings it.
#[utoipa::path(
    post, path = "/v1/passes/lend", tag = "passes", request_body = BorrowRequest,
    responses((status = 200, body = PassResponse), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn lend(
    State(server): State<Server>,
    Asking(caller): Asking,
    ApiJson(wish): ApiJson<BorrowRequest>,
) -> Result<ApiJson<PassResponse>, Refused> {
    Ok(ApiJson(server.lend(&caller, wish.request.trim()).await?))
}

/// Take the receipt file of a pass: it names the pass itself. Again is harmless.
#[utoipa::path(
    post, path = "/v1/passes/receipts", tag = "passes", security(()), request_body = ReturnRequest,
    responses((status = 200, body = ReturnResponse), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn take_receipt(
    State(server): State<Server>,
    ApiJson(wish): ApiJson<ReturnRequest>,
) -> Result<ApiJson<ReturnResponse>, Refused> {
    Ok(ApiJson(server.return_pass(None, wish.receipt.trim()).await?))
}

/// Declare a pass lost, with its machine or its disk: it is not extended any more. Its seats are free when it has ended,
/// or at once within what the vendor allows.
#[utoipa::path(
    post, path = "/v1/passes/{pass}/lost", tag = "passes", request_body = LostRequest,
    params(("pass" = String, Path, description = "The pass.")),
    responses((status = 200, body = LostResponse), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn lost(
    State(server): State<Server>,
    Asking(caller): Asking,
    ApiPath(pass): ApiPath<PassId>,
    ApiJson(wish): ApiJson<LostRequest>,
) -> Result<ApiJson<LostResponse>, Refused> {
    Ok(ApiJson(server.lose_pass(&caller, pass, wish.write_off).await?))
}

/// After a restore: free seats that are held because they may have been lent after the backup was made, or a pass of the
/// backup that was returned since. No machine has so many of them.
#[utoipa::path(
    post, path = "/v1/passes/{pass}/not-out", tag = "passes", request_body = NotOutRequest,
    params(("pass" = String, Path, description = "What is held.")),
    responses((status = 200, body = NotOutResponse), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn not_out(
    State(server): State<Server>,
    Asking(caller): Asking,
    ApiPath(pass): ApiPath<PassId>,
    ApiJson(wish): ApiJson<NotOutRequest>,
) -> Result<ApiJson<NotOutResponse>, Refused> {
    Ok(ApiJson(server.not_out(&caller, NotOut::Of { pass, seats: wish.seats }).await?))
}

/// After a restore: free all seats that are held because they may have been lent after the backup was made. No machine
/// has any of them.
#[utoipa::path(
    post, path = "/v1/passes/not-out", tag = "passes",
    responses((status = 200, body = NotOutResponse), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn none_out(
    State(server): State<Server>,
    Asking(caller): Asking,
) -> Result<ApiJson<NotOutResponse>, Refused> {
    Ok(ApiJson(server.not_out(&caller, NotOut::All).await?))
}

/// What machines have borrowed: for the administrator, or for everybody if the administrator opened it.
#[utoipa::path(
    get, path = "/v1/passes", tag = "passes", params(PassQuery),
    responses((status = 200, body = Page<PassView>), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn passes(
    State(server): State<Server>,
    Asking(caller): Asking,
    ApiQuery(query): ApiQuery<PassQuery>,
) -> Result<ApiJson<Page<PassView>>, Refused> {
    Ok(ApiJson(server.passes(&caller, query).await?))
}
