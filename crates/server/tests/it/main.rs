//! The license server as it runs: real sockets, real database, real activation files; only the clock is in the tests'
//! hands.

#![expect(clippy::unwrap_used, reason = "support functions are part of the tests")]

mod access;
mod activation;
mod administrator;
mod browser;
mod denials;
mod durability;
mod fake_portal;
mod flaws;
mod give_back;
mod leases;
mod machine;
mod metrics;
mod online_pages;
mod pages;
mod releases;
mod restored;
mod settings;
mod startup;
mod support;
mod usage;
