//! Workstations: what a request file is, what is given for it, and how it ends.

use super::{AccountRef, ProductRef, schema};
use crate::time::Time;
use leasehold_core::grant::Terms;
use leasehold_core::ids::{AccountId, LicenseId, LineId, PassId, RequestId, WorkstationId};
use leasehold_core::license::{Channel, FeatureCode, Mode, Scope};
use leasehold_core::usage::{FeatureSummary, Summary};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// What may become of a workstation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WorkstationStatus {
    /// Gets new documents.
    Active,
    /// Gets no new document; what it has runs to its end.
    Revoked,
    /// Gave up its key and all that it held.
    Released,
    /// Was declared lost: gone for good. What it has runs to its end, unless it was written off.
    Lost,
}

impl WorkstationStatus {
    /// The word used in the API, in tables and on pages.
    pub fn word(self) -> &'static str {
        match self {
            WorkstationStatus::Active => "active",
            WorkstationStatus::Revoked => "revoked",
            WorkstationStatus::Released => "released",
            WorkstationStatus::Lost => "lost",
        }
    }

    /// The status of a word.
    pub fn from_word(word: &str) -> Option<WorkstationStatus> {
        use WorkstationStatus::{Active, Lost, Released, Revoked};
        [Active, Revoked, Released, Lost].into_iter().find(|status| status.word() == word)
    }
}

/// A license server as the portal knows it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Workstation {
    /// Its id.
    #[schema(value_type = String)]
    pub id: WorkstationId,
    /// Its name at the portal.
    pub name: String,
    /// Whose it is.
    pub owner: AccountRef,
    /// Whether it gets new documents.
    pub status: WorkstationStatus,
    /// Host name that the server told of itself.
    pub host: String,
    /// Version that the server told of itself.
    pub server_version: String,
    /// RFC 7638 thumbprint of its key.
    pub key_thumbprint: String,
    /// Number of the newest document.
    pub newest_rev: u64,
    /// Number of the document that the server said it obeys; 0 if it never said.
    pub acknowledged_rev: u64,
    /// First activation.
    pub created_at: Time,
    /// When the newest document was issued.
    pub issued_at: Option<Time>,
    /// Until when it can run at the latest; absent if nothing it may hold still runs.
    pub runs_until: Option<Time>,
    /// When all its seats are free again at the latest; absent if none is out.
    pub free_at: Option<Time>,
    /// Seats that it may be using, of all licenses together.
    pub seats_out: u32,
    /// How it gets its documents.
    #[schema(schema_with = schema::mode_words)]
    pub mode: Mode,
    /// For whom it works.
    #[schema(schema_with = schema::scope_words)]
    pub scope: Scope,
    /// Its newest sync; absent if it never synced.
    pub synced_at: Option<Time>,
    /// Seats that applications were using at its newest sync, and all that it keeps for use without the portal.
    pub seats_used: Option<u32>,
    /// It is online and being disabled: it gives no new seats.
    #[serde(default)]
    pub draining: bool,
    /// Another server came with the same key, on this machine; it was told to stop giving seats.
    pub copy_on: Option<String>,
    /// When that was.
    pub copy_at: Option<Time>,
    /// Rows of the newest document.
    pub lines: Vec<HeldLine>,
    /// The newest receipt with which it gave back some seats and kept others; absent if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gave_back: Option<GaveBack>,
    /// Seats that were written off when it was declared lost.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub written_off: Vec<WrittenOff>,
    /// How its seats were used, as its newest receipt says; absent if none says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<ReportedUsage>,
}

/// A receipt with which a license server gave back some seats.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct GaveBack {
    /// Number of the document that it is about.
    pub rev: u64,
    /// Number of the receipt.
    pub number: u64,
    /// Seats of that document that the server keeps.
    pub seats_kept: u32,
    /// When the receipt was taken.
    pub at: Time,
}

/// Seats of a lost license server that count as free although they may still be in use.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct WrittenOff {
    /// Of which license.
    #[schema(value_type = String)]
    pub license: LicenseId,
    /// Name of its product.
    pub product_name: String,
    /// How many.
    pub seats: u32,
    /// When that was decided.
    pub at: Time,
    /// Until when they may be in use.
    pub until: Time,
}

