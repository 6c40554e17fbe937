//! Conversion between sample rates: rubato's sinc filter, kept to exact amounts.

use rubato::{
    Async, FixedAsync, Resampler as _, Resizable as _, SincInterpolationParameters, SincInterpolationType,
    WindowFunction, audioadapter_buffers::direct::InterleavedSlice,
};

/// Zero crossings of the sinc on each side, at the lower of the two rates: 16 leave 2 ms of delay at 8 kHz. A longer filter
/// would be sharper and later.
const CROSSINGS: f64 = 16.0;
/// Cutoff as a share of the lower Nyquist frequency: a pass band up to 3.3 kHz for the telephone's 8 kHz.
const CUTOFF: f32 = 0.92;
/// Up to so many filters are made exactly where samples fall, as every pair of common rates needs. Odd rates, which would
/// need thousands, interpolate between [`ODD_FILTERS`].
const MOST_FILTERS: u32 = 640;
const ODD_FILTERS: usize = 256;
/// Input samples that the filter holds back besides its history.
const HELD_BACK: f64 = 2.0;

/// A streaming resampler; its delay is half its filter.
#[derive(Debug)]
pub struct Resampler {
    from: u32,
    to: u32,
    /// `None`: the rates are the same.
    filter: Option<Box<Async<f32>>>,
    /// Input samples that the filter takes at once.
    most: usize,
    /// Made and not yet due. The filter counts in floating point and may be a sample early or late; one more than it ever
    /// lacks lies here from the start.
    made: Vec<f32>,
    fed: u64,
    given: u64,
}

impl Resampler {
    /// `from` and `to` in Hz; zero counts as one.
    pub fn new(from: u32, to: u32) -> Self {
        let (from, to) = (from.max(1), to.max(1));
        let most = from.div_ceil(100) as usize;
        let ratio = f64::from(to) / f64::from(from);
        let (filter, ahead) = if from == to {
            (None, 0)
        } else {
            (Some(Box::new(filter(from, to, most))), (HELD_BACK * ratio) as usize + 1)
        };
        Self { from, to, filter, most, made: vec![0.0; ahead], fed: 0, given: 0 }
    }

    /// Appends the converted samples to `output`: as many in all as the input lasted, to the last whole sample. Where a
    /// whole number of output samples belongs to `input` it gives just those.
    pub fn process(&mut self, input: &[f32], output: &mut Vec<f32>) {
        let Some(filter) = &mut self.filter else {
            output.extend_from_slice(input);
            return;
        };
        for part in input.chunks(self.most) {
            convert(filter, part, &mut self.made);
        }
        self.fed += input.len() as u64;
        let due = self.fed * u64::from(self.to) / u64::from(self.from);
        let count = (due - self.given) as usize;
        debug_assert!(count <= self.made.len(), "{count} samples are due, {} are made", self.made.len());
        output.extend(self.made.drain(..count.min(self.made.len())));
        self.given = due;
    }
}

fn filter(from: u32, to: u32, most: usize) -> Async<f32> {
    let ratio = f64::from(to) / f64::from(from);
    let length = (2.0 * CROSSINGS / ratio.min(1.0)).ceil() as usize;
    let positions = to / gcd(from, to);
    let (filters, interpolation) = if positions <= MOST_FILTERS {
        (positions as usize, SincInterpolationType::Nearest)
    } else {
        (ODD_FILTERS, SincInterpolationType::Linear)
    };
    let parameters = SincInterpolationParameters::new(length, WindowFunction::Blackman)
        .f_cutoff(CUTOFF)
        .oversampling_factor(filters)
        .interpolation(interpolation);
    Async::new_sinc(ratio, 1.0, &parameters, most, 1, FixedAsync::Input)
        .expect("a ratio of two rates above zero is finite and above zero, and so is the amount")
}

