//! An instant in API JSON.

use leasehold_core::time::{Ms, rfc3339};
use serde::{Deserialize, Serialize};

/// An instant: RFC 3339 in JSON, [`Ms`] in Rust, so that a view can be shown as it is and compared without parsing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-11-22T14:03:07Z")]
#[serde(transparent)]
pub struct Time(#[serde(with = "rfc3339")] pub Ms);

impl From<Ms> for Time {
    fn from(at: Ms) -> Time {
        Time(at)
    }
}
