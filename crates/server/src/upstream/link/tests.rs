use super::*;
use leasehold_core::time::{DAY_MS, Ms};
use leasehold_host::SystemClock;
use leasehold_wire::server::{ConnectionStepName, ConnectionStepState};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::PrivateKeyDer;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};

/// For what must come.
const LONG: Duration = Duration::from_secs(20);
/// For what must not come.
const SHORT: Duration = Duration::from_secs(1);

/// A clock that says what the test wants.
struct At(Ms);

impl Clock for At {
    fn wall(&self) -> Ms {
        self.0
    }

    fn boottime_ms(&self) -> i64 {
        1
    }
}

fn now() -> Ms {
    SystemClock::new().wall()
}

/// A certificate authority and what it issues.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Authority {
        Authority::named("Test Authority")
    }

    fn named(name: &str) -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn issue(&self, name: &str) -> Arc<ServerConfig> {
        self.issue_from(CertificateParams::new([name.to_owned()]).unwrap())
    }

    fn issue_from(&self, mut params: CertificateParams) -> Arc<ServerConfig> {
        let date = |ms: Ms| {
            let date = ms.utc_date();
            let month = u8::try_from(date.month()).unwrap();
            rcgen::date_time_ymd(date.year().into(), month, u8::try_from(date.day()).unwrap())
        };
        params.not_before = date(now().plus(-10 * DAY_MS));
        params.not_after = date(now().plus(10 * DAY_MS));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(leasehold_web::tls::crypto_provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key);
        Arc::new(config.unwrap())
    }

    fn settings(&self, portal_url: &str) -> LinkSettings {
        LinkSettings {
            portal_url: Some(portal_url.to_owned()),
            proxy: Proxy::Direct,
            authorities: vec![self.0.der().clone()],
            clock: Arc::new(SystemClock::new()),
        }
    }
}

/// Whoever listens instead of, or as, the portal. Lets connections go when dropped.
struct Player {
    port: u16,
    _stay: Sender<()>,
}

impl Player {
    /// Plays one part for each of the connections that come.
    fn new(mut part: impl FnMut(TcpStream, &Receiver<()>) + Send + 'static) -> Player {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (stay, stayed) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                part(stream.unwrap(), &stayed);
            }
        });
        Player { port, _stay: stay }
    }

    /// Speaks plain HTTP: always the same answer.
    fn http(answer: impl Into<Vec<u8>>) -> Player {
        let answer = answer.into();
        Player::new(move |mut stream, _| {
            read_head(&mut stream);
            let _ = stream.write_all(&answer);
        })
    }

    /// Speaks HTTPS.
    fn https(config: Arc<ServerConfig>, answer: String) -> Player {
        Player::new(move |stream, _| {
            let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream);
            read_head(&mut stream);
            let _ = stream.write_all(answer.as_bytes());
            stream.conn.send_close_notify();
            let _ = stream.flush();
        })
    }

    /// Takes connections and says nothing.
    fn silent() -> Player {
        Player::new(|stream, stayed| {
            let _ = stayed.recv();
            drop(stream);
        })
    }
}

/// Reads a request's head; what comes is as the tests send it.
fn read_head(stream: &mut impl Read) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

