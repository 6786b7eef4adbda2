//! The activation file (`.crt`): the portal's answer to a request.
//!
//! PEM: the workstation's certificate first (so that `openssl x509 -text` shows it), the issuing CA, the root, then the
//! grant document. The order of checks is the order of what a person can act on.

use crate::armor;
use crate::certificate::{Certificate, VendorRoot, verify_workstation_certificate};
use crate::documents::DocumentError;
use crate::file_problem::{FILE_BYTES_MAX, FileKind, FileProblem, read_blocks};
use crate::grant::{VerifiedGrant, verify_grant};
use crate::keys::PublicKey;
use crate::vendor::PortalSigner;
use leasehold_core::time::Ms;
use rustls_pki_types::CertificateDer;

/// Certificates in a file: at least workstation, issuing CA and root; more once roots overlap.
const CERTIFICATES: std::ops::RangeInclusive<usize> = 3..=6;

/// A grant with so many lines that no server would read the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "the activation file would have {bytes} bytes, and license servers read {FILE_BYTES_MAX} at most: put fewer licenses on this workstation"
)]
pub struct TooManyLines {
    /// Its size.
    pub bytes: usize,
}

/// An activation file that may be taken into use: everything in it was verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Activation {
    /// The vendor's root from the file: the pinned one, or the one to pin if there was none.
    pub root: VendorRoot,
    /// The workstation's certificate and those between it and the root, as PEM, for TLS and for keeping.
    pub certificate_chain_pem: String,
    /// The same as DER.
    pub certificate_chain: Vec<CertificateDer<'static>>,
    /// What it grants.
    pub grant: VerifiedGrant,
}

/// The text of an activation file. Refused only if it would be larger than any license server reads.
pub fn build_activation_file(
    signer: &PortalSigner,
    workstation_certificate_pem: &str,
    grant_token: &str,
) -> Result<String, TooManyLines> {
    let grant = armor::encode(armor::GRANT, grant_token.as_bytes());
    let file = [workstation_certificate_pem, signer.issuing_pem(), &signer.root().pem(), &grant].concat();
    if file.len() > FILE_BYTES_MAX { Err(TooManyLines { bytes: file.len() }) } else { Ok(file) }
}

/// An activation file that was verified, with another document in the place of its own: what a server keeps of a document
/// that came by sync. `None` if it is no activation file.
pub fn with_grant(file: &str, grant_token: &str) -> Option<String> {
    let mut blocks = read_blocks(file.as_bytes(), FileKind::Activation).ok()?;
    blocks.pop().filter(|block| block.label == armor::GRANT)?;
    let certificates = blocks.iter().map(|block| armor::encode(armor::CERTIFICATE, &block.bytes));
    Some(certificates.collect::<String>() + &armor::encode(armor::GRANT, grant_token.as_bytes()))
}

/// Reads an uploaded activation file on the license server that has `own_key`. `trust` is the pinned root, if any;
/// without one the file's own root is returned to be pinned, and the person who uploads it vouches for it.
/// `rev_in_use` is the number of the document in use.
pub fn read_activation_file(
    bytes: &[u8],
    trust: Option<&VendorRoot>,
    own_key: &PublicKey,
    rev_in_use: Option<u64>,
    now: Ms,
) -> Result<Activation, FileProblem> {
    let wanted = FileKind::Activation;
    let problem = |error| FileProblem::from_document(error, wanted);
    let parts = split(bytes)?;
    verify_workstation_certificate(&parts.chain, &parts.root, now).map_err(|error| match error {
        // The root is the file's own: parts of several files were put together.
        DocumentError::OtherVendor { .. } => FileProblem::BadSignature { wanted },
        error => problem(error),
    })?;
    if let Some(ours) = trust
        && *ours != parts.root
    {
        return Err(FileProblem::OtherVendor { file: parts.root.vendor_ref(), ours: ours.vendor_ref() });
    }
    if parts.leaf.public_key != *own_key {
        return Err(FileProblem::OtherServer { file_workstation: parts.leaf.common_name });
    }
    let grant = verify_grant(&parts.token, &parts.root, now).map_err(problem)?;
    if !grant.is_for(own_key) {
        return Err(FileProblem::OtherServer { file_workstation: grant.grant.workstation_name });
    }
    judge_rev(grant.grant.rev, rev_in_use)?;
    let ends_at = grant.grant.ends_at();
    if !grant.grant.lines.is_empty() && ends_at <= now {
        return Err(FileProblem::Expired { file: wanted, at: ends_at });
    }
    Ok(Activation {
        root: parts.root,
        certificate_chain_pem: parts.chain.iter().map(|der| armor::encode(armor::CERTIFICATE, der)).collect(),
        certificate_chain: parts.chain,
        grant,
    })
}

fn judge_rev(file_rev: u64, in_use: Option<u64>) -> Result<(), FileProblem> {
    match in_use {
        Some(in_use) if file_rev == in_use => Err(FileProblem::Twice { rev: in_use }),
        Some(in_use) if file_rev < in_use => Err(FileProblem::Older { file_rev, in_use }),
        _ => Ok(()),
    }
}

struct Parts {
    leaf: Certificate,
    /// Without the root.
    chain: Vec<CertificateDer<'static>>,
    root: VendorRoot,
    token: String,
}

fn split(bytes: &[u8]) -> Result<Parts, FileProblem> {
    let damaged = FileProblem::Damaged { wanted: FileKind::Activation };
    let mut blocks = read_blocks(bytes, FileKind::Activation)?;
    let grant = blocks.pop().filter(|block| block.label == armor::GRANT).ok_or(damaged.clone())?;
    let certificates_only = blocks.iter().all(|block| block.label == armor::CERTIFICATE);
    if !certificates_only || !CERTIFICATES.contains(&blocks.len()) {
        return Err(damaged);
    }
    let root = blocks.pop().and_then(|block| VendorRoot::from_der(&block.bytes).ok()).ok_or(damaged.clone())?;
    let leaf = Certificate::read(&blocks[0].bytes).ok_or(damaged.clone())?;
    let token = String::from_utf8(grant.bytes).map_err(|_| damaged)?;
    let chain = blocks.into_iter().map(|block| CertificateDer::from(block.bytes)).collect();
    Ok(Parts { leaf, chain, root, token })
}
