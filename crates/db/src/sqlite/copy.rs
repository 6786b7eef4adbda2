//! Whole-database work on SQLite: backups and the integrity check.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::open::create_new;
use super::statement::{explain, explain_at, place};
use crate::DbError;

/// Copies everything committed in one step: one read of one state, however much is written meanwhile.
pub(crate) fn copy_all(from: &Connection, to: &mut Connection) -> Result<(), DbError> {
    let target = place(to);
    let whole = |error| explain_at(target.clone(), error, "backup");
    match Backup::new(from, to).map_err(whole)?.step(-1).map_err(whole)? {
        StepResult::Done => Ok(()),
        _ => Err(DbError::Locked { place: target }),
    }
}

/// Writes a backup to a new file, complete and flushed before it has its name.
pub(crate) fn backup(from: &Connection, path: &Path) -> Result<(), DbError> {
    let failed = |error: io::Error| {
        let place = path.display().to_string();
        match error.kind() {
            ErrorKind::StorageFull => DbError::Full { place },
            ErrorKind::AlreadyExists => {
                DbError::CannotOpen { place, detail: "the file exists already and is not overwritten".to_owned() }
            }
            _ => DbError::CannotOpen { place, detail: error.to_string() },
        }
    };
    if path.symlink_metadata().is_ok() {
        return Err(failed(ErrorKind::AlreadyExists.into()));
    }
    let partial = partial_name(path);
    create_new(&partial).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => DbError::CannotOpen {
            place: partial.display().to_string(),
            detail: "another backup is being written, or one was broken off: then delete this file".to_owned(),
        },
        _ => failed(error),
    })?;
    let result = fill(from, &partial).and_then(|()| publish(&partial, path).map_err(failed));
    if result.is_err() {
        drop(fs::remove_file(&partial));
    }
    result
}

fn fill(from: &Connection, partial: &Path) -> Result<(), DbError> {
    let place = || partial.display().to_string();
    let mut to = Connection::open(partial).map_err(|error| explain_at(place(), error, "open"))?;
    // The file is worth nothing until it is whole: no journal, one flush at the end.
    to.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF")
        .map_err(|error| explain(&to, error, "PRAGMA"))?;
    copy_all(from, &mut to)?;
    to.close().map_err(|(_, error)| explain_at(place(), error, "close"))
}

/// Flushes the file, gives it its name without replacing another, and flushes the folder.
fn publish(partial: &Path, path: &Path) -> io::Result<()> {
    fs::OpenOptions::new().write(true).open(partial)?.sync_all()?;
    match fs::hard_link(partial, path) {
        Ok(()) => fs::remove_file(partial)?,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(error),
        // A file system without links, such as that of most USB sticks.
        Err(_) if path.symlink_metadata().is_err() => fs::rename(partial, path)?,
        Err(error) => return Err(error),
    }
    flush_folder(path)
}

#[cfg(unix)]
fn flush_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Elsewhere a folder cannot be opened as a file, and names are flushed with the file.
#[cfg(not(unix))]
fn flush_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}

fn partial_name(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

/// Reads the whole database and says what is wrong with it.
pub(crate) fn check_integrity(conn: &Connection) -> Result<(), DbError> {
    let mut findings = rows(conn, "PRAGMA integrity_check(20)", |row| row.get::<_, String>(0))?;
    findings.retain(|finding| finding != "ok");
    findings.extend(rows(conn, "PRAGMA foreign_key_check", |row| {
        let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
        Ok(format!("a row of {table} refers to a missing row of {parent}"))
    })?);
    if findings.is_empty() {
        return Ok(());
    }
    findings.truncate(20);
    Err(DbError::Corrupt { place: place(conn), detail: findings.join("; ") })
}

fn rows(
    conn: &Connection,
    sql: &str,
    map: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<String>,
) -> Result<Vec<String>, DbError> {
    conn.prepare(sql)
        .and_then(|mut statement| statement.query_map([], map)?.collect())
        .map_err(|error| explain(conn, error, sql))
}
