//! Programs without a browser (RFC 8628): they show a code, somebody who is signed in decides, they are given a token once.

use crate::api::{Answer, Http};
use crate::world::{BASE_URL, HOME, PASSWORD, code, sign_in};
use axum::http::{Method, header};
use leasehold_core::access::TokenScope;
use leasehold_core::time::{MINUTE_MS, SECOND_MS};
use leasehold_db::testing::{fresh_in_line, on_both};
use leasehold_portal::service::{accounts, devices, own_account};
use leasehold_wire::portal::{ChangePassword, DEVICE_GRANT, DeviceCode, DeviceToken, OAuthError, WaitingDevice};
use serde_json::json;

fn form(http: &Http, path: &str, body: &str) -> Answer {
    let answer = http.form(path, None, body);
    assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
    answer
}

fn asks(http: &Http, client: &str, scope: &str) -> DeviceCode {
    let answer = form(http, "/api/v1/device/authorize", &format!("client_id={client}&scope={scope}"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn polls(http: &Http, device: &DeviceCode) -> Answer {
    let body = format!("grant_type={DEVICE_GRANT}&device_code={}&client_id=x", device.device_code);
    form(http, "/api/v1/device/token", &body)
}

fn error(answer: &Answer) -> String {
    assert_eq!(answer.status, 400, "{}", answer.text());
    answer.json::<OAuthError>().error
}

#[test]
fn somebody_types_the_code_and_the_program_acts_for_them() {
    on_both(|db| {
        let http = Http::new(db);
        let world = &http.world;
        let ada = world.customer("ada");
        let device = asks(&http, "leasehold+server+on+hall3", "workstations");
        assert_eq!(device.verification_uri, format!("{BASE_URL}/device"));
        assert!(device.user_code.len() == 9 && device.verification_uri_complete.ends_with(&device.user_code));
        assert_eq!(error(&polls(&http, &device)), "authorization_pending");
        assert_eq!(error(&polls(&http, &device)), "slow_down");
        world.clock.advance(9 * SECOND_MS);
        assert_eq!(error(&polls(&http, &device)), "slow_down", "it was told to ask every ten seconds");

        let typed = device.user_code.replace('-', " ").to_lowercase();
        let seen = devices::look(&world.portal, &ada, &typed).unwrap();
        assert_eq!((&*seen.client, &*seen.code), ("leasehold server on hall3", &*device.user_code));
        assert_eq!(seen.scopes, [TokenScope::Read, TokenScope::Workstations]);
        assert_eq!(seen.address, HOME.to_string());
        devices::decide(&world.portal, &ada, &typed, true).unwrap();
        assert_eq!(code(devices::decide(&world.portal, &ada, &typed, false)), "BAD_FIELD", "decided once");

        let given: DeviceToken = polls(&http, &device).json();
        assert_eq!((&*given.token_type, given.expires_in, &*given.scope), ("Bearer", 43_200, "read workstations"));
        assert_eq!(error(&polls(&http, &device)), "invalid_grant", "a secret is given once");
        let as_program = |method, path: &str, body| http.call(method, path, Some(&given.access_token), body).status;
        assert_eq!(as_program(Method::GET, "/api/v1/me", None), 200);
        let wish = json!({ "name": "N", "scopes": ["read"], "days": 7 });
        assert_eq!(as_program(Method::POST, "/api/v1/me/tokens", Some(wish)), 403);
        let other = asks(&http, "another", "read");
        let path = format!("/api/v1/device/codes/{}", other.user_code);
        assert_eq!(as_program(Method::POST, &path, Some(json!({ "allow": true }))), 403, "no program lets in another");
        let listed = own_account::tokens(&world.portal, &ada).unwrap().items;
        assert_eq!((&*listed[0].name, listed.len()), ("leasehold server on hall3", 1));
        world.clock.advance(12 * 60 * MINUTE_MS);
        assert_eq!(as_program(Method::GET, "/api/v1/me", None), 401);
    });
}

#[test]
fn refused_and_forgotten_programs_get_nothing_and_are_told_why() {
    let db = fresh_in_line();
    let http = Http::new(&db);
    let world = &http.world;
    let ada = world.customer("ada");
    let refused = asks(&http, "farm", "");
    devices::decide(&world.portal, &ada, &refused.user_code, false).unwrap();
    assert_eq!(error(&polls(&http, &refused)), "access_denied");
    let late = asks(&http, "farm", "");
    world.clock.advance(10 * MINUTE_MS);
    assert_eq!(code(devices::look(&world.portal, &ada, &late.user_code)), "BAD_FIELD");
    assert_eq!(error(&polls(&http, &late)), "expired_token");
    for (body, expected) in [
        ("scope=read", "invalid_request"),
        ("client_id=&scope=read", "invalid_request"),
        ("client_id=x&scope=everything", "invalid_scope"),
    ] {
        assert_eq!(error(&form(&http, "/api/v1/device/authorize", body)), expected, "{body}");
    }
    let other = form(&http, "/api/v1/device/token", "grant_type=password&device_code=x");
    assert_eq!(error(&other), "unsupported_grant_type");
    let unknown = form(&http, "/api/v1/device/token", &format!("grant_type={DEVICE_GRANT}&device_code=x"));
    assert_eq!(error(&unknown), "invalid_grant");
}

#[test]
fn nobody_allows_more_than_they_may_and_a_new_password_takes_it_back() {
    let db = fresh_in_line();
    let http = Http::new(&db);
    let world = &http.world;
    let ada = world.customer("ada");
    let wants_all = asks(&http, "x", "vendor");
    assert_eq!(code(devices::decide(&world.portal, &ada, &wants_all.user_code, true)), "FORBIDDEN");
    devices::decide(&world.portal, &world.operator, &wants_all.user_code, true).unwrap();
    assert_eq!(polls(&http, &wants_all).json::<DeviceToken>().scope, "read vendor");

    let device = asks(&http, "x", "workstations");
    devices::decide(&world.portal, &ada, &device.user_code, true).unwrap();
    let wish = ChangePassword { current: PASSWORD.into(), new: "quite another one".into() };
    accounts::change_password(&world.portal, &ada, &wish).unwrap();
    assert_eq!(error(&polls(&http, &device)), "invalid_grant");
}

#[test]
fn codes_are_not_guessed_and_nobody_fills_the_list() {
    let db = fresh_in_line();
    let http = Http::new(&db);
    let world = &http.world;
    world.customer("ada");
    let ada = sign_in(&world.portal, "ada@studio.example");
    let device = asks(&http, "x", "read");
    for _ in 0..10 {
        assert_eq!(code(devices::look(&world.portal, &ada, "BBBB-BBBB")), "BAD_FIELD");
    }
    assert_eq!(code(devices::look(&world.portal, &ada, &device.user_code)), "TOO_MANY_CODES");
    for _ in 0..19 {
        asks(&http, "x", "read");
    }
    let full = form(&http, "/api/v1/device/authorize", "client_id=x");
    assert_eq!((full.status.as_u16(), full.json::<OAuthError>().error), (429, "temporarily_unavailable".to_owned()));
    world.clock.advance(10 * MINUTE_MS);
    asks(&http, "x", "read");
}

#[test]
fn the_page_shows_who_asks_as_text_and_does_nothing_by_itself() {
    let db = fresh_in_line();
    let http = Http::new(&db);
    http.world.customer("ada");
    let token = http.token("ada@studio.example");
    let device = asks(&http, "%3Cscript%3Ealert(1)%3C/script%3E", "workstations");
    let browser = crate::browser::Browser::of(&http, Some("ada@studio.example"));
    let link = device.verification_uri_complete.strip_prefix(BASE_URL).unwrap();
    let page = browser.get(link).text().to_owned();
    assert!(page.contains(&device.user_code) && !page.contains("alert(1)"), "only the code: {page}");
    assert_eq!(error(&polls(&http, &device)), "authorization_pending");
    let question = browser.post("/device", &[("code", &device.user_code)]).text().to_owned();
    assert!(question.contains("&lt;script&gt;alert(1)") && question.contains("workstations"), "{question}");
    let answer = http.call(Method::GET, &format!("/api/v1/device/codes/{}", device.user_code), Some(&token), None);
    assert_eq!(answer.json::<WaitingDevice>().client, "<script>alert(1)</script>");
    let done = browser.post("/device/decide", &[("code", &device.user_code), ("allow", "yes")]).text().to_owned();
    assert!(done.contains("Allowed"), "{done}");
    http.world.clock.advance(5 * SECOND_MS);
    assert_eq!(polls(&http, &device).status, 200);
}
