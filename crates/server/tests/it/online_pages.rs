//! The pages of online licensing, against a portal that does what a test says.

use crate::browser::{Browser, PASSWORD};
use crate::fake_portal::{ACCOUNT, ACCOUNT_PASSWORD, FakePortal, Mood, nobody_there, wrong_password};
use crate::support::{Running, Site, eventually};
use leasehold_core::sync::Verdict;
use leasehold_core::time::{DAY_MS, HOUR_MS, MINUTE_MS};
use serde_json::json;
use std::sync::Arc;

fn form(portal: &str, password: &str) -> String {
    format!("portal_url={portal}&account={ACCOUNT}&password={password}&scope=organization&name=")
}

fn enable(browser: &Browser<'_>, portal: &FakePortal) {
    let done = browser.post("/online/enable", &form(&portal.url(), ACCOUNT_PASSWORD));
    assert_eq!((done.status, done.to.as_str()), (303, "/?done=enabled-new-vendor"), "{}", done.text);
}

fn online(seats: &[u32]) -> (Site, Running, Arc<FakePortal>) {
    let site = Site::new();
    let server = site.start();
    let portal = FakePortal::start(site.clock.clone(), seats);
    (site, server, portal)
}

fn sees(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is missing in {text}");
    }
}

#[test]
fn each_trouble_of_enabling_has_a_sentence_of_its_own_and_changes_nothing() {
    let (site, server, portal) = online(&[10]);
    let browser = Browser::signed_in(&server);
    let tls = FakePortal::start_tls(site.clock.clone());
    let portal_problem = |code: &str, title: &str, detail: &str| json!({"title": title, "status": 409, "code": code, "detail": detail, "what_to_do": "Do it.", "who": "you"});
    let none = portal_problem("NO_LICENSES", "This account has no license that could be used there.", "It owns none.");
    let clock =
        portal_problem("CLOCK_OFF_SERVER", "The license server's clock is more than two days off.", "It shows x.");
    let long = portal_problem("X<script>", &"<script>alert(1)</script>".repeat(2_000), "\u{202e}");
    let html = "<html><title>Hotel Wifi</title><p>Please sign in</p></html>".to_owned();
    let json_kind = "application/problem+json";
    let own = portal.url();
    for (address, mood, status, parts) in [
        (nobody_there(), Mood::Honest, 502, ["PORTAL_CONNECTION_REFUSED", "nothing listens on that port"]),
        (own.clone(), Mood::Says(500, "text/plain", "broken".to_owned()), 502, ["PORTAL_DOWN", "cannot work just now"]),
        (own.clone(), Mood::Says(200, "text/html", html), 502, ["NOT_THE_PORTAL", "Hotel Wifi"]),
        (
            own.clone(),
            Mood::Says(401, json_kind, wrong_password().to_string()),
            502,
            ["WRONG_PASSWORD", "address or the password is wrong"],
        ),
        (own.clone(), Mood::Refuses(409, none), 502, ["NO_LICENSES", "has no license that could be used there"]),
        (own.clone(), Mood::Refuses(409, clock), 502, ["CLOCK_OFF_SERVER", "more than two days off"]),
        (own.clone(), Mood::Refuses(409, long), 502, ["X&lt;script", "&lt;script&gt;alert(1)"]),
        (
            format!("https://localhost:{}", tls.address.port()),
            Mood::Honest,
            502,
            ["CERTIFICATE_UNKNOWN_ISSUER", "does not trust"],
        ),
        ("http://portal.example".to_owned(), Mood::Honest, 502, ["PORTAL_ADDRESS_UNENCRYPTED", "in the clear"]),
        (own.clone(), Mood::Silent, 502, ["PORTAL_SLOW", "no whole answer within 20 seconds"]),
    ] {
        portal.set_mood(mood);
        let shown = browser.post("/online/enable", &form(&address, ACCOUNT_PASSWORD));
        assert_eq!(shown.status, status, "{}", shown.text);
        sees(&shown.text, &parts);
        sees(&shown.text, &["Nothing was changed.", "What to do", "Who can", &format!("value=\"{ACCOUNT}\"")]);
        assert!(!shown.text.contains(ACCOUNT_PASSWORD), "the password came back");
        assert!(!shown.text.contains("<script>alert") && shown.text.len() < 20_000, "{} bytes", shown.text.len());
        assert_eq!(server.get("/v1/status").json["state"], "not_activated");
    }
    assert_eq!(server.get("/v1/status").json["online"], json!(null));
    // After all that it is done as if nothing had been.
    portal.set_mood(Mood::Honest);
    enable(&browser, &portal);
}

