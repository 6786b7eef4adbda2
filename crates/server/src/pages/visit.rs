//! One request for a page: who asks, over what, and the frame that is drawn around the answer. Holds no rule: whether
//! the caller may do something is the services' to say.

use super::Pages;
use crate::server::Server;
use crate::service::{Caller, Credential};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use leasehold_core::time::Ms;
use leasehold_web::components::{ListQuery, problem_panel};
use leasehold_web::listener::Connection;
use leasehold_web::maud::{Markup, html};
use leasehold_web::page::{Account, Frame, Link, Menu, Notice, Width, page};
use leasehold_web::problem::{ApiProblem, Problem, internal};
use leasehold_web::proxy;
use leasehold_web::session::{SessionCookie, SessionToken};

const SERVICE: &str = "License Server";
const ONLINE_LICENSING: Menu = Menu::Group {
    label: "ONLINE LICENSING",
    items: &[
        Link { label: "Overview", href: "/online" },
        Link { label: "Enable", href: "/online/enable" },
        Link { label: "Use licenses offline", href: "/online/offline" },
        Link { label: "Activate offline", href: "/activate" },
        Link { label: "Borrowed by machines", href: "/passes" },
        Link { label: "Give back some seats", href: "/give-back" },
        Link { label: "Disable", href: "/disable" },
    ],
};
const ONLINE_LOOK: Menu = Menu::Group {
    label: "ONLINE LICENSING",
    items: &[
        Link { label: "Overview", href: "/online" },
        Link { label: "Use licenses offline", href: "/online/offline" },
        Link { label: "Borrowed by machines", href: "/passes" },
    ],
};
const HOME: Menu = Menu::Link(Link { label: "Home", href: "/" });
const TRIAL: Link = Link { label: "Would this work?", href: "/simulate" };
const USAGE: Menu = Menu::Group {
    label: "USAGE",
    items: &[
        Link { label: "Who holds what", href: "/holders" },
        Link { label: "Denials", href: "/denials" },
        TRIAL,
        Link { label: "Usage", href: "/usage" },
        Link { label: "Usage log", href: "/usage/log" },
    ],
};
const MENU: &[Menu] = &[HOME, ONLINE_LICENSING, Menu::Link(TRIAL)];
const MENU_OPEN: &[Menu] = &[HOME, ONLINE_LICENSING, USAGE];
const AUDIT: Menu = Menu::Link(Link { label: "Audit log", href: "/audit" });
const MENU_ADMINISTRATOR: &[Menu] = &[HOME, ONLINE_LICENSING, USAGE, AUDIT];
/// For accounts that may look only: without what is there only to change something.
const MENU_LOOK: &[Menu] = &[HOME, ONLINE_LOOK, USAGE, AUDIT];
const ACCOUNT_LINKS: &[Link] = &[Link { label: "Settings", href: "/settings" }];

/// Pages to which a sign-in may lead back. A fixed list, so that no link can send people elsewhere after it.
const WAYS_BACK: &[&str] = &[
    "/",
    "/online",
    "/online/enable",
    "/online/offline",
    "/activate",
    "/give-back",
    "/disable",
    "/settings",
    "/settings/network",
    "/settings/portal",
    "/settings/seats",
    "/settings/administrators",
    "/settings/backup",
    "/usage",
    "/usage/log",
    "/audit",
    "/holders",
    "/denials",
    "/passes",
];

/// The page to which a sign-in leads back, from what an address or a form says.
pub(super) fn way_back(wanted: Option<&str>) -> &'static str {
    WAYS_BACK.iter().copied().find(|path| Some(*path) == wanted).unwrap_or("/")
}

/// One request for a page.
#[derive(Clone, Debug)]
pub(super) struct Visit {
    /// The license server.
    pub(super) server: Server,
    /// Who asks.
    pub(super) caller: Caller,
    /// The parameters of the address.
    pub(super) query: ListQuery,
    /// The server's now.
    pub(super) now: Ms,
    /// This server's address with `https://`, without a path, if the request says how it is called.
    pub(super) https_origin: Option<String>,
    /// The host that the request asks for, if it is written as one.
    requested_host: Option<String>,
    path: String,
    version: String,
    cookie: SessionCookie,
}

