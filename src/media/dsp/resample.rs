//! Conversion between sample rates whose ratio is rational: one polyphase filter for every pair of rates in use.

use super::dot;

/// Zero crossings of the sinc on each side: 16 leave 2 ms of delay at 8 kHz and a pass band up to 3.3 kHz.
const CROSSINGS: usize = 16;
/// Cutoff as a share of the lower Nyquist frequency.
const CUTOFF: f64 = 0.93;
/// Kaiser window's shape: about 60 dB of stop-band attenuation.
const BETA: f64 = 6.0;

/// A streaming resampler; its delay is half its filter.
#[derive(Debug)]
pub struct Resampler {
    up: usize,
    down: usize,
    taps: usize,
    /// `up` filters of `taps` coefficients.
    filters: Vec<f32>,
    /// Input not yet consumed, after the filter's history.
    input: Vec<f32>,
    /// Which of the filters makes the next output.
    phase: usize,
}

impl Resampler {
    /// `from` and `to` in Hz, both above zero. Memory grows with `to / gcd(from, to)`.
    pub fn new(from: u32, to: u32) -> Self {
        let divisor = gcd(from, to);
        let (up, down) = ((to / divisor) as usize, (from / divisor) as usize);
        if up == down {
            return Self { up: 1, down: 1, taps: 1, filters: vec![1.0], input: Vec::new(), phase: 0 };
        }
        let scale = (up as f64 / down as f64).min(1.0);
        // A multiple of eight suits `dot`.
        let taps = ((2.0 * CROSSINGS as f64 / scale).ceil() as usize).next_multiple_of(8);
        let mut filters = Vec::with_capacity(up * taps);
        for phase in 0..up {
            filters.extend(filter(phase as f64 / up as f64, taps, scale));
        }
        Self { up, down, taps, filters, input: vec![0.0; taps - 1], phase: 0 }
    }

    /// Appends the converted samples to `output`. A whole number of input samples per output sample (or the reverse) gives
    /// the exact count at every call.
    pub fn process(&mut self, input: &[f32], output: &mut Vec<f32>) {
        if self.taps == 1 {
            output.extend_from_slice(input);
            return;
        }
        self.input.extend_from_slice(input);
        let mut at = 0;
        while at + self.taps <= self.input.len() {
            let filter = &self.filters[self.phase * self.taps..][..self.taps];
            output.push(dot(filter, &self.input[at..at + self.taps]));
            self.phase += self.down;
            at += self.phase / self.up;
            self.phase %= self.up;
        }
        // `at` lies within the input: a step is far shorter than the filter.
        self.input.drain(..at);
    }
}

/// Coefficients for an output that lies `fraction` of an input sample after the filter's centre; their sum is one.
fn filter(fraction: f64, taps: usize, scale: f64) -> Vec<f32> {
    let centre = (taps / 2 - 1) as f64 + fraction;
    let half = taps as f64 / 2.0;
    let mut values: Vec<f64> = (0..taps)
        .map(|tap| {
            let x = tap as f64 - centre;
            sinc(x * scale * CUTOFF) * bessel_i0(BETA * (1.0 - (x / half).powi(2)).max(0.0).sqrt())
        })
        .collect();
    let sum: f64 = values.iter().sum();
    values.iter_mut().for_each(|value| *value /= sum);
    values.into_iter().map(|value| value as f32).collect()
}

fn sinc(x: f64) -> f64 {
    let x = x * std::f64::consts::PI;
    if x.abs() < 1e-9 { 1.0 } else { x.sin() / x }
}

/// Modified Bessel function of the first kind, order zero, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let (mut sum, mut term, mut k) = (1.0, 1.0, 1.0);
    while term > sum * 1e-9 {
        term *= (x / (2.0 * k)).powi(2);
        sum += term;
        k += 1.0;
    }
    sum
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::dsp::{power, tone_share};

    fn sine(frequency: f64, rate: u32, samples: usize) -> Vec<f32> {
        (0..samples)
            .map(|n| (0.5 * (2.0 * std::f64::consts::PI * frequency * n as f64 / f64::from(rate)).sin()) as f32)
            .collect()
    }

    #[test]
    fn keeps_a_tone_between_all_rates_in_use() {
        for (from, to) in [(8_000, 48_000), (48_000, 8_000), (44_100, 48_000), (16_000, 48_000), (48_000, 44_100)] {
            let mut resampler = Resampler::new(from, to);
            let mut out = Vec::new();
            for chunk in sine(1_000.0, from, from as usize).chunks(from as usize / 50) {
                resampler.process(chunk, &mut out);
            }
            assert!((out.len() as i64 - i64::from(to)).abs() <= 6, "{from} to {to}: {} samples", out.len());
            let settled = &out[out.len() / 4..];
            assert!(tone_share(settled, 1_000.0, to) > 0.999, "{from} to {to}");
            assert!((power(settled) - 0.125).abs() < 0.003, "{from} to {to}: {}", power(settled));
        }
    }

    #[test]
    fn gives_exact_blocks_for_whole_ratios() {
        let (mut down, mut up) = (Resampler::new(48_000, 8_000), Resampler::new(8_000, 48_000));
        for _ in 0..10 {
            let (mut narrow, mut wide) = (Vec::new(), Vec::new());
            down.process(&[0.1; 480], &mut narrow);
            up.process(&narrow, &mut wide);
            assert_eq!((narrow.len(), wide.len()), (80, 480));
        }
    }

    #[test]
    fn suppresses_what_would_alias() {
        let mut out = Vec::new();
        Resampler::new(48_000, 8_000).process(&sine(5_000.0, 48_000, 48_000), &mut out);
        assert!(power(&out[200..]) < 0.125 * 1e-4, "{}", power(&out[200..]));
    }
}
