//! Fresh databases for tests, of this crate and of those above it.
//!
//! All of them run every write closure twice ([`Db::run_closures_twice`]), so that a closure that is
//! not pure is found by whatever test uses it. Failures here are panics: a test has no use for errors.

#![expect(clippy::expect_used, reason = "test support")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use postgres::{Client, NoTls};
use tempfile::TempDir;

use crate::{Db, Dialect, SqliteOptions};

/// Environment variable with the URL of a PostgreSQL server whose user may create schemas, such as
/// `postgres://leasehold@127.0.0.1:5432/postgres`.
pub const POSTGRES_VARIABLE: &str = "LEASEHOLD_TEST_POSTGRES";

/// Connections of a PostgreSQL test database: enough for races, few enough for many tests at once.
const POOL_SIZE: usize = 4;

/// A database of its own for one test. Dropping it removes it, once no clone of the [`Db`] is left.
#[derive(Debug)]
pub struct TestDb {
    // Closed before its home is removed.
    db: Option<Db>,
    home: Home,
}

#[derive(Debug)]
enum Home {
    Folder(TempDir),
    Schema { base: String, name: String },
}

impl TestDb {
    /// The database.
    #[must_use]
    pub fn db(&self) -> &Db {
        self.db.as_ref().expect("present until dropped")
    }

    /// The URL to open it a second time, as another process would.
    #[must_use]
    pub fn url(&self) -> String {
        match &self.home {
            Home::Folder(folder) => format!("sqlite:{}", file_in(folder.path()).display()),
            Home::Schema { base, name } => schema_url(base, name),
        }
    }

    /// Opens it a second time, as another process would.
    #[must_use]
    pub fn open_again(&self) -> Db {
        match &self.home {
            Home::Folder(folder) => {
                Db::open_sqlite(file_in(folder.path()), SqliteOptions::default()).expect("open the file again")
            }
            Home::Schema { .. } => Db::open_postgres(&self.url(), POOL_SIZE).expect("open the schema again"),
        }
    }

    /// The folder of a SQLite database; the file in it is `test.db`.
    ///
    /// # Panics
    /// On PostgreSQL.
    #[must_use]
    pub fn folder(&self) -> &Path {
        match &self.home {
            Home::Folder(folder) => folder.path(),
            Home::Schema { .. } => panic!("a PostgreSQL database has no folder"),
        }
    }

    /// Which database it is, for messages.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.db().dialect()
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        self.db = None;
        if let Home::Schema { base, name } = &self.home {
            let sql = format!("SET lock_timeout = '10s'; DROP SCHEMA IF EXISTS {name} CASCADE");
            if let Err(error) = try_on_server(base, &sql) {
                // Not a panic: one may be under way already, and the server lives no longer than the run.
                tracing::warn!(%error, name, "a test schema could not be dropped");
            }
        }
    }
}

/// An empty SQLite file with its threads, in a temporary folder.
#[must_use]
pub fn fresh_sqlite() -> TestDb {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let db = Db::open_sqlite(file_in(folder.path()), SqliteOptions::default()).expect("open a fresh file");
    db.run_closures_twice(true);
    TestDb { db: Some(db), home: Home::Folder(folder) }
}

/// An empty schema in the PostgreSQL server of the test run.
///
/// # Panics
/// If [`POSTGRES_VARIABLE`] is not set: `cargo xtask test` starts a server and sets it.
#[must_use]
pub fn fresh_postgres() -> TestDb {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let base = postgres_url();
    let name = format!("leasehold_test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    // A killed run may have left one under a process id that is in use again.
    let sql = format!("DROP SCHEMA IF EXISTS {name} CASCADE; CREATE SCHEMA {name}");
    try_on_server(&base, &sql).expect("create a schema for this test");
    let db = Db::open_postgres(&schema_url(&base, &name), POOL_SIZE).expect("open a fresh schema");
    db.run_closures_twice(true);
    TestDb { db: Some(db), home: Home::Schema { base, name } }
}

/// An empty in-line database in memory.
#[must_use]
pub fn fresh_in_line() -> Db {
    let db = Db::in_line_memory().expect("a database in memory");
    db.run_closures_twice(true);
    db
}

/// Runs a case on a fresh database of each kind: SQLite first, then PostgreSQL.
///
/// # Panics
/// As [`fresh_postgres`], and when the case does.
pub fn on_both(case: impl Fn(&Db)) {
    for fresh in [fresh_sqlite as fn() -> TestDb, fresh_postgres] {
        let test = fresh();
        case(test.db());
    }
}

/// The URL of the PostgreSQL server of the test run.
///
/// # Panics
/// If [`POSTGRES_VARIABLE`] is not set.
#[must_use]
pub fn postgres_url() -> String {
    std::env::var(POSTGRES_VARIABLE).unwrap_or_else(|_| {
        panic!("{POSTGRES_VARIABLE} is not set, so there is no PostgreSQL to test with: run `cargo xtask test`")
    })
}

fn file_in(folder: &Path) -> PathBuf {
    folder.join("test.db")
}

fn schema_url(base: &str, name: &str) -> String {
    let separator = if base.contains('?') { '&' } else { '?' };
    format!("{base}{separator}options=-csearch_path%3D{name}")
}

/// Runs statements on a connection of its own, on a thread of its own: the test may be async.
fn try_on_server(url: &str, sql: &str) -> Result<(), postgres::Error> {
    thread::scope(|scope| {
        scope
            .spawn(|| Client::connect(url, NoTls).and_then(|mut client| client.batch_execute(sql)))
            .join()
            .expect("the thread of a connection")
    })
}