/// Appends what the filter makes of at most as much input as it was built for.
fn convert(filter: &mut Async<f32>, input: &[f32], output: &mut Vec<f32>) {
    const SIZES: &str = "the sizes are those that the filter names";
    filter.set_chunk_size(input.len()).expect(SIZES);
    let (start, count) = (output.len(), filter.output_frames_next());
    output.resize(start + count, 0.0);
    let from = InterleavedSlice::new(input, 1, input.len()).expect(SIZES);
    let mut to = InterleavedSlice::new_mut(&mut output[start..], 1, count).expect(SIZES);
    filter.process_into_buffer(&from, &mut to, None).expect(SIZES);
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::dsp::{power, tone_share};

    fn sine(frequency: f64, rate: u32, samples: usize) -> Vec<f32> {
        (0..samples)
            .map(|n| (0.5 * (2.0 * std::f64::consts::PI * frequency * n as f64 / f64::from(rate)).sin()) as f32)
            .collect()
    }

    #[test]
    fn keeps_a_tone_between_all_rates_in_use() {
        for (from, to) in [(8_000, 48_000), (48_000, 8_000), (44_100, 48_000), (16_000, 48_000), (48_000, 44_100)] {
            let mut resampler = Resampler::new(from, to);
            let mut out = Vec::new();
            for chunk in sine(1_000.0, from, from as usize).chunks(from as usize / 50) {
                resampler.process(chunk, &mut out);
            }
            assert!((out.len() as i64 - i64::from(to)).abs() <= 6, "{from} to {to}: {} samples", out.len());
            let settled = &out[out.len() / 4..];
            assert!(tone_share(settled, 1_000.0, to) > 0.999, "{from} to {to}");
            assert!((power(settled) - 0.125).abs() < 0.003, "{from} to {to}: {}", power(settled));
        }
    }

    #[test]
    fn gives_exact_blocks_for_whole_ratios() {
        let (mut down, mut up) = (Resampler::new(48_000, 8_000), Resampler::new(8_000, 48_000));
        let (mut narrow, mut wide) = (Vec::new(), Vec::new());
        // Ten minutes: an error of the filter's counting would add up.
        for n in 0..60_000 {
            narrow.clear();
            wide.clear();
            down.process(&[0.1; 480], &mut narrow);
            up.process(&narrow, &mut wide);
            assert_eq!((narrow.len(), wide.len()), (80, 480), "block {n}");
        }
        assert!(narrow.iter().chain(&wide).all(|sample| (sample - 0.1).abs() < 0.001));
    }

    #[test]
    fn holds_sound_up_for_two_milliseconds_at_most() {
        for (from, to, most_ms) in
            [(48_000, 8_000, 2.3), (8_000, 48_000, 2.3), (44_100, 48_000, 0.5), (48_000, 44_100, 0.5)]
        {
            let mut input = vec![0.0; from as usize / 10];
            let middle = input.len() / 2;
            input[middle - 20..=middle + 20].fill(0.5);
            let mut out = Vec::new();
            let mut resampler = Resampler::new(from, to);
            input.chunks(from as usize / 100).for_each(|chunk| resampler.process(chunk, &mut out));
            let (weighted, sum) = out.iter().enumerate().fold((0.0, 0.0), |(weighted, sum), (n, &sample)| {
                (weighted + n as f64 * f64::from(sample), sum + f64::from(sample))
            });
            let delay_ms = (weighted / sum / f64::from(to) - middle as f64 / f64::from(from)) * 1000.0;
            assert!((0.0..most_ms).contains(&delay_ms), "{from} to {to}: {delay_ms} ms");
        }
    }

    #[test]
    fn keeps_speech_and_suppresses_what_would_alias() {
        let level = |hz: f64| {
            let mut out = Vec::new();
            Resampler::new(48_000, 8_000).process(&sine(hz, 48_000, 48_000), &mut out);
            10.0 * (power(&out[200..]) / 0.125).log10()
        };
        for (hz, least) in [(300.0, -0.1), (3_000.0, -0.1), (3_200.0, -0.5), (3_400.0, -1.5)] {
            assert!((least..0.1).contains(&level(hz)), "{hz} Hz: {} dB", level(hz));
        }
        for (hz, most) in [(4_250.0, -45.0), (4_600.0, -60.0), (5_000.0, -60.0), (7_900.0, -60.0), (20_000.0, -60.0)] {
            assert!(level(hz) < most, "{hz} Hz: {} dB", level(hz));
        }
    }

    #[test]
    fn makes_no_images() {
        let mut out = Vec::new();
        Resampler::new(8_000, 48_000).process(&sine(3_000.0, 8_000, 8_000), &mut out);
        let share = tone_share(&out[4_800..43_200], 3_000.0, 48_000);
        assert!(share > 1.0 - 1e-6, "{share}");
    }

    mod properties {
        use super::*;
        use crate::properties::config;
        use proptest::prelude::*;

        proptest! {
            #![proptest_config(config(64, 7113))]
            #[test]
            fn any_rates_and_amounts_give_what_the_input_lasted(
                from in 1_000u32..200_000,
                to in prop_oneof![Just(8_000u32), Just(44_100), Just(48_000)],
                amounts in prop::collection::vec(0usize..3_000, 1..20),
            ) {
                let mut resampler = Resampler::new(from, to);
                let (mut out, mut fed) = (Vec::new(), 0);
                for amount in amounts {
                    resampler.process(&vec![0.5; amount], &mut out);
                    fed += amount as u64;
                    prop_assert_eq!(out.len() as u64, fed * u64::from(to) / u64::from(from));
                }
                prop_assert!(out.iter().all(|sample| (-0.1..0.6).contains(sample)));
            }
        }
    }
}
