//! Call-progress and ringing tones, made by arithmetic.

use crate::media::{SAMPLE_RATE, engine::Tone};
use std::f32::consts::PI;

/// One part of a cadence.
#[derive(Clone, Copy, Debug)]
struct Part {
    /// Two frequencies in Hz; zero for none.
    hz: [f32; 2],
    ms: u32,
    level: f32,
}

const fn part(hz: [f32; 2], ms: u32, level: f32) -> Part {
    Part { hz, ms, level }
}

const fn pause(ms: u32) -> Part {
    part([0.0, 0.0], ms, 0.0)
}

/// A bright warble, a second of it, then quiet: heard across a room without being shrill.
const RING: [Part; 9] = [
    part([880.0, 1108.7], 160, 0.3),
    part([740.0, 932.3], 160, 0.3),
    part([880.0, 1108.7], 160, 0.3),
    part([740.0, 932.3], 160, 0.3),
    part([880.0, 1108.7], 160, 0.3),
    part([740.0, 932.3], 160, 0.3),
    part([880.0, 1108.7], 160, 0.3),
    part([740.0, 932.3], 160, 0.3),
    pause(2_200),
];
// The European plan (ITU-T E.180 Supplement 2): 425 Hz.
const RINGBACK: [Part; 2] = [part([425.0, 0.0], 1_000, 0.12), pause(4_000)];
const BUSY: [Part; 2] = [part([425.0, 0.0], 480, 0.12), pause(480)];
const CALL_WAITING: [Part; 4] = [part([425.0, 0.0], 200, 0.1), pause(200), part([425.0, 0.0], 200, 0.1), pause(5_000)];
// What ends by itself ends with a pause, in which the last of it leaves the device before that is closed.
const ANSWERED: [Part; 4] = [part([880.0, 0.0], 150, 0.2), pause(100), part([880.0, 0.0], 150, 0.2), pause(300)];
const TEST: [Part; 4] =
    [part([523.3, 0.0], 250, 0.2), part([659.3, 0.0], 250, 0.2), part([784.0, 1046.5], 600, 0.2), pause(300)];

// 47 CFR § 64.501.
const RECORDING: [Part; 2] = [part([1_400.0, 0.0], 200, 0.1), pause(14_800)];

/// Times through the cadence, `None` without end.
fn cadence(tone: Tone) -> (&'static [Part], Option<u32>) {
    match tone {
        Tone::Ring => (&RING, None),
        Tone::Ringback => (&RINGBACK, None),
        Tone::CallWaiting => (&CALL_WAITING, None),
        Tone::Recording => (&RECORDING, None),
        // "For a few seconds".
        Tone::Busy => (&BUSY, Some(4)),
        Tone::Answered => (&ANSWERED, Some(1)),
        Tone::Test { .. } => (&TEST, Some(1)),
    }
}

/// A tone being played.
#[derive(Debug)]
pub struct ToneSource {
    tone: Tone,
    rounds: u32,
    part: usize,
    /// Samples into the part.
    at: u32,
}

impl ToneSource {
    pub fn new(tone: Tone) -> Self {
        Self { tone, rounds: 0, part: 0, at: 0 }
    }

    pub fn tone(&self) -> Tone {
        self.tone
    }

    /// Adds the tone to `out` (48 kHz). Returns `false` once it is over.
    pub fn mix(&mut self, out: &mut [f32]) -> bool {
        let (parts, limit) = cadence(self.tone);
        for sample in out {
            if limit.is_some_and(|limit| self.rounds >= limit) {
                return false;
            }
            let now = parts[self.part];
            let length = now.ms * SAMPLE_RATE / 1000;
            *sample += now.level * edge(self.at, length) * wave(now.hz, self.at);
            self.at += 1;
            if self.at >= length {
                self.at = 0;
                self.part = (self.part + 1) % parts.len();
                self.rounds += u32::from(self.part == 0);
            }
        }
        true
    }
}

/// Two sines at `at` samples of 48 kHz; a frequency of zero is silent.
fn wave(hz: [f32; 2], at: u32) -> f32 {
    hz.iter().map(|hz| (2.0 * PI * hz * at as f32 / SAMPLE_RATE as f32).sin()).sum()
}

/// Fades a part in and out over 5 ms, so that it doesn't click.
fn edge(at: u32, length: u32) -> f32 {
    let ramp = SAMPLE_RATE / 200;
    (at.min(length - at) as f32 / ramp as f32).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::dsp::{peak, tone_share};

    #[test]
    fn every_tone_sounds_and_ends_as_it_should() {
        for (tone, ends) in [
            (Tone::Ring, false),
            (Tone::CallWaiting, false),
            (Tone::Ringback, false),
            (Tone::Busy, true),
            (Tone::Answered, true),
            (Tone::Test { ringer: false }, true),
        ] {
            let mut out = vec![0.0; SAMPLE_RATE as usize * 10];
            assert_eq!(!ToneSource::new(tone).mix(&mut out), ends, "{tone:?}");
            assert!(peak(&out) > 0.05 && peak(&out) < 0.7, "{tone:?}: {}", peak(&out));
            assert!(out.windows(2).all(|w| (w[1] - w[0]).abs() < 0.1), "{tone:?} clicks");
        }
    }

    #[test]
    fn ringback_is_425_hz() {
        let mut out = vec![0.0; 24_000];
        ToneSource::new(Tone::Ringback).mix(&mut out);
        assert!(tone_share(&out, 425.0, SAMPLE_RATE) > 0.98);
    }
}
