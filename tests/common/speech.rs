//! Something like speech, of which no piece is like another, and how much of it is recognised in a recording.

use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::path::Path;

/// Writes `seconds` of noise within the telephone's band, 16 bit, which unlike speech never pauses; the same in each channel; another `seed` gives another.
pub fn write(path: &Path, seed: u64, seconds: u32, rate: u32, channels: u16) {
    let mut noise = StdRng::seed_from_u64(seed);
    let spec =
        hound::WavSpec { channels, sample_rate: rate, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut wav = hound::WavWriter::create(path, spec).expect("the folder can be written");
    // The mean over a third of a millisecond leaves nothing at 3 kHz and little above.
    let mut last = vec![0.0f64; rate as usize / 3_000];
    let count = last.len();
    for n in 0..(rate * seconds) as usize {
        last[n % count] = noise.random_range(-30_000.0..30_000.0);
        for _ in 0..channels {
            wav.write_sample((last.iter().sum::<f64>() / count as f64) as i16).expect("the folder can be written");
        }
    }
    wav.finalize().expect("the folder can be written");
}

/// 1 for the same but for its loudness, 0 for silence and for anything else.
pub fn correlation(a: &[f32], b: &[f32]) -> f32 {
    let sum = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f32>();
    let energy = (sum(a, a) * sum(b, b)).sqrt();
    if energy < 1.0 { 0.0 } else { sum(a, b) / energy }
}
