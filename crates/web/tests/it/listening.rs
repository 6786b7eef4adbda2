//! One port, two protocols, and clients that are slow, silent, rude or still busy when the service stops.

use crate::support::{PATIENCE, Running, certificate, converse, get, read_to_end, shake_hands, tls_for};
use axum::Router;
use axum::routing;
use leasehold_web::listener::{BindError, Connection, Drained, Gate, Limits, Mode, bind};
use leasehold_web::tls::{TlsFileError, config_from_pem};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

fn who_asks() -> Router {
    async fn say(connection: Connection) -> String {
        format!("tls={} sni={:?} loopback={}", connection.tls, connection.sni, connection.peer.ip().is_loopback())
    }
    Router::new().route("/who", routing::get(say))
}

fn quick() -> Limits {
    let short = Duration::from_millis(150);
    Limits { first_byte: short, handshake: short, header_read: short, drain: short, ..Limits::default() }
}

#[tokio::test]
async fn tls_and_plain_http_share_a_port() {
    let (tls, connector) = tls_for("license-server.leasehold.invalid");
    let service = Running::start(who_asks(), Mode::Both(tls), Limits::default()).await;

    let plain = converse(service.connect().await, &get("/who")).await;
    assert!(plain.starts_with("HTTP/1.1 200") && plain.ends_with("tls=false sni=None loopback=true"), "{plain}");

    let stream = shake_hands(&connector, service.connect().await, "license-server.leasehold.invalid").await.unwrap();
    let secure = converse(stream, &get("/who")).await;
    assert!(secure.ends_with(r#"tls=true sni=Some("license-server.leasehold.invalid") loopback=true"#), "{secure}");
}

#[tokio::test]
async fn http2_is_chosen_by_name_in_the_handshake() {
    let (tls, connector) = tls_for("localhost");
    let service = Running::start(who_asks(), Mode::Tls(tls), Limits::default()).await;
    let mut config = (**connector.config()).clone();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = shake_hands(&Arc::new(config).into(), service.connect().await, "localhost").await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));

    let io = hyper_util::rt::TokioIo::new(stream);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(connection);
    let request = axum::http::Request::get("https://localhost/who").body(axum::body::Body::empty()).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.version()), (200, axum::http::Version::HTTP_2));
}

#[tokio::test]
async fn an_https_only_port_tells_a_plain_browser_what_to_do() {
    let (tls, _) = tls_for("localhost");
    let service = Running::start(who_asks(), Mode::Tls(tls), Limits::default()).await;
    let said = converse(service.connect().await, &get("/who")).await;
    assert!(said.starts_with("HTTP/1.1 400") && said.contains("https://"), "{said}");
}

#[tokio::test]
async fn a_plain_port_closes_a_tls_handshake() {
    let (_, connector) = tls_for("localhost");
    let service = Running::start(who_asks(), Mode::Plain, Limits::default()).await;
    assert!(shake_hands(&connector, service.connect().await, "localhost").await.is_err());
}

#[tokio::test]
async fn a_replaced_certificate_is_shown_to_new_connections() {
    let (tls, old) = tls_for("localhost");
    let service = Running::start(who_asks(), Mode::Both(tls.clone()), Limits::default()).await;
    assert!(shake_hands(&old, service.connect().await, "localhost").await.is_ok());
    let (certificate, key) = certificate("localhost");
    tls.replace(config_from_pem(certificate.as_bytes(), key.as_bytes()).unwrap());
    assert!(shake_hands(&old, service.connect().await, "localhost").await.is_err(), "the old root knows it no more");
}

#[tokio::test]
async fn a_connection_of_a_replaced_certificate_ends_after_its_answer() {
    let (tls, connector) = tls_for("localhost");
    let service = Running::start(who_asks(), Mode::Both(tls.clone()), Limits::default()).await;
    let stream = shake_hands(&connector, service.connect().await, "localhost").await.unwrap();
    let plain = service.connect().await;
    let (certificate, key) = certificate("localhost");
    tls.replace(config_from_pem(certificate.as_bytes(), key.as_bytes()).unwrap());
    assert_eq!(tls.epoch(), 1);
    read_to_end(stream).await;
    assert!(converse(plain, &get("/who")).await.starts_with("HTTP/1.1 200"), "without TLS nothing was replaced");
}

