//! What the administrator of a license server sends and gets.

use crate::time::Time;
use leasehold_core::access::AdministratorKind;
use leasehold_core::engine::{DenialOutcome, EventKind};
use leasehold_core::ids::{DenialId, LeaseId, SessionId, WorkstationId};
use leasehold_core::license::FeatureCode;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use utoipa::{IntoParams, ToSchema};

/// Answer to `POST /v1/activation`: the uploaded `.crt` is in force.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ActivationResponse {
    /// The server's id at the portal.
    #[schema(value_type = String)]
    pub workstation: WorkstationId,
    /// Its name at the portal.
    pub workstation_name: String,
    /// Name of the vendor.
    pub vendor: String,
    /// SHA-256 of the vendor's root certificate, `AB:CD:...`.
    pub vendor_fingerprint: String,
    /// The vendor's root is trusted since this upload; compare the fingerprint with the vendor's.
    pub vendor_new: bool,
    /// Number of the document.
    pub rev: u64,
    /// Its lines.
    pub lines: u32,
    /// Product seats in all.
    pub seats: u64,
    /// When the last of them ends.
    pub ends_at: Time,
    /// Leases that run out because the document holds fewer seats than are in use.
    pub withdrawn: u64,
}

/// Answer to `POST /v1/activation/disable`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct DisableResponse {
    /// Leases that are still out; the receipt is made when they are back.
    pub leases_out: u64,
    /// Of these, borrowed: they are back when they are returned or written off, or a day after their end.
    #[serde(default)]
    pub passes_out: u64,
    /// When the last of them has ended at the latest.
    pub done_by: Time,
    /// The key is destroyed and the receipt can be downloaded: `GET /v1/activation/receipt`.
    pub receipt_ready: bool,
}

impl DisableResponse {
    /// Leases of running applications.
    pub fn applications_out(&self) -> u64 {
        self.leases_out.saturating_sub(self.passes_out)
    }
}

/// Sets the administrator's password for the first time.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetupRequest {
    /// The secret that the server printed when it started.
    pub secret: String,
    /// The name of the account; `administrator` without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its password, 12 to 256 characters.
    pub password: String,
}

/// Signs an administrator of this server in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInRequest {
    /// The name of the account; `administrator` without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its password.
    pub password: String,
}

/// Changes the password of the account that is signed in. Its other sign-ins end.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordRequest {
    /// The password until now.
    pub current: String,
    /// The new one, 12 to 256 characters.
    pub new: String,
}

/// A sign-in that worked. The token is shown this once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignInResponse {
    /// Send it as `Authorization: Bearer TOKEN`.
    pub token: String,
    /// The session.
    #[schema(value_type = String)]
    pub session: SessionId,
    /// When it ends, however much it is used.
    pub expires_at: Time,
}

/// A new setup secret, after the password was lost.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ResetResponse {
    /// Good for one `POST /v1/setup`.
    pub secret: String,
}

macro_rules! hide_in_debug {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            /// Without the secrets.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    )*};
}
hide_in_debug!(
    SetupRequest,
    SignInRequest,
    PasswordRequest,
    SignInResponse,
    ResetResponse,
    SettingsRequest,
    CertificateRequest,
    AddAdministratorRequest,
    ChangeAdministratorRequest
);

/// Changes settings, by name: the value, or `null` for the default. Settings that are not named stay.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(value_type = Object)]
pub struct SettingsRequest(pub BTreeMap<String, serde_json::Value>);

/// When a change of a setting holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SettingApplies {
    /// At once.
    AtOnce,
    /// At once, on trial: it comes back by itself unless it is confirmed from the new way.
    OnTrial,
    /// From the next start on.
    NextStart,
}

/// One setting.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct SettingView {
    /// Its name, as in `server.toml`.
    pub name: String,
    /// Its value; `null` for the default, and for a secret, which is never shown.
    #[schema(value_type = Option<Object>)]
    pub value: serde_json::Value,
    /// What holds where it has no value of its own; `null` where that is nothing, or where it has one.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub default: serde_json::Value,
    /// It is a secret and has a value.
    pub secret_set: bool,
    /// Where it stands: `start`, `environment`, `server.toml`, `page` or `default`.
    pub source: String,
    /// Where it has to be changed, if not here.
    pub fixed_in: Option<String>,
    /// It names a file on the server's own machine and is changed there only.
    pub machine_only: bool,
    /// When a change holds.
    pub applies: SettingApplies,
    /// It was changed and holds from the next start on.
    pub waits_for_start: bool,
}

/// A change that may have locked its maker out: it comes back by itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct TrialView {
    /// What was changed.
    pub settings: Vec<String>,
    /// Seconds until the settings from before come back.
    pub left_s: i64,
    /// Where the server listens from now on, if that was changed: the change is confirmed from there.
    pub listen: Vec<String>,
    /// The certificate for browsers was changed: the change is confirmed over a new connection.
    pub certificate: bool,
}

/// The settings as they are.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct SettingsResponse {
    /// Everybody may see who used what.
    pub usage_open: bool,
    /// Every setting.
    pub settings: Vec<SettingView>,
    /// What is on trial.
    pub trial: Option<TrialView>,
}

/// A certificate for browsers and its key. Both absent: the self-signed one.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateRequest {
    /// PEM: the server's certificate, then its intermediates.
    #[serde(default)]
    pub certificate: Option<String>,
    /// PEM: its private key, without a passphrase.
    #[serde(default)]
    pub key: Option<String>,
}

