//! Signals as values: each command that stays waits for them beside whatever else it waits for.

use crate::failure::Failure;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::low_level::siginfo::Cause;
use std::thread;

/// A signal that reached this process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Caught {
    /// Its number.
    pub(crate) signal: i32,
    /// It came from the terminal, so the whole process group has it, children included.
    pub(crate) from_terminal: bool,
}

/// The signals by which a person or a supervisor ends a program.
pub(crate) const ENDING: [i32; 3] = [SIGINT, SIGTERM, SIGHUP];

/// Calls `on_signal` for each of `signals`, on a thread of its own, from now on.
pub(crate) fn watch(signals: &[i32], mut on_signal: impl FnMut(Caught) + Send + 'static) -> Result<(), Failure> {
    let mut caught = SignalsInfo::<WithOrigin>::new(signals)
        .map_err(|error| Failure::of(format!("Cannot watch for signals: {error}.")))?;
    let watching = thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for origin in caught.forever() {
            on_signal(Caught { signal: origin.signal, from_terminal: matches!(origin.cause, Cause::Kernel) });
        }
    });
    watching.map(drop).map_err(|error| Failure::of(format!("Cannot start a thread: {error}.")))
}
