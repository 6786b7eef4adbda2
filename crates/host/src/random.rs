//! The process's [`Random`].

use leasehold_core::random::Random;

/// The operating system's random bytes; fit for secrets.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsRandom;

impl Random for OsRandom {
    /// # Panics
    /// If the operating system gives no random bytes; nothing secure can be done then.
    #[expect(clippy::disallowed_methods, reason = "this is the process's source of randomness")]
    fn fill(&mut self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system gives random bytes");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use leasehold_core::random::bytes;

    #[test]
    fn two_draws_differ() {
        assert_ne!(bytes::<32>(&mut OsRandom), bytes::<32>(&mut OsRandom));
    }
}
