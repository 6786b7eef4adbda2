//! The pages: who may open them, what a form does, and what somebody reads when it does nothing.

use crate::access::{Links, given_up_letter};
use crate::api::Http;
use crate::browser::{Browser, hidden, location};
use crate::online::{Online, report};
use crate::world::{HOME, PASSWORD, World, id, sign_in};
use axum::body::Body;
use axum::http::{Method, Request, header};
use leasehold_core::license::Scope;
use leasehold_db::testing::fresh_in_line;
use leasehold_portal::pages;
use leasehold_portal::service::{assignments, invitations, ownership, sync, workstations};
use leasehold_trust::activation_file::read_activation_file;
use leasehold_wire::portal::{NewMember, OfferOwnership};
use std::collections::BTreeSet;

/// Statuses for nobody, a user who owns nothing, a member of the owner's organization, the owner of another organization,
/// the owner, an operator. What the roles between may do is asked of the API, in `access.rs`, and of pages in `roles.rs`.
type Row = (&'static str, &'static str, [u16; 6]);

const SIGNED_IN: [u16; 6] = [303, 200, 200, 200, 200, 200];
const SIGNED_IN_DOES: [u16; 6] = [401, 303, 303, 303, 303, 303];
const OWNER: [u16; 6] = [303, 404, 404, 404, 200, 200];
const OWNER_DOES: [u16; 6] = [401, 404, 404, 404, 303, 303];
const OPERATOR: [u16; 6] = [303, 403, 403, 403, 403, 200];
const OPERATOR_DOES: [u16; 6] = [401, 403, 403, 403, 403, 303];

