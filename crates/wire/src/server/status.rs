//! What a license server tells about itself: totals for everybody, holders for those who may see them.

use super::{GivenBack, OnlineStatus, PassView, ReceiptStatus};
use crate::time::Time;
use jiff::civil::Date;
use leasehold_core::ids::{LeaseId, LicenseId, LineId, WorkstationId};
use leasehold_core::license::{Channel, FeatureBundle, FeatureCode, Kind, Share};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// What a server does at the moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ServerState {
    /// It holds no grant.
    NotActivated,
    /// It gives seats.
    Active,
    /// It is being disabled and gives no new seats.
    Draining,
    /// It was disabled: its key is destroyed, and its receipt can be downloaded.
    Disabled,
}

/// Answer to `GET /v1/status`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct StatusResponse {
    /// Release of the server.
    pub version: String,
    /// The server's time.
    pub server_time: Time,
    /// What it does.
    pub state: ServerState,
    /// What it is at the portal; absent before activation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activation: Option<ActivationStatus>,
    /// Features in order of code.
    pub features: Vec<FeatureStatus>,
    /// What the portal granted, in order of product.
    pub lines: Vec<LineStatus>,
    /// Leases out.
    pub leases_out: u64,
    /// Of these, borrowed.
    #[serde(default)]
    pub passes_out: u64,
    /// When the last of them has ended at the latest if none is renewed, as while the server is being disabled; absent
    /// if none is out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leases_end_at: Option<Time>,
    /// How it stands with its portal; absent if it has its seats by file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub online: Option<OnlineStatus>,
    /// What became of the receipt of a disabled server; absent in every other state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<ReceiptStatus>,
    /// Seats of the document in force that were given back; absent if none were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_back: Option<GivenBack>,
    /// Its data were put back to a time before a receipt: the number of the document that the receipt named. It gives no
    /// new seats until a newer one is loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub put_back: Option<u64>,
    /// It is on another machine than its document was issued to; absent if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved: Option<MovedStatus>,
    /// It was just restored from a backup; absent otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored: Option<RestoredStatus>,
    /// Seats are held since it was restored, because it does not know what it lent after the backup; absent otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<HeldStatus>,
    /// Whether its clock can be trusted.
    pub clock: ClockStatus,
    /// Whether it can store changes.
    pub storage: StorageStatus,
    /// Why no backup is made by the schedule, if one should be; told to whoever is signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_problem: Option<String>,
    /// When the administrator's own certificate for browsers ends, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub browser_certificate_ends_at: Option<Time>,
    /// Everybody may see who uses what.
    pub usage_open: bool,
    /// No administrator's password was set yet.
    pub setup_needed: bool,
}

impl StatusResponse {
    /// Leases of running applications.
    pub fn applications_out(&self) -> u64 {
        self.leases_out.saturating_sub(self.passes_out)
    }

    /// Passes that a machine has, without what is only held since a restore.
    pub fn passes_borrowed(&self) -> u64 {
        self.passes_out.saturating_sub(self.held.map_or(0, |held| held.passes))
    }
}

/// What a server is at the portal.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ActivationStatus {
    /// Its id at the portal.
    #[schema(value_type = String)]
    pub workstation: WorkstationId,
    /// Its name at the portal.
    pub workstation_name: String,
    /// Whose it is at the portal.
    pub account_name: String,
    /// Name of the vendor whose root it trusts.
    pub vendor: String,
    /// SHA-256 of the vendor's root certificate, `AB:CD:...`.
    pub vendor_fingerprint: String,
    /// Number of the grant document in force.
    pub rev: u64,
    /// When the portal issued it.
    pub issued_at: Time,
    /// When the last of its lines ends.
    pub ends_at: Time,
    /// SHA-256 of the document, in hex.
    #[schema(value_type = String)]
    pub grant_sha256: Arc<str>,
}

/// One feature.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct FeatureStatus {
    /// Its code.
    #[schema(value_type = String)]
    pub feature: FeatureCode,
    /// Seats in lines that have not ended.
    pub total: u32,
    /// Of these, in use (more than `total` while a reduced license runs out).
    pub in_use: u32,
    /// Of those in use, borrowed by machines that may be away.
    #[serde(default)]
    pub borrowed: u32,
    /// What a checkout can still take.
    pub free: u32,
    /// When the first of its seats end; absent if all have ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_end: Option<Time>,
    /// When the last of its seats end, or ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_end: Option<Time>,
    /// Seats on lines that are renewed at each sync.
    pub online: u32,
    /// Seats on lines from a file.
    pub offline: u32,
}

