//! Text from outside, made safe to look at. Escaping HTML is maud's part; this is about characters that show nothing,
//! or reorder what stands around them.

use leasehold_core::text::is_invisible_control;
use std::borrow::Cow;
use std::fmt::Write;

/// `text` with every invisible or reordering character replaced by its code point in brackets, such as `[U+202E]`, so
/// that two names that differ look different and none can rearrange a page. Joiners (U+200C, U+200D) stay: Persian names
/// and emoji need them.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_hidden(c) {
            // Writing to a `String` cannot fail.
            let _ = write!(shown, "[U+{:04X}]", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

fn is_hidden(c: char) -> bool {
    is_invisible_control(c)
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// `text` cut to at most `chars` characters, with `…` where something is missing.
pub fn shorten(text: &str, chars: usize) -> Cow<'_, str> {
    match text.char_indices().nth(chars) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}

/// A whole number with thin spaces between thousands: `12 480`.
pub fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3 * 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 seat`, `12 480 seats`.
pub fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(count), if count == 1 { one } else { many })
}

/// A line of CSV (RFC 4180), ended. Spreadsheets take what begins with one of a few signs for a formula and would run it:
/// such a text gets an apostrophe in front, which they show as text.
pub fn csv_line(cells: &[&str]) -> String {
    let mut line = String::new();
    for (i, cell) in cells.iter().enumerate() {
        if i > 0 {
            line.push(',');
        }
        let number = cell.parse::<f64>().is_ok_and(f64::is_finite);
        let guarded =
            !number && cell.trim_start().starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠']);
        let hidden = cell.starts_with(['\t', '\r', '\n']);
        let text = format!("{}{}", if guarded || hidden { "'" } else { "" }, visible(cell));
        if text.contains([',', '"', '\n', '\r', ' ', ';']) {
            line.push('"');
            line.push_str(&text.replace('"', "\"\""));
            line.push('"');
        } else {
            line.push_str(&text);
        }
    }
    line.push_str("\r\n");
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_are_shown_and_ordinary_names_are_left_alone() {
        assert_eq!(visible("invoice\u{202e}fdp.exe"), "invoice[U+202E]fdp.exe");
        assert_eq!(visible("a\tb\0\u{200b}"), "a[U+0009]b[U+0000][U+200B]");
        for plain in ["Zoë Ångström", "山田太郎", "می\u{200c}خواهم", "👩\u{200d}🎨"] {
            assert!(matches!(visible(plain), Cow::Borrowed(same) if same == plain));
        }
    }

    #[test]
    fn no_cell_of_a_table_is_a_formula_or_ends_its_line() {
        assert_eq!(csv_line(&["ann", "2", "-1.5"]), "ann,2,-1.5\r\n");
        for hostile in ["=1+1", "+1+1", "-cmd", "@SUM(A1)", "\t=1", " =1", "＝1"] {
            let line = csv_line(&[hostile]);
            assert!(line.trim_start_matches('"').starts_with('\''), "{line}");
        }
        assert_eq!(csv_line(&["a\"b", "c,d"]), "\"a\"\"b\",\"c,d\"\r\n");
        let line = csv_line(&["a\r\n=b", "c"]);
        assert_eq!(line.matches(['\r', '\n']).count(), 2, "{line}");
    }

    #[test]
    fn shortening_and_grouping() {
        assert_eq!(shorten("äöü", 2), "äö…");
        assert_eq!(shorten("äöü", 3), "äöü");
        assert_eq!(number(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(number(999), "999");
    }
}
