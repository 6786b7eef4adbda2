//! What can go wrong with a database, as sentences for the person who has to mend it.
//!
//! Owns the one error type. Never holds a bound value: those may be secrets or hostile text.

/// Why a read or write did not happen, or why nobody can know whether it did.
///
/// Unless a variant says otherwise, **nothing of the write was stored**. The two that say otherwise
/// are [`DbError::Unknown`] and [`DbError::OutcomeUnknown`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DbError {
    /// The disk, or the size limit of the database, is reached. The database goes on working.
    #[error(
        "the disk that holds {place} is full: nothing of this change was stored. Free space there; \
         no restart is needed"
    )]
    Full {
        /// File or server that is full.
        place: String,
    },
    /// SQLite could not finish a commit, so the change may or may not be on disk. The writer has
    /// stopped; the process must exit and be started again.
    #[error(
        "{place} could not be flushed to disk ({detail}): whether this change was stored is unknown. \
         The service has to be restarted; if it happens again, check the disk"
    )]
    Unknown {
        /// Database file.
        place: String,
        /// What the operating system or SQLite said.
        detail: String,
    },
    /// PostgreSQL did not answer COMMIT, so the change may or may not be stored. Repeat the request
    /// with the same key: if it was stored, the first answer comes back.
    #[error(
        "the connection to PostgreSQL broke while a change was being committed ({detail}): whether it \
         was stored is unknown. Repeat the request with the same key"
    )]
    OutcomeUnknown {
        /// What the connection said.
        detail: String,
    },
    /// The writer stopped after an earlier failure and takes no more changes.
    #[error("the database takes no more changes since an earlier failure ({cause}). Restart the service")]
    Stopped {
        /// The failure that stopped it.
        cause: String,
    },
    /// The disk failed before the commit. The writer has stopped.
    #[error("{place} cannot be read or written ({detail}). Check the disk and restart the service")]
    Io {
        /// Database file.
        place: String,
        /// What the operating system or SQLite said.
        detail: String,
    },
    /// The file is not a database, or is damaged.
    #[error(
        "{place} is damaged or is not a Leasehold database ({detail}). Stop the service, put the file \
         aside and restore the last backup"
    )]
    Corrupt {
        /// Database file.
        place: String,
        /// What SQLite found.
        detail: String,
    },
    /// The file or its folder cannot be written.
    #[error(
        "{place} cannot be written ({detail}). Give the account that runs the service write permission \
         on the file and on its folder"
    )]
    ReadOnly {
        /// Database file, or database at a server.
        place: String,
        /// What was refused.
        detail: String,
    },
    /// The file cannot be opened or created.
    #[error(
        "{place} cannot be opened ({detail}). Check that the folder exists and that the account that runs \
         the service may write there"
    )]
    CannotOpen {
        /// Database file or backup file.
        place: String,
        /// What the operating system said.
        detail: String,
    },
    /// Another process holds the file.
    #[error(
        "{place} is in use by another process. Only one service may run on a data folder: stop the other \
         one, or give this one a folder of its own"
    )]
    Locked {
        /// Database file.
        place: String,
    },
    /// The database has migrations that this build does not know.
    #[error(
        "this {place} was written by a newer leasehold (schema {found}, this build knows {known}): nothing \
         was changed. Start the newer version again, or restore a backup made by this one"
    )]
    NewerSchema {
        /// "data folder" or "database".
        place: &'static str,
        /// Highest version in the database.
        found: i64,
        /// Highest version in this build.
        known: i64,
    },
    /// A migration that was already applied has another text in this build.
    #[error(
        "migration {version} ({name}) of this build is not the one this database was made with: nothing \
         was changed. This build is not an official one or is damaged; install a released version"
    )]
    MigrationChanged {
        /// Version of the migration.
        version: i64,
        /// Its name in this build.
        name: String,
    },
    /// A unique index or primary key refused the row.
    #[error("a row with the same key exists already ({detail})")]
    Conflict {
        /// What the database said; PostgreSQL names the constraint, SQLite the columns.
        detail: String,
    },
    /// A NOT NULL, CHECK or foreign key constraint refused the row.
    #[error("a constraint of the database refused the change ({detail})")]
    Constraint {
        /// What the database said.
        detail: String,
    },
    /// The database refused the statement.
    #[error("the database refused a statement ({detail}): {sql}")]
    Statement {
        /// The statement, without its values.
        sql: String,
        /// What the database said.
        detail: String,
    },
    /// A bound value or a column of a row cannot be what the statement needs.
    #[error("{0}")]
    Value(String),
    /// A write went on after one of its statements had failed, and was rolled back.
    #[error(
        "a write went on after one of its statements had failed, and was rolled back whole ({cause}). \
         Return the error, or make the statement unable to fail (ON CONFLICT DO NOTHING)"
    )]
    Poisoned {
        /// The first failure.
        cause: Box<DbError>,
    },
    /// PostgreSQL gave up this change in favour of others, too often.
    #[error("too many changes to the same rows at once ({detail}). Try again in a moment")]
    Contended {
        /// What the database said.
        detail: String,
    },
    /// PostgreSQL cannot be reached or refuses the sign-in.
    #[error(
        "PostgreSQL at {place} cannot be used ({detail}). Check that it runs, and the host, database, user \
         and password in the database URL"
    )]
    Unreachable {
        /// Host, port and database.
        place: String,
        /// What the connection said.
        detail: String,
    },
    /// The PostgreSQL server is set up so that committed changes can be lost.
    #[error(
        "PostgreSQL at {place} has synchronous_commit=off, so it may lose changes that were already \
         confirmed. Set synchronous_commit=on for this database or user and start again"
    )]
    UnsafeSettings {
        /// Host, port and database.
        place: String,
    },
    /// The closure of a job panicked. It alone was rolled back.
    #[error("a database job failed by a programming error and was rolled back: {message}")]
    Panicked {
        /// The panic's message.
        message: String,
    },
    /// The database URL cannot be used.
    #[error("the database URL cannot be used: {0}")]
    BadUrl(String),
    /// This layer was called in a way it does not allow.
    #[error("programming error in the use of the database: {0}")]
    Misuse(String),
    /// The operation does not exist for this database.
    #[error("{0}")]
    Unsupported(&'static str),
}

impl DbError {
    /// Whether SQLite's writer must not go on after this: what is on disk can no longer be trusted
    /// to be what memory believes.
    pub(crate) fn stops_writer(&self) -> bool {
        matches!(
            self,
            Self::Unknown { .. }
                | Self::Io { .. }
                | Self::Corrupt { .. }
                | Self::ReadOnly { .. }
                | Self::CannotOpen { .. }
        )
    }

    /// Whether this concerns the whole of SQLite's shared transaction, not only the job that met it.
    pub(crate) fn dooms_batch(&self) -> bool {
        matches!(self, Self::Full { .. }) || self.stops_writer()
    }

    /// Whether the connection is gone.
    pub(crate) fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}

/// The beginning of a statement, for messages.
pub(crate) fn excerpt(sql: &str) -> String {
    const CHARS: usize = 200;
    let mut words = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((cut, _)) = words.char_indices().nth(CHARS) {
        words.truncate(cut);
        words.push_str(" ...");
    }
    words
}
