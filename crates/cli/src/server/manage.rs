//! `leasehold server settings` and `leasehold server admin`: what the page Settings does, on the server's own machine.

use super::Folder;
use crate::failure::Failure;
use crate::output::{Output, printable};
use crate::secrets;
use clap::{Args, Subcommand};
use leasehold_core::access::AdministratorKind;
use leasehold_server::local;
use leasehold_wire::server::{AddAdministratorRequest, SettingView, SettingsRequest, SettingsResponse};
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(Args, Debug)]
pub(super) struct SettingsArgs {
    #[command(flatten)]
    folder: Folder,
    /// Change these: NAME=VALUE, with commas between the entries of a list; NAME= is the default again. Without any,
    /// all settings are shown
    #[arg(value_name = "NAME=VALUE", value_parser = assignment)]
    changes: Vec<(String, Value)>,
    /// Keep what is on trial
    #[arg(long, conflicts_with_all = ["changes", "take_back"])]
    keep: bool,
    /// Give up what is on trial: the settings from before are back at once
    #[arg(long, conflicts_with = "changes")]
    take_back: bool,
    /// Print one JSON document instead of text
    #[arg(long)]
    json: bool,
}

fn assignment(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    local::setting_value(name, value)
        .map(|value| (name.to_owned(), value))
        .ok_or_else(|| format!("there is no setting `{name}`"))
}

pub(super) fn settings(args: SettingsArgs) -> Result<(), Failure> {
    let SettingsArgs { folder, changes, keep, take_back, json } = args;
    let seen = match () {
        () if keep => local::confirm_settings(folder.open())?,
        () if take_back => local::take_back_settings(folder.open())?,
        () if changes.is_empty() => local::settings(folder.open())?,
        () => local::change_settings(folder.open(), &SettingsRequest(changes.into_iter().collect()))?,
    };
    Output { json }.print(&seen, || described(&seen))
}

fn described(seen: &SettingsResponse) -> String {
    let mut lines: Vec<String> = seen.settings.iter().map(line).collect();
    if let Some(trial) = &seen.trial {
        lines.push(format!(
            "\nOn trial: {}. The settings from before come back in {} s. To keep these: leasehold server settings --keep",
            trial.settings.join(", "),
            trial.left_s
        ));
    }
    lines.join("\n")
}

fn line(setting: &SettingView) -> String {
    let value = match &setting.value {
        _ if setting.secret_set => "(secret)".to_owned(),
        // Without a value where nothing is the default, or where the environment decides.
        Value::Null if setting.default.is_null() => "(default)".to_owned(),
        Value::Null => format!("{} (default)", printable(&setting.default.to_string())),
        value => printable(&value.to_string()),
    };
    let place = if setting.source == "default" { String::new() } else { format!("   from {}", setting.source) };
    let waits = if setting.waits_for_start { ", holds after the next start" } else { "" };
    format!("{} = {value}{place}{waits}", setting.name)
}

#[derive(Subcommand, Debug)]
pub(super) enum AdminWhat {
    /// Nobody can sign in any more: print a new setup secret, with which an account is made, or the password of one is set
    /// anew. All others stay
    Reset {
        #[command(flatten)]
        folder: Folder,
        /// Print one JSON document instead of text
        #[arg(long)]
        json: bool,
    },
    /// Show the accounts of administrators
    List {
        #[command(flatten)]
        folder: Folder,
        /// Print one JSON document instead of text
        #[arg(long)]
        json: bool,
    },
    /// Add an account
    Add {
        #[command(flatten)]
        folder: Folder,
        /// Its name
        name: String,
        /// It may look at everything and change nothing
        #[arg(long)]
        read_only: bool,
        /// File whose first line is the password; asked for if not given
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
        /// Print one JSON document instead of text
        #[arg(long)]
        json: bool,
    },
    /// Remove an account with its sign-ins
    Remove {
        #[command(flatten)]
        folder: Folder,
        /// Its name
        name: String,
        /// Print one JSON document instead of text
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn admin(what: AdminWhat) -> Result<(), Failure> {
    match what {
        AdminWhat::Reset { folder, json } => {
            let secret = local::reset_administrator(folder.open())?;
            Output { json }.print(&json!({ "setup_secret": secret }), || {
                format!(
                    "With this setup secret, good for one use, make an account or set the password of one anew: on the server's \
                     page, at /setup. All other accounts and sign-ins stay.\n\n  {secret}"
                )
            })
        }
        AdminWhat::List { folder, json } => {
            let all = local::administrators(folder.open())?;
            Output { json }.print(&all, || {
                let lines = all.iter().map(|account| format!("{}  {}", printable(&account.name), account.kind));
                let lines: Vec<String> = lines.collect();
                if lines.is_empty() { "Nobody yet: use the setup secret.".to_owned() } else { lines.join("\n") }
            })
        }
        AdminWhat::Add { folder, name, read_only, password_file, json } => {
            let password = secrets::read(password_file.as_deref(), "password of the account")?;
            let kind = if read_only { AdministratorKind::ReadOnly } else { AdministratorKind::Administrator };
            let added = json!({ "name": name, "kind": kind });
            local::add_administrator(folder.open(), &AddAdministratorRequest { name, kind, password })?;
            Output { json }.print(&added, || "Added: it may sign in now.".to_owned())
        }
        AdminWhat::Remove { folder, name, json } => {
            local::remove_administrator(folder.open(), &name)?;
            Output { json }.print(&json!({ "removed": name }), || "Removed, and signed out everywhere.".to_owned())
        }
    }
}

#[derive(Args, Debug)]
pub(super) struct SupportArgs {
    #[command(flatten)]
    folder: Folder,
    /// The file to write; it must not exist yet
    file: PathBuf,
    /// Leave the names of users and hosts, and addresses, as they are
    #[arg(long)]
    names: bool,
    /// Print one JSON document instead of text
    #[arg(long)]
    json: bool,
}

pub(super) fn support_bundle(args: SupportArgs) -> Result<(), Failure> {
    let bundle = local::support_bundle(args.folder.open(), args.names)?;
    leasehold_host::private_file::write_once(&args.file, &bundle).map_err(Failure::of)?;
    let kept = if args.names { "Names are in it as they are" } else { "Names and addresses are replaced" };
    Output { json: args.json }.print(&json!({ "file": args.file, "names": args.names }), || {
        format!("Wrote {}. {kept}. Look through it before you send it on.", args.file.display())
    })
}
