//! G.722 (ITU-T G.722, RFC 3551 §4.5.2): 16 kHz sound in 64 kbit/s. Its RTP clock runs at 8 kHz, a historical mistake of
//! RFC 1890 that everybody keeps.

mod band;
mod qmf;

use super::Ahead;
use crate::media::{SAMPLE_RATE, dsp::conceal::Concealer, dsp::resample::Resampler};
use band::{High, Low};
use qmf::Qmf;

/// Of the sound, in Hz.
pub const RATE: u32 = 16_000;

/// Both bands' state, which encoder and decoder keep in step.
#[derive(Clone, Debug, Default)]
struct Bands {
    low: Low,
    high: High,
}

impl Bands {
    /// One octet for two samples, given as what the filter split them into (§1.4.4: the higher band's bits first).
    fn code(&self, low: i32, high: i32) -> u8 {
        self.high.encode(high) << 6 | self.low.encode(low)
    }

    fn decode(&mut self, octet: u8) -> (i32, i32) {
        (self.low.decode(octet & 0x3f), self.high.decode(octet >> 6))
    }
}

/// From 48 kHz to octets.
#[derive(Debug)]
pub struct G722Encoder {
    down: Resampler,
    wide: Vec<f32>,
    coder: Coder,
}

/// From 16 kHz to octets.
#[derive(Debug, Default)]
struct Coder {
    filter: Qmf,
    bands: Bands,
}

impl Coder {
    fn encode(&mut self, first: i32, second: i32) -> u8 {
        let (low, high) = self.filter.split(first, second);
        let octet = self.bands.code(low, high);
        self.bands.decode(octet);
        octet
    }
}

impl G722Encoder {
    pub fn new() -> Self {
        Self { down: Resampler::new(SAMPLE_RATE, RATE), wide: Vec::new(), coder: Coder::default() }
    }

    pub fn encode(&mut self, samples: &[f32], payload: &mut Vec<u8>) {
        self.wide.clear();
        self.down.process(samples, &mut self.wide);
        let (pairs, _) = self.wide.as_chunks::<2>();
        payload.extend(pairs.iter().map(|pair| {
            let [first, second] = pair.map(integer);
            self.coder.encode(first, second)
        }));
    }
}

/// From octets to 16 kHz.
#[derive(Clone, Debug)]
pub struct G722Decoder {
    filter: Qmf,
    bands: Bands,
    concealer: Concealer,
    /// Splits what is played, so that the bands can follow a concealment.
    heard: Qmf,
}

impl G722Decoder {
    pub fn new() -> Self {
        Self { filter: Qmf::default(), bands: Bands::default(), concealer: Concealer::new(RATE), heard: Qmf::default() }
    }

    pub fn decode(&mut self, payload: &[u8], out: &mut Vec<f32>) -> usize {
        let start = out.len();
        for &octet in payload {
            out.extend(self.join(octet).map(|sample| sample as f32 / 32_768.0));
        }
        let made = &mut out[start..];
        self.concealer.heard(made);
        // The filter remembers 24 samples.
        for pair in made[made.len().saturating_sub(24)..].as_chunks::<2>().0 {
            self.heard.split(integer(pair[0]), integer(pair[1]));
        }
        made.len()
    }

    /// The bands code what is made up, as the sender's coded what was lost: so they are nearly in step when the next
    /// packet comes, where they would otherwise ring for some milliseconds.
    pub fn conceal(&mut self, count: usize, ahead: Option<Ahead<'_>>, out: &mut Vec<f32>) -> bool {
        let start = out.len();
        // An octet holds two samples.
        let leads = match ahead.filter(|ahead| self.concealer.can_bridge(ahead.missing, 2 * ahead.payload.len())) {
            Some(ahead) => {
                let after = if self.concealer.is_bridging(count) { Vec::new() } else { self.foretold(ahead) };
                self.concealer.bridge(count, ahead.missing, &after, out)
            }
            None => {
                self.concealer.conceal(count, out);
                false
            }
        };
        for pair in out[start..].as_chunks::<2>().0 {
            let (low, high) = self.heard.split(integer(pair[0]), integer(pair[1]));
            let octet = self.bands.code(low, high);
            self.join(octet);
        }
        leads
    }

    /// Nearly what the payload after the gap will sound like, once the bands know something of what is missing before it.
    fn foretold(&self, ahead: Ahead<'_>) -> Vec<f32> {
        let mut other = self.clone();
        other.conceal(ahead.missing, None, &mut Vec::with_capacity(ahead.missing));
        ahead.payload.iter().flat_map(|&octet| other.join(octet)).map(|sample| sample as f32 / 32_768.0).collect()
    }

    fn join(&mut self, octet: u8) -> [i32; 2] {
        let (low, high) = self.bands.decode(octet);
        self.filter.join(low, high)
    }
}

