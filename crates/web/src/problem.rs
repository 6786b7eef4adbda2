//! Problems as HTTP answers: `application/problem+json`, the answers that every router needs (unknown address, wrong
//! method, panic), and the way in which a page router turns a problem into a page.

use axum::body::Body;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use leasehold_wire::problem::CONTENT_TYPE;
pub use leasehold_wire::problem::Problem;
use maud::Markup;
use serde::Serialize;
use std::any::Any;
use tower_http::catch_panic::CatchPanicLayer;

/// Who can act, in the words used everywhere.
pub mod who {
    /// Whoever runs or writes the program that asked.
    pub const CALLER: &str = "whoever runs the program that sent this request";
    /// The person at the browser.
    pub const YOU: &str = "you";
    /// Who runs this service.
    pub const ADMINISTRATOR: &str = "the administrator of this service";
}

/// A [`Problem`] that is being answered. Handlers return `Result<_, ApiProblem>`; `?` turns a `Problem` into one.
///
/// The response also carries the problem as an extension, so that a page router can show it as a page ([`as_page`]).
#[derive(Clone, Debug)]
// Boxed, so that a `Result` that is nearly always `Ok` stays small.
pub struct ApiProblem(Box<Problem>);

impl ApiProblem {
    /// What is answered.
    pub fn problem(&self) -> &Problem {
        &self.0
    }
}

impl From<Problem> for ApiProblem {
    fn from(problem: Problem) -> ApiProblem {
        ApiProblem(Box::new(problem))
    }
}

impl IntoResponse for ApiProblem {
    fn into_response(self) -> Response {
        let mut response = respond(self.0.status, &*self.0);
        response.extensions_mut().insert(*self.0);
        response
    }
}

/// An `application/problem+json` answer with a body of the caller's own: a problem with further members, such as a denial
/// that counts seats. A status outside 400 to 599 becomes 500.
pub fn respond(status: u16, body: &impl Serialize) -> Response {
    let status = StatusCode::from_u16(status)
        .ok()
        .filter(|status| status.is_client_error() || status.is_server_error())
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match serde_json::to_vec(body) {
        Ok(json) => {
            let mut response = Response::new(Body::from(json));
            *response.status_mut() = status;
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
            response
        }
        Err(error) => {
            tracing::error!(%error, "a problem could not be written as JSON");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// The answer for anything that went wrong inside and that the caller cannot mend. Log the cause where it is known;
/// it is not told to the caller.
pub fn internal() -> Problem {
    Problem::new(500, "INTERNAL", "Something went wrong inside the service.")
        .detail("The request may or may not have been carried out. The cause is in the service's log.")
        .next(
            "Look whether it was done before trying again. If it happens again, look at the service's log.",
            who::ADMINISTRATOR,
        )
}

/// Fallback of a router: nothing at this address.
pub async fn not_found() -> ApiProblem {
    ApiProblem::from(
        Problem::new(404, "NOT_FOUND", "There is nothing at this address.")
            .next("Check the address. If it came from a link, what it led to may have been removed.", who::YOU),
    )
}

/// Method fallback of a router: the address exists, the method does not. axum adds the `Allow` header.
pub async fn method_not_allowed(method: Method) -> ApiProblem {
    ApiProblem::from(
        Problem::new(405, "METHOD_NOT_ALLOWED", "This address does not take this kind of request.")
            .detail(format!("The method was {}.", crate::text::visible(method.as_str())))
            .next("Use one of the methods in the answer's Allow header.", who::CALLER),
    )
}

/// Turns a panic of a handler into a [`Problem`] with status 500, so that one request fails and not the connection.
pub fn catch_panic() -> CatchPanicLayer<fn(Box<dyn Any + Send>) -> Response> {
    CatchPanicLayer::custom(after_panic as fn(Box<dyn Any + Send>) -> Response)
}

fn after_panic(panic: Box<dyn Any + Send>) -> Response {
    let said = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    tracing::error!(panic = said, "a request's handler panicked");
    ApiProblem::from(internal()).into_response()
}

/// Shows the problem in `response`, if it has one, as a page drawn by `draw`; other responses pass as they are. For
/// `axum::middleware::map_response` around a router of pages.
pub fn as_page(mut response: Response, draw: impl FnOnce(&Problem) -> Markup) -> Response {
    match response.extensions_mut().remove::<Problem>() {
        None => response,
        Some(problem) => {
            let (mut head, _) = response.into_parts();
            let page = draw(&problem).into_response();
            head.headers.remove(header::CONTENT_LENGTH);
            if let Some(html) = page.headers().get(header::CONTENT_TYPE) {
                head.headers.insert(header::CONTENT_TYPE, html.clone());
            }
            Response::from_parts(head, page.into_body())
        }
    }
}
