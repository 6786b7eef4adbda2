//! What was written is what is read, and the parts of a vendor belong together.

use crate::support::{NOW, World, blocks, der, signer_of};
use leasehold_core::license::FeatureCode;
use leasehold_core::time::{DAY_MS, HOUR_MS, Ms};
use leasehold_core::usage::{FeatureSummary, SUMMARY_FEATURES_MAX, Summary};
use leasehold_trust::activation_file::{build_activation_file, read_activation_file};
use leasehold_trust::receipt::{Kept, ReceiptFacts, build_receipt, read_receipt};
use leasehold_trust::request::{build_request, read_request};
use leasehold_trust::vendor::SignerError;
use leasehold_trust::{
    DocumentError, FILE_BYTES_MAX, LeaseSigner, PortalSigner, SigningKey, Vendor, VendorRoot, verify_grant,
    verify_lease, verify_workstation_certificate,
};

#[test]
fn a_request_arrives_as_it_was_asked() {
    let mut world = World::new("Acme");
    let mut facts = world.request_facts();
    facts.rev_in_use = Some(4);
    let read = read_request(build_request(&world.key, &facts).as_bytes(), NOW).unwrap();
    assert_eq!(read.facts, facts);
    assert_eq!((read.public_key, read.thumbprint), (world.key.public(), world.key.thumbprint()));
}

#[test]
fn names_in_a_request_are_bounded_and_cannot_reorder_a_page() {
    let mut world = World::new("Acme");
    let mut facts = world.request_facts();
    facts.host_name = format!("a\u{202e}b\n{}", "x".repeat(400));
    let read = read_request(build_request(&world.key, &facts).as_bytes(), NOW).unwrap();
    assert_eq!(read.facts.host_name, format!("ab{}", "x".repeat(198)));
}

#[test]
fn an_activation_file_is_taken_by_the_server_that_asked() {
    let mut world = World::new("Acme");
    let grant = world.grant(1);
    let file = world.activation_file(&grant);
    for (trust, in_use) in [(None, None), (Some(&world.root), Some(0))] {
        let taken = read_activation_file(file.as_bytes(), trust, &world.key.public(), in_use, NOW).unwrap();
        assert_eq!(taken.grant.grant, grant);
        assert_eq!((&taken.root, taken.root.name()), (&world.root, "Acme"));
        assert_eq!(taken.grant.sha256_hex, leasehold_trust::secret::sha256_hex(taken.grant.token.as_bytes()));
        assert_eq!(taken.grant.feature_until("studio.gui"), Some(grant.lines[0].until));
        assert_eq!(taken.grant.feature_until("studio.render"), None);
        let key = verify_workstation_certificate(&taken.certificate_chain, &world.root, NOW).unwrap();
        assert_eq!(key, world.key.public());
        assert_eq!(blocks(&taken.certificate_chain_pem).len(), 2, "workstation and issuing CA; clients have the root");
    }
}

#[test]
fn a_workstation_may_hold_nothing() {
    let mut world = World::new("Acme");
    let mut grant = world.grant(2);
    grant.lines.clear();
    let file = world.activation_file(&grant);
    assert_eq!(world.activate(&file, Some(1)).unwrap().grant.grant, grant);
}

#[test]
fn a_grant_that_no_server_would_read_is_not_handed_out() {
    let mut world = World::new("Acme");
    let mut grant = world.grant(1);
    grant.lines = (0..1_000).map(|_| world.line("studio.gui", NOW.plus(DAY_MS))).collect();
    let (certificate, token) = (world.certificate(), world.grant_token(&grant));
    let refused = build_activation_file(&world.signer, &certificate, &token).unwrap_err();
    assert!(refused.to_string().contains("put fewer licenses"), "{refused}");
    grant.lines.truncate(200);
    let file = world.activation_file(&grant);
    assert_eq!(world.activate(&file, None).unwrap().grant.grant, grant, "200 licenses fit");
}

#[test]
fn a_receipt_is_verified_with_the_key_that_was_stored() {
    let mut world = World::new("Acme");
    let facts = world.receipt_facts();
    let file = build_receipt(&world.key, &facts);
    let receipt = read_receipt(file.as_bytes()).unwrap();
    assert_eq!(receipt.key, world.key.thumbprint());
    assert_eq!(receipt.verify(&world.key.public()), Ok(facts.clone()));
    let years_later = read_receipt(file.as_bytes()).unwrap();
    assert_eq!(years_later.verify(&world.key.public()), Ok(facts), "what was given up stays given up");
}

#[test]
fn a_lease_is_believed_by_whoever_has_the_servers_key() {
    let mut world = World::new("Acme");
    let claims = world.lease_claims();
    let token = LeaseSigner::new(world.key.clone()).sign(&claims);
    assert_eq!(verify_lease(&token, &world.key.public()), Ok(claims));
    assert_eq!(verify_lease(&token, &SigningKey::generate().public()), Err(DocumentError::BadSignature));
    assert!(token.len() < 1_024, "a lease of {} bytes", token.len());
}

