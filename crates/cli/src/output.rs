//! Standard output: text for people, or one JSON document for programs.

use crate::failure::Failure;
use serde::Serialize;
use std::io::{self, Write};

/// How a command tells its result.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    pub(crate) json: bool,
}

impl Output {
    /// Prints the result: `value` as one line of JSON, or the text that `text` makes.
    pub(crate) fn print(self, value: &impl Serialize, text: impl FnOnce() -> String) -> Result<(), Failure> {
        let line = if self.json { serde_json::to_string(value).map_err(Failure::of)? } else { text() };
        line_out(&line)
    }
}

/// Writes lines to standard output at once. A reader that has gone away ends the command quietly, as it does others.
pub(crate) fn line_out(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let written = writeln!(out, "{}", text.trim_end_matches('\n')).and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| Failure::of(format!("Cannot write to standard output: {error}."))),
    }
}

/// Writes a sentence to standard error.
pub(crate) fn note(text: &str) {
    // Nobody can be told that nobody can be told.
    let _ = writeln!(io::stderr().lock(), "leasehold: {text}");
}

/// Columns with two spaces between; the first row is the heading.
pub(crate) fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            line.push_str(&format!("{cell:<width$}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Text from outside, fit for a terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().filter(|c| !leasehold_core::text::is_invisible_control(*c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let row = |a: &str, b: &str| [a.to_owned(), b.to_owned()];
        assert_eq!(table(&[row("FEATURE", "FREE"), row("a", "10")]), "FEATURE  FREE\na        10\n");
    }
}
