//! All SQL of the license server: plain functions of a transaction, one file for each table family.
//!
//! Decides nothing. Leases, documents, usage events and the server's mode are written only in batches of the engine
//! ([`commit`]); sessions and settings by their own use cases.

mod administrators;
mod audit;
mod denials;
mod documents;
mod events;
mod facts;
mod give_back;
mod leases;
mod online;
mod passes;
mod schema;
mod sessions;
mod settings;
mod state;
mod usage;
mod usage_keep;
mod usage_read;

pub(crate) use administrators::{
    Account, add as add_administrator, all as administrators, find as administrator, is_set_up,
    others as other_administrators, remove as remove_administrator, set as set_administrator, set_setup_secret,
    setup_secret,
};
pub(crate) use audit::{add as add_audit, page as audit_page};
pub(crate) use denials::{DenialFilter, bars, open as open_denials, page as denials_page};
pub(crate) use documents::{
    StoredDocument, by_sha256 as document_by_sha256, in_force, newest as newest_document, older,
};
pub(crate) use events::{EventFilter, ended_since, page as events_page};
pub(crate) use facts::{counts, names_seen};
pub(crate) use give_back::{
    add as add_given_back, file as give_back_file, newest as given_back, set_file as set_give_back_file,
    summary as usage_summary,
};
pub(crate) use leases::all as leases;
pub(crate) use online::{
    load as online, newest_receipt_way, peaks, portal_url, receipt_brought, receipts_to_bring, set_portal_url,
};
pub(crate) use passes::over as passes_over;
pub(crate) use schema::MIGRATIONS;
pub(crate) use sessions::{
    Session, add as add_session, end as end_session, end_by_id as end_session_by_id, end_of as end_sessions_of,
    open as open_sessions, seen as session_seen, whose as session_of,
};
pub(crate) use settings::{all as settings, change as change_settings};
pub(crate) use state::{State, asked, load as state, newest_receipt, receipts, set_restored, start_after_restore};

pub(crate) use usage::{
    Roll, add_gap as add_usage_gap, draw_secret as draw_usage_secret, events_after, forget_gaps, leases_counted,
    roll as usage_roll, store as store_usage,
};
pub(crate) use usage_keep::{
    bytes as usage_bytes, drop_days as drop_usage_days, drop_denials as drop_usage_denials,
    drop_events as drop_usage_events, forget_before as forget_usage_before, forget_names as forget_usage_names,
    named_denials, named_events, named_users, next_named_day, pseudonymize_block, rename_denials, rename_events,
    set_alias, set_names_day, users_and_hosts,
};
pub(crate) use usage_read::{
    DayHours, DayRow, HourRow, features as usage_features, hours as usage_hours, name_ids as usage_name_ids,
    names as usage_names, rows as usage_rows, rows_of as usage_rows_of,
};

use leasehold_core::engine::Write;
use leasehold_core::time::Ms;
use leasehold_db::{DbError, Tx};

/// Everything that one batch of the engine writes.
#[derive(Debug)]
pub(crate) struct Batch {
    /// The engine's now: stored as the high-water mark of time, unless it was set back.
    pub(crate) now: Ms,
    /// Rows, in order.
    pub(crate) writes: Vec<Write>,
    /// Users and hosts are named in the usage log.
    pub(crate) names: bool,
    /// Usage events and denials before this instant are removed, some at a time.
    pub(crate) prune_events_before: Option<Ms>,
}

/// Writes a batch.
pub(crate) fn commit(tx: &mut Tx<'_>, batch: &Batch) -> Result<(), DbError> {
    let mut set_back = None;
    for write in &batch.writes {
        match write {
            Write::Lease(lease) => leases::add(tx, lease)?,
            Write::SeatMoved { seat, placement } => leases::move_seat(tx, *seat, placement)?,
            Write::LeaseEnded { id } => leases::remove(tx, *id)?,
            Write::LeaseReleased { id, release } => leases::release(tx, *id, release)?,
            Write::Pass { id, pass } => leases::set_pass(tx, *id, pass)?,
            Write::PassOver(over) => passes::add_over(tx, over)?,
            Write::PassesHeld { until } => state::set_passes_held(tx, *until)?,
            Write::UnknownHeld => state::set_unknown_held(tx)?,
            Write::Barred(bar) => denials::add_bar(tx, bar)?,
            Write::Denial(row) => denials::set(tx, row)?,
            Write::LeaseSeen { id, at } => leases::seen(tx, *id, *at)?,
            Write::Document(document) => documents::put_in_force(tx, document, batch.now)?,
            Write::Asked { request, at } => state::add_asked(tx, *request, *at)?,
            Write::KeysKept { since, until } => state::set_keys_kept(tx, *since, *until)?,
            Write::Moved { since } => state::set_moved_since(tx, *since)?,
            Write::SetBack { from, to } => set_back = Some((*from, *to)),
            Write::Online(row) => online::set(tx, row.as_deref())?,
            Write::Peak { license, hour, seats } => online::set_peak(tx, *license, *hour, *seats)?,
            Write::GivenBack(given) => give_back::add(tx, given)?,
            Write::Draining => state::set_draining(tx, true)?,
            Write::Retired { receipt, to_bring, void } => {
                state::set_draining(tx, false)?;
                state::add_receipt(tx, receipt, *to_bring, *void, batch.now)?;
                documents::forget(tx)?;
            }
            Write::Event(event) => events::add(tx, event, batch.names)?,
            Write::Audit(row) => audit::add(tx, row)?,
        }
    }
    if let Some(before) = batch.prune_events_before {
        events::prune(tx, before)?;
        denials::prune(tx, before)?;
        denials::prune_bars(tx, batch.now)?;
        passes::prune(tx, batch.now)?;
    }
    let Some((from, to)) = set_back else { return state::set_mark(tx, batch.now) };
    // After everything else of the batch, which was written down by the old time.
    state::set_back(tx, from, to)?;
    state::set_mark(tx, to)
}

/// A column that does not hold what this crate writes: the database was edited or damaged.
fn damaged(what: &'static str) -> DbError {
    DbError::Value(format!(
        "the database holds a {what} that cannot be read: it was edited by hand or is damaged. Restore the last backup"
    ))
}

#[cfg(test)]
mod tests;
