//! The process's source of randomness, shared by all request handlers.

use leasehold_core::random::Random;
use std::sync::{Arc, Mutex, PoisonError};

/// One source for many. Cheap to clone.
#[derive(Clone)]
pub(crate) struct SharedRandom(Arc<Mutex<Box<dyn Random>>>);

impl SharedRandom {
    pub(crate) fn new(random: Box<dyn Random>) -> SharedRandom {
        SharedRandom(Arc::new(Mutex::new(random)))
    }

    /// Draws with it.
    pub(crate) fn draw<T>(&self, draw: impl FnOnce(&mut dyn Random) -> T) -> T {
        draw(&mut **self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl std::fmt::Debug for SharedRandom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SharedRandom")
    }
}
