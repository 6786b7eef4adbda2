//! What a later version must keep working with: data folders and conversations of released versions, in `tests/compat`.
//!
//! A conversation is replayed word for word against the current services, which start on the folders of that version. An
//! answer may say more than it did then, never less, and nothing else. How they are recorded: `tests/compat/README.md`.

use crate::caller::{Caller, PASSWORD, make_operator, make_portal};
use crate::deployment::copy_folder;
use crate::online::{Site, Vendor};
use crate::service::{Service, leasehold, run, wait_for};
use leasehold_core::ids::{LicenseId, RequestId, WorkstationId};
use leasehold_core::random::Seeded;
use leasehold_core::sync::{Report, SYNC_VERSION, ServerFacts, SyncAnswer, SyncRequest};
use leasehold_core::time::{Clock, Ms};
use leasehold_host::SystemClock;
use leasehold_trust::activation_file::read_activation_file;
use leasehold_trust::request::{RequestFacts, build_request};
use leasehold_trust::secret::sha256_hex;
use leasehold_trust::sync::{sign_request, verify_answer};
use leasehold_trust::{SigningKey, VendorRoot};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// One request and its answer.
#[derive(Clone, Serialize, Deserialize)]
struct Exchange {
    /// What it shows.
    name: String,
    method: String,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<String>,
    /// What stood in `Authorization: Bearer`. Syncs are signed anew: their token is good for two days.
    #[serde(skip_serializing_if = "Option::is_none")]
    bearer: Option<String>,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    body: Value,
    status: u16,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    answer: Value,
    /// What a signed answer to a sync says.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    says: Value,
}

fn releases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/compat")
}

/// Every release that left something to keep working with.
fn recorded() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(releases()).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    assert!(!folders.is_empty(), "nothing is recorded");
    folders
}

fn read(folder: &Path, name: &str) -> Vec<Exchange> {
    serde_json::from_str(&std::fs::read_to_string(folder.join(name)).unwrap()).unwrap()
}

/// The portal and the license server of a release, on copies of their folders.
struct Old {
    portal: Service,
    site: Site,
    key: SigningKey,
    root: VendorRoot,
}

impl Old {
    fn start(release: &Path, folder: &Path) -> Old {
        for data in ["p", "s"] {
            copy_folder(&release.join(data), &folder.join(data));
            make_private(&folder.join(data));
        }
        let portal = Service::start(folder, "portal", "p", "127.0.0.1:0");
        std::fs::write(folder.join("s/server.toml"), format!("portal_url = \"http://{}\"\n", portal.address)).unwrap();
        let site = Site::start(folder, "s");
        wait_for("the seats of the old server", || {
            (site.held() == 4 && site.status()["online"]["state"] == "ok").then_some(())
        });
        let key = SigningKey::from_pkcs8_pem(&std::fs::read_to_string(release.join("workstation.key")).unwrap());
        let root = VendorRoot::from_pem(&std::fs::read_to_string(folder.join("p/keys/root.crt")).unwrap());
        Old { portal, site, key: key.unwrap(), root: root.unwrap() }
    }
}

/// As the services made it: Git keeps no permissions.
fn make_private(path: &Path) {
    let mode = if path.is_dir() { 0o700 } else { 0o600 };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    if path.is_dir() {
        std::fs::read_dir(path).unwrap().for_each(|entry| make_private(&entry.unwrap().path()));
    }
}

/// What stands in the place of a recorded word that is another one each time: an id, a token, a time.
#[derive(Default)]
struct Now(BTreeMap<String, String>);

impl Now {
    fn text(&self, text: &str) -> String {
        let mut said = text.to_owned();
        for (then, now) in &self.0 {
            said = said.replace(then.as_str(), now);
        }
        said
    }

    fn value(&self, value: &Value) -> Value {
        serde_json::from_str(&self.text(&value.to_string())).unwrap()
    }

