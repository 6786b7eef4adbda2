//! The portal as a vendor puts it into service: over PostgreSQL with several processes, and with TLS of its own.

use crate::caller::{Caller, Outcome, make_operator, make_portal, one_seat, operators_token, sell};
use crate::service::{Service, leasehold, run};
use leasehold_core::random::Seeded;
use leasehold_core::time::Clock;
use leasehold_db::testing::fresh_postgres;
use leasehold_host::SystemClock;
use leasehold_trust::SigningKey;
use leasehold_trust::secret::self_signed_certificate;
use std::io::Write as _;
use std::path::Path;
use std::thread;

pub(crate) fn add_settings(folder: &Path, data: &str, lines: &str) {
    let mut settings = std::fs::File::options().append(true).open(folder.join(data).join("portal.toml")).unwrap();
    settings.write_all(lines.as_bytes()).unwrap();
}

pub(crate) fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    std::fs::set_permissions(to, std::fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[test]
fn two_portals_over_one_postgresql_sell_each_seat_once_and_one_may_die() {
    const SEATS: usize = 10;
    let database = fresh_postgres();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    make_portal(folder);
    add_settings(folder, "p", &format!("database_url = \"{}\"\n", database.url()));
    copy_folder(&folder.join("p"), &folder.join("q"));
    make_operator(folder);
    let first = Service::start(folder, "portal", "p", "127.0.0.1:0");
    let second = Service::start(folder, "portal", "q", "127.0.0.1:0");
    let token = operators_token(&Caller::new(&first.address, None));
    let callers = [&first, &second].map(|service| Caller::new(&service.address, Some(&token)));
    let license = sell(&callers[0], u32::try_from(SEATS).unwrap());
    let path = format!("/api/v1/licenses/{}", license["id"].as_str().unwrap());
    assert_eq!(callers[1].expect(200, "GET", &path, None)["seats"], SEATS, "a sign-in counts at both");

    let activate = |n: usize| {
        let mut random = Seeded::new(n as u64);
        let body = one_seat(&license, format!("host-{n}"), &mut random);
        (n, callers[n % 2].send("POST", "/api/v1/workstations", Some(&format!("key-{n}")), Some(&body)), body)
    };
    let answers: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..3 * SEATS).map(|n| scope.spawn(move || activate(n))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut given = Vec::new();
    for (n, answer, body) in answers {
        match answer {
            Outcome::Answered(201, answer) => given.push((n, answer, body)),
            Outcome::Answered(409, problem) => assert_eq!(problem["code"], "NO_SEATS", "{problem}"),
            other => panic!("activation {n}: {other:?}"),
        }
    }
    assert_eq!(given.len(), SEATS);
    assert_eq!(callers[0].expect(200, "GET", &path, None)["seats_out"], SEATS);

    first.kill();
    for (n, answer, body) in &given {
        let again = callers[1].send("POST", "/api/v1/workstations", Some(&format!("key-{n}")), Some(body));
        assert!(matches!(&again, Outcome::Answered(201, same) if same == answer), "{again:?}");
    }
    // What the one that died has handed out is in its own log, and the other's is in the other's.
    let logged = |data: &str| std::fs::read_to_string(folder.join(data).join("grants.log")).unwrap().lines().count();
    assert_eq!((logged("p") + logged("q")).max(SEATS), logged("p") + logged("q"), "each document is in a log");
    assert!(logged("p") > 0 && logged("q") > 0);
}

#[test]
fn a_portal_serves_https_from_certificate_files_and_nothing_else_on_that_port() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    make_portal(folder);
    make_operator(folder);
    add_settings(folder, "p", "[tls]\ncertificate = \"tls.crt\"\nkey = \"tls.key\"\n");
    let (ended, said) = refused(folder);
    assert!(!ended && said.contains("tls.crt cannot be read"), "{said}");
    let key = SigningKey::generate();
    let certificate = self_signed_certificate(&["localhost".to_owned()], &key, SystemClock::new().wall());
    std::fs::write(folder.join("p/tls.crt"), &certificate).unwrap();
    std::fs::write(folder.join("p/tls.key"), SigningKey::generate().to_pkcs8_pem().as_bytes()).unwrap();
    let (ended, said) = refused(folder);
    assert!(!ended && said.contains("`[tls]` in portal.toml") && said.contains("key"), "another key: {said}");
    std::fs::write(folder.join("p/tls.key"), key.to_pkcs8_pem().as_bytes()).unwrap();

    // With TLS any address may be listened on.
    let service = Service::start(folder, "portal", "p", "0.0.0.0:0");
    let port = service.address.rsplit_once(':').unwrap().1;
    let browser = Caller::by_tls(&format!("https://localhost:{port}"), &certificate);
    let token = operators_token(&browser);
    let operator = browser.with_token(&token);
    let license = sell(&operator, 3);
    assert_eq!(license["seats"], 3);
    let plain = Caller::new(&format!("127.0.0.1:{port}"), None);
    let answer = plain.send("GET", "/healthz", None, None);
    assert!(matches!(answer, Outcome::Unknown | Outcome::Answered(400.., _)), "{answer:?}");
    drop(service);

    // Without TLS and without a proxy it listens on loopback only.
    let settings = std::fs::read_to_string(folder.join("p/portal.toml")).unwrap();
    std::fs::write(
        folder.join("p/portal.toml"),
        settings.replace("[tls]\ncertificate = \"tls.crt\"\nkey = \"tls.key\"\n", ""),
    )
    .unwrap();
    let (ended, said) = refused(folder);
    assert!(!ended && said.contains("passwords would cross the network in the clear"), "{said}");
    run(folder, &["portal", "migrate", "--data", "p"]);
}

/// Starts the portal on all addresses, which must not come up; what it says.
fn refused(folder: &Path) -> (bool, String) {
    let output = leasehold(folder, &["portal", "serve", "--data", "p", "--listen", "0.0.0.0:0"]).output().unwrap();
    (output.status.success(), String::from_utf8(output.stderr).unwrap())
}
