//! No open door: every route of the OpenAPI document x everybody who may ask. A route without a row fails.

use crate::support::{Call, Reply, Running, Site, ask};
use leasehold_core::ids::SessionId;
use leasehold_core::time::{Clock, DAY_MS, MINUTE_MS, Ms};
use leasehold_host::OsRandom;
use leasehold_web::session::SessionToken;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Statuses for nobody, a user (who holds the lease in the address), another user (who holds another lease), an
/// administrator of this server, a read-only account of this server, an operator of the portal.
type Row = (&'static str, &'static str, [u16; 6]);

const ANYBODY: [u16; 6] = [200; 6];
const ANYBODY_EMPTY: [u16; 6] = [204; 6];
/// To look at.
const LOOK: [u16; 6] = [401, 401, 401, 200, 200, 401];
/// To change something.
const CHANGE: [u16; 6] = changes(200);
/// One's own account.
const OWN: [u16; 6] = [401, 401, 401, 204, 204, 401];

/// What an administrator does that comes to `status`, and a read-only account may not.
const fn changes(status: u16) -> [u16; 6] {
    [401, 401, 401, status, 403, 401]
}

const TABLE: &[Row] = &[
    ("get", "/healthz", ANYBODY_EMPTY),
    ("get", "/readyz", ANYBODY_EMPTY),
    ("get", "/openapi.json", ANYBODY),
    ("get", "/metrics", ANYBODY),
    ("get", "/v1/ping", ANYBODY),
    ("get", "/v1/status", ANYBODY),
    ("get", "/v1/grants/{sha256}", ANYBODY),
    // Seats are for whoever reaches the port; who gives one back must know what nobody else knows.
    ("post", "/v1/leases", [201; 6]),
    ("delete", "/v1/leases", ANYBODY_EMPTY),
    ("post", "/v1/leases/{lease}/heartbeat", [401, 200, 401, 401, 401, 401]),
    ("post", "/v1/leases/{lease}/resume", [401, 200, 401, 401, 401, 401]),
    ("delete", "/v1/leases/{lease}", [401, 204, 401, 401, 401, 401]),
    ("get", "/v1/leases", LOOK),
    // Guarded by what is in the body: a signature of the key that the pass has.
    ("post", "/v1/passes", [422; 6]),
    ("post", "/v1/passes/{pass}/return", [422; 6]),
    ("post", "/v1/passes/receipts", [422; 6]),
    ("get", "/v1/passes", LOOK),
    // Files that are none, and a pass that is none.
    ("post", "/v1/passes/lend", changes(422)),
    ("post", "/v1/passes/{pass}/lost", changes(404)),
    ("post", "/v1/passes/{pass}/not-out", changes(404)),
    // Nothing is held.
    ("post", "/v1/passes/not-out", CHANGE),
    ("get", "/v1/events", LOOK),
    ("get", "/v1/denials", LOOK),
    ("get", "/v1/usage", LOOK),
    // It says no more than a checkout would.
    ("post", "/v1/simulate", ANYBODY),
    ("post", "/v1/releases", CHANGE),
    ("get", "/v1/bars", LOOK),
    ("post", "/v1/bars/lift", changes(404)),
    ("get", "/v1/audit", LOOK),
    ("get", "/v1/settings", LOOK),
    ("patch", "/v1/settings", CHANGE),
    ("put", "/v1/settings/certificate", CHANGE),
    // Nothing is on trial.
    ("post", "/v1/settings/confirm", changes(409)),
    ("post", "/v1/settings/take-back", changes(409)),
    ("get", "/v1/administrators", LOOK),
    ("post", "/v1/administrators", changes(201)),
    // Nobody of that name.
    ("patch", "/v1/administrators/{name}", changes(404)),
    ("delete", "/v1/administrators/{name}", changes(404)),
    ("get", "/v1/sessions", LOOK),
    ("post", "/v1/sessions/end-others", LOOK),
    // No such sign-in.
    ("delete", "/v1/sessions/{session}", [401, 401, 401, 404, 404, 401]),
    ("post", "/v1/backups", CHANGE),
    ("get", "/v1/backups", LOOK),
    ("get", "/v1/support-bundle", CHANGE),
    ("put", "/v1/password", OWN),
    // Guarded by what is in the body: the setup secret, which is used up here, and the password.
    ("post", "/v1/setup", [409; 6]),
    ("post", "/v1/sessions", [201; 6]),
    ("delete", "/v1/sessions", OWN),
    // It makes the server's key.
    ("get", "/v1/activation/request", CHANGE),
    ("post", "/v1/activation", CHANGE),
    // There is none yet.
    ("get", "/v1/activation/receipt", [401, 401, 401, 404, 404, 401]),
    ("get", "/v1/activation/give-back", LOOK),
    // Nothing was given back, and no license is named.
    ("get", "/v1/activation/give-back/receipt", [401, 401, 401, 404, 404, 401]),
    ("post", "/v1/activation/give-back", changes(422)),
    // For the command line on the server's own machine: a sign-in alone does not forget a password.
    ("post", "/v1/setup/reset", changes(403)),
    // No portal is set, which is an answer.
    ("post", "/v1/online/test-connection", CHANGE),
    // Without a portal it comes to nothing.
    ("post", "/v1/online/enable", changes(502)),
    // It has its seats by file.
    ("post", "/v1/online/refresh", changes(409)),
    ("get", "/v1/pins", [401, 401, 401, 409, 409, 401]),
    ("post", "/v1/pins", changes(409)),
    ("post", "/v1/activation/disable", CHANGE),
];

