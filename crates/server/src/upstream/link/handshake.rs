//! Asking a proxy to connect to the portal: HTTP `CONNECT` (RFC 9110) and SOCKS 5 (RFC 1928, RFC 1929). Written here
//! because a proxy's refusal has to become a sentence: what it offers, what its page says, which of its reasons it gave.
//!
//! Works on a connection to the proxy that somebody else opened and limits in time.

use super::page::words_of;
use super::problem::{LinkProblem, shown};
use super::proxy::{ProxyKind, ProxyServer, authority};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::io::{self, Read, Write};
use std::net::IpAddr;

/// Longest head of a proxy's answer, in bytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Most of a refusing proxy's page that is read, in bytes.
const PAGE_BYTES_MAX: u64 = 4 * 1024;

/// What is asked of whom.
pub(crate) struct Ask<'a> {
    /// The proxy that the connection leads to.
    pub(crate) proxy: &'a ProxyServer,
    /// Where it should connect to; an IPv6 address without brackets.
    pub(crate) host: &'a str,
    /// The port there.
    pub(crate) port: u16,
    /// How long the whole may take, for the sentence.
    pub(crate) seconds: u64,
}

impl Ask<'_> {
    /// Asks; afterwards what is written to `stream` goes to the portal.
    pub(crate) fn pass(&self, stream: &mut (impl Read + Write)) -> Result<(), LinkProblem> {
        match self.proxy.kind {
            ProxyKind::Http => self.http(stream),
            ProxyKind::Socks5 => self.socks5(stream),
        }
    }

    fn http(&self, stream: &mut (impl Read + Write)) -> Result<(), LinkProblem> {
        let target = authority(self.host, self.port);
        let mut request = format!(
            "CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nUser-Agent: leasehold-server/{}\r\n",
            crate::VERSION
        );
        if let Some((user, password)) = self.proxy.login() {
            let login = STANDARD.encode(format!("{user}:{password}"));
            request.push_str(&format!("Proxy-Authorization: Basic {login}\r\n"));
        }
        request.push_str("\r\n");
        stream.write_all(request.as_bytes()).map_err(|error| self.lost(error))?;
        let head = self.head(stream)?;
        let answer = Head::parse(&head).ok_or_else(|| {
            let first = head.lines().next().unwrap_or_default();
            self.no_proxy(format!("its answer begins with \"{}\"", shown(first)))
        })?;
        match answer.status {
            200..=299 => Ok(()),
            // Some proxies say 401 to a wrong password. The portal cannot have said that: nobody is connected to it yet.
            401 | 407 => Err(self.login_refused(&answer)),
            status => {
                let said = format!("it answers with {}{}", answer.line, told(&answer.page(stream)));
                Err(if status >= 500 { self.cannot_reach(said) } else { self.refused(said) })
            }
        }
    }

    /// The head of the answer. One byte at a time, since what follows it is the portal's.
    fn head(&self, stream: &mut impl Read) -> Result<String, LinkProblem> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") && !head.ends_with(b"\n\n") {
            let mut byte = [0];
            match stream.read(&mut byte) {
                Ok(0) if head.is_empty() => return Err(self.no_proxy("it ended the connection at once".to_owned())),
                Ok(0) => break,
                Ok(_) => head.push(byte[0]),
                Err(error) => return Err(self.lost(error)),
            }
            if head.len() > HEAD_BYTES_MAX {
                return Err(self.no_proxy("its answer has no end".to_owned()));
            }
        }
        Ok(String::from_utf8_lossy(&head).into_owned())
    }

    fn login_refused(&self, answer: &Head<'_>) -> LinkProblem {
        let proxy = self.proxy.at();
        let offered = answer.sign_ins();
        if !offered.is_empty() && !offered.iter().any(|kind| kind.eq_ignore_ascii_case("basic")) {
            return LinkProblem::ProxySignIn { proxy, offered: shown(&offered.join(", ")) };
        }
        match self.proxy.login() {
            Some(_) => LinkProblem::ProxyWrongPassword { proxy },
            None => LinkProblem::ProxyWantsPassword { proxy },
        }
    }

    fn socks5(&self, stream: &mut (impl Read + Write)) -> Result<(), LinkProblem> {
        // Version, how many ways to sign in, which: 0 none, 2 user and password.
        let greeting: &[u8] = if self.proxy.login().is_some() { &[5, 2, 0, 2] } else { &[5, 1, 0] };
        self.send(stream, greeting)?;
        match (self.receive(stream)?, self.proxy.login()) {
            ([5, 0], _) => {}
            ([5, 2], Some((user, password))) => self.sign_in(stream, user, password)?,
            ([5, 0xff], Some(_)) => {
                let (proxy, offered) = (self.proxy.at(), "neither none nor a password".to_owned());
                return Err(LinkProblem::ProxySignIn { proxy, offered });
            }
            ([5, _], _) => return Err(LinkProblem::ProxyWantsPassword { proxy: self.proxy.at() }),
            _ => return Err(self.no_proxy("its answer is of another protocol".to_owned())),
        }
        self.send(stream, &self.socks5_request()?)?;
        let [version, reply, _, kind] = self.receive(stream)?;
        if version != 5 {
            return Err(self.no_proxy("its answer is of another protocol".to_owned()));
        }
        match reply {
            0 => {}
            1 => return Err(self.cannot_reach("it says that something went wrong".to_owned())),
            2 => return Err(self.refused("its rules do not allow it".to_owned())),
            3 | 4 | 6 => return Err(self.cannot_reach("it says that there is no way to it".to_owned())),
            5 => return Err(self.cannot_reach("it says that the connection was refused".to_owned())),
            other => return Err(self.refused(format!("it answers with reply {other}"))),
        }
        // The address from which it connects, which nobody needs.
        match kind {
            1 => self.receive::<6>(stream).map(|_| ()),
            4 => self.receive::<18>(stream).map(|_| ()),
            3 => {
                let [length] = self.receive(stream)?;
                (0..usize::from(length) + 2).try_for_each(|_| self.receive::<1>(stream).map(|_| ()))
            }
            _ => Err(self.no_proxy("its answer is of another protocol".to_owned())),
        }
    }

    fn sign_in(&self, stream: &mut (impl Read + Write), user: &str, password: &str) -> Result<(), LinkProblem> {
        let mut message = vec![1];
        for word in [user, password] {
            message
                .push(u8::try_from(word.len()).map_err(|_| self.refused("user or password is too long".to_owned()))?);
            message.extend_from_slice(word.as_bytes());
        }
        self.send(stream, &message)?;
        // Some end the connection instead of saying no.
        match self.receive(stream) {
            Ok([_, 0]) => Ok(()),
            Ok(_) | Err(LinkProblem::NotAProxy { .. }) => {
                Err(LinkProblem::ProxyWrongPassword { proxy: self.proxy.at() })
            }
            Err(problem) => Err(problem),
        }
    }

    /// Version, connect, nothing, kind of address, address, port.
    fn socks5_request(&self) -> Result<Vec<u8>, LinkProblem> {
        let mut request = vec![5, 1, 0];
        match self.host.parse() {
            Ok(IpAddr::V4(address)) => {
                request.push(1);
                request.extend_from_slice(&address.octets());
            }
            Ok(IpAddr::V6(address)) => {
                request.push(4);
                request.extend_from_slice(&address.octets());
            }
            Err(_) => {
                let length = u8::try_from(self.host.len());
                let length = length.map_err(|_| LinkProblem::BadAddress { why: "its name is too long" })?;
                request.extend_from_slice(&[3, length]);
                request.extend_from_slice(self.host.as_bytes());
            }
        }
        request.extend_from_slice(&self.port.to_be_bytes());
        Ok(request)
    }

    fn send(&self, stream: &mut impl Write, bytes: &[u8]) -> Result<(), LinkProblem> {
        stream.write_all(bytes).map_err(|error| self.lost(error))
    }

    fn receive<const N: usize>(&self, stream: &mut impl Read) -> Result<[u8; N], LinkProblem> {
        let mut bytes = [0; N];
        stream.read_exact(&mut bytes).map_err(|error| self.lost(error))?;
        Ok(bytes)
    }

    fn lost(&self, error: io::Error) -> LinkProblem {
        match ureq::Error::from(error) {
            ureq::Error::Timeout(_) => LinkProblem::ProxySilent { proxy: self.proxy.at(), seconds: self.seconds },
            _ => self.no_proxy("it ended the connection".to_owned()),
        }
    }

    fn no_proxy(&self, why: String) -> LinkProblem {
        LinkProblem::NotAProxy { proxy: self.proxy.at(), kind: self.proxy.kind.name(), why }
    }

    fn refused(&self, said: String) -> LinkProblem {
        LinkProblem::ProxyRefused { proxy: self.proxy.at(), portal: authority(self.host, self.port), said }
    }

    fn cannot_reach(&self, said: String) -> LinkProblem {
        LinkProblem::ProxyCannotReach { proxy: self.proxy.at(), portal: authority(self.host, self.port), said }
    }
}

