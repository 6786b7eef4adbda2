//! A portal and a license server, each a process of the real binary, with believable customers and numbers.

use super::proxy::{Doors, Nginx};
use leasehold_core::ids::RequestId;
use leasehold_core::time::{Clock, DAY_MS, Ms};
use leasehold_host::{OsRandom, SystemClock};
use leasehold_trust::SigningKey;
use leasehold_trust::request::{RequestFacts, build_request};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;
use tempfile::TempDir;

/// Password of everybody: the operator, the customer, and the administrator of the server.
pub(super) const PASSWORD: &str = "seventeen green ladders";
/// Who sells.
pub(super) const OPERATOR: &str = "olga@nimbus.example";
/// Who buys.
pub(super) const CUSTOMER: &str = "ada@northlight.example";
/// Name that the customer gives to the license server.
pub(super) const WORKSTATION: &str = "Studio floor 2";

const BOUND: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);

/// What `cargo xtask test` tells the tests, or a sentence that says so.
pub(super) fn given(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: run this with `cargo xtask test`, which starts what browser tests need")
    })
}

/// A process of the binary; ended with the test.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What was sold.
struct Sold {
    code: &'static str,
    name: &'static str,
    share: &'static str,
    features: &'static [&'static str],
    seats: u32,
}

const SOLD: &[Sold] = &[
    Sold {
        code: "nimbus-animate",
        name: "Nimbus Animate",
        share: "user_host",
        features: &["animate.gui", "animate.simulate"],
        seats: 40,
    },
    Sold { code: "nimbus-paint", name: "Nimbus Paint", share: "none", features: &["paint.gui"], seats: 12 },
    Sold { code: "nimbus-render", name: "Nimbus Render", share: "none", features: &["render.node"], seats: 120 },
];

/// Feature, user, machine, release.
const HOLDERS: &[(&str, &str, &str, &str)] = &[
    ("animate.gui", "mira.olsen", "nl-ws-014", "8.2.1"),
    ("animate.gui", "jonas.weber", "nl-ws-021", "8.2.1"),
    ("animate.simulate", "priya.nair", "nl-ws-009", "8.1.4"),
    ("animate.gui", "tomasz.zielinski", "nl-ws-033", "8.2.0"),
    ("paint.gui", "elena.rossi", "nl-ws-003", "5.0.2"),
    ("render.node", "render", "nl-render-01", "8.2.1"),
    ("render.node", "render", "nl-render-02", "8.2.1"),
];

/// Both services.
pub(super) struct Site {
    // Before the folder, so that they end before it goes.
    portal_process: RefCell<Option<Serving>>,
    _server: Serving,
    _nginx: Option<Nginx>,
    folder: TempDir,
    /// Where programs ask the portal: `http://` and the address.
    portal_api: String,
    /// Where programs ask the server: `http://` and the address.
    server_api: String,
    /// Where people open the portal.
    pub(super) portal: String,
    /// Where people open the server.
    pub(super) server: String,
    /// What the server printed for its first start.
    pub(super) setup_secret: String,
    /// The customer's account.
    pub(super) account: String,
    /// Products and licenses in the order of their names.
    pub(super) products: Vec<String>,
    pub(super) licenses: Vec<String>,
}

impl Site {
    /// A portal where licenses were sold, and a server nobody has set up.
    pub(super) fn start() -> Site {
        Site::start_behind(None, None)
    }

    /// The same, and people come in through nginx, which does HTTPS.
    pub(super) fn start_behind_nginx() -> Site {
        Site::start_behind(Some(Doors::choose()), None)
    }

    /// The same, and nginx says that everybody comes from another machine.
    pub(super) fn start_far_away(from: &str) -> Site {
        Site::start_behind(Some(Doors::choose()), Some(from))
    }

    fn start_behind(doors: Option<Doors>, from: Option<&str>) -> Site {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        run(at, &["portal", "init", "--vendor", "Nimbus Software", "--data", "portal"], "root key passphrase\n");
        let operator =
            ["portal", "admin", "create-operator", "--data", "portal", "--email", OPERATOR, "--name", "Olga Brandt"];
        run(at, &operator, &format!("{PASSWORD}\n"));
        let reached_by = |url: &str| format!("public_url = \"{url}\"\ntrusted_proxies = [\"127.0.0.1\"]\n");
        if let Some(doors) = &doors {
            let mut settings = File::options().append(true).open(at.join("portal/portal.toml")).unwrap();
            settings.write_all(reached_by(&doors.portal()).as_bytes()).unwrap();
        }
        let (serving_portal, portal_api) = serve(at, "portal", &[]);
        let portal = doors.as_ref().map_or_else(|| portal_api.clone(), Doors::portal);

        std::fs::create_dir(at.join("server")).unwrap();
        let more = doors.as_ref().map_or_else(String::new, |doors| reached_by(&doors.server()));
        std::fs::write(at.join("server/server.toml"), format!("portal_url = \"{portal}\"\n{more}")).unwrap();
        let (serving_server, server_api) = serve(at, "server", &["--setup-secret-file", "setup-secret"]);
        let setup_secret = std::fs::read_to_string(at.join("setup-secret")).unwrap().trim().to_owned();

        let nginx = doors.as_ref().map(|doors| Nginx::start(at, doors, &portal_api, &server_api, from));
        let mut site = Site {
            portal_process: RefCell::new(Some(serving_portal)),
            _server: serving_server,
            _nginx: nginx,
            portal,
            server: doors.as_ref().map_or_else(|| server_api.clone(), Doors::server),
            folder,
            portal_api,
            server_api,
            setup_secret,
            account: String::new(),
            products: Vec::new(),
            licenses: Vec::new(),
        };
        site.sell();
        site
    }