const TABLE: &[Row] = &[
    ("GET", "/", [303, 303, 303, 303, 303, 200]),
    ("GET", "/live", OPERATOR),
    ("GET", "/sign-in", [200, 303, 303, 303, 303, 303]),
    ("POST", "/sign-in", [303; 6]),
    ("POST", "/sign-out", [303; 6]),
    ("GET", "/sign-up", [200; 6]),
    ("POST", "/sign-up", [200; 6]),
    ("GET", "/confirm", [200; 6]),
    ("POST", "/confirm", [303; 6]),
    ("GET", "/forgotten", [200; 6]),
    ("POST", "/forgotten", [200; 6]),
    ("GET", "/reset", [200; 6]),
    ("POST", "/reset", [303; 6]),
    ("GET", "/email", [200; 6]),
    ("POST", "/email", [200; 6]),
    ("GET", "/account", SIGNED_IN),
    ("POST", "/account/name", SIGNED_IN_DOES),
    ("POST", "/account/email", SIGNED_IN_DOES),
    ("POST", "/account/email/cancel", SIGNED_IN_DOES),
    ("POST", "/account/sessions/end", SIGNED_IN_DOES),
    // Somebody else's is as good as ended.
    ("POST", "/account/sessions/{session}/end", SIGNED_IN_DOES),
    // The secret is shown once, so there is no page to be sent to.
    ("POST", "/account/tokens", [401, 201, 201, 201, 201, 201]),
    ("POST", "/account/tokens/{token}/end", SIGNED_IN_DOES),
    ("GET", "/device", SIGNED_IN),
    // No program waits with the code that is sent here.
    ("POST", "/device", [401, 422, 422, 422, 422, 422]),
    ("POST", "/device/decide", [401, 422, 422, 422, 422, 422]),
    ("GET", "/mails", OPERATOR),
    ("POST", "/mails/sign-up", OPERATOR_DOES),
    ("GET", "/mails/{mail}", OPERATOR),
    ("POST", "/mails/{mail}/again", OPERATOR_DOES),
    ("GET", "/password", SIGNED_IN),
    ("POST", "/password", SIGNED_IN_DOES),
    ("GET", "/licenses", SIGNED_IN),
    ("GET", "/licenses/live", SIGNED_IN),
    ("GET", "/licenses/new", OPERATOR),
    ("POST", "/licenses/new", OPERATOR_DOES),
    ("GET", "/licenses/{license}", OWNER),
    ("POST", "/licenses/{license}", OPERATOR_DOES),
    // Nothing to ask while the portal knows what is out.
    ("GET", "/licenses/{license}/raise", [303, 403, 403, 403, 403, 303]),
    ("POST", "/licenses/{license}/raise", OPERATOR_DOES),
    ("GET", "/licenses/{license}/end", OPERATOR),
    ("POST", "/licenses/{license}/end", OPERATOR_DOES),
    ("GET", "/licenses/{license}/live", OWNER),
    ("POST", "/licenses/{license}/assign", OWNER_DOES),
    ("GET", "/licenses/{license}/take-back/{account}", OWNER),
    ("POST", "/licenses/{license}/take-back/{account}", OWNER_DOES),
    ("GET", "/organization", [303, 404, 404, 303, 303, 404]),
    ("GET", "/organization/switch", SIGNED_IN),
    ("POST", "/organization/switch", SIGNED_IN_DOES),
    ("GET", "/organizations/{organization}", OWNER),
    ("GET", "/organizations/{organization}/live", OWNER),
    ("POST", "/organizations/{organization}/members", OWNER_DOES),
    ("POST", "/organizations/{organization}/settings", OWNER_DOES),
    ("GET", "/organizations/{organization}/members/{account}", OWNER),
    ("POST", "/organizations/{organization}/members/{account}/assign", OWNER_DOES),
    ("POST", "/organizations/{organization}/members/{account}/invitation", OWNER_DOES),
    ("POST", "/organizations/{organization}/members/{account}/suspend", OWNER_DOES),
    ("GET", "/organizations/{organization}/members/{account}/owner", [303, 404, 404, 404, 200, 403]),
    ("POST", "/organizations/{organization}/members/{account}/owner", [401, 404, 404, 404, 303, 403]),
    // It is offered to the member.
    ("POST", "/organizations/{organization}/offer/end", [401, 404, 303, 404, 303, 404]),
    ("POST", "/account/offers/{organization}/accept", [401, 404, 303, 404, 404, 404]),
    ("POST", "/account/offers/{organization}/end", [401, 404, 303, 404, 303, 404]),
    ("GET", "/join", [200; 6]),
    ("POST", "/join", [303; 6]),
    // The user is invited.
    ("POST", "/account/organizations/{organization}/join", [401, 303, 404, 404, 404, 404]),
    ("GET", "/account/organizations/{organization}/leave", [303, 200, 200, 404, 404, 404]),
    ("POST", "/account/organizations/{organization}/leave", [401, 303, 303, 404, 404, 404]),
    ("GET", "/organizations/{organization}/members/{account}/role", OWNER),
    ("POST", "/organizations/{organization}/members/{account}/role", OWNER_DOES),
    ("GET", "/organizations/{organization}/members/{account}/remove", OWNER),
    ("POST", "/organizations/{organization}/members/{account}/remove", OWNER_DOES),
    ("GET", "/workstations", SIGNED_IN),
    ("GET", "/workstations/live", SIGNED_IN),
    ("GET", "/workstations/token", SIGNED_IN),
    // The token is shown once, so there is no page to be sent to.
    ("POST", "/workstations/token", [401, 200, 200, 200, 200, 200]),
    ("GET", "/workstations/activate", SIGNED_IN),
    ("POST", "/workstations/activate", [401, 404, 404, 404, 200, 200]),
    ("GET", "/workstations/activate/confirm", [303; 6]),
    ("POST", "/workstations/activate/confirm", OWNER_DOES),
    ("GET", "/workstations/receipt", SIGNED_IN),
    // Whoever does not own the key's workstation learns no more than that it is not theirs.
    ("POST", "/workstations/receipt", [401, 409, 409, 409, 303, 303]),
    ("GET", "/workstations/{workstation}", OWNER),
    ("GET", "/workstations/{workstation}/live", OWNER),
    ("GET", "/workstations/{workstation}/recall", OWNER),
    ("POST", "/workstations/{workstation}/recall", OWNER_DOES),
    ("GET", "/workstations/{workstation}/offline", OWNER),
    ("POST", "/workstations/{workstation}/offline", OWNER_DOES),
    ("GET", "/workstations/{workstation}/certificate", OWNER),
    ("GET", "/workstations/{workstation}/renew", OWNER),
    ("POST", "/workstations/{workstation}/renew", OWNER_DOES),
    ("GET", "/workstations/{workstation}/revoke", OWNER),
    ("POST", "/workstations/{workstation}/revoke", OWNER_DOES),
    ("GET", "/workstations/{workstation}/lost", OWNER),
    ("POST", "/workstations/{workstation}/lost", OWNER_DOES),
    ("GET", "/accounts", OPERATOR),
    ("GET", "/accounts/new", OPERATOR),
    ("POST", "/accounts/new", OPERATOR_DOES),
    ("GET", "/accounts/{account}", OPERATOR),
    ("GET", "/products", SIGNED_IN),
    ("GET", "/products/new", OPERATOR),
    ("POST", "/products/new", OPERATOR_DOES),
    ("GET", "/products/{product}", OPERATOR),
    ("POST", "/products/{product}", OPERATOR_DOES),
    ("GET", "/audit", OPERATOR),
];

