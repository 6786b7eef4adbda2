//! Files of format 1, kept for good: every later release reads them, because they are out there. If one of these
//! tests fails, the format has changed: raise its version and keep reading the old one. `examples/make_vectors.rs`
//! made them.

use crate::support::NOW;
use leasehold_core::grant::Grant;
use leasehold_core::time::DAY_MS;
use leasehold_trust::activation_file::read_activation_file;
use leasehold_trust::receipt::read_receipt;
use leasehold_trust::request::read_request;
use leasehold_trust::{LeaseClaims, PublicKey, VendorRoot, verify_grant, verify_lease, verify_workstation_certificate};

const ROOT: &str = include_str!("../vectors/v1/root.pem");
const KEY: &str = include_str!("../vectors/v1/workstation.jwk");
const ACTIVATION: &[u8] = include_bytes!("../vectors/v1/activation.crt");
const GRANT: &str = include_str!("../vectors/v1/grant.json");
const REQUEST: &[u8] = include_bytes!("../vectors/v1/request.pem");
const RECEIPT: &[u8] = include_bytes!("../vectors/v1/receipt.pem");
const LEASE: &str = include_str!("../vectors/v1/lease.jwt");
const CLAIMS: &str = include_str!("../vectors/v1/lease.json");

fn key() -> PublicKey {
    PublicKey::from_jwk(KEY).unwrap()
}

#[test]
fn format_1_of_an_activation_file_is_read() {
    let root = VendorRoot::from_pem(ROOT).unwrap();
    assert_eq!(root.name(), "Example Vendor");
    let taken = read_activation_file(ACTIVATION, Some(&root), &key(), Some(2), NOW).unwrap();
    assert_eq!(taken.grant.grant, serde_json::from_str::<Grant>(GRANT).unwrap());
    let later = NOW.plus(300 * DAY_MS);
    assert_eq!(verify_grant(&taken.grant.token, &root, later), Ok(taken.grant));
    assert_eq!(verify_workstation_certificate(&taken.certificate_chain, &root, later), Ok(key()));
}

#[test]
fn format_1_of_a_request_and_a_receipt_is_read() {
    let request = read_request(REQUEST, NOW).unwrap();
    assert_eq!((request.public_key, request.facts.rev_in_use), (key(), Some(2)));
    assert_eq!((request.facts.host_name.as_str(), request.facts.issued_at), ("hall3-server", NOW));
    assert_eq!(request.facts.vendor, Some(VendorRoot::from_pem(ROOT).unwrap().thumbprint()));
    let receipt = read_receipt(RECEIPT).unwrap();
    assert_eq!(receipt.key, key().thumbprint());
    let facts = receipt.verify(&key()).unwrap();
    assert_eq!((facts.rev_in_use, facts.given_up_at), (3, NOW));
}

#[test]
fn format_1_of_a_lease_is_read() {
    assert_eq!(verify_lease(LEASE.trim_end(), &key()).unwrap(), serde_json::from_str::<LeaseClaims>(CLAIMS).unwrap());
}
