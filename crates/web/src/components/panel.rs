//! Panels: the head of a page, cards, the steps of a longer task, a question before something is taken away, and what is
//! shown when something went wrong or nothing is there yet.

use super::{Button, Tone, button, link_button};
use crate::problem::Problem;
use crate::text::visible;
use maud::{Markup, html};

/// The title of a page, a sentence below it, and what can be done on the right.
pub fn page_header(title: &str, lead: &str, actions: Markup) -> Markup {
    html! {
        div.page-header {
            div.page-header-words {
                h1 { (visible(title)) }
                @if !lead.is_empty() { p.lead { (visible(lead)) } }
            }
            @if !actions.0.is_empty() { div.actions { (actions) } }
        }
    }
}

/// Something that belongs together, with a title (may be empty).
pub fn card(title: &str, body: Markup) -> Markup {
    html! {
        section.card {
            @if !title.is_empty() { h2 { (visible(title)) } }
            (body)
        }
    }
}

/// Where a person is in a task of several steps; `current` counts from 0, and the number of steps means all are done.
pub fn steps(labels: &[&str], current: usize) -> Markup {
    html! {
        ol.steps {
            @for (i, label) in labels.iter().enumerate() {
                li.done[i < current] aria-current=[(i == current).then_some("step")] {
                    span.step-number aria-hidden="true" { @if i < current { "✓" } @else { (i + 1) } }
                    span { (visible(label)) @if i < current { span.unseen { " (done)" } } }
                }
            }
        }
    }
}

/// One step of a task that shows all its steps on one page, numbered from 1.
pub fn step_panel(number: usize, title: &str, body: Markup) -> Markup {
    html! {
        section.card.step-panel {
            span.step-number aria-hidden="true" { (number) }
            div { h2 { span.unseen { "Step " (number) ": " } (visible(title)) } (body) }
        }
    }
}

/// A question before something that is hard to undo.
#[derive(Clone, Debug)]
pub struct Confirm<'a> {
    /// The question, with the name of the object: `Revoke workstation farm-07?`
    pub question: &'a str,
    /// What will happen, in numbers and dates.
    pub effect: Markup,
    /// Where the answer posts to.
    pub action: &'a str,
    /// Values that travel with it.
    pub values: &'a [(&'a str, &'a str)],
    /// The verb on the button: `Revoke`.
    pub verb: &'a str,
    /// Where *Cancel* leads.
    pub cancel: &'a str,
    /// [`Button::Danger`] if something is taken away.
    pub kind: Button,
}

/// The panel of a [`Confirm`].
pub fn confirm_panel(confirm: &Confirm<'_>) -> Markup {
    html! {
        section.card.confirm.danger-edge[confirm.kind == Button::Danger] {
            h1 { (visible(confirm.question)) }
            div.effect { (confirm.effect) }
            form method="post" action=(confirm.action) {
                @for (name, value) in confirm.values { input type="hidden" name=(name) value=(value); }
                div.actions { (button(confirm.verb, confirm.kind)) (link_button("Cancel", confirm.cancel, Button::Plain)) }
            }
        }
    }
}

/// A problem: what happened, why, what to do, who can do it.
pub fn problem_panel(problem: &Problem) -> Markup {
    let parts = [("Why", &problem.detail), ("What to do", &problem.what_to_do), ("Who can", &problem.who)];
    html! {
        section.card.problem role="alert" {
            div.problem-title { (Tone::Bad.icon()) h2 { (visible(&problem.title)) } }
            dl.definitions {
                @for (term, text) in parts {
                    @if !text.is_empty() { div { dt { (term) } dd { (with_names(text)) } } }
                }
            }
            p.code-name { "Code " code { (visible(&problem.code)) } }
        }
    }
}

/// The text of a problem, in which names stand between backticks: set apart from the sentence around them.
pub fn with_names(text: &str) -> Markup {
    let parts: Vec<&str> = text.split('`').collect();
    html! {
        // A name that has a backtick of its own: nobody can say where it ends.
        @if parts.len().is_multiple_of(2) {
            (visible(text))
        } @else {
            @for (i, part) in parts.iter().enumerate() {
                @if i % 2 == 1 { bdi.quoted { (visible(part)) } } @else { (visible(part)) }
            }
        }
    }
}

/// What stands where nothing is yet: says so, and what to do next. `action` is a button or empty.
pub fn empty_state(title: &str, next: &str, action: Markup) -> Markup {
    html! {
        div.empty {
            h2 { (visible(title)) }
            p { (visible(next)) }
            (action)
        }
    }
}
