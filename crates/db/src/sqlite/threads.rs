//! SQLite on threads: exactly one that writes, and a few that read what is committed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use rusqlite::Connection;

use super::batch::run_batch;
use super::open::{SqliteOptions, open_reader, open_writer};
use crate::job::{BoxedJob, JobQueue, Kind, Workers};
use crate::shared::Shared;
use crate::tx::Driver;
use crate::{DbError, Tx};

/// Most jobs in one transaction: bounds how long the first of them waits.
const BATCH_MAX: usize = 1024;

pub(crate) struct Threads {
    // Dropped in this order: the last connection to close moves the write-ahead log into the file.
    readers: Workers,
    writer: Workers,
    path: PathBuf,
    options: SqliteOptions,
}

impl Threads {
    pub(crate) fn open(path: &Path, options: SqliteOptions, shared: &Arc<Shared>) -> Result<Self, DbError> {
        let writer_conn = open_writer(path, &options)?;
        let reader_conns =
            (0..options.readers.max(1)).map(|_| open_reader(path, &options)).collect::<Result<Vec<_>, _>>()?;
        let shared = Arc::clone(shared);
        Ok(Self {
            readers: Workers::start(
                "sqlite-reader",
                reader_conns.into_iter().map(|conn| move |queue: JobQueue| serve_reads(&conn, &queue)),
            )?,
            writer: Workers::start(
                "sqlite-writer",
                [move |queue: JobQueue| serve_writes(&writer_conn, &queue, &shared)],
            )?,
            path: path.to_owned(),
            options,
        })
    }

    pub(crate) fn submit(&self, job: BoxedJob) {
        match job.kind() {
            Kind::Read => self.readers.submit(job),
            Kind::Write => self.writer.submit(job),
        }
    }

    /// A connection of its own, for what takes long and must not delay the readers.
    pub(crate) fn connect(&self) -> Result<Connection, DbError> {
        open_reader(&self.path, &self.options)
    }
}

/// Takes whatever waits into one commit. While it runs, the next batch gathers by itself.
fn serve_writes(conn: &Connection, queue: &JobQueue, shared: &Shared) {
    let _alarm = DeathAlarm(shared);
    while let Some(first) = queue.take() {
        // Whoever the last commit answered is about to ask again. Without a moment for them, the first
        // alone would get a flush and the rest wait for it: measured, a third more jobs in a commit.
        thread::yield_now();
        let mut jobs = vec![first];
        while jobs.len() < BATCH_MAX
            && let Some(next) = queue.take_waiting()
        {
            jobs.push(next);
        }
        run_batch(conn, jobs, shared);
    }
}

/// Says so if the writer dies by a panic of our own: nobody may wait for it in silence.
struct DeathAlarm<'a>(&'a Shared);

impl Drop for DeathAlarm<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.fail(&DbError::Stopped { cause: "the writer thread panicked".to_owned() });
        }
    }
}

fn serve_reads(conn: &Connection, queue: &JobQueue) {
    while let Some(job) = queue.take() {
        run_read(conn, job);
    }
}

/// Runs a read and answers it.
pub(crate) fn run_read(conn: &Connection, mut job: BoxedJob) {
    job.run(&mut Tx::new(Driver::Sqlite(conn), Kind::Read));
    job.answer(Ok(()));
}
