//! The REST API: parses requests, calls one service each, and says how it went. Holds no rule.
//!
//! A handler that is added here appears in the OpenAPI document, which is committed and compared in tests, and needs a
//! row in the access table of the tests.

mod accounts;
mod audit;
mod devices;
mod health;
mod licenses;
mod mails;
mod organizations;
mod overview;
mod own_account;
mod products;
mod sessions;
mod sync;
mod workstations;

use crate::front::Front;
use crate::service::IdempotencyKey;
use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequestParts};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use leasehold_web::extract::{API_BODY_BYTES_MAX, ApiJson};
use leasehold_web::problem::ApiProblem;
use serde::Serialize;
use std::sync::LazyLock;
use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
pub(crate) use workstations::download;

/// Largest body of a request that carries a file as text: 256 KiB of file, its escapes, and the other fields.
const FILE_BODY_BYTES_MAX: usize = 1024 * 1024;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Leasehold portal",
        description = "Sells licenses and activates license servers. Sign in with `POST /api/v1/sessions` and send the \
                       token as `Authorization: Bearer`, or one that was made with `POST /api/v1/me/tokens` or by RFC 8628 (`POST /api/v1/device/authorize`). Errors are RFC 9457 problems with a stable `code`. Lists are \
                       pages: give `next` as `after`. Requests that create take an `Idempotency-Key`.",
        license(name = "MIT OR Apache-2.0")
    ),
    security(("session" = [])),
    modifiers(&Session),
    tags(
        (name = "sessions", description = "Signing in and out"),
        (name = "accounts", description = "People and organizations"),
        (name = "products", description = "What is sold"),
        (name = "licenses", description = "Purchases"),
        (name = "workstations", description = "License servers and their documents"),
        (name = "organizations", description = "People who are given seats"),
        (name = "sync", description = "What online license servers call"),
        (name = "mail", description = "Letters that the portal sends"),
        (name = "settings", description = "Of the portal itself"),
        (name = "audit", description = "Who did what"),
        (name = "overview", description = "The vendor's figures"),
        (name = "health", description = "For monitoring"),
    )
)]
struct Document;

struct Session;

impl utoipa::Modify for Session {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        document.components.get_or_insert_default().add_security_scheme("session", scheme);
    }
}

fn routes() -> OpenApiRouter<Front> {
    let with_files = OpenApiRouter::new()
        .routes(routes!(workstations::list, workstations::activate))
        .routes(routes!(workstations::inspect))
        .routes(routes!(workstations::take_receipt))
        .routes(routes!(sync::post))
        .routes(routes!(sync::receipt))
        .routes(routes!(sync::own_pins, sync::keep_own))
        .routes(routes!(sync::write_off_pass))
        .routes(routes!(sync::enable))
        .routes(routes!(sync::enable_with_token))
        .layer(DefaultBodyLimit::max(FILE_BODY_BYTES_MAX));
    let others = OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(sessions::sign_in))
        .routes(routes!(sessions::sign_out))
        .routes(routes!(sessions::me, own_account::rename))
        .routes(routes!(own_account::sign_up))
        .routes(routes!(own_account::confirm_sign_up))
        .routes(routes!(own_account::request_reset))
        .routes(routes!(own_account::reset))
        .routes(routes!(own_account::confirm_email))
        .routes(routes!(own_account::change_email, own_account::cancel_email))
        .routes(routes!(own_account::sessions, own_account::end_sessions))
        .routes(routes!(own_account::end_session))
        .routes(routes!(own_account::tokens, own_account::new_token))
        .routes(routes!(own_account::end_token))
        .routes(routes!(devices::authorize))
        .routes(routes!(devices::token))
        .routes(routes!(devices::get, devices::decide))
        .routes(routes!(mails::list))
        .routes(routes!(mails::get))
        .routes(routes!(mails::again))
        .routes(routes!(mails::settings, mails::change_settings))
        .routes(routes!(organizations::assigned_to_me))
        .routes(routes!(accounts::change_password))
        .routes(routes!(accounts::list, accounts::create))
        .routes(routes!(accounts::get))
        .routes(routes!(products::list, products::create))
        .routes(routes!(products::get, products::change))
        .routes(routes!(licenses::list, licenses::create))
        .routes(routes!(licenses::get, licenses::change_seats))
        .routes(routes!(licenses::end))
        .routes(routes!(licenses::raise))
        .routes(routes!(organizations::assign, organizations::revoke))
        .routes(routes!(organizations::list))
        .routes(routes!(organizations::members, organizations::add_member))
        .routes(routes!(organizations::member, organizations::change_member, organizations::remove_member))
        .routes(routes!(organizations::resend))
        .routes(routes!(organizations::change))
        .routes(routes!(organizations::look_at_invitation))
        .routes(routes!(organizations::join))
        .routes(routes!(organizations::my_invitations))
        .routes(routes!(organizations::accept, organizations::leave))
        .routes(routes!(organizations::offer, organizations::end_offer))
        .routes(routes!(organizations::my_offers))
        .routes(routes!(organizations::accept_offer))
        .routes(routes!(workstations::get))
        .routes(routes!(workstations::documents))
        .routes(routes!(workstations::history))
        .routes(routes!(workstations::offers))
        .routes(routes!(workstations::renew))
        .routes(routes!(workstations::revoke))
        .routes(routes!(workstations::loss, workstations::declare_lost))
        .routes(routes!(sync::recall))
        .routes(routes!(sync::pins, sync::keep))
        .routes(routes!(sync::new_token))
        .routes(routes!(sync::wait))
        .routes(routes!(workstations::activation_file))
        .routes(routes!(audit::list))
        .routes(routes!(overview::get))
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .routes(routes!(health::document))
        .layer(DefaultBodyLimit::max(API_BODY_BYTES_MAX));
    others.merge(with_files)
}

/// The OpenAPI 3.1 document.
pub fn openapi() -> serde_json::Value {
    static DOCUMENT: LazyLock<serde_json::Value> = LazyLock::new(|| {
        // A type of this crate's own that does not become JSON cannot be met outside of a test of this function.
        serde_json::to_value(routes().into_openapi()).unwrap_or_default()
    });
    DOCUMENT.clone()
}

/// The routes of the API.
pub fn router(front: &Front) -> Router {
    let (routes, _) = routes().split_for_parts();
    routes.with_state(front.clone())
}

/// An answer that created something.
pub(crate) struct Created<T>(T);

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, ApiJson(self.0)).into_response()
    }
}

/// The `Idempotency-Key` header.
pub(crate) struct Key(Option<IdempotencyKey>);

impl<S: Send + Sync> FromRequestParts<S> for Key {
    type Rejection = ApiProblem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiProblem> {
        let Some(key) = parts.headers.get("idempotency-key") else { return Ok(Key(None)) };
        // What is not text is not visible ASCII either.
        Ok(Key(Some(IdempotencyKey::new(key.to_str().unwrap_or(" "))?)))
    }
}
