//! What a test run needs beside the code, and how it gets there: programs from Debian's packages,
//! cargo's own tools, and the accessibility checker that browser tests inject into pages.
//!
//! A missing part is installed or the run fails; nothing is ever skipped for want of it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::say;
use crate::shell::Shell;

/// Where the found programs and files are.
pub(crate) struct Tools {
    /// The folder with `initdb`, `postgres` and `pg_isready`.
    pub(crate) postgres_bin: PathBuf,
    pub(crate) chromedriver: PathBuf,
    /// The library to put into `LD_PRELOAD` to give one process another clock.
    pub(crate) libfaketime: PathBuf,
    /// The proxy that stands in front of the services in a test.
    pub(crate) nginx: PathBuf,
    /// The HTTP proxy on the way from a license server to the portal.
    pub(crate) tinyproxy: PathBuf,
    /// The SOCKS proxy on that way.
    pub(crate) microsocks: PathBuf,
    /// `axe.min.js`.
    pub(crate) axe: PathBuf,
    /// A Python with the programs of `python-tools.txt`.
    pub(crate) python: PathBuf,
}

struct Need {
    packages: &'static [&'static str],
    why: &'static str,
    find: fn() -> Option<PathBuf>,
}

const POSTGRES: Need = Need {
    packages: &["postgresql"],
    why: "every storage test runs on SQLite and on a PostgreSQL server",
    find: postgres_bin,
};
const CHROMIUM: Need = Need {
    packages: &["chromium", "fonts-liberation"],
    why: "the pages are tested in a real browser, with letters in it",
    find: || on_path("chromium"),
};
const CHROMEDRIVER: Need =
    Need { packages: &["chromium-driver"], why: "drives that browser", find: || on_path("chromedriver") };
const FAKETIME: Need = Need {
    packages: &["libfaketime"],
    why: "tests step the clock of the real binary",
    find: || first_in("/usr/lib", "faketime/libfaketimeMT.so.1"),
};
const NGINX: Need = Need {
    packages: &["nginx"],
    why: "the services are also tested behind a proxy that does HTTPS",
    find: || on_path("nginx").or_else(|| Some(PathBuf::from("/usr/sbin/nginx")).filter(|path| path.is_file())),
};
const TINYPROXY: Need = Need {
    packages: &["tinyproxy-bin"],
    why: "license servers reach the portal through an HTTP proxy, with and without a password",
    find: || on_path("tinyproxy"),
};
const MICROSOCKS: Need = Need {
    packages: &["microsocks"],
    why: "license servers reach the portal through a SOCKS proxy, with and without a password",
    find: || on_path("microsocks"),
};
const SYSTEMD: Need = Need {
    packages: &["systemd"],
    why: "the service's unit is checked by systemd's own tools",
    find: || on_path("systemd-analyze"),
};
const DPKG_DEV: Need = Need {
    packages: &["dpkg-dev"],
    why: "the Debian package says which libraries it needs",
    find: || on_path("dpkg-shlibdeps"),
};
const PYTHON: Need = Need {
    packages: &["python3-venv"],
    why: "runs the mail server that letters are sent to",
    find: || on_path("python3").filter(|python| can_make_environments(python)),
};
const NPM: Need = Need {
    packages: &["npm"],
    why: "fetches the accessibility checker axe-core (brings Node.js)",
    find: || on_path("npm"),
};

/// Newest of their kind that this toolchain builds; a fixed version, or a release of theirs could break our CI.
const NEXTEST_VERSION: &str = "0.9.151";
const DENY_VERSION: &str = "0.20.2";
const DEB_VERSION: &str = "3.8.0";
const PYTHON_TOOLS: &str = include_str!("../python-tools.txt");
const AXE_VERSION: &str = "4.14.1";
const AXE_INTEGRITY: &str =
    "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==";

