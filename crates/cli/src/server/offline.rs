//! `leasehold server offline`: seats that the license server keeps for a while, also if the portal cannot be reached.

use super::Folder;
use crate::failure::Failure;
use crate::output::{Output, printable};
use clap::{Args, Subcommand};
use leasehold_core::ids::LicenseId;
use leasehold_core::text::{counted, seats};
use leasehold_server::local;
use leasehold_wire::portal::{KeepLicense, KeepSeats, KeptChange, KeptSeats, PinOffer, SeatsKept};
use leasehold_wire::server::OfflineUse;

#[derive(Args, Debug)]
pub(super) struct Offline {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Show what is kept, until when, and what could be
    List {
        #[command(flatten)]
        folder: Folder,
        /// Print one JSON document instead of text
        #[arg(long)]
        json: bool,
    },
    /// Keep seats here for a while: nobody asks them back before, also if the portal cannot be reached
    Borrow(BorrowArgs),
    /// Give kept seats back before their end
    Release {
        #[command(flatten)]
        folder: Folder,
        /// Code of the product, or id of the license, as `server offline list` names them
        #[arg(required = true, value_name = "PRODUCT")]
        products: Vec<String>,
        /// Only say what would come of it
        #[arg(long)]
        preview: bool,
        /// Print one JSON document instead of text
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args, Debug)]
struct BorrowArgs {
    #[command(flatten)]
    folder: Folder,
    /// Code of the product, or id of the license, and how many seats: `studio=2`
    #[arg(required = true, value_name = "PRODUCT=SEATS", value_parser = product_and_seats)]
    seats: Vec<(String, u32)>,
    /// For how many days; the longest that the vendor allows if not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    days: Option<u32>,
    /// Renew them by themselves from half of that time on, as long as the portal is reached
    #[arg(long)]
    auto_renew: bool,
    /// Only say what would come of it
    #[arg(long)]
    preview: bool,
    /// Print one JSON document instead of text
    #[arg(long)]
    json: bool,
}

fn product_and_seats(text: &str) -> Result<(String, u32), String> {
    let (product, seats) = text.split_once('=').ok_or("write PRODUCT=SEATS, such as studio=2")?;
    let seats = seats.parse().ok().filter(|seats| *seats > 0).ok_or("the number of seats must be 1 or more")?;
    Ok((product.to_owned(), seats))
}

pub(super) fn offline(command: Offline) -> Result<(), Failure> {
    match command.what {
        What::List { folder, json } => {
            let known = local::pins(folder.open())?;
            Output { json }.print(&known, || told(&known))
        }
        What::Borrow(args) => {
            let known = reached(args.folder.clone())?;
            let pin = |(product, seats): &(String, u32)| {
                let license = license(product, &known)?;
                Ok(KeepLicense { license, seats: *seats, days: args.days, auto_renew: args.auto_renew })
            };
            let pins = args.seats.iter().map(pin).collect::<Result<_, Failure>>()?;
            keep(args.folder, &known, pins, args.preview, Output { json: args.json })
        }
        What::Release { folder, products, preview, json } => {
            let known = reached(folder.clone())?;
            let pin = |product: &String| {
                let license = license(product, &known)?;
                Ok(KeepLicense { license, seats: 0, days: None, auto_renew: false })
            };
            let pins = products.iter().map(pin).collect::<Result<_, Failure>>()?;
            keep(folder, &known, pins, preview, Output { json })
        }
    }
}

/// What is kept and what could be, if the portal says so now.
fn reached(folder: Folder) -> Result<OfflineUse, Failure> {
    let known = local::pins(folder.open())?;
    match &known.portal {
        None => Ok(known),
        Some(problem) => Err(Failure::of(format!(
            "The portal {}, so nothing was changed: {} {}",
            if problem.refused { "refuses" } else { "is not reached" },
            printable(&problem.what),
            printable(&problem.what_to_do)
        ))),
    }
}

fn keep(
    folder: Folder,
    known: &OfflineUse,
    pins: Vec<KeepLicense>,
    preview: bool,
    output: Output,
) -> Result<(), Failure> {
    let wish = KeepSeats { pins_rev: Some(known.pins.pins_rev), preview, pins };
    let kept: SeatsKept = local::keep_seats(folder.open(), &wish)?;
    output.print(&kept, || {
        let line = |change: &KeptChange| {
            let before = known.pins.kept.iter().find(|before| before.license == change.license);
            format!("{}{}", changed(change), before.map(|before| less_than(before, change)).unwrap_or_default())
        };
        let lines = kept.changes.iter().map(line).collect::<Vec<_>>().join("\n");
        if preview { format!("{lines}\nNothing was changed yet: this is a preview.") } else { lines }
    })
}

