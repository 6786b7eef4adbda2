//! PostgreSQL: a pool of connections, each on a thread of its own.
//!
//! The threads are needed: a `postgres::Client` drives a runtime of its own, and must neither be
//! used nor dropped on a thread that already runs one.

mod errors;
mod placeholders;
mod session;
mod target;
mod values;
mod worker;

use std::sync::Arc;

pub(crate) use session::Session;
pub(crate) use values::{bytes, int, text};

use crate::DbError;
use crate::job::{BoxedJob, JobQueue, Workers};
use crate::shared::Shared;

pub(crate) struct Pool(Workers);

impl Pool {
    pub(crate) fn open(url: &str, size: usize, shared: &Arc<Shared>) -> Result<Self, DbError> {
        let target = Arc::new(target::Target::parse(url)?);
        let serve = (0..size.max(1)).map(|_| {
            let (target, shared) = (Arc::clone(&target), Arc::clone(shared));
            move |queue: JobQueue| worker::serve(&queue, &target, &shared)
        });
        Workers::start("postgres", serve).map(Self)
    }

    pub(crate) fn submit(&self, job: BoxedJob) {
        self.0.submit(job);
    }
}
