//! Activation by files: what is loaded, what is refused, and how a key ends.

use crate::support::{Portal, Reply, Running, Site, eventually};
use leasehold_core::grant::Grant;
use leasehold_core::time::{Clock, DAY_MS, HOUR_MS};
use leasehold_db::FaultPoint;
use leasehold_trust::receipt::read_receipt;
use leasehold_trust::request::read_request;
use leasehold_trust::{PublicKey, SERVER_DNS_NAME, SigningKey};
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};

fn upload(server: &Running, file: &str) -> Reply {
    server.admin("POST", "/v1/activation", Some(file))
}

fn key_of(site: &Site, request: &str) -> PublicKey {
    read_request(request.as_bytes(), site.clock.wall()).unwrap().public_key
}

#[test]
fn a_server_is_activated_and_renewed_by_files_while_leases_run() {
    let site = Site::new();
    let server = site.start();
    assert_eq!(server.checkout("early").code(), "NOT_ACTIVATED");
    assert_eq!(server.get("/v1/status").str("state"), "not_activated");
    let request = server.request_file();
    let facts = read_request(request.as_bytes(), site.clock.wall()).unwrap().facts;
    assert_eq!((facts.rev_in_use, facts.vendor), (None, None));

    let first = site.portal.ten_seats(1);
    let loaded = upload(&server, &site.portal.crt(&request, &first));
    assert_eq!((loaded.status, loaded.str("vendor"), loaded.json["seats"].as_i64()), (200, "Acme Software", Some(10)));
    assert_eq!(loaded.json["vendor_new"], true);
    let lease = server.checkout("key");

    let renewed = Grant {
        rev: 2,
        ..site.portal.grant(
            2,
            vec![{
                let mut line = first.lines[0].clone();
                line.seats = 20;
                line
            }],
        )
    };
    let loaded = upload(&server, &site.portal.crt(&server.request_file(), &renewed));
    assert_eq!((loaded.status, &loaded.json["vendor_new"]), (200, &false.into()), "{loaded:?}");
    assert_eq!(server.get("/v1/status").json["features"][0]["total"], 20);
    let beat = server.heartbeat(&lease, 1, "n-1");
    assert_eq!(beat.status, 200);
    assert_ne!(beat.str("grant_sha256"), lease.str("grant_sha256"), "from now on it stands on the new document");
    for answer in [&lease, &beat] {
        assert_eq!(server.get(&format!("/v1/grants/{}", answer.str("grant_sha256"))).status, 200);
    }
    assert_eq!(server.get(&format!("/v1/grants/{}", "0".repeat(64))).code(), "GRANT_UNKNOWN");
    let facts = read_request(server.request_file().as_bytes(), site.clock.wall()).unwrap().facts;
    assert_eq!((facts.rev_in_use, facts.vendor), (Some(2), Some(site.portal.root().thumbprint())));
}

#[test]
fn while_seats_run_out_that_were_taken_away_the_request_does_not_say_the_new_number() {
    let site = Site::new();
    let server = site.with_ten_seats();
    let lease = server.checkout("key");
    let none_left = site.portal.grant(2, vec![site.portal.line("studio.render", 5, site.clock.wall().plus(DAY_MS))]);
    let loaded = upload(&server, &site.portal.crt(&server.request_file(), &none_left));
    assert_eq!((loaded.status, loaded.json["withdrawn"].as_i64()), (200, Some(1)), "{loaded:?}");
    let withdrawn = server.heartbeat(&lease, 1, "n-1");
    assert_eq!((withdrawn.status, withdrawn.code()), (409, "WITHDRAWN"));
    assert!((400..=420).contains(&withdrawn.json["left_s"].as_i64().unwrap()), "{withdrawn:?}");
    let said = || read_request(server.request_file().as_bytes(), site.clock.wall()).unwrap().facts.rev_in_use;
    assert_eq!(said(), None, "the portal must not give these seats to others yet");
    site.clock.advance(425_000);
    assert_eq!(said(), Some(2));
}

