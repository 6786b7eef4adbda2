//! The running license server: opens its data folder, listens, and ends in order.

use crate::config::{Values, listen_default};
use crate::local::{ADDRESS_FILE, TOKEN_FILE};
use crate::logs::Logs;
use crate::ports::{Ports, nearest, reduced};
use crate::server::{Server, StartError};
use crate::{api, pages};
use axum::Router;
use leasehold_core::random::Random;
use leasehold_core::time::Clock;
use leasehold_host::private_file;
use leasehold_web::listener::{self, BindError, Bound, Gate, Limits};
use leasehold_web::problem::{catch_panic, method_not_allowed};
use leasehold_web::proxy::is_own_machine;
use leasehold_web::session::SessionToken;
use leasehold_web::shutdown::{Shutdown, shutdown_pair};
use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, Weak};

/// How a license server is run.
pub struct ServeOptions {
    /// Its data folder; made if it is missing.
    pub folder: PathBuf,
    /// Where to listen instead of what `server.toml` says; port 0 takes a free one.
    pub listen: Option<SocketAddr>,
    /// Open ports that somebody passed on, to be served instead of opening one; mostly empty.
    pub sockets: Vec<TcpListener>,
    /// The machine's clocks.
    pub clock: Arc<dyn Clock>,
    /// The machine's fingerprint; empty if it has none.
    pub fingerprint: String,
    /// The machine's randomness.
    pub random: Box<dyn Random>,
    /// The process's log, if the server may change how much is logged and remember the newest lines.
    pub logs: Logs,
}

impl std::fmt::Debug for ServeOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServeOptions")
            .field("folder", &self.folder)
            .field("listen", &self.listen)
            .field("sockets", &self.sockets)
            .finish_non_exhaustive()
    }
}

/// What is told once requests are taken.
#[derive(Clone, Debug)]
pub struct Ready {
    /// The real address; of several, one that this machine reaches itself.
    pub address: SocketAddr,
    /// The one-time secret with which the administrator sets the first password; `None` if that was done. Print it, and
    /// keep it nowhere.
    pub setup_secret: Option<String>,
    /// SHA-256 of the certificate that browsers see, to be compared with what they show.
    pub fingerprint: String,
    /// The server itself.
    pub server: Server,
}

/// Why a license server does not run, or no longer. Each sentence says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// It did not start; nothing was changed.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It ended because nobody can say what is on disk. The supervisor starts it again on the same folder; what was
    /// acknowledged is there.
    #[error("the license server has stopped: {0}")]
    Failed(String),
}

impl ServeError {
    /// The process's exit code: 1 if it did not start, 70 if it failed while it ran.
    pub fn exit_code(&self) -> u8 {
        match self {
            ServeError::Start(_) => 1,
            ServeError::Failed(_) => 70,
        }
    }
}

/// Runs a license server until `stop`.
///
/// # Errors
/// See [`ServeError`].
pub async fn serve(
    options: ServeOptions,
    stop: impl Future<Output = ()> + Send,
    on_ready: impl FnOnce(Ready) + Send,
) -> Result<(), ServeError> {
    let ServeOptions { folder, listen, sockets, clock, fingerprint, random, logs } = options;
    let start = started_with(listen, &sockets, &logs);
    let opening =
        tokio::task::spawn_blocking(move || Server::open(&folder, clock, &fingerprint, random, start, logs)).await;
    let server = opening.map_err(|died| ServeError::Failed(died.to_string()))??;
    let ended = run(&server, sockets, stop, on_ready).await;
    let closing = server.clone();
    // Whatever ended it: what was answered is on disk already, and the thread must not outlive the folder's lock.
    let _ = tokio::task::spawn_blocking(move || closing.close()).await;
    ended
}

/// What the way of starting says of settings, so that nobody changes on a page what the next start would undo.
fn started_with(listen: Option<SocketAddr>, sockets: &[TcpListener], logs: &Logs) -> Values {
    let passed: Vec<String> =
        sockets.iter().filter_map(|socket| socket.local_addr().ok()).map(|address| address.to_string()).collect();
    let listen = if passed.is_empty() { listen.map(|address| vec![address.to_string()]) } else { Some(passed) };
    let listen = listen.map(|listen| ("listen".to_owned(), listen.into()));
    listen.into_iter().chain(logs.fixed().map(|log| ("log".to_owned(), log.into()))).collect()
}

