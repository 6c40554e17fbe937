//! The proof that one heard oneself: a tone goes in, and how much of what comes back is that tone.

use super::StoryError;
use hound::{SampleFormat, WavReader, WavSpec, WavWriter};
use std::{f64::consts::TAU, path::Path};

/// Hz: musical A.
const TONE: f64 = 440.0;
const RATE: u32 = 48_000;
const SECONDS: u32 = 10;
const LEVEL: f64 = 9_000.0;
/// 50 ms, so that a stretch of the sound in a jitter buffer does not count against it.
const WINDOW: usize = RATE as usize / 20;
/// Quieter windows are silence: root mean square of a 16-bit sample.
const AUDIBLE: f64 = 300.0;

/// Writes the tone.
///
/// # Errors
/// Where the file cannot be written.
pub fn write_tone(path: &Path) -> Result<(), StoryError> {
    let spec = WavSpec { channels: 1, sample_rate: RATE, bits_per_sample: 16, sample_format: SampleFormat::Int };
    let mut file = WavWriter::create(path, spec)?;
    for n in 0..RATE * SECONDS {
        file.write_sample((LEVEL * (TAU * TONE * f64::from(n) / f64::from(RATE)).sin()) as i16)?;
    }
    Ok(file.finalize()?)
}

/// The seconds in which the recording is our tone and nothing else.
///
/// # Errors
/// Where the recording cannot be read.
pub fn seconds_heard(path: &Path) -> Result<f64, StoryError> {
    let samples: Result<Vec<i16>, _> = WavReader::open(path)?.samples().collect();
    let windows = samples?.chunks_exact(WINDOW).filter(|window| share_of_tone(window) > 0.7).count();
    Ok(windows as f64 * WINDOW as f64 / f64::from(RATE))
}

/// Goertzel's algorithm under a Hann window: the share of the energy at [`TONE`], 0 to 1.
fn share_of_tone(window: &[i16]) -> f64 {
    let size = window.len() as f64;
    let step = 2.0 * (TAU * TONE / f64::from(RATE)).cos();
    let (mut before, mut last, mut energy) = (0.0, 0.0, 0.0);
    for (n, &sample) in window.iter().enumerate() {
        let x = f64::from(sample) * (0.5 - 0.5 * (TAU * n as f64 / size).cos());
        (before, last) = (last, x + step * last - before);
        energy += x * x;
    }
    if energy < AUDIBLE * AUDIBLE * size * 0.375 {
        return 0.0;
    }
    let at_tone = last * last + before * before - step * last * before;
    // The window spreads a pure tone: two thirds of it falls into the bin.
    (at_tone / (0.5 * size * energy) * 1.5).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tone_is_told_from_anything_else() {
        let window = |hz: f64, level: f64| -> Vec<i16> {
            (0..WINDOW).map(|n| (level * (TAU * hz * n as f64 / f64::from(RATE)).sin()) as i16).collect()
        };
        for (hz, level, ours) in
            [(440.0, 9_000.0, true), (440.0, 2_000.0, true), (1_000.0, 9_000.0, false), (440.0, 50.0, false)]
        {
            let share = share_of_tone(&window(hz, level));
            assert_eq!(share > 0.7, ours, "{hz} Hz at {level}: {share}");
        }
    }
}
