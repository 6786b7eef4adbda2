//! Tests of the whole system, one file for each topic.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests fail and tell as tests do")]

mod browser;
mod caller;
mod client;
mod client_site;
mod clock_set_wrong;
mod compat;
mod deployment;
mod disk_full;
mod enabling;
mod kill;
mod laptop;
mod ledger;
mod mail;
mod online;
mod online_faults;
mod online_hour;
mod online_race;
mod passes;
mod proxies;
mod service;
mod simulation;
mod suspend;
