//! The engine's shell: one thread that owns all seats ([`leasehold_core::engine`]), a mailbox in front of it and one
//! commit behind it for each batch. Nobody is answered before the batch is on disk.
//!
//! Decides nothing about seats, signs nothing (but the receipt with which a key ends), speaks no HTTP.

mod health;
mod mailbox;
mod restore;
mod thread;

pub(crate) use health::Health;
pub(crate) use mailbox::{EngineHandle, Refusal};
pub(crate) use restore::{RestoreError, Restorer};
pub(crate) use thread::{EngineParts, prune_from, start};
