//! Opening a connection on the way to the portal: look the name up, connect, pass the proxy, speak TLS. Each part that
//! fails says so as a [`LinkProblem`]; what was seen on the way is kept for whoever wants to show it.
//!
//! A connection is used for one request. The portal is asked about once a minute, and a proxy in between forgets sooner.

use super::handshake::Ask;
use super::problem::{LinkProblem, Peer};
use super::proxy::{ProxyServer, authority};
use super::tls;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::time::{Duration as Wait, Instant as Moment};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport, TransportAdapter,
};

/// The way to the portal.
#[derive(Debug)]
pub(crate) struct Way {
    /// The portal's host; an IPv6 address without brackets.
    pub(crate) host: String,
    /// The portal's port.
    pub(crate) port: u16,
    /// The proxy in between.
    pub(crate) proxy: Option<ProxyServer>,
    /// Whether TLS is spoken: always, but to a portal on this machine.
    pub(crate) tls: bool,
    /// Name in the portal's certificate.
    pub(crate) name: ServerName<'static>,
    /// Whom to trust, or why nobody can be.
    pub(crate) trust: Result<Arc<ClientConfig>, LinkProblem>,
}

impl Way {
    /// The portal as `host:port`.
    pub(crate) fn portal(&self) -> String {
        authority(&self.host, self.port)
    }

    /// Whom the TCP connection leads to.
    pub(crate) fn first(&self) -> (&str, u16, Peer) {
        match &self.proxy {
            Some(proxy) => (&proxy.host, proxy.port, Peer::Proxy(proxy.at())),
            None => (&self.host, self.port, Peer::Portal(self.portal())),
        }
    }
}

/// What was seen on the way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// What the name resolved to.
    pub(crate) addresses: Vec<SocketAddr>,
    /// Where the connection leads.
    pub(crate) connected: Option<SocketAddr>,
    /// What the portal showed and was believed.
    pub(crate) certificate: Option<CertificateDer<'static>>,
}

/// Opens connections for [`ureq::Agent`].
#[derive(Debug)]
pub(crate) struct Dialer {
    way: Arc<Way>,
    seen: Arc<Mutex<Seen>>,
}

impl Dialer {
    /// On that way. What the newest connection saw is put into `seen`.
    pub(crate) fn new(way: Arc<Way>, seen: Arc<Mutex<Seen>>) -> Dialer {
        Dialer { way, seen }
    }

    fn see(&self, what: impl FnOnce(&mut Seen)) {
        what(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn dial(&self, details: &ConnectionDetails<'_>) -> Result<Box<dyn Transport>, LinkProblem> {
        self.see(|seen| *seen = Seen::default());
        let addresses = self.look_up(details)?;
        self.see(|seen| seen.addresses = addresses.to_vec());
        let stream = self.connect(details, &addresses)?;
        let seconds = seconds(details.timeout);
        let mut socket = TransportAdapter::new(Socket::new(stream, details.config), details.current_time.clone());
        socket.set_timeout(left(details));
        if let Some(proxy) = &self.way.proxy {
            Ask { proxy, host: &self.way.host, port: self.way.port, seconds }.pass(&mut socket)?;
        }
        if !self.way.tls {
            return Ok(Box::new(socket.into_inner()));
        }
        let trust = Arc::clone(self.way.trust.as_ref().map_err(Clone::clone)?);
        let mut connection = ClientConnection::new(trust, self.way.name.clone())
            .map_err(|error| tls::problem(&error, &self.way.portal()))?;
        connection.complete_io(&mut socket).map_err(|error| self.no_tls(error, seconds))?;
        let shown = connection.peer_certificates().and_then(<[_]>::first).map(|shown| shown.clone().into_owned());
        self.see(|seen| seen.certificate = shown);
        let buffers = buffers(details.config);
        Ok(Box::new(Encrypted { stream: StreamOwned::new(connection, socket), buffers }))
    }

    fn look_up(&self, details: &ConnectionDetails<'_>) -> Result<ResolvedSocketAddrs, LinkProblem> {
        let (host, port, peer) = self.way.first();
        let wrong = LinkProblem::BadAddress { why: "its host is none" };
        let uri: Uri = format!("http://{}", authority(host, port)).parse().map_err(|_| wrong)?;
        DefaultResolver::default().resolve(&uri, details.config, left(details)).map_err(|error| {
            let why = match error {
                ureq::Error::Timeout(_) => "no name server answered in time",
                // The operating system says so in words only.
                error if error.to_string().contains("emporary failure") => "no name server can be asked just now",
                _ => "no name server knows it",
            };
            LinkProblem::NameNotFound { peer, why: why.to_owned() }
        })
    }

    /// Tries one address after the other, each with its share of the time that is left.
    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        addresses: &ResolvedSocketAddrs,
    ) -> Result<TcpStream, LinkProblem> {
        let (_, _, peer) = self.way.first();
        let mut problem = LinkProblem::NameNotFound { peer: peer.clone(), why: "it has no address".to_owned() };
        for (tried, address) in (0..).zip(addresses.iter()) {
            let share = *left(details).after / (u32::try_from(addresses.len()).unwrap_or(u32::MAX) - tried).max(1);
            if !self.way.tls && !address.ip().is_loopback() {
                return Err(LinkProblem::Unencrypted { host: self.way.host.clone() });
            }
            // A share of nothing is not a time limit that the system takes.
            match TcpStream::connect_timeout(address, share.max(Duration::from_millis(10))) {
                Ok(stream) => {
                    self.see(|seen| seen.connected = Some(*address));
                    // Only slower if it does not work.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Err(error) => problem = not_connected(&error, peer.clone(), seconds(details.timeout)),
            }
        }
        Err(problem)
    }

    fn no_tls(&self, error: io::Error, seconds: u64) -> LinkProblem {
        let portal = self.way.portal();
        if let Some(error) = rustls_error(&error) {
            return tls::problem(error, &portal);
        }
        match ureq::Error::from(error) {
            ureq::Error::Timeout(_) => LinkProblem::TlsSilent { portal, seconds },
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                LinkProblem::TlsFailed { portal, why: "the connection was reset".to_owned() }
            }
            _ => LinkProblem::TlsFailed { portal, why: "the other side ended the connection".to_owned() },
        }
    }
}

impl Connector for Dialer {
    type Out = Box<dyn Transport>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _chained: Option<()>,
    ) -> Result<Option<Box<dyn Transport>>, ureq::Error> {
        self.dial(details).map(Some).map_err(|problem| ureq::Error::Other(Box::new(problem)))
    }
}

