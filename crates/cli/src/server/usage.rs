//! `leasehold server usage`: figures of a period, as text, JSON or CSV.

use super::{Folder, feature_code};
use crate::failure::Failure;
use crate::output::{Output, line_out, printable, table};
use clap::{Args, ValueEnum};
use leasehold_core::license::FeatureCode;
use leasehold_server::local;
use leasehold_wire::server::{UsageName, UsagePart, UsageQuery, UsageResponse};

#[derive(Args, Debug)]
pub(super) struct UsageArgs {
    #[command(flatten)]
    folder: Folder,
    /// First day, such as 2026-11-01; a week ago if not given
    #[arg(long, value_name = "DAY")]
    from: Option<String>,
    /// Last day; today if not given
    #[arg(long, value_name = "DAY")]
    to: Option<String>,
    /// Only of this feature
    #[arg(long, value_name = "FEATURE", value_parser = feature_code)]
    feature: Option<FeatureCode>,
    /// Only of this user, spelled as in the list
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Only of this host, spelled as in the list
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// How far clocks are ahead of UTC, in minutes: where days begin
    #[arg(long, value_name = "MINUTES", default_value_t = 0, allow_negative_numbers = true,
          value_parser = clap::value_parser!(i32).range(-840..=840))]
    tz_offset_min: i32,
    /// Print one JSON document instead of text
    #[arg(long)]
    json: bool,
    /// Print one part as CSV instead of text
    #[arg(long, value_name = "PART", value_enum, conflicts_with = "json", num_args = 0..=1, default_missing_value = "days")]
    csv: Option<Part>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Part {
    /// Seats in use over time
    Seats,
    /// Figures of each day
    Days,
    /// The week by hour
    Week,
    /// Users with most use
    Users,
    /// Hosts with most use
    Hosts,
}

impl From<Part> for UsagePart {
    fn from(part: Part) -> UsagePart {
        match part {
            Part::Seats => UsagePart::Seats,
            Part::Days => UsagePart::Days,
            Part::Week => UsagePart::Week,
            Part::Users => UsagePart::Users,
            Part::Hosts => UsagePart::Hosts,
        }
    }
}

pub(super) fn usage(args: UsageArgs) -> Result<(), Failure> {
    let query = UsageQuery {
        from: args.from,
        to: args.to,
        feature: args.feature,
        user: args.user,
        host: args.host,
        tz_offset_min: Some(args.tz_offset_min),
        ..UsageQuery::default()
    };
    let usage = local::usage(args.folder.open(), &query)?;
    match args.csv {
        Some(part) => line_out(local::usage_csv(&usage, part.into()).trim_end()),
        None => Output { json: args.json }.print(&usage, || describe(&usage)),
    }
}

fn describe(usage: &UsageResponse) -> String {
    let totals = &usage.totals;
    let owned = if totals.owned > 0 { format!(" of {} owned", totals.owned) } else { String::new() };
    let mut text = format!(
        "From {} to {}: {} seat hours, checkouts: {}, seats at once: {} at most{owned}, denials: {}.\n",
        usage.from, usage.to, totals.seat_hours, totals.checkouts, totals.peak, totals.denials
    );
    if usage.days.is_empty() {
        return text + "Nothing was counted in this time.";
    }
    let heading = ["DAY", "AT MOST", "OWNED", "SEAT HOURS", "CHECKOUTS", "DENIALS"].map(str::to_owned);
    let days = usage.days.iter().map(|day| {
        [
            day.date.clone(),
            day.peak.to_string(),
            if day.owned > 0 { day.owned.to_string() } else { "-".to_owned() },
            day.seat_hours.to_string(),
            day.checkouts.to_string(),
            day.denials.to_string(),
        ]
    });
    let rows: Vec<[String; 6]> = [heading].into_iter().chain(days).collect();
    text.push_str(&format!("\n{}", table(&rows)));
    for (heading, names) in [("USER", &usage.users), ("HOST", &usage.hosts)] {
        if !names.is_empty() {
            text.push_str(&format!("\n{}", table(&of_names(heading, names))));
        }
    }
    if let Some(at) = usage.log_cut_at {
        text.push_str(&format!("\nRoom was short: the usage log begins at {}.", at.0.rfc3339()));
    }
    text
}

fn of_names(heading: &str, names: &[UsageName]) -> Vec<[String; 4]> {
    let row = |row: &UsageName| {
        let name = if row.name.trim().is_empty() { "(no name given)".to_owned() } else { printable(&row.name) };
        [name, row.seat_hours.to_string(), row.checkouts.to_string(), row.denials.to_string()]
    };
    let heading = [heading, "SEAT HOURS", "CHECKOUTS", "DENIALS"].map(str::to_owned);
    [heading].into_iter().chain(names.iter().map(row)).collect()
}
