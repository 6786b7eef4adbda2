//! P-256 keys in the forms that the outside needs: PKCS#8, SPKI, JWK, and the RFC 7638 thumbprint that names a key.
//!
//! Owns parsing, writing and the two raw signature operations. Knows nothing of documents or certificates.

use aws_lc_rs::rand::{self, SystemRandom};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING,
    EcdsaKeyPair, KeyPair, ParsedPublicKey, UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pkcs8::der::SecretDocument;
use pkcs8::der::pem::LineEnding;
use pkcs8::pkcs5::{pbes2, scrypt};
use pkcs8::{EncryptedPrivateKeyInfo, PrivateKeyInfo};
use rustls_pki_types::PrivatePkcs8KeyDer;
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// An uncompressed point: 0x04, x, y.
const POINT_BYTES: usize = 65;
/// `SubjectPublicKeyInfo` of a P-256 key up to the point; DER leaves no other way to write it.
const SPKI_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// Longest key file that is read, in bytes. An encrypted P-256 key takes about 400.
const KEY_TEXT_BYTES_MAX: usize = 8 * 1024;

/// Why a key could not be read or written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeyError {
    /// Not PEM with the expected label, or not the structure that the label promises.
    #[error("this is not a private key in PKCS#8 PEM form")]
    NotAKey,
    /// A key of another kind.
    #[error("only P-256 keys are used here, and this key is of another kind or damaged")]
    NotP256,
    /// The passphrase does not open the key.
    #[error("the passphrase does not open this key, or the file is damaged")]
    WrongPassphrase,
    /// The file holds a key that is not encrypted, or the other way round.
    #[error("the key is encrypted and needs its passphrase")]
    Encrypted,
}

/// A P-256 key pair. Cloning shares it.
#[derive(Clone)]
pub struct SigningKey(Arc<KeyParts>);

struct KeyParts {
    // aws-lc binds a key pair to one signature form: documents need r||s, certificates need DER.
    fixed: EcdsaKeyPair,
    asn1: EcdsaKeyPair,
    pkcs8: SecretDocument,
    public: PublicKey,
}

impl SigningKey {
    /// A new key. The one thing in this crate that is not a function of its arguments: aws-lc draws keys from the
    /// operating system by itself and takes no source from outside, which is right for keys.
    ///
    /// # Panics
    /// If the operating system gives no randomness; nothing secure can be done then.
    pub fn generate() -> SigningKey {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("the system gives randomness");
        let pkcs8 = pair.to_pkcs8v1().expect("a fresh key can be written");
        SigningKey::from_pkcs8_der(pkcs8.as_ref()).expect("a fresh key can be read")
    }

    /// Reads an unencrypted PKCS#8 PEM (`BEGIN PRIVATE KEY`).
    pub fn from_pkcs8_pem(text: &str) -> Result<SigningKey, KeyError> {
        let (label, document) = read_pem(text)?;
        match label {
            "PRIVATE KEY" => SigningKey::from_pkcs8_der(document.as_bytes()),
            "ENCRYPTED PRIVATE KEY" => Err(KeyError::Encrypted),
            _ => Err(KeyError::NotAKey),
        }
    }

    /// Reads an encrypted PKCS#8 PEM (`BEGIN ENCRYPTED PRIVATE KEY`, PBES2). Slow on purpose: a second or less.
    pub fn from_encrypted_pem(text: &str, passphrase: &str) -> Result<SigningKey, KeyError> {
        let (label, document) = read_pem(text)?;
        if label != "ENCRYPTED PRIVATE KEY" {
            return Err(KeyError::NotAKey);
        }
        let encrypted = EncryptedPrivateKeyInfo::try_from(document.as_bytes()).map_err(|_| KeyError::NotAKey)?;
        let opened = encrypted.decrypt(passphrase).map_err(|_| KeyError::WrongPassphrase)?;
        SigningKey::from_pkcs8_der(opened.as_bytes())
    }

    fn from_pkcs8_der(der: &[u8]) -> Result<SigningKey, KeyError> {
        let fixed = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).map_err(|_| KeyError::NotP256)?;
        let asn1 = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, der).map_err(|_| KeyError::NotP256)?;
        let public = PublicKey::from_point(fixed.public_key().as_ref())?;
        let pkcs8 = SecretDocument::try_from(der).map_err(|_| KeyError::NotAKey)?;
        Ok(SigningKey(Arc::new(KeyParts { fixed, asn1, pkcs8, public })))
    }

    /// The key as unencrypted PKCS#8 PEM. A secret: it goes into a file of mode 0600 and nowhere else.
    pub fn to_pkcs8_pem(&self) -> String {
        let pem = self.0.pkcs8.to_pem("PRIVATE KEY", LineEnding::LF).expect("a short document fits");
        pem.as_str().to_owned()
    }

    /// The key as PKCS#8 DER, the form that TLS libraries take. A secret.
    pub fn to_pkcs8_der(&self) -> PrivatePkcs8KeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.0.pkcs8.as_bytes().to_vec())
    }

    /// The key as encrypted PKCS#8 PEM: PBES2 with scrypt (N = 2^14, r = 8, p = 5, which OpenSSL's default memory
    /// limit still admits) and AES-256-CBC. `openssl pkey` reads it. For the root, which leaves the machine.
    pub fn to_encrypted_pem(&self, passphrase: &str) -> String {
        let (mut salt, mut iv) = ([0; 16], [0; 16]);
        rand::fill(&mut salt).and_then(|()| rand::fill(&mut iv)).expect("the system gives randomness");
        let cost = scrypt::Params::new(14, 8, 5, 32).expect("valid scrypt parameters");
        let scheme = pbes2::Parameters::scrypt_aes256cbc(cost, &salt, &iv).expect("valid PBES2 parameters");
        let key = PrivateKeyInfo::try_from(self.0.pkcs8.as_bytes()).expect("our own key is PKCS#8");
        let encrypted = key.encrypt_with_params(scheme, passphrase).expect("a short key can be encrypted");
        let pem = encrypted.to_pem("ENCRYPTED PRIVATE KEY", LineEnding::LF).expect("a short document fits");
        pem.as_str().to_owned()
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        self.0.public
    }

    /// Names the key: [`PublicKey::thumbprint`].
    pub fn thumbprint(&self) -> Thumbprint {
        self.0.public.thumbprint()
    }

    /// ES256 signature of `message` as JWS wants it: r and s, 32 bytes each.
    pub(crate) fn sign_fixed(&self, message: &[u8]) -> [u8; 64] {
        let signature = self.0.fixed.sign(&SystemRandom::new(), message).expect("the system gives randomness");
        signature.as_ref().try_into().expect("r and s are 32 bytes each")
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.thumbprint())
    }
}

