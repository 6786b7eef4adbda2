//! Pictures of figures, drawn by the server: inline SVG that stretches with the page, takes its colors from the style and
//! needs no script. Words stand beside it as HTML, so that they keep their size. A picture is never the only place of its
//! figures: [`figure`] puts the table of the same numbers below it.

use crate::text::{number, visible};
use maud::{Markup, html};
use std::fmt::Write;

/// Height of the plane, in its own units; its width is [`WIDTH`].
const HEIGHT: f64 = 100.0;
/// Width of the plane.
const WIDTH: f64 = 1_000.0;

/// One value over a stretch of the horizontal axis.
#[derive(Clone, Debug)]
pub struct Mark {
    /// Where it begins, 0 to 1.
    pub at: f64,
    /// How wide it is, of the same.
    pub width: f64,
    /// The value.
    pub value: f64,
    /// What it is held against, such as seats owned; 0 if there is none.
    pub limit: f64,
    /// Its words, shown when it is pointed at.
    pub tip: String,
}

/// A picture with its words.
#[derive(Clone, Debug)]
pub struct Chart<'a> {
    /// Unique in the page.
    pub id: &'a str,
    /// What is shown.
    pub title: &'a str,
    /// The most important of it in a sentence, for whoever does not see it.
    pub summary: &'a str,
    /// The values, from left to right.
    pub marks: &'a [Mark],
    /// Words below the axis, from left to right: each stands where its share of the axis begins.
    pub axis: &'a [String],
    /// What the values are and what the limit is; the second may be empty.
    pub legend: (&'a str, &'a str),
}