fn integer(sample: f32) -> i32 {
    (sample * 32_767.0) as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::dsp::{power, tone_share};

    /// A triangle with noise from xorshift: integers only, so that any implementation can be given the same.
    fn signal() -> Vec<i32> {
        let mut x = 0x2545_f491u32;
        let noisy = |n: i32| {
            x ^= x << 13;
            x ^= x >> 17;
            x ^= x << 5;
            ((n * 97) % 4_000 - 2_000).abs() * 8 - 8_000 + ((x >> 16) as i32 - 32_768).div_euclid(16)
        };
        (0..3_200).map(noisy).collect()
    }

    fn fnv(bytes: impl IntoIterator<Item = u8>) -> u64 {
        bytes
            .into_iter()
            .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
    }

    fn coded(samples: &[i32]) -> Vec<u8> {
        let mut coder = Coder::default();
        samples.as_chunks::<2>().0.iter().map(|&[first, second]| coder.encode(first, second)).collect()
    }

    /// The figures are those of the G722 package of PyPI (1.2.8) for the same samples.
    #[test]
    fn agrees_bit_by_bit_with_another_implementation() {
        let octets = coded(&signal());
        assert_eq!(octets[..12], [146, 32, 132, 33, 134, 32, 161, 46, 175, 57, 158, 190]);
        assert_eq!(fnv(octets.iter().copied()), 0x717e_b7de_7f5c_0047);
        let mut decoder = G722Decoder::new();
        let samples = octets.iter().flat_map(|&octet| decoder.join(octet));
        assert_eq!(fnv(samples.flat_map(|sample| (sample as i16).to_le_bytes())), 0xc524_a001_2c31_1a3e);
    }

    #[test]
    fn what_is_spoken_is_heard() {
        for (hz, least_db) in [(300.0, 35.0), (1_000.0, 35.0), (3_000.0, 30.0), (6_000.0, 20.0)] {
            let tone = |n: usize| 0.3 * (n as f32 * 2.0 * std::f32::consts::PI * hz / 48_000.0).sin();
            let (mut encoder, mut decoder) = (G722Encoder::new(), G722Decoder::new());
            let (mut payload, mut out) = (Vec::new(), Vec::new());
            for frame in 0..50 {
                payload.clear();
                encoder.encode(&(frame * 960..(frame + 1) * 960).map(tone).collect::<Vec<_>>(), &mut payload);
                assert_eq!(payload.len(), 160);
                assert_eq!(decoder.decode(&payload, &mut out), 320);
            }
            let share = tone_share(&out[3_200..], f64::from(hz), RATE);
            let snr = 10.0 * (share / (1.0 - share)).log10();
            assert!(snr > least_db, "{hz} Hz: {snr:.1} dB");
        }
    }

    /// A hum whose pitch glides, as a voice does.
    fn voice(n: usize) -> i32 {
        let t = n as f32 / 16_000.0;
        let phase = 2.0 * std::f32::consts::PI * (140.0 * t - 2.0 * (5.0 * t).cos());
        ((1..20).map(|k| (k as f32 * phase).sin() / k as f32).sum::<f32>() * 6_000.0) as i32
    }

    #[test]
    fn after_a_gap_the_bands_are_nearly_in_step() {
        let octets = coded(&(0..32_000).map(voice).collect::<Vec<_>>());
        let packets: Vec<_> = octets.chunks(160).collect();
        // Error in the two packets that follow a loss, with and without coding what was made up.
        let error = |follows: bool| {
            let (mut decoder, mut reference) = (G722Decoder::new(), G722Decoder::new());
            let (mut out, mut wanted) = (Vec::new(), Vec::new());
            let mut sum = 0.0;
            for (n, packet) in packets.iter().enumerate() {
                (out, wanted) = (Vec::new(), Vec::new());
                reference.decode(packet, &mut wanted);
                if n % 10 == 9 {
                    let bands = decoder.bands.clone();
                    decoder.conceal(320, None, &mut out);
                    if !follows {
                        decoder.bands = bands;
                    }
                    continue;
                }
                decoder.decode(packet, &mut out);
                if n >= 10 && n % 10 < 2 {
                    let difference: Vec<f32> = out.iter().zip(&wanted).map(|(a, b)| a - b).collect();
                    sum += power(&difference);
                }
            }
            assert_eq!(out.len(), wanted.len());
            sum
        };
        assert!(error(true) < 0.7 * error(false), "{} against {}", error(true), error(false));
    }

    #[test]
    fn any_octets_are_decoded_within_range() {
        let mut decoder = G722Decoder::new();
        for seed in 0..40u8 {
            let payload: Vec<u8> = (0..=255u8).map(|n| n.wrapping_mul(seed).wrapping_add(seed)).collect();
            let mut out = Vec::new();
            assert_eq!(decoder.decode(&payload, &mut out), 512);
            assert!(out.iter().all(|sample| sample.abs() <= 1.0));
        }
    }
}
