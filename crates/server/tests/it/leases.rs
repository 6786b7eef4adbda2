//! Taking, holding and returning seats.

use crate::support::{Call, Site, agent, ask, call_with, eventually};
use leasehold_core::ids::LeaseId;
use leasehold_core::time::{Clock, DAY_MS};
use leasehold_trust::request::read_request;
use leasehold_trust::{VendorRoot, verify_grant, verify_lease};
use serde_json::json;

#[test]
fn a_seat_is_taken_held_and_returned_and_every_answer_is_signed_over_the_nonce() {
    let site = Site::new();
    let server = site.with_ten_seats();
    let key = read_request(server.request_file().as_bytes(), site.clock.wall()).unwrap().public_key;

    let lease = server.checkout("key-1");
    assert_eq!((lease.status, lease.json["resumed"].as_bool()), (201, Some(false)), "{lease:?}");
    assert_eq!((lease.json["ttl_s"].as_i64(), lease.json["grace_s"].as_i64()), (Some(120), Some(300)));
    let claims = verify_lease(lease.str("token"), &key).unwrap();
    assert_eq!((claims.nonce.as_str(), claims.iss, claims.seats), ("n-0", site.portal.workstation, 1));
    assert_eq!(claims.sub.to_string(), lease.str("lease"));

    // The grant that the lease names leads to the vendor's root and to the key that signed the lease.
    let grant = server.get(&format!("/v1/grants/{}", lease.str("grant_sha256")));
    let root = VendorRoot::from_pem(&site.portal.vendor.root_certificate_pem).unwrap();
    let verified = verify_grant(grant.str("grant"), &root, site.clock.wall()).unwrap();
    assert!(verified.is_for(&key) && verified.sha256_hex == claims.grant_sha256);

    site.clock.advance(60_000);
    let beat = server.heartbeat(&lease, 1, "n-1");
    assert_eq!((beat.status, beat.str("secret")), (200, lease.str("secret")), "{beat:?}");
    let beaten = verify_lease(beat.str("token"), &key).unwrap();
    assert_eq!(beaten.nonce, "n-1");
    assert_ne!(beaten.jti, claims.jti);
    assert_eq!(server.in_use(), 1);

    assert_eq!(server.checkin(&beat).status, 204);
    assert_eq!(server.checkin(&beat).status, 204, "again is harmless");
    assert_eq!(server.in_use(), 0);
    let gone = server.heartbeat(&lease, 2, "n-2");
    assert_eq!((gone.status, gone.code(), gone.json["left_s"].as_i64()), (410, "LEASE_GONE", Some(0)));
}

#[test]
fn ten_seats_and_sixty_four_takers_give_exactly_ten() {
    let site = Site::new();
    let server = site.with_ten_seats();
    let url = server.url("/v1/leases");
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let takers: Vec<_> = (0..64)
            .map(|n| {
                let url = &url;
                scope.spawn(move || {
                    let key = format!("taker-{n}");
                    let call = Call { method: "POST", path: "", key: Some(&key), json: Some(ask()), ..Call::default() };
                    call_with(&agent(), url, &call).status
                })
            })
            .collect();
        takers.into_iter().map(|taker| taker.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 10, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 54);
    let denied = server.checkout("one-more");
    assert_eq!(
        (denied.code(), denied.json["in_use"].as_i64(), denied.json["free"].as_i64()),
        ("NO_SEATS", Some(10), Some(0))
    );
    assert!(denied.json["free_in_s"].as_i64().unwrap() <= 425, "{denied:?}");
    // Whoever asks sees who holds seats at its own address, and all are there.
    let held: Vec<_> = denied.json["holders"].as_array().unwrap().iter().map(|held| &held["seats"]).collect();
    assert_eq!(held, [10], "all of one user at one machine: {denied:?}");
    // They are all one user at one machine, who wants one thing: one denial.
    assert_eq!(server.checkout("one-more").status, 409);
    let events = server.admin("GET", "/v1/events?limit=200", None);
    let kinds =
        |kind: &str| events.json["items"].as_array().unwrap().iter().filter(|event| event["kind"] == kind).count();
    assert_eq!((kinds("checkout"), kinds("denied")), (10, 1));
}

