//! Giving back some seats of a document that came by file (`PROTOCOL.md` section 11): what the server promises to keep,
//! before it says so in a receipt.
//!
//! Owns the promise and what it makes of a document's lines. Signs nothing: the shell makes the receipt of a promise that is
//! on disk.

use super::{Act, Audit, Document, Engine, Output, Write};
use crate::grant::Grant;
use crate::ids::{LicenseId, LineId, WorkstationId};
use crate::pool::KeepView;
use crate::time::Ms;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A promise to use fewer seats than a document holds, for as long as that document is in force.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GiveBack {
    /// Rises with each promise of this server.
    pub number: u64,
    /// Which workstation this server was.
    pub workstation: WorkstationId,
    /// SHA-256 of the document, in hex.
    pub document: Arc<str>,
    /// Its number. No document of the workstation up to this one is loaded any more.
    pub rev: u64,
    /// Seats of each license that are kept.
    pub kept: BTreeMap<LicenseId, u32>,
    /// The same by the lines of the document; empty if only the receipt is left of it.
    pub lines: BTreeMap<LineId, u32>,
    /// When it was given.
    pub at: Ms,
}

impl GiveBack {
    /// Whether it says that a document may not be loaded, or counts for nothing if it is in force.
    fn forbids(&self, grant: &Grant, sha256: &str) -> bool {
        grant.workstation == self.workstation && grant.rev <= self.rev && *self.document != *sha256
    }

    /// Whether it is about a document.
    pub fn is_about(&self, document: &Document) -> bool {
        self.document == document.sha256
    }

    /// What of a document may be used.
    pub(super) fn cut(&self, document: &Document) -> Grant {
        let mut grant = document.grant.clone();
        if self.forbids(&grant, &document.sha256) {
            // Data that were put back to a time before the promise: what the portal counts now is not known here.
            grant.lines.iter_mut().for_each(|line| line.seats = 0);
        } else if self.is_about(document) {
            let mut left = self.kept.clone();
            for line in &mut grant.lines {
                let left = left.entry(line.license).or_default();
                let kept = if self.lines.is_empty() { *left } else { self.lines.get(&line.line).copied().unwrap_or(0) };
                line.seats = line.seats.min(kept);
                *left = left.saturating_sub(line.seats);
            }
        }
        grant
    }
}

/// Why no seats are given back. Nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GiveBackRefusal {
    /// There is no document in force.
    NotActivated,
    /// The server is kept up to date by its portal, which asks for seats by itself.
    Online,
    /// The server is being disabled and gives up everything.
    Draining,
    /// Seats may be out that are not known here, because the data were put back or the clock was: until when.
    Unknown {
        /// Until when.
        until: Ms,
    },
    /// Seats still run out on an older document.
    RunsOut {
        /// When the last of them has ended.
        until: Ms,
    },
    /// Data that were put back: a newer document than the one in force was said to be in force.
    PutBack {
        /// The number that was said.
        rev: u64,
    },
    /// The document has no seats of this license.
    NotHeld {
        /// Which.
        license: LicenseId,
    },
    /// More than it has.
    TooMany {
        /// Of which license.
        license: LicenseId,
        /// How many were to be kept.
        wanted: u32,
        /// How many it has.
        held: u32,
    },
    /// Fewer than are out.
    InUse {
        /// Of which license.
        license: LicenseId,
        /// How many were to be kept.
        wanted: u32,
        /// How many are out.
        used: u32,
        /// When the last of them is free at the latest, as it stands.
        free_at: Ms,
    },
    /// It keeps just that already.
    Nothing,
}

impl Engine {
    /// The newest promise to keep fewer seats than a document holds.
    pub fn given_back(&self) -> Option<&GiveBack> {
        self.given_back.as_ref()
    }

    /// The document in force is older than one that was said to be: the data were put back.
    pub fn is_put_back(&self) -> Option<u64> {
        let (given, document) = (self.given_back.as_ref()?, self.document.as_ref()?);
        given.forbids(&document.grant, &document.sha256).then_some(given.rev)
    }

