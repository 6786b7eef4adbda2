//! HTTP to one license server: the calls of `PROTOCOL.md` section 7, each answer verified before it is returned.
//!
//! Every connection goes to the configured address but asks for the one name in every server's certificate, so ordinary
//! TLS verification with the vendor's root as the only trust says whether this is a server of the vendor's. Answers that
//! create or extend a lease are verified once more by what is signed in them, which makes plain HTTP as trustworthy.

use crate::address::{Scheme, ServerAddress};
use crate::trouble::{Trouble, printable};
use crate::verify::{self, Asked, Distrust, KnownGrant};
use leasehold_core::codes::{DenialCode, LeaseEnd};
use leasehold_core::ids::{LeaseId, PassId};
use leasehold_core::session::PROBE_MS;
use leasehold_core::time::{Clock, Ms};
use leasehold_core::times::LeaseTimes;
use leasehold_trust::{SERVER_DNS_NAME, VendorRef, VendorRoot};
use leasehold_wire::problem::Problem;
use leasehold_wire::server::{
    BorrowRequest, CheckoutRequest, DenialResponse, EndedResponse, GrantResponse, HeartbeatRequest, IDEMPOTENCY_KEY,
    LeaseResponse, PassResponse, PingResponse, ResumeRequest, ReturnRequest, ReturnResponse, ServerState,
    SimulateRequest, SimulateResponse, StatusResponse, codes,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use ureq::http::{Method, Request, Uri};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

/// Longest wait for the answer to a call.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for the answer to a probe.
pub(crate) const PROBE_TIMEOUT: Duration = Duration::from_millis(PROBE_MS.unsigned_abs());
/// Largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 1024 * 1024;
/// Most grant documents remembered per server; a server has one at a time.
const GRANTS_KEPT: usize = 4;

/// A right that was verified.
#[derive(Debug)]
pub(crate) struct Leased {
    pub(crate) answer: LeaseResponse,
    pub(crate) times: LeaseTimes,
}

/// What a call about one lease came to.
#[derive(Debug)]
pub(crate) enum Called {
    Leased(Box<Leased>),
    Ended { end: LeaseEnd, left_ms: i64 },
    TakenBack { left_ms: i64, not_again_ms: i64, reason: Option<String> },
    Released,
}

/// Seats that were lent.
#[derive(Debug)]
pub(crate) struct Borrowed {
    /// Which, and until when, as the server says: only the file proves it.
    pub(crate) pass: PassId,
    pub(crate) until: Ms,
    /// The pass file; not verified yet.
    pub(crate) file: String,
    pub(crate) wanted_until: Ms,
    pub(crate) cut: bool,
    /// Why it was not extended, if the server has a reason of its own.
    pub(crate) not_extended: Option<String>,
}

/// A pass was given back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum GivenBack {
    /// Its seats are free.
    Free,
    /// They are free then.
    FreeAt(Ms),
    /// The server does not know it: it has ended there, or was lent after the backup from which the server was restored.
    Unknown,
}

/// One license server.
pub(crate) struct Link {
    pub(crate) address: ServerAddress,
    root: VendorRoot,
    clock: Arc<dyn Clock>,
    agent: ureq::Agent,
    grants: Mutex<BTreeMap<String, Arc<KnownGrant>>>,
}

struct Answer {
    status: u16,
    body: Vec<u8>,
}

/// Why there is no answer.
enum NoAnswer {
    Trouble(Trouble),
    /// The certificate does not lead to the root, or TLS failed in another way.
    Tls(rustls::Error),
}

impl From<Trouble> for NoAnswer {
    fn from(trouble: Trouble) -> NoAnswer {
        NoAnswer::Trouble(trouble)
    }
}

struct Call<'a> {
    method: Method,
    path: &'a str,
    header: Option<(&'a str, String)>,
    body: Option<Vec<u8>>,
    timeout: Duration,
}

impl<'a> Call<'a> {
    fn new(method: Method, path: &'a str) -> Call<'a> {
        Call { method, path, header: None, body: None, timeout: CALL_TIMEOUT }
    }

    fn secret(mut self, secret: &str) -> Call<'a> {
        self.header = Some(("authorization", format!("Bearer {secret}")));
        self
    }

    fn json(mut self, body: &impl Serialize) -> Call<'a> {
        self.body = Some(serde_json::to_vec(body).expect("requests have a JSON form"));
        self
    }
}

