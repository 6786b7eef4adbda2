//! X.509: reading certificates, the vendor's root, and the two chains that are ever verified.
//!
//! Path building and validity are webpki's, with the time as an argument; this file says which usage each chain must
//! have and how much clocks may differ. Making certificates is in `vendor`.

use crate::documents::{CLOCK_LEEWAY_MS, DocumentError};
use crate::keys::{PublicKey, Thumbprint};
use crate::secret;
use leasehold_core::text::{NAME_CHARS_MAX, is_invisible_control};
use leasehold_core::time::Ms;
use rustls_pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use webpki::{EndEntityCert, KeyUsage};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// The name in every workstation certificate. Clients ask for it by SNI whatever address they connect to, and a server
/// shows its workstation certificate for it. `.invalid` never resolves (RFC 2606).
pub const SERVER_DNS_NAME: &str = "license-server.leasehold.invalid";

/// Longest certificate that is read, in bytes.
const CERTIFICATE_BYTES_MAX: usize = 16 * 1024;
/// Upper bound of a common name (RFC 5280 appendix A), in characters.
const COMMON_NAME_CHARS_MAX: usize = 64;
/// `ecdsa-with-SHA256`, 1.2.840.10045.4.3.2.
const ECDSA_WITH_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
/// `id-kp-serverAuth`, 1.3.6.1.5.5.7.3.1.
const SERVER_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];
/// Our own extended key usage "signs grants": 2.25.229008959088279513046355617553883793844, an OID from a UUID
/// (X.667), so that nobody had to assign it. A certificate without it signs no grant.
pub(crate) const SIGNS_GRANTS: &[u8] = &[
    0x69, 0x82, 0xd8, 0xc9, 0xc2, 0xdb, 0x8a, 0xa5, 0xb2, 0xb5, 0x85, 0xa3, 0x9d, 0x91, 0x84, 0xb2, 0x85, 0xec, 0x93,
    0x34,
];

/// A vendor as a sentence names it: what its root calls itself and the start of the root's fingerprint, because a
/// counterfeit may bear the same name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VendorRef {
    /// The name in the certificate, without control characters. Still hostile text.
    pub name: String,
    /// The first eight pairs of the SHA-256 of the root certificate, `AB:CD:...`; empty where the root itself is not at
    /// hand.
    pub fingerprint: String,
}

impl fmt::Display for VendorRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.name)?;
        if self.fingerprint.is_empty() { Ok(()) } else { write!(f, " (root {}...)", self.fingerprint) }
    }
}

/// What is read from a certificate.
pub(crate) struct Certificate {
    pub(crate) common_name: String,
    pub(crate) issuer_name: String,
    pub(crate) public_key: PublicKey,
    pub(crate) not_after: Ms,
    is_ca: bool,
    self_signed: bool,
}

impl Certificate {
    /// Reads one P-256 certificate without trailing bytes. Nothing in it is vouched for yet.
    pub(crate) fn read(der: &[u8]) -> Option<Certificate> {
        if der.len() > CERTIFICATE_BYTES_MAX {
            return None;
        }
        let (rest, x509) = X509Certificate::from_der(der).ok()?;
        if !rest.is_empty() {
            return None;
        }
        let public_key = PublicKey::from_spki_der(x509.public_key().raw).ok()?;
        let self_signed = x509.subject().as_raw() == x509.issuer().as_raw()
            && is_ecdsa_sha256(&x509.signature_algorithm)
            && public_key.verifies_der(x509.tbs_certificate.as_ref(), &x509.signature_value.data);
        Some(Certificate {
            common_name: common_name(x509.subject()),
            issuer_name: common_name(x509.issuer()),
            public_key,
            not_after: Ms::from_seconds(x509.validity().not_after.timestamp()),
            is_ca: x509.is_ca(),
            self_signed,
        })
    }
}

/// Whether a signature claims the one algorithm that is accepted.
pub(crate) fn is_ecdsa_sha256(algorithm: &x509_parser::x509::AlgorithmIdentifier<'_>) -> bool {
    algorithm.algorithm.as_bytes() == ECDSA_WITH_SHA256
}

