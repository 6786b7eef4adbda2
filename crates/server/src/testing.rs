//! The server's store and files as the simulation drives them (`docs/PROTOCOL.md` section 13): the same functions that
//! the engine's thread calls, over a database of the caller's. Never enabled by the shipped binary.

use crate::engine::Restorer;
use crate::store::{self, Batch};
use crate::upstream::files::{self, RequestParts};
use crate::upstream::portal;
use leasehold_core::engine::{Document, Engine, Input, Restored, Write};
use leasehold_core::ids::{RequestId, WorkstationId};
use leasehold_core::time::Ms;
use leasehold_db::{Db, DbError};
use leasehold_trust::{FileProblem, PublicKey, SigningKey, VendorRoot};

/// Makes the tables.
///
/// # Errors
/// The database's.
pub fn migrate(db: &Db) -> Result<(), DbError> {
    db.migrate(store::MIGRATIONS).map(drop)
}

/// The high-water mark of time; `None` before the first commit.
///
/// # Errors
/// The database's.
pub fn mark(db: &Db) -> Result<Option<Ms>, DbError> {
    db.read(|tx| store::state(tx).map(|state| state.mark))
}

/// Writes one batch of the engine in one commit.
///
/// # Errors
/// The database's.
pub fn commit(db: &Db, now: Ms, writes: Vec<Write>) -> Result<(), DbError> {
    let batch = Batch { now, writes, names: true, prune_events_before: None };
    db.write(move |tx| store::commit(tx, &batch))
}

/// Tells a database that it was restored from a backup, as `server restore` does, and that a server first started on it at
/// `now`.
///
/// # Errors
/// The database's.
pub fn set_restored(db: &Db, now: Ms) -> Result<(), DbError> {
    db.write(move |tx| {
        store::set_restored(tx)?;
        store::start_after_restore(tx, now)
    })
}

/// What an engine starts from, its documents verified again.
///
/// # Errors
/// Why the server would not start, as a sentence.
pub fn restored(db: &Db, now: Ms, trust: Option<VendorRoot>, key: Option<PublicKey>) -> Result<Restored, String> {
    // The simulation's machines have no fingerprint.
    let restorer = Restorer { db: db.clone(), trust, key, machine: "".into() };
    restorer.read(now).map(|(restored, _)| restored).map_err(|error| error.to_string())
}

/// Every receipt file, oldest first.
///
/// # Errors
/// The database's.
pub fn receipts(db: &Db) -> Result<Vec<String>, DbError> {
    db.read(store::receipts)
}

/// The newest receipt file that is meant for the portal.
///
/// # Errors
/// The database's.
pub fn newest_receipt(db: &Db) -> Result<Option<String>, DbError> {
    db.read(store::newest_receipt)
}

/// What a portal's answer to the request `body` is to the engine of `workstation`; `file` is its activation file.
///
/// # Errors
/// Why it is not believed.
pub fn read_answer(
    body: &[u8],
    answer: &str,
    (workstation, key): (WorkstationId, &PublicKey),
    (file, root): (&str, &VendorRoot),
    jitter: u64,
) -> Result<Input, String> {
    portal::read_answer(&portal::Asked { body, workstation, file, root, key }, answer, jitter)
}

/// Reads an uploaded activation file.
///
/// # Errors
/// What is wrong with it.
pub fn read_file(
    bytes: &[u8],
    trust: Option<&VendorRoot>,
    key: &PublicKey,
    rev_in_use: Option<u64>,
    now: Ms,
) -> Result<Document, FileProblem> {
    files::read(bytes, trust, key, rev_in_use, now).map(|read| read.document)
}

/// The number that a request file says, so that the portal counts what is before it as void.
pub fn rev_to_report(engine: &Engine, now: Ms) -> Option<u64> {
    files::rev_to_report(engine, now)
}

/// The text of a request file.
pub fn request_file(
    key: &SigningKey,
    request: RequestId,
    wall: Ms,
    rev_in_use: Option<u64>,
    trust: Option<VendorRoot>,
) -> String {
    files::request_file(key, &RequestParts { request, wall, machine: "".into(), rev_in_use, trust })
}
