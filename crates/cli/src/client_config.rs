//! `leasehold client set | show | test`: the settings that applications on this machine use.

use crate::client_args::ClientArgs;
use crate::doctor::{Settings, describe};
use crate::failure::{FAILED, Failure, SETTINGS};
use crate::output::Output;
use clap::{Args, Subcommand};
use leasehold_client::config::{self, ConfigFile};
use leasehold_client::settings::{self, CONFIG_VARIABLE};
use leasehold_client::{Source, address};
use serde_json::json;
use std::path::PathBuf;

/// Settings that applications on this machine use
#[derive(Args, Debug)]
pub(crate) struct ClientCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Write the config file: only what is named changes. Nothing else ever writes it
    Set(SetArgs),
    /// Show which servers and which vendor are used, and where each of the two was set
    Show(ClientArgs),
    /// Ask every server whether an application could get a seat there
    Test(ClientArgs),
}

#[derive(Args, Debug)]
struct SetArgs {
    /// The license servers with commas between, primary first: host, host:port or http://host:port
    #[arg(long, value_name = "LIST", required_unless_present = "trust")]
    servers: Option<String>,
    /// File with the vendor's root certificate; a copy is kept beside the config file
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// For all users of this machine instead of this one
    #[arg(long)]
    system: bool,
    /// Print one JSON document instead of text
    #[arg(long)]
    json: bool,
}

pub(crate) fn client(command: ClientCommand) -> Result<u8, Failure> {
    match command.what {
        What::Set(args) => set(args),
        What::Show(args) => show(&args),
        What::Test(args) => test(&args),
    }
}

fn set(args: SetArgs) -> Result<u8, Failure> {
    let path = path(args.system)?;
    let mut file =
        ConfigFile::read(&path).map_err(|trouble| Failure::new(SETTINGS, format!("{trouble}.")))?.unwrap_or_default();
    if let Some(servers) = &args.servers {
        let servers =
            address::parse_servers(&[servers]).map_err(|error| Failure::new(SETTINGS, format!("{error}.")))?;
        file.servers = Some(servers.iter().map(ToString::to_string).collect());
    }
    let root = args.trust.as_deref().map(|path| settings::read_root(path, &Source::Argument)).transpose()?;
    let pem = root.as_ref().map(|root| root.pem());
    file.write(&path, pem.as_deref()).map_err(|trouble| Failure::new(SETTINGS, format!("{trouble}.")))?;
    let vendor = root.map(|root| root.vendor_ref().to_string());
    Output { json: args.json }.print(&json!({ "path": path, "servers": args.servers, "vendor": vendor }), || {
        let mut text = format!("Written to {}.", path.display());
        if let Some(vendor) = vendor {
            text.push_str(&format!(" Applications now trust {vendor}."));
        }
        text + " Try it: leasehold client test"
    })?;
    Ok(0)
}

fn path(system: bool) -> Result<PathBuf, Failure> {
    match std::env::var_os(CONFIG_VARIABLE).filter(|value| !value.is_empty()) {
        Some(path) => Ok(PathBuf::from(path)),
        None if system => Ok(config::system_path()),
        None => config::user_path()
            .ok_or_else(|| Failure::new(SETTINGS, "This user has no home folder. Set HOME, or use --system.")),
    }
}

fn show(args: &ClientArgs) -> Result<u8, Failure> {
    let settings = Settings::read(args);
    args.output().print(&settings.json(), || settings.text())?;
    let error = settings.servers.err().or(settings.trust.err());
    Ok(error.map_or(0, |error| Failure::from(error).exit))
}

fn test(args: &ClientArgs) -> Result<u8, Failure> {
    let examinations = args.client()?.examine();
    let ok = examinations.iter().any(|found| found.ok);
    args.output().print(&json!({ "ok": ok, "examinations": examinations }), || {
        examinations.iter().map(describe).collect::<Vec<_>>().join("\n")
    })?;
    Ok(if ok { 0 } else { FAILED })
}
