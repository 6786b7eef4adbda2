//! What travels: JSON of the portal's and the license server's API, and of the problems both answer with.
//!
//! Shapes only: no rule, no I/O. What is read from outside refuses unknown fields; what is answered may gain some.

pub mod portal;
pub mod problem;
pub mod server;
pub mod time;
