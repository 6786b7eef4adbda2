//! The load generator: how many durable checkouts and checkins a second a license server answers, as a share of what
//! the same HTTP stack does around a bare insert on the same machine in the same minutes; and how many syncs a portal
//! takes, at what cost, with few and with many license servers.
//!
//! Owns the floor, the load and the figures. Starts everything it measures as a process of its own, on a real disk.

mod crowd;
mod figures;
mod fleet;
mod floor;
mod http;
mod load;
mod pages;
mod portal;
mod site;
mod sync;
mod waits;

use anyhow::{Result, bail};
use clap::{Args, Parser, Subcommand};
use figures::{Figures, Round};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

#[derive(Parser)]
#[command(about = "Measures the license server against a floor, and the portal with few and many license servers")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Checkouts and checkins a second, with their latencies, memory and restart.
    Checkout(Checkout),
    /// Syncs a second and what each costs the portal, with few and with many license servers.
    Sync(sync::Sync),
    /// Every page and list of a full license server while seats come and go.
    Pages(pages::Pages),
    /// Seats for those who behave, among ten thousand silent connections, slow senders, absurd bodies and a flood.
    Crowd(crowd::Crowd),
    /// The floor as a process; started by `checkout`.
    #[command(hide = true)]
    Floor {
        /// Folder of its database.
        dir: PathBuf,
    },
}

/// What to measure.
#[derive(Args, Clone, Debug)]
struct Checkout {
    /// Connections, each with one request at a time.
    #[arg(long, default_value_t = 64)]
    clients: usize,
    /// Seconds of each round; floor and server take turns.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Rounds of each; the medians are printed.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Leases held by others while it is measured.
    #[arg(long, default_value_t = 10)]
    leases_out: u32,
    /// A folder on a real disk; a fresh folder in it is used and removed.
    #[arg(long, default_value = "target")]
    dir: PathBuf,
    /// One JSON object on standard output.
    #[arg(long)]
    json: bool,
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Floor { dir } => floor::run(&dir),
        Command::Checkout(options) => checkout(&options),
        Command::Pages(options) => pages::run(&options, fresh_folder(&options.dir)?.path()),
        Command::Crowd(options) => crowd::run(&options, fresh_folder(&options.dir)?.path()),
        Command::Sync(options) => sync::run(&options, fresh_folder(&options.dir)?.path()),
    }
}

fn checkout(options: &Checkout) -> Result<()> {
    let folder = fresh_folder(&options.dir)?;
    let floor = site::Process::floor(&folder.path().join("floor"))?;
    let seats = options.leases_out.saturating_add(u32::try_from(options.clients)?).saturating_add(64);
    let mut server = site::LicenseServer::activate(&folder.path().join("server"), seats)?;
    server.start()?;
    let load = load::Load::new(options.clients)?;
    load.fill(server.address(), options.leases_out)?;
    let mut rounds = (Vec::new(), Vec::new());
    for _ in 0..options.rounds.max(1) {
        rounds.0.push(Round::of(load.run(floor.address(), options.seconds, None)?));
        rounds.1.push(Round::of(load.run(server.address(), options.seconds, Some(server.key()))?));
    }
    let rss_mib = server.rss_mib()?;
    let restart_s = server.restart_s(&load)?;
    let figures = Figures::new(options, rounds.0, rounds.1, rss_mib, restart_s);
    figures.print(options.json)
}

/// A folder that is removed at the end, on a real disk.
fn fresh_folder(dir: &Path) -> Result<TempDir> {
    std::fs::create_dir_all(dir)?;
    refuse_memory_disk(dir)?;
    Ok(tempfile::Builder::new().prefix("bench-").tempdir_in(dir)?)
}

/// A disk in memory flushes for nothing: its figures would be somebody else's.
fn refuse_memory_disk(dir: &Path) -> Result<()> {
    const TMPFS: i64 = 0x0102_1994;
    const RAMFS: i64 = 0x8584_58f6;
    let kind = rustix::fs::statfs(dir)?.f_type;
    if [TMPFS, RAMFS].contains(&kind) {
        bail!(
            "{} is kept in memory (tmpfs), where a flush costs nothing. Choose a folder on a real disk with --dir",
            dir.display()
        );
    }
    Ok(())
}
