//! Concealment for codecs without their own, after ITU-T G.711 Appendix I: the last pitch period is repeated, faded, and
//! overlapped with what comes after the gap. Better than that where the packet after the gap is there already: what it holds is
//! traced back, and the one turns into the other.

use super::dot;

/// Repetition starts from one period and takes in another after each of these, so that a long gap does not buzz (§I.2.7).
const MORE_PERIODS_MS: [usize; 2] = [10, 20];
/// Full level for the first 10 ms, then 20 % less each 10 ms: silent after 60 ms (§I.2.7).
const FADE_START_MS: usize = 10;
const FADE_END_MS: usize = 60;
/// Pitch from 66 to 200 Hz.
const LAG_MIN_MS: usize = 5;
const LAG_MAX_MS: usize = 15;

/// Remembers what was played and continues it when nothing comes.
#[derive(Debug)]
pub struct Concealer {
    /// Samples a millisecond.
    ms: usize,
    /// The last 48 ms played: three of the longest periods, and a quarter more for the overlap.
    history: Vec<f32>,
    gap: Option<Gap>,
}

/// The signal that fills a gap.
#[derive(Debug)]
struct Gap {
    period: usize,
    /// The last periods before the gap, the end blended so that it can be repeated; the newest period last.
    wave: Vec<f32>,
    /// Step between the last sample played and the repetition, faded out over the first samples.
    step: f32,
    /// Samples made so far.
    made: usize,
    /// Where in the current stretch of the wave the next sample is.
    at: usize,
}

impl Concealer {
    /// `rate` in Hz.
    pub fn new(rate: u32) -> Self {
        let ms = rate as usize / 1000;
        Self { ms, history: vec![0.0; 48 * ms], gap: None }
    }

    /// What a decoder made; its beginning is blended with the concealment that came before.
    pub fn heard(&mut self, samples: &mut [f32]) {
        if let Some(mut gap) = self.gap.take() {
            // 4 ms, and 4 ms more for each 10 ms of gap, up to 10 ms (§I.2.8).
            let overlap = (4 * self.ms + gap.made / (10 * self.ms) * 4 * self.ms).min(10 * self.ms).min(samples.len());
            for (n, sample) in samples[..overlap].iter_mut().enumerate() {
                let new = (n + 1) as f32 / (overlap + 1) as f32;
                *sample = *sample * new + gap.next(self.ms) * (1.0 - new);
            }
        }
        self.remember(samples);
    }

    /// Appends `count` samples that continue what was heard.
    pub fn conceal(&mut self, count: usize, out: &mut Vec<f32>) {
        let ms = self.ms;
        let gap = self.gap.get_or_insert_with(|| Gap::after(&self.history, ms));
        out.extend((0..count).map(|_| gap.next(ms)));
    }

    /// Appends `count` samples between what was heard and `after`, which comes next.
    pub fn bridge(&mut self, count: usize, after: &[f32], out: &mut Vec<f32>) {
        let start = out.len();
        self.conceal(count, out);
        // Less does not tell its pitch.
        if after.len() < 20 * self.ms {
            return;
        }
        let mut back = Self { ms: self.ms, history: backwards(after, self.ms, self.history.len()), gap: None };
        let mut traced = Vec::with_capacity(count);
        back.conceal(count, &mut traced);
        for (n, (sample, traced)) in out[start..].iter_mut().zip(traced.iter().rev()).enumerate() {
            let share = (n + 1) as f32 / (count + 1) as f32;
            *sample = *sample * (1.0 - share) + traced * share;
        }
        // It ends where the next sample begins: nothing is left to blend.
        self.gap = None;
        self.remember(&out[start..]);
    }

    fn remember(&mut self, samples: &[f32]) {
        let keep = self.history.len();
        if samples.len() >= keep {
            self.history.copy_from_slice(&samples[samples.len() - keep..]);
        } else {
            self.history.copy_within(samples.len().., 0);
            self.history[keep - samples.len()..].copy_from_slice(samples);
        }
    }
}

impl Gap {
    fn after(history: &[f32], ms: usize) -> Self {
        let period = pitch(history, ms);
        let quarter = period / 4;
        let mut wave = history[history.len() - 3 * period..].to_vec();
        // The last quarter turns into what precedes each possible start, so that the end leads to the start again.
        let end = wave.len() - quarter;
        for n in 0..quarter {
            let share = (n + 1) as f32 / (quarter + 1) as f32;
            let before = history[history.len() - period - quarter + n];
            wave[end + n] = wave[end + n] * (1.0 - share) + before * share;
        }
        let step = history[history.len() - 1] - history[history.len() - period - 1];
        Self { period, wave, step, made: 0, at: 0 }
    }

