//! The one shape of an error in both APIs: RFC 9457 `application/problem+json` with a stable code and the four
//! sentences that a person needs. Owns the type only; turning it into an HTTP response belongs to `leasehold-web`.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

/// The media type of a [`Problem`].
pub const CONTENT_TYPE: &str = "application/problem+json";

/// What went wrong, why, what to do next, and who can do it.
///
/// Read leniently (a proxy in between may answer with a problem of its own, and newer servers may add members), written
/// whole. `type` is left out, which RFC 9457 defines as `about:blank`; machines go by `code`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Problem {
    /// HTTP status code, 400 to 599.
    #[serde(default)]
    pub status: u16,
    /// Stable code in capitals, such as `NO_SEATS`; the only member that a program should look at.
    #[serde(default)]
    #[schema(value_type = String)]
    pub code: Cow<'static, str>,
    /// What happened, one sentence that is the same for every occurrence of the code.
    #[serde(default)]
    #[schema(value_type = String)]
    pub title: Cow<'static, str>,
    /// Why it happened this time. May repeat text from outside: escape it wherever it is shown.
    #[serde(default)]
    #[schema(value_type = String)]
    pub detail: Cow<'static, str>,
    /// The next step.
    #[serde(default)]
    #[schema(value_type = String)]
    pub what_to_do: Cow<'static, str>,
    /// Who can take that step, such as `the administrator of the license server`.
    #[serde(default)]
    #[schema(value_type = String)]
    pub who: Cow<'static, str>,
}

impl Problem {
    /// A problem with its three fixed parts; add the others with the methods below.
    pub fn new(status: u16, code: impl Into<Cow<'static, str>>, title: impl Into<Cow<'static, str>>) -> Problem {
        Problem {
            status,
            code: code.into(),
            title: title.into(),
            detail: Cow::Borrowed(""),
            what_to_do: Cow::Borrowed(""),
            who: Cow::Borrowed(""),
        }
    }

    /// Says why it happened this time.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Problem {
        self.detail = detail.into();
        self
    }

    /// Says what to do next, and who can do it.
    #[must_use]
    pub fn next(mut self, what_to_do: impl Into<Cow<'static, str>>, who: impl Into<Cow<'static, str>>) -> Problem {
        self.what_to_do = what_to_do.into();
        self.who = who.into();
        self
    }
}

impl fmt::Display for Problem {
    /// One line for a terminal or a log. The caller escapes control characters if the problem came from outside.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.title, self.code)?;
        for part in [&self.detail, &self.what_to_do] {
            if !part.is_empty() {
                write!(f, " {part}")?;
            }
        }
        if !self.what_to_do.is_empty() && !self.who.is_empty() {
            write!(f, " (Who can: {}.)", self.who.trim_end_matches('.'))?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_something_else_is_still_read() {
        let foreign: Problem = serde_json::from_str(r#"{"title":"Bad Gateway","trace":"7"}"#).unwrap();
        assert_eq!((foreign.title.as_ref(), foreign.code.as_ref()), ("Bad Gateway", ""));
    }
}