fn json(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn plain(port: u16) -> LinkSettings {
    Authority::new().settings(&format!("http://127.0.0.1:{port}"))
}

fn get(settings: &LinkSettings, timeout: Duration) -> Result<Answer, LinkProblem> {
    PortalLink::new(settings)?.get("/x", Some("token"), timeout)
}

/// What becomes of a request to whoever answers with that.
fn answered(answer: impl Into<Vec<u8>>) -> Result<Answer, LinkProblem> {
    get(&plain(Player::http(answer).port), LONG)
}

fn refused(settings: &LinkSettings) -> LinkProblem {
    get(settings, LONG).unwrap_err()
}

#[test]
fn json_of_any_status_below_500_is_an_answer() {
    let ok = answered(json("{}")).unwrap();
    assert_eq!((ok.status, ok.body.as_slice()), (200, b"{}".as_slice()));
    let head = "HTTP/1.1 409 Conflict\r\nContent-Type: Application/Problem+JSON; charset=utf-8\r\n";
    let problem = answered(format!("{head}Transfer-Encoding: chunked\r\n\r\n3\r\n{{ }}\r\n0\r\n\r\n")).unwrap();
    assert_eq!((problem.status, problem.body.as_slice()), (409, b"{ }".as_slice()));
}

#[test]
fn a_request_is_sent_whole() {
    let (tell, told) = channel();
    let player = Player::new(move |mut stream, _| {
        let head = read_head(&mut stream);
        let mut body = [0; 7];
        stream.read_exact(&mut body).unwrap();
        tell.send((head, body)).unwrap();
        stream.write_all(json("{}").as_bytes()).unwrap();
    });
    let settings = Authority::new().settings(&format!("http://localhost:{}/below/", player.port));
    let link = PortalLink::new(&settings).unwrap();
    assert_eq!(link.post_json("/api/v1/sync", Some("t0ken"), b"{\"a\":1}", LONG).unwrap().status, 200);
    let (head, body) = told.recv().unwrap();
    assert!(head.starts_with("POST /below/api/v1/sync HTTP/1.1\r\n"), "{head}");
    for line in ["authorization: Bearer t0ken\r\n", "content-type: application/json\r\n", "content-length: 7\r\n"] {
        assert!(head.to_lowercase().contains(&line.to_lowercase()), "{line} in {head}");
    }
    assert_eq!(&body, b"{\"a\":1}");
}

#[test]
fn what_is_not_the_portal_speaking_is_told_apart() {
    let html = "Content-Type: text/html\r\nContent-Length: 40\r\n\r\n<title>Hotel\x1b[2J Wi-Fi</title>Please pay ";
    for (answer, code, part) in [
        (format!("HTTP/1.1 200 OK\r\n{html}"), "NOT_THE_PORTAL", "\"Hotel[2J Wi-Fi\""),
        (format!("HTTP/1.1 404 Not Found\r\n{html}"), "NOT_THE_PORTAL", "status 404"),
        ("HTTP/1.1 204 No Content\r\n\r\n".to_owned(), "NOT_THE_PORTAL", "status 204"),
        (format!("HTTP/1.1 500 Oh\r\n{html}"), "PORTAL_DOWN", "status 500: \"Hotel[2J Wi-Fi\""),
        (json(r#"{"title":"It is being restored."}"#).replace("200 OK", "503 Oh"), "PORTAL_DOWN", "503: It is being"),
        (
            "HTTP/1.1 302 Found\r\nLocation: http://login.hotel.example/?x\r\nContent-Length: 0\r\n\r\n".to_owned(),
            "REDIRECTED",
            "http://login.hotel.example/?x",
        ),
        ("HTTP/1.1 307 T\r\nContent-Length: 0\r\n\r\n".to_owned(), "REDIRECTED", ""),
        ("SSH-2.0-OpenSSH_9\r\n\r\n".to_owned(), "NOT_THE_PORTAL", "does not speak HTTP"),
        ("".to_owned(), "CONNECTION_BROKEN", ""),
        (
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{".to_owned(),
            "CONNECTION_BROKEN",
            "",
        ),
    ] {
        let problem = answered(answer.clone()).unwrap_err();
        let what = problem.what();
        assert_eq!(problem.code(), code, "{answer}: {what}");
        assert!(what.contains(part) && !what.contains('\x1b'), "{answer}: {what}");
        assert_eq!(problem.step(), ConnectionStepName::Portal);
    }
}

#[test]
fn an_answer_without_end_is_not_read() {
    let length = ANSWER_BYTES_MAX + 1;
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n");
    let answer = [head.into_bytes(), vec![b' '; usize::try_from(length).unwrap()]].concat();
    assert_eq!(answered(answer).unwrap_err().code(), "ANSWER_TOO_LARGE");
}

#[test]
fn who_does_not_answer_is_given_up() {
    let silent = Player::silent();
    let problem = get(&plain(silent.port), SHORT).unwrap_err();
    assert_eq!((problem.code(), problem.step()), ("PORTAL_SLOW", ConnectionStepName::Portal));
    assert!(problem.what().contains("within 1 second."), "{problem}");
    let problem = get(&Authority::new().settings(&format!("https://localhost:{}", silent.port)), SHORT).unwrap_err();
    assert_eq!((problem.code(), problem.step()), ("TLS_SILENT", ConnectionStepName::Tls));
    for kind in ["http", "socks5"] {
        let proxy = Proxy::parse(&format!("{kind}://127.0.0.1:{}", silent.port)).unwrap();
        let settings = LinkSettings { proxy, ..Authority::new().settings("https://portal.example.com") };
        let problem = get(&settings, SHORT).unwrap_err();
        assert_eq!((problem.code(), problem.step()), ("PROXY_SILENT", ConnectionStepName::Proxy));
    }

    // Byte by byte is no answer either.
    let (tell, told) = channel();
    let slow = Player::new(move |mut stream, stayed| {
        read_head(&mut stream);
        let mut sent = 0;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nX: ");
        while stayed.recv_timeout(Duration::from_millis(100)).is_err() && stream.write_all(b"x").is_ok() {
            sent += 1;
        }
        tell.send(sent).unwrap();
    });
    assert_eq!(get(&plain(slow.port), SHORT).unwrap_err().code(), "PORTAL_SLOW");
    let sent = told.recv_timeout(LONG).unwrap();
    assert!((2..100).contains(&sent), "it was left after {sent} bytes");
}

#[test]
fn a_closed_port_and_an_unknown_name_are_told_apart() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let problem = refused(&plain(closed));
    assert_eq!((problem.code(), problem.step()), ("PORTAL_CONNECTION_REFUSED", ConnectionStepName::Connect));
    let unknown = Authority::new().settings("https://portal.invalid");
    let problem = refused(&unknown);
    assert_eq!((problem.code(), problem.step()), ("PORTAL_NAME_NOT_FOUND", ConnectionStepName::Name));
    let through = |proxy: &str| {
        let problem = refused(&LinkSettings { proxy: Proxy::parse(proxy).unwrap(), ..unknown.clone() });
        assert!(!format!("{problem} {problem:?}").contains("hidden"), "{problem:?}");
        problem.code()
    };
    assert_eq!(through(&format!("http://u:hidden@127.0.0.1:{closed}")), "PROXY_CONNECTION_REFUSED");
    assert_eq!(through("socks5://u:hidden@proxy.invalid"), "PROXY_NAME_NOT_FOUND");
}

#[test]
fn nothing_is_sent_to_an_address_that_cannot_be_used() {
    let code = |url: &str| {
        let settings = Authority::new().settings(url);
        PortalLink::new(&settings).map_or_else(|problem| problem.code(), |_| "")
    };
    for (url, expected) in [
        ("", "PORTAL_ADDRESS_MISSING"),
        ("portal.example.com", "PORTAL_ADDRESS_BAD"),
        ("ftp://portal.example.com", "PORTAL_ADDRESS_BAD"),
        ("https://u:p@portal.example.com", "PORTAL_ADDRESS_BAD"),
        ("https://portal.example.com:0", "PORTAL_ADDRESS_BAD"),
        ("https://portal.example.com:99999", "PORTAL_ADDRESS_BAD"),
        ("https://portal.example.com/?x", "PORTAL_ADDRESS_BAD"),
        ("https://portal example.com", "PORTAL_ADDRESS_BAD"),
        ("http://portal.example.com", "PORTAL_ADDRESS_UNENCRYPTED"),
        ("http://10.0.0.1:8080", "PORTAL_ADDRESS_UNENCRYPTED"),
        ("http://localhost:8080", ""),
        ("http://[::1]:8080/", ""),
        ("https://portal.example.com/licensing/", ""),
    ] {
        assert_eq!(code(url), expected, "{url}");
    }
}

#[test]
fn a_certificate_is_accepted_or_the_sentence_says_why_not() {
    let authority = Authority::new();
    let portal = Player::https(authority.issue("localhost"), json("{}"));
    let url = format!("https://localhost:{}", portal.port);
    let settings = authority.settings(&url);
    assert_eq!(get(&settings, LONG).unwrap().status, 200);

    let later = |days: i64| LinkSettings { clock: Arc::new(At(now().plus(days * DAY_MS))), ..settings.clone() };
    let expired = refused(&later(20));
    assert_eq!(expired.code(), "CERTIFICATE_EXPIRED");
    assert!(expired.what().contains(&now().plus(20 * DAY_MS).utc_date().to_string()), "{expired}");
    let early = refused(&later(-20));
    assert_eq!(early.code(), "CERTIFICATE_NOT_YET_VALID");
    assert!(early.what().contains(&now().plus(-20 * DAY_MS).utc_date().to_string()), "the clock is shown: {early}");

    let unknown = refused(&Authority::named("Other Authority").settings(&url));
    let impostor = refused(&Authority::new().settings(&url));
    assert_eq!((unknown.code(), impostor.code()), ("CERTIFICATE_UNKNOWN_ISSUER", "CERTIFICATE_UNKNOWN_ISSUER"));
    assert!(unknown.what().contains("\"Test Authority\""), "{unknown}");
    assert!(unknown.what_to_do().contains("portal_ca"));

    let other = Player::https(authority.issue("other.example.com"), json("{}"));
    let other = refused(&authority.settings(&format!("https://localhost:{}", other.port)));
    assert_eq!(other.code(), "CERTIFICATE_OTHER_NAME");
    assert!(other.what().contains("(other.example.com)"), "{other}");
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let for_authorities = Player::https(authority.issue_from(params), json("{}"));
    let bad = refused(&authority.settings(&format!("https://localhost:{}", for_authorities.port)));
    assert_eq!(bad.code(), "CERTIFICATE_BAD");
    assert!(bad.what().contains("CA:TRUE"), "{bad}");
    for problem in [expired, early, unknown, other, bad] {
        assert_eq!(problem.step(), ConnectionStepName::Tls);
    }
}

#[test]
fn what_does_not_speak_tls_is_told() {
    let authority = Authority::new();
    let refused_by = |player: Player| refused(&authority.settings(&format!("https://localhost:{}", player.port)));
    let talks_first = Player::new(|mut stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        let _ = stream.read(&mut [0; 1024]);
    });
    assert_eq!(refused_by(talks_first).code(), "NOT_TLS");
    let goes_away = Player::new(|mut stream, _| {
        let _ = stream.read(&mut [0; 4096]);
    });
    assert_eq!(refused_by(goes_away).code(), "TLS_FAILED");
    let provider = leasehold_web::tls::crypto_provider();
    let no_certificate = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::server::ResolvesServerCertUsingSni::new()));
    assert_eq!(refused_by(Player::https(Arc::new(no_certificate), json("{}"))).code(), "TLS_FAILED");
}

