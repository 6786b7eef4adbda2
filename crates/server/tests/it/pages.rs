//! The pages as a browser meets them: forms, cookies, what is shown to whom, and requests that other sites make.

use crate::browser::{Browser, PASSWORD};
use crate::support::{Site, ask};
use leasehold_core::time::DAY_MS;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Pages of the administrator, to look at.
const LOOK: &[&str] = &[
    "/online",
    "/online/live",
    "/online/enable",
    "/online/offline",
    "/activate",
    "/activate/request",
    "/give-back",
    "/give-back/receipt",
    "/disable",
    "/disable/live",
    "/disable/receipt",
    "/settings",
    "/settings/network",
    "/settings/portal",
    "/settings/seats",
    "/settings/administrators",
    "/settings/administrators/account",
    "/settings/live",
    "/settings/backup",
    "/audit",
];
/// What the administrator's forms send.
const SEND: &[(&str, &str)] = &[
    ("/activate", ""),
    ("/online/enable", "account=a&password=b"),
    ("/online/test", ""),
    ("/online/refresh", ""),
    ("/online/offline", ""),
    ("/give-back", ""),
    ("/disable", ""),
    ("/passes/not-out", "pass=x&seats=1"),
    ("/denials/lift", "user=x"),
    ("/settings/save", "card=open&usage_open=on"),
    ("/settings/test", ""),
    ("/settings/backup", ""),
    ("/settings/support", ""),
    ("/settings/confirm", ""),
    ("/settings/take-back", ""),
    ("/settings/certificate", "certificate=a&key=b"),
    ("/settings/certificate/self-signed", ""),
    ("/settings/administrators", "name=a&kind=administrator&password=b&again=b"),
    ("/settings/administrators/kind", "name=a&kind=read_only"),
    ("/settings/administrators/password", "name=a&password=b&again=b"),
    ("/settings/administrators/remove", "name=a"),
    ("/settings/sessions/end", "session=a"),
    ("/settings/sessions/end-others", ""),
    ("/settings/password", "current=a&password=b&again=b"),
];

fn hostile() -> Value {
    let mut ask = ask();
    ask["user"] = json!("<script>alert(1)</script>");
    ask["host"] = json!("\"><img src=x>");
    ask
}

