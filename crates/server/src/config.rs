//! The settings of a license server: `server.toml` in the data folder, the environment, and what administrators set
//! while it runs.
//!
//! [`setting`] is the table of all of them, [`layers`] says which place wins, [`check`] turns values into a [`Config`].

mod check;
mod layers;
mod setting;

pub(crate) use check::{SettingProblem, backups_have_a_folder, listen_default};
pub(crate) use layers::{Layers, Place, Values, unknown_variables};
pub(crate) use setting::{Applies, By, Kind, SETTINGS, Setting};

use crate::networks::NetworkLists;
use crate::upstream::link::Proxy;
use leasehold_core::access::Openness;
use leasehold_core::site::SiteRules;
use leasehold_host::private_file;
use leasehold_trust::VendorRoot;
use leasehold_web::proxy::TrustedProxies;
use rustls::pki_types::CertificateDer;
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
    /// Where to listen; never empty.
    pub(crate) listen: Vec<SocketAddr>,
    /// What browsers are shown; `None` for a self-signed certificate.
    pub(crate) tls: Option<TlsFiles>,
    /// Which addresses are heard.
    pub(crate) networks: NetworkLists,
    /// The vendor's root, if the administrator pins it before the first activation.
    pub(crate) trust: Option<VendorRoot>,
    /// The file that it was read from.
    pub(crate) trust_file: Option<PathBuf>,
    /// How browsers reach the server, where that differs from its own address.
    pub(crate) public_url: Option<String>,
    /// Whose `X-Forwarded-*` headers are believed.
    pub(crate) trusted_proxies: TrustedProxies,
    /// What everybody may see without signing in.
    pub(crate) open: Openness,
    /// The portal's address, for the steps of activation and for going there.
    pub(crate) portal_url: Option<String>,
    /// The proxy on the way to the portal.
    pub(crate) proxy: Proxy,
    /// Certificate authorities that may vouch for the portal, beside the operating system's.
    pub(crate) portal_ca: Vec<CertificateDer<'static>>,
    /// Who gets seats, and how far they may be borrowed.
    pub(crate) rules: Arc<SiteRules>,
    /// Usage is kept this long, 1 to 3,650 days.
    pub(crate) usage_keep_days: u32,
    /// Users and hosts are named in what is kept of usage.
    pub(crate) usage_names: bool,
    /// After so many days pseudonyms take the place of names, 0 for never, at most 3,650.
    pub(crate) usage_pseudonymize_days: u32,
    /// About how much room detail may take, in MiB; 0 for as much as there is.
    pub(crate) usage_detail_mb: u32,
    /// How much is logged; `None` as the way of starting says.
    pub(crate) log: Option<String>,
    /// A backup is made every so many hours; `None` for never.
    pub(crate) backup_every_h: Option<u32>,
    /// So many backups are kept.
    pub(crate) backup_keep: u32,
    /// Where backups go, as seen from the data folder.
    pub(crate) backup_folder: PathBuf,
    /// The values as they were written, and where.
    pub(crate) layers: Layers,
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
        let fixed = now.differs_until_start(&read);
        let config = Config {
            trust: now.trust.clone(),
            trust_file: now.trust_file.clone(),
            public_url: now.public_url.clone(),
            ..read
        };
        *slot = Arc::new(config);
        fixed
    }
}

/// A certificate and its key, PEM.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct TlsFiles {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
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
    /// A setting cannot be used.
    #[error("{problem} (it is set in {place})")]
    Setting {
        /// Which, and why.
        problem: SettingProblem,
        /// Where it is set.
        place: String,
    },
}

impl Config {
    /// Reads the settings of a data folder; writes the template first if there are none. `page` is what administrators
    /// set, `start` what the way of starting says.
    pub(crate) fn open(folder: &Path, page: Values, start: Values) -> Result<Config, ConfigError> {
        let environment = layers::from_environment(|name| std::env::var(name).ok());
        Config::layered(folder, Layers { start, environment, file: read_file(folder)?, page })
    }

