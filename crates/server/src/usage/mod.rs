//! Counts usage while the server runs: a thread that reads what is new in the usage log, adds it to totals by hour and by
//! day, and in time replaces names and makes room.
//!
//! Owns the thread and what is counted so far; what an event counts is `leasehold_core::usage`'s, the rows are
//! `store::usage`'s. Never in the way of a checkout: the engine knows nothing of it, each piece of work is a transaction of
//! some milliseconds, and whatever it has not done it does later. The log is the truth: counted up to a row of it, in the
//! transaction that stores the totals, so a crash or a restored backup counts nothing twice and nothing never.

mod counting;
mod keeping;
mod pseudonym;

pub(crate) use counting::{Counting, Owned, Uncharged};

use crate::clock::ServerClock;
use crate::config::Settings;
use crate::random::SharedRandom;
use keeping::Keeper;
use leasehold_core::time::Ms;
use leasehold_db::WeakDb;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Between two looks at the log.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Between two transactions while there is more to do: others come in between.
const PAUSE: Duration = Duration::from_millis(10);
/// After something went wrong, such as a full disk.
const TROUBLE_PAUSE: Duration = Duration::from_secs(10);

/// What the thread works with.
pub(crate) struct UsageParts {
    /// Not kept open by the thread.
    pub(crate) db: WeakDb,
    pub(crate) owned: Owned,
    pub(crate) clock: ServerClock,
    pub(crate) settings: Settings,
    pub(crate) random: SharedRandom,
    pub(crate) counting: Counting,
    /// Nothing is replaced or dropped before: the clock may have been set ahead.
    pub(crate) keep_from: Ms,
}

/// The thread, until it is ended.
#[derive(Debug)]
pub(crate) struct UsageThread {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl UsageThread {
    /// Ends it after the piece of work that it is at.
    pub(crate) fn join(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            tracing::error!("the thread that counts usage panicked");
        }
    }
}

/// Starts the thread.
pub(crate) fn start(parts: UsageParts) -> std::io::Result<UsageThread> {
    let (stop, stopped) = channel();
    let keeper = Keeper::default();
    let thread = std::thread::Builder::new().name("usage".to_owned()).spawn(move || run(&parts, keeper, &stopped))?;
    Ok(UsageThread { stop, thread })
}

fn run(parts: &UsageParts, mut keeper: Keeper, stopped: &Receiver<()>) {
    let mut wait = PAUSE;
    let mut told = false;
    loop {
        match stopped.recv_timeout(wait) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
        }
        let Some(db) = parts.db.upgrade() else { return };
        let done = parts
            .counting
            .step(&db, Some(&parts.owned))
            .and_then(|more| if more { Ok(true) } else { keeper.step(&db, parts) });
        wait = match done {
            Ok(true) => PAUSE,
            Ok(false) => LOOK_EVERY,
            Err(error) => {
                // Counted later from the log; a full disk is reported by the engine.
                if !told {
                    tracing::warn!(%error, "usage cannot be counted for now");
                }
                TROUBLE_PAUSE
            }
        };
        told = wait == TROUBLE_PAUSE;
    }
}
