//! Passes: seats that a machine borrows and uses out of reach.

use crate::time::Time;
use leasehold_core::ids::PassId;
use leasehold_core::license::FeatureCode;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use utoipa::{IntoParams, ToSchema};

/// Body of `POST /v1/passes`: borrow seats, or extend a pass.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BorrowRequest {
    /// The request (`pass-request+jwt`), signed with the pass's key: its machine made it. Also the text of a request file.
    pub request: String,
}

/// Seats are borrowed: answer to `POST /v1/passes` (201 new, 200 known or extended).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct PassResponse {
    /// Which.
    #[schema(value_type = String)]
    pub pass: PassId,
    /// Of what.
    #[schema(value_type = String)]
    pub feature: FeatureCode,
    /// How many seats, and so how many processes at once.
    pub seats: u32,
    /// Until when.
    pub until: Time,
    /// Until when it was wanted.
    pub wanted_until: Time,
    /// It ends earlier than was wanted, because what it stands on ends.
    pub cut: bool,
    /// The longest time that can be asked for, in days.
    pub days_max: u32,
    /// If it is returned early, its seats come free at its end only.
    pub return_at_end: bool,
    /// It was there before this request.
    pub known: bool,
    /// Why it was not extended, in sentences, if not because what it stands on ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_extended: Option<String>,
    /// The pass file: certificates, pass and grant document, to be kept by the machine.
    pub file: String,
}

/// Body of `POST /v1/passes/{pass}/return`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReturnRequest {
    /// The receipt (`pass-receipt+jwt`), signed with the pass's key, which is destroyed. Also the text of a receipt file.
    pub receipt: String,
}

/// Answer to `POST /v1/passes/{pass}/return`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReturnResponse {
    /// When its seats are free, where the vendor wants the end of the pass to be waited for; absent if they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_at: Option<Time>,
}

/// Body of `POST /v1/passes/{pass}/lost`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LostRequest {
    /// Count its seats as free at once, within what the vendor allows in a year. They may be in use until the pass ends.
    #[serde(default)]
    pub write_off: bool,
}

/// Answer to `POST /v1/passes/{pass}/lost`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct LostResponse {
    /// When its seats are free. Without a write-off, not before its end and a day for a wrong clock: whoever has the
    /// machine may use it until then.
    pub free_at: Time,
    /// They are free now.
    pub written_off: bool,
}

/// Body of `POST /v1/passes/{pass}/not-out`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NotOutRequest {
    /// How many of its seats no machine has; all of them if more. Of a pass that the backup knows, all.
    pub seats: u32,
}

/// Answer to `POST /v1/passes/{pass}/not-out`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct NotOutResponse {
    /// Seats that are free now: of the pass's feature; of products where everything was freed.
    pub freed: u32,
    /// Seats that are held still.
    pub held: u32,
}

/// Which passes to list.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PassQuery {
    /// `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub after: Option<PassId>,
    /// Most items on the page, 1 to 200; 50 if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// One pass.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct PassView {
    /// Which.
    #[schema(value_type = String)]
    pub pass: PassId,
    /// Of what.
    #[schema(value_type = String)]
    pub feature: FeatureCode,
    /// How many seats.
    pub seats: u32,
    /// Whose. Hostile text.
    #[schema(value_type = String)]
    pub user: Box<str>,
    /// Where. Hostile text.
    #[schema(value_type = String)]
    pub host: Box<str>,
    /// Address it was asked for from.
    #[schema(value_type = String)]
    pub address: IpAddr,
    /// When it was borrowed.
    pub started_at: Time,
    /// When its current term began.
    pub begins_at: Time,
    /// Until when it can be used.
    pub until: Time,
    /// When its seats are free if it is not returned: a day later, because the machine's clock may be behind.
    pub freed_at: Time,
    /// It was returned, and its seats come free at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returned_at: Option<Time>,
    /// An administrator declared it lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost_at: Option<Time>,
    /// An administrator had its seats counted as free. Whoever has the machine may use them until its end, and a day
    /// longer by a clock that is behind; until then it is listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_off_at: Option<Time>,
    /// Nobody knows whether it was lent: the server was restored from a backup of this time, and holds what it may have
    /// lent since. Without a user and a host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown_since: Option<Time>,
    /// It is in the backup from which the server was restored: it may have been extended since, to then at the latest, or
    /// returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub perhaps_until: Option<Time>,
    /// Its machine asked for it since that restore, so it was not returned before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Time>,
    /// Seats of its license that may be written off within a year; 0 for one that was written off.
    pub write_offs_allowed: u32,
    /// How many of these were written off.
    pub write_offs_used: u32,
}