    /// Whether a verified document may not be loaded because of what was given back: the number that was said.
    pub(super) fn forbidden(&self, document: &Document) -> Option<u64> {
        let given = self.given_back.as_ref()?;
        (given.forbids(&document.grant, &document.sha256) || given.is_about(document)).then_some(given.rev)
    }

    /// What may be given back of each license, or why nothing.
    pub fn may_give_back(&self, now: Ms) -> Result<Vec<KeepView>, GiveBackRefusal> {
        if self.document.is_none() {
            return Err(GiveBackRefusal::NotActivated);
        }
        if self.online.is_some() {
            return Err(GiveBackRefusal::Online);
        }
        if self.draining {
            return Err(GiveBackRefusal::Draining);
        }
        if let Some(rev) = self.is_put_back() {
            return Err(GiveBackRefusal::PutBack { rev });
        }
        if let Some((until, _)) = self.no_new(now) {
            return Err(GiveBackRefusal::Unknown { until });
        }
        if !self.pool.fits(&self.times) {
            return Err(GiveBackRefusal::RunsOut { until: self.pool.last_freed_at().unwrap_or(now) });
        }
        Ok(self.pool.keeps(now))
    }

    pub(super) fn give_back(
        &mut self,
        now: Ms,
        keep: &BTreeMap<LicenseId, u32>,
        act: Act,
        writes: &mut Vec<Write>,
    ) -> Output {
        match self.promise(now, keep) {
            Ok(Some(given)) => {
                self.pool.keep_only(&given.lines);
                let kept: Vec<String> =
                    given.kept.iter().map(|(license, seats)| format!("{seats} of {license}")).collect();
                let detail = format!("receipt {} for rev {}: keeps {}", given.number, given.rev, kept.join(", "));
                writes.push(Write::GivenBack(Box::new(given.clone())));
                writes.push(Write::Audit(Box::new(Audit { at: now, act, action: "seats_give_back", detail })));
                self.given_back = Some(given.clone());
                Output::GaveBack(Box::new(given))
            }
            // Asked again: its answer may have been lost.
            Ok(None) => match self.given_back.clone().filter(|given| self.is_newest(given)) {
                Some(given) => Output::GaveBack(Box::new(given)),
                None => Output::NotGivenBack(GiveBackRefusal::Nothing),
            },
            Err(refusal) => Output::NotGivenBack(refusal),
        }
    }

    fn is_newest(&self, given: &GiveBack) -> bool {
        self.document.as_ref().is_some_and(|document| given.is_about(document))
    }

    /// The promise that keeps so much; `None` if that is what is kept already. Changes nothing.
    pub fn promise(&self, now: Ms, keep: &BTreeMap<LicenseId, u32>) -> Result<Option<GiveBack>, GiveBackRefusal> {
        let all = self.may_give_back(now)?;
        let document = self.document.as_ref().ok_or(GiveBackRefusal::NotActivated)?;
        for (license, wanted) in keep {
            let (license, wanted) = (*license, *wanted);
            let view = all.iter().find(|view| view.license == license);
            let view = view.ok_or(GiveBackRefusal::NotHeld { license })?;
            if wanted > view.held {
                return Err(GiveBackRefusal::TooMany { license, wanted, held: view.held });
            }
            if wanted < view.used {
                let free_at = view.free_at.unwrap_or(now);
                return Err(GiveBackRefusal::InUse { license, wanted, used: view.used, free_at });
            }
        }
        let kept: BTreeMap<LicenseId, u32> =
            all.iter().map(|view| (view.license, keep.get(&view.license).copied().unwrap_or(view.held))).collect();
        if all.iter().all(|view| kept.get(&view.license) == Some(&view.held)) {
            return Ok(None);
        }
        Ok(Some(GiveBack {
            number: self.given_back.as_ref().map_or(0, |given| given.number) + 1,
            workstation: document.grant.workstation,
            document: document.sha256.clone(),
            rev: document.grant.rev,
            lines: self.pool.kept_by_line(&kept),
            kept,
            at: now,
        }))
    }
}