    /// Where an answer says less than it did then, or something else.
    fn compare(&mut self, then: &Value, now: &Value, at: &str, wrong: &mut Vec<String>) {
        match (then, now) {
            (Value::Object(then), Value::Object(now)) => {
                for (name, then) in then {
                    let at = format!("{at}.{name}");
                    match now.get(name) {
                        Some(now) => self.compare(then, now, &at, wrong),
                        None => wrong.push(format!("{at} is missing")),
                    }
                }
            }
            (Value::Array(then), Value::Array(now)) if then.len() == now.len() => {
                for (n, (then, now)) in then.iter().zip(now).enumerate() {
                    self.compare(then, now, &format!("{at}[{n}]"), wrong);
                }
            }
            (Value::String(then), Value::String(now)) => {
                let kind = kind(then);
                if kind == "word" && !is_prose(at) && then != now || kind != self::kind(now) && !is_prose(at) {
                    wrong.push(format!("{at} is {now:?} and was {then:?}"));
                }
                if kind != "word" && kind != "time" && then != now {
                    self.0.insert(then.clone(), now.clone());
                }
            }
            (then, now) if then == now || is_measured(at) && then.is_number() && now.is_number() => {}
            (then, now) => wrong.push(format!("{at} is {now} and was {then}")),
        }
    }
}

/// Whether all that was said then is in what is understood now, word for word; there may be more.
fn says_at_least(then: &Value, now: &Value) -> bool {
    match (then, now) {
        (Value::Object(then), Value::Object(now)) => {
            then.iter().all(|(name, then)| now.get(name).is_some_and(|now| says_at_least(then, now)))
        }
        (Value::Array(then), Value::Array(now)) => {
            then.len() == now.len() && then.iter().zip(now).all(|(then, now)| says_at_least(then, now))
        }
        (then, now) => then == now,
    }
}

/// For people, and not promised word for word; or of the day on which the folder is started.
fn is_prose(at: &str) -> bool {
    let name = at.rsplit('.').next().unwrap_or_default();
    matches!(name, "title" | "detail" | "what_to_do" | "who" | "what" | "version" | "host" | "at_start")
}

/// Another number each time.
fn is_measured(at: &str) -> bool {
    let name = at.rsplit('.').next().unwrap_or_default();
    matches!(name, "wall_ahead_s" | "off_by_s" | "rev" | "bell" | "id" | "seq")
}

fn kind(text: &str) -> &'static str {
    let all = |allowed: fn(char) -> bool| text.chars().all(allowed);
    let id = text.split_once('_').is_some_and(|(_, hex)| hex.len() == 32 && hex.chars().all(|c| c.is_ascii_hexdigit()));
    let is_time = text.len() >= 20 && text.ends_with('Z') && text.as_bytes().get(10) == Some(&b'T');
    match text.len() {
        _ if id => "id",
        _ if is_time => "time",
        64 if all(|c| c.is_ascii_hexdigit()) => "hash",
        95 if all(|c| c.is_ascii_hexdigit() || c == ':') => "fingerprint",
        _ if text.starts_with("http://127.0.0.1:") => "address",
        40.. if all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) => "token",
        _ => "word",
    }
}

/// Sends what was said then; whatever of the answer is not as it was.
fn replay(caller: &Caller, exchange: &Exchange, bearer: Option<&str>, now: &mut Now, wrong: &mut Vec<String>) -> Value {
    let caller = bearer.map_or_else(|| caller.anonymous(), |bearer| caller.with_token(bearer));
    let body = Some(now.value(&exchange.body)).filter(|body| !body.is_null());
    let path = now.text(&exchange.path);
    let (status, answer) = caller.told(&exchange.method, &path, exchange.idempotency_key.as_deref(), body.as_ref());
    let at = format!("{}: {} {}", exchange.name, exchange.method, exchange.path);
    if status != exchange.status {
        wrong.push(format!("{at} answers {status} and answered {}: {answer}", exchange.status));
    }
    now.compare(&exchange.answer, &answer, &at, wrong);
    answer
}

fn seen(wrong: &[String], release: &Path) {
    assert!(wrong.is_empty(), "{} is not kept:\n{}", release.display(), wrong.join("\n"));
}

#[test]
fn applications_and_administrators_of_released_versions_are_answered_as_they_were() {
    for release in recorded() {
        let folder = tempfile::tempdir().unwrap();
        let old = Old::start(&release, folder.path());
        let (mut now, mut wrong) = (Now::default(), Vec::new());
        for exchange in read(&release, "v1.json") {
            let bearer = exchange.bearer.as_ref().map(|bearer| now.text(bearer));
            replay(&old.site.caller, &exchange, bearer.as_deref(), &mut now, &mut wrong);
        }
        seen(&wrong, &release);
    }
}

