//! Denials that explain themselves, in the API and on the pages; and *Would this work?*.

use crate::browser::Browser;
use crate::support::{Call, Reply, Running, Site, ask};
use leasehold_core::time::{Clock, DAY_MS, MINUTE_MS};
use leasehold_wire::server::{DenialResponse, DenialView, Page, SimulateResponse, SimulateVerdict, StepState};
use serde_json::{Value, json};

fn one_seat(site: &Site) -> Running {
    let line = site.portal.line("studio.gui", 1, site.clock.wall().plus(90 * DAY_MS));
    site.activated(&site.portal.grant(1, vec![line]))
}

fn by(user: &str) -> Value {
    let mut ask = ask();
    ask["user"] = json!(user);
    ask
}

fn denials(server: &Running, query: &str) -> Vec<DenialView> {
    let reply = server.admin("GET", &format!("/v1/denials{query}"), None);
    assert_eq!(reply.status, 200, "{reply:?}");
    serde_json::from_value::<Page<DenialView>>(reply.json).unwrap().items
}

fn simulate(server: &Running, wish: Value) -> SimulateResponse {
    let call = Call { method: "POST", path: "/v1/simulate", json: Some(wish), ..Call::default() };
    let reply = server.call(call);
    assert_eq!(reply.status, 200, "{reply:?}");
    serde_json::from_value(reply.json).unwrap()
}

fn denied(reply: &Reply) -> DenialResponse {
    assert_eq!(reply.status, 409, "{reply:?}");
    serde_json::from_value(reply.json.clone()).unwrap()
}

#[test]
fn asking_again_is_one_denial_with_its_waiting_time_also_over_a_restart() {
    let site = Site::new();
    let server = one_seat(&site);
    let held = server.checkout_with("a", by("ann"));
    for (minute, key) in ["b1", "b2", "b3"].iter().enumerate() {
        denied(&server.checkout_with(key, by("bob")));
        site.clock.advance(MINUTE_MS);
        server.heartbeat(&held, minute as u64 + 1, &format!("n{minute}"));
    }
    server.stop();
    let server = site.start();
    denied(&server.checkout_with("b4", by("bob")));
    server.checkin(&held);
    site.clock.advance(MINUTE_MS);
    assert_eq!(server.checkout_with("b5", by("bob")).status, 201);
    let rows = denials(&server, "");
    let [row] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!((&*row.code, row.tries, row.waited_s), ("NO_SEATS", 4, Some(240)));
    assert_eq!((row.total, row.in_use, &*row.user, &*row.host), (1, 1, "bob", "hall3-ws7"));
    assert_eq!(denials(&server, "?outcome=served").len(), 1);
    assert_eq!(denials(&server, "?outcome=open").len(), 0);
    assert_eq!(denials(&server, "?feature=other").len(), 0);
    let browser = Browser::signed_in(&server);
    let page = browser.get("/denials").text;
    assert!(page.contains("Served after 4 min") && page.contains("4 tries"), "{page}");
}

