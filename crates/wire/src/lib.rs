//! See ARCHITECTURE.md.
pub mod portal;
pub mod problem;
pub mod server;
pub mod time;
