//! Passes as they lie on the machine's disk: one folder for each, named by its key.
//!
//! Owns the files and the locks. `key.pem` never leaves the machine; `pass.pem` is what the license server answered;
//! `mark.json` is the latest time that was seen; `seat-N.lock` is held by a process that uses that seat, so that the
//! operating system takes it back when the process ends, however it ends; on Linux a name of the machine with it, so that
//! a copy of the folder has no seats of its own; `receipt.jwt` is there once the pass is being given back, and from then on
//! nobody uses it.

use leasehold_core::ids::PassId;
use leasehold_core::pass::Mark;
use leasehold_host::{FileError, private_file};
use leasehold_trust::SigningKey;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

const KEY: &str = "key.pem";
const ASKED: &str = "asked.json";
const PASS: &str = "pass.pem";
const MARK: &str = "mark.json";
const RECEIPT: &str = "receipt.jwt";

/// What was asked for with a key, to ask again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    pub(crate) feature: String,
    pub(crate) seats: u32,
    pub(crate) days: u32,
    pub(crate) version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) released_on: Option<jiff::civil::Date>,
    pub(crate) user: String,
    pub(crate) host: String,
    /// The license server that was asked; `None` if the request is carried as a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) server: Option<String>,
}

/// One pass, or one that was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    path: PathBuf,
}

impl Entry {
    /// A new folder with a key of its own and what is asked for with it. It is on disk before anybody is asked.
    pub(crate) fn make(folder: &Path, asked: &Asked) -> Result<(Entry, SigningKey), FileError> {
        make_private_folder(folder)?;
        let key = SigningKey::generate();
        let path = folder.join(key.thumbprint().as_str());
        make_private_folder(&path)?;
        let entry = Entry { path };
        private_file::write_once(&entry.path.join(KEY), key.to_pkcs8_pem().as_bytes())?;
        entry.set_asked(asked)?;
        private_file::sync_folder(folder)?;
        Ok((entry, key))
    }

    /// All that are there, in order of name. Whatever else lies in the folder is passed over.
    pub(crate) fn all(folder: &Path) -> Vec<Entry> {
        let Ok(found) = fs::read_dir(folder) else { return Vec::new() };
        let mut paths: Vec<PathBuf> = found.flatten().map(|entry| entry.path()).collect();
        paths.retain(|path| path.join(ASKED).is_file());
        paths.sort();
        paths.into_iter().map(|path| Entry { path }).collect()
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn set_asked(&self, asked: &Asked) -> Result<(), FileError> {
        let json = serde_json::to_vec(asked).expect("plain values have a JSON form");
        private_file::write_atomic(&self.path.join(ASKED), &json)
    }

    pub(crate) fn asked(&self) -> Option<Asked> {
        serde_json::from_slice(&fs::read(self.path.join(ASKED)).ok()?).ok()
    }

    /// The key; `None` once it is destroyed.
    pub(crate) fn key(&self) -> Option<SigningKey> {
        let bytes = private_file::read(&self.path.join(KEY)).ok()?;
        SigningKey::from_pkcs8_pem(std::str::from_utf8(&bytes).ok()?).ok()
    }

    /// The pass file; `None` while it was only asked for.
    pub(crate) fn pass(&self) -> Option<Vec<u8>> {
        fs::read(self.path.join(PASS)).ok()
    }

    /// Keeps a pass, new or extended, with a lock for each of its seats.
    pub(crate) fn set_pass(&self, file: &str, seats: u32, mark: &Mark) -> Result<(), FileError> {
        for seat in 0..seats {
            self.open_lock(seat).map_err(|error| FileError::io("make", &self.lock_path(seat), error))?;
        }
        self.set_mark(mark)?;
        private_file::write_atomic(&self.path.join(PASS), file.as_bytes())
    }

    pub(crate) fn mark(&self) -> Option<Mark> {
        serde_json::from_slice(&fs::read(self.path.join(MARK)).ok()?).ok()
    }

    pub(crate) fn set_mark(&self, mark: &Mark) -> Result<(), FileError> {
        let json = serde_json::to_vec(mark).expect("plain values have a JSON form");
        private_file::write_atomic(&self.path.join(MARK), &json)
    }

    /// The receipt, if the pass is being given back.
    pub(crate) fn receipt(&self) -> Option<String> {
        fs::read_to_string(self.path.join(RECEIPT)).ok()
    }

    /// The pass is given back: nobody uses it from now on, and its key is destroyed.
    pub(crate) fn give_up(&self, receipt: &str) -> Result<(), FileError> {
        private_file::write_atomic(&self.path.join(RECEIPT), receipt.as_bytes())?;
        match fs::remove_file(self.path.join(KEY)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(FileError::io("remove", &self.path.join(KEY), error))
            }
            _ => private_file::sync_folder(&self.path),
        }
    }

