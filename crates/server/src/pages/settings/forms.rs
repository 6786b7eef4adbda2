//! The cards with settings as forms, and what they send.

use super::fields::{Card, Item, Part, Widget};
use super::{Shown, draw, frame_of, settings_of};
use crate::config::Setting;
use crate::pages::visit::{Administrator, Visit};
use crate::service::Failure;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use leasehold_web::components::{Button, Field, Tone, badge, button, card, definitions, wrapped};
use leasehold_web::extract::PageForm;
use leasehold_web::maud::{Markup, html};
use leasehold_web::problem::ApiProblem;
use leasehold_wire::server::{SettingView, SettingsRequest, SettingsResponse};
use serde_json::Value;
use std::collections::BTreeMap;

/// The form of a card. Settings that stand elsewhere are shown and not entered.
pub(super) fn card_of(visit: &Visit, name: &str, seen: &SettingsResponse, shown: &Shown) -> Markup {
    let Some(this) = Card::named(name) else { return html! {} };
    let views: Vec<(&Item, &SettingView)> =
        this.items.iter().filter_map(|item| Some((item, view_of(seen, item.name)?))).collect();
    let (fixed, open): (Vec<_>, Vec<_>) =
        views.into_iter().partition(|(_, view)| view.fixed_in.is_some() || !visit.caller.may_change());
    card(
        this.title,
        html! {
            @if !open.is_empty() {
                form id={ "settings-" (this.name) } method="post" action="/settings/save" {
                    input type="hidden" name="card" value=(this.name);
                    @for (item, view) in &open { (field(visit, item, view, shown)) }
                    div.actions { (button("Save", Button::Primary)) }
                }
            }
            @if !fixed.is_empty() { (fixed_ones(visit, &fixed)) }
        },
    )
}

fn view_of<'a>(seen: &'a SettingsResponse, name: &str) -> Option<&'a SettingView> {
    seen.settings.iter().find(|view| view.name == name)
}

fn fixed_ones(visit: &Visit, fixed: &[(&Item, &SettingView)]) -> Markup {
    let rows: Vec<(&str, Markup)> = fixed
        .iter()
        .map(|(item, view)| {
            let value = html! {
                (shown_value(visit, item, view))
                @if let Some(place) = &view.fixed_in { div.hint { "Fixed in " (wrapped(place)) "." } }
            };
            (item.label, value)
        })
        .collect();
    definitions(&rows)
}

fn shown_value(visit: &Visit, item: &Item, view: &SettingView) -> Markup {
    html! {
        @match (&view.value, item.widget) {
            (_, Widget::Secret) if view.secret_set => "set, and not shown",
            (_, Widget::Secret) => "none",
            (value, Widget::Check) => @if is_on(visit, item, value) { "yes" } @else { "no" },
            (Value::Null, _) => span.muted { "nothing set" },
            (value, _) => @for line in text_of(value).lines() { div { (wrapped(line)) } },
        }
    }
}

/// A checkbox as it is, also where nothing is set.
fn is_on(visit: &Visit, item: &Item, value: &Value) -> bool {
    let open = visit.server.openness();
    let default = match item.name {
        "totals_open" => open.totals,
        "holders_open" => open.holders,
        "usage_open" => open.usage,
        _ => true,
    };
    value.as_bool().unwrap_or(default)
}

fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(entries) => entries.iter().map(text_of).collect::<Vec<_>>().join("\n"),
        other => other.to_string(),
    }
}

fn field(visit: &Visit, item: &Item, view: &SettingView, shown: &Shown) -> Markup {
    let refused = !shown.entered.is_empty();
    let text = match shown.entered.get(item.name) {
        Some(entered) if refused => entered.clone(),
        _ => text_of(&view.value),
    };
    let kept = format!("{} One is set.", item.hint);
    let hint = if item.widget == Widget::Secret && view.secret_set { &kept } else { item.hint };
    let field = Field::new(item.name, item.label).hint(hint).value(&text).error(shown.at(item.name));
    html! {
        @if item.widget != Widget::Secret {
            input type="hidden" name=(was(item.name)) value=(as_entered(visit, item, &view.value));
        }
        @match item.widget {
            Widget::Line => (field.text()),
            Widget::Lines => (field.text_area(3)),
            Widget::Check => (field.checkbox(if refused { !text.is_empty() && text != "false" } else { is_on(visit, item, &view.value) })),
            Widget::Number(min, max) => (field.number(min, max)),
            Widget::Secret => (field.autocomplete("new-password").password()),
        }
        @if view.waits_for_start { p.hint { (badge("after the next start", Tone::Warning)) " Restart the server for it." } }
    }
}

