//! PCMU and PCMA (ITU-T G.711, RFC 3551 §4.5.14).

use super::{Ahead, shaping::NoiseShaper};
use crate::media::{
    SAMPLE_RATE,
    dsp::{conceal::Concealer, resample::Resampler},
    plan::Codec,
};
use audio_codec_algorithms::{decode_alaw, decode_ulaw, encode_alaw, encode_ulaw};

const RATE: u32 = 8_000;

#[derive(Debug)]
pub struct G711Encoder {
    law: fn(i16) -> u8,
    inverse: fn(u8) -> i16,
    shaper: NoiseShaper,
    down: Resampler,
    narrow: Vec<f32>,
}

impl G711Encoder {
    /// `codec`: PCMA, else PCMU.
    pub fn new(codec: Codec) -> Self {
        let is_alaw = codec == Codec::Pcma;
        let law = if is_alaw { encode_alaw } else { encode_ulaw };
        let inverse = if is_alaw { decode_alaw } else { decode_ulaw };
        let down = Resampler::new(SAMPLE_RATE, RATE);
        Self { law, inverse, shaper: NoiseShaper::default(), down, narrow: Vec::new() }
    }

    pub fn encode(&mut self, samples: &[f32], payload: &mut Vec<u8>) {
        self.narrow.clear();
        self.down.process(samples, &mut self.narrow);
        let quantise = |sample: f32| {
            let code = (self.law)((sample * 32_768.0).round() as i16);
            (code, f32::from((self.inverse)(code)) / 32_768.0)
        };
        self.shaper.shape(&self.narrow, quantise, payload);
    }
}

#[derive(Debug)]
pub struct G711Decoder {
    law: fn(u8) -> i16,
    concealer: Concealer,
}

impl G711Decoder {
    pub fn new(codec: Codec) -> Self {
        let law = if codec == Codec::Pcma { decode_alaw } else { decode_ulaw };
        Self { law, concealer: Concealer::new(RATE) }
    }

    pub fn decode(&mut self, payload: &[u8], out: &mut Vec<f32>) -> usize {
        let start = out.len();
        out.extend(samples(self.law, payload));
        self.concealer.heard(&mut out[start..]);
        payload.len()
    }

    pub fn conceal(&mut self, count: usize, ahead: Option<Ahead<'_>>, out: &mut Vec<f32>) -> bool {
        match ahead {
            // Every payload can be decoded by itself.
            Some(ahead) => {
                let after: Vec<f32> = samples(self.law, ahead.payload).collect();
                self.concealer.bridge(count, ahead.missing, &after, out)
            }
            None => {
                self.concealer.conceal(count, out);
                false
            }
        }
    }
}

fn samples(law: fn(u8) -> i16, payload: &[u8]) -> impl Iterator<Item = f32> {
    payload.iter().map(move |&byte| f32::from(law(byte)) / 32_768.0)
}