fn common_name(name: &x509_parser::x509::X509Name<'_>) -> String {
    let text = name.iter_common_name().next().and_then(|cn| cn.as_str().ok()).unwrap_or("(no name)");
    shown(text, NAME_CHARS_MAX)
}

/// A text from outside without control characters and cut to `chars_max`, fit to stand in a sentence or a subject.
pub(crate) fn shown(text: &str, chars_max: usize) -> String {
    text.chars().filter(|c| !is_invisible_control(*c)).take(chars_max).collect()
}

/// The vendor's root certificate: the one thing that clients and servers trust from the start. Cloning shares it.
#[derive(Clone)]
pub struct VendorRoot(Arc<RootParts>);

struct RootParts {
    der: CertificateDer<'static>,
    anchor: TrustAnchor<'static>,
    name: String,
    public_key: PublicKey,
    not_after: Ms,
}

/// The bytes are not a vendor's root certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("this is not the root certificate of a Leasehold vendor (a self-signed P-256 CA certificate in PEM form)")]
pub struct NotARoot;

impl VendorRoot {
    /// Reads a PEM file with exactly one certificate: self-signed, a CA, P-256. Its validity is not looked at: a root
    /// is trusted because it was handed over, not because of a date that it bears.
    pub fn from_pem(text: &str) -> Result<VendorRoot, NotARoot> {
        if text.len() > 2 * CERTIFICATE_BYTES_MAX {
            return Err(NotARoot);
        }
        let blocks = crate::armor::parse(text).map_err(|_| NotARoot)?;
        match blocks.as_slice() {
            [block] if block.label == crate::armor::CERTIFICATE => VendorRoot::from_der(&block.bytes),
            _ => Err(NotARoot),
        }
    }

    pub(crate) fn from_der(der: &[u8]) -> Result<VendorRoot, NotARoot> {
        let certificate = Certificate::read(der).ok_or(NotARoot)?;
        if !certificate.self_signed || !certificate.is_ca {
            return Err(NotARoot);
        }
        let der = CertificateDer::from(der.to_vec());
        let anchor = webpki::anchor_from_trusted_cert(&der).map_err(|_| NotARoot)?.to_owned();
        let Certificate { common_name: name, public_key, not_after, .. } = certificate;
        Ok(VendorRoot(Arc::new(RootParts { der, anchor, name, public_key, not_after })))
    }

    /// The vendor's name. Nobody vouches for it but whoever handed the root over.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// SHA-256 of the certificate as people compare it, `AB:CD:...`.
    pub fn fingerprint_text(&self) -> String {
        secret::fingerprint_text(&secret::sha256(&self.der()))
    }

    /// SHA-256 of the certificate: 64 lower-case hex digits.
    pub fn fingerprint_sha256_hex(&self) -> String {
        secret::sha256_hex(&self.0.der)
    }

    /// Thumbprint of the root's key.
    pub fn thumbprint(&self) -> Thumbprint {
        self.0.public_key.thumbprint()
    }

    /// The certificate as PEM.
    pub fn pem(&self) -> String {
        crate::armor::encode(crate::armor::CERTIFICATE, &self.0.der)
    }

    /// The certificate as DER, for a TLS library's list of roots.
    pub fn der(&self) -> CertificateDer<'static> {
        self.0.der.clone()
    }

    /// When the root ends; for pages that count the days.
    pub fn not_after(&self) -> Ms {
        self.0.not_after
    }

    /// How a sentence names this vendor.
    pub fn vendor_ref(&self) -> VendorRef {
        VendorRef { name: self.0.name.clone(), fingerprint: self.fingerprint_text()[..23].to_owned() }
    }
}

impl PartialEq for VendorRoot {
    fn eq(&self, other: &VendorRoot) -> bool {
        self.0.der == other.0.der
    }
}

impl Eq for VendorRoot {}

impl fmt::Debug for VendorRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VendorRoot({})", self.vendor_ref())
    }
}

