//! The lease document: what a license server signs for each checkout and heartbeat, and what a client checks.

use crate::documents::DocumentError;
use crate::jws::{Signer, Unverified, typ};
use crate::keys::{PublicKey, SigningKey};
use leasehold_core::ids::{LeaseId, WorkstationId};
use leasehold_core::license::FeatureCode;
use leasehold_core::time::{Ms, numeric_date};
use serde::{Deserialize, Serialize};

/// Format version of lease documents that this build writes and reads.
pub const LEASE_VERSION: u32 = 1;
/// Longest lease document that is read, in bytes; an honest one has less than 2 KiB.
const LEASE_BYTES_MAX: usize = 8 * 1024;

/// The claims of a lease document. Members that a newer server adds within the same format are ignored; what a client
/// must understand raises `v`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LeaseClaims {
    /// [`LEASE_VERSION`].
    pub v: u32,
    /// The license server that gives the lease.
    pub iss: WorkstationId,
    /// The lease.
    pub sub: LeaseId,
    /// Names this document; no two answers have the same.
    pub jti: String,
    /// When it was signed, by the server's clock. Whole seconds.
    #[serde(with = "numeric_date")]
    pub iat: Ms,
    /// When the server frees the lease unless it is renewed, by the server's clock. Whole seconds. Clients that can
    /// reach the server go by `ttl_s`, never by this.
    #[serde(with = "numeric_date")]
    pub exp: Ms,
    /// The client's nonce from the request that this answers.
    pub nonce: String,
    /// What is leased.
    pub feature: FeatureCode,
    /// How many seats, at least 1.
    pub seats: u32,
    /// The holder's user name as the client gave it. Hostile text.
    pub user: String,
    /// The holder's machine name as the client gave it. Hostile text.
    pub host: String,
    /// The lease is good for this many seconds from before the request; then its grace begins.
    pub ttl_s: u32,
    /// Seconds until the first renewal is due.
    pub renew_after_s: u32,
    /// Seconds of grace after `ttl_s`.
    pub grace_s: u32,
    /// SHA-256 of the grant document on which the lease stands, in hex.
    pub grant_sha256: String,
}

/// Signs lease documents with the workstation's key. Cloning shares the key; use from any thread.
#[derive(Clone, Debug)]
pub struct LeaseSigner(Signer);

impl LeaseSigner {
    /// A signer with the key that the grant names.
    pub fn new(key: SigningKey) -> LeaseSigner {
        LeaseSigner(Signer::new(key, typ::LEASE, &[]))
    }

    /// The signed document. The hot path: the key is already parsed and the header encoded.
    pub fn sign(&self, claims: &LeaseClaims) -> String {
        self.0.sign(claims)
    }
}

/// The claims of a lease document that `key` signed. The caller compares nonce, feature and grant with its own.
pub fn verify_lease(token: &str, key: &PublicKey) -> Result<LeaseClaims, DocumentError> {
    Unverified::split(token, typ::LEASE, LEASE_BYTES_MAX)?.verify(key, LEASE_VERSION)
}
