//! A machine to run the binary on, and a license server process with a vendor of its own.

use leasehold_core::grant::{Grant, Line, Terms};
use leasehold_core::ids::{GrantId, LicenseId, LineId, WorkstationId};
use leasehold_core::license::{Channel, FeatureCode, Kind, Share};
use leasehold_core::time::{Clock, DAY_MS, Ms};
use leasehold_host::{OsRandom, SystemClock};
use leasehold_trust::activation_file::build_activation_file;
use leasehold_trust::request::read_request;
use leasehold_trust::{PortalSigner, Vendor};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;
use tempfile::TempDir;

/// Longest wait for something that must happen.
pub(crate) const BOUND: Duration = Duration::from_secs(60);
/// The one feature that is granted.
pub(crate) const FEATURE: &str = "studio.gui";

/// A user's environment: nothing of the machine that runs the tests reaches the commands.
pub(crate) struct Machine {
    folder: TempDir,
}

impl Machine {
    pub(crate) fn new() -> Machine {
        Machine { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    /// The config file that commands of this machine read and write.
    pub(crate) fn config(&self) -> PathBuf {
        self.path("client.toml")
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_leasehold"));
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for name in ["LEASEHOLD_SERVERS", "LEASEHOLD_TRUST", "LEASEHOLD_LOG", "LEASEHOLD_LISTEN"] {
            command.env_remove(name);
        }
        command.env("LEASEHOLD_CONFIG", self.config()).env("XDG_STATE_HOME", self.path("state"));
        command.env("HOME", self.folder.path()).current_dir(self.folder.path());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Finished {
        finish(self.command(arguments).spawn().unwrap())
    }

    /// With `text` on standard input.
    pub(crate) fn run_with(&self, arguments: &[&str], text: &str) -> Finished {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        // A command that has refused already does not read it.
        let _ = child.stdin.take().unwrap().write_all(text.as_bytes());
        finish(child)
    }
}

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Finished {
    /// Standard output as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// It succeeded.
    pub(crate) fn ok(self) -> Finished {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    /// It failed with `code` and a sentence that has these parts.
    pub(crate) fn failed(self, code: i32, parts: &[&str]) -> Finished {
        assert_eq!(self.code, code, "{self:?}");
        for part in parts {
            assert!(self.err.contains(part), "{part:?} is not in {self:?}");
        }
        self
    }
}

/// Waits for the end of a process, within [`BOUND`].
pub(crate) fn finish(child: Child) -> Finished {
    let pid = child.id();
    let (sender, ended) = channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()).unwrap_or(()));
    let Ok(output) = ended.recv_timeout(BOUND) else {
        signal(pid, Signal::KILL);
        panic!("process {pid} did not end in time");
    };
    let Output { status, stdout, stderr } = output.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Finished { code: status.code().unwrap_or(-1), out: text(stdout), err: text(stderr) }
}

pub(crate) fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
}

/// A process that stays; killed if the test ends before it.
pub(crate) struct Staying {
    child: Option<Child>,
    out: BufReader<ChildStdout>,
}

impl Staying {
    pub(crate) fn start(mut command: Command) -> Staying {
        let mut child = command.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Staying { child: Some(child), out }
    }

    /// The next line of its standard output.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    pub(crate) fn signal(&self, which: Signal) {
        signal(self.child.as_ref().unwrap().id(), which);
    }

    /// Waits for its end; `out` is what had not been read.
    pub(crate) fn finish(mut self) -> Finished {
        let mut finished = finish(self.child.take().unwrap());
        self.out.read_to_string(&mut finished.out).unwrap();
        finished
    }
}

impl Drop for Staying {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _: std::io::Result<ExitStatus> = child.wait();
        }
    }
}

/// A vendor's portal as far as files go, and a license server process.
pub(crate) struct Site {
    pub(crate) machine: Machine,
    portal: PortalSigner,
    server: Option<Staying>,
    pub(crate) address: String,
}

impl Site {
    /// A running server that holds `seats`.
    pub(crate) fn with_seats(seats: u32) -> Site {
        let site = Site::not_activated();
        site.activate(seats);
        site
    }

