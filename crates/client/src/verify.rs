//! Whether an answer of a license server may be believed (`PROTOCOL.md` section 7): the lease document against what was
//! asked, and the grant document that it names from the vendor's root down. So a stolen or made-up server cannot lease
//! what the portal did not grant.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use leasehold_core::clock::DATE_LEEWAY_MS;
use leasehold_core::ids::LeaseId;
use leasehold_core::license::FeatureCode;
use leasehold_core::time::Ms;
use leasehold_core::times::LeaseTimes;
use leasehold_trust::{DocumentError, PublicKey, VendorRef, VendorRoot, VerifiedGrant, verify_grant, verify_lease};
use leasehold_wire::server::{GrantResponse, LeaseResponse};
use rustls_pki_types::CertificateDer;

/// Most certificates in an answer that are looked at.
const CHAIN_MAX: usize = 6;

/// Why an answer is not believed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Distrust {
    /// Everything under it leads to another vendor.
    OtherVendor(VendorRef),
    /// Anything else, as the end of a sentence that begins with "the server's answer cannot be believed: ".
    Because(String),
}

impl From<DocumentError> for Distrust {
    fn from(error: DocumentError) -> Distrust {
        match error {
            DocumentError::OtherVendor { file, .. } => Distrust::OtherVendor(file),
            error => Distrust::Because(error.to_string()),
        }
    }
}

fn because<T>(why: &str) -> Result<T, Distrust> {
    Err(Distrust::Because(why.to_owned()))
}

/// A grant document whose chain was checked, with the key of the server that holds it.
#[derive(Debug)]
pub(crate) struct KnownGrant {
    key: PublicKey,
    pub(crate) verified: VerifiedGrant,
    /// When the server's certificate ends.
    pub(crate) certificate_ends_at: Ms,
}

/// Checks the answer to `GET /v1/grants/{sha256}`.
pub(crate) fn grant(answer: &GrantResponse, sha256: &str, root: &VendorRoot, now: Ms) -> Result<KnownGrant, Distrust> {
    if answer.certificates.len() > CHAIN_MAX {
        return because("its certificate chain is too long");
    }
    let mut chain = Vec::new();
    for text in &answer.certificates {
        match STANDARD.decode(text) {
            Ok(der) => chain.push(CertificateDer::from(der)),
            Err(_) => return because("its certificate is unreadable"),
        }
    }
    let key = leasehold_trust::verify_workstation_certificate(&chain, root, now)?;
    let certificate_ends_at = chain.first().and_then(|der| leasehold_trust::certificate_ends_at(der));
    let verified = verify_grant(&answer.grant, root, now)?;
    if verified.sha256_hex != sha256 {
        return because("its grant document is not the one that the lease names");
    }
    if !verified.is_for(&key) {
        return because("its grant document was issued to another server");
    }
    Ok(KnownGrant { key, verified, certificate_ends_at: certificate_ends_at.unwrap_or(now) })
}

/// What was asked, to compare an answer with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) nonce: &'a str,
    /// The lease that is renewed; `None` for a checkout.
    pub(crate) lease: Option<LeaseId>,
    pub(crate) feature: &'a FeatureCode,
    pub(crate) seats: u32,
}

/// Checks an answer that creates or extends a lease and returns for how long, as it was signed.
pub(crate) fn lease(
    answer: &LeaseResponse,
    asked: Asked<'_>,
    grant: &KnownGrant,
    now: Ms,
) -> Result<LeaseTimes, Distrust> {
    let claims = verify_lease(&answer.token, &grant.key)?;
    if claims.nonce != asked.nonce {
        return because("it was signed for another request");
    }
    if claims.sub != answer.lease || asked.lease.is_some_and(|lease| lease != claims.sub) {
        return because("it is about another lease");
    }
    if claims.feature != *asked.feature || claims.seats != asked.seats {
        return because("it leases something else than was asked for");
    }
    if claims.iss != grant.verified.grant.workstation || claims.grant_sha256 != grant.verified.sha256_hex {
        return because("it stands on another grant document than it names");
    }
    let Some(until) = grant.verified.feature_until(asked.feature.as_str()) else {
        return because("the vendor did not grant this feature to that server");
    };
    if now >= until.plus(DATE_LEEWAY_MS) {
        return Err(Distrust::Because(format!(
            "what the vendor granted of this feature ended at {}, and this machine's clock says {}",
            until.rfc3339(),
            now.rfc3339()
        )));
    }
    Ok(LeaseTimes { renew_after_s: claims.renew_after_s, ttl_s: claims.ttl_s, grace_s: claims.grace_s })
}

#[cfg(test)]
mod tests;