impl Link {
    pub(crate) fn new(address: ServerAddress, root: VendorRoot, clock: Arc<dyn Clock>) -> Link {
        let agent = agent(&address, &root);
        Link { address, root, clock, agent, grants: Mutex::default() }
    }

    /// Whether somebody is there. A server whose certificate is wrong is: the call that follows says what is wrong.
    pub(crate) fn is_up(&self) -> Result<(), Trouble> {
        match self.ping() {
            Ok(_) => Ok(()),
            Err(NoAnswer::Tls(_)) => Ok(()),
            Err(NoAnswer::Trouble(trouble)) => Err(trouble),
        }
    }

    fn ping(&self) -> Result<PingResponse, NoAnswer> {
        let call = Call { timeout: PROBE_TIMEOUT, ..Call::new(Method::GET, "/v1/ping") };
        let answer = self.ask(self.address.scheme(), call)?;
        if (400..500).contains(&answer.status) {
            // No license server refuses to say that it is one: a portal, or somebody's web server.
            let why = format!("it answers {} to the question what it is", answer.status);
            return Err(Trouble::NotALicenseServer { why }.into());
        }
        let ping: PingResponse = self.read(&answer)?;
        if ping.service != "leasehold" {
            return Err(Trouble::NotALicenseServer { why: "it calls itself something else".to_owned() }.into());
        }
        Ok(ping)
    }

    /// `GET /v1/status`.
    pub(crate) fn status(&self) -> Result<StatusResponse, Trouble> {
        let answer = self.call(Call::new(Method::GET, "/v1/status"))?;
        self.read(&answer)
    }

    /// `POST /v1/simulate`.
    pub(crate) fn simulate(&self, wish: &SimulateRequest) -> Result<SimulateResponse, Trouble> {
        let answer = self.call(Call::new(Method::POST, "/v1/simulate").json(wish))?;
        self.read(&answer)
    }

    /// `POST /v1/leases`.
    pub(crate) fn checkout(&self, key: &str, request: &CheckoutRequest) -> Result<Called, Trouble> {
        let mut call = Call::new(Method::POST, "/v1/leases").json(request);
        call.header = Some((IDEMPOTENCY_KEY, key.to_owned()));
        let answer = self.call(call)?;
        let asked = Asked { nonce: &request.nonce, lease: None, feature: &request.feature, seats: request.seats };
        self.leased(&answer, asked)
    }

    /// `POST /v1/leases/{id}/heartbeat`.
    pub(crate) fn heartbeat(
        &self,
        lease: LeaseId,
        secret: &str,
        beat: &HeartbeatRequest,
        of: &CheckoutRequest,
    ) -> Result<Called, Trouble> {
        let path = format!("/v1/leases/{lease}/heartbeat");
        let answer = self.call(Call::new(Method::POST, &path).secret(secret).json(beat))?;
        self.leased(&answer, Asked { nonce: &beat.nonce, lease: Some(lease), feature: &of.feature, seats: of.seats })
    }

    /// `POST /v1/leases/{id}/resume`.
    pub(crate) fn resume(&self, lease: LeaseId, secret: &str, resume: &ResumeRequest) -> Result<Called, Trouble> {
        let path = format!("/v1/leases/{lease}/resume");
        let answer = self.call(Call::new(Method::POST, &path).secret(secret).json(resume))?;
        let of = &resume.checkout;
        self.leased(&answer, Asked { nonce: &resume.nonce, lease: Some(lease), feature: &of.feature, seats: of.seats })
    }

    /// `DELETE /v1/leases/{id}`. An unknown lease is as good as returned.
    pub(crate) fn checkin(&self, lease: LeaseId, secret: &str) -> Result<Called, Trouble> {
        let path = format!("/v1/leases/{lease}");
        let answer = self.call(Call::new(Method::DELETE, &path).secret(secret))?;
        self.released(&answer)
    }

    /// `DELETE /v1/leases?key=`.
    pub(crate) fn checkin_key(&self, key: &str) -> Result<Called, Trouble> {
        let answer = self.call(Call::new(Method::DELETE, &format!("/v1/leases?key={key}")))?;
        self.released(&answer)
    }

    /// `POST /v1/passes`.
    pub(crate) fn borrow(&self, request: &str) -> Result<Borrowed, Trouble> {
        let body = BorrowRequest { request: request.to_owned() };
        let answer = self.call(Call::new(Method::POST, "/v1/passes").json(&body))?;
        let pass: PassResponse = self.read(&answer)?;
        Ok(Borrowed {
            pass: pass.pass,
            until: pass.until.0,
            file: pass.file,
            wanted_until: pass.wanted_until.0,
            cut: pass.cut,
            not_extended: pass.not_extended,
        })
    }