#[tokio::test]
async fn who_is_shut_out_is_closed_before_anything_is_read() {
    let shut = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let asked = Arc::clone(&shut);
    let gate = Gate::new(move |peer, _| !(peer.ip().is_loopback() && asked.load(std::sync::atomic::Ordering::Relaxed)));
    let limits = Limits { gate, connections_max: 1, ..Limits::default() };
    let service = Running::start(who_asks(), Mode::Plain, limits).await;
    for _ in 0..20 {
        assert_eq!(read_to_end(service.connect().await).await, "");
    }
    shut.store(false, std::sync::atomic::Ordering::Relaxed);
    assert!(converse(service.connect().await, &get("/who")).await.starts_with("HTTP/1.1 200"), "no slot was lost");
}

#[tokio::test]
async fn silence_is_closed_and_blocks_nobody() {
    let (tls, _) = tls_for("localhost");
    let service = Running::start(who_asks(), Mode::Both(tls), quick()).await;
    let silent = service.connect().await;
    let mut half_handshake = service.connect().await;
    half_handshake.write_all(&[0x16, 3, 1]).await.unwrap();
    let mut half_head = service.connect().await;
    half_head.write_all(b"GET /who HTTP/1.1\r\nhost: loc").await.unwrap();

    let answer = converse(service.connect().await, &get("/who")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "others are served meanwhile: {answer}");
    assert_eq!(read_to_end(silent).await, "");
    read_to_end(half_handshake).await;
    assert!(!read_to_end(half_head).await.contains("200 OK"));
}

#[tokio::test]
async fn silence_after_choosing_http2_is_closed() {
    let (tls, connector) = tls_for("localhost");
    let service = Running::start(
        who_asks(),
        Mode::Tls(tls),
        Limits { header_read: Duration::from_millis(150), ..Limits::default() },
    )
    .await;
    let mut config = (**connector.config()).clone();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let mut stream = shake_hands(&Arc::new(config).into(), service.connect().await, "localhost").await.unwrap();
    let closed = async { while let Ok(1..) = stream.read(&mut [0; 256]).await {} };
    tokio::time::timeout(PATIENCE, closed).await.expect("closed without a request");
}

