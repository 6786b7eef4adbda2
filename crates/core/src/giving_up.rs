//! Decisions of the portal about seats that come back from a server that is not heard of: by receipt, or because the server
//! is lost.
//!
//! Pure: the service loads the facts, these functions judge, the store writes.

use crate::ids::LicenseId;
use crate::time::DAY_MS;

/// A write-off counts against the vendor's allowance for so long, in milliseconds.
pub const WRITE_OFF_MS: i64 = 365 * DAY_MS;

/// What the portal knows when a receipt comes that keeps some seats.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReceiptFacts {
    /// Number of the document that the receipt names.
    pub rev: u64,
    /// Number of the receipt.
    pub number: u64,
    /// The document is one that was issued to this workstation, with just that text.
    pub issued: bool,
    /// Newest document that the server said it obeys.
    pub acknowledged_rev: u64,
    /// Document and number of the newest receipt of this kind that was taken.
    pub newest: Option<(u64, u64)>,
}

/// Why a receipt that was signed by the right key is not taken. Nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReceiptRefusal {
    /// It names a document that was never issued.
    UnknownDocument,
    /// The server has said something newer since.
    Older,
}

/// Whether a receipt may be taken. A server keeps ever less of one document, and never goes back to an older one, so that
/// only a receipt that came after all that is known may lower what counts.
pub fn may_take(facts: &ReceiptFacts) -> Result<(), ReceiptRefusal> {
    if !facts.issued {
        return Err(ReceiptRefusal::UnknownDocument);
    }
    let older = facts.rev < facts.acknowledged_rev;
    let after = facts.newest.is_none_or(|newest| newest < (facts.rev, facts.number));
    if older || !after { Err(ReceiptRefusal::Older) } else { Ok(()) }
}

/// What may be written off of one license at a server that is lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LossFacts {
    /// Which license.
    pub license: LicenseId,
    /// Seats that the server may still be using.
    pub counted: u32,
    /// Seats that the vendor allows to be written off at servers within a year.
    pub allowed: u32,
    /// Of these, written off within the last year.
    pub used: u32,
}

impl LossFacts {
    /// Seats that may be counted as free at once; the others are when their document has ended.
    pub fn may_write_off(&self) -> u32 {
        self.counted.min(self.allowed.saturating_sub(self.used))
    }
}

/// Seats of each license that are counted as free at once, those of none left out.
pub fn write_off(losses: &[LossFacts]) -> Vec<(LicenseId, u32)> {
    let seats = losses.iter().map(|loss| (loss.license, loss.may_write_off()));
    seats.filter(|(_, seats)| *seats > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Seeded;
    use crate::time::Ms;

    #[test]
    fn a_receipt_is_taken_once_in_order_and_only_of_a_document_that_was_issued() {
        let facts = ReceiptFacts { rev: 3, number: 2, issued: true, acknowledged_rev: 3, newest: Some((3, 1)) };
        assert_eq!(may_take(&facts), Ok(()));
        for (wrong, refusal) in [
            (ReceiptFacts { issued: false, ..facts }, ReceiptRefusal::UnknownDocument),
            (ReceiptFacts { number: 1, ..facts }, ReceiptRefusal::Older),
            (ReceiptFacts { newest: Some((3, 2)), ..facts }, ReceiptRefusal::Older),
            (ReceiptFacts { newest: Some((3, 9)), ..facts }, ReceiptRefusal::Older),
            (ReceiptFacts { acknowledged_rev: 4, ..facts }, ReceiptRefusal::Older),
            (ReceiptFacts { newest: Some((4, 1)), ..facts }, ReceiptRefusal::Older),
        ] {
            assert_eq!(may_take(&wrong), Err(refusal), "{wrong:?}");
        }
        // Numbers of a server that was put back begin anew, those of documents never.
        assert_eq!(may_take(&ReceiptFacts { rev: 4, number: 1, newest: Some((3, 7)), ..facts }), Ok(()));
    }

    #[test]
    fn no_more_is_written_off_than_is_left_of_the_year() {
        let license = LicenseId::draw(Ms(1), &mut Seeded::new(1));
        for (counted, allowed, used, seats) in [(5, 0, 0, 0), (5, 3, 0, 3), (5, 3, 2, 1), (5, 9, 2, 5), (5, 3, 7, 0)] {
            let loss = LossFacts { license, counted, allowed, used };
            assert_eq!(loss.may_write_off(), seats, "{loss:?}");
        }
        let some = LossFacts { license, counted: 2, allowed: 1, used: 0 };
        assert_eq!(write_off(&[some, LossFacts { allowed: 0, ..some }]), [(license, 1)]);
    }
}
