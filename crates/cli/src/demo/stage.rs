//! The processes of the demo: started from this same executable, watched, and ended in order.

use super::folder::Folder;
use super::{Stopped, say_ended};
use crate::failure::Failure;
use crate::signals::{self, Caught, ENDING};
use leasehold_core::time::Clock;
use leasehold_host::SystemClock;
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::SIGCHLD;
use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// A service must be ready within this time, in milliseconds.
const READY_MS: i64 = 60_000;
/// A process that was told to stop is killed after this time, in milliseconds.
const KILL_AFTER_MS: i64 = 10_000;
/// Between two looks at something that cannot be waited for.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A child by its place among the children.
#[derive(Clone, Debug)]
pub(crate) struct Started {
    index: usize,
    name: &'static str,
    log: PathBuf,
}

impl Started {
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    fn last_words(&self) -> String {
        let said = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = said.lines().collect();
        lines[lines.len().saturating_sub(5)..].join("\n")
    }
}

struct Process {
    started: Started,
    child: Child,
    ended: bool,
}

/// All children. Dropping it ends them.
pub(super) struct Stage {
    clock: SystemClock,
    events: Receiver<Caught>,
    processes: Vec<Process>,
}

impl Stage {
    pub(super) fn new(clock: SystemClock) -> Result<Stage, Failure> {
        let (sender, events) = channel();
        let watched = [ENDING.as_slice(), &[SIGCHLD]].concat();
        signals::watch(&watched, move |caught| sender.send(caught).unwrap_or(()))?;
        Ok(Stage { clock, events, processes: Vec::new() })
    }

    /// Runs a command of this executable to its end, with a secret on its standard input.
    pub(super) fn run(&self, arguments: &[&str], secret: &str) -> Result<(), Failure> {
        let mut command = this_program()?;
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let failed =
            |error: std::io::Error| Failure::of(format!("Cannot run `leasehold {}`: {error}.", arguments.join(" ")));
        let mut child = command.spawn().map_err(failed)?;
        if let Some(mut stdin) = child.stdin.take() {
            writeln!(stdin, "{secret}").map_err(failed)?;
        }
        let output = child.wait_with_output().map_err(failed)?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        match said.trim().trim_start_matches("leasehold: ") {
            "" => Err(Failure::of(format!("`leasehold {}` was stopped. Start the demo again.", arguments.join(" ")))),
            said => Err(Failure::of(said)),
        }
    }

    /// Starts a child that stays. What it says goes to a log of its own.
    pub(super) fn start(
        &mut self,
        name: &'static str,
        arguments: &[String],
        folder: &Folder,
    ) -> Result<Started, Failure> {
        let log = folder.logs().join(format!("{name}.log"));
        let failed = |error: std::io::Error| Failure::of(format!("Cannot start the {name}: {error}."));
        let file = File::create(&log).map_err(failed)?;
        let child = this_program()?
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(file.try_clone().map_err(failed)?)
            .stderr(file)
            // Ctrl-C reaches only this process, which then ends the others in order.
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let started = Started { index: self.processes.len(), name, log };
        self.processes.push(Process { started: started.clone(), child, ended: false });
        Ok(started)
    }

    /// Starts one of the two services on its data folder and waits until it takes requests; answers where.
    pub(super) fn serve(
        &mut self,
        kind: &'static str,
        port: u16,
        data: &Path,
        more: &[String],
        folder: &Folder,
    ) -> Result<(Started, SocketAddr), Stopped> {
        let address_file = folder.logs().join(format!("{kind}.address"));
        // One of an earlier start would be believed.
        let _ = std::fs::remove_file(&address_file);
        let (data, listen) = (data.display().to_string(), format!("127.0.0.1:{port}"));
        let address_option = address_file.display().to_string();
        let arguments = [
            kind,
            "serve",
            "--data",
            &data,
            "--listen",
            &listen,
            "--address-file",
            &address_option,
            "--until-stdin-ends",
        ];
        let arguments = [arguments.map(str::to_owned).as_slice(), more].concat();
        let started = self.start(kind, &arguments, folder)?;
        let deadline_ms = self.clock.boottime_ms() + READY_MS;
        loop {
            let told = std::fs::read_to_string(&address_file).ok();
            if let Some(address) = told.and_then(|text| text.parse().ok()) {
                return Ok((started, address));
            }
            self.listen()?;
            self.reap(false);
            if self.processes[started.index].ended || self.clock.boottime_ms() > deadline_ms {
                return Err(Failure::of(format!("The {kind} did not start:\n{}", started.last_words())).into());
            }
        }
    }

    /// Stays until a signal, for `for_ms` at most, or until one of `needed` has ended.
    pub(super) fn stay(&mut self, for_ms: Option<i64>, needed: &[Started]) -> Result<(), Stopped> {
        let deadline_ms = for_ms.map(|for_ms| self.clock.boottime_ms() + for_ms);
        while deadline_ms.is_none_or(|deadline_ms| self.clock.boottime_ms() < deadline_ms) {
            self.listen()?;
            self.reap(true);
            if let Some(service) = needed.iter().find(|service| self.processes[service.index].ended) {
                return Err(
                    Failure::of(format!("The {} has ended; see {}.", service.name, service.log.display())).into()
                );
            }
        }
        Ok(())
    }

    /// Waits a moment, or until something happens.
    fn listen(&self) -> Result<(), Stopped> {
        match self.events.recv_timeout(LOOK_EVERY) {
            Ok(caught) if caught.signal != SIGCHLD => Err(Stopped::OnRequest),
            _ => Ok(()),
        }
    }

    fn reap(&mut self, say: bool) {
        for process in self.processes.iter_mut().filter(|process| !process.ended) {
            // An error means that there is no such child any more.
            if !matches!(process.child.try_wait(), Ok(None)) {
                process.ended = true;
                if say {
                    say_ended(&process.started);
                }
            }
        }
    }

    /// Ends the processes from `first` on, and waits for them.
    fn end_from(&mut self, first: usize) {
        let deadline_ms = self.clock.boottime_ms() + KILL_AFTER_MS;
        self.reap(false);
        self.processes[first..].iter().for_each(|process| process.signal(Signal::TERM));
        while self.processes[first..].iter().any(|process| !process.ended) {
            if self.clock.boottime_ms() > deadline_ms {
                self.processes[first..].iter().for_each(|process| process.signal(Signal::KILL));
            }
            // Signals to this process change nothing now: it is stopping.
            let _ = self.events.recv_timeout(LOOK_EVERY);
            self.reap(false);
        }
    }
}

impl Process {
    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid.filter(|_| !self.ended) {
            // It may have ended on its own; it is reaped by nobody else, so the number is still its own.
            let _ = kill_process(pid, signal);
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // The applications were started last; they end first, while their server still takes seats back.
        for first in [2, 1, 0] {
            if first < self.processes.len() {
                self.end_from(first);
            }
        }
    }
}

fn this_program() -> Result<Command, Failure> {
    let path = std::env::current_exe();
    path.map(Command::new).map_err(|error| Failure::of(format!("Cannot find this program's own file: {error}.")))
}
