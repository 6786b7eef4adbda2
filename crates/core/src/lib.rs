//! The domain of Leasehold: types and decisions.
//!
//! Everything here is a pure function or a step machine: no I/O, no ambient clock or randomness, no async, no SQL,
//! no HTTP. The crate compiles into customers' applications through `leasehold-client`, so it stays small and
//! portable. The rules it implements are numbered in `docs/PROTOCOL.md`.

pub mod access;
pub mod activation;
pub mod clock;
pub mod codes;
pub mod engine;
pub mod giving_up;
pub mod grant;
pub mod ids;
pub mod license;
pub mod pass;
pub mod pool;
pub mod random;
pub mod session;
pub mod site;
pub mod sync;
pub mod text;
pub mod time;
pub mod times;
pub mod usage;