#[test]
fn every_page_answers_everybody_as_the_table_says() {
    let db = fresh_in_line();
    let http = Http::new(&db);
    let world = &http.world;
    let given_up = given_up_letter(world);
    let (ada, bob) = (world.customer("ada"), world.customer("bob"));
    let user = id(&world.customer("user"));
    let links = Links::new(world, &ada);
    let product = world.product("studio");
    let license = world.license(&ada, product, 10);
    world.license(&bob, product, 10);
    let server = world.server();
    let workstation = world.activate(&ada, &server, Some(vec![world.line(license, 2, 30)])).unwrap().workstation.id;
    let (request, receipt) = (world.server().request(world), server.receipt(world, workstation));
    let organization = sign_in(&world.portal, "ada@studio.example").administers().unwrap();
    let (mia, max) = (world.customer("mia"), world.customer("max"));
    for email in ["mia@studio.example", "max@studio.example"] {
        world.add_member(organization, email);
    }
    for email in ["user@studio.example", "ivy@studio.example"] {
        let wish = NewMember { email: email.into(), role: None };
        invitations::invite(&world.portal, &ada, organization, &wish).unwrap();
    }
    let invitation = world.link("invitation", "ivy@studio.example");
    let wish = OfferOwnership { account: id(&mia), password: PASSWORD.into() };
    ownership::offer(&world.portal, &ada, organization, &wish).unwrap();
    assignments::assign(&world.portal, &ada, license, id(&mia), 2).unwrap();
    // For one person, so that it does not take all that floats.
    assignments::assign(&world.portal, &ada, license, id(&ada), 3).unwrap();
    let mut online = Online::enable(world, &ada, Scope::Person);
    online.sync(world, &[(license, report(0, 0, 3))]);
    let emails = [
        None,
        Some("user@studio.example"),
        Some("mia@studio.example"),
        Some("bob@studio.example"),
        Some("ada@studio.example"),
        Some("olga@acme.example"),
    ];
    let browsers = emails.map(|email| Browser::of(&http, email));
    let owner = id(&ada).to_string();
    let (product, license) = (product.to_string(), license.to_string());
    let (seats, until) = (format!("seats-{license}"), format!("until-{license}"));

    let send = |browser: &Browser<'_>, method: &str, template: &str| {
        let account = match template {
            "/accounts/{account}" => owner.clone(),
            of_license if of_license.starts_with("/licenses/") => id(&mia).to_string(),
            of_invited if of_invited.ends_with("/invitation") => user.to_string(),
            _ => id(&max).to_string(),
        };
        let of_online = template.ends_with("/recall") || template.ends_with("/offline");
        let workstation = if of_online { online.workstation } else { workstation };
        let path = template
            .replace("{account}", &account)
            .replace("{organization}", &organization.to_string())
            .replace("{product}", &product)
            .replace("{license}", &license)
            .replace("{workstation}", &workstation.to_string())
            .replace("{session}", &links.session.to_string())
            .replace("{token}", &links.token.to_string())
            .replace("{mail}", &given_up.to_string());
        if method == "GET" {
            let token = if template == "/join" { format!("?token={invitation}") } else { String::new() };
            return browser.get(&format!("{path}{token}"));
        }
        let line = [(seats.as_str(), "1"), (until.as_str(), "2027-01-15"), ("do", "confirm"), ("form", "k1")];
        match template {
            "/workstations/activate" => browser.upload(&path, &request, &[("account", &owner)]),
            "/workstations/receipt" => browser.upload(&path, &receipt, &[]),
            "/workstations/activate/confirm" => browser
                .post(&path, &[&line[..], &[("request", &request), ("name", "New"), ("account", &owner)]].concat()),
            "/workstations/{workstation}/renew" => browser.post(&path, &line),
            "/sign-in" => browser.post(&path, &[("email", "ada@studio.example"), ("password", PASSWORD)]),
            "/sign-up" => browser.post(&path, &[("name", "N"), ("email", "n@n.example"), ("password", PASSWORD)]),
            "/confirm" => browser.post(&path, &[("token", &links.sign_up), ("password", PASSWORD)]),
            "/forgotten" => browser.post(&path, &[("email", "user@studio.example")]),
            "/reset" => browser.post(&path, &[("token", &links.reset), ("password", "another long password")]),
            "/email" => browser.post(&path, &[("token", &links.email), ("password", PASSWORD)]),
            "/account/name" => browser.post(&path, &[("name", "N")]),
            "/account/email" => browser.post(&path, &[("email", "o@n.example"), ("password", PASSWORD)]),
            "/account/tokens" => browser.post(&path, &[("token_name", "N"), ("days", "7")]),
            "/mails/sign-up" => browser.post(&path, &[("open", "off")]),
            "/password" => {
                let new = "another long password";
                browser.post(&path, &[("current", PASSWORD), ("new", new), ("again", new)])
            }
            "/licenses/new" => browser.post(
                &path,
                &[
                    ("form", "k1"),
                    ("owner", &owner),
                    ("product", &product),
                    ("seats", "3"),
                    ("kind", "floating"),
                    ("channel", "trial"),
                    ("term", "subscription"),
                    ("until", "2027-01-31"),
                ],
            ),
            "/licenses/{license}" => browser.post(&path, &[("seats", "12")]),
            "/licenses/{license}/assign" => {
                browser.post(&path, &[("account", &id(&mia).to_string()), ("assign_seats", "3")])
            }
            "/organization/switch" => browser.post(&path, &[("organization", "me")]),
            "/organizations/{organization}/members/{account}/role" => browser.post(&path, &[("role", "viewer")]),
            "/organizations/{organization}/members/{account}/assign" => {
                browser.post(&path, &[("license", &license), ("seats", "1")])
            }
            "/organizations/{organization}/members/{account}/suspend" => browser.post(&path, &[("suspended", "yes")]),
            "/organizations/{organization}/members/{account}/owner" => browser.post(&path, &[("password", PASSWORD)]),
            "/organizations/{organization}/settings" => browser.post(&path, &[("pending_seats", "free")]),
            "/join" => browser.post(&path, &[("token", &invitation), ("name", "Ivy"), ("password", PASSWORD)]),
            "/organizations/{organization}/members" => browser.post(&path, &[("email", "user@studio.example")]),
            "/workstations/{workstation}/recall" => browser.post(&path, &[("license", &license), ("seats", "1")]),
            "/workstations/{workstation}/offline" => browser.post(&path, &[("step", "confirm"), (&seats, "1")]),
            "/workstations/token" => browser.post(&path, &[("scope", "person")]),
            "/accounts/new" => browser.post(
                &path,
                &[
                    ("form", "k1"),
                    ("name", "N"),
                    ("email", "n@n.example"),
                    ("password", PASSWORD),
                    ("role", "customer"),
                ],
            ),
            "/products/new" | "/products/{product}" => browser.post(
                &path,
                &[("form", "k1"), ("code", "new"), ("name", "New"), ("share", "none"), ("features", "new.gui 1")],
            ),
            _ => browser.post(&path, &[]),
        }
    };

    let start = db.snapshot().unwrap();
    for (method, template, expected) in TABLE {
        let whos = ["nobody", "user", "member", "other owner", "owner", "operator"];
        for (who, (browser, expected)) in whos.iter().zip(browsers.iter().zip(expected)) {
            db.restore(&start).unwrap();
            // A restored database has other bytes than the one it was saved from.
            let before = db.snapshot().unwrap();
            let answer = send(browser, method, template);
            assert_eq!(answer.status.as_u16(), *expected, "{who}: {method} {template}: {}", answer.text());
            if answer.status.is_client_error() {
                assert!(answer.text().contains("<html"), "{who}: {method} {template} is no page");
                assert!(db.snapshot().unwrap() == before, "{who} changed something: {method} {template}");
            }
        }
    }

    let all: BTreeSet<(String, String)> =
        pages::all().into_iter().map(|(method, path)| (method.to_string(), path.to_owned())).collect();
    let rows: BTreeSet<(String, String)> =
        TABLE.iter().map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned())).collect();
    assert_eq!(all, rows, "every page has a row in this table, and every row a page");
}

