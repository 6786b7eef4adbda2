//! The audit log, for operators.

use super::{Caller, allow, keyset, page};
use crate::Portal;
use crate::failure::Failure;
use crate::store::audit;
use leasehold_core::access::PortalAction;
use leasehold_wire::portal::{AuditEntry, Page, PageQuery};

/// The log, newest first. Operators.
pub fn list(portal: &Portal, caller: &Caller, query: &PageQuery) -> Result<Page<AuditEntry>, Failure> {
    allow(caller, PortalAction::ReadAudit, None)?;
    let keys = keyset(query)?;
    portal.db().read(move |tx| {
        let rows = audit::list(tx, &keys)?;
        Ok(page(rows, &keys, |entry| entry.id.to_string(), |entry| entry))
    })
}
