//! Whether this server reaches the portal over the network, and how it stands with it.

use super::access::Caller;
use super::failure::Failure;
use crate::server::Server;
use crate::store;
use crate::upstream::link::{LinkSettings, PortalLink, not_reached};
use leasehold_core::access::ServerAction;
use leasehold_core::engine::Input;
use leasehold_core::grant::Renew;
use leasehold_core::ids::LicenseId;
use leasehold_core::sync::Verdict;
use leasehold_wire::server::{
    ConnectionStep, ConnectionStepState, ConnectionTest, OnlineState, OnlineStatus, PoolStatus,
};
use std::collections::BTreeMap;
use std::time::Duration;

/// Longest time that a test of the connection takes.
const TEST_WAIT: Duration = Duration::from_secs(15);
/// Longest time that *Refresh* waits for the portal.
const REFRESH_WAIT: Duration = Duration::from_secs(16);
/// Between two looks meanwhile.
const REFRESH_LOOK: Duration = Duration::from_millis(30);

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
        let settings = self.link_to(portal_url).await?;
        let tested = tokio::task::spawn_blocking(move || test(&settings)).await;
        tested.map_err(|error| Failure::Internal(error.to_string()))
    }

    /// The way to the portal: the one that is asked for, else the settings', else the one that was used before.
    pub(super) async fn link_to(&self, portal_url: Option<String>) -> Result<LinkSettings, Failure> {
        let mut settings = self.link_settings();
        settings.portal_url = match portal_url.or(settings.portal_url) {
            Some(url) => Some(url),
            None => self.0.db.read_async(store::portal_url).await?,
        };
        Ok(settings)
    }

    /// Syncs now, and waits until that is done or has failed, for at most [`REFRESH_WAIT`].
    ///
    /// # Errors
    /// [`Failure::SignIn`], [`Failure::NotOnline`], [`Failure::Portal`] with why the portal was not reached.
    pub async fn refresh(&self, caller: &Caller) -> Result<(), Failure> {
        self.authorize(caller, ServerAction::Administer)?;
        let look = |engine: &leasehold_core::engine::Engine, now| engine.online(now);
        let before = self.0.engine.look(look).await?.ok_or(Failure::NotOnline)?;
        self.0.engine.step(Input::Refresh).await?;
        let settled = async {
            loop {
                tokio::time::sleep(REFRESH_LOOK).await;
                let now = self.0.engine.look(look).await?.ok_or(Failure::NotOnline)?;
                let answered = (now.syncs, now.answered_at) != (before.syncs, before.answered_at);
                if answered || now.failures > before.failures {
                    return Ok::<_, Failure>(answered);
                }
            }
        };
        if let Ok(settled) = tokio::time::timeout(REFRESH_WAIT, settled).await
            && settled?
        {
            return Ok(());
        }
        match self.0.trouble.get() {
            Some((_, problem)) => Err(Failure::Portal(Box::new(problem))),
            None => Ok(()),
        }
    }

    /// How this server stands with its portal; `None` if it is not online.
    pub(super) async fn online_status(&self, caller: &Caller) -> Result<Option<OnlineStatus>, Failure> {
        let look = |engine: &leasehold_core::engine::Engine, now: leasehold_core::time::Ms| {
            let document = engine.document()?;
            let online = engine.online(now)?;
            let lines = document.grant.lines.iter().filter(|line| line.terms.renew == Renew::Sync);
            let here: BTreeMap<LicenseId, u32> = lines.clone().map(|line| (line.license, line.seats)).collect();
            Some((online, here, lines.map(|line| line.until).min()))
        };
        let Some((online, here, ends_at)) = self.0.engine.look(look).await? else { return Ok(None) };
        let link = self.link_to(None).await?;
        let trouble = self.0.trouble.get();
        let pools = online.pools.into_iter().map(|share| PoolStatus {
            license: share.license,
            product: share.product,
            product_name: share.product_name,
            channel: share.channel,
            assigned: share.assigned,
            seats: share.seats,
            here: here.get(&share.license).copied().unwrap_or(0),
            elsewhere: share.elsewhere,
            free: share.free,
        });
        Ok(Some(OnlineStatus {
            portal_url: link.portal_url.unwrap_or_default(),
            synced_at: online.answered_at.map(Into::into),
            ends_at: ends_at.map(Into::into),
            state: match (online.forked.is_some(), online.verdict) {
                (true, _) => OnlineState::Copy,
                (_, Verdict::Ended) => OnlineState::Revoked,
                (_, Verdict::ByFile) => OnlineState::ByFile,
                _ if trouble.is_some() && online.failures > 0 => OnlineState::Unreachable,
                _ => OnlineState::Ok,
            },
            // Where the other copy runs, and why the portal is not reached, may tell more than everybody should know.
            copy_on: online.forked.filter(|_| caller.is_administrator()),
            trouble_since: trouble.as_ref().filter(|_| online.failures > 0).map(|(since, _)| (*since).into()),
            trouble: trouble.map(|(_, problem)| problem).filter(|_| online.failures > 0 && caller.is_administrator()),
            pools: pools.collect(),
        }))
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