    /// The same for places that were read.
    pub(crate) fn layered(folder: &Path, layers: Layers) -> Result<Config, ConfigError> {
        Config::check(folder, layers.clone()).map_err(|problem| {
            let setting = Setting::named(problem.name);
            let place = setting.map(|setting| layers.stands_in(setting)).unwrap_or_default();
            ConfigError::Setting { problem, place }
        })
    }

    /// Whether values can be used, and what comes of them.
    pub(crate) fn check(folder: &Path, layers: Layers) -> Result<Config, SettingProblem> {
        check::check(folder, layers)
    }

    /// Settings of `next` that are others than these, and that only a start can change.
    pub(crate) fn differs_until_start(&self, next: &Config) -> Vec<&'static str> {
        let differs =
            [("trust", self.trust_file != next.trust_file), ("public_url", self.public_url != next.public_url)];
        differs.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
    }
}

/// What `server.toml` has; the template is written first if there is none.
fn read_file(folder: &Path) -> Result<Values, ConfigError> {
    let path = folder.join(CONFIG_FILE);
    let failed = |source| ConfigError::File { path: path.clone(), source };
    if !path.try_exists().map_err(failed)? {
        private_file::write_atomic(&path, TEMPLATE.as_bytes())?;
    }
    let text = std::fs::read_to_string(&path).map_err(failed)?;
    let refuse = |why: String| ConfigError::Syntax { path: path.clone(), why };
    let values: Values = toml::from_str(&text).map_err(|error| refuse(error.to_string()))?;
    match values.keys().find(|name| Setting::named(name).is_none()) {
        Some(unknown) => Err(refuse(format!("there is no setting `{unknown}`"))),
        None => Ok(values),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(text: Option<&str>) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        if let Some(text) = text {
            std::fs::write(folder.path().join(CONFIG_FILE), text).unwrap();
        }
        Config::open(folder.path(), Values::new(), Values::new()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_template_says_what_the_defaults_are() {
        let config = open(None).unwrap();
        assert!(config.layers.file.is_empty(), "what a new folder gets fixes nothing");
        let uncommented: String = TEMPLATE
            .lines()
            .map(|line| line.strip_prefix("#").unwrap_or(line))
            .filter(|line| line.contains(" = "))
            .fold(String::new(), |text, line| text + line + "\n");
        let all: toml::Table = uncommented.parse().unwrap();
        for Setting { name, .. } in SETTINGS {
            assert!(all.contains_key(*name), "{name} is not in the template");
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
            ("portal_url = \"http://portal.example.com\"", "in the clear"),
            ("portal_url = \"https://portal.example.com:x\"", "port"),
            ("portal_url = \"https://me:hidden@portal.example.com\"", "password"),
            ("usage_keep_days = 0", "usage_keep_days"),
            ("usage_pseudonymize_days = 4000", "usage_pseudonymize_days"),
            ("usage_detail_mb = 1", "usage_detail_mb"),
            ("listen = []", "at least one address"),
            ("listen = [\"0.0.0.0:1\", \"0.0.0.0:1\"]", "twice"),
            ("allow_networks = [\"10.0.0.0/33\"]", "allow_networks"),
            ("allow_networks = [\"10.0.0.1/8\"]", "write 10.0.0.0/8 for all of that network, or 10.0.0.1"),
            ("deny_networks = \"fd00::7/16\"", "fd00::/16"),
            ("deny_users = [\"\"]", "deny_users"),
            ("borrow_days_max = -1", "borrow_days_max"),
            ("usage_open = 1", "true or false"),
            ("public_url = \"https://x/path\"", "without a path"),
            ("proxy = \"http://u@h\"\nproxy_password = \"hidden\"\nproxy_password_file = \"f\"", "one place"),
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
        let config = Config::open(folder.path(), Values::new(), Values::new()).unwrap();
        let Proxy::Explicit(server) = &config.proxy else { panic!("{config:?}") };
        assert_eq!(server.login(), Some(("user", "hidden word")));
        assert!(!format!("{config:?}").contains("hidden"));
        #[cfg(unix)]
        {
            std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
            let refused = Config::open(folder.path(), Values::new(), Values::new()).unwrap_err().to_string();
            assert!(refused.contains("`proxy_password_file`") && refused.contains("chmod 600"), "{refused}");
        }
    }
}
