//! The vendor's figures at a glance.

use super::{Caller, allow};
use crate::Portal;
use crate::failure::Failure;
pub(crate) use crate::store::overview::Pulse;
use crate::store::{overview, state};
use leasehold_core::access::PortalAction;
use leasehold_core::time::DAY_MS;
use leasehold_wire::portal::Overview;
use leasehold_wire::time::Time;

/// A document that ends within this time ends soon: long enough to carry a new file to a server without network.
pub const SOON_MS: i64 = 14 * DAY_MS;

/// What was given up within this time is told of.
pub(super) const LATELY_MS: i64 = 7 * DAY_MS;

/// How much there is of everything. Operators.
pub fn get(portal: &Portal, caller: &Caller) -> Result<Overview, Failure> {
    allow(caller, PortalAction::ReadAudit, None)?;
    let now = portal.now();
    portal.db().read(move |tx| {
        let learning_until = state::learning_until(tx)?;
        let learning_until = Some(learning_until).filter(|until| now < *until).map(Time);
        Ok(Overview { learning_until, ..overview::count(tx, now.plus(SOON_MS), now.plus(-LATELY_MS))? })
    })
}

/// Whether it is worth drawing an open page anew. Tells nobody anything, so everybody may ask.
pub(crate) fn pulse(portal: &Portal) -> Result<Pulse, Failure> {
    portal.db().read(move |tx| Ok(overview::pulse(tx)?))
}