/// The first of 1, 2, 4, 6, 8, 10, 20, 40, ... that is no less: half of it is a whole number, too.
fn top_of(value: f64) -> f64 {
    let mut step = 1.0;
    loop {
        for times in [1.0, 2.0, 4.0, 6.0, 8.0] {
            if value <= times * step || step > 1e12 {
                return times * step;
            }
        }
        step *= 10.0;
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number from 1 to 8e12")]
fn words(top: f64) -> String {
    number(top as u64)
}

impl Chart<'_> {
    fn top(&self) -> f64 {
        top_of(self.marks.iter().fold(1.0, |top: f64, mark| top.max(mark.value).max(mark.limit)))
    }

    /// A line in steps over a filled ground.
    pub fn steps(&self) -> Markup {
        let top = self.top();
        self.plane(html! {
            path.chart-area d=(area(self.marks, top)) {}
            path.chart-line d=(line(self.marks, top, |mark| mark.value)) {}
            (self.tips())
        })
    }

    /// A bar for each value.
    pub fn bars(&self) -> Markup {
        let top = self.top();
        self.plane(html! {
            @for mark in self.marks {
                @if mark.value > 0.0 {
                    @let high = mark.value / top * HEIGHT;
                    rect.chart-bar x=(coordinate((mark.at + mark.width * 0.12) * WIDTH)) y=(coordinate(HEIGHT - high))
                        width=(coordinate(mark.width * 0.76 * WIDTH)) height=(coordinate(high)) {}
                }
            }
            (self.tips())
        })
    }

    /// Something to point at over the whole height, for each value.
    fn tips(&self) -> Markup {
        html! {
            @for mark in self.marks {
                rect.chart-tip x=(coordinate(mark.at * WIDTH)) y="0" width=(coordinate(mark.width * WIDTH)) height=(HEIGHT) {
                    title { (visible(&mark.tip)) }
                }
            }
        }
    }

    fn plane(&self, drawn: Markup) -> Markup {
        let top = self.top();
        let limits = self.marks.iter().any(|mark| mark.limit > 0.0);
        html! {
            div.chart {
                div.chart-scale aria-hidden="true" { span { (words(top)) } @if top > 1.0 { span { (half(top)) } } span { "0" } }
                svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" role="img"
                    aria-labelledby={ (self.id) "-title " (self.id) "-desc" } {
                    title id={ (self.id) "-title" } { (visible(self.title)) }
                    desc id={ (self.id) "-desc" } { (visible(self.summary)) }
                    path.chart-grid d={ "M0 0H" (WIDTH) "M0 " (HEIGHT / 2.0) "H" (WIDTH) "M0 " (HEIGHT) "H" (WIDTH) } {}
                    (drawn)
                    @if limits { path.chart-limit d=(line(self.marks, top, |mark| mark.limit)) {} }
                }
                div.chart-axis.many[self.axis.len() > 5] aria-hidden="true" { @for words in self.axis { span { (visible(words)) } } }
            }
            p.chart-legend {
                span.chart-key { span.chart-swatch aria-hidden="true" {} (self.legend.0) }
                @if limits && !self.legend.1.is_empty() {
                    span.chart-key { span.chart-swatch.limit aria-hidden="true" {} (self.legend.1) }
                }
            }
        }
    }
}

fn half(top: f64) -> String {
    if top <= 1.0 { String::new() } else { words(top / 2.0) }
}

fn coordinate(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Steps from mark to mark; a new line where one does not begin where the last ended.
fn line(marks: &[Mark], top: f64, value: impl Fn(&Mark) -> f64) -> String {
    let mut path = String::new();
    let mut end = -1.0;
    for mark in marks {
        let (x, y) = (coordinate(mark.at * WIDTH), coordinate(HEIGHT - value(mark) / top * HEIGHT));
        // Writing to a `String` cannot fail.
        let _ = if (mark.at - end).abs() < 1e-6 { write!(path, "V{y}") } else { write!(path, "M{x} {y}") };
        end = mark.at + mark.width;
        let _ = write!(path, "H{}", coordinate(end * WIDTH));
    }
    path
}

fn area(marks: &[Mark], top: f64) -> String {
    let mut path = String::new();
    for mark in marks.iter().filter(|mark| mark.value > 0.0) {
        let (left, right) = (coordinate(mark.at * WIDTH), coordinate((mark.at + mark.width) * WIDTH));
        let high = coordinate(HEIGHT - mark.value / top * HEIGHT);
        let _ = write!(path, "M{left} {HEIGHT}V{high}H{right}V{HEIGHT}Z");
    }
    path
}

/// How strong each cell of a [`heat_map`] may be.
const SHADES: u8 = 8;

/// A week by hour: for each day from Monday 24 values, and what is said of one when it is pointed at.
pub fn heat_map(id: &str, title: &str, summary: &str, days: &[(&str, Vec<(f64, String)>)]) -> Markup {
    let top = days.iter().flat_map(|(_, hours)| hours).fold(0.0, |top: f64, (value, _)| top.max(*value));
    html! {
        div.chart.heat {
            div.heat-days aria-hidden="true" { @for (day, _) in days { span { (day) } } }
            svg viewBox={ "0 0 24 " (days.len()) } preserveAspectRatio="none" role="img"
                aria-labelledby={ (id) "-title " (id) "-desc" } {
                title id={ (id) "-title" } { (visible(title)) }
                desc id={ (id) "-desc" } { (visible(summary)) }
                @for (y, (_, hours)) in days.iter().enumerate() {
                    @for (x, (value, tip)) in hours.iter().enumerate() {
                        rect.{ "shade-" (shade(*value, top)) } x={ (x) ".03" } y={ (y) ".06" } width="0.94" height="0.88" {
                            title { (visible(tip)) }
                        }
                    }
                }
            }
            div.chart-axis aria-hidden="true" { @for hour in ["0:00", "6:00", "12:00", "18:00"] { span { (hour) } } }
        }
        p.chart-legend {
            "None"
            span.heat-key aria-hidden="true" { @for shade in 0..=SHADES { span.heat-swatch.{ "shade-" (shade) } {} } }
            (format!("{top} on the average"))
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to SHADES")]
fn shade(value: f64, top: f64) -> u8 {
    if value <= 0.0 || top <= 0.0 {
        0
    } else {
        (value / top * f64::from(SHADES)).ceil().clamp(1.0, f64::from(SHADES)) as u8
    }
}

/// A picture in its card: the title, the picture, the same numbers as a table, and where to get them as files.
pub fn figure(title: &str, picture: Markup, table: Markup, links: &[(&str, String)]) -> Markup {
    html! {
        section.card.picture {
            h2 { (visible(title)) }
            (picture)
            details.numbers {
                summary { "The numbers" span.unseen { " of: " (visible(title)) } }
                (table)
            }
            p.picture-links {
                @for (label, href) in links { a href=(href) { (label) span.unseen { " of: " (visible(title)) } } }
            }
        }
    }
}

/// How much of the largest something is, as a bar; words stand beside it.
pub fn share_bar(part: f64, largest: f64) -> Markup {
    let width = if largest <= 0.0 { 0.0 } else { (part / largest * 100.0).clamp(0.0, 100.0) };
    html! {
        svg.share viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true" focusable="false" {
            rect.meter-used width=(coordinate(width)) height="1" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(at: f64, value: f64) -> Mark {
        Mark { at, width: 0.25, value, limit: 4.0, tip: "<b>".to_owned() }
    }

    #[test]
    fn the_scale_ends_at_a_round_number_and_a_line_breaks_where_nothing_is_known() {
        assert_eq!([0.0, 1.0, 3.0, 5.1, 8.5, 99.0].map(top_of), [1.0, 1.0, 4.0, 6.0, 10.0, 100.0]);
        let marks = [mark(0.0, 1.0), mark(0.25, 5.0), mark(0.75, 0.0)];
        assert_eq!(line(&marks, 5.0, |mark| mark.value), "M0 80H250V0H500M750 100H1000");
    }

    #[test]
    fn a_picture_says_what_it_shows_and_no_name_in_it_is_markup() {
        let marks = [mark(0.0, 1.0)];
        let chart =
            Chart { id: "c", title: "T<", summary: "S<", marks: &marks, axis: &[], legend: ("in use", "owned") };
        for drawn in [chart.steps().into_string(), chart.bars().into_string()] {
            assert!(drawn.contains("aria-labelledby=\"c-title c-desc\"") && drawn.contains("T&lt;"), "{drawn}");
            assert!(!drawn.contains("<b>") && !drawn.contains("style="), "{drawn}");
        }
    }

    #[test]
    fn shades_go_from_none_to_the_strongest() {
        assert_eq!([0.0, 0.01, 4.0, 8.0].map(|value| shade(value, 8.0)), [0, 1, 4, 8]);
        assert_eq!(shade(1.0, 0.0), 0);
    }
}
