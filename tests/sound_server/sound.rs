//! Sounds in WAV files of 48 kHz.

use std::path::Path;

/// Writes `seconds` of the samples that `at` gives, in units of 16 bits.
pub fn write(path: &Path, seconds: u32, at: impl Fn(u32) -> f64) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 48_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).expect("the folder can be written");
    for n in 0..48_000 * seconds {
        writer.write_sample(at(n) as i16).expect("the folder can be written");
    }
    writer.finalize().expect("the folder can be written");
}

/// Writes `seconds` of a tone.
pub fn write_tone(path: &Path, seconds: u32, hz: f64) {
    write(path, seconds, |n| (f64::from(n) / 48_000.0 * hz * std::f64::consts::TAU).sin() * 10_000.0);
}
