use super::*;
use axum::http::Uri;
use serde_json::{Value, json};

/// 2026-11-22T00:00:00Z.
const NOW: Ms = Ms(1_795_305_600_000);

pub(in crate::pages) fn line(product: &str, seats: u32, in_use: u32, days: i64, features: &[&str]) -> Value {
    let features: serde_json::Map<_, _> = features.iter().map(|code| ((*code).to_owned(), json!(1))).collect();
    json!({
        "line": "line_01a20172bcfb71348243b795e755c571", "license": "lic_01a20172bcfb71348243b795e755c571",
        "product": product, "product_name": format!("Name of {product}"), "kind": "floating", "channel": "commercial",
        "features": features, "seats": seats, "seats_in_use": in_use, "until": NOW.plus(days * DAY_MS).rfc3339(),
        "offline": true, "assigned": false, "share": "none", "granted": true,
    })
}

pub(in crate::pages) fn status(lines: Vec<Value>, more: Value) -> StatusResponse {
    let codes: BTreeSet<String> =
        lines.iter().flat_map(|line| line["features"].as_object().unwrap().keys().cloned()).collect();
    let feature = |code| json!({ "feature": code, "total": 10, "in_use": 4, "free": 6, "online": 0, "offline": 10 });
    let mut status = json!({
        "version": "0.1.0", "server_time": NOW.rfc3339(), "state": "active",
        "features": codes.into_iter().map(feature).collect::<Vec<_>>(), "lines": lines, "leases_out": 4,
        "clock": { "at_start": "plausible", "off_by_s": 0, "wall_ahead_s": 0 },
        "storage": { "ok": true, "problem": "" }, "usage_open": false, "setup_needed": false,
    });
    for (name, value) in more.as_object().unwrap() {
        status[name] = value.clone();
    }
    serde_json::from_value(status).unwrap()
}

fn names(seen: &StatusResponse, address: &str) -> Vec<String> {
    let query = ListQuery::of(&address.parse::<Uri>().unwrap());
    let html = products_table(&products(seen), &query, true).0;
    let found = html.match_indices("<strong>").map(|(at, _)| {
        let name = html[at..].split("Name of ").nth(1).unwrap();
        name.split('<').next().unwrap().to_owned()
    });
    found.collect()
}

#[test]
fn lines_of_one_product_are_one_row_and_ended_ones_give_no_seats() {
    let mut reduced = line("studio", 5, 2, 90, &["studio.gui"]);
    reduced["granted"] = json!(false);
    let lines = vec![
        line("studio", 10, 7, 40, &["studio.gui", "studio.render"]),
        line("studio", 3, 3, 9, &["studio.gui"]),
        line("studio", 4, 0, -1, &["studio.gui"]),
        reduced,
    ];
    let seen = status(lines, json!({}));
    let all = products(&seen);
    assert_eq!(all.len(), 1);
    let studio = &all[0];
    assert_eq!((studio.seats(), studio.in_use(), studio.free()), (13, 12, 1), "what runs out is still in use");
    assert_eq!(studio.first_end(), Some(NOW.plus(9 * DAY_MS)));
    assert_eq!(studio.last_end(), Some(NOW.plus(40 * DAY_MS)));
    assert_eq!(studio.ending_soon(), Some((3, NOW.plus(9 * DAY_MS))));
    assert_eq!(studio.features.len(), 2);
}

#[test]
fn filters_search_and_sort_are_in_the_address() {
    let mut online = line("render", 20, 20, 30, &["render.node"]);
    online["offline"] = json!(false);
    let lines = vec![
        line("atelier", 4, 0, 300, &["atelier.sim"]),
        online,
        line("studio", 10, 5, 90, &["studio.gui", "render.node"]),
    ];
    let seen = status(lines, json!({}));
    for (address, expected) in [
        ("/", vec!["atelier", "render", "studio"]),
        ("/?state=online", vec!["render"]),
        ("/?state=offline", vec!["atelier", "studio"]),
        ("/?use=available", vec!["atelier", "studio"]),
        ("/?use=in_use&state=offline", vec!["studio"]),
        ("/?q=RENDER.n", vec!["render", "studio"]),
        ("/?sort=-use", vec!["render", "studio", "atelier"]),
        ("/?sort=free", vec!["render", "atelier", "studio"]),
        ("/?sort=until", vec!["render", "studio", "atelier"]),
        ("/?sort=nonsense&state=nonsense", vec!["atelier", "render", "studio"]),
    ] {
        assert_eq!(names(&seen, address), expected, "{address}");
    }
    assert!(
        products_table(&products(&seen), &ListQuery::of(&"/?q=zzz".parse().unwrap()), true)
            .0
            .contains("Nothing matches")
    );
}

#[test]
fn a_feature_leads_to_its_holders_only_where_they_are_shown() {
    let seen = status(vec![line("studio", 10, 5, 90, &["studio.gui"])], json!({}));
    let draw = |shown| products_table(&products(&seen), &ListQuery::default(), shown).0;
    assert!(draw(true).contains("href=\"?feature=studio.gui#holders\""));
    assert!(!draw(false).contains("#holders"));
}
