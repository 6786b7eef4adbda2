//! From samples to the figures that are printed: medians over rounds.

use crate::Checkout;
use crate::load::Samples;
use anyhow::Result;
use serde::Serialize;
use std::io::Write as _;

/// One round against one process.
pub(crate) struct Round {
    ops_per_s: f64,
    p50_ms: f64,
    p99_ms: f64,
}

impl Round {
    pub(crate) fn of(mut samples: Samples) -> Round {
        samples.checkout_us.sort_unstable();
        let sorted = &samples.checkout_us;
        Round { ops_per_s: samples.ops as f64 / samples.seconds, p50_ms: at(sorted, 0.5), p99_ms: at(sorted, 0.99) }
    }
}

/// What is printed.
#[derive(Serialize)]
pub(crate) struct Figures {
    clients: usize,
    leases_out: u32,
    rounds: usize,
    ops_per_s: f64,
    floor_ops_per_s: f64,
    share_of_floor: f64,
    p50_ms: f64,
    p99_ms: f64,
    floor_p50_ms: f64,
    rss_mib: f64,
    restart_s: f64,
}

impl Figures {
    pub(crate) fn new(
        options: &Checkout,
        floor: Vec<Round>,
        server: Vec<Round>,
        rss_mib: f64,
        restart_s: f64,
    ) -> Figures {
        // Each round of the server stands next to a round of the floor: their share is taken pair by pair.
        let shares = floor.iter().zip(&server).map(|(floor, server)| server.ops_per_s / floor.ops_per_s);
        Figures {
            clients: options.clients,
            leases_out: options.leases_out,
            rounds: server.len(),
            share_of_floor: rounded(median(shares.collect())),
            ops_per_s: rounded(median(server.iter().map(|round| round.ops_per_s).collect())),
            floor_ops_per_s: rounded(median(floor.iter().map(|round| round.ops_per_s).collect())),
            p50_ms: rounded(median(server.iter().map(|round| round.p50_ms).collect())),
            p99_ms: rounded(median(server.iter().map(|round| round.p99_ms).collect())),
            floor_p50_ms: rounded(median(floor.iter().map(|round| round.p50_ms).collect())),
            rss_mib: rounded(rss_mib),
            restart_s: rounded(restart_s),
        }
    }

    pub(crate) fn print(&self, json: bool) -> Result<()> {
        let mut out = std::io::stdout().lock();
        if json {
            writeln!(out, "{}", serde_json::to_string(self)?)?;
            return Ok(());
        }
        writeln!(
            out,
            "{} connections, {} leases out, median of {} rounds",
            self.clients, self.leases_out, self.rounds
        )?;
        writeln!(
            out,
            "license server   {:>9.0} ops/s   p50 {:.2} ms   p99 {:.2} ms",
            self.ops_per_s, self.p50_ms, self.p99_ms
        )?;
        writeln!(out, "floor            {:>9.0} ops/s   p50 {:.2} ms", self.floor_ops_per_s, self.floor_p50_ms)?;
        writeln!(out, "share of floor   {:>9.2}", self.share_of_floor)?;
        writeln!(out, "memory           {:>9.0} MiB     restart {:.2} s", self.rss_mib, self.restart_s)?;
        Ok(())
    }
}

/// The milliseconds below which a share of sorted microseconds lies.
pub(crate) fn at(sorted_us: &[u32], share: f64) -> f64 {
    let last = sorted_us.len().saturating_sub(1);
    let index = (last as f64 * share).round() as usize;
    sorted_us.get(index).map_or(0.0, |us| f64::from(*us) / 1_000.0)
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// To three places.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}