/// An account of this server's administrators.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct AdministratorView {
    /// Its name. Hostile text.
    pub name: String,
    /// What it may do.
    #[schema(value_type = String)]
    pub kind: AdministratorKind,
    /// When it was made.
    pub created_at: Time,
    /// Sign-ins that have not ended.
    pub sessions: u32,
    /// When one of them was used last.
    pub seen_at: Option<Time>,
    /// It is the one that is signed in.
    pub you: bool,
}

/// Every account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct AdministratorsResponse {
    /// In order of name.
    pub items: Vec<AdministratorView>,
}

/// Adds an account.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddAdministratorRequest {
    /// Its name, at most 64 characters; upper and lower case are the same.
    pub name: String,
    /// What it may do: `administrator` or `read_only`.
    #[schema(value_type = String)]
    pub kind: AdministratorKind,
    /// Its password, 12 to 256 characters.
    pub password: String,
}

/// Changes an account. Absent members stay as they are.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeAdministratorRequest {
    /// What it may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub kind: Option<AdministratorKind>,
    /// A new password, 12 to 256 characters; its sign-ins end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

/// A sign-in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct SessionView {
    /// Names it.
    #[schema(value_type = String)]
    pub session: SessionId,
    /// Whose.
    pub administrator: String,
    /// Where it was made.
    pub address: String,
    /// When it began.
    pub created_at: Time,
    /// When it was used last, to a minute.
    pub seen_at: Time,
    /// When it ends, however much it is used.
    pub expires_at: Time,
    /// It is the one with which this was asked.
    pub this: bool,
}

/// Every sign-in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct SessionsResponse {
    /// The last used first.
    pub items: Vec<SessionView>,
}

/// Other sign-ins of the same account were ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct EndedSessionsResponse {
    /// How many.
    pub ended: u64,
}

/// One deed of an administrator.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct AuditView {
    /// Its number.
    pub id: u64,
    /// When.
    pub at: Time,
    /// Who. Hostile text.
    pub who: String,
    /// From where; empty for the command line without a running server.
    pub address: String,
    /// What was done, such as `document_install`.
    pub action: String,
    /// What it did.
    pub detail: String,
}

/// Which events of the usage log.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventQuery {
    /// Only events of this kind, such as `denied`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub kind: Option<EventKind>,
    /// Only events of this feature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub feature: Option<FeatureCode>,
    /// `next` of the page before. A search looks at a part of the log at a time: a page may be short or empty and still
    /// have a `next`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Most items on the page, 1 to 200; 50 if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// One row of the usage log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct EventView {
    /// Its number.
    pub id: u64,
    /// When.
    pub at: Time,
    /// `checkout`, `checkin`, `expired`, `denied`, `copied`, `adopted`, `taken_back`, `borrow`, `extend`, `return` or
    /// `write_off`.
    pub kind: String,
    /// Which lease; absent for a denial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub lease: Option<LeaseId>,
    /// Of what.
    pub feature: String,
    /// How many seats.
    pub seats: u32,
    /// Whose. Hostile text.
    pub user: String,
    /// Where. Hostile text.
    pub host: String,
    /// Why, for denials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// Which denials.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DenialQuery {
    /// Only denials of this feature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub feature: Option<FeatureCode>,
    /// Only denials of which this became: `open`, `served` or `given_up`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub outcome: Option<DenialOutcome>,
    /// `next` of the page before. A search looks at a part of the log at a time: a page may be short or empty and still
    /// have a `next`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub after: Option<DenialId>,
    /// Most items on the page, 1 to 200; 50 if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// What somebody wanted and did not get at first, with all their tries for it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct DenialView {
    /// Names it.
    #[schema(value_type = String)]
    pub id: DenialId,
    /// Of what.
    pub feature: String,
    /// How many seats.
    pub seats: u32,
    /// Who. Hostile text.
    pub user: String,
    /// Where. Hostile text.
    pub host: String,
    /// From which address.
    pub address: String,
    /// The application's version. Hostile text.
    pub version: String,
    /// Why, at the newest try.
    pub code: String,
    /// Seats of the feature at the first try.
    pub total: u32,
    /// Of these, in use.
    pub in_use: u32,
    /// Of those in use, borrowed.
    pub borrowed: u32,
    /// Seats that nobody used and that were kept for somebody else.
    pub reserved: u32,
    /// When it was asked first.
    pub first_at: Time,
    /// When it was asked last.
    pub last_at: Time,
    /// How often. Up to a minute old.
    pub tries: u32,
    /// `open`: asked for lately. `served`: got later. `given_up`: not asked for again within 15 minutes.
    #[schema(value_type = String)]
    pub outcome: DenialOutcome,
    /// How long it took until it was got, in seconds; absent if it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waited_s: Option<i64>,
}

/// Makes a backup: into a new folder of one's choice, or, without one, into the folder of the settings.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupRequest {
    /// A folder on the server's own machine that does not exist yet, or is empty. An absolute path. For whoever is on that
    /// machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// Answer to `POST /v1/backups`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct BackupResponse {
    /// The folder that was made, on the server's own machine.
    pub folder: String,
}

/// A backup in the folder of the settings.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct BackupView {
    /// Name of its folder.
    pub name: String,
    /// When it was made.
    pub made_at: Time,
}

/// Backups in the folder of the settings.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct BackupsResponse {
    /// The folder.
    pub folder: String,
    /// The newest first.
    pub items: Vec<BackupView>,
    /// When the next one is made by itself; absent if none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Time>,
    /// Why the last one was not made, or why the folder cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// What of a support bundle is left out.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize, IntoParams, ToSchema)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SupportQuery {
    /// Users, hosts and addresses as they are; otherwise they are replaced.
    #[serde(default)]
    pub names: bool,
}
