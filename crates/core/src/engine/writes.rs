//! Rows that the engine tells its shell to write, in the commit that comes before the answer.

use super::{Act, Document};
use crate::codes::DenialCode;
use crate::ids::{DenialId, LeaseId, LicenseId, PassId, RequestId};
use crate::license::{FeatureCode, words};
use crate::pool::{Capacity, Lease, Pass, Placement, Release};
use crate::time::Ms;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::sync::Arc;

words! {
    /// What a usage event tells.
    EventKind {
        /// Seats were taken.
        Checkout = "checkout",
        /// Seats were given back.
        Checkin = "checkin",
        /// The holder was not heard of in time.
        Expired = "expired",
        /// No seat was given.
        Denied = "denied",
        /// Two processes used one secret.
        Copied = "copied",
        /// A running lease unknown to a restored server was taken up again.
        Adopted = "adopted",
        /// An administrator wants the seat back.
        TakenBack = "taken_back",
        /// Seats were borrowed.
        Borrow = "borrow",
        /// A pass was extended.
        Extend = "extend",
        /// A pass was given back.
        Return = "return",
        /// A pass was declared lost, and its seats counted as free at once.
        WriteOff = "write_off",
    }
}

/// A pass that is over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PassOver {
    /// Which.
    pub id: PassId,
    /// Thumbprint of its key.
    pub key: Box<str>,
    /// When it ended, or would have.
    pub until: Ms,
    /// When it was over.
    pub at: Ms,
    /// Seats of licenses that were written off with it; empty if it was returned, or ended by itself.
    pub written_off: Vec<(LicenseId, u32)>,
    /// Who had it and may use it still, if it was written off.
    pub holder: Option<Box<PassHolder>>,
}

/// Who has a pass that was written off.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PassHolder {
    /// Of what.
    pub feature: FeatureCode,
    /// How many seats.
    pub seats: u32,
    /// Whose. Hostile text.
    pub user: Arc<str>,
    /// Where. Hostile text.
    pub host: Arc<str>,
    /// Address it was asked for from.
    pub address: IpAddr,
    /// When it was borrowed.
    pub started_at: Ms,
    /// When its last term began.
    pub begins_at: Ms,
    /// Its public key as a JWK: its receipt is verified with it. `None` for what an older release wrote off.
    #[serde(default)]
    pub jwk: Option<Box<str>>,
}

/// Somebody from whom a seat was taken back, and who gets none again for a while.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bar {
    /// Of what.
    pub feature: FeatureCode,
    /// Who, as its applications say. Hostile text.
    pub user: Arc<str>,
    /// Where, as its applications say. Hostile text.
    pub host: Arc<str>,
    /// Why, and until when.
    pub release: Arc<Release>,
}

words! {
    /// What became of a denial.
    DenialOutcome {
        /// Whoever was denied asked again lately, or may still.
        Open = "open",
        /// They got what they wanted.
        Served = "served",
        /// They did not ask again.
        GivenUp = "given_up",
    }
}

/// What somebody wanted and did not get, with all their tries for it: one row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DenialRow {
    /// Names it.
    pub id: DenialId,
    /// Of what.
    pub feature: FeatureCode,
    /// How many seats were asked for at first.
    pub seats: u32,
    /// Who. Hostile text.
    pub user: Arc<str>,
    /// Where. Hostile text.
    pub host: Arc<str>,
    /// From which address, at first.
    pub address: IpAddr,
    /// The application's version, at first. Hostile text.
    pub version: Arc<str>,
    /// Why, at the newest try.
    pub code: DenialCode,
    /// The seats at the first try.
    pub capacity: Capacity,
    /// When it was asked first.
    pub first_at: Ms,
    /// When it was asked last.
    pub last_at: Ms,
    /// How often.
    pub tries: u32,
    /// What became of it.
    pub outcome: DenialOutcome,
    /// When it was served; `None` if it was not.
    pub served_at: Option<Ms>,
}