/// What a license server says about usage, without anybody's name.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReportedUsage {
    /// From when it counts, by the server's clock.
    pub since: Time,
    /// Until when it counts.
    pub until: Time,
    /// The features with most use, the most used first.
    pub features: Vec<ReportedFeature>,
    /// Features that were left out.
    pub left_out: u32,
}

/// How one feature was used.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReportedFeature {
    /// Its code.
    #[schema(value_type = String)]
    pub feature: FeatureCode,
    /// Seats in use together, summed over time, in seconds.
    pub seat_s: u64,
    /// Most seats in use at once.
    pub peak: u32,
    /// How often seats were taken.
    pub checkouts: u64,
    /// How often none was given.
    pub denials: u64,
}

impl From<Summary> for ReportedUsage {
    fn from(summary: Summary) -> ReportedUsage {
        let feature = |of: FeatureSummary| ReportedFeature {
            feature: of.feature,
            seat_s: of.seat_s,
            peak: of.peak,
            checkouts: of.checkouts,
            denials: of.denials,
        };
        ReportedUsage {
            since: Time(summary.since),
            until: Time(summary.until),
            features: summary.features.into_iter().map(feature).collect(),
            left_out: summary.left_out,
        }
    }
}

/// What the portal knows of a document that it issued.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DocumentState {
    /// Handed out; the server may obey it and has not said so yet.
    Issued,
    /// The server said that it obeys it.
    Acknowledged,
    /// The server obeys a later one, or gave up its key: this one counts no longer.
    Void,
}

/// A document that was issued to a workstation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct IssuedDocument {
    /// Its number.
    pub rev: u64,
    /// When it was issued.
    pub issued_at: Time,
    /// Until when its last row runs.
    pub ends_at: Time,
    /// Seats in it.
    pub seats: u32,
    /// Whether the server obeys it.
    pub state: DocumentState,
}

/// A row of the newest document of a workstation.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct HeldLine {
    /// The row.
    #[schema(value_type = String)]
    pub line: LineId,
    /// Of which license.
    #[schema(value_type = String)]
    pub license: LicenseId,
    /// Name of the product.
    pub product_name: String,
    /// In which way the license was given out.
    #[schema(schema_with = schema::channel_words)]
    pub channel: Channel,
    /// Seats; without those that the server gave back by receipt.
    pub seats: u32,
    /// Of these, seats that applications were using when the server synced last, those included that run out on seats that
    /// were kept before; or all if they are kept for use without the portal; absent if it does not sync.
    pub used: Option<u32>,
    /// Seats that were asked back and are still to come.
    pub recalled: u32,
    /// No lease runs past this.
    pub until: Time,
    /// When the portal counts the seats as free, 24 h later.
    pub free_at: Time,
    /// On what terms.
    #[schema(value_type = Object)]
    pub terms: Terms,
}

/// An activation request file to look at.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Inspect {
    /// The file's text, at most 256 KiB.
    pub request: String,
    /// For whom: operators may name a customer's account; one's own if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub account: Option<AccountId>,
    /// The workstation that is meant to be renewed: a file of any other server is then refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub workstation: Option<WorkstationId>,
    /// For whom it is to work. If not given: as before if it is known, else for the organization if the account has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::scope_words)]
    pub scope: Option<Scope>,
}

/// What a workstation could be given.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Offers {
    /// One for each license that runs and is floating.
    pub items: Vec<Offer>,
}

