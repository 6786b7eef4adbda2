//! What the portal does by itself while it runs.

use crate::Portal;
use crate::service::health;
use leasehold_web::shutdown::Shutdown;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

const MINUTE: Duration = Duration::from_secs(60);
const SWEEP_MINUTES: u64 = 60;

/// Compares the clocks every minute and sweeps every hour, until `shutdown`.
pub(crate) async fn run(portal: Portal, mut shutdown: Shutdown) {
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
        if minute % SWEEP_MINUTES == 0
            && let Err(error) = portal.run(health::sweep).await
        {
            tracing::warn!(%error, "ended sign-ins could not be removed");
        }
    }
}
