//! The license server: holds what the portal granted and leases seats of it to applications.
//!
//! A request takes one way: `api` (parse, who is asking) -> `service` (one use case) -> `engine` (one thread that owns
//! all seats, one commit for each batch) -> `store` (all SQL). What is decided about seats is decided in
//! `leasehold-core`; what is signed and verified, in `leasehold-trust`.

mod api;
mod clock;
mod config;
mod engine;
mod keys;
pub mod local;
mod logs;
mod meters;
mod networks;
mod pages;
mod ports;
mod random;
mod reload;
mod serve;
mod server;
mod service;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod tls;
mod trust;
mod upstream;
mod usage;

pub use api::openapi;
pub use logs::Logs;
pub use pages::page_routes;
pub use reload::{ReloadError, Reloaded};
pub use serve::{Ready, ServeError, ServeOptions, serve};
pub use server::{Server, StartError};
pub use service::{
    Caller, Credential, Failure, Installation, PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, Pulse, RestoreFailure,
};

/// Release of this build.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