    fn next(&mut self, ms: usize) -> f32 {
        let made_ms = self.made / ms;
        let periods = 1 + MORE_PERIODS_MS.iter().filter(|&&limit| made_ms >= limit).count();
        let stretch = periods * self.period;
        if self.at >= stretch {
            self.at = 0;
        }
        let sample = self.wave[self.wave.len() - stretch + self.at];
        let step = self.step * (1.0 - self.made as f32 / ms as f32).max(0.0);
        let faded = self.made.saturating_sub(FADE_START_MS * ms) as f32;
        let level = (1.0 - faded / ((FADE_END_MS - FADE_START_MS) * ms) as f32).max(0.0);
        self.at += 1;
        self.made += 1;
        (sample + step) * level
    }
}

/// The beginning of a sound in reverse, its last period repeated before it until there are `length` samples.
fn backwards(sound: &[f32], ms: usize, length: usize) -> Vec<f32> {
    let sound = &sound[..sound.len().min(length)];
    let beginning = &sound[..20 * ms];
    let resemblance = |lag: usize| {
        let (early, late) = (&beginning[..beginning.len() - lag], &beginning[lag..]);
        dot(early, late) / (dot(early, early) * dot(late, late) + 1e-9).sqrt()
    };
    let period = (5 * ms / 2..=12 * ms)
        .map(|lag| (lag, resemblance(lag)))
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .map_or(LAG_MIN_MS * ms, |(lag, _)| lag);
    let last = &sound[sound.len() - period..];
    let more = last.iter().cycle().take(length - sound.len());
    let mut reversed: Vec<f32> = sound.iter().chain(more).copied().collect();
    reversed.reverse();
    reversed
}

/// The lag at which the last 20 ms resemble what came before, in samples.
fn pitch(history: &[f32], ms: usize) -> usize {
    let window = 20 * ms;
    let newest = &history[history.len() - window..];
    (LAG_MIN_MS * ms..=LAG_MAX_MS * ms)
        .map(|lag| {
            let older = &history[history.len() - window - lag..][..window];
            (lag, dot(newest, older) / (dot(older, older) + 1e-6).sqrt())
        })
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .map_or(LAG_MIN_MS * ms, |(lag, _)| lag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::dsp::power;

    fn voiced(n: usize) -> f32 {
        let phase = n as f32 * 2.0 * std::f32::consts::PI * 130.0 / 8_000.0;
        0.3 * phase.sin() + 0.15 * (3.0 * phase + 0.5).sin() + 0.1 * (7.0 * phase).sin()
    }

    #[test]
    fn continues_a_voiced_sound_better_than_silence_does() {
        let mut concealer = Concealer::new(8_000);
        let mut before: Vec<f32> = (0..800).map(voiced).collect();
        concealer.heard(&mut before);
        let mut filled = Vec::new();
        concealer.conceal(160, &mut filled);
        let error: Vec<f32> = filled[..80].iter().enumerate().map(|(n, x)| x - voiced(800 + n)).collect();
        assert!(power(&error) < 0.05 * power(&before), "{} of {}", power(&error), power(&before));
    }

    #[test]
    fn between_two_sounds_it_leads_from_one_to_the_other() {
        // The pitch has risen while nothing came.
        let higher = |n: usize| voiced(n * 5 / 4);
        let mut concealer = Concealer::new(8_000);
        let mut before: Vec<f32> = (0..800).map(voiced).collect();
        concealer.heard(&mut before);
        let after: Vec<f32> = (960..1_120).map(higher).collect();
        let mut all = before.clone();
        concealer.bridge(160, &after, &mut all);
        let late: Vec<f32> = all[920..].iter().zip((920..).map(higher)).map(|(made, wanted)| made - wanted).collect();
        let mut alone = Concealer::new(8_000);
        alone.heard(&mut before);
        let mut continued = Vec::new();
        alone.conceal(160, &mut continued);
        let off: Vec<f32> =
            continued[120..].iter().zip((920..).map(higher)).map(|(made, wanted)| made - wanted).collect();
        assert!(power(&late) < 0.3 * power(&off), "{} against {}", power(&late), power(&off));
        let mut next = after.clone();
        concealer.heard(&mut next);
        assert_eq!(next, after, "what comes next is left as it is");
        all.extend(next);
        let natural = after.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max);
        let worst = all.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max);
        assert!(worst < 2.0 * natural, "{worst} against {natural}");
    }

    #[test]
    fn fades_to_silence_within_60_ms_and_never_jumps() {
        let mut concealer = Concealer::new(8_000);
        let mut before: Vec<f32> = (0..800).map(voiced).collect();
        concealer.heard(&mut before);
        let mut all = before.clone();
        concealer.conceal(640, &mut all);
        assert!(all[800 + 480..].iter().all(|x| x.abs() < 1e-6));
        let mut after: Vec<f32> = (1440..1600).map(voiced).collect();
        concealer.heard(&mut after);
        all.extend(&after);
        let natural = before.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max);
        let worst = all.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max);
        assert!(worst < 2.0 * natural, "{worst} against {natural}");
    }
}
