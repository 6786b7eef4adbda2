//! Who waits for seats from the portal.

use super::passes::Wish;
use crate::ids::{LeaseId, LicenseId};
use crate::pool::{Ask, Source};
use crate::time::Ms;
use std::sync::Arc;

/// A checkout, or a wish to borrow, that waits for the portal.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) id: LeaseId,
    pub(super) key: Arc<str>,
    pub(super) ask: Ask,
    pub(super) source: Source,
    /// Seats of which license would serve it; `None` while the server waits for its first answer.
    pub(super) license: Option<LicenseId>,
    pub(super) until: Ms,
    /// A machine wants to borrow; `None`: an application wants a lease.
    pub(super) borrow: Option<Wish>,
}

/// Why a checkout is not served by the portal.
pub(super) enum MayWait {
    /// It may: until the portal was asked for seats of this license.
    For(Option<LicenseId>),
    /// It may not.
    No,
}
