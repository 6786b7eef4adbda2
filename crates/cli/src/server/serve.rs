//! `leasehold server serve`: the running license server and what is told around it: the setup secret, the supervisor,
//! reload.

use super::{Folder, leases};
use crate::failure::Failure;
use crate::output::line_out;
use crate::serving::{self, Parent, Reloads, Stop};
use crate::supervisor;
use clap::Args;
use leasehold_host::{OsRandom, SystemClock, private_file};
use leasehold_server::{Pulse, Ready, ServeOptions, Server};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Args, Debug)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    folder: Folder,
    /// Where to listen, instead of what server.toml says
    #[arg(long, value_name = "ADDRESS:PORT", env = "LEASEHOLD_LISTEN")]
    listen: Option<SocketAddr>,
    /// Write the one-time setup secret to this file (mode 0600) instead of printing it; removed by the first start after the
    /// password was set
    #[arg(long, value_name = "FILE")]
    setup_secret_file: Option<PathBuf>,
    #[command(flatten)]
    parent: Parent,
}

pub(super) fn serve(args: ServeArgs) -> Result<u8, Failure> {
    let sockets = supervisor::sockets()?;
    let (stop, reloads) = Stop::watch_with_reload(args.parent.until_stdin_ends)?;
    let ServeArgs { folder, listen, setup_secret_file, parent } = args;
    let (clock, random) = (Arc::new(SystemClock::new()), Box::new(OsRandom));
    let fingerprint = leasehold_host::fingerprint();
    let logs = crate::logging::logs();
    let options = ServeOptions { folder: folder.data, listen, sockets, clock, fingerprint, random, logs };
    serving::block_on(async {
        let ready = |ready: Ready| {
            announce(&ready, setup_secret_file.as_deref());
            serving::ready(&parent, ready.address);
            tokio::spawn(keep_telling(ready.server.clone(), ready.address));
            tokio::spawn(keep_reloading(ready.server, ready.address, reloads));
        };
        let served = leasehold_server::serve(options, stop.wait(), ready).await;
        served.map_err(|error| Failure::new(error.exit_code(), error.to_string()))
    })?;
    Ok(0)
}

/// The supervisor's line about a running server.
fn status_line(pulse: Pulse, address: SocketAddr) -> String {
    let storage = if pulse.storage_ok { "" } else { "; CANNOT STORE CHANGES, gives no new seats: see the log" };
    format!("Takes requests on {address}; {} out{storage}", leases(u64::try_from(pulse.leases_out).unwrap_or(u64::MAX)))
}

async fn keep_telling(server: Server, address: SocketAddr) {
    supervisor::keep_telling(|| async { server.pulse().await.map(|pulse| status_line(pulse, address)) }).await;
}

/// Reads the settings again whenever somebody asks. What cannot be used is said, and the old settings stay.
async fn keep_reloading(server: Server, address: SocketAddr, mut reloads: Reloads) {
    while reloads.recv().await.is_some() {
        supervisor::reloading();
        let reloaded = server.clone();
        match tokio::task::spawn_blocking(move || reloaded.reload()).await {
            Ok(Ok(reloaded)) => {
                let fingerprint = reloaded.fingerprint;
                tracing::info!(certificate = fingerprint, "server.toml and the files that it names were read again");
                for setting in reloaded.from_next_start {
                    tracing::warn!(
                        setting,
                        "changed in server.toml, and holds from the next start on: restart the server"
                    );
                }
            }
            Ok(Err(error)) => {
                // One line, also where the place in the file is drawn.
                let why = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
                tracing::error!("the settings were not taken, those from before stay: {why}");
            }
            Err(error) => tracing::error!(%error, "the settings were not taken, those from before stay"),
        }
        let status = server.pulse().await.map(|pulse| status_line(pulse, address)).unwrap_or_default();
        supervisor::ready(&status);
    }
}

/// Where a browser finds the server. Nobody can open "all addresses".
fn places(address: SocketAddr) -> String {
    let port = address.port();
    if address.ip().is_unspecified() {
        format!(
            "https://localhost:{port}/ on this machine, or https://{}:{port}/ from another,",
            leasehold_host::host_name()
        )
    } else {
        format!("https://{address}/")
    }
}

/// Tells whoever started the server how to set it up. The secret is printed once and not logged.
fn announce(ready: &Ready, file: Option<&Path>) {
    let Some(secret) = &ready.setup_secret else {
        if let Some(path) = file {
            // Of no use any more; if it is not there, all the better.
            let _ = std::fs::remove_file(path);
        }
        return;
    };
    let written = match file {
        Some(path) => private_file::write_atomic(path, secret.as_bytes()).map_err(Failure::of).and_then(|()| {
            line_out(&format!(
                "No administrator yet. Open {} and set the password with the one-time secret in {}.\n\
                 The browser warns of the certificate; it must have this fingerprint (SHA-256):\n  {}",
                places(ready.address),
                path.display(),
                ready.fingerprint
            ))
        }),
        None => line_out(&format!(
            "No administrator yet. Open {} and set the password with this one-time secret:\n  {secret}\n\
             The browser warns of the certificate; it must have this fingerprint (SHA-256):\n  {}",
            places(ready.address),
            ready.fingerprint
        )),
    };
    if let Err(failure) = written {
        tracing::error!("the setup secret cannot be told: {}; mend that and start again", failure.sentence);
    }
}
