//! Hostile names, times, and lists whose state is in the address.

use super::*;
use leasehold_core::time::{DAY_MS, HOUR_MS, Ms};
use maud::html;

const HOSTILE: &str = "\"><script>alert(1)</script>\u{202e}gpj' onload='x";

#[test]
fn hostile_names_stay_text_everywhere() {
    let problem = crate::problem::Problem::new(400, HOSTILE, HOSTILE).detail(HOSTILE).next(HOSTILE, HOSTILE);
    let uri = format!("/x?q={}&sort=-name", "%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E").parse().unwrap();
    let query = ListQuery::of(&uri);
    let columns = [Column::new("name", "Name").sortable()];
    let list = Table {
        id: "t",
        caption: HOSTILE,
        columns: &columns,
        rows: vec![vec![clip(HOSTILE)].into()],
        query: &query,
        next: Some(HOSTILE),
        empty: html! {},
    };
    let confirm = Confirm {
        question: HOSTILE,
        effect: html! { (clip(HOSTILE)) },
        action: "/x",
        values: &[("name", HOSTILE)],
        verb: "Do",
        cancel: "/",
        kind: Button::Danger,
    };
    let all = html! {
        (clip(HOSTILE)) (wrapped(HOSTILE)) (badge(HOSTILE, Tone::Bad)) (channel_badge(HOSTILE)) (status(HOSTILE, Tone::Good))
        (tooltip(HOSTILE, HOSTILE)) (meter(HOSTILE, 1, 2)) (definitions(&[(HOSTILE, clip(HOSTILE))]))
        (code_block("c", HOSTILE, HOSTILE)) (problem_panel(&problem)) (table(&list)) (confirm_panel(&confirm))
        (search_box(HOSTILE, &query)) (Field::new("n", HOSTILE).hint(HOSTILE).error(Some(HOSTILE)).value(HOSTILE).text())
        (Field::new("m", HOSTILE).value("a").select(&[("a", HOSTILE)])) (empty_state(HOSTILE, HOSTILE, html! {}))
        (page_header(HOSTILE, HOSTILE, html! {})) (steps(&[HOSTILE], 0))
    }
    .0;
    assert!(
        !all.contains("<script") && all.contains("=\"&quot;&gt;&lt;script&gt;"),
        "neither text nor attribute ends early"
    );
    // Kept as it is only where it must come back or be copied exactly: hidden values, field values, code.
    let reordering = all.matches('\u{202e}').count();
    assert_eq!(reordering, 3, "shown as [U+202E] wherever it is only shown");
}

#[test]
fn times_are_exact_and_relative() {
    let now = Ms::parse_rfc3339("2026-11-22T14:03:30Z").unwrap();
    let markup = when(now.plus(5 * DAY_MS), now).0;
    assert!(
        markup.contains(r#"datetime="2026-11-27T14:03:30Z""#) && markup.contains("2026-11-27 14:03 UTC"),
        "{markup}"
    );
    for (ms, words) in [
        (0, "just now"),
        (-9_999, "just now"),
        (-59_000, "59 s ago"),
        (90 * 60_000, "in 90 min"),
        (-47 * HOUR_MS, "47 h ago"),
        (2 * DAY_MS - 1, "in 2 days"),
        (2 * DAY_MS - 60_000, "in 47 h"),
        (89 * DAY_MS, "in 89 days"),
        (91 * DAY_MS, "in 91 days"),
        (92 * DAY_MS, "in 3 months"),
        (365 * DAY_MS, "in 12 months"),
        (-800 * DAY_MS, "2 years ago"),
    ] {
        assert_eq!(relative(now.plus(ms), now), words);
    }
    let _ = (when(Ms(i64::MAX), Ms(i64::MIN)), ago(Ms(i64::MIN), Ms(i64::MAX)));
}

#[test]
fn a_list_keeps_its_state_in_the_address() {
    let columns = [Column::new("name", "Name").sortable(), Column::new("seats", "Seats")];
    let query = ListQuery::of(&"/w?sort=-name&state=online&after=abc&state=twice&empty=".parse().unwrap());
    assert_eq!(query.sort(&columns), Some(Sort { key: "name", descending: true }));
    assert_eq!(query.get("state"), Some("online"));
    assert_eq!(query.with("state", None), "?sort=-name");
    assert_eq!(query.with("after", Some("x y&z")), "?sort=-name&state=online&after=x%20y%26z");
    assert_eq!(query.as_address(), "?sort=-name&state=online&after=abc");
    for unsortable in ["/w?sort=seats", "/w?sort=other", "/w?sort=", "/w?sort=%FF", "/w"] {
        assert_eq!(ListQuery::of(&unsortable.parse().unwrap()).sort(&columns), None, "{unsortable}");
    }
    let long = format!("/w?q={}", "x".repeat(LIST_VALUE_CHARS_MAX + 1));
    assert_eq!(ListQuery::of(&long.parse().unwrap()).get("q"), None);
}

#[test]
fn a_meter_says_when_it_is_over() {
    assert!(meter("seats", 12, 10).0.contains("over by 2"));
    assert!(meter("seats", 0, 0).0.contains("0 of 0"));
    assert!(meter("seats", u64::MAX, u64::MAX).0.contains("width=\"100\""), "no overflow");
}