#[test]
fn a_repeated_checkout_is_the_same_lease_and_another_body_is_refused() {
    let site = Site::new();
    let server = site.with_ten_seats();
    let first = server.checkout("key");
    let mut again = ask();
    again["nonce"] = json!("another");
    let second = server.checkout_with("key", again);
    assert_eq!(
        (second.status, second.str("lease"), second.str("secret")),
        (200, first.str("lease"), first.str("secret"))
    );
    assert_eq!(second.json["resumed"], json!(true));
    let mut other = ask();
    other["user"] = json!("somebody else");
    let reused = server.checkout_with("key", other);
    assert_eq!((reused.status, reused.code()), (422, "KEY_REUSED"));
    assert_eq!(server.in_use(), 1);

    assert_eq!(server.checkin(&first).status, 204);
    let ended = server.checkout("key");
    assert_eq!((ended.status, ended.code()), (410, "LEASE_GONE"), "the key of an ended lease takes no second seat");
    site.clock.advance(121_000);
    assert_eq!(server.checkout("key").status, 201, "and is forgotten after two minutes");

    for key in [None, Some(""), Some("has blanks"), Some(&*"x".repeat(129))] {
        let call = Call { method: "POST", path: "/v1/leases", key, json: Some(ask()), ..Call::default() };
        let refused = server.call(call);
        assert_eq!((refused.status, refused.code()), (400, "IDEMPOTENCY_KEY_MISSING"), "{key:?}");
    }
}

#[test]
fn a_key_that_is_given_up_frees_its_seat_also_before_it_was_taken() {
    let site = Site::new();
    let server = site.with_ten_seats();
    let give_up = |key: &str| {
        let path = format!("/v1/leases?key={key}");
        server.call(Call { method: "DELETE", path: &path, ..Call::default() }).status
    };
    assert_eq!(server.checkout("taken").status, 201);
    assert_eq!((give_up("taken"), server.in_use()), (204, 0));
    assert_eq!(give_up("late"), 204);
    assert_eq!(server.checkout("late").status, 410, "the late checkout takes no seat for nobody");
    assert_eq!(server.in_use(), 0);
}

#[test]
fn a_wrong_secret_changes_nothing_and_the_right_one_is_never_held_up() {
    let site = Site::new();
    let server = site.with_ten_seats();
    let (lease, other) = (server.checkout("a"), server.checkout("b"));
    let path = format!("/v1/leases/{}", lease.str("lease"));
    let heartbeat = format!("{path}/heartbeat");
    let mut limited = 0;
    for n in 0..120 {
        let wrong = if n % 2 == 0 { Some(other.str("secret")) } else { None };
        let beat = Some(json!({"n": 9, "nonce": "x"}));
        for (method, path, json) in [("DELETE", &path, None), ("POST", &heartbeat, beat)] {
            let refused = server.call(Call { method, path, bearer: wrong, json, ..Call::default() });
            limited += usize::from(refused.status == 429);
            assert!(matches!((refused.status, refused.code()), (401, "WRONG_SECRET") | (429, "RATE_LIMITED")));
        }
    }
    assert!(limited > 0, "guessing is slowed down");
    assert_eq!(server.in_use(), 2);
    assert_eq!(server.heartbeat(&lease, 1, "n-1").status, 200, "n 9 was never seen");
    assert_eq!(server.checkin(&lease).status, 204);
    let unknown = LeaseId::draw(site.clock.wall(), &mut leasehold_host::OsRandom);
    let refused = server.call(Call { method: "DELETE", path: &format!("/v1/leases/{unknown}"), ..Call::default() });
    assert!(matches!(refused.status, 401 | 429));
}

#[test]
fn a_copied_client_is_told_and_a_repeated_heartbeat_is_not_one() {
    let site = Site::new();
    let server = site.with_ten_seats();
    let lease = server.checkout("key");
    assert_eq!(server.heartbeat(&lease, 1, "mine").status, 200);
    assert_eq!(server.heartbeat(&lease, 1, "mine").status, 200, "its answer was lost");
    let copied = server.heartbeat(&lease, 1, "not-mine");
    assert_eq!((copied.status, copied.code()), (409, "LEASE_COPIED"));
}

#[test]
fn a_lease_that_is_not_renewed_is_freed_when_its_holder_has_stopped() {
    let site = Site::new();
    let server = site.with_ten_seats();
    server.checkout("key");
    site.clock.advance(424_000);
    assert_eq!(server.in_use(), 1, "its holder may still believe in it");
    site.clock.advance(1_000);
    eventually("nobody asks, and the lease is freed all the same", || {
        let events = server.admin("GET", "/v1/events", None);
        events.json["items"][0]["kind"] == "expired"
    });
    assert_eq!(server.in_use(), 0);
}