/// What a request file is, and what could be given for it. Nothing has changed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Inspection {
    /// Number of the request.
    #[schema(value_type = String)]
    pub request: RequestId,
    /// When the server made it, by its own clock.
    pub made_at: Time,
    /// Host name that the server told of itself.
    pub host: String,
    /// Version that the server told of itself.
    pub server_version: String,
    /// RFC 7638 thumbprint of its key.
    pub key_thumbprint: String,
    /// The workstation that is renewed; absent for a new one.
    pub renews: Option<Workstation>,
    /// The workstation that is renewed was on another machine when it asked before.
    pub other_machine: bool,
    /// A name that could be given.
    pub suggested_name: String,
    /// For whom it will work.
    #[schema(schema_with = schema::scope_words)]
    pub scope: Scope,
    /// The licenses for that which run and are floating.
    pub offers: Vec<Offer>,
    /// Seats that leave the pool if the preset is taken as it is.
    pub preset_seats: u32,
    /// When the last of them is back at the latest.
    pub preset_free_at: Option<Time>,
}

/// What a workstation could be given of one license.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Offer {
    /// Of which license.
    #[schema(value_type = String)]
    pub license: LicenseId,
    /// The vendor's own mark for it.
    pub label: String,
    /// Of what.
    pub product: ProductRef,
    /// In which way the license was given out.
    #[schema(schema_with = schema::channel_words)]
    pub channel: Channel,
    /// Seats bought.
    pub seats: u32,
    /// Seats that this workstation could hold at most.
    pub available: u32,
    /// Seats in its newest document; 0 for a new one.
    pub held_now: u32,
    /// Proposed seats: all that are available; for one that gave seats back, what it holds.
    pub preset_seats: u32,
    /// Proposed end: the license's end or 90 days, whichever is first.
    pub preset_until: Time,
    /// The latest end that is allowed: the license's end or 365 days.
    pub until_max: Time,
    /// When the seats are back in the pool if the preset is taken: 24 h after its end.
    pub preset_free_at: Time,
}

/// Seats of a license until an instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChosenLine {
    /// Of which license.
    #[schema(value_type = String)]
    pub license: LicenseId,
    /// How many; 0 leaves the license out.
    pub seats: u32,
    /// Until when; fractions of a second are cut off.
    pub until: Time,
}

/// Activates a workstation from its request file, or renews the one whose key it is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Activate {
    /// The request file's text, at most 256 KiB.
    pub request: String,
    /// Name of the workstation, 1 to 200 characters; a renewal without it keeps the name it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it is to hold, whole; the preset if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<Vec<ChosenLine>>,
    /// For whom: operators may name a customer's account; one's own if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub account: Option<AccountId>,
    /// The workstation that is meant to be renewed: a file of any other server is then refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub workstation: Option<WorkstationId>,
    /// For whom it is to work. If not given: as before if it is known, else for the organization if the account has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::scope_words)]
    pub scope: Option<Scope>,
}

/// Enables online licensing on a license server: activates it from its request, and keeps it up to date by syncs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Enable {
    /// The request file's text, at most 256 KiB.
    pub request: String,
    /// For whom it is to work.
    #[schema(schema_with = schema::scope_words)]
    pub scope: Scope,
    /// Name of the workstation, 1 to 200 characters; the host's name if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Online licensing is enabled.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Enabled {
    /// The workstation.
    pub workstation: Workstation,
    /// What to load on the license server: certificate and first document.
    pub activation_file: String,
}

/// Makes a token that enables one license server, for machines without a screen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEnableToken {
    /// For whom the server is to work.
    #[schema(schema_with = schema::scope_words)]
    pub scope: Scope,
}

/// A token that enables one license server. Shown this once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EnableToken {
    /// Give it to `leasehold server activate --token`.
    pub token: String,
    /// It can be used once, until then.
    pub expires_at: Time,
    /// For whom the server will work.
    #[schema(schema_with = schema::scope_words)]
    pub scope: Scope,
}

impl std::fmt::Debug for EnableToken {
    /// Without the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EnableToken").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// Asks idle seats back from an online license server; those in use come back as they are freed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Recall {
    /// Of which license.
    #[schema(value_type = String)]
    pub license: LicenseId,
    /// How many, at least 1.
    pub seats: u32,
}

/// Issues a new document to a workstation without a new request file.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Renew {
    /// What it is to hold, whole; the preset if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<Vec<ChosenLine>>,
}