#[test]
fn what_is_missing_is_said_beside_its_field() {
    let (_site, server, portal) = online(&[10]);
    let browser = Browser::signed_in(&server);
    for (form, sentence) in [
        (form("", ACCOUNT_PASSWORD), "Enter the portal's address."),
        (form(&portal.url(), ""), "Enter the password of the account at the portal."),
        ("with=token&token=".to_owned(), "Paste the token here."),
    ] {
        let shown = browser.post("/online/enable", &form);
        assert_eq!(shown.status, 422, "{}", shown.text);
        sees(&shown.text, &[sentence, "aria-invalid"]);
        assert!(!shown.text.contains(ACCOUNT_PASSWORD));
    }
    assert_eq!(portal.counts(), [0, 0, 0], "nobody was asked");
    let by_token = browser.get("/online/enable?with=token").text;
    assert!(by_token.contains("Token from the portal") && !by_token.contains("name=\"account\""), "{by_token}");
    let done = browser.post("/online/enable", &format!("with=token&token=abc&portal_url={}", portal.url()));
    assert_eq!(done.to, "/?done=enabled-new-vendor", "{}", done.text);
}

#[test]
fn an_enabled_server_shows_what_the_account_has_also_where_nothing_is_here() {
    let (_site, server, portal) = online(&[10, 0]);
    let browser = Browser::signed_in(&server);
    sees(&browser.get("/").text, &["not activated yet", "href=\"/online/enable\""]);
    sees(&browser.get("/online").text, &["Enable online", "Activate offline"]);
    enable(&browser, &portal);
    assert_eq!(portal.counts(), [0, 1, 1], "signed in and out again");
    let home = browser.get("/?done=enabled-new-vendor").text;
    sees(
        &home,
        &[
            "Online licensing is enabled for",
            "Northlight &lt;b&gt;Pictures",
            "trusts the vendor",
            "Acme studio",
            "0 here, 90 at other servers, 10 free: seats come here when somebody asks",
            "110 in the account",
            "Renewed online",
            "The portal answered at",
            "action=\"/online/refresh\"",
        ],
    );
    for wrong in ["end soon", "seats end", "<b>Pictures", "Renew</a>"] {
        assert!(!home.contains(wrong), "{wrong} in {home}");
    }
    sees(&browser.get("/?q=render.gui").text, &["Acme render"]);
    sees(
        &browser.get("/online").text,
        &[&portal.url(), "Hall 3", "At other servers", "Refresh now", "Test connection"],
    );
    sees(&browser.get("/online/enable").text, &["online already", &format!("value=\"{}\"", portal.url())]);
    let nobody = Browser::new(&server).get("/").text;
    assert!(nobody.contains("The portal answered at") && !nobody.contains("/online/refresh"), "{nobody}");
    for (next, to) in
        [("/", "/?done=refreshed"), ("/online", "/online?done=refreshed"), ("//evil.example", "/?done=refreshed")]
    {
        assert_eq!(browser.post("/online/refresh", &format!("next={next}")).to, to);
    }
    sees(&browser.get("/online?done=refreshed").text, &["Up to date with the portal as of"]);
    let denied = server.checkout_with("k", json!({"feature": "other.gui", "user": "u", "host": "h", "nonce": "n"}));
    assert!(denied.str("what_to_do").contains("account at the portal"), "{denied:?}");
}

#[test]
fn an_open_home_page_shows_the_first_license_and_an_outage_by_itself() {
    let (_site, server, portal) = online(&[]);
    let browser = Browser::signed_in(&server);
    enable(&browser, &portal);
    sees(&browser.get("/").text, &["No licenses yet", "shows here within seconds"]);
    let mut page = browser.follow("/live");
    page.until("licenses", "No licenses yet");
    portal.sell();
    assert_eq!(browser.post("/online/refresh", "next=/").status, 303);
    page.until("licenses", "Acme studio");
    let mut overview = browser.follow("/online/live");
    overview.until("online-state", "Acme studio");
    portal.set_mood(Mood::Says(500, "text/plain", "closed".to_owned()));
    let _ = browser.post("/online/refresh", "next=/");
    page.until("portal-state", "Portal not reached");
    overview.until("online-state", "PORTAL_DOWN");
}