#[test]
fn no_lease_outlives_its_line() {
    let site = Site::new();
    let now = site.clock.wall();
    let line = site.portal.line("studio.gui", 1, now.plus(101_500));
    let server = site.activated(&site.portal.grant(1, vec![line]));
    let lease = server.checkout("key");
    let runs_s = lease.json["ttl_s"].as_i64().unwrap() + lease.json["grace_s"].as_i64().unwrap();
    assert!((95..=101).contains(&runs_s), "{lease:?}");
    site.clock.advance(110_000);
    assert_eq!(server.checkout("later").code(), "EXPIRED");
}

#[test]
fn what_comes_in_is_bounded_and_names_the_field() {
    let site = Site::new();
    let server = site.with_ten_seats();
    let with = |member: &str, value: serde_json::Value| {
        let mut ask = ask();
        ask[member] = value;
        ask
    };
    for (bad, field) in [
        (with("user", json!("x".repeat(201))), "user"),
        (with("user", json!("a\u{202e}b")), "user"),
        (with("host", json!("a\nb")), "host"),
        (with("seats", json!(0)), "seats"),
        (with("seats", json!(-1)), "seats"),
        (with("host_id", json!("with blank")), "host_id"),
        (with("labels", json!({"a": "\u{0}"})), "labels"),
        (with("nonce", json!("")), "nonce"),
        (with("feature", json!("Studio GUI")), ""),
        (with("sneaky", json!(1)), "sneaky"),
        (json!({"nonce": "n"}), "feature"),
    ] {
        let refused = server.checkout_with("key", bad.clone());
        assert_eq!((refused.status, refused.code()), (422, "BAD_FIELD"), "{bad}: {refused:?}");
        assert!(refused.str("detail").contains(field), "{refused:?}");
    }
    assert_eq!(server.checkout_with("key", with("feature", json!("nobody.sells"))).code(), "FEATURE_UNKNOWN");
    assert_eq!(server.in_use(), 0);
    let hostile = with("user", json!("<script>alert(1)</script>"));
    assert_eq!(server.checkout_with("hostile", hostile).status, 201, "escaping belongs to who shows it");
}

#[test]
fn a_running_lease_that_a_restored_server_does_not_know_is_taken_up_again() {
    let site = Site::new();
    let server = site.with_ten_seats();
    server.stop();
    let earlier = tempfile::tempdir().unwrap();
    leasehold_server::local::backup(site.local(), Some(&earlier.path().join("copy"))).unwrap();
    let server = site.start();
    let lease = server.checkout("key");
    server.stop();
    for name in ["server.db", "server.db-wal", "server.db-shm"] {
        let _ = std::fs::remove_file(site.path().join(name));
    }
    std::fs::copy(earlier.path().join("copy/server.db"), site.path().join("server.db")).unwrap();

    let server = site.start();
    assert_eq!(server.in_use(), 0, "it was restored");
    assert_eq!(server.heartbeat(&lease, 1, "n-1").code(), "LEASE_GONE");
    let resume = |token: &str, checkout: serde_json::Value| {
        let path = format!("/v1/leases/{}/resume", lease.str("lease"));
        let json = json!({"n": 2, "nonce": "n-2", "key": "key", "checkout": checkout, "token": token});
        server.call(Call {
            method: "POST",
            path: &path,
            bearer: Some(lease.str("secret")),
            json: Some(json),
            ..Call::default()
        })
    };
    let mut other = ask();
    other["seats"] = json!(5);
    assert_eq!(resume(lease.str("token"), other).code(), "LEASE_DOCUMENT", "not what was leased");
    assert_eq!(resume("e30.e30.e30", ask()).code(), "LEASE_DOCUMENT");
    let resumed = resume(lease.str("token"), ask());
    assert_eq!((resumed.status, resumed.str("lease")), (200, lease.str("lease")), "{resumed:?}");
    assert_eq!(server.in_use(), 1);
    assert_eq!(server.heartbeat(&lease, 3, "n-3").status, 200);
    site.clock.advance(DAY_MS);
    assert_eq!(resume(lease.str("token"), ask()).code(), "LEASE_GONE", "a right that has run out is not resumed");
}
