//! The thread of one connection: transactions, retries, reconnecting.
//!
//! Owns the rule what may be run again: a job whose COMMIT was not sent, if PostgreSQL asked for it;
//! and a job that had not begun when its connection turned out to be dead. Nothing else.

use std::sync::mpsc;
use std::time::Duration;

use crate::job::{BoxedJob, Job, JobQueue, Kind, Verdict};
use crate::pg::session::{Commit, Session};
use crate::pg::target::Target;
use crate::shared::{FaultPoint, Shared};
use crate::tx::Driver;
use crate::{DbError, Tx};

/// Times a write is run before its last serialization failure or deadlock is answered.
const ATTEMPTS: u32 = 5;

/// How long a write steps aside before its second run; longer before each further one.
const ASIDE: Duration = Duration::from_millis(10);

const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

pub(crate) fn serve(queue: &JobQueue, target: &Target, shared: &Shared) {
    let mut worker = Worker { session: None, target, shared };
    while let Some(job) = queue.take() {
        worker.run(job);
    }
}

struct Worker<'w> {
    session: Option<Session>,
    target: &'w Target,
    shared: &'w Shared,
}

impl Worker<'_> {
    fn run(&mut self, mut job: BoxedJob) {
        let fate = match job.kind() {
            Kind::Read => self.read(job.as_mut()),
            Kind::Write => self.write(job.as_mut()),
        };
        if self.session.as_ref().is_some_and(Session::is_lost) {
            self.session = None;
        }
        job.answer(fate);
    }

    /// Runs a read; once more if the connection had died since it was last used.
    fn read(&mut self, job: &mut dyn Job) -> Result<(), DbError> {
        let reused = self.session.is_some();
        let session = connected(&mut self.session, self.target)?;
        job.run(&mut Tx::new(Driver::Postgres(session), Kind::Read));
        if reused && session.is_lost() {
            self.session = None;
            let session = connected(&mut self.session, self.target)?;
            job.run(&mut Tx::new(Driver::Postgres(session), Kind::Read));
        }
        Ok(())
    }

    fn write(&mut self, job: &mut dyn Job) -> Result<(), DbError> {
        let mut attempt = 1;
        loop {
            let session = begun(&mut self.session, self.target)?;
            let verdict = run_job(session, job, self.shared);
            let retry = session.take_retry() && attempt < ATTEMPTS;
            if verdict == Ok(Verdict::Keep) && !retry {
                return commit(session, self.shared);
            }
            if !session.is_lost() && session.script("ROLLBACK").is_err() {
                self.session = None;
            }
            if !retry {
                // The job holds its own error.
                return verdict.map(drop);
            }
            tracing::debug!(attempt, "PostgreSQL asked to run a transaction again");
            step_aside(attempt);
            attempt += 1;
        }
    }
}

/// Lets whoever waited for our locks go first. Without it, both sides of a deadlock take their first
/// lock again at once and meet again, up to the last attempt.
fn step_aside(attempt: u32) {
    let (_kept, never) = mpsc::channel::<()>();
    let _elapsed = never.recv_timeout(ASIDE * attempt);
}

/// The session, connected if there was none.
fn connected<'s>(slot: &'s mut Option<Session>, target: &Target) -> Result<&'s mut Session, DbError> {
    Ok(match slot {
        Some(session) => session,
        None => slot.insert(Session::connect(target)?),
    })
}

/// The session in a new transaction; on a new connection if the old one had died.
fn begun<'s>(slot: &'s mut Option<Session>, target: &Target) -> Result<&'s mut Session, DbError> {
    if let Some(session) = slot
        && let Err(error) = session.script(BEGIN)
    {
        if !error.is_unreachable() {
            return Err(error);
        }
        *slot = None;
    } else if let Some(session) = slot {
        return Ok(session);
    }
    let session = connected(slot, target)?;
    session.script(BEGIN)?;
    Ok(session)
}

fn run_job(session: &mut Session, job: &mut dyn Job, shared: &Shared) -> Result<Verdict, DbError> {
    if shared.run_twice() {
        session.script("SAVEPOINT rehearsal")?;
        job.run(&mut Tx::new(Driver::Postgres(session), Kind::Write));
        session.script("ROLLBACK TO rehearsal; RELEASE rehearsal")?;
    }
    Ok(job.run(&mut Tx::new(Driver::Postgres(session), Kind::Write)))
}

fn commit(session: &mut Session, shared: &Shared) -> Result<(), DbError> {
    if let Err(error) = shared.pass(FaultPoint::BeforeCommit) {
        session.script("ROLLBACK")?;
        return Err(error);
    }
    match session.commit() {
        Commit::Done => shared.count_commit(),
        Commit::RolledBack(error) => return Err(error),
        Commit::Unknown(detail) => return Err(DbError::OutcomeUnknown { detail }),
    }
    shared.pass(FaultPoint::AfterCommit).map_err(|error| DbError::OutcomeUnknown { detail: error.to_string() })
}
