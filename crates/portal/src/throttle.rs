//! Wrong passwords, and letters that were asked for, counted for each account and address, in memory: guessing is slowed
//! down, and nobody can lock somebody else out for long from a single place, nor fill their mailbox.

use leasehold_core::time::MINUTE_MS;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

const WINDOW_MS: i64 = 15 * MINUTE_MS;
/// How many within the window.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// For one account from one place.
    pair: u32,
    /// From one place, whatever the account.
    place: u32,
    /// For one account, from wherever.
    account: u32,
}

const PASSWORDS: Limits = Limits { pair: 10, place: 50, account: 200 };
const LETTERS: Limits = Limits { pair: 5, place: 50, account: 5 };
/// Counters kept; the one that began first gives way.
const COUNTERS_MAX: usize = 20_000;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Key {
    Pair(String, IpAddr),
    Place(IpAddr),
    Account(String),
}

#[derive(Clone, Copy, Debug)]
struct Count {
    began_ms: i64,
    failures: u32,
}

/// Counts wrong passwords. Times are milliseconds of a clock that never steps.
#[derive(Debug)]
pub struct Throttle {
    counts: Mutex<HashMap<Key, Count>>,
    limits: Limits,
}

impl Default for Throttle {
    /// For wrong passwords.
    fn default() -> Throttle {
        Throttle { counts: Mutex::default(), limits: PASSWORDS }
    }
}

/// One machine or one home: an IPv6 customer has a whole /64.
fn place(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
        v4 => v4,
    }
}

fn keys(limits: Limits, email: &str, address: IpAddr) -> [(Key, u32); 3] {
    let place = place(address);
    [
        (Key::Pair(email.to_owned(), place), limits.pair),
        (Key::Place(place), limits.place),
        (Key::Account(email.to_owned()), limits.account),
    ]
}

impl Throttle {
    /// For letters that somebody asks for who has not signed in.
    pub fn of_letters() -> Throttle {
        Throttle { limits: LETTERS, ..Throttle::default() }
    }

    /// Seconds to wait before anything more is asked from a place.
    pub fn wait_of_place_s(&self, address: IpAddr, now_ms: i64) -> Option<i64> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.get(&Key::Place(place(address))).filter(|count| count.failures >= self.limits.place)?;
        let left_ms = count.began_ms + WINDOW_MS - now_ms;
        (left_ms > 0).then_some((left_ms + 999) / 1_000)
    }

    /// Forgets what was counted for an account, whose owner has proved to be it.
    pub fn forgive(&self, email: &str) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.retain(|key, _| !matches!(key, Key::Pair(of, _) | Key::Account(of) if of == email));
    }

    /// Seconds to wait before the next try, if there were too many.
    pub fn wait_s(&self, email: &str, address: IpAddr, now_ms: i64) -> Option<i64> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = keys(self.limits, email, address).into_iter().filter_map(|(key, max)| {
            let count = counts.get(&key).filter(|count| count.failures >= max)?;
            let left_ms = count.began_ms + WINDOW_MS - now_ms;
            (left_ms > 0).then_some((left_ms + 999) / 1_000)
        });
        waits.max()
    }

    /// Counts a letter to an address from somebody who has signed in, whose place is not counted; seconds to wait if the
    /// address has had enough of them.
    pub fn letter_wait_s(&self, email: &str, now_ms: i64) -> Option<i64> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= COUNTERS_MAX {
            make_room(&mut counts, now_ms);
        }
        let count = counts.entry(Key::Account(email.to_owned())).or_insert(Count { began_ms: now_ms, failures: 0 });
        if now_ms - count.began_ms >= WINDOW_MS {
            *count = Count { began_ms: now_ms, failures: 0 };
        }
        if count.failures >= self.limits.account {
            return Some((count.began_ms + WINDOW_MS - now_ms + 999) / 1_000);
        }
        count.failures += 1;
        None
    }

    /// Counts a wrong password.
    pub fn failed(&self, email: &str, address: IpAddr, now_ms: i64) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, _) in keys(self.limits, email, address) {
            if counts.len() >= COUNTERS_MAX && !counts.contains_key(&key) {
                make_room(&mut counts, now_ms);
            }
            let count = counts.entry(key).or_insert(Count { began_ms: now_ms, failures: 0 });
            if now_ms - count.began_ms >= WINDOW_MS {
                *count = Count { began_ms: now_ms, failures: 0 };
            }
            count.failures = count.failures.saturating_add(1);
        }
    }

    /// Forgets the wrong passwords of an account from a place, after the right one.
    pub fn succeeded(&self, email: &str, address: IpAddr) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.remove(&Key::Pair(email.to_owned(), place(address)));
    }
}

fn make_room(counts: &mut HashMap<Key, Count>, now_ms: i64) {
    counts.retain(|_, count| now_ms - count.began_ms < WINDOW_MS);
    if counts.len() >= COUNTERS_MAX {
        // A tenth at once, so that a flood of addresses does not pay this search for each of its tries.
        let mut began: Vec<i64> = counts.values().map(|count| count.began_ms).collect();
        let (_, &mut oldest, _) = began.select_nth_unstable(COUNTERS_MAX / 10);
        counts.retain(|_, count| count.began_ms > oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn guessing_is_stopped_and_forgotten_after_the_window() {
        let (throttle, home, away) = (Throttle::default(), address("192.0.2.1"), address("198.51.100.7"));
        for _ in 0..PASSWORDS.pair {
            assert_eq!(throttle.wait_s("a@b", home, 0), None);
            throttle.failed("a@b", home, 0);
        }
        assert_eq!(throttle.wait_s("a@b", home, 1_000), Some(15 * 60 - 1));
        assert_eq!(throttle.wait_s("a@b", away, 1_000), None, "its owner can sign in from elsewhere");
        assert_eq!(throttle.wait_s("c@d", home, 1_000), None);
        assert_eq!(throttle.wait_s("a@b", home, WINDOW_MS), None);
    }

    #[test]
    fn one_place_cannot_try_every_account_and_a_whole_ipv6_net_is_one_place() {
        let throttle = Throttle::default();
        for n in 0..PASSWORDS.place {
            throttle.failed(&format!("{n}@b"), address(&format!("2001:db8::{n:x}")), 0);
        }
        assert!(throttle.wait_s("new@b", address("2001:db8::ffff"), 1).is_some());
        assert!(throttle.wait_s("new@b", address("2001:db8:0:1::1"), 1).is_none());
    }

    #[test]
    fn memory_is_bounded() {
        let throttle = Throttle::default();
        for n in 0..30_000_u32 {
            throttle.failed("a@b", IpAddr::from(n.to_be_bytes()), 0);
        }
        assert!(throttle.counts.lock().unwrap().len() <= COUNTERS_MAX);
    }
}
