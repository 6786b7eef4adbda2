//! Limits on text from outside. Users, hosts and product names are hostile wherever they are shown, logged or
//! exported; here they are only bounded, so that nothing unbounded is ever kept. Escaping belongs to who shows them.

/// Longest name of a person, host, product or workstation, in characters.
pub const NAME_CHARS_MAX: usize = 200;
/// Longest code (feature, product), in characters.
pub const CODE_CHARS_MAX: usize = 64;
/// Longest opaque token (idempotency key, machine id, boot id), in bytes.
pub const TOKEN_BYTES_MAX: usize = 128;

/// Why a text is refused. The sentence can be shown as it is, after the name of the field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Nothing in it.
    #[error("must not be empty")]
    Empty,
    /// Too long.
    #[error("must have at most {0} characters")]
    TooLong(usize),
    /// A control character, or one that reorders what is shown after it.
    #[error("must not contain control or text-direction characters")]
    Control,
    /// Not in the alphabet of codes.
    #[error("may use lower-case letters, digits, '.', '-' and '_', and must start with a letter")]
    Alphabet,
}

/// Whether a character changes what is shown around it instead of being shown: C0 and C1 controls, line and
/// paragraph separators, and the bidirectional controls behind "Trojan Source" (CVE-2021-42574).
pub fn is_invisible_control(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
}

/// `1 seat`, `12 seats`: for logs, files and the command line. Pages group the digits.
pub fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// `12 seats`; see [`counted`].
pub fn seats(count: u32) -> String {
    counted(count.into(), "seat", "seats")
}

/// The verb after a number.
pub fn is_or_are(count: u64) -> &'static str {
    if count == 1 { "is" } else { "are" }
}

/// A length of time in seconds as people say it, such as `3 hours`.
pub fn span(seconds: i64) -> String {
    match seconds {
        ..=1 => "a second".to_owned(),
        s @ 2..=119 => format!("{s} seconds"),
        s @ 120..=7199 => format!("{} minutes", (s + 59) / 60),
        s @ 7200..=172_799 => format!("{} hours", (s + 3599) / 3600),
        s => format!("{} days", (s + 43_200) / 86_400),
    }
}

/// A text from outside as far as it may be kept as a name: without control characters, cut to [`NAME_CHARS_MAX`].
pub fn cleaned(text: &str) -> String {
    text.chars().filter(|c| !is_invisible_control(*c)).take(NAME_CHARS_MAX).collect()
}

/// A name for people to read: 1 to [`NAME_CHARS_MAX`] characters, no control characters.
pub fn name(text: &str) -> Result<(), TextError> {
    if text.trim().is_empty() {
        return Err(TextError::Empty);
    }
    optional_name(text)
}

/// Like [`name`], but may be empty.
pub fn optional_name(text: &str) -> Result<(), TextError> {
    if text.chars().count() > NAME_CHARS_MAX {
        return Err(TextError::TooLong(NAME_CHARS_MAX));
    }
    if text.chars().any(is_invisible_control) {
        return Err(TextError::Control);
    }
    Ok(())
}

/// A code: see [`TextError::Alphabet`], at most [`CODE_CHARS_MAX`] characters.
pub fn code(text: &str) -> Result<(), TextError> {
    if text.is_empty() {
        return Err(TextError::Empty);
    }
    if text.len() > CODE_CHARS_MAX {
        return Err(TextError::TooLong(CODE_CHARS_MAX));
    }
    let plain = text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_'));
    if !plain || !text.as_bytes()[0].is_ascii_lowercase() {
        return Err(TextError::Alphabet);
    }
    Ok(())
}

/// An opaque token: at most [`TOKEN_BYTES_MAX`] visible ASCII characters; may be empty.
pub fn token(text: &str) -> Result<(), TextError> {
    if text.len() > TOKEN_BYTES_MAX {
        return Err(TextError::TooLong(TOKEN_BYTES_MAX));
    }
    if !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(TextError::Control);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_outside_are_bounded_and_cannot_reorder_the_page() {
        assert_eq!(name("Zoë Ångström <b>"), Ok(()));
        assert_eq!(name("  "), Err(TextError::Empty));
        assert_eq!(name("a\u{202e}b"), Err(TextError::Control));
        assert_eq!(name("a\nb"), Err(TextError::Control));
        assert_eq!(name(&"x".repeat(201)), Err(TextError::TooLong(200)));
        assert_eq!(token("k 1"), Err(TextError::Control));
    }
}
