//! Noise shaping for G.711's encoder, as ITU-T G.711.1 does for its G.711 layer: the noise of quantisation follows the voice's own
//! spectrum, where the voice hides it. Every decoder of G.711 hears the difference, none needs to know.

use crate::media::dsp::prediction::{correlation, hann, levinson};

/// Order of the prediction that describes the spectrum, and how closely the noise follows it.
const ORDER: usize = 12;
const FOLLOWS: f64 = 0.92;
/// Samples of what came before that count for the spectrum: 10 ms.
const BEFORE: usize = 80;
/// White noise added to the spectrum (-30 dB, and one step of 16 bits), so that tones and silence don't drive the filter far.
const WHITE: f64 = 1.001;
const STEP: f64 = 1.0 / 32_768.0;
/// The noise fed back at most, of full scale: more comes from clipping, which no filter helps.
const MOST: f32 = 0.06;

/// Shapes one stream.
#[derive(Debug, Default)]
pub struct NoiseShaper {
    /// The end of the frame before, then this one.
    window: Vec<f32>,
    /// How the window fades in and out, and the window faded.
    taper: Vec<f64>,
    tapered: Vec<f64>,
    /// Noise made so far, newest first.
    noise: [f32; ORDER],
}

impl NoiseShaper {
    /// Quantises a frame: `quantise` takes a sample and returns its code and what a decoder makes of that.
    pub fn shape(&mut self, samples: &[f32], mut quantise: impl FnMut(f32) -> (u8, f32), codes: &mut Vec<u8>) {
        self.window.drain(..self.window.len().saturating_sub(BEFORE));
        self.window.extend_from_slice(samples);
        if self.taper.len() != self.window.len() {
            self.taper = hann(self.window.len());
        }
        self.tapered.clear();
        self.tapered.extend(self.window.iter().zip(&self.taper).map(|(&sample, taper)| f64::from(sample) * taper));
        let filter = filter(&self.tapered);
        for &sample in samples {
            let past: f32 = filter.iter().zip(&self.noise).map(|(factor, noise)| factor * noise).sum();
            let (code, made) = quantise(sample - past);
            codes.push(code);
            self.noise.copy_within(..ORDER - 1, 1);
            self.noise[0] = (made - sample).clamp(-MOST, MOST);
        }
    }
}

/// Predictor of the window's spectrum (autocorrelation, Levinson and Durbin), its resonances widened.
fn filter(tapered: &[f64]) -> [f32; ORDER] {
    let mut spectrum: [f64; ORDER + 1] = std::array::from_fn(|lag| correlation(tapered, lag));
    spectrum[0] = spectrum[0] * WHITE + STEP * STEP;
    let mut predictor = [0.0; ORDER];
    levinson(&spectrum, &mut predictor);
    let mut wide = 1.0;
    predictor.map(|factor| {
        wide *= FOLLOWS;
        (factor * wide) as f32
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::dsp::power;

    /// A coarse quantiser of eight bits.
    fn coarse(sample: f32) -> (u8, f32) {
        let step = (sample * 128.0).round().clamp(-128.0, 127.0);
        (step as i8 as u8, step / 128.0)
    }

    fn decoded(codes: &[u8]) -> Vec<f32> {
        codes.iter().map(|&code| f32::from(code as i8) / 128.0).collect()
    }

    /// How much more noise there may be in all for its lying where the voice is: 20 dB, for some voices are one tone, which hides it
    /// as long. And for what is silent, that of one step.
    const MORE: f32 = 100.0;
    const FLOOR: f32 = 1.0 / (12.0 * 128.0 * 128.0);

    /// A low voice: everything below 1 kHz.
    fn voice() -> Vec<f32> {
        (0..8_000).map(|n| (1..6).map(|h| 0.15 * (n as f32 * 0.11 * h as f32).sin() / h as f32).sum()).collect()
    }

    #[test]
    fn the_noise_lies_where_the_voice_is() {
        let spoken = voice();
        let (mut shaper, mut codes) = (NoiseShaper::default(), Vec::new());
        spoken.chunks(160).for_each(|frame| shaper.shape(frame, coarse, &mut codes));
        let plain: Vec<u8> = spoken.iter().map(|&sample| coarse(sample).0).collect();
        // What is left after four differences of neighbours is high: there this voice has nothing.
        let high = |codes: &[u8]| {
            let noise = decoded(codes).iter().zip(&spoken).map(|(made, said)| made - said).collect();
            let difference = |samples: Vec<f32>, _| samples.windows(2).map(|pair| pair[1] - pair[0]).collect();
            power(&(0..4).fold(noise, difference))
        };
        let (shaped, plain) = (high(&codes), high(&plain));
        println!("noise where the voice has nothing: {:.1} dB less", 10.0 * (plain / shaped).log10());
        assert!(shaped < plain / 2.0, "{shaped} {plain}");
    }

    mod properties {
        use super::*;
        use crate::properties::config;
        use proptest::prelude::*;

        proptest! {
            #![proptest_config(config(64, 7111))]
            #[test]
            fn whatever_is_said_stays_near(samples in prop::collection::vec(-1.0f32..1.0, 1..700), tone in 0.01f32..3.1, loud in 0.0f32..1.0) {
                let said: Vec<f32> =
                    samples.iter().enumerate().map(|(n, s)| if n % 400 < 200 { *s } else { loud * (n as f32 * tone).sin() }).collect();
                let (mut shaper, mut codes) = (NoiseShaper::default(), Vec::new());
                said.chunks(80).for_each(|frame| shaper.shape(frame, coarse, &mut codes));
                prop_assert_eq!(codes.len(), said.len());
                let noise = |made: Vec<f32>| power(&made.iter().zip(&said).map(|(made, said)| made - said).collect::<Vec<_>>());
                let (shaped, plain) = (noise(decoded(&codes)), noise(said.iter().map(|&sample| coarse(sample).1).collect()));
                prop_assert!(shaped < MORE * plain + FLOOR, "{} {}", shaped, plain);
                for (made, said) in decoded(&codes).iter().zip(&said) {
                    prop_assert!((made - said).abs() < 0.5, "{} {}", made, said);
                }
            }
        }
    }
}
