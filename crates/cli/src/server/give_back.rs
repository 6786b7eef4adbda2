//! `leasehold server give-back`: fewer seats stay on a server that has them by file; the receipt gives the others back.

use super::Folder;
use crate::failure::Failure;
use crate::output::{Output, line_out, note, printable};
use clap::Args;
use leasehold_core::ids::LicenseId;
use leasehold_server::local;
use leasehold_wire::server::{GiveBackRequest, GiveBackResponse};

#[derive(Args, Debug)]
pub(super) struct GiveBackArgs {
    #[command(flatten)]
    folder: Folder,
    /// How many seats stay here of a license, as in `lic_...=4`; may be given for several. Without it, shows what could be
    /// given back
    #[arg(long, value_name = "LICENSE=SEATS", value_parser = keep)]
    keep: Vec<(LicenseId, u32)>,
    /// Print the receipt of what was given back, to be uploaded at the portal, as it was
    #[arg(long, conflicts_with_all = ["keep", "json"])]
    receipt: bool,
    /// Print one JSON document instead of text
    #[arg(long)]
    json: bool,
}

fn keep(text: &str) -> Result<(LicenseId, u32), String> {
    let (license, seats) = text.split_once('=').ok_or("must be LICENSE=SEATS, such as lic_...=4")?;
    let license = license.trim().parse().map_err(|_| format!("`{license}` is no license id: they begin with lic_"))?;
    Ok((license, seats.trim().parse().map_err(|_| format!("`{seats}` is no number of seats"))?))
}

pub(super) fn give_back(args: GiveBackArgs) -> Result<(), Failure> {
    if args.receipt {
        return line_out(local::give_back_receipt(args.folder.open())?.trim_end());
    }
    if args.keep.is_empty() {
        let may = local::may_give_back(args.folder.open())?;
        return Output { json: args.json }.print(&may, || describe(&may));
    }
    let wish = GiveBackRequest { keep: args.keep.into_iter().collect() };
    let given = local::give_back(args.folder.clone().open(), &wish)?;
    if args.json {
        return Output { json: true }.print(&given, String::new);
    }
    note(&format!(
        "This server keeps {} of {} seats from now on (receipt {}). Upload the receipt at the portal, which counts the others as \
         free when it has it. To print it again: leasehold server give-back --receipt",
        given.seats_kept, given.seats_signed, given.number
    ));
    line_out(local::give_back_receipt(args.folder.open())?.trim_end())
}

fn describe(may: &GiveBackResponse) -> String {
    let mut lines: Vec<String> = Vec::new();
    for license in &may.licenses {
        let mut line = format!(
            "{}  {}  {} of {} can be given back now",
            license.license,
            printable(&license.product_name),
            license.may_give_back,
            license.seats
        );
        if let Some(until) = license.applications_until.filter(|_| license.applications > 0) {
            line.push_str(&format!(
                "; held by applications: {}, the last free by {} if not heard of",
                license.applications,
                until.0.rfc3339()
            ));
        }
        if let Some(until) = license.passes_until.filter(|_| license.passes > 0) {
            line.push_str(&format!(
                "; borrowed by machines: {}, until {} unless returned",
                license.passes,
                until.0.rfc3339()
            ));
        }
        lines.push(line);
    }
    match &may.given_back {
        Some(given) => lines.push(format!(
            "Given back before: {} of {} seats of document {} are kept (receipt {}).",
            given.seats_kept, given.seats_signed, given.rev, given.number
        )),
        None => lines.push("To keep fewer: leasehold server give-back --keep LICENSE=SEATS > RECEIPT".to_owned()),
    }
    lines.join("\n")
}