/// The head of an HTTP proxy's answer.
struct Head<'a> {
    status: u16,
    /// Status and reason, such as `403 Forbidden`.
    line: String,
    headers: Vec<(&'a str, &'a str)>,
}

impl<'a> Head<'a> {
    fn parse(text: &'a str) -> Option<Head<'a>> {
        let mut lines = text.lines();
        let (version, line) = lines.next()?.split_once(' ')?;
        let status = line.get(..3)?.parse().ok()?;
        if !version.starts_with("HTTP/") {
            return None;
        }
        let headers = lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name.trim(), value.trim()));
        Some(Head { status, line: shown(line), headers: headers.collect() })
    }

    fn values(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    /// The ways to sign in that are offered.
    fn sign_ins(&self) -> Vec<&'a str> {
        let offers = self.values("proxy-authenticate").chain(self.values("www-authenticate"));
        offers.filter_map(|value| value.split_whitespace().next()).collect()
    }

    /// What the page says. Only as much as is announced is waited for.
    fn page(&self, stream: &mut impl Read) -> String {
        let length = self.values("content-length").find_map(|value| value.parse::<u64>().ok());
        let mut page = Vec::new();
        let _ = match length {
            Some(length) => stream.take(length.min(PAGE_BYTES_MAX)).read_to_end(&mut page),
            None => {
                page.resize(1024, 0);
                stream.read(&mut page).inspect(|read| page.truncate(*read)).inspect_err(|_| page.clear())
            }
        };
        words_of(&page)
    }
}

