//! What the portal does by itself while it runs.

use crate::Portal;
use crate::bells;
use crate::service::{health, invitations, outbox};
use leasehold_web::shutdown::Shutdown;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

const MINUTE: Duration = Duration::from_secs(60);
const SWEEP_MINUTES: u64 = 60;

/// Between two looks for bells that another portal process rang.
const LISTEN: Duration = Duration::from_millis(500);

/// Between two looks for letters to be sent.
const LETTERS: Duration = Duration::from_secs(2);

/// Sends letters, compares the clocks every minute, sweeps every hour, and listens for other processes, until `shutdown`.
pub(crate) async fn run(portal: Portal, shutdown: Shutdown) {
    let letters = send_letters(portal.clone(), shutdown.clone());
    tokio::join!(listen(portal.clone(), shutdown.clone()), letters, keep_house(portal, shutdown));
}

async fn send_letters(portal: Portal, mut shutdown: Shutdown) {
    let mut looks = interval(LETTERS);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.requested() => return,
            _ = looks.tick() => {}
        }
        while !shutdown.is_requested() {
            match portal.run(outbox::send_due).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    tracing::warn!(%error, "letters cannot be sent");
                    break;
                }
            }
        }
    }
}

async fn listen(portal: Portal, mut shutdown: Shutdown) {
    let mut looks = interval(LISTEN);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.requested() => return,
            _ = looks.tick() => {}
        }
        if let Err(error) = portal.run(bells::listen).await {
            tracing::warn!(%error, "license servers cannot be told of changes at once");
        }
    }
}

async fn keep_house(portal: Portal, mut shutdown: Shutdown) {
    let mut minutes = interval(MINUTE);
    minutes.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for minute in 0_u64.. {
        tokio::select! {
            () = shutdown.requested() => return,
            _ = minutes.tick() => {}
        }
        if let Err(error) = portal.run(health::compare_clocks).await {
            tracing::warn!(%error, "the clocks could not be compared");
        }
        if let Err(error) = portal.run(invitations::free_overdue).await {
            tracing::warn!(%error, "seats of people who have not come could not be taken back");
        }
        if minute % SWEEP_MINUTES == 0
            && let Err(error) = portal.run(health::sweep).await
        {
            tracing::warn!(%error, "ended sign-ins could not be removed");
        }
    }
}