impl Visit {
    /// Finds out who asks.
    pub(super) async fn of(
        pages: &Pages,
        connection: &Connection,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<Visit, ApiProblem> {
        let server = pages.server.clone();
        let https = proxy::client(connection, headers, &server.0.settings.get().trusted_proxies).https;
        let cookie = SessionCookie::new("leasehold_server", https);
        let caller = caller(&server, connection, headers, &cookie).await?;
        Ok(Visit {
            caller,
            query: ListQuery::of(uri),
            now: server.now(),
            https_origin: https_origin(&server, uri, headers),
            requested_host: plain_host(uri, headers),
            path: uri.path().to_owned(),
            version: format!("Leasehold {} · {}", crate::VERSION, pages.host),
            cookie,
            server,
        })
    }

    /// Who asks as of now: a session may have ended since. For answers that go on for long.
    pub(super) async fn again(&mut self, connection: &Connection, headers: &HeaderMap) -> Result<(), ApiProblem> {
        self.caller = caller(&self.server, connection, headers, &self.cookie).await?;
        self.now = self.server.now();
        Ok(())
    }

    /// Whether a page is asked for that everybody may open only where totals are shown to everybody.
    pub(super) fn must_sign_in(&self) -> bool {
        let of_totals = matches!(self.path.as_str(), "/" | "/live" | "/simulate");
        of_totals && !self.caller.is_signed_in() && !self.server.openness().totals
    }

    /// Leads to the sign-in and back.
    pub(super) fn to_sign_in(&self) -> Response {
        Redirect::to(&format!("/sign-in?next={}", way_back(Some(&self.path)))).into_response()
    }

    /// Whether the caller may see who used what.
    pub(super) fn sees_usage(&self) -> bool {
        self.caller.is_signed_in() || self.server.openness().usage
    }

    /// Whether the caller may see who holds what now.
    pub(super) fn sees_holders(&self) -> bool {
        self.caller.is_signed_in() || self.server.openness().holders
    }

    /// This server as the request calls it, without the port.
    pub(super) fn host_name(&self) -> String {
        let origin = self.requested_host.as_deref().unwrap_or("localhost");
        match origin.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host.to_owned(),
            _ => origin.to_owned(),
        }
    }

    /// A frame with the menus of whoever asks.
    pub(super) fn frame<'a>(&'a self, title: &'a str, notices: &'a [Notice]) -> Frame<'a> {
        let administrator = self.caller.is_signed_in();
        let open = self.server.openness();
        Frame {
            menu: match (administrator, open.usage || open.holders) {
                (true, _) if self.caller.may_change() => MENU_ADMINISTRATOR,
                (true, _) => MENU_LOOK,
                (false, true) => MENU_OPEN,
                (false, false) => MENU,
            },
            current: &self.path,
            account: administrator.then_some(Account {
                name: self.caller.account().unwrap_or("Administrator"),
                detail: if self.caller.may_change() {
                    "administrator of this license server"
                } else {
                    "may look at this license server"
                },
                links: ACCOUNT_LINKS,
                sign_out: "/sign-out",
            }),
            sign_in: (!matches!(self.path.as_str(), "/sign-in" | "/setup")).then_some("/sign-in"),
            notices,
            ..Frame::new(SERVICE, title, &self.version)
        }
    }

    /// A whole page with nothing above its content.
    pub(super) fn page(&self, title: &str, content: Markup) -> Markup {
        page(&self.frame(title, &[]), content)
    }

    /// The same for one form or one question.
    pub(super) fn narrow_page(&self, title: &str, content: Markup) -> Markup {
        page(&Frame { width: Width::Narrow, ..self.frame(title, &[]) }, content)
    }

    /// A problem as a page of its own.
    pub(super) fn problem_page(&self, problem: &Problem) -> Markup {
        let content =
            html! { h1.unseen { "Not done" } (problem_panel(problem)) p { a href="/" { "Back to the home page" } } };
        self.narrow_page(&problem.title, content)
    }

    /// What stands in the place of a form that the caller may not send.
    pub(super) fn looks_only(&self) -> Response {
        let problem =
            crate::service::Failure::ReadOnly.problem().detail("This page is there only to change something.");
        let page = self.problem_page(&problem);
        (StatusCode::FORBIDDEN, page).into_response()
    }

    /// Leads to a page and gives the browser a session.
    pub(super) fn signed_in(&self, token: &str, to: &str) -> Result<Response, ApiProblem> {
        let token = SessionToken::parse(token).ok_or_else(|| ApiProblem::from(internal()))?;
        Ok(with_cookie(Redirect::to(to), self.cookie.set(&token)))
    }

    /// Leads home and takes the session from the browser.
    pub(super) fn signed_out(&self) -> Response {
        with_cookie(Redirect::to("/"), self.cookie.clear())
    }
}

