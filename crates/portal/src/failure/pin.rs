//! Why seats cannot be kept at a server for use without a portal, for people.

use super::OPERATOR;
use leasehold_core::sync::PinRefusal;
use leasehold_core::time::Ms;
use leasehold_web::problem::{Problem, who};

/// `license` is how the license is called.
pub(super) fn refused(refusal: PinRefusal, license: &str) -> Problem {
    match refusal {
        PinRefusal::NotRunning => Problem::new(409, "NOT_RUNNING", "A chosen license gives this server no seats now.")
            .detail(format!(
                "{license} has not begun, has run out, was ended by the vendor, or is for named people. Nothing was changed."
            ))
            .next("Leave it out, or ask the vendor to extend it.", who::YOU),
        PinRefusal::NotAllowed => Problem::new(409, "BORROW_DENIED", "Seats of this product are not lent.")
            .detail(format!(
                "The vendor does not allow seats of {license} to be kept for use without the portal. Nothing was changed."
            ))
            .next("Leave it out, or ask the vendor to allow it.", OPERATOR),
        PinRefusal::Days { max } => Problem::new(422, "BORROW_TOO_LONG", "Seats cannot be kept for so many days.")
            .detail(format!("The vendor allows 1 to {max} days for {license}. Nothing was changed."))
            .next(format!("Choose at most {max} days; AUTO-RENEW keeps them for longer."), who::YOU),
        PinRefusal::TooMany { available, seats } => {
            Problem::new(409, "NO_SEATS", "There are not enough seats that this server can have now.")
                .detail(format!(
                    "Of the {seats} seats of {license}, {available} can be kept here; the others are at other license \
                     servers or kept for people. Nothing was changed."
                ))
                .next("Choose fewer, recall seats from the other servers first, or buy more.", who::YOU)
        }
        PinRefusal::Learning => {
            Problem::new(409, "LEARNING", "The portal was restored from a backup and learns what is out.")
                .detail(format!(
                    "Until then no seat of {license} is kept for longer than it was. What servers hold goes on. Nothing \
                     was changed."
                ))
                .next("Try again later, or ask the vendor to raise the license now.", OPERATOR)
        }
    }
}

/// A server that asks for a document obeys one that was issued after the backup from which the portal was restored.
pub(super) fn unlearned(rev: u64, until: Ms) -> Problem {
    Problem::new(409, "LEARNING", "The portal was restored from a backup and does not know what this license server holds.")
        .detail(format!(
            "It obeys document number {rev}, and what it has given back or was given since that backup is not known. Until {} \
             nothing is given that may be out already. What it holds goes on. Nothing was changed.",
            until.rfc3339()
        ))
        .next(
            "If it is online it needs no new document: it says with its next sync what it has (`leasehold server refresh`). \
             Otherwise wait, or ask the vendor to raise its licenses now.",
            OPERATOR,
        )
}

/// What is kept was changed since somebody looked.
pub(super) fn changed() -> Problem {
    Problem::new(409, "PINS_CHANGED", "What is kept at this server was changed in the meantime.")
        .detail("Somebody changed it at the portal or at the license server, or it was renewed or has ended. Nothing was changed.")
        .next("Look at it again, and repeat what you want to change.", who::YOU)
}
