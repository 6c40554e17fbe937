//! A decoder with what it made and was not played.

use crate::media::{BLOCK, SAMPLE_RATE, codec::Decoder, dsp::resample::Resampler, plan::Codec};

/// See the module.
#[derive(Debug)]
pub struct Voice {
    pub codec: Codec,
    pub decoder: Decoder,
    /// At the decoder's rate.
    pub samples: Vec<f32>,
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
            let up = Resampler::new(decoder.sample_rate(), SAMPLE_RATE);
            Self { codec, decoder, samples: Vec::new(), up, wide: Vec::with_capacity(2 * BLOCK) }
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

    pub fn conceal(&mut self, duration: u32, clock_rate: u32) {
        let count = self.scaled(duration, clock_rate);
        self.decoder.conceal(count, None, &mut self.samples);
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