#[test]
fn the_steps_of_a_test_say_how_far_it_came() {
    use ConnectionStepState::{Failed, Ok, Skipped};
    let about = json(r#"{"info":{"title":"Leasehold portal","version":"1.2.3-test"}}"#);
    let authority = Authority::new();
    let portal = Player::https(authority.issue("localhost"), about.clone());
    let settings = authority.settings(&format!("https://localhost:{}", portal.port));
    let steps = PortalLink::new(&settings).unwrap().test(LONG);
    let states: Vec<_> = steps.iter().map(|step| step.state).collect();
    assert_eq!(states, [Ok, Ok, Skipped, Ok, Ok], "{steps:?}");
    let details: Vec<&str> = steps.iter().map(|step| step.detail.as_str()).collect();
    assert!(details[0].contains("127.0.0.1") && details[1].contains(&portal.port.to_string()), "{details:?}");
    assert_eq!((details[2], details[4]), ("no proxy", "Leasehold portal 1.2.3-test"));
    assert!(details[3].contains("Test Authority"), "{details:?}");

    let distrusting = Authority::new().settings(settings.portal_url.as_ref().unwrap());
    let steps = PortalLink::new(&distrusting).unwrap().test(LONG);
    let states: Vec<_> = steps.iter().map(|step| step.state).collect();
    assert_eq!(states, [Ok, Ok, Skipped, Failed, Skipped], "{steps:?}");
    assert_eq!(steps[3].problem.as_ref().unwrap().code, "CERTIFICATE_UNKNOWN_ISSUER");

    let other = about.replace("Leasehold portal", "Leasehold server");
    let steps = PortalLink::new(&plain(Player::http(other).port)).unwrap().test(LONG);
    let states: Vec<_> = steps.iter().map(|step| step.state).collect();
    assert_eq!(states, [Ok, Ok, Skipped, Skipped, Failed], "{steps:?}");
    assert!(steps[4].problem.as_ref().unwrap().what.contains("Leasehold server"), "{steps:?}");

    let steps = not_reached(&LinkProblem::NoAddress);
    let states: Vec<_> = steps.iter().map(|step| step.state).collect();
    assert_eq!(states, [Failed, Skipped, Skipped, Skipped, Skipped]);
}

#[test]
fn no_debug_text_of_the_link_has_a_password() {
    let proxy = Proxy::parse("http://user:hidden@127.0.0.1:1").unwrap();
    let settings = LinkSettings { proxy, ..Authority::new().settings("https://portal.example.com") };
    let link = PortalLink::new(&settings).unwrap();
    assert!(!format!("{link:?}").contains("hidden"));
}
