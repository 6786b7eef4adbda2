//! *Use licenses offline*: seats that this server keeps also if the portal cannot be reached. The portal keeps the list;
//! this server asks it, signed with its key, and syncs at once. If the portal is not reached nothing is changed.

use super::access::Caller;
use super::failure::Failure;
use crate::server::Server;
use crate::store;
use leasehold_core::access::ServerAction;
use leasehold_core::engine::{Document, OnlineView};
use leasehold_core::ids::LicenseId;
use leasehold_core::time::Ms;
use leasehold_wire::portal::{KeepSeats, KeptSeats, Pins, SeatsKept};
use leasehold_wire::server::{ConnectionProblem, OfflineUse};

const PINS: &str = "/api/v1/sync/pins";
/// Of a portal that was asked and did not answer.
pub(crate) const SLOW: &str = "PORTAL_SLOW";

/// What is kept as this server knows it: what the portal said last, and what its document gives.
pub(super) fn kept(online: &OnlineView, document: &Document, now: Ms) -> Vec<KeptSeats> {
    let lines = || document.grant.lines.iter();
    let mut kept: Vec<KeptSeats> = online
        .pins
        .iter()
        // What is over is over, whenever the portal says so.
        .filter(|state| now < state.pin.until)
        .map(|state| {
            let (license, pin) = (state.license, state.pin);
            let given = lines().filter(|line| line.license == license && line.terms.pinned);
            let (product, product_name) = named(license, online, document);
            KeptSeats {
                license,
                product,
                product_name,
                seats: pin.seats,
                given: given.map(|line| line.seats).fold(0, u32::saturating_add),
                days: pin.days,
                auto_renew: pin.auto_renew,
                until: pin.until.into(),
                ends_soon: pin.ends_soon(now),
            }
        })
        .collect();
    kept.sort_by(|a, b| (&a.product_name, a.license).cmp(&(&b.product_name, b.license)));
    kept
}

fn named(license: LicenseId, online: &OnlineView, document: &Document) -> (String, String) {
    let line = document.grant.lines.iter().find(|line| line.license == license);
    let pool = online.pools.iter().find(|pool| pool.license == license);
    let of_line = line.map(|line| (line.product.clone(), line.product_name.clone()));
    let of_pool = pool.map(|pool| (pool.product.clone(), pool.product_name.clone()));
    of_line.or(of_pool).unwrap_or_else(|| (String::new(), license.to_string()))
}

/// A portal that takes long may have done it and answered too late.
fn unsure(failure: Failure) -> Failure {
    match failure {
        Failure::Portal(problem) if problem.code == SLOW => Failure::Portal(Box::new(ConnectionProblem {
            what: "The portal did not answer in time. It may have done what was asked, or not.".to_owned(),
            what_to_do: "Look here again when the portal is reached: the list says what is kept.".to_owned(),
            ..*problem
        })),
        failure => failure,
    }
}

impl Server {
    /// What is kept here for use without the portal, and what could be. If the portal is not reached: what it said last,
    /// and why it is not.
    ///
    /// # Errors
    /// [`Failure::SignIn`], [`Failure::NotOnline`].
    pub async fn pins(&self, caller: &Caller) -> Result<OfflineUse, Failure> {
        self.authorize(caller, ServerAction::Inspect)?;
        let way = self.way_to_portal().await?;
        match self.ask_portal::<Pins>(PINS, way, Vec::new()).await {
            Ok(pins) => Ok(OfflineUse { pins, portal: None }),
            Err(Failure::Portal(problem)) => {
                let known = self.0.engine.look(|engine, now| {
                    let (online, document) = (engine.online(now)?, engine.document()?);
                    Some((kept(&online, document, now), online.pins_rev))
                });
                let (kept, pins_rev) = known.await?.ok_or(Failure::NotOnline)?;
                let pins = Pins { pins_rev, kept, offers: Vec::new() };
                Ok(OfflineUse { pins, portal: Some(*problem) })
            }
            Err(failure) => Err(failure),
        }
    }

    /// Keeps seats here for use without the portal, or releases them; a preview only says what would come of it. The seats
    /// are here when this answers, as far as there were any.
    ///
    /// # Errors
    /// [`Failure::SignIn`], [`Failure::NotOnline`], [`Failure::Copy`], [`Failure::StillDraining`]; [`Failure::Portal`] with
    /// what the portal refused, or why it was not reached: then nothing was changed.
    pub async fn keep_seats(&self, caller: &Caller, wish: KeepSeats) -> Result<SeatsKept, Failure> {
        self.authorize(caller, ServerAction::Administer)?;
        let (forked, draining) = self.0.engine.look(|engine, _| (engine.is_forked(), engine.draining())).await?;
        if forked || draining {
            return Err(if forked { Failure::Copy } else { Failure::StillDraining });
        }
        let pins_rev = match wish.pins_rev {
            Some(rev) => rev,
            None => self.ask_portal::<Pins>(PINS, self.way_to_portal().await?, Vec::new()).await?.pins_rev,
        };
        let wish = KeepSeats { pins_rev: Some(pins_rev), ..wish };
        let body = serde_json::to_vec(&wish).map_err(|error| Failure::Internal(error.to_string()))?;
        let told = self.ask_portal(PINS, self.way_to_portal().await?, body).await;
        let told: SeatsKept = told.map_err(|failure| if wish.preview { failure } else { unsure(failure) })?;
        if !wish.preview {
            let seats = |change: &leasehold_wire::portal::KeptChange| {
                let until = change.until.map(|until| format!(" until {}", until.0.rfc3339())).unwrap_or_default();
                format!("{} of {}{until}", change.seats, change.product_name)
            };
            let detail = told.changes.iter().map(seats).collect::<Vec<_>>().join(", ");
            let audit = self.audit(caller, "seats_kept", detail);
            self.0.db.write_async(move |tx| store::add_audit(tx, &audit)).await?;
            // If the portal is gone just now the seats come with the next sync: it has the list.
            let _ = self.refresh(caller).await;
        }
        Ok(told)
    }
}
