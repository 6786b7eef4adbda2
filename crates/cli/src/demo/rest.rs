//! A small REST client for setting the demo up, over loopback.

use crate::failure::Failure;
use leasehold_wire::problem::Problem;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::net::SocketAddr;
use std::time::Duration;

/// Largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 1024 * 1024;

/// One service, with a sign-in.
pub(super) struct Rest {
    agent: ureq::Agent,
    base: String,
    token: Option<String>,
}

impl Rest {
    pub(super) fn new(address: SocketAddr) -> Rest {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .timeout_global(Some(Duration::from_secs(20)))
            .build();
        Rest { agent: config.new_agent(), base: format!("http://{address}"), token: None }
    }

    /// The same service, signed in.
    pub(super) fn signed_in(&self, token: String) -> Rest {
        Rest { agent: self.agent.clone(), base: self.base.clone(), token: Some(token) }
    }

    pub(super) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        read_json(path, &self.text(path)?)
    }

    pub(super) fn text(&self, path: &str) -> Result<String, Failure> {
        let mut request = self.agent.get(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        read(path, request.call())
    }

    /// Posts JSON. A `key` makes a repetition harmless.
    pub(super) fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        key: Option<&str>,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        let body = serde_json::to_vec(body).map_err(Failure::of)?;
        read_json(path, &self.send(path, key, "application/json", &body)?)
    }

    /// Posts a file.
    pub(super) fn upload<T: DeserializeOwned>(&self, path: &str, kind: &str, file: &str) -> Result<T, Failure> {
        read_json(path, &self.send(path, None, kind, file.as_bytes())?)
    }

    fn send(&self, path: &str, key: Option<&str>, kind: &str, body: &[u8]) -> Result<String, Failure> {
        let mut request = self.agent.post(format!("{}{path}", self.base)).header("content-type", kind);
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        read(path, request.send(body))
    }
}

fn read(path: &str, answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<String, Failure> {
    let failed = |error| Failure::of(format!("Setting the demo up failed at {path}: {error}."));
    let mut answer = answer.map_err(failed)?;
    let text = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string().map_err(failed)?;
    if answer.status().is_success() {
        return Ok(text);
    }
    let said = serde_json::from_str::<Problem>(&text).map_or_else(|_| answer.status().to_string(), |p| p.to_string());
    Err(Failure::of(format!("Setting the demo up failed at {path}: {said}")))
}

fn read_json<T: DeserializeOwned>(path: &str, text: &str) -> Result<T, Failure> {
    serde_json::from_str(text).map_err(|error| {
        Failure::of(format!("Setting the demo up failed at {path}: the answer cannot be read ({error})."))
    })
}
