//! Randomness as an argument. Owns the trait and a seeded source for tests and simulation; the operating system's
//! source is in `leasehold-host`.

/// A source of random bytes. Secrets, ids and nonces are drawn from it before a transaction starts.
pub trait Random: Send {
    /// Fills `bytes` whole.
    fn fill(&mut self, bytes: &mut [u8]);

    /// A random number below `bound` (at least 1). Slightly biased for huge bounds; not for secrets.
    fn below(&mut self, bound: u64) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes) % bound.max(1)
    }
}

/// `N` bytes from `random`.
pub fn bytes<const N: usize>(random: &mut dyn Random) -> [u8; N] {
    let mut bytes = [0; N];
    random.fill(&mut bytes);
    bytes
}

/// A reproducible source (SplitMix64, public domain by S. Vigna): the same seed gives the same bytes for ever.
/// Never for secrets.
#[derive(Clone, Debug)]
pub struct Seeded(u64);

impl Seeded {
    /// A source that starts at `seed`.
    pub fn new(seed: u64) -> Seeded {
        Seeded(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Random for Seeded {
    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let value = self.next().to_le_bytes();
            chunk.copy_from_slice(&value[..chunk.len()]);
        }
    }
}
