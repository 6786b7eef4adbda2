//! Wrong secrets and passwords, counted for each address, in memory: guessing is slowed down. What is right is never
//! held up.

use leasehold_core::time::{MINUTE_MS, Ms};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

const WINDOW_MS: i64 = 5 * MINUTE_MS;
/// Addresses that are remembered; beyond that all are forgotten, which costs a guesser nothing but more addresses.
const PLACES_MAX: usize = 10_000;

/// Counts what was wrong.
#[derive(Debug)]
pub(crate) struct Throttle {
    max: u32,
    places: Mutex<HashMap<IpAddr, (Ms, u32)>>,
}

impl Throttle {
    /// At most `max` wrong ones in five minutes from one place.
    pub(crate) fn new(max: u32) -> Throttle {
        Throttle { max, places: Mutex::default() }
    }

    /// Seconds to wait, if there were too many.
    pub(crate) fn wait_s(&self, address: IpAddr, now: Ms) -> Option<i64> {
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, count) = *places.get(&place(address))?;
        let left_ms = WINDOW_MS - now.since(since);
        (count >= self.max && counts(since, now)).then_some(left_ms.div_euclid(1_000) + 1)
    }

    /// Counts a wrong one.
    pub(crate) fn failed(&self, address: IpAddr, now: Ms) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if places.len() >= PLACES_MAX {
            places.retain(|_, (since, _)| counts(*since, now));
            if places.len() >= PLACES_MAX {
                places.clear();
            }
        }
        let (since, count) = places.entry(place(address)).or_insert((now, 0));
        if !counts(*since, now) {
            (*since, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
    }

    /// Forgets a place that has shown the right one.
    pub(crate) fn forget(&self, address: IpAddr) {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).remove(&place(address));
    }
}

/// Whether what was counted from `since` on still counts. What is later than now was counted before the server's time
/// was set back.
fn counts(since: Ms, now: Ms) -> bool {
    (0..WINDOW_MS).contains(&now.since(since))
}

/// One machine or one home: an IPv6 customer has a whole /64.
fn place(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_wrong_ones_wait_and_other_places_do_not() {
        let throttle = Throttle::new(3);
        let [here, there, net] = ["192.0.2.1", "192.0.2.2", "2001:db8::1"].map(|text| text.parse().unwrap());
        for _ in 0..3 {
            assert_eq!(throttle.wait_s(here, Ms(0)), None);
            throttle.failed(here, Ms(0));
            throttle.failed(net, Ms(0));
        }
        assert_eq!(throttle.wait_s(here, Ms(1_000)), Some(300));
        assert_eq!(throttle.wait_s("2001:db8::2".parse().unwrap(), Ms(1_000)), Some(300), "the same home");
        assert_eq!(throttle.wait_s(there, Ms(1_000)), None);
        assert_eq!(throttle.wait_s(here, Ms(WINDOW_MS)), None);
    }
}
