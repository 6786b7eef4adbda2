//! The receipt file: a license server that destroyed its key proves to the portal that it gave up what it held.

use crate::armor;
use crate::certificate::shown;
use crate::file_problem::{FileKind, FileProblem, read_blocks};
use crate::jws::{Signer, Unverified, typ};
use crate::keys::{PublicKey, SigningKey, Thumbprint};
use leasehold_core::ids::{ReceiptId, WorkstationId};
use leasehold_core::text::NAME_CHARS_MAX;
use leasehold_core::time::{Ms, numeric_date};
use serde::{Deserialize, Serialize};

/// Format version of receipts that this build writes and reads.
pub const RECEIPT_VERSION: u32 = 1;
/// Longest receipt document that is read, in bytes.
const RECEIPT_BYTES_MAX: usize = 16 * 1024;

/// What a license server declares when it gives up its key.
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
}

/// The text of a receipt file. The last thing that `key` signs.
pub fn build_receipt(key: &SigningKey, facts: &ReceiptFacts) -> String {
    let claims = ReceiptClaims {
        v: RECEIPT_VERSION,
        iss: key.thumbprint(),
        sub: facts.workstation,
        jti: facts.receipt,
        iat: facts.given_up_at,
        rev_in_use: facts.rev_in_use,
        server_version: shown(&facts.server_version, NAME_CHARS_MAX),
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
        // Its date does not matter: what was given up stays given up, and the key that could date it anew is destroyed.
        Ok(ReceiptFacts {
            receipt: claims.jti,
            workstation: claims.sub,
            rev_in_use: claims.rev_in_use,
            given_up_at: claims.iat,
            server_version: shown(&claims.server_version, NAME_CHARS_MAX),
        })
    }
}
