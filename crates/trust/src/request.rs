//! The activation request file: a license server asks the portal for a certificate and a grant.
//!
//! Two PEM blocks: a PKCS#10 request (subject and key only, for people and their tools) and a `request+jwt` by the
//! same key with the facts. The key signs both, so whoever uploads it has the key.

use crate::armor;
use crate::certificate::{is_ecdsa_sha256, shown, subject};
use crate::file_problem::{FileKind, FileProblem, read_blocks};
use crate::jws::{Signer, Unverified, typ};
use crate::keys::{PublicKey, SigningKey, Thumbprint};
use leasehold_core::ids::RequestId;
use leasehold_core::text::{NAME_CHARS_MAX, TOKEN_BYTES_MAX};
use leasehold_core::time::{DAY_MS, HOUR_MS, Ms, numeric_date};
use serde::{Deserialize, Serialize};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer;

/// Format version of requests that this build writes and reads.
pub const REQUEST_VERSION: u32 = 1;
/// A request is good for this long, in milliseconds.
pub const REQUEST_AGE_MAX_MS: i64 = 30 * DAY_MS;
/// A request may be from this far in the future, in milliseconds: nobody's fault but a clock's.
const FUTURE_MAX_MS: i64 = 48 * HOUR_MS;
/// Longest request document that is read, in bytes.
const REQUEST_BYTES_MAX: usize = 16 * 1024;

/// What a license server says about itself. Claims of the asker: signed by its key, vouched for by nobody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RequestFacts {
    /// Names the request; it can be used once.
    pub request: RequestId,
    /// When it was made, by the license server's clock. Whole seconds.
    pub issued_at: Ms,
    /// Fingerprint of the machine.
    pub fingerprint: String,
    /// Release of the license server.
    pub server_version: String,
    /// Number of the grant document that it obeys; `None` before the first.
    pub rev_in_use: Option<u64>,
    /// Thumbprint of the vendor's root that it trusts; `None` if it was given none yet.
    pub vendor: Option<Thumbprint>,
    /// Name of the machine. Hostile text.
    pub host_name: String,
}

#[derive(Serialize, Deserialize)]
struct RequestClaims {
    v: u32,
    /// The key that asks, for itself.
    iss: Thumbprint,
    sub: Thumbprint,
    jti: RequestId,
    #[serde(with = "numeric_date")]
    iat: Ms,
    fingerprint: String,
    server_version: String,
    host_name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rev_in_use: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    vendor: Option<Thumbprint>,
}

/// A request that was read and whose signatures fit its key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ActivationRequest {
    /// The key that asks.
    pub public_key: PublicKey,
    /// Its thumbprint.
    pub thumbprint: Thumbprint,
    /// What it says.
    pub facts: RequestFacts,
}

/// The text of a request file. Too long facts are cut, control characters in them dropped.
pub fn build_request(key: &SigningKey, facts: &RequestFacts) -> String {
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = subject(&facts.host_name, None);
    let csr = params.serialize_request(key).expect("our own parameters make a request");
    let claims = RequestClaims {
        v: REQUEST_VERSION,
        iss: key.thumbprint(),
        sub: key.thumbprint(),
        jti: facts.request,
        iat: facts.issued_at,
        fingerprint: shown(&facts.fingerprint, TOKEN_BYTES_MAX),
        server_version: shown(&facts.server_version, NAME_CHARS_MAX),
        host_name: shown(&facts.host_name, NAME_CHARS_MAX),
        rev_in_use: facts.rev_in_use,
        vendor: facts.vendor.clone(),
    };
    let token = Signer::new(key.clone(), typ::REQUEST, &[]).sign(&claims);
    armor::encode(armor::CERTIFICATE_REQUEST, csr.der()) + &armor::encode(armor::REQUEST, token.as_bytes())
}

/// Reads an uploaded request file. Whether it was used before is the caller's question ([`FileProblem::Replayed`]).
pub fn read_request(bytes: &[u8], now: Ms) -> Result<ActivationRequest, FileProblem> {
    let wanted = FileKind::Request;
    let blocks = read_blocks(bytes, wanted)?;
    let [csr, token] = blocks.as_slice() else { return Err(FileProblem::Damaged { wanted }) };
    if csr.label != armor::CERTIFICATE_REQUEST || token.label != armor::REQUEST {
        return Err(FileProblem::Damaged { wanted });
    }
    let public_key = csr_key(&csr.bytes)?;
    let token = std::str::from_utf8(&token.bytes).map_err(|_| FileProblem::Damaged { wanted })?;
    let claims: RequestClaims = Unverified::split(token, typ::REQUEST, REQUEST_BYTES_MAX)
        .and_then(|document| document.verify(&public_key, REQUEST_VERSION))
        .map_err(|error| FileProblem::from_document(error, wanted))?;
    if now.since(claims.iat) > REQUEST_AGE_MAX_MS {
        return Err(FileProblem::Expired { file: wanted, at: claims.iat });
    }
    if claims.iat.since(now) > FUTURE_MAX_MS {
        return Err(FileProblem::ClockWrong { file: wanted, file_at: claims.iat, now });
    }
    let facts = RequestFacts {
        request: claims.jti,
        issued_at: claims.iat,
        fingerprint: shown(&claims.fingerprint, TOKEN_BYTES_MAX),
        server_version: shown(&claims.server_version, NAME_CHARS_MAX),
        rev_in_use: claims.rev_in_use,
        vendor: claims.vendor,
        host_name: shown(&claims.host_name, NAME_CHARS_MAX),
    };
    Ok(ActivationRequest { thumbprint: public_key.thumbprint(), public_key, facts })
}

/// The key of a CSR that it signed itself. Extensions and attributes are ignored, known or not: the portal decides
/// alone what stands in a certificate.
fn csr_key(der: &[u8]) -> Result<PublicKey, FileProblem> {
    let wanted = FileKind::Request;
    let (rest, csr) = X509CertificationRequest::from_der(der).map_err(|_| FileProblem::Damaged { wanted })?;
    let info = &csr.certification_request_info;
    let key = PublicKey::from_spki_der(info.subject_pki.raw).map_err(|_| FileProblem::Damaged { wanted })?;
    if !rest.is_empty() || !is_ecdsa_sha256(&csr.signature_algorithm) {
        return Err(FileProblem::Damaged { wanted });
    }
    if key.verifies_der(info.raw, &csr.signature_value.data) {
        Ok(key)
    } else {
        Err(FileProblem::BadSignature { wanted })
    }
}