#[test]
fn license_servers_of_released_versions_sync_as_they_did() {
    for release in recorded() {
        let folder = tempfile::tempdir().unwrap();
        let old = Old::start(&release, folder.path());
        let caller = Caller::new(&old.portal.address, None);
        let (mut now, mut wrong) = (Now::default(), Vec::new());
        let mut answers = BTreeMap::new();
        for exchange in read(&release, "sync.json") {
            let (body, key) = (exchange.body.to_string(), signer(&exchange, &old.key));
            let workstation = workstation_of(&exchange);
            let body_signed = if exchange.body.is_null() { "" } else { &body };
            let seq = exchange.body["seq"].as_u64().unwrap_or(0);
            let wall = SystemClock::new().wall();
            let token = sign_request(&key, workstation, seq, body_signed.as_bytes(), wall);
            let answer = replay(&caller, &exchange, Some(&token), &mut now, &mut wrong);
            if let Some(answer) = answer["answer"].as_str() {
                let said = verify_answer(answer, &old.root, workstation, &sha256_hex(body.as_bytes())).unwrap();
                now.compare(&exchange.says, &json!(said), &exchange.name, &mut wrong);
                answers.insert(exchange.name.clone(), answer.to_owned());
            }
            // And what was answered then is understood now.
            if let Some(then) = exchange.answer["answer"].as_str() {
                let said = verify_answer(then, &old.root, workstation, &sha256_hex(body.as_bytes())).unwrap();
                assert!(says_at_least(&exchange.says, &json!(said)), "{said:?}");
                let _: SyncRequest = serde_json::from_str(&body).unwrap();
            }
        }
        assert_eq!(answers["a sync"], answers["the same sync again"], "a repetition gets the same answer");
        seen(&wrong, &release);
    }
}

#[test]
fn data_folders_of_released_versions_go_on() {
    for release in recorded() {
        let folder = tempfile::tempdir().unwrap();
        let old = Old::start(&release, folder.path());
        let site = &old.site;
        let (status, lease) = site.caller.told("POST", "/v1/leases", Some("taken"), Some(&seat("taken")));
        assert_eq!(status, 201, "{lease}");
        site.give_back(&lease);
        // The portal knows everybody and everything.
        let nobody = Caller::new(&old.portal.address, None);
        let sign_in = |email: &str| {
            let form = json!({ "email": email, "password": PASSWORD });
            let token = nobody.expect(201, "POST", "/api/v1/sessions", Some(&form))["token"].clone();
            nobody.with_token(token.as_str().unwrap())
        };
        let owner = sign_in("owner@studio.example");
        let licenses = owner.expect(200, "GET", "/api/v1/licenses", None);
        let license = &licenses["items"][0];
        assert_eq!((&license["seats"], &license["seats_assigned"]), (&json!(5), &json!(1)), "{licenses}");
        let operator = sign_in("op@acme.example");
        let workstations = operator.expect(200, "GET", "/api/v1/workstations", None);
        assert_eq!(workstations["items"].as_array().unwrap().len(), 2, "{workstations}");
        // Another seat is sold, and arrives.
        let change = json!({ "seats": 6 });
        let path = format!("/api/v1/licenses/{}", license["id"].as_str().unwrap());
        operator.expect(200, "PATCH", &path, Some(&change));
        wait_for("the sixth seat", || (site.held() == 5).then_some(()));
        // Both folders can be backed up and restored.
        run(folder.path(), &["portal", "backup", "--data", "p", "--to", "pb"]);
        run(folder.path(), &["server", "backup", "--data", "s", "--to", "sb"]);
        run(folder.path(), &["server", "restore", "--from", "sb", "--data", "r"]);
    }
}

fn seat(key: &str) -> Value {
    json!({
        "feature": "studio.gui", "seats": 1, "version": "1", "released_on": "2026-11-01", "user": "ada", "host": "h",
        "host_id": "m", "boot_id": key, "pid": 1, "nonce": format!("nonce-{key}"),
    })
}

fn signer(exchange: &Exchange, key: &SigningKey) -> SigningKey {
    if exchange.name.contains("another key") { SigningKey::generate() } else { key.clone() }
}

