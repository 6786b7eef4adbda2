//! A vendor, a license server, and the files that pass between them, at a fixed time.

use leasehold_core::grant::{Grant, Line, Terms};
use leasehold_core::ids::{GrantId, LeaseId, LicenseId, LineId, ReceiptId, RequestId, WorkstationId};
use leasehold_core::license::{Channel, FeatureCode, Kind, Share};
use leasehold_core::random::{Random, Seeded, bytes};
use leasehold_core::time::{DAY_MS, Ms};
use leasehold_trust::activation_file::{Activation, build_activation_file, read_activation_file};
use leasehold_trust::receipt::{ReceiptFacts, build_receipt};
use leasehold_trust::request::{RequestFacts, build_request};
use leasehold_trust::{FileProblem, LEASE_VERSION, LeaseClaims, PortalSigner, SigningKey, Vendor, VendorRoot};

/// 2026-11-22 12:00:00 UTC.
pub(crate) const NOW: Ms = Ms(1_795_348_800_000);

pub(crate) struct World {
    pub(crate) vendor: Vendor,
    pub(crate) signer: PortalSigner,
    pub(crate) root: VendorRoot,
    pub(crate) key: SigningKey,
    pub(crate) workstation: WorkstationId,
    random: Seeded,
}

impl World {
    pub(crate) fn new(vendor: &str) -> World {
        let vendor = Vendor::create(vendor, NOW).unwrap();
        let signer = signer_of(&vendor);
        let root = VendorRoot::from_pem(&vendor.root_certificate_pem).unwrap();
        let mut random = Seeded::new(7);
        World { signer, root, vendor, key: SigningKey::generate(), workstation: draw(&mut random), random }
    }

    pub(crate) fn request_facts(&mut self) -> RequestFacts {
        RequestFacts {
            request: RequestId::draw(NOW, &mut self.random),
            issued_at: NOW,
            fingerprint: "0123456789abcdef0123456789abcdef".to_owned(),
            server_version: "0.1.0".to_owned(),
            rev_in_use: None,
            vendor: Some(self.root.thumbprint()),
            host_name: "Größe-01".to_owned(),
        }
    }

    pub(crate) fn request(&mut self) -> String {
        let facts = self.request_facts();
        build_request(&self.key, &facts)
    }

    pub(crate) fn receipt_facts(&mut self) -> ReceiptFacts {
        ReceiptFacts {
            receipt: ReceiptId::draw(NOW, &mut self.random),
            workstation: self.workstation,
            rev_in_use: 3,
            given_up_at: NOW,
            server_version: "0.1.0".to_owned(),
            kept: None,
            usage: None,
        }
    }

    pub(crate) fn receipt(&mut self) -> String {
        let facts = self.receipt_facts();
        build_receipt(&self.key, &facts)
    }

    pub(crate) fn grant(&mut self, rev: u64) -> Grant {
        Grant {
            workstation: self.workstation,
            workstation_name: "Hall 3".to_owned(),
            account_name: "Zoë Ångström".to_owned(),
            rev,
            issued_at: NOW,
            request: None,
            machine: String::new(),
            online: false,
            lines: vec![self.line("studio.gui", NOW.plus(90 * DAY_MS))],
        }
    }

    pub(crate) fn line(&mut self, feature: &str, until: Ms) -> Line {
        Line {
            line: LineId::draw(NOW, &mut self.random),
            license: LicenseId::draw(NOW, &mut self.random),
            product: "studio".to_owned(),
            product_name: "Studio".to_owned(),
            kind: Kind::Floating,
            channel: Channel::Commercial,
            features: [(FeatureCode::new(feature).unwrap(), 1)].into(),
            seats: 10,
            until,
            terms: Terms::by_file(Share::UserHost, None),
        }
    }

    pub(crate) fn grant_token(&mut self, grant: &Grant) -> String {
        let id = GrantId::draw(NOW, &mut self.random);
        self.signer.sign_grant(grant, &self.key.thumbprint(), id)
    }

    pub(crate) fn certificate(&mut self) -> String {
        let serial = bytes(&mut self.random);
        self.signer.issue_workstation_certificate(self.workstation, "Hall 3", &self.key.public(), NOW, serial)
    }

    pub(crate) fn activation_file(&mut self, grant: &Grant) -> String {
        let (certificate, token) = (self.certificate(), self.grant_token(grant));
        build_activation_file(&self.signer, &certificate, &token).unwrap()
    }

    /// Reads an activation file as this world's license server, which has pinned the root and obeys `in_use`.
    pub(crate) fn activate(&self, file: &str, in_use: Option<u64>) -> Result<Activation, FileProblem> {
        read_activation_file(file.as_bytes(), Some(&self.root), &self.key.public(), in_use, NOW)
    }

    pub(crate) fn lease_claims(&mut self) -> LeaseClaims {
        LeaseClaims {
            v: LEASE_VERSION,
            iss: self.workstation,
            sub: LeaseId::draw(NOW, &mut self.random),
            jti: "doc-1".to_owned(),
            iat: NOW,
            exp: NOW.plus(425_000),
            nonce: "nonce".to_owned(),
            feature: FeatureCode::new("studio.gui").unwrap(),
            seats: 1,
            user: "zoë".to_owned(),
            host: "hall3-ws7".to_owned(),
            ttl_s: 120,
            renew_after_s: 60,
            grace_s: 300,
            grant_sha256: leasehold_trust::secret::sha256_hex(b"grant"),
        }
    }
}

pub(crate) fn signer_of(vendor: &Vendor) -> PortalSigner {
    vendor.signer(NOW).unwrap()
}

fn draw(random: &mut dyn Random) -> WorkstationId {
    WorkstationId::draw(NOW, random)
}

/// The label and body of each PEM block.
pub(crate) fn blocks(text: &str) -> Vec<String> {
    text.split_inclusive('\n').fold(Vec::new(), |mut blocks, line| {
        if line.starts_with("-----BEGIN") {
            blocks.push(String::new());
        }
        blocks.last_mut().unwrap().push_str(line);
        blocks
    })
}

/// The bytes of one PEM block.
pub(crate) fn der(block: &str) -> Vec<u8> {
    use base64::Engine;
    let body: String = block.lines().filter(|line| !line.starts_with('-')).collect();
    base64::engine::general_purpose::STANDARD.decode(body).unwrap()
}

/// One PEM block.
pub(crate) fn pem(label: &str, bytes: &[u8]) -> String {
    use base64::Engine;
    let body = base64::engine::general_purpose::STANDARD.encode(bytes);
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}
