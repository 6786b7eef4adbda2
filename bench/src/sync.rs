//! How many syncs a second one portal process takes, what each costs it, and whether that stays the same from ten license
//! servers to a thousand.

use crate::figures::{at, median, rounded};
use crate::fleet::{Fleet, Synced};
use crate::portal::{Portal, Schema};
use crate::site;
use crate::waits::{self, Waited};
use anyhow::Result;
use clap::Args;
use serde::Serialize;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// What to measure.
#[derive(Args, Clone, Debug)]
pub(crate) struct Sync {
    /// License servers of the large portal; the small one has ten.
    #[arg(long, default_value_t = 1_000)]
    servers: usize,
    /// Connections, each with one sync at a time; ten at most, as the small portal has no more servers.
    #[arg(long, default_value_t = 8)]
    connections: usize,
    /// Seconds of each round; the portals take turns.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Rounds of each; the medians are printed.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Checkouts that wait for the portal; 0 to leave them out.
    #[arg(long, default_value_t = 500)]
    checkouts: u32,
    /// Also a portal of which all servers are one account's and share all licenses; takes minutes to set up.
    #[arg(long)]
    one_account: bool,
    /// A PostgreSQL server; schemas `leasehold_bench_*` are made anew in this database. Without it: SQLite.
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// A folder on a real disk; a fresh folder in it is used and removed.
    #[arg(long, default_value = "target")]
    pub(crate) dir: PathBuf,
    /// One JSON object on standard output.
    #[arg(long)]
    json: bool,
}

/// License servers of the small portal.
const FEW: usize = 10;
/// Times that every server syncs before anything is measured.
const LAPS: usize = 5;

/// One portal under load.
struct Site {
    portal: Portal,
    fleet: Fleet,
    idle: Vec<Round>,
    busy: Vec<Round>,
}

/// One round against one portal.
struct Round {
    syncs_per_s: f64,
    cpu_ms_per_sync: f64,
    documents_per_sync: f64,
    p50_ms: f64,
    p99_ms: f64,
}

impl Site {
    fn start(bench: &Bench<'_>, servers: usize, schema: Schema) -> Result<Site> {
        let (options, portal) = (bench.options, bench.portal(schema)?);
        let one_account = matches!(schema, Schema::OneAccount);
        let mut fleet = Fleet::enable(&portal, servers, options.connections.min(FEW), one_account)?;
        fleet.settle(portal.address(), LAPS, false)?;
        Ok(Site { portal, fleet, idle: Vec::new(), busy: Vec::new() })
    }

    fn round(&mut self, seconds: u64, busy: bool) -> Result<Round> {
        let before_ms = self.portal.process().cpu_ms()?;
        let synced = self.fleet.run(self.portal.address(), seconds, busy)?;
        Ok(Round::of(synced, self.portal.process().cpu_ms()? - before_ms))
    }

    /// A round in which nothing changes; before any busy one, whose wants are remembered for a minute.
    fn run_idle(&mut self, seconds: u64) -> Result<()> {
        let round = self.round(seconds, false)?;
        self.idle.push(round);
        Ok(())
    }

    /// A round in which seats are passed on.
    fn run_busy(&mut self, seconds: u64) -> Result<()> {
        let round = self.round(seconds, true)?;
        self.busy.push(round);
        Ok(())
    }

    fn figures(&self) -> Result<SiteFigures> {
        Ok(SiteFigures {
            servers: self.fleet.servers(),
            licenses: self.fleet.licenses(),
            idle: LoadFigures::of(&self.idle),
            busy: LoadFigures::of(&self.busy),
            rss_mib: rounded(self.portal.process().rss_mib()?),
        })
    }
}

impl Round {
    fn of(mut synced: Synced, cpu_ms: f64) -> Round {
        synced.sync_us.sort_unstable();
        let syncs = synced.sync_us.len().max(1) as f64;
        Round {
            syncs_per_s: syncs / synced.seconds,
            cpu_ms_per_sync: cpu_ms / syncs,
            documents_per_sync: synced.documents as f64 / syncs,
            p50_ms: at(&synced.sync_us, 0.5),
            p99_ms: at(&synced.sync_us, 0.99),
        }
    }
}

/// What is printed.
#[derive(Serialize)]
struct Figures {
    database: &'static str,
    connections: usize,
    rounds: usize,
    few: SiteFigures,
    many: SiteFigures,
    /// Of servers of which nothing changes.
    idle: Flatness,
    /// Of servers that pass seats on.
    busy: Flatness,
    #[serde(skip_serializing_if = "Option::is_none")]
    one_account: Option<SiteFigures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_checkout: Option<Waited>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from_another_server: Option<Waited>,
}

/// One portal under load.
#[derive(Serialize)]
struct SiteFigures {
    servers: usize,
    licenses: usize,
    idle: LoadFigures,
    busy: LoadFigures,
    rss_mib: f64,
}

/// One kind of load on one portal.
#[derive(Serialize)]
struct LoadFigures {
    syncs_per_s: f64,
    cpu_ms_per_sync: f64,
    documents_per_sync: f64,
    p50_ms: f64,
    p99_ms: f64,
}

impl LoadFigures {
    fn of(rounds: &[Round]) -> LoadFigures {
        let median_of = |of: fn(&Round) -> f64| rounded(median(rounds.iter().map(of).collect()));
        LoadFigures {
            syncs_per_s: median_of(|round| round.syncs_per_s),
            cpu_ms_per_sync: median_of(|round| round.cpu_ms_per_sync),
            documents_per_sync: median_of(|round| round.documents_per_sync),
            p50_ms: median_of(|round| round.p50_ms),
            p99_ms: median_of(|round| round.p99_ms),
        }
    }
}

