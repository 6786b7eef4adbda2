//! No open door: every route of the OpenAPI document x everybody who may ask. A route without a row fails.

use crate::support::{Call, Reply, Running, Site, ask};
use leasehold_core::time::{Clock, DAY_MS, MINUTE_MS};
use leasehold_host::OsRandom;
use leasehold_web::session::SessionToken;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Statuses for nobody, a user (who holds the lease in the address), another user (who holds another lease), the
/// administrator of this server, an operator of the portal.
type Row = (&'static str, &'static str, [u16; 5]);

const ANYBODY: [u16; 5] = [200; 5];
const ANYBODY_EMPTY: [u16; 5] = [204; 5];
const ADMINISTRATOR: [u16; 5] = [401, 401, 401, 200, 401];
const ADMINISTRATOR_EMPTY: [u16; 5] = [401, 401, 401, 204, 401];

const TABLE: &[Row] = &[
    ("get", "/healthz", ANYBODY_EMPTY),
    ("get", "/readyz", ANYBODY_EMPTY),
    ("get", "/openapi.json", ANYBODY),
    ("get", "/metrics", ANYBODY),
    ("get", "/v1/ping", ANYBODY),
    ("get", "/v1/status", ANYBODY),
    ("get", "/v1/grants/{sha256}", ANYBODY),
    // Seats are for whoever reaches the port; who gives one back must know what nobody else knows.
    ("post", "/v1/leases", [201; 5]),
    ("delete", "/v1/leases", ANYBODY_EMPTY),
    ("post", "/v1/leases/{lease}/heartbeat", [401, 200, 401, 401, 401]),
    ("post", "/v1/leases/{lease}/resume", [401, 200, 401, 401, 401]),
    ("delete", "/v1/leases/{lease}", [401, 204, 401, 401, 401]),
    ("get", "/v1/leases", ADMINISTRATOR),
    // Guarded by what is in the body: a signature of the key that the pass has.
    ("post", "/v1/passes", [422; 5]),
    ("post", "/v1/passes/{pass}/return", [422; 5]),
    ("post", "/v1/passes/receipts", [422; 5]),
    ("get", "/v1/passes", ADMINISTRATOR),
    // Files that are none, and a pass that is none.
    ("post", "/v1/passes/lend", [401, 401, 401, 422, 401]),
    ("post", "/v1/passes/{pass}/lost", [401, 401, 401, 404, 401]),
    ("get", "/v1/events", ADMINISTRATOR),
    ("get", "/v1/denials", ADMINISTRATOR),
    ("get", "/v1/usage", ADMINISTRATOR),
    // It says no more than a checkout would.
    ("post", "/v1/simulate", ANYBODY),
    ("post", "/v1/releases", ADMINISTRATOR),
    ("get", "/v1/audit", ADMINISTRATOR),
    ("patch", "/v1/settings", ADMINISTRATOR),
    ("post", "/v1/backups", ADMINISTRATOR_EMPTY),
    ("put", "/v1/password", ADMINISTRATOR_EMPTY),
    // Guarded by what is in the body: the setup secret, which is used up here, and the password.
    ("post", "/v1/setup", [409; 5]),
    ("post", "/v1/sessions", [201; 5]),
    ("delete", "/v1/sessions", ADMINISTRATOR_EMPTY),
    ("get", "/v1/activation/request", ADMINISTRATOR),
    ("post", "/v1/activation", ADMINISTRATOR),
    // There is none yet.
    ("get", "/v1/activation/receipt", [401, 401, 401, 404, 401]),
    // For the command line on the server's own machine: a sign-in alone does not forget a password.
    ("post", "/v1/setup/reset", [401, 401, 401, 403, 401]),
    // No portal is set, which is an answer.
    ("post", "/v1/online/test-connection", ADMINISTRATOR),
    // Without a portal it comes to nothing.
    ("post", "/v1/online/enable", [401, 401, 401, 502, 401]),
    // It has its seats by file.
    ("post", "/v1/online/refresh", [401, 401, 401, 409, 401]),
    ("get", "/v1/pins", [401, 401, 401, 409, 401]),
    ("post", "/v1/pins", [401, 401, 401, 409, 401]),
    ("post", "/v1/activation/disable", ADMINISTRATOR),
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
        let who = [
            ("nobody", None),
            ("user", Some(lease.str("secret"))),
            ("other user", Some(other.str("secret"))),
            ("administrator", Some(session.str("token"))),
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
            if reply.status == 401 {
                assert!(matches!(reply.code(), "SIGN_IN" | "WRONG_SECRET"), "{who}: {reply:?}");
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
    let template = template.replace("{pass}", &pass);
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
        ("POST", "/v1/simulate") => Some(json!({"feature": "studio.gui"})),
        ("POST", "/v1/releases") => Some(json!({"lease": lease.str("lease"), "not_again_s": 0})),
        ("PATCH", "/v1/settings") => Some(json!({"usage_open": false})),
        ("POST", "/v1/backups") => Some(json!({"to": copy})),
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
