//! The handle both services hold: where a closure goes and how its answer comes back.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Weak, mpsc};

use tokio::sync::oneshot;

use crate::job::{BoxedJob, Kind, Reply, Task, refuse_nesting};
use crate::pg::Pool;
use crate::shared::{FaultPoint, Shared};
use crate::sqlite::{self, InLine, Threads};
use crate::{DatabaseUrl, DbError, Dialect, SqliteOptions, Tx};

/// PostgreSQL connections of a process that says nothing else.
const POOL_SIZE: usize = 8;

/// A database. Clones are cheap and are the same database; the last one closes it.
#[derive(Clone)]
pub struct Db {
    inner: Arc<Inner>,
}

/// A database that is not kept open by this: for whoever works with it until others have closed it.
#[derive(Clone, Debug)]
pub struct WeakDb {
    inner: Weak<Inner>,
}

impl WeakDb {
    /// The database, unless it was closed.
    #[must_use]
    pub fn upgrade(&self) -> Option<Db> {
        self.inner.upgrade().map(|inner| Db { inner })
    }
}

struct Inner {
    shared: Arc<Shared>,
    backend: Backend,
}

enum Backend {
    Threads(Threads),
    InLine(InLine),
    Postgres(Pool),
}

/// Memory for pages of a large database in one file.
const CACHE_KIB: u32 = 65_536;

impl Db {
    /// Opens what a configuration names, with the default options and memory for many pages: whoever may choose between
    /// two databases may have much to keep.
    ///
    /// # Errors
    /// As [`Db::open_sqlite`] and [`Db::open_postgres`].
    pub fn open(url: &DatabaseUrl) -> Result<Self, DbError> {
        match url {
            DatabaseUrl::Sqlite(path) => {
                Self::open_sqlite(path, SqliteOptions { cache_kib: CACHE_KIB, ..SqliteOptions::default() })
            }
            DatabaseUrl::Postgres(url) => Self::open_postgres(url, POOL_SIZE),
        }
    }

    /// Opens or creates a SQLite file with a writer thread, group commit and reader threads.
    ///
    /// # Errors
    /// [`DbError::CannotOpen`], [`DbError::ReadOnly`], [`DbError::Locked`], [`DbError::Corrupt`],
    /// [`DbError::Full`] or [`DbError::Io`], each with what to do.
    pub fn open_sqlite(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self, DbError> {
        let shared = Shared::new();
        let threads = Threads::open(path.as_ref(), options, &shared)?;
        Ok(Self::new(shared, Backend::Threads(threads)))
    }

    /// Opens a PostgreSQL database with `pool_size` connections (at least 1), made when first needed.
    ///
    /// The URL takes what `libpq` documents, and of its TLS options `sslmode=disable` (the default)
    /// and `sslmode=require` with `sslrootcert=FILE`, which checks the server's certificate and name.
    ///
    /// # Errors
    /// [`DbError::BadUrl`], [`DbError::Unreachable`] or [`DbError::UnsafeSettings`].
    pub fn open_postgres(url: &str, pool_size: usize) -> Result<Self, DbError> {
        let shared = Shared::new();
        let pool = Pool::open(url, pool_size, &shared)?;
        let db = Self::new(shared, Backend::Postgres(pool));
        db.read(|tx| tx.one("SELECT 1", &[], |_| Ok(())))?;
        Ok(db)
    }

    /// An empty SQLite database in memory that runs on the caller's thread, one commit for each
    /// write: for the simulation and for tests.
    ///
    /// # Errors
    /// Only if SQLite finds no memory.
    pub fn in_line_memory() -> Result<Self, DbError> {
        Ok(Self::new(Shared::new(), Backend::InLine(InLine::memory()?)))
    }

    /// As [`Db::in_line_memory`], on a file, with every commit flushed.
    ///
    /// # Errors
    /// As [`Db::open_sqlite`].
    pub fn in_line_file(path: impl AsRef<Path>) -> Result<Self, DbError> {
        Ok(Self::new(Shared::new(), Backend::InLine(InLine::file(path.as_ref())?)))
    }

    fn new(shared: Arc<Shared>, backend: Backend) -> Self {
        Self { inner: Arc::new(Inner { shared, backend }) }
    }

    /// Runs `closure` in one transaction and answers once the commit is on disk. Blocks.
    ///
    /// # Errors
    /// What the closure returned, or a [`DbError`]: then nothing was stored, except after
    /// [`DbError::Unknown`] and [`DbError::OutcomeUnknown`].
    pub fn write<F, T, E>(&self, closure: F) -> Result<T, E>
    where
        F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        self.run(Kind::Write, closure)
    }

