//! The storage layer: one small synchronous interface over SQLite and PostgreSQL.
//!
//! This crate owns connections, transactions, group commit, migrations and backups. It knows no
//! table of Leasehold, takes no decision, and is the only place that knows there are two databases.
//!
//! ```
//! use leasehold_db::{Db, DbError, Migration, Migrations};
//!
//! const SCHEMA: Migrations = Migrations(&[Migration {
//!     version: 1,
//!     name: "pools",
//!     sql: "CREATE TABLE pool (id TEXT PRIMARY KEY, seats BIGINT NOT NULL)",
//! }]);
//!
//! # fn main() -> Result<(), DbError> {
//! let db = Db::in_line_memory()?;
//! db.migrate(SCHEMA)?;
//! db.write(|tx| tx.exec("INSERT INTO pool (id, seats) VALUES (?1, ?2)", &["gui".into(), 10.into()]))?;
//! let seats = db.read(|tx| tx.one("SELECT seats FROM pool WHERE id = ?1", &["gui".into()], |row| row.int(0)))?;
//! assert_eq!(seats, Some(10));
//! # Ok(()) }
//! ```
//!
//! # Rules for whoever writes SQL against it
//!
//! - A closure is `Fn(&mut Tx)` and pure but for the database: it may run more than once. Draw ids,
//!   secrets and `now` before it.
//! - A statement that failed dooms its write, on both databases, because PostgreSQL cannot go on
//!   after one. Where a conflict is expected, write `ON CONFLICT DO NOTHING` and look at the count.
//! - Placeholders are `?1 ?2`, never `$1` and never a bare `?`. Column types are `TEXT`, `BIGINT` and
//!   `BYTEA`; no deferrable constraints.
//! - Isolation is READ COMMITTED at the least. Guard with conditional updates and unique indexes;
//!   where a rule spans rows, update the parent row first.
//! - A read opens no transaction: each of its statements sees what was committed when it began.

mod db;
mod error;
mod job;
mod migrate;
mod pg;
mod row;
mod shared;
mod sqlite;
#[cfg(feature = "testing")]
pub mod testing;
mod tx;
mod url;
mod value;

pub use db::{Db, WeakDb};
pub use error::DbError;
pub use migrate::{Migration, Migrations};
pub use row::Row;
pub use shared::FaultPoint;
pub use sqlite::SqliteOptions;
pub use tx::{Dialect, Tx};
pub use url::DatabaseUrl;
pub use value::Value;