/// Method, address, form, and statuses for nobody, a user (who shows the secret of a lease), another user, the
/// administrator of this server, a read-only account of this server, an operator of the portal (who shows a session of
/// there).
type Row = (&'static str, &'static str, &'static str, [u16; 6]);

const ANYBODY: [u16; 6] = [200; 6];
/// Whoever is not signed in is led to the sign-in.
const ADMINISTRATOR: [u16; 6] = [303, 303, 303, 200, 200, 303];

/// A page that is there only to change something: an account that may look only is told so.
const CHANGER: [u16; 6] = [303, 303, 303, 200, 403, 303];

const DOORS: &[Row] = &[
    ("GET", "/", "", ANYBODY),
    ("GET", "/live", "", ANYBODY),
    ("GET", "/sign-in", "", [200, 200, 200, 303, 303, 200]),
    ("POST", "/sign-in", "password=correct horse battery&next=/", [303; 6]),
    // Set up already: on to the sign-in.
    ("GET", "/setup", "", [303; 6]),
    ("POST", "/setup", "secret=a&password=a+long+enough+one&again=a+long+enough+one", [303; 6]),
    ("GET", "/holders", "", ADMINISTRATOR),
    ("GET", "/holders/release", "", CHANGER),
    // It names no lease.
    ("POST", "/holders/release", "lease=x", [401, 401, 401, 404, 403, 401]),
    ("GET", "/denials", "", ADMINISTRATOR),
    ("GET", "/simulate", "", ANYBODY),
    ("GET", "/usage", "", ADMINISTRATOR),
    ("GET", "/usage/data", "", ADMINISTRATOR),
    ("GET", "/usage/log", "", ADMINISTRATOR),
    ("GET", "/audit", "", ADMINISTRATOR),
    ("GET", "/settings", "", ADMINISTRATOR),
    ("GET", "/settings/network", "", ADMINISTRATOR),
    ("GET", "/settings/portal", "", ADMINISTRATOR),
    ("GET", "/settings/seats", "", ADMINISTRATOR),
    ("GET", "/settings/administrators", "", ADMINISTRATOR),
    ("GET", "/settings/administrators/account", "", ADMINISTRATOR),
    ("GET", "/settings/live", "", ADMINISTRATOR),
    ("GET", "/settings/backup", "", ADMINISTRATOR),
    ("POST", "/settings/backup", "", [401, 401, 401, 303, 403, 401]),
    ("POST", "/settings/support", "", [401, 401, 401, 200, 403, 401]),
    ("POST", "/settings/save", "card=open&totals_open=on", [401, 401, 401, 303, 403, 401]),
    ("POST", "/settings/test", "", [401, 401, 401, 200, 403, 401]),
    // Nothing is on trial.
    ("POST", "/settings/confirm", "", [401, 401, 401, 409, 403, 401]),
    ("POST", "/settings/take-back", "", [401, 401, 401, 409, 403, 401]),
    ("POST", "/settings/certificate", "certificate=a&key=b", [401, 401, 401, 422, 403, 401]),
    ("POST", "/settings/certificate/self-signed", "", [401, 401, 401, 303, 403, 401]),
    // Too short a password.
    ("POST", "/settings/administrators", "name=a&kind=read_only&password=b&again=b", [401, 401, 401, 422, 403, 401]),
    // Nobody of that name.
    ("POST", "/settings/administrators/kind", "name=a&kind=read_only", [401, 401, 401, 404, 403, 401]),
    (
        "POST",
        "/settings/administrators/password",
        "name=a&password=correct horse battery&again=correct horse battery",
        [401, 401, 401, 404, 403, 401],
    ),
    ("POST", "/settings/administrators/remove", "name=a", [401, 401, 401, 404, 403, 401]),
    ("POST", "/settings/sessions/end", "session=a", [401, 401, 401, 404, 404, 401]),
    ("POST", "/settings/sessions/end-others", "", [401, 401, 401, 303, 303, 401]),
    (
        "POST",
        "/settings/password",
        "current=correct horse battery&password=correct horse battery&again=correct horse battery",
        [401, 401, 401, 303, 303, 401],
    ),
    ("GET", "/activate", "", CHANGER),
    ("POST", "/activate", "", [401, 401, 401, 422, 403, 401]),
    // It makes the server's key.
    ("GET", "/activate/request", "", [303, 303, 303, 200, 403, 303]),
    ("GET", "/online", "", ADMINISTRATOR),
    ("GET", "/online/live", "", ADMINISTRATOR),
    ("GET", "/online/enable", "", CHANGER),
    // Fields are missing.
    ("POST", "/online/enable", "", [401, 401, 401, 422, 403, 401]),
    // Without a portal the first step fails, which is an answer.
    ("POST", "/online/test", "", [401, 401, 401, 200, 403, 401]),
    // It has its seats by file.
    ("POST", "/online/refresh", "next=/", [401, 401, 401, 409, 403, 401]),
    ("GET", "/online/offline", "", ADMINISTRATOR),
    ("POST", "/online/offline", "", [401, 401, 401, 409, 403, 401]),
    ("GET", "/passes", "", ADMINISTRATOR),
    // No file.
    ("POST", "/passes", "", [401, 401, 401, 422, 403, 401]),
    ("POST", "/passes/file", "request=x", [401, 401, 401, 422, 403, 401]),
    ("GET", "/passes/lost", "", CHANGER),
    ("POST", "/passes/lost", "pass=x", [401, 401, 401, 404, 403, 401]),
    ("POST", "/passes/not-out", "pass=x&seats=1", [401, 401, 401, 404, 403, 401]),
    ("POST", "/denials/lift", "user=x", [401, 401, 401, 303, 403, 401]),
    ("GET", "/give-back", "", CHANGER),
    // Nothing was given back, and nothing would be.
    ("GET", "/give-back/receipt", "", [303, 303, 303, 404, 404, 303]),
    ("POST", "/give-back", "", [401, 401, 401, 409, 403, 401]),
    ("GET", "/disable", "", CHANGER),
    ("GET", "/disable/live", "", ADMINISTRATOR),
    // There is none yet.
    ("GET", "/disable/receipt", "", [303, 303, 303, 404, 404, 303]),
    ("POST", "/disable", "", [401, 401, 401, 303, 403, 401]),
    // The last: it ends the sign-in.
    ("POST", "/sign-out", "", [303; 6]),
];

#[test]
fn every_page_answers_everybody_as_the_table_says() {
    let site = Site::new();
    let server = site.with_ten_seats();
    let (lease, other) = (server.checkout("user"), server.checkout("other"));
    let administrator = Browser::signed_in(&server).cookie.unwrap();
    let name = administrator.split('=').next().unwrap().to_owned();
    let reader = Browser::reader(&server).cookie.unwrap();
    let operator = leasehold_web::session::SessionToken::draw(&mut leasehold_host::OsRandom).text();
    let who = [
        ("nobody", None),
        ("user", Some(format!("{name}={}", lease.str("secret")))),
        ("other user", Some(format!("{name}={}", other.str("secret")))),
        ("administrator", Some(administrator)),
        ("reader", Some(reader)),
        ("operator", Some(format!("{name}={operator}"))),
    ];
    let mut wrong = Vec::new();
    for (method, path, form, expected) in DOORS {
        for ((who, cookie), expected) in who.iter().zip(expected) {
            let browser = Browser { cookie: cookie.clone(), ..Browser::new(&server) };
            let before = server.get("/v1/status").json["state"].clone();
            let status = browser.status(method, path, form);
            if status != *expected {
                wrong.push(format!("{who}: {method} {path} answers {status} instead of {expected}"));
            }
            if *who != "administrator" {
                assert_eq!(server.get("/v1/status").json["state"], before, "{who}: {method} {path} changed the server");
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let rows: BTreeSet<_> = DOORS.iter().map(|(method, path, ..)| ((*method).to_owned(), (*path).to_owned())).collect();
    let pages = leasehold_server::page_routes().into_iter();
    let pages: BTreeSet<_> = pages.map(|(method, path)| (method.to_string(), path.to_owned())).collect();
    assert_eq!(pages, rows, "every page needs a row that says who may open it");
}

#[test]
fn who_may_look_only_is_shown_no_form_that_would_be_refused() {
    let site = Site::new();
    let server = site.with_ten_seats();
    server.checkout("user");
    let (administrator, reader) = (Browser::signed_in(&server), Browser::reader(&server));
    // What everybody may do with the own account.
    let own = ["/sign-out", "/settings/password", "/settings/sessions/end", "/settings/sessions/end-others"];
    let refused = |browser: &Browser<'_>, path: &str| -> Vec<String> {
        let text = browser.get(path).text;
        let forms =
            text.split("<form").skip(1).filter_map(|form| form.split_once('>')).map(|(form, _)| form.to_owned());
        let posts = forms.filter(|form| form.contains("method=\"post\""));
        posts.filter(|form| !own.iter().any(|own| form.contains(&format!("action=\"{own}\"")))).collect()
    };
    let mut of_administrator = 0;
    for (_, path, ..) in DOORS.iter().filter(|(method, path, ..)| *method == "GET" && !path.contains("/live")) {
        of_administrator += refused(&administrator, path).len();
        assert_eq!(refused(&reader, path), Vec::<String>::new(), "{path}");
        // Nor a way to one.
        let text = reader.get(path).text;
        for form in DOORS.iter().filter(|row| row.3 == CHANGER).map(|row| row.1) {
            assert!(!text.contains(&format!("href=\"{form}\"")), "{path} leads to {form}");
        }
    }
    assert!(of_administrator > 15, "{of_administrator}");
    let told = reader.get("/activate");
    assert_eq!(told.status, 403);
    for part in ["may look", "Who can"] {
        assert!(told.text.contains(part), "{}", told.text);
    }
}

#[test]
fn the_administrator_is_led_to_the_sign_in_and_nobody_else_gets_further() {
    let site = Site::new();
    let server = site.with_ten_seats();
    let nobody = Browser::new(&server);
    for path in LOOK {
        let shown = nobody.get(path);
        assert!(
            shown.status == 303 && shown.to.starts_with("/sign-in?next=/"),
            "{path}: {} {}",
            shown.status,
            shown.to
        );
    }
    for (path, form) in SEND {
        assert_eq!(nobody.post(path, form).status, 401, "{path}");
    }
    for path in ["/holders", "/usage", "/usage/data", "/usage/log", "/denials", "/holders/release"] {
        assert_eq!(nobody.get(path).status, 303, "{path}");
    }
    let administrator = Browser::signed_in(&server);
    for path in LOOK.iter().filter(|path| !path.contains("live") && !path.contains("receipt")) {
        assert_eq!(administrator.get(path).status, 200, "{path}");
    }
    assert_eq!(administrator.get("/disable/receipt").status, 404, "not disabled");
    assert_eq!(administrator.get("/nothing-here").status, 404);
}

#[test]
fn who_holds_what_is_shown_to_the_administrator_only_and_escaped() {
    let site = Site::new();
    let server = site.with_ten_seats();
    assert_eq!(server.checkout_with("k1", hostile()).status, 201);
    let nobody = Browser::new(&server);
    let home = nobody.get("/").text;
    assert!(home.contains("1 of 10") && home.contains("href=\"/sign-in\""), "{home}");
    assert!(!home.contains("alert(1)"), "no names without signing in");

    let administrator = Browser::signed_in(&server);
    for path in ["/", "/holders", "/usage/log", "/?feature=studio.gui", "/?sort=-use&state=offline&use=in_use&q=stud"] {
        let shown = administrator.get(path).text;
        assert!(shown.contains("&lt;script&gt;alert(1)") && shown.contains("&quot;&gt;&lt;img"), "{path}: {shown}");
        assert!(!shown.contains("<script>alert") && !shown.contains("<img"), "{path}");
    }
    assert!(!administrator.get("/?feature=other.feature").text.contains("alert(1)"), "others do not hold it");

    let open = "card=open&totals_open=on&holders_open=on&usage_open=on";
    assert_eq!(administrator.post("/settings/save", open).to, "/settings?saved=settings");
    assert!(nobody.get("/").text.contains("alert(1)"), "opened to everybody");
    assert_eq!(administrator.post("/settings/save", "card=open&totals_open=on").status, 303);
    assert!(!nobody.get("/").text.contains("alert(1)"), "and closed again");
}

#[test]
fn each_thing_is_opened_to_everybody_by_itself() {
    let site = Site::new();
    let server = site.with_ten_seats();
    server.checkout_with("k1", hostile());
    let (nobody, administrator) = (Browser::new(&server), Browser::signed_in(&server));
    let seen = |open: &str| {
        assert_eq!(administrator.post("/settings/save", &format!("card=open{open}")).status, 303);
        let home = nobody.get("/");
        let statuses = ["/v1/status", "/v1/leases", "/v1/events", "/metrics"].map(|path| server.get(path).status);
        (home.status, home.text.contains("alert(1)"), nobody.get("/usage").status, statuses)
    };
    assert_eq!(seen(""), (303, false, 303, [401; 4]));
    assert_eq!(nobody.get("/").to, "/sign-in?next=/");
    assert_eq!(seen("&totals_open=on"), (200, false, 303, [200, 401, 401, 200]));
    assert_eq!(seen("&totals_open=on&holders_open=on"), (200, true, 303, [200, 200, 401, 200]));
    assert_eq!(seen("&totals_open=on&usage_open=on"), (200, false, 200, [200, 401, 200, 200]));
}

#[test]
fn setup_and_sign_in_say_beside_the_field_what_is_wrong() {
    let site = Site::new();
    let server = site.start();
    let mut browser = Browser::new(&server);
    assert_eq!(browser.get("/sign-in").to, "/setup");
    let secret = server.ready.setup_secret.clone().unwrap();
    for (form, status, sentence) in [
        (format!("secret=wrong&password={PASSWORD}&again={PASSWORD}"), 401, "not the secret that this server printed"),
        (format!("secret={secret}&password=short&again=short"), 422, "12 to 256 characters"),
        (format!("secret={secret}&password={PASSWORD}&again=other"), 422, "not the same"),
    ] {
        let shown = browser.post("/setup", &form);
        assert!(shown.status == status && shown.text.contains(sentence), "{}: {}", shown.status, shown.text);
        assert!(shown.cookie.is_none() && !shown.text.contains(PASSWORD));
    }
    assert_eq!(browser.post("/setup", &format!("secret={secret}&password={PASSWORD}&again={PASSWORD}")).status, 303);
    let wrong = browser.post("/sign-in", "password=wrong&next=/audit");
    assert!(
        wrong.status == 401
            && wrong.text.contains("No account has this name")
            && wrong.text.contains("value=\"/audit\"")
    );
    for (next, to) in [("/audit", "/audit"), ("https://evil.example/", "/"), ("//evil.example", "/")] {
        assert_eq!(browser.post("/sign-in", &format!("password={PASSWORD}&next={next}")).to, to);
    }
    browser.cookie = browser.post("/sign-in", &format!("password={PASSWORD}&next=/")).cookie;
    assert_eq!(browser.get("/audit").status, 200);
    assert_eq!(browser.post("/sign-out", "").status, 303);
    assert_eq!(browser.get("/audit").status, 303, "the session has ended, not only the cookie");
}

#[test]
fn no_password_is_asked_for_where_it_could_be_read_on_the_way() {
    let site = Site::new();
    let server = site.start();
    drop(Browser::signed_in(&server));
    let browser = Browser::new(&server);
    // With this header the connection is not the machine's own, and it is not encrypted.
    let away = [("x-forwarded-for", "192.0.2.7"), ("host", "licenses.example:30304")];
    let shown = browser.send("GET", "/sign-in?next=/audit", "", &away);
    assert_eq!(shown.status, 403);
    assert!(!shown.text.contains("type=\"password\""), "{}", shown.text);
    assert!(shown.text.contains("href=\"https://licenses.example:30304/sign-in?next=/audit\""), "{}", shown.text);
    let form = [away[0], away[1], ("content-type", "application/x-www-form-urlencoded")];
    let sent = browser.send("POST", "/sign-in", &format!("password={PASSWORD}&next=/"), &form);
    assert!(sent.status == 403 && sent.text.contains("TLS_REQUIRED") && sent.cookie.is_none());
}

#[test]
fn requests_that_another_web_site_makes_change_nothing() {
    let site = Site::new();
    let server = site.with_ten_seats();
    let browser = Browser::signed_in(&server);
    for (path, form) in SEND.iter().chain(&[("/sign-out", ""), ("/sign-in", "password=x&next=/"), ("/setup", "")]) {
        let headers = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "cross-site")];
        let shown = browser.send("POST", path, form, &headers);
        assert!(shown.status == 403 && shown.text.contains("CROSS_SITE"), "{path}: {} {}", shown.status, shown.text);
    }
    let status = server.get("/v1/status").json;
    assert_eq!((&status["state"], &status["usage_open"]), (&json!("active"), &json!(false)));
    assert_eq!(browser.get("/audit").status, 200, "still signed in");
    let foreign = browser.send("GET", "/", "", &[("host", "evil.example")]);
    assert!(foreign.status == 421 && !foreign.text.contains("Studio"), "a foreign name that points here");
}

#[test]
fn activation_shows_in_place_what_was_loaded_or_why_not() {
    let site = Site::new();
    let server = site.start();
    let browser = Browser::signed_in(&server);
    assert!(browser.get("/").text.contains("not activated yet"));
    let request = browser.get("/activate/request").text;
    let grant = site.portal.ten_seats(1);
    let crt = site.portal.crt(&request, &grant);

    let refused = browser.upload("hello");
    assert!(refused.status == 422 && refused.text.contains("FILE_NOT_OURS"), "{}", refused.text);
    let none = browser.upload("");
    assert!(none.status == 422 && none.text.contains("No file was uploaded"), "{}", none.text);
    assert_eq!(server.get("/v1/status").json["state"], "not_activated", "nothing was changed");

    let loaded = browser.upload(&crt);
    assert_eq!(loaded.status, 200, "{}", loaded.text);
    for part in ["Hall 3", "Zoë Ångström", "Acme Software", "Number 1", "10 seats", "trusts the vendor"] {
        assert!(loaded.text.contains(part), "{part}: {}", loaded.text);
    }
    let twice = browser.upload(&crt);
    assert!(twice.status == 409 && twice.text.contains("FILE_TWICE") && twice.text.contains("In use now"));
    assert!(browser.get("/activate").text.contains("Hall 3"), "says what is in use");
}

#[test]
fn disabling_says_what_it_does_and_ends_with_the_receipt() {
    let site = Site::new();
    let server = site.with_ten_seats();
    let browser = Browser::signed_in(&server);
    let lease = server.checkout("k1");
    let question = browser.get("/disable").text;
    for part in ["Disable Hall 3?", "Disable and give back 10 seats", "1 application holds 1 seat"] {
        assert!(question.contains(part), "{part}: {question}");
    }
    assert_eq!(browser.post("/disable", "").to, "/disable");
    let waiting = browser.get("/disable").text;
    assert!(waiting.contains("being disabled") && waiting.contains("data-live=\"/disable/live\""), "{waiting}");
    assert!(browser.get("/").text.contains("1 application still holds a seat"));
    assert_eq!(server.checkin(&lease).status, 204);
    crate::support::eventually("the receipt", || browser.get("/disable/receipt").status == 200);
    assert!(browser.get("/disable/receipt").text.contains("LEASEHOLD RECEIPT"));
    assert!(browser.get("/disable").text.contains("Download receipt"));
}

#[test]
fn what_ends_soon_is_said_in_time() {
    let site = Site::new();
    let now = site.portal.ten_seats(1).issued_at;
    let far = site.portal.line("studio.gui", 10, now.plus(36 * DAY_MS));
    let server = site.activated(&site.portal.grant(1, vec![far]));
    let browser = Browser::new(&server);
    assert!(!browser.get("/").text.contains("end soon"));
    site.clock.advance(7 * DAY_MS);
    let soon = browser.get("/").text;
    assert!(soon.contains("10 seats end</strong> soon") || soon.contains("10 seats end soon"), "{soon}");
    site.clock.advance(30 * DAY_MS);
    assert!(browser.get("/").text.contains("Expired: "));
}

#[test]
fn an_open_page_follows_what_happens_and_forgets_names_when_the_session_ends() {
    let site = Site::new();
    let server = site.with_ten_seats();
    let browser = Browser::signed_in(&server);
    let mut page = browser.follow("/live");
    page.until("licenses", "0 of 10");
    assert_eq!(server.checkout_with("k1", hostile()).status, 201);
    page.until("overview", "1 of 10");
    page.until("holders", "&lt;script&gt;alert(1)");
    browser.post("/sign-out", "");
    page.until("holders", "href=\"/sign-in\"");
}

#[test]
fn the_usage_log_can_be_searched() {
    let site = Site::new();
    let server = site.with_ten_seats();
    let browser = Browser::signed_in(&server);
    for (key, feature) in [("k1", "studio.gui"), ("k2", "unknown.feature"), ("k3", "studio.gui")] {
        let mut ask = ask();
        ask["feature"] = json!(feature);
        ask["user"] = json!(format!("user-{key}"));
        server.checkout_with(key, ask);
    }
    let seen = |path: &str| {
        let text = browser.get(path).text;
        ["user-k1", "user-k2", "user-k3"].map(|user| text.contains(user))
    };
    assert_eq!(seen("/usage/log"), [true, true, true]);
    assert_eq!(seen("/usage/log?kind=denied"), [false, true, false]);
    assert_eq!(seen("/usage/log?kind=checkout"), [true, false, true]);
    assert_eq!(seen("/usage/log?feature=unknown.feature"), [false, true, false]);
    assert_eq!(seen("/usage/log?kind=nonsense&after=x"), [true, true, true]);
    // Newest first, one at a time, over the same search.
    let mut after = String::new();
    let mut users = Vec::new();
    for _ in 0..2 {
        let page = server.admin("GET", &format!("/v1/events?kind=checkout&limit=1{after}"), None).json;
        users.push(page["items"][0]["user"].as_str().unwrap().to_owned());
        after = format!("&after={}", page["next"].as_str().unwrap_or("1"));
    }
    assert_eq!(users, ["user-k3", "user-k1"]);
    assert_eq!(server.admin("GET", "/v1/events?kind=nonsense", None).status, 400);
}

#[test]
fn some_seats_are_given_back_after_a_preview_in_numbers() {
    let site = Site::new();
    let grant = site.portal.ten_seats(1);
    let server = site.activated(&grant);
    let browser = Browser::signed_in(&server);
    assert!(browser.get("/online").text.contains("href=\"/give-back\""));
    server.checkout("k1");
    let form = browser.get("/give-back").text;
    for part in ["Keep of Studio", "min=\"1\" max=\"10\"", "9 can go back now", "1 application holds"] {
        assert!(form.contains(part), "{part}: {form}");
    }
    let field = format!("keep-{}", grant.lines[0].license);
    let too_few = browser.post("/give-back", &format!("{field}=0"));
    assert_eq!(too_few.status, 409);
    assert!(too_few.text.contains("1 seat of Studio is in use") && too_few.text.contains("value=\"0\""));
    assert_eq!(browser.post("/give-back", &format!("{field}=many")).status, 422);
    let preview = browser.post("/give-back", &format!("{field}=4"));
    assert!(preview.text.contains("Give back 6 seats?") && preview.text.contains("10 → 4"), "{}", preview.text);
    assert_eq!(server.get("/v1/status").json["lines"][0]["seats"], 10, "nothing has happened yet");
    assert_eq!(browser.post("/give-back", &format!("{field}=4&confirm=yes")).to, "/give-back");
    let done = browser.get("/give-back").text;
    assert!(done.contains("6 seats given back") && done.contains("href=\"/give-back/receipt\""), "{done}");
    assert!(browser.get("/give-back/receipt").text.contains("LEASEHOLD RECEIPT"));
    assert!(browser.get("/online").text.contains("Receipt 1"));
    assert_eq!(server.get("/v1/status").json["lines"][0]["seats"], 4);
}
