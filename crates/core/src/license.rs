//! What is sold: products, features, licenses, and until when a license runs.
//!
//! Owns the vocabulary of a purchase and the date arithmetic on it. Knows nothing of servers or seats out.

use crate::text::{self, TextError};
use crate::time::{self, Ms};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// What an application checks out, such as `studio.gui`. Unique per vendor. 1 to 64 characters: lower-case letters,
/// digits, `.`, `-`, `_`, starting with a letter.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct FeatureCode(Arc<str>);

impl FeatureCode {
    /// Checks and keeps a feature code.
    pub fn new(code: &str) -> Result<FeatureCode, TextError> {
        text::code(code).map(|()| FeatureCode(code.into()))
    }

    /// The code as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FeatureCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for FeatureCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for FeatureCode {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for FeatureCode {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        FeatureCode::new(&text).map_err(serde::de::Error::custom)
    }
}

/// How many of each feature one seat of a product holds; every count is at least 1.
pub type FeatureBundle = BTreeMap<FeatureCode, u32>;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant,)* }

        impl $name {
            /// Every value, in the order in which pages list them.
            pub const ALL: &'static [$name] = &[$($name::$variant),*];

            /// The word used in the API, in tables and on pages.
            pub fn word(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }

            /// The value of a word; `None` if there is no such word.
            pub fn from_word(word: &str) -> Option<$name> {
                Self::ALL.iter().copied().find(|value| value.word() == word)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}
pub(crate) use words;

words! {
    /// Who may use the seats of a license.
    Kind {
        /// Anyone whom the rules allow.
        Floating = "floating",
        /// Only people to whom seats were assigned.
        Named = "named",
    }
}

words! {
    /// In which way a license was given out.
    Channel {
        /// Bought.
        Commercial = "commercial",
        /// To try the product for a while.
        Trial = "trial",
        /// For testers of a coming release.
        Beta = "beta",
        /// For testers of an early build.
        Alpha = "alpha",
        /// Personal learning edition.
        Ple = "ple",
        /// For students.
        Student = "student",
        /// For teachers.
        Educator = "educator",
        /// Not for resale.
        Nfr = "nfr",
    }
}

words! {
    /// For whom a workstation works.
    Scope {
        /// For everybody in the organization: seats that float.
        Organization = "organization",
        /// For one person: what is theirs, and what was assigned to them.
        Person = "person",
    }
}

words! {
    /// How a workstation gets its documents.
    Mode {
        /// By file, carried by hand.
        File = "file",
        /// By sync.
        Online = "online",
    }
}

words! {
    /// Whether several processes count as one seat.
    Share {
        /// Each lease takes seats of its own.
        None = "none",
        /// Leases of the same user on the same machine share one seat (`PROTOCOL.md` section 6).
        UserHost = "user_host",
    }
}

impl Default for Share {
    /// Each checkout takes a seat.
    fn default() -> Share {
        Share::None
    }
}

/// Until when a license runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "term", rename_all = "snake_case", deny_unknown_fields)]
pub enum Term {
    /// Runs until the end of a date.
    Subscription {
        /// Last day, everywhere on earth.
        until: Date,
    },
    /// Never ends, for releases up to a date.
    Perpetual {
        /// Compared with the application's `released_on`.
        maintenance_until: Date,
    },
}

impl Term {
    /// The instant at which the license ends; `None` for a perpetual one.
    pub fn ends_at(self) -> Option<Ms> {
        match self {
            Term::Subscription { until } => Some(time::date_end(until)),
            Term::Perpetual { .. } => None,
        }
    }

    /// The last release date that the license covers; `None` where any release may run.
    pub fn maintenance_until(self) -> Option<Date> {
        match self {
            Term::Subscription { .. } => None,
            Term::Perpetual { maintenance_until } => Some(maintenance_until),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn words_round_trip() {
        for channel in Channel::ALL {
            assert_eq!(Channel::from_word(channel.word()), Some(*channel));
            assert_eq!(serde_json::to_string(channel).unwrap(), format!("\"{channel}\""));
        }
        assert_eq!(Kind::from_word("node-locked"), None);
    }

    #[test]
    fn a_perpetual_license_never_ends_but_covers_releases_up_to_a_date() {
        let term = Term::Perpetual { maintenance_until: date(2027, 3, 1) };
        assert_eq!((term.ends_at(), term.maintenance_until()), (None, Some(date(2027, 3, 1))));
    }

    #[test]
    fn feature_codes_are_plain() {
        assert!(FeatureCode::new("studio.gui").is_ok());
        for bad in ["", "Studio", "a b", "1x", "x\u{202e}y", &"x".repeat(65)] {
            assert!(FeatureCode::new(bad).is_err(), "{bad:?}");
        }
    }
}
