//! Problems as pages for whoever reads with a browser; programs get them as they are.

use super::look::{self, Head};
use crate::front::{Asking, Front};
use crate::service::Caller;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::{HeaderMap, Method, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use leasehold_web::components::{Button, ListQuery, link_button, problem_panel};
use leasehold_web::headers::of_page;
use leasehold_web::maud::{Markup, html};
use leasehold_web::problem::{Problem, as_page};

/// Draws the problem in an answer as a page. Whoever has to sign in first is sent there and comes back.
pub(super) async fn as_pages(State(front): State<Front>, request: Request, next: Next) -> Response {
    if is_api(request.uri().path()) || !wants_html(request.headers()) {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let mut asked = parts.clone();
    let response = next.run(Request::from_parts(parts, body)).await;
    let Some(problem) = response.extensions().get::<Problem>() else { return response };
    if problem.code == "SIGN_IN" && asked.method == Method::GET {
        return Redirect::to(&sign_in_address(&asked.uri)).into_response();
    }
    // Whatever went wrong may have gone wrong in finding out who asks: then the page has no menu.
    let caller = match Asking::from_request_parts(&mut asked, &front).await {
        Ok(Asking(caller)) => caller,
        Err(_) => Caller::command_line(),
    };
    let mut drawn = as_page(response, |problem| page(&front, &caller, problem));
    // What has no page of its own came with the headers of an answer that loads nothing.
    drawn.headers_mut().remove(header::CONTENT_SECURITY_POLICY);
    of_page(drawn.headers_mut(), front.hsts());
    drawn
}

/// What programs ask for: it stays what it is, in a browser too.
fn is_api(path: &str) -> bool {
    path.starts_with("/api/") || matches!(path, "/healthz" | "/readyz" | "/openapi.json")
}

fn page(front: &Front, caller: &Caller, problem: &Problem) -> Markup {
    let heading = heading(problem.status);
    let (back, to) = match caller.account() {
        Some(_) => ("Back to the start page", "/"),
        None => ("Sign in", "/sign-in"),
    };
    let content = html! {
        h1 { (heading) }
        (problem_panel(problem))
        div.actions { (link_button(back, to, Button::Plain)) }
    };
    look::page(front, caller, Head::narrow(heading, ""), content)
}

fn wants_html(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"))
}

/// The sign-in page that leads back to `uri`.
fn sign_in_address(uri: &Uri) -> String {
    match uri.path_and_query().map(|asked| asked.as_str()) {
        None | Some("/") => "/sign-in".to_owned(),
        Some(asked) => format!("/sign-in{}", ListQuery::default().with("next", Some(asked))),
    }
}

fn heading(status: u16) -> &'static str {
    match status {
        401 => "Please sign in",
        403 => "Not allowed",
        404 => "Not found",
        500.. => "Something went wrong",
        _ => "That did not work",
    }
}
