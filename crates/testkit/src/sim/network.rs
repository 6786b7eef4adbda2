//! The network between applications and servers: it loses, doubles, delays and reorders.

use super::events::{Event, Letter, What};
use super::world::World;
use leasehold_core::session::{Request, SessionInput};
use leasehold_core::time::SECOND_MS;

/// No message is on its way longer than this, in milliseconds. Keys of ended leases are remembered for two minutes;
/// a message that is older than that is no longer the network's doing.
const SLOWEST_MS: i64 = 100 * SECOND_MS;
/// So many checkouts are remembered to come again.
const STRAYS: usize = 12;

impl World<'_, '_> {
    /// How long a message takes; `None` if it is lost.
    pub(super) fn crossing_ms(&mut self) -> Option<i64> {
        if !self.healed && self.per_mille(self.dice.lost) {
            self.tally.count("message lost");
            return None;
        }
        if !self.healed && self.per_mille(self.dice.slow) {
            self.tally.count("message slow");
            return Some(self.between(SECOND_MS, SLOWEST_MS));
        }
        Some(self.between(1, self.dice.usual_ms))
    }

    /// Sends a letter to the `nth` server of an application's list.
    pub(super) fn send(&mut self, app: usize, nth: usize, letter: Letter) {
        let server = self.apps[app].servers[nth];
        if self.cut.contains(&(app, server)) {
            return;
        }
        if let What::Client(Request::Checkout { .. }) = letter.what {
            self.strays.push_back((self.at_ms, server, letter.clone()));
            if self.strays.len() > STRAYS {
                self.strays.pop_front();
            }
        }
        let doubled = !self.healed && self.per_mille(self.dice.doubled);
        for _ in 0..if doubled { 2 } else { 1 } {
            if let Some(in_ms) = self.crossing_ms() {
                self.push(in_ms, Event::AtServer { server, letter: letter.clone() });
            }
        }
    }

    /// A copy of a checkout comes late, and nobody waits for it any more.
    pub(super) fn stray(&mut self) {
        if self.strays.is_empty() {
            return;
        }
        let chosen = self.pick(self.strays.len());
        let (sent_ms, server, letter) = self.strays[chosen].clone();
        let latest_ms = sent_ms + SLOWEST_MS - self.at_ms;
        if latest_ms > 0 {
            let in_ms = self.between(0, latest_ms);
            self.tally.count("checkout came late");
            self.push(in_ms, Event::AtServer { server, letter });
        }
    }

    /// A letter has arrived. The port may be closed.
    pub(super) fn at_server(&mut self, server: usize, letter: Letter) {
        if self.servers[server].running.is_none() {
            if let Some(call) = letter.call
                && self.per_mille(600)
            {
                self.back(server, letter.app, letter.process, SessionInput::Failed { call });
            }
            return;
        }
        if let What::Probe = letter.what {
            let nth = self.apps[letter.app].servers.iter().position(|other| *other == server);
            let probed = SessionInput::Probed { server: nth.unwrap_or(0), up: true };
            self.back(server, letter.app, letter.process, probed);
            return;
        }
        self.servers[server].inbox.push(letter);
        self.run_soon(server);
    }

    /// Sends an answer back.
    pub(super) fn back(&mut self, server: usize, app: usize, process: u64, input: SessionInput) {
        if self.cut.contains(&(app, server)) {
            return;
        }
        if let Some(in_ms) = self.crossing_ms() {
            self.push(in_ms, Event::AtApp { app, process, input });
        }
    }
}
