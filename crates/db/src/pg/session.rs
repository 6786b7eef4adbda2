//! One connection to PostgreSQL with its prepared statements.

use std::collections::HashMap;

use postgres::types::{ToSql, Type};
use postgres::{Client, Statement};

use super::errors::{self, explain};
use super::placeholders::to_dollars;
use super::target::Target;
use super::values;
use crate::row::{Row, Source};
use crate::{DbError, Value};

/// Statements kept prepared; both services have fewer. Beyond, all are prepared anew.
const STATEMENTS_KEPT: usize = 1024;

/// Reads run outside transactions and so must be unable to write; writes say READ WRITE. The limits
/// free the locks of a process that was suspended in the middle of a transaction.
const SET_UP: &str = "SET default_transaction_read_only = on; SET lock_timeout = '30s'; \
                      SET idle_in_transaction_session_timeout = '60s'; SET client_min_messages = warning";

pub(crate) struct Session {
    client: Client,
    place: String,
    /// By address and length of the text: statements are `'static`, and this hashes in no time.
    statements: HashMap<(usize, usize), Statement>,
    lost: bool,
    asked_to_retry: bool,
}

/// How a COMMIT ended.
pub(crate) enum Commit {
    Done,
    RolledBack(DbError),
    Unknown(String),
}

impl Session {
    pub(crate) fn connect(target: &Target) -> Result<Self, DbError> {
        let place = target.place().to_owned();
        let unusable = |error: postgres::Error| explain(&error, &place, "");
        let mut client = target.connect().map_err(unusable)?;
        client.batch_execute(SET_UP).map_err(unusable)?;
        let durability = client
            .query_one("SELECT current_setting('synchronous_commit'), current_setting('fsync')", &[])
            .map_err(unusable)?;
        let setting = |column: usize| durability.try_get::<_, &str>(column).map_err(unusable);
        if setting(0)? == "off" {
            return Err(DbError::UnsafeSettings { place });
        }
        if setting(1)? == "off" {
            tracing::warn!(%place, "PostgreSQL has fsync=off: a power failure will destroy the database");
        }
        Ok(Self { client, place, statements: HashMap::new(), lost: false, asked_to_retry: false })
    }

    /// Whether the connection must be replaced.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost || self.client.is_closed()
    }

    /// Whether PostgreSQL asked, since the last call, for the transaction to be run again.
    pub(crate) fn take_retry(&mut self) -> bool {
        std::mem::take(&mut self.asked_to_retry)
    }

    /// Runs a statement of our own, or a script.
    pub(crate) fn script(&mut self, sql: &str) -> Result<(), DbError> {
        let result = self.client.batch_execute(sql);
        result.map_err(|error| self.note(&error, sql))
    }

    pub(crate) fn commit(&mut self) -> Commit {
        match self.client.batch_execute("COMMIT") {
            Ok(()) => Commit::Done,
            Err(error) if errors::proves_rolled_back(&error) => Commit::RolledBack(self.note(&error, "COMMIT")),
            Err(error) => {
                self.lost = true;
                Commit::Unknown(errors::describe(&error))
            }
        }
    }

    pub(crate) fn exec(&mut self, sql: &'static str, params: &[Value<'_>]) -> Result<u64, DbError> {
        let statement = self.prepare(sql, params)?;
        check_count(&statement, sql, params)?;
        self.client.execute(&statement, &bind(params)).map_err(|error| self.note(&error, sql))
    }

    pub(crate) fn one<T>(
        &mut self,
        sql: &'static str,
        params: &[Value<'_>],
        map: impl FnOnce(&Row<'_>) -> Result<T, DbError>,
    ) -> Result<Option<T>, DbError> {
        let rows = self.query(sql, params)?;
        rows.first().map(|row| map(&Row::new(Source::Postgres(row)))).transpose()
    }

    pub(crate) fn all<T>(
        &mut self,
        sql: &'static str,
        params: &[Value<'_>],
        mut map: impl FnMut(&Row<'_>) -> Result<T, DbError>,
    ) -> Result<Vec<T>, DbError> {
        let rows = self.query(sql, params)?;
        rows.iter().map(|row| map(&Row::new(Source::Postgres(row)))).collect()
    }

    fn query(&mut self, sql: &'static str, params: &[Value<'_>]) -> Result<Vec<postgres::Row>, DbError> {
        let statement = self.prepare(sql, params)?;
        check_count(&statement, sql, params)?;
        self.client.query(&statement, &bind(params)).map_err(|error| self.note(&error, sql))
    }

    /// The values of the first call settle the types of the placeholders, so that a number is 64 bits
    /// wide wherever it stands, as on SQLite; those of NULL are inferred by the server.
    fn prepare(&mut self, sql: &'static str, params: &[Value<'_>]) -> Result<Statement, DbError> {
        let key = (sql.as_ptr() as usize, sql.len());
        if let Some(statement) = self.statements.get(&key) {
            return Ok(statement.clone());
        }
        let (text, placeholders) = to_dollars(sql)?;
        let types: Vec<Type> = params.iter().take(placeholders).map(values::type_of).collect();
        let statement = self.client.prepare_typed(&text, &types).map_err(|error| self.note(&error, sql))?;
        if self.statements.len() >= STATEMENTS_KEPT {
            self.statements.clear();
        }
        self.statements.insert(key, statement.clone());
        Ok(statement)
    }

    fn note(&mut self, error: &postgres::Error, sql: &str) -> DbError {
        self.lost |= errors::connection_is_lost(error);
        self.asked_to_retry |= errors::asks_to_retry(error);
        if errors::statement_is_stale(error) {
            self.statements.clear();
        }
        explain(error, &self.place, sql)
    }
}

/// The driver panics on a wrong count.
fn check_count(statement: &Statement, sql: &str, params: &[Value<'_>]) -> Result<(), DbError> {
    let (given, wanted) = (params.len(), statement.params().len());
    if given == wanted {
        return Ok(());
    }
    let detail = format!("{given} values for {wanted} placeholders");
    Err(DbError::Statement { sql: crate::error::excerpt(sql), detail })
}

fn bind<'p>(params: &'p [Value<'_>]) -> Vec<&'p (dyn ToSql + Sync)> {
    params.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}
