//! What the license server counts and times while it works, for `/metrics`.
//!
//! Owns counters that only grow and histograms of durations; they begin at zero with the process. A checkout or a
//! heartbeat costs one observation here: no allocation, no look-up by name. What stands still (seats, dates) is read
//! from the engine when somebody asks; see `service/metrics.rs`. Never counts by user or machine: their names are
//! hostile text, and there is no bound on how many there are.

use crate::engine::Refusal;
use leasehold_core::codes::DenialCode;
use leasehold_core::engine::{EventKind, Input, Write};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use std::sync::Arc;
use std::time::Duration;

/// Upper end of the first bucket of every histogram, in seconds; each next is twice as wide.
const BUCKET_FIRST_S: f64 = 0.000_25;
/// Buckets of every histogram: the last ends at 8 s, four times as long as a checkout waits for the portal.
const BUCKETS: u16 = 16;

/// The labels of a counter: one name with one of a few words.
type Label = [(&'static str, &'static str); 1];

/// The counters and histograms. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Meters(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    registry: Registry,
    /// When the process started, in milliseconds of [`leasehold_core::time::Clock::boottime_ms`].
    started_ms: i64,
    /// In the order of [`EventKind::ALL`]; a denial counts by code instead.
    events: Vec<Counter>,
    /// In the order of [`DenialCode::ALL`].
    denials: Vec<Counter>,
    busy: Counter,
    stalled: Counter,
    unknown: Counter,
    checkout: Histogram,
    heartbeat: Histogram,
    commit: Histogram,
}

/// What the engine was asked, as far as it is timed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Request {
    Checkout,
    Heartbeat,
    Other,
}

impl Request {
    /// What `input` counts as.
    pub(crate) fn of(input: &Input) -> Request {
        match input {
            Input::Checkout { .. } => Request::Checkout,
            Input::Heartbeat { .. } => Request::Heartbeat,
            _ => Request::Other,
        }
    }
}

/// What one batch of the engine adds once it is on disk: positions in `events` and `denials`.
#[derive(Debug)]
pub(crate) struct Tally(Vec<(EventKind, Option<DenialCode>)>);

impl Tally {
    /// Reads the usage events of a batch.
    pub(crate) fn of(writes: &[Write]) -> Tally {
        let events = writes.iter().filter_map(|write| match write {
            Write::Event(event) => Some((event.kind, event.code)),
            _ => None,
        });
        Tally(events.collect())
    }
}

impl Meters {
    /// Begins to count. `boottime_ms` is the machine's clock that counts suspend, now.
    pub(crate) fn new(boottime_ms: i64) -> Meters {
        let mut registry = Registry::with_prefix("leasehold");
        let events = EventKind::ALL.iter().map(|kind| {
            let (name, help) = match kind {
                EventKind::Checkout => ("checkouts", "Seats were taken"),
                EventKind::Checkin => ("checkins", "Seats were given back"),
                EventKind::Expired => ("leases_expired", "A holder was not heard of in time, and its seat was freed"),
                EventKind::Copied => ("leases_copied", "Two processes used the secret of one lease"),
                EventKind::Adopted => ("leases_adopted", "A running lease was taken up again after a restore"),
                EventKind::TakenBack => ("leases_taken_back", "An administrator wanted a seat back"),
                EventKind::Borrow => ("passes_borrowed", "Seats were borrowed"),
                EventKind::Extend => ("passes_extended", "A pass was extended"),
                EventKind::Return => ("passes_returned", "A pass was given back"),
                EventKind::WriteOff => ("passes_written_off", "A pass was declared lost, and its seats were freed"),
                // By code, below.
                EventKind::Denied => return Counter::default(),
            };
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        });
        let events = events.collect();
        let by_code = Family::<Label, Counter>::default();
        let denials =
            DenialCode::ALL.iter().map(|code| by_code.get_or_create(&[("code", code.word())]).clone()).collect();
        registry.register(
            "denials",
            "What was wanted and not given, all tries for it as one, by the code that was told",
            by_code,
        );
        let by_reason = Family::<Label, Counter>::default();
        let reason = |reason| by_reason.get_or_create(&[("reason", reason)]).clone();
        let (busy, stalled, unknown) = (reason("busy"), reason("storage"), reason("outcome_unknown"));
        registry.register(
            "requests_shed",
            "Requests that were not decided: too many waited, nothing could be stored, or the outcome is not known",
            by_reason,
        );
        let mut timed = |name: &str, help: &str| {
            let histogram = Histogram::new(exponential_buckets(BUCKET_FIRST_S, 2.0, BUCKETS));
            registry.register_with_unit(name, help, Unit::Seconds, histogram.clone());
            histogram
        };
        let checkout =
            timed("checkout", "From a checkout to its answer, on disk; up to 2 s longer if it waits for the portal");
        let heartbeat = timed("heartbeat", "From a heartbeat to its answer");
        let commit = timed("commit", "Writing one batch to disk");
        let started_ms = boottime_ms;
        Meters(Arc::new(Parts {
            registry,
            started_ms,
            events,
            denials,
            busy,
            stalled,
            unknown,
            checkout,
            heartbeat,
            commit,
        }))
    }

    /// The engine answered, or did not decide.
    pub(crate) fn answered(&self, request: Request, took: Duration, refusal: Option<Refusal>) {
        match refusal {
            Some(Refusal::Busy) => _ = self.0.busy.inc(),
            Some(Refusal::Stalled) => _ = self.0.stalled.inc(),
            Some(Refusal::OutcomeUnknown) => _ = self.0.unknown.inc(),
            None => match request {
                Request::Checkout => self.0.checkout.observe(took.as_secs_f64()),
                Request::Heartbeat => self.0.heartbeat.observe(took.as_secs_f64()),
                Request::Other => {}
            },
        }
    }

    /// A batch is on disk.
    pub(crate) fn committed(&self, tally: Tally, took: Duration) {
        self.0.commit.observe(took.as_secs_f64());
        for (kind, code) in tally.0 {
            let (all, place) = match code {
                Some(code) => (&self.0.denials, DenialCode::ALL.iter().position(|known| *known == code)),
                None => (&self.0.events, EventKind::ALL.iter().position(|known| *known == kind)),
            };
            if let Some(counter) = place.and_then(|place| all.get(place)) {
                counter.inc();
            }
        }
    }

    /// What was counted so far.
    pub(crate) fn registry(&self) -> &Registry {
        &self.0.registry
    }

    /// Milliseconds since the start; `boottime_ms` as for [`Meters::new`].
    pub(crate) fn uptime_ms(&self, boottime_ms: i64) -> i64 {
        boottime_ms.saturating_sub(self.0.started_ms).max(0)
    }
}
