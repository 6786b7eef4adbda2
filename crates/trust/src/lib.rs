//! Keys, certificates and signed documents: who vouches for what in the tree of leases, and how it is checked
//! (`docs/PROTOCOL.md` sections 11 and 12).
//!
//! Bytes in, verdicts out: no files, no sockets, no clock (times are arguments). Everything that is read here comes
//! from outside and is hostile: length caps come before allocation, signatures before claims, and the algorithm is
//! fixed (ECDSA on P-256 with SHA-256), never taken from input.
//!
//! The chain: `root` -> `issuing CA` -> workstation certificate (identity, no rights), and `root` -> document key ->
//! grants. A lease is signed by the key that the grant names.

pub mod activation_file;
mod armor;
mod certificate;
pub mod documents;
pub mod file_problem;
pub mod grant;
mod jws;
pub mod keys;
pub mod lease;
pub mod pass;
pub mod receipt;
pub mod request;
pub mod secret;
pub mod sync;
pub mod vendor;

pub use certificate::{
    CertificateFacts, SERVER_DNS_NAME, VendorRef, VendorRoot, certificate_ends_at, certificate_facts,
    verify_workstation_certificate,
};
pub use documents::DocumentError;
pub use file_problem::{FILE_BYTES_MAX, FileKind, FileProblem};
pub use grant::{VerifiedGrant, verify_grant};
pub use keys::{PublicKey, SigningKey, Thumbprint};
pub use lease::{LEASE_VERSION, LeaseClaims, LeaseSigner, verify_lease};
pub use vendor::{PortalSigner, Vendor};
