//! Taking seats back: an administrator wants them for somebody else.

use super::access::Caller;
use super::failure::Failure;
use crate::server::Server;
use leasehold_core::access::ServerAction;
use leasehold_core::engine::{Bar, Engine, Input, Output, Whom};
use leasehold_core::text;
use leasehold_core::time::SECOND_MS;
use leasehold_wire::server::{BarView, BarsResponse, LiftRequest, LiftResponse, ReleaseRequest, ReleaseResponse};

/// So long whoever lost a seat gets none again if nobody says otherwise, in seconds.
pub(crate) const NOT_AGAIN_S: u32 = 600;
/// The longest that can be said, in seconds.
const NOT_AGAIN_S_MAX: u32 = 86_400;

/// Most that are listed.
const BARS_LISTED: usize = 200;

impl Server {
    /// Who gets no seat for a while because theirs was taken back.
    ///
    /// # Errors
    /// [`Failure::SignIn`], or the engine's.
    pub async fn bars(&self, caller: &Caller) -> Result<BarsResponse, Failure> {
        self.authorize(caller, ServerAction::ReadHolders)?;
        let bars = self.0.engine.look(|engine: &Engine, now| engine.bars(now, BARS_LISTED)).await?;
        let view = |bar: Bar| BarView {
            feature: bar.feature,
            user: bar.user.to_string(),
            host: bar.host.to_string(),
            reason: bar.release.reason.to_string(),
            until: bar.release.not_again_until.into(),
        };
        Ok(BarsResponse { bars: bars.into_iter().map(view).collect() })
    }

    /// Lets a user, or whoever is at a host, have seats again.
    ///
    /// # Errors
    /// [`Failure::SignIn`], [`Failure::BadField`], [`Failure::NobodyBarred`] if nobody is meant, or the engine's.
    pub async fn lift(&self, caller: &Caller, wish: LiftRequest) -> Result<LiftResponse, Failure> {
        self.authorize(caller, ServerAction::Administer)?;
        let whom = match (wish.host, wish.user) {
            (Some(host), None) => Whom::Host(host.into()),
            (None, Some(user)) => Whom::User(user.into()),
            _ => return Err(Failure::BadField("`host` or `user`: give exactly one of them".to_owned())),
        };
        match self.0.engine.step(Input::Lift { whom, act: caller.act() }).await? {
            Output::Lifted { bars } => Ok(LiftResponse { lifted: u64::try_from(bars).unwrap_or(u64::MAX) }),
            Output::Unknown => Err(Failure::NobodyBarred),
            other => Err(Failure::Internal(format!("the engine answered {other:?}"))),
        }
    }

    /// Takes back one seat, or all of a host or of a user. Their holders are told, and stop.
    ///
    /// # Errors
    /// [`Failure::SignIn`], [`Failure::BadField`], [`Failure::NobodyHolds`] if there is no such seat, or the engine's.
    pub async fn release(&self, caller: &Caller, wish: ReleaseRequest) -> Result<ReleaseResponse, Failure> {
        self.authorize(caller, ServerAction::Administer)?;
        let named = |field: &str, name: String| {
            text::name(&name).map_err(|error| Failure::BadField(format!("`{field}` {error}")))?;
            Ok::<Box<str>, Failure>(name.into())
        };
        let whom = match (wish.lease, wish.host, wish.user) {
            (Some(lease), None, None) => Whom::Seat(lease),
            (None, Some(host), None) => Whom::Host(named("host", host)?.into()),
            (None, None, Some(user)) => Whom::User(named("user", user)?.into()),
            _ => return Err(Failure::BadField("`lease`, `host` or `user`: give exactly one of them".to_owned())),
        };
        let reason = wish.reason.trim();
        text::optional_name(reason).map_err(|error| Failure::BadField(format!("`reason` {error}")))?;
        let not_again_s = wish.not_again_s.unwrap_or(NOT_AGAIN_S);
        if not_again_s > NOT_AGAIN_S_MAX {
            return Err(Failure::BadField(format!("`not_again_s` must be 0 to {NOT_AGAIN_S_MAX}")));
        }
        let not_again_ms = i64::from(not_again_s) * SECOND_MS;
        let input = Input::Release { whom, reason: reason.into(), not_again_ms, act: caller.act() };
        match self.0.engine.step(input).await? {
            Output::Releasing { leases, free_by } => {
                Ok(ReleaseResponse { leases: u64::try_from(leases).unwrap_or(u64::MAX), free_by: free_by.into() })
            }
            Output::Unknown => Err(Failure::NobodyHolds),
            other => Err(Failure::Internal(format!("the engine answered {other:?}"))),
        }
    }
}