/// What rustls did not like, if that is inside of the error.
pub(crate) fn rustls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}

fn not_connected(error: &io::Error, peer: Peer, seconds: u64) -> LinkProblem {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => LinkProblem::Refused { peer },
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => LinkProblem::ConnectTimedOut { peer, seconds },
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            LinkProblem::Unreachable { peer, why: "there is no way to it in the network".to_owned() }
        }
        _ => LinkProblem::Unreachable { peer, why: super::problem::shown(&error.to_string()) },
    }
}

/// What is left of the time for the whole request.
fn left(details: &ConnectionDetails<'_>) -> NextTimeout {
    let mut timeout = details.timeout;
    if let (Wait::Exact(whole), Moment::Exact(begun), Moment::Exact(now)) =
        (timeout.after, details.now, (details.current_time)())
    {
        timeout.after = Wait::Exact(whole.saturating_sub(now.saturating_duration_since(begun)));
    }
    timeout
}

/// A time limit as people say it.
fn seconds(timeout: NextTimeout) -> u64 {
    timeout.after.saturating_add(Duration::from_millis(500)).as_secs().max(1)
}

/// The dialer looks names up by itself: which one, depends on the proxy.
#[derive(Debug)]
pub(crate) struct NoResolver;

impl Resolver for NoResolver {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut addresses = self.empty();
        addresses.push(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)));
        Ok(addresses)
    }
}

fn buffers(config: &Config) -> LazyBuffers {
    LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size())
}

/// A TCP connection with a time limit on each read and write.
#[derive(Debug)]
struct Socket {
    stream: TcpStream,
    buffers: LazyBuffers,
}

impl Socket {
    fn new(stream: TcpStream, config: &Config) -> Socket {
        Socket { stream, buffers: buffers(config) }
    }
}

/// The time limit of one read or write.
fn limit(timeout: NextTimeout) -> Result<Option<Duration>, ureq::Error> {
    match timeout.after {
        Wait::Exact(Duration::ZERO) => Err(ureq::Error::Timeout(timeout.reason)),
        Wait::Exact(limit) => Ok(Some(limit)),
        Wait::NotHappening => Ok(None),
    }
}

fn timed(error: io::Error, timeout: NextTimeout) -> ureq::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ureq::Error::Timeout(timeout.reason),
        _ => error.into(),
    }
}

impl Transport for Socket {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.stream.set_write_timeout(limit(timeout)?)?;
        let output = &self.buffers.output()[..amount];
        self.stream.write_all(output).map_err(|error| timed(error, timeout))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.stream.set_read_timeout(limit(timeout)?)?;
        let read = loop {
            match self.stream.read(self.buffers.input_append_buf()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read.map_err(|error| timed(error, timeout))?,
            }
        };
        self.buffers.input_appended(read);
        Ok(read > 0)
    }

    fn is_open(&mut self) -> bool {
        false
    }
}

/// TLS over a [`Socket`].
struct Encrypted {
    stream: StreamOwned<ClientConnection, TransportAdapter<Socket>>,
    buffers: LazyBuffers,
}

impl fmt::Debug for Encrypted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encrypted").field("over", &self.stream.sock.inner()).finish_non_exhaustive()
    }
}

impl Transport for Encrypted {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.stream.sock.set_timeout(timeout);
        Ok(self.stream.write_all(&self.buffers.output()[..amount])?)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.stream.sock.set_timeout(timeout);
        let read = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(read);
        Ok(read > 0)
    }

    fn is_open(&mut self) -> bool {
        false
    }

    fn is_tls(&self) -> bool {
        true
    }
}
