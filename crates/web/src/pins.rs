//! *Use licenses offline*, as both services show it: what is kept at a license server for use without a portal, the form
//! that changes it, and the preview in exact numbers and dates. Pure: from what a service answered to markup.
//!
//! Decides nothing: what can be kept is the portal's to say.

use crate::components::{
    Button, Column, ListQuery, Row, Table, Tone, button, empty_state, link_button, post_button, status, table, when,
    wrapped,
};
use crate::text::{counted, number, visible};
use leasehold_core::ids::LicenseId;
use leasehold_core::time::Ms;
use leasehold_wire::portal::{KeepLicense, KeepSeats, KeptChange, KeptSeats, PinOffer, Pins, SeatsKept};
use maud::{Markup, html};

/// The field that says what is to be done with the form.
pub const STEP: &str = "step";
/// Only show what would come of it.
pub const PREVIEW: &str = "preview";
/// Do it.
pub const CONFIRM: &str = "confirm";
const REV: &str = "rev";
const SEATS: &str = "seats-";
const DAYS: &str = "days-";
const RENEW: &str = "renew-";

const KEPT_COLUMNS: &[Column] = &[
    Column::new("product", "Product"),
    Column::new("seats", "Seats").end(),
    Column::new("until", "Until"),
    Column::new("renew", "AUTO-RENEW"),
    Column::new("state", "State"),
    Column::new("release", ""),
];

const OFFER_COLUMNS: &[Column] = &[
    Column::new("product", "Product"),
    Column::new("available", "Can be kept here").end(),
    Column::new("seats", "Seats to keep"),
    Column::new("days", "Days"),
    Column::new("renew", "AUTO-RENEW"),
];

/// Fields of a form as they were sent. Hostile.
pub type Sent = [(String, String)];

fn sent<'a>(fields: &'a Sent, name: &str) -> Option<&'a str> {
    fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// Whether a form asks to do what it says, and not only to show it.
pub fn confirms(fields: &Sent) -> bool {
    sent(fields, STEP) == Some(CONFIRM)
}

/// What a form asks for: of the licenses that it names, those that are to be other than they are by `known`; all of them
/// without it.
///
/// # Errors
/// What cannot be read, as a sentence.
pub fn wish(fields: &Sent, known: Option<&Pins>) -> Result<KeepSeats, String> {
    let whole = |name: String, what: &str| match sent(fields, &name).unwrap_or_default().trim() {
        "" => Ok(None),
        text => text.parse::<u32>().map(Some).map_err(|_| format!("{what} must be a whole number, such as 2.")),
    };
    let mut pins = Vec::new();
    for (name, _) in fields {
        let Some(id) = name.strip_prefix(SEATS) else { continue };
        let license: LicenseId = id.parse().map_err(|_| "There is no such license.".to_owned())?;
        let seats = whole(format!("{SEATS}{id}"), "The number of seats")?.unwrap_or(0);
        let days = whole(format!("{DAYS}{id}"), "The number of days")?;
        let auto_renew = sent(fields, &format!("{RENEW}{id}")).is_some();
        let wanted = KeepLicense { license, seats, days, auto_renew };
        if known.is_none_or(|known| is_change(&wanted, known)) {
            pins.push(wanted);
        }
    }
    let pins_rev = sent(fields, REV).and_then(|rev| rev.parse().ok());
    Ok(KeepSeats { pins_rev, preview: !confirms(fields), pins })
}

fn is_change(wanted: &KeepLicense, known: &Pins) -> bool {
    match known.kept.iter().find(|kept| kept.license == wanted.license) {
        None => wanted.seats > 0,
        Some(kept) => {
            let same_days = wanted.days.is_none_or(|days| days == kept.days);
            wanted.seats == 0 || (wanted.seats, wanted.auto_renew) != (kept.seats, kept.auto_renew) || !same_days
        }
    }
}

/// What is kept, with a way to release each.
pub fn kept(pins: &Pins, action: Option<&str>, now: Ms) -> Markup {
    let empty = empty_state(
        "Nothing is kept",
        "Without the portal, seats here run until the time that the portal renewed them to last.",
        html! {},
    );
    table(&Table {
        id: "kept",
        caption: "Kept for use without the portal",
        columns: KEPT_COLUMNS,
        rows: pins.kept.iter().map(|kept| kept_row(kept, pins.pins_rev, action, now)).collect(),
        query: &ListQuery::default(),
        next: None,
        empty,
    })
}

fn kept_row(kept: &KeptSeats, rev: u64, action: Option<&str>, now: Ms) -> Row {
    let (seats, rev) = (format!("{SEATS}{}", kept.license), rev.to_string());
    let values = [(STEP, PREVIEW), (seats.as_str(), "0"), (REV, rev.as_str())];
    Row::from(vec![
        wrapped(&kept.product_name),
        html! { (number(kept.seats.into())) },
        when(kept.until.0, now),
        html! { @if kept.auto_renew { "yes, for " (days(kept.days)) } @else { span.muted { "no" } } },
        state(kept, now),
        html! { @if let Some(action) = action { (post_button(action, "Release", Button::Plain, &values)) } },
    ])
}