async fn run(
    server: &Server,
    sockets: Vec<TcpListener>,
    stop: impl Future<Output = ()> + Send,
    on_ready: impl FnOnce(Ready) + Send,
) -> Result<(), ServeError> {
    let tls = server.0.certificates.tls().map_err(StartError::from)?;
    let bound = open_ports(server, sockets).await.map_err(StartError::from)?;
    let addresses: Vec<SocketAddr> = bound.iter().map(|(_, bound)| bound.address()).collect();
    let address = nearest(&addresses).unwrap_or_else(listen_default);
    server.go_online()?;
    server.go_counting()?;
    server.go_backing_up();
    if server.0.settings.get().log.is_some() {
        server.set_log_level();
    }
    let (trigger, shutdown) = shutdown_pair();
    let router = router(server, shutdown.clone())?;
    let limits = Limits { gate: gate(server), ..Limits::for_open_files(leasehold_host::raise_open_files()) };
    let ports = Arc::new(Ports::serve(bound, router, tls, limits));
    announce(server, ports.near().await.map_err(StartError::from)?)?;
    *server.0.ports.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&ports);
    on_ready(Ready {
        address,
        setup_secret: server.0.administrator.take_setup_secret(),
        fingerprint: server.0.certificates.fingerprint(),
        server: server.clone(),
    });
    let failed = tokio::select! {
        () = stop => None,
        why = server.0.engine.until_failed() => Some(why),
        error = server.0.db.until_failed() => Some(error.to_string()),
    };
    trigger.stop();
    // Nobody changes addresses any more.
    *server.0.ports.lock().unwrap_or_else(PoisonError::into_inner) = Weak::new();
    let cut_off = ports.stop().await;
    tracing::info!(cut_off, "the license server has stopped");
    for name in [ADDRESS_FILE, TOKEN_FILE] {
        // Of no use to anybody now; the next start writes new ones.
        let _ = std::fs::remove_file(server.0.folder.join(name));
    }
    match failed {
        Some(why) => Err(ServeError::Failed(why)),
        None => Ok(()),
    }
}

/// The ports that were passed on, or those of the settings.
async fn open_ports(server: &Server, sockets: Vec<TcpListener>) -> Result<Vec<(SocketAddr, Bound)>, BindError> {
    if !sockets.is_empty() {
        let taken = sockets.into_iter().map(|socket| listener::take(socket).map(|bound| (bound.address(), bound)));
        return taken.collect();
    }
    let mut bound = Vec::new();
    for address in reduced(&server.0.settings.get().listen) {
        bound.push((address, listener::bind(address).await?));
    }
    Ok(bound)
}

/// Who is heard at all. A trusted proxy is: whoever stands behind it is judged by what it says.
fn gate(server: &Server) -> Gate {
    let (settings, neighbors, clock) = (server.0.settings.clone(), server.0.neighbors.clone(), server.0.clock.clone());
    Gate::new(move |peer, local| {
        let (config, address) = (settings.get(), peer.ip());
        if is_own_machine(peer, local) {
            neighbors.note_own(address);
            return true;
        }
        let heard =
            config.networks.admit(address) || config.trusted_proxies.trusts(address) || neighbors.holds(address);
        if !heard && neighbors.turn_away(address, clock.now()) {
            tracing::warn!(%address, "turned away: the lists of networks shut it out; told once for each address");
        }
        heard
    })
}

/// Tells the command line on this machine where the server is and how to be believed.
fn announce(server: &Server, address: SocketAddr) -> Result<(), StartError> {
    let token = server.0.random.draw(|random| SessionToken::draw(random));
    private_file::write_atomic(&server.0.folder.join(TOKEN_FILE), token.text().as_bytes())?;
    private_file::write_atomic(&server.0.folder.join(ADDRESS_FILE), address.to_string().as_bytes())?;
    server.0.administrator.set_token_file(token);
    Ok(())
}

/// All routes. Requests must carry the extension that [`leasehold_web::listener`] gives them.
///
/// # Errors
/// See [`pages::router`].
fn router(server: &Server, shutdown: Shutdown) -> Result<Router, StartError> {
    // Unknown addresses are answered by the pages.
    let pages = pages::router(server.clone(), shutdown)?.layer(catch_panic());
    Ok(api::router(server).method_not_allowed_fallback(method_not_allowed).merge(pages))
}
