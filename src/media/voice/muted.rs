//! Notices that somebody talks while muted, to the microphone's samples alone.

use crate::media::{BLOCK, dsp::power};

/// A voice is so much above the room's noise (12 dB), and no softer than this (-46 dB).
const ABOVE_NOISE: f32 = 16.0;
const SOFTEST: f32 = 2.5e-5;
/// The room's noise may come up so fast: 6 dB in five seconds.
const NOISE_RISES: f32 = 1.0028;
/// Blocks of a voice that make talk (a cough is shorter), and those until it is said again.
const TALK: f32 = 60.0;
const REST: u32 = 1_500;

/// See the module.
#[derive(Debug)]
pub struct TalkDetector {
    noise: f32,
    /// Blocks of a voice, pauses taken off.
    talk: f32,
    rest: u32,
}

impl Default for TalkDetector {
    fn default() -> Self {
        Self { noise: SOFTEST, talk: 0.0, rest: 0 }
    }
}

impl TalkDetector {
    /// What the microphone heard while muted. Returns whether to say so.
    pub fn hear(&mut self, samples: &[f32]) -> bool {
        let mut talks = false;
        for block in samples.chunks(BLOCK) {
            let power = power(block);
            let voice = power > SOFTEST.max(self.noise * ABOVE_NOISE);
            self.noise = (self.noise * NOISE_RISES).min(power).max(SOFTEST / ABOVE_NOISE);
            self.talk = if voice { self.talk + 1.0 } else { (self.talk - 0.5).max(0.0) };
            self.rest = self.rest.saturating_sub(1);
            if self.talk >= TALK && self.rest == 0 {
                (self.talk, self.rest) = (0.0, REST);
                talks = true;
            }
        }
        talks
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng, rngs::StdRng};

    fn noise(random: &mut StdRng, level: f32, ms: usize) -> Vec<f32> {
        (0..ms * 48).map(|_| random.random_range(-level..level)).collect()
    }

    #[test]
    fn talk_is_told_soon_and_not_again_and_again() {
        let mut random = StdRng::seed_from_u64(1);
        let mut detector = TalkDetector::default();
        assert!(!detector.hear(&noise(&mut random, 0.004, 3_000)), "the room");
        let mut told = Vec::new();
        for word in 0..60 {
            // Words of 300 ms, pauses of 100.
            if detector.hear(&noise(&mut random, 0.2, 300)) {
                told.push(word);
            }
            detector.hear(&noise(&mut random, 0.004, 100));
        }
        assert_eq!(told, [2, 39], "after a second, and after fifteen more");
    }

    #[test]
    fn coughs_fans_and_silence_are_no_talk() {
        let mut random = StdRng::seed_from_u64(2);
        let mut detector = TalkDetector::default();
        assert!(!detector.hear(&vec![0.0; 480_000]));
        for _ in 0..10 {
            assert!(!detector.hear(&noise(&mut random, 0.5, 400)), "a cough");
            assert!(!detector.hear(&noise(&mut random, 0.004, 2_000)));
        }
        // A fan that speeds up.
        for n in 0..200u16 {
            assert!(!detector.hear(&noise(&mut random, 0.004 * 1.02f32.powi(n.into()), 100)), "{n}");
        }
    }
}
