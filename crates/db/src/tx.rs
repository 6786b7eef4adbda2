//! The transaction a closure is given: statements in, rows out, the same on both databases.
//!
//! Owns what is checked alike for both before a statement is sent, and the rule that one failed
//! statement dooms its write. The drivers stand in `sqlite` and `pg`.

use rusqlite::Connection;

use crate::error::excerpt;
use crate::job::Kind;
use crate::pg::Session;
use crate::row::Row;
use crate::{DbError, Value, sqlite};

/// Which of the two databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite, threaded or in line.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

pub(crate) enum Driver<'a> {
    Sqlite(&'a Connection),
    Postgres(&'a mut Session),
}

/// A transaction in progress, or a connection for reading.
///
/// In a write the first error of any method dooms the whole: later calls answer
/// [`DbError::Poisoned`], and a closure that returns `Ok` all the same is rolled back.
pub struct Tx<'a> {
    driver: Driver<'a>,
    kind: Kind,
    failure: Option<DbError>,
}

impl<'a> Tx<'a> {
    pub(crate) fn new(driver: Driver<'a>, kind: Kind) -> Self {
        Self { driver, kind, failure: None }
    }

    /// Runs a statement and returns the number of rows it changed.
    ///
    /// # Errors
    /// [`DbError::Conflict`] for a unique index, [`DbError::Constraint`] for other constraints,
    /// [`DbError::Value`] for a value that cannot be bound, else what the database said.
    pub fn exec(&mut self, sql: &'static str, params: &[Value<'_>]) -> Result<u64, DbError> {
        self.guarded(sql, params, |driver, kind| match driver {
            Driver::Sqlite(conn) => sqlite::exec(conn, kind, sql, params),
            Driver::Postgres(session) => session.exec(sql, params),
        })
    }

    /// The first row of a result, mapped; `None` if there is none.
    ///
    /// # Errors
    /// As [`Tx::exec`], and whatever the mapper returns.
    pub fn one<T>(
        &mut self,
        sql: &'static str,
        params: &[Value<'_>],
        map: impl FnOnce(&Row<'_>) -> Result<T, DbError>,
    ) -> Result<Option<T>, DbError> {
        self.guarded(sql, params, |driver, kind| match driver {
            Driver::Sqlite(conn) => sqlite::one(conn, kind, sql, params, map),
            Driver::Postgres(session) => session.one(sql, params, map),
        })
    }

    /// All rows of a result, mapped.
    ///
    /// # Errors
    /// As [`Tx::exec`], and whatever the mapper returns.
    pub fn all<T>(
        &mut self,
        sql: &'static str,
        params: &[Value<'_>],
        map: impl FnMut(&Row<'_>) -> Result<T, DbError>,
    ) -> Result<Vec<T>, DbError> {
        self.guarded(sql, params, |driver, kind| match driver {
            Driver::Sqlite(conn) => sqlite::all(conn, kind, sql, params, map),
            Driver::Postgres(session) => session.all(sql, params, map),
        })
    }

    /// The text for the database at hand, for the few places where they must differ.
    #[must_use]
    pub fn dialect<T>(&self, sqlite: T, postgres: T) -> T {
        match self.which() {
            Dialect::Sqlite => sqlite,
            Dialect::Postgres => postgres,
        }
    }

    /// Which database this is.
    #[must_use]
    pub fn which(&self) -> Dialect {
        match self.driver {
            Driver::Sqlite(_) => Dialect::Sqlite,
            Driver::Postgres(_) => Dialect::Postgres,
        }
    }

    /// The database's own clock, Unix ms: only for comparing it with this process's clock.
    ///
    /// # Errors
    /// What the database said.
    pub fn clock_ms(&mut self) -> Result<i64, DbError> {
        let sql = self.dialect(
            "SELECT CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)",
            "SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT",
        );
        self.one(sql, &[], |row| row.int(0))?
            .ok_or_else(|| DbError::Value("the database's clock gave no answer".to_owned()))
    }

    /// Runs the several statements of a migration.
    pub(crate) fn script(&mut self, sql: &'static str) -> Result<(), DbError> {
        self.guarded("", &[], |driver, _| match driver {
            Driver::Sqlite(conn) => sqlite::script(conn, sql),
            Driver::Postgres(session) => session.script(sql),
        })
    }

    /// The failure that doomed this write.
    pub(crate) fn poison(&self) -> Option<&DbError> {
        match self.kind {
            Kind::Write => self.failure.as_ref(),
            Kind::Read => None,
        }
    }

    /// The first failure of a read or write, for the driver.
    pub(crate) fn into_failure(self) -> Option<DbError> {
        self.failure
    }

    fn guarded<T>(
        &mut self,
        sql: &'static str,
        params: &[Value<'_>],
        run: impl FnOnce(&mut Driver<'a>, Kind) -> Result<T, DbError>,
    ) -> Result<T, DbError> {
        if let Some(cause) = self.poison() {
            return Err(DbError::Poisoned { cause: Box::new(cause.clone()) });
        }
        let result = refuse_transaction_control(sql)
            .and_then(|()| refuse_nul(params))
            .and_then(|()| run(&mut self.driver, self.kind));
        if let Err(error) = &result
            && self.failure.is_none()
        {
            self.failure = Some(error.clone());
        }
        result
    }
}

/// Transactions belong to the driver: a closure that ended one would commit half of a batch.
pub(crate) fn refuse_transaction_control(sql: &str) -> Result<(), DbError> {
    const WORDS: [&str; 7] = ["BEGIN", "START", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE"];
    let word = sql.trim_start().split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    if WORDS.iter().any(|control| control.eq_ignore_ascii_case(word)) {
        return Err(DbError::Misuse(format!("a closure may not control its transaction: {}", excerpt(sql))));
    }
    Ok(())
}

/// PostgreSQL cannot store NUL in text; SQLite can, and cuts it off in some functions. Refused alike.
fn refuse_nul(params: &[Value<'_>]) -> Result<(), DbError> {
    for (index, value) in params.iter().enumerate() {
        if let Value::Text(text) = value
            && text.as_bytes().contains(&0)
        {
            return Err(DbError::Value(format!(
                "text for ?{} contains a NUL character, which the database cannot store",
                index + 1
            )));
        }
    }
    Ok(())
}
