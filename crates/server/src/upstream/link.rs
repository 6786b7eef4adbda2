//! The one HTTP client from this license server to the vendor's portal: where the portal is, the proxy in between, whom
//! to trust, and what each failure means. Blocking.
//!
//! Knows no sign-in, no document and no schedule: who calls brings the bearer token and the body. Follows no redirect,
//! and sends nothing in the clear to another machine.

mod dial;
mod examine;
mod handshake;
mod page;
mod problem;
mod proxy;
#[cfg(test)]
mod tests;
mod tls;

pub(crate) use examine::not_reached;
pub(crate) use problem::LinkProblem;
pub(crate) use proxy::Proxy;
pub(crate) use tls::authorities;

use crate::clock::ServerClock;
use crate::config::Config;
use dial::{Dialer, NoResolver, Seen, Way, rustls_error};
use leasehold_core::time::Clock;
use leasehold_wire::problem::Problem;
use page::{PAGE_BYTES_MAX, words_of};
use problem::shown;
use proxy::{bare, port_of};
use rustls::pki_types::{CertificateDer, ServerName};
use std::io::Read;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use ureq::http::{Method, Request, Response, Uri, header};

/// Largest answer that is read, in bytes.
pub(crate) const ANSWER_BYTES_MAX: u64 = 1024 * 1024;

/// Where the portal is and how it is reached.
#[derive(Clone)]
pub(crate) struct LinkSettings {
    /// The portal's address, if anybody gave one.
    pub(crate) portal_url: Option<String>,
    /// The proxy in between.
    pub(crate) proxy: Proxy,
    /// Certificate authorities to trust beside the operating system's.
    pub(crate) authorities: Vec<CertificateDer<'static>>,
    /// The machine's clock, by which certificates are judged.
    pub(crate) clock: Arc<dyn Clock>,
}

impl LinkSettings {
    /// As the administrator set it; the address may have been given elsewhere.
    pub(crate) fn of(config: &Config, clock: &ServerClock) -> LinkSettings {
        LinkSettings {
            portal_url: config.portal_url.clone(),
            proxy: config.proxy.clone(),
            authorities: config.portal_ca.clone(),
            clock: clock.machine(),
        }
    }
}

/// The link. Clones are cheap and are the same link; threads may share it.
#[derive(Clone, Debug)]
pub(crate) struct PortalLink {
    way: Arc<Way>,
    /// The address in front of every path, without a slash at its end.
    base: Arc<str>,
    proxy_from_environment: bool,
    agent: ureq::Agent,
}

/// What the portal answered: JSON, with a status below 500 that is no redirect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Answer {
    /// HTTP status.
    pub(crate) status: u16,
    /// The body, at most [`ANSWER_BYTES_MAX`].
    pub(crate) body: Vec<u8>,
}

impl PortalLink {
    /// Prepares the link; connects to nothing yet. The environment and the operating system's certificate authorities are
    /// read now: make a new link to see their changes.
    ///
    /// # Errors
    /// The address of the portal or of the proxy cannot be used.
    pub(crate) fn new(settings: &LinkSettings) -> Result<PortalLink, LinkProblem> {
        let url = settings.portal_url.as_deref().map(str::trim).filter(|url| !url.is_empty());
        let place = Place::parse(url.ok_or(LinkProblem::NoAddress)?)?;
        // Plain HTTP stays within this machine, so it passes no proxy.
        let proxy = match place.tls {
            true => settings.proxy.on_the_way_to(&place.host, place.port, |name| std::env::var(name).ok())?,
            false => None,
        };
        let trust = tls::client_config(&settings.authorities, &settings.clock);
        let Place { tls, host, port, name, base } = place;
        let way = Arc::new(Way { host, port, proxy, tls, name, trust });
        Ok(PortalLink {
            agent: agent(&way, &Arc::default()),
            way,
            base: base.into(),
            proxy_from_environment: settings.proxy == Proxy::Environment,
        })
    }

    /// The portal's address.
    pub(crate) fn address(&self) -> &str {
        &self.base
    }

    /// Whether the portal says that it is ready, by which it answers nothing else.
    pub(crate) fn is_ready(&self, timeout: Duration) -> bool {
        let Ok(request) = Request::get(format!("{}/readyz", self.base)).body(()) else { return false };
        let request = self.agent.configure_request(request).timeout_global(Some(timeout)).build();
        self.agent.run(request).is_ok_and(|answer| answer.status() == 204)
    }

