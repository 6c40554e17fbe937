//! Protects the ear against acoustic shock (ITU-T P.360, ETSI EG 202 518): fax tones, feedback, a shout into the microphone.
//!
//! The recommendation speaks of pressure at the ear, which depends on headset and volume; what passes here is bounded so that
//! the level, averaged as sound level meters do (125 ms), stays 9 dB below full scale, and no sample passes full scale. A headset
//! built for P.360, which makes at most 118 dB(A) of a full-scale tone at full volume, then stays below 112. Speech at its usual
//! level (ITU-T G.100.1: 26 dB below overload) is 17 dB away from that and passes unchanged, sample by sample.

use crate::media::SAMPLE_RATE;

/// Mean square that the weighted average never exceeds: 9 dB below overload.
const MOST: f32 = 0.126;
/// The gain aims a decibel lower, so that the bound, which would distort, is for the unforeseen.
const AIM: f32 = 0.1;
/// "Fast" of IEC 61672-1, in samples.
const WEIGHTING: f32 = 0.125 * SAMPLE_RATE as f32;
/// How soon loudness is seen, and how slowly a lowered gain comes back, in samples.
const ATTACK: f32 = 0.02 * SAMPLE_RATE as f32;
const RELEASE: f32 = 0.5 * SAMPLE_RATE as f32;

/// See the module. Adds no delay.
#[derive(Debug)]
pub struct Limiter {
    /// Mean square of what comes in, lately.
    seen: f32,
    gain: f32,
    /// Weighted mean square of what goes out.
    passed: f32,
}

impl Default for Limiter {
    fn default() -> Self {
        Self { seen: 0.0, gain: 1.0, passed: 0.0 }
    }
}

impl Limiter {
    pub fn process(&mut self, block: &mut [f32]) {
        for sample in block {
            *sample = self.next(if sample.is_finite() { *sample } else { 0.0 });
        }
    }

    fn next(&mut self, sample: f32) -> f32 {
        // Whatever a mix adds up to, one sample counts for no more than full scale does.
        let heard = sample.clamp(-1.0, 1.0);
        self.seen += (heard * heard - self.seen) * (1.0 / ATTACK);
        // Divisions and roots are for what is loud: speech is neither.
        let wanted = if self.seen > AIM { (AIM / self.seen).sqrt() } else { 1.0 };
        self.gain = if wanted < self.gain { wanted } else { self.gain + (wanted - self.gain) * (1.0 / RELEASE) };
        if self.gain > 0.999 && wanted == 1.0 {
            self.gain = 1.0;
        }
        let room = (MOST - self.passed) * WEIGHTING + self.passed;
        let most = if room < 1.0 { room.max(0.0).sqrt() } else { 1.0 };
        let passed = (heard * self.gain).clamp(-most, most);
        self.passed += (passed * passed - self.passed) * (1.0 / WEIGHTING);
        passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::dsp::power;

    fn sine(level: f32, ms: usize) -> impl Iterator<Item = f32> {
        (0..ms * 48).map(move |n| level * (n as f32 * 0.13).sin())
    }

    #[test]
    fn speech_passes_unchanged_and_a_shriek_does_not() {
        let mut limiter = Limiter::default();
        // Loud speech: 14 dB below overload, its peaks at full scale.
        let spoken: Vec<f32> = sine(0.28, 400).enumerate().map(|(n, s)| if n % 480 == 0 { 1.0 } else { s }).collect();
        let mut heard = spoken.clone();
        limiter.process(&mut heard);
        assert_eq!(heard, spoken);
        let mut shriek: Vec<f32> = sine(1.0, 1_000).collect();
        limiter.process(&mut shriek);
        let settled = power(&shriek[24_000..]);
        assert!((0.09..=0.101).contains(&settled), "by the gain, not by clipping: {settled}");
        let crest = shriek[24_000..].iter().fold(0.0f32, |most, s| most.max(s.abs())) / settled.sqrt();
        assert!((crest - std::f32::consts::SQRT_2).abs() < 0.05, "a sine stays one: {crest}");
        // What comes afterwards is heard as before within three seconds.
        let mut quiet: Vec<f32> = sine(0.1, 4_000).collect();
        limiter.process(&mut quiet);
        assert!(power(&quiet[144_000..]) > 0.99 * 0.005);
    }

    mod properties {
        use super::*;
        use crate::properties::config;
        use proptest::prelude::*;

        proptest! {
            #![proptest_config(config(48, 360))]

            /// Whatever comes: full scale and the weighted level are never passed, measured apart from the limiter's own account.
            #[test]
            fn nothing_gets_past_the_bound(pieces in prop::collection::vec((any::<f32>(), 0.0f32..3.0, 1usize..400, 0u8..4), 1..12)) {
                let mut limiter = Limiter::default();
                let mut level = 0.0f64;
                for (odd, loud, ms, kind) in pieces {
                    let mut block: Vec<f32> = match kind {
                        0 => sine(loud, ms).collect(),
                        1 => sine(loud, ms).map(f32::signum).collect(),
                        2 => vec![odd; ms * 48],
                        _ => sine(loud, ms).enumerate().map(|(n, s)| if n % 997 == 0 { f32::NAN } else { s * 0.01 }).collect(),
                    };
                    limiter.process(&mut block);
                    for sample in block {
                        prop_assert!(sample.abs() <= 1.0);
                        level += (f64::from(sample * sample) - level) / f64::from(WEIGHTING);
                        prop_assert!(level <= f64::from(MOST) * 1.01, "{level}");
                    }
                }
            }
        }
    }
}
