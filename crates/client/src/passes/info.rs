//! What is told of passes, and how one is named.

use super::PassTrouble;
use leasehold_core::ids::PassId;
use leasehold_core::license::FeatureCode;
use leasehold_core::time::Ms;
use serde::Serialize;

/// A pass of this machine.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PassInfo {
    /// Which.
    pub pass: PassId,
    /// Of what.
    pub feature: FeatureCode,
    /// How many seats, and so how many processes at once.
    pub seats: u32,
    /// How many processes of this machine use now.
    pub in_use: u32,
    /// Name of the license server that lent it, as its portal knows it. Hostile text.
    pub lender: String,
    /// Until when it can be used.
    #[serde(with = "leasehold_core::time::rfc3339")]
    pub until: Ms,
    /// What keeps it from being used; absent if nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<PassTrouble>,
}

/// Seats were borrowed, or a pass was extended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Lent {
    /// The pass.
    #[serde(flatten)]
    pub pass: PassInfo,
    /// It was there, and runs longer now.
    pub extended: bool,
    /// It was there, and stays as it is: it could not be extended.
    pub unchanged: bool,
    /// Why not, as the license server says it, if it has a reason of its own. Without control characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Until when it was wanted.
    #[serde(with = "leasehold_core::time::rfc3339")]
    pub wanted_until: Ms,
    /// It ends earlier than was wanted, because the license behind it, or what the license server has of it, ends.
    pub cut: bool,
    /// The longest time that can be asked for, in days.
    pub days_max: u32,
}

/// A pass was given back.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Returned {
    /// Which.
    pub pass: PassId,
    /// Of what.
    pub feature: FeatureCode,
    /// When its seats are free; absent if they are.
    #[serde(serialize_with = "rfc3339_or_none", skip_serializing_if = "Option::is_none")]
    pub free_at: Option<Ms>,
    /// The license server does not know it, though it has not ended: the server was restored from a backup that is older.
    /// What it may have lent since it holds, until its administrator says that no machine has it.
    pub unknown: bool,
}

#[expect(clippy::ref_option, reason = "serde passes references")]
fn rfc3339_or_none<S: serde::Serializer>(at: &Option<Ms>, serializer: S) -> Result<S::Ok, S::Error> {
    at.map(Ms::rfc3339).serialize(serializer)
}

/// Which pass is meant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WhichPass {
    /// This one.
    Pass(PassId),
    /// The one of a feature, if there is only one.
    Feature(String),
    /// The only one.
    Only,
}
