//! One connection that is kept open, and callers of JSON interfaces over it.

use anyhow::{Context as _, Result, bail, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::net::SocketAddr;
use tokio::runtime::Runtime;

/// A connection.
pub(crate) struct Http(http1::SendRequest<Full<Bytes>>);

impl Http {
    pub(crate) async fn open(address: SocketAddr) -> Result<Http> {
        let stream = tokio::net::TcpStream::connect(address).await.context("connecting")?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Http(sender))
    }

    /// Sends, and waits for the whole answer.
    pub(crate) async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes)> {
        self.0.ready().await?;
        let response = self.0.send_request(request).await?;
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }
}

/// Blocking calls of a JSON interface, each over a connection of its own: for what is prepared, not for what is measured.
#[derive(Clone)]
pub(crate) struct Caller {
    address: SocketAddr,
    token: Option<String>,
}

impl Caller {
    pub(crate) fn new(address: SocketAddr) -> Caller {
        Caller { address, token: None }
    }

    /// The same with a bearer token.
    pub(crate) fn with_token(&self, token: &str) -> Caller {
        Caller { token: Some(token.to_owned()), ..self.clone() }
    }

    /// Sends; an answer that is no success is an error.
    pub(crate) fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let mut request = Request::builder().method(method).uri(path).header("host", self.address.to_string());
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = match body {
            Some(body) => request.header("content-type", "application/json").body(Full::from(body.to_string()))?,
            None => request.body(Full::default())?,
        };
        let (status, body) = runtime()?.block_on(async { Http::open(self.address).await?.send(request).await })?;
        ensure!(status.is_success(), "{method} {path} answered {status}: {}", String::from_utf8_lossy(&body));
        if body.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_slice(&body)?) }
    }
}

/// One thread, so that most of the machine is left to what is measured.
pub(crate) fn runtime() -> Result<Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

/// What a signed document says, without verifying it.
pub(crate) fn read_claims<T: DeserializeOwned>(token: &str) -> Result<T> {
    let Some(payload) = token.split('.').nth(1) else { bail!("not a signed document: {token}") };
    Ok(serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload)?)?)
}
