//! A copy of the data folder from which a server can be started: database, keys, settings.

use super::access::Caller;
use super::failure::Failure;
use crate::server::{DATABASE_FILE, Server};
use crate::store;
use leasehold_core::access::ServerAction;
use leasehold_core::engine::Audit;
use leasehold_db::{Db, DbError, SqliteOptions};
use leasehold_host::{FileError, private_file};
use std::io;
use std::path::{Path, PathBuf};

/// What of a data folder is not copied: the lock, the database (copied by itself while it is written to) and what only
/// the running process needs.
fn is_copied(name: &str) -> bool {
    let own = [DATABASE_FILE, "lock", crate::local::TOKEN_FILE, crate::local::ADDRESS_FILE];
    !own.contains(&name) && !name.starts_with(DATABASE_FILE) && !name.starts_with('.')
}

impl Server {
    /// Copies everything that a server needs to a new folder, consistently, while it runs. To restore, start a server
    /// on the copy.
    ///
    /// # Errors
    /// [`Failure::SignIn`], [`Failure::NotHere`] unless asked on the server's own machine, [`Failure::BadField`],
    /// [`Failure::Disk`].
    pub async fn back_up(&self, caller: &Caller, to: PathBuf) -> Result<(), Failure> {
        self.authorize(caller, ServerAction::Administer)?;
        if !caller.is_here() {
            return Err(Failure::NotHere);
        }
        if !to.is_absolute() || to.starts_with(std::path::absolute(&self.0.folder).unwrap_or_default()) {
            return Err(Failure::BadField("`to` must be an absolute path outside of the data folder".to_owned()));
        }
        let audit = self.audit(caller, "server_backup", format!("to {}", to.display()));
        let server = self.clone();
        let copied = tokio::task::spawn_blocking(move || server.copy_to(&to, audit)).await;
        copied.map_err(|error| Failure::Internal(error.to_string()))?
    }

    pub(super) fn copy_to(&self, to: &Path, audit: Audit) -> Result<(), Failure> {
        let failed = |doing, path: &Path| {
            let path = path.to_owned();
            move |source| Failure::Disk(FileError::Io { doing, path, source })
        };
        make_private(to).map_err(failed("create the folder", to))?;
        self.0.db.write(move |tx| store::add_audit(tx, &audit))?;
        for entry in std::fs::read_dir(&self.0.folder).map_err(failed("read", &self.0.folder))? {
            let entry = entry.map_err(failed("read", &self.0.folder))?;
            let name = entry.file_name();
            let is_file = entry.file_type().map_err(failed("read", &entry.path()))?.is_file();
            if is_file && name.to_str().is_some_and(is_copied) {
                let bytes = std::fs::read(entry.path()).map_err(failed("read", &entry.path()))?;
                private_file::write_once(&to.join(&name), &bytes)?;
            }
        }
        // Last: a folder with a database is a whole backup.
        self.0.db.backup_to(to.join(DATABASE_FILE)).map_err(|error: DbError| match error {
            DbError::CannotOpen { .. } | DbError::Full { .. } => Failure::Stalled(error.to_string()),
            other => Failure::from(other),
        })?;
        Ok(private_file::sync_folder(to)?)
    }
}

/// The folder for backups, if it is missing and the one above is there.
pub(super) fn make_folder(folder: &Path) -> Result<(), Failure> {
    if folder.is_dir() {
        return Ok(());
    }
    make_private(folder)
        .map_err(|source| Failure::Disk(FileError::Io { doing: "create the folder", path: folder.to_owned(), source }))
}

/// A new folder, or an empty one: nothing is ever overwritten.
fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let empty = std::fs::read_dir(folder)?.next().is_none();
            if empty { Ok(()) } else { Err(io::Error::new(io::ErrorKind::AlreadyExists, "it exists and is not empty")) }
        }
        done => done,
    }
}

/// Why a backup is not restored. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum RestoreFailure {
    /// It is no backup.
    #[error("{} has no {missing}: it is not a whole backup of a license server. Give the folder that `server backup` made", folder.display())]
    NotABackup {
        /// The folder.
        folder: PathBuf,
        /// What is missing.
        missing: &'static str,
    },
    /// A file cannot be read or written.
    #[error("cannot use {}: {source}. Check the path, its permissions and the space on its disk", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The copy of the database is damaged.
    #[error("the database in the backup {} is damaged ({why}). Restore another backup", folder.display())]
    Damaged {
        /// The backup.
        folder: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The copy of the database cannot be used.
    #[error(transparent)]
    Db(DbError),
    /// The settings in the backup cannot be used.
    #[error(transparent)]
    Disk(#[from] FileError),
}

/// Copies a backup into a new data folder. Whether its server may go on with its key is found out with the first sync;
/// until every lease has ended that the backup may not know, it gives no new ones.
pub(crate) fn restore(from: &Path, to: &Path) -> Result<(), RestoreFailure> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| RestoreFailure::File { path, source }
    };
    for missing in [DATABASE_FILE, crate::config::CONFIG_FILE] {
        if !from.join(missing).is_file() {
            return Err(RestoreFailure::NotABackup { folder: from.to_owned(), missing });
        }
    }
    let is_new = !to.exists();
    make_private(to).map_err(failed(to))?;
    let done = fill(from, to);
    if done.is_err() {
        // Half a folder would stand in the way of the next attempt, and it has the server's key.
        let _ = if is_new { std::fs::remove_dir_all(to) } else { clear(to) };
    }
    done
}

/// Removes what was put into a folder that was empty.
fn clear(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        std::fs::remove_file(entry?.path())?;
    }
    Ok(())
}

fn fill(from: &Path, to: &Path) -> Result<(), RestoreFailure> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| RestoreFailure::File { path, source }
    };
    let unusable = |error| match error {
        DbError::Corrupt { detail, .. } => RestoreFailure::Damaged { folder: from.to_owned(), why: detail },
        other => RestoreFailure::Db(other),
    };
    let mut database = None;
    for entry in std::fs::read_dir(from).map_err(failed(from))? {
        let entry = entry.map_err(failed(from))?;
        let (path, name) = (entry.path(), entry.file_name());
        if !entry.file_type().map_err(failed(&path))?.is_file() {
            continue;
        }
        if name == DATABASE_FILE {
            database = Some(path);
            continue;
        }
        let bytes = std::fs::read(&path).map_err(failed(&path))?;
        private_file::write_once(&to.join(&name), &bytes)?;
    }
    // Last: a folder with a database is a whole one.
    if let Some(path) = database {
        let bytes = std::fs::read(&path).map_err(failed(&path))?;
        let target = to.join(DATABASE_FILE);
        let work = to.join(format!("{DATABASE_FILE}.restoring"));
        private_file::write_once(&work, &bytes)?;
        let db = Db::open_sqlite(&work, SqliteOptions::default()).map_err(unusable)?;
        db.check_integrity().map_err(unusable)?;
        db.migrate(store::MIGRATIONS).map_err(unusable)?;
        db.write(store::set_restored).map_err(unusable)?;
        // Closed, so that all of it is in the one file.
        drop(db);
        std::fs::rename(&work, &target).map_err(failed(&target))?;
    }
    Ok(private_file::sync_folder(to)?)
}
