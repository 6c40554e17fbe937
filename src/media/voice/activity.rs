//! Who of a conference speaks, steadily enough to be shown. Pure.

use crate::media::dsp::power;

/// Mean square of a voice (-45 dB).
const VOICE: f32 = 3.2e-5;
/// Blocks of a voice until it counts, and of silence until it does not any more.
const BEGINS: u32 = 6;
const ENDS: u32 = 60;

/// See the module.
#[derive(Debug, Default)]
pub struct SpeechActivity {
    speaks: bool,
    /// Blocks that say otherwise.
    otherwise: u32,
}

impl SpeechActivity {
    /// The next 10 ms that are heard of them. Returns what has changed.
    pub fn hear(&mut self, block: &[f32]) -> Option<bool> {
        let is_voice = power(block) > VOICE;
        self.otherwise = if is_voice == self.speaks { 0 } else { self.otherwise + 1 };
        let enough = if self.speaks { ENDS } else { BEGINS };
        if self.otherwise < enough {
            return None;
        }
        (self.speaks, self.otherwise) = (is_voice, 0);
        Some(is_voice)
    }

    /// They are not heard any more. Returns whether they spoke.
    pub fn end(&mut self) -> bool {
        std::mem::take(self).speaks
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::BLOCK;

    #[test]
    fn words_count_and_clicks_and_pauses_between_words_do_not() {
        let mut activity = SpeechActivity::default();
        let mut told = Vec::new();
        // Silence, a click, speech with pauses of a third of a second, silence.
        let spoken = |n: u32| n == 50 || (100..400).contains(&n) && n % 66 < 33;
        for n in 0..600 {
            let level = if spoken(n) { 0.1 } else { 0.0005 };
            told.extend(activity.hear(&[level; BLOCK]).map(|on| (n, on)));
        }
        let [(began, true), (ended, false)] = told[..] else { panic!("{told:?}") };
        assert!((100..180).contains(&began) && (400..470).contains(&ended), "{told:?}");
    }
}
