//! Rules for Rust files: opening documentation, no ignored tests, SQL only where storage lives.

use super::rust_source::{Kind, Piece, pieces};
use super::{Finding, TreeFile};

/// Checks one Rust file.
pub(super) fn check(file: &TreeFile) -> Vec<Finding> {
    let pieces = pieces(&file.text);
    let mut findings = Vec::new();
    findings.extend(opening_doc(file));
    findings.extend(ignored_tests(file, &pieces));
    if may_not_hold_sql(&file.path) {
        findings.extend(sql_text(file, &pieces));
    }
    findings
}

fn opening_doc(file: &TreeFile) -> Option<Finding> {
    // `pool/tests.rs` has said with its name all that it owns.
    if file.path.ends_with("/tests.rs") {
        return None;
    }
    let first = file.text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    (!first.starts_with("//!")).then(|| Finding {
        path: file.path.clone(),
        line: 1,
        what: "does not open with `//!` lines".to_owned(),
        why: "a reader who opens the file must learn in one breath what it owns and what it must not do",
        todo: "say both in one to five `//!` lines at the very top",
    })
}

fn ignored_tests<'a>(file: &'a TreeFile, pieces: &'a [Piece<'_>]) -> impl Iterator<Item = Finding> + 'a {
    let is_ignored = |piece: &Piece<'_>, line: &str| match piece.kind {
        Kind::Code => line.contains("#[ignore") || (line.contains("cfg_attr(") && line.contains(", ignore")),
        Kind::Comment => line.contains("```") && line.contains("ignore"),
        Kind::Literal => false,
    };
    pieces.iter().flat_map(lines_of).filter(move |(piece, _, line)| is_ignored(piece, line)).map(|(_, number, _)| {
        Finding {
            path: file.path.clone(),
            line: number,
            what: "an ignored test or example".to_owned(),
            why: "what never runs proves nothing, and nobody notices when it stops being true",
            todo: "make it run (slow work may depend on LEASEHOLD_TEST_LONG), or remove it",
        }
    })
}

fn may_not_hold_sql(path: &str) -> bool {
    let mut folders = path.split('/').rev().skip(1);
    let shipped = path.starts_with("crates/") && path.split('/').nth(2) == Some("src");
    shipped && !path.starts_with("crates/db/") && !folders.any(|folder| folder == "store")
}

fn sql_text<'a>(file: &'a TreeFile, pieces: &'a [Piece<'_>]) -> impl Iterator<Item = Finding> + 'a {
    pieces.iter().filter(|piece| piece.kind == Kind::Literal && is_sql(piece.text)).map(|piece| Finding {
        path: file.path.clone(),
        line: piece.line,
        what: "SQL outside a store/ folder".to_owned(),
        why: "every statement has a conformance test on both databases; one that stands elsewhere is forgotten there",
        todo: "move it into a function under the crate's store/ and call that",
    })
}

/// Upper-case keywords in the order of a statement: a sentence does not look like that.
fn is_sql(literal: &str) -> bool {
    let words: Vec<&str> = literal.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
    let follows = |first: &str, second: &str| {
        words.iter().position(|word| *word == first).is_some_and(|at| words[at..].contains(&second))
    };
    let adjacent = |first: &str, second: &str| words.windows(2).any(|pair| pair == [first, second]);
    words.contains(&"SELECT")
        || adjacent("INSERT", "INTO")
        || adjacent("DELETE", "FROM")
        || adjacent("CREATE", "TABLE")
        || follows("UPDATE", "SET")
}

/// The lines of a piece, each with the piece and its number in the file.
fn lines_of<'p, 'a>(piece: &'p Piece<'a>) -> impl Iterator<Item = (&'p Piece<'a>, usize, &'a str)> {
    piece.text.split('\n').zip(piece.line..).map(move |(line, number)| (piece, number, line))
}

#[cfg(test)]
mod tests {
    use super::{check, is_sql, may_not_hold_sql};
    use crate::tidy::TreeFile;

    #[test]
    fn sql_is_told_from_sentences() {
        for sql in
            ["SELECT 1", "INSERT INTO a VALUES (?1)", "UPDATE a\n SET b = 1", "DELETE FROM a", "x; CREATE TABLE y"]
        {
            assert!(is_sql(sql), "{sql}");
        }
        for sentence in
            ["Select a license", "delete from the list", "UPDATE BY 2027-01-01", "INSERT the dongle", "SELECTED"]
        {
            assert!(!is_sql(sentence), "{sentence}");
        }
    }

    #[test]
    fn sql_may_stand_in_store_folders_and_the_storage_layer_only() {
        assert!(!may_not_hold_sql("crates/portal/src/store/licenses.rs"));
        assert!(!may_not_hold_sql("crates/db/src/lib.rs"));
        assert!(!may_not_hold_sql("crates/portal/tests/it/main.rs"));
        assert!(may_not_hold_sql("crates/portal/src/service/store.rs"));
        assert!(may_not_hold_sql("crates/web/src/lib.rs"));
    }

    #[test]
    fn each_rule_names_its_line() {
        let text = "//! Doc.\n// #[ignore] in words is fine\n#[ignore = \"slow\"]\nfn f() { q(\"SELECT 1\") }\n";
        let file = TreeFile { path: "crates/web/src/a.rs".to_owned(), text: text.to_owned() };
        let lines: Vec<_> = check(&file).iter().map(|finding| finding.line).collect();
        assert_eq!(lines, [3, 4]);
        let undocumented = TreeFile { path: "a.rs".to_owned(), text: "// Doc.\n".to_owned() };
        assert_eq!(check(&undocumented).len(), 1);
    }
}