const PASSWORD: &str = "correct horse battery";

#[test]
fn every_route_answers_everybody_as_the_table_says() {
    let site = Site::new();
    let seats =
        |rev| site.portal.grant(rev, vec![site.portal.line("studio.gui", 1_000, site.clock.wall().plus(90 * DAY_MS))]);
    let server = site.activated(&seats(1));
    let secret = server.ready.setup_secret.clone().unwrap();
    let setup = json!({"secret": secret, "password": PASSWORD});
    let set_up = server.call(Call { method: "POST", path: "/v1/setup", json: Some(setup.clone()), ..Call::default() });
    assert_eq!(set_up.status, 201, "{set_up:?}");
    let reader = json!({"name": "reader", "kind": "read_only", "password": PASSWORD});
    let token = server.admin_token();
    let call = Call { method: "POST", path: "/v1/administrators", bearer: Some(&token), ..Call::default() };
    assert_eq!(server.call(Call { json: Some(reader), ..call }).status, 201);
    let next_crt = site.portal.crt(&server.request_file(), &seats(2));
    let operator = SessionToken::draw(&mut OsRandom).text();
    let copies = tempfile::tempdir().unwrap();

    for (number, (method, template, expected)) in TABLE.iter().enumerate() {
        // Wrong secrets are counted for five minutes; leases last seven.
        site.clock.advance(6 * MINUTE_MS);
        let (lease, other) = (server.checkout(&format!("user-{number}")), server.checkout(&format!("other-{number}")));
        let session = json!({"password": PASSWORD});
        let session =
            server.call(Call { method: "POST", path: "/v1/sessions", json: Some(session), ..Call::default() });
        let reader = json!({"name": "reader", "password": PASSWORD});
        let reader = server.call(Call { method: "POST", path: "/v1/sessions", json: Some(reader), ..Call::default() });
        let who = [
            ("nobody", None),
            ("user", Some(lease.str("secret"))),
            ("other user", Some(other.str("secret"))),
            ("administrator", Some(session.str("token"))),
            ("read-only account", Some(reader.str("token"))),
            ("operator", Some(&*operator)),
        ];
        for (column, ((who, token), expected)) in who.into_iter().zip(expected).enumerate() {
            let key = format!("cell-{number}-{column}");
            let path = path_of(method, template, &lease, &key);
            let method = method.to_uppercase();
            let call = Call { method: &method, path: &path, bearer: token, ..Call::default() };
            let call = match *template {
                "/v1/leases" if method == "POST" => Call { key: Some(&key), json: Some(ask()), ..call },
                "/v1/activation" => Call { text: Some(&next_crt), ..call },
                "/v1/setup" => Call { json: Some(setup.clone()), ..call },
                template => Call { json: body_of(&method, template, &lease, &copies.path().join(&key)), ..call },
            };
            let before = changed_by_administrators(&server);
            let reply = server.call(call);
            assert_eq!(reply.status, *expected, "{who}: {method} {template}: {reply:?}");
            if matches!(reply.status, 401 | 403) && who != "administrator" {
                assert!(matches!(reply.code(), "SIGN_IN" | "WRONG_SECRET" | "READ_ONLY"), "{who}: {reply:?}");
                assert_eq!(changed_by_administrators(&server), before, "{who} was refused and changed something");
                assert!(!copies.path().join(&key).exists());
            }
        }
    }

    let document = leasehold_server::openapi();
    let paths = document["paths"].as_object().unwrap().iter();
    let routes: BTreeSet<(String, String)> = paths
        .flat_map(|(path, item)| item.as_object().unwrap().keys().map(|method| (method.clone(), path.clone())))
        .collect();
    let rows: BTreeSet<(String, String)> =
        TABLE.iter().map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned())).collect();
    assert_eq!(routes, rows, "every route needs a row that says who may use it");
}

