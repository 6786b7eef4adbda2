//! One row of a result, the same on both databases.

use crate::{DbError, pg, sqlite};

/// A row given to a mapper. Columns count from 0.
///
/// Every getter fails with [`DbError::Value`] if the column does not exist or holds another type, and
/// those without `opt_` also on NULL.
pub struct Row<'a>(Source<'a>);

pub(crate) enum Source<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a postgres::Row),
}

impl<'a> Row<'a> {
    pub(crate) fn new(source: Source<'a>) -> Self {
        Self(source)
    }

    /// Text, or `None` for NULL, borrowed from the row: for parsing without an allocation.
    ///
    /// # Errors
    /// [`DbError::Value`] if the column is not text.
    pub fn opt_str(&self, column: usize) -> Result<Option<&str>, DbError> {
        match &self.0 {
            Source::Sqlite(row) => sqlite::text(row, column),
            Source::Postgres(row) => pg::text(row, column),
        }
    }

    /// Text, borrowed from the row.
    ///
    /// # Errors
    /// [`DbError::Value`] if the column is not text or is NULL.
    pub fn str(&self, column: usize) -> Result<&str, DbError> {
        self.opt_str(column)?.ok_or_else(|| null(column))
    }

    /// Text.
    ///
    /// # Errors
    /// [`DbError::Value`] if the column is not text or is NULL.
    pub fn text(&self, column: usize) -> Result<String, DbError> {
        self.str(column).map(str::to_owned)
    }

    /// Text, or `None` for NULL.
    ///
    /// # Errors
    /// [`DbError::Value`] if the column is not text.
    pub fn opt_text(&self, column: usize) -> Result<Option<String>, DbError> {
        Ok(self.opt_str(column)?.map(str::to_owned))
    }

    /// A whole number; a truth value is 0 or 1.
    ///
    /// # Errors
    /// [`DbError::Value`] if the column is not a whole number or is NULL. `SUM` is NUMERIC on
    /// PostgreSQL: cast it to BIGINT.
    pub fn int(&self, column: usize) -> Result<i64, DbError> {
        self.opt_int(column)?.ok_or_else(|| null(column))
    }

    /// A whole number, or `None` for NULL.
    ///
    /// # Errors
    /// [`DbError::Value`] if the column is not a whole number.
    pub fn opt_int(&self, column: usize) -> Result<Option<i64>, DbError> {
        match &self.0 {
            Source::Sqlite(row) => sqlite::int(row, column),
            Source::Postgres(row) => pg::int(row, column),
        }
    }

    /// A truth value stored as 0 or 1.
    ///
    /// # Errors
    /// [`DbError::Value`] if the column holds anything else.
    pub fn bool(&self, column: usize) -> Result<bool, DbError> {
        match self.int(column)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(DbError::Value(format!("column {column} holds {other} where 0 or 1 is expected"))),
        }
    }

    /// Bytes.
    ///
    /// # Errors
    /// [`DbError::Value`] if the column is not bytes or is NULL.
    pub fn bytes(&self, column: usize) -> Result<Vec<u8>, DbError> {
        self.opt_bytes(column)?.ok_or_else(|| null(column))
    }

    /// Bytes, or `None` for NULL.
    ///
    /// # Errors
    /// [`DbError::Value`] if the column is not bytes.
    pub fn opt_bytes(&self, column: usize) -> Result<Option<Vec<u8>>, DbError> {
        match &self.0 {
            Source::Sqlite(row) => sqlite::bytes(row, column),
            Source::Postgres(row) => pg::bytes(row, column),
        }
    }
}

fn null(column: usize) -> DbError {
    DbError::Value(format!("column {column} of a row is NULL where a value is expected"))
}
