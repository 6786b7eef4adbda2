//! The administrator: setup, signing in, settings, logs; the command line beside a running server and without one.

use crate::support::{Call, Reply, Running, Site, eventually};
use leasehold_core::time::HOUR_MS;
use leasehold_server::local::{self, LocalError};
use serde_json::{Value, json};

const PASSWORD: &str = "correct horse battery";

fn post(server: &Running, path: &str, body: Value) -> Reply {
    server.call(Call { method: "POST", path, json: Some(body), ..Call::default() })
}

fn audit(server: &Running, token: &str) -> Reply {
    server.call(Call { method: "GET", path: "/v1/audit", bearer: Some(token), ..Call::default() })
}

#[test]
fn the_first_password_needs_the_setup_secret_and_later_ones_need_the_password() {
    let site = Site::new();
    let server = site.start();
    let secret = server.ready.setup_secret.clone().expect("printed at the first start");
    assert_eq!(server.get("/v1/status").json["setup_needed"], true);
    assert_eq!(post(&server, "/v1/sessions", json!({"password": PASSWORD})).code(), "SETUP_NEEDED");
    let wrong = post(&server, "/v1/setup", json!({"secret": "00000-00000-00000-00000", "password": PASSWORD}));
    assert_eq!((wrong.status, wrong.code()), (401, "WRONG_PASSWORD"));
    let short = post(&server, "/v1/setup", json!({"secret": secret, "password": "short"}));
    assert_eq!(short.code(), "BAD_FIELD");
    let done = post(&server, "/v1/setup", json!({"secret": secret, "password": PASSWORD}));
    assert_eq!((done.status, audit(&server, done.str("token")).status), (201, 200), "{done:?}");
    let again = post(&server, "/v1/setup", json!({"secret": secret, "password": "another password"}));
    assert_eq!((again.status, again.code()), (409, "ALREADY_SET_UP"));
    server.stop();

    let server = site.start();
    assert_eq!(server.ready.setup_secret, None);
    assert_eq!(post(&server, "/v1/sessions", json!({"password": "wrong password!"})).code(), "WRONG_PASSWORD");
    let session = post(&server, "/v1/sessions", json!({"password": PASSWORD}));
    let token = session.str("token");
    assert_eq!(audit(&server, token).status, 200);
    let log = audit(&server, token).text;
    assert!(log.contains("administrator_setup") && log.contains("administrator_sign_in"), "{log}");
    let out = server.call(Call { method: "DELETE", path: "/v1/sessions", bearer: Some(token), ..Call::default() });
    assert_eq!((out.status, audit(&server, token).status), (204, 401));
}

#[test]
fn a_password_can_be_changed_and_ends_all_other_sign_ins() {
    let site = Site::new();
    let server = site.start();
    let secret = server.ready.setup_secret.clone().unwrap();
    let first = post(&server, "/v1/setup", json!({"secret": secret, "password": PASSWORD}));
    let second = post(&server, "/v1/sessions", json!({"password": PASSWORD}));
    let change = |current: &str, new: &str| {
        let json = Some(json!({"current": current, "new": new}));
        server.call(Call {
            method: "PUT",
            path: "/v1/password",
            bearer: Some(first.str("token")),
            json,
            ..Call::default()
        })
    };
    assert_eq!(change("wrong", "another password").code(), "WRONG_PASSWORD");
    assert_eq!(change(PASSWORD, "short").code(), "BAD_FIELD");
    assert_eq!(change(PASSWORD, "another password").status, 204);
    assert_eq!((audit(&server, first.str("token")).status, audit(&server, second.str("token")).status), (200, 401));
    assert_eq!(post(&server, "/v1/sessions", json!({"password": PASSWORD})).code(), "WRONG_PASSWORD");
    assert_eq!(post(&server, "/v1/sessions", json!({"password": "another password"})).status, 201);
}

fn as_user(server: &Running, method: &str, path: &str, token: &str, json: Option<Value>) -> Reply {
    server.call(Call { method, path, bearer: Some(token), json, ..Call::default() })
}