fn workstation_of(exchange: &Exchange) -> WorkstationId {
    exchange.bearer.as_ref().and_then(|id| id.parse().ok()).expect("the workstation stands in the place of the token")
}

/// Records what this version does, for `cargo xtask record`; otherwise it has nothing to do.
#[test]
fn what_this_version_does_is_recorded_when_asked_for() {
    if std::env::var_os("LEASEHOLD_COMPAT_RECORD").is_none() {
        return;
    }
    let release = releases().join(env!("CARGO_PKG_VERSION"));
    assert!(!release.exists(), "{} is there already, and must not change", release.display());
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let other = make_folders(folder);
    std::fs::create_dir_all(&release).unwrap();
    for data in ["p", "s"] {
        copy_folder(&folder.join(data), &release.join(data));
    }
    for leftover in ["p/lock", "s/lock", "s/admin.address", "s/admin.token"] {
        let _ = std::fs::remove_file(release.join(leftover));
    }
    std::fs::write(release.join("workstation.key"), other.key.to_pkcs8_pem()).unwrap();

    let again = tempfile::tempdir().unwrap();
    let old = Old::start(&release, again.path());
    write(&release, "v1.json", &record_v1(&old.site.caller));
    let again = tempfile::tempdir().unwrap();
    let old = Old::start(&release, again.path());
    write(&release, "sync.json", &record_sync(&old, &other));
}

fn write(release: &Path, name: &str, exchanges: &[Exchange]) {
    std::fs::write(release.join(name), serde_json::to_string_pretty(exchanges).unwrap() + "\n").unwrap();
}

/// A license server that is only its key.
struct Other {
    key: SigningKey,
    workstation: WorkstationId,
    document: String,
    rev: u64,
    license: LicenseId,
}

/// A portal `p` with an organization, five perpetual seats of which one is ada's, a server `s` with the other four and
/// an administrator, and ada's own server, which is only a key.
fn make_folders(folder: &Path) -> Other {
    make_portal(folder);
    make_operator(folder);
    let vendor = Vendor::of(folder, Service::start(folder, "portal", "p", "127.0.0.1:0"));
    let (owner, administrator) = vendor.account("owner");
    let (ada, hers) = vendor.account("ada");
    let license = vendor.sell_for(&owner, 5, &json!({ "term": "perpetual", "maintenance_until": "2100-01-01" }));
    let organizations = administrator.expect(200, "GET", "/api/v1/organizations", None);
    let members = format!("/api/v1/organizations/{}/members", organizations["items"][0]["id"].as_str().unwrap());
    administrator.expect(201, "POST", &members, Some(&json!({ "email": "ada@studio.example" })));
    let join = format!("/api/v1/me/organizations/{}", organizations["items"][0]["id"].as_str().unwrap());
    hers.expect(204, "PUT", &join, None);
    let assignment = format!("/api/v1/licenses/{license}/assignments/{}", ada.as_str().unwrap());
    administrator.expect(200, "PUT", &assignment, Some(&json!({ "seats": 1 })));

    std::fs::create_dir(folder.join("s")).unwrap();
    let url = format!("portal_url = \"http://{}\"\n", vendor.portal.address);
    std::fs::write(folder.join("s/server.toml"), url).unwrap();
    let (told, secret) = (folder.join("s.address"), folder.join("setup-secret"));
    let arguments = ["server", "serve", "--data", "s", "--listen", "127.0.0.1:0", "--address-file"];
    let mut command = leasehold(folder, &arguments);
    command.arg(&told).arg("--setup-secret-file").arg(&secret).stdout(Stdio::null()).stderr(Stdio::null());
    let service = Service::ready(&mut command, &told);
    let caller = Caller::new(&service.address, None);
    let setup = json!({ "secret": std::fs::read_to_string(&secret).unwrap().trim(), "password": PASSWORD });
    caller.told("POST", "/v1/setup", None, Some(&setup));
    let site = Site { data: "s".into(), service, caller };
    vendor.enable(&site, "owner", "organization");
    assert_eq!(site.held(), 4);

    let (key, now) = (SigningKey::generate(), SystemClock::new().wall());
    let facts = RequestFacts {
        request: RequestId::draw(now, &mut Seeded::new(1)),
        issued_at: now.floor_to_second(),
        fingerprint: String::new(),
        server_version: env!("CARGO_PKG_VERSION").to_owned(),
        rev_in_use: None,
        vendor: None,
        host_name: "desk".to_owned(),
    };
    let wish = json!({ "request": build_request(&key, &facts), "scope": "person" });
    let enabled = hers.expect(201, "POST", "/api/v1/workstations/online", Some(&wish));
    let file = enabled["activation_file"].as_str().unwrap().as_bytes().to_vec();
    let grant = read_activation_file(&file, None, &key.public(), None, now).unwrap().grant;
    for mut service in [site.service, vendor.portal] {
        service.stop();
    }
    for log in ["p/portal.db-wal", "s/server.db-wal"] {
        assert!(!folder.join(log).exists(), "{log}: a service that has ended leaves a file that is whole");
    }
    let license = license.parse().unwrap();
    Other { key, workstation: grant.grant.workstation, document: grant.token, rev: grant.grant.rev, license }
}

