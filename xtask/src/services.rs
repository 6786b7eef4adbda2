//! The servers that a test run talks to: a private PostgreSQL and a chromedriver, on free loopback
//! ports, with all they write in one temporary folder that goes when they go.
//!
//! Each is a direct child in a process group of its own. It is ended by [`Services::stop`], by a
//! drop on any error, and, should xtask itself be killed outright, by the kernel (`--pdeathsig`).

use std::fs::{self, File, Permissions};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::{Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid};
use tempfile::TempDir;

use crate::needs::Tools;
use crate::say;
use crate::shell::{self, Shell};

const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(50);

/// The running servers. Fields drop in this order: the folder goes last.
pub(crate) struct Services {
    postgres: Service,
    chromedriver: Service,
    postgres_url: String,
    webdriver_url: String,
    folder: TempDir,
}

impl Services {
    /// Starts both and returns when both answer.
    ///
    /// # Errors
    /// One did not start or did not answer in time; the message has the end of its log.
    pub(crate) fn start(shell: &Shell, tools: &Tools) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("leasehold-test-")
            // PostgreSQL may run as another user and must get to its own folder below.
            .permissions(Permissions::from_mode(0o755))
            .tempdir()
            .context("cannot make a temporary folder")?;
        let tmp = folder.path().join("tmp");
        fs::create_dir(&tmp)?;
        let (postgres, postgres_url) = start_postgres(shell, tools, folder.path())?;
        let (chromedriver, webdriver_url) = start_chromedriver(shell, tools, folder.path(), &tmp)?;
        Ok(Self { postgres, chromedriver, postgres_url, webdriver_url, folder })
    }

    /// The URL of an empty database whose user may create others.
    pub(crate) fn postgres_url(&self) -> &str {
        &self.postgres_url
    }

    /// Where WebDriver commands are sent.
    pub(crate) fn webdriver_url(&self) -> &str {
        &self.webdriver_url
    }

    /// For the tests' own temporary files, so that a killed test leaves none behind.
    pub(crate) fn tmp(&self) -> PathBuf {
        self.folder.path().join("tmp")
    }

    /// Ends both and removes the folder.
    ///
    /// # Errors
    /// One had ended by itself before, which tests may have taken for a fault of theirs.
    pub(crate) fn stop(self) -> Result<()> {
        let Self { mut postgres, mut chromedriver, folder, .. } = self;
        let ended_early = [postgres.check_running(), chromedriver.check_running()];
        chromedriver.stop();
        postgres.stop();
        let path = folder.path().to_owned();
        folder.close().with_context(|| format!("cannot remove {}", path.display()))?;
        ended_early.into_iter().collect()
    }
}

fn start_postgres(shell: &Shell, tools: &Tools, folder: &Path) -> Result<(Service, String)> {
    let home = folder.join("postgres");
    fs::create_dir(&home)?;
    let account = rustix::process::geteuid().is_root().then_some("postgres");
    if let Some(account) = account {
        let (uid, gid) = (id(shell, "-u", account)?, id(shell, "-g", account)?);
        chown(&home, Some(uid), Some(gid)).context("cannot give the database folder away")?;
    }
    let data = home.join("data");

    let mut initdb = as_child(shell, account, &tools.postgres_bin.join("initdb"), &home);
    initdb.arg("-D").arg(&data);
    initdb.args(["--username=leasehold", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]);
    shell.capture(&mut initdb)?;

    let port = free_port()?.to_string();
    let mut postgres = as_child(shell, account, &tools.postgres_bin.join("postgres"), &home);
    postgres.arg("-D").arg(&data).args(["-h", "127.0.0.1", "-p", &port, "-k"]).arg(&home);
    // Tests pull no plugs under PostgreSQL, so nothing needs to reach the disk; but commits must be
    // ordered as in production, which is what `synchronous_commit` decides.
    for setting in ["fsync=off", "full_page_writes=off", "synchronous_commit=on", "max_connections=300"] {
        postgres.args(["-c", setting]);
    }
    // SIGINT is PostgreSQL's "fast shutdown": sessions are ended, then it stops.
    let stop = |service: &Child| kill_process(shell::pid_of(service), Signal::INT);
    let mut service = Service::start("PostgreSQL", &mut postgres, folder.join("postgres.log"), stop)?;
    let pg_isready = tools.postgres_bin.join("pg_isready");
    service.wait_until(shell, || {
        let mut question = shell.command(&pg_isready);
        question.args(["-q", "-h", "127.0.0.1", "-p", &port, "-U", "leasehold", "-d", "postgres"]);
        question.status().is_ok_and(|status| status.success())
    })?;
    Ok((service, format!("postgres://leasehold@127.0.0.1:{port}/postgres")))
}

