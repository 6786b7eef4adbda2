//! Online licensing between portal and license server (`PROTOCOL.md` sections 2, 3 and 10): the message that passes, and
//! the portal's decision how many seats each server holds.
//!
//! The server's end is part of its engine ([`crate::engine`]), because what it promises and what it leases must be one
//! decision. Signing is in `leasehold-trust`, carrying and storing in the services.

mod allot;
mod message;
mod part;
mod pin;
mod settle;

pub use allot::{Allotment, Holder, PoolFacts, Want, allot};
pub use message::{PoolShare, Report, SYNC_VERSION, ServerFacts, SyncAnswer, SyncRequest, Verdict};
pub use part::{Part, Shared};
pub use pin::{PIN_WARNING_MS, PINS_MAX, Pin, PinFacts, PinRefusal, PinState, PinWish, judge_pin};
pub use settle::{AssignmentFacts, LicenseSeats, Settled, settle};

use crate::time::{MINUTE_MS, SECOND_MS};

/// A server syncs this often when nothing happens, in milliseconds, give or take a tenth.
pub const SYNC_EVERY_MS: i64 = MINUTE_MS;
/// What is in use is said this long after the last sync if it is not what was said then, in milliseconds: whoever looks at
/// the portal wants to know.
pub const SAID_MS: i64 = 10 * SECOND_MS;
/// Seats that somebody waits for are remembered this long after they were last asked for, in milliseconds.
pub const WANT_MS: i64 = MINUTE_MS;
/// A checkout waits this long for seats from the portal, in milliseconds.
pub const WAIT_MS: i64 = 2 * SECOND_MS;
/// Checkouts that wait at once on one server, at most.
pub const WAITING_MAX: usize = 256;
/// After the portal had no seats, checkouts are denied at once for this long, in milliseconds.
pub const NO_MS: i64 = 5 * SECOND_MS;
/// A server that starts gives no seats of online lines until its first sync is answered, or for this long, in
/// milliseconds.
pub const FIRST_SYNC_MS: i64 = 10 * SECOND_MS;
/// Seats that nobody used for this long are recalled before others, in milliseconds.
pub const IDLE_MS: i64 = MINUTE_MS;
/// A server that has just synced is rung only for somebody who waits, in milliseconds: two servers that see different
/// things, because one cannot confirm yet what it gave back, would ring each other without end.
pub const FRESH_MS: i64 = 5 * SECOND_MS;
/// What a server that was not heard of for this long is asked for cannot be counted on, in milliseconds.
pub const HEARD_MS: i64 = 150 * SECOND_MS;
/// A server that was not heard of for this long has no claim to seats that lie idle, in milliseconds.
pub const SILENT_MS: i64 = 10 * MINUTE_MS;
