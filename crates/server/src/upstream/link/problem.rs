//! Why the portal cannot be reached, and the sentences about it that a person reads. Owns the words; finds nothing out.
//!
//! What came from outside (names, pages, certificates) is hostile: it goes through [`shown`] before it stands in a
//! problem.

use leasehold_core::text::{counted, is_invisible_control};
use leasehold_core::time::Ms;
use leasehold_web::text::shorten;
use leasehold_wire::server::{ConnectionProblem, ConnectionStepName};

/// Longest piece of outside text in a sentence, in characters.
const SHOWN_CHARS_MAX: usize = 80;

const ADMINISTRATOR: &str = "the administrator of the license server";
const NETWORK: &str = "whoever runs the network and its proxy";
const VENDOR: &str = "the vendor, who runs the portal";

/// Text from outside, fit to stand in a sentence: one line, no control characters, at most 80 characters.
pub(crate) fn shown(text: &str) -> String {
    let spaced: String = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).collect();
    let plain: String = spaced.chars().filter(|c| !is_invisible_control(*c)).collect();
    let words: Vec<&str> = plain.split(' ').filter(|word| !word.is_empty()).collect();
    shorten(&words.join(" "), SHOWN_CHARS_MAX).into_owned()
}

/// Whom a connection is made to, as `host:port`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Peer {
    /// The portal itself.
    Portal(String),
    /// The proxy in between.
    Proxy(String),
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Peer::Portal(at) => write!(f, "the portal {at}"),
            Peer::Proxy(at) => write!(f, "the proxy {at}"),
        }
    }
}

