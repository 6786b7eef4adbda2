//! The process's [`Clock`].

use leasehold_core::time::{Clock, Ms};

/// The machine's clocks.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    #[cfg(not(unix))]
    #[expect(clippy::disallowed_types, reason = "Windows: the performance counter goes on while suspended")]
    start: std::time::Instant,
}

impl SystemClock {
    /// The clocks of this machine. Make one per process: off Unix, [`Clock::boottime_ms`] counts from here.
    #[cfg_attr(not(unix), expect(clippy::disallowed_methods, reason = "this is the process's clock"))]
    pub fn new() -> SystemClock {
        SystemClock {
            #[cfg(not(unix))]
            start: std::time::Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> SystemClock {
        SystemClock::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the process's clock")]
    fn wall(&self) -> Ms {
        let ms = |span: std::time::Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        // A machine without a battery may start before 1970.
        match std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH) {
            Ok(after) => Ms(ms(after)),
            Err(before) => Ms(-ms(before.duration())),
        }
    }

    #[cfg(unix)]
    fn boottime_ms(&self) -> i64 {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        const COUNTS_SUSPEND: rustix::time::ClockId = rustix::time::ClockId::Boottime;
        // On macOS this one goes on while the machine sleeps; elsewhere the wall clock's difference covers for it.
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        const COUNTS_SUSPEND: rustix::time::ClockId = rustix::time::ClockId::Monotonic;
        let now = std::time::Duration::try_from(rustix::time::clock_gettime(COUNTS_SUSPEND)).unwrap_or_default();
        i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
    }

    #[cfg(not(unix))]
    fn boottime_ms(&self) -> i64 {
        i64::try_from(self.start.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clocks_go_forward_in_milliseconds() {
        let clock = SystemClock::new();
        let (wall, boot) = (clock.wall(), clock.boottime_ms());
        assert!(wall > Ms::parse_rfc3339("2020-01-01T00:00:00Z").unwrap(), "the unit is milliseconds since 1970");
        assert!(clock.boottime_ms() >= boot && boot > 0);
        let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
        let uptime_s: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
        assert!((uptime_s * 1_000.0 - clock.boottime_ms() as f64).abs() < 60_000.0, "the unit is milliseconds");
    }
}