fn start_chromedriver(shell: &Shell, tools: &Tools, folder: &Path, tmp: &Path) -> Result<(Service, String)> {
    let port = free_port()?;
    let mut chromedriver = as_child(shell, None, &tools.chromedriver, folder);
    chromedriver.arg(format!("--port={port}"));
    // A browser reads and writes under all of these; a developer's own profile is not part of a test.
    for place in ["TMPDIR", "HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"] {
        chromedriver.env(place, tmp);
    }
    // The browsers that it starts are in its group.
    let stop = |service: &Child| kill_process_group(shell::pid_of(service), Signal::TERM);
    let mut service = Service::start("chromedriver", &mut chromedriver, folder.join("chromedriver.log"), stop)?;
    service.wait_until(shell, || webdriver_ready(port))?;
    Ok((service, format!("http://127.0.0.1:{port}")))
}

fn webdriver_ready(port: u16) -> bool {
    let ask = || -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), POLL)?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        write!(stream, "GET /status HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n")?;
        // Until the end of its JSON: it keeps the connection open, so there is no end of file to wait for.
        let mut answer = vec![0; 4096];
        let mut filled = 0;
        while !answer[..filled].ends_with(b"}") && filled < answer.len() {
            filled += match stream.read(&mut answer[filled..])? {
                0 => break,
                more => more,
            };
        }
        answer.truncate(filled);
        Ok(answer)
    };
    ask().is_ok_and(|answer| String::from_utf8_lossy(&answer).contains("\"ready\":true"))
}

/// A command for a program that the kernel ends with us and that, if wanted, runs as another user.
/// `setpriv` becomes the program, so that our child's pid is the program's own.
fn as_child(shell: &Shell, account: Option<&str>, program: &Path, folder: &Path) -> Command {
    let mut command = shell.command("setpriv");
    command.arg("--pdeathsig=INT").current_dir(folder);
    if let Some(account) = account {
        command.args([format!("--reuid={account}"), format!("--regid={account}")]).arg("--init-groups");
    }
    command.arg("--").arg(program);
    command
}

fn id(shell: &Shell, which: &str, account: &str) -> Result<u32> {
    let printed = shell.capture(shell.command("id").args([which, account]))?;
    String::from_utf8_lossy(&printed).trim().parse().with_context(|| format!("`id {which} {account}` is no number"))
}

/// A loopback port that nobody has now.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on loopback")?;
    Ok(listener.local_addr()?.port())
}

type Stop = fn(&Child) -> rustix::io::Result<()>;

/// One running server.
struct Service {
    name: &'static str,
    child: Child,
    /// Says once that the child has ended. It is then still unreaped: its pid is nobody else's.
    ended: Receiver<()>,
    log: PathBuf,
    ask_to_stop: Stop,
    stopped: bool,
}

impl Service {
    fn start(name: &'static str, command: &mut Command, log: PathBuf, ask_to_stop: Stop) -> Result<Self> {
        let output = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        command.stdout(output.try_clone()?).stderr(output).process_group(0);
        let child = shell::start(command)?;
        let (tell, ended) = mpsc::channel();
        let pid = shell::pid_of(&child);
        std::thread::spawn(move || {
            let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
            // Nobody listens any more once the service is gone.
            let _ = tell.send(());
        });
        Ok(Self { name, child, ended, log, ask_to_stop, stopped: false })
    }

    fn wait_until(&mut self, shell: &Shell, ready: impl Fn() -> bool) -> Result<()> {
        for _ in 0..START_LIMIT.as_millis() / POLL.as_millis() {
            shell.check_interrupted()?;
            if ready() {
                return Ok(());
            }
            self.check_running_for(POLL)?;
        }
        bail!("{} did not answer within {} s; its log ends:\n{}", self.name, START_LIMIT.as_secs(), self.log_tail())
    }

    fn check_running(&mut self) -> Result<()> {
        self.check_running_for(Duration::ZERO)
    }

    fn check_running_for(&mut self, wait: Duration) -> Result<()> {
        if self.ended.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
            return Ok(());
        }
        self.stopped = true;
        let status = self.child.wait()?;
        bail!("{} ended by itself ({status}); its log ends:\n{}", self.name, self.log_tail())
    }

    fn stop(&mut self) {
        if std::mem::replace(&mut self.stopped, true) {
            return;
        }
        // Only a process that is gone cannot be signalled, and then there is nothing to stop.
        let _ = (self.ask_to_stop)(&self.child);
        if self.ended.recv_timeout(STOP_LIMIT) == Err(RecvTimeoutError::Timeout) {
            say::line(format_args!("{} did not stop within {} s; killing it", self.name, STOP_LIMIT.as_secs()));
            let _ = kill_process_group(shell::pid_of(&self.child), Signal::KILL);
        }
        let _ = self.child.wait();
    }

    fn log_tail(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop();
    }
}
