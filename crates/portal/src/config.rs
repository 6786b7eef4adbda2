//! `portal.toml` in the data folder: where the portal listens, how it is reached, and where its data is.
//!
//! Reads and checks settings; opens nothing.

use crate::mail::MailSettings;
use axum::http::Uri;
use leasehold_db::DatabaseUrl;
use leasehold_web::proxy::TrustedProxies;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Name of the settings file in a data folder.
pub const FILE: &str = "portal.toml";
/// Name of the database in a data folder, where no other is set.
pub const DATABASE_FILE: &str = "portal.db";
/// Name of the log of documents in a data folder, where no other is set.
pub const GRANTS_LOG_FILE: &str = "grants.log";

const LISTEN: &str = "127.0.0.1:8080";

/// The settings that a new data folder starts with.
pub(crate) const TEMPLATE: &str = r#"# Settings of the Leasehold portal. Paths are relative to this folder.

# Where it listens. Without TLS only this machine itself can be served (127.0.0.1), unless a proxy stands in front.
listen = "127.0.0.1:8080"

# Where the copy of all issued documents is kept. Put it on another disk than the database: after a restore from backup it
# tells which seats are out.
grants_log = "grants.log"

# How people reach the portal, if not by `listen`.
# public_url = "https://licenses.example.com"

# Proxies whose X-Forwarded-For and X-Forwarded-Proto headers are believed: addresses or networks.
# trusted_proxies = ["10.0.0.5"]

# PostgreSQL instead of the file portal.db. TLS to it needs the certificate of the authority that signed the server's.
# database_url = "postgres://leasehold:PASSWORD@db.example.com/leasehold?sslmode=require&sslrootcert=/etc/ssl/certs/ca-certificates.crt"

# Mail: without it nothing is sent, and operators read the letters on the page MAIL. smtps:// is TLS from the first byte;
# smtp:// must switch to it (STARTTLS), unless the mail server is this machine.
# [mail]
# server = "smtps://smtp.example.com"
# from = "Acme Licensing <licensing@acme.example>"
# user = "portal"
# password_file = "smtp-password"
# ca = "mail-ca.crt"

# HTTPS by the portal itself: the certificate with its intermediates, and its key, in PEM.
# [tls]
# certificate = "tls.crt"
# key = "tls.key"
"#;

/// Why the settings cannot be used. Each sentence says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is no settings file.
    #[error("{} is not a data folder of a portal: it has no {FILE}. Make one with `leasehold portal init --vendor NAME --data FOLDER`, or name the right folder", folder.display())]
    NoFile {
        /// The folder.
        folder: PathBuf,
    },
    /// The settings file cannot be read.
    #[error("{} cannot be read ({source}). Check the file and its permissions", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The settings file is not what it should be.
    #[error("{} cannot be understood: {why}. Correct it and start again", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Where and why.
        why: String,
    },
    /// Passwords would cross a network in the clear.
    #[error(
        "the portal would listen on {listen} without TLS, so passwords would cross the network in the clear. Set `[tls]` with \
         a certificate and its key; or listen on 127.0.0.1; or, behind a proxy that does HTTPS, set `public_url` to its \
         https:// address and `trusted_proxies` to the proxy's address"
    )]
    Exposed {
        /// Where it would listen.
        listen: SocketAddr,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    listen: Option<String>,
    tls: Option<TlsFiles>,
    public_url: Option<String>,
    #[serde(default)]
    trusted_proxies: Vec<String>,
    database_url: Option<String>,
    grants_log: Option<PathBuf>,
    mail: Option<MailFile>,
}

/// `[mail]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MailFile {
    server: String,
    from: String,
    user: Option<String>,
    password_file: Option<PathBuf>,
    ca: Option<PathBuf>,
}

/// The files for HTTPS.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// Certificate with its intermediates: PEM.
    pub certificate: PathBuf,
    /// Its key: PEM.
    pub key: PathBuf,
}

/// The settings of one portal process.
#[derive(Clone, Debug)]
pub struct Config {
    /// The data folder.
    pub folder: PathBuf,
    /// Where it listens; port 0 picks a free one.
    pub listen: SocketAddr,
    /// HTTPS by the portal itself.
    pub tls: Option<TlsFiles>,
    /// How people reach it: scheme, host and port, no slash at the end.
    pub public_url: Option<String>,
    /// Proxies whose headers are believed.
    pub proxies: TrustedProxies,
    /// Whether any proxy is.
    pub behind_proxy: bool,
    /// The database.
    pub database: DatabaseUrl,
    /// The log of issued documents.
    pub grants_log: PathBuf,
    /// How letters are sent, if they are.
    pub mail: Option<MailSettings>,
}

