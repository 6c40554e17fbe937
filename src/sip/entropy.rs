//! Randomness handed to the cores, so that a run with a seed repeats exactly.

use rand::{Rng, SeedableRng, rngs::StdRng};

/// A cryptographically strong generator for identifiers, nonces and jitter.
#[derive(Debug)]
pub struct Entropy(StdRng);

impl Entropy {
    /// Seeded by the operating system; for shells.
    pub fn from_system() -> Self {
        Self(rand::make_rng())
    }

    /// Repeatable; for tests and simulations.
    pub fn from_seed(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// An independent generator, for handing to another machine.
    pub fn fork(&mut self) -> Self {
        Self(StdRng::from_rng(&mut self.0))
    }

    pub fn u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    pub fn u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in `0.0..1.0`.
    pub fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// `2 * bytes` lower-case hexadecimal digits.
    pub fn hex(&mut self, bytes: usize) -> String {
        (0..bytes).map(|_| format!("{:02x}", self.0.next_u32() as u8)).collect()
    }

    /// A Via branch with RFC 3261's magic cookie (§8.1.1.7) and 128 random bits.
    pub fn branch(&mut self) -> String {
        format!("z9hG4bK{}", self.hex(16))
    }

    /// A From or To tag: 64 random bits, where RFC 3261 §19.3 asks for at least 32.
    pub fn tag(&mut self) -> String {
        self.hex(8)
    }

    /// A Call-ID without a host part: 128 random bits, nothing about this machine (RFC 3261 §8.1.1.4).
    pub fn call_id(&mut self) -> String {
        self.hex(16)
    }
}