/// One line of the grant and what is out on it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct LineStatus {
    /// The line.
    #[schema(value_type = String)]
    pub line: LineId,
    /// The license at the portal.
    #[schema(value_type = String)]
    pub license: LicenseId,
    /// Code of the product.
    pub product: String,
    /// Name of the product.
    pub product_name: String,
    /// `floating` or `named`.
    #[schema(value_type = String)]
    pub kind: Kind,
    /// In which way the license was given out.
    #[schema(value_type = String)]
    pub channel: Channel,
    /// How many of each feature one seat holds.
    #[schema(value_type = BTreeMap<String, u32>)]
    pub features: FeatureBundle,
    /// Seats.
    pub seats: u32,
    /// Of these, in use.
    pub seats_in_use: u32,
    /// When it ends.
    pub until: Time,
    /// From a file (or pinned), not renewed at each sync.
    pub offline: bool,
    /// Kept for use without the portal: it renews it, or turns it into one that is renewed at each sync.
    #[serde(default)]
    pub kept: bool,
    /// For the person at the server's own machine only.
    pub assigned: bool,
    /// `user_host` if leases of one user on one machine share a seat.
    #[schema(value_type = String)]
    pub share: Share,
    /// Releases after this date may not use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Date)]
    pub maintenance_until: Option<Date>,
    /// In the newest document; otherwise its last leases are running out.
    pub granted: bool,
    /// For so many days its seats may be borrowed; 0 if not at all.
    #[serde(default)]
    pub borrow_days_max: u32,
}

/// A server on another machine than its document was issued to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct MovedStatus {
    /// New seats are given until then; afterwards HOST_MISMATCH. A document for this machine mends it.
    pub new_leases_until: Time,
}

/// A server that was restored from a backup and does not know every lease that may run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct RestoredStatus {
    /// No new leases before then; applications that show their lease are taken up again.
    pub new_leases_from: Time,
    /// From then on it holds what machines may have borrowed after the backup was made, until this time at the latest;
    /// absent if nothing may be borrowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_until: Option<Time>,
}

/// Seats that a restored server holds because it may have lent them after the backup was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct HeldStatus {
    /// How many seats of products.
    pub seats: u64,
    /// As how many passes, of those that are out (`passes_out`).
    #[serde(default)]
    pub passes: u64,
    /// When the backup was made.
    pub backup_at: Time,
    /// When the last of them is free by itself; an administrator who knows that no machine has them frees them before
    /// (`POST /v1/passes/not-out`, `POST /v1/passes/{pass}/not-out`).
    pub free_at: Time,
}

/// Whether the server's clock can be trusted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ClockStatus {
    /// `plausible`, or how the clock looked at the start: `behind` or `ahead` of the last time that was stored.
    pub at_start: ClockVerdict,
    /// By how many seconds it was off at the start.
    pub off_by_s: i64,
    /// No new seats until then, because seats given before the clock was set back may still be in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_new_leases_until: Option<Time>,
    /// Wall clock of the machine minus the server's time, in seconds: not 0 if the clock was stepped since the start.
    pub wall_ahead_s: i64,
}

/// What a clock looked like.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClockVerdict {
    /// As expected.
    Plausible,
    /// Earlier than a time that was already stored.
    Behind,
    /// Later by so much that it deserves a look.
    Ahead,
}

/// Whether the server can store changes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct StorageStatus {
    /// Changes are stored.
    pub ok: bool,
    /// What is wrong, as a sentence; empty if nothing.
    pub problem: String,
}

/// Which leases to list.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LeaseQuery {
    /// Only leases of this feature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub feature: Option<FeatureCode>,
    /// `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub after: Option<LeaseId>,
    /// Most items on the page, 1 to 200; 50 if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// One lease, with its holder.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct LeaseView {
    /// The lease.
    #[schema(value_type = String)]
    pub lease: LeaseId,
    /// Of what.
    #[schema(value_type = String)]
    pub feature: FeatureCode,
    /// How many seats.
    pub seats: u32,
    /// Whose. Hostile text.
    #[schema(value_type = String)]
    pub user: Box<str>,
    /// Where. Hostile text.
    #[schema(value_type = String)]
    pub host: Box<str>,
    /// The application's version. Hostile text.
    #[schema(value_type = String)]
    pub version: Box<str>,
    /// Process id; 0 if not told.
    pub pid: u32,
    /// Address it came from.
    #[schema(value_type = String)]
    pub address: IpAddr,
    /// Free words. Hostile text.
    #[schema(value_type = BTreeMap<String, String>)]
    pub labels: BTreeMap<Box<str>, Box<str>>,
    /// Since when.
    pub started_at: Time,
    /// Last sign of the holder.
    pub seen_at: Time,
    /// When the server frees it if nothing more is heard.
    pub freed_at: Time,
    /// It shares a seat with other leases of the same user on the same machine.
    pub shared: bool,
    /// Its right was taken away; it runs out.
    pub withdrawn: bool,
    /// It is borrowed, and this is its pass; absent for a seat of a running application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pass: Option<PassView>,
    /// An administrator took the seat back; absent if not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released: Option<ReleasedView>,
}

/// A seat that an administrator took back and whose holder has not given it back yet.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReleasedView {
    /// Why, in the administrator's words. Hostile text.
    pub reason: String,
    /// Its holder was told.
    pub told: bool,
}