#[test]
fn a_workstation_is_activated_by_two_forms_that_leave_nothing_in_between() {
    let db = fresh_in_line();
    let http = Http::new(&db);
    let world = &http.world;
    let ada = world.customer("ada");
    let license = world.license(&ada, world.product("studio"), 10);
    let server = world.server();
    let browser = Browser::of(&http, Some("ada@studio.example"));
    let before = db.snapshot().unwrap();
    let name = "<script>alert('farm')</script>";
    let review = browser.upload("/workstations/activate", &server.request(world), &[("name", name)]);
    assert_eq!(review.status.as_u16(), 200, "{}", review.text());
    let page = review.text();
    assert!(page.contains("A new workstation") && page.contains("<strong>10 seats</strong>"), "{page}");
    assert!(page.contains("leave the pool until"), "{page}");
    assert!(!page.contains("<script>alert") && page.contains("&lt;script&gt;alert"), "{page}");
    assert!(db.snapshot().unwrap() == before, "looking changes nothing");

    // Browsers send the line ends of a form as CRLF.
    let request = hidden(page, "request").replace('\n', "\r\n");
    let key = hidden(page, "form");
    let (seats, until) = (format!("seats-{license}"), format!("until-{license}"));
    let form = |what, count| {
        let lines = [(seats.as_str(), count), (until.as_str(), "2027-01-15")];
        let fields = [&lines[..], &[("request", &request), ("form", &key), ("name", name), ("do", what)]].concat();
        browser.post("/workstations/activate/confirm", &fields)
    };
    let again = form("review", "4");
    assert!(again.text().contains("<strong>4 seats</strong>"), "{}", again.text());
    // 12:00 UTC after the last day, and the day of allowance.
    assert!(again.text().contains("2027-01-17 12:00 UTC"), "{}", again.text());
    assert!(db.snapshot().unwrap() == before, "looking again changes nothing");
    let refused = form("confirm", "11");
    assert_eq!(refused.status.as_u16(), 409);
    assert!(refused.text().contains("There are not enough free seats.") && refused.text().contains("NO_SEATS"));
    assert!(db.snapshot().unwrap() == before, "refused");

    let done = form("confirm", "4");
    assert_eq!(done.status.as_u16(), 303, "{}", done.text());
    let to = location(&done).to_owned();
    assert!(to.ends_with("?issued=1"), "{to}");
    assert_eq!(location(&form("confirm", "4")), to, "a double click does it once");
    let page = browser.get(&to);
    assert!(page.text().contains("Download .crt File") && !page.text().contains("<script>alert"), "{}", page.text());
    let file = browser.get(&format!("{}/certificate", to.split('?').next().unwrap()));
    let disposition = file.headers[header::CONTENT_DISPOSITION].to_str().unwrap();
    assert_eq!(disposition, "attachment; filename=\"script-alert--farm----script-rev1.crt\"");
    let root = world.portal.root();
    let taken = read_activation_file(&file.body, Some(root), &server.key.public(), None, world.now()).unwrap();
    assert_eq!((taken.grant.grant.lines[0].seats, taken.grant.grant.workstation_name.as_str()), (4, name));
    let used = form("confirm", "5");
    assert_eq!(used.status.as_u16(), 409, "the same form with other values");
    assert!(used.text().contains("FORM_USED"), "{}", used.text());
    let again = browser.upload("/workstations/activate", &request, &[]);
    assert!(again.text().contains("FILE_REPLAYED"), "{}", again.text());
}

