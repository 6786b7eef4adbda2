//! How a running service is told to stop: one trigger, any number of listeners. Owns no signal handling; the program
//! that has the signals holds the trigger.

use tokio::sync::watch;

/// Tells every [`Shutdown`] of its pair to stop, once. Dropping it does the same, so a panicking owner stops its service.
#[derive(Debug)]
pub struct ShutdownTrigger(watch::Sender<bool>);

/// Waits for the stop. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<bool>);

/// A new trigger and its listener.
pub fn shutdown_pair() -> (ShutdownTrigger, Shutdown) {
    let (sender, receiver) = watch::channel(false);
    (ShutdownTrigger(sender), Shutdown(receiver))
}

impl ShutdownTrigger {
    /// Asks for the stop; again is harmless.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Shutdown {
    /// Returns once the stop is asked for; at once if it already was.
    pub async fn requested(&mut self) {
        // An error means that the trigger is gone, which asks for the stop too.
        let _ = self.0.wait_for(|stop| *stop).await;
    }

    /// Whether the stop is asked for.
    pub fn is_requested(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }
}
