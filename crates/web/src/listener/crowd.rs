//! How many connections are open from which address, so that one of them cannot take all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// The open connections of one listener. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Crowd(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One connection's place; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    crowd: Crowd,
    address: IpAddr,
}

impl Crowd {
    /// A place for one more connection, if `address` has fewer than `most`.
    pub(super) fn enter(&self, address: IpAddr, most: usize) -> Option<Place> {
        let mut crowd = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let open = crowd.entry(address).or_insert(0);
        if *open >= most {
            return None;
        }
        *open += 1;
        Some(Place { crowd: self.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut crowd = self.crowd.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = crowd.get_mut(&self.address) {
            *open -= 1;
            if *open == 0 {
                crowd.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_own_places_and_gets_them_back() {
        let (crowd, one, two) = (Crowd::default(), IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let first = crowd.enter(one, 1).unwrap();
        assert!(crowd.enter(one, 1).is_none());
        assert!(crowd.enter(two, 1).is_some());
        drop(first);
        assert!(crowd.enter(one, 1).is_some());
        assert!(crowd.0.lock().unwrap().is_empty());
    }
}