/// Finds everything a test run needs, after installing what is missing.
///
/// # Errors
/// Something is missing and cannot be installed from here; the message has the command that does it.
pub(crate) fn for_tests(shell: &Shell, target_dir: &Path) -> Result<Tools> {
    cargo_tool(shell, "nextest", NEXTEST_VERSION, "runs the tests")?;
    cargo_tool(shell, "deb", DEB_VERSION, "makes the Debian package, which the tests install")?;
    let axe = target_dir.join(format!("test-tools/axe-core-{AXE_VERSION}/axe.min.js"));
    let mut needs =
        vec![POSTGRES, CHROMIUM, CHROMEDRIVER, FAKETIME, NGINX, TINYPROXY, MICROSOCKS, SYSTEMD, DPKG_DEV, PYTHON];
    if !axe.is_file() {
        needs.push(NPM);
    }
    install_missing(shell, &needs)?;
    if !axe.is_file() {
        fetch_axe(shell, &axe)?;
    }
    let python = python_tools(shell, &target_dir.join("test-tools/python"))?;
    Ok(Tools {
        postgres_bin: POSTGRES.found()?,
        chromedriver: CHROMEDRIVER.found()?,
        libfaketime: FAKETIME.found()?,
        nginx: NGINX.found()?,
        tinyproxy: TINYPROXY.found()?,
        microsocks: MICROSOCKS.found()?,
        axe,
        python,
    })
}

/// Makes sure that `cargo deny` works.
pub(crate) fn cargo_deny(shell: &Shell) -> Result<()> {
    cargo_tool(shell, "deny", DENY_VERSION, "checks licenses and sources of what we depend on")
}

impl Need {
    fn found(&self) -> Result<PathBuf> {
        (self.find)().with_context(|| {
            let packages = self.packages.join(" ");
            format!("{packages}: installed, but not where it is expected; needed because {}", self.why)
        })
    }
}

fn install_missing(shell: &Shell, needs: &[Need]) -> Result<()> {
    let missing: Vec<_> = needs.iter().filter(|need| (need.find)().is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().flat_map(|need| need.packages).copied().collect();
    for need in &missing {
        say::line(format_args!("missing: {} ({})", need.packages.join(", "), need.why));
    }
    if !rustix::process::geteuid().is_root() || on_path("apt-get").is_none() {
        bail!(
            "install what is missing, then start again:\n  sudo apt-get update && \
             sudo apt-get install -y --no-install-recommends {}",
            packages.join(" ")
        );
    }
    say::line(format_args!("installing from Debian's packages: {}", packages.join(" ")));
    let _no_cluster = packages.contains(&"postgresql").then(NoMainCluster::new).transpose()?;
    let _no_start = NoServiceStart::new()?;
    shell.run(apt_get(shell).arg("update"))?;
    shell.run(apt_get(shell).args(["install", "-y", "--no-install-recommends"]).args(&packages))
}

fn apt_get(shell: &Shell) -> std::process::Command {
    let mut apt_get = shell.command("apt-get");
    // Another installation may hold the lock for a while: wait for it rather than fail.
    apt_get.env("DEBIAN_FRONTEND", "noninteractive").args(["-q", "-o", "DPkg::Lock::Timeout=300"]);
    apt_get
}

/// While this lives, installing Debian's `postgresql` does not also make and start a database
/// cluster for the whole machine: the tests start one of their own.
struct NoMainCluster(PathBuf);

impl NoMainCluster {
    fn new() -> Result<Self> {
        let folder = Path::new("/etc/postgresql-common/createcluster.d");
        let file = folder.join("leasehold-xtask.conf");
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&file, "create_main_cluster = false\n"))
            .with_context(|| format!("cannot write {}", file.display()))?;
        Ok(Self(file))
    }
}

impl Drop for NoMainCluster {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            say::line(format_args!("cannot remove {}: {error}; please remove it", self.0.display()));
        }
    }
}

/// While this lives, an installed package does not start its service (Debian policy, `invoke-rc.d`): the tests start
/// their own.
struct NoServiceStart(Option<PathBuf>);

impl NoServiceStart {
    fn new() -> Result<Self> {
        let file = Path::new("/usr/sbin/policy-rc.d");
        if file.exists() {
            // Whoever set this machine up has decided already.
            return Ok(Self(None));
        }
        fs::write(file, "#!/bin/sh\nexit 101\n")
            .and_then(|()| fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o755)))
            .with_context(|| format!("cannot write {}", file.display()))?;
        Ok(Self(Some(file.to_owned())))
    }
}

impl Drop for NoServiceStart {
    fn drop(&mut self) {
        if let Some(file) = &self.0
            && let Err(error) = fs::remove_file(file)
        {
            say::line(format_args!("cannot remove {}: {error}; please remove it", file.display()));
        }
    }
}

