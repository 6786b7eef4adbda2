//! What an application links to take seats from license servers: checkout, renewal, and return.
//!
//! Blocking, without an async runtime; each seat has one thread of its own. Every answer that gives a right is verified
//! against the vendor's root certificate, which comes from the application or from the machine's settings, never from a
//! server. The rules are in `docs/PROTOCOL.md`; the decisions are `leasehold_core::session`, and this crate is the shell
//! around it: sockets, threads, settings, sentences.
//!
//! ```no_run
//! use leasehold_client::{Checkout, Client, SeatState};
//!
//! let client = Client::builder().vendor_root_pem("-----BEGIN CERTIFICATE-----...").build()?;
//! let seat = client.checkout(&Checkout::of("studio.gui").version("4.2"))?;
//! if seat.state() == SeatState::Lost {
//!     // Stop using the feature.
//! }
//! drop(seat); // gives it back
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod address;
mod client;
pub mod config;
mod driver;
mod examine;
mod link;
mod passes;
mod seat;
pub mod settings;
mod trouble;
mod verify;

pub use address::ServerAddress;
pub use client::{Checkout, Client, ClientBuilder};
pub use examine::{Examination, FeatureFound};
pub use jiff::civil::Date;
pub use leasehold_core::session::SeatState;
pub use passes::{Lent, PassFailure, PassInfo, PassTrouble, Returned, WhichPass};
pub use seat::{GivenBack, LeftSeat, Seat, SeatChange, SeatInfo};
pub use settings::{ServerList, SettingsError, Source, Surroundings, Trust};
pub use trouble::{NoSeat, NoSeatKind, ServerTrouble, Trouble};
