//! `/v1/leases`, `/v1/grants`, `/v1/ping`: what applications ask.

use super::{Refused, bearer};
use crate::server::Server;
use crate::service::LeaseOutcome;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, FromRequest, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use leasehold_core::ids::LeaseId;
use leasehold_core::pool::Source;
use leasehold_web::extract::{API_BODY_BYTES_MAX, ApiJson, ApiPath, ApiQuery};
use leasehold_web::listener::Connection;
use leasehold_web::problem::{ApiProblem, internal, respond};
use leasehold_wire::problem::Problem;
use leasehold_wire::server::{
    CheckoutRequest, DenialResponse, EndedResponse, GrantResponse, HeartbeatRequest, IDEMPOTENCY_KEY, KeyQuery,
    LeaseResponse, PingResponse, ResumeRequest,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Check out: take seats.
#[utoipa::path(
    post, path = "/v1/leases", tag = "leases", security(()), request_body = CheckoutRequest,
    params(("Idempotency-Key" = String, Header, description = "Names the checkout: 1 to 128 visible ASCII characters, made by the client and kept secret.")),
    responses(
        (status = 201, description = "Seats are held.", body = LeaseResponse),
        (status = 200, description = "They were held already under this key.", body = LeaseResponse),
        (status = 409, description = "No seat.", body = DenialResponse, content_type = "application/problem+json"),
        (status = 410, description = "The lease of this key has ended.", body = EndedResponse, content_type = "application/problem+json"),
        (status = "default", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn checkout(State(server): State<Server>, request: Request) -> Result<Response, Refused> {
    let source = source(&server, &request)?;
    let key = request.headers().get(IDEMPOTENCY_KEY).and_then(|value| value.to_str().ok()).unwrap_or_default().into();
    let wish: CheckoutRequest = read(request).await?;
    Ok(answer(server.checkout(source, key, wish).await?))
}

/// Hold on to a lease.
#[utoipa::path(
    post, path = "/v1/leases/{lease}/heartbeat", tag = "leases", security(("lease" = [])),
    params(("lease" = String, Path, description = "The lease.")), request_body = HeartbeatRequest,
    responses(
        (status = 200, body = LeaseResponse),
        (status = 409, description = "Copied or withdrawn.", body = EndedResponse, content_type = "application/problem+json"),
        (status = 410, description = "Not known any more.", body = EndedResponse, content_type = "application/problem+json"),
        (status = "default", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn heartbeat(
    State(server): State<Server>,
    ApiPath(lease): ApiPath<LeaseId>,
    request: Request,
) -> Result<Response, Refused> {
    let source = source(&server, &request)?;
    let secret = bearer(request.headers()).map(str::to_owned);
    let beat: HeartbeatRequest = read(request).await?;
    Ok(answer(server.heartbeat(source.address, lease, secret.as_deref(), beat).await?))
}

/// Find a lease again after the server was restarted or restored.
#[utoipa::path(
    post, path = "/v1/leases/{lease}/resume", tag = "leases", security(("lease" = [])),
    params(("lease" = String, Path, description = "The lease.")), request_body = ResumeRequest,
    responses(
        (status = 200, body = LeaseResponse),
        (status = 409, description = "No seat, copied or withdrawn.", body = DenialResponse, content_type = "application/problem+json"),
        (status = 410, description = "It has ended.", body = EndedResponse, content_type = "application/problem+json"),
        (status = "default", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn resume(
    State(server): State<Server>,
    ApiPath(lease): ApiPath<LeaseId>,
    request: Request,
) -> Result<Response, Refused> {
    let source = source(&server, &request)?;
    let secret = bearer(request.headers()).map(str::to_owned);
    let wish: ResumeRequest = read(request).await?;
    Ok(answer(server.resume(source, lease, secret.as_deref(), wish).await?))
}

/// Check in: give a lease back. Again is harmless.
#[utoipa::path(
    delete, path = "/v1/leases/{lease}", tag = "leases", security(("lease" = [])),
    params(("lease" = String, Path, description = "The lease.")),
    responses(
        (status = 204, description = "The seat is free."),
        (status = 404, description = "Not known any more: as good as done.", body = Problem, content_type = "application/problem+json"),
        (status = "default", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn checkin(
    State(server): State<Server>,
    ApiPath(lease): ApiPath<LeaseId>,
    request: Request,
) -> Result<StatusCode, Refused> {
    let source = source(&server, &request)?;
    let secret = bearer(request.headers()).map(str::to_owned);
    drop(request);
    server.checkin(source.address, lease, secret.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Give back whatever was or will be taken under an idempotency key that nobody waits for any more.
#[utoipa::path(
    delete, path = "/v1/leases", tag = "leases", security(()), params(KeyQuery),
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn checkin_key(
    State(server): State<Server>,
    ApiQuery(query): ApiQuery<KeyQuery>,
) -> Result<StatusCode, Refused> {
    server.checkin_key(query.key).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The signed grant document on which leases stand, with the server's certificates.
#[utoipa::path(
    get, path = "/v1/grants/{sha256}", tag = "leases", security(()),
    params(("sha256" = String, Path, description = "SHA-256 of the document in hex, as leases name it.")),
    responses((status = 200, body = GrantResponse), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn grant(State(server): State<Server>, ApiPath(sha256): ApiPath<String>) -> Result<Response, Refused> {
    Ok(json(StatusCode::OK, &*server.grant(&sha256).await?))
}

/// Whether a license server is there.
#[utoipa::path(get, path = "/v1/ping", tag = "leases", security(()), responses((status = 200, body = PingResponse)))]
pub(super) async fn ping(State(server): State<Server>) -> Response {
    json(StatusCode::OK, &server.ping())
}

async fn read<T: DeserializeOwned>(mut request: Request) -> Result<T, ApiProblem> {
    DefaultBodyLimit::max(API_BODY_BYTES_MAX).apply(&mut request);
    ApiJson::from_request(request, &()).await.map(|ApiJson(body)| body)
}

pub(super) fn source(server: &Server, request: &Request) -> Result<Source, Refused> {
    let connection = request.extensions().get::<Connection>().ok_or_else(|| {
        tracing::error!("a request came without its connection: the router is not served by `leasehold_web::listener`");
        ApiProblem::from(internal())
    })?;
    Ok(server.source(connection, request.headers()))
}

fn answer(outcome: LeaseOutcome) -> Response {
    match outcome {
        LeaseOutcome::Leased(lease) if lease.resumed => json(StatusCode::OK, &*lease),
        LeaseOutcome::Leased(lease) => json(StatusCode::CREATED, &*lease),
        LeaseOutcome::Denied(denial) => respond(denial.problem.status, &*denial),
        LeaseOutcome::Ended(ended) => respond(ended.problem.status, &ended),
    }
}

fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => {
            let mut response = Response::new(Body::from(bytes));
            *response.status_mut() = status;
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            // Answers hold secrets and are good for one client once.
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Err(error) => {
            tracing::error!(%error, "an answer could not be written as JSON");
            respond(500, &internal())
        }
    }
}