    /// As [`Db::write`], for async code. Once polled, the write happens even if the future is dropped.
    ///
    /// # Errors
    /// As [`Db::write`].
    pub async fn write_async<F, T, E>(&self, closure: F) -> Result<T, E>
    where
        F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        self.run_async(Kind::Write, closure).await
    }

    /// Runs `closure` on a connection that sees only what is committed and cannot write. Blocks.
    ///
    /// # Errors
    /// What the closure returned, or a [`DbError`].
    pub fn read<F, T, E>(&self, closure: F) -> Result<T, E>
    where
        F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        self.run(Kind::Read, closure)
    }

    /// As [`Db::read`], for async code.
    ///
    /// # Errors
    /// As [`Db::read`].
    pub async fn read_async<F, T, E>(&self, closure: F) -> Result<T, E>
    where
        F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        self.run_async(Kind::Read, closure).await
    }

    fn run<F, T, E>(&self, kind: Kind, closure: F) -> Result<T, E>
    where
        F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        refuse_nesting()?;
        let (sender, receiver) = mpsc::sync_channel(1);
        self.submit(Task::boxed(kind, closure, Reply::Blocking(sender)));
        receiver.recv().unwrap_or_else(|_| Err(self.unanswered().into()))
    }

    async fn run_async<F, T, E>(&self, kind: Kind, closure: F) -> Result<T, E>
    where
        F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        refuse_nesting()?;
        let (sender, receiver) = oneshot::channel();
        self.submit(Task::boxed(kind, closure, Reply::Async(sender)));
        receiver.await.unwrap_or_else(|_| Err(self.unanswered().into()))
    }

    fn submit(&self, job: BoxedJob) {
        match &self.inner.backend {
            Backend::Threads(threads) => threads.submit(job),
            Backend::InLine(in_line) => in_line.run(job, &self.inner.shared),
            Backend::Postgres(pool) => pool.submit(job),
        }
    }

    /// The thread died with the job in its hands, so nobody knows how far it came.
    fn unanswered(&self) -> DbError {
        let detail = "the thread that ran it ended".to_owned();
        match self.dialect() {
            Dialect::Sqlite => DbError::Unknown { place: "the database".to_owned(), detail },
            Dialect::Postgres => DbError::OutcomeUnknown { detail },
        }
    }

    /// The same database, for whoever must not keep it open.
    #[must_use]
    pub fn downgrade(&self) -> WeakDb {
        WeakDb { inner: Arc::downgrade(&self.inner) }
    }

    /// Which of the two databases this is.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        match self.inner.backend {
            Backend::Threads(_) | Backend::InLine(_) => Dialect::Sqlite,
            Backend::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Why the database takes no more changes, if so: then the process must exit, and its supervisor
    /// start it again on the same file. Never set by PostgreSQL, whose connections are replaced.
    #[must_use]
    pub fn failed(&self) -> Option<DbError> {
        self.inner.shared.failure()
    }

    /// Waits until the database takes no more changes, and says why; see [`Db::failed`].
    pub async fn until_failed(&self) -> DbError {
        let mut failure = self.inner.shared.watch_failure();
        loop {
            if let Some(error) = failure.borrow_and_update().clone() {
                return error;
            }
            if failure.changed().await.is_err() {
                // Cannot be: `self` holds the sender.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Commits so far: on SQLite flushes, each for any number of writes.
    #[must_use]
    pub fn commit_count(&self) -> u64 {
        self.inner.shared.commit_count()
    }

    /// The database's own clock, Unix ms: only for comparing it with this process's clock. Blocks.
    ///
    /// # Errors
    /// What the database said.
    pub fn clock_ms(&self) -> Result<i64, DbError> {
        self.read(|tx| tx.clock_ms())
    }

    /// Writes a consistent copy of a SQLite database to a new file, while it is written to. The file
    /// has its name only once it is whole and flushed. Blocks.
    ///
    /// # Errors
    /// [`DbError::CannotOpen`] if the file exists or cannot be made, [`DbError::Full`],
    /// [`DbError::Unsupported`] on PostgreSQL.
    pub fn backup_to(&self, path: impl AsRef<Path>) -> Result<(), DbError> {
        match &self.inner.backend {
            Backend::Threads(threads) => sqlite::backup(&threads.connect()?, path.as_ref()),
            Backend::InLine(in_line) => sqlite::backup(&in_line.lock(), path.as_ref()),
            Backend::Postgres(_) => {
                Err(DbError::Unsupported("PostgreSQL is backed up with its own tools: use pg_dump or pg_basebackup"))
            }
        }
    }

    /// Reads a whole SQLite database and checks its structure and foreign keys. Blocks, and takes
    /// seconds for each GiB.
    ///
    /// # Errors
    /// [`DbError::Corrupt`] with what was found, [`DbError::Unsupported`] on PostgreSQL.
    pub fn check_integrity(&self) -> Result<(), DbError> {
        match &self.inner.backend {
            Backend::Threads(threads) => sqlite::check_integrity(&threads.connect()?),
            Backend::InLine(in_line) => sqlite::check_integrity(&in_line.lock()),
            Backend::Postgres(_) => {
                Err(DbError::Unsupported("PostgreSQL is checked with its own tools: use pg_amcheck"))
            }
        }
    }

    /// The bytes of what an in-line database has committed, also after a crash.
    ///
    /// # Errors
    /// [`DbError::Unsupported`] unless in line.
    pub fn snapshot(&self) -> Result<Vec<u8>, DbError> {
        self.in_line()?.snapshot()
    }

    /// Puts an in-line database back to a snapshot and ends a crash: a machine restored from backup.
    ///
    /// # Errors
    /// [`DbError::Corrupt`] if the bytes are no database, [`DbError::Unsupported`] unless in line.
    pub fn restore(&self, snapshot: &[u8]) -> Result<(), DbError> {
        self.in_line()?.restore(snapshot)?;
        self.inner.shared.forget_failure();
        Ok(())
    }

    /// Ends the crash of an in-line database, as a new process on the same disk would.
    ///
    /// # Errors
    /// [`DbError::Unsupported`] unless in line.
    pub fn restart(&self) -> Result<(), DbError> {
        self.in_line()?;
        self.inner.shared.forget_failure();
        Ok(())
    }

    fn in_line(&self) -> Result<&InLine, DbError> {
        match &self.inner.backend {
            Backend::InLine(in_line) => Ok(in_line),
            _ => Err(DbError::Unsupported("only an in-line database can be set back or restarted")),
        }
    }

    /// Test driver: runs every write closure twice, the first time to be rolled back, so that a
    /// closure that does more than use its `tx` is found.
    pub fn run_closures_twice(&self, on: bool) {
        self.inner.shared.set_run_twice(on);
    }

    /// Test driver: calls `hook` at every [`FaultPoint`], on the thread that commits. It may block,
    /// and its error is treated as if the database had failed there.
    pub fn set_fault_hook(&self, hook: impl Fn(FaultPoint) -> Result<(), DbError> + Send + Sync + 'static) {
        self.inner.shared.set_fault_hook(Some(Arc::new(hook)));
    }

    /// Test driver: ends [`Db::set_fault_hook`].
    pub fn clear_fault_hook(&self) {
        self.inner.shared.set_fault_hook(None);
    }
}

impl fmt::Debug for Db {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Db")
            .field("dialect", &self.dialect())
            .field("shared", &self.inner.shared)
            .finish_non_exhaustive()
    }
}
