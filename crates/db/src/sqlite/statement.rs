//! Running one statement on a SQLite connection, and what its errors mean.

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, ErrorCode, ffi, params_from_iter};

use crate::error::excerpt;
use crate::job::Kind;
use crate::row::{Row, Source};
use crate::{DbError, Value};

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

pub(crate) fn exec(conn: &Connection, kind: Kind, sql: &str, params: &[Value<'_>]) -> Result<u64, DbError> {
    prepare(conn, kind, sql)?
        .execute(params_from_iter(params))
        .map(|rows| u64::try_from(rows).unwrap_or(u64::MAX))
        .map_err(|error| explain(conn, error, sql))
}

pub(crate) fn one<T>(
    conn: &Connection,
    kind: Kind,
    sql: &str,
    params: &[Value<'_>],
    map: impl FnOnce(&Row<'_>) -> Result<T, DbError>,
) -> Result<Option<T>, DbError> {
    let mut statement = prepare(conn, kind, sql)?;
    let mut rows = statement.query(params_from_iter(params)).map_err(|error| explain(conn, error, sql))?;
    match rows.next().map_err(|error| explain(conn, error, sql))? {
        Some(row) => map(&Row::new(Source::Sqlite(row))).map(Some),
        None => Ok(None),
    }
}

pub(crate) fn all<T>(
    conn: &Connection,
    kind: Kind,
    sql: &str,
    params: &[Value<'_>],
    mut map: impl FnMut(&Row<'_>) -> Result<T, DbError>,
) -> Result<Vec<T>, DbError> {
    let mut statement = prepare(conn, kind, sql)?;
    let mut rows = statement.query(params_from_iter(params)).map_err(|error| explain(conn, error, sql))?;
    let mut mapped = Vec::new();
    while let Some(row) = rows.next().map_err(|error| explain(conn, error, sql))? {
        mapped.push(map(&Row::new(Source::Sqlite(row)))?);
    }
    Ok(mapped)
}

/// Runs the statements of a migration.
pub(crate) fn script(conn: &Connection, sql: &str) -> Result<(), DbError> {
    conn.execute_batch(sql).map_err(|error| explain(conn, error, sql))
}

/// Runs a statement of our own (BEGIN, SAVEPOINT, COMMIT ...), which is prepared once.
pub(crate) fn control(conn: &Connection, sql: &str) -> Result<(), DbError> {
    conn.prepare_cached(sql)
        .and_then(|mut statement| statement.execute([]))
        .map(drop)
        .map_err(|error| explain(conn, error, sql))
}

fn prepare<'c>(conn: &'c Connection, kind: Kind, sql: &str) -> Result<CachedStatement<'c>, DbError> {
    let statement = conn.prepare_cached(sql).map_err(|error| explain(conn, error, sql))?;
    if kind == Kind::Read && !statement.readonly() {
        return Err(DbError::Misuse(format!("a read may not write: {}", excerpt(sql))));
    }
    Ok(statement)
}

pub(crate) fn int(row: &rusqlite::Row<'_>, column: usize) -> Result<Option<i64>, DbError> {
    match get(row, column)? {
        ValueRef::Null => Ok(None),
        ValueRef::Integer(number) => Ok(Some(number)),
        other => Err(wrong_type(column, other, "a whole number")),
    }
}

pub(crate) fn text<'r>(row: &'r rusqlite::Row<'_>, column: usize) -> Result<Option<&'r str>, DbError> {
    match get(row, column)? {
        ValueRef::Null => Ok(None),
        ValueRef::Text(bytes) => str::from_utf8(bytes)
            .map(Some)
            .map_err(|_| DbError::Value(format!("column {column} of a row is not valid UTF-8"))),
        other => Err(wrong_type(column, other, "text")),
    }
}

pub(crate) fn bytes(row: &rusqlite::Row<'_>, column: usize) -> Result<Option<Vec<u8>>, DbError> {
    match get(row, column)? {
        ValueRef::Null => Ok(None),
        ValueRef::Blob(bytes) => Ok(Some(bytes.to_vec())),
        other => Err(wrong_type(column, other, "bytes")),
    }
}

fn get<'r>(row: &'r rusqlite::Row<'_>, column: usize) -> Result<ValueRef<'r>, DbError> {
    row.get_ref(column).map_err(|error| DbError::Value(error.to_string()))
}

fn wrong_type(column: usize, found: ValueRef<'_>, wanted: &str) -> DbError {
    DbError::Value(format!("column {column} of a row is {} where {wanted} is expected", found.data_type()))
}

/// The file a connection works on, for messages.
pub(crate) fn place(conn: &Connection) -> String {
    match conn.path() {
        Some(path) if !path.is_empty() => path.to_owned(),
        _ => "the database in memory".to_owned(),
    }
}

/// What an error of SQLite means to us.
pub(crate) fn explain(conn: &Connection, error: rusqlite::Error, sql: &str) -> DbError {
    explain_at(place(conn), error, sql)
}

pub(crate) fn explain_at(place: String, error: rusqlite::Error, sql: &str) -> DbError {
    let (failure, message) = match error {
        rusqlite::Error::SqliteFailure(failure, message) => (failure, message),
        rusqlite::Error::SqlInputError { error, msg, .. } => (error, Some(msg)),
        rusqlite::Error::InvalidParameterCount(given, wanted) => {
            let detail = format!("{given} values for {wanted} placeholders");
            return DbError::Statement { sql: excerpt(sql), detail };
        }
        other => return DbError::Statement { sql: excerpt(sql), detail: other.to_string() },
    };
    let detail = message.unwrap_or_else(|| failure.to_string());
    match failure.code {
        ErrorCode::DiskFull => DbError::Full { place },
        // The memory map beside the file cannot grow: that is how a full disk shows while a file is opened.
        ErrorCode::SystemIoFailure if failure.extended_code == ffi::SQLITE_IOERR_SHMSIZE => DbError::Full { place },
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => DbError::Corrupt { place, detail },
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => DbError::Locked { place },
        ErrorCode::ReadOnly => DbError::ReadOnly { place, detail },
        ErrorCode::CannotOpen | ErrorCode::PermissionDenied => DbError::CannotOpen { place, detail },
        ErrorCode::SystemIoFailure | ErrorCode::FileLockingProtocolFailed => {
            DbError::Io { place, detail: format!("{detail}, code {}", failure.extended_code) }
        }
        ErrorCode::ConstraintViolation => match failure.extended_code {
            ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
                DbError::Conflict { detail }
            }
            _ => DbError::Constraint { detail },
        },
        _ => DbError::Statement { sql: excerpt(sql), detail },
    }
}
