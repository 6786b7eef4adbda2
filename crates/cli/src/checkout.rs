//! `leasehold checkout` and `leasehold checkin`: a seat by hand or from a script.

use crate::client_args::{ClientArgs, SeatArgs};
use crate::failure::{Failure, exit_of};
use crate::left_seats::{Left, LeftSeats};
use crate::output::{Output, note};
use crate::seating::{self, Woken};
use crate::signals;
use clap::Args;
use leasehold_client::{Client, ServerAddress};
use leasehold_core::ids::LeaseId;
use leasehold_core::time::Ms;
use serde_json::json;
use std::sync::mpsc::channel;

/// Take a seat and leave it out until `checkin`
#[derive(Args, Debug)]
pub(crate) struct CheckoutArgs {
    #[command(flatten)]
    seat: SeatArgs,
    /// Stay and hold the seat until interrupted (SIGINT, SIGTERM), then give it back
    #[arg(long)]
    hold: bool,
    #[command(flatten)]
    client: ClientArgs,
}

/// Give back seats that `checkout` left out
#[derive(Args, Debug)]
pub(crate) struct CheckinArgs {
    /// Which lease; may be left out if there is only one that has not run out
    #[arg(conflicts_with = "all")]
    lease: Option<LeaseId>,
    /// All of them; with --server those of that server
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    client: ClientArgs,
}

pub(crate) fn checkout(args: CheckoutArgs) -> Result<u8, Failure> {
    let client = args.client.client()?;
    let output = args.client.output();
    if args.hold {
        return hold(&client, &args.seat, output);
    }
    // Before the seat is taken: a seat that cannot be remembered could not be given back.
    let left_seats = LeftSeats::of_this_user()?;
    let seat = client.checkout(&args.seat.checkout()).map_err(|no_seat| args.seat.refused(no_seat))?;
    let (info, left) = (seat.info(), seat.left());
    if info.pass.is_some() {
        output.print(&json!({ "seat": info }), || {
            format!(
                "This machine has a pass of {} until {}: applications use it without a checkout, and nothing was taken.",
                info.feature,
                info.ends_at.rfc3339()
            )
        })?;
        return Ok(0);
    }
    let Some(left_seat) = seat.leave() else {
        return Err(Failure::of("The seat was lost again at once. Try once more."));
    };
    if let Err(failure) = left_seats.keep(left_seat.clone(), client.now()) {
        let _ = client.give_back(&left_seat);
        return Err(failure);
    }
    let minutes = left.as_secs().div_ceil(60);
    // Whose seat it is it finds in what was kept; whom to trust only where it is told.
    let trust = args.client.trust.as_ref().map(|file| format!(" --trust {}", file.display())).unwrap_or_default();
    output.print(&json!({ "seat": info, "runs_out_in_s": left.as_secs() }), || {
        format!(
            "{} on {}: {}\nNobody renews this seat: it runs out in {minutes} minutes unless `leasehold checkin {}{trust}` gives it \
             back before.\nTo keep one for longer use `leasehold checkout --hold` or `leasehold run`.",
            info.feature,
            info.giver(),
            info.lease,
            info.lease
        )
    })?;
    Ok(0)
}

fn hold(client: &Client, args: &SeatArgs, output: Output) -> Result<u8, Failure> {
    let (sender, woken) = channel();
    let on_signal = sender.clone();
    signals::watch(&signals::ENDING, move |caught| drop(on_signal.send(Woken::Signal(caught))))?;
    let seat = seating::take(client, args, &sender, &woken)?;
    let info = seat.info();
    output.print(&json!({ "seat": info }), || {
        format!("{} on {}: {}\nHeld until interrupted (Ctrl-C).", info.feature, info.giver(), info.lease)
    })?;
    for event in woken {
        match event {
            Woken::Signal(_) => break,
            Woken::Changed(change) => note(&seating::change_sentence(&seat, &change)),
            Woken::Checkout(_) => {}
        }
    }
    seating::note_given_back(seat.checkin());
    Ok(0)
}

pub(crate) fn checkin(args: CheckinArgs) -> Result<u8, Failure> {
    let client = args.client.client_of_passes()?;
    let left_seats = LeftSeats::of_this_user()?;
    let mut left = left_seats.all()?;
    if !args.client.servers.is_empty() {
        let asked: Vec<ServerAddress> =
            args.client.servers.iter().map(|server| server.parse().map_err(Failure::of)).collect::<Result<_, _>>()?;
        left.retain(|left| left.seat.server.parse().is_ok_and(|server: ServerAddress| asked.contains(&server)));
    }
    let now = client.now();
    let chosen = choose(left, args.lease, args.all, now)?;
    let (mut rows, mut lines, mut worst) = (Vec::new(), Vec::new(), 0);
    for left in chosen {
        let Left { seat, .. } = &left;
        let answer = if left.is_surely_over(now) { None } else { Some(client.give_back(seat)) };
        let (outcome, sentence) = match answer {
            Some(Ok(())) => ("given_back", format!("{} of {} is free.", seat.lease, seat.feature)),
            Some(Err(trouble)) if !left.has_run_out(now) => {
                worst = worst.max(exit_of(&trouble));
                let server = seat.server.parse().map_err(Failure::of)?;
                let sentence = format!("{} {}", trouble.what(&server), trouble.what_to_do());
                note(&sentence);
                rows.push(
                    json!({ "lease": seat.lease, "feature": seat.feature, "outcome": "failed", "sentence": sentence }),
                );
                continue;
            }
            _ => ("run_out", format!("{} of {} has run out by itself.", seat.lease, seat.feature)),
        };
        left_seats.forget(seat.lease)?;
        rows.push(json!({ "lease": seat.lease, "feature": seat.feature, "outcome": outcome }));
        lines.push(sentence);
    }
    if args.client.json || !lines.is_empty() {
        args.client.output().print(&json!({ "seats": rows }), || lines.join("\n"))?;
    }
    Ok(worst)
}

/// What has run out is chosen beside what was meant: it is forgotten, and nobody has to tell it from what is out.
fn choose(mut left: Vec<Left>, lease: Option<LeaseId>, all: bool, now: Ms) -> Result<Vec<Left>, Failure> {
    let out: Vec<&Left> = left.iter().filter(|left| !left.has_run_out(now)).collect();
    match lease {
        Some(lease) => {
            left.retain(|left| left.seat.lease == lease);
            if left.is_empty() {
                return Err(Failure::of(format!(
                    "This user has not left {lease} out on this machine; nothing was given back."
                )));
            }
        }
        None if all => {}
        None if left.is_empty() => return Err(Failure::of("This user has left no seat out on this machine.")),
        None if out.len() > 1 => {
            let names: Vec<String> =
                out.iter().map(|left| format!("{} ({})", left.seat.lease, left.seat.feature)).collect();
            return Err(Failure::of(format!(
                "Several seats are out: {}. Name one of them, or give --all.",
                names.join(", ")
            )));
        }
        None => {}
    }
    Ok(left)
}
