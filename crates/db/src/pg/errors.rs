//! What PostgreSQL's errors mean to us.

use std::error::Error;

use postgres::error::{Severity, SqlState};

use crate::DbError;
use crate::error::excerpt;

/// What an error of a statement, or of connecting (with `sql` empty), means.
pub(crate) fn explain(error: &postgres::Error, place: &str, sql: &str) -> DbError {
    let detail = describe(error);
    let place = place.to_owned();
    let Some(reported) = error.as_db_error() else {
        if is_conversion(error) {
            return DbError::Value(detail);
        }
        if sql.is_empty() || connection_is_lost(error) {
            return DbError::Unreachable { place, detail };
        }
        return DbError::Statement { sql: excerpt(sql), detail };
    };
    let code = reported.code();
    if *code == SqlState::DISK_FULL {
        DbError::Full { place }
    } else if *code == SqlState::UNIQUE_VIOLATION {
        DbError::Conflict { detail }
    } else if code.code().starts_with("23") {
        DbError::Constraint { detail }
    } else if *code == SqlState::T_R_SERIALIZATION_FAILURE
        || *code == SqlState::T_R_DEADLOCK_DETECTED
        || *code == SqlState::LOCK_NOT_AVAILABLE
    {
        DbError::Contended { detail }
    } else if sql.is_empty() || connection_is_lost(error) {
        DbError::Unreachable { place, detail }
    } else {
        DbError::Statement { sql: excerpt(sql), detail }
    }
}

/// Whether PostgreSQL asked for the transaction to be run again: only serialization failures and
/// deadlocks. A lock that was waited for in vain is an answer.
pub(crate) fn asks_to_retry(error: &postgres::Error) -> bool {
    error
        .code()
        .is_some_and(|code| *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED)
}

/// Whether the connection cannot be used any more.
pub(crate) fn connection_is_lost(error: &postgres::Error) -> bool {
    match error.as_db_error() {
        Some(reported) => {
            !matches!(reported.parsed_severity(), Some(Severity::Error)) || reported.code().code().starts_with("08")
        }
        None => error.is_closed() || sources(error).any(|source| source.is::<std::io::Error>()),
    }
}

/// Whether an error in answer to COMMIT proves that nothing was committed. Everything else leaves
/// the outcome unknown.
pub(crate) fn proves_rolled_back(error: &postgres::Error) -> bool {
    error.as_db_error().is_some_and(|reported| {
        matches!(reported.parsed_severity(), Some(Severity::Error))
            && *reported.code() != SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN
            && matches!(&reported.code().code()[..2], "23" | "25" | "40" | "53")
    })
}

/// Whether a kept statement no longer fits the schema, so that it must be prepared anew.
pub(crate) fn statement_is_stale(error: &postgres::Error) -> bool {
    error.code().is_some_and(|code| *code == SqlState::FEATURE_NOT_SUPPORTED)
}

/// The message, and PostgreSQL's detail and code if it is one of its own.
pub(crate) fn describe(error: &postgres::Error) -> String {
    if let Some(reported) = error.as_db_error() {
        let constraint = reported.constraint().map(|name| format!(", constraint {name}")).unwrap_or_default();
        return format!("{}{constraint}, SQLSTATE {}", reported.message(), reported.code().code());
    }
    let mut text = error.to_string();
    for source in sources(error) {
        let cause = source.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// Whether a bound value did not fit its placeholder, found before anything was sent.
fn is_conversion(error: &postgres::Error) -> bool {
    error.to_string().starts_with("error serializing parameter")
}

fn sources(error: &postgres::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |source: &&(dyn Error + 'static)| (*source).source())
}
