//! `docs/decisions/NNNN-title.md`: numbered from 0001 without gaps, so that a number in a comment or
//! a commit means one decision for ever.

use super::{Finding, TreeFile};

const FOLDER: &str = "docs/decisions/";
const WHY: &str = "comments and commits refer to a decision by its number";

/// Checks the names of all decision files.
pub(super) fn check(files: &[TreeFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut numbered = Vec::new();
    for file in files {
        let Some(name) = file.path.strip_prefix(FOLDER) else { continue };
        match number_of(name) {
            Some(number) => numbered.push((number, &file.path)),
            None => findings.push(finding(&file.path, format!("`{name}` is not named NNNN-title.md"))),
        }
    }
    numbered.sort_unstable();
    for ((number, path), expected) in numbered.into_iter().zip(1..) {
        if number != expected {
            findings.push(finding(path, format!("number {number:04}, but {expected:04} comes next")));
            break;
        }
    }
    findings
}

fn number_of(name: &str) -> Option<u32> {
    let (number, title) = name.strip_suffix(".md")?.split_once('-')?;
    let well_formed = number.len() == 4 && number.bytes().all(|b| b.is_ascii_digit()) && !title.is_empty();
    well_formed.then(|| number.parse().ok())?
}

fn finding(path: &str, what: String) -> Finding {
    Finding { path: path.to_owned(), line: 1, what, why: WHY, todo: "give it the next free number" }
}
