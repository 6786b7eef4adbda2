//! From values as they were written to settings that can be used, or to a sentence about the first that cannot.

use super::layers::{Layers, Values};
use super::{Config, TlsFiles};
use crate::networks::NetworkLists;
use crate::upstream::link::{Proxy, authorities, check_address};
use leasehold_core::access::Openness;
use leasehold_core::site::{LIST_ENTRIES_MAX, NamePattern, SiteRules};
use leasehold_host::private_file;
use leasehold_trust::VendorRoot;
use leasehold_web::proxy::{Network, NetworkError, TrustedProxies};
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::Path;

/// Most addresses to listen on.
const LISTEN_MAX: usize = 16;
/// Longest text of a setting, in characters.
const TEXT_CHARS_MAX: usize = 2_000;
/// So many backups are kept where nothing else is said.
const BACKUP_KEEP_DEFAULT: u32 = 7;

/// Why a setting cannot be used. Secrets are not repeated.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{name}` {why}")]
pub(crate) struct SettingProblem {
    /// The setting.
    pub(crate) name: &'static str,
    /// What is wrong and what to write, as the rest of a sentence without its full stop.
    pub(crate) why: String,
}

impl SettingProblem {
    pub(super) fn new(name: &'static str, why: impl Into<String>) -> SettingProblem {
        SettingProblem { name, why: why.into() }
    }

    /// `public_url` has a path, or is no address.
    pub(crate) fn not_an_origin() -> SettingProblem {
        let why = "must be like https://licenses.example.com or http://10.0.0.7:8080, without a path";
        SettingProblem::new("public_url", why)
    }
}

/// Values by name, read as what they should be.
struct Reader<'a> {
    folder: &'a Path,
    values: &'a Values,
}

impl Reader<'_> {
    fn text(&self, name: &'static str) -> Result<Option<String>, SettingProblem> {
        match self.values.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.chars().count() <= TEXT_CHARS_MAX => Ok(Some(text.clone())),
            Some(Value::String(_)) => {
                Err(SettingProblem::new(name, format!("must have at most {TEXT_CHARS_MAX} characters")))
            }
            Some(_) => Err(SettingProblem::new(name, "must be a text")),
        }
    }

    fn list(&self, name: &'static str) -> Result<Option<Vec<String>>, SettingProblem> {
        let wrong = || SettingProblem::new(name, "must be a text or a list of texts");
        let list = match self.values.get(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(text)) => vec![text.clone()],
            Some(Value::Array(entries)) => {
                let texts = entries.iter().map(|entry| entry.as_str().map(str::to_owned).ok_or_else(wrong));
                texts.collect::<Result<_, _>>()?
            }
            Some(_) => return Err(wrong()),
        };
        if list.len() > LIST_ENTRIES_MAX {
            return Err(SettingProblem::new(name, format!("must have at most {LIST_ENTRIES_MAX} entries")));
        }
        Ok(Some(list))
    }

    /// Each entry read by `parse`, whose error is the rest of a sentence.
    fn parsed<T>(
        &self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, SettingProblem> {
        let list = self.list(name)?.unwrap_or_default();
        list.iter().map(|entry| parse(entry).map_err(|why| SettingProblem::new(name, why))).collect()
    }

    fn flag(&self, name: &'static str, default: bool) -> Result<bool, SettingProblem> {
        match self.values.get(name) {
            None | Some(Value::Null) => Ok(default),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(SettingProblem::new(name, "must be true or false")),
        }
    }

    fn number(
        &self,
        name: &'static str,
        within: RangeInclusive<u32>,
        besides: &str,
    ) -> Result<Option<u32>, SettingProblem> {
        let value = match self.values.get(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(value) => value,
        };
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        let number = number.filter(|number| within.contains(number) || (*number == 0 && !besides.is_empty()));
        let most = if *within.end() == u32::MAX { " or more".to_owned() } else { format!(" to {}", within.end()) };
        let wrong = || SettingProblem::new(name, format!("must be a whole number, {}{most}{besides}", within.start()));
        number.map(Some).ok_or_else(wrong)
    }

    fn names(&self, name: &'static str) -> Result<Vec<NamePattern>, SettingProblem> {
        self.parsed(name, |entry| {
            NamePattern::parse(entry).map_err(|why| format!("has an entry that cannot be used: each {why}"))
        })
    }
}

