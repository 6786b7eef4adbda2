//! Schemas going forward, and nowhere else.

use std::thread;

use leasehold_db::testing::{fresh_in_line, fresh_postgres, fresh_sqlite, on_both};
use leasehold_db::{Db, DbError, Dialect, Migration, Migrations};

const ONE: Migration = Migration { version: 1, name: "pools", sql: "CREATE TABLE pool (id BIGINT PRIMARY KEY)" };
const TWO: Migration = Migration {
    version: 2,
    name: "seats",
    sql: "ALTER TABLE pool ADD COLUMN seats BIGINT NOT NULL DEFAULT 0; INSERT INTO pool (id, seats) VALUES (1, 10);",
};
const OLD: Migrations = Migrations(&[ONE]);
const NEW: Migrations = Migrations(&[ONE, TWO]);

fn on_all(case: impl Fn(&Db)) {
    on_both(&case);
    case(&fresh_in_line());
}

fn seats(db: &Db) -> Result<Option<i64>, DbError> {
    db.read(|tx| tx.one("SELECT seats FROM pool WHERE id = 1", &[], |row| row.int(0)))
}

#[test]
fn each_step_runs_once() {
    on_all(|db| {
        assert_eq!(db.migrate(OLD), Ok(1));
        assert_eq!(db.migrate(OLD), Ok(0));
        assert!(seats(db).is_err());
        assert_eq!(db.migrate(NEW), Ok(1));
        assert_eq!(db.migrate(NEW), Ok(0));
        assert_eq!(seats(db), Ok(Some(10)));
    });
}

#[test]
fn a_database_of_a_newer_version_is_refused_and_untouched() {
    on_all(|db| {
        db.migrate(NEW).unwrap();
        let place = if db.dialect() == Dialect::Sqlite { "data folder" } else { "database" };
        let refused = db.migrate(OLD).unwrap_err();
        assert_eq!(refused, DbError::NewerSchema { place, found: 2, known: 1 });
        let begin = format!("this {place} was written by a newer leasehold (schema 2, this build knows 1):");
        assert!(refused.to_string().starts_with(&begin), "{refused}");
        assert_eq!(seats(db), Ok(Some(10)));
    });
}

#[test]
fn an_edited_step_is_refused_and_line_ends_do_not_count() {
    const EDITED: Migrations = Migrations(&[Migration { sql: "CREATE TABLE pool (id TEXT PRIMARY KEY)", ..ONE }, TWO]);
    const TYPED: Migrations = Migrations(&[Migration { version: 1, name: "two", sql: "SELECT 1;\nSELECT 2" }]);
    const CRLF: Migrations = Migrations(&[Migration { version: 1, name: "two", sql: "SELECT 1;\r\nSELECT 2" }]);
    on_all(|db| {
        db.migrate(OLD).unwrap();
        assert_eq!(db.migrate(EDITED), Err(DbError::MigrationChanged { version: 1, name: "pools".to_owned() }));
        assert_eq!(db.migrate(NEW), Ok(1));
    });
    on_all(|db| {
        db.migrate(TYPED).unwrap();
        assert_eq!(db.migrate(CRLF), Ok(0));
    });
}

#[test]
fn a_failing_step_leaves_the_ones_before_it_and_nothing_of_itself() {
    const BROKEN: Migrations = Migrations(&[
        ONE,
        Migration { version: 2, name: "broken", sql: "CREATE TABLE half (id BIGINT); INSERT INTO nowhere VALUES (1)" },
    ]);
    on_all(|db| {
        assert!(matches!(db.migrate(BROKEN), Err(DbError::Statement { .. })));
        assert!(db.read(|tx| tx.one("SELECT id FROM half", &[], |row| row.int(0))).is_err());
        assert_eq!(db.migrate(NEW), Ok(1));
    });
}

#[test]
fn faulty_lists_are_refused_before_anything_runs() {
    const GAP: Migrations = Migrations(&[ONE, Migration { version: 3, ..TWO }]);
    const LATE: Migrations = Migrations(&[Migration {
        version: 1,
        name: "late",
        sql: "CREATE TABLE late (id BIGINT REFERENCES late (id) DEFERRABLE INITIALLY DEFERRED)",
    }]);
    const ENDING: Migrations = Migrations(&[Migration { version: 1, name: "ending", sql: "SELECT 1; COMMIT" }]);
    for list in [GAP, LATE, ENDING] {
        let refused = fresh_in_line().migrate(list);
        assert!(matches!(refused, Err(DbError::Misuse(_))), "{refused:?}");
    }
}

#[test]
fn processes_that_migrate_at_once_do_each_step_once() {
    for fresh in [fresh_sqlite, fresh_postgres] {
        let test = fresh();
        let steps: usize = thread::scope(|scope| {
            let migrating: Vec<_> = (0..4).map(|_| scope.spawn(|| test.open_again().migrate(NEW).unwrap())).collect();
            migrating.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(steps, 2);
        assert_eq!(seats(test.db()), Ok(Some(10)));
    }
}
