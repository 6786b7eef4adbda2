//! The database URL of a configuration: `sqlite:PATH` or `postgres://...`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::DbError;

/// Which database a service uses. `Display` and `Debug` never show a password.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DatabaseUrl {
    /// A file on this machine.
    Sqlite(PathBuf),
    /// A PostgreSQL server: the whole URL, password and options included.
    Postgres(String),
}

impl FromStr for DatabaseUrl {
    type Err = DbError;

    /// Reads `sqlite:PATH`, `sqlite:///ABSOLUTE/PATH`, `postgres://...` or `postgresql://...`.
    fn from_str(text: &str) -> Result<Self, DbError> {
        let bad = |what: &str| Err(DbError::BadUrl(what.to_owned()));
        if let Some(path) = text.strip_prefix("sqlite:") {
            return match path.strip_prefix("//").unwrap_or(path) {
                "" => bad("sqlite: needs the path of a file, as in sqlite:/var/lib/leasehold/portal.db"),
                ":memory:" => bad("a database in memory would forget everything at a restart"),
                path => Ok(Self::Sqlite(path.into())),
            };
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(text.to_owned()));
        }
        bad("it must begin with sqlite: or postgres://")
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(out, "sqlite:{}", path.display()),
            Self::Postgres(url) => {
                // What stands before the last @ of the authority is user and password; options may hold one too.
                let rest = url.split_once("://").map_or("", |(_, rest)| rest);
                let rest = rest.split(['?', '#']).next().unwrap_or_default();
                let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
                write!(out, "postgres://{place}")
            }
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}