/// Where the server listens where nothing else is said.
pub(crate) fn listen_default() -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 30304)
}

pub(super) fn check(folder: &Path, layers: Layers) -> Result<Config, SettingProblem> {
    let values = layers.effective();
    let read = Reader { folder, values: &values };
    let config = Config {
        listen: listen(&read)?,
        tls: tls(&read)?,
        networks: NetworkLists { allow: networks(&read, "allow_networks")?, deny: networks(&read, "deny_networks")? },
        trust: read.text("trust")?.map(|path| read_root(&folder.join(path))).transpose()?,
        trust_file: read.text("trust")?.map(Into::into),
        public_url: url(&read, "public_url")?,
        trusted_proxies: trusted_proxies(&read)?,
        open: openness(&read)?,
        portal_url: portal_url(&read)?,
        proxy: proxy(&read)?,
        portal_ca: portal_ca(&read)?,
        rules: SiteRules {
            allow_users: read.names("allow_users")?,
            deny_users: read.names("deny_users")?,
            allow_hosts: read.names("allow_hosts")?,
            deny_hosts: read.names("deny_hosts")?,
            borrow_days_max: read.number("borrow_days_max", 0..=3_650, "")?,
            borrow_seats_max: read.number("borrow_seats_max", 0..=u32::MAX, "")?,
        }
        .into(),
        usage_keep_days: read.number("usage_keep_days", 1..=3_650, "")?.unwrap_or(400),
        usage_names: read.flag("usage_names", true)?,
        usage_pseudonymize_days: read.number("usage_pseudonymize_days", 0..=3_650, ", where 0 is never")?.unwrap_or(90),
        usage_detail_mb: read.number("usage_detail_mb", 16..=u32::MAX, ", or 0 for no limit")?.unwrap_or(2_048),
        log: if layers.start.contains_key("log") { read.text("log")? } else { log(&read)? },
        backup_every_h: read.number("backup_every_h", 1..=8_760, "")?,
        backup_keep: read.number("backup_keep", 1..=1_000, "")?.unwrap_or(BACKUP_KEEP_DEFAULT),
        backup_folder: backup_folder(&read)?,
        layers,
    };
    public_url_is_an_origin(&config)?;
    Ok(config)
}

/// Who opens what was used opens what is held, where nothing else is said.
fn openness(read: &Reader<'_>) -> Result<Openness, SettingProblem> {
    let usage = read.flag("usage_open", false)?;
    Ok(Openness { totals: read.flag("totals_open", true)?, holders: read.flag("holders_open", usage)?, usage })
}

fn listen(read: &Reader<'_>) -> Result<Vec<SocketAddr>, SettingProblem> {
    let parse = |entry: &str| {
        entry.trim().parse::<SocketAddr>().map_err(|_| {
            let shown: String = entry.chars().take(60).collect();
            format!("has \"{shown}\", which is no address with a port: write for example 0.0.0.0:30304, 10.1.2.3:30304 or [::]:30304")
        })
    };
    let addresses = read.parsed("listen", parse)?;
    if addresses.is_empty() {
        return match read.list("listen")? {
            None => Ok(vec![listen_default()]),
            Some(_) => Err(SettingProblem::new("listen", "must have at least one address, such as 0.0.0.0:30304")),
        };
    }
    let mut seen = std::collections::HashSet::new();
    if addresses.len() > LISTEN_MAX {
        return Err(SettingProblem::new("listen", format!("must have at most {LISTEN_MAX} addresses")));
    }
    match addresses.iter().find(|address| !seen.insert(**address)) {
        Some(twice) => Err(SettingProblem::new("listen", format!("has {twice} twice"))),
        None => Ok(addresses),
    }
}

