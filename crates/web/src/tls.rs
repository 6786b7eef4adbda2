//! The TLS side of a listener: certificate files into a `rustls` configuration, and a configuration that can be
//! replaced while the service runs. Which certificate answers which name is the service's own resolver.

use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::watch;

/// The TLS configuration in use. Replacing it lets connections that were begun with another one end after the answer that
/// they wait for, so that whoever goes on has seen the new one. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Tls(Arc<InUse>);

#[derive(Debug)]
struct InUse {
    config: RwLock<Arc<ServerConfig>>,
    epoch: watch::Sender<u64>,
}

impl Tls {
    /// Starts with `config`. Protocol names (h2, http/1.1) and session tickets are set here.
    pub fn new(config: ServerConfig) -> Tls {
        Tls(Arc::new(InUse { config: RwLock::new(prepare(config)), epoch: watch::Sender::new(0) }))
    }

    /// From now on new connections see `config`; nobody resumes what was agreed on before.
    pub fn replace(&self, config: ServerConfig) {
        let config = prepare(config);
        *self.0.config.write().unwrap_or_else(PoisonError::into_inner) = config;
        // After the configuration: whoever sees the number sees what it stands for.
        self.0.epoch.send_modify(|epoch| *epoch += 1);
    }

    /// How often it was replaced.
    pub fn epoch(&self) -> u64 {
        *self.0.epoch.borrow()
    }

    /// Returns once what was in use at `epoch` is not any more.
    pub(crate) async fn replaced(&self, epoch: u64) {
        let mut watched = self.0.epoch.subscribe();
        // The sender is held by `self`.
        let _ = watched.wait_for(|now| *now != epoch).await;
    }

    pub(crate) fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.config.read().unwrap_or_else(PoisonError::into_inner))
    }
}

fn prepare(mut config: ServerConfig) -> Arc<ServerConfig> {
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // A thousand applications that heartbeat over short connections resume instead of shaking hands in full. Without
    // tickets rustls keeps 256 sessions in memory, so failing to make a ticketer costs speed only.
    if let Ok(ticketer) = aws_lc_rs::Ticketer::new() {
        config.ticketer = ticketer;
    }
    Arc::new(config)
}

/// The cryptography that both services use; named because nothing may depend on a process-wide default.
pub fn crypto_provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Why a certificate and its key cannot be used. The sentence says what to do.
#[derive(Debug, thiserror::Error)]
pub enum TlsFileError {
    /// The certificate file has no certificate in it, or a broken one.
    #[error(
        "the TLS certificate file holds no readable PEM certificate; give the server certificate followed by its intermediates"
    )]
    NoCertificate,
    /// The key file has no private key in it, or one behind a passphrase.
    #[error("the TLS key file holds no readable PEM private key; give an unencrypted PKCS#8, SEC1 or PKCS#1 key")]
    NoKey,
    /// The key belongs to a later certificate of the file.
    #[error(
        "the TLS key belongs to certificate {0} of the file; put that one first, followed by the certificate that issued it, and so on"
    )]
    Order(usize),
    /// The key belongs to none of them.
    #[error(
        "the TLS key belongs to another certificate; give the key for which the first certificate of the file was made"
    )]
    OtherKey,
    /// X.509 version 1, which has no names that a browser would look at.
    #[error(
        "the TLS certificate is of X.509 version 1, which no browser takes; have it made with the extension subjectAltName, which names the server (with OpenSSL: -extfile or -copy_extensions)"
    )]
    Version,
    /// The algorithm or the size of the key is not supported, or the certificate is broken.
    #[error(
        "the TLS certificate and key cannot be used ({0}); give a key that is P-256 or RSA of at least 2048 bits, and its certificate"
    )]
    Unusable(rustls::Error),
}

/// A certificate, PEM with its intermediates, and its key, if they can be used together. What is pasted may be indented.
///
/// # Errors
/// See [`TlsFileError`].
pub fn certified_from_pem(certificates: &[u8], key: &[u8]) -> Result<CertifiedKey, TlsFileError> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&trimmed(certificates))
        .collect::<Result<_, _>>()
        .map_err(|_| TlsFileError::NoCertificate)?;
    if chain.is_empty() {
        return Err(TlsFileError::NoCertificate);
    }
    let key = PrivateKeyDer::from_pem_slice(&trimmed(key)).map_err(|_| TlsFileError::NoKey)?;
    let provider = crypto_provider();
    let fits =
        |der: &CertificateDer<'static>| CertifiedKey::from_der(vec![der.clone()], key.clone_key(), &provider).is_ok();
    CertifiedKey::from_der(chain.clone(), key.clone_key(), &provider).map_err(|error| {
        match (chain.iter().position(fits), &error) {
            (Some(at), _) => TlsFileError::Order(at + 1),
            (None, rustls::Error::InconsistentKeys(_)) => TlsFileError::OtherKey,
            (None, other) if other.to_string().contains("UnsupportedCertVersion") => TlsFileError::Version,
            (None, _) => TlsFileError::Unusable(error),
        }
    })
}

/// Without blanks around its lines.
fn trimmed(pem: &[u8]) -> Vec<u8> {
    pem.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).collect::<Vec<_>>().join(&b'\n')
}

/// A configuration that always shows one certificate: `certificates` is PEM with the server's first, then its
/// intermediates; `key` is PEM.
///
/// # Errors
/// See [`TlsFileError`].
pub fn config_from_pem(certificates: &[u8], key: &[u8]) -> Result<ServerConfig, TlsFileError> {
    let certified = certified_from_pem(certificates, key)?;
    let config = ServerConfig::builder_with_provider(crypto_provider())
        .with_safe_default_protocol_versions()
        .map_err(TlsFileError::Unusable)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    Ok(config)
}
