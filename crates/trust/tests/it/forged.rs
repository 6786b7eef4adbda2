//! Documents that somebody made who may not: every key signs its own purpose and no other.

use crate::support::{NOW, World, blocks, der, pem, signer_of};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use leasehold_core::random::{Seeded, bytes};
use leasehold_core::time::DAY_MS;
use leasehold_trust::activation_file::read_activation_file;
use leasehold_trust::{
    DocumentError, FileKind, FileProblem, LeaseSigner, SigningKey, verify_grant, verify_lease,
    verify_workstation_certificate,
};
use rcgen::{CertificateParams, CustomExtension, ExtendedKeyUsagePurpose, IsCa, Issuer};
use rustls_pki_types::CertificateDer;
use serde_json::{Value, json};

/// Signs claims of any type with any key, with the certificate `x5c` in the header.
fn forge(typ: &str, claims: &Value, key: &SigningKey, x5c: &[u8]) -> String {
    use base64::Engine;
    let mut header = Header::new(Algorithm::ES256);
    header.typ = Some(typ.to_owned());
    header.kid = Some(key.thumbprint().to_string());
    header.x5c = Some(vec![base64::engine::general_purpose::STANDARD.encode(x5c)]);
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_ec_der(key.to_pkcs8_der().secret_pkcs8_der())).unwrap()
}

/// The claims of a genuine grant.
fn grant_claims(world: &mut World) -> Value {
    let grant = world.grant(1);
    let token = world.grant_token(&grant);
    jsonwebtoken::dangerous::insecure_decode(&token).unwrap().claims
}

fn document_extension() -> CustomExtension {
    // The extended key usage "signs grants", as in the genuine document certificate.
    let arc = [
        0x69, 0x82, 0xd8, 0xc9, 0xc2, 0xdb, 0x8a, 0xa5, 0xb2, 0xb5, 0x85, 0xa3, 0x9d, 0x91, 0x84, 0xb2, 0x85, 0xec,
        0x93, 0x34,
    ];
    CustomExtension::from_oid_content(&[2, 5, 29, 37], [&[0x30, 22, 0x06, 20], &arc[..]].concat())
}

#[test]
fn only_the_document_key_signs_grants() {
    let mut world = World::new("Acme");
    let claims = grant_claims(&mut world);
    let verify = |token: &str| verify_grant(token, &world.root, NOW);
    let document = der(&world.vendor.document_certificate_pem);
    let genuine = forge("grant+jwt", &claims, &world.vendor.document_key, &document);
    assert!(verify(&genuine).is_ok(), "the forger's tool works with the right key");

    let issuing = der(&world.vendor.issuing_certificate_pem);
    let root = der(&world.vendor.root_certificate_pem);
    let own =
        der(&world.signer.issue_workstation_certificate(world.workstation, "x", &world.key.public(), NOW, [9; 16]));
    for (who, key, certificate) in [
        ("the workstation, with its certificate", &world.key, &own),
        ("the workstation, with the document key's certificate", &world.key, &document),
        ("the issuing CA", &world.vendor.issuing_key, &issuing),
        ("the root itself", &world.vendor.root_key, &root),
    ] {
        let refused = verify(&forge("grant+jwt", &claims, key, certificate)).unwrap_err();
        assert_eq!(refused, DocumentError::BadSignature, "{who}");
    }
    let bare = forge("grant+jwt", &claims, &world.vendor.document_key, b"");
    assert!(matches!(verify(&bare), Err(DocumentError::Malformed(_))));
}

#[test]
fn a_stolen_issuing_ca_makes_no_document_key() {
    let mut world = World::new("Acme");
    let claims = grant_claims(&mut world);
    let issuing = CertificateDer::from(der(&world.vendor.issuing_certificate_pem));
    let issuer = Issuer::from_ca_cert_der(&issuing, world.vendor.issuing_key.clone()).unwrap();
    let mut params = CertificateParams::default();
    params.custom_extensions = vec![document_extension()];
    let thief = SigningKey::generate();
    let certificate = params.signed_by(&thief, &issuer).unwrap();
    let refused = verify_grant(&forge("grant+jwt", &claims, &thief, certificate.der()), &world.root, NOW);
    assert!(matches!(refused, Err(DocumentError::OtherVendor { .. })), "{refused:?}");
}