    /// `GET`. `path` begins with a slash; `timeout` is for the whole of it.
    ///
    /// # Errors
    /// There is no answer of the portal.
    pub(crate) fn get(&self, path: &str, bearer: Option<&str>, timeout: Duration) -> Result<Answer, LinkProblem> {
        self.send(Method::GET, path, bearer, (None, None), timeout)
    }

    /// `POST` of a JSON body. If the answer does not come, what was asked may have been done.
    ///
    /// # Errors
    /// There is no answer of the portal.
    pub(crate) fn post_json(
        &self,
        path: &str,
        bearer: Option<&str>,
        body: &[u8],
        timeout: Duration,
    ) -> Result<Answer, LinkProblem> {
        self.send(Method::POST, path, bearer, (None, Some(body)), timeout)
    }

    /// The same, with an `Idempotency-Key`: sent again, it is carried out once.
    ///
    /// # Errors
    /// There is no answer of the portal.
    pub(crate) fn post_once(
        &self,
        path: &str,
        bearer: Option<&str>,
        once: Option<&str>,
        body: &[u8],
        timeout: Duration,
    ) -> Result<Answer, LinkProblem> {
        self.send(Method::POST, path, bearer, (once, Some(body)), timeout)
    }

    /// `DELETE`.
    ///
    /// # Errors
    /// There is no answer of the portal.
    pub(crate) fn delete(&self, path: &str, bearer: Option<&str>, timeout: Duration) -> Result<Answer, LinkProblem> {
        self.send(Method::DELETE, path, bearer, (None, None), timeout)
    }

    /// The same link, whose connections tell what they see.
    fn watched(&self, seen: &Arc<Mutex<Seen>>) -> PortalLink {
        PortalLink { agent: agent(&self.way, seen), ..self.clone() }
    }

    fn send(
        &self,
        method: Method,
        path: &str,
        bearer: Option<&str>,
        (once, body): (Option<&str>, Option<&[u8]>),
        timeout: Duration,
    ) -> Result<Answer, LinkProblem> {
        let unsendable = |_| self.broken("the request cannot be written".to_owned());
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        request = request.header(header::ACCEPT, "application/json");
        if let Some(bearer) = bearer {
            request = request.header(header::AUTHORIZATION, format!("Bearer {bearer}"));
        }
        if let Some(once) = once {
            request = request.header("idempotency-key", once);
        }
        let response = match body {
            Some(body) => {
                let request = request.header(header::CONTENT_TYPE, "application/json").body(body);
                let request = self.agent.configure_request(request.map_err(unsendable)?);
                self.agent.run(request.timeout_global(Some(timeout)).build())
            }
            None => {
                let request = self.agent.configure_request(request.body(()).map_err(unsendable)?);
                self.agent.run(request.timeout_global(Some(timeout)).build())
            }
        };
        let trouble = |error| self.trouble(error, timeout);
        let mut response = response.map_err(trouble)?;
        let status = response.status().as_u16();
        if let Some(problem) = self.no_answer(&mut response) {
            return Err(problem);
        }
        let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec().map_err(trouble)?;
        Ok(Answer { status, body })
    }

    /// Why a response is not the portal speaking, if it is not.
    fn no_answer(&self, response: &mut Response<ureq::Body>) -> Option<LinkProblem> {
        let (portal, status) = (self.way.portal(), response.status().as_u16());
        if (300..400).contains(&status) {
            let to = response.headers().get(header::LOCATION).map(|to| String::from_utf8_lossy(to.as_bytes()));
            let to = to.map_or("an address that it does not tell".to_owned(), |to| shown(&to));
            return Some(LinkProblem::Redirected { portal, to });
        }
        if status >= 500 {
            let page = beginning(response);
            let problem: Option<Problem> = serde_json::from_slice(&page).ok();
            let title =
                problem.map(|problem| shown(problem.title.trim_end_matches('.'))).filter(|title| !title.is_empty());
            return Some(LinkProblem::Down { portal, status, said: title.unwrap_or_else(|| words_of(&page)) });
        }
        if !is_json(response) {
            let words = words_of(&beginning(response));
            let said =
                format!("it answers with status {status}{}", if words.is_empty() { "" } else { " and the page " });
            return Some(LinkProblem::NotThePortal { portal, said: said + &words });
        }
        None
    }