    /// Forgets all of it.
    pub(crate) fn remove(&self) -> Result<(), FileError> {
        fs::remove_dir_all(&self.path).map_err(|error| FileError::io("remove", &self.path, error))
    }

    /// Takes `wanted` of the `seats` of its pass, all or none, for as long as they are kept.
    pub(crate) fn take(&self, pass: PassId, seats: u32, wanted: u32) -> Option<Vec<SeatLock>> {
        let mut taken = Vec::new();
        for seat in 0..seats {
            if u32::try_from(taken.len()).is_ok_and(|taken| taken >= wanted) {
                break;
            }
            taken.extend(self.lock_seat(pass, seat));
        }
        (u32::try_from(taken.len()).ok()? == wanted).then_some(taken)
    }

    fn lock_seat(&self, pass: PassId, seat: u32) -> Option<SeatLock> {
        let file = self.open_lock(seat).ok()?;
        match file.try_lock() {
            Ok(()) => Some(SeatLock { _name: machine_name(pass, seat)?, file }),
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => None,
        }
    }

    /// How many of the `seats` of its pass processes of this machine use.
    pub(crate) fn in_use(&self, pass: PassId, seats: u32) -> u32 {
        let free = (0..seats).filter(|seat| self.lock_seat(pass, *seat).is_some()).count();
        seats.saturating_sub(u32::try_from(free).unwrap_or(0))
    }

    fn lock_path(&self, seat: u32) -> PathBuf {
        self.path.join(format!("seat-{seat}.lock"))
    }

    fn open_lock(&self, seat: u32) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(self.lock_path(seat))
    }
}

/// A seat of a pass, in use for as long as this is kept.
pub(crate) struct SeatLock {
    file: File,
    _name: Option<MachineName>,
}

impl SeatLock {
    /// Lets the programs that this process starts keep the seat when this process is killed. Its name is not for them:
    /// a name can only be given back by everybody who has it.
    pub(crate) fn share_with_children(&self) -> io::Result<()> {
        private_file::keep_open_in_children(&self.file)
    }
}

impl Drop for SeatLock {
    /// Given back for whoever has the file too: what goes on in the background after its program has ended.
    fn drop(&mut self) {
        if let Err(error) = self.file.unlock() {
            tracing::warn!(%error, "a seat of a pass is given back when the file is closed");
        }
    }
}

#[cfg(target_os = "linux")]
type MachineName = std::os::unix::net::UnixListener;
#[cfg(not(target_os = "linux"))]
type MachineName = std::convert::Infallible;

/// The name of a seat, which one process of a machine has at a time whichever folder its pass lies in; nobody connects to
/// it. `None` if it is taken; `Some(None)` where there are no such names.
#[cfg(target_os = "linux")]
fn machine_name(pass: PassId, seat: u32) -> Option<Option<MachineName>> {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::{SocketAddr, UnixListener};
    let name = format!("leasehold/{pass}/{seat}");
    match SocketAddr::from_abstract_name(name).and_then(|name| UnixListener::bind_addr(&name)) {
        Ok(held) => Some(Some(held)),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => None,
        // A sandbox without sockets: the file alone has to do.
        Err(_) => Some(None),
    }
}

#[cfg(not(target_os = "linux"))]
fn machine_name(_: PassId, _: u32) -> Option<Option<MachineName>> {
    Some(None)
}

fn make_private_folder(path: &Path) -> Result<(), FileError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|error| FileError::io("make", path, error))
}
