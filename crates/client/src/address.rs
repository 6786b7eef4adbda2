//! Addresses of license servers as people write them.

use serde::{Serialize, Serializer};
use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

/// The port of a license server where none is given.
pub const DEFAULT_PORT: u16 = 30304;
/// Most servers in one list.
pub const SERVERS_MAX: usize = 16;
/// Longest host name (RFC 1035), in characters.
const HOST_CHARS_MAX: usize = 253;

/// How a connection begins. Answers are signed and checked either way; TLS also hides them and the lease's secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Scheme {
    /// TLS under the vendor's root: the default.
    Https,
    /// Plain HTTP.
    Http,
}

impl Scheme {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Scheme::Https => "https",
            Scheme::Http => "http",
        }
    }
}

/// Where a license server is: `host`, `host:port`, `[v6]:port`, or one of these behind `http://` or `https://`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ServerAddress {
    scheme: Scheme,
    host: Box<str>,
    port: u16,
}

/// The text is not the address of a license server.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{text:?} is not the address of a license server: {why}. Write it as host, host:port or http://host:port")]
pub struct AddressError {
    text: String,
    why: &'static str,
}

impl ServerAddress {
    /// How to connect.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// A name or an IP address (without brackets).
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `host:port`, with brackets around an IPv6 address.
    pub(crate) fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for ServerAddress {
    /// As it can be written in a list: the scheme only where it is not the default.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scheme {
            Scheme::Https => f.write_str(&self.authority()),
            Scheme::Http => write!(f, "http://{}", self.authority()),
        }
    }
}

impl FromStr for ServerAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<ServerAddress, AddressError> {
        let wrong = |why| AddressError { text: text.chars().take(HOST_CHARS_MAX).collect(), why };
        let (scheme, rest) = match text.trim().split_once("://") {
            Some(("https", rest)) => (Scheme::Https, rest),
            Some(("http", rest)) => (Scheme::Http, rest),
            Some(_) => return Err(wrong("only https:// and http:// are understood")),
            None => (Scheme::Https, text.trim()),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if let Some((before, _)) = rest.split_once('@') {
            let port_first = before.bytes().all(|b| b.is_ascii_digit());
            return Err(wrong(if port_first { "the port comes after the host" } else { "it holds an @" }));
        }
        let (host, port) = split_port(rest).map_err(wrong)?;
        let is_v6 = host.parse::<Ipv6Addr>().is_ok();
        let plain = host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
        if host.is_empty() {
            return Err(wrong("the host is missing"));
        }
        if host.len() > HOST_CHARS_MAX || !(plain || is_v6) {
            return Err(wrong("the host may use letters, digits, '.', '-' and '_', or be an IP address"));
        }
        Ok(ServerAddress { scheme, host: host.to_ascii_lowercase().into(), port })
    }
}

fn split_port(text: &str) -> Result<(&str, u16), &'static str> {
    // An IPv6 address without brackets has colons but no port.
    if text.parse::<Ipv6Addr>().is_ok() {
        return Ok((text, DEFAULT_PORT));
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or("the bracket is not closed")?;
            if host.parse::<Ipv6Addr>().is_err() {
                return Err("only an IPv6 address stands in brackets");
            }
            (host, after.strip_prefix(':').or_else(|| after.is_empty().then_some("")).ok_or("the port is wrong")?)
        }
        None => text.split_once(':').unwrap_or((text, "")),
    };
    match port {
        "" if text.ends_with(':') => Err("the port is missing"),
        "" => Ok((host, DEFAULT_PORT)),
        port => match port.parse::<u16>() {
            Ok(number) if number > 0 && !port.starts_with('+') => Ok((host, number)),
            _ => Err("the port must be a number from 1 to 65535"),
        },
    }
}

impl Serialize for ServerAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Why a list of servers is refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ServerListError {
    /// One of them is wrong.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// Nothing in it.
    #[error("the list of license servers is empty")]
    Empty,
    /// Too many.
    #[error("the list has {0} license servers, and at most {SERVERS_MAX} are asked")]
    TooMany(usize),
}

/// The servers of a list, primary first. Each item may itself be several addresses with commas between; an address
/// that comes twice counts once.
pub fn parse_servers<T: AsRef<str>>(items: &[T]) -> Result<Vec<ServerAddress>, ServerListError> {
    let mut servers = Vec::new();
    let texts = items.iter().flat_map(|item| item.as_ref().split(',')).map(str::trim).filter(|text| !text.is_empty());
    for text in texts {
        let server: ServerAddress = text.parse()?;
        if !servers.contains(&server) {
            servers.push(server);
        }
    }
    match servers.len() {
        0 => Err(ServerListError::Empty),
        n if n > SERVERS_MAX => Err(ServerListError::TooMany(n)),
        _ => Ok(servers),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        let table = [
            ("license", "license:30304"),
            (" License.Example.com ", "license.example.com:30304"),
            ("license:8080", "license:8080"),
            ("https://license", "license:30304"),
            ("http://license:80/", "http://license:80"),
            ("10.0.0.7", "10.0.0.7:30304"),
            ("::1", "[::1]:30304"),
            ("[fe80::1]:99", "[fe80::1]:99"),
            ("http://[::1]", "http://[::1]:30304"),
        ];
        for (written, shown) in table {
            let address: ServerAddress = written.parse().unwrap();
            assert_eq!(address.to_string(), shown);
            assert_eq!(shown.parse(), Ok(address), "what is shown can be written");
        }
    }

    #[test]
    fn wrong_addresses_say_what_is_wrong() {
        let table = [
            ("27000@license", "the port comes after the host"),
            ("user@license", "holds an @"),
            ("ftp://license", "only https:// and http://"),
            ("license:0", "1 to 65535"),
            ("license:", "the port is missing"),
            ("license:99999", "1 to 65535"),
            ("a b", "letters, digits"),
            ("license/path", "letters, digits"),
            ("[::1", "bracket is not closed"),
            ("[license]:1", "only an IPv6"),
            (":30304", "the host is missing"),
        ];
        for (written, why) in table {
            let error = written.parse::<ServerAddress>().unwrap_err().to_string();
            assert!(error.contains(why) && error.contains("host:port"), "{written}: {error}");
        }
    }

    #[test]
    fn a_list_keeps_its_order_and_drops_repetitions() {
        let list = parse_servers(&["b, a:1", "b:30304", "https://b"]).unwrap();
        assert_eq!(list.iter().map(ToString::to_string).collect::<Vec<_>>(), ["b:30304", "a:1"]);
        assert_eq!(parse_servers(&[" , "]), Err(ServerListError::Empty));
        let many: Vec<String> = (0..17).map(|n| format!("s{n}")).collect();
        assert_eq!(parse_servers(&many), Err(ServerListError::TooMany(17)));
    }
}
