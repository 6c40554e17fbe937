//! Opus (RFC 6716) as RTP carries it (RFC 7587): always a clock of 48 kHz, here one channel.

use super::{Ahead, dred};
use crate::media::{SAMPLE_RATE, dsp::bridge::Bridge, plan::OpusParams};
use opus::{Application, Bandwidth, Bitrate, Channels, Signal};
use opusic_c::dred::Dred;
use std::fmt;

/// Voice, wideband, at a generous rate: better at any loss than fullband or a lower rate. Copies of what was sent before need
/// room besides.
const BITRATE: i32 = 64_000;
const BITRATE_WITH_COPIES: i32 = 96_000;
/// What the encoder is told while packets get lost; told less, its in-band copies are too poor to help.
const LOSS_PERCENT: i32 = 20;
/// Of ten; more is not heard at this rate, less makes poorer copies.
const COMPLEXITY: i32 = 8;
/// Of ten, for the decoder: from here on it conceals by its neural network; more would only polish low rates.
const DEEP_CONCEALMENT: u8 = 5;
/// 120 ms, the longest packet (RFC 6716 §3.2).
const LONGEST: usize = 5_760;
/// libopus fills gaps in steps of 2.5 ms.
const GAP_STEP: usize = 120;
/// Enough for 60 ms at any rate allowed here.
const MAX_PAYLOAD: usize = 1_275;

/// What the peer reports about our packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LossHint {
    Clean,
    Lossy,
}

#[derive(Debug)]
pub struct OpusEncoder {
    /// `None` if libopus could not make one; nothing is sent then.
    encoder: Option<opus::Encoder>,
    fec: bool,
    loss: LossHint,
    /// What the peer allows, bit/s.
    most: i32,
}

impl OpusEncoder {
    pub fn new(params: &OpusParams) -> Self {
        let encoder = configured(params).inspect_err(|e| tracing::error!("no Opus encoder: {e}")).ok();
        let most = params.max_average_bitrate.map_or(i32::MAX, |limit| limit.clamp(6_000, 510_000) as i32);
        Self { encoder, fec: params.fec, loss: LossHint::Clean, most }
    }

    pub fn encode(&mut self, samples: &[f32], payload: &mut Vec<u8>) {
        let Some(encoder) = &mut self.encoder else { return };
        payload.resize(MAX_PAYLOAD, 0);
        let length = encoder.encode_float(samples, payload).unwrap_or(0);
        // RFC 7587 §3.1.3: a packet of two bytes or less need not be sent.
        payload.truncate(if length <= 2 { 0 } else { length });
    }

    pub fn hint(&mut self, loss: LossHint) {
        if loss == self.loss || !self.fec {
            return;
        }
        self.loss = loss;
        if let Some(encoder) = &mut self.encoder {
            let (percent, bitrate) = match loss {
                LossHint::Clean => (0, BITRATE),
                LossHint::Lossy => (LOSS_PERCENT, BITRATE_WITH_COPIES),
            };
            // Both are within libopus' ranges.
            let _ = encoder.set_packet_loss_perc(percent);
            let _ = encoder.set_bitrate(Bitrate::Bits(bitrate.min(self.most)));
        }
    }
}

fn configured(params: &OpusParams) -> opus::Result<opus::Encoder> {
    let mut encoder = opus::Encoder::new(SAMPLE_RATE, Channels::Mono, Application::Voip)?;
    let asked = params.max_average_bitrate.map_or(BITRATE, |limit| limit.clamp(6_000, 510_000) as i32);
    encoder.set_bitrate(Bitrate::Bits(asked.min(BITRATE)))?;
    encoder.set_signal(Signal::Voice)?;
    encoder.set_max_bandwidth(match params.max_playback_rate {
        Some(0..=8_000) => Bandwidth::Narrowband,
        Some(8_001..=12_000) => Bandwidth::Mediumband,
        _ => Bandwidth::Wideband,
    })?;
    encoder.set_complexity(COMPLEXITY)?;
    encoder.set_inband_fec(params.fec)?;
    encoder.set_dtx(params.dtx)?;
    encoder.set_vbr(!params.cbr)?;
    Ok(encoder)
}

pub struct OpusDecoder {
    /// `None` if libopus could not make one; silence is heard then.
    decoder: Option<Dred>,
    /// Made from the packet after a gap.
    bridge: Bridge,
}

impl OpusDecoder {
    pub fn new() -> Self {
        let decoder =
            opusic_c::Decoder::new(opusic_c::Channels::Mono, opusic_c::SampleRate::Hz48000).and_then(|mut decoder| {
                decoder.set_complexity(DEEP_CONCEALMENT)?;
                Dred::new(decoder)
            });
        let decoder = decoder.inspect_err(|e| tracing::error!("no Opus decoder: {}", e.message())).ok();
        Self { decoder, bridge: Bridge::default() }
    }

