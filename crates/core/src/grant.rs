//! The grant document and how the portal counts it (`PROTOCOL.md` section 1).
//!
//! Owns lines, terms and the one counting rule by which law 1 holds between portal and server. Signing is in
//! `leasehold-trust`, storing in the services.

use crate::ids::{LicenseId, LineId, RequestId, WorkstationId};
use crate::license::{Channel, FeatureBundle, FeatureCode, Kind, Share, words};
use crate::time::{Ms, numeric_date};
use crate::times::TimeTable;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

words! {
    /// How a line is renewed.
    Renew {
        /// At each sync with the portal.
        Sync = "sync",
        /// By a new file.
        File = "file",
        /// Not at all: it ends.
        Never = "never",
    }
}

/// The terms on which a line is held. Online, pinned, by file and on a dongle are the same document with other terms.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// How the line is renewed.
    pub renew: Renew,
    /// Whether the portal may ask for idle seats back before `until`.
    pub recallable: bool,
    /// Kept for use without a portal until `until`.
    pub pinned: bool,
    /// Beyond what was bought, by the vendor's leave.
    pub overdraft: bool,
    /// Serves the workstation's own person only (an assignment or a personal license): loopback clients.
    pub assigned: bool,
    /// Longest borrow from this line, in days; 0 forbids borrowing.
    pub borrow_days_max: u32,
    /// Borrowed seats that are returned early come free at the end of their pass only.
    #[serde(default, skip_serializing_if = "is_false")]
    pub return_at_end: bool,
    /// Seats of the license that the administrator may declare lost within a year and have back at once.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub write_offs: u32,
    /// Whether leases may share a seat.
    pub share: Share,
    /// Applications released after this date may not use the line (a perpetual license's `maintenance_until`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released_before: Option<Date>,
}

impl Terms {
    /// The terms of a line that is renewed at each sync; `assigned` to the workstation's own person, or floating.
    pub fn by_sync(share: Share, released_before: Option<Date>, assigned: bool) -> Terms {
        Terms { renew: Renew::Sync, recallable: true, assigned, ..Terms::by_file(share, released_before) }
    }

    /// The terms of a line that the portal renews and that lasts without it: the same line as `by_sync`, not to be asked
    /// back.
    #[must_use]
    pub fn kept(self) -> Terms {
        Terms { recallable: false, pinned: true, ..self }
    }

    /// The terms of a floating line that is carried by file.
    pub fn by_file(share: Share, released_before: Option<Date>) -> Terms {
        Terms {
            renew: Renew::File,
            recallable: false,
            pinned: false,
            overdraft: false,
            assigned: false,
            borrow_days_max: 0,
            return_at_end: false,
            write_offs: 0,
            share,
            released_before,
        }
    }
}

/// One row of a grant: seats of one license until an instant, on terms.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Names the row for good: a renewed or enlarged line keeps its id.
    pub line: LineId,
    /// The license that it comes from.
    pub license: LicenseId,
    /// Code of the product, such as `studio`.
    pub product: String,
    /// Name of the product for people.
    pub product_name: String,
    /// Floating or named.
    pub kind: Kind,
    /// In which way the license was given out.
    pub channel: Channel,
    /// What one seat holds.
    pub features: FeatureBundle,
    /// How many seats, at least 1.
    pub seats: u32,
    /// No lease on the line runs past this instant. Whole seconds.
    #[serde(with = "numeric_date")]
    pub until: Ms,
    /// On what terms.
    pub terms: Terms,
}

