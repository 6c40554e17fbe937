//! How tests try what must hold whatever comes.

use proptest::{
    prelude::*,
    sample::{Index, select},
    test_runner::RngSeed,
};
use std::{fs, path::Path};

/// The same cases at every run, by their `seed`; `make soak` asks for many times as many.
pub fn config(cases: u32, seed: u64) -> ProptestConfig {
    let (cases, rng_seed) = (cases.saturating_mul(times()), RngSeed::Fixed(seed));
    ProptestConfig { cases, rng_seed, failure_persistence: None, ..ProptestConfig::default() }
}

/// How many times as much as usual is to be tried.
pub fn times() -> u32 {
    std::env::var("AM_FUZZ_TIMES").ok().and_then(|times| times.parse().ok()).unwrap_or(1)
}

/// Those datagrams of peers, strangers and servers whose names begin so; see tests/fixtures/media/datagrams.txt.
pub fn datagrams(kind: &str) -> Vec<Vec<u8>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/media/datagrams.txt");
    let text = fs::read_to_string(file).unwrap();
    let octets =
        |hex: &str| (0..hex.len()).step_by(2).map(|n| u8::from_str_radix(&hex[n..n + 2], 16).unwrap()).collect();
    let named = text.lines().filter(|line| !line.starts_with('#')).map(|line| line.split_once(' ').unwrap());
    named.filter(|(name, _)| name.starts_with(kind)).map(|(_, hex)| octets(hex)).collect()
}

/// What the files of a folder of tests/fixtures hold.
pub fn fixtures(folder: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(folder);
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|file| fs::read(file).unwrap()).collect()
}

/// One of `corpus`, whole or with some octets changed, lost or added.
pub fn spoilt(corpus: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> + Clone {
    let change = (any::<Index>(), any::<u8>(), 0..5u8);
    (select(corpus), prop::collection::vec(change, 0..5)).prop_map(|(mut octets, changes)| {
        for (at, octet, kind) in changes {
            let at = at.index(octets.len() + 1);
            match kind {
                0 => octets.truncate(at),
                1 => octets.insert(at, octet),
                // Fields of length are where harm is done.
                2 if at < octets.len() => octets[at] = 0xff,
                _ if at < octets.len() => octets[at] = octet,
                _ => octets.extend(vec![octet; 1_200]),
            }
        }
        octets
    })
}
