//! Seats kept at an online server for use without a portal (`PROTOCOL.md` sections 1 and 2): borrowed to it and recalled,
//! by its owner at the portal or by the server itself. The server is given them with its next sync.

use super::issue::Desk;
use super::pools::{LicensePools, OnLicense};
use super::{Caller, allow_at, sync};
use crate::Portal;
use crate::failure::Failure;
use crate::store::bells::{self, Due};
use crate::store::licenses::{self, LicenseRow};
use crate::store::workstations::{self, Owned};
use crate::store::{audit, documents, pins, state, sync as syncs};
use leasehold_core::access::PortalAction;
use leasehold_core::grant::Line;
use leasehold_core::ids::{LicenseId, WorkstationId};
use leasehold_core::license::Mode;
use leasehold_core::sync::{PINS_MAX, Pin, PinFacts, PinWish, judge_pin};
use leasehold_core::time::{DAY_MS, Ms};
use leasehold_db::{DbError, Tx};
use leasehold_wire::portal::{
    KeepLicense, KeepSeats, KeptChange, KeptSeats, PinOffer, Pins, SeatsKept, WorkstationStatus,
};
use leasehold_wire::time::Time;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// What is kept at a server and what could be, for its owner and operators.
pub fn list(portal: &Portal, caller: &Caller, workstation: WorkstationId) -> Result<Pins, Failure> {
    caller.id()?;
    let (caller, now) = (caller.clone(), portal.now());
    portal.db().read(move |tx| {
        let found = workstations::get(tx, workstation)?.ok_or(Failure::NotFound)?;
        allow_at(&caller, PortalAction::ReadOwned, &found.row)?;
        look(tx, &found, now)
    })
}

/// The same for the server itself, which signed `token` with its key over an empty body.
pub fn list_signed(portal: &Portal, token: &str) -> Result<Pins, Failure> {
    let (sender, now) = (sync::sender(portal, token, b"")?, portal.now());
    portal.db().read(move |tx| {
        let found = workstations::get(tx, sender.workstation)?.ok_or(Failure::NotFound)?;
        look(tx, &found, now)
    })
}

/// Keeps seats at a server, or releases them; a preview changes nothing. Its owner, and operators.
pub fn keep(
    portal: &Portal,
    caller: &Caller,
    workstation: WorkstationId,
    wish: &KeepSeats,
) -> Result<SeatsKept, Failure> {
    caller.id()?;
    keep_for(portal, caller, workstation, wish, true)
}

/// The same for the server itself, which signed `token` with its key over `body`. It must say what it knew to be kept: so
/// a copy of its request cannot be used again.
pub fn keep_signed(portal: &Portal, address: IpAddr, token: &str, body: &[u8]) -> Result<SeatsKept, Failure> {
    let sender = sync::sender(portal, token, body)?;
    let wish: KeepSeats =
        serde_json::from_slice(body).map_err(|why| Failure::invalid("body", format!("is not understood: {why}")))?;
    if wish.pins_rev.is_none() {
        return Err(Failure::invalid("pins_rev", "must be given by a license server"));
    }
    keep_for(portal, &Caller::nobody(address), sender.workstation, &wish, false)
}