impl Line {
    /// How many seats of `feature` this line holds in all; 0 if it does not carry the feature.
    pub fn capacity(&self, feature: &str) -> u32 {
        self.features.get(feature).map_or(0, |per_seat| per_seat.saturating_mul(self.seats))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(value: &u32) -> bool {
    *value == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// Format version of grant documents that this build writes and reads.
pub const GRANT_VERSION: u32 = 1;

/// All that a workstation holds. The portal issues one at a time; a new one replaces the whole.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// The workstation that it is for.
    pub workstation: WorkstationId,
    /// The workstation's name at the portal, for people.
    pub workstation_name: String,
    /// The account that activated it, for people.
    pub account_name: String,
    /// Rises with each document of this workstation, from 1. A server never loads a lower one than it has.
    pub rev: u64,
    /// When the portal issued it, by the portal's clock. Whole seconds.
    #[serde(with = "numeric_date")]
    pub issued_at: Ms,
    /// The activation request that it answers; `None` if it was issued without one. It proves to the server that asked
    /// what time it is: the document is younger than its request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
    /// Fingerprint of the machine that the workstation's newest request came from; empty if it told none, which any
    /// machine fits.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub machine: String,
    /// Kept up to date by syncs with the portal; otherwise by files.
    #[serde(default, skip_serializing_if = "is_false")]
    pub online: bool,
    /// The rows. May be empty: the workstation is known and holds nothing.
    pub lines: Vec<Line>,
}

impl Grant {
    /// Whether it was issued to the machine with a fingerprint. One that names no machine is for every one; `None` if it
    /// names one and this machine has no fingerprint to compare.
    pub fn is_for_machine(&self, fingerprint: &str) -> Option<bool> {
        if self.machine.is_empty() {
            return Some(true);
        }
        (!fingerprint.is_empty()).then(|| self.machine == fingerprint)
    }

    /// Whether a pass of a feature until then may come with it: a line lends it for so long.
    pub fn allows_pass(&self, feature: &FeatureCode, until: Ms) -> bool {
        self.lines
            .iter()
            .any(|line| line.capacity(feature.as_str()) > 0 && line.terms.borrow_days_max > 0 && until <= line.until)
    }

    /// The latest `until` of its lines; `issued_at` if it has none.
    pub fn ends_at(&self) -> Ms {
        self.lines.iter().map(|line| line.until).max().unwrap_or(self.issued_at)
    }
}

/// What counting needs to know of one line of one issued document.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CountedLine {
    /// The license.
    pub license: LicenseId,
    /// Seats in the line.
    pub seats: u32,
    /// When the lessor frees it: [`TimeTable::line_freed_at`], computed when the document was issued.
    pub freed_at: Ms,
    /// Kept for use without a portal.
    pub pinned: bool,
}

impl CountedLine {
    /// What the portal must remember of `line`.
    pub fn of(line: &Line, times: &TimeTable) -> CountedLine {
        CountedLine {
            license: line.license,
            seats: line.seats,
            freed_at: times.line_freed_at(line.until, &line.terms),
            pinned: line.terms.pinned,
        }
    }
}

/// One issued document as the portal remembers it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IssuedDocument {
    /// Its number.
    pub rev: u64,
    /// Its rows.
    pub lines: Vec<CountedLine>,
}

/// Seats of `license` that one workstation may be using at `now`: the **greatest** sum of lines alive over the last
/// acknowledged document and every one issued since. A server that never told us which one it obeys may obey any.
///
/// `acknowledged_rev` is 0 while nothing was acknowledged. The result never rises as `now` does, so what fits now
/// fits for ever.
pub fn counted_seats(documents: &[IssuedDocument], acknowledged_rev: u64, license: LicenseId, now: Ms) -> u32 {
    documents
        .iter()
        .filter(|document| document.rev >= acknowledged_rev)
        .map(|document| seats_alive(document, license, now))
        .max()
        .unwrap_or(0)
}

fn seats_alive(document: &IssuedDocument, license: LicenseId, now: Ms) -> u32 {
    let alive = document.lines.iter().filter(|line| line.license == license && now < line.freed_at);
    alive.fold(0, |sum, line| sum.saturating_add(line.seats))
}

/// Of [`counted_seats`], those that the workstation may be using on lines that are kept for use without a portal.
pub fn counted_pinned(documents: &[IssuedDocument], acknowledged_rev: u64, license: LicenseId, now: Ms) -> u32 {
    let obeyable = documents.iter().filter(|document| document.rev >= acknowledged_rev);
    let pinned = |document: &IssuedDocument| {
        let lines = document.lines.iter().filter(|line| line.pinned && line.license == license && now < line.freed_at);
        lines.fold(0_u32, |sum, line| sum.saturating_add(line.seats))
    };
    obeyable.map(pinned).max().unwrap_or(0)
}

/// Until when a workstation counts for `license` at all; `None` if it does not at `now`.
pub fn counted_until(documents: &[IssuedDocument], acknowledged_rev: u64, license: LicenseId, now: Ms) -> Option<Ms> {
    let obeyable = documents.iter().filter(|document| document.rev >= acknowledged_rev);
    let lines = obeyable.flat_map(|document| &document.lines);
    lines
        .filter(|line| line.license == license && line.seats > 0 && now < line.freed_at)
        .map(|line| line.freed_at)
        .max()
}

/// What a server has promised of one license: beside the document that it presented it uses nothing new of an older one.
/// So what it may be using of all of them together is bounded, however much each of them was signed for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Promise {
    /// The document that was presented. What is newer counts in full.
    pub rev: u64,
    /// Seats that it may be using by this document and all before it.
    pub seats: u32,
    /// Of these, on lines that are or were kept for use without a portal.
    pub pinned: u32,
}

impl Promise {
    /// What a server promises that presents document `rev`, keeps so many seats of a license online, and on whose older
    /// lines that are in no report so many run out. `documents` as they counted until now: a promise is never more than
    /// the one before.
    pub fn made(
        documents: &[IssuedDocument],
        (rev, license): (u64, LicenseId),
        (keep, running_out): (u32, u32),
        now: Ms,
    ) -> Promise {
        let of = |wanted: &dyn Fn(u64) -> bool| -> Vec<IssuedDocument> {
            documents.iter().filter(|document| wanted(document.rev)).cloned().collect()
        };
        let (until, presented) = (of(&|number| number <= rev), of(&|number| number == rev));
        let pinned = counted_pinned(&presented, 0, license, now).saturating_add(running_out);
        Promise {
            rev,
            seats: counted_seats(&until, 0, license, now).min(pinned.saturating_add(keep)),
            pinned: counted_pinned(&until, 0, license, now).min(pinned),
        }
    }

