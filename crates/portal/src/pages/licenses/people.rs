//! To whom the seats of a license are assigned, and the form that assigns.

use super::address;
use crate::Failure;
use crate::pages::fields::{Fields, Mistake, choices};
use crate::pages::look::{on, person, seats, stack};
use leasehold_core::ids::AccountId;
use leasehold_core::license::Kind;
use leasehold_core::time::Ms;
use leasehold_web::components::{
    Button, Column, Field, ListQuery, Row, Table, Tone, button, card, clip, empty_state, link_button, status, table,
};
use leasehold_web::maud::{Markup, html};
use leasehold_web::text::number;
use leasehold_wire::portal::{AccountRef, Assignment, Holder, License};

/// The form's field for how many; the page has another form with `seats`.
const SEATS: &str = "assign_seats";

const COLUMNS: &[Column] = &[
    Column::new("person", "Person"),
    Column::new("seats", "Seats").end(),
    Column::new("active", "In effect"),
    Column::new("out", "At their servers").end(),
    Column::new("action", "").end(),
];

/// To whom seats are assigned, with ways to take them back for whoever `gives` them: live.
pub(super) fn table_of(license: &License, gives: bool, now: Ms) -> Markup {
    let rows = license.assignments.iter().map(|given| {
        let take_back = format!("{}/take-back/{}", address(license.id), given.account.id);
        Row::from(vec![
            person(&given.account),
            html! { strong { (number(given.seats.into())) } },
            stack(in_effect(license, given, now)),
            html! { (number(given.seats_out.into())) },
            html! { @if gives { (link_button("Take back", &take_back, Button::Danger)) } },
        ])
    });
    let (nobody, next) = match license.running {
        true => (
            "Nobody yet",
            match license.kind {
                Kind::Floating => {
                    "All seats float: servers of the organization share them. Assign some to give a person seats of their own."
                }
                Kind::Named => {
                    "Its seats are for people: assign one to each. Until then they are the owner's own, on a server for *me*."
                }
            },
        ),
        false => ("Nobody", "The license does not run: nothing can be assigned."),
    };
    table(&Table {
        id: "assigned",
        caption: "Assigned to",
        columns: COLUMNS,
        rows: rows.collect(),
        query: &ListQuery::default(),
        next: None,
        empty: empty_state(nobody, next, html! {}),
    })
}

/// How many of the given seats can be used, and who has those that cannot.
fn in_effect(license: &License, given: &Assignment, now: Ms) -> Markup {
    let waiting = given.seats.saturating_sub(given.active);
    let holders = kept_from(license, given);
    html! {
        @if !given.usable {
            (status("Kept", Tone::Neutral))
            span.small { "for when they have joined, or are reinstated" }
        } @else if waiting == 0 {
            (status("All", Tone::Good))
        } @else {
            (status(&format!("{} of {}", number(given.active.into()), number(given.seats.into())), Tone::Warning))
            span.small {
                (number(waiting.into())) @if waiting == 1 { " waits" } @else { " wait" }
                @match (license.running, holders.first()) {
                    (false, _) => ": the license does not run",
                    (true, None) => " until seats are back",
                    (true, Some(first)) => {
                        " for seats at " (holder(first)) @if first.free_at.0 > now { ", there until " (on(first.free_at.0)) " at the latest" }
                        @if holders.len() > 1 { ", and at " (holders.len() - 1) " more" }
                    }
                }
            }
        }
    }
}

fn holder(holder: &Holder) -> Markup {
    let name = if holder.name.is_empty() { "a server" } else { &holder.name };
    html! { (clip(name)) @if let Some(person) = &holder.person { " of " (clip(&person.name)) } }
}

/// Where seats are that an assignment may wait for: those that float, and those of people who have more than was
/// assigned to them.
fn kept_from<'a>(license: &'a License, given: &Assignment) -> Vec<&'a Holder> {
    let too_many = |account: AccountId| {
        let theirs = license.assignments.iter().find(|other| other.account.id == account);
        theirs.is_none_or(|theirs| theirs.seats_out > theirs.seats)
    };
    let kept = license.holders.iter().filter(|holder| match &holder.person {
        None => true,
        Some(person) => person.id != given.account.id && too_many(person.id),
    });
    kept.collect()
}

/// What was entered in the form.
#[derive(Default)]
pub(super) struct Entered {
    account: String,
    seats: String,
}

impl Entered {
    pub(super) fn of(fields: &Fields) -> Entered {
        Entered { account: fields.get("account").to_owned(), seats: fields.get(SEATS).to_owned() }
    }

    /// To whom, and how many.
    pub(super) fn read(fields: &Fields) -> Result<(AccountId, u32), Failure> {
        let account = fields.parse("account", "must be chosen")?;
        let seats = fields.get(SEATS).trim().parse();
        Ok((account, seats.map_err(|_| Failure::invalid("seats", "must be a whole number, at least 1"))?))
    }
}

/// The form that assigns; `people` are those to whom it may, the administrator first.
pub(super) fn assign_card(license: &License, people: &[AccountRef], refused: Option<&(Entered, Mistake)>) -> Markup {
    let fresh = (Entered { account: String::new(), seats: "1".to_owned() }, Mistake::none());
    let (entered, mistake) = refused.unwrap_or(&fresh);
    let people: Vec<(String, String)> = people
        .iter()
        .enumerate()
        .map(|(i, account)| {
            let role = if i == 0 { " (owner)" } else { "" };
            (account.id.to_string(), format!("{} · {}{role}", account.name, account.email))
        })
        .collect();
    let left = license.seats.saturating_sub(license.seats_assigned);
    let hint = format!(
        "In all, instead of what the person has now. {} not assigned yet. What is out elsewhere is recalled, and the assignment waits for it.",
        if left == 1 { "1 seat is".to_owned() } else { format!("{} are", seats(left)) }
    );
    card(
        "Assign seats",
        html! {
            form #assign method="post" action={ (address(license.id)) "/assign" } {
                (Field::new("account", "To").required().value(&entered.account)
                    .error(mistake.at("account", "The person").as_deref()).select(&choices(&people, "Choose a person")))
                (Field::new(SEATS, "Seats").required().value(&entered.seats).hint(&hint)
                    .error(mistake.at("seats", "The number of seats").as_deref()).number(1, license.seats.into()))
                div.actions {
                    (button("Assign", Button::Primary))
                    @if let Some(organization) = license.organization {
                        (link_button("Members", &format!("/organizations/{organization}"), Button::Plain))
                    }
                }
            }
        },
    )
}
