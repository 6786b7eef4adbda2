//! Tells code, comments and string literals of a Rust file apart, as far as a text search needs it.
//! It does not parse: a file that rustc refuses gets an answer too.

/// What a piece of a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Code,
    /// With its `//` or `/*`; documentation included.
    Comment,
    /// A string literal with its quotes.
    Literal,
}

/// A run of text of one kind.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    pub(super) kind: Kind,
    /// Of its first character, from 1.
    pub(super) line: usize,
    pub(super) text: &'a str,
}

/// Cuts a file into its pieces; joined they are the file again.
pub(super) fn pieces(source: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut line = 1;
    let mut add = |kind, text| {
        if !str::is_empty(text) {
            pieces.push(Piece { kind, line, text });
            line += text.matches('\n').count();
        }
    };
    let (mut code_start, mut at) = (0, 0);
    while at < source.len() {
        let rest = &source[at..];
        let Some((kind, len)) = special(rest, source[..at].chars().next_back()) else {
            at += plain_len(rest);
            continue;
        };
        add(Kind::Code, &source[code_start..at]);
        add(kind, &rest[..len]);
        at += len;
        code_start = at;
    }
    add(Kind::Code, &source[code_start..]);
    pieces
}

/// The comment or literal that starts here, and its length in bytes.
fn special(rest: &str, before: Option<char>) -> Option<(Kind, usize)> {
    if rest.starts_with("//") {
        return Some((Kind::Comment, rest.find('\n').unwrap_or(rest.len())));
    }
    if rest.starts_with("/*") {
        return Some((Kind::Comment, block_comment_len(rest)));
    }
    if rest.starts_with('"') {
        return Some((Kind::Literal, quoted_len(rest)));
    }
    // `r"` and `r#"`; the `b` or `c` before an `r` is code to us, any other letter is a name's.
    if rest.starts_with('r') && before.is_none_or(|c| !(c.is_alphanumeric() || c == '_') || c == 'b' || c == 'c') {
        let hashes = rest[1..].bytes().take_while(|b| *b == b'#').count();
        if rest[1 + hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let body = &rest[2 + hashes..];
            let len = body.find(&end).map_or(rest.len(), |found| 2 + hashes + found + end.len());
            return Some((Kind::Literal, len));
        }
    }
    None
}

/// How much code to step over: one character, or a whole character literal, whose quote could be `'"'`.
fn plain_len(rest: &str) -> usize {
    let mut chars = rest.char_indices();
    let first = chars.next().map_or(1, |(_, c)| c.len_utf8());
    if !rest.starts_with('\'') {
        return first;
    }
    match (chars.next(), chars.next()) {
        // `'\n'`, `'\''`, `'\u{1F}'`: the escaped character is never the closing quote.
        (Some((_, '\\')), Some((escaped, _))) => {
            let after = escaped + rest[escaped..].chars().next().map_or(1, char::len_utf8);
            rest[after..].find('\'').map_or(rest.len(), |quote| after + quote + 1)
        }
        (Some(_), Some((quote, '\''))) => quote + 1,
        // A lifetime.
        _ => first,
    }
}

fn block_comment_len(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        let here = &rest[at..];
        if here.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += here.chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

fn quoted_len(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::{Kind, pieces};

    #[track_caller]
    fn check(source: &str, expected: &[(Kind, &str)]) {
        let found = pieces(source);
        let kinds: Vec<_> = found.iter().map(|piece| (piece.kind, piece.text)).collect();
        assert_eq!(kinds, expected);
    }

    #[test]
    fn comments_and_literals_are_told_from_code() {
        check(
            "a // \"no\"\n\"// no\\\"\" b",
            &[
                (Kind::Code, "a "),
                (Kind::Comment, "// \"no\""),
                (Kind::Code, "\n"),
                (Kind::Literal, "\"// no\\\"\""),
                (Kind::Code, " b"),
            ],
        );
        check("/* a /* b */ \" */x", &[(Kind::Comment, "/* a /* b */ \" */"), (Kind::Code, "x")]);
    }

    #[test]
    fn raw_strings_end_at_their_own_hashes() {
        check(
            "f(r#\"a \"b\" // c\"#, br\"\\\")",
            &[
                (Kind::Code, "f("),
                (Kind::Literal, "r#\"a \"b\" // c\"#"),
                (Kind::Code, ", b"),
                (Kind::Literal, "r\"\\\""),
                (Kind::Code, ")"),
            ],
        );
        check("r#type", &[(Kind::Code, "r#type")]);
        check("for\"x\"", &[(Kind::Code, "for"), (Kind::Literal, "\"x\"")]);
    }

    #[test]
    fn character_literals_open_no_string_and_lifetimes_close_none() {
        check("'\"' '\\'' '\\u{22}' 'é'", &[(Kind::Code, "'\"' '\\'' '\\u{22}' 'é'")]);
        check("&'a \"s\" 'b", &[(Kind::Code, "&'a "), (Kind::Literal, "\"s\""), (Kind::Code, " 'b")]);
    }

    #[test]
    fn lines_count_from_one_through_multi_line_pieces() {
        let found = pieces("\n/*\n*/\"\n\" x");
        assert_eq!(found.iter().map(|piece| piece.line).collect::<Vec<_>>(), [1, 2, 3, 4]);
    }
}
