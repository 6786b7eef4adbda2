//! A vendor with its files, a license server on a free port, and a client that speaks plain HTTP.

use leasehold_core::grant::{Grant, Line, Terms};
use leasehold_core::ids::{GrantId, LicenseId, LineId, WorkstationId};
use leasehold_core::license::{Channel, FeatureCode, Kind, Share};
use leasehold_core::random::{Random, Seeded, bytes};
use leasehold_core::time::{Clock, DAY_MS, Ms};
use leasehold_host::{OsRandom, SystemClock};
use leasehold_server::local::Local;
use leasehold_server::{Logs, Ready, ServeError, ServeOptions, serve};
use leasehold_trust::activation_file::build_activation_file;
use leasehold_trust::request::read_request;
use leasehold_trust::{PortalSigner, PublicKey, Vendor, VendorRoot};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::oneshot;

/// Longest wait for something that must happen.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// Both clocks of a machine, moved by hand. It starts at the real time, because TLS libraries look at that.
#[derive(Clone, Debug)]
pub(crate) struct HandClock(Arc<(AtomicI64, AtomicI64)>);

impl HandClock {
    pub(crate) fn new() -> HandClock {
        HandClock(Arc::new((AtomicI64::new(SystemClock::new().wall().0), AtomicI64::new(1_000))))
    }

    pub(crate) fn advance(&self, ms: i64) {
        self.step_wall(ms);
        self.0.1.fetch_add(ms, Ordering::SeqCst);
    }

    pub(crate) fn step_wall(&self, ms: i64) {
        self.0.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn wall(&self) -> Ms {
        Ms(self.0.0.load(Ordering::SeqCst))
    }

    fn boottime_ms(&self) -> i64 {
        self.0.1.load(Ordering::SeqCst)
    }
}

/// A vendor's portal as far as files go.
pub(crate) struct Portal {
    pub(crate) vendor: Vendor,
    pub(crate) signer: PortalSigner,
    pub(crate) workstation: WorkstationId,
    random: Mutex<Seeded>,
    now: Ms,
}

impl Portal {
    pub(crate) fn new(name: &str, now: Ms) -> Portal {
        let vendor = Vendor::create(name, now).unwrap();
        let signer = vendor.signer(now).unwrap();
        let mut random = Seeded::new(bytes::<1>(&mut OsRandom)[0].into());
        Portal { vendor, signer, workstation: WorkstationId::draw(now, &mut random), random: Mutex::new(random), now }
    }

    pub(crate) fn root(&self) -> VendorRoot {
        self.signer.root().clone()
    }

    pub(crate) fn line(&self, feature: &str, seats: u32, until: Ms) -> Line {
        let mut random = self.random.lock().unwrap();
        Line {
            line: LineId::draw(self.now, &mut *random),
            license: LicenseId::draw(self.now, &mut *random),
            product: "studio".to_owned(),
            product_name: "Studio".to_owned(),
            kind: Kind::Floating,
            channel: Channel::Commercial,
            features: [(FeatureCode::new(feature).unwrap(), 1)].into(),
            seats,
            until: until.floor_to_second(),
            terms: Terms::by_file(Share::None, None),
        }
    }

    pub(crate) fn grant(&self, rev: u64, lines: Vec<Line>) -> Grant {
        Grant {
            workstation: self.workstation,
            workstation_name: "Hall 3".to_owned(),
            account_name: "Zoë Ångström".to_owned(),
            rev,
            issued_at: self.now.floor_to_second(),
            request: None,
            machine: String::new(),
            online: false,
            lines,
        }
    }

    /// Ten seats of `studio.gui` for 90 days.
    pub(crate) fn ten_seats(&self, rev: u64) -> Grant {
        self.grant(rev, vec![self.line("studio.gui", 10, self.now.plus(90 * DAY_MS))])
    }

    pub(crate) fn crt_for(&self, key: &PublicKey, grant: &Grant) -> String {
        let random: &mut dyn Random = &mut *self.random.lock().unwrap();
        let token = self.signer.sign_grant(grant, &key.thumbprint(), GrantId::draw(self.now, random));
        let certificate =
            self.signer.issue_workstation_certificate(grant.workstation, "Hall 3", key, self.now, bytes(random));
        build_activation_file(&self.signer, &certificate, &token).unwrap()
    }

