//! Extractors whose refusals are problems: JSON, query, path, form and uploaded files. Types that come in by them
//! carry `#[serde(deny_unknown_fields)]`; a field that nobody knows is then refused by name.

mod upload;

use crate::listener::Connection;
use crate::problem::{ApiProblem, Problem, internal, who};
use crate::text::{shorten, visible};
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, FormRejection, JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Form, FromRequest, FromRequestParts, Json, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::error::Error;
use std::time::Duration;
pub use upload::{UPLOAD_BYTES_MAX, Upload, Uploads};

/// A whole body must arrive within this time.
const BODY_WAIT: Duration = Duration::from_secs(30);

/// Largest body of an API request in bytes; set with `axum::extract::DefaultBodyLimit::max` on the router.
pub const API_BODY_BYTES_MAX: usize = 64 * 1024;

/// Longest piece of a parser's message that is repeated to the caller, in characters.
const REPEATED_CHARS_MAX: usize = 300;

/// A JSON body in, or a JSON answer out.
#[derive(Clone, Copy, Debug)]
pub struct ApiJson<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for ApiJson<T> {
    type Rejection = ApiProblem;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiProblem> {
        if !is_json(&request) {
            return Err(ApiProblem::from(not_json_type()));
        }
        let body = body(request, state).await?;
        Json::from_bytes(&body)
            .map(|Json(value)| ApiJson(value))
            .map_err(|refused| ApiProblem::from(bad_json(&refused)))
    }
}

impl<T: Serialize> IntoResponse for ApiJson<T> {
    fn into_response(self) -> Response {
        Json(self.0).into_response()
    }
}

/// The part of an address after `?`.
#[derive(Clone, Copy, Debug)]
pub struct ApiQuery<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for ApiQuery<T> {
    type Rejection = ApiProblem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiProblem> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(ApiQuery(value)),
            Err(QueryRejection::FailedToDeserializeQueryString(error)) => Err(ApiProblem::from(
                Problem::new(400, "BAD_QUERY", "The part of the address after `?` is not understood.")
                    .detail(said(&error))
                    .next("Correct or remove the parameter that is named.", who::CALLER),
            )),
            Err(_) => Err(ApiProblem::from(internal())),
        }
    }
}

/// The variable parts of a path. One that does not read as its type names nothing that exists: 404.
#[derive(Clone, Copy, Debug)]
pub struct ApiPath<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for ApiPath<T> {
    type Rejection = ApiProblem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiProblem> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(value)) => Ok(ApiPath(value)),
            Err(PathRejection::FailedToDeserializePathParams(error)) if error.status() == StatusCode::BAD_REQUEST => {
                Err(ApiProblem::from(
                    Problem::new(404, "NOT_FOUND", "There is nothing at this address.")
                        .detail(said(&error))
                        .next("Check the id in the address.", who::CALLER),
                ))
            }
            Err(error) => {
                tracing::error!(%error, "a route's path parameters do not fit its handler");
                Err(ApiProblem::from(internal()))
            }
        }
    }
}

/// The fields of a form on a page.
#[derive(Clone, Copy, Debug)]
pub struct PageForm<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for PageForm<T> {
    type Rejection = ApiProblem;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiProblem> {
        let read = tokio::time::timeout(BODY_WAIT, Form::from_request(request, state));
        let refused = match read.await {
            Ok(Ok(Form(value))) => return Ok(PageForm(value)),
            Ok(Err(refused)) => refused,
            Err(_) => return Err(ApiProblem::from(too_slow())),
        };
        let why = match &refused {
            FormRejection::BytesRejection(refused) => return Err(ApiProblem::from(bad_body(refused))),
            FormRejection::InvalidFormContentType(_) => "It did not come from a form.".to_owned(),
            other => said(other),
        };
        Err(ApiProblem::from(
            Problem::new(422, "BAD_FORM", "The form could not be read.")
                .detail(why)
                .next("Go back, reload the page and fill it in again.", who::YOU),
        ))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Connection {
    type Rejection = ApiProblem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiProblem> {
        parts.extensions.get::<Connection>().cloned().ok_or_else(|| {
            tracing::error!(
                "a request came without its connection: the router is not served by `leasehold_web::listener`"
            );
            ApiProblem::from(internal())
        })
    }
}

/// The whole body, within the router's size limit and [`BODY_WAIT`].
async fn body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, ApiProblem> {
    match tokio::time::timeout(BODY_WAIT, Bytes::from_request(request, state)).await {
        Ok(read) => read.map_err(|refused| ApiProblem::from(bad_body(&refused))),
        Err(_) => Err(ApiProblem::from(too_slow())),
    }
}

fn is_json(request: &Request) -> bool {
    let Some(given) = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let essence = given.split(';').next().unwrap_or_default().trim();
    let (kind, suffix) = essence.split_once('/').unwrap_or_default();
    kind.eq_ignore_ascii_case("application")
        && (suffix.eq_ignore_ascii_case("json") || suffix.to_ascii_lowercase().ends_with("+json"))
}

fn not_json_type() -> Problem {
    Problem::new(415, "NOT_JSON", "The request's body is not marked as JSON.")
        .next("Send the header `Content-Type: application/json`.", who::CALLER)
}

fn bad_json(refused: &JsonRejection) -> Problem {
    match refused {
        JsonRejection::JsonSyntaxError(error) => Problem::new(400, "BAD_JSON", "The request's body is not valid JSON.")
            .detail(said(error))
            .next("Correct the JSON at the place that is named.", who::CALLER),
        other => Problem::new(422, "BAD_FIELD", "The request's JSON does not have the expected fields.")
            .detail(said(other))
            .next("Correct the field that is named; the API's OpenAPI document lists all fields.", who::CALLER),
    }
}

fn bad_body(refused: &BytesRejection) -> Problem {
    if refused.status() == StatusCode::PAYLOAD_TOO_LARGE {
        // How much is taken depends on the route, which knows better than this what belongs there.
        return Problem::new(413, "TOO_LARGE", "The request's body is too large.")
            .detail("It was not read.")
            .next("Send less at once, or check that it is the right file.", who::CALLER);
    }
    Problem::new(400, "BODY_CUT_OFF", "The request's body did not arrive whole.")
        .next("Send the request again.", who::CALLER)
}

fn too_large(title: &'static str, bytes_max: usize) -> Problem {
    Problem::new(413, "TOO_LARGE", title)
        .detail(format!("At most {} KiB are taken here.", bytes_max / 1024))
        .next("Send less at once, or check that it is the right file.", who::CALLER)
}

fn too_slow() -> Problem {
    Problem::new(408, "TOO_SLOW", "The request's body took too long to arrive.")
        .detail(format!("It must arrive within {} s.", BODY_WAIT.as_secs()))
        .next("Send the request again; if it happens again, check the network in between.", who::CALLER)
}

/// The innermost cause in a parser's own words (the outer ones only say that something failed), bounded and without
/// hidden characters: it repeats what came in.
fn said(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    shorten(&visible(&innermost.to_string()), REPEATED_CHARS_MAX).into_owned()
}
