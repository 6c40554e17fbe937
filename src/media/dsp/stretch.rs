//! Playing faster or slower without changing the pitch: one period is blended away or repeated (WSOLA).

use super::{dot, power};

/// Periods considered, in milliseconds.
const LAG_MIN_MS: f32 = 2.5;
const LAG_MAX_MS: f32 = 15.0;
/// Resemblance from which a period may go unnoticed.
const SIMILAR: f32 = 0.85;
/// Mean square under which a sound counts as silence (-50 dB).
const SILENCE: f32 = 1e-5;

/// What [`stretch`] does to the sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Shorter,
    /// Shorter whatever it sounds like: too much delay has gathered.
    ShorterAtOnce,
    Longer,
}

/// Samples at the front that [`stretch`] needs.
pub fn needed(rate: u32) -> usize {
    2 * (LAG_MAX_MS * rate as f32 / 1000.0) as usize
}

/// Shortens or lengthens the front of `samples` by one period, if it can be done unheard. Returns by how many samples,
/// zero when nothing suitable was found.
pub fn stretch(samples: &mut Vec<f32>, rate: u32, change: Change) -> usize {
    if samples.len() < needed(rate) {
        return 0;
    }
    let (lag, similarity) = best_lag(samples, rate);
    let silent = power(&samples[..needed(rate)]) < SILENCE;
    if similarity < SIMILAR && !silent && change != Change::ShorterAtOnce {
        return 0;
    }
    let lag = if silent { needed(rate) / 2 } else { lag };
    match change {
        Change::Shorter | Change::ShorterAtOnce => {
            // The first period turns into the second, then continues after the second.
            for n in 0..lag {
                let share = (n + 1) as f32 / (lag + 1) as f32;
                samples[lag + n] = samples[n] * (1.0 - share) + samples[lag + n] * share;
            }
            samples.drain(..lag);
        }
        Change::Longer => {
            // After the first period, the second turns back into the first, then the second follows.
            let mut longer = Vec::with_capacity(lag);
            for n in 0..lag {
                let share = (n + 1) as f32 / (lag + 1) as f32;
                longer.push(samples[lag + n] * (1.0 - share) + samples[n] * share);
            }
            samples.splice(lag..lag, longer);
        }
    }
    lag
}

/// The lag at which the sound resembles itself most, with the normalised correlation there. Searched coarsely on every
/// fourth sample (the telephone band lies far below), then finely.
fn best_lag(samples: &[f32], rate: u32) -> (usize, f32) {
    let window = needed(rate) / 2;
    let step = if rate > 16_000 { 4 } else { 1 };
    let (least, most) = ((LAG_MIN_MS * rate as f32 / 1000.0) as usize, window);
    let coarse: Vec<f32> = samples[..2 * window].iter().step_by(step).copied().collect();
    let (mut best, _) = search(&coarse, window / step, least / step..=most / step);
    best *= step;
    search(samples, window, best.saturating_sub(step).max(least)..=(best + step).min(most))
}

fn search(samples: &[f32], window: usize, lags: std::ops::RangeInclusive<usize>) -> (usize, f32) {
    let reference = &samples[..window];
    let own = dot(reference, reference);
    lags.map(|lag| {
        let length = window.min(samples.len() - lag);
        let shifted = &samples[lag..lag + length];
        let norm = (own * dot(shifted, shifted)).sqrt();
        (lag, dot(&reference[..length], shifted) / (norm + 1e-9))
    })
    .max_by(|a, b| a.1.total_cmp(&b.1))
    .unwrap_or((1, 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::dsp::steady_tone_share;

    #[test]
    fn changes_the_length_of_a_tone_and_nothing_else() {
        for rate in [8_000u32, 48_000] {
            for change in [Change::Shorter, Change::Longer] {
                let mut out = Vec::new();
                let mut queue = Vec::new();
                for n in 0..rate as usize * 2 {
                    queue.push(0.4 * (2.0 * std::f32::consts::PI * 440.0 * n as f32 / rate as f32).sin());
                    if queue.len() == needed(rate) {
                        assert!(stretch(&mut queue, rate, change) > 0);
                        out.append(&mut queue);
                    }
                }
                let share = steady_tone_share(&out, 440.0, rate);
                assert!(share > 0.98, "{rate} {change:?} {share}");
                let longer = out.len() > rate as usize * 2;
                assert_eq!(longer, change == Change::Longer);
            }
        }
    }

    #[test]
    fn leaves_noise_alone_unless_told_to_hurry() {
        let mut state = 1u32;
        let mut noise: Vec<f32> = (0..needed(8_000))
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 16) as f32 / 65_536.0 - 0.5
            })
            .collect();
        assert_eq!(stretch(&mut noise, 8_000, Change::Shorter), 0);
        assert!(stretch(&mut noise, 8_000, Change::ShorterAtOnce) > 0);
    }
}
