use super::super::products::tests::{line, status};
use super::*;
use leasehold_core::time::Ms;
use serde_json::{Value, json};

fn said(lines: Vec<Value>, more: Value) -> String {
    notices(&status(lines, more)).into_iter().map(|notice| notice.text.0).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_healthy_server_says_nothing() {
    assert_eq!(said(vec![line("studio", 10, 5, 90, &["studio.gui"])], json!({})), "");
}

#[test]
fn each_trouble_says_what_to_do() {
    let behind = json!({"clock": {
        "at_start": "behind", "off_by_s": 7_200, "wall_ahead_s": -7_200, "no_new_leases_until": "2026-11-22T00:07:00Z",
    }});
    let stepped = json!({"clock": { "at_start": "plausible", "off_by_s": 0, "wall_ahead_s": 3_600 }});
    let ahead = json!({"clock": { "at_start": "ahead", "off_by_s": 864_000, "wall_ahead_s": 0 }});
    let moved = |until: &str| json!({"moved": { "new_leases_until": until }});
    let full = json!({"storage": { "ok": false, "problem": "The disk is full: free 64 MiB." }});
    let draining = json!({"state": "draining", "leases_end_at": "2026-11-22T00:06:00Z"});
    for (more, parts) in [
        (
            behind,
            ["until 2026-11-22 00:07 UTC (in 7 min)", "set it right (NTP) and restart the server. If it is right now"],
        ),
        (stepped, ["60 min ahead of", "restart the server"]),
        (ahead, ["10 days old", "check this machine's clock"]),
        (
            moved("2026-11-24T00:00:00Z"),
            ["gives new seats until 2026-11-24 00:00 UTC (in 2 days)", "href=\"/activate\""],
        ),
        (moved("2026-11-20T00:00:00Z"), ["gives no new seats", "href=\"/activate\""]),
        (full, ["new seats are refused", "free 64 MiB"]),
        (draining, ["4 applications still hold a seat, until 2026-11-22 00:06 UTC", "href=\"/disable\""]),
        (json!({"state": "disabled"}), ["Download the receipt", "href=\"/online\""]),
        (json!({"setup_needed": true}), ["No administrator's password", "href=\"/setup\""]),
    ] {
        let text = said(vec![line("studio", 10, 5, 90, &["studio.gui"])], more);
        for part in parts {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
    }
}

#[test]
fn an_outage_of_the_portal_is_noticed_in_its_last_three_days_only() {
    let of = |hours: i64, trouble: Value| {
        let end = Ms(1_795_305_600_000 + hours * leasehold_core::time::HOUR_MS).rfc3339();
        let online = json!({
            "portal_url": "https://portal.example", "state": "unreachable", "ends_at": end,
            "trouble_since": "2026-11-21T00:00:00Z", "trouble": trouble, "pools": [],
        });
        said(Vec::new(), json!({ "online": online }))
    };
    let why = json!({ "code": "X", "what": "Nobody <answers>.", "what_to_do": "Do it.", "who": "you" });
    assert_eq!(of(73, why.clone()), "");
    for (hours, part) in [(72, "for another 3 days"), (5, "for another 5 h 0 min"), (-1, "seats from it ended")] {
        let (administrator, anyone) = (of(hours, why.clone()), of(hours, Value::Null));
        assert!(administrator.contains(part) && administrator.contains("Nobody &lt;answers&gt;"), "{administrator}");
        assert!(anyone.contains(part) && anyone.contains("The administrator of this server can see why"), "{anyone}");
    }
}

#[test]
fn seats_that_the_portal_renews_do_not_end_soon() {
    let mut renewed = line("studio", 10, 5, 6, &["studio.gui"]);
    renewed["offline"] = json!(false);
    let online = json!({ "portal_url": "https://portal.example", "state": "ok", "pools": [] });
    assert_eq!(said(vec![renewed], json!({ "online": online })), "");
}

#[test]
fn ends_are_said_thirty_days_before_and_more_gravely_at_fourteen_seven_and_one() {
    let of = |days| said(vec![line("studio", 10, 5, days, &["studio.gui"])], json!({}));
    let tone = |days| {
        let all = notices(&status(vec![line("studio", 10, 5, days, &["studio.gui"])], json!({})));
        all.first().map(|notice| (notice.tone, notice.text.0.contains("applications that hold one of them stop")))
    };
    assert_eq!((of(31), tone(31)), (String::new(), None));
    assert_eq!([30, 15].map(tone), [Some((Tone::Info, false)); 2]);
    assert_eq!([14, 8].map(tone), [Some((Tone::Warning, false)); 2]);
    assert_eq!([7, 2].map(tone), [Some((Tone::Warning, true)); 2]);
    assert_eq!(tone(1), Some((Tone::Bad, true)));
    assert!(of(14).contains("10 seats end</strong> soon") || of(14).contains("10 seats end soon"), "{}", of(14));
    assert!(of(-1).contains("Expired: </strong>") && of(-1).contains("Name of studio"), "{}", of(-1));
    let over = said(vec![line("studio", 10, 12, 90, &["studio.gui"])], json!({}));
    assert!(over.contains("2 seats more are"), "{over}");
}