#[test]
fn the_list_of_denials_has_pages_and_shows_hostile_names_as_text() {
    let site = Site::new();
    let server = one_seat(&site);
    server.checkout_with("a", by("ann"));
    for number in 0..5 {
        site.clock.advance(1_000);
        denied(&server.checkout_with(&format!("k{number}"), by(&format!("<b>user-{number}"))));
    }
    let mut users = Vec::new();
    let mut after = String::new();
    loop {
        let page = server.admin("GET", &format!("/v1/denials?limit=2&feature=studio.gui{after}"), None).json;
        users.extend(page["items"].as_array().unwrap().iter().map(|row| row["user"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(users, ["<b>user-4", "<b>user-3", "<b>user-2", "<b>user-1", "<b>user-0"]);
    let page = Browser::signed_in(&server).get("/denials?outcome=open").text;
    assert!(page.contains("&lt;b&gt;user-4") && !page.contains("<b>user-4"));
}

#[test]
fn holders_are_named_to_their_own_address_and_to_others_only_if_that_is_open() {
    let site = Site::new();
    std::fs::write(site.path().join("server.toml"), "trusted_proxies = [\"127.0.0.1\"]").unwrap();
    let server = one_seat(&site);
    let names = |key: &str, address: &str| {
        let header = Some(("x-forwarded-for", address));
        let call = Call {
            method: "POST",
            path: "/v1/leases",
            key: Some(key),
            json: Some(by("bob")),
            header,
            ..Call::default()
        };
        let denial = denied(&server.call(call));
        assert_eq!((denial.total, denial.in_use, denial.borrowed, denial.reserved, denial.free), (1, 1, 0, 0, 0));
        denial.holders.iter().map(|holder| holder.user.to_string()).collect::<Vec<_>>()
    };
    let header = Some(("x-forwarded-for", "10.0.0.7"));
    let call =
        Call { method: "POST", path: "/v1/leases", key: Some("a"), json: Some(by("ann")), header, ..Call::default() };
    assert_eq!(server.call(call).status, 201);
    assert_eq!(names("b", "10.0.0.7"), ["ann"]);
    assert!(names("c", "10.0.0.8").is_empty());
    // *Would this work?* tells no more to somebody who names another address than their own.
    let trial = simulate(&server, json!({"feature": "studio.gui", "address": "10.0.0.7"}));
    assert!(trial.denial.unwrap().holders.is_empty());
    let (token, open) = (server.admin_token(), Some(json!({"usage_open": true})));
    let call = Call { method: "PATCH", path: "/v1/settings", bearer: Some(&token), json: open, ..Call::default() };
    assert_eq!(server.call(call).status, 200);
    assert_eq!(names("d", "10.0.0.8"), ["ann"]);
}

#[test]
fn a_simulation_says_what_a_checkout_would_and_changes_nothing() {
    let site = Site::new();
    let server = one_seat(&site);
    let yes = simulate(&server, json!({"feature": "studio.gui", "user": "ann", "host": "ws1", "version": "9"}));
    assert_eq!(yes.verdict, SimulateVerdict::Granted);
    assert!(yes.steps.iter().any(|step| step.state == StepState::Gives && step.what.contains("0 of 1 seats out")));
    assert_eq!((server.in_use(), denials(&server, "").len()), (0, 0));
    server.checkout_with("a", by("ann"));
    let no = simulate(&server, json!({"feature": "studio.gui", "user": "bob"}));
    let denial = no.denial.unwrap();
    assert_eq!((no.verdict, &*denial.problem.code), (SimulateVerdict::Denied, "NO_SEATS"));
    assert!(no.steps.iter().any(|step| step.what.contains("no seat is free")), "{:?}", no.steps);
    let unknown = simulate(&server, json!({"feature": "studio.xyz"}));
    assert_eq!(&*unknown.denial.unwrap().problem.code, "FEATURE_UNKNOWN");
    let many = simulate(&server, json!({"feature": "studio.gui", "seats": 5}));
    assert_eq!(many.verdict, SimulateVerdict::Denied);
    assert_eq!(denials(&server, "").len(), 0, "nothing was written");
    let wrong = json!({"feature": "studio.gui", "seats": 0});
    let wrong = server.call(Call { method: "POST", path: "/v1/simulate", json: Some(wrong), ..Call::default() });
    assert_eq!((wrong.status, wrong.code()), (422, "BAD_FIELD"), "{wrong:?}");
}

#[test]
fn would_this_work_is_a_page_for_everybody() {
    let site = Site::new();
    let server = one_seat(&site);
    let nobody = Browser::new(&server);
    let yes = nobody.get("/simulate?feature=studio.gui&user=ann&host=ws1&version=&seats=1").text;
    assert!(yes.contains("Yes, it would get its seats") && yes.contains("Step by step"), "{yes}");
    server.checkout_with("a", by("<i>ann"));
    let no = nobody.get("/simulate?feature=studio.gui&user=bob&seats=1").text;
    assert!(no.contains("No, it would be refused") && !no.contains("<i>ann"), "{no}");
    for (query, part) in [
        ("feature=No+Feature&seats=1", "A feature"),
        ("feature=studio.gui&seats=many", "whole number"),
        ("feature=studio.gui&seats=1&released_on=soon", "2026-11-30"),
    ] {
        let page = nobody.get(&format!("/simulate?{query}"));
        assert!(page.status == 422 && page.text.contains(part), "{query}: {} {}", page.status, page.text);
    }
}
