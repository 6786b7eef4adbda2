//! Which package may use which: the one table of it, and the check against what manifests declare.

use std::path::Path;

use super::{Finding, TreeFile};
use crate::workspace::{Dependency, Package, Workspace};

/// A package of ours and all of ours that it may use.
struct Row {
    package: &'static str,
    may_use: &'static [&'static str],
    why: &'static str,
}

const TESTKIT: &str = "leasehold-testkit";

/// Imports run one way. `leasehold-testkit` stands in no row: [`TESTKIT_USERS`] may use it in tests.
const ROWS: &[Row] = &[
    Row {
        package: "leasehold-core",
        may_use: &[],
        why: "core is pure decisions and is compiled into customers' applications: it stands on nothing",
    },
    Row {
        package: "leasehold-trust",
        may_use: &["leasehold-core"],
        why: "trust verifies bytes with the words of core; who sends or stores them is not its business",
    },
    Row {
        package: "leasehold-wire",
        may_use: &["leasehold-core"],
        why: "wire is the shape of messages over the words of core; both ends share it, so it knows neither",
    },
    Row {
        package: "leasehold-host",
        may_use: &["leasehold-core"],
        why: "host implements core's clock and randomness on this machine and decides nothing",
    },
    Row { package: "leasehold-db", may_use: &[], why: "the storage layer knows no table and no word of licensing" },
    Row {
        package: "leasehold-web",
        may_use: &["leasehold-wire", "leasehold-core"],
        why: "web is the look and the listener that both services share; it knows neither service nor storage",
    },
    Row {
        package: "leasehold-client",
        may_use: &["leasehold-wire", "leasehold-trust", "leasehold-host", "leasehold-core"],
        why: "the client is linked into applications: no service, storage or page code may come with it",
    },
    Row { package: "leasehold-portal", may_use: SERVICE_MAY_USE, why: SERVICE_WHY },
    Row { package: "leasehold-server", may_use: SERVICE_MAY_USE, why: SERVICE_WHY },
    Row {
        package: "leasehold",
        may_use: &[
            "leasehold-portal",
            "leasehold-server",
            "leasehold-client",
            "leasehold-web",
            "leasehold-db",
            "leasehold-wire",
            "leasehold-trust",
            "leasehold-host",
            "leasehold-core",
        ],
        why: "the one binary joins everything; nothing joins it",
    },
    Row {
        package: TESTKIT,
        may_use: &[
            "leasehold-portal",
            "leasehold-server",
            "leasehold-client",
            "leasehold-db",
            "leasehold-wire",
            "leasehold-trust",
            "leasehold-host",
            "leasehold-core",
        ],
        why: "whole-system tests drive the services and clients as they are, not the binary or the tools",
    },
    Row {
        package: "leasehold-bench",
        may_use: &[
            "leasehold-wire",
            "leasehold-trust",
            "leasehold-host",
            "leasehold-core",
            // Of these the floor is made: the same stack without the license server.
            "leasehold-web",
            "leasehold-db",
        ],
        why: "a measurement loads the service from outside, as a customer's application does",
    },
    Row { package: "xtask", may_use: &[], why: "developer tasks must run when everything else is broken" },
];

const SERVICE_MAY_USE: &[&str] =
    &["leasehold-web", "leasehold-db", "leasehold-wire", "leasehold-trust", "leasehold-host", "leasehold-core"];
const SERVICE_WHY: &str =
    "portal and server meet only on the wire; either can be changed or replaced without the other";

/// Packages whose tests may use the testkit (which uses them: cargo allows that for tests).
const TESTKIT_USERS: &[&str] =
    &["leasehold-portal", "leasehold-server", "leasehold-client", "leasehold", "leasehold-bench"];

/// Somebody else's packages that belong into few of ours.
struct Fence {
    packages: &'static [&'static str],
    only_in: &'static [&'static str],
    in_tests_too: bool,
    why: &'static str,
}

