//! Whether this server reaches the portal over the network, and how it stands with it.

use super::access::Caller;
use super::enable::{sign_in, sign_out};
use super::failure::Failure;
use super::pins;
use crate::server::Server;
use crate::store;
use crate::upstream::link::{LinkSettings, PortalLink, not_reached};
use leasehold_core::access::ServerAction;
use leasehold_core::engine::Input;
use leasehold_core::grant::Renew;
use leasehold_core::ids::LicenseId;
use leasehold_core::sync::Verdict;
use leasehold_web::text::{shorten, visible};
use leasehold_wire::server::{
    ConnectionProblem, ConnectionStep, ConnectionStepName, ConnectionStepState, ConnectionTest, OnlineState,
    OnlineStatus, PoolStatus, ReceiptState, ReceiptStatus, TestConnectionRequest,
};
use std::collections::BTreeMap;
use std::time::Duration;

/// Longest time that a test of the connection takes.
const TEST_WAIT: Duration = Duration::from_secs(15);
/// Longest time for the sign-in after it.
const SIGN_IN_WAIT: Duration = Duration::from_secs(10);
/// Longest time that *Refresh* waits for the portal.
const REFRESH_WAIT: Duration = Duration::from_secs(16);
/// Between two looks meanwhile.
const REFRESH_LOOK: Duration = Duration::from_millis(30);
/// Longest sentence of the portal, or of what answers in its place, that is shown, in characters.
const SENTENCE_CHARS_MAX: usize = 500;
/// Longest code, in characters.
const CODE_CHARS_MAX: usize = 60;

impl Server {
    /// Tries the way to the portal, step by step, with the settings of this server; the wish may name another portal
    /// than they do, and an account that is signed in there and out again. Changes nothing.
    ///
    /// # Errors
    /// [`Failure::SignIn`]; [`Failure::BadField`]. A step that fails is no error.
    pub async fn test_connection(
        &self,
        caller: &Caller,
        wish: TestConnectionRequest,
    ) -> Result<ConnectionTest, Failure> {
        self.authorize(caller, ServerAction::Administer)?;
        let TestConnectionRequest { portal_url, account, password } = wish;
        let account = match (account, password) {
            (Some(email), Some(password)) => Some((email, password)),
            (None, None) => None,
            _ => return Err(Failure::BadField("`account` and `password` must be given together".to_owned())),
        };
        let settings = self.link_to(portal_url).await?;
        let tested = tokio::task::spawn_blocking(move || test(&settings, account)).await;
        tested.map_err(|error| Failure::Internal(error.to_string()))
    }

    /// The portal's address that the settings name, which nobody changes on a page; else the one that was used last.
    ///
    /// # Errors
    /// [`Failure::SignIn`], or the database's.
    pub(crate) async fn known_portal(&self, caller: &Caller) -> Result<KnownPortal, Failure> {
        self.authorize(caller, ServerAction::Inspect)?;
        Ok(match self.portal_url() {
            Some(url) => KnownPortal::Fixed(url),
            None => KnownPortal::Used(self.0.db.read_async(store::portal_url).await?),
        })
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

    /// Syncs now, and waits until that is done or has failed, for at most `REFRESH_WAIT`.
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
            let now = self.0.engine.look(look).await?.ok_or(Failure::NotOnline)?;
            return match now.verdict {
                _ if now.forked.is_some() => Err(Failure::Copy),
                Verdict::ByFile | Verdict::Ended | Verdict::Lost => Err(Failure::NotOnline),
                Verdict::Ok | Verdict::Forked => Ok(()),
            };
        }
        match self.0.trouble.get() {
            Some((_, problem)) => Err(Failure::Portal(Box::new(fit_to_read(problem)))),
            None => Ok(()),
        }
    }

    /// How this server stands with its portal; `None` if it is not online.
    pub(super) async fn online_status(&self, caller: &Caller) -> Result<Option<OnlineStatus>, Failure> {
        let look = |engine: &leasehold_core::engine::Engine, now: leasehold_core::time::Ms| {
            let document = engine.document()?;
            let online = engine.online(now)?;
            let lines = document.grant.lines.iter().filter(|line| line.terms.renew == Renew::Sync);
            let mut here: BTreeMap<LicenseId, u32> = BTreeMap::new();
            for line in lines.clone() {
                let seats = here.entry(line.license).or_default();
                *seats = seats.saturating_add(line.seats);
            }
            let kept = pins::kept(&online, document, now);
            let ends_at = lines.filter(|line| !line.terms.pinned).map(|line| line.until).min();
            Some((online, here, kept, ends_at))
        };
        let Some((online, here, kept, ends_at)) = self.0.engine.look(look).await? else { return Ok(None) };
        let link = self.link_to(None).await?;
        let trouble = self.0.trouble.get();
        let shares = online.pools.into_iter().filter(|share| !share.is_for_others());
        let pools = shares.map(|share| PoolStatus {
            license: share.license,
            product: share.product,
            product_name: share.product_name,
            channel: share.channel,
            features: share.features,
            assigned: share.assigned,
            seats: share.seats,
            here: here.get(&share.license).copied().unwrap_or(0),
            elsewhere: share.elsewhere,
            bound: share.bound,
            free: share.free,
            pending: share.pending,
        });
        Ok(Some(OnlineStatus {
            portal_url: link.portal_url.unwrap_or_default(),
            synced_at: online.answered_at.map(Into::into),
            ends_at: ends_at.map(Into::into),
            state: match (online.forked.is_some(), online.verdict) {
                (true, _) => OnlineState::Copy,
                (_, Verdict::Ended | Verdict::Lost) => OnlineState::Revoked,
                (_, Verdict::ByFile) => OnlineState::ByFile,
                _ if online.starting => OnlineState::Starting,
                _ if trouble.is_some() && online.failures > 0 => OnlineState::Unreachable,
                _ => OnlineState::Ok,
            },
            lost: online.verdict == Verdict::Lost,
            // Where the other copy runs, and why the portal is not reached, may tell more than everybody should know.
            copy_on: online.forked.filter(|_| caller.is_signed_in()),
            trouble_since: trouble.as_ref().filter(|_| online.failures > 0).map(|(since, _)| {
                // It may have been off in between: the last answer is what is known.
                online.answered_at.unwrap_or(*since).into()
            }),
            trouble: trouble
                .filter(|_| online.failures > 0 && caller.is_signed_in())
                .map(|(_, problem)| fit_to_read(problem)),
            pools: pools.collect(),
            kept,
        }))
    }

    /// What became of the receipt of a server that was disabled.
    pub(super) async fn receipt_status(&self, caller: &Caller) -> Result<Option<ReceiptStatus>, Failure> {
        let state = match self.0.db.read_async(store::newest_receipt_way).await? {
            None => return Ok(None),
            Some(1) => ReceiptState::Waiting,
            Some(2) => ReceiptState::Brought,
            Some(_) => ReceiptState::ByHand,
        };
        let trouble = self.0.trouble.get().filter(|_| state == ReceiptState::Waiting && caller.is_signed_in());
        Ok(Some(ReceiptStatus { state, trouble: trouble.map(|(_, problem)| fit_to_read(problem)) }))
    }
}

