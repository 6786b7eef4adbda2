//! What a lease is made of: what was asked, by whom, and which seats it stands on.

use crate::ids::{LeaseId, LineId};
use crate::license::FeatureCode;
use crate::text::{self, TextError};
use crate::time::Ms;
use crate::times::LeaseTimes;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// Most seats that one checkout may ask for.
pub const SEATS_PER_LEASE_MAX: u32 = 10_000;
/// Most labels on a lease.
pub const LABELS_MAX: usize = 8;
/// Most leases on one shared seat (`PROTOCOL.md` section 6).
pub const LEASES_PER_SHARED_SEAT_MAX: u32 = 8;

/// What a checkout asks for, without its nonce: equal asks under one idempotency key are one checkout.
/// User, host and the ids are claims of the client, kept for people to read and for sharing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// The feature.
    pub feature: FeatureCode,
    /// How many seats, 1 to [`SEATS_PER_LEASE_MAX`].
    pub seats: u32,
    /// The application's version, shown to people.
    pub version: Arc<str>,
    /// The date compiled into the application; compared with the maintenance of a perpetual license.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released_on: Option<Date>,
    /// Who works there.
    pub user: Arc<str>,
    /// The machine's name.
    pub host: Arc<str>,
    /// Hash of the machine's id with the vendor's name; may be empty.
    pub host_id: Arc<str>,
    /// Changes when the machine boots; may be empty.
    pub boot_id: Arc<str>,
    /// Process id; 0 if not told.
    pub pid: u32,
    /// Free words for reports, such as a project.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<Box<str>, Box<str>>,
}

/// Why an ask is refused as malformed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AskError {
    /// A text is out of bounds.
    #[error("`{0}` {1}")]
    Text(&'static str, TextError),
    /// Zero or absurdly many seats.
    #[error("`seats` must be 1 to {SEATS_PER_LEASE_MAX}")]
    Seats,
    /// Too many labels.
    #[error("`labels` may have at most {LABELS_MAX} entries")]
    Labels,
}

impl Ask {
    /// Checks every bound.
    pub fn check(&self) -> Result<(), AskError> {
        if self.seats == 0 || self.seats > SEATS_PER_LEASE_MAX {
            return Err(AskError::Seats);
        }
        if self.labels.len() > LABELS_MAX {
            return Err(AskError::Labels);
        }
        for (field, value) in [("version", &self.version), ("user", &self.user), ("host", &self.host)] {
            text::optional_name(value).map_err(|error| AskError::Text(field, error))?;
        }
        for (field, value) in [("host_id", &self.host_id), ("boot_id", &self.boot_id)] {
            text::token(value).map_err(|error| AskError::Text(field, error))?;
        }
        for (name, value) in &self.labels {
            text::name(name).and_then(|()| text::optional_name(value)).map_err(|e| AskError::Text("labels", e))?;
        }
        Ok(())
    }
}

/// Where a request came from, as the server saw it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Source {
    /// Address of the asking end.
    pub address: IpAddr,
    /// Both ends of the socket are loopback and nothing was forwarded.
    pub loopback: bool,
}

/// The lines a seat stands on: `[(line, seats)]`, never empty. It ends with the earliest.
pub type Placement = Arc<[(LineId, u32)]>;

/// Whether a lease has seats of its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Standing {
    /// Seats of its own.
    Own(Placement),
    /// One seat together with other leases of the same user on the same machine.
    Shared {
        /// The seat, named by the first lease that sat on it.
        seat: LeaseId,
        /// Where it stood when this lease joined; [`super::Pool::placement`] knows where it stands now.
        placement: Placement,
    },
}

/// One holder's right.
#[derive(Clone, Debug)]
pub struct Lease {
    /// Names it.
    pub id: LeaseId,
    /// The idempotency key of its checkout.
    pub key: Arc<str>,
    /// What was asked.
    pub ask: Ask,
    /// From where.
    pub source: Source,
    /// On which seats.
    pub standing: Standing,
    /// When it began.
    pub started_at: Ms,
    /// When the server last handled something from its holder.
    pub seen_at: Ms,
    /// When the server frees it if nothing more is heard.
    pub freed_at: Ms,
    /// The right given with the last answer.
    pub times: LeaseTimes,
    /// Number of the last heartbeat; 0 before the first, and after a restart.
    pub n: u64,
    /// Nonce of the last answered request; empty after a restart.
    pub nonce: Box<str>,
    /// Its right was taken away: it is not extended while its lines are over-full.
    pub withdrawn: bool,
    /// An administrator wants the seat back: it is never extended again.
    pub released: Option<Arc<Release>>,
    /// When its holder was answered first that it is released; the answer may be lost.
    pub told_at: Option<Ms>,
    /// It is a pass: no heartbeats, a fixed end.
    pub pass: Option<Arc<Pass>>,
}