fn told(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(", {said}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    /// A proxy that says its part at once, whatever it is asked.
    struct Script {
        says: Cursor<Vec<u8>>,
        heard: Vec<u8>,
    }

    impl Read for Script {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.says.read(buffer)
        }
    }

    impl Write for Script {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.heard.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn ask(proxy: &str, host: &str, says: &[u8]) -> (Result<(), LinkProblem>, Script) {
        let proxy = ProxyServer::parse(proxy).unwrap();
        let mut script = Script { says: Cursor::new(says.to_vec()), heard: Vec::new() };
        let asked = Ask { proxy: &proxy, host, port: 443, seconds: 9 }.pass(&mut script);
        (asked, script)
    }

    fn code(proxy: &str, says: &[u8]) -> &'static str {
        ask(proxy, "portal.example.com", says).0.map_or_else(|problem| problem.code(), |()| "")
    }

    #[test]
    fn an_http_proxy_is_asked_and_what_follows_its_answer_is_left_alone() {
        let (asked, mut script) =
            ask("http://u:p@h", "2001:db8::1", b"HTTP/1.0 200 Connection established\r\nA: b\r\n\r\nTLS");
        assert_eq!(asked, Ok(()));
        let mut rest = String::new();
        script.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "TLS");
        let heard = String::from_utf8(script.heard).unwrap();
        assert!(heard.starts_with("CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n"), "{heard}");
        assert!(heard.contains("\r\nProxy-Authorization: Basic dTpw\r\n"), "{heard}");
        let (_, script) = ask("http://h", "portal.example.com", b"HTTP/1.1 200 OK\r\n\r\n");
        assert!(!String::from_utf8(script.heard).unwrap().contains("Authorization"));
    }

    #[test]
    fn each_refusal_of_an_http_proxy_is_told_apart() {
        for (proxy, says, expected) in [
            ("http://h", "HTTP/1.1 407 A\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n", "PROXY_WANTS_PASSWORD"),
            ("http://u:p@h", "HTTP/1.1 407 A\r\nproxy-authenticate: Basic\r\n\r\n", "PROXY_WRONG_PASSWORD"),
            ("http://u:p@h", "HTTP/1.1 407 A\r\n\r\n", "PROXY_WRONG_PASSWORD"),
            ("http://u:p@h", "HTTP/1.0 401 A\r\nWWW-Authenticate: Basic realm=\"x\"\r\n\r\n", "PROXY_WRONG_PASSWORD"),
            (
                "http://u:p@h",
                "HTTP/1.1 407 A\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\n\r\n",
                "PROXY_SIGN_IN_UNKNOWN",
            ),
            ("http://h", "HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno!", "PROXY_REFUSED"),
            ("http://h", "HTTP/1.1 502 Bad Gateway\r\n\r\n", "PROXY_CANNOT_REACH_PORTAL"),
            ("http://h", "HTTP/1.1 302 Found\r\nLocation: http://x\r\n\r\n", "PROXY_REFUSED"),
            ("http://h", "SSH-2.0-OpenSSH\r\n\r\n", "NOT_A_PROXY"),
            ("http://h", "HTTP/1.1\r\n\r\n", "NOT_A_PROXY"),
            ("http://h", "", "NOT_A_PROXY"),
        ] {
            assert_eq!(code(proxy, says.as_bytes()), expected, "{says}");
        }
        assert_eq!(code("http://h", &[b'a'; HEAD_BYTES_MAX + 2]), "NOT_A_PROXY", "an answer without end");
    }

    #[test]
    fn what_a_refusing_proxy_says_is_shown() {
        let says = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 60\r\n\r\n<title>Blocked by \x1b[31mpolicy</title> and so on and so forth";
        let what = ask("http://h", "portal.example.com", says).0.unwrap_err().what();
        assert!(
            what.contains("403 Forbidden, \"Blocked by [31mpolicy\"") && what.contains("portal.example.com:443"),
            "{what}"
        );
        let sign_in = ask("http://h", "x", b"HTTP/1.1 407 A\r\nProxy-Authenticate: NTLM\r\n\r\n").0.unwrap_err();
        assert!(sign_in.what().contains("(NTLM)"), "{sign_in}");
    }

    #[test]
    fn a_socks_proxy_is_asked_by_name_and_signed_in_to() {
        let says = [&[5, 2, 1, 0][..], &[5, 0, 0, 1, 127, 0, 0, 1, 0, 80], b"TLS"].concat();
        let (asked, mut script) = ask("socks5://u:pw@h", "portal.example.com", &says);
        assert_eq!(asked, Ok(()));
        let mut rest = String::new();
        script.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "TLS");
        let heard =
            [&[5, 2, 0, 2][..], b"\x01\x01u\x02pw", &[5, 1, 0, 3, 18], b"portal.example.com", &[1, 187]].concat();
        assert_eq!(script.heard, heard);
        for address in [&[5, 0, 5, 0, 0, 3, 2, b'a', b'b', 0, 80][..], &[&[5, 0, 5, 0, 0, 4][..], &[0; 18]].concat()] {
            assert_eq!(ask("socks5://h", "10.0.0.1", address).0, Ok(()));
        }
    }

    #[test]
    fn each_refusal_of_a_socks_proxy_is_told_apart() {
        for (proxy, says, expected) in [
            ("socks5://h", &[5, 0xff][..], "PROXY_WANTS_PASSWORD"),
            ("socks5://h", &[5, 2], "PROXY_WANTS_PASSWORD"),
            ("socks5://u:p@h", &[5, 0xff], "PROXY_SIGN_IN_UNKNOWN"),
            ("socks5://u:p@h", &[5, 2, 1, 1], "PROXY_WRONG_PASSWORD"),
            ("socks5://u:p@h", &[5, 2], "PROXY_WRONG_PASSWORD"),
            ("socks5://h", &[5, 0, 5, 2, 0, 1], "PROXY_REFUSED"),
            ("socks5://h", &[5, 0, 5, 7, 0, 1], "PROXY_REFUSED"),
            ("socks5://h", &[5, 0, 5, 1, 0, 1], "PROXY_CANNOT_REACH_PORTAL"),
            ("socks5://h", &[5, 0, 5, 5, 0, 1], "PROXY_CANNOT_REACH_PORTAL"),
            ("socks5://h", b"HTTP/1.0 400 Bad Request", "NOT_A_PROXY"),
            ("socks5://h", &[], "NOT_A_PROXY"),
        ] {
            assert_eq!(code(proxy, says), expected, "{says:?}");
        }
    }
}