    fn trouble(&self, error: ureq::Error, timeout: Duration) -> LinkProblem {
        let portal = self.way.portal();
        match error {
            ureq::Error::Other(other) => match other.downcast::<LinkProblem>() {
                Ok(problem) => *problem,
                Err(other) => self.broken(shown(&other.to_string())),
            },
            ureq::Error::Timeout(_) => LinkProblem::Slow { portal, seconds: timeout.as_secs().max(1) },
            ureq::Error::Rustls(error) => tls::problem(&error, &portal),
            ureq::Error::Io(error) => match rustls_error(&error) {
                Some(error) => tls::problem(error, &portal),
                None if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                    self.broken("the other side ended it".to_owned())
                }
                None => self.broken(shown(&error.to_string())),
            },
            ureq::Error::BodyExceedsLimit(_) => LinkProblem::TooLarge { portal, bytes_max: ANSWER_BYTES_MAX },
            ureq::Error::Http(_) | ureq::Error::Protocol(_) | ureq::Error::LargeResponseHeader(..) => {
                LinkProblem::NotThePortal { portal, said: "it does not speak HTTP".to_owned() }
            }
            other => self.broken(shown(&other.to_string())),
        }
    }

    fn broken(&self, why: String) -> LinkProblem {
        LinkProblem::Broken { portal: self.way.portal(), why }
    }
}

fn agent(way: &Arc<Way>, seen: &Arc<Mutex<Seen>>) -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        // The dialer knows the proxy.
        .proxy(None)
        .user_agent(concat!("leasehold-server/", env!("CARGO_PKG_VERSION")))
        .max_idle_connections(0)
        .build();
    ureq::Agent::with_parts(config, Dialer::new(Arc::clone(way), Arc::clone(seen)), NoResolver)
}

/// The beginning of a body that is not an answer. What cannot be read is as good as not there.
fn beginning(response: &mut Response<ureq::Body>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = response.body_mut().as_reader().take(PAGE_BYTES_MAX as u64).read_to_end(&mut bytes);
    bytes
}

fn is_json(response: &Response<ureq::Body>) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    ["application/json", "application/problem+json"].iter().any(|json| kind.eq_ignore_ascii_case(json))
}

/// A portal's address taken apart.
struct Place {
    tls: bool,
    host: String,
    port: u16,
    name: ServerName<'static>,
    base: String,
}

impl Place {
    fn parse(url: &str) -> Result<Place, LinkProblem> {
        let bad = |why| LinkProblem::BadAddress { why };
        let uri: Uri = url.parse().map_err(|_| bad("it is not an address"))?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(bad("it must begin with https://")),
        };
        let authority = uri.authority().ok_or(bad("it has no host"))?;
        if authority.as_str().contains('@') {
            return Err(bad("it must not have a user or a password in it"));
        }
        if uri.query().is_some() || url.contains('#') {
            return Err(bad("it must not have a question mark or a hash sign in it"));
        }
        let host = bare(authority.host());
        let name = ServerName::try_from(host.to_owned()).map_err(|_| bad("its host is no name and no address"))?;
        let port = match authority.as_str().strip_prefix(authority.host()).unwrap_or_default() {
            "" => Some(if tls { 443 } else { 80 }),
            rest => port_of(rest),
        };
        if !tls && !is_loopback(host) {
            return Err(LinkProblem::Unencrypted { host: shown(host) });
        }
        Ok(Place {
            tls,
            host: host.to_owned(),
            port: port.ok_or(bad("its port is none"))?,
            name,
            base: url.trim_end_matches('/').to_owned(),
        })
    }
}

/// Whether an address of a portal can be used at all. An error says why not, as the end of a sentence.
pub(crate) fn check_address(url: &str) -> Result<(), String> {
    match Place::parse(url.trim()) {
        Ok(_) => Ok(()),
        Err(LinkProblem::BadAddress { why }) => Err(format!("{why}. It looks like https://portal.example.com")),
        Err(LinkProblem::Unencrypted { host }) => Err(format!(
            "it begins with http:// and leads to another machine ({host}), so passwords and keys would cross the network in \
             the clear. Put https:// in front"
        )),
        Err(other) => Err(other.what()),
    }
}

/// Whether a host is this machine. The address that a name resolves to is looked at again when it is known.
fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
