//! Rules for every text file: length, spelling, no notes to self, nothing of one person's machine.
//!
//! The words looked for are put together from parts, so that this file does not contain them.

use super::{Finding, TreeFile};

/// Written by tools, or a standard text that is not ours to change.
const NOT_OURS: &[&str] = &["Cargo.lock", "LICENSE-APACHE", "LICENSE-MIT"];

const MAX_LINES: usize = 600;
/// Files that a person reads from top to bottom; pages of prose and generated documents are not cut up.
const CODE_ENDINGS: &[&str] = &[".rs", ".css", ".js", ".sh", ".sql", ".py", ".c", ".h"];

const SPELLING: &str = concat!("lic", "ence");
const NOTES: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")];
const REGISTRY_HOSTS: &[&str] = &[
    concat!("crates", ".io"),
    concat!("npmjs", ".org"),
    concat!("npmjs", ".com"),
    concat!("pypi", ".org"),
    concat!("pythonhosted", ".org"),
    concat!("deb.debian", ".org"),
];
const MACHINE_FOLDERS: &[&str] = &[concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];

/// Checks one file.
pub(super) fn check(file: &TreeFile) -> Vec<Finding> {
    if NOT_OURS.contains(&file.path.as_str()) {
        return Vec::new();
    }
    let mut findings: Vec<_> = too_long(file).into_iter().collect();
    for (line, number) in file.text.lines().zip(1..) {
        findings.extend(check_line(line).into_iter().map(|(what, why, todo)| Finding {
            path: file.path.clone(),
            line: number,
            what,
            why,
            todo,
        }));
    }
    findings
}

fn too_long(file: &TreeFile) -> Option<Finding> {
    let is_code = CODE_ENDINGS.iter().any(|ending| file.path.ends_with(ending));
    let lines = file.text.lines().count();
    (is_code && lines > MAX_LINES).then(|| Finding {
        path: file.path.clone(),
        line: MAX_LINES + 1,
        what: format!("{lines} lines, more than {MAX_LINES}"),
        why: "a file that nobody can hold in the head is where rules get written twice",
        todo: "cut it along what it does, and name the parts after that",
    })
}

type Fault = (String, &'static str, &'static str);

fn check_line(line: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    if line.to_ascii_lowercase().contains(SPELLING) {
        faults.push((
            "the other spelling of \"license\"".to_owned(),
            "one word has one spelling, so that a search finds all of it",
            "write \"license\", noun and verb",
        ));
    }
    for note in NOTES.iter().filter(|note| has_word(line, note)) {
        faults.push((
            format!("`{note}`"),
            "a note to self in the tree is work that nobody has taken on",
            "do it now, or file an issue and remove the note",
        ));
    }
    let lower = line.to_ascii_lowercase();
    for host in REGISTRY_HOSTS.iter().filter(|host| lower.contains(**host)) {
        faults.push((
            format!("names the package registry host `{host}`"),
            "which registry or mirror is used is each machine's own setting",
            "name the package and the tool that installs it, not the host",
        ));
    }
    for folder in MACHINE_FOLDERS.iter().filter(|folder| has_absolute_path(line, folder)) {
        faults.push((
            format!("an absolute path under `{folder}`"),
            "it exists on one developer's machine only",
            "make it relative to the workspace, to `~`, or to an argument",
        ));
    }
    faults
}

fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word)
        .any(|(at, _)| !line[..at].ends_with(is_part) && !line[at + word.len()..].starts_with(is_part))
}

/// Not in the middle of a longer path or address.
fn has_absolute_path(line: &str, folder: &str) -> bool {
    let continues = |c: char| c.is_alphanumeric() || ".-_/}~)".contains(c);
    line.match_indices(folder).any(|(at, _)| !line[..at].ends_with(continues))
}

#[cfg(test)]
mod tests {
    use super::{MACHINE_FOLDERS, NOTES, SPELLING, check_line};

    #[test]
    fn each_forbidden_word_is_found_once() {
        for bad in [
            format!("a Sub{SPELLING}."),
            format!("// {}: later", NOTES[0]),
            format!("({})", NOTES[2]),
            format!("see https://{}/x", super::REGISTRY_HOSTS[0]),
            format!("cd {}x", MACHINE_FOLDERS[2]),
        ] {
            assert_eq!(check_line(&bad).len(), 1, "{bad}");
        }
    }

    #[test]
    fn longer_words_and_longer_paths_are_fine() {
        for good in [format!("a{}b", NOTES[2]), format!("target{}x", MACHINE_FOLDERS[0]), "a license".to_owned()] {
            assert!(check_line(&good).is_empty(), "{good}");
        }
    }
}
