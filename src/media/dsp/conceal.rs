//! Concealment for codecs without their own, after ITU-T G.711 Appendix I: the last pitch period is repeated, faded, and
//! overlapped with what comes after the gap. Better than that where what follows the gap is there already: a voice is led from its
//! last period to the next one (waveform interpolation), so that pitch, phase and loudness arrive where they go on; anything else is
//! traced back from what follows, and the one turns into the other. Of each of these only half is heard: the other half is what linear
//! prediction makes of the same side, exact at first, and less the less is known.

use super::{bridge::Bridge, dot, prediction::go_on};

/// Repetition starts from one period and takes in another after each of these, so that a long gap does not buzz (§I.2.7).
const MORE_PERIODS_MS: [usize; 2] = [10, 20];
/// Full level for the first 10 ms, then 20 % less each 10 ms: silent after 60 ms (§I.2.7).
const FADE_START_MS: usize = 10;
const FADE_END_MS: usize = 60;
/// Pitch from 66 to 200 Hz.
const LAG_MIN_MS: usize = 5;
const LAG_MAX_MS: usize = 15;
/// What must follow a gap for its pitch to be told.
const TELLING_MS: usize = 20;
/// A voice resembles itself a period earlier by so much, on both sides of the gap: above are vowels, below transitions, which a
/// period cannot stand for. At 0.6 and at 0.9 it sounds worse (PESQ).
const VOICED: f32 = 0.75;
/// Linear prediction looks at so much, and predicts a sample from so many before it.
const PREDICTED_FROM_MS: usize = 40;
const PREDICTED_BY_MS: usize = 4;
/// A longer gap holds more than what lies beside it tells.
const LONGEST_BRIDGE_MS: usize = 80;

/// Remembers what was played and continues it when nothing comes.
#[derive(Clone, Debug)]
pub struct Concealer {
    /// Samples a millisecond.
    ms: usize,
    /// The last 48 ms played: three of the longest periods, and a quarter more for the overlap.
    history: Vec<f32>,
    gap: Option<Gap>,
    bridge: Bridge,
}

/// The signal that fills a gap.
#[derive(Clone, Debug)]
struct Gap {
    period: usize,
    /// The last periods before the gap, the end blended so that it can be repeated; the newest period last.
    wave: Vec<f32>,
    /// Step between the last sample played and the repetition, faded out over the first samples.
    step: f32,
    /// What linear prediction makes of the same, until all has faded.
    predicted: Vec<f32>,
    /// Samples made so far.
    made: usize,
    /// Where in the current stretch of the wave the next sample is.
    at: usize,
}

impl Concealer {
    /// `rate` in Hz.
    pub fn new(rate: u32) -> Self {
        let ms = rate as usize / 1000;
        Self { ms, history: vec![0.0; 48 * ms], gap: None, bridge: Bridge::default() }
    }

    /// What a decoder made; its beginning is blended with the concealment that came before.
    pub fn heard(&mut self, samples: &mut [f32]) {
        // What was bridged to comes sooner: the rest of the bridge fades under it.
        let overlap = (4 * self.ms).min(samples.len()).min(self.bridge.left());
        for (n, (sample, bridged)) in samples.iter_mut().zip(self.bridge.take(overlap)).enumerate() {
            let new = (n + 1) as f32 / (overlap + 1) as f32;
            *sample = *sample * new + bridged * (1.0 - new);
        }
        self.bridge.leave();
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
        let start = out.len();
        let ms = self.ms;
        self.bridge.leave();
        let gap = self.gap.get_or_insert_with(|| Gap::after(&self.history, ms));
        out.extend((0..count).map(|_| gap.next(ms)));
        self.remember(&out[start..]);
    }

    /// Whether a bridge was begun that reaches `count` samples further.
    pub fn is_bridging(&self, count: usize) -> bool {
        self.bridge.reaches(count)
    }

