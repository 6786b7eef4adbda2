//! Taking a seat while signals are heard, for commands that then stay.

use crate::client_args::SeatArgs;
use crate::failure::Failure;
use crate::output::printable;
use crate::signals::{Caught, ENDING};
use leasehold_client::{Client, GivenBack, NoSeat, Seat, SeatChange, SeatState};
use std::sync::mpsc::{Receiver, Sender};
use std::thread;
use std::time::Duration;

/// An interrupted checkout gets this long to say whether there is a seat to give back.
const INTERRUPTED_WAIT: Duration = Duration::from_secs(2);

/// What wakes a command that stays.
pub(crate) enum Woken {
    /// A signal.
    Signal(Caught),
    /// The seat's state is another.
    Changed(SeatChange),
    /// The checkout came to an end.
    Checkout(Box<Result<Seat, NoSeat>>),
}

/// Takes a seat whose changes come to `woken` from then on. An ending signal meanwhile is a failure, with nothing left
/// out.
pub(crate) fn take(
    client: &Client,
    args: &SeatArgs,
    sender: &Sender<Woken>,
    woken: &Receiver<Woken>,
) -> Result<Seat, Failure> {
    let (client, checkout, found) = (client.clone(), args.checkout(), sender.clone());
    let asking = thread::Builder::new()
        .name("checkout".to_owned())
        .spawn(move || drop(found.send(Woken::Checkout(Box::new(client.checkout(&checkout))))));
    asking.map_err(|error| Failure::of(format!("Cannot start a thread: {error}.")))?;
    let mut interrupted: Option<Caught> = None;
    loop {
        let next = match interrupted {
            None => woken.recv().ok(),
            Some(_) => woken.recv_timeout(INTERRUPTED_WAIT).ok(),
        };
        match (next, interrupted) {
            (Some(Woken::Checkout(outcome)), None) => {
                let seat = outcome.map_err(|no_seat| args.refused(no_seat))?;
                let changes = sender.clone();
                seat.on_change(move |change| drop(changes.send(Woken::Changed(change))));
                return Ok(seat);
            }
            (Some(Woken::Signal(caught)), None) if ENDING.contains(&caught.signal) => interrupted = Some(caught),
            (Some(Woken::Signal(_) | Woken::Changed(_)), _) => {}
            // A seat that was taken after all is given back by being dropped here.
            (Some(Woken::Checkout(_)) | None, _) => {
                let signal = interrupted.map_or(0, |caught| u8::try_from(caught.signal).unwrap_or(0));
                return Err(Failure::new(128 + signal, "Interrupted before there was a seat."));
            }
        }
    }
}

/// What a change of a held seat means for whoever works with it.
pub(crate) fn change_sentence(seat: &Seat, change: &SeatChange) -> String {
    let info = seat.info();
    let (feature, server) = (&info.feature, info.giver());
    let left_s = change.left.as_secs();
    let why = match &change.reason {
        Some(reason) if reason.is_empty() => Some("An administrator of the license server took it back.".to_owned()),
        Some(reason) => Some(format!("An administrator of the license server took it back: {}", printable(reason))),
        None => change.why.map(|end| end.explain().what.to_owned()),
    };
    match change.state {
        SeatState::Grace if info.pass.is_some() => {
            format!("The pass of {feature} ends in {left_s} seconds: save your work.")
        }
        SeatState::Lost if info.pass.is_some() => format!("The pass of {feature} has ended."),
        SeatState::Ok => format!("The seat of {feature} is held by {server}."),
        SeatState::Renewing => format!("Renewing the seat of {feature} at {server}; {left_s} seconds left."),
        SeatState::Grace => {
            let why = why.map(|why| format!(" {why}")).unwrap_or_default();
            format!("The seat of {feature} was not renewed by {server}: save your work. {left_s} seconds left.{why}")
        }
        SeatState::Lost => match why {
            Some(why) => format!("The seat of {feature} at {server} is lost. {why}"),
            None => format!("The seat of {feature} is lost: {server} may have given it to somebody else."),
        },
    }
}

/// What to say when a seat was given back; nothing if the server confirmed.
pub(crate) fn note_given_back(given_back: GivenBack) {
    if given_back == GivenBack::Unconfirmed {
        crate::output::note("The license server did not confirm; the seat comes back by itself within 7 minutes.");
    }
}
