//! The REST API: parses requests, calls one use case each, and says how it went. Holds no rule.
//!
//! A handler that is added here appears in the OpenAPI document, which is committed and compared in tests, and needs a
//! row in the access table of the tests.

mod activation;
mod administrator;
mod administrators;
mod health;
mod leases;
mod metrics;
mod online;
mod passes;
mod pins;
mod settings;
mod status;
mod usage;

use crate::server::Server;
use crate::service::{Caller, Credential, Failure};
use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use leasehold_web::extract::API_BODY_BYTES_MAX;
use leasehold_web::headers::{Hsts, for_api};
use leasehold_web::listener::Connection;
use leasehold_web::problem::{ApiProblem, catch_panic};
use leasehold_web::session::SessionToken;
use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Leasehold license server",
        description = "Leases seats to applications. Errors are RFC 9457 problems with a stable `code`. A checkout needs an \
                       `Idempotency-Key`; its answer has the lease's secret, which heartbeat, resume and checkin send as \
                       `Authorization: Bearer`. The administrator sends the token of `POST /v1/sessions` in the same way, \
                       over TLS or on the server's own machine. Lists are pages: give `next` as `after`.",
        license(name = "MIT OR Apache-2.0")
    ),
    security(("administrator" = [])),
    modifiers(&Schemes),
    tags(
        (name = "leases", description = "Taking, holding and returning seats"),
        (name = "passes", description = "Borrowing for machines that go away"),
        (name = "status", description = "What is there and who uses it"),
        (name = "activation", description = "Rights from the portal, by file"),
        (name = "online", description = "The way to the portal over the network"),
        (name = "administrator", description = "Setup, signing in, settings, logs"),
        (name = "health", description = "For monitoring"),
    )
)]
struct Document;

struct Schemes;

impl utoipa::Modify for Schemes {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        for name in ["administrator", "lease"] {
            components.add_security_scheme(name, SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
        }
    }
}

/// The hot path: no layer around it, since each one costs every request a box or two. The handlers limit their bodies
/// themselves, and a panic ends one connection, whose client asks again with the same key.
fn lease_routes() -> OpenApiRouter<Server> {
    OpenApiRouter::new()
        .routes(routes!(leases::checkout, leases::checkin_key, status::leases))
        .routes(routes!(leases::checkin))
        .routes(routes!(leases::heartbeat))
        .routes(routes!(leases::resume))
        .routes(routes!(leases::grant))
        .routes(routes!(leases::ping))
}

fn other_routes() -> OpenApiRouter<Server> {
    OpenApiRouter::new()
        .routes(routes!(status::status))
        .routes(routes!(status::denials))
        .routes(routes!(usage::usage))
        .routes(routes!(status::simulate))
        .routes(routes!(status::release))
        .routes(routes!(status::bars))
        .routes(routes!(status::lift))
        .routes(routes!(passes::borrow, passes::passes))
        .routes(routes!(passes::give_back))
        .routes(routes!(passes::lost))
        .routes(routes!(passes::not_out))
        .routes(routes!(passes::none_out))
        .routes(routes!(passes::lend))
        .routes(routes!(passes::take_receipt))
        .routes(routes!(activation::request))
        .routes(routes!(activation::import))
        .routes(routes!(activation::disable))
        .routes(routes!(activation::receipt))
        .routes(routes!(activation::may_give_back, activation::give_back))
        .routes(routes!(activation::give_back_receipt))
        .routes(routes!(online::test_connection))
        .routes(routes!(online::enable))
        .routes(routes!(online::refresh))
        .routes(routes!(pins::pins, pins::keep))
        .routes(routes!(administrator::set_up))
        .routes(routes!(administrator::reset))
        .routes(routes!(administrator::sign_in, administrator::sign_out, administrators::sessions))
        .routes(routes!(administrators::end_session))
        .routes(routes!(administrators::end_others))
        .routes(routes!(administrators::list, administrators::add))
        .routes(routes!(administrators::change, administrators::remove))
        .routes(routes!(administrator::change_password))
        .routes(routes!(settings::settings, settings::change))
        .routes(routes!(settings::confirm))
        .routes(routes!(settings::take_back))
        .routes(routes!(settings::certificate))
        .routes(routes!(administrator::audit))
        .routes(routes!(administrator::events))
        .routes(routes!(administrator::back_up, administrator::backups))
        .routes(routes!(administrator::support_bundle))
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .routes(routes!(metrics::metrics))
        .routes(routes!(health::document))
        .layer(DefaultBodyLimit::max(API_BODY_BYTES_MAX))
}

/// The OpenAPI 3.1 document.
pub fn openapi() -> serde_json::Value {
    let routes = OpenApiRouter::with_openapi(Document::openapi()).merge(lease_routes()).merge(other_routes());
    let document = serde_json::to_value(routes.into_openapi());
    document.unwrap_or_else(|error| serde_json::json!({ "error": error.to_string() }))
}

/// The routes of the API. Requests must carry the extension that [`leasehold_web::listener`] gives them.
pub(crate) fn router(server: &Server) -> Router {
    let (leases, _) = lease_routes().split_for_parts();
    let (others, _) = other_routes().split_for_parts();
    // The port also has a certificate that browsers are warned of, so no promise "HTTPS only" is given.
    leases.merge(for_api(others, Hsts::Off).layer(catch_panic())).with_state(server.clone())
}

/// A use case that did not happen, as an answer.
#[derive(Debug)]
pub(crate) struct Refused(ApiProblem, Option<i64>);

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Refused {
        let retry_after_s = failure.retry_after_s();
        Refused(failure.into(), retry_after_s)
    }
}

impl From<ApiProblem> for Refused {
    fn from(problem: ApiProblem) -> Refused {
        Refused(problem, None)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = self.0.into_response();
        if let Some(wait_s) = self.1 {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait_s));
        }
        response
    }
}

/// What stands after `Bearer` in the request, if anything.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// Who is asking, by bearer token. The API ignores cookies, so no other web site can make a browser use it.
pub(crate) struct Asking(pub(crate) Caller);

impl FromRequestParts<Server> for Asking {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, server: &Server) -> Result<Asking, Refused> {
        let connection = Connection::from_request_parts(parts, server).await?;
        let credential = match bearer(&parts.headers) {
            None if parts.headers.contains_key(header::AUTHORIZATION) => Credential::Unreadable,
            None => Credential::None,
            Some(token) => SessionToken::parse(token).map_or(Credential::Unreadable, Credential::Token),
        };
        Ok(Asking(server.caller(&connection, &parts.headers, credential).await?))
    }
}
