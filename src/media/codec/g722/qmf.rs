//! The quadrature mirror filters that split 16 kHz into two bands of 8 kHz and join them again (ITU-T G.722 §3.1, §4.4).

/// Every other coefficient of the symmetric filter of 24 taps (table 11), in 1/8192.
const TAPS: [i32; 12] = [3, -11, 12, 32, -210, 951, 3_876, -805, 362, -156, 53, -11];

/// The last 24 samples, oldest first; the even and odd ones meet the two halves of the filter.
#[derive(Clone, Debug, Default)]
pub struct Qmf {
    even: [i32; 12],
    odd: [i32; 12],
}

impl Qmf {
    /// Two samples of 16 bits become one of 15 bits in the lower and one in the higher band.
    pub fn split(&mut self, first: i32, second: i32) -> (i32, i32) {
        self.push(first, second);
        let (a, b) = (forward(&self.even), backward(&self.odd));
        ((b + a) >> 14, (b - a) >> 14)
    }

    /// The way back.
    pub fn join(&mut self, low: i32, high: i32) -> [i32; 2] {
        self.push(low - high, low + high);
        [backward(&self.even), forward(&self.odd)].map(|sum| (sum >> 11).clamp(-32_768, 32_767))
    }

    fn push(&mut self, first: i32, second: i32) {
        for (line, sample) in [(&mut self.even, first), (&mut self.odd, second)] {
            line.copy_within(1.., 0);
            line[11] = sample;
        }
    }
}

fn forward(line: &[i32; 12]) -> i32 {
    line.iter().zip(&TAPS).map(|(x, h)| x * h).sum()
}

fn backward(line: &[i32; 12]) -> i32 {
    line.iter().zip(TAPS.iter().rev()).map(|(x, h)| x * h).sum()
}
