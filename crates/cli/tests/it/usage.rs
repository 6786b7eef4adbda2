//! `leasehold server usage`, with a server that runs and without.

use crate::support::{FEATURE, Site, comes};

#[test]
fn usage_is_told_as_text_as_json_and_as_csv() {
    let mut site = Site::with_seats(3);
    site.run(&["checkout", FEATURE]).ok();
    site.run(&["checkin"]).ok();
    let usage = |site: &Site, more: &[&str]| {
        let command = ["server", "usage", "--data", "server"];
        site.machine.run(&[&command[..], more].concat())
    };
    assert!(
        comes(|| usage(&site, &["--json"]).ok().json()["totals"]["checkouts"] == 1),
        "{:?}",
        usage(&site, &["--json"])
    );
    let json = usage(&site, &["--json"]).ok().json();
    assert_eq!((&json["totals"]["peak"], &json["totals"]["denials"]), (&1.into(), &0.into()), "{json}");
    let text = usage(&site, &[]).ok().out;
    assert!(text.contains("checkouts: 1") && text.contains("DAY") && text.contains("USER"), "{text}");
    let csv = usage(&site, &["--csv", "users"]).ok().out;
    assert!(csv.starts_with("user,seat_hours,peak,checkouts,denials\r\n"), "{csv}");
    assert!(usage(&site, &["--csv"]).ok().out.starts_with("date,peak,owned"));
    let nothing = usage(&site, &["--feature", "other.feature"]).ok().out;
    assert!(nothing.contains("Nothing was counted"), "{nothing}");
    usage(&site, &["--from", "yesterday"]).failed(1, &["from", "2026-11-01"]);
    let user = json["users"][0]["name"].as_str().unwrap().to_owned();
    let of = usage(&site, &["--user", &user, "--json"]).ok().json();
    assert_eq!(of["totals"]["checkouts"], 1, "{of}");

    site.stop_server();
    assert_eq!(usage(&site, &["--json"]).ok().json()["totals"]["checkouts"], 1);
}
