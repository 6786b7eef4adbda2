//! Which proxy stands between this server and the portal: the setting, or what the environment of the process says.
//! Connects to nothing. Passwords are in no text that leaves this module but [`ProxyServer::login`].

use super::problem::LinkProblem;
use leasehold_web::proxy::Network;
use percent_encoding::percent_decode_str;
use std::fmt;
use std::net::IpAddr;
use ureq::http::Uri;

/// Longest user or password that SOCKS can carry, in bytes (RFC 1929).
const SOCKS_WORD_BYTES_MAX: usize = 255;
/// Where the environment names a proxy for https:// addresses; the first that is not empty counts.
const VARIABLES: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
/// Where the environment names what is reached without it.
const EXCEPTIONS: [&str; 2] = ["no_proxy", "NO_PROXY"];

/// How the portal is reached.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) enum Proxy {
    /// As the environment of the process says.
    #[default]
    Environment,
    /// Without a proxy, whatever the environment says.
    Direct,
    /// Through this one.
    Explicit(ProxyServer),
}

/// What is spoken with a proxy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ProxyKind {
    /// HTTP with `CONNECT`.
    Http,
    /// SOCKS 5; the proxy looks names up.
    Socks5,
}

impl ProxyKind {
    /// As people call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            ProxyKind::Http => "HTTP",
            ProxyKind::Socks5 => "SOCKS5",
        }
    }
}

/// A proxy and what it takes to use it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ProxyServer {
    /// What it speaks.
    pub(crate) kind: ProxyKind,
    /// Its name or address; an IPv6 address without brackets.
    pub(crate) host: String,
    /// Its port.
    pub(crate) port: u16,
    user: Option<String>,
    password: Option<String>,
}

impl fmt::Debug for ProxyServer {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyServer").field("kind", &self.kind).field("at", &self.at()).finish_non_exhaustive()
    }
}

impl ProxyServer {
    /// Reads `http://user:password@host:port` or `socks5://...`; user, password and port may be missing, and special
    /// characters in the first two are percent-encoded. An error is the end of a sentence and repeats nothing.
    pub(crate) fn parse(text: &str) -> Result<ProxyServer, &'static str> {
        let text = text.trim();
        let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let uri: Uri = whole.parse().map_err(|_| "it is not an address")?;
        let kind = match uri.scheme_str() {
            Some("http") => ProxyKind::Http,
            Some("socks5" | "socks5h") => ProxyKind::Socks5,
            _ => return Err("it must begin with http:// or socks5://"),
        };
        if uri.path() != "/" && !uri.path().is_empty() || uri.query().is_some() {
            return Err("it must end after the port");
        }
        let authority = uri.authority().ok_or("it has no host")?;
        let host = bare(authority.host());
        if host.is_empty() {
            return Err("it has no host");
        }
        let (login, place) = match authority.as_str().rsplit_once('@') {
            Some((login, place)) => (Some(login), place),
            None => (None, authority.as_str()),
        };
        let (user, password) = match login.map(|login| login.split_once(':').unwrap_or((login, ""))) {
            None => (None, None),
            Some((user, "")) => (Some(decoded(user)?), None),
            Some((user, password)) => (Some(decoded(user)?), Some(decoded(password)?)),
        };
        let port = match (place.strip_prefix(authority.host()), kind) {
            (Some(""), ProxyKind::Http) => 80,
            (Some(""), ProxyKind::Socks5) => 1_080,
            (rest, _) => port_of(rest.unwrap_or_default()).ok_or("its port is none")?,
        };
        ProxyServer { kind, host: host.to_owned(), port, user, password }.checked()
    }

    /// The same with a password from elsewhere.
    pub(crate) fn with_password(self, password: &str) -> Result<ProxyServer, &'static str> {
        match (&self.user, &self.password) {
            (None, _) => Err("the password needs a user in the address: http://USER@HOST:PORT"),
            (_, Some(_)) => Err("the password is in the address already: give it in one place"),
            (Some(_), None) => ProxyServer { password: Some(password.to_owned()), ..self }.checked(),
        }
    }

    fn checked(self) -> Result<ProxyServer, &'static str> {
        let words = || self.user.iter().chain(&self.password);
        if self.user.as_ref().is_some_and(String::is_empty) {
            return Err("the user is empty");
        }
        if words().any(|word| word.chars().any(char::is_control)) {
            return Err("user or password has a control character");
        }
        match self.kind {
            ProxyKind::Http if self.user.as_ref().is_some_and(|user| user.contains(':')) => {
                Err("a user of an HTTP proxy cannot have a colon")
            }
            ProxyKind::Socks5 if words().any(|word| word.len() > SOCKS_WORD_BYTES_MAX) => {
                Err("user or password is longer than SOCKS can carry")
            }
            _ => Ok(self),
        }
    }

    /// `host:port`, for people and for looking it up.
    pub(crate) fn at(&self) -> String {
        authority(&self.host, self.port)
    }

    /// User and password, if it wants any.
    pub(crate) fn login(&self) -> Option<(&str, &str)> {
        self.user.as_deref().map(|user| (user, self.password.as_deref().unwrap_or_default()))
    }
}

