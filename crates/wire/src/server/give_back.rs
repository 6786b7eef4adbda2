//! Giving back some seats of a server that has them by file.

use crate::time::Time;
use leasehold_core::ids::LicenseId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Answer to `GET /v1/activation/give-back`: what could be given back now, and what cannot before when.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct GiveBackResponse {
    /// Number of the document in force.
    pub rev: u64,
    /// Its licenses, in order of product.
    pub licenses: Vec<KeepStatus>,
    /// What was given back of this document already; its receipt can be fetched again until a newer one is loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_back: Option<GivenBack>,
}

/// One license of the document in force.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct KeepStatus {
    /// Which.
    #[schema(value_type = String)]
    pub license: LicenseId,
    /// Code of its product.
    pub product: String,
    /// Name of its product. Hostile text.
    pub product_name: String,
    /// Seats that the server has.
    pub seats: u32,
    /// Of these, seats that are out and must be kept for now.
    pub in_use: u32,
    /// Seats that can be given back now.
    pub may_give_back: u32,
    /// Applications that hold some.
    pub applications: u32,
    /// When these are free at the latest if none of them is heard of any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applications_until: Option<Time>,
    /// Passes of machines that have borrowed some.
    pub passes: u32,
    /// When the last of these is free at the latest. An early return frees it sooner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passes_until: Option<Time>,
    /// When the seats end.
    pub ends_at: Time,
}

/// Body of `POST /v1/activation/give-back`.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GiveBackRequest {
    /// How many seats the server keeps of each license; of a license that is not named, all that it has.
    #[schema(value_type = BTreeMap<String, u32>)]
    pub keep: BTreeMap<LicenseId, u32>,
}

/// Seats that were given back of the document in force.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct GivenBack {
    /// Number of the receipt; rises.
    pub number: u64,
    /// Number of the document that it is about. No `.crt` file up to it is loaded any more.
    pub rev: u64,
    /// Seats that the document holds.
    pub seats_signed: u32,
    /// Seats that are kept, and never exceeded until a newer document is loaded.
    pub seats_kept: u32,
    /// Of each license.
    #[schema(value_type = BTreeMap<String, u32>)]
    pub kept: BTreeMap<LicenseId, u32>,
    /// When it was done.
    pub at: Time,
}
