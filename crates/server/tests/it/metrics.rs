//! What a monitoring system reads: numbers that follow what happens, in a text that its parser takes, with nobody's name.

use crate::support::{Call, Reply, Running, SOON, Site, ask, eventually};
use leasehold_core::time::{Clock, DAY_MS, MINUTE_MS};
use leasehold_db::{DbError, FaultPoint};
use leasehold_server::Pulse;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

fn scrape(server: &Running, accept: &str) -> Reply {
    let header = Some(("accept", accept));
    server.call(Call { method: "GET", path: "/metrics", header, ..Call::default() })
}

/// Every sample by its name with labels.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap_or_else(|_| panic!("no number: {line}")))
        })
        .collect()
}

fn now(server: &Running) -> BTreeMap<String, f64> {
    let reply = scrape(server, OPEN_METRICS);
    assert_eq!((reply.status, &*reply.content_type), (200, OPEN_METRICS), "{reply:?}");
    samples(&reply.text)
}

#[test]
fn numbers_follow_what_happens() {
    let site = Site::new();
    let server = site
        .activated(&site.portal.grant(1, vec![site.portal.line("studio.gui", 2, site.clock.wall().plus(90 * DAY_MS))]));
    let before = now(&server);
    assert_eq!(before["leasehold_seats{feature=\"studio.gui\",state=\"total\"}"], 2.0, "{before:?}");
    assert_eq!(before["leasehold_activated"], 1.0);
    assert_eq!(before["leasehold_checkouts_total"], 0.0);
    let [first, second] = ["key-1", "key-2"].map(|key| server.checkout(key));
    assert_eq!((first.status, second.status, server.checkout("key-3").status), (201, 201, 409));
    let unknown = server.checkout_with("key-4", json!({"feature": "other", "user": "u", "host": "h", "nonce": "n-0"}));
    assert_eq!(unknown.code(), "FEATURE_UNKNOWN");
    assert_eq!(server.heartbeat(&first, 1, "n-1").status, 200);
    assert_eq!(server.checkin(&first).status, 204);
    let after = now(&server);
    for (name, expected) in [
        ("leasehold_seats{feature=\"studio.gui\",state=\"in_use\"}", 1.0),
        ("leasehold_seats{feature=\"studio.gui\",state=\"free\"}", 1.0),
        ("leasehold_seats{feature=\"studio.gui\",state=\"borrowed\"}", 0.0),
        ("leasehold_leases_out", 1.0),
        ("leasehold_passes_out", 0.0),
        ("leasehold_checkouts_total", 2.0),
        ("leasehold_checkins_total", 1.0),
        ("leasehold_denials_total{code=\"NO_SEATS\"}", 1.0),
        ("leasehold_denials_total{code=\"FEATURE_UNKNOWN\"}", 1.0),
        ("leasehold_denials_total{code=\"EXPIRED\"}", 0.0),
        ("leasehold_checkout_seconds_count", 4.0),
        ("leasehold_heartbeat_seconds_count", 1.0),
        ("leasehold_leases_expired_total", 0.0),
    ] {
        assert_eq!(after.get(name), Some(&expected), "{name} in {after:#?}");
    }
    assert!(after["leasehold_commit_seconds_count"] > before["leasehold_commit_seconds_count"]);
    assert!(after["leasehold_checkout_seconds_sum"] > 0.0);
    // The other holder dies.
    site.clock.advance(8 * MINUTE_MS);
    assert_eq!(server.checkout("key-5").status, 201);
    assert_eq!(now(&server)["leasehold_leases_expired_total"], 1.0);
    assert!(now(&server)["leasehold_uptime_seconds"] >= 8.0 * 60.0);
}

#[test]
fn days_are_left_of_each_line_and_certificate() {
    let site = Site::new();
    let line = site.portal.line("studio.gui", 2, site.clock.wall().plus(90 * DAY_MS));
    let name = format!(
        "leasehold_expiry_days{{what=\"line\",product=\"studio\",license=\"{}\",line=\"{}\"}}",
        line.license, line.line
    );
    let server = site.activated(&site.portal.grant(1, vec![line]));
    site.clock.advance(10 * DAY_MS);
    let seen = now(&server);
    assert!((79.9..80.1).contains(&seen[&name]), "{seen:#?}");
    let days = |what: &str| seen[&format!("leasehold_expiry_days{{what=\"{what}\"}}")];
    // As docs/OPERATING.md says: keys and certificates of a vendor run for 30 years, the self-signed one for five.
    for what in ["workstation_certificate", "issuing_certificate", "root_certificate"] {
        assert!((29.0 * 365.0..30.1 * 366.0).contains(&days(what)), "{what}: {}", days(what));
    }
    assert!((1_700.0..1_830.0).contains(&days("browser_certificate")), "{}", days("browser_certificate"));
}

#[test]
fn days_are_left_of_the_administrators_own_certificate_of_whatever_kind() {
    let site = Site::new();
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let mut wish = rcgen::CertificateParams::new(["license.studio.example".to_owned()]).unwrap();
    let day = |days: i64| {
        let at = site.clock.wall().plus(days * DAY_MS).0;
        rcgen::date_time_ymd(1970, 1, 1) + Duration::from_millis(at.try_into().unwrap())
    };
    (wish.not_before, wish.not_after) = (day(-1), day(10));
    let made = wish.self_signed(&key).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (certificate, secret) = (folder.path().join("c.pem"), folder.path().join("k.pem"));
    std::fs::write(&certificate, made.pem()).unwrap();
    leasehold_host::private_file::write_once(&secret, key.serialize_pem().as_bytes()).unwrap();
    let toml = format!("tls_certificate = {certificate:?}\ntls_key = {secret:?}\n");
    std::fs::write(site.path().join("server.toml"), toml).unwrap();
    let server = site.with_ten_seats();
    let left = now(&server)["leasehold_expiry_days{what=\"browser_certificate\"}"];
    assert!((9.0..=10.0).contains(&left), "{left}");
    let home = server.get("/").text;
    assert!(home.contains("The certificate for browsers ends in 10 days"), "{home}");
}

