//! Tables of who is believed.

use super::*;
use std::net::SocketAddr;

fn connection(peer: &str, local: &str) -> Connection {
    let at = |text: &str| text.parse::<SocketAddr>().unwrap();
    Connection { peer: at(peer), local: at(local), tls: false, tls_epoch: 0, sni: None }
}

fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in list {
        headers.append(HeaderName::from_static(name), value.parse().unwrap());
    }
    headers
}

fn seen(peer: &str, list: &[(&'static str, &str)]) -> (String, bool) {
    let trusted = TrustedProxies::parse(&["10.0.0.0/8", "fd00::/8", "192.0.2.7"]).unwrap();
    let client = client(&connection(peer, "10.0.0.2:443"), &headers(list), &trusted);
    (client.address.to_string(), client.https)
}

#[test]
fn the_client_is_the_right_most_hop_that_is_no_trusted_proxy() {
    type Case = (&'static str, &'static str, &'static [(&'static str, &'static str)], (&'static str, bool));
    let table: &[Case] = &[
        (
            "nobody trusted",
            "203.0.113.9:5",
            &[("x-forwarded-for", "1.1.1.1"), ("x-forwarded-proto", "https")],
            ("203.0.113.9", false),
        ),
        (
            "one proxy",
            "10.1.1.1:5",
            &[("x-forwarded-for", "198.51.100.4"), ("x-forwarded-proto", "https")],
            ("198.51.100.4", true),
        ),
        ("made-up left part", "10.1.1.1:5", &[("x-forwarded-for", "127.0.0.1, 198.51.100.4")], ("198.51.100.4", false)),
        (
            "two headers are one list",
            "10.1.1.1:5",
            &[("x-forwarded-for", "127.0.0.1"), ("x-forwarded-for", "198.51.100.4")],
            ("198.51.100.4", false),
        ),
        (
            "chain of proxies",
            "10.1.1.1:5",
            &[("x-forwarded-for", "198.51.100.4, 192.0.2.7, fd00::1"), ("x-forwarded-proto", "https")],
            ("198.51.100.4", true),
        ),
        (
            "proto per hop",
            "10.1.1.1:5",
            &[("x-forwarded-for", "198.51.100.4, 10.9.9.9"), ("x-forwarded-proto", "https, http")],
            ("198.51.100.4", true),
        ),
        (
            "proto made up on the left",
            "10.1.1.1:5",
            &[("x-forwarded-for", "198.51.100.4"), ("x-forwarded-proto", "https, http")],
            ("198.51.100.4", false),
        ),
        (
            "nonsense ends the walk",
            "10.1.1.1:5",
            &[("x-forwarded-for", "198.51.100.4, evil, 10.9.9.9")],
            ("10.9.9.9", false),
        ),
        ("only proxies", "10.1.1.1:5", &[("x-forwarded-for", "10.3.3.3")], ("10.3.3.3", false)),
        ("with port", "10.1.1.1:5", &[("x-forwarded-for", "198.51.100.4:7000")], ("198.51.100.4", false)),
        ("mapped peer", "[::ffff:10.1.1.1]:5", &[("x-forwarded-for", "[2001:db8::5]:80")], ("2001:db8::5", false)),
        (
            "Forwarded",
            "10.1.1.1:5",
            &[("forwarded", "for=1.2.3.4, For=\"[2001:db8::9]:1\";Proto=https;by=x")],
            ("2001:db8::9", true),
        ),
        ("Forwarded unknown", "10.1.1.1:5", &[("forwarded", "for=unknown")], ("10.1.1.1", false)),
        (
            "both agree",
            "10.1.1.1:5",
            &[("forwarded", "for=198.51.100.4"), ("x-forwarded-for", "198.51.100.4")],
            ("198.51.100.4", false),
        ),
        (
            "both disagree",
            "10.1.1.1:5",
            &[("forwarded", "for=127.0.0.1"), ("x-forwarded-for", "198.51.100.4")],
            ("10.1.1.1", false),
        ),
        ("proto alone", "10.1.1.1:5", &[("x-forwarded-proto", "https")], ("10.1.1.1", true)),
        ("nothing said", "10.1.1.1:5", &[], ("10.1.1.1", false)),
    ];
    for (what, peer, list, (address, https)) in table {
        assert_eq!(seen(peer, list), ((*address).to_owned(), *https), "{what}");
    }
}

#[test]
fn bytes_that_are_no_text_cannot_hide_a_hop() {
    let mut list = headers(&[("x-forwarded-for", "198.51.100.4")]);
    list.append(X_FORWARDED_FOR, axum::http::HeaderValue::from_bytes(b"\xff").unwrap());
    let trusted = TrustedProxies::parse(&["10.0.0.0/8"]).unwrap();
    let client = client(&connection("10.1.1.1:5", "10.0.0.2:443"), &list, &trusted);
    assert_eq!(client.address.to_string(), "10.1.1.1");
}

#[test]
fn networks_are_read_strictly() {
    for wrong in ["", "10.0.0.0/33", "10.0.0", "fd00::/129", "host", "10.0.0.0/-1", "10.0.0.0/8/9"] {
        assert!(TrustedProxies::parse(&[wrong]).is_err(), "{wrong}");
    }
    let all = TrustedProxies::parse(&["0.0.0.0/0"]).unwrap();
    assert!(all.trusts("203.0.113.1".parse().unwrap()));
    assert!(!all.trusts("2001:db8::1".parse().unwrap()), "all of IPv4 is not IPv6");
    assert!(TrustedProxies::parse(&["::/0"]).unwrap().trusts("2001:db8::1".parse().unwrap()));
}

#[test]
fn loopback_needs_both_ends_and_no_proxy() {
    let here = connection("127.0.0.1:5", "127.0.0.1:30304");
    assert!(is_loopback(&here, &headers(&[("host", "localhost")])));
    assert!(is_loopback(&connection("[::1]:5", "[::1]:1"), &HeaderMap::new()));
    assert!(is_loopback(&connection("[::ffff:127.0.0.1]:5", "[::ffff:127.0.0.1]:1"), &HeaderMap::new()));
    for name in ["forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-whatever"] {
        assert!(!is_loopback(&here, &headers(&[(name, "x")])), "{name}");
    }
    assert!(!is_loopback(&connection("192.168.1.5:5", "127.0.0.1:1"), &HeaderMap::new()));
    assert!(!is_loopback(&connection("127.0.0.1:5", "192.168.1.5:1"), &HeaderMap::new()));
}

#[test]
fn a_rebound_name_is_refused() {
    let allowed = ["licenses.example.com", "farm-01"];
    for fine in [
        "licenses.example.com",
        "LICENSES.example.com:30304",
        "licenses.example.com.",
        "farm-01:1",
        "localhost:30304",
        "127.0.0.1:30304",
        "192.168.4.4",
        "[::1]:30304",
        "[fe80::1]",
    ] {
        assert!(host_allowed(fine, &allowed), "{fine}");
    }
    for refused in [
        "",
        "evil.example",
        "evil.example:30304",
        "licenses.example.com.evil.example",
        "localhost.evil.example",
        "licenses.example.com:port",
        "licenses.example.com@evil.example",
        "[::1",
        "[evil]",
        "::1",
        "farm-01:1:2",
    ] {
        assert!(!host_allowed(refused, &allowed), "{refused}");
    }
}

#[test]
fn the_host_is_found_in_either_version_of_http() {
    let http1 = headers(&[("host", "server:30304")]);
    assert_eq!(requested_host(&Uri::from_static("/who"), &http1), Some("server:30304"));
    assert_eq!(requested_host(&Uri::from_static("https://server:1/who"), &HeaderMap::new()), Some("server:1"));
    assert_eq!(requested_host(&Uri::from_static("/who"), &HeaderMap::new()), None);
}

#[test]
fn a_machine_knows_itself_by_each_of_its_addresses() {
    let at = |text: &str| text.parse().unwrap();
    for (peer, local, own) in [
        ("127.0.0.1:5", "127.0.0.1:80", true),
        ("127.0.0.2:5", "127.0.0.1:80", true),
        ("10.0.0.7:5", "10.0.0.7:80", true),
        ("[::ffff:10.0.0.7]:5", "10.0.0.7:80", true),
        ("[2001:db8::7]:5", "[2001:db8::7]:80", true),
        ("10.0.0.8:5", "10.0.0.7:80", false),
        ("127.0.0.1:5", "10.0.0.7:80", false),
    ] {
        assert_eq!(is_own_machine(at(peer), at(local)), own, "{peer} {local}");
    }
}
