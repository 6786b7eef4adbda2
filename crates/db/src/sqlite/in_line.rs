//! SQLite on the caller's thread, one commit for each write: for the simulation and for tests.
//!
//! Runs the same transaction code as the writer thread. What a crash leaves is what was committed;
//! a snapshot is the bytes of that.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, MAIN_DB};

use super::batch::run_batch;
use super::copy::copy_all;
use super::open::{SqliteOptions, open_memory, open_writer};
use super::statement::explain;
use super::threads::run_read;
use crate::DbError;
use crate::job::{BoxedJob, Kind};
use crate::shared::Shared;

pub(crate) struct InLine(Mutex<Connection>);

impl InLine {
    pub(crate) fn memory() -> Result<Self, DbError> {
        Ok(Self(Mutex::new(open_memory()?)))
    }

    pub(crate) fn file(path: &Path) -> Result<Self, DbError> {
        Ok(Self(Mutex::new(open_writer(path, &SqliteOptions::default())?)))
    }

    pub(crate) fn run(&self, job: BoxedJob, shared: &Shared) {
        let conn = self.lock();
        match job.kind() {
            Kind::Read => run_read(&conn, job),
            Kind::Write => run_batch(&conn, vec![job], shared),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn snapshot(&self) -> Result<Vec<u8>, DbError> {
        /// Where the file format says how the database is journaled; 2 is a write-ahead log, which
        /// bytes in memory cannot have, 1 is none.
        const JOURNAL_MARKS: std::ops::Range<usize> = 18..20;
        let mut conn = self.lock();
        let mut bytes = match conn.serialize(MAIN_DB) {
            Ok(data) => data.to_vec(),
            Err(error) => return Err(explain(&conn, error, "serialize")),
        };
        if let Some(marks) = bytes.get_mut(JOURNAL_MARKS) {
            marks.fill(1);
        }
        Ok(bytes)
    }

    pub(crate) fn restore(&self, snapshot: &[u8]) -> Result<(), DbError> {
        let mut from = open_memory()?;
        if let Err(error) = from.deserialize_read_exact(MAIN_DB, snapshot, snapshot.len(), true) {
            return Err(explain(&from, error, "deserialize"));
        }
        copy_all(&from, &mut self.lock())
    }
}
