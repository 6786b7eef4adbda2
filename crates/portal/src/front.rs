//! What both fronts (REST and pages) share: finding out who is asking, and the layers around every route.
//!
//! Holds no rule: who may do what is asked in the services.

use crate::failure::Failure;
use crate::service::{Caller, sessions};
use crate::{Config, Portal};
use axum::Router;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use leasehold_web::csrf;
use leasehold_web::headers::{Hsts, for_api};
use leasehold_web::listener::Connection;
use leasehold_web::live::Streams;
use leasehold_web::problem::{ApiProblem, Problem, catch_panic, who};
use leasehold_web::proxy::{self, TrustedProxies};
use leasehold_web::session::{SessionCookie, SessionToken};
use leasehold_web::shutdown::Shutdown;
use std::net::IpAddr;
use std::sync::Arc;

/// State of every route. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Front(Arc<FrontParts>);

#[derive(Debug)]
struct FrontParts {
    portal: Portal,
    cookie: SessionCookie,
    proxies: TrustedProxies,
    public_url: Option<String>,
    /// Names under which the portal is reached without TLS; `None`: any, because TLS proves the name.
    hosts: Option<Vec<String>>,
    /// Ends what waits for long.
    shutdown: Option<Shutdown>,
    /// Pages that are kept up to date; `None` if nothing would end them.
    streams: Option<Streams>,
}

impl Front {
    /// The front of a portal as it is configured.
    pub fn new(portal: Portal, config: &Config) -> Front {
        let https = config.is_https();
        let hosts = config.tls.is_none().then(|| config.public_host().into_iter().collect());
        Front(Arc::new(FrontParts {
            portal,
            cookie: SessionCookie::new("leasehold_portal", https),
            proxies: config.proxies.clone(),
            public_url: config.public_url.clone(),
            hosts,
            shutdown: None,
            streams: None,
        }))
    }

    /// The same, with whatever waits for long ended at the portal's stop.
    pub fn until(self, shutdown: Shutdown) -> Front {
        let parts = FrontParts {
            portal: self.0.portal.clone(),
            cookie: self.0.cookie.clone(),
            proxies: self.0.proxies.clone(),
            public_url: self.0.public_url.clone(),
            hosts: self.0.hosts.clone(),
            streams: Some(Streams::new(shutdown.clone())),
            shutdown: Some(shutdown),
        };
        Front(Arc::new(parts))
    }

    /// Returns when the portal is about to stop.
    pub async fn closing(&self) {
        match self.0.shutdown.clone() {
            Some(mut shutdown) => shutdown.requested().await,
            None => std::future::pending().await,
        }
    }

    /// The pages that are kept up to date.
    pub(crate) fn streams(&self) -> Option<&Streams> {
        self.0.streams.as_ref()
    }

    /// The portal itself.
    pub fn portal(&self) -> &Portal {
        &self.0.portal
    }

    /// The cookie of signed-in browsers.
    pub fn cookie(&self) -> &SessionCookie {
        &self.0.cookie
    }

    /// Where people reach the portal, such as `https://licenses.example.com`; no slash at the end.
    pub fn public_url(&self) -> Option<&str> {
        self.0.public_url.as_deref()
    }

    /// The address of whoever is asking, behind trusted proxies too.
    pub fn address(&self, connection: &Connection, headers: &HeaderMap) -> IpAddr {
        proxy::client(connection, headers, &self.0.proxies).address
    }

    /// Who is asking, as of now; perhaps nobody who is signed in.
    pub async fn caller(&self, connection: &Connection, headers: &HeaderMap) -> Result<Caller, Failure> {
        let address = self.address(connection, headers);
        let Some(token) = self.token(headers) else { return Ok(Caller::nobody(address)) };
        self.portal().run(move |portal| sessions::caller(portal, Some(&token), address)).await
    }

    /// A bearer token if there is an `Authorization` header (cookies are then ignored), else the cookie.
    fn token(&self, headers: &HeaderMap) -> Option<SessionToken> {
        let Some(authorization) = headers.get(header::AUTHORIZATION) else { return self.0.cookie.read(headers) };
        let (scheme, token) = authorization.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| SessionToken::parse(token.trim()))?
    }

    /// The layers around all routes: panics become problems, other sites' requests and made-up host names are refused, and
    /// every answer has its security headers (pages set their own, which stay).
    ///
    /// # Errors
    /// `public_url` is no origin.
    pub fn guard(&self, routes: Router) -> Result<Router, String> {
        let csrf = csrf::layer(self.public_url()).map_err(|error| error.to_string())?;
        let hosts = middleware::from_fn_with_state(self.clone(), check_host);
        Ok(for_api(routes.layer(csrf).layer(hosts).layer(catch_panic()), self.hsts()))
    }

    /// The promise "HTTPS only" is for the whole host, so it is given only for an address that the operator stated.
    pub fn hsts(&self) -> Hsts {
        match self.public_url() {
            Some(url) if url.starts_with("https://") => Hsts::On,
            _ => Hsts::Off,
        }
    }
}

async fn check_host(State(front): State<Front>, request: Request, next: Next) -> Response {
    let Some(hosts) = &front.0.hosts else { return next.run(request).await };
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    // HTTP/2 has the name in the address of the request instead.
    let host = host.or_else(|| request.uri().authority().map(|authority| authority.as_str()));
    if host.is_some_and(|host| proxy::host_allowed(host, hosts)) {
        return next.run(request).await;
    }
    let problem = Problem::new(421, "UNKNOWN_HOST", "This portal does not answer to that name.")
        .detail("Without TLS it answers to localhost, to addresses, and to the name in `public_url` only.")
        .next(
            "Use such an address, or set `public_url` in portal.toml to the address that people use.",
            who::ADMINISTRATOR,
        );
    ApiProblem::from(problem).into_response()
}

/// Who is asking; perhaps nobody who is signed in.
#[derive(Clone, Debug)]
pub struct Asking(pub Caller);

impl FromRequestParts<Front> for Asking {
    type Rejection = ApiProblem;

    async fn from_request_parts(parts: &mut Parts, front: &Front) -> Result<Self, ApiProblem> {
        let connection = Connection::from_request_parts(parts, front).await?;
        Ok(Asking(front.caller(&connection, &parts.headers).await?))
    }
}

/// Who is asking, signed in. Anybody else gets 401 before the request's body is read.
#[derive(Clone, Debug)]
pub struct SignedIn(pub Caller);

impl FromRequestParts<Front> for SignedIn {
    type Rejection = ApiProblem;

    async fn from_request_parts(parts: &mut Parts, front: &Front) -> Result<Self, ApiProblem> {
        let Asking(caller) = Asking::from_request_parts(parts, front).await?;
        match caller.account() {
            Some(_) => Ok(SignedIn(caller)),
            None => Err(Failure::SignIn.into()),
        }
    }
}

/// The browser's or program's own name for itself; hostile text.
pub fn agent(headers: &HeaderMap) -> String {
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    agent.unwrap_or_default().to_owned()
}