/// A problem where nobody could find out who asks.
pub(super) fn bare_problem_page(problem: &Problem) -> Markup {
    page(&Frame { width: Width::Narrow, ..Frame::new(SERVICE, &problem.title, "Leasehold") }, problem_panel(problem))
}

fn with_cookie(redirect: Redirect, cookie: HeaderValue) -> Response {
    let mut response = redirect.into_response();
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    response
}

/// The administrator if the browser's session is good; otherwise anyone. A session that has ended is no wrong password:
/// it must not count against the address.
async fn caller(
    server: &Server,
    connection: &Connection,
    headers: &HeaderMap,
    cookie: &SessionCookie,
) -> Result<Caller, ApiProblem> {
    if let Some(token) = cookie.read(headers) {
        let caller = server.caller(connection, headers, Credential::Token(token)).await?;
        if caller.is_signed_in() {
            return Ok(caller);
        }
    }
    Ok(server.caller(connection, headers, Credential::None).await?)
}

fn https_origin(server: &Server, uri: &Uri, headers: &HeaderMap) -> Option<String> {
    let public = server.public_url().filter(|url| url.starts_with("https://"));
    if let Some(url) = public {
        return Some(url.trim_end_matches('/').to_owned());
    }
    plain_host(uri, headers).map(|host| format!("https://{host}"))
}

/// The host that is asked for, if nothing in it is but a host and a port.
fn plain_host(uri: &Uri, headers: &HeaderMap) -> Option<String> {
    let host = proxy::requested_host(uri, headers)?;
    let plain = host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']'));
    (plain && !host.is_empty()).then(|| host.to_owned())
}

impl<S: Send + Sync> FromRequestParts<S> for Visit {
    type Rejection = ApiProblem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiProblem> {
        // Put there by the layer around all pages.
        parts.extensions.get::<Visit>().cloned().ok_or_else(|| internal().into())
    }
}

/// A visit to a page of administrators; whoever is not signed in is led to the sign-in and back. A read-only account sees
/// the pages, and what it sends is refused.
#[derive(Clone, Debug)]
pub(super) struct Administrator(pub(super) Visit);

impl<S: Send + Sync> FromRequestParts<S> for Administrator {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let SignedIn(visit) = SignedIn::from_request_parts(parts, state).await?;
        // Before the form is read: what is wrong with it is nobody's concern who may not send it.
        if visit.caller.may_change() || parts.method == Method::GET || parts.method == Method::HEAD {
            return Ok(Administrator(visit));
        }
        Err(ApiProblem::from(crate::service::Failure::ReadOnly).into_response())
    }
}

/// A visit to a page that is there only to change something: whoever may look only is told so, and sees no form.
#[derive(Clone, Debug)]
pub(super) struct Changer(pub(super) Visit);

impl<S: Send + Sync> FromRequestParts<S> for Changer {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let Administrator(visit) = Administrator::from_request_parts(parts, state).await?;
        if visit.caller.may_change() {
            return Ok(Changer(visit));
        }
        Err(visit.looks_only())
    }
}

/// A visit of somebody who is signed in, for what everybody may do with the own account.
#[derive(Clone, Debug)]
pub(super) struct SignedIn(pub(super) Visit);

impl<S: Send + Sync> FromRequestParts<S> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let visit = Visit::from_request_parts(parts, state).await.map_err(IntoResponse::into_response)?;
        if visit.caller.is_signed_in() {
            return Ok(SignedIn(visit));
        }
        if parts.method == Method::GET || parts.method == Method::HEAD {
            return Err(visit.to_sign_in());
        }
        Err(ApiProblem::from(crate::service::Failure::SignIn).into_response())
    }
}