/// Why a chain does not lead to the root.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum ChainProblem {
    NotYet {
        not_before: Ms,
    },
    Ended {
        not_after: Ms,
    },
    /// It leads elsewhere.
    UnknownIssuer,
    /// It leads to the root, or could, but may not be used for this.
    Unfit,
}

impl From<webpki::Error> for ChainProblem {
    fn from(error: webpki::Error) -> ChainProblem {
        let ms = |time: UnixTime| Ms::from_seconds(i64::try_from(time.as_secs()).unwrap_or(i64::MAX));
        match error {
            webpki::Error::CertNotValidYet { not_before, .. } => ChainProblem::NotYet { not_before: ms(not_before) },
            webpki::Error::CertExpired { not_after, .. } => ChainProblem::Ended { not_after: ms(not_after) },
            webpki::Error::UnknownIssuer | webpki::Error::InvalidSignatureForPublicKey => ChainProblem::UnknownIssuer,
            _ => ChainProblem::Unfit,
        }
    }
}

impl ChainProblem {
    fn as_document_error(self, leaf: &Certificate, root: &VendorRoot, now: Ms) -> DocumentError {
        match self {
            ChainProblem::NotYet { not_before } => DocumentError::ClockWrong { file_at: not_before, now },
            ChainProblem::Ended { not_after } => DocumentError::Expired { at: not_after },
            ChainProblem::Unfit => DocumentError::BadSignature,
            ChainProblem::UnknownIssuer => DocumentError::OtherVendor {
                file: VendorRef { name: leaf.issuer_name.clone(), fingerprint: String::new() },
                ours: root.vendor_ref(),
            },
        }
    }
}

/// Verifies `leaf` up to `root` for `usage` (which every certificate on the way must have), forgiving clocks that are
/// at most a day apart.
fn verify_chain(
    leaf: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    root: &VendorRoot,
    usage: &'static [u8],
    now: Ms,
) -> Result<(), ChainProblem> {
    let at = |now: Ms| {
        let seconds = u64::try_from(now.seconds_floor()).unwrap_or(0);
        let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let anchors = std::slice::from_ref(&root.0.anchor);
        let algorithms = &[webpki::aws_lc_rs::ECDSA_P256_SHA256];
        let leaf = EndEntityCert::try_from(leaf)?;
        leaf.verify_for_usage(algorithms, anchors, intermediates, time, KeyUsage::required(usage), None, None)
            .map(|_| ())
            .map_err(ChainProblem::from)
    };
    match at(now) {
        Err(ChainProblem::NotYet { .. }) => at(now.plus(CLOCK_LEEWAY_MS)),
        Err(ChainProblem::Ended { .. }) => at(now.plus(-CLOCK_LEEWAY_MS)),
        verdict => verdict,
    }
}

/// Verifies the certificate of a document key and returns the key. It must come from the root itself: the issuing CA
/// lies in a running portal and must not be able to make more signers.
pub(crate) fn verify_document_certificate(der: &[u8], root: &VendorRoot, now: Ms) -> Result<PublicKey, DocumentError> {
    let leaf = Certificate::read(der).ok_or(DocumentError::Malformed("its certificate is unreadable"))?;
    verify_chain(&CertificateDer::from(der), &[], root, SIGNS_GRANTS, now)
        .map_err(|problem| problem.as_document_error(&leaf, root, now))?;
    Ok(leaf.public_key)
}

