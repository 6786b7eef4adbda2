//! *Would this work?*: what a checkout would come to, with each step that leads there, changing nothing.
//!
//! Asks the same functions as a checkout does: it has no rule of its own.

use super::waiting::MayWait;
use super::{Denial, Engine};
use crate::codes::DenialCode;
use crate::grant::Line;
use crate::ids::{LeaseId, LicenseId};
use crate::pool::{Ask, LineVerdict, Placement, Release, Source, Standing};
use crate::site::NameList;
use crate::time::Ms;
use std::sync::Arc;

/// What a checkout would come to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trial {
    /// Why the server gives nothing at all, if so: then no line is looked at.
    pub closed: Option<DenialCode>,
    /// Why this user at this host gets nothing for a while, if so.
    pub barred: Option<Arc<Release>>,
    /// The list of this server's administrator that keeps the asker from a seat, if one does.
    pub refused_by: Option<NameList>,
    /// Each line with the feature, in the order in which they are tried.
    pub lines: Vec<TrialLine>,
    /// An application of the same user on the same machine holds a seat that it would share.
    pub shares: bool,
    /// What comes of it.
    pub verdict: TrialVerdict,
}

/// What one line says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrialLine {
    /// The line.
    pub line: Line,
    /// Seats of the feature on it that are out.
    pub out: u32,
    /// Of these, held since a restore because machines may have borrowed them.
    pub held: u32,
    /// What it says.
    pub verdict: LineVerdict,
}

/// What comes of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TrialVerdict {
    /// It would get seats.
    Granted {
        /// On these lines.
        placement: Placement,
        /// Until when they run.
        ends_at: Ms,
    },
    /// No seat is here, and the portal would be asked for seats of a license first.
    AsksPortal {
        /// Which; `None` while the server waits for its first answer.
        license: Option<LicenseId>,
        /// What it would hear if none comes.
        otherwise: Box<Denial>,
    },
    /// It would be refused.
    Denied(Box<Denial>),
}

impl Engine {
    /// What a checkout at `now` would come to. `id` is the lease that it would get; nothing of it is kept. Who asks without
    /// saying which machine it is stands for the machine on which that user has a seat that can be shared.
    pub fn trial(&self, now: Ms, id: LeaseId, ask: &Ask, source: Source) -> Trial {
        let sharer = self.pool.sharer(ask).filter(|_| ask.host_id.is_empty() && ask.seats == 1);
        let Some(known) = sharer else { return self.trial_of(now, id, ask, source) };
        let (host_id, boot_id) = (known.host_id.clone(), known.boot_id.clone());
        self.trial_of(now, id, &Ask { host_id, boot_id, ..ask.clone() }, known.source)
    }

    fn trial_of(&self, now: Ms, id: LeaseId, ask: &Ask, source: Source) -> Trial {
        let closed = self.closed(now);
        let barred = self.bars.of(ask, now).cloned();
        let refused_by = self.rules.refuses(&ask.user, &ask.host);
        let lines = self.pool.weighed(ask, source, now);
        let lines = lines
            .into_iter()
            .map(|(line, out, verdict)| {
                let held = self.pool.unknown_on(&ask.feature, line.line);
                TrialLine { line: line.clone(), out, held, verdict }
            })
            .collect();
        let denied = |code| Box::new(self.denial(now, code, ask, source));
        let found = match closed.or_else(|| self.barred(ask, now)) {
            Some(code) => Err((code, false)),
            None => self.find(id, ask, source, now).map_err(|code| (code, true)),
        };
        let shares = matches!(&found, Ok(Standing::Shared { seat, .. }) if *seat != id);
        let verdict = match found {
            Ok(Standing::Own(placement) | Standing::Shared { placement, .. }) => {
                TrialVerdict::Granted { ends_at: self.pool.ends_at(&placement), placement }
            }
            Err((code, true)) => match self.may_wait(now, ask, source, code) {
                MayWait::For(license) => {
                    TrialVerdict::AsksPortal { license, otherwise: denied(self.said_by_portal(ask, source, code)) }
                }
                MayWait::No => TrialVerdict::Denied(denied(self.said_by_portal(ask, source, code))),
            },
            Err((code, false)) => TrialVerdict::Denied(denied(code)),
        };
        Trial { closed, barred, refused_by, lines, shares, verdict }
    }
}
