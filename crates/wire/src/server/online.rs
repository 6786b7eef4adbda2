//! The license server's own way to the portal: whether it works, step by step.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Tries the way to the portal.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TestConnectionRequest {
    /// Where the portal is, instead of `portal_url` in the settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub portal_url: Option<String>,
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
}
