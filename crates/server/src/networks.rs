//! Which addresses are heard at all: the lists of networks, as a pure decision, and who was turned away lately.
//!
//! Knows no socket. An application that holds a seat is heard at an address that was shut out later, so that it can keep
//! and return it: a list ends nobody's work.

use leasehold_core::time::Ms;
use leasehold_web::proxy::Network;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// Addresses of which it is remembered that they were turned away.
const TURNED_AWAY_MAX: usize = 200;

/// Which addresses are heard.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct NetworkLists {
    /// Only these; empty for all.
    pub(crate) allow: Vec<Network>,
    /// Not these, whatever the other list says.
    pub(crate) deny: Vec<Network>,
}

impl NetworkLists {
    /// Whether `address` is heard. The server's own machine always is.
    pub(crate) fn admit(&self, address: IpAddr) -> bool {
        let on = |list: &[Network]| list.iter().any(|network| network.contains(address));
        address.to_canonical().is_loopback() || (!on(&self.deny) && (self.allow.is_empty() || on(&self.allow)))
    }
}

/// An address that was turned away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TurnedAway {
    /// Which.
    pub(crate) address: IpAddr,
    /// How often.
    pub(crate) times: u64,
    /// When last.
    pub(crate) last_at: Ms,
}

/// Addresses beside the lists.
#[derive(Clone, Default, Debug)]
pub(crate) struct Neighbors(Arc<Known>);

#[derive(Default, Debug)]
struct Known {
    holding: RwLock<HashSet<IpAddr>>,
    /// Addresses of this machine, by which it has asked itself.
    own: RwLock<HashSet<IpAddr>>,
    turned_away: Mutex<HashMap<IpAddr, (u64, Ms)>>,
}

impl Neighbors {
    /// Where seats are held that the lists would shut out.
    pub(crate) fn set_holding(&self, addresses: HashSet<IpAddr>) {
        *self.0.holding.write().unwrap_or_else(PoisonError::into_inner) = addresses;
    }

    /// Whether a seat is held at an address that the lists shut out.
    pub(crate) fn holds(&self, address: IpAddr) -> bool {
        self.0.holding.read().unwrap_or_else(PoisonError::into_inner).contains(&address.to_canonical())
    }

    /// This machine has asked itself by `address`.
    pub(crate) fn note_own(&self, address: IpAddr) {
        if !self.is_own(address) {
            self.0.own.write().unwrap_or_else(PoisonError::into_inner).insert(address.to_canonical());
        }
    }

    /// Whether `address` is one of this machine's, as far as it has asked itself.
    pub(crate) fn is_own(&self, address: IpAddr) -> bool {
        self.0.own.read().unwrap_or_else(PoisonError::into_inner).contains(&address.to_canonical())
    }

    /// Notes that an address was turned away; `true` if it is the first time.
    pub(crate) fn turn_away(&self, address: IpAddr, now: Ms) -> bool {
        let mut known = self.0.turned_away.lock().unwrap_or_else(PoisonError::into_inner);
        let address = address.to_canonical();
        if let Some((times, last_at)) = known.get_mut(&address) {
            (*times, *last_at) = (times.saturating_add(1), now);
            return false;
        }
        if known.len() >= TURNED_AWAY_MAX
            && let Some(oldest) = known.iter().min_by_key(|(_, (_, last_at))| *last_at).map(|(address, _)| *address)
        {
            known.remove(&oldest);
        }
        known.insert(address, (1, now));
        true
    }

    /// Who was turned away since the start, the newest first.
    pub(crate) fn turned_away(&self) -> Vec<TurnedAway> {
        let known = self.0.turned_away.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<TurnedAway> = known
            .iter()
            .map(|(address, (times, last_at))| TurnedAway { address: *address, times: *times, last_at: *last_at })
            .collect();
        all.sort_by_key(|away| (std::cmp::Reverse(away.last_at), away.address));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists(allow: &[&str], deny: &[&str]) -> NetworkLists {
        let parse = |list: &[&str]| list.iter().map(|text| text.parse().unwrap()).collect();
        NetworkLists { allow: parse(allow), deny: parse(deny) }
    }

    #[test]
    fn deny_wins_and_the_own_machine_is_never_shut_out() {
        for (allow, deny, address, heard) in [
            (&[][..], &[][..], "203.0.113.5", true),
            (&["10.0.0.0/8"], &[], "10.1.2.3", true),
            (&["10.0.0.0/8"], &[], "::ffff:10.1.2.3", true),
            (&["10.0.0.0/8"], &[], "192.0.2.1", false),
            (&["10.0.0.0/8"], &["10.9.0.0/16"], "10.9.1.1", false),
            (&[], &["2001:db8::/32"], "2001:db8::7", false),
            (&["10.0.0.0/8"], &["0.0.0.0/0", "::/0"], "127.0.0.1", true),
            (&["10.0.0.0/8"], &["0.0.0.0/0", "::/0"], "::1", true),
        ] {
            assert_eq!(lists(allow, deny).admit(address.parse().unwrap()), heard, "{allow:?} {deny:?} {address}");
        }
    }

    #[test]
    fn a_flood_of_addresses_fills_no_memory() {
        let neighbors = Neighbors::default();
        for number in 0..1_000_u32 {
            assert!(neighbors.turn_away(IpAddr::from(number.to_be_bytes()), Ms(i64::from(number))));
        }
        assert!(!neighbors.turn_away(IpAddr::from(999_u32.to_be_bytes()), Ms(2_000)));
        let known = neighbors.turned_away();
        assert_eq!((known.len(), known[0].times, known[0].last_at), (TURNED_AWAY_MAX, 2, Ms(2_000)));
    }
}