    /// `POST /v1/passes/{pass}/return`: when its seats are free.
    pub(crate) fn return_pass(&self, pass: PassId, receipt: &str) -> Result<GivenBack, Trouble> {
        let body = ReturnRequest { receipt: receipt.to_owned() };
        let answer = self.call(Call::new(Method::POST, &format!("/v1/passes/{pass}/return")).json(&body))?;
        if answer.status == 404 && problem(&answer).is_some_and(|problem| problem.code == codes::PASS_UNKNOWN) {
            return Ok(GivenBack::Unknown);
        }
        let returned: ReturnResponse = self.read(&answer)?;
        Ok(returned.free_at.map_or(GivenBack::Free, |at| GivenBack::FreeAt(at.0)))
    }

    /// The grant document with that hash, verified; asked for once.
    pub(crate) fn grant(&self, sha256: &str) -> Result<Arc<KnownGrant>, Trouble> {
        if let Some(known) = self.kept_grants().get(sha256) {
            return Ok(known.clone());
        }
        if sha256.len() != 64 || !sha256.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(Trouble::Untrusted { why: "it names no grant document".to_owned() });
        }
        let answer = self.call(Call::new(Method::GET, &format!("/v1/grants/{sha256}")))?;
        let answer: GrantResponse = self.read(&answer)?;
        let known = verify::grant(&answer, sha256, &self.root, self.clock.wall()).map_err(|why| self.distrust(why))?;
        let known = Arc::new(known);
        let mut kept = self.kept_grants();
        if kept.len() >= GRANTS_KEPT {
            kept.clear();
        }
        kept.insert(sha256.to_owned(), known.clone());
        Ok(known)
    }

    fn kept_grants(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Arc<KnownGrant>>> {
        self.grants.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The TLS part of `doctor`: `None` over plain HTTP, else whether the server's certificate leads to the root.
    pub(crate) fn tls(&self) -> Option<Result<(), String>> {
        if self.address.scheme() == Scheme::Http {
            return None;
        }
        match self.ping() {
            Err(NoAnswer::Tls(error)) => Some(Err(error.to_string())),
            Err(NoAnswer::Trouble(Trouble::Unreachable { .. } | Trouble::NoAnswer { .. })) => None,
            _ => Some(Ok(())),
        }
    }

    /// A call, with what TLS did not like put into words.
    fn call(&self, call: Call<'_>) -> Result<Answer, Trouble> {
        match self.ask(self.address.scheme(), call) {
            Ok(answer) => Ok(answer),
            Err(NoAnswer::Trouble(trouble)) => Err(trouble),
            Err(NoAnswer::Tls(error)) => Err(self.who_is_there(&error)),
        }
    }

    /// TLS failed, so nothing that this server says is vouched for; it is asked only to say whose it claims to be, for
    /// the sentence that a person reads.
    fn who_is_there(&self, error: &rustls::Error) -> Trouble {
        if !matches!(error, rustls::Error::InvalidCertificate(_) | rustls::Error::AlertReceived(_)) {
            return Trouble::NotALicenseServer { why: format!("it does not speak TLS ({error})") };
        }
        let untrusted = || Trouble::Untrusted {
            why: match dated_wrong(error) {
                Some(how) => format!(
                    "its certificate {how} by this machine's clock, which says {}: if that is wrong, set it right (NTP)",
                    self.clock.wall().rfc3339()
                ),
                None => {
                    format!(
                        "its certificate does not come from the trusted vendor {} ({error})",
                        self.root.vendor_ref()
                    )
                }
            },
        };
        let Some(status) = self.plain_status() else { return untrusted() };
        match status.activation {
            None if status.state == ServerState::Disabled || status.state == ServerState::NotActivated => {
                Trouble::Denied { code: DenialCode::NotActivated, denial: None }
            }
            Some(activation) => {
                self.other_vendor(&activation.vendor, &activation.vendor_fingerprint).unwrap_or_else(untrusted)
            }
            None => untrusted(),
        }
    }

    fn plain_status(&self) -> Option<StatusResponse> {
        let call = Call { timeout: PROBE_TIMEOUT, ..Call::new(Method::GET, "/v1/status") };
        let answer = self.ask(Scheme::Http, call).ok()?;
        serde_json::from_slice(&answer.body).ok()
    }

    /// `None` if the server claims to belong to the trusted vendor, which it failed to show.
    fn other_vendor(&self, name: &str, fingerprint: &str) -> Option<Trouble> {
        let ours = self.root.vendor_ref();
        let digits = fingerprint.chars().filter(|c| c.is_ascii_hexdigit() || *c == ':');
        let fingerprint: String = digits.take(ours.fingerprint.len()).collect();
        let theirs = VendorRef {
            name: name.chars().filter(|c| !leasehold_core::text::is_invisible_control(*c)).take(64).collect(),
            fingerprint: fingerprint.to_ascii_uppercase(),
        };
        (theirs.fingerprint != ours.fingerprint).then_some(Trouble::OtherVendor { theirs, ours })
    }

    fn distrust(&self, distrust: Distrust) -> Trouble {
        match distrust {
            Distrust::Because(why) => Trouble::Untrusted { why },
            Distrust::OtherVendor(certificate) => {
                // Its certificates name whoever issued them; its status tells more.
                let told = self
                    .plain_status()
                    .and_then(|status| status.activation)
                    .and_then(|activation| self.other_vendor(&activation.vendor, &activation.vendor_fingerprint));
                told.unwrap_or(Trouble::OtherVendor { theirs: certificate, ours: self.root.vendor_ref() })
            }
        }
    }

    fn ask(&self, scheme: Scheme, call: Call<'_>) -> Result<Answer, NoAnswer> {
        let url = format!("{}://{SERVER_DNS_NAME}:{}{}", scheme.word(), self.address.port(), call.path);
        let mut request = Request::builder().method(call.method).uri(url);
        if let Some((name, value)) = call.header {
            request = request.header(name, value);
        }
        let answered = match call.body {
            Some(body) => {
                let request = request.header("content-type", "application/json").body(body);
                let request = request.expect("paths and headers are made of ids and tokens");
                self.agent.run(self.agent.configure_request(request).timeout_global(Some(call.timeout)).build())
            }
            None => {
                let request = request.body(()).expect("paths and headers are made of ids and tokens");
                self.agent.run(self.agent.configure_request(request).timeout_global(Some(call.timeout)).build())
            }
        };
        let mut response = answered.map_err(|error| no_answer(error, call.timeout))?;
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        Ok(Answer { status, body: body.map_err(|error| no_answer(error, call.timeout))? })
    }

    fn read<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, Trouble> {
        if !(200..300).contains(&answer.status) {
            return Err(self.refusal(answer));
        }
        serde_json::from_slice(&answer.body)
            .map_err(|_| Trouble::NotALicenseServer { why: "its answer cannot be read".to_owned() })
    }

    fn leased(&self, answer: &Answer, asked: Asked<'_>) -> Result<Called, Trouble> {
        // Only what was held can have ended: WITHDRAWN is also why a new one is refused.
        if asked.lease.is_some()
            && let Some(ended) = ended(answer)
        {
            return Ok(ended);
        }
        let lease: LeaseResponse = self.read(answer)?;
        let grant = self.grant(&lease.grant_sha256)?;
        let times =
            verify::lease(&lease, asked, &grant, self.clock.wall()).map_err(|distrust| self.distrust(distrust))?;
        Ok(Called::Leased(Box::new(Leased { answer: lease, times })))
    }

    fn released(&self, answer: &Answer) -> Result<Called, Trouble> {
        let unknown = answer.status == 404 && problem(answer).is_some_and(|p| p.code == codes::LEASE_UNKNOWN);
        if (200..300).contains(&answer.status) || unknown { Ok(Called::Released) } else { Err(self.refusal(answer)) }
    }

    fn refusal(&self, answer: &Answer) -> Trouble {
        let Some(problem) = problem(answer) else {
            let why = format!("it answers {} without saying why", answer.status);
            return if answer.status >= 500 { Trouble::NoAnswer { why } } else { Trouble::NotALicenseServer { why } };
        };
        match DenialCode::from_word(&problem.code) {
            Some(code) => {
                let denial = serde_json::from_slice::<DenialResponse>(&answer.body).ok().map(Box::new);
                Trouble::Denied { code, denial }
            }
            None => Trouble::Refused(Box::new(problem)),
        }
    }

    /// This machine's wall clock.
    pub(crate) fn now(&self) -> Ms {
        self.clock.wall()
    }
}

fn problem(answer: &Answer) -> Option<Problem> {
    let problem: Problem = serde_json::from_slice(&answer.body).ok()?;
    let problem = Problem { status: answer.status, ..problem };
    Some(problem).filter(|problem| !problem.code.is_empty())
}

/// The end of a lease, if that is what the server answered.
fn ended(answer: &Answer) -> Option<Called> {
    if !(400..500).contains(&answer.status) {
        return None;
    }
    let ended: EndedResponse = serde_json::from_slice(&answer.body).ok()?;
    let end = match LeaseEnd::from_word(&ended.problem.code) {
        Some(end) => end,
        None if ended.problem.code == codes::LEASE_UNKNOWN => LeaseEnd::LeaseGone,
        None => return None,
    };
    let left_ms = ended.left_s.clamp(0, 86_400) * 1_000;
    let not_again = ended.not_again_s.filter(|_| end == LeaseEnd::Withdrawn);
    Some(match not_again {
        Some(not_again_s) => {
            let reason = ended.reason.map(|reason| printable(&reason));
            Called::TakenBack { left_ms, not_again_ms: not_again_s.clamp(0, 7 * 86_400) * 1_000, reason }
        }
        None => Called::Ended { end, left_ms },
    })
}

fn no_answer(error: ureq::Error, timeout: Duration) -> NoAnswer {
    let unreachable = |why: &str| NoAnswer::Trouble(Trouble::Unreachable { why: why.to_owned() });
    let broken = |why: String| NoAnswer::Trouble(Trouble::NoAnswer { why });
    match error {
        ureq::Error::Timeout(_) => broken(format!("nothing came within {} seconds", timeout.as_secs())),
        ureq::Error::HostNotFound => unreachable("its name is not known"),
        ureq::Error::ConnectionFailed => unreachable("the connection was refused or timed out"),
        ureq::Error::Rustls(error) => NoAnswer::Tls(error),
        ureq::Error::Io(error) => {
            if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                return NoAnswer::Tls(tls.clone());
            }
            match error.kind() {
                std::io::ErrorKind::ConnectionRefused => unreachable("nothing listens there (connection refused)"),
                std::io::ErrorKind::TimedOut => broken(format!("nothing came within {} seconds", timeout.as_secs())),
                std::io::ErrorKind::HostUnreachable | std::io::ErrorKind::NetworkUnreachable => {
                    unreachable("there is no way to it in the network")
                }
                // A name that does not resolve comes as an uncategorized error.
                _ if error.to_string().contains("lookup") => unreachable("its name is not known"),
                _ => broken(format!("the connection broke ({error})")),
            }
        }
        ureq::Error::BodyExceedsLimit(_) => {
            NoAnswer::Trouble(Trouble::NotALicenseServer { why: "its answer is far too long".to_owned() })
        }
        ureq::Error::Http(_) | ureq::Error::Protocol(_) | ureq::Error::LargeResponseHeader(..) => {
            NoAnswer::Trouble(Trouble::NotALicenseServer { why: "it does not speak HTTP".to_owned() })
        }
        error => broken(error.to_string()),
    }
}

