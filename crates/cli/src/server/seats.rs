//! `leasehold server holders` and `release`: who has a seat, and taking it back.

use super::{Folder, leases};
use crate::failure::Failure;
use crate::output::{Output, printable};
use clap::Args;
use leasehold_core::ids::LeaseId;
use leasehold_core::license::FeatureCode;
use leasehold_server::local;
use leasehold_wire::server::{LiftRequest, ReleaseRequest};

#[derive(Args, Debug)]
#[group(id = "whom", required = true, multiple = false)]
struct ReleaseWhom {
    /// The seat of this lease, as `leasehold server holders --json` names it
    #[arg(long, group = "whom", value_name = "LEASE")]
    lease: Option<LeaseId>,
    /// Every seat held at this host, spelled as in the list of holders
    #[arg(long, group = "whom", value_name = "NAME")]
    host: Option<String>,
    /// Every seat held by this user, spelled as in the list of holders
    #[arg(long, group = "whom", value_name = "NAME")]
    user: Option<String>,
}

#[derive(Args, Debug)]
pub(super) struct ReleaseArgs {
    #[command(flatten)]
    folder: Folder,
    #[command(flatten)]
    whom: ReleaseWhom,
    /// Why: shown to whoever loses the seat, and in the audit log
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// So many minutes they get no seat of the same features again, at most 1440
    #[arg(long, value_name = "MINUTES", default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=1440))]
    not_again_min: u32,
    /// Print one JSON document instead of text
    #[arg(long)]
    json: bool,
}

pub(super) fn release(args: ReleaseArgs) -> Result<(), Failure> {
    let wish = ReleaseRequest {
        lease: args.whom.lease,
        host: args.whom.host,
        user: args.whom.user,
        reason: args.reason,
        not_again_s: Some(args.not_again_min * 60),
    };
    let released = local::release(args.folder.open(), &wish)?;
    Output { json: args.json }.print(&released, || {
        format!(
            "On the way back from {}: told at the next heartbeat, within a minute, and given back two minutes later. Whoever is \
             not heard of any more: free by {} at the latest.",
            leases(released.leases),
            released.free_by.0.rfc3339()
        )
    })
}

/// Who may have seats again.
#[derive(Args, Debug)]
pub(super) struct LiftArgs {
    #[command(flatten)]
    folder: Folder,
    #[command(flatten)]
    whom: Lifted,
    /// Print one JSON document instead of text
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
#[group(id = "lifted", required = true, multiple = false)]
struct Lifted {
    /// This user, wherever
    #[arg(long)]
    user: Option<String>,
    /// Whoever is at this host
    #[arg(long)]
    host: Option<String>,
}

pub(super) fn lift(args: LiftArgs) -> Result<(), Failure> {
    let wish = LiftRequest { host: args.whom.host, user: args.whom.user };
    let lifted = local::lift(args.folder.open(), &wish)?;
    Output { json: args.json }.print(&lifted, || "Lifted: they may have seats again.".to_owned())
}

pub(super) fn holders(folder: Folder, feature: Option<FeatureCode>, output: Output) -> Result<(), Failure> {
    let held = local::leases(folder.open(), feature.as_ref())?;
    output.print(&held, || {
        if held.is_empty() {
            return "Nobody holds a seat.".to_owned();
        }
        let lines = held.iter().map(|lease| {
            let state = match &lease.released {
                _ if lease.pass.is_some() => ", borrowed",
                Some(_) => ", taken back",
                None if lease.withdrawn => ", runs out",
                None => "",
            };
            let (id, seats, feature) = (lease.lease, lease.seats, &lease.feature);
            let since = lease.started_at.0.rfc3339();
            if lease.pass.as_ref().is_some_and(|pass| pass.unknown_since.is_some()) {
                return format!(
                    "{id}  {seats} x {feature}  perhaps a laptop  held since the restore ({since}): `leasehold server not-out` \
                     frees what no laptop has"
                );
            }
            let (user, host) = (printable(&lease.user), printable(&lease.host));
            format!("{id}  {seats} x {feature}  {user} on {host}  since {since}{state}")
        });
        lines.collect::<Vec<_>>().join("\n")
    })
}