fn cargo_tool(shell: &Shell, subcommand: &str, version: &str, why: &str) -> Result<()> {
    if shell.capture(shell.cargo().args([subcommand, "--version"])).is_ok() {
        return Ok(());
    }
    shell.check_interrupted()?;
    say::line(format_args!("installing cargo-{subcommand} {version} with cargo ({why}); takes some minutes, once"));
    let package = format!("cargo-{subcommand}@{version}");
    shell.run(shell.cargo().args(["install", "--quiet", "--locked", &package]))
}

fn fetch_axe(shell: &Shell, axe: &Path) -> Result<()> {
    let folder = axe.parent().context("axe has no folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    say::line(format_args!("fetching axe-core {AXE_VERSION} with npm (the browser tests' accessibility checker)"));
    let package = format!("axe-core@{AXE_VERSION}");
    let mut pack = shell.command("npm");
    pack.args(["pack", "--json", "--loglevel=error", &package]).current_dir(folder);
    let packed: Value = serde_json::from_slice(&shell.capture(&mut pack)?).context("cannot read what npm printed")?;
    let integrity = packed[0]["integrity"].as_str().unwrap_or_default();
    if integrity != AXE_INTEGRITY {
        bail!("{package} is not the one that was chosen: its hash is {integrity}, expected {AXE_INTEGRITY}");
    }
    let archive = packed[0]["filename"].as_str().context("npm named no file")?;
    let mut unpack = shell.command("tar");
    unpack.args(["-xzf", archive, "--strip-components=1", "package/axe.min.js"]).current_dir(folder);
    shell.run(&mut unpack)
}

/// Whether a Python has what makes an environment with its own packages: Debian's comes without.
fn can_make_environments(python: &Path) -> bool {
    let mut look = std::process::Command::new(python);
    look.args(["-c", "import ensurepip, venv"]).output().is_ok_and(|output| output.status.success())
}

/// An environment with exactly the packages of `python-tools.txt`, each the file that was chosen.
fn python_tools(shell: &Shell, folder: &Path) -> Result<PathBuf> {
    let python = folder.join("bin/python");
    let made_of = folder.join("made-of.txt");
    if fs::read_to_string(&made_of).is_ok_and(|text| text == PYTHON_TOOLS) {
        return Ok(python);
    }
    say::line(format_args!("fetching the tests' Python programs with pip (a mail server)"));
    let wanted = folder.with_extension("txt");
    fs::create_dir_all(folder.parent().context("the environment has no folder")?)?;
    fs::write(&wanted, PYTHON_TOOLS).with_context(|| format!("cannot write {}", wanted.display()))?;
    shell.run(shell.command(PYTHON.found()?).args(["-m", "venv", "--clear"]).arg(folder))?;
    let mut pip = shell.command(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]);
    shell.run(pip.args(["--only-binary", ":all:", "-r"]).arg(&wanted))?;
    fs::write(&made_of, PYTHON_TOOLS).with_context(|| format!("cannot write {}", made_of.display()))?;
    Ok(python)
}

fn postgres_bin() -> Option<PathBuf> {
    let complete = |bin: &PathBuf| ["initdb", "postgres", "pg_isready"].iter().all(|name| bin.join(name).is_file());
    // Debian keeps server programs off the path, one folder for each major version.
    let mut versions: Vec<u32> =
        entries("/usr/lib/postgresql").filter_map(|folder| folder.file_name()?.to_str()?.parse().ok()).collect();
    versions.sort_unstable_by(|a, b| b.cmp(a));
    versions
        .iter()
        .map(|version| PathBuf::from(format!("/usr/lib/postgresql/{version}/bin")))
        .chain(path_folders())
        .find(complete)
}

fn on_path(program: &str) -> Option<PathBuf> {
    path_folders().map(|folder| folder.join(program)).find(|candidate| candidate.is_file())
}

fn path_folders() -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).collect::<Vec<_>>().into_iter()
}

/// `parent/*/rest`: libraries stand in a folder named after the machine's architecture.
fn first_in(parent: &str, rest: &str) -> Option<PathBuf> {
    entries(parent).map(|folder| folder.join(rest)).find(|candidate| candidate.is_file())
}

fn entries(folder: &str) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}
