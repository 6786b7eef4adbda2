//! The portal as its callers see it: services on both databases, and the API in front of them.
#![expect(clippy::unwrap_used, reason = "a failed step of a test ends it")]

mod access;
mod admin;
mod api;
mod bad_uploads;
mod browser;
mod devices;
mod giving_up;
mod invitations;
mod licenses;
mod online;
mod own_account;
mod ownership;
mod pages;
mod people;
mod pins;
mod race;
mod roles;
mod sign_in;
mod store;
mod whose;
mod workstations;
mod world;
