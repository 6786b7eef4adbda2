//! Whom the link trusts: the certificate authorities of the operating system and those that the administrator adds; and
//! what TLS did not like, as a problem. Judges by the machine's wall clock, and opens no connection.

use super::problem::{LinkProblem, shown};
use leasehold_core::time::{Clock, Ms};
use leasehold_trust::certificate_facts;
use leasehold_web::tls::crypto_provider;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};
use rustls_platform_verifier::Verifier;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Most names of a certificate that a sentence lists.
const NAMES_MAX: usize = 3;

/// Reads the certificate authorities of a PEM file. An error is the end of a sentence.
pub(crate) fn authorities(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, &'static str> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = certificates.map_err(|_| "it is damaged")?;
    if certificates.is_empty() {
        return Err("it holds no certificate in PEM form");
    }
    let mut store = RootCertStore::empty();
    for certificate in &certificates {
        store.add(certificate.clone()).map_err(|_| "a certificate in it cannot be read")?;
    }
    Ok(certificates)
}

/// The TLS side of the link. Reads the operating system's store, which takes some milliseconds.
pub(crate) fn client_config(
    more: &[CertificateDer<'static>],
    clock: &Arc<dyn Clock>,
) -> Result<Arc<ClientConfig>, LinkProblem> {
    let provider = crypto_provider();
    let verifier = Verifier::new_with_extra_roots(more.iter().cloned(), Arc::clone(&provider))
        .map_err(|error| LinkProblem::NoTrust { why: shown(&error.to_string()) })?;
    let config = ClientConfig::builder_with_details(provider, Arc::new(WallClock(Arc::clone(clock))))
        .with_safe_default_protocol_versions()
        .map_err(|error| LinkProblem::NoTrust { why: shown(&error.to_string()) })?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Explaining(verifier)))
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// A certificate as the test of a connection shows it.
pub(crate) fn describe(certificate: &CertificateDer<'_>) -> String {
    match certificate_facts(certificate) {
        Some(facts) => {
            format!("certificate issued by {}, good until {}", shown(&facts.issuer), facts.not_after.rfc3339())
        }
        None => "certificate accepted".to_owned(),
    }
}

/// What TLS did not like at `portal`.
pub(crate) fn problem(error: &rustls::Error, portal: &str) -> LinkProblem {
    let portal = portal.to_owned();
    match error {
        rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(other))) => {
            match other.downcast_ref::<Distrusted>() {
                Some(distrusted) => distrusted.problem(portal),
                None => LinkProblem::BadCertificate { portal, why: shown(&other.to_string()) },
            }
        }
        rustls::Error::InvalidMessage(_) => LinkProblem::NotTls { portal },
        rustls::Error::AlertReceived(alert) => {
            LinkProblem::TlsFailed { portal, why: format!("the other side refused it ({alert:?})") }
        }
        other => LinkProblem::TlsFailed { portal, why: shown(&other.to_string()) },
    }
}

/// The machine's wall clock, so that a certificate is judged by the time that the sentence about it shows.
struct WallClock(Arc<dyn Clock>);

impl fmt::Debug for WallClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WallClock")
    }
}

impl TimeProvider for WallClock {
    fn current_time(&self) -> Option<UnixTime> {
        let ms = u64::try_from(self.0.wall().0).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_millis(ms)))
    }
}

/// The operating system's verdict. If it is no, the certificate is kept with it: rustls would forget it.
#[derive(Debug)]
struct Explaining(Verifier);

impl ServerCertVerifier for Explaining {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.0.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now).map_err(|error| {
            let distrusted = Distrusted { error, certificate: end_entity.clone().into_owned(), now };
            rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(distrusted))))
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// A certificate that was not accepted, and why.
#[derive(Debug)]
struct Distrusted {
    error: rustls::Error,
    certificate: CertificateDer<'static>,
    now: UnixTime,
}

impl fmt::Display for Distrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Distrusted {}

impl Distrusted {
    fn problem(&self, portal: String) -> LinkProblem {
        use CertificateError as E;
        let facts = certificate_facts(&self.certificate);
        let now = Ms::from_seconds(i64::try_from(self.now.as_secs()).unwrap_or(i64::MAX));
        match &self.error {
            // A wrong signature is that of an authority with a trusted one's name and another key.
            rustls::Error::InvalidCertificate(E::UnknownIssuer | E::BadSignature) => {
                let issuer = facts.map(|facts| shown(&facts.issuer)).filter(|issuer| !issuer.is_empty());
                let issuer = issuer.map_or("nobody who has a name".to_owned(), |issuer| format!("\"{issuer}\""));
                LinkProblem::UnknownIssuer { portal, issuer }
            }
            rustls::Error::InvalidCertificate(E::Expired | E::ExpiredContext { .. }) => {
                LinkProblem::Expired { portal, ended_at: facts.map(|facts| facts.not_after), now }
            }
            rustls::Error::InvalidCertificate(E::NotValidYet | E::NotValidYetContext { .. }) => {
                LinkProblem::NotYetValid { portal, begins_at: facts.map(|facts| facts.not_before), now }
            }
            rustls::Error::InvalidCertificate(E::NotValidForName | E::NotValidForNameContext { .. }) => {
                let names = facts.map(|facts| facts.names).unwrap_or_default();
                let listed: Vec<&str> = names.iter().take(NAMES_MAX).map(String::as_str).collect();
                let more = if names.len() > NAMES_MAX { " and others" } else { "" };
                let names = if listed.is_empty() { "none".to_owned() } else { shown(&listed.join(", ")) + more };
                LinkProblem::OtherName { portal, names }
            }
            rustls::Error::InvalidCertificate(E::Other(OtherError(other))) => {
                LinkProblem::BadCertificate { portal, why: other_fault(other.as_ref()) }
            }
            other => LinkProblem::BadCertificate { portal, why: shown(&other.to_string()) },
        }
    }
}

/// A fault that rustls has no word for, as the end of a sentence.
fn other_fault(fault: &(dyn std::error::Error + 'static)) -> String {
    match fault.downcast_ref() {
        // What `openssl req -x509` makes if it is not told otherwise.
        Some(webpki::Error::CaUsedAsEndEntity) => {
            "it is the certificate of an authority (CA:TRUE), and a server must show one of its own".to_owned()
        }
        _ => shown(&fault.to_string()),
    }
}
