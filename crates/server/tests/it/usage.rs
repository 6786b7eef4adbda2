//! Usage: what was taken and returned comes out as figures, whatever happens to the server in between; names and detail go
//! with time, figures stay.

use crate::browser::Browser;
use crate::durability::start_again;
use crate::support::{Call, Reply, Running, Site, ask, eventually};
use leasehold_core::time::{Clock, DAY_MS, HOUR_MS, MINUTE_MS, Ms};
use serde_json::{Value, json};

fn by(user: &str, host: &str) -> Value {
    let mut ask = ask();
    (ask["user"], ask["host"]) = (json!(user), json!(host));
    ask
}

fn usage(server: &Running, query: &str) -> Reply {
    let reply = server.admin("GET", &format!("/v1/usage?{query}"), None);
    assert_eq!(reply.status, 200, "{query}: {reply:?}");
    reply
}

/// Lets some minutes pass, and waits until everything before them is counted.
fn count(site: &Site, server: &Running) {
    let before = site.clock.wall();
    site.clock.advance(2 * MINUTE_MS);
    eventually("it is counted", || {
        let reply = usage(server, "");
        Ms::parse_rfc3339(reply.str("counted_until")).unwrap() > before
    });
}

/// Seat hours in the week by hour of a period that has no hour of the week twice.
fn in_week(usage: &Value) -> f64 {
    let week = usage["week"].as_array().unwrap();
    assert_eq!(week.len(), 168);
    week.iter().map(|hour| hour["average"].as_f64().unwrap()).sum()
}

fn day(at: Ms) -> String {
    at.utc_date().to_string()
}

/// From the first of the days to now.
fn since(site: &Site, days: i64) -> String {
    let now = site.clock.wall();
    format!("from={}&to={}", day(now.plus(-days * DAY_MS)), day(now))
}

/// Takes a seat, and gives it back after so many minutes.
fn hold(site: &Site, server: &Running, key: &str, ask: Value, minutes: i64) {
    let lease = server.checkout_with(key, ask);
    assert_eq!(lease.status, 201, "{lease:?}");
    site.clock.advance(minutes * MINUTE_MS);
    assert_eq!(server.checkin(&lease).status, 204);
}

fn set(site: &Site, settings: &str) {
    std::fs::write(site.path().join("server.toml"), settings).unwrap();
}

