//! `leasehold server ...`: the customer's side. Every command but `serve` asks the server that runs on the data folder,
//! or opens the folder itself if none does.

mod give_back;
mod manage;
mod offline;
mod seats;
mod serve;
mod told;
mod usage;

use crate::failure::{Failure, NO_SERVER};
use crate::installing::{self, InstallArgs, UninstallArgs};
use crate::output::{Output, line_out, printable};
use crate::portal::pretty;
use clap::{Args, Subcommand};
use leasehold_core::engine::NotOut;
use leasehold_core::ids::PassId;
use leasehold_core::license::{FeatureCode, Scope};
use leasehold_core::text;
use leasehold_core::time::DAY_MS;
use leasehold_host::{OsRandom, SystemClock};
use leasehold_server::local::{self, Local, LocalError};
use leasehold_trust::FILE_BYTES_MAX;
use leasehold_wire::server::{
    ActivationResponse, EnableRequest, OnlineState, PassView, ServerState, TestConnectionRequest,
};
use serde_json::json;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use told::{describe, steps};

/// The license server: holds what the portal granted, leases seats to applications
#[derive(Args, Debug)]
pub(crate) struct ServerCommand {
    #[command(subcommand)]
    what: What,
}

impl ServerCommand {
    /// Whether it stays and serves.
    pub(crate) fn serves(&self) -> bool {
        matches!(self.what, What::Serve(_))
    }
}