    pub fn decode(&mut self, payload: &[u8], out: &mut Vec<f32>) -> usize {
        // An empty payload would ask libopus for concealment.
        match duration(payload) {
            Some(_) => self.run(payload, LONGEST, false, out),
            None => 0,
        }
    }

    pub fn conceal(&mut self, count: usize, ahead: Option<Ahead<'_>>, out: &mut Vec<f32>) -> bool {
        if ahead.is_some_and(|ahead| self.bridges(count, ahead)) {
            out.extend(self.bridge.take(count));
            return true;
        }
        let whole = count / GAP_STEP * GAP_STEP;
        let made = if whole == 0 { 0 } else { self.run(&[], whole.min(LONGEST), false, out) };
        out.resize(out.len() + count - made, 0.0);
        false
    }

    pub fn recover(&mut self, following: &[u8], count: usize, out: &mut Vec<f32>) -> bool {
        if count == 0 || !count.is_multiple_of(GAP_STEP) || count > LONGEST || !carries_copy(following) {
            return false;
        }
        self.run(following, count, true, out) == count
    }

    /// Whether there are `count` samples of a gap filled by deep redundancy. That is done in one piece, up to the packet that
    /// carries it; nothing of it outlives what else is decoded.
    fn bridges(&mut self, count: usize, ahead: Ahead<'_>) -> bool {
        if self.bridge.reaches(count) {
            return true;
        }
        let fits = (count..=LONGEST).contains(&ahead.missing) && ahead.missing.is_multiple_of(GAP_STEP);
        let Some(decoder) = self.decoder.as_mut().filter(|_| fits && dred::is_carried_by(ahead.payload)) else {
            return false;
        };
        let mut made = vec![0.0; ahead.missing];
        let whole = decoder.decode_float_to_slice(ahead.payload, &mut made) == Ok(ahead.missing);
        self.bridge = if whole { Bridge::new(made) } else { Bridge::default() };
        whole
    }

    fn run(&mut self, payload: &[u8], room: usize, fec: bool, out: &mut Vec<f32>) -> usize {
        self.bridge.leave();
        let start = out.len();
        out.resize(start + room, 0.0);
        let made = match &mut self.decoder {
            Some(dred) => dred.decoder_mut().decode_float_to_slice(payload, &mut out[start..], fec).unwrap_or(0),
            None => 0,
        };
        out.truncate(start + made);
        made
    }
}

impl fmt::Debug for OpusDecoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpusDecoder").finish_non_exhaustive()
    }
}

/// Samples at 48 kHz of a well-formed packet.
pub fn duration(payload: &[u8]) -> Option<u32> {
    let samples = opus::packet::get_nb_samples(payload, SAMPLE_RATE).ok()?;
    (samples > 0 && samples <= LONGEST).then_some(samples as u32)
}