/// Where the portal is, as far as is known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum KnownPortal {
    /// The settings say.
    Fixed(String),
    /// It was given before, if ever.
    Used(Option<String>),
}

/// A problem whose words may be the portal's, or those of whatever answers in its place: bounded, and with nothing in it
/// that hides or reorders.
pub(super) fn fit_to_read(problem: ConnectionProblem) -> ConnectionProblem {
    let fit = |text: &str, chars| visible(&shorten(text, chars)).into_owned();
    ConnectionProblem {
        code: fit(&problem.code, CODE_CHARS_MAX),
        what: fit(&problem.what, SENTENCE_CHARS_MAX),
        what_to_do: fit(&problem.what_to_do, SENTENCE_CHARS_MAX),
        who: fit(&problem.who, SENTENCE_CHARS_MAX),
        refused: problem.refused,
    }
}

fn test(settings: &LinkSettings, account: Option<(String, String)>) -> ConnectionTest {
    let link = PortalLink::new(settings);
    let mut steps = link.as_ref().map_or_else(not_reached, |link| link.test(TEST_WAIT));
    let reached = steps.iter().all(has_not_failed);
    steps.push(match (&link, account) {
        (Ok(link), Some((email, password))) if reached => try_account(link, &email, &password),
        (_, Some(_)) => skipped(""),
        (_, None) => skipped("no account and password were given"),
    });
    let portal_url = link.as_ref().map(PortalLink::address).unwrap_or_default().to_owned();
    ConnectionTest { ok: steps.iter().all(has_not_failed), portal_url, steps }
}

/// Signs in at the portal and out again.
fn try_account(link: &PortalLink, email: &str, password: &str) -> ConnectionStep {
    match sign_in(link, email, password, SIGN_IN_WAIT) {
        Ok(signed_in) => {
            sign_out(link, &signed_in.token, SIGN_IN_WAIT);
            let detail = visible(&shorten(&signed_in.account.name, CODE_CHARS_MAX)).into_owned();
            ConnectionStep { detail, ..sign_in_step(ConnectionStepState::Ok) }
        }
        Err(problem) => ConnectionStep { problem: Some(*problem), ..sign_in_step(ConnectionStepState::Failed) },
    }
}

fn skipped(why: &str) -> ConnectionStep {
    ConnectionStep { detail: why.to_owned(), ..sign_in_step(ConnectionStepState::Skipped) }
}

fn sign_in_step(state: ConnectionStepState) -> ConnectionStep {
    ConnectionStep { step: ConnectionStepName::SignIn, state, detail: String::new(), problem: None }
}

fn has_not_failed(step: &ConnectionStep) -> bool {
    step.state != ConnectionStepState::Failed
}