/// Verifies a license server's certificate for a client: `chain_der` is the workstation's certificate and what stands
/// between it and the root. Returns the workstation's key. The clocks may be a day apart.
///
/// TLS has done this already for a client that connects by TLS; over plain HTTP, and for an activation file, this is
/// the place.
pub fn verify_workstation_certificate(
    chain_der: &[CertificateDer<'_>],
    root: &VendorRoot,
    now: Ms,
) -> Result<PublicKey, DocumentError> {
    let (first, intermediates) = chain_der.split_first().ok_or(DocumentError::Malformed("it has no certificate"))?;
    if chain_der.iter().any(|der| der.len() > CERTIFICATE_BYTES_MAX) || chain_der.len() > 6 {
        return Err(DocumentError::Malformed("its chain is too long"));
    }
    let leaf = Certificate::read(first).ok_or(DocumentError::Malformed("its certificate is unreadable"))?;
    verify_chain(first, intermediates, root, SERVER_AUTH, now)
        .map_err(|problem| problem.as_document_error(&leaf, root, now))?;
    let name = ServerName::try_from(SERVER_DNS_NAME).expect("a valid DNS name");
    let names = EndEntityCert::try_from(first).and_then(|cert| cert.verify_is_valid_for_subject_name(&name));
    names.map_err(|_| DocumentError::BadSignature)?;
    Ok(leaf.public_key)
}

/// When a certificate ends, for pages and `doctor` that count the days; `None` if it is unreadable. Says nothing about
/// whether it can be trusted.
pub fn certificate_ends_at(der: &[u8]) -> Option<Ms> {
    Certificate::read(der).map(|certificate| certificate.not_after)
}

/// What a certificate of any kind says about itself, for people. Nothing in it is vouched for; every text is hostile.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CertificateFacts {
    /// Who issued it: the common name, or else the organization; empty if it has neither. At most 200 characters.
    pub issuer: String,
    /// For whom it is: DNS names and IP addresses.
    pub names: Vec<String>,
    /// Not good before.
    pub not_before: Ms,
    /// Not good after.
    pub not_after: Ms,
}

/// Reads what a certificate says about itself, whatever its key and its usage; `None` if it is unreadable. Says nothing
/// about whether it can be trusted.
pub fn certificate_facts(der: &[u8]) -> Option<CertificateFacts> {
    if der.len() > CERTIFICATE_BYTES_MAX {
        return None;
    }
    let (_, x509) = X509Certificate::from_der(der).ok()?;
    let issuer = x509.issuer();
    let mut titles = issuer.iter_common_name().chain(issuer.iter_organization());
    let names = x509.subject_alternative_name().ok().flatten();
    let names = names.iter().flat_map(|names| &names.value.general_names).filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(shown(name, NAME_CHARS_MAX)),
        GeneralName::IPAddress(bytes) => address(bytes).map(|address| address.to_string()),
        _ => None,
    });
    Some(CertificateFacts {
        issuer: titles.find_map(|title| title.as_str().ok()).map(|t| shown(t, NAME_CHARS_MAX)).unwrap_or_default(),
        names: names.collect(),
        not_before: Ms::from_seconds(x509.validity().not_before.timestamp()),
        not_after: Ms::from_seconds(x509.validity().not_after.timestamp()),
    })
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

/// A subject: the common name without control characters, cut to what X.509 allows.
pub(crate) fn subject(common_name: &str, organization: Option<&str>) -> rcgen::DistinguishedName {
    let mut subject = rcgen::DistinguishedName::new();
    subject.push(rcgen::DnType::CommonName, shown(common_name, COMMON_NAME_CHARS_MAX));
    if let Some(organization) = organization {
        subject.push(rcgen::DnType::OrganizationName, shown(organization, COMMON_NAME_CHARS_MAX));
    }
    subject
}

/// A DNS name or IP address for a certificate; `None` if it can be neither.
pub(crate) fn subject_alt_name(name: &str) -> Option<rcgen::SanType> {
    match name.parse() {
        Ok(address) => Some(rcgen::SanType::IpAddress(address)),
        Err(_) if ServerName::try_from(name).is_err() => None,
        Err(_) => name.try_into().ok().map(rcgen::SanType::DnsName),
    }
}

/// Dates a certificate by UTC days: from the day of `from` to the start of the day of `to`.
pub(crate) fn set_validity(params: &mut rcgen::CertificateParams, from: Ms, to: Ms) {
    let midnight = |at: Ms| {
        let date = at.utc_date();
        let part = |value: i8| u8::try_from(value).expect("months and days are positive");
        rcgen::date_time_ymd(i32::from(date.year()), part(date.month()), part(date.day()))
    };
    params.not_before = midnight(from);
    params.not_after = midnight(to);
}