/// Whether a packet holds a copy of the one before (RFC 6716 §4.2.4): the LBRR flag of the SILK layer, for mono the
/// highest bit but the voice activity flags. Packets of several frames and of the CELT layer alone have none that we use, nor have
/// padded ones: deep redundancy, which hides there, fills a gap to its end.
fn carries_copy(payload: &[u8]) -> bool {
    let [toc, first, ..] = *payload else { return false };
    let (config, single) = (toc >> 3, toc & 0b11 == 0);
    // Configurations 0–11 are SILK, 12–15 hybrid (§3.1); of 10, 20, 40, 60 ms, holding 1, 1, 2, 3 SILK frames.
    let silk_frames = match config {
        0..=11 => [1, 1, 2, 3][usize::from(config & 0b11)],
        12..=15 => 1,
        _ => return false,
    };
    single && first & (0x80 >> silk_frames) != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::dsp::{power, tone_share};

    fn tone(n: usize) -> f32 {
        0.4 * (n as f32 * 2.0 * std::f32::consts::PI * 440.0 / 48_000.0).sin()
    }

    /// A buzz whose pitch and loudness change all the time, as in speech: not to be guessed from what came before.
    fn speech(n: usize) -> f32 {
        let t = n as f32 / 48_000.0;
        let phase = 2.0 * std::f32::consts::PI * (140.0 * t - 8.0 * (7.0 * t).cos());
        let loudness = 0.5 + 0.5 * (2.0 * std::f32::consts::PI * 5.0 * t).sin();
        (1..12).map(|k| (k as f32 * phase).sin() / k as f32).sum::<f32>() * 0.2 * loudness
    }

    fn packets(hint: LossHint, signal: fn(usize) -> f32, count: usize) -> Vec<Vec<u8>> {
        let mut encoder = OpusEncoder::new(&OpusParams::default());
        encoder.hint(hint);
        (0..count)
            .map(|frame| {
                let samples: Vec<f32> = (frame * 960..(frame + 1) * 960).map(signal).collect();
                let mut payload = Vec::new();
                encoder.encode(&samples, &mut payload);
                payload
            })
            .collect()
    }

    #[test]
    fn a_tone_passes() {
        let mut decoder = OpusDecoder::new();
        let mut out = Vec::new();
        for payload in packets(LossHint::Clean, tone, 50) {
            assert_eq!(decoder.decode(&payload, &mut out), 960);
        }
        assert!(tone_share(&out[9_600..], 440.0, 48_000) > 0.98);
    }

    #[test]
    fn the_copy_in_the_next_packet_beats_concealment() {
        let packets = packets(LossHint::Lossy, speech, 120);
        let error = |recover: bool| {
            let (mut decoder, mut reference) = (OpusDecoder::new(), OpusDecoder::new());
            let (mut out, mut wanted) = (Vec::new(), Vec::new());
            for (n, payload) in packets.iter().enumerate() {
                reference.decode(payload, &mut wanted);
                if n % 7 != 4 {
                    decoder.decode(payload, &mut out);
                } else if !(recover && decoder.recover(&packets[n + 1], 960, &mut out)) {
                    decoder.conceal(960, None, &mut out);
                }
            }
            assert_eq!(out.len(), wanted.len());
            let difference: Vec<f32> = out.iter().zip(&wanted).map(|(a, b)| a - b).collect();
            power(&difference) / power(&wanted)
        };
        assert!(error(true) < 0.5 * error(false), "{} against {}", error(true), error(false));
    }

    /// How loud each 10 ms is, in decibels.
    fn envelope(samples: &[f32]) -> Vec<f32> {
        samples.chunks_exact(480).map(|piece| 10.0 * (power(piece) + 1e-5).log10()).collect()
    }

    #[test]
    fn deep_redundancy_tells_what_was_said_in_a_gap() {
        let packets = dred::packets(speech, 200);
        for burst in [1, 2, 3, 5, 6] {
            let lost = |n: usize| n > 20 && n % 16 < burst;
            let off = |ahead: bool| {
                let (mut decoder, mut reference) = (OpusDecoder::new(), OpusDecoder::new());
                let (mut out, mut wanted) = (Vec::new(), Vec::new());
                for (n, payload) in packets[..192].iter().enumerate() {
                    reference.decode(payload, &mut wanted);
                    if lost(n) {
                        let gap = (n..).take_while(|&n| lost(n)).count();
                        let ahead = ahead.then_some(Ahead { missing: 960 * gap, payload: &packets[n + gap] });
                        decoder.conceal(960, ahead, &mut out);
                    } else {
                        decoder.decode(payload, &mut out);
                    }
                }
                assert_eq!(out.len(), wanted.len());
                let pairs = envelope(&out).into_iter().zip(envelope(&wanted)).enumerate();
                let errors: Vec<f32> = pairs.filter(|(n, _)| lost(n / 2)).map(|(_, (a, b))| (a - b).abs()).collect();
                errors.iter().sum::<f32>() / errors.len() as f32
            };
            let (deep, plain) = (off(true), off(false));
            println!("{burst} packets: {deep:.1} dB off against {plain:.1} dB");
            assert!(deep < 0.5 * plain, "{burst} packets: {deep} dB off against {plain}");
        }
    }

    /// What is missing may come late, or something else be decoded; a gap may be longer than what is filled in one piece.
    #[test]
    fn a_gap_that_is_filled_may_be_left() {
        let packets = dred::packets(speech, 40);
        let (mut decoder, mut other) = (OpusDecoder::new(), OpusDecoder::new());
        let (mut out, mut wanted) = (Vec::new(), Vec::new());
        for payload in &packets[..20] {
            decoder.decode(payload, &mut out);
            other.decode(payload, &mut wanted);
        }
        let ahead = |missing, packet: usize| Some(Ahead { missing, payload: &packets[packet] });
        decoder.conceal(960, ahead(3 * 960, 23), &mut out);
        assert_eq!(decoder.bridge.left(), 2 * 960);
        other.conceal(3 * 960, ahead(3 * 960, 23), &mut wanted);
        assert_eq!(out, wanted[..out.len()], "a piece of the same");
        decoder.decode(&packets[21], &mut out);
        assert!(decoder.bridge.left() == 0);
        for (missing, packet) in [(7 * 960, 29), (961, 29), (100, 29), (0, 29)] {
            let before = out.len();
            decoder.conceal(960.min(missing), ahead(missing, packet), &mut out);
            assert!(decoder.bridge.left() == 0 && out.len() == before + 960.min(missing), "{missing}");
        }
        decoder.conceal(480, ahead(6 * 960, 29), &mut out);
        assert_eq!(decoder.bridge.left(), 6 * 960 - 480);
        decoder.conceal(480, None, &mut out);
        assert!(decoder.bridge.left() == 0);
    }

    #[test]
    fn nonsense_is_refused() {
        let mut decoder = OpusDecoder::new();
        let mut out = Vec::new();
        for payload in [&[][..], &[0xff], &[0xff, 0xff, 0xff, 0xff], &[3, 0], &[0x4b, 0x3f, 0x80]] {
            decoder.decode(payload, &mut out);
            decoder.recover(payload, 960, &mut out);
        }
        assert!(out.len() <= 5 * (LONGEST + 960));
    }
}
