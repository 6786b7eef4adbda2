//! The running portal: opens its data folder, listens, and ends in order.

use crate::admin::{self, AdminError};
use crate::config::ConfigError;
use crate::front::Front;
use crate::{Config, api, jobs, pages};
use axum::Router;
use leasehold_core::random::Random;
use leasehold_core::time::Clock;
use leasehold_db::DbError;
use leasehold_host::FolderLock;
use leasehold_web::listener::{self, BindError, Bound, Limits, Mode};
use leasehold_web::problem::{method_not_allowed, not_found};
use leasehold_web::shutdown::shutdown_pair;
use leasehold_web::tls::{self, Tls, TlsFileError};
use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

/// Why the portal does not run, or no longer. Each sentence says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The data folder cannot be used.
    #[error(transparent)]
    Folder(#[from] AdminError),
    /// The port cannot be opened.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A TLS file cannot be read.
    #[error("{} cannot be read ({source}). Check the path in `[tls]` of portal.toml and the file's permissions", path.display())]
    TlsFile {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The TLS files cannot be used.
    #[error("`[tls]` in portal.toml: {0}")]
    Tls(#[from] TlsFileError),
    /// The database failed in a way after which the process must not go on.
    #[error("the portal has stopped: {0}")]
    Database(DbError),
}

impl From<ConfigError> for ServeError {
    fn from(error: ConfigError) -> ServeError {
        ServeError::Folder(error.into())
    }
}

/// Runs the portal until `stop`. `on_ready` gets the real address once requests are taken.
///
/// # Errors
/// See [`ServeError`].
pub async fn serve(
    config: Config,
    clock: Arc<dyn Clock>,
    random: Box<dyn Random>,
    stop: impl Future<Output = ()> + Send,
    on_ready: impl FnOnce(SocketAddr) + Send,
) -> Result<(), ServeError> {
    serve_on(Vec::new(), config, clock, random, stop, on_ready).await
}

/// The same on open ports that somebody passed on, if there are any, instead of opening one. Each is held to the same rule
/// as `listen`: without HTTPS the portal is for this machine only.
///
/// # Errors
/// See [`ServeError`].
pub async fn serve_on(
    sockets: Vec<TcpListener>,
    mut config: Config,
    clock: Arc<dyn Clock>,
    random: Box<dyn Random>,
    stop: impl Future<Output = ()> + Send,
    on_ready: impl FnOnce(SocketAddr) + Send,
) -> Result<(), ServeError> {
    for socket in &sockets {
        config.listen = socket.local_addr().map_err(|source| BindError::Passed { source })?;
        config.check_exposure()?;
    }
    config.check_exposure()?;
    let mode = match &config.tls {
        None => Mode::Plain,
        Some(files) => Mode::Tls(load_tls(files)?),
    };
    // Held until the process has written its last.
    let _lock = FolderLock::acquire(&config.folder).map_err(AdminError::Lock)?;
    let opening = config.clone();
    let opened = tokio::task::spawn_blocking(move || admin::open(&opening, clock, random)).await;
    let portal = opened.map_err(|died| AdminError::Failed(died.to_string()))??;
    let ports = listener::take_or_bind(sockets, config.listen).await?;
    let address = ports.first().map_or(config.listen, Bound::address);
    let (trigger, shutdown) = shutdown_pair();
    let router = router(&Front::new(portal.clone(), &config).until(shutdown.clone()), &config)?;
    let jobs = tokio::spawn(jobs::run(portal.clone(), shutdown.clone()));
    let limits = Limits::for_open_files(leasehold_host::raise_open_files());
    let serving = tokio::spawn(listener::serve_all(ports, router, mode, limits, shutdown));
    tracing::info!(%address, vendor = portal.vendor(), "the portal takes requests");
    on_ready(address);
    let failed = tokio::select! {
        () = stop => None,
        error = portal.db().until_failed() => Some(error),
    };
    trigger.stop();
    if let Ok(drained) = serving.await {
        tracing::info!(cut_off = drained.cut_off, "the portal has stopped");
    }
    let _ = jobs.await;
    match failed {
        Some(error) => Err(ServeError::Database(error)),
        None => Ok(()),
    }
}

/// All routes of the portal with the layers around them. Requests must carry the extension that
/// [`leasehold_web::listener`] gives them.
pub fn router(front: &Front, config: &Config) -> Result<Router, AdminError> {
    let routes = api::router(front).merge(pages::router(front));
    let routes = routes.fallback(not_found).method_not_allowed_fallback(method_not_allowed);
    front
        .guard(routes)
        .map(|guarded| pages::around(front, guarded))
        .map_err(|why| AdminError::Config(ConfigError::Invalid { path: config.folder.join(crate::config::FILE), why }))
}

fn load_tls(files: &crate::config::TlsFiles) -> Result<Tls, ServeError> {
    let read =
        |path: &PathBuf| std::fs::read(path).map_err(|source| ServeError::TlsFile { path: path.clone(), source });
    let config = tls::config_from_pem(&read(&files.certificate)?, &read(&files.key)?)?;
    Ok(Tls::new(config))
}