#[test]
fn the_document_key_makes_no_certificates() {
    let world = World::new("Acme");
    let thief = SigningKey::generate();
    let document = CertificateDer::from(der(&world.vendor.document_certificate_pem));
    let issuer = Issuer::from_ca_cert_der(&document, world.vendor.document_key.clone()).unwrap();
    let mut params = CertificateParams::new(vec![leasehold_trust::SERVER_DNS_NAME.to_owned()]).unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = params.signed_by(&thief, &issuer).unwrap().der().clone();
    assert!(verify_workstation_certificate(&[certificate, document.clone()], &world.root, NOW).is_err());
    assert!(verify_workstation_certificate(&[document], &world.root, NOW).is_err(), "and is no license server itself");
    assert!(verify_workstation_certificate(&[], &world.root, NOW).is_err());
}

#[test]
fn a_workstation_makes_no_workstations() {
    let mut world = World::new("Acme");
    let own = CertificateDer::from(der(&world.certificate()));
    let issuing = CertificateDer::from(der(&world.vendor.issuing_certificate_pem));
    let issuer = Issuer::from_ca_cert_der(&own, world.key.clone()).unwrap();
    let mut params = CertificateParams::new(vec![leasehold_trust::SERVER_DNS_NAME.to_owned()]).unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.is_ca = IsCa::ExplicitNoCa;
    let fake = params.signed_by(&SigningKey::generate(), &issuer).unwrap().der().clone();
    assert!(verify_workstation_certificate(&[own.clone(), issuing.clone()], &world.root, NOW).is_ok());
    assert!(verify_workstation_certificate(&[fake, own, issuing], &world.root, NOW).is_err());
}

#[test]
fn a_certificate_under_the_issuing_ca_for_another_name_is_no_license_server() {
    let world = World::new("Acme");
    let issuing = CertificateDer::from(der(&world.vendor.issuing_certificate_pem));
    let issuer = Issuer::from_ca_cert_der(&issuing, world.vendor.issuing_key.clone()).unwrap();
    let mut params = CertificateParams::new(vec!["portal.example".to_owned()]).unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let other = params.signed_by(&SigningKey::generate(), &issuer).unwrap().der().clone();
    let refused = verify_workstation_certificate(&[other, issuing], &world.root, NOW);
    assert_eq!(refused, Err(DocumentError::BadSignature));
}

#[test]
fn another_vendor_is_refused_by_name() {
    let mut world = World::new("Acme");
    let mut other = World::new("Globex");
    let grant = other.grant(1);
    let refused = verify_grant(&other.grant_token(&grant), &world.root, NOW).unwrap_err();
    assert!(matches!(refused, DocumentError::OtherVendor { .. }));
    has(&refused.to_string(), &["\"Globex\"", "\"Acme\""]);

    other.key = world.key.clone();
    let refused = world.activate(&other.activation_file(&grant), None).unwrap_err();
    has(&refused.what(), &["\"Globex\"", "\"Acme\""]);
    let own = world.grant(1);
    assert!(world.activate(&other.activation_file(&own), None).is_err(), "even for a right that we have");
}

#[test]
fn a_counterfeit_vendor_of_the_same_name_is_told_by_its_root() {
    let mut world = World::new("Acme");
    let mut counterfeit = World::new("Acme");
    counterfeit.key = world.key.clone();
    let grant = world.grant(1);
    let file = counterfeit.activation_file(&grant);
    let refused = world.activate(&file, None).unwrap_err();
    let FileProblem::OtherVendor { file: theirs, ours } = &refused else { panic!("{refused}") };
    assert_eq!(theirs.name, ours.name);
    assert_ne!(theirs.fingerprint, ours.fingerprint);
    has(&refused.what(), &[&theirs.fingerprint, &ours.fingerprint]);
    has(&refused.what_to_do(), &["somebody may be using the vendor's name"]);

    let refused = verify_grant(&counterfeit.grant_token(&grant), &world.root, NOW).unwrap_err();
    assert!(matches!(refused, DocumentError::OtherVendor { .. }), "{refused}");
    // Its chain with our root pasted in at the end leads nowhere.
    let mut parts = blocks(&file);
    parts[2] = world.vendor.root_certificate_pem.clone();
    let refused = world.activate(&parts.concat(), None);
    assert_eq!(refused, Err(FileProblem::BadSignature { wanted: FileKind::Activation }));
    // A server that trusts nobody yet takes it: then the person who uploads it vouches, and sees this fingerprint.
    let taken = read_activation_file(file.as_bytes(), None, &world.key.public(), None, NOW).unwrap();
    assert_eq!(taken.root, counterfeit.root);
}

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in: {text}");
    }
}

