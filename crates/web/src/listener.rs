//! One port for TLS and plain HTTP, told apart by the first byte. Owns sockets, time limits, the connection cap and the
//! graceful end; knows no route. Every request carries a [`Connection`] extension that says what it came in on.

mod connection;
mod crowd;

use crate::shutdown::Shutdown;
use crate::tls::Tls;
use axum::Router;
use crowd::Crowd;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// What a request came in on: a request extension, and an extractor.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The other end of the socket: a client or a proxy in front of us. See [`crate::proxy`] for the client behind it.
    pub peer: SocketAddr,
    /// Our end of the socket.
    pub local: SocketAddr,
    /// Whether TLS ends here.
    pub tls: bool,
    /// Which of the configurations that were in use one after the other its TLS was begun with; see
    /// [`crate::tls::Tls::epoch`].
    pub tls_epoch: u64,
    /// The server name that the TLS client asked for; hostile text.
    pub sni: Option<Arc<str>>,
}

/// What a port speaks.
#[derive(Clone, Debug)]
pub enum Mode {
    /// HTTP without TLS: loopback, or behind a proxy.
    Plain,
    /// HTTPS; somebody who speaks plain HTTP is told to use `https://`.
    Tls(Tls),
    /// Both on the one port.
    Both(Tls),
}

/// Says for each new connection whether its other end is heard at all, before anything is read from it. Must not block.
#[derive(Clone)]
pub struct Gate(Arc<dyn Fn(SocketAddr, SocketAddr) -> bool + Send + Sync>);

impl Gate {
    /// Heard is for whom `heard` says so, of the other end and ours; all others are closed without a word.
    pub fn new(heard: impl Fn(SocketAddr, SocketAddr) -> bool + Send + Sync + 'static) -> Gate {
        Gate(Arc::new(heard))
    }
}

impl Default for Gate {
    /// Open to everybody.
    fn default() -> Gate {
        Gate::new(|_, _| true)
    }
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gate(..)")
    }
}

/// Limits of a listener; `Default` is right for production.
#[derive(Clone, Debug)]
pub struct Limits {
    /// A new connection must send its first byte within this time.
    pub first_byte: Duration,
    /// A TLS handshake must end within this time.
    pub handshake: Duration,
    /// The head of a request must be complete within this time, counted from the end of the previous answer: it is also
    /// how long an idle kept-alive connection stays open.
    pub header_read: Duration,
    /// Largest head of a request in bytes; a larger one is answered with 431.
    pub header_bytes_max: usize,
    /// Connections open at once; more wait in the operating system's queue.
    pub connections_max: usize,
    /// Of these, from one address; more are closed at once. A proxy is one address.
    pub per_address_max: usize,
    /// How long a stopping listener lets running requests finish.
    pub drain: Duration,
    /// Who is heard.
    pub gate: Gate,
}

/// Connections open at once, if the operating system allows as many open files.
const CONNECTIONS_MAX: usize = 16_384;
/// Open files that are for other things than connections.
const OTHER_FILES: usize = 256;

impl Limits {
    /// The limits of a process that may have `open_files` files open.
    #[must_use]
    pub fn for_open_files(open_files: u64) -> Limits {
        let all = usize::try_from(open_files).unwrap_or(usize::MAX).saturating_sub(OTHER_FILES);
        let connections_max = all.clamp(64, CONNECTIONS_MAX);
        Limits { connections_max, per_address_max: connections_max / 4 * 3, ..Limits::default() }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            first_byte: Duration::from_secs(5),
            handshake: Duration::from_secs(10),
            header_read: Duration::from_secs(30),
            header_bytes_max: 16 * 1024,
            connections_max: CONNECTIONS_MAX,
            per_address_max: CONNECTIONS_MAX / 4 * 3,
            drain: Duration::from_secs(10),
            gate: Gate::default(),
        }
    }
}

/// The port cannot be opened. Each sentence says why and what to do.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody else listens there.
    #[error(
        "cannot listen on {0}: the port is already in use. Stop the program that holds it (`ss -ltnp` shows which), or choose another port"
    )]
    PortTaken(SocketAddr),
    /// The operating system forbids it.
    #[error(
        "cannot listen on {0}: permission denied. Ports below 1024 need the administrator or CAP_NET_BIND_SERVICE; choose a higher port, or allow it to the service"
    )]
    Permission(SocketAddr),
    /// The address belongs to another machine.
    #[error(
        "cannot listen on {0}: this machine does not have that address. Choose one that `ip address` lists, 127.0.0.1 for this machine only, or 0.0.0.0 for all"
    )]
    NotOurAddress(SocketAddr),
    /// A socket that was passed on cannot be used.
    #[error(
        "cannot listen on a socket that was passed to this process: {source}. Pass listening TCP sockets only (in a socket unit `ListenStream=PORT`, `Accept=no`)"
    )]
    Passed {
        /// What the operating system said.
        source: io::Error,
    },
    /// Anything else.
    #[error(
        "cannot listen on {address}: {source}. Check the address and the limits of the operating system, then start again"
    )]
    Other {
        /// Where it should have listened.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
}

