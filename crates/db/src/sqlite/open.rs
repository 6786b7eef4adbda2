//! Opening SQLite files so that what is committed is on disk.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, MAIN_DB, OpenFlags};

use super::statement::{explain, explain_at, place};
use crate::DbError;

/// How a SQLite file is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteOptions {
    /// Connections for reading, each on its own thread; at least 1.
    pub readers: usize,
    /// How long a write waits for another process before it answers [`DbError::Locked`].
    pub busy_timeout: Duration,
    /// Memory in which the writer may keep pages of the file, in KiB. It takes no more than the file has.
    pub cache_kib: u32,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self { readers: 4, busy_timeout: Duration::from_secs(5), cache_kib: 2_000 }
    }
}

/// Statements kept prepared for each connection; both services have fewer.
const STATEMENTS_KEPT: usize = 512;

/// Pages in the write-ahead log before they are moved into the file (16 MiB): rarer than SQLite's
/// own choice, since each move costs two flushes in the middle of a commit.
const CHECKPOINT_PAGES: i64 = 4096;

/// Opens or creates a file for writing, and proves that it can be written durably.
pub(crate) fn open_writer(path: &Path, options: &SqliteOptions) -> Result<Connection, DbError> {
    create_private(path)?;
    let conn = open(path, options)?;
    if conn.is_readonly(MAIN_DB).map_err(|error| explain(&conn, error, "open"))? {
        return Err(DbError::ReadOnly { place: place(&conn), detail: "it is read-only".to_owned() });
    }
    expect_text(&conn, "PRAGMA journal_mode = WAL", "wal")?;
    run(&conn, "PRAGMA synchronous = FULL")?;
    expect_int(&conn, "PRAGMA synchronous", 2)?;
    // Without these, macOS confirms a flush that is still in the drive's cache.
    run(&conn, "PRAGMA fullfsync = ON")?;
    run(&conn, "PRAGMA checkpoint_fullfsync = ON")?;
    expect_int(&conn, &format!("PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}"), CHECKPOINT_PAGES)?;
    // In KiB if negative, else in pages.
    let cache_kib = -i64::from(options.cache_kib);
    run(&conn, &format!("PRAGMA cache_size = {cache_kib}"))?;
    expect_int(&conn, "PRAGMA cache_size", cache_kib)?;
    // Creates the files beside it now, so that a read-only folder is found at start.
    run(&conn, "BEGIN IMMEDIATE; ROLLBACK")?;
    Ok(conn)
}

/// Opens a further connection that cannot write.
pub(crate) fn open_reader(path: &Path, options: &SqliteOptions) -> Result<Connection, DbError> {
    let conn = open(path, options)?;
    run(&conn, "PRAGMA query_only = ON")?;
    Ok(conn)
}

/// Opens a database in memory.
pub(crate) fn open_memory() -> Result<Connection, DbError> {
    let conn = Connection::open_in_memory().map_err(|error| explain_at("memory".to_owned(), error, "open"))?;
    set_up(&conn)?;
    Ok(conn)
}

fn open(path: &Path, options: &SqliteOptions) -> Result<Connection, DbError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)
        .map_err(|error| explain_at(path.display().to_string(), error, "open"))?;
    conn.busy_timeout(options.busy_timeout).map_err(|error| explain(&conn, error, "busy_timeout"))?;
    set_up(&conn)?;
    Ok(conn)
}

fn set_up(conn: &Connection) -> Result<(), DbError> {
    conn.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    // Plans that do not look at bound values. Otherwise SQLite prepares a statement anew whenever another value is bound
    // where one might have mattered: measured, a quarter of a portal's processor time.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(|error| explain(conn, error, "QPSG"))?;
    run(conn, "PRAGMA foreign_keys = ON")?;
    expect_int(conn, "PRAGMA foreign_keys", 1)?;
    // A file from outside must not run its own functions through views or indexes.
    run(conn, "PRAGMA trusted_schema = OFF")
}

fn run(conn: &Connection, sql: &str) -> Result<(), DbError> {
    conn.execute_batch(sql).map_err(|error| explain(conn, error, sql))
}

fn expect_int(conn: &Connection, sql: &str, wanted: i64) -> Result<(), DbError> {
    let found: i64 = conn.query_row(sql, [], |row| row.get(0)).map_err(|error| explain(conn, error, sql))?;
    expect(conn, sql, &found.to_string(), &wanted.to_string())
}

fn expect_text(conn: &Connection, sql: &str, wanted: &str) -> Result<(), DbError> {
    let found: String = conn.query_row(sql, [], |row| row.get(0)).map_err(|error| explain(conn, error, sql))?;
    expect(conn, sql, &found, wanted)
}

fn expect(conn: &Connection, sql: &str, found: &str, wanted: &str) -> Result<(), DbError> {
    if found == wanted {
        return Ok(());
    }
    let detail = format!("`{sql}` gave {found}, needed is {wanted}; the file system may not support it");
    Err(DbError::CannotOpen { place: place(conn), detail })
}

/// Creates the file, readable by its owner alone: it holds secrets. SQLite gives the files beside it
/// the same rights.
fn create_private(path: &Path) -> Result<(), DbError> {
    match create_new(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => {
            let (place, detail) = (path.display().to_string(), error.to_string());
            Err(match error.kind() {
                std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                    DbError::ReadOnly { place, detail }
                }
                std::io::ErrorKind::StorageFull => DbError::Full { place },
                _ => DbError::CannotOpen { place, detail },
            })
        }
    }
}

/// Creates a file that only its owner can read, and never opens one that exists.
pub(crate) fn create_new(path: &Path) -> std::io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
