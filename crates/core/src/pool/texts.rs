//! Texts that many leases have in common: users, hosts, versions. Each is kept once.

use super::Ask;
use std::collections::HashSet;
use std::sync::Arc;

/// Texts kept before anybody looks which of them are still used.
const LOOK_FROM: usize = 1_024;

/// Owns nothing that counts: without it everything would be the same, with more memory.
#[derive(Default, Debug)]
pub(super) struct Texts {
    texts: HashSet<Arc<str>>,
    /// How many there were of use when it was looked last.
    used: usize,
}

impl Texts {
    /// Puts what is kept in the place of equal texts of `ask`.
    pub(super) fn share_all(&mut self, ask: &mut Ask) {
        for text in [&mut ask.version, &mut ask.user, &mut ask.host, &mut ask.host_id, &mut ask.boot_id] {
            self.share(text);
        }
        // When twice as many came as were of use, those that no lease has any more go: a fixed cost for each that came.
        if self.texts.len() > LOOK_FROM.max(2 * self.used) {
            self.texts.retain(|text| Arc::strong_count(text) > 1);
            self.texts.shrink_to_fit();
            self.used = self.texts.len();
        }
    }

    fn share(&mut self, text: &mut Arc<str>) {
        match self.texts.get(text) {
            Some(kept) => *text = Arc::clone(kept),
            None => drop(self.texts.insert(Arc::clone(text))),
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.texts.len()
    }
}