fn state(kept: &KeptSeats, now: Ms) -> Markup {
    html! {
        @if kept.until.0 <= now {
            (status("Ended", Tone::Warning))
        } @else if kept.given < kept.seats {
            div.two-lines {
                (status("Coming", Tone::Info))
                div.muted { (number(kept.given.into())) " here, " (number(u64::from(kept.seats - kept.given))) " to come" }
            }
        } @else if kept.ends_soon && !kept.auto_renew {
            (status("Ends soon", Tone::Warning))
        } @else if kept.ends_soon {
            div.two-lines { (status("Not renewed", Tone::Warning)) div.muted { "the license ends, or the portal is not reached" } }
        } @else {
            (status("Kept", Tone::Good))
        }
    }
}

fn days(count: u32) -> String {
    counted(count.into(), "day", "days")
}

/// The form: preset as it is, or as it was `entered`.
pub fn form(pins: &Pins, entered: &Sent, action: &str) -> Markup {
    let lendable = pins.offers.iter().any(|offer| offer.days_max > 0);
    html! {
        form #keep method="post" action=(action) {
            input type="hidden" name=(REV) value=(pins.pins_rev);
            input type="hidden" name=(STEP) value=(PREVIEW);
            (table(&Table {
                id: "offers",
                caption: "Keep seats",
                columns: OFFER_COLUMNS,
                rows: pins.offers.iter().map(|offer| offer_row(offer, pins, entered)).collect(),
                query: &ListQuery::default(),
                next: None,
                empty: empty_state(
                    "No license to keep seats of",
                    "The account has no license for this server that runs now.",
                    html! {},
                ),
            }))
            @if lendable { div.actions { (button("Preview", Button::Primary)) } }
        }
    }
}

fn offer_row(offer: &PinOffer, pins: &Pins, entered: &Sent) -> Row {
    let id = offer.license.to_string();
    let kept = pins.kept.iter().find(|kept| kept.license == offer.license);
    let field = |prefix: &str, preset: String| sent(entered, &format!("{prefix}{id}")).map_or(preset, str::to_owned);
    let seats = field(SEATS, kept.map_or(0, |kept| kept.seats).to_string());
    let days = field(DAYS, kept.map_or(offer.days_max, |kept| kept.days).to_string());
    let renews = match sent(entered, &format!("{SEATS}{id}")) {
        Some(_) => sent(entered, &format!("{RENEW}{id}")).is_some(),
        None => kept.is_some_and(|kept| kept.auto_renew),
    };
    let name = visible(&offer.product_name);
    let product = html! {
        div.two-lines {
            (wrapped(&offer.product_name))
            @if let Some(end) = offer.license_end { div.muted { "license ends " (end.0.minute()) } }
        }
    };
    let available = html! { (number(offer.available.into())) " of " (number(offer.seats.into())) };
    if offer.days_max == 0 {
        let no = html! { span.muted { "not lent by the vendor" } };
        return Row::from(vec![product, available, no, html! {}, html! {}]);
    }
    Row::from(vec![
        product,
        available,
        html! {
            input type="number" id={ (SEATS) (id) } name={ (SEATS) (id) } value=(seats) min="0" max=(offer.available) step="1"
                inputmode="numeric" autocomplete="off" aria-label={ "Seats of " (name) " to keep" };
        },
        html! {
            input type="number" id={ (DAYS) (id) } name={ (DAYS) (id) } value=(days) min="1" max=(offer.days_max) step="1"
                inputmode="numeric" autocomplete="off" aria-label={ "Days for which seats of " (name) " are kept" };
        },
        html! {
            div.check {
                input type="checkbox" id={ (RENEW) (id) } name={ (RENEW) (id) } checked[renews]
                    aria-label={ "Renew seats of " (name) " by themselves" };
            }
        },
    ])
}

