//! Everything a change must pass, in one order, with the time each step took.

use std::time::Duration;

use anyhow::{Result, bail};

use crate::shell::Shell;
use crate::{codegen, needs, say, test, tidy};

type Step = (&'static str, fn(&Shell) -> Result<()>);

/// Cheap before dear. A failed step does not hide the ones after it: one run tells all that is wrong.
const STEPS: &[Step] = &[
    ("fmt", |shell| shell.run(shell.cargo().args(["fmt", "--all", "--check"]))),
    ("tidy", tidy::run),
    ("clippy", clippy),
    ("doc", doc),
    ("codegen", |shell| codegen::run(shell, codegen::Args::CHECK)),
    ("deny", deny),
    ("test", |shell| test::run(shell, test::Args::default())),
];

/// Runs every step.
///
/// # Errors
/// Any step failed, or a signal stopped the run.
pub(crate) fn run(shell: &Shell) -> Result<()> {
    let mut report = Vec::new();
    let mut failed = Vec::new();
    for (name, step) in STEPS {
        say::line(format_args!("== {name}"));
        let (outcome, took) = timed(|| step(shell));
        shell.check_interrupted()?;
        let verdict = if outcome.is_ok() { "ok" } else { "FAILED" };
        say::line(format_args!("== {name}: {verdict} after {:.1} s", took.as_secs_f64()));
        report.push(format!("{:>7.1} s  {name:<8} {verdict}", took.as_secs_f64()));
        if let Err(error) = outcome {
            say::line(format_args!("{error:#}"));
            failed.push(*name);
        }
    }
    say::line(format_args!("all steps:\n{}", report.join("\n")));
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}

fn clippy(shell: &Shell) -> Result<()> {
    let mut cargo = shell.cargo();
    cargo.args(["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"]);
    shell.run(&mut cargo)
}

fn doc(shell: &Shell) -> Result<()> {
    let mut cargo = shell.cargo();
    cargo.args(["doc", "--locked", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings");
    shell.run(&mut cargo)
}

/// Licenses, bans and sources; not advisories, which need a database from the network and change
/// without a change of ours.
fn deny(shell: &Shell) -> Result<()> {
    needs::cargo_deny(shell)?;
    let mut cargo = shell.cargo();
    // Without the tree of who depends on whom: a thousand lines for what are mostly warnings.
    cargo.args(["deny", "--locked", "check", "--hide-inclusion-graph", "licenses", "bans", "sources"]);
    shell.run(&mut cargo)
}

#[expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "measures how long a build step takes; no lease depends on it"
)]
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = std::time::Instant::now();
    let result = work();
    (result, start.elapsed())
}
