//! Comfort noise as its sender describes it (RFC 3389): a level, and perhaps the shape of the spectrum.

/// Louder than 30 dB below overload is no background; whoever says so is not believed.
const LOUDEST_DBOV: u8 = 30;
/// Reflection coefficients used; background noise has no finer shape.
const MOST_COEFFICIENTS: usize = 12;
/// The step between two quantised coefficients (§3.2).
const COEFFICIENT: f32 = 258.0 / 32_768.0;
/// Fade in and out, in milliseconds.
const FADE_MS: f32 = 20.0;

/// What a comfort noise packet says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NoiseDescription {
    /// Mean square.
    pub power: f32,
    reflections: Vec<f32>,
}

impl NoiseDescription {
    /// `None` for an empty payload.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let (level, coefficients) = payload.split_first()?;
        let db = f32::from((level & 0x7f).max(LOUDEST_DBOV));
        let reflection = |byte: &u8| COEFFICIENT * (f32::from((*byte).min(254)) - 127.0);
        let reflections = coefficients.iter().take(MOST_COEFFICIENTS).map(reflection).collect();
        Some(Self { power: 10f32.powf(-db / 10.0), reflections })
    }

    /// The packet of a noise without a shape of its own.
    pub fn level(power: f32) -> [u8; 1] {
        [(-10.0 * power.max(1e-13).log10()).round().clamp(0.0, 127.0) as u8]
    }
}

/// Makes such noise. It is added to what is played, faded, so that it neither begins nor ends with a click.
#[derive(Debug)]
pub struct Noise {
    description: NoiseDescription,
    /// Standard deviation of what goes into the filter.
    excitation: f32,
    /// Of the lattice filter.
    states: [f32; MOST_COEFFICIENTS + 1],
    share: f32,
    random: u32,
}

impl Default for Noise {
    fn default() -> Self {
        let (description, states) = (NoiseDescription::default(), [0.0; MOST_COEFFICIENTS + 1]);
        Self { description, excitation: 0.0, states, share: 0.0, random: 0x9e37_79b9 }
    }
}

impl Noise {
    pub fn describe(&mut self, description: NoiseDescription) {
        // The filter amplifies by the inverse of this.
        let loss: f32 = description.reflections.iter().map(|k| 1.0 - k * k).product();
        // A uniform number in ±1 has a third.
        self.excitation = (3.0 * description.power * loss).sqrt();
        self.description = description;
    }

    /// Adds it to `samples` at `rate` Hz while it is `on`, and until it has faded out.
    pub fn add(&mut self, samples: &mut [f32], rate: u32, on: bool) {
        if !on && self.share == 0.0 {
            return;
        }
        let step = 1000.0 / (FADE_MS * rate as f32) * if on { 1.0 } else { -1.0 };
        for sample in samples {
            self.share = (self.share + step).clamp(0.0, 1.0);
            *sample += self.share * self.next();
        }
    }

    /// All-pole lattice synthesis.
    fn next(&mut self) -> f32 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        let mut forward = self.excitation * (self.random as i32 as f32 / i32::MAX as f32);
        for (n, k) in self.description.reflections.iter().enumerate().rev() {
            forward -= k * self.states[n];
            self.states[n + 1] = self.states[n] + k * forward;
        }
        self.states[0] = forward;
        forward
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::dsp::{peak, power};

    fn made(payload: &[u8], count: usize) -> Vec<f32> {
        let mut noise = Noise::default();
        noise.describe(NoiseDescription::parse(payload).unwrap());
        let mut out = vec![0.0; count];
        noise.add(&mut out, 8_000, true);
        out
    }

    /// Correlation of neighbours: positive where low frequencies are the stronger.
    fn tilt(samples: &[f32]) -> f32 {
        let neighbours = samples.windows(2).map(|pair| pair[0] * pair[1]).sum::<f32>();
        neighbours / (power(samples) * samples.len() as f32)
    }

    #[test]
    fn it_has_the_level_and_the_spectrum_that_it_was_told() {
        for (level, coefficients) in [(50, &[][..]), (65, &[]), (50, &[20]), (50, &[230, 90, 140]), (50, &[254; 30])] {
            let payload = [&[level][..], coefficients].concat();
            let samples = made(&payload, 80_000);
            let db = 10.0 * power(&samples[8_000..]).log10();
            // A filter on the brink of stability swings slowly.
            if !coefficients.contains(&254) {
                assert!((db + f32::from(level)).abs() < 1.0, "{payload:?}: {db}");
            }
            assert!(samples.iter().all(|sample| sample.is_finite() && sample.abs() <= 1.0), "{payload:?}");
        }
        assert!(tilt(&made(&[50], 80_000)).abs() < 0.05);
        assert!(tilt(&made(&[50, 20], 80_000)) > 0.7, "first coefficient near -1: low frequencies");
        assert!(tilt(&made(&[50, 234], 80_000)) < -0.7);
        assert!(NoiseDescription::parse(&[]).is_none());
        let loud = 10.0 * power(&made(&[0], 8_000)).log10();
        assert!(loud < -29.0, "nobody is shocked: {loud}");
    }

    #[test]
    fn it_begins_and_ends_softly() {
        let mut noise = Noise::default();
        noise.describe(NoiseDescription::parse(&[40]).unwrap());
        let mut out = vec![0.0; 1_600];
        noise.add(&mut out[..800], 8_000, true);
        noise.add(&mut out[800..], 8_000, false);
        assert!(peak(&out[..8]) < 0.1 * peak(&out[400..800]) && peak(&out[952..960]) < 0.1 * peak(&out[400..800]));
        assert!(out[960..].iter().all(|sample| *sample == 0.0));
    }

    #[test]
    fn what_is_measured_is_told() {
        assert_eq!(NoiseDescription::level(1e-5), [50]);
        assert_eq!(NoiseDescription::level(0.0), [127]);
        assert_eq!(NoiseDescription::level(4.0), [0]);
    }
}
