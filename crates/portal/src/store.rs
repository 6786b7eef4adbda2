//! All SQL of the portal: plain functions of a transaction, one file for each family of tables.
//!
//! Nothing here decides, draws ids or reads a clock, and nothing outside writes SQL. Ids, JSON and words are turned into
//! their types here, so that a damaged row is an error with its column and never a wrong value.

pub mod accounts;
pub mod assignments;
pub mod audit;
pub mod bells;
pub mod catalog;
pub mod devices;
pub mod documents;
pub mod handovers;
pub mod idempotency;
pub mod invitations;
pub mod licenses;
pub mod links;
pub mod mails;
pub mod members;
pub mod organizations;
pub mod overview;
pub mod pins;
pub mod promises;
pub mod receipts;
pub mod schema;
pub mod sessions;
pub mod state;
pub mod sync;
pub mod tokens;
pub mod workstations;

use leasehold_core::time::Ms;
use leasehold_db::{DbError, Row, Value};
use leasehold_wire::time::Time;
use serde::de::DeserializeOwned;
use std::fmt::Display;
use std::str::FromStr;

/// Where a keyset page begins that begins at the newest row: later than every id.
const FROM_THE_NEWEST: &str = "zzzz";

/// Which part of a list, newest first.
#[derive(Clone, Debug)]
pub struct Keyset {
    /// Only ids that sort before this one.
    pub before: Option<String>,
    /// At most so many rows.
    pub limit: u32,
}

impl Keyset {
    fn before(&self) -> Value<'_> {
        Value::from(self.before.as_deref().unwrap_or(FROM_THE_NEWEST))
    }

    fn limit(&self) -> Value<'static> {
        Value::from(self.limit)
    }
}

fn text(value: impl Display) -> Value<'static> {
    Value::from(value.to_string())
}

fn rev(rev: u64) -> Value<'static> {
    Value::from(i64::try_from(rev).unwrap_or(i64::MAX))
}

/// The pattern of whatever contains `part`, in lower case, with `!` before what would stand for something else.
fn containing(part: &str) -> String {
    let mut pattern = String::from("%");
    for c in part.to_lowercase().chars() {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

fn damaged(column: usize, why: impl Display) -> DbError {
    DbError::Value(format!("column {column} of a row cannot be read: {why}"))
}

/// An id in its text form.
fn id<T: FromStr<Err: Display>>(row: &Row<'_>, column: usize) -> Result<T, DbError> {
    row.str(column)?.parse().map_err(|why| damaged(column, why))
}

fn opt_id<T: FromStr<Err: Display>>(row: &Row<'_>, column: usize) -> Result<Option<T>, DbError> {
    row.opt_str(column)?.map(str::parse).transpose().map_err(|why| damaged(column, why))
}

fn word<T>(row: &Row<'_>, column: usize, read: impl Fn(&str) -> Option<T>) -> Result<T, DbError> {
    let word = row.str(column)?;
    read(word).ok_or_else(|| damaged(column, format_args!("unknown word {word:?}")))
}

fn json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> Result<T, DbError> {
    serde_json::from_str(row.str(column)?).map_err(|why| damaged(column, why))
}

fn to_json(value: &impl serde::Serialize) -> Result<Value<'static>, DbError> {
    serde_json::to_string(value)
        .map(Value::from)
        .map_err(|why| DbError::Value(format!("a value cannot be stored: {why}")))
}

fn ms(row: &Row<'_>, column: usize) -> Result<Ms, DbError> {
    row.int(column).map(Ms)
}

fn opt_ms(row: &Row<'_>, column: usize) -> Result<Option<Ms>, DbError> {
    Ok(row.opt_int(column)?.map(Ms))
}

fn time(row: &Row<'_>, column: usize) -> Result<Time, DbError> {
    ms(row, column).map(Time)
}

fn whole<T: TryFrom<i64>>(row: &Row<'_>, column: usize) -> Result<T, DbError> {
    let number = row.int(column)?;
    T::try_from(number).map_err(|_| damaged(column, format_args!("{number} is out of range")))
}
