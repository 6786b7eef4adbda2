//! `leasehold demo`: the main job on one machine. A vendor's portal, a customer's license server and some applications,
//! each a process of its own that talks over sockets; everything is set up through the REST interfaces.
//!
//! The parent owns its children: it ends them by number, applications first so that their seats come back, and they end
//! by themselves if it dies (their standard input closes).

mod app;
mod folder;
mod rest;
mod setting;
mod stage;

pub(crate) use app::{AppArgs, app};

use crate::failure::Failure;
use crate::output::{line_out, note};
use clap::Args;
use folder::{Folder, SignIns};
use leasehold_core::time::{Clock, SECOND_MS};
use leasehold_host::SystemClock;
use serde_json::json;
use setting::{APPLICATIONS, Application};
use stage::{Stage, Started};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;

/// Start a portal, a license server and some applications on this machine, with a believable vendor and customer
#[derive(Args, Debug)]
pub(crate) struct DemoArgs {
    /// Folder for all data; a second start goes on with what is there
    #[arg(long, value_name = "FOLDER", default_value = "leasehold-demo")]
    data: PathBuf,
    /// Port of the portal; 0 picks a free one
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    portal_port: u16,
    /// Port of the license server; 0 picks a free one
    #[arg(long, value_name = "PORT", default_value_t = 30304)]
    server_port: u16,
    /// Stop by itself after this many seconds
    #[arg(long = "for", value_name = "SECONDS")]
    for_s: Option<u32>,
    /// Print one JSON object with both addresses and the sign-ins, then nothing more
    #[arg(long)]
    json: bool,
}

/// Where everything is once it runs.
pub(crate) struct Places {
    portal: SocketAddr,
    server: SocketAddr,
}

pub(crate) fn demo(args: DemoArgs) -> Result<u8, Failure> {
    check_port(args.portal_port, "portal", "--portal-port")?;
    check_port(args.server_port, "license server", "--server-port")?;
    let clock = SystemClock::new();
    let folder = Folder::open(&args.data)?;
    folder.begin()?;
    let sign_ins = folder.sign_ins(clock.wall())?;
    let mut stage = Stage::new(clock)?;
    match play(&args, &folder, &sign_ins, &mut stage) {
        Ok(()) | Err(Stopped::OnRequest) => Ok(0),
        Err(Stopped::By(failure)) => Err(failure),
    }
}

/// Why the demo is over before its time.
pub(crate) enum Stopped {
    /// A signal asked for it.
    OnRequest,
    /// Something went wrong.
    By(Failure),
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Stopped {
        Stopped::By(failure)
    }
}

fn play(args: &DemoArgs, folder: &Folder, sign_ins: &SignIns, stage: &mut Stage) -> Result<(), Stopped> {
    if !folder.portal().join("portal.toml").exists() {
        setting::make_vendor(stage, folder, sign_ins)?;
    }
    let (portal, portal_address) = stage.serve("portal", args.portal_port, &folder.portal(), &[], folder)?;
    folder.keep_root()?;
    folder.write_server_settings(portal_address)?;
    let secret = ["--setup-secret-file".to_owned(), folder.setup_secret().display().to_string()];
    let (server, server_address) = stage.serve("server", args.server_port, &folder.server(), &secret, folder)?;
    let places = &Places { portal: portal_address, server: server_address };
    setting::prepare(places, folder, sign_ins)?;
    folder.finish()?;
    for application in APPLICATIONS {
        stage.start(application.name, &application_arguments(application, places, folder), folder)?;
    }
    if args.json {
        line_out(&summary(places, folder, sign_ins).to_string())?;
    } else {
        line_out(&welcome(places, folder, sign_ins))?;
    }
    stage.stay(args.for_s.map(|seconds| i64::from(seconds) * SECOND_MS), &[portal, server])
}

fn application_arguments(application: &Application, places: &Places, folder: &Folder) -> Vec<String> {
    let (seats, hold_s) = (application.seats.to_string(), application.hold_s.to_string());
    let (server, trust) = (places.server.to_string(), folder.root().display().to_string());
    let arguments = [
        "demo-app",
        "--user",
        application.user,
        "--host",
        application.host,
        "--feature",
        application.feature,
        "--seats",
        &seats,
        "--hold-s",
        &hold_s,
        "--server",
        &server,
        "--trust",
        &trust,
    ];
    arguments.map(str::to_owned).to_vec()
}

/// Says which port is taken before anything is made. Whoever takes it after this is told of by the service.
fn check_port(port: u16, what: &str, option: &str) -> Result<(), Failure> {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    bound.map(drop).map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => Failure::of(format!(
            "Port {port}, on which the {what} would listen, is taken by another program. Stop that program, or choose \
             another port with {option} PORT ({option} 0 picks a free one)."
        )),
        _ => Failure::of(format!(
            "Cannot listen on port {port} for the {what}: {error}. Choose another with {option} PORT."
        )),
    })
}

fn summary(places: &Places, folder: &Folder, sign_ins: &SignIns) -> serde_json::Value {
    json!({
        "portal": format!("http://{}", places.portal),
        "server": format!("http://{}", places.server),
        "data": folder.path(),
        "trust": folder.root(),
        "sign_ins": {
            "operator": { "email": sign_ins.operator_email, "password": sign_ins.operator_password },
            "customer": { "email": sign_ins.customer_email, "password": sign_ins.customer_password },
            "administrator": { "password": sign_ins.administrator_password },
        },
    })
}

fn welcome(places: &Places, folder: &Folder, sign_ins: &SignIns) -> String {
    let (portal, server) = (places.portal, places.server);
    let program = std::env::args().next().unwrap_or_else(|| "leasehold".to_owned());
    let names: Vec<&str> = APPLICATIONS.iter().map(|application| application.name).collect();
    format!(
        "\
A vendor and a customer are at work. Data: {data} (sign-ins: {sign_ins_path})

  Vendor's portal    http://{portal}
    operator         {operator}  {operator_password}
    customer         {customer}  {customer_password}
  License server     http://{server}
    administrator    {administrator_password}
  Applications       {names} (what they do: {logs})

Try next, in another terminal:

  export LEASEHOLD_SERVERS={server} LEASEHOLD_TRUST={trust}
  {program} status
  {program} run studio.gui -- sh -c 'echo rendering; sleep 5'
  {program} run studio.gui --seats 50 -- true        # too many: see what it says
  {program} checkout review.play && {program} checkin
  {program} doctor

Then sign in to the license server to see who holds what, and to the portal as the customer to see where the seats are.
Ctrl-C stops everything; the next start goes on from the same data.",
        data = folder.path().display(),
        sign_ins_path = folder.sign_ins_path().display(),
        operator = sign_ins.operator_email,
        operator_password = sign_ins.operator_password,
        customer = sign_ins.customer_email,
        customer_password = sign_ins.customer_password,
        administrator_password = sign_ins.administrator_password,
        names = names.join(", "),
        logs = folder.logs().display(),
        trust = quoted(&folder.root().display().to_string()),
    )
}

/// As a word for a shell.
fn quoted(text: &str) -> String {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+:@%,".contains(c));
    if plain { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Says that a child is over, for whoever watches the demo.
pub(crate) fn say_ended(child: &Started) {
    note(&format!("{} has ended by itself; see {}.", child.name(), child.log().display()));
}