#[test]
fn parts_of_two_genuine_files_do_not_make_a_third() {
    let mut world = World::new("Acme");
    let grant = world.grant(1);
    let file = world.activation_file(&grant);
    let other_key = SigningKey::generate();
    let own_key = std::mem::replace(&mut world.key, other_key);
    let for_other = world.activation_file(&grant);
    world.key = own_key;
    // Our certificate with a grant for another key: a copied right.
    let mut parts = blocks(&file);
    parts[3] = blocks(&for_other)[3].clone();
    let refused = world.activate(&parts.concat(), None).unwrap_err();
    assert_eq!(refused, FileProblem::OtherServer { file_workstation: "Hall 3".to_owned() });
}

#[test]
fn a_document_serves_its_own_purpose_only() {
    let mut world = World::new("Acme");
    let claims = world.lease_claims();
    let lease = LeaseSigner::new(world.key.clone()).sign(&claims);
    let grant = world.grant(1);
    let grant = world.grant_token(&grant);
    let wrong = |error: Result<(), DocumentError>| assert!(matches!(error, Err(DocumentError::WrongType { .. })));
    wrong(verify_lease(&grant, &world.vendor.document_key.public()).map(|_| ()));
    wrong(verify_grant(&lease, &world.root, NOW).map(|_| ()));

    let request = blocks(&world.request());
    let receipt = world.receipt();
    let token_of_receipt = der(&receipt);
    let disguised = format!("{}{}", request[0], pem("LEASEHOLD REQUEST", &token_of_receipt));
    let refused = leasehold_trust::request::read_request(disguised.as_bytes(), NOW).unwrap_err();
    assert!(matches!(refused, FileProblem::Damaged { .. }), "{refused}");
}

#[test]
fn contradictions_inside_a_genuine_signature_are_refused() {
    let mut world = World::new("Acme");
    let document = der(&world.vendor.document_certificate_pem);
    let claims = grant_claims(&mut world);
    let mut random = Seeded::new(99);
    let other_id = leasehold_core::ids::WorkstationId::draw(NOW, &mut random);
    for (claim, value) in [
        ("sub", json!(other_id)),
        ("iat", json!(NOW.plus(-DAY_MS).seconds_floor())),
        ("cnf", json!({"jkt": "short"})),
        ("jti", json!("grant_1")),
        ("grant", json!({})),
    ] {
        let mut bad = claims.clone();
        bad[claim] = value;
        let refused = verify_grant(&forge("grant+jwt", &bad, &world.vendor.document_key, &document), &world.root, NOW);
        assert!(matches!(refused, Err(DocumentError::Malformed(_))), "{claim}: {refused:?}");
    }
    let mut unknown = claims.clone();
    unknown["grant"]["lines"][0]["terms"]["only_on_mondays"] = json!(true);
    let token = forge("grant+jwt", &unknown, &world.vendor.document_key, &document);
    assert!(verify_grant(&token, &world.root, NOW).is_err(), "a restriction that we do not know is not skipped");
}

#[test]
fn serial_numbers_are_positive_whatever_is_drawn() {
    let world = World::new("Acme");
    let mut random = Seeded::new(3);
    for serial in [[0; 16], [0xff; 16], bytes(&mut random)] {
        let key = world.key.public();
        let pem = world.signer.issue_workstation_certificate(world.workstation, "a\u{202e}\n", &key, NOW, serial);
        let chain = [der(&pem).into(), der(&world.vendor.issuing_certificate_pem).into()];
        assert_eq!(verify_workstation_certificate(&chain, &world.root, NOW), Ok(key));
    }
    assert_eq!(signer_of(&world.vendor).root(), &world.root);
}
