//! How tests try what must hold whatever comes.

use proptest::{prelude::ProptestConfig, test_runner::RngSeed};

/// The same cases at every run, by their `seed`; `make soak` asks for many times as many.
pub fn config(cases: u32, seed: u64) -> ProptestConfig {
    let times = std::env::var("AM_FUZZ_TIMES").ok().and_then(|times| times.parse().ok()).unwrap_or(1);
    let (cases, rng_seed) = (cases.saturating_mul(times), RngSeed::Fixed(seed));
    ProptestConfig { cases, rng_seed, failure_persistence: None, ..ProptestConfig::default() }
}