fn tls(read: &Reader<'_>) -> Result<Option<TlsFiles>, SettingProblem> {
    match (read.text("tls_certificate")?, read.text("tls_key")?) {
        (Some(certificate), Some(key)) => {
            Ok(Some(TlsFiles { certificate: read.folder.join(certificate), key: read.folder.join(key) }))
        }
        (None, None) => Ok(None),
        (None, Some(_)) => {
            Err(SettingProblem::new("tls_key", "needs `tls_certificate` beside it: give both or neither"))
        }
        (Some(_), None) => {
            Err(SettingProblem::new("tls_certificate", "needs `tls_key` beside it: give both or neither"))
        }
    }
}

fn networks(read: &Reader<'_>, name: &'static str) -> Result<Vec<Network>, SettingProblem> {
    read.parsed(name, |entry| {
        // One machine was meant, or all of the network: it is not for us to guess who is let in.
        if let Some(network) = Network::meant_by(entry) {
            let (machine, _) = entry.trim().split_once('/').unwrap_or_default();
            let entry = entry.trim();
            return Err(format!(
                "has {entry}, which is a machine with the length of a network: write {network} for all of that network, or \
                 {machine} for the machine alone"
            ));
        }
        entry.trim().parse().map_err(|why: NetworkError| format!("has an entry that cannot be used: {why}"))
    })
}

fn trusted_proxies(read: &Reader<'_>) -> Result<TrustedProxies, SettingProblem> {
    let list = read.list("trusted_proxies")?.unwrap_or_default();
    TrustedProxies::parse(&list)
        .map_err(|why| SettingProblem::new("trusted_proxies", format!("has an entry that cannot be used: {why}")))
}

fn url(read: &Reader<'_>, name: &'static str) -> Result<Option<String>, SettingProblem> {
    let url = read.text(name)?;
    match &url {
        Some(url) if !url.starts_with("https://") && !url.starts_with("http://") => {
            Err(SettingProblem::new(name, "must begin with https:// or http://"))
        }
        _ => Ok(url),
    }
}

fn portal_url(read: &Reader<'_>) -> Result<Option<String>, SettingProblem> {
    let url = url(read, "portal_url")?;
    if let Some(why) = url.as_deref().and_then(|url| check_address(url).err()) {
        return Err(SettingProblem::new("portal_url", format!("cannot be used: {why}")));
    }
    Ok(url)
}

/// `info`, or `warn,leasehold_server=debug`.
fn log(read: &Reader<'_>) -> Result<Option<String>, SettingProblem> {
    let level = |text: &str| matches!(text, "off" | "error" | "warn" | "info" | "debug" | "trace");
    let target =
        |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b':'));
    let good = |part: &str| part.split_once('=').map_or(level(part), |(of, to)| target(of) && level(to));
    match read.text("log")? {
        Some(text) if !text.split(',').all(|part| good(part.trim())) => {
            let why = "must be error, warn, info, debug or trace, or such as warn,leasehold_server=debug";
            Err(SettingProblem::new("log", why))
        }
        log => Ok(log),
    }
}

fn backup_folder(read: &Reader<'_>) -> Result<std::path::PathBuf, SettingProblem> {
    let Some(text) = read.text("backup_folder")? else { return Ok(crate::service::BACKUP_FOLDER.into()) };
    let path = std::path::PathBuf::from(&text);
    if !path.is_absolute() {
        return Err(SettingProblem::new("backup_folder", "must be an absolute path, such as /backup/leasehold"));
    }
    // Whether it is there is looked at when it is set on the page: a disk that is away keeps no server from starting.
    Ok(path)
}

