//! Which server a URL means, and how TLS to it is checked.

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use postgres::config::{Host, SslMode};
use postgres::{Client, Config, NoTls};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::DbError;

/// How long a connection attempt may take, if the URL says nothing.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long sent data may stay unconfirmed before the server counts as gone.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(30);

/// A server, its database and the way there.
pub(crate) struct Target {
    config: Config,
    tls: Option<MakeRustlsConnect>,
    place: String,
}

impl Target {
    pub(crate) fn parse(url: &str) -> Result<Self, DbError> {
        let (url, root_file) = take_root_file(url)?;
        let mut config = Config::from_str(&url).map_err(|error| DbError::BadUrl(super::errors::describe(&error)))?;
        if config.get_application_name().is_none() {
            config.application_name("leasehold");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(SILENCE_TIMEOUT);
        }
        config.notice_callback(|notice| tracing::debug!(message = notice.message(), "notice from PostgreSQL"));
        let tls = match (config.get_ssl_mode(), root_file) {
            (SslMode::Require, Some(file)) => Some(tls(Path::new(&file))?),
            (SslMode::Require, None) => {
                return Err(DbError::BadUrl(
                    "sslmode=require needs sslrootcert=FILE, the certificate of the authority that signed the \
                     server's; on Debian, those of the system are in /etc/ssl/certs/ca-certificates.crt"
                        .to_owned(),
                ));
            }
            (_, Some(_)) => {
                return Err(DbError::BadUrl("sslrootcert has no effect without sslmode=require".to_owned()));
            }
            (_, None) => {
                // "prefer" would be TLS that anybody between can switch off.
                config.ssl_mode(SslMode::Disable);
                None
            }
        };
        let place = describe_place(&config);
        Ok(Self { config, tls, place })
    }

    /// Host, port and database, for messages.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    pub(crate) fn connect(&self) -> Result<Client, postgres::Error> {
        match &self.tls {
            Some(tls) => self.config.connect(tls.clone()),
            None => self.config.connect(NoTls),
        }
    }
}

/// Takes `sslrootcert` out of the URL's options, since the driver does not know it.
fn take_root_file(url: &str) -> Result<(String, Option<String>), DbError> {
    let Some((base, options)) = url.split_once('?') else { return Ok((url.to_owned(), None)) };
    let mut file = None;
    let mut others = Vec::new();
    for option in options.split('&').filter(|option| !option.is_empty()) {
        match option.split_once('=') {
            Some(("sslrootcert", path)) => file = Some(decode(path)?),
            _ => others.push(option),
        }
    }
    let url = if others.is_empty() { base.to_owned() } else { format!("{base}?{}", others.join("&")) };
    Ok((url, file))
}

/// Undoes percent encoding.
fn decode(text: &str) -> Result<String, DbError> {
    let bad = || DbError::BadUrl("sslrootcert is not valid percent-encoded text".to_owned());
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        let mut digit = || bytes.next().and_then(|digit| char::from(digit).to_digit(16));
        decoded.push(match byte {
            b'%' => match (digit(), digit()) {
                (Some(high), Some(low)) => u8::try_from(high * 16 + low).map_err(|_| bad())?,
                _ => return Err(bad()),
            },
            plain => plain,
        });
    }
    String::from_utf8(decoded).map_err(|_| bad())
}

fn tls(root_file: &Path) -> Result<MakeRustlsConnect, DbError> {
    let bad = |error: &dyn std::fmt::Display| {
        DbError::BadUrl(format!("no certificate could be read from {} ({error})", root_file.display()))
    };
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_file_iter(root_file).map_err(|error| bad(&error))? {
        roots.add(root.map_err(|error| bad(&error))?).map_err(|error| bad(&error))?;
    }
    if roots.is_empty() {
        return Err(bad(&"it holds none"));
    }
    // Named here, so that it does not matter whether the process has chosen a default.
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| DbError::BadUrl(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

fn describe_place(config: &Config) -> String {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(name)) => name.clone(),
        #[cfg(unix)]
        Some(Host::Unix(folder)) => folder.display().to_string(),
        None => config.get_hostaddrs().first().map_or_else(|| "localhost".to_owned(), ToString::to_string),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let database = config.get_dbname().or(config.get_user()).unwrap_or("(its default)");
    format!("{host}:{port}, database {database}")
}