#[test]
fn an_outage_is_a_quiet_line_first_and_counts_down_at_the_end() {
    let (site, server, portal) = online(&[10]);
    let mut browser = Browser::signed_in(&server);
    enable(&browser, &portal);
    portal.set_mood(Mood::Says(503, "text/plain", "maintenance & more".to_owned()));
    let refused = browser.post("/online/refresh", "next=/");
    assert_eq!(refused.status, 502, "{}", refused.text);
    sees(&refused.text, &["PORTAL_DOWN", "maintenance &amp; more", "What this server holds is used on meanwhile."]);

    let nobody = Browser::new(&server);
    let quiet = nobody.get("/").text;
    sees(&quiet, &["Portal not reached", "Work goes on", "the seats last until"]);
    assert!(!quiet.contains("maintenance") && !quiet.contains("notice warning"), "{quiet}");
    sees(&browser.get("/").text, &["maintenance &amp; more"]);

    site.clock.advance(4 * DAY_MS + HOUR_MS);
    browser.cookie = browser.post("/sign-in", &format!("password={PASSWORD}&next=/")).cookie;
    let warned = nobody.get("/").text;
    sees(&warned, &["notice warning", "last for another 2 days 22 h", "The administrator of this server can see why."]);
    assert!(!warned.contains("maintenance"), "{warned}");
    sees(&browser.get("/").text, &["last for another 2 days 22 h", "maintenance &amp; more"]);
    sees(&browser.get("/online").text, &["portal-trouble", "PORTAL_DOWN"]);
    assert_eq!(server.checkout_with("k", gui()).status, 201, "work goes on");

    site.clock.advance(3 * DAY_MS);
    let ended = nobody.get("/").text;
    sees(&ended, &["notice bad", "seats from it ended at", "come back with its next answer"]);
    let denied = server.checkout_with("k2", gui());
    assert!(denied.code() == "EXPIRED" && denied.str("what_to_do").contains("Test connection"), "{denied:?}");
}

fn gui() -> serde_json::Value {
    json!({"feature": "studio.gui", "user": "u", "host": "h", "nonce": "n"})
}

#[test]
fn a_copy_says_what_to_do_and_frees_nothing() {
    let (_site, server, portal) = online(&[10]);
    let browser = Browser::signed_in(&server);
    enable(&browser, &portal);
    portal.set_verdict(Verdict::Forked, "<i>evil</i>-host");
    let _ = browser.post("/online/refresh", "next=/");
    eventually("the copy is known", || server.get("/v1/status").json["online"]["state"] == "copy");
    let nobody = Browser::new(&server).get("/").text;
    assert!(
        nobody.contains("Another license server runs with this server's key") && !nobody.contains("evil"),
        "{nobody}"
    );
    for path in ["/", "/online", "/disable"] {
        let shown = browser.get(path).text;
        sees(&shown, &["&lt;i&gt;evil&lt;/i&gt;-host"]);
        assert!(!shown.contains("<i>evil"), "{path}");
    }
    sees(&browser.get("/online/enable").text, &["Disable this one first"]);
    let refused = browser.post("/online/enable", &form(&portal.url(), ACCOUNT_PASSWORD));
    assert!(refused.status == 409 && refused.text.contains("FORKED"), "{}", refused.text);
    sees(&browser.get("/disable").text, &["frees nothing at the portal", "End this copy"]);
    assert_eq!(browser.post("/disable", "").to, "/online?done=copy-ended");
    sees(&browser.get("/online?done=copy-ended").text, &["This copy's key is destroyed", "Enable online"]);
    portal.set_verdict(Verdict::Ok, "");
    let again = browser.post("/online/enable", &form(&portal.url(), ACCOUNT_PASSWORD));
    assert_eq!(again.to, "/?done=enabled", "{}", again.text);
    assert_eq!(portal.counts()[0], 0, "no receipt of the copy");
}

