//! Compact JWS (RFC 7515) with one algorithm: the envelope of every signed document.
//!
//! Owns splitting, the header, and the rule that claims are parsed only after the signature was verified. A stock
//! JWT library re-reads its key for each signature and knows ambient time; this is the small part of it that is needed.

use crate::documents::DocumentError;
use crate::keys::{PublicKey, SigningKey, Thumbprint};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The types of document (`PROTOCOL.md` section 12).
pub(crate) mod typ {
    pub(crate) const GRANT: &str = "grant+jwt";
    pub(crate) const LEASE: &str = "lease+jwt";
    pub(crate) const REQUEST: &str = "request+jwt";
    pub(crate) const RECEIPT: &str = "receipt+jwt";
    pub(crate) const PASS: &str = "pass+jwt";
    pub(crate) const PASS_REQUEST: &str = "pass-request+jwt";
    pub(crate) const PASS_RECEIPT: &str = "pass-receipt+jwt";
    pub(crate) const SYNC: &str = "sync+jwt";
    pub(crate) const ANSWER: &str = "answer+jwt";
}

/// Certificates that a header may carry; more is no document of ours.
const X5C_MAX: usize = 4;

#[derive(Serialize, Deserialize)]
struct Header<'a> {
    alg: &'a str,
    typ: &'a str,
    kid: Thumbprint,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    x5c: Vec<String>,
    // RFC 7515 4.1.11: a reader that does not understand `crit` must refuse.
    #[serde(default, skip_serializing)]
    crit: Option<serde::de::IgnoredAny>,
}

/// A key with the encoded header of the documents that it signs; made once, used for each signature.
#[derive(Clone, Debug)]
pub(crate) struct Signer {
    key: SigningKey,
    /// Encoded header and the dot after it.
    head: String,
}

impl Signer {
    /// A signer of documents of type `typ`; `x5c` are DER certificates, the signer's own first.
    pub(crate) fn new(key: SigningKey, typ: &str, x5c: &[&[u8]]) -> Signer {
        let standard = base64::engine::general_purpose::STANDARD;
        let x5c = x5c.iter().map(|der| standard.encode(der)).collect();
        let header = Header { alg: "ES256", typ, kid: key.thumbprint(), x5c, crit: None };
        let json = serde_json::to_vec(&header).expect("a header is plain JSON");
        Signer { key, head: URL_SAFE_NO_PAD.encode(json) + "." }
    }

    /// The signed document.
    pub(crate) fn sign(&self, claims: &impl Serialize) -> String {
        let json = serde_json::to_vec(claims).expect("claims are plain JSON");
        let mut token = String::with_capacity(self.head.len() + json.len().div_ceil(3) * 4 + 87);
        token.push_str(&self.head);
        URL_SAFE_NO_PAD.encode_string(json, &mut token);
        let signature = self.key.sign_fixed(token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        token
    }
}

/// A document whose signature nobody has looked at. Its header says which key to ask for; nothing else is readable.
pub(crate) struct Unverified<'a> {
    message: &'a str,
    payload: &'a str,
    signature: Vec<u8>,
    pub(crate) kid: Thumbprint,
    pub(crate) x5c: Vec<Vec<u8>>,
}

impl<'a> Unverified<'a> {
    /// Splits a document of type `wanted` and of at most `max` bytes.
    pub(crate) fn split(token: &'a str, wanted: &'static str, max: usize) -> Result<Unverified<'a>, DocumentError> {
        if token.len() > max {
            return Err(DocumentError::Oversized { bytes: token.len(), max });
        }
        let (message, signature) = token.rsplit_once('.').ok_or(DocumentError::Malformed("it has no parts"))?;
        let (head, payload) = message.split_once('.').ok_or(DocumentError::Malformed("a part is missing"))?;
        // A fourth part would be an encrypted document; the payload's decoder refuses the dot.
        let head = URL_SAFE_NO_PAD.decode(head).map_err(|_| DocumentError::Malformed("its header is not base64url"))?;
        let header: Header<'_> =
            serde_json::from_slice(&head).map_err(|_| DocumentError::Malformed("its header is unreadable"))?;
        if header.typ != wanted {
            return Err(DocumentError::WrongType { wanted });
        }
        if header.alg != "ES256" || header.crit.is_some() {
            return Err(DocumentError::BadSignature);
        }
        if header.x5c.len() > X5C_MAX {
            return Err(DocumentError::Malformed("it carries too many certificates"));
        }
        let standard = base64::engine::general_purpose::STANDARD;
        let x5c = header.x5c.iter().map(|text| standard.decode(text)).collect::<Result<_, _>>();
        Ok(Unverified {
            message,
            payload,
            signature: URL_SAFE_NO_PAD.decode(signature).map_err(|_| DocumentError::BadSignature)?,
            kid: header.kid,
            x5c: x5c.map_err(|_| DocumentError::Malformed("its certificates are not base64"))?,
        })
    }

    /// One claim that says by which key to verify the document. Nobody vouches for it.
    pub(crate) fn unverified_text(&self, claim: &str) -> Result<String, DocumentError> {
        let json = URL_SAFE_NO_PAD.decode(self.payload).map_err(|_| DocumentError::Malformed("it is not base64url"))?;
        let claims: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(&json).map_err(|_| DocumentError::Malformed("its claims are unreadable"))?;
        let text = claims.get(claim).and_then(serde_json::Value::as_str);
        text.map(str::to_owned).ok_or(DocumentError::Malformed("it does not name its key"))
    }

    /// The claims, if `key` signed them. `newest` is the highest format version that this build reads.
    pub(crate) fn verify<T: DeserializeOwned>(&self, key: &PublicKey, newest: u32) -> Result<T, DocumentError> {
        if !key.verifies_fixed(self.message.as_bytes(), &self.signature) {
            return Err(DocumentError::BadSignature);
        }
        let json = URL_SAFE_NO_PAD.decode(self.payload).map_err(|_| DocumentError::Malformed("it is not base64url"))?;
        // The version first: the claims of a newer format may look like damage.
        let Version { v } = serde_json::from_slice(&json).map_err(|_| DocumentError::Malformed("it has no version"))?;
        if v > u64::from(newest) {
            return Err(DocumentError::NewerFormat { v });
        }
        if v == 0 {
            return Err(DocumentError::Malformed("there is no format 0"));
        }
        serde_json::from_slice(&json).map_err(|_| DocumentError::Malformed("a claim is missing or has a wrong type"))
    }
}

#[derive(Deserialize)]
struct Version {
    v: u64,
}

#[cfg(test)]
mod tests;
