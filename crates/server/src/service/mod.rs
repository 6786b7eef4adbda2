//! The use cases of the license server: one public function each, that authorizes, decides, stores and audits. The API
//! and the pages are two thin fronts over them.

mod access;
mod activation;
mod administrator;
mod administrators;
mod backup;
mod enable;
mod failure;
mod give_back;
mod installation;
mod leases;
mod logs;
mod metrics;
mod on_trial;
mod online;
mod own_requests;
mod passes;
mod passwords;
mod pins;
mod releases;
mod schedule;
mod settings;
mod status;
mod support;
mod throttle;
mod trial;
mod usage;

pub use backup::RestoreFailure;
pub(crate) use backup::restore;

pub use access::{Caller, Credential};
pub(crate) use administrator::ADMINISTRATOR_NAME;
pub(crate) use administrator::Administrator;
pub use administrator::{PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN};
pub use failure::Failure;
pub(crate) use give_back::take_up_receipt;
pub use installation::Installation;
pub(crate) use leases::{LeaseOutcome, Serials};
pub(crate) use metrics::Format;
pub(crate) use on_trial::Trial;
pub(crate) use online::KnownPortal;
pub(crate) use passes::BorrowOutcome;
pub(crate) use pins::SLOW as PORTAL_SLOW;
pub(crate) use releases::NOT_AGAIN_S;
pub(crate) use schedule::{BackupState, FOLDER_DEFAULT as BACKUP_FOLDER};
pub use status::Pulse;
pub(crate) use status::{LeaseAmong, gives_seats};
pub(crate) use usage::csv as usage_csv;
