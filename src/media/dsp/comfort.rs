//! Comfort noise: while nothing comes for long and concealment has faded out, the room at the other end goes on murmuring, so that the
//! line does not sound dead.

use super::power;

/// Mean square of the murmur before any was heard (-70 dB), at most (-50 dB), and how fast it may come up by block.
const FIRST: f32 = 1e-7;
const MOST: f32 = 1e-5;
const RISES: f32 = 1.003;
/// Softer is digital silence, which says nothing of a room.
const NOTHING: f32 = 1e-9;
/// Louder than the background by 15 dB is speech; its level is of the last two seconds of it.
const SPEECH: f32 = 30.0;
const LATELY: f32 = 1.0 / 200.0;
/// Steps of the fade in and out, a sample each: 40 ms.
const FADE: f32 = 1.0 / 1_920.0;

/// See the module. Works on blocks at 48 kHz.
#[derive(Debug)]
pub struct Comfort {
    /// Mean square of the quietest that was heard lately.
    background: f32,
    /// Mean square of what was well above that, lately.
    speech: Option<f32>,
    share: f32,
    random: u32,
    smooth: f32,
}

impl Default for Comfort {
    fn default() -> Self {
        Self { background: FIRST, speech: None, share: 0.0, random: 0x2545_f491, smooth: 0.0 }
    }
}

impl Comfort {
    /// Takes in a block that is about to be played, and adds the murmur to it while there is a `gap`.
    pub fn process(&mut self, block: &mut [f32], gap: bool) {
        if !gap && self.share == 0.0 {
            let power = power(block);
            if power > NOTHING {
                self.background = (self.background * RISES).min(power).min(MOST);
            }
            if power > SPEECH * self.background {
                let before = self.speech.unwrap_or(power);
                self.speech = Some(before + (power - before) * LATELY);
            }
            return;
        }
        // A uniform sample's mean square is a third; of the mean of two in a row it is a sixth.
        let level = (6.0 * self.background).sqrt();
        for sample in block {
            self.share = (self.share + if gap { FADE } else { -FADE }).clamp(0.0, 1.0);
            let noise = self.noise();
            *sample = (*sample + level * self.share * (noise + self.smooth) / 2.0).clamp(-1.0, 1.0);
            self.smooth = noise;
        }
    }

    /// Mean squares of speech and of the silence between it; `None` for what was not heard yet, or is too loud to be silence.
    pub const fn levels(&self) -> (Option<f32>, Option<f32>) {
        let known = self.background != FIRST && self.background < MOST;
        (self.speech, if known { Some(self.background) } else { None })
    }

    /// Between -1 and 1 (xorshift).
    fn noise(&mut self) -> f32 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        self.random as i32 as f32 / i32::MAX as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{BLOCK, dsp::peak};

    /// A room of that mean square.
    fn room(comfort: &mut Comfort, mean_square: f32) -> [f32; BLOCK] {
        let level = (3.0 * mean_square).sqrt();
        std::array::from_fn(|_| level * comfort.noise())
    }

    #[test]
    fn a_long_gap_sounds_like_the_room_before_it() {
        let (mut source, mut comfort) = (Comfort::default(), Comfort::default());
        let quiet = 1e-6;
        for n in 0..1_500 {
            // Somebody talks half of the time.
            let mut block = room(&mut source, if n % 100 < 50 { quiet } else { 0.01 });
            let before = block;
            comfort.process(&mut block, false);
            assert_eq!(block, before, "what is heard stays as it is");
        }
        let mut made = [0.0; 50 * BLOCK];
        made.chunks_exact_mut(BLOCK).for_each(|block| comfort.process(block, true));
        let murmur = power(&made[5 * BLOCK..]);
        assert!((0.5..2.0).contains(&(murmur / quiet)), "{murmur}");
        let steepest = made.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
        assert!(steepest < 0.01 && peak(&made) < 0.01, "no click: {steepest}");
        let mut after = [0.0; 10 * BLOCK];
        after.chunks_exact_mut(BLOCK).for_each(|block| comfort.process(block, false));
        assert!(after[5 * BLOCK..].iter().all(|sample| *sample == 0.0), "it ends with the gap");
    }

    #[test]
    fn it_stays_soft_whatever_was_loud() {
        let (mut source, mut comfort) = (Comfort::default(), Comfort::default());
        for _ in 0..10_000 {
            comfort.process(&mut room(&mut source, 0.1), false);
        }
        let mut made = [0.0; 50 * BLOCK];
        made.chunks_exact_mut(BLOCK).for_each(|block| comfort.process(block, true));
        assert!(power(&made) <= 1.2 * MOST, "{}", power(&made));
    }
}
