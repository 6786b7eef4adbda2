//! The three documents of borrowing: the request of a machine, the pass that answers it, and the receipt by which the
//! pass is given back.
//!
//! A pass has a key of its own, made by the machine and never leaving it. The key signs the request, so that whoever has
//! the pass file alone can neither extend nor return it, and the receipt, after which it is destroyed. Over the network
//! and in files the documents are the same.

use crate::armor;
use crate::certificate::{VendorRoot, shown, verify_workstation_certificate};
use crate::documents::DocumentError;
use crate::file_problem::{FileKind, FileProblem, read_blocks};
use crate::grant::{VerifiedGrant, verify_grant};
use crate::jws::{Signer, Unverified, typ};
use crate::keys::{PublicKey, SigningKey, Thumbprint};
use jiff::civil::Date;
use leasehold_core::ids::{PassId, ReceiptId, RequestId, WorkstationId};
use leasehold_core::license::FeatureCode;
use leasehold_core::text::{NAME_CHARS_MAX, TOKEN_BYTES_MAX};
use leasehold_core::time::{DAY_MS, HOUR_MS, Ms, numeric_date};
use rustls_pki_types::CertificateDer;
use serde::{Deserialize, Serialize};

/// Format version of these documents that this build writes and reads.
pub const PASS_VERSION: u32 = 1;
/// A request is good for this long, in milliseconds.
pub const PASS_REQUEST_AGE_MAX_MS: i64 = 7 * DAY_MS;
/// A request may be from this far in the future, in milliseconds: nobody's fault but a clock's.
const FUTURE_MAX_MS: i64 = 48 * HOUR_MS;
/// Longest document that is read, in bytes.
const BYTES_MAX: usize = 16 * 1024;
/// Certificates in a pass file: at least workstation and issuing CA.
const CERTIFICATES: std::ops::RangeInclusive<usize> = 2..=6;

/// What a machine asks for. Claims of the asker: signed by the pass's key, vouched for by nobody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PassRequestFacts {
    /// Names the request.
    pub request: RequestId,
    /// When it was made, by the machine's clock. Whole seconds.
    pub issued_at: Ms,
    /// What is wanted.
    pub feature: FeatureCode,
    /// How many seats.
    pub seats: u32,
    /// For how many days.
    pub days: u32,
    /// The application's version. Hostile text.
    pub version: String,
    /// The date compiled into the application.
    pub released_on: Option<Date>,
    /// Who will work with it. Hostile text.
    pub user: String,
    /// The machine's name. Hostile text.
    pub host: String,
    /// Hash of the machine's id with the vendor's name: the pass is bound to it.
    pub machine: String,
}

#[derive(Serialize, Deserialize)]
struct PassRequestClaims {
    v: u32,
    /// The key that asks, for itself.
    iss: Thumbprint,
    sub: Thumbprint,
    jti: RequestId,
    #[serde(with = "numeric_date")]
    iat: Ms,
    /// The key, as JWK in its shortest form.
    jwk: String,
    feature: FeatureCode,
    seats: u32,
    days: u32,
    #[serde(default)]
    version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    released_on: Option<Date>,
    user: String,
    host: String,
    machine: String,
}

/// A request that was read and whose signature fits the key in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PassRequest {
    /// The key that asks.
    pub public_key: PublicKey,
    /// What it says.
    pub facts: PassRequestFacts,
}

/// The signed request of a machine, as it is sent.
pub fn sign_pass_request(key: &SigningKey, facts: &PassRequestFacts) -> String {
    let claims = PassRequestClaims {
        v: PASS_VERSION,
        iss: key.thumbprint(),
        sub: key.thumbprint(),
        jti: facts.request,
        iat: facts.issued_at,
        jwk: key.public().to_jwk(),
        feature: facts.feature.clone(),
        seats: facts.seats,
        days: facts.days,
        version: shown(&facts.version, NAME_CHARS_MAX),
        released_on: facts.released_on,
        user: shown(&facts.user, NAME_CHARS_MAX),
        host: shown(&facts.host, NAME_CHARS_MAX),
        machine: shown(&facts.machine, TOKEN_BYTES_MAX),
    };
    Signer::new(key.clone(), typ::PASS_REQUEST, &[]).sign(&claims)
}

/// The same as a file to carry.
pub fn pass_request_file(token: &str) -> String {
    armor::encode(armor::PASS_REQUEST, token.as_bytes())
}

/// The token in a request file.
pub fn read_pass_request_file(bytes: &[u8]) -> Result<String, FileProblem> {
    one_token(bytes, FileKind::PassRequest)
}

