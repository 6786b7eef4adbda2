//! `docs/SECURITY.md`: the tests that it names for each class of flaws are there.

use super::{Finding, TreeFile};

const PATH: &str = "docs/SECURITY.md";

/// Checks the last column of its table.
pub(super) fn check(files: &[TreeFile]) -> Vec<Finding> {
    let Some(document) = files.iter().find(|file| file.path == PATH) else { return Vec::new() };
    let is_test = |name: &str| {
        let defined = format!("fn {name}(");
        files.iter().any(|file| file.path.ends_with(".rs") && file.text.contains(&defined))
    };
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(document.text.lines()) {
        let Some(tests) = line.strip_suffix(" |").filter(|line| line.starts_with("| ")).and_then(last_cell) else {
            continue;
        };
        // Every second part stands between backquotes.
        for name in tests.split('`').skip(1).step_by(2).filter(|name| !is_test(name)) {
            findings.push(Finding {
                path: PATH.to_owned(),
                line: number,
                what: format!("there is no test `{name}`"),
                why: "whoever reads the table believes that the class is tested",
                todo: "name the test that holds it, or write it",
            });
        }
    }
    findings
}

fn last_cell(row: &str) -> Option<&str> {
    row.rsplit(" | ").next()
}