    /// Whether so many missing samples before so many that follow can be bridged.
    pub fn can_bridge(&self, missing: usize, after: usize) -> bool {
        // Less after the gap than that does not tell its pitch.
        after >= TELLING_MS * self.ms && missing <= LONGEST_BRIDGE_MS * self.ms
    }

    /// Appends the first `count` of the `missing` samples between what was heard and `after`, which comes next. Returns whether they
    /// lead there.
    pub fn bridge(&mut self, count: usize, missing: usize, after: &[f32], out: &mut Vec<f32>) -> bool {
        if !self.is_bridging(count) {
            if !self.can_bridge(missing, after.len()) {
                self.conceal(count, out);
                return false;
            }
            let led = lead(&self.history, after, missing, self.ms);
            self.bridge = Bridge::new(led.unwrap_or_else(|| self.turn(after, missing)));
            // It ends where the next sample begins: nothing is left to blend.
            self.gap = None;
        }
        let start = out.len();
        out.extend(self.bridge.take(count));
        self.remember(&out[start..]);
        true
    }

    /// What was heard goes on, what follows is traced back, and over `missing` samples the one turns into the other.
    fn turn(&mut self, after: &[f32], missing: usize) -> Vec<f32> {
        let ms = self.ms;
        let gap = self.gap.get_or_insert_with(|| Gap::after(&self.history, ms));
        let mut turned: Vec<f32> = (0..missing).map(|_| gap.next(ms)).collect();
        let mut back = Gap::after(&backwards(after, ms, self.history.len()), ms);
        for (n, sample) in turned.iter_mut().enumerate().rev() {
            let share = (n + 1) as f32 / (missing + 1) as f32;
            *sample = *sample * (1.0 - share) + back.next(ms) * share;
        }
        turned
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
        let predicted = foresee(history, (FADE_END_MS + LAG_MAX_MS) * ms, ms);
        Self { period, wave, step, predicted, made: 0, at: 0 }
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
        let predicted = self.predicted.get(self.made).copied().unwrap_or_default();
        self.at += 1;
        self.made += 1;
        (sample + step + predicted) / 2.0 * level
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

/// `missing` samples of a voice between `before` and `after`: period by period its last wave turns into the next one, at a pitch
/// that glides so that they meet in phase. `None` where either side is no voice.
fn lead(before: &[f32], after: &[f32], missing: usize, ms: usize) -> Option<Vec<f32>> {
    let reversed: Vec<f32> = after.iter().rev().copied().collect();
    let lags = |most: usize| (5 * ms / 2..=most).map(|lag| lag as f32);
    let old = lags(LAG_MAX_MS * ms)
        .map(|lag| (lag, resemblance(before, lag as usize, TELLING_MS * ms)))
        .max_by(|a, b| a.1.total_cmp(&b.1))?;
    // A short piece resembles itself at many lags: pitch does not leap.
    let leap = |lag: f32| 0.15 * (lag / old.0).log2().abs();
    let new = lags(12 * ms)
        .map(|lag| (lag, resemblance(&reversed, lag as usize, 8 * ms)))
        .max_by(|a, b| (a.1 - leap(a.0)).total_cmp(&(b.1 - leap(b.0))))?;
    if old.1 < VOICED || new.1 < VOICED {
        return None;
    }
    let (old, new) = same_octave(old.0, new.0);
    let old_wave = period(before, old as usize);
    let mut new_wave = period(&reversed, new as usize);
    new_wave.reverse();
    let shift = phase_between(&old_wave, &new_wave);
    // Periods from one end to the other: as many as the pitches say, and the part that lets the waves meet.
    let length = missing as f32;
    let natural = length * (1.0 / old + 1.0 / new) / 2.0;
    let periods = (natural + shift).round().max(1.0) - shift;
    let bend = (periods - natural) / length;
    let (first, last) = (before[before.len() - 1] - old_wave[old_wave.len() - 1], after[0] - new_wave[0]);
    let (forth, back) = (foresee(before, missing, ms), foresee(&reversed, missing, ms));
    let mut phase = 0.0;
    Some(
        (0..missing)
            .map(|n| {
                let share = (n + 1) as f32 / (length + 1.0);
                let sample = at(&old_wave, phase) * (1.0 - share) + at(&new_wave, phase + shift) * share;
                let predicted = forth[n] * (1.0 - share) + back[missing - 1 - n] * share;
                let t = (n as f32 + 0.5) / length;
                phase += (1.0 / old + (1.0 / new - 1.0 / old) * t + 6.0 * bend * t * (1.0 - t)).max(0.0);
                let fade = |n: usize| (1.0 - n as f32 / ms as f32).max(0.0);
                (sample + first * fade(n + 1) + last * fade(missing - n) + predicted) / 2.0
            })
            .collect(),
    )
}

/// What linear prediction makes of a sound.
fn foresee(sound: &[f32], count: usize, ms: usize) -> Vec<f32> {
    let known = &sound[sound.len().saturating_sub(PREDICTED_FROM_MS * ms)..];
    go_on(known, (PREDICTED_BY_MS * ms).min(known.len() / 4), count)
}

/// How much the last `window` samples resemble those `lag` before them, up to 1.
fn resemblance(sound: &[f32], lag: usize, window: usize) -> f32 {
    let newest = &sound[sound.len() - window..];
    let older = &sound[sound.len() - window - lag..][..window];
    dot(newest, older) / (dot(newest, newest) * dot(older, older) + 1e-9).sqrt()
}

/// Two or three periods were taken for one on either side.
fn same_octave(old: f32, new: f32) -> (f32, f32) {
    for times in [2.0f32, 3.0] {
        if (old / new - times).abs() < 0.15 * times {
            return ((old / times).round(), new);
        }
        if (new / old - times).abs() < 0.15 * times {
            return (old, (new / times).round());
        }
    }
    (old, new)
}

/// The last `length` samples, the end blended so that the wave can be repeated.
fn period(sound: &[f32], length: usize) -> Vec<f32> {
    let start = sound.len() - length;
    let quarter = length / 4;
    let mut wave = sound[start..].to_vec();
    for n in 0..quarter {
        let share = (n + 1) as f32 / (quarter + 1) as f32;
        let end = length - quarter + n;
        wave[end] = wave[end] * (1.0 - share) + sound[start - quarter + n] * share;
    }
    wave
}

/// By how much of a period `new` has to be shifted to resemble `old` most.
fn phase_between(old: &[f32], new: &[f32]) -> f32 {
    const STEPS: usize = 160;
    let sampled = |wave: &[f32]| -> Vec<f32> { (0..STEPS).map(|n| at(wave, n as f32 / STEPS as f32)).collect() };
    let (old, new) = (sampled(old), sampled(new));
    let alike = |shift: usize| dot(&old[..STEPS - shift], &new[shift..]) + dot(&old[STEPS - shift..], &new[..shift]);
    let best = (0..STEPS).map(|shift| (shift, alike(shift))).max_by(|a, b| a.1.total_cmp(&b.1));
    best.map_or(0.0, |(shift, _)| shift as f32 / STEPS as f32)
}

/// A wave of one period at a phase counted in periods, between its samples by a cubic through four of them.
fn at(wave: &[f32], phase: f32) -> f32 {
    let count = wave.len();
    let place = phase.rem_euclid(1.0) * count as f32;
    let (whole, part) = (place as usize, place.fract());
    let sample = |n: usize| wave[(whole + n + count - 1) % count];
    let (a, b, c, d) = (sample(0), sample(1), sample(2), sample(3));
    b + 0.5 * part * (c - a + part * (2.0 * a - 5.0 * b + 4.0 * c - d + part * (3.0 * (b - c) + d - a)))
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

    /// The worst step from one sample to the next.
    fn step(samples: &[f32]) -> f32 {
        samples.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max)
    }

    fn error(made: &[f32], wanted: impl Fn(usize) -> f32, from: usize) -> f32 {
        let error: Vec<f32> = made.iter().zip(from..).map(|(made, n)| made - wanted(n)).collect();
        power(&error)
    }

    #[test]
    fn between_two_sounds_it_leads_from_one_to_the_other() {
        // The pitch rises all the time, by a fifth over the gap.
        let gliding = |n: usize| {
            let phase = n as f32 * 2.0 * std::f32::consts::PI * (110.0 + n as f32 * 0.035) / 8_000.0;
            0.3 * phase.sin() + 0.15 * (3.0 * phase + 0.5).sin() + 0.1 * (7.0 * phase).sin()
        };
        for packets in [1, 2, 3] {
            let (gone, next) = (800, 800 + 160 * packets);
            let mut before: Vec<f32> = (0..gone).map(gliding).collect();
            let after: Vec<f32> = (next..next + 160).map(gliding).collect();
            let mut bridging = Concealer::new(8_000);
            bridging.heard(&mut before);
            let mut alone = bridging.clone();
            let (mut bridged, mut continued) = (Vec::new(), Vec::new());
            for packet in 0..packets {
                bridging.bridge(160, 160 * (packets - packet), &after, &mut bridged);
                alone.conceal(160, &mut continued);
            }
            assert_eq!(bridged.len(), 160 * packets);
            let (led, off) = (error(&bridged, gliding, gone), error(&continued, gliding, gone));
            println!("{packets} packets: {led:.4} against {off:.4} of {:.4}", power(&before));
            assert!(led < 0.6 * off, "{packets} packets: {led} against {off}");
            let mut next = after.clone();
            bridging.heard(&mut next);
            assert_eq!(next, after, "what comes next is left as it is");
            let all = [before.clone(), bridged, next].concat();
            assert!(step(&all) < 2.0 * step(&before), "{packets} packets: {} against {}", step(&all), step(&before));
        }
    }

    /// The next packet may yet be lost, too, or come late.
    #[test]
    fn a_bridge_may_be_left_and_begun_again() {
        let mut concealer = Concealer::new(8_000);
        let mut before: Vec<f32> = (0..800).map(voiced).collect();
        concealer.heard(&mut before);
        let mut made = Vec::new();
        concealer.conceal(80, &mut made);
        concealer.bridge(80, 240, &(1_040..1_200).map(voiced).collect::<Vec<_>>(), &mut made);
        let mut came: Vec<f32> = (960..1_040).map(voiced).collect();
        concealer.heard(&mut came);
        let all = [before.clone(), made.clone(), came].concat();
        concealer.bridge(160, 160, &[0.0; 160], &mut made);
        concealer.bridge(160, 1_600, &[0.1; 160], &mut made);
        assert_eq!(made.len(), 480);
        assert!(step(&all) < 2.0 * step(&before), "{} against {}", step(&all), step(&before));
    }

    mod properties {
        use super::*;
        use crate::properties::config;
        use proptest::prelude::*;

        proptest! {
            #![proptest_config(config(64, 7114))]
            #[test]
            fn whatever_lies_beside_a_gap_it_is_filled(
                before in prop::collection::vec(-1.0f32..1.0, 0..900),
                after in prop::collection::vec(-1.0f32..1.0, 0..500),
                loud in prop_oneof![Just(0.0f32), Just(1e-6), Just(1.0)],
                wide in any::<bool>(),
                gaps in prop::collection::vec((1usize..400, 0usize..700, 0u8..3), 1..8),
            ) {
                let mut concealer = Concealer::new(if wide { 16_000 } else { 8_000 });
                concealer.heard(&mut before.iter().map(|sample| sample * loud).collect::<Vec<_>>());
                for (count, more, what) in gaps {
                    let mut made = Vec::new();
                    match what {
                        0 => concealer.conceal(count, &mut made),
                        1 => _ = concealer.bridge(count, count + more, &after, &mut made),
                        _ => {
                            made.resize(count, loud);
                            concealer.heard(&mut made);
                        }
                    }
                    prop_assert_eq!(made.len(), count);
                    prop_assert!(made.iter().all(|sample| sample.is_finite() && sample.abs() <= 4.0));
                }
            }
        }
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
