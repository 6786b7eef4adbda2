//! The vendor's figures at a glance.

use super::{Caller, allow};
use crate::Portal;
use crate::failure::Failure;
use crate::store::overview;
pub(crate) use crate::store::overview::Pulse;
use leasehold_core::access::PortalAction;
use leasehold_core::time::DAY_MS;
use leasehold_wire::portal::Overview;

/// A document that ends within this time ends soon: long enough to carry a new file to a server without network.
pub const SOON_MS: i64 = 14 * DAY_MS;

/// How much there is of everything. Operators.
pub fn get(portal: &Portal, caller: &Caller) -> Result<Overview, Failure> {
    allow(caller, PortalAction::ManageLicenses, None)?;
    let soon = portal.now().plus(SOON_MS);
    portal.db().read(move |tx| Ok(overview::count(tx, soon)?))
}

/// Whether it is worth drawing an open page anew. Tells nobody anything, so everybody may ask.
pub(crate) fn pulse(portal: &Portal) -> Result<Pulse, Failure> {
    portal.db().read(move |tx| Ok(overview::pulse(tx)?))
}