#[test]
fn before_activation_it_answers_too() {
    let site = Site::new();
    let server = site.start();
    let seen = now(&server);
    assert_eq!((seen["leasehold_activated"], seen["leasehold_storage_ok"]), (0.0, 1.0));
    assert!(!seen.keys().any(|name| name.contains("leasehold_seats")));
}

#[test]
fn the_form_is_the_one_that_the_reader_takes() {
    let site = Site::new();
    let server = site.with_ten_seats();
    let prometheus_2 = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                        text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    for (accept, expected) in [
        (prometheus_2, OPEN_METRICS),
        ("application/openmetrics-text", OPEN_METRICS),
        ("application/openmetrics-text; version=0.0.1", PROMETHEUS),
        ("application/openmetrics-text; q=0, text/plain", PROMETHEUS),
        ("text/plain", PROMETHEUS),
        ("*/*", PROMETHEUS),
        ("nonsense;;", PROMETHEUS),
    ] {
        assert_eq!(scrape(&server, accept).content_type, expected, "{accept}");
    }
    // In both forms every sample belongs to a family that is described once, before it.
    for (accept, counters_end, eof) in [(OPEN_METRICS, "", true), ("text/plain", "_total", false)] {
        let text = scrape(&server, accept).text;
        assert_eq!(text.ends_with("# EOF\n"), eof, "{text}");
        let mut described = BTreeSet::new();
        let mut current = (String::new(), String::new());
        for line in text.lines() {
            if let Some(family) = line.strip_prefix("# TYPE ") {
                let (name, kind) = family.split_once(' ').unwrap();
                assert!(described.insert(name.to_owned()), "{name} twice");
                current = (name.to_owned(), kind.to_owned());
            } else if !line.starts_with('#') {
                let name = line.split(['{', ' ']).next().unwrap();
                let (family, kind) = (&*current.0, &*current.1);
                let endings: &[&str] = match kind {
                    "counter" if counters_end.is_empty() => &["_total"],
                    "counter" | "gauge" => &[""],
                    "histogram" => &["_sum", "_count", "_bucket"],
                    other => panic!("{other}"),
                };
                assert!(endings.iter().any(|end| *name == format!("{family}{end}")), "{line} stands under {family}");
                assert!(kind != "counter" || counters_end.is_empty() || family.ends_with(counters_end), "{family}");
            }
        }
    }
}

#[test]
fn nobody_is_named_and_there_is_a_bound_on_what_is() {
    let site = Site::new();
    let server = site.with_ten_seats();
    let before = scrape(&server, OPEN_METRICS).text.lines().count();
    for number in 0..20 {
        let mut ask = ask();
        (ask["user"], ask["host"]) = (json!(format!("mallory-{number}")), json!(format!("box-{number}\"}} 1")));
        // What is not there is asked for under names of the asker's choice.
        ask["feature"] = if number % 2 == 0 { json!("studio.gui") } else { json!(format!("made.up-{number}")) };
        server.checkout_with(&format!("key-{number}"), ask);
    }
    let text = scrape(&server, OPEN_METRICS).text;
    for name in ["mallory", "box-", "made.up"] {
        assert!(!text.contains(name), "{name} is in {text}");
    }
    assert_eq!(text.lines().count(), before);
}

/// The engine's sign of life, if it comes within `within`.
fn pulse(server: &Running, within: Duration) -> Option<Pulse> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let asked = server.ready.server.clone();
    runtime.block_on(async { tokio::time::timeout(within, asked.pulse()).await.ok().flatten() })
}

#[test]
fn a_full_disk_shows_and_is_no_reason_to_start_the_server_again() {
    let site = Site::new();
    let server = site.with_ten_seats();
    let lease = server.checkout("before");
    assert_eq!(pulse(&server, SOON), Some(Pulse { leases_out: 1, storage_ok: true }));
    server.ready.server.database().set_fault_hook(|point| match point {
        FaultPoint::BeforeCommit => Err(DbError::Full { place: "the disk of the test".to_owned() }),
        _ => Ok(()),
    });
    assert_eq!(server.checkout("during").code(), "DISK_FULL");
    assert_eq!(server.heartbeat(&lease, 1, "n-1").status, 200);
    let seen = now(&server);
    assert_eq!(seen["leasehold_storage_ok"], 0.0);
    assert!(seen["leasehold_requests_shed_total{reason=\"storage\"}"] >= 1.0, "{seen:#?}");
    assert_eq!(seen["leasehold_checkouts_total"], 1.0, "what was not stored did not happen");
    assert_eq!(pulse(&server, SOON), Some(Pulse { leases_out: 1, storage_ok: false }));
}

#[test]
fn an_engine_that_hangs_gives_no_sign_of_life() {
    let site = Site::new();
    let server = site.with_ten_seats();
    let (open, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    server.ready.server.database().set_fault_hook(move |point| {
        if point == FaultPoint::BeforeCommit {
            // A disk that does not answer.
            let _ = gate.lock().unwrap().recv_timeout(SOON);
        }
        Ok(())
    });
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| server.checkout("meanwhile").status);
        // Only once it waits for the disk: before that it answers.
        eventually("the engine hangs", || pulse(&server, Duration::from_millis(300)).is_none());
        assert!(!waiting.is_finished());
        drop(open);
        assert_eq!(waiting.join().unwrap(), 201);
    });
    assert_eq!(pulse(&server, SOON).map(|pulse| pulse.leases_out), Some(1));
}
