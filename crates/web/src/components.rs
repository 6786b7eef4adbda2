//! The parts that pages are made of. Each is a plain function from values to markup, so a live update draws with the same
//! function as the page. Text is escaped by maud; names from outside go through [`clip`], which also shows characters
//! that would hide or reorder.

mod chart;
mod form;
mod list;
mod panel;
mod time;

use crate::text::{number, visible};
use maud::{Markup, html};

pub use chart::{Chart, Mark, figure, heat_map, share_bar};
pub use form::{Button, Field, button, button_to, link_button, post_button};
pub use list::{
    Align, Column, FilterOption, LIST_VALUE_CHARS_MAX, ListQuery, Row, Sort, Table, filter_group, search_box, table,
};
pub use panel::{Confirm, card, confirm_panel, empty_state, page_header, problem_panel, step_panel, steps, with_names};
pub use time::{ago, relative, when};

/// How something stands; says it by colour and by a sign or word, never by colour alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Just a fact.
    Neutral,
    /// Worth knowing.
    Info,
    /// As it should be.
    Good,
    /// Needs attention soon.
    Warning,
    /// Needs attention now.
    Bad,
}

impl Tone {
    /// The class of what has it.
    pub fn class(self) -> &'static str {
        match self {
            Tone::Neutral => "neutral",
            Tone::Info => "info",
            Tone::Good => "good",
            Tone::Warning => "warning",
            Tone::Bad => "bad",
        }
    }

    /// Its sign, decorative.
    pub fn icon(self) -> Markup {
        icon(match self {
            Tone::Neutral | Tone::Info => "M8 7v4M8 4.6v.3M14.5 8a6.5 6.5 0 1 1-13 0 6.5 6.5 0 0 1 13 0Z",
            Tone::Good => "m5 8.2 2 2 4-4.4M14.5 8a6.5 6.5 0 1 1-13 0 6.5 6.5 0 0 1 13 0Z",
            Tone::Warning => {
                "M8 6.2v3M8 11.4v.2M7.1 2.2 1.4 12.3a1 1 0 0 0 .9 1.5h11.4a1 1 0 0 0 .9-1.5L8.9 2.2a1 1 0 0 0-1.8 0Z"
            }
            Tone::Bad => "M8 4.6v4M8 11.2v.2M14.5 8a6.5 6.5 0 1 1-13 0 6.5 6.5 0 0 1 13 0Z",
        })
    }
}

/// A line drawing on a grid of 16, decorative.
pub(crate) fn icon(path: &str) -> Markup {
    html! {
        svg.icon viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false" { path d=(path) {} }
    }
}

/// A name from outside: kept on one line, cut where the layout ends it (whole text on hover), apart from the direction of
/// the text around it, hidden characters shown.
pub fn clip(text: &str) -> Markup {
    let shown = visible(text);
    html! { bdi.clip title=(shown) { (shown) } }
}

/// Like [`clip`], but wraps over as many lines as it needs, for places with room.
pub fn wrapped(text: &str) -> Markup {
    html! { bdi.wrapped { (visible(text)) } }
}

/// A small label, such as a state. The word says it; the colour helps.
pub fn badge(text: &str, tone: Tone) -> Markup {
    html! { span.badge.(tone.class()) { (visible(text)) } }
}

/// The badge of a license's channel (`commercial`, `trial`, ...). Everything that is not commercial stands out.
pub fn channel_badge(channel: &str) -> Markup {
    let tone = match channel {
        "commercial" => Tone::Neutral,
        "trial" | "nfr" => Tone::Warning,
        _ => Tone::Info,
    };
    html! { span.badge.channel.(tone.class()) { (visible(channel)) } }
}

/// A state with a dot before it: running things, online or offline.
pub fn status(text: &str, tone: Tone) -> Markup {
    html! { span.status.(tone.class()) { span.dot aria-hidden="true" {} (visible(text)) } }
}

/// Words with an explanation on hover and for screen readers.
pub fn tooltip(text: &str, explanation: &str) -> Markup {
    html! { abbr title=(visible(explanation)) { (visible(text)) } }
}

/// One figure at a glance.
#[derive(Clone, Debug)]
pub struct Tile {
    /// What is counted.
    pub label: &'static str,
    /// The figure, already formatted.
    pub value: String,
    /// What makes it understandable, such as `of 40 seats`; may be empty.
    pub detail: String,
    /// How it stands.
    pub tone: Tone,
}

/// A row of figures.
pub fn tiles(tiles: &[Tile]) -> Markup {
    html! {
        dl.tiles {
            @for tile in tiles {
                div.tile.(tile.tone.class()) {
                    dt { (tile.label) }
                    dd {
                        span.tile-value { (tile.value) }
                        @if !tile.detail.is_empty() { span.tile-detail { (visible(&tile.detail)) } }
                    }
                }
            }
        }
    }
}

/// How much of something is in use, as a bar and in words. `label` names what is counted, for screen readers.
pub fn meter(label: &str, used: u64, total: u64) -> Markup {
    let percent = if total == 0 { 0 } else { u128::from(used) * 100 / u128::from(total) };
    let tone = match () {
        () if used > total => Tone::Bad,
        () if total > 0 && percent >= 90 => Tone::Warning,
        () => Tone::Good,
    };
    let words = format!("{} of {}", number(used), number(total));
    html! {
        div.meter.(tone.class()) {
            span.meter-words { (words) @if used > total { " · over by " (number(used - total)) } }
            svg viewBox="0 0 100 1" preserveAspectRatio="none" role="img" aria-label={ (visible(label)) ": " (words) } {
                rect.meter-used width=(percent.min(100)) height="1" {}
            }
        }
    }
}

/// Names and values, such as the details of one license.
pub fn definitions(list: &[(&str, Markup)]) -> Markup {
    html! {
        dl.definitions {
            @for (term, value) in list { div { dt { (visible(term)) } dd { (value) } } }
        }
    }
}

/// Text to copy: a command, a fingerprint, an address. `id` is unique in the page. The button needs script and is not
/// shown without; a click into the text selects all of it either way.
pub fn code_block(id: &str, label: &str, text: &str) -> Markup {
    html! {
        figure.code {
            figcaption { (visible(label)) }
            pre #(id) tabindex="0" { code { (text) } }
            button.plain.copy type="button" data-copy=(id) aria-label={ "Copy: " (visible(label)) } { "Copy" }
        }
    }
}

#[cfg(test)]
mod tests;
