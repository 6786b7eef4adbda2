//! Runs the programs that do the work, one at a time, and passes Ctrl-C, SIGTERM and SIGHUP on to
//! the one that runs, so that xtask itself stays alive to clean up behind it.
//!
//! Must not start anything that outlives the call: long-running helpers are in `services`.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// The run was ended by this signal, not by a fault.
#[derive(Debug)]
pub(crate) struct Interrupted(pub(crate) i32);

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stopped by signal {}; everything it started has been ended", self.0)
    }
}

impl std::error::Error for Interrupted {}

#[derive(Default)]
struct Foreground {
    /// The process group that gets the signals now.
    group: Option<Pid>,
    /// The first signal that came; nothing new starts after it.
    signal: Option<i32>,
}

/// The workspace folder and the one program that runs in the foreground.
pub(crate) struct Shell {
    /// The folder of the workspace's `Cargo.toml`.
    pub(crate) root: PathBuf,
    foreground: Arc<Mutex<Foreground>>,
}

impl Shell {
    pub(crate) fn new() -> Result<Self> {
        let manifest_dir = std::env::var_os("CARGO_MANIFEST_DIR")
            .map(PathBuf::from)
            .context("start this as `cargo xtask ...`: cargo tells it where the workspace is")?;
        let root = manifest_dir.parent().context("xtask/ has no parent folder")?.to_owned();
        let foreground = Arc::new(Mutex::new(Foreground::default()));
        let mut signals =
            signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP]).context("cannot watch for Ctrl-C")?;
        let shared = Arc::clone(&foreground);
        std::thread::spawn(move || {
            for signal in signals.forever() {
                pass_on(&mut lock(&shared), signal);
            }
        });
        Ok(Self { root, foreground })
    }

    /// A command of the cargo (and so the toolchain) that runs us.
    pub(crate) fn cargo(&self) -> Command {
        let mut cargo = self.command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // `cargo run` describes xtask to us in these; a build script that looks must not see them.
        for (name, _) in std::env::vars_os() {
            let name_text = name.to_string_lossy();
            if name_text.starts_with("CARGO_PKG_") || name_text.starts_with("CARGO_MANIFEST_") {
                cargo.env_remove(&name);
            }
        }
        cargo
    }

    /// A command that runs in the workspace folder, with no standard input.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end, its output shown.
    ///
    /// # Errors
    /// It could not start, it failed, or a signal stopped it ([`Interrupted`]).
    pub(crate) fn run(&self, command: &mut Command) -> Result<()> {
        // A group of its own: the terminal's Ctrl-C then reaches it once, through us, and reaches
        // its children with it.
        command.process_group(0);
        let mut child = {
            let mut foreground = self.unless_interrupted()?;
            let child = start(command)?;
            foreground.group = Some(pid_of(&child));
            child
        };
        // Not reaped before the group is forgotten, or a signal could reach a stranger with its pid.
        waitid(WaitId::Pid(pid_of(&child)), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)?;
        lock(&self.foreground).group = None;
        let status = child.wait()?;
        drop(self.unless_interrupted()?);
        if !status.success() {
            bail!("{} failed: {status}", shown(command));
        }
        Ok(())
    }

    /// Runs a command to its end and returns what it wrote to standard output.
    ///
    /// # Errors
    /// As [`Shell::run`]; what the command wrote to standard error is in the message.
    pub(crate) fn capture(&self, command: &mut Command) -> Result<Vec<u8>> {
        drop(self.unless_interrupted()?);
        let output = command.output().with_context(|| format!("cannot start {}", shown(command)))?;
        drop(self.unless_interrupted()?);
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("{} failed: {}\n{}", shown(command), output.status, said.trim_end());
        }
        Ok(output.stdout)
    }

    /// # Errors
    /// [`Interrupted`], once a signal has come.
    pub(crate) fn check_interrupted(&self) -> Result<()> {
        self.unless_interrupted().map(drop)
    }

    fn unless_interrupted(&self) -> Result<MutexGuard<'_, Foreground>> {
        let foreground = lock(&self.foreground);
        match foreground.signal {
            Some(signal) => Err(Interrupted(signal).into()),
            None => Ok(foreground),
        }
    }
}

/// Starts a command; the message names it, which the operating system's does not.
pub(crate) fn start(command: &mut Command) -> Result<Child> {
    command.spawn().with_context(|| format!("cannot start {}", shown(command)))
}

/// The pid of a child that has not been waited for.
pub(crate) fn pid_of(child: &Child) -> Pid {
    Pid::from_child(child)
}

fn lock(foreground: &Mutex<Foreground>) -> MutexGuard<'_, Foreground> {
    foreground.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pass_on(foreground: &mut Foreground, signal: i32) {
    foreground.signal.get_or_insert(signal);
    if let Some(group) = foreground.group {
        // Each one is passed on: nextest takes a second Ctrl-C for "at once". Gone already is fine.
        let signal = Signal::from_named_raw(signal).unwrap_or(Signal::TERM);
        let _ = kill_process_group(group, signal);
    }
}

fn shown(command: &Command) -> String {
    // `cargo`, not where this machine keeps it: a reader may want to copy the line.
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words: Vec<_> = std::iter::once(program).chain(command.get_args()).map(OsStr::to_string_lossy).collect();
    format!("`{}`", words.join(" "))
}
