//! Randomness as an argument: which upstream of equal priority goes first, and
//! the jitter of retries.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// A source of random numbers.
pub(super) trait Dice: Send + Sync {
    /// A number below `bound`; 0 when that is 0.
    fn below(&self, bound: u64) -> u64;
}

/// SplitMix64 (Steele, Lea, Flood 2014): good enough to share load, and one
/// atomic addition.
#[derive(Debug)]
pub(super) struct SplitMix(AtomicU64);

impl SplitMix {
    /// Seeded by the hasher's keys, which the system's random source seeds.
    pub(super) fn seeded() -> Self {
        Self(AtomicU64::new(RandomState::new().hash_one(0_u8)))
    }

    fn next(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Dice for SplitMix {
    fn below(&self, bound: u64) -> u64 {
        let scaled = (u128::from(self.next()) * u128::from(bound)) >> 64;
        u64::try_from(scaled).unwrap_or(0)
    }
}
