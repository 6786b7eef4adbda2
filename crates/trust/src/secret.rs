//! Hashes, the secrets of leases, and the certificate a server shows before it is activated.

use crate::certificate;
use crate::keys::SigningKey;
use aws_lc_rs::{constant_time, digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use leasehold_core::ids::LeaseId;
use leasehold_core::time::{DAY_MS, Ms};

/// SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest::digest(&digest::SHA256, bytes).as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// SHA-256 of `bytes` as 64 lower-case hex digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&sha256(bytes))
}

/// A SHA-256 as people compare it on a screen: `AB:CD:...`, 32 pairs of upper-case hex digits. The form of
/// `openssl x509 -fingerprint -sha256` and of browsers.
pub fn fingerprint_text(hash: &[u8; 32]) -> String {
    let pairs: Vec<String> = hash.iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The server's secret from which the secret of each lease follows, so that a repeated answer is the same and no
/// secret of a lease is stored.
#[derive(Clone)]
pub struct HmacKey(hmac::Key);

impl HmacKey {
    /// A key of 32 random bytes.
    pub fn new(bytes: &[u8; 32]) -> HmacKey {
        HmacKey(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// The bearer secret of a lease: 43 characters of base64url.
    pub fn lease_secret(&self, lease: LeaseId) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.0, lease.to_string().as_bytes()))
    }

    /// Whether `presented` is the secret of `lease`; takes the same time wherever the two differ.
    pub fn verify_lease_secret(&self, lease: LeaseId, presented: &str) -> bool {
        let expected = self.lease_secret(lease);
        constant_time::verify_slices_are_equal(expected.as_bytes(), presented.as_bytes()).is_ok()
    }
}

impl std::fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HmacKey")
    }
}

/// A certificate that nobody vouches for, for browsers until the administrator uploads another one. `names` are DNS
/// names or IP addresses; those that cannot stand in a certificate are left out. PEM; runs 5 years.
pub fn self_signed_certificate(names: &[String], key: &SigningKey, now: Ms) -> String {
    let mut params = rcgen::CertificateParams::default();
    params.subject_alt_names = names.iter().filter_map(|name| certificate::subject_alt_name(name)).collect();
    params.distinguished_name = certificate::subject("Leasehold license server", None);
    certificate::set_validity(&mut params, now.plus(-2 * DAY_MS), now.plus(5 * 365 * DAY_MS));
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    params.self_signed(key).expect("our own parameters make a certificate").pem()
}

#[cfg(test)]
mod tests {
    use super::*;
    use leasehold_core::random::Seeded;

    #[test]
    fn a_lease_secret_belongs_to_one_lease_of_one_server() {
        let (key, other) = (HmacKey::new(&[1; 32]), HmacKey::new(&[2; 32]));
        let mut random = Seeded::new(1);
        let (lease, another) = (LeaseId::draw(Ms(1), &mut random), LeaseId::draw(Ms(1), &mut random));
        let secret = key.lease_secret(lease);
        assert_eq!(secret, key.lease_secret(lease), "a repeated answer carries the same secret");
        assert!(key.verify_lease_secret(lease, &secret));
        assert!(!key.verify_lease_secret(another, &secret));
        assert!(!other.verify_lease_secret(lease, &secret));
        assert!(!key.verify_lease_secret(lease, &secret[..42]) && !key.verify_lease_secret(lease, ""));
    }

    #[test]
    fn hashes_match_the_published_vector() {
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256_hex(b"abc"), hex);
        assert!(fingerprint_text(&sha256(b"abc")).starts_with("BA:78:16:BF:"));
    }
}
