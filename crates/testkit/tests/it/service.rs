//! The real binary as a service that tests start, kill and start again.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

/// A service comes up within this many looks, one each hundredth of a second.
const LOOKS: u32 = 3_000;

/// A value of the environment that `cargo xtask test` sets.
pub(crate) fn needed(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| panic!("{variable} is not set: run the tests with `cargo xtask test`"))
}

/// The binary with arguments, in a folder, hearing nothing of this machine's own settings.
pub(crate) fn leasehold(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(needed("LEASEHOLD_TEST_BIN"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    for variable in ["LEASEHOLD_SERVERS", "LEASEHOLD_TRUST", "LEASEHOLD_CONFIG", "LEASEHOLD_LOG"] {
        command.env_remove(variable);
    }
    command
}

/// Runs the binary to its end and gives back what it printed.
pub(crate) fn run(folder: &Path, arguments: &[&str]) -> String {
    let output = leasehold(folder, arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?} failed: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// Looks again and again until `look` sees something.
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let (_keep, never) = channel::<()>();
    for _ in 0..LOOKS {
        if let Some(seen) = look() {
            return seen;
        }
        let _ = never.recv_timeout(Duration::from_millis(10));
    }
    panic!("{what} did not come")
}

/// Lets time pass.
pub(crate) fn pause(ms: u64) {
    let (_keep, never) = channel::<()>();
    let _ = never.recv_timeout(Duration::from_millis(ms));
}

/// A running service.
pub(crate) struct Service {
    child: Child,
    /// Where it listens.
    pub(crate) address: String,
}

impl Service {
    /// Starts `leasehold KIND serve` on the data folder `data` in `folder`, at an address (port 0: any), and waits until
    /// it takes requests.
    pub(crate) fn start(folder: &Path, kind: &str, data: &str, address: &str) -> Service {
        let file = folder.join(format!("{data}.address"));
        let _ = std::fs::remove_file(&file);
        let told = file.to_str().unwrap();
        let arguments = [kind, "serve", "--data", data, "--listen", address, "--address-file", told];
        let mut command = leasehold(folder, &arguments);
        Service::ready(command.stdout(Stdio::null()).stderr(Stdio::null()), &file)
    }

    /// The same, with what it says added to a file.
    pub(crate) fn start_logged(folder: &Path, kind: &str, data: &str, address: &str) -> Service {
        let file = folder.join(format!("{data}.address"));
        let _ = std::fs::remove_file(&file);
        let log = std::fs::File::options().create(true).append(true).open(folder.join(format!("{data}.log"))).unwrap();
        let arguments = [kind, "serve", "--data", data, "--listen", address, "--address-file", file.to_str().unwrap()];
        Service::ready(leasehold(folder, &arguments).stdout(Stdio::null()).stderr(log), &file)
    }

    /// Starts a command that will tell its address in `file`.
    pub(crate) fn ready(command: &mut Command, file: &Path) -> Service {
        let mut child = command.spawn().unwrap();
        let address = wait_for("the service's address", || {
            if let Some(status) = child.try_wait().unwrap() {
                panic!("the service did not come up by itself: {status}");
            }
            std::fs::read_to_string(file).ok().filter(|address| !address.is_empty())
        });
        Service { child, address }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn stop(&mut self) {
        let asked = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(asked.success() && self.child.wait().unwrap().success());
    }

    /// `kill -9`; what it was is still known.
    pub(crate) fn end(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.address.clone()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