/// Where the data is.
#[derive(Args, Clone, Debug)]
struct Folder {
    /// Data folder
    #[arg(long, visible_alias = "dir", value_name = "FOLDER", default_value = "leasehold-server")]
    data: PathBuf,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Run the license server until SIGINT or SIGTERM; makes the data folder if it is missing
    Serve(serve::ServeArgs),
    /// Print an activation request file, to be uploaded at the vendor's portal: `server request > FILE`
    Request {
        #[command(flatten)]
        folder: Folder,
    },
    /// Put the .crt file from the portal in force
    Import {
        #[command(flatten)]
        folder: Folder,
        /// The file; - reads standard input
        file: PathBuf,
        /// Print one JSON document instead of text
        #[arg(long)]
        json: bool,
    },
    /// Enable online licensing: sign in at the portal once, or show it a token; from then on the server keeps itself up to
    /// date
    Activate(ActivateArgs),
    /// Sync with the portal now, and wait until that is done
    Refresh {
        #[command(flatten)]
        folder: Folder,
        /// Print one JSON document instead of text
        #[arg(long)]
        json: bool,
    },
    /// Show what the server holds and how much of it is in use
    Status {
        #[command(flatten)]
        folder: Folder,
        /// Print one JSON document instead of text
        #[arg(long)]
        json: bool,
    },
    /// Answer the request file of a machine that cannot reach this server with a pass file: `server lend REQUEST > PASS`
    Lend {
        #[command(flatten)]
        folder: Folder,
        /// The request file, from `leasehold borrow FEATURE --days N --request FILE`; - reads standard input
        file: PathBuf,
    },
    /// Take the receipt file of a pass that a machine gave up
    TakeReceipt {
        #[command(flatten)]
        folder: Folder,
        /// The receipt file, from `leasehold return --receipt FILE`; - reads standard input
        file: PathBuf,
        /// Print one JSON document instead of text
        #[arg(long)]
        json: bool,
    },
    /// Show what machines have borrowed
    Passes {
        #[command(flatten)]
        folder: Folder,
        /// Print one JSON document instead of text
        #[arg(long)]
        json: bool,
    },
    /// Declare a pass lost, with its machine or its disk: it is not extended any more, and its seats are free when it has
    /// ended, or at once with --write-off
    Lost {
        #[command(flatten)]
        folder: Folder,
        /// Which, as `server passes` names it
        pass: PassId,
        /// Count its seats as free at once, within what the vendor allows in a year: whoever has the machine may use them
        /// until the pass ends
        #[arg(long)]
        write_off: bool,
        /// Print one JSON document instead of text
        #[arg(long)]
        json: bool,
    },
    /// After a restore: free seats that are held because they may have been lent since the backup, or a pass that was
    /// returned since. No machine has them
    NotOut {
        #[command(flatten)]
        folder: Folder,
        /// Which, as `server passes` names it
        #[arg(required_unless_present = "all")]
        pass: Option<PassId>,
        /// Everything that is held since the restore
        #[arg(long, conflicts_with_all = ["pass", "seats"])]
        all: bool,
        /// How many of its seats; all if not given
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
        seats: Option<u32>,
        /// Do not ask; only `--all` does
        #[arg(long)]
        yes: bool,
        /// Print one JSON document instead of text
        #[arg(long)]
        json: bool,
    },
    /// Show who holds a seat, where, and since when
    Holders {
        #[command(flatten)]
        folder: Folder,
        /// Only of this feature
        #[arg(long, value_name = "FEATURE", value_parser = feature_code)]
        feature: Option<FeatureCode>,
        /// Print one JSON document instead of text
        #[arg(long)]
        json: bool,
    },
    /// Take seats back from their holders: an application that runs is told, has two minutes to save, and gets none again
    /// for a while
    Release(seats::ReleaseArgs),
    /// Let somebody have seats again, who was to get none for a while after theirs was taken back
    Lift(seats::LiftArgs),
    /// Use licenses offline: keep seats here for a while, also if the portal cannot be reached
    Offline(offline::Offline),
    /// Show how many seats were in use of those owned, day by day, and who used most
    Usage(usage::UsageArgs),
    /// Ask the running server whether it can do its work; exit code 0 if so. For health checks
    Health {
        #[command(flatten)]
        folder: Folder,
        /// Print one JSON document instead of text
        #[arg(long)]
        json: bool,
    },
    /// Give back some seats of a server that has them by file: `server give-back --keep LICENSE=SEATS > RECEIPT`
    GiveBack(give_back::GiveBackArgs),
    /// Give up what the server holds: no new seats; when the last is back, its key is destroyed and the receipt is ready
    Disable {
        #[command(flatten)]
        folder: Folder,
        /// Do it without asking: it cannot be undone
        #[arg(long)]
        yes: bool,
        /// Print one JSON document instead of text
        #[arg(long)]
        json: bool,
    },
    /// Print the receipt of a disabled server, to be uploaded at the portal, which then has the seats back at once
    Receipt {
        #[command(flatten)]
        folder: Folder,
    },
    /// Copy the data folder into a new folder, while the server runs
    Backup {
        #[command(flatten)]
        folder: Folder,
        /// The new folder; without it, one with the time in its name is made in `backup_folder` of the settings
        #[arg(long, value_name = "FOLDER")]
        to: Option<PathBuf>,
        /// Print one JSON document instead of text
        #[arg(long)]
        json: bool,
    },
    /// Make a new data folder from a backup. The first sync finds out whether the server may go on with its key
    Restore {
        /// The backup
        #[arg(long, value_name = "FOLDER")]
        from: PathBuf,
        #[command(flatten)]
        folder: Folder,
        /// Print one JSON document instead of text
        #[arg(long)]
        json: bool,
    },
    /// Try the way to the portal, step by step, as the running server goes it; with an account also the sign-in there
    TestConnection {
        #[command(flatten)]
        folder: Folder,
        /// Address of the portal, instead of `portal_url` in server.toml
        #[arg(long, value_name = "URL")]
        portal: Option<String>,
        /// Address of an account at the portal: signed in there and out again
        #[arg(long, value_name = "EMAIL")]
        account: Option<String>,
        /// File with the account's password; without it the password is asked for, or read from standard input
        #[arg(long, value_name = "FILE", requires = "account")]
        password_file: Option<PathBuf>,
        /// Print one JSON document instead of text
        #[arg(long)]
        json: bool,
    },
    /// Make it a service of this machine that starts at boot (systemd); again: bring the service up to this program
    Install(InstallArgs),
    /// Take the service away; the data stays
    Uninstall(UninstallArgs),
    /// Write what somebody needs who is asked for help into a tar file: settings, status, the newest lines of the log. No
    /// password, key or token is in it; users, hosts and addresses are replaced
    SupportBundle(manage::SupportArgs),
    /// Show the settings and where each stands, or change them
    Settings(manage::SettingsArgs),
    /// The administrator of this server
    Admin(Admin),
    /// Print the OpenAPI document of the REST API
    Openapi,
}

