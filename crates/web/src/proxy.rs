//! Who is really asking, when a proxy may stand in between: trusted proxies, loopback, and the names a service answers
//! to. Headers are believed only from a peer the administrator listed; everything in them is hostile until then.

use crate::listener::Connection;
use axum::http::{HeaderMap, HeaderName, Uri, header};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Most hops that are looked at; more is nobody's honest network.
const HOPS_MAX: usize = 32;

/// An address, or a network in CIDR form such as `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// As IPv6; IPv4 stands in its mapped range.
    base: u128,
    mask: u128,
}

/// The text names no address or network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither an address nor a network; write for example 10.1.2.3, 10.0.0.0/8 or fd00::/8")]
pub struct NetworkError(String);

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Network, NetworkError> {
        let wrong = || NetworkError(text.to_owned());
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length.parse::<u32>().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let length = length.unwrap_or(bits);
        if length > bits {
            return Err(wrong());
        }
        let mask = u128::MAX.checked_shl(bits - length).unwrap_or(0);
        // Above an IPv4 network stand the 96 bits of the mapped range, which always count.
        let mask = if address.is_ipv4() { mask | (u128::MAX << 32) } else { mask };
        Ok(Network { base: wide(address) & mask, mask })
    }
}

impl Network {
    /// What may have been meant by a text such as `10.0.0.1/8`, whose address has more than its network does: the network.
    /// `None` for every other text.
    pub fn meant_by(text: &str) -> Option<String> {
        let (address, length) = text.trim().split_once('/')?;
        let (address, network) = (address.parse::<IpAddr>().ok()?, text.trim().parse::<Network>().ok()?);
        if wide(address) == network.base {
            return None;
        }
        let base = Ipv6Addr::from_bits(network.base);
        let base = if address.is_ipv4() { IpAddr::V6(base).to_canonical() } else { IpAddr::V6(base) };
        Some(format!("{base}/{length}"))
    }

    /// Whether `address` is in it. IPv4 addresses in their IPv6 form are IPv4 addresses.
    pub fn contains(&self, address: IpAddr) -> bool {
        wide(address) & self.mask == self.base
    }
}

fn wide(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// The proxies whose `X-Forwarded-*` and `Forwarded` headers are believed.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<Network>);

impl TrustedProxies {
    /// From the `trusted_proxies` setting: addresses and networks.
    pub fn parse<T: AsRef<str>>(list: &[T]) -> Result<TrustedProxies, NetworkError> {
        list.iter().map(|text| text.as_ref().trim().parse()).collect::<Result<_, _>>().map(TrustedProxies)
    }

    /// Whether what `address` says about clients is believed.
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

/// The client as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its address, IPv4 where it is one.
    pub address: IpAddr,
    /// Whether it came by HTTPS.
    pub https: bool,
}

/// The client behind a request: the peer, or what trusted proxies say about it. Of a chain of hops the right-most that
/// is not a trusted proxy counts, because everything to its left is only its word.
///
/// If `X-Forwarded-For` and `Forwarded` are both there and disagree, one of them came through unchecked; then neither is
/// believed.
pub fn client(connection: &Connection, headers: &HeaderMap, trusted: &TrustedProxies) -> Client {
    let peer = Client { address: connection.peer.ip().to_canonical(), https: connection.tls };
    if trusted.0.is_empty() || !trusted.trusts(peer.address) {
        return peer;
    }
    let by_x = headers.contains_key(X_FORWARDED_FOR).then(|| behind(peer, &x_forwarded(headers), trusted));
    let by_forwarded = headers.contains_key(header::FORWARDED).then(|| behind(peer, &forwarded(headers), trusted));
    match (by_x, by_forwarded) {
        (Some(x), Some(forwarded)) if x != forwarded => peer,
        (Some(client), _) | (None, Some(client)) => client,
        (None, None) => Client { https: last_proto(headers).unwrap_or(peer.https), ..peer },
    }
}

/// What one hop says about who came to it.
struct Hop {
    /// `None`: `unknown`, an obfuscated name, or nonsense.
    address: Option<IpAddr>,
    https: Option<bool>,
}

/// Walks from the nearest hop outwards.
fn behind(peer: Client, hops: &[Hop], trusted: &TrustedProxies) -> Client {
    let mut client = peer;
    for hop in hops.iter().rev().take(HOPS_MAX) {
        let Some(address) = hop.address else { break };
        client = Client { address, https: hop.https.unwrap_or(client.https) };
        if !trusted.trusts(address) {
            break;
        }
    }
    client
}

fn values<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    // A value that is not text still counts as one hop, so that it cannot hide those to its right.
    headers.get_all(name).iter().flat_map(|value| value.to_str().unwrap_or("?").split(',')).map(str::trim)
}