fn record_v1(caller: &Caller) -> Vec<Exchange> {
    let mut said: Vec<Exchange> = Vec::new();
    let mut say = |name: &str, method: &str, path: &str, key: Option<&str>, bearer: Option<&str>, body: Value| {
        let from = bearer.map_or_else(|| caller.anonymous(), |bearer| caller.with_token(bearer));
        let sent = Some(&body).filter(|body| !body.is_null());
        let (status, answer) = from.told(method, path, key, sent);
        said.push(Exchange {
            name: name.to_owned(),
            method: method.to_owned(),
            path: path.to_owned(),
            idempotency_key: key.map(str::to_owned),
            bearer: bearer.map(str::to_owned),
            body,
            status,
            answer: answer.clone(),
            says: Value::Null,
        });
        answer
    };
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let leases = "/v1/leases";
    say("somebody is there", "GET", "/v1/ping", None, None, Value::Null);
    say("the totals", "GET", "/v1/status", None, None, Value::Null);
    let lease = say("a checkout", "POST", leases, Some("c1"), None, seat("c1"));
    say("the same checkout again", "POST", leases, Some("c1"), None, seat("c1"));
    say("the same key, another request", "POST", leases, Some("c1"), None, seat("c2"));
    say("a checkout without a key", "POST", leases, None, None, seat("c3"));
    say("a checkout that is none", "POST", leases, Some("c4"), None, json!({ "feature": 1 }));
    let unknown = json!({ "feature": "studio.none", "seats": 1, "user": "ada", "host": "h", "nonce": "nonce-c5" });
    say("a feature that nobody has", "POST", leases, Some("c5"), None, unknown);
    let mut many = seat("c6");
    many["seats"] = json!(40);
    say("more seats than there are", "POST", leases, Some("c6"), None, many);
    let (id, secret) = (text(&lease["lease"]), text(&lease["secret"]));
    let beat = format!("/v1/leases/{id}/heartbeat");
    let nth = |n: u64, nonce: &str| json!({ "n": n, "nonce": nonce });
    say("a heartbeat", "POST", &beat, None, Some(&secret), nth(1, "nonce-h1"));
    say("the same heartbeat again", "POST", &beat, None, Some(&secret), nth(1, "nonce-h1"));
    say("a heartbeat with another's secret", "POST", &beat, None, Some("no-secret"), nth(2, "nonce-h2"));
    say("a heartbeat without a secret", "POST", &beat, None, None, nth(2, "nonce-h2"));
    let resume = json!({
        "n": 2, "nonce": "nonce-r2", "key": "c1", "checkout": seat("c1"), "token": lease["token"],
    });
    say("a resume", "POST", &format!("/v1/leases/{id}/resume"), None, Some(&secret), resume);
    say("a heartbeat that is too old", "POST", &beat, None, Some(&secret), nth(1, "nonce-h3"));
    say("the document", "GET", &format!("/v1/grants/{}", text(&lease["grant_sha256"])), None, None, Value::Null);
    let second = say("a second checkout", "POST", leases, Some("c7"), None, seat("c7"));
    let (other, hers) = (text(&second["lease"]), text(&second["secret"]));
    say("a checkin", "DELETE", &format!("/v1/leases/{other}"), None, Some(&hers), Value::Null);
    say("the same checkin again", "DELETE", &format!("/v1/leases/{other}"), None, Some(&hers), Value::Null);
    let gone = format!("/v1/leases/{other}/heartbeat");
    say("a heartbeat of what was given back", "POST", &gone, None, Some(&hers), nth(1, "nonce-h4"));
    say("a key that nobody used", "DELETE", "/v1/leases?key=never", None, None, Value::Null);
    say("who holds what, asked by nobody", "GET", leases, None, None, Value::Null);
    say("a request file, asked for by nobody", "GET", "/v1/activation/request", None, None, Value::Null);
    let setup = json!({ "secret": "wrong", "password": PASSWORD });
    say("a setup with a wrong secret", "POST", "/v1/setup", None, None, setup);
    let wrong = json!({ "password": "not the password" });
    say("a wrong password", "POST", "/v1/sessions", None, None, wrong);
    let signed_in = say("a sign-in", "POST", "/v1/sessions", None, None, json!({ "password": PASSWORD }));
    let token = text(&signed_in["token"]);
    say("who holds what", "GET", leases, None, Some(&token), Value::Null);
    say("the totals, for the administrator", "GET", "/v1/status", None, Some(&token), Value::Null);
    say("the newest event", "GET", "/v1/events?limit=1", None, Some(&token), Value::Null);
    say("a refresh", "POST", "/v1/online/refresh", None, Some(&token), Value::Null);
    say("a setting", "PATCH", "/v1/settings", None, Some(&token), json!({ "usage_open": true }));
    say("a setting that is none", "PATCH", "/v1/settings", None, Some(&token), json!({ "none": true }));
    say("a file that is none", "POST", "/v1/activation", None, Some(&token), json!({ "none": 1 }));
    say("the end of the sign-in", "DELETE", "/v1/sessions", None, Some(&token), Value::Null);
    say("a path that is none", "GET", "/v1/none", None, None, Value::Null);
    said
}