#[test]
fn several_administrators_each_with_a_name_in_the_audit_log() {
    let site = Site::new();
    let server = site.start();
    let secret = server.ready.setup_secret.clone().unwrap();
    let ada = post(&server, "/v1/setup", json!({"secret": secret, "name": "Ada", "password": PASSWORD}));
    let ada = ada.str("token").to_owned();
    let add = |token: &str, name: &str, kind: &str| {
        let wish = json!({"name": name, "kind": kind, "password": "another password"});
        as_user(&server, "POST", "/v1/administrators", token, Some(wish))
    };
    assert_eq!(add(&ada, "ben", "read_only").status, 201);
    assert_eq!(add(&ada, "BEN", "administrator").code(), "TAKEN");
    assert_eq!(add(&ada, "x".repeat(65).as_str(), "administrator").code(), "BAD_FIELD");
    let sign_in =
        |name: &str, password: &str| post(&server, "/v1/sessions", json!({"name": name, "password": password}));
    assert_eq!(sign_in("ada", "another password").code(), "WRONG_PASSWORD");
    assert_eq!(sign_in("nobody", PASSWORD).code(), "WRONG_PASSWORD", "which names there are is not told");
    let ben = sign_in("Ben", "another password").str("token").to_owned();

    // To look, and nothing else.
    assert_eq!(as_user(&server, "GET", "/v1/audit", &ben, None).status, 200);
    assert_eq!(add(&ben, "carl", "administrator").code(), "READ_ONLY");
    let patch = as_user(&server, "PATCH", "/v1/settings", &ben, Some(json!({"usage_open": true})));
    assert_eq!((patch.status, patch.code()), (403, "READ_ONLY"));

    // Somebody who may change things always stays.
    let remove = |name: &str| as_user(&server, "DELETE", &format!("/v1/administrators/{name}"), &ada, None);
    let kind = |name: &str, kind: &str| {
        as_user(&server, "PATCH", &format!("/v1/administrators/{name}"), &ada, Some(json!({"kind": kind})))
    };
    assert_eq!((remove("ada").code(), kind("ada", "read_only").code()), ("LAST_ADMINISTRATOR", "LAST_ADMINISTRATOR"));
    assert_eq!(kind("ben", "administrator").status, 204);
    assert_eq!(add(&ben, "carl", "read_only").status, 201, "at once");
    let log = audit(&server, &ada).json["items"].clone();
    assert_eq!((&log[0]["who"], &log[0]["action"]), (&json!("ben"), &json!("administrator_add")), "{log}");

    // Sign-ins: seen, and ended.
    let sessions = as_user(&server, "GET", "/v1/sessions", &ada, None).json["items"].clone();
    let of_ben = sessions.as_array().unwrap().iter().find(|session| session["administrator"] == "ben").unwrap().clone();
    assert_eq!(of_ben["address"], "127.0.0.1");
    let path = format!("/v1/sessions/{}", of_ben["session"].as_str().unwrap());
    assert_eq!(as_user(&server, "DELETE", &path, &ada, None).status, 204);
    assert_eq!(audit(&server, &ben).status, 401);
    let second = sign_in("ada", PASSWORD).str("token").to_owned();
    let ended = as_user(&server, "POST", "/v1/sessions/end-others", &ada, None);
    assert_eq!((ended.json["ended"].as_u64(), audit(&server, &second).status), (Some(1), 401));
    assert_eq!(remove("ben").status, 204);
    assert_eq!(sign_in("ben", "another password").code(), "WRONG_PASSWORD");
}