impl Config {
    /// Reads the settings of a data folder.
    pub fn load(folder: &Path) -> Result<Config, ConfigError> {
        let path = folder.join(FILE);
        let text = std::fs::read_to_string(&path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => ConfigError::NoFile { folder: folder.to_owned() },
            _ => ConfigError::Unreadable { path: path.clone(), source },
        })?;
        Config::parse(folder, &text).map_err(|why| ConfigError::Invalid { path, why })
    }

    /// Reads settings from their text; paths in it are relative to `folder`. The error says where and why.
    pub fn parse(folder: &Path, text: &str) -> Result<Config, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string().trim().replace('\n', " "))?;
        let listen = file.listen.as_deref().unwrap_or(LISTEN);
        let listen = listen
            .parse()
            .map_err(|_| format!("`listen` is {listen:?}, and should be an address with a port such as {LISTEN}"))?;
        let database = match file.database_url.as_deref() {
            None => DatabaseUrl::Sqlite(folder.join(DATABASE_FILE)),
            Some(url) => match url.parse().map_err(|error| format!("`database_url`: {error}"))? {
                DatabaseUrl::Sqlite(path) => DatabaseUrl::Sqlite(folder.join(path)),
                other => other,
            },
        };
        let has_public_url = file.public_url.is_some();
        let tls = file.tls.map(|tls| TlsFiles { certificate: folder.join(tls.certificate), key: folder.join(tls.key) });
        Ok(Config {
            folder: folder.to_owned(),
            listen,
            tls,
            public_url: file.public_url.map(|url| origin(&url)).transpose()?,
            proxies: TrustedProxies::parse(&file.trusted_proxies)
                .map_err(|error| format!("`trusted_proxies`: {error}"))?,
            behind_proxy: !file.trusted_proxies.is_empty(),
            database,
            grants_log: folder.join(file.grants_log.unwrap_or_else(|| GRANTS_LOG_FILE.into())),
            mail: match (file.mail, has_public_url) {
                (Some(_), false) => {
                    return Err("`[mail]` needs `public_url`: links in letters begin with it".to_owned());
                }
                (file, _) => file.map(|file| mail(folder, file)).transpose()?,
            },
        })
    }

    /// How people reach it: what links in letters begin with.
    pub fn base_url(&self) -> String {
        match &self.public_url {
            Some(url) => url.clone(),
            None => format!("{}://{}", if self.tls.is_some() { "https" } else { "http" }, self.listen),
        }
    }

    /// Refuses settings under which passwords would cross a network in the clear.
    pub fn check_exposure(&self) -> Result<(), ConfigError> {
        let public_https = self.public_url.as_ref().is_some_and(|url| url.starts_with("https://"));
        if self.tls.is_some() || self.listen.ip().is_loopback() || (public_https && self.behind_proxy) {
            return Ok(());
        }
        Err(ConfigError::Exposed { listen: self.listen })
    }

    /// Whether people come by HTTPS, here or at the proxy in front.
    pub fn is_https(&self) -> bool {
        self.tls.is_some() || self.public_url.as_ref().is_some_and(|url| url.starts_with("https://"))
    }

    /// The host of `public_url`, without port.
    pub fn public_host(&self) -> Option<String> {
        let (_, authority) = self.public_url.as_deref()?.split_once("://")?;
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
            _ => authority,
        };
        Some(host.to_owned())
    }
}

/// The settings of `[mail]`; its files are read now.
fn mail(folder: &Path, file: MailFile) -> Result<MailSettings, String> {
    let wrong = || {
        format!(
            "`server` in [mail] is {:?}, and should be like smtps://smtp.example.com or smtp://smtp.example.com:587",
            file.server
        )
    };
    if file.server.contains('@') {
        return Err(
            "`server` in [mail] must be without a user and a password: give them as `user` and `password_file`"
                .to_owned(),
        );
    }
    let uri: Uri = file.server.parse().map_err(|_| wrong())?;
    let tls = match uri.scheme_str() {
        Some("smtps") => true,
        Some("smtp") => false,
        _ => return Err(wrong()),
    };
    let host =
        uri.host().filter(|_| uri.path().trim_matches('/').is_empty() && uri.query().is_none()).ok_or_else(wrong)?;
    let read = |name: &str, path: &Path| {
        std::fs::read(folder.join(path))
            .map_err(|error| format!("`{name}` in [mail], {}, cannot be read: {error}", path.display()))
    };
    let account = match (file.user, file.password_file) {
        (None, None) => None,
        (Some(user), Some(path)) => {
            let password = String::from_utf8(read("password_file", &path)?)
                .map_err(|_| "`password_file` in [mail] holds no text".to_owned())?;
            Some((user, password.trim_end_matches(['\r', '\n']).to_owned()))
        }
        _ => return Err("`user` and `password_file` in [mail] belong together: both or neither".to_owned()),
    };
    Ok(MailSettings {
        host: host.trim_matches(['[', ']']).to_owned(),
        port: uri.port_u16(),
        tls,
        from: file.from,
        account,
        ca: file.ca.map(|path| read("ca", &path)).transpose()?,
    })
}