#[test]
fn each_bad_upload_has_its_own_code_and_changes_nothing() {
    let site = Site::new();
    let server = site.start();
    let request = server.request_file();
    let key = key_of(&site, &request);
    let portal = &site.portal;
    let now = site.clock.wall();
    assert_eq!(upload(&server, &portal.crt(&request, &portal.ten_seats(5))).status, 200);
    server.checkout("key");
    let good = portal.crt(&request, &portal.ten_seats(6));
    let (counterfeit, other_key) = (Portal::new("Acme Software", now), SigningKey::generate());
    let mut expired = portal.ten_seats(6);
    expired.lines[0].until = now.plus(-HOUR_MS).floor_to_second();
    let mut future = portal.ten_seats(6);
    future.issued_at = now.plus(3 * DAY_MS).floor_to_second();
    let mut elsewhere = portal.ten_seats(6);
    elsewhere.workstation = counterfeit.workstation;
    let middle = good.len() / 2;
    let flipped = if good.as_bytes()[middle] == b'A' { "B" } else { "A" };
    let cases = [
        ("", 422, "FILE_EMPTY"),
        ("hello", 422, "FILE_NOT_OURS"),
        (&good[..good.len() - 40], 422, "FILE_TRUNCATED"),
        (&"x".repeat(300 * 1024), 413, "FILE_OVERSIZED"),
        (&"x".repeat(3 * 1024 * 1024), 413, "FILE_OVERSIZED"),
        (&request, 422, "FILE_SWAPPED"),
        (&SigningKey::generate().to_pkcs8_pem(), 422, "FILE_SWAPPED"),
        (&counterfeit.crt_for(&key, &counterfeit.ten_seats(6)), 422, "FILE_OTHER_VENDOR"),
        (&portal.crt_for(&other_key.public(), &portal.ten_seats(6)), 422, "FILE_OTHER_SERVER"),
        (&portal.crt_for(&key, &expired), 422, "FILE_EXPIRED"),
        (&portal.crt_for(&key, &future), 422, "FILE_CLOCK_WRONG"),
        (&portal.crt_for(&key, &portal.ten_seats(5)), 409, "FILE_TWICE"),
        (&portal.crt_for(&key, &portal.ten_seats(4)), 409, "FILE_OLDER"),
        (&portal.crt_for(&key, &elsewhere), 422, "FILE_OTHER_SERVER"),
    ];
    let before = dump(&server);
    for (file, status, code) in cases {
        let refused = upload(&server, file);
        assert_eq!((refused.status, refused.code()), (status, code), "{refused:?}");
        for part in ["title", "detail", "what_to_do", "who"] {
            let optional = part == "detail" && code == "FILE_OTHER_SERVER";
            assert!(optional || !refused.str(part).is_empty(), "{code}: {part}");
        }
        assert_eq!(dump(&server), before, "{code}");
    }
    let altered = format!("{}{flipped}{}", &good[..middle], &good[middle + 1..]);
    let refused = upload(&server, &altered);
    assert!(matches!(refused.code(), "FILE_DAMAGED" | "FILE_BAD_SIGNATURE" | "FILE_OTHER_SERVER"), "{refused:?}");
    assert_eq!(dump(&server), before);
    assert_eq!(upload(&server, &good).status, 200, "and the good one is taken");
}

#[test]
fn a_counterfeit_of_the_pinned_vendor_is_refused_by_name_from_the_first_file_on() {
    let site = Site::new();
    std::fs::write(site.path().join("root.pem"), site.portal.root().pem()).unwrap();
    std::fs::write(site.path().join("server.toml"), "trust = \"root.pem\"").unwrap();
    let server = site.start();
    let request = server.request_file();
    let counterfeit = Portal::new("Acme Software", site.clock.wall());
    let refused = upload(&server, &counterfeit.crt(&request, &counterfeit.ten_seats(1)));
    assert_eq!(refused.code(), "FILE_OTHER_VENDOR");
    let ours = &site.portal.root().fingerprint_text()[..23];
    assert!(refused.str("detail").contains("Acme Software") && refused.text.contains(ours), "{refused:?}");
    let loaded = upload(&server, &site.portal.crt(&request, &site.portal.ten_seats(1)));
    assert_eq!((loaded.status, &loaded.json["vendor_new"]), (200, &false.into()));
}

