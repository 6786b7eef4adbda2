//! The two logs: what administrators did, and who used what.

use super::access::Caller;
use super::failure::Failure;
use super::status::limit;
use crate::server::Server;
use crate::store::{self, DenialFilter, EventFilter};
use leasehold_core::access::ServerAction;
use leasehold_core::engine::DenialRow;
use leasehold_core::time::SECOND_MS;
use leasehold_wire::server::{AuditView, DenialQuery, DenialView, EventQuery, EventView, Page, PageQuery};

impl Server {
    /// The audit log, newest first.
    ///
    /// # Errors
    /// [`Failure::SignIn`], [`Failure::BadField`], or the database's.
    pub async fn audit_log(&self, caller: &Caller, query: &PageQuery) -> Result<Page<AuditView>, Failure> {
        self.authorize(caller, ServerAction::Inspect)?;
        let (below, wanted) = position(query.after.as_deref(), query.limit)?;
        let rows = self.0.db.read_async(move |tx| store::audit_page(tx, below, fetched(wanted))).await?;
        Ok(page(rows, wanted, |row| row.id))
    }

    /// The usage log, newest first.
    ///
    /// # Errors
    /// [`Failure::SignIn`], [`Failure::BadField`], or the database's.
    pub async fn usage_log(&self, caller: &Caller, query: &EventQuery) -> Result<Page<EventView>, Failure> {
        self.authorize(caller, ServerAction::ReadUsage)?;
        let (below, wanted) = position(query.after.as_deref(), query.limit)?;
        let limit = u32::try_from(wanted).unwrap_or(u32::MAX);
        let filter = EventFilter { kind: query.kind, feature: query.feature.clone(), below, limit };
        let (items, next) = self.0.db.read_async(move |tx| store::events_page(tx, &filter)).await?;
        Ok(Page { items, next: next.map(|row| row.to_string()) })
    }

    /// Who was denied, newest first.
    ///
    /// # Errors
    /// [`Failure::SignIn`], [`Failure::BadField`], or the database's.
    pub async fn denials(&self, caller: &Caller, query: &DenialQuery) -> Result<Page<DenialView>, Failure> {
        self.authorize(caller, ServerAction::ReadUsage)?;
        let wanted = limit(query.limit)?;
        let filter = DenialFilter {
            feature: query.feature.clone(),
            outcome: query.outcome,
            below: query.after,
            limit: fetched(wanted),
        };
        let mut rows = self.0.db.read_async(move |tx| store::denials_page(tx, &filter)).await?;
        let more = rows.len() > wanted;
        rows.truncate(wanted);
        let next = rows.last().filter(|_| more).map(|row| row.id.to_string());
        Ok(Page { items: rows.into_iter().map(denial).collect(), next })
    }
}

fn denial(row: DenialRow) -> DenialView {
    DenialView {
        id: row.id,
        feature: row.feature.to_string(),
        seats: row.seats,
        user: row.user.to_string(),
        host: row.host.to_string(),
        address: row.address.to_string(),
        version: row.version.to_string(),
        code: row.code.word().to_owned(),
        total: row.capacity.total,
        in_use: row.capacity.in_use,
        borrowed: row.capacity.borrowed,
        reserved: row.capacity.reserved,
        first_at: row.first_at.into(),
        last_at: row.last_at.into(),
        tries: row.tries,
        outcome: row.outcome,
        waited_s: row.served_at.map(|at| at.since(row.first_at) / SECOND_MS),
    }
}

/// One more than wanted tells whether there is a next page.
fn fetched(wanted: usize) -> u32 {
    u32::try_from(wanted + 1).unwrap_or(u32::MAX)
}

fn position(after: Option<&str>, wanted: Option<u32>) -> Result<(i64, usize), Failure> {
    let below = match after {
        None => i64::MAX,
        Some(text) => text.parse().map_err(|_| Failure::BadField("`after` must be the `next` of a page".to_owned()))?,
    };
    Ok((below, limit(wanted)?))
}

fn page<T>(mut rows: Vec<T>, wanted: usize, id: impl Fn(&T) -> u64) -> Page<T> {
    let more = rows.len() > wanted;
    rows.truncate(wanted);
    let next = rows.last().filter(|_| more).map(|row| id(row).to_string());
    Page { items: rows, next }
}
