//! A portal on loopback whose every answer is in a test's hands. What it signs is real; what it knows is one account.

use crate::support::{Portal, SOON};
use leasehold_core::grant::{Line, Terms};
use leasehold_core::license::Share;
use leasehold_core::sync::{PoolShare, SyncAnswer, SyncRequest, Verdict};
use leasehold_core::time::{Clock, DAY_MS, Ms};
use leasehold_trust::PublicKey;
use leasehold_trust::request::read_request;
use leasehold_trust::secret::{self_signed_certificate, sha256_hex};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

pub(crate) const ACCOUNT: &str = "ada@northlight.example";
pub(crate) const ACCOUNT_PASSWORD: &str = "seventeen-green-ladders";
const TOKEN: &str = "a-token-of-the-portal";

/// How it answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Mood {
    /// As a portal does.
    Honest,
    /// Every request with this status, kind and body.
    Says(u16, &'static str, String),
    /// Takes requests and says nothing.
    Silent,
    /// Signs in, and then refuses with this problem.
    Refuses(u16, Value),
}

/// What it knows.
#[derive(Debug)]
struct Known {
    mood: Mood,
    verdict: Verdict,
    other_host: String,
    rev: u64,
    lines: Vec<Line>,
    pools: Vec<PoolShare>,
    key: Option<PublicKey>,
    receipts: u32,
    signed_in: u32,
    signed_out: u32,
}

pub(crate) struct FakePortal {
    pub(crate) vendor: Portal,
    pub(crate) address: SocketAddr,
    known: Mutex<Known>,
    clock: Box<dyn Clock>,
}

impl FakePortal {
    /// Answers by plain HTTP. `seats` of each product are at the server once it is enabled; as many are at others.
    pub(crate) fn start(clock: impl Clock + 'static, seats: &[u32]) -> Arc<FakePortal> {
        let (portal, listener) = FakePortal::prepare(clock, seats);
        let serving = Arc::clone(&portal);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let portal = Arc::clone(&serving);
                thread::spawn(move || portal.answer(stream));
            }
        });
        portal
    }

    /// The same by TLS, with a certificate that nobody vouches for.
    pub(crate) fn start_tls(clock: impl Clock + 'static) -> Arc<FakePortal> {
        let (portal, listener) = FakePortal::prepare(clock, &[]);
        let key = leasehold_trust::SigningKey::generate();
        let certificate = self_signed_certificate(&["localhost".to_owned()], &key, portal.clock.wall());
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(key.to_pkcs8_pem().as_bytes()).unwrap();
        let config = rustls::ServerConfig::builder_with_provider(rustls::crypto::aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let (config, serving) = (Arc::new(config), Arc::clone(&portal));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
                let portal = Arc::clone(&serving);
                thread::spawn(move || portal.answer(rustls::StreamOwned::new(connection, stream)));
            }
        });
        portal
    }

    fn prepare(clock: impl Clock + 'static, seats: &[u32]) -> (Arc<FakePortal>, TcpListener) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let vendor = Portal::new("Acme Software", clock.wall());
        let lines: Vec<Line> =
            seats.iter().enumerate().map(|(n, seats)| online_line(&vendor, clock.wall(), n, *seats)).collect();
        let known = Known {
            mood: Mood::Honest,
            verdict: Verdict::Ok,
            other_host: String::new(),
            rev: 1,
            pools: lines.iter().map(pool).collect(),
            lines: lines.into_iter().filter(|line| line.seats > 0).collect(),
            key: None,
            receipts: 0,
            signed_in: 0,
            signed_out: 0,
        };
        let address = listener.local_addr().unwrap();
        (Arc::new(FakePortal { vendor, address, known: Mutex::new(known), clock: Box::new(clock) }), listener)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn set_mood(&self, mood: Mood) {
        self.known.lock().unwrap().mood = mood;
    }

    /// Number of the document that it gives next.
    pub(crate) fn set_rev(&self, rev: u64) {
        self.known.lock().unwrap().rev = rev;
    }

    /// One more license, of which all seats are at others.
    pub(crate) fn sell(&self) {
        let mut known = self.known.lock().unwrap();
        let line = online_line(&self.vendor, self.clock.wall(), known.pools.len(), 0);
        known.pools.push(pool(&line));
    }

    /// What becomes of syncs from now on.
    pub(crate) fn set_verdict(&self, verdict: Verdict, other_host: &str) {
        let mut known = self.known.lock().unwrap();
        (known.verdict, known.other_host) = (verdict, other_host.to_owned());
    }

    /// Receipts that were brought, sign-ins, and how many of these were ended.
    pub(crate) fn counts(&self) -> [u32; 3] {
        let known = self.known.lock().unwrap();
        [known.receipts, known.signed_in, known.signed_out]
    }

    fn answer(&self, stream: impl Read + Write) {
        let mut stream = BufReader::new(stream);
        let Some((method, path, body)) = read(&mut stream) else { return };
        let mood = self.known.lock().unwrap().mood.clone();
        let (status, kind, text) = match mood {
            Mood::Silent => return thread::park_timeout(2 * SOON),
            Mood::Says(status, kind, text) => (status, kind, text),
            Mood::Refuses(status, problem) if !path.contains("/sessions") => {
                (status, "application/problem+json", problem.to_string())
            }
            Mood::Honest | Mood::Refuses(..) => {
                let (status, json) = self.honest(&method, &path, &body);
                (status, "application/json", json.to_string())
            }
        };
        let head = format!(
            "HTTP/1.1 {status} Said\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            text.len()
        );
        let _ = stream.get_mut().write_all((head + &text).as_bytes());
        let _ = stream.get_mut().flush();
    }

    fn honest(&self, method: &str, path: &str, body: &[u8]) -> (u16, Value) {
        let asked: Value = serde_json::from_slice(body).unwrap_or_default();
        match (method, path.split('?').next().unwrap_or_default()) {
            ("GET", "/openapi.json") => (200, json!({"info": {"title": "Leasehold portal", "version": "0.1.0"}})),
            ("POST", "/api/v1/sessions") => self.sign_in(&asked),
            ("DELETE", "/api/v1/sessions/current") => {
                self.known.lock().unwrap().signed_out += 1;
                (200, json!({}))
            }
            ("POST", "/api/v1/workstations/online" | "/api/v1/sync/enable") => (201, self.enable(&asked)),
            ("POST", "/api/v1/sync") => (200, self.sync(body)),
            ("POST", "/api/v1/sync/receipts") => {
                self.known.lock().unwrap().receipts += 1;
                (200, json!({}))
            }
            ("GET", "/api/v1/sync/wait") => {
                thread::park_timeout(Duration::from_millis(300));
                (200, json!({"bell": 0}))
            }
            other => panic!("nobody asks a portal for {other:?}"),
        }
    }

    fn sign_in(&self, asked: &Value) -> (u16, Value) {
        if (asked["email"].as_str(), asked["password"].as_str()) != (Some(ACCOUNT), Some(ACCOUNT_PASSWORD)) {
            return (401, wrong_password());
        }
        self.known.lock().unwrap().signed_in += 1;
        let now = self.clock.wall().rfc3339();
        let account = json!({
            "id": "acc_01a20172bcfb71348243b795e755c571", "email": ACCOUNT, "name": "Northlight <b>Pictures</b>",
            "role": "customer", "created_at": now, "signed_in_at": null,
        });
        (201, json!({"token": TOKEN, "expires_at": now, "account": account}))
    }

    fn enable(&self, asked: &Value) -> Value {
        let mut known = self.known.lock().unwrap();
        let request = asked["request"].as_str().unwrap();
        known.key = Some(read_request(request.as_bytes(), self.clock.wall()).unwrap().public_key);
        let mut grant = self.vendor.grant(known.rev, known.lines.clone());
        (grant.online, grant.account_name) = (true, "Northlight <b>Pictures</b>".to_owned());
        let file = self.vendor.crt(request, &grant);
        let now = self.clock.wall().rfc3339();
        let workstation = json!({
            "id": grant.workstation, "name": grant.workstation_name, "status": "active", "host": "h", "server_version": "",
            "owner": {"id": "acc_01a20172bcfb71348243b795e755c571", "name": "n", "email": ACCOUNT},
            "key_thumbprint": "", "newest_rev": grant.rev, "acknowledged_rev": 0, "created_at": now, "issued_at": now,
            "runs_until": now, "free_at": now, "seats_out": 0, "mode": "online", "scope": "organization",
            "synced_at": null, "seats_used": null, "copy_on": null, "copy_at": null, "lines": [],
        });
        json!({"workstation": workstation, "activation_file": file})
    }

    fn sync(&self, body: &[u8]) -> Value {
        let known = self.known.lock().unwrap();
        let request: SyncRequest = serde_json::from_slice(body).unwrap();
        let taken = known.verdict == Verdict::Ok;
        let answer = SyncAnswer {
            workstation: request.workstation,
            seq: request.seq,
            request_sha256: sha256_hex(body),
            verdict: known.verdict,
            at: self.clock.wall().floor_to_second(),
            grant: None,
            pools: if taken { known.pools.clone() } else { Vec::new() },
            pins: Vec::new(),
            pins_rev: 0,
            bell: 0,
            other_host: known.other_host.clone(),
        };
        json!({"answer": self.vendor.signer.sign_answer(&answer)})
    }
}

