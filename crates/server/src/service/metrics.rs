//! `/metrics`: what the server counted, and how it stands at this moment. Seats, dates and states for whoever may read the
//! totals; nobody's name, no machine's.

use super::access::Caller;
use super::failure::Failure;
use crate::server::Server;
use leasehold_core::access::ServerAction;
use leasehold_core::engine::Engine;
use leasehold_core::time::{DAY_MS, Ms, SECOND_MS};
use leasehold_wire::server::{OnlineState, OnlineStatus, ServerState, StatusResponse};
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use std::sync::atomic::AtomicU64;

/// In which of its two forms the text is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    /// OpenMetrics 1.0.0.
    OpenMetrics,
    /// Prometheus text 0.0.4, for whoever does not ask for the other.
    Prometheus,
}

/// A gauge with a fraction.
type Real = Gauge<f64, AtomicU64>;
/// The labels of one gauge. Values are escaped when they are written.
type Labels = Vec<(&'static str, String)>;

impl Server {
    /// What a monitoring system reads.
    ///
    /// # Errors
    /// [`Failure::SignIn`] as for the totals; [`Failure::OutcomeUnknown`] if the engine is gone, or the database's.
    pub(crate) async fn metrics(&self, caller: &Caller, format: Format) -> Result<String, Failure> {
        self.authorize(caller, ServerAction::ReadTotals)?;
        let status = self.status(caller).await?;
        let failures = self.0.engine.look(|engine: &Engine, now| engine.online(now)).await?;
        let failures = failures.map_or(0, |online| online.failures);
        let mut now = Standing { registry: Registry::with_prefix("leasehold") };
        now.process(self.0.meters.uptime_ms(self.0.clock.machine().boottime_ms()));
        now.seats(&status);
        now.health(&status);
        if let Some(online) = &status.online {
            now.portal(online, status.server_time.0, failures);
        }
        now.expiries(&status, &self.certificate_ends());
        let written = self.write_metrics(&now.registry);
        let text = written.map_err(|error| Failure::Internal(format!("metrics cannot be written: {error}")))?;
        Ok(match format {
            Format::OpenMetrics => text,
            Format::Prometheus => as_prometheus(&text),
        })
    }

    fn write_metrics(&self, now: &Registry) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode_registry(&mut text, now)?;
        encode_registry(&mut text, self.0.meters.registry())?;
        encode_eof(&mut text)?;
        Ok(text)
    }

    /// When the certificates end on which this server stands.
    fn certificate_ends(&self) -> Vec<(&'static str, Ms)> {
        let mut ends = Vec::new();
        if let Some(identity) = self.0.keys.identity() {
            // The workstation's own first, then those that vouch for it.
            let names = ["workstation_certificate", "issuing_certificate"];
            ends.extend(names.into_iter().zip(identity.chain_ends.iter().copied()));
            ends.push(("root_certificate", identity.root.not_after()));
        }
        if let Some(end) = self.0.certificates.browsers_end_at() {
            ends.push(("browser_certificate", end));
        }
        ends
    }
}

/// The gauges of one answer.
struct Standing {
    registry: Registry,
}

impl Standing {
    fn number(&mut self, name: &str, help: &str, value: i64) {
        let gauge = Gauge::<i64>::default();
        gauge.set(value);
        self.registry.register(name, help, gauge);
    }

    fn real(&mut self, name: &str, help: &str, unit: Unit, value: f64) {
        let gauge = Real::default();
        gauge.set(value);
        self.registry.register_with_unit(name, help, unit, gauge);
    }

    fn process(&mut self, uptime_ms: i64) {
        let build = Family::<Labels, Gauge>::default();
        build.get_or_create(&vec![("version", crate::VERSION.to_owned())]).set(1);
        // Not of type `info`, which Prometheus text 0.0.4 does not know.
        self.registry.register("build_info", "The running release; always 1", build);
        self.real("uptime", "Since the start of the process", Unit::Seconds, seconds(uptime_ms));
    }

