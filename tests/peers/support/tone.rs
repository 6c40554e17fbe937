//! Tones into WAV files, and how much of a recording is such a tone.

use std::{f64::consts::TAU, path::Path};

/// Writes `seconds` of a sine at `hz`, 48 kHz mono 16 bit.
pub fn write(path: &Path, hz: f64, seconds: u32) {
    write_as(path, hz, seconds, 48_000, 1);
}

/// The same at another rate and number of channels, as peers without a resampler need it.
pub fn write_as(path: &Path, hz: f64, seconds: u32, rate: u32, channels: u16) {
    let spec =
        hound::WavSpec { channels, sample_rate: rate, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut wav = hound::WavWriter::create(path, spec).expect("the test's folder can be written");
    for n in 0..rate * seconds {
        let sample = (9000.0 * (TAU * hz * f64::from(n) / f64::from(rate)).sin()) as i16;
        for _ in 0..channels {
            wav.write_sample(sample).expect("the test's folder can be written");
        }
    }
    wav.finalize().expect("the test's folder can be written");
}

/// First channel of a recording, and its rate.
pub fn read(path: &Path) -> (Vec<f64>, u32) {
    let mut wav = hound::WavReader::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let (rate, channels) = (wav.spec().sample_rate, wav.spec().channels as usize);
    let samples = wav.samples::<i16>().step_by(channels).map_while(Result::ok).map(f64::from).collect();
    (samples, rate)
}

/// Share of the energy at `hz` in windows of 50 ms, averaged over `seconds` after `skip`: 0.89 for a pure tone through a
/// Hann window, near 0 for silence and noise. Windows make it indifferent to a stretch or a drift.
pub fn share(path: &Path, hz: f64, skip: f64, seconds: f64) -> f64 {
    let (samples, rate) = read(path);
    let rate = f64::from(rate);
    let from = ((skip * rate) as usize).min(samples.len());
    let to = (from + (seconds * rate) as usize).min(samples.len());
    let size = (rate / 20.0) as usize;
    let windows: Vec<f64> = samples[from..to].chunks_exact(size).map(|w| window_share(w, hz, rate)).collect();
    if windows.len() < 10 { 0.0 } else { windows.iter().sum::<f64>() / windows.len() as f64 }
}

fn window_share(window: &[f64], hz: f64, rate: f64) -> f64 {
    let size = window.len() as f64;
    let k = 2.0 * (TAU * hz / rate).cos();
    let (mut a, mut b, mut energy) = (0.0, 0.0, 0.0);
    for (i, sample) in window.iter().enumerate() {
        let v = sample * (0.5 - 0.5 * (TAU * i as f64 / size).cos());
        (a, b) = (v + k * a - b, a);
        energy += v * v;
    }
    let silent = 1e5 * size;
    if energy < silent { 0.0 } else { (1.33 * (a * a + b * b - k * a * b) / (0.5 * size * energy)).min(1.0) }
}