fn path_of(method: &str, template: &str, lease: &Reply, key: &str) -> String {
    let pass = lease.str("lease").replace("lease_", "pass_");
    let session = SessionId::draw(Ms(1), &mut OsRandom).to_string();
    let template = template.replace("{pass}", &pass).replace("{name}", "nobody").replace("{session}", &session);
    let path = template.replace("{lease}", lease.str("lease")).replace("{sha256}", lease.str("grant_sha256"));
    if (method, &*template) == ("delete", "/v1/leases") { format!("{path}?key={key}") } else { path }
}

fn body_of(method: &str, template: &str, lease: &Reply, copy: &std::path::Path) -> Option<Value> {
    match (method, template) {
        ("POST", "/v1/leases/{lease}/heartbeat") => Some(json!({"n": 1, "nonce": "n-1"})),
        ("POST", "/v1/leases/{lease}/resume") => {
            let token = lease.str("token");
            Some(json!({"n": 1, "nonce": "n-1", "key": "some-key", "checkout": ask(), "token": token}))
        }
        ("POST", "/v1/passes" | "/v1/passes/lend") => Some(json!({"request": "x"})),
        ("POST", "/v1/passes/{pass}/return" | "/v1/passes/receipts") => Some(json!({"receipt": "x"})),
        ("POST", "/v1/passes/{pass}/lost") => Some(json!({})),
        ("POST", "/v1/passes/{pass}/not-out") => Some(json!({"seats": 1})),
        ("POST", "/v1/activation/give-back") => Some(json!({"keep": {}})),
        ("POST", "/v1/simulate") => Some(json!({"feature": "studio.gui"})),
        ("POST", "/v1/bars/lift") => Some(json!({"user": "nobody"})),
        ("POST", "/v1/releases") => Some(json!({"lease": lease.str("lease"), "not_again_s": 0})),
        ("PATCH", "/v1/settings") => Some(json!({"usage_open": false})),
        ("POST", "/v1/backups") => Some(json!({"to": copy})),
        ("PUT", "/v1/settings/certificate") | ("PATCH", "/v1/administrators/{name}") => Some(json!({})),
        ("POST", "/v1/administrators") => {
            let name = copy.file_name().unwrap().to_str().unwrap();
            Some(json!({"name": name, "kind": "read_only", "password": PASSWORD}))
        }
        ("PUT", "/v1/password") => Some(json!({"current": PASSWORD, "new": PASSWORD})),
        ("POST", "/v1/online/test-connection") => Some(json!({})),
        ("POST", "/v1/pins") => Some(json!({"pins": []})),
        ("POST", "/v1/online/enable") => Some(json!({"token": "a-token"})),
        ("POST", "/v1/sessions") => Some(json!({"password": PASSWORD})),
        _ => None,
    }
}

/// The audit log, settings, document and leases.
fn changed_by_administrators(server: &Running) -> [String; 3] {
    let (status, audit) = (server.get("/v1/status").json, server.admin("GET", "/v1/audit", None).text);
    [status["activation"].to_string(), status["usage_open"].to_string() + &status["leases_out"].to_string(), audit]
}
