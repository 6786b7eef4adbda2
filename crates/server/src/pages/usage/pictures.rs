//! The pictures of the usage page, each with its numbers.

use super::{hours, named};
use leasehold_core::time::{DAY_MS, HOUR_MS, MINUTE_MS, Ms};
use leasehold_web::components::{Chart, Column, ListQuery, Mark, Row, Table, figure, heat_map, share_bar, table};
use leasehold_web::maud::{Markup, html};
use leasehold_web::text::number;
use leasehold_wire::server::{UsageName, UsagePoint, UsageQuery, UsageResponse, UsageStep};

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
/// How many words stand below an axis: the first that the days can be divided by, otherwise the last. More would not fit on a
/// telephone.
const AXIS_WORDS: [i64; 5] = [7, 6, 4, 3, 5];

/// The period as it lies under a picture.
struct Axis {
    from: Ms,
    long_ms: i64,
    offset_ms: i64,
}

impl Axis {
    fn of(usage: &UsageResponse, by_utc: bool) -> Axis {
        let offset_ms = if by_utc { 0 } else { i64::from(usage.tz_offset_min) * MINUTE_MS };
        let day = |text: &str| Ms::parse_rfc3339(&format!("{text}T00:00:00Z")).unwrap_or_default();
        let (from, until) = (day(&usage.from), day(&usage.to).plus(DAY_MS));
        Axis { from: from.plus(-offset_ms), long_ms: until.since(from).max(1), offset_ms }
    }

    #[expect(clippy::cast_precision_loss, reason = "a few years in milliseconds")]
    fn place(&self, at: Ms) -> f64 {
        at.since(self.from) as f64 / self.long_ms as f64
    }

    fn mark(&self, at: Ms, long_ms: i64, value: f64, limit: u32, tip: String) -> Mark {
        let from = self.place(at).clamp(0.0, 1.0);
        let width = (self.place(at.plus(long_ms)) - from).clamp(0.0, 1.0 - from);
        Mark { at: from, width, value, limit: limit.into(), tip }
    }

    fn words(&self) -> Vec<String> {
        let days = self.long_ms / DAY_MS;
        let parts = match days {
            1 => 4,
            2..=6 => days,
            _ => AXIS_WORDS.into_iter().find(|words| days % words == 0).unwrap_or(5),
        };
        (0..parts)
            .map(|i| {
                let local = self.from.plus(self.offset_ms + self.long_ms / parts * i);
                let text = local.minute();
                let words = if days == 1 { text.get(11..16) } else { text.get(if days > 300 { 0..10 } else { 5..10 }) };
                words.unwrap_or_default().to_owned()
            })
            .collect()
    }

    /// An instant as the reader's clock shows it.
    fn time(&self, at: Ms) -> String {
        at.plus(self.offset_ms).minute().trim_end_matches(" UTC").to_owned()
    }
}

fn file(query: &ListQuery, part: &str) -> Vec<(&'static str, String)> {
    vec![
        ("CSV", format!("/usage/data{}", query.with("part", Some(part)))),
        ("JSON", format!("/usage/data{}", query.with("part", None))),
    ]
}

/// All of them.
pub(super) fn all(usage: &UsageResponse, wanted: &UsageQuery, query: &ListQuery, administrator: bool) -> Markup {
    let of_name = wanted.user.is_some() || wanted.host.is_some();
    let axis = Axis::of(usage, of_name);
    html! {
        (over_time(usage, &axis, of_name, query))
        (peaks(usage, &axis, of_name, query))
        div.columns {
            (week(usage, of_name, query))
            (denials(usage, &axis, query))
        }
        @if administrator {
            div.columns {
                (top("Top users", "user", "users", &usage.users, query))
                (top("Top hosts", "host", "hosts", &usage.hosts, query))
            }
        }
    }
}

