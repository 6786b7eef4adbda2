//! `leasehold portal ...`: the vendor's side.

use crate::failure::Failure;
use crate::output::{Output, line_out};
use crate::secrets;
use crate::serving::{self, Parent, Stop};
use crate::supervisor;
use clap::{Args, Subcommand};
use leasehold_host::{OsRandom, SystemClock};
use leasehold_portal::Config;
use serde_json::json;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// The vendor's portal: sells seats, activates license servers
#[derive(Args, Debug)]
pub(crate) struct PortalCommand {
    #[command(subcommand)]
    what: What,
}

impl PortalCommand {
    /// Whether it stays and serves.
    pub(crate) fn serves(&self) -> bool {
        matches!(self.what, What::Serve { .. })
    }
}

/// Where the data is.
#[derive(Args, Debug)]
struct Folder {
    /// Data folder
    #[arg(long, visible_alias = "dir", value_name = "FOLDER", default_value = "leasehold-portal")]
    data: PathBuf,
    /// Print one JSON document instead of text
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Make a vendor's keys and data folder
    Init {
        #[command(flatten)]
        folder: Folder,
        /// Name of the vendor, as customers know it; stands in the certificates for good
        #[arg(long)]
        vendor: String,
        /// File whose first line protects the root's key; asked for if not given
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
    },
    /// Run the portal until SIGINT or SIGTERM
    Serve {
        #[command(flatten)]
        folder: Folder,
        /// Where to listen, instead of what portal.toml says
        #[arg(long, value_name = "ADDRESS:PORT")]
        listen: Option<SocketAddr>,
        #[command(flatten)]
        parent: Parent,
    },
    /// Bring the database up to this release; `serve` does it too
    Migrate {
        #[command(flatten)]
        folder: Folder,
    },
    /// Copy everything that a portal needs into a new folder, while it runs
    Backup {
        #[command(flatten)]
        folder: Folder,
        /// The new folder
        #[arg(long, value_name = "FOLDER")]
        to: PathBuf,
    },
    /// Make a data folder from a backup
    Restore {
        #[command(flatten)]
        folder: Folder,
        /// The backup
        #[arg(long, value_name = "FOLDER")]
        from: PathBuf,
        /// The grants.log of the portal that was lost, if it survived: seats given after the backup count again
        #[arg(long, value_name = "FILE")]
        grants_log: Option<PathBuf>,
    },
    /// Accounts that cannot be made over the network
    Admin(Admin),
    /// Print the OpenAPI document of the REST API
    Openapi,
}

#[derive(Args, Debug)]
struct Admin {
    #[command(subcommand)]
    what: AdminWhat,
}