/// An open port that nobody serves yet.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

/// How a listener ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were still busy when [`Limits::drain`] was over, and were cut off.
    pub cut_off: usize,
}

/// Opens the port; port 0 picks a free one, see [`Bound::address`].
pub async fn bind(address: SocketAddr) -> Result<Bound, BindError> {
    let sort = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => BindError::PortTaken(address),
        io::ErrorKind::PermissionDenied => BindError::Permission(address),
        io::ErrorKind::AddrNotAvailable => BindError::NotOurAddress(address),
        _ => BindError::Other { address, source },
    };
    let listener = TcpListener::bind(address).await.map_err(sort)?;
    let address = listener.local_addr().map_err(sort)?;
    Ok(Bound { listener, address })
}

/// Takes a port that somebody else has opened and passed on.
pub fn take(listener: std::net::TcpListener) -> Result<Bound, BindError> {
    let failed = |source| BindError::Passed { source };
    // The runtime waits for connections; the socket itself must not.
    listener.set_nonblocking(true).map_err(failed)?;
    let listener = TcpListener::from_std(listener).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok(Bound { listener, address })
}

/// The ports of a service: those that were passed on, or the one at `address` if there are none. Never empty.
pub async fn take_or_bind(passed: Vec<std::net::TcpListener>, address: SocketAddr) -> Result<Vec<Bound>, BindError> {
    if passed.is_empty() {
        return Ok(vec![bind(address).await?]);
    }
    passed.into_iter().map(take).collect()
}

/// Serves each port as [`Bound::serve`] does, with connection slots of its own.
pub async fn serve_all(ports: Vec<Bound>, router: Router, mode: Mode, limits: Limits, shutdown: Shutdown) -> Drained {
    let mut serving = JoinSet::new();
    for port in ports {
        serving.spawn(port.serve(router.clone(), mode.clone(), limits.clone(), shutdown.clone()));
    }
    let mut cut_off = 0;
    while let Some(ended) = serving.join_next().await {
        cut_off += ended.map_or(0, |drained| drained.cut_off);
    }
    Drained { cut_off }
}

impl Bound {
    /// The real address, with the port that the operating system chose.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown`, then closes the port, lets running requests finish and answers how that went.
    pub async fn serve(self, router: Router, mode: Mode, limits: Limits, mut shutdown: Shutdown) -> Drained {
        let slots = Arc::new(Semaphore::new(limits.connections_max));
        let (drain, per_address_max, gate) = (limits.drain, limits.per_address_max, limits.gate.clone());
        let crowd = Crowd::default();
        let mut turned_away = 0_u64;
        let serving = Arc::new(connection::Serving::new(router, mode, limits));
        let mut open = JoinSet::new();
        let mut full = false;
        loop {
            // A slot is taken before the connection, so that what does not fit waits in the kernel instead of in memory.
            if slots.available_permits() == 0 && !full {
                tracing::warn!(address = %self.address, "all connection slots are in use; new connections wait");
            }
            full = slots.available_permits() == 0;
            let accepted = tokio::select! {
                biased;
                () = shutdown.requested() => break,
                Some(ended) = open.join_next() => { report_panic(ended); continue }
                accepted = accept(&self.listener, &slots) => accepted,
            };
            match accepted {
                // Closed at once: whoever is shut out costs no task, no timer and no byte that is read.
                Ok((stream, peer, _)) if !stream.local_addr().is_ok_and(|local| (gate.0)(peer, local)) => {}
                Ok((stream, peer, slot)) => {
                    let Some(place) = crowd.enter(peer.ip(), per_address_max) else {
                        // The first of many is said, then every thousandth: whoever floods must not flood the log.
                        if turned_away.is_multiple_of(1_000) {
                            tracing::warn!(%peer, turned_away, "too many connections from one address; more are closed");
                        }
                        turned_away += 1;
                        continue;
                    };
                    let (serving, shutdown) = (Arc::clone(&serving), shutdown.clone());
                    open.spawn(async move {
                        serving.run(stream, peer, shutdown).await;
                        drop((slot, place));
                    });
                }
                Err(error) => pause_after(error, &mut shutdown).await,
            }
        }
        drop(self.listener);
        let finished = async {
            while let Some(ended) = open.join_next().await {
                report_panic(ended);
            }
        };
        let _ = tokio::time::timeout(drain, finished).await;
        let cut_off = open.len();
        open.shutdown().await;
        Drained { cut_off }
    }
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, slot))
}

/// A connection that died in the queue is nobody's concern; being out of file descriptors is, and trying again at once
/// would only burn a processor.
async fn pause_after(error: io::Error, shutdown: &mut Shutdown) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        return;
    }
    tracing::error!(%error, "cannot accept connections; if it says `too many open files`, raise the limit (LimitNOFILE)");
    let _ = tokio::time::timeout(Duration::from_secs(1), shutdown.requested()).await;
}

fn report_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a connection's task panicked");
    }
}
