//! What of a sync has to be looked at, and what can be answered as before (decision 0016). Must not give a seat.

use crate::store::bells::{self, Bell};
use crate::store::documents;
use crate::store::sync::{self, Stated, SyncRow};
use crate::store::workstations::WorkstationRow;
use leasehold_core::ids::LicenseId;
use leasehold_core::license::Mode;
use leasehold_core::sync::SyncRequest;
use leasehold_core::text;
use leasehold_core::time::Ms;
use leasehold_db::{DbError, Tx};
use leasehold_wire::portal::WorkstationStatus;
use std::collections::{BTreeMap, BTreeSet};

/// What has to be looked at, found before anything is locked.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(in crate::service) struct Look {
    /// Only these licenses; otherwise all. Of the others nothing changed, and they are answered as before.
    pub(super) only: Option<BTreeSet<LicenseId>>,
    /// Licenses of which the server is to be told.
    pub(super) due: BTreeSet<LicenseId>,
    /// Its bell: what is rung from now on, it has yet to hear.
    pub(super) bell: Bell,
}

impl Look {
    /// At everything.
    pub(in crate::service) fn all() -> Look {
        Look::default()
    }

    /// What the sync of a server needs.
    pub(super) fn of(tx: &mut Tx<'_>, row: &WorkstationRow, request: &SyncRequest, now: Ms) -> Result<Look, DbError> {
        let bell = bells::get(tx, row.id)?;
        let due = bells::due(tx, row.id)?;
        let changed = changed(tx, row, request, bell, now)?;
        Ok(Look { only: changed.map(|changed| &changed | &due), due, bell })
    }

    /// Whether nothing has to be.
    pub(super) fn is_nothing(&self) -> bool {
        self.only.as_ref().is_some_and(BTreeSet::is_empty)
    }

    /// Whether what was found of a workstation still holds for it, now that it is locked.
    pub(super) fn holds(before: &WorkstationRow, locked: &WorkstationRow) -> bool {
        let what =
            |row: &WorkstationRow| (row.owner, row.scope, row.mode, row.status, row.acknowledged_rev, row.newest_rev);
        what(before) == what(locked)
    }
}

/// The licenses of which a server says something else than last, or wants or owes seats. None if more may have changed
/// than single licenses. What others want of it makes no difference: they ask for it, and then it is due.
fn changed(
    tx: &mut Tx<'_>,
    row: &WorkstationRow,
    request: &SyncRequest,
    bell: Bell,
    now: Ms,
) -> Result<Option<BTreeSet<LicenseId>>, DbError> {
    let online = row.mode == Mode::Online && row.status == WorkstationStatus::Active && !request.draining;
    let newest = request.rev == row.acknowledged_rev && request.rev == row.newest_rev;
    let same_server = text::cleaned(&request.server.host) == row.host
        && text::cleaned(&request.server.version) == row.server_version
        && text::cleaned(&request.server.machine) == row.machine;
    if !(online && newest && same_server) {
        return Ok(None);
    }
    let Some(last) = sync::get(tx, row.id)? else { return Ok(None) };
    let follows = request.seq == last.seq + 1 && request.prev == last.answer_sha256;
    if !follows || last.draining || last.news != bell.news || now >= last.repeat_until {
        return Ok(None);
    }
    let presented = documents::token(tx, row.id, request.rev)?;
    if presented.as_deref() != Some(&*request.document) {
        return Ok(None);
    }
    let stated = sync::stated_by(tx, row.id)?;
    let named = request.licenses.keys().chain(stated.keys());
    Ok(Some(named.filter(|license| !says_the_same(request, &stated, **license)).copied().collect()))
}

/// Whether a server keeps of a license what it kept before, and neither wants nor owes anything.
fn says_the_same(request: &SyncRequest, stated: &BTreeMap<LicenseId, Stated>, license: LicenseId) -> bool {
    match (request.licenses.get(&license), stated.get(&license)) {
        (Some(now), Some(Stated { report: before, told, .. })) => {
            now.keep == before.keep && now.want == 0 && before.want == 0 && *told == 0
        }
        _ => false,
    }
}

/// What a server that says `request` said of each license and was told of them, for the next look.
pub(super) fn stated(request: &SyncRequest, last: &SyncRow) -> BTreeMap<LicenseId, Stated> {
    let told = last.pools.iter().filter(|share| share.recall > 0).map(|share| (share.license, share.recall));
    let told: BTreeMap<LicenseId, u32> = told.collect();
    let running_out = request.running_out.iter().flatten().map(|(license, _)| license);
    let named: BTreeSet<LicenseId> = request.licenses.keys().chain(told.keys()).chain(running_out).copied().collect();
    let stated = |license: LicenseId| Stated {
        report: request.licenses.get(&license).copied().unwrap_or_default(),
        told: told.get(&license).copied().unwrap_or(0),
        running_out: request.running_out.as_ref().map(|seats| seats.get(&license).copied().unwrap_or(0)),
    };
    named.into_iter().map(|license| (license, stated(license))).collect()
}