    fn seats(&mut self, status: &StatusResponse) {
        let seats = Family::<Labels, Gauge>::default();
        for feature in &status.features {
            // A further state is one more row here; of those in use, some are borrowed, so nobody may add all up.
            let states = [
                ("total", feature.total),
                ("in_use", feature.in_use),
                ("borrowed", feature.borrowed),
                ("free", feature.free),
            ];
            for (state, count) in states {
                let labels = vec![("feature", feature.feature.to_string()), ("state", state.to_owned())];
                seats.get_or_create(&labels).set(count.into());
            }
        }
        self.registry.register(
            "seats",
            "Seats of a feature by state: total, in_use (borrowed is a part of it), free",
            seats,
        );
        let out = i64::try_from(status.leases_out).unwrap_or(i64::MAX);
        self.number("leases_out", "Leases that are out now", out);
        let borrowed = i64::try_from(status.passes_out).unwrap_or(i64::MAX);
        self.number("passes_out", "Of these, borrowed", borrowed);
    }

    fn health(&mut self, status: &StatusResponse) {
        let active = status.state == ServerState::Active;
        self.number("activated", "1 if the server is activated, and not disabled", active.into());
        self.number("storage_ok", "1 if what the server is told gets stored", status.storage.ok.into());
        let clock = &status.clock;
        let suspect = clock.no_new_leases_until.is_some();
        self.number(
            "clock_suspect",
            "1 if no new seats are given because the clock was behind, also for minutes once it was proved right",
            suspect.into(),
        );
        let off = seconds(clock.wall_ahead_s.saturating_mul(SECOND_MS));
        self.real("clock_ahead", "How far the machine's clock is ahead of the server's time", Unit::Seconds, off);
        let moved = status.moved.is_some();
        self.number("other_machine", "1 if this is another machine than the server was activated on", moved.into());
    }

    fn portal(&mut self, online: &OnlineStatus, now: Ms, failures: u32) {
        let ok = online.state == OnlineState::Ok;
        self.number("portal_ok", "1 if the portal keeps the server up to date", ok.into());
        self.number("portal_failures", "Syncs that failed since the portal's last answer", failures.into());
        if let Some(at) = online.synced_at {
            let age = seconds(now.since(at.0).max(0));
            self.real("portal_answer_age", "Since the portal's last answer", Unit::Seconds, age);
        }
    }

    fn expiries(&mut self, status: &StatusResponse, certificates: &[(&'static str, Ms)]) {
        let now = status.server_time.0;
        let ends = Family::<Labels, Real>::default();
        for line in &status.lines {
            let labels = vec![
                ("what", "line".to_owned()),
                ("product", line.product.clone()),
                ("license", line.license.to_string()),
                ("line", line.line.to_string()),
            ];
            ends.get_or_create(&labels).set(days(line.until.0, now));
        }
        for (what, end) in certificates {
            ends.get_or_create(&vec![("what", (*what).to_owned())]).set(days(*end, now));
        }
        let help = "Until it ends; below zero afterwards";
        self.registry.register_with_unit("expiry", help, Unit::Other("days".to_owned()), ends);
    }
}

fn days(end: Ms, now: Ms) -> f64 {
    end.since(now) as f64 / DAY_MS as f64
}

fn seconds(ms: i64) -> f64 {
    ms as f64 / SECOND_MS as f64
}

/// The same in Prometheus text 0.0.4: there a counter's description has its whole name, and units are not described.
fn as_prometheus(open_metrics: &str) -> String {
    let counters: Vec<&str> =
        open_metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter")).collect();
    let mut text = String::with_capacity(open_metrics.len());
    for line in open_metrics.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some("UNIT" | "EOF"), ..) => continue,
            (Some("#"), Some(kind), Some(name), Some(rest)) if counters.contains(&name) => {
                text.push_str(&format!("# {kind} {name}_total {rest}"));
            }
            _ => text.push_str(line),
        }
        text.push('\n');
    }
    text
}
