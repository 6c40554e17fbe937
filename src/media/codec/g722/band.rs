//! One sub-band's adaptive differential coding (ITU-T G.722 §3, §4, §6.2): the same arithmetic on both sides, so that the
//! decoder follows the encoder from the codes alone. Block names in the comments are the Recommendation's.

/// Quantizer of the lower band, 6 bits: decision levels (LDQ6) and outputs (OQ6) for magnitudes 1 to 30, in 1/4096.
const DECISIONS_6: [i32; 29] = [
    35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121, 1219, 1339,
    1458, 1612, 1765, 1980, 2195, 2557, 2919,
];
const OUTPUTS_6: [i32; 31] = [
    17, 17, 54, 91, 130, 170, 211, 254, 300, 347, 396, 447, 501, 558, 618, 682, 750, 822, 899, 982, 1072, 1170, 1279,
    1399, 1535, 1689, 1873, 2088, 2376, 2738, 3101,
];
/// The same code's upper four bits, by magnitude: what both sides adapt from.
const OUTPUTS_4: [i32; 8] = [0, 150, 323, 530, 786, 1121, 1612, 2557];
/// Of the higher band, 2 bits: the one decision level and the outputs.
const DECISION_2: i32 = 564;
const OUTPUTS_2: [i32; 3] = [0, 202, 926];
/// How each magnitude moves the logarithmic scale factor (WL, WH).
const STEPS_LOW: [i32; 8] = [-60, -30, 58, 172, 334, 538, 1198, 3042];
const STEPS_HIGH: [i32; 3] = [0, -214, 798];
/// 2048 · 2^(n/32) (ILB).
const POWERS: [i32; 32] = [
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834, 2896, 2960, 3025,
    3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
];

/// The lower band (0–4 kHz), 6 bits a sample.
#[derive(Clone, Debug)]
pub struct Low(Scale, Predictor);

/// The higher band (4–8 kHz), 2 bits a sample.
#[derive(Clone, Debug)]
pub struct High(Scale, Predictor);

impl Default for Low {
    fn default() -> Self {
        Self(Scale { logarithm: 0, linear: 32 }, Predictor::default())
    }
}

impl Low {
    /// QUANTL. `sample` has 15 bits. Does not move the state: [`Low::decode`] does.
    pub fn encode(&self, sample: i32) -> u8 {
        let error = saturate(sample - self.1.estimate);
        let magnitude = if error < 0 { -(error + 1) } else { error };
        let level =
            1 + DECISIONS_6.iter().take_while(|&&limit| magnitude >= (limit * self.0.linear) >> 12).count() as u8;
        match level {
            level if error >= 0 => 62 - level,
            1 | 2 => 64 - level,
            level => 34 - level,
        }
    }

    /// INVQBL, RECONS, LIMIT, then what both sides learn (INVQAL, LOGSCL, SCALEL and the predictor).
    pub fn decode(&mut self, code: u8) -> i32 {
        let fine = match code {
            32..=61 => OUTPUTS_6[usize::from(62 - code)],
            62.. => -OUTPUTS_6[usize::from(64 - code.min(63))],
            4..=31 => -OUTPUTS_6[usize::from(34 - code)],
            // No encoder makes these four.
            0..=3 => -OUTPUTS_6[1],
        };
        let sample = (self.1.estimate + ((self.0.linear * fine * 8) >> 15)).clamp(-16_384, 16_383);
        let (coarse, is_positive) = match code >> 2 {
            level @ 8.. => (15 - level.min(15), true),
            0 => (0, false),
            level => (8 - level, false),
        };
        let magnitude = OUTPUTS_4[usize::from(coarse)] * 8;
        let difference = (self.0.linear * if is_positive { magnitude } else { -magnitude }) >> 15;
        self.0.adapt(STEPS_LOW[usize::from(coarse)], 18_432, 8);
        self.1.adapt(difference);
        sample
    }
}

impl Default for High {
    fn default() -> Self {
        Self(Scale { logarithm: 0, linear: 8 }, Predictor::default())
    }
}