#[test]
fn a_bad_upload_is_explained_where_it_was_uploaded() {
    let db = fresh_in_line();
    let http = Http::new(&db);
    let world = &http.world;
    let ada = world.customer("ada");
    world.license(&ada, world.product("studio"), 10);
    let server = world.server();
    let activated = world.activate(&ada, &server, None).unwrap();
    let file = workstations::activation_file(&world.portal, &ada, activated.workstation.id).unwrap().text;
    let (request, receipt) = (world.server().request(world), server.receipt(world, activated.workstation.id));
    let browser = Browser::of(&http, Some("ada@studio.example"));
    let before = db.snapshot().unwrap();
    let huge = "x".repeat(300 * 1024);
    for (place, upload, code) in [
        ("/workstations/activate", "", "NO_FILE"),
        ("/workstations/activate", "hello", "FILE_NOT_OURS"),
        ("/workstations/activate", &request[..request.len() / 2], "FILE_TRUNCATED"),
        ("/workstations/activate", &file, "FILE_SWAPPED"),
        ("/workstations/activate", &receipt, "FILE_SWAPPED"),
        ("/workstations/activate", &huge, "FILE_OVERSIZED"),
        ("/workstations/receipt", &request, "FILE_SWAPPED"),
        ("/workstations/receipt", &receipt[..receipt.len() / 2], "FILE_TRUNCATED"),
        ("/workstations/receipt", "", "NO_FILE"),
    ] {
        let answer = browser.upload(place, upload, &[]);
        let page = answer.text();
        assert!(answer.status.is_client_error(), "{code}: {}", answer.status);
        assert!(page.contains(code), "{code} at {place}: {page}");
        assert!(page.contains("What to do") && page.contains("Who can"), "{code}: {page}");
        assert!(page.contains("type=\"file\""), "{code}: the form is there to try again");
        assert!(db.snapshot().unwrap() == before, "{code} changed something");
    }
}