fn keep_for(
    portal: &Portal,
    caller: &Caller,
    workstation: WorkstationId,
    wish: &KeepSeats,
    by_person: bool,
) -> Result<SeatsKept, Failure> {
    if wish.pins.is_empty() || wish.pins.len() > PINS_MAX {
        return Err(Failure::invalid("pins", format!("must name 1 to {PINS_MAX} licenses")));
    }
    let named: BTreeMap<LicenseId, KeepLicense> = wish.pins.iter().map(|pin| (pin.license, *pin)).collect();
    if named.len() < wish.pins.len() {
        return Err(Failure::invalid("pins", "must name each license once"));
    }
    // A portal whose clock is off says no date.
    let desk = Desk::new(portal, caller)?;
    let (caller, wish) = (caller.clone(), wish.clone());
    let (kept, rung) = portal.db().write(move |tx| {
        for license in named.keys() {
            licenses::lock(tx, *license)?;
        }
        let found = workstations::lock(tx, workstation)?.ok_or(Failure::NotFound)?;
        if by_person {
            allow_at(&caller, PortalAction::ManageWorkstation, &found.row)?;
        }
        if found.row.mode != Mode::Online || found.row.status != WorkstationStatus::Active {
            return Err(Failure::NotOnline { name: found.row.name });
        }
        let rev = pins::rev_of(tx, workstation)?;
        if wish.pins_rev.is_some_and(|known| known != rev) {
            return Err(Failure::PinsChanged);
        }
        let now = desk.stamp.now;
        let known = pins::of(tx, workstation)?;
        let mut changes = Vec::new();
        for keep in named.values() {
            changes.push(judge(tx, &found, *keep, &known, now)?);
        }
        let mut rung = BTreeSet::new();
        if !wish.preview {
            rung = write(tx, &desk, &found, &changes, by_person)?;
        }
        let changes = changes.into_iter().map(|change| change.told).collect();
        Ok((SeatsKept { pins_rev: pins::rev_of(tx, workstation)?, changes }, rung))
    })?;
    portal.bells().ring(&rung);
    Ok(kept)
}

/// What is to be of one license.
struct Change {
    pin: Option<Pin>,
    told: KeptChange,
}

fn judge(
    tx: &mut Tx<'_>,
    workstation: &Owned,
    keep: KeepLicense,
    known: &BTreeMap<LicenseId, Pin>,
    now: Ms,
) -> Result<Change, Failure> {
    let kept = known.get(&keep.license).copied();
    // Of a license that is not theirs nobody hears that it exists.
    let theirs = kept.is_some() || sync::licenses_of(tx, &workstation.row, now)?.contains(&keep.license);
    let license = licenses::get(tx, keep.license)?.filter(|_| theirs).ok_or(Failure::NotFound)?;
    let (name, days_max) = (license.called(), license.product.borrow_days_max);
    let license_end = license.term.ends_at();
    let facts = PinFacts { kept, ..facts(tx, workstation, license, now)?.1 };
    let wish = PinWish {
        license: keep.license,
        seats: keep.seats,
        days: keep.days.or(kept.map(|kept| kept.days)).unwrap_or(days_max),
        auto_renew: keep.auto_renew,
    };
    let pin =
        judge_pin(&wish, &facts, now).map_err(|refusal| Failure::PinRefused { refusal, license: name.clone() })?;
    let told = KeptChange {
        license: keep.license,
        product_name: name,
        seats_before: kept.map_or(0, |kept| kept.seats),
        seats: pin.map_or(0, |pin| pin.seats),
        days: pin.map_or(0, |pin| pin.days),
        auto_renew: pin.is_some_and(|pin| pin.auto_renew),
        until: pin.map(|pin| Time(pin.until)),
        cut: pin.is_some_and(|pin| license_end.is_some_and(|end| pin.until >= end.floor_to_second())),
    };
    Ok(Change { pin, told })
}

fn write(
    tx: &mut Tx<'_>,
    desk: &Desk,
    found: &Owned,
    changes: &[Change],
    by_person: bool,
) -> Result<BTreeSet<WorkstationId>, Failure> {
    let (id, now) = (found.row.id, desk.stamp.now);
    for (n, Change { pin, told }) in changes.iter().enumerate() {
        match pin {
            Some(pin) => pins::put(tx, id, told.license, *pin)?,
            None => pins::remove(tx, id, told.license)?,
        }
        let detail = json!({
            "name": found.row.name, "license": told.license, "seats_before": told.seats_before, "seats": told.seats,
            "until": told.until, "auto_renew": told.auto_renew, "by_server": (!by_person).then_some(true),
        });
        audit::insert(tx, &desk.stamp.nth(n), "workstation.keep", &id.to_string(), &detail)?;
    }
    pins::raise_rev(tx, id, now)?;
    let due: Due = changes.iter().map(|change| (id, change.told.license)).collect();
    Ok(bells::ring_of(tx, &due, &Due::new(), now)?)
}

