//! What is really so, kept apart from what any part of the system believes: rows that reached a disk, documents that
//! were issued, seats that were bought. Fed by what was committed, never by what somebody counted.

use leasehold_core::engine::{EventKind, Write};
use leasehold_core::grant::{CountedLine, IssuedDocument, Line, counted_seats};
use leasehold_core::ids::{GrantId, LeaseId, LicenseId, LineId, PassId, WorkstationId};
use leasehold_core::license::FeatureCode;
use leasehold_core::pool::Placement;
use leasehold_core::sync::SyncRequest;
use leasehold_core::time::Ms;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// A lease that reached a server's disk.
#[derive(Clone, Debug)]
pub(super) struct LeaseTruth {
    /// The seat it sits on, named by a lease.
    pub(super) seat: LeaseId,
    pub(super) feature: FeatureCode,
    pub(super) placement: Placement,
    /// It is a pass.
    pub(super) pass: bool,
}

/// A lease that a restore forgot: its holder knows nothing of it.
#[derive(Clone, Debug)]
pub(super) struct Orphan {
    pub(super) forgotten_ms: i64,
    pub(super) lease: LeaseTruth,
    /// The server knows that it was restored, and has the lines of the lease: it must not give the seat again.
    pub(super) covered: bool,
}

/// What one server has on disk.
#[derive(Clone, Debug, Default)]
pub(super) struct OnDisk {
    pub(super) leases: BTreeMap<LeaseId, LeaseTruth>,
    /// Workstation and number of the document in force.
    pub(super) document: Option<(WorkstationId, u64)>,
    pub(super) draining: bool,
    pub(super) receipts: usize,
    /// Lines of every document that was in force, as the newest of them said.
    pub(super) lines: HashMap<LineId, Line>,
}

/// One server as an observer knows it.
#[derive(Clone, Debug, Default)]
pub(super) struct ServerTruth {
    pub(super) on_disk: OnDisk,
    pub(super) orphans: BTreeMap<LeaseId, Orphan>,
    /// It may obey a document that the portal counts as void, because its disk was set back; until this time.
    pub(super) set_back_until_ms: i64,
    /// How often its memory of keys was lost with its disk's future.
    pub(super) forgot: u64,
    /// Its disk was set back while it was online, and the portal has not taken a sync since: what it promised before may
    /// be forgotten.
    pub(super) unsynced: bool,
    /// Receipts that it made, its disk's lost future included.
    receipts_made: usize,
    /// The document that it obeys although it has given back seats of it: its disk was set back to before the receipt, and
    /// nobody told it.
    pub(super) obeys_given_back: Option<(WorkstationId, u64)>,
    /// When its newest document was loaded.
    pub(super) loaded_ms: i64,
    /// When a machine last gave back what it had borrowed.
    pub(super) returned_ms: i64,
    /// The number of the last sync that it knows to be taken.
    syncs: u64,
}

impl ServerTruth {
    fn made_receipt(&mut self) {
        self.on_disk.receipts += 1;
        self.receipts_made = self.receipts_made.max(self.on_disk.receipts);
    }
}

/// A document that was issued.
#[derive(Clone, Debug)]
struct IssuedTruth {
    id: GrantId,
    /// Somebody outside the portal has it.
    handed_out: bool,
    document: IssuedDocument,
    /// It came by sync: what its server says that it keeps is said of it as well.
    by_sync: bool,
    /// Seats that each of its licenses had when it was issued.
    bought: BTreeMap<LicenseId, u32>,
}

/// One workstation at the portal.
#[derive(Clone, Debug, Default)]
pub(super) struct WorkstationTruth {
    issued: Vec<IssuedTruth>,
    /// Documents before this number are void: its server said so in a file or a sync that the portal has taken.
    pub(super) acknowledged_rev: u64,
    /// Seats that its server promised to use at most, by document and license.
    kept: BTreeMap<(u64, LicenseId), u32>,
    /// Seats of each license that it may use at most of all that it has by a document, whatever it was given for.
    most: BTreeMap<(u64, LicenseId), u32>,
}

