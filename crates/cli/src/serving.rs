//! What both services need around them: a runtime, an orderly end, and word to the supervisor.

use crate::failure::Failure;
use crate::signals::{self, Caught, ENDING};
use crate::supervisor;
use clap::Args;
use leasehold_host::private_file;
use signal_hook::consts::SIGHUP;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread;
use tokio::sync::{mpsc, watch};

/// What a parent process wants of a service that it starts.
#[derive(Args, Debug)]
pub(crate) struct Parent {
    /// Stop when standard input ends as well
    #[arg(long, hide = true)]
    pub(crate) until_stdin_ends: bool,
    /// Write the real address to this file once requests are taken
    #[arg(long, hide = true, value_name = "FILE")]
    address_file: Option<PathBuf>,
}

/// Becomes ready at the first signal that ends a program.
#[derive(Clone, Debug)]
pub(crate) struct Stop(watch::Receiver<bool>);

/// What is told when somebody wants the settings to be read again.
pub(crate) type Reloads = mpsc::UnboundedReceiver<()>;

impl Stop {
    /// Begins to watch for the signals, and for the end of standard input if that is how a parent says it is gone.
    pub(crate) fn watch(until_stdin_ends: bool) -> Result<Stop, Failure> {
        Stop::watch_and(until_stdin_ends, |_| false)
    }

    /// The same for a service that reads its settings again at SIGHUP. A terminal that is closed still ends it.
    pub(crate) fn watch_with_reload(until_stdin_ends: bool) -> Result<(Stop, Reloads), Failure> {
        let (sender, reloads) = mpsc::unbounded_channel();
        let stop = Stop::watch_and(until_stdin_ends, move |caught| {
            caught.signal == SIGHUP && !caught.from_terminal && sender.send(()).is_ok()
        })?;
        Ok((stop, reloads))
    }

    fn watch_and(
        until_stdin_ends: bool,
        means_else: impl Fn(Caught) -> bool + Send + 'static,
    ) -> Result<Stop, Failure> {
        let (sender, receiver) = watch::channel(false);
        let on_signal = sender.clone();
        signals::watch(&ENDING, move |caught| {
            if means_else(caught) {
                return;
            }
            tracing::info!(signal = caught.signal, "stopping");
            supervisor::stopping();
            let _ = on_signal.send(true);
        })?;
        if until_stdin_ends {
            when_stdin_ends(move || sender.send(true).unwrap_or(()))?;
        }
        Ok(Stop(receiver))
    }

    /// Waits for it.
    pub(crate) async fn wait(mut self) {
        // The sender lives as long as the process.
        let _ = self.0.wait_for(|stopped| *stopped).await;
    }
}

/// Calls `ended` once nobody can write to standard input any more: whoever started this process is gone.
pub(crate) fn when_stdin_ends(ended: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    let reading = thread::Builder::new().name("stdin".to_owned()).spawn(move || {
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        ended();
    });
    reading.map(drop).map_err(|error| Failure::of(format!("Cannot start a thread: {error}.")))
}

/// Runs a service until it ends.
pub(crate) fn block_on<T>(service: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| Failure::of(format!("Cannot start the service's threads: {error}.")))?.block_on(service)
}

/// Tells the supervisor, or the parent, that requests are taken.
pub(crate) fn ready(parent: &Parent, address: SocketAddr) {
    if let Some(path) = &parent.address_file
        && let Err(error) = private_file::write_atomic(path, address.to_string().as_bytes())
    {
        tracing::error!(%error, "the address cannot be told");
    }
    supervisor::ready(&format!("Takes requests on {address}"));
}
