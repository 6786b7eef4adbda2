//! How long every page and list of a license server takes that has a hundred thousand leases on ten thousand machines,
//! while seats come and go.

use crate::figures::{at, rounded};
use crate::http::{Caller, Http, runtime};
use crate::load::Load;
use crate::site::LicenseServer;
use anyhow::{Context as _, Result, ensure};
use clap::Args;
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use serde::Serialize;
use serde_json::json;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// Everything that shows a list or a sum. What is shown only on the way to something is as small as its form.
const PAGES: &[&str] = &[
    "/",
    "/?q=bench&sort=use",
    "/holders",
    "/holders?feature=bench.seat",
    "/denials",
    "/simulate?feature=bench.seat&user=user-00042&host=node-00084.studio.example",
    "/passes",
    "/usage",
    "/usage?feature=bench.seat",
    "/usage?user=user-00042",
    "/usage?host=node-00084.studio.example",
    "/usage/log",
    "/audit",
    "/online",
    "/activate",
    "/disable",
    "/settings",
];

/// The same of the API.
const LISTS: &[&str] =
    &["/v1/status", "/v1/leases?limit=200", "/v1/denials?limit=200", "/v1/passes?limit=200", "/v1/usage", "/metrics"];

/// What to measure.
#[derive(Args, Clone, Debug)]
pub(crate) struct Pages {
    /// Leases that are out.
    #[arg(long, default_value_t = 100_000)]
    leases_out: u32,
    /// Machines that hold them.
    #[arg(long, default_value_t = 10_000)]
    hosts: u32,
    /// Checkouts a second meanwhile, each with its checkin.
    #[arg(long, default_value_t = 1_000)]
    per_s: u64,
    /// Times that each page is asked for.
    #[arg(long, default_value_t = 40)]
    times: usize,
    /// A folder on a real disk; a fresh folder in it is used and removed.
    #[arg(long, default_value = "target")]
    pub(crate) dir: PathBuf,
    /// One JSON object on standard output.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Figures {
    leases_out: u32,
    hosts: u32,
    checkouts_per_s: f64,
    checkout_p50_ms: f64,
    checkout_p99_ms: f64,
    pages: Vec<Figure>,
    slowest_p95_ms: f64,
}

#[derive(Serialize)]
struct Figure {
    path: &'static str,
    p50_ms: f64,
    p95_ms: f64,
    kib: f64,
}

pub(crate) fn run(options: &Pages, folder: &Path) -> Result<()> {
    let mut server = LicenseServer::activate(&folder.join("server"), options.leases_out.saturating_add(256))?;
    let secret = folder.join("setup-secret");
    server.start_with(&["--setup-secret-file", secret.to_str().context("the folder's name")?])?;
    // Written once it serves, a moment after its port is open.
    let mut waited = 0;
    while !secret.exists() && waited < 200 {
        std::thread::park_timeout(Duration::from_millis(50));
        waited += 1;
    }
    let secret = std::fs::read_to_string(&secret)?;
    let set_up = json!({ "secret": secret.trim(), "password": "seventeen green ladders" });
    let session = Caller::new(server.address()).call("POST", "/v1/setup", Some(&set_up))?;
    let token = session["token"].as_str().context("no token")?.to_owned();
    Load::new(64)?.fill_from(server.address(), options.leases_out, options.hosts)?;
    // What is denied and counted is shown as well; what was just given is counted within moments.
    deny(&server)?;
    std::thread::park_timeout(Duration::from_secs(3));

    let stop = Arc::new(AtomicBool::new(false));
    let (address, per_s, while_measured) = (server.address(), options.per_s, Arc::clone(&stop));
    let load = std::thread::spawn(move || Load::new(16)?.paced(address, per_s, &while_measured));
    let measured = measure(&server, &token, options.times);
    stop.store(true, Ordering::Relaxed);
    let mut samples = load.join().map_err(|_| anyhow::anyhow!("the load panicked"))??;
    samples.checkout_us.sort_unstable();
    let pages = measured?;
    let slowest = pages.iter().map(|page| page.p95_ms).fold(0.0, f64::max);
    let figures = Figures {
        leases_out: options.leases_out,
        hosts: options.hosts,
        checkouts_per_s: rounded(samples.ops as f64 / samples.seconds),
        checkout_p50_ms: rounded(at(&samples.checkout_us, 0.5)),
        checkout_p99_ms: rounded(at(&samples.checkout_us, 0.99)),
        pages,
        slowest_p95_ms: slowest,
    };
    figures.print(options.json)
}

/// Some tries of something that nobody has.
fn deny(server: &LicenseServer) -> Result<()> {
    runtime()?.block_on(async {
        let mut http = Http::open(server.address()).await?;
        for number in 0..2_000 {
            let body = json!({
                "feature": "bench.other", "user": format!("user-{number:05}"), "host": format!("node-{number:05}"),
                "host_id": format!("m{number}"), "boot_id": "b", "nonce": format!("nonce-{number}"),
            });
            let request = Request::post("/v1/leases")
                .header("host", "bench")
                .header("content-type", "application/json")
                .header("idempotency-key", format!("denied-{number}"))
                .body(Full::new(Bytes::from(body.to_string())))?;
            let (status, body) = http.send(request).await?;
            ensure!(status.as_u16() == 409, "answered {status}: {}", String::from_utf8_lossy(&body));
        }
        Ok(())
    })
}

fn measure(server: &LicenseServer, token: &str, times: usize) -> Result<Vec<Figure>> {
    runtime()?.block_on(async {
        let mut http = Http::open(server.address()).await?;
        let mut figures = Vec::new();
        for path in PAGES.iter().chain(LISTS) {
            let mut us = Vec::with_capacity(times);
            let mut bytes = 0;
            // The first one warms up, and is not counted.
            for turn in 0..=times {
                let request = Request::get(*path)
                    .header("host", server.address().to_string())
                    .header("cookie", format!("leasehold_server={token}"))
                    .header("authorization", format!("Bearer {token}"))
                    .body(Full::default())?;
                let start = Instant::now();
                let (status, body) = http.send(request).await?;
                ensure!(status.is_success(), "{path} answered {status}");
                bytes = body.len();
                if turn > 0 {
                    us.push(u32::try_from(start.elapsed().as_micros()).unwrap_or(u32::MAX));
                }
            }
            us.sort_unstable();
            let kib = rounded(bytes as f64 / 1_024.0);
            figures.push(Figure { path, p50_ms: rounded(at(&us, 0.5)), p95_ms: rounded(at(&us, 0.95)), kib });
        }
        Ok(figures)
    })
}

impl Figures {
    fn print(&self, json: bool) -> Result<()> {
        let mut out = std::io::stdout().lock();
        if json {
            writeln!(out, "{}", serde_json::to_string(self)?)?;
            return Ok(());
        }
        writeln!(
            out,
            "{} leases on {} machines, {:.0} checkouts a second (p50 {:.2} ms, p99 {:.2} ms) meanwhile",
            self.leases_out, self.hosts, self.checkouts_per_s, self.checkout_p50_ms, self.checkout_p99_ms
        )?;
        for page in &self.pages {
            writeln!(
                out,
                "{:>9.1} ms p50  {:>9.1} ms p95  {:>8.1} KiB  {}",
                page.p50_ms, page.p95_ms, page.kib, page.path
            )?;
        }
        writeln!(out, "slowest p95 {:.1} ms", self.slowest_p95_ms)?;
        Ok(())
    }
}
