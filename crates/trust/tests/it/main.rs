//! The files and documents as the outside meets them: whole, manipulated, forged, and read by other programs.

mod bad_files;
mod forged;
mod openssl;
mod round_trips;
mod support;
mod vectors;
