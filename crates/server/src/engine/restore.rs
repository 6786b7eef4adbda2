//! From what is on disk to an engine: at the start, and after a commit that found the disk full.

use crate::store;
use crate::upstream::files::{self, Reread};
use leasehold_core::engine::{Document, Restored, UnknownPasses};
use leasehold_core::grant::Line;
use leasehold_core::ids::LineId;
use leasehold_core::pool::{Lease, Standing};
use leasehold_core::time::Ms;
use leasehold_core::times::TimeTable;
use leasehold_db::{Db, DbError};
use leasehold_trust::{FileProblem, PublicKey, VendorRoot};
use std::collections::BTreeSet;

/// Why what is on disk makes no engine.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RestoreError {
    /// The database cannot be read.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The stored activation file no longer verifies.
    #[error("the activation file in the database does not verify: {}. {}", .0.what(), .0.what_to_do())]
    Document(FileProblem),
    /// A grant is in force and the key that it is bound to is gone.
    #[error(
        "the key file of this server is missing, and without it the grant in the database is worth nothing. Restore \
         the data folder whole from a backup; or move it away, start anew and activate the server again"
    )]
    KeyMissing,
}

/// Reads what an engine starts from.
#[derive(Clone, Debug)]
pub(crate) struct Restorer {
    /// The server's database.
    pub(crate) db: Db,
    /// The vendor's root, if it is known.
    pub(crate) trust: Option<VendorRoot>,
    /// The server's key, if it has one.
    pub(crate) key: Option<PublicKey>,
    /// Fingerprint of this machine.
    pub(crate) machine: Box<str>,
}

impl Restorer {
    /// Everything at `now`, and the document in force as it was verified.
    pub(crate) fn read(&self, now: Ms) -> Result<(Restored, Option<Reread>), RestoreError> {
        let (
            state,
            asked,
            leases,
            (ended_since, ended),
            stored,
            (online, peaks),
            (bars, denials, passes_over, given_back),
        ) = self.db.read(move |tx| {
            let state = store::state(tx)?;
            // Counted from the last commit: the clock may have been set ahead since, and a key that was forgotten for
            // that would give a second lease.
            let last = state.mark.map_or(now, |mark| mark.min(now));
            let memory = last.plus(-TimeTable::DEFAULT.key_memory_ms);
            // What the start before this one took up is remembered in full, however soon this one follows.
            let kept = state.keys_kept.filter(|(_, until)| last < *until);
            let since = kept.map_or(memory, |(since, _)| since.min(memory));
            let ended = (since, store::ended_since(tx, since)?);
            Ok::<_, DbError>((
                state,
                store::asked(tx)?,
                store::leases(tx)?,
                ended,
                store::in_force(tx)?,
                (store::online(tx)?, store::peaks(tx, now)?),
                (
                    store::bars(tx, now)?,
                    store::open_denials(tx)?,
                    store::passes_over(tx, last)?,
                    store::given_back(tx)?,
                ),
            ))
        })?;
        let current = stored.map(|stored| self.verify(&stored)).transpose()?;
        let document = current.as_ref().map(|reread| reread.document.clone());
        let former_lines = self.former_lines(&leases, document.as_ref())?;
        let restored = Restored {
            document,
            former_lines,
            leases,
            ended,
            ended_since,
            draining: state.draining,
            machine: self.machine.clone(),
            moved_since: state.moved_since,
            restored_at: state.restored_at,
            unknown: state
                .passes_unknown_since
                .zip(state.restored_at)
                .map(|(since, until)| UnknownPasses { since, until }),
            asked,
            online,
            peaks,
            bars,
            denials,
            passes_over,
            passes_held_until: state.passes_held_until,
            given_back,
        };
        Ok((restored, current))
    }

    fn verify(&self, stored: &store::StoredDocument) -> Result<Reread, RestoreError> {
        let key = self.key.as_ref().ok_or(RestoreError::KeyMissing)?;
        files::reread(stored, self.trust.as_ref(), key).map_err(RestoreError::Document)
    }

    /// Lines that left the document and on which leases still run: the newest document that has one knows it best.
    fn former_lines(&self, leases: &[Lease], document: Option<&Document>) -> Result<Vec<Line>, RestoreError> {
        let Some(document) = document else { return Ok(Vec::new()) };
        let mut missing: BTreeSet<LineId> = BTreeSet::new();
        for lease in leases {
            let (Standing::Own(placement) | Standing::Shared { placement, .. }) = &lease.standing;
            missing.extend(placement.iter().map(|(line, _)| *line));
        }
        for line in &document.grant.lines {
            missing.remove(&line.line);
        }
        if missing.is_empty() {
            return Ok(Vec::new());
        }
        let workstation = document.grant.workstation.to_string();
        let mut lines = Vec::new();
        for stored in self.db.read(move |tx| store::older(tx, &workstation))? {
            let grant = self.verify(&stored)?.document.grant;
            lines.extend(grant.lines.into_iter().filter(|line| missing.remove(&line.line)));
            if missing.is_empty() {
                break;
            }
        }
        Ok(lines)
    }
}
