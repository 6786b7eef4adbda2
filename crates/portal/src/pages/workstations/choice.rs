//! The choice of what a workstation is to hold: seats and a last day for each license, preset, to be changed before
//! anything happens.

use crate::Failure;
use crate::pages::fields::Fields;
use crate::pages::look::{on, seats, two_lines};
use jiff::civil::Date;
use leasehold_core::time::{Ms, date_end, last_full_day};
use leasehold_web::components::{Column, ListQuery, Row, Table, channel_badge, clip, empty_state, table, when};
use leasehold_web::maud::{Markup, html};
use leasehold_web::text::{number, visible};
use leasehold_wire::portal::{ChosenLine, Offer};
use leasehold_wire::time::Time;

const COLUMNS: &[Column] = &[
    Column::new("license", "License"),
    Column::new("available", "Available").end(),
    Column::new("held", "Holds now").end(),
    Column::new("seats", "Seats to give"),
    Column::new("until", "Last day"),
    Column::new("back", "Back in the pool"),
];

/// What stands in the two fields of one license, as it was typed.
struct Entered {
    seats: String,
    until: String,
}

/// What is chosen: preset, or what was sent.
pub(super) struct Choice(Vec<(Offer, Entered)>);

impl Choice {
    /// What the portal proposes.
    pub(super) fn preset(offers: Vec<Offer>) -> Choice {
        let entered = |offer: &Offer| Entered {
            seats: offer.preset_seats.to_string(),
            until: last_full_day(offer.preset_until.0).to_string(),
        };
        Choice::of(offers, entered)
    }

    fn of(offers: Vec<Offer>, entered: impl Fn(&Offer) -> Entered) -> Choice {
        let with = |offer: Offer| {
            let entered = entered(&offer);
            (offer, entered)
        };
        Choice(offers.into_iter().map(with).collect())
    }

    /// What a form says; a license that came up since then is left out.
    pub(super) fn sent(offers: Vec<Offer>, fields: &Fields) -> Choice {
        let entered = |offer: &Offer| Entered {
            seats: fields.sent(&seats_field(offer)).unwrap_or("0").to_owned(),
            until: fields
                .sent(&until_field(offer))
                .map_or_else(|| last_full_day(offer.preset_until.0).to_string(), str::to_owned),
        };
        Choice::of(offers, entered)
    }

    fn chosen(&self) -> impl Iterator<Item = (&Offer, Option<ChosenLine>)> {
        self.0.iter().map(|(offer, entered)| (offer, line(offer, entered).ok()))
    }

    fn seats(&self) -> u32 {
        self.chosen().filter_map(|(_, line)| line).fold(0, |sum, line| sum.saturating_add(line.seats))
    }

    fn held(&self) -> u32 {
        self.0.iter().fold(0, |sum, (offer, _)| sum.saturating_add(offer.held_now))
    }

    /// Whether more is chosen than can be given.
    fn is_too_much(&self) -> bool {
        self.chosen().any(|(offer, line)| line.is_some_and(|line| line.seats > offer.available))
    }

    /// When the last of the chosen seats is back.
    fn back(&self) -> Option<Ms> {
        let back = |(offer, line): (&Offer, Option<ChosenLine>)| {
            line.filter(|line| line.seats > 0).map(|line| back(offer, line.until.0))
        };
        self.chosen().filter_map(back).max()
    }

    /// What will happen, in numbers and dates.
    pub(super) fn sentence(&self, renewal: bool) -> Markup {
        let (count, held) = (self.seats(), self.held());
        if self.is_too_much() {
            return html! { p #pool-sentence { "More seats are chosen than are available." } };
        }
        html! {
            p #pool-sentence {
                @match (self.back(), renewal) {
                    (Some(back), false) => {
                        @if count == 1 { "This " } @else { "These " }
                        strong { (seats(count)) } @if count == 1 { " leaves" } @else { " leave" } " the pool until " (on(back)) "."
                    }
                    (Some(back), true) => {
                        "The workstation then holds " strong { (seats(count)) }
                        @if count > held { ", " strong { (number(u64::from(count - held))) " more than now" } }
                        ". " @if count == 1 { "It leaves" } @else { "They leave" }
                        " the pool until " (on(back)) "."
                    }
                    (None, false) => "No seat is chosen: there would be nothing to use.",
                    (None, true) => "The workstation then holds nothing.",
                }
                @if renewal && count < held {
                    " The " (seats(held - count)) " given up come back when the server has loaded the new file and says so in its next \
                     request file, or when the old one has ended."
                }
            }
        }
    }