#[test]
fn a_reset_lets_whoever_has_the_folder_in_and_takes_nothing_from_others() {
    let site = Site::new();
    let server = site.start();
    let secret = server.ready.setup_secret.clone().unwrap();
    let ada = post(&server, "/v1/setup", json!({"secret": secret, "name": "ada", "password": PASSWORD}));
    let ada = ada.str("token").to_owned();
    assert_eq!(as_user(&server, "POST", "/v1/setup/reset", &ada, None).code(), "NOT_HERE", "a sign-in alone does not");
    let secret = local::reset_administrator(site.local()).unwrap();
    assert_eq!(audit(&server, &ada).status, 200, "who is signed in stays");
    server.stop();

    // It is good for one use, also after a restart.
    let server = site.start();
    let wrong = post(&server, "/v1/setup", json!({"secret": "x", "name": "eve", "password": PASSWORD}));
    assert_eq!(wrong.code(), "WRONG_PASSWORD");
    let new = json!({"secret": secret, "name": "ADA", "password": "a new password"});
    let renamed = post(&server, "/v1/setup", new.clone());
    assert_eq!(renamed.status, 201);
    let log = audit(&server, renamed.str("token")).json;
    assert_eq!(log["items"][0]["who"], "ada", "the account is called as it always was: {log}");
    assert_eq!(audit(&server, &ada).status, 401, "the password was set anew: its former sign-ins end");
    assert_eq!(post(&server, "/v1/setup", new).code(), "ALREADY_SET_UP");
    assert_eq!(post(&server, "/v1/sessions", json!({"name": "ada", "password": "a new password"})).status, 201);
    server.stop();
    let secret = local::reset_administrator(site.local()).unwrap();
    let server = site.start();
    let added = post(&server, "/v1/setup", json!({"secret": secret, "name": "ben", "password": PASSWORD}));
    assert_eq!(added.status, 201, "without a server as well: {added:?}");
    assert_eq!(local::administrators(site.local()).unwrap().len(), 2);
    // Nobody becomes more by it.
    let ben = added.str("token").to_owned();
    let wish = json!({"name": "rita", "kind": "read_only", "password": PASSWORD});
    assert_eq!(as_user(&server, "POST", "/v1/administrators", &ben, Some(wish)).status, 201);
    let secret = local::reset_administrator(site.local()).unwrap();
    let raised = post(&server, "/v1/setup", json!({"secret": secret, "name": "rita", "password": "another password"}));
    assert!(raised.code() == "BAD_FIELD" && raised.text.contains("may only look"), "{raised:?}");
    assert_eq!(
        post(&server, "/v1/sessions", json!({"name": "rita", "password": PASSWORD})).status,
        201,
        "nothing changed"
    );
}

#[test]
fn guessing_passwords_is_slowed_down_and_sessions_end() {
    let site = Site::new();
    let server = site.start();
    let secret = server.ready.setup_secret.clone().unwrap();
    let session = post(&server, "/v1/setup", json!({"secret": secret, "password": PASSWORD}));
    for _ in 0..10 {
        assert_eq!(post(&server, "/v1/sessions", json!({"password": "wrong password!"})).status, 401);
    }
    let limited = post(&server, "/v1/sessions", json!({"password": PASSWORD}));
    assert_eq!((limited.status, limited.code()), (429, "RATE_LIMITED"));
    assert!(limited.retry_after.is_some());
    assert_eq!(audit(&server, session.str("token")).status, 200, "who is signed in is not held up");
    site.clock.advance(12 * HOUR_MS);
    assert_eq!(audit(&server, session.str("token")).status, 401);
    assert_eq!(post(&server, "/v1/sessions", json!({"password": PASSWORD})).status, 201);
}

#[test]
fn a_proxy_on_this_machine_is_not_the_machine_itself() {
    let site = Site::new();
    let server = site.with_ten_seats();
    let token = server.admin_token();
    let call = Call { method: "GET", path: "/v1/audit", bearer: Some(&token), ..Call::default() };
    assert_eq!(server.call(call.clone()).status, 200);
    let forwarded = server.call(Call { header: Some(("x-forwarded-for", "127.0.0.1")), ..call });
    assert_eq!((forwarded.status, forwarded.code()), (403, "TLS_REQUIRED"));
    let secret = server.ready.setup_secret.clone().unwrap();
    let setup = Call {
        method: "POST",
        path: "/v1/setup",
        json: Some(json!({"secret": secret, "password": PASSWORD})),
        header: Some(("forwarded", "for=192.0.2.1")),
        ..Call::default()
    };
    assert_eq!(server.call(setup).code(), "TLS_REQUIRED");
}

