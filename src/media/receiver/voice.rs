//! A decoder with what it made and was not played.

use crate::media::{
    BLOCK, SAMPLE_RATE,
    codec::{Ahead, Decoder},
    dsp::{fade::Fade, resample::Resampler},
    plan::Codec,
};

/// What is cut turns into what follows over so long.
const TURN_MS: usize = 10;

/// See the module.
#[derive(Debug)]
pub struct Voice {
    pub codec: Codec,
    pub decoder: Decoder,
    /// At the decoder's rate.
    pub samples: Vec<f32>,
    fade: Fade,
    /// How what was cut would go on, as far as it has not turned into what follows.
    tail: Vec<f32>,
    up: Resampler,
    wide: Vec<f32>,
}

impl Voice {
    /// The voice for `codec`; another one's rest is dropped.
    pub fn ready(voice: &mut Option<Self>, codec: Codec) -> &mut Self {
        if voice.as_ref().is_some_and(|voice| voice.codec != codec) {
            *voice = None;
        }
        voice.get_or_insert_with(|| {
            let decoder = Decoder::new(codec);
            let (up, fade) = (Resampler::new(decoder.sample_rate(), SAMPLE_RATE), Fade::new(decoder.sample_rate()));
            let wide = Vec::with_capacity(2 * BLOCK);
            Self { codec, decoder, samples: Vec::new(), fade, tail: Vec::new(), up, wide }
        })
    }

    pub fn per_ms(&self) -> usize {
        self.decoder.sample_rate() as usize / 1000
    }

    pub fn queued_ms(&self) -> f64 {
        self.samples.len() as f64 / self.per_ms() as f64
    }

    pub fn scaled(&self, duration: u32, clock_rate: u32) -> usize {
        (u64::from(duration) * u64::from(self.decoder.sample_rate()) / u64::from(clock_rate)) as usize
    }

    /// Appends what a packet holds. Returns how many samples; zero for what cannot be decoded.
    pub fn decode(&mut self, payload: &[u8]) -> usize {
        let from = self.samples.len();
        let made = self.decoder.decode(payload, &mut self.samples);
        self.fade.came(&mut self.samples[from..]);
        self.turn(from);
        made
    }

    /// See [`Decoder::recover`].
    pub fn recover(&mut self, following: &[u8], count: usize) -> bool {
        let from = self.samples.len();
        let whole = self.decoder.recover(following, count, &mut self.samples);
        self.fade.came(&mut self.samples[from..]);
        self.turn(from);
        whole
    }

    /// Appends `count` samples for what is not there; nobody is asked any more for what would not be heard.
    pub fn conceal(&mut self, count: usize, ahead: Option<Ahead<'_>>) {
        let from = self.samples.len();
        if ahead.is_none() && self.fade.is_silent() {
            self.samples.resize(from + count, 0.0);
        } else if self.decoder.conceal(count, ahead, &mut self.samples) {
            self.fade.came(&mut self.samples[from..]);
        } else {
            self.fade.made_up(&mut self.samples[from..]);
        }
        self.turn(from);
    }

    /// What is appended next does not follow what was before it: the one turns into the other.
    pub fn cut(&mut self) {
        let from = self.samples.len();
        self.conceal(TURN_MS * self.per_ms(), None);
        self.tail = self.samples.split_off(from);
    }

    fn turn(&mut self, from: usize) {
        let whole = TURN_MS * self.per_ms();
        let done = whole - self.tail.len();
        let count = self.tail.len().min(self.samples.len() - from);
        for (n, (sample, old)) in self.samples[from..].iter_mut().zip(self.tail.drain(..count)).enumerate() {
            let share = (done + n + 1) as f32 / (whole + 1) as f32;
            *sample = *sample * share + old * (1.0 - share);
        }
    }

    /// Moves as much as fills `block`; the rest stays silent.
    pub fn take(&mut self, block: &mut [f32]) {
        let count = (block.len() * self.per_ms() / (SAMPLE_RATE as usize / 1000)).min(self.samples.len());
        self.wide.clear();
        self.up.process(&self.samples[..count], &mut self.wide);
        self.samples.drain(..count);
        let made = self.wide.len().min(block.len());
        // Decoders and filters may overshoot.
        block.iter_mut().zip(&self.wide[..made]).for_each(|(to, from)| *to = from.clamp(-1.0, 1.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{codec::Encoder, plan::OpusParams};

    fn packets(codec: Codec, hz: f32) -> Vec<Vec<u8>> {
        let mut encoder = Encoder::new(codec, &OpusParams::default());
        let sample = |n: usize| 0.3 * (n as f32 * 2.0 * std::f32::consts::PI * hz / SAMPLE_RATE as f32).sin();
        (0..50)
            .map(|packet| {
                let mut payload = Vec::new();
                encoder.encode(&(packet * 960..(packet + 1) * 960).map(sample).collect::<Vec<_>>(), &mut payload);
                payload
            })
            .collect()
    }

    fn voice(codec: Codec, heard: &[Vec<u8>]) -> Voice {
        let mut voice = None;
        heard.iter().for_each(|payload| assert!(Voice::ready(&mut voice, codec).decode(payload) > 0));
        voice.expect("one for the packets")
    }

    fn steepest(samples: &[f32]) -> f32 {
        samples.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max)
    }

    const CODECS: [Codec; 3] = [Codec::Pcmu, Codec::G722, Codec::Opus];

    #[test]
    fn a_cut_is_not_heard_as_a_click() {
        for codec in CODECS {
            let packets = packets(codec, 440.0);
            let mut voice = voice(codec, &packets[..20]);
            let usual = steepest(&voice.samples[voice.samples.len() / 2..]);
            for next in [27, 33, 41] {
                let before = voice.samples.len();
                voice.cut();
                assert_eq!(voice.samples.len(), before, "it takes no time");
                let made = packets[next..next + 4].iter().map(|payload| voice.decode(payload)).sum::<usize>();
                assert_eq!(voice.samples.len(), before + made);
                let most = steepest(&voice.samples[before - 10..]);
                assert!(most < 1.5 * usual, "{codec:?}, {next}: a step of {most} where {usual} is usual");
            }
        }
    }

    /// The decoder's state tells whether it was asked.
    #[test]
    fn nobody_is_asked_for_what_has_faded_out() {
        for codec in CODECS {
            let packets = packets(codec, 440.0);
            let after = |gap_ms: usize| {
                let mut voice = voice(codec, &packets[..20]);
                (0..gap_ms / 10).for_each(|_| voice.conceal(10 * voice.per_ms(), None));
                let back = voice.samples.len();
                assert!(voice.samples[back - 90 * voice.per_ms()..].iter().all(|sample| *sample == 0.0), "{codec:?}");
                voice.decode(&packets[40]);
                voice.samples.split_off(back)
            };
            assert_eq!(after(500), after(5_000), "{codec:?}");
        }
    }
}
