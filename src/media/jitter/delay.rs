//! How long packets take compared with the fastest of the last seconds, and the delay that lets nearly all be in time.

/// Width of a bin of the histogram, in milliseconds.
const BIN_MS: f64 = 2.5;
/// 500 ms: what comes later is counted in the last bin.
const BINS: usize = 200;
/// Share of packets that shall be in time.
const QUANTILE: f32 = 0.98;
/// Packets closer together than this catch up after a standstill, which shall count once.
const CATCHING_UP_MS: f64 = 5.0;
/// Packets that the histogram remembers, about 8 s.
const MEMORY: u32 = 400;
/// Until this many packets came, the target is at least [`FIRST_TARGET_MS`].
const LEARNING: u32 = 25;
const FIRST_TARGET_MS: f64 = 20.0;
/// Allowance for blocks being played at steps of 10 ms, which seldom end just before a packet does; grows with each packet that comes
/// too late all the same: one in fifty may, and each is heard.
const MARGIN_MS: std::ops::RangeInclusive<f64> = 7.0..=40.0;
/// Of the spread: most of those beyond the quantile are within so much more.
const TAIL: f64 = 0.1;
const LONGEST_TAIL_MS: f64 = 5.0;
const MARGIN_STEP_MS: f64 = 3.0;
/// Given back for each packet, 3 ms a minute: who was missed once is missed again, and each change of the delay is heard.
const MARGIN_DECAY_MS: f64 = 0.001;
/// The fastest transit is sought in this many spans of half a second: long enough to hold a fast packet on a jittery network,
/// short enough to follow a clock that runs slow.
const SPANS: usize = 5;
const SPAN_MS: f64 = 500.0;
/// No more than the slowest packet of the last five seconds calls for is aimed at: what the histogram has of before, when the network was
/// worse or timestamps told nonsense, is not waited for any more.
const SLOW_SPANS: usize = 10;
/// A transit that differs by more belongs to a stream that began anew.
const JUMP_MS: f64 = 2_000.0;

/// Learns from arrivals. Times are milliseconds on any one clock; those of the media likewise, on its own.
#[derive(Debug)]
pub struct DelayEstimator {
    /// Smallest transit (arrival less media time) of each span, newest first.
    fastest: [f64; SPANS],
    /// How slow the slowest of each span was, compared with the fastest lately.
    slowest: [f64; SLOW_SPANS],
    span_started: f64,
    histogram: [f32; BINS],
    packets: u32,
    margin_ms: f64,
    /// Arrival before, and how slow it was.
    last: (f64, f64),
}

impl Default for DelayEstimator {
    fn default() -> Self {
        Self {
            fastest: [f64::INFINITY; SPANS],
            slowest: [0.0; SLOW_SPANS],
            span_started: 0.0,
            histogram: [0.0; BINS],
            packets: 0,
            margin_ms: *MARGIN_MS.start(),
            last: (f64::NEG_INFINITY, 0.0),
        }
    }
}

impl DelayEstimator {
    /// The longest delay that is ever aimed at.
    pub const LONGEST_MS: f64 = BINS as f64 * BIN_MS + LONGEST_TAIL_MS + *MARGIN_MS.end();

    /// Takes in an arrival. Returns how much slower than the fastest it was.
    pub fn observe(&mut self, arrival_ms: f64, media_ms: f64) -> f64 {
        let transit = arrival_ms - media_ms;
        if self.base() != 0.0 && (transit - self.base()).abs() > JUMP_MS {
            *self = Self { margin_ms: self.margin_ms, ..Self::default() };
        }
        if self.fastest[0].is_infinite() || arrival_ms - self.span_started > SPAN_MS {
            let before = self.known_base();
            self.fastest.rotate_right(1);
            self.fastest[0] = transit;
            self.slowest.rotate_right(1);
            self.slowest[0] = 0.0;
            self.span_started = arrival_ms;
            if let Some(before) = before {
                self.raise(self.base() - before);
            }
        }
        self.fastest[0] = self.fastest[0].min(transit);
        self.packets = self.packets.saturating_add(1);
        let relative = transit - self.base();
        self.slowest[0] = self.slowest[0].max(relative);
        let (before_ms, before) = std::mem::replace(&mut self.last, (arrival_ms, relative));
        if arrival_ms - before_ms < CATCHING_UP_MS && relative < before {
            return relative;
        }
        // Every packet weighs the same at first, then the older ones fade.
        let weight = 1.0 / self.packets.min(MEMORY) as f32;
        self.histogram.iter_mut().for_each(|share| *share *= 1.0 - weight);
        self.histogram[((relative / BIN_MS) as usize).min(BINS - 1)] += weight;
        self.margin_ms = (self.margin_ms - MARGIN_DECAY_MS).max(*MARGIN_MS.start());
        relative
    }