#[tokio::test]
async fn an_oversized_head_is_refused() {
    let service = Running::start(who_asks(), Mode::Plain, Limits::default()).await;
    let large = format!("GET /who HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "y".repeat(20_000));
    let answer = converse(service.connect().await, &large).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn connections_beyond_the_cap_wait_for_a_slot() {
    let service = Running::start(who_asks(), Mode::Plain, Limits { connections_max: 1, ..Limits::default() }).await;
    let mut first = service.connect().await;
    first.write_all(b"GET /who HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    assert_ne!(first.read(&mut [0; 1024]).await.unwrap(), 0, "the first is being served and stays open");
    let mut second = service.connect().await;
    second.write_all(get("/who").as_bytes()).await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(200), second.read(&mut [0; 1])).await;
    assert!(early.is_err(), "no slot for the second yet");
    drop(first);
    assert!(read_to_end(second).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn one_address_does_not_take_the_places_of_others() {
    let service = Running::start(who_asks(), Mode::Plain, Limits { per_address_max: 2, ..Limits::default() }).await;
    let first = service.connect().await;
    let second = service.connect().await;
    let mut third = service.connect().await;
    // Closed without an answer: nothing is worked for it.
    let closed = tokio::time::timeout(PATIENCE, third.read(&mut [0; 1])).await.expect("closed at once");
    assert!(matches!(closed, Ok(0) | Err(_)));
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let other = socket.connect(service.address).await.unwrap();
    assert!(converse(other, &get("/who")).await.starts_with("HTTP/1.1 200"), "another address is served");
    drop((first, second));
    // Its places are free again once the service has noticed.
    for _ in 0..100 {
        let mut again = service.connect().await;
        let sent = again.write_all(get("/who").as_bytes()).await.is_ok();
        if sent && read_to_end(again).await.starts_with("HTTP/1.1 200") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the places did not come back");
}

/// A route that says when it was entered and answers when it is let go.
fn slow_route() -> (Router, Arc<Notify>, Arc<Notify>) {
    let (entered, leave) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (inside, door) = (Arc::clone(&entered), Arc::clone(&leave));
    let slow = routing::get(async move || {
        inside.notify_one();
        door.notified().await;
        "done"
    });
    (Router::new().route("/slow", slow), entered, leave)
}

#[tokio::test]
async fn a_stop_closes_the_port_and_lets_running_requests_finish() {
    let (router, entered, leave) = slow_route();
    let service = Running::start(router, Mode::Plain, Limits::default()).await;
    let address = service.address;
    let idle = service.connect().await;
    let mut busy = service.connect().await;
    // Without `connection: close`: the service itself must end the kept-alive connection.
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    entered.notified().await;
    service.trigger.stop();
    assert_eq!(read_to_end(idle).await, "", "who has not asked yet is let go at once");
    tokio::time::timeout(PATIENCE, async { while TcpStream::connect(address).await.is_ok() {} })
        .await
        .expect("the port is closed while the request still runs");
    leave.notify_one();
    let answer = read_to_end(busy).await;
    assert!(answer.ends_with("done"), "{answer}");
    assert_eq!(service.ended().await, Drained { cut_off: 0 });
}

#[tokio::test]
async fn a_stop_does_not_wait_for_ever() {
    let (router, entered, _leave) = slow_route();
    let service = Running::start(router, Mode::Plain, quick()).await;
    let mut stuck = service.connect().await;
    stuck.write_all(get("/slow").as_bytes()).await.unwrap();
    entered.notified().await;
    service.trigger.stop();
    assert_eq!(service.ended().await, Drained { cut_off: 1 });
}

#[tokio::test]
async fn a_lost_trigger_stops_the_service() {
    let service = Running::start(who_asks(), Mode::Plain, Limits::default()).await;
    assert!(converse(service.connect().await, &get("/who")).await.contains("200 OK"));
    assert_eq!(service.lose_trigger().await, Drained { cut_off: 0 });
}

#[tokio::test]
async fn a_port_that_cannot_be_opened_says_why_and_what_to_do() {
    let holder = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let taken = bind(holder.address()).await.unwrap_err();
    assert!(matches!(taken, BindError::PortTaken(at) if at == holder.address()), "{taken:?}");
    assert!(taken.to_string().contains("another port"), "{taken}");
    // 192.0.2.0/24 is for documentation; no machine has it.
    let foreign = bind("192.0.2.1:0".parse().unwrap()).await.unwrap_err();
    assert!(matches!(foreign, BindError::NotOurAddress(_)) && foreign.to_string().contains("127.0.0.1"), "{foreign}");
}

#[test]
fn certificate_files_that_cannot_work_are_refused_by_name() {
    let (certificate, key) = certificate("a.example");
    let (_, other_key) = crate::support::certificate("a.example");
    let refused = |certificate: &str, key: &str| config_from_pem(certificate.as_bytes(), key.as_bytes()).unwrap_err();
    assert!(matches!(refused("nothing", &key), TlsFileError::NoCertificate));
    assert!(matches!(refused(&key, &key), TlsFileError::NoCertificate));
    assert!(matches!(refused(&certificate, &certificate), TlsFileError::NoKey));
    assert!(matches!(refused(&certificate, &other_key), TlsFileError::OtherKey));
    let (other, _) = crate::support::certificate("b.example");
    assert!(matches!(refused(&format!("{other}{certificate}"), &key), TlsFileError::Order(2)));
    // As it comes out of a mail.
    let quoted = certificate.lines().map(|line| format!("  {line} \r\n")).collect::<String>();
    config_from_pem(quoted.as_bytes(), key.as_bytes()).unwrap();
    let half = &certificate[..certificate.len() / 2];
    assert!(matches!(refused(half, &key), TlsFileError::NoCertificate));
}