/// A document was issued; download the `.crt` file next.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Activated {
    /// The workstation, with the rows of the new document.
    pub workstation: Workstation,
    /// Whether the workstation was known before.
    pub renewed: bool,
    /// Number of the new document.
    pub rev: u64,
    /// Seats in it.
    pub seats: u32,
    /// When the last of them is back in the pool at the latest.
    pub free_at: Option<Time>,
}

/// A workstation was revoked: it gets no new document.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Revoked {
    /// The workstation.
    pub workstation: Workstation,
    /// Seats that it may go on using.
    pub seats: u32,
    /// Until when it can still run; absent if nothing it may hold still runs.
    pub runs_until: Option<Time>,
    /// When the last seat is back in the pool at the latest: 24 h after it stopped.
    pub free_at: Option<Time>,
}

/// A receipt file from a license server that was disabled, or gave back some seats.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TakeReceipt {
    /// The file's text, at most 256 KiB.
    pub receipt: String,
}

/// A workstation gave up its key, or some seats: they are free.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Released {
    /// The workstation.
    pub workstation: Workstation,
    /// Seats that came back.
    pub seats: u32,
    /// It gave back some seats and goes on with the others; otherwise it gave up its key.
    #[serde(default)]
    pub goes_on: bool,
    /// A newer document than the one in the receipt was issued before, and counts until the server has said that it obeys
    /// another: its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newer_rev: Option<u64>,
}

/// What it would mean to declare a workstation lost. Nothing has changed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Loss {
    /// The workstation.
    pub workstation: Workstation,
    /// The licenses of which it may be using seats.
    pub licenses: Vec<LostLicense>,
    /// Seats that it may be using, of all licenses together.
    pub seats: u32,
    /// Of these, seats that could be counted as free at once.
    pub may_write_off: u32,
}

/// One license at a workstation that may be lost.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct LostLicense {
    /// Which.
    #[schema(value_type = String)]
    pub license: LicenseId,
    /// Name of its product, with the license's label if it has one.
    pub product_name: String,
    /// Seats that the server may be using.
    pub seats: u32,
    /// Until when it may, at the latest, if it still runs somewhere.
    pub until: Time,
    /// From when they are free by themselves: later, because the server's clock may be behind.
    pub free_at: Time,
    /// Seats that the vendor allows to be written off at license servers within a year.
    pub write_offs_allowed: u32,
    /// Of these, written off within the last year.
    pub write_offs_used: u32,
    /// Seats that could be counted as free at once.
    pub may_write_off: u32,
}

/// Body of `POST /api/v1/workstations/{workstation}/lost`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeclareLost {
    /// Count its seats as free at once, as far as the vendor allows within a year. They may be in use until they end.
    #[serde(default)]
    pub write_off: bool,
}

/// A workstation is declared lost.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct DeclaredLost {
    /// The workstation.
    pub workstation: Workstation,
    /// Seats that count as free now, and may be in use until they end.
    pub written_off: u32,
    /// Seats that are still counted.
    pub seats: u32,
    /// When the last of those is free.
    pub free_at: Option<Time>,
}

/// Body of `POST /api/v1/sync/write-offs`: a machine that had a pass of this license server is lost.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteOffPass {
    /// The pass.
    #[schema(value_type = String)]
    pub pass: PassId,
    /// Seats of each license that it stands on.
    #[schema(value_type = BTreeMap<String, u32>)]
    pub seats: BTreeMap<LicenseId, u32>,
}

/// Whether the seats of a pass are counted as written off.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct PassWrittenOff {
    /// They are, now or since it was asked first. Otherwise nothing has changed: the allowance does not reach.
    pub written_off: bool,
    /// How it stands with each license that was named.
    pub licenses: Vec<WriteOffAllowance>,
}

/// What may be written off of a license.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct WriteOffAllowance {
    /// Which.
    #[schema(value_type = String)]
    pub license: LicenseId,
    /// Seats that the vendor allows to be written off within a year.
    pub allowed: u32,
    /// Of these, written off within the last year: on laptops at online license servers, and on servers.
    pub used: u32,
}
