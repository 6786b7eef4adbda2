//! What goes over a license server's REST API, in and out: for applications (leases), and for whoever looks at the
//! server or administers it. Holds no rule.
//!
//! Every type that comes in refuses unknown fields; every type that goes out may gain members, so readers ignore what
//! they do not know. Users, hosts and labels in answers are hostile text: escape them when shown.

mod admin;
mod give_back;
mod leases;
mod online;
mod passes;
mod status;
mod usage;

pub use crate::portal::{Page, PageQuery};
pub use admin::*;
pub use give_back::*;
pub use leases::*;
pub use online::*;
pub use passes::*;
pub use status::*;
pub use usage::*;

/// Codes of problems beside `leasehold_core::codes`, which has those of denials and of leases that ended.
pub mod codes {
    /// 400: the header `Idempotency-Key` is missing or malformed.
    pub const KEY_MISSING: &str = "IDEMPOTENCY_KEY_MISSING";
    /// 422: the idempotency key was used with another body.
    pub const KEY_REUSED: &str = "KEY_REUSED";
    /// 422: a field is out of bounds; `detail` names it.
    pub const BAD_FIELD: &str = "BAD_FIELD";
    /// 401: the lease's secret is missing or wrong.
    pub const WRONG_SECRET: &str = "WRONG_SECRET";
    /// 404: no such lease. For a checkin, that is as good as done.
    pub const LEASE_UNKNOWN: &str = "LEASE_UNKNOWN";
    /// 409: the seats are not held since a restore: a machine has them, or nothing is held yet.
    pub const NOT_HELD: &str = "NOT_HELD";
    /// 404: the server has lent no such pass, or it has ended. For a return, that is as good as done.
    pub const PASS_UNKNOWN: &str = "PASS_UNKNOWN";
    /// 422: the lease document in a resume was not signed by this server, or is of another lease.
    pub const LEASE_DOCUMENT: &str = "LEASE_DOCUMENT";
    /// 404: this server never obeyed a grant document with that hash.
    pub const GRANT_UNKNOWN: &str = "GRANT_UNKNOWN";
    /// 503: too many checkouts wait; nothing was done. Ask again after `Retry-After` seconds, with the same key.
    pub const BUSY: &str = "BUSY";
    /// 503: the server's disk is full; nothing was done.
    pub const DISK_FULL: &str = "DISK_FULL";
    /// 503: nobody can say whether it was done. Repeat the request with the same key.
    pub const OUTCOME_UNKNOWN: &str = "OUTCOME_UNKNOWN";
    /// 429: too many wrong secrets, tokens or passwords from this address.
    pub const RATE_LIMITED: &str = "RATE_LIMITED";
    /// 401: the administrator must sign in.
    pub const SIGN_IN: &str = "SIGN_IN";
    /// 401: wrong password or setup secret.
    pub const WRONG_PASSWORD: &str = "WRONG_PASSWORD";
    /// 403: the administrator is only heard over TLS or on the server's own machine.
    pub const TLS_REQUIRED: &str = "TLS_REQUIRED";
    /// 409: the administrator's password was set before.
    pub const ALREADY_SET_UP: &str = "ALREADY_SET_UP";
    /// 404: the server was not disabled, or gave nothing back, so there is no receipt.
    pub const NO_RECEIPT: &str = "NO_RECEIPT";
    /// 409: seats cannot be given back now; `detail` says why.
    pub const NOT_GIVEN_BACK: &str = "NOT_GIVEN_BACK";
    /// 409: a receipt was made that forbids this activation file.
    pub const FILE_GIVEN_BACK: &str = "FILE_GIVEN_BACK";
}
