//! Letters that the portal sends, and its own settings.

use super::AccountRef;
use crate::time::Time;
use leasehold_core::ids::MailId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// How far a letter is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MailStatus {
    /// To be sent, or sent again.
    Queued,
    /// The mail server took it.
    Sent,
    /// The mail server refused it for good, or nobody took it for 48 hours.
    Failed,
}

impl MailStatus {
    /// The word used in the API, in tables and on pages.
    pub fn word(self) -> &'static str {
        match self {
            MailStatus::Queued => "queued",
            MailStatus::Sent => "sent",
            MailStatus::Failed => "failed",
        }
    }

    /// The value of a word.
    pub fn from_word(word: &str) -> Option<MailStatus> {
        [MailStatus::Queued, MailStatus::Sent, MailStatus::Failed].into_iter().find(|status| status.word() == word)
    }
}

/// A letter.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Mail {
    /// Its id.
    #[schema(value_type = String)]
    pub id: MailId,
    /// What it is about, such as `sign_up`.
    pub kind: String,
    /// Whose account it is about; absent if there is none yet.
    pub account: Option<AccountRef>,
    /// To which address.
    pub to: String,
    /// Its subject.
    pub subject: String,
    /// What stands in it. The link is left out once it was sent, and where a mail server is set.
    pub body: String,
    /// How far it is.
    pub status: MailStatus,
    /// How often it was tried.
    pub tries: u32,
    /// When it was written.
    pub created_at: Time,
    /// When it is tried next.
    pub due_at: Option<Time>,
    /// When it was sent or given up.
    pub ended_at: Option<Time>,
    /// What the mail server said last; empty if nothing. Hostile text.
    pub error: String,
}

/// Which letters.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MailQuery {
    /// Only those that are so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub status: Option<MailStatus>,
    /// The `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Items on the page, 1 to 200; 50 if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Settings of the portal that stand in its database.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct PortalSettings {
    /// Anyone may make an account.
    pub sign_up_open: bool,
    /// A mail server is set in `portal.toml`; without one nothing is sent, and operators read the letters.
    pub sends_mail: bool,
}

/// Changes settings of the portal.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePortalSettings {
    /// Whether anyone may make an account.
    pub sign_up_open: bool,
}
