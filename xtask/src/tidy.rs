//! Checks the rules of this tree that no compiler knows. Each finding says where, what, why, and what
//! to do; each rule is in the one file below that is named after what it looks at.
//!
//! Reads only: it changes nothing and needs nothing built.

mod decisions;
mod imports;
mod rust_files;
mod rust_source;
mod security;
mod text_files;

use std::fmt;
use std::fs;
use std::io::ErrorKind;

use anyhow::{Context as _, Result, bail};

use crate::say;
use crate::shell::Shell;
use crate::workspace::Workspace;

/// One broken rule at one place.
struct Finding {
    /// From the workspace folder.
    path: String,
    /// From 1.
    line: usize,
    what: String,
    why: &'static str,
    todo: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, what, why, todo } = self;
        write!(f, "{path}:{line}: {what}\n    why: {why}\n    do:  {todo}")
    }
}

/// A text file that belongs to the tree.
struct TreeFile {
    /// From the workspace folder, with `/`.
    path: String,
    text: String,
}

/// Checks everything.
///
/// # Errors
/// Some rule is broken; the findings have been printed.
pub(crate) fn run(shell: &Shell) -> Result<()> {
    let files = tree_files(shell)?;
    let mut findings = imports::check(&Workspace::load(shell)?, &files, &shell.root);
    findings.extend(decisions::check(&files));
    findings.extend(security::check(&files));
    for file in &files {
        findings.extend(text_files::check(file));
        if file.path.ends_with(".rs") {
            findings.extend(rust_files::check(file));
        }
    }
    findings.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    for finding in &findings {
        say::line(format_args!("{finding}"));
    }
    if !findings.is_empty() {
        bail!("tidy: {} findings in {} files looked at", findings.len(), files.len());
    }
    say::line(format_args!("tidy: {} files, nothing to mend", files.len()));
    Ok(())
}

/// All that git tracks or would track: a new file is checked before it is committed.
fn tree_files(shell: &Shell) -> Result<Vec<TreeFile>> {
    let mut git = shell.command("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let names = shell.capture(&mut git).context("tidy looks at the files that git tracks")?;
    let names = String::from_utf8(names).context("a file name is not UTF-8")?;
    let mut files = Vec::new();
    for name in names.split_terminator('\0') {
        match fs::read_to_string(shell.root.join(name)) {
            Ok(text) => files.push(TreeFile { path: name.to_owned(), text }),
            // Deleted and not committed yet, or a picture.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidData) => {}
            Err(error) => return Err(error).with_context(|| format!("cannot read {name}")),
        }
    }
    Ok(files)
}
