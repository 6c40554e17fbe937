//! Codecs: from blocks of the engine's 48 kHz to RTP payloads and from payloads to samples. A new codec is a file here and
//! a line in each of the two enums.

mod dred;
mod g711;
mod g722;
mod opus;
mod shaping;

use crate::media::plan::{Codec, OpusParams};
#[cfg(test)]
pub use dred::packets as deep_packets;
use g711::{G711Decoder, G711Encoder};
use g722::{G722Decoder, G722Encoder};
pub use opus::LossHint;
use opus::{OpusDecoder, OpusEncoder};

/// What is known of the other side of a gap.
#[derive(Clone, Copy, Debug)]
pub struct Ahead<'a> {
    /// Samples until there, with those that are asked for.
    pub missing: usize,
    /// Follows then.
    pub payload: &'a [u8],
}

/// Makes payloads. Holds its own rate conversion.
#[derive(Debug)]
pub enum Encoder {
    G711(G711Encoder),
    G722(Box<G722Encoder>),
    Opus(OpusEncoder),
}

impl Encoder {
    pub fn new(codec: Codec, opus: &OpusParams) -> Self {
        match codec {
            Codec::Pcmu | Codec::Pcma => Self::G711(G711Encoder::new(codec)),
            Codec::G722 => Self::G722(Box::new(G722Encoder::new())),
            Codec::Opus => Self::Opus(OpusEncoder::new(opus)),
        }
    }

    /// Encodes one packet's worth of 48 kHz samples (10, 20, 40 or 60 ms) into `payload`, replacing what it held. An empty
    /// payload means that nothing needs to be sent (discontinuous transmission).
    pub fn encode(&mut self, samples: &[f32], payload: &mut Vec<u8>) {
        payload.clear();
        match self {
            Self::G711(encoder) => encoder.encode(samples, payload),
            Self::G722(encoder) => encoder.encode(samples, payload),
            Self::Opus(encoder) => encoder.encode(samples, payload),
        }
    }

    /// Tells an encoder with redundancy what the network loses.
    pub fn hint(&mut self, loss: LossHint) {
        match self {
            Self::G711(_) | Self::G722(_) => {}
            Self::Opus(encoder) => encoder.hint(loss),
        }
    }
}

/// Makes samples, also where packets are missing.
#[derive(Debug)]
pub enum Decoder {
    G711(G711Decoder),
    G722(Box<G722Decoder>),
    Opus(OpusDecoder),
}

impl Decoder {
    pub fn new(codec: Codec) -> Self {
        match codec {
            Codec::Pcmu | Codec::Pcma => Self::G711(G711Decoder::new(codec)),
            Codec::G722 => Self::G722(Box::new(G722Decoder::new())),
            Codec::Opus => Self::Opus(OpusDecoder::new()),
        }
    }

    /// Of the samples made, in Hz.
    pub fn sample_rate(&self) -> u32 {
        match self {
            Self::G711(_) => 8_000,
            Self::G722(_) => g722::RATE,
            Self::Opus(_) => 48_000,
        }
    }

    /// Appends what the payload holds. Returns how many samples; zero for a payload that cannot be decoded.
    pub fn decode(&mut self, payload: &[u8], out: &mut Vec<f32>) -> usize {
        match self {
            Self::G711(decoder) => decoder.decode(payload, out),
            Self::G722(decoder) => decoder.decode(payload, out),
            Self::Opus(decoder) => decoder.decode(payload, out),
        }
    }

    /// Appends `count` samples for a packet that is not there. Returns whether what follows the gap tells what they are.
    pub fn conceal(&mut self, count: usize, ahead: Option<Ahead<'_>>, out: &mut Vec<f32>) -> bool {
        match self {
            Self::G711(decoder) => decoder.conceal(count, ahead, out),
            Self::G722(decoder) => decoder.conceal(count, ahead, out),
            Self::Opus(decoder) => decoder.conceal(count, ahead, out),
        }
    }

    /// Appends `count` samples of a lost packet from the copy that the following packet carries. Returns `false`, and
    /// appends nothing, when it carries none.
    pub fn recover(&mut self, following: &[u8], count: usize, out: &mut Vec<f32>) -> bool {
        match self {
            Self::G711(_) | Self::G722(_) => false,
            Self::Opus(decoder) => decoder.recover(following, count, out),
        }
    }
}

/// Whether a payload tells what was said for a while before it, of which [`Decoder::conceal`] makes use.
pub fn looks_back(codec: Codec, payload: &[u8]) -> bool {
    codec == Codec::Opus && dred::is_carried_by(payload)
}

/// Samples (in timestamp units) that a payload holds, `None` when it is malformed.
pub fn duration(codec: Codec, payload: &[u8]) -> Option<u32> {
    match codec {
        // An octet is a sample of G.711, and two samples of G.722, whose clock counts every other one.
        Codec::G722 | Codec::Pcmu | Codec::Pcma => (!payload.is_empty()).then_some(payload.len() as u32),
        Codec::Opus => opus::duration(payload),
    }
}
