//! Buttons and the fields of forms: a label, a hint, an error beside the field it belongs to, all tied together for
//! screen readers.

use crate::text::visible;
use maud::{Markup, html};

/// How loud a button is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Button {
    /// The one thing to do on this page.
    Primary,
    /// Anything else.
    Plain,
    /// Takes something away.
    Danger,
}

impl Button {
    fn class(self) -> &'static str {
        match self {
            Button::Primary => "primary",
            Button::Plain => "plain",
            Button::Danger => "danger",
        }
    }
}

/// A button that submits the form around it.
pub fn button(label: &str, kind: Button) -> Markup {
    html! { button.(kind.class()) type="submit" { (label) } }
}

/// A button that submits the form around it to another address, as it is: nothing needs to be filled in.
pub fn button_to(action: &str, label: &str, kind: Button) -> Markup {
    html! { button.(kind.class()) type="submit" formaction=(action) formnovalidate { (label) } }
}

/// A link that looks like a button: goes somewhere, changes nothing.
pub fn link_button(label: &str, href: &str, kind: Button) -> Markup {
    html! { a.button.(kind.class()) href=(href) { (label) } }
}

/// A button that posts by itself, with hidden values.
pub fn post_button(action: &str, label: &str, kind: Button, values: &[(&str, &str)]) -> Markup {
    html! {
        form.inline method="post" action=(action) {
            @for (name, value) in values { input type="hidden" name=(name) value=(value); }
            (button(label, kind))
        }
    }
}

/// One field. Ids are made from the name, so names are unique within a page.
#[derive(Clone, Debug)]
pub struct Field<'a> {
    name: &'a str,
    label: &'a str,
    hint: Option<&'a str>,
    error: Option<&'a str>,
    value: &'a str,
    required: bool,
    autocomplete: Option<&'a str>,
}

impl<'a> Field<'a> {
    /// A field that is sent as `name`.
    pub fn new(name: &'a str, label: &'a str) -> Field<'a> {
        Field { name, label, hint: None, error: None, value: "", required: false, autocomplete: None }
    }

    /// What to enter, in a sentence.
    #[must_use]
    pub fn hint(mut self, hint: &'a str) -> Self {
        self.hint = Some(hint);
        self
    }

    /// What is wrong with what was entered and how to mend it.
    #[must_use]
    pub fn error(mut self, error: Option<&'a str>) -> Self {
        self.error = error;
        self
    }

    /// What stands in it. Never a password.
    #[must_use]
    pub fn value(mut self, value: &'a str) -> Self {
        self.value = value;
        self
    }

    /// Must be filled in.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// What a browser may fill in by itself, such as `username`, `current-password`, `new-password`.
    #[must_use]
    pub fn autocomplete(mut self, kind: &'a str) -> Self {
        self.autocomplete = Some(kind);
        self
    }

    /// A line of text.
    pub fn text(&self) -> Markup {
        self.input("text")
    }

    /// An e-mail address.
    pub fn email(&self) -> Markup {
        self.input("email")
    }

    /// A password, never shown back.
    pub fn password(&self) -> Markup {
        Field { value: "", ..self.clone() }.input("password")
    }

    /// A calendar date, `YYYY-MM-DD`.
    pub fn date(&self) -> Markup {
        self.input("date")
    }

    /// A whole number from `min` to `max`.
    pub fn number(&self, min: u64, max: u64) -> Markup {
        self.around(html! {
            input type="number" id=(self.id()) name=(self.name) value=(self.value) min=(min) max=(max) step="1"
                inputmode="numeric" required[self.required] autocomplete="off"
                aria-describedby=[self.described_by()] aria-invalid=[self.invalid()];
        })
    }

    /// Several lines of text.
    pub fn text_area(&self, rows: u32) -> Markup {
        self.around(html! {
            textarea id=(self.id()) name=(self.name) rows=(rows) required[self.required]
                aria-describedby=[self.described_by()] aria-invalid=[self.invalid()] { (self.value) }
        })
    }

    /// One of `options`: what is sent, and what is shown.
    pub fn select(&self, options: &[(&str, &str)]) -> Markup {
        self.around(html! {
            select id=(self.id()) name=(self.name) required[self.required]
                aria-describedby=[self.described_by()] aria-invalid=[self.invalid()] {
                @for (value, label) in options {
                    option value=(value) selected[*value == self.value] { (visible(label)) }
                }
            }
        })
    }

    /// One of `options`, each with a sentence about it: what is sent, what is shown, the sentence. The one that
    /// [`Field::value`] names is chosen.
    pub fn choice(&self, options: &[(&str, &str, &str)]) -> Markup {
        html! {
            fieldset.field.choice.invalid[self.error.is_some()] aria-describedby=[self.described_by()] {
                legend { (visible(self.label)) }
                @for (value, label, about) in options {
                    @let id = format!("{}-{value}", self.id());
                    div.check {
                        input type="radio" id=(id) name=(self.name) value=(value) checked[*value == self.value]
                            required[self.required] aria-describedby={ (id) "-about" };
                        label for=(id) { (visible(label)) }
                        p.hint id={ (id) "-about" } { (visible(about)) }
                    }
                }
                (self.notes())
            }
        }
    }

    /// Yes or no; sends `on` if checked and nothing otherwise.
    pub fn checkbox(&self, checked: bool) -> Markup {
        html! {
            div.field.check.invalid[self.error.is_some()] {
                input type="checkbox" id=(self.id()) name=(self.name) checked[checked] required[self.required]
                    aria-describedby=[self.described_by()] aria-invalid=[self.invalid()];
                label for=(self.id()) { (visible(self.label)) }
                (self.notes())
            }
        }
    }

    /// A file to upload; the form needs `enctype="multipart/form-data"`. `accept` is a list such as `.crt,.pem`.
    pub fn file(&self, accept: &str) -> Markup {
        self.around(html! {
            input.file type="file" id=(self.id()) name=(self.name) accept=(accept) required[self.required]
                aria-describedby=[self.described_by()] aria-invalid=[self.invalid()];
        })
    }

    fn input(&self, kind: &str) -> Markup {
        self.around(html! {
            input type=(kind) id=(self.id()) name=(self.name) value=(self.value) required[self.required]
                autocomplete=(self.autocomplete.unwrap_or("off"))
                aria-describedby=[self.described_by()] aria-invalid=[self.invalid()];
        })
    }

    fn around(&self, control: Markup) -> Markup {
        html! {
            div.field.invalid[self.error.is_some()] {
                label for=(self.id()) { (visible(self.label)) @if !self.required { span.optional { "optional" } } }
                (control)
                (self.notes())
            }
        }
    }

    fn notes(&self) -> Markup {
        html! {
            @if let Some(error) = self.error { p.error id={ (self.id()) "-error" } { (visible(error)) } }
            @if let Some(hint) = self.hint { p.hint id={ (self.id()) "-hint" } { (visible(hint)) } }
        }
    }

    fn id(&self) -> String {
        format!("field-{}", self.name)
    }

    fn described_by(&self) -> Option<String> {
        let id = self.id();
        let error = self.error.map(|_| format!("{id}-error"));
        let hint = self.hint.map(|_| format!("{id}-hint"));
        match (error, hint) {
            (Some(error), Some(hint)) => Some(format!("{error} {hint}")),
            (one, other) => one.or(other),
        }
    }

    fn invalid(&self) -> Option<&'static str> {
        self.error.map(|_| "true")
    }
}