    /// Documents of a server, all of which it may obey, as they count: those before the presented one together for no
    /// more than was promised of `license`.
    pub fn bound(self, documents: &mut Vec<IssuedDocument>, license: LicenseId, now: Ms) {
        let older: Vec<IssuedDocument> = documents.iter().filter(|one| one.rev < self.rev).cloned().collect();
        let seats = counted_seats(&older, 0, license, now).min(self.seats);
        let pinned = counted_pinned(&older, 0, license, now).min(self.pinned).min(seats);
        let lines = || older.iter().flat_map(|one| &one.lines).filter(|line| line.license == license);
        let freed_at = |pinned: bool| lines().filter(|line| !pinned || line.pinned).map(|line| line.freed_at).max();
        let line = |seats: u32, pinned: bool| {
            let freed_at = freed_at(pinned).filter(|_| seats > 0)?;
            Some(CountedLine { license, seats, freed_at, pinned })
        };
        let lines: Vec<CountedLine> = [line(pinned, true), line(seats - pinned, false)].into_iter().flatten().collect();
        for document in documents.iter_mut().filter(|one| one.rev < self.rev) {
            document.lines.retain(|line| line.license != license);
        }
        documents.retain(|one| !one.lines.is_empty());
        if !lines.is_empty() {
            documents.push(IssuedDocument { rev: self.rev - 1, lines });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Seeded;
    use proptest::prelude::*;

    fn license() -> LicenseId {
        LicenseId::draw(Ms(1), &mut Seeded::new(1))
    }

    fn document(rev: u64, seats: u32, freed_at: i64) -> IssuedDocument {
        IssuedDocument {
            rev,
            lines: vec![CountedLine { license: license(), seats, freed_at: Ms(freed_at), pinned: false }],
        }
    }

    #[test]
    fn more_counts_when_issued_and_less_only_when_acknowledged() {
        let documents = [document(1, 10, 100), document(2, 4, 100)];
        assert_eq!(counted_seats(&documents, 0, license(), Ms(50)), 10, "the server may still obey rev 1");
        assert_eq!(counted_seats(&documents, 2, license(), Ms(50)), 4);
        let raised = [document(1, 4, 100), document(2, 10, 100)];
        assert_eq!(counted_seats(&raised, 1, license(), Ms(50)), 10);
    }

    #[test]
    fn less_also_counts_once_the_older_document_has_ended() {
        let documents = [document(1, 10, 100), document(2, 4, 200)];
        assert_eq!(counted_seats(&documents, 0, license(), Ms(100)), 4);
        assert_eq!(counted_until(&documents, 0, license(), Ms(100)), Some(Ms(200)));
        assert_eq!(counted_until(&documents, 0, license(), Ms(200)), None);
    }

    fn issued(rev: u64, online: u32, pinned: u32) -> IssuedDocument {
        let line = |seats, pinned| CountedLine { license: license(), seats, freed_at: Ms(100), pinned };
        IssuedDocument { rev, lines: vec![line(online, false), line(pinned, true)] }
    }

    #[test]
    fn what_was_kept_counts_for_what_runs_out_of_it_and_for_what_may_be_used_beside() {
        let mut documents = vec![issued(1, 0, 20), issued(2, 20, 0)];
        let promise = Promise::made(&documents, (2, license()), (2, 3), Ms(50));
        assert_eq!(promise, Promise { rev: 2, seats: 5, pinned: 3 });
        documents[1] = issued(2, 2, 0);
        promise.bound(&mut documents, license(), Ms(50));
        let counted = |documents: &[IssuedDocument]| {
            (counted_seats(documents, 1, license(), Ms(50)), counted_pinned(documents, 1, license(), Ms(50)))
        };
        assert_eq!(counted(&documents), (5, 3));
        assert_eq!(counted_until(&documents, 1, license(), Ms(50)), Some(Ms(100)));
        assert_eq!(counted_seats(&documents, 1, license(), Ms(100)), 0);
        // A newer document counts in full, and never is more promised than was before.
        documents.push(issued(3, 9, 0));
        assert_eq!(counted(&documents), (9, 3));
        documents[2] = issued(3, 2, 0);
        let again = Promise::made(&documents, (3, license()), (7, 7), Ms(50));
        assert_eq!(again, Promise { rev: 3, seats: 5, pinned: 3 });
    }

    proptest! {
        #[test]
        fn what_fits_now_fits_for_ever(
            documents in prop::collection::vec((1_u64..5, 0_u32..20, 0_i64..100), 0..6),
            acknowledged in 0_u64..5, earlier in 0_i64..100, later in 0_i64..100,
        ) {
            let documents: Vec<_> = documents.into_iter().map(|(r, s, f)| document(r, s, f)).collect();
            let (earlier, later) = (earlier.min(later), earlier.max(later));
            prop_assert!(
                counted_seats(&documents, acknowledged, license(), Ms(later))
                    <= counted_seats(&documents, acknowledged, license(), Ms(earlier))
            );
        }
    }
}
