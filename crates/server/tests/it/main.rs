//! The license server as it runs: real sockets, real database, real activation files; only the clock is in the tests'
//! hands.

#![expect(clippy::unwrap_used, reason = "support functions are part of the tests")]

mod access;
mod activation;
mod administrator;
mod durability;
mod leases;
mod machine;
mod pages;
mod startup;
mod support;
