//! One process per data folder: two engines on one database would give out every seat twice.

use crate::file_error::FileError;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// Name of the lock file in a data folder.
const LOCK_FILE: &str = "lock";

/// The right to use a data folder, for as long as this value lives. The operating system takes it back when the process
/// ends, however it ends.
#[derive(Debug)]
pub struct FolderLock {
    // Closing it gives the lock back.
    _file: File,
    path: PathBuf,
}

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process uses it.
    #[error(
        "the data folder {} is in use by {holder}. Stop that process first, or choose another folder with --data",
        folder.display()
    )]
    Held {
        /// The folder.
        folder: PathBuf,
        /// Who holds it, such as `process 4711 (leasehold)`.
        holder: String,
    },
    /// The lock file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
}

impl FolderLock {
    /// The lock file in the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the folder for this process, at once or not at all.
    pub fn acquire(folder: &Path) -> Result<FolderLock, LockError> {
        let path = folder.join(LOCK_FILE);
        let failed = |error| LockError::File(FileError::io("lock", &path, error));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = match options.open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::ReadOnlyFilesystem && is_held(&path) => {
                return Err(LockError::Held { folder: folder.to_owned(), holder: "another process".to_owned() });
            }
            Err(error) => return Err(failed(error)),
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LockError::Held { folder: folder.to_owned(), holder: holder(&mut file) });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        // For the sentence above, when another process comes. A full disk must not stop this one.
        let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(FolderLock { _file: file, path })
    }
}

/// Whether somebody has a folder whose disk has become read-only since: whoever has it can still be asked.
fn is_held(lock: &Path) -> bool {
    File::open(lock).is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    // A hint only: the file may have just been made.
    let _ = file.take(32).read_to_string(&mut text);
    let Ok(pid) = text.trim().parse::<u32>() else { return "another process".to_owned() };
    if pid == std::process::id() {
        return "this process itself".to_owned();
    }
    match std::fs::read_to_string(format!("/proc/{pid}/comm")) {
        Ok(name) => format!("process {pid} ({})", name.trim()),
        Err(_) => format!("process {pid}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_folder_has_one_user_and_is_free_again_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let first = FolderLock::acquire(folder.path()).unwrap();
        let refused = FolderLock::acquire(folder.path()).unwrap_err().to_string();
        assert!(refused.contains("in use by this process itself") && refused.contains("--data"), "{refused}");
        drop(first);
        FolderLock::acquire(folder.path()).unwrap();
    }

    #[test]
    fn another_process_is_named_and_its_death_frees_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(LOCK_FILE);
        // `flock` holds the lock while it runs the shell, which writes the number of the process that holds it.
        let mut other = Command::new("flock")
            .args(["--no-fork".as_ref(), path.as_os_str(), "sh".as_ref(), "-c".as_ref()])
            .arg("echo $$ > \"$0\"; echo ready; exec sleep 600")
            .arg(&path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = [0; 6];
        other.stdout.take().unwrap().read_exact(&mut ready).unwrap();
        let refused = FolderLock::acquire(folder.path()).unwrap_err().to_string();
        let pid = other.id();
        other.kill().unwrap();
        other.wait().unwrap();
        assert!(refused.contains(&format!("in use by process {pid} (s")), "{refused}");
        FolderLock::acquire(folder.path()).unwrap();
    }

    #[test]
    fn a_missing_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let missing = FolderLock::acquire(&folder.path().join("nowhere")).unwrap_err().to_string();
        assert!(missing.contains("nowhere") && missing.contains("does not exist"), "{missing}");
    }
}