impl rcgen::PublicKeyData for SigningKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0.public.0
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

impl rcgen::SigningKey for SigningKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signature = self.0.asn1.sign(&SystemRandom::new(), message).map_err(|_| rcgen::Error::RemoteKeyError)?;
        Ok(signature.as_ref().to_vec())
    }
}

fn read_pem(text: &str) -> Result<(&str, SecretDocument), KeyError> {
    if text.len() > KEY_TEXT_BYTES_MAX {
        return Err(KeyError::NotAKey);
    }
    SecretDocument::from_pem(text).map_err(|_| KeyError::NotAKey)
}

/// The public half of a P-256 key; always a point on the curve.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey([u8; POINT_BYTES]);

/// RFC 7517 form of a public key. Members that do not make the key are ignored.
#[derive(Deserialize)]
struct Jwk<'a> {
    kty: &'a str,
    crv: &'a str,
    x: &'a str,
    y: &'a str,
}

impl PublicKey {
    fn from_point(point: &[u8]) -> Result<PublicKey, KeyError> {
        let bytes: [u8; POINT_BYTES] = point.try_into().map_err(|_| KeyError::NotP256)?;
        // Parsing checks that the point is on the curve.
        ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, bytes).map_err(|_| KeyError::NotP256)?;
        Ok(PublicKey(bytes))
    }

    /// Reads a DER `SubjectPublicKeyInfo` with an uncompressed point, the form of every certificate and request.
    pub fn from_spki_der(der: &[u8]) -> Result<PublicKey, KeyError> {
        PublicKey::from_point(der.strip_prefix(&SPKI_PREFIX).ok_or(KeyError::NotP256)?)
    }

    /// Reads the JSON of a JWK (`kty` EC, `crv` P-256).
    pub fn from_jwk(json: &str) -> Result<PublicKey, KeyError> {
        if json.len() > KEY_TEXT_BYTES_MAX {
            return Err(KeyError::NotAKey);
        }
        let jwk: Jwk<'_> = serde_json::from_str(json).map_err(|_| KeyError::NotAKey)?;
        if (jwk.kty, jwk.crv) != ("EC", "P-256") {
            return Err(KeyError::NotP256);
        }
        let mut point = vec![4];
        for coordinate in [jwk.x, jwk.y] {
            point.extend(URL_SAFE_NO_PAD.decode(coordinate).map_err(|_| KeyError::NotAKey)?);
        }
        PublicKey::from_point(&point)
    }

    /// The key as DER `SubjectPublicKeyInfo`.
    pub fn to_spki_der(&self) -> Vec<u8> {
        [SPKI_PREFIX.as_slice(), &self.0].concat()
    }

    /// The key as JWK: only the required members, in lexical order, without blanks. This exact text is what RFC 7638
    /// hashes, and a good form to keep in a table.
    pub fn to_jwk(&self) -> String {
        let (x, y) = (URL_SAFE_NO_PAD.encode(&self.0[1..33]), URL_SAFE_NO_PAD.encode(&self.0[33..]));
        format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#)
    }

    /// The RFC 7638 thumbprint, which names the key in documents (`kid`, `jkt`).
    pub fn thumbprint(&self) -> Thumbprint {
        Thumbprint(URL_SAFE_NO_PAD.encode(crate::secret::sha256(self.to_jwk().as_bytes())))
    }

    /// Whether `signature` (r||s) over `message` was made by this key.
    pub(crate) fn verifies_fixed(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.0).verify(message, signature).is_ok()
    }

    /// Whether `signature` (DER) over `message` was made by this key.
    pub(crate) fn verifies_der(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, self.0).verify(message, signature).is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.thumbprint())
    }
}

impl rcgen::PublicKeyData for PublicKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

/// RFC 7638 SHA-256 thumbprint of a key: 43 characters of base64url.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Thumbprint(String);

/// The text is not a thumbprint.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a key thumbprint (43 characters of base64url)")]
pub struct ThumbprintError;

impl Thumbprint {
    /// The thumbprint as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Thumbprint {
    type Err = ThumbprintError;

    fn from_str(text: &str) -> Result<Thumbprint, ThumbprintError> {
        // The decoder refuses stray bits in the last character, so each hash has one spelling.
        let long_enough = text.len() == 43 && URL_SAFE_NO_PAD.decode(text).is_ok();
        if long_enough { Ok(Thumbprint(text.to_owned())) } else { Err(ThumbprintError) }
    }
}

impl<'de> Deserialize<'de> for Thumbprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;
