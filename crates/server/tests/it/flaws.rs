//! Classes of flaws that were published of license servers, a test for each that can be tried from the network.
//! `docs/SECURITY.md` says where the others are held.

use crate::support::{Call, Running, Site, ask};
use leasehold_core::ids::RequestId;
use leasehold_core::license::FeatureCode;
use leasehold_core::time::Clock;
use leasehold_host::OsRandom;
use leasehold_trust::SigningKey;
use leasehold_trust::pass::{PassRequestFacts, sign_pass_request};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// Sends a whole request as it is; what the server says until it closes.
fn raw(server: &Running, bytes: &[u8]) -> String {
    send(server, bytes, false)
}

/// The same; `cut` says that nothing more will come, which ends a request that is not whole.
fn send(server: &Running, bytes: &[u8], cut: bool) -> String {
    let mut stream = TcpStream::connect(server.ready.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    // It may close before everything was sent.
    let _ = stream.write_all(bytes);
    if cut {
        let _ = stream.shutdown(Shutdown::Write);
    }
    let mut answer = Vec::new();
    let mut part = [0; 4_096];
    while let Ok(read @ 1..) = stream.read(&mut part) {
        answer.extend_from_slice(&part[..read]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

fn posted(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /v1/leases HTTP/1.1\r\nHost: license.example\r\nContent-Type: application/json\r\nIdempotency-Key: k\r\n\
         Connection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// CVE-2018-20031 and its kin: one client's messages end the service for all.
#[test]
fn denial_of_service_by_crafted_messages() {
    let site = Site::new();
    let server = site.with_ten_seats();
    let half_open: Vec<TcpStream> = (0..300)
        .map(|_| {
            let mut stream = TcpStream::connect(server.ready.address).unwrap();
            stream.write_all(b"POST /v1/leases HTTP/1.1\r\nHost: license.example\r\nContent-Le").unwrap();
            stream
        })
        .collect();
    let head = "POST /v1/leases HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n";
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let deep_member =
        format!(r#"{{"feature":"studio.gui","user":{}1{}}}"#, r#"{"a":"#.repeat(50_000), "}".repeat(50_000));
    let long = format!(r#"{{"feature":"studio.gui","user":"{}","host":"h","nonce":"n"}}"#, "a".repeat(20_000_000));
    let many = format!(r#"{{"feature":"studio.gui",{}"nonce":"n"}}"#, r#""user":"a","#.repeat(100_000));
    let broken: [(&str, Vec<u8>); 7] = [
        ("no HTTP", (0..=255).cycle().take(100_000).collect()),
        ("a giant header", format!("{head}X: {}\r\n\r\n", "x".repeat(2_000_000)).into_bytes()),
        ("many headers", format!("{head}{}\r\n", "X: y\r\n".repeat(20_000)).into_bytes()),
        ("a length that is never sent", format!("{head}Content-Length: 18446744073709551615\r\n\r\n{{").into_bytes()),
        ("a negative length", format!("{head}Content-Length: -1\r\n\r\n{{}}").into_bytes()),
        ("two lengths", format!("{head}Content-Length: 2\r\nContent-Length: 40\r\n\r\n{{}}").into_bytes()),
        (
            "a chunk without end",
            format!("{head}Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n{{").into_bytes(),
        ),
    ];
    for (what, bytes) in &broken {
        let answer = send(&server, bytes, true);
        let start: String = answer.chars().take(300).collect();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{what}: {start}");
    }
    let whole = [
        ("deep nesting", deep.into_bytes()),
        ("a deep member", deep_member.into_bytes()),
        ("a member again and again", many.into_bytes()),
        ("no UTF-8", vec![0xff, 0xfe, 0x00]),
    ];
    for (what, body) in &whole {
        let answer = raw(&server, &posted(body));
        let start: String = answer.chars().take(300).collect();
        assert!(answer.starts_with("HTTP/1.1 4"), "{what}: {start}");
    }
    // It is refused before all of it was read, so the answer may be lost on the way.
    let answer = raw(&server, &posted(long.as_bytes()));
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 413"), "{}", &answer[..300.min(answer.len())]);
    let lease = server.checkout("somebody-else");
    assert_eq!(lease.status, 201, "{lease:?}");
    assert_eq!(server.heartbeat(&lease, 1, "m").status, 200);
    drop(half_open);
    assert_eq!(server.in_use(), 1);
}

/// CVE-2020-14513: a malformed license file ends the service or is half taken.
#[test]
fn malformed_license_file() {
    let site = Site::new();
    let server = site.with_ten_seats();
    let more = site.portal.grant(2, vec![site.portal.line("studio.gui", 500, site.clock.wall().plus(86_400_000 * 30))]);
    let good = site.portal.crt(&server.request_file(), &more);
    let held = server.get("/v1/status").json["activation"].clone();
    let unchanged = |what: &str, file: &str| {
        let reply = server.admin("POST", "/v1/activation", Some(file));
        assert!((400..500).contains(&reply.status), "{what}: {reply:?}");
        assert_eq!(server.get("/v1/status").json["activation"], held, "{what}");
    };
    for end in (0..good.trim_end().len() - 30).step_by(good.len() / 60) {
        unchanged(&format!("cut after {end}"), &good[..end]);
    }
    for at in (0..good.len()).step_by(good.len() / 80) {
        let mut bytes = good.clone().into_bytes();
        // Another letter of the alphabet that the text is written in.
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(bytes).unwrap();
        unchanged(&format!("altered at {at}"), &altered);
    }
    let bomb = format!("-----BEGIN LEASEHOLD GRANT-----\n{}\n-----END LEASEHOLD GRANT-----\n", "A".repeat(3_000_000));
    unchanged("a giant block", &bomb);
    unchanged("the same block a thousand times", &good.repeat(1_000));
    assert_eq!(server.admin("POST", "/v1/activation", Some(&good)).status, 200, "and the whole one is taken");
}

/// CVE-2020-14515 (CWE-347): a signature that is not checked, or checked as the message itself says.
#[test]
fn signature_check_flaws() {
    let site = Site::new();
    let mut line = site.portal.line("studio.gui", 3, site.clock.wall().plus(86_400_000 * 30));
    line.terms.borrow_days_max = 14;
    let server = site.activated(&site.portal.grant(1, vec![line]));
    let key = SigningKey::generate();
    let facts = PassRequestFacts {
        request: RequestId::draw(site.clock.wall(), &mut OsRandom),
        issued_at: site.clock.wall().floor_to_second(),
        feature: FeatureCode::new("studio.gui").unwrap(),
        seats: 1,
        days: 3,
        version: String::new(),
        released_on: None,
        user: "ann".to_owned(),
        host: "laptop".to_owned(),
        machine: "0123456789abcdef0123456789abcdef".to_owned(),
    };
    let token = sign_pass_request(&key, &facts);
    let [head, body, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!("{token}") };
    let ask = |token: &str| {
        let json = Some(json!({ "request": token }));
        server.call(Call { method: "POST", path: "/v1/passes", json, ..Call::default() })
    };
    let other = sign_pass_request(&SigningKey::generate(), &facts);
    let header = |alg: &str| base64url(&format!(r#"{{"alg":"{alg}","typ":"pass-request+jwt"}}"#));
    let more = sign_pass_request(&key, &PassRequestFacts { seats: 3, days: 14, ..facts.clone() });
    let forged = [
        ("no algorithm", format!("{}.{body}.", header("none"))),
        ("no algorithm, a signature", format!("{}.{body}.{signature}", header("none"))),
        ("a shared secret", format!("{}.{body}.{signature}", header("HS256"))),
        ("no signature", format!("{head}.{body}.")),
        ("a signature that is cut", token[..token.len() - 8].to_owned()),
        ("something behind it", format!("{token}AAAA")),
        ("a fourth part", format!("{token}.{signature}")),
        ("zeros for a signature", format!("{head}.{body}.{}", "A".repeat(86))),
        ("another key's signature", format!("{head}.{body}.{}", other.rsplit('.').next().unwrap())),
        ("another body", format!("{head}.{}.{signature}", more.split('.').nth(1).unwrap())),
    ];
    for (what, token) in &forged {
        let reply = ask(token);
        assert_eq!((reply.status, server.in_use()), (422, 0), "{what}: {reply:?}");
    }
    assert_eq!((ask(&token).status, server.in_use()), (201, 1));
    assert_eq!((ask(&token).status, server.in_use()), (200, 1), "sent again: the same pass");
}

fn base64url(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bits = text.bytes().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect::<Vec<u8>>();
    let letter = |bits: &[u8]| {
        let value = (0..6).fold(0, |value, at| value << 1 | usize::from(bits.get(at).copied().unwrap_or(0)));
        char::from(ALPHABET[value])
    };
    bits.chunks(6).map(letter).collect()
}

/// CVE-2021-37500, CVE-2018-15573: files outside the folder are read or written by name.
#[test]
fn path_traversal() {
    let site = Site::new();
    let server = site.with_ten_seats();
    for path in [
        "/../../../../etc/passwd",
        "/assets/../../../../etc/passwd",
        "/assets/..%2f..%2f..%2fetc%2fpasswd",
        "/assets/%2e%2e/%2e%2e/server.key",
        "/assets/..%5c..%5cadmin.token",
        "//etc/passwd",
        "/v1/grants/..%2f..%2fadmin.token",
        "/admin.token",
        "/v1/passes/..%2fadmin.token/return",
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: license.example\r\nConnection: close\r\n\r\n");
        let answer = raw(&server, request.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 4"), "{path}: {answer}");
        let told = [&server.admin_token()[..], "root:x:", "PRIVATE KEY", site.path().to_str().unwrap()];
        assert!(told.iter().all(|secret| !answer.contains(secret)), "{path}: {answer}");
    }
}

/// CVE-2021-37499: what somebody sends becomes a header of the answer.
#[test]
fn header_injection() {
    let site = Site::new();
    let server = site.with_ten_seats();
    for path in [
        "/sign-in?next=%0d%0aSet-Cookie:%20planted=1",
        "/sign-in?next=/%0d%0aLocation:%20http://evil.example",
        "/?q=%0d%0aSet-Cookie:%20planted=1",
        "/holders?feature=%0d%0aSet-Cookie:%20planted=1",
        "/%0d%0aSet-Cookie:%20planted=1",
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: license.example\r\nConnection: close\r\n\r\n");
        let answer = raw(&server, request.as_bytes());
        let head = answer.split("\r\n\r\n").next().unwrap().to_lowercase();
        assert!(!head.contains("planted") && !head.contains("evil"), "{path}: {head}");
    }
    for member in ["user", "host", "version", "nonce"] {
        let mut wish = ask();
        wish[member] = json!("a\r\nSet-Cookie: planted=1");
        let reply = server.checkout_with(member, wish);
        assert_eq!(reply.status, 422, "{member}: {reply:?}");
    }
    assert_eq!(server.in_use(), 0);
}

/// CVE-2021-37498, and pages that lead elsewhere: the way back after a sign-in is one of this server's own.
#[test]
fn open_redirect() {
    let site = Site::new();
    let server = site.with_ten_seats();
    for next in ["http://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/%09/evil.example"]
    {
        let page = server.get(&format!("/sign-in?next={}", next.replace(':', "%3A").replace('\\', "%5C")));
        assert!(!page.text.contains("evil") && !page.text.contains("javascript:"), "{next}: {}", page.text);
    }
}

/// CVE-2025-23292: text of a request becomes a part of a statement.
#[test]
fn sql_injection() {
    let site = Site::new();
    let server = site.with_ten_seats();
    let name = "x'); DROP TABLE lease; --";
    let mut wish = ask();
    wish["user"] = json!(name);
    assert_eq!(server.checkout_with("k", wish).status, 201);
    let token = server.admin_token();
    let hostile =
        ["'", "x'%20OR%20'1'='1", "1;DROP%20TABLE%20lease", "%25", "%00", "%22", "id)--", "-1", "99999999999999999999"];
    for list in ["/v1/leases", "/v1/events", "/v1/denials", "/v1/audit", "/v1/passes"] {
        for parameter in ["after", "limit", "feature", "user", "sort", "outcome"] {
            for text in hostile {
                let path = format!("{list}?{parameter}={text}");
                let reply = server.call(Call { method: "GET", path: &path, bearer: Some(&token), ..Call::default() });
                assert!(reply.status < 500, "{path}: {reply:?}");
                let more = reply.json["items"].as_array().map_or(0, Vec::len);
                assert!(parameter != "user" || reply.status != 200 || more <= 2, "{path}: {reply:?}");
            }
        }
    }
    let listed = server.admin("GET", "/v1/leases", None);
    assert_eq!(listed.json["items"][0]["user"], name);
}

/// CVE-2022-28365, CVE-2021-44155: a stranger learns who is there, what is there, or where it lies.
#[test]
fn information_disclosure() {
    let site = Site::new();
    let server = site.with_ten_seats();
    let lease = server.checkout("k");
    let wrong = |lease: &str| {
        let path = format!("/v1/leases/{lease}");
        let reply = server.call(Call { method: "DELETE", path: &path, bearer: Some("guessed"), ..Call::default() });
        (reply.status, reply.code().to_owned())
    };
    let mut unknown = lease.str("lease").to_owned();
    let last = if unknown.ends_with('0') { "1" } else { "0" };
    unknown.replace_range(unknown.len() - 1.., last);
    assert_eq!(wrong(lease.str("lease")), wrong(&unknown), "whether a lease is there is not told");
    let status = server.get("/v1/status").text;
    let page = server.get("/").text;
    for told in [status, page] {
        for secret in ["zoë", "hall3-ws7", site.path().to_str().unwrap(), &server.admin_token(), "PRIVATE"] {
            assert!(!told.contains(secret), "{secret} in {told}");
        }
    }
}

/// Seats are taken in numbers that are none, or from somebody else.
#[test]
fn abuse_of_seats() {
    let site = Site::new();
    let server = site.with_ten_seats();
    let lease = server.checkout("k");
    for seats in [json!(0), json!(-1), json!(4_294_967_296_u64), json!(u64::MAX), json!(1.5), json!("1"), json!(1e308)]
    {
        let mut wish = ask();
        wish["seats"] = seats.clone();
        let reply = server.checkout_with("n", wish);
        assert!([400, 422].contains(&reply.status), "{seats}: {reply:?}");
    }
    let path = format!("/v1/leases/{}", lease.str("lease"));
    for bearer in [None, Some(""), Some("secret"), Some(lease.str("lease"))] {
        let reply = server.call(Call { method: "DELETE", path: &path, bearer, ..Call::default() });
        assert_eq!((reply.status, server.in_use()), (401, 1), "{reply:?}");
    }
    // Whoever says the same user and machine does not get another's lease by that.
    let again: Value = server.checkout("another-key").json;
    assert_ne!(again["lease"], lease.json["lease"]);
    assert_eq!(server.checkin(&lease).status, 204);
}