/// Sends whatever name is asked for to the configured address.
#[derive(Debug)]
struct FixedAddress {
    uri: Uri,
    resolver: DefaultResolver,
}

impl Resolver for FixedAddress {
    fn resolve(
        &self,
        _asked: &Uri,
        config: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        self.resolver.resolve(&self.uri, config, timeout)
    }
}

/// Whether only the dates of a certificate were not liked.
fn dated_wrong(error: &rustls::Error) -> Option<&'static str> {
    use rustls::CertificateError as E;
    match error {
        rustls::Error::InvalidCertificate(E::NotValidYet | E::NotValidYetContext { .. }) => Some("is not valid yet"),
        rustls::Error::InvalidCertificate(E::Expired | E::ExpiredContext { .. }) => Some("has expired"),
        _ => None,
    }
}

fn agent(address: &ServerAddress, root: &VendorRoot) -> ureq::Agent {
    let root = ureq::tls::Certificate::from_der(&root.der()).to_owned();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = ureq::tls::TlsConfig::builder()
        .provider(ureq::tls::TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(provider)
        .root_certs(ureq::tls::RootCerts::new_with_certs(&[root]))
        .build();
    let config = ureq::Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        // A license server is on the same network; a proxy for the web would not find it, and would read along.
        .proxy(None)
        .user_agent(concat!("leasehold-client/", env!("CARGO_PKG_VERSION")))
        .max_idle_connections(2)
        .build();
    let uri = format!("{}://{}", address.scheme().word(), address.authority());
    let uri = uri.parse().expect("a checked address makes a URI");
    ureq::Agent::with_parts(
        config,
        DefaultConnector::default(),
        FixedAddress { uri, resolver: DefaultResolver::default() },
    )
}
