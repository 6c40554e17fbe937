//! Tones into WAV files, and how much of a recording is such a tone.

use std::{
    f64::consts::TAU,
    path::{Path, PathBuf},
};

/// A card of files in `dir` that speaks a tone, as `--audio` wants it, and the file of what it hears.
pub fn card(dir: &Path, name: &str, hz: f64) -> (String, PathBuf) {
    let (input, output) = (dir.join(format!("{name}-in.wav")), dir.join(format!("{name}-out.wav")));
    write(&input, hz, 5);
    (format!("file:{},{}", input.display(), output.display()), output)
}

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
    let windows: Vec<f64> = windows(&samples[from..to], hz, rate).map(Option::unwrap_or_default).collect();
    if windows.len() < 10 { 0.0 } else { windows.iter().sum::<f64>() / windows.len() as f64 }
}

/// How many seconds of a recording are the tone.
pub fn seconds(path: &Path, hz: f64) -> f64 {
    let (samples, rate) = read(path);
    windows(&samples, hz, f64::from(rate)).filter(|share| share.is_some_and(|share| share > 0.5)).count() as f64 / 20.0
}

/// What is heard for half a second or longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    Tone,
    Silence,
    Else,
}

/// What a recording holds one after the other, from the first tone to the last; what is shorter does not count.
pub fn heard(path: &Path, hz: f64) -> Vec<Heard> {
    let (samples, rate) = read(path);
    let kinds: Vec<Heard> = windows(&samples, hz, f64::from(rate))
        .map(|share| match share {
            Some(share) if share > 0.5 => Heard::Tone,
            Some(_) => Heard::Else,
            None => Heard::Silence,
        })
        .collect();
    let mut heard: Vec<Heard> =
        kinds.chunk_by(|a, b| a == b).filter(|alike| alike.len() >= 10).map(|alike| alike[0]).collect();
    heard.dedup();
    let tone = |one: &Heard| *one == Heard::Tone;
    let (first, last) = (heard.iter().position(tone), heard.iter().rposition(tone));
    first.zip(last).map(|(first, last)| heard[first..=last].to_vec()).unwrap_or_default()
}

/// The share at `hz` of each window of 50 ms; `None` for silence.
fn windows(samples: &[f64], hz: f64, rate: f64) -> impl Iterator<Item = Option<f64>> {
    samples.chunks_exact((rate / 20.0) as usize).map(move |window| window_share(window, hz, rate))
}

fn window_share(window: &[f64], hz: f64, rate: f64) -> Option<f64> {
    let size = window.len() as f64;
    let k = 2.0 * (TAU * hz / rate).cos();
    let (mut a, mut b, mut energy) = (0.0, 0.0, 0.0);
    for (i, sample) in window.iter().enumerate() {
        let v = sample * (0.5 - 0.5 * (TAU * i as f64 / size).cos());
        (a, b) = (v + k * a - b, a);
        energy += v * v;
    }
    let silent = 1e5 * size;
    (energy >= silent).then(|| (1.33 * (a * a + b * b - k * a * b) / (0.5 * size * energy)).min(1.0))
}