/// Reads a signed request.
pub fn read_pass_request(token: &str, now: Ms) -> Result<PassRequest, FileProblem> {
    let file = FileKind::PassRequest;
    let problem = |error| FileProblem::from_document(error, file);
    let document = Unverified::split(token, typ::PASS_REQUEST, BYTES_MAX).map_err(problem)?;
    // The key stands in the document that it signs: it proves only that whoever made it has the key, which is all that is
    // claimed.
    let jwk = document.unverified_text("jwk").map_err(problem)?;
    let public_key = PublicKey::from_jwk(&jwk).map_err(|_| FileProblem::Damaged { wanted: file })?;
    let claims: PassRequestClaims = document.verify(&public_key, PASS_VERSION).map_err(problem)?;
    let named = public_key.thumbprint();
    if claims.iss != named || claims.sub != named || claims.jwk != public_key.to_jwk() {
        return Err(FileProblem::BadSignature { wanted: file });
    }
    if now.since(claims.iat) > PASS_REQUEST_AGE_MAX_MS {
        return Err(FileProblem::Expired { file, at: claims.iat });
    }
    if claims.iat.since(now) > FUTURE_MAX_MS {
        return Err(FileProblem::ClockWrong { file, file_at: claims.iat, now });
    }
    let facts = PassRequestFacts {
        request: claims.jti,
        issued_at: claims.iat,
        feature: claims.feature,
        seats: claims.seats,
        days: claims.days,
        version: shown(&claims.version, NAME_CHARS_MAX),
        released_on: claims.released_on,
        user: shown(&claims.user, NAME_CHARS_MAX),
        host: shown(&claims.host, NAME_CHARS_MAX),
        machine: shown(&claims.machine, TOKEN_BYTES_MAX),
    };
    Ok(PassRequest { public_key, facts })
}

/// The claims of a pass. Members that a newer server adds within the same format are ignored.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PassClaims {
    /// [`PASS_VERSION`].
    pub v: u32,
    /// The license server that lends.
    pub iss: WorkstationId,
    /// The pass.
    pub sub: PassId,
    /// Names this document; no two answers have the same.
    pub jti: String,
    /// When it was signed, by the server's clock. Whole seconds.
    #[serde(with = "numeric_date")]
    pub iat: Ms,
    /// When its term began. Whole seconds.
    #[serde(with = "numeric_date")]
    pub nbf: Ms,
    /// No process serves past this. Whole seconds.
    #[serde(with = "numeric_date")]
    pub exp: Ms,
    /// Thumbprint of the pass's key.
    pub jkt: Thumbprint,
    /// Hash of the machine's id with the vendor's name.
    pub machine: String,
    /// What is lent.
    pub feature: FeatureCode,
    /// How many seats, and so how many processes at once; at least 1.
    pub seats: u32,
    /// Who borrowed. Hostile text.
    pub user: String,
    /// Where. Hostile text.
    pub host: String,
    /// The longest term that can be asked for, in days.
    pub days_max: u32,
    /// If it is returned early, its seats come free at its end only.
    #[serde(default)]
    pub return_at_end: bool,
    /// SHA-256 of the grant document on which the pass stands, in hex.
    pub grant_sha256: String,
}

/// Signs passes with the workstation's key.
#[derive(Clone, Debug)]
pub struct PassSigner(Signer);

impl PassSigner {
    /// A signer with the key that the grant names.
    pub fn new(key: SigningKey) -> PassSigner {
        PassSigner(Signer::new(key, typ::PASS, &[]))
    }

    /// The signed pass.
    pub fn sign(&self, claims: &PassClaims) -> String {
        self.0.sign(claims)
    }
}

/// The text of a pass file: everything that a machine needs to believe in it without a network. `certificates` are the
/// workstation's and those between it and the root, as DER.
pub fn pass_file(certificates: &[CertificateDer<'_>], pass_token: &str, grant_token: &str) -> String {
    let certificates = certificates.iter().map(|der| armor::encode(armor::CERTIFICATE, der)).collect::<String>();
    certificates
        + &armor::encode(armor::PASS, pass_token.as_bytes())
        + &armor::encode(armor::GRANT, grant_token.as_bytes())
}

/// A pass of which everything was verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifiedPass {
    /// What it says.
    pub claims: PassClaims,
    /// The document on which it stands.
    pub grant: VerifiedGrant,
}

