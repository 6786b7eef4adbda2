//! Files that only their owner may read, written whole or not at all.
//!
//! Owns durability (the bytes, then the name, are flushed before a function returns) and the mode. Knows nothing of
//! what is in them.

use crate::file_error::FileError;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Largest file that [`read`] reads, in bytes.
pub const READ_BYTES_MAX: u64 = 1024 * 1024;

/// Writes a new file of mode 0600. Fails with [`FileError::Exists`] if there is one, and then changes nothing.
pub fn write_once(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let temporary = write_temporary(path, bytes)?;
    // A hard link is the one portable step that never replaces.
    let linked = fs::hard_link(&temporary, path);
    let removed = fs::remove_file(&temporary);
    linked.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => FileError::Exists { path: path.to_owned() },
        _ => FileError::io("write", path, error),
    })?;
    removed.map_err(|error| FileError::io("remove", &temporary, error))?;
    sync_folder_of(path)
}

/// Writes or replaces a file of mode 0600. After a crash there is the old file or the new one, never a part.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let temporary = write_temporary(path, bytes)?;
    fs::rename(&temporary, path).map_err(|error| {
        let _ = fs::remove_file(&temporary);
        FileError::io("replace", path, error)
    })?;
    sync_folder_of(path)
}

/// Lets programs that this process starts from now on inherit the open file, and with it a lock that it holds (flock(2)).
/// Does nothing on Windows, whose locks are of one process.
pub fn keep_open_in_children(file: &File) -> io::Result<()> {
    #[cfg(unix)]
    rustix::io::fcntl_setfd(file, rustix::io::FdFlags::empty())?;
    #[cfg(not(unix))]
    let _ = file;
    Ok(())
}

/// Reads a secret of at most [`READ_BYTES_MAX`]. Refuses one that others than the owner may read.
pub fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    let failed = |error| FileError::io("read", path, error);
    let file = File::open(path).map_err(failed)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(FileError::ReadableByOthers { path: path.to_owned(), mode });
        }
    }
    let mut bytes = Vec::new();
    file.take(READ_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > READ_BYTES_MAX {
        return Err(FileError::TooLarge { path: path.to_owned(), max: READ_BYTES_MAX });
    }
    Ok(bytes)
}

/// Flushes the names in a folder to disk: what was created, renamed or removed in it stays so after a crash.
pub fn sync_folder(folder: &Path) -> Result<(), FileError> {
    // Windows has no such call: there the file system's journal orders names.
    if cfg!(unix) {
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|error| FileError::io("flush", folder, error))?;
    }
    Ok(())
}

fn sync_folder_of(path: &Path) -> Result<(), FileError> {
    sync_folder(parent(path))
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The bytes, flushed, in a file of their own beside `path`.
fn write_temporary(path: &Path, bytes: &[u8]) -> Result<PathBuf, FileError> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().ok_or_else(|| FileError::io("write", path, io::ErrorKind::InvalidFilename.into()))?;
    let mut temporary_name = std::ffi::OsString::from(".");
    temporary_name.push(name);
    temporary_name.push(format!(".{}-{}.new", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed)));
    let temporary = parent(path).join(temporary_name);
    // Left by a crashed process that had the same number.
    let _ = fs::remove_file(&temporary);
    let written = create_private(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(|error| {
        let _ = fs::remove_file(&temporary);
        FileError::io("write", path, error)
    })?;
    Ok(temporary)
}

fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn names(folder: &Path) -> Vec<String> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_is_written_once_and_only_its_owner_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root.key");
        write_once(&path, b"first").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let refused = write_once(&path, b"second").unwrap_err();
        assert!(matches!(refused, FileError::Exists { .. }), "{refused}");
        assert_eq!(read(&path).unwrap(), b"first");
        assert_eq!(names(folder.path()), ["root.key"], "nothing else is left in the folder");
    }

    #[test]
    fn a_replaced_file_is_whole_and_private_even_if_the_old_one_was_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        fs::write(&path, b"old").unwrap();
        write_atomic(&path, b"new").unwrap();
        assert_eq!(read(&path).unwrap(), b"new");
        assert_eq!(names(folder.path()), ["state"]);
    }

    #[test]
    fn a_secret_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        write_once(&path, b"secret").unwrap();
        for mode in [0o640, 0o604, 0o660] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let refused = read(&path).unwrap_err().to_string();
            assert!(refused.contains(&format!("mode 0{mode:o}")) && refused.contains("chmod 600"), "{refused}");
        }
    }

    #[test]
    fn errors_name_the_path_the_cause_and_the_next_step() {
        let folder = tempfile::tempdir().unwrap();
        let missing = write_atomic(&folder.path().join("no/key"), b"x").unwrap_err().to_string();
        assert!(missing.contains("no/key") && missing.contains("does not exist. Check the path"), "{missing}");
        let full = write_once(Path::new("/dev/full/key"), b"x").unwrap_err();
        assert_eq!(full.kind(), Some(io::ErrorKind::NotADirectory));
        let huge = folder.path().join("huge");
        write_once(&huge, &vec![0; usize::try_from(READ_BYTES_MAX).unwrap() + 1]).unwrap();
        assert!(matches!(read(&huge), Err(FileError::TooLarge { .. })));
    }
}