/// The name under which a form says what it showed, to tell what its sender changed from what somebody else changed since.
fn was(name: &str) -> String {
    format!("was.{name}")
}

/// A value as its field is sent, if nobody touches it.
fn as_entered(visit: &Visit, item: &Item, value: &Value) -> String {
    match item.widget {
        Widget::Check if is_on(visit, item, value) => "on".to_owned(),
        Widget::Check => String::new(),
        _ => text_of(value),
    }
}

/// Without what a browser makes of line ends.
fn lines_of(text: &str) -> Vec<&str> {
    text.trim().lines().map(str::trim).collect()
}

/// `POST /settings/save`: one card, of which what was changed is stored. What its sender did not touch stays as it is now,
/// and what somebody else changed meanwhile is not written over.
pub(in crate::pages) async fn save(
    Administrator(visit): Administrator,
    PageForm(form): PageForm<BTreeMap<String, String>>,
) -> Result<Response, ApiProblem> {
    let card = form.get("card").and_then(|name| Card::named(name));
    let Some(card) = card else { return Err(Failure::BadField("`card` is none of the page".to_owned()).into()) };
    let seen = settings_of(&visit).await?;
    let mut wish = SettingsRequest::default();
    for item in card.items {
        let fixed = view_of(&seen, item.name).is_none_or(|view| view.fixed_in.is_some());
        let Some(setting) = Setting::named(item.name).filter(|_| !fixed) else { continue };
        let text = form.get(item.name).map_or("", String::as_str);
        if let Some(was) = form.get(&was(item.name)) {
            if lines_of(text) == lines_of(was) {
                continue;
            }
            let now = view_of(&seen, item.name).map(|view| as_entered(&visit, item, &view.value)).unwrap_or_default();
            if lines_of(&now) != lines_of(was) && lines_of(&now) != lines_of(text) {
                let now = if now.is_empty() { "nothing".to_owned() } else { lines_of(&now).join(", ") };
                let why = format!(
                    "Somebody else changed it while you looked: it is {now} now. Nothing was saved; put both together, and save again."
                );
                return refuse(&visit, card, &form, item.name, why).await;
            }
        }
        let value = match item.widget {
            Widget::Secret if text.is_empty() => continue,
            // Blanks at its ends may belong to it.
            Widget::Secret => text.into(),
            // A box that is not checked is not sent.
            Widget::Check => (!text.is_empty()).into(),
            _ => setting.value_of(text),
        };
        wish.0.insert(item.name.to_owned(), value);
    }
    match visit.server.change_settings(&visit.caller, wish).await {
        Ok(_) => Ok(Redirect::to(&format!("{}?saved=settings", card.part.path())).into_response()),
        Err(failure) => {
            let (name, why) = match &failure {
                Failure::Setting { name, why } => (*name, format!("It {why}.")),
                Failure::Bind(error) => ("listen", format!("{error}.")),
                _ => return Err(failure.into()),
            };
            refuse(&visit, card, &form, name, why).await
        }
    }
}

async fn refuse(
    visit: &Visit,
    card: &Card,
    form: &BTreeMap<String, String>,
    name: &str,
    why: String,
) -> Result<Response, ApiProblem> {
    let shown = Shown { entered: form.clone(), wrong: Some((name.to_owned(), why)) };
    let page = draw(visit, card.part, &shown).await?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
}

/// The page *Who gets seats*.
pub(super) async fn seats_page(visit: &Visit, shown: &Shown) -> Result<Markup, ApiProblem> {
    let seen = settings_of(visit).await?;
    let cards = html! {
        div.columns {
            (card_of(visit, "names", &seen, shown))
            div.group {
                (card_of(visit, "borrow", &seen, shown))
                (card("What a list does", html! {
                    p { "It is asked when an application wants a seat or a machine wants to borrow. Running seats stay, and are kept and returned as before." }
                    p { "Whoever is refused reads the name of the list and that the administrator of this server can change it. " a href="/denials" { "Denials" } " shows them, and " a href="/simulate" { "Would this work?" } " tries a name." }
                }))
            }
        }
    };
    Ok(frame_of(visit, Part::Seats, &seen, cards))
}
