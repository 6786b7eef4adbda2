//! `leasehold borrow`, `leasehold return` and `leasehold passes`: seats for a machine that goes away.

use crate::client_args::ClientArgs;
use crate::failure::{FAILED, Failure, NO_SERVER, NOT_TRUSTED, exit_of};
use crate::output::{Output, line_out, note, printable};
use clap::Args;
use leasehold_client::{Checkout, Client, Date, PassFailure, PassInfo, ServerTrouble, WhichPass};
use leasehold_core::text::seats;
use leasehold_core::time::Clock as _;
use leasehold_host::SystemClock;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Borrow seats: this machine uses them out of reach of any license server until they end
///
/// Again: what there is of the feature is extended; another number of seats makes another pass.
#[derive(Args, Debug)]
pub(crate) struct BorrowArgs {
    /// What to borrow, such as studio.gui
    #[arg(value_name = "FEATURE", required_unless_present = "pass")]
    feature: Option<String>,
    /// For how many days
    #[arg(long, value_name = "N", required_unless_present = "pass", value_parser = clap::value_parser!(u32).range(1..=3_660))]
    days: Option<u32>,
    /// How many seats, and so how many processes at once. As many as were borrowed before if not given, else 1
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    seats: Option<u32>,
    /// The application's release date, which perpetual licenses are compared with
    #[arg(long, value_name = "YYYY-MM-DD")]
    released_on: Option<Date>,
    /// Ask no server: write a request file, for the administrator of the license server to answer with a pass file
    #[arg(long, value_name = "FILE", conflicts_with = "pass")]
    request: Option<PathBuf>,
    /// Take the pass file that answers a request file of this machine
    #[arg(long, value_name = "FILE", conflicts_with_all = ["feature", "days", "seats", "released_on"])]
    pass: Option<PathBuf>,
    #[command(flatten)]
    client: ClientArgs,
}

/// Give borrowed seats back before they end
#[derive(Args, Debug)]
pub(crate) struct ReturnArgs {
    /// The pass, or its feature; may be left out if there is only one
    #[arg(value_name = "PASS|FEATURE")]
    which: Option<String>,
    /// Ask no server: write a receipt file, for the administrator of the license server. The pass cannot be used any more
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
    #[command(flatten)]
    client: ClientArgs,
}

/// Show what this machine has borrowed
#[derive(Args, Debug)]
pub(crate) struct PassesArgs {
    #[command(flatten)]
    client: ClientArgs,
}

impl From<PassFailure> for Failure {
    fn from(failure: PassFailure) -> Failure {
        let of =
            |servers: &[ServerTrouble]| servers.iter().map(|entry| exit_of(&entry.trouble)).min().unwrap_or(NO_SERVER);
        let (exit, detail) = match &failure {
            PassFailure::Servers(servers) | PassFailure::NoOther { servers, .. } => {
                (of(servers), json!({ "servers": servers }))
            }
            PassFailure::LenderAway { servers, .. } => (NO_SERVER, json!({ "servers": servers })),
            PassFailure::Trouble(trouble) => (FAILED, json!(trouble)),
            PassFailure::Clock { behind_ms } => (FAILED, json!({ "code": "CLOCK_SUSPECT", "behind_ms": behind_ms })),
            PassFailure::File(problem) if problem.code() == "FILE_OTHER_VENDOR" => (NOT_TRUSTED, json!(null)),
            PassFailure::File(problem) => (FAILED, json!({ "code": problem.code() })),
            _ => (FAILED, json!(null)),
        };
        Failure { exit, sentence: failure.to_string(), detail }
    }
}

pub(crate) fn borrow(args: BorrowArgs) -> Result<u8, Failure> {
    let by_file = args.pass.is_some() || args.request.is_some();
    let client = if by_file { args.client.client_of_passes()? } else { args.client.client()? };
    let output = args.client.output();
    if let Some(path) = &args.pass {
        let file = read(path)?;
        let pass = client.import_pass(&file)?;
        output.print(&json!({ "pass": pass }), || described(&pass))?;
        return Ok(0);
    }
    let (Some(feature), Some(days)) = (&args.feature, args.days) else { return Err(Failure::of("Name a feature.")) };
    // Those that there are of the feature are extended, whatever their number: another number makes another pass.
    let (passes, _) = client.passes();
    let known = passes.iter().filter(|pass| pass.feature.as_str() == feature && pass.trouble.is_none());
    let seats: BTreeSet<u32> = match args.seats {
        Some(seats) => [seats].into(),
        None => known.map(|pass| pass.seats).collect(),
    };
    let mut seats = seats.into_iter();
    let first = seats.next().unwrap_or(1);
    let checkout = Checkout::of(feature).seats(first).version(concat!("leasehold ", env!("CARGO_PKG_VERSION")));
    let checkout = args.released_on.into_iter().fold(checkout, Checkout::released_on);
    if let Some(path) = &args.request {
        if path != Path::new("-") && path.exists() {
            // It may be on its way to the administrator: the answer fits only the request that it was made from.
            return Err(Failure::of(format!("{} exists. Name another file, or remove it first.", path.display())));
        }
        let file = client.borrow_request_file(&checkout, days)?;
        write(path, &file)?;
        output.print(&json!({ "request": path }), || {
            format!(
                "Written to {}, by this machine's clock at {}: if that is wrong, set the clock right before the pass is used. \
                 Bring it to the administrator of the license server within 7 days (ONLINE LICENSING, Borrowed by machines, or `leasehold server lend FILE`), and take the answer with `leasehold borrow --pass FILE`.",
                path.display(),
                SystemClock::new().wall().minute()
            )
        })?;
        return Ok(0);
    }
    lend(&client, &checkout, days, output)?;
    for more in seats {
        lend(&client, &checkout.clone().seats(more), days, output)?;
    }
    Ok(0)
}