#[test]
fn a_revoked_server_and_one_with_a_file_waiting_say_so() {
    let (site, server, portal) = online(&[10]);
    let browser = Browser::signed_in(&server);
    enable(&browser, &portal);
    for (verdict, state, home, page) in [
        (Verdict::ByFile, "by_file", "Upload that file", "enable online licensing again"),
        (Verdict::Ended, "revoked", "was revoked at the portal", "It gets a new key"),
        (Verdict::Lost, "revoked", "was declared lost at the portal", "others may have its seats"),
    ] {
        portal.set_verdict(verdict, "");
        eventually(state, || {
            // Again and again: a sync that is on its way just now counts its next one from when it is answered.
            site.clock.advance(2 * MINUTE_MS);
            let online = &server.get("/v1/status").json["online"];
            online["state"] == state && online["lost"] == (verdict == Verdict::Lost)
        });
        sees(&browser.get("/").text, &[home]);
        sees(&browser.get("/online").text, &[page]);
    }
    sees(&browser.get("/online/enable").text, &["Disable it first"]);
}

#[test]
fn disabling_online_finishes_by_itself_whether_or_not_the_portal_is_there() {
    let (site, server, portal) = online(&[10]);
    let browser = Browser::signed_in(&server);
    enable(&browser, &portal);
    let lease = server.checkout_with("k", gui());
    assert_eq!(lease.status, 201, "{lease:?}");
    sees(
        &browser.get("/disable").text,
        &[
            "9 seats are free",
            "go back at once",
            "1 application holds 1 seat",
            "It finishes by itself.",
            "as soon as it reaches it",
        ],
    );
    portal.set_mood(Mood::Says(500, "text/plain", String::new()));
    assert_eq!(browser.post("/disable", "").to, "/disable");
    sees(&browser.get("/disable").text, &["being disabled", "brings the receipt to the portal by itself"]);
    assert_eq!(server.checkin(&lease).status, 204);
    eventually("the receipt waits", || browser.get("/disable").text.contains("Not reached yet"));
    sees(&browser.get("/disable").text, &["data-live=\"/disable/live\"", "Download receipt"]);
    sees(&browser.get("/").text, &["on the way to the portal"]);
    portal.set_mood(Mood::Honest);
    eventually("the receipt is brought", || {
        site.clock.advance(2 * MINUTE_MS);
        browser.get("/disable").text.contains("its receipt is at the portal")
    });
    assert_eq!(portal.counts()[0], 1);
    assert_eq!(browser.get("/disable/receipt").status, 200, "still offered");
}

#[test]
fn the_test_of_the_connection_says_which_step_fails() {
    let (_site, server, portal) = online(&[10]);
    let browser = Browser::signed_in(&server);
    let test = |form: &str| browser.post("/online/test", form).text;
    let works = test(&form(&portal.url(), ACCOUNT_PASSWORD));
    sees(&works, &["The connection works", "Leasehold portal 0.1.0", "Northlight &lt;b&gt;Pictures", "Sign-in"]);
    assert!(!works.contains(ACCOUNT_PASSWORD));
    assert_eq!(portal.counts(), [0, 1, 1], "signed in and out again");
    let alone = test(&format!("portal_url={}", portal.url()));
    sees(&alone, &["The connection works", "no account and password were given"]);
    let wrong = test(&form(&portal.url(), "wrong-one"));
    sees(&wrong, &["The connection fails at: Sign-in", "WRONG_PASSWORD"]);
    assert!(!wrong.contains("wrong-one"));
    sees(&test(&form(&nobody_there(), "x")), &["The connection fails at: Connect", "Not reached"]);
    assert_eq!(server.get("/v1/status").json["state"], "not_activated");
    enable(&browser, &portal);
    sees(&test("page=overview"), &["The connection works", "Refresh now"]);
}

#[test]
fn a_server_by_file_is_enabled_without_anybody_noticing() {
    let (_site, server, portal) = online(&[10]);
    let browser = Browser::signed_in(&server);
    let request = browser.get("/activate/request").text;
    let by_file = portal.vendor.ten_seats(1);
    let crt = portal.vendor.crt(&request, &by_file);
    assert_eq!(browser.upload(&crt).status, 200);
    sees(&browser.get("/online").text, &["has its seats by file", "none of them notices anything"]);
    let lease = server.checkout_with("k", gui());
    portal.set_rev(2);
    let done = browser.post("/online/enable", &form(&portal.url(), ACCOUNT_PASSWORD));
    assert_eq!(done.to, "/?done=enabled", "{}", done.text);
    assert_eq!(server.heartbeat(&lease, 1, "n-1").status, 200);
    sees(&browser.get("/activate").text, &["This server is online"]);
}