fn record_sync(old: &Old, other: &Other) -> Vec<Exchange> {
    let caller = Caller::new(&old.portal.address, None);
    let mut said: Vec<Exchange> = Vec::new();
    let mut say = |name: &str, method: &str, path: &str, body: Value| {
        let (text, wall) = (body.to_string(), SystemClock::new().wall());
        let signed = if body.is_null() { "" } else { &text };
        let mut exchange = Exchange {
            name: name.to_owned(),
            method: method.to_owned(),
            path: path.to_owned(),
            idempotency_key: None,
            bearer: Some(other.workstation.to_string()),
            body: body.clone(),
            status: 0,
            answer: Value::Null,
            says: Value::Null,
        };
        let seq = body["seq"].as_u64().unwrap_or(0);
        let token = sign_request(&signer(&exchange, &other.key), other.workstation, seq, signed.as_bytes(), wall);
        let sent = Some(&body).filter(|body| !body.is_null());
        (exchange.status, exchange.answer) = caller.with_token(&token).told(method, path, None, sent);
        if let Some(answer) = exchange.answer["answer"].as_str() {
            let says: SyncAnswer =
                verify_answer(answer, &old.root, other.workstation, &sha256_hex(text.as_bytes())).unwrap();
            exchange.says = json!(says);
        }
        said.push(exchange);
    };
    let report = Report { keep: 1, used: 1, idle: 0, want: 0, waiting: 0, peak: 1 };
    let request = SyncRequest {
        v: SYNC_VERSION,
        workstation: other.workstation,
        seq: 1,
        prev: String::new(),
        rev: other.rev,
        document: other.document.clone(),
        now: Ms(SystemClock::new().wall().0).floor_to_second(),
        draining: false,
        server: ServerFacts {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            host: "desk".to_owned(),
            machine: "f".repeat(32),
            process: "first".to_owned(),
        },
        licenses: BTreeMap::from([(other.license, report)]),
        running_out: None,
    };
    let path = "/api/v1/sync";
    say("a sync signed by another key", "POST", path, json!(request));
    say("a sync", "POST", path, json!(request));
    say("the same sync again", "POST", path, json!(request));
    let copy =
        SyncRequest { server: ServerFacts { process: "second".into(), ..request.server.clone() }, ..request.clone() };
    say("a copy of the server", "POST", path, json!(copy));
    say("a sync that is none", "POST", path, json!({ "seq": 2 }));
    say("the bell", "GET", "/api/v1/sync/wait?since=999999", Value::Null);
    said
}