/// Which license somebody means.
fn license(named: &str, known: &OfflineUse) -> Result<LicenseId, Failure> {
    if let Ok(license) = named.parse() {
        return Ok(license);
    }
    let offered = known.pins.offers.iter().map(|offer| (&offer.product, offer.license));
    let kept = known.pins.kept.iter().map(|kept| (&kept.product, kept.license));
    let mut found: Vec<LicenseId> =
        offered.chain(kept).filter(|(product, _)| *product == named).map(|(_, license)| license).collect();
    found.sort_unstable();
    found.dedup();
    if found.len() > 1 {
        // Those of which nothing is kept, nor could be, are not meant.
        let kept = |license| known.pins.kept.iter().any(|kept| kept.license == license);
        let offered = |license| {
            known.pins.offers.iter().any(|offer| offer.license == license && offer.available.min(offer.days_max) > 0)
        };
        found.retain(|license| kept(*license) || offered(*license));
    }
    match found[..] {
        [license] => Ok(license),
        [] => Err(Failure::of(format!(
            "There is no product `{}` of which seats could be kept here. Look at: leasehold server offline list",
            printable(named)
        ))),
        _ => Err(Failure::of(format!(
            "There are several licenses of `{}`. Name one by its id, from: leasehold server offline list",
            printable(named)
        ))),
    }
}

fn days(count: u32) -> String {
    counted(count.into(), "day", "days")
}

fn changed(change: &KeptChange) -> String {
    let name = printable(&change.product_name);
    let Some(until) = change.until else {
        return match change.seats_before {
            0 => format!("Nothing of {name} was kept."),
            before => format!("{} of {name} no longer kept.", seats(before)),
        };
    };
    let cut = if change.cut { ", when the license ends" } else { "" };
    let renewed = match change.auto_renew {
        true => format!(", renewed by itself for {}", days(change.days)),
        false => String::new(),
    };
    format!("{} of {name} until {}{cut}{renewed}.", seats(change.seats), until.0.rfc3339())
}

/// What is less than before, which somebody who keeps seats again may not have meant.
fn less_than(before: &KeptSeats, change: &KeptChange) -> String {
    let mut text = String::new();
    let Some(until) = change.until else { return text };
    if until.0 < before.until.0 {
        text.push_str(&format!(" That is shorter than before ({}).", before.until.0.rfc3339()));
    }
    if before.auto_renew && !change.auto_renew {
        text.push_str(" It is not renewed by itself any more (--auto-renew).");
    }
    text
}

fn told(known: &OfflineUse) -> String {
    let mut lines = Vec::new();
    if let Some(problem) = &known.portal {
        let goes_on = if known.pins.kept.is_empty() { "" } else { " What is kept goes on:" };
        let state = if problem.refused { "refuses" } else { "is not reached" };
        lines.push(format!("The portal {state}: {}{goes_on}", printable(&problem.what)));
    }
    if known.pins.kept.is_empty() {
        lines.push("Nothing is kept for use without the portal.".to_owned());
    }
    lines.extend(known.pins.kept.iter().map(kept));
    lines.extend(known.pins.offers.iter().map(offered));
    lines.join("\n")
}

fn kept(kept: &KeptSeats) -> String {
    let renewed = if kept.auto_renew { format!(", renewed for {}", days(kept.days)) } else { String::new() };
    let soon = if kept.ends_soon { ", ends soon" } else { "" };
    let coming = match kept.seats.saturating_sub(kept.given) {
        0 => String::new(),
        coming => format!(", {coming} to come"),
    };
    format!(
        "kept   {}  {}  {} until {}{renewed}{coming}{soon}",
        kept.license,
        printable(&kept.product),
        seats(kept.seats),
        kept.until.0.rfc3339()
    )
}

fn offered(offer: &PinOffer) -> String {
    let allowed = match offer.days_max {
        0 => "not lent by the vendor".to_owned(),
        max => format!("{} of {} can be kept, {} at most", offer.available, offer.seats, days(max)),
    };
    let ends = offer.license_end.map(|end| format!(", license ends {}", end.0.rfc3339())).unwrap_or_default();
    format!("offer  {}  {}  {allowed}{ends}", offer.license, printable(&offer.product))
}
