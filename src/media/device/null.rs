//! A card that hears silence and plays to nobody, at the pace of the clock.

use super::{Card, STEP_BLOCKS, STEP_SAMPLES, StepClock};
use std::time::Instant;

/// After a longer standstill (a suspended machine) time begins anew instead of being made up for.
const MOST_STEPS: usize = 25;

#[derive(Debug)]
pub struct NullCard {
    clock: StepClock,
}

impl NullCard {
    pub fn new(now: Instant) -> Self {
        Self { clock: StepClock::new(now) }
    }
}

impl Card for NullCard {
    fn poll(&mut self, now: Instant, microphone: &mut Vec<f32>) -> usize {
        let steps = match self.clock.take_due(now) {
            steps if steps > MOST_STEPS => 1,
            steps => steps,
        };
        microphone.resize(microphone.len() + steps * STEP_SAMPLES, 0.0);
        steps * STEP_BLOCKS
    }

    fn play(&mut self, _block: &[f32]) {}

    fn poll_timeout(&self) -> Instant {
        self.clock.next()
    }
}