fn lend(client: &Client, checkout: &Checkout, days: u32, output: Output) -> Result<(), Failure> {
    let lent = client.borrow(checkout, days)?;
    output.print(&json!({ "pass": lent }), || {
        let verb = match () {
            () if lent.extended => "Extended. ",
            () if lent.unchanged => "Not extended, and as good as before: ",
            () => "",
        };
        let cut = if let Some(why) = &lent.why {
            format!("\n{why}")
        } else if lent.cut {
            format!(
                "\nIt was asked for until {}, and ends earlier: because the license, or what the license server has of it, does, or because \
                 no longer term is lent. The administrator of an online license server can keep seats there for longer first (Use licenses \
                 offline); asked again, the pass is extended.",
                lent.wanted_until.rfc3339()
            )
        } else {
            String::new()
        };
        format!("{verb}{}{cut}", described(&lent.pass))
    })
}

pub(crate) fn described(pass: &PassInfo) -> String {
    let seats = seats(pass.seats);
    let state = match &pass.trouble {
        Some(trouble) => format!("\n  {trouble}"),
        None => format!(", {} in use", pass.in_use),
    };
    format!(
        "{} of {} from \"{}\" until {}{state}\n  {}",
        seats,
        pass.feature,
        printable(&pass.lender),
        pass.until.rfc3339(),
        pass.pass
    )
}

pub(crate) fn give_back(args: ReturnArgs) -> Result<u8, Failure> {
    let client = if args.receipt.is_some() { args.client.client_of_passes()? } else { args.client.client()? };
    let output = args.client.output();
    let which = match &args.which {
        None => WhichPass::Only,
        Some(text) => text.parse().map_or_else(|_| WhichPass::Feature(text.clone()), WhichPass::Pass),
    };
    if let Some(path) = &args.receipt {
        let file = client.pass_receipt_file(&which)?;
        write(path, &file)?;
        output.print(&json!({ "receipt": path }), || {
            format!(
                "The pass is given up and cannot be used any more. The receipt is in {}: bring it to the administrator of the \
                 license server, or run `leasehold borrow` or `leasehold return` again where that is in reach.",
                path.display()
            )
        })?;
        return Ok(0);
    }
    let returned = client.return_pass(&which)?;
    output.print(&json!({ "returned": returned }), || match returned.free_at {
        Some(at) => {
            format!("The pass of {} is given back; its seats are free at its end, {}.", returned.feature, at.rfc3339())
        }
        None if returned.unknown => format!(
            "The pass of {} is given back. The license server does not know it: it was restored from a backup that is older. \
             What it may have lent since it holds until the administrator frees it: Borrowed by machines, or `leasehold server \
             not-out`.",
            returned.feature
        ),
        None => format!("The pass of {} is given back; its seats are free.", returned.feature),
    })?;
    Ok(0)
}

pub(crate) fn passes(args: PassesArgs) -> Result<u8, Failure> {
    let client = args.client.client_of_passes()?;
    let (passes, troubles) = client.passes();
    for trouble in &troubles {
        note(&trouble.to_string());
    }
    args.client.output().print(&json!({ "passes": passes, "damaged": troubles }), || {
        if passes.is_empty() {
            return "This user has borrowed nothing on this machine.".to_owned();
        }
        passes.iter().map(described).collect::<Vec<_>>().join("\n")
    })?;
    Ok(0)
}

fn read(path: &Path) -> Result<String, Failure> {
    let failed = |error: std::io::Error| Failure::of(format!("Cannot read {}: {error}.", path.display()));
    let bytes = if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut std::io::Read::take(std::io::stdin().lock(), 1 << 20), &mut bytes)
            .map_err(failed)?;
        bytes
    } else {
        std::fs::read(path).map_err(failed)?
    };
    String::from_utf8(bytes).map_err(|_| Failure::of(format!("{} is not a pass file.", path.display())))
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    if path == Path::new("-") {
        return line_out(text.trim_end());
    }
    std::fs::write(path, text).map_err(|error| Failure::of(format!("Cannot write {}: {error}.", path.display())))
}
