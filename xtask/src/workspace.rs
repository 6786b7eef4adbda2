//! What cargo knows of this workspace: its packages, and how to get the one binary.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::shell::Shell;

/// The packages and the target folder of this workspace.
pub(crate) struct Workspace {
    pub(crate) packages: Vec<Package>,
    pub(crate) target_dir: PathBuf,
}

/// One package of ours.
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) manifest: PathBuf,
    /// `cargo test --doc` refuses a package without one.
    pub(crate) has_library: bool,
    pub(crate) dependencies: Vec<Dependency>,
}

/// One dependency as a package's manifest declares it.
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// In `[dev-dependencies]`: not part of what is shipped.
    pub(crate) dev_only: bool,
}

impl Workspace {
    /// # Errors
    /// A manifest does not parse; cargo's own message says which.
    pub(crate) fn load(shell: &Shell) -> Result<Self> {
        let json = shell.capture(shell.cargo().args(["metadata", "--format-version=1", "--no-deps"]))?;
        let metadata: Value = serde_json::from_slice(&json).context("cannot read `cargo metadata`")?;
        let packages = list(&metadata["packages"]).map(package).collect();
        Ok(Self { packages, target_dir: PathBuf::from(text(&metadata["target_directory"])) })
    }

    /// Builds the one binary, unoptimized, and returns its path.
    pub(crate) fn build_leasehold(&self, shell: &Shell) -> Result<PathBuf> {
        shell.run(shell.cargo().args(["build", "--locked", "--package", "leasehold"]))?;
        let binary = self.target_dir.join("debug/leasehold");
        binary.is_file().then_some(binary).context("cargo built no debug/leasehold in its target folder")
    }
}

fn package(package: &Value) -> Package {
    let is_library = |target: &Value| list(&target["kind"]).any(|kind| kind == "lib");
    Package {
        name: text(&package["name"]),
        manifest: PathBuf::from(text(&package["manifest_path"])),
        has_library: list(&package["targets"]).any(is_library),
        dependencies: list(&package["dependencies"])
            .map(|one| Dependency { name: text(&one["name"]), dev_only: one["kind"] == "dev" })
            .collect(),
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