impl Proxy {
    /// The password at the proxy, if there is one.
    pub(crate) fn password(&self) -> Option<&str> {
        match self {
            Proxy::Explicit(server) => server.password.as_deref(),
            Proxy::Environment | Proxy::Direct => None,
        }
    }

    /// Reads the setting `proxy`: `none`, or an address as [`ProxyServer::parse`] reads it.
    pub(crate) fn parse(text: &str) -> Result<Proxy, &'static str> {
        if text.trim().eq_ignore_ascii_case("none") {
            return Ok(Proxy::Direct);
        }
        ProxyServer::parse(text).map(Proxy::Explicit)
    }

    /// The proxy on the way to `https://host:port`, if there is one. `read` gives a variable of the environment.
    pub(crate) fn on_the_way_to(
        &self,
        host: &str,
        port: u16,
        read: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<ProxyServer>, LinkProblem> {
        match self {
            Proxy::Direct => Ok(None),
            Proxy::Explicit(server) => Ok(Some(server.clone())),
            Proxy::Environment => {
                let first = |names: &[&'static str]| {
                    let mut set = names.iter().map(|name| (*name, read(name).unwrap_or_default()));
                    set.find(|(_, value)| !value.trim().is_empty())
                };
                let Some((variable, value)) = first(&VARIABLES) else { return Ok(None) };
                if first(&EXCEPTIONS).is_some_and(|(_, list)| is_excepted(&list, host, port)) {
                    return Ok(None);
                }
                ProxyServer::parse(&value).map(Some).map_err(|why| LinkProblem::BadProxy { variable, why })
            }
        }
    }
}

/// Whether `NO_PROXY` names the host: `*`, a name with all names below it, an address or a network, each perhaps with a
/// port.
fn is_excepted(list: &str, host: &str, port: u16) -> bool {
    let entries = list.split([',', ' ', '\t']).filter(|entry| !entry.is_empty());
    entries.into_iter().any(|entry| matches(entry, host, port))
}

fn matches(entry: &str, host: &str, port: u16) -> bool {
    if entry == "*" {
        return true;
    }
    let (name, only_port) = split_port(entry);
    if only_port.is_some_and(|only| only != port) {
        return false;
    }
    if let Ok(address) = host.parse::<IpAddr>() {
        return bare(name).parse::<Network>().is_ok_and(|network| network.contains(address));
    }
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let name = name.trim_start_matches('*').trim_matches('.').to_ascii_lowercase();
    !name.is_empty() && (host == name || host.strip_suffix(&name).is_some_and(|above| above.ends_with('.')))
}

/// `name:port` taken apart. The colons of an IPv6 address without brackets are none.
fn split_port(entry: &str) -> (&str, Option<u16>) {
    match entry.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => match port.parse() {
            Ok(port) => (name, Some(port)),
            Err(_) => (entry, None),
        },
        _ => (entry, None),
    }
}

/// The port in `:port`.
pub(crate) fn port_of(text: &str) -> Option<u16> {
    text.strip_prefix(':').and_then(|digits| digits.parse().ok()).filter(|port| *port != 0)
}

/// A host without the brackets of an IPv6 address.
pub(crate) fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(host)
}