    /// The fastest packets have become slower by so much: all the others were that much less behind them.
    fn raise(&mut self, by_ms: f64) {
        self.slowest.iter_mut().for_each(|slow| *slow = (*slow - by_ms.max(0.0)).max(0.0));
        let bins = ((by_ms / BIN_MS) as usize).min(BINS - 1);
        if bins > 0 {
            let merged = self.histogram[..bins].iter().sum::<f32>();
            self.histogram.copy_within(bins.., 0);
            self.histogram[BINS - bins..].fill(0.0);
            self.histogram[0] += merged;
        }
    }

    /// The sender was silent: what it sends now need not keep step with what came before.
    pub fn new_spurt(&mut self) {
        self.fastest = [f64::INFINITY; SPANS];
    }

    /// A packet came too late to be played in time.
    pub fn missed(&mut self) {
        self.margin_ms = (self.margin_ms + MARGIN_STEP_MS).min(*MARGIN_MS.end());
    }

    /// Transit of the fastest packet lately; zero before the first.
    pub fn base(&self) -> f64 {
        self.known_base().unwrap_or(0.0)
    }

    fn known_base(&self) -> Option<f64> {
        self.fastest.iter().copied().filter(|transit| transit.is_finite()).reduce(f64::min)
    }

    /// The delay to play at, over the fastest transit.
    pub fn target_ms(&self) -> f64 {
        let (mut sum, mut bin) = (0.0, 0);
        while bin < BINS - 1 {
            sum += self.histogram[bin];
            if sum >= QUANTILE {
                break;
            }
            bin += 1;
        }
        // Nearly punctual packets need the margin alone.
        let slowest = self.slowest.iter().copied().fold(0.0, f64::max);
        let spread = if self.packets == 0 { 0.0 } else { (bin as f64 * BIN_MS).min(slowest) };
        let target = spread + (spread * TAIL).min(LONGEST_TAIL_MS) + self.margin_ms;
        if self.packets < LEARNING { target.max(FIRST_TARGET_MS) } else { target }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng, rngs::StdRng};

    fn target(jitter_ms: f64, drift: f64) -> f64 {
        let mut random = StdRng::seed_from_u64(7);
        let mut estimator = DelayEstimator::default();
        for n in 0..3_000 {
            let media = f64::from(n) * 20.0;
            let unit = f64::from(random.next_u32()) / f64::from(u32::MAX);
            estimator.observe(5_000.0 + media * (1.0 + drift) + unit * jitter_ms, media);
        }
        estimator.target_ms()
    }

    #[test]
    fn the_target_covers_the_jitter_and_little_more() {
        assert!(target(0.5, 0.0) <= 12.5);
        for jitter in [20.0, 60.0, 150.0] {
            let target = target(jitter, 0.0);
            assert!(target >= jitter && target <= jitter + 15.0, "{jitter}: {target}");
        }
    }

    /// Whatever a while of packets says of its time, five seconds of punctual ones later it is forgotten.
    #[test]
    fn what_is_over_is_not_aimed_at_for_long() {
        let mut random = StdRng::seed_from_u64(7);
        for (from, to) in [(0.0, 200.0), (-400.0, 400.0), (-1_000.0, 250.0), (-1_800.0, 0.0), (0.0, 1_800.0)] {
            let mut estimator = DelayEstimator::default();
            let at = |estimator: &mut DelayEstimator, ms: f64, off: f64| estimator.observe(5_000.0 + ms, ms - off);
            for n in 0..50 {
                at(&mut estimator, f64::from(n) * 20.0, 0.0);
            }
            for n in 0..2_000 {
                let unit = f64::from(random.next_u32()) / f64::from(u32::MAX);
                at(&mut estimator, 1_000.0 + f64::from(n) * 0.5, from + unit * (to - from));
            }
            for n in 100..350 {
                at(&mut estimator, f64::from(n) * 20.0, 0.0);
            }
            let target = estimator.target_ms();
            at(&mut estimator, 7_500.0, 0.0);
            assert!(estimator.target_ms() <= 12.5, "{from} to {to}: {target}");
        }
    }

    #[test]
    fn drifting_clocks_do_not_inflate_it() {
        for drift in [-200e-6, 200e-6] {
            assert!(target(0.5, drift) <= 15.0, "{drift}: {}", target(0.5, drift));
        }
    }
}