    /// The fields.
    pub(super) fn table(&self, now: Ms) -> Markup {
        let held = self.held() > 0;
        let columns: Vec<Column> = COLUMNS.iter().filter(|column| held || column.key != "held").copied().collect();
        let rows = self.0.iter().map(|(offer, entered)| row(offer, entered, held, now)).collect();
        table(&Table {
            id: "choice",
            caption: "What the workstation is to hold",
            columns: &columns,
            rows,
            query: &ListQuery::default(),
            next: None,
            empty: empty_state(
                "No license to give",
                "The account has no floating license that runs now. Named licenses are for people, not for workstations.",
                html! {},
            ),
        })
    }

    /// Whether there is anything to choose.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The lines that a form asks for.
pub(super) fn lines(fields: &Fields) -> Result<Vec<ChosenLine>, Failure> {
    let mut lines = Vec::new();
    for (name, _) in fields.iter().filter(|(name, _)| name.starts_with(SEATS)) {
        let id = name.trim_start_matches(SEATS);
        let license = id.parse().map_err(|_| Failure::NotFound)?;
        let entered =
            Entered { seats: fields.get(name).to_owned(), until: fields.get(&format!("{UNTIL}{id}")).to_owned() };
        let (seats, until) = read(&entered)?;
        lines.push(ChosenLine { license, seats, until: Time(date_end(until)) });
    }
    Ok(lines)
}

const SEATS: &str = "seats-";
const UNTIL: &str = "until-";

fn seats_field(offer: &Offer) -> String {
    format!("{SEATS}{}", offer.license)
}

fn until_field(offer: &Offer) -> String {
    format!("{UNTIL}{}", offer.license)
}

fn read(entered: &Entered) -> Result<(u32, Date), Failure> {
    let seats = match entered.seats.trim() {
        "" => 0,
        seats => seats.parse().map_err(|_| Failure::invalid("seats", "must be a whole number"))?,
    };
    let until = entered.until.trim().parse();
    Ok((seats, until.map_err(|_| Failure::invalid("last day", "must be a date such as 2027-01-31"))?))
}

fn line(offer: &Offer, entered: &Entered) -> Result<ChosenLine, Failure> {
    let (seats, until) = read(entered)?;
    Ok(ChosenLine { license: offer.license, seats, until: Time(date_end(until)) })
}

/// When seats that are given until `until` are back: as long after it as for the preset.
fn back(offer: &Offer, until: Ms) -> Ms {
    until.plus(offer.preset_free_at.0.since(offer.preset_until.0))
}

fn row(offer: &Offer, entered: &Entered, held: bool, now: Ms) -> Row {
    let name = visible(&offer.product.name);
    let label = if offer.label.is_empty() {
        html! {}
    } else {
        clip(&offer.label)
    };
    let mut cells = vec![
        two_lines(html! { (clip(&offer.product.name)) " " (channel_badge(offer.channel.word())) }, label),
        html! { (number(offer.available.into())) " of " (number(offer.seats.into())) },
        html! { (number(offer.held_now.into())) },
        html! {
            input type="number" id=(seats_field(offer)) name=(seats_field(offer)) value=(entered.seats) min="0" max=(offer.available)
                step="1" inputmode="numeric" required autocomplete="off" aria-label={ "Seats of " (name) };
        },
        html! {
            input type="date" id=(until_field(offer)) name=(until_field(offer)) value=(entered.until) required
                min=(now.utc_date()) max=(last_full_day(offer.until_max.0)) aria-label={ "Last day of " (name) };
        },
        html! {
            @match line(offer, entered) {
                Ok(line) if line.seats > 0 => (when(back(offer, line.until.0), now)),
                _ => span.muted { "not given" },
            }
        },
    ];
    if !held {
        cells.remove(2);
    }
    Row::from(cells)
}
