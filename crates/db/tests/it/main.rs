//! Every promise of this crate, on every kind of database that makes it.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod conformance;
mod durability;
mod files;
mod group_commit;
mod in_line;
mod migrations;
mod postgres;
mod processes;
mod races;
mod tls;

use leasehold_db::testing::{fresh_in_line, on_both};
use leasehold_db::{Db, DbError, Migration, Migrations};

/// A table for the cases: one column of each type.
const NOTES: Migrations = Migrations(&[Migration {
    version: 1,
    name: "notes",
    sql: "CREATE TABLE note (id BIGINT PRIMARY KEY, body TEXT, data BYTEA, parent BIGINT REFERENCES note (id));
          CREATE UNIQUE INDEX note_body ON note (body);",
}]);

/// Runs a case on SQLite, PostgreSQL and in line, each with [`NOTES`].
fn everywhere(case: impl Fn(&Db)) {
    let case = |db: &Db| {
        db.migrate(NOTES).unwrap();
        case(db);
    };
    on_both(case);
    case(&fresh_in_line());
}

fn insert(db: &Db, id: i64, body: &'static str) -> Result<u64, DbError> {
    db.write(move |tx| tx.exec("INSERT INTO note (id, body) VALUES (?1, ?2)", &[id.into(), body.into()]))
}

fn ids(db: &Db) -> Vec<i64> {
    db.read(|tx| tx.all("SELECT id FROM note ORDER BY id", &[], |row| row.int(0))).unwrap()
}