#[derive(Args, Debug)]
struct ActivateArgs {
    #[command(flatten)]
    folder: Folder,
    /// Address of the portal, if server.toml does not name it
    #[arg(long, value_name = "URL")]
    portal: Option<String>,
    /// Address of an account at the portal; instead of it a token can be given, by `--token` or in `LEASEHOLD_TOKEN`
    #[arg(long, value_name = "EMAIL", required_unless_present = "token")]
    account: Option<String>,
    /// File with the account's password; without it the password is asked for, or read from standard input
    #[arg(long, value_name = "FILE", requires = "account")]
    password_file: Option<PathBuf>,
    /// A token from the portal (Workstations, Enable without a screen) instead of an account: good once, for a day.
    /// Better in the environment than here, where every user of the machine can read it
    #[arg(long, value_name = "TOKEN", env = "LEASEHOLD_TOKEN", hide_env_values = true, conflicts_with_all = ["account", "for_whom"])]
    token: Option<String>,
    /// For whom the server is to work
    #[arg(long = "for", value_name = "WHOM", value_enum, default_value_t = ForWhom::Organization)]
    for_whom: ForWhom,
    /// Name of the workstation at the portal; the machine's name if not given
    #[arg(long)]
    name: Option<String>,
    /// Print one JSON document instead of text
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
enum ForWhom {
    /// Everybody in the organization that the account administers
    Organization,
    /// The account's own person, at this server's machine
    Me,
}

#[derive(Args, Debug)]
struct Admin {
    #[command(subcommand)]
    what: manage::AdminWhat,
}

impl Folder {
    fn open(self) -> Local {
        Local {
            folder: self.data,
            clock: Arc::new(SystemClock::new()),
            fingerprint: leasehold_host::fingerprint(),
            random: Box::new(OsRandom),
        }
    }
}

impl From<LocalError> for Failure {
    fn from(error: LocalError) -> Failure {
        let error = error.told_to_who_typed();
        let mut failure = Failure::of(&error);
        if let LocalError::Refused(problem) = &error {
            failure.detail = serde_json::to_value(problem).unwrap_or_default();
        }
        failure
    }
}

pub(crate) fn server(command: ServerCommand) -> Result<u8, Failure> {
    match command.what {
        What::Serve(args) => return serve::serve(args),
        What::Request { folder } => line_out(&local::request(folder.open())?)?,
        What::Import { folder, file, json } => import(folder, &file, Output { json })?,
        What::Activate(args) => activate(args)?,
        What::Refresh { folder, json } => {
            local::refresh(folder.open())?;
            Output { json }.print(&json!({ "refreshed": true }), || "Up to date with the portal.".to_owned())?;
        }
        What::Status { folder, json } => {
            let status = local::status(folder.open())?;
            Output { json }.print(&status, || describe(&status))?;
        }
        What::Lend { folder, file } => {
            let text = read_file(&file, "a request file")?;
            let lent = local::lend(folder.open(), &text)?;
            crate::output::note(&format!(
                "{} of {} until {}.",
                text::seats(lent.seats),
                lent.feature,
                lent.until.0.rfc3339()
            ));
            line_out(lent.file.trim_end())?;
        }
        What::TakeReceipt { folder, file, json } => {
            let text = read_file(&file, "a receipt file")?;
            let returned = local::take_pass_receipt(folder.open(), &text)?;
            let value = json!({ "taken": true, "free_at": returned.free_at });
            Output { json }.print(&value, || match returned.free_at {
                Some(at) => format!("Taken. Its seats are free at its end, {}.", at.0.rfc3339()),
                None => "Taken. Its seats are free.".to_owned(),
            })?;
        }
        What::Passes { folder, json } => {
            let passes = local::passes(folder.open())?;
            Output { json }.print(&passes, || {
                if passes.is_empty() {
                    return "Nothing is borrowed.".to_owned();
                }
                let line = |pass: &PassView| {
                    let state = match (pass.lost_at, pass.returned_at) {
                        _ if pass.unknown_since.is_some() => {
                            format!(", held since the restore: free from {}", pass.freed_at.0.rfc3339())
                        }
                        _ if pass.written_off_at.is_some() => {
                            format!(
                                ", written off: free since {}, may be used until its end",
                                pass.freed_at.0.rfc3339()
                            )
                        }
                        (Some(_), _) => format!(", lost: free from {}", pass.freed_at.0.rfc3339()),
                        (_, Some(_)) => format!(", returned: free from {}", pass.freed_at.0.rfc3339()),
                        // Longer than to its end and a day: the server was restored, or started with a clock in doubt.
                        _ if pass.freed_at.0.since(pass.until.0) > DAY_MS => {
                            format!(", free from {}", pass.freed_at.0.rfc3339())
                        }
                        _ => String::new(),
                    };
                    let who = match pass.unknown_since {
                        Some(_) => "perhaps a laptop".to_owned(),
                        None => format!("{} on {}", printable(&pass.user), printable(&pass.host)),
                    };
                    format!(
                        "{}  {} x {}  {who}  until {}{state}",
                        pass.pass,
                        pass.seats,
                        pass.feature,
                        pass.until.0.rfc3339()
                    )
                };
                passes.iter().map(line).collect::<Vec<_>>().join("\n")
            })?;
        }
        What::Lost { folder, pass, write_off, json } => {
            let lost = local::lose_pass(folder.open(), pass, write_off)?;
            Output { json }.print(&lost, || {
                if lost.written_off {
                    "Its seats are free. Whoever has the machine may use them until the pass ends.".to_owned()
                } else {
                    format!(
                        "Noted. It is not extended any more. Its seats are free from {}, and not before: whoever has the machine may \
                         use it until it ends, and clocks may be wrong.",
                        lost.free_at.0.rfc3339()
                    )
                }
            })?;
        }
        What::NotOut { folder, pass, all: _, seats, yes, json } => {
            if pass.is_none() && !yes {
                crate::secrets::confirm(told::NOT_OUT_QUESTION)?;
            }
            let of = |pass| NotOut::Of { pass, seats: seats.unwrap_or(u32::MAX) };
            // `--all` stands for a pass that is not named.
            let told = local::not_out(folder.open(), pass.map_or(NotOut::All, of))?;
            Output { json }.print(&told, || match told.held {
                0 => format!("Seats that are free now: {}.", told.freed),
                held => format!("Seats that are free now: {}. Held still: {held}.", told.freed),
            })?;
        }
        What::Release(args) => seats::release(args)?,
        What::Lift(args) => seats::lift(args)?,
        What::Offline(command) => offline::offline(command)?,
        What::GiveBack(args) => give_back::give_back(args)?,
        What::Usage(args) => usage::usage(args)?,
        What::Holders { folder, feature, json } => seats::holders(folder, feature, Output { json })?,
        What::Health { folder, json } => {
            local::health(&folder.data)?;
            Output { json }.print(&json!({ "ready": true }), || {
                "The license server runs, and stores what it is told.".to_owned()
            })?;
        }
        What::Disable { folder, yes, json } => {
            // Only for the words: what cannot be seen is no reason not to disable.
            let status = local::status(folder.clone().open()).ok();
            // Asked again to see how far it is, it does nothing more.
            let begins = status.as_ref().is_none_or(|status| status.state == ServerState::Active);
            if !yes && begins {
                crate::secrets::confirm(&told::disable_question(status.as_ref()))?;
            }
            let online = status.as_ref().and_then(|status| status.online.as_ref());
            let disabled = local::disable(folder.open())?;
            Output { json }.print(&disabled, || {
                if disabled.receipt_ready && online.is_some_and(|online| online.state == OnlineState::Copy) {
                    "This copy of the key is destroyed, and nothing was freed at the portal: the seats stay the other server's, \
                     until that is disabled, or revoked at the portal if it is gone. To use this one, activate it again."
                        .to_owned()
                } else if disabled.receipt_ready {
                    "Disabled; the key is destroyed. A server that was online brings its receipt to the portal by itself, as `leasehold \
                     server status` says; otherwise upload it there: leasehold server receipt > FILE"
                        .to_owned()
                } else {
                    told::draining(&disabled, status.as_ref())
                }
            })?;
        }
        What::Receipt { folder } => line_out(&local::receipt(folder.open())?)?,
        What::Backup { folder, to, json } => {
            let made = local::backup(folder.open(), to.as_deref())?;
            Output { json }.print(&json!({ "to": made.folder }), || {
                format!("Copied to {}. It holds the server's key: keep it as safe as the server.", made.folder)
            })?;
        }
        What::Restore { from, folder, json } => {
            local::restore(&from, &folder.data)?;
            Output { json }.print(&json!({ "data": folder.data }), || {
                format!(
                    "Restored to {}. Start it there, and never the old one again: two servers with one key are found out, \
                     and one of them gets no new seats. Applications that run are taken up again at once; new seats \
                     seven minutes after its first start, when every seat of an application that the backup does not know has ended. \
                     What laptops may have borrowed since the backup is held then: `leasehold server passes` lists it, and \
                     `leasehold server not-out` frees what no laptop has. If it is online and has synced \
                     with the portal since the backup was made, the portal takes it for a copy (FORKED): disable it then, and \
                     enable it again, and revoke the old workstation at the portal: what that held is back when its document \
                     has ended.",
                    folder.data.display()
                )
            })?;
        }
        What::TestConnection { folder, portal, account, password_file, json } => {
            let password = match &account {
                Some(_) => Some(crate::secrets::read_known(password_file.as_deref(), "password of the account")?),
                None => None,
            };
            let wish = TestConnectionRequest { portal_url: portal, account, password };
            let test = local::test_connection(folder.open(), &wish)?;
            Output { json }.print(&test, || steps(&test))?;
            return Ok(if test.ok { 0 } else { NO_SERVER });
        }
        What::Admin(Admin { what }) => manage::admin(what)?,
        What::SupportBundle(args) => manage::support_bundle(args)?,
        What::Settings(args) => manage::settings(args)?,
        What::Install(args) => installing::install(args)?,
        What::Uninstall(args) => installing::uninstall(args)?,
        What::Openapi => line_out(&pretty(&leasehold_server::openapi())?)?,
    }
    Ok(0)
}

/// A small text file.
fn read_file(file: &Path, what: &str) -> Result<String, Failure> {
    let failed = |error: std::io::Error| Failure::of(format!("Cannot read {}: {error}.", file.display()));
    let mut bytes = Vec::new();
    let cap = FILE_BYTES_MAX as u64 + 1;
    let read = if file == Path::new("-") {
        std::io::stdin().lock().take(cap).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(file).and_then(|opened| opened.take(cap).read_to_end(&mut bytes))
    };
    read.map_err(failed)?;
    String::from_utf8(bytes).map_err(|_| Failure::of(format!("{} is not {what}.", file.display())))
}

fn feature_code(text: &str) -> Result<FeatureCode, String> {
    FeatureCode::new(text).map_err(|error| format!("a feature {error}"))
}

fn import(folder: Folder, file: &Path, output: Output) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::of(format!("Cannot read {}: {error}.", file.display()));
    let mut bytes = Vec::new();
    // One byte more than is allowed, so that the server can tell.
    let cap = FILE_BYTES_MAX as u64 + 1;
    let read = if file == Path::new("-") {
        std::io::stdin().lock().take(cap).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(file).and_then(|opened| opened.take(cap).read_to_end(&mut bytes))
    };
    read.map_err(failed)?;
    let activated = local::import(folder.open(), &bytes)?;
    say_activated(&activated, output)
}

