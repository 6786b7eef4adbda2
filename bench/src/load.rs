//! The load: connections that check out and check in, each waiting for its answer, every answer checked.

use crate::http::{self, Http, read_claims};
use anyhow::{Result, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode};
use leasehold_core::random::{self, Random};
use leasehold_host::OsRandom;
use leasehold_trust::{LeaseClaims, PublicKey, verify_lease};
use leasehold_wire::server::LeaseResponse;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::time::Instant;

/// Every so many checkouts the signature itself is verified; of all others the signed nonce is compared. Verifying
/// each would cost the load more than the server spends on the request, on the same cores.
const VERIFY_EVERY: u64 = 64;

/// What one run measured.
#[derive(Default)]
pub(crate) struct Samples {
    /// Checkouts and checkins.
    pub(crate) ops: u64,
    /// How long it ran.
    pub(crate) seconds: f64,
    /// Time of each checkout in microseconds.
    pub(crate) checkout_us: Vec<u32>,
}

/// Some connections on one thread, so that most of the machine is left to what is measured.
pub(crate) struct Load {
    runtime: Runtime,
    clients: usize,
}

impl Load {
    pub(crate) fn new(clients: usize) -> Result<Load> {
        Ok(Load { runtime: http::runtime()?, clients: clients.max(1) })
    }

    /// Checks out `leases` seats that nobody gives back while it is measured.
    pub(crate) fn fill(&self, address: SocketAddr, leases: u32) -> Result<()> {
        self.fill_from(address, leases, 1)
    }

    /// The same from so many machines.
    pub(crate) fn fill_from(&self, address: SocketAddr, leases: u32, hosts: u32) -> Result<()> {
        let clients = u32::try_from(self.clients).unwrap_or(1);
        self.runtime.block_on(async {
            let tasks: Vec<_> = (0..self.clients)
                .map(|client| {
                    tokio::spawn(async move {
                        let mut connection = Connection::open(address, client).await?;
                        for nth in 0..share(leases, client, clients) {
                            if hosts > 1 {
                                let number = nth.wrapping_mul(clients).wrapping_add(u32::try_from(client)?) % hosts;
                                connection.host = format!("node-{number:05}.studio.example");
                                connection.user = format!("user-{:05}", number / 2);
                            }
                            connection.checkout(None).await?;
                        }
                        anyhow::Ok(())
                    })
                })
                .collect();
            for task in tasks {
                task.await??;
            }
            Ok(())
        })
    }

    /// Checkouts one after the other over one connection, all of whose seats stay out; microseconds of each.
    pub(crate) fn one_by_one(&self, address: SocketAddr, checkouts: u32) -> Result<Vec<u32>> {
        self.runtime.block_on(async {
            let mut connection = Connection::open(address, 0).await?;
            let mut us = Vec::new();
            for _ in 0..checkouts {
                let start = Instant::now();
                connection.checkout(None).await?;
                us.push(u32::try_from(start.elapsed().as_micros()).unwrap_or(u32::MAX));
            }
            Ok(us)
        })
    }

    /// Checks out and in `per_s` times a second over all connections until `stop` says so; a request that is due while the
    /// one before it has no answer yet waits for it.
    pub(crate) fn paced(&self, address: SocketAddr, per_s: u64, stop: &Arc<AtomicBool>) -> Result<Samples> {
        let every = Duration::from_micros(1_000_000 * self.clients as u64 / per_s.max(1));
        self.runtime.block_on(async {
            let start = Instant::now();
            let tasks: Vec<_> = (0..self.clients)
                .map(|client| {
                    let stop = Arc::clone(stop);
                    tokio::spawn(async move {
                        let mut connection = Connection::open(address, client).await?;
                        let mut due = tokio::time::interval(every);
                        let mut checkout_us = Vec::new();
                        while !stop.load(Ordering::Relaxed) {
                            due.tick().await;
                            let start = Instant::now();
                            let lease = connection.checkout(None).await?;
                            checkout_us.push(u32::try_from(start.elapsed().as_micros()).unwrap_or(u32::MAX));
                            connection.checkin(&lease).await?;
                        }
                        anyhow::Ok(checkout_us)
                    })
                })
                .collect();
            let mut samples = Samples::default();
            for task in tasks {
                let mut checkout_us = task.await??;
                samples.ops += checkout_us.len() as u64;
                samples.checkout_us.append(&mut checkout_us);
            }
            samples.seconds = start.elapsed().as_secs_f64();
            Ok(samples)
        })
    }

