//! The license server's own way to the portal: whether it works, step by step.

use crate::portal::{KeptSeats, Pins};
use crate::time::Time;
use leasehold_core::ids::LicenseId;
use leasehold_core::license::{Channel, FeatureBundle, Scope};
use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::ToSchema;

/// Enables online licensing: with an account at the portal, or with a token that was made there.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnableRequest {
    /// Where the portal is, if the settings do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub portal_url: Option<String>,
    /// Address of the account at the portal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Its password. Passed on to the portal, kept nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// For whom the server is to work: `organization` or `person`. Needed with an account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub scope: Option<Scope>,
    /// A token instead of an account: the portal knows for whom it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Name of the workstation at the portal; the machine's name if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl fmt::Debug for EnableRequest {
    /// Without the secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnableRequest").field("account", &self.account).finish_non_exhaustive()
    }
}

/// How an online server stands with its portal.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnlineState {
    /// The last sync was taken.
    Ok,
    /// It has just started and waits for the portal's first answer, for ten seconds at most; no new seats until then.
    Starting,
    /// The portal is not reached; what is held is used until it ends.
    Unreachable,
    /// Another server runs with the same key: this one gives no new seats.
    Copy,
    /// The workstation was revoked at the portal, or declared lost there.
    Revoked,
    /// A file was made for this workstation at the portal: it has to be loaded here.
    ByFile,
}

/// An online server and its portal.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct OnlineStatus {
    /// Where the portal is.
    pub portal_url: String,
    /// How it stands.
    pub state: OnlineState,
    /// It was declared lost at the portal: others may have its seats.
    #[serde(default)]
    pub lost: bool,
    /// When the portal answered last; absent before the first time.
    pub synced_at: Option<Time>,
    /// When the first of its lines ends if no sync renews it; absent if it holds nothing.
    pub ends_at: Option<Time>,
    /// Since when the portal is not reached.
    pub trouble_since: Option<Time>,
    /// Why; for the administrator.
    pub trouble: Option<ConnectionProblem>,
    /// The machine on which the other server with this key runs; for the administrator. Hostile text.
    pub copy_on: Option<String>,
    /// The licenses of which it may have seats.
    pub pools: Vec<PoolStatus>,
    /// Seats that are kept for use without the portal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<KeptSeats>,
}

/// What is kept at a server for use without the portal.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct OfflineUse {
    /// What is kept and what could be; without offers if the portal is not reached.
    pub pins: Pins,
    /// Why the portal is not reached, if it is not: then `pins` is what it said last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub portal: Option<ConnectionProblem>,
}

/// Seats of one license as far as this server may have some.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct PoolStatus {
    /// The license at the portal.
    #[schema(value_type = String)]
    pub license: LicenseId,
    /// Code of the product.
    pub product: String,
    /// Its name.
    pub product_name: String,
    /// In which way the license was given out.
    #[schema(value_type = String)]
    pub channel: Channel,
    /// How many of each feature one seat holds.
    #[schema(value_type = BTreeMap<String, u32>)]
    pub features: FeatureBundle,
    /// Serves the server's own person only.
    pub assigned: bool,
    /// Seats that all servers of the account can have together.
    pub seats: u32,
    /// Of these, at this server.
    pub here: u32,
    /// Of these, at others.
    pub elsewhere: u32,
    /// Of those, at servers that do not give them back for the asking: served by file, revoked, or not heard of.
    #[serde(default)]
    pub bound: u32,
    /// Of these, at none.
    pub free: u32,
    /// Seats more that are assigned to the server's person and not here yet: mostly, others still use them.
    #[serde(default)]
    pub pending: u32,
}

/// The receipt of a key that was given up.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReceiptStatus {
    /// Where it is.
    pub state: ReceiptState,
    /// Why it could not be brought to the portal the last time; for the administrator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<ConnectionProblem>,
}

/// Where a receipt is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptState {
    /// People carry it to the portal.
    ByHand,
    /// The server brings it to the portal by itself, as soon as it reaches it.
    Waiting,
    /// The server has brought it.
    Brought,
}

/// Tries the way to the portal, and with an account also whether it may sign in there.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TestConnectionRequest {
    /// Where the portal is, instead of `portal_url` in the settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub portal_url: Option<String>,
    /// Address of an account at the portal; with its password the sign-in is tried, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The account's password. Passed on to the portal, kept nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

impl fmt::Debug for TestConnectionRequest {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestConnectionRequest")
            .field("portal_url", &self.portal_url)
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

/// How far a connection to the portal gets.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ConnectionTest {
    /// No step failed.
    pub ok: bool,
    /// The address that was tried; empty if there is none that can be.
    pub portal_url: String,
    /// The steps in their order.
    pub steps: Vec<ConnectionStep>,
}

/// One step of a connection.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ConnectionStep {
    /// Which.
    pub step: ConnectionStepName,
    /// What became of it.
    pub state: ConnectionStepState,
    /// What was seen, for people; may be empty. Hostile text.
    pub detail: String,
    /// Why it failed; absent otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<ConnectionProblem>,
}

/// The steps, in their order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionStepName {
    /// The name of the portal, or of the proxy if there is one, is looked up.
    Name,
    /// A TCP connection is made, to the proxy if there is one.
    Connect,
    /// The proxy connects to the portal; it looks the portal's name up.
    Proxy,
    /// The portal shows a certificate that this machine trusts.
    Tls,
    /// The portal answers.
    Portal,
    /// The portal takes the account and the password; skipped without an account.
    SignIn,
}

/// What became of a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionStepState {
    /// It worked.
    Ok,
    /// It did not.
    Failed,
    /// It is not needed, or was not reached.
    Skipped,
}

/// Why a step failed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ConnectionProblem {
    /// Stable code in capitals.
    pub code: String,
    /// What happened and why. Hostile text.
    pub what: String,
    /// The next step.
    pub what_to_do: String,
    /// Who can take it.
    pub who: String,
    /// The portal was reached, and refused.
    #[serde(default)]
    pub refused: bool,
}
