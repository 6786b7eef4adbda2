//! `server.toml` in the data folder: what the administrator sets before the start.

use crate::upstream::link::{Proxy, authorities};
use leasehold_host::private_file;
use leasehold_trust::VendorRoot;
use leasehold_web::proxy::{NetworkError, TrustedProxies};
use rustls::pki_types::CertificateDer;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

/// Name of the file.
pub(crate) const CONFIG_FILE: &str = "server.toml";

/// What a new data folder gets: every setting with its default.
const TEMPLATE: &str = include_str!("server.toml");

/// The settings of a license server.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// Where to listen.
    pub(crate) listen: SocketAddr,
    /// What browsers are shown; `None` for a self-signed certificate.
    pub(crate) tls: Option<TlsFiles>,
    /// The vendor's root, if the administrator pins it before the first activation.
    pub(crate) trust: Option<VendorRoot>,
    /// The file that it was read from.
    pub(crate) trust_file: Option<PathBuf>,
    /// How browsers reach the server, where that differs from its own address.
    pub(crate) public_url: Option<String>,
    /// Whose `X-Forwarded-*` headers are believed.
    pub(crate) trusted_proxies: TrustedProxies,
    /// Everybody may see who uses what, until the administrator chooses on the page.
    pub(crate) usage_open: bool,
    /// The portal's address, for the steps of activation and for going there.
    pub(crate) portal_url: Option<String>,
    /// The proxy on the way to the portal.
    pub(crate) proxy: Proxy,
    /// Certificate authorities that may vouch for the portal, beside the operating system's.
    pub(crate) portal_ca: Vec<CertificateDer<'static>>,
    /// Usage is kept this long, 1 to 3,650 days.
    pub(crate) usage_keep_days: u32,
    /// Users and hosts are named in what is kept of usage.
    pub(crate) usage_names: bool,
    /// After so many days pseudonyms take the place of names, 0 for never, at most 3,650.
    pub(crate) usage_pseudonymize_days: u32,
    /// About how much room detail may take, in MiB; 0 for as much as there is.
    pub(crate) usage_detail_mb: u32,
}

/// The settings as they are now. Clones are the same; they are replaced as a whole.
#[derive(Clone, Debug)]
pub(crate) struct Settings(Arc<RwLock<Arc<Config>>>);

impl Settings {
    pub(crate) fn new(config: Config) -> Settings {
        Settings(Arc::new(RwLock::new(Arc::new(config))))
    }

    /// What holds now. Not to be kept: it may be replaced.
    pub(crate) fn get(&self) -> Arc<Config> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Goes on with what `read` says, but for what only a start can change: that stays, and its names are answered.
    pub(crate) fn replace(&self, read: Config) -> Vec<&'static str> {
        let mut slot = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let now = &**slot;
        let fixed = [
            ("listen", now.listen != read.listen),
            ("trust", now.trust_file != read.trust_file),
            ("public_url", now.public_url != read.public_url),
            ("usage_open", now.usage_open != read.usage_open),
            ("usage_keep_days", now.usage_keep_days != read.usage_keep_days),
            ("usage_names", now.usage_names != read.usage_names),
        ];
        let config = Config {
            listen: now.listen,
            trust: now.trust.clone(),
            trust_file: now.trust_file.clone(),
            public_url: now.public_url.clone(),
            usage_open: now.usage_open,
            usage_keep_days: now.usage_keep_days,
            usage_names: now.usage_names,
            ..read
        };
        *slot = Arc::new(config);
        fixed.into_iter().filter(|(_, changed)| *changed).map(|(name, _)| name).collect()
    }
}