    /// One checkout, to see that the server serves.
    pub(crate) fn once(&self, address: SocketAddr) -> Result<()> {
        self.runtime.block_on(async {
            let mut connection = Connection::open(address, 0).await?;
            let lease = connection.checkout(None).await?;
            connection.checkin(&lease).await
        })
    }

    /// Checks out and in for `seconds` over all connections. `key` is the server's, to verify signatures with.
    pub(crate) fn run(&self, address: SocketAddr, seconds: u64, key: Option<PublicKey>) -> Result<Samples> {
        self.runtime.block_on(async {
            let start = Instant::now();
            let end = start + Duration::from_secs(seconds.max(1));
            let tasks: Vec<_> =
                (0..self.clients).map(|client| tokio::spawn(drive(address, client, end, key))).collect();
            let mut samples = Samples::default();
            for task in tasks {
                let (ops, mut checkout_us) = task.await??;
                samples.ops += ops;
                samples.checkout_us.append(&mut checkout_us);
            }
            samples.seconds = start.elapsed().as_secs_f64();
            Ok(samples)
        })
    }
}

/// How many of `leases` the client of a number takes.
fn share(leases: u32, client: usize, clients: u32) -> u32 {
    leases / clients + u32::from(u32::try_from(client).unwrap_or(0) < leases % clients)
}

async fn drive(address: SocketAddr, client: usize, end: Instant, key: Option<PublicKey>) -> Result<(u64, Vec<u32>)> {
    let mut connection = Connection::open(address, client).await?;
    connection.signed = key.is_some();
    let mut checkout_us = Vec::with_capacity(16_384);
    let mut ops = 0;
    while Instant::now() < end {
        let start = Instant::now();
        let verify = key.as_ref().filter(|_| ops % (2 * VERIFY_EVERY) == 0);
        let lease = connection.checkout(verify).await?;
        checkout_us.push(u32::try_from(start.elapsed().as_micros()).unwrap_or(u32::MAX));
        connection.checkin(&lease).await?;
        ops += 2;
    }
    Ok((ops, checkout_us))
}

struct Connection {
    http: Http,
    user: String,
    host: String,
    signed: bool,
    random: OsRandom,
}

impl Connection {
    async fn open(address: SocketAddr, client: usize) -> Result<Connection> {
        let user = format!("user-{client:05}");
        let host = "node.studio.example".to_owned();
        Ok(Connection { http: Http::open(address).await?, user, host, signed: false, random: OsRandom })
    }

    async fn checkout(&mut self, verify: Option<&PublicKey>) -> Result<LeaseResponse> {
        let token = BASE64_URL_SAFE_NO_PAD.encode(random::bytes::<32>(&mut self.random as &mut dyn Random));
        let (key, nonce) = token.split_at(22);
        let body = format!(
            r#"{{"feature":"bench.seat","seats":1,"version":"1.0","user":"{}","host":"{}","host_id":"0123456789abcdef0123456789abcdef","boot_id":"fedcba98-7654-3210-fedc-ba9876543210","pid":4711,"nonce":"{nonce}"}}"#,
            self.user, self.host
        );
        let request = Request::builder()
            .method(Method::POST)
            .uri("/v1/leases")
            .header("host", "bench")
            .header("content-type", "application/json")
            .header("idempotency-key", key)
            .body(Full::new(Bytes::from(body)))?;
        let (status, body) = self.http.send(request).await?;
        ensure!(status == StatusCode::CREATED, "checkout answered {status}: {}", String::from_utf8_lossy(&body));
        let lease: LeaseResponse = serde_json::from_slice(&body)?;
        ensure!(lease.seats == 1 && lease.ttl_s == 120 && !lease.resumed, "an unexpected lease: {lease:?}");
        if let Some(key) = verify {
            let claims = verify_lease(&lease.token, key)?;
            ensure!(claims.sub == lease.lease && claims.nonce == nonce, "a signed lease over something else");
        } else if self.signed {
            let claims: LeaseClaims = read_claims(&lease.token)?;
            ensure!(claims.sub == lease.lease && claims.nonce == nonce, "a lease over something else");
        }
        Ok(lease)
    }

    async fn checkin(&mut self, lease: &LeaseResponse) -> Result<()> {
        let request = Request::builder()
            .method(Method::DELETE)
            .uri(format!("/v1/leases/{}", lease.lease))
            .header("host", "bench")
            .header("authorization", format!("Bearer {}", lease.secret))
            .body(Full::new(Bytes::new()))?;
        let (status, body) = self.http.send(request).await?;
        ensure!(status == StatusCode::NO_CONTENT, "checkin answered {status}: {}", String::from_utf8_lossy(&body));
        Ok(())
    }
}
