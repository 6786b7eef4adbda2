//! Seats kept at one license server for use without a portal ("use licenses offline"): borrowed to it, and recalled.

use crate::time::Time;
use leasehold_core::ids::LicenseId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is kept at a server, and what could be.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Pins {
    /// Rises with each change. Whoever changes something says what it was.
    pub pins_rev: u64,
    /// Seats that are kept, in order of product.
    pub kept: Vec<KeptSeats>,
    /// Licenses of which seats can be kept, in order of product.
    pub offers: Vec<PinOffer>,
}

/// Seats of one license that are kept.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct KeptSeats {
    /// The license.
    #[schema(value_type = String)]
    pub license: LicenseId,
    /// Code of its product.
    pub product: String,
    /// Name of its product, with the vendor's own mark of the license if it has one.
    pub product_name: String,
    /// How many seats are to be kept.
    pub seats: u32,
    /// How many of them the server was given; the others come as soon as they are free.
    pub given: u32,
    /// For how long, in days from the start or from the last renewal.
    pub days: u32,
    /// Renewed by itself from half of the term on, as long as the portal is reached.
    pub auto_renew: bool,
    /// Until when.
    pub until: Time,
    /// It ends within three days.
    pub ends_soon: bool,
}

/// A license of which seats can be kept.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct PinOffer {
    /// The license.
    #[schema(value_type = String)]
    pub license: LicenseId,
    /// Code of its product.
    pub product: String,
    /// Name of its product, with the vendor's own mark of the license if it has one.
    pub product_name: String,
    /// Seats that all servers of the account can have together.
    pub seats: u32,
    /// Seats that can be kept at this server now.
    pub available: u32,
    /// The longest time that the vendor allows, in days; 0 if none.
    pub days_max: u32,
    /// When the license ends, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license_end: Option<Time>,
}

/// Keeps seats of some licenses, in place of what is kept of them; others stay as they are.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeepSeats {
    /// `pins_rev` as it was when this was decided; refused if it is another one now. A license server must say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pins_rev: Option<u64>,
    /// Only say what would come of it.
    #[serde(default)]
    pub preview: bool,
    /// What to keep.
    pub pins: Vec<KeepLicense>,
}

/// What to keep of one license.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeepLicense {
    /// The license.
    #[schema(value_type = String)]
    pub license: LicenseId,
    /// How many seats in all; 0 releases them.
    pub seats: u32,
    /// For how long, in days; the longest that the vendor allows if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
    /// Renew it by itself.
    #[serde(default)]
    pub auto_renew: bool,
}

/// What comes of it, or would.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct SeatsKept {
    /// `pins_rev` now.
    pub pins_rev: u64,
    /// Each license that was named.
    pub changes: Vec<KeptChange>,
}

/// What comes of one license.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct KeptChange {
    /// The license.
    #[schema(value_type = String)]
    pub license: LicenseId,
    /// Name of its product.
    pub product_name: String,
    /// Seats kept before.
    pub seats_before: u32,
    /// Seats kept from now on.
    pub seats: u32,
    /// For how long, in days.
    pub days: u32,
    /// Renewed by itself.
    pub auto_renew: bool,
    /// Until when; none if nothing is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// It ends with the license, sooner than was asked.
    pub cut: bool,
}