fn over_time(usage: &UsageResponse, axis: &Axis, of_name: bool, query: &ListQuery) -> Markup {
    let long_ms = if usage.step == UsageStep::Hour { HOUR_MS } else { DAY_MS };
    let when = |point: &UsagePoint| {
        let text = axis.time(point.at.0);
        if usage.step == UsageStep::Hour { text } else { text.get(..10).unwrap_or_default().to_owned() }
    };
    let marks: Vec<Mark> = usage
        .seats
        .iter()
        .map(|point| {
            let owned = if point.owned > 0 { format!(" of {} owned", point.owned) } else { String::new() };
            let tip =
                format!("{}: {} in use on the average, {} at most{owned}", when(point), point.average, point.peak);
            axis.mark(point.at.0, long_ms, point.average, point.owned, tip)
        })
        .collect();
    let each = if usage.step == UsageStep::Hour { "hour" } else { "day" };
    let summary = format!(
        "From {} to {}: {} seat hours, at most {} seats at once{}.",
        usage.from,
        usage.to,
        hours(usage.totals.seat_hours),
        usage.totals.peak,
        if usage.totals.owned > 0 { format!(" of {} owned", usage.totals.owned) } else { String::new() }
    );
    let legend = format!("In use, on the average of each {each}");
    let words = axis.words();
    let chart = Chart {
        id: "over-time",
        title: "Seats in use over time",
        summary: &summary,
        marks: &marks,
        axis: &words,
        legend: (&legend, "Owned"),
    };
    let mut columns = vec![
        Column::new("at", "When"),
        Column::new("average", "On the average").end(),
        Column::new("peak", "At most").end(),
    ];
    if !of_name {
        columns.extend([Column::new("owned", "Owned").end(), Column::new("borrowed", "Borrowed").end()]);
    }
    columns.push(Column::new("checkouts", "Checkouts").end());
    let rows = usage.seats.iter().map(|point| {
        let mut cells = vec![html! { (when(point)) }, html! { (point.average) }, html! { (number(point.peak.into())) }];
        if !of_name {
            cells.extend([html! { (number(point.owned.into())) }, html! { (point.borrowed) }]);
        }
        cells.push(html! { (number(point.checkouts)) });
        Row::from(cells)
    });
    let numbers = numbers("over-time-numbers", "Seats in use over time", &columns, rows.collect(), query);
    figure("Seats in use over time", chart.steps(), numbers, &file(query, "seats"))
}

fn peaks(usage: &UsageResponse, axis: &Axis, of_name: bool, query: &ListQuery) -> Markup {
    let marks: Vec<Mark> = usage
        .days
        .iter()
        .map(|day| {
            let owned = if day.owned > 0 { format!(" of {} owned", day.owned) } else { String::new() };
            let tip = format!("{}: at most {} at once{owned}", day.date, day.peak);
            axis.mark(begin(axis, &day.date), DAY_MS, day.peak.into(), day.owned, tip)
        })
        .collect();
    let busiest = usage.days.iter().max_by_key(|day| day.peak).filter(|day| day.peak > 0);
    let summary = busiest.map_or_else(
        || "No seat was used.".to_owned(),
        |day| format!("The most at once were {} on {}.", day.peak, day.date),
    );
    let words = axis.words();
    let legend = if of_name { "Most at once, of one feature on one host" } else { "Most at once" };
    let chart = Chart {
        id: "peaks",
        title: "Most at once, each day",
        summary: &summary,
        marks: &marks,
        axis: &words,
        legend: (legend, "Owned"),
    };
    let columns = [
        Column::new("date", "Day"),
        Column::new("peak", "At most").end(),
        Column::new("owned", "Owned").end(),
        Column::new("hours", "Seat hours").end(),
        Column::new("checkouts", "Checkouts").end(),
    ];
    let rows = usage.days.iter().map(|day| {
        Row::from(vec![
            html! { (day.date) },
            html! { (number(day.peak.into())) },
            html! { @if day.owned > 0 { (number(day.owned.into())) } @else { "–" } },
            html! { (hours(day.seat_hours)) },
            html! { (number(day.checkouts)) },
        ])
    });
    let numbers = numbers("peak-numbers", "Most at once, each day", &columns, rows.collect(), query);
    figure("Most at once, each day", chart.bars(), numbers, &file(query, "days"))
}

fn begin(axis: &Axis, date: &str) -> Ms {
    Ms::parse_rfc3339(&format!("{date}T00:00:00Z")).unwrap_or_default().plus(-axis.offset_ms)
}

