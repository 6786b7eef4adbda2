//! What a receipt says about usage: a few totals of each feature, and nobody's name.

use crate::license::FeatureCode;
use crate::time::{Ms, numeric_date};
use serde::{Deserialize, Serialize};

/// Features of a summary at most; those with most use.
pub const SUMMARY_FEATURES_MAX: usize = 64;

/// How the seats of a license server were used over a time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Summary {
    /// From when it counts, by the license server's clock. Whole seconds.
    #[serde(with = "numeric_date")]
    pub since: Ms,
    /// Until when it counts. Whole seconds.
    #[serde(with = "numeric_date")]
    pub until: Ms,
    /// The features with most use, the most used first; at most [`SUMMARY_FEATURES_MAX`].
    pub features: Vec<FeatureSummary>,
    /// Features that were left out.
    #[serde(default)]
    pub left_out: u32,
}

/// How one feature was used.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FeatureSummary {
    /// Which.
    pub feature: FeatureCode,
    /// Seats that were in use together, summed over time, in seconds.
    pub seat_s: u64,
    /// Most seats in use at once.
    pub peak: u32,
    /// How often seats were taken.
    pub checkouts: u64,
    /// How often none was given.
    pub denials: u64,
}

impl Summary {
    /// The same, within its bounds: for one that somebody else wrote.
    pub fn bounded(mut self) -> Summary {
        let more = self.features.len().saturating_sub(SUMMARY_FEATURES_MAX);
        self.features.truncate(SUMMARY_FEATURES_MAX);
        self.left_out = self.left_out.saturating_add(u32::try_from(more).unwrap_or(u32::MAX));
        self
    }
}
