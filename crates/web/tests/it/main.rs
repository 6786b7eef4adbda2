//! What the web fronts promise on the wire, over real sockets where sockets matter.

#![allow(clippy::unwrap_used, reason = "helpers of tests; a failure is the test's failure")]

mod bad_input;
mod guards;
mod listening;
mod live_updates;
mod support;
