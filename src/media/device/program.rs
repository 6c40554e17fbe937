//! A card whose user is a program: it says again what it hears, or says its piece over and over.

use super::{Card, STEP_BLOCKS, STEP_SAMPLES, StepClock};
use std::{collections::VecDeque, sync::Arc, time::Instant};

/// Sound kept for the echo: more means that nobody asked for the microphone, and the oldest goes.
const MOST_HEARD: usize = 25 * STEP_SAMPLES;

/// What the microphone hears.
#[derive(Debug)]
enum Voice {
    /// What the speaker played.
    Echo(VecDeque<f32>),
    /// Samples at 48 kHz, from `at` on and in a loop.
    Loop { samples: Arc<[i16]>, at: usize },
}

/// See the module.
#[derive(Debug)]
pub struct ProgramCard {
    clock: StepClock,
    voice: Voice,
}

impl ProgramCard {
    /// The microphone hears what the speaker plays.
    pub fn echo(now: Instant) -> Self {
        Self { clock: StepClock::new(now), voice: Voice::Echo(VecDeque::new()) }
    }

    /// The microphone hears these samples (48 kHz) over and over.
    pub fn speaking(now: Instant, samples: Arc<[i16]>) -> Self {
        Self { clock: StepClock::new(now), voice: Voice::Loop { samples, at: 0 } }
    }
}

impl Card for ProgramCard {
    fn poll(&mut self, now: Instant, microphone: &mut Vec<f32>) -> usize {
        let steps = self.clock.take_due(now);
        let wanted = microphone.len() + steps * STEP_SAMPLES;
        match &mut self.voice {
            Voice::Echo(heard) => microphone.extend(heard.drain(..heard.len().min(steps * STEP_SAMPLES))),
            Voice::Loop { samples, at } => {
                while microphone.len() < wanted && !samples.is_empty() {
                    microphone.push(f32::from(samples[*at]) / 32_768.0);
                    *at = (*at + 1) % samples.len();
                }
            }
        }
        microphone.resize(wanted, 0.0);
        steps * STEP_BLOCKS
    }

    fn play(&mut self, block: &[f32]) {
        if let Voice::Echo(heard) = &mut self.voice {
            heard.extend(block);
            heard.drain(..heard.len().saturating_sub(MOST_HEARD));
        }
    }

    fn poll_timeout(&self) -> Instant {
        self.clock.next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::BLOCK;
    use std::time::Duration;

    #[test]
    fn the_echo_says_what_it_heard_one_step_later() {
        let start = Instant::now();
        let mut card = ProgramCard::echo(start);
        let mut said = Vec::new();
        for step in 1..=3u32 {
            let blocks = card.poll(start + Duration::from_millis(20) * step, &mut said);
            for _ in 0..blocks {
                card.play(&[step as f32 / 4.0; BLOCK]);
            }
        }
        let steps: Vec<f32> = said.chunks(STEP_SAMPLES).map(|chunk| chunk[0]).collect();
        assert_eq!(steps, [0.0, 0.25, 0.5]);
    }

    #[test]
    fn the_loop_goes_round() {
        let start = Instant::now();
        let mut card = ProgramCard::speaking(start, Arc::from([16_384, -16_384, 0]));
        let mut said = Vec::new();
        assert_eq!(card.poll(start + Duration::from_millis(20), &mut said), STEP_BLOCKS);
        assert_eq!((said.len(), &said[..5]), (STEP_SAMPLES, &[0.5, -0.5, 0.0, 0.5, -0.5][..]));
    }
}
