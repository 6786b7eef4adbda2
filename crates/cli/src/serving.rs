//! What both services need around them: a runtime, an orderly end, and word to the supervisor.

use crate::failure::Failure;
use crate::signals::{self, ENDING};
use std::future::Future;
use std::net::SocketAddr;
use tokio::sync::watch;

/// Becomes ready at the first signal that ends a program.
#[derive(Clone, Debug)]
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Begins to watch for the signals.
    pub(crate) fn on_signals() -> Result<Stop, Failure> {
        let (sender, receiver) = watch::channel(false);
        signals::watch(&ENDING, move |caught| {
            tracing::info!(signal = caught.signal, "stopping");
            let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
            let _ = sender.send(true);
        })?;
        Ok(Stop(receiver))
    }

    /// Waits for it.
    pub(crate) async fn wait(mut self) {
        // The sender lives as long as the process.
        let _ = self.0.wait_for(|stopped| *stopped).await;
    }
}

/// Runs a service until it ends.
pub(crate) fn block_on<T>(service: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| Failure::of(format!("Cannot start the service's threads: {error}.")))?.block_on(service)
}

/// Tells the supervisor and the log that requests are taken.
pub(crate) fn ready(what: &str, address: SocketAddr) {
    tracing::info!(%address, "the {what} is ready");
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
}
