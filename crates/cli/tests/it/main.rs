//! The binary as people and scripts use it: real processes, real sockets, exit codes and sentences.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod client_settings;
mod container;
mod demo;
mod installing;
mod package;
mod run;
mod seats;
mod services;
mod supervised;
mod support;
mod usage;
