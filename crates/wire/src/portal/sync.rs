//! What license servers send to the portal and get back, around the signed documents.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// The answer to a sync.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct SyncAnswered {
    /// An `answer+jwt` that the vendor signed.
    pub answer: String,
}

/// Beyond what a long poll waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WaitQuery {
    /// `bell` of the last answer.
    pub since: u64,
}

/// How a long poll ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Rung {
    /// Another number than `since` if there is a reason to sync.
    pub bell: u64,
}

/// Enables a license server with a token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UseEnableToken {
    /// The token.
    pub token: String,
    /// The request file's text, at most 256 KiB.
    pub request: String,
    /// Name of the workstation, 1 to 200 characters; the host's name if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl std::fmt::Debug for UseEnableToken {
    /// Without the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UseEnableToken").field("name", &self.name).finish_non_exhaustive()
    }
}
