//! Whether those who behave get their seats among many who do not: silent connections, slow senders, absurd bodies and a
//! flood from one address. The same load with and without them, in turn; the ratio is the figure.

use crate::figures::{at, median, rounded};
use crate::load::{Load, Samples};
use crate::site::LicenseServer;
use anyhow::Result;
use clap::Args;
use serde::Serialize;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

/// What to measure.
#[derive(Args, Clone, Debug)]
pub(crate) struct Crowd {
    /// Connections that send nothing.
    #[arg(long, default_value_t = 10_000)]
    silent: usize,
    /// Connections that send a byte a second.
    #[arg(long, default_value_t = 200)]
    slow: usize,
    /// Connections that send absurd bodies as fast as they are answered.
    #[arg(long, default_value_t = 8)]
    absurd: usize,
    /// Connections from one more address that are opened and closed as fast as it goes.
    #[arg(long, default_value_t = 8)]
    flood: usize,
    /// Checkouts a second of those who behave.
    #[arg(long, default_value_t = 500)]
    per_s: u64,
    /// Seconds of each round.
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// Rounds of each; medians are printed.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// A folder on a real disk; a fresh folder in it is used and removed.
    #[arg(long, default_value = "target")]
    pub(crate) dir: PathBuf,
    /// One JSON object on standard output.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Figures {
    silent: usize,
    slow: usize,
    absurd_requests: u64,
    flooded_connections: u64,
    checkouts_per_s: f64,
    alone_per_s: f64,
    p50_ms: f64,
    p99_ms: f64,
    alone_p50_ms: f64,
    alone_p99_ms: f64,
    /// Checkouts that those who behave got, of those that they got alone.
    share_of_alone: f64,
}

pub(crate) fn run(options: &Crowd, folder: &Path) -> Result<()> {
    leasehold_host::raise_open_files();
    let mut server = LicenseServer::activate(&folder.join("server"), 1_000)?;
    server.start()?;
    let (mut alone, mut among) = (Vec::new(), Vec::new());
    let (mut absurd, mut flooded) = (0, 0);
    for _ in 0..options.rounds.max(1) {
        alone.push(behave(server.address(), options)?);
        let crowd = Rude::start(server.address(), options)?;
        among.push(behave(server.address(), options)?);
        let (requests, connections) = crowd.end();
        absurd += requests;
        flooded += connections;
    }
    let figure = |samples: &[Samples], of: &dyn Fn(&Samples) -> f64| rounded(median(samples.iter().map(of).collect()));
    let per_s = |samples: &Samples| samples.ops as f64 / samples.seconds;
    let (p50, p99) = (|s: &Samples| at(&s.checkout_us, 0.5), |s: &Samples| at(&s.checkout_us, 0.99));
    let figures = Figures {
        silent: options.silent,
        slow: options.slow,
        absurd_requests: absurd,
        flooded_connections: flooded,
        checkouts_per_s: figure(&among, &per_s),
        alone_per_s: figure(&alone, &per_s),
        p50_ms: figure(&among, &p50),
        p99_ms: figure(&among, &p99),
        alone_p50_ms: figure(&alone, &p50),
        alone_p99_ms: figure(&alone, &p99),
        share_of_alone: rounded(figure(&among, &per_s) / figure(&alone, &per_s)),
    };
    figures.print(options.json)
}

fn behave(address: SocketAddr, options: &Crowd) -> Result<Samples> {
    let stop = Arc::new(AtomicBool::new(false));
    let (until, per_s) = (Arc::clone(&stop), options.per_s);
    let load = std::thread::spawn(move || Load::new(16)?.paced(address, per_s, &until));
    std::thread::park_timeout(Duration::from_secs(options.seconds.max(1)));
    stop.store(true, Ordering::Relaxed);
    let mut samples = load.join().map_err(|_| anyhow::anyhow!("the load panicked"))??;
    samples.checkout_us.sort_unstable();
    Ok(samples)
}

/// Those who do not behave, on a thread of their own.
struct Rude {
    stop: Arc<AtomicBool>,
    requests: Arc<AtomicU64>,
    connections: Arc<AtomicU64>,
    thread: std::thread::JoinHandle<()>,
}

