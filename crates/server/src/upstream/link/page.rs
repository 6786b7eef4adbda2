//! What a page says that came instead of an answer: its title or its first words, for a sentence. Understands no HTML
//! beyond that.

use super::problem::shown;

/// Most of a page that is looked at, in bytes.
pub(crate) const PAGE_BYTES_MAX: usize = 16 * 1024;

/// The title of a page in quotation marks, or its first words; empty if it has none.
pub(crate) fn words_of(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(PAGE_BYTES_MAX)]).into_owned();
    let words = match title(&text).map(shown) {
        Some(title) if !title.is_empty() => title,
        _ => shown(&without_tags(&text)),
    };
    if words.is_empty() { words } else { format!("\"{words}\"") }
}

fn title(text: &str) -> Option<&str> {
    // ASCII only, so that places in one are places in the other.
    let small = text.to_ascii_lowercase();
    let start = small.find("<title")?;
    let start = start + small[start..].find('>')? + 1;
    let end = start + small[start..].find("</title")?;
    text.get(start..end)
}

fn without_tags(text: &str) -> String {
    let mut plain = String::new();
    for piece in text.split('<') {
        let words = if plain.is_empty() && !text.starts_with('<') { piece } else { after_tag(piece) };
        plain.push_str(words);
        plain.push(' ');
    }
    plain
}

fn after_tag(piece: &str) -> &str {
    piece.split_once('>').map_or("", |(_, words)| words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_told_by_its_title_or_its_first_words() {
        assert_eq!(words_of(b"<html><TITLE lang=en>Guest\n network</TITLE><body>x"), "\"Guest network\"");
        assert_eq!(words_of(b"<title></title><p>Please <b>sign in</b></p>"), "\"Please sign in\"");
        assert_eq!(words_of(b"404 page not found\n"), "\"404 page not found\"");
        assert_eq!(words_of(b"<html><body></body>"), "");
    }

    #[test]
    fn a_page_cannot_command_the_terminal() {
        let page = format!("<title>\u{1b}[2J\u{202e}{}</title>", "long ".repeat(100));
        let said = words_of(page.as_bytes());
        assert!(said.starts_with("\"[2Jlong") && said.chars().count() < 90, "{said}");
    }
}
