//! `leasehold run FEATURE -- COMMAND`: hold a seat while a command runs.

use crate::client_args::{ClientArgs, SeatArgs};
use crate::failure::{Failure, NOT_STARTED, SEAT_LOST};
use crate::output::{line_out, note};
use crate::seating::{self, Woken};
use crate::signals::{self, Caught};
use clap::{Args, ValueEnum};
use leasehold_client::{Seat, SeatChange, SeatState};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// A command that was told to stop gets this long before it is killed.
const KILL_AFTER: Duration = Duration::from_secs(10);

/// Hold a seat while a command runs, and pass its exit code on
#[derive(Args, Debug)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    seat: SeatArgs,
    /// What to do when the seat is lost while the command runs
    #[arg(long, value_enum, default_value_t = OnLost::Warn)]
    on_lost: OnLost,
    #[command(flatten)]
    client: ClientArgs,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum OnLost {
    /// Say so on standard error, and let the command go on
    Warn,
    /// End the command (SIGTERM, after 10 seconds SIGKILL) and exit with 124
    Stop,
}

pub(crate) fn run(args: RunArgs) -> Result<u8, Failure> {
    let client = args.client.client()?;
    let (sender, woken) = channel();
    let on_signal = sender.clone();
    // Before the seat is taken, so that no signal can end this process with the seat still out.
    let watched = [SIGINT, SIGTERM, SIGHUP, SIGCHLD];
    signals::watch(&watched, move |caught| drop(on_signal.send(Woken::Signal(caught))))?;
    let seat = seating::take(&client, &args.seat, &sender, &woken)?;
    if args.client.json {
        line_out(&json!({ "seat": seat.info() }).to_string())?;
    }
    let (program, arguments) = args.command.split_first().expect("clap requires a command");
    seat.share_with_children();
    let started = Command::new(program).args(arguments).spawn();
    let child = started.map_err(|error| {
        let sentence = format!("Cannot start {}: {error}. The seat was given back.", program.to_string_lossy());
        Failure::new(NOT_STARTED, sentence)
    })?;
    let ended =
        Holding { seat: &seat, child, on_lost: args.on_lost, stopping: false, endangered: false }.wait(&woken)?;
    seating::note_given_back(seat.checkin());
    match ended {
        Ended::Itself(status) => Ok(exit_code(status)),
        Ended::SeatLost => Err(Failure::new(SEAT_LOST, "The seat was lost, so the command was stopped.")),
    }
}

struct Holding<'a> {
    seat: &'a Seat,
    child: Child,
    on_lost: OnLost,
    stopping: bool,
    /// The seat was not renewed in time, and the user was told.
    endangered: bool,
}

enum Ended {
    Itself(ExitStatus),
    SeatLost,
}

impl Holding<'_> {
    /// Until the command has ended. Only this thread reaps it, so its number always names the command.
    fn wait(mut self, woken: &Receiver<Woken>) -> Result<Ended, Failure> {
        loop {
            if let Some(status) =
                self.child.try_wait().map_err(|error| Failure::of(format!("Cannot wait for the command: {error}.")))?
            {
                return Ok(if self.stopping { Ended::SeatLost } else { Ended::Itself(status) });
            }
            let next = if self.stopping {
                woken.recv_timeout(KILL_AFTER)
            } else {
                woken.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            match next {
                Ok(Woken::Signal(caught)) => self.pass_on(caught),
                Ok(Woken::Changed(change)) => self.changed(&change),
                Ok(Woken::Checkout(_)) => {}
                Err(RecvTimeoutError::Timeout) => self.send(Signal::KILL),
                Err(RecvTimeoutError::Disconnected) => return Err(Failure::of("Signals are not watched any more.")),
            }
        }
    }

    fn pass_on(&self, caught: Caught) {
        // Ctrl-C reaches the command from the terminal already; twice would often mean "at once".
        match caught.signal {
            SIGINT if !caught.from_terminal => self.send(Signal::INT),
            SIGTERM => self.send(Signal::TERM),
            SIGHUP if !caught.from_terminal => self.send(Signal::HUP),
            _ => {}
        }
    }

    fn changed(&mut self, change: &SeatChange) {
        // That a seat is held is news only after it was in danger.
        let recovered =
            std::mem::replace(&mut self.endangered, matches!(change.state, SeatState::Grace | SeatState::Lost));
        if matches!(change.state, SeatState::Grace | SeatState::Lost) || change.state == SeatState::Ok && recovered {
            note(&seating::change_sentence(self.seat, change));
        }
        if change.state == SeatState::Lost && self.on_lost == OnLost::Stop && !self.stopping {
            self.stopping = true;
            self.send(Signal::TERM);
        }
    }

    fn send(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(Err(error)) = pid.map(|pid| kill_process(pid, signal)) {
            note(&format!("Cannot pass the signal on to the command: {error}."));
        }
    }
}

fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}
