//! A unit of work on its way to the thread that runs it, and the threads themselves.
//!
//! Owns running a closure safely (panics caught, no nesting) and carrying its answer back. Knows
//! nothing of transactions: the driver tells a job its fate after the commit.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

use crate::{DbError, Tx};

/// What a job asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Read,
    Write,
}

/// What the driver must do with what a job wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Keep,
    Undo,
}

/// A closure with its answer and its way back, without its types.
pub(crate) trait Job: Send {
    fn kind(&self) -> Kind;

    /// Runs the closure and keeps its result for [`Job::answer`]. May be called again: the last run
    /// counts.
    fn run(&mut self, tx: &mut Tx<'_>) -> Verdict;

    /// Sends the result of the last run, or the fate that overrules it.
    fn answer(self: Box<Self>, fate: Result<(), DbError>);
}

pub(crate) type BoxedJob = Box<dyn Job>;

/// Where an answer goes. A receiver that is gone is nobody's loss.
pub(crate) enum Reply<T, E> {
    Blocking(mpsc::SyncSender<Result<T, E>>),
    Async(oneshot::Sender<Result<T, E>>),
}

pub(crate) struct Task<F, T, E> {
    kind: Kind,
    closure: F,
    result: Option<Result<T, E>>,
    reply: Reply<T, E>,
}

impl<F, T, E> Task<F, T, E>
where
    F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    T: Send + 'static,
    E: From<DbError> + Send + 'static,
{
    pub(crate) fn boxed(kind: Kind, closure: F, reply: Reply<T, E>) -> BoxedJob {
        Box::new(Self { kind, closure, result: None, reply })
    }
}

impl<F, T, E> Job for Task<F, T, E>
where
    F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    T: Send + 'static,
    E: From<DbError> + Send + 'static,
{
    fn kind(&self) -> Kind {
        self.kind
    }

    fn run(&mut self, tx: &mut Tx<'_>) -> Verdict {
        let _inside = InsideJob::enter();
        let result = match catch_unwind(AssertUnwindSafe(|| (self.closure)(tx))) {
            Ok(Ok(value)) => match tx.poison() {
                Some(cause) => Err(DbError::Poisoned { cause: Box::new(cause.clone()) }.into()),
                None => Ok(value),
            },
            Ok(Err(error)) => Err(error),
            Err(panic) => Err(DbError::Panicked { message: panic_message(panic.as_ref()) }.into()),
        };
        let verdict = if result.is_ok() { Verdict::Keep } else { Verdict::Undo };
        self.result = Some(result);
        verdict
    }

    fn answer(self: Box<Self>, fate: Result<(), DbError>) {
        let result = match (fate, self.result) {
            (Ok(()), Some(result)) => result,
            (Ok(()), None) => Err(DbError::Misuse("a job was answered before it ran".to_owned()).into()),
            (Err(error), _) => Err(error.into()),
        };
        match self.reply {
            Reply::Blocking(sender) => drop(sender.send(result)),
            Reply::Async(sender) => drop(sender.send(result)),
        }
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}

thread_local! {
    static INSIDE_JOB: Cell<bool> = const { Cell::new(false) };
}

/// Marks the thread as running a closure: a job that waits for another would wait for ever, since
/// both need the same thread or, worse, sometimes the same connection.
struct InsideJob;

impl InsideJob {
    fn enter() -> Self {
        INSIDE_JOB.set(true);
        Self
    }
}

impl Drop for InsideJob {
    fn drop(&mut self) {
        INSIDE_JOB.set(false);
    }
}

pub(crate) fn refuse_nesting() -> Result<(), DbError> {
    if INSIDE_JOB.get() {
        return Err(DbError::Misuse("a database closure called the database again; use its `tx`".to_owned()));
    }
    Ok(())
}

/// The taking end of a job queue, shared by all threads that serve it.
#[derive(Clone)]
pub(crate) struct JobQueue(Arc<Mutex<mpsc::Receiver<BoxedJob>>>);

impl JobQueue {
    /// Waits for the next job; `None` when the database was dropped.
    pub(crate) fn take(&self) -> Option<BoxedJob> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
    }

    /// The next job if one is waiting.
    pub(crate) fn take_waiting(&self) -> Option<BoxedJob> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).try_recv().ok()
    }
}

/// Threads that serve one queue, and its giving end. Dropping it lets them finish what is queued
/// and waits for them, so that files are closed when the last `Db` is gone.
pub(crate) struct Workers {
    sender: Option<mpsc::Sender<BoxedJob>>,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Starts one thread for each of `serve`, named `name`.
    pub(crate) fn start<S>(name: &str, serve: impl IntoIterator<Item = S>) -> Result<Self, DbError>
    where
        S: FnOnce(JobQueue) + Send + 'static,
    {
        let (sender, receiver) = mpsc::channel();
        let queue = JobQueue(Arc::new(Mutex::new(receiver)));
        let mut workers = Self { sender: Some(sender), threads: Vec::new() };
        for serve in serve {
            let queue = queue.clone();
            let thread = thread::Builder::new()
                .name(name.to_owned())
                .spawn(move || serve(queue))
                .map_err(|error| DbError::CannotOpen { place: name.to_owned(), detail: error.to_string() })?;
            workers.threads.push(thread);
        }
        Ok(workers)
    }

    /// Queues a job. If no thread is left the job is answered at once.
    pub(crate) fn submit(&self, job: BoxedJob) {
        let unsent = match &self.sender {
            Some(sender) => sender.send(job).err().map(|unsent| unsent.0),
            None => Some(job),
        };
        if let Some(job) = unsent {
            job.answer(Err(DbError::Stopped { cause: "its thread has ended".to_owned() }));
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.sender = None;
        for thread in self.threads.drain(..) {
            // A closure may own the last `Db`: its thread cannot wait for itself.
            if thread.thread().id() != thread::current().id() {
                drop(thread.join());
            }
        }
    }
}