    /// The `.crt` that answers a request.
    pub(crate) fn crt(&self, request: &str, grant: &Grant) -> String {
        let request = read_request(request.as_bytes(), grant.issued_at).unwrap();
        let (id, machine) = (Some(request.facts.request), request.facts.fingerprint);
        self.crt_for(&request.public_key, &Grant { request: id, machine, ..grant.clone() })
    }
}

/// Fingerprint of the machine of a [`Site`].
pub(crate) const MACHINE: &str = "0123456789abcdef0123456789abcdef";

/// A data folder with the clock of its machine; a server may run on it.
pub(crate) struct Site {
    pub(crate) folder: TempDir,
    pub(crate) clock: HandClock,
    pub(crate) portal: Portal,
}

impl Site {
    pub(crate) fn new() -> Site {
        let clock = HandClock::new();
        let portal = Portal::new("Acme Software", clock.wall());
        Site { folder: tempfile::tempdir().unwrap(), clock, portal }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn options(&self) -> ServeOptions {
        ServeOptions {
            folder: self.path().to_owned(),
            listen: Some(([127, 0, 0, 1], 0).into()),
            sockets: Vec::new(),
            clock: Arc::new(self.clock.clone()),
            fingerprint: MACHINE.to_owned(),
            random: Box::new(OsRandom),
            logs: Logs::default(),
        }
    }

    pub(crate) fn local(&self) -> Local {
        Local {
            folder: self.path().to_owned(),
            clock: Arc::new(self.clock.clone()),
            fingerprint: MACHINE.to_owned(),
            random: Box::new(OsRandom),
        }
    }

    pub(crate) fn start(&self) -> Running {
        Running::start(self.options()).unwrap()
    }

    /// A running server that holds `grant`.
    pub(crate) fn activated(&self, grant: &Grant) -> Running {
        let server = self.start();
        let crt = self.portal.crt(&server.request_file(), grant);
        let reply = server.admin("POST", "/v1/activation", Some(&crt));
        assert_eq!(reply.status, 200, "{reply:?}");
        server
    }

    /// A running server with ten seats of `studio.gui`.
    pub(crate) fn with_ten_seats(&self) -> Running {
        self.activated(&self.portal.ten_seats(1))
    }
}

/// Runs `serve` on threads of its own. Dropping it kills it: nothing is shut down in order.
pub(crate) struct Running {
    pub(crate) ready: Ready,
    folder: PathBuf,
    agent: ureq::Agent,
    stop: Option<oneshot::Sender<()>>,
    ended: Mutex<mpsc::Receiver<Result<(), ServeError>>>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Running {
    pub(crate) fn start(options: ServeOptions) -> Result<Running, ServeError> {
        let folder = options.folder.clone();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready_sender, ready) = mpsc::channel();
        let (end_sender, ended) = mpsc::channel();
        runtime.spawn(async move {
            let stop = async { drop(stopped.await) };
            let outcome = serve(options, stop, |ready| ready_sender.send(ready).unwrap()).await;
            let _ = end_sender.send(outcome);
        });
        match ready.recv_timeout(SOON) {
            Ok(ready) => {
                ready.server.database().run_closures_twice(true);
                let runtime = Some(runtime);
                Ok(Running { ready, folder, agent: agent(), stop: Some(stop), ended: Mutex::new(ended), runtime })
            }
            Err(_) => Err(ended.recv_timeout(SOON).unwrap().unwrap_err()),
        }
    }

    /// Ends it in order.
    pub(crate) fn stop(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        self.outcome().unwrap();
    }

    /// Waits for its end.
    pub(crate) fn outcome(&self) -> Result<(), ServeError> {
        self.ended.lock().unwrap().recv_timeout(SOON).expect("the server ends")
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.ready.address)
    }

    pub(crate) fn admin_token(&self) -> String {
        std::fs::read_to_string(self.folder.join("admin.token")).unwrap()
    }

    pub(crate) fn call(&self, call: Call<'_>) -> Reply {
        call_with(&self.agent, &self.url(call.path), &call)
    }

    /// As the administrator; a body is a file.
    pub(crate) fn admin(&self, method: &str, path: &str, file: Option<&str>) -> Reply {
        let token = self.admin_token();
        self.call(Call { method, path, bearer: Some(&token), text: file, ..Call::default() })
    }

