//! The files and documents as the outside meets them: whole, manipulated, forged, and read by other programs.
#![expect(clippy::unwrap_used, reason = "helpers of tests: a step that fails is a test that fails")]

mod bad_files;
mod forged;
mod openssl;
mod round_trips;
mod support;
mod vectors;