/// Scheme, host and port of an address, and nothing else.
fn origin(url: &str) -> Result<String, String> {
    let wrong = || format!("`public_url` is {url:?}, and should be like https://licenses.example.com");
    let trimmed = url.strip_suffix('/').unwrap_or(url);
    let (scheme, authority) = trimmed.split_once("://").ok_or_else(wrong)?;
    let plain = !authority.is_empty() && authority.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:[]".contains(&b));
    if !matches!(scheme, "https" | "http") || !plain {
        return Err(wrong());
    }
    Ok(trimmed.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(Path::new("/data"), text)
    }

    #[test]
    fn the_template_is_what_holds_without_a_file() {
        let (template, nothing) = (parse(TEMPLATE).unwrap(), parse("").unwrap());
        assert_eq!(
            (template.listen, template.database, template.grants_log),
            (nothing.listen, nothing.database, nothing.grants_log)
        );
    }

    #[test]
    fn mail_is_set_whole_and_without_secrets_in_the_address() {
        let url = "public_url = 'https://portal.example.com'\n";
        let mail = |server: &str| format!("{url}[mail]\nserver = '{server}'\nfrom = 'A <a@b.example>'\n");
        let set = parse(&mail("smtps://mail.example.com:2465")).unwrap().mail.unwrap();
        assert_eq!((set.host.as_str(), set.port, set.tls, set.account), ("mail.example.com", Some(2465), true, None));
        assert!(!parse(&mail("smtp://127.0.0.1")).unwrap().mail.unwrap().tls);
        for (text, part) in [
            (mail("mail.example.com"), "`server`"),
            (mail("https://mail.example.com"), "`server`"),
            (mail("smtps://me:hidden@mail.example.com"), "password_file"),
            (mail("smtp://mail.example.com").replace(url, ""), "public_url"),
            (mail("smtp://mail.example.com") + "user = 'me'\n", "both or neither"),
            (mail("smtp://mail.example.com") + "user = 'me'\npassword_file = 'missing'\n", "cannot be read"),
        ] {
            let refused = parse(&text).unwrap_err();
            assert!(refused.contains(part) && !refused.contains("hidden"), "{text}: {refused}");
        }
    }

    #[test]
    fn without_tls_only_this_machine_or_a_proxy_is_served() {
        for (text, fine) in [
            ("", true),
            ("listen = '[::1]:0'", true),
            ("listen = '0.0.0.0:80'", false),
            ("listen = '0.0.0.0:80'\npublic_url = 'https://a.example'", false),
            ("listen = '0.0.0.0:80'\ntrusted_proxies = ['10.0.0.1']", false),
            ("listen = '0.0.0.0:80'\npublic_url = 'http://a.example'\ntrusted_proxies = ['10.0.0.1']", false),
            ("listen = '0.0.0.0:80'\npublic_url = 'https://a.example'\ntrusted_proxies = ['10.0.0.1']", true),
            ("listen = '0.0.0.0:443'\n[tls]\ncertificate = 'c'\nkey = 'k'", true),
        ] {
            assert_eq!(parse(text).unwrap().check_exposure().is_ok(), fine, "{text}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (text, named) in [
            ("listne = 'x'", "listne"),
            ("listen = 'localhost'", "`listen`"),
            ("public_url = 'licenses.example.com'", "`public_url`"),
            ("public_url = 'https://a.example/portal'", "`public_url`"),
            ("trusted_proxies = ['proxy']", "`trusted_proxies`"),
            ("database_url = 'mysql://x'", "`database_url`"),
        ] {
            let why = parse(text).unwrap_err();
            assert!(why.contains(named), "{why}");
        }
    }

    #[test]
    fn the_public_host_has_no_port() {
        let host = |url: &str| parse(&format!("public_url = '{url}'")).unwrap().public_host();
        assert_eq!(host("https://Licenses.example.com/").as_deref(), Some("licenses.example.com"));
        assert_eq!(host("https://a.example:8443").as_deref(), Some("a.example"));
        assert_eq!(host("http://[::1]:80").as_deref(), Some("[::1]"));
    }
}
