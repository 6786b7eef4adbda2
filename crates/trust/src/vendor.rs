//! The vendor's keys: making them once, and the part of them with which a running portal signs.
//!
//! Owns what stands in each certificate. The root's key is made here and then leaves the machine.

use crate::certificate::{
    self, Certificate, SERVER_DNS_NAME, SIGNS_GRANTS, VendorRoot, set_validity, subject, verify_document_certificate,
    verify_workstation_certificate,
};
use crate::documents::DocumentError;
use crate::jws::{Signer, typ};
use crate::keys::{PublicKey, SigningKey, Thumbprint};
use crate::{armor, grant, sync};
use leasehold_core::grant::Grant;
use leasehold_core::ids::{GrantId, WorkstationId};
use leasehold_core::sync::SyncAnswer;
use leasehold_core::text::{self, TextError};
use leasehold_core::time::{DAY_MS, Ms};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyUsagePurpose, SanType};
use rustls_pki_types::CertificateDer;

/// The vendor's certificates run this long, in days. Nothing in the field has an earlier built-in end.
const VENDOR_DAYS: i64 = 30 * 365;
/// Certificates begin this long before they are made, in milliseconds: a machine whose clock is a day behind can use
/// them at once.
const BACKDATED_MS: i64 = 2 * DAY_MS;
/// Longest vendor name: with its suffix it must stand in a common name of 64 characters.
const VENDOR_NAME_CHARS_MAX: usize = 48;

/// A vendor's new keys and certificates, each to be written to a file of its own once.
pub struct Vendor {
    /// Self-signed root: what clients and license servers trust.
    pub root_certificate_pem: String,
    /// The root's key, to be stored encrypted and taken off the machine.
    pub root_key: SigningKey,
    /// The CA that issues workstation certificates and nothing else.
    pub issuing_certificate_pem: String,
    /// The issuing CA's key.
    pub issuing_key: SigningKey,
    /// The certificate of the key that signs grants and nothing else.
    pub document_certificate_pem: String,
    /// The document key.
    pub document_key: SigningKey,
}

impl Vendor {
    /// What signs for this vendor, as the portal does after its files were written.
    pub fn signer(&self, now: Ms) -> Result<PortalSigner, SignerError> {
        PortalSigner::load(
            &self.root_certificate_pem,
            &self.issuing_certificate_pem,
            self.issuing_key.clone(),
            &self.document_certificate_pem,
            self.document_key.clone(),
            now,
        )
    }

    /// Makes the keys and certificates of the vendor `name` (1 to 48 characters, no control characters).
    pub fn create(name: &str, now: Ms) -> Result<Vendor, TextError> {
        text::name(name)?;
        if name.chars().count() > VENDOR_NAME_CHARS_MAX {
            return Err(TextError::TooLong(VENDOR_NAME_CHARS_MAX));
        }
        let (root_key, issuing_key, document_key) =
            (SigningKey::generate(), SigningKey::generate(), SigningKey::generate());

        let mut root = vendor_params(name, name, now);
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let root_certificate = root.self_signed(&root_key).expect("our own parameters make a certificate");
        let root = Issuer::from_params(&root, &root_key);

        let mut issuing = vendor_params(&format!("{name} issuing CA"), name, now);
        issuing.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        issuing.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        // Confines what it issues to license servers: it can never make a document key.
        issuing.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let issuing = issuing.signed_by(&issuing_key, &root).expect("our own parameters make a certificate");

        let mut document = vendor_params(&format!("{name} documents"), name, now);
        document.is_ca = IsCa::ExplicitNoCa;
        document.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        document.custom_extensions = vec![signs_grants()];
        let document = document.signed_by(&document_key, &root).expect("our own parameters make a certificate");

        Ok(Vendor {
            root_certificate_pem: armor::encode(armor::CERTIFICATE, root_certificate.der()),
            issuing_certificate_pem: armor::encode(armor::CERTIFICATE, issuing.der()),
            document_certificate_pem: armor::encode(armor::CERTIFICATE, document.der()),
            root_key,
            issuing_key,
            document_key,
        })
    }
}

fn vendor_params(common_name: &str, vendor: &str, now: Ms) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = subject(common_name, Some(vendor));
    params.use_authority_key_identifier_extension = true;
    set_validity(&mut params, now.plus(-BACKDATED_MS), now.plus(VENDOR_DAYS * DAY_MS));
    params
}

/// The extended key usage extension with our own purpose; rcgen's list has no place for a 128-bit arc.
fn signs_grants() -> rcgen::CustomExtension {
    let length = u8::try_from(SIGNS_GRANTS.len()).expect("a short OID");
    let content = [&[0x30, length + 2, 0x06, length], SIGNS_GRANTS].concat();
    rcgen::CustomExtension::from_oid_content(&[2, 5, 29, 37], content)
}

