//! SQLite: one writer with group commit, readers, and the in-line database of the simulation.

mod batch;
mod copy;
mod in_line;
mod open;
mod statement;
mod threads;

pub(crate) use copy::{backup, check_integrity};
pub(crate) use in_line::InLine;
pub use open::SqliteOptions;
pub(crate) use statement::{all, bytes, exec, int, one, script, text};
pub(crate) use threads::Threads;