/// A row of the usage log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// When, by the engine's clock.
    pub at: Ms,
    /// What.
    pub kind: EventKind,
    /// The seat that the lease shares with others, named by the first that sat on it; `None` if its seats are its own.
    pub seat: Option<LeaseId>,
    /// Which lease; `None` for a denial.
    pub lease: Option<LeaseId>,
    /// Its idempotency key.
    pub key: Arc<str>,
    /// Of what.
    pub feature: FeatureCode,
    /// How many seats.
    pub seats: u32,
    /// Whose. Hostile text.
    pub user: Arc<str>,
    /// Where. Hostile text.
    pub host: Arc<str>,
    /// Why, for denials.
    pub code: Option<DenialCode>,
    /// When the pass ends that the lease is; `None` if it is none.
    pub until: Option<Ms>,
}

/// What became of a lease, as a row of the usage log.
pub(super) fn event(at: Ms, kind: EventKind, lease: &Lease) -> Write {
    Write::Event(Box::new(Event {
        at,
        kind,
        seat: lease.shared_seat(),
        lease: Some(lease.id),
        key: lease.key.clone(),
        feature: lease.ask.feature.clone(),
        seats: lease.ask.seats,
        user: lease.ask.user.clone(),
        host: lease.ask.host.clone(),
        code: None,
        until: lease.pass.as_ref().map(|pass| pass.until),
    }))
}

/// A row of the audit log, written in the commit of the deed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Audit {
    /// When, by the engine's clock.
    pub at: Ms,
    /// Who.
    pub act: Act,
    /// What was done, as `noun_verb`.
    pub action: &'static str,
    /// What it did, in one line for people.
    pub detail: String,
}

/// A row to write. All writes of a step go in one commit, before its output is sent.
#[derive(Clone, Debug)]
pub enum Write {
    /// A new lease.
    Lease(Box<Lease>),
    /// A seat stands on other lines, with every lease on it.
    SeatMoved {
        /// [`crate::pool::Lease::seat`] of its leases.
        seat: LeaseId,
        /// Where now.
        placement: Placement,
    },
    /// A lease is over.
    LeaseEnded {
        /// Which.
        id: LeaseId,
    },
    /// A lease is never extended again: an administrator wants its seat back.
    LeaseReleased {
        /// Which.
        id: LeaseId,
        /// Why.
        release: Arc<Release>,
    },
    /// A pass as it is now.
    Pass {
        /// The lease that it is.
        id: LeaseId,
        /// Its terms.
        pass: Arc<Pass>,
    },
    /// A pass is over: its key gets none again.
    PassOver(Box<PassOver>),
    /// What a restored server may have lent is held.
    UnknownHeld,
    /// No pass is freed before this instant; `None`: each is freed in its time.
    PassesHeld {
        /// Which.
        until: Option<Ms>,
    },
    /// Who gets no seat of a feature for a while.
    Barred(Box<Bar>),
    /// A denial, new or as it is now.
    Denial(Box<DenialRow>),
    /// Last sign of a holder, written lazily.
    LeaseSeen {
        /// Which.
        id: LeaseId,
        /// When.
        at: Ms,
    },
    /// A new document in force.
    Document(Document),
    /// An activation request was made.
    Asked {
        /// Which.
        request: RequestId,
        /// When.
        at: Ms,
    },
    /// A start took up the keys of leases that ended after `since`, and remembers them until `until`.
    KeysKept {
        /// From when.
        since: Ms,
        /// Until when.
        until: Ms,
    },
    /// Since when the server is on another machine than its document was issued to; `None` if it is not.
    Moved {
        /// Since when.
        since: Option<Ms>,
    },
    /// The engine's time goes back: the mark is moved, and what was counted from a later time with it.
    SetBack {
        /// From the time so far.
        from: Ms,
        /// To this.
        to: Ms,
    },
    /// What is known at the portal, and what was promised there; `None` if the server is not online.
    Online(Option<Box<super::OnlineRow>>),
    /// Most seats of a license used at once in an hour.
    Peak {
        /// Which license.
        license: LicenseId,
        /// Hours since 1970.
        hour: i64,
        /// Seats.
        seats: u32,
    },
    /// Fewer seats than the document in force holds are used from now on.
    GivenBack(Box<super::GiveBack>),
    /// The server is being disabled.
    Draining,
    /// The server is disabled; its documents are forbidden.
    Retired {
        /// The receipt file.
        receipt: Box<str>,
        /// The server brings it to the portal by itself.
        to_bring: bool,
        /// It ends this key here and must never reach the portal: another server has the same key and goes on.
        void: bool,
    },
    /// A usage event.
    Event(Box<Event>),
    /// An audit row.
    Audit(Box<Audit>),
}
