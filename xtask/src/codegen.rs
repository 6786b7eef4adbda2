//! The committed files that are generated from the code, so that a reader and a client generator
//! have them without building anything.
//!
//! Owns the list of them and how each is made; what they say is owned by the code they come from.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::say;
use crate::shell::Shell;
use crate::workspace::Workspace;

/// Arguments of `cargo xtask codegen`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write nothing; fail if a committed file is not what the code would generate
    #[arg(long)]
    check: bool,
}

impl Args {
    /// Compare only.
    pub(crate) const CHECK: Self = Self { check: true };
}

struct Generated {
    path: &'static str,
    /// Arguments of the `leasehold` binary that print the file.
    printed_by: [&'static str; 2],
}

const GENERATED: &[Generated] = &[
    Generated { path: "docs/openapi/portal.json", printed_by: ["portal", "openapi"] },
    Generated { path: "docs/openapi/server.json", printed_by: ["server", "openapi"] },
];

/// Writes, or with `--check` compares, every generated file.
pub(crate) fn run(shell: &Shell, args: Args) -> Result<()> {
    let leasehold = Workspace::load(shell)?.build_leasehold(shell)?;
    let mut stale = Vec::new();
    for file in GENERATED {
        let wanted = openapi_document(shell, &leasehold, file)?;
        let path = shell.root.join(file.path);
        if fs::read(&path).is_ok_and(|present| present == wanted) {
            continue;
        }
        if args.check {
            stale.push(file.path);
            continue;
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        fs::write(&path, wanted).with_context(|| format!("cannot write {}", file.path))?;
        say::line(format_args!("wrote {}", file.path));
    }
    if !stale.is_empty() {
        bail!(
            "not what the code generates now: {}\n  run `cargo xtask codegen`, look at the difference, \
             and commit it with the change that caused it",
            stale.join(", ")
        );
    }
    Ok(())
}

fn openapi_document(shell: &Shell, leasehold: &Path, file: &Generated) -> Result<Vec<u8>> {
    let mut printed = shell.capture(shell.command(leasehold).args(file.printed_by))?;
    let document: Value = serde_json::from_slice(&printed).unwrap_or_default();
    if !document["openapi"].is_string() {
        let [service, word] = file.printed_by;
        bail!("`leasehold {service} {word}` did not print an OpenAPI document; it makes {}", file.path);
    }
    if !printed.ends_with(b"\n") {
        printed.push(b'\n');
    }
    Ok(printed)
}
