//! Developer tasks: `cargo xtask test | pictures | record | tidy | codegen | ci`.
//!
//! Owns what surrounds the code: which programs a test run needs, which rules the tree keeps, which
//! committed files are generated, and the order in which all of it is checked. Depends on nothing of
//! ours, so that it builds in seconds and still runs when everything else is broken.

mod ci;
mod codegen;
mod leftovers;
mod needs;
mod pictures;
mod say;
mod services;
mod shell;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use shell::{Interrupted, Shell};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Developer tasks of Leasehold")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run all tests, with a private PostgreSQL and a browser driver that end with the run
    Test(test::Args),
    /// Draw the pages' pictures in docs/images anew, with the browser tests
    Pictures,
    /// Record in tests/compat what this version does, for later ones to keep working with
    Record,
    /// Check the rules that no compiler knows: who may import whom, where SQL may stand, ...
    Tidy,
    /// Write the committed files that are generated from the code
    Codegen(codegen::Args),
    /// Everything a change must pass: format, lints, tidy, docs, generated files, licenses, tests
    Ci,
}

fn main() -> ExitCode {
    let outcome = Shell::new().and_then(|shell| match Cli::parse().task {
        Task::Test(args) => test::run(&shell, args),
        Task::Pictures => pictures::run(&shell),
        Task::Record => test::run(&shell, test::Args::records()),
        Task::Tidy => tidy::run(&shell),
        Task::Codegen(args) => codegen::run(&shell, args),
        Task::Ci => ci::run(&shell),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say::line(format_args!("{error:#}"));
            match error.downcast_ref::<Interrupted>() {
                // What a shell expects of a program that a signal ended.
                Some(Interrupted(signal)) => ExitCode::from(u8::try_from(128 + signal).unwrap_or(1)),
                None => ExitCode::FAILURE,
            }
        }
    }
}