/// A portal with many servers against one with few.
#[derive(Serialize)]
struct Flatness {
    /// Cost of a sync with many servers, as a multiple of that with few: processor time of the portal.
    flat: f64,
    /// The same in time: syncs a second with few servers, as a multiple of those with many.
    flat_rate: f64,
}

impl Flatness {
    /// Each round stands next to one of the other portal: ratios are taken pair by pair.
    fn of(few: &[Round], many: &[Round]) -> Flatness {
        let ratio = |of: fn(&Round, &Round) -> f64| {
            rounded(median(few.iter().zip(many).map(|(few, many)| of(few, many)).collect()))
        };
        Flatness {
            flat: ratio(|few, many| many.cpu_ms_per_sync / few.cpu_ms_per_sync),
            flat_rate: ratio(|few, many| few.syncs_per_s / many.syncs_per_s),
        }
    }
}

/// What is common to all portals of a run.
struct Bench<'a> {
    options: &'a Sync,
    binary: PathBuf,
    folder: &'a Path,
}

impl Bench<'_> {
    fn portal(&self, schema: Schema) -> Result<Portal> {
        let dir = self.folder.join(schema.name());
        Portal::start(&self.binary, &dir, self.options.database_url.as_deref(), schema)
    }
}

/// Measures and prints.
pub(crate) fn run(options: &Sync, folder: &Path) -> Result<()> {
    let bench = Bench { options, binary: site::build()?, folder };
    let (few, many) = few_and_many(&bench)?;
    let one_account = if options.one_account {
        let mut site = Site::start(&bench, options.servers.max(FEW), Schema::OneAccount)?;
        (0..options.rounds.max(1)).try_for_each(|_| site.run_idle(options.seconds))?;
        // Whoever came first has all the seats.
        site.fleet.settle(site.portal.address(), LAPS, true)?;
        (0..options.rounds.max(1)).try_for_each(|_| site.run_busy(options.seconds))?;
        Some(site.figures()?)
    } else {
        None
    };
    let (first_checkout, from_another_server) = match options.checkouts {
        0 => (None, None),
        checkouts => {
            let portal = bench.portal(Schema::Checkout)?;
            let first = waits::for_free_seats(&portal, folder, checkouts)?;
            (Some(first), Some(waits::for_seats_elsewhere(&portal, folder, checkouts)?))
        }
    };
    let database = if options.database_url.is_some() { "postgresql" } else { "sqlite" };
    let (connections, rounds) = (options.connections.min(FEW), options.rounds.max(1));
    let figures = Figures {
        database,
        connections,
        rounds,
        idle: Flatness::of(&few.idle, &many.idle),
        busy: Flatness::of(&few.busy, &many.busy),
        few: few.figures()?,
        many: many.figures()?,
        one_account,
        first_checkout,
        from_another_server,
    };
    figures.print(options.json)
}

/// A portal with few servers and one with many, in turn.
fn few_and_many(bench: &Bench<'_>) -> Result<(Site, Site)> {
    let options = bench.options;
    let mut few = Site::start(bench, FEW, Schema::Few)?;
    let mut many = Site::start(bench, options.servers.max(FEW), Schema::Many)?;
    for _ in 0..options.rounds.max(1) {
        few.run_idle(options.seconds)?;
        many.run_idle(options.seconds)?;
    }
    for _ in 0..options.rounds.max(1) {
        few.run_busy(options.seconds)?;
        many.run_busy(options.seconds)?;
    }
    Ok((few, many))
}

impl Figures {
    fn print(&self, json: bool) -> Result<()> {
        let mut out = std::io::stdout().lock();
        if json {
            writeln!(out, "{}", serde_json::to_string(self)?)?;
            return Ok(());
        }
        writeln!(out, "{}, {} connections, median of {} rounds", self.database, self.connections, self.rounds)?;
        let sites = [("few", Some(&self.few)), ("many", Some(&self.many)), ("one account", self.one_account.as_ref())];
        for (name, site) in sites {
            let Some(site) = site else { continue };
            writeln!(
                out,
                "{name:<12} {:>5} servers, {:>4} licenses, {:.0} MiB",
                site.servers, site.licenses, site.rss_mib
            )?;
            for (load, of) in [("idle", &site.idle), ("busy", &site.busy)] {
                writeln!(
                    out,
                    "  {load:<10} {:>7.0} syncs/s   {:.3} ms of processor each   {:.2} documents each   p50 {:.2} ms   p99 {:.2} ms",
                    of.syncs_per_s, of.cpu_ms_per_sync, of.documents_per_sync, of.p50_ms, of.p99_ms
                )?;
            }
        }
        for (load, of) in [("idle", &self.idle), ("busy", &self.busy)] {
            writeln!(out, "{load}: cost with many / with few {:.2}   time {:.2}", of.flat, of.flat_rate)?;
        }
        let waits = [("first checkout", &self.first_checkout), ("from another server", &self.from_another_server)];
        for (name, waited) in waits {
            if let Some(waited) = waited {
                writeln!(out, "{name:<20} p50 {:.2} ms   p99 {:.2} ms", waited.p50_ms, waited.p99_ms)?;
            }
        }
        Ok(())
    }
}