/// What an observer of everything knows.
#[derive(Debug, Default)]
pub(super) struct Truth {
    /// Every lease that ever reached a disk.
    pub(super) known: HashSet<LeaseId>,
    /// Every line that any server ever loaded: of which license it is, and of what.
    pub(super) lines: HashMap<LineId, Line>,
    /// The lease made under each key, at which server, and how often that server had forgotten then.
    keys: HashMap<Arc<str>, (usize, LeaseId, u64)>,
    pub(super) servers: Vec<ServerTruth>,
    pub(super) bought: BTreeMap<LicenseId, u32>,
    pub(super) workstations: BTreeMap<WorkstationId, WorkstationTruth>,
    /// Passes that an administrator counted as free while their machines may use them: the one exception of the laws.
    pub(super) written_off: BTreeSet<LeaseId>,
    /// Of these, what a server by file may count for itself.
    pub(super) written_off_here: BTreeSet<PassId>,
    /// Seats of servers that were declared lost and count as free while the server may use them: the same exception.
    lost: BTreeMap<(WorkstationId, LicenseId), BTreeMap<Ms, u32>>,
    /// Leases of which a clone of the holder's machine has a copy.
    pub(super) copied: BTreeSet<LeaseId>,
    /// Keys under which a clone asks as well: what is made under them is copied from the beginning.
    copied_keys: BTreeSet<Arc<str>>,
}

/// What a commit did that somebody has to look at.
#[derive(Debug, Default)]
pub(super) struct Committed {
    /// A key that got a second lease.
    pub(super) second_lease: Option<(Arc<str>, LeaseId, LeaseId)>,
    /// A new document is in force.
    pub(super) document: bool,
    pub(super) kinds: Vec<EventKind>,
}

impl Truth {
    /// A clone asks under this key as well.
    pub(super) fn copy_key(&mut self, key: Arc<str>) {
        self.copied.extend(self.keys.get(&key).map(|(_, lease, _)| *lease));
        self.copied_keys.insert(key);
    }

    /// Rows of a server that are on its disk now.
    pub(super) fn committed(&mut self, server: usize, writes: &[Write]) -> Committed {
        let mut committed = Committed::default();
        let truth = &mut self.servers[server];
        for write in writes {
            match write {
                Write::Lease(lease) => {
                    let placement = match &lease.standing {
                        leasehold_core::pool::Standing::Own(placement)
                        | leasehold_core::pool::Standing::Shared { placement, .. } => placement.clone(),
                    };
                    self.known.insert(lease.id);
                    if self.copied_keys.contains(&lease.key) {
                        self.copied.insert(lease.id);
                    }
                    truth.orphans.remove(&lease.id);
                    let known = self.keys.insert(lease.key.clone(), (server, lease.id, truth.forgot));
                    if let Some((at, other, forgot)) = known
                        && (at, forgot) == (server, truth.forgot)
                        && other != lease.id
                    {
                        committed.second_lease = Some((lease.key.clone(), other, lease.id));
                    }
                    let feature = lease.ask.feature.clone();
                    let pass = lease.pass.is_some();
                    truth.on_disk.leases.insert(lease.id, LeaseTruth { seat: lease.seat(), feature, placement, pass });
                }
                Write::SeatMoved { seat, placement } => {
                    for lease in truth.on_disk.leases.values_mut().filter(|lease| lease.seat == *seat) {
                        lease.placement = placement.clone();
                    }
                }
                Write::LeaseEnded { id } => {
                    truth.on_disk.leases.remove(id);
                }
                Write::Document(document) => {
                    for line in &document.grant.lines {
                        self.lines.insert(line.line, line.clone());
                        truth.on_disk.lines.insert(line.line, line.clone());
                    }
                    truth.on_disk.document = Some((document.grant.workstation, document.grant.rev));
                    committed.document = true;
                }
                Write::Draining => truth.on_disk.draining = true,
                Write::GivenBack(_) => truth.made_receipt(),
                Write::Online(row) => {
                    let syncs = row.as_ref().map_or(0, |row| row.seq);
                    if row.is_none() || syncs > truth.syncs {
                        truth.unsynced = false;
                    }
                    truth.syncs = syncs;
                }
                Write::Retired { .. } => {
                    truth.on_disk.draining = false;
                    truth.on_disk.document = None;
                    truth.made_receipt();
                }
                Write::Event(event) => committed.kinds.push(event.kind),
                Write::PassOver(over) if !over.written_off.is_empty() => {
                    self.written_off.insert(over.id.lease());
                }
                Write::LeaseSeen { .. }
                | Write::Pass { .. }
                | Write::PassOver(_)
                | Write::UnknownHeld
                | Write::PassesHeld { .. }
                | Write::LeaseReleased { .. }
                | Write::Barred(_)
                | Write::Denial(_)
                | Write::Audit(_)
                | Write::Asked { .. }
                | Write::Moved { .. }
                | Write::KeysKept { .. }
                | Write::Peak { .. }
                | Write::SetBack { .. } => {}
            }
        }
        committed
    }

