//! Checkouts for which a license server has no seat, so that it asks the portal while the application waits.

use crate::figures::at;
use crate::http::Caller;
use crate::load::Load;
use crate::portal::{Customer, Portal, secret_file};
use crate::site::{self, Process};
use anyhow::{Context as _, Result, ensure};
use leasehold_core::ids::{LicenseId, WorkstationId};
use serde::Serialize;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tokio::time::Instant;

/// How long checkouts waited that needed the portal.
#[derive(Serialize)]
pub(crate) struct Waited {
    checkouts: u32,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    max_ms: f64,
}

impl Waited {
    fn of(mut us: Vec<u32>) -> Waited {
        us.sort_unstable();
        Waited {
            checkouts: u32::try_from(us.len()).unwrap_or(u32::MAX),
            p50_ms: at(&us, 0.5),
            p99_ms: at(&us, 0.99),
            max_ms: at(&us, 1.0),
        }
    }
}

/// A license server as a process, enabled online.
struct Server {
    process: Process,
    caller: Caller,
    workstation: WorkstationId,
}

impl Server {
    fn enable(portal: &Portal, dir: &Path, name: &str, customer: &Customer) -> Result<Server> {
        let data = dir.join(name);
        std::fs::create_dir_all(&data)?;
        std::fs::write(data.join("server.toml"), format!("portal_url = \"http://{}\"\n", portal.address()))?;
        let process = Process::serve(portal.binary(), "server", &data, site::free_address()?, &[])?;
        // By which the command line finds it; written when it serves.
        until("the license server", || Ok(data.join("admin.address").exists()))?;
        let password = secret_file(dir)?;
        let mut activate = Command::new(portal.binary());
        activate.args(["server", "activate", "--account", &customer.email, "--password-file"]).arg(password);
        site::run(activate.arg("--data").arg(&data))?;
        let caller = Caller::new(process.address());
        let workstation =
            serde_json::from_value(caller.call("GET", "/v1/status", None)?["activation"]["workstation"].clone());
        Ok(Server { process, caller, workstation: workstation.context("no workstation")? })
    }

    /// Seats that it holds.
    fn held(&self) -> Result<u64> {
        let status = self.caller.call("GET", "/v1/status", None)?;
        let lines = status["lines"].as_array().context("no lines")?;
        Ok(lines.iter().filter(|line| line["granted"] == true).filter_map(|line| line["seats"].as_u64()).sum())
    }

    /// Takes seats one by one, none of which it holds; nobody gives one back.
    fn take(&self, checkouts: u32) -> Result<Vec<u32>> {
        Load::new(1)?.one_by_one(self.process.address(), checkouts)
    }
}

/// The portal has seats that nobody holds: an administrator recalled all idle ones, and they come back one by one, as
/// somebody asks for them.
pub(crate) fn for_free_seats(portal: &Portal, dir: &Path, checkouts: u32) -> Result<Waited> {
    let customer = portal.customer("recalled")?;
    let license = portal.sell(&customer, checkouts + 1)?;
    let server = Server::enable(portal, dir, "recalled", &customer)?;
    recall_all(portal, &server, license, checkouts + 1)?;
    let waited = server.take(checkouts)?;
    // Each was asked for: no more were given than were taken.
    let out = portal.seats_out(license)?;
    ensure!(out == u64::from(checkouts), "{out} seats are out after {checkouts} checkouts");
    Ok(Waited::of(waited))
}

/// Another server holds all seats and uses none: it hands them over one by one.
pub(crate) fn for_seats_elsewhere(portal: &Portal, dir: &Path, checkouts: u32) -> Result<Waited> {
    let customer = portal.customer("elsewhere")?;
    let license = portal.sell(&customer, 2 * checkouts)?;
    let holder = Server::enable(portal, dir, "holder", &customer)?;
    let server = Server::enable(portal, dir, "asker", &customer)?;
    ensure!(server.held()? == 0, "the second server holds seats");
    let waited = server.take(checkouts)?;
    let held = (holder.held()?, server.held()?);
    ensure!(held == (u64::from(checkouts), u64::from(checkouts)), "{license}: held are {held:?}");
    Ok(Waited::of(waited))
}

fn recall_all(portal: &Portal, server: &Server, license: LicenseId, seats: u32) -> Result<()> {
    portal.recall(server.workstation, license, seats)?;
    until("the recalled seats", || Ok(server.held()? == 0))
}

/// Looks until something has come.
fn until(what: &str, mut come: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !come()? {
        ensure!(Instant::now() < deadline, "{what} did not come in 30 s");
        std::thread::park_timeout(Duration::from_millis(20));
    }
    Ok(())
}
