//! The receipt file: a license server proves to the portal that it gave up what it held, all of it with its key, or some
//! seats.

use crate::armor;
use crate::certificate::shown;
use crate::file_problem::{FileKind, FileProblem, read_blocks};
use crate::jws::{Signer, Unverified, typ};
use crate::keys::{PublicKey, SigningKey, Thumbprint};
use leasehold_core::ids::{LicenseId, ReceiptId, WorkstationId};
use leasehold_core::text::NAME_CHARS_MAX;
use leasehold_core::time::{Ms, numeric_date};
use leasehold_core::usage::Summary;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Newest format version of receipts that this build writes and reads: one that keeps seats. A portal that knows format 1
/// only would take it for one that gives up everything.
pub const RECEIPT_VERSION: u32 = 2;
/// Format version of a receipt that gives up everything.
const RECEIPT_OF_ALL_VERSION: u32 = 1;
/// Longest receipt document that is read, in bytes.
const RECEIPT_BYTES_MAX: usize = 96 * 1024;

/// What a server keeps that gives up some seats. It is on its disk before the receipt is signed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Kept {
    /// Rises with each receipt of this kind of one server.
    pub number: u64,
    /// SHA-256 of the signed document in force, in hex: the seats are those of this one.
    pub document: String,
    /// Seats of each license of the document that it keeps.
    pub seats: BTreeMap<LicenseId, u32>,
}

/// What a license server declares when it gives up its key, or some seats.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReceiptFacts {
    /// Names the receipt; it counts once.
    pub receipt: ReceiptId,
    /// Which workstation gives up.
    pub workstation: WorkstationId,
    /// Number of the grant document that it obeyed last; every one up to now is given up.
    pub rev_in_use: u64,
    /// When, by the license server's clock, right or wrong: for people. Whole seconds.
    pub given_up_at: Ms,
    /// Release of the license server.
    pub server_version: String,
    /// What it keeps; `None` if it gave up everything, and the key.
    pub kept: Option<Kept>,
    /// How its seats were used.
    pub usage: Option<Summary>,
}

#[derive(Serialize, Deserialize)]
struct ReceiptClaims {
    v: u32,
    /// The key that is given up.
    iss: Thumbprint,
    sub: WorkstationId,
    jti: ReceiptId,
    #[serde(with = "numeric_date")]
    iat: Ms,
    rev_in_use: u64,
    server_version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kept: Option<Kept>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    usage: Option<Summary>,
}

/// The text of a receipt file. If it keeps nothing, the last thing that `key` signs.
pub fn build_receipt(key: &SigningKey, facts: &ReceiptFacts) -> String {
    let claims = ReceiptClaims {
        v: if facts.kept.is_some() { RECEIPT_VERSION } else { RECEIPT_OF_ALL_VERSION },
        iss: key.thumbprint(),
        sub: facts.workstation,
        jti: facts.receipt,
        iat: facts.given_up_at,
        rev_in_use: facts.rev_in_use,
        server_version: shown(&facts.server_version, NAME_CHARS_MAX),
        kept: facts.kept.clone(),
        usage: facts.usage.clone().map(Summary::bounded),
    };
    armor::encode(armor::RECEIPT, Signer::new(key.clone(), typ::RECEIPT, &[]).sign(&claims).as_bytes())
}

/// A receipt of which only the signer's name is known. Find the workstation with that key, then
/// [`verify`](UnverifiedReceipt::verify) with the key that was stored when it was activated.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnverifiedReceipt {
    /// Thumbprint of the key that claims to have signed it.
    pub key: Thumbprint,
    token: String,
}

/// Reads an uploaded receipt file.
pub fn read_receipt(bytes: &[u8]) -> Result<UnverifiedReceipt, FileProblem> {
    let wanted = FileKind::Receipt;
    let blocks = read_blocks(bytes, wanted)?;
    let [block] = blocks.as_slice() else { return Err(FileProblem::Damaged { wanted }) };
    let token = std::str::from_utf8(&block.bytes).map_err(|_| FileProblem::Damaged { wanted })?;
    let document = Unverified::split(token, typ::RECEIPT, RECEIPT_BYTES_MAX)
        .map_err(|error| FileProblem::from_document(error, wanted))?;
    Ok(UnverifiedReceipt { key: document.kid, token: token.to_owned() })
}

impl UnverifiedReceipt {
    /// What it declares, if `key` signed it. The caller checks that `workstation` is the one that has this key.
    pub fn verify(&self, key: &PublicKey) -> Result<ReceiptFacts, FileProblem> {
        let file = FileKind::Receipt;
        let claims: ReceiptClaims = Unverified::split(&self.token, typ::RECEIPT, RECEIPT_BYTES_MAX)
            .and_then(|document| document.verify(key, RECEIPT_VERSION))
            .map_err(|error| FileProblem::from_document(error, file))?;
        // A receipt of everything says so by its format: one that lost what it keeps must not become one.
        if (claims.v == RECEIPT_OF_ALL_VERSION) != claims.kept.is_none() {
            return Err(FileProblem::Damaged { wanted: file });
        }
        // Its date does not matter: what was given up stays given up. Receipts that keep something have numbers.
        Ok(ReceiptFacts {
            receipt: claims.jti,
            workstation: claims.sub,
            rev_in_use: claims.rev_in_use,
            given_up_at: claims.iat,
            server_version: shown(&claims.server_version, NAME_CHARS_MAX),
            kept: claims.kept,
            usage: claims.usage.map(Summary::bounded),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use leasehold_core::random::Seeded;

    #[test]
    fn a_receipt_of_everything_and_one_of_some_seats_cannot_become_each_other() {
        let (key, mut random) = (SigningKey::generate(), Seeded::new(1));
        let (receipt, workstation) = (ReceiptId::draw(Ms(1), &mut random), WorkstationId::draw(Ms(1), &mut random));
        let some = Kept { number: 1, document: "ab".to_owned(), seats: BTreeMap::new() };
        for (v, kept, good) in
            [(1, None, true), (2, Some(some.clone()), true), (1, Some(some), false), (2, None, false)]
        {
            let claims = ReceiptClaims {
                v,
                iss: key.thumbprint(),
                sub: workstation,
                jti: receipt,
                iat: Ms(0),
                rev_in_use: 3,
                server_version: String::new(),
                kept,
                usage: None,
            };
            let token = Signer::new(key.clone(), typ::RECEIPT, &[]).sign(&claims);
            let file = armor::encode(armor::RECEIPT, token.as_bytes());
            let read = read_receipt(file.as_bytes()).and_then(|read| read.verify(&key.public()));
            assert_eq!(read.is_ok(), good, "format {v}: {read:?}");
        }
    }
}