/// Why a portal cannot sign with the files that it has.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SignerError {
    /// A certificate file holds something else.
    #[error("the {0} file does not hold one P-256 certificate in PEM form")]
    NotACertificate(&'static str),
    /// The key of a certificate is not the key beside it.
    #[error("the {0} certificate and the {0} key do not belong together")]
    WrongKey(&'static str),
    /// A certificate does not come from the root, or may not be used for its purpose, or its time is over.
    #[error("the {which} certificate cannot be used: {why}")]
    Unfit {
        /// Which of them.
        which: &'static str,
        /// Why.
        why: DocumentError,
    },
}

/// What a running portal signs with: the issuing CA and the document key, under a root that it only knows.
pub struct PortalSigner {
    root: VendorRoot,
    issuing_pem: String,
    issuing: Issuer<'static, SigningKey>,
    issuing_ends_at: Ms,
    documents: Signer,
    answers: Signer,
}

impl PortalSigner {
    /// Checks that the files belong together and are good for their purpose at `now`, by making a certificate and
    /// verifying it as a client would.
    pub fn load(
        root_pem: &str,
        issuing_pem: &str,
        issuing_key: SigningKey,
        document_pem: &str,
        document_key: SigningKey,
        now: Ms,
    ) -> Result<PortalSigner, SignerError> {
        let root = VendorRoot::from_pem(root_pem).map_err(|_| SignerError::NotACertificate("root"))?;
        let (issuing_der, issuing) = read_certificate(issuing_pem, &issuing_key, "issuing")?;
        let (document_der, _) = read_certificate(document_pem, &document_key, "document")?;
        verify_document_certificate(&document_der, &root, now)
            .map_err(|why| SignerError::Unfit { which: "document", why })?;
        let signer = PortalSigner {
            root,
            issuing_pem: armor::encode(armor::CERTIFICATE, &issuing_der),
            issuing: Issuer::from_ca_cert_der(&issuing_der.as_slice().into(), issuing_key.clone())
                .map_err(|_| SignerError::NotACertificate("issuing"))?,
            issuing_ends_at: issuing.not_after,
            answers: Signer::new(document_key.clone(), typ::ANSWER, &[&document_der]),
            documents: Signer::new(document_key, typ::GRANT, &[&document_der]),
        };
        let trial = signer.workstation_certificate("trial", None, &issuing_key.public(), now, [1; 16]);
        verify_workstation_certificate(&[trial, CertificateDer::from(issuing_der)], &signer.root, now)
            .map_err(|why| SignerError::Unfit { which: "issuing", why })?;
        Ok(signer)
    }

    /// The root under which it signs.
    pub fn root(&self) -> &VendorRoot {
        &self.root
    }

    /// The vendor's name.
    pub fn vendor_name(&self) -> &str {
        self.root.name()
    }

    /// When the issuing CA ends, and with it every workstation certificate.
    pub fn ends_at(&self) -> Ms {
        self.issuing_ends_at
    }

    /// The issuing CA's certificate as PEM: what stands between a workstation's certificate and the root.
    pub(crate) fn issuing_pem(&self) -> &str {
        &self.issuing_pem
    }

    /// A certificate that says which workstation `key` is, as PEM. It grants nothing and runs as long as the issuing
    /// CA. `serial` is random; control characters in `name` are dropped and it is cut to 64 characters.
    pub fn issue_workstation_certificate(
        &self,
        workstation: WorkstationId,
        name: &str,
        key: &PublicKey,
        now: Ms,
        serial: [u8; 16],
    ) -> String {
        let der = self.workstation_certificate(name, Some(workstation), key, now, serial);
        armor::encode(armor::CERTIFICATE, &der)
    }

    fn workstation_certificate(
        &self,
        name: &str,
        workstation: Option<WorkstationId>,
        key: &PublicKey,
        now: Ms,
        mut serial: [u8; 16],
    ) -> CertificateDer<'static> {
        // RFC 5280: a positive number. The second bit keeps it from losing a leading zero byte.
        serial[0] = serial[0] & 0x7f | 0x40;
        let mut params = CertificateParams::default();
        params.distinguished_name = subject(name, Some(self.vendor_name()));
        params.serial_number = Some(serial.to_vec().into());
        params.subject_alt_names.extend(certificate::subject_alt_name(SERVER_DNS_NAME));
        if let Some(workstation) = workstation {
            let urn = format!("urn:leasehold:{workstation}").try_into().expect("an id is ASCII");
            params.subject_alt_names.push(SanType::URI(urn));
        }
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        set_validity(&mut params, now.plus(-BACKDATED_MS), self.issuing_ends_at);
        let certificate = params.signed_by(key, &self.issuing).expect("our own parameters make a certificate");
        certificate.der().clone()
    }

    /// The signed grant document for the workstation whose key has the thumbprint `jkt`. `jti` is fresh.
    pub fn sign_grant(&self, grant: &Grant, jkt: &Thumbprint, jti: GrantId) -> String {
        grant::sign(&self.documents, self.vendor_name(), grant, jkt, jti)
    }

    /// The signed answer to a sync.
    pub fn sign_answer(&self, answer: &SyncAnswer) -> String {
        sync::sign_answer(&self.answers, self.vendor_name(), answer)
    }
}

impl std::fmt::Debug for PortalSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PortalSigner({:?})", self.root)
    }
}

fn read_certificate(pem: &str, key: &SigningKey, which: &'static str) -> Result<(Vec<u8>, Certificate), SignerError> {
    let blocks = armor::parse(pem).map_err(|_| SignerError::NotACertificate(which))?;
    let [block] = blocks.as_slice() else { return Err(SignerError::NotACertificate(which)) };
    let certificate = Certificate::read(&block.bytes).filter(|_| block.label == armor::CERTIFICATE);
    let certificate = certificate.ok_or(SignerError::NotACertificate(which))?;
    if certificate.public_key != key.public() {
        return Err(SignerError::WrongKey(which));
    }
    Ok((block.bytes.clone(), certificate))
}