/// Why there is no answer of the portal. `portal` and `proxy` are `host:port`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum LinkProblem {
    /// Nobody said where the portal is.
    NoAddress,
    /// The portal's address is none. `why` ends a sentence.
    BadAddress { why: &'static str },
    /// Plain HTTP to another machine.
    Unencrypted { host: String },
    /// The environment names a proxy whose address is none. `why` ends a sentence.
    BadProxy { variable: &'static str, why: &'static str },
    /// A name does not resolve. `why` ends a sentence.
    NameNotFound { peer: Peer, why: String },
    /// Nothing listens.
    Refused { peer: Peer },
    /// There is no way, or it broke off. `why` ends a sentence.
    Unreachable { peer: Peer, why: String },
    /// Nobody answers the attempt to connect.
    ConnectTimedOut { peer: Peer, seconds: u64 },
    /// The proxy lets nobody through without a password.
    ProxyWantsPassword { proxy: String },
    /// The proxy does not take the user and password that are set.
    ProxyWrongPassword { proxy: String },
    /// The proxy offers only ways to sign in that this program does not speak.
    ProxySignIn { proxy: String, offered: String },
    /// The proxy does not let this server through to the portal.
    ProxyRefused { proxy: String, portal: String, said: String },
    /// The proxy cannot reach the portal.
    ProxyCannotReach { proxy: String, portal: String, said: String },
    /// What is there does not speak the proxy's protocol. `why` ends a sentence.
    NotAProxy { proxy: String, kind: &'static str, why: String },
    /// The proxy is there and says nothing.
    ProxySilent { proxy: String, seconds: u64 },
    /// This machine trusts no certificate authority.
    NoTrust { why: String },
    /// Nobody whom this machine trusts vouches for the certificate.
    UnknownIssuer { portal: String, issuer: String },
    /// The certificate has ended by this machine's clock.
    Expired { portal: String, ended_at: Option<Ms>, now: Ms },
    /// The certificate begins later by this machine's clock.
    NotYetValid { portal: String, begins_at: Option<Ms>, now: Ms },
    /// The certificate is for somebody else.
    OtherName { portal: String, names: String },
    /// The certificate is bad in another way. `why` ends a sentence.
    BadCertificate { portal: String, why: String },
    /// What is there does not speak TLS.
    NotTls { portal: String },
    /// What is there takes connections and says nothing to the greeting of TLS.
    TlsSilent { portal: String, seconds: u64 },
    /// TLS failed in another way. `why` ends a sentence.
    TlsFailed { portal: String, why: String },
    /// No whole answer in time.
    Slow { portal: String, seconds: u64 },
    /// The connection ended before the answer did. `why` ends a sentence.
    Broken { portal: String, why: String },
    /// A status of 500 or more.
    Down { portal: String, status: u16, said: String },
    /// Sent elsewhere, where nobody goes.
    Redirected { portal: String, to: String },
    /// What answers is something else.
    NotThePortal { portal: String, said: String },
    /// More than is ever read.
    TooLarge { portal: String, bytes_max: u64 },
}

impl LinkProblem {
    /// Stable word for programs.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            LinkProblem::NoAddress => "PORTAL_ADDRESS_MISSING",
            LinkProblem::BadAddress { .. } => "PORTAL_ADDRESS_BAD",
            LinkProblem::Unencrypted { .. } => "PORTAL_ADDRESS_UNENCRYPTED",
            LinkProblem::BadProxy { .. } => "PROXY_ADDRESS_BAD",
            LinkProblem::NameNotFound { peer: Peer::Portal(_), .. } => "PORTAL_NAME_NOT_FOUND",
            LinkProblem::NameNotFound { peer: Peer::Proxy(_), .. } => "PROXY_NAME_NOT_FOUND",
            LinkProblem::Refused { peer: Peer::Portal(_) } => "PORTAL_CONNECTION_REFUSED",
            LinkProblem::Refused { peer: Peer::Proxy(_) } => "PROXY_CONNECTION_REFUSED",
            LinkProblem::Unreachable { peer: Peer::Portal(_), .. } => "PORTAL_UNREACHABLE",
            LinkProblem::Unreachable { peer: Peer::Proxy(_), .. } => "PROXY_UNREACHABLE",
            LinkProblem::ConnectTimedOut { peer: Peer::Portal(_), .. } => "PORTAL_CONNECT_TIMED_OUT",
            LinkProblem::ConnectTimedOut { peer: Peer::Proxy(_), .. } => "PROXY_CONNECT_TIMED_OUT",
            LinkProblem::ProxyWantsPassword { .. } => "PROXY_WANTS_PASSWORD",
            LinkProblem::ProxyWrongPassword { .. } => "PROXY_WRONG_PASSWORD",
            LinkProblem::ProxySignIn { .. } => "PROXY_SIGN_IN_UNKNOWN",
            LinkProblem::ProxyRefused { .. } => "PROXY_REFUSED",
            LinkProblem::ProxyCannotReach { .. } => "PROXY_CANNOT_REACH_PORTAL",
            LinkProblem::NotAProxy { .. } => "NOT_A_PROXY",
            LinkProblem::ProxySilent { .. } => "PROXY_SILENT",
            LinkProblem::NoTrust { .. } => "NO_TRUSTED_AUTHORITY",
            LinkProblem::UnknownIssuer { .. } => "CERTIFICATE_UNKNOWN_ISSUER",
            LinkProblem::Expired { .. } => "CERTIFICATE_EXPIRED",
            LinkProblem::NotYetValid { .. } => "CERTIFICATE_NOT_YET_VALID",
            LinkProblem::OtherName { .. } => "CERTIFICATE_OTHER_NAME",
            LinkProblem::BadCertificate { .. } => "CERTIFICATE_BAD",
            LinkProblem::NotTls { .. } => "NOT_TLS",
            LinkProblem::TlsSilent { .. } => "TLS_SILENT",
            LinkProblem::TlsFailed { .. } => "TLS_FAILED",
            LinkProblem::Slow { .. } => "PORTAL_SLOW",
            LinkProblem::Broken { .. } => "CONNECTION_BROKEN",
            LinkProblem::Down { .. } => "PORTAL_DOWN",
            LinkProblem::Redirected { .. } => "REDIRECTED",
            LinkProblem::NotThePortal { .. } => "NOT_THE_PORTAL",
            LinkProblem::TooLarge { .. } => "ANSWER_TOO_LARGE",
        }
    }

    /// What happened and why, as whole sentences.
    pub(crate) fn what(&self) -> String {
        match self {
            LinkProblem::NoAddress => "This license server does not know where the portal is.".to_owned(),
            LinkProblem::BadAddress { why } => format!("The portal's address cannot be used: {why}."),
            LinkProblem::Unencrypted { host } => format!(
                "The portal's address begins with http:// and leads to another machine ({host}): passwords and keys \
                 would cross the network in the clear, so nothing was sent."
            ),
            LinkProblem::BadProxy { variable, why } => {
                format!("The proxy that the environment variable {variable} names cannot be used: {why}.")
            }
            LinkProblem::NameNotFound { peer, why } => format!("The name of {peer} was not found: {why}."),
            LinkProblem::Refused { peer } => {
                format!("The connection to {peer} was refused: the machine is there, but nothing listens on that port.")
            }
            LinkProblem::Unreachable { peer, why } => format!("{} cannot be reached: {why}.", capital(peer)),
            LinkProblem::ConnectTimedOut { peer, seconds } => format!(
                "{} cannot be reached: nobody answered within {}. A firewall may drop the connection.",
                capital(peer),
                span(*seconds)
            ),
            LinkProblem::ProxyWantsPassword { proxy } => {
                format!("The proxy {proxy} wants a user and a password, and none is set.")
            }
            LinkProblem::ProxyWrongPassword { proxy } => {
                format!("The proxy {proxy} does not accept the user and the password that are set.")
            }
            LinkProblem::ProxySignIn { proxy, offered } => format!(
                "The proxy {proxy} wants a sign-in of a kind that this license server does not speak ({offered}); it \
                 speaks Basic."
            ),
            LinkProblem::ProxyRefused { proxy, portal, said } => {
                format!("The proxy {proxy} does not let this license server through to the portal {portal}: {said}.")
            }
            LinkProblem::ProxyCannotReach { proxy, portal, said } => {
                format!("The proxy {proxy} cannot reach the portal {portal}: {said}.")
            }
            LinkProblem::NotAProxy { proxy, kind, why } => {
                format!("What answers at {proxy} is no {kind} proxy: {why}.")
            }
            LinkProblem::ProxySilent { proxy, seconds } => {
                format!("The proxy {proxy} takes connections, but said nothing within {}.", span(*seconds))
            }
            LinkProblem::NoTrust { why } => format!(
                "This machine trusts no certificate authority, so nobody can vouch for the portal: {why}. Small \
                 containers often come without them."
            ),
            LinkProblem::UnknownIssuer { portal, issuer } => format!(
                "The certificate at {portal} was issued by {issuer}, whom this machine does not trust. Either the portal \
                 uses a certificate authority of its own, or a proxy on the way opens TLS."
            ),
            LinkProblem::Expired { portal, ended_at, now } => format!(
                "The certificate of the portal {portal} has expired{}. This machine's clock shows {}.",
                ended_at.map(|at| format!(" at {}", at.rfc3339())).unwrap_or_default(),
                now.rfc3339()
            ),
            LinkProblem::NotYetValid { portal, begins_at, now } => format!(
                "The certificate of the portal {portal} is not valid {}. This machine's clock shows {}, and may be wrong.",
                begins_at.map_or("yet".to_owned(), |at| format!("before {}", at.rfc3339())),
                now.rfc3339()
            ),
            LinkProblem::OtherName { portal, names } => {
                format!("The certificate at {portal} is for another name ({names}), so this is another machine.")
            }
            LinkProblem::BadCertificate { portal, why } => {
                format!("The certificate at {portal} cannot be accepted: {why}.")
            }
            LinkProblem::NotTls { portal } => {
                format!("What answers at {portal} does not speak TLS; it may speak plain HTTP on this port.")
            }
            LinkProblem::TlsSilent { portal, seconds } => {
                format!(
                    "What is at {portal} takes connections, but did not answer the greeting of TLS within {}.",
                    span(*seconds)
                )
            }
            LinkProblem::TlsFailed { portal, why } => format!("TLS with {portal} failed: {why}."),
            LinkProblem::Slow { portal, seconds } => {
                format!("The portal {portal} gave no whole answer within {}.", span(*seconds))
            }
            LinkProblem::Broken { portal, why } => {
                format!("The connection to {portal} broke off before the answer was there: {why}.")
            }
            LinkProblem::Down { portal, status, said } => {
                format!("The portal {portal} cannot work just now: it answers with status {status}{}.", told(said))
            }
            LinkProblem::Redirected { portal, to } => format!(
                "What answers at {portal} sends visitors on to {to}, where nothing was sent. A network that wants a sign-in \
                 first does that, and so does a web server at an old address."
            ),
            LinkProblem::NotThePortal { portal, said } => {
                format!("What answers at {portal} is not the portal{}.", told(said))
            }
            LinkProblem::TooLarge { portal, bytes_max } => format!(
                "What answers at {portal} says more than {bytes_max} bytes, and the portal never does. The rest was not read."
            ),
        }
    }

    /// The next step.
    pub(crate) fn what_to_do(&self) -> String {
        match self {
            LinkProblem::NoAddress => {
                "Name the address that the vendor gave, such as https://portal.example.com: on the page, with `--portal`, or as \
                 `portal_url` in Settings, Portal."
            }
            LinkProblem::BadAddress { .. } => {
                "Correct the address: it looks like https://portal.example.com, with a port after a colon if there is one."
            }
            LinkProblem::Unencrypted { .. } => {
                "Put https:// in front. If the portal has no https://, ask the vendor for an address that has."
            }
            LinkProblem::BadProxy { .. } => {
                "Correct it: http://proxy.example.com:3128 or socks5://proxy.example.com:1080. `none` goes without one."
            }
            LinkProblem::NameNotFound { peer: Peer::Portal(_), .. } => {
                "Check the spelling of the portal's address and the name servers of this machine. If only a proxy knows names \
                 from outside, set `proxy` in Settings, Portal."
            }
            LinkProblem::NameNotFound { peer: Peer::Proxy(_), .. } => {
                "Check the spelling of the proxy's name and the name servers of this machine."
            }
            LinkProblem::Refused { peer: Peer::Portal(_) } => {
                "Check host and port of the portal's address. If they are right, the portal is not running."
            }
            LinkProblem::Refused { peer: Peer::Proxy(_) } => {
                "Check host and port of the proxy. If they are right, the proxy is not running."
            }
            LinkProblem::Unreachable { peer: Peer::Portal(_), .. }
            | LinkProblem::ConnectTimedOut { peer: Peer::Portal(_), .. } => {
                "Let this machine through the firewall to that host and port, or, if the way out is a proxy, set `proxy` \
                 in Settings, Portal."
            }
            LinkProblem::Unreachable { peer: Peer::Proxy(_), .. }
            | LinkProblem::ConnectTimedOut { peer: Peer::Proxy(_), .. } => {
                "Check host and port of the proxy, and that this machine may connect to it."
            }
            LinkProblem::ProxyWantsPassword { .. } => {
                "In Settings, Portal, write the user into `proxy` (http://USER@HOST:PORT, or socks5:// as it is now) and the \
                 password into the field below it; or the password into a file that `proxy_password_file` names."
            }
            LinkProblem::ProxyWrongPassword { .. } => {
                "Correct the user in `proxy`, and the password in Settings, Portal, or in the file that `proxy_password_file` \
                 names. In an address, special characters are percent-encoded."
            }
            LinkProblem::ProxySignIn { .. } => {
                "Have the proxy let this machine through without a sign-in or with Basic, or set a proxy that does."
            }
            LinkProblem::ProxyRefused { .. } => "Have the proxy let this machine through to that host and port.",
            LinkProblem::ProxyCannotReach { .. } => {
                "Check the portal's address, and that the portal runs and can be reached from where the proxy stands."
            }
            LinkProblem::NotAProxy { .. } => {
                "Check host, port and kind of the proxy: http:// and socks5:// mostly have different ports."
            }
            LinkProblem::ProxySilent { .. } => "Check that the proxy works, and that http:// or socks5:// is right for it.",
            LinkProblem::NoTrust { .. } => {
                "Install the package with the certificate authorities (ca-certificates), or name the portal's in \
                 `portal_ca` in server.toml."
            }
            LinkProblem::UnknownIssuer { .. } => {
                "If that authority is the company's or the vendor's own, get its certificate as a PEM file and name it in \
                 `portal_ca` in server.toml, or add it to those that the operating system trusts. If nobody knows it, do \
                 not trust it."
            }
            LinkProblem::Expired { .. } => {
                "If that clock is wrong, set it right (NTP). If it is right, the portal needs a new certificate."
            }
            LinkProblem::NotYetValid { .. } => {
                "Set this machine's clock right (NTP). If it is right, the portal's certificate is made wrong."
            }
            LinkProblem::OtherName { .. } => {
                "Check the host in the portal's address: it must be the name in the certificate, not an address or a short name."
            }
            LinkProblem::BadCertificate { .. } => {
                "The portal needs another certificate: one for a server, with its host name, from any authority or self-signed."
            }
            LinkProblem::NotTls { .. } => "Check the port in the portal's address: https:// needs the portal's TLS port.",
            LinkProblem::TlsSilent { .. } => {
                "Check host and port of the portal's address. If they are right, the portal hangs, or something on the way holds TLS up."
            }
            LinkProblem::TlsFailed { .. } => {
                "Check the port: what speaks plain HTTP there may end a connection so. Else check that the portal allows TLS 1.2 \
                 or 1.3, and that nothing on the way interferes."
            }
            LinkProblem::Slow { .. } | LinkProblem::Broken { .. } => {
                "Try again in a moment. If it stays so, look at the network, at the proxy, and at the portal's log."
            }
            LinkProblem::Down { .. } => "Try again in a while; if it stays so, the portal's log says why.",
            LinkProblem::Redirected { .. } => {
                "If this network wants a sign-in first, sign in or have this machine let through. Else give the \
                 portal's real address."
            }
            LinkProblem::NotThePortal { .. } => {
                "Check the portal's address. If it is right, something on the way answers instead: a network that wants a sign-in \
                 first, or a filter."
            }
            LinkProblem::TooLarge { .. } => "Check that the address is the portal's.",
        }
        .to_owned()
    }

    /// Who can do it.
    pub(crate) fn who(&self) -> &'static str {
        match self {
            LinkProblem::ProxySignIn { .. }
            | LinkProblem::ProxyRefused { .. }
            | LinkProblem::ProxyCannotReach { .. }
            | LinkProblem::ProxySilent { .. } => NETWORK,
            LinkProblem::BadCertificate { .. } | LinkProblem::Down { .. } => VENDOR,
            LinkProblem::TlsFailed { .. } => {
                "the administrator of the license server, or the vendor, who runs the portal"
            }
            _ => ADMINISTRATOR,
        }
    }

    /// The step of a connection at which this happens.
    pub(crate) fn step(&self) -> ConnectionStepName {
        match self {
            LinkProblem::NoAddress
            | LinkProblem::BadAddress { .. }
            | LinkProblem::Unencrypted { .. }
            | LinkProblem::BadProxy { .. }
            | LinkProblem::NameNotFound { .. } => ConnectionStepName::Name,
            LinkProblem::Refused { .. } | LinkProblem::Unreachable { .. } | LinkProblem::ConnectTimedOut { .. } => {
                ConnectionStepName::Connect
            }
            LinkProblem::ProxyWantsPassword { .. }
            | LinkProblem::ProxyWrongPassword { .. }
            | LinkProblem::ProxySignIn { .. }
            | LinkProblem::ProxyRefused { .. }
            | LinkProblem::ProxyCannotReach { .. }
            | LinkProblem::NotAProxy { .. }
            | LinkProblem::ProxySilent { .. } => ConnectionStepName::Proxy,
            LinkProblem::NoTrust { .. }
            | LinkProblem::UnknownIssuer { .. }
            | LinkProblem::Expired { .. }
            | LinkProblem::NotYetValid { .. }
            | LinkProblem::OtherName { .. }
            | LinkProblem::BadCertificate { .. }
            | LinkProblem::NotTls { .. }
            | LinkProblem::TlsSilent { .. }
            | LinkProblem::TlsFailed { .. } => ConnectionStepName::Tls,
            LinkProblem::Slow { .. }
            | LinkProblem::Broken { .. }
            | LinkProblem::Down { .. }
            | LinkProblem::Redirected { .. }
            | LinkProblem::NotThePortal { .. }
            | LinkProblem::TooLarge { .. } => ConnectionStepName::Portal,
        }
    }

    /// As the API says it.
    pub(crate) fn told(&self) -> ConnectionProblem {
        ConnectionProblem {
            code: self.code().to_owned(),
            what: self.what(),
            what_to_do: self.what_to_do(),
            who: self.who().to_owned(),
            refused: false,
        }
    }
}

impl std::fmt::Display for LinkProblem {
    /// One line for a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} (Who can: {}.)", self.what(), self.what_to_do(), self.who())
    }
}

impl std::error::Error for LinkProblem {}

fn capital(peer: &Peer) -> String {
    peer.to_string().replacen('t', "T", 1)
}

fn span(seconds: u64) -> String {
    counted(seconds, "second", "seconds")
}

/// What somebody said, as the end of a sentence.
fn told(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": {said}") }
}