/// What a server can have of a license: all that there is for it, and what it is judged by.
fn facts(
    tx: &mut Tx<'_>,
    workstation: &Owned,
    license: LicenseRow,
    now: Ms,
) -> Result<(LicensePools, PinFacts), DbError> {
    let row = &workstation.row;
    let learning_until = state::learning_until(tx)?;
    let id = license.id;
    let pools = LicensePools::load(tx, license, now, learning_until)?;
    let on = OnLicense::load(tx, id, now)?;
    let heard = syncs::heard(tx, row.owner)?;
    let part = pools.part_of(row.owner, row.scope);
    let said = syncs::stated_by(tx, row.id)?.get(&id).map(|stated| stated.report).unwrap_or_default();
    let pool = pools.pool(part, row, (said, false), None, &on, &heard);
    let others = pool.holders.iter().filter(|holder| holder.workstation != row.id);
    let elsewhere = others.map(|holder| holder.counted).fold(0, u32::saturating_add);
    let facts = PinFacts {
        running: pools.running() && pools.license.shared().open_to(row.scope),
        license_end: pools.license.term.ends_at(),
        days_max: pools.license.product.borrow_days_max,
        available: pool.seats.saturating_sub(pool.reserved).saturating_sub(elsewhere),
        seats: pool.seats,
        kept: None,
        learning: pools.learning,
    };
    Ok((pools, facts))
}

fn look(tx: &mut Tx<'_>, workstation: &Owned, now: Ms) -> Result<Pins, Failure> {
    let row = &workstation.row;
    if row.mode != Mode::Online || row.status != WorkstationStatus::Active {
        return Err(Failure::NotOnline { name: row.name.clone() });
    }
    let known = pins::of(tx, row.id)?;
    let newest = documents::newest(tx, row.id)?;
    let lines = || newest.iter().flat_map(|newest| &newest.lines).map(|stored| &stored.line);
    let mut kept = Vec::new();
    let mut offers = Vec::new();
    for id in sync::licenses_of(tx, row, now)?.into_iter().chain(known.keys().copied()).collect::<BTreeSet<_>>() {
        let Some(license) = licenses::get(tx, id)? else { continue };
        let (product, product_name) = (license.product.code.clone(), license.called());
        let (_, facts) = facts(tx, workstation, license, now)?;
        if let Some(pin) = known.get(&id) {
            let given = lines().filter(|line| line.license == id && line.terms.pinned).map(|line| line.seats);
            kept.push(KeptSeats {
                license: id,
                product: product.clone(),
                product_name: product_name.clone(),
                seats: pin.seats,
                given: given.sum(),
                days: pin.days,
                auto_renew: pin.auto_renew,
                until: Time(pin.until),
                ends_soon: pin.ends_soon(now),
            });
        }
        if facts.running && facts.seats > 0 {
            offers.push(PinOffer {
                license: id,
                product,
                product_name,
                seats: facts.seats,
                available: facts.available.max(known.get(&id).map_or(0, |pin| pin.seats)),
                days_max: facts.days_max,
                license_end: facts.license_end.map(Time),
            });
        }
    }
    kept.sort_by(|a, b| (&a.product_name, a.license).cmp(&(&b.product_name, b.license)));
    offers.sort_by(|a, b| (&a.product_name, a.license).cmp(&(&b.product_name, b.license)));
    Ok(Pins { pins_rev: pins::rev_of(tx, row.id)?, kept, offers })
}

/// A portal that lost something keeps at a server what a document that it has says is kept there, and nothing else.
pub(super) fn learn(tx: &mut Tx<'_>, workstation: WorkstationId, lines: &[Line], now: Ms) -> Result<(), DbError> {
    let known = pins::of(tx, workstation)?;
    pins::clear(tx, workstation, now)?;
    for line in lines.iter().filter(|line| line.terms.pinned && line.until > now) {
        let before = known.get(&line.license);
        let days = before.map_or(line.terms.borrow_days_max.max(1), |pin| pin.days);
        let auto_renew = before.is_some_and(|pin| pin.auto_renew);
        // A line may last longer than what is kept, never shorter.
        let until = line.until.min(now.plus(i64::from(days) * DAY_MS).floor_to_second());
        pins::put(tx, workstation, line.license, Pin { seats: line.seats, days, auto_renew, until })?;
    }
    pins::raise_rev(tx, workstation, now)
}