    pub(crate) fn not_activated() -> Site {
        let now = SystemClock::new().wall();
        let vendor = Vendor::create("Acme", now).unwrap();
        let portal = vendor.signer(now).unwrap();
        let machine = Machine::new();
        machine.write("root.pem", &portal.root().pem());
        let mut server =
            Staying::start(machine.command(&["server", "serve", "--data", "server", "--listen", "127.0.0.1:0"]));
        let first = server.line();
        let address = first.split("https://").nth(1).and_then(|rest| rest.split('/').next());
        let address = address.unwrap_or_else(|| panic!("no address in {first:?}")).to_owned();
        Site { machine, portal, server: Some(server), address }
    }

    /// The `.crt` for a request file.
    pub(crate) fn activation_file(&self, request: &str, seats: u32) -> String {
        let now = SystemClock::new().wall();
        let request = read_request(request.as_bytes(), now).unwrap();
        let workstation = WorkstationId::draw(now, &mut OsRandom);
        let line = Line {
            line: LineId::draw(now, &mut OsRandom),
            license: LicenseId::draw(now, &mut OsRandom),
            product: "studio".to_owned(),
            product_name: "Studio".to_owned(),
            kind: Kind::Floating,
            channel: Channel::Commercial,
            features: [(FeatureCode::new(FEATURE).unwrap(), 1)].into(),
            seats,
            until: Ms(now.0 + 90 * DAY_MS).floor_to_second(),
            terms: Terms { borrow_days_max: 14, ..Terms::by_file(Share::None, None) },
        };
        let grant = Grant {
            workstation,
            workstation_name: "Hall 3".to_owned(),
            account_name: "Customer".to_owned(),
            rev: 1,
            issued_at: now.floor_to_second(),
            request: None,
            machine: String::new(),
            online: false,
            lines: vec![line],
        };
        let token = self.portal.sign_grant(&grant, &request.thumbprint, GrantId::draw(now, &mut OsRandom));
        let key = &request.public_key;
        let certificate = self.portal.issue_workstation_certificate(workstation, "Hall 3", key, now, [7; 16]);
        build_activation_file(&self.portal, &certificate, &token).unwrap()
    }

    fn activate(&self, seats: u32) {
        let request = self.machine.run(&["server", "request", "--data", "server"]).ok().out;
        let file = self.activation_file(&request, seats);
        self.machine.run_with(&["server", "import", "--data", "server", "-"], &file).ok();
    }

    /// A command of an application's machine that knows server and vendor.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.machine.command(arguments);
        command.env("LEASEHOLD_SERVERS", &self.address).env("LEASEHOLD_TRUST", self.root());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Finished {
        finish(self.command(arguments).spawn().unwrap())
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.machine.path("root.pem")
    }

    /// Ends the server.
    pub(crate) fn stop_server(&mut self) {
        let server = self.server.take().unwrap();
        server.signal(Signal::TERM);
        server.finish().ok();
    }

    /// Seats in use, as the server says.
    pub(crate) fn in_use(&self) -> u64 {
        let status = self.machine.run(&["server", "status", "--data", "server", "--json"]).ok().json();
        let features = status["features"].as_array().unwrap();
        features
            .iter()
            .find(|feature| feature["feature"] == FEATURE)
            .map_or(0, |feature| feature["in_use"].as_u64().unwrap())
    }
}

/// An address where nothing listens.
pub(crate) fn closed() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// Permission bits of a file.
pub(crate) fn mode(path: &Path) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(path).unwrap().permissions()) & 0o777
}

/// Waits until a file that another process writes has `part` in it.
pub(crate) fn wait_for_text(path: &Path, part: &str) {
    let said = || std::fs::read_to_string(path).unwrap().contains(part);
    assert!(comes(said), "{part:?} was not said: {:?}", std::fs::read_to_string(path));
}

/// Whether something becomes so within [`BOUND`].
pub(crate) fn comes(so: impl Fn() -> bool) -> bool {
    let (_keep, never) = channel::<()>();
    for _ in 0..1200 {
        if so() {
            return true;
        }
        let _ = never.recv_timeout(Duration::from_millis(50));
    }
    false
}