    /// A server's disk was set back to a copy: by its own command, which tells it so, or by other means.
    pub(super) fn set_back(&mut self, server: usize, copy: OnDisk, at_ms: i64, (told, online): (bool, bool)) {
        let truth = &mut self.servers[server];
        for orphan in truth.orphans.values_mut() {
            orphan.covered &= told;
        }
        let former = std::mem::replace(&mut truth.on_disk, copy);
        let now = &truth.on_disk;
        // The same document: of another nothing can be said.
        let same = told && former.document == now.document;
        for (id, lease) in former.leases.into_iter().filter(|(id, _)| !now.leases.contains_key(id)) {
            let covered = same && lease.pass;
            truth.orphans.insert(id, Orphan { forgotten_ms: at_ms, lease, covered });
        }
        truth.forgot += 1;
        truth.unsynced = online;
        let forgot_receipt = !told && truth.on_disk.receipts < truth.receipts_made;
        truth.obeys_given_back = truth.on_disk.document.filter(|_| forgot_receipt);
        // What the portal takes from now on counts, whatever its number.
        truth.syncs = u64::MAX;
    }

    /// The portal has taken what a server said with its document `presented`.
    pub(super) fn said(&mut self, workstation: WorkstationId, request: &SyncRequest, presented: u64) {
        let Some(truth) = self.workstations.get_mut(&workstation) else { return };
        if truth.issued.iter().any(|issued| issued.document.rev == request.rev) {
            truth.acknowledged_rev = truth.acknowledged_rev.max(request.rev);
        }
        for (license, report) in &request.licenses {
            let kept = truth.kept.entry((presented, *license)).or_insert(report.keep);
            *kept = (*kept).min(report.keep);
        }
        // Of what it does not name it has nothing.
        let pinned = |document: &IssuedDocument, license: LicenseId| -> u32 {
            document.lines.iter().filter(|line| line.pinned && line.license == license).map(|line| line.seats).sum()
        };
        let older = truth.issued.iter().filter(|issued| issued.by_sync && issued.document.rev < presented);
        for document in older.map(|issued| &issued.document) {
            for line in &document.lines {
                let keep = request.licenses.get(&line.license).map_or(0, |report| report.keep);
                // Beside what is used of it by another that it holds since.
                let newer = truth.issued.iter().map(|issued| &issued.document);
                let newer = newer.filter(|newer| document.rev < newer.rev && newer.rev <= presented);
                let most = newer.map(|newer| pinned(newer, line.license)).max().unwrap_or(0);
                let keep = keep + most.saturating_sub(pinned(document, line.license));
                let kept = truth.kept.entry((document.rev, line.license)).or_insert(keep);
                *kept = (*kept).min(keep);
            }
        }
        let Some(running_out) = &request.running_out else { return };
        let presented_document = truth.issued.iter().find(|issued| issued.document.rev == presented);
        for document in truth.issued.iter().map(|issued| &issued.document).filter(|older| older.rev < presented) {
            for license in document.lines.iter().map(|line| line.license) {
                let keep = request.licenses.get(&license).map_or(0, |report| report.keep);
                let out = running_out.get(&license).copied().unwrap_or(0);
                let kept = presented_document.map_or(0, |issued| pinned(&issued.document, license));
                let most = truth.most.entry((document.rev, license)).or_insert(u32::MAX);
                *most = (*most).min(kept + keep + out);
            }
        }
    }

    /// The portal has taken a receipt by which a server keeps so many seats of its document `rev`.
    pub(super) fn gave_back(&mut self, workstation: WorkstationId, rev: u64, seats: &BTreeMap<LicenseId, u32>) {
        let Some(truth) = self.workstations.get_mut(&workstation) else { return };
        truth.acknowledged_rev = truth.acknowledged_rev.max(rev);
        for (license, seats) in seats {
            let kept = truth.kept.entry((rev, *license)).or_insert(*seats);
            *kept = (*kept).min(*seats);
        }
    }

