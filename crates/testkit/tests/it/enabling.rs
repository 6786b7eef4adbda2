//! Online licensing by the license server's pages, against a real portal: what a person enters, what they then see, and
//! that a password is left nowhere.

use crate::caller::{Caller, PASSWORD, make_operator, make_portal, operators_token, sell};
use crate::service::{Service, leasehold, wait_for};
use serde_json::json;
use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

const CUSTOMER: &str = "c@acme.example";
/// Of the administrator of the license server.
const OWN_PASSWORD: &str = "another+good+long+one";

/// A browser as far as forms and a cookie go.
struct Browser {
    agent: ureq::Agent,
    base: String,
    cookie: String,
}

impl Browser {
    fn signed_in(address: &str, secret: &str) -> Browser {
        let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0);
        let agent = config.timeout_global(Some(Duration::from_secs(60))).build().new_agent();
        let mut browser = Browser { agent, base: format!("http://{address}"), cookie: String::new() };
        let form = format!("secret={secret}&password={OWN_PASSWORD}&again={OWN_PASSWORD}");
        browser.cookie = browser.post("/setup", &form).2;
        assert!(!browser.cookie.is_empty());
        browser
    }

    /// Status, text, and the cookie that it sets.
    fn send(&self, method: &str, path: &str, form: &str) -> (u16, String, String) {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("cookie", &self.cookie)
            .header("content-type", "application/x-www-form-urlencoded");
        let answer = match method {
            "GET" => self.agent.run(request.body(()).unwrap()),
            _ => self.agent.run(request.body(form).unwrap()),
        };
        let mut answer = answer.unwrap();
        let cookie = answer.headers().get("set-cookie").map(|cookie| cookie.to_str().unwrap().to_owned());
        let cookie = cookie.unwrap_or_default().split(';').next().unwrap_or_default().to_owned();
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap(), cookie)
    }

    fn get(&self, path: &str) -> String {
        self.send("GET", path, "").1
    }

    fn post(&self, path: &str, form: &str) -> (u16, String, String) {
        self.send("POST", path, form)
    }
}

/// A license server on the data folder `s`, whose log is in `log`.
fn start_server(folder: &Path) -> (Service, Browser) {
    let (address, secret) = (folder.join("s.address"), folder.join("s.secret"));
    let arguments = ["server", "serve", "--data", "s", "--listen", "127.0.0.1:0", "--address-file"];
    let mut command = leasehold(folder, &arguments);
    command.arg(&address).arg("--setup-secret-file").arg(&secret).env("LEASEHOLD_LOG", "debug");
    let log = File::create(folder.join("log")).unwrap();
    let service = Service::ready(command.stdout(Stdio::null()).stderr(log), &address);
    let browser = Browser::signed_in(&service.address, std::fs::read_to_string(&secret).unwrap().trim());
    (service, browser)
}

/// Waits until a page says something.
fn see(browser: &Browser, path: &str, part: &str) -> String {
    let mut last = String::new();
    wait_for(&format!("{part:?} on {path}"), || {
        last = browser.get(path);
        last.contains(part).then(|| last.clone())
    })
}

#[test]
fn a_server_is_enabled_on_its_page_follows_the_portal_and_gives_up_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    make_portal(folder);
    make_operator(folder);
    let portal = Service::start(folder, "portal", "p", "127.0.0.1:0");
    let operator = Caller::new(&portal.address, Some(&operators_token(&Caller::new(&portal.address, None))));
    let license = sell(&operator, 10);
    let (_server, browser) = start_server(folder);

    let form = |password: &str| {
        let password = password.replace(' ', "+");
        format!("portal_url=http://{}&account={CUSTOMER}&password={password}&scope=organization", portal.address)
    };
    let (status, refused, _) = browser.post("/online/enable", &form("a wrong long password"));
    assert_eq!(status, 502, "{refused}");
    for part in ["WRONG_PASSWORD", "The email address or the password is wrong.", "Nothing was changed."] {
        assert!(refused.contains(part), "{part}: {refused}");
    }
    assert!(!refused.contains("a wrong long password") && browser.get("/").contains("not activated yet"));
    let tested = browser.post("/online/test", &form(PASSWORD)).1;
    assert!(tested.contains("The connection works") && tested.contains("Sign-in"), "{tested}");

    let (status, answer, _) = browser.post("/online/enable", &form(PASSWORD));
    assert_eq!(status, 303, "{answer}");
    let home = browser.get("/");
    assert!(home.contains("Studio") && home.contains("0 of 10") && home.contains("The portal answered at"), "{home}");

    // What is sold from now on comes by itself.
    let more = json!({
        "owner": license["owner"]["id"], "product": license["product"]["id"], "seats": 7, "kind": "floating",
        "channel": "trial", "organization": true, "term": license["term"],
    });
    operator.expect(201, "POST", "/api/v1/licenses", Some(&more));
    see(&browser, "/", "0 of 17");
    assert_eq!(browser.post("/online/refresh", "next=/online").0, 303);

    assert_eq!(browser.post("/disable", "").0, 303);
    see(&browser, "/disable", "its receipt is at the portal");
    let workstations = operator.expect(200, "GET", "/api/v1/workstations", None);
    assert_eq!(workstations["items"][0]["status"], "released", "{workstations}");

    let log = std::fs::read_to_string(folder.join("log")).unwrap();
    for secret in [PASSWORD, "a wrong long password", OWN_PASSWORD] {
        assert!(!log.contains(secret) && !log.contains(&secret.replace(' ', "+")), "a password is in the log");
    }
}
