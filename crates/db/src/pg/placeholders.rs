//! From `?1` to `$1`, once for each statement, when it is prepared.

use crate::DbError;
use crate::error::excerpt;

/// The statement with PostgreSQL's placeholders, and the highest of their numbers. Text in quotes and
/// comments is left alone.
///
/// Refused are `$1`, which SQLite numbers by first appearance and so swaps silently, and a bare `?`.
pub(crate) fn to_dollars(sql: &str) -> Result<(String, usize), DbError> {
    let refuse = |what: &str| Err(DbError::Misuse(format!("{what}; write ?1, ?2: {}", excerpt(sql))));
    let mut out = String::with_capacity(sql.len());
    let mut highest = 0;
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let second = rest.as_bytes().get(1).copied();
        let skipped = match first {
            '\'' | '"' => rest[1..].find(first).map_or(rest.len(), |end| end + 2),
            '-' if second == Some(b'-') => rest.find('\n').unwrap_or(rest.len()),
            '/' if second == Some(b'*') => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '$' if second.is_some_and(|digit| digit.is_ascii_digit()) => return refuse("$1 is not allowed"),
            '?' => {
                let digits = rest[1..].bytes().take_while(u8::is_ascii_digit).count();
                match rest[1..=digits].parse::<usize>() {
                    Ok(number) if number > 0 => highest = highest.max(number),
                    _ => return refuse("a placeholder without number is not allowed"),
                }
                out.push('$');
                rest = &rest[1..];
                continue;
            }
            other => other.len_utf8(),
        };
        let (done, left) = rest.split_at(skipped);
        out.push_str(done);
        rest = left;
    }
    Ok((out, highest))
}

#[cfg(test)]
mod tests {
    use super::to_dollars;

    #[test]
    fn numbers_of_any_length_are_kept() {
        assert_eq!(to_dollars("SELECT ?1, ?10,?2"), Ok(("SELECT $1, $10,$2".to_owned(), 10)));
    }

    #[test]
    fn quotes_and_comments_are_left_alone() {
        let sql = "SELECT 'a ?1 ''?2'' é', \"col?3\" -- why?\n, /* ? $1 */ ?4 FROM t WHERE x = '?";
        let expected = "SELECT 'a ?1 ''?2'' é', \"col?3\" -- why?\n, /* ? $1 */ $4 FROM t WHERE x = '?";
        assert_eq!(to_dollars(sql), Ok((expected.to_owned(), 4)));
    }

    #[test]
    fn other_placeholders_are_refused() {
        for sql in ["SELECT ?", "SELECT ?0", "SELECT $1", "SELECT 1 WHERE a = ? AND b = ?2"] {
            assert!(to_dollars(sql).unwrap_err().to_string().contains("write ?1"), "{sql}");
        }
        assert_eq!(to_dollars("DO $$ BEGIN END $$"), Ok(("DO $$ BEGIN END $$".to_owned(), 0)));
    }
}
