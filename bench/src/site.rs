//! What is measured, as processes: the floor, and a license server activated through its real files.

use crate::load::Load;
use anyhow::{Context as _, Result, ensure};
use leasehold_core::grant::{Grant, Line, Terms};
use leasehold_core::ids::{GrantId, LicenseId, LineId, WorkstationId};
use leasehold_core::license::{Channel, FeatureCode, Kind, Share};
use leasehold_core::random;
use leasehold_core::time::{Clock as _, DAY_MS};
use leasehold_host::{OsRandom, SystemClock};
use leasehold_trust::activation_file::build_activation_file;
use leasehold_trust::request::read_request;
use leasehold_trust::{PublicKey, Vendor};
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::time::Instant;

/// A child process that is killed when dropped.
pub(crate) struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    /// Starts the floor.
    pub(crate) fn floor(dir: &Path) -> Result<Process> {
        let mut child = Command::new(std::env::current_exe()?).arg("floor").arg(dir).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
        let address = line.trim().parse().context("the floor did not start")?;
        Ok(Process { child, address })
    }

    /// Starts `leasehold KIND serve` on a data folder, and waits until it answers at the address.
    pub(crate) fn serve(binary: &Path, kind: &str, dir: &Path, address: SocketAddr, more: &[&str]) -> Result<Process> {
        let mut command = Command::new(binary);
        command.args([kind, "serve", "--listen", &address.to_string(), "--dir"]).arg(dir).args(more);
        let child = command.env("LEASEHOLD_LOG", "warn").stdout(Stdio::null()).spawn();
        let process = Process { child: child.with_context(|| format!("starting leasehold {kind}"))?, address };
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(address).is_err() {
            ensure!(Instant::now() < deadline, "leasehold {kind} did not open its port in 30 s");
            std::thread::park_timeout(Duration::from_millis(2));
        }
        Ok(process)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Memory in use, in MiB.
    pub(crate) fn rss_mib(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("no VmRSS")?;
        let kib: f64 = line.split_whitespace().nth(1).context("no VmRSS")?.parse()?;
        Ok(kib / 1_024.0)
    }

    /// Processor time that it has used so far, in milliseconds.
    pub(crate) fn cpu_ms(&self) -> Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // After the name, which may hold anything: the state, then field 4 and so on. User time is 14, system time 15.
        let fields: Vec<&str> = stat.rsplit(") ").next().context("no stat")?.split_whitespace().collect();
        let ticks = |field: usize| Ok::<f64, anyhow::Error>(fields.get(field - 3).context("no stat")?.parse()?);
        Ok((ticks(14)? + ticks(15)?) * 1_000.0 / rustix::param::clock_ticks_per_second() as f64)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A license server with a grant large enough for the measurement.
pub(crate) struct LicenseServer {
    dir: PathBuf,
    binary: PathBuf,
    key: PublicKey,
    address: SocketAddr,
    process: Option<Process>,
}

impl LicenseServer {
    /// Builds the binary, makes a vendor, and activates a server by request file and activation file.
    pub(crate) fn activate(dir: &Path, seats: u32) -> Result<LicenseServer> {
        let binary = build()?;
        std::fs::create_dir_all(dir)?;
        let request = run(Command::new(&binary).args(["server", "request", "--dir"]).arg(dir))?;
        let now = SystemClock::new().wall();
        let request =
            read_request(&request, now).map_err(|problem| anyhow::anyhow!("the request file: {}", problem.what()))?;
        let vendor = Vendor::create("Bench", now)?;
        let signer = vendor.signer(now)?;
        let random = &mut OsRandom;
        let workstation = WorkstationId::draw(now, random);
        let line = Line {
            line: LineId::draw(now, random),
            license: LicenseId::draw(now, random),
            product: "bench".into(),
            product_name: "Bench".into(),
            kind: Kind::Floating,
            channel: Channel::Commercial,
            features: [(FeatureCode::new("bench.seat")?, 1)].into(),
            seats,
            until: now.plus(30 * DAY_MS).floor_to_second(),
            terms: Terms::by_file(Share::None, None),
        };
        let grant = Grant {
            workstation,
            workstation_name: "bench".into(),
            account_name: "Bench".into(),
            rev: 1,
            issued_at: now.floor_to_second(),
            request: None,
            machine: String::new(),
            online: false,
            lines: vec![line],
        };
        let certificate =
            signer.issue_workstation_certificate(workstation, "bench", &request.public_key, now, random::bytes(random));
        let token = signer.sign_grant(&grant, &request.thumbprint, GrantId::draw(now, random));
        let file = dir.join("bench.crt");
        std::fs::write(&file, build_activation_file(&signer, &certificate, &token)?)?;
        run(Command::new(&binary).args(["server", "import", "--dir"]).arg(dir).arg(&file))?;
        let address = free_address()?;
        Ok(LicenseServer { dir: dir.to_owned(), binary, key: request.public_key, address, process: None })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn key(&self) -> PublicKey {
        self.key
    }

    /// Starts it and waits until it answers.
    pub(crate) fn start(&mut self) -> Result<()> {
        self.start_with(&[])
    }

    /// The same with more arguments.
    pub(crate) fn start_with(&mut self, more: &[&str]) -> Result<()> {
        self.process = Some(Process::serve(&self.binary, "server", &self.dir, self.address, more)?);
        Ok(())
    }

    /// Kills it without warning, starts it again, and says after how many seconds it gave a seat.
    pub(crate) fn restart_s(&mut self, load: &Load) -> Result<f64> {
        self.process = None;
        let start = Instant::now();
        self.start()?;
        load.once(self.address)?;
        Ok(start.elapsed().as_secs_f64())
    }

    /// Memory in use, in MiB.
    pub(crate) fn rss_mib(&self) -> Result<f64> {
        self.process.as_ref().context("not running")?.rss_mib()
    }
}

/// The `leasehold` binary of the same build.
pub(crate) fn build() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // Not quiet: where the last build was of other packages too, this one takes minutes, and a silent wait looks like a stall.
    run(Command::new(cargo).args(["build", "--release", "-p", "leasehold"]).stderr(Stdio::inherit()))?;
    Ok(std::env::current_exe()?.with_file_name("leasehold"))
}

/// Runs a command to its end; what it printed.
pub(crate) fn run(command: &mut Command) -> Result<Vec<u8>> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("running {command:?}"))?;
    ensure!(output.status.success(), "{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(output.stdout)
}

pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}
