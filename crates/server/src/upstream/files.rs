//! Activation by files: the request that goes to the portal and the `.crt` that comes back (`PROTOCOL.md` section 11).
//!
//! Bytes in, verified documents out; what is stored and put in force is the engine's.

use crate::store::StoredDocument;
use leasehold_core::engine::{Document, Engine};
use leasehold_core::ids::RequestId;
use leasehold_core::time::Ms;
use leasehold_core::times::TimeTable;
use leasehold_trust::activation_file::{Activation, read_activation_file};
use leasehold_trust::request::{RequestFacts, build_request};
use leasehold_trust::{FileProblem, PublicKey, SigningKey, VendorRoot};

/// A file that was verified, with what the engine needs of it.
#[derive(Clone, Debug)]
pub(crate) struct Reread {
    /// For the engine.
    pub(crate) document: Document,
    /// Certificates and grant.
    pub(crate) activation: Activation,
}

/// Reads an uploaded activation file. Whether its number is newer than the one in force is for the engine to say as
/// well: it may change meanwhile.
pub(crate) fn read(
    bytes: &[u8],
    trust: Option<&VendorRoot>,
    key: &PublicKey,
    rev_in_use: Option<u64>,
    now: Ms,
) -> Result<Reread, FileProblem> {
    let activation = read_activation_file(bytes, trust, key, rev_in_use, now)?;
    let document = Document {
        grant: activation.grant.grant.clone(),
        token: activation.grant.token.as_str().into(),
        sha256: activation.grant.sha256_hex.as_str().into(),
        // Verified, so it is text.
        file: String::from_utf8_lossy(bytes).into(),
    };
    Ok(Reread { document, activation })
}

/// Verifies a file that was put in force before, as of when it was issued: whether its lines still run is for the
/// engine to say, line by line.
pub(crate) fn reread(
    stored: &StoredDocument,
    trust: Option<&VendorRoot>,
    key: &PublicKey,
) -> Result<Reread, FileProblem> {
    read(stored.file.as_bytes(), trust, key, None, stored.issued_at)
}

/// The root in an activation file that was put in force before: the last of its certificates.
pub(crate) fn root_of(file: &str) -> Option<VendorRoot> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    let from = file.rfind(BEGIN)?;
    let to = from + file.get(from..)?.find(END)? + END.len();
    VendorRoot::from_pem(file.get(from..to)?).ok()
}

/// The number that a request says, by which the portal counts what was granted before as void. Nothing is said while
/// leases still run out on seats that the document in force no longer has, or has for less long than somebody borrowed
/// them: the portal would give them to somebody else.
pub(crate) fn rev_to_report(engine: &Engine, _: Ms) -> Option<u64> {
    engine.document().filter(|_| engine.pool().fits(&TimeTable::DEFAULT)).map(|document| document.grant.rev)
}

/// What a request says about this server.
#[derive(Clone, Debug)]
pub(crate) struct RequestParts {
    /// Fresh.
    pub(crate) request: RequestId,
    /// The wall clock's: the portal refuses dates that are far off, and the server's own time may be.
    pub(crate) wall: Ms,
    /// Fingerprint of this machine.
    pub(crate) machine: Box<str>,
    /// See [`rev_to_report`].
    pub(crate) rev_in_use: Option<u64>,
    /// The vendor's root, if it is known.
    pub(crate) trust: Option<VendorRoot>,
}

/// The request file.
pub(crate) fn request_file(key: &SigningKey, parts: &RequestParts) -> String {
    let facts = RequestFacts {
        request: parts.request,
        issued_at: parts.wall,
        fingerprint: parts.machine.to_string(),
        server_version: crate::VERSION.to_owned(),
        rev_in_use: parts.rev_in_use,
        vendor: parts.trust.as_ref().map(VendorRoot::thumbprint),
        host_name: leasehold_host::host_name(),
    };
    build_request(key, &facts)
}
