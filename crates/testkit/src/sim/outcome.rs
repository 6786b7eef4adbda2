//! What a simulation comes to: what it did, or which law it found broken.

use std::collections::BTreeMap;
use std::fmt;

/// What is held at every instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Law {
    /// Never oversold.
    One,
    /// Nothing acknowledged is lost.
    Two,
    /// No double count.
    Three,
    /// The lessee stops first.
    Four,
    /// When all is quiet, seats in use are seats held, and nobody is stuck.
    Quiet,
}

/// A law that does not hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// Which.
    pub law: Law,
    /// Milliseconds after the beginning.
    pub at_ms: i64,
    /// What was seen.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let law = match self.law {
            Law::One => "law 1 (never oversold)",
            Law::Two => "law 2 (nothing acknowledged is lost)",
            Law::Three => "law 3 (no double count)",
            Law::Four => "law 4 (the lessee stops first)",
            Law::Quiet => "the quiet at the end",
        };
        write!(f, "{law} is broken at {}: {}", Stamp(self.at_ms), self.what)
    }
}

/// Simulated time for people: `h:mm:ss.mmm`.
pub(super) struct Stamp(pub(super) i64);

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0;
        write!(f, "{}:{:02}:{:02}.{:03}", ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60, ms % 1_000)
    }
}

/// How often what happened. A simulation that never crashes a server shows nothing about crashes.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Tally(BTreeMap<&'static str, u64>);

impl Tally {
    pub(super) fn count(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    /// Adds what another simulation did.
    pub fn add(&mut self, other: &Tally) {
        for (what, times) in &other.0 {
            *self.0.entry(what).or_default() += times;
        }
    }

    /// How often something happened.
    pub fn of(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(what, times)| writeln!(f, "{times:>9}  {what}"))
    }
}
