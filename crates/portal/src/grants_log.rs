//! `grants.log`: the copy of every document that is carried by file, on a path of its own, appended and flushed before
//! anybody gets the document. A portal that is restored from an older backup learns from it what is out (`PROTOCOL.md`
//! section 9).
//!
//! One JSON object a line. Owns the file; what a restore makes of it is in [`crate::admin`].

use crate::Portal;
use crate::failure::Failure;
use crate::store::documents::{self, Unlogged};
use leasehold_core::ids::WorkstationId;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Format of a line.
const VERSION: u32 = 1;
/// Documents that are caught up with at a time.
const BATCH: u32 = 100;

/// One line.
#[derive(Serialize, Deserialize)]
struct Entry<T> {
    v: u32,
    #[serde(flatten)]
    document: T,
}

/// The open log.
#[derive(Debug)]
pub struct GrantsLog(Option<(PathBuf, Mutex<Tail>)>);

#[derive(Debug)]
struct Tail {
    file: File,
    /// The last append may have left a part of a line.
    torn: bool,
}

impl GrantsLog {
    /// Opens the log, and makes it if there is none.
    pub fn open(path: &Path) -> io::Result<GrantsLog> {
        let mut options = OpenOptions::new();
        options.create(true).append(true).read(true);
        // It names customers, and may stand on a path that others can reach.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        let torn = !ends_with_newline(&mut file)?;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            File::open(folder)?.sync_all()?;
        }
        Ok(GrantsLog(Some((path.to_owned(), Mutex::new(Tail { file, torn })))))
    }

    /// Keeps no log: for a portal that nobody will ever restore, such as one that is simulated.
    pub fn off() -> GrantsLog {
        GrantsLog(None)
    }

    /// Where it is.
    pub fn path(&self) -> Option<&Path> {
        self.0.as_ref().map(|(path, _)| path.as_path())
    }

    /// Appends a document and flushes it to disk.
    pub(crate) fn append(&self, document: &Unlogged) -> io::Result<()> {
        let Some((_, tail)) = &self.0 else { return Ok(()) };
        let mut line = serde_json::to_vec(&Entry { v: VERSION, document })?;
        line.push(b'\n');
        let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
        if tail.torn {
            line.insert(0, b'\n');
        }
        tail.torn = true;
        tail.file.write_all(&line)?;
        tail.file.sync_data()?;
        tail.torn = false;
        Ok(())
    }
}

fn ends_with_newline(file: &mut File) -> io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// What a log holds.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    pub(crate) documents: Vec<Unlogged>,
    /// Lines that could not be read: torn by a crash, or damaged.
    pub(crate) unreadable: u64,
}

/// Reads a log whole.
pub(crate) fn read(path: &Path) -> io::Result<Contents> {
    let mut contents = Contents::default();
    for line in BufReader::new(File::open(path)?).split(b'\n') {
        let line = line?;
        match serde_json::from_slice::<Entry<Unlogged>>(&line) {
            Ok(entry) if entry.v == VERSION => contents.documents.push(entry.document),
            _ if line.is_empty() => {}
            _ => contents.unreadable += 1,
        }
    }
    Ok(contents)
}

fn log(portal: &Portal, unlogged: Vec<Unlogged>) -> Result<(), Failure> {
    for unlogged in unlogged {
        portal.grants_log().append(&unlogged).map_err(|error| Failure::GrantsLog(error.to_string()))?;
        let id = unlogged.document.id;
        portal.db().write(move |tx| Ok::<_, Failure>(documents::logged(tx, id)?))?;
    }
    Ok(())
}

/// Makes sure that the documents of a workstation are in the log, before one of them is shown to anybody.
pub(crate) fn hand_out(portal: &Portal, workstation: WorkstationId) -> Result<(), Failure> {
    let unlogged = portal.db().read(move |tx| Ok::<_, Failure>(documents::unlogged_of(tx, workstation)?))?;
    log(portal, unlogged)
}

/// Appends what a crash between commit and append left out.
pub(crate) fn catch_up(portal: &Portal) -> Result<(), Failure> {
    loop {
        let unlogged = portal.db().read(|tx| Ok::<_, Failure>(documents::unlogged(tx, BATCH)?))?;
        if unlogged.is_empty() {
            return Ok(());
        }
        log(portal, unlogged)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_line_costs_itself_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("grants.log");
        std::fs::write(&path, b"{\"v\":1,\"half").unwrap();
        let log = GrantsLog::open(&path).unwrap();
        let (_, tail) = log.0.as_ref().unwrap();
        assert!(tail.lock().unwrap().torn, "the next append starts a line of its own");
        assert_eq!(read(&path).unwrap().unreadable, 1);
        assert!(read(&folder.path().join("none")).is_err());
    }
}
