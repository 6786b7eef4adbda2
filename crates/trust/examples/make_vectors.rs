//! Makes a set of files of the current format for `tests/vectors`, with fresh keys that are not kept:
//! `cargo run -p leasehold-trust --example make_vectors -- FOLDER`.

use leasehold_core::grant::{Grant, Line, Terms};
use leasehold_core::ids::{GrantId, LeaseId, LicenseId, LineId, ReceiptId, RequestId, WorkstationId};
use leasehold_core::license::{Channel, FeatureCode, Kind, Share};
use leasehold_core::random::Seeded;
use leasehold_core::time::{DAY_MS, Ms};
use leasehold_trust::activation_file::build_activation_file;
use leasehold_trust::receipt::{ReceiptFacts, build_receipt};
use leasehold_trust::request::{RequestFacts, build_request};
use leasehold_trust::secret::sha256_hex;
use leasehold_trust::{LEASE_VERSION, LeaseClaims, LeaseSigner, SigningKey, Vendor, VendorRoot};
use std::error::Error;
use std::path::Path;

/// 2026-11-22 12:00:00 UTC.
const NOW: Ms = Ms(1_795_348_800_000);

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).ok_or("the folder is missing")?;
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder)?;
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text);

    let random = &mut Seeded::new(1);
    let vendor = Vendor::create("Example Vendor", NOW)?;
    let root = VendorRoot::from_pem(&vendor.root_certificate_pem)?;
    let signer = vendor.signer(NOW)?;
    let key = SigningKey::generate();
    let workstation = WorkstationId::draw(NOW, random);
    write("root.pem", &root.pem())?;
    write("workstation.jwk", &key.public().to_jwk())?;

    let grant = Grant {
        workstation,
        workstation_name: "Hall 3".to_owned(),
        account_name: "Zoë Ångström".to_owned(),
        rev: 3,
        issued_at: NOW,
        request: None,
        machine: String::new(),
        online: false,
        lines: vec![line(90, Share::None, random)?, line(365, Share::UserHost, random)?],
    };
    let certificate = signer.issue_workstation_certificate(workstation, "Hall 3", &key.public(), NOW, [7; 16]);
    let token = signer.sign_grant(&grant, &key.thumbprint(), GrantId::draw(NOW, random));
    write("activation.crt", &build_activation_file(&signer, &certificate, &token)?)?;
    write("grant.json", &serde_json::to_string_pretty(&grant)?)?;

    let facts = RequestFacts {
        request: RequestId::draw(NOW, random),
        issued_at: NOW,
        fingerprint: "0123456789abcdef0123456789abcdef".to_owned(),
        server_version: "0.1.0".to_owned(),
        rev_in_use: Some(2),
        vendor: Some(root.thumbprint()),
        host_name: "hall3-server".to_owned(),
    };
    write("request.pem", &build_request(&key, &facts))?;
    let facts = ReceiptFacts {
        receipt: ReceiptId::draw(NOW, random),
        workstation,
        rev_in_use: 3,
        given_up_at: NOW,
        server_version: "0.1.0".to_owned(),
        kept: None,
        usage: None,
    };
    write("receipt.pem", &build_receipt(&key, &facts))?;

    let claims = LeaseClaims {
        v: LEASE_VERSION,
        iss: workstation,
        sub: LeaseId::draw(NOW, random),
        jti: "1".to_owned(),
        iat: NOW,
        exp: NOW.plus(425_000),
        nonce: "a nonce".to_owned(),
        feature: FeatureCode::new("studio.gui")?,
        seats: 1,
        user: "zoë".to_owned(),
        host: "hall3-ws7".to_owned(),
        ttl_s: 120,
        renew_after_s: 60,
        grace_s: 300,
        grant_sha256: sha256_hex(token.as_bytes()),
    };
    write("lease.json", &serde_json::to_string_pretty(&claims)?)?;
    write("lease.jwt", &LeaseSigner::new(key).sign(&claims))?;
    Ok(())
}

fn line(days: i64, share: Share, random: &mut Seeded) -> Result<Line, Box<dyn Error>> {
    Ok(Line {
        line: LineId::draw(NOW, random),
        license: LicenseId::draw(NOW, random),
        product: "studio".to_owned(),
        product_name: "Studio".to_owned(),
        kind: Kind::Floating,
        channel: Channel::Commercial,
        features: [(FeatureCode::new("studio.gui")?, 1), (FeatureCode::new("studio.render")?, 2)].into(),
        seats: 10,
        until: NOW.plus(days * DAY_MS),
        terms: Terms::by_file(share, Some("2027-03-01".parse()?)),
    })
}
