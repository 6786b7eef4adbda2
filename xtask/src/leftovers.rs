//! Finds and ends processes that a test started and then forgot: a killed test cannot end its own.
//!
//! While a [`Watch`] lives, the kernel gives us every descendant whose parent has ended, so all that
//! is left after a run is among our children and nobody else's process is ever touched.

use std::fs;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, set_child_subreaper, wait};

const POLL: Duration = Duration::from_millis(50);
/// Polls after which a process that was asked to end is killed (2 s), and given up on (10 s).
const ASK_POLLS: u32 = 40;
const MAX_POLLS: u32 = 200;

/// Makes us the heir of what the tests leave.
pub(crate) struct Watch(());

impl Watch {
    /// Start this after all installing is done: a system service that a package starts is to stay.
    pub(crate) fn start() -> Result<Self> {
        set_child_subreaper(Some(getpid())).context("cannot become the parent of orphaned processes")?;
        Ok(Self(()))
    }

    /// Ends every process that is left.
    ///
    /// # Errors
    /// There was one: a test did not end what it started. The message names them.
    pub(crate) fn end(self) -> Result<()> {
        // A browser whose driver has just been stopped is still closing: let it.
        let forgotten = children_after_grace();
        if forgotten.is_empty() {
            return Ok(());
        }
        let ended = if end_all() { "ended now" } else { "and they cannot be ended" };
        bail!(
            "tests left processes running ({ended}): {}\n  a test must end what it starts, also when it fails",
            forgotten.join("; ")
        )
    }
}

/// Asks, then kills, until no child is left; whether that worked.
fn end_all() -> bool {
    for polls in 0..MAX_POLLS {
        // A child's end hands us its own children, hence look again each time.
        let present = live_children();
        if present.is_empty() {
            return true;
        }
        let signal = if polls < ASK_POLLS { Signal::TERM } else { Signal::KILL };
        for child in present {
            // One that has just ended cannot be signalled, and need not be.
            let _ = kill_process(child.pid, signal);
        }
        pause();
    }
    false
}

struct ChildProcess {
    pid: Pid,
    command: String,
}

fn children_after_grace() -> Vec<String> {
    for _ in 0..ASK_POLLS {
        if live_children().is_empty() {
            return Vec::new();
        }
        pause();
    }
    live_children().into_iter().map(|child| format!("{} (pid {})", child.command, child.pid.as_raw_nonzero())).collect()
}

/// Our children, after those that have ended were reaped.
fn live_children() -> Vec<ChildProcess> {
    while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
    let us = getpid();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|entry| {
            let pid = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?;
            // `pid (name) state ppid ...`; the name may hold anything, so read from its last bracket.
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
            if Pid::from_raw(parent)? != us {
                return None;
            }
            let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&command).replace('\0', " ");
            Some(ChildProcess { pid, command: command.trim_end().chars().take(160).collect() })
        })
        .collect()
}

fn pause() {
    let (_keep, nothing): (_, Receiver<()>) = mpsc::channel();
    let _ = nothing.recv_timeout(POLL);
}