/// `host:port`, with brackets around an IPv6 address.
pub(crate) fn authority(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

fn decoded(text: &str) -> Result<String, &'static str> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(|text| text.into_owned()).map_err(|_| "user or password is not UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart() {
        let proxy = ProxyServer::parse("http://zo%C3%AB:p%40ss%3Aword@proxy.example.com:3128/").unwrap();
        assert_eq!((proxy.kind, proxy.at().as_str()), (ProxyKind::Http, "proxy.example.com:3128"));
        assert_eq!(proxy.login(), Some(("zoë", "p@ss:word")));
        let plain = ProxyServer::parse("proxy").unwrap();
        assert_eq!((plain.kind, plain.at().as_str(), plain.login()), (ProxyKind::Http, "proxy:80", None));
        let socks = ProxyServer::parse("socks5h://[2001:db8::1]").unwrap();
        assert_eq!((socks.kind, socks.at().as_str()), (ProxyKind::Socks5, "[2001:db8::1]:1080"));
        assert_eq!(Proxy::parse(" none "), Ok(Proxy::Direct));
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_it() {
        let long = format!("socks5://u:{}@h", "secret".repeat(60));
        for wrong in [
            "",
            "https://u:secret@h:1",
            "socks4://h",
            "ftp://h",
            "http://h:0",
            "http://h:99999",
            "http://h:",
            "http://h/path",
            "http://h?secret",
            "http://@h:1",
            "http://:secret@h:1",
            "http://u:sec%0Aret@h",
            "http://u:%FF@h",
            "http://a%3Ab:secret@h",
            "http://u:sec ret@h",
            &long,
        ] {
            let why = ProxyServer::parse(wrong).map(|proxy| proxy.at()).unwrap_err();
            assert!(!why.contains("secret"), "{wrong}: {why}");
        }
    }

    #[test]
    fn a_password_from_a_file_needs_a_user_and_no_other_password() {
        let with = |address: &str| ProxyServer::parse(address).unwrap().with_password("s#cret/@:");
        assert_eq!(with("http://u@h").unwrap().login(), Some(("u", "s#cret/@:")));
        assert!(with("http://h").is_err() && with("http://u:p@h").is_err());
    }

    #[test]
    fn no_debug_text_has_the_password() {
        let proxy = Proxy::parse("http://user:hidden@h:1").unwrap();
        let text = format!("{proxy:?}");
        assert!(text.contains("h:1") && !text.contains("hidden"), "{text}");
    }

    fn environment(pairs: &'static [(&str, &str)]) -> impl Fn(&str) -> Option<String> {
        |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn the_environment_names_a_proxy_unless_the_setting_does() {
        let at = |proxy: &Proxy, pairs| {
            let found = proxy.on_the_way_to("portal.example.com", 443, environment(pairs));
            found.map(|proxy| proxy.map(|proxy| proxy.at()))
        };
        let from = |pairs| at(&Proxy::Environment, pairs);
        assert_eq!(from(&[]), Ok(None));
        assert_eq!(from(&[("HTTP_PROXY", "http://other:1")]), Ok(None), "that is for http://");
        assert_eq!(from(&[("https_proxy", ""), ("ALL_PROXY", "socks5://a:1")]), Ok(Some("a:1".to_owned())));
        assert_eq!(from(&[("HTTPS_PROXY", "b:2"), ("ALL_PROXY", "a:1")]), Ok(Some("b:2".to_owned())));
        assert_eq!(from(&[("HTTPS_PROXY", "b:2"), ("no_proxy", "localhost,.example.com")]), Ok(None));
        let problem = from(&[("HTTPS_PROXY", "https://u:hidden@b:2")]).unwrap_err();
        assert_eq!(problem.code(), "PROXY_ADDRESS_BAD");
        assert!(problem.what().contains("HTTPS_PROXY") && !format!("{problem} {problem:?}").contains("hidden"));
        assert_eq!(at(&Proxy::Direct, &[("HTTPS_PROXY", "b:2")]), Ok(None));
        let explicit = Proxy::parse("http://c:3").unwrap();
        let set = at(&explicit, &[("HTTPS_PROXY", "b:2"), ("NO_PROXY", "*")]);
        assert_eq!(set, Ok(Some("c:3".to_owned())), "what is set here counts");
    }

    #[test]
    fn no_proxy_names_hosts_networks_and_ports() {
        for (list, host, yes) in [
            ("*", "portal.example.com", true),
            ("example.com", "portal.example.com", true),
            ("example.com", "example.com", true),
            ("example.com", "badexample.com", false),
            ("*.Example.com", "Portal.example.COM.", true),
            ("a, .example.com:443", "portal.example.com", true),
            ("example.com:80", "portal.example.com", false),
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.0.0.0/8", "11.1.2.3", false),
            ("10.1.2.3:443", "10.1.2.3", true),
            ("[fd00::1]:443", "fd00::1", true),
            ("fd00::/8", "fd00::1", true),
            ("fd00::1", "fd00::2", false),
            ("", "portal.example.com", false),
            (".", "portal.example.com", false),
        ] {
            assert_eq!(is_excepted(list, host, 443), yes, "{list} {host}");
        }
    }
}
