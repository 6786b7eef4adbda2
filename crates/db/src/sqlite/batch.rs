//! Group commit: several jobs in one transaction, each on its own, one flush, then all answers.
//!
//! Owns the order "commit, then answer" and what is rolled back when. Used by the writer thread and,
//! one job at a time, by the in-line database.

use rusqlite::Connection;

use super::statement::{control, place};
use crate::job::{BoxedJob, Job, Kind, Verdict};
use crate::shared::{FaultPoint, Shared};
use crate::tx::Driver;
use crate::{DbError, Tx};

/// Why the jobs of a transaction cannot be answered with their own results.
enum Trouble {
    /// What one job did could not be undone alone: run each job once more, in a transaction of its own.
    NotSeparable(DbError),
    /// All of them share this fate.
    Shared(DbError),
}

impl From<DbError> for Trouble {
    fn from(error: DbError) -> Self {
        Self::Shared(error)
    }
}

/// Runs jobs in one transaction, commits once and answers them all. Every job is answered.
pub(crate) fn run_batch(conn: &Connection, mut jobs: Vec<BoxedJob>, shared: &Shared) {
    let fate = match shared.check_running() {
        Ok(()) => match attempt(conn, &mut jobs, shared) {
            Err(Trouble::NotSeparable(cause)) if jobs.len() > 1 => {
                tracing::warn!(%cause, jobs = jobs.len(), "running the jobs of a batch once more, each alone");
                for job in jobs {
                    run_batch(conn, vec![job], shared);
                }
                return;
            }
            Err(Trouble::NotSeparable(error) | Trouble::Shared(error)) => Err(error),
            Ok(()) => Ok(()),
        },
        Err(stopped) => Err(stopped),
    };
    // Recorded before the answers, so that whoever reads one finds the database marked as failed.
    if let Err(error) = &fate
        && error.stops_writer()
    {
        shared.fail(error);
    }
    for job in jobs {
        job.answer(fate.clone());
    }
}

/// One transaction, rolled back after an error.
fn attempt(conn: &Connection, jobs: &mut [BoxedJob], shared: &Shared) -> Result<(), Trouble> {
    control(conn, "BEGIN IMMEDIATE")?;
    let result = run_jobs(conn, jobs, shared).and_then(|kept| match kept {
        0 => roll_back(conn).map_err(Trouble::from),
        _ => commit(conn, shared).map_err(Trouble::from),
    });
    let Err(trouble) = result else { return Ok(()) };
    match (roll_back(conn), &trouble) {
        // What is already worse stays: above all, an unknown outcome never becomes "not stored".
        (Err(_), Trouble::Shared(error)) if error.stops_writer() => Err(trouble),
        (Err(stuck), _) => Err(Trouble::Shared(stuck)),
        (Ok(()), _) => Err(trouble),
    }
}

/// Runs the jobs and returns how many want to be kept.
fn run_jobs(conn: &Connection, jobs: &mut [BoxedJob], shared: &Shared) -> Result<usize, Trouble> {
    if let [only] = jobs {
        // Alone, the transaction itself is the savepoint.
        return match run_job(conn, only.as_mut(), shared)? {
            Verdict::Keep => Ok(1),
            Verdict::Undo => Ok(0),
        };
    }
    let mut kept = 0;
    for job in jobs {
        control(conn, "SAVEPOINT job").map_err(not_separable)?;
        match run_job(conn, job.as_mut(), shared)? {
            Verdict::Keep => kept += 1,
            Verdict::Undo => shared
                .pass(FaultPoint::SavepointRollback)
                .and_then(|()| control(conn, "ROLLBACK TO job"))
                .map_err(not_separable)?,
        }
        control(conn, "RELEASE job").map_err(not_separable)?;
    }
    Ok(kept)
}

fn run_job(conn: &Connection, job: &mut dyn Job, shared: &Shared) -> Result<Verdict, Trouble> {
    if shared.run_twice() {
        control(conn, "SAVEPOINT rehearsal").map_err(not_separable)?;
        run_once(conn, job)?;
        control(conn, "ROLLBACK TO rehearsal").map_err(not_separable)?;
        control(conn, "RELEASE rehearsal").map_err(not_separable)?;
    }
    run_once(conn, job)
}

fn run_once(conn: &Connection, job: &mut dyn Job) -> Result<Verdict, Trouble> {
    let mut tx = Tx::new(Driver::Sqlite(conn), Kind::Write);
    let verdict = job.run(&mut tx);
    match tx.into_failure() {
        Some(error) if error.dooms_batch() => Err(Trouble::Shared(error)),
        // SQLite itself ended the transaction, and with it what the jobs before this one wrote.
        Some(error) if conn.is_autocommit() => Err(Trouble::NotSeparable(error)),
        _ => Ok(verdict),
    }
}

fn commit(conn: &Connection, shared: &Shared) -> Result<(), DbError> {
    let outcome_unknown = |error: DbError| DbError::Unknown { place: place(conn), detail: error.to_string() };
    shared.pass(FaultPoint::BeforeCommit).and_then(|()| control(conn, "COMMIT")).map_err(|error| match error {
        // Nothing was made visible: the commit record is what did not fit.
        DbError::Full { .. } => error,
        other => outcome_unknown(other),
    })?;
    shared.count_commit();
    shared.pass(FaultPoint::AfterCommit).map_err(outcome_unknown)
}

/// Rolls back what is open. SQLite does so by itself after some errors, and a commit leaves nothing.
fn roll_back(conn: &Connection) -> Result<(), DbError> {
    if conn.is_autocommit() {
        return Ok(());
    }
    control(conn, "ROLLBACK").map_err(|error| DbError::Io {
        place: place(conn),
        detail: format!("a transaction could not be rolled back: {error}"),
    })
}

/// A failure that concerns the whole stays one; any other is mended by running the jobs alone.
fn not_separable(error: DbError) -> Trouble {
    if error.dooms_batch() { Trouble::Shared(error) } else { Trouble::NotSeparable(error) }
}