/// Reads a pass file and checks root -> workstation -> pass and root -> document key -> grant, and that the grant allows
/// it. Whose key and which machine it is for is the caller's to compare.
pub fn read_pass_file(bytes: &[u8], root: &VendorRoot, now: Ms) -> Result<VerifiedPass, FileProblem> {
    let wanted = FileKind::Pass;
    let problem = |error| FileProblem::from_document(error, wanted);
    let blocks = read_blocks(bytes, wanted)?;
    let [certificates @ .., pass, grant] = blocks.as_slice() else { return Err(FileProblem::Damaged { wanted }) };
    let shape = pass.label == armor::PASS
        && grant.label == armor::GRANT
        && CERTIFICATES.contains(&certificates.len())
        && certificates.iter().all(|block| block.label == armor::CERTIFICATE);
    if !shape {
        return Err(FileProblem::Damaged { wanted });
    }
    let text =
        |bytes: &[u8]| std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| FileProblem::Damaged { wanted });
    let chain: Vec<_> = certificates.iter().map(|block| CertificateDer::from(block.bytes.clone())).collect();
    let key = verify_workstation_certificate(&chain, root, now).map_err(problem)?;
    let grant = verify_grant(&text(&grant.bytes)?, root, now).map_err(problem)?;
    let pass = text(&pass.bytes)?;
    let claims: PassClaims = Unverified::split(&pass, typ::PASS, BYTES_MAX)
        .and_then(|document| document.verify(&key, PASS_VERSION))
        .map_err(problem)?;
    if !grant.is_for(&key) || claims.iss != grant.grant.workstation || claims.grant_sha256 != grant.sha256_hex {
        return Err(FileProblem::BadSignature { wanted });
    }
    if !grant.grant.allows_pass(&claims.feature, claims.exp) || claims.seats == 0 {
        return Err(problem(DocumentError::Malformed("the vendor did not allow the license server to lend it")));
    }
    Ok(VerifiedPass { claims, grant })
}

/// What a machine declares when it gives a pass back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PassReceiptFacts {
    /// Names the receipt.
    pub receipt: ReceiptId,
    /// Which pass.
    pub pass: PassId,
    /// When, by the machine's clock, right or wrong. Whole seconds.
    pub returned_at: Ms,
}

#[derive(Serialize, Deserialize)]
struct PassReceiptClaims {
    v: u32,
    /// The key that is destroyed.
    iss: Thumbprint,
    sub: PassId,
    jti: ReceiptId,
    #[serde(with = "numeric_date")]
    iat: Ms,
}

/// The signed receipt. The last thing that `key` signs.
pub fn sign_pass_receipt(key: &SigningKey, facts: &PassReceiptFacts) -> String {
    let claims = PassReceiptClaims {
        v: PASS_VERSION,
        iss: key.thumbprint(),
        sub: facts.pass,
        jti: facts.receipt,
        iat: facts.returned_at,
    };
    Signer::new(key.clone(), typ::PASS_RECEIPT, &[]).sign(&claims)
}

/// The same as a file to carry.
pub fn pass_receipt_file(token: &str) -> String {
    armor::encode(armor::PASS_RECEIPT, token.as_bytes())
}

/// The token in a receipt file.
pub fn read_pass_receipt_file(bytes: &[u8]) -> Result<String, FileProblem> {
    one_token(bytes, FileKind::PassReceipt)
}

/// Which pass a receipt is about. Nothing is believed yet: find the pass, then [`verify_pass_receipt`] with its key.
pub fn pass_of_receipt(token: &str) -> Result<PassId, FileProblem> {
    let wanted = FileKind::PassReceipt;
    let document = Unverified::split(token, typ::PASS_RECEIPT, BYTES_MAX)
        .map_err(|error| FileProblem::from_document(error, wanted))?;
    let sub = document.unverified_text("sub").map_err(|error| FileProblem::from_document(error, wanted))?;
    sub.parse().map_err(|_| FileProblem::Damaged { wanted })
}

/// What a receipt declares, if the pass's key signed it.
pub fn verify_pass_receipt(token: &str, key: &PublicKey) -> Result<PassReceiptFacts, FileProblem> {
    let claims: PassReceiptClaims = Unverified::split(token, typ::PASS_RECEIPT, BYTES_MAX)
        .and_then(|document| document.verify(key, PASS_VERSION))
        .map_err(|error| FileProblem::from_document(error, FileKind::PassReceipt))?;
    Ok(PassReceiptFacts { receipt: claims.jti, pass: claims.sub, returned_at: claims.iat })
}

fn one_token(bytes: &[u8], wanted: FileKind) -> Result<String, FileProblem> {
    let blocks = read_blocks(bytes, wanted)?;
    let [block] = blocks.as_slice() else { return Err(FileProblem::Damaged { wanted }) };
    std::str::from_utf8(&block.bytes).map(str::to_owned).map_err(|_| FileProblem::Damaged { wanted })
}