impl High {
    /// QUANTH.
    pub fn encode(&self, sample: i32) -> u8 {
        let error = saturate(sample - self.1.estimate);
        let magnitude = if error < 0 { -(error + 1) } else { error };
        let is_large = magnitude >= (DECISION_2 * self.0.linear) >> 12;
        match (error < 0, is_large) {
            (true, true) => 0,
            (true, false) => 1,
            (false, true) => 2,
            (false, false) => 3,
        }
    }

    /// INVQAH, RECONS, LIMIT, LOGSCH, SCALEH and the predictor.
    pub fn decode(&mut self, code: u8) -> i32 {
        let level = if code & 1 == 0 { 2 } else { 1 };
        let magnitude = OUTPUTS_2[level] * 8;
        let difference = (self.0.linear * if code >= 2 { magnitude } else { -magnitude }) >> 15;
        let sample = (self.1.estimate + difference).clamp(-16_384, 16_383);
        self.0.adapt(STEPS_HIGH[level], 22_528, 10);
        self.1.adapt(difference);
        sample
    }
}

/// The quantizer's step, which follows the signal (§3.5).
#[derive(Clone, Debug)]
struct Scale {
    logarithm: i32,
    linear: i32,
}

impl Scale {
    fn adapt(&mut self, step: i32, limit: i32, shift: i32) {
        self.logarithm = (((self.logarithm * 127) >> 7) + step).clamp(0, limit);
        let power = POWERS[((self.logarithm >> 6) & 31) as usize];
        let down = shift - (self.logarithm >> 11);
        self.linear = (if down < 0 { power << -down } else { power >> down }) << 2;
    }
}

/// Two poles and six zeros, adapted by signs (§3.6). Newest first.
#[derive(Clone, Debug, Default)]
struct Predictor {
    estimate: i32,
    zeros_estimate: i32,
    poles: [i32; 2],
    zeros: [i32; 6],
    /// Reconstructed signal, partially reconstructed signal, quantized differences.
    signal: [i32; 2],
    partial: [i32; 2],
    differences: [i32; 6],
}

impl Predictor {
    fn adapt(&mut self, difference: i32) {
        // RECONS, PARREC.
        let signal = saturate(self.estimate + difference);
        let partial = saturate(self.zeros_estimate + difference);
        self.adapt_poles(partial);
        self.adapt_zeros(difference);
        // DELAYA.
        self.signal = [signal, self.signal[0]];
        self.partial = [partial, self.partial[0]];
        self.differences.rotate_right(1);
        self.differences[0] = difference;
        // FILTEP, FILTEZ, PREDIC.
        let product = |coefficient: &i32, value: &i32| (coefficient * saturate(value * 2)) >> 15;
        let from_poles = saturate(self.poles.iter().zip(&self.signal).map(|(a, r)| product(a, r)).sum());
        self.zeros_estimate = saturate(self.zeros.iter().zip(&self.differences).map(|(b, d)| product(b, d)).sum());
        self.estimate = saturate(from_poles + self.zeros_estimate);
    }

    /// UPPOL2, UPPOL1.
    fn adapt_poles(&mut self, partial: i32) {
        let same = self.partial.map(|before| (partial < 0) == (before < 0));
        let towards = saturate(self.poles[0] * 4);
        let towards = if same[0] { -towards } else { towards }.min(32_767);
        let second = (towards >> 7) + if same[1] { 128 } else { -128 } + ((self.poles[1] * 32_512) >> 15);
        let second = second.clamp(-12_288, 12_288);
        let first = saturate(((self.poles[0] * 32_640) >> 15) + if same[0] { 192 } else { -192 });
        let limit = saturate(15_360 - second);
        self.poles = [first.clamp(-limit, limit), second];
    }

    /// UPZERO.
    fn adapt_zeros(&mut self, difference: i32) {
        let step = if difference == 0 { 0 } else { 128 };
        for (zero, before) in self.zeros.iter_mut().zip(&self.differences) {
            let same = (difference < 0) == (*before < 0);
            *zero = saturate(((*zero * 32_640) >> 15) + if same { step } else { -step });
        }
    }
}

fn saturate(value: i32) -> i32 {
    value.clamp(-32_768, 32_767)
}
