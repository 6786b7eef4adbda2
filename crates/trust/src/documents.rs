//! What all signed documents share: the one error type, and the leeway for clocks.

use crate::certificate::VendorRef;
use leasehold_core::time::{HOUR_MS, Ms};

/// How far the clocks of issuer and reader may be apart before an absolute time is held against anybody, in
/// milliseconds (`PROTOCOL.md` section 5).
pub const CLOCK_LEEWAY_MS: i64 = 24 * HOUR_MS;

/// Why a signed document is not believed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DocumentError {
    /// Longer than any honest document of its type.
    #[error("the document has {bytes} bytes, and at most {max} are read")]
    Oversized {
        /// Its length.
        bytes: usize,
        /// The cap.
        max: usize,
    },
    /// Not a compact JWS with the members that every document has, or not the claims of its type.
    #[error("the document is damaged: {0}")]
    Malformed(&'static str),
    /// Genuine or not, it is a document for another purpose.
    #[error("the document is not of the type {wanted}")]
    WrongType {
        /// The type that belongs here, such as `lease+jwt`.
        wanted: &'static str,
    },
    /// Not signed by the key that must have signed it, or altered afterwards.
    #[error("the signature is wrong: the document was altered, or signed by a key that may not sign it")]
    BadSignature,
    /// Written by a newer release, in a format that this one cannot judge.
    #[error("the document is in format {v}, which this release does not know: update the program that reads it")]
    NewerFormat {
        /// The format version in the document.
        v: u64,
    },
    /// It leads to another vendor's root.
    #[error("the document comes from {file}, and this program trusts {ours} only")]
    OtherVendor {
        /// The vendor that the document names; nobody vouches for the name.
        file: VendorRef,
        /// The vendor whose root is trusted.
        ours: VendorRef,
    },
    /// Made or valid later than the reader's clock can explain.
    #[error("the document is from {file_at}, and this machine's clock says {now}: one of the two clocks is wrong", file_at = file_at.rfc3339(), now = now.rfc3339())]
    ClockWrong {
        /// When it was made or begins.
        file_at: Ms,
        /// The reader's time.
        now: Ms,
    },
    /// A certificate under it has ended.
    #[error("the certificate behind the document ended at {at}", at = at.rfc3339())]
    Expired {
        /// When it ended.
        at: Ms,
    },
}

impl DocumentError {
    /// Stable code in capitals, for logs and `doctor`.
    pub fn code(&self) -> &'static str {
        match self {
            DocumentError::Oversized { .. } => "DOCUMENT_OVERSIZED",
            DocumentError::Malformed(_) => "DOCUMENT_DAMAGED",
            DocumentError::WrongType { .. } => "DOCUMENT_WRONG_TYPE",
            DocumentError::BadSignature => "DOCUMENT_BAD_SIGNATURE",
            DocumentError::NewerFormat { .. } => "DOCUMENT_NEWER_FORMAT",
            DocumentError::OtherVendor { .. } => "DOCUMENT_OTHER_VENDOR",
            DocumentError::ClockWrong { .. } => "DOCUMENT_CLOCK_WRONG",
            DocumentError::Expired { .. } => "DOCUMENT_EXPIRED",
        }
    }
}