const FENCES: &[Fence] = &[
    Fence {
        packages: &["axum", "axum-extra", "axum-server", "utoipa-axum"],
        only_in: &["leasehold-portal", "leasehold-server", "leasehold-web", "leasehold", "leasehold-bench"],
        in_tests_too: true,
        why: "HTTP is a thin front over the use cases; only the fronts may know the framework",
    },
    Fence {
        packages: &["rusqlite", "libsqlite3-sys", "postgres", "tokio-postgres", "tokio-postgres-rustls"],
        only_in: &["leasehold-db"],
        in_tests_too: true,
        why: "one file set knows that there are two databases; a test that goes around it tests something else",
    },
    Fence {
        packages: &["tokio"],
        only_in: &[
            "leasehold-db",
            "leasehold-web",
            "leasehold-portal",
            "leasehold-server",
            "leasehold",
            "leasehold-bench",
            TESTKIT,
        ],
        in_tests_too: false,
        why: "core decides without I/O, and the client is blocking: no runtime enters a customer's application",
    },
];

/// Checks every manifest of the workspace.
pub(super) fn check(workspace: &Workspace, files: &[TreeFile], root: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &workspace.packages {
        let manifest = Manifest::of(package, files, root);
        let Some(row) = ROWS.iter().find(|row| row.package == package.name) else {
            findings.push(Finding {
                path: manifest.path,
                line: 1,
                what: format!("package `{}` has no row in the table of imports", package.name),
                why: "a package without a place in the order soon imports in a circle of meaning",
                todo: "add it to docs/ARCHITECTURE.md and to ROWS in xtask/src/tidy/imports.rs",
            });
            continue;
        };
        for dependency in &package.dependencies {
            let ours = workspace.packages.iter().any(|other| other.name == dependency.name);
            if ours && !may_use(row, dependency) {
                findings.push(manifest.finding(dependency, row.why, TODO_OURS));
            }
            for fence in FENCES.iter().filter(|fence| !fence.admits(package, dependency)) {
                findings.push(manifest.finding(dependency, fence.why, TODO_FENCE));
            }
        }
    }
    findings
}

const TODO_OURS: &str = "move what is needed down to a package that both may use, or pass it in as an argument";
const TODO_FENCE: &str = "use the package of ours that wraps it (leasehold-web, leasehold-db), or pass the result in";

fn may_use(row: &Row, dependency: &Dependency) -> bool {
    let name = dependency.name.as_str();
    if name == TESTKIT {
        return dependency.dev_only && TESTKIT_USERS.contains(&row.package);
    }
    // A package's own name: tests that switch a feature of it on.
    name == row.package || row.may_use.contains(&name)
}

impl Fence {
    fn admits(&self, package: &Package, dependency: &Dependency) -> bool {
        !self.packages.contains(&dependency.name.as_str())
            || self.only_in.contains(&package.name.as_str())
            || (dependency.dev_only && !self.in_tests_too)
    }
}

struct Manifest<'a> {
    path: String,
    text: &'a str,
    package: &'a str,
}

impl<'a> Manifest<'a> {
    fn of(package: &'a Package, files: &'a [TreeFile], root: &Path) -> Self {
        let path = package.manifest.strip_prefix(root).unwrap_or(&package.manifest).to_string_lossy().into_owned();
        let text = files.iter().find(|file| file.path == path).map_or("", |file| file.text.as_str());
        Self { path, text, package: &package.name }
    }

    fn finding(&self, dependency: &Dependency, why: &'static str, todo: &'static str) -> Finding {
        let name = &dependency.name;
        let declares = |line: &str| {
            line.trim_start().strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
        };
        let for_tests = if dependency.dev_only { " (for tests)" } else { "" };
        Finding {
            path: self.path.clone(),
            line: self.text.lines().position(declares).map_or(1, |index| index + 1),
            what: format!("`{}` may not use `{name}`{for_tests}", self.package),
            why,
            todo,
        }
    }
}