/// Everything that an upload could change.
fn dump(server: &Running) -> Vec<String> {
    let status = server.get("/v1/status").json;
    let audit = server.admin("GET", "/v1/audit", None);
    let leases = server.admin("GET", "/v1/leases", None);
    let parts = [&status["activation"], &status["features"], &status["lines"], &audit.json, &leases.json];
    parts.into_iter().map(ToString::to_string).collect()
}

#[test]
fn a_disabled_server_gives_its_receipt_when_the_last_lease_has_ended_and_starts_over_with_a_new_key() {
    let site = Site::new();
    let server = site.with_ten_seats();
    let old_request = server.request_file();
    let old_key = key_of(&site, &old_request);
    let lease = server.checkout("key");
    let draining = server.admin("POST", "/v1/activation/disable", None);
    assert_eq!((draining.status, draining.json["leases_out"].as_i64()), (200, Some(1)), "{draining:?}");
    assert_eq!(draining.json["receipt_ready"], false);
    assert_eq!(server.admin("GET", "/v1/activation/receipt", None).code(), "NO_RECEIPT");
    assert_eq!(server.checkout("new").code(), "DRAINING");
    assert_eq!(server.heartbeat(&lease, 1, "n-1").code(), "WITHDRAWN");
    assert_eq!(server.get("/v1/status").str("state"), "draining");
    let renewal = site.portal.crt_for(&old_key, &site.portal.ten_seats(2));
    assert_eq!(upload(&server, &renewal).code(), "DRAINING");
    server.stop();

    let server = site.start();
    assert_eq!(server.get("/v1/status").str("state"), "draining", "also after a restart");
    assert_eq!(server.checkin(&lease).status, 204);
    eventually("the receipt is made", || server.admin("GET", "/v1/activation/receipt", None).status == 200);
    let receipt = server.admin("GET", "/v1/activation/receipt", None).text;
    let facts = read_receipt(receipt.as_bytes()).unwrap().verify(&old_key).unwrap();
    assert_eq!((facts.workstation, facts.rev_in_use), (site.portal.workstation, 1));
    // The receipt is on disk before, so that it is never lost with the key.
    eventually("the key is destroyed", || !site.path().join("workstation.key").exists());
    assert_eq!(server.get("/v1/status").str("state"), "disabled");
    assert_eq!(server.checkout("new").code(), "NOT_ACTIVATED");
    let again = server.admin("POST", "/v1/activation/disable", None);
    assert_eq!(
        (again.status, &again.json["receipt_ready"]),
        (200, &true.into()),
        "asked again how far it is: {again:?}"
    );
    assert_eq!(upload(&server, &renewal).code(), "FILE_OTHER_SERVER", "its documents are forbidden");

    let request = server.request_file();
    assert_ne!(key_of(&site, &request), old_key);
    assert_eq!(upload(&server, &site.portal.crt(&request, &site.portal.ten_seats(1))).status, 200);
    assert_eq!(server.checkout("new").status, 201);
}

#[test]
fn a_key_whose_receipt_is_on_disk_is_destroyed_at_the_next_start() {
    let site = Site::new();
    let server = site.with_ten_seats();
    let key_file = site.path().join("workstation.key");
    let key = std::fs::read(&key_file).unwrap();
    server.admin("POST", "/v1/activation/disable", None);
    eventually("the key is destroyed", || !key_file.exists());
    server.stop();
    // As if the process had ended between the two.
    leasehold_host::private_file::write_once(&key_file, &key).unwrap();
    let server = site.start();
    assert!(!key_file.exists());
    assert_eq!(server.get("/v1/status").str("state"), "disabled");
}