/// What makes a lease a pass: its seats are held by a machine that may be out of reach, until a fixed instant.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pass {
    /// RFC 7638 thumbprint of the pass's key, which never leaves the machine.
    pub key: Box<str>,
    /// The public half of that key, as JWK.
    pub jwk: Box<str>,
    /// Hash of the machine's id with the vendor's name.
    pub machine: Box<str>,
    /// When its current term began.
    pub begins_at: Ms,
    /// No process serves past this. Whole seconds.
    pub until: Ms,
    /// The longest term that its lines allowed, in days.
    pub days_max: u32,
    /// If it is returned early, its seats come free at its end only.
    pub return_at_end: bool,
    /// It was returned, and its seats come free at its end.
    pub returned_at: Option<Ms>,
    /// An administrator declared it lost: it is not extended any more.
    pub lost_at: Option<Ms>,
    /// Nobody knows whether it was lent: the server was restored from a backup that was made then, and holds what it may
    /// have lent since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown_since: Option<Ms>,
    /// The server was restored from a backup, and may have extended it since: to then at the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub perhaps_until: Option<Ms>,
    /// Its machine asked for it since that restore, so it had not returned it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Ms>,
}

/// An administrator's word that a seat is to come back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Release {
    /// Why, as the administrator said it; may be empty. Hostile text.
    pub reason: Box<str>,
    /// The same user at the same host gets no seat of the feature before.
    pub not_again_until: Ms,
    /// So long after the seat is free, in milliseconds: telling its holder, and saving, take a while.
    pub not_again_ms: i64,
}

impl Lease {
    /// Names the seat: the lease itself, or the first lease that sat on a shared one.
    pub fn seat(&self) -> LeaseId {
        match &self.standing {
            Standing::Own(_) => self.id,
            Standing::Shared { seat, .. } => *seat,
        }
    }

    /// The first lease that sat on the seat, if it is shared.
    pub fn shared_seat(&self) -> Option<LeaseId> {
        match &self.standing {
            Standing::Own(_) => None,
            Standing::Shared { seat, .. } => Some(*seat),
        }
    }
}

/// Which leases may share a seat: equal user, machine, boot **and** source address.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct ShareKey {
    // First what a question always says, so that those of one user stand together.
    pub(super) feature: FeatureCode,
    pub(super) user: Arc<str>,
    pub(super) host_id: Arc<str>,
    pub(super) boot_id: Arc<str>,
    address: IpAddr,
}

impl ShareKey {
    pub(super) fn of(ask: &Ask, source: Source) -> ShareKey {
        ShareKey {
            feature: ask.feature.clone(),
            user: ask.user.clone(),
            host_id: ask.host_id.clone(),
            boot_id: ask.boot_id.clone(),
            address: source.address,
        }
    }

    /// The first in order that a user may have.
    pub(super) fn first_of(ask: &Ask) -> ShareKey {
        ShareKey {
            feature: ask.feature.clone(),
            user: ask.user.clone(),
            host_id: "".into(),
            boot_id: "".into(),
            address: Ipv4Addr::UNSPECIFIED.into(),
        }
    }

    /// Only somebody who says all of it may share, and only one seat.
    pub(super) fn sharable(ask: &Ask) -> bool {
        ask.seats == 1 && !ask.user.is_empty() && !ask.host_id.is_empty() && !ask.boot_id.is_empty()
    }
}

/// A seat with several leases; free when the last ends.
#[derive(Clone, Debug)]
pub(super) struct SharedSeat {
    pub(super) placement: Placement,
    pub(super) leases: u32,
    /// The host name of who sat on it first, and where that came from.
    pub(super) opened_by: (Arc<str>, Source),
}
