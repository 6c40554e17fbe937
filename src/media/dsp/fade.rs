//! Fades out what is made up for long: a guess grows worse with each millisecond, and libopus makes a steady sound last for ever.
//! ITU-T G.711 Appendix I fades over 60 ms from the tenth on (§I.2.7); WebRTC's NetEQ by 5 % each 6.25 ms from the fourth period
//! made up on, and by 10 % from the eighth, which is about 20 dB after 200 ms.

/// Six packets in a row are made up at their full level: libopus' guess is good for that long, and copies reach as far.
const FULL_MS: f32 = 120.0;
/// From here on nothing is left.
const GONE_MS: f32 = 400.0;
/// What is heard again comes up over this.
const BACK_MS: f32 = 10.0;

/// How loud what is made is played, after how much of it in a row was made up.
#[derive(Debug)]
pub struct Fade {
    /// Samples a millisecond.
    per_ms: f32,
    /// Made up in a row.
    made_up: u32,
    gain: f32,
}

impl Fade {
    /// `rate` in Hz.
    pub const fn new(rate: u32) -> Self {
        Self { per_ms: rate as f32 / 1000.0, made_up: 0, gain: 1.0 }
    }

    /// These were made up.
    pub fn made_up(&mut self, samples: &mut [f32]) {
        for sample in samples {
            self.made_up = self.made_up.saturating_add(1);
            let ms = self.made_up as f32 / self.per_ms;
            let left = ((GONE_MS - ms) / (GONE_MS - FULL_MS)).clamp(0.0, 1.0);
            // Without a corner at either end.
            self.gain = self.gain.min(left * left * (3.0 - 2.0 * left));
            *sample *= self.gain;
        }
    }

    /// These came.
    pub fn came(&mut self, samples: &mut [f32]) {
        if !samples.is_empty() {
            self.made_up = 0;
        }
        let step = 1.0 / (BACK_MS * self.per_ms);
        for sample in samples {
            if self.gain == 1.0 {
                return;
            }
            self.gain = (self.gain + step).min(1.0);
            *sample *= self.gain;
        }
    }

    /// Nothing would be left of what is made up now.
    pub fn is_silent(&self) -> bool {
        self.gain == 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_up_for_long_fades_and_what_comes_then_rises_without_a_step() {
        for rate in [8_000u32, 48_000] {
            let ms = rate as usize / 1000;
            let mut fade = Fade::new(rate);
            let mut all: Vec<f32> = Vec::new();
            let mut play = |fade: &mut Fade, length_ms: usize, came: bool| {
                let mut piece = vec![1.0; length_ms * ms];
                if came {
                    fade.came(&mut piece)
                } else {
                    fade.made_up(&mut piece)
                }
                all.extend(&piece);
                piece
            };
            assert!(play(&mut fade, 20, true).iter().all(|sample| *sample == 1.0));
            // As losses are: now and then, up to 120 ms.
            for lost_ms in [10, 60, 110, 10] {
                assert!(play(&mut fade, lost_ms, false).iter().all(|sample| *sample == 1.0), "{lost_ms} ms");
                assert!(play(&mut fade, 10, true).iter().all(|sample| *sample == 1.0));
            }
            let gap = play(&mut fade, 1_000, false);
            assert!(gap[..120 * ms - 1].iter().all(|sample| *sample > 0.999));
            assert!(gap[260 * ms] < 0.51 && gap[340 * ms] < 0.15 && fade.is_silent());
            assert!(gap[400 * ms..].iter().all(|sample| *sample == 0.0));
            let back = play(&mut fade, 20, true);
            assert!(back[10 * ms..].iter().all(|sample| *sample == 1.0) && !fade.is_silent());
            let steepest = all.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
            assert!(steepest < 1.01 / (BACK_MS * rate as f32 / 1000.0), "{steepest}");
        }
    }

    /// Losses that follow close upon a long one don't come up at once.
    #[test]
    fn it_goes_on_from_where_it_is() {
        let mut fade = Fade::new(8_000);
        fade.made_up(&mut [1.0; 8_000]);
        fade.came(&mut [1.0; 40]);
        let mut piece = [1.0; 80];
        fade.made_up(&mut piece);
        assert!(piece.iter().all(|sample| (sample - 0.5).abs() < 0.01), "{piece:?}");
    }
}