#[test]
fn no_new_rights_while_the_clock_of_the_machine_is_behind() {
    let site = Site::new();
    let server = site.with_ten_seats();
    let request = server.request_file();
    site.clock.step_wall(-2 * HOUR_MS);
    let refused = upload(&server, &site.portal.crt(&request, &site.portal.ten_seats(2)));
    assert_eq!((refused.status, refused.code()), (409, "CLOCK_SUSPECT"), "{refused:?}");
    site.clock.step_wall(2 * HOUR_MS);
    assert_eq!(upload(&server, &site.portal.crt(&request, &site.portal.ten_seats(2))).status, 200);
}

#[test]
fn a_file_whose_sender_has_gone_is_in_force_all_the_same() {
    let site = Site::new();
    let server = site.start();
    let crt = site.portal.crt(&server.request_file(), &site.portal.ten_seats(1));
    let gate = Arc::new((Mutex::new(false), Condvar::new()));
    let (held, arrived) = (Arc::clone(&gate), Arc::new(AtomicBool::new(false)));
    let reached = Arc::clone(&arrived);
    server.ready.server.database().set_fault_hook(move |point| {
        if point == FaultPoint::BeforeCommit {
            reached.store(true, Ordering::SeqCst);
            drop(held.1.wait_while(held.0.lock().unwrap(), |open| !*open).unwrap());
        }
        Ok(())
    });
    let mut socket = std::net::TcpStream::connect(server.ready.address).unwrap();
    let token = server.admin_token();
    let head = format!(
        "POST /v1/activation HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/x-pem-file\r\nContent-Length: {}\r\n\r\n{crt}",
        crt.len()
    );
    socket.write_all(head.as_bytes()).unwrap();
    eventually("the commit of the document", || arrived.load(Ordering::SeqCst));
    socket.shutdown(std::net::Shutdown::Both).unwrap();
    drop(socket);
    // The server must have noticed before the commit is done.
    std::thread::scope(|scope| {
        let other = scope.spawn(|| server.get("/v1/ping").status);
        assert_eq!(other.join().unwrap(), 200);
    });
    *gate.0.lock().unwrap() = true;
    gate.1.notify_all();
    eventually("the document is in force", || server.get("/v1/status").str("state") == "active");
    assert_eq!(server.checkout("key").status, 201);
}

/// The TLS side, by the name that a client asks for.
fn handshake(server: &Running, name: &str, roots: rustls::RootCertStore) -> Result<(), rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = name.to_owned().try_into().unwrap();
    let mut client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut socket = std::net::TcpStream::connect(server.ready.address).unwrap();
    match client.complete_io(&mut socket) {
        Ok(_) => Ok(()),
        Err(error) => Err(*error.into_inner().unwrap().downcast::<rustls::Error>().unwrap()),
    }
}

#[test]
fn applications_see_the_activation_certificate_and_browsers_another_one() {
    let site = Site::new();
    let server = site.start();
    let vendor = || {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(site.portal.root().der()).unwrap();
        roots
    };
    assert!(handshake(&server, SERVER_DNS_NAME, vendor()).is_err(), "not yet activated");
    let crt = site.portal.crt(&server.request_file(), &site.portal.ten_seats(1));
    assert_eq!(upload(&server, &crt).status, 200);
    assert_eq!(handshake(&server, SERVER_DNS_NAME, vendor()), Ok(()), "without a restart");
    assert!(handshake(&server, "localhost", vendor()).is_err());
    let mut own = rustls::RootCertStore::empty();
    let pem = std::fs::read(site.path().join("tls.crt")).unwrap();
    own.add(rustls_pki_types::pem::PemObject::from_pem_slice(&pem).unwrap()).unwrap();
    assert_eq!(handshake(&server, "localhost", own), Ok(()));
    server.stop();
    let server = site.start();
    assert_eq!(handshake(&server, SERVER_DNS_NAME, vendor()), Ok(()), "also after a restart");
}
