//! Seats that an administrator takes back.

use crate::browser::Browser;
use crate::support::{Call, Reply, Running, Site, ask};
use leasehold_core::time::{MINUTE_MS, SECOND_MS};
use leasehold_wire::server::EndedResponse;
use serde_json::{Value, json};

fn at(user: &str, host: &str) -> Value {
    let mut ask = ask();
    (ask["user"], ask["host"]) = (json!(user), json!(host));
    ask
}

fn release(server: &Running, wish: Value) -> Reply {
    let token = server.admin_token();
    let call = Call { method: "POST", path: "/v1/releases", bearer: Some(&token), json: Some(wish), ..Call::default() };
    server.call(call)
}

fn told(reply: &Reply) -> EndedResponse {
    assert_eq!((reply.status, reply.code()), (409, "WITHDRAWN"), "{reply:?}");
    serde_json::from_value(reply.json.clone()).unwrap()
}

#[test]
fn a_holder_is_told_why_and_gets_no_other_seat_for_a_while_also_over_a_restart() {
    let site = Site::new();
    let server = site.with_ten_seats();
    let ann = server.checkout_with("a", at("ann", "ws1"));
    let released = release(&server, json!({"lease": ann.str("lease"), "reason": "render night", "not_again_s": 1800}));
    assert_eq!((released.status, released.json["leases"].as_u64()), (200, Some(1)), "{released:?}");
    site.clock.advance(MINUTE_MS);
    let ended = told(&server.heartbeat(&ann, 1, "n1"));
    assert_eq!((ended.left_s, ended.not_again_s, ended.reason.as_deref()), (120, Some(1920), Some("render night")));
    server.stop();
    let server = site.start();
    assert_eq!(told(&server.heartbeat(&ann, 2, "n2")).reason.as_deref(), Some("render night"));
    assert_eq!(server.checkin(&ann).status, 204);
    let again = server.checkout_with("a2", at("ann", "ws1"));
    assert_eq!((again.status, again.code(), again.str("reason")), (409, "WITHDRAWN", "render night"));
    assert_eq!(server.checkout_with("b", at("bob", "ws1")).status, 201, "somebody else may");
    site.clock.advance(30 * MINUTE_MS);
    assert_eq!(server.checkout_with("a3", at("ann", "ws1")).status, 201);
    let audit = server.admin("GET", "/v1/audit", None).text;
    assert!(audit.contains("seat_release") && audit.contains("render night"), "{audit}");
}

#[test]
fn all_of_a_host_or_of_a_user_go_together() {
    let site = Site::new();
    let server = site.with_ten_seats();
    let leases = [("ann", "ws1"), ("bob", "ws1"), ("ann", "ws2"), ("cid", "ws3")]
        .map(|(user, host)| server.checkout_with(&format!("{user}-{host}"), at(user, host)));
    assert_eq!(release(&server, json!({"host": "ws1"})).json["leases"], 2);
    assert_eq!(release(&server, json!({"user": "ann"})).json["leases"], 2);
    site.clock.advance(60 * SECOND_MS);
    for lease in &leases[..3] {
        told(&server.heartbeat(lease, 1, "n1"));
    }
    assert_eq!(server.heartbeat(&leases[3], 1, "n1").status, 200);
}

#[test]
fn what_cannot_be_meant_is_refused_and_nothing_changes() {
    let site = Site::new();
    let server = site.with_ten_seats();
    let ann = server.checkout_with("a", at("ann", "ws1"));
    for (wish, code) in [
        (json!({}), "BAD_FIELD"),
        (json!({"host": "ws1", "user": "ann"}), "BAD_FIELD"),
        (json!({"user": ""}), "BAD_FIELD"),
        (json!({"user": "ann", "not_again_s": 90_000}), "BAD_FIELD"),
        (json!({"user": "ann", "reason": "x".repeat(201)}), "BAD_FIELD"),
        (json!({"user": "Ann"}), "NOBODY_HOLDS"),
    ] {
        let refused = release(&server, wish.clone());
        assert_eq!(refused.code(), code, "{wish}: {refused:?}");
    }
    assert_eq!(server.heartbeat(&ann, 1, "n1").status, 200);
}

#[test]
fn the_page_asks_says_what_happens_and_marks_who_is_told() {
    let site = Site::new();
    let server = site.with_ten_seats();
    let ann = server.checkout_with("a", at("<u>ann", "ws1"));
    let browser = Browser::signed_in(&server);
    let holders = browser.get("/holders").text;
    let address = format!("/holders/release?lease={}", ann.str("lease"));
    assert!(holders.contains(&address), "{holders}");
    let question = browser.get(&address).text;
    assert!(
        question.contains("Everything at ws1") && question.contains("&lt;u&gt;ann") && !question.contains("<u>ann")
    );
    let form = format!("lease={}&whom=user&reason=render+night&again=3600", ann.str("lease"));
    let done = browser.post("/holders/release", &form);
    assert_eq!((done.status, &*done.to), (303, "/holders?done=released"));
    let holders = browser.get("/holders?done=released").text;
    assert!(holders.contains("Taken back") && holders.contains("not told yet") && holders.contains("render night"));
    site.clock.advance(MINUTE_MS);
    told(&server.heartbeat(&ann, 1, "n1"));
    assert!(browser.get("/holders").text.contains("told, freed"));
    server.checkin(&ann);
    assert!(browser.get(&address).text.contains("That seat is free"));
}
