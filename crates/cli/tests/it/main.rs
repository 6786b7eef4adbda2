//! The binary as people and scripts use it: real processes, real sockets, exit codes and sentences.

mod client_settings;
mod demo;
mod run;
mod seats;
mod services;
mod support;