    pub(crate) fn request_file(&self) -> String {
        let reply = self.admin("GET", "/v1/activation/request", None);
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.text
    }

    pub(crate) fn checkout(&self, key: &str) -> Reply {
        self.checkout_with(key, ask())
    }

    pub(crate) fn checkout_with(&self, key: &str, ask: Value) -> Reply {
        self.call(Call { method: "POST", path: "/v1/leases", key: Some(key), json: Some(ask), ..Call::default() })
    }

    pub(crate) fn heartbeat(&self, lease: &Reply, n: u64, nonce: &str) -> Reply {
        let path = format!("/v1/leases/{}/heartbeat", lease.str("lease"));
        let json = Some(json!({"n": n, "nonce": nonce}));
        self.call(Call { method: "POST", path: &path, bearer: Some(lease.str("secret")), json, ..Call::default() })
    }

    pub(crate) fn checkin(&self, lease: &Reply) -> Reply {
        let path = format!("/v1/leases/{}", lease.str("lease"));
        self.call(Call { method: "DELETE", path: &path, bearer: Some(lease.str("secret")), ..Call::default() })
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.call(Call { method: "GET", path, ..Call::default() })
    }

    /// Seats of `studio.gui` in use, by the status page.
    pub(crate) fn in_use(&self) -> i64 {
        self.get("/v1/status").json["features"][0]["in_use"].as_i64().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Whatever still runs is dropped, and with it what holds the engine: it must not see the clock go on after its end.
            runtime.shutdown_timeout(Duration::from_secs(2));
        }
    }
}

pub(crate) fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(SOON)).build();
    ureq::Agent::new_with_config(config)
}

/// What a checkout asks for by default.
pub(crate) fn ask() -> Value {
    json!({"feature": "studio.gui", "user": "zoë", "host": "hall3-ws7", "nonce": "n-0"})
}

/// A request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Call<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) bearer: Option<&'a str>,
    pub(crate) key: Option<&'a str>,
    pub(crate) json: Option<Value>,
    pub(crate) text: Option<&'a str>,
    pub(crate) header: Option<(&'a str, &'a str)>,
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) text: String,
    pub(crate) json: Value,
    pub(crate) retry_after: Option<String>,
    pub(crate) content_type: String,
}

impl Reply {
    pub(crate) fn str(&self, member: &str) -> &str {
        self.json[member].as_str().unwrap_or_else(|| panic!("no {member} in {self:?}"))
    }

    pub(crate) fn code(&self) -> &str {
        self.json["code"].as_str().unwrap_or("")
    }
}

pub(crate) fn call_with(agent: &ureq::Agent, url: &str, call: &Call<'_>) -> Reply {
    let mut request = ureq::http::Request::builder().method(call.method).uri(url);
    if let Some(token) = call.bearer {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    if let Some(key) = call.key {
        request = request.header("idempotency-key", key);
    }
    if let Some((name, value)) = call.header {
        request = request.header(name, value);
    }
    let mut reply = match (&call.json, call.text) {
        (Some(json), _) => {
            agent.run(request.header("content-type", "application/json").body(json.to_string()).unwrap())
        }
        (None, Some(text)) => agent.run(request.header("content-type", "application/x-pem-file").body(text).unwrap()),
        (None, None) if call.method == "GET" || call.method == "DELETE" => agent.run(request.body(()).unwrap()),
        (None, None) => agent.run(request.body("").unwrap()),
    }
    .unwrap();
    let header = |name| reply.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (retry_after, content_type) = (header("retry-after"), header("content-type").unwrap_or_default());
    let text = reply.body_mut().read_to_string().unwrap();
    let json = serde_json::from_str(&text).unwrap_or(Value::Null);
    Reply { status: reply.status().as_u16(), text, json, retry_after, content_type }
}

/// Waits until something is so.
pub(crate) fn eventually(what: &str, so: impl Fn() -> bool) {
    let (_keep, never) = mpsc::channel::<()>();
    for _ in 0..2_000 {
        if so() {
            return;
        }
        let _ = never.recv_timeout(Duration::from_millis(10));
    }
    panic!("it never came: {what}");
}
