//! The pictures of the pages in `docs/images`: what the browser tests see on their way, so that no picture shows what is
//! no longer so.

use crate::shell::Shell;
use crate::test;
use anyhow::{Context as _, Result};
use std::fs;

/// Runs the browser tests and has them write their pictures.
///
/// # Errors
/// A browser test failed, or the folder cannot be made.
pub(crate) fn run(shell: &Shell) -> Result<()> {
    let folder = shell.root.join("docs/images");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    test::run(shell, test::Args::pictures(folder))
}
