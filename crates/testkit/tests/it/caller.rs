//! Callers of the services' REST interfaces, and a portal that has something to give.

use crate::service::{Service, run};
use leasehold_core::ids::RequestId;
use leasehold_core::random::Random;
use leasehold_core::time::{Clock, DAY_MS};
use leasehold_host::SystemClock;
use leasehold_trust::SigningKey;
use leasehold_trust::request::{RequestFacts, build_request};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// What came of a request.
#[derive(Debug)]
pub(crate) enum Outcome {
    Answered(u16, Value),
    /// No answer, half of one, or a server error: whether it was done is not known.
    Unknown,
}

/// One caller with connections of its own.
pub(crate) struct Caller {
    agent: ureq::Agent,
    base: String,
    token: Option<String>,
}

impl Caller {
    pub(crate) fn new(address: &str, token: Option<&str>) -> Caller {
        let config = Caller::settings().build();
        Caller { agent: config.new_agent(), base: format!("http://{address}"), token: token.map(str::to_owned) }
    }

    /// By HTTPS, trusting one certificate.
    pub(crate) fn by_tls(base: &str, certificate_pem: &str) -> Caller {
        let certificate = ureq::tls::Certificate::from_pem(certificate_pem.as_bytes()).unwrap();
        let tls = ureq::tls::TlsConfig::builder()
            .root_certs(ureq::tls::RootCerts::new_with_certs(&[certificate]))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .build();
        let config = Caller::settings().tls_config(tls).build();
        Caller { agent: config.new_agent(), base: base.to_owned(), token: None }
    }

    fn settings() -> ureq::config::ConfigBuilder<ureq::typestate::AgentScope> {
        ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_secs(20)))
    }

    /// The same with another token.
    pub(crate) fn with_token(&self, token: &str) -> Caller {
        Caller { agent: self.agent.clone(), base: self.base.clone(), token: Some(token.to_owned()) }
    }

    /// The same without a token.
    pub(crate) fn anonymous(&self) -> Caller {
        Caller { agent: self.agent.clone(), base: self.base.clone(), token: None }
    }

    /// The same caller of the same service at another address.
    pub(crate) fn at(&self, address: &str) -> Caller {
        Caller { agent: self.agent.clone(), base: format!("http://{address}"), token: self.token.clone() }
    }

    /// Sends; the status and what was said, or nothing if there was no whole answer.
    fn ask(&self, method: &str, path: &str, key: Option<&str>, body: Option<&Value>) -> Option<(u16, Value)> {
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let answer = match body {
            Some(body) => {
                let request = request.header("content-type", "application/json").body(body.to_string()).unwrap();
                self.agent.run(request)
            }
            None => self.agent.run(request.body(()).unwrap()),
        };
        let mut answer = answer.ok()?;
        let text = answer.body_mut().read_to_string().ok()?;
        Some((answer.status().as_u16(), serde_json::from_str(&text).unwrap_or_default()))
    }

    /// Reads what is no JSON.
    pub(crate) fn text(&self, path: &str) -> String {
        let mut request = ureq::http::Request::builder().uri(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let mut answer = self.agent.run(request.body(()).unwrap()).unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{path}");
        answer.body_mut().read_to_string().unwrap()
    }

    /// The text of a page.
    pub(crate) fn page(&self, path: &str) -> String {
        self.agent.get(format!("{}{path}", self.base)).call().unwrap().body_mut().read_to_string().unwrap()
    }

    /// Sends to a service that may die at any moment.
    pub(crate) fn send(&self, method: &str, path: &str, key: Option<&str>, body: Option<&Value>) -> Outcome {
        match self.ask(method, path, key, body) {
            Some((status, value)) if status < 500 => Outcome::Answered(status, value),
            _ => Outcome::Unknown,
        }
    }

    /// Sends to a service that answers, with whatever status.
    pub(crate) fn told(&self, method: &str, path: &str, key: Option<&str>, body: Option<&Value>) -> (u16, Value) {
        self.ask(method, path, key, body).unwrap_or_else(|| panic!("{method} {path} was not answered"))
    }

    /// Sends, and fails the test unless the answer has the status.
    pub(crate) fn expect(&self, status: u16, method: &str, path: &str, body: Option<&Value>) -> Value {
        match self.send(method, path, None, body) {
            Outcome::Answered(answered, value) if answered == status => value,
            other => panic!("{method} {path} should answer {status}: {other:?}"),
        }
    }
}

/// Password of everybody.
pub(crate) const PASSWORD: &str = "a good long password";

/// The data folder `p` of a portal in `folder`; no operator yet, since the settings may be changed first.
pub(crate) fn make_portal(folder: &Path) {
    std::fs::write(folder.join("passphrase"), "correct horse battery staple\n").unwrap();
    std::fs::write(folder.join("password"), format!("{PASSWORD}\n")).unwrap();
    run(folder, &["portal", "init", "--vendor", "Acme", "--data", "p", "--passphrase-file", "passphrase"]);
}

/// Its operator.
pub(crate) fn make_operator(folder: &Path) {
    let operator = ["--email", "op@acme.example", "--name", "Op", "--password-file", "password"];
    run(folder, &[["portal", "admin", "create-operator", "--data", "p"].as_slice(), &operator].concat());
}

/// Signs the operator in.
pub(crate) fn operators_token(nobody: &Caller) -> String {
    let sign_in = json!({ "email": "op@acme.example", "password": PASSWORD });
    nobody.expect(201, "POST", "/api/v1/sessions", Some(&sign_in))["token"].as_str().unwrap().to_owned()
}

/// Sells one license of `studio.gui` to a customer; answers the license.
pub(crate) fn sell(operator: &Caller, seats: u32) -> Value {
    let customer = json!({ "email": "c@acme.example", "name": "C", "password": PASSWORD });
    let customer = operator.expect(201, "POST", "/api/v1/accounts", Some(&customer));
    let product = json!({ "code": "studio", "name": "Studio", "share": "none", "features": { "studio.gui": 1 } });
    let product = operator.expect(201, "POST", "/api/v1/products", Some(&product));
    let until = SystemClock::new().wall().plus(300 * DAY_MS).utc_date();
    let license = json!({
        "owner": customer["id"], "product": product["id"], "seats": seats, "kind": "floating",
        "channel": "commercial", "term": { "term": "subscription", "until": until },
    });
    operator.expect(201, "POST", "/api/v1/licenses", Some(&license))
}

/// A portal with an operator, a customer and one license; the operator's token and the license's id.
pub(crate) fn portal_with_license(folder: &Path, seats: u32) -> (Service, String, String) {
    make_portal(folder);
    make_operator(folder);
    let service = Service::start(folder, "portal", "p", "127.0.0.1:0");
    let token = operators_token(&Caller::new(&service.address, None));
    let license = sell(&Caller::new(&service.address, Some(&token)), seats);
    (service, token, license["id"].as_str().unwrap().to_owned())
}

/// What activates a new server with one seat of a license.
pub(crate) fn one_seat(license: &Value, host_name: String, random: &mut dyn Random) -> Value {
    let now = SystemClock::new().wall();
    let facts = RequestFacts {
        request: RequestId::draw(now, random),
        issued_at: now.floor_to_second(),
        fingerprint: String::new(),
        server_version: "1".to_owned(),
        rev_in_use: None,
        vendor: None,
        host_name,
    };
    let until = now.plus(30 * DAY_MS).rfc3339();
    json!({
        "request": build_request(&SigningKey::generate(), &facts), "account": license["owner"]["id"],
        "lines": [{ "license": license["id"], "seats": 1, "until": until }],
    })
}
