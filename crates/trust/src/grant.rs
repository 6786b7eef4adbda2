//! The grant document: claims around `leasehold_core::grant::Grant`, and its verification from the root down.

use crate::certificate::{VendorRoot, verify_document_certificate};
use crate::documents::{CLOCK_LEEWAY_MS, DocumentError};
use crate::jws::{Signer, Unverified, typ};
use crate::keys::{PublicKey, Thumbprint};
use crate::secret;
use leasehold_core::grant::{GRANT_VERSION, Grant};
use leasehold_core::ids::{GrantId, WorkstationId};
use leasehold_core::time::{Ms, numeric_date};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Longest grant document that is read, in bytes: what fits into a file, less its certificates.
const GRANT_BYTES_MAX: usize = 192 * 1024;

#[derive(Serialize, Deserialize)]
struct GrantClaims<'a> {
    v: u32,
    /// The vendor's name, for people.
    iss: Cow<'a, str>,
    sub: WorkstationId,
    jti: GrantId,
    #[serde(with = "numeric_date")]
    iat: Ms,
    cnf: Confirmation<'a>,
    grant: Cow<'a, Grant>,
}

/// RFC 7800: whoever has this key may use the document.
#[derive(Serialize, Deserialize)]
struct Confirmation<'a> {
    jkt: Cow<'a, Thumbprint>,
}

/// A grant document whose chain and signature were verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifiedGrant {
    /// What it grants.
    pub grant: Grant,
    /// Names the document.
    pub id: GrantId,
    /// Thumbprint of the workstation's key, to which it is bound.
    pub jkt: Thumbprint,
    /// The document as it was signed, with the document key's certificate in its header.
    pub token: String,
    /// SHA-256 of `token` in hex, as leases name it.
    pub sha256_hex: String,
}

impl VerifiedGrant {
    /// Whether it is bound to `key`.
    pub fn is_for(&self, key: &PublicKey) -> bool {
        self.jkt == key.thumbprint()
    }

    /// The latest instant until which a line with `feature` runs; `None` if there is none.
    pub fn feature_until(&self, feature: &str) -> Option<Ms> {
        let lines = self.grant.lines.iter().filter(|line| line.capacity(feature) > 0);
        lines.map(|line| line.until).max()
    }
}

/// Verifies a grant document: its document key up to `root` at `now` (clocks may be a day apart), then its signature.
/// Whether it is bound to the right key ([`VerifiedGrant::is_for`]) and whether its lines still run is the caller's
/// question.
pub fn verify_grant(token: &str, root: &VendorRoot, now: Ms) -> Result<VerifiedGrant, DocumentError> {
    let unverified = Unverified::split(token, typ::GRANT, GRANT_BYTES_MAX)?;
    let certificate = unverified.x5c.first().ok_or(DocumentError::Malformed("it carries no certificate"))?;
    let key = verify_document_certificate(certificate, root, now)?;
    let claims: GrantClaims<'static> = unverified.verify(&key, GRANT_VERSION)?;
    let grant = claims.grant.into_owned();
    if claims.sub != grant.workstation || claims.iat != grant.issued_at {
        return Err(DocumentError::Malformed("its parts contradict each other"));
    }
    if grant.issued_at > now.plus(CLOCK_LEEWAY_MS) {
        return Err(DocumentError::ClockWrong { file_at: grant.issued_at, now });
    }
    Ok(VerifiedGrant {
        grant,
        id: claims.jti,
        jkt: claims.cnf.jkt.into_owned(),
        token: token.to_owned(),
        sha256_hex: secret::sha256_hex(token.as_bytes()),
    })
}

/// Signs `grant` for the key `jkt`.
pub(crate) fn sign(signer: &Signer, vendor: &str, grant: &Grant, jkt: &Thumbprint, jti: GrantId) -> String {
    signer.sign(&GrantClaims {
        v: GRANT_VERSION,
        iss: Cow::Borrowed(vendor),
        sub: grant.workstation,
        jti,
        iat: grant.issued_at,
        cnf: Confirmation { jkt: Cow::Borrowed(jkt) },
        grant: Cow::Borrowed(grant),
    })
}
