//! The life of one connection: first byte, TLS if it is TLS, then HTTP/1.1 or HTTP/2 until it ends or the service stops.

use super::{Connection, Limits, Mode};
use crate::shutdown::Shutdown;
use crate::tls::Tls;
use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tower::Service;

/// The first byte of every TLS connection: a handshake record.
const TLS_HANDSHAKE: u8 = 0x16;

/// The most that a connection keeps of what it has read and not yet handed on.
const READ_BUFFER_BYTES_MAX: usize = 64 * 1024;

/// HTTP/2 connections answer a ping at least this often, or are closed.
const HTTP2_PING: Duration = Duration::from_secs(30);

/// What a browser sees that was pointed at an HTTPS-only port with `http://`.
const USE_HTTPS: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\n\r\n\
This port speaks HTTPS only. Put https:// instead of http:// in front of the address.\n";

/// What all connections of a listener share.
pub(super) struct Serving {
    router: Router,
    mode: Mode,
    limits: Limits,
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
}

impl Serving {
    pub(super) fn new(router: Router, mode: Mode, limits: Limits) -> Serving {
        let mut http1 = http1::Builder::new();
        http1
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_read)
            .max_header_size(limits.header_bytes_max)
            .max_buf_size(limits.header_bytes_max.max(READ_BUFFER_BYTES_MAX));
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .keep_alive_interval(HTTP2_PING)
            .keep_alive_timeout(limits.header_read)
            .max_concurrent_streams(128)
            .max_header_list_size(u32::try_from(limits.header_bytes_max).unwrap_or(u32::MAX));
        Serving { router: router.with_state(()), mode, limits, http1, http2 }
    }

    /// Serves one connection to its end. What the other side does wrong is its own loss and goes to the debug log only.
    pub(super) async fn run(&self, stream: TcpStream, peer: SocketAddr, mut shutdown: Shutdown) {
        let outcome = match self.open(stream, peer, &mut shutdown).await {
            Ok(Some(Opened::Plain(io, about))) => self.http1(io, about, shutdown).await,
            Ok(Some(Opened::Tls(io, about))) if io.get_ref().1.alpn_protocol() == Some(b"h2") => {
                self.http2(io, about, shutdown).await
            }
            Ok(Some(Opened::Tls(io, about))) => self.http1(io, about, shutdown).await,
            Ok(None) => return,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = outcome {
            tracing::debug!(%peer, error, "connection ended early");
        }
    }

    /// `None`: closed on purpose (nothing sent, wrong protocol, or the service stops).
    async fn open(&self, stream: TcpStream, peer: SocketAddr, shutdown: &mut Shutdown) -> io::Result<Option<Opened>> {
        stream.set_nodelay(true)?;
        let local = stream.local_addr()?;
        let about = Connection { peer, local, tls: false, tls_epoch: 0, sni: None };
        tokio::select! {
            biased;
            () = shutdown.requested() => Ok(None),
            opened = self.tell_apart(stream, about) => opened,
        }
    }

    async fn tell_apart(&self, stream: TcpStream, mut about: Connection) -> io::Result<Option<Opened>> {
        let mut first = [0];
        match timeout(self.limits.first_byte, stream.peek(&mut first)).await {
            Ok(Ok(1)) => {}
            Ok(Ok(_)) | Err(_) => return Ok(None),
            Ok(Err(error)) => return Err(error),
        }
        let tls = match (&self.mode, first[0] == TLS_HANDSHAKE) {
            (Mode::Tls(tls) | Mode::Both(tls), true) => tls,
            (Mode::Plain | Mode::Both(_), false) => return Ok(Some(Opened::Plain(stream, about))),
            (Mode::Plain, true) => return Ok(None),
            (Mode::Tls(_), false) => {
                let _ = timeout(self.limits.first_byte, say_use_https(stream)).await;
                return Ok(None);
            }
        };
        // Before the handshake, so that it is never newer than what the other end saw.
        about.tls_epoch = tls.epoch();
        let stream = self.handshake(tls, stream).await?;
        about.tls = true;
        about.sni = stream.get_ref().1.server_name().map(Arc::from);
        Ok(Some(Opened::Tls(Box::new(stream), about)))
    }

    async fn handshake(&self, tls: &Tls, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let accept = TlsAcceptor::from(tls.current()).accept(stream);
        timeout(self.limits.handshake, accept).await.map_err(|_| io::ErrorKind::TimedOut)?
    }

    async fn http1<I>(&self, io: I, about: Connection, mut shutdown: Shutdown) -> Outcome
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let router = self.router.clone();
        let replaced = self.replaced(&about);
        let service = service_fn(move |request| answer(&router, &about, request));
        let mut connection = pin!(self.http1.serve_connection(TokioIo::new(io), service));
        tokio::select! {
            ended = connection.as_mut() => return Ok(ended?),
            () = shutdown.requested() => {}
            () = replaced => {}
        }
        connection.as_mut().graceful_shutdown();
        Ok(connection.await?)
    }

    /// Returns once the connection's TLS was begun with a configuration that is not in use any more; never without TLS.
    fn replaced(&self, about: &Connection) -> impl Future<Output = ()> + Send + use<> {
        let tls = match &self.mode {
            Mode::Tls(tls) | Mode::Both(tls) if about.tls => Some(tls.clone()),
            _ => None,
        };
        let epoch = about.tls_epoch;
        async move {
            match tls {
                Some(tls) => tls.replaced(epoch).await,
                None => std::future::pending().await,
            }
        }
    }

    async fn http2<I>(&self, io: I, about: Connection, mut shutdown: Shutdown) -> Outcome
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        // hyper has no time limit for the first request of an HTTP/2 connection; without one, silence after the TLS
        // handshake would hold a slot for ever.
        let asked = Arc::new(AtomicBool::new(false));
        let replaced = self.replaced(&about);
        let service = {
            let (router, asked) = (self.router.clone(), Arc::clone(&asked));
            service_fn(move |request| {
                asked.store(true, Ordering::Relaxed);
                answer(&router, &about, request)
            })
        };
        let mut connection = pin!(self.http2.serve_connection(TokioIo::new(io), service));
        let silent = async {
            tokio::time::sleep(self.limits.header_read).await;
            if asked.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            ended = connection.as_mut() => return Ok(ended?),
            () = silent => return Ok(()),
            () = shutdown.requested() => {}
            () = replaced => {}
        }
        connection.as_mut().graceful_shutdown();
        Ok(connection.await?)
    }
}

type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

enum Opened {
    Plain(TcpStream, Connection),
    // Boxed: a TLS session is a kilobyte, and a plain connection should not carry that room.
    Tls(Box<TlsStream<TcpStream>>, Connection),
}

fn answer(
    router: &Router,
    about: &Connection,
    mut request: hyper::Request<Incoming>,
) -> impl Future<Output = Result<axum::response::Response, std::convert::Infallible>> + use<> {
    request.extensions_mut().insert(about.clone());
    // `Router` is always ready; its `call` needs a value of its own, which is one reference count.
    Service::<Request<Incoming>>::call(&mut router.clone(), request)
}

async fn say_use_https(mut stream: TcpStream) -> io::Result<()> {
    // Take what was sent first: closing a socket with unread bytes resets it, and the answer would be lost.
    let mut head = [0; 4096];
    let _ = stream.read(&mut head).await?;
    stream.write_all(USE_HTTPS).await?;
    stream.shutdown().await
}