#[test]
fn a_sale_that_is_sent_twice_is_one_sale() {
    let db = fresh_in_line();
    let http = Http::new(&db);
    let world = &http.world;
    let (ada, product) = (world.customer("ada"), world.product("studio"));
    let browser = Browser::of(&http, Some("olga@acme.example"));
    let form = browser.get("/licenses/new");
    let key = hidden(form.text(), "form");
    let (owner, product) = (id(&ada).to_string(), product.to_string());
    let sell = |seats| {
        browser.post(
            "/licenses/new",
            &[
                ("form", &key),
                ("owner", &owner),
                ("product", &product),
                ("seats", seats),
                ("kind", "floating"),
                ("channel", "commercial"),
                ("term", "subscription"),
                ("until", "2027-06-30"),
            ],
        )
    };
    let (wrong, first) = (sell("0"), sell("7"));
    assert_eq!(wrong.status.as_u16(), 422);
    assert!(wrong.text().contains("The number of seats must be 1 to 1,000,000."), "{}", wrong.text());
    assert!(wrong.text().contains("value=\"2027-06-30\""), "what was entered is still there");
    assert_eq!((first.status.as_u16(), location(&first)), (303, location(&sell("7"))));
    let page = Browser::of(&http, Some("ada@studio.example")).get("/licenses");
    assert_eq!(page.text().matches("0 of 7").count(), 2, "one meter, in words and for screen readers: {}", page.text());
}