#[test]
fn some_days_of_work_come_out_as_figures() {
    let site = Site::new();
    let server = site.with_ten_seats();
    for n in 0..3 {
        // Two at once for three minutes, one of them for six; then six minutes of one.
        let first = server.checkout_with(&format!("a{n}"), by("ann", "ws-1"));
        site.clock.advance(3 * MINUTE_MS);
        hold(&site, &server, &format!("b{n}"), by("ben", "ws-2"), 3);
        assert_eq!(server.checkin(&first).status, 204);
        hold(&site, &server, &format!("c{n}"), by("ann", "ws-2"), 6);
        site.clock.advance(DAY_MS);
    }
    let mut many = by("cleo", "ws-3");
    many["seats"] = json!(11);
    assert_eq!(server.checkout_with("too-many", many.clone()).status, 409);
    assert_eq!(server.checkout_with("too-many-again", many).status, 409);
    count(&site, &server);

    let all = usage(&server, &since(&site, 4)).json;
    let totals = &all["totals"];
    // Three times 6 + 3 + 6 minutes.
    assert_eq!(totals["seat_hours"], json!(0.75), "{totals}");
    assert_eq!((&totals["peak"], &totals["owned"]), (&json!(2), &json!(10)), "{totals}");
    assert_eq!((&totals["checkouts"], &totals["denials"]), (&json!(9), &json!(1)), "each want once: {totals}");
    let names = |part: &str| {
        let rows = all[part].as_array().unwrap();
        rows.iter()
            .map(|row| (row["name"].as_str().unwrap().to_owned(), row["seat_hours"].as_f64().unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(names("users"), [("ann".to_owned(), 0.6), ("ben".to_owned(), 0.15), ("cleo".to_owned(), 0.0)]);
    assert_eq!(names("hosts"), [("ws-2".to_owned(), 0.45), ("ws-1".to_owned(), 0.3), ("ws-3".to_owned(), 0.0)]);
    let sum = |part: &str, member: &str| -> f64 {
        all[part].as_array().unwrap().iter().map(|row| row[member].as_f64().unwrap()).sum()
    };
    assert!((sum("days", "seat_hours") - 0.75).abs() < 0.05, "{}", all["days"]);
    assert_eq!(all["week"].as_array().unwrap().len(), 168);
    assert!(sum("week", "average") > 0.0);
    assert!(all["seats"].as_array().unwrap().iter().any(|hour| hour["peak"] == json!(2) && hour["owned"] == json!(10)));

    let ann = usage(&server, &format!("{}&user=ann", since(&site, 4))).json;
    assert_eq!((&ann["totals"]["seat_hours"], &ann["totals"]["checkouts"]), (&json!(0.6), &json!(6)), "{ann}");
    assert_eq!(ann["hosts"].as_array().unwrap().len(), 2);
    assert!((in_week(&ann) - 0.6).abs() < 0.05, "{}", ann["week"]);
    let busy = |of: &Value| -> Vec<bool> {
        of["week"].as_array().unwrap().iter().map(|hour| hour["average"].as_f64().unwrap() > 0.0).collect()
    };
    assert!(busy(&ann).iter().zip(busy(&all)).all(|(ann, all)| !ann || all), "in hours in which somebody worked");
    let both = usage(&server, &format!("{}&user=ann&host=ws-1&feature=studio.gui", since(&site, 4))).json;
    assert_eq!(both["totals"]["seat_hours"], json!(0.3), "{both}");
    assert!((in_week(&both) - 0.3).abs() < 0.05, "{}", both["week"]);
    for nobody in ["user=nobody", "host=nowhere", "feature=other.feature"] {
        let none = usage(&server, &format!("{}&{nobody}", since(&site, 4))).json;
        assert_eq!((&none["totals"]["seat_hours"], &none["totals"]["checkouts"]), (&json!(0.0), &json!(0)), "{nobody}");
    }
    let early = usage(&server, "from=2020-01-01&to=2020-12-31").json;
    assert_eq!((&early["totals"]["checkouts"], early["users"].as_array().unwrap().len()), (&json!(0), 0));
}

#[test]
fn what_is_in_use_now_is_in_the_figures() {
    let site = Site::new();
    let server = site.with_ten_seats();
    let lease = server.checkout_with("a", by("ann", "ws-1"));
    for n in 1..=4 {
        site.clock.advance(5 * MINUTE_MS);
        assert_eq!(server.heartbeat(&lease, n, &format!("n-{n}")).status, 200);
    }
    count(&site, &server);
    let all = usage(&server, &since(&site, 1)).json;
    assert_eq!(all["in_use"], json!(1));
    let hours = all["totals"]["seat_hours"].as_f64().unwrap();
    assert!((0.33..0.4).contains(&hours), "{hours}");
    let ann = all["users"][0]["seat_hours"].as_f64().unwrap();
    assert!((ann - hours).abs() < 0.02, "{ann} {hours}");
    let of_ann = usage(&server, &format!("{}&user=ann", since(&site, 1))).json;
    // Seats on the average of what has passed of an hour: no less than seat hours, and no more than there is.
    assert!((hours - 0.02..=2.0).contains(&in_week(&of_ann)), "{}", of_ann["week"]);
    let most = of_ann["seats"].as_array().unwrap().iter().filter_map(|point| point["average"].as_f64());
    let most = most.fold(0.0, f64::max);
    let week = of_ann["week"].as_array().unwrap().iter().filter_map(|hour| hour["average"].as_f64());
    assert!(week.fold(0.0, f64::max) >= most, "{of_ann}");
}

#[test]
fn a_restart_counts_nothing_twice_and_a_server_that_was_off_counts_nothing() {
    let site = Site::new();
    let mut server = site.with_ten_seats();
    hold(&site, &server, "a", by("ann", "ws-1"), 6);
    let kept = server.checkout_with("kept", by("ben", "ws-2"));
    count(&site, &server);
    for crash in [false, true, false] {
        let before = usage(&server, &since(&site, 2)).json["totals"].clone();
        if crash {
            drop(server);
            server = start_again(&site);
        }
        server.stop();
        site.clock.advance(3 * HOUR_MS);
        server = site.start();
        count(&site, &server);
        let after = usage(&server, &since(&site, 2)).json["totals"].clone();
        assert_eq!((&before["checkouts"], &before["peak"]), (&after["checkouts"], &after["peak"]));
        let more = after["seat_hours"].as_f64().unwrap() - before["seat_hours"].as_f64().unwrap();
        assert!((0.0..0.3).contains(&more), "{more}: {before} {after}");
    }
    // Its holder was not heard of, so it is back by now at the latest.
    let _ = server.checkin(&kept);
    site.clock.advance(HOUR_MS);
    count(&site, &server);
    let totals = usage(&server, &since(&site, 2)).json["totals"].clone();
    server.stop();
    let server = site.start();
    count(&site, &server);
    assert_eq!(usage(&server, &since(&site, 2)).json["totals"], totals);
    // The same by the command line, with nobody serving.
    server.stop();
    let query = leasehold_wire::server::UsageQuery::default();
    let local = leasehold_server::local::usage(site.local(), &query).unwrap();
    assert_eq!(serde_json::to_value(local.totals).unwrap()["checkouts"], totals["checkouts"]);
}

#[test]
fn names_become_pseudonyms_and_one_user_stays_one() {
    let site = Site::new();
    set(&site, "usage_pseudonymize_days = 3\n");
    let server = site.with_ten_seats();
    let mut denied = by("zoë", "ws-1");
    denied["seats"] = json!(11);
    assert_eq!(server.checkout_with("denied", denied).status, 409);
    for n in 0..2 {
        hold(&site, &server, &format!("a{n}"), by("zoë", "ws-1"), 6);
        hold(&site, &server, &format!("b{n}"), by("ben", "ws-1"), 3);
        site.clock.advance(DAY_MS);
    }
    count(&site, &server);
    assert_eq!(usage(&server, &since(&site, 6)).json["users"][0]["name"], json!("zoë"));
    site.clock.advance(3 * DAY_MS);
    eventually("the names are gone", || {
        let text = usage(&server, &since(&site, 8)).text;
        !text.contains("zoë") && !text.contains("ws-1")
    });
    let log = |path| server.admin("GET", path, None).text;
    eventually("the names are gone from the logs", || {
        let text = log("/v1/events") + &log("/v1/denials");
        !text.contains("zoë") && !text.contains("ws-1") && !text.contains("127.0.0.1")
    });
    let all = usage(&server, &since(&site, 8)).json;
    let users = all["users"].as_array().unwrap();
    assert_eq!((users.len(), all["hosts"].as_array().unwrap().len()), (2, 1), "{all}");
    assert_eq!(
        (&users[0]["seat_hours"], &users[0]["checkouts"], &users[0]["denials"]),
        (&json!(0.2), &json!(2), &json!(1))
    );
    let pseudonym = users[0]["name"].as_str().unwrap();
    assert!(pseudonym.starts_with("user-"), "{pseudonym}");
    assert!(log("/v1/events").contains(pseudonym), "the same in the log");
    assert!(log("/v1/denials").contains(pseudonym), "and among denials");
    let under_it = usage(&server, &format!("{}&user={pseudonym}", since(&site, 8))).json;
    assert_eq!(under_it["totals"]["checkouts"], json!(2));
    assert!((in_week(&under_it) - 0.2).abs() < 0.05, "{}", under_it["week"]);

    // What is new has its name, and is somebody else as far as anybody can see.
    hold(&site, &server, "new", by("zoë", "ws-1"), 6);
    count(&site, &server);
    let all = usage(&server, &since(&site, 8)).json;
    let names: Vec<_> = all["users"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert!(names.len() == 3 && names.contains(&"zoë") && names.contains(&pseudonym), "{names:?}");
    assert!(all["named_from"].is_string());
    eventually("no name of old days is left", || {
        let db = server.ready.server.database();
        let stored: Vec<String> = db
            .read(|tx| tx.all("SELECT name FROM usage_name WHERE kind = 0 ORDER BY name", &[], |row| row.text(0)))
            .unwrap();
        stored == ["ws-1", "zoë"]
    });
}

#[test]
fn names_are_left_out_from_the_moment_it_is_set_on_the_page() {
    let site = Site::new();
    let server = site.with_ten_seats();
    hold(&site, &server, "a", by("ann", "ws-1"), 1);
    let token = server.admin_token();
    let wish = Some(json!({ "usage_names": false }));
    let call = Call { method: "PATCH", path: "/v1/settings", bearer: Some(&token), json: wish, ..Call::default() };
    let set = server.call(call);
    assert_eq!(set.status, 200, "{set:?}");
    hold(&site, &server, "b", by("ben", "ws-2"), 1);
    let events = server.admin("GET", "/v1/events", None).text;
    assert!(events.contains("ann") && !events.contains("ben") && !events.contains("ws-2"), "{events}");
}

#[test]
fn without_names_the_figures_are_the_same() {
    let site = Site::new();
    set(&site, "usage_names = false\n");
    let server = site.with_ten_seats();
    hold(&site, &server, "a", by("ann", "ws-1"), 6);
    let mut denied = by("ann", "ws-1");
    denied["seats"] = json!(11);
    assert_eq!(server.checkout_with("denied", denied).status, 409);
    // The denial is over when nobody asks again for a while; names go from an hour after the start on.
    site.clock.advance(2 * HOUR_MS);
    count(&site, &server);
    let all = usage(&server, &since(&site, 1));
    assert_eq!(
        (&all.json["totals"]["seat_hours"], &all.json["totals"]["denials"]),
        (&json!(0.1), &json!(1)),
        "{all:?}"
    );
    eventually("no name is kept", || {
        let text = usage(&server, &since(&site, 1)).text
            + &server.admin("GET", "/v1/events", None).text
            + &server.admin("GET", "/v1/denials", None).text;
        !text.contains("ann") && !text.contains("ws-1")
    });
}

#[test]
fn short_of_room_the_log_goes_and_the_figures_stay() {
    let site = Site::new();
    set(&site, "usage_detail_mb = 16\n");
    let server = site.with_ten_seats();
    hold(&site, &server, "a", by("ann", "ws-1"), 6);
    let old = site.clock.wall().0;
    let db = server.ready.server.database().clone();
    db.write(move |tx| {
        tx.exec(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150000)
             INSERT INTO usage_event (at_ms, kind, lease, key, feature, seats, user_name, host)
             SELECT ?1, 'copied', 'lease_' || printf('%032x', i), 'key-' || i || '-of-some-forty-characters-or-so', 'studio.gui', 1,
                    'somebody', 'some-host.example.com' FROM n",
            &[old.into()],
        )
    })
    .unwrap();
    let rows = |db: &leasehold_db::Db| {
        db.read(|tx| tx.one("SELECT COUNT(*) FROM usage_event", &[], |row| row.int(0))).unwrap().unwrap()
    };
    assert!(rows(&db) >= 150_000);
    site.clock.advance(2 * HOUR_MS);
    hold(&site, &server, "b", by("ann", "ws-1"), 3);
    eventually("the oldest events go", || {
        site.clock.advance(MINUTE_MS);
        rows(&db) < 130_000
    });
    count(&site, &server);
    let all = usage(&server, &since(&site, 2)).json;
    assert_eq!((&all["totals"]["checkouts"], &all["users"][0]["seat_hours"]), (&json!(2), &json!(0.15)), "{all}");
    assert!(all["log_cut_at"].is_string(), "{all}");
    assert!(Browser::signed_in(&server).get("/usage").text.contains("Room was short"));
    // The newest stay: a restart needs them.
    let newest = server.admin("GET", "/v1/events?limit=2", None).json;
    assert_eq!(newest["items"].as_array().unwrap().len(), 2);
}

#[test]
fn hostile_names_are_text_in_tables_and_on_the_page() {
    let site = Site::new();
    let server = site.with_ten_seats();
    let hostile = ["=HYPERLINK(\"http://x\")", "@SUM(1)", "<script>alert(1)</script>", "a,\"b;c", "-2+3"];
    for (n, name) in hostile.iter().enumerate() {
        hold(&site, &server, &format!("k{n}"), by(name, name), 1);
    }
    count(&site, &server);
    for part in ["users", "hosts", "seats", "days", "week"] {
        let reply = usage(&server, &format!("format=csv&part={part}"));
        assert_eq!(reply.content_type, "text/csv; charset=utf-8");
        let lines: Vec<&str> = reply.text.split_terminator("\r\n").collect();
        assert!(lines.len() > 1, "{part}: {}", reply.text);
        for line in lines {
            let cell = line.trim_start_matches('"');
            assert!(!cell.starts_with(['=', '@', '-', '+']), "{line}");
        }
    }
    let token = server.admin_token();
    let header = Some(("accept", "text/csv"));
    let call = Call { method: "GET", path: "/v1/usage", bearer: Some(&token), header, ..Call::default() };
    assert!(server.call(call).text.starts_with("at,average,peak,owned"));

    let administrator = Browser::signed_in(&server);
    let page = administrator.get("/usage").text;
    assert!(page.contains("&lt;script&gt;alert(1)") && !page.contains("<script>alert"), "{page}");
    assert!(!page.contains("style="), "nothing that the content policy would block");
    let file = administrator.get("/usage/data?part=users");
    assert!(file.text.starts_with("user,seat_hours"), "{}", file.text);
    let json: Value = serde_json::from_str(&administrator.get("/usage/data").text).unwrap();
    assert_eq!(json["totals"]["checkouts"], json!(5));
}

#[test]
fn everybody_sees_figures_if_that_is_open_and_only_the_administrator_sees_names() {
    let site = Site::new();
    let server = site.with_ten_seats();
    let administrator = Browser::signed_in(&server);
    let empty = administrator.get("/usage").text;
    assert!(empty.contains("Nothing is counted yet") || empty.contains("Most at once"), "{empty}");
    hold(&site, &server, "a", by("ann", "ws-1"), 6);
    count(&site, &server);
    assert_eq!(server.get("/v1/usage").status, 401);
    assert_eq!(administrator.post("/settings/save", "card=open&totals_open=on&usage_open=on").status, 303);
    let open = server.get("/v1/usage");
    assert_eq!((open.status, &open.json["totals"]["checkouts"]), (200, &json!(1)), "{open:?}");
    assert!(!open.text.contains("ann") && !open.text.contains("ws-1"), "{open:?}");
    for guess in ["user=ann", "host=ws-1"] {
        assert_eq!(server.get(&format!("/v1/usage?{guess}")).status, 401, "no guessing of names");
    }
    let page = Browser::new(&server).get("/usage?user=ann");
    assert!(page.status == 200 && !page.text.contains(">ann<") && page.text.contains("Most at once"));
    for part in ["", "?part=users", "?part=hosts"] {
        assert!(!Browser::new(&server).get(&format!("/usage/data{part}")).text.contains("ws-1"));
    }
}

#[test]
fn what_cannot_be_asked_for_is_named() {
    let site = Site::new();
    let server = site.with_ten_seats();
    for (query, part) in [
        ("from=yesterday", "from"),
        ("to=2026-13-01", "to"),
        ("from=2026-02-01&to=2026-01-01", "from"),
        ("from=2001-01-01&to=2026-01-01", "3660"),
        ("from=2025-01-01&to=2026-01-01&step=hour", "step"),
        ("step=week", "step"),
        ("tz_offset_min=900", "tz_offset_min"),
        ("format=xml", "format"),
        ("months=3", "months"),
    ] {
        let reply = server.admin("GET", &format!("/v1/usage?{query}"), None);
        assert!((400..=422).contains(&reply.status) && reply.text.contains(part), "{query}: {reply:?}");
    }
    let administrator = Browser::signed_in(&server);
    for nonsense in ["from=x&to=y&tz=9&days=-3", "days=99999", "from=2026-02-01&to=2026-01-01", "feature=%00&part=x"] {
        assert_eq!(administrator.get(&format!("/usage?{nonsense}")).status, 200, "{nonsense}");
    }
}
