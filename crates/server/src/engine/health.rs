//! Whether the engine can store changes, for health, status and the process that must end when it cannot.

use tokio::sync::watch;

/// What the engine can do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Health {
    /// Everything.
    Ok,
    /// The disk is full: running leases are kept, nothing new is stored. The text says what to do.
    Stalled(String),
    /// Nothing any more: the process must exit and be started again. The text says why.
    Failed(String),
}

/// Where the engine reports.
#[derive(Clone, Debug)]
pub(super) struct Reporter(watch::Sender<Health>);

impl Reporter {
    pub(super) fn new() -> (Reporter, watch::Receiver<Health>) {
        let (sender, receiver) = watch::channel(Health::Ok);
        (Reporter(sender), receiver)
    }

    /// A change is logged once; a failure is final.
    pub(super) fn report(&self, health: Health) {
        self.0.send_if_modified(|now| {
            if *now == health || matches!(now, Health::Failed(_)) {
                return false;
            }
            match &health {
                Health::Ok => tracing::info!("changes are stored again"),
                Health::Stalled(why) => tracing::error!(why, "running seats are kept, and no new ones are given"),
                Health::Failed(why) => tracing::error!(why, "the engine stops"),
            }
            *now = health;
            true
        });
    }
}
