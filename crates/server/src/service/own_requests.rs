//! What this server asks the portal in its own name, signed with its key, at once and beside its syncs.

use super::enable::{Asked, read, told};
use super::failure::Failure;
use super::online::fit_to_read;
use crate::server::Server;
use crate::upstream::link::{LinkProblem, LinkSettings, PortalLink};
use leasehold_core::engine::Engine;
use leasehold_core::ids::WorkstationId;
use leasehold_core::time::Ms;
use leasehold_trust::SigningKey;
use leasehold_trust::sync::sign_request;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// Longest time for a request.
const WAIT: Duration = Duration::from_secs(15);

/// How the portal is asked in this server's name.
pub(super) struct Way {
    settings: LinkSettings,
    key: SigningKey,
    workstation: WorkstationId,
    wall: Ms,
}

impl Way {
    fn ask<T: DeserializeOwned>(&self, path: &str, body: &[u8]) -> Asked<T> {
        let link = PortalLink::new(&self.settings).map_err(told)?;
        let token = sign_request(&self.key, self.workstation, 0, body, self.wall);
        let send = || match body {
            [] => link.get(path, Some(&token), WAIT),
            body => link.post_json(path, Some(&token), body, WAIT),
        };
        let answer = match send() {
            // Nothing is asked this way that a second time would change again.
            Err(LinkProblem::Broken { .. }) => send(),
            answer => answer,
        };
        read(&link, answer.map_err(told)?)
    }
}

impl Server {
    /// How the portal is asked.
    ///
    /// # Errors
    /// [`Failure::NotOnline`], or what is wrong with the settings of the way there.
    pub(super) async fn way_to_portal(&self) -> Result<Way, Failure> {
        let online = self.0.engine.look(|engine: &Engine, now| engine.online(now).is_some()).await?;
        let identity = self.0.keys.identity().filter(|_| online).ok_or(Failure::NotOnline)?;
        let settings = self.link_to(None).await?;
        Ok(Way { settings, key: self.own_key().await?, workstation: identity.workstation, wall: self.0.clock.wall() })
    }

    /// Asks: with an empty body what is there, with another one for something. Asked a second time if the answer is lost.
    ///
    /// # Errors
    /// [`Failure::Portal`] with what the portal refused, or why it was not reached.
    pub(super) async fn ask_portal<T: DeserializeOwned + Send + 'static>(
        &self,
        path: &'static str,
        way: Way,
        body: Vec<u8>,
    ) -> Result<T, Failure> {
        let asked = tokio::task::spawn_blocking(move || way.ask(path, &body)).await;
        let answered = asked.map_err(|error| Failure::Internal(error.to_string()))?;
        answered.map_err(|problem| Failure::Portal(Box::new(fit_to_read(*problem))))
    }
}