fn activate(args: ActivateArgs) -> Result<(), Failure> {
    let password = match &args.account {
        Some(_) => Some(crate::secrets::read_known(args.password_file.as_deref(), "password of the account")?),
        None => None,
    };
    let scope = match args.for_whom {
        ForWhom::Organization => Scope::Organization,
        ForWhom::Me => Scope::Person,
    };
    let wish = EnableRequest {
        portal_url: args.portal,
        scope: args.account.is_some().then_some(scope),
        account: args.account,
        password,
        token: args.token,
        name: args.name,
    };
    say_activated(&local::enable(args.folder.open(), &wish)?, Output { json: args.json })
}

fn say_activated(activated: &ActivationResponse, output: Output) -> Result<(), Failure> {
    output.print(activated, || {
        let name = printable(&activated.workstation_name);
        let mut text = match activated.seats {
            0 => format!(
                "In force: document {} for \"{name}\". It holds no seats yet: online they come when somebody asks for some.",
                activated.rev
            ),
            seats => format!(
                "In force: document {} for \"{name}\" with {seats} product seats, the last until {}.",
                activated.rev,
                activated.ends_at.0.utc_date()
            ),
        };
        if activated.vendor_new {
            text.push_str(&format!(
                "\nThis server trusts {} from now on. Compare the fingerprint with the vendor's:\n{}",
                printable(&activated.vendor),
                activated.vendor_fingerprint
            ));
        }
        if activated.withdrawn > 0 {
            text.push_str(&format!(
                "\nNot renewed any more, because there are fewer seats: {}. Applications have some minutes to save; what is borrowed \
                 runs to its end.",
                leases(activated.withdrawn)
            ));
        }
        text
    })
}

fn leases(count: u64) -> String {
    text::counted(count, "lease", "leases")
}
