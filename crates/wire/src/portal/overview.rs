//! The vendor's figures at a glance.

use crate::time::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How much there is of everything.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Overview {
    /// Accounts of customers.
    pub customers: u64,
    /// Products.
    pub products: u64,
    /// Licenses that were not ended early.
    pub licenses: u64,
    /// Seats of these.
    pub seats: u64,
    /// Workstations that get documents.
    pub workstations: u64,
    /// Those of them that are served by file and of whose newest document a row ends within 14 days, or has ended.
    pub workstations_ending: u64,
    /// Letters that were given up within a week.
    pub letters_given_up: u64,
    /// The portal was restored, and until then gives nobody more than they have, unless that was allowed for a license.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learning_until: Option<Time>,
}
