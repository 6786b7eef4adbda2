//! How a command ends when it does not succeed: a sentence and an exit code that scripts can rely on.

use leasehold_client::{NoSeat, NoSeatKind, SettingsError, Trouble};
use serde_json::{Value, json};

/// Anything that has no code of its own.
pub(crate) const FAILED: u8 = 1;
/// A server answered, and had no seat.
pub(crate) const NO_SEAT: u8 = 120;
/// No license server could be reached; or, by a license server, the portal.
pub(crate) const NO_SERVER: u8 = 121;
/// The license server must not be believed, or nobody said whom to believe.
pub(crate) const NOT_TRUSTED: u8 = 122;
/// The client's settings are wrong or missing.
pub(crate) const SETTINGS: u8 = 123;
/// `run --on-lost stop`: the seat was lost, and the command was stopped.
pub(crate) const SEAT_LOST: u8 = 124;
/// `run`: the command could not be started.
pub(crate) const NOT_STARTED: u8 = 125;

/// The codes, for `--help`.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0    done (run: what COMMAND answered; 128 + N if signal N ended it)
  1    failed, see the sentence on standard error
  2    the command line is wrong
  120  no seat: a license server answered and had none
  121  no license server could be reached (server test-connection: the portal)
  122  not trusted: no vendor's root is known, or the server is not one of the trusted vendor's
  123  the client's settings are wrong: servers missing or badly written, config file damaged
  124  run --on-lost stop: the seat was lost and COMMAND was stopped
  125  run: COMMAND could not be started";

/// Why a command did not succeed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: u8,
    /// What a person reads.
    pub(crate) sentence: String,
    /// More about it for `--json`.
    pub(crate) detail: Value,
}

impl Failure {
    pub(crate) fn new(exit: u8, sentence: impl Into<String>) -> Failure {
        Failure { exit, sentence: sentence.into(), detail: Value::Null }
    }

    /// A failure without a code of its own.
    pub(crate) fn of(error: impl std::fmt::Display) -> Failure {
        Failure::new(FAILED, error.to_string())
    }

    /// The one object that `--json` prints instead of a result.
    pub(crate) fn json(&self) -> Value {
        let mut error = json!({ "exit": self.exit, "sentence": self.sentence });
        if !self.detail.is_null() {
            error["detail"] = self.detail.clone();
        }
        json!({ "error": error })
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Failure {
        let exit = match error {
            SettingsError::NoTrust
            | SettingsError::NotARoot { .. }
            | SettingsError::TrustMissing { .. }
            | SettingsError::BuiltInNotARoot => NOT_TRUSTED,
            SettingsError::NoServers | SettingsError::Servers { .. } | SettingsError::File(_) => SETTINGS,
        };
        Failure::new(exit, capitalized(&error.to_string()))
    }
}

impl From<NoSeat> for Failure {
    fn from(no_seat: NoSeat) -> Failure {
        let exit = match no_seat.kind() {
            NoSeatKind::NoSeat => NO_SEAT,
            NoSeatKind::Unreachable => NO_SERVER,
            NoSeatKind::NotTrusted => NOT_TRUSTED,
            NoSeatKind::BadRequest => FAILED,
        };
        let detail = serde_json::to_value(&no_seat).unwrap_or_default();
        Failure { exit, sentence: no_seat.to_string(), detail }
    }
}

/// The exit code of a server that could not be asked.
pub(crate) fn exit_of(trouble: &Trouble) -> u8 {
    match trouble {
        Trouble::OtherVendor { .. } | Trouble::Untrusted { .. } => NOT_TRUSTED,
        Trouble::Unreachable { .. } | Trouble::NoAnswer { .. } | Trouble::NotALicenseServer { .. } => NO_SERVER,
        Trouble::Denied { .. } | Trouble::Refused(_) => NO_SEAT,
    }
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    let first_word = text.split(' ').next().unwrap_or_default();
    // A path or a name keeps its letters.
    let is_word = first_word.chars().all(|c| c.is_alphabetic() || matches!(c, '\'' | ',' | ':'));
    let text: String = if is_word {
        chars.next().into_iter().flat_map(char::to_uppercase).chain(chars).collect()
    } else {
        text.to_owned()
    };
    if text.ends_with('.') { text } else { text + "." }
}
