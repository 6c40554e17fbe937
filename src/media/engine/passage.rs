//! What a member of a conference says, on its way to the others: filled by the speaker's clock and emptied by the microphone's, which
//! are two. Time is stretched a little where they drift apart, so that nothing clicks and no delay gathers. Pure.

use crate::media::{
    SAMPLE_RATE,
    dsp::stretch::{Change, stretch},
};

const MS: usize = SAMPLE_RATE as usize / 1000;
/// Gathered before the first is passed on.
const START: usize = 40 * MS;
/// What is left at the least within a second; with less or more than that, a period is added or taken away.
const LEAST: usize = 10 * MS;
const MUCH: usize = 30 * MS;
const LOOKED_AT: usize = 1_000 * MS;
/// More is shortened whatever it sounds like, or thrown away.
const TOO_MUCH: usize = 100 * MS;
const MOST: usize = 130 * MS;
/// Where it begins and breaks off.
const RAMP: usize = 5 * MS;

/// See the module.
#[derive(Debug)]
pub struct Passage {
    samples: Vec<f32>,
    flows: bool,
    /// The least that was left since it was looked at, so many samples ago.
    least: usize,
    since: usize,
    wanted: Option<Change>,
}

impl Default for Passage {
    fn default() -> Self {
        Self { samples: Vec::new(), flows: false, least: usize::MAX, since: 0, wanted: None }
    }
}

impl Passage {
    pub fn push(&mut self, block: &[f32]) {
        self.samples.extend_from_slice(block);
        let hurried = (self.samples.len() > TOO_MUCH).then_some(Change::ShorterAtOnce);
        if let Some(change) = hurried.or(self.wanted).filter(|_| self.flows)
            && stretch(&mut self.samples, SAMPLE_RATE, change) > 0
        {
            self.wanted = None;
        }
        self.samples.drain(..self.samples.len().saturating_sub(MOST));
    }

    /// The next `count` samples; silence where there are not so many.
    pub fn take(&mut self, count: usize) -> Vec<f32> {
        if !self.flows && self.samples.len() < START.max(count + RAMP) {
            return vec![0.0; count];
        }
        let begins = !std::mem::replace(&mut self.flows, true);
        // Kept back, for an end that does not click.
        let breaks_off = self.samples.len() < count + RAMP;
        let mut taken: Vec<f32> = self.samples.drain(..count.min(self.samples.len())).collect();
        let ramp = |sample: &mut f32, n: usize| *sample *= (n as f32 / RAMP as f32).min(1.0);
        if begins {
            taken.iter_mut().enumerate().for_each(|(n, sample)| ramp(sample, n));
        }
        if breaks_off {
            taken.iter_mut().rev().enumerate().for_each(|(n, sample)| ramp(sample, n));
            taken.resize(count, 0.0);
            *self = Self::default();
        } else {
            self.look(count);
        }
        taken
    }

    /// After each second, whether what is left there has become too little or too much.
    fn look(&mut self, count: usize) {
        (self.least, self.since) = (self.least.min(self.samples.len()), self.since + count);
        if self.since >= LOOKED_AT {
            self.wanted = match self.least {
                0..LEAST => Some(Change::Longer),
                LEAST..=MUCH => None,
                _ => Some(Change::Shorter),
            };
            (self.least, self.since) = (usize::MAX, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{BLOCK, dsp::steady_tone_share};

    /// A minute of a tone, from a speaker that takes 20 ms at a time to a microphone that gives `count` samples meanwhile.
    fn pass(count: usize) -> (Vec<f32>, usize) {
        let (mut passage, mut out, mut at, mut most) = (Passage::default(), Vec::new(), 0, 0);
        for _ in 0..3_000 {
            for _ in 0..2 {
                let tone =
                    |n| 0.4 * (2.0 * std::f64::consts::PI * 440.0 * n as f64 / f64::from(SAMPLE_RATE)).sin() as f32;
                passage.push(&(at..at + BLOCK).map(tone).collect::<Vec<_>>());
                at += BLOCK;
            }
            out.extend(passage.take(count));
            most = most.max(passage.samples.len());
        }
        (out.split_off(SAMPLE_RATE as usize / 5), most)
    }

    #[test]
    fn clocks_that_drift_apart_leave_no_click_and_no_delay() {
        // As one, and 0.1 % apart, which is more than cards are.
        for count in [960, 959, 961] {
            let (out, most) = pass(count);
            let step = out.windows(2).map(|two| (two[1] - two[0]).abs()).fold(0.0, f32::max);
            // Of the tone itself: 0.023.
            assert!(step < 0.03, "{count}: a step of {step}");
            let share = steady_tone_share(&out, 440.0, SAMPLE_RATE);
            assert!(share > 0.98, "{count}: {share}");
            assert!(most < TOO_MUCH, "{count}: {} ms", most / MS);
        }
    }

    #[test]
    fn who_pauses_breaks_off_and_begins_without_a_click() {
        let (mut passage, mut out) = (Passage::default(), Vec::new());
        for n in 0..100 {
            if !(40..60).contains(&n) {
                passage.push(&[0.3; 2 * BLOCK]);
            }
            out.extend(passage.take(2 * BLOCK));
        }
        let step = out.windows(2).map(|two| (two[1] - two[0]).abs()).fold(0.0, f32::max);
        assert!(step < 0.3 / 200.0, "a step of {step}");
        let heard = out.iter().filter(|sample| **sample > 0.2).count() / (2 * BLOCK);
        assert!((70..=82).contains(&heard), "{heard} pieces");
    }
}
