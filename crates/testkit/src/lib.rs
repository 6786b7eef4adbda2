//! For tests only: a clock that tests set, and the simulation of the whole system.
//!
//! Whole-system tests live in `tests/it`. Nothing here is part of the product, and nothing of the product knows it.

pub mod clock;
pub mod sim;

pub use clock::FakeClock;
