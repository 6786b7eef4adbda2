//! Settings while the server runs: where they stand, what is refused, lists of users, hosts and networks, and what is on
//! trial until somebody confirms it by the new way.

use crate::browser::Browser;
use crate::support::{Call, Reply, Running, Site, agent, ask, call_with, eventually};
use leasehold_core::time::{HOUR_MS, MINUTE_MS, SECOND_MS};
use leasehold_server::local::{self, LocalError};
use leasehold_server::{Logs, ServeOptions};
use leasehold_trust::SigningKey;
use leasehold_trust::secret::self_signed_certificate;
use leasehold_wire::server::SettingsRequest;
use serde_json::{Value, json};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

/// A request as the administrator, by another way than the server's first one if it is given.
fn by(server: &Running, address: Option<SocketAddr>, method: &str, path: &str, json: Option<Value>) -> Reply {
    let token = session(server);
    let call = Call { method, path, bearer: Some(&token), json, ..Call::default() };
    call_with(&agent(), &format!("http://{}{path}", address.unwrap_or(server.ready.address)), &call)
}

const PASSWORD: &str = "correct horse battery";

/// Somebody who signs in, not the command line, which has the data folder.
fn session(server: &Running) -> String {
    let post = |path, json| server.call(Call { method: "POST", path, json: Some(json), ..Call::default() });
    if let Some(secret) = &server.ready.setup_secret {
        let made = post("/v1/setup", json!({"secret": secret, "password": PASSWORD}));
        if made.status == 201 {
            return made.str("token").to_owned();
        }
    }
    post("/v1/sessions", json!({"password": PASSWORD})).str("token").to_owned()
}

fn change(server: &Running, json: Value) -> Reply {
    by(server, None, "PATCH", "/v1/settings", Some(json))
}

