//! Which certificate the port shows: to applications, who ask for the one fixed name, the workstation's, which chains to
//! the vendor's root; to browsers the administrator's, or a self-signed one made at the first start.

use crate::config::Config;
use crate::keys::{KeysError, read_if_there, read_key};
use leasehold_core::time::Ms;
use leasehold_host::{FileError, private_file};
use leasehold_trust::secret::{fingerprint_text, self_signed_certificate, sha256};
use leasehold_trust::{SERVER_DNS_NAME, SigningKey, certificate_facts};
use leasehold_web::tls::{Tls, TlsFileError, certified_from_pem, crypto_provider};
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

const SELF_SIGNED_KEY_FILE: &str = "tls.key";
const SELF_SIGNED_CERTIFICATE_FILE: &str = "tls.crt";

/// Why TLS cannot be offered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A key file of our own is damaged.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The administrator's files cannot be used.
    #[error("{}: {source}", path.display())]
    Unusable {
        /// The certificate file.
        path: PathBuf,
        /// Why.
        source: TlsFileError,
    },
}

/// The certificates of the port.
#[derive(Debug)]
pub(crate) struct Certificates {
    browsers: RwLock<Arc<CertifiedKey>>,
    workstation: RwLock<Option<Arc<CertifiedKey>>>,
}

impl Certificates {
    /// Reads what browsers are shown; makes a self-signed certificate if the administrator gave none.
    pub(crate) fn open(folder: &Path, config: &Config, now: Ms) -> Result<Certificates, TlsError> {
        let browsers = RwLock::new(Arc::new(for_browsers(folder, config, now)?));
        Ok(Certificates { browsers, workstation: RwLock::new(None) })
    }

    /// Reads again what browsers are shown; new connections see it. If it cannot be used, the old one stays.
    pub(crate) fn reload(&self, folder: &Path, config: &Config, now: Ms) -> Result<(), TlsError> {
        self.show_browsers(Arc::new(for_browsers(folder, config, now)?));
        Ok(())
    }

    /// From now on new connections of browsers see this one.
    pub(crate) fn show_browsers(&self, certificate: Arc<CertifiedKey>) {
        *self.browsers.write().unwrap_or_else(PoisonError::into_inner) = certificate;
    }

    /// SHA-256 of the certificate that browsers are shown, as people compare it.
    pub(crate) fn fingerprint(&self) -> String {
        self.browsers().map(|der| fingerprint_text(&sha256(&der))).unwrap_or_default()
    }

    /// The certificate that browsers are shown, as DER.
    pub(crate) fn browsers(&self) -> Option<CertificateDer<'static>> {
        self.shown_to_browsers().cert.first().cloned()
    }

    /// When that certificate ends; it may be the administrator's own, of any kind.
    pub(crate) fn browsers_end_at(&self) -> Option<Ms> {
        self.browsers().and_then(|der| certificate_facts(&der)).map(|facts| facts.not_after)
    }

    fn shown_to_browsers(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.browsers.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on applications see this chain.
    pub(crate) fn show_workstation(&self, key: &SigningKey, chain: Vec<CertificateDer<'static>>) {
        match CertifiedKey::from_der(chain, key.to_pkcs8_der().into(), &crypto_provider()) {
            Ok(certified) => self.set(Some(Arc::new(certified))),
            // Applications then cannot use TLS; over plain HTTP they still check every signed document.
            Err(error) => tracing::error!(%error, "the workstation's certificate cannot be used for TLS"),
        }
    }

    /// The key is destroyed: applications see what browsers see, and refuse it.
    pub(crate) fn hide_workstation(&self) {
        self.set(None);
    }

    fn set(&self, workstation: Option<Arc<CertifiedKey>>) {
        *self.workstation.write().unwrap_or_else(PoisonError::into_inner) = workstation;
    }

    /// The TLS side of the port. New connections see what is shown at that moment.
    pub(crate) fn tls(self: &Arc<Self>) -> Result<Tls, rustls::Error> {
        self.config().map(Tls::new)
    }

    /// The same as a configuration, with which nothing that was agreed on before is resumed.
    pub(crate) fn config(self: &Arc<Self>) -> Result<ServerConfig, rustls::Error> {
        Ok(ServerConfig::builder_with_provider(crypto_provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>))
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let application = hello.server_name().is_some_and(|name| name.eq_ignore_ascii_case(SERVER_DNS_NAME));
        let workstation = self.workstation.read().unwrap_or_else(PoisonError::into_inner);
        match &*workstation {
            Some(workstation) if application => Some(Arc::clone(workstation)),
            _ => Some(self.shown_to_browsers()),
        }
    }
}

/// What browsers are to see by the settings.
pub(crate) fn for_browsers(folder: &Path, config: &Config, now: Ms) -> Result<CertifiedKey, TlsError> {
    let Some(files) = &config.tls else { return self_signed(folder, now) };
    let certificate = read_public(&files.certificate)?;
    let key = private_file::read(&files.key)?;
    certified_from_pem(&certificate, &key)
        .map_err(|source| TlsError::Unusable { path: files.certificate.clone(), source })
}

/// A certificate is no secret: its mode does not matter.
fn read_public(path: &Path) -> Result<Vec<u8>, FileError> {
    std::fs::read(path).map_err(|source| FileError::Io { doing: "read", path: path.to_owned(), source })
}

fn self_signed(folder: &Path, now: Ms) -> Result<CertifiedKey, TlsError> {
    let (key_path, certificate_path) = (folder.join(SELF_SIGNED_KEY_FILE), folder.join(SELF_SIGNED_CERTIFICATE_FILE));
    let key = match read_if_there(&key_path)? {
        Some(bytes) => read_key(&key_path, &bytes)?,
        None => {
            let key = SigningKey::generate();
            private_file::write_once(&key_path, key.to_pkcs8_pem().as_bytes())?;
            key
        }
    };
    let certificate = match read_if_there(&certificate_path)? {
        Some(bytes) => bytes,
        None => {
            let names = [leasehold_host::host_name(), "localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
            let certificate = self_signed_certificate(&names, &key, now).into_bytes();
            private_file::write_once(&certificate_path, &certificate)?;
            certificate
        }
    };
    certified_from_pem(&certificate, key.to_pkcs8_pem().as_bytes())
        .map_err(|source| TlsError::Unusable { path: certificate_path, source })
}
