//! Usage: what was asked for, and the figures of a period.

use crate::time::Time;
use leasehold_core::license::FeatureCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// How long one point of *seats over time* is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UsageStep {
    /// An hour.
    Hour,
    /// A day.
    Day,
}

/// In what form usage is answered.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UsageFormat {
    /// All of it as one document.
    #[default]
    Json,
    /// One part of it as a table.
    Csv,
}

/// One picture, and one table.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UsagePart {
    /// Seats in use over time.
    #[default]
    Seats,
    /// Figures of each day.
    Days,
    /// The week by hour.
    Week,
    /// Users with most use.
    Users,
    /// Hosts with most use.
    Hosts,
}

/// Which usage.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UsageQuery {
    /// From the begin of this day, `2026-11-01`, where clocks are `tz_offset_min` ahead; a week ago if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// To the end of this day; today if not given. At most 3,660 days after `from`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Only of this feature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub feature: Option<FeatureCode>,
    /// Only of this user, spelled as in the list. For the administrator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Only of this host, spelled as in the list. For the administrator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// `hour` or `day`; if not given, hours of up to eight days. Of a user or host there are days only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub step: Option<UsageStep>,
    /// How far clocks are ahead of UTC, in minutes, -840 to 840; 0 if not given. Users and hosts are counted by days of UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tz_offset_min: Option<i32>,
    /// `json`, or `csv` for one part; `Accept: text/csv` asks for the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub format: Option<UsageFormat>,
    /// With `csv`: `seats`, `days`, `week`, `users` or `hosts`; `seats` if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub part: Option<UsagePart>,
}

/// Figures of a period.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct UsageResponse {
    /// The first day of the period.
    pub from: String,
    /// Its last day.
    pub to: String,
    /// How far clocks are ahead of UTC, in minutes.
    pub tz_offset_min: i32,
    /// How long one point of `seats` is.
    pub step: UsageStep,
    /// Everything before is counted.
    pub counted_until: Time,
    /// Seats in use then.
    pub in_use: u32,
    /// The whole period.
    pub totals: UsageTotals,
    /// Seats over time. Of a feature without use there is no row.
    pub seats: Vec<UsagePoint>,
    /// Days on which something happened.
    pub days: Vec<UsageDay>,
    /// The week by hour, 168 entries from Monday at midnight.
    pub week: Vec<UsageWeekHour>,
    /// Users with most use, most first, at most 20. For the administrator.
    pub users: Vec<UsageName>,
    /// Hosts with most use, most first, at most 20. For the administrator.
    pub hosts: Vec<UsageName>,
    /// Features that have figures.
    pub features: Vec<String>,
    /// On days before this one (UTC) pseudonyms stand for users and hosts; absent if nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named_from: Option<String>,
    /// The usage log was cut at this instant, because room was short; totals are whole. Absent if it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_cut_at: Option<Time>,
}

/// Figures of a whole period.
#[derive(Clone, Copy, PartialEq, Default, Debug, Serialize, Deserialize, ToSchema)]
pub struct UsageTotals {
    /// Seats in use, times hours.
    pub seat_hours: f64,
    /// Of these, borrowed by machines. Not for a user or host.
    pub borrowed_hours: f64,
    /// Most seats in use at once; of a user or host, of one feature on one machine.
    pub peak: u32,
    /// Most seats owned at once; 0 for a user or host.
    pub owned: u32,
    /// Seats that were taken.
    pub checkouts: u64,
    /// Wants that were denied, each once however often it was tried.
    pub denials: u64,
}

/// Seats in use over an hour or a day.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct UsagePoint {
    /// When it begins.
    pub at: Time,
    /// Seats in use on the average.
    pub average: f64,
    /// Most at once.
    pub peak: u32,
    /// Most seats owned at once.
    pub owned: u32,
    /// Borrowed by machines, on the average.
    pub borrowed: f64,
    /// Seats that were taken.
    pub checkouts: u64,
    /// Wants that were denied.
    pub denials: u64,
}

/// A day.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct UsageDay {
    /// Which, `2026-11-01`.
    pub date: String,
    /// Most seats in use at once.
    pub peak: u32,
    /// Most seats owned at once.
    pub owned: u32,
    /// Seats in use, times hours.
    pub seat_hours: f64,
    /// Seats that were taken.
    pub checkouts: u64,
    /// Wants that were denied.
    pub denials: u64,
}

/// One hour of the week.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct UsageWeekHour {
    /// 1 for Monday to 7 for Sunday.
    pub weekday: u8,
    /// 0 to 23.
    pub hour: u8,
    /// Seats in use on the average of all such hours of the period.
    pub average: f64,
    /// Most at once. Of a user or host: on a day with use in that hour, which may have been at another.
    pub peak: u32,
}

/// A user or a host.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct UsageName {
    /// Its name, or what stands for it. Hostile text.
    pub name: String,
    /// Seats in use, times hours.
    pub seat_hours: f64,
    /// Most seats of one feature at once on one machine.
    pub peak: u32,
    /// Seats that were taken.
    pub checkouts: u64,
    /// Wants that were denied.
    pub denials: u64,
}
