//! Speech-like sound, made and not recorded: syllables of a buzzing source through three formants, as in the first speech
//! synthesizers. It says nothing, but it has the pitch, the pauses and the spectrum of a voice.

use std::f32::consts::TAU;

/// Hz.
const RATE: f32 = 48_000.0;
/// The first three formants of some vowels, Hz (Peterson and Barney, 1952).
const VOWELS: [[f32; 3]; 6] = [
    [730.0, 1090.0, 2440.0],
    [270.0, 2290.0, 3010.0],
    [530.0, 1840.0, 2480.0],
    [570.0, 840.0, 2410.0],
    [300.0, 870.0, 2240.0],
    [660.0, 1720.0, 2410.0],
];
/// Bandwidths of the formants, Hz, and how loud each is.
const BANDWIDTHS: [f32; 3] = [80.0, 100.0, 140.0];
const LEVELS: [f32; 3] = [1.0, 0.5, 0.25];
/// Syllables of each word of a phrase; a word ends with a pause.
const WORDS: [usize; 6] = [2, 1, 3, 2, 1, 4];
/// Seconds.
const SYLLABLE: f32 = 0.19;
const PAUSE: f32 = 0.16;
const BETWEEN_PHRASES: f32 = 0.9;
/// Of full scale: the level of a person speaking into a handset.
const PEAK: f32 = 0.3;

/// A phrase and the silence after it, about 4 s at 48 kHz, to be played in a loop.
pub fn phrase() -> Vec<i16> {
    let mut voice = Voice::default();
    let mut sound = Vec::new();
    let mut syllable = 0;
    for (word, syllables) in WORDS.into_iter().enumerate() {
        for _ in 0..syllables {
            // The melody falls through the phrase, as in a statement.
            let pitch = 140.0 - 6.0 * word as f32 + 8.0 * (syllable as f32 * 1.7).sin();
            voice.speak(&mut sound, VOWELS[syllable * 5 % VOWELS.len()], pitch);
            syllable += 1;
        }
        sound.resize(sound.len() + (RATE * PAUSE) as usize, 0.0);
    }
    sound.resize(sound.len() + (RATE * BETWEEN_PHRASES) as usize, 0.0);
    let loudest = sound.iter().fold(f32::MIN_POSITIVE, |loudest, sample| loudest.max(sample.abs()));
    sound.iter().map(|sample| (sample / loudest * PEAK * 32_767.0) as i16).collect()
}

/// The source's phase and the formants' resonators.
#[derive(Default)]
struct Voice {
    phase: f32,
    resonators: [Resonator; 3],
}

impl Voice {
    fn speak(&mut self, sound: &mut Vec<f32>, formants: [f32; 3], pitch: f32) {
        let length = (RATE * SYLLABLE) as usize;
        for n in 0..length {
            let through = n as f32 / length as f32;
            self.phase = (self.phase + pitch / RATE).fract();
            // A falling ramp buzzes with all harmonics; it swells and fades with the syllable.
            let source = (1.0 - 2.0 * self.phase) * (through * std::f32::consts::PI).sin();
            let mut sample = 0.0;
            for (i, resonator) in self.resonators.iter_mut().enumerate() {
                sample += LEVELS[i] * resonator.step(source, formants[i], BANDWIDTHS[i]);
            }
            sound.push(sample);
        }
    }
}

/// A two-pole resonance with gain 1 at 0 Hz (Klatt, 1980).
#[derive(Default)]
struct Resonator {
    last: [f32; 2],
}

impl Resonator {
    fn step(&mut self, input: f32, frequency: f32, bandwidth: f32) -> f32 {
        let radius = (-std::f32::consts::PI * bandwidth / RATE).exp();
        let c = -radius * radius;
        let b = 2.0 * radius * (TAU * frequency / RATE).cos();
        let output = (1.0 - b - c) * input + b * self.last[0] + c * self.last[1];
        self.last = [output, self.last[0]];
        output
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_the_level_and_the_pauses_of_speech() {
        let phrase = phrase();
        let seconds = phrase.len() as f32 / RATE;
        assert!((3.0..6.0).contains(&seconds), "{seconds} s");
        let peak = phrase.iter().map(|s| s.unsigned_abs()).max().unwrap_or_default();
        assert!((9_000..10_500).contains(&peak), "peak {peak}");
        // 20 ms windows: between a third and three quarters of them are loud.
        let loud = |window: &&[i16]| window.iter().any(|s| s.unsigned_abs() > 1_000);
        let windows = phrase.chunks(960);
        let share = windows.clone().filter(loud).count() as f32 / windows.len() as f32;
        assert!((0.33..0.75).contains(&share), "{share} of it is loud");
    }
}