/// What a portal says to a wrong password.
pub(crate) fn wrong_password() -> Value {
    json!({
        "type": "about:blank", "title": "The email address or the password is wrong.", "status": 401,
        "code": "WRONG_PASSWORD", "detail": "", "what_to_do": "Try again.", "who": "you",
    })
}

fn online_line(vendor: &Portal, now: Ms, n: usize, seats: u32) -> Line {
    let until = now.plus(7 * DAY_MS);
    let code = ["studio", "render", "paint"][n];
    let mut line = vendor.line(&format!("{code}.gui"), seats, until);
    line.product = code.to_owned();
    line.product_name = format!("Acme {code}");
    line.terms = Terms::by_sync(Share::None, None, false);
    line
}

fn pool(line: &Line) -> PoolShare {
    PoolShare {
        license: line.license,
        product: line.product.clone(),
        product_name: line.product_name.clone(),
        kind: line.kind,
        channel: line.channel,
        features: line.features.clone(),
        seats: line.seats + 100,
        elsewhere: 90,
        bound: 0,
        free: 10,
        recall: 0,
        exhausted: false,
        assigned: false,
        pending: 0,
        for_people: 0,
    }
}

/// Method, path and body of a request.
fn read(stream: &mut impl BufRead) -> Option<(String, String, Vec<u8>)> {
    let mut line = String::new();
    stream.read_line(&mut line).ok()?;
    let mut words = line.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut length = 0;
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).ok()?;
        match header.trim_end().to_ascii_lowercase().split_once(": ") {
            Some(("content-length", value)) => length = value.parse().ok()?,
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some((method, path, body))
}

/// An address at which nobody listens.
pub(crate) fn nobody_there() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}