impl Rude {
    /// Returns after three seconds, in which the silent ones connect.
    fn start(address: SocketAddr, options: &Crowd) -> Result<Rude> {
        let (stop, requests, connections) = (Arc::default(), Arc::default(), Arc::default());
        let (ready, wait) = std::sync::mpsc::channel();
        let shared: (Arc<AtomicBool>, Arc<AtomicU64>, Arc<AtomicU64>) =
            (Arc::clone(&stop), Arc::clone(&requests), Arc::clone(&connections));
        let options = options.clone();
        let runtime = crate::http::runtime()?;
        let thread = std::thread::spawn(move || runtime.block_on(crowd(address, options, shared, ready)));
        // If it ended the channel is closed, and so be it: then fewer are rude than were asked for.
        let _ = wait.recv_timeout(Duration::from_secs(60));
        Ok(Rude { stop, requests, connections, thread })
    }

    fn end(self) -> (u64, u64) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.join();
        (self.requests.load(Ordering::Relaxed), self.connections.load(Ordering::Relaxed))
    }
}

async fn crowd(
    address: SocketAddr,
    options: Crowd,
    (stop, requests, connections): (Arc<AtomicBool>, Arc<AtomicU64>, Arc<AtomicU64>),
    ready: std::sync::mpsc::Sender<()>,
) {
    for _ in 0..options.silent {
        tokio::spawn(silent(address, Arc::clone(&stop)));
    }
    for _ in 0..options.slow {
        tokio::spawn(slow(address, Arc::clone(&stop)));
    }
    for number in 0..options.absurd {
        tokio::spawn(absurd(address, number, Arc::clone(&stop), Arc::clone(&requests)));
    }
    for _ in 0..options.flood {
        tokio::spawn(flood(address, Arc::clone(&stop), Arc::clone(&connections)));
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    let _ = ready.send(());
    while !stop.load(Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Is there, and comes again when it is closed.
async fn silent(address: SocketAddr, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::Relaxed) {
        match TcpStream::connect(address).await {
            Ok(mut stream) => {
                // A request, so that it is kept open, and then nothing.
                let _ = stream.write_all(b"GET /v1/ping HTTP/1.1\r\nhost: bench\r\n\r\n").await;
                let mut bytes = [0; 1024];
                while stream.read(&mut bytes).await.is_ok_and(|n| n > 0) {}
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}

async fn slow(address: SocketAddr, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::Relaxed) {
        let Ok(mut stream) = TcpStream::connect(address).await else { continue };
        for byte in b"POST /v1/leases HTTP/1.1\r\nhost: bench\r\nx: slowslowslowslowslow\r\n".chunks(1) {
            if stream.write_all(byte).await.is_err() || stop.load(Ordering::Relaxed) {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

/// From an address of its own, so that it is not mistaken for those who behave, and leaves them their ports: a
/// connection that ended keeps its port for a minute.
async fn connect_from(source: [u8; 4], address: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((source, 0)))?;
    socket.connect(address).await
}

/// Giant, deeply nested, and neither JSON nor anything else.
async fn absurd(address: SocketAddr, number: usize, stop: Arc<AtomicBool>, requests: Arc<AtomicU64>) {
    let nested = "[".repeat(60_000);
    let giant = format!("{{\"feature\":\"{}\"}}", "x".repeat(200_000));
    let bodies = [nested, giant, "\u{fffd}\u{0}".repeat(500)];
    while !stop.load(Ordering::Relaxed) {
        let Ok(mut stream) = connect_from([127, 0, 0, 8], address).await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let body = &bodies[number % bodies.len()];
        let head = format!(
            "POST /v1/leases HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\nidempotency-key: absurd-{number}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let _ = stream.write_all(head.as_bytes()).await;
        let _ = stream.write_all(body.as_bytes()).await;
        let mut bytes = Vec::new();
        let _ = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut bytes)).await;
        requests.fetch_add(1, Ordering::Relaxed);
    }
}

async fn flood(address: SocketAddr, stop: Arc<AtomicBool>, connections: Arc<AtomicU64>) {
    while !stop.load(Ordering::Relaxed) {
        if let Ok(stream) = connect_from([127, 0, 0, 9], address).await {
            connections.fetch_add(1, Ordering::Relaxed);
            drop(stream);
        }
        tokio::task::yield_now().await;
    }
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
            "{} silent and {} slow connections, {} absurd requests, {} flooded connections",
            self.silent, self.slow, self.absurd_requests, self.flooded_connections
        )?;
        writeln!(
            out,
            "alone  {:>7.0} checkouts/s  p50 {:.2} ms  p99 {:.2} ms",
            self.alone_per_s, self.alone_p50_ms, self.alone_p99_ms
        )?;
        writeln!(
            out,
            "among  {:>7.0} checkouts/s  p50 {:.2} ms  p99 {:.2} ms  share {:.2}",
            self.checkouts_per_s, self.p50_ms, self.p99_ms, self.share_of_alone
        )?;
        Ok(())
    }
}