    /// The portal counts so many seats of a lost server as free, whatever it does.
    pub(super) fn write_off(&mut self, workstation: WorkstationId, license: LicenseId, (at, seats): (Ms, u32)) {
        self.lost.entry((workstation, license)).or_default().insert(at, seats);
    }

    /// Seats of a license that a lost server may use although they count as free.
    pub(super) fn written_off_at(&self, workstation: WorkstationId, license: LicenseId) -> u32 {
        self.lost.get(&(workstation, license)).map_or(0, |rows| rows.values().sum())
    }

    /// A document was issued; `false` if it is known.
    pub(super) fn issued(
        &mut self,
        workstation: WorkstationId,
        id: GrantId,
        document: IssuedDocument,
        by_sync: bool,
    ) -> bool {
        let issued = &mut self.workstations.entry(workstation).or_default().issued;
        if issued.iter().any(|known| known.id == id) {
            return false;
        }
        let bought = document.lines.iter().filter_map(|line| Some((line.license, *self.bought.get(&line.license)?)));
        let bought = bought.collect();
        issued.push(IssuedTruth { id, handed_out: false, document, by_sync, bought });
        true
    }

    /// The newest document with a number has left the portal.
    pub(super) fn handed_out(&mut self, workstation: WorkstationId, rev: u64) {
        let Some(truth) = self.workstations.get_mut(&workstation) else { return };
        if let Some(issued) = truth.issued.iter_mut().rfind(|issued| issued.document.rev == rev) {
            issued.handed_out = true;
        }
    }

    /// Nobody can ever load the newest document of a workstation.
    pub(super) fn forget_newest(&mut self, workstation: WorkstationId) {
        if let Some(truth) = self.workstations.get_mut(&workstation) {
            truth.issued.pop();
        }
    }

    /// The portal's database was set back: documents that it had stored and nobody got are as if they never were.
    pub(super) fn forget_unseen(&mut self, stored: &BTreeSet<GrantId>) {
        for truth in self.workstations.values_mut() {
            truth.issued.retain(|issued| issued.handed_out || stored.contains(&issued.id));
        }
    }

    /// Seats of a license that a workstation may be using at true time `now`, without those that were written off.
    pub(super) fn counted(&self, workstation: WorkstationId, license: LicenseId, now: Ms) -> u32 {
        let Some(truth) = self.workstations.get(&workstation) else { return 0 };
        let one = |issued: &IssuedTruth| {
            // Of what is kept for use without the portal a server promises nothing.
            let of = |pinned: bool| {
                let lines = issued.document.lines.iter().filter(|line| line.pinned == pinned).copied().collect();
                let part = IssuedDocument { rev: issued.document.rev, lines };
                counted_seats(&[part], truth.acknowledged_rev, license, now)
            };
            let kept = truth.kept.get(&(issued.document.rev, license)).copied().unwrap_or(u32::MAX);
            let most = truth.most.get(&(issued.document.rev, license)).copied().unwrap_or(u32::MAX);
            (of(false).min(kept) + of(true)).min(most)
        };
        let obeyable = truth.issued.iter().map(one).max().unwrap_or(0);
        obeyable.saturating_sub(self.written_off_at(workstation, license))
    }

    /// The same over all workstations.
    pub(super) fn counted_everywhere(&self, license: LicenseId, now: Ms) -> u32 {
        self.workstations.keys().map(|workstation| self.counted(*workstation, license, now)).sum()
    }

    /// The most seats of a license that may rightly be in use at `now`: what is bought, or what was bought when a
    /// document was issued that has not ended, if the vendor took seats back since.
    pub(super) fn ceiling(&self, license: LicenseId, now: Ms) -> u32 {
        let alive = |line: &CountedLine| line.license == license && now < line.freed_at;
        let documents = self.workstations.values().flat_map(|workstation| &workstation.issued);
        let then = documents
            .filter(|issued| issued.document.lines.iter().any(alive))
            .filter_map(|issued| issued.bought.get(&license));
        then.chain(self.bought.get(&license)).copied().max().unwrap_or(0)
    }

    /// The highest number issued to a workstation.
    pub(super) fn newest_rev(&self, workstation: WorkstationId) -> u64 {
        let truth = self.workstations.get(&workstation);
        truth.into_iter().flat_map(|truth| &truth.issued).map(|issued| issued.document.rev).max().unwrap_or(0)
    }
}
