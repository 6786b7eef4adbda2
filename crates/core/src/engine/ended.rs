//! The memory of keys whose leases have ended (`PROTOCOL.md` section 7): a late copy of a checkout must take no seat.
//!
//! A busy server ends thousands of leases a second and remembers each for two minutes, so an entry is small: of a key,
//! only a hash of 64 bits is kept. Two keys with one hash, once in 10^13 checkouts of the busiest server, cost the later
//! one a LEASE_GONE.

use crate::ids::LeaseId;
use crate::time::Ms;
use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// Keys given up before their checkout came. Anybody may give up a key, so their number has a bound; beyond it the
/// oldest is forgotten.
const GIVEN_UP_MAX: usize = 65_536;

#[derive(Debug, Default)]
pub(super) struct EndedKeys {
    keys: HashSet<u64>,
    leases: HashSet<LeaseId>,
    /// When, which and under which key; in order of time.
    ended: VecDeque<(Ms, LeaseId, u64)>,
    /// When and which, in order of time. Not on disk: nobody was given anything.
    given_up: VecDeque<(Ms, u64)>,
}

impl EndedKeys {
    /// Remembers the key of a lease that ended, from `at` on.
    pub(super) fn remember(&mut self, at: Ms, lease: LeaseId, key: &str) {
        let key = hash(key);
        if self.keys.insert(key) {
            self.leases.insert(lease);
            self.ended.push_back((at, lease, key));
        }
    }

    /// Remembers a key that was given up before its checkout came.
    pub(super) fn give_up(&mut self, at: Ms, key: &str) {
        self.give_up_hashed(at, hash(key));
    }

    fn give_up_hashed(&mut self, at: Ms, key: u64) {
        if !self.keys.insert(key) {
            return;
        }
        self.given_up.push_back((at, key));
        if self.given_up.len() > GIVEN_UP_MAX
            && let Some((_, oldest)) = self.given_up.pop_front()
        {
            self.keys.remove(&oldest);
        }
    }

    /// Takes over what was given up before memory was built anew; remembered in full from `now` on.
    pub(super) fn take_over(&mut self, now: Ms, former: &EndedKeys) {
        for (_, key) in &former.given_up {
            self.give_up_hashed(now, *key);
        }
    }

    pub(super) fn has_key(&self, key: &str) -> bool {
        self.keys.contains(&hash(key))
    }

    pub(super) fn has_lease(&self, lease: LeaseId) -> bool {
        self.leases.contains(&lease)
    }

    /// Forgets what was remembered `memory_ms` or longer before `now`.
    pub(super) fn forget(&mut self, now: Ms, memory_ms: i64) {
        while let Some((_, lease, key)) = self.ended.pop_front_if(|(at, ..)| now.since(*at) >= memory_ms) {
            self.keys.remove(&key);
            self.leases.remove(&lease);
        }
        while let Some((_, key)) = self.given_up.pop_front_if(|(at, _)| now.since(*at) >= memory_ms) {
            self.keys.remove(&key);
        }
    }
}

fn hash(key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}
