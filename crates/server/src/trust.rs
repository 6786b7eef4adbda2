//! The vendor's root that this server trusts: from the configuration, or from the first activation file. Shared by the
//! engine's thread, which pins it, and by everybody who reads it.

use leasehold_trust::VendorRoot;
use std::sync::{Arc, PoisonError, RwLock};

/// Clones are the same root.
#[derive(Clone, Debug)]
pub(crate) struct Trust(Arc<RwLock<Option<VendorRoot>>>);

impl Trust {
    /// What is known at the start.
    pub(crate) fn new(root: Option<VendorRoot>) -> Trust {
        Trust(Arc::new(RwLock::new(root)))
    }

    /// The root, if it is known.
    pub(crate) fn root(&self) -> Option<VendorRoot> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Trusts the root of a document that is in force.
    pub(crate) fn pin(&self, root: VendorRoot) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(root);
    }
}
