//! Whether the portal can do its work: its database answers, and their clocks agree.

use super::idempotency::REMEMBERED_MS;
use crate::Portal;
use crate::failure::Failure;
use crate::store::{bells, devices, documents, idempotency, links, mails, sessions, state, sync, tokens};
use leasehold_core::time::{DAY_MS, HOUR_MS, MINUTE_MS, Ms};
use leasehold_db::Dialect;

/// Letters that were sent or given up are kept this long, for people to look at.
const MAIL_KEPT_MS: i64 = 90 * DAY_MS;
/// Changes are tried again this long after some were taken, in milliseconds.
const PROBE_EVERY_MS: i64 = 5_000;
/// The portal's clock and its database's may differ by this much.
const CLOCK_OFF_MAX_MS: i64 = MINUTE_MS;
/// Documents that came by sync and are void are kept this long, for people to look at.
const VOID_KEPT_MS: i64 = 7 * DAY_MS;

/// Whether the portal can serve: the database takes changes and the clocks agree.
pub fn ready(portal: &Portal) -> Result<(), Failure> {
    if let Some(error) = portal.db().failed() {
        return Err(Failure::Db(error));
    }
    portal.db().clock_ms()?;
    // A full disk still answers questions; what it no longer takes shows in a change only. Now and then is enough:
    // anybody may ask.
    let elapsed_ms = portal.boottime_ms();
    if portal.took_changes_at().is_none_or(|at| elapsed_ms - at >= PROBE_EVERY_MS) {
        let now = portal.now();
        portal.db().write(move |tx| Ok::<_, Failure>(idempotency::touch(tx, now)?))?;
        portal.set_took_changes_at(elapsed_ms);
    }
    if portal.clock_fits() { Ok(()) } else { Err(Failure::ClockOff) }
}

/// Compares the portal's clock with its database's, and stops or resumes issuing documents (`PROTOCOL.md` section 5). An
/// embedded database reads the same clock, so there is nothing to compare.
pub fn compare_clocks(portal: &Portal) -> Result<(), Failure> {
    if portal.db().dialect() == Dialect::Sqlite {
        return Ok(());
    }
    let theirs = Ms(portal.db().clock_ms()?);
    let fits = portal.now().since(theirs).abs() <= CLOCK_OFF_MAX_MS;
    if !fits {
        tracing::error!(ours = %portal.now().rfc3339(), database = %theirs.rfc3339(), "the clocks differ; no document is issued");
    }
    portal.set_clock_fits(fits);
    Ok(())
}

/// Removes what has ended: sign-ins, idempotency keys that nobody will repeat, tokens, wants, void documents.
pub fn sweep(portal: &Portal) -> Result<(), Failure> {
    let now = portal.now();
    portal.db().write(move |tx| {
        sessions::sweep(tx, now)?;
        idempotency::sweep(tx, now.plus(-REMEMBERED_MS))?;
        tokens::sweep(tx, now)?;
        links::sweep(tx, now)?;
        // A program that comes late is told so for a while.
        devices::sweep(tx, now.plus(-HOUR_MS))?;
        mails::sweep(tx, now.plus(-MAIL_KEPT_MS), now)?;
        state::sweep_enable_tokens(tx, now)?;
        sync::sweep(tx, now, now.plus(-leasehold_core::sync::WANT_MS))?;
        bells::sweep(tx)?;
        documents::sweep(tx, now.plus(-VOID_KEPT_MS))?;
        Ok(())
    })
}