#[test]
fn clocks_may_be_a_day_apart_and_no_more() {
    let mut world = World::new("Acme");
    let grant = world.grant(1);
    let (token, certificate) = (world.grant_token(&grant), world.certificate());
    let at = |now: Ms| verify_grant(&token, &world.root, now);
    assert!(at(NOW.plus(-23 * HOUR_MS)).is_ok());
    assert!(matches!(at(NOW.plus(-25 * HOUR_MS)), Err(DocumentError::ClockWrong { .. })));
    assert!(matches!(at(Ms(0)), Err(DocumentError::ClockWrong { .. })), "a machine without a battery");
    assert!(at(world.root.not_after().plus(23 * HOUR_MS)).is_ok());
    let later = world.root.not_after().plus(25 * HOUR_MS);
    assert_eq!(at(later), Err(DocumentError::Expired { at: world.root.not_after() }));
    let chain = [der(&certificate).into(), der(&world.vendor.issuing_certificate_pem).into()];
    assert!(verify_workstation_certificate(&chain, &world.root, NOW.plus(-23 * HOUR_MS)).is_ok());
    assert!(verify_workstation_certificate(&chain, &world.root, NOW.plus(3_000 * DAY_MS)).is_ok(), "identity stays");
    for extreme in [Ms(i64::MIN), Ms(i64::MAX)] {
        assert!(verify_workstation_certificate(&chain, &world.root, extreme).is_err());
        assert!(at(extreme).is_err());
    }
}

#[test]
fn a_portal_with_mixed_up_files_does_not_start() {
    let (acme, other) = (World::new("Acme").vendor, World::new("Other").vendor);
    let load = |root: &Vendor, issuing: &str, issuing_key: &SigningKey, document: &str, document_key: &SigningKey| {
        let (issuing_key, document_key) = (issuing_key.clone(), document_key.clone());
        PortalSigner::load(&root.root_certificate_pem, issuing, issuing_key, document, document_key, NOW).unwrap_err()
    };
    let (issuing, document) = (&acme.issuing_certificate_pem, &acme.document_certificate_pem);
    let wrong = load(&acme, issuing, &acme.document_key, document, &acme.document_key);
    assert_eq!(wrong, SignerError::WrongKey("issuing"));
    let wrong = load(&acme, issuing, &acme.issuing_key, document, &other.document_key);
    assert_eq!(wrong, SignerError::WrongKey("document"));
    let wrong = load(&acme, document, &acme.document_key, document, &acme.document_key);
    assert!(matches!(wrong, SignerError::Unfit { which: "issuing", .. }), "{wrong}");
    let wrong = load(&acme, issuing, &acme.issuing_key, issuing, &acme.issuing_key);
    assert!(matches!(wrong, SignerError::Unfit { which: "document", .. }), "{wrong}");
    let wrong = load(&other, issuing, &acme.issuing_key, document, &acme.document_key);
    assert!(matches!(wrong, SignerError::Unfit { why: DocumentError::OtherVendor { .. }, .. }), "{wrong}");
    let wrong = load(&acme, &acme.issuing_key.to_pkcs8_pem(), &acme.issuing_key, document, &acme.document_key);
    assert_eq!(wrong, SignerError::NotACertificate("issuing"));
    assert_eq!(signer_of(&acme).vendor_name(), "Acme");
}

#[test]
fn only_a_self_signed_ca_is_a_root() {
    let vendor = World::new("Acme").vendor;
    let root = VendorRoot::from_pem(&vendor.root_certificate_pem).unwrap();
    assert_eq!(root.pem(), vendor.root_certificate_pem);
    assert_eq!(VendorRoot::from_pem(&root.pem()), Ok(root));
    let self_signed =
        leasehold_trust::secret::self_signed_certificate(&["x.example".to_owned()], &vendor.root_key, NOW);
    let both = vendor.root_certificate_pem.repeat(2);
    for text in [&vendor.issuing_certificate_pem, &vendor.document_certificate_pem, &self_signed, &both, "", "x"] {
        assert!(VendorRoot::from_pem(text).is_err(), "{text}");
    }
    assert!(Vendor::create("", NOW).is_err() && Vendor::create(&"x".repeat(49), NOW).is_err());
}

#[test]
fn a_receipt_of_some_seats_says_what_is_kept_and_is_never_taken_for_one_of_all() {
    let mut world = World::new("Acme");
    let all = world.receipt_facts();
    let license = world.line("studio.gui", NOW).license;
    let some = ReceiptFacts {
        kept: Some(Kept { number: 4, document: "ab".repeat(32), seats: [(license, 3)].into() }),
        usage: Some(Summary {
            since: NOW,
            until: NOW,
            features: (0..200)
                .map(|n| FeatureSummary {
                    feature: FeatureCode::new(&format!("studio.f{n}")).unwrap(),
                    seat_s: u64::MAX,
                    peak: u32::MAX,
                    checkouts: n,
                    denials: 0,
                })
                .collect(),
            left_out: 1,
        }),
        ..all.clone()
    };
    let read = |file: &str| read_receipt(file.as_bytes()).and_then(|read| read.verify(&world.key.public()));
    let file = build_receipt(&world.key, &some);
    assert!(file.len() < FILE_BYTES_MAX);
    let told = read(&file).unwrap();
    assert_eq!((&told.kept, told.rev_in_use), (&some.kept, some.rev_in_use));
    let usage = told.usage.unwrap();
    assert_eq!((usage.features.len(), usage.left_out), (SUMMARY_FEATURES_MAX, 137), "bounded");
    assert_eq!(read(&build_receipt(&world.key, &all)).unwrap().kept, None);
}