/// What would come of it, in numbers and dates, with the button that does it. `of` is how the server is called where it is
/// not this one.
pub fn preview(told: &SeatsKept, (action, cancel): (&str, &str), of: Option<&str>, now: Ms) -> Markup {
    let keeps = told.changes.iter().any(|change| change.seats > 0);
    let verb = match (keeps, of) {
        (true, None) => "Borrow",
        (true, Some(_)) => "Borrow to it",
        (false, None) => "Release",
        (false, Some(_)) => "Recall from it",
    };
    let title = if keeps { "Keep these seats?" } else { "Release these seats?" };
    html! {
        section.card.confirm #preview {
            h1 { (title) }
            @if let Some(of) = of { p { "At " strong { (wrapped(of)) } ":" } }
            ul.effects { @for change in &told.changes { li { (effect(change, now)) } } }
            @if keeps {
                p.hint { "Until then they are not asked back for other servers, and count as used here, whether or not anybody works. They can be released early, here or at the portal." }
            } @else {
                p.hint { "They are renewed at each sync again. Seats that laptops have borrowed beyond that come back when their passes end or are returned." }
            }
            form method="post" action=(action) {
                input type="hidden" name=(REV) value=(told.pins_rev);
                input type="hidden" name=(STEP) value=(CONFIRM);
                @for change in &told.changes {
                    input type="hidden" name={ (SEATS) (change.license) } value=(change.seats);
                    input type="hidden" name={ (DAYS) (change.license) } value=(change.days);
                    @if change.auto_renew { input type="hidden" name={ (RENEW) (change.license) } value="on"; }
                }
                div.actions {
                    (button(verb, if keeps { Button::Primary } else { Button::Danger }))
                    (link_button("Cancel", cancel, Button::Plain))
                }
            }
        }
    }
}

fn effect(change: &KeptChange, now: Ms) -> Markup {
    let count = |seats: u32| counted(seats.into(), "seat", "seats");
    html! {
        @match change.until {
            Some(until) => {
                strong { (count(change.seats)) } " of " (wrapped(&change.product_name)) " until " (when(until.0, now))
                @if change.cut { ", when the license ends: less than " (days(change.days)) }
                @if change.auto_renew { ", renewed by itself for " (days(change.days)) " from half of that time on while the portal is reached" }
                "."
                @if change.seats_before > 0 { " So far " (count(change.seats_before)) "." }
            }
            None => {
                strong { (count(change.seats_before)) } " of " (wrapped(&change.product_name)) " no longer kept."
            }
        }
    }
}

/// What is to be said because something of it ends soon; `None` otherwise. `unreached`: the portal is not reached now.
pub fn warning(pins: &[KeptSeats], unreached: bool, now: Ms) -> Option<Markup> {
    let ending: Vec<&KeptSeats> = pins.iter().filter(|kept| kept.ends_soon && kept.until.0 > now).collect();
    let first = ending.iter().min_by_key(|kept| kept.until)?;
    Some(html! {
        strong { "Seats kept for use without the portal end: " }
        (number(first.seats.into())) " of " (wrapped(&first.product_name)) ", " (when(first.until.0, now))
        @if ending.len() > 1 { ", and " (number((ending.len() - 1) as u64)) " more" }
        ". "
        @if first.auto_renew {
            "They are to be renewed by themselves and were not: "
            @if unreached { "the portal is not reached." } @else { "the license ends then." }
        } @else {
            "If the portal is reached then, they are renewed at each sync again and nothing stops. If it is not, they are gone: keep them for longer before."
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use leasehold_core::random::Seeded;
    use leasehold_wire::time::Time;

    fn license(seed: u64) -> LicenseId {
        LicenseId::draw(Ms(1), &mut Seeded::new(seed))
    }

    fn pins() -> Pins {
        let kept = KeptSeats {
            license: license(1),
            product: "p".into(),
            product_name: "P".into(),
            seats: 2,
            given: 2,
            days: 7,
            auto_renew: true,
            until: Time(Ms(10)),
            ends_soon: false,
        };
        Pins { pins_rev: 9, kept: vec![kept], offers: Vec::new() }
    }

    fn fields(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn only_what_is_to_be_other_is_asked_for() {
        let (one, two) = (license(1), license(2));
        let all = |seats: &str, renew: bool| {
            let (s1, d1, r1, s2) =
                (format!("seats-{one}"), format!("days-{one}"), format!("renew-{one}"), format!("seats-{two}"));
            let mut list = vec![(s1.as_str(), seats), (d1.as_str(), "7"), (s2.as_str(), ""), ("rev", "9")];
            if renew {
                list.push((r1.as_str(), "on"));
            }
            wish(&fields(&list), Some(&pins())).unwrap()
        };
        assert!(all("2", true).pins.is_empty());
        assert_eq!(all("2", true).pins_rev, Some(9));
        assert_eq!(all("3", true).pins.len(), 1);
        assert!(!all("2", false).pins[0].auto_renew);
        assert_eq!(all("", true).pins[0].seats, 0);
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let name = format!("seats-{}", license(1));
        assert!(wish(&fields(&[(&name, "two")]), None).unwrap_err().contains("seats"));
        assert!(wish(&fields(&[("seats-x", "2")]), None).is_err());
    }

    #[test]
    fn names_are_shown_as_text() {
        let mut pins = pins();
        pins.kept[0].product_name = "<b>\u{202e}x".into();
        pins.kept[0].ends_soon = true;
        let drawn =
            kept(&pins, Some("/x"), Ms(1)).into_string() + &warning(&pins.kept, true, Ms(1)).unwrap().into_string();
        assert!(drawn.contains("&lt;b&gt;") && !drawn.contains("<b>") && !drawn.contains('\u{202e}'), "{drawn}");
    }
}