fn denials(usage: &UsageResponse, axis: &Axis, query: &ListQuery) -> Markup {
    #[expect(clippy::cast_precision_loss, reason = "denials of a day")]
    let marks: Vec<Mark> = usage
        .days
        .iter()
        .map(|day| {
            let tip = format!("{}: {} denied", day.date, day.denials);
            axis.mark(begin(axis, &day.date), DAY_MS, day.denials as f64, 0, tip)
        })
        .collect();
    let summary = format!("{} wants were denied from {} to {}.", usage.totals.denials, usage.from, usage.to);
    let words = axis.words();
    let chart = Chart {
        id: "denied",
        title: "Denials, each day",
        summary: &summary,
        marks: &marks,
        axis: &words,
        legend: ("Denied, each want once", ""),
    };
    let columns = [Column::new("date", "Day"), Column::new("denials", "Denials").end()];
    let rows = usage.days.iter().map(|day| Row::from(vec![html! { (day.date) }, html! { (number(day.denials)) }]));
    let numbers = numbers("denied-numbers", "Denials, each day", &columns, rows.collect(), query);
    let mut links = file(query, "days");
    links.push(("All denials", "/denials".to_owned()));
    html! { div.denied-picture { (figure("Denials, each day", chart.bars(), numbers, &links)) } }
}

fn week(usage: &UsageResponse, of_name: bool, query: &ListQuery) -> Markup {
    let days: Vec<(&str, Vec<(f64, String)>)> = WEEKDAYS
        .iter()
        .zip(usage.week.chunks(24))
        .map(|(day, hours)| {
            let hour = |hour: &leasehold_wire::server::UsageWeekHour| {
                let most = if of_name { String::new() } else { format!(", {} at most", hour.peak) };
                (hour.average, format!("{day} {}:00: {} on the average{most}", hour.hour, hour.average))
            };
            (*day, hours.iter().map(hour).collect())
        })
        .collect();
    let busiest = usage.week.iter().max_by(|a, b| a.average.total_cmp(&b.average)).filter(|hour| hour.average > 0.0);
    let day = |weekday: u8| WEEKDAYS.get(usize::from(weekday).saturating_sub(1)).copied().unwrap_or_default();
    let summary = busiest.map_or_else(
        || "No seat was used.".to_owned(),
        |hour| {
            format!("Most are in use on {} from {}:00: {} on the average.", day(hour.weekday), hour.hour, hour.average)
        },
    );
    let most = if of_name { "At most, that day" } else { "At most" };
    let columns = [
        Column::new("day", "Day"),
        Column::new("hour", "Hour"),
        Column::new("average", "On the average").end(),
        Column::new("peak", most).end(),
    ];
    let rows = usage.week.iter().map(|hour| {
        Row::from(vec![
            html! { (day(hour.weekday)) },
            html! { (hour.hour) ":00" },
            html! { (hour.average) },
            html! { (number(hour.peak.into())) },
        ])
    });
    let numbers = numbers("week-numbers", "Week by hour", &columns, rows.collect(), query);
    figure("Week by hour", heat_map("week", "Week by hour", &summary, &days), numbers, &file(query, "week"))
}

fn top(title: &str, name: &'static str, part: &str, rows: &[UsageName], query: &ListQuery) -> Markup {
    let largest = rows.iter().fold(0.0, |largest: f64, row| largest.max(row.seat_hours));
    let label = if name == "user" { "User" } else { "Host" };
    let link = |row: &UsageName| {
        html! {
            @if row.name.trim().is_empty() { (named(&row.name)) } @else { a href=(query.with(name, Some(&row.name))) { (named(&row.name)) } }
        }
    };
    let picture = html! {
        @if rows.is_empty() { p.muted { "Nobody used or wanted a seat." } }
        ol.top-list {
            @for row in rows.iter().take(10) {
                li { span { (link(row)) } span.muted { (hours(row.seat_hours)) " h" } (share_bar(row.seat_hours, largest)) }
            }
        }
    };
    let columns = [
        Column::new(name, label),
        Column::new("hours", "Seat hours").end(),
        Column::new("checkouts", "Checkouts").end(),
        Column::new("denials", "Denials").end(),
    ];
    let cells = |row: &UsageName| {
        Row::from(vec![
            named(&row.name),
            html! { (hours(row.seat_hours)) },
            html! { (number(row.checkouts)) },
            html! { (number(row.denials)) },
        ])
    };
    let id = format!("top-{part}");
    let numbers = numbers(&id, title, &columns, rows.iter().map(cells).collect(), query);
    figure(title, picture, numbers, &file(query, part))
}

fn numbers(id: &str, caption: &str, columns: &[Column], rows: Vec<Row>, query: &ListQuery) -> Markup {
    let empty = html! { p.muted { "No figures in this period." } };
    table(&Table { id, caption, columns, rows, query, next: None, empty })
}
