//! The error of everything that touches files here: the path, the cause, and the next step.

use std::io;
use std::path::{Path, PathBuf};

/// Why a file or folder could not be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The operating system refused.
    #[error("cannot {doing} {}: {}. {}", path.display(), cause(source), next_step(source))]
    Io {
        /// What was tried, such as `write`.
        doing: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file that is written once is there already.
    #[error(
        "{} exists already and is never overwritten. Choose another folder, or move the file away if it is not needed \
         any more",
        path.display()
    )]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Others than the owner may read a secret.
    #[error(
        "{} holds a secret, but others than its owner may read it (mode {mode:04o}). Run `chmod 600` on it; if \
         strangers use this machine, replace the secret too",
        path.display()
    )]
    ReadableByOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Larger than anything that belongs there.
    #[error("{} has more than {max} bytes, so it is not the file that belongs there. Restore it from a backup", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The cap in bytes.
        max: u64,
    },
}

impl FileError {
    /// The operating system refused to `doing`, such as `read`, a path.
    pub fn io(doing: &'static str, path: &Path, source: io::Error) -> FileError {
        FileError::Io { doing, path: path.to_owned(), source }
    }

    /// The kind of what the operating system said; `None` if it was not the one that refused.
    pub fn kind(&self) -> Option<io::ErrorKind> {
        match self {
            FileError::Io { source, .. } => Some(source.kind()),
            FileError::Exists { .. } => Some(io::ErrorKind::AlreadyExists),
            FileError::ReadableByOthers { .. } | FileError::TooLarge { .. } => None,
        }
    }
}

fn cause(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "it does not exist".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::StorageFull => "the disk is full".to_owned(),
        io::ErrorKind::ReadOnlyFilesystem => "the disk is read-only".to_owned(),
        _ => error.to_string(),
    }
}

fn next_step(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "Check the path; what belongs there and is lost comes back from a backup",
        io::ErrorKind::PermissionDenied => "Run as the user who owns the folder, or give that user the right to it",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "Free some space and try again",
        io::ErrorKind::ReadOnlyFilesystem => {
            "Make the disk writable again (the system's log says why it is not), or choose a folder on another"
        }
        _ => "Check the disk and try again",
    }
}