fn view(server: &Running, name: &str) -> Value {
    let settings = by(server, None, "GET", "/v1/settings", None);
    let all = settings.json["settings"].as_array().unwrap_or_else(|| panic!("{settings:?}"));
    all.iter().find(|setting| setting["name"] == name).unwrap().clone()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A server that listens where its settings say.
fn listening(site: &Site, address: &str) -> Running {
    let wish = SettingsRequest([("listen".to_owned(), json!([address]))].into());
    local::change_settings(site.local(), &wish).unwrap();
    Running::start(ServeOptions { listen: None, ..site.options() }).unwrap()
}

#[test]
fn what_is_set_elsewhere_is_shown_as_fixed_and_not_changed_here() {
    let site = Site::new();
    std::fs::write(site.path().join("server.toml"), "portal_url = \"https://file.example\"\n").unwrap();
    let server = site.start();
    let fixed = view(&server, "portal_url");
    assert_eq!((&fixed["value"], &fixed["fixed_in"]), (&json!("https://file.example"), &json!("server.toml")));
    let refused = change(&server, json!({"portal_url": "https://page.example", "deny_users": ["ben"]}));
    assert_eq!((refused.status, refused.code()), (409, "SETTING_FIXED"), "{refused:?}");
    assert!(refused.str("detail").contains("server.toml"));
    assert_eq!(view(&server, "deny_users")["source"], "default", "all or nothing");
    let listen = change(&server, json!({"listen": ["127.0.0.1:1"]}));
    assert!(listen.code() == "SETTING_FIXED" && listen.str("detail").contains("--listen"), "{listen:?}");
}

#[test]
fn a_wrong_value_is_refused_with_a_sentence_and_the_old_one_stays() {
    let site = Site::new();
    let server = site.start();
    assert_eq!(change(&server, json!({"usage_detail_mb": 64})).status, 200);
    for (wrong, part) in [
        (json!({"usage_detail_mb": 1}), "16 or more"),
        (json!({"usage_detail_mb": "many"}), "whole number"),
        (json!({"portal_url": "portal.example"}), "https://"),
        (json!({"deny_networks": ["10.0.0.0/99"]}), "neither an address nor a network"),
        (json!({"allow_users": ["a\u{202e}b"]}), "allow_users"),
        (json!({"proxy": "ftp://h"}), "http:// or socks5://"),
        (json!({"proxy": "http://user:hidden@h:1"}), "proxy_password"),
        (json!({"proxy_password": "alone"}), "no `proxy`"),
        (json!({"nonsense": 1}), "not a setting"),
        (json!({"borrow_days_max": 9999}), "0 to 3650"),
    ] {
        let refused = change(&server, wrong.clone());
        assert_eq!(refused.status, 422, "{wrong}: {refused:?}");
        assert!(refused.text.contains(part) && !refused.text.contains("hidden"), "{wrong}: {refused:?}");
    }
    let machine = change(&server, json!({"trust": "/etc/passwd"}));
    assert_eq!((machine.status, machine.code()), (403, "SETTING_OF_MACHINE"));
    assert_eq!(view(&server, "usage_detail_mb")["value"], 64);
    assert_eq!(view(&server, "proxy")["source"], "default");
    assert_eq!(change(&server, json!({"usage_detail_mb": null})).status, 200);
    assert_eq!(view(&server, "usage_detail_mb")["source"], "default");
}

#[test]
fn the_password_of_the_proxy_is_never_shown_and_goes_to_no_other_proxy() {
    let site = Site::new();
    let server = site.start();
    let set = change(&server, json!({"proxy": "http://me@proxy.example:3128", "proxy_password": "very hidden"}));
    assert_eq!(set.status, 200, "{set:?}");
    assert!(!set.text.contains("very hidden"));
    assert_eq!(view(&server, "proxy_password")["secret_set"], true);
    assert!(!by(&server, None, "GET", "/v1/audit", None).text.contains("very hidden"));
    assert_eq!(change(&server, json!({"proxy": "http://me@other.example:3128"})).status, 200);
    assert_eq!(view(&server, "proxy_password")["secret_set"], false);
    server.stop();
    let server = site.start();
    assert_eq!(view(&server, "proxy")["value"], "http://me@other.example:3128", "also after a restart");
}

#[test]
fn of_a_form_only_what_its_sender_changed_is_stored() {
    let site = Site::new();
    let server = site.start();
    let (first, second) = (Browser::signed_in(&server), Browser::signed_in_again(&server));
    let shown = |users: &str, hosts: &str| format!("card=names&was.deny_users={users}&was.deny_hosts={hosts}");
    let save = |browser: &Browser, was: String, users: &str, hosts: &str| {
        browser.post("/settings/save", &format!("{was}&deny_users={users}&deny_hosts={hosts}"))
    };
    assert!(first.get("/settings/seats").text.contains("name=\"was.deny_users\""));
    assert_eq!(save(&first, shown("", ""), "bob", "").status, 303);
    // The other page is older, and its sender has touched the hosts only.
    assert_eq!(save(&second, shown("", ""), "", "pc9").status, 303);
    assert_eq!(
        (&view(&server, "deny_users")["value"], &view(&server, "deny_hosts")["value"]),
        (&json!(["bob"]), &json!(["pc9"]))
    );
    let refused = save(&second, shown("", ""), "eve", "pc9");
    assert_eq!(refused.status, 422);
    assert!(refused.text.contains("Somebody else changed it") && refused.text.contains("eve"), "{}", refused.text);
    assert_eq!(view(&server, "deny_users")["value"], json!(["bob"]));
    assert_eq!(save(&second, shown("bob", "pc9"), "bob%0d%0aeve", "pc9").status, 303);
    assert_eq!(view(&server, "deny_users")["value"], json!(["bob", "eve"]));
}

#[test]
fn lists_of_users_and_hosts_are_asked_for_new_seats_only() {
    let site = Site::new();
    let server = site.with_ten_seats();
    let held = server.checkout("held");
    assert_eq!(change(&server, json!({"deny_users": ["ZO*"]})).status, 200);
    assert_eq!(server.heartbeat(&held, 1, "n-1").status, 200, "a running seat stays");
    let refused = server.checkout("new");
    assert_eq!((refused.status, refused.code()), (409, "NOT_ALLOWED"), "{refused:?}");
    assert!(refused.str("detail").contains("\"zoë\" is on the list `deny_users`"), "{refused:?}");
    assert!(refused.str("who").contains("administrator"), "{refused:?}");
    let trial = json!({"feature": "studio.gui", "user": "zoë", "host": "hall3-ws7"});
    let trial = by(&server, None, "POST", "/v1/simulate", Some(trial));
    assert!(trial.json["verdict"] == "denied" && trial.text.contains("`deny_users`"), "{trial:?}");
    let denials = by(&server, None, "GET", "/v1/denials", None);
    assert_eq!(denials.json["items"][0]["code"], "NOT_ALLOWED", "{denials:?}");
    let other = json!({"feature": "studio.gui", "user": "ben", "host": "hall3-ws7", "nonce": "n"});
    assert_eq!(server.checkout_with("other", other.clone()).status, 201);
    server.stop();

    let server = site.start();
    assert_eq!(server.checkout("new").code(), "NOT_ALLOWED", "also after a restart");
    assert_eq!(change(&server, json!({"deny_users": [], "allow_hosts": ["hall4-*"]})).status, 200);
    assert_eq!(server.checkout("new 2").code(), "IDEMPOTENCY_KEY_MISSING");
    assert_eq!(server.checkout("new-2").code(), "NOT_ALLOWED");
    let there = json!({"feature": "studio.gui", "user": "ben", "host": "Hall4-ws1", "nonce": "n"});
    assert_eq!(server.checkout_with("there", there).status, 201);
    assert_eq!(server.checkin(&held).status, 204);
}

/// As a proxy on this machine says it, which is believed.
fn from(server: &Running, address: &str, method: &str, path: &str, key: Option<&str>, json: Option<Value>) -> Reply {
    let header = Some(("x-forwarded-for", address));
    server.call(Call { method, path, key, json, header, ..Call::default() })
}

#[test]
fn an_address_that_is_shut_out_gets_nothing_new_and_keeps_what_it_holds() {
    let site = Site::new();
    let server = site.with_ten_seats();
    let lists = json!({"trusted_proxies": ["127.0.0.1"], "deny_networks": ["10.9.0.0/16"]});
    assert_eq!(change(&server, lists).json["trial"]["settings"], json!(["deny_networks", "trusted_proxies"]));
    // Loopback is never shut out.
    assert_eq!(by(&server, None, "POST", "/v1/settings/confirm", None).status, 200);
    let held = from(&server, "10.8.0.1", "POST", "/v1/leases", Some("k1"), Some(ask()));
    assert_eq!(held.status, 201, "{held:?}");
    let refused = from(&server, "10.9.0.1", "POST", "/v1/leases", Some("k2"), Some(ask()));
    assert_eq!((refused.status, refused.code()), (403, "SHUT_OUT"), "{refused:?}");
    assert_eq!(from(&server, "10.9.0.1", "GET", "/v1/status", None, None).code(), "SHUT_OUT");
    assert_eq!(from(&server, "10.9.0.1", "GET", "/", None, None).status, 403);

    assert_eq!(change(&server, json!({"deny_networks": ["10.0.0.0/8"]})).status, 200);
    assert_eq!(from(&server, "10.8.0.1", "POST", "/v1/leases", Some("k3"), Some(ask())).code(), "SHUT_OUT");
    let path = format!("/v1/leases/{}", held.str("lease"));
    let call = Call {
        method: "POST",
        path: &format!("{path}/heartbeat"),
        bearer: Some(held.str("secret")),
        json: Some(json!({"n": 1, "nonce": "n-1"})),
        header: Some(("x-forwarded-for", "10.8.0.1")),
        ..Call::default()
    };
    assert_eq!(server.call(call.clone()).status, 200, "its work goes on");
    assert_eq!(server.call(Call { method: "DELETE", path: &path, json: None, ..call }).status, 204);
}

#[test]
fn another_address_is_kept_only_by_who_comes_from_there() {
    let site = Site::new();
    let (old, new) = (free_port(), free_port());
    let server = listening(&site, &format!("127.0.0.1:{old}"));
    let there: SocketAddr = format!("127.0.0.1:{new}").parse().unwrap();
    let changed = change(&server, json!({"listen": [there.to_string()]}));
    assert_eq!((changed.status, &changed.json["trial"]["listen"]), (200, &json!([there.to_string()])), "{changed:?}");
    let other = change(&server, json!({"deny_users": ["ben"]}));
    let left: i64 = by(&server, None, "GET", "/v1/settings", None).json["trial"]["left_s"].as_i64().unwrap();
    assert!((1..=60).contains(&left), "of sixty: {left}");
    assert_eq!((other.status, other.code()), (409, "ON_TRIAL"));
    let here = by(&server, None, "POST", "/v1/settings/confirm", None);
    assert_eq!((here.status, here.code()), (409, "NOT_THE_NEW_WAY"), "{here:?}");
    assert!(here.str("what_to_do").contains(&there.to_string()));
    let kept = by(&server, Some(there), "POST", "/v1/settings/confirm", None);
    assert_eq!((kept.status, &kept.json["trial"]), (200, &Value::Null), "{kept:?}");
    eventually("the old address is given up", || std::net::TcpStream::connect(server.ready.address).is_err());
    assert_eq!(local::status(site.local()).unwrap().leases_out, 0, "commands find the new one");
    server.stop();
    let server = Running::start(ServeOptions { listen: None, ..site.options() }).unwrap();
    assert_eq!(server.ready.address, there, "also after a restart");
}

#[test]
fn what_nobody_confirms_comes_back_by_itself_and_after_a_crash() {
    let site = Site::new();
    let (old, new) = (free_port(), free_port());
    let server = listening(&site, &format!("127.0.0.1:{old}"));
    let there = format!("127.0.0.1:{new}");
    let open = |port: u16| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
    let both = json!({"listen": [&there], "allow_networks": ["192.0.2.0/24"]});
    assert_eq!(change(&server, both.clone()).status, 200);
    assert!(open(old) && open(new));
    site.clock.advance(MINUTE_MS - SECOND_MS);
    assert!(open(new));
    site.clock.advance(SECOND_MS);
    eventually("the former settings are back", || !open(new));
    assert_eq!(view(&server, "allow_networks")["source"], "default");
    assert_eq!(by(&server, None, "POST", "/v1/settings/confirm", None).code(), "NOT_ON_TRIAL");
    let log = by(&server, None, "GET", "/v1/audit", None).text;
    assert!(log.contains("settings_trial") && log.contains("nobody confirmed them in time"), "{log}");

    assert_eq!(change(&server, both.clone()).status, 200);
    assert_eq!(by(&server, None, "POST", "/v1/settings/take-back", None).status, 200);
    eventually("taken back at once", || !open(new));

    assert_eq!(change(&server, both).status, 200);
    // Killed in between.
    server.stop();
    let server = Running::start(ServeOptions { listen: None, ..site.options() }).unwrap();
    assert_eq!(server.ready.address.port(), old);
    assert_eq!(view(&server, "allow_networks")["source"], "default");
    server.stop();
}

#[test]
fn an_address_that_cannot_be_opened_changes_nothing() {
    let site = Site::new();
    let server = listening(&site, &format!("127.0.0.1:{}", free_port()));
    let refused = change(&server, json!({"listen": ["192.0.2.77:1"]}));
    assert_eq!((refused.status, refused.code()), (409, "CANNOT_LISTEN"), "{refused:?}");
    assert_eq!(by(&server, None, "GET", "/v1/settings", None).json["trial"], Value::Null);
}

fn certificate(site: &Site, name: &str) -> (String, String) {
    use leasehold_core::time::Clock;
    let key = SigningKey::generate();
    (self_signed_certificate(&[name.to_owned()], &key, site.clock.wall()), key.to_pkcs8_pem().to_string())
}

#[test]
fn a_certificate_for_browsers_is_checked_and_on_trial() {
    let site = Site::new();
    let server = site.start();
    let own = local::settings(site.local()).unwrap();
    assert!(own.settings.iter().any(|setting| setting.name == "tls_certificate" && setting.source == "default"));
    let (certificate, key) = certificate(&site, "licenses.example");
    let (_, foreign) = self::certificate(&site, "licenses.example");
    let put = |certificate: &str, key: &str| {
        by(&server, None, "PUT", "/v1/settings/certificate", Some(json!({"certificate": certificate, "key": key})))
    };
    for (certificate, key) in
        [("nonsense", &*key), (&certificate, "nonsense"), (&certificate, &foreign), (&certificate, "")]
    {
        let refused = put(certificate, key);
        assert_eq!((refused.status, refused.code()), (422, "BAD_CERTIFICATE"), "{refused:?}");
        assert!(!refused.text.contains("PRIVATE KEY"));
    }
    let uploaded = |ending: &str| {
        let entries = std::fs::read_dir(site.path()).unwrap().flatten();
        let names = entries.map(|entry| entry.file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("browser-") && name.ends_with(ending)).count()
    };
    assert_eq!(uploaded(".key"), 0, "a refused key is not kept");
    let on_trial = put(&certificate, &key);
    assert_eq!((on_trial.status, &on_trial.json["trial"]["certificate"]), (200, &json!(true)), "{on_trial:?}");
    site.clock.advance(MINUTE_MS + SECOND_MS);
    eventually("the former certificate is back", || uploaded(".key") == 0);
    assert_eq!(put(&certificate, &key).status, 200);
    assert_eq!(by(&server, None, "POST", "/v1/settings/confirm", None).status, 200, "on the server's own machine");
    assert_eq!((uploaded(".crt"), uploaded(".key")), (1, 1));
    server.stop();
    let server = site.start();
    assert!(view(&server, "tls_certificate")["value"].as_str().unwrap().starts_with("browser-"));
    let back = by(&server, None, "PUT", "/v1/settings/certificate", Some(json!({})));
    assert_eq!(back.json["trial"]["certificate"], true, "{back:?}");
    assert_eq!(by(&server, None, "POST", "/v1/settings/confirm", None).status, 200);
    assert_eq!(uploaded(".key"), 0);
}

#[test]
fn the_command_line_shows_and_changes_settings_with_and_without_a_server() {
    let site = Site::new();
    let wish =
        |name: &str, text: &str| SettingsRequest([(name.to_owned(), local::setting_value(name, text).unwrap())].into());
    assert!(local::setting_value("nonsense", "1").is_none());
    local::change_settings(site.local(), &wish("deny_users", "ben, anna")).unwrap();
    let server = site.start();
    assert_eq!(view(&server, "deny_users")["value"], json!(["ben", "anna"]));
    let seen = local::change_settings(site.local(), &wish("allow_networks", "192.0.2.0/24")).unwrap();
    assert!(seen.trial.is_some());
    assert!(
        local::confirm_settings(site.local()).unwrap().trial.is_none(),
        "who has the folder is locked out by nothing"
    );
    let Err(LocalError::Refused(problem)) = local::change_settings(site.local(), &wish("proxy", "ftp://x")) else {
        panic!("no proxy")
    };
    assert_eq!(problem.code, "BAD_SETTING");
    assert!(local::take_back_settings(site.local()).is_err());
}

#[test]
fn backups_are_made_by_schedule_kept_in_number_and_a_failure_is_said() {
    let site = Site::new();
    let server = site.with_ten_seats();
    let relative = change(&server, json!({"backup_folder": "somewhere"}));
    assert!(relative.code() == "BAD_SETTING" && relative.text.contains("absolute path"), "{relative:?}");
    let missing = change(&server, json!({"backup_folder": "/nowhere/at/all"}));
    assert!(missing.code() == "BAD_SETTING" && missing.text.contains("Make the folder"), "{missing:?}");
    let disk = tempfile::tempdir().unwrap();
    let folder = disk.path().join("copies");
    std::fs::create_dir(&folder).unwrap();
    let list = || by(&server, None, "GET", "/v1/backups", None).json["items"].clone();
    assert_eq!(by(&server, None, "POST", "/v1/backups", Some(json!({}))).status, 200, "now, below the data folder");
    assert_eq!(list().as_array().unwrap().len(), 1);
    assert_eq!(by(&server, None, "POST", "/v1/backups", Some(json!({}))).status, 200, "another within the same second");
    assert_eq!(list().as_array().unwrap().len(), 2);
    assert_eq!(by(&server, None, "GET", "/v1/status", None).json["backup_problem"], Value::Null);
    let set = json!({"backup_every_h": 24, "backup_keep": 2, "backup_folder": folder.to_str().unwrap()});
    assert_eq!(change(&server, set).status, 200);
    let there = || {
        let entries = std::fs::read_dir(&folder).unwrap().flatten();
        entries.filter(|one| one.path().join("server.db").exists()).count()
    };
    eventually("the first one", || there() == 1);
    for _ in 0..3 {
        let before = list()[0]["name"].clone();
        site.clock.advance(25 * HOUR_MS);
        eventually("the next one", || list()[0]["name"] != before);
    }
    eventually("the oldest are gone", || there() == 2);

    // The disk is away.
    std::fs::rename(&folder, disk.path().join("away")).unwrap();
    std::fs::write(&folder, "not a folder").unwrap();
    site.clock.advance(25 * HOUR_MS);
    let problem = || by(&server, None, "GET", "/v1/status", None).json["backup_problem"].clone();
    eventually("it is said", || problem().is_string());
    assert_eq!(server.get("/v1/status").json["backup_problem"], Value::Null, "to who is signed in only");
    std::fs::remove_file(&folder).unwrap();
    std::fs::rename(disk.path().join("away"), &folder).unwrap();
    assert_eq!(by(&server, None, "POST", "/v1/backups", Some(json!({}))).status, 200);
    assert_eq!(problem(), Value::Null);

    // One command makes a data folder of the newest one, elsewhere.
    let newest = list()[0]["name"].as_str().unwrap().to_owned();
    server.stop();
    let restored = disk.path().join("restored");
    local::restore(&folder.join(newest), &restored).unwrap();
    let moved = Running::start(ServeOptions { folder: restored, ..site.options() }).unwrap();
    assert_eq!(moved.get("/v1/status").json["activation"]["workstation_name"], "Hall 3");
    moved.stop();
}

#[test]
fn no_secret_and_no_name_is_in_a_support_bundle() {
    let site = Site::new();
    let logs = Logs::default();
    let server = Running::start(ServeOptions { logs: logs.clone(), ..site.options() }).unwrap();
    let crt = site.portal.crt(&server.request_file(), &site.portal.ten_seats(1));
    assert_eq!(server.admin("POST", "/v1/activation", Some(&crt)).status, 200);
    let planted = json!({"proxy": "http://proxyuser@proxy.example:3128", "proxy_password": "planted proxy secret"});
    let session = session(&server);
    assert_eq!(change(&server, planted).status, 200);
    let lists = json!({"deny_users": ["carla", "dd*"], "deny_hosts": ["carlasmac"], "public_url": "https://lic.brightframe.corp"});
    assert_eq!(change(&server, lists).status, 200);
    let lease = server.checkout("a-key-that-is-secret");
    let mut denied = ask();
    (denied["feature"], denied["user"], denied["host"]) =
        (json!("other.feature"), json!("wilhelmina"), json!("secret-ws-9"));
    server.checkout_with("k-denied", denied);
    let reset = local::reset_administrator(site.local()).unwrap();
    let key = std::fs::read_to_string(site.path().join("workstation.key")).unwrap();
    let (token, key) = (server.admin_token(), key.lines().nth(1).unwrap().to_owned());
    for line in [
        format!("INFO zoë at hall3-ws7 from 10.1.2.3:4711 showed {}", lease.str("secret")),
        format!("WARN proxy http://me:planted@proxy.example:3128 said planted proxy secret; bearer {session} {token}"),
        "INFO wilhelmina was denied peer=[fd77::2]:43472".to_owned(),
    ] {
        logs.remember(&line);
    }
    let bundle = |names: &str| by(&server, None, "GET", &format!("/v1/support-bundle?names={names}"), None);
    let secrets = [
        PASSWORD,
        "planted proxy secret",
        "me:planted",
        "argon2",
        lease.str("secret"),
        &session,
        &token,
        &reset,
        &key,
        "a-key-that-is-secret",
    ];
    let parts = ["about.json", "settings.json", "status.json", "database.json", "log.txt", "http://", "was denied"];
    for names in ["false", "true"] {
        let said = bundle(names);
        assert_eq!(said.status, 200, "{said:?}");
        for secret in secrets {
            assert!(!said.text.contains(secret), "{secret} is in the bundle");
        }
        for part in parts {
            assert!(said.text.contains(part), "{part} is missing");
        }
    }
    let without = bundle("false").text;
    let listed = ["carla", "dd*", "brightframe", "proxy.example"];
    for name in ["zoë", "hall3-ws7", "wilhelmina", "secret-ws-9", "10.1.2.3", "fd77::2"].iter().chain(&listed) {
        assert!(!without.contains(name), "{name} is in the bundle");
    }
    let with = bundle("true").text;
    for name in ["wilhelmina was denied", "[fd77::2]:43472"].iter().chain(&listed) {
        assert!(with.contains(name), "{name} was asked for");
    }
    assert!(by(&server, None, "GET", "/v1/audit", None).text.contains("support_bundle"));
}

#[test]
fn how_much_is_logged_changes_while_the_server_runs() {
    let site = Site::new();
    let levels = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&levels);
    let set = move |level: &str| {
        told.lock().unwrap().push(level.to_owned());
        Ok(())
    };
    let logs = Logs::new(set, None);
    let server = Running::start(ServeOptions { logs, ..site.options() }).unwrap();
    assert_eq!(change(&server, json!({"log": "loud"})).code(), "BAD_SETTING");
    assert_eq!(change(&server, json!({"log": "warn,leasehold_server=debug"})).status, 200);
    assert_eq!(change(&server, json!({"log": null})).status, 200);
    assert_eq!(*levels.lock().unwrap(), ["warn,leasehold_server=debug", "info"]);
    server.stop();
    let logs = Logs::new(|_| Ok(()), Some("trace".to_owned()));
    let server = Running::start(ServeOptions { logs, ..site.options() }).unwrap();
    assert_eq!(view(&server, "log")["fixed_in"], "LEASEHOLD_LOG");
}