#[test]
fn signing_in_leads_back_and_never_to_another_site() {
    let db = fresh_in_line();
    let http = Http::new(&db);
    http.world.customer("ada");
    let nobody = Browser::of(&http, None);
    let sent = nobody.get("/workstations?status=active");
    assert_eq!(location(&sent), "/sign-in?next=%2Fworkstations%3Fstatus%3Dactive");
    let page = nobody.get(location(&sent));
    assert_eq!(hidden(page.text(), "next"), "/workstations?status=active");
    let sign_in = |next, password| {
        let fields = [("email", "Ada@Studio.example"), ("password", password), ("next", next)];
        nobody.post("/sign-in", &fields)
    };
    let answer = sign_in("/workstations?status=active", PASSWORD);
    assert_eq!(location(&answer), "/workstations?status=active");
    let cookie = answer.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.starts_with("leasehold_portal=") && cookie.contains("HttpOnly"), "{cookie}");
    for elsewhere in ["https://evil.example/", "//evil.example", "/\\evil.example"] {
        assert_eq!(location(&sign_in(elsewhere, PASSWORD)), "/");
    }
    let wrong = sign_in("/", "not the password");
    assert_eq!(wrong.status.as_u16(), 401);
    assert!(!wrong.headers.contains_key(header::SET_COOKIE));
    assert!(wrong.text().contains("The email address or the password is wrong."), "{}", wrong.text());
}

#[test]
fn another_site_cannot_send_a_form_and_problems_are_pages_for_people_only() {
    let db = fresh_in_line();
    let http = Http::new(&db);
    http.world.customer("ada");
    let token = http.token("ada@studio.example");
    let request = |path: &str, accept: &str, site: &str| {
        let cookie = format!("leasehold_portal={token}");
        let request = Request::builder().method(Method::POST).uri(path).header(header::COOKIE, cookie);
        http.send(request.header("sec-fetch-site", site).header(header::ACCEPT, accept).body(Body::empty()).unwrap())
    };
    let crossed = request("/sign-out", "text/html", "cross-site");
    assert_eq!(crossed.status.as_u16(), 403);
    assert!(crossed.text().contains("The request came from another web site."), "{}", crossed.text());
    let policy = crossed.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.contains("default-src 'self'"), "a page may load its style: {policy}");
    assert_eq!(request("/nothing", "*/*", "same-origin").code(), "NOT_FOUND");
    assert_eq!(request("/api/v1/nothing", "text/html", "same-origin").code(), "NOT_FOUND");
    let page = request("/nothing", "text/html", "same-origin");
    assert_eq!(page.status.as_u16(), 404);
    assert!(page.text().contains("There is nothing at this address.") && page.text().contains("Sign out"));
}

#[test]
fn revoking_is_asked_with_numbers_first() {
    let db = fresh_in_line();
    let http = Http::new(&db);
    let world: &World = &http.world;
    let ada = world.customer("ada");
    let license = world.license(&ada, world.product("studio"), 10);
    let activated = world.activate(&ada, &world.server(), Some(vec![world.line(license, 8, 30)])).unwrap();
    let browser = Browser::of(&http, Some("ada@studio.example"));
    let here = format!("/workstations/{}", activated.workstation.id);
    let question = browser.get(&format!("{here}/revoke"));
    let page = question.text();
    assert!(page.contains(&format!("Revoke workstation {}?", activated.workstation.name)), "{page}");
    assert!(page.contains("<strong>8 seats</strong>") && page.contains("2026-12-22 12:00 UTC"), "{page}");
    assert!(page.contains("2026-12-23 12:00 UTC"), "when the seats are back: {page}");
    assert_eq!(location(&browser.post(&format!("{here}/revoke"), &[])), here);
    let page = browser.get(&here);
    assert!(page.text().contains("It can still run until") && !page.text().contains("/certificate"), "{}", page.text());
}