    /// The portal's machine is switched off.
    pub(super) fn stop_portal(&self) {
        self.portal_process.take();
    }

    /// A command about the license server that is refused: what it says.
    pub(super) fn server_says(&self, arguments: &[&str]) -> String {
        let (verb, rest) = arguments.split_at(arguments.len().min(2));
        let all = [&["server"], verb, &["--data", "server"], rest].concat();
        let output = command(self.folder.path(), &all).output().unwrap();
        assert!(!output.status.success(), "it was done");
        format!("{}{}", String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout))
    }

    /// A form that a program sends to the portal, and what it is answered.
    pub(super) fn as_program(&self, path: &str, form: &str) -> (u16, Value) {
        let request = ureq::http::Request::post(format!("{}{path}", self.portal));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let (_, status, text) = answer(request, "", form.to_owned());
        (status, serde_json::from_str(&text).unwrap())
    }

    fn sell(&mut self) {
        let token = self.token(OPERATOR);
        let account = json!({ "email": CUSTOMER, "name": "Northlight Pictures", "password": PASSWORD });
        self.account = id(&self.ask("accounts", &token, &account));
        let until = in_days(400).utc_date().to_string();
        for sold in SOLD {
            let features: serde_json::Map<_, _> =
                sold.features.iter().map(|code| ((*code).to_owned(), json!(1))).collect();
            let product = json!({ "code": sold.code, "name": sold.name, "share": sold.share, "features": features });
            let product = id(&self.ask("products", &token, &product));
            let license = json!({
                "owner": self.account, "product": product, "seats": sold.seats, "kind": "floating",
                "channel": "commercial", "term": { "term": "subscription", "until": until },
            });
            self.licenses.push(id(&self.ask("licenses", &token, &license)));
            self.products.push(product);
        }
    }

    /// A token of somebody at the portal.
    pub(super) fn token(&self, email: &str) -> String {
        let answer = self.ask("sessions", "", &json!({ "email": email, "password": PASSWORD }));
        answer["token"].as_str().unwrap().to_owned()
    }

    fn ask(&self, path: &str, token: &str, body: &Value) -> Value {
        post(&format!("{}/api/v1/{path}", self.portal_api), token, body)
    }

    /// Everything in use: the server set up, activated and giving seats, other workstations beside it. Answers the id
    /// of the server's workstation.
    pub(super) fn fill(&self) -> String {
        post(
            &format!("{}/v1/setup", self.server_api),
            "",
            &json!({ "secret": self.setup_secret, "password": PASSWORD }),
        );
        let token = self.token(CUSTOMER);
        let workstation = self.activate(&token, &self.request_file(), WORKSTATION, [24, 8, 80], 180);
        let file = get(&format!("{}/api/v1/workstations/{workstation}/certificate", self.portal_api), &token);
        run(self.folder.path(), &["server", "import", "--data", "server", "-"], &file);
        self.activate(&token, &foreign_request("nl-lic-berlin"), "Berlin office", [8, 4, 0], 90);
        self.activate(&token, &foreign_request("nl-cave-01"), "On-set trailer", [2, 0, 0], 10);
        let sold_off = self.activate(&token, &foreign_request("nl-lic-old"), "Old render room", [0, 0, 20], 45);
        self.ask(&format!("workstations/{sold_off}/revoke"), &token, &Value::Null);
        for (i, (feature, user, host, version)) in HOLDERS.iter().enumerate() {
            self.take_seat(i, feature, user, host, version);
        }
        workstation
    }

    fn activate(&self, token: &str, request: &str, name: &str, seats: [u32; 3], days: i64) -> String {
        let until = in_days(days).rfc3339();
        let lines: Vec<Value> = self
            .licenses
            .iter()
            .zip(seats)
            .filter(|(_, seats)| *seats > 0)
            .map(|(license, seats)| json!({ "license": license, "seats": seats, "until": until }))
            .collect();
        let wish = json!({ "request": request, "name": name, "lines": lines });
        id(&self.ask("workstations", token, &wish)["workstation"])
    }

    /// The request file, by the command line.
    pub(super) fn request_file(&self) -> String {
        run(self.folder.path(), &["server", "request", "--data", "server"], "")
    }

    /// As an application does; answers the lease.
    pub(super) fn take_seat(&self, number: usize, feature: &str, user: &str, host: &str, version: &str) -> Value {
        let lease = self.ask_for_seat(number, feature, user, host, version);
        assert!(lease["lease"].is_string(), "{lease}");
        lease
    }

    /// The same; what the server says, a refusal too.
    pub(super) fn ask_for_seat(&self, number: usize, feature: &str, user: &str, host: &str, version: &str) -> Value {
        let checkout = json!({
            "feature": feature, "user": user, "host": host, "host_id": format!("machine-{host}"), "boot_id": "boot",
            "pid": 4000 + number, "version": version, "nonce": format!("nonce-{number}"),
        });
        let request = posted(&format!("{}/v1/leases", self.server_api));
        serde_json::from_str(&tell(request, "", checkout.to_string())).unwrap()
    }

    /// A command on a laptop that has the vendor's root and no way to a license server.
    pub(super) fn at_laptop(&self, arguments: &[&str]) -> String {
        let (command, rest) = arguments.split_first().unwrap();
        let root = self.path("portal/keys/root.crt");
        let trusted = [&[*command, "--trust", root.to_str().unwrap()], rest].concat();
        run(self.folder.path(), &trusted, "")
    }

    /// The administrator answers a request file, on the machine of the server.
    pub(super) fn lend_again(&self, request: &str) {
        run(self.folder.path(), &["server", "lend", "--data", "server", request], "");
    }

    /// A pass for a laptop; which.
    pub(super) fn lend_out(&self, feature: &str) -> String {
        self.at_laptop(&["borrow", feature, "--days", "5", "--request", "other.pem"]);
        let pass = run(self.folder.path(), &["server", "lend", "--data", "server", "other.pem"], "");
        std::fs::write(self.path("other-pass.pem"), pass).unwrap();
        let passes = run(self.folder.path(), &["server", "passes", "--data", "server", "--json"], "");
        let passes: Value = serde_json::from_str(&passes).unwrap();
        passes[0]["pass"].as_str().unwrap_or_else(|| panic!("no pass in {passes}")).to_owned()
    }

    /// One more license of the last product.
    pub(super) fn sell_more(&self, seats: u32) {
        let license = json!({
            "owner": self.account, "product": self.products.last(), "seats": seats, "kind": "floating",
            "channel": "commercial", "term": { "term": "subscription", "until": in_days(400).utc_date().to_string() },
        });
        self.ask("licenses", &self.token(OPERATOR), &license);
    }

    /// So many seats of each license of a product may be written off within a year.
    pub(super) fn allow_write_offs(&self, product: usize, seats: u32) {
        let url = format!("{}/api/v1/products/{}", self.portal_api, self.products[product]);
        let request = ureq::http::Request::patch(url).header("content-type", "application/json");
        send(request, &self.token(OPERATOR), json!({ "write_offs": seats }).to_string());
    }

    /// The newest activation file of a workstation, as a file.
    pub(super) fn crt(&self, workstation: &str) -> PathBuf {
        let url = format!("{}/api/v1/workstations/{workstation}/certificate", self.portal_api);
        let path = self.path("before.crt.kept");
        std::fs::write(&path, get(&url, &self.token(CUSTOMER))).unwrap();
        path
    }

    /// Another person with an account.
    pub(super) fn person(&self, email: &str, name: &str) {
        let account = json!({ "email": email, "name": name, "password": PASSWORD });
        self.ask("accounts", &self.token(OPERATOR), &account);
    }

    /// What stands in the link of the newest letter to an address, as operators read it where no mail server is set.
    pub(super) fn letter_link(&self, to: &str) -> String {
        let mails: Value =
            serde_json::from_str(&get(&format!("{}/api/v1/mails", self.portal_api), &self.token(OPERATOR))).unwrap();
        let letter = mails["items"].as_array().unwrap().iter().find(|letter| letter["to"] == to).unwrap();
        let body = letter["body"].as_str().unwrap();
        let start = body.find("?token=").unwrap() + 7;
        body[start..].split_whitespace().next().unwrap().to_owned()
    }

    /// Holds on to a seat; what the server says.
    pub(super) fn beat(&self, lease: &Value) -> Value {
        let (id, secret) = (lease["lease"].as_str().unwrap(), lease["secret"].as_str().unwrap());
        let request = ureq::http::Request::post(format!("{}/v1/leases/{id}/heartbeat", self.server_api))
            .header("content-type", "application/json");
        let body = json!({ "n": 1, "nonce": "nonce-beat" }).to_string();
        serde_json::from_str(&tell(request, secret, body)).unwrap()
    }

    /// As the application does when it ends.
    pub(super) fn give_back(&self, lease: &Value) {
        let (id, secret) = (lease["lease"].as_str().unwrap(), lease["secret"].as_str().unwrap());
        let request = ureq::http::Request::delete(format!("{}/v1/leases/{id}", self.server_api));
        send(request, secret, String::new());
    }

    /// What the server holds; without what changes by itself.
    pub(super) fn held(&self) -> Value {
        let status: Value = serde_json::from_str(&get(&format!("{}/v1/status", self.server_api), "")).unwrap();
        json!([status["activation"], status["features"], status["state"]])
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn id(of: &Value) -> String {
    of["id"].as_str().unwrap_or_else(|| panic!("no id in {of}")).to_owned()
}

fn in_days(days: i64) -> Ms {
    Ms(SystemClock::new().wall().0 + days * DAY_MS).floor_to_second()
}

/// The request file of a server that is elsewhere.
fn foreign_request(host: &str) -> String {
    let now = SystemClock::new().wall();
    let facts = RequestFacts {
        request: RequestId::draw(now, &mut OsRandom),
        issued_at: now.floor_to_second(),
        fingerprint: "f".repeat(32),
        server_version: env!("CARGO_PKG_VERSION").to_owned(),
        rev_in_use: None,
        vendor: None,
        host_name: host.to_owned(),
    };
    build_request(&SigningKey::generate(), &facts)
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(given("LEASEHOLD_TEST_BIN"));
    for name in ["LEASEHOLD_SERVERS", "LEASEHOLD_TRUST", "LEASEHOLD_LOG", "LEASEHOLD_CONFIG"] {
        command.env_remove(name);
    }
    command.args(arguments).current_dir(folder).env("HOME", folder);
    command
}

/// Runs a command with `input` on its standard input; answers what it printed.
fn run(folder: &Path, arguments: &[&str], input: &str) -> String {
    let mut command = command(folder, arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Starts `leasehold WHAT serve` on a free port and waits until it takes requests.
fn serve(folder: &Path, what: &str, more: &[&str]) -> (Serving, String) {
    let (address, log) = (folder.join(format!("{what}.address")), folder.join(format!("{what}.log")));
    let mut command = command(folder, &[what, "serve", "--data", what, "--listen", "127.0.0.1:0"]);
    command.args(more).arg("--address-file").arg(&address);
    let out = File::create(&log).unwrap();
    command.stdin(Stdio::null()).stdout(out.try_clone().unwrap()).stderr(out);
    let mut serving = Serving(command.spawn().unwrap());
    let (_keep, never) = channel::<()>();
    for _ in 0..BOUND.as_millis() / POLL.as_millis() {
        if let Ok(address) = std::fs::read_to_string(&address) {
            return (serving, format!("http://{}", address.trim()));
        }
        let ended = serving.0.try_wait().unwrap();
        assert!(ended.is_none(), "{what} ended: {}", std::fs::read_to_string(&log).unwrap());
        let _ = never.recv_timeout(POLL);
    }
    panic!("{what} did not start: {}", std::fs::read_to_string(&log).unwrap());
}

fn posted(url: &str) -> ureq::http::request::Builder {
    ureq::http::Request::post(url)
        .header("content-type", "application/json")
        .header("idempotency-key", RequestId::draw(SystemClock::new().wall(), &mut OsRandom).to_string())
}

fn post(url: &str, token: &str, body: &Value) -> Value {
    let request = posted(url);
    let body = if body.is_null() { String::new() } else { body.to_string() };
    serde_json::from_str(&send(request, token, body)).unwrap_or(Value::Null)
}

fn get(url: &str, token: &str) -> String {
    send(ureq::http::Request::get(url), token, String::new())
}

fn send(request: ureq::http::request::Builder, token: &str, body: String) -> String {
    let (what, status, text) = answer(request, token, body);
    assert!((200..300).contains(&status), "{what}: {status}: {text}");
    text
}

/// What a service says, refusals too.
fn tell(request: ureq::http::request::Builder, token: &str, body: String) -> String {
    answer(request, token, body).2
}

fn answer(request: ureq::http::request::Builder, token: &str, body: String) -> (String, u16, String) {
    let request = if token.is_empty() { request } else { request.header("authorization", format!("Bearer {token}")) };
    let request = request.body(body).unwrap();
    let what = request.uri().to_string();
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(BOUND)).build().into();
    let mut answer = agent.run(request).unwrap();
    let text = answer.body_mut().read_to_string().unwrap();
    (what, answer.status().as_u16(), text)
}
