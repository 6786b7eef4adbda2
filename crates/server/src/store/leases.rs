//! Leases that are out.

use super::damaged;
use leasehold_core::ids::{LeaseId, LineId};
use leasehold_core::pool::{Lease, Pass, Placement, Release, Source, Standing};
use leasehold_core::time::Ms;
use leasehold_core::times::LeaseTimes;
use leasehold_db::{DbError, Row, Tx};
use std::collections::BTreeSet;
use std::sync::Arc;

pub(super) fn add(tx: &mut Tx<'_>, lease: &Lease) -> Result<(), DbError> {
    let (seat, placement) = match &lease.standing {
        Standing::Own(placement) => (None, placement),
        Standing::Shared { seat, placement } => (Some(seat.to_string()), placement),
    };
    let ask = serde_json::to_string(&lease.ask).map_err(|_| damaged("lease"))?;
    tx.exec(
        "INSERT INTO lease (id, key, ask, address, loopback, seat, placement, started_at_ms, seen_at_ms, pass)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        &[
            lease.id.to_string().into(),
            (&*lease.key).into(),
            ask.into(),
            lease.source.address.to_string().into(),
            lease.source.loopback.into(),
            seat.into(),
            written(placement)?.into(),
            lease.started_at.0.into(),
            lease.seen_at.0.into(),
            lease.pass.as_deref().map(written_pass).transpose()?.into(),
        ],
    )?;
    Ok(())
}

/// A seat of its own is named by its lease; a shared one by the first lease that sat on it, which may have ended.
pub(super) fn move_seat(tx: &mut Tx<'_>, seat: LeaseId, placement: &Placement) -> Result<(), DbError> {
    let (seat, placement) = (seat.to_string(), written(placement)?);
    let values = [(&seat).into(), (&placement).into()];
    tx.exec("UPDATE lease SET placement = ?2 WHERE id = ?1 AND seat IS NULL", &values)?;
    tx.exec("UPDATE lease SET placement = ?2 WHERE seat = ?1", &values)?;
    Ok(())
}

/// Lines on which leases stand.
pub(super) fn lines(tx: &mut Tx<'_>) -> Result<BTreeSet<LineId>, DbError> {
    let placements = tx.all("SELECT DISTINCT placement FROM lease", &[], |row| {
        serde_json::from_str::<Vec<(LineId, u32)>>(row.str(0)?).map_err(|_| damaged("placement"))
    })?;
    Ok(placements.into_iter().flatten().map(|(line, _)| line).collect())
}

pub(super) fn remove(tx: &mut Tx<'_>, id: LeaseId) -> Result<(), DbError> {
    tx.exec("DELETE FROM lease WHERE id = ?1", &[id.to_string().into()])?;
    Ok(())
}

pub(super) fn seen(tx: &mut Tx<'_>, id: LeaseId, at: Ms) -> Result<(), DbError> {
    tx.exec("UPDATE lease SET seen_at_ms = ?2 WHERE id = ?1", &[id.to_string().into(), at.0.into()])?;
    Ok(())
}

pub(super) fn release(tx: &mut Tx<'_>, id: LeaseId, release: &Release) -> Result<(), DbError> {
    tx.exec(
        "UPDATE lease SET released_reason = ?2, not_again_until_ms = ?3, not_again_ms = ?4 WHERE id = ?1",
        &[
            id.to_string().into(),
            (&*release.reason).into(),
            release.not_again_until.0.into(),
            release.not_again_ms.into(),
        ],
    )?;
    Ok(())
}

pub(super) fn set_pass(tx: &mut Tx<'_>, id: LeaseId, pass: &Pass) -> Result<(), DbError> {
    tx.exec("UPDATE lease SET pass = ?2 WHERE id = ?1", &[id.to_string().into(), written_pass(pass)?.into()])?;
    Ok(())
}

fn written_pass(pass: &Pass) -> Result<String, DbError> {
    serde_json::to_string(pass).map_err(|_| damaged("pass"))
}

/// Every lease that is out. `freed_at` and `times` mean nothing yet: the engine sets them when it is restored.
pub(crate) fn all(tx: &mut Tx<'_>) -> Result<Vec<Lease>, DbError> {
    tx.all(
        "SELECT id, key, ask, address, loopback, seat, placement, started_at_ms, seen_at_ms, released_reason,
                not_again_until_ms, pass, not_again_ms
         FROM lease ORDER BY id",
        &[],
        |row| read(row)?.ok_or(damaged("lease")),
    )
}

fn read(row: &Row<'_>) -> Result<Option<Lease>, DbError> {
    let (id, address) = (row.str(0)?.parse().ok(), row.str(3)?.parse().ok());
    let placement = serde_json::from_str::<Vec<(LineId, u32)>>(row.str(6)?).ok().filter(|lines| !lines.is_empty());
    let (Some(id), Some(address), Some(placement)) = (id, address, placement) else { return Ok(None) };
    let placement: Placement = placement.into();
    let standing = match row.opt_str(5)?.map(str::parse::<LeaseId>) {
        None => Standing::Own(placement),
        Some(Ok(seat)) => Standing::Shared { seat, placement },
        Some(Err(_)) => return Ok(None),
    };
    let Ok(ask) = serde_json::from_str(row.str(2)?) else { return Ok(None) };
    let Ok(pass) = row.opt_str(11)?.map(serde_json::from_str::<Pass>).transpose() else { return Ok(None) };
    let pass = pass.map(Arc::new);
    let not_again_ms = row.int(12)?;
    Ok(Some(Lease {
        id,
        key: row.str(1)?.into(),
        ask,
        source: Source { address, loopback: row.bool(4)? },
        standing,
        started_at: Ms(row.int(7)?),
        seen_at: Ms(row.int(8)?),
        freed_at: Ms(0),
        times: LeaseTimes::DEFAULT,
        n: 0,
        nonce: "".into(),
        withdrawn: false,
        released: row.opt_str(9)?.zip(row.opt_int(10)?).map(|(reason, until)| {
            Arc::new(Release { reason: reason.into(), not_again_until: Ms(until), not_again_ms })
        }),
        told_at: None,
        pass,
    }))
}

fn written(placement: &Placement) -> Result<String, DbError> {
    serde_json::to_string(&**placement).map_err(|_| damaged("placement"))
}
