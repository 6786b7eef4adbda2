//! What can stand in the way of accounts: links, tokens, letters.

use super::OPERATOR;
use leasehold_core::access::TokenScope;
use leasehold_web::problem::{Problem, who};

/// Why something about an account did not happen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AccountFailure {
    /// The operator makes accounts, nobody else.
    #[error("sign-up is closed")]
    SignUpClosed,
    /// A link was used, has ended, or is mistyped; which of these is not told.
    #[error("the link has ended")]
    LinkEnded,
    /// A letter that is not given up needs not be sent again.
    #[error("the letter is not given up")]
    NotGivenUp,
    /// Too many letters were asked for from there.
    #[error("too many requests")]
    TooManyRequests {
        /// Seconds until the next one counts.
        wait_s: i64,
    },
    /// Too many codes of programs were wrong.
    #[error("too many wrong codes")]
    TooManyCodes {
        /// Seconds until the next try counts.
        wait_s: i64,
    },
    /// Too many programs wait to be allowed something.
    #[error("too many programs wait")]
    TooManyPrograms {
        /// Seconds until there is room at the latest.
        wait_s: i64,
    },
    /// A token cannot do what is for people only.
    #[error("needs a sign-in")]
    SignInNeeded,
    /// A token is not for this.
    #[error("the token has not the scope {needed}")]
    Scope {
        /// What it would have to be for.
        needed: TokenScope,
    },
}

impl AccountFailure {
    pub(super) fn problem(self) -> Problem {
        match self {
            AccountFailure::SignUpClosed => {
                Problem::new(403, "SIGN_UP_CLOSED", "Accounts are made by the vendor here.")
                    .next("Ask the vendor for an account.", OPERATOR)
            }
            AccountFailure::LinkEnded => Problem::new(410, "LINK_ENDED", "This link cannot be used any more.")
                .detail("It was used before, a newer one was sent, or its time is over. Nothing was changed.")
                .next("Use the newest letter, or ask for a new one where you asked for this.", who::YOU),
            AccountFailure::NotGivenUp => Problem::new(409, "NOT_GIVEN_UP", "This letter is not given up.")
                .detail("It was sent, or is still tried by itself.")
                .next("Nothing needs to be done.", who::YOU),
            AccountFailure::TooManyRequests { wait_s } => {
                Problem::new(429, "TOO_MANY_REQUESTS", "Too many letters were asked for from this address.")
                    .detail(format!("The next one counts in {wait_s} s. Nothing was sent."))
                    .next("Wait, then ask again.", who::YOU)
            }
            AccountFailure::TooManyCodes { wait_s } => {
                Problem::new(429, "TOO_MANY_CODES", "There were too many wrong codes.")
                    .detail(format!("Further ones are refused for {wait_s} s, even the right one."))
                    .next("Wait, then have the program show a new code.", who::YOU)
            }
            AccountFailure::TooManyPrograms { wait_s } => {
                Problem::new(429, "TOO_MANY_PROGRAMS", "Too many programs wait to be allowed something.")
                    .detail(format!("There is room in {wait_s} s at the latest."))
                    .next("Wait, then begin again.", who::YOU)
            }
            AccountFailure::SignInNeeded => {
                Problem::new(403, "SIGN_IN_NEEDED", "A token may not do this: it is for whoever signs in.")
                    .detail(
                        "Name, password, address, sign-ins and tokens of an account are changed by its person only.",
                    )
                    .next("Sign in with the password of the account.", who::YOU)
            }
            AccountFailure::Scope { needed } => Problem::new(403, "SCOPE", "This token is not made for that.")
                .detail(format!("It has not the scope `{needed}`."))
                .next(format!("Make a token with the scope `{needed}`: ACCOUNT, Tokens, at the portal."), who::YOU),
        }
    }
}
