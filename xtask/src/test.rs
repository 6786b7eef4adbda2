//! One test run: tools, private servers, our binary, then all tests, then nothing left running.
//!
//! Owns the `LEASEHOLD_TEST_*` variables, by which tests find what they need. A test that misses one
//! fails with the advice to run this; it never skips.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::leftovers::Watch;
use crate::needs::{self, Tools};
use crate::say;
use crate::services::Services;
use crate::shell::Shell;
use crate::workspace::Workspace;

/// Arguments of `cargo xtask test`.
#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// Give simulations and load tests their full time (sets LEASEHOLD_TEST_LONG=1)
    #[arg(long)]
    long: bool,
    /// Test only this package; may be repeated
    #[arg(short, long = "package", value_name = "NAME")]
    packages: Vec<String>,
    /// Have the browser tests write their pictures there
    #[arg(skip)]
    pictures: Option<PathBuf>,
    /// Have what this version does recorded
    #[arg(skip)]
    records: bool,
    /// Passed on to `cargo nextest run`, such as a part of a test's name
    #[arg(last = true, value_name = "NEXTEST ARGS")]
    nextest: Vec<String>,
}

impl Args {
    /// Only the browser tests, which write their pictures to `folder`.
    pub(crate) fn pictures(folder: PathBuf) -> Self {
        let nextest = ["-E", "test(/(^|::)browser::/)"].map(str::to_owned).to_vec();
        Self { pictures: Some(folder), packages: vec!["leasehold-testkit".to_owned()], nextest, ..Self::default() }
    }

    /// Only the test that records for `tests/compat` what this version does.
    pub(crate) fn records() -> Self {
        let nextest = ["-E", "test(compat::what_this_version_does)"].map(str::to_owned).to_vec();
        Self { records: true, packages: vec!["leasehold-testkit".to_owned()], nextest, ..Self::default() }
    }
}

/// Runs the tests.
///
/// # Errors
/// A test failed, left something running, or could not be given what it needs.
pub(crate) fn run(shell: &Shell, mut args: Args) -> Result<()> {
    let (pictures, records) = (args.pictures.take(), args.records);
    let selection = Selection::new(args);
    let workspace = Workspace::load(shell)?;
    let tools = needs::for_tests(shell, &workspace.target_dir)?;
    let leasehold = workspace.build_leasehold(shell)?;

    let watch = Watch::start()?;
    let services = Services::start(shell, &tools)?;
    say::line(format_args!("PostgreSQL {}, chromedriver {}", services.postgres_url(), services.webdriver_url()));
    let environment = Environment {
        tools: &tools,
        services: &services,
        leasehold: &leasehold,
        long: selection.long,
        pictures: pictures.as_deref(),
        records,
    };
    let outcomes = [
        doctests(shell, &environment, &selection, &workspace),
        // Last, so that its summary closes the run.
        shell.check_interrupted().and_then(|()| nextest(shell, &environment, &selection)),
    ];
    let stopped = services.stop();
    let left = watch.end();
    shell.check_interrupted()?;

    let errors: Vec<_> = outcomes.into_iter().chain([stopped, left]).filter_map(Result::err).collect();
    if !errors.is_empty() {
        let lines: Vec<_> = errors.iter().map(|error| format!("{error:#}")).collect();
        bail!("{}", lines.join("\n"));
    }
    Ok(())
}

fn nextest(shell: &Shell, environment: &Environment<'_>, selection: &Selection) -> Result<()> {
    let mut command = shell.cargo();
    command.args(["nextest", "run", "--locked"]);
    if selection.long {
        command.args(["--profile", "long"]);
    }
    command.args(selection.package_flags()).args(&selection.nextest);
    shell.run(environment.give_to(&mut command))
}

fn doctests(shell: &Shell, environment: &Environment<'_>, selection: &Selection, workspace: &Workspace) -> Result<()> {
    if !selection.nextest.is_empty() {
        say::line(format_args!("no documentation tests: arguments for nextest choose tests that they cannot choose"));
        return Ok(());
    }
    let mut command = shell.cargo();
    command.args(["test", "--quiet", "--locked", "--doc"]);
    if selection.packages.is_empty() {
        command.arg("--workspace");
    } else {
        let has_library = |name: &&String| workspace.packages.iter().any(|p| p.name == **name && p.has_library);
        let libraries: Vec<_> = selection.packages.iter().filter(has_library).collect();
        if libraries.is_empty() {
            return Ok(());
        }
        command.args(libraries.into_iter().flat_map(|name| ["--package", name]));
    }
    shell.run(environment.give_to(&mut command))
}

struct Environment<'a> {
    tools: &'a Tools,
    services: &'a Services,
    leasehold: &'a Path,
    long: bool,
    pictures: Option<&'a Path>,
    records: bool,
}

impl Environment<'_> {
    fn give_to<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        // A developer's own LEASEHOLD_SERVERS must not become what a test talks to.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("LEASEHOLD_")) {
            command.env_remove(name);
        }
        command
            .env("TMPDIR", self.services.tmp())
            .env("LEASEHOLD_TEST_POSTGRES", self.services.postgres_url())
            .env("LEASEHOLD_TEST_WEBDRIVER", self.services.webdriver_url())
            .env("LEASEHOLD_TEST_FAKETIME", &self.tools.libfaketime)
            .env("LEASEHOLD_TEST_NGINX", &self.tools.nginx)
            .env("LEASEHOLD_TEST_TINYPROXY", &self.tools.tinyproxy)
            .env("LEASEHOLD_TEST_MICROSOCKS", &self.tools.microsocks)
            .env("LEASEHOLD_TEST_AXE", &self.tools.axe)
            .env("LEASEHOLD_TEST_PYTHON", &self.tools.python)
            .env("LEASEHOLD_TEST_BIN", self.leasehold);
        if self.long {
            command.env("LEASEHOLD_TEST_LONG", "1");
        }
        if let Some(folder) = self.pictures {
            command.env("LEASEHOLD_PICTURES", folder);
        }
        if self.records {
            command.env("LEASEHOLD_COMPAT_RECORD", "1");
        }
        command
    }
}

/// Which tests are wanted.
struct Selection {
    long: bool,
    /// Empty: all.
    packages: Vec<String>,
    nextest: Vec<String>,
}

impl Selection {
    /// Takes `-p NAME` out of nextest's arguments too: the same packages then get their
    /// documentation tests, and `--workspace`, which would win over `-p`, is left out.
    fn new(args: Args) -> Self {
        let Args { long, mut packages, nextest: given, .. } = args;
        let mut nextest = Vec::new();
        let mut given = given.into_iter();
        while let Some(arg) = given.next() {
            if arg == "--" {
                nextest.push(arg);
                nextest.extend(given.by_ref());
            } else if arg == "-p" || arg == "--package" {
                packages.extend(given.next());
            } else if let Some(name) = arg.strip_prefix("--package=").or_else(|| arg.strip_prefix("-p")) {
                packages.push(name.to_owned());
            } else {
                nextest.push(arg);
            }
        }
        Self { long, packages, nextest }
    }

    fn package_flags(&self) -> Vec<&str> {
        if self.packages.is_empty() {
            return vec!["--workspace"];
        }
        self.packages.iter().flat_map(|name| ["--package", name]).collect()
    }
}
