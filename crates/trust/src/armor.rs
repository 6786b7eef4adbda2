//! PEM (RFC 7468) as our files use it: labelled blocks and nothing else. Stricter than a stock reader, which skips what
//! it does not understand, so that a truncated or altered file is never half accepted; and it tells those two apart.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

pub(crate) const CERTIFICATE: &str = "CERTIFICATE";
pub(crate) const CERTIFICATE_REQUEST: &str = "CERTIFICATE REQUEST";
pub(crate) const GRANT: &str = "LEASEHOLD GRANT";
pub(crate) const REQUEST: &str = "LEASEHOLD REQUEST";
pub(crate) const RECEIPT: &str = "LEASEHOLD RECEIPT";
pub(crate) const PASS: &str = "LEASEHOLD PASS";
pub(crate) const PASS_REQUEST: &str = "LEASEHOLD PASS REQUEST";
pub(crate) const PASS_RECEIPT: &str = "LEASEHOLD PASS RECEIPT";

const LINE_CHARS: usize = 64;
const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// One block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Block<'a> {
    pub(crate) label: &'a str,
    pub(crate) bytes: Vec<u8>,
}

/// Why a text is not a sequence of blocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ArmorProblem {
    /// It does not start like one.
    NotArmor,
    /// It ends inside a block.
    Truncated,
    /// Something between or in the blocks does not belong there.
    Damaged,
}

/// One block as text, 64 characters a line.
pub(crate) fn encode(label: &str, bytes: &[u8]) -> String {
    let body = STANDARD.encode(bytes);
    let mut text = format!("{BEGIN}{label}{DASHES}\n");
    for line in body.as_bytes().chunks(LINE_CHARS) {
        text.extend(line.iter().map(|byte| char::from(*byte)));
        text.push('\n');
    }
    text.push_str(&format!("{END}{label}{DASHES}\n"));
    text
}

/// The blocks of a text. Blank lines, spaces at line ends and CRLF are allowed, because mail programs make them.
pub(crate) fn parse(text: &str) -> Result<Vec<Block<'_>>, ArmorProblem> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    let mut open: Option<(&str, String)> = None;
    let mut lines = text.split('\n').map(|line| line.trim_matches([' ', '\t', '\r'])).peekable();
    while let Some(line) = lines.next() {
        let last = lines.peek().is_none();
        match &mut open {
            None if line.is_empty() => {}
            None => match line.strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(DASHES)) {
                Some(label) => open = Some((label, String::new())),
                None if last && is_cut_begin(line) => return Err(ArmorProblem::Truncated),
                None if blocks.is_empty() => return Err(ArmorProblem::NotArmor),
                None => return Err(ArmorProblem::Damaged),
            },
            Some((label, body)) => match line.strip_prefix(END).and_then(|rest| rest.strip_suffix(DASHES)) {
                Some(end) if end == *label => {
                    let bytes = STANDARD.decode(body.as_bytes()).map_err(|_| ArmorProblem::Damaged)?;
                    blocks.push(Block { label, bytes });
                    open = None;
                }
                Some(_) => return Err(ArmorProblem::Damaged),
                None if line.starts_with('-') && !last => return Err(ArmorProblem::Damaged),
                None => body.push_str(line),
            },
        }
    }
    match open {
        Some(_) => Err(ArmorProblem::Truncated),
        None if blocks.is_empty() => Err(ArmorProblem::NotArmor),
        None => Ok(blocks),
    }
}

/// Whether `line` is the start of a BEGIN line, or one that lost its end.
fn is_cut_begin(line: &str) -> bool {
    line.starts_with(BEGIN) || BEGIN.starts_with(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_round_trip_and_survive_mail_programs() {
        let text = encode(CERTIFICATE, &[7; 100]) + &encode(GRANT, b"token");
        let blocks = parse(&text).unwrap();
        assert_eq!((blocks[0].label, blocks[0].bytes.len()), (CERTIFICATE, 100));
        assert_eq!(blocks[1].bytes, b"token");
        let mailed = format!("\r\n{}\r\n\r\n", text.replace('\n', " \r\n"));
        assert_eq!(parse(&mailed).unwrap(), blocks);
        assert!(text.lines().all(|line| line.len() <= 64));
    }

    #[test]
    fn what_is_not_blocks_is_told_apart() {
        let text = encode(GRANT, &[7; 100]);
        let body_line = text.lines().nth(1).unwrap();
        for (bad, problem) in [
            ("hello".to_owned(), ArmorProblem::NotArmor),
            (String::new(), ArmorProblem::NotArmor),
            ("-----BEGIN LEASE".to_owned(), ArmorProblem::Truncated),
            (text[..100].to_owned(), ArmorProblem::Truncated),
            (text[..text.len() - 2].to_owned(), ArmorProblem::Truncated),
            (format!("{text}x"), ArmorProblem::Damaged),
            (format!("{text}\nhello\n"), ArmorProblem::Damaged),
            (text.replace("END LEASEHOLD GRANT", "END CERTIFICATE"), ArmorProblem::Damaged),
            (text.replace(body_line, &body_line.replace('B', "*")), ArmorProblem::Damaged),
            (text.replace(body_line, &format!("{text}{body_line}")), ArmorProblem::Damaged),
        ] {
            assert_eq!(parse(&bad), Err(problem), "{bad}");
        }
    }
}