/// Where backups are to go must be there: nobody is to find out later that there are none, or that they are elsewhere than
/// on the disk that was meant. The folder below the data folder is made when it is needed.
pub(crate) fn backups_have_a_folder(folder: &Path, config: &Config) -> Result<(), SettingProblem> {
    if config.backup_folder == Path::new(crate::service::BACKUP_FOLDER) {
        return Ok(());
    }
    let path = folder.join(&config.backup_folder);
    let wrong = match std::fs::metadata(&path) {
        Ok(found) if found.is_dir() => return Ok(()),
        Ok(_) => "is a file: name a folder".to_owned(),
        Err(error) => {
            format!("cannot be used: {error}. Make the folder on the server's own machine first, as the server's user")
        }
    };
    Err(SettingProblem::new("backup_folder", format!("names {}, which {wrong}", path.display())))
}

fn public_url_is_an_origin(config: &Config) -> Result<(), SettingProblem> {
    let url = config.public_url.as_deref().map(|url| url.trim_end_matches('/'));
    leasehold_web::csrf::layer(url).map(drop).map_err(|_| SettingProblem::not_an_origin())
}

fn proxy(read: &Reader<'_>) -> Result<Proxy, SettingProblem> {
    let address = read.text("proxy")?;
    let refused = |why: &str| {
        let examples = "Write http://proxy.example.com:3128, socks5://proxy.example.com:1080 or none";
        // The address is not repeated: it may have a password.
        SettingProblem::new("proxy", format!("cannot be used: {why}. {examples}"))
    };
    let proxy = address.as_deref().map(Proxy::parse).transpose().map_err(refused)?.unwrap_or_default();
    let (password, file) = (read.text("proxy_password")?, read.text("proxy_password_file")?);
    let name = match (&password, &file) {
        (None, None) => return Ok(proxy),
        (Some(_), _) => "proxy_password",
        (None, Some(_)) => "proxy_password_file",
    };
    if !matches!(proxy, Proxy::Explicit(_)) {
        let why = "cannot be used: there is no `proxy` to use the password for. Set both or neither";
        return Err(SettingProblem::new(name, why));
    }
    let password = match (password, file) {
        (Some(_), Some(_)) => {
            let why = "and `proxy_password_file` are both set: give the password in one place";
            return Err(SettingProblem::new("proxy_password", why));
        }
        (Some(password), None) => password,
        (None, None) => String::new(),
        (None, Some(path)) => {
            let problem = |why: String| SettingProblem::new("proxy_password_file", format!("cannot be used: {why}"));
            let bytes = private_file::read(&read.folder.join(path)).map_err(|error| problem(error.to_string()))?;
            let text = String::from_utf8(bytes).map_err(|_| problem("the password is not UTF-8".to_owned()))?;
            text.trim_end_matches(['\r', '\n']).to_owned()
        }
    };
    let Proxy::Explicit(server) = proxy else { return Ok(proxy) };
    let server = server.with_password(&password);
    server.map(Proxy::Explicit).map_err(|why| SettingProblem::new(name, format!("cannot be used: {why}")))
}

fn portal_ca(read: &Reader<'_>) -> Result<Vec<rustls::pki_types::CertificateDer<'static>>, SettingProblem> {
    let Some(path) = read.text("portal_ca")? else { return Ok(Vec::new()) };
    let path = read.folder.join(path);
    let refuse = |why: String| {
        let give = "Give the certificates of the authorities as PEM";
        SettingProblem::new("portal_ca", format!("names {}: {why}. {give}", path.display()))
    };
    let pem = std::fs::read(&path).map_err(|error| refuse(error.to_string()))?;
    authorities(&pem).map_err(|why| refuse(why.to_owned()))
}

fn read_root(path: &Path) -> Result<VendorRoot, SettingProblem> {
    let refuse = |why: String| {
        let ask = "Ask the vendor for the root certificate file";
        SettingProblem::new("trust", format!("names {}: {why}. {ask}", path.display()))
    };
    let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
    VendorRoot::from_pem(&text).map_err(|error| refuse(error.to_string()))
}
