//! A service on a free port, and clients that speak bytes, HTTP/1.1 over TLS, or nothing at all.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use leasehold_web::listener::{self, Drained, Limits, Mode};
use leasehold_web::shutdown::{ShutdownTrigger, shutdown_pair};
use leasehold_web::tls::{Tls, config_from_pem, crypto_provider};
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower::ServiceExt;

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) trigger: ShutdownTrigger,
    task: JoinHandle<Drained>,
}

impl Running {
    pub(crate) async fn start(router: Router, mode: Mode, limits: Limits) -> Running {
        let (trigger, shutdown) = shutdown_pair();
        let bound = listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = bound.address();
        let task = tokio::spawn(bound.serve(router, mode, limits, shutdown));
        Running { address, trigger, task }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Waits for the end that was asked for.
    pub(crate) async fn ended(self) -> Drained {
        tokio::time::timeout(PATIENCE, self.task).await.expect("the listener ends").unwrap()
    }

    /// What happens when whoever holds the trigger is gone.
    pub(crate) async fn lose_trigger(self) -> Drained {
        drop(self.trigger);
        tokio::time::timeout(PATIENCE, self.task).await.expect("the listener ends").unwrap()
    }
}

/// A certificate for `name`, its own root; PEM of certificate and key.
pub(crate) fn certificate(name: &str) -> (String, String) {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

/// The server side for `name`, and a connector that trusts only it.
pub(crate) fn tls_for(name: &str) -> (Tls, TlsConnector) {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let config = config_from_pem(made.cert.pem().as_bytes(), made.signing_key.serialize_pem().as_bytes()).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(crypto_provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Tls::new(config), TlsConnector::from(Arc::new(client)))
}

pub(crate) async fn shake_hands(
    connector: &TlsConnector,
    stream: TcpStream,
    name: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    connector.connect(ServerName::try_from(name.to_owned()).unwrap(), stream).await
}

/// Sends `request` as it is and reads to the end of the connection.
pub(crate) async fn converse(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    read_to_end(stream).await
}

/// What comes until the other side closes, however it closes.
pub(crate) async fn read_to_end(mut stream: impl AsyncRead + Unpin) -> String {
    let mut all = Vec::new();
    let read = async {
        let mut chunk = [0; 4096];
        while let Ok(n @ 1..) = stream.read(&mut chunk).await {
            all.extend_from_slice(&chunk[..n]);
        }
    };
    tokio::time::timeout(PATIENCE, read).await.expect("the connection is closed");
    String::from_utf8(all).unwrap()
}

/// A request that asks to close the connection after its answer.
pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
}

/// Asks a router without a socket; answers head and body.
pub(crate) async fn ask(router: &Router, request: Request<Body>) -> (Response<()>, String) {
    let (head, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    (Response::from_parts(head, ()), String::from_utf8(body.to_vec()).unwrap())
}