fn x_forwarded(headers: &HeaderMap) -> Vec<Hop> {
    let addresses: Vec<_> = values(headers, &X_FORWARDED_FOR).collect();
    let protos: Vec<_> = values(headers, &X_FORWARDED_PROTO).collect();
    // One value per hop if every proxy appended; otherwise the last one, written by the proxy nearest to us, is for all.
    let per_hop = protos.len() == addresses.len();
    let last = protos.last().copied();
    let proto = |i: usize| if per_hop { protos.get(i).copied() } else { last };
    let hop = |(i, text): (usize, &&str)| Hop { address: node(text), https: proto(i).and_then(is_https) };
    addresses.iter().enumerate().map(hop).collect()
}

fn last_proto(headers: &HeaderMap) -> Option<bool> {
    values(headers, &X_FORWARDED_PROTO).last().and_then(is_https)
}

fn forwarded(headers: &HeaderMap) -> Vec<Hop> {
    values(headers, &header::FORWARDED)
        .map(|element| {
            let part = |name: &str| {
                element.split(';').find_map(|pair| {
                    let (key, value) = pair.split_once('=')?;
                    key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
                })
            };
            Hop { address: part("for").and_then(node), https: part("proto").and_then(is_https) }
        })
        .collect()
}

fn is_https(proto: &str) -> Option<bool> {
    match proto {
        p if p.eq_ignore_ascii_case("https") => Some(true),
        p if p.eq_ignore_ascii_case("http") => Some(false),
        _ => None,
    }
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:80`.
fn node(text: &str) -> Option<IpAddr> {
    let bare = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None if text.matches(':').count() == 1 => text.split_once(':')?.0,
        None => text,
    };
    bare.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// Whether both ends of a socket are this machine: loopback, or one address of it, from which nobody else can connect.
pub fn is_own_machine(peer: SocketAddr, local: SocketAddr) -> bool {
    let (peer, local) = (peer.ip().to_canonical(), local.ip().to_canonical());
    peer == local || (peer.is_loopback() && local.is_loopback())
}

/// Whether both ends of the socket are loopback and no proxy says that it stands in between (`PROTOCOL.md` section 6).
pub fn is_loopback(connection: &Connection, headers: &HeaderMap) -> bool {
    let ours = |address: IpAddr| address.to_canonical().is_loopback();
    ours(connection.peer.ip()) && ours(connection.local.ip()) && !is_forwarded(headers)
}

fn is_forwarded(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| *name == header::FORWARDED || name.as_str().starts_with("x-forwarded-"))
}

/// The host that a request is for, with its port: HTTP/2 and absolute addresses carry it in the address, HTTP/1.1 in
/// `Host`. For [`host_allowed`].
pub fn requested_host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    match uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => headers.get(header::HOST)?.to_str().ok(),
    }
}

/// Whether a `Host` header (or authority) names this service. Stops DNS rebinding, in which a web site's own name is made
/// to point at this machine: such a request carries that name. Addresses and `localhost` are always fine, since no
/// foreign site can be called so; other names must be in `allowed` (without port, any case).
pub fn host_allowed<T: AsRef<str>>(host: &str, allowed: &[T]) -> bool {
    let Some(name) = host_name(host) else { return false };
    if name.parse::<IpAddr>().is_ok() || name.eq_ignore_ascii_case("localhost") {
        return true;
    }
    allowed.iter().any(|ours| ours.as_ref().trim_end_matches('.').eq_ignore_ascii_case(name))
}

/// The host without port, brackets and trailing dot.
fn host_name(host: &str) -> Option<&str> {
    let port_ok =
        |rest: &str| rest.is_empty() || rest.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    if let Some(rest) = host.strip_prefix('[') {
        let (address, rest) = rest.split_once(']')?;
        return (address.parse::<Ipv6Addr>().is_ok() && port_ok(rest)).then_some(address);
    }
    let (name, rest) = host.split_at(host.find(':').unwrap_or(host.len()));
    let name = name.strip_suffix('.').unwrap_or(name);
    (!name.is_empty() && port_ok(rest)).then_some(name)
}

#[cfg(test)]
mod tests;