/// A certificate and its key, PEM.
#[derive(Clone, Debug)]
pub(crate) struct TlsFiles {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Written {
    listen: SocketAddr,
    tls_certificate: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    trust: Option<PathBuf>,
    public_url: Option<String>,
    trusted_proxies: Vec<String>,
    usage_open: bool,
    portal_url: Option<String>,
    proxy: Option<String>,
    proxy_password_file: Option<PathBuf>,
    portal_ca: Option<PathBuf>,
    usage_keep_days: u32,
    usage_names: bool,
    usage_pseudonymize_days: u32,
    usage_detail_mb: u32,
}

impl Default for Written {
    fn default() -> Written {
        Written {
            listen: SocketAddr::from(([0, 0, 0, 0], 30304)),
            tls_certificate: None,
            tls_key: None,
            trust: None,
            public_url: None,
            trusted_proxies: Vec::new(),
            usage_open: false,
            portal_url: None,
            proxy: None,
            proxy_password_file: None,
            portal_ca: None,
            usage_keep_days: 400,
            usage_names: true,
            usage_pseudonymize_days: 90,
            usage_detail_mb: 2_048,
        }
    }
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read or written.
    #[error("cannot use {}: {source}. Check the folder and its permissions", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file with the defaults cannot be written.
    #[error(transparent)]
    Template(#[from] leasehold_host::FileError),
    /// Not TOML, or a setting that nobody knows.
    #[error("{} is not understood: {why}. Correct or remove the line", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        why: String,
    },
    /// One of a pair is missing.
    #[error("server.toml has one of `tls_certificate` and `tls_key` only: give both or neither")]
    HalfTls,
    /// The root to trust cannot be used.
    #[error("`trust` in server.toml names {}: {why}. Ask the vendor for the root certificate file", path.display())]
    Trust {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Not a proxy. The address is not repeated: it may have a password.
    #[error(
        "`proxy` in server.toml cannot be used: {0}. Write http://proxy.example.com:3128, socks5://proxy.example.com:1080 or none"
    )]
    Proxy(&'static str),
    /// The proxy's password cannot be read.
    #[error("`proxy_password_file` in server.toml: {0}")]
    ProxyPasswordFile(#[source] leasehold_host::FileError),
    /// The proxy's password does not fit.
    #[error("`proxy_password_file` in server.toml: {0}")]
    ProxyPassword(&'static str),
    /// The portal's certificate authority cannot be used.
    #[error("`portal_ca` in server.toml names {}: {why}. Give the certificates of the authorities as PEM", path.display())]
    PortalCa {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Not an address.
    #[error("`trusted_proxies` in server.toml: {0}")]
    Proxies(#[from] NetworkError),
    /// Not an address that a browser can open.
    #[error("`{0}` in server.toml must start with https:// or http://")]
    Url(&'static str),
    /// More than a browser sends as its origin.
    #[error(
        "`public_url` in server.toml must be like https://licenses.example.com or http://10.0.0.7:8080, without a path"
    )]
    PublicUrl,
    /// Out of range.
    #[error("`usage_keep_days` in server.toml must be 1 to 3650")]
    KeepDays,
    /// Out of range.
    #[error("`usage_pseudonymize_days` in server.toml must be 0 (never) to 3650")]
    PseudonymizeDays,
    /// Out of range.
    #[error("`usage_detail_mb` in server.toml must be 0 (no limit), or 16 and more")]
    DetailMb,
}

impl Config {
    /// Reads the settings of a data folder; writes the template first if there are none.
    pub(crate) fn open(folder: &Path) -> Result<Config, ConfigError> {
        let path = folder.join(CONFIG_FILE);
        let failed = |source| ConfigError::File { path: path.clone(), source };
        if !path.try_exists().map_err(failed)? {
            private_file::write_atomic(&path, TEMPLATE.as_bytes())?;
        }
        let text = std::fs::read_to_string(&path).map_err(failed)?;
        let written = toml::from_str(&text);
        Config::check(folder, written.map_err(|error| ConfigError::Syntax { path, why: error.to_string() })?)
    }

    fn check(folder: &Path, written: Written) -> Result<Config, ConfigError> {
        let tls = match (written.tls_certificate, written.tls_key) {
            (Some(certificate), Some(key)) => {
                Some(TlsFiles { certificate: folder.join(certificate), key: folder.join(key) })
            }
            (None, None) => None,
            _ => return Err(ConfigError::HalfTls),
        };
        for (name, url) in [("public_url", &written.public_url), ("portal_url", &written.portal_url)] {
            if url.as_ref().is_some_and(|url| !url.starts_with("https://") && !url.starts_with("http://")) {
                return Err(ConfigError::Url(name));
            }
        }
        if !(1..=3_650).contains(&written.usage_keep_days) {
            return Err(ConfigError::KeepDays);
        }
        if written.usage_pseudonymize_days > 3_650 {
            return Err(ConfigError::PseudonymizeDays);
        }
        if (1..16).contains(&written.usage_detail_mb) {
            return Err(ConfigError::DetailMb);
        }
        Ok(Config {
            listen: written.listen,
            tls,
            trust: written.trust.as_ref().map(|path| read_root(&folder.join(path))).transpose()?,
            trust_file: written.trust,
            public_url: written.public_url,
            trusted_proxies: TrustedProxies::parse(&written.trusted_proxies)?,
            usage_open: written.usage_open,
            portal_url: written.portal_url,
            proxy: read_proxy(written.proxy.as_deref(), written.proxy_password_file.map(|path| folder.join(path)))?,
            portal_ca: written
                .portal_ca
                .map(|path| read_portal_ca(&folder.join(path)))
                .transpose()?
                .unwrap_or_default(),
            usage_keep_days: written.usage_keep_days,
            usage_names: written.usage_names,
            usage_pseudonymize_days: written.usage_pseudonymize_days,
            usage_detail_mb: written.usage_detail_mb,
        })
    }
}

fn read_proxy(setting: Option<&str>, password_file: Option<PathBuf>) -> Result<Proxy, ConfigError> {
    let proxy = setting.map(Proxy::parse).transpose().map_err(ConfigError::Proxy)?.unwrap_or_default();
    let Some(path) = password_file else { return Ok(proxy) };
    let Proxy::Explicit(server) = proxy else {
        return Err(ConfigError::ProxyPassword("there is no `proxy` to use the password for. Set both or neither"));
    };
    let bytes = private_file::read(&path).map_err(ConfigError::ProxyPasswordFile)?;
    let password = String::from_utf8(bytes).map_err(|_| ConfigError::ProxyPassword("the password is not UTF-8"))?;
    let server = server.with_password(password.trim_end_matches(['\r', '\n'])).map_err(ConfigError::ProxyPassword)?;
    Ok(Proxy::Explicit(server))
}

fn read_portal_ca(path: &Path) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let refuse = |why: String| ConfigError::PortalCa { path: path.to_owned(), why };
    let pem = std::fs::read(path).map_err(|error| refuse(error.to_string()))?;
    authorities(&pem).map_err(|why| refuse(why.to_owned()))
}

fn read_root(path: &Path) -> Result<VendorRoot, ConfigError> {
    let refuse = |why: String| ConfigError::Trust { path: path.to_owned(), why };
    let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
    VendorRoot::from_pem(&text).map_err(|error| refuse(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(text: Option<&str>) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        if let Some(text) = text {
            std::fs::write(folder.path().join(CONFIG_FILE), text).unwrap();
        }
        Config::open(folder.path()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_template_says_what_the_defaults_are() {
        let default = Written::default();
        let config = open(None).unwrap();
        assert_eq!((config.listen, config.usage_open), (default.listen, default.usage_open));
        let uncommented: String = TEMPLATE
            .lines()
            .map(|line| line.strip_prefix("#").unwrap_or(line))
            .filter(|line| line.contains(" = "))
            .fold(String::new(), |text, line| text + line + "\n");
        let all: toml::Table = uncommented.parse().unwrap();
        for setting in [
            "listen",
            "tls_certificate",
            "tls_key",
            "trust",
            "public_url",
            "trusted_proxies",
            "usage_open",
            "portal_url",
            "proxy",
            "proxy_password_file",
            "portal_ca",
            "usage_keep_days",
            "usage_names",
            "usage_pseudonymize_days",
            "usage_detail_mb",
        ] {
            assert!(all.contains_key(setting), "{setting} is not in the template");
        }
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (text, part) in [
            ("listn = \"0.0.0.0:1\"", "listn"),
            ("listen = \"nowhere\"", "listen"),
            ("tls_key = \"a\"", "both or neither"),
            ("trust = \"missing.pem\"", "missing.pem"),
            ("trusted_proxies = [\"x\"]", "trusted_proxies"),
            ("public_url = \"ftp://x\"", "public_url"),
            ("usage_keep_days = 0", "usage_keep_days"),
            ("usage_pseudonymize_days = 4000", "usage_pseudonymize_days"),
            ("usage_detail_mb = 1", "usage_detail_mb"),
            ("proxy = \"https://u:hidden@h\"", "`proxy`"),
            ("proxy_password_file = \"missing\"", "no `proxy`"),
            ("proxy = \"http://u@h\"\nproxy_password_file = \"missing\"", "missing"),
            ("portal_ca = \"missing.pem\"", "missing.pem"),
            ("portal_ca = \"server.toml\"", "no certificate"),
        ] {
            let refused = open(Some(text)).unwrap_err();
            assert!(refused.contains(part) && !refused.contains("hidden"), "{text}: {refused}");
        }
    }

    #[test]
    fn the_password_of_the_proxy_comes_from_a_file_that_is_private() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join(CONFIG_FILE),
            "proxy = \"http://user@h:1\"\nproxy_password_file = \"password\"\n",
        )
        .unwrap();
        let file = folder.path().join("password");
        private_file::write_once(&file, b"hidden word\r\n").unwrap();
        let config = Config::open(folder.path()).unwrap();
        let Proxy::Explicit(server) = &config.proxy else { panic!("{config:?}") };
        assert_eq!(server.login(), Some(("user", "hidden word")));
        assert!(!format!("{config:?}").contains("hidden"));
        #[cfg(unix)]
        {
            std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
            let refused = Config::open(folder.path()).unwrap_err().to_string();
            assert!(refused.contains("`proxy_password_file`") && refused.contains("chmod 600"), "{refused}");
        }
    }
}
