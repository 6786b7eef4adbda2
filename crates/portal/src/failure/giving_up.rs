//! The sentences about receipts that keep some seats, and about servers that are lost.

use super::{Failure, sentence_time};
use leasehold_web::problem::{Problem, who};

impl Failure {
    pub(super) fn about_giving_up(&self) -> Option<Problem> {
        Some(match self {
            Failure::ReceiptOlder { name, number, rev } => {
                Problem::new(409, "FILE_OLDER", "A newer word of this license server was already taken.")
                    .detail(format!(
                        "This is receipt {number} of `{name}` about document number {rev}. It has given a newer receipt since, or said \
                         that it obeys a newer document. Nothing was changed."
                    ))
                    .next(
                        "Download the receipt on the license server's page again (ONLINE LICENSING, Give back some seats): if it \
                         offers none, there is nothing left to upload.",
                        who::YOU,
                    )
            }
            Failure::ReceiptUnknownDocument { name, rev } => {
                Problem::new(409, "UNKNOWN_DOCUMENT", "The receipt is about a document that this portal never issued.")
                    .detail(format!(
                        "`{name}` names document number {rev}, which is not known here, or is known with another text: this portal may \
                         have been restored from a backup. Nothing was changed; its seats count as out."
                    ))
                    .next(
                        "Renew the workstation with a new request file, load the new .crt file on the license server, and give the \
                         seats back again.",
                        who::YOU,
                    )
            }
            Failure::ReceiptOfLost { name } => {
                Problem::new(409, "DECLARED_LOST", "This workstation was declared lost.")
                    .detail(format!("`{name}` gets nothing any more, so a receipt that keeps seats is not taken."))
                    .next(
                        "Disable the license server on its own page, and upload the receipt of that: its seats are free then. To use \
                         it again, activate it anew.",
                        "the administrator of the license server",
                    )
            }
            Failure::NotWrittenOff { name, allowed, used, free_at } => {
                let what = if *allowed == 0 {
                    "The vendor does not allow seats of these licenses to be written off.".to_owned()
                } else {
                    format!("The vendor allows {allowed} seats of these licenses to be written off within a year, and {used} were.")
                };
                Problem::new(409, "WRITE_OFF_DENIED", what)
                    .detail(format!(
                        "Whoever has `{name}` may use its seats until they end, so they are free by themselves on {}. Nothing was changed.",
                        sentence_time(*free_at)
                    ))
                    .next(
                        "Declare it lost without a write-off and wait until then, or ask the vendor for a higher allowance.",
                        "the administrator, with the software's vendor",
                    )
            }
            _ => return None,
        })
    }
}
