//! Whether this server reaches the portal over the network.

use super::access::Caller;
use super::failure::Failure;
use crate::server::Server;
use crate::upstream::link::{LinkSettings, PortalLink, not_reached};
use leasehold_core::access::ServerAction;
use leasehold_wire::server::{ConnectionStep, ConnectionStepState, ConnectionTest};
use std::time::Duration;

/// Longest time that a test of the connection takes.
const TEST_WAIT: Duration = Duration::from_secs(15);

impl Server {
    /// Tries the way to the portal, step by step, with the settings of this server; `portal_url` may name another portal
    /// than they do. Changes nothing.
    ///
    /// # Errors
    /// [`Failure::SignIn`]. A step that fails is no error.
    pub async fn test_connection(
        &self,
        caller: &Caller,
        portal_url: Option<String>,
    ) -> Result<ConnectionTest, Failure> {
        self.authorize(caller, ServerAction::Administer)?;
        let mut settings = self.link_settings();
        settings.portal_url = portal_url.or(settings.portal_url);
        let tested = tokio::task::spawn_blocking(move || test(&settings)).await;
        tested.map_err(|error| Failure::Internal(error.to_string()))
    }

    /// How this server reaches the portal.
    fn link_settings(&self) -> LinkSettings {
        let config = &self.0.config;
        LinkSettings {
            portal_url: config.portal_url.clone(),
            proxy: config.proxy.clone(),
            authorities: config.portal_ca.clone(),
            clock: self.0.clock.machine(),
        }
    }
}

fn test(settings: &LinkSettings) -> ConnectionTest {
    let link = PortalLink::new(settings);
    let steps = link.as_ref().map_or_else(not_reached, |link| link.test(TEST_WAIT));
    let portal_url = link.as_ref().map(PortalLink::address).unwrap_or_default().to_owned();
    ConnectionTest { ok: steps.iter().all(has_not_failed), portal_url, steps }
}

fn has_not_failed(step: &ConnectionStep) -> bool {
    step.state != ConnectionStepState::Failed
}
