//! The two signed parts of a sync (`PROTOCOL.md` section 2): the token by which a request is the workstation's, and the
//! portal's answer.
//!
//! A proxy that opens TLS can read a sync and cannot alter it: the request's token is over its number and the hash of its
//! body, the answer is over that hash. Freshness comes from the number; dates only keep very old copies out.

use crate::certificate::{Certificate, VendorRoot, verify_document_certificate};
use crate::documents::DocumentError;
use crate::jws::{Signer, Unverified, typ};
use crate::keys::{PublicKey, SigningKey, Thumbprint};
use crate::secret;
use leasehold_core::ids::WorkstationId;
use leasehold_core::sync::{SYNC_VERSION, SyncAnswer};
use leasehold_core::time::{HOUR_MS, Ms, numeric_date};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A request may be this far from the portal's time, in milliseconds: the clocks of both ends may be wrong.
const AGE_MAX_MS: i64 = 48 * HOUR_MS;
/// Longest token of a request that is read, in bytes.
const TOKEN_BYTES_MAX: usize = 4 * 1024;
/// Longest answer that is read, in bytes: a whole grant document with what stands around it.
pub const ANSWER_BYTES_MAX: usize = 768 * 1024;

#[derive(Serialize, Deserialize)]
struct RequestClaims<'a> {
    v: u32,
    iss: Thumbprint,
    sub: WorkstationId,
    #[serde(with = "numeric_date")]
    iat: Ms,
    seq: u64,
    body_sha256: Cow<'a, str>,
}

/// The token that goes with a request of `body`, signed at `now` by the machine's wall clock. `seq` is 0 for a long
/// poll, which changes nothing.
pub fn sign_request(key: &SigningKey, workstation: WorkstationId, seq: u64, body: &[u8], now: Ms) -> String {
    let body_sha256 = Cow::Owned(secret::sha256_hex(body));
    let claims = RequestClaims { v: SYNC_VERSION, iss: key.thumbprint(), sub: workstation, iat: now, seq, body_sha256 };
    Signer::new(key.clone(), typ::SYNC, &[]).sign(&claims)
}

/// A request's token of which only the claimed key is known. Find the workstation with that key, then
/// [`verify`](UnverifiedRequest::verify) with the key that was stored when it was activated.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnverifiedRequest {
    /// Thumbprint of the key that claims to have signed it.
    pub key: Thumbprint,
    token: String,
}

/// Who signed a request, and what.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifiedRequest {
    /// The workstation that it speaks for.
    pub workstation: WorkstationId,
    /// The number; 0 for a long poll.
    pub seq: u64,
    /// Hash of the body, in hex.
    pub body_sha256: String,
    /// When it was signed, by the server's wall clock. Whole seconds.
    pub signed_at: Ms,
}

/// Reads the token of a request.
pub fn read_request_token(token: &str) -> Result<UnverifiedRequest, DocumentError> {
    let document = Unverified::split(token, typ::SYNC, TOKEN_BYTES_MAX)?;
    Ok(UnverifiedRequest { key: document.kid, token: token.to_owned() })
}

impl UnverifiedRequest {
    /// What it says, if `key` signed it, `body` is what it was signed over, and its date is not absurd.
    pub fn verify(&self, key: &PublicKey, body: &[u8], now: Ms) -> Result<VerifiedRequest, DocumentError> {
        let claims: RequestClaims<'static> =
            Unverified::split(&self.token, typ::SYNC, TOKEN_BYTES_MAX)?.verify(key, SYNC_VERSION)?;
        if claims.body_sha256 != secret::sha256_hex(body) {
            return Err(DocumentError::BadSignature);
        }
        if now.since(claims.iat).abs() > AGE_MAX_MS {
            return Err(DocumentError::ClockWrong { file_at: claims.iat, now });
        }
        Ok(VerifiedRequest {
            workstation: claims.sub,
            seq: claims.seq,
            body_sha256: claims.body_sha256.into_owned(),
            signed_at: claims.iat,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct AnswerClaims<'a> {
    v: u32,
    /// The vendor's name, for people.
    iss: Cow<'a, str>,
    sub: WorkstationId,
    #[serde(with = "numeric_date")]
    iat: Ms,
    answer: Cow<'a, SyncAnswer>,
}

/// Signs an answer as the portal does.
pub(crate) fn sign_answer(signer: &Signer, vendor: &str, answer: &SyncAnswer) -> String {
    signer.sign(&AnswerClaims {
        v: SYNC_VERSION,
        iss: Cow::Borrowed(vendor),
        sub: answer.workstation,
        iat: answer.at,
        answer: Cow::Borrowed(answer),
    })
}

/// An answer that the vendor signed, to the request with the hash `request_sha256` of `workstation`. The document in it
/// is not verified here.
pub fn verify_answer(
    token: &str,
    root: &VendorRoot,
    workstation: WorkstationId,
    request_sha256: &str,
) -> Result<SyncAnswer, DocumentError> {
    let unverified = Unverified::split(token, typ::ANSWER, ANSWER_BYTES_MAX)?;
    let certificate = unverified.x5c.first().ok_or(DocumentError::Malformed("it carries no certificate"))?;
    let signer = Certificate::read(certificate).ok_or(DocumentError::Malformed("its certificate is unreadable"))?;
    let claims: AnswerClaims<'static> = unverified.verify(&signer.public_key, SYNC_VERSION)?;
    // As of the date that the answer gives itself: from it the server learns what time it is.
    verify_document_certificate(certificate, root, claims.iat)?;
    let answer = claims.answer.into_owned();
    let same = claims.sub == workstation && answer.workstation == workstation;
    if !same || answer.request_sha256 != request_sha256 || claims.iat != answer.at.floor_to_second() {
        return Err(DocumentError::Malformed("it answers another request"));
    }
    Ok(answer)
}