#[test]
fn who_uses_what_is_seen_by_everybody_only_after_the_administrator_opened_it() {
    let site = Site::new();
    let server = site.with_ten_seats();
    for n in 0..3 {
        server.checkout(&format!("key-{n}"));
    }
    assert_eq!(server.get("/v1/leases").status, 401);
    let token = server.admin_token();
    let json = Some(json!({"usage_open": true}));
    let opened =
        server.call(Call { method: "PATCH", path: "/v1/settings", bearer: Some(&token), json, ..Call::default() });
    assert_eq!((opened.status, &opened.json["usage_open"]), (200, &true.into()));
    let first = server.get("/v1/leases?limit=2&feature=studio.gui");
    assert_eq!(first.json["items"].as_array().unwrap().len(), 2);
    assert_eq!(
        (first.json["items"][0]["user"].as_str(), first.json["items"][0]["host"].as_str()),
        (Some("zoë"), Some("hall3-ws7"))
    );
    let next = server.get(&format!("/v1/leases?limit=2&after={}", first.str("next")));
    assert_eq!((next.json["items"].as_array().unwrap().len(), next.json.get("next")), (1, None));
    assert_eq!(server.get("/v1/leases?limit=0").status, 422);
    for n in 3..10 {
        server.checkout(&format!("key-{n}"));
    }
    let denied = server.checkout("denied");
    assert!(!denied.json["holders"].as_array().unwrap().is_empty(), "{denied:?}");
    assert_eq!(server.get("/v1/audit").status, 401, "what administrators did stays theirs");
    server.stop();
    assert_eq!(site.start().get("/v1/leases").status, 200, "also after a restart");
}

#[test]
fn the_command_line_does_the_same_with_and_without_a_running_server() {
    let site = Site::new();
    let crt = |request: &str, rev| site.portal.crt(request, &site.portal.ten_seats(rev));
    let request = local::request(site.local()).unwrap();
    let loaded = local::import(site.local(), crt(&request, 1).as_bytes()).unwrap();
    assert_eq!((loaded.rev, loaded.seats), (1, 10));
    let Err(LocalError::Refused(problem)) = local::import(site.local(), b"nonsense") else { panic!("it is nonsense") };
    assert_eq!(problem.code, "FILE_NOT_OURS");
    assert!(local::status(site.local()).unwrap().activation.is_some());

    let server = site.start();
    server.checkout("key");
    assert_eq!(local::status(site.local()).unwrap().leases_out, 1);
    let loaded = local::import(site.local(), crt(&local::request(site.local()).unwrap(), 2).as_bytes()).unwrap();
    assert_eq!(loaded.rev, 2);
    let Err(LocalError::Refused(problem)) = local::import(site.local(), b"nonsense") else { panic!("it is nonsense") };
    assert_eq!(problem.code, "FILE_NOT_OURS");

    let copies = tempfile::tempdir().unwrap();
    let copy = copies.path().join("copy");
    local::backup(site.local(), Some(&copy)).unwrap();
    let refused = local::backup(site.local(), Some(&copy)).unwrap_err().to_string();
    assert!(refused.contains("not empty"), "{refused}");
    assert!(!copy.join("admin.token").exists());
    server.stop();

    let restored = local::Local { folder: copy, ..site.local() };
    let status = local::status(restored).unwrap();
    assert_eq!((status.leases_out, status.activation.unwrap().rev), (1, 2));

    let draining = local::disable(site.local()).unwrap();
    assert_eq!(draining.leases_out, 1);
    // Leases run while a server does: without one nobody could have renewed them, and nobody frees them.
    let server = site.start();
    site.clock.advance(426_000);
    eventually("the last lease has ended, and so has the key", || server.get("/v1/status").str("state") == "disabled");
    assert!(local::disable(site.local()).unwrap().receipt_ready, "asked again how far it is");
    server.stop();
    assert!(local::receipt(site.local()).unwrap().contains("LEASEHOLD RECEIPT"));
    let nowhere = local::Local { folder: "/nonexistent".into(), ..site.local() };
    assert!(local::status(nowhere).unwrap_err().to_string().contains("holds no license server"));
}