#[test]
fn a_portal_that_lost_something_says_so_and_an_operator_may_give_out_all_the_same() {
    let db = fresh_in_line();
    let http = Http::new(&db);
    let world: &World = &http.world;
    let ada = world.customer("ada");
    let license = world.license(&ada, world.product("studio"), 10);
    let server = Online::enable(world, &ada, Scope::Organization);
    let here = format!("/licenses/{license}");
    let (hers, operators) =
        (Browser::of(&http, Some("ada@studio.example")), Browser::of(&http, Some("olga@acme.example")));
    let lost = "This portal was restored from a backup";
    assert!(!hers.get(&here).text().contains(lost));
    // Syncs that this portal has never seen.
    let mut request = server.request(world, &[(license, report(10, 0, 0))]);
    request.seq += 5;
    let sent = server.sent(world, &request);
    sync::sync(&world.portal, HOME, &sent.token, &sent.body).unwrap();
    let (seen, seen_by_operator) = (hers.get(&here), operators.get(&here));
    assert!(seen.text().contains(lost) && !seen.text().contains("/raise"), "{}", seen.text());
    assert!(seen_by_operator.text().contains(&format!("{here}/raise")), "{}", seen_by_operator.text());
    for page in ["/", "/licenses"] {
        assert!(operators.get(page).text().contains(lost), "{page}");
    }
    // Nobody can have seats of a license that is sold only now.
    let new = world.license(&ada, world.look(license).product.id, 3);
    assert!(!hers.get(&format!("/licenses/{new}")).text().contains(lost));
    let question = operators.get(&format!("{here}/raise"));
    assert!(question.text().contains("<strong>10 seats</strong> of 10 seats that are out"), "{}", question.text());
    let raised = operators.post(&format!("{here}/raise"), &[]);
    assert_eq!(location(&raised), format!("{here}?done=raised"));
    assert!(operators.get(location(&raised)).text().contains("given out again"));
    assert!(!hers.get(&here).text().contains(lost));
}

#[test]
fn a_product_says_how_long_online_servers_go_on_without_the_portal() {
    let db = fresh_in_line();
    let http = Http::new(&db);
    let product = http.world.product("studio");
    let browser = Browser::of(&http, Some("olga@acme.example"));
    let here = format!("/products/{product}");
    let term = || leasehold_portal::service::products::get(&http.world.portal, &http.world.operator, product);
    let save = |more: &[(&str, &str)]| {
        let fields = [("name", "Studio"), ("share", "none"), ("features", "studio.gui 1")];
        browser.post(&here, &[&fields[..], more].concat())
    };
    assert!(browser.get(&here).text().contains("value=\"days\" selected"), "7 days are preset");
    for (number, unit, seconds) in [("1", "hours", 3_600), ("90", "minutes", 5_400), ("30", "days", 2_592_000)] {
        let saved = save(&[("online_term", number), ("online_term_unit", unit)]);
        assert_eq!(saved.status.as_u16(), 303, "{}", saved.text());
        assert_eq!(term().unwrap().online_term_s, seconds);
        let page = browser.get(&here);
        assert!(page.text().contains(&format!("name=\"online_term\" value=\"{number}\"")), "{}", page.text());
    }
    for (number, unit) in [("31", "days"), ("59", "minutes"), ("4294967295", "days"), ("x", "days"), ("1", "years")] {
        let refused = save(&[("online_term", number), ("online_term_unit", unit)]);
        assert_eq!(refused.status.as_u16(), 422, "{number} {unit}");
        assert!(refused.text().contains("The time must be"), "{}", refused.text());
    }
    assert_eq!(save(&[]).status.as_u16(), 303);
    assert_eq!(term().unwrap().online_term_s, 2_592_000, "what is not sent stays");
}
