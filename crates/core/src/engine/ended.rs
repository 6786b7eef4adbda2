//! The memory of keys whose leases have ended (`PROTOCOL.md` section 7): a late copy of a checkout must take no seat.
//!
//! A busy server ends thousands of leases a second and remembers each for two minutes, so an entry is small: of a key,
//! only a hash of 64 bits is kept. Two keys with one hash, once in 10^13 checkouts of the busiest server, cost the later
//! one a LEASE_GONE, after which its client asks anew under a new key.

use crate::ids::LeaseId;
use crate::time::Ms;
use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

#[derive(Debug, Default)]
pub(super) struct EndedKeys {
    keys: HashSet<u64>,
    leases: HashSet<LeaseId>,
    /// In order of time.
    order: VecDeque<Entry>,
}

#[derive(Debug)]
struct Entry {
    at: Ms,
    key: u64,
    lease: Option<LeaseId>,
}

impl EndedKeys {
    /// Remembers a key from `at` on. `lease` is `None` for a key that was given up before its checkout came.
    pub(super) fn remember(&mut self, at: Ms, lease: Option<LeaseId>, key: &str) {
        let key = hash(key);
        if self.keys.insert(key) {
            self.leases.extend(lease);
            self.order.push_back(Entry { at, key, lease });
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
        while let Some(entry) = self.order.pop_front_if(|entry| now.since(entry.at) >= memory_ms) {
            self.keys.remove(&entry.key);
            entry.lease.map(|lease| self.leases.remove(&lease));
        }
    }
}

fn hash(key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}
