//! `leasehold demo-app` (hidden): an application as a customer would run it, with a user who comes and goes.

use super::setting::released_on;
use crate::failure::Failure;
use crate::output::line_out;
use crate::signals::{self, ENDING};
use clap::Args;
use leasehold_client::{Checkout, Client};
use leasehold_core::random::Random;
use leasehold_host::OsRandom;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// One application of the demo
#[derive(Args, Debug)]
pub(crate) struct AppArgs {
    #[arg(long)]
    user: String,
    #[arg(long)]
    host: String,
    #[arg(long)]
    feature: String,
    #[arg(long)]
    seats: u32,
    #[arg(long)]
    hold_s: u32,
    #[arg(long)]
    server: String,
    #[arg(long)]
    trust: PathBuf,
}

pub(crate) fn app(args: AppArgs) -> Result<u8, Failure> {
    let (sender, stop) = channel();
    let on_signal = sender.clone();
    signals::watch(&ENDING, move |_| on_signal.send(()).unwrap_or(()))?;
    crate::serving::when_stdin_ends(move || sender.send(()).unwrap_or(()))?;
    let builder = Client::builder().server(&args.server).trust_file(&args.trust);
    let client = builder.user(&args.user).host(&args.host).build()?;
    let checkout = Checkout::of(&args.feature).seats(args.seats).version("2026.2").released_on(released_on());
    loop {
        let pause_s = match client.checkout(&checkout) {
            Ok(seat) => {
                line_out(&format!("{} holds {} ({})", args.user, args.feature, seat.info().lease))?;
                let over = wait(&stop, about(args.hold_s));
                line_out(&format!("{} gives {} back: {:?}", args.user, args.feature, seat.checkin()))?;
                if over {
                    return Ok(0);
                }
                args.hold_s / 10
            }
            Err(no_seat) => {
                line_out(&no_seat.to_string())?;
                args.hold_s / 4
            }
        };
        if wait(&stop, about(pause_s)) {
            return Ok(0);
        }
    }
}

/// Between half of and one and a half times as long, so that the applications do not move in step.
fn about(seconds: u32) -> Duration {
    let ms = u64::from(seconds.max(2)) * 1_000;
    Duration::from_millis(ms / 2 + OsRandom.below(ms))
}

/// Whether it is time to stop.
fn wait(stop: &Receiver<()>, time: Duration) -> bool {
    stop.recv_timeout(time) != Err(RecvTimeoutError::Timeout)
}