#[derive(Subcommand, Debug)]
enum AdminWhat {
    /// Make an operator's account
    CreateOperator {
        #[command(flatten)]
        folder: Folder,
        /// Address to sign in with
        #[arg(long)]
        email: String,
        /// Name of the person
        #[arg(long)]
        name: String,
        /// File whose first line is the password; asked for if not given
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// Set the password of an operator or a customer who lost it, and end all their sign-ins
    SetPassword {
        #[command(flatten)]
        folder: Folder,
        /// The address that they sign in with
        #[arg(long)]
        email: String,
        /// File whose first line is the password; asked for if not given
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// Make somebody the owner of an organization whose owner is gone, without asking either
    PassOrganization {
        #[command(flatten)]
        folder: Folder,
        /// The address of who owns it; they stay as an administrator
        #[arg(long)]
        from: String,
        /// The address of who is to own it: of an account that owns no organization
        #[arg(long)]
        to: String,
    },
}

impl Folder {
    fn output(&self) -> Output {
        Output { json: self.json }
    }
}

pub(crate) fn portal(command: PortalCommand) -> Result<u8, Failure> {
    match command.what {
        What::Init { folder, vendor, passphrase_file } => init(&folder, &vendor, passphrase_file)?,
        What::Serve { folder, listen, parent } => serve(&folder, listen, &parent)?,
        What::Migrate { folder } => {
            let steps = leasehold_portal::migrate(&folder.data).map_err(Failure::of)?;
            folder.output().print(&json!({ "steps": steps }), || match steps {
                0 => "The database is up to date.".to_owned(),
                steps => format!("The database was brought up to date in {steps} steps."),
            })?;
        }
        What::Backup { folder, to } => {
            let report = leasehold_portal::backup(&folder.data, &to).map_err(Failure::of)?;
            folder.output().print(&json!({ "to": to, "database": report.database }), || {
                let mut text =
                    format!("Copied to {}. It holds keys: keep it as safe as the portal itself.", to.display());
                if !report.database {
                    text.push_str(" The database is PostgreSQL: back it up with pg_dump now.");
                }
                text
            })?;
        }
        What::Restore { folder, from, grants_log } => restore(&folder, &from, grants_log)?,
        What::Admin(Admin { what: AdminWhat::CreateOperator { folder, email, name, password_file } }) => {
            let password = secrets::read(password_file.as_deref(), "password of the operator")?;
            let (clock, random) = (Arc::new(SystemClock::new()), Box::new(OsRandom));
            let account = leasehold_portal::create_operator(&folder.data, &email, &name, &password, clock, random)
                .map_err(Failure::of)?;
            folder.output().print(&account, || format!("{} may now sign in as an operator.", account.email))?;
        }
        What::Admin(Admin { what: AdminWhat::SetPassword { folder, email, password_file } }) => {
            let password = secrets::read(password_file.as_deref(), "new password")?;
            let (clock, random) = (Arc::new(SystemClock::new()), Box::new(OsRandom));
            let account =
                leasehold_portal::set_password(&folder.data, &email, &password, clock, random).map_err(Failure::of)?;
            folder.output().print(&account, || {
                format!("{} has the new password, and has to sign in anew everywhere.", account.email)
            })?;
        }
        What::Admin(Admin { what: AdminWhat::PassOrganization { folder, from, to } }) => {
            let (clock, random) = (Arc::new(SystemClock::new()), Box::new(OsRandom));
            let passed =
                leasehold_portal::pass_organization(&folder.data, &from, &to, clock, random).map_err(Failure::of)?;
            folder.output().print(&passed, || {
                format!("{} belongs to {} now, with its licenses and license servers.", passed.name, passed.owner.email)
            })?;
        }
        What::Openapi => line_out(&pretty(&leasehold_portal::openapi())?)?,
    }
    Ok(0)
}

/// JSON as it is committed.
pub(crate) fn pretty(value: &serde_json::Value) -> Result<String, Failure> {
    serde_json::to_string_pretty(value).map_err(Failure::of)
}

fn init(folder: &Folder, vendor: &str, passphrase_file: Option<PathBuf>) -> Result<(), Failure> {
    let passphrase = secrets::read(passphrase_file.as_deref(), "passphrase of the root key")?;
    let report = leasehold_portal::init(&folder.data, vendor, &passphrase, &SystemClock::new()).map_err(Failure::of)?;
    let value = json!({
        "folder": report.folder,
        "root_certificate": report.root_certificate,
        "root_fingerprint_sha256": report.root_fingerprint_sha256,
        "root_key": report.root_key,
    });
    folder.output().print(&value, || {
        format!(
            "Made the vendor \"{vendor}\" in {}.\n\n\
             Root certificate  {}\n                  build it into your applications, or hand it out: it is what they trust\n\
             Fingerprint       {}\n\
             Root key          {}\n                  behind your passphrase; move it off this machine, a running portal does not need it\n\n\
             Next: leasehold portal admin create-operator --data {} --email YOU --name NAME",
            report.folder.display(),
            report.root_certificate.display(),
            report.root_fingerprint,
            report.root_key.display(),
            report.folder.display(),
        )
    })
}

fn serve(folder: &Folder, listen: Option<SocketAddr>, parent: &Parent) -> Result<(), Failure> {
    let mut config = Config::load(&folder.data).map_err(Failure::of)?;
    config.listen = listen.unwrap_or(config.listen);
    let sockets = supervisor::sockets()?;
    let stop = Stop::watch(parent.until_stdin_ends)?;
    let (clock, random) = (Arc::new(SystemClock::new()), Box::new(OsRandom));
    serving::block_on(async {
        let ready = |address| {
            serving::ready(parent, address);
            // That this task runs says that requests are handled. A database that is away is no reason to start the portal
            // again: it comes back by itself, and a start would fail.
            tokio::spawn(supervisor::keep_telling(move || async move { Some(format!("Takes requests on {address}")) }));
        };
        let service = leasehold_portal::serve_on(sockets, config, clock, random, stop.wait(), ready);
        service.await.map_err(Failure::of)
    })
}

fn restore(folder: &Folder, from: &std::path::Path, grants_log: Option<PathBuf>) -> Result<(), Failure> {
    let (clock, random) = (Arc::new(SystemClock::new()), Box::new(OsRandom));
    let report =
        leasehold_portal::restore(from, &folder.data, grants_log.as_deref(), clock, random).map_err(Failure::of)?;
    let value = json!({
        "adopted": report.adopted, "unreadable": report.unreadable, "refused": report.refused,
        "log_survived": report.log_survived, "learning_until": report.learning_until.map(|until| until.rfc3339()),
    });
    folder.output().print(&value, || {
        let mut text = format!("Restored to {}.", folder.data.display());
        if report.log_survived {
            let adopted = format!(" {} documents younger than the backup were taken up from grants.log.", report.adopted);
            text.push_str(&adopted);
        }
        text.push_str(
            "\nWhat was sold, assigned, taken back, revoked or disabled after the backup was made is not in it: look through \
             LICENSES and WORKSTATIONS, do it again, and upload the receipts of servers that were disabled.",
        );
        if !report.log_survived {
            text.push_str(
                "\nATTENTION: no grants.log newer than the backup was read, so this portal does not know what was issued \
                 after it, and may sell those seats twice. If the log of the lost portal survived, restore again into a \
                 new folder with --grants-log FILE. If not, have every customer upload a new request file before you sell.",
            );
        }
        if report.unreadable + report.refused > 0 {
            text.push_str(&format!(
                " {} of its lines cannot be read and {} were not signed by this vendor: look into it before you sell.",
                report.unreadable, report.refused
            ));
        }
        if let Some(until) = report.learning_until {
            text.push_str(&format!(
                "\nUntil {} no license server that works online gets more seats than it has: this portal learns from them \
                 what is out. If you know that nobody else has seats of a license, let it be given out before: \
                 \"Give out now\" on the page of the license, or POST /api/v1/licenses/LICENSE/raise.",
                until.rfc3339()
            ));
        }
        text
    })
}
